package origin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"linger/dns"
	"linger/origin/accesslog"
	"linger/origin/gate"
	"linger/origin/listen"
	"linger/policy"
	"linger/trace"
)

// TestServiceInTurn: requests of several connections and protocols wait for a core in turn, and
// what they have to wait besides comes after it.
func TestServiceInTurn(t *testing.T) {
	for _, test := range []struct {
		name  string
		cores int
		path  string
		want  string // when the four responses come
	}{
		{"one core", 1, "/bytes/1", "[1s 2s 3s 4s]"},
		{"two cores", 2, "/bytes/1", "[1s 1s 2s 2s]"},
		{"a delay holds no core", 2, "/delay/10s", "[11s 11s 12s 12s]"},
		{"a refusal is work, too", 4, "/nowhere", "[1s 1s 1s 1s]"},
	} {
		capacity := policy.Capacity{Service: time.Second, Cores: test.cores}
		inMemory(t, Config{Capacity: capacity}, func(t *testing.T, s *Server, p *pipes) {
			began := time.Now()
			var came [4]time.Duration
			var clients sync.WaitGroup
			for i := range came {
				c := p.dial()
				defer c.Close()
				send(t, c, "GET "+test.path+" HTTP/1.1\r\nHost: a\r\n\r\n")
				synctest.Wait() // so that they come in order
				clients.Go(func() {
					response(t, bufio.NewReader(c), "GET")
					came[i] = time.Since(began)
				})
			}
			synctest.Wait()
			if got, want := s.Load(), (gate.Load{Taken: 4, Busy: 4, Queued: 4 - test.cores}); got != want {
				t.Errorf("%s: %+v, want %+v", test.name, got, want)
			}
			clients.Wait()
			if got := fmt.Sprint(came); got != test.want {
				t.Errorf("%s: responses came after %s, want %s", test.name, got, test.want)
			}
		})
	}
	overH2(t, Config{Capacity: policy.Capacity{Service: time.Second}}, func(t *testing.T, _ *Server, h *h2client) {
		began := time.Now()
		h.request(1, true, "GET", "/bytes/10")
		h.request(3, true, "GET", "/bytes/10")
		h.want("1: 200", "1: 10 bytes end")
		first := time.Since(began)
		h.want("3: 200", "3: 10 bytes end")
		if second := time.Since(began); first != time.Second || second != 2*time.Second {
			t.Errorf("HTTP/2: responses came after %v and %v", first, second)
		}
	})
	namesInMemory(t, Config{Capacity: policy.Capacity{Service: time.Minute}}, func(t *testing.T, _ *Server, p *pipes) {
		c := p.dial()
		defer c.Close()
		began := time.Now()
		send(t, c, string(framed(ask("fast", dns.Options{ID: 1}), ask("fast", dns.Options{ID: 2}))))
		for i := range 2 {
			if _, m, err := readFramed(c); err != nil || int(m.ID) != i+1 || time.Since(began) != time.Duration(i+1)*time.Minute {
				t.Errorf("DNS: %v, message %d after %v", err, m.ID, time.Since(began))
			}
		}
	})
}

