package compare

import (
	"cmp"
	"slices"

	"linger"
	"linger/compare/times"
	"linger/finding"
	"linger/stats"
)

// A Step is a part of the way from the slowest strategy to the fastest: what a change of
// strategy saves, or a part of that.
type Step struct {
	// Cause is what the step is about: a Step... code.
	Cause string `json:"cause"`
	// From and To are the two strategies, each of which has a row. Steps that part what one
	// change saves have the same two.
	From string `json:"from"`
	To   string `json:"to"`
	// Saves is the time of From less that of To, in ms, or its part; less than nothing is
	// more. All steps together are the time of the slowest less that of the fastest.
	Saves float64 `json:"saves_ms"`
	// Significant says that From and To differ; Untested that the trials are too few to tell.
	Significant bool `json:"significant"`
	Untested    bool `json:"untested,omitempty"`
	// Figures are those of From and To that the step changes: the requests that may be
	// under way (parallel, 0 as many as there are; at_a_time where both have as many), connections, handshakes, and
	// setup_round_trips of a connection. Of StepSeveral they name each cause. They stand in the
	// first of the steps that part one change.
	Figures finding.Figures `json:"figures,omitempty"`
}

// Causes of steps.
const (
	StepHandshakes   = "handshakes"   // waiting for them, one after the other
	StepSlowStart    = "slow_start"   // the congestion window stays open
	StepHosts        = "hosts"        // what the hosts do besides
	StepOther        = "other"        // what else a kept connection saves
	StepKeepAlive    = "keep_alive"   // all of those, where they cannot be told apart
	StepQueueing     = "queueing"     // requests wait for fewer others
	StepMultiplexing = "multiplexing" // HTTP/2: all of them at once on one connection
	StepQUIC         = "quic"         // HTTP/3 instead of HTTP/2
	StepSetup        = "setup"        // resumption, early data, Fast Open
	StepProtocol     = "protocol"     // another protocol or version
	StepClient       = "client"       // another program fetches
	StepSeveral      = "several"      // more than one of those; Figures have each as a "cause"
)

// steps leads from the slowest case to the fastest, by way of those in between that change
// one thing each. There are none where the two cannot be told apart.
//
// In a chain each request follows the answer to the one before it, so that none waits for
// another and how many may be under way changes nothing.
func steps(cases []*measured, best *measured, chain bool) []Step {
	timed := filter(cases, func(c *measured) bool { return c.Known })
	if best == nil || len(timed) < 2 {
		return nil
	}
	slowest := slices.MaxFunc(timed, func(a, b *measured) int { return cmp.Compare(a.Median.Value, b.Median.Value) })
	if slowest == best || times.Alike(slowest.Timed, best.Timed) {
		return nil
	}
	r := route{cases: cases, at: slowest, want: slowest.Strategy, chain: chain}
	r.options(false, best.Strategy)
	if best.Strategy.DNS != "" {
		r.lookUps(best.Strategy)
	} else {
		r.fetches(best.Strategy)
	}
	r.options(true, best.Strategy)
	if r.at != best {
		if !times.Equal(r.want, best.Strategy) {
			r.causes = append(r.causes, StepProtocol)
		}
		r.reach(best)
	}
	return r.steps
}

// A route is on its way from one strategy to another.
type route struct {
	cases  []*measured
	at     *measured
	want   linger.Strategy // what the changes so far come to, whether it was tried or not
	causes []string        // of the changes since at
	chain  bool
	steps  []Step
}

// change changes one thing, and takes a step where what that comes to was tried.
func (r *route) change(cause string, to linger.Strategy) {
	if times.Equal(r.want, to) {
		return
	}
	r.want = to
	if cause == StepMultiplexing && r.chain {
		cause = StepProtocol
	}
	if !slices.Contains(r.causes, cause) {
		r.causes = append(r.causes, cause)
	}
	if c := first(r.cases, func(c *measured) bool { return times.Equal(c.Strategy, to) }); c != nil && c != r.at {
		r.reach(c)
	}
}

