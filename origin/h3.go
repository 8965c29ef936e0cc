package origin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"linger"
	"linger/policy"
	"linger/trace"
)

// ServeQUIC is as Serve, for HTTP/3 over QUIC (RFC 9114) on pc, which it closes.
//
// Early data (0-RTT) is accepted from clients that resume a session. What is not
// safe to repeat waits in it until the handshake is complete (RFC 8470, 3). The
// policy's idle timeout is QUIC's too, as the transport parameter max_idle_timeout;
// without one that is an hour.
func (s *Server) ServeQUIC(ctx context.Context, pc net.PacketConn) error {
	return s.acceptQUIC(ctx, pc, http3.NextProtoH3, 0, s.serveQUIC)
}

// acceptQUIC accepts connections of one protocol and has each served. uni is how many
// unidirectional streams a client may have open: 0 is the stack's default, less than
// that none.
func (s *Server) acceptQUIC(ctx context.Context, pc net.PacketConn, protocol string, uni int64, serve func(*quic.Conn)) error {
	defer pc.Close()
	if len(s.config.Certificates) == 0 {
		return errNoCertificate
	}
	transport := &quic.Transport{Conn: pc}
	defer transport.Close()
	idle := s.config.Policy.IdleTimeout
	if idle == 0 {
		idle = time.Hour
	}
	ln, err := transport.ListenEarly(tlsConfig(s.config.Certificates, protocol), &quic.Config{
		// Answers of DNS are never so long that a larger packet would serve them.
		DisablePathMTUDiscovery: s.site.zone != nil,
		MaxIdleTimeout:          idle,
		MaxIncomingStreams:      int64(s.config.MaxStreams),
		MaxIncomingUniStreams:   uni,
		Allow0RTT:               true,
	})
	if err != nil {
		return fmt.Errorf("cannot listen for QUIC on %v: %w", pc.LocalAddr(), err)
	}
	defer ln.Close()
	leave, err := s.enter(ctx, ln)
	if err != nil {
		return err
	}
	defer leave()
	var conns sync.WaitGroup
	defer conns.Wait()
	for s.acquire() {
		qc, err := ln.Accept(context.Background())
		switch {
		case err == nil:
			conns.Go(func() {
				defer s.release()
				serve(qc)
			})
		case s.isDown():
			return nil
		default:
			s.abort()
			return fmt.Errorf("cannot accept connections on %v: %w", pc.LocalAddr(), err)
		}
	}
	return nil
}

func (s *Server) serveQUIC(qc *quic.Conn) {
	c := &h3conn{
		session: s.newSession(s.accepted.Add(1), qc.RemoteAddr(), "3"),
		qc:      qc,
		wake:    make(chan struct{}, 1),
		limit:   unlimited,
	}
	if !s.carry(c, nil) {
		c.cut()
		return
	}
	c.serve()
	s.drop(c)
}

// Types of frames (RFC 9114, 7.2), streams (6.2; RFC 9204, 4.2) and settings.
const (
	frameData        = 0x0
	frameHeaders     = 0x1
	frameCancelPush  = 0x3
	frameSettings    = 0x4
	framePushPromise = 0x5
	frameGoAway      = 0x7
	frameMaxPushID   = 0xd

	streamControl = 0x0
	streamPush    = 0x1
	streamEncoder = 0x2
	streamDecoder = 0x3

	settingMaxFieldSection = 0x6

	// maxControlFrame bounds what a client says on its control stream at once.
	maxControlFrame = 16 << 10
)

// unlimited is behind every stream of a client (RFC 9000, 2.1).
const unlimited = quic.StreamID(1 << 62)

// An h3conn is one connection that speaks HTTP/3. One goroutine accepts requests,
// one accepts the client's other streams, one watches the policy, and each stream
// has its own; what they share is under mu.
//
// Packets, loss, congestion and the order of streams are the stack's: QUIC streams
// that have something to send take turns. Fields are compressed by QPACK's static
// table and Huffman's code alone.
type h3conn struct {
	session
	qc      *quic.Conn
	control *quic.SendStream
	streams sync.WaitGroup

	mu    sync.Mutex
	wake  chan struct{} // there is something for the watch to look at
	next  quic.StreamID // behind the last stream that was accepted
	limit quic.StreamID // the first stream that is not answered
	wrote linger.Instant
	short bool  // a request was not answered in full
	seen  uint8 // critical streams of the client, as bits
	late  int64
}

