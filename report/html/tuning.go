package html

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"linger/finding"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/words"
	"linger/tune"
)

// A tuningView is what the template of an analysis of a log is given.
type tuningView struct {
	frame
	first

	Also     []string
	Remedies []remedyView
	Facts    []string
	Asserted *draw.Table
	Curve    *draw.Chart
	// LastRow is the greatest position of the slider, At where it begins.
	LastRow, At int
	AtName      string
	AtFigures   [][2]string
	Gaps, Hours draw.Chart
	CutName     string
	Reused      *draw.Chart
	Limits      *draw.Table
	Facets      [][2]string
}

// A remedyView is a line of configuration, and where it belongs.
type remedyView struct{ ID, Where, Write, Source string }

// mostCaveats bounds those of a page: each file may have some.
const mostCaveats = 30

// Tuning writes what a log says of timeouts as one page that needs nothing else. What lines
// and names of files carry of users is left out.
func Tuning(w io.Writer, r *tune.Result, o Options) error {
	lines := hideAll(words.Tuning(r), redact)
	sub := table.Clean(redact(words.TuningTitle(r)))
	v := tuningView{first: first{Lead: firstOf(lines), Sub: sub, Broken: unmet(r.Asserted, redact)}, Asserted: asserted(r.Asserted, redact)}
	v.frame, v.Also = newFrame(v.Lead, sub, redact(o.Command)), lines[min(1, len(lines)):]
	v.Policy = pagePolicy(false)
	for _, f := range r.Findings {
		if f.Code != tune.FoundTimeout {
			v.Facts = append(v.Facts, table.Clean(redact(words.TuningFinding(f))))
		}
		for _, m := range f.Remedies {
			told := strings.TrimSuffix(words.AuditRemedy(m), ": "+m.Write)
			v.Remedies = append(v.Remedies, remedyView{fmt.Sprintf("remedy-%d", len(v.Remedies)), table.Clean(told), table.Clean(m.Write), table.Clean(m.Source)})
		}
	}
	for i, c := range decisive(r.Caveats) {
		if i == mostCaveats {
			v.Caveats = append(v.Caveats, fmt.Sprintf("%d more are in the JSON", len(r.Caveats)-i))
			break
		}
		v.Caveats = append(v.Caveats, table.Short(redact(words.TuningCaveat(c)), 600))
	}
	v.Caveat = firstOf(v.Caveats)
	v.curve(r)
	if cut := r.Cut(); cut != nil {
		v.CutName = finding.Lasting(1000 * cut.Timeout)
	}
	v.Gaps, v.Hours = gapsChart(r), hoursChart(r)
	if r.Observed != nil && len(r.Observed.Steps) > 0 {
		c := reusedChart(r)
		v.Reused = &c
	}
	limits := report.TuningLimits(r)
	limits.Caption = "Limits on requests"
	v.Limits = drawn(limits)
	v.Facets = tuningFacets(r, o.Version)
	v.to(len(v.Remedies) > 0, "set", "To set it")
	v.to(true, "gaps", "Gaps")
	v.to(v.Reused != nil, "observed", "Used again")
	v.to(true, "hours", "Hours")
	return pageHTML().ExecuteTemplate(w, "tuning.html", v)
}

// curve adds the drawing over the timeout, the slider and the tiles, which are all of the
// same rows.
func (v *tuningView) curve(r *tune.Result) {
	points, data := report.TuningPoints(r, true), report.TuningTimeouts(r, true)
	data.Caption = "Every timeout"
	if len(points) == 0 {
		return
	}
	advised, today := -1, -1
	for i, p := range points {
		data.Rows[i].ID = fmt.Sprintf("timeout-row-%d", i)
		if r.Advised != nil && r.Advised.Timeout == p.Timeout {
			advised = i
		}
		if r.Today != nil && r.Today.Timeout == p.Timeout {
			today = i
		}
	}
	v.LastRow, v.At = len(points)-1, max(advised, today, 0)
	if advised >= 0 {
		v.At = advised
	}
	row := data.Rows[v.At]
	v.AtName = row.Cells[0].Text
	for i := range data.Columns {
		c := &data.Columns[i]
		switch {
		case c.Head == "": // obvious beside the figures, and not in the words of who only listens
			c.Head = "setting"
		case i > 0:
			v.AtFigures = append(v.AtFigures, [2]string{c.Head, row.Cells[i].Text})
		}
	}
	v.tiles(data, today, advised)
	v.Curve = curveChart(points, today, advised, draw.TableOf(data))
}

