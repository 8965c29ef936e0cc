package html

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/words"
	"linger/trace"
)

// family is a heading over rows: the family of strategies that they are of.
func family(r compare.Row) string {
	kind := report.Kind(r)
	return strings.ToUpper(kind[:1]) + kind[1:]
}

// tone is the class of what belongs to a row: without keep-alive, with it, or the fastest.
func tone(f compare.Findings, r compare.Row) string {
	switch {
	case f.Verdict.Best != "" && r.Strategy == f.Verdict.Best:
		return "best"
	case r.Persistent:
		return "on"
	}
	return "off"
}

// strategyRows makes a row of a chart for each strategy, the non-persistent first.
func strategyRows(f compare.Findings, fill func(row int, r compare.Row, out *draw.Row)) (rows []draw.Row) {
	group := ""
	for _, i := range report.Order(f.Rows) {
		r := f.Rows[i]
		row := draw.Row{Name: table.Short(r.Strategy, report.LongestName)}
		if tone(f, r) == "best" {
			row.Class = "best"
		}
		if of := family(r); of != group {
			group, row.Group = of, of
		}
		fill(i, r, &row)
		rows = append(rows, row)
	}
	return rows
}

// longest is a scale on which the times of all rows have room, with their intervals.
func longest(f compare.Findings) (s draw.Scale) {
	for _, r := range f.Rows {
		if t, ok := r.Time.Get(); ok {
			s.End = max(s.End, ofMS(max(t.Median, t.High.Or(0))))
		}
		s.End = max(s.End, ofMS(r.AtLeast.Or(0)))
	}
	return s
}

// raceChart draws the time of each strategy as a bar on one axis, with its interval, and the
// figures that explain it beside.
func raceChart(f compare.Findings) draw.Chart {
	c := draw.Chart{ID: "race", Class: "figured", Label: "The time of each strategy, median and interval; shorter is better."}
	s := longest(f)
	clock, unit := report.Times(f)
	data := table.Table{Caption: "Time of each strategy", Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "time, ms", Unit: "ms"}, {Head: "from"}, {Head: "to"}, {Head: "× fastest"}, {Head: "connections"}, {Head: "round trips"}, {Head: "packets"}, {Head: "kB on the wire"},
	}}
	c.Rows = strategyRows(f, func(i int, r compare.Row, out *draw.Row) {
		id := fmt.Sprintf("race-%d", i)
		row := data.Add(table.Word(r.Strategy))
		row.ID = id
		time := func(o linger.Opt[float64]) table.Cell { return table.Known(o, finding.Tenth) }
		low, high, median := linger.Opt[float64]{}, linger.Opt[float64]{}, linger.Opt[float64]{}
		const middle = 11
		out.Strip.H = 22
		t, ok := r.Time.Get()
		switch {
		case ok:
			median, low, high = linger.Known(t.Median), t.Low, t.High
			out.Value = clock(r).Text + " " + unit
			if ratio, ok := r.RatioToBest.Get(); ok {
				out.Aside = finding.Times(ratio) + "×"
				if tone(f, r) == "best" {
					out.Aside = "fastest"
				}
			}
			out.Strip.Marks = append([]draw.Mark{s.Span(tone(f, r), id, 0, ofMS(t.Median), 4, 14)}, whisker(s, t, middle)...)
		case !r.AtLeast.IsZero():
			least := r.AtLeast.Or(0)
			out.Value, out.Aside = clock(r).Text+" "+unit, fmt.Sprintf("%d of %d failed", r.Failed, r.Trials)
			out.Strip.Marks = []draw.Mark{s.Span(tone(f, r)+" open", id, 0, ofMS(least), 4, 14)}
		default:
			out.Value, out.Aside = "no time", fmt.Sprintf("%d of %d failed", r.Failed, r.Trials)
		}
		counts := []table.Cell{table.Known(r.Connections, finding.Count), table.Known(r.RoundTrips, finding.RTTs), bothWays(r.Packets, finding.Count), bothWays(r.WireBytes, finding.WholeKB)}
		row.Cells = append(row.Cells, time(median), time(low), time(high), table.Known(r.RatioToBest, finding.RTTs))
		row.Cells = append(row.Cells, counts...)
	})
	if s.End > 0 {
		c.Axis = s.Below()
	}
	beside(f, c.Rows)
	c.Data = []draw.Table{draw.TableOf(data)}
	return c
}

