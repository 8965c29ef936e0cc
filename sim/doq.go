package sim

import (
	"fmt"
	"time"

	"linger"
	"linger/policy"
	"linger/sim/quic"
	"linger/trace"
)

// How DNS over QUIC ends at the server: an answer has six round trips to arrive in
// before the close, which would destroy it, and the acknowledgement's delay (RFC 9000,
// 18.2).
const (
	doqDelivery = 6
	doqAckDelay = 25 * time.Millisecond
)

// doqClient is a client of DNS over QUIC, each query on a stream of its own (RFC 9250,
// 4.2).
type doqClient struct {
	byEvents
	end      *quicEnd
	streams  []*streamQ // by number
	finished int64
	allowed  int64
}

// A streamQ is one query on its stream.
type streamQ struct {
	exchange int
	id       int64
	got      int64
	over     bool
	admitted bool
	late     bool // the server does not look at it
	asked    bool
	due      linger.Instant
}

// doqServer is the origin's half.
type doqServer struct {
	client  *doqClient
	end     *quicEnd
	mind    *policy.Server
	wrote   linger.Instant
	waiting []*streamQ
	closeAt linger.Instant
	closing bool
	done    bool
	reason  string
}

func newDoQ(c *conn) (*doqClient, *doqServer) {
	h := &doqClient{end: c.quic[client]}
	return h, &doqServer{client: h, end: c.quic[server]}
}

func (h *doqClient) event(v quic.Event) {
	w, c := h.end.world, h.end.conn
	k := &w.trace.Connections[c.id]
	if c.gone {
		return
	}
	switch v.Kind {
	case quic.Early:
		k.Connected = linger.Known(w.now)
		w.mind.HandleEarly(w.now, c.id)
		w.obey()
	case quic.Complete:
		w.secured(c, "doq")
		w.mind.HandleConnected(w.now, c.id)
		w.obey()
	case quic.Streams:
		if n := v.N - h.finished; n > h.allowed {
			h.allowed = n
			w.mind.HandleStreams(w.now, c.id, int(n))
		}
	case quic.Read:
		h.end.quic.Consumed(v.Stream, v.N, false)
		h.receive(h.at(v.Stream), v.N)
	case quic.End:
		h.end.quic.Consumed(v.Stream, 0, true)
	case quic.Ended:
		k.ClosedBy = trace.AtServer
		c.over = true
		w.mind.HandleClosed(w.now, c.id, policy.ClosedByPeer, "server closed the connection")
	}
}

func (h *doqClient) at(id int64) *streamQ {
	if id%4 != 0 || id/4 >= int64(len(h.streams)) {
		return nil
	}
	return h.streams[id/4]
}

// send writes queries, which are with the stack before that has woken up.
func (h *doqClient) send(batch []staged) {
	w, c := h.end.world, h.end.conn
	for _, q := range batch {
		m, x := w.message(q.exchange, linger.OverQUIC), &w.trace.Exchanges[q.exchange]
		s := &streamQ{exchange: q.exchange, id: 4 * int64(len(h.streams)), due: linger.Never}
		h.streams = append(h.streams, s)
		x.Attempts++
		x.Sent, x.RequestHead, x.RequestBody = linger.Known(w.now), lengthPrefix, m.Query
		w.trace.Connections[c.id].Requests++
		h.end.quic.Write(s.id, lengthPrefix+m.Query)
		h.end.quic.Finish(s.id)
	}
	h.end.sends()
	h.end.sleep()
	for _, q := range batch {
		w.mind.HandleSent(w.now, c.id, q.exchange)
	}
}

// receive takes in n bytes of an answer.
func (h *doqClient) receive(s *streamQ, n int64) {
	w := h.end.world
	if s == nil || s.over {
		return
	}
	if s.got += n; s.got < lengthPrefix+w.message(s.exchange, linger.OverQUIC).Answer {
		return
	}
	s.over = true
	h.finished++
	w.answered(h.end.conn, s.exchange, linger.OverQUIC, lengthPrefix)
	w.obey()
}

