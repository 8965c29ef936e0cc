// Package crowdsweep says what serves many clients best: to close connections, to keep them, or to
// keep them for so long. A sweep predicts crowds of several sizes and think times; a [Cell] is what
// each choice of strategy and idle timeout comes to in one of them, and a [Survey] what all come to.
//
// What serves best is found among the choices with which every page was loaded and which hold no
// more connections than allowed; of those, if there are any, with which at most one client in twenty
// waited for the server longer than a page takes: a client that is kept out waits with its first page
// alone, so that of many pages the 95th percentile misses it. Of what is left it is the one with the
// least 95th percentile of the page time; of those that lie within a margin of it, the one with the
// least median; of those within the margin of that, the one that holds the fewest connections.
package crowdsweep

import (
	"cmp"
	"math"
	"slices"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/crowd"
	"linger/compare/times"
	"linger/finding"
	"linger/policy"
	"linger/trace"
)

// Format names the document of a Sweep with its cells and its Survey, and the version of its form.
const Format = "linger crowdsweep 1"

// A Plan is a sweep before it has begun.
type Plan struct {
	Workload   linger.Workload
	Strategies []linger.Strategy
	Network    linger.Network
	// Crowd is what all crowds have alike; their clients and think times are the grid's. Without
	// Arrivals the clients come over one think time, at random, as if they had been there before.
	Crowd linger.Crowd
	Grid  linger.CrowdGrid
	// Server is the server's connection policy, but for its idle timeout, which is the grid's.
	Server   policy.ServerPolicy
	Capacity policy.Capacity
	// Budget is how many connections the server may hold for 99 % of the time; 0 is no bound.
	Budget int
	// BreakEven is for how long holding a connection costs as much as to open one (docs/tune.md).
	BreakEven time.Duration
	Seed      uint64
	Trials    int
}

// A Choice is a strategy, and the idle timeout of a server that it meets; 0 is no limit. Those that
// do not keep connections meet no limit.
type Choice struct {
	Strategy int // of the plan's
	Idle     time.Duration
}

// Choices are those of each cell: the strategies in their order, each with the grid's idle timeouts.
func (p Plan) Choices() (out []Choice) {
	for i, s := range p.Strategies {
		if !s.Persistent {
			out = append(out, Choice{Strategy: i})
			continue
		}
		for _, idle := range p.Grid.Idle {
			out = append(out, Choice{i, idle})
		}
	}
	return out
}

// CrowdOf is the crowd of cell i.
func (p Plan) CrowdOf(i int) linger.Crowd {
	c := p.Crowd
	c.Clients, c.Think = p.Grid.Cell(i)
	if c.Arrivals == 0 && c.Think.Mean() > 0 {
		c.Arrivals = float64(c.Clients) / c.Think.Mean().Seconds()
	}
	return c
}

// Pages is how many pages all cells have, with each choice and trial.
func (p Plan) Pages() (n float64) {
	for i := range p.Grid.Cells() {
		c := p.CrowdOf(i)
		visits := float64(c.Visits)
		if c.Duration > 0 {
			most := 1 + c.Duration.Seconds()/max(c.Think.Mean().Seconds(), 1e-3)
			if visits == 0 || most < visits {
				visits = most
			}
		}
		n += float64(c.Clients) * visits
	}
	return n * float64(len(p.Choices())*max(1, p.Trials))
}

// A Sweep is what there is to say of all crowds: the JSON of the document, but for its cells and the
// version of linger.
type Sweep struct {
	Workload   compare.Workload    `json:"workload"`
	Network    compare.Network     `json:"network"`
	Strategies []string            `json:"strategies"`
	Axes       Axes                `json:"axes"`
	Crowd      linger.Crowd        `json:"crowd"`
	Server     policy.ServerPolicy `json:"server"`
	Capacity   policy.Capacity     `json:"capacity"`
	Budget     int                 `json:"connections_budget,omitempty"`
	BreakEven  float64             `json:"break_even_ms"`
	Engine     string              `json:"engine"`
	Provenance trace.Provenance    `json:"provenance"`
	Seed       uint64              `json:"seed"`
	Trials     int                 `json:"trials"`
	Margin     float64             `json:"margin"` // what counts as a difference: a share of the longer time
}

// Axes are what the grid goes along.
type Axes struct {
	Clients []int    `json:"clients"`
	Think   []string `json:"think"`
	// Idle are the idle timeouts in ms; 0 is no limit.
	Idle []float64 `json:"idle_timeout_ms"`
}

