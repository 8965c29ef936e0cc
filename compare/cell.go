package compare

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"linger"
	"linger/stats"
	"linger/trace"
)

// An Outcome is what is kept of one trial of a sweep.
type Outcome struct {
	Time  float64 // in ms
	Whole bool    // the whole workload was delivered
	// Connections, Handshakes, Packets and WireBytes are as in Row; both ways together.
	Connections, Handshakes, Packets, WireBytes linger.Opt[float64]
	// Reason is why there is no trace, where there is none, in the engine's words; Cause
	// is the same without figures of this trial, so that reasons can be counted.
	Reason, Cause string
}

// OutcomeOf keeps of a trial what a sweep needs; err says why there is no trace.
func OutcomeOf(t *trace.Trace, w linger.Workload, err error) Outcome {
	if err != nil {
		o := Outcome{Reason: err.Error(), Cause: err.Error()}
		var cause interface{ Cause() string }
		if errors.As(err, &cause) {
			o.Cause = cause.Cause()
		}
		return o
	}
	h := shaken(t)
	o := Outcome{
		Time: t.Ended.Milliseconds(), Whole: delivered(t, w),
		Connections: linger.Known(float64(h.opened)), Handshakes: linger.Known(float64(h.tcp + h.quic)),
	}
	if up, down, ok := sum(t, func(f trace.Flow) int64 { return f.Packets }); ok {
		o.Packets = linger.Known(up + down)
	}
	if up, down, ok := sum(t, trace.Flow.Bytes); ok {
		o.WireBytes = linger.Known(up + down)
	}
	return o
}

// Margin is what counts as a difference in a sweep: a share of the longer time.
// Predictions are about as far off as that where they are far off (docs/accuracy.md).
const Margin = 0.05

// A Cell is one path of a sweep: what each strategy takes there, which takes least,
// and what keeping saves.
type Cell struct {
	Network Network `json:"network"`
	Rows    []Swept `json:"rows"`
	// Best is the strategy with the least time; empty where none has one.
	Best string `json:"best,omitempty"`
	// Clear says that every other takes longer by more than Margin, and that luck is
	// ruled out where there is any.
	Clear bool `json:"clear"`
	// Kept is the fastest strategy with keep-alive, Closed the fastest without.
	Kept   string `json:"kept,omitempty"`
	Closed string `json:"closed,omitempty"`
	// Saves is the share of Closed's time that Kept takes less, by keeping and by all else in
	// which the two differ; less than nothing is more.
	Saves   linger.Opt[float64] `json:"saves,omitzero"`
	Keeping Keeping             `json:"keeping"`
	// KeepAlive is what keep-alive alone saves, as in a Verdict.
	KeepAlive []Saving `json:"keep_alive,omitempty"`
	// Covered says that predictions were held against measurements on such paths.
	Covered bool `json:"within_accuracy"`
}

// Keeping is what keeping connections does on one path.
type Keeping string

const (
	KeepingSaves   Keeping = "saves"         // more than Margin
	KeepingCosts   Keeping = "costs"         // more than Margin
	KeepingSame    Keeping = "no difference" // of more than Margin
	KeepingLuck    Keeping = "luck"          // more than Margin, and luck is not ruled out
	KeepingUnknown Keeping = "not known"
)

// Swept is one strategy on one path, as in a Row: the time with trials that failed as longer
// than any, counts of those that delivered the whole workload.
type Swept struct {
	Strategy    string              `json:"strategy"`
	Persistent  bool                `json:"persistent"`
	Trials      int                 `json:"trials"`
	Failed      int                 `json:"failed"`
	Time        linger.Opt[Time]    `json:"time_ms,omitzero"`
	Connections linger.Opt[float64] `json:"connections,omitzero"`
	Handshakes  linger.Opt[float64] `json:"handshakes,omitzero"`
	Packets     linger.Opt[float64] `json:"packets,omitzero"`    // both ways
	WireBytes   linger.Opt[float64] `json:"wire_bytes,omitzero"` // both ways
	// Reason is why a trial has no trace, where one has none. Cause is as in Outcome.
	Reason string `json:"reason,omitempty"`
	Cause  string `json:"cause,omitempty"`
}

