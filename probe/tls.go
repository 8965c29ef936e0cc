package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"sync"

	"linger"
	"linger/conformance"
	"linger/profile"
)

var tlsExperiments = []experiment{
	{"versions and protocols of TLS", "tls", []string{"tls-current", "tls-alpn-refused"}, 1, 0, false, overTLS(versionsTLS)},
	{"tickets of TLS", "tls", []string{"tls-tickets-work"}, 1, 1, false, overTLS(ticketsTLS)},
	{"how TLS ends", "tls", []string{"tls-close-notify"}, 1, 1, false, overTLS(endTLS)},
}

// overTLS is an experiment that has no meaning in cleartext.
func overTLS(run func(context.Context, *prober)) func(context.Context, *prober) {
	return func(ctx context.Context, p *prober) {
		if p.target.tls != nil {
			run(ctx, p)
			return
		}
		p.decide(conformance.NotOffered("tls", "not offered: the target is in cleartext"))
	}
}

func (p *prober) recordTLS(change func(*profile.TLS)) {
	p.record(func(doc *profile.Profile) {
		if doc.TLS == nil {
			doc.TLS = &profile.TLS{}
		}
		change(doc.TLS)
	})
}

// shake does one handshake and drops the connection. late is whether nothing came of it
// at all.
func (p *prober) shake(ctx context.Context, alter func(*tls.Config)) (state tls.ConnectionState, late bool, err error) {
	c, err := p.connect(ctx)
	if err != nil {
		return state, true, err
	}
	defer c.drop()
	ctx, cancel := context.WithTimeout(ctx, p.config.Answer)
	defer cancel()
	config := p.target.tls.Clone()
	alter(config)
	secured := tls.Client(c.socket, config)
	if err = secured.HandshakeContext(ctx); err != nil {
		return state, errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil, err
	}
	c.Conn = secured
	return secured.ConnectionState(), false, nil
}

// versionsTLS offers one version at a time, and then one protocol at a time. What the
// certificate is worth does not matter here.
func versionsTLS(ctx context.Context, p *prober) {
	var suites []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		suites = append(suites, s.ID)
	}
	versions := conformance.Versions{Within: p.config.Answer}
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
	for _, protocol := range []string{"h2", "http/1.1"} {
		state, _, err := p.shake(ctx, func(c *tls.Config) { c.NextProtos, c.InsecureSkipVerify = []string{protocol}, true })
		if err == nil && state.NegotiatedProtocol == protocol {
			alpn = append(alpn, protocol)
		}
	}
	p.recordTLS(func(t *profile.TLS) { t.Versions, t.ALPN = versions.Taken, alpn })
	p.judge(versions)
	unheard := conformance.Unheard{Offered: "linger-none", Chooses: len(alpn) > 0}
	if unheard.Chooses {
		state, _, err := p.shake(ctx, func(c *tls.Config) { c.NextProtos, c.InsecureSkipVerify = []string{unheard.Offered}, true })
		unheard.WentOn = err == nil && state.NegotiatedProtocol == ""
		unheard.ChoseAnother = choseUnoffered(err)
		unheard.Alert = err != nil && strings.Contains(err.Error(), "no application protocol")
		if err != nil {
			unheard.Word = linger.Brief(cause(err))
		}
	}
	p.judge(unheard)
}

// choseUnoffered reports whether a handshake was ended by our side, since the server chose
// a protocol that it had not been offered, as Apache does without mod_http2.
func choseUnoffered(err error) bool {
	return err != nil && strings.Contains(err.Error(), "unadvertised ALPN protocol")
}

// A ticketStore keeps the tickets of one probe.
type ticketStore struct {
	mu    sync.Mutex
	last  *tls.ClientSessionState
	count int
}

func (s *ticketStore) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last, s.last != nil
}

func (s *ticketStore) Put(_ string, session *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last = session; session != nil {
		s.count++
	}
}

// early reports whether the last ticket allows early data; over TCP crypto/tls does not
// say.
func (s *ticketStore) early() bool {
	session, ok := s.Get("")
	if !ok {
		return false
	}
	_, state, err := session.ResumptionState()
	return err == nil && state != nil && state.EarlyData
}

// A tap keeps the first bytes that come by a socket.
type tap struct {
	net.Conn
	seen bytes.Buffer
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.seen.Write(b[:min(n, max(maxHead-t.seen.Len(), 0))])
	return n, err
}

// ticketsTLS looks at the tickets that come after a handshake and before the end of a
// response, and uses one.
func ticketsTLS(ctx context.Context, p *prober) {
	store := new(ticketStore)
	var keys bytes.Buffer
	alter := func(c *tls.Config) { c.ClientSessionCache, c.KeyLogWriter = store, &keys }
	c, err := p.connect(ctx)
	if err == nil {
		wire := &tap{Conn: c.socket}
		if err = c.secureOver(ctx, wire, alter); err == nil {
			_, err = p.exchange(ctx, c, request{})
		}
		if err == nil {
			p.countTickets(wire.seen.Bytes(), *c.state, keys.Bytes(), store)
		}
		c.drop()
	}
	if err != nil {
		p.recordTLS(func(t *profile.TLS) { t.Tickets = profile.Count{State: profile.Unknown, Why: err.Error()} })
		p.unmeasured(err.Error(), "tls-tickets-work")
		return
	}
	if _, some := store.Get(""); !some {
		p.unmeasured("it gave no ticket", "tls-tickets-work")
		return
	}
	state, _, err := p.shake(ctx, func(c *tls.Config) { c.ClientSessionCache = store })
	if err != nil {
		p.unmeasured(linger.Brief(cause(err)), "tls-tickets-work")
		return
	}
	p.recordTLS(func(t *profile.TLS) { t.Resumes = linger.Known(state.DidResume) })
	p.judge(conformance.Ticket{Resumed: state.DidResume})
}

// countTickets reads the tickets out of what came by the wire, and where it cannot, counts
// those that were kept.
func (p *prober) countTickets(wire []byte, state tls.ConnectionState, keys []byte, store *ticketStore) {
	tickets, ok := ticketsOn(wire, state.Version, state.CipherSuite, serverSecret(keys))
	p.recordTLS(func(t *profile.TLS) {
		t.Tickets = profile.Count{State: profile.Measured, N: store.count}
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

// endTLS asks for the connection to be closed, and looks how that is said.
func endTLS(ctx context.Context, p *prober) {
	const id = "tls-close-notify"
	c, err := p.open(ctx, nil)
	if err != nil {
		p.unmeasured(err.Error(), id)
		return
	}
	defer c.drop()
	a, err := p.exchange(ctx, c, request{fields: []string{"Connection: close"}})
	if err != nil && a.status == 0 {
		p.unmeasured(linger.Brief(cause(err)), id)
		return
	}
	short, cancel := context.WithTimeout(ctx, p.config.Answer)
	defer cancel()
	e := c.awaitEnd(short)
	p.judge(conformance.TLSEnd{How: e.how, Whole: err == nil, Within: p.config.Answer})
}
