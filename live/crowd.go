package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// CrowdConfig is what the run of a crowd needs beside its scenario.
type CrowdConfig struct {
	// Config is how servers are reached, and what is expected of them. Address, Host,
	// ServerName, Places and Local are not of use here, and Qlog is not written.
	Config
	// Servers are the places of the workload's origins at each back end: as many back ends as
	// the crowd has, the one that is added last.
	Servers [][]Place
	// Locals are addresses of this machine's: that of client i is the i-th, of fewer each in
	// its turn. None leaves it to the system.
	Locals []netip.Addr
	// Trial has another one's clients come at other times, and think for others.
	Trial int
	// Bound is where the run is stopped; one without a longest time is stopped a minute after the
	// end of a crowd that has a Duration.
	Bound linger.Bound
	// Begun, unless nil, is called when the run begins, from which its instants are counted.
	Begun func(time.Time)
}

// grace is how long after the end of a crowd its last pages may take.
const grace = time.Minute

// errOverrun is why a run ends at its Bound.
var errOverrun = errors.New("overrun")

// RunCrowd has each client of a crowd load the scenario's workload as Run would, all of them in
// this process, each with connections and a state machine of its own, and returns what became of
// each page and each connection. The path is the one there is.
//
// A page that fails stands in the record with its reason; the error is about a run that could
// not begin. When ctx ends before the run, the record holds what was done until then and says
// Interrupted; at the bound it says Overrun. Nothing of the run outlives RunCrowd.
func RunCrowd(ctx context.Context, s linger.Scenario, plan linger.Crowd, config CrowdConfig) (*trace.Crowd, error) {
	if err := cmp.Or(s.Workload.Validate(), plan.Validate()); err != nil {
		return nil, err
	}
	if len(config.Servers) != plan.Servers() {
		return nil, fmt.Errorf("a crowd of %d servers, and the places of %d are given; name those of each", plan.Servers(), len(config.Servers))
	}
	c := &crowd{plan: plan, config: config,
		balancer: policy.NewBalancer(plan.Balance, max(1, plan.Backends), s.Seed+uint64(config.Trial)),
		record: &trace.Crowd{
			Provenance: trace.Measured,
			Engine:     "live",
			Workload:   s.Workload.Name,
			Strategy:   s.Strategy.Name,
			Network:    s.Network,
			Seed:       s.Seed,
			Trial:      config.Trial,
			Plan:       plan,
		}}
	if len(plan.Mix) > 0 {
		c.record.Strategy = linger.MixName(plan.Mix)
	}
	members, err := c.gather(ctx, s)
	for _, m := range members {
		defer m.release()
	}
	if err == nil {
		err = prepareAll(ctx, members)
	}
	if err != nil {
		return nil, err
	}
	c.run(ctx, members)
	return c.record, nil
}

// A crowd is what its members have in common.
type crowd struct {
	plan   linger.Crowd
	config CrowdConfig
	began  time.Time
	stop   context.CancelCauseFunc

	mu       sync.Mutex
	balancer *policy.Balancer
	added    bool // the back end that is added has been
	underWay int  // pages that are wanted and not done
	record   *trace.Crowd
}

// A member is what the run of one client of a crowd knows of that.
type member struct {
	crowd    *crowd
	client   int
	share    int
	underWay bool             // a page is
	received int64            // bytes of bodies, of that page
	blank    []trace.Exchange // of which nothing is known yet
}

// gather returns the run of each client. What is said of a strategy holds for all of its share.
func (c *crowd) gather(ctx context.Context, s linger.Scenario) ([]*run, error) {
	var scenarios []linger.Scenario
	var configs []Config
	var applications []application
	for _, strategy := range c.plan.Strategies(s) {
		s.Strategy = strategy
		config := c.config.Config
		config.Places, config.Qlog = slices.Concat(c.config.Servers...), nil
		for _, places := range c.config.Servers {
			if len(places) != s.Workload.OriginCount() {
				return nil, misplaced(s.Workload, len(places))
			}
		}
		config, app, err := config.complete(s).fit(s)
		if err != nil {
			return nil, err
		}
		scenarios, configs, applications = append(scenarios, s), append(configs, config), append(applications, app)
	}
	var out []*run
	for _, m := range c.plan.Members(s.Seed, c.config.Trial) {
		s, config, app := scenarios[m.Share], configs[m.Share], applications[m.Share]
		if s.Strategy.DNS != "" {
			app = newApplication(s, config) // which counts its own queries
		}
		if n := len(c.config.Locals); n > 0 {
			config.Local = c.config.Locals[m.Client%n]
		}
		r, err := assemble(ctx, s, config, app, policy.NewMember(s.Workload, s.Strategy, config.Limits, m))
		if err != nil {
			return out, err
		}
		r.member = &member{crowd: c, client: m.Client, share: m.Share}
		out = append(out, r)
	}
	return out, nil
}

// prepareAll makes the visits before the run, of a few clients at once.
func prepareAll(ctx context.Context, members []*run) error {
	const atOnce = 16
	errs := make([]error, len(members))
	var wg sync.WaitGroup
	for first := range min(atOnce, len(members)) {
		wg.Go(func() {
			for i := first; i < len(members); i += atOnce {
				r := members[i]
				if errs[i] = r.prepare(ctx); errs[i] != nil {
					return
				}
				r.member.blank = slices.Clone(r.trace.Exchanges)
			}
		})
	}
	wg.Wait()
	return cmp.Or(errs...)
}

