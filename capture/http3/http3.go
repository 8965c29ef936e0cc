// Package http3 reads the streams of an HTTP/3 connection as they passed, decrypted, and makes
// records of its exchanges (RFC 9114). It is a machine without I/O: who has the streams' bytes in
// order hands them in.
//
// Bodies are counted and not looked at. Where a part of a stream is missing, the stream goes on if
// the part lies within one frame; else its exchange is Inferred from there on. What the server
// pushes is in no record, since nobody asked for it, and so is what is inside WebTransport.
package http3

import (
	"slices"

	"linger"
	"linger/capture/fields"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

// Bounds on what is held of one connection.
const (
	maxStreams = 10_000 // that have not ended
	fewStreams = 100    // that a connection may have however many all have
	// streamBytes is what a stream takes, beside its URL and a head that has not ended.
	streamBytes = 1 << 10
	maxSection  = 1 << 20 // a compressed head, in bytes
	maxHeld     = 1 << 20 // of heads that wait for what they refer to, in bytes
	maxControl  = 16 << 10
	maxURLs     = 4 << 20 // the URLs of open streams, in bytes; those beyond are not kept
)

// A Conversation is one connection. The zero value with Shared set is one that begins.
type Conversation struct {
	Shared *talk.Shared
	// Connection is its number, Authority what URLs have where a request names no host.
	Connection int64
	Authority  string

	// Requests counts what was seen, and Queries how many of them carried DNS. Host, Agent
	// and Software are those of the first messages that have them.
	Requests, Queries     int64
	Host, Agent, Software string
	// GoAway is the first; Last is as its sender said last.
	GoAway linger.Opt[trace.GoAway]
	// Unread counts the exchanges of which a method, a path or a status could not be read,
	// since what it refers to was not captured.
	Unread int64

	tables  [2]fields.QPACK // of the heads that a side sends
	encoder [2]int64        // the side's encoder stream; 0 is none yet, for that is no number of one
	streams map[int64]*stream
	waiting []*stream // those with heads that wait, in their order
	held    int       // bytes of these
	done    finished
	free    []*stream
	url     []byte // room for a URL that is put together
	urls    int    // bytes of those of open streams
	head    head
	emit    func(fields.Field)
	blocked [2]bool // a side has no room left on the connection
}

// A kind is what a stream is.
type kind uint8

const (
	request kind = iota
	untyped      // unidirectional, its type not known yet
	control
	encoder
	ignored
)

// A stream is one that has not ended.
type stream struct {
	exchange
	id      int64
	kind    kind
	half    [2]half
	waits   bool // it is in waiting
	blocked [2]window
}

// Directions of streams, by the lower two bits of their number (RFC 9000, 2.1).
const (
	fromServer     = 0x1
	unidirectional = 0x2
)

// Stream takes the next bytes of a stream, and whether they are its last.
func (c *Conversation) Stream(id int64, from talk.Side, b []byte, fin bool, m talk.Mark) {
	s := c.stream(id)
	if s == nil {
		return
	}
	switch s.kind {
	case request:
		c.message(s, from, b, fin, m)
		return
	case untyped:
		b = c.typed(s, from, b)
	}
	switch s.kind {
	case request, untyped, ignored:
	case control:
		c.frames(s, from, b, m)
	case encoder:
		c.tables[from].Instructions(b)
		c.retry()
	}
	if fin {
		c.forget(s)
	}
}

// stream returns the stream of that number, which may begin; nil is one that is over, or for
// which there is no room.
func (c *Conversation) stream(id int64) *stream {
	if s := c.streams[id]; s != nil {
		return s
	}
	if c.done.has(id) || len(c.streams) >= maxStreams || len(c.streams) >= fewStreams && c.Shared.Full() {
		return nil
	}
	var s *stream
	if n := len(c.free); n > 0 {
		s, c.free = c.free[n-1], c.free[:n-1]
		buf := [2][]byte{s.half[0].payload, s.half[1].payload}
		*s = stream{}
		s.half[0].payload, s.half[1].payload = buf[0][:0], buf[1][:0]
	} else {
		s = &stream{}
	}
	s.id = id
	switch {
	case id&unidirectional != 0:
		s.kind = untyped
	case id&fromServer != 0:
		s.kind = ignored // an extension's (RFC 9114, 6.1)
	}
	if c.streams == nil {
		c.streams = map[int64]*stream{}
	}
	c.streams[id] = s
	c.Shared.Hold(streamBytes)
	return s
}

// release gives back what a stream took.
func (c *Conversation) release(s *stream) {
	c.Shared.Hold(-streamBytes)
	for side := range s.half {
		c.empty(&s.half[side].reader)
	}
}

// forget lets go of a stream that is over.
func (c *Conversation) forget(s *stream) {
	delete(c.streams, s.id)
	c.release(s)
	c.done.add(s.id)
	if len(c.free) < 64 && cap(s.half[0].payload)+cap(s.half[1].payload) <= 64<<10 {
		c.free = append(c.free, s)
	}
}

// typed reads the type of a unidirectional stream (RFC 9114, 6.2), and returns what follows it.
func (c *Conversation) typed(s *stream, from talk.Side, b []byte) []byte {
	kind, rest, ok := s.half[from].number(b)
	if !ok {
		return nil
	}
	switch kind {
	case wire.StreamControl:
		s.kind = control
	case wire.StreamEncoder:
		s.kind, c.encoder[from] = encoder, s.id
	default:
		s.kind = ignored // of pushes, of the decoder, of nobody
	}
	return rest
}

// Gap says that n bytes of a stream are missing; talk.Forever is all that follow.
func (c *Conversation) Gap(id int64, from talk.Side, n int64, m talk.Mark) {
	s := c.stream(id)
	if s == nil {
		return
	}
	switch s.kind {
	case request:
		c.missing(s, from, n, m)
	case control:
		if h := &s.half[from]; !h.skip(n) {
			s.kind = ignored
		} else if h.inside && h.left == 0 {
			h.inside, h.torn = false, false
		}
	case encoder:
		c.tables[from].Lose()
		c.retry()
	case untyped:
		s.kind = ignored
		if c.encoder[from] == 0 { // it may have been this
			c.tables[from].Lose()
			c.retry()
		}
	}
}

// begins takes in the header of a frame, and reports whether its payload is kept.
func (c *Conversation) begins(s *stream, from talk.Side, m talk.Mark) bool {
	h := &s.half[from]
	if s.kind == control {
		return (h.kind == wire.FrameSettings || h.kind == wire.FrameGoAway) && h.left <= maxControl
	}
	return c.messageFrame(s, from, m)
}

// ends takes in the payload of a frame that is kept; whole says that nothing of it is missing.
func (c *Conversation) ends(s *stream, from talk.Side, payload []byte, whole bool, m talk.Mark) {
	h := &s.half[from]
	switch {
	case s.kind == request && h.kind == wire.FrameHeaders:
		if !whole {
			payload = nil
		}
		c.section(s, from, payload, m)
	case !whole:
	case h.kind == wire.FrameSettings:
		c.settings(from, payload)
	case h.kind == wire.FrameGoAway:
		c.goAway(from, payload, m)
	}
}

// settings takes in what a side says of itself.
func (c *Conversation) settings(from talk.Side, payload []byte) {
	most := uint64(0)
	for len(payload) > 0 {
		s, rest, err := wire.ParseSetting(payload)
		if err != nil {
			break
		}
		if s.ID == wire.SettingTableCapacity {
			most = s.Value
		}
		payload = rest
	}
	c.tables[from.Other()].SetMax(most)
	c.retry()
}

// goAway takes in that a side takes no new requests, or of a client no new pushes (RFC 9114,
// 5.2). An ID may be said again, and is lower then.
func (c *Conversation) goAway(from talk.Side, payload []byte, m talk.Mark) {
	last, n, err := wire.ParseVarint(payload)
	if err != nil || n != len(payload) {
		return
	}
	g, ok := c.GoAway.Get()
	switch {
	case !ok:
		g = trace.GoAway{By: from.Peer(), At: m.At, Last: int64(last)}
	case g.By == from.Peer():
		g.Last = int64(last)
	}
	c.GoAway = linger.Known(g)
}

// retry reads heads that have waited, as far as they wait no longer.
func (c *Conversation) retry() {
	if len(c.waiting) == 0 {
		return
	}
	list := c.waiting
	c.waiting = nil
	for _, s := range list {
		s.waits = false
		c.drain(s, talk.Client, false)
		c.drain(s, talk.Server, false)
		c.settle(s)
	}
}

// Close says that the connection has ended, and why. What is open is handed on, in the order
// of its streams.
func (c *Conversation) Close(why string) {
	ids := make([]int64, 0, len(c.streams))
	for id, s := range c.streams {
		if s.kind == request {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		s := c.streams[id]
		c.drain(s, talk.Client, true)
		c.drain(s, talk.Server, true)
		if s.begun {
			c.hand(s, why)
		}
	}
	for _, s := range c.streams {
		c.release(s)
	}
	c.streams, c.waiting, c.held = nil, nil, 0
}

// CodeName returns the name of an error code (RFC 9114, 8.1; RFC 9204, 6), or its number.
func CodeName(code uint64) string { return wire.HTTP3ErrorName(code) }

// A finished is which streams are over: of each kind those below a number, and some above it.
type finished struct {
	below [4]int64
	above map[int64]struct{}
}

func (f *finished) has(id int64) bool {
	if id < f.below[id&3] {
		return true
	}
	_, ok := f.above[id]
	return ok
}

func (f *finished) add(id int64) {
	low := &f.below[id&3]
	if id != max(*low, id&3) {
		if f.above == nil {
			f.above = map[int64]struct{}{}
		}
		if len(f.above) < maxStreams {
			f.above[id] = struct{}{}
		}
		return
	}
	for next := id + 4; ; next += 4 {
		*low = next
		if _, ok := f.above[next]; !ok {
			return
		}
		delete(f.above, next)
	}
}
