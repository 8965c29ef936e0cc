package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linger"
	"linger/trace"
)

// gallery is a page and its 40 images, 612 kB in all.
func gallery() linger.Workload {
	w := linger.Workload{Name: "gallery", Scheme: "http"}
	for i := range 41 {
		e := linger.Exchange{Method: "GET", Path: fmt.Sprintf("/%d", i), Status: 200, ResponseBody: 14_927, Parent: 0}
		if i == 0 {
			e.Parent = linger.NoParent
		}
		w.Exchanges = append(w.Exchanges, e)
	}
	return w
}

func plan(t *testing.T) Plan {
	t.Helper()
	s, err := linger.ParseStrategies("close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2")
	if err != nil {
		t.Fatal(err)
	}
	n, err := linger.ParseNetwork("lte")
	if err != nil {
		t.Fatal(err)
	}
	return Plan{Workload: gallery(), Strategies: s, Network: n, Seed: 1, Trials: 5, ZeroRTT: 3, Workers: 4}
}

// Each job stands once, the same plan expands in the same way, and another seed in another.
func TestJobs(t *testing.T) {
	p := plan(t)
	jobs := p.Jobs()
	n := len(p.Strategies)
	if len(jobs) != n*(p.Trials+p.ZeroRTT) {
		t.Fatalf("%d jobs; want %d", len(jobs), n*(p.Trials+p.ZeroRTT))
	}
	count := map[Job]int{}
	for _, j := range jobs {
		if count[j]++; count[j] > 1 {
			t.Errorf("%+v stands twice", j)
		}
	}
	if !slices.Equal(jobs, p.Jobs()) {
		t.Error("the same plan expands differently")
	}
	// Each strategy is seen once before any but the few long ones is seen twice.
	if first := jobs[:n]; jobs[0].Strategy != 0 || len(slices.Compact(slices.Sorted(func(yield func(int) bool) {
		for _, j := range first {
			yield(j.Strategy)
		}
	}))) < n-1 {
		t.Errorf("the run begins with %v", first)
	}
	p.Seed++
	if slices.Equal(jobs, p.Jobs()) {
		t.Error("another seed gives the same order")
	}
	p.Network.RTT = 0
	if got := len(p.Jobs()); got != n*p.Trials {
		t.Errorf("without delay there are %d jobs; want %d", got, n*p.Trials)
	}
}

// Whatever drifts while the experiment runs falls on all strategies alike: the middles of the
// trials of each lie, on average, in the middle of the run, and none always follows the same
// other one.
func TestTrialsOfEachStrategyAreSpreadOverTheRun(t *testing.T) {
	middle := map[string]float64{}
	follows := map[[2]int]int{}
	const seeds = 20
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) {
			p := plan(t)
			p.Seed, p.Workers = seed, 8
			began := time.Now()
			var mu sync.Mutex
			mean := map[string]time.Duration{}
			last := -1
			_, err := Run(t.Context(), fake(func(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
				if s.Network.RTT > 0 {
					mu.Lock()
					mean[s.Strategy.Name] += (time.Since(began) + duration(s)/2) / time.Duration(p.Trials)
					this := slices.IndexFunc(p.Strategies, func(x linger.Strategy) bool { return x.Name == s.Strategy.Name })
					follows[[2]int{last, this}]++
					last = this
					mu.Unlock()
				}
				return sleeper(ctx, s, trial)
			}), p, nil)
			if err != nil {
				t.Fatal(err)
			}
			took := time.Since(began)
			for name, at := range mean {
				middle[name] += float64(at) / float64(took) / seeds
			}
		})
	}
	for name, at := range middle {
		if at < 0.4 || at > 0.6 {
			t.Errorf("the trials of %s lie at %.2f of the run; want the middle", name, at)
		}
	}
	for pair, n := range follows {
		// Which of several that start at one instant comes first is the scheduler's to say.
		if pair[0] >= 0 && n > seeds*5*3/4 {
			t.Errorf("strategy %d follows %d in %d of %d trials", pair[1], pair[0], n, seeds*5)
		}
	}
	t.Logf("middles: %v", middle)
}

