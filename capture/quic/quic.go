// Package quic reads the datagrams of QUIC connections, versions 1 and 2, as they passed (RFC
// 9000, RFC 9001, RFC 9369): Initial packets, whose keys are public, and with a connection's
// secrets all others. It is a machine without I/O: who finds out which connection a datagram
// belongs to hands it in.
package quic

import (
	"bytes"
	"time"

	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
	"linger/capture/tls"
	"linger/trace"
)

// A Handler takes what a connection carries. Bytes are valid until the call returns. What had to
// wait for something, as early data for the server's word on it, comes with the mark of the
// packet that it was in, so that marks may go back.
type Handler interface {
	// Stream takes the next bytes of a stream in order, and whether they are its last.
	Stream(id int64, from talk.Side, b []byte, fin bool, m talk.Mark)
	// Gap says that n bytes of a stream are missing; talk.Forever is all that follow.
	Gap(id int64, from talk.Side, n int64, m talk.Mark)
	// Reset says that a side gave a stream up (RESET_STREAM), or, where stop is set, wants no
	// more of it (STOP_SENDING).
	Reset(id int64, from talk.Side, stop bool, code uint64, m talk.Mark)
	// Window says that a sender has no window left (STREAM_DATA_BLOCKED, DATA_BLOCKED), or
	// that it has been given more (MAX_STREAM_DATA, MAX_DATA). Stream -1 is the connection.
	Window(id int64, sender talk.Side, blocked bool, m talk.Mark)
	// Packet tells of each packet: its size on the wire, and whether it was decrypted.
	Packet(from talk.Side, size int64, opened bool, m talk.Mark)
	// Closed says that a side has said CONNECTION_CLOSE, or the server that it knows the
	// connection no more. It comes once.
	Closed(c Close, m talk.Mark)
}

// A Close is how a connection was ended (RFC 9000, 10.2 and 10.3).
type Close struct {
	By talk.Side
	// Reset says that it was a stateless reset, which has neither code nor reason.
	Reset bool
	// Application says that Code is of what the connection carries, by its ALPN; else it is
	// the transport's, and TransportError names it.
	Application bool
	Code        uint64
	Reason      string // cut, as UTF-8
}

// A Conn is one connection. Set its fields before the first datagram.
type Conn struct {
	Keys *secrets.Log // nil is none
	To   Handler
	// Scratch and Shared are shared by all connections of one goroutine.
	Scratch *Scratch
	Shared  *tls.Shared
	// NewID, if not nil, hears of each connection ID that a side has chosen, by which the
	// other addresses it from then on. It is valid until the call returns.
	NewID func(of talk.Side, id []byte)

	began      bool   // the client's first packet was seen
	negotiated bool   // the server answered with versions, and nothing else has come
	retried    bool   // it wanted to see the client's address confirmed
	version    uint32 // as the server's packets say, before them the client's
	origin     []byte // the ID that the keys of Initial packets come from
	ids        [2]ids // by who chose them
	bare       bool   // the last datagram was none but of what probes a path
	whole      []byte // the datagram that is read, if it was captured to its end
	at         int    // where in it the packet stands that is read
	each, end  int    // it turned out to be several, of so many bytes, and the packet ends there
	answered   bool   // a packet of the server that belongs to the handshake was seen

	hand    tls.Handshake
	keys    *secrets.Keys
	asked   int // the version of the log in which keys were looked for
	initial map[uint32]*[2]*protection
	side    [2]side
	suite   suite
	early   *protection // of 0-RTT

	waiting   []waiting // packets that cannot be opened yet, in order
	waits     int       // bytes of them
	fate      fate      // of 0-RTT, once it is acted on
	verdict   fate      // and what it will be, when the packet has been read
	streams   map[streamKey]*stream
	heldBytes int
	done      [2][4]numbers // streams whose direction from that side is over, by type; of their numbers
	blocked   map[streamKey]bool
	tokens    [][16]byte // of stateless resets, by the server

	idle   [2]time.Duration // as the sides said; 0 is none
	facts  Facts
	closed bool
	told   bool // To knows of it
}

// A fate is what became of 0-RTT.
type fate uint8

const (
	undecided fate = iota
	taken
	refused
)

