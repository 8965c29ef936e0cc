package origin

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/content"
	"linger/internal/testall"
	"linger/origin/accesslog"
	"linger/origin/authority"
	"linger/origin/listen"
	"linger/origin/site"
	"linger/policy"
	"linger/trace"
)

// certifier is one for all tests.
var certifier = sync.OnceValue(func() *authority.Authority { return must(authority.New(time.Now())) })

// A way is a protocol over a kind of socket.
type way struct{ name, scheme, version string }

var ways = []way{
	{"HTTP/1.1", "http", "1.1"},
	{"HTTP/1.1 over TLS", "https", "1.1"},
	{"HTTP/2 by prior knowledge", "http", "2"},
	{"HTTP/2", "https", "2"},
	{"HTTP/3", "h3", "3"},
}

// serveOn starts a server on the loopback and returns its address.
func serveOn(t testing.TB, config Config, w way) (*Server, string) {
	config.Certificates = append(config.Certificates, must(certifier().Certificate("localhost", "127.0.0.1")))
	s := must(New(config))
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	var address net.Addr
	if w.scheme == "h3" {
		pc := must(listen.UDP(t.Context(), "127.0.0.1:0"))
		address = pc.LocalAddr()
		go func() { served <- s.ServeQUIC(ctx, pc) }()
	} else {
		ln := must(listen.TCP(t.Context(), "127.0.0.1:0", listen.Options{}))
		address = ln.Addr()
		serve := s.Serve
		if w.scheme == "https" {
			serve = s.ServeTLS
		}
		go func() { served <- serve(ctx, ln) }()
	}
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return s, address.String()
}

// client returns Go's client of that way, which keeps its connections, and what
// closes them.
func (w way) client(sessions tls.ClientSessionCache) (http.RoundTripper, func()) {
	config := &tls.Config{RootCAs: certifier().Pool(), ClientSessionCache: sessions}
	if w.scheme == "h3" {
		tr := &http3.Transport{TLSClientConfig: config}
		return tr, func() { tr.Close() }
	}
	var protocols http.Protocols
	protocols.SetHTTP1(w.version == "1.1")
	protocols.SetHTTP2(w.version == "2" && w.scheme == "https")
	protocols.SetUnencryptedHTTP2(w.version == "2" && w.scheme == "http")
	tr := &http.Transport{TLSClientConfig: config, Protocols: &protocols, DisableCompression: true}
	return tr, tr.CloseIdleConnections
}

func (w way) url(address, path string) string {
	scheme := w.scheme
	if scheme == "h3" {
		scheme = "https"
	}
	return scheme + "://" + address + path
}

