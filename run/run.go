// Package run carries out an experiment: several trials of several strategies,
// interleaved, some of them side by side, on an engine that it does not know.
package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/trace"
)

// An Engine runs one scenario once. Trials of the same scenario differ by their
// number, from 0. An error says that there is no trace; one that wraps
// errors.ErrUnsupported says that this machine cannot run any, and ends the
// experiment. A canceled context ends the trial soon, and all that it started.
// Run is called from several goroutines at once.
type Engine interface {
	Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error)
}

// Progress is how far an experiment has come.
type Progress struct {
	Done, Failed, Total int // trials
	Elapsed             time.Duration
	Remaining           time.Duration // expected; better as trials come in
}

// tick is how often progress is told when nothing happens.
const tick = 100 * time.Millisecond

// Run carries out the plan on the engine. A trial that fails is counted, and the
// run goes on; it stops early when this machine cannot do it at all, or when
// every strategy was tried and nothing has succeeded. Then, and when no trial
// at all succeeded, the error wraps the first trial's. A canceled context is no
// error: what was done until then is returned, marked Interrupted.
//
// If tell is not nil it is called from Run's own goroutine, whenever a trial ends
// and a few times a second. When Run returns, everything that it started has ended.
func Run(ctx context.Context, e Engine, p Plan, tell func(Progress)) (*trace.Experiment, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	todo, results := make(chan Job), make(chan outcome)
	var workers sync.WaitGroup
	for range p.Workers {
		workers.Go(func() {
			for j := range todo {
				results <- p.try(ctx, e, j)
			}
		})
	}
	o := newOwner(p)
	o.loop(ctx, cancel, todo, results, tell)
	close(todo)
	workers.Wait()
	cancel()
	return o.experiment(), o.err
}

// An outcome is how one job ended.
type outcome struct {
	job   Job
	trace *trace.Trace
	err   error
}

// try runs one job.
func (p Plan) try(ctx context.Context, e Engine, j Job) outcome {
	trial := ctx
	if p.Timeout > 0 {
		var cancel context.CancelFunc
		trial, cancel = context.WithTimeout(ctx, p.Timeout)
		defer cancel()
	}
	t, err := e.Run(trial, p.Scenario(j), j.Trial)
	late := ctx.Err() == nil && trial.Err() != nil
	switch {
	case err != nil && late && !errors.Is(err, errors.ErrUnsupported):
		// Whatever the engine says now comes of being told to stop.
		err = givenUp{p.Timeout}
	case err != nil:
	case t == nil:
		err = errors.New("the engine gave no trace")
	case p.Virtual && p.Timeout > 0 && t.Ended.Sub(0) > p.Timeout:
		// No time passes for the engine, which ran on to the end.
		err = givenUp{p.Timeout}
	case late && t.Interrupted:
		t.GiveUp(givenUp{p.Timeout}.Error())
	}
	if err != nil {
		t = nil
	}
	return outcome{j, t, err}
}

// givenUp is the error of a trial that was not done in time.
type givenUp struct{ after time.Duration }

func (g givenUp) Error() string { return fmt.Sprintf("not done after %v", g.after) }

// owner holds the state of a run. Only Run's goroutine touches it.
type owner struct {
	plan    Plan
	jobs    []Job
	next    int               // index of the next job to start
	running map[Job]time.Time // when each began
	began   time.Time
	// Ended jobs by what was planned: traces and errors, one place a trial.
	traces, still [][]*trace.Trace
	failed        [][]error
	stillFailed   [][]error
	ended, bad    int
	took          map[Job]pace          // by strategy and Still; Trial is 0
	guess         map[Job]time.Duration // Plan.expected, keyed as took
	first         error                 // the first failure
	err           error                 // why the run stopped early
}

// pace is how long trials of one kind took.
type pace struct {
	n     int
	total time.Duration
}

// mean is how long one took, nothing where there was none.
func (p pace) mean() time.Duration { return p.total / time.Duration(max(1, p.n)) }

func newOwner(p Plan) *owner {
	o := &owner{plan: p, jobs: p.Jobs(), running: map[Job]time.Time{}, began: time.Now(), took: map[Job]pace{}, guess: map[Job]time.Duration{}}
	for i := range p.Strategies {
		for _, kind := range []Job{{Strategy: i}, {Strategy: i, Still: true}} {
			if !p.Virtual {
				o.guess[kind] = p.expected(kind)
			}
		}
		o.traces = append(o.traces, make([]*trace.Trace, p.Trials))
		o.still = append(o.still, make([]*trace.Trace, p.Still))
		o.failed = append(o.failed, make([]error, p.Trials))
		o.stillFailed = append(o.stillFailed, make([]error, p.Still))
	}
	return o
}

