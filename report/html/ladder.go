package html

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"linger"
	"linger/finding"
	"linger/ladder"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/trial"
	"linger/trace"
)

// A ladder is drawn as one column, or where connections are open side by side as several: a
// connection stands in the first column that is free by then. Time flows down.
const (
	ladderTop   = 40
	clockRoom   = 46  // left of the columns, for the time
	tripRoom    = 34  // left of a client, for the number of the round trip
	soleSpan    = 258 // between client and server of the only column, beside another ladder
	wideSpan    = 430 // and alone
	sideSpan    = 196 // of several
	columnGap   = 26
	tripHeight  = 46   // of a round trip
	mostHeight  = 9000 // of a drawing
	letterWidth = 5.9
	sayingRoom  = 11 // between two texts, one below the other
	// mostDrawn bounds the messages that are drawn of a strategy, mostColumns the columns.
	mostDrawn   = 1200
	mostColumns = 12
)

// perSecond is how many px a second is high, the same for all ladders of a page, so that
// they can be held against each other.
func perSecond(all []trial.Ladder) float64 {
	scale := math.Inf(1)
	for _, l := range all {
		if took := lasts(l); took > 0 {
			scale = min(scale, mostHeight/took.Seconds())
		}
		if trip := l.RTT(); trip > 0 {
			scale = min(scale, tripHeight/trip.Seconds())
		}
	}
	if math.IsInf(scale, 1) {
		return 1000
	}
	return scale
}

// lasts is from the first message to the last.
func lasts(l trial.Ladder) time.Duration {
	var end linger.Instant
	for i := range l.Messages {
		end = max(end, l.Messages[i].Until())
	}
	return end.Sub(l.Messages[0].At())
}

// rungs are a ladder being drawn.
type rungs struct {
	trial.Ladder
	rows   string // what the names of their rows of data begin with
	d      *draw.Drawing
	scale  float64 // px a second
	begin  linger.Instant
	half   time.Duration // of a round trip, where the far end was not seen
	column []int         // of each connection, or -1
	n      int           // columns
	span   draw.PX
	texts  [][]saying // of each column
}

// A saying is what stands at an arrow.
type saying struct {
	y    draw.PX
	text string
}

// ladderChart draws a ladder; sole is between client and server if there is one column.
func ladderChart(id string, l trial.Ladder, scale float64, sole draw.PX) draw.Chart {
	d := draw.Drawing{}
	c := draw.Chart{ID: id, Class: "ladder", Drawing: &d, Label: "What client and server of " + l.Strategy + " send each other, message by message, time flowing down."}
	r := rungs{Ladder: l, rows: "s" + id[len("ladder-"):] + "-", d: &d, scale: scale, begin: l.Messages[0].At(), half: l.RTT() / 2, span: sideSpan}
	if r.column, r.n = columnsOf(l); r.n == 1 {
		r.span = sole
	}
	r.texts = make([][]saying, r.n)
	drawn := min(len(l.Messages), mostDrawn)
	end := r.begin
	for i := range l.Messages[:drawn] {
		end = max(end, l.Messages[i].Until())
	}
	d.W = clockRoom + draw.PX(r.n)*(tripRoom+r.span+columnGap)
	d.H = r.y(end) + draw.PX(r.half.Seconds()*scale) + 14
	r.ground(end)
	hidden, trip := len(l.Messages)-drawn, 0
	for i := range l.Messages[:drawn] {
		m := &l.Messages[i]
		if r.column[m.Connection] < 0 {
			hidden++
			continue
		}
		if m.Trip > 0 && m.Trip != trip {
			trip = m.Trip
			at := m.At()
			if sent, ok := m.Sent.Get(); ok && m.By == trace.AtServer {
				at = sent.Add(-r.half) // the acknowledgement that let it go
			}
			d.Marks = append(d.Marks, draw.Label("trip", "end", r.client(m)-8, r.y(at)+4, strconv.Itoa(trip)))
		}
		r.message(i, m)
	}
	for i, texts := range r.texts {
		r.write(i, texts)
	}
	c.Data = []draw.Table{draw.TableOf(l.Table(r.rows, mostDrawn))}
	if hidden > 0 {
		c.Notes = append(c.Notes, fmt.Sprintf("%s of %s not drawn, and %s not listed. All of them: linger report, with --ladder %s --wide, of the trace that -o FILE.trace keeps.",
			linger.Plural(hidden, "message"), strconv.Itoa(len(l.Messages)), strconv.Itoa(len(l.Messages)-drawn), l.Strategy))
	}
	c.Notes = append(c.Notes, l.Notes()...)
	switch _, took := l.Guess(); {
	case l.Packets:
	case l.RTT() == 0:
		c.Notes = append(c.Notes, "How long a message is under way is not known; it is drawn as if it took no time.")
	default:
		c.Notes = append(c.Notes, "The server’s side is drawn half a round trip away, which is taken to be "+finding.Instant(linger.Instant(l.RTT()))+took+".")
	}
	return c
}

