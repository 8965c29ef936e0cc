package live

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/ask"
	"linger/internal/testall"
	"linger/policy"
	"linger/trace"
)

// silence is a UDP port on which nothing answers, or what answer says.
func silence(t testing.TB, answer func(packet []byte) []byte) string {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := socket.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer != nil {
				socket.WriteTo(answer(buf[:n]), from)
			}
		}
	})
	t.Cleanup(func() {
		socket.Close()
		wg.Wait()
	})
	return socket.LocalAddr().String()
}

func TestHTTP3BadServers(t *testing.T) {
	w := objects(1)
	// Port 1 is given to nobody who asks for any: a port that was free a moment ago may be.
	const closedPort = "127.0.0.1:1"
	limits := policy.Limits{Connect: 200 * time.Millisecond, Stall: 5 * time.Second, Linger: time.Second}
	plain := func(address string) func(*testing.T) Config {
		return func(*testing.T) Config { return Config{Address: address, Limits: limits} }
	}
	served := func(handler http.HandlerFunc, tune func(*h3Server)) func(*testing.T) Config {
		return func(t *testing.T) Config {
			c := startH3(t, w, handler, tune).config()
			c.Limits = policy.Limits{Connect: 10 * time.Second, Stall: 10 * time.Second}
			return c
		}
	}
	for _, test := range []struct {
		name   string
		config func(*testing.T) Config
		want   string
		by     trace.Peer
	}{
		{"UDP blocked", plain(silence(t, nil)), "no answer over UDP within 200ms; it may be blocked, or the server has no HTTP/3", trace.AtClient},
		{"nothing on the port", plain(closedPort), "nothing listens on that UDP port", trace.AtServer},
		{"another version of QUIC", plain(silence(t, func(p []byte) []byte {
			// RFC 9000, 17.2.1: the connection IDs swapped, then the versions.
			to, from := p[6:6+p[5]], p[7+p[5]:][:p[6+p[5]]]
			return slices.Concat([]byte{0xc0, 0, 0, 0, 0, byte(len(from))}, from, []byte{byte(len(to))}, to, []byte{0x6b, 0x33, 0x43, 0xcf})
		})), "server speaks QUIC", trace.AtServer},
		{"no HTTP/3 on QUIC", served(nil, func(s *h3Server) { s.TLSConfig = s.TLSConfig.Clone(); s.TLSConfig.NextProtos = []string{"doq"} }),
			"server does not speak h3", trace.AtServer},
		{"an expired certificate", served(nil, func(s *h3Server) {
			a := newAuthority(t)
			expired := a.issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
			s.TLSConfig, s.roots = http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{expired}}), a.roots()
		}), "certificate expired on ", trace.AtClient},
		{"a foreign certificate", served(nil, func(s *h3Server) {
			s.roots = newAuthority(t).roots()
		}), "certificate refused: ", trace.AtClient},
		{"each stream refused", served(func(out http.ResponseWriter, in *http.Request) {
			stream, _ := out.(http3.HTTPStreamer).HTTPStream()
			stream.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
			stream.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestRejected))
		}, nil), "server ended the exchange with H3_REQUEST_REJECTED", trace.AtClient},
		{"each stream reset", served(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil),
			"server ended the exchange with H3_INTERNAL_ERROR", trace.AtClient},
		{"no stream allowed", func(t *testing.T) Config {
			c := served(nil, func(s *h3Server) { s.QUICConfig.MaxIncomingStreams = -1 })(t)
			c.Limits.Stall = 100 * time.Millisecond
			return c
		}, "the server allowed no request for 100ms", trace.AtClient},
		{"no answer", func(t *testing.T) Config {
			c := served(func(_ http.ResponseWriter, in *http.Request) { <-in.Context().Done() }, nil)(t)
			c.Limits.Stall = 100 * time.Millisecond
			return c
		}, "no byte of the response for 100ms", trace.AtClient},
		{"a close at once", served(func(_ http.ResponseWriter, in *http.Request) {
			connectionOf(in).CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "too much")
		}, nil), "server closed the connection with H3_EXCESSIVE_LOAD: too much", trace.AtServer},
		{"a response cut short", served(func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Length", "1000")
			out.Write(make([]byte, 10))
			out.(http.Flusher).Flush()
		}, nil), "server ended the response after 10 bytes of the body", trace.AtClient},
		{"another status", served(func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(500) }, nil), "status 500, not 200", trace.AtClient},
		{"another body", served(func(out http.ResponseWriter, _ *http.Request) { out.Write(make([]byte, 1000)) }, nil), "is not the workload's", trace.AtClient},
		{"a long body", served(func(out http.ResponseWriter, _ *http.Request) { out.Write(make([]byte, 1001)) }, nil), "body is longer than 1000 bytes", trace.AtClient},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := fetch(t, w, "h3", test.config(t))
			if got := tr.Exchanges[0].Failed; !strings.Contains(got, test.want) || strings.Contains(got, "\n") {
				t.Errorf("failed because %q; want %q", got, test.want)
			}
			if k := tr.Connections[0]; k.Closed.IsZero() || k.Reason == "" || k.ClosedBy != test.by {
				t.Errorf("connection %+v, want closed by %q", k, test.by)
			}
		})
	}
}

