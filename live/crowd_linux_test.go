package live

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
	"linger/origin"
	"linger/origin/accesslog"
	certificates "linger/origin/authority"
	sockets "linger/origin/listen"
	"linger/policy"
	"linger/trace"
)

// backends are servers of this program's own on loopback, in cleartext and over TLS and QUIC.
type backends struct {
	authority *certificates.Authority
	places    map[string][][]Place // by "tcp", "tls", "quic"
	stop      func()               // and waits for what they write in their logs

	mu     sync.Mutex
	closed []accesslog.Entry // connections that have ended
	from   map[end]int       // requests
}

// An end is a client's end of a connection, as a server knows it: another server may know
// another connection by the same address.
type end struct {
	server int
	remote string
}

func startBackends(t testing.TB, w linger.Workload, n int, p policy.ServerPolicy) *backends {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ca, err := certificates.New(time.Now())
	must(err)
	certificate, err := ca.Certificate("localhost")
	must(err)
	b := &backends{authority: ca, places: map[string][][]Place{}, from: map[end]int{}}
	var servers []*origin.Server
	var running sync.WaitGroup
	for i := range n {
		s, err := origin.New(origin.Config{Workload: w, Policy: p, Certificates: []tls.Certificate{certificate},
			Log: func(e accesslog.Entry) { b.note(i, e) }})
		must(err)
		servers = append(servers, s)
		place := func(kind string, a net.Addr, serve func() error) {
			b.places[kind] = append(b.places[kind], []Place{{Address: a.String(), Host: "localhost"}})
			running.Go(func() { serve() })
		}
		plain, err := sockets.TCP(t.Context(), "127.0.0.1:0", sockets.Options{})
		must(err)
		place("tcp", plain.Addr(), func() error { return s.Serve(t.Context(), plain) })
		secure, err := sockets.TCP(t.Context(), "127.0.0.1:0", sockets.Options{})
		must(err)
		place("tls", secure.Addr(), func() error { return s.ServeTLS(t.Context(), secure) })
		packets, err := sockets.UDP(t.Context(), "127.0.0.1:0")
		must(err)
		place("quic", packets.LocalAddr(), func() error { return s.ServeQUIC(t.Context(), packets) })
	}
	b.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
		defer cancel()
		for _, s := range servers {
			s.Shutdown(ctx)
		}
		running.Wait()
	})
	t.Cleanup(b.stop)
	return b
}

func (b *backends) note(server int, e accesslog.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Event == accesslog.Closed {
		b.closed = append(b.closed, e)
	} else {
		b.from[end{server, e.Remote}]++
	}
}

// config is how clients of so many local addresses reach them.
func (b *backends) config(kind string, locals int) CrowdConfig {
	c := CrowdConfig{Config: Config{Roots: b.authority.Pool(), Verify: true}, Servers: b.places[kind]}
	for i := range locals {
		c.Locals = append(c.Locals, netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)}))
	}
	return c
}

// hosts returns the host of an IP:port.
func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}

