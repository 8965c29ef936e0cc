package live

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/ask"
	"linger/page"
	"linger/policy"
	"linger/trace"
	"linger/wire"
)

const (
	// maxPending bounds what is to be said in answer to the server's frames, in
	// bytes: one that asks on without reading the answers is given up.
	maxPending = 64 << 10
	// maxIdle bounds how many frames in a row carry nothing of a response.
	maxIdle = 10_000
	// maxBlock bounds the frames of one head, in bytes with what precedes each, so that
	// it bounds their number, too: the framer reads on as long as no frame ends the head.
	// What fits in maxHead unpacked is shorter packed, whatever it is cut into but crumbs.
	maxBlock = 2 * maxHead
)

var errIdle = fmt.Errorf("server sent %d frames that carry no response", maxIdle)

// http2Conn is HTTP/2 on one connection. Two goroutines serve it: one writes, the
// other reads; a document has a third, which looks for what it names.
type http2Conn struct {
	*conn
	socket net.Conn
	over   atomic.Bool // the server has closed: nobody is there to be told anything
	idle   atomic.Int64

	// The writer's own.
	out     bytes.Buffer // what is written at once
	framer  *http2.Framer
	block   bytes.Buffer // of header fields
	encoder *hpack.Encoder
	next    uint32    // stream identifier
	uploads []*stream // whose content has not all been sent
	chunk   []byte

	mu       sync.Mutex
	streams  map[uint32]*stream // that are not answered yet
	opened   uint32             // the first stream identifier that is still idle
	goneAway string             // why the server takes no further requests
	fault    http2.ErrCode      // for which we give the connection up
	window   int64              // bytes of content that may be sent on the connection
	room     int64              // the same on a new stream
	maxFrame int
	table    uint32       // what the encoder's table may hold
	pending  bytes.Buffer // frames of the reader, to be written
	answers  *http2.Framer

	// The reader's own.
	src    source
	buf    *bufio.Reader
	frames *http2.Framer
	greet  bool   // the server has begun as it ought to
	heard  bool   // its first SETTINGS have been handled
	used   uint32 // of the connection's credit
}

// A stream is one exchange on an HTTP/2 connection.
type stream struct {
	request
	id uint32

	// Guarded by the connection's mu.
	since  linger.Instant // the request has been under way
	window int64          // bytes of content that may be sent
	mute   bool           // the request has left, or is not to be sent any further

	// The writer's own.
	content io.Reader
	gone    int64 // bytes of the content that have left
	said    int64 // bytes of the request beside its content

	// The reader's own.
	begun    bool
	status   int
	kind     string // its content's media type
	length   int64  // of the content, as announced; -1 is not announced
	received int64  // bytes of frames
	body     body
	used     uint32         // of the stream's credit
	feed     *io.PipeWriter // to what searches a document; nil is nobody
	searched chan struct{}  // closed when that is over
}

// speakHTTP2 writes requests and reads responses until the connection is closed.
func speakHTTP2(c *conn, socket net.Conn) {
	h := &http2Conn{
		conn: c, socket: socket, streams: map[uint32]*stream{}, next: 1,
		window: wire.FirstWindow, room: wire.FirstWindow, maxFrame: wire.FrameSize, table: wire.TableSize,
		chunk: make([]byte, wire.FrameSize),
		src:   source{r: socket, now: c.run.now, limit: math.MaxInt64}, // until the first frame
	}
	h.framer = http2.NewFramer(&h.out, nil)
	h.answers = http2.NewFramer(&h.pending, nil)
	h.encoder = hpack.NewEncoder(&h.block)
	h.buf = bufio.NewReaderSize(&h.src, chunkSize)
	h.frames = http2.NewFramer(nil, h.buf)
	h.frames.SetReuseFrames()
	h.frames.SetMaxReadFrameSize(wire.FrameSize)
	h.frames.ReadMetaHeaders = hpack.NewDecoder(wire.TableSize, nil)
	h.frames.MaxHeaderListSize = maxHead

	// It leaves with the first requests: "clients are permitted to send additional
	// frames to the server immediately after sending the client connection preface"
	// (RFC 9113, 3.4).
	h.out.WriteString(http2.ClientPreface)
	_ = h.framer.WriteSettings( // into memory: neither this nor what follows can fail
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: wire.StreamCredit},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: maxHead})
	_ = h.framer.WriteWindowUpdate(0, wire.ConnCredit-wire.FirstWindow)

	var reader sync.WaitGroup
	defer reader.Wait()
	reader.Go(h.read)
	if h.write() != nil {
		// The reader meets the same end, after what the server has said before it.
		<-c.ctx.Done()
		return
	}
	if h.over.Load() {
		return
	}
	h.mu.Lock()
	fault := h.fault
	h.mu.Unlock()
	// RFC 9113, 9.1: "the terminating endpoint SHOULD first send a GOAWAY". No stream
	// of the server's has been processed: it had none.
	h.out.Reset()
	_ = h.framer.WriteGoAway(0, fault, nil)
	if _, err := socket.Write(h.out.Bytes()); err == nil {
		leave(socket)
	}
}

