package probe_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"linger/internal/testall"
	"linger/probe"
	"linger/profile"
)

// refusing serves by net/http, but answers status where turn says so of a request, which
// is the n-th; the first is 1.
func refusing(t *testing.T, status int, retryAfter string, turn func(n int32, r *http.Request) bool) (target string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if turn(n, r) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(status)
		}
	}))
	s.Config.ErrorLog = quiet()
	s.Start()
	t.Cleanup(s.Close)
	return s.URL, asked
}

// TestRefusalsAreAttributed shows that a server is left alone only where it refuses what
// any client may ask, after it was given time, and that no case is lost otherwise.
func TestRefusalsAreAttributed(t *testing.T) {
	t.Parallel()
	odd := func(_ int32, r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }
	for _, test := range []struct {
		name       string
		status     int
		retryAfter string
		turn       func(int32, *http.Request) bool
		caveat     string // its code
		unreached  bool
	}{
		{"503 to odd methods", 503, "", odd, "", false},
		{"429 to odd methods", 429, "120", odd, "", false},
		{"503 to every fifth request", 503, "", func(n int32, _ *http.Request) bool { return n%5 == 0 }, profile.RefusedAtTimes, false},
		{"429 to every tenth, for a second", 429, "1", func(n int32, _ *http.Request) bool { return n%30 == 0 }, profile.RefusedAtTimes, false},
		{"503 always", 503, "", func(int32, *http.Request) bool { return true }, "", true},
		{"503 from the twentieth on", 503, "", func(n int32, _ *http.Request) bool { return n > 20 }, profile.RateLimited, false},
		{"429 from the twentieth on, for an hour", 429, "3600", func(n int32, _ *http.Request) bool { return n > 20 }, profile.RateLimited, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target, asked := refusing(t, test.status, test.retryAfter, test.turn)
			p, err := probe.Run(context.Background(), probe.Config{Target: target, MaxWait: 3 * time.Second})
			if test.unreached {
				if err == nil || !strings.Contains(err.Error(), "answered 503, 4 times") {
					t.Errorf("the error is %v", err)
				}
				if n := asked.Load(); n != 4 {
					t.Errorf("it was asked %d times", n)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			code := ""
			for _, d := range p.Caveats {
				if d.Code == profile.RateLimited || d.Code == profile.RefusedAtTimes {
					code = d.Code
				}
			}
			if code != test.caveat {
				t.Errorf("the caveats are %v, want %q", p.Caveats, test.caveat)
			}
			decided := 0
			for _, r := range p.Cases {
				switch r.Outcome {
				case profile.NotMeasured:
					continue
				case profile.Fail, profile.Warn:
					if !slices.Contains(brokenByGo, r.ID) && !wasBusy(p) {
						t.Errorf("%s: %s, %s", r.ID, r.Outcome, r.Text)
					}
				}
				decided++
			}
			if test.caveat != profile.RateLimited && decided < 15 {
				t.Errorf("%d cases were decided", decided)
			}
		})
	}
}

// TestMalformedAnswered503 shows that an answer to a malformed request is the answer to
// it, and does not end the probe.
func TestMalformedAnswered503(t *testing.T) {
	t.Parallel()
	target := "http://" + testall.Accept(t, func(c net.Conn) {
		b := make([]byte, 64<<10)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if text := string(b[:n]); !strings.Contains(text, "Host:") {
				c.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"))
			} else if strings.HasPrefix(text, "GET") {
				c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
			} else {
				c.Write([]byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
				return
			}
		}
	})
	p, err := probe.Run(context.Background(), probe.Config{Target: target, Experiments: []string{"framing", "requests on a connection"}})
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := p.ResultOf("host-missing"); r.Outcome == profile.NotMeasured || !strings.Contains(r.Text, "503") {
		t.Errorf("host-missing: %s, %s", r.Outcome, r.Text)
	}
	if r, _ := p.ResultOf("framing-lengths"); r.Outcome != profile.Pass {
		t.Errorf("framing-lengths: %s, %s", r.Outcome, r.Text)
	}
	if len(p.Caveats) > 0 && !wasBusy(p) {
		t.Errorf("the caveats are %v", p.Caveats)
	}
}
