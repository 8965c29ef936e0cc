// Package quic is one end of a QUIC connection as quic-go v0.65 has it with the
// settings of live and origin, as a machine without I/O and without bytes: only their
// numbers are kept. Congestion control, pacing, loss detection, packing and the order
// of streams are rules of the program's, not of a kernel's.
//
// Each rule names its RFC, or the file of quic-go that it follows where that goes its
// own way. Packets are not encrypted; what a packet is sealed with only counts.
//
// Not modelled: Retry, version negotiation, migration, key updates, 0-RTT that is
// rejected, congestion that ECN tells of, datagrams that arrive twice.
package quic

import (
	"time"

	"linger"
)

const (
	// HeaderBytes are those of IPv4 and UDP.
	HeaderBytes = 20 + 8

	initialSize  = 1280 // datagrams before path MTU discovery (protocol.InitialPacketSize)
	largestSize  = 1452 // protocol.MaxPacketBufferSize
	leastCoal    = 128  // protocol.MinCoalescedPacketSize
	leastStream  = 128  // protocol.MinStreamFrameSize
	mostControl  = 25   // framer.go, maxStreamControlFrameSize
	mostRanges   = 64   // protocol.MaxNumAckRanges
	mostHeld     = 32   // protocol.MaxUndecryptablePackets
	quietAcks    = 19   // protocol.MaxNonAckElicitingAcks
	granularity  = time.Millisecond
	maxAckDelay  = 25 * time.Millisecond                     // ackhandler.MaxAckDelay
	toldAckDelay = maxAckDelay + granularity                 // its transport parameter
	defaultRTT   = 100 * time.Millisecond                    // utils.DefaultInitialRTT
	longestPTO   = 60 * time.Second                          // ackhandler, maxPTODuration
	connIDs      = 3                                         // that an end offers besides its first
	idBytes      = 4                                         // of a connection ID (protocol.DefaultConnectionIDLength)
	firstIDBytes = 14                                        // of the client's first, 8 to 20 at random (GenerateConnectionIDForInitial)
	sealBytes    = 16                                        // the tag of AES-128-GCM (RFC 9001, 5.3)
	numberBytes  = 2                                         // of a packet number, while few are unacknowledged (RFC 9000, 17.1)
	shortBytes   = 1 + idBytes + numberBytes                 // a short header (RFC 9000, 17.3.1)
	longBytes    = 1 + 4 + 1 + 1 + idBytes + 2 + numberBytes // a long one without its peer's ID and token (17.2)
	copiedBytes  = largestSize                               // what a write leaves with its stream (send_stream.go, canBufferStreamFrame)
)

// A Level is what a packet is protected with (RFC 9001, 2.1).
type Level uint8

const (
	Initial Level = iota
	Handshake
	ZeroRTT
	OneRTT
)

// Spaces of packet numbers (RFC 9000, 12.3).
const (
	initialSpace = iota
	handshakeSpace
	appSpace
	spaces
)

func (l Level) space() int { return min(int(l), appSpace) }

// Sizes are those of a handshake, in bytes of CRYPTO frames, and of the token.
type Sizes struct {
	Hello       int64 // ClientHello
	ServerHello int64
	Flight      int64 // EncryptedExtensions to Finished
	Finished    int64 // the client's
	Ticket      int64 // NewSessionTicket
	Token       int64 // of NEW_TOKEN
}

// Options are what the ends of one connection differ in.
type Options struct {
	Client bool
	Sizes  Sizes
	// Early says that the client may send 0-RTT.
	Early bool
	// Token says that the client has a token of an earlier connection, and RTT what the
	// end remembers of the round-trip time with it; 0 is nothing.
	Token bool
	RTT   time.Duration
	// StreamWindow and ConnWindow are the flow control of what the peer sends, at the
	// beginning; MaxStreamWindow and MaxConnWindow what it may grow to.
	StreamWindow, ConnWindow, MaxStreamWindow, MaxConnWindow int64
	// PeerStreamWindow and PeerConnWindow are the other side's at the beginning.
	PeerStreamWindow, PeerConnWindow int64
	// Streams is how many requests the server allows at once.
	Streams int64
	// Small says that nobody searches for a larger datagram than the first.
	Small bool
	// Idle is after how long without a packet the connection is over.
	Idle time.Duration
}

// Work is what takes a processor some time before anything else is done.
type Work uint8

