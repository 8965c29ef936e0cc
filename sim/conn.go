package sim

import (
	"fmt"
	"time"

	"linger"
	"linger/policy"
	"linger/sim/tcp"
	"linger/sim/tls"
	"linger/trace"
)

// A conn is one connection, both of its ends.
type conn struct {
	id      int
	origin  int
	world   *world
	ends    [2]*end
	quic    [2]*quicEnd // where that is below, in place of ends
	socket  *dnsSocket  // or a datagram's
	speaker speaker     // the client's
	staged  []staged
	flows   trace.Flows
	shook   time.Duration // from the SYN to what answers the SYN-ACK
	tls     tls.Handshake
	resumed bool
	early   bool  // 0-RTT was sent
	hello   int64 // of QUIC's handshake, in CRYPTO frames: the client's
	answer  int64 // and the server's
	gone    bool  // the client has let go of it
	over    bool  // the server has closed, and the client knows
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

// A speaker is the client's app.
type speaker interface {
	app
	send(batch []staged)
	farewell() // the connection is to be closed, and the server still listens
}

// An end is a socket with the process behind it.
type end struct {
	sleeper
	world *world
	conn  *conn
	side  int
	tcp   *tcp.Conn
	app   app

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
	partial int64 // bytes of the other side's first record that have come
	opened  bool  // the handshake is done here
	ended   bool  // the other side's end was told to the app
	shut    bool  // nothing more is written
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
func (w *world) dial(id, origin int, stream bool) {
	s := w.scenario.Strategy
	switch {
	case s.QUIC():
		w.dialQUIC(id, origin)
		return
	case s.Datagram && !stream:
		w.dialUDP(id, origin)
		return
	}
	c := &conn{id: id, origin: origin, world: w}
	o := tcp.Options{Congestion: w.config.Congestion, Ideal: w.config.Textbook != nil}
	for side := range c.ends {
		e := &end{world: w, conn: c, side: side, tcp: newTCP(o), stepAt: linger.Never, readAt: linger.Never}
		e.sleeper = sleeper{wakeAt: linger.Never, number: 2*id + side, place: -1, wake: e}
		c.ends[side] = e
	}
	w.conns = append(w.conns, c)
	k := trace.Connection{ID: int64(id), Origin: w.originOf(origin), Protocol: "http/" + s.Version, Dialled: w.now}
	port := 80
	switch {
	case s.DNS == linger.OverTLS:
		k.Protocol = "dot"
		c.speaker, c.ends[server].app = newDNSStream(c, linger.OverTLS)
	case s.DNS == linger.OverHTTPS:
		k.Protocol = "doh"
		c.speaker, c.ends[server].app = newHTTP2(c)
	case s.DNS != "":
		k.Protocol = "tcp"
		c.speaker, c.ends[server].app = newDNSStream(c, linger.OverTCP)
	case s.Version == "2":
		k.Protocol = "h2"
		c.speaker, c.ends[server].app = newHTTP2(c)
	default:
		c.speaker, c.ends[server].app = newHTTP1(c)
	}
	switch {
	case s.DNS != "":
		port = linger.PortOf(s.DNS)
	case w.secure():
		port = 443
	}
	c.flows = trace.Flows{Protocol: "tcp", Client: fmt.Sprintf("%s:%d", clientAddress, firstPort+id%28232), Server: fmt.Sprintf("%s:%d", w.places[origin].address, port)}
	w.trace.Connections = append(w.trace.Connections, k)
	c.ends[client].app = c.speaker
	c.ends[client].tcp.Open(w.now)
	c.ends[client].flush()
}

// alpn names what is spoken over TLS (RFC 7301).
func (w *world) alpn() string {
	switch s := w.scenario.Strategy; {
	case s.DNS == linger.OverTLS:
		return "dot"
	case s.Version == "2":
		return "h2"
	}
	return "http/1.1"
}

// hangUp is the client's letting go of a connection.
func (w *world) hangUp(c *conn, reason string) {
	if c.gone {
		return
	}
	c.gone = true
	k := &w.trace.Connections[c.id]
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
	case !e.opened && w.secure():
		e.close()
	case c.over:
		e.close()
	default:
		c.speaker.farewell()
		e.shutdown()
	}
	e.step, e.stepAt = nil, linger.Never
	e.flush()
}

// arrive takes a segment in.
func (e *end) arrive(s *tcp.Segment) {
	w := e.world
	before := e.tcp.State()
	e.tcp.HandleSegment(w.now, s)
	if state := e.tcp.State(); before != tcp.Established && state == tcp.Established {
		e.later(w.config.Machine.Begin, e.established)
	}
	e.drain()
	if e.tcp.Failed() {
		e.lost()
	} else if e.tcp.Readable() > 0 || e.tcp.Ended() && !e.ended {
		if e.readAt == linger.Never && e.step == nil {
			e.readAt = w.now.Add(w.config.Machine.Wake)
		}
		if e.readAt <= w.now {
			e.reads()
		}
	}
	e.flush()
}

// alarm does what is due.
func (e *end) alarm() {
	now := e.world.now
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
	e.step, e.stepAt = step, e.world.now.Add(d)
	e.readAt = linger.Never
}

// flush puts what TCP has to send on the link, and sets the alarm.
func (e *end) flush() {
	for s, ok := e.tcp.Poll(); ok; s, ok = e.tcp.Poll() {
		e.world.carry(e.conn, e.side, &s)
	}
	at := min(e.tcp.NextTimeout(), e.readAt, e.stepAt)
	if e.opened && e.step == nil {
		at = min(at, e.app.deadline())
	}
	e.world.alarms.set(&e.sleeper, at)
}

// established begins what comes above TCP.
func (e *end) established() {
	w, c := e.world, e.conn
	if e.side == client {
		if c.gone {
			return
		}
		k := &w.trace.Connections[c.id]
		k.Client, k.Server = c.flows.Client, c.flows.Server
		k.Established = linger.Known(w.now)
		w.mind.HandleEstablished(c.id)
	}
	if !w.secure() {
		e.open()
		return
	}
	if e.side == client {
		p := &w.places[c.origin]
		c.resumed = p.ticketed
		c.tls = tls.NewHandshake(p.server, w.alpn(), p.names, w.scenario.Strategy.Resume, c.resumed)
		e.flight(hello, c.tls.Hello)
	}
}

// open lets the app begin.
func (e *end) open() {
	e.opened = true
	if e.side == client {
		w, c := e.world, e.conn
		if c.gone {
			return
		}
		k := &w.trace.Connections[c.id]
		k.Connected = linger.Known(w.now)
		if w.secure() {
			k.Secured = k.Connected
			t := trace.TLS{Version: "1.3", ALPN: w.alpn(), Cipher: "TLS_AES_128_GCM_SHA256", Resumed: c.resumed,
				Up: int64(c.tls.Hello + c.tls.Finished), Down: int64(c.tls.Answer - c.tls.Ticket), Certificates: int64(tls.Certificates + w.places[c.origin].names)}
			if c.resumed {
				t.Certificates = 0
			}
			k.TLS = linger.Known(t)
		}
	}
	w := e.world
	if e.side == client && w.scenario.Strategy.Resume {
		w.places[e.conn.origin].ticketed = true
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
	w := e.world
	e.readAt = linger.Never
	if n := e.tcp.Readable(); n > 0 {
		e.tcp.Read(w.now, n)
		if w.secure() {
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
	m, c := &e.world.config.Machine, e.conn
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
	w, c := e.world, e.conn
	if e.side != client || c.gone {
		return
	}
	k := &w.trace.Connections[c.id]
	k.ClosedBy = trace.AtServer
	if !e.opened {
		w.mind.HandleDialFailed(w.now, c.id, "cannot connect")
		k.Closed, k.Reason = linger.Known(w.now), "cannot connect"
		c.gone = true
	} else {
		w.mind.HandleClosed(w.now, c.id, policy.Reset, "server reset the connection")
	}
	w.obey()
}

// write hands n bytes to the kernel, through TLS where there is TLS.
func (e *end) write(n int64) {
	if n == 0 || e.shut {
		return
	}
	if !e.world.secure() {
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
		if n -= e.tcp.Take(e.world.now, n); n == 0 {
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
		if e.backlog[0] -= e.tcp.Take(e.world.now, e.backlog[0]); e.backlog[0] > 0 {
			return
		}
		e.backlog = e.backlog[:copy(e.backlog, e.backlog[1:])]
	}
	if e.closing {
		e.tcp.Close(e.world.now)
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
	if e.world.secure() && e.opened {
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
	e.tcp.Close(e.world.now)
}