// TestRestart: all connections end, requests under way or not, and who waits or comes anew finds
// every worker free.
func TestRestart(t *testing.T) {
	var log recorder
	inMemory(t, Config{Capacity: policy.Capacity{Workers: 2}, Log: log.log}, func(t *testing.T, s *Server, p *pipes) {
		began := time.Now()
		idle, busy := p.dial(), p.dial()
		send(t, idle, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
		response(t, bufio.NewReader(idle), "GET")
		send(t, busy, "GET /delay/9s HTTP/1.1\r\nHost: a\r\n\r\n")
		var fresh net.Conn
		var dialled sync.WaitGroup
		dialled.Go(func() { fresh = p.dial() })
		synctest.Wait()
		if got, want := s.Load(), (gate.Load{Taken: 2, Busy: 1}); got != want {
			t.Errorf("before: %+v, want %+v", got, want)
		}
		s.Restart()
		dialled.Wait()
		send(t, fresh, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
		if resp, _ := response(t, bufio.NewReader(fresh), "GET"); resp.Close {
			t.Error("a new connection is closed")
		}
		synctest.Wait()
		if got, want := s.Load(), (gate.Load{Taken: 1}); got != want {
			t.Errorf("after: %+v, want %+v", got, want)
		}
		if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the idle connection: %v", err)
		}
		if _, err := busy.Read(make([]byte, 1)); err != io.EOF || time.Since(began) > 0 {
			t.Errorf("the request under way: %v after %v", err, time.Since(began))
		}
		idle.Close()
		busy.Close()
		fresh.Close()
		synctest.Wait()
	})
	for _, e := range log.of(accesslog.Closed) {
		if want := map[int64]string{1: policy.ReasonRestart, 2: policy.ReasonRestart, 3: "client closed"}[e.Conn]; e.Reason != want {
			t.Errorf("connection %d closed: %s, want %s", e.Conn, e.Reason, want)
		}
	}
}

// served is a server on two sockets: one of cleartext, and one of a way.
func served(t *testing.T, config Config, w way) (s *Server, plain, other string) {
	s, other = serveOn(t, config, w)
	ln := must(listen.TCP(t.Context(), "127.0.0.1:0", listen.Options{}))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return s, ln.Addr().String(), other
}

// TestOneWorkerForAllListeners: a socket on which nobody comes holds no worker, and who has to
// wait is served once there is room, whatever is spoken.
func TestOneWorkerForAllListeners(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			full := make(chan bool, 1)
			s, plain, other := served(t, Config{Capacity: policy.Capacity{Workers: 1}, Full: func() { full <- true }}, w)
			holder := must(net.Dial("tcp", plain))
			defer holder.Close()
			send(t, holder, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
			response(t, bufio.NewReader(holder), "GET")
			tr, closeAll := w.client(nil)
			defer closeAll()
			answered := make(chan error, 1)
			go func() {
				_, _, err := fetch(tr, "GET", w.url(other, "/bytes/7"), nil)
				answered <- err
			}()
			<-full
			if got := s.Load(); got.Taken != 1 {
				t.Errorf("%+v with one worker", got)
			}
			select {
			case err := <-answered:
				t.Errorf("answered with no worker free: %v", err)
			default:
			}
			holder.Close()
			if err := <-answered; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTheLongestIdleGivesWay: to one that waits, in good order; one with a request under way and
// one that was idle for a shorter time stay.
func TestTheLongestIdleGivesWay(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			var log recorder
			s, plain, other := served(t, Config{Log: log.log, Capacity: policy.Capacity{MaxConnections: 3, WhenFull: policy.FullCloseIdle}}, w)
			tr, closeAll := w.client(nil)
			defer closeAll()
			if _, _, err := fetch(tr, "GET", w.url(other, "/bytes/1"), nil); err != nil {
				t.Fatal(err)
			}
			settleCount(t, func() bool { return s.Load().Busy == 0 })
			var held [3]net.Conn
			for i, path := range []string{"/bytes/1", "/delay/50ms", "/bytes/1"} {
				held[i] = must(net.Dial("tcp", plain))
				defer held[i].Close()
				send(t, held[i], "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
				if i != 1 {
					response(t, bufio.NewReader(held[i]), "GET")
				}
			}
			response(t, bufio.NewReader(held[1]), "GET")
			settleCount(t, func() bool { return len(log.of(accesslog.Closed)) == 1 })
			end := log.of(accesslog.Closed)
			if len(end) != 1 || end[0].Conn != 1 || end[0].By != trace.AtServer || end[0].Reason != policy.ReasonGaveWay {
				t.Errorf("log: %v", end)
			}
			if got := s.Load(); got.Taken != 3 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestRefused: one more than may be open is closed at once, and told so in the log.
func TestRefused(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			var log recorder
			s, plain, other := served(t, Config{Log: log.log, Capacity: policy.Capacity{MaxConnections: 1, WhenFull: policy.FullRefuse}}, w)
			holder := must(net.Dial("tcp", plain))
			defer holder.Close()
			send(t, holder, "GET /bytes/1 HTTP/1.1\r\nHost: a\r\n\r\n")
			response(t, bufio.NewReader(holder), "GET")
			tr, closeAll := w.client(nil)
			defer closeAll()
			if _, _, err := fetch(tr, "GET", w.url(other, "/bytes/7"), nil); err == nil {
				t.Error("answered, with as many open as may be")
			}
			n := s.Counters()
			if end := log.of(accesslog.Closed); n.Refused == 0 || len(end) != int(n.Refused) || end[0].Reason != policy.ReasonRefused || end[0].By != trace.AtServer {
				t.Errorf("%d refused; log: %v", n.Refused, end)
			}
			holder.Close()
			settleCount(t, func() bool { return s.Load().Taken == 0 })
			if _, _, err := fetch(tr, "GET", w.url(other, "/bytes/7"), nil); err != nil {
				t.Errorf("with room: %v", err)
			}
		})
	}
}

// TestRestartOfEveryProtocol: the client's connection ends, and the next one is taken.
func TestRestartOfEveryProtocol(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			var log recorder
			s, address := serveOn(t, Config{Log: log.log, Capacity: policy.Capacity{Workers: 1}}, w)
			tr, closeAll := w.client(nil)
			defer closeAll()
			answered := make(chan error, 1)
			go func() {
				_, _, err := fetch(tr, "GET", w.url(address, "/delay/50s"), nil)
				answered <- err
			}()
			settleCount(t, func() bool { return s.Load().Busy == 1 })
			s.Restart()
			if err := <-answered; err == nil {
				t.Error("a request outlives the server")
			}
			settleCount(t, func() bool { return len(log.of(accesslog.Closed)) == 1 })
			if end := log.of(accesslog.Closed); len(end) != 1 || end[0].Reason != policy.ReasonRestart || end[0].By != trace.AtServer {
				t.Errorf("log: %v", end)
			}
			if _, _, err := fetch(tr, "GET", w.url(address, "/bytes/1"), nil); err != nil {
				t.Errorf("after it: %v", err)
			}
		})
	}
}