const (
	NoWork      Work = iota
	Accepting        // the server makes its flight
	Decapsulate      // the client takes in the ServerHello
	Verifying        // the client takes in the server's flight
)

// An EventKind is one of what the program above hears of.
type EventKind uint8

const (
	Early    EventKind = iota // 0-RTT may be sent
	Ready                     // streams may be opened, at the server also before the handshake is done
	Complete                  // the handshake is
	Read                      // N bytes more of a stream are here, in order
	End                       // and no more will come
	Writable                  // what was written to a stream is with the stack
	Streams                   // N requests are allowed from the beginning on
	Reset                     // the peer has ended a stream
	Ended                     // the connection is over
)

// An Event is told once.
type Event struct {
	Kind   EventKind
	Stream int64
	N      int64
}

// A Conn is one end. Call Open on the client's. Then, as things happen: HandleDatagram
// for what has come, until Work says that something is to be done, and Worked once it
// is; HandleTimeout at NextTimeout; Send after each of them and after each call for a
// stream; then Poll until it has nothing to send, and NextEvent until there is none.
type Conn struct {
	o      Options
	pool   *Pool
	events []Event
	output []*Datagram
	work   Work

	closed   bool
	remote   bool // by the peer
	reason   int64
	answers  int // datagrams since this end has closed
	started  bool
	complete bool
	confirm  bool
	dropped  [spaces]bool // keys are gone
	keys     [4]bool      // to read with, by level
	seal     [4]bool      // to write with
	switched bool         // the peer's own connection ID is known
	heard    linger.Instant
	spoken   linger.Instant // first ack-eliciting packet since then; -1 is none
	held     []held

	crypto [2]cryptoStream
	lost   [spaces]retransmissions
	queue  []Frame // control frames, the last goes first (framer.go)
	quiet  int     // packets without anything but ACK in a row

	recovery
	receiver [spaces]receiver
	streams
	mtu finder
}

type held struct {
	packet *Packet
	at     linger.Instant
}

// New returns an end that shares the pool with its peer.
func New(o Options, pool *Pool) *Conn {
	c := &Conn{o: o, pool: pool, spoken: -1}
	c.recovery.init(o)
	c.streams.init(o)
	for i := range c.receiver {
		c.receiver[i].init()
	}
	c.mtu.init(initialSize, largestSize)
	c.keys[Initial], c.seal[Initial] = true, true
	return c
}

// Open begins.
func (c *Conn) Open(now linger.Instant) {
	c.started = true
	c.heard = now
	c.crypto[Initial].end = c.o.Sizes.Hello
	if c.o.Early {
		c.seal[ZeroRTT] = true
		c.offerIDs()
		c.streams.allow(c.o)
		c.events = append(c.events, Event{Kind: Early})
		c.events = append(c.events, Event{Kind: Streams, N: c.o.Streams})
	}
}

// Lost returns how many packets were declared lost, those that probe the MTU left out.
func (c *Conn) Lost() int64 { return c.lostPackets }

// RTT returns the smoothed round-trip time and its deviation (RFC 9002, 5.3).
func (c *Conn) RTT() (smoothed, deviation time.Duration) { return c.srtt, c.deviation }

// IsClosed reports whether the connection is over.
func (c *Conn) IsClosed() bool { return c.closed }

// Work returns what is to be done before anything else is handled.
func (c *Conn) Work() Work { return c.work }

// Urgent reports whether there are handshake messages to be sent before anything
// further is handled (connection.go, handlePackets).
func (c *Conn) Urgent() bool {
	return !c.complete && (c.crypto[Initial].has() || c.crypto[Handshake].has())
}

// NextEvent returns what the program above has not heard of yet.
func (c *Conn) NextEvent() (Event, bool) {
	if len(c.events) == 0 {
		return Event{}, false
	}
	e := c.events[0]
	c.events = c.events[:copy(c.events, c.events[1:])]
	return e, true
}

// Poll returns the next datagram to be sent. It is the link's until HandleDatagram of
// the peer, or Drop, takes it.
func (c *Conn) Poll() (*Datagram, bool) {
	if len(c.output) == 0 {
		return nil, false
	}
	d := c.output[0]
	c.output = c.output[:copy(c.output, c.output[1:])]
	return d, true
}

// offerIDs queues the connection IDs that the peer may use (RFC 9000, 5.1.1).
func (c *Conn) offerIDs() {
	for range connIDs {
		c.control(Frame{kind: newConnectionID})
	}
}

