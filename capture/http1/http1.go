// Package http1 reads the two streams of bytes of an HTTP/1 connection as they passed, and
// makes records of its exchanges (RFC 9112). It is a machine without I/O: who has the
// bytes in order hands them in.
//
// Bodies are not read, but for messages of DNS whose length the head says (talk.Content):
// Data returns how many of the next bytes it has no use for. Where bytes are missing, it goes on;
// if it was in a head or in chunked framing, it looks for the next message at the beginnings of
// the pieces that follow, and counts that.
package http1

import (
	"linger"
	"linger/capture/talk"
	"linger/trace"
)

// Bounds on what is held of one connection.
const (
	maxHead    = 64 << 10 // a head, or the trailers of a body, in bytes
	maxPending = 1000     // requests without a response
)

// Shared is what the conversations of one reader have in common.
type Shared struct {
	*talk.Shared

	// Rest is what follows the response that has made a tunnel.
	Rest []byte

	free []*pending
	head head   // the one that is read
	line []byte // room for a URL that is put together
}

// A Conversation is one connection. The zero value with Shared set is one that begins.
type Conversation struct {
	Shared *Shared
	// Connection is its number, Known how its exchanges are known (empty is seen), Scheme what
	// URLs begin with (empty is http).
	Connection int64
	Known      trace.How
	Scheme     string
	// Authority is what URLs have where a request names no host.
	Authority string
	// Deaf says that nothing of the server has been captured.
	Deaf bool

	// Requests and Responses count what was seen, interim responses apart.
	Requests, Responses int64
	// Resynced counts the times that messages were found again after missing bytes.
	Resynced int64
	// Host, Agent and Software are those of the first messages that have them.
	Host, Agent, Software string
	// Version is the highest that a message named: "1.1", "1.0" or "0.9".
	Version string
	// Announced is the first message that said Connection: close, and AnnouncedBy whose.
	Announced   linger.Opt[talk.Mark]
	AnnouncedBy talk.Side
	// Tunnel is set when a response has made the connection a tunnel: the target of
	// CONNECT. Upgraded is what it was upgraded to (101). What follows is not HTTP/1; of a
	// tunnel, Shared.Rest is what of it Data was given, valid until the next call.
	Tunnel, Upgraded string
	// Handed is the exchange that goes on in HTTP/2 where the connection was upgraded to that:
	// it is not emitted here, and Shared.Rest is as of a tunnel. Else it is nil.
	Handed *trace.Exchange

	side      [2]reader
	queue     []*pending // requests without a complete response, the oldest first
	current   *pending   // whose response has begun; it is queue[0], or of no known request
	pipelined bool       // the client is known to send before it is answered
	recovered bool       // the next response is the first after missing bytes
}

// pending is an exchange that has not ended.
type pending struct {
	trace.Exchange
	talk.Content
	head  bool // the method is HEAD
	old   bool // HTTP/0.9
	whole bool // the request has ended
}

// A state is what a reader expects next.
type state uint8

const (
	start   state = iota // the first line of a message, or the rest of its head
	body                 // the body has ended, once what is skipped has passed
	keeping              // a body that is kept (talk.Content)
	chunk                // the size of a chunk
	trailer              // the fields behind the last chunk
	toEnd                // a body that lasts until the connection ends
	lost                 // somewhere in a message: where the next one begins is not known
	opaque               // no HTTP/1 any more
)

// A reader reads one side's bytes.
type reader struct {
	state   state
	buf     []byte    // of a head or a line that has not ended
	began   talk.Mark // where that began
	scanned int       // bytes of it in which no end was found
	size    int64     // of the body so far
	want    int64     // bytes of a body that is kept which are to come
	last    talk.Mark // of the last data that was handed in
}

// Data takes the next bytes of a side, all of them, and returns how many of those that
// follow it has no use for. What it had no use for before counts as passed. m is where the
// bytes were, or if there are none, where the last one was that was skipped.
func (c *Conversation) Data(from talk.Side, b []byte, m talk.Mark) (skip int64) {
	r := &c.side[from]
	r.last = m
	for {
		var n int
		switch r.state {
		case start:
			n, skip = c.start(from, b, m)
		case body:
			c.ended(from, m)
		case keeping:
			n = c.keep(from, b)
		case chunk:
			n, skip = c.chunk(from, b, m)
		case trailer:
			n = c.trailer(from, b, m)
		case lost:
			if !c.found(from, b) {
				r.size += int64(len(b))
				return 0
			}
		case toEnd, opaque:
			c.Shared.Rest = b
			return talk.Forever
		}
		if b = b[n:]; skip > 0 {
			if skip > int64(len(b)) {
				return skip - int64(len(b))
			}
			b, skip = b[skip:], 0
			continue // the state says what comes behind
		}
		if len(b) == 0 && r.state != body && r.state != opaque {
			return 0
		}
	}
}

