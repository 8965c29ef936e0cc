package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linger/load/plan"
	"linger/policy"
	"linger/tally"
)

// accept serves each connection by a function, until the test ends.
func accept(t *testing.T, f func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var open atomic.Int64
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Add(1)
			go func() { defer open.Add(-1); defer c.Close(); f(c) }()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l
}

func (c *Config) aim(address string) {
	c.Targets[0].Address, c.Targets[0].Host = address, address
}

// both runs a test with the event loop and with goroutines.
func both(t *testing.T, f func(t *testing.T, portable bool)) {
	t.Run("epoll", func(t *testing.T) { f(t, false) })
	t.Run("portable", func(t *testing.T) { f(t, true) })
}

func TestNobodyListens(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		l := accept(t, func(net.Conn) {})
		c := serve(t, hello).config(t, "keep")
		l.Close()
		c.aim(l.Addr().String())
		c.Portable, c.Plan.Requests = portable, 20
		r := run(t, c)
		if r.Requests.Unsent[tally.Refused] != 20 || r.Requests.Sent != 0 || r.Connections.Failed[tally.Refused] < 1 {
			t.Errorf("%+v", r.Requests)
		}
	})
}

func TestServerNeverAnswers(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		l := accept(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		c := serve(t, hello).config(t, "keep")
		c.aim(l.Addr().String())
		c.Portable, c.Plan, c.Answer = portable, plan.Plan{Requests: 16}, 200*time.Millisecond
		r := run(t, c)
		if r.Requests.Failed[tally.TimedOut] != 16 || r.Requests.Answered != 0 {
			t.Errorf("%+v", r.Requests)
		}
	})
}

func TestInterruptEndsAtOnce(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		l := accept(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		c := serve(t, hello).config(t, "keep")
		c.aim(l.Addr().String())
		c.Portable, c.Plan = portable, plan.Plan{Time: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		r, err := Run(ctx, c, nil)
		if err != nil || !r.Interrupted || r.Requests.Cut != 8 {
			t.Errorf("%v, %v, %+v", err, r.Interrupted, r.Requests)
		}
		adds(t, r)
	})
}

// A server that closes after a number of requests without a word: those that were under way are sent
// again, once each.
func TestRetriesAreCounted(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		var seen atomic.Int64
		l := accept(t, func(c net.Conn) {
			in := bufio.NewReader(c)
			for n := 0; ; n++ {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, r.Body)
				seen.Add(1)
				if n == 5 {
					return
				}
				fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		c := serve(t, hello).config(t, "keep")
		c.aim(l.Addr().String())
		c.Portable, c.Plan.Requests = portable, 200
		r := run(t, c)
		if r.Requests.Answered != 200 || r.Requests.Retried == 0 || seen.Load() != r.Requests.Sent+r.Requests.Retried {
			t.Errorf("%+v; the server saw %d", r.Requests, seen.Load())
		}
		if n := r.Connections.Closed[tally.Close{By: tally.ByServer, With: withFIN}]; n != r.Requests.Retried {
			t.Errorf("%d were closed by the server, %d requests retried: %v", n, r.Requests.Retried, r.Connections.Closed)
		}
	})
}

// Half of the answers are errors, a quarter of the rest is cut.
func TestErrorsAreCounted(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		var n atomic.Int64
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch n.Add(1) % 4 {
			case 0, 1:
				w.WriteHeader(503)
			case 2:
				hello(w, r)
			case 3:
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, "cut")
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
		})
		c := s.config(t, "keep")
		c.Portable, c.Plan.Requests = portable, 400
		r := run(t, c)
		if r.Requests.Statuses[503] != 200 || r.Requests.Wrong != 200 || r.Requests.Statuses[200] != 100 || sum(r.Requests.Failed) != 100 {
			t.Errorf("%+v", r.Requests)
		}
	})
}

func TestGarbageIsMalformed(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		l := accept(t, func(c net.Conn) {
			_, _ = bufio.NewReader(c).ReadString('\n')
			fmt.Fprint(c, "SSH-2.0-x\r\n")
			_, _ = io.Copy(io.Discard, c)
		})
		c := serve(t, hello).config(t, "keep")
		c.aim(l.Addr().String())
		c.Portable, c.Plan.Requests = portable, 30
		if r := run(t, c); r.Requests.Failed[tally.Malformed] != 30 {
			t.Errorf("%+v", r.Requests)
		}
	})
}

