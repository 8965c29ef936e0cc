package tune

import (
	"time"

	"linger"
)

// An order puts arrivals into the order of their starts. A log that is written when requests
// end has them in another: by up to their length.
type order struct {
	heap   []Arrival
	latest linger.Instant
}

// What is out of order by more than this, in time or in number, stays so.
const (
	orderFor  = linger.Instant(2 * time.Minute)
	orderMost = 1 << 15
)

// push takes an arrival in, and hands on those that no earlier one can be before.
func (o *order) push(r Arrival, on func(*Arrival)) {
	o.latest = max(o.latest, r.End)
	o.heap = append(o.heap, r)
	for i := len(o.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if o.heap[up].Start <= o.heap[i].Start {
			break
		}
		o.heap[up], o.heap[i] = o.heap[i], o.heap[up]
		i = up
	}
	for len(o.heap) > orderMost || len(o.heap) > 0 && o.heap[0].Start < o.latest-orderFor {
		o.pop(on)
	}
}

// pop hands on the first one.
func (o *order) pop(on func(*Arrival)) {
	first := o.heap[0]
	last := len(o.heap) - 1
	o.heap[0] = o.heap[last]
	o.heap = o.heap[:last]
	for i := 0; ; {
		least := 2*i + 1
		if least >= last {
			break
		}
		if right := least + 1; right < last && o.heap[right].Start < o.heap[least].Start {
			least = right
		}
		if o.heap[i].Start <= o.heap[least].Start {
			break
		}
		o.heap[i], o.heap[least] = o.heap[least], o.heap[i]
		i = least
	}
	on(&first)
}

// rest hands on all that are left.
func (o *order) rest(on func(*Arrival)) {
	for len(o.heap) > 0 {
		o.pop(on)
	}
}
