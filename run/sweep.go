package run

import (
	"context"
	"errors"
	"sync"
	"time"

	"linger"
	"linger/trace"
)

// A Sweep is one workload and several strategies over all paths of a grid, for an
// engine whose trials do not disturb each other.
type Sweep struct {
	Workload   linger.Workload
	Strategies []linger.Strategy
	Grid       linger.Grid
	Seed       uint64
	// Trials is how often each strategy runs on a path that loses packets; at least 1.
	// Where nothing is lost one trial is like the other, and one is run.
	Trials int
	// Workers is how many paths are under way side by side; at least 1.
	Workers int
}

// TrialsOn returns how many trials of each strategy a path has.
func (s Sweep) TrialsOn(n linger.Network) int {
	if n.Loss == 0 {
		return 1
	}
	return s.Trials
}

// Validate reports the first part of the sweep that cannot be carried out.
func (s Sweep) Validate() error {
	p := Plan{Workload: s.Workload, Strategies: s.Strategies, Trials: s.Trials, Workers: s.Workers}
	if err := p.Validate(); err != nil {
		return err
	}
	return s.Grid.Validate()
}

// ahead is how many cells each worker may be ahead of the slowest: what waits to be
// told of is small, and bounded.
const ahead = 16

// Over carries out the sweep on the engine. see makes of each trial what is kept of
// it; the trace itself is not. each is given, for one path after the other in the
// grid's order, what was kept of each strategy's trials, indexed as Strategies;
// whatever the number of workers it is given the same. An error of each ends the
// sweep. A canceled context is no error: the paths told of until then are whole.
// Over returns how many those are.
//
// see is called from several goroutines at once, each and tell from Over's own. When
// Over returns, everything that it started has ended.
func Over[T any](ctx context.Context, e Engine, s Sweep, see func(*trace.Trace, error) T, each func(path int, seen [][]T) error, tell func(Progress)) (int, error) {
	if err := s.Validate(); err != nil {
		return 0, err
	}
	return Cells(ctx, s.Grid.Paths(), s.Workers, func(ctx context.Context, path int) [][]T { return one(ctx, e, s, path, see) }, each, tell)
}

// Cells makes the cells of a grid, so many side by side, as Over does it: one returns
// what a cell came to, or nothing where the context was cancelled; each is given the cells in
// their order.
func Cells[T any](ctx context.Context, cells, side int, one func(ctx context.Context, cell int) []T, each func(cell int, seen []T) error, tell func(Progress)) (int, error) {
	if tell == nil {
		tell = func(Progress) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type swept struct {
		cell int
		seen []T
	}
	todo, results := make(chan int), make(chan swept)
	var workers sync.WaitGroup
	for range side {
		workers.Go(func() {
			for cell := range todo {
				results <- swept{cell, one(ctx, cell)}
			}
		})
	}
	defer workers.Wait()
	defer close(todo)

	began, ticker := time.Now(), time.NewTicker(tick)
	defer ticker.Stop()
	next, told, running := 0, 0, 0
	waiting := map[int][]T{} // done, and a cell before them is not
	var failed error
	stopped := ctx.Done()
	progress := func() {
		p := Progress{Done: told, Total: cells, Elapsed: time.Since(began)}
		if told > 0 {
			p.Remaining = time.Duration(float64(p.Elapsed) / float64(told) * float64(cells-told))
		}
		tell(p)
	}
	progress()
	for told < cells {
		give := todo
		if next == cells || next-told >= ahead*side || stopped == nil {
			give = nil
		}
		if give == nil && running == 0 {
			break
		}
		select {
		case give <- next:
			next++
			running++
		case r := <-results:
			running--
			if r.seen == nil {
				continue // it was stopped
			}
			waiting[r.cell] = r.seen
			for seen, ok := waiting[told]; ok && failed == nil; seen, ok = waiting[told] {
				delete(waiting, told)
				if failed = each(told, seen); failed != nil {
					cancel()
					break
				}
				told++
			}
		case <-ticker.C:
			progress()
		case <-stopped:
			stopped = nil
		}
	}
	progress()
	return told, failed
}

// one runs all trials of one path, and returns nil where it was stopped.
func one[T any](ctx context.Context, e Engine, s Sweep, path int, see func(*trace.Trace, error) T) [][]T {
	n := s.Grid.Path(path)
	out := make([][]T, len(s.Strategies))
	for i, strategy := range s.Strategies {
		out[i] = make([]T, s.TrialsOn(n))
		for trial := range out[i] {
			t, err := e.Run(ctx, linger.Scenario{Workload: s.Workload, Strategy: strategy, Network: n, Seed: s.Seed}, trial)
			if ctx.Err() != nil {
				return nil
			}
			if err == nil && t == nil {
				err = errors.New("the engine gave no trace")
			}
			out[i][trial] = see(t, err)
		}
	}
	return out
}