// options takes away what makes set-up cheaper and the goal has not, or adds what it has.
func (r *route) options(add bool, goal linger.Strategy) {
	to := r.want
	pick := func(has, wants bool) bool { return has && wants || add && wants }
	to.Resume, to.EarlyData, to.FastOpen = pick(to.Resume, goal.Resume), pick(to.EarlyData, goal.EarlyData), pick(to.FastOpen, goal.FastOpen)
	if add {
		to.Get = goal.Get
	}
	r.change(StepSetup, to)
}

// fetches changes how objects are fetched: who fetches, whether connections are kept, how
// many there are, and the version of HTTP.
func (r *route) fetches(goal linger.Strategy) {
	to := r.want
	to.Client = goal.Client
	r.change(StepClient, to)
	if to.Version == "1.0" {
		to.Version = "1.1"
		r.change(StepProtocol, to)
	}
	if goal.Persistent && !to.Persistent {
		// Where that was not tried with as many connections, but with more.
		if more := r.abreast(to); r.kept(to) == nil && more != nil && r.kept(more.Strategy) != nil {
			to = more.Strategy
			r.change(StepQueueing, to)
		}
		to.Persistent = true
		r.change(StepKeepAlive, to)
	}
	one := !to.Multiplexed && to.InFlight == 1
	if browser := r.abreast(to); goal.Multiplexed && one && !r.chain && browser != nil && browser.Strategy.Connections > to.Connections {
		to.Connections = browser.Strategy.Connections
		r.change(StepQueueing, to)
	} else if !goal.Multiplexed && !to.Multiplexed {
		to.Connections, to.InFlight = goal.Connections, goal.InFlight
		r.change(StepQueueing, to)
	}
	to.Persistent = goal.Persistent
	r.change(StepKeepAlive, to)
	if goal.Multiplexed && to.Version != goal.Version && to.Version != "3" {
		to.Version, to.Connections, to.InFlight, to.Multiplexed = "2", goal.Connections, goal.InFlight, true
		r.change(StepMultiplexing, to)
		to.Version = goal.Version
		r.change(StepQUIC, to)
	}
}

// kept is the case that does as s over kept connections, or nil.
func (r *route) kept(s linger.Strategy) *measured {
	return first(r.cases, func(c *measured) bool { return times.OnlyKept(s, c.Strategy) })
}

// abreast is the fastest strategy that does as s over several connections, or nil.
func (r *route) abreast(s linger.Strategy) *measured {
	return fastest(filter(r.cases, func(c *measured) bool {
		s.Connections = c.Strategy.Connections
		return s.Connections > 1 && times.Equal(s, c.Strategy)
	}))
}

// lookUps changes how names are looked up: whether a connection is kept, how many queries
// are under way, and what carries them.
func (r *route) lookUps(goal linger.Strategy) {
	if kept := r.kept(r.want); kept != nil && goal.Persistent {
		r.change(StepKeepAlive, kept.Strategy)
	}
	to := r.want
	if to.Persistent && to.Parallel() != goal.Parallel() {
		to.InFlight, to.Multiplexed = linger.Unlimited, true
		r.change(StepQueueing, to)
	}
	if to.Persistent == goal.Persistent || to.DNS != goal.DNS {
		to.Persistent, to.Datagram, to.DNS, to.Version = goal.Persistent, goal.Datagram, goal.DNS, goal.Version
		to.Connections, to.InFlight, to.Multiplexed = goal.Connections, goal.InFlight, goal.Multiplexed
		r.change(StepProtocol, to)
	}
}

