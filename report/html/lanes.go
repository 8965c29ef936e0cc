package html

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"linger"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/trial"
	"linger/trace"
)

// mostLanes bounds the connections that are drawn, mostListed the rows of a table
// of them or of exchanges. What is left out is said.
const mostLanes, mostListed = 250, 400

// lanesChart draws one trial by connection: a lane for each, in the order in which
// they were dialled, with its handshakes and its exchanges. Exchanges that are under
// way at the same time lie one below the other. All is the longest of the trials
// that stand beside it, to whose time scale it is drawn.
func lanesChart(id string, t *trace.Trace, all linger.Instant) draw.Chart {
	c := draw.Chart{ID: id, Class: "lanes", Label: "The connections of one trial over time, with their handshakes and requests."}
	conns := trial.ByDial(t)
	shown := conns[:min(len(conns), mostLanes)]
	of := map[int64][]trace.Exchange{}
	for _, e := range t.Exchanges {
		of[e.Connection] = append(of[e.Connection], e)
	}
	s, common := draw.Scale{End: t.Ended}, draw.Scale{End: max(all, t.Ended)}
	height, gap := laneHeight(len(shown))
	plot := draw.Mark{Shape: "scaled", W: common.At(t.Ended), Scale: strconv.FormatFloat(float64(common.At(t.Ended)), 'f', 3, 64) + "%"}
	y := draw.PX(2)
	for _, k := range shown {
		lane, depth := laneOf(id, k, of[k.ID], s, y, height)
		plot.Inner = append(plot.Inner, lane...)
		y += depth + gap
	}
	if rest := len(conns) - len(shown); rest > 0 {
		c.Notes = append(c.Notes, linger.Plural(rest, "more connection")+" not drawn.")
	}
	for _, e := range t.Exchanges {
		if e.Failed != "" && len(c.Notes) < 6 {
			c.Notes = append(c.Notes, fmt.Sprintf("Request %d failed: %s", e.ID+1, table.Clean(e.Failed)))
		}
	}
	plot.H = y + 20
	marks := append(common.Axis("common", 0, y+2), s.Axis("own", 0, y+2)...)
	c.Rows = []draw.Row{{Strip: draw.Strip{H: y + 20, Marks: append(marks, plot)}}}
	c.Data = []draw.Table{draw.TableOf(connectionTable(id, conns)), draw.TableOf(trial.Exchanges(id, t, mostListed))}
	return c
}

// laneHeight is how high a connection is drawn among so many, and the gap below it.
func laneHeight(n int) (height, gap draw.PX) {
	switch {
	case n <= 12:
		return 14, 4
	case n <= 50:
		return 9, 2
	case n <= 120:
		return 5, 2
	}
	return 3, 1
}

// endedBy says how the connections of a trial ended: "the client closed 40", and of how many
// it is not known.
func endedBy(t *trace.Trace) string {
	counts := map[string]int{}
	for _, k := range t.Connections {
		switch {
		case k.Connected.IsZero():
			counts["were not established"]++
		case !k.Protocol.Datagram() && k.ClosedBy != trace.Nobody:
			counts["closed by the "+string(k.ClosedBy)]++
		}
	}
	var parts []string
	for _, how := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[how], how))
	}
	return strings.Join(parts, ", ")
}

// The classes of what handshakes take; TLS's is that of QUIC, which has it in it, too.
const (
	tcpClass = "tcp"
	tlsClass = "tls"
)

