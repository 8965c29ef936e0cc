package sim

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"linger"
	"linger/policy"
	"linger/sim/alarm"
	"linger/trace"
)

// MostCrowdEvents is the budget of a run of many clients: some minutes of computing.
const MostCrowdEvents = 500_000_000

const (
	// leastEvery is the least time between two samples, mostSamples how many there are at
	// most: with more, every second one is left out.
	leastEvery  = 20 * time.Millisecond
	mostSamples = 4000
)

// RunCrowd predicts one trial of many clients that load a scenario's workload. A run that is
// stopped, since the context is done or at a bound, has what was done until then, and says so.
func RunCrowd(ctx context.Context, s linger.Scenario, plan linger.Crowd, c Config) (*trace.Crowd, error) {
	c.Events = cmp.Or(c.Events, MostCrowdEvents)
	w, err := newCrowd(s, plan, c)
	if err != nil {
		return nil, err
	}
	defer w.recycle()
	err = w.run(ctx)
	record := w.crowd.record
	switch {
	case ctx.Err() != nil:
		record.Interrupted = true
	case errors.Is(err, errOverrun) || w.events > c.Events:
		record.Overrun = true
	case err != nil:
		return nil, err
	}
	w.crowd.close()
	return record, nil
}

// newCrowd returns a world with all clients of a crowd.
func newCrowd(s linger.Scenario, plan linger.Crowd, c Config) (*world, error) {
	if err := cmp.Or(s.Validate(), plan.Validate(), c.Capacity.Validate()); err != nil {
		return nil, err
	}
	w := newWorld(s, c)
	var manners []*manner
	for _, strategy := range plan.Strategies(s) {
		s.Strategy = strategy
		if err := Modelled(s); err != nil {
			return nil, err
		}
		m, err := w.newManner(s)
		if err != nil {
			return nil, err
		}
		manners = append(manners, m)
	}
	w.gather(s, plan)
	ways := w.access(0)
	for i, member := range plan.Members(s.Seed, c.Trial) {
		if !plan.Shared && i > 0 {
			ways = w.access(i)
		}
		w.join(manners[member.Share], member, ways).share = member.Share
	}
	return w, nil
}

// errOverrun is why a run ends at its Bound.
var errOverrun = errors.New("overrun")

// overruns reports whether the run is at its bound before the next event.
func (c *crowd) overruns(at linger.Instant) bool {
	b := &c.world.config.Bound
	return b.Pages > 0 && c.underWay > b.Pages || b.Longest > 0 && at > linger.Instant(b.Longest) && c.world.left > 0
}

// A crowd is what a run of many clients has beside its parties.
type crowd struct {
	world    *world
	record   *trace.Crowd
	balancer *policy.Balancer
	sampleAt linger.Instant
	ended    []*conn // at both ends, and not buried yet
	underWay int     // pages that are wanted and not done, where they are bounded
}

// gather makes a world one of a crowd.
func (w *world) gather(s linger.Scenario, plan linger.Crowd) {
	c := &crowd{world: w, balancer: policy.NewBalancer(plan.Balance, max(1, plan.Backends), s.Seed+uint64(w.config.Trial)),
		record: &trace.Crowd{
			Provenance: trace.Predicted, Engine: "sim",
			Workload: s.Workload.Name, Strategy: s.Strategy.Name, Network: s.Network,
			Seed: s.Seed, Trial: w.config.Trial, Plan: plan, Every: max(leastEvery, plan.Duration*2/mostSamples),
			Visits: []trace.Visit{}, Connections: []trace.CrowdConnection{}, Samples: []trace.CrowdSample{},
		}}
	if len(plan.Mix) > 0 {
		c.record.Strategy = linger.MixName(plan.Mix)
	}
	w.crowd = c
	for len(w.backends) < plan.Servers() {
		w.addBackend()
	}
	w.at(plan.AddAt, 1, func() { c.balancer.HandleAdded() })
	w.at(plan.RestartAt, 2, w.backends[0].restart)
}

// An occasion is something that happens once.
type occasion struct {
	timer alarm.Alarm
	world *world
	do    func()
}

// at has something happen after a time, before what else does at that instant; 0 is never.
func (w *world) at(d time.Duration, number int, do func()) {
	if d > 0 {
		m := &occasion{world: w, do: do}
		m.timer = alarm.New(-2*linger.MaxBackends-number, m)
		w.queues[timers].Set(&m.timer, linger.Instant(d))
	}
}

// Wake does it.
func (m *occasion) Wake() {
	m.world.queues[timers].Set(&m.timer, linger.Never)
	m.do()
}

// assign gives a connection its server.
func (w *party) assign(c *conn) {
	n := 0
	if w.crowd != nil {
		n = w.crowd.balancer.HandleOpen(w.number)
		w.crowd.record.Connections = append(w.crowd.record.Connections, trace.CrowdConnection{Client: w.number, Server: n, Dialled: w.now})
	}
	c.backend = w.backends[n]
}

// letGo notes that the client has let go of a connection.
func (c *conn) letGo() {
	c.gone = true
	if crowd := c.party.crowd; crowd != nil {
		crowd.balancer.HandleClosed(c.backend.number)
		c.party.end(c)
	}
}

// end is told when a connection may be over.
func (w *world) end(c *conn) {
	if w.crowd != nil && c.isOver() {
		w.crowd.ended = append(w.crowd.ended, c)
	}
}

