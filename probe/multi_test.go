package probe_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger/internal/testall"
	"linger/origin"
	"linger/policy"
	"linger/probe"
	"linger/profile"
)

// A multiplexed server is one that speaks HTTP/2, or HTTP/3, and what it was told.
type multiplexed struct {
	realServer
	settings map[string]uint64 // of HTTP/2, as nghttp -nv shows them
	goaway   bool              // it ends idle connections by one
	h3       linkage
}

// A linkage is what a server was told of HTTP/3.
type linkage struct {
	offered  bool
	idle     time.Duration // after which it closes by itself; zero is by agreement
	announce time.Duration // max_idle_timeout
	requests int
}

const nodeHTTP2 = `const fs = require('fs'), pem = fs.readFileSync('DIR/pem');
const server = require('http2').createSecureServer({key: pem, cert: pem, allowHTTP1: true, settings: {maxConcurrentStreams: 4}},
	(request, response) => { response.statusCode = request.url === '/' ? 200 : 404; response.end('hello'); });
server.setTimeout(3000);
server.listen(PORT, '127.0.0.1');
`

var multiplexedServers = []multiplexed{
	{realServer: realServer{name: "nginx", program: "nginx", from: "nginx-light", scheme: "https",
		files: map[string]string{"conf": strings.Replace(nginxTLS.Replace(nginxConf), " ssl;", " ssl http2;", 1)}, args: []string{"-e", "DIR/error.log", "-c", "DIR/conf"},
		idle: setIdle, requests: setRequests},
		settings: map[string]uint64{"SETTINGS_MAX_CONCURRENT_STREAMS": 128, "SETTINGS_INITIAL_WINDOW_SIZE": 65536, "SETTINGS_MAX_FRAME_SIZE": 16777215}, goaway: true},
	{realServer: realServer{name: "HAProxy", program: "haproxy", from: "haproxy", scheme: "https",
		files: map[string]string{"conf": strings.Replace(haproxyConf, "BIND", "ssl crt PEM alpn h2,http/1.1", 1)}, args: []string{"-db", "-f", "DIR/conf"},
		idle: setIdle,
		// openssl s_client -alpn linger-none goes on without a protocol, too.
		breaks: []string{"tls-alpn-refused"}},
		settings: map[string]uint64{"SETTINGS_MAX_CONCURRENT_STREAMS": 100, "SETTINGS_ENABLE_CONNECT_PROTOCOL": 1}, goaway: true},
	{realServer: realServer{name: "Caddy", program: "caddy", from: "caddy", scheme: "https",
		files: map[string]string{"conf": strings.Replace(caddyFile, "http://127.0.0.1:PORT {", "https://127.0.0.1:PORT {\n	bind 127.0.0.1\n	tls PEM PEM", 1)}, args: []string{"run", "--adapter", "caddyfile", "--config", "DIR/conf"},
		idle: setIdle},
		settings: map[string]uint64{"SETTINGS_MAX_CONCURRENT_STREAMS": 250, "SETTINGS_INITIAL_WINDOW_SIZE": 1 << 20, "SETTINGS_MAX_FRAME_SIZE": 1 << 20, "SETTINGS_MAX_HEADER_LIST_SIZE": 1048896}, goaway: true,
		h3: linkage{offered: true, announce: 30 * time.Second}},
	{realServer: realServer{name: "Node", program: "node", from: "nodejs", scheme: "https",
		files: map[string]string{"server.js": nodeHTTP2}, args: []string{"DIR/server.js"},
		idle: setIdle,
		// nghttp2 ends the connection, which RFC 9113, 5.4.1, permits.
		breaks: []string{"h2-stream-limit"}},
		settings: map[string]uint64{"SETTINGS_MAX_CONCURRENT_STREAMS": 4}, goaway: true},
	{realServer: realServer{name: "Go and quic-go", scheme: "https", idle: setIdle,
		serve: func(t *testing.T, at place) { serveGo(t, at, 6*time.Second) }},
		settings: nil, goaway: true,
		h3: linkage{offered: true, announce: 6 * time.Second}},
	{realServer: realServer{name: "origin", scheme: "https", idle: 5500 * time.Millisecond, requests: 5,
		serve: func(t *testing.T, at place) {
			serveOrigin(t, at, policy.ServerPolicy{IdleTimeout: 5500 * time.Millisecond, MaxRequests: 5})
		}},
		settings: map[string]uint64{"SETTINGS_MAX_CONCURRENT_STREAMS": 128, "SETTINGS_INITIAL_WINDOW_SIZE": 1 << 20, "SETTINGS_MAX_HEADER_LIST_SIZE": 262144}, goaway: true,
		h3: linkage{offered: true, idle: 5500 * time.Millisecond, announce: 5500 * time.Millisecond, requests: 5}},
}

