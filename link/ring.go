package link

// A ring is a queue that grows to its greatest length and then allocates no more.
type ring[E any] struct {
	slots []E // a power of two of them
	head  int
	n     int
}

const ringFirst = 8

func (r *ring[E]) push(e E) {
	if r.n == len(r.slots) {
		r.grow()
	}
	r.slots[(r.head+r.n)&(len(r.slots)-1)] = e
	r.n++
}

// first returns the oldest element of a ring that has one.
func (r *ring[E]) first() *E { return &r.slots[r.head] }

// last returns the newest element of a ring that has one.
func (r *ring[E]) last() *E { return &r.slots[(r.head+r.n-1)&(len(r.slots)-1)] }

// pop removes the oldest element of a ring that has one, and forgets it, so that
// what it pointed to can be collected.
func (r *ring[E]) pop() E {
	var none E
	e := r.slots[r.head]
	r.slots[r.head] = none
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.n--
	return e
}

func (r *ring[E]) grow() {
	slots := make([]E, max(ringFirst, 2*len(r.slots)))
	for i := range r.n {
		slots[i] = r.slots[(r.head+i)&(len(r.slots)-1)]
	}
	r.slots, r.head = slots, 0
}
