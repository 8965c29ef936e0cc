package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"linger"
	"linger/dial"
	"linger/policy"
	"linger/tally"
)

// A crowd drives a load by goroutines: one for each request that may be under way, a user, and in an
// open loop one that reads the plan.
type crowd struct {
	*ledger // its lock guards all below, too
	*setup
	ctx      context.Context
	cancel   context.CancelFunc
	rng      *rand.Rand
	openers  []openFunc // by origin
	places   []*place
	idle     []*user     // of an open loop
	queues   [][]request // of an open loop, by origin: what no user could take
	users    sync.WaitGroup
	leaving  sync.WaitGroup // connections that are being closed
	stopping bool           // of an open loop: no more requests come
}

// An openFunc opens a connection to an origin.
type openFunc func(ctx context.Context) (session, error)

// A session is a connection on which requests are made, several at once where the protocol is
// multiplexed.
type session interface {
	// handshake says what TLS did; ok is false in the clear.
	handshake() (resumed, ok bool)
	// do makes a request. It returns what came; err says why that is no whole answer.
	do(ctx context.Context, t *target, last bool, at marks) (outcome, error)
	// lives reports whether more requests can be made.
	lives() bool
	// early reports whether early data was taken.
	early() bool
	// close ends the connection and says how it ended, which may have been before.
	close(reset bool) tally.Close
}

// marks are told when something happens to a request.
type marks struct{ sent, first func() }

// An outcome is what a session has of a request's answer.
type outcome struct {
	status   int
	up, down int64
	begun    bool // something of it came
	close    bool // it announced the connection's end
}

// A place holds a connection at a time.
type place struct {
	origin  int
	session session // nil is none
	opening chan struct{}
	failure tally.Failure // of the last attempt
	limit   int
	issued  int // requests put on the connection
	carried int
	inUse   int
	why     string
	opened  linger.Instant
	used    linger.Instant
	backoff time.Duration
	told    bool // what its handshake was is counted
}

// A user has one request under way at a time.
type user struct {
	place  *place
	work   chan request
	served bool // it was idle before
}

func (s *setup) portableWorkers() ([]worker, error) {
	switch {
	case s.Closing == tally.CloseAgain || s.Closing == tally.CloseAgainRST:
		return nil, errors.New("a socket is used again only by HTTP/1 in the clear on Linux; close by fin or rst")
	case s.inFlight > 1 && !s.Strategy.Protocol().Multiplexed():
		return nil, errors.New("requests are pipelined only by HTTP/1 in the clear on Linux; use keep")
	}
	s.workers = 1
	c := &crowd{ledger: newLedger(s.ends), setup: s, rng: rand.New(rand.NewPCG(s.Plan.Seed, 0x6c6f6164)), queues: make([][]request, len(s.origins))}
	c.resets = s.Closing == tally.CloseRST
	c.ctx, c.cancel = context.WithCancel(context.Background())
	for i := range s.origins {
		o := &s.origins[i]
		open, err := s.opener(c.ctx, o)
		if err != nil {
			c.cancel()
			return nil, err
		}
		c.openers = append(c.openers, open)
		for range o.connections {
			c.places = append(c.places, &place{origin: i})
		}
	}
	return []worker{c}, nil
}

func (c *crowd) counts() *ledger { return c.ledger }

func (c *crowd) spent() (busy, of time.Duration) { return 0, 0 }

// run drives the crowd to its end.
func (c *crowd) run() {
	defer c.cancel()
	c.Lock()
	if c.begins == 0 {
		c.ledger.begin()
	}
	began := c.now()
	for _, p := range c.places {
		for range c.inFlight {
			u := &user{place: p, work: make(chan request, 1)}
			if c.Plan.Open() {
				c.idle = append(c.idle, u)
			}
			c.users.Go(func() { c.live(u, began) })
		}
	}
	c.Unlock()
	stopped := make(chan struct{})
	go c.keepTime(stopped)
	if c.Plan.Open() {
		c.dispatch()
	}
	c.users.Wait()
	c.cancel()
	<-stopped
	c.leaving.Wait()
	c.finish()
}

