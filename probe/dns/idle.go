package dns

import (
	"context"
	"slices"
	"sync"
	"time"

	"linger"
	"linger/conformance"
	"linger/dns"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// watch opens n connections, has each prepared, and waits until the server ends
// them, the first after a while, so that all that are watched begin apart. Several have a
// second turn where connections were seen to differ, since few are open at once. What
// counts begins with the last byte of an answer, or of the handshake.
func (p *Server) watch(ctx context.Context, after time.Duration, n int, method string, prepare func(c *conn) error) profile.Timeout {
	wait, cancel := p.Wait(ctx)
	defer cancel()
	watch := func(after time.Duration) (s limits.Sighting) {
		if s.Err = prober.Sleep(ctx, after); s.Err != nil {
			return s
		}
		c, err := p.open(ctx)
		if err != nil {
			s.Err = err
			return s
		}
		defer c.Drop()
		c.Last = c.Ready
		if s.Err = prepare(c); s.Err != nil {
			return s
		}
		s.End = c.AwaitEnd(wait)
		s.Idle = s.At.Sub(c.Last)
		return s
	}
	var seen []limits.Sighting // all that p.watched has of these, too
	round := func(delay func(i int) time.Duration) {
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				s := watch(delay(i))
				p.Record(func(*profile.Profile) { seen, p.watched = append(seen, s), append(p.watched, s) })
			})
		}
		all.Wait()
	}
	round(func(i int) time.Duration { return after + limits.Begins(i, n) })
	if n > 1 && p.differ(ctx) {
		round(func(i int) time.Duration { return limits.Begins(2*i+1, 2*n) })
	}
	limit := limitOf(seen, p.jitter(), n, method)
	p.Sweeps(limits.Sweep(seen, time.Duration(limit.Uncertainty), true))
	p.Sweeps(limits.Sweep(p.allWatched(), time.Duration(limit.Uncertainty), false))
	return limit
}

// limitOf is the limit that n connections show which were watched at once, where the time
// of a packet varies by so much.
func limitOf(seen []limits.Sighting, jitter profile.Duration, n int, method string) profile.Timeout {
	limit := profile.Timeout{State: profile.Unknown, Method: method}
	var ended, open []time.Duration
	for _, s := range seen {
		switch {
		case s.Err != nil:
			limit.Why = prober.Cause(s.Err)
		case s.How != "":
			ended = append(ended, s.Idle)
			limit.Ending = s.How
		default:
			open = append(open, s.Idle)
		}
	}
	switch {
	case len(ended) > 0:
		limit.State, limit.Why, limit.Spread = profile.Measured, "", profile.SpreadOf(ended)
		// How long a packet takes varies by as much as it was seen to, and clocks tick.
		limit.Uncertainty = max(jitter, profile.Duration(time.Millisecond))
		if longest := profile.SpreadOf(open).High; longest > limit.High+limit.Uncertainty+profile.Slack(limit.High) {
			limit = profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: limit.Low - limit.Uncertainty, N: n}, Method: method,
				Why: limits.SomeEnded(len(ended), len(ended)+len(open), time.Duration(limit.Low), time.Duration(longest))}
		}
	case len(open) > 0:
		limit.State, limit.Why, limit.Ending = profile.AtLeast, "", ""
		limit.Low, limit.N = profile.SpreadOf(open).Low, len(open)
	}
	return limit
}

// allWatched are all connections that have been watched so far.
func (p *Server) allWatched() (watched []limits.Sighting) {
	p.Record(func(*profile.Profile) { watched = slices.Clone(p.watched) })
	return watched
}

// jitter is by how much the handshakes at the beginning differed.
func (p *Server) jitter() (jitter profile.Duration) {
	p.Record(func(doc *profile.Profile) { jitter = doc.RTT.High - doc.RTT.Low })
	return jitter
}

// differ reports whether connections that were watched, of whatever kind, were kept for
// different times, none of which is long. It gives those that began later some time to end.
func (p *Server) differ(ctx context.Context) bool {
	for range 20 {
		watched := p.allWatched()
		n, kept := len(watched), limits.Range{}
		for _, s := range watched {
			if s.How != "" {
				kept.Add(s.Idle)
			}
		}
		if kept.High > watchedAgain {
			return false
		}
		if kept.Width() > 5*limits.Together {
			return true
		}
		if n >= MostConnections || prober.Sleep(ctx, limits.Staggered/10) != nil {
			return false
		}
	}
	return false
}

func (p *Server) idleAfterAnswer(ctx context.Context) {
	limit := p.watch(ctx, 0, 2, "connections that had one answer, to a query without edns-tcp-keepalive, were left alone until the server ended them", func(c *conn) error {
		_, _, err := c.lookUp(ctx, p.query, dns.Options{})
		return err
	})
	if limit.State == profile.Measured {
		p.Settled(time.Duration(limit.Median))
	}
	p.RecordOf(p.stream(), func(h *profile.Protocol) { h.AfterResponse = limit })
	p.Judge(conformance.IdleDNS{Limit: limit})
}

// keepalive asks for the idle limit, and holds it against what it sees.
func (p *Server) keepalive(ctx context.Context) {
	var announced linger.Opt[time.Duration]
	empty := false
	limit := p.watch(ctx, limits.Staggered/3, 1, "a connection that had one answer, to a query with edns-tcp-keepalive, was left alone until the server ended it", func(c *conn) error {
		m, _, err := c.lookUp(ctx, p.query, dns.Options{Keepalive: true})
		announced, empty = m.Keepalive, m.HasKeepalive && m.Keepalive.IsZero()
		return err
	})
	said, ok := announced.Get()
	p.Record(func(doc *profile.Profile) {
		doc.DNS.AfterKeepalive = limit
		if ok {
			doc.ProtocolNamed(p.stream()).Announced.Timeout = linger.Known(profile.Duration(said))
		}
	})
	p.Judge(conformance.KeepaliveDNS{Announced: announced, Empty: empty, Limit: limit})
}

func (p *Server) idleAfterConnect(ctx context.Context) {
	limit := p.watch(ctx, limits.Staggered, 1, "a connection on which nothing was said was left alone until the server ended it", func(*conn) error { return nil })
	p.Record(func(doc *profile.Profile) {
		if protocol := doc.ProtocolNamed(p.stream()); p.Target.TLS != nil {
			protocol.AfterTLS = limit
		} else {
			protocol.AfterConnect = limit
		}
	})
}