// reach takes a step to a case, in its parts where those can be told apart.
func (r *route) reach(to *measured) {
	relation, p := times.Relate(to.Timed, r.at.Timed)
	step := Step{From: r.at.row.Strategy, To: to.row.Strategy, Figures: changed(r.at, to)}
	step.Significant = times.Significant(relation, p)
	step.Untested = !step.Significant && relation != times.Same
	add := func(cause string, ms float64) {
		step.Cause, step.Saves = cause, stats.Round(ms, 1e-3)
		r.steps = append(r.steps, step)
		step.Figures = nil // they are told once
	}
	// Of rounded medians, so that the sum is that of the rows.
	total := stats.Round(r.at.Median.Value, 1e-3) - stats.Round(to.Median.Value, 1e-3)
	switch d, ok := divide(r.at, to); {
	case len(r.causes) > 1:
		for _, c := range r.causes {
			step.Figures = append(step.Figures, finding.Word("cause", c))
		}
		add(StepSeveral, total)
	case r.causes[0] == StepKeepAlive && times.OnlyKept(r.at.Strategy, to.Strategy) && ok:
		shakes, slow := stats.Round(d.handshakes, 1e-3), stats.Round(d.slowStarts, 1e-3)
		add(StepHandshakes, shakes)
		if slow != 0 {
			add(StepSlowStart, slow)
		}
		if rest := stats.Round(total-shakes-slow, 1e-3); rest != 0 && d.inHosts {
			add(StepHosts, rest)
		} else if rest != 0 {
			add(StepOther, rest)
		}
	default:
		add(r.causes[0], total)
	}
	r.at, r.want, r.causes = to, to.Strategy, nil
}

// changed are the figures of two cases that a step changes, where they are known of both, and
// what it takes to set a connection up.
func changed(from, to *measured) finding.Figures {
	var out finding.Figures
	both := func(name string, a, b linger.Opt[float64], unit string) {
		out = append(out, from.figure(name, a, unit), to.figure(name, b, unit))
	}
	if m, n := from.Strategy.Parallel(), to.Strategy.Parallel(); m != n {
		both("parallel", linger.Known(float64(m)), linger.Known(float64(n)), "")
	}
	if n := from.Strategy.Parallel(); n > 1 && n == to.Strategy.Parallel() {
		out = append(out, finding.Counted("at_a_time", n))
	}
	a, b := from.row, to.row
	if !a.Connections.IsZero() && !b.Connections.IsZero() && a.Connections != b.Connections {
		both("connections", a.Connections, b.Connections, "")
	}
	if !a.Handshakes.IsZero() && !b.Handshakes.IsZero() && a.Handshakes != b.Handshakes {
		both("handshakes", a.Handshakes, b.Handshakes, "")
	}
	if !a.SetupRoundTrips.IsZero() && !b.SetupRoundTrips.IsZero() {
		both("setup_round_trips", a.SetupRoundTrips, b.SetupRoundTrips, "RTT")
	}
	return out
}

// A division is what a kept connection saves, in ms, by cause.
type division struct {
	handshakes, slowStarts, rest float64
	inHosts                      bool // the rest is what the hosts spend
}

// divide parts what a kept connection saves into handshakes, slow starts, and what is saved
// in the hosts or otherwise, which may be less than nothing. Slow starts are the rest that
// goes with the delay, and so is round trips too, where there is a response that takes more
// than one window. Only where one thing happens after the other are the parts a sum, and
// only where the time without delay is known can what the hosts spend be told from the path.
func divide(base, kept *measured) (d division, ok bool) {
	a, ok := base.inside.waited.Get()
	b, ok2 := kept.inside.waited.Get()
	x, ok3 := base.Uncertainty().Get()
	y, ok4 := kept.Uncertainty().Get()
	saves, off := base.Median.Value-kept.Median.Value, x+y
	d.handshakes = a - b
	if !ok || !ok2 || !ok3 || !ok4 || base.Strategy.Connections > 1 || d.handshakes <= off || d.handshakes >= saves+off {
		return division{}, false
	}
	d.rest = saves - d.handshakes
	floor, ok := base.inside.zeroRTT.Median()
	floorKept, ok2 := kept.inside.zeroRTT.Median()
	// What the hosts spend on handshakes is a part of those.
	hosts := floor - floorKept - (base.inside.waitedZeroRTT.Or(0) - kept.inside.waitedZeroRTT.Or(0))
	if slow := d.rest - hosts; ok && ok2 && base.inside.large && slow > off {
		d.slowStarts, d.rest, d.inHosts = slow, hosts, true
	}
	return d, true
}
