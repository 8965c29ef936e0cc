package times

import (
	"cmp"
	"math"
	"slices"

	"linger/stats"
	"linger/trace"
)

// Relation is what the times of two strategies allow to say about them.
type Relation int

const (
	Untold Relation = iota // too few trials to say anything
	Same                   // no difference that these trials can show
	Less                   // the first takes less
	More                   // the first takes more
)

// Margin is what counts as a difference where times are predicted: a share of the longer time.
// Predictions are about as far off as that where they are far off (docs/accuracy.md).
const Margin = 0.05

// Differ reports whether two times differ by more than Margin of the longer one.
func Differ(a, b float64) bool { return math.Abs(a-b) > Margin*max(a, b) }

// Relate tells how a's time relates to b's, with the test's p, adjusted for the other
// comparisons of the verdict (Bonferroni): it is multiplied by half the number of
// strategies. As many are the pairs that differ in one thing, where each strategy is in
// one; and of k strategies k - 1 could be called faster than the baseline, or the baseline
// faster than the fastest of them, each in one direction, which is half of p. A trial that
// failed took longer than any that did not. Where the trials
// are too few for the test, medians that are further apart than both intervals
// reach still count; p says that noise is not ruled out.
func Relate(a, b *Timed) (Relation, float64) {
	if a.Exact && b.Exact {
		switch {
		case a.Median.Value < b.Median.Value:
			return Less, 0
		case a.Median.Value > b.Median.Value:
			return More, 0
		}
		return Same, 1
	}
	r, p := RelateSamples(a.Sample, b.Sample, a.Family)
	x, ok := a.Uncertainty().Get()
	y, ok2 := b.Uncertainty().Get()
	if r != Untold || !ok || !ok2 {
		return r, p
	}
	switch d := b.Median.Value - a.Median.Value; {
	case d > x+y:
		return Less, p
	case -d > x+y:
		return More, p
	}
	return Untold, p
}

// RelateSamples does the same for any two samples, by the test alone.
func RelateSamples(a, b stats.Sample, family float64) (Relation, float64) {
	p := min(1, stats.Compare(a, b).P*family)
	x, y := medianOf(a), medianOf(b)
	switch {
	case p < stats.Alpha && x < y:
		return Less, p
	case p < stats.Alpha && x > y:
		return More, p
	}
	if !CanDiffer(a.N(), b.N(), family) {
		return Untold, p
	}
	return Same, p
}

// medianOf is the median, +Inf where trials that failed are the middle.
func medianOf(s stats.Sample) float64 {
	if m, ok := s.Median(); ok {
		return m
	}
	return math.Inf(1)
}

// CanDiffer reports whether samples of those sizes can differ at all, where so many tests
// stand together.
func CanDiffer(n, m int, family float64) bool { return stats.Least(n, m)*family < stats.Alpha }

// Order is Relate, but that predictions which are closer to each other than they are to
// measurements are the same: their order says nothing.
func Order(a, b *Timed) (Relation, float64) {
	r, p := Relate(a, b)
	if Near(a, b) && r != Untold {
		r = Same
	}
	return r, p
}

// Near reports whether two times are predicted, and closer than predictions are exact.
func Near(a, b *Timed) bool {
	return a.Provenance == trace.Predicted && b.Provenance == trace.Predicted && !Differ(a.Median.Value, b.Median.Value)
}

// Alike reports whether nothing shows a difference between a and b.
func Alike(a, b *Timed) bool {
	r, _ := Order(a, b)
	return r == Same
}

// Significant reports whether a relation is one that the trials show.
func Significant(r Relation, p float64) bool { return (r == Less || r == More) && p < stats.Alpha }

// Standing tells of the others how they stand to the fastest: those that tie with it, as
// nothing shows a difference, and those of which too few trials leave it open, both in the
// order of their times.
func Standing(all []*Timed, best *Timed) (tied, untested []string) {
	others := Filter(all, func(t *Timed) bool { return t.Known && t != best })
	slices.SortStableFunc(others, func(a, b *Timed) int { return cmp.Compare(a.Median.Value, b.Median.Value) })
	for _, t := range others {
		switch r, p := Order(best, t); {
		case r == Same:
			tied = append(tied, t.Name())
		case r == Untold || p >= stats.Alpha:
			untested = append(untested, t.Name())
		}
	}
	return tied, untested
}
