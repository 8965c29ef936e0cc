package compare

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"linger"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/trace"
)

// An attempt is one strategy with its trials and what they come to.
type attempt struct {
	*measured
	trials
	failures, zeroRTTFailures []string // why trials have no trace
}

// caveat is one about the strategy.
func (c attempt) caveat(code, cause string, figures ...finding.Figure) finding.Caveat {
	return finding.Caveat{Code: code, Cause: cause, Subject: c.Subject(), Figures: figures}
}

// caveat is one about the whole experiment.
func caveat(code, cause string, figures ...finding.Figure) finding.Caveat {
	return finding.Caveat{Code: code, Cause: cause, Figures: figures}
}

// named lists strategies.
func named(all []attempt) []finding.Figure {
	var out []finding.Figure
	for _, c := range all {
		out = append(out, finding.Word("strategy", c.Name()))
	}
	return out
}

// caveats lists every reason not to believe the figures. fixed says that it is fixed when each
// query is asked, so that the times of the loads say nothing.
func caveats(setup trace.Setup, interrupted, fixed bool, all []attempt) []finding.Caveat {
	each := func(about func(c attempt) []finding.Caveat) (out []finding.Caveat) {
		for _, c := range all {
			out = append(out, about(c)...)
		}
		return out
	}
	best := times.Fastest(timesOf(casesOf(all)))
	out := slices.Concat(
		each(func(c attempt) []finding.Caveat { return contradictions(setup.Workload, c) }),
		each(func(c attempt) []finding.Caveat { return changedObjects(setup.Workload, c) }),
		each(func(c attempt) []finding.Caveat { return failures(setup.Workload, c) }),
		notAllRun(setup.Trials, interrupted, all),
		sequential(setup.Workload, all),
		each(func(c attempt) []finding.Caveat {
			return slices.Concat(notHonoured(setup, fixed, c), otherProtocol(c), notEased(c))
		}),
		retries(setup.Workload, all),
		uncounted(all),
		lateness(setup.Network, fixed, all, best),
		retransmitted(all),
		tooFew(setup.Trials, interrupted, all),
	)
	if !fixed {
		out = append(out, overlap(all, best)...)
	}
	out = slices.Concat(out, twoStacks(all), severalClients(all))
	if !fixed {
		out = append(out, uncertainRoundTrips(setup.Network, all)...)
	}
	for i, c := range out {
		out[i].Decisive = decisive(c)
	}
	return out
}

// casesOf are what the attempts come to.
func casesOf(all []attempt) []*measured {
	var cases []*measured
	for _, c := range all {
		cases = append(cases, c.measured)
	}
	return cases
}

// notAllRun tells that the experiment ended before the last planned trial.
func notAllRun(planned int, interrupted bool, all []attempt) []finding.Caveat {
	if !interrupted {
		return nil
	}
	ended := 0
	for _, c := range all {
		ended += c.row.Trials
	}
	return []finding.Caveat{caveat(Interrupted, "", finding.Counted("ended", ended), finding.Counted("planned", planned*len(all)))}
}

// decisive reports whether a caveat could change which strategy is fastest or what keep-alive
// saves: the strategies did not fetch the same, or not as they should have; some trials are
// missing; or something else explains the difference. What the verdict says by itself (ties,
// too few trials) is none, nor is what touches other figures than the time.
func decisive(c finding.Caveat) bool {
	switch c.Code {
	case Bytes, Changed, Interrupted, NotHonoured, Sequential, Stacks, Clients:
		return true
	case Failed:
		return c.Cause == CauseExchanges || c.Cause == CauseTrials
	case Late:
		return c.Cause == CauseExplains
	}
	return false
}

// sequential tells that no two requests can be under way together, where strategies differ in
// how many may be.
func sequential(w linger.Workload, all []attempt) []finding.Caveat {
	several := slices.ContainsFunc(all, func(c attempt) bool { return c.Strategy.Parallel() != 1 })
	if len(w.Exchanges) > 2 && oneAfterOther(w) && several {
		return []finding.Caveat{caveat(Sequential, "")}
	}
	return nil
}

