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
	// Kept is the persistent strategy with the least time, Closed the non-persistent
	// one.
	Kept   string `json:"kept,omitempty"`
	Closed string `json:"closed,omitempty"`
	// Saves is the share of Closed's time that Kept saves; less than nothing is more.
	Saves   linger.Opt[float64] `json:"saves,omitzero"`
	Keeping Keeping             `json:"keeping"`
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

// Swept is one strategy on one path: medians over the trials that delivered the
// whole workload.
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
	// Reason is why a trial has no trace, where one has none; whatever it says, the row
	// is not to be compared with others where a trial failed. Cause is as in Outcome.
	Reason string `json:"reason,omitempty"`
	Cause  string `json:"cause,omitempty"`
}

// reason is why the row is not compared with others; ok is false where it is.
func (r Swept) reason() (reason Reason, ok bool) {
	if r.Cause != "" {
		return Reason{Strategy: r.Strategy, Cause: r.Cause}, true
	}
	return Reason{Strategy: r.Strategy, Failed: r.Failed, Trials: r.Trials}, r.Failed > 0
}

// CellOf makes a cell of the trials of each strategy, indexed as strategies. Only
// strategies that delivered everything in each trial are compared: the time of the
// trials that were lucky says nothing of the others.
func CellOf(n linger.Network, strategies []linger.Strategy, outcomes [][]Outcome) Cell {
	c := Cell{Network: path(n), Rows: make([]Swept, len(strategies)), Keeping: KeepingUnknown}
	c.Covered = covered(c.Network)
	times := make([]stats.Sample, len(strategies))
	var order []int // of those that can be compared, by time
	middle := make([]float64, len(strategies))
	for i, s := range strategies {
		c.Rows[i], times[i] = swept(s, outcomes[i])
		if m, ok := times[i].Median(); ok && c.Rows[i].Failed == 0 {
			middle[i] = m
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(middle[a], middle[b]) })
	if len(order) == 0 {
		return c
	}
	best, family := order[0], max(1, float64(len(order))/2)
	c.Best = strategies[best].Name
	c.Clear = len(order) == len(strategies) && len(order) > 1
	for _, i := range order[1:] {
		c.Clear = c.Clear && differ(middle[best], middle[i]) && !lucky(n, times[best], times[i], family)
	}
	kept, closed := -1, -1
	for _, i := range slices.Backward(order) {
		if strategies[i].Persistent {
			kept = i
		} else {
			closed = i
		}
	}
	if kept >= 0 {
		c.Kept = strategies[kept].Name
	}
	if closed >= 0 {
		c.Closed = strategies[closed].Name
	}
	if kept < 0 || closed < 0 || middle[closed] <= 0 {
		return c
	}
	c.Saves = linger.Known(round(1-middle[kept]/middle[closed], 1e-4))
	switch {
	case !differ(middle[kept], middle[closed]):
		c.Keeping = KeepingSame
	case lucky(n, times[kept], times[closed], family):
		c.Keeping = KeepingLuck
	case middle[kept] < middle[closed]:
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
	if !ok || best < 0 || c.Rows[i].Failed > 0 {
		return false
	}
	least, _ := c.Rows[best].Time.Get()
	return !differ(least.Median, t.Median)
}

// differ reports whether two times differ by more than Margin of the longer one.
func differ(a, b float64) bool { return math.Abs(a-b) > Margin*max(a, b) }

// lucky reports whether two samples of a path may differ by luck. Where no packet is
// lost there is none in a prediction; where some are, a single trial is all luck.
// The test is that of a verdict (compared).
func lucky(n linger.Network, a, b stats.Sample, family float64) bool {
	r, _ := relate(a, b, family)
	return (n.Loss > 0 || a.N() > 1 || b.N() > 1) && r != less && r != more
}

// swept is the row of one strategy, with its times in ms.
func swept(s linger.Strategy, outcomes []Outcome) (Swept, stats.Sample) {
	r := Swept{Strategy: s.Name, Persistent: s.Persistent, Trials: len(outcomes)}
	var whole []Outcome
	for _, o := range outcomes {
		if o.Whole {
			whole = append(whole, o)
			continue
		}
		r.Failed++
		if r.Reason == "" {
			r.Reason, r.Cause = o.Reason, cmp.Or(o.Cause, o.Reason)
		}
	}
	var values []float64
	for _, o := range whole {
		values = append(values, o.Time)
	}
	times := stats.New(values...)
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