// fetch gets one response in full.
func fetch(tr http.RoundTripper, method, url string, body io.Reader) (*http.Response, []byte, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, nil, err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

func TestEveryProtocolServesTheSameBytes(t *testing.T) {
	w := linger.Gallery(1)
	w.Exchanges = append(w.Exchanges,
		linger.Exchange{Method: "GET", Path: "/made-anew", Status: 200, ResponseBody: 300_000, Parent: linger.NoParent},
		linger.Exchange{Method: "POST", Path: "/form", RequestBody: 100_000, Status: 201, ResponseBody: 20, Parent: linger.NoParent},
		linger.Exchange{Method: "HEAD", Path: "/head", Status: 200, Parent: linger.NoParent},
		linger.Exchange{Method: "GET", Path: "/nothing", Status: 204, Parent: linger.NoParent},
		linger.Exchange{Method: "GET", Path: "/empty", Status: 200, Parent: linger.NoParent},
	)
	for i := range w.Exchanges {
		w.Exchanges[i].ResponseHead = 250 + 10*i
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			var log recorder
			s, address := serveOn(t, Config{Workload: w, Log: log.log, Cache: 2 << 20, AltSvc: `h3=":1"`}, way)
			tr, closeAll := way.client(nil)
			for i, e := range w.Exchanges {
				resp, body, err := fetch(tr, e.Method, way.url(address, e.Path), io.LimitReader(content.Filler("x", 1<<20), e.RequestBody))
				if err != nil {
					t.Fatal(err)
				}
				want := must(io.ReadAll(content.Body(w, i)))
				if resp.StatusCode != e.Status || !bytes.Equal(body, want) {
					t.Errorf("%s %s: %s with %d bytes; want %d with %d, the same", e.Method, e.Path, resp.Status, len(body), e.Status, len(want))
				}
				// Go's client strips the space that a padding of HTTP/1 may end with.
				got := sizeAsHTTP1(resp)
				if got == e.ResponseHead-1 && way.version == "1.1" {
					got++
				}
				if got != e.ResponseHead {
					t.Errorf("%s: the head has %d bytes, want %d: %v", e.Path, got, e.ResponseHead, resp.Header)
				}
				if got := resp.Header.Get("Alt-Svc"); (got == `h3=":1"`) != (way.scheme == "https") {
					t.Errorf("Alt-Svc: %q", got)
				}
			}
			settleCount(t, func() bool {
				closeAll() // those that the client has found to be idle by now
				return s.Counters().Open == 0
			})
			settle(t, s)
			// Of several streams, the log's lines may cross.
			answered := log.of(accesslog.Answered)
			slices.SortFunc(answered, func(a, b accesslog.Entry) int { return cmp.Compare(a.Request, b.Request) })
			for i, e := range answered {
				x := w.Exchanges[i]
				if e.Conn != 1 || e.Request != i+1 || e.Version != way.version || e.Method != x.Method || e.Target != x.Path || e.Body != x.ResponseBody || !e.Kept || e.Failed != "" {
					t.Errorf("log: %v", e)
				}
			}
			if end := log.of(accesslog.Closed); len(end) != 1 || end[0].Request != len(w.Exchanges) || end[0].By != trace.AtClient || end[0].Reason != "client closed" {
				t.Errorf("log: %v", end)
			}
			if n := s.Counters(); n.Accepted != 1 || n.Open != 0 || n.Requests != int64(len(w.Exchanges)) {
				t.Errorf("%+v", n)
			}
		})
	}
}

// sizeAsHTTP1 is the size of a response's head as HTTP/1.1 would write it.
func sizeAsHTTP1(resp *http.Response) int {
	n := len("HTTP/1.1 200 ") + len(site.Reason(resp.StatusCode)) + len("\r\n\r\n")
	for name, values := range resp.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	if resp.Header.Get("Content-Length") == "" && resp.ContentLength >= 0 && resp.StatusCode != 204 {
		n += len(fmt.Sprintf("Content-Length: %d\r\n", resp.ContentLength))
	}
	return n
}

func TestRequestsPerConnectionOfEveryProtocol(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			var log recorder
			s, address := serveOn(t, Config{Policy: policy.ServerPolicy{MaxRequests: 3}, Log: log.log}, way)
			tr, closeAll := way.client(nil)
			for range 7 {
				if resp, _, err := fetch(tr, "GET", way.url(address, "/bytes/100000"), nil); err != nil || resp.StatusCode != 200 {
					t.Fatalf("%v, %v", resp, err)
				}
			}
			settleCount(t, func() bool {
				closeAll() // those that the client has found to be idle by now
				return s.Counters().Open == 0
			})
			settle(t, s)
			var requests []int
			for _, e := range log.of(accesslog.Closed) {
				requests = append(requests, e.Request)
				if full := e.Request == 3; full != (e.By == trace.AtServer && e.Reason == "requests per connection used up") {
					t.Errorf("log: %v", e)
				}
			}
			slices.Sort(requests)
			if !slices.Equal(requests, []int{1, 3, 3}) {
				t.Errorf("the connections carried %v requests, want 1, 3 and 3", requests)
			}
			for _, e := range log.of(accesslog.Answered) {
				if e.Kept != (e.Request < 3) || e.Failed != "" {
					t.Errorf("log: %v", e)
				}
			}
		})
	}
}

