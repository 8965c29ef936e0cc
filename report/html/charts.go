package html

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/trace"
)

// px is a length in a drawing.
type px float64

// String writes it to a tenth: finer than a screen shows.
func (p px) String() string {
	s := strconv.FormatFloat(float64(p), 'f', 1, 64)
	return strings.TrimPrefix(strings.TrimSuffix(s, ".0"), "-0")
}

// A mark is one thing in a drawing.
type mark struct {
	Shape      string // "rect", "line", "path", "circle", "text", "group" or "scaled"
	Class      string
	X, Y, W, H px // of a line the other end is (W, H), of a circle W is the radius
	Path, Text string
	Anchor     string // of a text: "", "middle" or "end"
	// Row is the ID of the row of data that the mark stands for.
	Row string
	// Scale is what a "scaled" group, whose time begins at X, shrinks to on the time
	// scale that all drawings have in common.
	Scale string
	Inner []mark
}

// A chart is a drawing with the data in it.
type chart struct {
	ID    string
	Label string // what it shows, for who cannot see it
	W, H  px
	Marks []mark
	Data  []tableView
	// Notes stand below it.
	Notes []string
}

func rect(class, row string, x, y, w, h px) mark {
	return mark{Shape: "rect", Class: class, Row: row, X: x, Y: y, W: max(0.7, w), H: h}
}

func rule(class string, x1, y1, x2, y2 px) mark {
	return mark{Shape: "line", Class: class, X: x1, Y: y1, W: x2, H: y2}
}

func label(class, anchor string, x, y px, text string) mark {
	return mark{Shape: "text", Class: class, Anchor: anchor, X: x, Y: y, Text: text}
}

const drawn = 960 // width of a chart over the whole page

// scale places instants on a line.
type scale struct {
	from, to px
	end      linger.Instant
}

func (s scale) at(t linger.Instant) px {
	if s.end <= 0 {
		return s.from
	}
	return s.from + (s.to-s.from)*px(float64(min(max(t, 0), s.end))/float64(s.end))
}

// ticks are the instants that an axis names: steps of 1, 2 or 5 with room for each.
func (s scale) ticks() []linger.Instant {
	room := max(2, linger.Instant((s.to-s.from)/80))
	step := linger.Instant(1)
	for i := 0; s.end/step > room; i++ {
		step = []linger.Instant{1, 2, 5}[(i+1)%3] * linger.Instant(math.Pow10((i+1)/3))
	}
	var out []linger.Instant
	for at := linger.Instant(0); at <= s.end; at += step {
		out = append(out, at)
	}
	return out
}

// axis draws the ticks between two heights, with their names below the lower one.
func (s scale) axis(class string, top, bottom px) []mark {
	var out []mark
	for _, at := range s.ticks() {
		name := report.Instant(at)
		if at == 0 {
			name = "0"
		}
		out = append(out, rule("grid", s.at(at), top, s.at(at), bottom), label("tick", "middle", s.at(at), bottom+14, name))
	}
	if class == "" {
		return out
	}
	return []mark{{Shape: "group", Class: class, Inner: out}}
}

// ofMS is a time in ms as an instant.
func ofMS(ms float64) linger.Instant { return linger.Instant(ms * float64(time.Millisecond)) }

const (
	nameRoom = 128 // for the name of a strategy, on the left
	rowStep  = 26
)

// strategyRows calls draw for each row in the order of the table, and writes the
// kinds in between. It returns the height.
func strategyRows(f compare.Findings, c *chart, top, step px, draw func(row int, y px)) px {
	rows := report.Order(f.Rows)
	y := top
	for i, row := range rows {
		if r := f.Rows[row]; i == 0 || f.Rows[rows[i-1]].Persistent != r.Persistent {
			if i > 0 {
				y += 8
			}
			c.Marks = append(c.Marks, label("kind", "", 0, y+12, report.Kind(r)))
			y += 20
		}
		class := "name"
		if f.Verdict.Best != "" && f.Rows[row].Strategy == f.Verdict.Best {
			class = "name best"
		}
		c.Marks = append(c.Marks, label(class, "", 12, y+step/2+4, table.Short(f.Rows[row].Strategy, report.LongestName)))
		draw(row, y)
		y += step
	}
	return y
}

