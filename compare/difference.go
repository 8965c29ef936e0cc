package compare

import (
	"errors"
	"fmt"
	"strconv"

	"linger"
	"linger/finding"
	"linger/trace"
)

// Change is what differs between two findings: the JSON of linger compare BEFORE AFTER.
type Change struct {
	Workload Workload `json:"workload"` // of the later one
	Network  Network  `json:"network"`
	// Provenance is that of both, empty where they differ.
	Provenance trace.Provenance `json:"provenance,omitempty"`

	Rows     []RowChange       `json:"rows"` // as in the later one, and then those that are gone
	Findings []finding.Finding `json:"findings"`
	Caveats  []finding.Caveat  `json:"doubts"`
}

// RowChange is what became of one strategy.
type RowChange struct {
	Strategy   string `json:"strategy"`
	Persistent bool   `json:"persistent"`
	// Gone and New say that only the earlier or only the later one has the row.
	Gone bool `json:"gone,omitempty"`
	New  bool `json:"new,omitempty"`
	// Before and After are the times, each as it was found.
	Before linger.Opt[Time] `json:"before_ms,omitzero"`
	After  linger.Opt[Time] `json:"after_ms,omitzero"`
	// Time is how much longer it takes now, in ms; less than nothing is shorter. Share
	// is the same as a share of the time before.
	Time  linger.Opt[float64] `json:"time_ms,omitzero"`
	Share linger.Opt[float64] `json:"share,omitzero"`
	// Differs says whether the two intervals have no point in common, Confidence how
	// likely both hold the true median. Both are unknown where a time has no interval,
	// and the confidence where nothing is left to chance.
	Differs    linger.Opt[bool]    `json:"differs,omitzero"`
	Confidence linger.Opt[float64] `json:"confidence,omitzero"`
	// Figures are the others that are not what they were, by their names in the JSON.
	// They are medians of counts and have no intervals.
	Figures []FigureChange `json:"figures"`
}

// FigureChange is a figure that is not what it was. What is unknown is absent.
type FigureChange struct {
	Name   string              `json:"figure"`
	Before linger.Opt[float64] `json:"before,omitzero"`
	After  linger.Opt[float64] `json:"after,omitzero"`
}

// figures are those that a difference looks at, besides the time.
var figures = []struct {
	name string
	of   func(Row) linger.Opt[float64]
}{
	{"failed", func(r Row) linger.Opt[float64] { return linger.Known(float64(r.Failed)) }},
	{"connections", func(r Row) linger.Opt[float64] { return r.Connections }},
	{"handshakes", func(r Row) linger.Opt[float64] { return r.Handshakes }},
	{"resumed", func(r Row) linger.Opt[float64] { return r.Resumed }},
	{"setup_round_trips", func(r Row) linger.Opt[float64] { return r.SetupRoundTrips }},
	{"round_trips", func(r Row) linger.Opt[float64] { return r.RoundTrips }},
	{"requests_per_connection", func(r Row) linger.Opt[float64] { return r.RequestsPerConnection }},
	{"requests_in_vain", func(r Row) linger.Opt[float64] { return r.RequestsInVain }},
	{"packets", func(r Row) linger.Opt[float64] { return both(r.Packets) }},
	{"wire_bytes", func(r Row) linger.Opt[float64] { return both(r.WireBytes) }},
	{"retransmitted", func(r Row) linger.Opt[float64] { return r.Retransmitted }},
	{"retries", func(r Row) linger.Opt[float64] { return r.Retries }},
	{"sockets.client_peak", func(r Row) linger.Opt[float64] { return r.Sockets.ClientPeak }},
	{"sockets.server_peak", func(r Row) linger.Opt[float64] { return r.Sockets.ServerPeak }},
	{"sockets.time_wait", func(r Row) linger.Opt[float64] { return r.Sockets.TimeWait }},
	{"cpu_ms.client", func(r Row) linger.Opt[float64] { return r.CPU.Client }},
	{"cpu_ms.server", func(r Row) linger.Opt[float64] { return r.CPU.Server }},
}

// Check reports why findings that were read from a file are none.
func (f Findings) Check() error {
	if len(f.Rows) == 0 {
		return errors.New("it has no rows")
	}
	seen := map[string]bool{}
	for _, r := range f.Rows {
		if r.Strategy == "" || seen[r.Strategy] {
			return fmt.Errorf("strategy %q has no name, or stands twice", r.Strategy)
		}
		seen[r.Strategy] = true
		t, ok := r.Time.Get()
		low, high := t.Low.Or(t.Median), t.High.Or(t.Median)
		if ok && !(t.Median >= 0 && low >= 0 && low <= t.Median && t.Median <= high && high < 1e15) {
			return fmt.Errorf("the time of %s is none", r.Strategy)
		}
	}
	return nil
}

// Difference returns what has changed from one result to another.
func Difference(before, after Findings) Change {
	d := Change{Workload: after.Workload, Network: after.Network, Findings: []finding.Finding{}, Caveats: []finding.Caveat{}}
	old := map[string]Row{}
	for _, r := range before.Rows {
		old[r.Strategy] = r
	}
	if before.Provenance == after.Provenance {
		d.Provenance = after.Provenance
	}
	predicted := d.Provenance == trace.Predicted
	for _, r := range after.Rows {
		was, ok := old[r.Strategy]
		delete(old, r.Strategy)
		if !ok {
			d.Rows = append(d.Rows, RowChange{Strategy: r.Strategy, Persistent: r.Persistent, New: true, After: r.Time, Figures: []FigureChange{}})
			continue
		}
		d.Rows = append(d.Rows, changeOf(was, r, predicted))
	}
	for _, r := range before.Rows {
		if _, gone := old[r.Strategy]; gone {
			d.Rows = append(d.Rows, RowChange{Strategy: r.Strategy, Persistent: r.Persistent, Gone: true, Before: r.Time, Figures: []FigureChange{}})
		}
	}
	d.doubt(before, after)
	d.find(before.Provenance, after.Provenance)
	return d
}

