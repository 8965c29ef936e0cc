package har

import (
	"fmt"
	"strings"
	"time"
)

// A recorder is what a program means by its figures, where that is not what HAR says.
// docs/workloads.md names the sources.
type recorder struct {
	// tlsBeside: ssl is no part of connect, which is TCP's handshake alone.
	tlsBeside bool
	// early: a handshake is no part of the time line. Over TLS it came before the request
	// was known; in the clear, within wait.
	early bool
	// noTotal: time is no sum of the parts.
	noTotal bool
	// noHeads: headersSize is no size of a head.
	noHeads bool
	// silentCache: what came from a cache has no address and no timings, and nothing else
	// that tells.
	silentCache bool
}

// recorder tells by its name who wrote the file.
func (l *harLog) recorder() recorder {
	switch name := strings.ToLower(l.creator); {
	case strings.HasPrefix(name, "mitmproxy"):
		return recorder{tlsBeside: true, early: true, noTotal: true, noHeads: true}
	case name == "playwright":
		return recorder{noTotal: true} // it counts ssl twice
	case name == "firefox" || name != "" && name == strings.ToLower(l.browser) && !strings.Contains(name, "webkit"):
		// Gecko names itself twice, and so do browsers that are built of it.
		return recorder{tlsBeside: true, noTotal: true, silentCache: true} // it counts each -1
	}
	return recorder{}
}

// settle makes the figures of e mean what HAR says.
func (r recorder) settle(e *entry) {
	t := &e.timings
	if strings.HasPrefix(strings.ToLower(e.request.url), "http:") {
		t.ssl = number{} // Playwright writes one
	}
	connect, ssl := t.connect.Or(-1), t.ssl.Or(-1)
	// Nothing is longer than what it is part of, by more than clocks and rounding make it.
	if connect > 0 && ssl > 0 && (r.tlsBeside || ssl > 1.25*connect+1) {
		connect += ssl
		t.connect = known(connect)
	}
	if r.noTotal {
		e.time = number{}
	}
	if r.noHeads {
		e.request.headersSize, e.response.headersSize = number{}, number{}
	}
	e.start = e.start.Add(-e.ahead())
	if !r.early || connect <= 0 {
		return
	}
	if t.ssl.Or(0) > 0 {
		e.start = e.start.Add(-t.connect.span().Or(0))
	} else if wait := t.wait.Or(0); wait > connect {
		t.wait = known(wait - connect)
	}
}

// A leftOut says why entries are left out.
type leftOut struct {
	why, example string // the example is of the first
	n, first     int    // how many, and the number of the first
}

// leaveOut adds one entry to those that are left out.
func leaveOut(all []leftOut, why, example string, number int) []leftOut {
	for i := range all {
		if all[i].why == why {
			all[i].n++
			return all
		}
	}
	return append(all, leftOut{why, example, 1, number})
}

func (l leftOut) String() string {
	where := fmt.Sprintf("entry %d", l.first)
	if l.n > 1 {
		where = "the first is " + where
	}
	if l.example != "" {
		where = l.example + ", " + where
	}
	return fmt.Sprintf("%s (%s)", l.why, where)
}

// together returns the most entries of an ordered list that began within maxLoad, and the
// others.
func together(entries []entry) (kept, others []entry) {
	from, most, first := 0, 0, 0
	for i := range entries {
		for entries[i].start.Sub(entries[from].start) > maxLoad {
			from++
		}
		if n := i - from + 1; n > most {
			most, first = n, from
		}
	}
	others = append(append(others, entries[:first]...), entries[first+most:]...)
	return entries[first : first+most], others
}

// apart is how far an entry is from the first of those that are kept, for people.
func apart(e, first entry) string {
	d := e.start.Sub(first.start)
	when := "later"
	if d < 0 {
		when = "earlier"
	}
	return fmt.Sprintf("%d days %s", d.Abs()/(24*time.Hour), when)
}
