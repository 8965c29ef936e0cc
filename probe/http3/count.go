package http3

import (
	"context"
	"time"

	"linger"
	"linger/probe/limits"
	"linger/profile"
)

// count asks on one connection until the server has enough of it.
func (p *Server) count(ctx context.Context) {
	if !p.speaks(ctx) {
		return
	}
	count := profile.Count{State: profile.Unknown}
	c, err := p.open(ctx, nil)
	if err != nil {
		count.Why = quicCause(err)
	} else {
		defer c.drop()
		used, unanswered := c.askUntilEnd(ctx)
		if count = used.Count(unanswered); count.N > 0 && used.ByError() {
			p.EndedByError(linger.H3, count)
		}
	}
	p.RecordOf(linger.H3, func(h *profile.Protocol) { h.Requests = count })
}

// askUntilEnd asks one request after the other until the server ends the connection.
// unanswered is why none was answered, where that is so.
func (c *conn) askUntilEnd(ctx context.Context) (used limits.Used, unanswered string) {
	var err error
	for range mostCounted {
		var a answer
		if a, err = c.get(ctx); err != nil {
			break
		}
		used.Answered += a.tries
		if c.isOver(ctx) {
			break
		}
	}
	if err != nil {
		used.Why, unanswered = quicCause(err), quicCause(err)
	}
	// A stream hears of the connection's end before the connection itself is done.
	if used.Ended = c.isOver(ctx); used.Ended {
		e := c.awaitEnd(ctx)
		used.Ending, used.Closing = e.How, e.Closing
		if e.How != "" {
			unanswered = "the server ended the connection before it had answered a request: " + e.How.Told(e.Closing)
		}
	}
	return used, unanswered
}

// isOver reports whether the server has ended the connection, or said that it will. GOAWAY
// goes by another stream than the response that it came with.
func (c *conn) isOver(ctx context.Context) bool {
	short, cancel := context.WithTimeout(ctx, c.prober.RoundTrip()+20*time.Millisecond)
	defer cancel()
	select {
	case <-c.goaway:
		return true
	case <-c.Context().Done():
		return true
	case <-short.Done():
		return false
	}
}
