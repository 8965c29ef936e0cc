package probe

import (
	"context"
	"time"

	"linger/conduct"
)

// idleAfterResponseName and idleHTTP2Name begin the names of the experiments that
// measure for how long a connection may be idle.
const idleAfterResponseName, idleHTTP2Name = "idle after a response", "idle on HTTP/2"

// IdleExperiments names, for Config.Experiments, what measures the idle limits after a
// response: where it is agreed upon over TLS, of HTTP/2 too.
func IdleExperiments(scheme string) []string {
	if scheme == "https" {
		return []string{idleAfterResponseName, idleHTTP2Name}
	}
	return []string{idleAfterResponseName}
}

var http1Experiments = []experiment{
	{idleAfterResponseName, "http/1.1", nil, idleConnections, idleConnections, true, idleAfterResponse},
}

// idleConnections are how many watch one limit at once: enough to see whether it
// spreads, as that of a server that looks once a second does.
const idleConnections = 4

// idleAfterResponse watches connections that have had one response. They begin a
// quarter of a second apart, so that a server whose clock ticks shows that it does.
func idleAfterResponse(ctx context.Context, p *prober) {
	wait, cancel := p.wait(ctx)
	defer cancel()
	type sighting struct {
		end
		idle time.Duration
	}
	seen := make(chan sighting, idleConnections)
	for i := range idleConnections {
		go func() {
			var s sighting
			defer func() { seen <- s }()
			if s.err = sleep(ctx, time.Duration(i)*time.Second/idleConnections); s.err != nil {
				return
			}
			c, err := p.open(ctx, nil)
			if err != nil {
				s.err = err
				return
			}
			defer c.drop()
			if _, s.err = p.exchange(ctx, c, request{}); s.err != nil {
				return
			}
			s.end = c.awaitEnd(wait)
			s.idle = s.at.Sub(c.last)
		}()
	}
	limit := conduct.Timeout{State: conduct.Unknown, Method: "connections that had one response were left alone until the server ended them"}
	var ended, open []time.Duration
	for range idleConnections {
		switch s := <-seen; {
		case s.err != nil:
			limit.Why = s.err.Error()
		case s.how != "":
			ended = append(ended, s.idle)
			limit.Ending = s.how
		default:
			open = append(open, s.idle)
		}
	}
	switch {
	case len(ended) > 0:
		limit.State, limit.Why, limit.Spread = conduct.Measured, "", conduct.SpreadOf(ended)
		p.settled(time.Duration(limit.Median))
	case len(open) > 0:
		limit.State, limit.Why, limit.Ending = conduct.AtLeast, "", ""
		limit.Low, limit.N = conduct.SpreadOf(open).Low, len(open)
	}
	p.record(func(policy *conduct.Policy) {
		h := policy.ProtocolNamed("http/1.1")
		h.Offered, h.AfterResponse = true, limit
	})
}

// sleep waits, or returns why it did not.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
