package rig

import (
	"context"
	"sync"
	"time"

	"linger"
	"linger/live"
	"linger/run"
	"linger/trace"
)

// A Live is the engine that measures over the network that there is.
type Live struct {
	// Mute knows the strategies by which nothing came from a server.
	Mute *Mute

	config func(linger.Strategy) live.Config
	pause  time.Duration
	mu     sync.Mutex
	ended  time.Time // the last trial
}

// newLive returns an engine: config is how a strategy reaches its server, and pause how long the
// server is left alone between two trials.
func newLive(config func(linger.Strategy) live.Config, pause time.Duration) *Live {
	return &Live{Mute: NewMute(), config: config, pause: pause}
}

// livePage is an engine for a page that has been visited.
func livePage(p Page) *Live {
	return newLive(func(linger.Strategy) live.Config { return p.Config }, BetweenLoads)
}

// liveNames is an engine for names that each strategy asks its resolver for.
func liveNames(servers map[string]Resolver, config live.Config) *Live {
	return newLive(func(s linger.Strategy) live.Config {
		server, config := servers[s.Name], config
		config.Address, config.Path = server.Address(s), server.Path
		config.ServerName = server.Host
		return config
	}, 0)
}

// Run implements run.Engine. A server that gave nothing at all by a strategy is not
// asked by it again.
func (e *Live) Run(ctx context.Context, s linger.Scenario, trial int) (*trace.Trace, error) {
	if err := e.Mute.Asked(s.Strategy); err != nil {
		return nil, err
	}
	e.mu.Lock()
	free := e.ended.Add(e.pause)
	e.mu.Unlock()
	select {
	case <-time.After(time.Until(free)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	run.Begin(ctx)
	t, err := live.Run(ctx, s, e.config(s.Strategy))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = time.Now()
	if err == nil || ctx.Err() == nil {
		e.Mute.hear(s.Strategy, t, err)
	}
	if err != nil {
		return nil, err
	}
	t.Trial = trial
	return t, nil
}
