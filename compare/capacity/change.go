package capacity

import (
	"slices"

	"linger"
	"linger/stats"
)

// A Change is what differs between two loads.
type Change struct {
	Format string   `json:"format"`
	Rows   []Moved  `json:"rows"`
	Only   []string `json:"only,omitempty"` // strategies that one of the two alone has
	// Differs names what besides the server differs: "connections", "rate", "urls",
	// "machine", "settings".
	Differs []string `json:"differs,omitempty"`
}

// ChangeFormat names the document.
const ChangeFormat = "linger bench-change 1"

// A Moved is one strategy, after by before.
type Moved struct {
	Strategy string `json:"strategy"`
	// Before and After are requests a second.
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	Ratio  Ratio   `json:"after_to_before"`
	// RateP is how likely rates this far apart are if nothing differs; unknown of under two
	// turns.
	RateP linger.Opt[float64] `json:"rate_p,omitzero"`
	// Opened are connections of either.
	Opened [2]int64 `json:"connections_opened"`
}

// ChangeOf says what differs.
func ChangeOf(before, after *Result) *Change {
	c := &Change{Format: ChangeFormat}
	for _, b := range before.Rows {
		i := slices.IndexFunc(after.Rows, func(r Row) bool { return r.Strategy == b.Strategy })
		if i < 0 {
			c.Only = append(c.Only, b.Strategy)
			continue
		}
		a := after.Rows[i]
		m := Moved{Strategy: b.Strategy, Before: b.Rate.Value, After: a.Rate.Value, Ratio: apart(a, b), Opened: [2]int64{b.Opened, a.Opened}}
		if x, y := stats.New(b.Rates...), stats.New(a.Rates...); x.N() > 1 && y.N() > 1 {
			m.RateP = linger.Known(stats.Compare(x, y).P)
		}
		c.Rows = append(c.Rows, m)
		if a.Asked != b.Asked && !slices.Contains(c.Differs, "connections") {
			c.Differs = append(c.Differs, "connections")
		}
	}
	for _, a := range after.Rows {
		if !slices.ContainsFunc(before.Rows, func(r Row) bool { return r.Strategy == a.Strategy }) {
			c.Only = append(c.Only, a.Strategy)
		}
	}
	for _, d := range []struct {
		name string
		is   bool
	}{
		{"urls", !slices.Equal(before.URLs, after.URLs)}, {"machine", before.Machine != after.Machine}, {"rate", before.Settings.Rate != after.Settings.Rate},
		{"settings", withoutTurns(before.Settings) != withoutTurns(after.Settings)},
	} {
		if d.is {
			c.Differs = append(c.Differs, d.name)
		}
	}
	return c
}

// withoutTurns are the settings that make loads comparable.
func withoutTurns(s Settings) Settings {
	s.Turns, s.Turn, s.WarmUp, s.Rate = 0, 0, 0, ""
	return s
}

// apart is the ratio of two strategies that did not take turns.
func apart(a, b Row) Ratio {
	r := ratioOf(a, b)
	r.Strategy, r.To = "", ""
	for _, one := range []struct {
		to   *linger.Opt[Estimate]
		a, b []float64
	}{{&r.Rate, a.Rates, b.Rates}, {&r.CPU, a.cpus[0], b.cpus[0]}, {&r.ServerCPU, a.cpus[1], b.cpus[1]}} {
		*one.to = linger.Opt[Estimate]{}
		if e, ok := stats.Ratio(stats.New(one.a...), stats.New(one.b...)); ok {
			*one.to = linger.Known(estimateOf(e))
		}
	}
	return r
}
