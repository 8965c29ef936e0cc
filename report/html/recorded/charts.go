package recorded

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"linger"
	"linger/audit"
	"linger/audit/timeline"
	"linger/finding"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/words"
)

const (
	mostRows    = 7  // of the drawing that needs no script
	mostColumns = 80 // over its time
	mostCurves  = 4
)

// OverTime draws how many connections were open, and for origins how many were opened, over
// time; false where there is no connection.
func OverTime(t *timeline.Timeline) (draw.Chart, bool) {
	if t == nil || len(t.Origins) == 0 {
		return draw.Chart{}, false
	}
	c := draw.Chart{ID: "over-time", Class: "curves", Label: "Connections over time: how many were open, and how many each origin had opened."}
	scale := draw.Scale{End: max(t.Ended, linger.Instant(t.Bins)*linger.Instant(t.Width), 1)}
	data := table.Table{Caption: "Connections by origin", Columns: []table.Column{{Head: "origin", Align: table.Left}, {Head: "connections"}, {Head: "could avoid"}}}
	held := open(t)
	most := float64(slices.Max(append([]int{1}, held...)))
	f := draw.Field{Top: 14, Base: 90, Most: most}
	line := []string{"0 90"}
	for i, n := range held {
		x := 10 * float64(scale.At(linger.Instant(i)*linger.Instant(t.Width)))
		y := f.At(float64(n))
		line = append(line, fmt.Sprintf("%.1f %s", x, f.At(float64(held[max(0, i-1)]))), fmt.Sprintf("%.1f %s", x, y))
	}
	line = append(line, fmt.Sprintf("1000 %s", f.At(float64(held[len(held)-1]))), "1000 90")
	strip := draw.Strip{H: 92, Marks: append(f.Lines(draw.StepsTo(most), finding.Count0), draw.Mark{Shape: "stretched", Class: "stretched", H: 92,
		Inner: []draw.Mark{{Shape: "path", Class: "spread", Path: "M" + strings.Join(thinned(line), "L") + "Z"}}})}
	c.Rows = append(c.Rows, draw.Row{Group: "Open, of all origins", Strip: strip})
	for i, l := range names(t.Origins, "origin") {
		id := fmt.Sprintf("over-time-%d", i)
		data.Add(table.Word(l.Name), table.Int(l.N), table.Int(l.Avoidable)).ID = id
		if i < mostRows {
			c.Rows = append(c.Rows, draw.Row{Group: fmt.Sprintf("Opened to %s: %s, %d avoidable", l.Name, linger.Plural(l.N, "connection"), l.Avoidable), Strip: opened(t, t.Origins[i], scale, id)})
		}
	}
	c.Axis, c.Data = scale.Below(), []draw.Table{draw.TableOf(data)}
	return c, true
}

// thinned leaves out points of a line that has too many.
func thinned(line []string) []string {
	for len(line) > 800 {
		out := line[:0:0]
		for i := 0; i < len(line); i++ {
			if i%4 < 2 || i > len(line)-3 {
				out = append(out, line[i])
			}
		}
		line = out
	}
	return line
}

// open is how many connections were open at the most in each bin.
func open(t *timeline.Timeline) []int {
	out, n := make([]int, t.Bins), 0
	for i := range out {
		closed := 0
		for _, l := range t.Origins {
			for _, bins := range l.Opened {
				n += nth(bins, i)
			}
			closed += nth(l.Closed, i)
		}
		out[i] = n
		n -= closed
	}
	return out
}

func nth(list []int, i int) int {
	if i < len(list) {
		return list[i]
	}
	return 0
}

// opened draws how many connections of a lane were opened: those that were avoidable from the
// base on, the others on top of them.
func opened(t *timeline.Timeline, l timeline.Lane, scale draw.Scale, row string) draw.Strip {
	const base = draw.PX(34)
	step := (t.Bins + mostColumns - 1) / mostColumns
	columns := make([][2]int, (t.Bins+step-1)/step)
	most := 1
	for k, bins := range l.Opened {
		which := 1
		if audit.Cause(k).Of().Avoidable {
			which = 0
		}
		for i, n := range bins {
			columns[i/step][which] += n
		}
	}
	for _, c := range columns {
		most = max(most, c[0]+c[1])
	}
	s := draw.Strip{H: base + 1, Marks: []draw.Mark{draw.Rule("base", 0, base, 100, base)}}
	wide := scale.At(linger.Instant(step) * linger.Instant(t.Width))
	for i, c := range columns {
		y, x := base, scale.At(linger.Instant(i*step)*linger.Instant(t.Width))
		for which, class := range []string{"avoidable", "off"} {
			if n := c[which]; n > 0 {
				high := max(1, draw.PX(n)/draw.PX(most)*(base-2))
				y -= high
				s.Marks = append(s.Marks, draw.Rect(class, row, x, wide*0.9, y, high))
			}
		}
	}
	return s
}

