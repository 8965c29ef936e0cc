package crowds

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"linger"
	"linger/lab"
	"linger/policy"
	"linger/rig"
	"linger/rig/far"
	"linger/rig/host"
	"linger/trace"
)

// A Lab is the engine that measures on an emulated network: each run has a lab of its own, with one
// host that is all clients, and one for each server.
type Lab struct {
	Version  string // this program's, which requests name
	Policy   policy.ServerPolicy
	Capacity policy.Capacity
	Longest  time.Duration // after which a run is stopped
	// Own, if any, is what serves in the place of our own origins.
	Own *far.Own
}

func (c Comparison) lab() Lab { return Lab{c.Version, c.Policy, c.Capacity, c.longest(), c.Own} }

// Run implements Engine.
func (e Lab) Run(ctx context.Context, s linger.Scenario, c linger.Crowd, trial int) (*trace.Crowd, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	stopped := ctx // of which the clients hear; what they have until then is told
	ctx = context.WithoutCancel(ctx)
	servers := backends(c)
	side, err := e.open(stopped, s, c, labConfig(s, c, trial, servers))
	if err != nil {
		return nil, err
	}
	defer side.abandon()
	l := side.lab()
	clients, err := host.StartCrowd(l, host.Client)
	if err != nil {
		return nil, err
	}
	defer clients.Abandon()
	order := host.CrowdOrder{
		Scenario: s, Crowd: c, Trial: trial, Locals: l.Addrs(host.Client),
		Agent: rig.Agent(e.Version), Bound: linger.Bound{Longest: e.Longest},
	}
	if err := side.lead(&order); err != nil {
		return nil, err
	}
	ready, err := l.Report(ctx)
	if err != nil {
		return nil, err
	}
	var restart *time.Timer
	record, err := clients.Run(stopped, order, func(began time.Time) {
		if c.RestartAt > 0 {
			restart = time.AfterFunc(time.Until(began.Add(c.RestartAt)), side.restart)
		}
	})
	if restart != nil {
		restart.Stop()
	}
	if err != nil {
		return nil, err
	}
	patience := rig.Settling(s.Network.RTT)
	if record.Interrupted {
		patience = s.Network.RTT // it is not whole in any case
	}
	seen, err := rig.Settle(ctx, l, s.Network.RTT, patience)
	if err != nil {
		return nil, err
	}
	series, err := l.Series(ctx)
	if err != nil {
		return nil, err
	}
	said, err := side.finish(ctx)
	if err != nil {
		return nil, err
	}
	record.Engine = "lab"
	spent(record, side, ready, seen)
	join(record, s, said, series)
	return record, side.close(ctx)
}

// backends are the hosts of a crowd's servers, the one that is added last.
func backends(c linger.Crowd) []far.Server {
	out := make([]far.Server, c.Servers())
	for i := range out {
		out[i] = far.Server{Name: host.Origin, Origins: []int{0}}
		if i > 0 {
			out[i].Name += fmt.Sprint(i + 1)
		}
	}
	return out
}

// labConfig is a lab with all clients on one host, each with an address of its own.
func labConfig(s linger.Scenario, c linger.Crowd, trial int, servers []far.Server) lab.Config {
	config := lab.Config{
		Network: s.Network,
		Own:     !c.Shared,
		// Trials of one number lose the same places in the order of packets, whatever the
		// strategy; trials of different numbers do not.
		Seed:        rand.NewPCG(s.Seed, uint64(trial)).Uint64(),
		Hosts:       []lab.HostConfig{{Name: host.Client, Side: lab.Client, Addresses: c.Clients}},
		SeriesEvery: every(c),
		PipesOnly:   true,
	}
	for _, server := range servers {
		config.Hosts = append(config.Hosts, lab.HostConfig{Name: server.Name, Side: lab.Server})
	}
	return config
}

// Between two samples there is at least, and at most so much.
const (
	leastEvery = 20 * time.Millisecond
	mostEvery  = 200 * time.Millisecond
)

// every is the time between two samples of a crowd, of which a run is to have some hundreds.
func every(c linger.Crowd) time.Duration {
	return min(max(c.Due()/1000, leastEvery), mostEvery)
}

// spent adds what both sides have spent, and what the path has carried.
func spent(r *trace.Crowd, side side, ready, seen lab.Report) {
	near := seen.Hosts[host.Client]
	near.CPU = r.Client.Or(trace.Host{}).CPU
	r.Client = linger.Known(near)
	all, each := side.spent(ready, seen)
	r.Server, r.Servers = linger.Known(all), each
	r.Up, r.Down = seen.Ledger.Up, seen.Ledger.Down
	r.Lateness = linger.Known(seen.Ledger.Lateness)
	r.Notes = append(r.Notes, seen.Notes...)
}
