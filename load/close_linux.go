package load

import (
	"syscall"

	"linger/tally"
)

// end ends a connection, as the client decides. Requests that a server will no longer answer that has
// announced its end go on to the next.
func (l *loop) end(i int32, why string) {
	s := &l.slots[i]
	l.keepOn(s, tally.ClosedEarly, s.announced)
	c := tally.Close{By: tally.ByClient, With: withFIN, Why: why}
	if l.Closing != tally.CloseFIN {
		c.With = withRST
	}
	// Who was first is known only now: the server's FIN may have come since.
	switch n, errno := receive(s.fd, l.buf); {
	case errno == 0 && n == 0:
		c = tally.Close{By: tally.ByServer, With: withFIN}
	case errno == syscall.ECONNRESET:
		c = tally.Close{By: tally.ByServer, With: withRST}
	case l.Closing == tally.CloseAgain && (s.announced || s.limit > 0 && s.carried >= s.limit):
		s.state, s.why, s.used = departing, why, l.clock
		l.reorder(i)
		return
	}
	l.depart(i, c)
}

// drained reads a connection to its end that the server is to close.
func (l *loop) drained(i int32) {
	s := &l.slots[i]
	for {
		switch n, errno := receive(s.fd, l.buf); {
		case errno == syscall.EAGAIN:
			return
		case errno == syscall.EINTR || n > 0:
			continue
		case errno == 0:
			l.depart(i, tally.Close{By: tally.ByServer, With: withFIN})
		default:
			l.depart(i, tally.Close{By: tally.ByServer, With: withRST})
		}
		return
	}
}

// endOfFile is after the server's FIN.
func (l *loop) endOfFile(i int32) {
	s := &l.slots[i]
	if s.n > 0 && s.written > 0 && s.m.End() == nil {
		l.answer(i) // its length was to be seen by that
		return
	}
	l.lose(i, tally.ClosedEarly, tally.Close{By: tally.ByServer, With: withFIN})
}

// lose takes a connection as ended on which requests may be under way.
func (l *loop) lose(i int32, kind tally.Failure, c tally.Close) {
	s := &l.slots[i]
	// RFC 9110, 9.2.2: a client may repeat a request of an idempotent method where "the underlying
	// connection [was] closed before any response was received". One that was opened for the request
	// has told that this server does so.
	again := s.carried > 0 && (kind == tally.ClosedEarly || kind == tally.ResetByPeer)
	l.keepOn(s, kind, again)
	if c.With == "" {
		c.With = withFIN
		if l.Closing != tally.CloseFIN {
			c.With = withRST
		}
	}
	l.depart(i, c)
}

// keepOn fails what was sent of a slot's requests, unless it is to be sent again. What was not sent
// stays.
func (l *loop) keepOn(s *slot, kind tally.Failure, again bool) {
	sent := s.written
	if s.offset > 0 {
		sent++
	}
	for k, n := 0, s.n; k < n; k++ {
		r := s.pop()
		if k < sent {
			begun := k == 0 && s.m.Begun()
			if !again || begun || r.tries >= maxTries || !l.targets[r.target].idempotent {
				l.fail(s, &r, kind)
				continue
			}
			r.tries++
			r.first = 0
		}
		s.push(r)
	}
	s.written, s.offset = 0, 0
}

// depart ends a connection, and has its slot opened again where something waits for that.
func (l *loop) depart(i int32, c tally.Close) {
	s := &l.slots[i]
	if l.Closing == tally.CloseAgain || l.Closing == tally.CloseAgainRST {
		if c.By == tally.ByServer && c.With == withFIN && l.Closing == tally.CloseAgain {
			shutdownWrite(s.fd)
		}
		if connect(s.fd, unspecified) != 0 {
			closeSocket(s.fd)
			s.fd = -1
		}
	} else {
		closeSocket(s.fd)
		s.fd = -1
	}
	l.ended(c, s.carried)
	s.state, s.why, s.carried, s.limit = closed, "", 0, 0
	s.epoch++
	l.reorder(i)
	l.freed(i)
}

// freed has a slot without a connection take what waits.
func (l *loop) freed(i int32) {
	s := &l.slots[i]
	if l.stop.Load() {
		return
	}
	l.fill(i)
	if s.state == closed && l.Plan.Open() {
		p := &l.pools[s.pool]
		p.closed = append(p.closed, i)
	}
}

// reorder has a slot of an open loop stand among those that can take a request, as the one used last,
// or not among them.
func (l *loop) reorder(i int32) {
	if !l.Plan.Open() {
		return
	}
	s := &l.slots[i]
	p := &l.pools[s.pool]
	if s.listed {
		if s.newer >= 0 {
			l.slots[s.newer].older = s.older
		} else {
			p.newest = s.older
		}
		if s.older >= 0 {
			l.slots[s.older].newer = s.newer
		} else {
			p.oldest = s.newer
		}
		s.listed, s.newer, s.older = false, -1, -1
	}
	if s.state != established || !s.takes() {
		return
	}
	s.listed, s.older = true, p.newest
	if p.newest >= 0 {
		l.slots[p.newest].newer = i
	} else {
		p.oldest = i
	}
	p.newest = i
}
