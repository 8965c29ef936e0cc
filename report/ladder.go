package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/finding"
	"linger/trace"
)

const (
	ladderExchanges = 4   // exchanges that a ladder shows
	ladderWidth     = 440 // of the drawing
	clientLine      = 70
	serverLine      = 370
	ladderTop       = 26
	ladderRoom      = 900 // the longest one fits into this
	tripHeight      = 46  // of a round trip, where there is room
)

// A step is one message, or a run of them, between client and server. Both instants
// are the client's: when it sent the first byte or read it, and the last.
type step struct {
	up          bool
	first, last linger.Instant
	text, class string
}

// A ladder is what happened on one connection of a trial, and where it closes after
// a request or a few on those that took its place: time flows down.
type ladder struct {
	conns []trace.Connection
	steps []step
	begin linger.Instant
	end   linger.Instant
	trip  time.Duration // round-trip time; 0 where it is not known
	// took is where the round-trip time is from, if not from the network.
	took string
}

// ladderOf reads the ladder of a trial.
func ladderOf(t *trace.Trace, rtt linger.Opt[time.Duration]) (ladder, bool) {
	l := ladder{end: t.Ended}
	byDial := slices.SortedStableFunc(slices.Values(t.Connections), func(a, b trace.Connection) int { return cmp.Compare(a.Dialled, b.Dialled) })
	of := map[int64][]trace.Exchange{}
	for _, e := range t.Exchanges {
		if !e.Sent.IsZero() {
			of[e.Connection] = append(of[e.Connection], e)
		}
	}
	exchanges, free := 0, -linger.Never
	for _, k := range byDial {
		// The next one takes the place of the last when that has nothing more to do,
		// which may be a little before it is closed.
		if k.Dialled < free || exchanges >= ladderExchanges {
			continue
		}
		l.conns = append(l.conns, k)
		exchanges += len(of[k.ID])
		free = k.Closed.Or(linger.Never)
		if last := lastDone(of[k.ID]); !k.Closed.IsZero() && last > k.Dialled {
			free = min(free, last)
		}
	}
	if len(l.conns) == 0 {
		return l, false
	}
	l.begin = l.conns[0].Dialled
	l.trip, l.took = tripOf(t, rtt)
	var done []linger.Instant
	for _, k := range l.conns {
		on := slices.SortedStableFunc(slices.Values(of[k.ID]), func(a, b trace.Exchange) int { return cmp.Compare(a.Sent.Or(0), b.Sent.Or(0)) })
		l.setUp(k)
		for _, e := range on {
			l.exchange(k, e)
			done = append(done, e.Done.Or(k.Closed.Or(t.Ended)))
		}
		l.close(k, t)
	}
	if n := min(len(done), ladderExchanges); n > 0 {
		l.end = slices.Max(done[:n])
	}
	// What closes at once still belongs to it.
	for _, s := range l.steps {
		if s.class == "closing" && s.first >= l.end && s.first < l.end.Add(l.trip/2) {
			l.end = s.first
			break
		}
	}
	l.steps = slices.DeleteFunc(l.steps, func(s step) bool { return s.first > l.end })
	slices.SortStableFunc(l.steps, func(a, b step) int { return cmp.Compare(a.first, b.first) })
	return l, true
}

// lastDone is when the last of some exchanges was done.
func lastDone(exchanges []trace.Exchange) (at linger.Instant) {
	for _, e := range exchanges {
		at = max(at, e.Done.Or(0))
	}
	return at
}

// tripOf is the round-trip time: the network's, or what the first handshake or
// answer of the trial took, which is no less.
func tripOf(t *trace.Trace, rtt linger.Opt[time.Duration]) (time.Duration, string) {
	if d, ok := rtt.Get(); ok {
		return d, ""
	}
	for _, k := range t.Connections {
		if at, ok := k.Established.Get(); ok && at > k.Dialled {
			return at.Sub(k.Dialled), "what TCP's first handshake took"
		}
		if at, ok := k.Secured.Get(); ok && overQUIC(k) && at > k.Dialled {
			return at.Sub(k.Dialled), "what QUIC's first handshake took"
		}
	}
	for _, e := range t.Exchanges {
		sent, ok := e.Sent.Get()
		if first, ok2 := e.FirstByte.Get(); ok && ok2 && first > sent {
			return first.Sub(sent), "what the first answer took"
		}
	}
	return 0, ""
}

