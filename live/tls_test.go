package live

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"linger"
	"linger/internal/testcert"
	"linger/trace"
)

// An authority vouches for the servers of these tests.
type authority struct{ tls.Certificate }

func newAuthority(t testing.TB) *authority {
	t.Helper()
	return &authority{testcert.SelfSigned(x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), KeyUsage: x509.KeyUsageCertSign,
	})}
}

// roots are what trusts the authority.
func (a *authority) roots() *x509.CertPool { return testcert.Roots(a.Certificate) }

// issue returns a certificate for 127.0.0.1 and "test.example"; change may spoil it.
func (a *authority) issue(change func(*x509.Certificate)) tls.Certificate {
	form := x509.Certificate{
		Subject:  pkix.Name{CommonName: "test server"},
		DNSNames: []string{"test.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(&form)
	}
	return testcert.SignedBy(a.Certificate, form)
}

// config is that of a server with a good certificate that speaks these protocols.
func (a *authority) config(alpn ...string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.issue(nil)}, NextProtos: alpn}
}

// TestSecureCounts holds our count of connections, requests and bytes over TLS
// against those of a server that is not ours, for each strategy.
func TestSecureCounts(t *testing.T) {
	a := newAuthority(t)
	w := linger.Gallery(1)
	config := a.config("h2", "http/1.1")
	server := count(t, w, config)
	for _, test := range []struct {
		strategy    string
		least, most int // connections
		resumed     int // -1 is all but the first
	}{
		{"close", 41, 41, 0},
		{"close:6", 41, 41, 0},
		{"close+resume", 41, 41, -1},
		{"close:6+resume", 41, 41, -1},
		{"close+1.0+resume", 41, 41, -1},
		{"keep", 1, 1, 0},
		{"keep:6", 2, 6, 0},
		{"keep:6+resume", 2, 6, -1},
		{"pipeline", 1, 1, 0},
		{"h2", 1, 1, 0},
		{"h2+resume", 1, 1, 0},
		{"h2:2+resume", 2, 2, -1},
	} {
		server.connections.Store(0)
		server.requests.Store(0)
		server.bytes.Store(0)
		var secrets bytes.Buffer
		tr := fetch(t, w, test.strategy, Config{Address: server.address, Verify: true, Roots: a.roots(), KeyLog: &secrets})
		if f := failures(tr); len(f) > 0 {
			t.Fatalf("%s: failed %v", test.strategy, f)
		}
		var got int64
		for _, x := range tr.Exchanges {
			got += x.ResponseBody
			if !strings.HasPrefix(x.URL, "https://") {
				t.Errorf("%s: %s", test.strategy, x.URL)
			}
		}
		n, resumed, requests, spare := len(tr.Connections), 0, 0, 0
		for _, c := range tr.Connections {
			h, ok := c.TLS.Get()
			// Where several may be open, the load can be over before one of them has done
			// its handshake: nothing was asked on it, and the client let it go.
			if !ok && n > 1 && c.Requests == 0 && c.ClosedBy == trace.AtClient {
				spare++
				continue
			}
			want := linger.HTTP11.ALPN()
			if c.Protocol == linger.H2 {
				want = c.Protocol.ALPN()
			}
			if !ok || h.Version != "1.3" || h.Cipher == "" || h.ALPN != want || h.Up < 300 || h.Down < 300 {
				t.Errorf("%s, connection %d: %+v, %v", test.strategy, c.ID, h, ok)
			}
			if full := int64(len(config.Certificates[0].Certificate[0])); h.Certificates != full && !h.Resumed || h.Certificates != 0 && h.Resumed {
				t.Errorf("%s, connection %d: certificates of %d bytes, want %d", test.strategy, c.ID, h.Certificates, full)
			}
			if !(c.Dialled <= c.Established.Or(-1) && c.Established.Or(-1) < c.Secured.Or(-1) && c.Secured == c.Connected) {
				t.Errorf("%s, connection %d: instants out of order: %+v", test.strategy, c.ID, c)
			}
			if h.Resumed {
				resumed++
			}
			requests += c.Requests
		}
		if test.resumed < 0 {
			test.resumed = n - 1 - spare
		}
		// What the client let go of, the server may accept only now.
		for range 1000 {
			if server.connections.Load() >= int64(n) {
				break
			}
			time.Sleep(time.Millisecond)
		}
		seen := server.connections.Load()
		if n < test.least || n > test.most || seen > int64(n) || seen < int64(n-spare) || resumed != test.resumed {
			t.Errorf("%s: %d connections, %d resumed; the server saw %d; want %d to %d, %d resumed", test.strategy, n, resumed, seen, test.least, test.most, test.resumed)
		}
		if requests != 41 || server.requests.Load() != 41 || got != w.Bytes() || server.bytes.Load() != got {
			t.Errorf("%s: %d requests of %d bytes; the server saw %d of %d", test.strategy, requests, got, server.requests.Load(), server.bytes.Load())
		}
		if logged := strings.Count(secrets.String(), "CLIENT_TRAFFIC_SECRET_0 "); logged < n-spare || logged > n {
			t.Errorf("%s: secrets of %d connections, there were %d, %d of them let go of before they were secured", test.strategy, logged, n, spare)
		}
	}
}

