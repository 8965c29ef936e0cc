// Package origin is the server under test: HTTP/1.0, HTTP/1.1, HTTP/2 and HTTP/3 over real
// sockets, in cleartext and over TLS, and DNS over UDP, TCP, TLS, HTTPS and QUIC. It serves a
// workload byte by byte as described, with any connection policy.
//
// New makes a Server of a Config. Each call of Serve, ServeTLS, ServeQUIC and those of DNS
// serves one listener, which package linger/origin/listen opens, until Shutdown. Counters and
// Config.Log tell what has happened; certificates come from linger/origin/authority.
//
// A request goes through three layers, which know nothing of each other's business:
//
//	the transport   reads requests and sends answers: conn (HTTP/1), a duplex (HTTP/2, DNS over
//	                TCP and TLS), a quicConn (HTTP/3, DNS over QUIC), or datagrams (DNS over UDP)
//	the policy      says when a connection ends, whatever is spoken on it: policy.Server
//	the site        says what is answered, by HTTP and by DNS alike: linger/origin/site
//
// Beside the workload's own paths there are /, which lists what is served, and /bytes/N,
// /delay/D, /status/N and /misbehave/.
//
// Not modelled: Range, conditional requests, compression and caching fields. A response is
// the same whatever the request's fields ask for.
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
	"linger/origin/accesslog"
	"linger/origin/gate"
	"linger/origin/head"
	"linger/origin/listen"
	"linger/origin/misbehave"
	"linger/origin/site"
	"linger/policy"
	"linger/trace"
)

// A Config is what a Server serves and how. The zero Config serves the built-in
// paths and keeps every connection until the client closes it.
type Config struct {
	// Workload is served at its exchanges' paths; it may have none.
	Workload linger.Workload
	Policy   policy.ServerPolicy
	// Misbehave, unless nil, is what the server does wrong on each connection of the
	// protocols that it is of.
	Misbehave *misbehave.Kind
	// Certificates are for TLS and QUIC, as package authority makes
	// or loads them; a server of cleartext needs none.
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
	// several goroutines at once; see Log. A server waits for it.
	Log func(accesslog.Entry)

	// Capacity is how many connections the server takes, what becomes of the rest, and how long
	// a request takes of its cores. Its Backlog is the listeners'; see package linger/origin/listen.
	Capacity policy.Capacity
	// Full, where set, is called the first time that one has to wait until another has ended.
	Full func()
	// Short, where set, is called when a connection cannot be accepted for want of file
	// descriptors or memory, and then again each ShortEvery while that lasts. Those that
	// are not accepted wait in the kernel's backlog.
	Short func(err error)
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
	Refused  int64 // connections among them that were closed at once, for want of room
	Open     int64 // connections, now
	Requests int64 // heads read in full, and what was refused in their place; queries of DNS
	// Datagrams are those requests that came by UDP and belong to no connection.
	Datagrams int64
}

// Add counts what another server has done, too.
func (c *Counters) Add(other Counters) {
	c.Accepted += other.Accepted
	c.Refused += other.Refused
	c.Open += other.Open
	c.Requests += other.Requests
	c.Datagrams += other.Datagrams
}

// A Server serves one site on the listeners given to Serve, ServeTLS, ServeQUIC and those of
// DNS, ServeDNS, ServeDNSStream, ServeDoT and ServeDoQ, with one policy, one log and one count
// of connections for all.
type Server struct {
	config    Config
	site      *site.Site
	maxTarget int
	start     time.Time // Instant 0
	date      atomic.Pointer[dateStamp]

	accepted, refused, requests, datagrams atomic.Int64

	gate *gate.Gate
	down chan struct{} // closed when the server goes down
	stop chan struct{} // closed when it waits for nobody any more

	serving   sync.WaitGroup // calls of Serve
	mu        sync.Mutex
	listeners map[io.Closer]struct{}
	conns     map[int64]carried // by the tickets of the gate
	short     linger.Instant    // when Config.Short was called last
}

// carried is a connection of any protocol that the server carries.
type carried interface {
	leave(why string) // for a reason of the server's: close when idle, accept no more
	cut(why string)   // end at once
}

