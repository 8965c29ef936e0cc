package crowd

import (
	"cmp"
	"math"
	"slices"
	"time"

	"linger"
	"linger/finding"
	"linger/trace"
)

const (
	// leastPages is how many pages a strategy has at least that is judged: 95 of 100 are not 19.
	leastPages = 20
	// same is by what part two times differ that are called the same, and sameForeseen where one
	// of them is predicted and the other measured; sameMs is so many ms that are nothing.
	same, sameForeseen, sameMs = 0.05, 0.10, 1.0
	// lost is by how much of all pages two strategies differ of which one loads more.
	lost = 0.01
)

// A choice is what may be done with connections: a strategy as it was run, or one with an idle
// timeout, predicted.
type choice struct {
	row      *Row
	foreseen bool
	idle     time.Duration // of foreseen; 0 is none
}

// unloaded is the part of the pages that were not loaded.
func (c choice) unloaded() float64 {
	p := c.row.Pages
	return float64(p.Wanted-p.Loaded) / float64(max(p.Wanted, 1))
}

// figures are what order choices, what comes first before the others: each is known, or infinite.
func (c choice) figures() [3]float64 {
	p := c.row.Pages
	return [3]float64{c.row.Clients.Slow.Or(math.Inf(1)), p.P95.Or(math.Inf(1)), p.Median.Or(math.Inf(1))}
}

// before orders choices by what they serve, whatever the difference.
func (c choice) before(o choice) int {
	a, b := c.figures(), o.figures()
	return cmp.Or(cmp.Compare(c.unloaded(), o.unloaded()), slices.Compare(a[:], b[:]))
}

// serves compares what two choices serve: more than nothing where o serves more, 0 where the
// difference is within what is the same, or within what chance may do. First comes how many
// pages are loaded, then what those clients wait that wait most, then the time that 95 of 100
// pages do not exceed, then the median.
func (c choice) serves(o choice) int {
	if d := c.unloaded() - o.unloaded(); math.Abs(d) > lost {
		return cmp.Compare(d, 0)
	}
	margin := same
	if c.foreseen != o.foreseen {
		margin = sameForeseen
	}
	a, b := c.figures(), o.figures()
	for i := range a {
		chance := 2 * math.Hypot(c.row.errors[i], o.row.errors[i])
		if d := differ(a[i], b[i], max(sameMs, margin*min(a[i], b[i]))+chance); d != 0 && !overlapping(c.row.trials[i], o.row.trials[i]) {
			return d
		}
	}
	return 0
}

// differ compares two times, of which either may be infinite.
func differ(a, b, margin float64) int {
	if a == b || math.Abs(a-b) <= margin {
		return 0
	}
	return cmp.Compare(a, b)
}

// overlapping reports whether the times of several trials do not all lie on the same side of the others.
func overlapping(a, b []float64) bool {
	return len(a) > 1 && len(b) > 1 && slices.Max(a) >= slices.Min(b) && slices.Max(b) >= slices.Min(a)
}

// A judge has what there is to choose from.
type judge struct {
	result *Result
	crowd  linger.Crowd
	// keep, close and timed are the best of their kind; no row where there is none.
	keep, close, timed choice
	limit              float64 // on connections, of all servers; 0 is none
	quick              float64 // ms
	predicted          bool    // all that was run is predicted
	stopped            bool    // a run was stopped before its end
}

func judgeOf(out *Result, e *Experiment, quick float64) judge {
	j := judge{result: out, crowd: e.Crowd, quick: quick, predicted: e.Provenance == trace.Predicted, stopped: interrupted(e)}
	j.limit, _ = room(e.Capacity, e.Crowd)
	for i := range out.Rows {
		c := choice{row: &out.Rows[i]}
		if c.row.Pages.Wanted == 0 {
			continue
		}
		to := &j.close
		if c.row.Persistent {
			to = &j.keep
		}
		if to.row == nil || c.before(*to) < 0 {
			*to = c
		}
	}
	j.timed = j.bestTimed()
	return j
}

