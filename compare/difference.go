package compare

import (
	"errors"
	"fmt"
	"math"

	"linger"
	"linger/finding"
	"linger/trace"
)

// Codes of doubts about a difference of two results.
const (
	OtherEngine   = "engine"   // measured, predicted or observed in another way
	OtherScenario = "scenario" // another workload, network or seed
	OtherTrials   = "trials"   // another number of trials
)

// Change is what differs between two findings: the JSON of linger compare BEFORE AFTER.
type Change struct {
	Workload Workload `json:"workload"` // of the later one
	Network  Network  `json:"network"`
	// Provenance is that of both, empty where they differ.
	Provenance trace.Provenance `json:"provenance,omitempty"`

	Rows   []RowChange `json:"rows"` // as in the later one, and then those that are gone
	Text   string      `json:"text"` // what has changed, in sentences
	Doubts []Doubt     `json:"doubts"`
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
	d := Change{Workload: after.Workload, Network: after.Network, Doubts: []Doubt{}}
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
	d.Text = d.text(before.Provenance, after.Provenance)
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
	add := func(code, format string, args ...any) {
		d.Doubts = append(d.Doubts, Doubt{code, fmt.Sprintf(format, args...)})
	}
	if a, b := made(before), made(after); a != b {
		add(OtherEngine, "the earlier result was %s, the later one %s: part of the difference is theirs", a, b)
	}
	w, v := before.Workload, after.Workload
	switch {
	case w != v && w.Name != v.Name:
		add(OtherScenario, "the workloads differ: %s before, %s after", w.Name, v.Name)
	case w != v:
		add(OtherScenario, "the workloads differ: %s had %s of %d bytes by %s, and has %s of %d bytes by %s", v.Name,
			finding.Plural(float64(w.Exchanges), "exchange"), w.Bytes, w.Scheme, finding.Plural(float64(v.Exchanges), "exchange"), v.Bytes, v.Scheme)
	}
	if before.Network != after.Network {
		add(OtherScenario, "the networks differ: %s before, %s after", wayOf(before.Network), wayOf(after.Network))
	}
	if before.Seed != after.Seed {
		add(OtherScenario, "the seeds differ: %d before, %d after; sizes and losses may too", before.Seed, after.Seed)
	}
	if before.Trials != after.Trials {
		add(OtherTrials, "the trials of each strategy were %d before and %d after", before.Trials, after.Trials)
	}
}

func made(f Findings) string {
	if f.Provenance == "" {
		return "nothing"
	}
	return fmt.Sprintf("%s (engine: %s)", f.Provenance, f.Engine)
}

// wayOf names a path by what tells it from another of the same name.
func wayOf(n Network) string {
	s := n.Name
	if v, ok := n.RTT.Get(); ok {
		rate := func(o linger.Opt[float64]) string { return linger.Rate(o.Or(0) * float64(linger.Kbps)).String() }
		s += fmt.Sprintf(" (%g ms, %s down, %s up, %g %% lost)", v, rate(n.Down), rate(n.Up), 100*n.Loss.Or(0))
	}
	return s
}

// text says in sentences which times have changed.
func (d *Change) text(before, after trace.Provenance) string {
	j := judgement{}
	var untold, steady, unknown, gone, added []string
	for _, r := range d.Rows {
		a, ok := r.Before.Get()
		b, ok2 := r.After.Get()
		differs, told := r.Differs.Get()
		switch {
		case r.New:
			added = append(added, r.Strategy)
		case r.Gone:
			gone = append(gone, r.Strategy)
		case !ok || !ok2:
			unknown = append(unknown, r.Strategy)
		case !told:
			untold = append(untold, r.Strategy)
		case !differs:
			steady = append(steady, r.Strategy)
		default:
			x, y := a.Blur(before), b.Blur(after)
			word, by := "longer", b.Median-a.Median
			if by < 0 {
				word, by = "less", -by
			}
			ratio, doubt := finding.Quotient(b.Median, y, a.Median, x)
			j.say("%s takes %s%s %s than before: %s, not %s.", r.Strategy, finding.Duration(by, x+y), finding.InBrackets(math.Abs(1-ratio), doubt), word,
				finding.Duration(b.Median, y), finding.Duration(a.Median, x))
		}
	}
	for _, s := range []struct {
		names     []string
		one, more string
	}{
		{steady, "has not changed by more than the intervals of its times allow for", "have not changed by more than the intervals of their times allow for"},
		{untold, "has no interval of its time to tell a change from luck by", "have no intervals of their times to tell a change from luck by"},
		{unknown, "has no time in one of the two", "have no time in one of the two"},
		{gone, "is no longer there", "are no longer there"},
		{added, "is new", "are new"},
	} {
		switch len(s.names) {
		case 0:
		case 1:
			j.say("%s %s.", s.names[0], s.one)
		default:
			j.say("%s %s.", list(s.names), s.more)
		}
	}
	out := ""
	for i, s := range j.sentences {
		if i > 0 {
			out += "\n"
		}
		out += s
	}
	return out
}
