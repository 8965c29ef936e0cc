// Package loads carries out a bench: strategies drive a server in turns, one after the other, and what
// of the server runs on this machine is watched meanwhile. What the turns come to is for others to
// judge.
package loads

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"linger"
	"linger/fault"
	"linger/load"
	"linger/tally"
)

// A Bench is strategies in turns.
type Bench struct {
	Strategies []linger.Strategy
	Turns      int
	// Config is what all turns have in common; the bounds of its Plan are those of one turn. A
	// strategy that says how many connections it has, as keep:8, takes the place of its Connections.
	Config load.Config
	// Server is which processes are watched; nil is none.
	Server *Server
}

// A Now is a turn that goes on.
type Now struct {
	Strategy int // its number
	Done     int // turns of all strategies that have ended
	Run      *tally.Run
}

// Run carries out the turns: of each turn, every strategy once, in an order that begins one
// further on each time, so that none always follows the same one. It returns the runs of each
// strategy. When ctx ends, the runs until then are returned, and that is no error.
func (b Bench) Run(ctx context.Context, tell func(Now)) ([][]tally.Run, error) {
	out := make([][]tally.Run, len(b.Strategies))
	for turn := range b.Turns {
		for i := range b.Strategies {
			if ctx.Err() != nil {
				return out, nil
			}
			of := (turn + i) % len(b.Strategies)
			run, err := b.one(ctx, of, turn, turn*len(b.Strategies)+i, tell)
			if err != nil && (ctx.Err() == nil || run.Ended == 0) {
				if ctx.Err() != nil {
					return out, nil
				}
				return out, blamed(fmt.Errorf("%s: %w", b.Strategies[of].Name, err))
			}
			out[of] = append(out[of], run)
		}
	}
	return out, nil
}

// blamed says whose fault it is that a load did not begin.
func blamed(err error) error {
	var short load.Shortage
	var known fault.Error
	switch {
	case errors.As(err, &short):
		return fault.Machine("%w", err)
	case errors.As(err, &known):
		return err
	}
	return fault.Usage("%w", err)
}

// one is one turn of a strategy.
func (b Bench) one(ctx context.Context, of, turn, done int, tell func(Now)) (tally.Run, error) {
	c := b.Config
	c.Strategy = b.Strategies[of]
	if strings.Contains(c.Strategy.Name, ":") {
		c.Connections = c.Strategy.Connections
	}
	c.Plan.Seed += uint64(turn)
	watch := b.Server.watch(c.Plan.WarmUp)
	run, err := load.Run(ctx, c, func(so tally.Run) {
		if tell != nil {
			tell(Now{Strategy: of, Done: done, Run: &so})
		}
	})
	run.Server = watch.end()
	return run, err
}

// A Place is where a target really is.
type Place struct {
	Address   string           // as the configuration has it
	Addresses []netip.AddrPort // where connections go; none is a Unix socket
}

// Local reports whether it is on this machine, over loopback or a Unix socket.
func (p Place) Local() bool {
	for _, a := range p.Addresses {
		if !a.Addr().Unmap().IsLoopback() {
			return false
		}
	}
	return true
}

// Places looks up where the targets are.
func Places(ctx context.Context, c load.Config) ([]Place, error) {
	var out []Place
	for _, t := range c.Targets {
		p := Place{Address: t.Address}
		if c.Route.Unix == "" {
			var err error
			if p.Addresses, err = c.Route.Addresses(ctx, t.Address); err != nil {
				return nil, err
			}
			if len(p.Addresses) == 0 {
				return nil, fault.Unreachable("%s has no address", t.Address)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// A watch is what processes spent between two moments.
type watch struct {
	server *Server
	since  chan spent
	stop   chan struct{}
}

// watch begins to count after the warm-up.
func (s *Server) watch(after time.Duration) *watch {
	w := &watch{server: s, since: make(chan spent, 1), stop: make(chan struct{})}
	if s == nil {
		return w
	}
	go func() {
		warm := time.NewTimer(after)
		defer warm.Stop()
		select {
		case <-warm.C:
		case <-w.stop:
		}
		w.since <- s.cpu()
	}()
	return w
}

// end returns what was spent since.
func (w *watch) end() (out tally.Spent) {
	if w.server == nil {
		return out
	}
	close(w.stop)
	before, now := <-w.since, w.server.cpu()
	// What a process has used that has ended meanwhile is not known.
	if before.processes == now.processes {
		out.CPU = linger.Known(now.cpu - before.cpu)
	}
	if n := w.server.resident(); n > 0 {
		out.Memory = linger.Known(n)
	}
	return out
}

// spent is what the processes of a server have used since they began, and how many there are yet.
type spent struct {
	cpu       time.Duration
	processes int
}
