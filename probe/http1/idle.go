package http1

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"linger"
	"linger/conformance"
	"linger/dial"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

const (
	// idleConnections are how many watch the limit after a response: enough to see
	// whether it spreads, as that of a server that looks once a second does. As many as
	// unusedConnections watch those that were never used.
	idleConnections   = 4
	unusedConnections = 2
)

// watch watches n connections at once, once prepare has done what comes before the
// silence and returned when that began. They begin a part of a second apart, so that a
// server whose clock ticks shows that it does.
func (p *Server) watch(ctx context.Context, n int, prepare func(i int) (*Conn, limits.Span, error)) []limits.Sighting {
	seen := make([]limits.Sighting, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			s := &seen[i]
			if s.Err = prober.Sleep(ctx, limits.Begins(i, n)); s.Err != nil {
				return
			}
			c, since, err := prepare(i)
			if err != nil {
				s.Err = err
				return
			}
			wait, cancel := p.Wait(ctx)
			defer cancel()
			s.End, s.Long = c.AwaitEnd(wait), i == 0
			c.heed(&s.End, since.Last)
			s.Reckon(since, p.Path(), limits.TCPAcknowledges)
			if s.How == "" {
				c.Drop()
				return
			}
			p.leave(ctx, c, "an idle connection that it had ended")
		})
	}
	all.Wait()
	return seen
}

// idleAfterResponse watches connections that have had one response.
func (p *Server) idleAfterResponse(ctx context.Context) {
	seen := p.watch(ctx, p.Few(idleConnections), func(i int) (*Conn, limits.Span, error) {
		c, err := p.open(ctx, nil)
		if err != nil {
			return nil, limits.Span{}, err
		}
		q := p.smaller()
		if i == 0 {
			q = Request{}
		}
		a, err := p.Exchange(ctx, c, q)
		if err != nil {
			c.Drop()
			return nil, limits.Span{}, err
		}
		if a.close {
			p.closes(ctx, c, a, "after one response")
			c.Drop()
			return nil, limits.Span{}, errors.New("it ends each connection after one response")
		}
		return c, c.Span, nil
	})
	limit := p.LimitAfterResponse(seen, limits.Idle)
	for _, s := range seen {
		p.ended(s.How, "an idle connection")
	}
	switch {
	case limit.State == profile.Measured:
		p.Settled(time.Duration(limit.Median))
	case p.Most == 1:
		p.Settled(0) // what else would be waited for is in the way of everybody
	}
	p.note(func(f *facts) { f.Watched, f.Words = limit, limit.Said })
	p.RecordOf(linger.HTTP11, func(h *profile.Protocol) {
		h.Offered, h.AfterResponse = true, limit
	})
}

// idleAfterConnect watches connections on which nothing was sent at all.
func (p *Server) idleAfterConnect(ctx context.Context) {
	seen := p.watch(ctx, p.Few(unusedConnections), func(int) (*Conn, limits.Span, error) {
		c, err := p.Connect(ctx)
		if err != nil {
			return nil, limits.Span{}, err
		}
		return p.On(c), limits.At(c.Established), nil
	})
	// The server counts from when our ACK has reached it, or from when it was accepted.
	limit := limits.Idle(seen, p.PathUncertainty()+p.RoundTrip(), "connections on which nothing was sent were left alone until the server ended them")
	p.note(func(f *facts) { f.Unused = cmp.Or(f.Unused, limit.Said) })
	p.RecordOf(linger.HTTP11, func(h *profile.Protocol) { h.AfterConnect = limit })
}

// idleAfterTLS watches connections on which nothing was sent behind TLS's handshake.
func (p *Server) idleAfterTLS(ctx context.Context) {
	if p.Target.TLS == nil {
		return
	}
	seen := p.watch(ctx, p.Few(unusedConnections), func(int) (*Conn, limits.Span, error) {
		c, err := p.open(ctx, nil)
		if err != nil {
			return nil, limits.Span{}, err
		}
		return c, limits.At(c.Ready), nil
	})
	limit := limits.Idle(seen, p.PathUncertainty()+p.RoundTrip(), "connections on which nothing was sent behind TLS's handshake were left alone until the server ended them")
	p.note(func(f *facts) { f.Unused = cmp.Or(f.Unused, limit.Said) })
	p.RecordOf(linger.HTTP11, func(h *profile.Protocol) { h.AfterTLS = limit })
}