func TestHTTP3StreamLimits(t *testing.T) {
	w := objects(20)
	for _, limit := range []int64{1, 3} {
		var now, most atomic.Int64
		handle := serving(w)
		s := startH3(t, w, func(out http.ResponseWriter, in *http.Request) {
			n := now.Add(1)
			defer now.Add(-1)
			for {
				if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
					break
				}
			}
			handle(out, in)
		}, func(s *h3Server) { s.QUICConfig.MaxIncomingStreams = limit })
		tr := fetch(t, w, "h3", s.config())
		wantDelivered(t, tr)
		if len(tr.Connections) != 1 || most.Load() > limit {
			t.Errorf("limit %d: %d connections, %d at once", limit, len(tr.Connections), most.Load())
		}
	}
}

func TestHTTP3ServerCloses(t *testing.T) {
	w := objects(10)
	handle := serving(w)
	var once sync.Once
	s := startH3(t, w, func(out http.ResponseWriter, in *http.Request) {
		if in.URL.Path == "/5" {
			once.Do(func() {
				connectionOf(in).CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
			})
		}
		handle(out, in)
	}, nil)
	strategy, _ := linger.ParseStrategy("h3")
	strategy.InFlight = 1
	tr, err := Run(t.Context(), linger.Scenario{Workload: w, Strategy: strategy}, s.config())
	if err != nil {
		t.Fatal(err)
	}
	wantDelivered(t, tr)
	if len(tr.Connections) != 2 || tr.Retries != 1 || tr.Connections[0].ClosedBy != trace.AtServer || tr.Connections[0].Reason != "server closed the connection" {
		t.Errorf("%d connections, %d retries, the first ended with %+v", len(tr.Connections), tr.Retries, tr.Connections[0])
	}
}

func TestHTTP3StatelessReset(t *testing.T) {
	w := objects(2)
	w.Exchanges[1].Parent, w.Exchanges[1].At, w.Exchanges[1].Think = 0, 1000, 100*time.Millisecond
	handle := serving(w)
	var restart sync.WaitGroup
	var once sync.Once
	s := startH3(t, w, nil, func(s *h3Server) {
		s.transport.StatelessResetKey = &quic.StatelessResetKey{1, 2, 3}
		s.Handler = http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
			handle(out, in)
			// A server that dies once it has answered, and comes back without its memory.
			once.Do(func() {
				restart.Go(func() {
					time.Sleep(30 * time.Millisecond)
					s.transport.Close()
					s.transport = &quic.Transport{Conn: s.socket, StatelessResetKey: s.transport.StatelessResetKey}
					l, err := s.transport.ListenEarly(s.TLSConfig, s.QUICConfig)
					if err != nil {
						t.Error(err)
						return
					}
					next := &http3.Server{Handler: handle}
					t.Cleanup(func() { next.Close() })
					go next.ServeListener(l)
				})
			})
		})
	})
	tr := fetch(t, w, "h3", s.config())
	restart.Wait()
	wantDelivered(t, tr)
	if len(tr.Connections) != 2 || !strings.Contains(tr.Connections[0].Reason, "stateless reset") {
		t.Errorf("%d connections, the first ended with %q", len(tr.Connections), tr.Connections[0].Reason)
	}
}

