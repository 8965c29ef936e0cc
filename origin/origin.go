// Package origin is the server under test: HTTP/1.0, HTTP/1.1, HTTP/2 and HTTP/3
// over real sockets, cleartext and TLS, and DNS over UDP, TCP, TLS, HTTPS and QUIC,
// serving a workload byte by byte as described, with any connection policy. What a connection does next is package
// policy's to say, whatever the protocol; this package gives it a clock and
// sockets.
//
// Beside the workload's own paths there are /, which lists what is served, and
// /bytes/N, /delay/D and /status/N.
//
// Not modelled: Range, conditional requests, compression and caching fields. A
// response is the same whatever the request's fields ask for.
package origin

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"linger"
	"linger/policy"
)

// A Config is what a Server serves and how. The zero Config serves the built-in
// paths and keeps every connection until the client closes it.
type Config struct {
	// Workload is served at its exchanges' paths; it may have none.
	Workload linger.Workload
	Policy   policy.ServerPolicy
	// Misbehave, unless nil, is what the server does wrong on each connection of the
	// protocols that it is of.
	Misbehave *Misbehaviour
	// Certificates are for TLS and QUIC, as Authority.Certificate and
	// LoadCertificate return them; a server of cleartext needs none.
	Certificates []tls.Certificate
	// Origin is which of the workload's origins the server is; the others' exchanges
	// are not served.
	Origin int
	// AltSvc is the value of the Alt-Svc field in responses over TLS, as
	// `h3=":8443"` (RFC 7838, 3); empty sends none.
	AltSvc string
	// MaxStreams is how many requests may be open at once on a connection of
	// HTTP/2 or HTTP/3; zero is 128.
	MaxStreams int
	// Log, where set, is called at the end of every request and connection, from
	// several goroutines at once; see LogTo. A server waits for it.
	Log func(Entry)

	// MaxConnections is how many connections are open at once; further ones wait
	// in the kernel's backlog. Zero is no limit.
	MaxConnections int
	// MaxHeader bounds a request's head, in bytes; zero is linger.MaxHead.
	MaxHeader int
	// MaxRequestBody bounds the content of a request, in bytes, all of which is
	// read and dropped; zero is linger.MaxBody.
	MaxRequestBody int64
	// Stall is for how long a client may neither send the next byte of a
	// request's content nor take the next one of a response; zero is a minute.
	Stall time.Duration
	// Linger is how long the server waits for the client's close after its own;
	// zero is 5 s.
	Linger time.Duration
	// Cache is how many bytes of bodies are held in memory; zero is 64 MiB. Other
	// bodies are made anew for each response.
	Cache int64
}

// minTarget is how long a request target may be in any case: "it is RECOMMENDED
// that all HTTP senders and recipients support, at a minimum, request-line
// lengths of 8000 octets" (RFC 9112, 3). A workload with longer paths raises it.
const minTarget = 8192

// ErrShutDown is the error of serving with a server that has been shut down.
var ErrShutDown = errors.New("the server has been shut down; make a new one")

// Counters are what a server has done so far.
type Counters struct {
	Accepted int64 // connections
	Open     int64 // connections, now
	Requests int64 // heads read in full, and what was refused in their place; queries of DNS
	// Datagrams are those requests that came by UDP and belong to no connection.
	Datagrams int64
}

// Add counts what another server has done, too.
func (c *Counters) Add(other Counters) {
	c.Accepted += other.Accepted
	c.Open += other.Open
	c.Requests += other.Requests
	c.Datagrams += other.Datagrams
}

// A Server serves one site on the listeners given to Serve, ServeTLS, ServeQUIC and
// those of DNS, ServeDNS, ServeDNSStream, ServeDoT and ServeDoQ, with one policy, one log and one count of connections for all.
type Server struct {
	config    Config
	site      *site
	maxTarget int
	start     time.Time // Instant 0
	date      atomic.Pointer[dateStamp]

	accepted, requests, datagrams atomic.Int64

	slots chan struct{} // one for each open connection; nil is no limit
	down  chan struct{} // closed when the server goes down
	stop  chan struct{} // closed when it waits for nobody any more

	serving   sync.WaitGroup // calls of Serve
	mu        sync.Mutex
	listeners map[io.Closer]struct{}
	conns     map[carried]struct{}
}

