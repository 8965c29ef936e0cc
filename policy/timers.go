package policy

import "linger"

// timers wake connections, the earliest first, and of one instant the one dialled
// first. They are a heap of four children a node, which is told nothing that can wait:
// a deadline that moves away is looked at again when the timer has come to the top, and
// the timer of a connection that is gone stays until then. So an exchange on a kept
// connection costs nothing here.
type timers struct {
	heap []timer
	most int // after which what is void is taken out
}

// A timer is a connection's where the connection has armed it: it goes off no later than
// the deadline. Any other is void.
type timer struct {
	at     linger.Instant
	number uint32 // the lower half of the connection's
	conn   int32
}

func (t timer) before(other timer) bool {
	if t.at != other.at {
		return t.at < other.at
	}
	return int32(t.number-other.number) < 0 // whose upper halves may differ by one
}

func (t timer) void(conns []conn) bool {
	k := &conns[t.conn]
	return uint32(k.number) != t.number || k.armed != t.at
}

// arm has the connection woken at its deadline.
func (t *timers) arm(k *conn, conns []conn) {
	if k.deadline >= k.armed {
		return
	}
	k.armed = k.deadline
	if len(t.heap) >= t.most {
		t.clear(conns)
	}
	v := timer{k.armed, uint32(k.number), k.index}
	t.heap = append(t.heap, v)
	i := len(t.heap) - 1
	for i > 0 && v.before(t.heap[(i-1)/children]) {
		t.heap[i] = t.heap[(i-1)/children]
		i = (i - 1) / children
	}
	t.heap[i] = v
}

// first returns the connection whose deadline is next; nil where there is no deadline.
func (t *timers) first(conns []conn) *conn {
	for len(t.heap) > 0 {
		top := t.heap[0]
		k := &conns[top.conn]
		switch {
		case top.void(conns):
			t.pop()
		case k.deadline == top.at:
			return k
		default:
			if k.armed = k.deadline; k.armed == linger.Never {
				t.pop()
				continue
			}
			top.at = k.armed
			t.down(0, top)
		}
	}
	return nil
}

// clear takes out what is void. At least as much as it leaves is armed before the next
// time.
func (t *timers) clear(conns []conn) {
	kept := t.heap[:0]
	for _, v := range t.heap {
		if !v.void(conns) {
			kept = append(kept, v)
		}
	}
	t.heap = kept
	for i := len(t.heap) / children; i >= 0; i-- {
		if i < len(t.heap) {
			t.down(i, t.heap[i])
		}
	}
	t.most = 2*len(t.heap) + 16
}

func (t *timers) pop() {
	end := len(t.heap) - 1
	last := t.heap[end]
	if t.heap = t.heap[:end]; end > 0 {
		t.down(0, last)
	}
}

// children is how many a node of the heap has.
const children = 4

// down puts v at i or below, where i is free.
func (t *timers) down(i int, v timer) {
	for {
		least, at := v, i
		for child := children*i + 1; child <= children*i+children && child < len(t.heap); child++ {
			if t.heap[child].before(least) {
				least, at = t.heap[child], child
			}
		}
		t.heap[i] = least
		if at == i {
			return
		}
		i = at
	}
}
