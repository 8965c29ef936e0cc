package origin

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/origin/accesslog"
	"linger/origin/head"
	"linger/origin/site"
	"linger/trace"
	"linger/wire"
)

// preface is what a client of HTTP/2 sends first (RFC 9113, 3.4).
var preface = []byte(http2.ClientPreface)

const (
	// receiveWindow is how much content a client may send ahead, on a stream and on
	// the connection. It is dropped as it comes, so it costs nothing.
	receiveWindow = 1 << 20
	// maxControl bounds the answers to PING, SETTINGS and what else a client can ask
	// for without taking them.
	maxControl = 64 << 10
	// maxDismissed bounds how many reset streams are remembered.
	maxDismissed = 128
	// leastPiece is the smallest piece of content that is worth a frame of its own
	// at the end of a page.
	leastPiece = 1 << 10
)

// An h2conn is one connection that speaks HTTP/2.
//
// Content is scheduled round-robin: each stream that has some to send, and leave
// to, gives one frame of up to 16 KiB in its turn. Priorities that the client
// signals (RFC 9218) are not followed.
type h2conn struct {
	duplex
	source *rationed
	in     *bufio.Reader // of source
	framer *http2.Framer // reads from in, writes to control

	// Under mu:
	control bytes.Buffer // frames to send before any other
	streams map[uint32]*h2stream
	ready   h2queue // streams with something to send
	delayed []*h2stream
	last    uint32 // the highest stream that the client has begun
	// lastAnswered is the last stream that is answered; unlimited until GOAWAY is sent.
	lastAnswered uint32
	dismissed    []uint32 // streams that were reset: what is under way on them is no error
	resets       allowance
	idle         allowance // of frames that carry nothing

	window   int64          // how much content may be sent
	initial  int64          // window of new streams
	received int64          // content not yet credited back
	progress linger.Instant // when a frame was last read, or something written

	encoder *hpack.Encoder
	block   bytes.Buffer
	fields  []site.Field
	scratch []byte
	done    []*h2stream // those whose responses are in what is being sent
}

// An h2stream is one request and its response.
type h2stream struct {
	id       uint32
	answer   site.Answer
	entry    accesslog.Entry
	started  linger.Instant
	due      linger.Instant // when the response may begin
	length   int64          // of the request's content as announced, or -1
	got      int64
	content  []byte // that is wanted, as far as it has come
	credit   int64  // content not yet credited back
	ended    bool   // the request has arrived in full
	answered bool   // the response may begin, or has
	headed   bool   // its head is sent
	left     int64  // of its content
	window   int64
	next     *h2stream
	queued   bool
	gone     bool
}

// newH2 takes a connection over from c, with what that has read already.
func newH2(c *conn) *h2conn {
	h := &h2conn{
		duplex:       c.takeOver(linger.H2.Version()),
		streams:      map[uint32]*h2stream{},
		lastAnswered: wire.MaxWindow,
		resets:       resetAllowance,
		idle:         idleAllowance,
		window:       wire.FirstWindow,
		initial:      wire.FirstWindow,
		progress:     c.server.now(),
	}
	var r io.Reader = c.nc
	if c.r < c.w {
		r = io.MultiReader(bytes.NewReader(c.in[c.r:c.w]), c.nc)
	}
	h.source = &rationed{from: r, left: len(preface)}
	h.in = bufio.NewReaderSize(h.source, minBuffer)
	h.framer = http2.NewFramer(&h.control, h.in)
	h.framer.SetReuseFrames()
	h.framer.SetMaxReadFrameSize(wire.FrameSize)
	h.framer.ReadMetaHeaders = hpack.NewDecoder(wire.TableSize, nil)
	h.framer.MaxHeaderListSize = uint32(c.server.config.MaxHeader)
	h.encoder = hpack.NewEncoder(&h.block)
	return h
}

// serve carries the connection to its end.
func (c *h2conn) serve() {
	// Writing to memory does not fail.
	_ = c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.server.config.MaxStreams)},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: receiveWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.server.config.MaxHeader)},
	)
	_ = c.framer.WriteWindowUpdate(0, receiveWindow-wire.FirstWindow)
	c.run(c)
}

