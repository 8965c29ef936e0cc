package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"linger"
	"linger/dial"
	"linger/probe/prober"
	"linger/profile"
)

// ReachRequests are how many requests Reach sends at most.
const ReachRequests = 1 + smallRequests + crowdMost - 1 + unusedRounds

// Reach finds the address that answers, the round-trip time to it, and what its
// ordinary answer is.
func (p *Server) Reach(ctx context.Context) error {
	port := p.URL.Port()
	if port == "" {
		port = linger.SchemePort(p.URL.Scheme)
	}
	p.Target.Address = net.JoinHostPort(p.URL.Hostname(), port)
	const samples = 3
	var handshakes []time.Duration
	for range samples {
		began := time.Now()
		c, err := p.open(ctx, nil)
		if err != nil {
			return dial.Unreachable(err.Error())
		}
		p.Settle(c.Connection)
		handshakes = append(handshakes, c.Handshake)
		if len(handshakes) == 1 && p.Insecure && c.State != nil {
			p.TakeAnyway(*c.State)
		}
		if len(handshakes) == samples {
			a, err := p.Exchange(ctx, c, Request{})
			if prober.IsTurnedAway(err) {
				c.Drop()
				return dial.Unreachable(fmt.Sprintf("%s at %s was answered %d, %d times in a row; try later, or name another path", p.asked(), p.Target.Address, a.Status, p.RefusedSoFar()))
			}
			if err != nil && (a.Status == 0 || !errors.Is(err, io.ErrUnexpectedEOF) && err != errFraming) {
				c.Drop()
				return dial.Unreachable("no answer to " + p.asked() + " from " + p.Target.Address + ": " + p.TooLate(err))
			}
			p.Record(func(doc *profile.Profile) {
				doc.Baseline = profile.Baseline{Status: a.Status, Bytes: a.length}
				doc.Software = linger.Brief(a.header.Get("Server"))
			})
			p.AnnouncedAltSvc(a.header.Get("Alt-Svc"))
			p.usual = usual{a, c.Last.Sub(c.Asked), time.Since(began)}
		}
		c.Drop()
	}
	p.Reached(handshakes)
	p.findSmall(ctx)
	p.findServed(ctx, p.usual)
	return nil
}

// asked is how the ordinary request begins, as messages name it.
func (p *Server) asked() string { return p.Method("") + " " + p.Target.Path }

const (
	// smallContent is what fits into the first flight of any server, in bytes: four
	// segments (RFC 3390).
	smallContent = 4 << 10
	// smallRequests are sent at most to find a request with a small response.
	smallRequests = 6
)

// A usual response is that to a request which nothing is the matter with.
type usual struct {
	answer
	took  time.Duration // from the request to its end
	whole time.Duration // from opening the connection
}

// smaller is the request that has a small response, or the ordinary one.
func (p *Server) smaller() Request {
	return Request{method: p.Small.Method, Fields: p.Small.Fields}
}

// findSmall looks for a request with a response of one flight, where the ordinary one
// takes more: one that the client is said to know already, its head alone, or its
// first byte. It has to leave the connection as the ordinary one does.
func (p *Server) findSmall(ctx context.Context) {
	a := p.usual
	if a.length <= smallContent || a.close {
		return
	}
	try := func(q prober.Asking, fits func(answer) bool) bool {
		c, err := p.open(ctx, nil)
		if err != nil {
			return false
		}
		defer c.Drop()
		var got answer
		for range 2 { // what is left behind the first would be found in front of the second
			if got, err = p.Exchange(ctx, c, Request{method: q.Method, Fields: q.Fields}); err != nil || got.close || got.length > smallContent || !fits(got) || got.header.Get("Connection") != a.header.Get("Connection") {
				return false
			}
		}
		p.Small, p.usual.Status, p.usual.took = q, got.Status, c.Last.Sub(c.Asked)
		return true
	}
	status := func(want int) func(answer) bool { return func(a answer) bool { return a.Status == want } }
	known := a.validator()
	switch {
	case a.Status == http.StatusOK && known != "" && try(prober.Asking{Fields: []string{known}}, status(http.StatusNotModified)):
	case try(prober.Asking{Method: http.MethodHead}, status(a.Status)):
	case a.Status == http.StatusOK && a.header.Get("Accept-Ranges") == "bytes":
		try(prober.Asking{Fields: []string{"Range: bytes=0-0"}}, status(http.StatusPartialContent))
	}
}
