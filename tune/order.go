package tune

import (
	"cmp"
	"slices"
	"time"

	"linger"
)

// An order puts arrivals into the order of their starts, and those that start at once into that
// in which they came. A log that is written when requests end has them in another: by up to their
// length. What waits is never older than orderFor, so that each second of it has a list of its own
// in a ring.
type order struct {
	seconds [orderRing]waiting
	n       int
	first   int64 // the second before which nothing waits
	latest  linger.Instant
}

// waiting are the arrivals of a second, of which those before from have been handed on.
type waiting struct {
	list   []Arrival
	from   int
	sorted bool
}

// What is out of order by more than this, in time or in number, stays so.
const (
	orderFor  = linger.Instant(2 * time.Minute)
	orderMost = 1 << 15
	orderRing = 128 // seconds, a power of two: more than orderFor has, and both its ends
)

// push takes an arrival in, and hands on those that no earlier one can be before.
func (o *order) push(r *Arrival, on func(*Arrival)) {
	if last := max(r.Start, r.End); last > o.latest {
		o.latest = last
		o.until(o.latest-orderFor, on)
	}
	if r.Start < o.latest-orderFor {
		on(r)
		return
	}
	second := int64(r.Start) / int64(time.Second)
	if o.n == 0 || second < o.first {
		o.first = second
	}
	w := &o.seconds[second&(orderRing-1)]
	switch {
	case len(w.list) == w.from:
		w.list, w.from, w.sorted = w.list[:0], 0, true
	case r.Start < w.list[len(w.list)-1].Start:
		w.sorted = false
	}
	w.list = append(w.list, *r)
	for o.n++; o.n > orderMost; {
		o.hand(o.next(), on)
	}
}

// next returns the second that is first, of which something waits.
func (o *order) next() *waiting {
	for {
		w := &o.seconds[o.first&(orderRing-1)]
		if w.from < len(w.list) {
			if !w.sorted {
				slices.SortStableFunc(w.list[w.from:], func(a, b Arrival) int { return cmp.Compare(a.Start, b.Start) })
				w.sorted = true
			}
			return w
		}
		o.first++
	}
}

// hand hands on the first one of a second.
func (o *order) hand(w *waiting, on func(*Arrival)) {
	w.from++
	o.n--
	on(&w.list[w.from-1])
}

// until hands on those before an instant.
func (o *order) until(at linger.Instant, on func(*Arrival)) {
	for o.n > 0 {
		if o.first*int64(time.Second) >= int64(at) {
			return
		}
		w := o.next()
		if w.list[w.from].Start >= at {
			return
		}
		o.hand(w, on)
	}
}

// rest hands on all that are left.
func (o *order) rest(on func(*Arrival)) {
	for o.n > 0 {
		o.hand(o.next(), on)
	}
}
