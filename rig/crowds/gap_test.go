package crowds

import (
	"math"
	"testing"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/internal/testall"
	"linger/policy"
	"linger/trace"
)

// A subject is a crowd that is measured and predicted.
type subject struct {
	name     string
	workload string // as linger.ParseWorkload reads it
	scheme   string
	network  linger.Network
	strategy string // or the crowd's mix
	crowd    linger.Crowd
	policy   policy.ServerPolicy
	capacity policy.Capacity
	seed     uint64
}

// A sight is what a crowd comes to on one engine.
type sight struct {
	crowd.Row
	late time.Duration // of the lab, what 1 packet in 100 exceeds
}

// comparison is the one that runs the subject, once.
func (s subject) comparison(t testing.TB) Comparison {
	t.Helper()
	w, err := linger.ParseWorkload(s.workload, s.seed)
	if err == nil && s.scheme != "" {
		w, err = w.WithScheme(s.scheme)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := Comparison{
		Version: "dev", Workload: w, Network: s.network, Crowd: s.crowd, Policy: s.policy, Capacity: s.capacity,
		Seed: s.seed, Trials: 1, Patience: time.Minute,
	}
	if len(s.crowd.Mix) == 0 {
		strategy, err := linger.ParseStrategy(s.strategy)
		if err != nil {
			t.Fatal(err)
		}
		c.Strategies = []linger.Strategy{strategy}
	}
	return c
}

// on returns what one trial of the subject comes to on an engine.
func (s subject) on(t testing.TB, c Comparison, e Engine, name string, p trace.Provenance) sight {
	t.Helper()
	r, err := e.Run(t.Context(), c.scenario(0), c.Crowd, 0)
	if err != nil {
		t.Fatal(err)
	}
	x := c.experiment(name, p)
	x.Runs[0][0] = r
	return sight{crowd.Compare(x).Rows[0], r.Lateness.Or(trace.Lateness{}).P99}
}

// both returns what the subject comes to in the lab, and what it is predicted to.
func (s subject) both(t testing.TB) (measured, predicted sight) {
	t.Helper()
	c := s.comparison(t)
	return s.on(t, c, c.lab(), "lab", trace.Measured), s.on(t, c, c.sim(), "sim", trace.Predicted)
}

// apart is by which share of what was measured a prediction is off.
func apart(measured, predicted linger.Opt[float64]) float64 {
	m, known := measured.Get()
	p, foreseen := predicted.Get()
	if !known || !foreseen {
		return math.Inf(1)
	}
	return math.Abs(p-m) / max(m, 1)
}

func subjects(t *testing.T) []subject {
	t.Helper()
	mix, err := linger.ParseMix("keep:4=1,close=1")
	if err != nil {
		t.Fatal(err)
	}
	think := func(d time.Duration) linger.Think { return linger.Think{Least: d} }
	wide := linger.Network{Name: "wide", RTT: 40 * time.Millisecond, Down: 50 * linger.Mbps, Up: 50 * linger.Mbps, Queue: linger.DefaultQueue}
	return []subject{
		{name: "as many workers as half of the clients", workload: "objects:4x10000", scheme: linger.SchemeHTTP, network: wide, strategy: "keep",
			crowd: linger.Crowd{Clients: 8, Visits: 2, Think: think(300 * time.Millisecond)}, capacity: policy.Capacity{Workers: 4}, seed: 1},
		{name: "the same with an idle timeout", workload: "objects:4x10000", scheme: linger.SchemeHTTP, network: wide, strategy: "keep",
			crowd: linger.Crowd{Clients: 8, Visits: 3, Think: think(500 * time.Millisecond), Arrivals: 20}, capacity: policy.Capacity{Workers: 4},
			policy: policy.ServerPolicy{IdleTimeout: 100 * time.Millisecond}, seed: 1},
		{name: "one bottleneck, over TLS", workload: "objects:6x20000", scheme: linger.SchemeHTTPS, network: wide, strategy: "h2",
			crowd: linger.Crowd{Clients: 6, Visits: 2, Think: think(200 * time.Millisecond), Shared: true}, seed: 1},
		{name: "two strategies on it", workload: "objects:6x20000", scheme: linger.SchemeHTTP, network: wide,
			crowd: linger.Crowd{Clients: 6, Visits: 2, Think: think(200 * time.Millisecond), Shared: true, Mix: mix}, seed: 1},
		{name: "a core that is asked for more than it has", workload: "objects:9x1000", scheme: linger.SchemeHTTP, network: wide, strategy: "keep:4",
			crowd: linger.Crowd{Clients: 10, Visits: 2, Think: think(100 * time.Millisecond)}, capacity: policy.Capacity{Service: 5 * time.Millisecond}, seed: 1},
		{name: "several servers", workload: "objects:4x10000", scheme: linger.SchemeHTTP, network: wide, strategy: "keep:2",
			crowd: linger.Crowd{Clients: 10, Visits: 3, Think: think(200 * time.Millisecond), Backends: 3, Balance: linger.LeastConnections}, seed: 1},
	}
}

// What the simulator foresees of a crowd is what the lab measures: how long pages take, and how
// many connections are held. docs/accuracy.md has by how much it is off over many crowds.
func TestPredictionsOfCrowds(t *testing.T) {
	needLab(t)
	for i, s := range subjects(t) {
		t.Run(s.name, func(t *testing.T) {
			if i > 0 {
				testall.Long(t, "crowds that are measured for seconds")
			}
			testall.InTime(t, 2*time.Millisecond, func(a *testall.Attempt) {
				m, p := s.both(a)
				a.WasLate(m.late)
				for _, figure := range []struct {
					name                string
					measured, predicted linger.Opt[float64]
					within              float64
				}{
					{"page time, median", m.Pages.Median, p.Pages.Median, 0.10},
					{"page time, 95 of 100", m.Pages.P95, p.Pages.P95, 0.15},
					{"connections held at the server", m.Server.Sockets.Mean, p.Server.Sockets.Mean, 0.10},
				} {
					if off := apart(figure.measured, figure.predicted); off > figure.within {
						a.Errorf("%s: %.2f measured and %.2f predicted", figure.name, figure.measured.Or(-1), figure.predicted.Or(-1))
					}
				}
				if m.Opened != p.Opened || m.Pages.Loaded != p.Pages.Loaded {
					a.Errorf("%d connections and %d pages measured, %d and %d predicted", m.Opened, m.Pages.Loaded, p.Opened, p.Pages.Loaded)
				}
				t.Logf("median %.1f and %.1f ms, p95 %.1f and %.1f ms, held %.2f and %.2f, %d and %d connections; late %v",
					m.Pages.Median.Or(-1), p.Pages.Median.Or(-1), m.Pages.P95.Or(-1), p.Pages.P95.Or(-1),
					m.Server.Sockets.Mean.Or(-1), p.Server.Sockets.Mean.Or(-1), m.Opened, p.Opened, m.late)
			})
		})
	}
}
