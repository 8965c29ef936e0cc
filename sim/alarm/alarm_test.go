package alarm

import (
	"math/rand/v2"
	"testing"

	"linger"
)

type nobody struct{}

func (nobody) Wake() {}

// Alarms come in the order of time, then of number, however they were set, changed and
// taken out; the naive queue looks through all.
func TestQueueIsInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q Queue
	all := make([]Alarm, 50)
	for i := range all {
		all[i] = New(i, nobody{})
	}
	for range 20_000 {
		a := &all[r.IntN(len(all))]
		if at := linger.Instant(r.IntN(30)); at < 10 {
			q.Set(a, linger.Never)
		} else {
			q.Set(a, at)
		}
		var first *Alarm
		set := 0
		for i := range all {
			if b := &all[i]; b.IsSet() {
				set++
				if first == nil || b.at < first.at {
					first = b
				}
			}
		}
		if set != len(q.heap) {
			t.Fatalf("%d alarms are set, and %d in the queue", set, len(q.heap))
		}
		if first == nil {
			if q.Next() != linger.Never {
				t.Fatalf("an empty queue is due at %v", q.Next())
			}
			continue
		}
		if q.First() != first || q.Next() != first.at {
			t.Fatalf("first is number %d at %v, want %d at %v", q.First().number, q.Next(), first.number, first.at)
		}
	}
}