// TestDepartedClients: nothing is held for a client that has gone before its answer.
func TestDepartedClients(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			var log recorder
			s, address := serveOn(t, Config{Log: log.log}, way)
			const clients = 5
			before := descriptors(t)
			ctx, leave := context.WithCancel(t.Context())
			var gone sync.WaitGroup
			var closing []func()
			for range clients {
				tr, closeAll := way.client(nil)
				closing = append(closing, closeAll)
				gone.Go(func() {
					req := must(http.NewRequestWithContext(ctx, "GET", way.url(address, "/delay/1m"), nil))
					if resp, err := tr.RoundTrip(req); err == nil {
						resp.Body.Close()
						t.Error("it was answered")
					}
				})
			}
			settleCount(t, func() bool { return s.Counters().Requests == clients })
			leave()
			gone.Wait()
			settleCount(t, func() bool {
				for _, closeAll := range closing {
					closeAll() // of HTTP/2, once Go's client has seen its stream end
				}
				return len(log.of(accesslog.Closed)) == clients && descriptors(t) <= before
			})
			if n := descriptors(t); n > before || s.Counters().Open != 0 {
				t.Errorf("%d descriptors, %d before; %d connections open", n, before, s.Counters().Open)
			}
			for _, e := range log.of(accesslog.Answered) {
				if e.Failed == "" || e.Kept {
					t.Errorf("log: %v", e)
				}
			}
			for _, e := range log.of(accesslog.Closed) {
				if e.By != trace.AtClient {
					t.Errorf("log: %v", e)
				}
			}
		})
	}
}

// TestServerClosesFirst: an idle connection ends by the policy, a request under
// way is answered when the server goes down.
func TestServerClosesFirst(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			var log recorder
			s, address := serveOn(t, Config{Policy: policy.ServerPolicy{IdleTimeout: 100 * time.Millisecond}, Log: log.log}, way)
			tr, closeAll := way.client(nil)
			defer closeAll()
			if _, _, err := fetch(tr, "GET", way.url(address, "/bytes/1"), nil); err != nil {
				t.Fatal(err)
			}
			settleCount(t, func() bool { return len(log.of(accesslog.Closed)) > 0 })
			answered := make(chan error, 1)
			go func() {
				_, body, err := fetch(tr, "GET", way.url(address, "/delay/50ms"), nil)
				if err != nil { // on the connection that has just ended
					_, body, err = fetch(tr, "GET", way.url(address, "/delay/50ms"), nil)
				}
				if err == nil && string(body) != "waited 50ms\n" {
					err = fmt.Errorf("%q", body)
				}
				answered <- err
			}()
			settleCount(t, func() bool { return s.Counters().Requests == 2 })
			settle(t, s)
			if err := <-answered; err != nil {
				t.Errorf("a request under way: %v", err)
			}
			end := log.of(accesslog.Closed)
			if len(end) != 2 || end[0].Reason != "idle timeout" || end[1].Reason != "server shuts down" || end[0].By != trace.AtServer || end[1].By != trace.AtServer {
				t.Errorf("log: %v", end)
			}
		})
	}
}

func TestSessionsAreResumed(t *testing.T) {
	for _, way := range ways {
		if way.scheme == "http" {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			_, address := serveOn(t, Config{}, way)
			sessions := tls.NewLRUClientSessionCache(4)
			for i := range 3 {
				tr, closeAll := way.client(sessions)
				resp, _, err := fetch(tr, "GET", way.url(address, "/bytes/1000"), nil)
				if err != nil {
					t.Fatal(err)
				}
				if resp.TLS.DidResume != (i > 0) || resp.TLS.Version != tls.VersionTLS13 {
					t.Errorf("connection %d: TLS %x, resumed %v", i, resp.TLS.Version, resp.TLS.DidResume)
				}
				closeAll()
			}
		})
	}
}

