// Package http2 reads the two streams of bytes of an HTTP/2 connection as they passed, in the
// clear or decrypted, and makes records of its exchanges (RFC 9113). It is a machine without
// I/O: who has the bytes in order hands them in.
//
// Content is not read: Data returns how many of the next bytes it has no use for. Where bytes
// are missing within a frame, the next one is where the frame's length says; else frames are
// looked for in the pieces that follow, and that is counted. What a server pushes is no
// exchange: nobody has asked for it, and nobody waits for it.
package http2

import (
	"time"

	"linger"
	"linger/capture/fields"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

// Bounds on what is held of one connection.
const (
	maxStreams = 10_000 // that are open at once
	fewStreams = 100    // that a connection may have open however many all have
	// streamBytes is what an open stream takes, beside its URL.
	streamBytes = 1 << 10
	maxBlock    = 1 << 20 // a head, in bytes
	maxControl  = 1 << 14 // a frame of any other type that is read
	maxURLs     = 4 << 20 // the URLs of open streams, in bytes; those beyond are not kept
	recents     = 64      // streams that have ended, remembered where the history has holes
)

// A Conversation is one connection. The zero value with Shared and Began set is one that begins.
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

	side    [2]reader
	started bool
	open    []*stream // by their identifiers
	free    []*stream
	highest uint32          // the client's last stream
	recent  [recents]uint32 // streams that have ended
	ended   int             // how many there were
	holes   bool            // a request may have been missed
	doubt   bool            // the windows are not known
	last    linger.Protocol // what the last exchange was of
	head    head            // the one that is read
	line    []byte          // room for a URL
	url     string          // the last one
	urls    int             // bytes of those of open streams
}

// A state is what a reader expects next.
type state uint8

const (
	header  state = iota // the header of a frame, or the rest of it
	preface              // the client's, or the rest of it
	payload              // of a frame that is read
	padding              // the length of the padding of DATA
	keeping              // content that is kept
	rest                 // what is left of a frame of which a part is missing
	passed               // the frame has ended, once what is skipped has passed
	lost                 // where the next frame begins is not known
	over                 // nothing more comes
)

// A reader reads one side's bytes.
type reader struct {
	state   state
	buf     []byte    // of a header or a payload that has not ended
	frame   frame     // the one under way
	began   talk.Mark // where it began
	left    int       // of the content that is kept, or of a frame
	padded  int       // how much padding is behind the content of DATA
	last    talk.Mark // of the last data that was handed in
	torn    bool      // frames were lost, and not found again
	longest int       // of a frame that the other side takes

	block  block
	fields fields.HPACK
	flow   flow
}

// Protocol is what the connection has carried: of DNS, where all its exchanges so far were.
func (c *Conversation) Protocol() linger.Protocol {
	if c.last == "" {
		return linger.H2
	}
	return c.last
}

// start sets up a connection of which nothing has been read.
func (c *Conversation) start() {
	if c.started {
		return
	}
	c.started = true
	for side := range c.side {
		r := &c.side[side]
		r.longest, r.flow = wire.FrameSize, flow{window: wire.FirstWindow, first: wire.FirstWindow}
		if !c.Began {
			r.state, c.holes, c.doubt = lost, true, true
			r.fields.Lose()
		}
	}
	if c.Began {
		c.side[talk.Client].state = preface
	}
}

