// Package crowds makes records of crowds up, for the tests of whatever reads them: clients with one
// connection each, pages that take a fixed time, servers that serve so many connections at once in
// the order in which they come. No network, no engine: what comes out can be computed by hand.
package crowds

import (
	"container/heap"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// A Plan is a crowd to make up.
type Plan struct {
	Crowd       linger.Crowd
	Strategy    linger.Strategy
	Capacity    policy.Capacity
	IdleTimeout time.Duration // the servers'; 0 is none
	// Page is how long a page takes on a connection that is open and taken, of each share of a mix;
	// Setup how long a handshake takes before, and Apart what a page takes longer of a client that
	// opens a connection for each object.
	Page         []time.Duration
	Setup, Apart time.Duration
	Seed         uint64
	Trial        int
	// Bound is when the run is stopped, as one that grows without end; 0 is never.
	Bound time.Duration
	// Fails has every page fail.
	Fails bool
	// Memory is what the kernel holds for a connection.
	Memory int64
}

// pageBytes and pageRequests are what a page is.
const (
	pageBytes    = 100_000
	pageRequests = 5
)

// Record makes the record of one run.
func Record(p Plan) *trace.Crowd {
	w := &world{Plan: p, out: &trace.Crowd{
		Provenance: trace.Measured, Engine: "lab", Workload: "made up", Strategy: p.Strategy.Name,
		Seed: p.Seed, Trial: p.Trial, Plan: p.Crowd, Every: time.Second,
	}}
	w.servers = make([]server, p.Crowd.Servers())
	for _, m := range p.Crowd.Members(p.Seed, p.Trial) {
		c := &client{Member: m}
		w.at(m.Arrives, func() { w.want(c) })
	}
	if p.Crowd.RestartAt > 0 {
		w.at(linger.Instant(p.Crowd.RestartAt), w.restart)
	}
	for w.events.Len() > 0 {
		e := heap.Pop(&w.events).(event)
		if p.Bound > 0 && e.at > linger.Instant(p.Bound) {
			w.now, w.out.Overrun = linger.Instant(p.Bound), true
			break
		}
		w.now = e.at
		e.do()
	}
	// The last timers only close what idles: the run ends with its last page.
	w.out.Ended = 0
	for _, v := range w.out.Visits {
		w.out.Ended = max(w.out.Ended, v.Done.Or(w.now))
	}
	for i := range w.out.Connections {
		if at, ok := w.out.Connections[i].Closed.Get(); ok && at > w.out.Ended {
			w.out.Connections[i].Closed, w.out.Connections[i].ClosedBy = linger.Opt[linger.Instant]{}, ""
		}
	}
	w.sample()
	return w.out
}

type client struct {
	linger.Member
	visits int
	conn   int // of the record's, plus one; 0 is none
	used   int // counts, so that a timer knows whether it is still meant
}

type server struct {
	taken int
	queue []func()
}

type world struct {
	Plan
	out     *trace.Crowd
	now     linger.Instant
	events  events
	made    int
	servers []server
	turn    int
	idlers  []*client
}

func (w *world) at(t linger.Instant, do func()) {
	w.made++
	heap.Push(&w.events, event{t, w.made, do})
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

// want has a client want its next page.
func (w *world) want(c *client) {
	w.out.Visits = append(w.out.Visits, trace.Visit{Client: c.Client, Number: c.visits, Share: c.Share, Wanted: w.now})
	visit := len(w.out.Visits) - 1
	c.used++
	if c.conn > 0 {
		w.load(c, visit)
		return
	}
	w.out.Visits[visit].Dialled = 1
	s := w.choose()
	w.out.Connections = append(w.out.Connections, trace.CrowdConnection{Client: c.Client, Server: s, Dialled: w.now})
	c.conn = len(w.out.Connections)
	x := c.conn - 1
	w.after(w.Setup, func() {
		w.out.Connections[x].Established = linger.Known(w.now)
		take := func() {
			w.servers[s].taken++
			w.out.Connections[x].Accepted = linger.Known(w.now)
			w.load(c, visit)
		}
		if n := w.Capacity.Workers; n > 0 && w.servers[s].taken >= n {
			w.servers[s].queue = append(w.servers[s].queue, take)
			return
		}
		take()
	})
}

// choose is the server of a new connection, in turn.
func (w *world) choose() int {
	n := max(1, w.Crowd.Backends)
	if w.Crowd.AddAt > 0 && w.now >= linger.Instant(w.Crowd.AddAt) {
		n++
	}
	w.turn++
	return w.turn % n
}

// load has a page loaded on the client's connection.
func (w *world) load(c *client, visit int) {
	took := w.Page[0]
	if c.Share < len(w.Page) {
		took = w.Page[c.Share]
	}
	if !w.Strategy.Persistent {
		took += w.Apart
	}
	w.after(took, func() { w.loaded(c, visit) })
}

func (w *world) loaded(c *client, visit int) {
	v, x := &w.out.Visits[visit], &w.out.Connections[c.conn-1]
	v.Done = linger.Known(w.now)
	if w.Fails {
		v.Failed, v.Why = pageRequests, "made to fail"
	} else {
		v.Requests, v.Bytes = pageRequests, pageBytes
		x.Requests += pageRequests
		x.Bytes += pageBytes
		for range pageRequests {
			w.out.Serve(x.Server, w.now)
		}
	}
	c.visits++
	at, more := c.Next(c.visits, w.now)
	if more {
		w.at(at, func() { w.want(c) })
	}
	if !w.Strategy.Persistent {
		w.closes(c, trace.AtClient)
		return
	}
	used := c.used
	w.idlers = append(w.idlers, c)
	if w.IdleTimeout > 0 {
		w.after(w.IdleTimeout, func() {
			if c.used == used && c.conn > 0 {
				w.closes(c, trace.AtServer)
			}
		})
	}
}

// closes ends a client's connection, and the next that waits is taken.
func (w *world) closes(c *client, by trace.Peer) {
	x := &w.out.Connections[c.conn-1]
	x.Closed, x.ClosedBy, c.conn = linger.Known(w.now), by, 0
	s := &w.servers[x.Server]
	if s.taken--; len(s.queue) > 0 {
		take := s.queue[0]
		s.queue = s.queue[1:]
		take()
	}
}

// restart ends the connections of the first server that are idle.
func (w *world) restart() {
	idle := w.idlers
	w.idlers = nil
	for _, c := range idle {
		if c.conn > 0 && w.out.Connections[c.conn-1].Server == 0 && w.rests(c) {
			w.closes(c, trace.AtServer)
		}
	}
}

// rests reports whether no page is under way on the client's connection.
func (w *world) rests(c *client) bool {
	for i := len(w.out.Visits) - 1; i >= 0; i-- {
		if v := w.out.Visits[i]; v.Client == c.Client {
			return !v.Done.IsZero()
		}
	}
	return false
}

// sample counts what is held every second.
func (w *world) sample() {
	for at := linger.Instant(0); at <= w.out.Ended; at = at.Add(w.out.Every) {
		s := trace.CrowdSample{At: at}
		waiting, taken := 0, 0
		for _, x := range w.out.Connections {
			if x.Closed.Or(linger.Never) <= at {
				continue
			}
			if x.Dialled <= at {
				s.Client.Sockets++
			}
			if x.Established.Or(linger.Never) <= at {
				s.Server.Sockets++
				if x.Accepted.Or(linger.Never) <= at {
					taken++
				} else {
					waiting++
				}
			}
		}
		s.Server.Memory = linger.Known(w.Memory * int64(s.Server.Sockets))
		s.Server.Waiting, s.Server.Taken = linger.Known(waiting), linger.Known(taken)
		w.out.Samples = append(w.out.Samples, s)
	}
}

type event struct {
	at   linger.Instant
	turn int
	do   func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].turn < e[j].turn
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
