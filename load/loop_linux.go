package load

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"linger"
	"linger/load/plan"
	"linger/policy"
	"linger/tally"
)

// hasLoop says that there is an event loop.
const hasLoop = true

// A loop is one worker: a thread that has its own connections, waits for their events and never for
// anything else. Its ledger's lock is held but for that wait.
type loop struct {
	*ledger
	*setup
	worker int
	poll   *poller
	event  *unix.EpollEvent // handed to the system
	buf    []byte
	parts  []unix.Iovec
	slots  []slot
	pools  []pool // by origin
	locals []*sockaddr
	local  int // of locals, that was taken last
	alarms alarms
	rng    *rand.Rand
	clock  linger.Instant // when the event that is handled was seen

	arrivals   *arrivals
	arrival    linger.Instant // the next one; Never is none
	target     int
	underWay   int            // requests that were begun and are not ended
	sweeps     linger.Instant // when slots are looked through next
	every      time.Duration
	reconnects linger.Instant // when the next connection is given up
	busy       time.Duration  // of the thread, while it was counted
	lasted     time.Duration
}

// A pool holds the connections to an origin.
type pool struct {
	to    []*sockaddr
	first int // of to, that is taken
	local bool
	turns *turns
	// Of an open loop: slots without a connection, those that can take a request, in the order in
	// which they were used (links of slots, -1 is none), and requests that no slot could take.
	closed         []int32
	newest, oldest int32
	queue          []request
	head           int
	works          bool // a connection was established
}

func newLoop(s *setup, worker int) (*loop, error) {
	l := &loop{ledger: newLedger(s.ends), setup: s, worker: worker, event: new(unix.EpollEvent), buf: make([]byte, 64<<10),
		parts: make([]unix.Iovec, 0, 64), rng: rand.New(rand.NewPCG(s.Plan.Seed, uint64(worker)+0x6c6f6164)), arrival: linger.Never, reconnects: linger.Never}
	for i, o := range s.origins {
		p := pool{local: o.local, newest: -1, oldest: -1}
		for _, a := range o.addresses {
			p.to = append(p.to, newSockaddr(a))
		}
		p.turns = newTurns(o.weights)
		l.pools = append(l.pools, p)
		for range plan.Share(int64(o.connections), worker, s.workers) {
			l.slots = append(l.slots, slot{fd: -1, pool: int32(i), newer: -1, older: -1, ring: make([]request, s.inFlight)})
		}
	}
	for _, a := range s.Locals {
		l.locals = append(l.locals, newSockaddr(netip.AddrPortFrom(a, 0)))
	}
	l.resets = s.Closing == tally.CloseRST || s.Closing == tally.CloseAgainRST
	l.alarms = make(alarms, 0, len(l.slots)*(s.inFlight+1))
	var err error
	l.poll, err = newPoller(max(min(len(l.slots), 512), 1))
	l.every = min(max(min(s.Connect, s.Answer, orLong(s.Life.Idle), orLong(s.Life.MaxAge))/20, time.Millisecond), 100*time.Millisecond)
	if s.Life.Reconnect > 0 {
		l.reconnects = l.reconnectsAfter(0)
	}
	return l, err
}

// run drives the loop to its end.
func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// prctl(2), PR_SET_TIMERSLACK: waits end up to 50 µs late otherwise. The thread gets its own
	// back, since it goes on to others.
	if slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err == nil && unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) == nil {
		defer unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0)
	}
	defer l.poll.close()
	l.Lock()
	defer l.Unlock()
	l.clock = l.now()
	began, spent := l.clock, threadCPU()
	if l.begins == 0 {
		l.begin()
	}
	l.first()
	for !l.over() {
		wait := l.until()
		l.Unlock()
		n := l.poll.wait(wait)
		l.Lock()
		l.clock = l.now()
		if !l.counting && l.clock >= l.begins {
			l.begin()
			began, spent = l.clock, threadCPU()
		}
		for i := range n {
			l.handle(&l.poll.events[i])
		}
		l.due()
	}
	l.busy, l.lasted = threadCPU()-spent, l.now().Sub(began)
	l.finish()
}

// first begins what is there from the beginning on: the users of a closed loop, the arrivals of an
// open one.
func (l *loop) first() {
	if l.Plan.Open() {
		l.arrivals = l.setup.arrivals(l.worker)
		l.arrival, l.target, _ = l.arrivals.next()
		for i := len(l.slots) - 1; i >= 0; i-- {
			p := &l.pools[l.slots[i].pool]
			p.closed = append(p.closed, int32(i))
		}
		return
	}
	for i := range l.slots {
		l.slots[i].ready = l.inFlight
		l.slots[i].due = l.clock
		l.fill(int32(i))
		if i%64 == 63 { // so that many connections are not begun by one look at the clock
			l.clock = l.now()
		}
	}
}

// over reports whether the loop has come to its end.
func (l *loop) over() bool {
	switch {
	case l.stop.Load():
		return true
	case l.clock >= l.ends:
		return l.underWay == 0 || l.clock >= l.ends.Add(min(drain, l.Answer))
	case l.Plan.Open():
		return l.arrival == linger.Never && l.underWay == 0
	}
	return l.underWay == 0 && l.bounded && l.left.Load() <= 0 && l.clock >= l.begins
}

// until is how long there is nothing to do but for events.
func (l *loop) until() time.Duration {
	const look = 50 * time.Millisecond // whether it is to stop
	at := min(l.sweeps, l.alarms.next(), l.arrival, l.reconnects, l.clock.Add(look))
	if !l.counting {
		at = min(at, l.begins)
	}
	if l.clock < l.ends {
		at = min(at, l.ends)
	}
	return at.Sub(l.now())
}