// found looks for the beginning of a message in what is lost.
func (c *Conversation) found(from talk.Side, b []byte) bool {
	if from == talk.Client && LooksRequest(b) != Yes || from == talk.Server && LooksResponse(b) != Yes {
		return false
	}
	c.Resynced++
	if from == talk.Server {
		c.recovered = true
		c.let(c.side[talk.Server].last)
	}
	c.side[from].state, c.side[from].buf, c.side[from].scanned = start, nil, 0
	return true
}

// let ends the response that has begun, whose end is not known.
func (c *Conversation) let(m talk.Mark) {
	if x := c.current; x != nil {
		x.Known = trace.Inferred
		x.ResponseBody = c.side[talk.Server].size
		c.finish(x, m, "")
	}
}

// Gap says that the next n bytes of a side are missing, beyond what it has no use for.
func (c *Conversation) Gap(from talk.Side, n int64, m talk.Mark) {
	r := &c.side[from]
	switch r.state {
	case toEnd, opaque:
		return
	case start:
		if len(r.buf) > 0 {
			c.salvage(from, m)
		}
	case body:
		c.ended(from, m)
	case keeping:
		if n <= r.want {
			if x := c.holds(from); x != nil {
				x.Lose(from)
			}
			if r.want -= n; r.want == 0 {
				r.state = body
			}
			return
		}
	}
	r.size += n
	r.buf, r.scanned, r.state = nil, 0, lost
}

// End says that a side sends nothing more, and why (Cut, Reset, StillGoing). Of what Data
// had no use for, left bytes did not come; last is where the last one was that came. Each
// side ends once; then the rest of its requests is up to Close.
func (c *Conversation) End(from talk.Side, why string, left int64, last talk.Mark) {
	r := &c.side[from]
	if r.state == opaque {
		return
	}
	if r.state == body && left == 0 {
		c.ended(from, last) // the last of it was missing
	}
	if r.state == keeping {
		left = r.want
	}
	if from == talk.Client {
		if n := len(c.queue); n > 0 && !c.queue[n-1].whole {
			x := c.queue[n-1]
			x.RequestBody = max(x.RequestBody-left, 0)
			x.Failed = why
			if why == talk.Cut {
				x.Failed = talk.CutRequest
			}
		}
		r.state = opaque
		return
	}
	if r.state == start && len(r.buf) > 0 {
		c.salvage(from, last)
		r.state = lost
	}
	switch x := c.current; {
	case x == nil:
	case r.state == toEnd:
		x.ResponseBody = talk.Forever - left
		if why == talk.Cut {
			why = "" // that is how it ends
		}
		c.finish(x, last, why)
	case r.state == lost:
		c.let(last)
	default:
		if r.state != body && r.state != keeping {
			x.ResponseBody = r.size
		}
		x.ResponseBody = max(x.ResponseBody-left, 0)
		x.Failed = why
		c.drop(x)
	}
	r.state = opaque
}

// Close ends what has not ended, with the reason for what was not answered.
func (c *Conversation) Close(why string) {
	if x := c.current; x != nil && (len(c.queue) == 0 || c.queue[0] != x) {
		if x.Failed == "" {
			x.Failed = why
		}
		c.drop(x)
	}
	for len(c.queue) > 0 {
		x := c.queue[0]
		if x.Failed == "" {
			x.Failed = why
		}
		c.drop(x)
	}
}

// Waiting reports whether a request has not been answered in full.
func (c *Conversation) Waiting() bool { return len(c.queue) > 0 || c.current != nil }

