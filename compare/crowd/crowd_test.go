package crowd_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/finding"
	"linger/internal/crowds"
	"linger/policy"
	"linger/trace"
)

var (
	closing = linger.Strategy{Name: "close", Connections: 1, InFlight: 1}
	keeping = linger.Strategy{Name: "keep", Persistent: true, Connections: 1, InFlight: 1}
)

// fifty are 50 clients that come at once and load 10 pages each, 5 s apart.
func fifty() linger.Crowd {
	return linger.Crowd{Clients: 50, Visits: 10, Think: linger.Think{Least: 5 * time.Second}}
}

// ran makes the experiment of a plan with close and keep, and predictions of idle timeouts.
func ran(p crowds.Plan, timeouts ...time.Duration) *crowd.Experiment {
	e := &crowd.Experiment{
		Engine: "lab", Provenance: trace.Measured, Crowd: p.Crowd, Capacity: p.Capacity, Trials: 1,
		Strategies: []linger.Strategy{closing, keeping},
	}
	for _, s := range e.Strategies {
		p.Strategy = s
		e.Runs = append(e.Runs, []*trace.Crowd{crowds.Record(p)})
	}
	for _, t := range timeouts {
		p.IdleTimeout = t
		e.Foreseen = append(e.Foreseen, crowd.Foreseen{Strategy: 1, IdleTimeout: t, Run: crowds.Record(p)})
	}
	return e
}

func find(r *crowd.Result, code, strategy string) (finding.Finding, bool) {
	i := slices.IndexFunc(r.Verdict.Findings, func(f finding.Finding) bool {
		return f.Code == code && (strategy == "" || f.Subject.Name == strategy)
	})
	if i < 0 {
		return finding.Finding{}, false
	}
	return r.Verdict.Findings[i], true
}

func caveat(r *crowd.Result, code string) bool {
	return slices.ContainsFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == code })
}

func TestVerdicts(t *testing.T) {
	const ms = time.Millisecond
	workers := policy.Capacity{Workers: 20}
	slow := fifty()
	slow.Arrivals = 100
	random := linger.Crowd{Clients: 50, Arrivals: 10, Visits: 20, Think: linger.Think{Least: 4 * time.Second, Most: 6 * time.Second}}
	for _, test := range []struct {
		name          string
		plan          crowds.Plan
		timeouts      []time.Duration
		advice, cause string
		best          string
	}{
		{"kept connections hold all workers",
			crowds.Plan{Crowd: slow, Capacity: workers, Page: []time.Duration{400 * ms}, Setup: 50 * ms}, nil, crowd.Close, crowd.CauseWorkers, "close"},
		{"an idle timeout gives them back",
			crowds.Plan{Crowd: random, Capacity: workers, Page: []time.Duration{400 * ms}, Setup: 50 * ms, Apart: 200 * ms}, []time.Duration{0, 250 * ms, 500 * ms, time.Second, 2 * time.Second, 6 * time.Second},
			crowd.KeepFor, crowd.CauseWorkers, "close"},
		{"there are workers for all, and handshakes cost",
			crowds.Plan{Crowd: slow, Capacity: policy.Capacity{Workers: 50}, Page: []time.Duration{100 * ms}, Setup: 50 * ms}, nil, crowd.Keep, crowd.CauseHandshakes, "keep"},
		{"nothing but memory differs",
			crowds.Plan{Crowd: slow, Page: []time.Duration{100 * ms}, Memory: 10_000}, nil, crowd.Either, crowd.CauseMemory, ""},
		{"nothing differs",
			crowds.Plan{Crowd: slow, Page: []time.Duration{100 * ms}}, nil, crowd.Either, "", ""},
		{"too few pages",
			crowds.Plan{Crowd: linger.Crowd{Clients: 3, Visits: 2}, Page: []time.Duration{100 * ms}}, nil, crowd.NotKnown, crowd.CauseFew, ""},
		{"all fail",
			crowds.Plan{Crowd: slow, Page: []time.Duration{100 * ms}, Fails: true}, nil, crowd.NotKnown, crowd.CauseNothing, ""},
		{"clients come faster than any server serves",
			crowds.Plan{Crowd: linger.Crowd{Clients: 5000, Arrivals: 100, Visits: 1, Duration: time.Minute}, Capacity: policy.Capacity{Workers: 1}, Page: []time.Duration{time.Second}, Bound: 20 * time.Second},
			nil, crowd.NotKnown, crowd.CauseOverrun, ""},
	} {
		r := crowd.Compare(ran(test.plan, test.timeouts...))
		v := r.Verdict
		if v.Advice != test.advice || v.Cause != test.cause || v.Best != test.best {
			t.Errorf("%s: %s because of %q, best %q; want %s, %q, %q", test.name, v.Advice, v.Cause, v.Best, test.advice, test.cause, test.best)
		}
		if len(v.Findings) == 0 || v.Findings[0].Code != test.advice {
			t.Errorf("%s: the first of %+v", test.name, v.Findings)
		}
		if test.advice == crowd.KeepFor && (v.IdleTimeout.Or(0) != time.Second || !(v.BreakEven.Or(0) > time.Second && v.BreakEven.Or(0) < 2*time.Second)) {
			t.Errorf("%s: %v, break-even %v", test.name, v.IdleTimeout, v.BreakEven)
		}
		if overrun := test.cause == crowd.CauseOverrun; caveat(r, crowd.CaveatOverrun) != overrun {
			t.Errorf("%s: caveats %+v", test.name, r.Caveats)
		}
	}
}

