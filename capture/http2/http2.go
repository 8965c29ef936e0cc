// Package http2 reads the two streams of bytes of an HTTP/2 connection as they passed, in the
// clear or decrypted, and makes records of its exchanges (RFC 9113). It is a machine without
// I/O: who has the bytes in order hands them in.
package http2

import (
	"time"

	"linger"
	"linger/capture/talk"
	"linger/trace"
)

// A Conversation is one connection. The zero value with Shared set is one that begins.
type Conversation struct {
	Shared *talk.Shared
	// Connection is its number, Known how its exchanges are known, Scheme what URLs begin
	// with where a request names none, "https://", Authority what they have where it names no
	// host.
	Connection int64
	Known      trace.How
	Scheme     string
	Authority  string
	// Began says that its beginning was captured. Without it, the first frames are looked
	// for, and the tables that compress heads have entries that are not known.
	Began bool
	// Far is how long it takes from where it was captured to each side and back; 0 where
	// that is not known.
	Far [2]time.Duration
	// Body, if not nil, takes the content of messages of the media type Wanted, in either
	// direction, as it comes; end is with the last piece, which may be empty. The exchange
	// is emitted after it, and may be changed. It is for DNS over HTTPS.
	Body   func(x *trace.Exchange, from talk.Side, b []byte, end bool)
	Wanted string

	// Requests counts what was seen. Host, Agent and Software are those of the first messages
	// that have them.
	Requests              int64
	Host, Agent, Software string
	// GoAway is the first; Last is as its sender said last.
	GoAway  linger.Opt[trace.GoAway]
	Streams linger.Opt[int64] // SETTINGS_MAX_CONCURRENT_STREAMS of the server, the least
	Probes  trace.Probes      // PING
	// LastByte is when the last frame passed that is neither PING nor GOAWAY.
	LastByte linger.Opt[linger.Instant]
	// Unread counts the exchanges of which a method, a path or a status could not be read,
	// since the table that has it was not captured. Resynced counts the times that frames
	// were found again after missing bytes.
	Unread, Resynced int64
}

// Adopt takes over an exchange that HTTP/1.1 has begun with Upgrade: h2c, as stream 1 (RFC 7540,
// 3.2). Its request is whole.
func (c *Conversation) Adopt(x *trace.Exchange, head bool) {}

// Data takes the next bytes of a side, all of them, and returns how many of those that follow it
// has no use for. What it had no use for before counts as passed. m is where the bytes were, or
// if there are none, where the last one was that was skipped.
func (c *Conversation) Data(from talk.Side, b []byte, m talk.Mark) (skip int64) { return talk.Forever }

// Gap says that the next n bytes of a side are missing, beyond those of no use.
func (c *Conversation) Gap(from talk.Side, n int64, m talk.Mark) {}

// End says that nothing more comes from a side, and why (talk.Cut, Reset, StillGoing). Of what
// Data had no use for, left bytes did not come; last is where the last one was that came.
func (c *Conversation) End(from talk.Side, why string, left int64, last talk.Mark) {}

// Close says that both sides have come to their end. What is open is handed on, with the reason
// for what was not answered.
func (c *Conversation) Close(why string) {}

// Waiting reports whether a request has not been answered in full.
func (c *Conversation) Waiting() bool { return false }
