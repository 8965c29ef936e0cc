package probe_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"linger/conformance"
	"linger/internal/testall"
	"linger/probe"
	"linger/profile"
	"linger/report"
)

// TestAnnouncedMax holds the number of requests against max as servers mean it: what is
// left behind each response, or the whole.
func TestAnnouncedMax(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		max       func(n int) int // said with the n-th response
		total     int             // requests on a connection
		announced string
		differs   bool
	}{
		{"what is left, as Apache", func(n int) int { return 6 - n }, 6, "5 left after the first", false},
		{"what is left, with this one", func(n int) int { return 7 - n }, 6, "6 left after the first", false},
		{"the whole, as Node", func(int) int { return 6 }, 6, "6", false},
		{"fewer than are left", func(n int) int { return 100 - n }, 6, "99 left after the first", true},
		{"fewer than the whole", func(int) int { return 100 }, 6, "100", true},
		{"more than it says", func(int) int { return 3 }, 6, "3", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			target := "http://" + testall.Accept(t, func(c net.Conn) {
				in := bufio.NewReader(c)
				for n := 1; n <= test.total; n++ {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					connection := fmt.Sprintf("Connection: Keep-Alive\r\nKeep-Alive: timeout=5, max=%d", test.max(n))
					if n == test.total {
						connection = "Connection: close"
					}
					fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n%s\r\n\r\nok", connection)
				}
			})
			p, err := probe.Run(context.Background(), probe.Config{Target: target, Experiments: []string{"requests on a connection"}})
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, r := range report.LimitRows(p.ProtocolNamed("http/1.1")) {
				if r.Name != "requests" {
					continue
				}
				found = true
				if r.Announced != test.announced || r.Differs != test.differs || r.Observed != "6" {
					t.Errorf("announced %q (differs: %v), observed %s; want %q (%v)", r.Announced, r.Differs, r.Observed, test.announced, test.differs)
				}
			}
			if !found {
				t.Error("nothing is told of requests")
			}
		})
	}
}

// TestFirstAnswerIsLate shows that whoever answers late is waited for where that is asked
// for, and what has to be said otherwise.
func TestFirstAnswerIsLate(t *testing.T) {
	t.Parallel()
	target := "http://" + testall.Accept(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			time.Sleep(700 * time.Millisecond)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	config := probe.Config{Target: target, Answer: 250 * time.Millisecond, Experiments: []string{"what HTTP/2"}}
	if _, err := probe.Run(context.Background(), config); err == nil || !strings.Contains(err.Error(), "no answer in time, within 250 ms; --answer-within") {
		t.Errorf("the error is %v", err)
	}
	config.Answer = 10 * time.Second
	config.Experiments = []string{"requests on a connection of HTTP/3"}
	if _, err := probe.Run(context.Background(), config); err != nil {
		t.Errorf("though it may take 10 s: %v", err)
	}
}

// TestAssertedIsMeasured shows that what is asserted is asked for, whatever cases are.
func TestAssertedIsMeasured(t *testing.T) {
	t.Parallel()
	target, _ := refusing(t, 0, "", func(int32, *http.Request) bool { return false })
	cases, err := conformance.Select([]string{"host-missing"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := probe.Run(context.Background(), probe.Config{Target: target, MaxWait: time.Second,
		Cases: conformance.With(cases, []string{"pipelining", "requests", "close_honoured"}, nil), Figures: []string{"pipelining", "requests", "close_honoured"}})
	if err != nil {
		t.Fatal(err)
	}
	q := p.ProtocolNamed("http/1.1")
	if q.Pipelining == nil || q.Requests.State == profile.Unknown || q.Requests.State == "" {
		t.Errorf("pipelining %v, requests %v", q.Pipelining, q.Requests)
	}
	if r, ok := p.ResultOf("close-honoured"); !ok || r.Outcome != profile.Pass || len(p.Cases) != 2 {
		t.Errorf("close-honoured: %v %s; %d cases", ok, r.Outcome, len(p.Cases))
	}
}
