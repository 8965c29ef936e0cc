package load

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/load/plan"
	"linger/tally"
)

// secure is a server of HTTP/1 and HTTP/2 over TLS that counts.
func secure(t *testing.T) (*counted, *tls.Config) {
	t.Helper()
	c := &counted{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		hello(w, r)
	}))
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.opened.Add(1)
		}
	}
	c.EnableHTTP2 = true
	c.StartTLS()
	t.Cleanup(c.Close)
	roots := x509.NewCertPool()
	roots.AddCert(c.Certificate())
	return c, &tls.Config{RootCAs: roots, ServerName: "example.com"}
}

func TestPortableCountsAreTheServersOwn(t *testing.T) {
	for _, test := range []struct {
		strategy      string
		secure        bool
		life          plan.Life
		connections   int64
		full, resumed bool
	}{
		{"keep", false, plan.Life{}, 8, false, false},
		{"close", false, plan.Life{}, 300, false, false},
		{"h2", false, plan.Life{}, 8, false, false},
		{"keep", true, plan.Life{}, 8, true, false},
		{"close", true, plan.Life{}, 300, true, false},
		{"close+resume", true, plan.Life{}, 300, true, true},
		{"h2", true, plan.Life{}, 8, true, false},
		{"h2", true, plan.Life{Requests: plan.Range{Least: 5, Most: 5}}, 0, true, false},
	} {
		t.Run(test.strategy, func(t *testing.T) {
			var s *counted
			var trust *tls.Config
			if test.secure {
				s, trust = secure(t)
			} else if s = serve(t, hello); true {
				s.Config.Protocols = new(http.Protocols)
				s.Config.Protocols.SetHTTP1(true)
				s.Config.Protocols.SetUnencryptedHTTP2(true)
			}
			c := s.config(t, test.strategy)
			c.Portable, c.TLS, c.Life, c.Plan.Requests, c.InFlight = true, trust, test.life, 300, 4
			if test.secure {
				c.Targets[0].Scheme = linger.SchemeHTTPS
			}
			r := run(t, c)
			if r.Engine != tally.Portable || r.Requests.Answered != 300 || s.requests.Load() != 300 {
				t.Errorf("%s: %+v; the server saw %d", r.Engine, r.Requests, s.requests.Load())
			}
			k := r.Connections
			if k.Established != s.opened.Load() || test.connections > 0 && k.Established != test.connections {
				t.Errorf("%d connections, the server saw %d, want %d", k.Established, s.opened.Load(), test.connections)
			}
			if test.secure && k.Full+k.Resumed != k.Established || (k.Full > 0) != test.full || (k.Resumed > 0) != test.resumed {
				t.Errorf("%d full handshakes, %d resumed of %d", k.Full, k.Resumed, k.Established)
			}
		})
	}
}

func TestHTTP3(t *testing.T) {
	s, trust := secure(t)
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	h := &http3.Server{Handler: s.Config.Handler, TLSConfig: http3.ConfigureTLSConfig(s.TLS), QUICConfig: &quic.Config{Allow0RTT: true}}
	done := make(chan struct{})
	go func() { defer close(done); _ = h.Serve(socket) }()
	defer func() { h.Close(); <-done }()
	for _, strategy := range []string{"h3", "h3+resume", "h3+0rtt"} {
		t.Run(strategy, func(t *testing.T) {
			if raceDetector && strategy == "h3+0rtt" {
				t.Skip("quic-go reads and writes the server's parameters at once where streams are opened in early data: https://github.com/quic-go/quic-go/issues/4303")
			}
			s.requests.Store(0)
			c := s.config(t, strategy)
			c.TLS, c.Connections, c.Plan.Requests, c.Life.Requests = trust, 2, 100, plan.Range{Least: 10, Most: 10}
			c.Targets[0].Scheme, c.Targets[0].Address = linger.SchemeHTTPS, socket.LocalAddr().String()
			r := run(t, c)
			if r.Requests.Answered != 100 || s.requests.Load() != 100 {
				t.Errorf("%+v; the server saw %d", r.Requests, s.requests.Load())
			}
			k := r.Connections
			if k.Full+k.Resumed != k.Established || k.Established < 10 {
				t.Errorf("%d full handshakes, %d resumed of %d", k.Full, k.Resumed, k.Established)
			}
			if (k.Resumed > 0) != (strategy != "h3") || (k.Early > 0) != (strategy == "h3+0rtt") {
				t.Errorf("%d resumed, %d with early data", k.Resumed, k.Early)
			}
		})
	}
}
