package probe_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"linger/internal/testall"
	"linger/probe"
	"linger/profile"
)

// A pool serves as many connections at once as it has workers; whoever comes next waits
// until one of them has gone, or been idle for too long.
type pool struct {
	workers int
	idle    time.Duration
	closes  bool // each connection ends behind its response
	evicts  bool // no one waits: the connection that came first is closed
}

// serve serves until the test ends, and returns where.
func (s pool) serve(t *testing.T) (address string) {
	free := make(chan struct{}, s.workers)
	var mu sync.Mutex
	var open []net.Conn
	return testall.Accept(t, func(c net.Conn) {
		if s.evicts {
			mu.Lock()
			if open = append(open, c); len(open) > s.workers {
				open[0].Close()
				open = open[1:]
			}
			mu.Unlock()
			defer func() {
				mu.Lock()
				open = slices.DeleteFunc(open, func(o net.Conn) bool { return o == c })
				mu.Unlock()
			}()
		} else {
			free <- struct{}{}
			defer func() { <-free }()
		}
		for in := bufio.NewReader(c); ; {
			c.SetReadDeadline(time.Now().Add(s.idle))
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			if r.Header.Get("Expect") != "" {
				io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
			}
			io.Copy(io.Discard, r.Body)
			last := s.closes || r.Close
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: %s\r\n\r\n", map[bool]string{true: "close", false: "keep-alive"}[last])
			if last {
				return
			}
		}
	})
}

// beside asks for itself while a probe is under way, and returns the longest it waited.
func beside(ctx context.Context, address string) (longest time.Duration) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for ctx.Err() == nil {
		began := time.Now()
		r, err := client.Get("http://" + address + "/")
		if err != nil {
			return time.Hour
		}
		r.Body.Close()
		longest = max(longest, time.Since(began))
		time.Sleep(100 * time.Millisecond)
	}
	return longest
}

// TestProbeIsInNobodysWay: of a server whose workers belong to connections it is found
// out how many it has; everything else stays below that, and nothing that waited is
// taken for the server's conduct.
func TestProbeIsInNobodysWay(t *testing.T) {
	t.Parallel()
	const idle = 3 * time.Second
	for _, test := range []struct {
		name string
		pool
		parallel string
		next     profile.Next
	}{
		{"one worker", pool{workers: 1}, "1", profile.Waits},
		{"two workers", pool{workers: 2}, "2", profile.Waits},
		{"four workers", pool{workers: 4}, "4", profile.Waits},
		{"three workers that keep nothing", pool{workers: 3, closes: true}, "3", profile.Waits},
		{"many workers", pool{workers: 1000}, "at least 10", ""},
		{"the first goes for the next", pool{workers: 5, evicts: true}, "5", profile.ClosesAnother},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.pool.idle = idle
			address := test.serve(t)
			ctx, stop := context.WithCancel(context.Background())
			waited := make(chan time.Duration, 1)
			if test.workers > 1 && !test.evicts {
				go func() { waited <- beside(ctx, address) }()
			} else {
				waited <- 0
			}
			doc, err := probe.Run(context.Background(), probe.Config{Target: "http://" + address + "/", MaxWait: 6 * time.Second,
				Experiments: []string{"idle after a response", "idle after connecting", "requests on a connection", "content of requests"}})
			stop()
			longest := <-waited
			if err != nil {
				t.Fatal(err)
			}
			if wasBusy(doc) {
				return // to be sure of anything
			}
			if doc.Parallel.String() != test.parallel || doc.Parallel.Next != test.next {
				t.Errorf("%s connections at once, the next %q; want %s, %q", doc.Parallel, doc.Parallel.Next, test.parallel, test.next)
			}
			h := doc.ProtocolNamed("http/1.1")
			limit := h.AfterResponse
			if test.closes {
				limit = h.AfterConnect
			}
			if low, high, ok := limit.Interval(); !ok || low > profile.Duration(idle)+profile.Slack(low) || high < profile.Duration(idle)-profile.Slack(high) {
				t.Errorf("the idle limit is %s; want %s", limit, profile.Duration(idle))
			}
			for _, r := range doc.Cases {
				if r.Outcome == profile.Fail || r.Outcome == profile.Warn && r.ID != "requests-enough" {
					t.Errorf("%s: %s, %s", r.ID, r.Outcome, r.Text)
				}
			}
			// While it was found out, somebody had to wait for a part of a second.
			if longest > 2*time.Second {
				t.Errorf("a client beside the probe waited for %v", longest)
			}
		})
	}
}

// TestSlownessIsNoQueue: a server that takes some time for each answer serves all
// connections all the same.
func TestSlownessIsNoQueue(t *testing.T) {
	t.Parallel()
	var one sync.Mutex
	address := testall.Accept(t, func(c net.Conn) {
		for in := bufio.NewReader(c); ; {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			one.Lock() // one answer at a time, as in a loop of events
			time.Sleep(60 * time.Millisecond)
			one.Unlock()
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	doc, err := probe.Run(context.Background(), probe.Config{Target: "http://" + address + "/", MaxWait: time.Second, Experiments: probe.IdleExperiments("http")})
	if err != nil {
		t.Fatal(err)
	}
	if doc.Parallel.State != profile.AtLeast {
		t.Errorf("%s connections at once, the next %q", doc.Parallel, doc.Parallel.Next)
	}
}