func (c *h2conn) readEnded(err error) {
	if reason, _ := c.machine.Closing(); err == io.EOF && reason != "" && len(c.streams) == 0 {
		// The client does as GOAWAY has told it.
		c.end(trace.AtServer, reason)
	}
	if err != errEnd {
		c.blame(err, len(c.streams) > 0)
	}
}

// read reads frames until the connection ends: by the network, or by errEnd for
// reasons of ours.
func (c *h2conn) read() error {
	if err := c.readPreface(); err != nil {
		return err
	}
	for first := true; ; first = false {
		if err := c.await(); err != nil {
			return err
		}
		f, err := c.framer.ReadFrame()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.fail(http2.ErrCodeNo, "request timeout")
		}
		c.mu.Lock()
		c.progress = c.server.now()
		switch {
		case err != nil:
			err = c.illegible(f, err)
		case c.by != trace.Nobody:
			if t := f.Header().Type; t == http2.FrameHeaders || t == http2.FrameData {
				c.late += int64(f.Header().Length)
			}
		case first && f.Header().Type != http2.FrameSettings:
			err = c.fail(http2.ErrCodeProtocol, "the first frame is not SETTINGS")
		default:
			err = c.handle(f)
		}
		switch {
		case c.control.Len() > maxControl:
			err = cmp.Or(err, c.fail(http2.ErrCodeEnhanceYourCalm, "client asks for more than it takes"))
		case !c.resets.left(c.progress):
			err = cmp.Or(err, c.fail(http2.ErrCodeEnhanceYourCalm, errResets.Error()))
		case !c.idle.left(c.progress):
			err = cmp.Or(err, c.fail(http2.ErrCodeEnhanceYourCalm, errIdle.Error()))
		}
		c.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

func (c *h2conn) readPreface() error {
	var b [len(http2.ClientPreface)]byte
	c.signal()
	if _, err := io.ReadFull(c.in, b[:]); err != nil {
		return err
	}
	if string(b[:]) != http2.ClientPreface {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.fail(http2.ErrCodeProtocol, "the connection does not begin with the preface")
	}
	return nil
}

// await waits for the next frame, as long as it takes, and sees to it that the
// rest of one that has begun comes within the policy's time for a request.
func (c *h2conn) await() error {
	whole := func() bool {
		if c.in.Buffered() < wire.FrameHeaderSize {
			return false
		}
		b, _ := c.in.Peek(wire.FrameHeaderSize)
		length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		continued := http2.FrameType(b[3]) == http2.FrameHeaders && !http2.Flags(b[4]).Has(http2.FlagHeadersEndHeaders)
		return c.in.Buffered() >= wire.FrameHeaderSize+length && !continued
	}
	c.source.left = c.blockLimit() - c.in.Buffered()
	if whole() {
		return nil
	}
	// Everything that has arrived has been looked at: what there is to be said about
	// it goes out together.
	c.signal()
	limit := c.server.config.Policy.RequestTimeout
	if limit > 0 {
		c.nc.SetReadDeadline(time.Time{})
	}
	if _, err := c.in.Peek(1); err != nil {
		return err
	}
	if limit > 0 && !whole() {
		c.nc.SetReadDeadline(c.server.at(c.server.now().Add(limit)))
	}
	return nil
}

// blockLimit bounds the frames of one head, in bytes with what precedes each, so that it
// bounds their number, too: the framer reads on as long as no frame ends the head. It is
// more than any frame has, and what fits in MaxHeader unpacked is shorter packed.
func (c *h2conn) blockLimit() int { return 2*c.server.config.MaxHeader + 2*wire.FrameSize }

// drain reads and drops what still comes.
func (c *h2conn) drain() {
	c.source.left = math.MaxInt
	c.nc.SetReadDeadline(time.Time{})
	c.signal()
	_, _ = io.Copy(io.Discard, c.in)
}

// illegible acts on what the framer could not make sense of.
func (c *h2conn) illegible(f http2.Frame, err error) error {
	if e, ok := errors.AsType[http2.StreamError](err); ok {
		if c.by != trace.Nobody {
			return nil
		}
		c.last = max(c.last, e.StreamID)
		c.reset(e.StreamID, e.Code, "malformed request: "+cause(e.Cause, c.framer.ErrorDetail(), e))
		return nil
	}
	if head, ok := f.(*http2.MetaHeadersFrame); ok && head.Truncated {
		return c.fail(http2.ErrCodeEnhanceYourCalm, fmt.Sprintf("a head of more than %d bytes that has no end", c.server.config.MaxHeader))
	}
	if err == errRation {
		return c.fail(http2.ErrCodeEnhanceYourCalm, fmt.Sprintf("a head in more than %d bytes of frames that has no end", c.blockLimit()))
	}
	if e, ok := errors.AsType[http2.ConnectionError](err); ok {
		return c.fail(http2.ErrCode(e), cause(c.framer.ErrorDetail()))
	}
	if errors.Is(err, http2.ErrFrameTooLarge) {
		return c.fail(http2.ErrCodeFrameSize, fmt.Sprintf("a frame of more than %d bytes", wire.FrameSize))
	}
	return err
}

// cause is the text of the first error that there is.
func cause(errs ...error) string {
	if err := cmp.Or(errs...); err != nil {
		return err.Error()
	}
	return ""
}

// handle acts on one frame. The error is errEnd.
func (c *h2conn) handle(f http2.Frame) error {
	c.idle.take(c.progress)
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return c.headers(f)
	case *http2.DataFrame:
		if len(f.Data()) > 0 {
			c.idle.restore()
		}
		return c.data(f)
	case *http2.SettingsFrame:
		return c.settings(f)
	case *http2.WindowUpdateFrame:
		return c.windowUpdate(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = c.framer.WritePing(true, f.Data)
		}
	case *http2.RSTStreamFrame:
		if f.StreamID > c.last {
			return c.fail(http2.ErrCodeProtocol, "RST_STREAM for a stream that has not begun")
		}
		if st := c.streams[f.StreamID]; st != nil {
			c.resets.take(c.progress)
			c.forget(st, "client reset the stream: "+f.ErrCode.String())
		}
	case *http2.PriorityFrame:
		if f.StreamDep == f.StreamID {
			c.reset(f.StreamID, http2.ErrCodeProtocol, "stream depends on itself")
		}
	case *http2.PushPromiseFrame:
		return c.fail(http2.ErrCodeProtocol, "PUSH_PROMISE from a client")
	}
	return nil
}