// mostBeside is how many figures stand beside a bar.
const mostBeside = 4

// beside puts the first figures of the table of costs beside the bars: those that are no time,
// ratio or interval. The rows of both are in one order.
func beside(f compare.Findings, rows []draw.Row) {
	costs := firstOf(report.Figures(f))
	for i, column := range costs.Columns {
		if i < 2 || column.Spare >= report.SpareIntervals || column.Head == report.VersusBest || len(firstOf(rows).Figures) == mostBeside {
			continue
		}
		for k, row := range costs.Rows {
			rows[k].Figures = append(rows[k].Figures, draw.Figure{Name: column.Head, Text: row.Cells[i].Text})
		}
	}
}

// whisker draws the interval of a time: a line with an end where one is known.
func whisker(s draw.Scale, t times.Time, middle draw.PX) []draw.Mark {
	low, ok := t.Low.Get()
	if !ok {
		return nil
	}
	from, to := s.At(ofMS(low)), draw.PC(100)
	if high, ok := t.High.Get(); ok {
		to = s.At(ofMS(high))
	}
	var out []draw.Mark
	for _, class := range []string{"whisker halo", "whisker"} {
		out = append(out, draw.Rule(class, from, middle, to, middle), draw.Rule(class, from, middle-3, from, middle+3))
		if !t.High.IsZero() {
			out = append(out, draw.Rule(class, to, middle-3, to, middle+3))
		}
	}
	return out
}

// bothWays is a count of both directions together.
func bothWays(o linger.Opt[facts.Directions], format func(float64) string) table.Cell {
	if w, ok := o.Get(); ok {
		return table.Number(w.Sum(), format)
	}
	return table.Unknown()
}

// trialChart draws every trial as a ring, and the median with its interval.
func trialChart(f compare.Findings, trials [][]facts.Trial) draw.Chart {
	c := draw.Chart{ID: "time", Label: "The time of every trial of each strategy, with the median and its interval; shorter is better."}
	s := longest(f)
	for i := range f.Rows {
		for _, one := range nth(trials, i) {
			s.End = max(s.End, ofMS(one.Time))
		}
	}
	clock, unit := report.Times(f)
	data := table.Table{Caption: "Time of every trial", Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "trial"}, {Head: "time, ms", Unit: "ms"}, {Head: "delivered", Align: table.Left},
	}}
	c.Rows = strategyRows(f, func(i int, r compare.Row, out *draw.Row) {
		const middle = 12
		out.Strip.H = 24
		if t, ok := r.Time.Get(); ok {
			out.Value = clock(r).Text + " " + unit
			median := s.At(ofMS(t.Median))
			out.Strip.Marks = append(whisker(s, t, middle), draw.Rule("median "+tone(f, r), median, middle-8, median, middle+8))
		} else {
			out.Value = fmt.Sprintf("%d of %s failed", r.Failed, linger.Plural(r.Trials, "trial"))
		}
		for k, one := range nth(trials, i) {
			id := fmt.Sprintf("time-%d-%d", i, k)
			class, said := "dot "+tone(f, r), "all"
			if !one.Whole {
				class, said = "dot failed", "not all"
			}
			// Rings that would cover each other lie a little apart.
			out.Strip.Marks = append(out.Strip.Marks, draw.Mark{Shape: "circle", Class: class, Row: id, X: s.At(ofMS(one.Time)), Y: middle + draw.PX(k%3-1)*4, W: draw.PX(3.4)})
			data.Add(table.Word(r.Strategy), table.Int(one.Number), table.Number(one.Time, finding.Tenth), table.Word(said)).ID = id
		}
	})
	c.Axis = s.Below()
	c.Data = []draw.Table{draw.TableOf(data)}
	return c
}