// write writes what there is to be written until the connection is closed.
func (h *http2Conn) write() error {
	var batch []request
	for {
		select {
		case <-h.wake:
		case <-h.ctx.Done():
			return nil
		}
		batch = h.take(batch)
		for rest := batch; ; {
			var taken []*stream
			rest, taken = h.fill(rest)
			bodies := h.fillBodies()
			if h.out.Len() == 0 {
				break
			}
			at := h.run.now()
			for _, s := range taken {
				h.tell(event{kind: sent, exchange: s.Index, at: at, head: s.said})
			}
			if len(taken) > 0 {
				h.mu.Lock()
				h.opened = h.next
				for _, s := range taken {
					s.since = at
				}
				h.mu.Unlock()
			}
			for _, s := range bodies {
				h.tell(event{kind: uploaded, exchange: s.Index, at: at, head: s.said, body: s.gone})
			}
			if _, err := h.socket.Write(h.out.Bytes()); err != nil {
				return err
			}
			h.out.Reset()
			if h.ctx.Err() != nil {
				return nil
			}
		}
	}
}

// fill appends what the reader has to say and the heads of requests, as many as go
// out at once. It returns those that are left.
func (h *http2Conn) fill(batch []request) (rest []request, taken []*stream) {
	h.mu.Lock()
	_, _ = h.pending.WriteTo(&h.out)
	if h.encoder.MaxDynamicTableSize() != h.table {
		h.encoder.SetMaxDynamicTableSize(h.table)
	}
	goneAway := h.goneAway
	for goneAway == "" && len(batch) > 0 && h.out.Len() < writeSize {
		s := &stream{request: batch[0], id: h.next, window: h.room, mute: batch[0].RequestBody == 0, length: -1}
		batch = batch[1:]
		h.next += 2
		h.streams[s.id] = s
		h.writeHead(s)
		taken = append(taken, s)
		if s.RequestBody > 0 {
			s.content = h.run.application.content(s.request)
			h.uploads = append(h.uploads, s)
		}
	}
	h.mu.Unlock()
	if goneAway == "" || len(batch) == 0 {
		return batch, taken
	}
	e := event{kind: goaway, at: h.run.now(), ending: ending{reason: goneAway}}
	for _, q := range batch {
		e.refused = append(e.refused, q.Index)
	}
	h.tell(e)
	return nil, nil
}

// writeHead appends the HEADERS of a request, and CONTINUATION where they are long.
func (h *http2Conn) writeHead(s *stream) {
	r := h.run
	h.block.Reset()
	for _, f := range ask.Fields(s.Request, r.scheme(), h.host(), r.config.Message) {
		// A path comes once: in the table it would push out what comes again. Writing
		// to memory does not fail.
		_ = h.encoder.WriteField(hpack.HeaderField{Name: f.Name, Value: f.Value, Sensitive: f.Name == ":path"})
	}
	before := h.out.Len()
	for first := true; first || h.block.Len() > 0; first = false {
		part := h.block.Next(h.maxFrame)
		if first {
			_ = h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: part,
				EndStream: s.RequestBody == 0, EndHeaders: h.block.Len() == 0})
		} else {
			_ = h.framer.WriteContinuation(s.id, h.block.Len() == 0, part)
		}
	}
	s.said = int64(h.out.Len() - before)
}

