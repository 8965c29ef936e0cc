package load

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"linger"
	"linger/load/plan"
	"linger/tally"
)

// counted is a server that counts connections and requests.
type counted struct {
	*httptest.Server
	requests, opened, closed atomic.Int64
}

func serve(t *testing.T, h http.HandlerFunc) *counted {
	t.Helper()
	c := &counted{}
	var mu sync.Mutex
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		h(w, r)
	}))
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch s {
		case http.StateNew:
			c.opened.Add(1)
		case http.StateClosed:
			c.closed.Add(1)
		}
	}
	c.Config.ErrorLog = nil
	c.Start()
	t.Cleanup(c.Close)
	return c
}

func (c *counted) config(t *testing.T, strategy string) Config {
	t.Helper()
	s, err := linger.ParseStrategy(strategy)
	if err != nil {
		t.Fatal(err)
	}
	host := c.Listener.Addr().String()
	return Config{Strategy: s, Connections: 8, Plan: plan.Plan{Requests: 500}, Workers: 2,
		Targets: []Target{{Scheme: linger.SchemeHTTP, Address: host, Host: host, Path: "/"}}}
}

func run(t *testing.T, c Config) tally.Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	r, err := Run(ctx, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	adds(t, r)
	return r
}

// adds holds a run against what its counts are to come to.
func adds(t *testing.T, r tally.Run) {
	t.Helper()
	q, c := r.Requests, r.Connections
	if want := q.Sent + sum(q.Unsent) + q.Waiting; q.Intended != want {
		t.Errorf("%d requests intended, %d sent, unsent and waiting", q.Intended, want)
	}
	if want := q.Answered + sum(q.Failed) + q.Cut; q.Sent != want {
		t.Errorf("%d requests sent, %d answered, failed and cut", q.Sent, want)
	}
	if want := c.Established + sum(c.Failed) + c.Pending; c.Attempted != want {
		t.Errorf("%d connections attempted, %d established, failed and pending", c.Attempted, want)
	}
	if a, b := c.Before+c.Established, sum(c.Closed)+c.Left; a != b {
		t.Errorf("%d connections were open, %d closed and left", a, b)
	}
	if n := r.Latency.Intended.N(); n != q.Answered || r.Latency.With.N()+r.Latency.Without.N() != n || sum(q.Statuses) != n {
		t.Errorf("%d latencies, %d answers", n, q.Answered)
	}
	of := int64(0)
	for _, s := range r.Seconds {
		of += s.Answered
	}
	if of != q.Answered-q.After {
		t.Errorf("%d answers by the second, %d in all", of, q.Answered-q.After)
	}
}

func sum[K comparable](m map[K]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1000)) }