// TestRunCrowd has 20 clients visit three times, and holds what the record says of pages,
// connections, addresses and servers against what was planned and what the servers have seen.
func TestRunCrowd(t *testing.T) {
	const clients, visits = 20, 3
	w := linger.Objects(2000, 5, 1000)
	think := linger.Think{Least: 5 * time.Millisecond, Most: 20 * time.Millisecond}
	for _, test := range []struct {
		strategy, scheme, kind string
		backends               int
		balance                linger.Balance
		least, most            int // connections of a client
	}{
		{"close", linger.SchemeHTTP, "tcp", 1, "", visits * 6, visits * 6},
		{"keep", linger.SchemeHTTP, "tcp", 1, "", 1, 1},
		{"keep:6", linger.SchemeHTTP, "tcp", 2, linger.HashBalance, 2, 6},
		{"keep", linger.SchemeHTTPS, "tls", 1, "", 1, 1},
		{"h2", linger.SchemeHTTPS, "tls", 4, linger.LeastConnections, 1, 1},
		{"h3", linger.SchemeHTTPS, "quic", 4, linger.RoundRobin, 1, 1},
		{"close", linger.SchemeHTTP, "tcp", 4, linger.RoundRobin, visits * 6, visits * 6},
	} {
		t.Run(fmt.Sprintf("%s over %s to %d", test.strategy, test.kind, test.backends), func(t *testing.T) {
			w := over(t, w, test.scheme)
			b := startBackends(t, w, test.backends, policy.ServerPolicy{})
			plan := linger.Crowd{Clients: clients, Visits: visits, Think: think, Backends: test.backends, Balance: test.balance, Arrivals: 500}
			s := linger.Scenario{Workload: w, Strategy: strategy(t, test.strategy), Seed: 7}
			got, err := RunCrowd(t.Context(), s, plan, b.config(test.kind, clients))
			if err != nil {
				t.Fatal(err)
			}
			b.stop()
			checkVisits(t, got, plan.Members(7, 0), w, visits)
			checkConnections(t, got, b)
			count := make([]int, clients)
			for _, k := range got.Connections {
				count[k.Client]++
			}
			if slices.Min(count) < test.least || slices.Max(count) > test.most {
				t.Errorf("clients have had %v connections, want %d to %d", count, test.least, test.most)
			}
			if test.balance == linger.RoundRobin {
				servers := make([]int, test.backends)
				for _, k := range got.Connections {
					servers[k.Server]++
				}
				if slices.Max(servers)-slices.Min(servers) > 1 {
					t.Errorf("servers have had %v connections", servers)
				}
			}
			if test.balance == linger.HashBalance {
				of := map[int]int{}
				for _, k := range got.Connections {
					if before, ok := of[k.Client]; ok && before != k.Server {
						t.Errorf("client %d is at servers %d and %d", k.Client, before, k.Server)
					}
					of[k.Client] = k.Server
				}
			}
		})
	}
}

// checkVisits holds each page against the plan.
func checkVisits(t *testing.T, got *trace.Crowd, members []linger.Member, w linger.Workload, visits int) {
	t.Helper()
	last := make([]trace.Visit, len(members))
	count := make([]int, len(members))
	for _, v := range got.Visits {
		m := members[v.Client]
		wanted, more := m.Arrives, true
		if v.Number > 0 {
			wanted, more = m.Next(v.Number, last[v.Client].Done.Or(linger.Never))
		}
		done, ok := v.Done.Get()
		if v.Number != count[v.Client] || !more || v.Wanted != wanted || !ok || done < wanted || done > got.Ended {
			t.Errorf("visit %d of client %d, wanted %v and done %v; want it at %v", v.Number, v.Client, v.Wanted, v.Done, wanted)
		}
		if v.Requests != len(w.Exchanges) || v.Bytes != w.Bytes() || v.Failed > 0 {
			t.Errorf("visit %d of client %d has %d requests, %d bytes, %d failed: %s", v.Number, v.Client, v.Requests, v.Bytes, v.Failed, v.Why)
		}
		last[v.Client] = v
		count[v.Client]++
	}
	if slices.Min(count) != visits || slices.Max(count) != visits {
		t.Errorf("clients have made %v visits, want %d", count, visits)
	}
	if got.Interrupted || got.Overrun || got.Client.IsZero() {
		t.Errorf("interrupted %v, overrun %v, CPU %v", got.Interrupted, got.Overrun, got.Client)
	}
}

