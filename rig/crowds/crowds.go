// Package crowds runs experiments of many clients: one crowd under several strategies, trial by
// trial, in the lab or in the simulator. What both sides tell of a run in the lab becomes one
// record (trace.Crowd), the same as the simulator's. What the records come to is for others to
// find.
//
// A Comparison is all that is to be run; its Run returns the experiment. Lab and Sim are its
// engines.
package crowds

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/fault"
	"linger/policy"
	"linger/rig"
	"linger/rig/far"
	"linger/run"
	"linger/sim"
	"linger/trace"
)

// An Engine runs a crowd once. Trials of the same crowd differ by their number, from 0. A canceled
// context ends the run soon, and the record says what was done until then. An error that wraps
// errors.ErrUnsupported says that this machine cannot run any.
type Engine interface {
	Run(ctx context.Context, s linger.Scenario, c linger.Crowd, trial int) (*trace.Crowd, error)
}

// A Comparison is a crowd under several strategies, and what may carry it out.
type Comparison struct {
	Version  string // this program's
	Workload linger.Workload
	Network  linger.Network
	Crowd    linger.Crowd
	// Strategies are compared; of a crowd that has a mix there are none.
	Strategies []linger.Strategy
	Policy     policy.ServerPolicy
	Capacity   policy.Capacity
	// Own, if any, is what serves in the place of our own origin, in the lab. Policy and Capacity
	// are then what the user says of it; their zero values are that nothing is said.
	Own    *far.Own
	Seed   uint64
	Trials int // of each strategy
	// Patience is how long after its last page is due a run is stopped, and is then said to be
	// overrun.
	Patience time.Duration
	// Named says that the user has named the strategies: what cannot be predicted is then an
	// error, and else left out.
	Named bool
	// On is the lab or the simulator; the zero value is the lab, and where there can be none the
	// simulator.
	On rig.Engines
}

// A Screen shows how far an experiment is.
type Screen interface {
	Tell(run.Progress)
	// Clear takes away what stands there.
	Clear()
	// Note says something that stays.
	Note(format string, args ...any)
}

// StandardTrials is how often each strategy runs where the user gives no number: once, since a run
// has pages of many clients, and takes as long as they do.
const StandardTrials = 1

// DefaultStrategies are what is compared where none is named.
func DefaultStrategies(scheme string) string {
	if scheme == linger.SchemeHTTPS {
		return "close:6,keep,keep:6,h2"
	}
	return "close:6,keep,keep:6"
}

// Validate reports what of the comparison cannot be run.
func (c Comparison) Validate() error {
	err := c.suits()
	if err == nil && c.On.Sim {
		_, err = c.modelled(func(string, ...any) {})
	}
	if tooMany := c.carried(); err == nil && (c.On.Lab || c.Own != nil) && tooMany != nil {
		err = fault.Machine("%w; give fewer, or --on sim", tooMany)
	}
	if err == nil && c.Trials < 1 {
		err = fault.Usage("%d trials; give 1 or more", c.Trials)
	}
	return err
}

// Run carries the comparison out, strategies interleaved, and then predicts what other idle
// timeouts of the server would have come to. A run that fails is counted, and the others go on; the
// error is that there is none at all. A canceled context is no error: what was done until then is
// returned.
func (c Comparison) Run(ctx context.Context, s Screen) (*crowd.Experiment, error) {
	kept, err := c.modelled(s.Note)
	if err != nil {
		return nil, err
	}
	defer s.Clear() // what stands there stays while idle timeouts are tried
	var x *crowd.Experiment
	if tooMany := c.carried(); tooMany != nil && !c.On.Sim && !c.On.Lab && c.Own == nil && len(kept) > 0 {
		s.Note("%s; predicting instead, as with --on sim", tooMany)
		c.On.Sim = true
	}
	if c.On.Sim {
		c.Strategies = kept
		x, err = c.predict(ctx, s)
	} else {
		x, err = c.measure(ctx, s)
		if errors.Is(err, errors.ErrUnsupported) && !c.On.Lab && c.Own == nil && len(kept) > 0 {
			s.Clear()
			s.Note("%s; predicting instead, as with --on sim", err)
			c.Strategies = kept
			x, err = c.predict(ctx, s)
		}
	}
	if ctx.Err() != nil && (x == nil || !anyLoaded(x)) {
		err = fault.Interrupted("interrupted before the first page was done")
	}
	if x == nil || err != nil {
		return nil, err
	}
	if !x.Unsaid() { // else it is not known what to predict
		c.foresee(ctx, x)
	}
	return x, nil
}

