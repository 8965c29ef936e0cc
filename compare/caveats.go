package compare

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// doubter collects caveats.
type doubter struct {
	in    trace.Experiment
	cases []*tried
	best  *tried
	found []finding.Caveat
}

// add adds a caveat about the whole experiment.
func (d *doubter) add(code, cause string, figures ...finding.Figure) {
	d.found = append(d.found, finding.Caveat{Code: code, Cause: cause, Figures: figures})
}

// of adds a caveat about one strategy.
func (d *doubter) of(c *tried, code, cause string, figures ...finding.Figure) {
	d.found = append(d.found, finding.Caveat{Code: code, Cause: cause, Subject: c.subject(), Figures: figures})
}

// dishonour adds that a strategy did not get what it stands for.
func (d *doubter) dishonour(c *tried, cause string, figures ...finding.Figure) {
	c.row.NotHonoured = true
	d.of(c, NotHonoured, cause, figures...)
}

// count is a figure that counts something.
func count(name string, n int) finding.Figure { return finding.Number(name, float64(n), "") }

// named lists strategies.
func named(cases []*tried) []finding.Figure {
	var out []finding.Figure
	for _, c := range cases {
		out = append(out, finding.Word("strategy", c.row.Strategy))
	}
	return out
}

// caveats lists every reason not to believe the figures.
func caveats(in trace.Experiment, cases []*tried, best *tried) []finding.Caveat {
	d := &doubter{in: in, cases: cases, best: best}
	d.bytes()
	d.changed()
	d.failed()
	if in.Interrupted {
		ended := 0
		for _, c := range cases {
			ended += c.row.Trials
		}
		d.add(Interrupted, "", count("ended", ended), count("planned", in.Trials*len(cases)))
	}
	d.sequential()
	for _, c := range cases {
		d.honoured(c)
		d.spoken(c)
		d.eased(c)
	}
	d.retries()
	d.ledger()
	d.late()
	d.retransmitted()
	d.trials()
	fixed := scheduled(in) // so that the times of the loads say nothing
	if !fixed {
		d.overlap()
	}
	d.stacks()
	d.clients()
	if !fixed {
		d.trips()
	}
	for i, c := range d.found {
		d.found[i].Decisive = decisive(c)
	}
	return d.found
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
func (d *doubter) sequential() {
	several := filter(d.cases, func(c *tried) bool { return c.strategy.Parallel() != 1 })
	if len(d.in.Workload.Exchanges) > 2 && d.oneAfterOther() && len(several) > 0 {
		d.add(Sequential, "")
	}
}

// oneAfterOther reports whether each request follows the answer to the one before it. When
// queries are wanted is in the traces (oneByOne).
func (d *doubter) oneAfterOther() bool {
	return d.in.Workload.Scheme != linger.SchemeDNS && isChain(d.in.Workload)
}

// clients tells that a browser does more than fetch.
func (d *doubter) clients() {
	var agent string
	own := false
	for _, c := range d.cases {
		agent = cmp.Or(agent, c.row.Agent)
		own = own || c.strategy.Client == ""
	}
	if agent != "" && own {
		d.add(Clients, "", finding.Word("agent", agent))
	}
}

// stacks tells that QUIC and TCP differ by more than their protocols: one is the
// program's, the other the kernel's.
func (d *doubter) stacks() {
	made, tcp := "", false
	for _, c := range d.cases {
		for _, t := range c.ended {
			for _, k := range connections(t) {
				if q, ok := k.QUIC.Get(); ok {
					made = cmp.Or(made, q.Stack)
				} else {
					tcp = true
				}
			}
		}
	}
	if made != "" && tcp {
		d.add(Stacks, "", finding.Word("stack", made))
	}
}

// bytes checks each trace against the workload, and the ledger against the
// exchanges: what the link carried cannot be less than what HTTP delivered.
func (d *doubter) bytes() {
	for _, c := range d.cases {
		wrong := 0
		var example finding.Caveat // the first
		for _, t := range c.ended {
			if cause, figures := contradiction(t, d.in.Workload); cause != "" {
				wrong++
				if wrong == 1 {
					example.Cause, example.Figures = cause, append(figures, count("trial", t.Trial+1))
				}
			}
		}
		if wrong > 0 {
			d.of(c, Bytes, example.Cause, append(example.Figures, count("wrong", wrong), count("trials", len(c.ended)))...)
		}
	}
}

// changed tells of objects that had another size than when the page was visited first:
// the strategies then did not fetch the same.
func (d *doubter) changed() {
	if !d.in.Workload.Found {
		return
	}
	for _, c := range d.cases {
		objects := map[int]bool{}
		var bytes []float64
		for _, t := range c.whole {
			var sum int64
			for _, e := range t.Exchanges {
				if sum += e.ResponseBody; e.ResponseBody != d.in.Workload.Exchanges[e.ID].ResponseBody {
					objects[e.ID] = true
				}
			}
			bytes = append(bytes, float64(sum))
		}
		if len(objects) == 0 {
			continue
		}
		d.of(c, Changed, "", count("changed", len(objects)), count("objects", len(d.in.Workload.Exchanges)),
			finding.Number("least", slices.Min(bytes), "bytes"), finding.Number("most", slices.Max(bytes), "bytes"),
			finding.Number("first_visit", float64(d.in.Workload.Bytes()), "bytes"))
	}
}

// contradiction returns the first thing in a trace that cannot be: its cause, empty
// where there is none, with figures.
func contradiction(t *trace.Trace, w linger.Workload) (cause string, figures finding.Figures) {
	seen := make([]bool, len(w.Exchanges))
	heads := !compressed(t) // their sizes are those on the wire
	var up, down int64
	for _, e := range t.Exchanges {
		if e.ID < 0 || e.ID >= len(seen) || seen[e.ID] {
			return CauseStray, finding.Figures{count("exchange", e.ID)}
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
			return CauseWrongSize, finding.Figures{count("exchange", e.ID),
				finding.Number("delivered", float64(e.ResponseBody), "bytes"), finding.Number("size", float64(want), "bytes")}
		}
	}
	if missing := len(w.Exchanges) - len(t.Exchanges); missing > 0 {
		return CauseMissing, finding.Figures{count("missing", missing)}
	}
	flows, ok := ledger(t)
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

// compressed reports whether heads may take less on the wire than they are long
// (RFC 7541, RFC 9204).
func compressed(t *trace.Trace) bool {
	return slices.ContainsFunc(t.Connections, func(k trace.Connection) bool {
		return slices.Contains([]string{"h2", "h3", "doh", "doh3"}, k.Protocol)
	})
}

// failed counts what failed, by reason.
func (d *doubter) failed() {
	for i, c := range d.cases {
		reasons := map[string]int{}
		exchanges := 0
		for _, t := range c.ended {
			for _, e := range t.Exchanges {
				if e.Failed != "" {
					reasons[e.Failed]++
					exchanges++
				}
			}
		}
		if exchanges > 0 {
			d.of(c, Failed, CauseExchanges, append(tally(reasons), count("failed", exchanges),
				count("failed_trials", len(c.ended)-len(c.whole)), count("trials", c.row.Trials), d.scheme())...)
		}
		reasons = map[string]int{}
		for _, r := range trace.At(d.in.Failures, i) {
			reasons[r]++
		}
		if n := len(trace.At(d.in.Failures, i)); n > 0 {
			d.of(c, Failed, CauseTrials, append(tally(reasons), count("failed_trials", n), count("trials", c.row.Trials))...)
		}
		if c.row.Failed > 0 && len(c.whole) == 0 && len(c.ended) > 0 {
			d.of(c, Failed, CauseAll)
		}
		if c.row.Failed > 0 && len(c.whole) > 0 {
			figures := finding.Figures{count("failed_trials", c.row.Failed), count("trials", c.row.Trials)}
			if least, ok := c.row.AtLeast.Get(); ok {
				figures = append(figures, finding.Number("at_least", least, "ms"))
			} else if !c.timed {
				figures = append(figures, finding.Figure{Name: "at_least", Unit: "ms"})
			}
			d.of(c, Failed, CauseRanked, figures...)
		}
		d.baseline(i, c)
	}
}

// baseline counts the trials without delay that failed.
func (d *doubter) baseline(i int, c *tried) {
	reasons := map[string]int{}
	lost := 0
	for _, r := range trace.At(d.in.StillFailures, i) {
		reasons[r]++
		lost++
	}
	for _, t := range trace.At(d.in.Still, i) {
		if t.Interrupted || delivered(t, d.in.Workload) {
			continue
		}
		lost++
		for _, e := range t.Exchanges {
			if e.Failed != "" {
				reasons[e.Failed]++
				break
			}
		}
	}
	if n := lost + c.still.N(); lost > 0 {
		d.of(c, Failed, CauseStill, append(tally(reasons), count("failed_trials", lost), count("trials", n))...)
	}
}

// scheme is that of the workload: exchanges of DNS are called queries, and have
// standards of their own.
func (d *doubter) scheme() finding.Figure { return finding.Word("scheme", d.in.Workload.Scheme) }

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
		f := count("reason", reasons[k])
		f.Text = k
		out = append(out, f)
	}
	if rest := len(keys) - len(out); rest > 0 {
		out = append(out, count("other_reasons", rest))
	}
	return out
}

