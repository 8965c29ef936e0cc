package sim

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/policy"
	"linger/trace"
)

// Frames of HTTP/2 in bytes (RFC 9113, 4.1 and 6), as live and origin write them.
const (
	frameHeader   = 9
	frameSize     = 16 << 10
	settingBytes  = 6
	preface       = 24
	windowUpdate  = frameHeader + 4
	goAwayBytes   = frameHeader + 8
	clientOpening = preface + frameHeader + 3*settingBytes + windowUpdate
	serverOpening = frameHeader + 3*settingBytes + windowUpdate

	assumedStreams = 100 // until the server has said it
	serverStreams  = 128
	streamCredit   = 6 << 20
	connCredit     = 15 << 20
	leastPiece     = 1 << 10
	goodbye        = "server said goodbye: GOAWAY NO_ERROR"
)

type frameKind uint8

const (
	settings frameKind = iota
	settingsAck
	headers
	data
	update
	goAway
)

// A frame is one on its way.
type frame struct {
	kind     frameKind
	exchange int
	wire     int64
	body     int64 // content; of update, the credit; of goAway, the last stream
	last     bool  // ends the stream
}

// A frameStream is what one side has written and the other has not read.
type frameStream struct {
	frames  []frame
	partial int64
}

// take returns the frames that are whole once n more bytes are here.
func (f *frameStream) take(n int64) (frame, bool) {
	f.partial += n
	if len(f.frames) == 0 || f.partial < f.frames[0].wire {
		return frame{}, false
	}
	first := f.frames[0]
	f.frames = f.frames[:copy(f.frames, f.frames[1:])]
	f.partial -= first.wire
	return first, true
}

// http2Client is a client of HTTP/2.
type http2Client struct {
	conn     *conn
	out      frameStream
	server   *http2Server
	begun    bool
	streams  map[int]*stream2 // by exchange
	order    []int            // exchanges by stream, the first is stream 1
	encoder  *hpack.Encoder
	block    bytes.Buffer
	used     int64
	goneAway bool
}

type stream2 struct {
	exchange int
	id       int
	got      int64 // bytes of frames
	body     int64
	used     int64
	// The server's own.
	left   int64
	window int64
	headed bool
	due    linger.Instant
}

// http2Server is the origin's half.
type http2Server struct {
	client   *http2Client
	end      *end
	out      frameStream
	mind     *policy.Server
	control  []frame
	ready    []*stream2
	delayed  []*stream2
	blocked  map[int]*stream2 // by exchange: those that wait for leave to send
	uploads  map[int]int64    // content of requests that has come, by exchange
	open     int
	last     int // the highest stream begun
	farewell int // the last that is answered; 0 is all
	window   int64
	encoder  *hpack.Encoder
	block    bytes.Buffer
	written  int // responses in what is being written
	closed   bool
	ended    bool
}

func newHTTP2(c *conn) (*http2Client, *http2Server) {
	h := &http2Client{conn: c, streams: map[int]*stream2{}}
	h.encoder = hpack.NewEncoder(&h.block)
	s := &http2Server{client: h, end: c.ends[server], window: 65535, blocked: map[int]*stream2{}, uploads: map[int]int64{}}
	s.encoder = hpack.NewEncoder(&s.block)
	h.server = s
	return h, s
}

func (h *http2Client) begin() {
	w := h.conn.world
	w.mind.HandleStreams(w.now, h.conn.id, assumedStreams)
	w.mind.HandleConnected(w.now, h.conn.id)
}

func (h *http2Client) writable()                {}
func (h *http2Client) timeout()                 {}
func (h *http2Client) deadline() linger.Instant { return linger.Never }

// write sends frames, and the opening before the first of them.
func (h *http2Client) write(frames ...frame) {
	n := int64(0)
	if !h.begun {
		h.begun = true
		h.out.frames = append(h.out.frames, frame{kind: settings, wire: clientOpening})
		n += clientOpening
	}
	for _, f := range frames {
		h.out.frames = append(h.out.frames, f)
		n += f.wire
	}
	h.conn.ends[client].write(n)
}

