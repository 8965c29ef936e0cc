package http2

import (
	"bytes"
	"encoding/binary"

	"linger"
	"linger/capture/fields"
	"linger/capture/talk"
	"linger/trace"
	"linger/wire"
)

// A block is the fields of one head, which may be in several frames.
type block struct {
	open   bool // CONTINUATION follows
	torn   bool // a part is missing
	stream uint32
	pushed bool // of PUSH_PROMISE
	ends   bool // END_STREAM
	began  talk.Mark
	size   int64 // of the frames so far
	bytes  []byte
}

// A head is what is kept of one.
type head struct {
	method, scheme, authority, agent, software, kind, location, referer, protocol string

	path        []byte
	status      int
	credentials bool
	some, gone  bool // there were fields; some of those that were not captured
}

// cut gives up a block that has not ended.
func (c *Conversation) cut(from talk.Side) {
	r := &c.side[from]
	if r.block.open {
		r.block.torn = true
		c.block(from, r.block.bytes, r.last)
	}
}

// read reads the payload of a frame, or of a block what there is of its beginning.
func (c *Conversation) read(from talk.Side, b []byte, m talk.Mark) {
	r := &c.side[from]
	f := r.frame
	switch f.kind {
	case frameHeaders, framePushPromise:
		c.headers(from, b, m)
	case frameContinuation:
		if !r.block.open {
			if x := c.stream(f.stream); x != nil {
				x.body(from, 0, int64(wire.FrameHeaderSize+f.length))
			}
			return // of a block that was given up
		}
		r.block.size += int64(wire.FrameHeaderSize + f.length)
		r.block.bytes = append(r.block.bytes, b...)
		if f.flags&flagWhole != 0 || r.block.torn {
			c.block(from, r.block.bytes, m)
		}
	case frameReset:
		if x := c.stream(f.stream); x != nil && len(b) == 4 {
			c.reset(from, x, binary.BigEndian.Uint32(b), m)
		}
	case frameSettings:
		if f.flags&flagAck == 0 {
			c.settings(from, b, m)
		}
	case framePing:
		if f.flags&flagAck == 0 {
			c.Probes.Sent++
		} else {
			c.Probes.Answered++
			c.Probes.Alive = linger.Known(m.At)
		}
	case frameGoAway:
		c.goAway(from, b)
	case frameWindowUpdate:
		if len(b) == 4 {
			n := int64(binary.BigEndian.Uint32(b) & (1<<31 - 1))
			if x := c.stream(f.stream); x != nil || f.stream == 0 {
				c.allow(from.Other(), x, n, m)
			}
		}
	}
}

// settings takes in what a side says that the other may do.
func (c *Conversation) settings(from talk.Side, b []byte, m talk.Mark) {
	window := int64(-1)
	for ; len(b) >= wire.SettingSize; b = b[wire.SettingSize:] {
		value := int64(binary.BigEndian.Uint32(b[2:]))
		switch binary.BigEndian.Uint16(b) {
		case settingStreams:
			if from == talk.Server {
				c.Streams = linger.Known(min(value, c.Streams.Or(value)))
			}
		case settingWindow:
			if value <= wire.MaxWindow {
				window = value
			}
		}
	}
	if window >= 0 && window != c.side[from.Other()].flow.first {
		c.widen(from.Other(), window, m) // once for all: that looks at each stream
	}
}

// goAway takes in GOAWAY.
func (c *Conversation) goAway(from talk.Side, b []byte) {
	if len(b) < 8 {
		return
	}
	last := int64(binary.BigEndian.Uint32(b) & (1<<31 - 1))
	g, ok := c.GoAway.Get()
	switch {
	case !ok:
		g = trace.GoAway{
			By: from.Peer(), At: c.side[from].began.At, Last: last,
			Code: errorName(binary.BigEndian.Uint32(b[4:])), Debug: talk.Clip(b[8:]),
		}
	case g.By == from.Peer():
		g.Last = min(g.Last, last) // "MUST NOT increase" (RFC 9113, 6.8)
	}
	c.GoAway = linger.Known(g)
}

// headers takes in HEADERS or PUSH_PROMISE.
func (c *Conversation) headers(from talk.Side, b []byte, m talk.Mark) {
	r := &c.side[from]
	f := r.frame
	torn := r.block.torn
	r.block = block{
		torn: torn, stream: f.stream, pushed: f.kind == framePushPromise, ends: f.kind == frameHeaders && f.flags&flagEnd != 0,
		began: r.began, size: int64(wire.FrameHeaderSize + f.length), bytes: r.block.bytes[:0],
	}
	before, behind := 0, 0
	if f.flags&flagPadded != 0 && len(b) > 0 {
		before, behind = 1, int(b[0])
	}
	switch {
	case r.block.pushed:
		before += 4
	case f.flags&flagPriority != 0:
		before += 5
	}
	b = b[min(before, len(b)):]
	if !torn {
		b = b[:max(0, len(b)-behind)]
	}
	if f.flags&flagWhole != 0 || torn {
		c.block(from, b, m)
		return
	}
	r.block.open = true
	r.block.bytes = append(r.block.bytes, b...)
}

