package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/policy"
	"linger/sim/quic"
	"linger/sim/tls"
	"linger/trace"
)

// What live and origin ask of QUIC: the client's windows and its idle limit are those
// of live, the server's those of quic-go.
const (
	quicIdle         = 30 * time.Second
	serverIdle       = time.Hour       // unless the policy has one
	leastIdle        = 5 * time.Second // that quic-go takes a server's word for (MinRemoteIdleTimeout)
	originLinger     = 5 * time.Second
	mostDrain        = 2 * time.Second
	serverStreamData = 512 << 10
	serverConnData   = 768 << 10

	// openingBytes are the type of a control stream and SETTINGS (RFC 9114, 6.2.1 and
	// 7.2.4), of the client as of the server.
	openingBytes  = 8
	clientControl = 2 // streams (RFC 9000, 2.1)
	serverControl = 3
	uploadChunk   = 8 << 10          // http3, bodyCopyBufferSize
	stackAgent    = "quic-go HTTP/3" // what it calls itself where nobody else says anything
)

// tokens are what a client keeps of NEW_TOKEN (RFC 9000, 8.1.3): how many, and the
// round-trip time that goes with them, as either side has noted it.
type tokens struct {
	n   int
	rtt [2]time.Duration
}

// A quicEnd is a socket with the process behind it, which is the whole stack.
type quicEnd struct {
	sleeper
	world  *world
	conn   *conn
	side   int
	quic   *quic.Conn
	inbox  []*quic.Datagram
	readAt linger.Instant // when it reads what has come; Never is nothing to read
	workAt linger.Instant // when a step of the handshake is done
	deafAt linger.Instant // when the socket is closed
	app    quicApp
	busy   bool
	// gathers says that what the program above writes while the stack is awake goes out
	// together.
	gathers bool
}

// A quicApp is what uses the streams at one end.
type quicApp interface {
	event(quic.Event)
	timeout()
	deadline() linger.Instant
}

// byEvents is what a speaker has no use for that QUIC tells everything by events: no
// stream of bytes below it to read or to wait for.
type byEvents struct{}

func (byEvents) begin()                   {}
func (byEvents) read(int64)               {}
func (byEvents) eof()                     {}
func (byEvents) writable()                {}
func (byEvents) timeout()                 {}
func (byEvents) farewell()                {}
func (byEvents) deadline() linger.Instant { return linger.Never }

// dialQUIC begins connection number id, to an origin.
func (w *world) dialQUIC(id, origin int) {
	c := &conn{id: id, origin: origin, world: w}
	p := &w.places[origin]
	s := w.scenario.Strategy
	if s.EarlyData && !p.visited {
		w.visit(p)
	}
	c.resumed = p.ticketed
	early := s.EarlyData && c.resumed
	token := s.Resume && p.tokens.n > 0
	protocol, alpn := w.spokenOverQUIC()
	sizes := tls.QUIC(p.server, alpn, p.names, s.Resume, c.resumed, early)
	idle := serverIdle
	if limit := w.config.Policy.IdleTimeout; limit > 0 {
		idle = limit
	}
	for side := range c.quic {
		o := quic.Options{Client: side == client, Early: early, Token: token, Streams: serverStreams, Idle: min(quicIdle, idle), Small: s.DNS != "",
			Sizes: quic.Sizes{Hello: sizes.Hello, ServerHello: sizes.ServerHello, Flight: sizes.Flight, Finished: sizes.Finished, Ticket: sizes.Ticket, Token: tls.QUICToken}}
		if token {
			o.RTT = p.tokens.rtt[side]
		}
		if side == client {
			o.Idle = max(o.Idle, leastIdle)
			o.StreamWindow, o.MaxStreamWindow, o.ConnWindow, o.MaxConnWindow = streamCredit, streamCredit, connCredit, connCredit
			o.PeerStreamWindow, o.PeerConnWindow = serverStreamData, serverConnData
		} else {
			o.StreamWindow, o.MaxStreamWindow, o.ConnWindow, o.MaxConnWindow = serverStreamData, streamCredit, serverConnData, connCredit
			o.PeerStreamWindow, o.PeerConnWindow = streamCredit, connCredit
		}
		e := &quicEnd{world: w, conn: c, side: side, quic: quic.New(o, &w.pool), readAt: linger.Never, workAt: linger.Never, deafAt: linger.Never}
		e.sleeper = sleeper{wakeAt: linger.Never, number: 2*id + side, place: -1, wake: e}
		c.quic[side] = e
	}
	if token {
		p.tokens.n--
	}
	w.conns = append(w.conns, c)
	c.flows = trace.Flows{Protocol: "udp", Client: fmt.Sprintf("%s:%d", clientAddress, firstPort+id%28232), Server: w.quicPort(p)}
	w.trace.Connections = append(w.trace.Connections, trace.Connection{ID: int64(id), Origin: w.originOf(origin), Protocol: protocol, Dialled: w.now})
	c.hello = int64(sizes.Hello + sizes.Finished)
	c.answer = int64(sizes.ServerHello + sizes.Flight)
	c.early = early
	if s.DNS == linger.OverQUIC {
		h, answers := newDoQ(c)
		c.speaker, c.quic[client].app, c.quic[server].app = h, h, answers
		c.quic[server].gathers = true
	} else {
		h := &http3Client{end: c.quic[client], streams: map[int64]*stream3{}}
		h.server = &http3Server{client: h, end: c.quic[server], limit: -1}
		c.speaker, c.quic[client].app, c.quic[server].app = h, h, h.server
	}
	c.quic[client].quic.Open(w.now)
	c.quic[client].loop()
}

