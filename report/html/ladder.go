package html

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/finding"
	"linger/report"
	"linger/report/table"
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
	// kind is what messages of the same sort have in common, "GET"; text says all.
	kind, text, class string
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
	of := map[int64][]trace.Exchange{}
	for _, e := range t.Exchanges {
		if !e.Sent.IsZero() {
			of[e.Connection] = append(of[e.Connection], e)
		}
	}
	exchanges, free := 0, -linger.Never
	for _, k := range report.ByDial(t) {
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
		if at, ok := k.Secured.Get(); ok && report.OverQUIC(k) && at > k.Dialled {
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
	add := func(up bool, at linger.Instant, kind, more, class string) {
		l.steps = append(l.steps, step{up, at, at, kind, kind + more, class})
	}
	finished := " … Finished"
	if k.TLS.Or(trace.TLS{}).Resumed {
		finished += ", resumed"
	}
	ready, connected := k.Secured.Get()
	switch established, ok := k.Established.Get(); {
	case report.OverQUIC(k):
		add(true, k.Dialled, "Initial", ": ClientHello", "tls")
		if connected {
			add(false, ready, "ServerHello", finished, "tls")
		}
	case ok:
		with := ""
		if k.FastOpen.Or(false) {
			with = " with data"
		}
		add(true, k.Dialled, "SYN", with, "tcp")
		add(false, established, "SYN-ACK", "", "tcp")
		if report.Secured(k) {
			add(true, established, "ClientHello", "", "tls")
			if connected {
				add(false, ready, "ServerHello", finished, "tls")
			}
		}
	case k.Protocol == report.Datagram:
	case !k.Connected.IsZero() || connected:
		at := k.Secured.Or(k.Connected.Or(0))
		if at > k.Dialled {
			add(true, k.Dialled, "set-up", "", "tcp")
			add(false, at, "set up", "", "tcp")
		}
	default:
		add(true, k.Dialled, "SYN", "", "tcp")
	}
}

// exchange adds a request and its response.
func (l *ladder) exchange(k trace.Connection, e trace.Exchange) {
	sent := e.Sent.Or(0)
	name, _, _ := strings.Cut(report.Path(e.URL), "?")
	if strings.HasPrefix(e.URL, "dns:") {
		name = strings.TrimPrefix(name, "/")
	}
	if i := strings.LastIndexByte(strings.TrimRight(name, "/"), '/'); i > 0 {
		name = name[i:]
	}
	method := table.Clean(e.Method)
	l.steps = append(l.steps, step{true, sent, sent, method, method + " " + table.Short(name, 20), "request"})
	first, ok := e.FirstByte.Get()
	if !ok {
		return
	}
	what := table.Clean(e.Rcode)
	if e.Status != 0 {
		what = strconv.Itoa(e.Status)
	}
	text := finding.Bytes(float64(e.ResponseBody))
	if what != "" {
		text = what + ", " + text
	}
	l.steps = append(l.steps, step{false, first, max(first, e.Done.Or(k.Closed.Or(l.end))), what, text, "response"})
}

// close adds the end of a connection. Who watched the link knows whether it was
// a FIN; else it is only known who closed.
func (l *ladder) close(k trace.Connection, t *trace.Trace) {
	at, ok := k.Closed.Get()
	if !ok || k.ClosedBy == trace.Nobody || k.Protocol == report.Datagram {
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
	l.steps = append(l.steps, step{k.ClosedBy == trace.AtClient, at, at, text, text, "closing"})
}

// ladderChart draws a ladder at so many px a second.
func ladderChart(id, of string, l ladder, perSecond float64) chart {
	d := drawing{W: ladderWidth}
	c := chart{ID: id, Drawing: &d, Label: "What client and server of " + of + " send each other, time flowing down, in round trips."}
	y := func(t linger.Instant) px { return ladderTop + px(t.Sub(l.begin).Seconds()*perSecond) }
	half := l.trip / 2
	bottom := y(l.end) + 6
	d.H = bottom + px(half.Seconds()*perSecond) + 10
	d.Marks = append(d.Marks, label("head", "middle", px(clientLine), 12, "client"), label("head", "middle", px(serverLine), 12, "server"))
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
			d.Marks = append(d.Marks, line("grid", 30, y(at), ladderWidth, y(at)), label("tick", "end", px(24), y(at)+4, strconv.Itoa(k)))
		}
	}
	for _, k := range l.conns {
		from, to := y(k.Dialled), min(bottom, y(min(l.end, k.Closed.Or(linger.Never))))
		if from > bottom {
			continue
		}
		d.Marks = append(d.Marks, box("tube", clientLine-3, from, 6, to-from))
	}
	d.Marks = append(d.Marks, line("life", clientLine, ladderTop-6, clientLine, d.H-4), line("life", serverLine, ladderTop-6, serverLine, d.H-4))

	data := table.Table{Caption: "Messages, at the client's clock", Columns: []table.Column{
		{Head: "at, ms", Unit: "ms"}, {Head: "from", Align: table.Left}, {Head: "until, ms", Unit: "ms"}, {Head: "what", Align: table.Left},
	}}
	slope := px(half.Seconds() * perSecond)
	var said []saying
	for i, s := range l.steps {
		row := fmt.Sprintf("%s-s%d", id, i)
		from, top := "client", y(s.first)
		at := top + slope/2 - 4 // above the line
		if s.up {
			d.Marks = append(d.Marks, arrow(s.class, row, clientLine, top, serverLine, top+slope))
		} else {
			from = "server"
			end := min(y(s.last), y(l.end))
			if s.last > s.first && end-top > 1.5 {
				d.Marks = append(d.Marks, mark{Shape: "path", Class: "band", Row: row,
					Path: fmt.Sprintf("M%d %vL%d %vL%d %vL%d %vZ", serverLine, top-slope, clientLine, top, clientLine, end, serverLine, end-slope)})
			}
			d.Marks = append(d.Marks, arrow(s.class, row, serverLine, top-slope, clientLine, top))
			at = top - slope/2 - 4
			if end-top > 18 {
				at += (end-top)/2 + 8 // within the band
			}
		}
		said = append(said, saying{at: at, up: s.up, class: s.class, steps: []step{s}})
		until := table.Unknown()
		if s.last > s.first {
			until = report.Moment(linger.Known(s.last))
		}
		data.Add(report.Moment(linger.Known(s.first)), table.Word(from), until, table.Word(s.text)).ID = row
	}
	var taken []px
	for _, s := range together(said) {
		// A name that would cover another is left to the table.
		if !slices.ContainsFunc(taken, func(t px) bool { return t > s.at-12 && t < s.at+12 }) {
			taken = append(taken, s.at)
			d.Marks = append(d.Marks, label("saying "+s.class, "middle", px((clientLine+serverLine)/2), s.at, s.String()))
		}
	}
	c.Data = []tableView{tableOf(data)}
	switch {
	case l.trip == 0:
		c.Notes = append(c.Notes, "How long a packet is under way is not known here; it is drawn as if it took no time.")
	case l.took != "":
		c.Notes = append(c.Notes, fmt.Sprintf("A round trip is taken to be %s, %s.", report.Instant(linger.Instant(l.trip)), l.took))
	}
	return c
}

