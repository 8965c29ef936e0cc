// Package predict says what other connections would have done with observed requests: how many a
// pool with another [Setting] would have opened, and how long requests would have waited for them
// ([Traffic.With]), and what a window that had grown would have saved ([SlowStart]). All are
// predictions: nothing of them was seen.
package predict

import (
	"cmp"
	"slices"
	"time"

	"linger"
	"linger/policy"
)

// A Want is a request as a pool sees it.
type Want struct {
	At, Done linger.Instant // when it was wanted and answered
	Takes    time.Duration  // from its sending to the end of its response
	Kept     time.Duration  // how long after it its connection ended, of what End says
	After    int32          // the request whose response released it; none is -1
	Part     int32          // of the client's pools, whose request it is
	End      End            // how its connection ended after it
	// Ahead says that its connection had been opened before it was wanted: it waits for none.
	Ahead bool
}

// An End is who ended the connection on which a request was the last.
type End uint8

// None is of requests that others followed, and of what a limit that is known explains. A setting
// replaces the ends that it is about; what Otherwise is happens again, whatever the setting.
const (
	None         End = iota
	ClientAtOnce     // the client does not keep it
	ClientFull       // its pool had no room to keep it
	ClientIdle       // it had been idle for too long
	ServerAtOnce     // the server does not keep it
	ServerIdle
	ServerCount // it had carried all the requests that the server takes
	ServerAge
	Otherwise // aborted, in error, restarted
)

// lifts reports whether a setting does away with an end.
func (s Setting) lifts(e End) bool {
	switch e {
	case ClientAtOnce:
		return s.Idle > 0 || s.OnePool()
	case ClientFull:
		return s.OnePool()
	case ClientIdle:
		return s.Idle > 0
	case ServerAtOnce:
		return s.ServerIdle > 0 || s.H2
	case ServerIdle:
		return s.ServerIdle > 0
	case ServerCount:
		return s.MaxRequests > 0
	}
	return e == None
}

// OnePool reports whether all requests of a client to an origin are one pool's, whatever they
// were.
func (s Setting) OnePool() bool { return s.Connections > 0 || s.H2 }

// InOrder sorts requests by when they were wanted. "Observed requests hang on earlier responses":
// each on the latest that had come.
func InOrder(wants []Want) []Want {
	slices.SortStableFunc(wants, func(x, y Want) int { return cmp.Compare(x.At, y.At) })
	answered := make([]int32, len(wants))
	for i := range answered {
		answered[i] = int32(i)
	}
	slices.SortStableFunc(answered, func(x, y int32) int { return cmp.Compare(wants[x].Done, wants[y].Done) })
	n := 0
	for i := range wants {
		for n < len(answered) && wants[answered[n]].Done <= wants[i].At {
			n++
		}
		if n > 0 {
			wants[i].After = answered[n-1]
		} else {
			wants[i].After = -1
		}
	}
	return wants
}

// What happens next in a replay.
const (
	wanted = iota
	answered
	established
	over // a connection has idled for as long as it did, if nothing came meanwhile
)

type doing struct {
	at      linger.Instant
	number  int32 // orders what happens at once
	request int32
	what    uint8
	conn    policy.Conn
}

// before orders what happens.
func (d doing) before(e doing) bool { return d.at < e.at || d.at == e.at && d.number < e.number }

// A dialled is a connection of a replay.
type dialled struct {
	at, ready linger.Instant
	setup     time.Duration
	used      int32 // requests that were sent on it
	under     int32 // and not answered
	before    bool  // it was there when the recording began
	free      bool  // no request waits for it
	waited    bool  // a request waited for its handshake
	resumed   bool
	idle      bool
	gone      bool
	bound     int32 // the request, and one, that it was opened for, and that waits for no other
	key       policy.Key
}

// A replay has a pool serve requests.
type replay struct {
	t       *Traffic
	setting Setting
	pool    *policy.Pool
	multi   bool
	streams int
	age     time.Duration
	onePool bool
	most    int // connections of a key at once
	// idle and open are how many connections of a key are, where requests are bound.
	idle, open map[policy.Key]int

	due    []doing
	number int32
	conns  []dialled
	asked  []linger.Instant // when each request was wanted, this time
	cause  int32            // the request that was wanted last: connections are dialled for it
	spare  bool             // the next one is dialled for it alone
	last   []bool           // requests after which their connection ends
	queued time.Duration
}

// key is whose connections a request may use.
func (r *replay) key(w *Want) policy.Key {
	if r.onePool {
		return 0
	}
	return policy.Key(w.Part)
}

// run replays all requests.
func (r *replay) run() {
	if len(r.t.Wants) == 0 {
		return
	}
	start := r.t.Wants[0].At
	for part, n := range r.t.Before {
		for range n {
			r.pool.HandleSpare(start, r.key(&Want{Part: int32(part)}))
		}
	}
	for c, ok := r.pool.Poll(start); ok; c, ok = r.pool.Poll(start) {
		if c.Kind == policy.Dial {
			r.conns = append(r.conns, dialled{at: start, ready: start, before: true, free: true, key: c.Key})
			r.open[c.Key]++
			r.connect(start, c.Conn)
		}
	}
	for i := len(r.t.Wants) - 1; i >= 0; i-- {
		if w := &r.t.Wants[i]; w.After < 0 {
			r.in(doing{at: w.At, request: int32(i), what: wanted})
		}
	}
	for len(r.due) > 0 {
		now := r.due[0].at
		for at := r.pool.NextTimeout(); at <= now; at = r.pool.NextTimeout() {
			r.pool.HandleTimeout(at)
			r.poll(at)
		}
		r.happen(r.out())
		r.poll(now)
	}
}

