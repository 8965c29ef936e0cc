package live

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	h3qlog "github.com/quic-go/quic-go/http3/qlog"
	"github.com/quic-go/quic-go/qlogwriter"

	"linger"
	"linger/policy"
	"linger/trace"
)

// ticketWait is how long the visit before a run waits for a session ticket, which
// servers send with the end of the handshake.
const ticketWait = 5 * time.Second

// h3 is the protocol of all connections over QUIC: HTTP/3. Packets, streams and the
// compression of fields are the stack's; which request goes when, and on which
// connection, is not.
type h3 struct {
	run   *run
	hosts []netip.AddrPort
	tls   *tls.Config
	// tokens prove this client's address to the server a second time (RFC 9000,
	// 8.1.3); nil where nothing is resumed.
	tokens quic.TokenStore
	http   http3.Transport
}

func newH3(ctx context.Context, r *run) (protocol, error) {
	hosts, err := r.config.addresses(ctx)
	if err != nil {
		return nil, err
	}
	p := &h3{run: r, hosts: hosts, tls: r.config.clientTLS(r.scenario.Strategy, http3.NextProtoH3)}
	p.http.DisableCompression = true
	p.http.MaxResponseHeaderBytes = maxHead
	if r.scenario.Strategy.Resume {
		p.tokens = quic.NewLRUTokenStore(1, 16)
	}
	return p, nil
}

// dial opens a connection that o observes; file, unless it is nil, gives what its
// qlog is written to.
func (p *h3) dial(ctx context.Context, t *tls.Config, o *observer, early bool, file func() io.WriteCloser) (*quicConn, error) {
	c := quicConfig(p.run.config.Limits)
	c.TokenStore = p.tokens
	c.Tracer = func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace {
		if file == nil {
			return o
		}
		return o.trace(file())
	}
	return dialQUIC(ctx, p.hosts, t, c, early)
}