func (c *h3conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mind.HandleShutdown()
	c.signal()
}

func (c *h3conn) cut() {
	// An error says that the connection has ended already.
	_ = c.qc.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "server cut off")
}

func (c *h3conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// serve carries the connection to its end.
func (c *h3conn) serve() {
	var err error
	if c.control, err = c.qc.OpenUniStream(); err == nil {
		b := quicvarint.Append(nil, streamControl)
		settings := quicvarint.Append(nil, settingMaxFieldSection)
		settings = quicvarint.Append(settings, uint64(c.server.config.MaxHeader))
		_, err = c.control.Write(append(appendFrameHeader(b, frameSettings, len(settings)), settings...))
	}
	if err != nil {
		c.fail(http3.ErrCodeInternalError, err.Error())
	}
	var helpers sync.WaitGroup
	helpers.Go(c.watch)
	helpers.Go(func() {
		for {
			str, err := c.qc.AcceptUniStream(context.Background())
			if err != nil {
				return
			}
			helpers.Go(func() { c.serveUni(str) })
		}
	})
	for {
		str, err := c.qc.AcceptStream(context.Background())
		if err != nil {
			break
		}
		if n, ok := c.admit(str); ok {
			c.streams.Go(func() { c.serveStream(str, n) })
		}
	}
	c.streams.Wait()
	helpers.Wait()
	c.mu.Lock()
	c.blameQUIC(context.Cause(c.qc.Context()))
	c.mu.Unlock()
	c.logClosed(c.late)
}

// admit counts a stream, in the order of their numbers, and returns its number on
// the connection; or it rejects the stream, which may then be sent elsewhere.
func (c *h3conn) admit(str *quic.Stream) (n int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if str.StreamID() >= c.limit {
		if c.by != trace.Nobody {
			c.late++
		}
		reject(str, http3.ErrCodeRequestRejected)
		return 0, false
	}
	c.next = str.StreamID() + 4
	if !c.mind.HandleRequest(c.server.now(), "3", nil) {
		c.limit = min(c.limit, c.next)
		c.signal()
	}
	return c.mind.Requests(), true
}

func reject(str *quic.Stream, code http3.ErrCode) {
	str.CancelRead(quic.StreamErrorCode(code))
	str.CancelWrite(quic.StreamErrorCode(code))
}

// watch does what the policy wants, when it wants it, until the connection ends.
func (c *h3conn) watch() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for told := false; ; {
		c.mu.Lock()
		now := c.server.now()
		c.mind.HandleTimeout(now)
		reason, due := c.mind.Closing()
		if reason != "" {
			c.limit = min(c.limit, c.next)
		}
		limit, wait := c.limit, c.mind.NextTimeout().Sub(now)
		if due {
			c.end(trace.AtServer, reason)
			wait = c.grace(now)
		}
		c.mu.Unlock()
		if limit != unlimited && !told {
			told = true
			c.goodbye(limit)
		}
		timer.Reset(wait)
		wake := c.wake
		if due {
			wake = nil
		}
		select {
		case <-wake:
			continue
		case <-timer.C:
		case <-c.qc.Context().Done():
			return
		}
		if due {
			_ = c.qc.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), reason)
			return
		}
	}
}

// goodbye sends GOAWAY: streams from limit on are not looked at.
func (c *h3conn) goodbye(limit quic.StreamID) {
	id := quicvarint.Append(nil, uint64(limit))
	c.control.SetWriteDeadline(c.server.at(c.server.now().Add(c.server.config.Stall)))
	// An error says that the connection has ended already.
	_, _ = c.control.Write(append(appendFrameHeader(nil, frameGoAway, len(id)), id...))
}

// grace returns how long the client has for closing the connection itself after
// GOAWAY, as it should. CONNECTION_CLOSE then destroys what has not arrived:
// responses, if one has just been written, else at most requests that have crossed
// GOAWAY on the way and wait to be rejected.
func (c *h3conn) grace(now linger.Instant) time.Duration {
	switch {
	case c.server.config.Policy.Style == policy.CloseRST:
		return 0
	case c.wrote > 0 && now.Sub(c.wrote) < c.server.config.Linger:
		return c.server.config.Linger
	}
	return min(3*c.qc.ConnectionStats().SmoothedRTT, c.server.config.Linger)
}

