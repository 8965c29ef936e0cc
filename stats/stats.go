// Package stats turns repeated measurements into a figure that says how sure it is: medians and
// quantiles, intervals of medians, ratios of medians, and a test for a difference. Nothing is
// assumed about how the measurements are distributed; what a small sample cannot support is
// unknown, or said as a [Warning].
//
// A [Sample] is the way in: [New] of values, or [Censored] where some trials failed and are known
// only to be longer than any other. [Compare] tests two samples; where several comparisons stand
// together its p is multiplied by a [Family]'s factor. [Together] tests many figures of the same
// trials at once. A [Histogram] holds what does not fit into memory.
package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"golang.org/x/perf/benchmath"
)

// A Sample is repeated measurements of one thing, in one unit. Some of them may be
// censored: known only to be longer than any that came to an end.
type Sample struct {
	// sorted has +Inf for what is censored; least has what that was at least, and is nil
	// where nothing is.
	sorted, least []float64
}

// New returns the sample of those values, in whatever order. What is no finite
// number was not measured and is left out.
func New(values ...float64) Sample {
	sorted := slices.DeleteFunc(slices.Clone(values), func(v float64) bool {
		return math.IsNaN(v) || math.IsInf(v, 0)
	})
	slices.Sort(sorted)
	return Sample{sorted: sorted}
}

// Censored returns the sample of those values and of others that did not come to an end:
// right-censored, they rank above every value, and each is known to be at least its
// bound, 0 where nothing is known. A median that falls on one of them is not known, but
// bounded (AtLeast).
func Censored(values, bounds []float64) Sample {
	s := New(values...)
	if len(bounds) == 0 {
		return s
	}
	s.least = append(slices.Clone(s.sorted), bounds...)
	slices.Sort(s.least)
	for range bounds {
		s.sorted = append(s.sorted, math.Inf(1))
	}
	return s
}

// N returns how many values there are, with those that are censored.
func (s Sample) N() int { return len(s.sorted) }

// AtLeast returns what the median is at least where that falls on a censored value; it is
// false where it does not, or where nothing is known but that it is no less than 0.
func (s Sample) AtLeast() (float64, bool) {
	if _, ok := s.Median(); ok || len(s.least) == 0 {
		return 0, false
	}
	// Each of the true values in their order is at least the bound of the same place.
	v := quantile(s.least, 0.5)
	return v, v > 0
}

// Median returns the middle value, or the mean of the middle two; false when
// the sample is empty, or the middle is censored.
func (s Sample) Median() (float64, bool) { return s.Quantile(0.5) }

// Quantile returns the value below which a share q of the sample lies, 0 to 1,
// interpolated between neighbours (Hyndman and Fan's definition 7); false when
// the sample is empty, or a neighbour is censored.
func (s Sample) Quantile(q float64) (float64, bool) {
	if len(s.sorted) == 0 {
		return 0, false
	}
	v := quantile(s.sorted, q)
	return v, !math.IsInf(v, 1)
}

func quantile(sorted []float64, q float64) float64 {
	h := float64(len(sorted)-1) * min(max(q, 0), 1)
	i := min(int(h), len(sorted)-1)
	if h == float64(i) {
		return sorted[i] // of two that are infinite, the difference is no number
	}
	j := min(i+1, len(sorted)-1)
	if math.IsInf(sorted[j], 1) {
		return sorted[j]
	}
	return sorted[i] + (h-float64(i))*(sorted[j]-sorted[i])
}

// NearestRank returns the least value of the sample at or below which a share q of it lies,
// 0 to 1: a value that was measured, not one between two. It is false when the sample is
// empty, or that value is censored.
func (s Sample) NearestRank(q float64) (float64, bool) {
	if len(s.sorted) == 0 {
		return 0, false
	}
	v := s.sorted[nearestRank(q, int64(len(s.sorted)))-1]
	return v, !math.IsInf(v, 1)
}

// A Warning is what keeps a figure from being as good as asked for.
type Warning struct {
	Code string // "confidence", "test", "equal"
	Text string
}

// An Estimate is a figure and the interval that holds the true one with the
// given confidence. A Confidence of 0 says that there is no interval: Low and
// High then equal Value and mean nothing. A High of +Inf says that the interval is open
// above, since values are censored.
type Estimate struct {
	Value, Low, High float64
	Confidence       float64
	Warnings         []Warning
}

