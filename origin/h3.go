package origin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/origin/head"
	"linger/origin/site"
	"linger/policy"
	"linger/trace"
	"linger/wire"
)

// ServeQUIC is as Serve, for HTTP/3 over QUIC (RFC 9114) on pc, which it closes.
//
// Early data (0-RTT) is accepted from clients that resume a session. What is not
// safe to repeat waits in it until the handshake is complete (RFC 8470, 3). The
// policy's idle timeout is QUIC's too, as the transport parameter max_idle_timeout;
// without one that is an hour.
func (s *Server) ServeQUIC(ctx context.Context, pc net.PacketConn) error {
	v := service{offers: []linger.Protocol{linger.H3}}
	return s.acceptQUIC(ctx, pc, v, 0, h3codes, func(qc *quic.Conn, ticket int64) {
		s.serveQUICConn(&h3conn{
			quicConn: s.newQUIC(qc, ticket, linger.H3.Version(), h3codes),
			limit:    unlimited,
			resets:   resetAllowance,
			idle:     idleAllowance,
		}, ticket)
	})
}

var h3codes = errorCodes{
	none:   quic.ApplicationErrorCode(http3.ErrCodeNoError),
	cancel: quic.StreamErrorCode(http3.ErrCodeRequestCanceled),
	name:   func(code quic.ApplicationErrorCode) string { return http3.ErrCode(code).String() },
}

// unlimited is behind every stream of a client (RFC 9000, 2.1).
const unlimited = quic.StreamID(1 << 62)

// An h3conn is one connection that speaks HTTP/3. Beside its requests, one goroutine accepts
// the client's other streams, each of which has its own.
//
// Fields are compressed by QPACK's static table and Huffman's code alone.
type h3conn struct {
	*quicConn
	control *quic.SendStream

	// Under mu:
	next  quic.StreamID // behind the last stream that was accepted
	limit quic.StreamID // the first stream that is not answered
	told  bool          // GOAWAY is sent
	seen  uint8         // critical streams of the client, as bits

	resets allowance
	idle   allowance // of what carries nothing, beside requests
}

// serve carries the connection to its end.
func (c *h3conn) serve() {
	var err error
	if c.control, err = c.qc.OpenUniStream(); err == nil {
		b := wire.AppendVarint(nil, wire.StreamControl)
		settings := wire.AppendSetting(nil, wire.Setting{ID: wire.SettingMaxFieldSection, Value: uint64(c.server.config.MaxHeader)})
		_, err = c.control.Write(append(wire.AppendFrameHeader(b, wire.FrameSettings, len(settings)), settings...))
	}
	if err != nil {
		c.fail(http3.ErrCodeInternalError, err.Error())
	}
	c.helpers.Go(func() {
		for {
			str, err := c.qc.AcceptUniStream(context.Background())
			if err != nil {
				return
			}
			c.helpers.Go(func() { c.serveUni(str) })
		}
	})
	c.run(c)
}

// admit counts a stream, or rejects it: it may then be sent elsewhere.
func (c *h3conn) admit(str *quic.Stream) (n int, ok bool) {
	if str.StreamID() >= c.limit {
		if c.by != trace.Nobody {
			c.late++
		}
		abandon(str, quic.StreamErrorCode(http3.ErrCodeRequestRejected))
		return 0, false
	}
	c.next = str.StreamID() + 4
	if !c.machine.HandleRequest(c.server.now(), linger.H3.Version(), nil) {
		c.limit = min(c.limit, c.next)
		c.signal()
	}
	c.tell()
	return c.machine.Requests(), true
}

// closing has GOAWAY sent, once.
func (c *h3conn) closing(reason string) func() {
	if reason != "" {
		c.limit = min(c.limit, c.next)
	}
	if c.limit == unlimited || c.told {
		return nil
	}
	c.told = true
	limit := c.limit
	return func() { c.goAway(limit) }
}