// tiles are the figures of today's timeout and the advised one.
func (v *tuningView) tiles(data table.Table, today, advised int) {
	if today < 0 && advised < 0 {
		return
	}
	for _, t := range []struct{ head, text string }{
		{"timeout", "idle timeout"}, {"reuse", "of the requests find a connection open"}, {"sockets", "sockets held on average"}, {"p99", "sockets at most, 99 % of the time"},
	} {
		i := slices.IndexFunc(data.Columns, func(c table.Column) bool { return c.Head == t.head })
		if i < 0 {
			continue
		}
		figure, note := "", "advised"
		switch {
		case advised < 0:
			figure, note = data.Rows[today].Cells[i].Text, "today"
		case today < 0 || today == advised:
			figure = data.Rows[advised].Cells[i].Text
			if today == advised {
				note = "today and advised"
			}
		default:
			figure, note = data.Rows[today].Cells[i].Text+" → "+data.Rows[advised].Cells[i].Text, "today → advised"
		}
		v.Tiles = append(v.Tiles, tile{figure, t.text + ", " + note})
	}
}

// logarithmic is where a timeout stands on the axis: there is room for names before 1 s.
func logarithmic(seconds float64) draw.PC {
	const begin, end = 0.45, 3600.0
	return draw.Percent(math.Log(min(max(seconds, begin), end)/begin) / math.Log(end/begin))
}

// A field is the room of a curve over the timeout.
type field struct{ draw.Field }

// line joins points, in thousandths of the width.
func (f field) line(points []tune.Point, of func(tune.Point) float64) (list []string) {
	for _, p := range points {
		list = append(list, fmt.Sprintf("%.1f %s", 10*float64(logarithmic(p.Timeout)), f.At(of(p))))
	}
	return list
}

// spread draws a band between two lines, and a point at each end.
func (f field) spread(points []tune.Point, of func(tune.Point) tune.Bounds) (band draw.Mark, dots []draw.Mark) {
	low := f.line(points, func(p tune.Point) float64 { return of(p).Low })
	high := f.line(points, func(p tune.Point) float64 { return of(p).High })
	slices.Reverse(high)
	band = draw.Mark{Shape: "path", Class: "spread", Path: "M" + strings.Join(append(low, high...), "L") + "Z"}
	for i, p := range points {
		b := of(p)
		dots = append(dots, f.dot("point", i, p, b.High))
		if b.Low < b.High {
			dots = append(dots, f.dot("point", i, p, b.Low))
		}
	}
	return band, dots
}

func (f field) dot(class string, i int, p tune.Point, v float64) draw.Mark {
	return draw.Mark{Shape: "circle", Class: class, Row: fmt.Sprintf("timeout-row-%d", i), X: logarithmic(p.Timeout), Y: f.At(v), W: draw.PX(3)}
}

// curveChart draws reuse and sockets over the timeout.
func curveChart(points []tune.Point, today, advised int, data draw.Table) *draw.Chart {
	c := &draw.Chart{ID: "timeouts", Class: "curves", Label: "Reuse and sockets over the idle timeout, with today's and the advised one marked.", Data: []draw.Table{data}}
	reuse := field{draw.Field{Top: 30, Base: 180, Most: 1}}
	band, dots := reuse.spread(points, func(p tune.Point) tune.Bounds { return p.Reuse })
	strip1 := reuse.strip([]float64{0, 0.25, 0.5, 0.75, 1}, finding.Share, []draw.Mark{band}, dots, points, today, advised)
	if today >= 0 && today != advised {
		strip1.Marks = append(strip1.Marks, besideRule("", "today", points[today], today < advised, 11))
	}
	if advised >= 0 {
		name := "advised"
		if today == advised {
			name = "today, advised"
		}
		strip1.Marks = append(strip1.Marks, besideRule("best", name, points[advised], advised < today, 24))
	}
	most := 1.0
	for _, p := range points {
		most = max(most, p.Mean.High, float64(p.P99))
	}
	held := field{draw.Field{Top: 12, Base: 120, Most: most}}
	band, dots = held.spread(points, func(p tune.Point) tune.Bounds { return p.Mean })
	highest := draw.Mark{Shape: "path", Class: "highest", Path: "M" + strings.Join(held.line(points, func(p tune.Point) float64 { return float64(p.P99) }), "L")}
	for i, p := range points {
		dots = append(dots, held.dot("point off", i, p, float64(p.P99)))
	}
	slices.SortStableFunc(dots, func(a, b draw.Mark) int { return cmp.Compare(a.X.(draw.PC), b.X.(draw.PC)) })
	c.Rows = []draw.Row{
		{Group: "Reuse: share of the requests that find a connection open", Strip: strip1},
		{Group: "Sockets held: on average (solid), and at most for 99 % of the time (dashed)", Strip: held.strip(draw.StepsTo(most), finding.Count0, []draw.Mark{band, highest}, dots, points, today, advised)},
	}
	c.Axis.H = 20
	for i, t := range []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour} {
		anchor, class, name := "middle", "tick", fmt.Sprintf("%d s", t/time.Second)
		switch {
		case t == time.Hour:
			anchor, name = "end", "1 h"
		case t >= time.Minute:
			name = fmt.Sprintf("%d min", t/time.Minute)
		}
		if i%2 == 1 {
			class = "tick odd"
		}
		x := logarithmic(t.Seconds())
		c.Axis.Marks = append(c.Axis.Marks, draw.Rule("grid", x, 0, x, 5), draw.Label(class, anchor, x, 17, name))
	}
	return c
}

