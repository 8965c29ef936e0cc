// Package times holds the times of strategies against each other: which is faster, by how much, and
// how sure that is.
//
// A [Timed] is a strategy with the times of its trials. Those that are compared in one verdict are
// brought [Together] first, since each comparison more is another chance of a false difference.
// [Relate] tests two of them, [Fastest] and [Standing] rank them all, and [SavingOf] and
// [KeepAlive] say what one takes less than another, with an interval. docs/statistics.md has the
// methods.
package times

import (
	"cmp"
	"math"
	"slices"

	"linger"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// Time is a median in milliseconds, with the interval that holds the true one
// with the given confidence, unknown where one trial is all there is. High is unknown,
// and Low is not, where failed trials leave the interval open above.
type Time struct {
	Median     float64             `json:"median"`
	Low        linger.Opt[float64] `json:"low,omitzero"`
	High       linger.Opt[float64] `json:"high,omitzero"`
	Confidence linger.Opt[float64] `json:"confidence,omitzero"` // 0 to 1
}

// TimeOf is an estimate in milliseconds as a Time, to the microsecond.
func TimeOf(e stats.Estimate) Time {
	t := Time{Median: stats.Round(e.Value, 1e-3)}
	if e.Confidence > 0 {
		if t.Low = linger.Known(stats.Round(e.Low, 1e-3)); !math.IsInf(e.High, 1) {
			t.High = linger.Known(stats.Round(e.High, 1e-3))
		}
		t.Confidence = linger.Known(stats.Round(e.Confidence, 1e-6))
	}
	return t
}

// Figure is the time as findings have it. Of a single trial that was not predicted,
// the interval has no bounds.
func (t Time) Figure(p trace.Provenance) finding.Figure {
	f := finding.Number("time", t.Median, "ms")
	if !t.Low.IsZero() {
		f.Interval = linger.Known(finding.Interval{Low: t.Low, High: t.High, Confidence: t.Confidence})
	} else if p != trace.Predicted {
		f.Interval = linger.Known(finding.Interval{N: 1})
	}
	return f
}

// Blur returns what decides how many digits of the time may be shown: how uncertain it is.
// A single trial has none to go by, and two digits are enough for it, unless it is
// a prediction.
func (t Time) Blur(p trace.Provenance) float64 { return t.Figure(p).Uncertainty() }

// Uncertainty returns how far the interval reaches from the median, in milliseconds.
func (t Time) Uncertainty() linger.Opt[float64] {
	low, ok := t.Low.Get()
	high, ok2 := t.High.Get()
	if !ok || !ok2 {
		return linger.Opt[float64]{}
	}
	return linger.Known(max(t.Median-low, high-t.Median))
}

// Timed is a strategy with the times of its trials, in ms.
type Timed struct {
	Strategy linger.Strategy
	// Sample holds the time of each trial that delivered the whole workload. Those of the others
	// are censored by when they had failed.
	Sample stats.Sample
	// Median is that of the sample, if it is Known: if fewer than half of the trials failed.
	Median stats.Estimate
	Known  bool
	// Exact says that the times are predicted and the same in every trial: nothing is left to
	// chance.
	Exact      bool
	Provenance trace.Provenance
	// Family is what the p of each comparison is multiplied by, since there are others.
	Family float64
}

// TimedOf is a strategy with times of that provenance, on a network that loses so many packets;
// it stands alone, until Together says what it is compared with.
func TimedOf(s linger.Strategy, times stats.Sample, p trace.Provenance, loss float64) *Timed {
	t := &Timed{Strategy: s, Sample: times, Provenance: p, Family: stats.Family(1)}
	t.Median, t.Known = times.Interval()
	// Where packets are lost, a single prediction says nothing of others.
	t.Exact = p == trace.Predicted && t.Known && t.Median.Low == t.Median.High && (loss == 0 || times.N() > 1)
	return t
}

// Together has the strategies share the chance of a false difference: p of each comparison is
// multiplied by half the number of those that were run (docs/statistics.md).
func Together(all []*Timed) {
	run := len(Filter(all, func(t *Timed) bool { return t.Sample.N() > 0 }))
	for _, t := range all {
		t.Family = stats.Family(run)
	}
}

// Time is the median as results show it, where it is known.
func (t *Timed) Time() (o linger.Opt[Time]) {
	if t.Known {
		o = linger.Known(TimeOf(t.Median))
	}
	return o
}

// Uncertainty is how far the interval of the time reaches, in ms; unknown where one trial
// has none.
func (t *Timed) Uncertainty() linger.Opt[float64] {
	if t.Exact {
		return linger.Known(0.0)
	}
	return t.Time().Or(Time{}).Uncertainty()
}

// Name is the name of the strategy.
func (t *Timed) Name() string { return t.Strategy.Name }

// Subject is the strategy as findings name it.
func (t *Timed) Subject() finding.Subject {
	return finding.Subject{Kind: "strategy", Name: t.Strategy.Name}
}

// Figure is the median as findings have it. Of a single trial that was not predicted, the
// interval has no bounds.
func (t *Timed) Figure() finding.Figure {
	f := finding.Number("time", t.Median.Value, "ms").Whose(t.Strategy.Name)
	switch {
	case t.Median.Confidence > 0:
		i := finding.Interval{Low: linger.Known(t.Median.Low), Confidence: linger.Known(t.Median.Confidence), N: t.Sample.N()}
		if !math.IsInf(t.Median.High, 1) {
			i.High = linger.Known(t.Median.High)
		}
		f.Interval = linger.Known(i)
	case t.Provenance != trace.Predicted:
		f.Interval = linger.Known(finding.Interval{N: t.Sample.N()})
	}
	return f
}

// leastEnough is the number of trials that --trials should give at least for a difference to
// show in each pair of strategies, even if one of them fails.
const leastEnough = 5

// Enough is how many trials each side needs for a difference to show, where p is multiplied by
// family.
func Enough(family float64) int { return max(leastEnough, stats.Enough(family)) }

// Filter returns those for which it holds.
func Filter(all []*Timed, holds func(*Timed) bool) []*Timed {
	return slices.DeleteFunc(slices.Clone(all), func(t *Timed) bool { return !holds(t) })
}

// Fastest returns the one with the least time, the first of equals, or nil.
func Fastest(all []*Timed) *Timed {
	var best *Timed
	for _, t := range all {
		if t.Known && (best == nil || cmp.Less(t.Median.Value, best.Median.Value)) {
			best = t
		}
	}
	return best
}

// Families are the fastest strategies with and without keep-alive, nil where none has a time.
func Families(all []*Timed) (with, without *Timed) {
	with = Fastest(Filter(all, func(t *Timed) bool { return t.Strategy.Persistent }))
	without = Fastest(Filter(all, func(t *Timed) bool { return !t.Strategy.Persistent }))
	return with, without
}
