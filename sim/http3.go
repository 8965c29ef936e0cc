package sim

import (
	"slices"
	"time"

	"linger"
	"linger/policy"
	"linger/sim/fields"
	"linger/sim/quic"
	"linger/trace"
	"linger/wire"
)

const (
	// openingBytes are the type of a control stream and SETTINGS (RFC 9114, 6.2.1 and
	// 7.2.4), of the client as of the server.
	openingBytes  = 8
	clientControl = 2 // streams (RFC 9000, 2.1)
	serverControl = 3
	uploadChunk   = 8 << 10          // http3, bodyCopyBufferSize
	stackAgent    = "quic-go HTTP/3" // what it calls itself where nobody else says anything
)

// A stream3 is an exchange of HTTP/3 on its stream.
type stream3 struct {
	quicStream
	request int64 // of the request's head, its frame included
	upload  int64 // what of the request is still to be written

	block   int64 // of the response's field section
	head    int64 // of its HEADERS frame and the header of DATA
	body    int64
	left    int64 // what of the response is still to be written
	respond bool
}

// http3Client is a client of HTTP/3.
type http3Client struct {
	quicClient
	server   *http3Server
	streams  []*stream3 // by number
	fields   fields.QPACK
	begun    bool
	control  int64 // bytes of the server's control stream
	goneAway bool
}

func newHTTP3(c *conn) {
	h := &http3Client{quicClient: quicClient{end: c.quic[client]}}
	h.server = &http3Server{quicServer: quicServer{end: c.quic[server]}, client: h, limit: -1}
	c.speaker, c.quic[client].app, c.quic[server].app = h, h, h.server
}

func (h *http3Client) event(v quic.Event) {
	w, c := h.end.party, h.end.conn
	if c.gone {
		return
	}
	s, known := streamAt(h.streams, v.Stream)
	known = known && !s.over
	switch v.Kind {
	case quic.Early, quic.Complete:
		h.open()
		h.quicClient.event(v)
	case quic.Streams:
		h.quicClient.event(v)
	case quic.Read:
		h.end.quic.Consumed(v.Stream, v.N, false)
		h.receive(v.Stream, v.N)
	case quic.End:
		h.end.quic.Consumed(v.Stream, 0, true)
		if known && s.got >= s.head+s.body {
			h.finish(s)
		}
	case quic.Writable:
		if known {
			h.uploads(s, true)
		}
	case quic.Reset:
		if !known {
			break
		}
		h.lose(s)
		if h.goneAway {
			w.policy.HandleGoAway(w.now, c.id, []int{s.exchange}, byGoAway3)
		} else {
			w.policy.HandleReset(w.now, c.id, s.exchange, true, "server ended the exchange with H3_REQUEST_REJECTED")
		}
	case quic.Ended:
		reason := "server closed the connection"
		if h.goneAway {
			reason = byGoAway3
		}
		c.closedByServer(reason)
	}
}

const byGoAway3 = "server said goodbye: GOAWAY"

// open writes the control stream.
func (h *http3Client) open() {
	if h.begun {
		return
	}
	h.begun = true
	h.end.quic.Write(clientControl, openingBytes)
	h.end.sends()
}

// send writes the heads of requests, each in a packet of its own: the stack sends as
// soon as something is written.
func (h *http3Client) send(batch []staged) {
	w, c := h.end.party, h.end.conn
	k := &c.record
	for _, q := range batch {
		x := &w.scenario.Workload.Exchanges[q.exchange]
		s := &stream3{quicStream: quicStream{exchange: q.exchange, id: 4 * int64(len(h.streams))}, upload: x.RequestBody}
		h.streams = append(h.streams, s)
		block := h.head(x)
		s.request = wire.FrameBytes(block)
		t := &w.exchanges[q.exchange]
		t.Attempts++
		t.Sent, t.RequestHead = linger.Known(w.now), block
		k.Requests++
		if h.end.quic.Write(s.id, s.request); s.upload > 0 {
			h.uploads(s, false)
		} else {
			h.end.quic.Finish(s.id)
		}
		h.end.sends()
	}
	h.end.sleep()
	for _, q := range batch {
		w.policy.HandleSent(w.now, c.id, q.exchange)
	}
}