// headers begins a stream, or ends one by its trailer.
func (c *h2conn) headers(f *http2.MetaHeadersFrame) error {
	id := f.StreamID
	if st := c.streams[id]; st != nil {
		switch {
		case st.ended:
			c.reset(id, http2.ErrCodeStreamClosed, "HEADERS behind the end of the request")
		case !f.StreamEnded() || len(f.PseudoFields()) > 0:
			c.reset(id, http2.ErrCodeProtocol, "malformed trailer")
		default:
			c.requestEnded(st)
		}
		return nil
	}
	switch {
	case id%2 == 0:
		return c.fail(http2.ErrCodeProtocol, "a stream of a client has an even number")
	case id <= c.last && slices.Contains(c.dismissed, id):
		return nil
	case id <= c.last:
		return c.fail(http2.ErrCodeStreamClosed, "HEADERS for a stream that is closed")
	}
	c.last = id
	if id > c.lastAnswered {
		return nil
	}
	if f.HasPriority() && f.Priority.StreamDep == id {
		c.reset(id, http2.ErrCodeProtocol, "stream depends on itself")
		return nil
	}
	if len(c.streams) >= c.server.config.MaxStreams {
		c.reset(id, http2.ErrCodeRefusedStream, "more streams than allowed")
		return nil
	}
	h := head.NewSection()
	for _, hf := range f.Fields {
		h.Add(hf.Name, hf.Value)
	}
	st := &h2stream{id: id, started: c.progress, ended: f.StreamEnded(), window: c.initial}
	early := false
	if f.Truncated {
		no := head.Refuse(431, "the head has more than %d bytes", c.server.config.MaxHeader)
		st.answer = site.Refused(no, site.Answer{Method: h.Method, Target: h.Path}, h.Method == "HEAD")
		early = true
	} else if err := h.End(); err != nil {
		c.reset(id, http2.ErrCodeProtocol, "malformed request: "+err.Error())
		return nil
	} else {
		st.answer, early, c.scratch = c.server.answerTo(&h, c.scratch)
	}
	c.misbehave(&st.answer, linger.H2.Version())
	c.streams[id] = st
	c.idle.restore()
	c.server.requests.Add(1)
	persists := c.machine.HandleRequest(c.progress, linger.H2.Version(), nil)
	c.tell()
	st.entry = c.entry(&st.answer, linger.H2.Version(), c.machine.Requests())
	if !persists {
		c.goAway()
	}
	st.length = h.Length
	switch {
	case st.ended:
		c.requestEnded(st)
	case early:
		c.respond(st)
	case h.Expect:
		c.block.Reset()
		c.encode(":status", "100", false)
		_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true})
	}
	return nil
}