func TestHTTP3Retry(t *testing.T) {
	w := objects(1)
	s := startH3(t, w, nil, func(s *h3Server) { s.transport.VerifySourceAddress = func(net.Addr) bool { return true } })
	tr := fetch(t, w, "h3", s.config())
	wantDelivered(t, tr)
	if q, _ := tr.Connections[0].QUIC.Get(); !q.Retry {
		t.Errorf("%+v", q)
	}
}

func TestHTTP3Interrupted(t *testing.T) {
	w := objects(3)
	handle := serving(w)
	ctx, cancel := context.WithCancel(t.Context())
	s := startH3(t, w, func(out http.ResponseWriter, in *http.Request) {
		if in.URL.Path == "/2" {
			cancel()
			<-in.Context().Done()
			return
		}
		handle(out, in)
	}, nil)
	strategy, _ := linger.ParseStrategy("h3")
	strategy.InFlight = 1
	tr, err := Run(ctx, linger.Scenario{Workload: w, Strategy: strategy}, s.config())
	if err != nil {
		t.Fatal(err)
	}
	if !tr.Interrupted || tr.Exchanges[1].Failed != "" || tr.Exchanges[2].Failed != "interrupted" {
		t.Errorf("%+v", tr)
	}
}

// A file in memory that knows whether it was closed.
type memoryFile struct {
	bytes.Buffer
	closed atomic.Bool
}

func (m *memoryFile) Close() error {
	m.closed.Store(true)
	return nil
}

func TestQlogAndKeyLog(t *testing.T) {
	w := objects(5)
	s := startH3(t, w, nil, nil)
	c := s.config()
	var file memoryFile
	var keys bytes.Buffer
	c.KeyLog = &keys
	c.Qlog = func(int) io.WriteCloser { return &file }
	c.Message.Fields = []ask.Field{{Name: "X-Token", Value: "hush"}}
	tr := fetch(t, w, "h3", c)
	wantDelivered(t, tr)
	if !file.closed.Load() {
		t.Error("the qlog is not closed")
	}
	for _, event := range []string{"transport:packet_sent", "http3:frame_created", "http3:frame_parsed", "transport:connection_closed"} {
		if !strings.Contains(file.String(), event) {
			t.Errorf("the qlog, of %d bytes, has no %s", file.Len(), event)
		}
	}
	if strings.Contains(file.String(), "hush") || !strings.Contains(strings.ToLower(file.String()), "x-token") {
		t.Error("the qlog repeats the value of a field that may be secret, or lacks its name")
	}
	if !strings.Contains(keys.String(), "CLIENT_TRAFFIC_SECRET_0 ") {
		t.Errorf("key log %q", keys.String())
	}
}

// A disk that is full.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left") }
func (fullDisk) Close() error              { return nil }

func TestHTTP3PrintsNothing(t *testing.T) {
	var printed bytes.Buffer
	log.SetOutput(&printed)
	defer log.SetOutput(os.Stderr)
	w := objects(3)
	s := startH3(t, w, nil, nil)
	c := s.config()
	c.Qlog = func(int) io.WriteCloser { return fullDisk{} }
	printed.Reset() // the server's socket complains
	wantDelivered(t, fetch(t, w, "h3", c))
	if printed.Len() > 0 {
		t.Errorf("printed: %s", &printed)
	}
}

// fds counts this process's open files.
func fds(t testing.TB) int {
	t.Helper()
	all, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(all) == 0 {
		t.Skip("open files cannot be counted here")
	}
	return len(all)
}