// oneAfterOther reports whether each request follows the answer to the one before it. When
// queries are wanted is in the traces (oneByOne).
func oneAfterOther(w linger.Workload) bool { return w.Scheme != linger.SchemeDNS && isChain(w) }

// severalClients tells that a browser does more than fetch.
func severalClients(all []attempt) (out []finding.Caveat) {
	var agent string
	own := false
	for _, c := range all {
		agent = cmp.Or(agent, c.row.Agent)
		own = own || c.Strategy.Client == ""
	}
	if agent != "" && own {
		out = append(out, caveat(Clients, "", finding.Word("agent", agent)))
	}
	return out
}

// twoStacks tells that QUIC and TCP differ by more than their protocols: one is the
// program's, the other the kernel's.
func twoStacks(all []attempt) (out []finding.Caveat) {
	made, tcp := "", false
	for _, c := range all {
		for _, t := range c.ended {
			for _, k := range facts.Connections(t) {
				if q, ok := k.QUIC.Get(); ok {
					made = cmp.Or(made, q.Stack)
				} else {
					tcp = true
				}
			}
		}
	}
	if made != "" && tcp {
		out = append(out, caveat(Stacks, "", finding.Word("stack", made)))
	}
	return out
}

// contradictions checks each trace against the workload, and the ledger against the
// exchanges: what the link carried cannot be less than what HTTP delivered.
func contradictions(w linger.Workload, c attempt) []finding.Caveat {
	wrong := 0
	var example finding.Caveat // the first
	for _, t := range c.ended {
		if cause, figures := contradiction(t, w); cause != "" {
			wrong++
			if wrong == 1 {
				example = c.caveat(Bytes, cause, append(figures, finding.Counted("trial", t.Trial+1))...)
			}
		}
	}
	if wrong == 0 {
		return nil
	}
	example.Figures = append(example.Figures, finding.Counted("wrong", wrong), finding.Counted("trials", len(c.ended)))
	return []finding.Caveat{example}
}

// changedObjects tells of objects that had another size than when the page was visited first:
// the strategies then did not fetch the same.
func changedObjects(w linger.Workload, c attempt) []finding.Caveat {
	if !w.Found {
		return nil
	}
	objects := map[int]bool{}
	var bytes []float64
	for _, t := range c.whole {
		var sum int64
		for _, e := range t.Exchanges {
			if sum += e.ResponseBody; e.ResponseBody != w.Exchanges[e.ID].ResponseBody {
				objects[e.ID] = true
			}
		}
		bytes = append(bytes, float64(sum))
	}
	if len(objects) == 0 {
		return nil
	}
	return []finding.Caveat{c.caveat(Changed, "", finding.Counted("changed", len(objects)), finding.Counted("objects", len(w.Exchanges)),
		finding.Number("least", slices.Min(bytes), "bytes"), finding.Number("most", slices.Max(bytes), "bytes"),
		finding.Number("first_visit", float64(w.Bytes()), "bytes"))}
}

// contradiction returns the first thing in a trace that cannot be: its cause, empty
// where there is none, with figures.
func contradiction(t *trace.Trace, w linger.Workload) (cause string, figures finding.Figures) {
	seen := make([]bool, len(w.Exchanges))
	heads := !facts.CompressesHeads(t) // their sizes are those on the wire
	var up, down int64
	for _, e := range t.Exchanges {
		if e.ID < 0 || e.ID >= len(seen) || seen[e.ID] {
			return CauseStray, finding.Figures{finding.Counted("exchange", e.ID)}
		}
		seen[e.ID] = true
		if e.Failed != "" {
			continue
		}
		up += e.RequestBody
		down += e.ResponseBody
		if heads {
			up += e.RequestHead
			down += e.ResponseHead
		}
		// How long an answer of DNS is, is its server's affair; padding adds to it.
		if want := w.Exchanges[e.ID].ResponseBody; e.ResponseBody != want && w.Scheme != linger.SchemeDNS && !w.Found {
			return CauseWrongSize, finding.Figures{finding.Counted("exchange", e.ID),
				finding.Number("delivered", float64(e.ResponseBody), "bytes"), finding.Number("size", float64(want), "bytes")}
		}
	}
	if missing := len(w.Exchanges) - len(t.Exchanges); missing > 0 {
		return CauseMissing, finding.Figures{finding.Counted("missing", missing)}
	}
	flows, ok := facts.Flows(t)
	if !ok {
		return "", nil
	}
	var carriedUp, carriedDown int64
	for f := range flows {
		carriedUp += f.Up.Payload - f.Up.RetransmittedBytes
		carriedDown += f.Down.Payload - f.Down.RetransmittedBytes
	}
	if carriedUp < up || carriedDown < down {
		return CauseCarried, finding.Figures{
			finding.Number("http_up", float64(up), "bytes"), finding.Number("http_down", float64(down), "bytes"),
			finding.Number("link_up", float64(carriedUp), "bytes"), finding.Number("link_down", float64(carriedDown), "bytes")}
	}
	return "", nil
}