// trafficCharts draw the packets and the bytes of each strategy, up to the left of a line
// and down to its right. There are none where nobody counted.
func trafficCharts(f compare.Findings) (out []draw.Chart) {
	none := func(compare.Row) linger.Opt[facts.Directions] { return linger.Opt[facts.Directions]{} }
	for _, panel := range []struct {
		id, what, unit string
		figure, inner  func(compare.Row) linger.Opt[facts.Directions] // inner is a part of it
		format         func(float64) string
	}{
		{"packets", "Packets", "", func(r compare.Row) linger.Opt[facts.Directions] { return r.Packets }, none, finding.Count},
		{"bytes", "Bytes on the wire", " kB", func(r compare.Row) linger.Opt[facts.Directions] { return r.WireBytes }, func(r compare.Row) linger.Opt[facts.Directions] { return r.PayloadBytes }, finding.WholeKB},
	} {
		up, down := 0.0, 0.0
		for _, r := range f.Rows {
			w, _ := panel.figure(r).Get()
			up, down = max(up, w.Up), max(down, w.Down)
		}
		if up+down <= 0 {
			continue
		}
		c := draw.Chart{ID: "traffic-" + panel.id, Label: panel.what + " of each strategy: up to the left, down to the right."}
		data := table.Table{Caption: panel.what + " of each strategy, medians", Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "up"}, {Head: "down"}, {Head: "payload up"}, {Head: "payload down"}}}
		zero := draw.Percent(up / (up + down))
		c.Rows = strategyRows(f, func(i int, r compare.Row, out *draw.Row) {
			id := fmt.Sprintf("traffic-%s-%d", panel.id, i)
			out.Strip.H = 20
			w, ok := panel.figure(r).Get()
			if !ok {
				out.Value = "not counted"
				return
			}
			out.Value = "↑ " + panel.format(w.Up) + "  ↓ " + panel.format(w.Down) + panel.unit
			bars := func(class string, w facts.Directions, y, h draw.PX) {
				l, r := draw.Percent(w.Up/(up+down)), draw.Percent(w.Down/(up+down))
				out.Strip.Marks = append(out.Strip.Marks, draw.Rect(class, id, zero-l, l, y, h), draw.Rect(class, id, zero, r, y, h))
			}
			bars("wire", w, 4, 12)
			row := data.Add(table.Word(r.Strategy), table.Number(w.Up, finding.Exact), table.Number(w.Down, finding.Exact), table.Cell{}, table.Cell{})
			row.ID = id
			if in, ok := panel.inner(r).Get(); ok {
				bars("payload", in, 4, 12)
				row.Cells[3], row.Cells[4] = table.Number(in.Up, finding.Exact), table.Number(in.Down, finding.Exact)
			}
			out.Strip.Marks = append(out.Strip.Marks, draw.Rule("base", zero, 0, zero, 20))
		})
		c.Data = []draw.Table{draw.TableOf(data.Without(3, table.Nothing))}
		out = append(out, c)
	}
	return out
}

// mostHeld bounds the steps of a line, for a load of thousands of connections.
const mostHeld = 400

// heldChart draws how many connections each strategy held over time.
func heldChart(f compare.Findings, typical []*trace.Trace) draw.Chart {
	c := draw.Chart{ID: "held", Label: "How many connections each strategy held open over time, in one trial."}
	s, most := draw.Scale{}, 1
	for _, t := range typical {
		if t != nil {
			s.End = max(s.End, t.Ended)
			_, peak := facts.HeldOverTime(t)
			most = max(most, peak)
		}
	}
	data := table.Table{Caption: "Connections held over time", Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "from, ms", Unit: "ms"}, {Head: "connections"}}}
	c.Rows = strategyRows(f, func(i int, r compare.Row, out *draw.Row) {
		const base, room = 29, 26
		out.Strip = draw.Strip{H: base + 1, Marks: []draw.Mark{draw.Rule("base", 0, base, 100, base)}}
		t := nth(typical, i)
		if t == nil {
			return
		}
		held, peak := facts.HeldOverTime(t)
		for k, h := range held {
			if k == mostHeld {
				break
			}
			id := fmt.Sprintf("held-%d-%d", i, k)
			if h.Open > 0 && k+1 < len(held) {
				high := draw.PX(h.Open) / draw.PX(most) * room
				out.Strip.Marks = append(out.Strip.Marks, s.Span("held "+tone(f, r), id, h.At, held[k+1].At, base-high, high))
			}
			data.Add(table.Word(r.Strategy), table.Number(h.At.Milliseconds(), finding.Tenth), table.Int(h.Open)).ID = id
		}
		out.Value = fmt.Sprintf("at most %d", peak)
	})
	c.Axis = s.Below()
	c.Data = []draw.Table{draw.TableOf(data)}
	return c
}