// request takes in the head of a request.
func (c *Conversation) request(h *head, m talk.Mark, cut bool) (skip int64) {
	r := &c.side[talk.Client]
	server := &c.side[talk.Server]
	if server.state == lost && !c.pipelined {
		c.let(server.last)
	}
	missed := c.Deaf || server.state == lost && !c.pipelined // the responses so far
	for len(c.queue) > 0 && (missed || len(c.queue) >= maxPending) {
		c.queue[0].Failed = talk.NotCaptured
		c.drop(c.queue[0])
	}
	c.Requests++
	x := c.take()
	x.Number = int(c.Requests)
	x.Method = c.Shared.Text(h.method)
	x.Queued, x.Sent = r.began.At, linger.Known(r.began.At)
	x.Frames = trace.Frames{First: r.began.Frame, Last: m.Frame, FirstFile: r.began.File, LastFile: m.File}
	x.RequestHead = h.size
	x.Asked = h.said(c.Shared)
	x.Referer = linger.WithoutUser(c.Shared.Text(h.referer))
	x.head, x.old = x.Method == "HEAD", h.version == versionNone
	if c.Host == "" {
		c.Host = c.Shared.Text(h.host)
	}
	if c.Agent == "" {
		c.Agent = c.Shared.Text(h.agent)
	}
	if !cut || h.version != versionNone {
		x.URL = c.url(h)
	}
	c.announce(talk.Client, h, m)
	if len(h.contentType) > 0 {
		x.Begin(c.Shared.Shared, talk.Client, c.Shared.Text(mediaType(h.contentType)))
	}
	c.queue = append(c.queue, x)
	if cut {
		x.Known, x.RequestHead = trace.Inferred, 0
		x.whole = true
		return 0
	}
	return c.framing(talk.Client, h, m, h.requestBody())
}

// response takes in the head of a response.
func (c *Conversation) response(h *head, m talk.Mark, cut bool) (skip int64) {
	r := &c.side[talk.Server]
	if h.status/100 == 1 && h.status != 101 {
		return 0 // an interim one; the state stays
	}
	if len(c.queue) > 1 && !c.recovered {
		c.pipelined = true
	}
	for len(c.queue) > 1 && !c.pipelined {
		// Nothing says that this client sends before it is answered, and responses are
		// missing: this one answers its last request.
		c.queue[0].Failed = talk.NotCaptured
		c.drop(c.queue[0])
	}
	c.recovered = false
	c.Responses++
	var x *pending
	if len(c.queue) > 0 {
		x = c.queue[0]
	} else {
		x = c.take() // its request was not captured
		x.Queued = r.began.At
		x.Frames = trace.Frames{First: r.began.Frame, FirstFile: r.began.File}
	}
	c.current = x
	x.FirstByte = linger.Known(r.began.At)
	x.Status, x.ResponseHead, x.ContentType = h.status, h.size, c.Shared.Text(mediaType(h.contentType))
	x.Answered = h.said(c.Shared)
	x.Begin(c.Shared.Shared, talk.Server, x.ContentType)
	x.AnswerFrames = trace.Frames{First: r.began.Frame, Last: m.Frame, FirstFile: r.began.File, LastFile: m.File}
	if c.Software == "" {
		c.Software = c.Shared.Text(h.server)
	}
	if len(h.location) > 0 {
		x.Redirect = absolute(x.URL, talk.Clip(h.location))
	}
	c.announce(talk.Server, h, m)
	r.size = 0
	if cut {
		x.Known, x.ResponseHead = trace.Inferred, 0
		return 0
	}
	switch {
	case h.status == 101:
		c.Upgraded = talk.Clip(h.upgrade)
		if c.Upgraded == "" {
			c.Upgraded = "unknown"
		}
		c.side[talk.Client].state, r.state = opaque, opaque
		if c.Upgraded == h2c {
			c.hand(x)
			return 0
		}
		c.finish(x, m, "")
		return talk.Forever
	case x.Method == "CONNECT" && x.URL != "" && h.status/100 == 2: // RFC 9110, 9.3.6
		c.Tunnel = x.URL
		c.finish(x, m, "")
		c.side[talk.Client].state, r.state = opaque, opaque
		return 0
	}
	return c.framing(talk.Server, h, m, h.responseBody(x.head))
}

// h2c is what a connection in the clear is upgraded to HTTP/2 by (RFC 7540, 3.2).
const h2c = string(linger.H2) + "c"

// hand lets go of an exchange whose response comes in HTTP/2.
func (c *Conversation) hand(x *pending) {
	asked := x.Exchange
	asked.Status, asked.ResponseHead, asked.ContentType, asked.Redirect = 0, 0, "", ""
	asked.FirstByte, asked.Answered, asked.AnswerFrames = linger.Opt[linger.Instant]{}, trace.Said{}, trace.Frames{}
	c.Handed = &asked
	if len(c.queue) > 0 && c.queue[0] == x {
		c.queue = append(c.queue[:0], c.queue[1:]...)
	}
	c.current = nil
	c.Shared.free = append(c.Shared.free, x)
}