// fail ends the connection for an error.
func (c *h3conn) fail(code http3.ErrCode, why string) {
	c.mu.Lock()
	c.end(trace.AtServer, code.String()+": "+why)
	c.mu.Unlock()
	_ = c.qc.CloseWithError(quic.ApplicationErrorCode(code), why)
}

// blameQUIC notes why the connection is no more.
func (c *h3conn) blameQUIC(err error) {
	if c.server.isStopped() {
		c.end(trace.AtServer, "server cut off")
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		if reason, _ := c.mind.Closing(); reason != "" && !c.short {
			// The client does as GOAWAY has told it.
			c.end(trace.AtServer, reason)
		}
		reason := "client closed"
		if code := http3.ErrCode(e.ErrorCode); code != http3.ErrCodeNoError && code != 0 {
			reason += ": " + code.String()
		}
		c.end(trace.AtClient, reason)
	}
	c.blameTransport(err)
}

// blameTransport notes why a connection of QUIC is no more, where the protocol above
// has not said so.
func (c *session) blameTransport(err error) {
	if e, ok := errors.AsType[*quic.TransportError](err); ok {
		by := trace.AtServer
		if e.Remote {
			by = trace.AtClient
		}
		c.end(by, "QUIC: "+e.Error())
	}
	if _, ok := errors.AsType[*quic.IdleTimeoutError](err); ok {
		c.end(trace.AtClient, "client fell silent")
	}
	c.end(trace.AtClient, err.Error())
}

// serveUni reads one of the client's unidirectional streams.
func (c *h3conn) serveUni(str *quic.ReceiveStream) {
	r := bufio.NewReaderSize(str, 64)
	kind, err := quicvarint.Read(r)
	if err != nil {
		return
	}
	switch kind {
	case streamControl, streamEncoder, streamDecoder:
		c.mu.Lock()
		again := c.seen&(1<<kind) != 0
		c.seen |= 1 << kind
		c.mu.Unlock()
		if again {
			c.fail(http3.ErrCodeStreamCreationError, "a second stream of its kind")
			return
		}
	case streamPush:
		c.fail(http3.ErrCodeStreamCreationError, "a push stream from a client")
		return
	default:
		// RFC 9114, 6.2: "Recipients of unknown stream types MUST either abort reading
		// of the stream or discard incoming data without further processing".
		str.CancelRead(quic.StreamErrorCode(http3.ErrCodeStreamCreationError))
		return
	}
	if kind == streamControl {
		err = c.readControl(r)
	} else {
		// With no dynamic table, what these carry changes nothing.
		_, err = io.Copy(io.Discard, r)
	}
	if err == nil || err == io.EOF {
		c.fail(http3.ErrCodeClosedCriticalStream, "a critical stream has ended")
	}
	if e, ok := errors.AsType[*h3error](err); ok {
		c.fail(e.code, e.text)
	}
}

// An h3error ends the connection, or the stream where stream is true.
type h3error struct {
	code   http3.ErrCode
	text   string
	stream bool
}

func (e *h3error) Error() string { return e.text }

