// Package live is the engine that measures: it fetches a workload over real sockets, by the
// strategy that it is given, and stamps what happens when it happens.
//
// [Run] fetches what a scenario says, [Visit] the page at a URL with what it names; both return a
// trace, in which what failed stands with its reason. [RunCrowd] has many clients do it, several
// times each, and returns what became of each page. A [Config] says where the server is and
// what else requests say. Which request goes on which connection is decided in package policy,
// whose machine one goroutine drives here: it hears events and hands out requests. It knows what
// is asked for by the interface application alone (HTTP, DNS), and what carries that by the
// interface protocol alone (HTTP/1 and HTTP/2 over TCP, HTTP/3 over QUIC; DNS over UDP, TCP, TLS
// and QUIC).
package live

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"linger"
	"linger/ask"
	"linger/dial"
	"linger/page"
	"linger/policy"
	"linger/trace"
)

// Config is what a run needs beside its scenario.
type Config struct {
	// Address is what is dialled: host:port. A name is looked up once, before the
	// run begins; its addresses are tried in order, those of IPv4 first.
	Address string
	// Host is the Host field; empty is Address, without the port if that is the
	// scheme's own: 80, or 443.
	Host string
	// ServerName is the name that the server's certificate must bear, and that the
	// handshake asks for; empty is Host without the port.
	ServerName string
	// Roots are the authorities that may vouch for the server; nil are the system's.
	// Insecure takes any certificate, as curl's -k does.
	Roots    *x509.CertPool
	Insecure bool
	// Certificates are what the client shows of itself where a server asks for that.
	Certificates []tls.Certificate
	// Route says where connections to Address, or to those of Places, really go.
	Route dial.Route
	// Places are where each of the workload's origins is, in their order, and take the
	// place of Address, Host and ServerName, which are for a workload of one. Each has
	// connections of its own, also where two have one address and one certificate:
	// HTTP/2 and HTTP/3 are not coalesced (RFC 9113, 9.1.1; RFC 9114, 3.3).
	Places []Place
	// KeyLog receives the secrets of each TLS handshake, in the format of
	// SSLKEYLOGFILE; nil keeps them. Writes come one at a time.
	KeyLog io.Writer
	// Path is where a server of DNS over HTTPS is asked; empty is "/dns-query".
	Path string
	// Message is what requests say besides.
	Message ask.Message
	// Limits bound each wait; the zero value is policy.DefaultLimits.
	Limits policy.Limits
	// Verify holds each response against the workload: status, length, and the
	// body by its CRC-32C, which is made before the run begins. Without it, what comes complete is delivered.
	Verify bool
	// Statuses holds each response's status against the workload where nothing else of
	// it is verified: what the sizes are is the server's affair.
	Statuses bool
	// Encoding is the coding of contents that the client asks for (RFC 9110, 12.5.3),
	// "gzip"; empty is none. Contents are counted as they come, coded.
	Encoding string
	// MaxBody is the longest body that is read where the workload does not say how
	// long it is; 0 is linger.MaxBody.
	MaxBody int64
	// Congestion selects the congestion control of the dialling sockets, "cubic"
	// for one; empty leaves the system's. On Linux only.
	Congestion string
	// Qlog gives what the qlog of an HTTP/3 connection, named by its number in the
	// trace, is written to; it is closed before Run returns. A nil Qlog, or a nil
	// writer, writes none. Called from several goroutines.
	Qlog func(conn int) io.WriteCloser
	// Local is the address of this machine's that connections come from; the zero Addr leaves
	// that to the system.
	Local netip.Addr
	// Dial replaces the dialling of Address; a Congestion is then its own affair.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// A Place is where an origin is: see the fields of that name of a Config.
type Place struct{ Address, Host, ServerName string }

// Run fetches the scenario's workload and returns what happened. The path is the
// one there is: the scenario's network is noted and not made.
//
// An exchange that fails stands in the trace with its reason; the error is about
// a run that could not begin. When ctx ends before the run, the trace holds what
// was done until then and says Interrupted. Nothing of the run outlives Run.
func Run(ctx context.Context, s linger.Scenario, c Config) (*trace.Trace, error) {
	if err := s.Workload.Validate(); err != nil {
		return nil, err
	}
	r, err := newRun(ctx, s, c)
	if err != nil {
		return nil, err
	}
	if err := r.fetch(ctx); err != nil {
		return nil, err
	}
	return r.trace, nil
}

// A run owns the policy's machine and the trace; its connections send it events.
type run struct {
	application application
	scenario    linger.Scenario
	config      Config
	places      []Place         // of the workload's origins, by back end where there are several
	speakers    []protocol      // to each of them
	speaks      linger.Protocol // its name in the trace
	foreign     map[int]foreign
	page        *page.Visit // nil where the workload is all there is
	member      *member     // of a crowd; nil is none

	machine *policy.Client
	trace   *trace.Trace
	conns   []*conn        // by number; nil is one that is over, of a member of a crowd
	stirred []*conn        // with something staged
	latest  linger.Instant // of what has been handled: connections overtake each other
	loaded  bool
	spent   linger.Opt[time.Duration] // CPU time when the run began

	ctx    context.Context // ends with the run
	events chan event
	quit   chan struct{} // closed when nobody receives events any more
	wg     sync.WaitGroup
}

// complete returns the Config of a scenario with what it leaves open.
func (c Config) complete(s linger.Scenario) Config {
	c.Path = cmp.Or(c.Path, ask.DefaultPath)
	c.MaxBody = cmp.Or(c.MaxBody, linger.MaxBody)
	c.Message.Agent = cmp.Or(c.Message.Agent, "linger")
	if c.Host == "" {
		c.Host = c.Address
		standard := strconv.Itoa(s.Strategy.Port(s.Workload.Scheme))
		if host, port, err := net.SplitHostPort(c.Address); err == nil && port == standard {
			c.Host = host
		}
	}
	if len(c.Places) == 0 {
		c.Places = []Place{{Address: c.Address, Host: c.Host, ServerName: c.ServerName}}
	}
	return c
}

func newRun(ctx context.Context, s linger.Scenario, c Config) (*run, error) {
	c, app, err := c.complete(s).fit(s)
	if err != nil {
		return nil, err
	}
	if len(c.Places) != s.Workload.OriginCount() {
		return nil, misplaced(s.Workload, len(c.Places))
	}
	return assemble(ctx, s, c, app, policy.NewClient(s.Workload, s.Strategy, c.Limits))
}

// misplaced says that so many places are not one for each origin of a workload.
func misplaced(w linger.Workload, places int) error {
	return fmt.Errorf("workload %q has %d origins, and %d places are given; name the address of each", w.Name, w.OriginCount(), places)
}

// fit returns a complete Config with the limits of what a scenario asks for, and that; or why it
// cannot be run.
func (c Config) fit(s linger.Scenario) (Config, application, error) {
	if err := s.Strategy.Fits(s.Workload.Scheme); err != nil {
		return c, nil, err
	}
	if _, ok := protocols[s.Strategy.Protocol()]; !ok {
		return c, nil, fmt.Errorf("strategy %q: %s is not spoken here", s.Strategy.Name, s.Strategy.Speaks())
	}
	app := newApplication(s, c)
	for _, e := range s.Workload.Exchanges {
		if err := app.check(e); err != nil {
			return c, nil, err
		}
	}
	if pace := c.Limits.Pace; c.Limits == (policy.Limits{Pace: pace}) {
		c.Limits = app.limits()
		c.Limits.Pace = pace
	}
	return c, app, nil
}

// assemble returns the run of a machine, with what speaks to each place of the Config.
func assemble(ctx context.Context, s linger.Scenario, c Config, app application, machine *policy.Client) (*run, error) {
	r := &run{
		scenario:    s,
		config:      c,
		application: app,
		machine:     machine,
		foreign:     map[int]foreign{},
		trace: &trace.Trace{
			Provenance: trace.Measured,
			Engine:     "live",
			Workload:   s.Workload.Name,
			Strategy:   s.Strategy.Name,
			Network:    s.Network,
			Seed:       s.Seed,
		},
		speaks: s.Strategy.Protocol(),
		places: c.Places,
		events: make(chan event, 256),
		quit:   make(chan struct{}),
	}
	for _, p := range r.places {
		to := c
		to.Address, to.Host, to.ServerName = p.Address, p.Host, p.ServerName
		speaker, err := protocols[r.speaks](ctx, r, to)
		if err != nil {
			return nil, err
		}
		r.speakers = append(r.speakers, speaker)
	}
	return r, nil
}

// protocols says what speaks each protocol.
var protocols = map[linger.Protocol]func(context.Context, *run, Config) (protocol, error){
	linger.HTTP10:       newTCP,
	linger.HTTP11:       newTCP,
	linger.H2:           newTCP,
	linger.H3:           newH3,
	linger.DNSOverUDP:   newDNSUDP,
	linger.DNSOverTCP:   newDNSStream,
	linger.DNSOverTLS:   newDNSStream,
	linger.DNSOverHTTPS: newTCP,
	linger.DNSOverHTTP3: newH3,
	linger.DNSOverQUIC:  newDoQ,
}

// now is the time since the run began. It may be asked from any goroutine.
func (r *run) now() linger.Instant { return linger.Instant(time.Since(r.trace.Began)) }

// tell hands an event to the owner of the run, or to nobody when the run is over.
func (r *run) tell(e event) {
	select {
	case r.events <- e:
	case <-r.quit:
	}
}

// fetch does the whole run in the calling goroutine, which owns all its state.
func (r *run) fetch(ctx context.Context) error {
	defer r.release()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	r.spent = cpu()
	r.trace.Began = time.Now()
	r.drive(ctx)
	for _, c := range r.conns {
		if c.epilogue != nil {
			c.epilogue(&c.record)
		}
		r.trace.Connections = append(r.trace.Connections, c.record)
	}
	r.trace.Retries = r.machine.Retries()
	for i := range r.trace.Exchanges {
		r.trace.Exchanges[i].Queued = r.machine.Wanted(i).Or(r.trace.Ended)
	}
	return nil
}

// prepare makes the visits that the strategy presupposes.
func (r *run) prepare(ctx context.Context) error {
	for _, p := range r.speakers {
		if err := p.visit(ctx); err != nil {
			return err
		}
	}
	for _, e := range r.scenario.Workload.Exchanges {
		r.expect(e)
	}
	return nil
}

// release frees what the connections had in common.
func (r *run) release() {
	for _, p := range r.speakers {
		p.release()
	}
}

// drive does what the machine says from the beginning to the end, or until ctx ends. Nothing of
// the connections is left when it returns.
func (r *run) drive(ctx context.Context) {
	// Connections end by command alone, so that an interruption is one thing that
	// happens, and not many failures.
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithCancel(context.WithoutCancel(ctx))
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	armed := linger.Never

	r.machine.HandleStart(0)
	r.obey(0)
	for !r.machine.Finished() && !r.trace.Interrupted {
		// A deadline that moves away leaves the timer be: waking early does no harm.
		if next := r.machine.NextTimeout(); next < armed {
			armed = next
			timer.Reset(next.Sub(r.now()))
		}
		select {
		case e := <-r.events:
			r.handle(e)
			r.obey(e.at)
		case <-timer.C:
			now := r.now()
			armed = linger.Never
			r.machine.HandleTimeout(now)
			r.obey(now)
		case <-ctx.Done():
			r.interrupt()
		}
	}
	cancel()
	for _, c := range r.conns {
		if c != nil {
			c.close(false)
		}
	}
	close(r.quit)
	r.wg.Wait()
}

// expect adds an exchange to the trace.
func (r *run) expect(e linger.Exchange) {
	x := trace.Exchange{ID: len(r.trace.Exchanges), Connection: -1}
	x.Method, x.URL = r.application.describe(e, r.places[e.Origin].Host)
	r.trace.Exchanges = append(r.trace.Exchanges, x)
}

// A foreign is what was taken for no answer to a query.
type foreign struct {
	datagrams int
	reason    string // of the last
}

// handle notes what happened and tells the machine.
func (r *run) handle(e event) {
	c := r.conns[e.conn]
	if c == nil {
		return
	}
	if e.kind == sent {
		if !e.again {
			c.record.Requests++
		}
		r.trace.Exchanges[e.exchange].Attempts++
	}
	if c.gone {
		return
	}
	if e.about != nil {
		e.about(&c.record)
	}
	switch e.kind {
	case established, early, connected, streams, goaway, limited, dialFailed:
		r.handleConnection(c, &c.record, e)
	case ignored, truncated, found:
		r.handleAside(c, e)
	default:
		r.handleExchange(c, e)
	}
}

// handleConnection takes what concerns the connection as a whole, but for its end.
func (r *run) handleConnection(c *conn, k *trace.Connection, e event) {
	switch e.kind {
	case established:
		r.machine.HandleEstablished(c.id)
	case early:
		k.Connected = linger.Known(e.at)
		r.machine.HandleEarly(e.at, c.id)
	case connected:
		if k.Connected.IsZero() {
			k.Connected = linger.Known(e.at)
		}
		r.machine.HandleConnected(e.at, c.id)
	case streams:
		if n := int64(e.streams); n < math.MaxInt32 {
			k.Streams = linger.Known(min(n, k.Streams.Or(n)))
		}
		r.machine.HandleStreams(e.at, c.id, e.streams)
	case goaway:
		if k.ClosedBy == trace.Nobody {
			k.ClosedBy = trace.AtServer // who closes after GOAWAY does what was asked
		}
		r.machine.HandleGoAway(e.at, c.id, e.refused, e.reason)
	case dialFailed:
		c.gone = true
		k.Closed, k.ClosedBy, k.Reason = linger.Known(e.at), e.by, e.reason
		r.over(c)
		r.machine.HandleDialFailed(e.at, c.id, e.reason)
	case limited:
		r.machine.HandleIdleLimit(e.at, c.id, e.limit)
	}
}

// handleAside takes what comes beside a response.
func (r *run) handleAside(c *conn, e event) {
	switch e.kind {
	case ignored:
		f := r.foreign[e.exchange]
		r.foreign[e.exchange] = foreign{f.datagrams + 1, e.reason}
	case truncated:
		r.trace.Exchanges[e.exchange].Truncated = true
		r.machine.HandleTruncated(e.at, c.id, e.exchange)
	case found:
		if e.reference.Redirect {
			r.trace.Exchanges[e.exchange].Redirect = linger.WithoutUser(e.reference.URL)
		}
		if x, ok := r.page.Add(e.exchange, e.reference); ok {
			r.expect(x)
			r.machine.Add(e.at, x)
		}
	}
}

// handleExchange takes what becomes of an exchange, the end of its connection included.
func (r *run) handleExchange(c *conn, e event) {
	// One that has been sent elsewhere meanwhile is told of from there.
	if e.exchange >= 0 && r.trace.Exchanges[e.exchange].Connection == int64(c.id) {
		x := &r.trace.Exchanges[e.exchange]
		before := x.ResponseBody
		r.note(x, e)
		if r.member != nil {
			r.member.receive(x.ResponseBody-before, e.at)
		}
	}
	switch e.kind {
	case sent, uploaded:
		// The content of a request of an earlier page may still leave after its answer came.
		if !r.trace.Exchanges[e.exchange].Sent.IsZero() {
			r.machine.HandleSent(e.at, c.id, e.exchange)
		}
	case begun, arrived:
		r.machine.HandleBody(e.at, c.id, e.exchange, e.body)
	case done:
		if e.reason != "" {
			r.machine.HandleRejected(e.at, c.id, e.exchange, e.persists, e.reason)
		} else {
			c.add(e.body)
			if r.member != nil {
				r.member.answer(c, e)
			}
			r.machine.HandleResponse(e.at, c.id, e.exchange, e.persists)
		}
	case refused:
		r.machine.HandleRefused(e.at, c.id)
	case rejected, reset:
		r.machine.HandleReset(e.at, c.id, e.exchange, e.kind == rejected, e.reason)
	case closed:
		c.record.ClosedBy = e.by
		c.broken = e.cause == policy.Malformed
		r.machine.HandleClosed(e.at, c.id, e.cause, e.reason)
	}
}

// note writes an event into the trace of its exchange.
func (r *run) note(x *trace.Exchange, e event) {
	switch e.kind {
	case sent:
		if !e.again {
			x.Sent, x.RequestHead = linger.Known(e.at), e.head
		}
	case uploaded:
		x.RequestBody, x.RequestHead = e.body, max(x.RequestHead, e.head)
	case begun:
		x.FirstByte, x.Status, x.ResponseHead = linger.Known(e.at), e.status, e.head
	case arrived:
		x.ResponseBody = e.body
	default:
		x.Status, x.ResponseHead, x.ResponseBody = e.status, e.head, e.body
		if e.kind == done {
			if x.Rcode = e.rcode; x.FirstByte.IsZero() {
				x.FirstByte = linger.Known(e.at) // a message is read whole
			}
			x.Done, x.ContentType = linger.Known(e.at), e.content
			if r.page != nil {
				r.page.Learn(e.exchange, e.status, e.content, e.head, e.body)
			}
		}
	}
}

// obey does what the machine commands after something that happened at now.
func (r *run) obey(now linger.Instant) {
	r.attend()
	for cmd, ok := r.machine.Poll(); ok; cmd, ok = r.machine.Poll() {
		switch cmd.Kind {
		case policy.Dial:
			c := newConn(r, cmd.Conn, r.placeOf(cmd.Origin), cmd.Stream)
			r.conns = append(r.conns, c)
			c.record = trace.Connection{ID: int64(c.id), Protocol: r.speaks, Dialled: r.now()}
			if len(r.places) > 1 {
				c.record.Origin = c.host()
			}
			if c.stream {
				c.record.Protocol = linger.DNSOverTCP // an answer that did not fit
			}
			r.wg.Go(func() { r.speakers[c.place].speak(c) })
		case policy.Send:
			c := r.conns[cmd.Conn]
			x := &r.trace.Exchanges[cmd.Exchange]
			if !cmd.Again {
				*x = trace.Exchange{ID: x.ID, Method: x.Method, URL: x.URL, Connection: int64(c.id), Attempts: x.Attempts, Truncated: x.Truncated}
			}
			if len(c.staged) == 0 {
				r.stirred = append(r.stirred, c)
			}
			c.staged = append(c.staged, r.request(c, cmd))
		case policy.Close:
			r.close(r.conns[cmd.Conn], cmd.Reason)
		case policy.Fail:
			if r.member == nil { // of a member, the machine tells with the visit
				r.trace.Exchanges[cmd.Exchange].Failed = cmd.Reason + r.foreign[cmd.Exchange].note()
			}
		}
	}
	for _, c := range r.stirred {
		c.flush()
	}
	r.stirred = r.stirred[:0]
	r.latest = max(r.latest, now)
	if !r.loaded && r.machine.Loaded() {
		r.end(r.latest)
	}
}

// request returns what a command has sent on c.
func (r *run) request(c *conn, cmd policy.Command) request {
	q := request{again: cmd.Again}
	q.Index, q.Last, q.Encoding = cmd.Exchange, cmd.Last, r.config.Encoding
	if r.page != nil {
		q.visited = true
		q.Exchange, q.search = r.page.Exchange(cmd.Exchange)
	} else {
		q.Exchange = r.scenario.Workload.Exchanges[cmd.Exchange]
	}
	return r.application.prepare(q, c.stream)
}

// note tells in a reason what had come that was not the answer.
func (f foreign) note() string {
	if f.datagrams == 0 {
		return ""
	}
	what := "a datagram came that is none"
	if f.datagrams > 1 {
		what = fmt.Sprintf("%d datagrams came that are none", f.datagrams)
	}
	return "; " + what + ": " + f.reason
}

// close lets go of a connection, and notes that it was us unless the server came first.
func (r *run) close(c *conn, reason string) {
	if c == nil || c.gone {
		return
	}
	c.gone = true
	c.close(c.broken || r.trace.Interrupted)
	k := &c.record
	k.Closed, k.Reason = linger.Known(r.now()), reason
	if k.ClosedBy == trace.Nobody {
		k.ClosedBy = trace.AtClient
	}
	r.over(c)
}

// end closes the books: the last exchange was settled at now.
func (r *run) end(now linger.Instant) {
	r.loaded = true
	r.trace.Ended = now
	if before, ok := r.spent.Get(); ok {
		if after, ok := cpu().Get(); ok {
			r.trace.Client = linger.Known(trace.Host{CPU: after - before})
		}
	}
}

// interrupt gives up what is not settled.
func (r *run) interrupt() {
	r.trace.Interrupted = true
	for i := range r.trace.Exchanges {
		x := &r.trace.Exchanges[i]
		if _, ok := x.Done.Get(); !ok && x.Failed == "" {
			x.Failed = trace.Stopped
		}
	}
	for _, c := range r.conns {
		r.close(c, "interrupted")
	}
	if !r.loaded {
		r.end(r.now())
	}
}
