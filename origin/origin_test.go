package origin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"linger"
	"linger/content"
	"linger/origin/accesslog"
	"linger/origin/listen"
	"linger/policy"
	"linger/trace"
)

// pipes is a listener in memory; it works in a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// recorder keeps the log.
type recorder struct {
	mu      sync.Mutex
	entries []accesslog.Entry
}

func (r *recorder) log(e accesslog.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
}

func (r *recorder) of(event accesslog.Event) []accesslog.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.entries), func(e accesslog.Entry) bool { return e.Event != event })
}

// inMemory runs body in a bubble of virtual time with a server, and ends the
// server after it.
func inMemory(t *testing.T, config Config, body func(t *testing.T, s *Server, p *pipes)) {
	servedInMemory(t, config, (*Server).Serve, body)
}

// servedInMemory is inMemory with any way to serve a stream.
func servedInMemory(t *testing.T, config Config, serve func(*Server, context.Context, net.Listener) error, body func(t *testing.T, s *Server, p *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		s := must(New(config))
		p := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- serve(s, ctx, p) }()
		body(t, s, p)
		cancel()
		if err := <-served; err != nil {
			t.Errorf("served until %v", err)
		}
		time.Sleep(time.Minute) // clients that pause notice, too
	})
}

// onLoopback starts a server on TCP and returns its address.
func onLoopback(t testing.TB, config Config) (*Server, string) {
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listen.TCP(t.Context(), "127.0.0.1:0", listen.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, ln.Addr().String()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// response reads one response in full.
func response(t *testing.T, r *bufio.Reader, method string) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("no body: %v", err)
	}
	return resp, string(body)
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func TestPersistence(t *testing.T) {
	once := policy.ServerPolicy{MaxRequests: 1}
	announce := policy.ServerPolicy{IdleTimeout: 5 * time.Second, MaxRequests: 100, Announce: true}
	for _, test := range []struct {
		policy                        policy.ServerPolicy
		request                       string
		persists                      bool
		wantConnection, wantKeepAlive string
	}{
		{policy.ServerPolicy{}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, "", ""},
		{policy.ServerPolicy{}, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false, "close", ""},
		{policy.ServerPolicy{}, "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, CLOSE\r\n\r\n", false, "close", ""},
		{policy.ServerPolicy{}, "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo\r\nConnection: close\r\n\r\n", false, "close", ""},
		{policy.ServerPolicy{}, "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true, "", ""},
		{policy.ServerPolicy{}, "GET / HTTP/1.9\r\nHost: a\r\n\r\n", true, "", ""},
		{policy.ServerPolicy{}, "GET / HTTP/1.0\r\n\r\n", false, "close", ""},
		{policy.ServerPolicy{}, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, "keep-alive", ""},
		{policy.ServerPolicy{}, "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, "close", ""},
		{once, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, "close", ""},
		{once, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, "close", ""},
		{announce, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, "keep-alive", "timeout=5, max=99"},
		{announce, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, "keep-alive", "timeout=5, max=99"},
		{announce, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false, "close", ""},
		{policy.ServerPolicy{MaxRequests: 7, Announce: true}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, "keep-alive", "max=6"},
		{policy.ServerPolicy{Announce: true}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, "keep-alive", ""},
	} {
		name := fmt.Sprintf("%q, %+v", test.request, test.policy)
		inMemory(t, Config{Policy: test.policy}, func(t *testing.T, s *Server, p *pipes) {
			c := p.dial()
			defer c.Close()
			send(t, c, test.request)
			r := bufio.NewReader(c)
			resp, _ := response(t, r, "GET")
			if resp.StatusCode != 200 || resp.Proto != "HTTP/1.1" {
				t.Errorf("%s: got %s %s", name, resp.Proto, resp.Status)
			}
			// net/http keeps "close" to itself.
			if got := resp.Header.Get("Connection"); got != strings.TrimPrefix(test.wantConnection, "close") || resp.Close != (test.wantConnection == "close") {
				t.Errorf("%s: Connection: %q, want %q", name, got, test.wantConnection)
			}
			if got := resp.Header.Get("Keep-Alive"); got != test.wantKeepAlive {
				t.Errorf("%s: Keep-Alive: %q, want %q", name, got, test.wantKeepAlive)
			}
			synctest.Wait()
			if open := s.Counters().Open == 1; open != test.persists {
				t.Errorf("%s: open %v, want %v", name, open, test.persists)
			}
			if !test.persists {
				return
			}
			send(t, c, test.request)
			if resp, _ := response(t, r, "GET"); resp.StatusCode != 200 {
				t.Errorf("%s: second response %s", name, resp.Status)
			}
		})
	}
}

func TestLimitsCloseInOrder(t *testing.T) {
	const get = "GET /bytes/3 HTTP/1.1\r\nHost: a\r\n\r\n"
	var log recorder
	config := Config{Policy: policy.ServerPolicy{MaxRequests: 3}, Log: log.log}
	inMemory(t, config, func(t *testing.T, _ *Server, p *pipes) {
		c := p.dial()
		// What was pipelined behind the last response is not answered.
		send(t, c, strings.Repeat(get, 5))
		all := string(must(io.ReadAll(c)))
		if n := strings.Count(all, "HTTP/1.1 200 OK"); n != 3 {
			t.Errorf("%d responses, want 3", n)
		}
		if n, at := strings.Count(all, "Connection: close"), strings.LastIndex(all, "HTTP/1.1 200"); n != 1 || !strings.Contains(all[at:], "close") {
			t.Errorf("%d of the responses announce the close, want the last", n)
		}
	})
	end := log.of(accesslog.Closed)
	if len(end) != 1 || end[0].By != trace.AtServer || end[0].Reason != "requests per connection used up" || end[0].Request != 3 {
		t.Errorf("log: %v", end)
	}
}

func TestMaxAge(t *testing.T) {
	config := Config{Policy: policy.ServerPolicy{MaxAge: 10 * time.Second}}
	inMemory(t, config, func(t *testing.T, _ *Server, p *pipes) {
		began := time.Now()
		c := p.dial()
		r := bufio.NewReader(c)
		for range 4 {
			send(t, c, "GET /delay/2s HTTP/1.1\r\nHost: a\r\n\r\n")
			if resp, _ := response(t, r, "GET"); resp.Close {
				t.Errorf("announces the close after %v", time.Since(began))
			}
		}
		if _, err := r.ReadByte(); err != io.EOF || time.Since(began) != 10*time.Second {
			t.Errorf("idle connection: %v after %v, want EOF after 10s", err, time.Since(began))
		}
	})
}

func TestPipeliningGoesOutTogetherInOrder(t *testing.T) {
	inMemory(t, Config{}, func(t *testing.T, _ *Server, p *pipes) {
		c := p.dial()
		defer c.Close()
		var requests strings.Builder
		for n := range 40 {
			fmt.Fprintf(&requests, "GET /bytes/%d HTTP/1.1\r\nHost: a\r\n\r\n", n)
		}
		send(t, c, requests.String())
		// A read from a pipe returns what one write held.
		first := make([]byte, 1<<20)
		n := must(c.Read(first))
		r := bufio.NewReader(bytes.NewReader(first[:n]))
		for want := range 40 {
			if _, body := response(t, r, "GET"); len(body) != want {
				t.Fatalf("response %d has %d bytes", want, len(body))
			}
		}
	})
}

func TestLargePipelinedBodies(t *testing.T) {
	inMemory(t, Config{}, func(t *testing.T, _ *Server, p *pipes) {
		c := p.dial()
		defer c.Close()
		sizes := []int64{0, 1, copied, copied + 1, 40_000, 64 << 10, 64<<10 + 1, 3, pageSize, 1 << 20, 5}
		var requests strings.Builder
		for _, n := range slices.Concat(sizes, sizes) {
			fmt.Fprintf(&requests, "GET /bytes/%d HTTP/1.1\r\nHost: a\r\n\r\n", n)
		}
		go io.WriteString(c, requests.String())
		r := bufio.NewReader(c)
		for _, n := range slices.Concat(sizes, sizes) {
			_, body := response(t, r, "GET")
			if want := must(io.ReadAll(content.Filler("/bytes", n))); body != string(want) {
				t.Fatalf("/bytes/%d differs", n)
			}
		}
	})
}

func TestNothingIsHeldBack(t *testing.T) {
	inMemory(t, Config{}, func(t *testing.T, _ *Server, p *pipes) {
		c := p.dial()
		defer c.Close()
		r := bufio.NewReader(c)
		began := time.Now()
		// The second is not complete, the third waits for its body, the fourth is slow.
		send(t, c, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /by")
		response(t, r, "GET")
		send(t, c, "tes/2 HTTP/1.1\r\nHost: a\r\n\r\nPOST /bytes/3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
		response(t, r, "GET")
		send(t, c, "cdeGET /delay/3s HTTP/1.1\r\nHost: a\r\n\r\nGET /bytes/5 HTTP/1.1\r\nHost: a\r\n\r\n")
		response(t, r, "GET")
		if d := time.Since(began); d != 0 {
			t.Errorf("held back for %v", d)
		}
		_, slow := response(t, r, "GET")
		_, behind := response(t, r, "GET")
		if d := time.Since(began); d != 3*time.Second || slow != "waited 3s\n" || len(behind) != 5 {
			t.Errorf("after %v: %q, %q", d, slow, behind)
		}
	})
}

func TestTimeLimits(t *testing.T) {
	limits := policy.ServerPolicy{IdleTimeout: 5 * time.Second, RequestTimeout: 3 * time.Second}
	const get = "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n"
	for _, test := range []struct {
		name   string
		client func(t *testing.T, c net.Conn)
		after  time.Duration
		status int // of the last response
		reason string
	}{
		{"nothing is sent", func(*testing.T, net.Conn) {}, 5 * time.Second, 0, "idle timeout"},
		{"idle after a response", func(t *testing.T, c net.Conn) {
			time.Sleep(4 * time.Second)
			go io.WriteString(c, get)
		}, 9 * time.Second, 200, "idle timeout"},
		{"empty lines are no request", func(t *testing.T, c net.Conn) {
			go func() {
				for {
					if _, err := io.WriteString(c, "\r\n"); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			}()
		}, 5 * time.Second, 0, "idle timeout"},
		{"slowloris", func(t *testing.T, c net.Conn) {
			go func() {
				for _, b := range []byte(get) {
					if _, err := c.Write([]byte{b}); err != nil {
						return
					}
					time.Sleep(time.Second / 2)
				}
			}()
		}, 3 * time.Second, 408, "request timeout"},
		{"a body that never comes", func(t *testing.T, c net.Conn) {
			send(t, c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
		}, 20 * time.Second, 0, "client stalled in the content of its request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log recorder
			config := Config{Policy: limits, Log: log.log, Stall: 20 * time.Second}
			inMemory(t, config, func(t *testing.T, _ *Server, p *pipes) {
				began := time.Now()
				c := p.dial()
				defer c.Close()
				test.client(t, c)
				all := string(must(io.ReadAll(c)))
				if d := time.Since(began); d != test.after {
					t.Errorf("closed after %v, want %v", d, test.after)
				}
				if test.status == 0 && all != "" || test.status != 0 && !strings.Contains(all, fmt.Sprintf("HTTP/1.1 %d ", test.status)) {
					t.Errorf("got %q, want status %d", all, test.status)
				}
			})
			if end := log.of(accesslog.Closed); len(end) != 1 || end[0].By != trace.AtServer || end[0].Reason != test.reason {
				t.Errorf("log: %v", end)
			}
		})
	}
}

func TestWriteStall(t *testing.T) {
	for _, size := range []int{100, 50_000, 10_000_000} {
		var log recorder
		inMemory(t, Config{Stall: 20 * time.Second, Log: log.log}, func(t *testing.T, s *Server, p *pipes) {
			c := p.dial()
			defer c.Close()
			send(t, c, fmt.Sprintf("GET /bytes/%d HTTP/1.1\r\nHost: a\r\n\r\n", size))
			// As long as the client takes a byte now and then, it is waited for.
			for range 5 {
				time.Sleep(15 * time.Second)
				must(c.Read(make([]byte, 1)))
			}
			if s.Counters().Open != 1 {
				t.Errorf("%d bytes: closed under a slow client", size)
			}
			time.Sleep(41 * time.Second)
			if s.Counters().Open != 0 {
				t.Errorf("%d bytes: open under a client that takes nothing", size)
			}
		})
		request, end := log.of(accesslog.Answered), log.of(accesslog.Closed)
		if len(request) != 1 || request[0].Failed == "" || request[0].Kept || len(end) != 1 || end[0].Reason != "client stalled in taking its response" {
			t.Errorf("log: %v %v", request, end)
		}
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for _, test := range []struct {
		name, request string
		status        int
	}{
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		{"no version", "GET /\r\n\r\n", 400},
		{"two spaces", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"a space before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
		{"a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400},
		{"a line without a colon", "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400},
		{"a NUL", "GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n", 400},
		{"a CR inside", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\rY: 2\r\n\r\n", 400},
		{"a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"a length beyond int64", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\n", 400},
		{"a length beyond the bound", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413},
		{"length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"chunks in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"chunks twice", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"another coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"a bad chunk size", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
		{"a chunk longer than it says", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", 400},
		{"chunks beyond the bound", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", 413},
		{"a bare LF among chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n", 400},
		{"another expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: money\r\n\r\n", 417},
		{"HTTP/2 without its preface", "GET / HTTP/2.0\r\n\r\n", 505},
		{"HTTP/0.9 by name", "GET / HTTP/0.9\r\n\r\n", 505},
		{"a long target", "GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
		{"an endless line", strings.Repeat(long, 3), 414},
		{"an endless head", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: "+long+"\r\n", 3), 431},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
		{"garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
	} {
		var log recorder
		config := Config{MaxHeader: 20_000, MaxRequestBody: 1000, Log: log.log}
		inMemory(t, config, func(t *testing.T, s *Server, p *pipes) {
			c := p.dial()
			defer c.Close()
			go io.WriteString(c, test.request)
			resp, body := response(t, bufio.NewReader(c), "GET")
			if resp.StatusCode != test.status || !resp.Close || strings.Count(body, "\n") != 1 {
				t.Errorf("%s: %s, close %v, %q; want %d", test.name, resp.Status, resp.Close, body, test.status)
			}
			synctest.Wait()
			if n := s.Counters(); n.Open != 0 || n.Requests != 1 {
				t.Errorf("%s: %+v", test.name, n)
			}
		})
		if requests, end := log.of(accesslog.Answered), log.of(accesslog.Closed); len(requests) != 1 || requests[0].Status != test.status || len(end) != 1 || end[0].Request != 1 {
			t.Errorf("%s: log %v %v", test.name, requests, end)
		}
	}
}

func TestRequestBodies(t *testing.T) {
	const chunks = "5;x=y\r\nabcde\r\nA \r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n"
	for _, test := range []struct {
		name, head, body string
		wantContinue     bool
	}{
		{"length", "Content-Length: 10000\r\n", strings.Repeat("x", 10_000), false},
		{"length twice, the same", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc", false},
		{"chunks", "Transfer-Encoding: Chunked\r\n", chunks, false},
		{"expected length", "Content-Length: 3\r\nExpect: 100-Continue\r\n", "abc", true},
		{"expected chunks", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", chunks, true},
		{"nothing, yet expected", "Content-Length: 0\r\nExpect: 100-continue\r\n", "", false},
	} {
		inMemory(t, Config{}, func(t *testing.T, s *Server, p *pipes) {
			c := p.dial()
			defer c.Close()
			r := bufio.NewReader(c)
			send(t, c, "POST /bytes/4 HTTP/1.1\r\nHost: a\r\n"+test.head+"\r\n")
			if test.wantContinue {
				if line := must(r.ReadString('\n')); line != "HTTP/1.1 100 Continue\r\n" {
					t.Errorf("%s: %q", test.name, line)
				}
				must(r.ReadString('\n'))
			}
			// In pieces, and with the next request behind it.
			rest := test.body + "GET /bytes/7 HTTP/1.1\r\nHost: a\r\n\r\n"
			go func() {
				for piece := range slices.Chunk([]byte(rest), 7) {
					c.Write(piece)
				}
			}()
			_, first := response(t, r, "POST")
			_, second := response(t, r, "GET")
			if len(first) != 4 || len(second) != 7 {
				t.Errorf("%s: %d and %d bytes", test.name, len(first), len(second))
			}
		})
	}
}

func TestPaths(t *testing.T) {
	w := linger.Workload{Name: "w", Scheme: "http", Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/a?b=c", Status: 200, ResponseBody: 3, Parent: linger.NoParent},
		{Method: "POST", Path: "/a?b=c", Status: 201, ResponseBody: 5, RequestBody: 2, Parent: linger.NoParent},
		{Method: "HEAD", Path: "/h", Status: 200, Parent: linger.NoParent},
		{Method: "GET", Path: "/none", Status: 204, Parent: linger.NoParent},
		{Method: "GET", Path: "/slow", Status: 404, ResponseBody: 9, Delay: time.Hour, Parent: linger.NoParent},
	}}
	inMemory(t, Config{Workload: w}, func(t *testing.T, _ *Server, p *pipes) {
		c := p.dial()
		defer c.Close()
		r := bufio.NewReader(c)
		for _, test := range []struct {
			method, target string
			status         int
			length         int64 // Content-Length
			body           string
			after          time.Duration
		}{
			{"GET", "/a?b=c", 200, 3, "", 0},
			{"GET", "http://a/a?b=c", 200, 3, "", 0},
			{"HEAD", "/a?b=c", 200, 3, "", 0},
			{"POST", "/a?b=c", 201, 5, "", 0},
			{"PUT", "/a?b=c", 405, 37, "this path answers to GET, HEAD, POST", 0},
			{"HEAD", "/h", 200, -1, "", 0},
			{"GET", "/none", 204, 0, "", 0},
			{"GET", "/slow", 404, 9, "", time.Hour},
			{"GET", "/", 200, -2, "POST /a?b=c 5\n", 0},
			{"GET", "http://a", 200, -2, "/bytes/N", 0},
			{"GET", "/bytes/10?x", 200, 10, "", 0},
			{"HEAD", "/bytes/4294967296", 200, 4294967296, "", 0},
			{"GET", "/bytes/4294967297", 404, -2, "/bytes/N", 0},
			{"GET", "/bytes/", 404, -2, "/bytes/N", 0},
			{"GET", "/delay/1m", 200, -2, "waited 1m0s\n", time.Minute},
			{"GET", "/delay/61s", 404, -2, "/delay/D", 0},
			{"GET", "/delay/-1s", 404, -2, "/delay/D", 0},
			{"GET", "/status/204", 204, 0, "", 0},
			{"GET", "/status/304", 304, 0, "", 0},
			{"GET", "/status/205", 205, 0, "", 0},
			{"GET", "/status/302", 302, -2, "see /", 0},
			{"GET", "/status/599", 599, -2, "599 Status\n", 0},
			{"GET", "/status/199", 404, -2, "/status/N", 0},
			{"GET", "/status/0200", 404, -2, "/status/N", 0},
			{"GET", "/nowhere", 404, -2, "nothing is served here", 0},
			{"HEAD", "/nowhere", 404, -2, "", 0},
			{"OPTIONS", "*", 204, 0, "", 0},
			{"CONNECT", "a:443", 404, -2, "nothing is served here", 0},
		} {
			began := time.Now()
			send(t, c, test.method+" "+test.target+" HTTP/1.1\r\nHost: a\r\n\r\n")
			resp, body := response(t, r, test.method)
			if resp.StatusCode != test.status || test.length != -2 && resp.ContentLength != test.length || !strings.Contains(body, test.body) {
				t.Errorf("%s %s: %s, length %d, %q", test.method, test.target, resp.Status, resp.ContentLength, body)
			}
			if resp.Header.Get("Date") != time.Now().UTC().Format(http.TimeFormat) {
				t.Errorf("%s %s: Date: %s", test.method, test.target, resp.Header.Get("Date"))
			}
			if d := time.Since(began); d != test.after {
				t.Errorf("%s %s: answered after %v", test.method, test.target, d)
			}
			if test.status == 405 && resp.Header.Get("Allow") != "GET, HEAD, POST" || test.status == 302 && resp.Header.Get("Location") != "/" {
				t.Errorf("%s %s: %v", test.method, test.target, resp.Header)
			}
		}
	})
}

func TestHeadsHaveTheirSize(t *testing.T) {
	var w linger.Workload
	for size := range 700 {
		w.Exchanges = append(w.Exchanges, linger.Exchange{
			Method: "GET", Path: fmt.Sprintf("/%d", size), Status: 200, ContentType: "image/png",
			ResponseHead: size, ResponseBody: 2, Parent: linger.NoParent,
		})
	}
	w.Exchanges = append(w.Exchanges, linger.Exchange{
		Method: "GET", Path: "/700", Status: 200, ResponseHead: linger.MaxHead, ResponseBody: 2, Parent: linger.NoParent,
	})
	for _, connection := range []string{"keep-alive", "close"} {
		inMemory(t, Config{Workload: w}, func(t *testing.T, _ *Server, p *pipes) {
			natural := 0
			for i, e := range w.Exchanges {
				c := p.dial()
				send(t, c, "GET "+e.Path+" HTTP/1.1\r\nHost: a\r\nConnection: "+connection+"\r\nConnection: close\r\n\r\n")
				all := must(io.ReadAll(c))
				got := bytes.Index(all, []byte("\r\n\r\n")) + 4
				if i == 0 {
					natural = got
				}
				if want := max(e.ResponseHead, natural); got != want || len(all) != got+2 {
					t.Fatalf("a head of %d for %d bytes wanted, %d in all", got, want, len(all))
				}
				if _, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(all)), nil); err != nil {
					t.Fatalf("a head of %d bytes: %v", got, err)
				}
			}
		})
	}
}

func TestShutdown(t *testing.T) {
	var log recorder
	inMemory(t, Config{Log: log.log}, func(t *testing.T, s *Server, p *pipes) {
		idle, used, busy, halfway := p.dial(), p.dial(), p.dial(), p.dial()
		send(t, used, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
		response(t, bufio.NewReader(used), "GET")
		send(t, busy, "GET /delay/10s HTTP/1.1\r\nHost: a\r\n\r\nGET /bytes/2 HTTP/1.1\r\nHost: a\r\n\r\n")
		send(t, halfway, "GET /bytes/3 HT")
		synctest.Wait()

		began := time.Now()
		done := make(chan error)
		go func() { done <- s.Shutdown(t.Context()) }()
		for _, c := range []net.Conn{idle, used} {
			if _, err := c.Read(make([]byte, 1)); err != io.EOF || time.Since(began) != 0 {
				t.Errorf("idle connection: %v after %v", err, time.Since(began))
			}
		}
		if resp, _ := response(t, bufio.NewReader(busy), "GET"); !resp.Close || time.Since(began) != 10*time.Second {
			t.Errorf("request under way: close %v after %v", resp.Close, time.Since(began))
		}
		time.Sleep(time.Second)
		select {
		case err := <-done:
			t.Errorf("shut down with a request under way: %v", err)
		default:
		}
		send(t, halfway, "TP/1.1\r\nHost: a\r\n\r\n")
		if resp, body := response(t, bufio.NewReader(halfway), "GET"); !resp.Close || len(body) != 3 {
			t.Errorf("request that had begun: close %v, %q", resp.Close, body)
		}
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := s.Serve(t.Context(), newPipes()); err == nil {
			t.Error("Serve after Shutdown")
		}
	})
	for _, e := range log.of(accesslog.Closed) {
		if e.By != trace.AtServer || e.Reason != "server shuts down" {
			t.Errorf("log: %v", e)
		}
	}
}

func TestShutdownIsBounded(t *testing.T) {
	var log recorder
	inMemory(t, Config{Log: log.log}, func(t *testing.T, s *Server, p *pipes) {
		c := p.dial()
		send(t, c, "GET /delay/1m HTTP/1.1\r\nHost: a\r\n\r\n")
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cut off 1 connection") || time.Since(began) != 5*time.Second {
			t.Errorf("Shutdown: %v after %v", err, time.Since(began))
		}
	})
	if end := log.of(accesslog.Closed); len(end) != 1 || end[0].Reason != "server cut off" {
		t.Errorf("log: %v", end)
	}
}

// short is a listener that for some times has no file descriptor.
type short struct {
	*pipes
	left int
}

func (s *short) Accept() (net.Conn, error) {
	if s.left--; s.left >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return s.pipes.Accept()
}

// TestShortOfDescriptors: it is said at once, then now and then, and served again after.
func TestShortOfDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var told []time.Duration
		s := must(New(Config{Short: func(err error) {
			if !errors.Is(err, syscall.EMFILE) {
				t.Error(err)
			}
			told = append(told, time.Since(began))
		}}))
		ln := &short{newPipes(), 20}
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(t.Context(), ln) }()
		c := ln.dial()
		defer c.Close()
		send(t, c, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		response(t, bufio.NewReader(c), "GET")
		if err := s.Shutdown(t.Context()); err != nil || <-ended != nil {
			t.Error(err)
		}
		took := time.Since(began)
		if len(told) < 2 || told[0] > minBackoff || len(told) > 1+int(took/ShortEvery) {
			t.Errorf("told at %v, over %v", told, took)
		}
	})
}

// TestShutdownUnderLoad: no response is lost, whatever the moment.
func TestShutdownUnderLoad(t *testing.T) {
	for range 10 {
		s, address := onLoopback(t, Config{})
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				c, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					if _, err := io.WriteString(c, "GET /bytes/20000 HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
						return
					}
					resp, err := http.ReadResponse(r, nil)
					if err != nil {
						// Closed between two requests. In the middle of a head would
						// be ErrUnexpectedEOF with something read.
						if r.Buffered() > 0 {
							t.Errorf("in mid-head: %v", err)
						}
						return
					}
					if n, err := io.Copy(io.Discard, resp.Body); n != 20000 || err != nil {
						t.Errorf("%d bytes: %v", n, err)
						return
					}
					if resp.Close {
						return
					}
				}
			})
		}
		for s.Counters().Requests < 200 {
			runtime.Gosched()
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		clients.Wait()
		if n := s.Counters(); n.Open != 0 {
			t.Errorf("%+v", n)
		}
	}
}

func TestThousandConnectionsLeaveNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	s, address := onLoopback(t, Config{})
	conns := make([]net.Conn, 0, 1000)
	for range cap(conns) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		send(t, c, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
		conns = append(conns, c)
	}
	for _, c := range conns {
		response(t, bufio.NewReader(c), "GET")
	}
	if n := s.Counters(); n != (Counters{Accepted: 1000, Open: 1000, Requests: 1000}) {
		t.Errorf("%+v", n)
	}
	for i, c := range conns {
		if i%2 == 0 {
			c.Close()
		}
	}
	go func() {
		for i, c := range conns {
			if i%2 == 1 {
				io.Copy(io.Discard, c)
				c.Close()
			}
		}
	}()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := s.Counters().Open; n != 0 {
		t.Errorf("%d open", n)
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before+1 { // Serve's own may be on its way out
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestMaxConnections(t *testing.T) {
	s, address := onLoopback(t, Config{Capacity: policy.Capacity{MaxConnections: 2}})
	var conns [3]net.Conn
	for i := range conns {
		conns[i] = must(net.Dial("tcp", address))
		defer conns[i].Close()
		send(t, conns[i], "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
		if i < 2 {
			response(t, bufio.NewReader(conns[i]), "GET")
		}
	}
	if n := s.Counters(); n.Accepted != 2 || n.Open != 2 {
		t.Errorf("%+v", n)
	}
	conns[0].Close()
	response(t, bufio.NewReader(conns[2]), "GET")
}

// TestLingeringClose: the client reads the last response although it sends on
// and on, and what came late is counted.
func TestLingeringClose(t *testing.T) {
	var log recorder
	s, address := onLoopback(t, Config{Log: log.log})
	c := must(net.Dial("tcp", address))
	defer c.Close()
	send(t, c, "GET /bytes/5000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	late := strings.Repeat("GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n", 2000)
	if _, body := response(t, bufio.NewReader(io.TeeReader(c, &lateSender{c: c, late: late})), "GET"); len(body) != 5_000_000 {
		t.Errorf("%d bytes", len(body))
	}
	if n := must(io.Copy(io.Discard, c)); n != 0 {
		t.Errorf("%d bytes after the last response", n)
	}
	c.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if end := log.of(accesslog.Closed); len(end) != 1 || end[0].By != trace.AtServer || end[0].Request != 1 || end[0].LateBytes == 0 || end[0].LateBytes > int64(len(late)) {
		t.Errorf("log: %v", end)
	}
}

// lateSender sends once the first bytes have been read.
type lateSender struct {
	c    net.Conn
	late string
}

func (s *lateSender) Write(b []byte) (int, error) {
	late := s.late
	s.late = ""
	_, err := io.WriteString(s.c, late)
	return len(b), err
}

func TestCloseByReset(t *testing.T) {
	var log recorder
	s, address := onLoopback(t, Config{Policy: policy.ServerPolicy{Style: policy.CloseRST, IdleTimeout: 50 * time.Millisecond}, Log: log.log})
	c := must(net.Dial("tcp", address))
	defer c.Close()
	send(t, c, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
	r := bufio.NewReader(c)
	response(t, r, "GET")
	if _, err := r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if end := log.of(accesslog.Closed); len(end) != 1 || end[0].By != trace.AtServer || end[0].Reason != "idle timeout" {
		t.Errorf("log: %v", end)
	}
}

func TestWhoClosed(t *testing.T) {
	for _, test := range []struct {
		name, send string
		end        func(*net.TCPConn) error
		requests   int
		reason     string
	}{
		{"before anything", "", (*net.TCPConn).Close, 0, "client closed"},
		{"after a response", "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n", (*net.TCPConn).Close, 1, "client closed"},
		{"in a head", "GET /bytes/1 HT", (*net.TCPConn).Close, 0, "client closed in mid-request"},
		{"in a body", "PUT /bytes/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", (*net.TCPConn).Close, 1, "client closed in mid-request"},
		{"by reset", "GET /bytes/1 HT", func(c *net.TCPConn) error { c.SetLinger(0); return c.Close() }, 0, "client reset"},
		{"half, and is answered", "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n", (*net.TCPConn).CloseWrite, 1, "client closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log recorder
			s, address := onLoopback(t, Config{Log: log.log})
			c := must(net.Dial("tcp", address)).(*net.TCPConn)
			defer c.Close()
			send(t, c, test.send)
			for s.Counters().Requests < int64(test.requests) || s.Counters().Accepted == 0 {
				runtime.Gosched()
			}
			if strings.HasSuffix(test.send, "\r\n\r\n") {
				response(t, bufio.NewReader(c), "GET")
			}
			if err := test.end(c); err != nil {
				t.Fatal(err)
			}
			for len(log.of(accesslog.Closed)) == 0 {
				runtime.Gosched()
			}
			if e := log.of(accesslog.Closed)[0]; e.By != trace.AtClient || e.Reason != test.reason || e.Request != test.requests {
				t.Errorf("log: %v", e)
			}
		})
	}
}

// TestWorkloads fetches every exchange of every built-in workload with net/http,
// and counts each response's bytes on the wire.
func TestWorkloads(t *testing.T) {
	for _, form := range linger.Workloads() {
		t.Run(form.Name, func(t *testing.T) {
			w := must(linger.ParseWorkload(form.Name, 1))
			if w.Scheme == linger.SchemeDNS {
				t.Skip("its exchanges are looked up; see TestDNS")
			}
			// A cache of a tenth makes some bodies come from memory and some not.
			for _, cache := range []int64{0, w.Bytes() / 10} {
				_, address := onLoopback(t, Config{Workload: w, Cache: cache})
				wire := &counter{}
				transport := &http.Transport{DisableCompression: true, DialContext: wire.dial}
				defer transport.CloseIdleConnections()
				for i, e := range w.Exchanges {
					req := must(http.NewRequestWithContext(t.Context(), e.Method, "http://"+address+e.Path, io.LimitReader(content.Request(w, i), e.RequestBody)))
					wire.n = 0
					resp := must(transport.RoundTrip(req))
					got := must(io.ReadAll(resp.Body))
					resp.Body.Close()
					if resp.StatusCode != e.Status || resp.Header.Get("Content-Type") != e.ContentType || resp.ContentLength != e.ResponseBody {
						t.Errorf("%s %s: %s %v", e.Method, e.Path, resp.Status, resp.Header)
					}
					if !bytes.Equal(got, must(io.ReadAll(content.Body(w, i)))) {
						t.Errorf("%s %s: the body differs", e.Method, e.Path)
					}
					if e.ResponseHead > 0 && wire.n != int64(e.ResponseHead)+e.ResponseBody {
						t.Errorf("%s %s: %d bytes on the wire, want %d + %d", e.Method, e.Path, wire.n, e.ResponseHead, e.ResponseBody)
					}
				}
			}
		})
	}
}

// counter counts the bytes read from its connections.
type counter struct{ n int64 }

type countedConn struct {
	net.Conn
	counter *counter
}

func (c *counter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, network, address)
	return countedConn{nc, c}, err
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.counter.n += int64(n)
	return n, err
}

func TestNewRefuses(t *testing.T) {
	exchange := linger.Exchange{Method: "GET", Path: "/", Status: 200, Parent: linger.NoParent}
	inject := exchange
	inject.ContentType = "a\r\nB: c"
	for _, config := range []Config{
		{Policy: policy.ServerPolicy{Style: "slam"}},
		{MaxHeader: -1},
		{Workload: linger.Workload{Exchanges: []linger.Exchange{exchange, exchange}}},
		{Workload: linger.Workload{Exchanges: []linger.Exchange{inject}}},
	} {
		if _, err := New(config); err == nil {
			t.Errorf("New took %+v", config)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %q", err)
		}
	}
}
