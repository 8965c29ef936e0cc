package load

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"linger"
	"linger/load/answer"
	"linger/tally"
)

// A slot holds a connection at a time, and the requests that are under way on it or are to be.
type slot struct {
	fd         int
	generation int32 // of fd, as its events have it
	epoch      int32 // of the connection
	state      state
	pool       int32
	m          answer.Machine
	// ring holds requests in their order, n of them from head on. Written of them are sent
	// whole, and offset bytes of the next.
	ring            []request
	head, n         int
	written, offset int
	carried         int // answers on this connection
	limit           int // of them; 0 is no bound
	announced       bool
	why             string // it is to end after what was written is answered
	begun, opened   linger.Instant
	asked           linger.Instant // since when the oldest request waits for its answer
	used            linger.Instant
	backoff         time.Duration
	// Of a closed loop: users that have no request under way, and since when.
	ready int
	due   linger.Instant
	// Of an open loop: neighbours among those that can take a request.
	listed       bool
	newer, older int32
}

type state uint8

const (
	closed      state = iota
	waiting           // until the next attempt
	connecting        // SYN sent
	established       // requests may be sent
	departing         // nothing is under way; the server is to send its FIN
)

func (s *slot) at(k int) *request { return &s.ring[(s.head+k)%len(s.ring)] }

func (s *slot) push(r request) {
	*s.at(s.n) = r
	s.n++
}

func (s *slot) pop() request {
	r := s.ring[s.head]
	s.head = (s.head + 1) % len(s.ring)
	s.n--
	return r
}

// takes reports whether one more request may be put on the connection.
func (s *slot) takes() bool {
	return s.n < len(s.ring) && s.why == "" && (s.limit == 0 || s.carried+s.n < s.limit)
}

// fill puts requests on a slot that want one, and sends them.
func (l *loop) fill(i int32) {
	s := &l.slots[i]
	if s.state == waiting || s.state == departing || s.state == connecting {
		return
	}
	if s.state == closed {
		s.limit, s.carried, s.why = 0, 0, ""
	}
	for s.takes() {
		r, ok := l.want(s)
		if !ok {
			break
		}
		if s.push(r); s.n == 1 {
			s.asked = l.clock
			s.m.Begin(l.isHead(s))
		}
	}
	l.advance(i)
}

// want returns a request for a slot: of a user that is ready, or one that waits.
func (l *loop) want(s *slot) (request, bool) {
	p := &l.pools[s.pool]
	if l.Plan.Open() {
		return p.queued()
	}
	if s.ready == 0 || !l.take(l.clock) {
		return request{}, false
	}
	s.ready--
	l.underWay++
	r := request{intended: s.due, target: int32(l.origins[s.pool].targets[p.turns.next()])}
	l.intend(&r)
	return r, true
}

func (l *loop) isHead(s *slot) bool { return l.targets[s.ring[s.head].target].method == "HEAD" }

// advance does what a slot's requests want next: a connection, or to be sent.
func (l *loop) advance(i int32) {
	switch s := &l.slots[i]; {
	case s.state == closed && s.n > 0:
		l.open(i)
	case s.state == established:
		if s.n > 0 && s.written == 0 && s.offset == 0 {
			s.m.Begin(l.isHead(s))
		}
		l.flush(i)
	}
}

// open begins a connection.
func (l *loop) open(i int32) {
	s := &l.slots[i]
	p := &l.pools[s.pool]
	to := p.to[p.first]
	l.attempted()
	s.state, s.begun, s.why, s.announced = connecting, l.clock, "", false
	s.carried, s.written, s.offset = 0, 0, 0
	s.limit = l.setup.limit(l.rng)
	s.epoch++
	fresh := s.fd < 0
	if fresh {
		fd, errno := newSocket(to.family)
		if errno != 0 {
			l.notEstablished(i, failureOf(errno))
			return
		}
		s.fd = fd
		s.generation++
		l.setOptions(s)
	}
	if errno := l.bindLocal(s.fd); errno != 0 {
		l.notEstablished(i, failureOf(errno))
		return
	}
	if errno := connect(s.fd, to); errno != 0 && errno != syscall.EINPROGRESS {
		l.notEstablished(i, failureOf(errno))
		return
	}
	if fresh {
		*l.event = unix.EpollEvent{Events: edges, Fd: i, Pad: s.generation}
		if errno := l.poll.watch(s.fd, l.event); errno != 0 {
			l.notEstablished(i, failureOf(errno))
			return
		}
	}
	if p.local {
		// Within this machine the handshake is over when connect(2) returns, in nearly every case:
		// to send at once tells. Elsewhere it would be a system call in vain.
		l.clock = l.now()
		l.flush(i)
	}
}

