// Package quic reads the datagrams of QUIC connections, versions 1 and 2, as they passed (RFC
// 9000, RFC 9001, RFC 9369): Initial packets, whose keys are public, and with a connection's
// secrets all others. It is a machine without I/O: who finds out which connection a datagram
// belongs to hands it in.
package quic

import (
	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
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
	// Scratch is shared by all connections of one goroutine.
	Scratch *Scratch
	// NewID, if not nil, hears of each connection ID that a side has chosen, by which the
	// other addresses it from then on. It is valid until the call returns.
	NewID func(of talk.Side, id []byte)
}

// A Scratch is the memory in which packets are decrypted.
type Scratch struct{}

// Datagram takes in a datagram that belongs to the connection: b is what was captured of its
// payload of size bytes.
func (c *Conn) Datagram(from talk.Side, b []byte, size int, m talk.Mark) {}

// Close says that nothing more comes: what waits is handed on, and what lacks is said.
func (c *Conn) Close(m talk.Mark) {}

// Hello is what the handshake has told so far; unknown before a hello.
func (c *Conn) Hello() linger.Opt[trace.TLS] { return linger.Opt[trace.TLS]{} }

// ALPN is what is spoken on the connection: what the server chose, or where that is not known
// all that the client offered, if that is one. Empty is unknown.
func (c *Conn) ALPN() string { return "" }

// Transport is what the transport turned out to be.
func (c *Conn) Transport() trace.QUIC { return trace.QUIC{} }

// Opens reports whether what the sides say can be decrypted, as far as is known by now.
func (c *Conn) Opens() bool { return false }