// Requests draws how many connections carried how many requests; false where none carried any.
func Requests(t *timeline.Timeline) (draw.Chart, bool) {
	if t == nil || len(t.Requests) == 0 {
		return draw.Chart{}, false
	}
	c := draw.Chart{ID: "requests-drawn", Label: "Connections by how many requests they carried, in bins that double."}
	data := table.Table{Caption: "Requests a connection", Columns: []table.Column{{Head: "requests", Align: table.Left}, {Head: "connections"}, {Head: "share"}}}
	most, all := 1, 0
	for _, b := range t.Requests {
		most, all = max(most, b.Connections), all+b.Connections
	}
	for i, b := range t.Requests {
		name := fmt.Sprintf("%d to %d", b.From, b.To)
		if b.From == b.To {
			name = fmt.Sprint(b.From)
		}
		id, share := fmt.Sprintf("requests-%d", i), float64(b.Connections)/float64(all)
		data.Add(table.Word(name), table.Int(b.Connections), table.Number(share, finding.Share)).ID = id
		row := draw.Row{Name: name, Value: finding.Plural(float64(b.Connections), "connection"), Aside: finding.Share(share), Strip: draw.Strip{H: 18}}
		if b.Connections > 0 {
			row.Strip.Marks = []draw.Mark{draw.Rect("on", id, 0, draw.Percent(float64(b.Connections)/float64(most)), 3, 12)}
		}
		c.Rows = append(c.Rows, row)
	}
	c.Data = []draw.Table{draw.TableOf(data)}
	return c, true
}

// Survival draws of the limits on idling that most connections speak for the share of connections
// that are kept beyond an idle time, with the limit and its interval; false where there is none.
func Survival(r *audit.Result) (draw.Chart, bool) {
	var limits []audit.Limit
	for _, l := range r.Limits {
		if l.Kind == "idle" && len(l.Curve) > 0 {
			limits = append(limits, l)
		}
	}
	slices.SortStableFunc(limits, func(a, b audit.Limit) int { return cmp.Or(cmp.Compare(b.Ends, a.Ends), cmp.Compare(b.Side, a.Side)) })
	limits = limits[:min(len(limits), mostCurves)]
	if len(limits) == 0 {
		return draw.Chart{}, false
	}
	c := draw.Chart{ID: "survival-drawn", Class: "curves", Label: "Share of the connections that are kept for longer than they were idle."}
	data := table.Table{Caption: "Kept after idling", Columns: []table.Column{{Head: "closed by", Align: table.Left}, {Head: "idle for", Align: table.Left}, {Head: "kept longer"}}}
	longest := 0.0
	for _, l := range limits {
		longest = max(longest, l.Longest, l.Curve[len(l.Curve)-1].Seconds)
	}
	scale := draw.Scale{End: linger.Instant(1.08 * longest * 1e9)}
	place := func(seconds float64) draw.PC { return scale.At(linger.Instant(seconds * 1e9)) }
	for i, l := range limits {
		who := l.Side + " " + table.Short(l.Address, 40)
		f := draw.Field{Top: 14, Base: 90, Most: 1}
		strip := draw.Strip{H: 92, Marks: f.Lines([]float64{0, 0.5, 1}, finding.Share)}
		line, at := []string{"0 " + f.At(1).String()}, 1.0
		var dots []draw.Mark
		for k, p := range l.Curve {
			id := fmt.Sprintf("survival-%d-%d", i, k)
			x := place(p.Seconds)
			line = append(line, fmt.Sprintf("%.1f %s", 10*float64(x), f.At(at)), fmt.Sprintf("%.1f %s", 10*float64(x), f.At(p.Share)))
			dots = append(dots, draw.Mark{Shape: "circle", Class: "point", Row: id, X: x, Y: f.At(p.Share), W: draw.PX(3)})
			at = p.Share
			data.Add(table.Word(who), table.Word(finding.Duration(1000*p.Seconds, 10)), table.Number(p.Share, finding.Share)).ID = id
		}
		if l.Longest > l.Curve[len(l.Curve)-1].Seconds {
			line = append(line, fmt.Sprintf("%.1f %s", 10*float64(place(l.Longest)), f.At(at)))
		}
		low, high := place(l.Low.Or(0)), place(l.High.Or(0))
		strip.Marks = append(strip.Marks, draw.Rect("interval", "", low, high-low, 14, 76),
			draw.Mark{Shape: "stretched", Class: "stretched", H: 92, Inner: []draw.Mark{{Shape: "path", Class: "survivors", Path: "M" + strings.Join(line, "L")}}})
		strip.Marks = append(strip.Marks, dots...)
		strip.Marks = append(strip.Marks, valueOf(l, place)...)
		c.Rows = append(c.Rows, draw.Row{Group: words.AuditLimit(l), Strip: strip})
	}
	c.Axis, c.Data = scale.Below(), []draw.Table{draw.TableOf(data)}
	return c, true
}

// valueOf marks the limit.
func valueOf(l audit.Limit, place func(float64) draw.PC) []draw.Mark {
	v, ok := l.Value.Get()
	if !ok {
		return nil
	}
	class := "setting"
	if l.Claimed {
		class = "setting best"
	}
	return []draw.Mark{draw.Rule(class, place(v), 10, place(v), 90)}
}
