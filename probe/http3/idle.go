package http3

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"linger"
	"linger/conformance"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
	"linger/wire"
)

// idle watches connections that are silent.
func (p *Server) idle(ctx context.Context) {
	if !p.speaks(ctx) {
		return
	}
	wait, cancel := p.Wait(ctx)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	set := func(limit profile.Timeout, where func(*profile.Protocol) *profile.Timeout) {
		p.RecordOf(linger.H3, func(h *profile.Protocol) { *where(h) = limit })
	}
	all.Go(func() {
		seen := []limits.Sighting{p.watch(ctx, wait, 0, false, false)}
		limit := p.limitOf(seen, p.PathUncertainty()+p.RoundTrip(), "a connection on which nothing was asked since the handshake was left alone until it ended")
		set(limit, func(h *profile.Protocol) *profile.Timeout { return &h.AfterTLS })
	})
	all.Go(func() { p.revisit(ctx, wait) })
	seen := make([]limits.Sighting, answeredConnections)
	var watching sync.WaitGroup
	for i := range seen {
		watching.Go(func() {
			seen[i] = p.watch(ctx, wait, time.Duration(i)*time.Second/answeredConnections, true, i > 0)
		})
	}
	watching.Wait()
	limit := p.LimitAfterResponse(seen, p.limitOf)
	set(limit, func(h *profile.Protocol) *profile.Timeout { return &h.AfterResponse })
	if limit.State == profile.Measured {
		p.Settled(time.Duration(limit.Median))
	}
	p.Judge(conformance.IdleHTTP3{Limit: limit})
}

// limitOf is [limits.Idle], for connections that may end by agreement.
func (p *Server) limitOf(seen []limits.Sighting, uncertainty time.Duration, method string) profile.Timeout {
	t := limits.Idle(seen, uncertainty, method)
	if t.Ending == profile.QUICIdle {
		// It counts from the last packet, which may be an acknowledgement: those may be
		// late by max_ack_delay, 25 ms unless more is announced (RFC 9000, 18.2).
		t.Uncertainty += profile.Duration(100 * time.Millisecond)
	}
	// What is announced is known where it is more than the least that the QUIC stack takes for
	// its word.
	announced := false
	p.RecordOf(linger.H3, func(h *profile.Protocol) { announced = !h.Announced.Timeout.IsZero() })
	if t.Ending == profile.QUICIdle && !announced && time.Duration(t.Low+t.Uncertainty) < wire.LeastIdle+time.Second {
		return profile.Timeout{State: profile.Unknown, Ending: profile.QUICIdle,
			Why: fmt.Sprintf("it announces a max_idle_timeout of %v or less, and lets go in silence; how much less, the QUIC stack of this program does not say", wire.LeastIdle)}
	}
	return t
}

// watch watches one connection until it ends, from the handshake on or from a
// response on.
func (p *Server) watch(ctx, wait context.Context, delay time.Duration, ask, small bool) (s limits.Sighting) {
	if s.Err = prober.Sleep(wait, delay); s.Err != nil {
		return s
	}
	c, err := p.open(ctx, nil)
	if err != nil {
		s.Err = errors.New(quicCause(err))
		return s
	}
	defer c.drop()
	began := limits.At(c.ready)
	if ask {
		c.small = small
		if _, err := c.get(ctx); err != nil {
			s.Err = errors.New(quicCause(err))
			return s
		}
		began = c.Span
	}
	s.End, s.Long = c.awaitEnd(wait), !small
	s.Reckon(began, p.Path(), limits.QUICAcknowledges)
	return s
}

// revisit asks again on a connection that was silent for most of what the server
// announced that it would keep it.
func (p *Server) revisit(ctx, wait context.Context) {
	c, err := p.open(ctx, nil)
	if err == nil {
		defer c.drop()
		_, err = c.get(ctx)
	}
	if err != nil {
		p.Unmeasured(quicCause(err), "h3-idle-kept")
		return
	}
	announced, _ := c.seen.limit().Get()
	found := conformance.Revisited{Announced: announced, Least: wire.LeastIdle}
	if announced > wire.LeastIdle {
		until, cancel := context.WithTimeout(wait, announced*8/10)
		defer cancel()
		e := c.awaitEnd(until)
		found.How, found.Kept, found.Early = e.How, e.At.Sub(c.Last), wait.Err() != nil
	}
	if announced > wire.LeastIdle && found.How == "" && !found.Early {
		_, err = c.get(ctx)
		if ctx.Err() != nil || err == prober.ErrSpent {
			return
		}
		if found.Answered = err == nil; err != nil {
			found.Why = quicCause(err)
		}
	}
	p.Judge(found)
}
