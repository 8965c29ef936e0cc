// Package http3 asks a server of HTTP/3 what it does with connections: whether it is where
// Alt-Svc says, what it says of itself, for how long it keeps connections, and how many
// requests they carry.
//
// Frames are its own, packets those of the QUIC stack, whose events tell what its interface
// does not: Retry, tokens and max_idle_timeout. Whoever asks first finds out whether the
// server speaks HTTP/3 at all.
package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/conformance"
	"linger/probe/prober"
	"linger/profile"
	"linger/wire"
)

const (
	// What is asked on a connection to see how many requests it carries.
	mostCounted = 8
	// Connections that are watched: silent since the handshake, since a response, and
	// one that is asked again when most of the announced limit is over.
	silentConnections, answeredConnections, revisitedConnections = 1, 3, 1
)

// An Server is a server of HTTP/3, as far as it is known.
type Server struct {
	*prober.Prober
	once    sync.Once
	offered bool
	address string // where it was tried
}

// New is the server that p probes.
func New(p *prober.Prober) *Server { return &Server{Prober: p} }

// Experiments are those of HTTP/3.
func (p *Server) Experiments() []prober.Experiment {
	return []prober.Experiment{
		{
			Name: idleName, OverUDP: true, Connections: silentConnections + answeredConnections + revisitedConnections, Requests: answeredConnections + 2*revisitedConnections, Waits: true,
			Cases:   []string{"h3-goaway-idle", "h3-idle-kept"},
			Figures: []string{"idle_h3", "ending_h3", "idle_tls_h3"},
			Run:     p.idle,
		},
		{
			Name: "what HTTP/3 says", OverUDP: true, Connections: 1, Requests: 1,
			Cases:   []string{"alt-svc-true", "h3-settings-first", "h3-connection-fields"},
			Figures: []string{linger.H3.Short(), "alt_svc", "announced_h3"},
			Run:     func(ctx context.Context) { p.speaks(ctx) },
		},
		{
			Name: "requests on a connection of HTTP/3", OverUDP: true, Connections: 1, Requests: mostCounted,
			Figures: []string{"requests_h3"},
			Run:     p.count,
		},
	}
}

const idleName = "idle on HTTP/3"

// speaks reports whether the server speaks HTTP/3, where Alt-Svc says, or at the
// same port. Who asks first finds it out.
func (p *Server) speaks(ctx context.Context) bool {
	p.once.Do(func() {
		none := p.greet(ctx)
		p.Record(func(doc *profile.Profile) {
			h := doc.ProtocolNamed(linger.H3)
			h.Offered, h.Declined, h.Why = p.offered, none.Declined, none.Why
			if doc.AltSvc == nil {
				doc.AltSvc = new(profile.AltSvc)
			}
			if p.Target.TLS != nil {
				doc.AltSvc.Works = linger.Known(p.offered)
			}
			doc.AltSvc.Why = none.Why
		})
		if !p.offered {
			p.Decide(conformance.NotOffered(linger.H3, none.Why))
		}
	})
	return p.offered
}

func (p *Server) greet(ctx context.Context) prober.Absence {
	if p.Target.TLS == nil {
		return prober.NotOffered("the target is in cleartext")
	}
	if p.Route.Unix != "" {
		return prober.NotOffered("the target is behind a Unix socket")
	}
	host, port, err := net.SplitHostPort(p.Target.Address)
	if err != nil {
		return prober.NotKnown(err.Error())
	}
	var value string
	p.Record(func(doc *profile.Profile) {
		if doc.AltSvc != nil {
			value = doc.AltSvc.Value
		}
	})
	otherHost, otherPort, announced := alternative(value, http3.NextProtoH3)
	if announced {
		port = otherPort
		if otherHost != "" && otherHost != p.URL.Hostname() {
			host = otherHost
		}
	}
	p.address = net.JoinHostPort(host, port)
	store := new(prober.TicketStore)
	c, err := p.open(ctx, store)
	var a answer
	if err == nil {
		defer c.drop()
		a, err = c.get(ctx)
	}
	if c == nil {
		why := "no HTTP/3 at " + p.address + " (UDP): " + quicCause(err)
		if ctx.Err() == nil {
			p.Judge(conformance.Announcement{Announced: announced, Why: why})
		}
		if _, wrong := errors.AsType[*tls.CertificateVerificationError](err); wrong {
			return prober.NotKnown(quicCause(err))
		}
		return prober.NotOffered(why)
	}
	p.offered = true
	alternative := conformance.Announcement{Announced: announced, Offered: true, Status: a.status}
	if err != nil {
		alternative.Why = quicCause(err)
		p.Unmeasured(alternative.Why, "h3-connection-fields")
	} else {
		p.Judge(conformance.Fields{Protocol: linger.H3, Status: a.status, Names: a.names})
	}
	if err == nil || !announced || ctx.Err() == nil {
		p.Judge(alternative)
	}
	p.hear(ctx, c)
	p.early(ctx, c, store)
	return prober.Absence{}
}

// hear notes what the server says of itself.
func (p *Server) hear(ctx context.Context, c *conn) {
	patience, cancel := context.WithTimeout(ctx, p.Answer)
	defer cancel()
	select {
	case <-c.settled:
	case <-patience.Done():
	case <-c.Context().Done():
	}
	c.mu.Lock()
	began, first, settings := c.began, c.first, c.settings
	c.mu.Unlock()
	if began || c.Context().Err() == nil && ctx.Err() == nil {
		p.Judge(conformance.Control{Began: began, Settings: first == wire.FrameSettings, First: first, Within: p.Answer})
	}
	p.RecordOf(linger.H3, func(h *profile.Protocol) {
		h.Announced.Settings = settings
		if idle, ok := c.seen.limit().Get(); ok && idle != wire.LeastIdle {
			h.Announced.Timeout = linger.Known(profile.Duration(idle))
		}
	})
}

// early notes what may be sent early the next time, and whether the server takes
// it. Nothing is but SETTINGS.
func (p *Server) early(ctx context.Context, c *conn, store *prober.TicketStore) {
	early := store.Early()
	c.seen.mu.Lock()
	q := &profile.QUIC{Retry: linger.Known(c.seen.retry), Token: linger.Known(c.seen.token)}
	c.seen.mu.Unlock()
	if _, some := store.Get(""); some {
		q.Early = linger.Known(early)
	}
	p.RecordOf(linger.H3, func(h *profile.Protocol) { h.QUIC = q })
	if !early {
		return
	}
	again, err := p.open(ctx, store)
	if err != nil {
		return
	}
	defer again.drop()
	p.Record(func(*profile.Profile) { q.Taken = linger.Known(again.ConnectionState().Used0RTT) })
}
