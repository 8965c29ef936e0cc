package crowds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
	"linger/fault"
	"linger/policy"
	"linger/rig"
	"linger/run"
	"linger/trace"
)

// A script is an engine that does as it is told, and knows what it was asked.
type script struct {
	mu    sync.Mutex
	asked []string
	run   func(ctx context.Context, s linger.Scenario, trial int) (*trace.Crowd, error)
}

func (e *script) Run(ctx context.Context, s linger.Scenario, _ linger.Crowd, trial int) (*trace.Crowd, error) {
	e.mu.Lock()
	e.asked = append(e.asked, fmt.Sprintf("%s %d", s.Strategy.Name, trial))
	e.mu.Unlock()
	return e.run(ctx, s, trial)
}

// A screen hears what is said.
type screen struct{ notes []string }

func (*screen) Tell(run.Progress) {}
func (*screen) Clear()            {}
func (s *screen) Note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func comparison(t *testing.T, strategies string) Comparison {
	t.Helper()
	list, err := linger.ParseStrategies(strategies)
	if err != nil {
		t.Fatal(err)
	}
	network, err := linger.ParseNetwork("lan")
	if err != nil {
		t.Fatal(err)
	}
	return Comparison{
		Workload: linger.API(1), Network: network, Strategies: list, Seed: 1, Trials: 2, Patience: time.Minute,
		Crowd: linger.Crowd{Clients: 3, Visits: 1},
	}
}

