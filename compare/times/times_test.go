package times

import (
	"math"
	"slices"
	"testing"

	"linger"
	"linger/finding"
	"linger/internal/textbook"
	"linger/stats"
	"linger/trace"
)

// measured is a strategy with those times, of trials in which bounds failed.
func measured(name string, took []float64, bounds ...float64) *Timed {
	return TimedOf(textbook.Strategies(name)[0], stats.Censored(took, bounds), trace.Measured, 0)
}

func predicted(name string, loss float64, took ...float64) *Timed {
	return TimedOf(textbook.Strategies(name)[0], stats.New(took...), trace.Predicted, loss)
}

// around are five times that lie close together.
func around(ms float64) []float64 { return []float64{ms - 2, ms - 1, ms, ms + 1, ms + 2} }

func TestRelate(t *testing.T) {
	for _, test := range []struct {
		name    string
		a, b    *Timed
		want    Relation
		certain bool // p is 0 or 1
	}{
		{"far apart", measured("keep", around(100)), measured("close", around(200)), Less, false},
		{"the other way round", measured("keep", around(200)), measured("close", around(100)), More, false},
		{"mixed", measured("keep", around(100)), measured("close", around(101)), Same, false},
		{"two and two show nothing, unless the intervals are apart", measured("keep", []float64{100, 110}), measured("close", []float64{105, 115}), Untold, false},
		{"two and two, far apart", measured("keep", []float64{100, 101}), measured("close", []float64{205, 206}), Less, false},
		{"one and one", measured("keep", []float64{100}), measured("close", []float64{200}), Untold, false},
		{"a trial that failed took longer", measured("keep", around(100)), measured("close", around(200)[:4], 50), Less, false},
		{"predictions need no test", predicted("keep", 0, 100), predicted("close", 0, 100.1), Less, true},
		{"predictions that are the same", predicted("keep", 0, 100), predicted("close", 0, 100), Same, true},
		{"one prediction with loss", predicted("keep", 0.01, 100), predicted("close", 0.01, 200), Untold, false},
	} {
		Together([]*Timed{test.a, test.b})
		r, p := Relate(test.a, test.b)
		if r != test.want || test.certain != (p == 0 || p == 1 && test.a.Exact) {
			t.Errorf("%s: %d with p %v; want %d", test.name, r, p, test.want)
		}
		back, _ := Relate(test.b, test.a)
		if mirror := map[Relation]Relation{Less: More, More: Less, Same: Same, Untold: Untold}[r]; back != mirror {
			t.Errorf("%s: %d one way, %d the other", test.name, r, back)
		}
	}
}

// Predictions that are closer to each other than to measurements are in no order.
func TestOrderOfPredictions(t *testing.T) {
	for _, test := range []struct {
		a, b float64
		want Relation
	}{{100, 104, Same}, {100, 105.2, Same}, {100, 106, Less}, {106, 100, More}, {100, 100, Same}} {
		if r, _ := Order(predicted("keep", 0, test.a), predicted("close", 0, test.b)); r != test.want {
			t.Errorf("%v and %v: %d, want %d", test.a, test.b, r, test.want)
		}
	}
	if r, _ := Order(measured("keep", around(1000)), measured("close", around(1020))); r != Less {
		t.Errorf("measurements: %d", r)
	}
}

func TestRanks(t *testing.T) {
	failed := measured("h3", nil, 5, 5, 5)
	all := []*Timed{measured("close", around(300)), measured("keep", around(100)), measured("keep:6", []float64{99, 100, 101, 102, 103}), failed, measured("h2", []float64{150})}
	Together(all)
	best := Fastest(all)
	if best.Name() != "keep" || failed.Known {
		t.Errorf("fastest %s", best.Name())
	}
	with, without := Families(all)
	if with != best || without != all[0] {
		t.Errorf("with keep-alive %s, without %s", with.Name(), without.Name())
	}
	if tied, untested := Standing(all, best); !slices.Equal(tied, []string{"keep:6"}) || !slices.Equal(untested, []string{"h2"}) {
		t.Errorf("tied %v, untested %v", tied, untested)
	}
	if Fastest(nil) != nil || Fastest([]*Timed{failed}) != nil {
		t.Error("none has a time, and one is fastest")
	}
}

// p of each comparison grows with the number of those that stand together.
func TestTogether(t *testing.T) {
	p := func(more int) float64 {
		a, b := measured("keep", []float64{100, 101, 102, 103, 109}), measured("close", []float64{104, 105, 106, 107, 108})
		all := []*Timed{a, b}
		for range more {
			all = append(all, measured("h2", around(500)))
		}
		Together(all)
		_, p := Relate(a, b)
		return p
	}
	if two, seven := p(0), p(5); math.Abs(seven-3.5*two) > 1e-9 {
		t.Errorf("p is %v of two strategies, %v of seven", two, seven)
	}
}

func TestTimes(t *testing.T) {
	for _, test := range []struct {
		name     string
		timed    *Timed
		interval linger.Opt[finding.Interval]
		doubt    linger.Opt[float64]
	}{
		{"five trials", measured("keep", around(100)), linger.Known(finding.Interval{Low: linger.Known(98.0), High: linger.Known(102.0), Confidence: linger.Known(0.9375), N: 5}), linger.Known(2.0)},
		{"one trial", measured("keep", []float64{100}), linger.Known(finding.Interval{N: 1}), linger.Opt[float64]{}},
		{"open above", measured("keep", around(100)[:4], 5), linger.Known(finding.Interval{Low: linger.Known(98.0), Confidence: linger.Known(0.9375), N: 5}), linger.Opt[float64]{}},
		{"a prediction", predicted("keep", 0, 100), linger.Opt[finding.Interval]{}, linger.Known(0.0)},
	} {
		if f := test.timed.Figure(); f.Value != linger.Known(100.0) || f.Of != "keep" || f.Interval != test.interval {
			t.Errorf("%s: %+v; want %+v", test.name, f, test.interval)
		}
		if test.timed.Uncertainty() != test.doubt {
			t.Errorf("%s: %v off; want %v", test.name, test.timed.Uncertainty(), test.doubt)
		}
	}
}
