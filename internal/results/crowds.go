package results

import (
	"slices"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/finding"
	"linger/policy"
	"linger/trace"
)

// Crowd is fifty clients that come at once and load two pages each, 5 s apart, from a server of
// twenty workers: with connections closed after each page, kept, and kept for 1 s. Runs are
// played, so that they can be drawn; the figures are made up beside them.
func Crowd() *crowd.Result {
	e := &crowd.Experiment{
		Engine: "lab", Provenance: trace.Measured, Workload: linger.Gallery(1), Seed: 1, Trials: 1, Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Machine: trace.Machine{System: "Linux 6.18", CPU: "Some CPU", Cores: 2},
		Network: linger.Network{Name: "lte", RTT: 70 * time.Millisecond, Down: 12 * linger.Mbps, Up: 12 * linger.Mbps, Queue: linger.DefaultQueue},
		Crowd:   linger.Crowd{Clients: 50, Visits: 2, Think: linger.Think{Least: 5 * time.Second}},
		Server:  policy.ServerPolicy{IdleTimeout: 15 * time.Second}, Capacity: policy.Capacity{Workers: 20},
	}
	r := &crowd.Result{Experiment: e}
	for i, name := range []string{"close:6", "keep:6", "keep"} {
		strategy, _ := linger.ParseStrategy(name) // each is one
		e.Strategies = append(e.Strategies, strategy)
		hold := time.Duration(0)
		if strategy.Persistent {
			hold = e.Server.IdleTimeout
		}
		run := played(e, name, hold, time.Duration(260-40*i)*time.Millisecond)
		e.Runs = append(e.Runs, []*trace.Crowd{run})
		r.Rows = append(r.Rows, crowdRow(strategy, float64(i), run))
	}
	r.Rows[0].Server.Memory, r.Rows[0].Little.Why = crowd.Level{}, "too-short" // what is not known
	short := crowdRow(e.Strategies[1], 0.5, e.Runs[0][0])
	r.Foreseen = []crowd.ForeseenRow{{Strategy: "keep:6", IdleTimeout: time.Second, Row: short}, {Strategy: "keep:6", IdleTimeout: 10 * time.Second, Row: r.Rows[1]}}
	r.Verdict = crowd.Verdict{Best: "close:6", Advice: "close", Findings: []finding.Finding{
		{Code: "made-up-lead", Severity: finding.Note, Figures: finding.Figures{finding.Counted("workers", 20), finding.Number("think", 5000, "ms"), finding.Number("waits", 14_200, "ms").Whose("keep:6")}},
		{Code: "made-up-fact", Severity: finding.Note, Subject: finding.Subject{Kind: "strategy", Name: "close:6"}, Figures: finding.Figures{finding.Number("time", 410, "ms")}},
	}}
	r.Caveats = []finding.Caveat{{Code: "made-up-caveat", Decisive: true}, {Code: "made-up-caveat", Cause: "other"}}
	return r
}

