package load

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"time"

	"linger"
	"linger/tally"
)

// A worker drives a part of a load and counts it.
type worker interface {
	run()
	counts() *ledger
	// spent is what its thread was busy for, and of how long; 0 of nothing where that is not known.
	spent() (busy, of time.Duration)
}

// A Shortage is what this machine has too little of for a load.
type Shortage struct{ error }

// Run drives the targets until the plan ends or ctx does, and returns what it came to. Every half
// second, or Config.Every, tell is told what it has come to so far, unless it is nil, from one
// goroutine of its own, which has ended when Run returns. When ctx ends, nothing more is waited for, and the Run
// says that it was Interrupted; that is no error. An error says that nothing could be begun: the
// configuration is wrong, a name is not known, or this machine has too few files or ports (Shortage).
func Run(ctx context.Context, c Config, tell func(tally.Run)) (tally.Run, error) {
	c.Workers = cmp.Or(c.Workers, runtime.GOMAXPROCS(0))
	s, err := prepare(ctx, c)
	if err != nil {
		return tally.Run{}, err
	}
	if err := enoughFiles(s.Connections); err != nil {
		return tally.Run{}, Shortage{err}
	}
	if err := s.enoughPorts(); err != nil {
		return tally.Run{}, Shortage{err}
	}
	workers, err := s.makeWorkers()
	if err != nil {
		return tally.Run{}, err
	}
	// Whoever is told needs a thread, too, while workers hold theirs.
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(before, len(workers)+2))
	defer runtime.GOMAXPROCS(before)
	s.start = time.Now()
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(w.run)
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	cpu, interrupted := s.watch(ctx, done, workers, tell)
	return s.result(workers, cpu, interrupted), nil
}

// watch tells what a load has come to so far until it is done, and returns what the process has spent
// since the warm-up's end.
func (s *setup) watch(ctx context.Context, done <-chan struct{}, workers []worker, tell func(tally.Run)) (spent linger.Opt[time.Duration], interrupted bool) {
	warm := time.NewTimer(time.Duration(s.begins))
	defer warm.Stop()
	tick := time.NewTicker(cmp.Or(s.Every, 500*time.Millisecond))
	defer tick.Stop()
	since, known := processCPU()
	cancelled := ctx.Done()
	for {
		select {
		case <-done:
			if now, ok := processCPU(); ok && known {
				spent = linger.Known(now - since)
			}
			return spent, interrupted
		case <-cancelled:
			cancelled, interrupted = nil, true
			s.stop.Store(true)
		case <-warm.C:
			since, known = processCPU()
		case <-tick.C:
			if tell != nil {
				tell(s.sofar(workers))
			}
		}
	}
}

// latest is how many seconds are told of a load that goes on.
const latest = 3

func (s *setup) sofar(workers []worker) tally.Run {
	now := s.now()
	run := s.blank(min(now, s.ends))
	for _, w := range workers {
		w.counts().into(&run, int(time.Duration(now)/time.Second)-latest)
	}
	return run
}

func (s *setup) blank(ended linger.Instant) tally.Run {
	return tally.Run{
		Strategy: s.Strategy, Engine: s.engine(), Began: min(s.begins, ended), Ended: ended,
		Wanted: tally.Wanted{Connections: s.Connections, InFlight: s.inFlight, Rate: s.Plan.Rate(), Requests: s.Plan.Requests, Time: s.Plan.Time, Closing: s.Closing},
	}
}

// result puts together what all workers counted.
func (s *setup) result(workers []worker, cpu linger.Opt[time.Duration], interrupted bool) tally.Run {
	run := s.blank(min(s.now(), s.ends))
	run.Interrupted = interrupted
	run.Client.CPU = cpu
	var late, busy, of time.Duration
	var dispatched int64
	for _, w := range workers {
		l := w.counts()
		l.into(&run, 0)
		late += l.lateFor
		dispatched += l.late
		b, o := w.spent()
		busy, of = busy+b, of+o
	}
	sent, some := run.Latency.Sent.Quantile(0.5)
	switch {
	case of > 0 && busy > of*9/10:
		run.Limited = tally.CPULimit
	case some && dispatched > 0 && late/time.Duration(dispatched) > time.Duration(sent)/10:
		run.Limited = tally.Lateness
	}
	return run
}

func (s *setup) engine() tally.Engine {
	if s.byLoop() {
		return tally.Epoll
	}
	return tally.Portable
}

// byLoop reports whether an event loop drives the load.
func (s *setup) byLoop() bool {
	if !hasLoop || s.Portable || s.Route.Unix != "" || !s.Strategy.Protocol().IsHTTP1() || s.Strategy.FastOpen {
		return false
	}
	for _, o := range s.origins {
		if o.tls != nil {
			return false
		}
	}
	return true
}

func (s *setup) makeWorkers() ([]worker, error) {
	if !s.byLoop() {
		return s.portableWorkers()
	}
	var out []worker
	for i := range s.workers {
		w, err := newWorker(s, i)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}