// failures counts what failed, by reason: exchanges, trials without a trace, all of the trials;
// and the trials without delay.
func failures(w linger.Workload, c attempt) (out []finding.Caveat) {
	if reasons, n := failedExchanges(c.ended); n > 0 {
		out = append(out, c.caveat(Failed, CauseExchanges, append(tally(reasons), finding.Counted("failed", n),
			finding.Counted("failed_trials", len(c.ended)-len(c.whole)), finding.Counted("trials", c.row.Trials), schemeOf(w))...))
	}
	if n := len(c.failures); n > 0 {
		out = append(out, c.caveat(Failed, CauseTrials, append(tally(counted(c.failures)), finding.Counted("failed_trials", n), finding.Counted("trials", c.row.Trials))...))
	}
	if c.row.Failed > 0 && len(c.whole) == 0 && len(c.ended) > 0 {
		out = append(out, c.caveat(Failed, CauseAll))
	}
	if c.row.Failed > 0 && len(c.whole) > 0 {
		figures := finding.Figures{finding.Counted("failed_trials", c.row.Failed), finding.Counted("trials", c.row.Trials)}
		if least, ok := c.row.AtLeast.Get(); ok {
			figures = append(figures, finding.Number("at_least", least, "ms"))
		} else if !c.Known {
			figures = append(figures, finding.Figure{Name: "at_least", Unit: "ms"})
		}
		out = append(out, c.caveat(Failed, CauseRanked, figures...))
	}
	reasons := counted(c.zeroRTTFailures)
	for _, t := range c.zeroRTTFailed {
		if i := slices.IndexFunc(t.Exchanges, func(e trace.Exchange) bool { return e.Failed != "" }); i >= 0 {
			reasons[t.Exchanges[i].Failed]++
		}
	}
	if lost := len(c.zeroRTTFailures) + len(c.zeroRTTFailed); lost > 0 {
		out = append(out, c.caveat(Failed, CauseZeroRTT, append(tally(reasons), finding.Counted("failed_trials", lost), finding.Counted("trials", lost+c.inside.zeroRTT.N()))...))
	}
	return out
}

// failedExchanges counts the exchanges that failed, by reason.
func failedExchanges(traces []*trace.Trace) (reasons map[string]int, n int) {
	reasons = map[string]int{}
	for _, t := range traces {
		for _, e := range t.Exchanges {
			if e.Failed != "" {
				reasons[e.Failed]++
				n++
			}
		}
	}
	return reasons, n
}

// counted counts the reasons of a list.
func counted(list []string) map[string]int {
	reasons := map[string]int{}
	for _, r := range list {
		reasons[r]++
	}
	return reasons
}

// schemeOf is that of the workload: exchanges of DNS are called queries, and have
// standards of their own.
func schemeOf(w linger.Workload) finding.Figure { return finding.Word("scheme", w.Scheme) }

// told is how many different reasons are told of.
const told = 3

