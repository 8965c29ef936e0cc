// Package http2 reads the two streams of bytes of an HTTP/2 connection as they passed, in the
// clear or decrypted, and makes records of its exchanges (RFC 9113). It is a machine without
// I/O: who has the bytes in order hands them in.
package http2

import (
	"linger"
	"linger/capture/talk"
	"linger/trace"
)

// A Conversation is one connection. The zero value with Shared set is one that begins.
type Conversation struct {
	Shared *talk.Shared
	// Connection is its number, Known how its exchanges are known, Scheme what URLs begin
	// with, Authority what they have where a request names no host.
	Connection int64
	Known      trace.How
	Scheme     string
	Authority  string
	// Body, if not nil, takes the bodies of exchanges whose media type Wanted names, until it
	// is full; their exchange is emitted after it. It is for DNS over HTTPS.
	Body func(x *trace.Exchange, from talk.Side, b []byte, end bool)

	// Requests counts what was seen. Host, Agent and Software are those of the first messages
	// that have them.
	Requests              int64
	Host, Agent, Software string
	GoAway                linger.Opt[trace.GoAway]
	Streams               linger.Opt[int64] // SETTINGS_MAX_CONCURRENT_STREAMS of the server
	Probes                trace.Probes      // PING
	LastByte              linger.Opt[linger.Instant]
}

// Data takes the next bytes of a side, all of them, and returns how many of those that follow it
// has no use for.
func (c *Conversation) Data(from talk.Side, b []byte, m talk.Mark) (skip int64) { return talk.Forever }

// Gap says that n bytes of a side are missing, beyond those of no use.
func (c *Conversation) Gap(from talk.Side, n int64, m talk.Mark) {}

// End says that nothing more comes from a side, and why.
func (c *Conversation) End(from talk.Side, why string, last talk.Mark) {}

// Close says that both sides have come to their end. What is open is handed on.
func (c *Conversation) Close(why string) {}
