package live

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/qlogwriter"

	"linger"
	"linger/dial"
	"linger/live/seen"
	"linger/policy"
	"linger/trace"
	"linger/wire"
)

// ticketWait is how long the visit before a run waits for a session ticket, which
// servers send with the end of the handshake.
const ticketWait = 5 * time.Second

// closedWell says that a connection is closed for no error (RFC 9114, 8.1).
const closedWell = quic.ApplicationErrorCode(http3.ErrCodeNoError)

// overQUIC is what the protocols over QUIC have in common: how a connection is
// opened, and the earlier visit that early data presupposes.
type overQUIC struct {
	run   *run
	to    Config // with the address of the origin
	hosts []netip.AddrPort
	tls   *tls.Config
	// tokens prove this client's address to the server a second time (RFC 9000,
	// 8.1.3); nil where nothing is resumed.
	tokens quic.TokenStore
}

func newOverQUIC(ctx context.Context, r *run, to Config) (*overQUIC, error) {
	if to.Route.Unix != "" {
		return nil, fmt.Errorf("strategy %q: QUIC has no Unix socket; leave it out", r.scenario.Strategy.Name)
	}
	hosts, err := to.Route.Addresses(ctx, to.Address)
	if err != nil {
		return nil, err
	}
	p := &overQUIC{run: r, to: to, hosts: hosts, tls: to.clientTLS(r.scenario.Strategy, r.speaks.ALPN())}
	if r.scenario.Strategy.Resume {
		p.tokens = quic.NewLRUTokenStore(1, 16)
		p.tls.ClientSessionCache = dial.OwnSessions{ClientSessionCache: p.tls.ClientSessionCache}
	}
	return p, nil
}

// dial opens a connection that o observes; file, unless it is nil, gives what its
// qlog is written to.
func (p *overQUIC) dial(ctx context.Context, t *tls.Config, o *seen.Observer, early bool, file func() io.WriteCloser) (*dial.QUICConn, error) {
	c := quicConfig(p.run.config.Limits, p.run.scenario.Strategy)
	c.TokenStore = p.tokens
	c.Tracer = func(context.Context, bool, quic.ConnectionID) qlogwriter.Trace {
		if file == nil {
			return o
		}
		return o.Trace(file())
	}
	return dial.QUIC(ctx, p.to.Local, p.hosts, t, c, early)
}

