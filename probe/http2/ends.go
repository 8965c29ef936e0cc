package http2

import (
	"cmp"
	"context"
	"net/http"

	"golang.org/x/net/http2"

	"linger"
	"linger/conformance"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// count asks on one connection until the server has enough of it.
func (p *Server) count(ctx context.Context) {
	if !p.speaks(ctx) {
		return
	}
	if p.useless != "" {
		p.counted(profile.Count{State: profile.Unknown, Why: p.useless})
		p.Unmeasured(p.useless, endCases...)
		return
	}
	c, err := p.open(ctx)
	if err != nil {
		p.counted(profile.Count{State: profile.Unknown, Why: err.Error()})
		return
	}
	defer c.Drop()
	answered := 0
	if err = c.greet(ctx); err == nil {
		answered, err = c.askUntilEnd(ctx, mostCounted)
	}
	if len(c.goaways) > 0 {
		// A second one may follow, and what is under way must be answered.
		c.awaitEnd(ctx)
	}
	found := c.usedUp(answered)
	used := limits.Used{Answered: answered, Ended: found.Ended, Ending: found.How, Closing: found.Closing}
	unanswered := ""
	if err != nil {
		used.Why, unanswered = err.Error(), err.Error()
	}
	if found.Closing != nil {
		unanswered = "the server ended the connection before it had answered a request: " + found.Closing.String()
	}
	count := used.Count(unanswered)
	p.counted(count)
	if answered == 0 {
		p.Unmeasured(count.Why, endCases...)
		return
	}
	if used.ByError() {
		p.EndedByError(linger.H2, count)
	}
	p.Judge(found)
}

// counted notes how many requests a connection carries.
func (p *Server) counted(count profile.Count) {
	p.RecordOf(linger.H2, func(h *profile.Protocol) { h.Requests = count })
}

// usedUp is how the connection ended, or did not, on which so many requests were answered.
func (c *conn) usedUp(answered int) conformance.UsedUp {
	found := conformance.UsedUp{
		Responses: answered, Asked: mostCounted, Ended: len(c.goaways) > 0 || c.over.How != "", Abrupt: c.isAbrupt(),
	}
	if found.Ended {
		found.How, found.Closing = cmp.Or(c.over.How, profile.GOAWAYOpen), c.closing()
	}
	for _, g := range c.goaways {
		found.GOAWAY = append(found.GOAWAY, g.last)
	}
	for id, a := range c.streams {
		if a.status != 0 {
			found.Last = max(found.Last, id)
		}
	}
	return found
}

// askUntilEnd asks one request after the other, most of them at most, and returns how many
// were answered up to the one with which GOAWAY came. What was refused is asked again.
func (c *conn) askUntilEnd(ctx context.Context, most int) (answered int, err error) {
	for range most {
		a, err := c.get(ctx)
		switch {
		case a.isRefused():
			continue
		case err != nil:
			return answered, err
		}
		answered += a.tries
		// GOAWAY may come right behind the response: then no further stream may be opened.
		err = c.read(ctx, behind, func() bool { return len(c.goaways) > 0 })
		if err != prober.ErrSilent {
			return answered, err
		}
	}
	return answered, nil
}

// crowd opens one stream more than the server allows, where that takes
// few. They are requests whose end is left open, so that a server that waits for it has
// all of them at once; one that does not may be through with each before the next.
func (p *Server) crowd(ctx context.Context) {
	if !p.speaks(ctx) {
		return
	}
	found := conformance.Streams{Allowed: p.streams, Most: mostStreams}
	if p.useless != "" {
		p.Unmeasured(p.useless, "h2-stream-limit")
		return
	}
	if !found.Tried() {
		p.Judge(found)
		return
	}
	c, err := p.open(ctx)
	if err == nil {
		defer c.Drop()
		err = c.openStreams(ctx, found.Allowed.Or(0)+1)
	}
	if err != nil {
		p.Unmeasured(err.Error(), "h2-stream-limit")
		return
	}
	look := func() {
		found.Done = true
		for _, a := range c.streams {
			if why, reset := a.refused.Get(); reset && a.status == 0 {
				found.Refused, found.Code = true, why.String()
				found.Ours = why == http2.ErrCodeRefusedStream || why == http2.ErrCodeProtocol
			}
			found.Done = found.Done && a.done()
		}
	}
	err = c.read(ctx, p.Answer, func() bool { look(); return found.Refused || found.Done })
	if look(); !found.Done || found.Refused {
		if err == nil {
			if err = c.ping(); err == nil {
				err = c.read(ctx, p.Answer, c.pong)
			}
		}
		done := found.Done
		look()
		found.Done, found.Lives, found.Over = done, err == nil, c.over.How != ""
	}
	p.Judge(found)
}

// openStreams greets, and begins so many requests whose end is left open.
func (c *conn) openStreams(ctx context.Context, n uint64) error {
	err := c.greet(ctx)
	if err == nil {
		err = c.read(ctx, c.Prober.Answer, func() bool { return c.acknowledged })
	}
	for range n {
		if err == nil {
			_, err = c.ask(http.MethodGet, false)
		}
	}
	if err == nil {
		err = c.flush()
	}
	return err
}
