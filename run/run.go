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
	"linger/stats"
	"linger/trace"
)

// An Engine runs one scenario once. Trials of the same scenario differ by their
// number, from 0. An error says that there is no trace; one that wraps
// errors.ErrUnsupported says that this machine cannot run any, and ends the
// experiment. A canceled context ends the trial soon, and all that it started. An engine
// that has something to prepare calls Begin when the trial begins.
// Run is called from several goroutines at once.
type Engine interface {
	Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error)
}

// Progress is how far an experiment has come. Trials without delay, which nobody has asked
// for, are no part of its counts, but for Baseline; the times are of all.
type Progress struct {
	Done, Failed, Total int // trials; of a sweep networks
	// Baseline is how many trials without delay are left, BaselineDone how many have ended.
	Baseline, BaselineDone int
	Elapsed                time.Duration
	Remaining              time.Duration // expected; better as trials come in
	// Strategies is how far each strategy is, indexed as the plan's; a sweep has none.
	Strategies []Standing
	// SoFar returns what has come of the plan until now; it may be called while Progress is
	// being told. A sweep has none.
	SoFar func() *trace.Experiment
}

// A Standing is how many trials of a strategy have ended, whether they delivered everything or
// not, how many are under way and still to start, and how many will not be run, as
// the order among the others is settled.
type Standing struct{ Ended, Running, Left, Spared int }

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
	for range max(p.Workers, p.Most) {
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
		trial, cancel = Within(ctx, p.Timeout)
		defer cancel()
	}
	t, err := e.Run(trial, p.Scenario(j), j.Trial)
	late := ctx.Err() == nil && IsLate(trial)
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
	jobs    []Job             // that have not started, in their order
	left    map[Job]int       // how many of jobs there are of each kind
	running map[Job]time.Time // when each began
	crowd   crowd
	began   time.Time
	// Ended jobs by what was planned: traces and errors, one place a trial.
	traces, zeroRTT [][]*trace.Trace
	failed          [][]error
	zeroRTTFailed   [][]error
	standing        []Standing            // of each strategy; Left and Running are counted when told
	due             []int                 // how many trials of each strategy are run in any case
	ended, bad      int                   // of all jobs; bad are those that left no trace
	lost            int                   // of those with delay, that did not deliver everything
	took            map[Job]pace          // by strategy and ZeroRTT; Trial is 0
	guess           map[Job]time.Duration // Plan.expected, keyed as took
	first           error                 // the first failure
	err             error                 // why the run stopped early
}

// pace is how long trials of one kind took.
type pace struct {
	n     int
	total time.Duration
}

// mean is how long one took, nothing where there was none.
func (p pace) mean() time.Duration { return p.total / time.Duration(max(1, p.n)) }