// A level is that of encryption (RFC 9001, 4).
type level uint8

const (
	levelInitial level = iota
	levelHandshake
	levelApp // 0-RTT and 1-RTT, whose numbers are of one space
	levels
)

// A side is what one of the two has sent.
type side struct {
	key      [levels]*protection // of Initial packets by version, in Conn.initial
	phase    byte                // of the key of 1-RTT packets
	previous *protection         // before the last update
	next     *protection         // after the next one
	first    int64               // number of the first packet of the phase
	updates  int64

	largest [levels]int64 // packet number; -1 is none
	seen    numbers       // of the application's packets
	missed  numbers       // acknowledged by the other side, and not captured
	crypto  [levels]assembly
	message [levels]tls.Messages

	sealed, opened int64 // packets that needed secrets, and those of them that could be opened
	failing        int   // of those that could not, how many in a row
	probe          int64 // number of the probe that is not answered; -1 is none
	elicits        int64 // number of the last packet that wants an acknowledgement
	acked          int64 // largest number that the other side has acknowledged
	overdue        int   // after so many acknowledgements those of missed up to due are given up
	due            int64
	later          bool // some of missed are larger than due
	tickets        bool // its messages after the handshake can be read
	segment        int  // size of the datagrams of the last payload that held several
	large          bool // the last payload that was larger than usual was one datagram
	trials         int  // sizes that were tried since one fitted
}

// Facts are what was learnt of a connection.
type Facts struct {
	// Began says that the client's first packet was seen.
	Began bool
	// Secured is when the handshake was done at the client, as its Finished passed; without
	// keys when a packet passed that only it can be in. Early is when the first packet of
	// 0-RTT passed.
	Secured, Early linger.Opt[linger.Instant]
	// FirstByte and LastByte are as trace.Connection has them. Without keys, packets that are
	// no larger than those that acknowledge or close count as none.
	FirstByte, LastByte linger.Opt[linger.Instant]
	// Idle is for how long both let the connection be without a packet, ServerIdle what the
	// server said, if that is less than what the client did.
	Idle, ServerIdle linger.Opt[time.Duration]
	// Streams is how many requests the server allowed at once.
	Streams linger.Opt[int64]
	Probes  trace.Probes // PING on an idle connection
	// Missed counts packets that were acknowledged and not captured, Missing the bytes of
	// streams that lack, Gaps in how many places.
	Missed, Missing, Gaps int64
	// Resent counts the packets, by who sent them, that carry nothing of CRYPTO or streams
	// that had not been there before, and ResentBytes these bytes. They are known of the
	// application's packets with keys alone.
	Resent, ResentBytes [2]int64
	Cut                 int64 // packets that were not captured whole
	Updates             int64 // of keys, by both sides
	Datagrams           int64 // DATAGRAM frames (RFC 9221)
	Close               linger.Opt[Close]
	ClosedAt            talk.Mark
}

// Facts returns what is known so far.
func (c *Conn) Facts() Facts {
	f := c.facts
	f.Began = c.began
	client, server := &c.side[talk.Client], &c.side[talk.Server]
	f.Updates = client.updates + server.updates
	// What was captured and could not be opened may be what was acknowledged.
	f.Missed = max(0, f.Missed-(client.sealed-client.opened)-(server.sealed-server.opened))
	return f
}

const (
	// maxIDs bounds the connection IDs of one side that are known: "active_connection_id_limit"
	// of stacks is 8 at most.
	maxIDs = 16
	// maxWaiting bounds the packets of a connection that cannot be opened yet, and maxWaits
	// their bytes.
	maxWaiting = 256
	maxWaits   = 256 << 10
)

// An ids is the connection IDs of one side that were seen last.
type ids struct {
	known  [][]byte
	length int  // of the last one
	some   bool // one is known
}

func (s *ids) add(id []byte) bool {
	for _, k := range s.known {
		if bytes.Equal(k, id) {
			return false
		}
	}
	if len(s.known) >= maxIDs {
		s.known = append(s.known[:0], s.known[1:]...)
	}
	s.known = append(s.known, bytes.Clone(id))
	s.length, s.some = len(id), true
	return true
}

func (s *ids) has(id []byte) bool {
	for i := len(s.known) - 1; i >= 0; i-- {
		if bytes.Equal(s.known[i], id) {
			return true
		}
	}
	return false
}

