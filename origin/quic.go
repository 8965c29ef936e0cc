package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"linger"
	"linger/policy"
	"linger/trace"
)

// acceptQUIC accepts connections and has each served. uni is how many unidirectional
// streams a client may have open: 0 is the stack's default, less than that none.
//
// The stack completes handshakes by itself, and holds a few connections until they are accepted.
// Where the server has no room, one more waits here, and no request on it is looked at.
func (s *Server) acceptQUIC(ctx context.Context, pc net.PacketConn, v service, uni int64, codes errorCodes, serve func(qc *quic.Conn, ticket int64)) error {
	defer pc.Close()
	if err := v.check(s); err != nil {
		return err
	}
	var under handshakes
	transport := &quic.Transport{Conn: pc, VerifySourceAddress: under.doubt, ConnContext: under.begin}
	defer transport.Close()
	idle := s.config.Policy.IdleTimeout
	if idle == 0 {
		idle = time.Hour
	}
	ln, err := transport.ListenEarly(v.tls(s.config.Certificates), &quic.Config{
		// Answers of DNS are never so long that a larger packet would serve them.
		DisablePathMTUDiscovery: s.site.HasNames(),
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
	for {
		qc, err := ln.Accept(context.Background())
		switch {
		case err == nil:
		case s.isDown():
			return nil
		default:
			s.abort()
			return fmt.Errorf("cannot accept connections on %v: %w", pc.LocalAddr(), err)
		}
		conns.Go(func() { under.await(qc) })
		ticket, refused, err := s.gate.Enter(nil)
		switch {
		case err != nil:
			// An error says that the connection has ended already.
			_ = qc.CloseWithError(codes.none, policy.ReasonShutdown)
			return nil
		case refused:
			s.refused.Add(1)
			c := s.newQUIC(qc, 0, "", codes)
			c.end(trace.AtServer, policy.ReasonRefused)
			_ = qc.CloseWithError(codes.none, policy.ReasonRefused)
			c.logClosed(0)
		default:
			conns.Go(func() {
				defer s.gate.Leave(ticket)
				serve(qc, ticket)
			})
		}
	}
}

// A quicConn is one connection of QUIC, whatever is spoken on it: a request a stream. One
// goroutine accepts requests, one watches the policy, and each stream has its own; what
// they share is under mu.
//
// Packets, loss, congestion and the order of streams are the stack's: QUIC streams that
// have something to send take turns.
type quicConn struct {
	session
	codes   errorCodes
	qc      *quic.Conn
	streams sync.WaitGroup
	helpers sync.WaitGroup // those that are no request's

	mu    sync.Mutex
	wake  chan struct{}  // there is something for the watch to look at
	wrote linger.Instant // when a response was last handed to QUIC
	short bool           // a request was not answered in full
	late  int64          // streams that were not looked at
}

// errorCodes are those of a protocol over QUIC, as far as its connections share what they
// do with them.
type errorCodes struct {
	none   quic.ApplicationErrorCode // ends a connection in good order
	cancel quic.StreamErrorCode      // ends a stream whose request will not be answered
	name   func(quic.ApplicationErrorCode) string
}

// A quicProtocol is the protocol of a quicConn: HTTP/3, or DNS over QUIC. All but serveStream is called
// under mu.
type quicProtocol interface {
	// admit counts a stream, in the order of their numbers, and returns its number on the
	// connection, or rejects the stream.
	admit(str *quic.Stream) (number int, ok bool)
	// serveStream answers the request of that number.
	serveStream(str *quic.Stream, number int)
	// closing returns what tells the client that no more requests are taken, once and where
	// the protocol has words for that; reason is why, or empty where more are taken.
	closing(reason string) (tell func())
	// grace returns how long the client still has before the connection is closed.
	grace(now linger.Instant) time.Duration
	// clientClosed notes that the client has closed the connection.
	clientClosed()
}

func (s *Server) newQUIC(qc *quic.Conn, ticket int64, version string, codes errorCodes) *quicConn {
	return &quicConn{
		session: s.newSession(ticket, qc.RemoteAddr(), version),
		codes:   codes,
		qc:      qc,
		wake:    make(chan struct{}, 1),
	}
}

func (c *quicConn) leave(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.machine.HandleDismissal(why)
	c.signal()
}

func (c *quicConn) cut(why string) {
	c.mu.Lock()
	c.end(trace.AtServer, why)
	c.mu.Unlock()
	// An error says that the connection has ended already.
	_ = c.qc.CloseWithError(c.codes.none, why)
}

// signal has the watch look.
func (c *quicConn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run carries the connection to its end.
func (c *quicConn) run(p quicProtocol) {
	c.helpers.Go(func() { c.watch(p) })
	for {
		str, err := c.qc.AcceptStream(context.Background())
		if err != nil {
			break
		}
		c.mu.Lock()
		n, ok := p.admit(str)
		c.mu.Unlock()
		if ok {
			c.streams.Go(func() { p.serveStream(str, n) })
		}
	}
	c.streams.Wait()
	c.helpers.Wait()
	c.mu.Lock()
	c.blameQUIC(context.Cause(c.qc.Context()), p)
	c.mu.Unlock()
	c.logClosed(c.late)
}

// watch does what the policy wants, when it wants it, until the connection ends.
func (c *quicConn) watch(p quicProtocol) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.mu.Lock()
		now := c.server.now()
		c.machine.HandleTimeout(now)
		reason, due := c.machine.Closing()
		tell, wait := p.closing(reason), c.machine.NextTimeout().Sub(now)
		if due {
			c.end(trace.AtServer, reason)
			wait = p.grace(now)
		}
		c.mu.Unlock()
		if tell != nil {
			tell()
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
			_ = c.qc.CloseWithError(c.codes.none, reason)
			return
		}
	}
}

// A quicError ends the connection, or the stream where stream is true.
type quicError struct {
	code   quic.ApplicationErrorCode
	text   string
	stream bool
}

func (e *quicError) Error() string { return e.text }

// fail ends the connection for an error.
func (c *quicConn) fail(code quic.ApplicationErrorCode, why string) {
	c.mu.Lock()
	c.end(trace.AtServer, c.codes.name(code)+": "+why)
	c.mu.Unlock()
	_ = c.qc.CloseWithError(code, why)
}

// lose ends a stream, or the connection, for the error that has kept a request from being
// answered in full, and says in a few words what that is.
func (c *quicConn) lose(str *quic.Stream, err error) (failed string) {
	var own *quicError
	switch {
	case !errors.As(err, &own):
		abandon(str, c.codes.cancel)
		return c.streamLost(err)
	case own.stream:
		abandon(str, quic.StreamErrorCode(own.code))
	default:
		c.fail(own.code, own.text)
	}
	return own.text
}

// abandon ends both directions of a stream.
func abandon(str *quic.Stream, code quic.StreamErrorCode) {
	str.CancelRead(code)
	str.CancelWrite(code)
}

// settle notes what has become of a request, at now.
func (c *quicConn) settle(now linger.Instant, answered bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered {
		c.wrote = now
	} else {
		c.short = true
	}
	c.machine.HandleResponse(now)
	c.tell()
	c.signal()
}

// wait lets the time pass until due. It reports false where the connection ends before.
func (c *quicConn) wait(due linger.Instant) bool {
	d := due.Sub(c.server.now())
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.qc.Context().Done():
		return false
	}
}