// visit makes a connection and waits for a session ticket, which early data needs.
// A server that sends none is no error: the run then shows that no early data went.
func (p *overQUIC) visit(ctx context.Context) error {
	if !p.run.scenario.Strategy.EarlyData {
		return nil
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(outer, cmp.Or(p.run.config.Limits.Connect, time.Hour))
	defer cancel()
	t := p.tls.Clone()
	cache := &watchedCache{t.ClientSessionCache, make(chan struct{}, 1)}
	t.ClientSessionCache = cache
	q, err := p.dial(ctx, t, new(seen.Observer), false, nil)
	if err != nil {
		if outer.Err() != nil {
			return errInterrupted(outer)
		}
		reason := quicEnding(err, p.run.speaks).reason
		if dial.IsLate(err) {
			reason = fmt.Sprintf("no answer over UDP within %v; it may be blocked, or the server has no %s", p.run.config.Limits.Connect, p.run.scenario.Strategy.Speaks())
		}
		return dial.Unreachable("cannot fetch a ticket for early data from " + p.to.Address + ": " + reason)
	}
	defer q.End(closedWell)
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

func (p *overQUIC) release() {}

// A speaker is what is spoken on a connection of QUIC.
type speaker interface {
	// renew takes up the connection that requests may go on from now on.
	renew()
	// send puts one request on the wire; the next may follow once it returns.
	send(request)
	// ending puts the end of the connection into words.
	ending(error) ending
}

// A quicSession is one connection of QUIC. One goroutine sees it from the dial to its
// end, one sends the requests in their order, and each exchange has one that waits
// for the response.
type quicSession struct {
	*conn
	speaker   speaker
	seen      seen.Observer
	quic      *dial.QUICConn
	settled   chan struct{} // closed once it is known whether the server took the early data
	open      bool          // requests may go
	exchanges sync.WaitGroup

	mu       sync.Mutex
	finished int64 // requests that are over
	allowed  int64 // requests at once; -1 is unknown
	rejected bool  // the server did not take the early data
}

func newQUICSession(c *conn) quicSession {
	return quicSession{conn: c, settled: make(chan struct{}), allowed: -1}
}

// carry opens the connection of a session and sees it to its end.
func (p *overQUIC) carry(s *quicSession, on speaker) {
	s.speaker = on
	s.seen.Limit, s.seen.Idle = s.limit, s.rests
	var file func() io.WriteCloser
	if p.run.config.Qlog != nil {
		file = func() io.WriteCloser { return p.run.config.Qlog(s.id) }
	}
	q, err := p.dial(s.ctx, p.tls, &s.seen, p.run.scenario.Strategy.EarlyData, file)
	at := p.run.now()
	defer s.seen.Wait()
	if err != nil {
		over := on.ending(err)
		s.fail(at, over.by, "cannot connect to "+p.to.Address+": "+over.reason)
		return
	}
	s.quic = q
	s.epilogue = s.describe
	defer s.exchanges.Wait()
	defer q.End(closedWell)
	s.serve(at)
}

// serve sees the connection, that may send since at, to its end.
func (s *quicSession) serve(at linger.Instant) {
	isEarly := s.seen.Facts().Early
	s.speaker.renew()
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
	s.tell(event{kind: closed, exchange: -1, at: at, ending: s.speaker.ending(context.Cause(s.quic.Context()))})
}

// secured tells the end of the handshake. It returns false where the connection
// has ended meanwhile.
func (s *quicSession) secured(isEarly bool) bool {
	at := s.run.now()
	state := s.quic.ConnectionState()
	if isEarly && !state.Used0RTT {
		// The streams of the early data are gone, and what went on them was not
		// processed (RFC 9001, 4.6.2).
		if _, err := s.quic.NextConnection(s.ctx); err != nil {
			return false
		}
		s.mu.Lock()
		s.finished, s.rejected = 0, true
		s.mu.Unlock()
		s.speaker.renew()
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
func (s *quicSession) begin(e event) {
	s.tell(e)
	if !s.open {
		s.open = true
		s.exchanges.Go(s.sendAll)
	}
}

// sendAll sends the requests in the order in which they come, whatever order the
// scheduler prefers.
func (s *quicSession) sendAll() {
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
			if s.speaker.send(q); s.quic.Context().Err() != nil {
				return
			}
		}
	}
}

// locate writes where the connection goes.
func (s *quicSession) locate(k *trace.Connection) {
	k.Client, k.Server = s.quic.Socket.LocalAddr().String(), s.quic.Socket.RemoteAddr().String()
}

// describe writes what the connection turned out to be.
func (s *quicSession) describe(k *trace.Connection) {
	facts := s.seen.Facts()
	if t, ok := k.TLS.Get(); ok {
		t.Up, t.Down = facts.Up, facts.Down
		k.TLS = linger.Known(t)
	}
	k.QUIC = linger.Known(trace.QUIC{
		Version: "1",
		Stack:   quicStack,
		Retry:   facts.Retry,
		Lost:    facts.Lost,
		RTT:     s.quic.ConnectionStats().SmoothedRTT,
	})
}

// limit notes that the server allows so many requests from the beginning of the
// connection on (RFC 9000, 4.6). What it tells is how many at once, when that grows:
// a server that allows another one for each that is over allows always the same.
func (s *quicSession) limit(total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := total - s.finished
	if n <= s.allowed {
		return
	}
	s.allowed = n
	s.tell(event{kind: streams, exchange: -1, at: s.run.now(), streams: int(n)})
}

// rests tells how long the server lets the connection be without a packet.
func (s *quicSession) rests(limit time.Duration) {
	s.tell(event{kind: limited, exchange: -1, at: s.run.now(), limit: limit,
		about: func(k *trace.Connection) { k.IdleLimit = linger.Known(limit) }})
}

// isRejected reports whether the server did not take the early data.
func (s *quicSession) isRejected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rejected
}

// quicStack is what the QUIC stack of this program is, its server's too, and what it
// begins a connection with: initialCongestionWindow in quic-go's cubic_sender.go,
// which is set to be Reno.
const quicStack = "quic-go (initial window 32 packets, Reno, pacing)"

// quicConfig returns what is asked of the QUIC stack for a strategy. Path MTU discovery
// is on, from 1280 bytes up, save for messages of DNS, which are never so long: its
// probes would be most of what such a connection carries. Congestion control and pacing
// are the stack's own. No keep-alive is sent.
func quicConfig(l policy.Limits, s linger.Strategy) *quic.Config {
	return &quic.Config{
		DisablePathMTUDiscovery: s.Protocol().IsDNS(),
		Versions:                []quic.Version{quic.Version1},
		// The policy gives a connection up before the stack does.
		HandshakeIdleTimeout:           2 * cmp.Or(l.Connect, time.Hour),
		MaxIdleTimeout:                 wire.QUICIdle,
		InitialStreamReceiveWindow:     wire.StreamCredit,
		MaxStreamReceiveWindow:         wire.StreamCredit,
		InitialConnectionReceiveWindow: wire.ConnCredit,
		MaxConnectionReceiveWindow:     wire.ConnCredit,
		// RFC 9114, 6.1: "Clients MUST treat receipt of a server-initiated
		// bidirectional stream as a connection error".
		MaxIncomingStreams: -1,
	}
}

// quicEnding puts the end of a QUIC connection into words on which p was to be spoken.
func quicEnding(err error, p linger.Protocol) ending {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return ending{policy.Reset, trace.AtServer, "nothing listens on that UDP port (ICMP port unreachable); the server may have no " + p.Title()}
	}
	if e, ok := errors.AsType[*quic.VersionNegotiationError](err); ok {
		return ending{policy.Malformed, trace.AtServer, fmt.Sprintf("server speaks QUIC %v, and not version 1", e.Theirs)}
	}
	if e, ok := errors.AsType[*quic.TransportError](err); ok {
		return transportEnding(e, p.ALPN())
	}
	if _, ok := errors.AsType[*quic.StatelessResetError](err); ok {
		return ending{policy.Reset, trace.AtServer, "server no longer knows the connection (stateless reset)"}
	}
	if _, ok := errors.AsType[*quic.IdleTimeoutError](err); ok {
		return ending{policy.Reset, trace.Nobody, "no packet from the server within the idle limit: " + wire.QUICIdle.String() + ", or less where the server says so"}
	}
	return ending{policy.Reset, trace.Nobody, brief(dial.Cause(err))}
}

