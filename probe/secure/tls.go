// Package secure asks what a server does with TLS itself: which versions and protocols it
// takes, how many tickets it gives and whether they work, and how it ends. A request of HTTP/1
// shows the last two.
package secure

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"

	"linger"
	"linger/conformance"
	"linger/probe/http1"
	"linger/probe/prober"
	"linger/profile"
)

// A Server is a server that speaks TLS, or does not.
type Server struct {
	*prober.Prober
	web *http1.Server // what is spoken over it
}

// New is the server that p probes, with HTTP spoken over TLS.
func New(p *prober.Prober, web *http1.Server) *Server { return &Server{p, web} }

// Experiments are those of TLS.
func (p *Server) Experiments() []prober.Experiment {
	return []prober.Experiment{
		{
			Name: "versions and protocols of TLS", Connections: 1,
			Cases:   []string{"tls-current", "tls-alpn-refused"},
			Figures: []string{"tls", "tls_least"},
			Run:     p.overTLS(p.versions),
		},
		{
			Name: "tickets of TLS", Connections: 1, Requests: 1,
			Cases:   []string{"tls-tickets-work"},
			Figures: []string{"tickets", "resumes", "early_data"},
			Run:     p.overTLS(p.tickets),
		},
		{
			Name: "how TLS ends", Connections: 1, Requests: 1,
			Cases: []string{"tls-close-notify"},
			Run:   p.overTLS(p.end),
		},
	}
}

// overTLS is an experiment that has no meaning in cleartext.
func (p *Server) overTLS(run func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		if p.Target.TLS != nil {
			run(ctx)
			return
		}
		p.Decide(conformance.NotOffered(linger.TLS, "not offered: the target is in cleartext"))
	}
}

// shake does one handshake and drops the connection. late is whether nothing came of it
// at all.
func (p *Server) shake(ctx context.Context, alter func(*tls.Config)) (state tls.ConnectionState, late bool, err error) {
	c, err := p.Connect(ctx)
	if err != nil {
		return state, true, err
	}
	defer c.Drop()
	ctx, cancel := context.WithTimeout(ctx, p.Answer)
	defer cancel()
	config := p.Target.TLS.Clone()
	alter(config)
	secured := tls.Client(c.Socket, config)
	if err = secured.HandshakeContext(ctx); err != nil {
		return state, errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil, err
	}
	c.Conn = secured
	return secured.ConnectionState(), false, nil
}

// versions offers one version at a time, and then one protocol at a time. What the
// certificate is worth does not matter here.
func (p *Server) versions(ctx context.Context) {
	var suites []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites = append(suites, s.ID)
	}
	versions := conformance.Versions{Within: p.Answer}
	for _, version := range []uint16{tls.VersionTLS13, tls.VersionTLS12, tls.VersionTLS11, tls.VersionTLS10} {
		name := strings.TrimPrefix(tls.VersionName(version), "TLS ")
		_, late, err := p.shake(ctx, func(c *tls.Config) {
			c.MinVersion, c.MaxVersion, c.CipherSuites, c.InsecureSkipVerify = version, version, suites, true
		})
		switch {
		case err == nil:
			versions.Taken = append(versions.Taken, name)
		case late:
			versions.Unsettled = name
		}
	}
	var alpn []string
	for _, protocol := range []string{linger.H2.ALPN(), linger.HTTP11.ALPN()} {
		state, _, err := p.shake(ctx, func(c *tls.Config) { c.NextProtos, c.InsecureSkipVerify = []string{protocol}, true })
		if err == nil && state.NegotiatedProtocol == protocol {
			alpn = append(alpn, protocol)
		}
	}
	p.RecordTLS(func(t *profile.TLS) { t.Versions, t.ALPN = versions.Taken, alpn })
	p.Judge(versions)
	unheard := conformance.Unheard{Offered: "linger-none", Chooses: len(alpn) > 0}
	if unheard.Chooses {
		state, _, err := p.shake(ctx, func(c *tls.Config) { c.NextProtos, c.InsecureSkipVerify = []string{unheard.Offered}, true })
		unheard.WentOn = err == nil && state.NegotiatedProtocol == ""
		unheard.ChoseAnother = prober.ChoseUnoffered(err)
		unheard.Alert = err != nil && strings.Contains(err.Error(), "no application protocol")
		if err != nil {
			unheard.Word = linger.Brief(prober.Cause(err))
		}
	}
	p.Judge(unheard)
}

// A tap keeps the first bytes that come by a socket.
type tap struct {
	net.Conn
	seen bytes.Buffer
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.seen.Write(b[:min(n, max(prober.MaxHead-t.seen.Len(), 0))])
	return n, err
}

// tickets looks at the tickets that come after a handshake and before the end of a
// response, and uses one.
func (p *Server) tickets(ctx context.Context) {
	store := new(prober.TicketStore)
	var keys bytes.Buffer
	alter := func(c *tls.Config) { c.ClientSessionCache, c.KeyLogWriter = store, &keys }
	c, err := p.Connect(ctx)
	if err == nil {
		wire := &tap{Conn: c.Socket}
		if err = c.SecureOver(ctx, wire, alter); err == nil {
			_, err = p.web.Exchange(ctx, p.web.On(c), http1.Request{})
		}
		if err == nil {
			p.countTickets(wire.seen.Bytes(), *c.State, keys.Bytes(), store)
		}
		c.Drop()
	}
	if err != nil {
		p.RecordTLS(func(t *profile.TLS) { t.Tickets = profile.Count{State: profile.Unknown, Why: err.Error()} })
		p.Unmeasured(err.Error(), "tls-tickets-work")
		return
	}
	if _, some := store.Get(""); !some {
		p.Unmeasured("it gave no ticket", "tls-tickets-work")
		return
	}
	state, _, err := p.shake(ctx, func(c *tls.Config) { c.ClientSessionCache = store })
	if err != nil {
		p.Unmeasured(linger.Brief(prober.Cause(err)), "tls-tickets-work")
		return
	}
	p.RecordTLS(func(t *profile.TLS) { t.Resumes = linger.Known(state.DidResume) })
	p.Judge(conformance.Ticket{Resumed: state.DidResume})
}

// countTickets reads the tickets out of what came by the wire, and where it cannot, counts
// those that were kept.
func (p *Server) countTickets(wire []byte, state tls.ConnectionState, keys []byte, store *prober.TicketStore) {
	tickets, ok := ticketsOn(wire, state.Version, state.CipherSuite, serverSecret(keys))
	p.RecordTLS(func(t *profile.TLS) {
		t.Tickets = profile.Count{State: profile.Measured, N: store.Given()}
		if !ok {
			return
		}
		t.Tickets.N = len(tickets)
		for _, k := range tickets {
			t.Lifetime = linger.Known(profile.Duration(k.lifetime))
			t.Early = linger.Known(k.early > 0)
		}
	})
}

// end asks for the connection to be closed, and looks how that is said.
func (p *Server) end(ctx context.Context) {
	const id = "tls-close-notify"
	c, err := p.Open(ctx, nil)
	if err != nil {
		p.Unmeasured(err.Error(), id)
		return
	}
	defer c.Drop()
	a, err := p.web.Exchange(ctx, p.web.On(c), http1.Request{Fields: []string{"Connection: close"}})
	if err != nil && a.Status == 0 {
		p.Unmeasured(linger.Brief(prober.Cause(err)), id)
		return
	}
	short, cancel := context.WithTimeout(ctx, p.Answer)
	defer cancel()
	e := c.AwaitEnd(short)
	p.Judge(conformance.TLSEnd{How: e.How, Whole: err == nil, Within: p.Answer})
}