// run has all members come and waits until the last has gone.
func (c *crowd) run(ctx context.Context, members []*run) {
	spent := cpu()
	c.began = time.Now()
	c.record.Began = c.began
	if c.config.Begun != nil {
		c.config.Begun(c.began)
	}
	stopped, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c.stop = stop
	longest := c.config.Bound.Longest
	if longest == 0 && c.plan.Duration > 0 {
		longest = c.plan.Duration + grace
	}
	if longest > 0 {
		defer time.AfterFunc(longest, func() { stop(errOverrun) }).Stop()
	}
	var wg sync.WaitGroup
	for _, r := range members {
		r.trace.Began = c.began
		wg.Go(func() {
			r.drive(stopped)
			r.leave()
		})
	}
	wg.Wait()
	for _, r := range members {
		for _, note := range r.trace.Notes {
			if !slices.Contains(c.record.Notes, note) {
				c.record.Notes = append(c.record.Notes, note)
			}
		}
		if r.trace.Interrupted {
			c.record.Ended = max(c.record.Ended, r.trace.Ended)
			c.record.Overrun = context.Cause(stopped) == errOverrun
			c.record.Interrupted = !c.record.Overrun
		}
	}
	slices.SortFunc(c.record.Visits, func(a, b trace.Visit) int {
		return cmp.Or(cmp.Compare(a.Wanted, b.Wanted), cmp.Compare(a.Client, b.Client))
	})
	slices.SortFunc(c.record.Connections, func(a, b trace.CrowdConnection) int {
		return cmp.Or(cmp.Compare(a.Dialled, b.Dialled), cmp.Compare(a.Client, b.Client))
	})
	if before, ok := spent.Get(); ok {
		if after, ok := cpu().Get(); ok {
			c.record.Client = linger.Known(trace.Host{CPU: after - before})
		}
	}
}

// placeOf returns the place that a new connection to an origin goes to.
func (r *run) placeOf(origin int) int {
	if r.member == nil {
		return origin
	}
	c := r.member.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.plan.AddAt; at > 0 && !c.added && r.now() >= linger.Instant(at) {
		c.added = true
		c.balancer.HandleAdded()
	}
	return c.balancer.HandleOpen(r.member.client)*len(c.config.Servers[0]) + origin
}

// server returns the back end that a connection goes to.
func (c *crowd) server(k *conn) int { return k.place / len(c.config.Servers[0]) }

// over takes a connection of a member of a crowd into the record, and lets go of it.
func (r *run) over(c *conn) {
	if r.member == nil {
		return
	}
	c.close(true) // one that was never established, too, has what is to be freed
	r.conns[c.id] = nil
	k, all := &c.record, r.member.crowd
	server := all.server(c)
	all.mu.Lock()
	defer all.mu.Unlock()
	all.balancer.HandleClosed(server)
	all.record.Connections = append(all.record.Connections, trace.CrowdConnection{
		Client: r.member.client, Server: server, Local: k.Client, Dialled: k.Dialled,
		Established: cmp.Or(k.Established, k.Secured), Closed: k.Closed, ClosedBy: k.ClosedBy, Reason: k.Reason,
		Requests: c.requests, Bytes: c.bytes,
	})
}

// attend takes the pages of a member of a crowd that have ended into the record.
func (r *run) attend() {
	m := r.member
	if m == nil {
		return
	}
	for v, ok := r.machine.PollVisit(); ok; v, ok = r.machine.PollVisit() {
		m.end(v, linger.Known(v.Done))
		m.received = 0
		copy(r.trace.Exchanges, m.blank)
		clear(r.foreign)
	}
	if _, underWay := r.machine.Visit(); underWay != m.underWay {
		m.underWay = underWay
		m.crowd.count(underWay)
	}
}

// receive counts what came of a body.
func (m *member) receive(n int64, at linger.Instant) {
	if n <= 0 {
		return
	}
	m.received += n
	m.crowd.mu.Lock()
	defer m.crowd.mu.Unlock()
	m.crowd.record.Receive(m.share, at, n)
}

// answer counts a response that was what was asked for, on a connection.
func (m *member) answer(c *conn, e event) {
	m.crowd.mu.Lock()
	defer m.crowd.mu.Unlock()
	m.crowd.record.Serve(m.crowd.server(c), e.at)
}

// end takes a page into the record, which has ended or not.
func (m *member) end(v policy.VisitEnded, done linger.Opt[linger.Instant]) {
	c := m.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record.Ended = max(c.record.Ended, done.Or(0))
	c.record.Visits = append(c.record.Visits, trace.Visit{
		Client: m.client, Number: v.Number, Share: m.share, Wanted: v.Wanted, Done: done,
		Failed: v.Failed, Why: v.Why, Requests: v.Requests, Bytes: m.received, Dialled: v.Dialled,
	})
}

// leave takes the page into the record that was under way when the run was stopped.
func (r *run) leave() {
	if v, underWay := r.machine.Visit(); underWay {
		r.member.end(v, linger.Opt[linger.Instant]{})
	}
}

// count counts a page that is under way, or no longer. At the bound it ends the run.
func (c *crowd) count(underWay bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !underWay {
		c.underWay--
		return
	}
	if c.underWay++; c.config.Bound.Pages > 0 && c.underWay > c.config.Bound.Pages {
		c.stop(errOverrun)
	}
}
