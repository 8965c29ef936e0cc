package sim

import (
	"time"

	"linger"
	"linger/policy"
	"linger/sim/alarm"
	"linger/sim/tcp"
	"linger/sim/tls"
	"linger/trace"
)

// A conn is one connection, both of its ends.
type conn struct {
	id      int // of the client's connections
	serial  int // of all
	origin  int
	backend *backend
	party   *party
	ends    [2]*end
	quic    [2]*quicEnd // where that is below, in place of ends
	socket  *dnsSocket  // or a datagram's
	speaker speaker     // the client's

	protocol linger.Protocol
	staged   []staged
	record   trace.Connection
	flows    trace.Flows
	answers  int            // that were whole
	content  int64          // in them
	began    linger.Instant // when its first packet was sent
	spoken   linger.Instant // and its last
	shook    time.Duration  // from the SYN to what answers the SYN-ACK
	tls      tls.Handshake
	resumed  bool
	early    bool  // 0-RTT was sent
	hello    int64 // of QUIC's handshake, in CRYPTO frames: the client's
	answer   int64 // and the server's
	gone     bool  // the client has let go of it
	flying   int   // packets on their way
	buried   bool  // both ends are over, and nothing of it is kept
	over     bool  // the server has closed, and the client knows
	// At the server: whether it lies in the accept queue, when it was taken out, whether the
	// server holds it, and whether a request is under way.
	waiting  bool
	accepted linger.Opt[linger.Instant]
	taken    bool
	busy     bool
}

// staged is a request that is to be sent.
type staged struct {
	exchange int
	last     bool
	again    bool // a datagram once more
}

// An app is what reads and writes at one end.
type app interface {
	begin()       // the handshakes are done
	read(n int64) // n bytes of what the other side has written are here
	eof()         // and no more will come
	writable()    // all that was written is with the kernel
	timeout()     // deadline has come
	deadline() linger.Instant
}

// join gives both ends of a connection of TCP what is above it.
func (c *conn) join(s speaker, mine, other app) {
	c.speaker, c.ends[client].app, c.ends[server].app = s, mine, other
}

// An end is a socket with the process behind it.
type end struct {
	timer alarm.Alarm
	party *party
	conn  *conn
	side  int
	tcp   *tcp.Conn
	app   app
	// parting is what the app says before its end is closed, where it says anything.
	parting func()

	// step is what the process does next, at stepAt.
	step   func()
	stepAt linger.Instant
	readAt linger.Instant // when it reads what has come; Never is nothing to read

	backlog []int64 // writes that the kernel has not taken yet
	blocked bool    // the app waits for that
	closing bool    // and FIN follows

	// With TLS, what this side has written, in records on their way to the other.
	cutter  tls.Cutter
	records []record
	partial int64     // bytes of the other side's first record that have come
	opened  bool      // the handshake is done here
	ended   bool      // the other side's end was told to the app
	shut    bool      // nothing more is written
	cookie  bool      // at the server: the SYN was answered by a cookie
	dead    bool      // there is no process any more
	state   tcp.State // as the sockets of its host were counted
}

// A record is one of TLS, or one flight of its handshake.
type record struct {
	kind recordKind
	wire int64
	data int64
}

type recordKind uint8

const (
	content recordKind = iota
	hello
	answer
	finished
	notify // close_notify
)

// addresses of the hosts, as in a lab.
const (
	clientAddress = "10.0.0.1"
	originAddress = "10.0.0.2"
	firstPort     = 32768
)

// dial begins connection number id, to an origin; where requests are datagrams, a
// stream is of TCP.
func (w *party) dial(id, origin int, stream bool) {
	p := w.scenario.Strategy.Protocol()
	if stream {
		p = linger.DNSOverTCP // for an answer that did not fit into a datagram
	}
	switch p.Transport() {
	case linger.TransportQUIC:
		w.dialQUIC(id, origin, p)
	case linger.TransportUDP:
		w.dialUDP(id, origin)
	default:
		w.dialTCP(id, origin, p)
	}
}

