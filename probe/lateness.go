package probe

import (
	"context"
	"time"

	"linger/finding"
	"linger/profile"
)

const (
	// looks is how often this side looks whether it wakes when it should.
	looks = 10 * time.Millisecond
	// tardy is how late it may wake before its figures carry a doubt.
	tardy = 50 * time.Millisecond
)

// lookLate notes by how much this side wakes too late, until ctx is over: what it sees
// of the server it may see as late. A response that is read late makes an idle limit
// look shorter, an end that is read late makes it look longer.
func (p *prober) lookLate(ctx context.Context) {
	for due := time.Now().Add(looks); sleep(ctx, time.Until(due)) == nil; due = time.Now().Add(looks) {
		late := time.Since(due)
		p.mu.Lock()
		p.late = max(p.late, late)
		p.mu.Unlock()
	}
}

// caveatLate says so where it matters; p.mu is held.
func (p *prober) caveatLate() {
	if p.late > tardy {
		p.profile.Caveats = append(p.profile.Caveats, finding.Caveat{
			Code: profile.Busy, Figures: finding.Figures{finding.Number("late", float64(p.late.Milliseconds()), "ms")},
		})
	}
}
