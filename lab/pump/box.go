package pump

import (
	"time"

	"linger"
	"linger/flow"
)

// A box keeps a state for each TCP connection that passes, as NATs and firewalls do, and
// forgets one on which nothing has passed for too long. What comes for a connection that
// it does not know, and is no SYN, goes nowhere, and nobody is told. "If a NAT cannot
// determine whether the endpoints of a TCP connection are active, it MAY abandon the session
// if it has been idle for some time" (RFC 5382, 5, REQ-5, which wants two hours and four
// minutes).
type box struct {
	forget time.Duration
	passed map[flow.Key]linger.Instant // when a packet of it last did
}

func newBox(forget time.Duration) *box {
	return &box{forget: forget, passed: make(map[flow.Key]linger.Instant)}
}

// pass reports whether a packet gets through. A full table lets no further connection in,
// until it has forgotten others.
func (b *box) pass(at linger.Instant, p *packet) bool {
	if !p.isTCP() {
		return true
	}
	last, known := b.passed[p.Key]
	switch opens := p.Flags&(flow.SYN|flow.ACK) == flow.SYN; {
	case known && at.Sub(last) < b.forget:
	case !opens:
		delete(b.passed, p.Key)
		return false
	case !known && len(b.passed) >= maxFlows && !b.purge(at):
		return false
	}
	b.passed[p.Key] = at
	return true
}

// purge takes out what is forgotten, and reports whether there was any.
func (b *box) purge(at linger.Instant) bool {
	n := len(b.passed)
	for k, last := range b.passed {
		if at.Sub(last) >= b.forget {
			delete(b.passed, k)
		}
	}
	return len(b.passed) < n
}
