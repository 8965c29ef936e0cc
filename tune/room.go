package tune

import (
	"container/heap"
	"slices"
	"time"

	"linger"
)

// A roomy is a server that has room for so many connections and keeps each for some time
// after a request. A new connection that finds no room is refused; or, where idle ones make way,
// the one that has been idle longest is closed for it, and it is refused only while all are
// busy. What is refused does not come again.
//
// Where idle ones make way, one run has every timeout: those that a shorter timeout keeps are
// always the ones that were used last, so that a connection is there after a gap if it would be
// with the longest timeout, and the gap is shorter (Mattson et al., "Evaluation techniques for
// storage hierarchies", 1970). Of one that refuses there is a run for each.
type roomy struct {
	keep linger.Instant
	room int
	way  bool // idle ones make way

	places  []place
	free    []int32
	queue   []int32 // a heap by when places are left
	clients map[uint64]int32
	once    instants // when connections end that carry one request

	requests, refused int64
	// reused and closed count, by how many timeouts are no longer than the gap, requests that
	// found their connection, and connections that were closed for others.
	reused, closed []int64
}

// A place is an open connection.
type place struct {
	client uint64
	idle   linger.Instant // when it becomes so
	next   int32          // of the client's others, from 1
	at     int32          // in the queue
	multi  bool
}

func newRoomy(keep time.Duration, room int64, way bool, classes int) *roomy {
	return &roomy{
		keep: linger.Instant(keep), room: int(min(room, 1<<30)), way: way, clients: map[uint64]int32{},
		reused: make([]int64, classes), closed: make([]int64, classes),
	}
}

// add takes an arrival in; class is how many of the timeouts are no longer than a gap.
func (b *roomy) add(r *Arrival, weight int64, class func(linger.Instant) int) {
	b.requests += weight
	for len(b.once) > 0 && b.once[0] <= r.Start {
		heap.Pop(&b.once)
	}
	for len(b.queue) > 0 && b.places[b.queue[0]].idle+b.keep <= r.Start {
		b.leave(b.queue[0])
	}
	if !r.Once {
		if p := b.find(r); p != nil {
			b.reused[class(max(0, r.Start-p.idle))] += weight
			p.idle = max(p.idle, r.End)
			heap.Fix(b, int(p.at))
			return
		}
	}
	if len(b.queue)+len(b.once) >= b.room {
		if !b.way || len(b.queue) == 0 || b.places[b.queue[0]].idle > r.Start {
			b.refused += weight
			return
		}
		b.closed[class(r.Start-b.places[b.queue[0]].idle)] += weight
		b.leave(b.queue[0])
	}
	if r.Once {
		heap.Push(&b.once, r.End)
		return
	}
	i := int32(len(b.places))
	if n := len(b.free); n > 0 {
		i, b.free = b.free[n-1], b.free[:n-1]
	} else {
		b.places = append(b.places, place{})
	}
	b.places[i] = place{client: r.Client, idle: r.End, next: b.clients[r.Client], multi: r.Multiplexed}
	b.clients[r.Client] = i + 1
	heap.Push(b, i)
}

// find returns the connection that a request goes on: the one that its client used last of
// those that are idle; nil if there is none.
func (b *roomy) find(r *Arrival) (best *place) {
	for i := b.clients[r.Client]; i != 0; i = b.places[i-1].next {
		p := &b.places[i-1]
		if p.multi == r.Multiplexed && (p.multi || p.idle <= r.Start) && (best == nil || p.idle > best.idle) {
			best = p
		}
	}
	return best
}

// leave closes a connection.
func (b *roomy) leave(i int32) {
	p := b.places[i]
	heap.Remove(b, int(p.at))
	if b.clients[p.client] == i+1 {
		if p.next == 0 {
			delete(b.clients, p.client)
		} else {
			b.clients[p.client] = p.next
		}
	} else {
		for j := b.clients[p.client]; j != 0; j = b.places[j-1].next {
			if b.places[j-1].next == i+1 {
				b.places[j-1].next = p.next
				break
			}
		}
	}
	b.free = append(b.free, i)
}

