package times

import (
	"math"

	"linger"
	"linger/stats"
)

// A Saving is what one strategy takes less time than another: what keep-alive saves, where
// the two differ in nothing else.
type Saving struct {
	// Without is the strategy without keep-alive, With the one with it.
	Without string `json:"without"`
	With    string `json:"with"`
	// Parallel is how many requests either may have under way; 0 is as many as there are. It
	// is unknown where the two differ in that.
	Parallel linger.Opt[int] `json:"parallel,omitzero"`
	// Time is the time of Without less that of With, in ms; less than nothing is more. Share
	// is the same as a share of the time of Without, at most 1.
	Time  Amount `json:"time_ms"`
	Share Amount `json:"share"`
	// P is how likely the times would be so far apart if nothing differed, adjusted for the
	// other comparisons of the verdict; unknown where nothing is left to chance.
	P linger.Opt[float64] `json:"p,omitzero"`
	// Significant says that the two differ. Untested says that the trials are too few to tell.
	Significant bool `json:"significant"`
	Untested    bool `json:"untested,omitempty"`
}

// An Amount is a figure with an interval that holds the true one with the given confidence,
// 0 to 1. There is none where nothing is left to chance, of a single trial, and where trials
// that failed leave it open.
type Amount struct {
	Value      float64             `json:"value"`
	Low        linger.Opt[float64] `json:"low,omitzero"`
	High       linger.Opt[float64] `json:"high,omitzero"`
	Confidence linger.Opt[float64] `json:"confidence,omitzero"`
}

// amount rounds a figure and its interval to a unit.
func amount(e stats.Estimate, unit float64) Amount {
	a := Amount{Value: stats.Round(e.Value, unit)}
	if e.Confidence > 0 && !math.IsInf(e.Low, 0) && !math.IsInf(e.High, 0) {
		a.Low, a.High, a.Confidence = linger.Known(stats.Round(e.Low, unit)), linger.Known(stats.Round(e.High, unit)), linger.Known(stats.Round(e.Confidence, 1e-6))
	}
	return a
}

// SavingOf is what with saves of without's time. Compare and CellOf, and so every verb, page and
// the simulator of pages, have it from here. When both medians lie within their intervals,
// which independent trials do with the product of the confidences, then the difference and
// the share lie within these.
func SavingOf(without, with *Timed) Saving {
	r, p := Relate(with, without)
	s := Saving{Without: without.Name(), With: with.Name()}
	if n := without.Strategy.Parallel(); n == with.Strategy.Parallel() {
		s.Parallel = linger.Known(n)
	}
	exact := without.Exact && with.Exact
	if !exact {
		s.P = linger.Known(p)
	}
	s.Significant = Significant(r, p)
	s.Untested = !s.Significant && r != Same
	a, b := without.Median, with.Median
	sure := a.Confidence * b.Confidence
	if exact {
		sure = 0
	}
	s.Time = amount(stats.Estimate{Value: a.Value - b.Value, Low: a.Low - b.High, High: a.High - b.Low, Confidence: sure}, 1e-3)
	s.Share = amount(stats.Estimate{Value: 1 - b.Value/a.Value, Low: 1 - b.High/a.Low, High: 1 - b.Low/a.High, Confidence: sure}, 1e-4)
	return s
}

// KeepAlive lists what keep-alive saves: of each pair of strategies that have a time and
// differ in nothing but keeping connections, in the order of those without it.
func KeepAlive(all []*Timed) []Saving {
	var out []Saving
	for _, c := range all {
		if !c.Known || c.Median.Value <= 0 || c.Strategy.Persistent {
			continue
		}
		for _, k := range all {
			if k.Known && OnlyKept(c.Strategy, k.Strategy) {
				out = append(out, SavingOf(c, k))
			}
		}
	}
	return out
}

// OneByOne lists what strategies of DNS take that keep a connection and send one query at a
// time, against the same with all queries under way.
func OneByOne(all []*Timed) []Saving {
	var out []Saving
	for _, c := range all {
		for _, k := range all {
			one := k.Strategy
			one.Connections, one.InFlight, one.Multiplexed = c.Strategy.Connections, c.Strategy.InFlight, c.Strategy.Multiplexed
			one.Persistent = false
			if c.Known && k.Known && c.Median.Value > 0 && c.Strategy.DNS != "" && k.Strategy.Persistent && k.Strategy.Parallel() == 1 &&
				c.Strategy.Parallel() != 1 && Equal(one, c.Strategy) {
				out = append(out, SavingOf(c, k))
			}
		}
	}
	return out
}

// OnlyKept reports whether kept does what closed does, over connections that it keeps. HTTP
// has as many of them as before; of DNS one carries as many queries at once.
func OnlyKept(closed, kept linger.Strategy) bool {
	if closed.Persistent || !kept.Persistent || closed.Parallel() != kept.Parallel() {
		return false
	}
	if closed.DNS != "" {
		closed.Connections, closed.InFlight, closed.Multiplexed = kept.Connections, kept.InFlight, kept.Multiplexed
	}
	closed.Persistent = true
	return Equal(closed, kept)
}

// Equal reports whether two strategies are the same but for their names.
func Equal(a, b linger.Strategy) bool {
	a.Name, b.Name = "", ""
	return a == b
}

// Outcomes of a Saving.
const (
	Saves     = "saves"
	Costs     = "costs"
	Unchanged = "same"
	Untested  = "untested" // the trials are too few to tell
)

// Outcome is what keep-alive does to one pair.
func (s Saving) Outcome() string {
	switch {
	case s.Untested:
		return Untested
	case !s.Significant:
		return Unchanged
	case s.Time.Value < 0:
		return Costs
	}
	return Saves
}
