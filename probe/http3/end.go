package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// closingOf is what the server's CONNECTION_CLOSE said of its reason (RFC 9000, 19.19), nil
// where an error is none. Where this side has closed, for what the server had sent, local
// says why.
func closingOf(err error) (closing *profile.Closing, local string) {
	app, byApp := errors.AsType[*quic.ApplicationError](err)
	transport, byTransport := errors.AsType[*quic.TransportError](err)
	remote := true
	switch {
	case byApp:
		code := http3.ErrCode(app.ErrorCode)
		// RFC 9114, 8.1: H3_NO_ERROR is "used when the connection or stream needs to be
		// closed, but there is no error to signal".
		remote, closing = app.Remote, &profile.Closing{Code: code.String(), Error: code != http3.ErrCodeNoError, Text: linger.Brief(app.ErrorMessage)}
	case byTransport:
		remote, closing = transport.Remote, &profile.Closing{Code: transport.ErrorCode.String(), Error: transport.ErrorCode != qerrNoError, Text: linger.Brief(transport.ErrorMessage)}
	default:
		return nil, ""
	}
	closing.Frame = string(profile.QUICClose)
	if !remote {
		return nil, "what it sends is no HTTP/3: " + linger.Brief(strings.TrimSpace(closing.Code+" "+closing.Text))
	}
	return closing, ""
}

// qerrNoError is NO_ERROR of QUIC itself (RFC 9000, 20.1).
const qerrNoError quic.TransportErrorCode = 0

// awaitEnd waits until the server sends GOAWAY or ends the connection, or ctx is over.
func (c *conn) awaitEnd(ctx context.Context) (e limits.End) {
	select {
	case <-c.Context().Done():
		e.At = time.Now()
	case <-ctx.Done():
		return limits.End{At: time.Now()}
	case <-c.goaway:
		c.mu.Lock()
		e.At = c.gone
		c.mu.Unlock()
		grace := time.NewTimer(3 * time.Second)
		defer grace.Stop()
		select {
		case <-c.Context().Done():
		case <-grace.C:
			e.How = profile.GOAWAYOpen
			return e
		case <-ctx.Done():
			e.How = profile.GOAWAYOpen
			return e
		}
	}
	c.mu.Lock()
	said := !c.gone.IsZero()
	c.mu.Unlock()
	err := context.Cause(c.Context())
	closing, local := closingOf(err)
	if local != "" {
		e.Err = errors.New(local)
		return e
	}
	_, idle := errors.AsType[*quic.IdleTimeoutError](err)
	_, reset := errors.AsType[*quic.StatelessResetError](err)
	switch {
	case closing != nil && said:
		e.How, e.Closing = profile.GOAWAYQUIC, closing
	case closing != nil:
		e.How, e.Closing = profile.QUICClose, closing
	case idle:
		e.How = profile.QUICIdle
	case reset:
		e.How = profile.QUICReset
	default:
		e.Err = err
	}
	return e
}

// quicCause is why there is no connection, in few words.
func quicCause(err error) string {
	if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate is not valid: " + strings.TrimPrefix(linger.Brief(wrong.Err.Error()), "x509: ")
	}
	_, idle := errors.AsType[*quic.IdleTimeoutError](err)
	_, handshake := errors.AsType[*quic.HandshakeTimeoutError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case idle, handshake, errors.Is(err, context.DeadlineExceeded), err == prober.ErrSilent:
		return "no answer in time"
	}
	return linger.Brief(prober.Cause(err))
}
