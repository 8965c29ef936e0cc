package sim

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/policy"
	"linger/sim/tcp"
	"linger/trace"
)

func predictCrowd(t testing.TB, s linger.Scenario, plan linger.Crowd, c Config) *trace.Crowd {
	t.Helper()
	r, err := RunCrowd(t.Context(), s, plan, c)
	if err != nil {
		t.Fatalf("%s: %v", s.Strategy.Name, err)
	}
	return r
}

// Many clients with 60 s between pages: what a load costs where most connections are idle.
func BenchmarkCrowd(b *testing.B) {
	for _, x := range []struct {
		strategy, scheme string
		clients          int
	}{{"keep", "http", 100}, {"keep", "http", 10_000}, {"close", "http", 10_000}, {"h2", "https", 10_000}, {"h3", "https", 10_000}} {
		b.Run(fmt.Sprintf("%s/%d", x.strategy, x.clients), func(b *testing.B) {
			s := scenario(b, over(b, linger.Objects(10_000, 0, 0), x.scheme), x.strategy, symmetric(50*time.Millisecond, 20*linger.Mbps, 0))
			plan := linger.Crowd{Clients: x.clients, Arrivals: float64(x.clients) / 60, Think: linger.Think{Least: time.Minute, Random: true}, Duration: 10 * time.Minute}
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			loads, conns := 0, 0
			for b.Loop() {
				r := predictCrowd(b, s, plan, plain)
				loads += len(r.Visits)
				conns += len(r.Connections)
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(loads)/b.Elapsed().Seconds(), "loads/s")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(conns), "B/conn")
		})
	}
}

// page is a workload of one small object.
func page(t testing.TB, scheme string) linger.Workload {
	return over(t, linger.Objects(1200, 0, 0), scheme)
}

const ms = linger.Instant(time.Millisecond)

// A crowd of one is a run by itself.
func TestACrowdOfOneIsARun(t *testing.T) {
	every(t, func(t *testing.T, s linger.Scenario) {
		if s.Network.RTT == 300*time.Millisecond { // enough are left
			return
		}
		one := predict(t, s, plain)
		many := predictCrowd(t, s, linger.Crowd{Clients: 1, Visits: 1}, plain)
		at := fmt.Sprintf("%s, %s over %s, %v", s.Workload.Name, s.Strategy.Name, s.Workload.Scheme, s.Network)
		if len(many.Visits) != 1 || many.Visits[0].Done != linger.Known(one.Ended) || many.Ended != one.Ended {
			t.Errorf("%s: %+v, ended %v, by itself %v", at, many.Visits, many.Ended, one.Ended)
			return
		}
		if len(many.Connections) != len(one.Connections) || many.Visits[0].Dialled != len(one.Connections) {
			t.Errorf("%s: %d connections, by itself %d", at, len(many.Connections), len(one.Connections))
			return
		}
		for i, k := range many.Connections {
			o := one.Connections[i]
			if k.Dialled != o.Dialled || k.Closed != o.Closed || k.ClosedBy != o.ClosedBy || k.Reason != o.Reason || k.Requests != o.Requests {
				t.Errorf("%s: connection %d: %+v, by itself %+v", at, i, k, o)
			}
		}
	})
}

