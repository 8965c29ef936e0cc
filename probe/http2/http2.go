// Package http2 asks a server of HTTP/2 what it does with connections: what it says of itself,
// for how long it keeps connections and whether PING lengthens that, how many requests and
// streams they carry, and what its GOAWAY names.
//
// It speaks the protocol itself, frame by frame, so that nothing but what an experiment
// means to send counts as use of a connection. Whoever asks first finds out whether the
// server speaks HTTP/2 at all.
package http2

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"linger"
	"linger/conformance"
	"linger/probe/prober"
	"linger/profile"
)

const (
	// What is asked on a connection to see how many requests it carries.
	mostCounted = 16
	// How many streams are opened at once at most to see one refused.
	mostStreams = 8
	// firstTries is how often the first request is sent where it is refused.
	firstTries = 3
	// behind is how long GOAWAY may come behind the response that it belongs to.
	behind = 20 * time.Millisecond
	// noLast names no stream: "the last stream identifier set to 2^31-1" (RFC 9113, 6.8).
	noLast = 1<<31 - 1
	// Connections that are watched: silent since TLS's handshake, since the prefaces,
	// since a response, and one that sends nothing but PING.
	silentConnections, settledConnections, answeredConnections, pingedConnections = 1, 1, 3, 1
)

// An Server is a server of HTTP/2, as far as it is known.
type Server struct {
	*prober.Prober
	once    sync.Once
	offered bool
	streams linger.Opt[uint64] // SETTINGS_MAX_CONCURRENT_STREAMS
	useless string             // why no request can be sent; "" is that it can
}

// New is the server that p probes.
func New(p *prober.Prober) *Server { return &Server{Prober: p} }

// Experiments are those of HTTP/2.
func (p *Server) Experiments() []prober.Experiment {
	return []prober.Experiment{
		{
			Name: Idle, Connections: silentConnections + settledConnections + answeredConnections + pingedConnections, Requests: answeredConnections + pingedConnections, Waits: true,
			Cases:   []string{"goaway-idle"},
			Figures: []string{"idle_h2", "ending_h2", "idle_tls_h2"},
			Run:     p.idle,
		},
		{
			Name: "what HTTP/2 says", Connections: 1, Requests: firstTries,
			Cases:   []string{"h2-settings-first", "h2-settings-acknowledged", "h2-ping-answered", "h2-connection-fields", "h2-usable", "h2-parallel"},
			Figures: []string{linger.H2.Short()},
			Run:     func(ctx context.Context) { p.speaks(ctx) },
		},
		{
			Name: "requests on a connection of HTTP/2", Connections: 1, Requests: mostCounted,
			Cases:   endCases,
			Figures: []string{"requests_h2"},
			Run:     p.count,
		},
		{
			Name: "streams at once on HTTP/2", Connections: 1, Requests: mostStreams,
			Cases: []string{"h2-stream-limit"},
			Run:   p.crowd,
		},
	}
}

// Idle names the experiment that measures for how long a connection may be idle.
const Idle = "idle on HTTP/2"

// endCases are the cases that the end of a used connection decides.
var endCases = []string{"goaway-last-stream", "goaway-in-time", "goaway-never-rises", "goaway-last-request"}

// speaks reports whether the server speaks HTTP/2. Who asks first finds it out, on
// one connection, and with it what the server says of itself.
func (p *Server) speaks(ctx context.Context) bool {
	p.once.Do(func() {
		none := p.greet(ctx)
		p.RecordOf(linger.H2, func(h *profile.Protocol) {
			h.Offered, h.Declined, h.Why = p.offered, none.Declined, none.Why
		})
		if !p.offered {
			p.Decide(conformance.NotOffered(linger.H2, none.Why))
		}
	})
	return p.offered
}

// greet finds out whether the server speaks HTTP/2, or why it does not.
func (p *Server) greet(ctx context.Context) (why prober.Absence) {
	c, err := p.open(ctx)
	if none, ok := errors.AsType[absent](err); ok {
		return prober.NotOffered(none.Error())
	} else if err != nil {
		return prober.NotKnown(err.Error())
	}
	defer c.Drop()
	err = c.greet(ctx)
	switch {
	case err != nil && c.State == nil && !c.begun:
		return prober.NotOffered("the preface of HTTP/2 in cleartext was not answered by its own")
	case err != nil && !c.begun:
		return prober.Absence{Why: "it chose h2 (ALPN), and then did not speak it: " + err.Error()}
	case err != nil && c.State == nil:
		return prober.NotOffered(err.Error())
	}
	p.offered = true
	greeting := conformance.Greeting{First: c.first.String(), Settings: c.first == http2.FrameSettings, Within: p.Answer}
	defer func() { p.Judge(greeting) }()
	if err != nil {
		return prober.Absence{Why: "it began by " + c.first.String() + ", and no SETTINGS came: " + err.Error()}
	}
	p.RecordOf(linger.H2, func(h *profile.Protocol) { h.Announced.Settings = c.settings })
	if n, said := c.allowed(); said {
		p.streams = linger.Known(n)
	}
	if greeting.Why = p.answersFrames(ctx, c, &greeting); greeting.Why == "" {
		p.isUsable(ctx, c)
	}
	return prober.Absence{}
}

// answersFrames sees whether SETTINGS is acknowledged and PING is answered. What it returns
// is why what came instead makes no sense.
func (p *Server) answersFrames(ctx context.Context, c *conn, greeting *conformance.Greeting) (garbled string) {
	err := c.read(ctx, p.Answer, func() bool { return c.acknowledged })
	if greeting.Acknowledged = next(err); greeting.Acknowledged == conformance.Garbled {
		return err.Error()
	}
	asked := time.Now()
	if err = c.ping(); err == nil {
		err = c.read(ctx, p.Answer, c.pong)
	}
	greeting.Took = time.Since(asked)
	if greeting.Ponged = next(err); greeting.Ponged == conformance.Garbled {
		return err.Error()
	}
	p.RecordOf(linger.H2, func(h *profile.Protocol) {
		h.Ping = &profile.Ping{Answered: linger.Known(err == nil)}
	})
	return ""
}

// isUsable sees whether a request is answered, and looks at the fields of the response.
func (p *Server) isUsable(ctx context.Context, c *conn) {
	use := conformance.Use{Within: p.Answer}
	a, err := c.get(ctx)
	for use.Tried = 1; use.Tried < firstTries && a.isRefused(); use.Tried++ {
		a, err = c.get(ctx)
	}
	if n, said := c.allowed(); said {
		use.Allowed = linger.Known(n) // it may have been changed since
	}
	use.Answered = err == nil
	if err != nil {
		use.Why = err.Error()
		_, bars := errors.AsType[prober.Barred](err)
		use.Refused = bars || a.isRefused() || a.beyond != ""
		if use.Refused {
			p.useless = use.Why
		}
	}
	if ctx.Err() == nil && err != prober.ErrSpent {
		p.Judge(use)
	}
	if err != nil {
		p.Unmeasured(err.Error(), "h2-connection-fields")
		return
	}
	names := make([]string, 0, len(a.fields))
	for _, f := range a.fields {
		names = append(names, f.Name)
		if f.Name == "alt-svc" && c.altSvc == "" {
			c.altSvc = f.Value
		}
	}
	p.Judge(conformance.Fields{Protocol: linger.H2, Status: a.status, Names: names})
	p.AnnouncedAltSvc(c.altSvc)
}
