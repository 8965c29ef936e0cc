package http3

import (
	"bytes"
	"time"

	"linger"
	"linger/capture/fields"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

const (
	// frameWebTransport begins a stream that is WebTransport's and has no frames
	// (draft-ietf-webtrans-http3, 4.2).
	frameWebTransport = 0x41
	// maxWaiting bounds the streams with heads that wait, and maxGuessed those of them whose
	// content is kept until a head says whether it is wanted.
	maxWaiting, maxGuessed = 1000, 16
)

// A half is one direction of the stream of an exchange.
type half struct {
	reader
	first, last talk.Mark // of its bytes
	spoken      bool
	head        bool      // the head has been read, not an interim one
	waiting     []section // heads that wait for what they refer to
	body        int64     // bytes of the content so far
	fin         bool      // its end has passed
	over        bool      // nothing more comes, or none of it matters
}

// A section is a head, or trailers, compressed.
type section struct {
	b           []byte // nil is lost
	size        int64
	first, last talk.Mark
}

// holds is what a section that waits counts for: an empty one takes room, too.
func (s *section) holds() int { return len(s.b) + 128 }

// An exchange is what a stream of a request is.
type exchange struct {
	trace.Exchange
	talk.Content
	begun, asked bool
	unread       bool
	stopped      bool   // the client wanted no more of the response before that ended
	reason       string // why either gave it up
	missed       bool   // what follows of the response is not captured
}

// A head is what has been read of one.
type head struct {
	method, agent, server, content, location, referer string
	scheme, authority, path                           []byte
	protocol, credentials                             bool
	status                                            int
}

// message takes the next bytes of one direction of an exchange.
func (c *Conversation) message(s *stream, from talk.Side, b []byte, fin bool, m talk.Mark) {
	h := &s.half[from]
	if !h.spoken {
		h.spoken, h.first = true, m
	}
	h.last = m
	c.frames(s, from, b, m)
	switch {
	case s.kind == ignored && fin:
		c.forget(s)
	case fin:
		h.fin, h.over = true, true
		c.settle(s)
	}
}

// messageFrame takes in the header of a frame of a message, and reports whether its payload is
// kept.
func (c *Conversation) messageFrame(s *stream, from talk.Side, m talk.Mark) bool {
	h := &s.half[from]
	if !s.begun && from == talk.Client && h.kind == frameWebTransport {
		s.kind = ignored
		return false
	}
	c.begin(s, from)
	if h.kind != wire.FrameHeaders {
		return false
	}
	if h.length > maxSection {
		c.section(s, from, nil, m)
		return false
	}
	return true
}

// begin makes a record of an exchange whose first bytes have come.
func (c *Conversation) begin(s *stream, from talk.Side) {
	h, x := &s.half[from], &s.Exchange
	if !s.begun {
		s.begun = true
		x.ID, x.Connection, x.Attempts, x.Stream = c.Shared.Next(), c.Connection, 1, linger.Known(s.id)
		if x.Known == "" {
			x.Known = trace.Decrypted
		}
		x.Queued = h.first.At
		x.Frames = trace.Frames{First: h.first.Frame, FirstFile: h.first.File}
		// Where only the response can be read, as of early data without its secret, it was
		// a request all the same.
		c.Requests++
		x.Number = int(c.Requests)
	}
	if from == talk.Client && !s.asked {
		s.asked = true
		if h.spoken {
			x.Sent = linger.Known(h.first.At)
		}
	}
}

// missing says that n bytes of one direction of an exchange were not captured.
func (c *Conversation) missing(s *stream, from talk.Side, n int64, m talk.Mark) {
	h := &s.half[from]
	data := h.inside && h.kind == wire.FrameData
	if !h.spoken && !s.begun {
		h.first = m // of which the time is not known, so that it does not count as spoken
	}
	left := h.left
	whole := h.skip(n)
	if data {
		h.body += min(n, left)
	}
	s.Lose(from)
	if !whole {
		s.Known = trace.Inferred
		if n == talk.Forever {
			h.over, s.missed = true, s.missed || from == talk.Server
		}
	}
	c.begin(s, from)
	if whole && h.left == 0 {
		h.inside = false
		if h.kept {
			c.ends(s, from, nil, false, m)
		}
	}
	c.settle(s)
}

// add takes the next bytes of a message's content.
func (c *Conversation) add(s *stream, from talk.Side, b []byte) {
	h := &s.half[from]
	h.body += int64(len(b))
	if len(h.waiting) > 0 && len(c.waiting) <= maxGuessed {
		s.Guess(c.Shared, from)
	}
	if s.Wanted(from) {
		s.Add(from, b)
	}
}

// section takes in a head, or trailers; nil is one that was not captured. One that refers to what
// has not come yet waits, and with it those that follow it.
func (c *Conversation) section(s *stream, from talk.Side, b []byte, m talk.Mark) {
	h := &s.half[from]
	got := section{b: b, size: h.length, first: h.began, last: m}
	waits := len(h.waiting) > 0 || c.tables[from].Waits(b)
	if waits && c.held+got.holds() <= maxHeld && len(c.waiting) < maxWaiting {
		got.b = bytes.Clone(b)
		c.held += got.holds()
		h.waiting = append(h.waiting, got)
		c.wait(s)
		return
	}
	c.drain(s, from, true)
	c.read(s, from, got)
}

// wait has a stream looked at again when entries have come.
func (c *Conversation) wait(s *stream) {
	if !s.waits {
		s.waits = true
		c.waiting = append(c.waiting, s)
	}
}

// drain reads the heads of a direction that wait no longer, or all.
func (c *Conversation) drain(s *stream, from talk.Side, all bool) {
	h := &s.half[from]
	for len(h.waiting) > 0 && (all || !c.tables[from].Waits(h.waiting[0].b)) {
		got := h.waiting[0]
		h.waiting[0] = section{}
		h.waiting = h.waiting[1:]
		c.held -= got.holds()
		c.read(s, from, got)
	}
	if len(h.waiting) > 0 {
		c.wait(s)
	}
}

// read reads a head, or trailers.
func (c *Conversation) read(s *stream, from talk.Side, got section) {
	if c.emit == nil {
		c.emit = c.field
	}
	c.head = head{scheme: c.head.scheme[:0], authority: c.head.authority[:0], path: c.head.path[:0]}
	c.tables[from].Fields(got.b, c.emit)
	h, x := &s.half[from], &s.Exchange
	if from == talk.Client {
		x.RequestHead += got.size
		if !h.head {
			h.head = true
			c.request(s)
		}
		return
	}
	x.ResponseHead += got.size
	if status := c.head.status; status/100 == 1 || h.head && status == 0 {
		return // an interim response, or trailers
	}
	h.head = true
	c.response(s, got)
}

// field takes in a field of the head that is read.
func (c *Conversation) field(f fields.Field) {
	h := &c.head
	switch f.Name {
	case fields.Method:
		h.method = c.Shared.Text(f.Value)
	case fields.Scheme:
		h.scheme = append(h.scheme[:0], clipped(f.Value)...)
	case fields.Authority:
		h.authority = append(h.authority[:0], clipped(f.Value)...)
	case fields.Host:
		if len(h.authority) == 0 {
			h.authority = append(h.authority, clipped(f.Value)...)
		}
	case fields.Path:
		h.path = append(h.path[:0], f.Value[:min(len(f.Value), talk.MaxURL)]...)
	case fields.Protocol:
		h.protocol = true
	case fields.Status:
		h.status = fields.StatusCode(f.Value)
	case fields.UserAgent:
		h.agent = c.Shared.Text(f.Value)
	case fields.Server:
		h.server = c.Shared.Text(f.Value)
	case fields.ContentType:
		kind, _, _ := bytes.Cut(f.Value, []byte{';'})
		h.content = c.Shared.Text(bytes.TrimSpace(kind))
	case fields.Location:
		h.location = talk.Clip(f.Value)
	case fields.Referer:
		h.referer = c.Shared.Text(f.Value)
	case fields.Cookie, fields.Authorization:
		h.credentials = true
	}
}

// clipped is what is kept of a part of a URL.
func clipped(b []byte) []byte { return b[:min(len(b), talk.MaxValue)] }

// request puts the head of a request into its record.
func (c *Conversation) request(s *stream) {
	h, x := &c.head, &s.Exchange
	x.Method, x.Credentials, x.Referer = h.method, h.credentials, linger.WithoutUser(h.referer)
	tunnel := h.method == "CONNECT" && !h.protocol
	switch {
	case tunnel:
		x.URL = talk.Valid(h.authority)
	case len(h.path) > 0:
		x.URL = c.urlOf(h)
	}
	// A few bytes may name a long one that the table has: streams alone do not bound them.
	if c.urls+len(x.URL) > maxURLs {
		x.URL = ""
	}
	c.urls += len(x.URL)
	c.Shared.Hold(len(x.URL))
	s.unread = h.method == "" || x.URL == ""
	if c.Host == "" {
		c.Host = c.Shared.Text(h.authority)
	}
	if c.Agent == "" {
		c.Agent = h.agent
	}
	s.Begin(c.Shared, talk.Client, h.content)
}

// urlOf returns the absolute URL of a request (RFC 9114, 4.3.1).
func (c *Conversation) urlOf(h *head) string {
	b := c.url[:0]
	if len(h.scheme) > 0 {
		b = append(b, h.scheme...)
	} else {
		b = append(b, linger.SchemeHTTPS...)
	}
	b = append(b, "://"...)
	if len(h.authority) > 0 {
		b = append(b, h.authority...)
	} else {
		b = append(b, c.Authority...)
	}
	if len(h.path) != 1 || h.path[0] != '*' { // "OPTIONS *" is of the server
		b = append(b, h.path...)
	}
	c.url = b
	if bytes.IndexByte(b, '@') >= 0 {
		return linger.WithoutUser(talk.Valid(b))
	}
	return talk.Valid(b)
}

// response puts the head of a response into its record.
func (c *Conversation) response(s *stream, got section) {
	h, x := &c.head, &s.Exchange
	x.Status, x.ContentType, x.FirstByte = h.status, h.content, linger.Known(got.first.At)
	x.AnswerFrames = trace.Frames{First: got.first.Frame, Last: got.last.Frame, FirstFile: got.first.File, LastFile: got.last.File}
	s.unread = s.unread || h.status == 0
	if h.location != "" {
		x.Redirect = talk.Absolute(x.URL, h.location)
	}
	if c.Software == "" {
		c.Software = h.server
	}
	s.Begin(c.Shared, talk.Server, h.content)
}

// Reset says that a side gave a stream up (RESET_STREAM), or, where stop is set, wants no more of
// it (STOP_SENDING).
func (c *Conversation) Reset(id int64, from talk.Side, stop bool, code uint64, m talk.Mark) {
	s := c.streams[id]
	if s == nil {
		return
	}
	if s.kind != request {
		if s.kind == encoder && !stop {
			c.tables[from].Lose()
			c.retry()
		}
		if !stop {
			c.forget(s)
		}
		return
	}
	const noError = 0x100
	server := &s.half[talk.Server]
	if s.reason == "" && (code != noError || !stop) && !server.fin {
		who := "server"
		if from == talk.Client {
			who = "client"
		}
		s.reason = who + " ended the exchange with " + CodeName(code)
		s.Dropped = linger.Known(m.At)
	}
	switch {
	case from == talk.Client && stop:
		s.stopped = s.stopped || !server.fin && code != noError
	case from == talk.Client:
		s.half[talk.Client].over = true
	case stop: // it does not want the rest of the request (RFC 9114, 4.1)
		s.half[talk.Client].over = true
	default:
		s.half[talk.Client].over, server.over = true, true
	}
	if !s.begun {
		if s.half[talk.Client].over && server.over {
			c.forget(s)
		}
		return
	}
	c.settle(s)
}

// settle hands an exchange on if it has ended.
func (c *Conversation) settle(s *stream) {
	client, server := &s.half[talk.Client], &s.half[talk.Server]
	whole := client.over || !s.asked // where nothing of the request was captured, nothing is waited for
	if !whole || !server.over || len(client.waiting)+len(server.waiting) > 0 {
		return
	}
	if s.begun {
		c.hand(s, talk.NoResponse)
	}
	c.forget(s)
}

// hand hands an exchange on that has ended; why is for one that was not answered and that nobody
// gave up.
func (c *Conversation) hand(s *stream, why string) {
	client, server, x := &s.half[talk.Client], &s.half[talk.Server], &s.Exchange
	c.urls -= len(x.URL)
	c.Shared.Hold(-len(x.URL))
	x.RequestBody, x.ResponseBody = client.body, server.body
	last := client.last
	if server.spoken {
		last = server.last
		x.AnswerFrames.Last, x.AnswerFrames.LastFile = last.Frame, last.File
		if x.AnswerFrames.First == 0 {
			x.AnswerFrames.First, x.AnswerFrames.FirstFile = server.first.Frame, server.first.File
		}
	}
	x.Frames.Last, x.Frames.LastFile = max(last.Frame, x.Frames.First), last.File
	cut := server.inside && !server.lost
	switch {
	case server.fin && server.head && !cut && !s.stopped:
		x.Done = linger.Known(server.last.At)
	case server.fin && server.lost && !s.stopped: // its head was not captured
		x.Done, s.unread = linger.Known(server.last.At), true
	case s.reason != "":
		x.Failed = s.reason
	case s.missed:
		x.Failed = talk.NotCaptured
	case cut && server.fin, server.head && why == talk.NoResponse:
		x.Failed = talk.Cut
	case why == talk.NoResponse && !client.over:
		x.Failed = talk.CutRequest
	default:
		x.Failed = why
	}
	for side := range s.blocked {
		if s.blocked[side].why != 0 {
			s.blocked[side].end(x, last.At)
		}
	}
	if s.unread || !s.asked {
		c.Unread++
	}
	if c.Shared.Hand(linger.H3, x, &s.Content).IsDNS() {
		c.Queries++
	}
}

// A window is whether one who sends has no room left to do so.
type window struct {
	why   uint8 // bits: the stream's, the connection's
	since linger.Instant
}

// end adds to the time that a body waited for room.
func (w *window) end(x *trace.Exchange, at linger.Instant) {
	x.Blocked = linger.Known(x.Blocked.Or(0) + max(0, time.Duration(at-w.since)))
	w.why = 0
}

// Window says that a sender has no room left, on a stream or, with -1, on the connection, or that
// it has been given more (RFC 9000, 4.1).
func (c *Conversation) Window(id int64, sender talk.Side, blocked bool, m talk.Mark) {
	if id >= 0 {
		if s := c.streams[id]; s != nil && s.kind == request {
			s.window(sender, 1, blocked, m)
		}
		return
	}
	if c.blocked[sender] == blocked {
		return // else each grant of room would look at all streams
	}
	c.blocked[sender] = blocked
	for _, s := range c.streams {
		if h := &s.half[sender]; s.kind == request && h.spoken && !h.over {
			s.window(sender, 2, blocked, m)
		}
	}
}

func (s *stream) window(sender talk.Side, bit uint8, blocked bool, m talk.Mark) {
	w := &s.blocked[sender]
	switch {
	case blocked && w.why == 0:
		w.why, w.since = bit, m.At
	case blocked:
		w.why |= bit
	case w.why == bit:
		w.end(&s.Exchange, m.At)
	default:
		w.why &^= bit
	}
}