// uploads goes on with the content of a request, a DATA frame a chunk.
func (h *http3Client) uploads(s *stream3, resumed bool) {
	w := h.end.party
	if resumed && !h.end.quic.Resume(s.id) {
		return
	}
	for s.upload > 0 {
		n := min(s.upload, uploadChunk)
		s.upload -= n
		w.exchanges[s.exchange].RequestBody += n
		if !h.end.quic.Write(s.id, wire.FrameBytes(n)) {
			return
		}
		if s.upload == 0 {
			break // where the stream takes the last of it at once, its end goes with it
		}
		h.end.sends()
	}
	h.end.quic.Finish(s.id)
}

// head is the size of a request's field section.
func (h *http3Client) head(x *linger.Exchange) int64 {
	w := h.end.party
	b := &h.fields
	b.Reset()
	b.Add(":authority", w.authority(x))
	b.Add(":method", x.Method)
	b.Add(":path", x.Path)
	b.Add(":scheme", linger.SchemeHTTPS)
	w.requestFields(x, stackAgent, b)
	return b.Size
}

// receive takes in n bytes of a stream.
func (h *http3Client) receive(id, n int64) {
	w, c := h.end.party, h.end.conn
	if id == serverControl {
		if h.control += n; h.control > openingBytes && !h.goneAway {
			h.goAway()
		}
		return
	}
	s, ok := streamAt(h.streams, id)
	if !ok || s.over {
		return
	}
	x := &w.exchanges[s.exchange]
	if s.got == 0 {
		x.FirstByte = linger.Known(w.now)
	}
	if s.got += n; s.got < s.head {
		return
	}
	x.Status, x.ResponseHead = w.scenario.Workload.Exchanges[s.exchange].Status, s.block
	x.ResponseBody = s.got - s.head
	w.policy.HandleBody(w.now, c.id, s.exchange, x.ResponseBody)
	w.obey()
}

// goAway: what the server has not looked at is refused (RFC 9114, 5.2).
func (h *http3Client) goAway() {
	w, c := h.end.party, h.end.conn
	h.goneAway = true
	if k := &c.record; k.ClosedBy == trace.Nobody {
		k.ClosedBy = trace.AtServer
	}
	var refused []int
	for _, s := range h.streams {
		if s.id >= h.server.limit && !s.over {
			refused = append(refused, s.exchange)
			h.lose(s)
		}
	}
	w.policy.HandleGoAway(w.now, c.id, refused, byGoAway3)
}

func (h *http3Client) lose(s *stream3) {
	s.over = true
	h.finished++
}

func (h *http3Client) finish(s *stream3) {
	w, c := h.end.party, h.end.conn
	x := &w.exchanges[s.exchange]
	x.ResponseBody, x.Done = s.body, linger.Known(w.now)
	x.ContentType = w.scenario.Workload.Exchanges[s.exchange].ContentType
	w.app.done(w, s.exchange)
	h.lose(s)
	c.responded(s.exchange, true)
}

// http3Server is the origin's half.
type http3Server struct {
	quicServer
	client  *http3Client
	fields  fields.QPACK
	next    int64 // behind the last stream that was accepted
	limit   int64 // the first that is not answered; -1 is none
	told    bool
	secured bool             // the handshake is complete
	waiting delays[*stream3] // for their delays
	early   []*stream3       // for the end of the handshake
}