// timeChart draws every trial as a dot, and the median with its interval.
func timeChart(f compare.Findings, trials [][]compare.Trial) chart {
	c := chart{ID: "time", W: drawn, Label: "The time of every trial of each strategy, with the median and its interval; shorter is better."}
	const tail = 190
	s := scale{from: nameRoom + 12, to: drawn - tail}
	for i, r := range f.Rows {
		t, ok := r.Time.Get()
		if ok {
			s.end = max(s.end, ofMS(max(t.Median, t.High.Or(0))))
		}
		for _, one := range nth(trials, i) {
			s.end = max(s.end, ofMS(one.Time))
		}
	}
	clock, unit := report.Times(f)
	data := table.Table{Caption: "Time of every trial", Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "trial"}, {Head: "time, ms", Unit: "ms"}, {Head: "delivered", Align: table.Left},
	}}
	var body []mark
	bottom := strategyRows(f, &c, 0, rowStep, func(row int, y px) {
		r, mid := f.Rows[row], y+rowStep/2
		best := ""
		if f.Verdict.Best != "" && r.Strategy == f.Verdict.Best {
			best = " best"
		}
		if t, ok := r.Time.Get(); ok {
			low, high := s.at(ofMS(t.Low.Or(t.Median))), s.at(ofMS(t.High.Or(t.Median)))
			if !t.Low.IsZero() && t.High.IsZero() { // it is open above
				high = s.at(s.end)
			}
			body = append(body, rule("reach", s.from, mid, s.at(ofMS(t.Median)), mid),
				rect("interval"+best, "", low, mid-4, high-low, 8), rect("median"+best, "", s.at(ofMS(t.Median))-1.25, mid-9, 2.5, 18))
			cell := clock(r)
			text := cell.Text
			if doubt := cell.DoubtText(); doubt != "" {
				text += " ± " + doubt
			}
			body = append(body, label("value"+best, "", s.at(s.end)+14, mid+4, text+" "+unit))
			if ratio, ok := r.RatioToBest.Get(); ok && ratio > 1 {
				body = append(body, label("aside", "end", drawn, mid+4, report.Trips(ratio)+" ×"))
			}
		} else {
			why := "no time: no trial delivered everything"
			if r.Failed < r.Trials {
				why = fmt.Sprintf("no median: %d of %s failed", r.Failed, linger.Plural(r.Trials, "trial"))
			}
			body = append(body, label("aside", "", s.from+4, mid+4, why))
		}
		for k, one := range nth(trials, row) {
			id := fmt.Sprintf("time-%d-%d", row, k)
			class, said := "dot"+best, "all"
			if !one.Whole {
				class, said = "dot failed", "not all"
			}
			// Dots that would cover each other lie a little apart.
			body = append(body, mark{Shape: "circle", Class: class, Row: id, X: s.at(ofMS(one.Time)), Y: mid + px(k%3-1)*3, W: 3.2})
			data.Add(table.Word(r.Strategy), table.Int(one.Number), table.Number(one.Time, report.Tenth), table.Word(said)).ID = id
		}
	})
	c.Marks = append(append(c.Marks, s.axis("", 20, bottom+4)...), body...)
	c.H = bottom + 24
	c.Data = []tableView{tableOf(data)}
	return c
}

