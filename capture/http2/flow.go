package http2

import (
	"time"

	"linger"
	"linger/capture/talk"
)

// A flow is what one side may send on the connection (RFC 9113, 5.2).
type flow struct {
	window int64
	first  int64 // of a new stream
	shut   shut
	total  time.Duration // for which it was shut
}

// A shut is a window that has been used up, and when it was opened again.
type shut struct {
	at, again linger.Opt[linger.Instant]
}

// close says that the window is used up.
func (s *shut) close(m talk.Mark) { *s = shut{at: linger.Known(m.At)} }

// open says that there is a window again.
func (s *shut) open(m talk.Mark) {
	if !s.at.IsZero() && s.again.IsZero() {
		s.again = linger.Known(m.At)
	}
}

// lasted is for how long it was shut to who sends again at an instant: until the news came
// there from where it was captured and what it sent then came back, at most until now.
func (s *shut) lasted(now linger.Instant, far time.Duration) (d time.Duration) {
	at, ok := s.at.Get()
	again, opened := s.again.Get()
	if !ok || !opened {
		return 0
	}
	*s = shut{}
	return max(0, min(now, again.Add(far)).Sub(at))
}

// resume takes in that DATA of a side begins.
func (c *Conversation) resume(from talk.Side, f frame, began talk.Mark) {
	flow := &c.side[from].flow
	flow.total += flow.shut.lasted(began.At, c.Far[from])
	x := c.stream(f.stream)
	if x == nil {
		return
	}
	s := &x.sends[from]
	d := s.shut.lasted(began.At, c.Far[from])
	if s.begun {
		d = max(d, flow.total-s.before)
	}
	x.blocked += d
	s.begun, s.before = true, flow.total
}

// spend takes in that DATA of a side has passed. What it may not have had makes the windows
// doubtful: what gave them to it was not captured.
func (c *Conversation) spend(from talk.Side, x *stream, n int, end bool, m talk.Mark) {
	flow := &c.side[from].flow
	if flow.window -= int64(n); flow.window < 0 {
		c.doubt = true
	}
	if flow.window <= 0 && flow.shut.at.IsZero() {
		flow.shut.close(m)
	}
	if x == nil {
		return
	}
	s := &x.sends[from]
	s.window -= int64(n)
	if s.window <= 0 && !end && n > 0 {
		s.shut.close(m)
	}
}

// allow takes in that a side may send n bytes more on a stream, or if it is nil, on the
// connection.
func (c *Conversation) allow(to talk.Side, x *stream, n int64, m talk.Mark) {
	if x == nil {
		flow := &c.side[to].flow
		if flow.window += n; flow.window > 0 {
			flow.shut.open(m)
		}
		return
	}
	s := &x.sends[to]
	if s.window += n; s.window > 0 {
		s.shut.open(m)
	}
}

// widen takes in a new first window of a side's streams: "a receiver MUST adjust the size of
// all stream flow-control windows that it maintains by the difference" (RFC 9113, 6.9.2).
func (c *Conversation) widen(to talk.Side, first int64, m talk.Mark) {
	flow := &c.side[to].flow
	for _, x := range c.open {
		c.allow(to, x, first-flow.first, m)
	}
	flow.first = first
}
