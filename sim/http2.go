package sim

import (
	"fmt"

	"linger"
	"linger/sim/fields"
	"linger/wire"
)

// What live and origin write on a connection of HTTP/2, and when.
const (
	clientOpening = wire.PrefaceSize + wire.FrameHeaderSize + 3*wire.SettingSize + wire.WindowUpdateSize
	serverOpening = wire.FrameHeaderSize + 3*wire.SettingSize + wire.WindowUpdateSize

	serverStreams = 128
	leastPiece    = 1 << 10
	byGoAway      = "server said goodbye: GOAWAY NO_ERROR"
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
	streamClient
	out      frameStream
	server   *http2Server
	begun    bool
	streams  map[int]*stream2 // by exchange
	order    []int            // exchanges by stream, the first is stream 1
	fields   fields.HPACK
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
}

// http2Server is the origin's half.
type http2Server struct {
	streamServer
	client  *http2Client
	out     frameStream
	control []frame
	ready   []*stream2
	delayed delays[*stream2]
	blocked map[int]*stream2 // by exchange: those that wait for leave to send
	uploads map[int]int64    // content of requests that has come, by exchange
	open    int
	last    int // the highest stream begun
	answers int // the last that is answered, as GOAWAY says; 0 is all
	window  int64
	fields  fields.HPACK
}

func newHTTP2(c *conn) {
	h := &http2Client{streamClient: streamClient{c}, streams: map[int]*stream2{}}
	h.fields.Begin(":path")
	s := &http2Server{streamServer: streamServer{end: c.ends[server]}, client: h, window: wire.FirstWindow, blocked: map[int]*stream2{}, uploads: map[int]int64{}}
	s.fields.Begin(padding)
	h.server = s
	c.join(h, h, s)
	c.ends[client].parting = h.goAway
}

func (h *http2Client) begin() {
	w := h.conn.party
	w.policy.HandleStreams(w.now, h.conn.id, wire.AssumedStreams)
	h.streamClient.begin()
}

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
	w := h.conn.party
	k := &h.conn.record
	frames := make([]frame, 0, len(batch))
	for _, q := range batch {
		x := &w.scenario.Workload.Exchanges[q.exchange]
		s := &stream2{exchange: q.exchange, id: 2*len(h.order) + 1}
		h.order = append(h.order, q.exchange)
		h.streams[q.exchange] = s
		f := frame{kind: headers, exchange: q.exchange, wire: h.head(x), last: x.RequestBody == 0}
		t := &w.exchanges[q.exchange]
		t.Attempts++
		t.Sent, t.RequestHead = linger.Known(w.now), f.wire
		k.Requests++
		frames = append(frames, f)
		for left := x.RequestBody; left > 0; {
			n := min(left, wire.FrameSize)
			left -= n
			frames = append(frames, frame{kind: data, exchange: q.exchange, wire: wire.FrameHeaderSize + n, body: n, last: left == 0})
			t.RequestHead += wire.FrameHeaderSize
			t.RequestBody += n
		}
	}
	h.write(frames...)
	for _, q := range batch {
		w.policy.HandleSent(w.now, h.conn.id, q.exchange)
	}
}

// head is the size of a request's HEADERS.
func (h *http2Client) head(x *linger.Exchange) int64 {
	w := h.conn.party
	b := &h.fields
	b.Reset()
	b.Add(":method", x.Method)
	b.Add(":scheme", w.scenario.Workload.Scheme)
	b.Add(":authority", w.authority(x))
	b.Add(":path", x.Path)
	w.requestFields(x, "", b)
	return framed(b.Size())
}

// framed is the size of a block in HEADERS and CONTINUATION.
func framed(n int) int64 {
	return int64(n + wire.FrameHeaderSize*max(1, (n+wire.FrameSize-1)/wire.FrameSize))
}

