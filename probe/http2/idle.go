package http2

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"linger"
	"linger/conformance"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// A watch is a way to have connections idle: how each is prepared, and since when it idles.
type watch struct {
	prepare func(context.Context, *conn) error
	since   func(*conn) limits.Span
}

// idle watches connections that are silent, in what state they may be.
func (p *Server) idle(ctx context.Context) {
	if !p.speaks(ctx) {
		return
	}
	turn := prober.NewSlots(p.Few(silentConnections + settledConnections + answeredConnections + pingedConnections))
	var all sync.WaitGroup
	defer all.Wait()
	if p.Target.TLS != nil {
		all.Go(func() { p.idleSilent(ctx, turn) })
	}
	all.Go(func() { p.idleSettled(ctx, turn) })
	if p.useless != "" {
		p.RecordOf(linger.H2, func(h *profile.Protocol) {
			h.AfterResponse = profile.Timeout{State: profile.Unknown, Why: p.useless}
		})
		p.Unmeasured(p.useless, "goaway-idle")
		return
	}
	known := make(chan profile.Timeout, 1)
	all.Go(func() {
		if p.Sparing() {
			return // it would be one more in the way of others
		}
		wait, cancel := p.Wait(ctx)
		defer cancel()
		p.keepsByPing(ctx, wait, known)
	})
	known <- p.idleAnswered(ctx, turn)
}

// idleSilent watches connections on which nothing was sent since TLS's handshake.
func (p *Server) idleSilent(ctx context.Context, turn *prober.Slots) {
	seen := p.watchAll(ctx, turn, silentConnections, watch{
		prepare: func(context.Context, *conn) error { return nil },
		since:   func(c *conn) limits.Span { return limits.At(c.Ready) },
	})
	// TLS's handshake is over for the server half a round trip, or one, apart from us.
	limit := limits.Idle(seen, p.PathUncertainty()+p.RoundTrip(), "a connection on which HTTP/2 was agreed upon, and nothing sent, was left alone until the server ended it")
	p.RecordOf(linger.H2, func(h *profile.Protocol) { h.AfterTLS = limit })
}

// idleSettled watches connections on which nothing was sent since the prefaces.
func (p *Server) idleSettled(ctx context.Context, turn *prober.Slots) {
	seen := p.watchAll(ctx, turn, p.Few(settledConnections), watch{
		prepare: func(ctx context.Context, c *conn) error {
			if err := c.greet(ctx); err != nil {
				return err
			}
			return c.read(ctx, p.Answer, func() bool { return c.acknowledged })
		},
		since: func(c *conn) limits.Span { return limits.At(prober.Later(c.sent, c.received)) },
	})
	limit := limits.Idle(seen, p.PathUncertainty()+p.RoundTrip(), "connections on which SETTINGS were exchanged, and nothing asked, were left alone until the server ended them")
	p.RecordOf(linger.H2, func(h *profile.Protocol) { h.AfterSettings = limit })
}

// idleAnswered watches connections that have had one response, and returns their limit.
func (p *Server) idleAnswered(ctx context.Context, turn *prober.Slots) profile.Timeout {
	var ordinary atomic.Bool
	seen := p.watchAll(ctx, turn, p.Few(answeredConnections), watch{
		prepare: func(ctx context.Context, c *conn) error {
			if err := c.greet(ctx); err != nil {
				return err
			}
			// One of them asks for the ordinary response, and shows whether the limit is the same.
			c.small = !ordinary.CompareAndSwap(false, true)
			_, err := c.get(ctx)
			return err
		},
		since: func(c *conn) limits.Span { return c.Span },
	})
	limit := p.LimitAfterResponse(seen, limits.Idle)
	p.RecordOf(linger.H2, func(h *profile.Protocol) { h.AfterResponse = limit })
	if limit.State == profile.Measured {
		p.Settled(time.Duration(limit.Median))
	}
	idle := conformance.IdleHTTP2{Limit: limit}
	for _, s := range seen {
		switch s.How {
		case profile.FIN, profile.RST, profile.CloseNotify, profile.CloseNotifyRST:
			idle.Without++
		}
		if s.Abrupt {
			idle.Abrupt++
		}
	}
	p.Judge(idle)
	return limit
}

// watchAll watches n connections, as far as it is their turn. They begin some time apart,
// as those of HTTP/1 do.
func (p *Server) watchAll(ctx context.Context, turn *prober.Slots, n int, way watch) []limits.Sighting {
	seen := make([]limits.Sighting, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if seen[i].Err = prober.Sleep(ctx, limits.Begins(i, n)); seen[i].Err == nil && turn.Take(ctx, 1) {
				defer turn.Give(1)
				seen[i] = p.watch(ctx, way)
			}
		})
	}
	all.Wait()
	return seen
}

// next is what became of what waited for an answer of HTTP/2.
func next(err error) conformance.Next {
	switch err {
	case nil:
		return conformance.Answered
	case prober.ErrSilent:
		return conformance.Silent
	}
	return conformance.Garbled
}

// watch watches one connection. What is still open when waiting ends has to answer, or else
// has fallen silent.
func (p *Server) watch(ctx context.Context, way watch) (s limits.Sighting) {
	c, err := p.open(ctx)
	if err != nil {
		s.Err = err
		return s
	}
	defer c.Drop()
	if s.Err = way.prepare(ctx, c); s.Err != nil {
		return s
	}
	began := way.since(c)
	wait, cancel := p.Wait(ctx)
	defer cancel()
	s.End, s.Long = c.awaitEnd(wait), !c.small
	s.Abrupt = c.isAbrupt()
	s.Reckon(began, p.Path(), limits.TCPAcknowledges)
	if s.How == "" && s.Err == nil && ctx.Err() == nil && c.settled {
		err := c.ping()
		if err == nil {
			err = c.read(ctx, p.Answer, c.pong)
		}
		if err == prober.ErrSilent {
			s.How = profile.Silence
		}
	}
	return s
}
