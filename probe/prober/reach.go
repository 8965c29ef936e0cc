package prober

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"linger"
	"linger/dial"
	"linger/profile"
)

// Settle keeps to the address that has answered, one of several perhaps, for all that follows.
func (p *Prober) Settle(c *Connection) {
	p.Target.Address = c.RemoteAddr().String()
	p.Route = dial.Route{Unix: p.Route.Unix}
}

// Reached notes the address that has answered, and how long handshakes with it took.
func (p *Prober) Reached(handshakes []time.Duration) {
	p.Record(func(doc *profile.Profile) {
		doc.Address, doc.RTT = p.Target.Address, profile.SpreadOf(handshakes)
	})
}

// TooLate is why there was no answer, with the way out where waiting was too short.
func (p *Prober) TooLate(err error) string {
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		return linger.Brief(Cause(err))
	}
	return fmt.Sprintf("no answer in time, within %s; --answer-within %s waits for longer", profile.Duration(p.Answer), (6 * p.Answer).Round(time.Second))
}

// TakeAnyway notes what is wrong with a certificate that nobody has looked at.
func (p *Prober) TakeAnyway(state tls.ConnectionState) {
	chain := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		chain.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: p.URL.Hostname(), Roots: p.Roots, Intermediates: chain})
	if err == nil {
		return
	}
	p.RecordTLS(func(t *profile.TLS) {
		t.Invalid = linger.Brief(strings.TrimPrefix(err.Error(), "x509: "))
	})
}

// maxAltSvc bounds the field, in bytes.
const maxAltSvc = 1 << 10

// AnnouncedAltSvc notes what Alt-Svc says; the first word stands.
func (p *Prober) AnnouncedAltSvc(value string) {
	if len(value) > maxAltSvc || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		value = linger.Brief(value)
	}
	if value == "" {
		return
	}
	p.Record(func(doc *profile.Profile) {
		if doc.AltSvc == nil {
			doc.AltSvc = new(profile.AltSvc)
		}
		if doc.AltSvc.Value == "" {
			doc.AltSvc.Value = value
		}
	})
}