// framing begins a body.
func (c *Conversation) framing(from talk.Side, h *head, m talk.Mark, length int64) (skip int64) {
	r := &c.side[from]
	switch {
	case length == lengthWrong:
		r.state, r.size = lost, 0
		return 0
	case length == lengthChunked:
		r.state, r.size = chunk, 0
		return 0
	case length == lengthToEnd:
		r.state = toEnd
		return talk.Forever
	case from == talk.Client:
		c.queue[len(c.queue)-1].RequestBody = length
	default:
		c.current.ResponseBody = length
	}
	if length == 0 {
		c.ended(from, m)
		return 0
	}
	r.state = body
	if x := c.holds(from); x != nil && x.Wanted(from) {
		r.state, r.want = keeping, length
		return 0
	}
	return length
}

// holds returns the exchange whose message a side is in; nil is one that is over.
func (c *Conversation) holds(from talk.Side) *pending {
	switch n := len(c.queue); {
	case from == talk.Server:
		return c.current
	case n > 0 && !c.queue[n-1].whole:
		return c.queue[n-1]
	}
	return nil
}

// keep takes the next bytes of a body that is kept, and returns how many of b are its.
func (c *Conversation) keep(from talk.Side, b []byte) int {
	r := &c.side[from]
	n := min(int64(len(b)), r.want)
	if x := c.holds(from); x != nil {
		x.Add(from, b[:n])
	}
	if r.want -= n; r.want == 0 {
		r.state = body
	}
	return int(n)
}

// ended ends the message of a side.
func (c *Conversation) ended(from talk.Side, m talk.Mark) {
	r := &c.side[from]
	chunked := r.state == trailer
	r.state = start
	if from == talk.Client {
		if n := len(c.queue); n > 0 {
			x := c.queue[n-1]
			x.whole = true
			if chunked {
				x.RequestBody = r.size
			}
			if x != c.current {
				x.Frames.Last, x.Frames.LastFile = m.Frame, m.File
			}
		}
		return
	}
	if x := c.current; x != nil {
		if chunked {
			x.ResponseBody = r.size
		}
		c.finish(x, m, "")
	}
}

// finish ends an exchange whose last byte has passed.
func (c *Conversation) finish(x *pending, m talk.Mark, failed string) {
	x.Done = linger.Known(m.At)
	x.Frames.Last, x.Frames.LastFile = m.Frame, m.File
	x.AnswerFrames.Last, x.AnswerFrames.LastFile = m.Frame, m.File
	if x.Failed == "" {
		x.Failed = failed
	}
	c.drop(x)
}

// drop hands an exchange on as it is.
func (c *Conversation) drop(x *pending) {
	if len(c.queue) > 0 && c.queue[0] == x {
		c.queue = append(c.queue[:0], c.queue[1:]...)
	}
	if c.current == x {
		c.current = nil
	}
	if x.Known == "" {
		x.Known = c.Known
	}
	c.Shared.Hand(c.Protocol(), &x.Exchange, &x.Content)
	c.Shared.free = append(c.Shared.free, x)
}

// announce takes in what a message says of the connection.
func (c *Conversation) announce(by talk.Side, h *head, m talk.Mark) {
	if v := h.version.String(); v > c.Version {
		c.Version = v
	}
	if h.close && c.Announced.IsZero() {
		c.Announced, c.AnnouncedBy = linger.Known(m), by
	}
}

// Protocol is what is spoken: HTTP/1.1, HTTP/1.0 or HTTP/0.9.
func (c *Conversation) Protocol() linger.Protocol {
	switch c.Version {
	case linger.HTTP11.Version():
		return linger.HTTP11
	case linger.HTTP10.Version():
		return linger.HTTP10
	}
	return linger.HTTP09
}

// take returns an exchange to fill in.
func (c *Conversation) take() *pending {
	s := c.Shared
	var x *pending
	if n := len(s.free); n > 0 {
		x, s.free = s.free[n-1], s.free[:n-1]
		*x = pending{}
	} else {
		x = &pending{}
	}
	x.ID, x.Connection, x.Attempts = s.Next(), c.Connection, 1
	return x
}
