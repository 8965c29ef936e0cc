package run

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"linger"
	"linger/trace"
)

// reckoner answers with what it was asked, after a time that differs from path to path.
type reckoner struct {
	runs  atomic.Int64
	after func() // each run
}

func (r *reckoner) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	for range int(s.Network.RTT/time.Millisecond) * 37 % 5 {
		runtime.Gosched()
	}
	if r.runs.Add(1); r.after != nil {
		r.after()
	}
	if s.Network.Down == 3*linger.Mbps {
		return nil, errors.New("too much")
	}
	return &trace.Trace{Strategy: s.Strategy.Name, Trial: trial, Network: s.Network}, ctx.Err()
}

func swept(t *testing.T) Sweep {
	t.Helper()
	p := plan(t)
	s := Sweep{Workload: p.Workload, Strategies: p.Strategies[:3], Seed: 1, Trials: 3, Workers: 4}
	s.Grid = linger.Grid{Loss: []float64{0, 0.01}, Down: []linger.Rate{linger.Mbps, 3 * linger.Mbps}, Queue: linger.DefaultQueue}
	for i := range 40 {
		s.Grid.RTT = append(s.Grid.RTT, time.Duration(i)*time.Millisecond)
	}
	return s
}

func see(t *trace.Trace, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %d %v %v", t.Strategy, t.Trial, t.Network.RTT, t.Network.Loss)
}

// Paths are told of in the grid's order, the same whatever the number of workers; one
// trial where nothing is lost; a trial that fails does not end the sweep.
func TestOverTellsOfPathsInOrder(t *testing.T) {
	s := swept(t)
	var all [][][]string
	for _, workers := range []int{1, 2, 7} {
		s.Workers = workers
		var got [][]string
		e := &reckoner{}
		last := Progress{}
		done, err := Over(context.Background(), e, s, see, func(path int, seen [][]string) error {
			if path != len(got) {
				t.Errorf("path %d comes after %d", path, len(got)-1)
			}
			got = append(got, slices.Concat(seen...))
			return nil
		}, func(p Progress) { last = p })
		if err != nil || done != 160 || last.Done != 160 || last.Total != 160 {
			t.Fatalf("%d done, %v, last told %+v", done, err, last)
		}
		if n := e.runs.Load(); n != 80*3+80*9 {
			t.Errorf("%d runs", n)
		}
		all = append(all, got)
	}
	for _, other := range all[1:] {
		if fmt.Sprint(other) != fmt.Sprint(all[0]) {
			t.Error("the number of workers changes the result")
		}
	}
	if all[0][40][0] != "too much" || all[0][80][2] != "close 2 0s 0.01" {
		t.Errorf("%q, %q", all[0][40], all[0][80])
	}
}

// What is done when it is interrupted is whole, and nothing of it is left running.
func TestOverKeepsWhatIsDone(t *testing.T) {
	before := runtime.NumGoroutine()
	s := swept(t)
	ctx, cancel := context.WithCancel(context.Background())
	told := 0
	done, err := Over(ctx, &reckoner{}, s, see, func(path int, seen [][]string) error {
		if told++; told == 25 {
			cancel()
		}
		if len(seen) != 3 || slices.Contains(slices.Concat(seen...), "context canceled") {
			t.Errorf("path %d: %q", path, seen)
		}
		return nil
	}, nil)
	if err != nil || done != told || done < 25 || done > 25+ahead*4+4 {
		t.Errorf("%d done, %d told, %v", done, told, err)
	}
	broken := errors.New("full")
	done, err = Over(context.Background(), &reckoner{}, s, see, func(path int, _ [][]string) error {
		if path == 10 {
			return broken
		}
		return nil
	}, nil)
	if done != 10 || !errors.Is(err, broken) {
		t.Errorf("%d done, %v", done, err)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestSweepIsValidated(t *testing.T) {
	for name, change := range map[string]func(*Sweep){
		"no strategy": func(s *Sweep) { s.Strategies = nil }, "no trial": func(s *Sweep) { s.Trials = 0 }, "no worker": func(s *Sweep) { s.Workers = 0 },
		"no path": func(s *Sweep) { s.Grid.RTT = nil }, "an hour": func(s *Sweep) { s.Grid.RTT[39] = time.Hour },
	} {
		s := swept(t)
		change(&s)
		if _, err := Over(context.Background(), &reckoner{}, s, see, nil, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
