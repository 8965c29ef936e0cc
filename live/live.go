// Package live is the engine that measures: it fetches a workload over real
// sockets, by the strategy that it is given, and stamps what happens when it
// happens. Which request goes on which connection is decided in package policy.
package live

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// Config is what a run needs beside its scenario.
type Config struct {
	// Address is what is dialled: host:port. A name is looked up once, before the
	// run begins; its addresses are tried in order, those of IPv4 first.
	Address string
	// Host is the Host field; empty is Address, without the port if that is 80.
	Host string
	// Agent is the product that calls itself the client; empty is "linger".
	Agent string
	// Limits bound each wait; the zero value is policy.DefaultLimits.
	Limits policy.Limits
	// Verify holds each response against the workload: status, length, and the
	// body by its CRC-32C, which is made before the run begins. Without it, what comes complete is delivered.
	Verify bool
	// MaxBody is the longest body that is read where the workload does not say how
	// long it is; 0 is linger.MaxBody.
	MaxBody int64
	// Congestion selects the congestion control of the dialling sockets, "cubic"
	// for one; empty leaves the system's. On Linux only.
	Congestion string
	// Dial replaces the dialling of Address; a Congestion is then its own affair.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

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
	r.fetch(ctx)
	return r.trace, nil
}

// A run owns the policy's machine and the trace; its connections send it events.
type run struct {
	scenario linger.Scenario
	config   Config
	dial     func(context.Context) (net.Conn, error)
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
	if c.Limits == (policy.Limits{}) {
		c.Limits = policy.DefaultLimits
	}
	if c.MaxBody == 0 {
		c.MaxBody = linger.MaxBody
	}
	if c.Agent == "" {
		c.Agent = "linger"
	}
	if c.Host == "" {
		c.Host = c.Address
		if host, port, err := net.SplitHostPort(c.Address); err == nil && port == "80" {
			c.Host = host
		}
	}
	dial, err := c.dialer(ctx)
	if err != nil {
		return nil, err
	}
	var sums []uint32
	if c.Verify {
		for i := range s.Workload.Exchanges {
			sums = append(sums, s.Workload.Sum(i))
		}
	}
	return &run{
		scenario: s,
		config:   c,
		dial:     dial,
		sums:     sums,
		machine:  policy.NewClient(s.Workload, s.Strategy, c.Limits),
		trace: &trace.Trace{
			Provenance: trace.Measured,
			Engine:     "live",
			Workload:   s.Workload.Name,
			Strategy:   s.Strategy.Name,
			Network:    s.Network,
			Seed:       s.Seed,
		},
		events: make(chan event, 256),
		quit:   make(chan struct{}),
	}, nil
}

// dialer returns what opens a connection to the configured address.
func (c Config) dialer(ctx context.Context) (func(context.Context) (net.Conn, error), error) {
	if c.Dial != nil {
		return func(ctx context.Context) (net.Conn, error) { return c.Dial(ctx, "tcp", c.Address) }, nil
	}
	host, service, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, fmt.Errorf("address %q: write host:port", c.Address)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("address %q: the port is a number from 1 to 65535", c.Address)
	}
	hosts, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("cannot find %s: %s; check the name", host, brief(cause(err)))
	}
	slices.SortStableFunc(hosts, func(a, b netip.Addr) int {
		return a.Unmap().BitLen() - b.Unmap().BitLen()
	})
	// Probes of TCP's own keep-alive would be packets that no strategy asked for.
	// TCP_NODELAY is on, as Go sets it.
	d := net.Dialer{KeepAlive: -1}
	if c.Congestion != "" {
		if err := tryCongestion(c.Congestion); err != nil {
			return nil, err
		}
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			var failed error
			if err := raw.Control(func(fd uintptr) { failed = setCongestion(fd, c.Congestion) }); err != nil {
				return err
			}
			return failed
		}
	}
	return func(ctx context.Context) (socket net.Conn, err error) {
		for _, host := range hosts {
			socket, err = d.DialContext(ctx, "tcp", netip.AddrPortFrom(host.Unmap(), uint16(port)).String())
			if err == nil || ctx.Err() != nil {
				break
			}
		}
		return socket, err
	}, nil
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
func (r *run) fetch(ctx context.Context) {
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
	r.trace.Retries = r.machine.Retries()
	for i := range r.trace.Exchanges {
		r.trace.Exchanges[i].Queued = r.machine.Wanted(i).Or(r.trace.Ended)
	}
}

// expect adds an exchange to the trace.
func (r *run) expect(e linger.Exchange) {
	r.trace.Exchanges = append(r.trace.Exchanges, trace.Exchange{
		ID: len(r.trace.Exchanges), Method: e.Method, URL: "http://" + r.config.Host + e.Path, Connection: -1,
	})
}

// handle notes what happened and tells the machine.
func (r *run) handle(e event) {
	c := r.conns[e.conn]
	if e.kind == sent {
		r.trace.Connections[c.id].Requests++
		r.trace.Exchanges[e.exchange].Attempts++
	}
	if c.gone {
		return
	}
	k := &r.trace.Connections[c.id]
	switch e.kind {
	case connected:
		k.Connected = linger.Known(e.at)
		k.Local, k.Remote = c.socket.LocalAddr().String(), c.socket.RemoteAddr().String()
		r.machine.HandleConnected(e.at, c.id)
		return
	case dialFailed:
		c.gone = true
		k.Closed, k.ClosedBy, k.Reason = linger.Known(e.at), e.by, e.reason
		r.machine.HandleDialFailed(e.at, c.id, e.reason)
		return
	case found:
		if e.document {
			r.trace.Exchanges[e.exchange].Redirect = e.url
		}
		r.page.add(r, e)
		return
	}
	if e.exchange >= 0 {
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
	case closed:
		k.ClosedBy = e.by
		r.machine.HandleClosed(e.at, c.id, e.cause, e.reason)
	}
}

// note writes an event into the trace of its exchange.
func (r *run) note(x *trace.Exchange, e event) {
	switch e.kind {
	case sent:
		x.Sent, x.RequestHead = linger.Known(e.at), e.head
	case uploaded:
		x.RequestBody = e.body
	case begun:
		x.FirstByte = linger.Known(e.at)
	case arrived:
		x.ResponseBody = e.body
	default:
		x.Status, x.ResponseHead, x.ResponseBody = e.status, e.head, e.body
		if e.kind == done {
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
			c := newConn(r, cmd.Conn)
			r.conns = append(r.conns, c)
			r.trace.Connections = append(r.trace.Connections, trace.Connection{ID: c.id, Dialled: r.now()})
			r.wg.Go(c.open)
		case policy.Send:
			c := r.conns[cmd.Conn]
			x := &r.trace.Exchanges[cmd.Exchange]
			*x = trace.Exchange{ID: x.ID, Method: x.Method, URL: x.URL, Connection: c.id, Attempts: x.Attempts}
			if len(c.staged) == 0 {
				r.stirred = append(r.stirred, c)
			}
			c.staged = append(c.staged, request{
				Exchange: r.exchange(cmd.Exchange),
				index:    cmd.Exchange,
				last:     cmd.Last,
				document: r.page != nil && r.page.documents[cmd.Exchange],
			})
		case policy.Close:
			r.close(r.conns[cmd.Conn], cmd.Reason)
		case policy.Fail:
			r.trace.Exchanges[cmd.Exchange].Failed = cmd.Reason
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
			x.Failed = "interrupted"
		}
	}
	for _, c := range r.conns {
		r.close(c, "interrupted")
	}
	if !r.loaded {
		r.end(r.now())
	}
}
