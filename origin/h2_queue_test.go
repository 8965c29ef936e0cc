package origin

import (
	"testing"
	"time"

	"linger"
)

// TestAllowance: so many at once, one more after each wait, all of them after a restore.
func TestAllowance(t *testing.T) {
	a := allowance{atOnce: 3, again: time.Second}
	now := linger.Instant(0).Add(time.Hour)
	for n := range 5 {
		a.take(now)
		if got, want := a.left(now), n < 3; got != want {
			t.Errorf("after %d at once there is something left: %v", n+1, got)
		}
	}
	if now = now.Add(2 * time.Second); !a.left(now) {
		t.Error("two are not there again after two waits")
	}
	if a.take(now); a.left(now) {
		t.Error("more than two are there again after two waits")
	}
	a.restore()
	if a.take(now); !a.left(now) {
		t.Error("nothing is there after all of it was given back")
	}
}

// TestH2QueueKeepsOrder: a stream stands in it once, and may go back to the front.
func TestH2QueueKeepsOrder(t *testing.T) {
	var q h2queue
	a, b := &h2stream{id: 1}, &h2stream{id: 3}
	q.push(a)
	q.push(b)
	q.push(a)
	if st := q.pop(); st != a {
		t.Fatalf("the first is %v", st)
	}
	q.unpop(a)
	for _, want := range []*h2stream{a, b, nil} {
		if st := q.pop(); st != want {
			t.Errorf("got %v, want %v", st, want)
		}
	}
	q.unpop(b)
	q.push(a)
	if q.pop() != b || q.pop() != a || q.pop() != nil {
		t.Error("an empty queue does not take one at its front")
	}
}