// begins reports whether b begins with one of them, or there is one that is empty.
func (s *ids) begins(b []byte) bool {
	for i := len(s.known) - 1; i >= 0; i-- {
		if bytes.HasPrefix(b, s.known[i]) {
			return true
		}
	}
	return false
}

// chosen takes in an ID that a side has chosen.
func (c *Conn) chosen(of talk.Side, id []byte) {
	if c.ids[of].add(id) && c.NewID != nil {
		c.NewID(of, id)
	}
}

// Owns reports whether a packet with that header is of the connection, as its IDs tell.
func (c *Conn) Owns(from talk.Side, h *Header) bool {
	to := &c.ids[from.Other()]
	if h.Kind == Short {
		return to.begins(h.To)
	}
	switch {
	case len(h.To) > 0 && to.has(h.To), len(h.From) > 0 && c.ids[from].has(h.From):
		return true
	case from == talk.Client:
		return c.origin != nil && bytes.Equal(h.To, c.origin) || c.negotiated && h.Kind == Initial
	}
	// The client has chosen an empty one, so that nothing tells but what the server has chosen.
	return to.has(h.To) && (!c.ids[talk.Server].some || c.ids[talk.Server].has(h.From))
}

// Over reports whether the connection has been closed.
func (c *Conn) Over() bool { return c.closed }

// Bare reports whether the last datagram was decrypted and had nothing in it but what probes a
// path (RFC 9000, 9.1): by itself, that one is no migration.
func (c *Conn) Bare() bool { return c.bare }

// ALPN is what is spoken on the connection: what the server chose, or where that is not known
// all that the client offered, if that is one. Empty is unknown.
func (c *Conn) ALPN() string {
	if c.hand.TLS.ALPN == "" && len(c.hand.TLS.Offered) == 1 {
		return c.hand.TLS.Offered[0]
	}
	return c.hand.TLS.ALPN
}

// Hello is what the handshake has told so far; unknown before a hello.
func (c *Conn) Hello() linger.Opt[trace.TLS] {
	if !c.hand.Begun {
		return linger.Opt[trace.TLS]{}
	}
	t := c.hand.TLS
	t.Version = "1.3" // QUIC has no other (RFC 9001, 4.2)
	client, server := &c.side[talk.Client], &c.side[talk.Server]
	if n := client.crypto[levelHandshake].next; n > 0 {
		t.Up = client.crypto[levelInitial].next + n
	}
	if n := server.crypto[levelHandshake].next; n > 0 {
		t.Down = server.crypto[levelInitial].next + n
	}
	switch {
	case c.facts.Early.IsZero():
		t.EarlyData = linger.Opt[bool]{}
	case c.fate == refused:
		t.EarlyData = linger.Known(false)
	}
	if !server.tickets {
		t.Tickets = linger.Opt[int64]{}
	}
	if c.Keys != nil && c.Keys.Version() > 0 {
		t.Keys = c.extent()
	}
	return linger.Known(t)
}

// extent is how much could be decrypted.
func (c *Conn) extent() trace.Keys {
	sealed := c.side[talk.Client].sealed + c.side[talk.Server].sealed
	opened := c.side[talk.Client].opened + c.side[talk.Server].opened
	switch {
	case c.keys == nil:
		return trace.NoKeys
	case opened == 0 && sealed > 0:
		return trace.WrongKeys
	case opened < sealed, c.Facts().Missed > 0, c.facts.Gaps > 0:
		// What was acknowledged and not captured is known to have passed. Other numbers that
		// lack may have been skipped, or lost before they came here.
		return trace.SomeKeys
	}
	return trace.AllKeys
}

// Transport is what the transport turned out to be.
func (c *Conn) Transport() linger.Opt[trace.QUIC] {
	if c.version == 0 {
		return linger.Opt[trace.QUIC]{}
	}
	return linger.Known(trace.QUIC{Version: versionName(c.version), Retry: c.retried})
}

// Opens reports whether what the sides say can be decrypted, as far as is known by now.
func (c *Conn) Opens() bool {
	return c.side[talk.Client].key[levelApp] != nil && c.side[talk.Server].key[levelApp] != nil
}
