package results

import (
	"testing"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/compare/crowdsweep"
	"linger/policy"
)

// CrowdPlan is a sweep of crowds with close and keep for a server of some workers; 0 is no limit.
func CrowdPlan(t testing.TB, clients, think, idle string, workers int) crowdsweep.Plan {
	t.Helper()
	p := crowdsweep.Plan{
		Workload: linger.Gallery(1), Network: linger.Network{Name: "lte", RTT: 70 * time.Millisecond, Down: 12 * linger.Mbps, Up: 12 * linger.Mbps, Queue: linger.DefaultQueue},
		Crowd: linger.Crowd{Visits: 4}, Capacity: policy.Capacity{Workers: workers}, BreakEven: 80 * time.Second, Seed: 1, Trials: 1,
	}
	var err error
	for _, parse := range []func(){
		func() { p.Strategies, err = linger.ParseStrategies("close,keep") },
		func() { p.Grid.Clients, err = linger.ParseClients(clients, 5) },
		func() { p.Grid.Think, err = linger.ParseThinks(think) },
		func() { p.Grid.Idle, err = linger.ParseIdles(idle, 5) },
	} {
		if parse(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// CrowdCells predicts nothing: a page takes 300 ms on a kept connection and 400 ms on a new one, and
// 10 s more where more connections are held, by Little's law, than there are workers. They are the
// first n cells of a plan.
func CrowdCells(p crowdsweep.Plan, n int) (out []crowdsweep.Cell) {
	for i := range n {
		c := p.CrowdOf(i)
		var rows []crowd.Row
		for _, choice := range p.Choices() {
			page, p95, opened, idle := 400.0, 400.0, 1.0, time.Duration(1)
			if p.Strategies[choice.Strategy].Persistent {
				if idle = choice.Idle; idle == 0 || idle > c.Think.Mean() {
					page, opened = 300, 0.25
				}
			}
			held := crowdsweep.Held(float64(c.Clients), 1, 400*time.Millisecond, idle, c.Think)
			sockets, waited := held, 0.0
			if w := float64(p.Capacity.Workers); w > 0 && held > w {
				page, p95, waited, held = page+10_000, p95+10_000, held-w, w
			}
			pages, level := 4*c.Clients, crowd.Level{Mean: linger.Known(held), P99: linger.Known(held), Peak: linger.Known(held)}
			rows = append(rows, crowd.Row{
				Trials: 1, Clients: crowd.Clients{Came: linger.Known(float64(c.Clients)), Waited: linger.Known(waited)}, Pages: crowd.Pages{Wanted: pages, Loaded: pages, Quantiles: crowd.Quantiles{Median: linger.Known(page), P95: linger.Known(p95), Worst: linger.Known(p95)}},
				Rate:    linger.Known(float64(c.Clients) / (c.Think.Mean().Seconds() + page/1000)),
				Workers: level, PerPage: linger.Known(opened), Each: linger.Known(1.0),
				Server: crowd.Side{Sockets: crowd.Level{P99: linger.Known(sockets)}},
			})
		}
		out = append(out, p.CellOf(i, rows, make([]string, len(rows))))
	}
	return out
}