// isOver reports whether both sides are done with a connection.
func (c *conn) isOver() bool {
	switch {
	case !c.gone || c.waiting || c.flying > 0 || c.buried:
		return false
	case c.quic[client] != nil:
		return c.quic[client].quic.IsClosed() && (c.quic[server].state != quicHeld)
	case c.socket != nil:
		return !c.socket.ends[client].timer.IsSet() && !c.socket.ends[server].timer.IsSet()
	}
	s := c.ends[server]
	return c.ends[client].tcp.Done() && (s.tcp.Done() || !s.holds(s.tcp.State()))
}

// visited notes the pages of a client that have ended.
func (c *crowd) visited(p *party) {
	if n := p.policy.Received(); n > p.received {
		c.record.Receive(p.share, c.world.now, n-p.received)
		p.received = n
	}
	for v, ok := p.policy.PollVisit(); ok; v, ok = p.policy.PollVisit() {
		c.visit(p, v, linger.Known(v.Done))
		c.record.Ended = max(c.record.Ended, v.Done)
	}
	if c.world.config.Bound.Pages == 0 {
		return
	}
	if _, underWay := p.policy.Visit(); underWay != p.underWay {
		p.underWay = underWay
		if c.underWay--; underWay {
			c.underWay += 2
		}
	}
}

func (c *crowd) visit(p *party, v policy.VisitEnded, done linger.Opt[linger.Instant]) {
	c.record.Visits = append(c.record.Visits, trace.Visit{Client: p.number, Number: v.Number, Share: p.share, Wanted: v.Wanted, Done: done,
		Failed: v.Failed, Why: v.Why, Requests: v.Requests, Bytes: v.Bytes, Dialled: v.Dialled})
}

// sampleUntil takes the samples that are due before the next event.
func (c *crowd) sampleUntil(at linger.Instant) {
	for c.sampleAt < at && c.world.left > 0 {
		c.sample()
	}
}

// bury puts what became of connections that are over into the record, and keeps nothing else
// of them.
func (c *crowd) bury() {
	for _, k := range c.ended {
		if !k.isOver() {
			continue
		}
		k.buried = true
		c.note(k)
		k.silence()
		k.recycle()
		p := k.party
		p.conns[k.id-p.first] = nil
		for len(p.conns) > 0 && p.conns[0] == nil {
			p.conns, p.first = p.conns[1:], p.first+1
		}
	}
	c.ended = c.ended[:0]
}

// note puts what became of a connection into the record.
func (c *crowd) note(k *conn) {
	r, own := &c.record.Connections[k.serial], &k.record
	r.Established, r.Accepted, r.Closed = own.Established, k.accepted, own.Closed
	if k.quic[client] != nil {
		r.Established = own.Secured
	}
	r.ClosedBy, r.Reason, r.Requests, r.Bytes = own.ClosedBy, own.Reason, k.answers, k.content
}

// silence takes out the alarms of both ends.
func (k *conn) silence() {
	q := &k.party.queues[timers]
	for side := range k.ends {
		switch {
		case k.ends[side] != nil:
			q.Set(&k.ends[side].timer, linger.Never)
		case k.quic[side] != nil:
			q.Set(&k.quic[side].timer, linger.Never)
		}
	}
}

// sample counts what both sides hold.
func (c *crowd) sample() {
	w, r, now := c.world, c.record, c.sampleAt
	s := trace.CrowdSample{At: now, Client: trace.Held{Sockets: w.clients.sockets, TimeWait: w.clients.waits(now)}}
	var waiting, taken, busy, queued int
	for _, b := range w.backends {
		h := trace.Held{Sockets: b.tally.sockets, TimeWait: b.tally.waits(now), Waiting: linger.Known(b.queue.len()),
			Taken: linger.Known(b.gate.Taken()), Busy: linger.Known(b.gate.Busy()), Queued: linger.Known(b.cores.Queued(now))}
		s.Server.Sockets += h.Sockets
		s.Server.TimeWait += h.TimeWait
		waiting, taken, busy, queued = waiting+b.queue.len(), taken+b.gate.Taken(), busy+b.gate.Busy(), queued+b.cores.Queued(now)
		if len(w.backends) > 1 {
			s.Servers = append(s.Servers, h)
		}
	}
	s.Server.Waiting, s.Server.Taken, s.Server.Busy, s.Server.Queued = linger.Known(waiting), linger.Known(taken), linger.Known(busy), linger.Known(queued)
	r.Samples = append(r.Samples, s)
	if len(r.Samples) > mostSamples {
		kept := r.Samples[:0]
		for i := 0; i < len(r.Samples); i += 2 {
			kept = append(kept, r.Samples[i])
		}
		r.Samples, r.Every = kept, 2*r.Every
	}
	c.sampleAt = r.Samples[len(r.Samples)-1].At.Add(r.Every)
}

// close completes the record.
func (c *crowd) close() {
	w, r := c.world, c.record
	for _, p := range w.parties {
		for _, k := range p.conns {
			if k != nil {
				c.note(k)
			}
		}
		if v, underWay := p.policy.Visit(); underWay {
			c.visit(p, v, linger.Opt[linger.Instant]{})
		}
	}
	if r.Interrupted || r.Overrun {
		r.Ended = w.now
	}
	slices.SortStableFunc(r.Visits, func(a, b trace.Visit) int {
		return cmp.Or(cmp.Compare(a.Wanted, b.Wanted), cmp.Compare(a.Client, b.Client))
	})
	r.Up, r.Down = w.pipes[client], w.pipes[server]
}