// send writes the heads of requests, in one write with what else is to be said.
func (h *http2Client) send(batch []staged) {
	w := h.conn.world
	k := &w.trace.Connections[h.conn.id]
	frames := make([]frame, 0, len(batch))
	for _, q := range batch {
		x := &w.scenario.Workload.Exchanges[q.exchange]
		s := &stream2{exchange: q.exchange, id: 2*len(h.order) + 1}
		h.order = append(h.order, q.exchange)
		h.streams[q.exchange] = s
		f := frame{kind: headers, exchange: q.exchange, wire: h.head(x), last: x.RequestBody == 0}
		t := &w.trace.Exchanges[q.exchange]
		t.Attempts++
		t.Sent, t.RequestHead = linger.Known(w.now), f.wire
		k.Requests++
		frames = append(frames, f)
		for left := x.RequestBody; left > 0; {
			n := min(left, frameSize)
			left -= n
			frames = append(frames, frame{kind: data, exchange: q.exchange, wire: frameHeader + n, body: n, last: left == 0})
			t.RequestHead += frameHeader
			t.RequestBody += n
		}
	}
	h.write(frames...)
	for _, q := range batch {
		w.mind.HandleSent(w.now, h.conn.id, q.exchange)
	}
}

// head is the size of a request's HEADERS.
func (h *http2Client) head(x *linger.Exchange) int64 {
	w := h.conn.world
	agent := w.config.Agent
	plain := *x
	plain.RequestHead = 0
	if missing := x.RequestHead - w.requestHead(&plain, "1.1", false); missing > 0 {
		agent += strings.Repeat(".", missing)
	}
	h.block.Reset()
	encode := func(name, value string, unique bool) {
		_ = h.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: unique}) // into memory
	}
	encode(":method", x.Method, false)
	encode(":scheme", w.scenario.Workload.Scheme, false)
	encode(":authority", w.authority(x), false)
	encode(":path", x.Path, true)
	switch {
	case x.IsQuery(): // no more than must be said (RFC 8484, 8.2)
		encode("accept", dnsType, false)
		if x.RequestBody > 0 {
			encode("content-type", dnsType, false)
		}
	default:
		encode("user-agent", agent, false)
		encode("accept", "*/*", false)
	}
	if saysLength(x) {
		encode("content-length", strconv.FormatInt(x.RequestBody, 10), false)
	}
	return framed(h.block.Len())
}

// framed is the size of a block in HEADERS and CONTINUATION.
func framed(n int) int64 {
	return int64(n + frameHeader*max(1, (n+frameSize-1)/frameSize))
}

// read takes in frames.
func (h *http2Client) read(n int64) {
	w, id := h.conn.world, h.conn.id
	for f, ok := h.server.out.take(n); ok; f, ok = h.server.out.take(0) {
		if h.conn.gone {
			continue
		}
		s := h.streams[f.exchange]
		x := &w.trace.Exchanges[f.exchange]
		switch f.kind {
		case settings:
			w.mind.HandleStreams(w.now, id, serverStreams)
			h.write(frame{kind: settingsAck, wire: frameHeader})
		case headers:
			s.got += f.wire
			x.FirstByte, x.ResponseHead = linger.Known(w.now), s.got
			x.Status = w.scenario.Workload.Exchanges[f.exchange].Status
			w.mind.HandleBody(w.now, id, f.exchange, 0)
			if f.last {
				h.finish(s)
			}
		case data:
			if h.used += f.body; h.used >= connCredit/2 {
				h.write(frame{kind: update, exchange: -1, wire: windowUpdate, body: h.used})
				h.used = 0
			}
			s.got += f.wire
			s.body += f.body
			x.ResponseBody = s.body
			if f.last {
				h.finish(s)
				break
			}
			w.mind.HandleBody(w.now, id, f.exchange, s.body)
			if s.used += f.body; s.used >= streamCredit/2 {
				h.write(frame{kind: update, exchange: f.exchange, wire: windowUpdate, body: s.used})
				s.used = 0
			}
		case goAway:
			h.goneAway = true
			var refused []int
			for i, e := range h.order {
				if s := h.streams[e]; s != nil && s.id == 2*i+1 && s.id > int(f.body) {
					refused = append(refused, e)
					delete(h.streams, e)
				}
			}
			w.mind.HandleGoAway(w.now, id, refused, goodbye)
		}
	}
}

