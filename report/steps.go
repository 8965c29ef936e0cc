package report

import (
	"math"
	"slices"

	"linger/compare"
	"linger/finding"
)

// A Step is one of where the time goes, as it is shown.
type Step struct {
	compare.Step
	// Change is what the step takes more, in ms, less than nothing where it saves: to the
	// digit that Shown has, so that all steps add up to what lies between the first strategy
	// and the last.
	Change float64
	Shown  string // "−5.8 s"
}

// Steps are where the time is saved, from the slowest strategy to the fastest, without parts of
// a change that come to nothing in three digits of the slowest's time.
func Steps(f compare.Findings) []Step {
	at := slices.IndexFunc(f.Rows, func(r compare.Row) bool { return len(f.Verdict.Steps) > 0 && r.Strategy == f.Verdict.Steps[0].From })
	if at < 0 {
		return nil
	}
	slowest, _ := f.Rows[at].Time.Get()
	// Three digits of the longest: a step between two short times is known better than that.
	unit := finding.Step(slowest.Median, 0)
	units := apportioned(f.Verdict.Steps, unit)
	var out []Step
	for i, s := range f.Verdict.Steps {
		sign := "−"
		switch n := units[i]; {
		case n == 0 && parted(f.Verdict.Steps, i):
			continue
		case n == 0:
			sign = "" // the way leads on from where it leads to
		case n < 0:
			sign = "+"
		}
		change := -units[i] * unit
		out = append(out, Step{s, change, sign + inUnitOf(math.Abs(change), slowest.Median, unit)})
	}
	return out
}

// parted reports whether a step is one of several that part the same change.
func parted(steps []compare.Step, i int) bool {
	return i > 0 && steps[i-1].To == steps[i].To || i+1 < len(steps) && steps[i+1].To == steps[i].To
}

// apportioned are what the steps save, in whole units that come to the sum of all, rounded:
// those that are furthest from what they are rounded to give way.
func apportioned(steps []compare.Step, unit float64) []float64 {
	units := make([]float64, len(steps))
	sum, rounded := 0.0, 0.0
	for i, s := range steps {
		units[i] = math.Round(s.Saves / unit)
		sum, rounded = sum+s.Saves, rounded+units[i]
	}
	for missing := math.Round(sum/unit) - rounded; missing != 0; {
		way := math.Copysign(1, missing)
		most := 0
		for i, s := range steps {
			if way*(s.Saves/unit-units[i]) > way*(steps[most].Saves/unit-units[most]) {
				most = i
			}
		}
		units[most] += way
		missing -= way
	}
	return units
}

// inUnitOf writes a time in ms in the unit in which another is shown.
func inUnitOf(ms, other, step float64) string {
	if other < 1000 {
		return finding.InSteps(ms, step)
	}
	return finding.Fixed(ms/1000, max(0, 3-int(math.Round(math.Log10(step))))) + " s"
}
