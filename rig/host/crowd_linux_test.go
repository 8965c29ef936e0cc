package host

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/lab"
	"linger/live"
	"linger/policy"
	"linger/trace"
)

// The test program is each host of a lab, and the lab, as the product is.
func TestMain(m *testing.M) {
	if status, inside := lab.Inside(os.Args); inside {
		os.Exit(status)
	}
	if status, inside := Inside(os.Args, os.Environ()); inside {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// runCrowd runs a crowd against one server in a lab, which has the order besides what to serve.
// Each client has an address of its own.
func runCrowd(ctx context.Context, t testing.TB, s linger.Scenario, plan linger.Crowd, order OriginOrder, config lab.Config) (*trace.Crowd, OriginSeen, lab.Report) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	config.Network, config.Own = s.Network, !plan.Shared
	config.Hosts = []lab.HostConfig{{Name: Client, Side: lab.Client, Addresses: plan.Clients}, {Name: Origin, Side: lab.Server}}
	l, err := lab.Open(ctx, config)
	must(err)
	defer l.Close()
	order.Workload, order.Origins, order.Names = s.Workload, []int{0}, []string{Origin}
	server, err := StartOrigin(l, Origin, order)
	must(err)
	defer server.Abandon()
	clients, err := StartCrowd(l, Client)
	must(err)
	defer clients.Abandon()
	ready, err := server.Ready()
	must(err)
	port := PlainPort
	if s.Workload.Scheme == linger.SchemeHTTPS {
		port = SecurePort
	}
	began := time.Time{}
	record, err := clients.Run(ctx, CrowdOrder{Scenario: s, Crowd: plan, Locals: l.Addrs(Client), Authority: ready.Authority, Agent: "linger",
		Servers: [][]live.Place{{{Address: fmt.Sprintf("%v:%d", l.Addr(Origin), port), Host: Origin}}},
	}, func(at time.Time) {
		began = at
		if plan.RestartAt > 0 {
			time.AfterFunc(plan.RestartAt, func() { server.Restart() })
		}
	})
	must(err)
	if !began.Equal(record.Began) {
		t.Errorf("it began at %v, and says %v", began, record.Began)
	}
	report, err := l.Report(ctx)
	must(err)
	seen, err := server.Finish()
	must(err)
	return record, seen, report
}

func needsLab(t *testing.T) {
	for _, f := range lab.Check() {
		if !f.OK && f.Needed {
			testall.Lacks(t, "no lab can be made here: %s: %s; %s", f.Name, f.Found, f.Fix)
		}
	}
}

// TestCrowdInALab has 20 clients behind links of their own: the server has seen each at its own
// address, with the requests that its record says.
func TestCrowdInALab(t *testing.T) {
	needsLab(t)
	const clients = 20
	w, err := linger.Objects(2000, 3, 1000).WithScheme(linger.SchemeHTTPS)
	if err != nil {
		t.Fatal(err)
	}
	s := linger.Scenario{Workload: w, Network: linger.Network{Name: "test", RTT: 20 * time.Millisecond, Down: linger.Gbps, Up: linger.Gbps, Queue: linger.DefaultQueue}, Seed: 3}
	if s.Strategy, err = linger.ParseStrategy("keep"); err != nil {
		t.Fatal(err)
	}
	plan := linger.Crowd{Clients: clients, Visits: 2, Think: linger.Think{Least: 30 * time.Millisecond}, Arrivals: 200}
	record, seen, _ := runCrowd(t.Context(), t, s, plan, OriginOrder{}, lab.Config{})
	if len(record.Visits) != 2*clients || len(record.Connections) != clients || record.Interrupted {
		t.Errorf("%d visits on %d connections, interrupted %v", len(record.Visits), len(record.Connections), record.Interrupted)
	}
	if host, ok := record.Client.Get(); !ok || host.CPU <= 0 {
		t.Errorf("the clients' CPU time is %v", record.Client)
	}
	for _, v := range record.Visits {
		if v.Failed > 0 || v.Done.IsZero() || v.Bytes != w.Bytes() {
			t.Errorf("%+v", v)
		}
	}
	addresses := map[string]bool{}
	for _, k := range record.Connections {
		host, _, _ := net.SplitHostPort(k.Local)
		addresses[host] = true
		if k.Requests != seen.Carried[k.Local] || k.Requests != 2*len(w.Exchanges) {
			t.Errorf("%s has had %d answers, its server counts %d", k.Local, k.Requests, seen.Carried[k.Local])
		}
	}
	if len(addresses) != clients {
		t.Errorf("%d clients have %d addresses", clients, len(addresses))
	}
}

// TestAnOriginIsWatched: five clients keep connections to a server with two workers, which begins
// anew in between. It tells when it took each, why it ended, and what it held.
func TestAnOriginIsWatched(t *testing.T) {
	needsLab(t)
	s := linger.Scenario{Workload: linger.Objects(1000, 0, 0), Network: linger.Network{Name: "test", RTT: 10 * time.Millisecond, Down: linger.Gbps, Up: linger.Gbps, Queue: linger.DefaultQueue}, Seed: 3}
	var err error
	if s.Strategy, err = linger.ParseStrategy("keep"); err != nil {
		t.Fatal(err)
	}
	plan := linger.Crowd{Clients: 5, Visits: 3, Think: linger.Think{Least: 200 * time.Millisecond}, RestartAt: 100 * time.Millisecond}
	order := OriginOrder{
		Policy:   policy.ServerPolicy{IdleTimeout: 300 * time.Millisecond},
		Capacity: policy.Capacity{Workers: 2, Backlog: 7, Service: 5 * time.Millisecond}, Watch: 5 * time.Millisecond,
	}
	record, seen, _ := runCrowd(t.Context(), t, s, plan, order, lab.Config{})
	for _, v := range record.Visits {
		if v.Failed > 0 || v.Done.IsZero() {
			t.Errorf("%+v", v)
		}
	}
	told := map[string]OriginConnection{}
	restarted, requests := 0, 0
	for _, k := range seen.Connections {
		told[k.Client] = k
		requests += k.Requests
		if k.Reason == policy.ReasonRestart {
			restarted++
		}
	}
	if restarted != 2 || requests != 15 || seen.Requests != 15 {
		t.Errorf("%d connections ended by the restart, %d requests in all; %+v", restarted, requests, seen.Connections)
	}
	waited := 0
	for _, k := range record.Connections {
		at, established := told[k.Local], record.Began.Add(time.Duration(k.Established.Or(0)))
		if at.Requests != k.Requests || at.Closed.Before(at.Accepted) {
			t.Errorf("a connection with %d answers: %+v", k.Requests, at)
		}
		if at.Accepted.Sub(established) > 50*time.Millisecond {
			waited++
		}
	}
	if waited == 0 {
		t.Error("five clients with two workers, and nobody waits")
	}
	busiest, queued := 0, 0
	for _, sample := range seen.Samples {
		busiest, queued = max(busiest, sample.Taken), max(queued, sample.Queued)
		if sample.Taken > 2 || sample.Busy > sample.Taken {
			t.Errorf("%+v", sample)
		}
	}
	if busiest != 2 {
		t.Errorf("at most %d workers are held in %d samples", busiest, len(seen.Samples))
	}
}
