package run

import (
	"time"

	"linger/trace"
)

// Shares of the round-trip time. A packet that the link hands on late makes a trial longer
// than it is; from 5 % on the report says so. One in a hundred may be late by lateEnough
// before another trial is run beside the others, and by tooLate before one fewer is.
const (
	lateEnough = 0.02
	tooLate    = 0.04
)

// A crowd is how many trials run side by side: as many as the engine carries on time.
// What decides is how late the link handed packets on in the trials that ended, which the
// engine measures itself.
type crowd struct {
	now, fewest, most int
	rtt               time.Duration
}

func (p Plan) crowd() crowd {
	c := crowd{now: p.Workers, fewest: p.Workers, most: p.Workers, rtt: p.Network.RTT}
	if p.Most > p.Workers {
		c.fewest, c.most = min(max(1, p.Fewest), p.Workers), p.Most
	}
	return c
}

// heard takes in how late packets were in a trial that ended, and lets one more run beside
// the others from now on, or one fewer.
func (c *crowd) heard(t *trace.Trace) {
	l, ok := t.Ledger.Get()
	if !ok || l.Lateness.Packets == 0 {
		return
	}
	switch late := float64(l.Lateness.P99); {
	case late <= lateEnough*float64(c.rtt):
		c.now = min(c.most, c.now+1)
	case late > tooLate*float64(c.rtt):
		c.now = max(c.fewest, c.now-1)
	}
}