func changeOf(was, is Row, predicted bool) RowChange {
	c := RowChange{Strategy: is.Strategy, Persistent: is.Persistent, Before: was.Time, After: is.Time, Figures: []FigureChange{}}
	for _, f := range figures {
		if a, b := f.of(was), f.of(is); a != b {
			c.Figures = append(c.Figures, FigureChange{f.name, a, b})
		}
	}
	a, ok := was.Time.Get()
	b, ok2 := is.Time.Get()
	if !ok || !ok2 {
		return c
	}
	c.Time = linger.Known(round(b.Median-a.Median, 1e-3))
	if a.Median > 0 {
		c.Share = linger.Known(round((b.Median-a.Median)/a.Median, 1e-4))
	}
	aLow, known := a.Low.Get()
	aHigh := a.High.Or(a.Median)
	bLow, known2 := b.Low.Get()
	bHigh := b.High.Or(b.Median)
	exact := predicted && aLow == aHigh && bLow == bHigh || predicted && !known && !known2
	switch {
	case exact:
		c.Differs = linger.Known(a.Median != b.Median)
	case known && known2:
		c.Differs = linger.Known(aHigh < bLow || bHigh < aLow)
		if x, y := a.Confidence.Or(0), b.Confidence.Or(0); x > 0 && y > 0 {
			c.Confidence = linger.Known(round(x*y, 1e-6))
		}
	}
	return c
}

// doubt says where the two were not made in the same way.
func (d *Change) doubt(before, after Findings) {
	differ := func(code, cause string, differs bool, of func(Findings) finding.Figures) {
		if !differs {
			return
		}
		c := finding.Caveat{Code: code, Cause: cause}
		for i, figures := range []finding.Figures{of(before), of(after)} {
			for _, f := range figures {
				c.Figures = append(c.Figures, f.Whose([]string{Before, After}[i]))
			}
		}
		d.Caveats = append(d.Caveats, c)
	}
	differ(OtherEngine, "", before.Provenance != after.Provenance || before.Provenance != "" && before.Engine != after.Engine, func(f Findings) finding.Figures {
		return finding.Figures{finding.Word("provenance", string(f.Provenance)), finding.Word("engine", f.Engine)}
	})
	w, v := before.Workload, after.Workload
	differ(OtherScenario, CauseWorkload, w.Name != v.Name, func(f Findings) finding.Figures {
		return finding.Figures{finding.Word("workload", f.Workload.Name)}
	})
	differ(OtherScenario, CauseContent, w != v && w.Name == v.Name, func(f Findings) finding.Figures {
		return finding.Figures{
			finding.Word("workload", f.Workload.Name), count("exchanges", f.Workload.Exchanges),
			finding.Number("bytes", float64(f.Workload.Bytes), "bytes"), finding.Word("scheme", f.Workload.Scheme),
		}
	})
	differ(OtherScenario, CauseNetwork, before.Network != after.Network, func(f Findings) finding.Figures { return f.Network.figures() })
	differ(OtherScenario, CauseSeed, before.Seed != after.Seed, func(f Findings) finding.Figures {
		return finding.Figures{finding.Word("seed", strconv.FormatUint(f.Seed, 10))} // as a number it may lose digits
	})
	differ(OtherTrials, CauseOther, before.Trials != after.Trials, func(f Findings) finding.Figures {
		return finding.Figures{count("trials", f.Trials)}
	})
}

// figures are what tells a path from another of the same name.
func (n Network) figures() finding.Figures {
	out := finding.Figures{finding.Word("network", n.Name)}
	for _, f := range []finding.Figure{
		{Name: "rtt", Value: n.RTT, Unit: "ms"}, {Name: "down", Value: n.Down, Unit: "kbit/s"},
		{Name: "up", Value: n.Up, Unit: "kbit/s"}, {Name: "loss", Value: n.Loss, Unit: "share"},
	} {
		if !f.Value.IsZero() {
			out = append(out, f)
		}
	}
	return out
}

// Whose a figure of a difference is.
const (
	Before = "before"
	After  = "after"
)

// find tells which times have changed.
func (d *Change) find(before, after trace.Provenance) {
	about := func(code string, r RowChange, figures ...finding.Figure) {
		d.Findings = append(d.Findings, finding.Finding{Code: code, Severity: finding.Note, Subject: finding.Subject{Kind: "strategy", Name: r.Strategy}, Figures: figures})
	}
	rest := map[string][]RowChange{}
	for _, r := range d.Rows {
		a, ok := r.Before.Get()
		b, ok2 := r.After.Get()
		differs, told := r.Differs.Get()
		code := ""
		switch {
		case r.New:
			code = RowNew
		case r.Gone:
			code = RowGone
		case !ok || !ok2:
			code = TimeMissing
		case !told:
			code = TimeUntold
		case !differs:
			code = TimeSteady
		default:
			about(TimeChanged, r, a.Figure(before).Whose(Before), b.Figure(after).Whose(After))
			continue
		}
		rest[code] = append(rest[code], r)
	}
	for _, code := range []string{TimeSteady, TimeUntold, TimeMissing, RowGone, RowNew} {
		for _, r := range rest[code] {
			about(code, r)
		}
	}
}
