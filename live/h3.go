package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	h3qlog "github.com/quic-go/quic-go/http3/qlog"

	"linger"
	"linger/ask"
	"linger/page"
	"linger/policy"
	"linger/trace"
)

// h3 is the protocol of all connections over QUIC: HTTP/3. Packets, streams and the
// compression of fields are the stack's; which request goes when, and on which
// connection, is not.
type h3 struct {
	*overQUIC
	http http3.Transport
}

func newH3(ctx context.Context, r *run, to Config) (protocol, error) {
	base, err := newOverQUIC(ctx, r, to)
	if err != nil {
		return nil, err
	}
	p := &h3{overQUIC: base}
	p.http.DisableCompression = true
	p.http.MaxResponseHeaderBytes = maxHead
	return p, nil
}

// An h3Session is HTTP/3 on one connection. One goroutine sees the connection from
// the dial to its end, one sends the requests in their order, and one for each
// exchange waits for the response.
type h3Session struct {
	quicSession
	base *h3

	// Guarded by mu.
	client   *http3.ClientConn
	waiting  map[string]*h3Exchange // sent by us, not by the stack; by method and path
	streams  map[quic.StreamID]*h3Exchange
	goneAway bool // the server has sent GOAWAY
	idle     int  // frames and streams in a row that carry nothing of a response
}

// An h3Exchange is one request on its way through one connection.
type h3Exchange struct {
	request
	left     chan struct{} // closed when its head has left, or never will
	stream   quic.StreamID // -1 while it has none
	up, down int64         // bytes of field sections
	frames   int64         // bytes of the response's frames, as their heads say
	final    int64         // size of the response's stream, once ended is closed
	ended    chan struct{}
	over     atomic.Bool // nothing more is told of it
	cancel   func()      // ends it on the wire
}

func (p *h3) speak(c *conn) {
	s := &h3Session{quicSession: newQUICSession(c), base: p,
		waiting: make(map[string]*h3Exchange), streams: make(map[quic.StreamID]*h3Exchange)}
	s.seen.HTTP = s
	if len(p.to.Message.Fields) > 0 {
		s.seen.Secret = func(name string) bool { _, own := p.to.Message.Field(name); return own }
	}
	p.carry(&s.quicSession, s)
}

// renew takes up a connection that requests may go on; the one before it, if there
// was one, had early data that the server did not take.
func (s *h3Session) renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = s.base.http.NewClientConn(s.quic.Conn)
}

// ending puts the end of the connection into words.
func (s *h3Session) ending(err error) ending {
	over := quicEnding(err, s.run.speaks)
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		over = closedWith(e, quic.ApplicationErrorCode(http3.ErrCodeNoError), http3.ErrCode(e.ErrorCode).String(), linger.H3)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.goneAway && isStackDone(err) {
		return ending{policy.ClosedByPeer, trace.AtServer, saidGoAway}
	}
	if s.goneAway && over.cause == policy.ClosedByPeer {
		over.reason = saidGoAway
	}
	return over
}

// isStackDone reports whether err is our own stack's close of a connection without an
// error: it does so as soon as GOAWAY has come and no stream of its own is open, also
// where a request is about to have one. Nothing was broken, and that request was not
// processed.
func isStackDone(err error) bool {
	e, ok := errors.AsType[*quic.ApplicationError](err)
	return ok && !e.Remote && e.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError)
}

// saidGoAway is what a GOAWAY is called in a trace.
const saidGoAway = "server said goodbye: GOAWAY"

// Created hears that the stack has put a request on a stream, its fields taking so
// many bytes. They are about to be written.
func (s *h3Session) Created(id quic.StreamID, fields []h3qlog.HeaderField, size int64) {
	var method, path string
	for _, f := range fields {
		switch f.Name {
		case ":method":
			method = f.Value
		case ":path":
			path = f.Value
		}
	}
	s.mu.Lock()
	x := s.waiting[method+" "+path]
	if x != nil {
		delete(s.waiting, method+" "+path)
		s.streams[id] = x
		x.stream, x.up = id, size
	}
	s.mu.Unlock()
	if x != nil {
		s.tell(event{kind: sent, exchange: x.Index, at: s.run.now(), head: size})
	}
}

// Parsed hears of a frame of a response: the size of its fields, if it is a field
// section, and that of the whole frame, negative where the stack does not say.
func (s *h3Session) Parsed(id quic.StreamID, fields, frame int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.streams[id]; x != nil {
		x.down += fields
		x.frames += max(0, frame)
	}
}

// Calm hears of a frame or a stream of the server, and whether that carries something of a
// response. Where too many in a row do not, it gives the connection up.
func (s *h3Session) Calm(carries bool) {
	s.mu.Lock()
	s.idle++
	if carries {
		s.idle = 0
	}
	over := s.idle == maxIdle+1
	s.mu.Unlock()
	if over {
		_ = s.quic.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), errIdle.Error())
	}
}