// With 20 workers and 5 s between pages, 20 of 50 clients are served, and the others wait until
// those have loaded all of their pages.
func TestWhoIsServedAndWhoWaits(t *testing.T) {
	r := crowd.Compare(ran(crowds.Plan{Crowd: fifty(), Capacity: policy.Capacity{Workers: 20}, Page: []time.Duration{400 * time.Millisecond}}))
	f, ok := find(r, crowd.Waiting, "keep")
	// 20 clients hold their workers for 10 pages and 9 pauses, which is 49 s, and go on holding
	// them, idle, since nothing closes them: the made-up servers have no limit, and clients none.
	if !ok || f.Cause != crowd.CauseWorkers || f.Figures.Value("clients").Or(0) != 50 || f.Figures.Value("waited").Or(0) != 30 || f.Figures.Value("limit").Or(0) != 20 || f.Figures.Value("held").Or(0) != 20 {
		t.Errorf("%+v", r.Verdict.Findings)
	}
	if f, ok := find(r, crowd.Unserved, "keep"); !ok || f.Figures.Value("unserved").Or(0) != 30 {
		t.Errorf("%+v", r.Verdict.Findings)
	}
	keep := r.Rows[1]
	if p := keep.Pages; p.Wanted != 230 || p.Loaded != 200 || p.Unfinished != 30 || p.Median.Or(0) != 400 || !p.P95.IsZero() || p.AtLeast.P95.Or(0) != 49_000 {
		t.Errorf("%+v", p)
	}
	if w := keep.Waits; w.N != 50 || w.Unfinished != 30 || w.AtLeast.Median.Or(0) != 49_000 || !w.Median.IsZero() || !w.Mean.IsZero() {
		t.Errorf("%+v", w)
	}
	if keep.Workers.Peak.Or(0) != 20 || keep.Queue.Peak.Or(0) != 30 || keep.Workers.Mean.Or(0) != 20 || keep.Server.Sockets.Mean.Or(0) != 50 {
		t.Errorf("%+v, %+v, %+v", keep.Workers, keep.Queue, keep.Server.Sockets)
	}
	if !caveat(r, crowd.CaveatUnfinished) || !caveat(r, crowd.CaveatTrial) {
		t.Errorf("%+v", r.Caveats)
	}
	// Closing: 50 at once are served 20 at a time, so that the last of them wait 800 ms.
	if c := r.Rows[0]; c.Pages.Loaded != 500 || c.Pages.Worst.Or(0) != 1200 || c.Clients.Served.Or(0) != 50 || c.PerPage.Or(0) != 1 {
		t.Errorf("%+v", c.Pages)
	}
}