func TestHTTP3LeavesNothing(t *testing.T) {
	if !testall.Alone(t) {
		return
	}
	runs := testall.Of(1000, 50)
	w := objects(1)
	s := startH3(t, w, nil, nil)
	c := s.config()
	fetch(t, w, "h3", c)
	settle := func() int {
		n := runtime.NumGoroutine()
		for range 200 {
			time.Sleep(10 * time.Millisecond)
			if now := runtime.NumGoroutine(); now < n {
				n = now
			}
		}
		return n
	}
	goroutines, files := settle(), fds(t)
	for range runs {
		if tr := fetch(t, w, "h3", c); tr.Exchanges[0].Failed != "" {
			t.Fatal(tr.Exchanges[0].Failed)
		}
	}
	if now := fds(t); now > files {
		t.Errorf("%d open files, %d before", now, files)
	}
	// A few go with the server's side of the last connections.
	if now := settle(); now > goroutines+5 {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before\n%s", now, goroutines, buf[:runtime.Stack(buf, true)])
	}
}

func TestHTTP3Caddy(t *testing.T) {
	caddy := tool(t, "caddy")
	w := over(t, linger.Gallery(1), "https")
	a := newAuthority(t)
	s := newSite(t, w, a.issue(nil))
	// Caddy chooses the certificate by the name that QUIC's handshake asks for.
	_, port, _ := net.SplitHostPort(s.address)
	host := net.JoinHostPort("test.example", port)
	config := filepath.Join(s.dir, "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, "{\n\tadmin off\n\tauto_https off\n}\nhttps://%s {\n\tbind 127.0.0.1\n\troot * %s\n\tfile_server\n\ttls %s %s\n}\n",
		host, s.root, s.cert, s.key), 0o644); err != nil {
		t.Fatal(err)
	}
	s.start(t, caddy, "run", "--adapter", "caddyfile", "--config", config)
	c := Config{Address: s.address, Host: host, Roots: a.roots(), Verify: true}
	for _, strategy := range []string{"h3", "h3:2", "h3+resume", "h3+0rtt"} {
		tr := fetch(t, w, strategy, c)
		wantDelivered(t, tr)
		h, _ := tr.Connections[0].TLS.Get()
		if h.ALPN != "h3" || h.EarlyData.Or(false) != strings.HasSuffix(strategy, "+0rtt") {
			t.Errorf("%s: %+v", strategy, h)
		}
	}
}

func TestVisitOverHTTP3(t *testing.T) {
	s := startH3(t, objects(1), func(out http.ResponseWriter, in *http.Request) {
		switch in.URL.Path {
		case "/":
			http.Redirect(out, in, "/page", http.StatusFound)
		case "/page":
			out.Header().Set("Content-Type", "text/html")
			io.WriteString(out, `<img src="/a.png"><link rel=stylesheet href="b.css"><img src="https://elsewhere.invalid/c.png">`)
		default:
			io.WriteString(out, in.URL.Path)
		}
	}, nil)
	c := s.config()
	strategy, _ := linger.ParseStrategy("h3")
	page, err := Visit(t.Context(), "https://"+c.Address+"/", strategy, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Workload.Exchanges) != 4 || page.Elsewhere != 1 || len(page.Trace.Connections) != 1 {
		t.Errorf("%+v", page)
	}
	wantDelivered(t, page.Trace)
}

func BenchmarkHTTP3(b *testing.B) {
	w := objects(1000)
	s := startH3(b, w, nil, nil)
	c := s.config()
	c.Verify = false
	strategy, _ := linger.ParseStrategy("h3")
	strategy.InFlight = 50
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		tr, err := Run(b.Context(), linger.Scenario{Workload: w, Strategy: strategy}, c)
		if err != nil || tr.Exchanges[999].Failed != "" {
			b.Fatal(err, tr.Exchanges[999].Failed)
		}
		n += len(w.Exchanges)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
}