// What the trials of the default comparison take, near enough, plus the lab's start.
func duration(s linger.Scenario) time.Duration {
	const start = 150 * time.Millisecond
	if s.Network.RTT == 0 {
		return start + 450*time.Millisecond
	}
	return start + map[string]time.Duration{
		"close": 6940 * time.Millisecond, "close:6": 1350 * time.Millisecond, "keep": 3700 * time.Millisecond,
		"keep:2": 1900 * time.Millisecond, "keep:6": 950 * time.Millisecond, "pipeline": 720 * time.Millisecond, "pipeline:2": 680 * time.Millisecond,
	}[s.Strategy.Name]
}

// fake is an engine in memory: virtual time when run in a bubble.
type fake func(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error)

func (f fake) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	return f(ctx, s, trial)
}

// sleeper takes as long as the real thing.
func sleeper(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(duration(s)):
		return &trace.Trace{Engine: "fake", Provenance: trace.Predicted, Strategy: s.Strategy.Name, Network: s.Network, Trial: trial, Seed: s.Seed}, nil
	}
}

func TestDefaultComparisonFinishesInTime(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			p := plan(t)
			p.Seed = seed
			var work time.Duration
			for _, j := range p.Jobs() {
				work += duration(p.Scenario(j))
			}
			began := time.Now()
			x, err := Run(t.Context(), fake(sleeper), p, nil)
			if err != nil || x.Interrupted {
				t.Fatal(x, err)
			}
			took, ideal := time.Since(began), work/time.Duration(p.Workers)
			if float64(took) > 1.1*float64(ideal) {
				t.Errorf("seed %d: %v; four workers that are never idle take %v", seed, took, ideal)
			}
			for i := range p.Strategies {
				if len(x.Traces[i]) != 5 || len(x.ZeroRTT[i]) != 3 || len(x.Failures[i]) != 0 {
					t.Errorf("strategy %d: %d and %d traces", i, len(x.Traces[i]), len(x.ZeroRTT[i]))
				}
				for k, tr := range x.Traces[i] {
					if tr.Trial != k || tr.Strategy != p.Strategies[i].Name || tr.Network.RTT != p.Network.RTT {
						t.Errorf("trace %d of %s is %+v", k, p.Strategies[i].Name, tr)
					}
				}
				if x.ZeroRTT[i][0].Network.RTT != 0 {
					t.Error("the trials without delay had one")
				}
			}
			if x.Engine != "fake" || x.Provenance != trace.Predicted {
				t.Errorf("engine %q, provenance %q", x.Engine, x.Provenance)
			}
		})
	}
}

// Where no time is waited for, nothing is known of how long trials take, and all are run.
func TestVirtualPlansRunWhole(t *testing.T) {
	p := plan(t)
	p.Virtual = true
	x, err := Run(t.Context(), fake(func(context.Context, linger.Scenario, int) (*trace.Trace, error) { return &trace.Trace{}, nil }), p, nil)
	if err != nil || x.Interrupted {
		t.Fatal(x, err)
	}
	for i := range p.Strategies {
		if len(x.Traces[i]) != p.Trials || len(x.ZeroRTT[i]) != p.ZeroRTT {
			t.Errorf("%s: %d trials, %d without delay", p.Strategies[i].Name, len(x.Traces[i]), len(x.ZeroRTT[i]))
		}
	}
}

func TestWorkersBoundWhatRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(t)
		p.Workers = 3
		var now, most atomic.Int32
		_, err := Run(t.Context(), fake(func(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return sleeper(ctx, s, trial)
		}), p, nil)
		if err != nil || most.Load() != 3 {
			t.Errorf("%d side by side, %v; want 3", most.Load(), err)
		}
	})
}

func TestFailedTrialsAreCountedAndTheRunGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(t)
		x, err := Run(t.Context(), fake(func(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
			switch {
			case s.Strategy.Name == "keep" && trial == 2 && s.Network.RTT > 0:
				return nil, errors.New("the server hung up")
			case s.Strategy.Name == "pipeline" && s.Network.RTT > 0:
				return nil, nil
			case s.Strategy.Name == "close" && s.Network.RTT == 0:
				return nil, errors.New("no link")
			}
			return sleeper(ctx, s, trial)
		}), p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Traces[2]) != 4 || !slices.Equal(x.Failures[2], []string{"the server hung up"}) {
			t.Errorf("keep: %d traces, failures %q", len(x.Traces[2]), x.Failures[2])
		}
		if len(x.Traces[5]) != 0 || len(x.Failures[5]) != 5 {
			t.Errorf("pipeline: %d traces, failures %q", len(x.Traces[5]), x.Failures[5])
		}
		if len(x.ZeroRTT[0]) != 0 || len(x.ZeroRTTFailures[0]) != 3 || len(x.Traces[0]) != 5 {
			t.Errorf("close: %d still, failures %q", len(x.ZeroRTT[0]), x.ZeroRTTFailures[0])
		}
		if x.Interrupted {
			t.Error("every trial was run, and yet it was interrupted")
		}
	})
}

func TestHopelessRunsStopEarly(t *testing.T) {
	refused := errors.New("connection refused")
	for _, test := range []struct {
		name string
		err  error
		most int32
	}{
		{"this machine cannot do it", fmt.Errorf("no /dev/net/tun: %w", errors.ErrUnsupported), 4},
		{"nothing succeeds", refused, 7 + 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int32
			x, err := Run(t.Context(), fake(func(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
				calls.Add(1)
				time.Sleep(time.Millisecond)
				return nil, test.err
			}), plan(t), nil)
			if !errors.Is(err, test.err) || x == nil || !x.Interrupted {
				t.Errorf("%s: %v, %+v", test.name, err, x)
			}
			if calls.Load() > test.most {
				t.Errorf("%s: %d trials before it stopped; want at most %d", test.name, calls.Load(), test.most)
			}
		})
	}
}

func TestASingleTrialThatFailsIsAnError(t *testing.T) {
	p := plan(t)
	p.Strategies, p.Trials, p.ZeroRTT = p.Strategies[:1], 1, 0
	refused := errors.New("connection refused")
	_, err := Run(t.Context(), fake(func(context.Context, linger.Scenario, int) (*trace.Trace, error) { return nil, refused }), p, nil)
	if !errors.Is(err, refused) {
		t.Error(err)
	}
}

func TestCancellationKeepsWhatWasDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		x, err := Run(ctx, fake(sleeper), plan(t), nil)
		if err != nil || !x.Interrupted {
			t.Fatalf("%+v, %v", x, err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v to stop", took-10*time.Second)
		}
		n := 0
		for i := range x.Traces {
			n += len(x.Traces[i])
			if len(x.Failures[i]) > 0 {
				t.Errorf("trials that were told to stop count as failed: %q", x.Failures[i])
			}
		}
		if n == 0 || n == 35 {
			t.Errorf("%d traces", n)
		}
	})
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan(t)
		p.Timeout = 5 * time.Second
		x, err := Run(t.Context(), fake(func(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
			time.Sleep(20 * time.Second) // before its first packet, which is not the trial's time
			Begin(ctx)
			began := time.Now()
			tr, err := sleeper(ctx, s, trial)
			if took := time.Since(began); took > p.Timeout {
				t.Errorf("%s went on for %v", s.Strategy.Name, took)
			}
			if err != nil {
				err = errors.Join(errors.New("the lab is closed"), err)
			}
			return tr, err
		}), p, nil)
		if err != nil || x.Interrupted {
			t.Fatal(x, err)
		}
		if len(x.Failures[0]) != 5 || x.Failures[0][0] != "not done after 5s" {
			t.Errorf("close, which takes 7 s: %q", x.Failures[0])
		}
		if len(x.Failures[2]) != 0 {
			t.Errorf("keep, which takes 4 s: %q", x.Failures[2])
		}
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []Progress
		began := time.Now()
		if _, err := Run(t.Context(), fake(sleeper), plan(t), func(p Progress) { all = append(all, p) }); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		for i, p := range all {
			if p.Total != 35 || i > 0 && (p.Done < all[i-1].Done || p.Elapsed < all[i-1].Elapsed) {
				t.Fatalf("progress %d goes back: %+v", i, p)
			}
			// Half-way the guess is from real trials.
			if rest := took - p.Elapsed; p.Elapsed > took/2 && (p.Remaining > 2*rest+time.Second || p.Remaining < rest/2-time.Second) {
				t.Errorf("after %v it expects %v more; it takes %v", p.Elapsed, p.Remaining, rest)
			}
		}
		if last := all[len(all)-1]; last.Done != 35 || last.Baseline != 0 || last.Remaining != 0 {
			t.Errorf("ends with %+v", last)
		}
	})
}

