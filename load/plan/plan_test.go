package plan

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"linger"
)

// all are the instants of a plan, at most so many.
func all(p Plan, most int) (out []linger.Instant) {
	a := p.Arrivals()
	for len(out) < most {
		at, ok := a.Next()
		if !ok {
			break
		}
		out = append(out, at)
	}
	return out
}

func TestEvenArrivals(t *testing.T) {
	second := float64(time.Second)
	for name, test := range map[string]struct {
		plan Plan
		n    int
		at   map[int]float64 // instants in seconds, by number
	}{
		"constant":               {Plan{Stages: []Stage{{100, 100, 0}}, Time: time.Second}, 100, map[int]float64{0: 0, 1: 0.01, 99: 0.99}},
		"below one a second":     {Plan{Stages: []Stage{{0.5, 0.5, 0}}, Time: 10 * time.Second}, 5, map[int]float64{4: 8}},
		"steps":                  {Plan{Stages: []Stage{{10, 10, time.Second}, {100, 100, time.Second}}}, 110, map[int]float64{9: 0.9, 10: 1, 11: 1.01}},
		"a step of nothing":      {Plan{Stages: []Stage{{10, 10, time.Second}, {0, 0, time.Second}, {10, 10, time.Second}}}, 20, map[int]float64{9: 0.9, 10: 2}},
		"a ramp from nothing":    {Plan{Stages: []Stage{{0, 100, 2 * time.Second}}}, 100, map[int]float64{25: 1, 64: 1.6}},
		"a ramp down":            {Plan{Stages: []Stage{{100, 0, 2 * time.Second}}}, 100, map[int]float64{75: 1}},
		"a ramp, then constant":  {Plan{Stages: []Stage{{0, 100, 2 * time.Second}, {100, 100, time.Second}}}, 200, map[int]float64{100: 2, 150: 2.5}},
		"a warm-up of the first": {Plan{Stages: []Stage{{10, 10, 0}}, WarmUp: time.Second, Time: time.Second}, 20, map[int]float64{10: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.plan.Check(); err != nil {
				t.Fatal(err)
			}
			got := all(test.plan, 1000)
			if len(got) != test.n {
				t.Errorf("%d arrivals, want %d", len(got), test.n)
			}
			for i, want := range test.at {
				if i < len(got) && math.Abs(float64(got[i])-want*second) > 2 {
					t.Errorf("arrival %d at %v, want %v s", i, got[i], want)
				}
			}
			for i := 1; i < len(got); i++ {
				if got[i] < got[i-1] {
					t.Fatalf("arrival %d comes before the one before it", i)
				}
			}
		})
	}
}

func TestPoissonArrivals(t *testing.T) {
	p := Plan{Stages: []Stage{{1000, 1000, 0}}, Poisson: true, Seed: 7, Time: 100 * time.Second}
	got := all(p, math.MaxInt)
	if n := float64(len(got)); math.Abs(n-100_000) > 5*math.Sqrt(100_000) {
		t.Errorf("%v arrivals of 100,000 expected", n)
	}
	// The gaps of a Poisson process have a standard deviation of their mean.
	var sum, squares float64
	for i := 1; i < len(got); i++ {
		gap := float64(got[i] - got[i-1])
		sum += gap
		squares += gap * gap
	}
	n := float64(len(got) - 1)
	mean := sum / n
	if ratio := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(ratio-1) > 0.03 {
		t.Errorf("the gaps' deviation is %v of their mean", ratio)
	}
	again := all(p, math.MaxInt)
	p.Seed++
	other := all(p, math.MaxInt)
	if len(again) != len(got) || again[500] != got[500] || other[500] == got[500] {
		t.Error("one seed is one plan, another another")
	}
}

