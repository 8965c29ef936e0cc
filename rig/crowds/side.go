package crowds

import (
	"cmp"
	"context"

	"linger"
	"linger/lab"
	"linger/live"
	"linger/rig/far"
	"linger/rig/host"
	"linger/trace"
)

// A side is what serves in one run: this program's own origins, or a server of the user's own.
type side interface {
	lab() *lab.Lab
	// lead says in the clients' order where the servers are, once these accept connections.
	lead(*host.CrowdOrder) error
	restart() // of the first server
	// finish says what each server has seen, once the clients have ended; one that is not ours
	// tells nothing.
	finish(context.Context) ([]host.OriginSeen, error)
	// spent is what all servers have used between two reports, and what each.
	spent(ready, seen lab.Report) (trace.Host, []trace.Host)
	close(context.Context) error
	// abandon ends what is not closed.
	abandon()
}

// open puts up the lab of a run with its servers.
func (e Lab) open(ctx context.Context, s linger.Scenario, c linger.Crowd, config lab.Config) (side, error) {
	if e.Own != nil {
		side, err := e.Own.Open(ctx, config, true)
		if err != nil {
			return nil, far.Status(err)
		}
		return own{side}, nil
	}
	l, err := lab.Open(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, err
	}
	servers := backends(c)
	running, err := far.StartOrigins(l, servers, host.OriginOrder{Workload: s.Workload, Policy: e.Policy, Capacity: e.Capacity, Watch: every(c)})
	if err != nil {
		l.Close()
		return nil, err
	}
	return origins{running, l, servers, s}, nil
}

// origins are this program's own.
type origins struct {
	running  *far.Origins
	on       *lab.Lab
	servers  []far.Server
	scenario linger.Scenario
}

func (o origins) lab() *lab.Lab { return o.on }

func (o origins) lead(order *host.CrowdOrder) error {
	if err := o.running.Ready(); err != nil {
		return err
	}
	order.Authority = o.running.Authorities()
	for _, server := range o.servers {
		order.Servers = append(order.Servers, placesOf(o.on, o.scenario, server))
	}
	return nil
}

// placesOf says where clients find the workload's one origin on a server.
func placesOf(l *lab.Lab, s linger.Scenario, server far.Server) []live.Place {
	places := far.Places(l, s.Workload, []far.Server{server}, s.Strategy.Port(s.Workload.Scheme))
	for i := range places {
		places[i].ServerName = cmp.Or(places[i].ServerName, server.Name)
	}
	return places
}

func (o origins) restart() { o.running.Restart(0) }

func (o origins) finish(context.Context) ([]host.OriginSeen, error) { return o.running.FinishEach() }

func (o origins) spent(ready, seen lab.Report) (trace.Host, []trace.Host) {
	var each []trace.Host
	for i, s := range o.servers { // which were started in this order, before any other command
		h := seen.Hosts[s.Name]
		h.CPU = seen.Commands[i].CPU - ready.Commands[i].CPU
		each = append(each, h)
	}
	return far.Spent(o.servers, ready, seen), each
}

func (o origins) close(context.Context) error { return nil } // it has been of use, and is abandoned

func (o origins) abandon() {
	o.running.Abandon()
	o.on.Close()
}

// An own is a server of the user's own.
type own struct{ far far.Side }

func (o own) lab() *lab.Lab { return o.far.Lab() }

func (o own) lead(order *host.CrowdOrder) error {
	var one host.ClientOrder
	o.far.Lead(&one)
	order.Own = one.Own
	return o.far.Ready()
}

func (o own) restart() {} // there is no way to

func (o own) finish(ctx context.Context) ([]host.OriginSeen, error) {
	seen, err := o.far.Finish(ctx)
	return []host.OriginSeen{seen}, err
}

func (o own) spent(ready, seen lab.Report) (trace.Host, []trace.Host) {
	h := o.far.Spent(ready, seen)
	return h, []trace.Host{h}
}

func (o own) close(ctx context.Context) error { return o.far.Close(ctx) }

func (o own) abandon() { o.far.Abandon() }
