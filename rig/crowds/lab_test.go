package crowds

import (
	"cmp"
	"net/netip"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// near is a path on which a small crowd is soon done.
var near = linger.Network{Name: "near", RTT: 10 * time.Millisecond, Down: 100 * linger.Mbps, Up: 100 * linger.Mbps, Queue: linger.DefaultQueue}

// objects are a page and two objects, in cleartext or over TLS.
func objects(t *testing.T, scheme string) linger.Workload {
	t.Helper()
	w, err := linger.ParseWorkload("objects:2x4000", 1)
	if err == nil {
		w, err = w.WithScheme(scheme)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func ran(t *testing.T, e Lab, s linger.Scenario, c linger.Crowd) *trace.Crowd {
	t.Helper()
	e.Longest = 20 * time.Second
	r, err := e.Run(t.Context(), s, c, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// most is how many of the connections are in the server's hands at once, between two instants that
// are known of each.
func most(all []trace.CrowdConnection) int {
	type change struct {
		at linger.Instant
		by int
	}
	var changes []change
	for _, c := range all {
		if at, ok := c.Accepted.Get(); ok {
			changes = append(changes, change{at, 1}, change{c.Closed.Or(linger.Never), -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	now, peak := 0, 0
	for _, c := range changes {
		now += c.by
		peak = max(peak, now)
	}
	return peak
}

// What clients, servers and the lab tell of one run is one record: each connection is the same to
// the client and to the server, and the census has both.
func TestOneRecordOfBothSides(t *testing.T) {
	needLab(t)
	const clients, visits, workers = 5, 2, 3
	for _, test := range []struct {
		strategy, scheme string
		connections      int
	}{
		{"close", linger.SchemeHTTP, clients * visits * 3},
		{"keep", linger.SchemeHTTP, clients},
		{"h2", linger.SchemeHTTPS, clients},
		{"h3", linger.SchemeHTTPS, clients},
	} {
		t.Run(test.strategy, func(t *testing.T) {
			t.Parallel()
			strategy, err := linger.ParseStrategy(test.strategy)
			if err != nil {
				t.Fatal(err)
			}
			w := objects(t, test.scheme)
			r := ran(t, Lab{Version: "dev", Capacity: policy.Capacity{Workers: workers}},
				linger.Scenario{Workload: w, Strategy: strategy, Network: near, Seed: 1},
				linger.Crowd{Clients: clients, Visits: visits, Think: linger.Think{Least: 200 * time.Millisecond}})
			if r.Engine != "lab" || r.Provenance != trace.Measured || r.Overrun || r.Interrupted || r.Server.IsZero() || len(r.Servers) != 1 || r.Up.Packets == 0 || r.Lateness.IsZero() {
				t.Errorf("the record is %+v", r)
			}
			if len(r.Visits) != clients*visits || len(r.Connections) != test.connections {
				t.Errorf("%d visits and %d connections, want %d and %d", len(r.Visits), len(r.Connections), clients*visits, test.connections)
			}
			for _, v := range r.Visits {
				if v.Failed > 0 || v.Requests != len(w.Exchanges) || v.Done.IsZero() {
					t.Errorf("a visit is %+v", v)
				}
			}
			requests, addresses := 0, map[netip.Addr]int{}
			for _, c := range r.Connections {
				local, err := netip.ParseAddrPort(c.Local)
				if err != nil {
					t.Fatal(err)
				}
				if of, ok := addresses[local.Addr()]; ok && of != c.Client {
					t.Errorf("clients %d and %d have one address, %v", of, c.Client, local.Addr())
				}
				addresses[local.Addr()] = c.Client
				accepted, ok := c.Accepted.Get()
				if !ok || accepted < c.Dialled || accepted > c.Closed.Or(0) {
					t.Errorf("a connection is %+v", c)
				}
				requests += c.Requests
			}
			served := 0
			for _, n := range r.Served[0] {
				served += n
			}
			if want := clients * visits * len(w.Exchanges); requests != want || served != want || len(addresses) != clients {
				t.Errorf("%d requests by the connections and %d by the server, want %d; %d addresses", requests, served, want, len(addresses))
			}
			taken, waited, held := 0, 0, 0
			for _, s := range r.Samples {
				taken, waited, held = max(taken, s.Server.Taken.Or(0)), max(waited, s.Server.Waiting.Or(0)), max(held, s.Client.Sockets)
				if !s.Client.Waiting.IsZero() || s.Server.Busy.IsZero() {
					t.Fatalf("a sample is %+v", s)
				}
			}
			if taken > workers {
				t.Errorf("%d workers are held, and there are %d", taken, workers)
			}
			if !strategy.Persistent {
				return
			}
			if taken != workers || most(r.Connections) != workers || held != clients {
				t.Errorf("%d workers are held by the samples and %d by the connections, and clients have %d sockets; want %d, %d and %d",
					taken, most(r.Connections), held, workers, workers, clients)
			}
			if want := clients - workers; waited != want && !strategy.QUIC() { // which waits in the server itself
				t.Errorf("%d wait in the accept queue, want %d", waited, want)
			}
		})
	}
}

// A server that begins anew closes what it has; one that is added is dialled from then on.
func TestServersComeAndGo(t *testing.T) {
	needLab(t)
	t.Parallel()
	mix, err := linger.ParseMix("close=1,keep=1")
	if err != nil {
		t.Fatal(err)
	}
	const restart, added = 500 * time.Millisecond, 900 * time.Millisecond
	r := ran(t, Lab{Version: "dev"}, linger.Scenario{Workload: objects(t, linger.SchemeHTTP), Strategy: mix[0].Strategy, Network: near, Seed: 1},
		linger.Crowd{Clients: 6, Duration: 1500 * time.Millisecond, Think: linger.Think{Least: 100 * time.Millisecond},
			Shared: true, Mix: mix, Backends: 2, RestartAt: restart, AddAt: added})
	by := map[int]int{}
	ended, first := 0, linger.Never
	for _, c := range r.Connections {
		by[c.Server]++
		if c.Server == 2 {
			first = min(first, c.Dialled)
		}
		if at := c.Closed.Or(0); c.Client%2 == 1 && c.Server == 0 && c.ClosedBy == trace.AtServer && at >= linger.Instant(restart) && at < linger.Instant(added) {
			ended++
		}
	}
	if r.Strategy != "close=1,keep=1" || len(r.Servers) != 3 || by[0] == 0 || by[1] == 0 || by[2] == 0 {
		t.Errorf("%s: connections by server: %v, of %d servers", r.Strategy, by, len(r.Servers))
	}
	if first < linger.Instant(added) {
		t.Errorf("the server that is added at %v is dialled at %v", added, first.Sub(0))
	}
	if ended == 0 {
		t.Error("no kept connection of the server ended that began anew")
	}
	for _, s := range r.Samples {
		if len(s.Servers) != 3 || s.Server.Sockets != s.Servers[0].Sockets+s.Servers[1].Sockets+s.Servers[2].Sockets {
			t.Fatalf("a sample is %+v", s)
		}
	}
}
