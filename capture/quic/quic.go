// Package quic reads the datagrams of QUIC connections, versions 1 and 2, as they passed (RFC
// 9000, RFC 9001, RFC 9369): Initial packets, whose keys are public, and with a connection's
// secrets all others. It is a machine without I/O.
package quic

import (
	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
	"linger/trace"
)

// A Handler takes what a connection carries.
type Handler interface {
	// Stream takes the next bytes of a stream in order, and whether they are its last.
	Stream(id int64, from talk.Side, b []byte, fin bool, m talk.Mark)
	// Gap says that n bytes of a stream are missing.
	Gap(id int64, from talk.Side, n int64, m talk.Mark)
	// Reset says that a side gave a stream up (RESET_STREAM), or wants no more of it
	// (STOP_SENDING).
	Reset(id int64, from talk.Side, code uint64, m talk.Mark)
	// Packet tells of each packet: its size on the wire, and whether it was decrypted.
	Packet(from talk.Side, size int64, opened bool, m talk.Mark)
	// Closed says that a side has said CONNECTION_CLOSE: the name of its code, whether that
	// is the application's, and the reason phrase.
	Closed(from talk.Side, code string, application bool, reason string, m talk.Mark)
}

// A Conn is one connection.
type Conn struct {
	Keys *secrets.Log
	To   Handler
}

// Datagram takes in a datagram that belongs to the connection.
func (c *Conn) Datagram(from talk.Side, b []byte, size int, m talk.Mark) {}

// Hello is what the handshake has told so far.
func (c *Conn) Hello() linger.Opt[trace.TLS] { return linger.Opt[trace.TLS]{} }

// Transport is what the transport turned out to be.
func (c *Conn) Transport() trace.QUIC { return trace.QUIC{} }

// Opens reports whether what the sides say can be decrypted, as far as is known by now.
func (c *Conn) Opens() bool { return false }