// CrowdOfServers is the same with a mix of strategies, behind one bottleneck, at four servers, of which
// one is added and the first restarted; over several trials, with pages that were never loaded.
func CrowdOfServers() *crowd.Result {
	known := linger.Known[float64]
	r := Crowd()
	e := r.Experiment
	e.Engine, e.Provenance, e.Trials = "sim", trace.Predicted, 3
	e.Network.Name = "https://user@example.org/?token=secret"
	e.Workload.Scheme = linger.SchemeHTTPS
	e.Crowd = linger.Crowd{
		Clients: 200, Arrivals: 20, Think: linger.Think{Least: 4 * time.Second, Most: 6 * time.Second}, Duration: time.Minute, Shared: true,
		Backends: 4, Balance: linger.LeastConnections, AddAt: 30 * time.Second, RestartAt: 40 * time.Second,
	}
	e.Crowd.Mix, _ = linger.ParseMix("keep:6=3,keep=1") // it is one
	e.Strategies = e.Strategies[1:2]
	e.Strategies[0].Name = linger.MixName(e.Crowd.Mix)
	e.Server = policy.ServerPolicy{MaxRequests: 100, MaxAge: 30 * time.Second}
	e.Capacity = policy.Capacity{MaxConnections: 100, WhenFull: policy.FullCloseIdle, Backlog: 128, Service: 5 * time.Millisecond, Cores: 2}
	e.Runs = e.Runs[1:2]
	for i := range e.Runs[0][0].Samples {
		s := &e.Runs[0][0].Samples[i]
		s.Servers = slices.Repeat([]trace.Held{{Sockets: s.Server.Sockets / 4}}, 4)
		if s.At > linger.Instant(e.Crowd.AddAt) {
			s.Servers = append(s.Servers, trace.Held{Sockets: 1})
		}
	}
	for _, v := range e.Runs[0][0].Visits {
		for range v.Requests {
			e.Runs[0][0].Serve(v.Client%5, v.Done.Or(0))
		}
	}
	row := r.Rows[1]
	row.Strategy, row.Trials, row.Lost = e.Strategies[0].Name, 2, 1
	row.Pages.Loaded, row.Pages.Failed, row.Pages.Unfinished, row.Pages.P99, row.Pages.Worst = 95, 3, 2, linger.Opt[float64]{}, linger.Opt[float64]{}
	row.Pages.AtLeast = crowd.Quantiles{P99: known(20_000), Worst: known(21_000)}
	row.Pages.Interval = linger.Known(finding.Interval{Low: known(7000), High: known(8100), Confidence: known(0.94), N: 3})
	row.Refused = 7
	for i, s := range e.Crowd.Mix {
		row.Shares = append(row.Shares, crowd.Part{Strategy: s.Strategy.Name, Clients: 150 - 100*i, Pages: row.Pages, Rate: known(61_000 - 45_000*float64(i)), Ratio: known(1.2 - 0.9*float64(i))})
	}
	row.Balance = crowd.Balance{
		Requests: []int{2100, 2050, 2080, 2020, 310}, Uneven: known(1.23), Added: known(0.31), Even: linger.Known(42 * time.Second),
		Last: known(0.93), Restart: crowd.Restart{Handshakes: known(212), Before: known(18), Queue: known(88), Calm: linger.Known(3400 * time.Millisecond)},
	}
	r.Rows, r.Foreseen = []crowd.Row{row}, nil
	r.Verdict.Best, r.Verdict.Advice = "", "unknown"
	return r
}

// crowdRow are figures that grow with a number from 0 on.
func crowdRow(s linger.Strategy, more float64, run *trace.Crowd) crowd.Row {
	known := linger.Known[float64]
	level := func(v float64) crowd.Level { return crowd.Level{Mean: known(v * 0.6), P99: known(v), Peak: known(v)} }
	slow := 410 + 6500*more
	quantiles := func(median, p95 float64) crowd.Quantiles {
		return crowd.Quantiles{Median: known(median), P95: known(p95), P99: known(1.02 * p95), Worst: known(1.05 * p95)}
	}
	return crowd.Row{
		Strategy: s.Name, Persistent: s.Persistent, Trials: 1, Each: known(6),
		Clients: crowd.Clients{Came: known(50), Served: known(50), Waited: known(30 * more), Wait: known(14_000 * more), Slow: known(slow)},
		Pages:   crowd.Pages{Wanted: 100, Loaded: 100, Quantiles: quantiles(slow, 2*slow)},
		Rate:    known(8.32 - 2*more), Waits: crowd.Spread{N: 300, Quantiles: quantiles(slow/2*more, 14_200*more), Mean: known(slow / 2)},
		Opened: 4100 - int(1900*more), PerPage: known(41 - 19*more),
		Client:  crowd.Side{Sockets: level(48 + more), TimeWait: level(12 - 6*more), Memory: level(1.2e6), CPU: known(812.4)},
		Server:  crowd.Side{Sockets: level(48 + more), TimeWait: level(212 - 106*more), Memory: level(4.81e6), CPU: known(1204.2)},
		Workers: level(18 + more), Queue: level(30 * more), Jain: known(0.98 - more/20),
		Little: crowd.Little{Rate: known(8.1), Time: known(5010), Predicted: known(40.6), Held: known(41.1), From: linger.Instant(2 * time.Second), To: linger.Instant(9 * time.Second)},
		Series: run.Samples,
	}
}

