package run

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"linger"
	"linger/stats"
	"linger/trace"
)

// medians are those of the default comparison, near enough, in ms.
var medians = map[string]float64{
	"close": 10600, "close:6": 2080, "keep": 3620, "keep:6": 1060, "pipeline": 841, "h2": 842, "h3": 649,
}

// standard is the default comparison; expected times are a tenth off.
func standard(t *testing.T, seed uint64) Plan {
	t.Helper()
	s, err := linger.ParseStrategies("close,close:6,keep,keep:6,pipeline,h2,h3")
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t)
	p.Strategies, p.Seed, p.Enough, p.Workers, p.Fewest, p.Most = s, seed, 4, 6, 4, 8
	p.Workload.Scheme = "https"
	for _, s := range p.Strategies {
		p.Expected = append(p.Expected, time.Duration(0.9*medians[s.Name]*1e6))
	}
	return p
}

// measurer takes as long as the medians say and some noise, and a lab's start besides. late
// is how late its packets are where n trials run side by side.
type measurer struct {
	medians map[string]float64
	noise   func(trial int) float64
	late    func(n int) time.Duration
	running chan struct{}
}

func (m *measurer) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	m.running <- struct{}{}
	defer func() { <-m.running }()
	took := 400 * time.Millisecond
	if s.Network.RTT > 0 {
		took = time.Duration(m.medians[s.Strategy.Name] * m.noise(trial) * 1e6)
	}
	late := m.late(len(m.running))
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(300*time.Millisecond + took):
	}
	return &trace.Trace{
		Engine: "fake", Provenance: trace.Measured, Strategy: s.Strategy.Name, Network: s.Network, Trial: trial, Seed: s.Seed,
		Ended: linger.Instant(took), Ledger: linger.Known(trace.Ledger{Lateness: trace.Lateness{Packets: 100, P99: late}}),
	}, nil
}

func TestTheLongestEndsEarlyWhereItsOrderIsSettled(t *testing.T) {
	onTime := func(int) time.Duration { return time.Millisecond }
	late := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, test := range []struct {
		name    string
		close   float64 // its median, in ms
		noise   float64
		late    func(int) time.Duration
		enough  int
		trials  int // of close
		longest time.Duration
	}{
		{"far apart", 10600, 0.002, onTime, 4, 4, 15 * time.Second},
		{"far apart, late from the fifth on", 10600, 0.002, late, 4, 4, 28 * time.Second},
		{"far apart, and a number given", 10600, 0.002, onTime, 0, 5, 16500 * time.Millisecond},
		{"near the next", 3900, 0.05, onTime, 4, 5, 16 * time.Second},
		{"noisy", 10600, 0.8, onTime, 4, 5, 45 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(5) {
				synctest.Test(t, func(t *testing.T) {
					p := standard(t, seed)
					p.Enough = test.enough
					times := map[string]float64{}
					for name, v := range medians {
						times[name] = v
					}
					times["close"] = test.close
					e := &measurer{medians: times, late: test.late, running: make(chan struct{}, 100), noise: func(trial int) float64 {
						return 1 + test.noise*(float64(trial%2)-0.5+0.01*float64(trial))
					}}
					began := time.Now()
					var last Progress
					x, err := Run(t.Context(), e, p, func(now Progress) { last = now })
					if err != nil || x.Interrupted {
						t.Fatal(x, err)
					}
					if took := time.Since(began); took > test.longest {
						t.Errorf("seed %d: it takes %v; want at most %v", seed, took, test.longest)
					} else {
						t.Logf("seed %d: %v", seed, took)
					}
					if got := len(x.Traces[0]); got != test.trials {
						t.Errorf("seed %d: %d trials of close; want %d", seed, got, test.trials)
					}
					if s := last.Strategies[0]; s.Spared != p.Trials-test.trials || s.Left != 0 || last.Done != last.Total {
						t.Errorf("seed %d: it ends with %+v", seed, last)
					}
					for i := range x.Traces[1:] {
						if n := len(x.Traces[i+1]); n != p.Trials {
							t.Errorf("seed %d: %d trials of %s; want %d", seed, n, p.Strategies[i+1].Name, p.Trials)
						}
					}
				})
			}
		})
	}
}

// Which strategies may end early: those worth it, as far as the promise allows.
func TestHeld(t *testing.T) {
	p := standard(t, 1)
	if got := p.held(); !slices.Equal(got, []int{1, 0, 0, 0, 0, 0, 0}) {
		t.Errorf("of seven: %v; want the longest alone", got)
	}
	p.Strategies, p.Expected = p.Strategies[4:6], p.Expected[4:6]
	if got := p.held(); !slices.Equal(got, []int{1, 1}) {
		t.Errorf("of two: %v; want both", got)
	}
	p.Strategies = p.Strategies[:1]
	if got := p.held(); !slices.Equal(got, []int{0}) {
		t.Errorf("of one: %v; want none", got)
	}
	p = standard(t, 1)
	p.Strategies = append(slices.Clone(p.Strategies), p.Strategies[1:4]...) // ten
	if got := p.held(); slices.Max(got) != 0 {
		t.Errorf("of ten: %v; five trials leave no room for a look before the last", got)
	}
	p = standard(t, 1)
	p.Trials = 3
	if got := p.held(); slices.Max(got) != 0 {
		t.Errorf("of three trials: %v", got)
	}
}

