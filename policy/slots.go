package policy

// none is the index of nothing.
const none int32 = -1

// slots hold things under indices that stay theirs until they are given back. Indices
// are taken again, so that memory is bounded by the most that was held at once.
type slots[T any] struct {
	all  []T
	free []int32
}

// take returns an index that nothing has. What it held before is still there. It may
// move what is held: pointers into it are to be taken anew.
func (s *slots[T]) take() int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		return i
	}
	var zero T
	s.all = append(s.all, zero)
	return int32(len(s.all) - 1)
}

// give takes an index back.
func (s *slots[T]) give(i int32) { s.free = append(s.free, i) }

// A list is of requests, whose links are in them. One is in one list at most.
type list struct {
	first, last, n int32
}

var empty = list{none, none, 0}

func (l *list) push(requests []request, r int32) {
	x := &requests[r]
	x.prev, x.next = l.last, none
	if l.last == none {
		l.first = r
	} else {
		requests[l.last].next = r
	}
	l.last = r
	l.n++
}

func (l *list) remove(requests []request, r int32) {
	x := &requests[r]
	if x.prev == none {
		l.first = x.next
	} else {
		requests[x.prev].next = x.next
	}
	if x.next == none {
		l.last = x.prev
	} else {
		requests[x.next].prev = x.prev
	}
	l.n--
}

// join puts all of other, which is not used any more, before all of l.
func (l *list) join(requests []request, other list) {
	switch {
	case other.n == 0:
	case l.n == 0:
		*l = other
	default:
		requests[other.last].next, requests[l.first].prev = l.first, other.last
		l.first = other.first
		l.n += other.n
	}
}

// A queue is first in, first out. Its memory is bounded by the most that it held at once.
type queue[T any] struct {
	all  []T
	head int
}

func (q *queue[T]) push(v T) {
	if len(q.all) == cap(q.all) && q.head >= (len(q.all)+1)/2 {
		q.all = q.all[:copy(q.all, q.all[q.head:])]
		q.head = 0
	}
	q.all = append(q.all, v)
}

func (q *queue[T]) pop() (v T, ok bool) {
	if q.head == len(q.all) {
		q.all, q.head = q.all[:0], 0
		return v, false
	}
	v = q.all[q.head]
	q.head++
	return v, true
}
