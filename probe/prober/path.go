package prober

import (
	"context"
	"slices"
	"sync"
	"time"

	"linger/finding"
	"linger/probe/limits"
	"linger/profile"
)

// noteHandshake notes how long a handshake took, as one more sample of the path.
func (p *Prober) noteHandshake(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.handshakes) < 1000 {
		p.handshakes = append(p.handshakes, d)
	}
}

// PathUncertainty is how far a limit may be off because the path was not the same all the time,
// and for the clocks of two hosts: by as much as the handshakes at the beginning differed,
// or the middle half of all. What is in the way of a response besides shows in how long
// it took (see reckon), and of an end in how the watched connections differ.
func (p *Prober) PathUncertainty() time.Duration {
	uncertainty := p.apart(0.75, 0.25)
	p.mu.Lock()
	defer p.mu.Unlock()
	uncertainty = max(uncertainty, time.Duration(p.profile.RTT.High-p.profile.RTT.Low)) + time.Millisecond
	if p.late > tardy {
		uncertainty += p.late
	}
	return uncertainty
}

// apart is how far two quantiles of the handshakes' times are from each other.
func (p *Prober) apart(high, low float64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.handshakes)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(p.handshakes))
	at := func(q float64) time.Duration { return sorted[int(q*float64(n-1))] }
	return at(high) - at(low)
}

// Path is what is known of the way to the server.
func (p *Prober) Path() limits.Path {
	return limits.Path{Shortest: p.ShortestRTT(), RoundTrip: p.RoundTrip(), Jitter: p.apart(0.9, 0)}
}

func (p *Prober) RoundTrip() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.profile.RTT.Median)
}

func (p *Prober) ShortestRTT() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.profile.RTT.Low)
}

const (
	// looks is how often this side looks whether it wakes when it should.
	looks = 10 * time.Millisecond
	// tardy is how late it may wake before its figures carry a uncertainty.
	tardy = 50 * time.Millisecond
)

// WatchingItself notes, while something is done, by how much this side wakes too late:
// what it sees of the server it may see as late.
func (p *Prober) WatchingItself(ctx context.Context, do func()) {
	looking, enough := context.WithCancel(ctx)
	var looked sync.WaitGroup
	looked.Go(func() { p.lookLate(looking) })
	defer looked.Wait()
	defer enough()
	do()
}

// lookLate notes by how much this side wakes too late, until ctx is over: what it sees
// of the server it may see as late. A response that is read late makes an idle limit
// look shorter, an end that is read late makes it look longer.
func (p *Prober) lookLate(ctx context.Context) {
	for due := time.Now().Add(looks); Sleep(ctx, time.Until(due)) == nil; due = time.Now().Add(looks) {
		late := time.Since(due)
		p.mu.Lock()
		p.late = max(p.late, late)
		p.mu.Unlock()
	}
}

// Lateness is by how much this side woke too late, at most.
func (p *Prober) Lateness() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late
}

// caveatLate says so where it matters; p.mu is held.
func (p *Prober) caveatLate() {
	if p.late > tardy {
		p.profile.Caveats = append(p.profile.Caveats, finding.Caveat{
			Code: profile.Busy, Figures: finding.Figures{finding.Number("late", float64(p.late.Milliseconds()), "ms")},
		})
	}
}