// data takes in a piece of a request's content.
func (c *h2conn) data(f *http2.DataFrame) error {
	n := int64(f.Length)
	if c.received += n; c.received > receiveWindow {
		return c.fail(http2.ErrCodeFlowControl, "more content than the connection's window")
	}
	if c.received >= receiveWindow/2 {
		_ = c.framer.WriteWindowUpdate(0, uint32(c.received))
		c.received = 0
	}
	st := c.streams[f.StreamID]
	switch {
	case st != nil && st.ended:
		c.reset(st.id, http2.ErrCodeStreamClosed, "DATA behind the end of the request")
		return nil
	case st == nil && f.StreamID > c.last:
		return c.fail(http2.ErrCodeProtocol, "DATA for a stream that has not begun")
	case st == nil:
		if f.StreamID <= c.lastAnswered && !slices.Contains(c.dismissed, f.StreamID) {
			c.reset(f.StreamID, http2.ErrCodeStreamClosed, "")
		}
		return nil
	}
	if st.credit += n; st.credit > receiveWindow {
		c.reset(st.id, http2.ErrCodeFlowControl, "more content than the stream's window")
		return nil
	}
	st.got += int64(len(f.Data()))
	if limit := c.server.contentLimit(&st.answer); st.answer.Take != nil && st.got <= limit {
		st.content = append(st.content, f.Data()...)
	}
	switch {
	case st.length >= 0 && (st.got > st.length || f.StreamEnded() && st.got < st.length):
		c.reset(st.id, http2.ErrCodeProtocol, "malformed request: its content is not as long as content-length says")
	case st.answered:
	case st.got > c.server.contentLimit(&st.answer):
		st.answer = site.Refused(tooLong(st.got, c.server.contentLimit(&st.answer)), st.answer, st.answer.Method == "HEAD")
		st.entry.Status, st.entry.Body = st.answer.Status, st.answer.Length
		c.respond(st)
	case f.StreamEnded():
		c.requestEnded(st)
	case st.credit >= receiveWindow/2:
		_ = c.framer.WriteWindowUpdate(st.id, uint32(st.credit))
		st.credit = 0
	}
	return nil
}

// requestEnded says that the client has sent all of its request.
func (c *h2conn) requestEnded(st *h2stream) {
	st.ended = true
	if st.length > st.got {
		c.reset(st.id, http2.ErrCodeProtocol, "malformed request: its content is not as long as content-length says")
		return
	}
	if !st.answered {
		if st.answer.Take != nil {
			st.answer = st.answer.Complete(st.content)
			st.entry.Status, st.entry.Body = st.answer.Status, st.answer.Length
		}
		c.respond(st)
	}
}

// respond has the response sent when it is due.
func (c *h2conn) respond(st *h2stream) {
	st.answered = true
	if st.answer.Body != nil || st.answer.Stream != nil {
		st.left = st.answer.Length
	}
	if st.due = c.server.due(c.progress, st.answer.Delay); st.due > c.progress {
		c.delayed = append(c.delayed, st)
		return
	}
	c.ready.push(st)
}