func (l *loop) setOptions(s *slot) {
	if l.Closing == tally.CloseRST {
		setOption(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, lingerValue(), unix.SizeofLinger)
	}
	if l.inFlight > 1 || l.bigRequests() {
		// One piece that is sent while nothing is under way never waits for Nagle's algorithm.
		setOption(s.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, unsafe.Pointer(on), 4)
	}
	if len(l.Locals) > 0 {
		setOption(s.fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, unsafe.Pointer(on), 4)
	}
}

func lingerValue() unsafe.Pointer { return unsafe.Pointer(noLinger) }

func (l *loop) bigRequests() bool {
	for i := range l.targets {
		if len(l.targets[i].wire) > 1000 {
			return true
		}
	}
	return false
}

// bindLocal gives a socket the next of the local addresses.
func (l *loop) bindLocal(fd int) syscall.Errno {
	if len(l.locals) == 0 {
		return 0
	}
	l.local = (l.local + 1) % len(l.locals)
	return bind(fd, l.locals[l.local])
}

// establish counts that the handshake is over.
func (l *loop) establish(i int32) {
	s := &l.slots[i]
	s.state, s.opened, s.used, s.asked, s.backoff = established, l.clock, l.clock, l.clock, 0
	l.pools[s.pool].works = true
	l.established(l.clock, l.clock.Sub(s.begun))
	if s.n > 0 {
		s.ring[s.head].opened = true
		s.m.Begin(l.isHead(s))
	}
	l.reorder(i)
}

// notEstablished gives an attempt up, with the requests that waited for it.
func (l *loop) notEstablished(i int32, kind tally.Failure) {
	s := &l.slots[i]
	p := &l.pools[s.pool]
	l.notOpened(kind)
	if s.fd >= 0 {
		closeSocket(s.fd)
		s.fd = -1
	}
	if !p.works {
		p.first = (p.first + 1) % len(p.to)
	}
	for s.n > 0 {
		r := s.pop()
		l.fail(s, &r, kind)
	}
	s.written, s.offset = 0, 0
	s.state, s.backoff = waiting, min(max(2*s.backoff, 10*time.Millisecond), time.Second)
	l.alarms.push(alarm{l.clock.Add(s.backoff), i, true})
	l.reorder(i)
}

// fail counts a request that failed; its user is ready for the next.
func (l *loop) fail(s *slot, r *request, kind tally.Failure) {
	l.failed(r, l.clock, kind)
	l.underWay--
	if !l.Plan.Open() {
		s.ready++
		s.due = l.clock
	}
}

// flush sends what is not sent yet, as far as the connection takes it.
func (l *loop) flush(i int32) {
	s := &l.slots[i]
	for {
		most := s.n
		if s.limit > 0 {
			most = min(most, s.limit-s.carried)
		}
		if s.written >= most || s.why != "" && s.offset == 0 {
			return
		}
		var n int
		var errno syscall.Errno
		if most-s.written == 1 || s.limit > 0 && s.carried+s.written+1 == s.limit {
			n, errno = send(s.fd, l.wire(s, s.written)[s.offset:])
		} else {
			l.parts = l.parts[:0]
			for k := s.written; k < most && len(l.parts) < cap(l.parts); k++ {
				b := l.wire(s, k)
				if k == s.written {
					b = b[s.offset:]
				}
				l.parts = append(l.parts, unix.Iovec{Base: &b[0], Len: uint64(len(b))})
			}
			n, errno = sendAll(s.fd, l.parts)
		}
		switch {
		case errno == syscall.EAGAIN:
			return
		case errno == syscall.EINTR:
			continue
		case errno != 0 && s.state == connecting:
			l.notEstablished(i, failureOf(errno))
			return
		case errno == syscall.ECONNRESET:
			l.lose(i, tally.ResetByPeer, tally.Close{By: tally.ByServer, With: withRST})
			return
		case errno != 0:
			// What the server had said before is still to be read.
			s.why = tally.WhyFailed
			l.read(i, unix.EPOLLERR)
			return
		}
		if s.state == connecting {
			l.establish(i)
		}
		l.wrote(s, n)
	}
}

