// Package far is what serves at the far end of a lab's path: this program's own origins, a server
// of the user's own, or relays to servers outside. It places them on hosts, starts them, says
// where a client finds them and whom it may trust, and what they have used at the end.
//
// A trial has one Side: Open puts up a lab with origins, Own.Open takes one with the user's own
// server. Then, in this order: Ready, Lead and Pins for the client's order, Finish once the client
// has ended, Spent, Close. Abandon may come at any time, and does nothing after Close.
package far

import (
	"context"

	"linger"
	"linger/lab"
	"linger/policy"
	"linger/rig/host"
	"linger/trace"
)

// A Side is what serves in one trial.
type Side interface {
	// Lab is the one that it is on.
	Lab() *lab.Lab
	// Ready waits until connections are accepted.
	Ready() error
	// Lead says in the client's order where the servers are, and what they are trusted by.
	Lead(*host.ClientOrder)
	Pins() []string // see host.OriginReady
	// Finish says what the servers have seen, once the client has ended.
	Finish(context.Context) (host.OriginSeen, error)
	// Spent is what they have used between two reports.
	Spent(ready, seen lab.Report) trace.Host
	// Close ends the path; captures of it are whole afterwards.
	Close(context.Context) error
	// Abandon ends everything that is not closed.
	Abandon()
}

// Open puts up a lab with this program's own origins on its servers, which treat connections as
// the policy says.
func Open(ctx context.Context, c lab.Config, servers []Server, s linger.Scenario, p policy.ServerPolicy) (Side, error) {
	l, err := lab.Open(ctx, c) // stopped, it ends at once and with it everything
	if err != nil {
		return nil, err
	}
	running, err := StartOrigins(l, servers, host.OriginOrder{Workload: s.Workload, Policy: p})
	if err != nil {
		l.Close()
		return nil, err
	}
	return originSide{running, l, servers, s}, nil
}

// An originSide is our own origin, on one host or several.
type originSide struct {
	*Origins
	lab      *lab.Lab
	servers  []Server
	scenario linger.Scenario
}

func (o originSide) Lab() *lab.Lab { return o.lab }

func (o originSide) Lead(order *host.ClientOrder) {
	port := o.scenario.Strategy.Port(o.scenario.Workload.Scheme)
	order.Places = Places(o.lab, o.scenario.Workload, o.servers, port)
	order.Authority = o.Authorities()
}

func (o originSide) Finish(context.Context) (host.OriginSeen, error) { return o.Origins.Finish() }

func (o originSide) Spent(ready, seen lab.Report) trace.Host { return Spent(o.servers, ready, seen) }

func (o originSide) Close(context.Context) error { return o.lab.Close() }

func (o originSide) Abandon() {
	o.Origins.Abandon()
	o.lab.Close()
}