// Twenty workers that a kept connection holds, and 50 clients with 5 s between pages: who is
// not among the first waits until they have gone.
func TestWhoWaitsForAWorker(t *testing.T) {
	const rtt = 100 * time.Millisecond
	plan := linger.Crowd{Clients: 50, Visits: 4, Think: linger.Think{Least: 5 * time.Second}}
	for _, x := range []struct {
		strategy string
		idle     time.Duration
		takes    [3]linger.Instant // the first page of clients 0, 20 and 40
		peak     int               // in the accept queue
	}{
		// Accepted at 150 ms, and at the server again 4 pages and 3 times 5 s later, when FIN
		// has come: 15.55 s, then 30.95 s.
		{"keep", 0, [3]linger.Instant{200 * ms, 15_600 * ms, 31_000 * ms}, 30},
		{"keep", 15 * time.Second, [3]linger.Instant{200 * ms, 15_600 * ms, 31_000 * ms}, 30},
		// FIN after a second, and the client's a round trip later.
		{"keep", time.Second, [3]linger.Instant{200 * ms, 1300 * ms, 2400 * ms}, 30},
		{"close", 15 * time.Second, [3]linger.Instant{200 * ms, 300 * ms, 400 * ms}, 30},
	} {
		c := plain
		c.Policy.IdleTimeout, c.Capacity.Workers = x.idle, 20
		r := predictCrowd(t, scenario(t, page(t, "http"), x.strategy, symmetric(rtt, 0, 0)), plan, c)
		if len(r.Visits) != 200 {
			t.Fatalf("%s: %d pages", x.strategy, len(r.Visits))
		}
		for _, v := range r.Visits {
			if v.Failed > 0 {
				t.Errorf("%s: %+v", x.strategy, v)
			}
			if v.Number == 0 {
				if got := v.Done.Or(0); got != x.takes[v.Client/20] {
					t.Errorf("%s, idle for %v: client %d has its first page after %v, want %v", x.strategy, x.idle, v.Client, time.Duration(got), time.Duration(x.takes[v.Client/20]))
				}
			}
		}
		peak := 0
		for _, s := range r.Samples {
			peak = max(peak, s.Server.Waiting.Or(0))
			if s.Server.Taken.Or(0) > 20 {
				t.Errorf("%s: %d workers", x.strategy, s.Server.Taken.Or(0))
			}
		}
		if peak != x.peak {
			t.Errorf("%s: at most %d wait, want %d", x.strategy, peak, x.peak)
		}
	}
}

// crowds calls f with crowds of many kinds, with a server that has little room.
func crowds(t *testing.T, f func(at string, s linger.Scenario, plan linger.Crowd, c Config)) {
	gallery := linger.Gallery(1)
	gallery.Exchanges = gallery.Exchanges[:8]
	names, dns := lookups(4)
	for _, strategy := range []string{"close", "close:6", "keep", "keep:6", "keep:2+resume", "pipeline", "h2", "h3", "h3+resume", "h3+0rtt", "udp", "tcp", "dot+pipeline", "doh+keep", "doh3", "doq+keep"} {
		for i, capacity := range []policy.Capacity{{}, {Workers: 3}, {MaxConnections: 4, WhenFull: policy.FullCloseIdle}, {MaxConnections: 9, WhenFull: policy.FullRefuse}, {Workers: 5, Backlog: 2, Service: time.Millisecond, Cores: 2}} {
			c := plain
			c.Capacity = capacity
			c.Policy.IdleTimeout = time.Duration(i) * time.Second
			s := scenario(t, gallery, strategy, symmetric(30*time.Millisecond, 10*linger.Mbps, float64(i%2)*0.01))
			if s.Strategy.DNS != "" {
				s.Workload, c.Messages = names, dns.Messages
			}
			plan := linger.Crowd{Clients: 12, Arrivals: 5 * float64(i%3), Visits: 3, Think: linger.Think{Least: time.Second, Random: true},
				Backends: 1 + i%3, Balance: linger.Balances[i%4], Shared: i%2 == 1}
			if i > 2 {
				plan.RestartAt, plan.AddAt = 1500*time.Millisecond, time.Second
			}
			f(fmt.Sprintf("%s, %+v", strategy, capacity), s, plan, c)
		}
	}
}

