package live

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"linger"
	"linger/content"
	"linger/dial"
	"linger/internal/testall"
	"linger/policy"
	"linger/trace"
)

// listen serves each connection with serve, in a goroutine of its own, and
// returns the address. Connections are numbered from 0.
func listen(t testing.TB, serve func(n int, c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listenOn(t, l, serve)
}

func listenOn(t testing.TB, l net.Listener, serve func(n int, c net.Conn)) string {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(n, c)
			}()
		}
	}()
	return l.Addr().String()
}

// An oddity answers a request in its own way. It reports whether the connection
// is as good as before; false closes it.
type oddity func(c net.Conn, n int, w linger.Workload, i int) bool

// serve answers what stands in w as it ought to be, but for what odd has a word on.
func serve(w linger.Workload, odd map[int]oddity) func(int, net.Conn) {
	return func(n int, c net.Conn) {
		in := bufio.NewReader(c)
		for {
			q, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			io.Copy(io.Discard, q.Body)
			i := slices.IndexFunc(w.Exchanges, func(e linger.Exchange) bool {
				return e.Method == q.Method && e.Path == q.RequestURI
			})
			if i < 0 {
				fmt.Fprintf(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
				continue
			}
			act := answer
			if f := odd[i]; f != nil {
				act = f
			}
			if !act(c, n, w, i) || q.Close {
				return
			}
		}
	}
}

// answer is the response that a good server sends.
func answer(c net.Conn, _ int, w linger.Workload, i int) bool {
	return send(c, fmt.Sprintf("HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%s", w.Exchanges[i].Status, w.Exchanges[i].ResponseBody, bodyOf(w, i)))
}

func bodyOf(w linger.Workload, i int) string {
	b, _ := io.ReadAll(content.Body(w, i))
	return string(b)
}

// send writes s at once and reports whether it could.
func send(c net.Conn, s string) bool {
	_, err := io.WriteString(c, s)
	return err == nil
}

// says answers with fixed bytes, then closes.
func says(format string, args ...any) oddity {
	return func(c net.Conn, _ int, _ linger.Workload, _ int) bool {
		send(c, fmt.Sprintf(format, args...))
		return false
	}
}

// plain is w in cleartext.
func plain(t testing.TB, w linger.Workload) linger.Workload { return over(t, w, "http") }

// over is w over a scheme.
func over(t testing.TB, w linger.Workload, scheme string) linger.Workload {
	t.Helper()
	w, err := w.WithScheme(scheme)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func strategy(t testing.TB, s string) linger.Strategy {
	t.Helper()
	out, err := linger.ParseStrategy(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func fetch(t testing.TB, w linger.Workload, s string, c Config) *trace.Trace {
	t.Helper()
	out, err := Run(t.Context(), linger.Scenario{Workload: w, Strategy: strategy(t, s)}, c)
	if err != nil {
		t.Fatal(err)
	}
	check(t, out)
	return out
}

// check holds what is true of each trace that was not interrupted.
func check(t testing.TB, tr *trace.Trace) {
	t.Helper()
	requests, attempts := 0, 0
	for _, c := range tr.Connections {
		requests += c.Requests
		if _, ok := c.Closed.Get(); !ok || c.ClosedBy == trace.Nobody || c.Reason == "" {
			t.Errorf("connection %d has no known end: %+v", c.ID, c)
		}
	}
	for _, x := range tr.Exchanges {
		attempts += x.Attempts
		done, ok := x.Done.Get()
		if x.Failed == "" && !ok {
			t.Errorf("exchange %d is neither done nor failed", x.ID)
		}
		sent, first := x.Sent.Or(0), x.FirstByte.Or(0)
		if ok && !(x.Queued <= sent && sent <= first && first <= done && done <= tr.Ended) {
			t.Errorf("exchange %d: queued %d, sent %d, first byte %d, done %d, run ended %d", x.ID, x.Queued, sent, first, done, tr.Ended)
		}
	}
	if requests != attempts {
		t.Errorf("%d requests on connections, %d attempts of exchanges", requests, attempts)
	}
}

// failures are the reasons of the exchanges that failed, by index.
func failures(tr *trace.Trace) map[int]string {
	out := map[int]string{}
	for _, x := range tr.Exchanges {
		if x.Failed != "" {
			out[x.ID] = x.Failed
		}
	}
	return out
}

// patient are limits that no test reaches, but that it may wait for a close.
var patient = policy.Limits{Connect: time.Minute, Stall: time.Minute, Linger: 50 * time.Millisecond}

// impatient are limits under which a test of silence ends soon.
var impatient = policy.Limits{Connect: time.Minute, Stall: time.Second, Linger: 50 * time.Millisecond}

// TestOddServers has exchange 3 of six answered in every wrong way that we could
// think of. The others are delivered, whatever happens to it.
func TestOddServers(t *testing.T) {
	w := linger.Objects(2000, 5, 100)
	const odd = 3
	for _, test := range []struct {
		name        string
		act         oddity
		strategy    string // keep where empty
		reason      string // of its failure; empty where it is delivered
		connections int
		retries     int
		closed      string // reason of connection 0, part of
		by          trace.Peer
	}{
		{name: "closes in mid-response", act: says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%s", bodyOf(w, odd)[:40]),
			reason: "server closed after 40 bytes of a response", connections: 2, by: trace.AtServer},
		{name: "closes in mid-head", act: says("HTTP/1.1 200 OK\r\nContent-Le"),
			reason: "server closed within the head of a response", connections: 2, by: trace.AtServer},
		{name: "closes in mid-chunk", act: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n%s", bodyOf(w, odd)[:40]),
			reason: "server closed after 40 bytes of a response", connections: 2, by: trace.AtServer},
		{name: "resets in mid-response", act: func(c net.Conn, _ int, _ linger.Workload, _ int) bool {
			send(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
			time.Sleep(20 * time.Millisecond)
			c.(*net.TCPConn).SetLinger(0)
			return false
		}, reason: "server reset the connection after 0 bytes of a response", connections: 2, by: trace.AtServer},
		{name: "sends garbage", act: says("\x1b[31mwhat?\r\n\r\n"),
			reason: `malformed response: ".[31mwhat?" is not a status line`, connections: 2, by: trace.AtClient},
		{name: "speaks HTTP/2", act: says("HTTP/2 200\r\n\r\n"),
			reason: "malformed response: \"HTTP/2 200\" is not a status line of HTTP/1", connections: 2, by: trace.AtClient},
		{name: "sends a broken field", act: says("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
			reason: "malformed response: malformed MIME header", connections: 2, by: trace.AtClient},
		{name: "names two lengths", act: says("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
			reason: `malformed response: Content-Length "1, 2" is not one length`, connections: 2, by: trace.AtClient},
		{name: "names a negative length", act: says("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
			reason: `malformed response: Content-Length "-1" is not one length`, connections: 2, by: trace.AtClient},
		{name: "switches protocols", act: says("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
			reason: "malformed response: status 101", connections: 2, by: trace.AtClient},
		{name: "compresses the transfer", act: says("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
			reason: `malformed response: transfer coding "gzip, chunked"`, connections: 2, by: trace.AtClient},
		{name: "is one byte short", act: func(c net.Conn, _ int, w linger.Workload, i int) bool {
			return send(c, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"+bodyOf(w, i)[:99])
		}, reason: "body of 99 bytes, not 100", connections: 1, by: trace.AtClient, closed: "all is fetched"},
		{name: "is one byte long", act: func(c net.Conn, _ int, w linger.Workload, i int) bool {
			return send(c, "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"+bodyOf(w, i)+"x")
		}, reason: "body is longer than 100 bytes", connections: 2, by: trace.AtClient},
		{name: "changes a byte", act: func(c net.Conn, _ int, w linger.Workload, i int) bool {
			b := bodyOf(w, i)
			return send(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"+b[:70]+"\x00"+b[71:])
		}, reason: "body of 100 bytes is not the workload's", connections: 1, by: trace.AtClient},
		{name: "has another status", act: func(c net.Conn, _ int, w linger.Workload, i int) bool {
			return send(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")
		}, reason: "status 404, not 200", connections: 1, by: trace.AtClient},
		{name: "sends more than its response", act: func(c net.Conn, _ int, w linger.Workload, i int) bool {
			return send(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"+bodyOf(w, i)+"and more")
		}, connections: 2, by: trace.AtClient, closed: "server sent more than its response"},
		{name: "never ends its head", act: func(c net.Conn, _ int, _ linger.Workload, _ int) bool {
			for line := "HTTP/1.1 200 OK\r\n"; send(c, line); line = "A: " + strings.Repeat("b", 1000) + "\r\n" {
			}
			return false
		}, reason: "head of the response is longer than 262144 bytes", connections: 2, by: trace.AtClient},
		{name: "never ends a line", act: func(c net.Conn, _ int, _ linger.Workload, _ int) bool {
			for send(c, strings.Repeat("H", 1000)) {
			}
			return false
		}, reason: "head of the response is longer than 262144 bytes", connections: 2, by: trace.AtClient},
		{name: "says 100 for ever", act: func(c net.Conn, _ int, _ linger.Workload, _ int) bool {
			for send(c, strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 40)) {
			}
			return false
		}, reason: "head of the response is longer than 262144 bytes", connections: 2, by: trace.AtClient},
		{name: "never ends its body", act: func(c net.Conn, _ int, _ linger.Workload, _ int) bool {
			for s := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"; send(c, s); s = "a\r\n0123456789\r\n" {
			}
			return false
		}, reason: "body ", connections: 2, by: trace.AtClient},
		{name: "never ends its trailer", act: func(c net.Conn, _ int, w linger.Workload, i int) bool {
			send(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n"+bodyOf(w, i)+"\r\n0\r\n")
			for send(c, "A: "+strings.Repeat("b", 1000)+"\r\n") {
			}
			return false
		}, reason: "head of the response is longer than 262144 bytes", connections: 2, by: trace.AtClient},
		{name: "says nothing", act: func(c net.Conn, _ int, _ linger.Workload, _ int) bool {
			io.Copy(io.Discard, c)
			return false
		}, reason: "no byte of the response for 1s", connections: 2, by: trace.AtClient},
		{name: "stops in the midst", act: func(c net.Conn, _ int, w linger.Workload, i int) bool {
			send(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
			io.Copy(io.Discard, c)
			return false
		}, reason: "no byte of the response for 1s", connections: 2, by: trace.AtClient},
		{name: "has closed the kept connection when the request comes", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			return n > 0 && answer(c, n, w, i)
		}, connections: 2, retries: 1, by: trace.AtServer, closed: "server closed before it answered"},
		{name: "closes kept connections on this request always", act: func(net.Conn, int, linger.Workload, int) bool { return false },
			reason: "server closed before it answered", connections: 3, retries: 0, by: trace.AtServer},
		{name: "has given up waiting when the request comes", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			if n > 0 {
				return answer(c, n, w, i)
			}
			return says("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")(c, n, w, i)
		}, connections: 2, retries: 1, by: trace.AtClient, closed: "server answered 408"},
		{name: "announces the close", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			send(c, "HTTP/1.1 200 OK\r\nConnection: Foo, CLOSE\r\nContent-Length: 100\r\n\r\n"+bodyOf(w, i))
			return false
		}, connections: 2, by: trace.AtServer, closed: "server closed after the last response"},
		{name: "announces the close and stays", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			send(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\n"+bodyOf(w, i))
			io.Copy(io.Discard, c)
			return false
		}, connections: 2, by: trace.AtClient, closed: "server did not close within 50ms"},
		{name: "announces the close and talks on", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			send(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\n"+bodyOf(w, i))
			for send(c, "blah") {
			}
			return false
		}, connections: 2, by: trace.AtClient, closed: "server did not close within 50ms"},
		{name: "is an HTTP/1.0 server", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			send(c, "HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n"+bodyOf(w, i))
			return false
		}, connections: 2, by: trace.AtServer, closed: "server closed after the last response"},
		{name: "ends its body with the connection", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			send(c, "HTTP/1.1 200 OK\r\n\r\n"+bodyOf(w, i))
			return false
		}, connections: 2, by: trace.AtServer, closed: "server closed after the last response"},
		{name: "sends interim responses first", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			send(c, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </1>\r\n\r\n")
			return answer(c, n, w, i)
		}, connections: 1, by: trace.AtClient, closed: "all is fetched"},
		{name: "sends chunks with extensions and a trailer", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			b := bodyOf(w, i)
			return send(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=\"y\"\r\n"+b[:3]+"\r\n61\r\n"+b[3:]+"\r\n0\r\nA: b\r\n\r\n")
		}, connections: 1, by: trace.AtClient, closed: "all is fetched"},
		{name: "sends byte by byte", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			for _, b := range []byte("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + bodyOf(w, i)) {
				send(c, string([]byte{b}))
			}
			return true
		}, connections: 1, by: trace.AtClient, closed: "all is fetched"},
		{name: "ignores that the client closes", strategy: "close", act: func(c net.Conn, n int, w linger.Workload, i int) bool {
			answer(c, n, w, i)
			io.Copy(io.Discard, c)
			return false
		}, connections: 6, by: trace.AtServer},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.strategy == "" {
				test.strategy = "keep"
			}
			address := listen(t, serve(w, map[int]oddity{odd: test.act}))
			limits := patient
			if strings.HasPrefix(test.reason, "no byte") {
				limits = impatient
			}
			tr := fetch(t, w, test.strategy, Config{Address: address, Verify: true, Limits: limits})
			for i, reason := range failures(tr) {
				if i != odd {
					t.Errorf("exchange %d failed with it: %s", i, reason)
				}
			}
			if got := tr.Exchanges[odd].Failed; !strings.HasPrefix(got, test.reason) || (got == "") != (test.reason == "") {
				t.Errorf("failed with %q, want %q", got, test.reason)
			}
			if c := tr.Connections[0]; c.ClosedBy != test.by || !strings.Contains(c.Reason, test.closed) {
				t.Errorf("connection 0 was closed by %q: %q; want %q, %q", c.ClosedBy, c.Reason, test.by, test.closed)
			}
			if len(tr.Connections) != test.connections {
				t.Errorf("%d connections, want %d", len(tr.Connections), test.connections)
			}
			if tr.Retries != test.retries && test.reason == "" {
				t.Errorf("%d retries, want %d", tr.Retries, test.retries)
			}
		})
	}
}

// TestPipelineMeetsClose has servers that close after N requests, while 40 are
// under way, with and without having said so.
func TestPipelineMeetsClose(t *testing.T) {
	w := linger.Objects(2000, 40, 100)
	for _, test := range []struct {
		name     string
		strategy string
		most     int
		announce bool
		hard     bool // with requests unread, so that the close is an RST
	}{
		{"one connection, announced", "pipeline", 10, true, false},
		{"one connection, not announced", "pipeline", 10, false, false},
		{"two connections, announced", "pipeline:2", 7, true, false},
		{"two connections, not announced", "pipeline:2", 7, false, false},
		{"one request each, announced", "pipeline", 1, true, false},
		{"kept, announced", "keep", 3, true, false},
		{"kept, not announced", "keep", 3, false, false},
		{"kept six, announced", "keep:6", 2, true, false},
		{"kept six, not announced", "keep:6", 2, false, false},
		{"one connection, hard, announced", "pipeline", 10, true, true},
		{"one connection, hard", "pipeline", 10, false, true},
		{"two connections, hard", "pipeline:2", 7, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var served atomic.Int64
			address := listen(t, func(n int, c net.Conn) {
				in := bufio.NewReader(c)
				for done := 1; done <= test.most; done++ {
					q, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					i := slices.IndexFunc(w.Exchanges, func(e linger.Exchange) bool { return e.Path == q.RequestURI })
					served.Add(1)
					last := ""
					if done == test.most && test.announce {
						last = "Connection: close\r\n"
					}
					send(c, fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", last, w.Exchanges[i].ResponseBody, bodyOf(w, i)))
				}
				if test.hard {
					return
				}
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
			})
			tr := fetch(t, w, test.strategy, Config{Address: address, Verify: true, Limits: patient})
			if f := failures(tr); len(f) > 0 {
				t.Errorf("failed: %v", f)
			}
			if served.Load() != 41 {
				t.Errorf("the server answered %d requests, want 41", served.Load())
			}
			if test.announce && tr.Retries != 0 {
				t.Errorf("%d retries of what the server had announced", tr.Retries)
			}
			if least := (41 + test.most - 1) / test.most; len(tr.Connections) < least {
				t.Errorf("%d connections, at least %d are needed", len(tr.Connections), least)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	w, address := linger.Objects(2000, 5, 100), testall.FreeAddress(t)
	tr := fetch(t, w, "close:6", Config{Address: address})
	if f := failures(tr); len(f) != 6 || f[0] != "cannot connect to "+address+": connection refused" {
		t.Errorf("failures: %v", f)
	}
	if len(tr.Connections) != 1 || tr.Connections[0].ClosedBy != trace.AtServer {
		t.Errorf("connections: %+v", tr.Connections)
	}
}

func TestAcceptThenReset(t *testing.T) {
	address := listen(t, func(_ int, c net.Conn) { c.(*net.TCPConn).SetLinger(0) })
	w := linger.API(3)
	w.Exchanges = w.Exchanges[:10]
	for _, s := range []string{"close", "close:6", "keep", "keep:6", "pipeline", "pipeline:2"} {
		tr := fetch(t, w, s, Config{Address: address})
		if f := failures(tr); len(f) != len(w.Exchanges) {
			t.Errorf("%s: failures: %v", s, f)
		}
		for _, c := range tr.Connections {
			if c.ClosedBy != trace.AtServer {
				t.Errorf("%s: closed by %q: %s", s, c.ClosedBy, c.Reason)
			}
		}
	}
}

// TestLateTimeout has a server say 408 on a kept connection while nothing is asked.
func TestLateTimeout(t *testing.T) {
	w := linger.Objects(2000, 2, 100).WithThink(50 * time.Millisecond)
	address := listen(t, serve(w, map[int]oddity{0: func(c net.Conn, n int, w linger.Workload, i int) bool {
		answer(c, n, w, i)
		time.Sleep(10 * time.Millisecond)
		return says("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")(c, n, w, i)
	}}))
	tr := fetch(t, w, "keep", Config{Address: address, Verify: true, Limits: patient})
	if f := failures(tr); len(f) > 0 || len(tr.Connections) != 2 || tr.Retries != 0 {
		t.Errorf("failed %v, %d connections, %d retries", f, len(tr.Connections), tr.Retries)
	}
	if got := tr.Connections[0].Reason; !strings.HasPrefix(got, `server sent what nobody asked for: "HTTP/1.1 408`) {
		t.Errorf("connection 0: %s", got)
	}
}

// TestSurplus has a server send bytes that belong to no response, at once and a little
// later: the client lets go of the connection, and the trace has the bytes.
func TestSurplus(t *testing.T) {
	for _, later := range []time.Duration{0, 10 * time.Millisecond} {
		w := linger.Objects(2000, 2, 100).WithThink(50 * time.Millisecond)
		address := listen(t, serve(w, map[int]oddity{0: func(c net.Conn, n int, w linger.Workload, i int) bool {
			if later == 0 {
				return send(c, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s\r\n", len(bodyOf(w, i)), bodyOf(w, i)))
			}
			answer(c, n, w, i)
			time.Sleep(later)
			return send(c, "\r\n")
		}}))
		tr := fetch(t, w, "keep", Config{Address: address, Verify: true, Limits: patient})
		if f := failures(tr); len(f) > 0 || len(tr.Connections) != 2 {
			t.Fatalf("failed %v, %d connections", f, len(tr.Connections))
		}
		if got, want := tr.Connections[0].Surplus, linger.Known(trace.Surplus{Bytes: 2, Text: `"\r\n"`}); got != want {
			t.Errorf("after %v: the first connection had %v", later, got)
		}
		if got := tr.Connections[1].Surplus; !got.IsZero() {
			t.Errorf("after %v: the second connection had %v", later, got)
		}
	}
}

// TestMethods has responses without content, and requests with some.
func TestMethods(t *testing.T) {
	w := linger.Workload{Name: "methods", Exchanges: []linger.Exchange{
		{Method: "HEAD", Path: "/1", Status: 200, Parent: -1},
		{Method: "GET", Path: "/2", Status: 204, Parent: -1},
		{Method: "GET", Path: "/3", Status: 304, Parent: -1},
		{Method: "POST", Path: "/4", Status: 201, RequestBody: 3_000_000, ResponseBody: 10, Parent: -1},
		{Method: "POST", Path: "/5", Status: 200, Parent: -1},
		{Method: "GET", Path: "/6", Status: 404, ResponseBody: 100_000, RequestHead: 999, Parent: -1},
		{Method: "GET", Path: "/7", Status: 200, RequestHead: 80, Parent: -1},
	}}
	var uploaded, lengthless atomic.Int64
	address := listen(t, func(n int, c net.Conn) {
		in := bufio.NewReader(c)
		for {
			q, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			b, _ := io.ReadAll(q.Body)
			i := slices.IndexFunc(w.Exchanges, func(e linger.Exchange) bool { return e.Path == q.RequestURI })
			want, _ := io.ReadAll(content.Request(w, i))
			if string(b) == string(want) {
				uploaded.Add(int64(len(b)))
			}
			if q.ContentLength == 0 && q.Method == "POST" && q.Header.Get("Content-Length") != "0" {
				lengthless.Add(1)
			}
			length := fmt.Sprintf("Content-Length: %d\r\n", w.Exchanges[i].ResponseBody)
			switch i {
			case 0, 2:
				length = "Content-Length: 12345\r\n" // of what a GET, or a 200, would have had
			case 1:
				length = ""
			}
			send(c, fmt.Sprintf("HTTP/1.1 %d X\r\n%s\r\n%s", w.Exchanges[i].Status, length, bodyOf(w, i)))
		}
	})
	for _, s := range []string{"close", "keep", "keep:6", "pipeline", "pipeline:2", "keep+1.0"} {
		uploaded.Store(0)
		tr := fetch(t, w, s, Config{Address: address, Verify: true, Limits: patient})
		if f := failures(tr); len(f) > 0 {
			t.Errorf("%s: failed %v", s, f)
		}
		if uploaded.Load() != 3_000_000 || tr.Exchanges[3].RequestBody != 3_000_000 {
			t.Errorf("%s: uploaded %d bytes, noted %d", s, uploaded.Load(), tr.Exchanges[3].RequestBody)
		}
		if got := tr.Exchanges[5].RequestHead; got != 999 {
			t.Errorf("%s: a head to be padded to 999 bytes has %d", s, got)
		}
		if s == "keep" && (len(tr.Connections) != 1 || tr.Connections[0].Requests != 7) {
			t.Errorf("%s: %+v", s, tr.Connections)
		}
	}
	if lengthless.Load() > 0 {
		t.Error("an empty POST has no Content-Length")
	}
}

// TestNoDeadlock sends far more than the sockets hold to a server that does not
// read until its own responses have all gone out.
func TestNoDeadlock(t *testing.T) {
	const n, size = 4, 8 << 20
	w := linger.Workload{Name: "upload"}
	for i := range n {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "PUT", Path: fmt.Sprintf("/%d", i), Status: 200,
			RequestBody: size, ResponseBody: size, Parent: linger.NoParent})
	}
	address := listen(t, func(_ int, c net.Conn) {
		one := make([]byte, 1)
		c.Read(one) // so that the request has begun
		for i := range n {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
			io.Copy(c, content.Body(w, i))
		}
		io.Copy(io.Discard, c)
	})
	tr := fetch(t, w, "pipeline", Config{Address: address, Verify: true, Limits: patient})
	if tr.Exchanges[0].Failed != "" {
		t.Errorf("the first failed: %v", failures(tr))
	}
}

func TestDeafServer(t *testing.T) {
	w := linger.Workload{Name: "deaf", Exchanges: []linger.Exchange{
		{Method: "POST", Path: "/", Status: 200, RequestBody: 64 << 20, Parent: linger.NoParent}}}
	stop := make(chan struct{})
	defer close(stop)
	address := listen(t, func(_ int, c net.Conn) { <-stop })
	tr := fetch(t, w, "keep", Config{Address: address, Limits: impatient})
	x := tr.Exchanges[0]
	if x.Failed != "no byte of the response for 1s" || x.RequestBody == 0 || x.RequestBody >= 64<<20 {
		t.Errorf("failed with %q after %d bytes had left", x.Failed, x.RequestBody)
	}
}

func TestInterrupted(t *testing.T) {
	w := linger.Objects(2000, 5, 100)
	ctx, cancel := context.WithCancel(t.Context())
	address := listen(t, serve(w, map[int]oddity{3: func(c net.Conn, _ int, _ linger.Workload, _ int) bool {
		cancel()
		io.Copy(io.Discard, c)
		return false
	}}))
	tr, err := Run(ctx, linger.Scenario{Workload: w, Strategy: strategy(t, "keep")}, Config{Address: address})
	if err != nil || !tr.Interrupted {
		t.Fatalf("interrupted %v, error %v", tr.Interrupted, err)
	}
	want := map[int]string{3: "interrupted", 4: "interrupted", 5: "interrupted"}
	if got := failures(tr); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("failed %v, want %v", got, want)
	}
	if c := tr.Connections[0]; c.ClosedBy != trace.AtClient || c.Reason != "interrupted" {
		t.Errorf("%+v", c)
	}
}

// TestNoFarewell has servers that keep what the client closes. Where the run is stopped, or
// the server breaks the protocol, nobody waits for them as the limits say.
func TestNoFarewell(t *testing.T) {
	a := newAuthority(t)
	stop := make(chan struct{})
	defer close(stop)
	// deaf reads and says what it is told to, then keeps the connection.
	deaf := func(says string) func(int, net.Conn) {
		return func(_ int, c net.Conn) {
			io.WriteString(c, says)
			io.Copy(io.Discard, c)
			<-stop
		}
	}
	for _, test := range []struct{ name, strategy, scheme, says string }{
		{"HTTP/2, silent", "h2", "http", ""},
		{"HTTP/2, a fault", "h2", "http", "SSH-2.0-OpenSSH_9.9\r\n"},
		{"HTTP/1.1 over TLS, silent", "keep", "https", ""},
		{"HTTP/2 over TLS, a fault", "h2", "https", "SSH-2.0-OpenSSH_9.9\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, c := over(t, linger.Textbook(1), test.scheme), Config{ServerName: "test.example", Roots: a.roots(), Limits: patient}
			c.Limits.Linger = time.Minute
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if test.says == "" {
				ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
			}
			defer cancel()
			serve := deaf(test.says)
			if test.scheme == "https" {
				plain, config := serve, a.config("h2", "http/1.1")
				serve = func(n int, c net.Conn) { plain(n, tls.Server(c, config)) }
			}
			c.Address = listen(t, serve)
			began := time.Now()
			tr, err := Run(ctx, linger.Scenario{Workload: w, Strategy: strategy(t, test.strategy)}, c)
			if err != nil || tr.Interrupted != (test.says == "") {
				t.Fatalf("%+v, %v", tr, err)
			}
			if took := time.Since(began); took > c.Limits.Linger/2 {
				t.Errorf("it took %v, and %v once its connections were closed", took, took-time.Duration(tr.Ended))
			}
		})
	}
}

// TestInterruptedDial gives up while nobody answers the dial.
func TestInterruptedDial(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tr, err := Run(ctx, linger.Scenario{Workload: linger.Textbook(1), Strategy: strategy(t, "keep")}, Config{
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		}})
	if err != nil || !tr.Interrupted || len(failures(tr)) != 2 {
		t.Errorf("%+v, %v", tr, err)
	}
}

// TestSilentDial has a dial that takes longer than its limit.
func TestSilentDial(t *testing.T) {
	tr := fetch(t, linger.Textbook(1), "keep", Config{
		Limits: policy.Limits{Connect: 20 * time.Millisecond},
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
	if got := tr.Exchanges[0].Failed; got != "connect timed out after 20ms" {
		t.Error(got)
	}
}

func TestBadConfig(t *testing.T) {
	s := linger.Scenario{Workload: linger.Textbook(1), Strategy: strategy(t, "keep")}
	for _, address := range []string{"", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", "no.such.host.invalid:80"} {
		if tr, err := Run(t.Context(), s, Config{Address: address}); err == nil {
			t.Errorf("%q gives a trace: %v", address, tr)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error has more than one line: %v", address, err)
		}
	}
	if tr, err := Run(t.Context(), s, Config{Address: "127.0.0.1:1", Congestion: "none such"}); err == nil || !strings.HasPrefix(err.Error(), `congestion control "none such": `) {
		t.Errorf("an unknown congestion control gives %v, %v", tr, err)
	}
	if _, err := Run(t.Context(), linger.Scenario{}, Config{Address: "127.0.0.1:1"}); err == nil {
		t.Error("an empty workload gives a trace")
	}
}

// A counter is a server of net/http that counts what it sees.
type counter struct {
	connections, requests, bytes atomic.Int64
	address                      string
}

// count serves w by TLS where there is a configuration for it, by HTTP/1 and HTTP/2.
func count(t testing.TB, w linger.Workload, secure *tls.Config) *counter {
	t.Helper()
	index := map[string]int{}
	for i, e := range w.Exchanges {
		index[e.Path] = i
	}
	c := &counter{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.address = l.Addr().String()
	bodies := make([]string, len(w.Exchanges))
	for i := range bodies {
		bodies[i] = bodyOf(w, i)
	}
	s := &http.Server{
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				c.connections.Add(1)
			}
		},
		Handler: http.HandlerFunc(func(out http.ResponseWriter, q *http.Request) {
			i, ok := index[q.URL.Path]
			if !ok {
				http.NotFound(out, q)
				return
			}
			c.requests.Add(1)
			out.Header().Set("Content-Type", w.Exchanges[i].ContentType)
			out.Header().Set("Content-Length", fmt.Sprint(len(bodies[i])))
			n, _ := io.WriteString(out, bodies[i])
			c.bytes.Add(int64(n))
		}),
	}
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	if secure != nil {
		s.TLSConfig = secure
		go s.ServeTLS(l, "", "")
	} else {
		go s.Serve(l)
	}
	t.Cleanup(func() { s.Close() })
	return c
}

// TestCounts holds our count of connections, requests and bytes against those
// of a server that is not ours, for each strategy.
func TestCounts(t *testing.T) {
	for _, w := range []linger.Workload{plain(t, linger.Gallery(1)), linger.Microscape(), linger.API(4)} {
		server := count(t, w, nil)
		for _, test := range []struct {
			strategy    string
			least, most int64 // connections
		}{
			{"close", int64(len(w.Exchanges)), int64(len(w.Exchanges))},
			{"close:6", int64(len(w.Exchanges)), int64(len(w.Exchanges))},
			{"close:4+1.0", int64(len(w.Exchanges)), int64(len(w.Exchanges))},
			{"keep", 1, 1},
			{"keep+1.0", 1, 1},
			{"keep:6", 2, 6},
			{"pipeline", 1, 1},
			{"pipeline:2", 2, 2},
		} {
			server.connections.Store(0)
			server.requests.Store(0)
			server.bytes.Store(0)
			tr := fetch(t, w, test.strategy, Config{Address: server.address, Verify: true})
			if f := failures(tr); len(f) > 0 {
				t.Fatalf("%s, %s: failed %v", w.Name, test.strategy, f)
			}
			var bytes int64
			for _, x := range tr.Exchanges {
				bytes += x.ResponseBody
			}
			// One that was never used may have gone before the server took it in.
			var used int64
			for _, c := range tr.Connections {
				if c.Requests > 0 {
					used++
				}
			}
			n := int64(len(tr.Connections))
			if seen := server.connections.Load(); n < test.least || n > test.most || seen < used || seen > n {
				t.Errorf("%s, %s: %d connections, the server saw %d, want %d to %d", w.Name, test.strategy, n, server.connections.Load(), test.least, test.most)
			}
			if got := server.requests.Load(); got != int64(len(w.Exchanges)) {
				t.Errorf("%s, %s: the server saw %d requests of %d", w.Name, test.strategy, got, len(w.Exchanges))
			}
			if bytes != w.Bytes() || server.bytes.Load() != bytes {
				t.Errorf("%s, %s: %d bytes, the server sent %d, the workload has %d", w.Name, test.strategy, bytes, server.bytes.Load(), w.Bytes())
			}
		}
	}
}

// TestBatch says that what becomes ready at once leaves in one write.
func TestBatch(t *testing.T) {
	w := linger.Objects(1000, 40, 10)
	for i := range w.Exchanges {
		w.Exchanges[i].At = min(w.Exchanges[i].At, 0)
		w.Exchanges[i].Parent = linger.NoParent
	}
	for s, serve := range map[string]func(int, net.Conn){"pipeline": serve(w, nil), "h2": serveFrames(w, nil)} {
		var writes, first atomic.Int64
		address := listen(t, serve)
		tr := fetch(t, w, s, Config{Address: address, Verify: true,
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := net.Dial(network, address)
				return countedWrites{c, &writes, &first}, err
			}})
		if f := failures(tr); len(f) > 0 {
			t.Errorf("%s: failed %v", s, f)
		}
		// HTTP/2 has further writes: an answer to SETTINGS, a farewell.
		if s == "pipeline" && writes.Load() != 1 || writes.Load() > 3 {
			t.Errorf("%s: %d writes for 41 requests", s, writes.Load())
		}
		var heads int64
		for _, x := range tr.Exchanges {
			heads += x.RequestHead
		}
		if got := first.Load(); got < heads || s == "pipeline" && got != heads {
			t.Errorf("%s: the first write has %d bytes, the heads of all requests have %d", s, got, heads)
		}
	}
}

type countedWrites struct {
	net.Conn
	n, first *atomic.Int64 // writes, and bytes of the first
}

func (c countedWrites) Write(b []byte) (int, error) {
	if c.n.Add(1) == 1 {
		c.first.Store(int64(len(b)))
	}
	return c.Conn.Write(b)
}

// TestNothingIsLeft runs a thousand times over each protocol, some of them cut
// short, and looks for what stays behind.
func TestNothingIsLeft(t *testing.T) {
	if !testall.Alone(t) {
		return
	}
	a := newAuthority(t)
	w := linger.Objects(2000, 5, 100)
	config := a.config("h2", "http/1.1")
	unwilling := map[int]oddity{4: func(c net.Conn, n int, w linger.Workload, i int) bool {
		return n%3 > 0 && answer(c, n, w, i)
	}}
	for _, test := range []struct {
		name, scheme string
		strategies   []string
		serve        func(n int, c net.Conn)
	}{
		{"cleartext", "http", []string{"close:3", "keep:2", "pipeline", "keep"}, serve(w, unwilling)},
		{"cleartext HTTP 2", "http", []string{"h2", "h2:2"}, serveFrames(w, map[int]deed{4: func(p *framed, stream uint32, i int) bool {
			return p.n%3 > 0 && p.answer(stream, i)
		}})},
		{"TLS", "https", []string{"close:3", "keep:2+resume", "pipeline", "h2", "h2:2+resume"}, func(n int, c net.Conn) {
			s := tls.Server(c, config)
			defer s.Close()
			switch {
			case n%10 == 9 || s.Handshake() != nil:
			case s.ConnectionState().NegotiatedProtocol == "h2":
				serveFrames(w, nil)(n, s)
			default:
				serve(w, unwilling)(n, s)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := over(t, w, test.scheme)
			address := listen(t, test.serve)
			count := func() (goroutines, files int) { return runtime.NumGoroutine(), openFiles() }
			goroutines, files := count()
			for i := range testall.Of(1000, 100) {
				ctx, cancel := context.WithCancel(t.Context())
				if i%10 == 0 {
					time.AfterFunc(time.Duration(i)*time.Microsecond, cancel)
				}
				s := test.strategies[i%len(test.strategies)]
				if _, err := Run(ctx, linger.Scenario{Workload: w, Strategy: strategy(t, s)}, Config{Address: address, Roots: a.roots()}); err != nil {
					t.Fatal(err)
				}
				cancel()
			}
			// The server, in this process, needs a moment to see the last close.
			for range 500 {
				time.Sleep(20 * time.Millisecond)
				g, f := count()
				if g <= goroutines+2 && f <= files+2 {
					return
				}
			}
			g, f := count()
			t.Errorf("%d goroutines and %d files before, %d and %d after", goroutines, files, g, f)
		})
	}
}

// openFiles is how many files this process has open, 0 where that is not known.
func openFiles() int {
	list, _ := os.ReadDir("/proc/self/fd")
	return len(list)
}

func BenchmarkRun(b *testing.B) {
	w := linger.Objects(1200, 1000, 1000)
	address := listen(b, fast(w))
	for _, s := range []string{"close", "keep", "keep:6", "pipeline"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			st := strategy(b, s)
			for b.Loop() {
				tr, err := Run(b.Context(), linger.Scenario{Workload: w, Strategy: st}, Config{Address: address})
				if err != nil || len(failures(tr)) > 0 {
					b.Fatal(err, failures(tr))
				}
			}
			b.ReportMetric(float64(len(w.Exchanges)*b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// fast answers requests with as little work as a server can have.
func fast(w linger.Workload) func(int, net.Conn) {
	page, object := []byte("HTTP/1.1 200 OK\r\nContent-Length: 1200\r\n\r\n"+bodyOf(w, 0)), []byte("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"+bodyOf(w, 1))
	type buffers struct {
		in  *bufio.Reader
		out *bufio.Writer
	}
	spare := sync.Pool{New: func() any { return &buffers{bufio.NewReaderSize(nil, 64<<10), bufio.NewWriterSize(nil, 64<<10)} }}
	return func(_ int, c net.Conn) {
		b := spare.Get().(*buffers)
		defer spare.Put(b)
		in, out := b.in, b.out
		in.Reset(c)
		out.Reset(c)
		for {
			answer, last := object, false
			for {
				line, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				if strings.HasPrefix(string(line), "GET / ") {
					answer = page
				}
				last = last || strings.HasPrefix(string(line), "Connection: close")
				if len(line) == 2 {
					break
				}
			}
			out.Write(answer)
			if in.Buffered() == 0 || last {
				out.Flush()
			}
			if last {
				return
			}
		}
	}
}

// tool returns the path of a program that the test compares with.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	return path
}

// TestCongestion asks ss, which is not ours, what a connection of the run uses.
func TestCongestion(t *testing.T) {
	ss := tool(t, "ss")
	if runtime.GOOS != "linux" {
		t.Skip("choosing a congestion control needs Linux")
	}
	w := linger.Textbook(1)
	var seen atomic.Value
	address := listen(t, serve(w, map[int]oddity{1: func(c net.Conn, n int, w linger.Workload, i int) bool {
		out, _ := exec.Command(ss, "-Htin", "dst", c.LocalAddr().String()).CombinedOutput()
		seen.Store(string(out))
		return answer(c, n, w, i)
	}}))
	fetch(t, w, "keep", Config{Address: address, Verify: true, Congestion: "reno"})
	if out, _ := seen.Load().(string); !strings.Contains(out, " reno ") {
		t.Errorf("ss says %q", out)
	}
}

// TestUnreachable has servers that cannot be reached before the run has begun.
func TestUnreachable(t *testing.T) {
	limits := policy.Limits{Connect: 200 * time.Millisecond, Stall: time.Second}
	silent := silence(t, nil)
	s := linger.Scenario{Workload: linger.Textbook(1), Strategy: strategy(t, "keep")}
	early := linger.Scenario{Workload: over(t, linger.Textbook(1), "https"), Strategy: strategy(t, "h3+0rtt")}
	for _, test := range []struct {
		scenario linger.Scenario
		address  string
		want     string
	}{
		{s, "no.such.host.invalid:80", "cannot find no.such.host.invalid: "},
		{early, silent, "cannot fetch a ticket for early data from " + silent +
			": no answer over UDP within 200ms; it may be blocked, or the server has no HTTP/3"},
	} {
		_, err := Run(t.Context(), test.scenario, Config{Address: test.address, Limits: limits})
		if !errors.Is(err, dial.ErrUnreachable) || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", test.address, err, test.want)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(gone, early, Config{Address: silent, Limits: limits}); !errors.Is(err, context.Canceled) || errors.Is(err, dial.ErrUnreachable) {
		t.Errorf("interrupted: %v", err)
	}
}

// TestUnreachableByVisit has the earlier visit of TCP Fast Open fail.
func TestUnreachableByVisit(t *testing.T) {
	late := func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	refused := func(context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
	for want, open := range map[string]func(context.Context) (net.Conn, error){
		"connect timed out after 20ms": late,
		"connection refused":           refused,
	} {
		r := &run{config: Config{Limits: policy.Limits{Connect: 20 * time.Millisecond}}}
		r.scenario.Strategy.FastOpen = true
		err := (&tcp{run: r, address: "a:1", dial: open}).visit(t.Context())
		if !errors.Is(err, dial.ErrUnreachable) || err.Error() != "cannot fetch a cookie for TCP Fast Open from a:1: "+want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestPlaces has a server for each origin, each with its own name.
func TestPlaces(t *testing.T) {
	w := linger.Workload{Name: "t", Scheme: "http", Origins: []linger.Origin{{Name: "a.example"}, {Name: "b.example:8080"}}, Exchanges: []linger.Exchange{
		{Method: "GET", Path: "/", Status: 200, ResponseBody: 100, Parent: linger.NoParent},
		{Method: "GET", Origin: 1, Path: "/", Status: 200, ResponseBody: 200, Parent: 0},
	}}
	s := linger.Scenario{Workload: w, Strategy: strategy(t, "keep")}
	if _, err := Run(t.Context(), s, Config{Address: "127.0.0.1:1"}); err == nil || !strings.Contains(err.Error(), "has 2 origins, and 1 places are given") {
		t.Errorf("too few places: %v", err)
	}
	var places []Place
	var hosts [2]atomic.Pointer[string]
	for i, o := range w.Origins {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hosts[i].Store(&r.Host)
			w.Write(make([]byte, 100*(i+1)))
		}))
		defer server.Close()
		places = append(places, Place{Address: server.Listener.Addr().String(), Host: o.Name})
	}
	one, err := Run(t.Context(), s, Config{Places: places})
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range one.Exchanges {
		c := one.Connections[x.Connection]
		if x.Failed != "" || c.Origin != w.Origins[i].Name || c.Server != places[i].Address || x.URL != "http://"+w.Origins[i].Name+"/" {
			t.Errorf("exchange %d is %+v on %+v", i, x, c)
		}
		if host := hosts[i].Load(); host == nil || *host != w.Origins[i].Name {
			t.Errorf("origin %d was asked for %v", i, host)
		}
	}
}
