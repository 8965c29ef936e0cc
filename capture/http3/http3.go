// Package http3 reads the streams of an HTTP/3 connection as they passed, decrypted, and makes
// records of its exchanges (RFC 9114). It is a machine without I/O: who has the streams' bytes in
// order hands them in.
package http3

import (
	"linger"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

// A Conversation is one connection. The zero value with Shared set is one that begins.
type Conversation struct {
	Shared     *talk.Shared
	Connection int64
	Authority  string

	Requests              int64
	Host, Agent, Software string
	GoAway                linger.Opt[trace.GoAway]
}

// Stream takes the next bytes of a stream, and whether they are its last.
func (c *Conversation) Stream(id int64, from talk.Side, b []byte, fin bool, m talk.Mark) {}

// Gap says that n bytes of a stream are missing.
func (c *Conversation) Gap(id int64, from talk.Side, n int64, m talk.Mark) {}

// Reset says that a side gave a stream up (RESET_STREAM), or wants no more of it
// (STOP_SENDING).
func (c *Conversation) Reset(id int64, from talk.Side, code uint64, m talk.Mark) {}

// Close says that the connection has ended, and why. What is open is handed on.
func (c *Conversation) Close(why string) {}

// CodeName returns the name of an error code (RFC 9114, 8.1; RFC 9204, 6), or its number.
func CodeName(code uint64) string { return wire.HTTP3ErrorName(code) }