func (c *Conn) control(f Frame) { c.queue = append(c.queue, f) }

// HandleDatagram takes in what has come.
func (c *Conn) HandleDatagram(now linger.Instant, d *Datagram) {
	defer c.pool.release(d)
	if c.closed {
		c.late(d)
		return
	}
	if !c.started {
		c.started = true
		c.heard = now
	}
	c.receivedBytes(now, int64(d.Size))
	for _, p := range d.packets[:d.n] {
		c.receive(now, p)
		if c.closed {
			return
		}
	}
}

// late answers some of what comes to a connection that this end has closed: the 1st,
// 2nd, 4th, 8th… datagram (closed_conn.go).
func (c *Conn) late(*Datagram) {
	if c.remote {
		return
	}
	if c.answers++; c.answers&(c.answers-1) == 0 {
		c.sendClose()
	}
}

// receive handles a packet, or keeps it until there are keys for it.
func (c *Conn) receive(now linger.Instant, p *Packet) {
	switch {
	case p.level != ZeroRTT && c.dropped[p.level.space()]:
		return
	case !c.keys[p.level]:
		if len(c.held) < mostHeld && !c.complete {
			p.refs++
			c.held = append(c.held, held{p, now})
		}
		return
	}
	c.switched = true
	if !c.o.Client && p.level == Handshake && !c.dropped[initialSpace] {
		c.drop(now, Initial)
	}
	c.heard, c.spoken = now, -1
	was := c.complete
	if p.hasAck {
		c.acknowledged(now, p)
	}
	for i := range p.frames {
		c.frame(now, p.level, &p.frames[i])
		if c.closed {
			return
		}
	}
	if !was && c.complete {
		c.completed(now)
	}
	if !c.o.Client && p.level == Handshake && !c.validated {
		c.validated = true
		c.setTimer(now)
	}
	r := &c.receiver[p.level.space()]
	if p.marked {
		r.marked++
	}
	r.received(now, p.number, p.eliciting, p.level.space() == appSpace)
}

// unhold handles what there were no keys for.
func (c *Conn) unhold() {
	again := c.held
	c.held = nil
	for _, h := range again {
		c.receive(h.at, h.packet)
		c.pool.put(h.packet)
	}
}

// frame handles one.
func (c *Conn) frame(now linger.Instant, l Level, f *Frame) {
	switch f.kind {
	case crypto:
		c.cryptoReceived(now, l, f)
	case stream:
		c.streamReceived(now, f)
	case maxData:
		c.sendWindow = max(c.sendWindow, f.value) // streams that wait for it have stayed in their turns
	case maxStreamData:
		if s := c.byID[f.stream]; s != nil && f.value > s.window {
			s.window = f.value
			c.activateBlocked(s)
		}
	case maxStreams:
		c.events = append(c.events, Event{Kind: Streams, N: f.value})
	case handshakeDone:
		if !c.confirm {
			c.confirmed(now)
		}
	case resetStream:
		c.events = append(c.events, Event{Kind: Reset, Stream: f.stream})
	case connectionClose:
		c.closed, c.remote = true, true
		c.events = append(c.events, Event{Kind: Ended})
	}
}

// cryptoReceived takes in messages of TLS.
func (c *Conn) cryptoReceived(now linger.Instant, l Level, f *Frame) {
	if l == OneRTT {
		return // the ticket
	}
	s := &c.crypto[l]
	s.got.add(f.offset, f.offset+f.length)
	z := &c.o.Sizes
	whole := func(n int64) bool { return !s.done && s.got.covers(n) }
	switch {
	case l == Initial && !c.o.Client && whole(z.Hello):
		s.done, c.work = true, Accepting
	case l == Initial && c.o.Client && whole(z.ServerHello):
		s.done, c.work = true, Decapsulate
	case l == Handshake && c.o.Client && whole(z.Flight):
		s.done, c.work = true, Verifying
	case l == Handshake && !c.o.Client && whole(z.Finished):
		s.done, c.complete = true, true
		c.keys[OneRTT] = true
	}
}

