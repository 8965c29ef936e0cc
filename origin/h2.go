package origin

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/policy"
	"linger/trace"
)

// preface is what a client of HTTP/2 sends first (RFC 9113, 3.4).
var preface = []byte(http2.ClientPreface)

const (
	// frameSize is the largest frame that is read or sent: SETTINGS_MAX_FRAME_SIZE
	// at its least, which every peer takes.
	frameSize = 16 << 10
	// receiveWindow is how much content a client may send ahead, on a stream and on
	// the connection. It is dropped as it comes, so it costs nothing.
	receiveWindow = 1 << 20
	maxWindow     = 1<<31 - 1
	// maxControl bounds the answers to PING, SETTINGS and what else a client can ask
	// for without taking them.
	maxControl = 64 << 10
	// maxDismissed bounds how many reset streams are remembered.
	maxDismissed = 128
	// leastPiece is the smallest piece of content that is worth a frame of its own
	// at the end of a page.
	leastPiece = 1 << 10
)

// An h2conn is one connection that speaks HTTP/2. Two goroutines carry it: one
// reads frames, the other sends them. What both touch is under mu, which nobody
// holds while he waits.
//
// Content is scheduled round-robin: each stream that has some to send, and leave
// to, gives one frame of up to 16 KiB in its turn. Priorities that the client
// signals (RFC 9218) are not followed.
type h2conn struct {
	session
	nc     net.Conn
	in     *bufio.Reader
	framer *http2.Framer // reads from in, writes to control

	mu      sync.Mutex
	wake    chan struct{} // there is something for the sender to look at
	gone    chan struct{} // closed when nothing more is read
	control bytes.Buffer  // frames to send before any other
	streams map[uint32]*h2stream
	ready   h2queue // streams with something to send
	delayed []*h2stream
	last    uint32 // the highest stream that the client has begun
	// farewell is the last stream that is answered; unlimited until GOAWAY is sent.
	farewell  uint32
	dismissed []uint32 // streams that were reset: what is under way on them is no error

	window   int64          // how much content may be sent
	initial  int64          // window of new streams
	received int64          // content not yet credited back
	progress linger.Instant // when a frame was last read, or something written
	failed   bool           // no more can be sent
	late     int64

	encoder *hpack.Encoder
	block   bytes.Buffer
	fields  []field
	scratch []byte
	done    []*h2stream // those whose responses are in what is being sent
}