// honoured checks that a strategy got what it stands for.
func (d *doubter) honoured(c *tried) {
	var closed, reused, kept, pipelined, alone, spoilt, barred, single int
	reasons, sent := map[string]int{}, map[string]int{}
	for _, t := range c.ended {
		last := lastDone(t)
		for _, k := range connections(t) {
			end, ok := k.Closed.Get()
			if s, ok := k.Surplus.Get(); ok && c.strategy.Persistent {
				spoilt++
				sent[s.Text]++
			}
			switch {
			case c.strategy.Persistent && ok && asAnnounced(k, last[k.ID]):
			case c.strategy.Persistent && ok && k.ClosedBy == trace.AtServer && end < t.Ended:
				closed++
				reasons[cmp.Or(k.Reason, NoReason)]++
			case c.strategy.Persistent:
			case k.Requests > 1:
				reused++
			// A server "MUST initiate closure of the connection (see below) after it
			// sends the final response to the request that contained the "close"
			// connection option" (RFC 9112, 9.6): its FIN is there with the response, or
			// a little later. A client that waited for a whole round trip waited in vain.
			// Who looks names up closes by itself, and asks nobody to.
			case ok && c.strategy.DNS == "" && k.ClosedBy == trace.AtClient && !last[k.ID].IsZero() && end.Sub(last[k.ID].Or(0)) >= patience(d.in.Network, k):
				kept++
			}
		}
		if c.strategy.Multiplexed {
			for _, k := range connections(t) {
				n, said := k.Streams.Get()
				barred += btoi(said && n == 0)
				single += btoi(said && n == 1)
			}
		}
		if c.strategy.InFlight != 1 && overlapped(t) {
			pipelined++
		}
		alone += btoi(c.strategy.DNS != "" && oneByOne(t))
	}
	if closed > 0 {
		d.dishonour(c, CauseClosed, append(tally(reasons), count("closed", closed))...)
	}
	if spoilt > 0 {
		d.dishonour(c, CauseSurplus, append(tally(sent), count("connections", spoilt))...)
	}
	if reused > 0 {
		d.dishonour(c, CauseReused, count("connections", reused))
	}
	if kept > 0 {
		d.dishonour(c, CauseLeftOpen, count("connections", kept))
	}
	if barred > 0 {
		d.dishonour(c, CauseNoStream, count("connections", barred))
	}
	if single > 0 {
		d.dishonour(c, CauseOneStream, count("connections", single))
	} else if c.strategy.InFlight != 1 && len(c.ended) > alone && pipelined == 0 && len(d.in.Workload.Exchanges) > 2 && !scheduled(d.in) && !d.oneAfterOther() {
		d.dishonour(c, CauseSerial)
	}
}