// joined is one table of several that have the same rows, named in the first column.
func joined(tables []table.Table) table.Table {
	out := table.Table{Caption: "Every figure of each strategy", Columns: slices.Clone(tables[0].Columns)}
	for _, r := range tables[0].Rows {
		r.Cells = slices.Clone(r.Cells)
		out.Rows = append(out.Rows, r)
	}
	for _, t := range tables[1:] {
		out.Columns = append(out.Columns, t.Columns[1:]...)
		for i, r := range t.Rows {
			out.Rows[i].Cells = append(out.Rows[i].Cells, r.Cells[1:]...)
		}
	}
	return out
}

// stepsChart draws where the time goes: from the slowest strategy to the fastest, each step
// a bar that ends where the next one begins. False is that there are no steps.
func stepsChart(f compare.Findings) (draw.Chart, bool) {
	c := draw.Chart{ID: "steps", Class: "told", Label: "From the slowest strategy to the fastest: what each change saves of the time."}
	steps := report.Steps(f)
	slowest, ok := rowOf(f, firstOf(steps).From)
	if !ok {
		return c, false
	}
	begin := slowest.Time.Or(times.Time{}).Median
	most, left := begin, begin
	for _, s := range steps {
		left += s.Change
		most = max(most, left)
	}
	scale := draw.Scale{End: ofMS(most)}
	data := table.Table{Caption: "Where the time is saved", Columns: []table.Column{{Head: "step", Align: table.Left}, {Head: "from", Align: table.Left}, {Head: "to", Align: table.Left}, {Head: "ms", Unit: "ms"}, {Head: "leaves, ms", Unit: "ms"}}}
	total := func(name string, ms float64, class string) {
		r, _ := rowOf(f, name)
		c.Rows = append(c.Rows, draw.Row{Name: table.Short(name, 20), Value: clockOf(f, r), Class: class, Strip: draw.Strip{H: 22, Marks: []draw.Mark{scale.Span(tone(f, r), "", 0, ofMS(ms), 5, 12)}}})
	}
	total(slowest.Strategy, begin, "sum")
	left = begin
	for i, s := range steps {
		id, after := fmt.Sprintf("step-%d", i), left+s.Change
		from, to := min(left, after), max(left, after)
		class := "step"
		switch {
		case s.Change > 0:
			class = "step costs"
		case s.Cause == compare.StepHandshakes:
			class = tcpClass
		}
		c.Rows = append(c.Rows, draw.Row{
			Name: words.StepName(s.Step), Value: s.Shown, Aside: words.StepWhy(s.Step),
			Strip: draw.Strip{H: 22, Marks: []draw.Mark{draw.Rule("base", scale.At(ofMS(left)), 0, scale.At(ofMS(left)), 22), scale.Span(class, id, ofMS(from), ofMS(to), 5, 12)}},
		})
		data.Add(table.Word(words.StepName(s.Step)), table.Word(s.From), table.Word(s.To), table.Number(s.Change, finding.Tenth), table.Number(after, finding.Tenth)).ID = id
		left = after
	}
	last := steps[len(steps)-1].To
	total(last, left, "sum")
	c.Axis = scale.Below()
	c.Data = []draw.Table{draw.TableOf(data)}
	return c, true
}

// firstOf is the first of a list, or nothing.
func firstOf[T any](list []T) (none T) { return nth(list, 0) }

// ofMS is a time in ms as an instant.
func ofMS(ms float64) linger.Instant { return linger.Instant(ms * float64(time.Millisecond)) }

// nth returns the i-th, or nothing.
func nth[T any](list []T, i int) (none T) {
	if i < 0 || i >= len(list) {
		return none
	}
	return list[i]
}
