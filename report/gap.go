package report

import (
	"encoding/json"
	"fmt"
	"io"

	"linger"
	"linger/compare"
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