// oneByOne reports whether the client never wanted an answer while it waited for another,
// so that no strategy can have had two queries in flight.
func oneByOne(t *trace.Trace) bool {
	wanted := slices.SortedFunc(slices.Values(t.Exchanges), func(a, b trace.Exchange) int { return cmp.Compare(a.Queued, b.Queued) })
	var until linger.Instant
	for _, e := range wanted {
		if e.Queued < until {
			return false
		}
		until = max(until, e.Done.Or(t.Ended))
	}
	return true
}

// asAnnounced reports whether a server closed a connection that had been idle for as
// long as it had said, but for a tenth.
func asAnnounced(k trace.Connection, last linger.Opt[linger.Instant]) bool {
	limit, ok := k.IdleLimit.Get()
	return ok && k.ClosedBy == trace.AtServer && k.Closed.Or(0).Sub(last.Or(k.Connected.Or(k.Dialled))) >= limit*9/10
}

// protocols is what the strategies of DNS are called in a trace, by what carries them
// and the version of HTTP.
var protocols = map[[2]string]string{
	{linger.OverUDP, ""}: "udp", {linger.OverTCP, ""}: "tcp", {linger.OverTLS, ""}: "dot",
	{linger.OverHTTPS, "2"}: "doh", {linger.OverHTTPS, "3"}: "doh3", {linger.OverQUIC, ""}: "doq",
	{"", "2"}: "h2", {"", "3"}: "h3",
}