// bothAt listens at a place by TCP and UDP, with the certificate that is there.
func bothAt(t *testing.T, at place) (net.Listener, net.PacketConn, tls.Certificate) {
	t.Helper()
	certificate, err := tls.LoadX509KeyPair(at.pem, at.pem)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", at.address)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", at.address)
	if err != nil {
		t.Fatal(err)
	}
	return ln, pc, certificate
}

// serveBoth serves by TLS over TCP and by QUIC, at one port, until the test ends.
func serveBoth(t *testing.T, at place, over *http.Server, quick *http3.Server) {
	t.Helper()
	ln, pc, certificate := bothAt(t, at)
	quick.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	var both sync.WaitGroup
	both.Go(func() { over.ServeTLS(ln, at.pem, at.pem) })
	both.Go(func() { quick.Serve(pc) })
	t.Cleanup(func() {
		over.Close()
		quick.Close()
		pc.Close()
		both.Wait()
	})
}

// serveGo serves HTTP/1 and 2 by net/http and HTTP/3 by quic-go, at one port.
func serveGo(t *testing.T, at place, idle time.Duration) {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNotFound)
		}
		w.Header().Set("Alt-Svc", fmt.Sprintf(`h3=":%s"`, at.port))
		io.WriteString(w, "hello")
	})
	over := &http.Server{Handler: handler, ErrorLog: quiet(), IdleTimeout: setIdle}
	serveBoth(t, at, over, &http3.Server{Handler: handler, QUICConfig: &quic.Config{MaxIdleTimeout: idle}})
}

// serveOrigin serves all protocols by our own origin, at one port.
func serveOrigin(t *testing.T, at place, limits policy.ServerPolicy) {
	t.Helper()
	ln, pc, certificate := bothAt(t, at)
	o, err := origin.New(origin.Config{Policy: limits, Certificates: []tls.Certificate{certificate}, AltSvc: fmt.Sprintf(`h3=":%s"`, at.port)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { o.ServeTLS(ctx, ln) })
	both.Go(func() { o.ServeQUIC(ctx, pc) })
	t.Cleanup(func() {
		stop()
		both.Wait()
	})
}

// TestMultiplexedServers holds what is measured of HTTP/2, HTTP/3 and TLS against what
// servers were told, and against what other programs show of them.
func TestMultiplexedServers(t *testing.T) {
	t.Parallel()
	servers := multiplexedServers
	if !testall.Asked() { // those of ours, and of Go
		servers = slices.DeleteFunc(slices.Clone(servers), func(s multiplexed) bool { return s.program != "" })
	}
	for _, s := range servers {
		if s.program != "" && testall.Located(s.program) == "" {
			skip(t, "%s is not installed; Debian has it in %s", s.program, s.from)
		}
	}
	roots, pemFile := authority(t)
	policies := make([]*profile.Profile, len(servers))
	errs := make([]error, len(policies))
	targets := make([]string, len(policies))
	machine := testall.Watch()
	var all sync.WaitGroup
	for i, s := range servers {
		targets[i], _ = s.start(t, pemFile)
		all.Go(func() { policies[i], errs[i] = probeMultiplexed(targets[i], roots) })
	}
	all.Wait()
	woke := machine()
	for i, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			p, err, busy := policies[i], errs[i], woke
			testall.InTime(t, near(0)/2, func(t *testall.Attempt) {
				if p == nil { // again, alone
					p, err = probeMultiplexed(targets[i], roots)
				}
				if err != nil {
					t.Fatal(err)
				}
				s.holdMultiplexed(t, p)
				t.WasLate(busy)
				p, busy = nil, 0
			})
		})
	}
}

// probeMultiplexed asks what is not of HTTP/1.
func probeMultiplexed(target string, roots *x509.CertPool) (*profile.Profile, error) {
	// Waiting ends some time after the first limit; that of the other protocol may be longer.
	return probe.Run(context.Background(), probe.Config{Target: target, Roots: roots, MaxWait: 8 * time.Second, Patient: true, Experiments: []string{
		"idle on HTTP/", "what HTTP/", "requests on a connection of HTTP/", "streams at once", "versions and protocols of TLS", "tickets of TLS", "how TLS ends",
	}})
}

