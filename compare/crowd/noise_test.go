package crowd_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/trace"
)

// TestNoise tells how often a verdict tells equal strategies apart: 50 clients load 8 pages each
// whose times spread by 30 %, and trials differ by 3 %. docs/statistics.md has what it prints.
func TestNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	record := func() *trace.Crowd {
		c := &trace.Crowd{Ended: linger.Instant(time.Hour)}
		own := math.Exp(0.03 * r.NormFloat64())
		for i := range 400 {
			at := linger.Instant(i/50) * linger.Instant(5*time.Second)
			took := time.Duration(own * math.Exp(0.3*r.NormFloat64()) * float64(100*time.Millisecond))
			c.Visits = append(c.Visits, trace.Visit{Client: i % 50, Number: i / 50, Wanted: at, Done: linger.Known(at.Add(took)), Bytes: 1})
		}
		return c
	}
	for _, test := range []struct {
		trials int
		most   float64
	}{{1, 0.12}, {2, 0.05}, {5, 0.05}} {
		told, of := 0, 200
		for range of {
			e := &crowd.Experiment{Provenance: trace.Measured, Trials: test.trials, Strategies: []linger.Strategy{closing, keeping}, Runs: make([][]*trace.Crowd, 2)}
			for i := range e.Runs {
				for range test.trials {
					e.Runs[i] = append(e.Runs[i], record())
				}
			}
			if crowd.Compare(e).Verdict.Advice != crowd.Either {
				told++
			}
		}
		t.Logf("%d trials: %d of %d", test.trials, told, of)
		if float64(told) > test.most*float64(of) {
			t.Errorf("with %d trials, %d of %d pairs of equal strategies are told apart", test.trials, told, of)
		}
	}
}