func (w *party) dialTCP(id, origin int, p linger.Protocol) {
	c := w.newConn(id, origin, p, linger.TransportTCP)
	o := tcp.Options{Congestion: w.config.Congestion, Ideal: w.config.Textbook != nil}
	for side := range c.ends {
		e := &end{party: w, conn: c, side: side, tcp: newTCP(o), stepAt: linger.Never, readAt: linger.Never}
		e.timer = alarm.New(c.number(side), e)
		c.ends[side] = e
	}
	c.speak()
	c.ends[client].tcp.Open(w.now)
	c.ends[client].flush()
}

// alpn names what is spoken over TLS (RFC 7301).
func (c *conn) alpn() string {
	if c.protocol.IsHTTP1() {
		return linger.HTTP11.ALPN() // HTTP/1.0 is a matter of the message
	}
	return c.protocol.ALPN()
}

// hangUp is the client's letting go of a connection.
func (w *party) hangUp(c *conn, reason string) {
	if c.gone {
		return
	}
	c.letGo()
	k := &c.record
	k.Closed, k.Reason = linger.Known(w.now), reason
	if k.ClosedBy == trace.Nobody {
		k.ClosedBy = trace.AtClient
	}
	if q := c.quic[client]; q != nil {
		q.hangUp()
		return
	}
	if c.socket != nil {
		return
	}
	e := c.ends[client]
	switch {
	case e.tcp.State() != tcp.Established:
		e.tcp.Abort(w.now)
	case !e.opened && w.secure:
		e.close()
	case c.over:
		e.close()
	default:
		if e.parting != nil {
			e.parting()
		}
		e.shutdown()
	}
	e.step, e.stepAt = nil, linger.Never
	e.flush()
}

// arrive takes a segment in.
func (e *end) arrive(s *tcp.Segment) {
	w := e.party
	before := e.tcp.State()
	if e.side == server && before != tcp.Established && e.conn.backend.ignores(e, s) {
		return
	}
	e.tcp.HandleSegment(w.now, s)
	state := e.tcp.State()
	if before == tcp.Closed && state == tcp.SynReceived {
		e.conn.backend.shake(e)
	}
	if before != tcp.Established && state == tcp.Established {
		if e.side == server {
			e.conn.backend.knock(e.conn)
		} else {
			e.later(w.config.Machine.Begin, e.established)
		}
	}
	e.drain()
	switch {
	case e.tcp.Failed():
		e.lost()
	case e.dead:
		if e.tcp.Readable() > 0 {
			e.tcp.Abort(w.now) // as the kernel answers what nobody will read (RFC 1122, 4.2.2.13)
		}
	case e.side == server && e.conn.waiting:
	case e.tcp.Readable() > 0 || e.tcp.Ended() && !e.ended:
		if e.readAt == linger.Never && e.step == nil {
			e.readAt = w.now.Add(w.config.Machine.Wake)
		}
		if e.readAt <= w.now {
			e.reads()
		}
	}
	e.flush()
}

// Wake does what is due.
func (e *end) Wake() {
	e.wake()
	e.party.plan()
}

func (e *end) wake() {
	now := e.party.now
	if e.stepAt <= now {
		step := e.step
		e.step, e.stepAt = nil, linger.Never
		step()
		if e.tcp.Readable() > 0 && e.readAt == linger.Never {
			e.readAt = now
		}
	}
	if e.readAt <= now {
		e.reads()
	}
	if e.tcp.NextTimeout() <= now {
		e.tcp.HandleTimeout(now)
		if e.tcp.Failed() {
			e.lost()
		}
	}
	if e.opened && e.app.deadline() <= now {
		e.app.timeout()
	}
	e.flush()
}

// later has the process do something after d, and read nothing meanwhile.
func (e *end) later(d time.Duration, step func()) {
	if d == 0 {
		step()
		return
	}
	e.step, e.stepAt = step, e.party.now.Add(d)
	e.readAt = linger.Never
}

// flush puts what TCP has to send on the link, and sets the alarm.
func (e *end) flush() {
	for s, ok := e.tcp.Poll(); ok; s, ok = e.tcp.Poll() {
		e.party.carry(e.side, packet{conn: e.conn, tcp: s})
	}
	at := min(e.tcp.NextTimeout(), e.readAt, e.stepAt)
	if e.opened && e.step == nil {
		at = min(at, e.app.deadline())
	}
	e.party.queues[timers].Set(&e.timer, at)
	if state := e.tcp.State(); state != e.state || e.side == server && e.shut && e.ended {
		e.became(state)
	}
}