// laneOf draws one connection at height y, and returns how deep it is.
func laneOf(id string, k trace.Connection, exchanges []trace.Exchange, s draw.Scale, y, height draw.PX) ([]draw.Mark, draw.PX) {
	closed := min(s.End, k.Closed.Or(s.End))
	ready := max(k.Dialled, k.Secured.Or(k.Connected.Or(closed)))
	sent := slices.DeleteFunc(slices.Clone(exchanges), func(e trace.Exchange) bool { return e.Sent.IsZero() })
	slices.SortStableFunc(sent, func(a, b trace.Exchange) int {
		return cmp.Or(cmp.Compare(a.Sent.Or(0), b.Sent.Or(0)), cmp.Compare(a.FirstByte.Or(closed), b.FirstByte.Or(closed)))
	})
	// Each exchange lies in the first line that is free by then; the handshake has
	// the first one until it is over.
	var free []linger.Instant
	if ready > k.Dialled {
		free = []linger.Instant{ready}
	}
	line := make([]int, len(sent))
	for i, e := range sent {
		// A request goes out when the response before it is in, and a little of it may
		// be stamped later.
		at := slices.IndexFunc(free, func(until linger.Instant) bool { return until <= e.Sent.Or(0)+linger.Instant(1e5) })
		if at < 0 {
			at, free = len(free), append(free, 0)
		}
		line[i], free[at] = at, e.Done.Or(closed)
	}
	lines := max(1, len(free))
	thick, step := height, height
	if lines > 1 {
		step = min(height, max(2.2, 480/draw.PX(lines)))
		thick = max(1.7, step-0.8)
	}
	depth := step * draw.PX(lines)
	row := fmt.Sprintf("%s-c%d", id, k.ID)
	bar := func(class, row string, from, to linger.Instant, at int) draw.Mark {
		return s.Span(class, row, from, to, y+step*draw.PX(at), thick)
	}
	var out []draw.Mark
	if at, ok := k.Connected.Get(); ok && !k.Protocol.Datagram() {
		out = append(out, s.Span("idle", row, at, closed, y, depth-(step-thick)))
	}
	established, ok := k.Established.Get()
	switch {
	case trial.OverQUIC(k):
		out = append(out, bar(tlsClass, row, k.Dialled, ready, 0))
	case ok && established < ready:
		if established > k.Dialled {
			out = append(out, bar(tcpClass, row, k.Dialled, established, 0))
		}
		out = append(out, bar(tlsClass, row, established, ready, 0))
	case trial.Secured(k):
		out = append(out, bar(tlsClass, row, k.Dialled, ready, 0))
	case ready > k.Dialled:
		out = append(out, bar(tcpClass, row, k.Dialled, ready, 0))
	}
	for i, e := range sent {
		row := fmt.Sprintf("%s-e%d", id, e.ID)
		done := e.Done.Or(closed)
		first := e.FirstByte.Or(done)
		out = append(out, bar("wait", row, e.Sent.Or(0), first, line[i]))
		if !e.FirstByte.IsZero() {
			out = append(out, bar("receive", row, first, done, line[i]))
		}
		if e.Failed != "" {
			out = append(out, draw.Label("cross", "middle", s.At(done), y+step*draw.PX(line[i])+thick, "×"))
		}
	}
	return out, depth
}

// connectionTable lists the connections of a trial, numbered as they are drawn.
func connectionTable(id string, conns []trace.Connection) table.Table {
	t := table.Table{Caption: "Connections", Columns: []table.Column{
		{Head: "connection"}, {Head: "protocol", Align: table.Left}, {Head: "dialled at, ms", Unit: "ms"}, {Head: "TCP, ms", Unit: "ms"}, {Head: "TLS or QUIC, ms", Unit: "ms"},
		{Head: "requests"}, {Head: "closed at, ms", Unit: "ms"}, {Head: "by", Align: table.Left}, {Head: "because", Align: table.Left},
	}}
	for i, k := range conns[:min(len(conns), mostListed)] {
		dialled := linger.Known(k.Dialled)
		tcp, tls := trial.Between(dialled, k.Established), table.Unknown()
		switch {
		case trial.OverQUIC(k):
			tls = trial.Between(dialled, k.Secured)
		case !k.TLS.IsZero() && !k.Established.IsZero():
			tls = trial.Between(k.Established, k.Secured)
		case !k.TLS.IsZero():
			tls = trial.Between(dialled, k.Secured)
		}
		protocol := string(k.Protocol)
		if s, ok := k.TLS.Get(); ok {
			protocol += ", TLS " + s.Version
			if s.Resumed {
				protocol += " resumed"
			}
		}
		t.Add(table.Int(i+1), table.Word(protocol), trial.Moment(dialled), tcp, tls, table.Int(k.Requests), trial.Moment(k.Closed), table.Word(string(k.ClosedBy)), table.Word(k.Reason)).ID = fmt.Sprintf("%s-c%d", id, k.ID)
	}
	if rest := len(conns) - len(t.Rows); rest > 0 {
		t.More = "… and " + linger.Plural(rest, "connection") + " more"
	}
	return t.Without(0, table.Nothing)
}
