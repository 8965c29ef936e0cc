package http1

import (
	"context"
	"net/http"
	"strings"

	"linger"
	"linger/conformance"
	"linger/probe/prober"
	"linger/profile"
)

const (
	// pipelined requests are sent at once.
	pipelined = 6
	survivals = 7
)

// nowhere is a path that a server is unlikely to have.
const nowhere = "/linger-probe-of-what-is-not-here"

// pipeline sends requests without waiting, two in turn that are answered differently.
func (p *Server) pipeline(ctx context.Context) {
	found := profile.Pipelining{State: profile.Unknown, Sent: pipelined}
	defer func() {
		p.RecordOf(linger.HTTP11, func(h *profile.Protocol) { h.Pipelining = &found })
	}()
	turns, err := p.findTurns(ctx)
	if err != nil {
		found.Why = err.Error()
		return
	}
	c, err := p.open(ctx, nil)
	if err != nil {
		found.Why = err.Error()
		return
	}
	defer c.Drop()
	var requests []Request
	for i := range pipelined {
		requests = append(requests, turns.requests[i%2])
	}
	if err := c.send(requests...); err != nil {
		found.Why = err.Error()
		return
	}
	found.State = profile.Measured
	seen := conformance.Pipelined{Sent: pipelined, Alike: !turns.differ}
	for i, q := range requests {
		a, err := c.receive(ctx, q)
		if err != nil {
			found.Why, seen.Strayed = "the rest was not answered: "+prober.Cause(err), err == errStray
			break
		}
		if turns.take(&seen, i, a); a.close {
			break
		}
	}
	found.Answered, found.InOrder = seen.Answered, seen.InOrder()
	p.Judge(seen)
}

// turns are two requests that are sent in turn, and how each is answered when it is asked
// alone. Where that differs, it shows in which order answers come.
type turns struct {
	requests [2]Request
	alone    [2]answer
	differ   bool
}

// findTurns looks for a request that is answered differently from the ordinary one.
func (p *Server) findTurns(ctx context.Context) (t turns, err error) {
	for i, q := range []Request{{}, {path: nowhere}, {method: http.MethodOptions}} {
		c, err := p.open(ctx, nil)
		if err != nil {
			return t, err
		}
		a, err := p.Exchange(ctx, c, q)
		c.Drop()
		switch {
		case err != nil:
			return t, err
		case i == 0:
			t.alone = [2]answer{a, a}
		case !a.like(t.alone[0]) && !prober.IsRefusal(a.Status):
			t.requests[1], t.alone[1], t.differ = q, a, true
			return t, nil
		}
	}
	return t, nil
}

// take notes the answer that came to request i, counted from 0.
func (t turns) take(seen *conformance.Pipelined, i int, a answer) {
	seen.Answered++
	want, neighbour := t.alone[i%2], t.alone[(i+1)%2]
	switch {
	case !t.differ || a.like(want):
	case prober.IsRefusal(a.Status):
		seen.Alike = true // any of them may be answered so
	case a.like(neighbour):
		if seen.Wrong == 0 {
			seen.Wrong, seen.Status, seen.Want = i+1, a.Status, want.Status
		}
	default:
		seen.Alike = true // what it is asked is answered otherwise each time
	}
}

// like reports whether two answers cannot be told apart.
func (a answer) like(b answer) bool {
	return a.Status == b.Status && (a.Status/100 != 2 || a.length == b.length)
}

// survive asks for one thing, and then for the ordinary one on the same connection.
func (p *Server) survive(ctx context.Context) {
	var validator []string
	ask := func(what string, q Request) {
		s := profile.Survival{What: what, State: profile.Unknown}
		defer func() { p.Record(func(doc *profile.Profile) { doc.Survives = append(doc.Survives, s) }) }()
		c, err := p.open(ctx, nil)
		if err != nil {
			s.Why = err.Error()
			return
		}
		defer c.Drop()
		a, err := p.Exchange(ctx, c, q)
		if err != nil {
			s.Why = "no answer: " + prober.Cause(err)
			return
		}
		s.Status, s.Said = a.Status, linger.Brief(strings.Join(a.header.Values("Connection"), ", "))
		if known := a.validator(); q.method == "" && validator == nil && known != "" {
			validator = []string{known}
		}
		if a.close {
			s.State = profile.Measured
			p.closes(ctx, c, a, "after "+what)
			return
		}
		if e := c.lull(ctx, lulled); e.How != "" {
			s.State = profile.Measured
			p.endedUnsaid(c, e, what)
			return
		}
		_, err = p.Exchange(ctx, c, Request{})
		switch {
		case err == nil:
			s.State, s.Kept = profile.Measured, true
		case prober.Ends(err):
			s.State = profile.Measured
		default:
			s.Why = prober.Cause(err)
		}
	}
	ask("GET", Request{})
	ask("HEAD", Request{method: http.MethodHead})
	ask("OPTIONS", Request{method: http.MethodOptions})
	ask("POST, no content", Request{method: http.MethodPost, Fields: []string{"Content-Length: 0"}})
	ask("GET of what is not there", Request{path: nowhere})
	ask("an unknown method", Request{method: "LINGER"})
	if validator != nil {
		ask("GET of what is known", Request{Fields: validator})
	}
}
