package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"linger/compare"
	"linger/compare/across"
	"linger/compare/difference"
	"linger/finding"
	"linger/report/table"
	"linger/trace"
)

// NetworksTitle says what was fetched over how many networks.
func NetworksTitle(n across.Networks) string {
	if len(n.Each) > 4 {
		return loadOf(n.Each[0]) + fmt.Sprintf(" · %d networks", len(n.Each))
	}
	var names []string
	for _, f := range n.Each {
		names = append(names, table.Clean(f.Network.Named()))
	}
	return loadOf(n.Each[0]) + " · " + strings.Join(names, ", ")
}

// NetworkParts say what each network is, "3g: 300 ms RTT, 1600/768 kbit/s, no loss".
func NetworkParts(n across.Networks) (out []string) {
	for _, f := range n.Each {
		out = append(out, strings.TrimPrefix(over(f.Network), " · "))
	}
	return out
}

// How much of each network the table of several has.
const (
	WithIntervals = iota // time, interval, ratio
	WithRatios           // time and ratio
	TimesAlone
)

// Networks is the table of a comparison on several networks: a row for each strategy, and of
// each network the time with its interval and how it stands to the fastest there.
func Networks(n across.Networks, much int) table.Table {
	t := table.Table{Caption: "Time of each strategy on each network", Columns: []table.Column{{Head: "strategy", Align: table.Left}}}
	of := make([][]figure, len(n.Each))
	for i, f := range n.Each {
		time := timeColumn(f)
		figures := []figure{time}
		if _, ok := Confidence(f); ok && much == WithIntervals {
			figures = append(figures, interval(f, time.Unit))
		}
		if much <= WithRatios {
			figures = append(figures, ratio(f))
		}
		if slices.ContainsFunc(f.Rows, func(r compare.Row) bool { return r.Failed > 0 }) {
			figures = append(figures, failed())
		}
		for k, g := range figures {
			if k == 0 {
				g.Over = table.Clean(f.Network.Named())
			}
			g.Spare = 0
			t.Columns = append(t.Columns, g.Column)
		}
		of[i] = figures
	}
	kind := ""
	for _, name := range strategiesOf(n) {
		row := t.Add(table.Word(table.Short(name, LongestName)))
		for i, f := range n.Each {
			k := slices.IndexFunc(f.Rows, func(r compare.Row) bool { return r.Strategy == name })
			for _, g := range of[i] {
				if k < 0 {
					row.Cells = append(row.Cells, table.Unknown())
					continue
				}
				cell := g.cell(f.Rows[k])
				if f.Verdict.Best == name {
					cell.Style = table.Good
				}
				row.Cells = append(row.Cells, cell)
			}
			if k < 0 {
				continue
			}
			row.Cells[0].Flagged = row.Cells[0].Flagged || f.Rows[k].NotHonoured
			if of := Kind(f.Rows[k]); of != kind {
				kind, row.Group = of, of
			}
		}
	}
	return t
}

// ByNetwork is the table of many networks: a row for each, with the time of each strategy, all in
// one unit, and which is fastest.
func ByNetwork(n across.Networks) table.Table {
	unit, scale := "ms", 1.0
	for _, f := range n.Each {
		if u, s := unitOf(f); s > scale {
			unit, scale = u, s
		}
	}
	names := strategiesOf(n)
	t := table.Table{Caption: "Time of each strategy on each network", Columns: []table.Column{{Head: "time, " + unit, Align: table.Left}, {Head: "fastest", Align: table.Left}}}
	for i, name := range names {
		t.Columns = append(t.Columns, table.Column{Head: table.Short(name, LongestName), Unit: unit, Align: table.Point, Spare: i + 1})
	}
	for _, f := range n.Each {
		fastest := table.Given(f.Verdict.Fastest)
		if f.Verdict.Best != "" {
			fastest.Style = table.Good
		}
		row := t.Add(table.Word(f.Network.Named()), fastest)
		for _, name := range names {
			cell := table.Unknown()
			for _, r := range f.Rows {
				if r.Strategy == name {
					cell = timeIn(r, f, scale)
				}
			}
			row.Cells = append(row.Cells, cell)
		}
	}
	return t
}

// strategiesOf lists the strategies of all networks, the non-persistent first.
func strategiesOf(n across.Networks) (names []string) {
	var rows []compare.Row
	for _, f := range n.Each {
		for _, r := range f.Rows {
			if !slices.ContainsFunc(rows, func(known compare.Row) bool { return known.Strategy == r.Strategy }) {
				rows = append(rows, r)
			}
		}
	}
	for _, i := range Order(rows) {
		names = append(names, rows[i].Strategy)
	}
	return names
}

// NetworksBrief says in a few words how all of it came about.
func NetworksBrief(n across.Networks) string {
	f := n.Each[0]
	fewest, most := f.Trials, 0
	for _, one := range n.Each {
		for _, r := range one.Rows {
			fewest, most = min(fewest, r.Trials), max(most, r.Trials)
		}
	}
	trials := fmt.Sprintf("%d to %d trials", fewest, most)
	if fewest >= most {
		trials = finding.Plural(float64(most), "trial")
	}
	switch {
	case f.Provenance == trace.Predicted && most <= 1:
		return "Predicted by the simulator, not measured."
	case f.Provenance == trace.Predicted:
		return "Predicted by the simulator, not measured: " + trials + " each."
	}
	s := "Lab: " + trials + " each"
	worst := slices.MaxFunc(n.Each, func(a, b compare.Findings) int {
		x, _ := widest(a)
		y, _ := widest(b)
		return cmp.Compare(x, y)
	})
	if c, ok := Confidence(worst); ok {
		by, of := reach(worst)
		s += fmt.Sprintf("; widest %s %% CI ±%s (%s on %s)", finding.Trimmed(100*c, 0), by, of, table.Clean(worst.Network.Named()))
	}
	return s + "."
}

// NetworkGaps puts beside each other how far the predicted times are off on each network.
func NetworkGaps(measured, predicted across.Networks) table.Table {
	t := table.Table{Caption: "How far the predicted time is off on each network, in per cent of what was measured", Columns: []table.Column{{Head: "strategy", Align: table.Left}}}
	gaps := make([]map[string]difference.Gap, len(measured.Each))
	for i, f := range measured.Each {
		t.Columns = append(t.Columns, table.Column{Head: table.Clean(f.Network.Named())})
		gaps[i] = map[string]difference.Gap{}
		for _, p := range predicted.Each {
			if p.Network.Name != f.Network.Name {
				continue
			}
			for _, g := range difference.Gaps(f, p) {
				gaps[i][g.Strategy] = g
			}
		}
	}
	for _, name := range strategiesOf(measured) {
		row := t.Add(table.Word(table.Short(name, LongestName)))
		for i := range gaps {
			row.Cells = append(row.Cells, off(gaps[i][name].Time))
		}
	}
	return t
}