func TestOrderOf(t *testing.T) {
	sample := stats.New
	for _, test := range []struct {
		name  string
		a, b  stats.Sample
		ended int // of b
		want  order
	}{
		{"apart", sample(10, 10.1, 10.2, 10.3), sample(1, 1, 1, 1, 2), 5, settled},
		{"apart, but b is to have one more", sample(10, 10.1, 10.2, 10.3), sample(1, 1, 1, 1), 4, open},
		{"b has nothing yet", sample(10, 10.1, 10.2, 10.3), sample(), 0, open},
		{"not apart, whatever comes", sample(3, 5), sample(2), 1, unclear},
		{"a trial of b failed", sample(10, 10.1, 10.2, 10.3), sample(1, 1, 1, 1), 5, unclear},
	} {
		if got := orderOf(0, []stats.Sample{test.a, test.b}, []int{test.a.N(), test.ended}, []int{4, 5}); got != test.want {
			t.Errorf("%s: %d; want %d", test.name, got, test.want)
		}
	}
}

// In virtual time, thousands of experiments: what is ended early leads to false orders in no more
// than the promised share of the experiments, and the intervals hold the true median as often as
// they say.
func TestEndingEarlyKeepsThePromises(t *testing.T) {
	const rounds = 4000
	draws := map[string]func(*rand.Rand) float64{
		"normal, 3 %":       func(r *rand.Rand) float64 { return 1 + 0.03*r.NormFloat64() },
		"outliers":          func(r *rand.Rand) float64 { return 1 + 0.03*math.Abs(r.NormFloat64()) + 0.3*float64(r.IntN(10)/9) },
		"two values":        func(r *rand.Rand) float64 { return 1 + float64(r.IntN(2)) + 0.001*r.Float64() },
		"one of two, apart": func(r *rand.Rand) float64 { return math.Exp(5*float64(r.IntN(2)) + r.NormFloat64()*0.01) },
		"exponential":       func(r *rand.Rand) float64 { return 1 + r.ExpFloat64() },
		"Pareto":            func(r *rand.Rand) float64 { return math.Pow(r.Float64(), -1) },
	}
	for name, draw := range draws {
		var all []float64
		r := rand.New(rand.NewPCG(7, 7))
		for range 100_001 {
			all = append(all, draw(r))
		}
		median, _ := stats.New(all...).Median()
		for _, truth := range [][]float64{
			{1, 1, 1, 1, 1, 1, 1}, // nothing differs
			{1.2, 1, 1, 1, 1, 1, 1},
			{16, 3.2, 5.6, 1.6, 1.3, 1.3, 1},
			{1, 1},
			{1.1, 1},
		} {
			k := len(truth)
			p := Plan{Trials: 5, Enough: 4, Strategies: make([]linger.Strategy, k), Expected: make([]time.Duration, k)}
			for i, v := range truth {
				p.Expected[i] = time.Duration(v * 1e9)
			}
			p.Expected[0] *= 3 // what is expected need not be so
			held := p.held()
			false_, early := 0, 0
			covered, promised, intervals := 0.0, 0.0, 0.0
			for range rounds {
				of := experiment(p, held, func(i int) float64 { return truth[i] * draw(r) })
				wrong := false
				for i := range of {
					if of[i].N() < p.Trials {
						early++
					}
					e, _ := of[i].Interval()
					intervals++
					promised += e.Confidence
					if m := truth[i] * median; e.Low <= m && m <= e.High {
						covered++
					}
					if i == 0 {
						continue
					}
					// The pairs of which something is said: each with the first.
					if stats.Compare(of[0], of[i]).P*stats.Family(k) < stats.Alpha {
						a, _ := of[0].Median()
						b, _ := of[i].Median()
						wrong = wrong || truth[0] == truth[i] || (a < b) != (truth[0] < truth[i])
					}
				}
				if wrong {
					false_++
				}
			}
			rate := float64(false_) / rounds
			t.Logf("%-18s %-24v: %4.1f %% false, intervals hold %.1f %% of %.1f %% promised, %.0f %% end early",
				name, truth, 100*rate, 100*covered/intervals, 100*promised/intervals, 100*float64(early)/rounds)
			if limit := stats.Alpha + 3*math.Sqrt(stats.Alpha*(1-stats.Alpha)/rounds); rate > limit {
				t.Errorf("%s, %v: %.1f %% of the experiments tell a false order; at most 5 %% are promised", name, truth, 100*rate)
			}
			if slack := 3 * math.Sqrt(0.1*0.9/rounds); covered/intervals < promised/intervals-slack {
				t.Errorf("%s, %v: %.1f %% of the intervals hold the median; %.1f %% are promised", name, truth, 100*covered/intervals, 100*promised/intervals)
			}
		}
	}
}

// experiment draws the times of each strategy as a run of the plan does: what is held is drawn
// only where the order is not settled.
func experiment(p Plan, held []int, draw func(i int) float64) []stats.Sample {
	values, of := make([][]float64, len(held)), make([]stats.Sample, len(held))
	ended, due := make([]int, len(held)), make([]int, len(held))
	more := func(i int) {
		values[i] = append(values[i], draw(i))
		of[i] = stats.New(values[i]...)
		ended[i]++
	}
	for i, n := range held {
		due[i] = p.Trials - n
		for range due[i] {
			more(i)
		}
	}
	for i, n := range held {
		for range n {
			if orderOf(i, of, ended, due) == unclear {
				more(i)
			}
		}
	}
	return of
}
