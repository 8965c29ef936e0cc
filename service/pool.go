package service

import (
	"context"
	"errors"
	"sync"

	"linger/lab"
)

// A Stand is a lab with a service on it, between two trials or in one.
type Stand struct {
	Lab     *lab.Lab
	Service *Service
	pool    *Pool
}

// A Pool keeps labs with their services from one trial to the next, as many as are ever wanted
// at once: a service is started once for each, and not anew for each trial.
type Pool struct {
	Service Config

	mu   sync.Mutex
	free []*Stand
	cold bool
	// renew is lab.Renew.
	renew func(*lab.Lab, context.Context, lab.Config) error
}

// NewPool returns a pool without any stand.
func NewPool(c Config) *Pool { return &Pool{Service: c, renew: (*lab.Lab).Renew} }

// Cold reports whether this machine cannot lay a path anew under a service: each stand is then
// used once, and its service was started for that and has not been warmed up.
func (p *Pool) Cold() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cold
}

// Take returns a stand with the path of c, on which there is no connection. If it is a new
// one, warm has been called once the service listened, on the same path without delay, rate and
// loss; nil is nothing to do.
func (p *Pool) Take(ctx context.Context, c lab.Config, warm func(context.Context, *Stand) error) (*Stand, error) {
	for {
		p.mu.Lock()
		if p.cold {
			warm = nil
		}
		var s *Stand
		if n := len(p.free); n > 0 {
			s, p.free = p.free[n-1], p.free[:n-1]
		}
		p.mu.Unlock()
		if s == nil {
			return p.open(ctx, c, warm)
		}
		// One that has come to harm meanwhile is not used again.
		if s.Service.Dead(ctx) == nil && p.renew(s.Lab, ctx, c) == nil {
			return s, nil
		}
		s.Drop()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

func (p *Pool) open(ctx context.Context, c lab.Config, warm func(context.Context, *Stand) error) (s *Stand, err error) {
	first := c
	if warm != nil {
		first = bare(c)
	}
	// The lab outlives the trial that it is opened for.
	l, err := lab.Open(context.WithoutCancel(ctx), first)
	if err != nil {
		return nil, err
	}
	s = &Stand{Lab: l, pool: p}
	defer func() {
		if err != nil {
			s.Drop()
		}
	}()
	if s.Service, err = Start(ctx, l, p.Service); err != nil || warm == nil {
		return s, err
	}
	if err = warm(ctx, s); err != nil {
		return s, err
	}
	if err = p.renew(l, ctx, c); errors.Is(err, errors.ErrUnsupported) {
		p.mu.Lock()
		p.cold = true
		p.mu.Unlock()
		s.Drop()
		return p.open(ctx, c, nil)
	}
	return s, err
}

// bare is c with the fastest path that there is, and without captures.
func bare(c lab.Config) lab.Config {
	c.Network.RTT, c.Network.Down, c.Network.Up, c.Network.Loss = 0, 0, 0, 0
	c.Capture = nil
	hosts := make([]lab.HostConfig, len(c.Hosts))
	for i, h := range c.Hosts {
		h.Capture = nil
		hosts[i] = h
	}
	c.Hosts = hosts
	return c
}

// Give takes a stand back for the next trial.
func (s *Stand) Give() {
	if s.pool.Cold() {
		s.Drop()
		return
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.pool.free = append(s.pool.free, s)
}

// Finish gives a stand back once what its path has captured is complete, or says why it is not.
func (s *Stand) Finish(ctx context.Context, c lab.Config) error {
	if !s.pool.Cold() {
		if err := s.pool.renew(s.Lab, ctx, bare(c)); err != nil {
			s.Drop()
			return err
		}
		s.Give()
		return nil
	}
	return s.Drop()
}

// Drop ends a stand that is not to be used again. The error is its lab's.
func (s *Stand) Drop() error {
	if s.Service != nil {
		s.Service.Stop()
	}
	return s.Lab.Close()
}

// Close ends all stands that have been given back.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all sync.WaitGroup
	for _, s := range p.free {
		all.Go(func() { s.Drop() })
	}
	all.Wait()
	p.free = nil
}