// loop hands out jobs and takes in results until all are done or the run stops.
func (o *owner) loop(ctx context.Context, cancel func(), todo chan<- Job, results <-chan outcome, tell func(Progress)) {
	if tell == nil {
		tell = func(Progress) {}
	}
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	stopped := ctx.Done()
	tell(o.progress())
	for {
		give, job := todo, Job{}
		if o.next < len(o.jobs) && stopped != nil && o.err == nil {
			job = o.jobs[o.next]
		} else {
			give = nil
			if len(o.running) == 0 {
				break
			}
		}
		select {
		case give <- job:
			o.next++
			o.running[job] = time.Now()
		case r := <-results:
			o.take(ctx, r)
			if o.err != nil {
				cancel()
			}
			tell(o.progress())
		case <-ticker.C:
			tell(o.progress())
		case <-stopped:
			stopped = nil
		}
	}
	if o.err == nil && ctx.Err() == nil && o.bad == o.ended {
		o.err = fmt.Errorf("none of %d trials succeeded: %w", o.ended, o.first)
	}
}

// take books how one job ended, and decides whether the run can go on.
func (o *owner) take(ctx context.Context, r outcome) {
	took := time.Since(o.running[r.job])
	delete(o.running, r.job)
	if r.err != nil && ctx.Err() != nil {
		return // not the engine's failure: it was told to stop
	}
	o.ended++
	traces, failed := o.traces, o.failed
	if r.job.Still {
		traces, failed = o.still, o.stillFailed
	}
	if r.err == nil {
		traces[r.job.Strategy][r.job.Trial] = r.trace
		p := o.took[r.job.kind()]
		o.took[r.job.kind()] = pace{p.n + 1, p.total + took}
		return
	}
	failed[r.job.Strategy][r.job.Trial] = r.err
	o.bad++
	if o.first == nil {
		o.first = r.err
	}
	switch {
	case errors.Is(r.err, errors.ErrUnsupported):
		o.err = r.err
	case o.bad == o.ended && o.ended >= max(3, len(o.plan.Strategies)):
		o.err = fmt.Errorf("each of the first %d trials failed: %w", o.ended, o.first)
	}
}

// progress says how far the run has come, and how long the rest may take: each
// kind of trial as long as it took so far, or what the textbook says and as much
// more as the others took: what it leaves out, above all an engine's start, is
// about the same for each. Trials with and without delay tell nothing of each other.
func (o *owner) progress() Progress {
	more := map[bool]pace{} // than the textbook says, by Still
	for kind, p := range o.took {
		m := more[kind.Still]
		more[kind.Still] = pace{m.n + p.n, m.total + p.total - o.guess[kind]*time.Duration(p.n)}
	}
	estimate := func(j Job) time.Duration {
		if p := o.took[j.kind()]; p.n > 0 {
			return p.mean()
		}
		return max(0, o.guess[j.kind()]+more[j.Still].mean())
	}
	var sum, longest time.Duration
	add := func(d time.Duration) {
		sum, longest = sum+max(0, d), max(longest, d)
	}
	for j, since := range o.running {
		add(estimate(j) - time.Since(since))
	}
	for _, j := range o.jobs[o.next:] {
		add(estimate(j))
	}
	return Progress{
		Done: o.ended, Failed: o.bad, Total: len(o.jobs), Elapsed: time.Since(o.began),
		Remaining: max(longest, sum/time.Duration(o.plan.Workers)),
	}
}

// experiment gathers what was booked.
func (o *owner) experiment() *trace.Experiment {
	p := o.plan
	x := &trace.Experiment{
		Setup:       trace.Setup{Workload: p.Workload, Strategies: p.Strategies, Network: p.Network, Seed: p.Seed, Trials: p.Trials},
		Interrupted: o.ended < len(o.jobs),
	}
	for i := range p.Strategies {
		x.Traces = append(x.Traces, present(o.traces[i]))
		x.Still = append(x.Still, present(o.still[i]))
		x.Failures = append(x.Failures, reasons(o.failed[i]))
		if p.Virtual { // else an engine's own start is in it
			x.GivenUp = append(x.GivenUp, bounds(o.failed[i]))
		}
		x.StillFailures = append(x.StillFailures, reasons(o.stillFailed[i]))
		for _, t := range slices.Concat(x.Traces[i], x.Still[i]) {
			x.Engine, x.Provenance = cmp.Or(x.Engine, t.Engine), cmp.Or(x.Provenance, t.Provenance)
		}
	}
	return x
}

func present(all []*trace.Trace) []*trace.Trace {
	var out []*trace.Trace
	for _, t := range all {
		if t != nil {
			out = append(out, t)
		}
	}
	return out
}

// bounds are after how long the trials that failed had been given up, 0 where it was for
// another reason.
func bounds(all []error) []time.Duration {
	var out []time.Duration
	for _, err := range all {
		if err != nil {
			g, _ := errors.AsType[givenUp](err)
			out = append(out, g.after)
		}
	}
	return out
}

func reasons(all []error) []string {
	var out []string
	for _, err := range all {
		if err != nil {
			// A reason is one line, where several were joined too.
			out = append(out, strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' }), "; "))
		}
	}
	return out
}
