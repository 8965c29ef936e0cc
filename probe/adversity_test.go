package probe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linger/conformance"
	"linger/dial"
	"linger/internal/testall"
	"linger/probe"
	"linger/profile"
)

// brokenByGo are the cases that net/http breaks whenever it is asked.
var brokenByGo = []string{"framing-both", "close-staged"}

// TestWhatCannotBeProbed shows that each comes back soon, with one line.
func TestWhatCannotBeProbed(t *testing.T) {
	t.Parallel()
	head := func(c net.Conn) { http.ReadRequest(bufio.NewReader(c)) }
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = quiet()
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for _, test := range []struct {
		name, target string
		says         string
		unreachable  bool
	}{
		{"no URL", "http://[", "not a URL", false},
		{"another scheme", "ftp://127.0.0.1/", "not what can be probed", false},
		{"a name that nobody knows", "http://no-such-name.invalid/", "nobody knows the name no-such-name.invalid", true},
		{"a closed port", "http://" + testall.FreeAddress(t), "connection refused", true},
		{"accepts and never speaks", "http://" + testall.Accept(t, func(c net.Conn) { io.Copy(io.Discard, c) }), "no answer in time", true},
		{"accepts and never speaks TLS", "https://" + testall.Accept(t, func(c net.Conn) { io.Copy(io.Discard, c) }), "no answer in time", true},
		{"closes without an answer", "http://" + testall.Accept(t, head), "it closed the connection", true},
		{"speaks something else", "http://" + testall.Accept(t, func(c net.Conn) { io.WriteString(c, "220 mail\r\n"); io.Copy(io.Discard, c) }), "malformed HTTP", true},
		{"sends content for ever", "http://" + testall.Accept(t, func(c net.Conn) {
			head(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for err := error(nil); err == nil; {
				_, err = c.Write(make([]byte, 64<<10))
			}
		}), "longer than 4 MB", true},
		{"sends slowly for ever", "http://" + testall.Accept(t, func(c net.Conn) {
			head(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			for err := error(nil); err == nil; {
				_, err = c.Write([]byte("."))
				time.Sleep(10 * time.Millisecond)
			}
		}), "no answer in time", true},
		{"1 MB of headers", "http://" + testall.Accept(t, func(c net.Conn) {
			head(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for i := range 1 << 14 {
				if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", i, strings.Repeat("x", 64)); err != nil {
					return
				}
			}
			io.WriteString(c, "Content-Length: 0\r\n\r\n")
		}), "the head of the response is longer than 256 kB", true},
		{"interim responses for ever", "http://" + testall.Accept(t, func(c net.Conn) {
			head(c)
			for err := error(nil); err == nil; {
				_, err = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
			}
		}), "no answer in time", true},
		{"a certificate of nobody", secure.URL, "-k goes on all the same", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			doc, err := probe.Run(context.Background(), probe.Config{Target: test.target, Answer: 2 * time.Second})
			if err == nil {
				t.Fatalf("it was probed: %+v", doc)
			}
			t.Log(err)
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 250 {
				t.Errorf("the error is %q; want one line with %q", err, test.says)
			}
			if errors.Is(err, dial.ErrUnreachable) != test.unreachable {
				t.Errorf("that it counts as not reachable is %v", !test.unreachable)
			}
		})
	}
}

// TestAnyCertificate shows that what is wrong with one is noted where it was taken.
func TestAnyCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	defer s.Close()
	none := []profile.Case{conformance.CaseByID("close-honoured")}
	doc, err := probe.Run(context.Background(), probe.Config{Target: s.URL, Insecure: true, Cases: none})
	if err != nil {
		t.Fatal(err)
	}
	if doc.TLS == nil || !strings.Contains(doc.TLS.Invalid, "unknown authority") {
		t.Errorf("of the certificate is noted %+v", doc.TLS)
	}
	if r, _ := doc.ResultOf("close-honoured"); r.Outcome != profile.Pass {
		t.Errorf("close-honoured: %s, %s", r.Outcome, r.Text)
	}
}

// TestRateLimits shows that a server which has had enough is left alone, and that
// nothing is held against it that it did then.
func TestRateLimits(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var asked, after atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 60 {
					after.Add(1)
					w.WriteHeader(status)
				}
			}))
			defer s.Close()
			doc, err := probe.Run(context.Background(), probe.Config{Target: s.URL, MaxWait: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			// What was under way when the first such answer came is answered, too.
			if n := after.Load(); n < 1 || n > probe.DefaultConnections {
				t.Errorf("it was asked %d times after it had enough", n)
			}
			if len(doc.Caveats) == 0 || doc.Caveats[0].Code != "rate-limited" {
				t.Errorf("the doubts are %v", doc.Caveats)
			}
			unmeasured := 0
			for _, r := range doc.Cases {
				if r.Outcome == profile.NotMeasured && strings.Contains(r.Text, fmt.Sprint(status)) {
					unmeasured++
				}
				if (r.Outcome == profile.Fail || r.Outcome == profile.Warn) && !slices.Contains(brokenByGo, r.ID) {
					t.Errorf("%s: %s, %s", r.ID, r.Outcome, r.Text)
				}
			}
			if unmeasured == 0 {
				t.Error("no case is not measured for that reason")
			}
		})
	}
}

// TestNothingIsLeftBehind counts goroutines and sockets around probes that end well,
// badly, and before their time.
func TestNothingIsLeftBehind(t *testing.T) {
	if !testall.Alone(t) {
		return
	}
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	dead := testall.Accept(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	run := func() {
		probe.Run(context.Background(), probe.Config{Target: s.URL, MaxWait: 500 * time.Millisecond})
		probe.Run(context.Background(), probe.Config{Target: "http://" + dead, Answer: 100 * time.Millisecond})
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		probe.Run(ctx, probe.Config{Target: s.URL})
	}
	count := func() (goroutines, files int) {
		s.CloseClientConnections()
		entries, _ := os.ReadDir("/proc/self/fd") // elsewhere none is counted
		return runtime.NumGoroutine(), len(entries)
	}
	run() // what is made once
	time.Sleep(500 * time.Millisecond)
	goroutines, files := count()
	run()
	var g, f int
	for range 50 {
		if g, f = count(); g <= goroutines && f <= files {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines and %d files were there before, %d and %d after\n%s", goroutines, files, g, f, stacks[:runtime.Stack(stacks, true)])
}

// TestInterrupted shows that a probe ends when it is told to, with what it has by then
// and without judging by what it did not wait for.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	for _, after := range []time.Duration{20 * time.Millisecond, 300 * time.Millisecond, 1200 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(context.Background(), after)
		began := time.Now()
		doc, err := probe.Run(ctx, probe.Config{Target: s.URL})
		cancel()
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it took %v", took)
		}
		if err != nil {
			continue // before the server was reached
		}
		for _, r := range doc.Cases {
			if (r.Outcome == profile.Fail || r.Outcome == profile.Warn) && !slices.Contains(brokenByGo, r.ID) {
				t.Errorf("interrupted after %v: %s: %s, %s", after, r.ID, r.Outcome, r.Text)
			}
		}
	}
}