// columnsOf gives each connection a column, -1 is none, and says how many there are. It is the
// first that is free, as soon as what was there has nothing more to fetch, which may be a
// little before that is closed.
func columnsOf(l trial.Ladder) (column []int, n int) {
	var free []linger.Instant
	column = make([]int, len(l.Connections))
	for i := range l.Connections {
		c := &l.Connections[i]
		if len(c.Messages) == 0 {
			continue
		}
		from, until := l.Messages[c.Messages[0]].At(), linger.Instant(0)
		for _, k := range c.Messages {
			m := &l.Messages[k]
			if m.FIN+m.RST == 0 || len(m.Parts) > 0 {
				until = max(until, m.Until())
			}
		}
		at := slices.IndexFunc(free, func(t linger.Instant) bool { return t <= from })
		switch {
		case at >= 0:
			free[at] = until
		case len(free) < mostColumns:
			at, free = len(free), append(free, until)
		}
		column[i] = at
	}
	return column, len(free)
}

func (r *rungs) y(t linger.Instant) draw.PX {
	return ladderTop + draw.PX(t.Sub(r.begin).Seconds()*r.scale)
}

// left is where the client of a column stands, client that of a message's column.
func (r *rungs) left(column int) draw.PX {
	return clockRoom + tripRoom + draw.PX(column)*(tripRoom+r.span+columnGap)
}

func (r *rungs) client(m *ladder.Message) draw.PX { return r.left(r.column[m.Connection]) }

// ground draws the time and the lines of client and server.
func (r *rungs) ground(end linger.Instant) {
	d := r.d
	step := time.Millisecond / 10
	for i := 1; draw.PX(step.Seconds()*r.scale) < 44; i++ {
		step *= []time.Duration{2, 5, 2}[i%3]
		if i%3 == 1 {
			step /= 2 // 2, 5, 10 of each power of ten
		}
	}
	for at := r.begin; at <= end; at = at.Add(step) {
		d.Marks = append(d.Marks, line("grid", clockRoom, r.y(at), d.W, r.y(at)), draw.Label("tick", "end", draw.PX(clockRoom-6), r.y(at)+4, finding.Instant(linger.Instant(at.Sub(r.begin)))))
	}
	for i := range r.n {
		x := r.left(i)
		d.Marks = append(d.Marks,
			draw.Label("head", "middle", x, 14, "client"), draw.Label("head", "middle", x+r.span, 14, "server"),
			line("life", x, ladderTop-18, x, d.H-4), line("life", x+r.span, ladderTop-18, x+r.span, d.H-4))
	}
	for i := range r.Connections {
		c := &r.Connections[i]
		if len(c.Messages) == 0 || r.column[i] < 0 {
			continue
		}
		from, to := r.y(r.Messages[c.Messages[0]].At()), draw.PX(0)
		for _, k := range c.Messages {
			to = max(to, r.y(r.Messages[k].Until()))
		}
		if to = min(to, d.H); to > from {
			d.Marks = append(d.Marks, box("tube", r.left(r.column[i])-3, from, 6, to-from))
		}
	}
}

