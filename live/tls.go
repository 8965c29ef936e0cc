package live

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"linger"
	"linger/dial"
	"linger/trace"
	"linger/wire"
)

// secure reports whether the run is over TLS.
func (r *run) secure() bool {
	return r.speaks.Secure() || r.scenario.Workload.Scheme == linger.SchemeHTTPS
}

// scheme is that of the URLs of the run's requests.
func (r *run) scheme() string {
	if r.secure() {
		return linger.SchemeHTTPS
	}
	return linger.SchemeHTTP
}

// clientTLS returns the configuration of all TLS handshakes of one run, over TCP or
// in QUIC: TLS 1.3, or 1.2 where the server has nothing better, with alpn and no
// other protocol. Resumption takes place within the run, and where it is asked for.
func (c Config) clientTLS(s linger.Strategy, alpn string) *tls.Config {
	name := c.ServerName
	if name == "" {
		name = c.Host
		if host, _, err := net.SplitHostPort(c.Host); err == nil {
			name = host
		}
		name = strings.Trim(name, "[]")
	}
	out := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		RootCAs:            c.Roots,
		ServerName:         name,
		InsecureSkipVerify: c.Insecure,
		Certificates:       c.Certificates,
		NextProtos:         []string{alpn},
		KeyLogWriter:       c.KeyLog,
	}
	if s.Resume {
		out.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return out
}

// tlsTrace is what a finished handshake says of itself, but for its bytes.
func tlsTrace(s tls.ConnectionState) trace.TLS {
	t := trace.TLS{
		Version: strings.TrimPrefix(tls.VersionName(s.Version), "TLS "),
		ALPN:    s.NegotiatedProtocol,
		Cipher:  tls.CipherSuiteName(s.CipherSuite),
		Resumed: s.DidResume,
	}
	if !s.DidResume {
		for _, c := range s.PeerCertificates {
			t.Certificates += int64(len(c.Raw))
		}
	}
	return t
}

// wrongALPN says what is wrong with the protocol that the server chose, if
// anything is. A server that knows nothing of ALPN speaks HTTP/1.1, as all did
// before there was a choice (RFC 9112, 9.7), and on the port of DNS over TLS nothing
// but that (RFC 7858, 3.1).
func wrongALPN(s tls.ConnectionState, want string) string {
	switch got := s.NegotiatedProtocol; {
	case got == want || got == "" && (want == linger.HTTP11.ALPN() || want == linger.DNSOverTLS.ALPN()):
		return ""
	case got == "":
		return fmt.Sprintf("server does not speak %s: it chose no protocol at all (ALPN)", want)
	default:
		return fmt.Sprintf("server does not speak %s: it chose %q (ALPN)", want, brief(got))
	}
}

// handshakeReason says why a TLS handshake failed that offered alpn.
func handshakeReason(err error, alpn string) string {
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		err = bad.Err
		if host, ok := errors.AsType[x509.HostnameError](err); ok {
			return "certificate refused: it is " + brief(strings.TrimPrefix(host.Error(), "x509: certificate is "))
		}
		if late, ok := errors.AsType[x509.CertificateInvalidError](err); ok && late.Reason == x509.Expired {
			if time.Now().Before(late.Cert.NotBefore) {
				return "certificate is valid only from " + late.Cert.NotBefore.UTC().Format(time.DateOnly)
			}
			return "certificate expired on " + late.Cert.NotAfter.UTC().Format(time.DateOnly)
		}
		return "certificate refused: " + brief(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "x509: "), "certificate "))
	}
	if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Sprintf("server does not speak TLS: its answer begins with %q", plain.RecordHeader[:])
	}
	switch {
	case strings.HasSuffix(err.Error(), "tls: no application protocol"):
		return "server does not speak " + alpn + ": it refused the handshake (ALPN)"
	case strings.Contains(err.Error(), "unadvertised ALPN protocol"):
		return "server does not speak " + alpn + ": it chose a protocol that it was not offered (ALPN)"
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "server closed within the TLS handshake"
	case dial.IsReset(err):
		return "server reset the connection within the TLS handshake"
	}
	return "TLS handshake failed: " + brief(strings.TrimPrefix(dial.Cause(err), "tls: "))
}

// handshakeBlame says who ended a handshake: the server, unless it is us who could
// not accept what it said.
func handshakeBlame(err error) trace.Peer {
	if dial.IsAlert(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || dial.IsReset(err) {
		return trace.AtServer
	}
	return trace.AtClient
}

// records is a socket under TLS whose bytes are counted while the handshake lasts.
// Until then it gives no more than the record that is being read: what came
// behind the handshake is not counted with it.
type records struct {
	net.Conn
	counting bool
	up, down int64
	header   bytes.Buffer // of the record that is being read
	left     int          // of its content
	ended    bool         // the socket has been read to its end
}

func (r *records) Write(p []byte) (int, error) {
	n, err := r.Conn.Write(p)
	if r.counting {
		r.up += int64(n)
	}
	return n, err
}

func (r *records) Read(p []byte) (int, error) {
	if !r.counting {
		n, err := r.Conn.Read(p)
		r.ended = r.ended || err == io.EOF
		return n, err
	}
	want := r.left
	if want == 0 {
		want = wire.RecordHeaderSize - r.header.Len()
	}
	n, err := r.Conn.Read(p[:min(len(p), want)])
	r.down += int64(n)
	if r.left > 0 {
		r.left -= n
		return n, err
	}
	r.header.Write(p[:n])
	if r.header.Len() == wire.RecordHeaderSize {
		r.left = wire.RecordSize(r.header.Bytes())
		r.header.Reset()
	}
	return n, err
}

// isUnannounced reports whether a stream of TLS that was read to its end had no
// close_notify: the socket ended first. crypto/tls takes that for an end like any
// other where it falls between two records. Whoever has read the stream asks.
func isUnannounced(socket net.Conn) bool {
	t, ok := socket.(*tls.Conn)
	if !ok {
		return false
	}
	r, ok := t.NetConn().(*records)
	return ok && r.ended
}