// persists reports whether the connection goes on.
func (c *quicConn) persists() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	reason, _ := c.machine.Closing()
	return reason == ""
}

// streamLost says in a few words why a request was not answered in full.
func (c *quicConn) streamLost(err error) string {
	if e, ok := errors.AsType[*quic.StreamError](err); ok && e.Remote {
		return "client reset the stream: " + c.codes.name(quic.ApplicationErrorCode(e.ErrorCode))
	}
	switch {
	case c.server.isStopped():
		return cutOff
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errStalled.Error()
	case errors.Is(err, errShort):
		return err.Error()
	}
	return "the connection ended"
}

// blameQUIC notes why the connection is no more.
func (c *quicConn) blameQUIC(err error, p quicProtocol) {
	if c.server.isStopped() {
		c.end(trace.AtServer, cutOff)
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		p.clientClosed()
		reason := "client closed"
		if e.ErrorCode != c.codes.none && e.ErrorCode != 0 {
			reason += ": " + c.codes.name(e.ErrorCode)
		}
		c.end(trace.AtClient, reason)
	}
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

// maxUnproven is how many handshakes of QUIC may be under way before a client has to prove
// that it is where it says: an Initial packet costs its sender little, and a server some
// 60 kB for as long as the handshake may take. That proof takes a round trip. Twice as many
// are the most.
const maxUnproven = 1000

var errHandshakes = fmt.Errorf("more than %d handshakes are under way", 2*maxUnproven)

// handshakes counts those of QUIC that are under way.
type handshakes struct{ under atomic.Int64 }

// doubt reports whether a client has to prove its address by a Retry packet (RFC 9000,
// 8.1.2).
func (h *handshakes) doubt(net.Addr) bool { return h.under.Load() >= maxUnproven }

// settledKey is where a connection's context has what says that its handshake is over.
type settledKey struct{}

// begin counts one, or refuses it. It is over with its context, if not before.
func (h *handshakes) begin(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	if h.under.Add(1) > 2*maxUnproven {
		h.under.Add(-1)
		return nil, errHandshakes
	}
	settled := sync.OnceFunc(func() { h.under.Add(-1) })
	context.AfterFunc(ctx, settled)
	return context.WithValue(ctx, settledKey{}, settled), nil
}

// await returns when the handshake of a connection that was accepted is over.
func (h *handshakes) await(qc *quic.Conn) {
	select {
	case <-qc.HandshakeComplete():
	case <-qc.Context().Done():
	}
	qc.Context().Value(settledKey{}).(func())()
}