// visit notes what the earlier visit of early data has left: a ticket, and a token with
// the round-trip time of its handshake. It has taken place before the load.
func (w *world) visit(p *place) {
	p.visited, p.ticketed = true, true
	p.tokens.n = 1
	n := w.scenario.Network
	trip := n.RTT + w.detour(p) + n.Up.Time(quic.HeaderBytes+1280) + n.Down.Time(quic.HeaderBytes+1280)
	p.tokens.rtt = [2]time.Duration{trip, trip}
}

// arrive takes a datagram in.
func (e *quicEnd) arrive(d *quic.Datagram) {
	w := e.world
	if w.now >= e.deafAt {
		w.pool.Drop(d)
		return
	}
	e.inbox = append(e.inbox, d)
	if e.workAt != linger.Never {
		return
	}
	if e.readAt == linger.Never {
		e.readAt = w.now.Add(w.config.Machine.Wake)
	}
	if e.readAt <= w.now {
		e.reads()
	}
	e.sleep()
}

// alarm does what is due.
func (e *quicEnd) alarm() {
	now := e.world.now
	if e.workAt <= now {
		e.workAt = linger.Never
		e.quic.Worked(now)
		e.reads()
		e.loop()
	}
	if e.readAt <= now {
		e.reads()
	}
	if e.workAt == linger.Never && e.quic.NextTimeout() <= now {
		e.quic.HandleTimeout(now)
		e.loop()
	}
	if e.app.deadline() <= now {
		e.app.timeout()
		e.loop()
	}
	e.sleep()
}

// reads hands over what the socket holds, until the handshake has work to do.
func (e *quicEnd) reads() {
	w := e.world
	e.readAt = linger.Never
	for len(e.inbox) > 0 && e.workAt == linger.Never {
		d := e.inbox[0]
		e.inbox = e.inbox[:copy(e.inbox, e.inbox[1:])]
		e.quic.HandleDatagram(w.now, d)
		if work := e.quic.Work(); work != quic.NoWork {
			if t := e.takes(work); t > 0 {
				e.workAt = w.now.Add(t)
				e.loop()
				return
			}
			e.quic.Worked(w.now)
		}
		if e.quic.Urgent() {
			e.loop()
		}
	}
	e.loop()
}

// takes is how long a step of the handshake takes.
func (e *quicEnd) takes(work quic.Work) time.Duration {
	m := &e.world.config.Machine
	switch {
	case work == quic.Decapsulate:
		return 0
	case e.conn.resumed:
		return m.Resumption
	case work == quic.Accepting:
		return m.Signature
	}
	return m.Verification
}