// bestTimed is the strategy with an idle timeout that is predicted to do best: of those that serve
// as much as the best of them, the one with the longest, which opens least.
func (j judge) bestTimed() choice {
	var all []choice
	for i := range j.result.Foreseen {
		f := &j.result.Foreseen[i]
		if f.Row.Pages.Wanted > 0 {
			all = append(all, choice{&f.Row, !j.predicted, f.IdleTimeout})
		}
	}
	if len(all) == 0 {
		return choice{}
	}
	best := slices.MinFunc(all, choice.before)
	out := best
	longest := func(c choice) time.Duration {
		if c.idle == 0 {
			return math.MaxInt64
		}
		return c.idle
	}
	for _, c := range all {
		if c.serves(best) == 0 && longest(c) > longest(out) {
			out = c
		}
	}
	return out
}

// choices are those that there are. A prediction without an idle timeout is of what was run.
func (j judge) choices() []choice {
	var out []choice
	for _, c := range []choice{j.keep, j.close, j.timed} {
		if c.row != nil && (c.idle > 0 || c != j.timed) {
			out = append(out, c)
		}
	}
	return out
}

func (j judge) verdict() Verdict {
	v := Verdict{Advice: NotKnown}
	v.Cause = j.undecided()
	if v.Cause == "" {
		v.Best = j.best()
		v.Advice, v.Cause = j.advice(slices.MinFunc(j.choices(), choice.before))
	}
	if v.Advice == KeepFor {
		v.IdleTimeout = linger.Known(j.timed.idle)
	}
	if j.timed.row != nil && j.timed.idle > 0 {
		v.Foreseen = linger.Known(j.timed.idle)
	}
	even, broken := j.breakEven()
	v.BreakEven = even
	if len(j.crowd.Mix) < 2 || v.Cause != CauseSingle {
		v.Findings = append(v.Findings, j.lead(v))
	}
	v.Findings = slices.Concat(v.Findings, j.mixed(), j.waiting(), broken, j.predictedBest(v), j.cost(), j.unequals(), j.servers(), j.law())
	return v
}

// undecided is why nothing can be advised, or nothing.
func (j judge) undecided() string {
	loaded, few := 0, false
	for _, c := range j.choices() {
		loaded += c.row.Pages.Loaded
		few = few || c.row.Pages.Wanted < leastPages
	}
	switch {
	case loaded == 0:
		return CauseNothing
	case few:
		return CauseFew
	case j.overrun():
		return CauseOverrun
	case len(j.choices()) < 2:
		return CauseSingle
	}
	return ""
}

// overrun reports whether no strategy loads half of the pages.
func (j judge) overrun() bool {
	return !slices.ContainsFunc(j.choices(), func(c choice) bool { return c.unloaded() <= 0.5 })
}

// advice is what to do, and what decides it.
func (j judge) advice(best choice) (advice, cause string) {
	good := func(c choice) bool { return c.row != nil && c.serves(best) == 0 }
	switch {
	case good(j.keep) && good(j.close):
		if j.heavier() {
			return Either, CauseMemory
		}
		return Either, ""
	case good(j.keep):
		if j.close.row != nil && j.close.row.PerPage.Or(0) > 1.05*j.keep.row.PerPage.Or(math.Inf(1)) {
			return Keep, CauseHandshakes
		}
		return Keep, CauseTimes
	case good(j.timed) && j.timed.idle > 0:
		return KeepFor, j.why(best)
	}
	cause = j.why(best)
	if cause == CauseTimes && j.keep.row != nil && j.wider() {
		return NotKnown, CauseParallel
	}
	return Close, cause
}

// wider reports whether what closes may have more requests under way at once than what keeps: then
// it is not known what closing alone does.
func (j judge) wider() bool {
	many := func(r *Row) int {
		for _, s := range j.result.Experiment.Strategies {
			if s.Name == r.Strategy {
				return s.Parallel()
			}
		}
		return 0
	}
	k, c := many(j.keep.row), many(j.close.row)
	return k != linger.Unlimited && (c == linger.Unlimited || c > k)
}

// why is what keeping connections without a timeout suffers from.
func (j judge) why(best choice) string {
	k, b := j.keep.row, best.row
	if k == nil {
		return CauseTimes
	}
	waits := func(r *Row) float64 { return r.Waits.P95.Or(cmp.Or(r.Waits.AtLeast.P95.Or(0), 0)) }
	behind := k.Waits.N == 0 && k.Queue.Mean.Or(0) > 2*b.Queue.Mean.Or(0)+queuing
	full := j.limit > 0 && k.Workers.Peak.Or(0) >= 0.99*j.limit
	switch {
	case full && waits(k) > max(2*waits(b), 10), j.limit > 0 && k.Clients.Waited.Or(0) > 2*b.Clients.Waited.Or(0)+1, behind:
		return CauseWorkers
	case k.Balance.Uneven.Or(1) > max(1.25, 0.1+b.Balance.Uneven.Or(1)):
		return CauseServers
	case k.Jain.Or(1) < b.Jain.Or(1)-0.1:
		return CauseShares
	}
	return CauseTimes
}