// became counts a socket whose state has changed, and has the server let go of a connection that
// is over for it.
func (e *end) became(state tcp.State) {
	w, c := e.party, e.conn
	t := w.tally(c, e.side)
	was, is := e.holds(e.state), e.holds(state)
	if e.side == server && !e.cookie {
		if e.state == tcp.SynReceived {
			c.backend.half--
		}
		if state == tcp.SynReceived {
			c.backend.half++
		}
	}
	switch e.state = state; {
	case is && !was:
		t.sockets++
	case was && !is:
		t.sockets--
		if state == tcp.TimeWait {
			t.timeWait.push(w.now.Add(timeWait))
		}
	}
	if e.side == server && (!is || e.shut && e.ended) {
		c.backend.leave(c)
	}
	if !is {
		w.end(c)
	}
}

// holds reports whether there is a socket in that state, TIME_WAIT apart. A cookie is none.
func (e *end) holds(state tcp.State) bool {
	return state.Open() && !(e.cookie && state == tcp.SynReceived)
}

// accept has the process take the connection, or close it at once.
func (e *end) accept(refused bool) {
	switch {
	case e.tcp.Failed(): // it was reset while it waited
		e.conn.backend.leave(e.conn)
		e.party.end(e.conn)
	case refused:
		e.die()
	default:
		e.later(e.party.config.Machine.Begin, e.established)
	}
}

// awake has the process read what came while the connection waited.
func (e *end) awake() {
	if e.step == nil && !e.dead && (e.tcp.Readable() > 0 || e.tcp.Ended() && !e.ended) {
		e.readAt = e.party.now
	}
	e.flush()
}

// giveWay closes it as an idle one, for another.
func (e *end) giveWay() {
	e.app.(server1).giveWay()
	e.flush()
}

// die is the end of the process: what it has written goes out, and the kernel closes. What has
// not been read makes that a reset (RFC 1122, 4.2.2.13).
func (e *end) die() {
	e.dead, e.opened, e.shut = true, false, true
	e.step, e.stepAt, e.readAt, e.backlog = nil, linger.Never, linger.Never, nil
	if e.tcp.Readable() > 0 {
		e.tcp.Abort(e.party.now)
	} else {
		e.tcp.Close(e.party.now)
	}
	e.flush()
}

// established begins what comes above TCP.
func (e *end) established() {
	w, c := e.party, e.conn
	if e.side == client {
		if c.gone {
			return
		}
		k := &c.record
		k.Client, k.Server = c.flows.Client, c.flows.Server
		k.Established = linger.Known(w.now)
		w.policy.HandleEstablished(c.id)
	}
	if !w.secure {
		e.open()
		return
	}
	if e.side == client {
		p := &w.places[c.origin]
		c.resumed = w.meet(c).ticketed
		c.tls = tls.NewHandshake(p.server, c.alpn(), p.names, w.scenario.Strategy.Resume, c.resumed)
		e.flight(hello, c.tls.Hello)
	}
}

// open lets the app begin.
func (e *end) open() {
	e.opened = true
	if e.side == client {
		w, c := e.party, e.conn
		if c.gone {
			return
		}
		k := &c.record
		k.Connected = linger.Known(w.now)
		if w.secure {
			k.Secured = k.Connected
			t := trace.TLS{Version: "1.3", ALPN: c.alpn(), Cipher: "TLS_AES_128_GCM_SHA256", Resumed: c.resumed,
				Up: int64(c.tls.Hello + c.tls.Finished), Down: int64(c.tls.Answer - c.tls.Ticket), Certificates: int64(tls.Certificates + w.places[c.origin].names)}
			if c.resumed {
				t.Certificates = 0
			}
			k.TLS = linger.Known(t)
		}
	}
	w := e.party
	if e.side == client && w.scenario.Strategy.Resume {
		w.meet(e.conn).ticketed = true
	}
	e.app.begin()
	w.obey()
}

// flight sends one of the handshake.
func (e *end) flight(kind recordKind, n int) {
	e.cutter.Handshaken(n)
	e.records = append(e.records, record{kind, int64(n), 0})
	e.hand(int64(n))
}