// line and box are as rule and rect, of a drawing with a width of its own.
func line(class string, x1, y1, x2, y2 px) mark {
	return mark{Shape: "line", Class: class, X: x1, Y: y1, W: x2, H: y2}
}

func box(class string, x, y, w, h px) mark {
	return mark{Shape: "rect", Class: class, X: x, Y: y, W: w, H: max(0.7, h)}
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
	steps []step
}

// String joins the names; of many of a kind, the kind and their number.
func (s saying) String() string {
	first := s.steps[0]
	switch n := len(s.steps); {
	case n == 1:
		return first.text
	case first.kind != "" && !slices.ContainsFunc(s.steps, func(other step) bool { return other.kind != first.kind }):
		return fmt.Sprintf("%s × %d", first.kind, n)
	case n == 2:
		return first.text + " · " + s.steps[1].text
	default:
		return fmt.Sprintf("%s and %d more", first.text, n-1)
	}
}

// together joins what is said at almost the same place.
func together(all []saying) []saying {
	var out []saying
	for _, s := range all {
		if n := len(out) - 1; n >= 0 && out[n].up == s.up && s.at-out[n].at < 4 && s.at-out[n].at > -4 {
			out[n].steps = append(out[n].steps, s.steps...)
			continue
		}
		out = append(out, s)
	}
	return out
}