// patience is how long a client waits for a close that it asked for before it has
// waited in vain: a round trip where the path is known. Where it is not, it is some times
// what the handshake of TCP took, which is one, and what a busy server may take.
func patience(n linger.Network, k trace.Connection) time.Duration {
	const trips, busy = 4, 500 * time.Millisecond
	if n.RTT > 0 {
		return n.RTT
	}
	return max(busy, trips*k.Established.Or(k.Dialled).Sub(k.Dialled))
}

// spoken checks that the connections spoke the strategy's version of HTTP. That an
// HTTP/1.1 server answers a request of HTTP/1.0 as such is as it should be (RFC
// 9110, 2.5).
func (d *doubter) spoken(c *tried) {
	want := protocols[[2]string{c.strategy.DNS, c.strategy.Version}]
	others := map[string]int{}
	for _, t := range c.ended {
		for _, k := range t.Connections {
			tcp := c.strategy.Datagram && k.Protocol == "tcp" // where an answer did not fit
			if p := k.Protocol; p != "" && p != want && !tcp && !(want == "" && strings.HasPrefix(p, "http/1.")) {
				others[p]++
			}
		}
	}
	if len(others) > 0 {
		d.dishonour(c, CauseProtocol, append(tally(others), finding.Word("expected", c.strategy.Speaks()))...)
	}
}

// eased checks that set-up was made as short as the strategy asks for.
func (d *doubter) eased(c *tried) {
	var full, again, rejected, unsent, fell, plain, connected int
	for _, t := range c.ended {
		ticket := earliest(t)
		for _, k := range connections(t) {
			if k.Connected.IsZero() {
				continue
			}
			connected++
			if s, ok := k.TLS.Get(); ok {
				// A server sends tickets behind its handshake, so that they are there
				// with the first response (RFC 8446, 4.6.1).
				if c.strategy.EarlyData || k.Dialled >= ticket {
					again++
					full += btoi(!s.Resumed)
				}
				took, sent := s.EarlyData.Get()
				rejected += btoi(sent && !took)
				unsent += btoi(!sent)
			}
			took, asked := k.FastOpen.Get()
			fell += btoi(asked && !took)
			plain += btoi(!asked)
		}
	}
	for _, refused := range []struct {
		cause string
		asked bool
		n, of int
	}{
		{CauseNotResumed, c.strategy.Resume, full, again},
		{CauseEarlyRejected, c.strategy.EarlyData, rejected, connected},
		{CauseEarlyUnsent, c.strategy.EarlyData, unsent, connected},
		{CauseFastOpenRefused, c.strategy.FastOpen, fell, connected},
		{CauseFastOpenUnknown, c.strategy.FastOpen, plain, connected},
	} {
		if refused.asked && refused.n > 0 {
			d.dishonour(c, refused.cause, count("refused", refused.n), count("connections", refused.of))
		}
	}
}

// earliest returns when the first byte of any response had come.
func earliest(t *trace.Trace) linger.Instant {
	first := linger.Never
	for _, e := range t.Exchanges {
		first = min(first, e.FirstByte.Or(linger.Never))
	}
	return first
}

