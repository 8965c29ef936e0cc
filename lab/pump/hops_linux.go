package pump

import (
	"math/rand/v2"
	"time"

	"linger"
	"linger/link"
)

// hops are all links of a pump, with a heap that says on which of them a packet is due next. It
// is a machine without I/O.
//
// What is in flight on one link arrives in the order in which it was sent, so what is due there
// first changes only when it is taken out, or when something is sent while nothing is in flight.
type hops struct {
	all []hop
	due []dueAt // a heap; a hop is in it while something is in flight there, and then once
}

// A hop is a link, and where a packet is that has come out of it.
type hop struct {
	*link.Link[parcel]
	exit exit
}

// exit is the place at the end of a hop.
type exit uint8

const (
	atSide exit = iota // of the receiver, behind a link that shapes
	atLink             // behind the sender's own delay
	atHost             // behind the receiver's own delay
)

// dueAt is when the next packet arrives on a hop.
type dueAt struct {
	at  linger.Instant
	hop int32
}

// before breaks ties by the number of the hop.
func (d dueAt) before(o dueAt) bool { return d.at < o.at || d.at == o.at && d.hop < o.hop }

// add makes a hop and returns its number.
func (h *hops) add(c link.Config, losses *rand.PCG, e exit) int32 {
	h.all = append(h.all, hop{link.New[parcel](c, losses), e})
	return int32(len(h.all) - 1)
}

// line makes a hop that only delays; -1 is none, for no delay.
func (h *hops) line(delay time.Duration, e exit) int32 {
	if delay == 0 {
		return -1
	}
	return h.add(link.Config{Delay: delay}, nil, e)
}

// pair makes the links of a network, up and down, and returns the number of the first. Another
// stream is another sequence of losses.
func (h *hops) pair(n linger.Network, seed, stream uint64) int32 {
	up := h.add(link.Up(n), rand.NewPCG(seed, stream<<1|uint64(Client)), atSide)
	h.add(link.Down(n), rand.NewPCG(seed, stream<<1|uint64(Server)), atSide)
	return up
}

// send hands a hop a packet of size bytes.
func (h *hops) send(n int32, at linger.Instant, size int, c parcel) link.Outcome {
	l := h.all[n].Link
	idle := l.Flying() == 0
	outcome := l.Send(at, size, c)
	if idle && outcome == link.Carried {
		h.push(dueAt{l.Next(), n})
	}
	return outcome
}

// next is when the next packet arrives anywhere, or linger.Never.
func (h *hops) next() linger.Instant {
	if len(h.due) == 0 {
		return linger.Never
	}
	return h.due[0].at
}

// receive takes out the packet that arrives next, and says where it is then. There is one.
func (h *hops) receive() (c parcel, at linger.Instant, e exit) {
	first := h.due[0]
	on := &h.all[first.hop]
	c, at, _ = on.Receive(first.at)
	if t := on.Next(); t != linger.Never {
		h.sink(dueAt{t, first.hop})
	} else {
		last := len(h.due) - 1
		moved := h.due[last]
		h.due = h.due[:last]
		if last > 0 {
			h.sink(moved)
		}
	}
	return c, at, on.exit
}

// push adds d to the heap.
func (h *hops) push(d dueAt) {
	h.due = append(h.due, d)
	i := len(h.due) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !d.before(h.due[parent]) {
			break
		}
		h.due[i] = h.due[parent]
		i = parent
	}
	h.due[i] = d
}

// sink puts d in the place of the first of the heap.
func (h *hops) sink(d dueAt) {
	i := 0
	for {
		child := 2*i + 1
		if child >= len(h.due) {
			break
		}
		if right := child + 1; right < len(h.due) && h.due[right].before(h.due[child]) {
			child = right
		}
		if !h.due[child].before(d) {
			break
		}
		h.due[i] = h.due[child]
		i = child
	}
	h.due[i] = d
}