// message draws one: an arrow for its first packet, and a band from there to its last.
func (r *rungs) message(i int, m *ladder.Message) {
	row := r.rows + strconv.Itoa(i)
	near, far := r.client(m), r.client(m)+r.span
	// What nobody saw is half a round trip away from what somebody did.
	sent, arrived := m.Sent.Or(m.Arrived.Or(0).Add(-r.half)), m.Arrived.Or(m.Sent.Or(0).Add(r.half))
	sentLast, arrivedLast := m.SentLast.Or(m.ArrivedLast.Or(arrived).Add(-r.half)), m.ArrivedLast.Or(m.SentLast.Or(sent).Add(r.half))
	from, to := near, far
	if m.By == trace.AtServer {
		from, to = far, near
	}
	class := kindOf(m)
	if m.Trip > 0 {
		class += " chain"
	}
	a, b := r.y(sent), r.y(arrived)
	if bottomFrom, bottomTo := r.y(sentLast), r.y(arrivedLast); bottomTo-b > 1.5 || bottomFrom-a > 1.5 {
		r.d.Marks = append(r.d.Marks, draw.Mark{Shape: "path", Class: "band", Row: row, Path: fmt.Sprintf("M%v %vl%v %vv%vl%v %vz", from, a, to-from, b-a, bottomTo-b, from-to, bottomFrom-bottomTo)})
	}
	if m.Packets > 0 && m.Lost == m.Packets {
		// It never came.
		to, b = (from+to)/2, (a+b)/2
		r.d.Marks = append(r.d.Marks, draw.Label("cross", "middle", to, b+5, "×"))
	}
	r.d.Marks = append(r.d.Marks, arrow(class, row, from, a, to, b))
	text := r.Text(m)
	if c := &r.Connections[m.Connection]; len(r.Connections) > 1 && r.Messages[c.Messages[0]].At() == m.At() && r.Messages[c.Messages[0]].By == m.By {
		text = "#" + strconv.Itoa(c.Number) + " " + text
	}
	k := r.column[m.Connection]
	r.texts[k] = append(r.texts[k], saying{(a+b)/2 - 3, text})
}

// kindOf is how a message is coloured; its text says the same.
func kindOf(m *ladder.Message) string {
	has := func(kinds ...ladder.Kind) bool {
		return slices.ContainsFunc(m.Parts, func(p ladder.Part) bool { return slices.Contains(kinds, p.Kind) })
	}
	switch {
	case m.SYN > 0 || has(ladder.SetUp):
		return tcpClass
	case has(ladder.Request):
		return "request"
	case has(ladder.Response):
		return "response"
	case has(ladder.Hello, ladder.Answer, ladder.Handshake, ladder.Finished):
		return tlsClass
	case m.FIN+m.RST > 0 || has(ladder.Close):
		return "closing"
	}
	return "response"
}

// write puts the texts of a column at its arrows. Two at almost the same height become one;
// one that would cover another is left to the table.
func (r *rungs) write(column int, texts []saying) {
	slices.SortStableFunc(texts, func(a, b saying) int { return cmp.Compare(a.y, b.y) })
	most := int(float64(r.span-16) / letterWidth)
	var said []saying
	for _, s := range texts {
		if n := len(said) - 1; n >= 0 && s.y-said[n].y < sayingRoom {
			if s.y-said[n].y < 4 && len([]rune(said[n].text+s.text)) < most {
				said[n].text += " · " + s.text
			}
			continue
		}
		said = append(said, s)
	}
	for _, s := range said {
		r.d.Marks = append(r.d.Marks, draw.Label("saying", "", r.left(column)+r.span/2, s.y, table.Short(s.text, most)))
	}
}

// line and box are as rule and rect, of a drawing with a width of its own.
func line(class string, x1, y1, x2, y2 draw.PX) draw.Mark {
	return draw.Mark{Shape: "line", Class: class, X: x1, Y: y1, W: x2, H: y2}
}

func box(class string, x, y, w, h draw.PX) draw.Mark {
	return draw.Mark{Shape: "rect", Class: class, X: x, Y: y, W: w, H: max(0.7, h)}
}

// arrow is a line with a head at its far end.
func arrow(class, row string, x1, y1, x2, y2 draw.PX) draw.Mark {
	back := draw.PX(-7)
	if x2 < x1 {
		back = 7
	}
	rise := (y2 - y1) / (x2 - x1) * back
	return draw.Mark{Shape: "path", Class: "arrow " + class, Row: row,
		Path: fmt.Sprintf("M%v %vl%v %vm%v %vl%v %vl%v %v", x1, y1, x2-x1, y2-y1, back, rise-3, -back, 3-rise, back, rise+3)}
}