// Overlaps reports whether the intervals of e and f have a point in common.
func (e Estimate) Overlaps(f Estimate) bool { return e.Low <= f.High && f.Low <= e.High }

// Level is the confidence that intervals aim at.
const Level = 0.95

// Interval returns the median with an interval between two of the sample's own
// values, exact for every distribution: each value lies below the true median
// with probability one half. Confidence is what is really reached, at least
// Level, save that n values reach at most 1 - 2^(1-n): 93.75 % for five. It is
// false when the sample is empty, or its median is censored.
func (s Sample) Interval() (Estimate, bool) {
	n := len(s.sorted)
	v, ok := s.Median()
	if !ok {
		return Estimate{}, false
	}
	if n == 1 {
		return Estimate{Value: v, Low: v, High: v, Warnings: []Warning{{"confidence", "one value has no interval"}}}, true
	}
	level := min(Level, widest(n))
	sum := benchmath.AssumeNothing.Summary(s.sample(), level)
	out := Estimate{Value: v, Low: sum.Lo, High: sum.Hi, Confidence: sum.Confidence}
	if out.Confidence < Level {
		out.Warnings = append(out.Warnings, Warning{"confidence",
			fmt.Sprintf("%d values reach a confidence of %.4g %%, not %.4g %%", n, 100*out.Confidence, 100*Level)})
	}
	return out, true
}

// widest is the confidence that the true median lies between the least and the
// greatest of n values: all but the two cases in which every value lies on one
// side of it.
func widest(n int) float64 { return 1 - math.Exp2(float64(1-n)) }

func (s Sample) sample() *benchmath.Sample {
	t := benchmath.DefaultThresholds
	return benchmath.NewSample(slices.Clone(s.sorted), &t)
}

// Ratio returns median(a) / median(b) with an interval from the two medians'
// own: when both hold their true median, which independent samples do with the
// product of their confidences, then this one holds the true ratio. It is
// wider than need be, and assumes nothing. It is false when a sample is empty or
// b is not positive throughout its interval.
func Ratio(a, b Sample) (Estimate, bool) {
	x, okx := a.Interval()
	y, oky := b.Interval()
	if !okx || !oky || y.Low <= 0 || x.Low < 0 {
		return Estimate{}, false
	}
	return Estimate{
		Value: x.Value / y.Value, Low: x.Low / y.High, High: x.High / y.Low,
		Confidence: x.Confidence * y.Confidence,
		Warnings:   slices.Concat(x.Warnings, y.Warnings),
	}, true
}

// Alpha is the chance of seeing a difference where there is none that a Test
// accepts.
const Alpha = 0.05

// A Test is the outcome of asking whether two samples differ.
type Test struct {
	// P is how likely two samples this far apart are if nothing differs.
	P        float64
	N1, N2   int
	Warnings []Warning
}

// Differs reports whether the samples are further apart than noise allows.
func (t Test) Differs() bool { return t.P < Alpha }

// mostOrders is of how many ways to part the trials Together tries all; of more it draws
// that many.
const mostOrders = 20_000

// Together tests many figures of two runs at once: whether any of them is another after
// than before. Each figure has a value for each trial, in the trials' order, +Inf where it
// did not come to an end; all have as many before, and as many after. It returns for each
// figure how likely it is that any of them is as far apart if nothing has changed, so that
// those below Alpha can all be called changes: the chance that one is none is at most Alpha.
//
// Trials that nothing tells apart may as well have come in any other order: whole trials,
// with all their figures, are dealt anew to before and after, and the distance of a figure
// is held against the greatest of any figure in each of the deals (Westfall and Young 1993,
// single-step maxT). A distance is that of the means, of logarithms where all values are
// positive, divided by the deviation of all. It is exact for any distribution, and whatever
// the figures have to do with each other.
func Together(before, after [][]float64) []float64 {
	out := make([]float64, len(before))
	if len(before) == 0 || len(before[0]) == 0 || len(after[0]) == 0 {
		for i := range out {
			out[i] = 1
		}
		return out
	}
	scores := make([][]float64, len(before))
	for i := range before {
		scores[i] = scored(slices.Concat(before[i], after[i]))
	}
	n, m := len(before[0]), len(after[0])
	// Sums of no more than n values, each of which is of the deviation's size.
	distance := func(score []float64, first []int) float64 {
		sum := 0.0
		for _, k := range first {
			sum += score[k]
		}
		return math.Abs(sum)
	}
	first := make([]int, n)
	for k := range first {
		first[k] = k
	}
	observed := make([]float64, len(scores))
	for i, s := range scores {
		observed[i] = distance(s, first)
	}
	const slack = 1e-9 // of sums that should be equal
	deals := 0
	try := func(first []int) {
		deals++
		most := 0.0
		for _, s := range scores {
			most = max(most, distance(s, first))
		}
		for i, o := range observed {
			if most >= o-slack {
				out[i]++
			}
		}
	}
	if 2/LeastP(n, m) <= mostOrders {
		for ok := true; ok; ok = nextDeal(first, n+m) {
			try(first)
		}
	} else {
		try(first) // the one that was seen is one of them
		r := rand.New(rand.NewPCG(uint64(n), uint64(m)))
		for deals < mostOrders {
			try(r.Perm(n + m)[:n])
		}
	}
	for i := range out {
		out[i] /= float64(deals)
	}
	return out
}