// TestHandshakeBytes holds the bytes of a handshake against what its server counts,
// whose first flight holds no tickets.
func TestHandshakeBytes(t *testing.T) {
	a := newAuthority(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := a.config("http/1.1")
		config.MaxVersion, config.SessionTicketsDisabled = version, true
		seen := make(chan trace.TLS, 1)
		w := linger.Textbook(0)
		address := listen(t, func(n int, c net.Conn) {
			over := &records{Conn: c, counting: true}
			s := tls.Server(over, config)
			if s.Handshake() == nil {
				seen <- trace.TLS{Up: over.down, Down: over.up}
				over.counting = false
				serve(w, nil)(n, s)
			}
			s.Close()
		})
		tr := fetch(t, over(t, w, "https"), "keep", Config{Address: address, Roots: a.roots(), Limits: patient})
		if f := failures(tr); len(f) > 0 {
			t.Fatal(f)
		}
		want, got := <-seen, tr.Connections[0].TLS.Or(trace.TLS{})
		if got.Up != want.Up || got.Down != want.Down || got.Version != strings.TrimPrefix(tls.VersionName(version), "TLS ") {
			t.Errorf("%s: %d bytes up, %d down, the server counts %d, %d", got.Version, got.Up, got.Down, want.Up, want.Down)
		}
	}
}

