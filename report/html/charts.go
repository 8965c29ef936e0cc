package html

import (
	"fmt"
	"strings"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report"
	"linger/report/table"
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
func strategyRows(f compare.Findings, draw func(row int, r compare.Row, out *chartRow)) (rows []chartRow) {
	group := ""
	for _, i := range report.Order(f.Rows) {
		r := f.Rows[i]
		row := chartRow{Name: table.Short(r.Strategy, report.LongestName)}
		if tone(f, r) == "best" {
			row.Class = "best"
		}
		if of := family(r); of != group {
			group, row.Group = of, of
		}
		draw(i, r, &row)
		rows = append(rows, row)
	}
	return rows
}

// longest is a scale on which the times of all rows have room, with their intervals.
func longest(f compare.Findings) (s scale) {
	for _, r := range f.Rows {
		if t, ok := r.Time.Get(); ok {
			s.end = max(s.end, ofMS(max(t.Median, t.High.Or(0))))
		}
		s.end = max(s.end, ofMS(r.AtLeast.Or(0)))
	}
	return s
}

// raceChart draws the time of each strategy as a bar on one axis, with its interval, and the
// figures that explain it beside.
func raceChart(f compare.Findings) chart {
	c := chart{ID: "race", Class: "figured", Label: "The time of each strategy, median and interval; shorter is better."}
	s := longest(f)
	clock, unit := report.Times(f)
	data := table.Table{Caption: "Time of each strategy", Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "time, ms", Unit: "ms"}, {Head: "from"}, {Head: "to"}, {Head: "× fastest"}, {Head: "connections"}, {Head: "round trips"}, {Head: "packets"}, {Head: "kB on the wire"},
	}}
	c.Rows = strategyRows(f, func(i int, r compare.Row, out *chartRow) {
		id := fmt.Sprintf("race-%d", i)
		row := data.Add(table.Word(r.Strategy))
		row.ID = id
		time := func(o linger.Opt[float64]) table.Cell { return table.Known(o, report.Tenth) }
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
			out.Strip.Marks = append([]mark{s.span(tone(f, r), id, 0, ofMS(t.Median), 4, 14)}, whisker(s, t, middle)...)
		case !r.AtLeast.IsZero():
			least := r.AtLeast.Or(0)
			out.Value, out.Aside = clock(r).Text+" "+unit, fmt.Sprintf("%d of %d failed", r.Failed, r.Trials)
			out.Strip.Marks = []mark{s.span(tone(f, r)+" open", id, 0, ofMS(least), 4, 14)}
		default:
			out.Value, out.Aside = "no time", fmt.Sprintf("%d of %d failed", r.Failed, r.Trials)
		}
		counts := []table.Cell{table.Known(r.Connections, finding.Count), table.Known(r.RoundTrips, report.Trips), bothWays(r.Packets, finding.Count), bothWays(r.WireBytes, report.Kilo)}
		row.Cells = append(row.Cells, time(median), time(low), time(high), table.Known(r.RatioToBest, report.Trips))
		row.Cells = append(row.Cells, counts...)
	})
	if s.end > 0 {
		c.Axis = s.below()
	}
	beside(f, c.Rows)
	c.Data = []tableView{tableOf(data)}
	return c
}

// mostBeside is how many figures stand beside a bar.
const mostBeside = 4

// beside puts the first figures of the table of costs beside the bars: those that are no time,
// ratio or interval. The rows of both are in one order.
func beside(f compare.Findings, rows []chartRow) {
	costs := firstOf(report.Figures(f))
	for i, column := range costs.Columns {
		if i < 2 || column.Spare >= report.SpareIntervals || column.Head == report.VersusBest || len(firstOf(rows).Figures) == mostBeside {
			continue
		}
		for k, row := range costs.Rows {
			rows[k].Figures = append(rows[k].Figures, chartFigure{column.Head, row.Cells[i].Text})
		}
	}
}

// whisker draws the interval of a time: a line with an end where one is known.
func whisker(s scale, t compare.Time, middle px) []mark {
	low, ok := t.Low.Get()
	if !ok {
		return nil
	}
	from, to := s.at(ofMS(low)), pc(100)
	if high, ok := t.High.Get(); ok {
		to = s.at(ofMS(high))
	}
	var out []mark
	for _, class := range []string{"whisker halo", "whisker"} {
		out = append(out, rule(class, from, middle, to, middle), rule(class, from, middle-3, from, middle+3))
		if !t.High.IsZero() {
			out = append(out, rule(class, to, middle-3, to, middle+3))
		}
	}
	return out
}

// bothWays is a count of both directions together.
func bothWays(o linger.Opt[compare.Ways], format func(float64) string) table.Cell {
	if w, ok := o.Get(); ok {
		return table.Number(w.Sum(), format)
	}
	return table.Unknown()
}