// heavier reports whether the server's kernel holds much more for kept connections.
func (j judge) heavier() bool {
	k, ok := j.keep.row.Server.Memory.Mean.Get()
	c, ok2 := j.close.row.Server.Memory.Mean.Get()
	return ok && ok2 && k > 2*c && k-c > 100_000
}

// best is the strategy that serves more than all others that were run, or nothing.
func (j judge) best() string {
	var all []choice
	for i := range j.result.Rows {
		if c := (choice{row: &j.result.Rows[i]}); c.row.Pages.Wanted > 0 {
			all = append(all, c)
		}
	}
	best := slices.MinFunc(all, choice.before)
	for _, c := range all {
		if c.row != best.row && c.serves(best) == 0 {
			return ""
		}
	}
	return best.row.Strategy
}

// near reports whether it is advised to keep or to close though the other is not far behind: by less
// than half in all figures.
func (j judge) near(v Verdict) bool {
	if v.Advice != Keep && v.Advice != Close || j.keep.row == nil || j.close.row == nil {
		return false
	}
	a, b := j.keep.figures(), j.close.figures()
	for i := range a {
		if max(a[i], b[i]) > 1.5*min(a[i], b[i]) {
			return false
		}
	}
	return true
}

// subject is the strategy of a row.
func subject(r *Row) finding.Subject { return finding.Subject{Kind: "strategy", Name: r.Strategy} }

// times are what pages took, as far as it is known, and what they took at least.
func (c choice) times() finding.Figures {
	whose := c.row.Strategy
	var out finding.Figures
	for _, q := range []struct {
		name      string
		known, at linger.Opt[float64]
	}{{"median", c.row.Pages.Median, c.row.Pages.AtLeast.Median}, {"p95", c.row.Pages.P95, c.row.Pages.AtLeast.P95}} {
		name := q.name
		if c.idle > 0 || c.foreseen {
			name += "_foreseen"
		}
		f := finding.Figure{Name: name, Of: whose, Unit: "ms", Value: q.known}
		if q.known.IsZero() && !q.at.IsZero() {
			f.Interval = linger.Known(finding.Interval{Low: q.at})
		}
		out = append(out, f)
	}
	out = append(out, finding.Number("loaded", 1-c.unloaded(), "share").Whose(whose))
	if !c.row.Clients.Slow.IsZero() {
		out = append(out, maybe("slow", c.row.Clients.Slow, "ms").Whose(whose))
	}
	return out
}

// lead is the first finding: what to do.
func (j judge) lead(v Verdict) finding.Finding {
	f := finding.Finding{Code: v.Advice, Cause: v.Cause, Severity: finding.Note}
	var first, second choice
	switch v.Advice {
	case Keep:
		first, second = j.keep, j.close
	case Close:
		first, second = j.close, j.keep
	case KeepFor:
		first, second = j.timed, j.keep
		f.Figures = append(f.Figures, finding.Number("idle_timeout", milliseconds(linger.Instant(j.timed.idle)), "ms"))
	case Either:
		first, second = j.keep, j.close
	case NotKnown:
		f.Severity = finding.Unknown
		first = cmp.Or(j.keep, j.close)
		second = choice{}
		if first == j.keep {
			second = j.close
		}
	}
	if first.row == nil {
		return f
	}
	f.Subject = subject(first.row)
	f.Figures = append(f.Figures, finding.Counted("clients", j.crowd.Clients), finding.Counted("pages", first.row.Pages.Wanted))
	f.Figures = append(f.Figures, first.times()...)
	for _, other := range []choice{second, j.third(v.Advice)} {
		if other.row != nil {
			f.Figures = append(f.Figures, finding.Word("other", other.row.Strategy))
			f.Figures = append(f.Figures, other.times()...)
		}
	}
	if j.limit > 0 {
		f.Figures = append(f.Figures, finding.Number("limit", j.limit, ""))
	}
	return f
}

// third is what else stands beside what is advised: closing, beside an idle timeout.
func (j judge) third(advice string) choice {
	if advice == KeepFor {
		return j.close
	}
	return choice{}
}