// tally lists the most frequent reasons with their counts, and how many others there
// are.
func tally(reasons map[string]int) []finding.Figure {
	keys := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(reasons[b], reasons[a]), strings.Compare(a, b))
	})
	var out []finding.Figure
	for _, k := range keys[:min(told, len(keys))] {
		f := finding.Counted("reason", reasons[k])
		f.Text = k
		out = append(out, f)
	}
	if rest := len(keys) - len(out); rest > 0 {
		out = append(out, finding.Counted("other_reasons", rest))
	}
	return out
}

// counts adds a figure up over each strategy's trials, and lists those above 0.
func counts(all []attempt, name string, figure func(attempt, *trace.Trace) int64) []finding.Figure {
	var out []finding.Figure
	for _, c := range all {
		var n int64
		for _, t := range c.ended {
			n += figure(c, t)
		}
		if n > 0 {
			out = append(out, finding.Number(name, float64(n), "").Whose(c.row.Strategy))
		}
	}
	return out
}

// uncounted tells of which strategies nobody counted packets, or not all.
func uncounted(all []attempt) (out []finding.Caveat) {
	var none, over []attempt
	any := false
	for _, c := range all {
		missing, full := false, false
		for _, t := range c.ended {
			l, ok := t.Ledger.Get()
			missing = missing || !ok
			full = full || l.Overflow > 0
			any = any || ok
		}
		if missing {
			none = append(none, c)
		}
		if full {
			over = append(over, c)
		}
	}
	switch {
	case len(none) > 0 && !any:
		out = append(out, caveat(Ledger, CauseNobody))
	case len(none) > 0:
		out = append(out, caveat(Ledger, CausePart, named(none)...))
	}
	if len(over) > 0 {
		out = append(out, caveat(Ledger, CauseOverflow, named(over)...))
	}
	return out
}

// lateShare is the share of the round-trip time from which a late link is worth
// a caveat by itself.
const lateShare = 0.05

// lateness marks what the link's own lateness could explain. One packet in a hundred
// is late by its p99 or more, and each round trip crosses the link twice: that
// product is far above what lateness does, and what it cannot explain stands.
func lateness(n linger.Network, fixed bool, all []attempt, best *times.Timed) (out []finding.Caveat) {
	rtt := facts.Milliseconds(n.RTT)
	var late []finding.Figure
	var explained []attempt
	for _, c := range all {
		p99, ok := facts.Median(c.ended, func(t *trace.Trace) (float64, bool) {
			l, ok := t.Ledger.Get()
			return facts.Milliseconds(l.Lateness.P99), ok
		}).Get()
		if !ok || p99 == 0 {
			continue
		}
		if rtt > 0 && p99 > lateShare*rtt {
			late = append(late, finding.Number("lateness_p99", p99, "ms").Whose(c.row.Strategy))
		}
		if c.Known && c.Timed != best && c.Median.Value > best.Median.Value &&
			p99*2*max(1, c.row.RoundTrips.Or(1)) >= c.Median.Value-best.Median.Value {
			explained = append(explained, c)
		}
	}
	if len(late) > 0 {
		out = append(out, caveat(Late, CauseLate, append(late, finding.Number("limit", lateShare, "share"))...))
	}
	if len(explained) > 0 && !fixed {
		out = append(out, caveat(Late, CauseExplains, append(named(explained), finding.Word("best", best.Name()))...))
	}
	return out
}

// retransmitted marks packets that were retransmitted though none had been dropped.
func retransmitted(all []attempt) (out []finding.Caveat) {
	extra := counts(all, "retransmitted", func(_ attempt, t *trace.Trace) (n int64) {
		flows, _ := facts.Flows(t)
		for f := range flows {
			for _, w := range []*trace.Flow{&f.Up, &f.Down} {
				n += max(0, w.Retransmitted-w.DroppedQueue-w.DroppedLoss)
			}
		}
		return n
	})
	if len(extra) > 0 {
		out = append(out, caveat(Retransmitted, "", extra...))
	}
	return out
}