// in has something happen.
func (r *replay) in(d doing) {
	d.number = r.number
	r.number++
	r.due = append(r.due, d)
	for i := len(r.due) - 1; i > 0; {
		up := (i - 1) / 2
		if !r.due[i].before(r.due[up]) {
			break
		}
		r.due[i], r.due[up] = r.due[up], r.due[i]
		i = up
	}
}

// out is what happens next.
func (r *replay) out() doing {
	first, n := r.due[0], len(r.due)-1
	r.due[0] = r.due[n]
	r.due = r.due[:n]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < n; child++ {
			if r.due[child].before(r.due[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		r.due[i], r.due[least] = r.due[least], r.due[i]
		i = least
	}
}

func (r *replay) happen(d doing) {
	switch d.what {
	case established:
		r.connect(d.at, d.conn)
	case wanted:
		r.asked[d.request], r.cause = d.at, d.request
		key := r.key(&r.t.Wants[d.request])
		if r.t.Bound && !r.multi && r.idle[key] == 0 && r.open[key] < r.most {
			r.spare = true
			r.pool.HandleSpare(d.at, key)
			return
		}
		r.pool.HandleRequest(int(d.request), policy.Request{Key: key, Safe: true, Idempotent: true})
	case answered:
		r.answer(d)
	case over:
		// The number of requests that it had carried then stands in place of the request.
		if c := &r.conns[d.conn.Number]; c.used == d.request && c.under == 0 {
			r.end(d.conn)
		}
	}
}

// rest counts a connection among those that are idle, or not.
func (r *replay) rest(c *dialled, idle bool) {
	if c.idle != idle && !c.gone {
		c.idle = idle
		r.idle[c.key] += map[bool]int{true: 1, false: -1}[idle]
	}
}

// lose has a connection be no more.
func (r *replay) lose(c *dialled) {
	if !c.gone {
		r.rest(c, false)
		c.gone = true
		r.open[c.key]--
	}
}

func (r *replay) connect(now linger.Instant, conn policy.Conn) {
	c := &r.conns[conn.Number]
	c.ready = now
	r.rest(c, true)
	if r.multi && r.streams > 0 {
		r.pool.HandleStreams(now, conn, r.streams)
	}
	r.pool.HandleConnected(now, conn)
	if c.bound > 0 {
		r.pool.HandleRequestOn(now, int(c.bound-1), policy.Request{Key: c.key, Safe: true, Idempotent: true}, conn)
	}
}

// end has the other side end a connection, or the client.
func (r *replay) end(conn policy.Conn) {
	r.lose(&r.conns[conn.Number])
	if r.multi {
		r.pool.HandleGoAway(conn, nil, "") // what is under way is answered
		return
	}
	r.pool.HandleClosed(conn, policy.ClosedByPeer, "")
}

// answer has a response come, what then becomes of its connection, and what it releases.
func (r *replay) answer(d doing) {
	w, c := &r.t.Wants[d.request], &r.conns[d.conn.Number]
	c.under--
	old := r.age > 0 && d.at.Sub(c.ready) >= r.age
	ended := r.last[d.request] || old || w.Kept <= 0 && !r.setting.lifts(w.End)
	r.pool.HandleResponse(d.at, d.conn, int(d.request), true)
	r.rest(c, c.under == 0)
	switch {
	case ended:
		r.end(d.conn)
	case !r.setting.lifts(w.End):
		r.in(doing{at: d.at.Add(w.Kept), request: c.used, what: over, conn: d.conn})
	}
	for i := int(r.t.first[d.request]); i > 0; i = int(r.t.next[i-1]) {
		r.in(doing{at: d.at.Add(r.t.Wants[i-1].At.Sub(w.Done)), request: int32(i - 1), what: wanted})
	}
}

// poll does what the pool wants done.
func (r *replay) poll(now linger.Instant) {
	for c, ok := r.pool.Poll(now); ok; c, ok = r.pool.Poll(now) {
		switch c.Kind {
		case policy.Dial:
			x := dialled{at: now, key: c.Key}
			if r.open[c.Key]++; r.spare {
				x.bound, r.spare = r.cause+1, false
			}
			x.setup, x.resumed = r.t.setup(r.setting, len(r.conns))
			if x.free = r.cause >= 0 && r.t.Wants[r.cause].Ahead && r.asked[r.cause] == now; x.free {
				x.setup = 0
			}
			r.conns = append(r.conns, x)
			r.in(doing{at: now.Add(x.setup), what: established, conn: c.Conn})
		case policy.Send:
			r.send(now, c)
		case policy.Close:
			r.lose(&r.conns[c.Conn.Number])
		}
	}
}

func (r *replay) send(now linger.Instant, c policy.PoolCommand) {
	w, x := &r.t.Wants[c.Request], &r.conns[c.Conn.Number]
	r.last[c.Request] = c.Last
	delay := now.Sub(r.asked[c.Request])
	if x.ready == now && x.used == 0 && !x.free && delay > 0 {
		x.waited = true
		delay -= min(delay, x.setup)
	}
	r.queued += delay
	x.used++
	x.under++
	r.rest(x, false)
	r.pool.HandleSent(now, c.Conn, c.Request)
	r.in(doing{at: now.Add(w.Takes), request: int32(c.Request), what: answered, conn: c.Conn})
}
