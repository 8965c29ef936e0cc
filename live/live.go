// Package live is the engine that measures: it fetches a workload over real
// sockets, by the strategy that it is given, and stamps what happens when it
// happens. Which request goes on which connection is decided in package policy.
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
	"net/url"
	"strconv"
	"sync"
	"time"

	"linger"
	"linger/dns"
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
	Route Route
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
	Message Message
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
	scenario linger.Scenario
	config   Config
	places   []Place    // of the workload's origins
	speakers []protocol // to each of them
	speaks   string     // its name in the trace
	id       uint16     // of the next query of DNS on a connection that wants one
	foreign  map[int]foreign
	sums     []uint32 // of the workload's bodies; nil where none are verified
	page     *visit   // nil where the workload is all there is

	machine *policy.Client
	trace   *trace.Trace
	conns   []*conn        // by number
	stirred []*conn        // with something staged
	latest  linger.Instant // of what has been handled: connections overtake each other
	loaded  bool
	spent   linger.Opt[time.Duration] // CPU time when the run began

	ctx    context.Context // ends with the run
	events chan event
	quit   chan struct{} // closed when nobody receives events any more
	wg     sync.WaitGroup
}

func newRun(ctx context.Context, s linger.Scenario, c Config) (*run, error) {
	if c.Limits == (policy.Limits{Pace: c.Limits.Pace}) {
		pace := c.Limits.Pace
		if c.Limits = policy.DefaultLimits; s.Strategy.DNS != "" {
			c.Limits = policy.DNSLimits
		}
		c.Limits.Pace = pace
	}
	c.Path = cmp.Or(c.Path, defaultPath)
	if c.MaxBody == 0 {
		c.MaxBody = linger.MaxBody
	}
	c.Message.Agent = cmp.Or(c.Message.Agent, "linger")
	if c.Host == "" {
		c.Host = c.Address
		standard := defaultPort(s.Workload.Scheme)
		if s.Strategy.DNS != "" {
			standard = strconv.Itoa(linger.PortOf(s.Strategy.DNS))
		}
		if host, port, err := net.SplitHostPort(c.Address); err == nil && port == standard {
			c.Host = host
		}
	}
	if err := s.Strategy.Fits(s.Workload.Scheme); err != nil {
		return nil, err
	}
	speaks, ok := protocols[spoken{s.Strategy.DNS, s.Strategy.Version}]
	if !ok {
		return nil, fmt.Errorf("strategy %q: %s is not spoken here", s.Strategy.Name, s.Strategy.Speaks())
	}
	for _, e := range s.Workload.Exchanges {
		if !e.IsQuery() {
			break
		}
		if _, err := dns.Ask(e.Query, dns.Options{}); err != nil {
			return nil, err
		}
	}
	var sums []uint32
	if c.Verify && s.Strategy.DNS == "" {
		for i := range s.Workload.Exchanges {
			sums = append(sums, s.Workload.Sum(i))
		}
	}
	r := &run{
		scenario: s,
		config:   c,
		sums:     sums,
		machine:  policy.NewClient(s.Workload, s.Strategy, c.Limits),
		foreign:  map[int]foreign{},
		trace: &trace.Trace{
			Provenance: trace.Measured,
			Engine:     "live",
			Workload:   s.Workload.Name,
			Strategy:   s.Strategy.Name,
			Network:    s.Network,
			Seed:       s.Seed,
		},
		speaks: speaks.name,
		id:     anyID(),
		events: make(chan event, 256),
		quit:   make(chan struct{}),
	}
	r.places = c.Places
	if len(r.places) == 0 {
		r.places = []Place{{Address: c.Address, Host: c.Host, ServerName: c.ServerName}}
	}
	if len(r.places) != s.Workload.OriginCount() {
		return nil, fmt.Errorf("workload %q has %d origins, and %d places are given; name the address of each", s.Workload.Name, s.Workload.OriginCount(), len(r.places))
	}
	for _, p := range r.places {
		to := c
		to.Address, to.Host, to.ServerName = p.Address, p.Host, p.ServerName
		speaker, err := speaks.open(ctx, r, to)
		if err != nil {
			return nil, err
		}
		r.speakers = append(r.speakers, speaker)
	}
	return r, nil
}

