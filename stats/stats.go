// Package stats turns repeated measurements into a figure that carries its
// doubt: medians and quantiles, intervals of medians, ratios of medians, and a
// test for a difference. Nothing is assumed about how the measurements are
// distributed, and what a small sample cannot support is said as a Warning.
package stats

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// A Sample is repeated measurements of one thing, in one unit.
type Sample struct {
	sorted []float64
}

// New returns the sample of those values, in whatever order. What is no finite
// number was not measured and is left out.
func New(values ...float64) Sample {
	sorted := slices.DeleteFunc(slices.Clone(values), func(v float64) bool {
		return math.IsNaN(v) || math.IsInf(v, 0)
	})
	slices.Sort(sorted)
	return Sample{sorted}
}

// N returns how many values there are.
func (s Sample) N() int { return len(s.sorted) }

// Median returns the middle value, or the mean of the middle two; false when
// the sample is empty.
func (s Sample) Median() (float64, bool) { return s.Quantile(0.5) }

// Quantile returns the value below which a share q of the sample lies, 0 to 1,
// interpolated between neighbours (Hyndman and Fan's definition 7); false when
// the sample is empty.
func (s Sample) Quantile(q float64) (float64, bool) {
	if len(s.sorted) == 0 {
		return 0, false
	}
	h := float64(len(s.sorted)-1) * min(max(q, 0), 1)
	i := min(int(h), len(s.sorted)-1)
	j := min(i+1, len(s.sorted)-1)
	return s.sorted[i] + (h-float64(i))*(s.sorted[j]-s.sorted[i]), true
}

// NearestRank returns the least value of the sample at or below which a share q of it lies,
// 0 to 1: a value that was measured, not one between two. It is false when the sample is empty.
func (s Sample) NearestRank(q float64) (float64, bool) {
	if len(s.sorted) == 0 {
		return 0, false
	}
	return s.sorted[nearestRank(q, int64(len(s.sorted)))-1], true
}

// A Warning is what keeps a figure from being as good as asked for.
type Warning struct {
	Code string // "confidence", "test", "equal"
	Text string
}

// An Estimate is a figure and the interval that holds the true one with the
// given confidence. A Confidence of 0 says that there is no interval: Low and
// High then equal Value and mean nothing.
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
// false when the sample is empty.
func (s Sample) Interval() (Estimate, bool) {
	n := len(s.sorted)
	if n == 0 {
		return Estimate{}, false
	}
	if n == 1 {
		v := s.sorted[0]
		return Estimate{Value: v, Low: v, High: v, Warnings: []Warning{{"confidence", "one value has no interval"}}}, true
	}
	level := min(Level, widest(n))
	sum := benchmath.AssumeNothing.Summary(s.sample(), level)
	out := Estimate{Value: sum.Center, Low: sum.Lo, High: sum.Hi, Confidence: sum.Confidence}
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

// Differs reports whether the samples are further apart than luck allows.
func (t Test) Differs() bool { return t.P < Alpha }

// Compare tests whether one sample tends to larger values than the other, by
// Mann and Whitney's U, exact for small samples. Samples of three or fewer can
// never differ; the Warning says so.
func Compare(a, b Sample) Test {
	out := Test{P: 1, N1: a.N(), N2: b.N()}
	if a.N() == 0 || b.N() == 0 {
		out.Warnings = []Warning{{"test", "an empty sample cannot be compared"}}
		return out
	}
	c := benchmath.AssumeNothing.Compare(a.sample(), b.sample())
	out.P = c.P
	for _, w := range c.Warnings {
		code := "test"
		if a.sorted[0] == a.sorted[a.N()-1] && b.sorted[0] == b.sorted[b.N()-1] && a.sorted[0] == b.sorted[0] {
			code = "equal"
		}
		out.Warnings = append(out.Warnings, Warning{code, w.Error()})
	}
	return out
}