// StreamEnded hears that the server has ended a stream, and of the stream's size. The
// frame that says so may come again.
func (s *h3Session) StreamEnded(id quic.StreamID, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.streams[id]; x != nil && x.final < 0 {
		x.final = size
		close(x.ended)
	}
}

// isCut reports whether the stream of a response that was read to its end ends within
// a frame, which the stack takes for a whole response: "When a stream terminates
// cleanly, if the last frame on the stream was truncated, this MUST be treated as a
// connection error" (RFC 9114, 7.1). The stack hands on the end of the stream before
// it tells of the packet that brought it.
func (s *h3Session) isCut(x *h3Exchange) bool {
	select {
	case <-x.ended:
	case <-s.quic.Context().Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return x.final >= 0 && x.final != x.frames
}

// GoAway hears that the server processes no request from stream first on: "The
// client can treat requests associated with those [...] as having been rejected"
// (RFC 9114, 5.2).
func (s *h3Session) GoAway(first quic.StreamID) {
	s.mu.Lock()
	s.goneAway = true
	var refused []int
	for id, x := range s.streams {
		if id >= first {
			x.over.Store(true)
			x.cancel()
			refused = append(refused, x.Index)
		}
	}
	s.mu.Unlock()
	s.tell(event{kind: goaway, exchange: -1, at: s.run.now(), refused: refused, ending: ending{by: trace.AtServer, reason: saidGoAway}})
}

// send puts one request on the wire; the next may follow once it returns.
func (s *h3Session) send(q request) {
	x := &h3Exchange{request: q, left: make(chan struct{}), stream: -1, final: -1, ended: make(chan struct{})}
	s.exchanges.Go(func() { s.fetch(x) })
	select {
	case <-x.left:
	case <-s.quic.Context().Done():
	}
}

// fetch sends one request and receives its response.
func (s *h3Session) fetch(x *h3Exchange) {
	// The stack waits for the end of the context, and that of the connection is one.
	ctx, cancel := context.WithCancel(s.quic.Context())
	defer cancel()
	x.cancel = cancel
	leave := sync.OnceFunc(func() { close(x.left) })
	defer leave()
	key := x.Method + " " + x.Path
	s.mu.Lock()
	s.waiting[key] = x
	client := s.client
	s.mu.Unlock()
	defer func() {
		x.over.Store(true)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.finished++
		if s.waiting[key] == x {
			delete(s.waiting, key)
		}
		if s.streams[x.stream] == x {
			delete(s.streams, x.stream)
		}
	}()

	in := &stamped{now: s.run.now}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: leave,
		GotFirstResponseByte: func() {
			in.at = s.run.now()
			s.report(x, event{kind: begun, at: in.at})
		},
	})
	res, err := s.exchange(client, s.request(ctx, x), leave)
	if err != nil {
		s.failed(x, err, event{at: s.run.now()})
		return
	}
	s.receive(x, res, in)
}

// receive reads the response to one request, whose head has come.
func (s *h3Session) receive(x *h3Exchange, res *http.Response, in *stamped) {
	defer res.Body.Close()
	in.Reader = res.Body
	first := event{kind: begun, at: in.at, status: res.StatusCode, head: s.headOf(x)}
	s.report(x, first)
	b := newBody(s.conn, x.request, res.StatusCode, page.MediaType(res.Header.Get("Content-Type")), in, in.when)
	if x.visited {
		s.explore(x.request, res.StatusCode, res.Header.Get, &b, in.when)
	}
	buf := spare.Get().(*buffers)
	defer spare.Put(buf)
	var err error
	for err == nil {
		_, err = b.Read(buf.chunk)
	}
	e := event{kind: done, at: in.at, status: res.StatusCode, head: s.headOf(x), body: b.received,
		content: page.MediaType(res.Header.Get("Content-Type")), persists: true}
	if err != io.EOF {
		if err == errTooLong {
			e.kind, e.reason = reset, b.reason
			s.report(x, e)
			return
		}
		s.failed(x, err, e)
		return
	}
	if s.isCut(x) {
		e.kind, e.reason = reset, fmt.Sprintf("server ended the response within a frame, after %d bytes of the body", e.body)
		s.report(x, e)
		return
	}
	e.reason = b.rejected()
	e.rcode = b.rcode
	s.report(x, e)
}

// maxInterim bounds the interim responses to one request, as the stack does.
const maxInterim = 5