// block reads the fields of a block, or of its beginning, and takes in the head that they make.
func (c *Conversation) block(from talk.Side, b []byte, m talk.Mark) {
	r := &c.side[from]
	r.block.open = false
	h := &c.head
	*h = head{path: h.path[:0]}
	var f fields.Field
	for r.fields.Begin(b); r.fields.Next(&f); {
		h.add(c.Shared, &f)
	}
	if r.block.torn || r.fields.Err() != nil {
		r.block.torn = false
		r.fields.Lose()
		h.gone = true
	}
	if r.block.pushed {
		return
	}
	x := c.stream(r.block.stream)
	switch {
	case from == talk.Client && x == nil:
		if id := r.block.stream; id&1 == 1 && (id > c.highest || c.fresh(id)) && (h.method != "" || h.gone) {
			x = c.request(id, m)
		}
	case from == talk.Server && x == nil:
		if (h.status != 0 || h.gone) && c.fresh(r.block.stream) {
			x = c.begins(r.block.stream) // its request was not captured
			x.ID = c.Shared.Next()
			x.Queued, x.whole = r.block.began.At, true
			x.Frames = trace.Frames{First: r.block.began.Frame, FirstFile: r.block.began.File}
		}
		if x != nil && h.status/100 != 1 {
			c.response(x, m)
		}
	case from == talk.Server && h.status/100 != 1 && (!x.answered || h.status != 0):
		c.response(x, m)
	}
	if x == nil {
		return
	}
	x.body(from, 0, r.block.size)
	if r.block.ends {
		c.end(from, x, m)
	}
}

// add takes in a field.
func (h *head) add(s *talk.Shared, f *fields.Field) {
	h.some = true
	h.gone = h.gone || f.Gone
	switch v := f.Value; f.Name {
	case fields.Method:
		h.method = s.Text(v)
	case fields.Scheme:
		h.scheme = s.Text(v)
	case fields.Authority:
		h.authority = s.Text(v)
	case fields.Host:
		if h.authority == "" {
			h.authority = s.Text(v)
		}
	case fields.Path:
		h.path = append(h.path[:0], v[:min(len(v), talk.MaxURL)]...)
	case fields.Status:
		h.status = fields.StatusCode(v)
	case fields.Protocol:
		h.protocol = s.Text(v)
	case fields.UserAgent:
		h.agent = s.Text(v)
	case fields.Server:
		h.software = s.Text(v)
	case fields.ContentType:
		v, _, _ = bytes.Cut(v, []byte{';'})
		h.kind = s.Text(bytes.TrimSpace(v))
	case fields.Location:
		h.location = talk.Clip(v)
	case fields.Referer:
		h.referer = s.Text(v)
	case fields.Cookie, fields.Authorization:
		h.credentials = true
	}
}

// request takes in the head of a request.
func (c *Conversation) request(id uint32, m talk.Mark) *stream {
	h, b := &c.head, &c.side[talk.Client].block
	x := c.begins(id)
	c.Requests++
	x.ID = c.Shared.Next()
	x.Number = int(c.Requests)
	x.Queued, x.Sent = b.began.At, linger.Known(b.began.At)
	x.Frames = trace.Frames{First: b.began.Frame, Last: m.Frame, FirstFile: b.began.File, LastFile: m.File}
	x.Asked.Version = linger.H2.Version()
	x.Method, x.Credentials = h.method, h.credentials
	if h.referer != "" {
		x.Referer = linger.WithoutUser(h.referer)
	}
	if c.Host == "" {
		c.Host = h.authority
	}
	if c.Agent == "" {
		c.Agent = h.agent
	}
	// A few bytes may name a long one that the table has: streams alone do not bound them.
	if url := c.absolute(); c.urls+len(url) <= maxURLs {
		x.URL = url
		c.holdURL(len(url))
	}
	x.unread = h.method == "" || x.URL == ""
	x.content.Begin(c.Shared, talk.Client, h.kind)
	return x
}

// response takes in the head of a response.
func (c *Conversation) response(x *stream, m talk.Mark) {
	h, b := &c.head, &c.side[talk.Server].block
	x.answered = true
	x.FirstByte = linger.Known(b.began.At)
	x.Status, x.ContentType = h.status, h.kind
	x.Answered.Version = linger.H2.Version()
	x.AnswerFrames = trace.Frames{First: b.began.Frame, Last: m.Frame, FirstFile: b.began.File, LastFile: m.File}
	if c.Software == "" {
		c.Software = h.software
	}
	if h.location != "" {
		x.Redirect = talk.Absolute(x.URL, h.location)
	}
	x.unread = x.unread || h.status == 0
	x.content.Begin(c.Shared, talk.Server, h.kind)
}

// absolute returns the URL of the request that was read, empty where it is not known.
func (c *Conversation) absolute() string {
	h := &c.head
	authority := h.authority
	if authority == "" {
		if authority = c.Host; authority == "" && !h.gone {
			authority = c.Authority
		}
	}
	b := c.line[:0]
	switch {
	case len(h.path) > 0:
		if h.scheme != "" {
			b = append(append(b, h.scheme...), "://"...)
		} else {
			b = append(b, c.Scheme...)
		}
		b = append(b, authority...)
		if h.path[0] == '/' {
			b = append(b, h.path...)
		} // "OPTIONS *" is of the server
	case h.method == "CONNECT" && h.protocol == "":
		b = append(b, h.authority...)
	}
	c.line = b
	switch {
	case len(b) == 0 || authority == "":
		return ""
	case string(b) == c.url:
		return c.url
	}
	url := talk.Valid(b)
	if bytes.IndexByte(b, '@') >= 0 {
		url = linger.WithoutUser(url)
	} else {
		c.url = url
	}
	return url
}
