package audit

import (
	"math"
	"slices"
	"time"

	"linger"
)

// most is how many values of a kind are kept; of more, every second one goes, and from
// then on every second one comes in.
const most = 4096

// values are numbers of which a bounded part is kept, spread evenly over all.
type values struct {
	kept []float64
	n    int
	step int
}

func (v *values) add(x float64) { v.addWithin(x, most) }

// addWithin keeps less than so many.
func (v *values) addWithin(x float64, most int) {
	if v.step == 0 {
		v.step = 1
	}
	if v.n++; v.n%v.step != 0 {
		return
	}
	if v.kept = append(v.kept, x); len(v.kept) >= most {
		half := v.kept[:0]
		for i := 0; i < len(v.kept); i += 2 {
			half = append(half, v.kept[i])
		}
		v.kept, v.step = half, 2*v.step
	}
}

// limits is what was seen of an idle limit.
type limits struct {
	ended    values // gaps after which the side closed
	survived values // gaps that ended otherwise: by a request, by the other side, or not
	longest  float64
	used     float64 // the longest gap after which a connection was used again
	least    float64 // the shortest of ended
	greatest float64
	// moments is how often some ended: all at once, as when a process ends, is once.
	moments int
	moment  linger.Instant
}

// limits returns what is learnt of a host's idle limit.
func (h *host) limits() *limits {
	if h.idle == nil {
		h.idle = &limits{}
	}
	return h.idle
}

// usedAfter is the longest gap after which a connection of the host was used again, in seconds.
func (h *host) usedAfter() float64 {
	if h.idle == nil {
		return 0
	}
	return h.idle.used
}

// atOnce is within what time ends are one event.
const atOnce = 20 * time.Millisecond

func (l *limits) end(at linger.Instant, gap time.Duration) {
	g := gap.Seconds()
	if l.moments == 0 || at.Sub(l.moment).Abs() > atOnce {
		l.moments++
	}
	l.moment = at
	if l.ended.n == 0 {
		l.least = g
	}
	l.ended.add(g)
	l.least, l.greatest = min(l.least, g), max(l.greatest, g)
}

func (l *limits) survive(gap time.Duration) {
	g := gap.Seconds()
	l.survived.add(g)
	l.longest = max(l.longest, g)
}

// doubt is how far an idle limit may be from what was seen: 0.1 s or 2 %, and a tenth of
// what is below a second.
func doubt(seconds float64) float64 { return max(min(0.1, 0.1*seconds), 0.02*seconds) }

// single returns the one limit, in seconds, where there is one: all gaps that ended agree,
// and none that survived is longer.
func (l *limits) single() (value float64, ok bool) {
	if l == nil || l.moments < 2 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(l.ended.kept))
	value = sorted[len(sorted)/2]
	off := doubt(value)
	return value, l.greatest-l.least <= off && l.longest <= l.least+off
}

// A Point is a step of a survival curve.
type Point struct {
	Seconds float64 `json:"seconds"`
	// Share is how many connections are kept beyond it, 0 to 1.
	Share float64 `json:"share"`
}

// survival is the estimate of Kaplan and Meier: the share of connections that a side keeps
// for longer than a gap, from those it ended and those of which no more is known than that
// they lasted for so long.
func survival(ended, survived []float64) []Point {
	type one struct {
		at    float64
		event bool
	}
	all := make([]one, 0, len(ended)+len(survived))
	for _, g := range ended {
		all = append(all, one{g, true})
	}
	for _, g := range survived {
		all = append(all, one{g, false})
	}
	slices.SortFunc(all, func(a, b one) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		case a.event == b.event:
			return 0
		case a.event: // what is censored there has outlived it
			return -1
		}
		return 1
	})
	var out []Point
	share, risk := 1.0, len(all)
	for i := 0; i < len(all); {
		j, events := i, 0
		for ; j < len(all) && all[j].at == all[i].at; j++ {
			if all[j].event {
				events++
			}
		}
		if events > 0 {
			share *= 1 - float64(events)/float64(risk)
			out = append(out, Point{all[i].at, share})
		}
		risk -= j - i
		i = j
	}
	return out
}

// quantile is the least gap beyond which no more than the share is kept.
func quantile(curve []Point, share float64) (float64, bool) {
	for _, p := range curve {
		if p.Share <= share+1e-12 {
			return p.Seconds, true
		}
	}
	return 0, false
}