// What little a trial takes beyond the textbook, above all the engine's start, is
// not a factor for those that take longer.
func TestProgressFromTheFirstTrial(t *testing.T) {
	for _, test := range []struct {
		name  string
		ended Job
		rtt   time.Duration
		most  time.Duration
	}{
		// Textbook: 41 exchanges at 2 ms each, and 5 ms for the bytes.
		{"a start of 450 ms on a short path", Job{Strategy: 5}, time.Millisecond, 600 * time.Millisecond},
		{"a trial without delay", Job{Strategy: 5, ZeroRTT: true}, 70 * time.Millisecond, 7 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := plan(t)
			p.Network.RTT, p.Network.Down = test.rtt, linger.Gbps
			p.Workers = 1
			o := newOwner(p)
			o.took[test.ended] = pace{1, 450 * time.Millisecond}
			o.jobs, o.left = []Job{{Strategy: 0, Trial: 0}}, map[Job]int{{}: 1}
			if got := o.progress().Remaining; got > test.most {
				t.Errorf("%s: %v to go; want at most %v", test.name, got, test.most)
			}
		})
	}
}

func TestReasonsAreOneLine(t *testing.T) {
	got := reasons([]error{errors.Join(errors.New("the lab is closed"), errors.New("EOF")), nil})
	if want := []string{"the lab is closed; EOF"}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"no strategy": func(p *Plan) { p.Strategies = nil },
		"0 trials":    func(p *Plan) { p.Trials = 0 },
		"side by":     func(p *Plan) { p.Workers = 0 },
		"nothing":     func(p *Plan) { p.Workload.Exchanges = nil },
		"round-trip":  func(p *Plan) { p.Network.RTT = -1 },
	} {
		p := plan(t)
		change(&p)
		if _, err := Run(t.Context(), fake(sleeper), p, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	s, _ := linger.ParseStrategies("close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2")
	n, _ := linger.ParseNetwork("lte")
	p := Plan{Workload: gallery(), Strategies: s, Network: n, Trials: 5, ZeroRTT: 3, Workers: 4}
	for b.Loop() {
		if _, err := Run(b.Context(), fake(func(context.Context, linger.Scenario, int) (*trace.Trace, error) {
			return &trace.Trace{}, nil
		}), p, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// Where every trial with the delay fails, the engine is known from those without.
func TestEngineIsKnownWithoutTrialsWithDelay(t *testing.T) {
	p := plan(t)
	p.Strategies, p.Trials = p.Strategies[:2], 1
	x, err := Run(t.Context(), fake(func(_ context.Context, s linger.Scenario, _ int) (*trace.Trace, error) {
		if s.Network.RTT > 0 {
			return nil, errors.New("not done after 1s")
		}
		return &trace.Trace{Engine: "lab", Provenance: trace.Measured}, nil
	}), p, nil)
	if err != nil || x.Engine != "lab" || x.Provenance != trace.Measured {
		t.Errorf("engine %q, %q, %v", x.Engine, x.Provenance, err)
	}
	if len(x.Failures[0]) != 1 || len(x.Failures[1]) != 1 || len(x.ZeroRTT[0]) != p.ZeroRTT {
		t.Errorf("%d and %d failures, %d without delay", len(x.Failures[0]), len(x.Failures[1]), len(x.ZeroRTT[0]))
	}
}