// readControl reads the client's control stream to its end.
func (c *h3conn) readControl(r *bufio.Reader) error {
	for first := true; ; first = false {
		kind, n, err := readFrameHeader(r)
		if err != nil {
			return err
		}
		switch {
		case first && kind != frameSettings:
			return &h3error{code: http3.ErrCodeMissingSettings, text: "the control stream does not begin with SETTINGS"}
		case !first && kind == frameSettings || kind == frameData || kind == frameHeaders || kind == framePushPromise || isHTTP2(kind):
			return &h3error{code: http3.ErrCodeFrameUnexpected, text: "a frame that does not belong on the control stream"}
		case n > maxControlFrame:
			return &h3error{code: http3.ErrCodeExcessiveLoad, text: "a frame that is too long for the control stream"}
		}
		if kind != frameSettings {
			if err := skip(r, n); err != nil {
				return err
			}
			continue
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(r, payload); err != nil {
			return err
		}
		if e := checkSettings(payload); e != nil {
			return e
		}
	}
}

// checkSettings reads SETTINGS, of which none concerns a server without a dynamic
// table.
func checkSettings(payload []byte) *h3error {
	seen := map[uint64]bool{}
	for len(payload) > 0 {
		id, k, err := quicvarint.Parse(payload)
		if err != nil {
			return &h3error{code: http3.ErrCodeFrameError, text: "SETTINGS end in the middle of one"}
		}
		_, l, err := quicvarint.Parse(payload[k:])
		if err != nil {
			return &h3error{code: http3.ErrCodeFrameError, text: "SETTINGS end in the middle of one"}
		}
		payload = payload[k+l:]
		// RFC 9114, 7.2.4.1: settings that HTTP/2 has and HTTP/3 has not "MUST NOT be
		// sent, and their receipt MUST be treated as a connection error".
		if seen[id] || 0x2 <= id && id <= 0x5 {
			return &h3error{code: http3.ErrCodeSettingsError, text: "a setting that is not of HTTP/3, or comes twice"}
		}
		seen[id] = true
	}
	return nil
}

// isHTTP2 reports whether a frame's type is reserved because it is one of HTTP/2
// (RFC 9114, 7.2.8).
func isHTTP2(kind uint64) bool { return kind == 0x2 || kind == 0x6 || kind == 0x8 || kind == 0x9 }

// readFrameHeader reads a frame's type and length. It returns io.EOF only where
// the stream has ended before it.
func readFrameHeader(r *bufio.Reader) (kind, length uint64, err error) {
	if _, err := r.Peek(1); err != nil {
		return 0, 0, err
	}
	if kind, err = quicvarint.Read(r); err == nil {
		length, err = quicvarint.Read(r)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return kind, length, err
}

func appendFrameHeader(b []byte, kind uint64, length int) []byte {
	return quicvarint.Append(quicvarint.Append(b, kind), uint64(length))
}

// skip reads n bytes and forgets them.
func skip(r *bufio.Reader, n uint64) error {
	for n > 0 {
		k, err := r.Discard(int(min(n, 1<<20)))
		n -= uint64(k)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// An h3stream is one request and its response, with memory that the next one
// takes over.
type h3stream struct {
	conn    *h3conn
	str     *quic.Stream
	in      *bufio.Reader
	block   bytes.Buffer
	fields  []field
	scratch []byte
	started linger.Instant
	head    section
	answer  answer
	kept    bool // the connection goes on after it
}

var h3streams = sync.Pool{New: func() any { return &h3stream{in: bufio.NewReaderSize(nil, 512)} }}

// serveStream answers the request with that number on the connection.
func (c *h3conn) serveStream(str *quic.Stream, number int) {
	st := h3streams.Get().(*h3stream)
	st.conn, st.str, st.started = c, str, c.server.now()
	st.head, st.answer = section{length: -1}, answer{}
	st.in.Reset(str)
	err := st.serve()
	now := c.server.now()
	failed := ""
	if e, ok := errors.AsType[*h3error](err); ok {
		failed = e.text
		if e.stream {
			reject(str, e.code)
		} else {
			c.fail(e.code, e.text)
		}
	} else if err != nil {
		failed = c.streamLost(err)
		reject(str, http3.ErrCodeRequestCanceled)
	}
	c.mu.Lock()
	if err == nil {
		c.wrote = now
	} else {
		c.short = true
	}
	c.mind.HandleResponse(now)
	c.signal()
	c.mu.Unlock()
	if st.answer.status != 0 && c.server.config.Log != nil {
		e := c.entry(&st.answer, "3", number)
		e.Kept = st.kept
		c.log(e, st.started, now, failed)
	}
	st.conn, st.str, st.answer = nil, nil, answer{}
	st.in.Reset(nil)
	h3streams.Put(st)
}

// streamLost says in a few words why a request was not answered in full.
func (c *h3conn) streamLost(err error) string {
	if e, ok := errors.AsType[*quic.StreamError](err); ok && e.Remote {
		return "client reset the stream: " + http3.ErrCode(e.ErrorCode).String()
	}
	switch {
	case c.server.isStopped():
		return "server cut off"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errStalled.Error()
	case errors.Is(err, errShort):
		return err.Error()
	}
	return "the connection ended"
}

// serve reads a request and writes its response. The error is an *h3error or the
// network's.
func (st *h3stream) serve() error {
	c, s := st.conn, st.conn.server
	if limit := s.config.Policy.RequestTimeout; limit > 0 {
		st.str.SetReadDeadline(s.at(st.started.Add(limit)))
	}
	tooLarge, err := st.readHead()
	if err != nil {
		return err
	}
	s.requests.Add(1)
	early := false
	if tooLarge {
		no := refuse(431, "the head has more than %d bytes", s.config.MaxHeader)
		st.answer = refused(no, answer{method: st.head.method, target: st.head.path}, st.head.method == "HEAD")
		early = true
	} else {
		st.answer, early, st.scratch = s.answerTo(&st.head, st.scratch)
		c.misbehave(&st.answer, "3")
	}
	// A query of DNS may be repeated, whatever the method that it comes by.
	if !(linger.Exchange{Method: st.head.method}).Safe() && st.answer.take == nil {
		select {
		case <-c.qc.HandshakeComplete():
		case <-c.qc.Context().Done():
		}
	}
	if !early {
		if st.head.expect {
			if err := st.inform(); err != nil {
				return err
			}
		}
		if early, err = st.readBody(); err != nil {
			return err
		}
	}
	if d := st.answer.delay; d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.qc.Context().Done():
		}
	}
	c.mu.Lock()
	reason, _ := c.mind.Closing()
	st.kept = reason == ""
	c.mu.Unlock()
	if early {
		// RFC 9114, 4.1: a server that does not need the rest of a request asks the
		// client to stop with H3_NO_ERROR.
		st.str.CancelRead(quic.StreamErrorCode(http3.ErrCodeNoError))
	}
	return st.respond()
}

// readHead reads the stream up to the end of the request's head. It reports
// whether that was too large to be read.
func (st *h3stream) readHead() (tooLarge bool, err error) {
	limit := uint64(st.conn.server.config.MaxHeader)
	for {
		kind, n, err := readFrameHeader(st.in)
		if err != nil {
			return false, incomplete(err)
		}
		switch {
		case kind == frameHeaders && n > limit:
			return true, nil
		case kind == frameHeaders:
			block, err := st.readBlock(int(n))
			if err != nil {
				return false, err
			}
			return st.decode(block, &st.head)
		case forbidden(kind) || kind == frameData:
			return false, &h3error{code: http3.ErrCodeFrameUnexpected, text: "a frame that does not belong before a request's head"}
		}
		if err := skip(st.in, n); err != nil {
			return false, incomplete(err)
		}
	}
}

// forbidden reports whether a frame is out of place on every request's stream.
func forbidden(kind uint64) bool {
	switch kind {
	case frameCancelPush, frameSettings, framePushPromise, frameGoAway, frameMaxPushID:
		return true
	}
	return isHTTP2(kind)
}

// incomplete turns the end of the stream into what it means: a request that is
// not there in full.
func incomplete(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &h3error{code: http3.ErrCodeRequestIncomplete, text: "client ended the stream in mid-request", stream: true}
	}
	return err
}

func (st *h3stream) readBlock(n int) ([]byte, error) {
	if cap(st.scratch) < n {
		st.scratch = make([]byte, n)
	}
	block := st.scratch[:n]
	_, err := io.ReadFull(st.in, block)
	return block, incomplete(err)
}

// decode takes the fields of a block in. It reports whether they are too large:
// as RFC 9114, 4.2.2 counts, each with 32 bytes of overhead.
func (st *h3stream) decode(block []byte, h *section) (tooLarge bool, err error) {
	size := 0
	next := qpack.NewDecoder().Decode(block)
	for {
		f, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, &h3error{code: http3.ErrCodeQPACKDecompressionFailed, text: "a head that cannot be decompressed: " + err.Error()}
		}
		if size += len(f.Name) + len(f.Value) + 32; size > st.conn.server.config.MaxHeader {
			return true, nil
		}
		h.add(f.Name, f.Value)
	}
	if err := h.end(); err != nil {
		return false, malformed(err.Error())
	}
	return false, nil
}