// transportEnding puts the end by QUIC itself, TLS included, into words.
func transportEnding(e *quic.TransportError, alpn string) ending {
	over := ending{policy.Malformed, trace.AtClient, brief(e.Error())}
	if e.Remote {
		over.cause, over.by = policy.Reset, trace.AtServer
	}
	switch {
	case e.ErrorCode == quic.NoError:
		over.cause, over.reason = policy.ClosedByPeer, "server closed the connection"
	case e.ErrorCode == quic.ConnectionRefused:
		over.reason = "server refused the connection"
	case e.ErrorCode.IsCryptoError():
		over.reason = handshakeReason(e, alpn)
	}
	return over
}

// closedWith puts the close of a connection by what is spoken on it into words. code
// is the name of the error, none the code that says there is none.
func closedWith(e *quic.ApplicationError, none quic.ApplicationErrorCode, code string, p linger.Protocol) ending {
	if e.ErrorMessage != "" {
		code += ": " + brief(e.ErrorMessage)
	}
	switch {
	case !e.Remote:
		return ending{policy.Malformed, trace.AtClient, "server broke " + p.Title() + ": " + code}
	case e.ErrorCode == none:
		return ending{policy.ClosedByPeer, trace.AtServer, "server closed the connection"}
	default:
		return ending{policy.Reset, trace.AtServer, "server closed the connection with " + code}
	}
}
