package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report/table"
)

// Gaps writes how far each prediction is from the measurement.
func Gaps(w io.Writer, gaps []compare.Gap) error {
	if _, err := fmt.Fprintf(w, "Predicted against measured\n\n  %-14s %9s %9s %11s %11s %11s\n", "strategy", "time", "packets", "wire bytes", "connections", "handshakes"); err != nil {
		return err
	}
	for _, g := range gaps {
		if _, err := fmt.Fprintf(w, "  %-14s %9s %9s %11s %11s %11s\n", g.Strategy, off(g.Time).Text, off(g.Packets).Text, off(g.WireBytes).Text, off(g.Connections).Text, off(g.Handshakes).Text); err != nil {
			return err
		}
	}
	return nil
}

// JSONBoth is JSON of what was measured, with what was predicted and the gaps.
func JSONBoth(w io.Writer, measured, predicted compare.Findings, version string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Linger string `json:"linger"`
		compare.Findings
		Predicted compare.Findings `json:"predicted"`
		Gaps      []compare.Gap    `json:"gaps"`
	}{version, measured, predicted, compare.Gaps(measured, predicted)})
}

// CSVBoth is CSV of what was measured, and below it of what was predicted: the first
// column says which.
func CSVBoth(w io.Writer, measured, predicted compare.Findings) error {
	c := csv.NewWriter(w)
	columns := csvColumnsOf(measured)
	c.Write(append([]string{"provenance"}, namesOf(columns)...))
	for _, f := range []compare.Findings{measured, predicted} {
		for _, r := range f.Rows {
			c.Write(append([]string{string(f.Provenance)}, lineOf(columns, r)...))
		}
	}
	c.Flush()
	return c.Error()
}

// gapTable puts a prediction beside what was measured, and how far it is off.
func gapTable(measured, predicted compare.Findings) table.Table {
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
	for _, g := range compare.Gaps(measured, predicted) {
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