func (h *http2Client) finish(s *stream2) {
	w := h.conn.world
	x := &w.trace.Exchanges[s.exchange]
	x.ResponseHead, x.ResponseBody, x.Done = s.got-s.body, s.body, linger.Known(w.now)
	e := &w.scenario.Workload.Exchanges[s.exchange]
	x.ContentType = e.ContentType
	if e.IsQuery() {
		x.Rcode = w.message(s.exchange, linger.OverHTTPS).Rcode
	}
	delete(h.streams, s.exchange)
	w.mind.HandleResponse(w.now, h.conn.id, s.exchange, true)
}

// farewell says goodbye before the connection ends (RFC 9113, 9.1).
func (h *http2Client) farewell() {
	h.write(frame{kind: goAway, wire: goAwayBytes})
}

func (h *http2Client) eof() {
	w, c := h.conn.world, h.conn
	c.over = true
	if c.gone {
		return
	}
	where := "the idle connection"
	if n := len(h.streams); n > 0 {
		where = fmt.Sprintf("with %d responses due", n)
	}
	reason := "server closed " + where
	if h.goneAway {
		reason = goodbye
	}
	w.trace.Connections[c.id].ClosedBy = trace.AtServer
	w.mind.HandleClosed(w.now, c.id, policy.ClosedByPeer, reason)
}

func (s *http2Server) begin() {
	w := s.end.world
	s.mind = policy.NewServer(w.config.Policy, w.now)
	s.control = append(s.control, frame{kind: settings, wire: serverOpening})
	if w.secure() {
		s.send() // in cleartext it waits for the preface, to see what is spoken
	}
}

func (s *http2Server) read(n int64) {
	for f, ok := s.client.out.take(n); ok; f, ok = s.client.out.take(0) {
		switch f.kind {
		case settings:
			s.window = connCredit // by the WINDOW_UPDATE of the client's opening
			s.control = append(s.control, frame{kind: settingsAck, wire: frameHeader})
		case headers:
			s.begins(f)
		case data:
			s.uploads[f.exchange] += f.body
			if f.last {
				s.respond(&stream2{exchange: f.exchange})
			}
		case update:
			if f.exchange < 0 {
				s.window += f.body
				break
			}
			for _, st := range s.ready {
				if st.exchange == f.exchange {
					st.window += f.body
				}
			}
			if st := s.blocked[f.exchange]; st != nil {
				st.window += f.body
				delete(s.blocked, f.exchange)
				s.ready = append(s.ready, st)
			}
		}
	}
	s.send()
}

// begins takes a request's head.
func (s *http2Server) begins(f frame) {
	w := s.end.world
	if s.last += 2; s.last == 2 {
		s.last = 1
	}
	if s.farewell > 0 && s.last > s.farewell {
		return
	}
	s.open++
	if !s.mind.HandleRequest(w.now, "2", nil) {
		s.goodbye()
	}
	if f.last {
		s.respond(&stream2{exchange: f.exchange})
	}
}

func (s *http2Server) goodbye() {
	if s.farewell == 0 {
		s.farewell = max(s.last, 1)
		s.control = append(s.control, frame{kind: goAway, wire: goAwayBytes, body: int64(s.last)})
	}
}

func (s *http2Server) respond(st *stream2) {
	w := s.end.world
	x := &w.scenario.Workload.Exchanges[st.exchange]
	st.window = streamCredit
	if x.HasBody() {
		st.left = x.ResponseBody
	}
	if x.Delay > 0 {
		st.due = w.now.Add(x.Delay)
		s.delayed = append(s.delayed, st)
		return
	}
	s.ready = append(s.ready, st)
}

