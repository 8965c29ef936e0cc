package sweep

import (
	"cmp"
	"errors"
	"slices"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/compare/times"
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
	h := facts.CountHandshakes(t)
	o := Outcome{
		Time: t.Ended.Milliseconds(), Whole: facts.Delivered(t, w),
		Connections: linger.Known(float64(h.Opened)), Handshakes: linger.Known(float64(h.TCP + h.QUIC)),
	}
	if up, down, ok := facts.Sum(t, func(f trace.Flow) int64 { return f.Packets }); ok {
		o.Packets = linger.Known(up + down)
	}
	if up, down, ok := facts.Sum(t, trace.Flow.Bytes); ok {
		o.WireBytes = linger.Known(up + down)
	}
	return o
}

// A Cell is one network of a sweep: what each strategy takes there, which is fastest,
// and what keeping saves.
type Cell struct {
	Network compare.Network `json:"network"`
	Rows    []Row           `json:"rows"`
	// Best is the strategy with the least time; empty where none has one.
	Best string `json:"best,omitempty"`
	// Clear says that every other takes longer by more than Margin, and that noise is
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
	KeepAlive []times.Saving `json:"keep_alive,omitempty"`
	// Covered says that predictions were held against measurements on such networks.
	Covered bool `json:"within_accuracy"`
}

// Keeping is what keeping connections does on one network.
type Keeping string

const (
	KeepingSaves   Keeping = "saves"         // more than Margin
	KeepingCosts   Keeping = "costs"         // more than Margin
	KeepingSame    Keeping = "no difference" // of more than Margin
	KeepingNoise   Keeping = "noise"         // more than Margin, and noise is not ruled out
	KeepingUnknown Keeping = "not known"
)

// Row is one strategy on one network, as in a Row: the time with trials that failed as longer
// than any, counts of those that delivered the whole workload.
type Row struct {
	Strategy    string                 `json:"strategy"`
	Persistent  bool                   `json:"persistent"`
	Trials      int                    `json:"trials"`
	Failed      int                    `json:"failed"`
	Time        linger.Opt[times.Time] `json:"time_ms,omitzero"`
	Connections linger.Opt[float64]    `json:"connections,omitzero"`
	Handshakes  linger.Opt[float64]    `json:"handshakes,omitzero"`
	Packets     linger.Opt[float64]    `json:"packets,omitzero"`    // both ways
	WireBytes   linger.Opt[float64]    `json:"wire_bytes,omitzero"` // both ways
	// Reason is why a trial has no trace, where one has none. Cause is as in Outcome.
	Reason string `json:"reason,omitempty"`
	Cause  string `json:"cause,omitempty"`
}

// reason is why the row is not compared with others; ok is false where it is.
func (r Row) reason() (reason Reason, ok bool) {
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
	c := Cell{Network: compare.NetworkOf(n), Keeping: KeepingUnknown}
	c.Covered = covered(c.Network)
	all := make([]*times.Timed, len(strategies))
	for i, s := range strategies {
		row, took := swept(s, outcomes[i])
		c.Rows = append(c.Rows, row)
		all[i] = times.TimedOf(s, took, trace.Predicted, n.Loss)
		all[i].Exact = all[i].Exact && row.Failed == 0
	}
	times.Together(all)
	best := times.Fastest(all)
	if best == nil {
		return c
	}
	c.Best = best.Name()
	c.Clear = len(all) > 1
	for _, k := range all {
		c.Clear = c.Clear && k.Known && (k == best || times.Differ(best.Median.Value, k.Median.Value) && times.Significant(times.Relate(best, k)))
	}
	c.KeepAlive = times.KeepAlive(all)
	kept, closed := times.Families(all)
	if kept != nil {
		c.Kept = kept.Name()
	}
	if closed != nil {
		c.Closed = closed.Name()
	}
	if kept != nil && closed != nil && closed.Median.Value > 0 {
		c.Saves = linger.Known(times.SavingOf(closed, kept).Share.Value)
		c.Keeping = keepingOf(closed, kept)
	}
	return c
}

// keepingOf is what keeping does to the fastest strategies without and with keep-alive.
func keepingOf(closed, kept *times.Timed) Keeping {
	switch {
	case !times.Differ(kept.Median.Value, closed.Median.Value):
		return KeepingSame
	case !times.Significant(times.Relate(kept, closed)):
		return KeepingNoise
	case kept.Median.Value < closed.Median.Value:
		return KeepingSaves
	}
	return KeepingCosts
}

// near reports whether row i takes at most Margin more than the fastest.
func (c Cell) near(i int) bool {
	t, ok := c.Rows[i].Time.Get()
	best := slices.IndexFunc(c.Rows, func(r Row) bool { return r.Strategy == c.Best })
	if !ok || best < 0 {
		return false
	}
	least, _ := c.Rows[best].Time.Get()
	return !times.Differ(least.Median, t.Median)
}

// swept is the row of one strategy, with its times in ms.
func swept(s linger.Strategy, outcomes []Outcome) (Row, stats.Sample) {
	r := Row{Strategy: s.Name, Persistent: s.Persistent, Trials: len(outcomes)}
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
	took := stats.Censored(values, bounds)
	if e, ok := took.Interval(); ok {
		r.Time = linger.Known(times.TimeOf(e))
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
	return r, took
}
