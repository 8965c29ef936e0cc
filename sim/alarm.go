package sim

import "linger"

// A sleeper is who wants to be woken.
type sleeper struct {
	wakeAt linger.Instant
	number int
	place  int // in the alarms
	wake   interface{ alarm() }
}

// alarms are the ends that want to be woken, the earliest first; of equals the one
// that was made first.
type alarms struct{ heap []*sleeper }

func (a *alarms) next() linger.Instant {
	if len(a.heap) == 0 {
		return linger.Never
	}
	return a.heap[0].wakeAt
}

func (a *alarms) first() *sleeper { return a.heap[0] }

func before(x, y *sleeper) bool {
	return x.wakeAt < y.wakeAt || x.wakeAt == y.wakeAt && x.number < y.number
}

// set changes when an end wants to be woken.
func (a *alarms) set(e *sleeper, at linger.Instant) {
	if e.wakeAt == at && (e.place >= 0) == (at != linger.Never) {
		return
	}
	e.wakeAt = at
	switch {
	case e.place < 0 && at == linger.Never:
	case e.place < 0:
		e.place = len(a.heap)
		a.heap = append(a.heap, e)
		a.up(e.place)
	case at == linger.Never:
		i, last := e.place, len(a.heap)-1
		a.swap(i, last)
		a.heap = a.heap[:last]
		e.place = -1
		if i < last {
			a.down(i)
			a.up(i)
		}
	default:
		a.down(e.place)
		a.up(e.place)
	}
}

func (a *alarms) swap(i, j int) {
	a.heap[i], a.heap[j] = a.heap[j], a.heap[i]
	a.heap[i].place, a.heap[j].place = i, j
}

func (a *alarms) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !before(a.heap[i], a.heap[parent]) {
			return
		}
		a.swap(i, parent)
		i = parent
	}
}

func (a *alarms) down(i int) {
	for {
		least := i
		for j := 2*i + 1; j <= 2*i+2 && j < len(a.heap); j++ {
			if before(a.heap[j], a.heap[least]) {
				least = j
			}
		}
		if least == i {
			return
		}
		a.swap(i, least)
		i = least
	}
}