// TestEarlyData: a request that comes with the first flight is answered, and one
// that may not be repeated waits for the handshake.
func TestEarlyData(t *testing.T) {
	var log recorder
	_, address := serveOn(t, Config{Log: log.log}, ways[4])
	sessions := tls.NewLRUClientSessionCache(4)
	for i, method := range []string{http.MethodGet, http3.MethodGet0RTT, http.MethodPost} {
		var conn *quic.Conn
		tr := &http3.Transport{
			TLSClientConfig: &tls.Config{RootCAs: certifier().Pool(), ClientSessionCache: sessions},
			Dial: func(ctx context.Context, addr string, t *tls.Config, c *quic.Config) (*quic.Conn, error) {
				var err error
				conn, err = quic.DialAddrEarly(ctx, addr, t, c)
				return conn, err
			},
		}
		resp, body, err := fetch(tr, method, "https://"+address+"/bytes/1000", nil)
		if err != nil || resp.StatusCode != 200 || len(body) != 1000 {
			t.Errorf("%s: %v, %v", method, resp, err)
		}
		<-conn.HandshakeComplete()
		if state := conn.ConnectionState(); state.Used0RTT != (i > 0) {
			t.Errorf("%s: early data %v", method, state.Used0RTT)
		}
		tr.Close()
	}
}