// TestNothingOfManyStreamsIsLeftBehind counts goroutines around probes of HTTP/2 and
// HTTP/3 that end well, and before their time.
func TestNothingOfManyStreamsIsLeftBehind(t *testing.T) {
	if !testall.Alone(t) {
		return
	}
	roots, pemFile := authority(t)
	target, _ := realServer{scheme: "https", serve: func(t *testing.T, at place) {
		serveOrigin(t, at, policy.ServerPolicy{IdleTimeout: 300 * time.Millisecond})
	}}.start(t, pemFile)
	run := func() {
		for _, patience := range []time.Duration{time.Minute, 100 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			probe.Run(ctx, probe.Config{Target: target, Roots: roots, MaxWait: 500 * time.Millisecond})
			cancel()
		}
	}
	run() // what is made once
	time.Sleep(time.Second)
	before := runtime.NumGoroutine()
	run()
	now := 0
	for range 100 {
		if now = runtime.NumGoroutine(); now <= before {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines were there before, %d after\n%s", before, now, stacks[:runtime.Stack(stacks, true)])
}

func (s multiplexed) holdMultiplexed(t testing.TB, p *profile.Profile) {
	near := func(what string, limit profile.Timeout, want time.Duration) {
		t.Helper()
		median := time.Duration(limit.Median)
		if limit.State != profile.Measured || (median-want).Abs() > max(want/50, 100*time.Millisecond) {
			t.Errorf("%s: %s %v %s, want %v", what, limit.State, median, limit.Why, want)
		}
	}
	h2 := p.ProtocolNamed("h2")
	t.Logf("h2: %+v", *h2)
	near("h2 idle after a response", h2.AfterResponse, s.idle)
	if s.goaway && h2.AfterResponse.Ending != profile.GOAWAY {
		t.Errorf("h2 ends by %q", h2.AfterResponse.Ending)
	}
	if s.settings != nil && !maps.Equal(s.settings, h2.Announced.Settings) {
		t.Errorf("SETTINGS are %v, want %v", h2.Announced.Settings, s.settings)
	}
	counts := func(what string, c profile.Count, want int) {
		t.Helper()
		if want > 0 && (c.State != profile.Measured || c.N != want) || want == 0 && c.State != profile.AtLeast {
			t.Errorf("%s: %+v, want %d", what, c, want)
		}
	}
	counts("h2 requests", h2.Requests, s.requests)
	h3 := p.ProtocolNamed("h3")
	t.Logf("h3: %+v; quic %+v; alt-svc %+v", *h3, h3.QUIC, p.AltSvc)
	if h3.Offered != s.h3.offered {
		t.Errorf("h3 is offered: %v (%s)", h3.Offered, h3.Why)
	}
	if s.h3.offered {
		if said, _ := h3.Announced.Timeout.Get(); time.Duration(said) != s.h3.announce {
			t.Errorf("max_idle_timeout is %v, want %v", time.Duration(said), s.h3.announce)
		}
		switch {
		case s.h3.idle > 0:
			near("h3 idle", h3.AfterResponse, s.h3.idle)
			// Where it is what was agreed on, both sides let go at the same instant.
			if e := h3.AfterResponse.Ending; e != profile.GOAWAYQUIC && (e != profile.QUICIdle || s.h3.announce != s.h3.idle) {
				t.Errorf("h3 ends by %q", e)
			}
		case s.h3.announce < 8*time.Second:
			near("h3 idle", h3.AfterResponse, s.h3.announce)
			if h3.AfterResponse.Ending != profile.QUICIdle {
				t.Errorf("h3 ends by %q", h3.AfterResponse.Ending)
			}
		case h3.AfterResponse.State != profile.AtLeast:
			t.Errorf("h3 idle is %+v", h3.AfterResponse)
		}
		counts("h3 requests", h3.Requests, s.h3.requests)
	}
	t.Logf("tls: %+v", *p.TLS)
	if len(p.TLS.ALPN) != 2 || !slices.Contains(p.TLS.Versions, "1.2") || p.TLS.Tickets.State != profile.Measured || p.TLS.Tickets.N == 0 {
		t.Errorf("TLS is %+v", p.TLS)
	}
	for _, r := range p.Cases {
		t.Logf("%-12s %-22s %s", r.Outcome, r.ID, r.Text)
		broken := r.Outcome == profile.Fail || r.Outcome == profile.Warn
		if known := slices.Contains(s.breaks, r.ID); broken != known {
			t.Errorf("%s: %s (%s); is it known that it breaks that: %v", r.ID, r.Outcome, r.Text, known)
		}
	}
}