// lastDone returns, by connection, when its last exchange was done.
func lastDone(t *trace.Trace) map[int64]linger.Opt[linger.Instant] {
	last := map[int64]linger.Opt[linger.Instant]{}
	for _, e := range t.Exchanges {
		if done, ok := e.Done.Get(); ok && done >= last[e.Connection].Or(0) {
			last[e.Connection] = e.Done
		}
	}
	return last
}

// overlapped reports whether a request was ever sent on a connection on which
// another was still outstanding. An exchange tells of its last attempt only: of the
// others, two that were never answered were outstanding together.
func overlapped(t *trace.Trace) bool {
	on := answers(t)
	for _, k := range t.Connections {
		if k.Requests-on[k.ID] > 1 {
			return true
		}
	}
	type span struct {
		connection int64
		sent, done linger.Instant
	}
	var spans []span
	for _, e := range t.Exchanges {
		if sent, ok := e.Sent.Get(); ok {
			spans = append(spans, span{e.Connection, sent, e.Done.Or(t.Ended)})
		}
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.connection, b.connection), cmp.Compare(a.sent, b.sent))
	})
	for i := range len(spans) - 1 {
		if a, b := spans[i], spans[i+1]; a.connection == b.connection && a.done > b.sent {
			return true
		}
	}
	return false
}

func (d *doubter) retries() {
	again := func(multiplexed bool) []finding.Figure {
		return d.counts("retries", func(c *tried, t *trace.Trace) (n int64) {
			if c.strategy.Multiplexed == multiplexed {
				n = int64(t.Retries)
			}
			return n
		})
	}
	if closed := again(false); len(closed) > 0 {
		d.add(Retries, CauseClosed, append(closed, d.scheme())...)
	}
	if refused := again(true); len(refused) > 0 {
		d.add(Retries, CauseRefused, append(refused, d.scheme())...)
	}
}