// scored returns values less their mean, over their deviation: all 0 where they are equal.
// What did not come to an end counts as twice the greatest.
func scored(values []float64) []float64 {
	greatest, least := 0.0, math.Inf(1)
	for _, v := range values {
		if least = min(least, v); !math.IsInf(v, 1) {
			greatest = max(greatest, v)
		}
	}
	out := make([]float64, len(values))
	mean := 0.0
	for i, v := range values {
		if math.IsInf(v, 1) {
			v = 2*greatest + 1
		}
		if least > 0 {
			v = math.Log(v)
		}
		out[i] = v
		mean += v / float64(len(values))
	}
	square := 0.0
	for i := range out {
		out[i] -= mean
		square += out[i] * out[i]
	}
	deviation := math.Sqrt(square / float64(len(values)))
	for i := range out {
		if deviation <= 1e-12*math.Abs(mean) || deviation == 0 {
			out[i] = 0
		} else {
			out[i] /= deviation
		}
	}
	return out
}

// nextDeal makes of the indices of one deal, which rise, those of the next one of all that
// can be chosen of n; false behind the last.
func nextDeal(first []int, n int) bool {
	k := len(first)
	i := k - 1
	for i >= 0 && first[i] == n-k+i {
		i--
	}
	if i < 0 {
		return false
	}
	first[i]++
	for j := i + 1; j < k; j++ {
		first[j] = first[j-1] + 1
	}
	return true
}

// LeastP is the least p that ranks can give for samples of those sizes: 2 of all the
// orders in which their values can come.
func LeastP(n, m int) float64 {
	orders := 1.0
	for i := range min(n, m) {
		orders *= float64(n+m-i) / float64(i+1)
	}
	return min(1, 2/orders)
}

// Least is the least p that Compare can give for samples of those sizes.
func Least(n, m int) float64 {
	if n == m {
		return LeastP(n, m)
	}
	return min(LeastP(n, m), LeastApart(n, m))
}

// Enough is how many values each of two samples needs for Compare to show a difference
// where its p is multiplied by a factor, since other tests are made beside it.
func Enough(factor float64) int {
	n := 2
	for LeastP(n, n)*max(1, factor) >= Alpha {
		n++
	}
	return n
}

// Compare tests whether one sample tends to larger values than the other, by
// Mann and Whitney's U, exact for small samples. Where one of them has ended early, so that
// their sizes differ, it also counts that they are Apart: that is rarer than what their ranks
// tell, so that p is LeastApart where it is less. Samples of three can never differ;
// the Warning says so.
func Compare(a, b Sample) Test {
	out := Test{P: 1, N1: a.N(), N2: b.N()}
	if a.N() == 0 || b.N() == 0 {
		out.Warnings = []Warning{{"test", "an empty sample cannot be compared"}}
		return out
	}
	c := benchmath.AssumeNothing.Compare(a.sample(), b.sample())
	out.P = c.P
	if a.N() != b.N() && Apart(a, b) {
		out.P = min(out.P, LeastApart(a.N(), b.N()))
	}
	for _, w := range c.Warnings {
		code := "test"
		if a.sorted[0] == a.sorted[a.N()-1] && b.sorted[0] == b.sorted[b.N()-1] && a.sorted[0] == b.sorted[0] {
			code = "equal"
		}
		out.Warnings = append(out.Warnings, Warning{code, w.Error()})
	}
	return out
}

// Round returns v to the nearest multiple of unit, a power of ten of at most 1.
func Round(v, unit float64) float64 {
	scale := math.Round(1 / unit)
	return math.Round(v*scale) / scale
}
