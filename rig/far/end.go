package far

import (
	"context"
	"errors"

	"linger"
	"linger/lab"
	"linger/policy"
	"linger/relay"
	"linger/rig/host"
	"linger/service"
	"linger/trace"
)

// An End is what a program of the user's own finds at the far end of a lab's path.
type End interface {
	// Configure has the lab have what the end needs.
	Configure(*lab.Config)
	// Servers are the hosts of the lab that it takes.
	Servers() []Server
	// Start has it serve over a network. It returns what there is to say of it, and settings,
	// "NAME=value", for the environment of programs that use it; nil is none.
	Start(ctx context.Context, l *lab.Lab, n linger.Network) (note string, settings []string, err error)
	// Finish ends it, once the lab has seen everything, and returns what it has seen itself.
	Finish(ctx context.Context, seen lab.Report) (Ended, error)
	// Abandon ends it, if it is not ended.
	Abandon()
}

// An Ended is what an end has seen until it was ended.
type Ended struct {
	// Requests are those on each connection, by the client's IP:port; nil is that nobody
	// read them.
	Requests map[string]int
	// Host is what the servers have used that are on hosts of the lab.
	Host linger.Opt[trace.Host]
	// Relays have each carried connections on to a target.
	Relays []Carried
	// Failed is how the user's own server ended by itself, nil where it did not.
	Failed *service.Failed
}

// A Carried is what was carried to a target.
type Carried struct {
	Target Target
	Seen   relay.Seen
}

// Serving is this program's own origins, which treat connections as the policy says, and have room
// for as many as each one's capacity says.
type Serving struct {
	Workload linger.Workload
	Policy   policy.ServerPolicy
	Capacity policy.Capacity
	// Authority is a file that the authority's certificate is written to; empty is none.
	Authority string
	// Env is the environment of programs that are to trust the origins.
	Env func(string) string

	servers []Server
	origins *Origins
	trust   Trust
}

// Configure implements End.
func (e *Serving) Configure(*lab.Config) {}

// Servers implements End.
func (e *Serving) Servers() []Server {
	if e.servers == nil {
		e.servers, _ = Place(e.Workload)
	}
	return e.servers
}

// Start implements End.
func (e *Serving) Start(_ context.Context, l *lab.Lab, _ linger.Network) (note string, settings []string, err error) {
	if e.origins, err = StartOrigins(l, e.Servers(), host.OriginOrder{Workload: e.Workload, Policy: e.Policy, Capacity: e.Capacity}); err != nil {
		return "", nil, err
	}
	if err := e.origins.Ready(); err != nil {
		return "", nil, err
	}
	e.trust, err = NewTrust(e.origins.Authorities(), e.Authority, e.Env)
	return e.trust.Note(), e.trust.Settings(), err
}

// Finish implements End.
func (e *Serving) Finish(_ context.Context, seen lab.Report) (Ended, error) {
	said, err := e.origins.Finish()
	return Ended{Requests: said.Carried, Host: linger.Known(Spent(e.Servers(), seen, seen))}, err
}

// Abandon implements End.
func (e *Serving) Abandon() {
	if e.origins != nil {
		e.origins.Abandon()
	}
	e.trust.Discard()
}

// Reaching is servers outside, by relays.
type Reaching struct {
	Targets []Target

	relays Relays
}

// Configure implements End.
func (e *Reaching) Configure(*lab.Config) {}

// Servers implements End.
func (e *Reaching) Servers() []Server { return ServersTo(e.Targets) }

// Start implements End.
func (e *Reaching) Start(_ context.Context, l *lab.Lab, n linger.Network) (note string, settings []string, err error) {
	e.relays, err = StartRelays(l, e.Targets, n)
	return "", nil, err
}

// Finish implements End.
func (e *Reaching) Finish(context.Context, lab.Report) (out Ended, err error) {
	e.relays.Close()
	for i, r := range e.relays {
		out.Relays = append(out.Relays, Carried{e.Targets[i], r.Seen()})
	}
	return out, nil
}

// Abandon implements End.
func (e *Reaching) Abandon() { e.relays.Close() }

// Starting is a server of the user's own that a command starts.
type Starting struct {
	Command string

	service *service.Service
	before  lab.Report // when it listened
}

// Configure implements End.
func (e *Starting) Configure(c *lab.Config) { countProcesses(c) }

// Servers implements End.
func (e *Starting) Servers() []Server { return []Server{{Name: host.Origin}} }

// Start implements End. An error of the server wraps a service.Failed.
func (e *Starting) Start(ctx context.Context, l *lab.Lab, _ linger.Network) (note string, settings []string, err error) {
	if e.service, err = service.Start(ctx, l, service.Config{Command: e.Command, Host: host.Origin}); err != nil {
		return "", nil, Status(err)
	}
	e.before, err = l.Report(ctx)
	return Listening(e.service.Ports()), nil, err
}

// Finish implements End.
func (e *Starting) Finish(ctx context.Context, seen lab.Report) (out Ended, err error) {
	out.Failed, _ = errors.AsType[*service.Failed](e.service.Dead(context.WithoutCancel(ctx)))
	out.Host = linger.Known(spentByProcesses(e.before, seen))
	e.service.Stop()
	return out, nil
}

// Abandon implements End.
func (e *Starting) Abandon() {
	if e.service != nil {
		e.service.Stop()
	}
}