// loop sends, and tells the program above what it has not heard of, until there is
// nothing more of either.
func (e *quicEnd) loop() {
	if e.busy {
		return
	}
	e.busy = true
	if e.workAt == linger.Never {
		said := e.sends()
		for v, ok := e.quic.NextEvent(); ok; v, ok = e.quic.NextEvent() {
			e.app.event(v)
			if !e.gathers || !said {
				said = e.sends() || said
			}
		}
		e.sends()
	}
	e.busy = false
	e.sleep()
	e.world.obey()
}

// sends puts on the link what the stack has to send now. It reports whether there was
// anything.
func (e *quicEnd) sends() (any bool) {
	if e.workAt == linger.Never {
		e.quic.Send(e.world.now)
	}
	for d, ok := e.quic.Poll(); ok; d, ok = e.quic.Poll() {
		e.world.carryDatagram(e.conn, e.side, d)
		any = true
	}
	return any
}

// sleep sets the alarm. A timer of the process is late by the time that a process takes
// to wake up.
func (e *quicEnd) sleep() {
	at := min(e.readAt, e.workAt)
	if e.workAt == linger.Never {
		if t := e.quic.NextTimeout(); t != linger.Never {
			at = min(at, max(t.Add(e.world.config.Machine.Wake), e.world.now))
		}
		at = min(at, e.app.deadline())
	}
	e.world.alarms.set(&e.sleeper, at)
}

// carryDatagram puts one on its link.
func (w *world) carryDatagram(c *conn, from int, d *quic.Datagram) {
	at := w.now
	if w.idle {
		at = at.Add(w.config.Machine.Handover)
	}
	w.launch(at, from, packet{conn: int32(c.id), quic: d})
}

// hangUp is the client's letting go of a connection.
func (e *quicEnd) hangUp() {
	w := e.world
	mine := !e.quic.IsClosed()
	e.quic.Close(0)
	e.sends()
	srtt, deviation := e.quic.RTT()
	e.deafAt = w.now
	if mine {
		e.deafAt = w.now.Add(min(srtt+2*deviation, mostDrain))
	}
	k := &w.trace.Connections[e.conn.id]
	k.QUIC = linger.Known(trace.QUIC{Version: "1", Stack: "as quic-go (initial window 32 packets, Reno, pacing)", Lost: e.quic.Lost(), RTT: srtt})
	e.sleep()
}

// A stream3 is one exchange on its stream.
type stream3 struct {
	exchange int
	id       int64
	admitted bool
	ended    bool  // the request is here
	refused  bool  // by the server
	request  int64 // of the request's head, its frame included
	upload   int64 // what of the request is still to be written
	due      linger.Instant

	block   int64 // of the response's field section
	head    int64 // of its HEADERS frame and the header of DATA
	body    int64
	left    int64 // what of the response is still to be written
	got     int64
	in      int64 // of the request, at the server
	over    bool
	respond bool
}

// http3Client is a client of HTTP/3.
type http3Client struct {
	byEvents
	end      *quicEnd
	server   *http3Server
	streams  map[int64]*stream3
	order    []*stream3
	begun    bool
	finished int64
	allowed  int64
	control  int64 // bytes of the server's control stream
	goneAway bool
}

func (h *http3Client) event(v quic.Event) {
	w, c := h.end.world, h.end.conn
	k := &w.trace.Connections[c.id]
	if c.gone {
		return
	}
	switch v.Kind {
	case quic.Early:
		h.open()
		k.Connected = linger.Known(w.now)
		w.mind.HandleEarly(w.now, c.id)
		w.obey()
	case quic.Complete:
		w.secured(c, "h3")
		h.open()
		w.mind.HandleConnected(w.now, c.id)
		w.obey()
	case quic.Streams:
		if n := v.N - h.finished; n > h.allowed {
			h.allowed = n
			w.mind.HandleStreams(w.now, c.id, int(n))
		}
	case quic.Read:
		h.end.quic.Consumed(v.Stream, v.N, false)
		h.receive(v.Stream, v.N)
	case quic.End:
		h.end.quic.Consumed(v.Stream, 0, true)
		if s := h.streams[v.Stream]; s != nil && s.got >= s.head+s.body {
			h.finish(s)
		}
	case quic.Writable:
		h.uploads(h.streams[v.Stream], true)
	case quic.Reset:
		if s := h.streams[v.Stream]; s != nil && !s.over {
			h.lose(s)
			if h.goneAway {
				w.mind.HandleGoAway(w.now, c.id, []int{s.exchange}, farewellH3)
			} else {
				w.mind.HandleReset(w.now, c.id, s.exchange, true, "server ended the exchange with H3_REQUEST_REJECTED")
			}
		}
	case quic.Ended:
		k.ClosedBy = trace.AtServer
		reason := "server closed the connection"
		if h.goneAway {
			reason = farewellH3
		}
		c.over = true
		w.mind.HandleClosed(w.now, c.id, policy.ClosedByPeer, reason)
	}
}