// checkConnections holds what each connection has carried, and whose it is, against what the
// servers have seen.
func checkConnections(t *testing.T, got *trace.Crowd, b *backends) {
	t.Helper()
	dialled, requests := 0, 0
	for _, v := range got.Visits {
		dialled += v.Dialled
	}
	if dialled != len(got.Connections) {
		t.Errorf("pages tell of %d connections, %d are there", dialled, len(got.Connections))
	}
	for _, k := range got.Connections {
		requests += k.Requests
		if want := fmt.Sprintf("127.0.1.%d", k.Client+1); hostOf(k.Local) != want {
			t.Errorf("a connection of client %d comes from %s, want %s", k.Client, k.Local, want)
		}
		if seen := b.from[end{k.Server, k.Local}]; k.Requests != seen {
			t.Errorf("%s has had %d answers, its server counts %d", k.Local, k.Requests, seen)
		}
		established, closed := k.Established.Or(linger.Never), k.Closed.Or(-1)
		if established < k.Dialled || closed < established || k.ClosedBy == trace.Nobody || k.Reason == "" {
			t.Errorf("dialled %v, established %v, closed %v by %v: %q", k.Dialled, k.Established, k.Closed, k.ClosedBy, k.Reason)
		}
	}
	// One that was never used may have gone before the server took it in.
	used := 0
	for _, k := range got.Connections {
		if k.Requests > 0 {
			used++
		}
	}
	if n := len(b.closed); n < used || n > len(got.Connections) {
		t.Errorf("servers have had %d connections, we %d, of which %d had an answer", n, len(got.Connections), used)
	}
	served := 0
	for _, seconds := range got.Served {
		for _, n := range seconds {
			served += n
		}
	}
	if served != requests {
		t.Errorf("servers have answered %d requests, connections carried %d", served, requests)
	}
}

// TestRunCrowdIdle has a server close between visits: each visit has a connection of its own, and
// none fails.
func TestRunCrowdIdle(t *testing.T) {
	w := over(t, linger.Objects(2000, 2, 1000), linger.SchemeHTTP)
	b := startBackends(t, w, 1, policy.ServerPolicy{IdleTimeout: 20 * time.Millisecond})
	plan := linger.Crowd{Clients: 5, Visits: 3, Think: linger.Think{Least: 150 * time.Millisecond}}
	got, err := RunCrowd(t.Context(), linger.Scenario{Workload: w, Strategy: strategy(t, "keep")}, plan, b.config("tcp", 5))
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	checkVisits(t, got, plan.Members(0, 0), w, 3)
	checkConnections(t, got, b)
	atServer := 0
	for _, k := range got.Connections {
		if k.ClosedBy == trace.AtServer {
			atServer++
		}
	}
	if len(got.Connections) < 15 || atServer < 10 {
		t.Errorf("%d connections, %d of them closed by the server; want 15 and 10 at least", len(got.Connections), atServer)
	}
}

// TestRunCrowdMix has two strategies in one crowd, in turn.
func TestRunCrowdMix(t *testing.T) {
	w := over(t, linger.Objects(2000, 5, 1000), linger.SchemeHTTP)
	b := startBackends(t, w, 1, policy.ServerPolicy{})
	mix, err := linger.ParseMix("close=1,keep=3")
	if err != nil {
		t.Fatal(err)
	}
	plan := linger.Crowd{Clients: 8, Visits: 2, Mix: mix}
	got, err := RunCrowd(t.Context(), linger.Scenario{Workload: w}, plan, b.config("tcp", 8))
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	checkVisits(t, got, plan.Members(0, 0), w, 2)
	checkConnections(t, got, b)
	shares := map[int]int{}
	for _, v := range got.Visits {
		shares[v.Share] += v.Dialled
	}
	if got.Strategy != "close=1,keep=3" || shares[0] != 2*12 || shares[1] != 6 {
		t.Errorf("%s: connections by share %v, want 24 and 6", got.Strategy, shares)
	}
}

// TestRunCrowdAdds has one server more after a while: it has no connection before.
func TestRunCrowdAdds(t *testing.T) {
	w := over(t, linger.Objects(1000, 0, 0), linger.SchemeHTTP)
	b := startBackends(t, w, 3, policy.ServerPolicy{})
	plan := linger.Crowd{Clients: 6, Visits: 20, Think: linger.Think{Least: 10 * time.Millisecond}, Backends: 2, AddAt: 100 * time.Millisecond}
	got, err := RunCrowd(t.Context(), linger.Scenario{Workload: w, Strategy: strategy(t, "close")}, plan, b.config("tcp", 0))
	if err != nil {
		t.Fatal(err)
	}
	before, after := make([]int, 3), make([]int, 3)
	for _, k := range got.Connections {
		if k.Dialled < linger.Instant(plan.AddAt) {
			before[k.Server]++
		} else {
			after[k.Server]++
		}
	}
	if before[2] > 0 || slices.Max(after)-slices.Min(after) > 1 {
		t.Errorf("servers have had %v connections before, %v after one was added", before, after)
	}
}

