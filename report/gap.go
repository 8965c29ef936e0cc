package report

import (
	"fmt"

	"linger"
	"linger/compare"
	"linger/compare/difference"
	"linger/finding"
	"linger/report/table"
)

// Gaps puts a prediction beside what was measured, and how far it is off.
func Gaps(measured, predicted compare.Findings) table.Table {
	t := table.Table{
		Caption: "Of each strategy: time as measured and as predicted, and how far the prediction is off, in per cent of what was measured",
		Columns: []table.Column{
			{Head: "strategy", Align: table.Left}, {Head: "measured, ms", Unit: "ms"}, {Head: "predicted, ms", Unit: "ms"}, {Head: "time"}, {Head: "packets"}, {Head: "wire bytes"}, {Head: "connections"}, {Head: "handshakes"},
		},
	}
	time := func(f compare.Findings, strategy string) table.Cell {
		for _, r := range f.Rows {
			if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
				return table.Number(t.Median, func(ms float64) string {
					return finding.Fixed(ms, finding.Decimals(ms, t.Blur(f.Provenance)))
				})
			}
		}
		return table.Unknown()
	}
	for _, g := range difference.Gaps(measured, predicted) {
		t.Add(table.Word(g.Strategy), time(measured, g.Strategy), time(predicted, g.Strategy),
			off(g.Time), off(g.Packets), off(g.WireBytes), off(g.Connections), off(g.Handshakes))
	}
	return t
}

// off is a gap in per cent, with its sign.
func off(o linger.Opt[float64]) table.Cell {
	return table.Known(o, func(v float64) string {
		if v == 0 {
			return "0 %"
		}
		return fmt.Sprintf("%+.1f %%", 100*v)
	})
}