// fillBodies appends content of requests, a frame of each in turn, as much as goes
// out at once and as the server allows. It returns those that it has some of.
func (h *http2Conn) fillBodies() []*stream {
	var some []*stream
	for more := true; more && h.out.Len() < writeSize; {
		more = false
		for _, s := range slices.Clone(h.uploads) {
			h.mu.Lock()
			n := min(s.RequestBody-s.gone, s.window, h.window, wire.FrameSize)
			if n > 0 && !s.mute {
				s.window -= n
				h.window -= n
				s.gone += n
				s.said += wire.FrameHeaderSize
				s.mute = s.gone == s.RequestBody
				part := h.chunk[:n]
				_, _ = io.ReadFull(s.content, part)
				_ = h.framer.WriteData(s.id, s.mute, part)
				more = true
				if !slices.Contains(some, s) {
					some = append(some, s)
				}
			}
			if s.mute {
				h.uploads = slices.DeleteFunc(h.uploads, func(other *stream) bool { return other == s })
			}
			h.mu.Unlock()
		}
	}
	if len(some) > 0 {
		h.idle.Store(0)
	}
	return some
}

// answer has the writer say something. It reports an error where the server asks
// for more than it reads.
func (h *http2Conn) answer(say func(f *http2.Framer) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pending.Len() > maxPending {
		return fault{http2.ErrCodeEnhanceYourCalm, "server asks for answers that it does not read"}
	}
	_ = say(h.answers)
	h.stir()
	return nil
}

// A fault is what the server has done to the whole connection.
type fault struct {
	code   http2.ErrCode
	reason string
}

func (f fault) Error() string { return f.reason }

// read reads frames until the connection ends, in whatever way.
func (h *http2Conn) read() {
	err := h.readFrames()
	h.mu.Lock()
	due := slices.Collect(maps.Values(h.streams))
	h.mu.Unlock()
	for _, s := range due {
		s.search(nil, true)
	}
	var over ending
	if bad, ok := errors.AsType[fault](err); ok {
		h.mu.Lock()
		h.fault = bad.code
		h.mu.Unlock()
		over = ending{policy.Malformed, trace.AtClient, bad.reason}
	} else {
		where := "the idle connection"
		if len(due) > 0 {
			where = fmt.Sprintf("with %d responses due", len(due))
		}
		over = h.src.ending(where)
	}
	h.over.Store(over.by == trace.AtServer)
	h.mu.Lock()
	if h.goneAway != "" && over.cause != policy.Malformed {
		over.reason = h.goneAway
	}
	h.mu.Unlock()
	h.tell(event{kind: closed, exchange: -1, at: h.src.at, ending: over})
	// A close of ours must not meet what was not read, which would make it an RST.
	if !h.over.Load() {
		_, _ = io.Copy(io.Discard, h.socket)
	}
}

func (h *http2Conn) readFrames() error {
	// A server of HTTP/1 does not answer in frames.
	if b, err := h.buf.Peek(len("HTTP/")); err != nil {
		return err
	} else if string(b) == "HTTP/" {
		line, _ := h.buf.Peek(min(h.buf.Buffered(), 80))
		text, _, _ := strings.Cut(string(line), "\r\n")
		return fault{http2.ErrCodeProtocol, fmt.Sprintf("server does not speak HTTP/2: its answer begins with %q", brief(text))}
	}
	for {
		before := h.src.read - int64(h.buf.Buffered())
		h.src.limit = before + maxBlock
		if _, err := h.buf.Peek(1); err != nil {
			return err
		}
		at := h.src.at
		frame, err := h.frames.ReadFrame()
		if bad, ok := errors.AsType[http2.StreamError](err); ok {
			// The frame was read, and is wrong for its stream alone.
			reason := bad.Code.String()
			if bad.Cause != nil {
				reason = bad.Cause.Error()
			}
			if s := h.stream(bad.StreamID); s != nil {
				s.received += h.src.read - int64(h.buf.Buffered()) - before
				err = h.cancel(s, bad.Code, "malformed response: "+brief(reason))
			} else {
				err = nil
			}
			if err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return h.broken(frame, err)
		}
		if !h.greet {
			if s, ok := frame.(*http2.SettingsFrame); !ok || s.IsAck() {
				return fault{http2.ErrCodeProtocol, fmt.Sprintf("server does not speak HTTP/2: its first frame is %s, not SETTINGS", frame.Header().Type)}
			}
			h.greet = true
		}
		if h.idle.Add(1) > maxIdle {
			return fault{http2.ErrCodeEnhanceYourCalm, errIdle.Error()}
		}
		if err := h.handle(frame, at, h.src.read-int64(h.buf.Buffered())-before); err != nil {
			return err
		}
	}
}

