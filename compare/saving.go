package compare

import (
	"cmp"
	"math"
	"slices"

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
	a := Amount{Value: round(e.Value, unit)}
	if e.Confidence > 0 && !math.IsInf(e.Low, 0) && !math.IsInf(e.High, 0) {
		a.Low, a.High, a.Confidence = linger.Known(round(e.Low, unit)), linger.Known(round(e.High, unit)), linger.Known(round(e.Confidence, 1e-6))
	}
	return a
}

// savingOf is what with saves of without's time. Compare and CellOf, and so every verb, page and
// the simulator of pages, have it from here. When both medians lie within their intervals,
// which independent trials do with the product of the confidences, then the difference and
// the share lie within these.
func savingOf(without, with *tried) Saving {
	r, p := compared(with, without)
	s := Saving{Without: without.row.Strategy, With: with.row.Strategy}
	if n := without.strategy.Parallel(); n == with.strategy.Parallel() {
		s.Parallel = linger.Known(n)
	}
	exact := without.exact && with.exact
	if !exact {
		s.P = linger.Known(p)
	}
	s.Significant = significant(r, p)
	s.Untested = !s.Significant && r != same
	a, b := without.time, with.time
	sure := a.Confidence * b.Confidence
	if exact {
		sure = 0
	}
	s.Time = amount(stats.Estimate{Value: a.Value - b.Value, Low: a.Low - b.High, High: a.High - b.Low, Confidence: sure}, 1e-3)
	s.Share = amount(stats.Estimate{Value: 1 - b.Value/a.Value, Low: 1 - b.High/a.Low, High: 1 - b.Low/a.High, Confidence: sure}, 1e-4)
	return s
}

// keepAlive lists what keep-alive saves: of each pair of strategies that have a time and
// differ in nothing but keeping connections, in the order of those without it.
func keepAlive(cases []*tried) []Saving {
	var out []Saving
	for _, c := range cases {
		if !c.timed || c.time.Value <= 0 || c.strategy.Persistent {
			continue
		}
		for _, k := range cases {
			if k.timed && onlyKept(c.strategy, k.strategy) {
				out = append(out, savingOf(c, k))
			}
		}
	}
	return out
}

// oneByOnes lists what strategies of DNS take that keep a connection and send one query at a
// time, against the same with all queries under way.
func oneByOnes(cases []*tried) []Saving {
	var out []Saving
	for _, c := range cases {
		for _, k := range cases {
			one := k.strategy
			one.Connections, one.InFlight, one.Multiplexed = c.strategy.Connections, c.strategy.InFlight, c.strategy.Multiplexed
			one.Persistent = false
			if c.timed && k.timed && c.time.Value > 0 && c.strategy.DNS != "" && k.strategy.Persistent && k.strategy.Parallel() == 1 &&
				c.strategy.Parallel() != 1 && equal(one, c.strategy) {
				out = append(out, savingOf(c, k))
			}
		}
	}
	return out
}

// onlyKept reports whether kept does what closed does, over connections that it keeps. HTTP
// has as many of them as before; of DNS one carries as many queries at once.
func onlyKept(closed, kept linger.Strategy) bool {
	if closed.Persistent || !kept.Persistent || closed.Parallel() != kept.Parallel() {
		return false
	}
	if closed.DNS != "" {
		closed.Connections, closed.InFlight, closed.Multiplexed = kept.Connections, kept.InFlight, kept.Multiplexed
	}
	closed.Persistent = true
	return equal(closed, kept)
}

// families are the fastest strategies with and without keep-alive, nil where none has a time.
func families(cases []*tried) (with, without *tried) {
	with = fastest(filter(cases, func(c *tried) bool { return c.strategy.Persistent }))
	without = fastest(filter(cases, func(c *tried) bool { return !c.strategy.Persistent }))
	return with, without
}

// standing tells of the others how they stand to the fastest: those that tie with it, as
// nothing shows a difference, and those of which too few trials leave it open, both in the
// order of their times.
func standing(cases []*tried, best *tried) (tied, untested []string) {
	others := filter(cases, func(c *tried) bool { return c.timed && c != best })
	slices.SortStableFunc(others, func(a, b *tried) int { return cmp.Compare(a.time.Value, b.time.Value) })
	for _, c := range others {
		switch r, p := ordered(best, c); {
		case r == same:
			tied = append(tied, c.row.Strategy)
		case r == untold || p >= stats.Alpha:
			untested = append(untested, c.row.Strategy)
		}
	}
	return tied, untested
}