// exchange sends a request and returns the head of its response.
func (s *h3Session) exchange(client *http3.ClientConn, q *http.Request, leave func()) (*http.Response, error) {
	select {
	case <-s.settled:
		return client.RoundTrip(q)
	default:
	}
	if q.Body != nil {
		return client.RoundTrip(q) // which waits for the handshake
	}
	stream, err := client.OpenRequestStream(q.Context())
	if err != nil {
		return nil, err
	}
	if err := stream.SendRequestHeader(q); err != nil {
		return nil, err
	}
	leave()
	if err := stream.Close(); err != nil {
		return nil, err
	}
	// No response can be read before the handshake is done. A stream whose early
	// data was rejected must not be touched: another one has its number then.
	select {
	case <-s.settled:
	case <-s.quic.Context().Done():
		return nil, net.ErrClosed
	}
	if s.isRejected() {
		return nil, quic.Err0RTTRejected
	}
	for range maxInterim + 1 {
		res, err := stream.ReadResponse()
		if err != nil || res.StatusCode >= 200 {
			return res, err
		}
	}
	stream.CancelRead(quic.StreamErrorCode(http3.ErrCodeExcessiveLoad))
	return nil, errors.New("too many interim responses")
}

// request returns x as the stack wants it.
func (s *h3Session) request(ctx context.Context, x *h3Exchange) *http.Request {
	c := s.base.to
	q := &http.Request{Method: x.Method, URL: &url.URL{Scheme: linger.SchemeHTTPS}, Header: make(http.Header)}
	for _, f := range ask.Fields(x.Request, linger.SchemeHTTPS, c.Host, c.Message) {
		switch f.Name {
		case ":authority":
			q.Host, q.URL.Host = f.Value, f.Value
		case ":path":
			// The stack is to take it as it is, also where it begins with two slashes.
			q.URL.Opaque = f.Value
			if strings.HasPrefix(f.Value, "//") {
				q.URL.Opaque = "//" + c.Host + f.Value
			}
		case ":method", ":scheme", "content-length":
		default:
			q.Header[f.Name] = append(q.Header[f.Name], f.Value)
		}
	}
	if x.RequestBody > 0 {
		q.ContentLength = x.RequestBody
		q.Body = &upload{session: s, exchange: x, content: s.run.application.content(x.request)}
	}
	return q.WithContext(ctx)
}

// An upload is the content of a request on its way.
type upload struct {
	session  *h3Session
	exchange *h3Exchange
	content  io.Reader
	gone     int64
}

// Read gives the stack more, once it has sent what it was given.
func (u *upload) Read(p []byte) (int, error) {
	if u.exchange.over.Load() {
		return 0, errors.New("the response is complete")
	}
	u.session.report(u.exchange, event{kind: uploaded, at: u.session.run.now(), body: u.gone})
	n, err := u.content.Read(p)
	u.gone += int64(n)
	return n, err
}

func (u *upload) Close() error { return nil }

// stamped knows when its last read returned.
type stamped struct {
	io.Reader
	now func() linger.Instant
	at  linger.Instant
}

func (r *stamped) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.at = r.now()
	return n, err
}

func (r *stamped) when() linger.Instant { return r.at }

// headOf returns the size of the field sections that have come for x.
func (s *h3Session) headOf(x *h3Exchange) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return x.down
}

// report tells something of an exchange, unless it is over.
func (s *h3Session) report(x *h3Exchange, e event) {
	if !x.over.Load() {
		e.exchange = x.Index
		s.tell(e)
	}
}

// failed tells that an exchange came to no good end, unless that is because its
// connection did: that is told once for all that are on it.
func (s *h3Session) failed(x *h3Exchange, err error, e event) {
	e.kind = reset
	failure, _ := errors.AsType[*http3.Error](err)
	switch {
	case errors.Is(err, quic.Err0RTTRejected):
		select {
		case <-s.settled:
		case <-s.quic.Context().Done():
			return
		}
		e.kind, e.reason = rejected, "server did not take early data"
	case s.isTurnedAway(x, failure):
		// Also where the connection has ended since: this one was never on it.
		e.kind, e.refused, e.reason = goaway, []int{x.Index}, saidGoAway
		e.by = trace.AtServer
	case errors.Is(err, net.ErrClosed) || s.quic.Context().Err() != nil:
		return
	case failure != nil && failure.Remote:
		if failure.ErrorCode == http3.ErrCodeRequestRejected {
			e.kind = rejected
		}
		e.reason = "server ended the exchange with " + failure.ErrorCode.String()
	case !s.isSent(x):
		e.kind, e.reason = rejected, "no stream for it: "+brief(err.Error())
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		e.reason = fmt.Sprintf("server ended the response after %d bytes of the body", e.body)
	default:
		e.reason = "malformed response: " + brief(strings.TrimPrefix(err.Error(), "http3: "))
	}
	s.report(x, e)
}

// isTurnedAway reports whether x came too late: the server has sent GOAWAY, and x
// has no stream or was rejected on it. "Requests [...] might already be in transit
// when the server sends a GOAWAY" (RFC 9114, 5.2).
func (s *h3Session) isTurnedAway(x *h3Exchange, failure *http3.Error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.goneAway && (x.stream < 0 || failure != nil && failure.Remote && failure.ErrorCode == http3.ErrCodeRequestRejected)
}

// isSent reports whether x has been put on a stream.
func (s *h3Session) isSent(x *h3Exchange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return x.stream >= 0
}