// In a mix, a client gets of the link what its connections do: six times as much.
func TestMixShares(t *testing.T) {
	six := linger.Strategy{Name: "keep:6", Persistent: true, Connections: 6, InFlight: 1}
	c := fifty()
	c.Mix = []linger.Share{{Strategy: keeping, Weight: 1}, {Strategy: six, Weight: 1}}
	e := &crowd.Experiment{Crowd: c, Trials: 1, Strategies: []linger.Strategy{{Name: linger.MixName(c.Mix), Persistent: true}}}
	e.Runs = [][]*trace.Crowd{{crowds.Record(crowds.Plan{Crowd: c, Strategy: keeping, Page: []time.Duration{600 * time.Millisecond, 100 * time.Millisecond}})}}
	r := crowd.Compare(e)
	row := r.Rows[0]
	if len(row.Shares) != 2 || row.Shares[0].Clients != 25 || math.Abs(row.Shares[1].Rate.Or(0)/row.Shares[0].Rate.Or(1)-6) > 1e-9 || math.Abs(row.Shares[1].Ratio.Or(0)-12./7) > 1e-9 {
		t.Errorf("%+v", row.Shares)
	}
	// Of shares 1 and 6, half of the clients each: 3.5² / 18.5.
	if math.Abs(row.Jain.Or(0)-3.5*3.5/18.5) > 1e-9 {
		t.Errorf("Jain's index is %v", row.Jain)
	}
	f, ok := find(r, crowd.Parts, "")
	if !ok || f.Figures.Text("part") != "keep:6" || math.Abs(f.Figures.Value("ratio").Or(0)-6) > 1e-9 {
		t.Errorf("%+v", r.Verdict.Findings)
	}
	if row.Shares[0].Pages.Median.Or(0) != 600 || row.Shares[1].Pages.Median.Or(0) != 100 {
		t.Errorf("%+v", row.Shares)
	}
}

// A server that is added gets its share at once where connections close, and nothing where clients
// keep those that they have.
func TestAddedServer(t *testing.T) {
	c := linger.Crowd{Clients: 200, Visits: 30, Think: linger.Think{Least: 4 * time.Second, Most: 6 * time.Second}, Backends: 4, AddAt: 30 * time.Second}
	r := crowd.Compare(ran(crowds.Plan{Crowd: c, Page: []time.Duration{100 * time.Millisecond}}))
	closed, kept := r.Rows[0].Balance, r.Rows[1].Balance
	if v := closed.Added.Or(0); v < 0.9 || v > 1.1 || closed.Even.IsZero() || closed.Even.Or(0) > 30*time.Second {
		t.Errorf("closing: %v of its share, after %v", v, closed.Even)
	}
	if kept.Added.Or(-1) != 0 || kept.Last.Or(-1) != 0 || !kept.Even.IsZero() {
		t.Errorf("keeping: %v of its share, after %v", kept.Added, kept.Even)
	}
	if f, ok := find(r, crowd.Added, "keep"); !ok || f.Cause != crowd.CauseNever {
		t.Errorf("%+v", r.Verdict.Findings)
	}
	if f, ok := find(r, crowd.Added, "close"); !ok || f.Cause != crowd.CauseEven {
		t.Errorf("%+v", r.Verdict.Findings)
	}
	if len(kept.Requests) != 5 || kept.Requests[4] != 0 || math.Abs(kept.Uneven.Or(0)-1) > 0.01 {
		t.Errorf("%+v", kept)
	}
}

// A restart has the clients of kept connections come back, each with its next page.
func TestRestart(t *testing.T) {
	c := linger.Crowd{Clients: 100, Visits: 20, Arrivals: 20, Think: linger.Think{Least: 4 * time.Second, Most: 6 * time.Second}, RestartAt: 50 * time.Second}
	p := crowds.Plan{Crowd: c, Page: []time.Duration{100 * time.Millisecond}, Setup: 400 * time.Millisecond}
	r := crowd.Compare(ran(p))
	kept := r.Rows[1].Balance.Restart
	// They think for 4 to 6 s, so that after the restart about 20 a second come back for 5 s; in
	// those seconds a page takes a handshake more than 95 of 100 did before.
	if n := kept.Handshakes.Or(0); n < 20 || n > 40 || kept.Calm.Or(0) < 3*time.Second || kept.Calm.Or(0) > 8*time.Second {
		t.Errorf("%+v", kept)
	}
	if closed := r.Rows[0].Balance.Restart; closed.Calm.Or(-1) != 0 || math.Abs(closed.Handshakes.Or(0)-closed.Before.Or(0)) > 15 {
		t.Errorf("%+v", closed)
	}
	if f, ok := find(r, crowd.Restarted, "keep"); !ok || f.Cause != crowd.CauseCalm {
		t.Errorf("%+v", r.Verdict.Findings)
	}
}