func TestRuns(t *testing.T) {
	whole := &trace.Crowd{}
	for _, test := range []struct {
		name   string
		run    func(ctx context.Context, s linger.Scenario, trial int) (*trace.Crowd, error)
		asked  string // of the engine, in this order
		runs   string // what there is of each strategy, in the order of trials
		failed string // of the strategies
		err    string // part of it, where nothing came of it
	}{
		{"strategies are interleaved",
			func(context.Context, linger.Scenario, int) (*trace.Crowd, error) { return whole, nil },
			"close 0,keep 0,close 1,keep 1", "[[run run] [run run]]", "[[] []]", ""},
		{"a run that fails is counted, and the others go on",
			func(_ context.Context, s linger.Scenario, trial int) (*trace.Crowd, error) {
				if !s.Strategy.Persistent && trial == 0 {
					return nil, errors.New("broken")
				}
				return whole, nil
			},
			"close 0,keep 0,close 1,keep 1", "[[- run] [run run]]", "[[broken] []]", ""},
		{"nothing at all", func(context.Context, linger.Scenario, int) (*trace.Crowd, error) { return nil, errors.New("broken") },
			"close 0,keep 0,close 1,keep 1", "", "", "broken"},
		{"a machine that cannot is not asked again",
			func(context.Context, linger.Scenario, int) (*trace.Crowd, error) {
				return nil, fmt.Errorf("no lab here: %w", errors.ErrUnsupported)
			},
			"close 0", "", "", "no lab here"},
	} {
		c, e := comparison(t, "close,keep"), &script{run: test.run}
		x, err := c.over(t.Context(), e, c.experiment("lab", trace.Measured), 1, nil, &screen{})
		if got := strings.Join(e.asked, ","); got != test.asked {
			t.Errorf("%s: asked for %s, want %s", test.name, got, test.asked)
		}
		if test.err != "" {
			if x != nil || err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v, %v; want the error %q", test.name, x, err, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		runs := make([][]string, len(x.Runs))
		for i := range x.Runs {
			for _, r := range x.Runs[i] {
				word := "-"
				if r != nil {
					word = "run"
				}
				runs[i] = append(runs[i], word)
			}
		}
		if got := fmt.Sprint(runs); got != test.runs || fmt.Sprint(x.Failed) != test.failed {
			t.Errorf("%s: %s, failed %v; want %s, %s", test.name, got, x.Failed, test.runs, test.failed)
		}
	}
}

// What was done until the user has ended it is there, and what was not begun has not failed.
func TestStoppedRuns(t *testing.T) {
	until := func(ctx context.Context, _ linger.Scenario, _ int) (*trace.Crowd, error) {
		<-ctx.Done()
		return &trace.Crowd{Interrupted: true}, nil
	}
	c := comparison(t, "keep")
	c.Trials = 3
	ctx, cancel := context.WithCancel(t.Context())
	e := &script{run: until}
	time.AfterFunc(10*time.Millisecond, cancel)
	x, err := c.over(ctx, e, c.experiment("lab", trace.Measured), 1, nil, &screen{})
	if err != nil || !x.Runs[0][0].Interrupted || x.Runs[0][1] != nil || len(e.asked) != 1 {
		t.Errorf("%+v, %v, asked for %v", x, err, e.asked)
	}
	if len(x.Failed[0]) > 0 {
		t.Errorf("a run that was not begun failed: %v", x.Failed)
	}
}

func TestMixes(t *testing.T) {
	mix, err := linger.ParseMix("keep:6=3,close")
	if err != nil {
		t.Fatal(err)
	}
	c := comparison(t, "keep")
	c.Strategies, c.Crowd.Mix = nil, mix
	x := c.experiment("sim", trace.Predicted)
	if len(x.Strategies) != 1 || x.Strategies[0].Name != "keep:6=3,close=1" || !x.Strategies[0].Persistent || c.scenario(0).Strategy.Name != "keep:6" {
		t.Errorf("a mix is %+v", x.Strategies)
	}
}

func TestWhatCannotBeRun(t *testing.T) {
	for _, test := range []struct {
		name, strategies string
		with             func(*Comparison)
		want             string
	}{
		{"an earlier visit", "keep+tfo", nil, "leave out +0rtt and +tfo"},
		{"HTTP/3 in cleartext", "h3", func(c *Comparison) { c.Workload = linger.Textbook(1) }, "h3"},
		{"no trial", "keep", func(c *Comparison) { c.Trials = 0 }, "0 trials"},
	} {
		c := comparison(t, test.strategies)
		c.On = rig.Engines{Sim: true}
		if test.with != nil {
			test.with(&c)
		}
		if err := c.Validate(); err == nil || fault.KindOf(err) != fault.WrongUsage || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestForewarnings(t *testing.T) {
	w := linger.API(1) // 100 requests
	crowd := func(clients int, arrivals float64, think time.Duration, visits int) linger.Crowd {
		return linger.Crowd{Clients: clients, Arrivals: arrivals, Think: linger.Think{Least: think}, Visits: visits, Duration: time.Minute}
	}
	for _, test := range []struct {
		name     string
		crowd    linger.Crowd
		capacity policy.Capacity
		want     string
	}{
		{"a server that takes no time", crowd(1000, 100, time.Second, 0), policy.Capacity{}, ""},
		{"2 pages a second of 10", crowd(10, 0, 5*time.Second, 0), policy.Capacity{Service: time.Millisecond}, ""},
		{"200 pages a second of 10", crowd(1000, 0, 5*time.Second, 0), policy.Capacity{Service: time.Millisecond}, "want 200 pages a second cannot be served in time: at 1ms a request and 100 requests a page, 1 core can serve 10"},
		{"4 pages a second of 20, however many clients there are", crowd(1000, 2, 5*time.Second, 2), policy.Capacity{Service: 10 * time.Millisecond, Cores: 20}, ""},
		{"40 pages a second of 20", crowd(1000, 20, 5*time.Second, 2), policy.Capacity{Service: 10 * time.Millisecond, Cores: 20}, "want 40 pages"},
	} {
		c := Comparison{Workload: w, Crowd: test.crowd, Capacity: test.capacity}
		got := strings.Join(c.Forewarn(), " ")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// A lab is asked for no more clients than it carries; how many that are hangs on how they come.
func TestMoreClientsThanTheLabCarries(t *testing.T) {
	c := comparison(t, "close,keep")
	c.Crowd = linger.Crowd{Clients: 100_000, Visits: 1}
	atOnce := c.carried()
	if atOnce == nil || !strings.Contains(atOnce.Error(), "of close on this machine, not 100000") {
		t.Errorf("at one moment: %v", atOnce)
	}
	c.Crowd.Clients = 1
	if err := c.carried(); err != nil {
		t.Errorf("one client: %v", err)
	}
	c.Crowd = linger.Crowd{Clients: 100, Visits: 1, Arrivals: 0.1}
	if err := c.carried(); err != nil {
		t.Errorf("one in 10 s: %v", err)
	}
}

func TestShortfalls(t *testing.T) {
	done := linger.Known(linger.Instant(5))
	c := comparison(t, "close,keep")
	x := c.experiment("lab", trace.Measured)
	x.Failed[0] = []string{"broken"}
	x.Runs[0][0] = &trace.Crowd{Visits: []trace.Visit{{Done: done}, {Done: done, Failed: 2, Why: "refused"}, {}}}
	x.Runs[1][0] = &trace.Crowd{Interrupted: true, Visits: []trace.Visit{{Done: done}, {}}}
	err := Shortfall(x)
	want := "close: 1 of 2 trials failed (broken); close: 2 of 3 pages were not loaded (refused)"
	if err == nil || err.Error() != want || fault.KindOf(err) != fault.NotMet {
		t.Errorf("%v; want %s", err, want)
	}
	x.Failed[0], x.Runs[0][0] = nil, nil
	if err := Shortfall(x); err != nil {
		t.Errorf("where the user has ended it: %v", err)
	}
}

func TestIdleTimeoutsThatAreTried(t *testing.T) {
	if got := tried(0); got[0] != 0 || len(got) != len(IdleTimeouts) {
		t.Errorf("beside none: %v", got)
	}
	if got := tried(2 * time.Second); slices.Contains(got, 0) || !slices.Contains(got, 2*time.Second) || !slices.IsSorted(got) {
		t.Errorf("beside 2 s: %v", got)
	}
	if got := tried(time.Second); len(got) != len(IdleTimeouts)-1 {
		t.Errorf("beside one of them: %v", got)
	}
}
