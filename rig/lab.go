package rig

import (
	"context"
	"math/rand/v2"
	"time"

	"linger"
	"linger/lab"
	"linger/live"
	"linger/policy"
	"linger/rig/far"
	"linger/rig/host"
	"linger/run"
	"linger/trace"
)

// A Lab is the engine that measures on an emulated network: each trial has a lab of its own, with
// fresh hosts that remember nothing of the trial before.
type Lab struct {
	// Version is this program's, which requests and files name.
	Version string
	Policy  policy.ServerPolicy
	// Keep says what besides its trace is kept of a trial; nil keeps nothing. What
	// could not be kept is told to Lost: the trial is good without it.
	Keep func(s linger.Scenario, trial int) Artifacts
	Lost func(error)
	// Pace is the least time between two exchanges that the client begins to want.
	Pace time.Duration
	// Witness, if any, is told what the origin of each trial has seen.
	Witness func(linger.Scenario, *trace.Trace, host.OriginSeen)
	// Partial has a trial that is interrupted say what it has so far.
	Partial bool
	// Own, if any, is what serves in the place of our own origin; a trial then has a path of
	// its own, and the server is the one of the trial before. Mute knows by which strategies
	// nothing comes from it. Visited, if any, has the client visit the page, and is told what that
	// found.
	Own     *far.Own
	Mute    *Mute
	Visited func(*live.Page)
}

// Run implements run.Engine.
func (e Lab) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	if err := e.Mute.Asked(s.Strategy); err != nil {
		return nil, err
	}
	t, err := e.run(ctx, s, trial)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err() // whatever else broke, broke of it
	}
	if err == nil {
		e.Mute.hear(s.Strategy, t, nil)
	}
	return t, err
}

func (e Lab) run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	stopped := ctx
	if e.Partial {
		ctx = context.WithoutCancel(ctx)
	} else {
		var cancel context.CancelFunc
		ctx, cancel = outliving(ctx, lastWords)
		defer cancel()
	}
	var keep Artifacts
	if e.Keep != nil {
		keep = e.Keep(s, trial)
	}
	servers, _ := far.Place(s.Workload)
	config := labConfig(s, trial, servers)
	if err := keep.prepare(&config); err != nil {
		return nil, err
	}
	defer keep.discard()
	side, err := e.open(ctx, s, config, servers)
	if err != nil {
		return nil, err
	}
	defer side.Abandon()
	l := side.Lab()
	// A program takes as long to start as the servers take to make ready.
	client, err := host.StartClient(l, s.Strategy)
	if err != nil {
		return nil, err
	}
	defer client.Abandon()
	if err := side.Ready(); err != nil {
		return nil, err
	}
	ready, err := l.Report(ctx)
	if err != nil {
		return nil, err
	}
	order := host.ClientOrder{Scenario: s, Agent: Agent(e.Version), Pace: e.Pace, Secrets: keep.secrets(), Qlog: keep.Qlog != ""}
	side.Lead(&order)
	order.Visit = e.Visited != nil
	run.Begin(stopped)
	said, err := client.Run(stopped, side.Pins(), order)
	if err != nil {
		return nil, err
	}
	fetched := s.Workload
	if e.Visited != nil {
		fetched = said.Page.Workload
		e.Visited(said.Page)
	}
	if said.Trace.Interrupted && !e.Partial { // it says what it has until then, and nothing is to be settled
		t := said.Trace
		t.Engine, t.Trial = "lab", trial
		return t, nil
	}
	trip := s.Network.RTT + far.ExtraRTT(servers)
	patience := Settling(trip)
	if said.Trace.Interrupted {
		patience = min(patience, trip) // it is not whole in any case
	}
	seen, err := Settle(ctx, l, trip, patience)
	if err != nil {
		return nil, err
	}
	answered, err := side.Finish(ctx)
	if err != nil {
		return nil, err
	}
	t := e.complete(said.Trace, s, trial, seen, side.Spent(ready, seen))
	if e.Witness != nil {
		e.Witness(s, t, answered)
	}
	// The capture is whole once the path is gone.
	if err := keep.Write(said, fetched, e.Version, side.Close(ctx)); err != nil && e.Lost != nil {
		e.Lost(err)
	}
	return t, nil
}