// secured notes the end of QUIC's handshake.
func (w *world) secured(c *conn, alpn string) {
	k := &w.trace.Connections[c.id]
	k.Client, k.Server = c.flows.Client, c.flows.Server
	k.Secured = linger.Known(w.now)
	k.Connected = linger.Known(k.Connected.Or(w.now))
	t := trace.TLS{Version: "1.3", ALPN: alpn, Cipher: "TLS_AES_128_GCM_SHA256", Resumed: c.resumed, Up: c.hello, Down: c.answer, Certificates: int64(tls.Certificates + w.places[c.origin].names)}
	if c.resumed {
		t.Certificates = 0
	}
	if c.early {
		t.EarlyData = linger.Known(true)
	}
	k.TLS = linger.Known(t)
	if w.scenario.Strategy.Resume {
		// Ticket and token come with the server's next packet, before another
		// connection can have a use for them.
		p := &w.places[c.origin]
		p.ticketed = true
		p.tokens.n++
		for side := range c.quic {
			p.tokens.rtt[side], _ = c.quic[side].quic.RTT()
		}
	}
	if limit := w.config.Policy.IdleTimeout; limit > leastIdle && limit < quicIdle {
		k.IdleLimit = linger.Known(limit)
		w.mind.HandleIdleLimit(w.now, c.id, limit)
	}
}

const farewellH3 = "server said goodbye: GOAWAY"

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
	w, c := h.end.world, h.end.conn
	k := &w.trace.Connections[c.id]
	for _, q := range batch {
		x := &w.scenario.Workload.Exchanges[q.exchange]
		s := &stream3{exchange: q.exchange, id: 4 * int64(len(h.order)), upload: x.RequestBody, due: linger.Never}
		h.order = append(h.order, s)
		h.streams[s.id] = s
		block := h.head(x)
		s.request = frame3(block)
		t := &w.trace.Exchanges[q.exchange]
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
		w.mind.HandleSent(w.now, c.id, q.exchange)
	}
}

// uploads goes on with the content of a request, a DATA frame a chunk.
func (h *http3Client) uploads(s *stream3, resumed bool) {
	if s == nil || s.over {
		return
	}
	w := h.end.world
	if resumed && !h.end.quic.Resume(s.id) {
		return
	}
	for s.upload > 0 {
		n := min(s.upload, uploadChunk)
		s.upload -= n
		w.trace.Exchanges[s.exchange].RequestBody += n
		if !h.end.quic.Write(s.id, frame3(n)) {
			return
		}
		if s.upload == 0 {
			break // where the stream takes the last of it at once, its end goes with it
		}
		h.end.sends()
	}
	h.end.quic.Finish(s.id)
}

// frame3 is the size of a frame of HTTP/3 with n bytes (RFC 9114, 7.1).
func frame3(n int64) int64 { return 1 + quic.VarintSize(n) + n }

