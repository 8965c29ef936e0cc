package tune

import (
	"time"

	"linger"
)

// An order puts arrivals into the order of their starts. A log that is written when requests
// end has them in another: by up to their length. What moves in the heap is small.
type order struct {
	heap   []waiting
	list   []Arrival
	free   []int32
	latest linger.Instant
}

// A waiting is an arrival's place in the list.
type waiting struct {
	start linger.Instant
	at    int32
}

// What is out of order by more than this, in time or in number, stays so.
const (
	orderFor  = linger.Instant(2 * time.Minute)
	orderMost = 1 << 15
)

// push takes an arrival in, and hands on those that no earlier one can be before.
func (o *order) push(r *Arrival, on func(*Arrival)) {
	o.latest = max(o.latest, r.End)
	at := int32(len(o.list))
	if n := len(o.free); n > 0 {
		at, o.free = o.free[n-1], o.free[:n-1]
		o.list[at] = *r
	} else {
		o.list = append(o.list, *r)
	}
	w := waiting{r.Start, at}
	o.heap = append(o.heap, w)
	i := len(o.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if o.heap[up].start <= w.start {
			break
		}
		o.heap[i] = o.heap[up]
		i = up
	}
	o.heap[i] = w
	for len(o.heap) > orderMost || len(o.heap) > 0 && o.heap[0].start < o.latest-orderFor {
		o.pop(on)
	}
}

// pop hands on the first one.
func (o *order) pop(on func(*Arrival)) {
	first := o.heap[0].at
	last := len(o.heap) - 1
	w := o.heap[last]
	o.heap = o.heap[:last]
	i := 0
	for {
		least := 2*i + 1
		if least >= last {
			break
		}
		if right := least + 1; right < last && o.heap[right].start < o.heap[least].start {
			least = right
		}
		if w.start <= o.heap[least].start {
			break
		}
		o.heap[i] = o.heap[least]
		i = least
	}
	if last > 0 {
		o.heap[i] = w
	}
	on(&o.list[first])
	o.free = append(o.free, first)
}

// rest hands on all that are left.
func (o *order) rest(on func(*Arrival)) {
	for len(o.heap) > 0 {
		o.pop(on)
	}
}