// Worked goes on after Work.
func (c *Conn) Worked(now linger.Instant) {
	work := c.work
	c.work = NoWork
	switch work {
	case Accepting:
		c.crypto[Initial].end = c.o.Sizes.ServerHello
		c.crypto[Handshake].end = c.o.Sizes.Flight
		c.keys[Handshake], c.seal[Handshake], c.seal[OneRTT] = true, true, true
		c.keys[ZeroRTT] = c.o.Early
		c.peerAckDelay = toldAckDelay
		c.streams.allow(c.o)
		c.offerIDs()
		c.events = append(c.events, Event{Kind: Ready})
	case Decapsulate:
		c.keys[Handshake], c.seal[Handshake] = true, true
	case Verifying:
		c.crypto[Handshake].end = c.o.Sizes.Finished
		c.keys[OneRTT], c.seal[OneRTT], c.seal[ZeroRTT] = true, true, false
		c.complete = true
		c.completed(now)
	}
	c.unhold()
}

// completed is the end of the handshake at this end (RFC 9001, 4.1.1).
func (c *Conn) completed(now linger.Instant) {
	if c.o.Client {
		c.peerAckDelay = toldAckDelay
		if !c.o.Early {
			c.streams.allow(c.o)
			c.offerIDs()
			c.events = append(c.events, Event{Kind: Streams, N: c.o.Streams})
		}
		c.control(Frame{kind: retireConnectionID}) // another ID is used from now on (conn_id_manager.go)
		c.events = append(c.events, Event{Kind: Complete})
		return
	}
	c.confirmed(now)
	c.unhold()
	c.control(Frame{kind: retireConnectionID})
	c.control(Frame{kind: crypto, length: c.o.Sizes.Ticket})
	c.control(Frame{kind: newToken, length: c.o.Sizes.Token})
	c.control(Frame{kind: handshakeDone})
	c.events = append(c.events, Event{Kind: Complete})
}

// confirmed: both ends have completed it (RFC 9001, 4.1.2).
func (c *Conn) confirmed(now linger.Instant) {
	c.drop(now, Initial)
	c.drop(now, Handshake)
	c.confirm = true
	if !c.o.Small {
		c.mtu.start(now)
	}
}

// Close ends the connection by CONNECTION_CLOSE (RFC 9000, 10.2), with a reason of so
// many bytes.
func (c *Conn) Close(reason int64) {
	if c.closed {
		return
	}
	c.closed, c.reason = true, reason
	if c.started {
		c.sendClose()
	}
}

// sendClose sends CONNECTION_CLOSE in a packet of each level that there are keys for
// (packet_packer.go, packConnectionClose).
func (c *Conn) sendClose() {
	d := c.pool.datagram()
	size := int64(0)
	for _, l := range []Level{Initial, Handshake, ZeroRTT, OneRTT} {
		if !c.seal[l] || l.space() != appSpace && c.dropped[l.space()] {
			continue
		}
		p := c.pool.packet()
		p.level = l
		p.number = c.nextNumber(l)
		// An application's code is not for those who may read along (RFC 9000, 10.2.3).
		f := Frame{kind: connectionClose, length: 4}
		if l.space() == appSpace {
			f.length += c.reason
		}
		p.frames = append(p.frames, f)
		size += c.overhead(l) + f.size()
		d.add(p)
		if l == Initial {
			d.Initial = true
		}
	}
	if d.Initial && c.o.Client {
		size = max(size, c.mtu.min)
	}
	d.Size = int32(size)
	c.output = append(c.output, d)
}

// NextTimeout returns when HandleTimeout has something to do.
func (c *Conn) NextTimeout() linger.Instant {
	if c.closed || !c.started {
		return linger.Never
	}
	t := linger.Never
	if c.complete {
		t = c.idleAt()
	}
	if c.blocked == hardBlocked {
		return t
	}
	t = min(t, c.receiver[appSpace].alarm, c.alarm)
	if c.blocked == notBlocked {
		t = min(t, c.pacing)
	}
	return t
}

// idleAt is when the connection is over in silence (RFC 9000, 10.1).
func (c *Conn) idleAt() linger.Instant {
	return max(c.heard, c.spoken).Add(max(c.o.Idle, 3*c.pto(true)))
}

// HandleTimeout does what is due at now; Send does the rest.
func (c *Conn) HandleTimeout(now linger.Instant) {
	if c.closed {
		return
	}
	if c.alarm <= now {
		c.lossTimeout(now)
	}
	if c.complete && now >= c.idleAt() {
		c.closed, c.remote = true, true
		c.events = append(c.events, Event{Kind: Ended})
	}
}