func (c *h2conn) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := s.Valid(); err != nil {
			return err
		}
		switch s.ID {
		case http2.SettingHeaderTableSize:
			// As much as the client lets us keep, but no more than is needed here.
			c.encoder.SetMaxDynamicTableSize(min(s.Val, wire.TableSize))
		case http2.SettingInitialWindowSize:
			// RFC 9113, 6.9.2: "a receiver MUST adjust the size of all stream
			// flow-control windows that it maintains by the difference".
			change := int64(s.Val) - c.initial
			c.initial = int64(s.Val)
			for _, st := range c.streams {
				if st.window += change; st.window > wire.MaxWindow {
					return http2.ConnectionError(http2.ErrCodeFlowControl)
				}
				c.unblock(st)
			}
		}
		return nil
	})
	if e, ok := errors.AsType[http2.ConnectionError](err); ok {
		return c.fail(http2.ErrCode(e), "a setting is out of its range")
	}
	_ = c.framer.WriteSettingsAck()
	return nil
}

func (c *h2conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	if f.StreamID == 0 {
		if c.window += int64(f.Increment); c.window > wire.MaxWindow {
			return c.fail(http2.ErrCodeFlowControl, "the connection's window overflows")
		}
		return nil
	}
	if f.StreamID > c.last {
		return c.fail(http2.ErrCodeProtocol, "WINDOW_UPDATE for a stream that has not begun")
	}
	if st := c.streams[f.StreamID]; st != nil {
		if st.window += int64(f.Increment); st.window > wire.MaxWindow {
			c.reset(st.id, http2.ErrCodeFlowControl, "the stream's window overflows")
			return nil
		}
		c.unblock(st)
	}
	return nil
}

// unblock lets a stream go on that waited for leave to send.
func (c *h2conn) unblock(st *h2stream) {
	if st.headed && st.left > 0 && st.window > 0 {
		c.ready.push(st)
	}
}

// reset ends a stream by RST_STREAM.
func (c *h2conn) reset(id uint32, code http2.ErrCode, why string) {
	_ = c.framer.WriteRSTStream(id, code)
	c.resets.take(c.progress)
	c.dismiss(id)
	if st := c.streams[id]; st != nil {
		c.forget(st, why)
	}
}

// dismiss notes that frames may still come for a stream that has been reset.
func (c *h2conn) dismiss(id uint32) {
	if len(c.dismissed) == maxDismissed {
		c.dismissed = slices.Delete(c.dismissed, 0, 1)
	}
	c.dismissed = append(c.dismissed, id)
}

// forget ends a stream whose response will not be sent in full.
func (c *h2conn) forget(st *h2stream, why string) {
	delete(c.streams, st.id)
	st.gone = true
	now := c.server.now()
	c.answered(st.entry, st.started, now, why)
}

// goAway sends GOAWAY: what the client has begun so far is answered, what comes
// behind it is not looked at and may be sent elsewhere.
func (c *h2conn) goAway() {
	if c.lastAnswered == wire.MaxWindow {
		c.lastAnswered = c.last
		named := c.last
		if c.policy.Breach.Disown {
			// RFC 9113, 6.8: "The last stream identifier [...] contains the highest-numbered
			// stream identifier for which the sender of the GOAWAY frame might have taken
			// some action on": it has taken action on all of them.
			if named = 1; c.last == 1 {
				named = 0
			}
		}
		_ = c.framer.WriteGoAway(named, http2.ErrCodeNo, nil)
	}
}

// fail ends the connection for an error of the client's. It returns errEnd.
func (c *h2conn) fail(code http2.ErrCode, why string) error {
	if c.by == trace.Nobody {
		_ = c.framer.WriteGoAway(c.last, code, []byte(why))
		c.lastAnswered = min(c.lastAnswered, c.last)
		switch {
		case why == "":
			why = code.String()
		case code != http2.ErrCodeNo:
			why = code.String() + ": " + why
		}
		c.end(trace.AtServer, why)
	}
	return errEnd
}

// errRation says that a client was to send more than may be read.
var errRation = errors.New("more than may be read")

// A rationed reader reads no more than is left: an error says that it was to.
type rationed struct {
	from io.Reader
	left int
}

func (r *rationed) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errRation
	}
	n, err := r.from.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}