// trafficChart draws the packets and bytes of each strategy, up to the left and
// down to the right. It is nothing where nobody counted any.
func trafficChart(f compare.Findings) (chart, bool) {
	c := chart{ID: "traffic", W: drawn, Label: "Packets, and bytes on the wire, of each strategy: up to the left, down to the right."}
	type panel struct {
		title  string
		figure func(compare.Row) linger.Opt[compare.Ways]
		inner  func(compare.Row) linger.Opt[compare.Ways] // a part of it
		format func(float64) string
		left   px // where it begins
		middle px // where up ends and down begins
		width  px // of the longest bar that goes down
		most   float64
	}
	none := func(compare.Row) linger.Opt[compare.Ways] { return linger.Opt[compare.Ways]{} }
	packets := func(r compare.Row) linger.Opt[compare.Ways] { return r.Packets }
	wire := func(r compare.Row) linger.Opt[compare.Ways] { return r.WireBytes }
	payload := func(r compare.Row) linger.Opt[compare.Ways] { return r.PayloadBytes }
	panels := []*panel{
		{title: "packets", figure: packets, inner: none, format: finding.Count},
		{title: "kB on the wire", figure: wire, inner: payload, format: report.Kilo},
	}
	const half, numbers = (drawn - nameRoom) / 2, 46 // each panel; room for a number
	seen := false
	for i, p := range panels {
		ups, downs := 0.0, 0.0
		for _, r := range f.Rows {
			w, ok := p.figure(r).Get()
			seen = seen || ok
			ups, downs = max(ups, w.Up), max(downs, w.Down)
		}
		p.left, p.most = nameRoom+px(i)*half, ups+downs
		p.width = half - 2*numbers - 24
		p.middle = p.left + numbers
		if p.most > 0 {
			p.middle += p.width * px(ups/p.most)
		}
	}
	if !seen {
		return c, false
	}
	data := table.Table{Caption: "Packets and bytes of each strategy, medians", Columns: []table.Column{{Head: "strategy", Align: table.Left}}}
	for _, head := range []string{"packets up", "packets down", "bytes up", "bytes down", "of them payload up", "payload down"} {
		data.Columns = append(data.Columns, table.Column{Head: head})
	}
	var body []mark
	bottom := strategyRows(f, &c, 16, rowStep, func(row int, y px) {
		r, id := f.Rows[row], fmt.Sprintf("traffic-%d", row)
		for _, p := range panels {
			w, ok := p.figure(r).Get()
			if !ok || p.most == 0 {
				body = append(body, label("aside", "", p.middle+6, y+rowStep/2+4, "not counted"))
				continue
			}
			up, down := p.width*px(w.Up/p.most), p.width*px(w.Down/p.most)
			body = append(body, rect("wire", id, p.middle-up, y+6, up, rowStep-12), rect("wire", id, p.middle, y+6, down, rowStep-12))
			if in, ok := p.inner(r).Get(); ok {
				up, down := p.width*px(in.Up/p.most), p.width*px(in.Down/p.most)
				body = append(body, rect("payload", id, p.middle-up, y+6, up, rowStep-12), rect("payload", id, p.middle, y+6, down, rowStep-12))
			}
			body = append(body, label("value", "end", p.middle-up-6, y+rowStep/2+4, p.format(w.Up)), label("value", "", p.middle+down+6, y+rowStep/2+4, p.format(w.Down)))
		}
		line := data.Add(table.Word(r.Strategy))
		line.ID = id
		for _, o := range []linger.Opt[compare.Ways]{r.Packets, r.WireBytes, r.PayloadBytes} {
			up, down := table.Cell{}, table.Cell{} // empty where nobody counted
			if w, ok := o.Get(); ok {
				up, down = table.Number(w.Up, finding.Exact), table.Number(w.Down, finding.Exact)
			}
			line.Cells = append(line.Cells, up, down)
		}
	})
	for _, p := range panels {
		c.Marks = append(c.Marks, label("head", "end", p.middle-6, 12, "↑ up"), label("head", "", p.middle+6, 12, "↓ down, "+p.title))
		body = append(body, rule("split", p.middle, 18, p.middle, bottom))
	}
	c.Marks = append(c.Marks, body...)
	c.H = bottom + 4
	c.Data = []tableView{tableOf(data)}
	return c, true
}

// heldChart draws how many connections each strategy held over time.
func heldChart(f compare.Findings, typical []*trace.Trace) chart {
	c := chart{ID: "held", W: drawn, Label: "How many connections each strategy held open over time, in one trial."}
	const tail, step = 150, 34
	s := scale{from: nameRoom + 12, to: drawn - tail}
	most := 1
	for _, t := range typical {
		if t != nil {
			s.end = max(s.end, t.Ended)
			_, peak := compare.HeldOverTime(t)
			most = max(most, peak)
		}
	}
	data := table.Table{Caption: "Connections held over time", Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "from, ms", Unit: "ms"}, {Head: "connections"}}}
	var body []mark
	bottom := strategyRows(f, &c, 0, step, func(row int, y px) {
		base := y + step - 3
		body = append(body, rule("base", s.from, base, s.to, base))
		t := nth(typical, row)
		if t == nil {
			return
		}
		held, peak := compare.HeldOverTime(t)
		height := func(n int) px { return px(n) / px(most) * (step - 8) }
		var path strings.Builder
		for i, h := range held {
			x := s.at(h.At)
			if i == 0 {
				fmt.Fprintf(&path, "M%v %v", x, base)
			}
			fmt.Fprintf(&path, "H%vV%v", x, base-height(h.Open))
			if i == mostHeld {
				break
			}
		}
		if len(held) > 0 {
			body = append(body, mark{Shape: "path", Class: "held", Path: path.String() + fmt.Sprintf("V%vZ", base)})
		}
		for i, h := range held {
			if i == mostHeld {
				break
			}
			id := fmt.Sprintf("held-%d-%d", row, i)
			if h.Open > 0 && i+1 < len(held) { // what the pointer finds
				body = append(body, rect("touch", id, s.at(h.At), y+2, s.at(held[i+1].At)-s.at(h.At), step-4))
			}
			data.Add(table.Word(f.Rows[row].Strategy), table.Number(h.At.Milliseconds(), report.Tenth), table.Int(h.Open)).ID = id
		}
		body = append(body, label("value", "", s.to+14, base-8, fmt.Sprintf("at most %d", peak)))
	})
	c.Marks = append(append(c.Marks, s.axis("", 20, bottom+4)...), body...)
	c.H = bottom + 24
	c.Data = []tableView{tableOf(data)}
	return c
}

// mostHeld bounds the steps of a line, for a load of thousands of connections.
const mostHeld = 400

// nth returns the i-th, or nothing.
func nth[T any](list []T, i int) (none T) {
	if i < 0 || i >= len(list) {
		return none
	}
	return list[i]
}