// protocols says what speaks as a strategy wants it, and under which name it stands in
// the trace.
var protocols = map[spoken]struct {
	name string
	open func(context.Context, *run, Config) (protocol, error)
}{
	{"", "1.0"}:             {"http/1.0", newTCP},
	{"", "1.1"}:             {"http/1.1", newTCP},
	{"", "2"}:               {"h2", newTCP},
	{"", "3"}:               {"h3", newH3},
	{linger.OverUDP, ""}:    {"udp", newDNSUDP},
	{linger.OverTCP, ""}:    {overTCP, newDNSStream},
	{linger.OverTLS, ""}:    {"dot", newDNSStream},
	{linger.OverHTTPS, "2"}: {"doh", newTCP},
	{linger.OverHTTPS, "3"}: {"doh3", newH3},
	{linger.OverQUIC, ""}:   {"doq", newDoQ},
}

// spoken is what a strategy carries DNS over, and its version of HTTP.
type spoken struct{ dns, version string }

// overTCP is the name of DNS over TCP, also where it takes the place of UDP.
const overTCP = "tcp"

// defaultPort is the port of a URL that names none.
func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
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
	for _, p := range r.speakers {
		defer p.release()
	}
	for _, p := range r.speakers {
		if err := p.visit(ctx); err != nil {
			return err
		}
	}
	// Connections end by command alone, so that an interruption is one thing that
	// happens, and not many failures.
	var cancel context.CancelFunc
	r.ctx, cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, e := range r.scenario.Workload.Exchanges {
		r.expect(e)
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	armed := linger.Never

	r.spent = cpu()
	r.trace.Began = time.Now()
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
		c.close()
	}
	close(r.quit)
	r.wg.Wait()
	for _, c := range r.conns {
		if c.epilogue != nil {
			c.epilogue(&r.trace.Connections[c.id])
		}
	}
	r.trace.Retries = r.machine.Retries()
	for i := range r.trace.Exchanges {
		r.trace.Exchanges[i].Queued = r.machine.Wanted(i).Or(r.trace.Ended)
	}
	return nil
}

// expect adds an exchange to the trace.
func (r *run) expect(e linger.Exchange) {
	x := trace.Exchange{ID: len(r.trace.Exchanges), Method: e.Method, URL: r.scheme() + "://" + r.places[e.Origin].Host + e.Path, Connection: -1}
	if e.IsQuery() {
		x.Method = e.Query.Type
		x.URL = fmt.Sprintf("dns://%s/%s?type=%s", r.config.Host, url.PathEscape(e.Query.Name), e.Query.Type)
	}
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
	if e.kind == sent {
		if !e.again {
			r.trace.Connections[c.id].Requests++
		}
		r.trace.Exchanges[e.exchange].Attempts++
	}
	if c.gone {
		return
	}
	k := &r.trace.Connections[c.id]
	if e.about != nil {
		e.about(k)
	}
	switch e.kind {
	case established:
		r.machine.HandleEstablished(c.id)
		return
	case early:
		k.Connected = linger.Known(e.at)
		r.machine.HandleEarly(e.at, c.id)
		return
	case connected:
		if k.Connected.IsZero() {
			k.Connected = linger.Known(e.at)
		}
		r.machine.HandleConnected(e.at, c.id)
		return
	case streams:
		if n := int64(e.streams); n < math.MaxInt32 {
			k.Streams = linger.Known(min(n, k.Streams.Or(n)))
		}
		r.machine.HandleStreams(e.at, c.id, e.streams)
		return
	case goaway:
		if k.ClosedBy == trace.Nobody {
			k.ClosedBy = trace.AtServer // who closes after a goodbye does what was asked
		}
		r.machine.HandleGoAway(e.at, c.id, e.refused, e.reason)
		return
	case dialFailed:
		c.gone = true
		k.Closed, k.ClosedBy, k.Reason = linger.Known(e.at), e.by, e.reason
		r.machine.HandleDialFailed(e.at, c.id, e.reason)
		return
	case limited:
		r.machine.HandleIdleLimit(e.at, c.id, e.limit)
		return
	case ignored:
		f := r.foreign[e.exchange]
		r.foreign[e.exchange] = foreign{f.datagrams + 1, e.reason}
		return
	case truncated:
		r.trace.Exchanges[e.exchange].Truncated = true
		r.machine.HandleTruncated(e.at, c.id, e.exchange)
		return
	case found:
		if e.redirect {
			r.trace.Exchanges[e.exchange].Redirect = e.url
		}
		r.page.add(r, e)
		return
	}
	// One that has been sent elsewhere meanwhile is told of from there.
	if e.exchange >= 0 && r.trace.Exchanges[e.exchange].Connection == int64(c.id) {
		r.note(&r.trace.Exchanges[e.exchange], e)
	}
	switch e.kind {
	case sent, uploaded:
		r.machine.HandleSent(e.at, c.id, e.exchange)
	case begun, arrived:
		r.machine.HandleBody(e.at, c.id, e.exchange, e.body)
	case done:
		if e.reason != "" {
			r.machine.HandleRejected(e.at, c.id, e.exchange, e.persists, e.reason)
		} else {
			r.machine.HandleResponse(e.at, c.id, e.exchange, e.persists)
		}
	case refused:
		r.machine.HandleRefused(e.at, c.id)
	case rejected, reset:
		r.machine.HandleReset(e.at, c.id, e.exchange, e.kind == rejected, e.reason)
	case closed:
		k.ClosedBy = e.by
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
			if x.Rcode = e.rcode; r.scenario.Strategy.DNS != "" && x.FirstByte.IsZero() {
				x.FirstByte = linger.Known(e.at) // a message is read whole
			}
			x.Done, x.ContentType = linger.Known(e.at), e.content
			if r.page != nil {
				r.page.learn(e)
			}
		}
	}
}

