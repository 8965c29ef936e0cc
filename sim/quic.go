package sim

import (
	"time"

	"linger"
	"linger/policy"
	"linger/sim/alarm"
	"linger/sim/quic"
	"linger/sim/tls"
	"linger/trace"
	"linger/wire"
)

// What live and origin ask of QUIC, beside wire's for the client: the server's windows are
// those of quic-go.
const (
	serverIdle       = time.Hour // unless the policy has one
	originLinger     = 5 * time.Second
	mostDrain        = 2 * time.Second
	serverStreamData = 512 << 10
	serverConnData   = 768 << 10
)

// tokens are what a client keeps of NEW_TOKEN (RFC 9000, 8.1.3): how many, and the
// round-trip time that goes with them, as either side has noted it.
type tokens struct {
	n   int
	rtt [2]time.Duration
}

// A quicEnd is a socket with the process behind it, which is the whole stack.
type quicEnd struct {
	timer  alarm.Alarm
	party  *party
	conn   *conn
	side   int
	quic   *quic.Conn
	inbox  []*quic.Datagram
	readAt linger.Instant // when it reads what has come; Never is nothing to read
	workAt linger.Instant // when a step of the handshake is done
	deafAt linger.Instant // when the socket is closed
	app    quicApp
	busy   bool
	state  quicState // as the sockets of its host were counted
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

func (w *party) dialQUIC(id, origin int, protocol linger.Protocol) {
	c := w.newConn(id, origin, protocol, linger.TransportUDP)
	p, k := &w.places[origin], w.meet(c)
	s := w.scenario.Strategy
	if s.EarlyData && !k.visited {
		w.visit(p, k)
	}
	c.resumed = k.ticketed
	early := s.EarlyData && c.resumed
	token := s.Resume && k.tokens.n > 0
	sizes := tls.QUIC(p.server, c.alpn(), p.names, s.Resume, c.resumed, early)
	idle := serverIdle
	if limit := w.config.Policy.IdleTimeout; limit > 0 {
		idle = limit
	}
	for side := range c.quic {
		o := quic.Options{Client: side == client, Early: early, Token: token, Streams: serverStreams, Idle: min(wire.QUICIdle, idle), Small: s.DNS != "",
			Sizes: quic.Sizes{Hello: sizes.Hello, ServerHello: sizes.ServerHello, Flight: sizes.Flight, Finished: sizes.Finished, Ticket: sizes.Ticket, Token: tls.QUICToken}}
		if token {
			o.RTT = k.tokens.rtt[side]
		}
		if side == client {
			o.Idle = max(o.Idle, wire.LeastIdle)
			o.StreamWindow, o.MaxStreamWindow, o.ConnWindow, o.MaxConnWindow = wire.StreamCredit, wire.StreamCredit, wire.ConnCredit, wire.ConnCredit
			o.PeerStreamWindow, o.PeerConnWindow = serverStreamData, serverConnData
		} else {
			o.StreamWindow, o.MaxStreamWindow, o.ConnWindow, o.MaxConnWindow = serverStreamData, wire.StreamCredit, serverConnData, wire.ConnCredit
			o.PeerStreamWindow, o.PeerConnWindow = wire.StreamCredit, wire.ConnCredit
		}
		e := &quicEnd{party: w, conn: c, side: side, quic: quic.New(o, &w.pool), readAt: linger.Never, workAt: linger.Never, deafAt: linger.Never}
		e.timer = alarm.New(c.number(side), e)
		c.quic[side] = e
	}
	if token {
		k.tokens.n--
	}
	c.hello = int64(sizes.Hello + sizes.Finished)
	c.answer = int64(sizes.ServerHello + sizes.Flight)
	c.early = early
	c.speak()
	c.quic[client].became(quicHeld)
	c.quic[client].quic.Open(w.now)
	c.quic[client].loop()
}

// visit notes what the earlier visit of early data has left: a ticket, and a token with
// the round-trip time of its handshake. It has taken place before the load.
func (w *party) visit(p *place, k *acquaintance) {
	k.visited, k.ticketed = true, true
	k.tokens.n = 1
	n := w.network
	trip := n.RTT + w.detour(p) + n.Up.Time(quic.HeaderBytes+1280) + n.Down.Time(quic.HeaderBytes+1280)
	k.tokens.rtt = [2]time.Duration{trip, trip}
}

// arrive takes a datagram in.
func (e *quicEnd) arrive(d *quic.Datagram) {
	w := e.party
	if w.now >= e.deafAt {
		w.pool.Drop(d)
		return
	}
	if e.state == quicNone {
		e.became(quicHeld)
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

// Wake does what is due.
func (e *quicEnd) Wake() {
	e.wake()
	e.party.plan()
}

func (e *quicEnd) wake() {
	now := e.party.now
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
	w := e.party
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
	m := &e.party.config.Machine
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
	e.party.obey()
}

// sends puts on the link what the stack has to send now. It reports whether there was
// anything.
func (e *quicEnd) sends() (any bool) {
	if e.workAt == linger.Never {
		e.quic.Send(e.party.now)
	}
	for d, ok := e.quic.Poll(); ok; d, ok = e.quic.Poll() {
		e.party.carry(e.side, packet{conn: e.conn, quic: d})
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
			at = min(at, max(t.Add(e.party.config.Machine.Wake), e.party.now))
		}
		at = min(at, e.app.deadline())
	}
	e.party.queues[timers].Set(&e.timer, at)
	if e.state == quicHeld && e.quic.IsClosed() {
		e.became(quicOver)
	}
}

// A quicState is whether a side holds a connection.
type quicState uint8

const (
	quicNone quicState = iota // the server, before the first datagram
	quicHeld
	quicOver
)

// became counts a connection at its side, and has the server let go of one that is over.
func (e *quicEnd) became(state quicState) {
	w, c := e.party, e.conn
	t := w.tally(c, e.side)
	if e.state = state; state == quicHeld {
		t.sockets++
		return
	}
	t.sockets--
	if e.side == server {
		c.backend.leave(c)
	}
	w.end(c)
}

// accept has the program above take the connection, or close it at once.
func (e *quicEnd) accept(refused bool) {
	switch {
	case e.quic.IsClosed(): // it has ended while it waited
		e.conn.backend.leave(e.conn)
		e.party.end(e.conn)
	case refused:
		e.app.(server3).cut(policy.ReasonRefused)
	default:
		e.app.(server3).accept()
	}
}

// awake has the stack send what the program above has to say.
func (e *quicEnd) awake() { e.loop() }

// giveWay closes it as an idle one, for another.
func (e *quicEnd) giveWay() {
	e.app.(server3).giveWay()
	e.loop()
}

// die is the end of the process, which tells its clients.
func (e *quicEnd) die() {
	e.app.(server3).cut(policy.ReasonRestart)
	e.loop()
}

// hangUp is the client's letting go of a connection.
func (e *quicEnd) hangUp() {
	w := e.party
	mine := !e.quic.IsClosed()
	e.quic.Close(0)
	e.sends()
	srtt, deviation := e.quic.RTT()
	e.deafAt = w.now
	if mine {
		e.deafAt = w.now.Add(min(srtt+2*deviation, mostDrain))
	}
	k := &e.conn.record
	k.QUIC = linger.Known(trace.QUIC{Version: "1", Stack: "as quic-go (initial window 32 packets, Reno, pacing)", Lost: e.quic.Lost(), RTT: srtt})
	e.sleep()
}

// secured notes the end of QUIC's handshake.
func (w *party) secured(c *conn) {
	k := &c.record
	k.Client, k.Server = c.flows.Client, c.flows.Server
	k.Secured = linger.Known(w.now)
	k.Connected = linger.Known(k.Connected.Or(w.now))
	t := trace.TLS{Version: "1.3", ALPN: c.alpn(), Cipher: "TLS_AES_128_GCM_SHA256", Resumed: c.resumed, Up: c.hello, Down: c.answer, Certificates: int64(tls.Certificates + w.places[c.origin].names)}
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
		k := w.meet(c)
		k.ticketed = true
		k.tokens.n++
		for side := range c.quic {
			k.tokens.rtt[side], _ = c.quic[side].quic.RTT()
		}
	}
	if limit := w.config.Policy.IdleTimeout; limit > wire.LeastIdle && limit < wire.QUICIdle {
		k.IdleLimit = linger.Known(limit)
		w.policy.HandleIdleLimit(w.now, c.id, limit)
	}
}

// A quicStream is one exchange on its stream.
type quicStream struct {
	exchange int
	id       int64
	got      int64 // of the answer, at the client
	over     bool  // for the client
	admitted bool  // by the server
	ended    bool  // the request is with the server
	refused  bool  // by the server, which does not look at it
}

// streamAt returns the stream of a number, of all that the client has begun both ways (RFC
// 9000, 2.1); ok is false for others.
func streamAt[S any](all []S, id int64) (s S, ok bool) {
	if id%4 != 0 || id/4 >= int64(len(all)) {
		return s, false
	}
	return all[id/4], true
}

// A quicClient is the client's side of a connection of QUIC, as far as HTTP and DNS are
// alike.
type quicClient struct {
	end      *quicEnd
	finished int64 // streams
	allowed  int64
}

// event takes in what is not of one stream.
func (h *quicClient) event(v quic.Event) {
	w, c := h.end.party, h.end.conn
	switch v.Kind {
	case quic.Early:
		c.record.Connected = linger.Known(w.now)
		w.policy.HandleEarly(w.now, c.id)
		w.obey()
	case quic.Complete:
		w.secured(c)
		w.policy.HandleConnected(w.now, c.id)
		w.obey()
	case quic.Streams:
		if n := v.N - h.finished; n > h.allowed {
			h.allowed = n
			w.policy.HandleStreams(w.now, c.id, int(n))
		}
	}
}

func (h *quicClient) timeout()                 {}
func (h *quicClient) deadline() linger.Instant { return linger.Never }

// A quicServer is the origin's side of a connection of QUIC, as far as HTTP and DNS are
// alike.
type quicServer struct {
	end     *quicEnd
	policy  *policy.Server // nil before a request can come
	wrote   linger.Instant // the end of the last answer; negative is none
	closeAt linger.Instant // once the policy wants it closed
	closing bool
	done    bool
	reason  string
	held    []quic.Event // that came while the connection lay in the accept queue
}

// A server3 is the server's program above a connection of QUIC.
type server3 interface {
	accept()
	giveWay()
	cut(reason string)
}

func (s *quicServer) begin() {
	w := s.end.party
	s.policy, s.wrote = policy.NewServer(w.config.Policy, w.now), -1
}

// serves reports whether there is a policy to be asked.
func (s *quicServer) serves() bool { return s.policy != nil && !s.done }

// deadline is when the policy wants to be asked again, or the connection is to be closed.
func (s *quicServer) deadline() linger.Instant {
	switch {
	case !s.serves():
		return linger.Never
	case s.closing:
		return s.closeAt
	}
	return s.policy.NextTimeout()
}

// holds keeps an event for when the server has taken the connection, until when it lies in
// the accept queue.
func (s *quicServer) holds(v quic.Event) bool {
	if !s.end.conn.waiting {
		return false
	}
	s.held = append(s.held, v)
	return true
}

// accepted has the program above hear what has happened meanwhile.
func (s *quicServer) accepted() {
	held := s.held
	s.held = nil
	for _, v := range held {
		s.end.app.event(v)
	}
}

// request notes one that the server takes on. It reports whether another may follow.
func (s *quicServer) request(version string) bool {
	more := s.policy.HandleRequest(s.end.party.now, version, nil)
	s.end.conn.tell(s.policy)
	return more
}

// waited has the policy do what is due.
func (s *quicServer) waited() {
	s.policy.HandleTimeout(s.end.party.now)
	s.end.conn.tell(s.policy)
}

// answered notes the end of an answer.
func (s *quicServer) answered() {
	s.wrote = s.end.party.now
	s.policy.HandleResponse(s.wrote)
	s.end.conn.tell(s.policy)
}

// dismiss has the policy know that the connection is to give way.
func (s *quicServer) dismiss() {
	if s.serves() {
		s.policy.HandleDismissal(policy.ReasonGaveWay)
		s.end.conn.tell(s.policy)
	}
}

// cut closes the connection at once.
func (s *quicServer) cut(reason string) {
	s.done = true
	s.end.quic.Close(int64(len(reason)))
	s.end.sends()
}

// close closes the connection a while after the policy wants it closed.
func (s *quicServer) close(grace time.Duration) {
	w := s.end.party
	if why, due := s.policy.Closing(); due && !s.closing {
		s.closing, s.reason = true, why
		s.closeAt = w.now.Add(grace)
	}
	if s.closing && s.closeAt <= w.now {
		s.done = true
		s.end.quic.Close(int64(len(s.reason)))
		s.end.sends()
	}
}