// read takes in frames.
func (h *http2Client) read(n int64) {
	w, id := h.conn.party, h.conn.id
	for f, ok := h.server.out.take(n); ok; f, ok = h.server.out.take(0) {
		if h.conn.gone {
			continue
		}
		s := h.streams[f.exchange]
		x := &w.exchanges[f.exchange]
		switch f.kind {
		case settings:
			w.policy.HandleStreams(w.now, id, serverStreams)
			h.write(frame{kind: settingsAck, wire: wire.FrameHeaderSize})
		case headers:
			s.got += f.wire
			x.FirstByte, x.ResponseHead = linger.Known(w.now), s.got
			x.Status = w.scenario.Workload.Exchanges[f.exchange].Status
			w.policy.HandleBody(w.now, id, f.exchange, 0)
			if f.last {
				h.finish(s)
			}
		case data:
			if h.used += f.body; h.used >= wire.ConnCredit/2 {
				h.write(frame{kind: update, exchange: -1, wire: wire.WindowUpdateSize, body: h.used})
				h.used = 0
			}
			s.got += f.wire
			s.body += f.body
			x.ResponseBody = s.body
			if f.last {
				h.finish(s)
				break
			}
			w.policy.HandleBody(w.now, id, f.exchange, s.body)
			if s.used += f.body; s.used >= wire.StreamCredit/2 {
				h.write(frame{kind: update, exchange: f.exchange, wire: wire.WindowUpdateSize, body: s.used})
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
			w.policy.HandleGoAway(w.now, id, refused, byGoAway)
		}
	}
}

func (h *http2Client) finish(s *stream2) {
	w := h.conn.party
	x := &w.exchanges[s.exchange]
	x.ResponseHead, x.ResponseBody, x.Done = s.got-s.body, s.body, linger.Known(w.now)
	x.ContentType = w.scenario.Workload.Exchanges[s.exchange].ContentType
	w.app.done(w, s.exchange)
	delete(h.streams, s.exchange)
	h.conn.responded(s.exchange, true)
}

// goAway says that the connection is going to end (RFC 9113, 9.1).
func (h *http2Client) goAway() {
	h.write(frame{kind: goAway, wire: wire.GoAwaySize})
}

func (h *http2Client) eof() {
	where := "the idle connection"
	if n := len(h.streams); n > 0 {
		where = fmt.Sprintf("with %d responses due", n)
	}
	reason := "server closed " + where
	if h.goneAway {
		reason = byGoAway
	}
	h.conn.closedByServer(reason)
}

func (s *http2Server) begin() {
	s.streamServer.begin()
	s.control = append(s.control, frame{kind: settings, wire: serverOpening})
	if s.end.party.secure {
		s.send() // in cleartext it waits for the preface, to see what is spoken
	}
}

func (s *http2Server) read(n int64) {
	for f, ok := s.client.out.take(n); ok; f, ok = s.client.out.take(0) {
		switch f.kind {
		case settings:
			s.window = wire.ConnCredit // by the WINDOW_UPDATE of the client's opening
			s.control = append(s.control, frame{kind: settingsAck, wire: wire.FrameHeaderSize})
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
	w := s.end.party
	if s.last += 2; s.last == 2 {
		s.last = 1
	}
	if s.answers > 0 && s.last > s.answers {
		return
	}
	s.open++
	if !s.policy.HandleRequest(w.now, "2", nil) {
		s.goAway()
	}
	s.end.conn.tell(s.policy)
	if f.last {
		s.respond(&stream2{exchange: f.exchange})
	}
}

func (s *http2Server) goAway() {
	if s.answers == 0 {
		s.answers = max(s.last, 1)
		s.control = append(s.control, frame{kind: goAway, wire: wire.GoAwaySize, body: int64(s.last)})
	}
}

func (s *http2Server) respond(st *stream2) {
	w := s.end.party
	x := &w.scenario.Workload.Exchanges[st.exchange]
	st.window = wire.StreamCredit
	if x.HasBody() {
		st.left = x.ResponseBody
	}
	if due := s.end.conn.due(st.exchange); due > w.now {
		s.delayed.add(st, due)
		return
	}
	s.ready = append(s.ready, st)
}

func (s *http2Server) deadline() linger.Instant {
	if s.closed {
		return linger.Never
	}
	return min(s.policy.NextTimeout(), s.delayed.next())
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

func (s *http2Server) giveWay() {
	s.dismiss()
	s.send()
}

// send sends a page after the other, as long as the kernel takes them.
func (s *http2Server) send() {
	w := s.end.party
	s.waited()
	if why, _ := s.policy.Closing(); why != "" && !s.ended {
		s.goAway()
	}
	s.ready = append(s.ready, s.delayed.take(w.now)...)
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
	if !s.end.blocked {
		s.closeIfDue()
	}
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
			if pageSize-page-wire.FrameHeaderSize < headRoom {
				break
			}
			st.headed = true
			put(frame{kind: headers, exchange: st.exchange, wire: s.head(st), last: st.left == 0})
		} else {
			n := min(st.left, st.window, s.window, wire.FrameSize, pageSize-page-wire.FrameHeaderSize)
			if n <= 0 || n < min(st.left, st.window, s.window, leastPiece) {
				break
			}
			st.left -= n
			st.window -= n
			s.window -= n
			put(frame{kind: data, exchange: st.exchange, wire: wire.FrameHeaderSize + n, body: n, last: st.left == 0})
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
	w := s.end.party
	s.fields.Reset()
	w.responseFields(st.exchange, w.altSvc(), &s.fields)
	return framed(s.fields.Size())
}