// Data takes the next bytes of a side, all of them, and returns how many of those that follow it
// has no use for. What it had no use for before counts as passed. m is where the bytes were, or
// if there are none, where the last one was that was skipped.
func (c *Conversation) Data(from talk.Side, b []byte, m talk.Mark) (skip int64) {
	c.start()
	r := &c.side[from]
	r.last = m
	for {
		var n int
		switch r.state {
		case preface, header:
			n, skip = c.header(from, b, m)
		case payload:
			n = c.payload(from, b, m)
		case padding:
			if len(b) > 0 {
				n, r.padded = 1, min(int(b[0]), r.frame.length-1)
				skip = c.content(from, r.frame.length-1-r.padded)
			}
		case keeping:
			n, skip = c.keep(from, b)
		case rest:
			r.state, skip = passed, int64(r.left)
		case passed:
			c.done(from, m)
		case lost:
			if n = c.find(from, b); n < 0 {
				return 0
			}
		case over:
			return talk.Forever
		}
		if b = b[n:]; skip > 0 {
			if skip > int64(len(b)) {
				return skip - int64(len(b))
			}
			b, skip = b[skip:], 0
			continue // the state says what comes behind
		}
		if len(b) == 0 && r.state != passed && r.state != rest && r.state != over {
			return 0
		}
	}
}

// header reads the header of a frame, or the preface of the client, and returns how many bytes
// that took and how many follow that are of no use.
func (c *Conversation) header(from talk.Side, b []byte, m talk.Mark) (n int, skip int64) {
	r := &c.side[from]
	size := wire.FrameHeaderSize
	if r.state == preface {
		size = wire.PrefaceSize
	}
	if len(r.buf) == 0 {
		r.began = m
	}
	if n = min(len(b), size-len(r.buf)); n < size {
		r.buf = append(r.buf, b[:n]...)
		if len(r.buf) < size {
			return n, 0
		}
		b, r.buf = r.buf, r.buf[:0]
	}
	if r.state == preface {
		if r.state = header; string(b[:size]) != clientPreface {
			c.lose(from)
		}
		return n, 0
	}
	r.frame = readFrame(b)
	return n, c.begin(from, m)
}

// clientPreface begins what a client says (RFC 9113, 3.4).
const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// begin takes in the header of a frame, and returns how many of the bytes that follow are of no
// use.
func (c *Conversation) begin(from talk.Side, m talk.Mark) (skip int64) {
	r := &c.side[from]
	f := r.frame
	if !f.valid() {
		c.lose(from)
		return 0
	}
	if r.block.open && (f.kind != frameContinuation || f.stream != r.block.stream) {
		c.cut(from) // "a connection error of type PROTOCOL_ERROR" (RFC 9113, 6.10)
	}
	most := maxControl
	switch f.kind {
	case frameData:
		c.resume(from, f, r.began)
		if f.flags&flagPadded != 0 && f.length > 0 {
			r.state = padding
			return 0
		}
		r.padded = 0
		return c.content(from, f.length)
	case frameHeaders, framePushPromise, frameContinuation:
		if most = maxBlock; r.block.open {
			most -= len(r.block.bytes)
		}
		if f.length > most {
			c.cut(from)
			r.fields.Lose()
		}
	case frameReset, frameSettings, framePing, frameGoAway, frameWindowUpdate:
	default:
		most = -1
	}
	r.state = payload
	if f.length > most {
		r.state = passed
		return int64(f.length)
	}
	return 0
}

// content begins the content of DATA.
func (c *Conversation) content(from talk.Side, n int) (skip int64) {
	r := &c.side[from]
	x := c.stream(r.frame.stream)
	if x != nil {
		x.body(from, int64(n), int64(wire.FrameHeaderSize+r.frame.length-n))
		if x.content.Wanted(from) && n > 0 {
			r.state, r.left = keeping, n
			return 0
		}
	}
	r.state = passed
	return int64(n + r.padded)
}

// keep takes content that is kept.
func (c *Conversation) keep(from talk.Side, b []byte) (n int, skip int64) {
	r := &c.side[from]
	n = min(len(b), r.left)
	if x := c.stream(r.frame.stream); x != nil {
		x.content.Add(from, b[:n])
	}
	if r.left -= n; r.left > 0 {
		return n, 0
	}
	r.state = passed
	return n, int64(r.padded)
}