// An h2stream is one request and its response.
type h2stream struct {
	id       uint32
	answer   answer
	entry    Entry
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

// An h2queue is a queue of streams that takes no memory of its own.
type h2queue struct{ first, last *h2stream }

func (q *h2queue) push(st *h2stream) {
	if st.queued {
		return
	}
	st.queued, st.next = true, nil
	if q.last == nil {
		q.first = st
	} else {
		q.last.next = st
	}
	q.last = st
}

// unpop puts st back at the front.
func (q *h2queue) unpop(st *h2stream) {
	st.queued, st.next = true, q.first
	q.first = st
	if q.last == nil {
		q.last = st
	}
}

func (q *h2queue) pop() *h2stream {
	st := q.first
	if st != nil {
		q.first, st.queued = st.next, false
		if q.first == nil {
			q.last = nil
		}
	}
	return st
}

// newH2 takes a connection over from c, with what that has read already.
func newH2(c *conn) *h2conn {
	h := &h2conn{
		session:  c.session,
		nc:       c.nc,
		wake:     make(chan struct{}, 1),
		gone:     make(chan struct{}),
		streams:  map[uint32]*h2stream{},
		farewell: maxWindow,
		window:   65535,
		initial:  65535,
		progress: c.server.now(),
	}
	h.policy = c.server.policyOf("2")
	h.mind = policy.NewServer(h.policy, c.server.now())
	var r io.Reader = c.nc
	if c.r < c.w {
		r = io.MultiReader(bytes.NewReader(c.in[c.r:c.w]), c.nc)
	}
	h.in = bufio.NewReaderSize(r, minBuffer)
	h.framer = http2.NewFramer(&h.control, h.in)
	h.framer.SetReuseFrames()
	h.framer.SetMaxReadFrameSize(frameSize)
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.framer.MaxHeaderListSize = uint32(c.server.config.MaxHeader)
	h.encoder = hpack.NewEncoder(&h.block)
	return h
}

func (c *h2conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mind.HandleShutdown()
	c.signal()
}

func (c *h2conn) cut() { bare(c.nc).Close() }

// signal has the sender look.
func (c *h2conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// serve carries the connection to its end.
func (c *h2conn) serve() {
	c.nc.SetReadDeadline(time.Time{})
	// Writing to memory does not fail.
	_ = c.framer.WriteSettings(
		http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(c.server.config.MaxStreams)},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: receiveWindow},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: uint32(c.server.config.MaxHeader)},
	)
	_ = c.framer.WriteWindowUpdate(0, receiveWindow-65535)
	var sender sync.WaitGroup
	sender.Go(c.send)
	err := c.read()
	c.mu.Lock()
	if reason, _ := c.mind.Closing(); err == io.EOF && reason != "" && len(c.streams) == 0 {
		// The client does as GOAWAY has told it.
		c.end(trace.AtServer, reason)
	}
	if err != errEnd {
		c.blame(err, len(c.streams) > 0)
	}
	c.signal()
	c.mu.Unlock()
	if err == errEnd {
		c.drain()
	}
	close(c.gone)
	sender.Wait()
	c.logClosed(c.late)
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
		if c.control.Len() > maxControl {
			err = cmp.Or(err, c.fail(http2.ErrCodeEnhanceYourCalm, "client asks for more than it takes"))
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
	const header = 9
	whole := func() bool {
		if c.in.Buffered() < header {
			return false
		}
		b, _ := c.in.Peek(header)
		length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		continued := http2.FrameType(b[3]) == http2.FrameHeaders && !http2.Flags(b[4]).Has(http2.FlagHeadersEndHeaders)
		return c.in.Buffered() >= header+length && !continued
	}
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

// drain reads and drops what still comes.
func (c *h2conn) drain() {
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
	if e, ok := errors.AsType[http2.ConnectionError](err); ok {
		return c.fail(http2.ErrCode(e), cause(c.framer.ErrorDetail()))
	}
	if errors.Is(err, http2.ErrFrameTooLarge) {
		return c.fail(http2.ErrCodeFrameSize, fmt.Sprintf("a frame of more than %d bytes", frameSize))
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
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		return c.headers(f)
	case *http2.DataFrame:
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
	if id > c.farewell {
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
	h := section{length: -1}
	for _, hf := range f.Fields {
		h.add(hf.Name, hf.Value)
	}
	st := &h2stream{id: id, started: c.progress, ended: f.StreamEnded(), window: c.initial}
	early := false
	if f.Truncated {
		no := refuse(431, "the head has more than %d bytes", c.server.config.MaxHeader)
		st.answer = refused(no, answer{method: h.method, target: h.path}, h.method == "HEAD")
		early = true
	} else if err := h.end(); err != nil {
		c.reset(id, http2.ErrCodeProtocol, "malformed request: "+err.Error())
		return nil
	} else {
		st.answer, early, c.scratch = c.server.answerTo(&h, c.scratch)
	}
	c.misbehave(&st.answer, "2")
	c.streams[id] = st
	c.server.requests.Add(1)
	persists := c.mind.HandleRequest(c.progress, "2", nil)
	st.entry = c.entry(&st.answer, "2", c.mind.Requests())
	if !persists {
		c.goodbye()
	}
	st.length = h.length
	switch {
	case st.ended:
		c.requestEnded(st)
	case early:
		c.respond(st)
	case h.expect:
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
		if f.StreamID <= c.farewell && !slices.Contains(c.dismissed, f.StreamID) {
			c.reset(f.StreamID, http2.ErrCodeStreamClosed, "")
		}
		return nil
	}
	if st.credit += n; st.credit > receiveWindow {
		c.reset(st.id, http2.ErrCodeFlowControl, "more content than the stream's window")
		return nil
	}
	st.got += int64(len(f.Data()))
	if limit := c.server.contentLimit(&st.answer); st.answer.take != nil && st.got <= limit {
		st.content = append(st.content, f.Data()...)
	}
	switch {
	case st.length >= 0 && (st.got > st.length || f.StreamEnded() && st.got < st.length):
		c.reset(st.id, http2.ErrCodeProtocol, "malformed request: its content is not as long as content-length says")
	case st.answered:
	case st.got > c.server.contentLimit(&st.answer):
		st.answer = refused(tooLong(st.got, c.server.contentLimit(&st.answer)), st.answer, st.answer.method == "HEAD")
		st.entry.Status, st.entry.Body = st.answer.status, st.answer.length
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
		if st.answer.take != nil {
			st.answer = st.answer.complete(st.content)
			st.entry.Status, st.entry.Body = st.answer.status, st.answer.length
		}
		c.respond(st)
	}
}

// respond has the response sent when it is due.
func (c *h2conn) respond(st *h2stream) {
	st.answered = true
	if st.answer.body != nil || st.answer.stream != nil {
		st.left = st.answer.length
	}
	if st.answer.delay > 0 {
		st.due = c.progress.Add(st.answer.delay)
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
			c.encoder.SetMaxDynamicTableSize(min(s.Val, 4096))
		case http2.SettingInitialWindowSize:
			// RFC 9113, 6.9.2: "a receiver MUST adjust the size of all stream
			// flow-control windows that it maintains by the difference".
			change := int64(s.Val) - c.initial
			c.initial = int64(s.Val)
			for _, st := range c.streams {
				if st.window += change; st.window > maxWindow {
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
		if c.window += int64(f.Increment); c.window > maxWindow {
			return c.fail(http2.ErrCodeFlowControl, "the connection's window overflows")
		}
		return nil
	}
	if f.StreamID > c.last {
		return c.fail(http2.ErrCodeProtocol, "WINDOW_UPDATE for a stream that has not begun")
	}
	if st := c.streams[f.StreamID]; st != nil {
		if st.window += int64(f.Increment); st.window > maxWindow {
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
	c.mind.HandleResponse(c.server.now())
	if c.server.config.Log != nil {
		c.log(st.entry, st.started, c.server.now(), why)
	}
}

// goodbye sends GOAWAY: what the client has begun so far is answered, what comes
// behind it is not looked at and may be sent elsewhere.
func (c *h2conn) goodbye() {
	if c.farewell == maxWindow {
		c.farewell = c.last
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
		c.farewell = min(c.farewell, c.last)
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

// send sends what there is until the connection has ended, and ends it.
func (c *h2conn) send() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		page := pages.Get().(*[pageSize]byte)
		c.mu.Lock()
		now := c.server.now()
		c.pass(now)
		out := c.fill(page[:0], now)
		wake, ended := c.nextTimeout(), c.by != trace.Nobody
		c.mu.Unlock()
		var err error
		if len(out) > 0 {
			err = c.write(out)
			c.settle(err)
		}
		pages.Put(page)
		switch {
		case err != nil || ended && len(out) == 0:
			c.close()
			return
		case len(out) > 0:
			continue
		}
		timer.Reset(wake.Sub(now))
		select {
		case <-c.wake:
		case <-timer.C:
		}
	}
}

// pass does what is due at now.
func (c *h2conn) pass(now linger.Instant) {
	c.mind.HandleTimeout(now)
	reason, due := c.mind.Closing()
	if reason != "" {
		c.goodbye()
	}
	if due {
		c.end(trace.AtServer, reason)
	}
	if now >= c.stalls() {
		c.fail(http2.ErrCodeNo, errStalled.Error())
	}
	c.delayed = slices.DeleteFunc(c.delayed, func(st *h2stream) bool {
		if st.due <= now && !st.gone {
			c.ready.push(st)
		}
		return st.due <= now || st.gone
	})
}

// stalls returns when the client has kept the server waiting for too long, or
// Never where it is not waited for.
//
// The limit is the connection's: a client may leave one stream alone while it
// takes others.
func (c *h2conn) stalls() linger.Instant {
	if c.by != trace.Nobody || len(c.streams) <= len(c.delayed) {
		return linger.Never
	}
	return c.progress.Add(c.server.config.Stall)
}

func (c *h2conn) nextTimeout() linger.Instant {
	t := min(c.mind.NextTimeout(), c.stalls())
	for _, st := range c.delayed {
		t = min(t, st.due)
	}
	return t
}

// fill appends the frames that may be sent now to b, as many as fit in a page.
func (c *h2conn) fill(b []byte, now linger.Instant) []byte {
	if c.by == trace.AtClient {
		return b
	}
	b = append(b, c.control.Bytes()...)
	c.control.Reset()
	for c.by == trace.Nobody {
		st := c.ready.pop()
		if st == nil {
			break
		}
		if st.gone {
			continue
		}
		var more bool
		if b, more = c.advance(b, st); !more {
			c.ready.unpop(st)
			break
		}
		switch {
		case !st.headed || st.left > 0 && st.window > 0:
			c.ready.push(st)
		case st.left == 0 && !st.gone:
			// The client may begin another stream as soon as it has read this.
			delete(c.streams, st.id)
			c.done = append(c.done, st)
			reason, _ := c.mind.Closing()
			st.entry.Kept = reason == ""
			if !st.ended {
				// RFC 9113, 8.1: a server may answer before the request is complete,
				// and then ask the client to stop by RST_STREAM with NO_ERROR.
				b = appendFrame(b, 4, http2.FrameRSTStream, 0, st.id)
				b = append(b, 0, 0, 0, byte(http2.ErrCodeNo))
				c.dismiss(st.id)
			}
		}
	}
	return b
}

// advance appends the next frame of a response to b. It reports false where
// there is no room, or no leave, to send any more.
func (c *h2conn) advance(b []byte, st *h2stream) ([]byte, bool) {
	const header = 9
	room := pageSize - len(b) - header
	if !st.headed {
		if room < headRoom {
			return b, false
		}
		st.headed = true
		return c.appendHeaders(b, st), true
	}
	n := min(st.left, st.window, c.window, frameSize, int64(room))
	if n <= 0 || n < min(st.left, st.window, c.window, leastPiece) {
		return b, false
	}
	var flags http2.Flags
	if n == st.left {
		flags = http2.FlagDataEndStream
	}
	b = appendFrame(b, int(n), http2.FrameData, flags, st.id)
	a := &st.answer
	if a.body != nil {
		from := a.length - st.left
		b = append(b, a.body[from:from+n]...)
	} else if _, err := io.ReadFull(a.stream, b[len(b):len(b)+int(n)]); err != nil {
		c.reset(st.id, http2.ErrCodeInternal, errShort.Error())
		return b[:len(b)-header], true
	} else {
		b = b[:len(b)+int(n)]
	}
	st.left -= n
	st.window -= n
	c.window -= n
	return b, true
}

// appendHeaders appends the head of a response.
func (c *h2conn) appendHeaders(b []byte, st *h2stream) []byte {
	c.block.Reset()
	c.encode(":status", strconv.Itoa(st.answer.status), false)
	fields, padded := c.server.appendFields(c.fields[:0], &st.answer, c.altSvc)
	for i, f := range fields {
		c.encode(f.lower, f.value, padded && i == len(fields)-1)
	}
	c.fields = fields
	var flags http2.Flags
	if st.left == 0 {
		flags = http2.FlagHeadersEndStream
	}
	kind := http2.FrameHeaders
	for block := c.block.Bytes(); ; kind, flags = http2.FrameContinuation, 0 {
		n := min(len(block), frameSize)
		if n == len(block) {
			flags |= http2.FlagHeadersEndHeaders
		}
		b = appendFrame(b, n, kind, flags, st.id)
		b = append(b, block[:n]...)
		if block = block[n:]; len(block) == 0 {
			return b
		}
	}
}

// encode adds a field to the block; one that is unique never enters the table.
func (c *h2conn) encode(name, value string, unique bool) {
	// Writing to memory does not fail.
	_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: unique})
}

// appendFrame appends a frame's header.
func appendFrame(b []byte, length int, kind http2.FrameType, flags http2.Flags, id uint32) []byte {
	return append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags),
		byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

// write hands b to the kernel, for as long as that takes something.
func (c *h2conn) write(b []byte) error {
	for {
		c.nc.SetWriteDeadline(c.server.at(c.server.now().Add(c.server.config.Stall)))
		n, err := c.nc.Write(b)
		b = b[n:]
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case n == 0:
			return fmt.Errorf("%w in taking its response", errStalled)
		}
	}
}

// settle notes what has become of what was written.
func (c *h2conn) settle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.server.now()
	failed := ""
	if err != nil {
		c.blame(err, false)
		c.failed = true
		failed = c.reason
	} else {
		c.progress = now
	}
	for _, st := range c.done {
		c.mind.HandleResponse(now)
		if c.server.config.Log != nil {
			c.log(st.entry, st.started, now, failed)
		}
	}
	clear(c.done)
	c.done = c.done[:0]
}

// close ends the connection in the policy's style.
func (c *h2conn) close() {
	c.mu.Lock()
	for _, st := range c.streams {
		c.forget(st, c.reason)
	}
	gently := c.by == trace.AtServer && !c.failed
	c.mu.Unlock()
	switch {
	case gently && c.policy.Style == policy.CloseRST:
		reset(c.nc)
	case gently:
		c.linger()
	}
	c.nc.Close()
}

// linger closes the sending side, then waits until the client has closed, too; see
// conn.linger.
func (c *h2conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	timer := time.NewTimer(c.server.config.Linger)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-timer.C:
	}
}