// keepTime begins to count when the warm-up is over, gives connections up, and ends what is under way when
// the load is to end.
func (c *crowd) keepTime(stopped chan<- struct{}) {
	defer close(stopped)
	every := min(max(min(orLong(c.Life.Idle), c.Connect)/20, time.Millisecond), 20*time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	given := linger.Instant(0)
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-tick.C:
		}
		now := c.now()
		c.Lock()
		if !c.counting && now >= c.begins {
			c.ledger.begin()
		}
		for c.Life.Reconnect > 0 && now.Sub(given).Seconds()*c.Life.Reconnect >= 1 {
			given = given.Add(time.Duration(1e9 / c.Life.Reconnect))
			c.giveUpOldest()
		}
		for _, p := range c.places {
			if c.Life.Idle > 0 && p.session != nil && p.inUse == 0 && now.Sub(p.used) >= c.Life.Idle {
				p.why = tally.WhyIdle
				c.release(p)
			}
		}
		for i := range c.queues {
			for len(c.queues[i]) > 0 && now.Sub(c.queues[i][0].intended) > c.Answer {
				c.failed(&c.queues[i][0], now, tally.TimedOut)
				c.queues[i] = c.queues[i][1:]
			}
		}
		c.Unlock()
		if c.stop.Load() || now >= c.ends.Add(min(drain, c.Answer)) {
			c.cancel()
			return
		}
	}
}

func (c *crowd) giveUpOldest() {
	var oldest *place
	for _, p := range c.places {
		if p.session != nil && p.why == "" && (oldest == nil || p.opened < oldest.opened) {
			oldest = p
		}
	}
	if oldest != nil {
		oldest.why = tally.WhyReconnect
		c.release(oldest)
	}
}

// dispatch hands the requests of an open loop to users, until there are no more.
func (c *crowd) dispatch() {
	plan := c.arrivals(0)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		at, target, ok := plan.next()
		if !ok {
			break
		}
		timer.Reset(at.Sub(c.now()))
		select {
		case <-timer.C:
		case <-c.ctx.Done():
			at = linger.Never
		}
		if at == linger.Never {
			break
		}
		now := c.now()
		c.Lock()
		r := request{intended: at, target: int32(target)}
		c.intend(&r)
		c.late++
		c.lateFor += now.Sub(at)
		if u := c.choose(c.targets[target].origin); u != nil {
			u.work <- r
		} else {
			o := c.targets[target].origin
			c.queues[o] = append(c.queues[o], r)
		}
		c.Unlock()
	}
	c.Lock()
	defer c.Unlock()
	c.stopping = true
	for _, u := range c.idle {
		close(u.work)
	}
	c.idle = nil
}

