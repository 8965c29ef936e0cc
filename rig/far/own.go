package far

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"linger"
	"linger/fault"
	"linger/lab"
	"linger/rig/host"
	"linger/service"
	"linger/trace"
)

// An Own is a server of the user's own in the lab, which a URL leads to.
type Own struct {
	order host.OwnOrder
	pool  *service.Pool

	mu     sync.Mutex
	failed *service.Failed // the last time that it did
	ports  []service.Port
}

// NewOwn returns the server that a command starts and a URL leads to, reached in that way; it is
// started when it is first needed.
func NewOwn(command, target string, reach host.Reach) (*Own, error) {
	o := &Own{order: host.OwnOrder{URL: target, Reach: reach}}
	config, err := o.order.Config()
	if err != nil {
		return nil, fault.Usage("%w", err)
	}
	_, port, err := net.SplitHostPort(config.Address)
	if err != nil {
		return nil, fault.Usage("%s: %w", target, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fault.Usage("%s: %q is no port; give 1 to 65535", target, port)
	}
	o.pool = service.NewPool(service.Config{Command: command, Host: host.Origin, Port: uint16(number)})
	return o, nil
}

// Close ends the server, wherever it runs. Nil is none.
func (o *Own) Close() {
	if o != nil {
		o.pool.Close()
	}
}

// Alone is the scenario in which its page is looked for.
func (o *Own) Alone(s linger.Strategy, n linger.Network, seed uint64) linger.Scenario {
	scheme, _, _ := strings.Cut(strings.ToLower(o.order.URL), "://")
	w := linger.Workload{Name: o.order.URL, Scheme: scheme, Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/", Status: 200, Parent: linger.NoParent},
	}}
	return linger.Scenario{Workload: w, Strategy: s, Network: n, Seed: seed}
}

// Open takes a lab on which the server runs, and starts it on one where there is none. A new
// server is warmed up by one visit, if that is wanted.
func (o *Own) Open(ctx context.Context, c lab.Config, warm bool) (Side, error) {
	countProcesses(&c)
	var warming func(context.Context, *service.Stand) error
	if warm {
		warming = o.warm
	}
	stand, err := o.pool.Take(ctx, c, warming)
	if err != nil {
		o.note(err)
		return nil, err
	}
	o.mu.Lock()
	o.ports = stand.Service.Ports()
	o.mu.Unlock()
	return &ownSide{o, stand, c}, nil
}

// Ports are those on which the server was found; none before it was started.
func (o *Own) Ports() []service.Port {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ports
}

// Listening says where a server was found.
func Listening(ports []service.Port) string {
	return fmt.Sprintf("the server listens on %s of the lab's host %s", service.List(ports), host.Origin)
}

// Usual returns those of the usual strategies that can be tried on the server, and what is said
// of the others; an empty list is that all can. Nil can all.
func (o *Own) Usual(scheme string) (list, note string) {
	if o == nil {
		return "", ""
	}
	port := o.pool.Service.Port
	if slices.ContainsFunc(o.Ports(), func(p service.Port) bool { return p.UDP && p.Number == port }) {
		return "", ""
	}
	var kept, left []string
	for name := range strings.SplitSeq(linger.DefaultStrategies(scheme), ",") {
		if s, err := linger.ParseStrategy(name); err == nil && s.QUIC() {
			left = append(left, name)
		} else {
			kept = append(kept, name)
		}
	}
	if len(left) == 0 {
		return "", ""
	}
	return strings.Join(kept, ","), fmt.Sprintf("%s is left out, since the server does not listen on UDP port %d; name it by -s to have it tried", strings.Join(left, ","), port)
}

// warm visits the page on a server that has just been started, over the path that there is. What
// comes of it is looked at in the trials only.
func (o *Own) warm(ctx context.Context, stand *service.Stand) error {
	s, err := linger.ParseStrategy("keep:6")
	if err != nil {
		return err
	}
	client, err := host.StartClient(stand.Lab, s)
	if err != nil {
		return err
	}
	defer client.Abandon()
	order := host.ClientOrder{Scenario: o.Alone(s, linger.Network{Name: "bare"}, 1), Visit: true}
	(&ownSide{o, stand, lab.Config{}}).Lead(&order)
	_, err = client.Run(ctx, nil, order)
	return err
}

// Status is the error of one that could not be used: a server that failed is unreachable.
func Status(err error) error {
	if _, ok := errors.AsType[*service.Failed](err); ok {
		return fault.Unreachable("%w", err)
	}
	return err
}

// note keeps what the server wrote when it failed.
func (o *Own) note(err error) {
	if f, ok := errors.AsType[*service.Failed](err); ok {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.failed = f
	}
}

// Failed is how the server failed the last time, nil where it did not.
func (o *Own) Failed() *service.Failed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// Cold reports whether the server was started anew for each trial: see service.Pool.
func (o *Own) Cold() bool { return o.pool.Cold() }

// An ownSide is such a server in one trial.
type ownSide struct {
	server *Own
	stand  *service.Stand // nil once it is given back
	config lab.Config
}

func (o *ownSide) Lab() *lab.Lab { return o.stand.Lab }

func (o *ownSide) Ready() error { return nil }

func (o *ownSide) Lead(order *host.ClientOrder) {
	own := o.server.order
	own.Address = net.JoinHostPort(o.stand.Lab.Addr(host.Origin).String(), strconv.Itoa(int(o.server.pool.Service.Port)))
	order.Own = &own
}

func (o *ownSide) Pins() []string { return nil }

func (o *ownSide) Finish(ctx context.Context) (host.OriginSeen, error) {
	err := o.stand.Service.Dead(ctx)
	o.server.note(err)
	return host.OriginSeen{}, err
}

func (o *ownSide) Spent(ready, seen lab.Report) trace.Host { return spentByProcesses(ready, seen) }

// countProcesses asks a lab for what the processes of its server's host use.
func countProcesses(c *lab.Config) {
	for i := range c.Hosts {
		c.Hosts[i].Processes = c.Hosts[i].Name == host.Origin
	}
}

// spentByProcesses is what the processes of the server's host have used between two reports.
func spentByProcesses(before, seen lab.Report) trace.Host {
	h := seen.Hosts[host.Origin]
	h.CPU -= before.Hosts[host.Origin].CPU
	return h
}

// Close gives the lab back for the next trial.
func (o *ownSide) Close(ctx context.Context) error {
	stand := o.stand
	o.stand = nil
	if o.config.Capture != nil {
		return stand.Finish(ctx, o.config)
	}
	stand.Give()
	return nil
}

func (o *ownSide) Abandon() {
	if o.stand != nil {
		o.stand.Drop()
	}
}