// obey does what the machine commands after something that happened at now.
func (r *run) obey(now linger.Instant) {
	for cmd, ok := r.machine.Poll(); ok; cmd, ok = r.machine.Poll() {
		switch cmd.Kind {
		case policy.Dial:
			c := newConn(r, cmd.Conn, cmd.Origin, cmd.Stream)
			r.conns = append(r.conns, c)
			k := trace.Connection{ID: int64(c.id), Protocol: r.speaks, Dialled: r.now()}
			if len(r.places) > 1 {
				k.Origin = r.places[c.origin].Host
			}
			if c.stream {
				k.Protocol = overTCP
			}
			r.trace.Connections = append(r.trace.Connections, k)
			r.wg.Go(func() { r.speakers[c.origin].speak(c) })
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
			r.trace.Exchanges[cmd.Exchange].Failed = cmd.Reason + r.foreign[cmd.Exchange].note()
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
	q := request{
		Exchange: r.exchange(cmd.Exchange),
		index:    cmd.Exchange,
		last:     cmd.Last,
		again:    cmd.Again,
		encoding: r.config.Encoding,
	}
	if r.page != nil {
		q.visited, q.search = true, r.page.objects[cmd.Exchange].search
	}
	if !q.IsQuery() {
		return q
	}
	if q.again {
		q.query = c.asked
		return q
	}
	s := r.scenario.Strategy
	over, id := s.DNS, uint16(0)
	if c.stream {
		over = linger.OverTCP
	}
	if over != linger.OverHTTPS && over != linger.OverQUIC {
		id = r.id
		r.id++
	}
	if over == linger.OverUDP {
		id = anyID()
	}
	// That it can be asked was seen before the run began.
	q.query, _ = r.ask(q.Query, over, id)
	c.asked = q.query
	if over == linger.OverHTTPS {
		q.Exchange = q.query.overHTTP(q.Exchange, r.config.Path, s.Get)
	}
	return q
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

// exchange returns one of the workload, or one that was found on the way.
func (r *run) exchange(i int) linger.Exchange {
	if r.page != nil {
		return r.page.workload.Exchanges[i]
	}
	return r.scenario.Workload.Exchanges[i]
}

// close lets go of a connection, and notes that it was us unless the server came first.
func (r *run) close(c *conn, reason string) {
	if c.gone {
		return
	}
	c.gone = true
	c.close()
	k := &r.trace.Connections[c.id]
	k.Closed, k.Reason = linger.Known(r.now()), reason
	if k.ClosedBy == trace.Nobody {
		k.ClosedBy = trace.AtClient
	}
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