// setUp adds the handshakes of a connection.
func (l *ladder) setUp(k trace.Connection) {
	add := func(up bool, at linger.Instant, text, class string) {
		l.steps = append(l.steps, step{up, at, at, text, class})
	}
	resumed := ""
	if k.TLS.Or(trace.TLS{}).Resumed {
		resumed = ", resumed"
	}
	ready, connected := k.Secured.Get()
	switch established, ok := k.Established.Get(); {
	case overQUIC(k):
		add(true, k.Dialled, "Initial: ClientHello", "tls")
		if connected {
			add(false, ready, "ServerHello … Finished"+resumed, "tls")
		}
	case ok:
		syn := "SYN"
		if k.FastOpen.Or(false) {
			syn = "SYN with data"
		}
		add(true, k.Dialled, syn, "tcp")
		add(false, established, "SYN-ACK", "tcp")
		if secured(k) {
			add(true, established, "ClientHello", "tls")
			if connected {
				add(false, ready, "ServerHello … Finished"+resumed, "tls")
			}
		}
	case k.Protocol == datagram:
	case !k.Connected.IsZero() || connected:
		at := k.Secured.Or(k.Connected.Or(0))
		if at > k.Dialled {
			add(true, k.Dialled, "set-up", "tcp")
			add(false, at, "set up", "tcp")
		}
	default:
		add(true, k.Dialled, "SYN", "tcp")
	}
}

// exchange adds a request and its response.
func (l *ladder) exchange(k trace.Connection, e trace.Exchange) {
	sent := e.Sent.Or(0)
	name, _, _ := strings.Cut(path(e.URL), "?")
	if strings.HasPrefix(e.URL, "dns:") {
		name = strings.TrimPrefix(name, "/")
	}
	if i := strings.LastIndexByte(strings.TrimRight(name, "/"), '/'); i > 0 {
		name = name[i:]
	}
	l.steps = append(l.steps, step{true, sent, sent, clean(e.Method) + " " + short(name, 20), "request"})
	first, ok := e.FirstByte.Get()
	if !ok {
		return
	}
	what := e.Rcode
	if e.Status != 0 {
		what = strconv.Itoa(e.Status)
	}
	if what != "" {
		what = clean(what) + ", "
	}
	l.steps = append(l.steps, step{false, first, max(first, e.Done.Or(k.Closed.Or(l.end))), what + finding.Bytes(float64(e.ResponseBody)), "response"})
}

// close adds the end of a connection. Who watched the link knows whether it was
// a FIN; else it is only known who closed.
func (l *ladder) close(k trace.Connection, t *trace.Trace) {
	at, ok := k.Closed.Get()
	if !ok || k.ClosedBy == trace.Nobody || k.Protocol == datagram {
		return
	}
	text := "close"
	if ledger, ok := t.Ledger.Get(); ok {
		for _, f := range ledger.Connections {
			switch {
			case f.Client != k.Client || k.Client == "":
			case f.IsQUIC():
				text = "CONNECTION_CLOSE"
			case f.Up.FIN+f.Down.FIN > 0:
				text = "FIN"
			case f.Up.RST+f.Down.RST > 0:
				text = "RST"
			}
		}
	}
	l.steps = append(l.steps, step{k.ClosedBy == trace.AtClient, at, at, text, "closing"})
}