// payload takes bytes of a frame that is read, and reads it when it is whole.
func (c *Conversation) payload(from talk.Side, b []byte, m talk.Mark) (n int) {
	r := &c.side[from]
	if n = min(len(b), r.frame.length-len(r.buf)); n < r.frame.length {
		r.buf = append(r.buf, b[:n]...)
		if len(r.buf) < r.frame.length {
			return n
		}
		b, r.buf = r.buf, r.buf[:0]
	}
	r.state = header
	c.read(from, b[:r.frame.length], m)
	c.heard(r.frame.kind, m)
	return n
}

// heard takes in that a frame has ended.
func (c *Conversation) heard(kind byte, m talk.Mark) {
	if kind != framePing && kind != frameGoAway && m.At >= c.LastByte.Or(m.At) {
		c.LastByte = linger.Known(m.At)
	}
}

// done ends a frame whose payload was skipped.
func (c *Conversation) done(from talk.Side, m talk.Mark) {
	r := &c.side[from]
	r.state = header
	c.heard(r.frame.kind, m)
	if r.frame.kind != frameData {
		return
	}
	x := c.stream(r.frame.stream)
	end := r.frame.flags&flagEnd != 0
	c.spend(from, x, r.frame.length, end, m)
	if x != nil && end {
		c.end(from, x, m)
	}
}

// find looks for a frame in what is lost, and returns where; less than 0 if there is none.
func (c *Conversation) find(from talk.Side, b []byte) int {
	r := &c.side[from]
	for i := 0; i+wire.FrameHeaderSize <= len(b) && i < maxControl; i++ {
		if from == talk.Client && b[i] == clientPreface[0] && len(b)-i >= len(clientPreface) && string(b[i:i+len(clientPreface)]) == clientPreface {
			i += len(clientPreface)
		} else if b[i] != 0 || b[i+1] > wire.FrameSize>>8 {
			continue
		} else if looks := Looks(b[i:], from); looks == No || looks == Maybe && (i > 0 || c.stream(readFrame(b).stream) == nil) {
			continue
		}
		if r.torn {
			r.torn = false
			c.Resynced++
		}
		r.state, r.buf = header, r.buf[:0]
		return i
	}
	return -1
}

// lose takes in that frames of a side are missing, and that where the next one begins is not
// known.
func (c *Conversation) lose(from talk.Side) {
	r := &c.side[from]
	r.state, r.torn, r.buf, r.block.open = lost, true, r.buf[:0], false
	r.fields.Lose()
	c.doubt = true
	if from == talk.Client {
		c.holes = true
	}
	for _, x := range c.open {
		x.torn[from] = true
		x.content.Lose(from)
	}
}

// Gap says that the next n bytes of a side are missing, beyond those of no use; 0 is that it is
// not known how many.
func (c *Conversation) Gap(from talk.Side, n int64, m talk.Mark) {
	c.start()
	r := &c.side[from]
	var left int64 // of the frame under way
	switch r.state {
	case over, lost:
		return
	case passed:
		c.done(from, m)
	case rest:
		left = int64(r.left)
	case payload:
		left = int64(r.frame.length - len(r.buf))
		if 0 < n && n <= left {
			c.part(from, m)
		}
	case padding:
		left, r.padded = int64(r.frame.length), 0
		c.content(from, r.frame.length-1)
		if x := c.stream(r.frame.stream); x != nil {
			x.Known = trace.Inferred // by the padding
		}
	case keeping:
		left = int64(r.left + r.padded)
		if x := c.stream(r.frame.stream); x != nil {
			x.content.Lose(from)
		}
	}
	if left == 0 || n <= 0 || n > left {
		c.lose(from)
		return
	}
	r.state, r.buf, r.left = rest, r.buf[:0], int(left-n)
}

// part reads what there is of a frame of which a part is missing.
func (c *Conversation) part(from talk.Side, m talk.Mark) {
	r := &c.side[from]
	switch r.frame.kind {
	case frameHeaders, framePushPromise, frameContinuation:
		r.block.torn = true
		c.read(from, r.buf, m)
	case frameSettings, frameWindowUpdate:
		c.doubt = true
	case frameReset:
		if x := c.stream(r.frame.stream); x != nil {
			x.torn[from] = true
		}
	}
}