func (s *http3Server) event(v quic.Event) {
	w := s.end.party
	if s.holds(v) {
		return
	}
	switch v.Kind {
	case quic.Ready:
		s.end.conn.backend.knock(s.end.conn)
	case quic.Complete:
		s.secured = true
		for _, x := range s.early {
			s.answer(x)
		}
		s.early = nil
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
		e := &w.scenario.Workload.Exchanges[x.exchange]
		if s.end.conn.early && !e.Safe() && !s.secured {
			s.early = append(s.early, x)
			break
		}
		s.answer(x)
	case quic.Writable:
		if x, ok := streamAt(s.client.streams, v.Stream); ok {
			s.write(x, true)
		}
	case quic.Ended:
		s.done = true
	}
	s.watch()
}

func (s *http3Server) accept() {
	s.begin()
	s.end.quic.Write(serverControl, openingBytes)
	s.accepted()
	s.watch()
}

func (s *http3Server) giveWay() {
	s.dismiss()
	s.watch()
}

// admit takes a stream on, or rejects it.
func (s *http3Server) admit(id int64) *stream3 {
	x, ok := streamAt(s.client.streams, id)
	switch {
	case !ok || x.refused:
		return nil
	case x.admitted:
		return x
	}
	if s.limit >= 0 && id >= s.limit {
		x.refused = true
		s.end.quic.Reject(id)
		return nil
	}
	x.admitted = true
	s.next = id + 4
	if !s.request("3") && s.limit < 0 {
		s.limit = s.next
	}
	return x
}

// answer has the request answered when that is due.
func (s *http3Server) answer(x *stream3) {
	w := s.end.party
	if due := s.end.conn.due(x.exchange); due > w.now {
		s.waiting.add(x, due)
		return
	}
	s.respond(x)
}

// respond writes HEADERS and all content in one DATA frame.
func (s *http3Server) respond(x *stream3) {
	e := &s.end.party.scenario.Workload.Exchanges[x.exchange]
	x.block = s.head(x.exchange)
	x.head = wire.FrameBytes(x.block)
	if e.HasBody() && e.ResponseBody > 0 {
		x.body = e.ResponseBody
		x.head += 1 + wire.VarintSize(x.body)
	}
	x.left = x.head + x.body
	s.write(x, false)
}

// write goes on with a response, a page after the other.
func (s *http3Server) write(x *stream3, resumed bool) {
	if resumed && !s.end.quic.Resume(x.id) {
		return
	}
	for x.left > 0 {
		n := min(x.left, pageSize)
		x.left -= n
		// Where the stream takes the last of it at once, its end goes with it.
		if !s.end.quic.Write(x.id, n) {
			s.end.sends()
			return
		}
	}
	if !x.respond {
		x.respond = true
		s.end.quic.Finish(x.id)
		s.end.sends()
		s.answered()
	}
}

// head is the size of a response's field section.
func (s *http3Server) head(exchange int) int64 {
	s.fields.Reset()
	s.end.party.responseFields(exchange, "", &s.fields)
	return s.fields.Size
}

func (s *http3Server) deadline() linger.Instant {
	if !s.serves() {
		return linger.Never
	}
	return min(s.quicServer.deadline(), s.waiting.next())
}

func (s *http3Server) timeout() {
	due := s.waiting.take(s.end.party.now)
	s.watch()
	for _, x := range slices.Backward(due) {
		s.respond(x)
	}
}

// watch does what the policy wants, when it wants it.
func (s *http3Server) watch() {
	if !s.serves() {
		return
	}
	s.waited()
	if why, _ := s.policy.Closing(); why != "" && s.limit < 0 {
		s.limit = s.next
	}
	if s.limit >= 0 && !s.told {
		s.told = true
		s.end.quic.Write(serverControl, wire.FrameBytes(wire.VarintSize(s.limit)))
		s.end.sends()
	}
	s.close(s.grace())
}

// grace is how long the client has for closing the connection itself.
func (s *http3Server) grace() time.Duration {
	switch {
	case s.end.party.config.Policy.Style == policy.CloseRST:
		return 0
	case s.wrote >= 0 && s.end.party.now.Sub(s.wrote) < originLinger:
		return originLinger
	}
	srtt, _ := s.end.quic.RTT()
	return min(3*srtt, originLinger)
}
