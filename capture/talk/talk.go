// Package talk is what the readers of one connection's bytes have in common, whatever is
// spoken on it: the two sides, places in the capture, the numbers of exchanges, why one was
// not answered.
package talk

import (
	"math"
	"strings"
	"unicode/utf8"

	"linger"
	"linger/trace"
)

// A Mark is where a piece of data stands in what was read.
type Mark struct {
	At    linger.Instant
	Frame int64
	File  int
}

// A Side is one of the two that talk.
type Side uint8

const (
	Client Side = iota
	Server
)

// Other returns the other side.
func (s Side) Other() Side { return s ^ 1 }

// Peer returns the side as records have it.
func (s Side) Peer() trace.Peer {
	if s == Client {
		return trace.AtClient
	}
	return trace.AtServer
}

// Forever is what a reader returns if it has no use for any further byte.
const Forever = math.MaxInt64

// Why a request was not answered in full (trace.Exchange.Failed).
const (
	NoResponse  = "no response"
	NotCaptured = "response not captured"
	Cut         = "closed within the response"
	CutRequest  = "closed within the request"
	Reset       = "reset"
	StillGoing  = "the capture ended"
)

// Bounds on the texts that are kept.
const (
	MaxURL   = 8 << 10
	MaxValue = 512 // of any other field
)

// Shared is what all connections of one reader have in common. It is not safe for concurrent
// use.
type Shared struct {
	// Emit takes each exchange when it has ended, valid until it returns. Known is Inferred
	// if where it ends was concluded; else it is empty.
	Emit func(linger.Protocol, *trace.Exchange)
	// Content, if not nil, is asked before Emit of an exchange of HTTP that carried DNS (RFC
	// 8484), with the content of request and response as far as it was kept: nil is none, or
	// not all of it. It puts into x what they say, and returns what the exchange was of.
	Content func(p linger.Protocol, x *trace.Exchange, asked, answered []byte) linger.Protocol

	next  int // number of the next exchange
	held  int // bytes that requests under way take, of HTTP/2 and HTTP/3
	texts map[string]string
	last  [16]string // the last text of each length, modulo 16
}

// maxHeld bounds what requests under way take, on all connections together.
const maxHeld = 256 << 20

// Hold counts n bytes that a request under way takes, or with less than none gives back.
func (s *Shared) Hold(n int) { s.held += n }

// Full says that nothing more is to be held: a connection makes room among its own.
func (s *Shared) Full() bool { return s.held >= maxHeld }

// Next returns a number for an exchange that begins, from 0.
func (s *Shared) Next() int {
	s.next++
	return s.next - 1
}

// Text returns b as Clip does, the same string for the same bytes where they recur.
func (s *Shared) Text(b []byte) string {
	const most = 1 << 14
	if len(b) == 0 {
		return ""
	}
	last := &s.last[len(b)%len(s.last)]
	if *last == string(b) {
		return *last
	}
	t, ok := s.texts[string(b)]
	if !ok {
		t = Clip(b)
		if s.texts == nil {
			s.texts = map[string]string{}
		}
		if len(s.texts) < most && len(b) <= MaxValue {
			s.texts[string(b)] = t
		}
	}
	if len(b) == len(t) {
		*last = t
	}
	return t
}

// Clip returns what is kept of a value: MaxValue bytes, as UTF-8.
func Clip(b []byte) string {
	if len(b) > MaxValue {
		b = b[:MaxValue]
	}
	return Valid(b)
}

// Valid returns a text with what is no UTF-8 replaced.
func Valid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