func (s *http2Server) deadline() linger.Instant {
	if s.closed {
		return linger.Never
	}
	t := s.mind.NextTimeout()
	for _, st := range s.delayed {
		t = min(t, st.due)
	}
	return t
}

func (s *http2Server) timeout() { s.send() }

func (s *http2Server) writable() {
	s.settle()
	s.send()
}

func (s *http2Server) eof() {
	s.ended = true
	s.end.shutdown()
}

// send sends a page after the other, as long as the kernel takes them.
func (s *http2Server) send() {
	w := s.end.world
	s.mind.HandleTimeout(w.now)
	if why, _ := s.mind.Closing(); why != "" && !s.ended {
		s.goodbye()
	}
	kept := s.delayed[:0]
	for _, st := range s.delayed {
		if st.due <= w.now {
			s.ready = append(s.ready, st)
		} else {
			kept = append(kept, st)
		}
	}
	s.delayed = kept
	for !s.end.blocked && !s.end.shut {
		n := s.fill()
		if n == 0 {
			break
		}
		s.end.write(n)
		if !s.end.blocked {
			s.settle()
		}
	}
	if _, due := s.mind.Closing(); due && !s.closed && !s.end.blocked {
		s.closed = true
		if w.config.Policy.Style == policy.CloseRST {
			s.end.tcp.Abort(w.now)
			s.end.shut = true
			return
		}
		s.end.shutdown()
	}
}

// settle notes what has been written.
func (s *http2Server) settle() {
	for range s.written {
		s.mind.HandleResponse(s.end.world.now)
	}
	s.written = 0
}

// fill gathers up to a page of frames: control first, then of each stream one in
// its turn.
func (s *http2Server) fill() int64 {
	page := int64(0)
	put := func(f frame) {
		s.out.frames = append(s.out.frames, f)
		page += f.wire
	}
	for _, f := range s.control {
		put(f)
	}
	s.control = s.control[:0]
	for len(s.ready) > 0 {
		st := s.ready[0]
		if !st.headed {
			if pageSize-page-frameHeader < headRoom {
				break
			}
			st.headed = true
			put(frame{kind: headers, exchange: st.exchange, wire: s.head(st), last: st.left == 0})
		} else {
			n := min(st.left, st.window, s.window, frameSize, pageSize-page-frameHeader)
			if n <= 0 || n < min(st.left, st.window, s.window, leastPiece) {
				break
			}
			st.left -= n
			st.window -= n
			s.window -= n
			put(frame{kind: data, exchange: st.exchange, wire: frameHeader + n, body: n, last: st.left == 0})
		}
		s.ready = s.ready[:copy(s.ready, s.ready[1:])]
		switch {
		case st.left == 0:
			s.open--
			s.written++
		case st.window > 0:
			s.ready = append(s.ready, st)
		default:
			s.blocked[st.exchange] = st
		}
	}
	return page
}

// head is the size of a response's HEADERS.
func (s *http2Server) head(st *stream2) int64 {
	w := s.end.world
	x := &w.scenario.Workload.Exchanges[st.exchange]
	s.block.Reset()
	size := len("HTTP/1.1 200 ") + len(reason(x.Status)) + len("\r\n\r\n")
	encode := func(name, value string, unique bool) {
		size += len(name) + len(value) + len(": \r\n")
		_ = s.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: unique}) // into memory
	}
	_ = s.encoder.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(x.Status)})
	if x.ContentType != "" {
		encode("content-type", x.ContentType, false)
	}
	if x.IsQuery() {
		encode("cache-control", w.message(st.exchange, linger.OverHTTPS).fresh(), false)
	}
	if w.altSvc() != "" {
		encode("alt-svc", w.altSvc(), false)
	}
	if x.HasBody() {
		encode("content-length", strconv.FormatInt(x.ResponseBody, 10), false)
	}
	encode("date", time.Unix(0, int64(w.now)).UTC().Format(dateFormat), false)
	if n := x.ResponseHead - size - len("X-Pad: \r\n"); n > 0 {
		encode("x-pad", strings.Repeat("x", n), true)
	}
	return framed(s.block.Len())
}