// strip is the field with its lines, marks of today's and the advised timeout, and the cursor.
func (f field) strip(ticks []float64, name func(float64) string, curves, dots []draw.Mark, points []tune.Point, today, advised int) draw.Strip {
	s := draw.Strip{H: f.Base + 2, Marks: []draw.Mark{draw.Rule("cursor", 0, f.Top, 0, f.Base)}}
	s.Marks = append(s.Marks, f.Lines(ticks, name)...)
	for _, m := range []struct {
		at    int
		class string
	}{{today, "setting"}, {advised, "setting best"}} {
		if m.at >= 0 && (m.at != today || m.at != advised || m.class != "setting") {
			x := logarithmic(points[m.at].Timeout)
			s.Marks = append(s.Marks, draw.Rule(m.class, x, 0, x, f.Base))
		}
	}
	s.Marks = append(s.Marks, draw.Mark{Shape: "stretched", Class: "stretched", H: f.Base + 2, Inner: curves})
	s.Marks = append(s.Marks, dots...)
	return s
}

// besideRule names the line of a timeout, on the side where there is room: away from the other
// one, unless that is too near to the edge.
func besideRule(class, name string, p tune.Point, left bool, y draw.PX) draw.Mark {
	x, text := logarithmic(p.Timeout), name+": "+finding.Lasting(1000*p.Timeout)
	inner := draw.Label(class, "", draw.PX(5), y, text)
	if x > 65 || left && x > 35 {
		inner = draw.Label(class, "end", draw.PX(-5), y, text)
	}
	return draw.At(x, inner)
}

// gapsChart draws the gaps, those apart that are shorter than the advised timeout.
func gapsChart(r *tune.Result) draw.Chart {
	cut := 0.0
	if p := r.Cut(); p != nil {
		cut = p.Timeout
	}
	bins := r.Bins(cut)
	data := report.TuningGaps(bins)
	if cut == 0 {
		data = data.Only(0, 1, 2, 3)
	}
	c := draw.Chart{ID: "gap", Label: "Requests by the length of the gap before them, in bins that double."}
	most := int64(1)
	for _, b := range bins {
		most = max(most, b.Requests)
	}
	for i, b := range bins {
		id := fmt.Sprintf("gap-%d", i)
		data.Rows[i].ID = id
		row := draw.Row{Name: data.Rows[i].Cells[0].Text, Value: data.Rows[i].Cells[1].Text, Aside: data.Rows[i].Cells[2].Text, Strip: draw.Strip{H: 18}}
		within, all := draw.Percent(float64(b.Within)/float64(most)), draw.Percent(float64(b.Requests)/float64(most))
		if b.Within > 0 {
			row.Strip.Marks = append(row.Strip.Marks, draw.Rect("on", id, 0, within, 3, 12))
		}
		if b.Requests > b.Within {
			row.Strip.Marks = append(row.Strip.Marks, draw.Rect("off", id, within, all-within, 3, 12))
		}
		c.Rows = append(c.Rows, row)
	}
	if r.Sampled.IsZero() {
		none := r.Requests
		for _, n := range r.Gaps {
			none -= n
		}
		if none > 0 {
			c.Notes = append(c.Notes, finding.Plural(float64(none), "request")+" more found no connection idle, whatever the timeout: the first of their client, or while all of its connections were busy, or of HTTP/1.0 without keep-alive.")
		}
	}
	c.Notes = append(c.Notes, "By whole seconds, as the log has them.")
	c.Data = []draw.Table{draw.TableOf(data)}
	return c
}

