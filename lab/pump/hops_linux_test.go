package pump

import (
	"math/rand/v2"
	"testing"
	"time"

	"linger"
	"linger/link"
)

// What comes out of many links comes out in the order in which it is due, and of those that are
// due at once the link of the lowest number is first: as a look at every link finds them.
func TestHopsAreInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const many = 50
	var h hops
	var plain []*link.Link[parcel]
	for i := range many {
		c := link.Config{Delay: time.Duration(i%7) * time.Millisecond, Rate: linger.Rate(i%3) * linger.Mbps, Queue: 5000, Loss: 0.1}
		h.add(c, rand.NewPCG(3, uint64(i)), atSide)
		plain = append(plain, link.New[parcel](c, rand.NewPCG(3, uint64(i))))
	}
	earliest := func() (at linger.Instant, on int) {
		at = linger.Never
		for i, l := range plain {
			if t := l.Next(); t < at {
				at, on = t, i
			}
		}
		return at, on
	}
	var now linger.Instant
	sent, received := 0, 0
	for range 20_000 {
		now = now.Add(time.Duration(rng.IntN(200)) * time.Microsecond)
		for {
			at, on := earliest()
			if h.next() != at {
				t.Fatalf("after %d: next is %v, want %v", received, h.next(), at)
			}
			if at > now {
				break
			}
			want, _, _ := plain[on].Receive(at)
			if got, when, _ := h.receive(); got != want || when != at {
				t.Fatalf("packet %d is %+v at %v, want %+v at %v", received, got, when, want, at)
			}
			received++
		}
		n := rng.IntN(many)
		c := parcel{size: int32(sent)}
		if got, want := h.send(int32(n), now, 1500, c), plain[n].Send(now, 1500, c); got != want {
			t.Fatalf("packet %d: %v, want %v", sent, got, want)
		}
		sent++
	}
	if received < sent/3 {
		t.Errorf("%d packets of %d came out", received, sent)
	}
}

// BenchmarkHops is what the heap costs a packet, by how many links have something in flight.
func BenchmarkHops(b *testing.B) {
	for _, c := range []struct {
		name  string
		links int
	}{{"1", 1}, {"100", 100}, {"10000", 10_000}} {
		b.Run(c.name, func(b *testing.B) {
			var h hops
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range c.links {
				h.add(link.Config{Delay: time.Millisecond}, nil, atSide)
				h.send(int32(i), 0, 1500, parcel{})
			}
			for b.Loop() {
				_, at, _ := h.receive()
				h.send(int32(rng.IntN(c.links)), at, 1500, parcel{})
			}
		})
	}
}