const (
	// rungs are how many connections are asked again after waits that grow.
	rungs = 6
	// rounds of narrowing connections each find out where a connection falls silent.
	rounds, narrowing = 2, 3
)

// askedAgain asks connections again after waits that grow, which finds those that look
// open and are not. Where some answer and others do not, the limit lies between: more
// waits there narrow it.
func (p *Server) askedAgain(ctx context.Context) {
	const least, factor = 300 * time.Millisecond, 3
	var waits []time.Duration
	for w := float64(least); len(waits) < rungs && w < float64(p.MaxWait); w *= factor {
		waits = append(waits, time.Duration(w))
	}
	watched := false
	p.note(func(f *facts) { watched = f.Watched.State == profile.Measured })
	if watched && p.Sparing() {
		return // it is known that they do not look open, and those who wait are in the way
	}
	began := time.Now()
	low, high, how := p.askAfter(ctx, waits, p.Answer)
	// That it falls silent is known by now, so that less time shows it again.
	again := min(p.Answer, time.Second+10*p.RoundTrip())
	for range rounds {
		if how == "" || time.Since(began)+high > p.MaxWait || high-low < high/50 {
			break
		}
		waits = waits[:0]
		for i := range narrowing {
			waits = append(waits, low+(high-low)*time.Duration(i+1)/(narrowing+1))
		}
		l, h, failed := p.askAfter(ctx, waits, again)
		if low = max(low, l); failed != "" {
			high = min(high, h)
		}
	}
	p.note(func(f *facts) { f.Looked = conformance.AskedAgain{Answered: low, Failed: high, How: how} })
	if how != "" {
		p.Settled(high)
	}
}

// askAfter asks connections again, each after a wait of its own, and returns the
// longest wait after which one answered, and the shortest after which one did not
// within so long, though it seemed to be open, and what came instead.
func (p *Server) askAfter(ctx context.Context, waits []time.Duration, within time.Duration) (low, high time.Duration, how profile.Ending) {
	patience, cancel := p.Wait(ctx)
	defer cancel()
	shorter, stop := context.WithCancel(patience) // no need to wait longer than what failed
	defer stop()
	seen := make([]limits.Asked, len(waits))
	turn := prober.NewSlots(p.Few(len(waits)))
	var all sync.WaitGroup
	for i, w := range waits {
		all.Go(func() {
			if !turn.Take(patience, 1) {
				return
			}
			defer turn.Give(1)
			if seen[i] = p.askOneAfter(ctx, shorter, w, within); seen[i].How != "" {
				time.AfterFunc(time.Second, stop)
			}
		})
	}
	all.Wait()
	return limits.Bracket(seen)
}

// askOneAfter asks one connection again after a wait, if that does not end before.
func (p *Server) askOneAfter(ctx, waiting context.Context, wait, within time.Duration) (seen limits.Asked) {
	c, err := p.open(ctx, nil)
	if err != nil {
		return seen
	}
	defer c.Drop()
	a, err := p.Exchange(ctx, c, p.smaller())
	if err != nil {
		return seen
	}
	if a.close {
		p.closes(ctx, c, a, "after one response")
		return seen
	}
	began := c.Span
	until, cancel := context.WithDeadline(waiting, c.Last.Add(wait))
	defer cancel()
	if e := c.AwaitEnd(until); e.How != "" || e.Err != nil || time.Since(c.Last) < wait {
		return seen // ended before, or not waited for
	}
	seen.Wait = time.Since(c.Last)
	again := p.smaller()
	again.within = within
	_, err = p.Exchange(ctx, c, again)
	if err != nil {
		seen.Wait += began.Last.Sub(began.First) // for which the server may have counted, too
	}
	switch {
	case err == nil:
		seen.Answered = true
	case ctx.Err() != nil:
	case errors.Is(err, os.ErrDeadlineExceeded):
		seen.How = profile.Silence
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), dial.IsReset(err):
		seen.How = profile.AtRequest
	}
	return seen
}