// head is the size of a request's field section.
func (h *http3Client) head(x *linger.Exchange) int64 {
	w := h.end.world
	agent := w.config.Agent
	plain := *x
	plain.RequestHead = 0
	if missing := x.RequestHead - w.requestHead(&plain, "1.1", false); missing > 0 {
		agent += strings.Repeat(".", missing)
	}
	b := newFieldBlock()
	b.add(":authority", w.authority(x))
	b.add(":method", x.Method)
	b.add(":path", x.Path)
	b.add(":scheme", "https")
	if x.IsQuery() {
		b.add("user-agent", stackAgent)
		b.add("accept", dnsType)
		if x.RequestBody > 0 {
			b.add("content-type", dnsType)
		}
	} else {
		b.add("user-agent", agent)
		b.add("accept", "*/*")
	}
	if saysLength(x) {
		b.add("content-length", strconv.FormatInt(x.RequestBody, 10))
	}
	return b.size
}

// receive takes in n bytes of a stream.
func (h *http3Client) receive(id, n int64) {
	w, c := h.end.world, h.end.conn
	if id == serverControl {
		if h.control += n; h.control > openingBytes && !h.goneAway {
			h.goAway()
		}
		return
	}
	s := h.streams[id]
	if s == nil || s.over {
		return
	}
	x := &w.trace.Exchanges[s.exchange]
	if s.got == 0 {
		x.FirstByte = linger.Known(w.now)
	}
	if s.got += n; s.got < s.head {
		return
	}
	x.Status, x.ResponseHead = w.scenario.Workload.Exchanges[s.exchange].Status, s.block
	x.ResponseBody = s.got - s.head
	w.mind.HandleBody(w.now, c.id, s.exchange, x.ResponseBody)
	w.obey()
}

// goAway: what the server has not looked at is refused (RFC 9114, 5.2).
func (h *http3Client) goAway() {
	w, c := h.end.world, h.end.conn
	h.goneAway = true
	if k := &w.trace.Connections[c.id]; k.ClosedBy == trace.Nobody {
		k.ClosedBy = trace.AtServer
	}
	var refused []int
	for _, s := range h.order {
		if s.id >= h.server.limit && !s.over {
			refused = append(refused, s.exchange)
			h.lose(s)
		}
	}
	w.mind.HandleGoAway(w.now, c.id, refused, farewellH3)
}

func (h *http3Client) lose(s *stream3) {
	s.over = true
	h.finished++
	delete(h.streams, s.id)
}

func (h *http3Client) finish(s *stream3) {
	w, c := h.end.world, h.end.conn
	x := &w.trace.Exchanges[s.exchange]
	x.ResponseBody, x.Done = s.body, linger.Known(w.now)
	e := &w.scenario.Workload.Exchanges[s.exchange]
	x.ContentType = e.ContentType
	if e.IsQuery() {
		x.Rcode = w.message(s.exchange, linger.OverHTTPS).Rcode
	}
	h.lose(s)
	w.mind.HandleResponse(w.now, c.id, s.exchange, true)
}

// http3Server is the origin's half.
type http3Server struct {
	client  *http3Client
	end     *quicEnd
	mind    *policy.Server
	next    int64 // behind the last stream that was accepted
	limit   int64 // the first that is not answered; -1 is none
	told    bool
	closeAt linger.Instant // once the policy wants it closed
	closing bool
	done    bool
	secured bool // the handshake is complete
	reason  string
	wrote   linger.Instant
	waiting []*stream3 // for their delays
	early   []*stream3 // for the end of the handshake
}

func (s *http3Server) event(v quic.Event) {
	w := s.end.world
	switch v.Kind {
	case quic.Ready:
		s.mind = policy.NewServer(w.config.Policy, w.now)
		s.wrote = -1
		s.end.quic.Write(serverControl, openingBytes)
	case quic.Complete:
		s.secured = true
		for _, x := range s.early {
			s.answer(x)
		}
		s.early = nil
	case quic.Read:
		s.end.quic.Consumed(v.Stream, v.N, false)
		if x := s.admit(v.Stream); x != nil {
			x.in += v.N
		}
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
		if x := s.client.at(v.Stream); x != nil {
			s.write(x, true)
		}
	case quic.Ended:
		s.done = true
	}
	s.watch()
}

func (h *http3Client) at(id int64) *stream3 {
	if id%4 != 0 || id/4 >= int64(len(h.order)) {
		return nil
	}
	return h.order[id/4]
}