// broken turns an error of the framer into a fault, unless it is of the network. The frame
// is what the framer had of it.
func (h *http2Conn) broken(frame http2.Frame, err error) error {
	if head, ok := frame.(*http2.MetaHeadersFrame); h.src.over || ok && head.Truncated {
		reason := errHeadTooLong.Error()
		if h.src.over {
			reason = fmt.Sprintf("head of the response takes more than %d bytes of frames and has no end", maxBlock)
		}
		return fault{http2.ErrCodeEnhanceYourCalm, reason}
	}
	if h.src.err != nil && h.buf.Buffered() == 0 {
		return err
	}
	code := http2.ErrCodeProtocol
	reason := err.Error()
	if bad, ok := errors.AsType[http2.ConnectionError](err); ok {
		code = http2.ErrCode(bad)
		reason = code.String()
		if detail := h.frames.ErrorDetail(); detail != nil {
			reason = detail.Error()
		}
	}
	if err == http2.ErrFrameTooLarge {
		code, reason = http2.ErrCodeFrameSize, fmt.Sprintf("a frame of more than %d bytes", wire.FrameSize)
	}
	return fault{code, "malformed frame: " + brief(reason)}
}

// handle does what a frame of so many bytes asks for. Its first byte was read at at,
// its last at h.src.at.
func (h *http2Conn) handle(frame http2.Frame, at linger.Instant, size int64) error {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		return h.handleHeaders(f, at, size)
	case *http2.DataFrame:
		return h.handleData(f, size)
	case *http2.SettingsFrame:
		return h.handleSettings(f)
	case *http2.WindowUpdateFrame:
		return h.handleWindow(f)
	case *http2.GoAwayFrame:
		h.handleGoAway(f)
	case *http2.RSTStreamFrame:
		return h.handleReset(f)
	case *http2.PingFrame:
		if data := f.Data; !f.IsAck() {
			return h.answer(func(f *http2.Framer) error { return f.WritePing(true, data) })
		}
	case *http2.PushPromiseFrame:
		// RFC 9113, 6.5.2: a client that has set SETTINGS_ENABLE_PUSH to 0 "MUST treat the
		// receipt of a PUSH_PROMISE frame as a connection error".
		return fault{http2.ErrCodeProtocol, "server pushed what it was told not to"}
	}
	return nil
}

// stream returns the one of that number, nil where it is over.
func (h *http2Conn) stream(id uint32) *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id >= h.opened {
		return nil // there, perhaps, but not under way
	}
	return h.streams[id]
}

// known reports an error where a stream was never opened.
func (h *http2Conn) known(id uint32) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if id%2 == 0 || id >= h.opened {
		return fault{http2.ErrCodeProtocol, fmt.Sprintf("server speaks on stream %d, which nobody has opened", id)}
	}
	return nil
}

func (h *http2Conn) handleHeaders(f *http2.MetaHeadersFrame, at linger.Instant, size int64) error {
	s := h.stream(f.StreamID)
	if s == nil {
		return h.known(f.StreamID)
	}
	if at < s.since {
		return fault{http2.ErrCodeProtocol, fmt.Sprintf("server answered on stream %d before it was asked", s.id)}
	}
	h.idle.Store(0)
	s.received += size
	switch {
	case f.Truncated || s.received-s.body.received > maxHead:
		return h.cancel(s, http2.ErrCodeCancel, errHeadTooLong.Error())
	case s.status != 0 && !f.StreamEnded():
		return h.cancel(s, http2.ErrCodeProtocol, "malformed response: a second head")
	case s.status != 0:
		return h.finish(s)
	}
	status, err := strconv.ParseUint(f.PseudoValue("status"), 10, 16)
	if err != nil || status < 100 || status > 999 {
		return h.cancel(s, http2.ErrCodeProtocol, fmt.Sprintf("malformed response: %q is not a status", brief(f.PseudoValue("status"))))
	}
	if !s.begun {
		s.begun = true
		e := event{kind: begun, exchange: s.Index, at: at}
		if status >= 200 {
			e.status, e.head = int(status), s.received
		}
		h.tell(e)
	}
	if status < 200 {
		// RFC 9113, 8.6: HTTP/2 "removes support for the 101 (Switching Protocols)
		// informational status code"; 8.1: an interim response does not end the stream.
		if status == 101 || f.StreamEnded() {
			return h.cancel(s, http2.ErrCodeProtocol, fmt.Sprintf("malformed response: status %d and nothing after it", status))
		}
		return nil
	}
	fields := f.RegularFields()
	s.status = int(status)
	s.kind = page.MediaType(valueOf(fields, "Content-Type"))
	s.body = newBody(h.conn, s.request, s.status, s.kind, nil, h.src.when)
	hollow := s.Method == "HEAD" || status == 204 || status == 304
	if n := valueOf(fields, "Content-Length"); n != "" && !hollow {
		length, err := strconv.ParseUint(n, 10, 63)
		if err != nil {
			return h.cancel(s, http2.ErrCodeProtocol, fmt.Sprintf("malformed response: Content-Length %q is not one length", brief(n)))
		}
		s.length = int64(length)
	}
	if s.visited {
		h.open(s, fields)
	}
	if f.StreamEnded() {
		return h.finish(s)
	}
	return nil
}