// reusedChart draws which share of the requests came on the old connection, by gap.
func reusedChart(r *tune.Result) draw.Chart {
	data := report.TuningObserved(r)
	data.Caption = "Connections used again, by gap"
	c := draw.Chart{ID: "again", Label: "Share of the requests that came on the old connection, by the gap before them."}
	for i, s := range r.Observed.Steps {
		id := fmt.Sprintf("again-%d", i)
		cells := data.Rows[i].Cells
		data.Rows[i].ID = id
		c.Rows = append(c.Rows, draw.Row{
			Name: cells[0].Text, Value: cells[1].Text, Aside: fmt.Sprintf("%d of %d", s.Reused, s.Reused+s.New),
			Strip: draw.Strip{H: 18, Marks: []draw.Mark{draw.Rule("base", 100, 1, 100, 17)}},
		})
		if s.Reused > 0 {
			row := &c.Rows[i].Strip
			row.Marks = append(row.Marks, draw.Rect("on", id, 0, draw.Percent(s.Share()), 3, 12))
		}
	}
	c.Data = []draw.Table{draw.TableOf(data)}
	return c
}

// hoursChart draws the requests of each hour of the day.
func hoursChart(r *tune.Result) draw.Chart {
	data := report.TuningHours(r)
	c := draw.Chart{ID: "hour", Class: "curves", Label: "Requests by the hour of the day, UTC.", Notes: []string{"Hours are of UTC, and of all days of the log together."}}
	const base = 92
	most := slices.Max(append([]int64{1}, r.Hours...))
	row := draw.Strip{H: base + 1, Marks: []draw.Mark{draw.Rule("base", 0, base, 100, base), draw.Rule("grid", 0, 12, 100, 12), draw.Label("tick", "", draw.PX(0), 9, finding.Count0(float64(most)))}}
	for hour, n := range r.Hours {
		id := fmt.Sprintf("hour-%d", hour)
		data.Rows[hour].ID = id
		x, high := draw.PC(hour)*100/24, draw.PX(float64(n)/float64(most))*(base-12)
		if n > 0 {
			row.Marks = append(row.Marks, draw.Rect("on", id, x+0.4, 100.0/24-0.8, base-high, high))
		}
		if hour%3 == 0 {
			class := "tick"
			if hour%6 == 3 {
				class = "tick odd"
			}
			c.Axis.Marks = append(c.Axis.Marks, draw.Label(class, "middle", x+100.0/48, 14, fmt.Sprintf("%d:00", hour)))
		}
	}
	c.Rows, c.Axis.H = []draw.Row{{Strip: row}}, 18
	c.Data = []draw.Table{draw.TableOf(data)}
	return c
}

// tuningFacets say what was read.
func tuningFacets(r *tune.Result, version string) (out [][2]string) {
	add := func(name, text string) {
		if text != "" {
			out = append(out, [2]string{name, table.Short(redact(text), 300)})
		}
	}
	if l := r.Log; l != nil {
		add("Log", strings.Join(l.Files[:min(len(l.Files), 10)], ", "))
		add("Files", fmt.Sprint(len(l.Files)))
		add("Format", l.Layout)
		add("Time of a line", l.Clock)
		add("Steps of its clock", finding.Lasting(1000*l.Resolution))
		known := "not in the log"
		if l.Durations {
			known = "in the log"
		}
		add("Durations of requests", known)
		by := l.Connections
		if by == "" {
			by = "nothing: a client is an address"
		}
		add("Connections are told apart by", by)
		add("Lines", finding.Count0(float64(l.Lines)))
		if l.Bad > 0 {
			add("Bad lines, left out", finding.Count0(float64(l.Bad)))
		}
		add("Read", finding.Bytes(float64(l.Bytes)))
	}
	add("Requests", finding.Count0(float64(r.Requests)))
	add("Clients", finding.Count0(float64(r.Clients)))
	add("First request", r.Began)
	add("linger", version)
	return out
}