// admit takes a stream on, or rejects it.
func (s *http3Server) admit(id int64) *stream3 {
	x := s.client.at(id)
	if x == nil || x.refused || x.admitted {
		if x != nil && x.refused {
			return nil
		}
		return x
	}
	if s.limit >= 0 && id >= s.limit {
		x.refused = true
		s.end.quic.Reject(id)
		return nil
	}
	x.admitted = true
	s.next = id + 4
	if !s.mind.HandleRequest(s.end.world.now, "3", nil) && s.limit < 0 {
		s.limit = s.next
	}
	return x
}

// answer has the request answered when that is due.
func (s *http3Server) answer(x *stream3) {
	w := s.end.world
	e := &w.scenario.Workload.Exchanges[x.exchange]
	if e.Delay > 0 {
		x.due = w.now.Add(e.Delay)
		s.waiting = append(s.waiting, x)
		return
	}
	s.respond(x)
}

// respond writes HEADERS and all content in one DATA frame.
func (s *http3Server) respond(x *stream3) {
	e := &s.end.world.scenario.Workload.Exchanges[x.exchange]
	x.block = s.head(x.exchange)
	x.head = frame3(x.block)
	if e.HasBody() && e.ResponseBody > 0 {
		x.body = e.ResponseBody
		x.head += 1 + quic.VarintSize(x.body)
	}
	x.left = x.head + x.body
	s.write(x, false)
}

// write goes on with a response, a page after the other.
func (s *http3Server) write(x *stream3, resumed bool) {
	w := s.end.world
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
		s.wrote = w.now
		s.mind.HandleResponse(w.now)
	}
}

// head is the size of a response's field section.
func (s *http3Server) head(exchange int) int64 {
	e := &s.end.world.scenario.Workload.Exchanges[exchange]
	size := len("HTTP/1.1 200 ") + len(reason(e.Status)) + len("\r\n\r\n")
	b := newFieldBlock()
	add := func(name, value string) {
		size += len(name) + len(value) + len(": \r\n")
		b.add(name, value)
	}
	b.add(":status", strconv.Itoa(e.Status))
	if e.ContentType != "" {
		add("content-type", e.ContentType)
	}
	if e.IsQuery() {
		add("cache-control", s.end.world.message(exchange, linger.OverHTTPS).fresh())
	}
	if e.HasBody() {
		add("content-length", strconv.FormatInt(e.ResponseBody, 10))
	}
	add("date", time.Unix(0, int64(s.end.world.now)).UTC().Format(dateFormat))
	if n := e.ResponseHead - size - len("X-Pad: \r\n"); n > 0 {
		add("x-pad", strings.Repeat("x", n))
	}
	return b.size
}

func (s *http3Server) deadline() linger.Instant {
	if s.mind == nil || s.done {
		return linger.Never
	}
	t := linger.Never
	if s.closing {
		t = s.closeAt
	} else {
		t = s.mind.NextTimeout()
	}
	for _, x := range s.waiting {
		t = min(t, x.due)
	}
	return t
}

func (s *http3Server) timeout() {
	kept := s.waiting[:0]
	for _, x := range s.waiting {
		if x.due <= s.end.world.now {
			defer s.respond(x)
		} else {
			kept = append(kept, x)
		}
	}
	s.waiting = kept
	s.watch()
}

// watch does what the policy wants, when it wants it.
func (s *http3Server) watch() {
	w := s.end.world
	if s.mind == nil || s.done {
		return
	}
	s.mind.HandleTimeout(w.now)
	why, due := s.mind.Closing()
	if why != "" && s.limit < 0 {
		s.limit = s.next
	}
	if s.limit >= 0 && !s.told {
		s.told = true
		s.end.quic.Write(serverControl, frame3(quic.VarintSize(s.limit)))
		s.end.sends()
	}
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

// grace is how long the client has for closing the connection itself.
func (s *http3Server) grace() time.Duration {
	switch {
	case s.end.world.config.Policy.Style == policy.CloseRST:
		return 0
	case s.wrote >= 0 && s.end.world.now.Sub(s.wrote) < originLinger:
		return originLinger
	}
	srtt, _ := s.end.quic.RTT()
	return min(3*srtt, originLinger)
}