func (h *http2Conn) handleData(f *http2.DataFrame, size int64) error {
	// RFC 9113, 6.9: "A receiver that receives a flow-controlled frame MUST always
	// account for its contribution against the connection flow-control window".
	if h.used += f.Length; h.used >= wire.ConnCredit/2 {
		used := h.used
		h.used = 0
		if err := h.answer(func(f *http2.Framer) error { return f.WriteWindowUpdate(0, used) }); err != nil {
			return err
		}
	}
	s := h.stream(f.StreamID)
	if s == nil {
		return h.known(f.StreamID)
	}
	s.received += size
	if s.status == 0 {
		return h.cancel(s, http2.ErrCodeProtocol, "malformed response: content before its head")
	}
	data := f.Data()
	if len(data) > 0 {
		h.idle.Store(0)
	}
	if s.body.add(data) != nil {
		return h.cancel(s, http2.ErrCodeCancel, s.body.reason)
	}
	s.search(data, false)
	if f.StreamEnded() {
		return h.finish(s)
	}
	if len(data) > 0 {
		s.body.report()
	}
	if s.used += f.Length; s.used >= wire.StreamCredit/2 {
		used := s.used
		s.used = 0
		return h.answer(func(f *http2.Framer) error { return f.WriteWindowUpdate(s.id, used) })
	}
	return nil
}

// finish says that a response is complete.
func (h *http2Conn) finish(s *stream) error {
	s.search(nil, true)
	// RFC 9113, 8.1.1: "A request or response is also malformed if the value of a
	// content-length header field does not equal the sum of the DATA frame payload
	// lengths".
	if s.length >= 0 && s.length != s.body.received {
		return h.cancel(s, http2.ErrCodeProtocol, fmt.Sprintf("malformed response: body of %d bytes, its Content-Length is %d", s.body.received, s.length))
	}
	unsent := h.forget(s)
	h.tell(h.about(s, done, s.body.rejected()))
	if unsent {
		// Who has answered does not want the rest (RFC 9113, 8.1).
		return h.answer(func(f *http2.Framer) error { return f.WriteRSTStream(s.id, http2.ErrCodeCancel) })
	}
	return nil
}

// cancel gives an exchange up, for reason.
func (h *http2Conn) cancel(s *stream, code http2.ErrCode, reason string) error {
	h.forget(s)
	h.tell(h.about(s, reset, reason))
	return h.answer(func(f *http2.Framer) error { return f.WriteRSTStream(s.id, code) })
}

// forget ends a stream. It reports whether its request has not left in full.
func (h *http2Conn) forget(s *stream) (unsent bool) {
	s.search(nil, true)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s.id)
	unsent = !s.mute
	s.mute = true
	return unsent
}

// about is an event about a stream, as far as it has come.
func (h *http2Conn) about(s *stream, kind eventKind, reason string) event {
	return event{kind: kind, exchange: s.Index, at: h.src.at, status: s.status, head: s.received - s.body.received,
		body: s.body.received, content: s.kind, rcode: s.body.rcode, persists: true, ending: ending{reason: reason}}
}

func (h *http2Conn) handleReset(f *http2.RSTStreamFrame) error {
	s := h.stream(f.StreamID)
	if s == nil {
		return h.known(f.StreamID)
	}
	h.forget(s)
	// RFC 9113, 8.7: REFUSED_STREAM says "that the stream is being closed prior to any
	// processing having occurred".
	kind := reset
	if f.ErrCode == http2.ErrCodeRefusedStream {
		kind = rejected
	}
	h.tell(h.about(s, kind, "server reset the stream: "+f.ErrCode.String()))
	return nil
}