// trialChart draws every trial as a ring, and the median with its interval.
func trialChart(f compare.Findings, trials [][]compare.Trial) chart {
	c := chart{ID: "time", Label: "The time of every trial of each strategy, with the median and its interval; shorter is better."}
	s := longest(f)
	for i := range f.Rows {
		for _, one := range nth(trials, i) {
			s.end = max(s.end, ofMS(one.Time))
		}
	}
	clock, unit := report.Times(f)
	data := table.Table{Caption: "Time of every trial", Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "trial"}, {Head: "time, ms", Unit: "ms"}, {Head: "delivered", Align: table.Left},
	}}
	c.Rows = strategyRows(f, func(i int, r compare.Row, out *chartRow) {
		const middle = 12
		out.Strip.H = 24
		if t, ok := r.Time.Get(); ok {
			out.Value = clock(r).Text + " " + unit
			median := s.at(ofMS(t.Median))
			out.Strip.Marks = append(whisker(s, t, middle), rule("median "+tone(f, r), median, middle-8, median, middle+8))
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
			out.Strip.Marks = append(out.Strip.Marks, mark{Shape: "circle", Class: class, Row: id, X: s.at(ofMS(one.Time)), Y: middle + px(k%3-1)*4, W: px(3.4)})
			data.Add(table.Word(r.Strategy), table.Int(one.Number), table.Number(one.Time, report.Tenth), table.Word(said)).ID = id
		}
	})
	c.Axis = s.below()
	c.Data = []tableView{tableOf(data)}
	return c
}

// trafficCharts draw the packets and the bytes of each strategy, up to the left of a line
// and down to its right. There are none where nobody counted.
func trafficCharts(f compare.Findings) (out []chart) {
	none := func(compare.Row) linger.Opt[compare.Ways] { return linger.Opt[compare.Ways]{} }
	for _, panel := range []struct {
		id, what, unit string
		figure, inner  func(compare.Row) linger.Opt[compare.Ways] // inner is a part of it
		format         func(float64) string
	}{
		{"packets", "Packets", "", func(r compare.Row) linger.Opt[compare.Ways] { return r.Packets }, none, finding.Count},
		{"bytes", "Bytes on the wire", " kB", func(r compare.Row) linger.Opt[compare.Ways] { return r.WireBytes }, func(r compare.Row) linger.Opt[compare.Ways] { return r.PayloadBytes }, report.Kilo},
	} {
		up, down := 0.0, 0.0
		for _, r := range f.Rows {
			w, _ := panel.figure(r).Get()
			up, down = max(up, w.Up), max(down, w.Down)
		}
		if up+down <= 0 {
			continue
		}
		c := chart{ID: "traffic-" + panel.id, Label: panel.what + " of each strategy: up to the left, down to the right."}
		data := table.Table{Caption: panel.what + " of each strategy, medians", Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "up"}, {Head: "down"}, {Head: "payload up"}, {Head: "payload down"}}}
		zero := percent(up / (up + down))
		c.Rows = strategyRows(f, func(i int, r compare.Row, out *chartRow) {
			id := fmt.Sprintf("traffic-%s-%d", panel.id, i)
			out.Strip.H = 20
			w, ok := panel.figure(r).Get()
			if !ok {
				out.Value = "not counted"
				return
			}
			out.Value = "↑ " + panel.format(w.Up) + "  ↓ " + panel.format(w.Down) + panel.unit
			bars := func(class string, w compare.Ways, y, h px) {
				l, r := percent(w.Up/(up+down)), percent(w.Down/(up+down))
				out.Strip.Marks = append(out.Strip.Marks, rect(class, id, zero-l, l, y, h), rect(class, id, zero, r, y, h))
			}
			bars("wire", w, 4, 12)
			row := data.Add(table.Word(r.Strategy), table.Number(w.Up, finding.Exact), table.Number(w.Down, finding.Exact), table.Cell{}, table.Cell{})
			row.ID = id
			if in, ok := panel.inner(r).Get(); ok {
				bars("payload", in, 4, 12)
				row.Cells[3], row.Cells[4] = table.Number(in.Up, finding.Exact), table.Number(in.Down, finding.Exact)
			}
			out.Strip.Marks = append(out.Strip.Marks, rule("base", zero, 0, zero, 20))
		})
		c.Data = []tableView{tableOf(data.Without(3, table.Nothing))}
		out = append(out, c)
	}
	return out
}

// mostHeld bounds the steps of a line, for a load of thousands of connections.
const mostHeld = 400

// heldChart draws how many connections each strategy held over time.
func heldChart(f compare.Findings, typical []*trace.Trace) chart {
	c := chart{ID: "held", Label: "How many connections each strategy held open over time, in one trial."}
	s, most := scale{}, 1
	for _, t := range typical {
		if t != nil {
			s.end = max(s.end, t.Ended)
			_, peak := compare.HeldOverTime(t)
			most = max(most, peak)
		}
	}
	data := table.Table{Caption: "Connections held over time", Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "from, ms", Unit: "ms"}, {Head: "connections"}}}
	c.Rows = strategyRows(f, func(i int, r compare.Row, out *chartRow) {
		const base, room = 29, 26
		out.Strip = strip{H: base + 1, Marks: []mark{rule("base", 0, base, 100, base)}}
		t := nth(typical, i)
		if t == nil {
			return
		}
		held, peak := compare.HeldOverTime(t)
		for k, h := range held {
			if k == mostHeld {
				break
			}
			id := fmt.Sprintf("held-%d-%d", i, k)
			if h.Open > 0 && k+1 < len(held) {
				high := px(h.Open) / px(most) * room
				out.Strip.Marks = append(out.Strip.Marks, s.span("held "+tone(f, r), id, h.At, held[k+1].At, base-high, high))
			}
			data.Add(table.Word(r.Strategy), table.Number(h.At.Milliseconds(), report.Tenth), table.Int(h.Open)).ID = id
		}
		out.Value = fmt.Sprintf("at most %d", peak)
	})
	c.Axis = s.below()
	c.Data = []tableView{tableOf(data)}
	return c
}
