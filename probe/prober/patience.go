package prober

import (
	"context"
	"time"
)

// patience is how long waits may take besides their bound.
type patience struct {
	over  context.Context // done when waiting is
	end   context.CancelFunc
	again time.Duration // how long a wait may take, once that is known; see settled
}

// Settled is told once the idle limit after a response is known: what else is being
// waited for, or will be, has as long again, and not less than five seconds.
func (p *Prober) Settled(limit time.Duration) {
	if p.Patient {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.patience.again == 0 {
		p.patience.again = max(limit, 5*time.Second)
		time.AfterFunc(p.patience.again, p.patience.end)
	}
}

// Wait bounds a wait for the end of a connection by MaxWait, and what it takes to
// begin it, and by patience.
func (p *Prober) Wait(ctx context.Context) (context.Context, context.CancelFunc) {
	p.mu.Lock()
	again := p.patience.again
	p.mu.Unlock()
	if again > 0 {
		return context.WithTimeout(ctx, min(again, Watched(p.MaxWait)))
	}
	ctx, cancel := context.WithTimeout(ctx, Watched(p.MaxWait))
	stop := context.AfterFunc(p.patience.over, cancel)
	return ctx, func() { stop(); cancel() }
}

// NoMore ends all waits.
func (p *Prober) NoMore() { p.patience.end() }

// Sleep waits, or returns why it did not.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Later is the later one of two instants.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