// handleGoAway has requests asked again that the server will not process. Where it names
// an error they fail, as in Chromium: whoever is told that he asks too much, or wrongly,
// does not ask the same at once.
func (h *http2Conn) handleGoAway(f *http2.GoAwayFrame) {
	e := event{kind: goaway, at: h.src.at}
	angry := f.ErrCode != http2.ErrCodeNo
	e.reason = "server said goodbye: GOAWAY " + f.ErrCode.String()
	if angry {
		e.reason = "server ended the connection by an error: GOAWAY " + f.ErrCode.String()
	}
	if len(f.DebugData()) > 0 {
		e.reason += ", " + brief(string(f.DebugData()))
	}
	var failed []*stream
	h.mu.Lock()
	if h.goneAway == "" || angry {
		h.goneAway = e.reason
	}
	for _, id := range slices.Sorted(maps.Keys(h.streams)) {
		if id <= f.LastStreamID {
			continue
		}
		s := h.streams[id]
		s.mute = true
		delete(h.streams, id)
		if angry {
			failed = append(failed, s)
		} else {
			e.refused = append(e.refused, s.Index)
		}
	}
	h.mu.Unlock()
	h.tell(e)
	for _, s := range failed {
		s.search(nil, true)
		h.tell(h.about(s, reset, e.reason))
	}
}

func (h *http2Conn) handleSettings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	if f.HasDuplicates() {
		return fault{http2.ErrCodeProtocol, "malformed frame: a setting stands twice"}
	}
	limit, ok := f.Value(http2.SettingMaxConcurrentStreams)
	if !ok && !h.heard {
		// RFC 9113, 6.5.2: "Initially, there is no limit to this value", and now the
		// server has had its say.
		limit, ok = math.MaxInt32, true
	}
	h.heard = true
	if ok {
		h.tell(event{kind: streams, at: h.src.at, streams: int(min(limit, math.MaxInt32))})
	}
	err := f.ForeachSetting(func(v http2.Setting) error {
		if err := v.Valid(); err != nil {
			return fault{http2.ErrCodeProtocol, "malformed frame: " + v.String()}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		switch v.ID {
		case http2.SettingInitialWindowSize:
			// RFC 9113, 6.9.2: "a receiver MUST adjust the size of all stream
			// flow-control windows that it maintains by the difference".
			for _, s := range h.streams {
				s.window += int64(v.Val) - h.room
				if s.window > math.MaxInt32 {
					return fault{http2.ErrCodeFlowControl, "server widens a stream's window beyond 2^31-1"}
				}
			}
			h.room = int64(v.Val)
		case http2.SettingMaxFrameSize:
			h.maxFrame = int(v.Val)
		case http2.SettingHeaderTableSize:
			h.table = min(v.Val, wire.TableSize)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return h.answer((*http2.Framer).WriteSettingsAck)
}

func (h *http2Conn) handleWindow(f *http2.WindowUpdateFrame) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	window := &h.window
	if f.StreamID != 0 {
		s := h.streams[f.StreamID]
		if s == nil {
			return nil // over, or never there: it changes nothing
		}
		window = &s.window
	}
	if *window += int64(f.Increment); *window > math.MaxInt32 {
		return fault{http2.ErrCodeFlowControl, "server widens a window beyond 2^31-1"}
	}
	h.stir()
	return nil
}

// open has a document searched for what it names, as its bytes arrive.
func (h *http2Conn) open(s *stream, fields []hpack.HeaderField) {
	in, out := io.Pipe()
	s.feed, s.searched = out, make(chan struct{})
	fields = slices.Clone(fields) // the framer's are overwritten
	h.run.wg.Go(func() {
		defer close(s.searched)
		h.explore(s.request, s.status, func(name string) string { return valueOf(fields, name) }, in, h.run.now)
		in.Close() // what follows is not searched
	})
}

// search hands on what has come of a document. At its end it waits until all references
// are found.
func (s *stream) search(data []byte, end bool) {
	if s.feed == nil {
		return
	}
	if len(data) > 0 {
		_, _ = s.feed.Write(data)
	}
	if end {
		s.feed.Close()
		<-s.searched
		s.feed = nil
	}
}

// valueOf returns the first field of that name, "" where there is none.
func valueOf(fields []hpack.HeaderField, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}
