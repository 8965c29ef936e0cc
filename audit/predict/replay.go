// Package predict says what other connections would have done with observed requests: how many a
// pool would have opened ([Opened]), and what a window that had grown would have saved
// ([SlowStart]). Both are predictions: nothing of them was seen.
package predict

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"linger"
	"linger/policy"
)

// A Want is a request as a pool sees it.
type Want struct {
	At, Done linger.Instant // when it was wanted and answered
	Takes    time.Duration  // from its sending to the end of its response
	After    int            // the request whose response released it; none is -1
}

// InOrder sorts requests by when they were wanted. "Observed requests hang on earlier responses":
// each on the latest that had come.
func InOrder(wants []Want) []Want {
	slices.SortStableFunc(wants, func(x, y Want) int { return cmp.Compare(x.At, y.At) })
	answered := make([]int, len(wants))
	for i := range answered {
		answered[i] = i
	}
	slices.SortStableFunc(answered, func(x, y int) int { return cmp.Compare(wants[x].Done, wants[y].Done) })
	n := 0
	for i := range wants {
		for n < len(answered) && wants[answered[n]].Done <= wants[i].At {
			n++
		}
		if n > 0 {
			wants[i].After = answered[n-1]
		}
	}
	return wants
}

// A doing is what happens next in a replay: a request is wanted, a connection is established,
// or a response has come.
type doing struct {
	at      linger.Instant
	number  int // orders what happens at once
	request int // -1 where a connection is established
	conn    policy.Conn
	answer  bool
}

type doings []doing

func (d doings) Len() int { return len(d) }
func (d doings) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(d[i].at, d[j].at), cmp.Compare(d[i].number, d[j].number)) < 0
}
func (d doings) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *doings) Push(x any)   { *d = append(*d, x.(doing)) }
func (d *doings) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// A replay has a pool serve requests.
type replay struct {
	pool   *policy.Pool
	wants  []Want
	first  []int32 // the request, and one, that a response releases
	next   []int32 // the one, and one, that the same response releases, too
	setup  time.Duration
	due    doings
	number int
	dialed int
	last   []bool // requests after which their connection ends
}

// Opened returns how many connections a pool opens for requests, where it takes that long to
// set one up.
func Opened(wants []Want, strategy linger.Strategy, setup time.Duration) int {
	r := &replay{
		pool:  policy.NewPool(policy.PoolPolicy{Strategy: strategy}),
		wants: wants, first: make([]int32, len(wants)), next: make([]int32, len(wants)), setup: setup, last: make([]bool, len(wants)),
	}
	for i, w := range slices.Backward(wants) { // so that those of a response are in order
		if w.After < 0 {
			r.in(doing{at: w.At, request: i})
			continue
		}
		r.next[i], r.first[w.After] = r.first[w.After], int32(i)+1
	}
	for len(r.due) > 0 {
		now := r.due[0].at
		for at := r.pool.NextTimeout(); at <= now; at = r.pool.NextTimeout() {
			r.pool.HandleTimeout(at)
			r.poll(at)
		}
		r.happen(heap.Pop(&r.due).(doing))
		r.poll(now)
	}
	return r.dialed
}

func (r *replay) in(d doing) {
	d.number = r.number
	r.number++
	heap.Push(&r.due, d)
}

func (r *replay) happen(d doing) {
	switch {
	case d.request < 0:
		r.pool.HandleConnected(d.at, d.conn)
	case !d.answer:
		r.pool.HandleRequest(d.request, policy.Request{Safe: true, Idempotent: true})
	default:
		r.pool.HandleResponse(d.at, d.conn, d.request, true)
		if r.last[d.request] {
			r.pool.HandleClosed(d.conn, policy.ClosedByPeer, "")
		}
		for i := int(r.first[d.request]); i > 0; i = int(r.next[i-1]) {
			r.in(doing{at: d.at.Add(r.wants[i-1].At.Sub(r.wants[d.request].Done)), request: i - 1})
		}
	}
}

// poll does what the pool wants done.
func (r *replay) poll(now linger.Instant) {
	for c, ok := r.pool.Poll(now); ok; c, ok = r.pool.Poll(now) {
		switch c.Kind {
		case policy.Dial:
			r.dialed++
			r.in(doing{at: now.Add(r.setup), request: -1, conn: c.Conn})
		case policy.Send:
			r.last[c.Request] = c.Last
			r.pool.HandleSent(now, c.Conn, c.Request)
			r.in(doing{at: now.Add(r.wants[c.Request].Takes), request: c.Request, conn: c.Conn, answer: true})
		}
	}
}
