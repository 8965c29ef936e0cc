package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"

	"linger"
	"linger/compare"
	"linger/finding"
)

// Gaps writes how far each prediction is from the measurement.
func Gaps(w io.Writer, gaps []compare.Gap) error {
	if _, err := fmt.Fprintf(w, "Predicted against measured\n\n  %-14s %9s %9s %11s %11s %11s\n", "strategy", "time", "packets", "wire bytes", "connections", "handshakes"); err != nil {
		return err
	}
	for _, g := range gaps {
		if _, err := fmt.Fprintf(w, "  %-14s %9s %9s %11s %11s %11s\n", g.Strategy, share(g.Time), share(g.Packets), share(g.WireBytes), share(g.Connections), share(g.Handshakes)); err != nil {
			return err
		}
	}
	return nil
}

// share is a gap in per cent, with its sign.
func share(o linger.Opt[float64]) string {
	v, ok := o.Get()
	switch {
	case !ok:
		return "-"
	case v == 0:
		return "0 %"
	}
	return fmt.Sprintf("%+.1f %%", 100*v)
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
	columns := columnsOf(measured)
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
func gapTable(measured, predicted compare.Findings) table {
	t := table{Caption: "Of each strategy: time as measured and as predicted, and how far the prediction is off, in per cent of what was measured",
		Heads: []tableHead{{"strategy", true}, {"measured, ms", false}, {"predicted, ms", false}, {"time", false}, {"packets", false}, {"wire bytes", false}, {"connections", false}, {"handshakes", false}}}
	time := func(f compare.Findings, strategy string) string {
		for _, r := range f.Rows {
			if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
				return finding.Fixed(t.Median, finding.Decimals(t.Median, t.Blur(f.Provenance)))
			}
		}
		return unknown
	}
	for _, g := range compare.Gaps(measured, predicted) {
		cells := []tableCell{{Text: g.Strategy, Left: true}}
		for _, text := range []string{time(measured, g.Strategy), time(predicted, g.Strategy), share(g.Time), share(g.Packets), share(g.WireBytes), share(g.Connections), share(g.Handshakes)} {
			cells = append(cells, tableCell{Text: text})
		}
		t.Rows = append(t.Rows, tableRow{Cells: cells})
	}
	return t
}
