package report

import (
	"math"
	"slices"

	"linger"
	"linger/compare/difference"
	"linger/compare/times"
	"linger/finding"
	"linger/report/table"
	"linger/trace"
)

// Changes is the table of what has changed of each strategy. An empty cell is as
// before.
func Changes(d difference.Change) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "time before"}, {Head: "time after"}, {Head: "change"},
	}}
	figures := []struct {
		head   table.Column
		name   string
		format func(float64) string
	}{
		{head("conns", 1), "connections", finding.Count}, {head("RTTs", 2), "round_trips", finding.RTTs},
		{head("packets", 3), "packets", finding.Count}, {head("kB", 4), "wire_bytes", finding.WholeKB},
		{head("failed", 5), "failed", finding.Count},
	}
	for _, one := range figures {
		t.Columns = append(t.Columns, one.head)
	}
	for _, r := range d.Rows {
		row := t.Add(table.Word(table.Short(r.Strategy, LongestName)), bounded(r.Before, r.AtLeastBefore, d.Provenance), bounded(r.After, r.AtLeastAfter, d.Provenance), changed(r))
		for _, one := range figures {
			row.Cells = append(row.Cells, figureChange(r, one.name, one.format))
		}
	}
	return t.Without(4, table.Nothing)
}

// figureChange is a figure before and after; empty where it is as before, or differs
// by less than is shown.
func figureChange(r difference.RowChange, name string, format func(float64) string) table.Cell {
	k := slices.IndexFunc(r.Figures, func(f difference.FigureChange) bool { return f.Name == name })
	if k < 0 {
		return table.Cell{}
	}
	before, after := table.Known(r.Figures[k].Before, format).Text, table.Known(r.Figures[k].After, format).Text
	if before == after {
		return table.Cell{}
	}
	mark := ""
	if differs, ok := r.Figures[k].Differs.Get(); ok && !differs || !ok && !r.Differs.Or(false) {
		mark = "~ "
	}
	return table.Word(mark + before + "→" + after)
}

// took is a time with the digits that its uncertainty leaves.
func took(t linger.Opt[times.Time], p trace.Provenance) table.Cell {
	v, ok := t.Get()
	if !ok {
		return table.Unknown()
	}
	return table.Number(v.Median, func(ms float64) string { return finding.Duration(ms, v.Blur(p)) })
}

// bounded is a time, or what it is at least.
func bounded(t linger.Opt[times.Time], least linger.Opt[float64], p trace.Provenance) table.Cell {
	if v, ok := least.Get(); ok && t.IsZero() {
		return table.Word("≥" + finding.Duration(v, v/10))
	}
	return took(t, p)
}

// changed says how much longer a strategy takes, where that is more than noise: a
// tilde stands before what may be noise.
func changed(r difference.RowChange) table.Cell {
	v, ok := r.Share.Get()
	switch {
	case r.New:
		return table.Word("new")
	case r.Gone:
		return table.Word("gone")
	case !ok:
		return table.Unknown()
	}
	mark, sign := "", "+"
	if !r.Differs.Or(false) {
		mark = "~ "
	}
	switch {
	case math.Abs(v) < 0.005:
		sign = ""
	case v < 0:
		sign = "−"
	}
	return table.Number(v, func(float64) string { return mark + sign + finding.Share(math.Abs(v)) })
}
