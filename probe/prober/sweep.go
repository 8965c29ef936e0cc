package prober

import (
	"time"

	"linger/probe/limits"
	"linger/profile"
)

// Sweeps notes how far apart sweeps are.
func (p *Prober) Sweeps(step time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = max(p.sweep, step)
}

// Swept is how far apart sweeps are.
func (p *Prober) Swept() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sweep
}

// SweepAll widens the uncertainty of every limit of a server that sweeps: it ends
// connections of any kind so, and of most kinds too few are watched to show it.
func (p *Prober) SweepAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*profile.Timeout
	for _, h := range p.profile.Protocols {
		all = append(all, &h.AfterConnect, &h.AfterTLS, &h.AfterResponse, &h.AfterSettings)
	}
	if p.profile.DNS != nil {
		all = append(all, &p.profile.DNS.AfterKeepalive)
	}
	for _, t := range all {
		limits.Widen(t, p.sweep)
	}
}

// LimitAfterResponse is the limit of connections some of which had a small response and
// others the ordinary one, by a way to find the limit of each kind.
func (p *Prober) LimitAfterResponse(seen []limits.Sighting, limitOf func([]limits.Sighting, time.Duration, string) profile.Timeout) profile.Timeout {
	limit, step := limits.AfterResponse(seen, p.PathUncertainty(), p.Small.differs(), limitOf)
	p.Sweeps(step)
	return limit
}
