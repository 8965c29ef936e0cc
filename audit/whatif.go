package audit

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"linger"
	"linger/policy"
)

// A WhatIf is what a pool for each client would have done with the requests of an origin, as
// policy.Pool decides: at most so many connections open at once, each kept for so long. It is
// predicted. A request that was sent after a response comes as long after it as it did,
// whenever that is there now; others come when they came. All take as long as they took.
type WhatIf struct {
	Connections int     `json:"connections"` // of the pool, at most
	Idle        float64 `json:"idle_s"`      // for how long they are kept
	Requests    int     `json:"requests"`
	// Opened is how many connections there would have been, Instead how many carried those
	// requests.
	Opened  int    `json:"opened"`
	Instead int    `json:"instead_of"`
	Known   string `json:"known"` // "predicted"
}

// Reuse is the share of requests that would not have been the first on their connection.
func (w WhatIf) Reuse() float64 { return 1 - float64(w.Opened)/float64(max(1, w.Requests)) }

// A want is a request as a pool sees it.
type want struct {
	at, done linger.Instant // when it was wanted and answered
	takes    time.Duration  // from its sending to the end of its response
	after    int            // the request whose response released it; none is -1
}

// wantsOf returns the requests of a client's pool by when they were wanted. The first one of a
// connection was wanted when that was opened, unless it had been opened ahead. Requests that
// were not answered in full are left out. ok is false where those are more than a tenth, or
// where requests have been summed up.
func wantsOf(conns []*conn) (wants []want, ok bool) {
	lacking := 0
	for _, c := range conns {
		if c.folded != nil || c.opaque || c.multiplexed {
			return nil, false
		}
		for i, s := range c.spans {
			if s.sent == never || s.done == never || s.done < s.sent {
				lacking++
				continue
			}
			w := want{at: s.sent, done: s.done, takes: s.done.Sub(s.sent), after: -1}
			if i == 0 && !c.beganBefore && !c.price.hidden {
				w.at = min(w.at, c.opened)
			}
			wants = append(wants, w)
		}
	}
	if lacking > len(wants)/10 {
		return nil, false
	}
	slices.SortStableFunc(wants, func(x, y want) int { return cmp.Compare(x.at, y.at) })
	// "Observed requests hang on earlier responses": on the latest that had come.
	answered := make([]int, len(wants))
	for i := range answered {
		answered[i] = i
	}
	slices.SortStableFunc(answered, func(x, y int) int { return cmp.Compare(wants[x].done, wants[y].done) })
	n := 0
	for i := range wants {
		for n < len(answered) && wants[answered[n]].done <= wants[i].at {
			n++
		}
		if n > 0 {
			wants[i].after = answered[n-1]
		}
	}
	return wants, true
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
	wants  []want
	first  []int32 // the request, and one, that a response releases
	next   []int32 // the one, and one, that the same response releases, too
	setup  time.Duration
	due    doings
	number int
	dialed int
	last   []bool // requests after which their connection ends
}

// replayed returns how many connections a pool opens for requests, where it takes that long to
// set one up.
func replayed(wants []want, strategy linger.Strategy, setup time.Duration) int {
	r := &replay{
		pool:  policy.NewPool(policy.PoolPolicy{Strategy: strategy}),
		wants: wants, first: make([]int32, len(wants)), next: make([]int32, len(wants)), setup: setup, last: make([]bool, len(wants)),
	}
	for i, w := range slices.Backward(wants) { // so that those of a response are in order
		if w.after < 0 {
			r.in(doing{at: w.at, request: i})
			continue
		}
		r.next[i], r.first[w.after] = r.first[w.after], int32(i)+1
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
			r.in(doing{at: d.at.Add(r.wants[i-1].at.Sub(r.wants[d.request].done)), request: i - 1})
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
			r.in(doing{at: now.Add(r.wants[c.Request].takes), request: c.Request, conn: c.Conn, answer: true})
		}
	}
}

// whatIf replays the requests of each origin to which connections were avoidable, where all
// requests are known.
func (a *Auditor) whatIf(byPool map[*pool][]*conn) {
	if a.tally.settled > 0 {
		return // those of others are gone
	}
	unknown := map[groupKey]bool{}
	for p, conns := range byPool {
		k := a.originOf(p.label, p.key.server)
		g := in(a.tally.origins, k)
		if g.avoidable() == 0 {
			continue
		}
		wants, ok := wantsOf(conns)
		if !ok || unknown[k] {
			unknown[k], g.whatIf = true, WhatIf{}
			continue
		}
		w := &g.whatIf
		w.Connections, w.Idle = a.advised(g)
		opened := replayed(wants, a.poolFor(p.key.server, *w), setupOf(conns))
		w.Known = "predicted"
		w.Requests += len(wants)
		w.Opened += opened
		for _, c := range conns {
			if c.requests > 0 {
				w.Instead++
			}
		}
	}
}

// advised is the pool that remedies for an origin set up, unless the user named another.
func (a *Auditor) advised(g *group) (connections int, idle float64) {
	if a.config.PoolSize > 0 || a.config.PoolIdle > 0 {
		return cmp.Or(a.config.PoolSize, keptFor(g.peak)), cmp.Or(a.config.PoolIdle, keptLong).Seconds()
	}
	longest := time.Duration(0)
	for cause, m := range g.causes {
		if gap, ok := m.usualGap(); ok && cause.Of().Avoidable {
			longest = max(longest, gap)
		}
	}
	if longest == 0 {
		return keptFor(g.peak), keptLong.Seconds()
	}
	return keptFor(g.peak), withMargin(longest).Seconds()
}

// keptLong is for how long a pool keeps connections of which no gap is known.
const keptLong = 60 * time.Second

// poolFor is such a pool as policy has it, which knows of limits of the server that are claimed.
func (a *Auditor) poolFor(server *host, w WhatIf) linger.Strategy {
	s := linger.Strategy{Name: "keep", Version: "1.1", Persistent: true, Connections: w.Connections, InFlight: 1, IdleTimeout: seconds(w.Idle)}
	if limit, ok := server.idle.single(); ok {
		s.IdleTimeout = min(s.IdleTimeout, seconds(limit))
	}
	if most, _, ok := server.counts.soleLimit(); ok {
		s.MaxRequests = most
	}
	return s
}

// setupOf is how long connections of a pool took to be set up, the median; 0 where that was not
// seen.
func setupOf(conns []*conn) time.Duration {
	var all []time.Duration
	for _, c := range conns {
		if c.price.measured {
			all = append(all, c.price.waiting)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}