// counts is what was seen of a server's limits of requests and of age.
type counts struct {
	ends map[int]int // requests on connections that ended with a response, how often
	n    int
	// exceeded is the most requests on a connection of which the server let it go on.
	exceeded int
	// said is the limit that it announced (Keep-Alive: max).
	said int
	// ages are of the ends; survivedAge is the greatest age at which a response did not end
	// a connection.
	ages        values
	leastAge    time.Duration
	greatestAge time.Duration
	survivedAge time.Duration
	timed       values // ages at which connections ended, with or without a response
	timedIdle   values
	oldest      time.Duration // that a connection was seen to become
	trip        time.Duration // the longest round trip to a client of those in timed
}

// maxEnds bounds how many different numbers of requests are counted.
const maxEnds = 1024

func (k *counts) end(number int, age time.Duration) {
	if k.ends == nil {
		k.ends = map[int]int{}
	}
	if _, ok := k.ends[number]; ok || len(k.ends) < maxEnds {
		k.ends[number]++
	}
	if k.n == 0 {
		k.leastAge = age
	}
	k.n++
	k.leastAge, k.greatestAge = min(k.leastAge, age), max(k.greatestAge, age)
	k.ages.add(age.Seconds())
}

// requestLimit returns after how many requests the server ends connections, where that is
// one number: nearly all that it ended with a response had it, and none more.
func (k *counts) requestLimit() (limit, n int, ok bool) {
	for number, times := range k.ends {
		if times > n || times == n && number < limit {
			limit, n = number, times
		}
	}
	if k.said > 1 && (n == 0 || k.ends[k.said] > 0) && k.exceeded < k.said {
		return k.said, k.ends[k.said], k.ends[k.said] > 0
	}
	return limit, n, n >= 2 && limit > 1 && k.exceeded < limit && 10*n >= 9*k.n
}

// asOld reports whether an age explains all that ended after as many requests, too: each
// was then older than any had been that a response let go on. At an even pace nobody can
// tell which it was, if the server has not said it.
func (k *counts) asOld() bool {
	return k.said <= 1 && k.leastAge >= idles && k.survivedAge < k.leastAge && k.survivedAge >= k.leastAge/2
}

// soleLimit is requestLimit where nothing else explains it.
func (k *counts) soleLimit() (limit, n int, ok bool) {
	limit, n, ok = k.requestLimit()
	return limit, n, ok && !k.asOld()
}

func (k *counts) isLimit(number int, c *conn) bool {
	limit, _, ok := k.requestLimit()
	return ok && number == limit && !c.beganBefore
}

// ageLimit returns the bracket of the age at which the server ends connections.
func (k *counts) ageLimit() (low, high time.Duration, timed, ok bool) {
	if n := len(k.timed.kept); n >= 3 {
		least, greatest := slices.Min(k.timed.kept), slices.Max(k.timed.kept)
		jitter := greatest - least
		sorted := slices.Sorted(slices.Values(k.timedIdle.kept))
		idleSpread := (sorted[n-1] - sorted[0]) / max(0.001, sorted[n/2])
		// Ages agree, and idle times do not.
		if alike := jitter <= doubt(least) || n >= 5 && jitter <= least/4; alike && least >= idles.Seconds() && idleSpread >= 0.1 && 4*jitter/least <= idleSpread &&
			k.oldest.Seconds() <= greatest+doubt(greatest) {
			low := seconds(least) - k.trip
			if k.n > 0 || k.survivedAge > low {
				low = min(k.survivedAge, seconds(least))
			}
			return low, seconds(greatest), true, true
		}
	}
	if _, _, limited := k.requestLimit(); !limited && k.n >= 3 && len(k.ends) > 1 && k.leastAge >= idles {
		// A response at the age of low let its connection go on, one at high did not;
		// limits are jittered by a tenth either way, often.
		exact := k.survivedAge <= k.leastAge*102/100
		if (exact || k.n >= 5 && k.survivedAge <= k.leastAge*5/4) && k.survivedAge >= k.leastAge/2 {
			return min(k.survivedAge, k.leastAge), max(k.leastAge, k.survivedAge), false, true
		}
	}
	return 0, 0, false, false
}