// held are connections of a Poisson process, each held for a time that is drawn; what is open at
// the end has no end.
func held(seed uint64, perSecond float64, lasts linger.Instant, draw func(*rand.Rand) time.Duration) *trace.Crowd {
	r := rand.New(rand.NewPCG(seed, 0))
	out := &trace.Crowd{Ended: lasts}
	for at := linger.Instant(0); ; {
		at = at.Add(time.Duration(r.ExpFloat64() / perSecond * float64(time.Second)))
		if at >= lasts {
			return out
		}
		x := trace.CrowdConnection{Dialled: at, Established: linger.Known(at)}
		if end := at.Add(draw(r)); end < lasts {
			x.Closed = linger.Known(end)
		}
		out.Connections = append(out.Connections, x)
	}
}

// The mean time held is that of all, though the run cuts the longest short: within 1 %, where
// the mean of those that have closed, and of all up to their ends, is off by several times as much.
func TestLittlesLaw(t *testing.T) {
	const s = time.Second
	for name, draw := range map[string]func(*rand.Rand) time.Duration{
		"constant":    func(*rand.Rand) time.Duration { return 10 * s },
		"uniform":     func(r *rand.Rand) time.Duration { return time.Duration(r.Float64() * float64(20*s)) },
		"exponential": func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * float64(10*s)) },
		"two kinds": func(r *rand.Rand) time.Duration {
			if r.Float64() < 0.8 {
				return 5 * s
			}
			return 30 * s
		},
	} {
		run := held(1, 500, linger.Instant(100*s), draw)
		e := &crowd.Experiment{Runs: [][]*trace.Crowd{{run}}, Strategies: []linger.Strategy{keeping}, Trials: 1}
		l := crowd.Compare(e).Rows[0].Little
		if l.Why != "" || math.Abs(l.Time.Or(0)/10_000-1) > 0.01 || math.Abs(l.Rate.Or(0)/500-1) > 0.01 {
			t.Errorf("%s: %+v; want 500 a second for 10 s", name, l)
		}
		if math.Abs(l.Predicted.Or(0)/l.Held.Or(1)-1) > 0.02 {
			t.Errorf("%s: λW is %v, and %v were held", name, l.Predicted, l.Held)
		}
	}
	for why, run := range map[string]*trace.Crowd{
		crowd.LittleNone:    {Ended: linger.Instant(s)},
		crowd.LittleShort:   held(1, 1000, linger.Instant(5*s), func(*rand.Rand) time.Duration { return 3 * s }),
		crowd.LittleKept:    held(1, 100, linger.Instant(100*s), func(*rand.Rand) time.Duration { return time.Hour }),
		crowd.LittleGrowing: growing(),
		crowd.LittleWaves:   waves(),
	} {
		e := &crowd.Experiment{Runs: [][]*trace.Crowd{{run}}, Strategies: []linger.Strategy{keeping}, Trials: 1}
		if l := crowd.Compare(e).Rows[0].Little; l.Why != why {
			t.Errorf("%+v; want %s", l, why)
		}
	}
}

// growing is a run to whose end more and more connections come.
func growing() *trace.Crowd {
	out := &trace.Crowd{Ended: linger.Instant(100 * time.Second)}
	for i := range linger.Instant(100) {
		for j := range i {
			at := i*linger.Instant(time.Second) + j
			out.Connections = append(out.Connections, trace.CrowdConnection{Dialled: at, Established: linger.Known(at), Closed: linger.Known(at.Add(2 * time.Second))})
		}
	}
	return out
}

// waves is a run in which 200 connections are always held, each for 30 s: what a limit of age makes
// of clients that came together. A part of 60 s holds two waves or three.
func waves() *trace.Crowd {
	out := &trace.Crowd{Ended: linger.Instant(91 * time.Second)}
	for wave := range linger.Instant(4) {
		for i := range linger.Instant(200) {
			at := wave*linger.Instant(30*time.Second) + i*linger.Instant(5*time.Millisecond)
			x := trace.CrowdConnection{Dialled: at, Established: linger.Known(at)}
			if wave < 3 {
				x.Closed = linger.Known(at.Add(30 * time.Second))
			}
			out.Connections = append(out.Connections, x)
		}
	}
	return out
}

