package sim

import (
	"time"

	"linger"
	"linger/policy"
	"linger/sim/quic"
	"linger/wire"
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
	quicClient
	streams []*quicStream // by number
}

// doqServer is the origin's half.
type doqServer struct {
	quicServer
	client  *doqClient
	waiting delays[*quicStream]
}

func newDoQ(c *conn) {
	h := &doqClient{quicClient: quicClient{end: c.quic[client]}}
	s := &doqServer{quicServer: quicServer{end: c.quic[server]}, client: h}
	c.speaker, c.quic[client].app, c.quic[server].app = h, h, s
	s.end.gathers = true
}

func (h *doqClient) event(v quic.Event) {
	if h.end.conn.gone {
		return
	}
	switch v.Kind {
	case quic.Read:
		h.end.quic.Consumed(v.Stream, v.N, false)
		h.receive(v.Stream, v.N)
	case quic.End:
		h.end.quic.Consumed(v.Stream, 0, true)
	case quic.Ended:
		h.end.conn.closedByServer("server closed the connection")
	default:
		h.quicClient.event(v)
	}
}

// send writes queries, which are with the stack before that has woken up.
func (h *doqClient) send(batch []staged) {
	w, c := h.end.party, h.end.conn
	for _, q := range batch {
		s := &quicStream{exchange: q.exchange, id: 4 * int64(len(h.streams))}
		h.streams = append(h.streams, s)
		h.end.quic.Write(s.id, wire.MessagePrefix+c.asks(q, wire.MessagePrefix).Query)
		h.end.quic.Finish(s.id)
	}
	h.end.sends()
	h.end.sleep()
	for _, q := range batch {
		w.policy.HandleSent(w.now, c.id, q.exchange)
	}
}

// receive takes in n bytes of an answer.
func (h *doqClient) receive(id, n int64) {
	w := h.end.party
	s, ok := streamAt(h.streams, id)
	if !ok || s.over {
		return
	}
	if s.got += n; s.got < wire.MessagePrefix+w.message(s.exchange, linger.OverQUIC).Answer {
		return
	}
	s.over = true
	h.finished++
	h.end.conn.answered(s.exchange, wire.MessagePrefix)
	w.obey()
}

func (s *doqServer) event(v quic.Event) {
	w := s.end.party
	if s.holds(v) {
		return
	}
	switch v.Kind {
	case quic.Ready:
		s.end.conn.backend.knock(s.end.conn)
	case quic.Read:
		s.end.quic.Consumed(v.Stream, v.N, false)
		s.admit(v.Stream)
	case quic.End:
		x := s.admit(v.Stream)
		s.end.quic.Consumed(v.Stream, 0, true)
		if x == nil || x.ended {
			break
		}
		x.ended = true
		if due := s.end.conn.due(x.exchange); due > w.now {
			s.waiting.add(x, due)
			break
		}
		s.answer(x)
	case quic.Ended:
		s.done = true
	}
	s.watch()
}

func (s *doqServer) accept() {
	s.begin()
	s.accepted()
	s.watch()
}

func (s *doqServer) giveWay() {
	s.dismiss()
	s.watch()
}

// admit counts a stream, unless the connection takes no more: then it is nil.
func (s *doqServer) admit(id int64) *quicStream {
	x, ok := streamAt(s.client.streams, id)
	if !ok || x.refused {
		return nil
	}
	if x.admitted {
		return x
	}
	x.admitted = true
	if why, _ := s.policy.Closing(); why != "" {
		x.refused = true
		return nil
	}
	s.request(linger.OverQUIC)
	return x
}

func (s *doqServer) answer(x *quicStream) {
	s.end.quic.Write(x.id, wire.MessagePrefix+s.end.party.message(x.exchange, linger.OverQUIC).Answer)
	s.end.quic.Finish(x.id)
	s.answered()
}

func (s *doqServer) deadline() linger.Instant {
	if !s.serves() {
		return linger.Never
	}
	return min(s.quicServer.deadline(), s.waiting.next())
}

func (s *doqServer) timeout() {
	for _, x := range s.waiting.take(s.end.party.now) {
		s.answer(x)
		s.end.sends()
	}
	s.watch()
}

// watch does what the policy wants, when it wants it.
func (s *doqServer) watch() {
	if s.serves() {
		s.waited()
		s.close(s.grace())
	}
}

// grace is how long the last answer still has.
func (s *doqServer) grace() time.Duration {
	w := s.end.party
	if s.wrote < 0 || w.config.Policy.Style == policy.CloseRST {
		return 0
	}
	srtt, _ := s.end.quic.RTT()
	return max(0, min(doqDelivery*srtt+doqAckDelay, originLinger)-w.now.Sub(s.wrote))
}