// TestRunCrowdStops has what never answers: a run that is stopped, or is at its bound, tells what
// was wanted until then.
func TestRunCrowdStops(t *testing.T) {
	w := over(t, linger.Objects(1000, 1, 1000), linger.SchemeHTTP)
	silent := listen(t, func(_ int, c net.Conn) { <-t.Context().Done() })
	config := CrowdConfig{Config: Config{}, Servers: [][]Place{{{Address: silent, Host: "localhost"}}}}
	s := linger.Scenario{Workload: w, Strategy: strategy(t, "keep")}
	for _, test := range []struct {
		name        string
		plan        linger.Crowd
		bound       linger.Bound
		cut         bool // by the caller
		least, most int  // pages
	}{
		{"by the caller", linger.Crowd{Clients: 4, Visits: 2}, linger.Bound{}, true, 4, 4},
		{"after so long", linger.Crowd{Clients: 4, Visits: 2}, linger.Bound{Longest: 50 * time.Millisecond}, false, 4, 4},
		{"at so many pages", linger.Crowd{Clients: 50, Visits: 1, Arrivals: 200}, linger.Bound{Pages: 5}, false, 6, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cut {
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			config.Bound = test.bound
			got, err := RunCrowd(ctx, s, test.plan, config)
			if err != nil {
				t.Fatal(err)
			}
			if got.Interrupted != test.cut || got.Overrun == test.cut || got.Ended == 0 {
				t.Errorf("interrupted %v, overrun %v, ended %v", got.Interrupted, got.Overrun, got.Ended)
			}
			if n := len(got.Visits); n < test.least || n > test.most || n != len(got.Connections) {
				t.Errorf("%d pages, %d connections; want %d to %d", n, len(got.Connections), test.least, test.most)
			}
			for _, v := range got.Visits {
				if !v.Done.IsZero() || v.Requests > 0 {
					t.Errorf("%+v is done", v)
				}
			}
		})
	}
}

// TestRunCrowdEarly has clients that have been at each server before: their requests go as early
// data, each with a ticket of its own.
func TestRunCrowdEarly(t *testing.T) {
	w := over(t, linger.Objects(1000, 2, 1000), linger.SchemeHTTPS)
	b := startBackends(t, w, 2, policy.ServerPolicy{})
	plan := linger.Crowd{Clients: 20, Visits: 2, Backends: 2, Think: linger.Think{Least: time.Millisecond}}
	got, err := RunCrowd(t.Context(), linger.Scenario{Workload: w, Strategy: strategy(t, "h3+0rtt")}, plan, b.config("quic", 20))
	if err != nil {
		t.Fatal(err)
	}
	checkVisits(t, got, plan.Members(0, 0), w, 2)
	if len(got.Connections) != 20 || len(got.Notes) > 0 {
		t.Errorf("%d connections, notes %q", len(got.Connections), got.Notes)
	}
}

// TestRunCrowdUploads has clients send content on each visit, on the connection of the one before.
func TestRunCrowdUploads(t *testing.T) {
	w := linger.Workload{Name: "post", Scheme: linger.SchemeHTTP, Exchanges: []linger.Exchange{
		{Method: "POST", Path: "/", Status: 200, RequestBody: 1 << 20, ResponseBody: 100, Parent: linger.NoParent}}}
	b := startBackends(t, w, 1, policy.ServerPolicy{})
	for name, kind := range map[string]string{"keep": "tcp", "h2": "tcp", "h3": "quic"} {
		w := over(t, w, map[string]string{"tcp": linger.SchemeHTTP, "quic": linger.SchemeHTTPS}[kind])
		plan := linger.Crowd{Clients: 4, Visits: 5}
		got, err := RunCrowd(t.Context(), linger.Scenario{Workload: w, Strategy: strategy(t, name)}, plan, b.config(kind, 4))
		if err != nil {
			t.Fatal(err)
		}
		checkVisits(t, got, plan.Members(0, 0), w, 5)
	}
}