// reads takes what the kernel holds.
func (e *end) reads() {
	w := e.party
	e.readAt = linger.Never
	if n := e.tcp.Readable(); n > 0 {
		e.tcp.Read(w.now, n)
		if w.secure {
			e.decrypt(n)
		} else {
			e.app.read(n)
		}
	}
	if e.tcp.Ended() {
		e.end()
	}
	w.obey()
}

// end says that nothing more will come.
func (e *end) end() {
	if e.ended {
		return
	}
	e.ended = true
	if e.opened {
		e.app.eof()
	} else {
		e.close()
		if e.side == client {
			e.conn.closedByServer("server closed within the TLS handshake")
		}
	}
}

// decrypt takes n bytes of records.
func (e *end) decrypt(n int64) {
	from := e.conn.ends[1-e.side]
	e.partial += n
	data := int64(0)
	for len(from.records) > 0 && e.partial >= from.records[0].wire {
		r := from.records[0]
		from.records = from.records[1:]
		e.partial -= r.wire
		if r.kind == content {
			data += r.data
			continue
		}
		if data > 0 {
			e.app.read(data)
			data = 0
		}
		e.record(r.kind)
	}
	if data > 0 && e.opened {
		e.app.read(data)
	}
}

// record does what a record that bears no content asks for.
func (e *end) record(kind recordKind) {
	m, c := &e.party.config.Machine, e.conn
	switch kind {
	case hello:
		d := m.Signature
		if c.resumed {
			d = m.Resumption
		}
		e.later(d, func() { e.flight(answer, c.tls.Answer) })
	case answer:
		d := m.Verification
		if c.resumed {
			d = m.Resumption
		}
		e.later(d, func() {
			if c.gone {
				return
			}
			e.flight(finished, c.tls.Finished)
			e.open()
		})
	case finished:
		e.open()
	case notify:
		e.end()
	}
}

// lost says that the connection has broken.
func (e *end) lost() {
	w, c := e.party, e.conn
	if e.side != client || c.gone {
		return
	}
	c.record.ClosedBy = trace.AtServer
	if !e.opened {
		c.unreached("cannot connect")
	} else {
		w.policy.HandleClosed(w.now, c.id, policy.Reset, "server reset the connection")
	}
	w.obey()
}

// write hands n bytes to the kernel, through TLS where there is TLS.
func (e *end) write(n int64) {
	if n == 0 || e.shut {
		return
	}
	if !e.party.secure {
		e.hand(n)
		return
	}
	for n > 0 {
		k := int64(e.cutter.Next(int(min(n, 1<<20))))
		e.records = append(e.records, record{content, k + tls.RecordOverhead, k})
		e.hand(k + tls.RecordOverhead)
		n -= k
	}
}

// hand gives the kernel one write, or as much of it as it has room for.
func (e *end) hand(n int64) {
	if len(e.backlog) == 0 {
		if n -= e.tcp.Take(e.party.now, n); n == 0 {
			return
		}
		e.blocked = true
	}
	e.backlog = append(e.backlog, n)
}

// drain hands over what has found no room before, once there is.
func (e *end) drain() {
	if len(e.backlog) == 0 || !e.tcp.Writable() {
		return
	}
	for len(e.backlog) > 0 {
		if e.backlog[0] -= e.tcp.Take(e.party.now, e.backlog[0]); e.backlog[0] > 0 {
			return
		}
		e.backlog = e.backlog[:copy(e.backlog, e.backlog[1:])]
	}
	if e.closing {
		e.tcp.Close(e.party.now)
		return
	}
	if e.blocked {
		e.blocked = false
		e.app.writable()
	}
}

// shutdown ends the sending side, TLS's first (RFC 8446, 6.1).
func (e *end) shutdown() {
	if e.shut {
		return
	}
	if e.party.secure && e.opened {
		e.records = append(e.records, record{notify, tls.AlertBytes, 0})
		e.hand(tls.AlertBytes)
	}
	e.close()
}

// close ends the sending side of TCP.
func (e *end) close() {
	if e.shut {
		return
	}
	e.shut = true
	if len(e.backlog) > 0 {
		e.closing = true
		return
	}
	e.tcp.Close(e.party.now)
}
