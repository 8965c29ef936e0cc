package crowds

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/policy"
	"linger/rig"
	"linger/sim"
	"linger/trace"
)

// A Sim is the engine that predicts what a Lab measures.
type Sim struct {
	rig.Sim
	Capacity policy.Capacity
	Longest  time.Duration // after which a run is stopped, in virtual time
}

// Run implements Engine.
func (e Sim) Run(ctx context.Context, s linger.Scenario, c linger.Crowd, trial int) (*trace.Crowd, error) {
	config, err := e.Config(s.Workload, s.Strategy)
	if err != nil {
		return nil, err
	}
	config.Trial, config.Capacity, config.Bound.Longest = trial, e.Capacity, e.Longest
	return sim.RunCrowd(ctx, s, c, config)
}

func (c Comparison) sim() Sim {
	return Sim{rig.Sim{Version: c.Version, Policy: c.Policy}, c.Capacity, c.longest()}
}

// Predicted runs the comparison in the simulator, one run after the other, and predicts nothing
// beside it. Once ctx has ended there is no experiment.
func (c Comparison) Predicted(ctx context.Context) *crowd.Experiment {
	x := c.experiment("sim", trace.Predicted)
	for i := range x.Runs {
		for trial := range x.Runs[i] {
			r, err := c.sim().Run(ctx, c.scenario(i), c.Crowd, trial)
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				x.Failed[i] = append(x.Failed[i], err.Error())
			default:
				x.Runs[i][trial] = r
			}
		}
	}
	return x
}

// IdleTimeouts are those of a server that are tried beside its own: predictions are held against
// predictions. 0 is none.
var IdleTimeouts = []time.Duration{
	0, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second,
}

// foreseenEvents is the budget of a run that is predicted beside others: some seconds of
// computing. It counts events and no time, so that what is predicted is the same everywhere.
const foreseenEvents = 4_000_000

// tried are the idle timeouts to try beside a server's own.
func tried(own time.Duration) []time.Duration {
	all := slices.Clone(IdleTimeouts)
	if own > 0 {
		all[0] = own
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// foresee predicts, of each strategy that keeps connections on a server that does, what the crowd
// had come to with other idle timeouts of the server. What takes too long is left out, and so is
// all once ctx has ended.
func (c Comparison) foresee(ctx context.Context, x *crowd.Experiment) {
	var jobs []crowd.Foreseen
	for i, s := range x.Strategies {
		if !s.Persistent || c.Policy.MaxRequests == 1 || sim.Modelled(c.scenario(i)) != nil {
			continue
		}
		for _, t := range tried(c.Policy.IdleTimeout) {
			jobs = append(jobs, crowd.Foreseen{Strategy: i, IdleTimeout: t})
		}
	}
	todo := make(chan int)
	var workers sync.WaitGroup
	for range min(runtime.NumCPU(), len(jobs)) {
		workers.Go(func() {
			for i := range todo {
				e := c.sim()
				e.Events, e.Policy.IdleTimeout = foreseenEvents, jobs[i].IdleTimeout
				if r, err := e.Run(ctx, c.scenario(jobs[i].Strategy), c.Crowd, 0); err == nil && !r.Interrupted && !r.Overrun {
					jobs[i].Run = r
				}
			}
		})
	}
	for i := range jobs {
		if ctx.Err() == nil {
			todo <- i
		}
	}
	close(todo)
	workers.Wait()
	x.Foreseen = slices.DeleteFunc(jobs, func(f crowd.Foreseen) bool { return f.Run == nil })
}

// expectWithin is how long a measurement waits for the prediction of how long it takes.
const expectWithin = 2 * time.Second

// expected is how long a run of each strategy takes in the lab: as predicted, where that is done
// in time, else what it takes where no page waits for another.
func (c Comparison) expected(ctx context.Context) []time.Duration {
	ctx, cancel := context.WithTimeout(ctx, expectWithin)
	defer cancel()
	x := c.experiment("sim", trace.Predicted)
	out := make([]time.Duration, len(x.Strategies))
	for i := range out {
		out[i] = c.Crowd.Due()
		if sim.Modelled(c.scenario(i)) != nil {
			continue
		}
		if r, err := c.sim().Run(ctx, c.scenario(i), c.Crowd, 0); err == nil && !r.Interrupted {
			out[i] = r.Ended.Sub(0)
		}
	}
	for i := range out {
		out[i] = min(out[i], c.longest()) + setUp
	}
	return out
}

// setUp is about how long a lab takes besides the run: to be made, and until what is open has
// closed.
const setUp = time.Second