// choose takes the idle user whose connection is to be used next: an open one, the one used last or
// the one that has idled for longest; else one that opens one.
func (c *crowd) choose(origin int) *user {
	best := -1
	for i, u := range c.idle {
		switch p := u.place; {
		case p.origin != origin:
		case best < 0:
			best = i
		case (p.session != nil) != (c.idle[best].place.session != nil):
			if p.session != nil {
				best = i
			}
		case (c.Life.Reuse == policy.MostRecent) == (p.used > c.idle[best].place.used) && p.used != c.idle[best].place.used:
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	u := c.idle[best]
	c.idle[best] = c.idle[len(c.idle)-1]
	c.idle = c.idle[:len(c.idle)-1]
	return u
}

// live makes the requests of a user, one after the other.
func (c *crowd) live(u *user, since linger.Instant) {
	turns := newTurns(c.origins[u.place.origin].weights)
	for {
		r, ok := c.next(u, turns, since)
		if !ok {
			return
		}
		c.serve(u.place, &r)
		since = c.now()
		if c.Plan.Open() || c.Life.Think == 0 {
			continue
		}
		c.Lock()
		pause := c.Life.Pause(c.rng)
		c.Unlock()
		if !c.sleep(pause) {
			return
		}
		since = since.Add(pause)
	}
}

// next is a user's next request; false where there is none.
func (c *crowd) next(u *user, turns *turns, since linger.Instant) (request, bool) {
	c.Lock()
	if !c.Plan.Open() {
		defer c.Unlock()
		if c.ctx.Err() != nil || !c.take(c.now()) {
			return request{}, false
		}
		r := request{intended: since, target: int32(c.origins[u.place.origin].targets[turns.next()])}
		c.intend(&r)
		return r, true
	}
	if q := &c.queues[u.place.origin]; len(*q) > 0 && c.ctx.Err() == nil && c.now() < c.ends {
		r := (*q)[0]
		*q = (*q)[1:]
		c.Unlock()
		return r, true
	}
	if since > 0 && u.served { // it stands among the idle from the beginning on
		if c.stopping {
			c.Unlock()
			return request{}, false
		}
		c.idle = append(c.idle, u)
	}
	u.served = true
	c.Unlock()
	r, ok := <-u.work
	return r, ok
}

// sleep waits; false where the load ends before.
func (c *crowd) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// serve makes a request, on another connection where the first is closed before it answers.
func (c *crowd) serve(p *place, r *request) {
	t := &c.targets[r.target]
	for {
		c.Lock()
		session, last, kind := c.acquire(p, r)
		if session == nil {
			c.giveUp(p, r, kind)
			return
		}
		c.Unlock()
		a, err := session.do(c.ctx, t, last, marks{
			sent: func() {
				c.Lock()
				c.sentOne(r, c.now(), 0)
				c.Unlock()
			},
			first: func() {
				if r.first == 0 {
					r.first = c.now()
				}
			},
		})
		now := c.now()
		c.Lock()
		p.inUse--
		p.used = now
		if r.counted {
			c.requests.Up += a.up
			c.requests.Down += a.down
		}
		c.told(p, session)
		if err == nil {
			p.carried++
			c.answered(r, now, a.status, t.right(a.status), a.close)
			c.afterAnswer(p, session, a.close, now)
			c.Unlock()
			return
		}
		kind = kindOf(err)
		if c.ctx.Err() != nil {
			c.cut(r)
			c.Unlock()
			return
		}
		carried := p.carried
		if p.session == session && !multiplexedFailure(err) {
			p.why = tally.WhyFailed
			c.release(p)
		}
		again := carried > 0 && !a.begun && r.tries < maxTries && t.idempotent && (kind == tally.ClosedEarly || kind == tally.ResetByPeer)
		if !again {
			c.failed(r, now, kind)
			c.Unlock()
			return
		}
		r.tries++
		r.first = 0
		c.Unlock()
	}
}

// giveUp counts a request for which no connection was opened. The lock is held, and let go of.
func (c *crowd) giveUp(p *place, r *request, kind tally.Failure) {
	if c.ctx.Err() != nil {
		c.cut(r)
		c.Unlock()
		return
	}
	c.failed(r, c.now(), kind)
	wait := p.backoff
	c.Unlock()
	c.sleep(wait)
}

// maxTries is how often a request is retried.
const maxTries = 2

// afterAnswer says what an answer does to its connection.
func (c *crowd) afterAnswer(p *place, of session, announced bool, now linger.Instant) {
	if p.session != of || p.why != "" {
		c.release(p)
		return
	}
	switch {
	case p.limit > 0 && p.carried >= p.limit:
		p.why = tally.WhyPolicy
	case announced || !of.lives():
		p.why = tally.WhyAnnounced
	case c.Life.MaxAge > 0 && now.Sub(p.opened) >= c.Life.MaxAge:
		p.why = tally.WhyAge
	}
	c.release(p)
}

// acquire has a connection for a request: the place's own, or one that is opened, by whoever comes
// first. The lock is held; it is let go of meanwhile.
func (c *crowd) acquire(p *place, r *request) (s session, last bool, kind tally.Failure) {
	for {
		switch {
		case c.ctx.Err() != nil:
			return nil, false, tally.OtherError
		case p.session != nil && (p.why != "" || p.limit > 0 && p.issued >= p.limit || !p.session.lives()):
			if p.inUse == 0 {
				if p.why == "" {
					p.why = tally.WhyAnnounced
				}
				c.release(p)
				continue
			}
			// Others are still under way on it, and it ends with them: it is theirs alone.
			old := p.session
			c.Unlock()
			for c.sleep(time.Millisecond) {
				c.Lock()
				over := p.session != old
				c.Unlock()
				if over {
					break
				}
			}
			c.Lock()
		case p.session != nil:
			p.issued++
			p.inUse++
			if p.issued == 1 {
				r.opened = true
			}
			return p.session, p.limit > 0 && p.issued == p.limit, ""
		case p.opening != nil:
			wait := p.opening
			c.Unlock()
			<-wait
			c.Lock()
			if p.session == nil && p.opening == nil {
				return nil, false, p.failure
			}
		default:
			if kind := c.dial(p); kind != "" {
				return nil, false, kind
			}
		}
	}
}

// dial opens a connection for a place. The lock is held; it is let go of meanwhile.
func (c *crowd) dial(p *place) tally.Failure {
	p.opening = make(chan struct{})
	began := c.now()
	c.attempted()
	p.limit = c.setup.limit(c.rng)
	c.Unlock()
	ctx, cancel := context.WithTimeout(c.ctx, c.Connect)
	s, err := c.openers[p.origin](ctx)
	cancel()
	now := c.now()
	c.Lock()
	close(p.opening)
	p.opening = nil
	if err != nil {
		if c.ctx.Err() != nil { // that is ours; it was under way
			p.failure = tally.OtherError
			return p.failure
		}
		p.failure = kindOf(err)
		c.notOpened(p.failure)
		p.backoff = min(max(2*p.backoff, 10*time.Millisecond), time.Second)
		return p.failure
	}
	c.established(now, now.Sub(began))
	*p = place{origin: p.origin, session: s, limit: p.limit, opened: now, used: now}
	return ""
}

// told counts what TLS did on a connection, when its first request is over: with early data, that is not
// known before.
func (c *crowd) told(p *place, s session) {
	if p.session != s || p.told {
		return
	}
	p.told = true
	resumed, ok := s.handshake()
	switch {
	case !ok:
	case resumed:
		c.connections.Resumed++
	default:
		c.connections.Full++
	}
	if s.early() {
		c.connections.Early++
	}
}

// release ends a place's connection if it is to end and nothing is under way on it. The lock is
// held.
func (c *crowd) release(p *place) {
	if p.session == nil || p.why == "" || p.inUse > 0 {
		return
	}
	s, why, carried := p.session, p.why, p.carried
	*p = place{origin: p.origin, used: p.used}
	c.leaving.Add(1)
	// The connection is over for whoever wants the next before the goodbye is.
	go func() {
		defer c.leaving.Done()
		end := s.close(c.resets)
		if end.By == tally.ByClient && end.Why == "" {
			end.Why = why
		}
		c.Lock()
		c.ended(end, carried)
		c.Unlock()
	}()
}

// finish ends what is open, and counts what waits.
func (c *crowd) finish() {
	c.Lock()
	defer c.Unlock()
	for _, p := range c.places {
		if p.session == nil {
			continue
		}
		end := p.session.close(c.resets)
		if end.By == tally.ByClient {
			c.remains(end.With, p.carried)
		} else {
			c.ended(end, p.carried)
		}
	}
	for _, q := range c.queues {
		for i := range q {
			c.cut(&q[i])
		}
	}
}

// kindOf is the kind of an error of a session.
func kindOf(err error) tally.Failure {
	if f, ok := errors.AsType[failure](err); ok {
		return f.kind
	}
	if dial.IsLate(err) {
		return tally.TimedOut
	}
	if dial.IsReset(err) {
		return tally.ResetByPeer
	}
	return systemFailure(err)
}

// A failure is an error whose kind is known.
type failure struct {
	kind tally.Failure
	err  error
}

func (f failure) Error() string { return f.err.Error() }

func (f failure) Unwrap() error { return f.err }

// multiplexedFailure reports whether an error is of one request, and others go on.
func multiplexedFailure(err error) bool {
	f, ok := errors.AsType[failure](err)
	return ok && f.kind == tally.StreamReset
}
