package gate

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"linger"
	"linger/policy"
)

// TestNeverMoreThanMayBe: many who come and go through several doors at once, under the race
// detector, too.
func TestNeverMoreThanMayBe(t *testing.T) {
	for _, c := range []policy.Capacity{
		{}, {Workers: 3}, {MaxConnections: 4}, {Workers: 5, MaxConnections: 3},
		{MaxConnections: 3, WhenFull: policy.FullRefuse}, {MaxConnections: 3, WhenFull: policy.FullCloseIdle},
	} {
		most := c.MaxConnections
		if most == 0 || c.Workers > 0 && c.Workers < most {
			most = c.Workers
		}
		var leaves sync.Map // by ticket, what closes it
		var open, refused, gaveWay atomic.Int64
		g := New(c, func(ticket int64) {
			if leave, ok := leaves.Load(ticket); ok {
				gaveWay.Add(1)
				close(leave.(chan bool))
			}
		}, nil)
		var doors, conns sync.WaitGroup
		for door := range uint64(4) {
			doors.Go(func() {
				r := rand.New(rand.NewPCG(1, door))
				for range 200 {
					ticket, no, err := g.Enter(nil)
					if err != nil {
						t.Error(err)
					} else if no {
						refused.Add(1)
						continue
					}
					if n := open.Add(1); most > 0 && n > int64(most) {
						t.Errorf("%+v: %d are open", c, n)
					}
					leave, idle := make(chan bool), r.IntN(2) == 0
					leaves.Store(ticket, leave)
					conns.Go(func() {
						g.SetBusy(ticket, true)
						g.SetBusy(ticket, false)
						if c.WhenFull == policy.FullCloseIdle && idle {
							select {
							case <-leave:
							case <-time.After(time.Millisecond): // the last has nobody behind it
							}
						}
						open.Add(-1)
						g.Leave(ticket)
					})
				}
			})
		}
		doors.Wait()
		conns.Wait()
		if got := g.Load(0); got != (Load{}) {
			t.Errorf("%+v: at the end %+v", c, got)
		}
		if c.WhenFull != policy.FullRefuse && refused.Load() > 0 || c.WhenFull != policy.FullCloseIdle && gaveWay.Load() > 0 {
			t.Errorf("%+v: %d refused, %d gave way", c, refused.Load(), gaveWay.Load())
		}
	}
}

// TestWhoWaits: for room, until the gate is closed or the server begins anew.
func TestWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := 0
		g := New(policy.Capacity{Workers: 1}, nil, func() { full++ })
		first, _, _ := g.Enter(nil)
		entered := make(chan error, 3)
		enter := func() {
			_, _, err := g.Enter(nil)
			entered <- err
		}
		go enter()
		go enter()
		synctest.Wait()
		if len(entered) != 0 || full != 1 {
			t.Errorf("%d entered; said %d times that it is full", len(entered), full)
		}
		g.Renew()
		synctest.Wait()
		if len(entered) != 1 || !g.Former(first) || g.Former(first+1) {
			t.Errorf("%d entered a server that begins anew", len(entered))
		}
		g.Leave(first) // the other server's
		synctest.Wait()
		if len(entered) != 1 || g.Load(0).Taken != 1 {
			t.Errorf("%d entered by another server's worker", len(entered))
		}
		g.Close()
		<-entered
		if err := <-entered; !errors.Is(err, ErrClosed) {
			t.Errorf("entered a closed gate: %v", err)
		}
		broken := errors.New("broken")
		if _, _, err := g.Enter(func() (int, error) { return 0, broken }); err != broken {
			t.Errorf("a queue that cannot be looked into: %v", err)
		}
	})
}

// TestClockOfCores: two who read the clock before they come in are served in order all the same.
func TestClockOfCores(t *testing.T) {
	g := New(policy.Capacity{Service: 10}, nil, nil)
	for i, now := range []linger.Instant{5, 4, 30} {
		if done, want := g.Serve(now), []linger.Instant{15, 25, 40}[i]; done != want {
			t.Errorf("request %d is done at %d, want %d", i, done, want)
		}
	}
	if got := g.Load(20); got.Queued != 0 {
		t.Errorf("%+v", got)
	}
	if done := New(policy.Capacity{}, nil, nil).Serve(7); done != 7 {
		t.Errorf("without service, done at %d", done)
	}
}

// TestOneMoreGivesWay: while one leaves for another that waits, a second comes to wait, for which
// another has to leave.
func TestOneMoreGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var leave []int64
		g := New(policy.Capacity{MaxConnections: 2, WhenFull: policy.FullCloseIdle}, func(ticket int64) { leave = append(leave, ticket) }, nil)
		for range 2 {
			ticket, _, _ := g.Enter(nil)
			g.SetBusy(ticket, true)
			g.SetBusy(ticket, false)
		}
		var waiting atomic.Int64
		waiting.Store(1)
		go g.Enter(func() (int, error) { return int(waiting.Load()), nil })
		synctest.Wait()
		g.Look()
		synctest.Wait()
		if len(leave) != 1 || leave[0] != 1 {
			t.Errorf("for one that waits, %v leave", leave)
		}
		waiting.Store(2)
		g.Look()
		synctest.Wait()
		if len(leave) != 2 || leave[1] != 2 {
			t.Errorf("for two that wait, %v leave", leave)
		}
		g.Leave(1) // lets the goroutine end
	})
}