func malformed(why string) *h3error {
	return &h3error{code: http3.ErrCodeMessageError, text: "malformed request: " + why, stream: true}
}

// readBody reads the content of a request and drops it, unless its answer wants it. Where there is too much,
// it turns the answer into a refusal and reports so.
func (st *h3stream) readBody() (early bool, err error) {
	s := st.conn.server
	limit := s.contentLimit(&st.answer)
	var got int64
	var content []byte
	for trailed := false; ; {
		st.patience()
		kind, n, err := readFrameHeader(st.in)
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, incomplete(err)
		}
		switch {
		case forbidden(kind) || trailed && (kind == frameData || kind == frameHeaders):
			return false, &h3error{code: http3.ErrCodeFrameUnexpected, text: "a frame that does not belong in a request"}
		case kind == frameHeaders:
			if n > uint64(s.config.MaxHeader) {
				return false, &h3error{code: http3.ErrCodeExcessiveLoad, text: "a trailer that is too large", stream: true}
			}
			trailed = true
		case kind == frameData:
			if n > uint64(limit-got) {
				st.answer = refused(tooLong(limit+1, limit), st.answer, st.head.method == "HEAD")
				return true, nil
			}
			got += int64(n)
			if st.answer.take != nil {
				st.patience()
				from := len(content)
				content = append(content, make([]byte, n)...)
				if _, err := io.ReadFull(st.in, content[from:]); err != nil {
					return false, incomplete(err)
				}
				n = 0
			}
		}
		for n > 0 {
			st.patience()
			k := min(n, 64<<10)
			if err := skip(st.in, k); err != nil {
				return false, incomplete(err)
			}
			n -= k
		}
	}
	if st.head.length >= 0 && got != st.head.length {
		return false, malformed("its content is not as long as content-length says")
	}
	st.answer = st.answer.complete(content)
	return false, nil
}