// visit makes a connection and waits for a session ticket, which early data needs.
// A server that sends none is no error: the run then shows that no early data went.
func (p *h3) visit(ctx context.Context) error {
	if !p.run.scenario.Strategy.EarlyData {
		return nil
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(outer, cmp.Or(p.run.config.Limits.Connect, time.Hour))
	defer cancel()
	t := p.tls.Clone()
	cache := &watchedCache{t.ClientSessionCache, make(chan struct{}, 1)}
	t.ClientSessionCache = cache
	q, err := p.dial(ctx, t, new(observer), false, nil)
	if err != nil {
		if outer.Err() != nil {
			return errInterrupted(outer)
		}
		reason := quicEnding(err).reason
		if isLate(err) {
			reason = fmt.Sprintf("no answer over UDP within %v; it may be blocked, or the server has no HTTP/3", p.run.config.Limits.Connect)
		}
		return unreachable("cannot fetch a ticket for early data from " + p.run.config.Address + ": " + reason)
	}
	defer q.end()
	select {
	case <-cache.filled:
	case <-q.Context().Done():
	case <-ctx.Done():
	case <-time.After(ticketWait):
		p.run.trace.Notes = append(p.run.trace.Notes, fmt.Sprintf("The server gave no session ticket within %v, so that no early data could be sent.", ticketWait))
	}
	return nil
}

// watchedCache says when a session has been put into it.
type watchedCache struct {
	tls.ClientSessionCache
	filled chan struct{}
}

func (w *watchedCache) Put(key string, s *tls.ClientSessionState) {
	w.ClientSessionCache.Put(key, s)
	select {
	case w.filled <- struct{}{}:
	default:
	}
}

func (p *h3) release() {}

// An h3Session is HTTP/3 on one connection. One goroutine sees the connection from
// the dial to its end, one sends the requests in their order, and one for each
// exchange waits for the response.
type h3Session struct {
	*conn
	base      *h3
	seen      observer
	quic      *quicConn
	settled   chan struct{} // closed once it is known whether the server took the early data
	open      bool          // requests may go
	exchanges sync.WaitGroup

	mu       sync.Mutex
	client   *http3.ClientConn
	waiting  map[string]*h3Exchange // sent by us, not by the stack; by method and path
	streams  map[quic.StreamID]*h3Exchange
	finished int64 // requests that are over
	allowed  int64 // requests at once; -1 is unknown
	farewell bool  // the server has said goodbye
	rejected bool  // the server did not take the early data
}

// An h3Exchange is one request on its way through one connection.
type h3Exchange struct {
	request
	left     chan struct{} // closed when its head has left, or never will
	stream   quic.StreamID // -1 while it has none
	up, down int64         // bytes of field sections
	over     atomic.Bool   // nothing more is told of it
	cancel   func()        // ends it on the wire
}

func (p *h3) speak(c *conn) {
	s := &h3Session{conn: c, base: p, settled: make(chan struct{}), allowed: -1,
		waiting: make(map[string]*h3Exchange), streams: make(map[quic.StreamID]*h3Exchange)}
	s.seen.session = s
	var file func() io.WriteCloser
	if p.run.config.Qlog != nil {
		file = func() io.WriteCloser { return p.run.config.Qlog(c.id) }
	}
	q, err := p.dial(c.ctx, p.tls, &s.seen, p.run.scenario.Strategy.EarlyData, file)
	at := p.run.now()
	defer s.seen.wait()
	if err != nil {
		over := quicEnding(err)
		c.fail(at, over.by, "cannot connect to "+p.run.config.Address+": "+over.reason)
		return
	}
	s.quic = q
	c.epilogue = s.describe
	defer s.exchanges.Wait()
	defer q.end()
	s.serve(at)
}

// serve sees the connection, that may send since at, to its end.
func (s *h3Session) serve(at linger.Instant) {
	s.seen.mu.Lock()
	isEarly := s.seen.early
	s.seen.mu.Unlock()
	s.client = s.base.http.NewClientConn(s.quic.Conn)
	if isEarly {
		s.begin(event{kind: early, at: at, about: s.locate})
	}
	select {
	case <-s.quic.HandshakeComplete():
		if !s.secured(isEarly) {
			break
		}
		select {
		case <-s.quic.Context().Done():
		case <-s.ctx.Done():
			return
		}
	case <-s.quic.Context().Done():
	case <-s.ctx.Done():
		return
	}
	// What was received before the end counts.
	at = s.run.now()
	s.exchanges.Wait()
	over := quicEnding(context.Cause(s.quic.Context()))
	s.mu.Lock()
	if s.farewell && over.cause == policy.ClosedByPeer {
		over.reason = farewell
	}
	s.mu.Unlock()
	s.tell(event{kind: closed, exchange: -1, at: at, ending: over})
}

// farewell is what a GOAWAY is called in a trace.
const farewell = "server said goodbye: GOAWAY"

// secured tells the end of the handshake. It returns false where the connection
// has ended meanwhile.
func (s *h3Session) secured(isEarly bool) bool {
	at := s.run.now()
	state := s.quic.ConnectionState()
	if isEarly && !state.Used0RTT {
		// The streams of the early data are gone, and what went on them was not
		// processed (RFC 9001, 4.6.2).
		if _, err := s.quic.NextConnection(s.ctx); err != nil {
			return false
		}
		s.mu.Lock()
		s.client, s.finished, s.rejected = s.base.http.NewClientConn(s.quic.Conn), 0, true
		s.mu.Unlock()
	}
	t := tlsTrace(state.TLS)
	if isEarly {
		t.EarlyData = linger.Known(state.Used0RTT)
	}
	s.begin(event{kind: connected, at: at, about: func(k *trace.Connection) {
		s.locate(k)
		k.Secured, k.TLS = linger.Known(at), linger.Known(t)
	}})
	close(s.settled)
	return true
}

// begin tells that requests may go, and sends those that come.
func (s *h3Session) begin(e event) {
	s.tell(e)
	if !s.open {
		s.open = true
		s.exchanges.Go(s.send)
	}
}

// locate writes where the connection goes.
func (s *h3Session) locate(k *trace.Connection) {
	k.Local, k.Remote = s.quic.socket.LocalAddr().String(), s.quic.socket.RemoteAddr().String()
}

// describe writes what the connection turned out to be.
func (s *h3Session) describe(k *trace.Connection) {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	if t, ok := k.TLS.Get(); ok {
		t.Up, t.Down = s.seen.up.sum(), s.seen.down.sum()
		k.TLS = linger.Known(t)
	}
	k.QUIC = linger.Known(trace.QUIC{
		Version: "1",
		Stack:   quicStack,
		Retry:   s.seen.retry,
		Lost:    s.seen.lost,
		RTT:     s.quic.ConnectionStats().SmoothedRTT,
	})
}

// limit notes that the server allows so many requests from the beginning of the
// connection on (RFC 9000, 4.6). What it tells is how many at once, when that grows:
// a server that allows another one for each that is over allows always the same.
func (s *h3Session) limit(total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := total - s.finished
	if n <= s.allowed {
		return
	}
	s.allowed = n
	s.tell(event{kind: streams, exchange: -1, at: s.run.now(), streams: int(n)})
}

// created hears that the stack has put a request on a stream, its fields taking so
// many bytes. They are about to be written.
func (s *h3Session) created(id quic.StreamID, fields []h3qlog.HeaderField, size int64) {
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
		s.tell(event{kind: sent, exchange: x.index, at: s.run.now(), head: size})
	}
}