// played is a run at a server whose workers each serve one connection until it closes: after the
// page, or when it has been idle for hold, or is not needed any more. A page takes as long
// as is said, and a little more for each client.
func played(e *crowd.Experiment, name string, hold, takes time.Duration) *trace.Crowd {
	c := &trace.Crowd{Provenance: e.Provenance, Engine: e.Engine, Workload: e.Workload.Name, Strategy: name, Network: e.Network, Seed: e.Seed, Plan: e.Crowd, Began: e.Began, Every: 100 * time.Millisecond}
	think, trip := e.Crowd.Think.Mean(), linger.Instant(e.Network.RTT)
	free := make([]linger.Instant, e.Capacity.Workers)
	type visit struct {
		client, number int
		at             linger.Instant
	}
	var wanted []visit
	for client := range e.Crowd.Clients {
		wanted = append(wanted, visit{client, 0, linger.Instant(client) * 1e6})
	}
	for len(wanted) > 0 {
		next := wanted[0]
		wanted = wanted[1:]
		worker := slices.Index(free, slices.Min(free))
		k := trace.CrowdConnection{Client: next.client, Dialled: next.at, Established: linger.Known(next.at + trip), ClosedBy: trace.AtServer}
		at := max(next.at+trip, free[worker])
		k.Accepted = linger.Known(at)
		page := func(number int, at linger.Instant) linger.Instant {
			done := at.Add(takes + time.Duration(next.client)*time.Millisecond)
			c.Visits = append(c.Visits, trace.Visit{Client: next.client, Number: number, Wanted: next.at, Done: linger.Known(done), Requests: 41, Bytes: 616_000, Dialled: 1})
			return done
		}
		end := page(next.number, at)
		switch {
		case next.number > 0:
		case hold >= think:
			next.at = end.Add(think)
			end = page(1, next.at)
		default:
			wanted = append(wanted, visit{next.client, 1, end.Add(think)})
			slices.SortStableFunc(wanted, func(a, b visit) int { return int(a.at - b.at) })
			end = end.Add(hold)
		}
		k.Closed, free[worker] = linger.Known(end), end
		c.Connections, c.Ended = append(c.Connections, k), max(c.Ended, end)
	}
	for at := linger.Instant(0); at < c.Ended.Add(c.Every); at = at.Add(c.Every) {
		c.Samples = append(c.Samples, sampled(c.Connections, at))
	}
	return c
}

// sampled is what is held at an instant; the server, which closes, is in TIME_WAIT for 60 s.
func sampled(all []trace.CrowdConnection, at linger.Instant) trace.CrowdSample {
	s := trace.CrowdSample{At: at}
	waiting, taken := 0, 0
	for _, k := range all {
		switch {
		case at < k.Dialled:
			continue
		case at >= k.Closed.Or(0):
			if at < k.Closed.Or(0).Add(time.Minute) {
				s.Server.TimeWait++
			}
			continue
		}
		s.Client.Sockets++
		if at < k.Established.Or(0) {
			continue
		}
		if s.Server.Sockets++; at < k.Accepted.Or(0) {
			waiting++
		} else {
			taken++
		}
	}
	s.Server.Waiting, s.Server.Taken = linger.Known(waiting), linger.Known(taken)
	s.Client.Memory, s.Server.Memory = linger.Known(int64(s.Client.Sockets)*4096), linger.Known(int64(s.Server.Sockets)*8192)
	return s
}