// due does what its time has come for.
func (l *loop) due() {
	now := l.clock
	for l.alarms.next() <= now {
		a := l.alarms.pop()
		s := &l.slots[a.slot]
		if !a.reopen {
			s.ready++
			s.due = a.at
			l.fill(a.slot)
		} else if s.state == waiting {
			s.state = closed
			l.freed(a.slot)
		}
	}
	for l.arrival <= now {
		r := request{intended: l.arrival, target: int32(l.target)}
		l.intend(&r)
		l.late++
		l.lateFor += now.Sub(l.arrival)
		l.underWay++
		l.place(r)
		l.arrival, l.target, _ = l.arrivals.next()
	}
	for l.reconnects <= now {
		l.giveUpOldest()
		l.reconnects = l.reconnectsAfter(l.reconnects)
	}
	if now >= l.sweeps {
		l.sweep()
		l.sweeps = now.Add(l.every)
	}
}

// reconnectsAfter is when a connection is given up after an instant. Workers take turns.
func (l *loop) reconnectsAfter(at linger.Instant) linger.Instant {
	return at.Add(time.Duration(float64(l.workers) / l.Life.Reconnect * 1e9))
}

// place gives a request of an open loop to a connection, to one that is opened for it, or has it
// wait.
func (l *loop) place(r request) {
	p := &l.pools[l.targets[r.target].origin]
	at := p.newest
	if l.Life.Reuse == policy.LeastRecent {
		at = p.oldest
	}
	if at < 0 && len(p.closed) > 0 {
		at = p.closed[len(p.closed)-1]
		p.closed = p.closed[:len(p.closed)-1]
	}
	if at < 0 {
		p.queue = append(p.queue, r)
		return
	}
	s := &l.slots[at]
	if s.push(r); s.n == 1 {
		s.asked = l.clock
	}
	l.reorder(at)
	l.advance(at)
}

// queued takes the next request that waits in a pool; false where none does.
func (p *pool) queued() (request, bool) {
	if p.head == len(p.queue) {
		p.queue, p.head = p.queue[:0], 0
		return request{}, false
	}
	r := p.queue[p.head]
	if p.head++; p.head > 1024 && p.head > len(p.queue)/2 {
		p.queue, p.head = p.queue[:copy(p.queue, p.queue[p.head:])], 0
	}
	return r, true
}

// sweep ends what has taken too long.
func (l *loop) sweep() {
	now := l.clock
	for i := range l.slots {
		s := &l.slots[i]
		switch s.state {
		case connecting:
			if now.Sub(s.begun) > l.Connect {
				l.notEstablished(int32(i), tally.TimedOut)
			}
		case established:
			if s.n > 0 && now.Sub(s.asked) > l.Answer {
				l.lose(int32(i), tally.TimedOut, tally.Close{By: tally.ByClient, Why: tally.WhyFailed})
			} else if s.n == 0 && l.Life.Idle > 0 && now.Sub(s.used) >= l.Life.Idle {
				l.end(int32(i), tally.WhyIdle)
			}
		case departing:
			if now.Sub(s.used) > patience {
				l.depart(int32(i), tally.Close{By: tally.ByClient, With: withRST, Why: s.why})
			}
		}
	}
	for i := range l.pools {
		p := &l.pools[i]
		for p.head < len(p.queue) && now.Sub(p.queue[p.head].intended) > l.Answer {
			r, _ := p.queued()
			l.failed(&r, now, tally.TimedOut)
			l.underWay--
		}
	}
}

// patience is how long a server has to close a connection that it was asked to close.
const patience = time.Second

// giveUpOldest has the connection that was established first ended, at its next answer.
func (l *loop) giveUpOldest() {
	oldest := int32(-1)
	for i := range l.slots {
		s := &l.slots[i]
		if s.state == established && s.why == "" && (oldest < 0 || s.opened < l.slots[oldest].opened) {
			oldest = int32(i)
		}
	}
	if oldest < 0 {
		return
	}
	s := &l.slots[oldest]
	if s.why = tally.WhyReconnect; s.n == 0 {
		l.end(oldest, tally.WhyReconnect)
		l.fill(oldest)
	}
}

// finish ends what is open, and counts what is under way.
func (l *loop) finish() {
	for i := range l.slots {
		s := &l.slots[i]
		for s.n > 0 {
			r := s.pop()
			l.cut(&r)
		}
		switch s.state {
		case established, departing:
			with := withFIN
			if l.resets {
				setOption(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, lingerValue(), unix.SizeofLinger)
				with = withRST
			}
			l.remains(with, s.carried)
		}
		if s.fd >= 0 {
			closeSocket(s.fd)
			s.fd = -1
		}
	}
	for i := range l.pools {
		for {
			r, ok := l.pools[i].queued()
			if !ok {
				break
			}
			l.cut(&r)
		}
	}
}

// handle does what an event asks for. One of a socket that its slot has no longer is none.
func (l *loop) handle(e *unix.EpollEvent) {
	i := e.Fd
	s := &l.slots[i]
	if s.fd < 0 || s.generation != e.Pad {
		return
	}
	l.clock = l.now()
	switch s.state {
	case connecting:
		if errno := syscall.Errno(0); e.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			if errno = socketError(s.fd); errno == 0 {
				errno = syscall.ECONNRESET
			}
			l.notEstablished(i, failureOf(errno))
			return
		}
		if e.Events&unix.EPOLLOUT == 0 {
			return
		}
		l.establish(i)
		l.advance(i)
		if s.state == established && e.Events&unix.EPOLLIN != 0 {
			l.read(i, e.Events)
		}
	case established:
		if e.Events&unix.EPOLLOUT != 0 && s.written < s.n {
			l.flush(i)
		}
		if s.state == established && e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			l.read(i, e.Events)
		}
	case departing:
		if e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
			l.drained(i)
		}
	}
}
