package sim

import (
	"fmt"

	"linger"
	"linger/policy"
	"linger/trace"
)

const (
	// readBuffer is how much the origin reads at once, pageSize what it gathers of
	// heads and small bodies before it writes, dueMost and partsMost of large ones,
	// which in cleartext it does not copy; headRoom is kept for a head.
	readBuffer = 4 << 10
	pageSize   = 64 << 10
	copied     = 8 << 10
	dueMost    = 256 << 10
	partsMost  = 256
	headRoom   = 512
	// chunkSize is how much of a request's body the client writes at once, writeSize
	// how much of heads.
	chunkSize = 32 << 10
	writeSize = 64 << 10
)

// A message is a request or a response on its way.
type message struct {
	exchange   int
	head, body int64
	last       bool // a request: no other follows; a response: the connection ends
}

// http1 is a client of HTTP/1.
type http1 struct {
	conn      *conn
	requests  []message // on their way, for the server
	responses []message // on their way, from it
	due       []int     // exchanges that are not answered
	got       int64     // of the first response
	last      bool
}

// http1Server is the origin's half.
type http1Server struct {
	client  *http1
	end     *end
	mind    *policy.Server
	arrived int64 // and not yet read
	buffer  int64
	body    int64 // of the request, still to be read
	began   bool  // the first byte of the next request is here
	waiting bool  // for a response's delay
	until   linger.Instant
	now     message // the request that is being answered
	page    int64   // gathered
	due     int64
	parts   int
	closed  bool
	ended   bool
}

func newHTTP1(c *conn) (*http1, *http1Server) {
	h := &http1{conn: c}
	return h, &http1Server{client: h, end: c.ends[server]}
}

func (h *http1) begin() { h.conn.world.mind.HandleConnected(h.conn.world.now, h.conn.id) }

func (h *http1) writable()                {}
func (h *http1) timeout()                 {}
func (h *http1) deadline() linger.Instant { return linger.Never }
func (h *http1) farewell()                {}

// send writes requests as live does: heads that are ready at once in one write.
func (h *http1) send(batch []staged) {
	w, e := h.conn.world, h.conn.ends[client]
	k := &w.trace.Connections[h.conn.id]
	gathered := int64(0)
	for i, q := range batch {
		x := &w.scenario.Workload.Exchanges[q.exchange]
		m := message{q.exchange, int64(w.requestHead(x, w.scenario.Strategy.Version, q.last)), x.RequestBody, q.last}
		h.requests = append(h.requests, m)
		h.due = append(h.due, q.exchange)
		k.Requests++
		t := &w.trace.Exchanges[q.exchange]
		t.Attempts++
		t.Sent, t.RequestHead, t.RequestBody = linger.Known(w.now), m.head, m.body
		gathered += m.head
		if m.body == 0 && i+1 < len(batch) && gathered < writeSize {
			continue
		}
		along := min(m.body, chunkSize)
		e.write(gathered + along)
		for left := m.body - along; left > 0; left -= min(left, chunkSize) {
			e.write(min(left, chunkSize))
		}
		gathered = 0
	}
	for _, q := range batch {
		w.mind.HandleSent(w.now, h.conn.id, q.exchange)
	}
}

// read takes in responses.
func (h *http1) read(n int64) {
	w, id := h.conn.world, h.conn.id
	for n > 0 && len(h.responses) > 0 && len(h.due) > 0 && !h.conn.gone {
		m := &h.responses[0]
		x := &w.trace.Exchanges[m.exchange]
		if h.got == 0 {
			x.FirstByte = linger.Known(w.now)
			w.mind.HandleBody(w.now, id, m.exchange, 0)
		}
		take := min(n, m.head+m.body-h.got)
		h.got += take
		n -= take
		if h.got >= m.head {
			x.Status = w.scenario.Workload.Exchanges[m.exchange].Status
			x.ResponseHead, x.ResponseBody = m.head, h.got-m.head
		}
		if h.got < m.head+m.body {
			if h.got > m.head {
				w.mind.HandleBody(w.now, id, m.exchange, h.got-m.head)
			}
			return
		}
		x.Done, x.ContentType = linger.Known(w.now), w.scenario.Workload.Exchanges[m.exchange].ContentType
		done := *m
		h.responses = h.responses[:copy(h.responses, h.responses[1:])]
		h.due = h.due[:copy(h.due, h.due[1:])]
		h.got = 0
		h.last = h.last || done.last
		w.mind.HandleResponse(w.now, id, done.exchange, !done.last)
	}
}

// eof says that the server has closed.
func (h *http1) eof() {
	w, c := h.conn.world, h.conn
	c.over = true
	if c.gone {
		return
	}
	where := "the idle connection"
	switch {
	case h.last:
		where = "after the last response"
	case h.got > 0:
		where = fmt.Sprintf("after %d bytes of a response", h.got)
	case len(h.due) > 0:
		where = "before it answered"
	}
	w.trace.Connections[c.id].ClosedBy = trace.AtServer
	w.mind.HandleClosed(w.now, c.id, policy.ClosedByPeer, "server closed "+where)
}

