package difference

import (
	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/stats"
)

// A Gap is how far a prediction is from the measurement of one strategy, as a share
// of what was measured: 0.02 is 2 % more than that.
type Gap struct {
	Strategy    string              `json:"strategy"`
	Time        linger.Opt[float64] `json:"time,omitzero"`
	Packets     linger.Opt[float64] `json:"packets,omitzero"`    // both ways
	WireBytes   linger.Opt[float64] `json:"wire_bytes,omitzero"` // both ways
	Connections linger.Opt[float64] `json:"connections,omitzero"`
	Handshakes  linger.Opt[float64] `json:"handshakes,omitzero"`
}

// Gaps returns the gap of each strategy that stands in both.
func Gaps(measured, predicted compare.Findings) []Gap {
	var out []Gap
	for _, m := range measured.Rows {
		for _, p := range predicted.Rows {
			if p.Strategy != m.Strategy {
				continue
			}
			out = append(out, Gap{
				Strategy: m.Strategy,
				Time:     gap(m.Time, p.Time, func(t times.Time) float64 { return t.Median }),
				Packets:  gap(m.Packets, p.Packets, facts.Directions.Sum), WireBytes: gap(m.WireBytes, p.WireBytes, facts.Directions.Sum),
				Connections: gap(m.Connections, p.Connections, self), Handshakes: gap(m.Handshakes, p.Handshakes, self),
			})
		}
	}
	return out
}

func self(v float64) float64 { return v }

func gap[T any](measured, predicted linger.Opt[T], of func(T) float64) linger.Opt[float64] {
	m, ok := measured.Get()
	p, ok2 := predicted.Get()
	if !ok || !ok2 || of(m) == 0 {
		return linger.Opt[float64]{}
	}
	return linger.Known(stats.Round(of(p)/of(m)-1, 1e-4))
}