// The longest idle timeout, by Little's law: the connections held with it are the limit.
func TestBreakEven(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		load    crowd.Load
		limit   float64
		longest time.Duration
		any, ok bool
	}{
		// 10 pages a second of 0.5 s each, and 5 s until the next: 10·(0.5+T) <= 20.
		{crowd.Load{Rate: 10, Each: 1, Service: s / 2, Think: linger.Think{Least: 5 * s}, Returns: 1}, 20, 1500 * time.Millisecond, false, true},
		{crowd.Load{Rate: 10, Each: 1, Service: s / 2, Think: linger.Think{Least: 5 * s}, Returns: 1}, 55, 0, true, true},
		{crowd.Load{Rate: 10, Each: 1, Service: s / 2, Think: linger.Think{Least: 5 * s}, Returns: 1}, 4, 0, false, false},
		{crowd.Load{Rate: 10, Each: 2, Service: s / 2, Think: linger.Think{Least: 5 * s}, Returns: 1}, 20, 500 * time.Millisecond, false, true},
		// Exponential: the mean of the lesser is 5·(1 - exp(-T/5)) = 1.5.
		{crowd.Load{Rate: 10, Each: 1, Service: s / 2, Think: linger.Think{Least: 5 * s, Random: true}, Returns: 1}, 20, 1783 * time.Millisecond, false, true},
		// 4 s to 6 s: with T = 5 s half are 4.5 s on average and half 5 s.
		{crowd.Load{Rate: 1, Each: 1, Think: linger.Think{Least: 4 * s, Most: 6 * s}, Returns: 1}, 4.75, 5 * s, false, true},
		// Nobody comes back: all are idle for as long as the timeout is.
		{crowd.Load{Rate: 10, Each: 1, Service: s / 2, Think: linger.Think{Least: s}}, 20, 1500 * time.Millisecond, false, true},
	} {
		longest, any, ok := test.load.Longest(test.limit)
		if d := longest - test.longest; d.Abs() > 2*time.Millisecond || any != test.any || ok != test.ok {
			t.Errorf("%+v within %v: %v, %v, %v; want %v", test.load, test.limit, longest, any, ok, test.longest)
		}
	}
}

// Trials are held against each other: what they differ by is no difference of strategies.
func TestTrials(t *testing.T) {
	p := crowds.Plan{Crowd: fifty(), Page: []time.Duration{400 * time.Millisecond}, Setup: 30 * time.Millisecond}
	e := ran(p)
	for i, s := range e.Strategies {
		p.Strategy = s
		slow := p
		slow.Trial, slow.Page = 1, []time.Duration{800 * time.Millisecond}
		e.Runs[i] = append(e.Runs[i], crowds.Record(slow), nil)
	}
	e.Trials, e.Failed = 3, [][]string{{"no room"}, nil}
	r := crowd.Compare(e)
	if r.Verdict.Advice != crowd.Either || r.Rows[0].Trials != 3 || r.Rows[0].Lost != 1 {
		t.Errorf("%+v, %+v", r.Verdict, r.Rows[0])
	}
	i, ok := r.Rows[1].Pages.Interval.Get()
	if !ok || i.N != 2 || i.Low.Or(0) != 400 || i.High.Or(0) != 800 || i.Confidence.Or(0) != 0.5 {
		t.Errorf("%+v", i)
	}
	if !caveat(r, crowd.CaveatLost) || caveat(r, crowd.CaveatTrial) {
		t.Errorf("%+v", r.Caveats)
	}
}

// Who is left alone has the link to itself, which is no share of it: the shares of a mix are held
// against each other while all load, with what has come of pages that are not done.
func TestSharesAreOfTheTimeThatAllLoad(t *testing.T) {
	const s = linger.Instant(time.Second)
	mix := []linger.Share{{Strategy: keeping, Weight: 1}, {Strategy: keeping, Weight: 1}}
	run := &trace.Crowd{Ended: 30 * s, Plan: linger.Crowd{Clients: 2, Mix: mix}, Visits: []trace.Visit{
		{Client: 0, Share: 0, Done: linger.Known(10 * s), Requests: 1, Bytes: 6000},
		{Client: 1, Share: 1, Done: linger.Known(30 * s), Requests: 1, Bytes: 141_000},
	}}
	for second := range 30 {
		at := linger.Instant(second) * s
		if second < 10 {
			run.Receive(0, at, 600)
			run.Receive(1, at, 100)
		} else {
			run.Receive(1, at, 7000)
		}
	}
	e := &crowd.Experiment{Crowd: run.Plan, Runs: [][]*trace.Crowd{{run}}, Strategies: []linger.Strategy{keeping}, Trials: 1}
	shares := crowd.Compare(e).Rows[0].Shares
	if len(shares) != 2 || shares[0].Rate.Or(0) != 600 || shares[1].Rate.Or(0) != 100 {
		t.Errorf("%+v; want 600 and 100 bytes a second", shares)
	}
}