// forget lets go of clients, and of as much of the room.
func (b *roomy) forget(gone func(uint64) bool) {
	for _, i := range slices.Clone(b.queue) {
		if gone(b.places[i].client) {
			b.leave(i)
		}
	}
	b.once = b.once[:len(b.once)/2] // the soonest ones stay a heap
	b.room = max(1, b.room/2)
}

// The queue is a heap of container/heap.
func (b *roomy) Len() int { return len(b.queue) }
func (b *roomy) Less(i, j int) bool {
	return b.places[b.queue[i]].idle < b.places[b.queue[j]].idle
}
func (b *roomy) Swap(i, j int) {
	b.queue[i], b.queue[j] = b.queue[j], b.queue[i]
	b.places[b.queue[i]].at, b.places[b.queue[j]].at = int32(i), int32(j)
}
func (b *roomy) Push(x any) {
	i := x.(int32)
	b.places[i].at = int32(len(b.queue))
	b.queue = append(b.queue, i)
}
func (b *roomy) Pop() any {
	i := b.queue[len(b.queue)-1]
	b.queue = b.queue[:len(b.queue)-1]
	return i
}

// instants are a heap, the soonest first.
type instants []linger.Instant

func (h instants) Len() int           { return len(h) }
func (h instants) Less(i, j int) bool { return h[i] < h[j] }
func (h instants) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *instants) Push(x any)        { *h = append(*h, x.(linger.Instant)) }
func (h *instants) Pop() any {
	old := *h
	at := old[len(old)-1]
	*h = old[:len(old)-1]
	return at
}

// A Limited is what a timeout comes to on a server that has room for so many connections, and
// what it does when they are all open: those of Apache and HAProxy let new ones wait or refuse
// them, nginx closes the idle ones that were used least recently.
type Limited struct {
	Connections int64 `json:"connections"`
	// Refused is how many requests were turned away where idle connections stay, and Reuse what
	// share of all requests found a connection then.
	Refused int64   `json:"refused"`
	Reuse   float64 `json:"reuse"`
	// Closed is how many connections were closed before their timeout where idle ones make way
	// for new ones, WayRefused how many requests were turned away even so, since all were busy,
	// and WayReuse the reuse then.
	Closed     int64   `json:"closed_early"`
	WayRefused int64   `json:"refused_when_all_busy"`
	WayReuse   float64 `json:"reuse_closing_early"`
}

// budgeted are the runs with a limit on connections: of each timeout one that refuses, and one
// in which idle connections make way.
type budgeted struct {
	room   int64
	refuse []*roomy
	way    *roomy
}

func newBudgeted(room int64, timeouts []time.Duration) *budgeted {
	if room <= 0 {
		return nil
	}
	b := &budgeted{room: room, way: newRoomy(timeouts[len(timeouts)-1], room, true, len(timeouts)+1)}
	for _, t := range timeouts {
		b.refuse = append(b.refuse, newRoomy(t, room, false, len(timeouts)+1))
	}
	return b
}

func (b *budgeted) add(r *Arrival, weight int64, class func(linger.Instant) int) {
	b.way.add(r, weight, class)
	for _, s := range b.refuse {
		s.add(r, weight, class)
	}
}

func (b *budgeted) forget(gone func(uint64) bool) {
	b.way.forget(gone)
	for _, s := range b.refuse {
		s.forget(gone)
	}
}

// of is what the i-th timeout comes to.
func (b *budgeted) of(i int) *Limited {
	sum := func(list []int64) (n int64) {
		for _, v := range list {
			n += v
		}
		return n
	}
	s := b.refuse[i]
	requests := float64(max(1, s.requests))
	return &Limited{
		Connections: b.room, Refused: s.refused, Reuse: float64(sum(s.reused)) / requests,
		Closed: sum(b.way.closed[:i+1]), WayRefused: b.way.refused, WayReuse: float64(sum(b.way.reused[:i+1])) / requests,
	}
}