// TestBadTLS has servers that cannot be spoken to as the strategy wants, and says
// why of each. None is spoken to in another way.
func TestBadTLS(t *testing.T) {
	a, foreign := newAuthority(t), newAuthority(t)
	spoilt := func(change func(*x509.Certificate)) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{a.issue(change)}, NextProtos: []string{"h2", "http/1.1"}}
	}
	day := func(year int, month time.Month) time.Time { return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC) }
	w := over(t, linger.Textbook(1), "https")
	secure := func(c *tls.Config) func(int, net.Conn) {
		return func(n int, socket net.Conn) {
			s := tls.Server(socket, c)
			defer s.Close()
			if s.Handshake() != nil {
				return
			}
			if s.ConnectionState().NegotiatedProtocol == "h2" {
				serveFrames(w, nil)(n, s)
			} else {
				serve(w, nil)(n, s)
			}
		}
	}
	old := a.config("http/1.1")
	old.MaxVersion = tls.VersionTLS12
	older := a.config("http/1.1")
	older.MinVersion, older.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	stubborn := a.config()
	stubborn.NextProtos = nil
	client := a.config("http/1.1")
	client.ClientAuth = tls.RequireAnyClientCert
	for _, test := range []struct {
		name     string
		serve    func(int, net.Conn)
		strategy string
		change   func(*Config)
		reason   string // empty where it is delivered
		by       trace.Peer
		version  string
	}{
		{name: "speaks all", serve: secure(a.config("h2", "http/1.1")), strategy: "h2", version: "1.3"},
		{name: "speaks HTTP/1.1 only", serve: secure(a.config("http/1.1")), strategy: "h2",
			reason: "server does not speak h2: it refused the handshake (ALPN)", by: trace.AtServer},
		{name: "speaks something else only", serve: secure(a.config("imap")), strategy: "keep",
			reason: "server does not speak http/1.1: it refused the handshake (ALPN)", by: trace.AtServer},
		{name: "knows no ALPN", serve: secure(stubborn), strategy: "h2",
			reason: "server does not speak h2: it chose no protocol at all (ALPN)", by: trace.AtClient},
		{name: "knows no ALPN, and is asked for HTTP/1.1", serve: secure(stubborn), strategy: "keep", version: "1.3"},
		{name: "speaks TLS 1.2", serve: secure(old), strategy: "keep", version: "1.2"},
		{name: "speaks TLS 1.1", serve: secure(older), strategy: "keep", reason: "TLS handshake failed: remote error: tls: protocol version not supported", by: trace.AtServer},
		{name: "has expired", serve: secure(spoilt(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = day(2020, 1), day(2020, 2) })), strategy: "h2",
			reason: "certificate expired on 2020-02-01", by: trace.AtClient},
		{name: "is of the future", serve: secure(spoilt(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = day(2100, 1), day(2100, 2) })), strategy: "keep",
			reason: "certificate is valid only from 2100-01-01", by: trace.AtClient},
		{name: "has another name", serve: secure(spoilt(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} })), strategy: "keep",
			reason: "certificate refused: it is valid for 10.0.0.1, not 127.0.0.1", by: trace.AtClient},
		{name: "has another name than was asked for", serve: secure(a.config("http/1.1")), strategy: "keep",
			change: func(c *Config) { c.ServerName = "other.example" },
			reason: "certificate refused: it is valid for test.example, not other.example", by: trace.AtClient},
		{name: "has the name of the Host", serve: secure(a.config("http/1.1")), strategy: "keep",
			change: func(c *Config) { c.Host = "test.example:8443" }, version: "1.3"},
		{name: "has another name, which does not matter", serve: secure(a.config("http/1.1")), strategy: "keep",
			change: func(c *Config) { c.ServerName, c.Insecure = "other.example", true }, version: "1.3"},
		{name: "is of a foreign authority", serve: secure(a.config("http/1.1")), strategy: "keep",
			change: func(c *Config) { c.Roots = foreign.roots() },
			reason: "certificate refused: signed by unknown authority", by: trace.AtClient},
		{name: "wants a certificate of ours", serve: secure(client), strategy: "keep", reason: "remote error: tls: certificate required", by: trace.AtServer},
		{name: "speaks plaintext", serve: func(_ int, c net.Conn) {
			c.Read(make([]byte, 1<<14))
			send(c, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
			io.Copy(io.Discard, c)
		}, strategy: "keep", reason: `server does not speak TLS: its answer begins with "HTTP/"`, by: trace.AtClient},
		{name: "speaks plaintext HTTP/2", serve: func(_ int, c net.Conn) {
			http2.NewFramer(c, c).WriteSettings()
			io.Copy(io.Discard, c)
		}, strategy: "h2", reason: `server does not speak TLS: its answer begins with "\x00\x00\x00\x04\x00"`, by: trace.AtClient},
		{name: "closes at once", serve: func(_ int, c net.Conn) { c.Read(make([]byte, 1<<14)) }, strategy: "keep",
			reason: "server closed within the TLS handshake", by: trace.AtServer},
		{name: "resets at once", serve: func(_ int, c net.Conn) {
			c.Read(make([]byte, 1))
			c.(*net.TCPConn).SetLinger(0)
		}, strategy: "keep", reason: "server reset the connection within the TLS handshake", by: trace.AtServer},
		{name: "closes in the midst of the handshake", serve: func(_ int, c net.Conn) {
			c.Read(make([]byte, 1<<14))
			send(c, "\x16\x03\x03\x00\x50abc")
		}, strategy: "keep", reason: "server closed within the TLS handshake", by: trace.AtServer},
		{name: "sends nonsense for a handshake", serve: func(_ int, c net.Conn) {
			c.Read(make([]byte, 1<<14))
			send(c, "\x16\x03\x03\x00\x04\xff\x00\x00\x00")
			io.Copy(io.Discard, c)
		}, strategy: "keep", reason: "TLS handshake failed: ", by: trace.AtClient},
		{name: "never ends the handshake", serve: func(_ int, c net.Conn) { io.Copy(io.Discard, c) }, strategy: "keep",
			change: func(c *Config) { c.Limits.Connect = 100 * time.Millisecond },
			reason: "TLS handshake timed out after 100ms", by: trace.AtClient},
		{name: "drips the handshake for ever", serve: func(_ int, c net.Conn) {
			for send(c, "\x16\x03\x03\x00\x01\x02") {
				time.Sleep(5 * time.Millisecond)
			}
		}, strategy: "h2", change: func(c *Config) { c.Limits.Connect = 100 * time.Millisecond },
			reason: "TLS handshake ", by: trace.AtClient},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := Config{Address: listen(t, test.serve), Verify: true, Roots: a.roots(), Limits: patient}
			if test.change != nil {
				test.change(&c)
			}
			tr := fetch(t, w, test.strategy, c)
			if got := tr.Exchanges[0].Failed; !strings.HasPrefix(got, test.reason) || (got == "") != (test.reason == "") {
				t.Errorf("failed with %q, want %q", got, test.reason)
			}
			k := tr.Connections[0]
			if test.reason != "" && k.ClosedBy != test.by {
				t.Errorf("closed by %q: %q; want %q", k.ClosedBy, k.Reason, test.by)
			}
			if _, ok := k.Established.Get(); !ok || k.Client == "" || k.Server == "" {
				t.Errorf("TCP is not told of: %+v", k)
			}
			if got := k.TLS.Or(trace.TLS{}).Version; got != test.version && test.reason == "" {
				t.Errorf("TLS %q, want %q", got, test.version)
			}
		})
	}
}

func TestUnfit(t *testing.T) {
	for name, want := range map[string]string{
		"keep+resume": "there is no TLS session to resume",
		"h3":          "QUIC is always encrypted",
	} {
		_, err := Run(t.Context(), linger.Scenario{Workload: linger.Textbook(1), Strategy: strategy(t, name)}, Config{Address: "127.0.0.1:1"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
