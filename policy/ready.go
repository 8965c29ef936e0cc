package policy

// The connections of an originPool that could take a request now stand in up to four
// heaps, by what sets requests apart that not every connection may take. Of each heap
// the first is the one to be taken. They are pairing heaps, whose links are in the
// connections themselves: an origin with one connection needs no memory for them.

// A class is one of the heaps.
type class int8

const (
	classUnused class = 1 << iota // no request was sent on it
	classEarly                    // its handshake is not done

	classes = 4
	noClass = class(-1)
)

// heapLinks are the links of a connection in its heap.
type heapLinks struct {
	class class // noClass where it is in none
	child int32 // the first of those behind it
	next  int32 // of the same parent
	prev  int32 // of the same parent; the parent, for its first child
}

// first reports whether a connection is taken rather than another that could be, too:
// the one with the fewest outstanding requests; among equals by the pool's order.
func (p *Pool) first(a, b *conn) bool {
	switch {
	case a.outstanding.n != b.outstanding.n:
		return a.outstanding.n < b.outstanding.n
	case a.used != b.used:
		return (a.used > b.used) == (p.policy.Order == MostRecent)
	}
	return a.number < b.number
}

// enter puts the connection at index c into a heap of its pool.
func (p *Pool) enter(l *originPool, c int32, in class) {
	k := &p.conns.all[c]
	k.heapLinks = heapLinks{class: in, child: none, next: none, prev: none}
	l.ready[in] = p.meld(l.ready[in], c)
}

// leave takes the connection at index c out of the heap that it is in, whatever has
// become of it meanwhile.
func (p *Pool) leave(l *originPool, c int32) {
	k := &p.conns.all[c]
	if k.class == noClass {
		return
	}
	root := &l.ready[k.class]
	k.class = noClass
	if *root == c {
		*root = p.pair(k.child)
		return
	}
	if before := &p.conns.all[k.prev]; before.child == c {
		before.child = k.next
	} else {
		before.next = k.next
	}
	if k.next != none {
		p.conns.all[k.next].prev = k.prev
	}
	*root = p.meld(*root, p.pair(k.child))
}

// meld makes one heap of two.
func (p *Pool) meld(a, b int32) int32 {
	if a == none {
		return b
	}
	if b == none {
		return a
	}
	if p.first(&p.conns.all[b], &p.conns.all[a]) {
		a, b = b, a
	}
	above, below := &p.conns.all[a], &p.conns.all[b]
	below.next, below.prev = above.child, a
	if above.child != none {
		p.conns.all[above.child].prev = b
	}
	above.child = b
	return a
}

// pair makes one heap of those that begin at c and the next ones of the same parent:
// two by two, and then from behind, which keeps the cost logarithmic on average.
func (p *Pool) pair(c int32) int32 {
	pairs := none
	for c != none {
		a, b := c, p.conns.all[c].next
		p.conns.all[a].next, p.conns.all[a].prev = none, none
		c = none
		if b != none {
			c = p.conns.all[b].next
			p.conns.all[b].next, p.conns.all[b].prev = none, none
		}
		a = p.meld(a, b)
		p.conns.all[a].next = pairs
		pairs = a
	}
	root := none
	for pairs != none {
		a := pairs
		pairs = p.conns.all[a].next
		p.conns.all[a].next = none
		root = p.meld(root, a)
	}
	return root
}