// patience gives the client time for what is read next.
func (st *h3stream) patience() {
	s := st.conn.server
	st.str.SetReadDeadline(s.at(s.now().Add(s.config.Stall)))
}

// inform says 100 (Continue).
func (st *h3stream) inform() error {
	st.block.Reset()
	e := qpack.NewEncoder(&st.block)
	// Writing to memory does not fail.
	_ = e.WriteField(qpack.HeaderField{Name: ":status", Value: "100"})
	return st.write(append(appendFrameHeader(nil, frameHeaders, st.block.Len()), st.block.Bytes()...))
}

// respond writes the response: a HEADERS frame, and all content in one DATA frame.
func (st *h3stream) respond() error {
	a := &st.answer
	st.block.Reset()
	e := qpack.NewEncoder(&st.block)
	_ = e.WriteField(qpack.HeaderField{Name: ":status", Value: strconv.Itoa(a.status)})
	st.fields, _ = st.conn.server.appendFields(st.fields[:0], a, "")
	for _, f := range st.fields {
		_ = e.WriteField(qpack.HeaderField{Name: f.lower, Value: f.value})
	}
	page := pages.Get().(*[pageSize]byte)
	defer pages.Put(page)
	b := appendFrameHeader(page[:0], frameHeaders, st.block.Len())
	b = append(b, st.block.Bytes()...)
	content := a.body != nil || a.stream != nil
	if content && a.length > 0 {
		b = appendFrameHeader(b, frameData, int(a.length))
	}
	if a.stream == nil {
		n := min(len(a.body), max(cap(b)-len(b), 0))
		b = append(b, a.body[:n]...)
		err := st.write(b)
		if err == nil && n < len(a.body) {
			err = st.write(a.body[n:])
		}
		if err != nil {
			return err
		}
		return st.str.Close()
	}
	for left := a.length; ; b = page[:0] {
		n := int(min(left, int64(max(cap(b)-len(b), 0))))
		if _, err := io.ReadFull(a.stream, b[len(b):len(b)+n]); err != nil {
			return &h3error{code: http3.ErrCodeInternalError, text: errShort.Error(), stream: true}
		}
		if err := st.write(b[:len(b)+n]); err != nil {
			return err
		}
		if left -= int64(n); left == 0 {
			return st.str.Close()
		}
	}
}

// write hands b to QUIC, for as long as the client takes something.
func (st *h3stream) write(b []byte) error {
	s := st.conn.server
	for {
		st.str.SetWriteDeadline(s.at(s.now().Add(s.config.Stall)))
		n, err := st.str.Write(b)
		b = b[n:]
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}