func TestHandshakesThatFail(t *testing.T) {
	for _, test := range []struct {
		name   string
		dial   func(address string) error
		by     trace.Peer
		reason string
	}{
		{"a client of cleartext", func(address string) error {
			c := must(net.Dial("tcp", address))
			defer c.Close()
			send(t, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			resp, body := response(t, bufio.NewReader(c), "GET")
			if resp.StatusCode != 400 || !resp.Close || body != "this port speaks TLS; use https\n" {
				t.Errorf("%s, close %v, %q", resp.Status, resp.Close, body)
			}
			return errors.New("cleartext")
		}, trace.AtServer, "client does not speak TLS"},
		{"a client of nothing known", func(address string) error {
			c := must(net.Dial("tcp", address))
			defer c.Close()
			send(t, c, "EHLO example\r\n")
			if b, _ := io.ReadAll(c); len(b) > 0 && b[0] == 'H' {
				t.Errorf("is answered %q", b)
			}
			return errors.New("cleartext")
		}, trace.AtServer, "client does not speak TLS"},
		{"a client that does not trust", func(address string) error {
			_, err := tls.Dial("tcp", address, &tls.Config{})
			return err
		}, trace.AtClient, "TLS handshake: remote error: tls: bad certificate"},
		{"another protocol", func(address string) error {
			_, err := tls.Dial("tcp", address, &tls.Config{RootCAs: certifier().Pool(), NextProtos: []string{"smtp"}})
			return err
		}, trace.AtServer, `TLS handshake: tls: client requested unsupported application protocols (["smtp"])`},
		{"an old version", func(address string) error {
			_, err := tls.Dial("tcp", address, &tls.Config{RootCAs: certifier().Pool(), MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
			return err
		}, trace.AtServer, "TLS handshake: tls: client offered only unsupported versions: [302 301]"},
		{"a client that leaves", func(address string) error {
			must(net.Dial("tcp", address)).Close()
			return errors.New("left")
		}, trace.AtClient, "client closed in the TLS handshake"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log recorder
			s, address := serveOn(t, Config{Log: log.log}, ways[3])
			if test.dial(address) == nil {
				t.Error("the handshake went well")
			}
			settleCount(t, func() bool { return len(log.of(accesslog.Closed)) > 0 })
			settle(t, s)
			if end := log.of(accesslog.Closed); len(end) != 1 || end[0].By != test.by || end[0].Reason != test.reason {
				t.Errorf("log: %v", end)
			}
		})
	}
	var log recorder
	s, address := serveOn(t, Config{Log: log.log, Stall: 50 * time.Millisecond}, ways[3])
	defer must(net.Dial("tcp", address)).Close()
	settleCount(t, func() bool { return len(log.of(accesslog.Closed)) > 0 })
	settle(t, s)
	if end := log.of(accesslog.Closed); end[0].Reason != "client stalled in the TLS handshake" {
		t.Errorf("log: %v", end)
	}
}

// TestStylesOverTLS: fin ends TLS and TCP in good order, rst neither.
func TestStylesOverTLS(t *testing.T) {
	for _, test := range []struct {
		style policy.CloseStyle
		want  error
	}{{policy.CloseFIN, io.EOF}, {policy.CloseRST, syscall.ECONNRESET}} {
		for _, protocol := range []string{"h2", "http/1.1"} {
			_, address := serveOn(t, Config{Policy: policy.ServerPolicy{IdleTimeout: 50 * time.Millisecond, Style: test.style}}, ways[3])
			c := must(tls.Dial("tcp", address, &tls.Config{RootCAs: certifier().Pool(), NextProtos: []string{protocol}}))
			defer c.Close()
			// Go's TLS gives EOF where close_notify has come, and ErrUnexpectedEOF for
			// TCP's end alone.
			if _, err := io.Copy(io.Discard, readerOnly{c}); !errors.Is(err, test.want) && (err != nil || test.want != io.EOF) {
				t.Errorf("%s, %s: %v, want %v", protocol, test.style, err, test.want)
			}
		}
	}
}

type readerOnly struct{ io.Reader }

// TestNothingIsLeft counts what a thousand connections of each protocol leave.
func TestNothingIsLeft(t *testing.T) {
	if !testall.Alone(t) {
		return
	}
	const atOnce = 20
	n := testall.Of(1000, 100)
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			var log recorder
			s, address := serveOn(t, Config{Log: log.log}, way)
			visit := func() error {
				tr, closeAll := way.client(nil)
				defer closeAll()
				_, body, err := fetch(tr, "GET", way.url(address, "/bytes/10"), nil)
				if err == nil && len(body) != 10 {
					err = io.ErrUnexpectedEOF
				}
				return err
			}
			if err := visit(); err != nil { // what is made once is there now
				t.Fatal(err)
			}
			settleCount(t, func() bool { return s.Counters().Open == 0 })
			goroutines, files := runtime.NumGoroutine(), descriptors(t)
			tokens := make(chan struct{}, atOnce)
			var visits sync.WaitGroup
			for range n {
				tokens <- struct{}{}
				visits.Go(func() {
					if err := visit(); err != nil {
						t.Error(err)
					}
					<-tokens
				})
			}
			visits.Wait()
			settleCount(t, func() bool {
				return s.Counters().Open == 0 && runtime.NumGoroutine() <= goroutines && descriptors(t) <= files
			})
			if c := s.Counters(); c.Open != 0 || c.Accepted != int64(n+1) || c.Requests != int64(n+1) {
				t.Errorf("%+v", c)
			}
			if got := runtime.NumGoroutine(); got > goroutines {
				t.Errorf("%d goroutines, %d before", got, goroutines)
			}
			if got := descriptors(t); got > files {
				t.Errorf("%d descriptors, %d before", got, files)
			}
			if got := len(log.of(accesslog.Closed)); got != n+1 {
				t.Errorf("%d connections have ended in the log, want %d", got, n+1)
			}
		})
	}
}

// settleCount waits until done holds, for a bounded time.
func settleCount(t *testing.T, done func() bool) {
	t.Helper()
	for range 10_000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// descriptors is how many file descriptors this process has.
func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

func TestServingWithoutACertificate(t *testing.T) {
	s := must(New(Config{}))
	if err := s.ServeTLS(t.Context(), must(listen.TCP(t.Context(), "127.0.0.1:0", listen.Options{}))); err != errNoCertificate {
		t.Error(err)
	}
	if err := s.ServeQUIC(t.Context(), must(listen.UDP(t.Context(), "127.0.0.1:0"))); err != errNoCertificate {
		t.Error(err)
	}
}
