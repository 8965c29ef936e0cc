// Package tls reads the two streams of records of a TLS connection as they passed (RFC 8446,
// RFC 5246): what the handshake tells, and with the connection's secrets what is in the records.
// It is a machine without I/O: who has the bytes in order hands them in.
package tls

import (
	"linger"
	"linger/capture/secrets"
	"linger/capture/talk"
	"linger/trace"
)

// A Record is one record as it passed.
type Record struct {
	From talk.Side
	Kind byte  // as its header says: what TLS 1.3 protects looks like wire.RecordData
	Size int64 // of its content, as its header says
	// Opened says that it could be decrypted, or was in the clear; Inner is then what it
	// really is, and Message the type of the handshake message or alert that it begins with.
	Opened  bool
	Inner   byte
	Message byte
	// Began and Ended are where its first and its last byte passed.
	Began, Ended talk.Mark
}

// A Handler takes what a connection carries.
type Handler interface {
	// Record takes each record, whether it could be opened or not, before its content.
	Record(Record)
	// Plain takes the next bytes of what a side said, decrypted, valid until it returns.
	Plain(from talk.Side, b []byte, m talk.Mark)
	// Gap says that n bytes or more of what a side said are missing, or cannot be decrypted.
	Gap(from talk.Side, n int64, m talk.Mark)
	// Closed says that a side has said close_notify.
	Closed(from talk.Side, m talk.Mark)
}

// A Conn is one connection. Set Keys and To before the first bytes.
type Conn struct {
	Keys *secrets.Log // nil is none
	To   Handler
}

// Data takes the next bytes of a side, and returns how many of those that follow are of no use.
func (c *Conn) Data(from talk.Side, b []byte, m talk.Mark) (skip int64) { return talk.Forever }

// Gap says that the next n bytes of a side were not captured.
func (c *Conn) Gap(from talk.Side, n int64, m talk.Mark) {}

// Hello is what the handshake has told so far; unknown before a hello.
func (c *Conn) Hello() linger.Opt[trace.TLS] { return linger.Opt[trace.TLS]{} }

// Secured is when the handshake was done at the client, where that can be told.
func (c *Conn) Secured() linger.Opt[linger.Instant] { return linger.Opt[linger.Instant]{} }

// Opens reports whether what the sides say can be decrypted, as far as is known by now.
func (c *Conn) Opens() bool { return false }