// goAway sends GOAWAY: streams from limit on are not looked at.
func (c *h3conn) goAway(limit quic.StreamID) {
	id := wire.AppendVarint(nil, uint64(limit))
	c.control.SetWriteDeadline(c.server.at(c.server.now().Add(c.server.config.Stall)))
	// An error says that the connection has ended already.
	_, _ = c.control.Write(append(wire.AppendFrameHeader(nil, wire.FrameGoAway, len(id)), id...))
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

// clientClosed notes that the client does as GOAWAY has told it.
func (c *h3conn) clientClosed() {
	if reason, _ := c.machine.Closing(); reason != "" && !c.short {
		c.end(trace.AtServer, reason)
	}
}

// serveUni reads one of the client's unidirectional streams.
func (c *h3conn) serveUni(str *quic.ReceiveStream) {
	r := bufio.NewReaderSize(str, 64)
	kind, err := wire.ReadVarint(r)
	if err != nil {
		return
	}
	switch kind {
	case wire.StreamControl, wire.StreamEncoder, wire.StreamDecoder:
		c.mu.Lock()
		again := c.seen&(1<<kind) != 0
		c.seen |= 1 << kind
		c.mu.Unlock()
		if again {
			c.fail(http3.ErrCodeStreamCreationError, "a second stream of its kind")
			return
		}
	case wire.StreamPush:
		c.fail(http3.ErrCodeStreamCreationError, "a push stream from a client")
		return
	default:
		// RFC 9114, 6.2: "Recipients of unknown stream types MUST either abort reading
		// of the stream or discard incoming data without further processing".
		str.CancelRead(quic.StreamErrorCode(http3.ErrCodeStreamCreationError))
		c.spend(&c.idle, errIdle)
		return
	}
	if kind == wire.StreamControl {
		err = c.readControl(r)
	} else {
		// With no dynamic table, what these carry changes nothing.
		_, err = io.Copy(io.Discard, r)
	}
	if err == nil || err == io.EOF {
		c.fail(http3.ErrCodeClosedCriticalStream, "a critical stream has ended")
	}
	if e, ok := errors.AsType[*quicError](err); ok {
		c.quicConn.fail(e.code, e.text)
	}
}

// fail ends the connection for an error.
func (c *h3conn) fail(code http3.ErrCode, why string) {
	c.quicConn.fail(quic.ApplicationErrorCode(code), why)
}

// spend takes one of an allowance, and ends the connection where none is left.
func (c *h3conn) spend(a *allowance, over error) {
	c.mu.Lock()
	now := c.server.now()
	a.take(now)
	left := a.left(now)
	c.mu.Unlock()
	if !left {
		c.fail(http3.ErrCodeExcessiveLoad, over.Error())
	}
}

// h3error ends the connection.
func h3error(code http3.ErrCode, text string) *quicError {
	return &quicError{code: quic.ApplicationErrorCode(code), text: text}
}

// h3reset ends a stream alone.
func h3reset(code http3.ErrCode, text string) *quicError {
	return &quicError{code: quic.ApplicationErrorCode(code), text: text, stream: true}
}

// readControl reads the client's control stream to its end.
func (c *h3conn) readControl(r *bufio.Reader) error {
	for first := true; ; first = false {
		kind, n, err := wire.ReadFrameHeader(r)
		if err != nil {
			return err
		}
		switch {
		case first && kind != wire.FrameSettings:
			return h3error(http3.ErrCodeMissingSettings, "the control stream does not begin with SETTINGS")
		case !first && kind == wire.FrameSettings || kind == wire.FrameData || kind == wire.FrameHeaders || kind == wire.FramePushPromise || wire.IsHTTP2Frame(kind):
			return h3error(http3.ErrCodeFrameUnexpected, "a frame that does not belong on the control stream")
		case n > wire.MaxControlFrame:
			return h3error(http3.ErrCodeExcessiveLoad, "a frame that is too long for the control stream")
		}
		if kind != wire.FrameSettings {
			c.spend(&c.idle, errIdle)
			if err := wire.Skip(r, n); err != nil {
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
func checkSettings(payload []byte) *quicError {
	seen := map[uint64]bool{}
	for len(payload) > 0 {
		setting, rest, err := wire.ParseSetting(payload)
		if err != nil {
			return h3error(http3.ErrCodeFrameError, "SETTINGS end in the middle of one")
		}
		if seen[setting.ID] || setting.Forbidden() {
			return h3error(http3.ErrCodeSettingsError, "a setting that is not of HTTP/3, or comes twice")
		}
		seen[setting.ID], payload = true, rest
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
	fields  []site.Field
	scratch []byte
	started linger.Instant
	head    head.Section
	answer  site.Answer
	kept    bool // the connection goes on after it
	idle    allowance
}

var h3streams = sync.Pool{New: func() any { return &h3stream{in: bufio.NewReaderSize(nil, 512)} }}

// serveStream answers the request with that number on the connection.
func (c *h3conn) serveStream(str *quic.Stream, number int) {
	st := h3streams.Get().(*h3stream)
	st.conn, st.str, st.started = c, str, c.server.now()
	st.head, st.answer, st.idle = head.NewSection(), site.Answer{}, idleAllowance
	st.in.Reset(str)
	err := st.serve()
	now := c.server.now()
	failed := ""
	if err != nil {
		failed = c.lose(str, err)
		c.spend(&c.resets, errResets)
	}
	c.settle(now, err == nil)
	if st.answer.Status != 0 && c.server.config.Log != nil {
		e := c.entry(&st.answer, linger.H3.Version(), number)
		e.Kept = st.kept
		c.log(e, st.started, now, failed)
	}
	st.conn, st.str, st.answer = nil, nil, site.Answer{}
	st.in.Reset(nil)
	h3streams.Put(st)
}

// serve reads a request and writes its response. The error is an *quicError or the
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
		no := head.Refuse(431, "the head has more than %d bytes", s.config.MaxHeader)
		st.answer = site.Refused(no, site.Answer{Method: st.head.Method, Target: st.head.Path}, st.head.Method == "HEAD")
		early = true
	} else {
		st.answer, early, st.scratch = s.answerTo(&st.head, st.scratch)
		c.misbehave(&st.answer, linger.H3.Version())
	}
	// A query of DNS may be repeated, whatever the method that it comes by.
	if !(linger.Exchange{Method: st.head.Method}).Safe() && st.answer.Take == nil {
		select {
		case <-c.qc.HandshakeComplete():
		case <-c.qc.Context().Done():
		}
	}
	if !early {
		if st.head.Expect {
			if err := st.inform(); err != nil {
				return err
			}
		}
		if early, err = st.readBody(); err != nil {
			return err
		}
	}
	c.wait(s.due(s.now(), st.answer.Delay))
	st.kept = c.persists()
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
		kind, n, err := wire.ReadFrameHeader(st.in)
		if err != nil {
			return false, incomplete(err)
		}
		if err := st.spend(); err != nil {
			return false, err
		}
		switch {
		case kind == wire.FrameHeaders && n > limit:
			return true, nil
		case kind == wire.FrameHeaders:
			block, err := st.readBlock(int(n))
			if err != nil {
				return false, err
			}
			return st.decode(block, &st.head)
		case forbidden(kind) || kind == wire.FrameData:
			return false, h3error(http3.ErrCodeFrameUnexpected, "a frame that does not belong before a request's head")
		}
		if err := wire.Skip(st.in, n); err != nil {
			return false, incomplete(err)
		}
	}
}

// spend counts a frame that carries nothing. The error ends the connection.
func (st *h3stream) spend() error {
	now := st.conn.server.now()
	if st.idle.take(now); !st.idle.left(now) {
		return h3error(http3.ErrCodeExcessiveLoad, errIdle.Error())
	}
	return nil
}

// forbidden reports whether a frame is out of place on every request's stream.
func forbidden(kind uint64) bool {
	switch kind {
	case wire.FrameCancelPush, wire.FrameSettings, wire.FramePushPromise, wire.FrameGoAway, wire.FrameMaxPushID:
		return true
	}
	return wire.IsHTTP2Frame(kind)
}

// incomplete turns the end of the stream into what it means: a request that is
// not there in full.
func incomplete(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return h3reset(http3.ErrCodeRequestIncomplete, "client ended the stream in mid-request")
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
func (st *h3stream) decode(block []byte, h *head.Section) (tooLarge bool, err error) {
	size := 0
	next := qpack.NewDecoder().Decode(block)
	for {
		f, err := next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, h3error(http3.ErrCodeQPACKDecompressionFailed, "a head that cannot be decompressed: "+err.Error())
		}
		if size += len(f.Name) + len(f.Value) + 32; size > st.conn.server.config.MaxHeader {
			return true, nil
		}
		h.Add(f.Name, f.Value)
	}
	if err := h.End(); err != nil {
		return false, malformed(err.Error())
	}
	return false, nil
}

func malformed(why string) *quicError {
	return h3reset(http3.ErrCodeMessageError, "malformed request: "+why)
}

// readBody reads the content of a request and drops it, unless its answer wants it. Where
// there is too much, it turns the answer into a refusal and reports so.
func (st *h3stream) readBody() (early bool, err error) {
	s := st.conn.server
	limit := s.contentLimit(&st.answer)
	var got int64
	var content []byte
	for trailed := false; ; {
		st.patience()
		kind, n, err := wire.ReadFrameHeader(st.in)
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, incomplete(err)
		}
		if kind == wire.FrameData && n > 0 {
			st.idle.restore()
		} else if err := st.spend(); err != nil {
			return false, err
		}
		switch {
		case forbidden(kind) || trailed && (kind == wire.FrameData || kind == wire.FrameHeaders):
			return false, h3error(http3.ErrCodeFrameUnexpected, "a frame that does not belong in a request")
		case kind == wire.FrameHeaders:
			if n > uint64(s.config.MaxHeader) {
				return false, h3reset(http3.ErrCodeExcessiveLoad, "a trailer that is too large")
			}
			trailed = true
		case kind == wire.FrameData:
			if n > uint64(limit-got) {
				st.answer = site.Refused(tooLong(limit+1, limit), st.answer, st.head.Method == "HEAD")
				return true, nil
			}
			got += int64(n)
			if st.answer.Take != nil {
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
			if err := wire.Skip(st.in, k); err != nil {
				return false, incomplete(err)
			}
			n -= k
		}
	}
	if st.head.Length >= 0 && got != st.head.Length {
		return false, malformed("its content is not as long as content-length says")
	}
	st.answer = st.answer.Complete(content)
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
	return st.write(append(wire.AppendFrameHeader(nil, wire.FrameHeaders, st.block.Len()), st.block.Bytes()...))
}

// respond writes the response: a HEADERS frame, and all content in one DATA frame.
func (st *h3stream) respond() error {
	a := &st.answer
	st.block.Reset()
	e := qpack.NewEncoder(&st.block)
	_ = e.WriteField(qpack.HeaderField{Name: ":status", Value: strconv.Itoa(a.Status)})
	st.fields, _ = st.conn.server.appendFields(st.fields[:0], a, "")
	for _, f := range st.fields {
		_ = e.WriteField(qpack.HeaderField{Name: f.Lower, Value: f.Value})
	}
	page := pages.Get().(*[pageSize]byte)
	defer pages.Put(page)
	b := wire.AppendFrameHeader(page[:0], wire.FrameHeaders, st.block.Len())
	b = append(b, st.block.Bytes()...)
	if a.HasContent() && a.Length > 0 {
		b = wire.AppendFrameHeader(b, wire.FrameData, int(a.Length))
	}
	if a.Stream == nil {
		n := min(len(a.Body), max(cap(b)-len(b), 0))
		b = append(b, a.Body[:n]...)
		err := st.write(b)
		if err == nil && n < len(a.Body) {
			err = st.write(a.Body[n:])
		}
		if err != nil {
			return err
		}
		return st.str.Close()
	}
	for left := a.Length; ; b = page[:0] {
		n := int(min(left, int64(max(cap(b)-len(b), 0))))
		if _, err := io.ReadFull(a.Stream, b[len(b):len(b)+n]); err != nil {
			return h3reset(http3.ErrCodeInternalError, errShort.Error())
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