// complete adds to a client's trace what the lab has seen of the trial, and what the servers have
// spent on it.
func (e Lab) complete(t *trace.Trace, s linger.Scenario, trial int, seen lab.Report, origin trace.Host) *trace.Trace {
	t.Engine, t.Trial = "lab", trial
	// What an earlier visit fetched, tickets and cookies, is not part of the load.
	t.Ledger = linger.Known(seen.Ledger.Since(t.Began))
	near := seen.Hosts[host.Client]
	near.CPU = t.Client.Or(trace.Host{}).CPU
	if s.Strategy.EarlyData || s.Strategy.FastOpen {
		// The earlier visit is in what the hosts have spent, and cannot be told apart
		// there: it is left out rather than blamed on the load.
		near, origin = trace.Host{CPU: near.CPU}, trace.Host{}
	}
	t.Client = linger.Known(near)
	if origin.CPU > 0 {
		t.Server = linger.Known(origin)
	}
	return t
}

// open puts up the lab of a trial with its servers.
func (e Lab) open(ctx context.Context, s linger.Scenario, c lab.Config, servers []far.Server) (far.Side, error) {
	if e.Own != nil {
		return e.Own.Open(ctx, c, e.Visited == nil)
	}
	return far.Open(ctx, c, servers, s, imposed(e.Policy, s.Strategy))
}

// lastWords is how long a client that has run out of time may take to say what it has.
const lastWords = 2 * time.Second

// outliving returns a context that ends so long after ctx has run out of time, and with it
// if it is canceled.
func outliving(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() {
		if !run.IsLate(ctx) {
			cancel()
			return
		}
		select {
		case <-time.After(grace):
			cancel()
		case <-out.Done():
		}
	})
	return out, func() { unwatch(); cancel() }
}

// Settling is how long a side is waited for that does not close: a few round trips and
// retransmissions.
func Settling(rtt time.Duration) time.Duration { return 8*rtt + 3*time.Second }

// Settle waits until every connection is closed at both ends, so that the last
// FIN and its acknowledgement are in the ledger and TIME_WAIT stands where it was
// left, and returns what the lab has seen by then. A side that does not close is
// not waited for longer than patience.
func Settle(ctx context.Context, l *lab.Lab, rtt, patience time.Duration) (lab.Report, error) {
	deadline := time.Now().Add(patience)
	for {
		r, err := l.Report(ctx)
		if err != nil {
			return r, err
		}
		open := 0
		for _, h := range r.Hosts {
			open += h.SocketsLeft
		}
		if open == 0 || time.Now().After(deadline) {
			return r, nil
		}
		select {
		case <-time.After(min(20*time.Millisecond, rtt/4+time.Millisecond)):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// labConfig is a lab with one client and the servers on the scenario's network: the
// client's access link, which all of them share, each with its own path behind it.
func labConfig(s linger.Scenario, trial int, servers []far.Server) lab.Config {
	c := lab.Config{
		Network: s.Network,
		// Trials of one number lose the same places in the order of packets, whatever
		// the strategy; trials of different numbers do not.
		Seed:    rand.NewPCG(s.Seed, uint64(trial)).Uint64(),
		Scratch: host.ScratchOf(s.Strategy),
		Hosts:   []lab.HostConfig{{Name: host.Client, Side: lab.Client}},
	}
	for _, s := range servers {
		c.Hosts = append(c.Hosts, lab.HostConfig{Name: s.Name, Side: lab.Server, Delay: s.Delay, Aliases: s.Aliases})
	}
	return c
}

// captureLimit bounds one capture; a gallery is 0.7 MB on the wire.
const captureLimit = 1 << 30