// wire is what request k of a slot says.
func (l *loop) wire(s *slot, k int) []byte {
	r := s.at(k)
	t := &l.targets[r.target]
	if r.last = s.limit > 0 && s.carried+k+1 == s.limit; r.last {
		return t.last
	}
	return t.wire
}

// wrote counts bytes that were taken.
func (l *loop) wrote(s *slot, n int) {
	for n > 0 {
		size := len(l.wire(s, s.written))
		if s.offset == 0 {
			if s.written == 0 {
				s.asked = l.clock
			}
			l.sentOne(s.at(s.written), l.clock, size)
		}
		took := min(n, size-s.offset)
		n -= took
		if s.offset += took; s.offset == size {
			s.written, s.offset = s.written+1, 0
		}
	}
}

// manyBytes are so many that it pays not to copy them.
const manyBytes = 16 << 10

// read takes what came on a connection.
func (l *loop) read(i int32, events uint32) {
	s := &l.slots[i]
	epoch := s.epoch
	for s.state == established && s.epoch == epoch {
		skip := int64(0)
		if s.n > 0 {
			skip = s.m.Skippable()
		}
		var n, asked int
		var errno syscall.Errno
		if skip >= manyBytes {
			asked = int(min(skip, 1<<20))
			n, errno = discard(s.fd, l.buf, asked)
		} else {
			asked = len(l.buf)
			n, errno = receive(s.fd, l.buf)
		}
		switch {
		case errno == syscall.EAGAIN:
			return
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			kind := failureOf(errno)
			by := tally.Close{By: tally.ByServer, With: withRST}
			if errno == syscall.ETIMEDOUT {
				by = tally.Close{By: tally.ByClient, With: withSilence, Why: tally.WhyFailed}
			}
			l.lose(i, kind, by)
			return
		case n == 0:
			l.endOfFile(i)
			return
		case skip >= manyBytes:
			l.count(s, n)
			if s.m.Skip(int64(n)) {
				l.answer(i)
			}
		default:
			l.feed(i, l.buf[:n])
		}
		if n < asked && events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) == 0 {
			return // what comes from here on is another event
		}
	}
}

func (l *loop) count(s *slot, n int) {
	s.used = l.clock
	if s.ring[s.head].counted {
		l.requests.Down += int64(n)
	}
}

// feed reads answers out of what came.
func (l *loop) feed(i int32, b []byte) {
	s := &l.slots[i]
	epoch := s.epoch
	for len(b) > 0 && s.state == established && s.epoch == epoch {
		if s.n == 0 || s.written == 0 && s.offset == 0 {
			return // nothing was asked: as servers that say 408 before they close
		}
		r := &s.ring[s.head]
		if r.first == 0 {
			r.first = l.clock
		}
		n, done, err := s.m.Feed(b)
		l.count(s, n)
		if err != nil {
			l.lose(i, tally.Malformed, tally.Close{By: tally.ByClient, Why: tally.WhyFailed})
			return
		}
		if !done {
			return
		}
		b = b[n:]
		l.answer(i)
	}
}

// answer takes the oldest request of a slot as answered, and says what comes next.
func (l *loop) answer(i int32) {
	s := &l.slots[i]
	whole := s.written > 0 // the request was sent to its end
	r := s.pop()
	l.answered(&r, l.clock, s.m.Status, l.targets[r.target].right(s.m.Status), s.m.Close)
	l.underWay--
	s.carried++
	s.asked, s.used = l.clock, l.clock
	s.announced = s.m.Close
	if whole {
		s.written--
	}
	if !l.Plan.Open() {
		if l.Life.Think > 0 {
			l.alarms.push(alarm{at: l.clock.Add(l.Life.Pause(l.rng)), slot: i})
		} else {
			s.ready++
			s.due = l.clock
		}
	}
	switch {
	case !whole:
		s.why, s.offset = tally.WhyFailed, 0
	case s.limit > 0 && s.carried >= s.limit:
		s.why = tally.WhyPolicy
	case s.m.Close:
		s.why = tally.WhyAnnounced
	case s.why == "" && l.Life.MaxAge > 0 && l.clock.Sub(s.opened) >= l.Life.MaxAge:
		s.why = tally.WhyAge
	}
	if s.why != "" && (s.written == 0 && s.offset == 0 || s.m.Close) {
		l.end(i, s.why)
		return
	}
	if s.n > 0 {
		s.m.Begin(l.isHead(s))
	}
	l.fill(i)
	l.reorder(i)
}
