package http2

import (
	"context"
	"time"

	"linger"
	"linger/probe/limits"
	"linger/profile"
)

// keepsByPing finds out whether PING keeps a connection open.
func (p *Server) keepsByPing(ctx, wait context.Context, known <-chan profile.Timeout) {
	keeps, why := p.keptByPing(ctx, wait, known)
	p.RecordOf(linger.H2, func(h *profile.Protocol) {
		if h.Ping == nil {
			h.Ping = new(profile.Ping)
		}
		h.Ping.Keeps, h.Ping.Why = keeps, why
	})
}

// keptByPing sends PING on a connection that is idle otherwise, until it ends, or has
// lived past the limit, once that is known. The pauses between them double, so that at the
// limit the last one came when half of it was over, or later: a connection that lives well
// past the limit lives for them, and few are enough.
func (p *Server) keptByPing(ctx, wait context.Context, known <-chan profile.Timeout) (keeps linger.Opt[bool], why string) {
	c, err := p.open(ctx)
	if err != nil {
		return keeps, err.Error()
	}
	defer c.Drop()
	if err = c.greet(ctx); err == nil {
		_, err = c.get(ctx)
	}
	if err != nil {
		return keeps, err.Error()
	}
	began := c.Last
	var found limits.Pinged
	for pause := 600 * time.Millisecond; ; pause = time.Since(began) {
		for due := time.Now().Add(pause); time.Now().Before(due) && c.lives() && wait.Err() == nil; {
			select {
			case found.Limit = <-known:
				known = nil
			default:
			}
			if found.Lived = time.Since(began); found.Limit.State == profile.Measured && found.Outlives() {
				return found.Keeps()
			}
			until, cancel := context.WithTimeout(wait, min(time.Until(due), 250*time.Millisecond))
			_ = c.read(until, limits.Forever, func() bool { return len(c.goaways) > 0 })
			cancel()
		}
		if !c.lives() || wait.Err() != nil {
			break
		}
		if err := c.ping(); err != nil {
			c.ended(err)
			break
		}
	}
	found.Lived, found.Ended, found.Closing = time.Since(began), c.over.How != "", c.closing()
	if len(c.goaways) > 0 {
		found.Lived, found.Ended = c.goaways[0].at.Sub(began), true
	} else if found.Ended {
		found.Lived = c.over.At.Sub(began)
	}
	if known != nil {
		select {
		case found.Limit = <-known:
		case <-ctx.Done():
		}
	}
	return found.Keeps()
}

// lives reports whether the server has neither ended the connection nor said that it will.
func (c *conn) lives() bool {
	return c.over.How == "" && c.over.Err == nil && len(c.goaways) == 0
}