// carried is a connection of any protocol that the server carries.
type carried interface {
	leave() // the server goes down: close when idle, accept no more
	cut()   // end at once
}

// New returns a server, or an error for a workload that cannot be served and
// limits that are none.
func New(config Config) (*Server, error) {
	if config.MaxConnections < 0 || config.MaxHeader < 0 || config.MaxRequestBody < 0 || config.Stall < 0 || config.Linger < 0 || config.Cache < 0 || config.MaxStreams < 0 {
		return nil, errors.New("a limit of the server is negative; give zero for its default")
	}
	switch config.Policy.Style {
	case "", policy.CloseFIN, policy.CloseRST:
	default:
		return nil, fmt.Errorf("unknown close style %q; known: %s, %s", config.Policy.Style, policy.CloseFIN, policy.CloseRST)
	}
	config.MaxHeader = cmp.Or(config.MaxHeader, linger.MaxHead)
	config.MaxRequestBody = cmp.Or(config.MaxRequestBody, linger.MaxBody)
	config.Stall = cmp.Or(config.Stall, time.Minute)
	config.Linger = cmp.Or(config.Linger, 5*time.Second)
	config.Cache = cmp.Or(config.Cache, 64<<20)
	config.MaxStreams = cmp.Or(config.MaxStreams, 128)
	if !isFieldValue([]byte(config.AltSvc)) {
		return nil, fmt.Errorf("Alt-Svc: %q cannot stand in a head", config.AltSvc)
	}
	site, err := newSite(config.Workload, config.Origin, config.Cache)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:    config,
		site:      site,
		maxTarget: minTarget,
		start:     time.Now(),
		down:      make(chan struct{}),
		stop:      make(chan struct{}),
		listeners: map[io.Closer]struct{}{},
		conns:     map[carried]struct{}{},
	}
	for _, e := range config.Workload.Exchanges {
		s.maxTarget = max(s.maxTarget, len(e.Path))
	}
	if config.MaxConnections > 0 {
		s.slots = make(chan struct{}, config.MaxConnections)
	}
	return s, nil
}

// Serve accepts connections from ln, which it closes, until the server is shut
// down or ctx ends, and returns nil once all of them have ended. The end of ctx
// cuts the whole server off: what is under way is lost. The error is that of a
// listener that cannot accept any more.
//
// They are cleartext: HTTP/1, or HTTP/2 where the client begins with its preface
// ("prior knowledge", RFC 9113, 3.3). There is no Upgrade.
//
// Serve, ServeTLS and ServeQUIC may be called for several listeners at once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	return s.accept(ctx, ln, nil, s.serve)
}

// ServeTLS is as Serve, over TLS 1.3 and 1.2: HTTP/2 where the client offers "h2"
// (RFC 7301), else HTTP/1.
func (s *Server) ServeTLS(ctx context.Context, ln net.Listener) error {
	if len(s.config.Certificates) == 0 {
		ln.Close()
		return errNoCertificate
	}
	return s.accept(ctx, ln, tlsConfig(s.config.Certificates, "h2", "http/1.1"), s.serve)
}

// enter has the server know of a listener, until the returned function is called.
func (s *Server) enter(ctx context.Context, ln io.Closer) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown() {
		return nil, ErrShutDown
	}
	s.listeners[ln] = struct{}{}
	s.serving.Add(1)
	detach := context.AfterFunc(ctx, s.abort)
	return func() {
		detach()
		s.serving.Done()
	}, nil
}