// Of describes a sweep before it has begun.
func Of(p Plan) Sweep {
	s := Sweep{
		Workload: compare.WorkloadOf(p.Workload), Network: compare.NetworkOf(p.Network), Crowd: p.Crowd, Server: p.Server, Capacity: p.Capacity,
		Budget: p.Budget, BreakEven: ms(p.BreakEven), Engine: "sim", Provenance: trace.Predicted, Seed: p.Seed, Trials: p.Trials, Margin: times.Margin,
	}
	for _, x := range p.Strategies {
		s.Strategies = append(s.Strategies, x.Name)
	}
	s.Axes.Clients = p.Grid.Clients
	for _, t := range p.Grid.Think {
		s.Axes.Think = append(s.Axes.Think, t.String())
	}
	for _, d := range p.Grid.Idle {
		s.Axes.Idle = append(s.Axes.Idle, ms(d))
	}
	return s
}

// Limit is how many connections the server can hold at once: its workers, what it may have open, or
// the budget; 0 is no limit.
func (s Sweep) Limit() int {
	least := 0
	for _, n := range []int{s.Capacity.Workers, s.Capacity.MaxConnections, s.Budget} {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A Row is what one choice comes to in one crowd, over all trials. Times are in ms.
type Row struct {
	Strategy   string `json:"strategy"`
	Persistent bool   `json:"persistent"`
	// Idle is the server's idle timeout in ms; 0 is no limit.
	Idle       float64             `json:"idle_timeout_ms"`
	Trials     int                 `json:"trials"`
	Lost       int                 `json:"lost_trials,omitempty"` // that have no record
	Pages      int                 `json:"pages"`
	Failed     int                 `json:"failed"`
	Unfinished int                 `json:"unfinished"`
	Median     linger.Opt[float64] `json:"page_ms,omitzero"`
	P95        linger.Opt[float64] `json:"page_p95_ms,omitzero"`
	Worst      linger.Opt[float64] `json:"page_worst_ms,omitzero"`
	Rate       linger.Opt[float64] `json:"pages_per_s,omitzero"`
	// KeptOut is the share of the clients that waited for the server longer than a page takes those
	// who do not.
	KeptOut linger.Opt[float64] `json:"clients_kept_out,omitzero"`
	// Waited is how long connections waited until the server took them, its 95th percentile.
	Waited  linger.Opt[float64] `json:"waited_p95_ms,omitzero"`
	Refused int                 `json:"refused"`
	// Held are the connections that the server had taken.
	Held     linger.Opt[float64] `json:"held_mean,omitzero"`
	HeldP99  linger.Opt[float64] `json:"held_p99,omitzero"`
	HeldPeak linger.Opt[float64] `json:"held_peak,omitzero"`
	// Sockets are those with the connections that wait to be taken, for 99 % of the time.
	Sockets linger.Opt[float64] `json:"sockets_p99,omitzero"`
	Opened  linger.Opt[float64] `json:"connections_per_page,omitzero"`
	// Each is how many connections a client has at most at once, the mean over clients.
	Each linger.Opt[float64] `json:"connections_each,omitzero"`
	// Cost is what a page costs by the rule of tune: seconds of a connection held, and of each one
	// that is opened the break-even time.
	Cost linger.Opt[float64] `json:"cost_s,omitzero"`
	// Serves says that it serves as well as the best, Within that it holds no more than allowed.
	Serves bool   `json:"serves_best"`
	Within bool   `json:"within_budget"`
	Reason string `json:"reason,omitempty"` // why a trial has no record
}

// whole reports whether every page was loaded.
func (r Row) whole() bool {
	return r.Lost == 0 && r.Failed == 0 && r.Unfinished == 0 && r.Pages > 0 && !r.P95.IsZero()
}

// MayWait is the share of the clients that may wait for the server.
const MayWait = 0.05

// keepsOut reports whether more clients than may waited for the server.
func (r Row) keepsOut() bool { return r.KeptOut.Or(0) > MayWait }

// A Cell is one crowd, with a row for each choice.
type Cell struct {
	Clients int     `json:"clients"`
	Think   string  `json:"think"`
	Mean    float64 `json:"think_mean_ms"`
	Rows    []Row   `json:"rows"`
	// Best is the index of the row that serves best; Kept of the best among those that keep
	// connections, Tuned of the one among those that the rule of tune chooses; -1 where none does.
	Best  int `json:"best"`
	Kept  int `json:"best_kept"`
	Tuned int `json:"best_by_tune"`
}

// CellOf makes cell i of what each choice came to: the rows of the comparison of that crowd, indexed
// as Choices, and why a trial of it has no record.
func (p Plan) CellOf(i int, rows []crowd.Row, reasons []string) Cell {
	of := p.CrowdOf(i)
	c := Cell{Clients: of.Clients, Think: of.Think.String(), Mean: ms(of.Think.Mean()), Best: -1, Kept: -1, Tuned: -1}
	for k, choice := range p.Choices() {
		c.Rows = append(c.Rows, p.row(choice, rows[k], reasons[k]))
	}
	c.Best = c.choose(func(Row) bool { return true })
	c.Kept = c.choose(func(r Row) bool { return r.Persistent })
	if c.Best >= 0 {
		for _, k := range c.near(func(Row) bool { return true }) {
			c.Rows[k].Serves = true
		}
	}
	c.Tuned = c.tuned(Of(p).Limit())
	return c
}

// tuned is the row that the rule of tune chooses of those that keep connections: the one that costs
// least, of those that hold no more than there may be. It counts connections and knows of no page.
func (c Cell) tuned(limit int) int {
	best := -1
	for k, r := range c.Rows {
		cost, ok := r.Cost.Get()
		if !ok || !r.Persistent || limit > 0 && r.Sockets.Or(math.Inf(1)) > float64(limit) {
			continue
		}
		if best < 0 || cost < c.Rows[best].Cost.Or(math.Inf(1)) {
			best = k
		}
	}
	return best
}

// row is what is kept of a comparison's row.
func (p Plan) row(choice Choice, from crowd.Row, reason string) Row {
	s := p.Strategies[choice.Strategy]
	r := Row{
		Strategy: s.Name, Persistent: s.Persistent, Idle: ms(choice.Idle), Trials: from.Trials, Lost: from.Lost, Reason: reason,
		Pages: from.Pages.Wanted, Failed: from.Pages.Failed, Unfinished: from.Pages.Unfinished,
		Median: from.Pages.Median, P95: from.Pages.P95, Worst: from.Pages.Worst, Rate: from.Rate,
		Waited: from.Waits.P95, Refused: from.Refused,
		Held: from.Workers.Mean, HeldP99: from.Workers.P99, HeldPeak: from.Workers.Peak, Sockets: from.Server.Sockets.P99, Opened: from.PerPage, Each: from.Each,
	}
	if came := from.Clients.Came.Or(0); came > 0 && !from.Clients.Waited.IsZero() {
		r.KeptOut = linger.Known(from.Clients.Waited.Or(0) / came)
	}
	rate, ok := r.Rate.Get()
	held, ok2 := r.Held.Get()
	if opened, ok3 := r.Opened.Get(); ok && ok2 && ok3 && rate > 0 {
		r.Cost = linger.Known(opened*p.BreakEven.Seconds() + held/rate)
	}
	r.Within = p.Budget == 0 || r.Sockets.Or(math.Inf(1)) <= float64(p.Budget)
	return r
}

// near returns the rows that serve as well as the best of some, by the rule that the package states.
func (c Cell) near(among func(Row) bool) []int {
	var left []int
	for k, r := range c.Rows {
		if among(r) && r.whole() && r.Within {
			left = append(left, k)
		}
	}
	keepsOut := func(k int) bool { return c.Rows[k].keepsOut() }
	if slices.ContainsFunc(left, func(k int) bool { return !keepsOut(k) }) {
		left = slices.DeleteFunc(left, keepsOut)
	}
	for _, figure := range []func(Row) float64{func(r Row) float64 { return r.P95.Or(0) }, func(r Row) float64 { return r.Median.Or(0) }} {
		if len(left) == 0 {
			return nil
		}
		of := func(k int) float64 { return figure(c.Rows[k]) }
		least := of(slices.MinFunc(left, func(a, b int) int { return cmp.Compare(of(a), of(b)) }))
		left = slices.DeleteFunc(left, func(k int) bool { return times.Differ(least, of(k)) })
	}
	return left
}

// choose returns the best of some rows, -1 where none serves.
func (c Cell) choose(among func(Row) bool) int {
	near := c.near(among)
	if len(near) == 0 {
		return -1
	}
	return slices.MinFunc(near, func(a, b int) int {
		return cmp.Compare(c.Rows[a].Held.Or(math.Inf(1)), c.Rows[b].Held.Or(math.Inf(1)))
	})
}

// Subject is the think time as findings name it.
func subject(think string) finding.Subject { return finding.Subject{Kind: "think", Name: think} }