// TestRunCrowdLeavesNothing counts goroutines and files after a run and after one that was stopped.
func TestRunCrowdLeavesNothing(t *testing.T) {
	w := over(t, linger.Objects(2000, 5, 1000), linger.SchemeHTTP)
	b := startBackends(t, w, 2, policy.ServerPolicy{})
	s := linger.Scenario{Workload: w, Strategy: strategy(t, "keep:6")}
	plan := linger.Crowd{Clients: 10, Duration: 200 * time.Millisecond, Think: linger.Think{Least: time.Millisecond, Random: true}, Backends: 2}
	goroutines, files := 0, 0
	for n, stop := range []time.Duration{time.Minute, time.Minute, 50 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), stop)
		got, err := RunCrowd(ctx, s, plan, b.config("tcp", 10))
		cancel()
		if err != nil || got.Interrupted != (stop < plan.Duration) || len(got.Visits) < 10 {
			t.Fatalf("%v: %+v", err, got)
		}
		if n == 0 { // servers have begun all that they do, and let go of connections
			time.Sleep(100 * time.Millisecond)
			goroutines, files = runtime.NumGoroutine(), openFiles()
		}
		for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines || openFiles() > files; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) { // the servers' side of them takes a moment
				t.Fatalf("%d goroutines and %d files, %d and %d before", runtime.NumGoroutine(), openFiles(), goroutines, files)
			}
		}
	}
}

func TestRunCrowdRefuses(t *testing.T) {
	w := linger.Objects(1000, 1, 1000)
	place := []Place{{Address: "127.0.0.1:1", Host: "localhost"}}
	for _, test := range []struct {
		name     string
		strategy string
		plan     linger.Crowd
		servers  [][]Place
		want     string
	}{
		{"nobody", "keep", linger.Crowd{Visits: 1}, [][]Place{place}, "a crowd of 0 clients"},
		{"servers that are not named", "keep", linger.Crowd{Clients: 1, Visits: 1, Backends: 2}, [][]Place{place}, "the places of 1 are given"},
		{"origins that are not named", "keep", linger.Crowd{Clients: 1, Visits: 1}, [][]Place{{}}, "0 places are given"},
		{"a strategy of DNS", "udp", linger.Crowd{Clients: 1, Visits: 1}, [][]Place{place}, "udp"},
	} {
		s := linger.Scenario{Workload: w, Strategy: strategy(t, test.strategy)}
		if _, err := RunCrowd(t.Context(), s, test.plan, CrowdConfig{Servers: test.servers}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// BenchmarkCrowd says what a page of 41 objects costs the process of the clients and the servers,
// beside a client by itself.
func BenchmarkCrowd(b *testing.B) {
	w := over(b, linger.Gallery(1), linger.SchemeHTTP)
	for _, name := range []string{"keep:6", "close:6", "h2"} {
		servers := startBackends(b, w, 1, policy.ServerPolicy{})
		s := linger.Scenario{Workload: w, Strategy: strategy(b, name)}
		pages := func(b *testing.B, n int, load func()) {
			before := cpu().Or(0)
			load()
			b.ReportMetric(float64((cpu().Or(0)-before).Microseconds())/float64(n), "µs-CPU/page")
			b.ReportMetric(0, "ns/op")
		}
		for _, verify := range []bool{true, false} {
			config := servers.config("tcp", 50)
			config.Verify = verify
			b.Run(fmt.Sprintf("%s,verify=%v/alone", name, verify), func(b *testing.B) {
				alone := config.Config
				alone.Places = config.Servers[0]
				pages(b, b.N, func() {
					for range b.N {
						if _, err := Run(b.Context(), s, alone); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
			b.Run(fmt.Sprintf("%s,verify=%v/crowd", name, verify), func(b *testing.B) {
				plan := linger.Crowd{Clients: 50, Visits: max(1, b.N/50)}
				pages(b, plan.Clients*plan.Visits, func() {
					if _, err := RunCrowd(b.Context(), s, plan, config); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
	}
}