// New returns a server, or an error for a workload that cannot be served and
// limits that are none.
func New(config Config) (*Server, error) {
	if err := config.Capacity.Validate(); err != nil {
		return nil, err
	}
	if config.MaxHeader < 0 || config.MaxRequestBody < 0 || config.Stall < 0 || config.Linger < 0 || config.Cache < 0 || config.MaxStreams < 0 {
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
	if !head.IsFieldValue([]byte(config.AltSvc)) {
		return nil, fmt.Errorf("Alt-Svc: %q cannot stand in a head", config.AltSvc)
	}
	pages, err := site.New(config.Workload, config.Origin, config.Cache)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config:    config,
		site:      pages,
		maxTarget: minTarget,
		start:     time.Now(),
		down:      make(chan struct{}),
		stop:      make(chan struct{}),
		listeners: map[io.Closer]struct{}{},
		conns:     map[int64]carried{},
	}
	s.gate = gate.New(config.Capacity, s.giveWay, config.Full)
	for _, e := range config.Workload.Exchanges {
		s.maxTarget = max(s.maxTarget, len(e.Path))
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
	return s.accept(ctx, ln, service{}, s.serve)
}

// ServeTLS is as Serve, over TLS 1.3 and 1.2: HTTP/2 where the client offers it
// (RFC 7301), else HTTP/1.
func (s *Server) ServeTLS(ctx context.Context, ln net.Listener) error {
	return s.accept(ctx, ln, service{offers: []linger.Protocol{linger.H2, linger.HTTP11}}, s.serve)
}

// A service is what is served on a listener.
type service struct {
	// offers are the protocols that a client may choose from in the handshake of TLS; none,
	// and all is cleartext.
	offers []linger.Protocol
	// names says that it is names that are looked up.
	names bool
}

// check says what the service needs and the server is without.
func (v service) check(s *Server) error {
	switch {
	case v.names && !s.site.HasNames():
		return errNoNames
	case len(v.offers) > 0 && len(s.config.Certificates) == 0:
		return errNoCertificate
	}
	return nil
}

// tls is the configuration of the service's handshakes; nil is cleartext.
func (v service) tls(certificates []tls.Certificate) *tls.Config {
	if len(v.offers) == 0 {
		return nil
	}
	var tokens []string
	for _, p := range v.offers {
		tokens = append(tokens, p.ALPN())
	}
	return tlsConfig(certificates, tokens...)
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

func (s *Server) accept(ctx context.Context, ln net.Listener, v service, serve func(net.Conn, int64)) error {
	e, err := s.entrance(ln)
	if err != nil {
		ln.Close()
		return fmt.Errorf("cannot look into the accept queue of %v: %w", ln.Addr(), err)
	}
	defer e.Close()
	if err := v.check(s); err != nil {
		return err
	}
	secure := v.tls(s.config.Certificates)
	leave, err := s.enter(ctx, e)
	if err != nil {
		return err
	}
	defer leave()
	var conns sync.WaitGroup
	defer conns.Wait()

	wait := minBackoff
	for {
		nc, ticket, refused, err := e.next()
		switch {
		case err == nil && refused:
			s.refuse(nc)
		case err == nil:
			wait = minBackoff
			if secure != nil {
				nc = secured{tls.Server(nc, secure)}
			}
			conns.Go(func() {
				defer s.gate.Leave(ticket)
				serve(nc, ticket)
			})
		case s.isDown():
			return nil
		case exhausted(err):
			select {
			case <-time.After(wait):
			case <-s.down:
			}
			s.tellShort(err) // those that were accepted are counted by now
			wait = min(2*wait, maxBackoff)
		default:
			s.abort()
			return fmt.Errorf("cannot accept connections on %v: %w", ln.Addr(), err)
		}
	}
}

// An entrance is a listener whose connections enter by the server's gate.
type entrance struct {
	net.Listener
	gate  *gate.Gate
	queue *listen.Queue // nil where nobody has to wait, or it cannot be looked into
}

func (s *Server) entrance(ln net.Listener) (entrance, error) {
	e := entrance{Listener: ln, gate: s.gate}
	var err error
	if s.gate.Limited() {
		e.queue, err = listen.QueueOf(ln)
	}
	return e, err
}

// next takes the next connection when there is room for it. Until then it lies in the accept
// queue, or is held, where that queue cannot be looked into.
func (e entrance) next() (nc net.Conn, ticket int64, refused bool, err error) {
	if e.queue == nil {
		if nc, err = e.Accept(); err == nil {
			if ticket, refused, err = e.gate.Enter(nil); err != nil {
				nc.Close()
			}
		}
		return nc, ticket, refused, err
	}
	if ticket, refused, err = e.gate.Enter(e.queue.Wait); err != nil {
		return nil, 0, false, err
	}
	if nc, err = e.Accept(); err != nil && !refused {
		e.gate.Leave(ticket)
	}
	return nc, ticket, refused, err
}

// Close has nobody come in any more.
func (e entrance) Close() error {
	err := e.Listener.Close()
	if e.queue != nil {
		err = errors.Join(err, e.queue.Close())
	}
	return err
}

// refuse closes a connection for which there is no room.
func (s *Server) refuse(nc net.Conn) {
	s.refused.Add(1)
	c := newConn(s, nc, 0)
	c.end(trace.AtServer, policy.ReasonRefused)
	nc.Close()
	c.logClosed(0)
}

// Bounds of the pause after a connection that could not be accepted for want of
// memory or file descriptors.
const (
	minBackoff = 5 * time.Millisecond
	maxBackoff = time.Second
)

// ShortEvery is how often Config.Short is called, at most.
const ShortEvery = 5 * time.Second

// tellShort tells that nothing more could be accepted, but for a client that went away.
func (s *Server) tellShort(err error) {
	if s.config.Short == nil || errors.Is(err, syscall.ECONNABORTED) {
		return
	}
	s.mu.Lock()
	now := max(1, s.now())
	due := s.short == 0 || now.Sub(s.short) >= ShortEvery
	if due {
		s.short = now
	}
	s.mu.Unlock()
	if due {
		s.config.Short(err)
	}
}

// exhausted reports whether a later accept may succeed.
func exhausted(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// serve carries one connection from accept to close.
func (s *Server) serve(nc net.Conn, ticket int64) {
	c := newConn(s, nc, ticket)
	protocol, ok := s.begin(c)
	if !ok {
		return
	}
	if protocol != linger.H2 && c.serve() {
		s.drop(ticket)
		return
	}
	s.continueAs(c, newH2(c))
}

// begin performs the handshake of a connection, and returns the protocol that was agreed
// upon, which may be none. Where it fails, the connection has ended.
func (s *Server) begin(c *conn) (protocol linger.Protocol, ok bool) {
	if !s.carry(c.ticket, c) {
		bare(c.nc).Close()
		return "", false
	}
	if protocol, ok = c.handshake(); !ok {
		s.drop(c.ticket)
	}
	return protocol, ok
}

// A protocolConn is a connection whose protocol is known; serve carries it to its end.
type protocolConn interface {
	carried
	serve()
}

// continueAs carries on a connection whose protocol has turned out to be that of d.
func (s *Server) continueAs(c *conn, d protocolConn) {
	s.carry(c.ticket, d)
	if why := c.asked.Load(); why != nil {
		d.leave(*why)
	}
	d.serve()
	s.drop(c.ticket)
}

// serveQUICConn carries a connection of QUIC from its beginning to its end.
func (s *Server) serveQUICConn(c protocolConn, ticket int64) {
	if !s.carry(ticket, c) {
		c.cut(policy.ReasonShutdown)
		return
	}
	c.serve()
	s.drop(ticket)
}

// carry adds a connection to those that may have to leave, in the place of what it was until
// now, if it was one. A new one is not added where the server goes down.
func (s *Server) carry(ticket int64, c carried) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[ticket] == nil && s.isDown() {
		return false
	}
	s.conns[ticket] = c
	if s.gate.Former(ticket) {
		c.cut(policy.ReasonRestart) // it came before, and was not there to be ended
	}
	return true
}

func (s *Server) drop(ticket int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, ticket)
}

// giveWay has the connection of a ticket leave for another.
func (s *Server) giveWay(ticket int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.conns[ticket]; c != nil {
		c.leave(policy.ReasonGaveWay)
		s.lookMeanwhile(ticket)
	}
}

// lookEvery is how soon a server that is full sees that one connection more waits.
const lookEvery = time.Millisecond

// lookMeanwhile has the gate look at the accept queue until the connection of a ticket has left:
// nothing tells of another that comes to those that wait there, for which one more may give way.
func (s *Server) lookMeanwhile(ticket int64) {
	time.AfterFunc(lookEvery, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.conns[ticket] != nil {
			s.gate.Look()
			s.lookMeanwhile(ticket)
		}
	})
}

// Restart ends all connections at once, whatever is under way on them, and takes new ones: as a
// process that dies, in whose place another listens on the same sockets. What the kernel was given
// goes out; it closes by FIN, or by RST where a request has not been read. Those in the accept
// queue are the new one's. Sessions of TLS can be resumed as before.
func (s *Server) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.cut(policy.ReasonRestart)
	}
	s.gate.Renew()
}

// Load returns what the server is at.
func (s *Server) Load() gate.Load { return s.gate.Load(s.now()) }

// Shutdown stops accepting, closes idle connections, lets requests under way be answered,
// announcing the close by Connection: close or GOAWAY, and waits until every connection has
// ended. Where ctx ends first, it cuts the rest off and says how many that were.
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
	s.gate.Close()
	for _, c := range s.conns {
		c.leave(policy.ReasonShutdown)
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
	for _, c := range s.conns {
		c.cut(cutOff)
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
	return Counters{Accepted: s.accepted.Load(), Refused: s.refused.Load(), Open: int64(len(s.conns)), Requests: s.requests.Load(), Datagrams: s.datagrams.Load()}
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