// ladderChart draws a ladder at so many px a second.
func ladderChart(id, of string, l ladder, perSecond float64) chart {
	c := chart{ID: id, W: ladderWidth, Label: "What client and server of " + of + " send each other, time flowing down, in round trips."}
	y := func(t linger.Instant) px { return ladderTop + px(t.Sub(l.begin).Seconds()*perSecond) }
	half := l.trip / 2
	bottom := y(l.end) + 6
	c.H = bottom + px(half.Seconds()*perSecond) + 10
	c.Marks = append(c.Marks, label("head", "middle", clientLine, 12, "client"), label("head", "middle", serverLine, 12, "server"))
	if l.trip > 0 {
		room := l.trip.Seconds() * perSecond
		every := 1
		for _, n := range []int{2, 5, 10, 20, 50, 100, 200, 500, 1000} {
			if room*float64(every) < 14 {
				every = n
			}
		}
		for k := 0; every > 0 && k <= 10_000; k += every {
			at := l.begin.Add(time.Duration(k) * l.trip)
			if at > l.end {
				break
			}
			c.Marks = append(c.Marks, rule("grid", 30, y(at), ladderWidth, y(at)), label("tick", "end", 24, y(at)+4, strconv.Itoa(k)))
		}
	}
	for _, k := range l.conns {
		from, to := y(k.Dialled), min(bottom, y(min(l.end, k.Closed.Or(linger.Never))))
		if from > bottom {
			continue
		}
		c.Marks = append(c.Marks, rect("open", "", clientLine-3, from, 6, to-from))
	}
	c.Marks = append(c.Marks, rule("life", clientLine, ladderTop-6, clientLine, c.H-4), rule("life", serverLine, ladderTop-6, serverLine, c.H-4))

	cols := []column{{head: [2]string{"at, ms"}}, {head: [2]string{"from"}, left: true}, {head: [2]string{"until, ms"}}, {head: [2]string{"what"}, left: true}}
	slope := px(half.Seconds() * perSecond)
	var said []saying
	for i, s := range l.steps {
		row := fmt.Sprintf("%s-s%d", id, i)
		from, top := "client", y(s.first)
		at := top + slope/2 - 4 // above the line
		if s.up {
			c.Marks = append(c.Marks, arrow(s.class, row, clientLine, top, serverLine, top+slope))
		} else {
			from = "server"
			end := min(y(s.last), y(l.end))
			if s.last > s.first && end-top > 1.5 {
				c.Marks = append(c.Marks, mark{Shape: "path", Class: "band", Row: row,
					Path: fmt.Sprintf("M%d %vL%d %vL%d %vL%d %vZ", serverLine, top-slope, clientLine, top, clientLine, end, serverLine, end-slope)})
			}
			c.Marks = append(c.Marks, arrow(s.class, row, serverLine, top-slope, clientLine, top))
			at = top - slope/2 - 4
			if end-top > 18 {
				at += (end-top)/2 + 8 // within the band
			}
		}
		said = append(said, saying{at: at, up: s.up, class: s.class, texts: []string{s.text}})
		until := unknown
		if s.last > s.first {
			until = finding.Fixed(s.last.Milliseconds(), 1)
		}
		for j, cell := range []string{finding.Fixed(s.first.Milliseconds(), 1), from, until, s.text} {
			cols[j].cells = append(cols[j].cells, cell)
		}
		cols[0].ids = append(cols[0].ids, row)
	}
	var taken []px
	for _, s := range together(said) {
		// A name that would cover another is left to the table.
		if !slices.ContainsFunc(taken, func(t px) bool { return t > s.at-12 && t < s.at+12 }) {
			taken = append(taken, s.at)
			c.Marks = append(c.Marks, label("said "+s.class, "middle", (clientLine+serverLine)/2, s.at, s.String()))
		}
	}
	c.Data = []table{tableOf("Messages, at the client's clock", cols, upTo(len(l.steps)), nil)}
	switch {
	case l.trip == 0:
		c.Notes = append(c.Notes, "How long a packet is under way is not known here; it is drawn as if it took no time.")
	case l.took != "":
		c.Notes = append(c.Notes, fmt.Sprintf("A round trip is taken to be %s, %s.", instant(linger.Instant(l.trip)), l.took))
	}
	return c
}

// arrow is a line with a head at its far end.
func arrow(class, row string, x1, y1, x2, y2 px) mark {
	back := px(-7)
	if x2 < x1 {
		back = 7
	}
	rise := (y2 - y1) / (x2 - x1) * back
	return mark{Shape: "path", Class: "arrow " + class, Row: row,
		Path: fmt.Sprintf("M%v %vL%v %vM%v %vL%v %vL%v %v", x1, y1, x2, y2, x2+back, y2+rise-3, x2, y2, x2+back, y2+rise+3)}
}

// A saying names one message, or several that go the same way at almost the same time.
type saying struct {
	at    px
	up    bool
	class string
	texts []string
}

// String joins the names; of many of a kind the first word and their number.
func (s saying) String() string {
	kind, _, _ := strings.Cut(s.texts[0], " ")
	same := true
	for _, t := range s.texts[1:] {
		same = same && strings.HasPrefix(t, kind)
	}
	switch {
	case len(s.texts) == 1:
		return s.texts[0]
	case same:
		return fmt.Sprintf("%s × %d", strings.TrimSuffix(kind, ","), len(s.texts))
	case len(s.texts) == 2:
		return s.texts[0] + " · " + s.texts[1]
	}
	return fmt.Sprintf("%s and %d more", s.texts[0], len(s.texts)-1)
}

// together joins what is said at almost the same place.
func together(all []saying) []saying {
	var out []saying
	for _, s := range all {
		if n := len(out) - 1; n >= 0 && out[n].up == s.up && s.at-out[n].at < 4 && s.at-out[n].at > -4 {
			out[n].texts = append(out[n].texts, s.texts...)
			continue
		}
		out = append(out, s)
	}
	return out
}