// reason is why the row is not compared with others; ok is false where it is.
func (r Swept) reason() (reason Reason, ok bool) {
	if !r.Time.IsZero() {
		return Reason{}, false
	}
	if r.Cause != "" {
		return Reason{Strategy: r.Strategy, Cause: r.Cause}, true
	}
	return Reason{Strategy: r.Strategy, Failed: r.Failed, Trials: r.Trials}, r.Failed > 0
}

// CellOf makes a cell of the trials of each strategy, indexed as strategies. They are
// compared as Compare does it: a trial that failed counts as longer than any, and a strategy
// of which half of the trials or more failed has no time.
func CellOf(n linger.Network, strategies []linger.Strategy, outcomes [][]Outcome) Cell {
	c := Cell{Network: path(n), Keeping: KeepingUnknown}
	c.Covered = covered(c.Network)
	cases := make([]*tried, len(strategies))
	for i, s := range strategies {
		row, times := swept(s, outcomes[i])
		c.Rows = append(c.Rows, row)
		cases[i] = &tried{strategy: s, row: Row{Strategy: s.Name, Time: row.Time}, times: times, exact: row.Failed == 0 && exact(n, times), provenance: trace.Predicted}
		cases[i].time, cases[i].timed = times.Interval()
	}
	share(cases)
	best := fastest(cases)
	if best == nil {
		return c
	}
	c.Best = best.row.Strategy
	c.Clear = len(cases) > 1
	for _, k := range cases {
		c.Clear = c.Clear && k.timed && (k == best || differ(best.time.Value, k.time.Value) && settled(best, k))
	}
	kept, closed := families(cases)
	if kept != nil {
		c.Kept = kept.row.Strategy
	}
	if closed != nil {
		c.Closed = closed.row.Strategy
	}
	c.KeepAlive = keepAlive(cases)
	if kept == nil || closed == nil || closed.time.Value <= 0 {
		return c
	}
	c.Saves = linger.Known(savingOf(closed, kept).Share.Value)
	switch {
	case !differ(kept.time.Value, closed.time.Value):
		c.Keeping = KeepingSame
	case !settled(kept, closed):
		c.Keeping = KeepingLuck
	case kept.time.Value < closed.time.Value:
		c.Keeping = KeepingSaves
	default:
		c.Keeping = KeepingCosts
	}
	return c
}

// near reports whether row i takes at most Margin more than the fastest.
func (c Cell) near(i int) bool {
	t, ok := c.Rows[i].Time.Get()
	best := slices.IndexFunc(c.Rows, func(r Swept) bool { return r.Strategy == c.Best })
	if !ok || best < 0 {
		return false
	}
	least, _ := c.Rows[best].Time.Get()
	return !differ(least.Median, t.Median)
}

// differ reports whether two times differ by more than Margin of the longer one.
func differ(a, b float64) bool { return math.Abs(a-b) > Margin*max(a, b) }

// settled reports whether two times differ by more than noise explains.
func settled(a, b *tried) bool {
	return significant(compared(a, b))
}

// swept is the row of one strategy, with its times in ms.
func swept(s linger.Strategy, outcomes []Outcome) (Swept, stats.Sample) {
	r := Swept{Strategy: s.Name, Persistent: s.Persistent, Trials: len(outcomes)}
	var whole []Outcome
	var values, bounds []float64
	for _, o := range outcomes {
		if o.Whole {
			whole = append(whole, o)
			values = append(values, o.Time)
			continue
		}
		bounds = append(bounds, o.Time)
		r.Failed++
		if r.Reason == "" {
			r.Reason, r.Cause = o.Reason, cmp.Or(o.Cause, o.Reason)
		}
	}
	times := stats.Censored(values, bounds)
	if e, ok := times.Interval(); ok {
		r.Time = linger.Known(known(e))
	}
	of := func(figure func(Outcome) linger.Opt[float64]) (m linger.Opt[float64]) {
		var values []float64
		for _, o := range whole {
			if v, ok := figure(o).Get(); ok {
				values = append(values, v)
			}
		}
		if v, ok := stats.New(values...).Median(); ok {
			m = linger.Known(v)
		}
		return m
	}
	r.Connections = of(func(o Outcome) linger.Opt[float64] { return o.Connections })
	r.Handshakes = of(func(o Outcome) linger.Opt[float64] { return o.Handshakes })
	r.Packets = of(func(o Outcome) linger.Opt[float64] { return o.Packets })
	r.WireBytes = of(func(o Outcome) linger.Opt[float64] { return o.WireBytes })
	return r, times
}