// parsed hears of the fields of a response, or of its trailer.
func (s *h3Session) parsed(id quic.StreamID, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.streams[id]; x != nil {
		x.down += size
	}
}

// goAway hears that the server processes no request from stream first on: "The
// client can treat requests associated with those [...] as having been rejected"
// (RFC 9114, 5.2).
func (s *h3Session) goAway(first quic.StreamID) {
	s.mu.Lock()
	s.farewell = true
	var refused []int
	for id, x := range s.streams {
		if id >= first {
			x.over.Store(true)
			x.cancel()
			refused = append(refused, x.index)
		}
	}
	s.mu.Unlock()
	s.tell(event{kind: goaway, exchange: -1, at: s.run.now(), refused: refused, ending: ending{by: trace.AtServer, reason: farewell}})
}

// send sends the requests in the order in which they come, whatever order the
// scheduler prefers.
func (s *h3Session) send() {
	var batch []request
	for {
		select {
		case <-s.wake:
		case <-s.quic.Context().Done():
			return
		case <-s.ctx.Done():
			return
		}
		batch = s.take(batch)
		for _, q := range batch {
			x := &h3Exchange{request: q, left: make(chan struct{}), stream: -1}
			s.exchanges.Go(func() { s.fetch(x) })
			select {
			case <-x.left:
			case <-s.quic.Context().Done():
				return
			}
		}
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
	defer res.Body.Close()
	in.Reader = res.Body
	first := event{kind: begun, at: in.at, status: res.StatusCode, head: s.headOf(x)}
	s.report(x, first)
	b := newBody(s.conn, x.request, res.StatusCode, in, in.when)
	if x.document {
		s.explore(x.request, res.StatusCode, res.Header.Get, &b, in.when)
	}
	buf := spare.Get().(*buffers)
	defer spare.Put(buf)
	for err == nil {
		_, err = b.Read(buf.chunk)
	}
	e := event{kind: done, at: in.at, status: res.StatusCode, head: s.headOf(x), body: b.received,
		content: mediaType(res.Header.Get("Content-Type")), persists: true}
	if err != io.EOF {
		if err == errTooLong {
			e.kind, e.reason = reset, b.reason
			s.report(x, e)
			return
		}
		s.failed(x, err, e)
		return
	}
	e.reason = b.rejected()
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

// isRejected reports whether the server did not take the early data.
func (s *h3Session) isRejected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rejected
}

// request returns x as the stack wants it.
func (s *h3Session) request(ctx context.Context, x *h3Exchange) *http.Request {
	c := s.run.config
	q := &http.Request{Method: x.Method, URL: &url.URL{Scheme: "https"}, Header: make(http.Header)}
	for _, f := range requestFields(x.request, "https", c.Host, c.Agent) {
		switch f.name {
		case ":authority":
			q.Host, q.URL.Host = f.value, f.value
		case ":path":
			// The stack is to take it as it is, also where it begins with two slashes.
			q.URL.Opaque = f.value
			if strings.HasPrefix(f.value, "//") {
				q.URL.Opaque = "//" + c.Host + f.value
			}
		case ":method", ":scheme", "content-length":
		default:
			q.Header[f.name] = []string{f.value}
		}
	}
	if x.RequestBody > 0 {
		q.ContentLength = x.RequestBody
		q.Body = &upload{session: s, exchange: x, content: s.run.scenario.Workload.RequestContent(x.index)}
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
		e.exchange = x.index
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
		e.kind, e.refused, e.reason = goaway, []int{x.index}, farewell
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

// isTurnedAway reports whether x came too late: the server has said goodbye, and x
// has no stream or was rejected on it. "Requests [...] might already be in transit
// when the server sends a GOAWAY" (RFC 9114, 5.2).
func (s *h3Session) isTurnedAway(x *h3Exchange, failure *http3.Error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.farewell && (x.stream < 0 || failure != nil && failure.Remote && failure.ErrorCode == http3.ErrCodeRequestRejected)
}

// isSent reports whether x has been put on a stream.
func (s *h3Session) isSent(x *h3Exchange) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return x.stream >= 0
}