// anyLoaded reports whether a page was done in any run.
func anyLoaded(x *crowd.Experiment) bool {
	for _, runs := range x.Runs {
		for _, r := range runs {
			if r != nil && slices.ContainsFunc(r.Visits, func(v trace.Visit) bool { return !v.Done.IsZero() }) {
				return true
			}
		}
	}
	return false
}

// measure runs the crowd in the lab, one run after the other: each takes the whole machine.
func (c Comparison) measure(ctx context.Context, s Screen) (*crowd.Experiment, error) {
	x := c.experiment("lab", trace.Measured)
	x.Machine, x.Began = rig.ThisMachine(), time.Now() // what is predicted is the same at any time
	return c.over(ctx, c.lab(), x, 1, c.expected(ctx), s)
}

// predict runs the crowd in the simulator, as many runs side by side as there are cores.
func (c Comparison) predict(ctx context.Context, s Screen) (*crowd.Experiment, error) {
	return c.over(ctx, c.sim(), c.experiment("sim", trace.Predicted), runtime.NumCPU(), nil, s)
}

// experiment is the one that the comparison makes, without its runs.
func (c Comparison) experiment(engine string, p trace.Provenance) *crowd.Experiment {
	x := &crowd.Experiment{
		Engine: engine, Provenance: p, Own: c.Own != nil, Workload: c.Workload, Network: c.Network, Crowd: c.Crowd,
		Server: c.Policy, Capacity: c.Capacity, Seed: c.Seed, Trials: c.Trials, Strategies: c.Subjects(),
	}
	x.Runs, x.Failed = make([][]*trace.Crowd, len(x.Strategies)), make([][]string, len(x.Strategies))
	for i := range x.Runs {
		x.Runs[i] = make([]*trace.Crowd, c.Trials)
	}
	return x
}

// Planned is the experiment of which nothing has come yet.
func (c Comparison) Planned() *crowd.Experiment { return c.experiment("", "") }

// Subjects are what is compared: the strategies, or the mix as one of them.
func (c Comparison) Subjects() []linger.Strategy {
	if len(c.Crowd.Mix) > 0 {
		return []linger.Strategy{mixed(c.Crowd.Mix)}
	}
	return c.Strategies
}

// mixed is what stands for a mix among strategies: its name, and whether any of it keeps
// connections.
func mixed(mix []linger.Share) linger.Strategy {
	return linger.Strategy{
		Name:       linger.MixName(mix),
		Persistent: slices.ContainsFunc(mix, func(s linger.Share) bool { return s.Strategy.Persistent }),
	}
}

// scenario is that of a strategy of the experiment; of a mix it has the first of it.
func (c Comparison) scenario(strategy int) linger.Scenario {
	s := linger.Scenario{Workload: c.Workload, Network: c.Network, Seed: c.Seed}
	if len(c.Crowd.Mix) > 0 {
		s.Strategy = c.Crowd.Mix[0].Strategy
	} else {
		s.Strategy = c.Strategies[strategy]
	}
	return s
}

// A job is one run.
type job struct{ strategy, trial int }

// An outcome is how it ended.
type outcome struct {
	job
	record *trace.Crowd
	err    error
}