// Whatever a server has room for, each page comes to its end, and nothing is held at the end.
func TestCrowdsComeToTheirEnd(t *testing.T) {
	crowds(t, func(at string, s linger.Scenario, plan linger.Crowd, c Config) {
		w, err := newCrowd(s, plan, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.run(t.Context()); err != nil {
			t.Errorf("%s: %v", at, err)
			return
		}
		for _, p := range w.parties {
			if len(p.conns) > 0 || p.first != w.countOf(p) {
				t.Errorf("%s: client %d has %d connections at the end", at, p.number, len(p.conns))
			}
		}
		if w.clients.sockets != 0 {
			t.Errorf("%s: the clients hold %d sockets at the end", at, w.clients.sockets)
		}
		for _, b := range w.backends {
			if b.tally.sockets != 0 || b.gate.Taken() != 0 || b.gate.Busy() != 0 || b.queue.len() != 0 || len(b.taken) != 0 {
				t.Errorf("%s: server %d holds %d sockets, %d taken, %d busy, %d waiting", at, b.number, b.tally.sockets, b.gate.Taken(), b.gate.Busy(), b.queue.len())
			}
		}
		w.crowd.close()
		r := w.crowd.record
		if len(r.Visits) != plan.Clients*plan.Visits {
			t.Errorf("%s: %d pages", at, len(r.Visits))
		}
		requests, served, carried := 0, 0, 0
		for _, v := range r.Visits {
			requests += v.Requests
			if v.Requests+v.Failed != len(s.Workload.Exchanges) || v.Failed > 0 && c.Capacity.WhenFull != policy.FullRefuse && s.Network.Loss == 0 {
				t.Errorf("%s: %+v", at, v)
			}
		}
		for _, k := range r.Connections {
			carried += k.Requests
			if k.Closed.IsZero() || k.ClosedBy == trace.Nobody {
				t.Errorf("%s: %+v", at, k)
			}
		}
		for _, seconds := range r.Served {
			for _, n := range seconds {
				served += n
			}
		}
		if requests != served || requests != carried {
			t.Errorf("%s: %d requests of pages, %d of servers, %d of connections", at, requests, served, carried)
		}
		w.recycle()
	})
}

func (w *world) countOf(p *party) (n int) {
	for _, k := range w.crowd.record.Connections {
		if k.Client == p.number {
			n++
		}
	}
	return n
}

// steady returns the mean of what samples between two instants say.
func steady(r *trace.Crowd, from, to time.Duration, of func(trace.CrowdSample) int) float64 {
	sum, n := 0, 0
	for _, s := range r.Samples {
		if s.At >= linger.Instant(from) && s.At < linger.Instant(to) {
			sum += of(s)
			n++
		}
	}
	return float64(sum) / float64(n)
}

func within(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*want {
		t.Errorf("%s: %.4g, want %.4g", what, got, want)
	}
}

// What a server holds is what comes a second, times how long it is held (Little 1961): L = λ W.
func TestLittlesLaw(t *testing.T) {
	const rtt, from, to = 80 * time.Millisecond, 20 * time.Second, 110 * time.Second
	plan := linger.Crowd{Clients: 3600, Arrivals: 30, Visits: 2, Think: linger.Think{Least: 2 * time.Second, Random: true}}
	for _, strategy := range []string{"keep:2", "h2"} {
		for _, workers := range []int{0, 150} {
			c := plain
			c.Policy.IdleTimeout, c.Capacity.Workers = 3*time.Second, workers
			r := predictCrowd(t, scenario(t, page(t, "http"), strategy, symmetric(rtt, 10*linger.Mbps, 0)), plan, c)
			var n, held float64
			for _, k := range r.Connections {
				// Whoever closes, FIN of both has come to the server half a round trip after the
				// client saw or made the end.
				if at := k.Accepted.Or(0); at >= linger.Instant(from) && at < linger.Instant(to) {
					n++
					held += k.Closed.Or(0).Sub(at).Seconds() + (rtt / 2).Seconds()
				}
			}
			within(t, fmt.Sprintf("%s, %d workers: L against λ W", strategy, workers),
				steady(r, from, to, func(s trace.CrowdSample) int { return s.Server.Taken.Or(0) }), held/(to-from).Seconds(), 0.01)
			if n < 2000 {
				t.Errorf("%s: %g connections", strategy, n)
			}
		}
	}
}

// Requests that come at random to cores that serve each in the same time wait as theory has
// it: Pollaczek and Khinchine for one core, Cosmetatos' approximation (1975) for several.
func TestQueueBeforeTheCores(t *testing.T) {
	const rtt, service = 20 * time.Millisecond, 10 * time.Millisecond
	for _, x := range []struct {
		cores int
		load  float64 // of each
	}{{1, 0.6}, {2, 0.7}, {4, 0.7}} {
		c := plain
		c.Capacity.Service, c.Capacity.Cores = service, x.cores
		n := float64(x.cores)
		plan := linger.Crowd{Clients: 30_000, Arrivals: x.load * n / service.Seconds(), Visits: 1, Shared: true}
		r := predictCrowd(t, scenario(t, page(t, "http"), "close", symmetric(rtt, 0, 0)), plan, c)
		var waited float64
		for _, v := range r.Visits {
			waited += v.Done.Or(0).Sub(v.Wanted+linger.Instant(2*rtt+service)).Seconds() / float64(len(r.Visits))
		}
		// M/M/c by Erlang's formula, for the load that has come.
		load := float64(len(r.Visits)) * service.Seconds() / r.Visits[len(r.Visits)-1].Wanted.Sub(0).Seconds() / n
		offered, term, sum := load*n, 1.0, 0.0
		for i := range x.cores {
			sum += term
			term *= offered / float64(i+1)
		}
		erlang := term / (1 - load) / (sum + term/(1-load))
		mmc := erlang * service.Seconds() / (n * (1 - load))
		want := mmc / 2 * (1 + (1-load)*(n-1)*(math.Sqrt(4+5*n)-2)/(16*load*n))
		within(t, fmt.Sprintf("%d cores, %g busy: the wait", x.cores, x.load), waited, want, 0.03)
	}
}

// Behind one bottleneck each connection has its share, and a client as many as it has
// connections. Which packets a full queue drops differs from path to path; the mean is of several.
func TestSharesOfABottleneck(t *testing.T) {
	for _, x := range []struct {
		congestion  tcp.Congestion
		mix         string
		least, most float64
	}{{tcp.CUBIC, "keep=1,keep:6=1", 5, 7}, {tcp.Reno, "keep=1,keep:6=1", 5, 7}, {tcp.CUBIC, "h2=1,keep:6=1", 5, 7}, {tcp.CUBIC, "keep:6=1,close:6=1", 0.85, 1.15}} {
		c := plain
		c.Congestion, c.Events = x.congestion, 250_000
		mix, err := linger.ParseMix(x.mix)
		if err != nil {
			t.Fatal(err)
		}
		sum, n := 0.0, 0.0
		for rtt := 20 * time.Millisecond; rtt <= 100*time.Millisecond; rtt += 40 * time.Millisecond {
			s := scenario(t, linger.Objects(1200, 6, 500_000_000), "keep", symmetric(rtt, 20*linger.Mbps, 0))
			w, err := newCrowd(s, linger.Crowd{Clients: 2, Visits: 1, Mix: mix, Shared: true}, c)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.run(t.Context()); err == nil {
				t.Fatal("it came to an end; take larger objects")
			}
			var got [2]float64
			for i, p := range w.parties {
				for _, k := range p.conns {
					got[i] += float64(k.flows.Down.Payload)
				}
			}
			sum += math.Log(got[1] / got[0])
			n++
			w.recycle()
		}
		ratio := math.Exp(sum / n)
		if ratio < x.least || ratio > x.most {
			t.Errorf("%s, congestion control %d: shares of 1 to %.2f", x.mix, x.congestion, ratio)
		}
	}
}

// A full accept queue has the kernel drop SYNs and what would end a handshake: both come again.
func TestBacklogOverflow(t *testing.T) {
	const rtt = 100 * time.Millisecond
	c := plain
	c.Capacity = policy.Capacity{Workers: 1, Backlog: 1}
	s := scenario(t, page(t, "http"), "keep", symmetric(rtt, 0, 0))
	// At one moment: all SYNs find the queue empty, the first is taken and two wait.
	r := predictCrowd(t, s, linger.Crowd{Clients: 5, Visits: 2, Think: linger.Think{Least: 1900 * time.Millisecond}}, c)
	var first []time.Duration
	for _, v := range r.Visits {
		if v.Number == 0 {
			first = append(first, time.Duration(v.Done.Or(0)))
		}
		if v.Failed > 0 {
			t.Errorf("%+v", v)
		}
	}
	// A worker is held from the accept for 2.1 s: half a round trip until the page is there,
	// 1.9 s, the next page, and half a round trip for FIN, less what the last two share.
	if first[0] != 200*time.Millisecond || first[1] != 2300*time.Millisecond || first[2] != 4400*time.Millisecond {
		t.Errorf("first pages after %v", first)
	}
	for _, sample := range r.Samples {
		if n := sample.Server.Waiting.Or(0); n > 2 {
			t.Errorf("%d wait", n)
		}
	}
	// One after the other: the SYN of who finds the queue full comes again after a second, and
	// on until there is room.
	r = predictCrowd(t, s, linger.Crowd{Clients: 20, Arrivals: 20, Visits: 2, Think: linger.Think{Least: 1900 * time.Millisecond}}, c)
	again := 0
	for _, k := range r.Connections {
		took, ok := k.Established.Get()
		if !ok {
			continue // not within the time that a client has
		}
		d := took.Sub(k.Dialled) - rtt
		if d > 0 {
			again++
		}
		// Its timer is in the kernel's wheel, a little late each time.
		if seconds := d.Round(time.Second); (d - seconds).Abs() > seconds/32 {
			t.Errorf("a handshake takes %v more than a round trip", d)
		}
	}
	if again < 5 {
		t.Errorf("%d SYNs came again", again)
	}
}

// Where more handshakes are under way than the backlog allows, SYNs are answered by cookies: the
// server takes a connection only with its first request, and does not wait for one in vain.
func TestCookies(t *testing.T) {
	c := plain
	c.Capacity = policy.Capacity{Workers: 2, Backlog: 4}
	c.Policy.IdleTimeout = 500 * time.Millisecond
	w, err := newCrowd(scenario(t, page(t, "http"), "keep", symmetric(50*time.Millisecond, 0, 0)), linger.Crowd{Clients: 30, Visits: 2, Think: linger.Think{Least: time.Second}}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer w.recycle()
	if err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.crowd.close()
	if b := w.backends[0]; b.half != 0 || b.tally.sockets != 0 {
		t.Errorf("%d handshakes and %d sockets at the end", b.half, b.tally.sockets)
	}
	peak := 0
	for _, s := range w.crowd.record.Samples {
		peak = max(peak, s.Server.Sockets)
	}
	// Two with a worker, five in the accept queue, and five in handshakes.
	if peak > 12 {
		t.Errorf("the server holds %d sockets", peak)
	}
	for _, v := range w.crowd.record.Visits {
		if v.Failed > 0 {
			t.Errorf("%+v", v)
		}
	}
}

// A server that begins anew ends all of its connections, and the clients come back.
func TestARestart(t *testing.T) {
	const rtt = 50 * time.Millisecond
	for _, strategy := range []string{"keep", "h2", "h3"} {
		scheme := map[bool]string{true: "https", false: "http"}[strategy == "h3"]
		plan := linger.Crowd{Clients: 100, Arrivals: 100, Visits: 4, Think: linger.Think{Least: 10 * time.Second}, Backends: 2, RestartAt: 5 * time.Second}
		r := predictCrowd(t, scenario(t, page(t, scheme), strategy, symmetric(rtt, 0, 0)), plan, plain)
		var before, after [2]int
		for _, s := range r.Samples {
			for i := range before {
				switch s.At {
				case linger.Instant(4900 * time.Millisecond):
					before[i] = s.Servers[i].Taken.Or(-1)
				case linger.Instant(5200 * time.Millisecond):
					after[i] = s.Servers[i].Taken.Or(-1)
				}
			}
		}
		if before != [2]int{50, 50} || after != [2]int{0, 50} {
			t.Errorf("%s: %v connections before, %v after", strategy, before, after)
		}
		ended := 0
		for _, k := range r.Connections {
			if at := linger.Instant(5*time.Second + rtt/2); k.Closed.Or(0) == at {
				ended++
			}
		}
		if ended != 50 || len(r.Connections) != 150 {
			t.Errorf("%s: %d of %d connections ended with the server", strategy, ended, len(r.Connections))
		}
		for _, v := range r.Visits {
			if v.Failed > 0 {
				t.Errorf("%s: %+v", strategy, v)
			}
		}
	}
}

// A server that is added has nothing from clients that keep their connections, and its share
// from those that do not.
func TestAServerIsAdded(t *testing.T) {
	for _, x := range []struct {
		strategy string
		policy   policy.ServerPolicy
		least    float64 // of the requests from 10 s after it came
		most     float64
	}{{"close", policy.ServerPolicy{}, 0.19, 0.21}, {"keep", policy.ServerPolicy{}, 0, 0}, {"keep", policy.ServerPolicy{MaxAge: 10 * time.Second}, 0.17, 0.23}} {
		c := plain
		c.Policy = x.policy
		plan := linger.Crowd{Clients: 200, Arrivals: 100, Think: linger.Think{Least: time.Second}, Duration: time.Minute, Backends: 4, AddAt: 20 * time.Second}
		r := predictCrowd(t, scenario(t, page(t, "http"), x.strategy, symmetric(20*time.Millisecond, 0, 0)), plan, c)
		all, added := 0, 0
		for server, seconds := range r.Served {
			for second, n := range seconds {
				if second >= 30 {
					all += n
					if server == 4 {
						added += n
					}
				}
			}
		}
		if share := float64(added) / float64(all); share < x.least || share > x.most {
			t.Errorf("%s, %+v: the new server has %.3f of the requests", x.strategy, x.policy, share)
		}
	}
}

// Ten thousand clients for ten minutes: every page comes, and no connection is kept that is
// over.
func TestTenThousandClients(t *testing.T) {
	testall.Long(t, "some seconds")
	for _, strategy := range []string{"keep", "close", "h2", "h3"} {
		c := plain
		c.Policy.IdleTimeout = 75 * time.Second
		scheme := map[bool]string{true: "https", false: "http"}[strategy == "h3"]
		s := scenario(t, over(t, linger.Objects(10_000, 0, 0), scheme), strategy, symmetric(50*time.Millisecond, 20*linger.Mbps, 0))
		plan := linger.Crowd{Clients: 10_000, Arrivals: 1000, Think: linger.Think{Least: time.Minute, Random: true}, Duration: 10 * time.Minute}
		w, err := newCrowd(s, plan, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, p := range w.parties {
			if len(p.conns) > 0 {
				t.Fatalf("%s: client %d keeps %d connections that are over", strategy, p.number, len(p.conns))
			}
		}
		w.crowd.close()
		r := w.crowd.record
		if n := len(r.Visits); n < 100_000 || n > 115_000 || r.Overrun {
			t.Errorf("%s: %d pages, overrun %v", strategy, n, r.Overrun)
		}
		for _, v := range r.Visits {
			if v.Failed > 0 || v.Done.IsZero() {
				t.Fatalf("%s: %+v", strategy, v)
			}
		}
		w.recycle()
	}
}

// A crowd that is stopped has what was done until then.
func TestStoppedCrowds(t *testing.T) {
	s := scenario(t, page(t, "http"), "keep", symmetric(20*time.Millisecond, 0, 0))
	plan := linger.Crowd{Clients: 50, Think: linger.Think{Least: time.Second}, Duration: time.Hour}
	c := plain
	c.Events = 100_000
	r := predictCrowd(t, s, plan, c)
	done := 0
	for _, v := range r.Visits {
		if !v.Done.IsZero() {
			done++
		}
	}
	if !r.Overrun || r.Interrupted || done < 5000 || len(r.Connections) != 50 || r.Connections[0].Requests < 100 || r.Ended == 0 {
		t.Errorf("overrun %v, interrupted %v, %d pages done, %d connections, ended %v", r.Overrun, r.Interrupted, done, len(r.Connections), r.Ended)
	}
	// One core serves ten requests a second, and 50 come.
	c = plain
	c.Capacity.Service = 100 * time.Millisecond
	c.Bound.Pages = 100
	r = predictCrowd(t, s, linger.Crowd{Clients: 10_000, Arrivals: 50, Visits: 1}, c)
	waiting := 0
	for _, v := range r.Visits {
		if v.Done.IsZero() {
			waiting++
		}
	}
	if !r.Overrun || waiting != 101 || r.Ended > linger.Instant(5*time.Second) {
		t.Errorf("overrun %v, %d pages wait, ended %v", r.Overrun, waiting, time.Duration(r.Ended))
	}
	c.Bound = linger.Bound{Longest: 10 * time.Second}
	if r = predictCrowd(t, s, plan, c); !r.Overrun || r.Ended > linger.Instant(10*time.Second) {
		t.Errorf("overrun %v, ended %v", r.Overrun, time.Duration(r.Ended))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := RunCrowd(ctx, s, plan, plain); err != nil || !r.Interrupted {
		t.Errorf("a canceled run: %v", err)
	}
	if n := len(r.Samples); n > mostSamples || n < 5 {
		t.Errorf("%d samples", n)
	}
}

// The same seed gives the same record.
func TestCrowdsAreTheSame(t *testing.T) {
	crowds(t, func(at string, s linger.Scenario, plan linger.Crowd, c Config) {
		if !reflect.DeepEqual(predictCrowd(t, s, plan, c), predictCrowd(t, s, plan, c)) {
			t.Errorf("%s: two runs of one seed differ", at)
		}
	})
}