// An open loop against a server that stops for a while: latency from the intended moment has what
// requests waited that could not be sent.
func TestAFreezeIsSeenFromTheIntendedMoment(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		begun := time.Now()
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if into := time.Since(begun); into > 500*time.Millisecond && into < time.Second {
				time.Sleep(time.Second - into)
			}
			hello(w, r)
		})
		c := s.config(t, "keep")
		c.Portable, c.Plan = portable, plan.Plan{Stages: []plan.Stage{{From: 400, To: 400}}, Time: 2 * time.Second}
		r := run(t, c)
		if r.Requests.Intended < 799 || r.Requests.Intended > 800 || r.Requests.Answered != r.Requests.Intended {
			t.Errorf("%+v", r.Requests)
		}
		from, _ := r.Latency.Intended.Quantile(0.9)
		sent, _ := r.Latency.Sent.Quantile(0.9)
		if from < int64(150*time.Millisecond) || sent > from/2 {
			t.Errorf("p90 is %v from the intended moment, %v from sending", time.Duration(from), time.Duration(sent))
		}
	})
}

func TestWarmUpIsNotCounted(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		s := serve(t, hello)
		c := s.config(t, "keep")
		c.Portable, c.Plan = portable, plan.Plan{WarmUp: 200 * time.Millisecond, Time: 300 * time.Millisecond}
		r := run(t, c)
		if r.Connections.Before != 8 || r.Connections.Established != 0 || r.Connections.Left != 8 || r.Requests.Answered == 0 || r.Requests.Answered >= s.requests.Load() {
			t.Errorf("%+v %+v; the server saw %d", r.Connections, r.Requests, s.requests.Load())
		}
	})
}

func TestPortsAreForeseen(t *testing.T) {
	ports, _, ok := Ports()
	if !ok || ports < 1 {
		t.Fatalf("%d ports, %v", ports, ok)
	}
	c := serve(t, hello).config(t, "close")
	c.Connections = ports + 1
	if _, err := Run(t.Context(), c, nil); err == nil {
		t.Error("more connections than ports are begun")
	}
}

// Bodies are counted to the byte, whether they are looked at or not.
func TestBodiesAreCounted(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		const size = 3 << 20
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/length" {
				w.Header().Set("Content-Length", strconv.Itoa(size))
			}
			_, _ = w.Write(make([]byte, size))
		})
		for path, least := range map[string]int64{"/length": size, "/chunks": size + 6} {
			c := s.config(t, "keep")
			c.Portable, c.Plan.Requests, c.Connections, c.Targets[0].Path = portable, 20, 3, path
			r := run(t, c)
			if down := r.Requests.Down / 20; r.Requests.Answered != 20 || down < least || down > least+8000 {
				t.Errorf("%s: %d bytes an answer, of %d; %+v", path, down, least, r.Requests)
			}
		}
	})
}

// What is sent arrives, also where it is more than a socket takes at once.
func TestContentIsSent(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		var got atomic.Int64
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			got.Add(n)
		})
		c := s.config(t, "keep")
		c.Portable, c.Plan.Requests = portable, 30
		c.Targets[0].Message.Content = make([]byte, 5<<20)
		if r := run(t, c); r.Requests.Answered != 30 || got.Load() != 30*5<<20 || r.Requests.Up < got.Load() {
			t.Errorf("%+v; the server read %d", r.Requests, got.Load())
		}
	})
}

func TestTargetsAndAddressesTakeTurns(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		var mu sync.Mutex
		paths, from := map[string]int{}, map[string]int{}
		s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			mu.Lock()
			defer mu.Unlock()
			paths[r.URL.Path]++
			from[host]++
		})
		c := s.config(t, "close")
		c.Portable, c.Workers, c.Plan = portable, 1, plan.Plan{Stages: []plan.Stage{{From: 2000, To: 2000}}, Requests: 400}
		c.Targets = append(c.Targets, c.Targets[0])
		c.Targets[1].Path, c.Targets[1].Weight = "/other", 3
		c.Locals = []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")}
		run(t, c)
		if paths["/"] != 100 || paths["/other"] != 300 || from["127.0.0.2"] != 200 || from["127.0.0.3"] != 200 {
			t.Errorf("%v from %v", paths, from)
		}
	})
}