func (k *counts) isAge(e *end, c *conn) bool {
	low, high, timed, ok := k.ageLimit()
	if !ok || c.beganBefore {
		return false
	}
	if timed {
		return e.age >= low-seconds(0.1) && e.age <= high+seconds(0.1)
	}
	return e.reason != ServerIdle && e.age >= low
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// learn counts what a connection tells of the limits of both its sides. It is called when
// restarts have been found, and again when more is known.
func (c *conn) learn(ended linger.Instant) {
	if c.class != Requests || c.opaque && c.beganBefore {
		return
	}
	if !c.carried() && !c.stillOpen {
		if c.end.at != never {
			c.server.counts.oldest = max(c.server.counts.oldest, c.end.at.Sub(c.opened))
		}
		return // how long the first request may take is another limit
	}
	server, client := c.server.limits(), c.client.limits()
	spans := c.spans
	for i, s := range spans[:max(0, len(spans)-1)] {
		next := spans[i+1].sent
		gap, ok := s.gap(next)
		if !ok {
			continue
		}
		if c.closed != never && c.closed > s.done && c.closed < next {
			continue // it had ended before it was used again
		}
		server.survive(gap)
		client.survive(c.atClient(gap))
		server.used, client.used = max(server.used, gap.Seconds()), max(client.used, c.atClient(gap).Seconds())
		c.server.counts.survivedAge = max(c.server.counts.survivedAge, c.keptAt(s))
	}
	c.learnFolded()
	if !c.beganBefore && len(spans) > 1 {
		c.server.counts.exceeded = max(c.server.counts.exceeded, c.requests-1)
	}
	if c.maxSaid > 0 {
		c.server.counts.said = c.maxSaid
	}
	e := &c.end
	last := c.idleSince(linger.Instant(math.MaxInt64))
	if e.reason != ServerSaysClose && e.reason != ServerClosesAtOnce && e.reason != ClientSaysClose && len(spans) > 0 {
		// Its last response did not end it.
		c.server.counts.survivedAge = max(c.server.counts.survivedAge, c.keptAt(spans[len(spans)-1]))
	}
	if e.at != never {
		c.server.counts.oldest = max(c.server.counts.oldest, e.at.Sub(c.opened))
	}
	switch {
	case e.restart:
		return
	case e.at == never:
		if c.stillOpen && ended > last {
			server.survive(ended.Sub(last))
			client.survive(c.atClient(ended.Sub(last)))
			c.server.counts.oldest = max(c.server.counts.oldest, ended.Sub(c.opened))
			if !c.beganBefore {
				c.server.counts.exceeded = max(c.server.counts.exceeded, c.requests)
			}
		}
		return
	}
	if !c.carried() {
		return // how long the first request may take is another limit
	}
	switch e.reason {
	case ServerIdle:
		server.end(e.at, e.idle)
		client.survive(c.atClient(e.idle))
		c.timed()
	case Race, StaleReuse:
		if e.exact {
			server.end(c.closed, e.idle)
		}
	case ClientIdle:
		client.end(e.at, c.atClient(e.idle))
		server.survive(e.idle)
		if !c.beganBefore {
			c.server.counts.exceeded = max(c.server.counts.exceeded, c.requests)
		}
	case ClientClosesAtOnce, ClientPoolFull:
		server.survive(e.idle)
		if !c.beganBefore {
			c.server.counts.exceeded = max(c.server.counts.exceeded, c.requests)
		}
	case ServerSaysClose, ServerClosesAtOnce:
		if !c.beganBefore && c.requests > 0 {
			c.server.counts.end(c.requests, e.age)
		}
		c.timed()
	}
}

// learnFolded counts the gaps between exchanges that were folded: each that is kept stands for
// as many as were not.
func (c *conn) learnFolded() {
	f := c.folded
	if f == nil || f.gaps.n == 0 {
		return
	}
	server, client := c.server.limits(), c.client.limits()
	for i := range f.gaps.n {
		g := f.longest
		if i > 0 && len(f.gaps.kept) > 0 {
			g = f.gaps.kept[i*len(f.gaps.kept)/f.gaps.n]
		}
		server.survive(seconds(g))
		client.survive(c.atClient(seconds(g)))
	}
	server.used, client.used = max(server.used, f.longest), max(client.used, c.atClient(seconds(f.longest)).Seconds())
	if c.established != never && f.kept != never {
		c.server.counts.survivedAge = max(c.server.counts.survivedAge, f.kept.Sub(c.established))
	}
}

// atClient is how long the client has been idle when a response passed and, so much later,
// what the client sent: both had the way between here and the client to go.
func (c *conn) atClient(gap time.Duration) time.Duration { return max(0, gap-c.distance()) }

// timed counts the age at which the server ended the connection.
func (c *conn) timed() {
	if !c.beganBefore {
		c.server.counts.timed.add(c.end.age.Seconds())
		c.server.counts.trip = max(c.server.counts.trip, c.trip())
		c.server.counts.timedIdle.add(c.end.idle.Seconds())
	}
}