// tooFew tells where the trials are too few for any difference to show, or for an interval of
// 90 %. Where the order was settled before all that were planned had been run
// (docs/statistics.md), an interval of less confidence is apart from all others.
func tooFew(planned int, interrupted bool, all []attempt) (out []finding.Caveat) {
	few := map[int][]attempt{}
	var unsure, one []attempt
	reached := 1.0
	for _, c := range all {
		n, most := c.Sample.N(), 0
		settled := !interrupted && c.row.Failed == 0 && c.row.Trials < planned
		for _, other := range all {
			if other.Timed != c.Timed {
				most = max(most, other.Sample.N())
			}
		}
		switch {
		case !c.Known || c.Exact:
		case most > 0 && !times.CanDiffer(n, most, c.Family):
			few[n] = append(few[n], c)
		case n == 1:
			one = append(one, c)
		case c.Median.Confidence < 0.9 && !settled:
			unsure = append(unsure, c)
			reached = min(reached, c.Median.Confidence)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(few)) {
		figures := append(named(few[n]), finding.Counted("trials", n))
		if enough := times.Enough(few[n][0].Family); planned < enough {
			figures = append(figures, finding.Counted("enough", enough))
		}
		out = append(out, caveat(Trials, CauseFew, figures...))
	}
	if len(one) > 0 {
		out = append(out, caveat(Confidence, CauseOne, named(one)...))
	}
	if len(unsure) > 0 {
		out = append(out, caveat(Confidence, CauseLow, append(named(unsure), finding.Number("confidence", reached, "share"))...))
	}
	return out
}

// overlap says when the best is best by noise only.
func overlap(all []attempt, best *times.Timed) []finding.Caveat {
	next := times.Fastest(times.Filter(timesOf(casesOf(all)), func(t *times.Timed) bool { return t != best }))
	if best == nil || next == nil {
		return nil
	}
	r, p := times.Relate(best, next)
	pair := finding.Figures{finding.Word("strategy", best.Name()), finding.Word("strategy", next.Name()), finding.Number("p", p, "")}
	switch {
	case r == times.Same:
		return []finding.Caveat{caveat(Overlap, CauseTest, pair...)}
	case best.Median.Confidence > 0 && next.Median.Confidence > 0 && !best.Exact && best.Median.Overlaps(next.Median):
		return []finding.Caveat{caveat(Overlap, CauseIntervals, pair...)}
	}
	return nil
}

// tripsShare and tripsOff are how far off round trips may be without a caveat.
const (
	tripsShare = 0.1
	tripsOff   = 2.0
)

// uncertainRoundTrips tells where the number of round trips is not known, or not well.
func uncertainRoundTrips(n linger.Network, all []attempt) (out []finding.Caveat) {
	if n.RTT <= 0 {
		return nil
	}
	var unknown, once, open []attempt
	var lost, unsure []finding.Figure
	reasons := map[string]int{}
	for _, c := range all {
		for _, r := range c.zeroRTTFailures {
			reasons[r]++
		}
		trips, ok := c.inside.roundTrips.Get()
		by, known := c.inside.off.Get()
		off := c.figure("round_trips_uncertainty", c.inside.off, "RTT")
		switch {
		case !c.Known:
		case !ok:
			unknown = append(unknown, c)
		case !known && !c.row.RoundTrips.IsZero() && c.row.Failed > 0:
			open = append(open, c)
		case !known && !c.row.RoundTrips.IsZero():
			once = append(once, c)
		case !known || c.row.RoundTrips.IsZero():
			lost = append(lost, off)
		case by > max(tripsOff, tripsShare*trips):
			unsure = append(unsure, off)
		}
	}
	if len(unknown) > 0 {
		out = append(out, caveat(Trips, CauseNoZeroRTT, append(named(unknown), tally(reasons)...)...))
	}
	if len(lost) > 0 {
		out = append(out, caveat(Trips, CauseLost, lost...))
	}
	if len(open) > 0 {
		out = append(out, caveat(Trips, CauseRanked, named(open)...))
	}
	if len(once) > 0 {
		out = append(out, caveat(Trips, CauseOne, named(once)...))
	}
	if len(unsure) > 0 {
		out = append(out, caveat(Trips, CauseNoisy, unsure...))
	}
	return out
}