func TestSoFarIsTold(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		c := serve(t, hello).config(t, "keep")
		c.Portable, c.Plan, c.Every = portable, plan.Plan{Time: 400 * time.Millisecond}, 50*time.Millisecond
		var last, n int64
		r, err := Run(t.Context(), c, func(r tally.Run) {
			if r.Requests.Answered < last {
				t.Errorf("%d answers after %d", r.Requests.Answered, last)
			}
			last = r.Requests.Answered
			n++
		})
		if err != nil || n < 2 || last == 0 || last > r.Requests.Answered {
			t.Errorf("told %d times, %d of %d at last: %v", n, last, r.Requests.Answered, err)
		}
	})
}

// Which idle connection takes a request is as asked: the one used last leaves the others idle.
func TestReuse(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		carried := map[policy.Order]int64{}
		for _, order := range []policy.Order{policy.MostRecent, policy.LeastRecent} {
			s := serve(t, func(http.ResponseWriter, *http.Request) { time.Sleep(3 * time.Millisecond) })
			c := s.config(t, "keep")
			// Two at once now and then: at the start of each second of the plan.
			c.Portable, c.Workers, c.Life.Reuse = portable, 1, order
			c.Plan = plan.Plan{Stages: []plan.Stage{{From: 2000, To: 2000, Time: 20 * time.Millisecond}, {From: 50, To: 50, Time: time.Second}}}
			r := run(t, c)
			carried[order], _ = r.Connections.Carried.Max()
		}
		if carried[policy.MostRecent] < 2*carried[policy.LeastRecent] {
			t.Errorf("the most that a connection carried: %v", carried)
		}
	})
}

// What lives of connections are told to be, they are.
func TestLives(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		for name, test := range map[string]struct {
			life plan.Life
			why  string
		}{
			"age":       {plan.Life{MaxAge: 50 * time.Millisecond}, tally.WhyAge},
			"idle":      {plan.Life{Idle: 20 * time.Millisecond, Think: 100 * time.Millisecond}, tally.WhyIdle},
			"reconnect": {plan.Life{Reconnect: 100}, tally.WhyReconnect},
			"requests":  {plan.Life{Requests: plan.Range{Least: 3, Most: 5}, Think: time.Millisecond}, tally.WhyPolicy},
		} {
			t.Run(name, func(t *testing.T) {
				s := serve(t, hello)
				c := s.config(t, "keep")
				c.Portable, c.Life, c.Plan = portable, test.life, plan.Plan{Time: 500 * time.Millisecond}
				r := run(t, c)
				ours := int64(0)
				for k, n := range r.Connections.Closed {
					if k.Why == test.why || test.why == tally.WhyPolicy && k.By == tally.ByServer {
						ours += n
					} else {
						t.Errorf("%d closed by %+v", n, k)
					}
				}
				if ours < 8 || r.Connections.Established != s.opened.Load() {
					t.Errorf("%v; %d of %d the server saw", r.Connections.Closed, r.Connections.Established, s.opened.Load())
				}
			})
		}
	})
}

func TestNothingIsAllocatedForARequest(t *testing.T) {
	s := accept(t, func(c net.Conn) {
		b := make([]byte, 4096)
		answer := []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	})
	c := serve(t, hello).config(t, "keep")
	c.aim(s.Addr().String())
	c.Workers = 1
	cost := func(n int64) float64 {
		c.Plan.Requests = n
		return testing.AllocsPerRun(2, func() {
			if _, err := Run(t.Context(), c, nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := cost(100), cost(10_100)
	if each := (many - few) / 10_000; each > 0.01 {
		t.Errorf("%v allocations a request: %v for 100, %v for 10,100", each, few, many)
	}
}