// over carries out the runs of an experiment on an engine, so many side by side. expected is how
// long a run of each strategy takes, as far as it is known.
func (c Comparison) over(ctx context.Context, e Engine, x *crowd.Experiment, beside int, expected []time.Duration, s Screen) (*crowd.Experiment, error) {
	var jobs []job
	for trial := range c.Trials {
		for i := range x.Strategies {
			jobs = append(jobs, job{i, trial})
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	todo, ended := make(chan job), make(chan outcome)
	var workers sync.WaitGroup
	for range min(beside, len(jobs)) {
		workers.Go(func() {
			for j := range todo {
				record, err := e.Run(ctx, c.scenario(j.strategy), c.Crowd, j.trial)
				ended <- outcome{j, record, err}
			}
		})
	}
	done, first := c.collect(ctx, cancel, jobs, todo, ended, x, expected, s)
	close(todo)
	workers.Wait()
	if done == 0 {
		return nil, first
	}
	return x, nil
}

// tick is how often progress is told when nothing happens.
const tick = 100 * time.Millisecond

// collect hands out jobs and takes in how they ended. It returns how many records there
// are, and the first error.
func (c Comparison) collect(ctx context.Context, cancel func(), jobs []job, todo chan<- job, ended <-chan outcome,
	x *crowd.Experiment, expected []time.Duration, s Screen) (records int, first error) {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	p := run.Progress{Total: len(jobs), Strategies: make([]run.Standing, len(x.Strategies))}
	for i := range p.Strategies {
		p.Strategies[i].Left = c.Trials
	}
	began, running := time.Now(), 0
	for len(jobs) > 0 || running > 0 {
		var next chan<- job
		var one job
		if len(jobs) > 0 && ctx.Err() == nil {
			next, one = todo, jobs[0]
		} else if running == 0 {
			break
		}
		select {
		case next <- one:
			jobs, running = jobs[1:], running+1
			p.Strategies[one.strategy].Left--
			p.Strategies[one.strategy].Running++
		case o := <-ended:
			running--
			p.Done++
			p.Strategies[o.strategy].Running--
			p.Strategies[o.strategy].Ended++
			if o.err == nil {
				records++
				x.Runs[o.strategy][o.trial] = o.record
				break
			}
			if ctx.Err() == nil {
				p.Failed++
				x.Failed[o.strategy] = append(x.Failed[o.strategy], o.err.Error())
			}
			if first == nil {
				first = o.err
			}
			if errors.Is(o.err, errors.ErrUnsupported) {
				cancel()
			}
		case <-clock.C:
		}
		p.Elapsed = time.Since(began)
		p.Remaining = remaining(expected, len(x.Strategies), p)
		s.Tell(p)
	}
	return records, first
}

// remaining is how long the runs that are left take, by what each is expected to take; 0 is not
// known.
func remaining(expected []time.Duration, strategies int, p run.Progress) time.Duration {
	if len(expected) == 0 {
		return 0
	}
	all := time.Duration(0)
	for i := range p.Total {
		all += expected[i%strategies]
	}
	return max(all-p.Elapsed, 0)
}

// suits reports what of the comparison no engine runs.
func (c Comparison) suits() error {
	if c.Own != nil && (c.Crowd.Servers() > 1 || c.Crowd.RestartAt > 0) {
		return fault.Usage("a server of your own is one, and runs from the beginning to the end; leave out --backends, --add-backend and --restart-backend, or --origin-command")
	}
	for _, s := range c.all() {
		if s.EarlyData || s.FastOpen {
			return fault.Usage("strategy %s wants an earlier visit to each server, which a client of a crowd has not made; leave out +0rtt and +tfo", s.Name)
		}
		if err := s.Fits(c.Workload.Scheme); err != nil {
			return fault.Usage("%w", err)
		}
	}
	return nil
}

// all are the strategies of which there is a client.
func (c Comparison) all() []linger.Strategy {
	if len(c.Crowd.Mix) > 0 {
		return c.Crowd.Strategies(linger.Scenario{})
	}
	return c.Strategies
}

// modelled are the strategies that can be predicted: of a mix all or none. One that cannot is an
// error where it was named and is to be.
func (c Comparison) modelled(note func(string, ...any)) (kept []linger.Strategy, err error) {
	mix := len(c.Crowd.Mix) > 0
	for _, s := range c.all() {
		switch err := sim.Modelled(linger.Scenario{Workload: c.Workload, Strategy: s, Network: c.Network, Seed: c.Seed}); {
		case err == nil:
			kept = append(kept, s)
		case c.On.Sim && (c.Named || mix):
			return nil, fault.Usage("%w", err)
		case c.On.Sim:
			note("left out: %v", err)
		case mix:
			return nil, nil
		}
	}
	return kept, nil
}
