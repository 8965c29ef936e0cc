package sim

import (
	"fmt"

	"linger"
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
	streamClient
	requests  []message // on their way, for the server
	responses []message // on their way, from it
	due       []int     // exchanges that are not answered
	got       int64     // of the first response
	last      bool
}

// http1Server is the origin's half.
type http1Server struct {
	streamServer
	client  *http1
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
}

func newHTTP1(c *conn) {
	h := &http1{streamClient: streamClient{c}}
	c.join(h, h, &http1Server{streamServer: streamServer{end: c.ends[server]}, client: h})
}

// send writes requests as live does: heads that are ready at once in one write.
func (h *http1) send(batch []staged) {
	w, e := h.conn.party, h.conn.ends[client]
	k := &h.conn.record
	gathered := int64(0)
	for i, q := range batch {
		x := &w.scenario.Workload.Exchanges[q.exchange]
		m := message{q.exchange, int64(w.requestHead(x, w.scenario.Strategy.Version, q.last)), x.RequestBody, q.last}
		h.requests = append(h.requests, m)
		h.due = append(h.due, q.exchange)
		k.Requests++
		t := &w.exchanges[q.exchange]
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
		w.policy.HandleSent(w.now, h.conn.id, q.exchange)
	}
}

// read takes in responses.
func (h *http1) read(n int64) {
	w, id := h.conn.party, h.conn.id
	for n > 0 && len(h.responses) > 0 && len(h.due) > 0 && !h.conn.gone {
		m := &h.responses[0]
		x := &w.exchanges[m.exchange]
		if h.got == 0 {
			x.FirstByte = linger.Known(w.now)
			w.policy.HandleBody(w.now, id, m.exchange, 0)
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
				w.policy.HandleBody(w.now, id, m.exchange, h.got-m.head)
			}
			return
		}
		x.Done, x.ContentType = linger.Known(w.now), w.scenario.Workload.Exchanges[m.exchange].ContentType
		done := *m
		h.responses = h.responses[:copy(h.responses, h.responses[1:])]
		h.due = h.due[:copy(h.due, h.due[1:])]
		h.got = 0
		h.last = h.last || done.last
		h.conn.responded(done.exchange, !done.last)
	}
}

// eof says that the server has closed.
func (h *http1) eof() {
	where := "the idle connection"
	switch {
	case h.last:
		where = "after the last response"
	case h.got > 0:
		where = fmt.Sprintf("after %d bytes of a response", h.got)
	case len(h.due) > 0:
		where = "before it answered"
	}
	h.conn.closedByServer("server closed " + where)
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
	return s.streamServer.deadline()
}

func (s *http1Server) timeout() {
	if s.waiting {
		s.waiting = false
		s.respond()
		s.serve()
		if s.ended {
			s.end.shutdown()
		}
		return
	}
	s.waited()
	s.closeIfDue()
}

func (s *http1Server) giveWay() {
	s.dismiss()
	s.closeIfDue()
}

// serve answers what has come.
func (s *http1Server) serve() {
	w := s.end.party
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
			s.policy.HandleRequestStart(w.now)
			s.end.conn.tell(s.policy)
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
		s.policy.HandleRequest(w.now, version, options)
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
	if due := s.end.conn.due(s.now.exchange); due > s.end.party.now {
		s.flush()
		s.waiting, s.until = true, due
		return
	}
	s.respond()
}

// respond puts the response with what is to be sent, which goes out when no further
// request is here.
func (s *http1Server) respond() {
	w := s.end.party
	x := &w.scenario.Workload.Exchanges[s.now.exchange]
	why, _ := s.policy.Closing()
	persists := why == ""
	if s.page > 0 && pageSize-s.page < headRoom {
		s.flush()
	}
	m := message{exchange: s.now.exchange, head: int64(w.responseHead(x, w.scenario.Strategy.Version, persists, s.policy)), last: !persists || s.now.last}
	if x.HasBody() {
		m.body = x.ResponseBody
	}
	s.client.responses = append(s.client.responses, m)
	s.page += m.head
	switch {
	case w.secure:
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
	s.policy.HandleResponse(w.now)
	s.end.conn.tell(s.policy)
	s.closeIfDue()
}

func (s *http1Server) flush() {
	n := s.page + s.due
	s.page, s.due, s.parts = 0, 0, 0
	s.end.write(n)
}