// counts adds a figure up over each strategy's trials, and lists those above 0.
func (d *doubter) counts(name string, figure func(*tried, *trace.Trace) int64) []finding.Figure {
	var out []finding.Figure
	for _, c := range d.cases {
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

func (d *doubter) ledger() {
	var none, over []*tried
	any := false
	for _, c := range d.cases {
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
		d.add(Ledger, CauseNobody)
	case len(none) > 0:
		d.add(Ledger, CausePart, named(none)...)
	}
	if len(over) > 0 {
		d.add(Ledger, CauseOverflow, named(over)...)
	}
}

// lateShare is the share of the round-trip time from which a late link is worth
// a caveat by itself.
const lateShare = 0.05

// late marks what the link's own lateness could explain. One packet in a hundred
// is late by its p99 or more, and each round trip crosses the link twice: that
// product is far above what lateness does, and what it cannot explain stands.
func (d *doubter) late() {
	rtt := milliseconds(d.in.Network.RTT)
	var late []finding.Figure
	var explained []*tried
	for _, c := range d.cases {
		p99, ok := median(c.ended, func(t *trace.Trace) (float64, bool) {
			l, ok := t.Ledger.Get()
			return milliseconds(l.Lateness.P99), ok
		}).Get()
		if !ok || p99 == 0 {
			continue
		}
		if rtt > 0 && p99 > lateShare*rtt {
			late = append(late, finding.Number("lateness_p99", p99, "ms").Whose(c.row.Strategy))
		}
		if c.timed && c != d.best && c.time.Value > d.best.time.Value &&
			p99*2*max(1, c.row.RoundTrips.Or(1)) >= c.time.Value-d.best.time.Value {
			explained = append(explained, c)
		}
	}
	if len(late) > 0 {
		d.add(Late, CauseLate, append(late, finding.Number("limit", lateShare, "share"))...)
	}
	if len(explained) > 0 && !scheduled(d.in) {
		d.add(Late, CauseExplains, append(named(explained), finding.Word("best", d.best.row.Strategy))...)
	}
}

// retransmitted marks packets that were sent again though none had been dropped.
func (d *doubter) retransmitted() {
	extra := d.counts("retransmitted", func(_ *tried, t *trace.Trace) (n int64) {
		flows, _ := ledger(t)
		for f := range flows {
			for _, w := range []*trace.Flow{&f.Up, &f.Down} {
				n += max(0, w.Retransmitted-w.DroppedQueue-w.DroppedLoss)
			}
		}
		return n
	})
	if len(extra) > 0 {
		d.add(Retransmitted, "", extra...)
	}
}

// leastEnough is the number of trials that --trials should give at least for a difference to
// show in each pair of strategies, even if one of them fails.
const leastEnough = 5

// enough is how many trials a strategy needs for a difference from the others to show.
func (c *tried) enough() int { return max(leastEnough, stats.Enough(c.family)) }

// endedEarly reports whether a strategy has fewer trials than were planned since its order was
// settled (docs/statistics.md). Its interval is of less confidence, and apart from all others.
func (d *doubter) endedEarly(c *tried) bool {
	return !d.in.Interrupted && c.row.Failed == 0 && c.row.Trials < d.in.Trials
}

func (d *doubter) trials() {
	few := map[int][]*tried{}
	var unsure, one []*tried
	reached := 1.0
	for _, c := range d.cases {
		n, most := c.times.N(), 0
		for _, other := range d.cases {
			if other != c {
				most = max(most, other.times.N())
			}
		}
		switch {
		case !c.timed || c.exact:
		case most > 0 && !canDiffer(n, most, c.family):
			few[n] = append(few[n], c)
		case n == 1:
			one = append(one, c)
		case c.time.Confidence < 0.9 && !d.endedEarly(c):
			unsure = append(unsure, c)
			reached = min(reached, c.time.Confidence)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(few)) {
		figures := append(named(few[n]), count("trials", n))
		if enough := few[n][0].enough(); d.in.Trials < enough {
			figures = append(figures, count("enough", enough))
		}
		d.add(Trials, CauseFew, figures...)
	}
	if len(one) > 0 {
		d.add(Confidence, CauseOne, named(one)...)
	}
	if len(unsure) > 0 {
		d.add(Confidence, CauseLow, append(named(unsure), finding.Number("confidence", reached, "share"))...)
	}
}

// overlap says when the best is best by luck only.
func (d *doubter) overlap() {
	if d.best == nil {
		return
	}
	next := fastest(filter(d.cases, func(c *tried) bool { return c != d.best }))
	if next == nil {
		return
	}
	r, p := compared(d.best, next)
	pair := append(named([]*tried{d.best, next}), finding.Number("p", p, ""))
	switch {
	case r == same:
		d.add(Overlap, CauseTest, pair...)
	case d.best.time.Confidence > 0 && next.time.Confidence > 0 && !d.best.exact && d.best.time.Overlaps(next.time):
		d.add(Overlap, CauseIntervals, pair...)
	}
}

// tripsShare and tripsDoubt are how far off round trips may be without a caveat.
const (
	tripsShare = 0.1
	tripsDoubt = 2.0
)

func (d *doubter) trips() {
	if d.in.Network.RTT <= 0 {
		return
	}
	var unknown, once, open []*tried
	var lost, unsure []finding.Figure
	reasons := map[string]int{}
	for i, c := range d.cases {
		for _, r := range trace.At(d.in.StillFailures, i) {
			reasons[r]++
		}
		trips, ok := c.trips.Get()
		doubt, known := c.tripsDoubt.Get()
		off := c.figure("round_trips_doubt", c.tripsDoubt, "RTT")
		switch {
		case !c.timed:
		case !ok:
			unknown = append(unknown, c)
		case !known && !c.row.RoundTrips.IsZero() && c.row.Failed > 0:
			open = append(open, c)
		case !known && !c.row.RoundTrips.IsZero():
			once = append(once, c)
		case !known || c.row.RoundTrips.IsZero():
			lost = append(lost, off)
		case doubt > max(tripsDoubt, tripsShare*trips):
			unsure = append(unsure, off)
		}
	}
	if len(unknown) > 0 {
		d.add(Trips, CauseNoStill, append(named(unknown), tally(reasons)...)...)
	}
	if len(lost) > 0 {
		d.add(Trips, CauseLost, lost...)
	}
	if len(open) > 0 {
		d.add(Trips, CauseRanked, named(open)...)
	}
	if len(once) > 0 {
		d.add(Trips, CauseOne, named(once)...)
	}
	if len(unsure) > 0 {
		d.add(Trips, CauseNoisy, unsure...)
	}
}