func (s *http1Server) begin() {
	w := s.end.world
	s.mind = policy.NewServer(w.config.Policy, w.now)
}

func (s *http1Server) read(n int64) {
	s.arrived += n
	s.serve()
}

func (s *http1Server) writable() { s.serve() }

func (s *http1Server) eof() {
	s.ended = true
	s.serve()
	if !s.waiting {
		s.end.shutdown()
	}
}

func (s *http1Server) deadline() linger.Instant {
	if s.waiting {
		return s.until
	}
	if s.closed {
		return linger.Never
	}
	return s.mind.NextTimeout()
}

func (s *http1Server) timeout() {
	w := s.end.world
	if s.waiting {
		s.waiting = false
		s.respond()
		s.serve()
		if s.ended {
			s.end.shutdown()
		}
		return
	}
	s.mind.HandleTimeout(w.now)
	s.closeIfDue()
}

// serve answers what has come.
func (s *http1Server) serve() {
	w := s.end.world
	for !s.waiting && !s.closed && !s.end.blocked {
		if s.body > 0 {
			take := min(s.body, s.buffer)
			s.body -= take
			s.buffer -= take
			if s.body > 0 {
				if !s.fill(readBuffer) {
					return
				}
				continue
			}
			s.answer()
			continue
		}
		if !s.began && s.buffer > 0 && len(s.client.requests) > 0 {
			s.began = true
			s.mind.HandleRequestStart(w.now)
		}
		if len(s.client.requests) == 0 || s.buffer < s.client.requests[0].head {
			room := int64(readBuffer)
			for len(s.client.requests) > 0 && room < s.client.requests[0].head {
				room *= 2
			}
			if !s.fill(room) {
				return
			}
			continue
		}
		s.now = s.client.requests[0]
		s.client.requests = s.client.requests[:copy(s.client.requests, s.client.requests[1:])]
		s.buffer -= s.now.head
		s.began = false
		var options []string
		version := w.scenario.Strategy.Version
		switch {
		case version == "1.0" && !s.now.last:
			options = keepAlive
		case version != "1.0" && s.now.last:
			options = closeOption
		}
		s.mind.HandleRequest(w.now, version, options)
		if s.body = s.now.body; s.body == 0 {
			s.answer()
		}
	}
}

var keepAlive, closeOption = []string{"keep-alive"}, []string{"close"}

// fill sends what is due and reads on. It reports false where nothing has come.
func (s *http1Server) fill(room int64) bool {
	s.flush()
	n := min(s.arrived, room-s.buffer)
	s.arrived -= n
	s.buffer += n
	return n > 0
}

// answer has the request answered when that is due.
func (s *http1Server) answer() {
	if d := s.end.world.scenario.Workload.Exchanges[s.now.exchange].Delay; d > 0 {
		s.flush()
		s.waiting, s.until = true, s.end.world.now.Add(d)
		return
	}
	s.respond()
}

// respond puts the response with what is to be sent, which goes out when no further
// request is here.
func (s *http1Server) respond() {
	w := s.end.world
	x := &w.scenario.Workload.Exchanges[s.now.exchange]
	why, _ := s.mind.Closing()
	persists := why == ""
	if s.page > 0 && pageSize-s.page < headRoom {
		s.flush()
	}
	m := message{exchange: s.now.exchange, head: int64(w.responseHead(x, w.scenario.Strategy.Version, persists, s.mind)), last: !persists || s.now.last}
	if x.HasBody() {
		m.body = x.ResponseBody
	}
	s.client.responses = append(s.client.responses, m)
	s.page += m.head
	switch {
	case w.secure():
		for left := m.body; left > 0; {
			k := min(left, pageSize-s.page)
			s.page += k
			if left -= k; left > 0 {
				s.flush()
			}
		}
	case m.body <= copied && m.body <= pageSize-s.page:
		s.page += m.body
	default:
		s.due += m.body
		if s.parts++; s.due >= dueMost || s.parts >= partsMost {
			s.flush()
		}
	}
	next := len(s.client.requests) > 0 && s.buffer >= s.client.requests[0].head
	if !(persists && next) {
		s.flush()
	}
	s.mind.HandleResponse(w.now)
	s.closeIfDue()
}

func (s *http1Server) flush() {
	n := s.page + s.due
	s.page, s.due, s.parts = 0, 0, 0
	s.end.write(n)
}

// closeIfDue closes in the policy's style.
func (s *http1Server) closeIfDue() {
	if _, due := s.mind.Closing(); !due || s.closed {
		return
	}
	s.closed = true
	if s.end.world.config.Policy.Style == policy.CloseRST {
		s.end.tcp.Abort(s.end.world.now)
		s.end.shut = true
		return
	}
	s.end.shutdown()
}
