package rig

import (
	"bytes"
	"context"
	"errors"
	"time"

	"linger"
	"linger/dial"
	"linger/fault"
	"linger/live"
	"linger/policy"
	"linger/rig/far"
	"linger/rig/host"
	"linger/run"
	"linger/trace"
)

// A Fetch is done once, by a strategy; it says what it has so far where it is interrupted.
type Fetch struct {
	Version  string // this program's
	Strategy linger.Strategy
	Network  linger.Network // of the lab
	Seed     uint64
	// Keep is kept of it; what could not be kept is told to Lost.
	Keep Artifacts
	Lost func(error)
}

// A Fetched is what came of a fetch.
type Fetched struct {
	Trace *trace.Trace
	// Notes say what of a page was not fetched.
	Notes []string
	// AtFault says that the page is one that no client would get.
	AtFault bool
}

func fetchedOf(p *live.Page) Fetched { return Fetched{p.Trace, notesOf(p), p.AtFault} }

// Outside visits a URL over the network that there is.
func (f Fetch) Outside(ctx context.Context, target string, config live.Config) (Fetched, error) {
	var secrets bytes.Buffer
	if f.Keep.Keylog != "" {
		config.KeyLog = &secrets
	}
	logs := host.NewQlogs()
	if f.Keep.Qlog != "" {
		config.Qlog = logs.Open
	}
	run.Begin(ctx)
	page, err := live.Visit(ctx, target, f.Strategy, config)
	if errors.Is(err, dial.ErrUnreachable) {
		return Fetched{}, fault.Unreachable("%w", err)
	}
	if err != nil {
		return Fetched{}, fault.Usage("%w", err)
	}
	seen := &host.ClientSeen{Trace: page.Trace, Secrets: secrets.Bytes(), Qlog: logs.Bytes()}
	if err := f.Keep.Write(seen, page.Workload, f.Version, nil); err != nil {
		f.Lost(err)
	}
	return fetchedOf(page), nil
}

// Own visits the page of a user's own server, over the emulated network. note says where the
// server was found.
func (f Fetch) Own(ctx context.Context, server *far.Own, note func(string, ...any)) (Fetched, error) {
	alone := server.Alone(f.Strategy, f.Network, f.Seed)
	if err := f.Strategy.Fits(alone.Workload.Scheme); err != nil {
		return Fetched{}, fault.Usage("%w", err)
	}
	// The first visit, over a path without delay, warms the server up.
	if _, err := VisitOwn(ctx, server, f.Strategy, 0); err != nil {
		return Fetched{}, far.Status(err)
	}
	announce(server, note)
	var page *live.Page
	engine := f.engine()
	engine.Own, engine.Visited = server, func(p *live.Page) { page = p }
	t, err := engine.Run(ctx, alone, 0)
	if err != nil {
		return Fetched{}, far.Status(err)
	}
	page.Trace = t
	return fetchedOf(page), nil
}

// Lab fetches a workload over the emulated network, from this program's own origins.
func (f Fetch) Lab(ctx context.Context, w linger.Workload, p policy.ServerPolicy, pace time.Duration) (Fetched, error) {
	engine := f.engine()
	engine.Policy, engine.Pace = p, pace
	t, err := engine.Run(ctx, linger.Scenario{Workload: w, Strategy: f.Strategy, Network: f.Network, Seed: f.Seed}, 0)
	return Fetched{Trace: t}, err
}

func (f Fetch) engine() Lab {
	return Lab{Version: f.Version, Partial: true, Lost: f.Lost, Keep: func(linger.Scenario, int) Artifacts { return f.Keep }}
}

// Shortfall is the error of a fetch that delivered nothing at all, or not all.
func (f Fetched) Shortfall() error {
	failed, first := 0, ""
	for _, x := range f.Trace.Exchanges {
		if x.Failed != "" {
			if failed++; first == "" {
				first = x.URL + ": " + x.Failed
			}
		}
	}
	switch {
	case failed == 0:
		return nil
	case failed == len(f.Trace.Exchanges):
		return fault.Unreachable("%s", first)
	}
	return fault.Unmet("%d of %d exchanges failed; the first: %s", failed, len(f.Trace.Exchanges), first)
}