func (s *Server) accept(ctx context.Context, ln net.Listener, secure *tls.Config, serve func(net.Conn)) error {
	defer ln.Close()
	leave, err := s.enter(ctx, ln)
	if err != nil {
		return err
	}
	defer leave()
	var conns sync.WaitGroup
	defer conns.Wait()

	wait := minBackoff
	for {
		if !s.acquire() {
			return nil
		}
		nc, err := ln.Accept()
		switch {
		case err == nil:
			wait = minBackoff
			if secure != nil {
				nc = secured{tls.Server(nc, secure)}
			}
			conns.Go(func() {
				defer s.release()
				serve(nc)
			})
		case s.isDown():
			return nil
		case exhausted(err):
			s.release()
			select {
			case <-time.After(wait):
			case <-s.down:
			}
			wait = min(2*wait, maxBackoff)
		default:
			s.abort()
			return fmt.Errorf("cannot accept connections on %v: %w", ln.Addr(), err)
		}
	}
}

// Bounds of the pause after a connection that could not be accepted for want of
// memory or file descriptors.
const (
	minBackoff = 5 * time.Millisecond
	maxBackoff = time.Second
)

// exhausted reports whether a later accept may succeed.
func exhausted(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (s *Server) acquire() bool {
	if s.slots == nil {
		return true
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-s.down:
		return false
	}
}

func (s *Server) release() {
	if s.slots != nil {
		<-s.slots
	}
}

// serve carries one connection from accept to close.
func (s *Server) serve(nc net.Conn) {
	c := newConn(s, nc, s.accepted.Add(1))
	if !s.carry(c, nil) {
		bare(nc).Close()
		return
	}
	protocol, ok := c.handshake()
	if ok && protocol != "h2" {
		ok = !c.serve()
	}
	if !ok {
		s.drop(c)
		return
	}
	h := newH2(c)
	if !s.carry(h, c) {
		h.leave()
	}
	h.serve()
	s.drop(h)
}

// carry adds a connection to those that are told of a shutdown, in the place of
// another that it was until now. It reports false where that has begun already.
func (s *Server) carry(c, instead carried) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if instead != nil {
		delete(s.conns, instead)
	} else if s.isDown() {
		return false
	}
	s.conns[c] = struct{}{}
	return !s.isDown()
}

func (s *Server) drop(c carried) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// Shutdown stops accepting, closes idle connections, lets requests under way be
// answered, announcing the close by Connection: close or GOAWAY, and waits until every connection has ended.
// Where ctx ends first, it cuts the rest off and says how many that were.
func (s *Server) Shutdown(ctx context.Context) error {
	s.goDown()
	ended := make(chan struct{})
	go func() {
		s.serving.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	open := s.Counters().Open
	s.abort()
	<-ended
	if open == 0 {
		return nil
	}
	return fmt.Errorf("cut off %d connections that had not ended: %w", open, ctx.Err())
}

// goDown closes the listeners and tells every connection.
func (s *Server) goDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown() {
		return
	}
	close(s.down)
	for ln := range s.listeners {
		ln.Close()
	}
	for c := range s.conns {
		c.leave()
	}
}

// abort ends everything at once.
func (s *Server) abort() {
	s.goDown()
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stop:
		return
	default:
		close(s.stop)
	}
	for c := range s.conns {
		c.cut()
	}
}

var longAgo = time.Unix(1, 0)

func (s *Server) isDown() bool {
	select {
	case <-s.down:
		return true
	default:
		return false
	}
}

func (s *Server) isStopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// Counters returns what the server has done so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counters{Accepted: s.accepted.Load(), Open: int64(len(s.conns)), Requests: s.requests.Load(), Datagrams: s.datagrams.Load()}
}

// now returns the time since the server was made.
func (s *Server) now() linger.Instant { return linger.Instant(time.Since(s.start)) }

// at is the wall clock at t, or the zero time, which as a deadline is none.
func (s *Server) at(t linger.Instant) time.Time {
	if t == linger.Never {
		return time.Time{}
	}
	return s.start.Add(time.Duration(t))
}

// A dateStamp is the Date field's value during one second.
type dateStamp struct {
	second int64
	text   string
}

// dateAt returns the Date field's value at t, made once a second.
func (s *Server) dateAt(t linger.Instant) string {
	at := s.at(t)
	if d := s.date.Load(); d != nil && d.second == at.Unix() {
		return d.text
	}
	d := &dateStamp{at.Unix(), at.UTC().Format(http.TimeFormat)}
	s.date.Store(d)
	return d.text
}
