package flow

import (
	"time"

	"linger"
)

// The lists of a table that hands flows over as they end, each in the order in which its
// flows were put there. A packet moves none of them. Who comes to the head and has had
// packets since is sent to the tail; so the head is at most as long quiet as any, counted
// from the last time that somebody looked.
const (
	none      uint8 = iota
	oneSided        // only one end is known to take part
	connected       // TCP
	answered        // not TCP
	over            // TCP, after both FINs or an RST

	lists = iota
)

// A list links flows by ID + 1.
type list struct {
	head, tail uint32
	n          int
}

// file puts a flow at the end of a list, out of the one that it is in.
func (t *Table) file(f *Flow, l uint8, at linger.Instant) {
	if t.config.Ended == nil {
		return
	}
	t.unlink(f)
	n, to := uint32(f.ID)+1, &t.lists[l]
	f.list, f.filed, f.previous = l, at, to.tail
	if to.tail == 0 {
		to.head = n
	} else {
		t.at(to.tail).following = n
	}
	to.tail = n
	to.n++
}

// unlink takes a flow out of its list.
func (t *Table) unlink(f *Flow) {
	if f.list == none {
		return
	}
	from := &t.lists[f.list]
	if f.previous == 0 {
		from.head = f.following
	} else {
		t.at(f.previous).following = f.following
	}
	if f.following == 0 {
		from.tail = f.previous
	} else {
		t.at(f.following).previous = f.previous
	}
	from.n--
	f.list, f.previous, f.following = none, 0, 0
}

// quietest returns the head of a list once it is one that has had no packet since it was
// put there; nil if the list is empty. Each packet sends a flow to the tail at most once.
func (t *Table) quietest(l uint8) *Flow {
	for t.lists[l].head != 0 {
		f := t.at(t.lists[l].head)
		if f.Last <= f.filed {
			return f
		}
		t.file(f, l, f.Last)
	}
	return nil
}

// evict makes room for one flow; false if there is none to be made.
func (t *Table) evict() bool {
	if t.config.Ended == nil {
		return false
	}
	victim := t.quietest(over)
	if victim == nil && t.lists[oneSided].n > t.config.Limit/8 {
		victim = t.quietest(oneSided)
	}
	if victim == nil {
		for l := oneSided; l < over; l++ {
			if f := t.quietest(l); f != nil && (victim == nil || f.Last < victim.Last) {
				victim = f
			}
		}
	}
	if victim == nil {
		return false
	}
	t.end(victim, Evicted)
	return true
}

// patience is how long a flow in its state may be without packets; 0 is for ever.
func (t *Table) patience(f *Flow) time.Duration {
	switch f.list {
	case over:
		return t.config.Linger
	case oneSided, answered:
		return t.config.Quiet
	}
	return 0
}

// Expire lets go of the flows that have been quiet for longer than Config.Linger and
// Config.Quiet allow. Results do not depend on when it is called, but for how soon Ended is
// told; about once a second is often enough.
func (t *Table) Expire(now linger.Instant) {
	for l := oneSided; l < lists; l++ {
		for t.lists[l].head != 0 {
			f := t.at(t.lists[l].head)
			wait := t.patience(f)
			if wait == 0 || now.Sub(f.filed) <= wait {
				break
			}
			if now.Sub(f.Last) > wait {
				t.end(f, Silent)
			} else {
				t.file(f, l, f.Last)
			}
		}
	}
}

// Flush lets go of every flow, as at the end of the input, in order of their IDs.
func (t *Table) Flush() {
	for _, s := range t.slabs {
		for i := range s {
			if s[i].list != none {
				t.end(&s[i], StillOpen)
			}
		}
	}
}
