package limit

import (
	"testing"
	"time"

	"linger"
)

// Kaplan and Meier's own kind of example: 6 ends and 4 that are censored.
func TestSurvival(t *testing.T) {
	got := Survival([]float64{3, 5, 5, 8, 10, 15}, []float64{4, 8, 12, 20})
	want := []Point{{3, .9}, {5, .675}, {8, .675 * 5 / 6}, {10, .675 * 5 / 6 * .75}, {15, .675 * 5 / 6 * .75 / 2}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i].Seconds != want[i].Seconds || got[i].Share < want[i].Share-1e-9 || got[i].Share > want[i].Share+1e-9 {
			t.Errorf("step %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// One limit is claimed where gaps that ended agree and none that survived is longer.
func TestSingle(t *testing.T) {
	for _, test := range []struct {
		name            string
		ended, survived []float64 // seconds
		atOnce          bool      // all end within one moment
		want            float64
		ok              bool
	}{
		{"all alike", []float64{5, 5.02, 5.01}, []float64{1, 2, 5.05}, false, 5.01, true},
		{"one outlived it", []float64{5, 5.02, 5.01}, []float64{6}, false, 0, false},
		{"they differ", []float64{5, 7, 6}, nil, false, 0, false},
		{"2 % may lie between long ones", []float64{60, 61, 60.5}, nil, false, 60.5, true},
		{"one end is one case", []float64{5}, nil, false, 0, false},
		{"a process that ended closed all at once", []float64{5, 5.02, 5.01}, nil, true, 0, false},
	} {
		var l Idle
		for i, g := range test.ended {
			at := linger.Instant(i) * 1e9
			if test.atOnce {
				at = linger.Instant(i) * 1e6
			}
			l.End(at, Seconds(g))
		}
		for _, g := range test.survived {
			l.Survive(Seconds(g))
		}
		if got, ok := l.Single(); ok != test.ok || ok && got != test.want {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, got, ok, test.want, test.ok)
		}
	}
	var none *Idle
	if _, ok := none.Single(); ok {
		t.Error("a limit of a host that nothing is known of")
	}
}

func TestQuantile(t *testing.T) {
	curve := Survival([]float64{1, 2, 3, 4}, nil)
	for share, want := range map[float64]float64{0.75: 1, 0.5: 2, 0.1: 4} {
		if got, ok := Quantile(curve, share); !ok || got != want {
			t.Errorf("%v: %v, want %v", share, got, want)
		}
	}
	if _, ok := Quantile(Survival([]float64{1}, []float64{2, 3, 4}), 0.5); ok {
		t.Error("fewer than half have ended, and half have")
	}
}

// A bounded part of many values is kept, spread evenly.
func TestValuesAreBounded(t *testing.T) {
	var v Values
	for i := range 100_000 {
		v.AddWithin(float64(i), 64)
	}
	if v.N != 100_000 || len(v.Kept) >= 64 || len(v.Kept) < 16 {
		t.Errorf("%d kept of %d", len(v.Kept), v.N)
	}
	if m := v.Median().Or(0); m < 40_000 || m > 60_000 {
		t.Errorf("the median is %v", m)
	}
	if !(Values{}).Median().IsZero() {
		t.Error("a median of none")
	}
}

// What most ends agree on is the limit, though a process has ended before it and a timer was late.
func TestUsual(t *testing.T) {
	for _, test := range []struct {
		name     string
		ended    []float64
		survived []float64
		want     float64
		ok       bool
	}{
		{"one limit", []float64{5, 5.01, 5, 5.02}, []float64{4}, 5.01, true},
		{"one end is early, one late", []float64{5, 5.01, 5, 5.02, 1.2, 5.15}, []float64{4}, 5.01, true},
		{"one survived", []float64{5, 5.01, 5, 5.02, 1.2}, []float64{7}, 5, false},
		{"half were early", []float64{5, 3, 5.02, 5, 1.2, .3}, nil, 5, true},
		{"none that most agree on", []float64{5, 3, 4, 5.02, 1.2}, nil, 5.02, false},
		{"some are later", []float64{5, 5, 5, 5, 9, 8, 7}, nil, 5, false},
		{"two of three", []float64{5, 1, 5.01}, nil, 5.01, true},
		{"too few", []float64{5, 1}, nil, 5, false},
	} {
		l := &Idle{}
		for i, g := range test.ended {
			l.End(linger.Instant(i)*linger.Instant(time.Minute), time.Duration(g*1e9))
		}
		for _, g := range test.survived {
			l.Survive(time.Duration(g * 1e9))
		}
		if got, ok := l.Usual(); ok != test.ok || ok && got != test.want {
			t.Errorf("%s: %v, %v; want %v, %v", test.name, got, ok, test.want, test.ok)
		}
	}
	if !Early(3, 5) || Early(4.95, 5) || Early(6, 5) {
		t.Error("what is early")
	}
}