func (s *doqServer) event(v quic.Event) {
	w := s.end.world
	switch v.Kind {
	case quic.Ready:
		s.mind = policy.NewServer(w.config.Policy, w.now)
		s.wrote = -1
	case quic.Read:
		s.end.quic.Consumed(v.Stream, v.N, false)
		s.admit(s.client.at(v.Stream))
	case quic.End:
		x := s.client.at(v.Stream)
		s.admit(x)
		s.end.quic.Consumed(v.Stream, 0, true)
		if x == nil || x.late || x.asked {
			break
		}
		x.asked = true
		if d := w.scenario.Workload.Exchanges[x.exchange].Delay; d > 0 {
			x.due = w.now.Add(d)
			s.waiting = append(s.waiting, x)
			break
		}
		s.answer(x)
	case quic.Ended:
		s.done = true
	}
	s.watch()
}

// admit counts a stream, unless the connection takes no more.
func (s *doqServer) admit(x *streamQ) {
	if x == nil || x.admitted {
		return
	}
	x.admitted = true
	if why, _ := s.mind.Closing(); why != "" {
		x.late = true
		return
	}
	s.mind.HandleRequest(s.end.world.now, linger.OverQUIC, nil)
}

func (s *doqServer) answer(x *streamQ) {
	w := s.end.world
	s.end.quic.Write(x.id, lengthPrefix+w.message(x.exchange, linger.OverQUIC).Answer)
	s.end.quic.Finish(x.id)
	s.wrote = w.now
	s.mind.HandleResponse(w.now)
}

func (s *doqServer) deadline() linger.Instant {
	if s.mind == nil || s.done {
		return linger.Never
	}
	t := s.closeAt
	if !s.closing {
		t = s.mind.NextTimeout()
	}
	for _, x := range s.waiting {
		t = min(t, x.due)
	}
	return t
}

func (s *doqServer) timeout() {
	kept := s.waiting[:0]
	var due []*streamQ
	for _, x := range s.waiting {
		if x.due <= s.end.world.now {
			due = append(due, x)
		} else {
			kept = append(kept, x)
		}
	}
	s.waiting = kept
	for _, x := range due {
		s.answer(x)
		s.end.sends()
	}
	s.watch()
}

// watch does what the policy wants, when it wants it.
func (s *doqServer) watch() {
	w := s.end.world
	if s.mind == nil || s.done {
		return
	}
	s.mind.HandleTimeout(w.now)
	why, due := s.mind.Closing()
	if due && !s.closing {
		s.closing, s.reason = true, why
		s.closeAt = w.now.Add(s.grace())
	}
	if s.closing && s.closeAt <= w.now {
		s.done = true
		s.end.quic.Close(int64(len(s.reason)))
		s.end.sends()
	}
}

// grace is how long the last answer still has.
func (s *doqServer) grace() time.Duration {
	w := s.end.world
	if s.wrote < 0 || w.config.Policy.Style == policy.CloseRST {
		return 0
	}
	srtt, _ := s.end.quic.RTT()
	return max(0, min(doqDelivery*srtt+doqAckDelay, originLinger)-w.now.Sub(s.wrote))
}

// spokenOverQUIC names what is spoken on a connection of QUIC, in the trace and in the
// handshake.
func (w *world) spokenOverQUIC() (protocol, alpn string) {
	switch w.scenario.Strategy.DNS {
	case linger.OverQUIC:
		return "doq", "doq"
	case linger.OverHTTPS:
		return "doh3", "h3"
	}
	return "h3", "h3"
}

// quicPort is the server's port.
func (w *world) quicPort(p *place) string {
	port := 443
	if over := w.scenario.Strategy.DNS; over != "" {
		port = linger.PortOf(over)
	}
	return fmt.Sprintf("%s:%d", p.address, port)
}
