// Package alarm says who is to be woken next, of many, in virtual time.
package alarm

import "linger"

// A Waker is who wants to be woken.
type Waker interface{ Wake() }

// An Alarm is when somebody wants to be woken. It is in one Queue at most.
type Alarm struct {
	at     linger.Instant
	number int
	place  int // in the queue; -1 is in none
	waker  Waker
}

// New returns an alarm that is not set. Of alarms that are due at once the one with the
// smaller number comes first.
func New(number int, w Waker) Alarm {
	return Alarm{at: linger.Never, number: number, place: -1, waker: w}
}

// IsSet reports whether somebody is to be woken.
func (a *Alarm) IsSet() bool { return a.place >= 0 }

// Wake wakes who has set it.
func (a *Alarm) Wake() { a.waker.Wake() }

// A Queue holds alarms, the earliest first; the zero value is empty. It is not safe for
// concurrent use.
type Queue struct{ heap []entry }

// An entry has what alarms are ordered by beside each other in memory.
type entry struct {
	at     linger.Instant
	number int
	alarm  *Alarm
}

func (x *entry) before(y *entry) bool {
	return x.at < y.at || x.at == y.at && x.number < y.number
}

// Next returns when the first is due; linger.Never where none is set.
func (q *Queue) Next() linger.Instant {
	if len(q.heap) == 0 {
		return linger.Never
	}
	return q.heap[0].at
}

// First returns the first, of a queue that has one.
func (q *Queue) First() *Alarm { return q.heap[0].alarm }

// Set changes when an alarm is due; linger.Never takes it out.
func (q *Queue) Set(a *Alarm, at linger.Instant) {
	if a.at != at {
		q.set(a, at)
	}
}

func (q *Queue) set(a *Alarm, at linger.Instant) {
	was := a.at
	a.at = at
	switch {
	case was == linger.Never:
		q.heap = append(q.heap, entry{})
		q.up(len(q.heap)-1, entry{at, a.number, a})
	case at == linger.Never:
		i, end := a.place, len(q.heap)-1
		last := q.heap[end]
		q.heap[end] = entry{}
		if q.heap = q.heap[:end]; i < end {
			q.move(i, last)
		}
		a.place = -1
	default:
		q.move(a.place, entry{at, a.number, a})
	}
}

// move puts x where it belongs, as the place i is free.
func (q *Queue) move(i int, x entry) {
	if i > 0 && x.before(&q.heap[(i-1)/2]) {
		q.up(i, x)
	} else {
		q.down(i, x)
	}
}

func (q *Queue) put(i int, x entry) {
	q.heap[i] = x
	x.alarm.place = i
}

// up puts x at i, which is free, or above.
func (q *Queue) up(i int, x entry) {
	for i > 0 {
		parent := (i - 1) / 2
		if !x.before(&q.heap[parent]) {
			break
		}
		q.put(i, q.heap[parent])
		i = parent
	}
	q.put(i, x)
}

// down puts x at i, which is free, or below.
func (q *Queue) down(i int, x entry) {
	for {
		child := 2*i + 1
		if child >= len(q.heap) {
			break
		}
		if child+1 < len(q.heap) && q.heap[child+1].before(&q.heap[child]) {
			child++
		}
		if !q.heap[child].before(&x) {
			break
		}
		q.put(i, q.heap[child])
		i = child
	}
	q.put(i, x)
}