func TestPlansThatAreNone(t *testing.T) {
	for name, p := range map[string]Plan{
		"no end":           {},
		"below zero":       {Requests: -1},
		"no end of a rate": {Stages: []Stage{{1, 1, 0}, {2, 2, 0}}, Requests: 1},
		"a ramp for ever":  {Stages: []Stage{{1, 2, 0}}, Requests: 1},
		"nothing":          {Stages: []Stage{{0, 0, 0}}, Requests: 1},
		"not a number":     {Stages: []Stage{{math.NaN(), 1, time.Second}}},
		"too fast":         {Stages: []Stage{{1e12, 1e12, time.Second}}},
	} {
		if p.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
	for name, l := range map[string]Life{
		"most below least": {Requests: Range{5, 3}}, "none": {Requests: Range{0, 3}},
		"before": {MaxAge: -1}, "not a number": {Reconnect: math.NaN()},
	} {
		if l.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestEnds(t *testing.T) {
	s := linger.Instant(time.Second)
	for _, test := range []struct {
		plan Plan
		ends linger.Instant
		rate float64
	}{
		{Plan{Requests: 5}, linger.Never, 0},
		{Plan{Time: time.Second, WarmUp: time.Second}, 2 * s, 0},
		{Plan{Stages: []Stage{{10, 30, 2 * time.Second}, {30, 30, 2 * time.Second}}}, 4 * s, 25},
		{Plan{Stages: []Stage{{10, 10, 2 * time.Second}}, Time: time.Second}, s, 10},
		{Plan{Stages: []Stage{{10, 10, 0}}, Time: time.Second}, s, 10},
	} {
		if got := test.plan.Ends(); got != test.ends || test.plan.Rate() != test.rate {
			t.Errorf("%+v ends at %d at %v/s; want %d, %v/s", test.plan, got, test.plan.Rate(), test.ends, test.rate)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string][]Stage{
		"":                       nil,
		"500":                    {{500, 500, 0}},
		"500/s":                  {{500, 500, 0}},
		"30000/m":                {{500, 500, 0}},
		"0.5/s:3s":               {{0.5, 0.5, 3 * time.Second}},
		"100..1000/s:1m":         {{100, 1000, time.Minute}},
		"100/s:10s, 200/s:500ms": {{100, 100, 10 * time.Second}, {200, 200, 500 * time.Millisecond}},
	} {
		got, err := ParseRate(text)
		if err != nil || len(got) != len(want) {
			t.Errorf("%q: %v, %v", text, got, err)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: %v, want %v", text, got[i], want[i])
			}
		}
	}
	for _, text := range []string{"x", "-1", "1/h", "1:x", "1:-1s", "1..2", "1,2", "NaN", "Inf", "1e300", ",", "1..", "..1:1s", "500/s:0s"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestParseRange(t *testing.T) {
	for text, want := range map[string]Range{"1": {1, 1}, "50:150": {50, 150}} {
		if got, err := ParseRange(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "5:3", "x", "1:2:3", "-1", ":5"} {
		if got, err := ParseRange(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestRangesAreDrawnWithTheirBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	seen := map[int]int{}
	for range 3000 {
		seen[Range{3, 5}.Draw(rng)]++
	}
	if len(seen) != 3 || seen[3] < 800 || seen[4] < 800 || seen[5] < 800 {
		t.Errorf("%v", seen)
	}
}

func TestShares(t *testing.T) {
	for _, test := range [][2]int64{{10, 3}, {2, 3}, {0, 1}, {7, 7}} {
		sum := int64(0)
		for i := range int(test[1]) {
			sum += Share(test[0], i, int(test[1]))
		}
		if sum != test[0] {
			t.Errorf("the shares of %d come to %d", test[0], sum)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	f.Add("100..1000/s:60s,5/m:1s")
	f.Fuzz(func(t *testing.T, s string) {
		stages, err := ParseRate(s)
		if err != nil || len(stages) == 0 {
			return
		}
		a := Plan{Stages: stages, Requests: 100}.Arrivals()
		last := linger.Instant(0)
		for range 100 {
			at, ok := a.Next()
			if !ok {
				break
			}
			if at < last {
				t.Fatalf("%q: %d after %d", s, at, last)
			}
			last = at
		}
	})
}
