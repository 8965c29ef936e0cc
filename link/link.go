// Package link is one hop of a path as a machine without I/O: a bottleneck with
// a drop-tail queue before it, a delay after it, and loss on the way. It holds
// packets and says when each arrives at the far end; whoever owns it reads the
// clock. The lab pumps a Link in real time, the simulator in virtual time.
//
//	         queue (bytes)        bottleneck         on the way
//	Send ──▶ ▒▒▒▒▒▒▒▒▒▒▒▒▒ ──▶ size × 8 ÷ rate ──▶ delay, loss ──▶ Receive
//	   └─▶ Dropped: no room                           └─▶ Lost
//
// Not modelled: jitter, reordering, loss in bursts, corruption, duplicates,
// framing of the link layer, a rate that changes.
package link

import (
	"math"
	"math/rand/v2"
	"time"

	"linger"
)

// Config is what a hop does to a packet.
type Config struct {
	// Delay is the time from the last bit's leaving the bottleneck to its arrival.
	Delay time.Duration
	// Rate is the bottleneck's; 0 is unlimited, and then nothing ever waits.
	Rate linger.Rate
	// Queue is how many bytes may wait. A packet waits from when it is sent until
	// its first bit enters the bottleneck; the one being transmitted, all of it,
	// waits no more, so a packet that finds the bottleneck free needs no room.
	Queue int
	// Loss is the probability, 0 to 1, that a packet is lost after the bottleneck,
	// as on the air: it has taken its room and its time like any other.
	Loss float64
}

// Up returns the hop from the client to the origin, which has the shorter half
// of a round trip of odd nanoseconds.
func Up(n linger.Network) Config {
	return Config{Delay: n.RTT / 2, Rate: n.Up, Queue: n.QueueBytes(n.Up), Loss: n.Loss}
}

// Down returns the hop from the origin to the client.
func Down(n linger.Network) Config {
	return Config{Delay: n.RTT - n.RTT/2, Rate: n.Down, Queue: n.QueueBytes(n.Down), Loss: n.Loss}
}

// An Outcome is what becomes of a packet.
type Outcome uint8

const (
	Carried Outcome = iota // Receive will return it
	Lost                   // by chance, after the bottleneck
	Dropped                // at once, for want of room in the queue
)

// A Link is one hop. T is what the owner wants back of a packet: the packet, or
// a handle of it. A Link is not safe for concurrent use, and once its rings have
// grown to what the path holds it allocates nothing.
//
// Calls come in the order of their instants: Receive at an instant until it has
// no more, then any number of Send, then sleep until Next. A call that comes
// later than Next said loses nothing: packets bear the instant at which they
// arrived, not the one at which they were asked for. Packets arrive in the order
// in which they were sent, also where their instants are equal.
type Link[T any] struct {
	Config
	losses *rand.PCG
	// lossBelow is Loss in units of 2^-64.
	lossBelow uint64

	// free is when the bottleneck will have sent all that it took, rounded up to
	// the nanosecond. Exactly, that is freeFloor + remainder ÷ Rate nanoseconds,
	// and there the next packet begins, so that rounding does not add up.
	free      linger.Instant
	freeFloor linger.Instant
	remainder int64

	now     linger.Instant
	queue   ring[waiting]
	waiting int // bytes in queue
	peak    int // most bytes that waited at once
	flight  ring[flying[T]]
}

type waiting struct {
	until linger.Instant // when its first bit enters the bottleneck
	size  int
}

type flying[T any] struct {
	at linger.Instant
	v  T
}

// New returns an idle Link. losses decides what is lost, one draw for each packet
// sent, dropped ones too, so that the same seed means the same loss for the n-th
// packet whatever the queue did; it may be nil where Loss is 0.
func New[T any](c Config, losses *rand.PCG) *Link[T] {
	l := &Link[T]{Config: c, losses: losses, lossBelow: math.MaxUint64}
	if c.Loss < 1 {
		l.lossBelow = uint64(c.Loss * (1 << 64))
	}
	return l
}

// Send hands the link a packet of size bytes, IP header included, and returns
// its outcome, which is settled at once. Only of what is Carried does the link keep
// v. An instant before that of an earlier call is taken to be that one.
func (l *Link[T]) Send(now linger.Instant, size int, v T) Outcome {
	l.advance(now)
	lost := l.lossBelow > 0 && l.losses.Uint64() < l.lossBelow
	left := l.now // when its last bit leaves the bottleneck
	if l.Rate > 0 {
		if l.free <= l.now {
			l.freeFloor, l.remainder = l.now, 0
		} else if l.waiting+size > l.Queue {
			return Dropped
		} else {
			l.queue.push(waiting{l.free, size})
			l.waiting += size
			l.peak = max(l.peak, l.waiting)
		}
		l.transmit(size)
		left = l.free
	}
	if lost {
		return Lost
	}
	l.flight.push(flying[T]{left.Add(l.Delay), v})
	return Carried
}

// transmit moves free on by the time that size bytes take.
func (l *Link[T]) transmit(size int) {
	owed := int64(size)*8*int64(time.Second) + l.remainder
	rate := int64(l.Rate)
	l.freeFloor += linger.Instant(owed / rate)
	l.remainder = owed % rate
	l.free = l.freeFloor
	if l.remainder > 0 {
		l.free++
	}
}

// Next returns when the next packet arrives, or linger.Never.
func (l *Link[T]) Next() linger.Instant {
	if l.flight.n == 0 {
		return linger.Never
	}
	return l.flight.first().at
}

// Receive returns the next packet that has arrived by now, and when it did.
func (l *Link[T]) Receive(now linger.Instant) (v T, at linger.Instant, ok bool) {
	if l.flight.n == 0 || l.flight.first().at > now {
		return v, 0, false
	}
	f := l.flight.pop()
	return f.v, f.at, true
}

// Latest returns when the packet arrives that was carried last, or linger.Never if none is
// on the way.
func (l *Link[T]) Latest() linger.Instant {
	if l.flight.n == 0 {
		return linger.Never
	}
	return l.flight.last().at
}

// Waiting returns how many bytes wait at now.
func (l *Link[T]) Waiting(now linger.Instant) int {
	l.advance(now)
	return l.waiting
}

// Peak returns the most bytes that have waited at once.
func (l *Link[T]) Peak() int { return l.peak }

// Flying returns how many packets Receive has yet to return, whether they wait,
// are being transmitted or are on the way.
func (l *Link[T]) Flying() int { return l.flight.n }

// advance lets those packets leave the queue that the bottleneck has taken up.
func (l *Link[T]) advance(now linger.Instant) {
	l.now = max(l.now, now)
	for l.queue.n > 0 && l.queue.first().until <= l.now {
		l.waiting -= l.queue.pop().size
	}
}