func newOwner(p Plan) *owner {
	o := &owner{
		plan: p, jobs: p.Jobs(), crowd: p.crowd(), standing: make([]Standing, len(p.Strategies)),
		left: map[Job]int{}, running: map[Job]time.Time{}, began: time.Now(), took: map[Job]pace{}, guess: map[Job]time.Duration{},
	}
	for _, j := range o.jobs {
		o.left[j.kind()]++
	}
	for i, held := range p.held() {
		for _, kind := range []Job{{Strategy: i}, {Strategy: i, ZeroRTT: true}} {
			o.guess[kind] = p.expected(kind)
		}
		o.due = append(o.due, p.Trials-held)
		o.traces = append(o.traces, make([]*trace.Trace, p.Trials))
		o.zeroRTT = append(o.zeroRTT, make([]*trace.Trace, p.ZeroRTT))
		o.failed = append(o.failed, make([]error, p.Trials))
		o.zeroRTTFailed = append(o.zeroRTTFailed, make([]error, p.ZeroRTT))
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
		give, next := todo, -1
		if stopped != nil && ctx.Err() == nil && o.err == nil {
			next = o.next()
		}
		job := Job{}
		if next >= 0 && len(o.running) < o.crowd.now {
			job = o.jobs[next]
		} else if give = nil; len(o.running) == 0 {
			break
		}
		select {
		case give <- job:
			o.start(next)
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

// next returns which of the jobs is to start next, and -1 where there is none, or none yet:
// the first, but for a long trial that would run on alone behind all others otherwise.
func (o *owner) next() int {
	estimate := o.estimates()
	rest, _ := o.rest(estimate)
	var longest Job
	var most time.Duration
	for kind := range o.left {
		if o.certain(kind) > 0 && estimate[kind] > most {
			longest, most = kind, estimate[kind]
		}
	}
	alone := most > 0 && most*11/10 >= rest // a tenth of what is expected may be wrong
	return slices.IndexFunc(o.jobs, func(j Job) bool { return o.isDue(j) && (!alone || j.kind() == longest) })
}

// certain is how many trials of a kind are left that do not wait until it is known whether
// they are needed.
func (o *owner) certain(kind Job) int {
	n := o.left[kind]
	if !kind.ZeroRTT {
		n -= min(n, o.plan.Trials-o.due[kind.Strategy])
	}
	return n
}

// isDue reports whether a trial may start, whatever its order.
func (o *owner) isDue(j Job) bool { return j.ZeroRTT || j.Trial < o.due[j.Strategy] }

// start takes a job off those that are to start.
func (o *owner) start(i int) {
	j := o.jobs[i]
	if i == 0 {
		o.jobs = o.jobs[1:]
	} else {
		o.jobs = slices.Delete(o.jobs, i, i+1)
	}
	o.left[j.kind()]--
	o.running[j] = time.Now()
}

// settle drops the trials that are not needed, and makes those due that are.
func (o *owner) settle() {
	var of []stats.Sample
	var ended []int
	for i, due := range o.due {
		if due == o.plan.Trials {
			continue
		}
		if of == nil {
			of = samples(o.traces)
			for k, all := range o.traces {
				ended = append(ended, len(present(all))+len(reasons(o.failed[k])))
			}
		}
		switch orderOf(i, of, ended, o.due) {
		case unclear:
			o.due[i] = o.plan.Trials
		case settled:
			kind := Job{Strategy: i}
			o.jobs = slices.DeleteFunc(o.jobs, func(j Job) bool { return j.kind() == kind })
			o.standing[i].Spared += o.left[kind]
			o.left[kind] = 0
		}
	}
}

// take books how one job ended, and decides whether the run can go on.
func (o *owner) take(ctx context.Context, r outcome) {
	took := time.Since(o.running[r.job])
	delete(o.running, r.job)
	if r.err != nil && ctx.Err() != nil {
		o.jobs = append(o.jobs, r.job) // not the engine's failure: it was told to stop
		o.left[r.job.kind()]++
		return
	}
	o.ended++
	defer o.settle()
	traces, failed := o.traces, o.failed
	if r.job.ZeroRTT {
		traces, failed = o.zeroRTT, o.zeroRTTFailed
	}
	standing := &o.standing[r.job.Strategy]
	if r.err == nil {
		traces[r.job.Strategy][r.job.Trial] = r.trace
		p := o.took[r.job.kind()]
		o.took[r.job.kind()] = pace{p.n + 1, p.total + took}
		if !r.job.ZeroRTT {
			standing.Ended++
			if !whole(r.trace) {
				o.lost++
			}
			o.crowd.heard(r.trace)
		}
		return
	}
	failed[r.job.Strategy][r.job.Trial] = r.err
	o.bad++
	if !r.job.ZeroRTT {
		standing.Ended++
		o.lost++
	}
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

// estimates are how long trials of each kind should take: as long as they took so far, or what was
// expected and as much more as the others took: what that leaves out, above all an engine's
// start, is about the same for each. Trials with and without delay tell nothing of each other.
func (o *owner) estimates() map[Job]time.Duration {
	more := map[bool]pace{} // than was expected, by ZeroRTT
	for kind, p := range o.took {
		m := more[kind.ZeroRTT]
		more[kind.ZeroRTT] = pace{m.n + p.n, m.total + p.total - o.guess[kind]*time.Duration(p.n)}
	}
	out := map[Job]time.Duration{}
	for kind, guess := range o.guess {
		if out[kind] = max(0, guess+more[kind.ZeroRTT].mean()); o.took[kind].n > 0 {
			out[kind] = o.took[kind].mean()
		}
	}
	return out
}

// rest is how long the run may take from now on, if the workers are never idle, and how long
// its longest trial.
func (o *owner) rest(estimate map[Job]time.Duration) (rest, longest time.Duration) {
	for j, since := range o.running {
		d := max(0, estimate[j.kind()]-time.Since(since))
		rest, longest = rest+d, max(longest, d)
	}
	for kind := range o.left {
		if n := o.certain(kind); n > 0 {
			rest, longest = rest+estimate[kind]*time.Duration(n), max(longest, estimate[kind])
		}
	}
	return rest / time.Duration(o.crowd.now), longest
}

// progress says how far the run has come, and how long the rest may take.
func (o *owner) progress() Progress {
	out := Progress{Strategies: slices.Clone(o.standing), SoFar: o.experiment, Elapsed: time.Since(o.began), Remaining: max(o.rest(o.estimates()))}
	count := func(kind Job, n int, of func(*Standing) *int) {
		if kind.ZeroRTT {
			out.Baseline += n
		} else {
			*of(&out.Strategies[kind.Strategy]) += n
		}
	}
	for j := range o.running {
		count(j, 1, func(s *Standing) *int { return &s.Running })
	}
	for kind, n := range o.left {
		count(kind, n, func(s *Standing) *int { return &s.Left })
	}
	for _, s := range out.Strategies {
		out.Done += s.Ended
		out.Total += s.Ended + s.Running + s.Left
	}
	out.Failed, out.BaselineDone = o.lost, o.ended-out.Done
	return out
}

// experiment gathers what was booked.
func (o *owner) experiment() *trace.Experiment {
	p := o.plan
	x := &trace.Experiment{
		Setup:       trace.Setup{Workload: p.Workload, Strategies: p.Strategies, Network: p.Network, Seed: p.Seed, Trials: p.Trials},
		Interrupted: len(o.jobs) > 0,
	}
	for i := range p.Strategies {
		x.Traces = append(x.Traces, present(o.traces[i]))
		x.ZeroRTT = append(x.ZeroRTT, present(o.zeroRTT[i]))
		x.Failures = append(x.Failures, reasons(o.failed[i]))
		if p.Virtual { // else an engine's own start is in it
			x.GivenUp = append(x.GivenUp, bounds(o.failed[i]))
		}
		x.ZeroRTTFailures = append(x.ZeroRTTFailures, reasons(o.zeroRTTFailed[i]))
		for _, t := range slices.Concat(x.Traces[i], x.ZeroRTT[i]) {
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
