package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/finding"
	"linger/trace"
)

// Codes of doubts, in the order in which they are listed.
const (
	Bytes         = "bytes"         // a trace contradicts the workload or itself
	Changed       = "changed"       // the server's objects differ from those of the first visit
	Failed        = "failed"        // exchanges or whole trials failed
	Interrupted   = "interrupted"   // not every planned trial was run
	NotHonoured   = "not-honoured"  // a strategy did not get what it stands for
	Retries       = "retries"       // requests met a kept connection that was closed
	Ledger        = "ledger"        // packets were not counted, or not all
	Late          = "lateness"      // the link was late by as much as the times differ
	Retransmitted = "retransmitted" // more was sent again than the link had dropped
	Trials        = "trials"        // too few to show any difference
	Confidence    = "confidence"    // intervals with less than 90 %
	Overlap       = "overlap"       // the best and the next cannot be told apart
	Stacks        = "stacks"        // the transports compared are of two makes
	Clients       = "clients"       // what is compared was fetched by several programs
	Trips         = "round-trips"   // round trips unknown, or within the noise
)

// doubter collects doubts.
type doubter struct {
	in    trace.Experiment
	cases []*tried
	best  *tried
	found []Doubt
}

func (d *doubter) add(code, format string, args ...any) {
	d.found = append(d.found, Doubt{code, fmt.Sprintf(format, args...)})
}

// dishonour adds that a strategy did not get what it stands for.
func (d *doubter) dishonour(c *tried, format string, args ...any) {
	c.row.NotHonoured = true
	d.add(NotHonoured, format, args...)
}

// doubts lists every reason not to believe the figures.
func doubts(in trace.Experiment, cases []*tried, best *tried) []Doubt {
	d := &doubter{in: in, cases: cases, best: best}
	d.bytes()
	d.changed()
	d.failed()
	if in.Interrupted {
		planned, ended := in.Trials*len(cases), 0
		for _, c := range cases {
			ended += c.row.Trials
		}
		d.add(Interrupted, "stopped before the end: %d of %d planned trials were run, and not all that measure round trips", ended, planned)
	}
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
	return d.found
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
		d.add(Clients, "%s parses, decodes and draws what it fetches, and has priorities of its own: between its rows and linger's that is part of the difference", agent)
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
		d.add(Stacks, "QUIC is %s; TCP is the kernel's, which begins with 10 (RFC 6928). Where the two differ, part of it is the stacks'", made)
	}
}

// bytes checks each trace against the workload, and the ledger against the
// exchanges: what the link carried cannot be less than what HTTP delivered.
func (d *doubter) bytes() {
	for _, c := range d.cases {
		wrong, example := 0, ""
		for _, t := range c.ended {
			if s := contradiction(t, d.in.Workload); s != "" {
				wrong++
				if example == "" {
					example = fmt.Sprintf("trial %d %s", t.Trial+1, s)
				}
			}
		}
		if wrong > 0 {
			d.add(Bytes, "%s: the bytes of %d of %s do not add up; %s", c.row.Strategy, wrong, finding.Plural(float64(len(c.ended)), "trial"), example)
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
		d.add(Changed, "%s: %d of %s had another size than at the first visit; the loads had %.0f to %.0f bytes, not %d",
			c.row.Strategy, len(objects), finding.Plural(float64(len(d.in.Workload.Exchanges)), "object"), slices.Min(bytes), slices.Max(bytes), d.in.Workload.Bytes())
	}
}

// contradiction returns the first thing in a trace that cannot be, or nothing.
func contradiction(t *trace.Trace, w linger.Workload) string {
	seen := make([]bool, len(w.Exchanges))
	var up, down int64
	for _, e := range t.Exchanges {
		if e.ID < 0 || e.ID >= len(seen) || seen[e.ID] {
			return fmt.Sprintf("has an exchange %d that the workload has not, or has it twice", e.ID)
		}
		seen[e.ID] = true
		if e.Failed != "" {
			continue
		}
		up += e.RequestBody
		down += e.ResponseBody
		if !compressed(t) {
			up += e.RequestHead
			down += e.ResponseHead
		}
		// How long an answer of DNS is, is its server's affair; padding adds to it.
		if want := w.Exchanges[e.ID].ResponseBody; e.ResponseBody != want && w.Scheme != linger.SchemeDNS && !w.Found {
			return fmt.Sprintf("delivered %d bytes of exchange %d, which has %d", e.ResponseBody, e.ID, want)
		}
	}
	if missing := len(w.Exchanges) - len(t.Exchanges); missing > 0 {
		return fmt.Sprintf("has no word of %d exchanges", missing)
	}
	flows, ok := ledger(t)
	if !ok {
		return ""
	}
	var carriedUp, carriedDown int64
	for f := range flows {
		carriedUp += f.Up.Payload - f.Up.RetransmittedBytes
		carriedDown += f.Down.Payload - f.Down.RetransmittedBytes
	}
	if carriedUp < up || carriedDown < down {
		return fmt.Sprintf("had %d bytes up and %d down at HTTP, but the link carried %d and %d", up, down, carriedUp, carriedDown)
	}
	return ""
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
			d.add(Failed, "%s: %s failed in %d of %s (%s)", c.row.Strategy, finding.Plural(float64(exchanges), d.what()),
				len(c.ended)-len(c.whole), finding.Plural(float64(c.row.Trials), "trial"), tally(reasons))
		}
		reasons = map[string]int{}
		for _, r := range trace.At(d.in.Failures, i) {
			reasons[r]++
		}
		if n := len(trace.At(d.in.Failures, i)); n > 0 {
			d.add(Failed, "%s: %s of %d gave no trace (%s)", c.row.Strategy, finding.Plural(float64(n), "trial"), c.row.Trials, tally(reasons))
		}
		if c.row.Failed > 0 && len(c.whole) == 0 && len(c.ended) > 0 {
			d.add(Failed, "%s: no trial delivered the whole workload, so it has no time, and its counts are of what was delivered", c.row.Strategy)
		}
	}
}

// cited is the standard for HTTP, or that for DNS.
func (d *doubter) cited(http, dns string) string {
	if d.in.Workload.Scheme == linger.SchemeDNS {
		return dns
	}
	return http
}

// what an exchange of the workload is called.
func (d *doubter) what() string {
	if d.in.Workload.Scheme == linger.SchemeDNS {
		return "query"
	}
	return "exchange"
}

// tally writes the three most frequent reasons with their counts.
func tally(reasons map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(reasons[b], reasons[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, k := range keys[:min(3, len(keys))] {
		parts = append(parts, fmt.Sprintf("%d× %s", reasons[k], k))
	}
	if rest := len(keys) - len(parts); rest > 0 {
		parts = append(parts, finding.Plural(float64(rest), "other reason"))
	}
	return strings.Join(parts, ", ")
}

// honoured checks that a strategy got what it stands for.
func (d *doubter) honoured(c *tried) {
	var closed, reused, kept, pipelined, alone int
	reasons := map[string]int{}
	for _, t := range c.ended {
		last := lastDone(t)
		for _, k := range connections(t) {
			end, ok := k.Closed.Get()
			switch {
			case c.strategy.Persistent && ok && asAnnounced(k, last[k.ID]):
			case c.strategy.Persistent && ok && k.ClosedBy == trace.AtServer && end < t.Ended:
				closed++
				reasons[cmp.Or(k.Reason, "no reason given")]++
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
		if c.strategy.InFlight != 1 && overlapped(t) {
			pipelined++
		}
		alone += btoi(c.strategy.DNS != "" && oneByOne(t))
	}
	name := c.row.Strategy
	if closed > 0 {
		d.dishonour(c, "%s: the server closed kept connections %s before the load had ended (%s)", name, times(closed), tally(reasons))
	}
	if reused > 0 {
		d.dishonour(c, "%s: %s carried more than one request", name, finding.Plural(float64(reused), "connection"))
	}
	if kept > 0 {
		d.dishonour(c, "%s: the server left %s open although asked to close", name, finding.Plural(float64(kept), "connection"))
	}
	if c.strategy.InFlight != 1 && len(c.ended) > alone && pipelined == 0 && len(d.in.Workload.Exchanges) > 2 && !scheduled(d.in) {
		d.dishonour(c, "%s: never had two requests in flight on a connection, so it was not tried", name)
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
		d.dishonour(c, "%s: %s was not spoken on every connection (%s)", c.row.Strategy, c.strategy.Speaks(), tally(others))
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
	name := c.row.Strategy
	if c.strategy.Resume && full > 0 {
		d.dishonour(c, "%s: %d of %s that might have been resumed %s made in full", name, full, finding.Plural(float64(again), "TLS handshake"), was(full))
	}
	if c.strategy.EarlyData && rejected > 0 {
		d.dishonour(c, "%s: the server rejected the early data of %d of %s", name, rejected, finding.Plural(float64(connected), "connection"))
	}
	if c.strategy.EarlyData && unsent > 0 {
		d.dishonour(c, "%s: no early data was sent on %d of %s", name, unsent, finding.Plural(float64(connected), "connection"))
	}
	if c.strategy.FastOpen && fell > 0 {
		d.dishonour(c, "%s: TCP fell back to its handshake without data on %d of %s", name, fell, finding.Plural(float64(connected), "connection"))
	}
	if c.strategy.FastOpen && plain > 0 {
		d.dishonour(c, "%s: whether data went with the SYN is not known of %d of %s", name, plain, finding.Plural(float64(connected), "connection"))
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

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
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
	again := func(multiplexed bool) []string {
		return d.counts(func(c *tried, t *trace.Trace) (n int64) {
			if c.strategy.Multiplexed == multiplexed {
				n = int64(t.Retries)
			}
			return n
		})
	}
	if closed := again(false); len(closed) > 0 {
		d.add(Retries, "requests sent again, as a kept connection had been closed meanwhile (%s): %s, in all trials", d.cited("RFC 9112, 9.3.1", "RFC 7766, 6.2.4"), strings.Join(closed, ", "))
	}
	if refused := again(true); len(refused) > 0 {
		d.add(Retries, "requests sent again, as the server refused them or was closing the connection (%s): %s, in all trials", d.cited("RFC 9113, 6.8; RFC 9114, 5.2", "RFC 7766, 6.2.4; RFC 9250, 4.3"), strings.Join(refused, ", "))
	}
}

// counts adds a figure up over each strategy's trials, and lists those above 0:
// "close 3".
func (d *doubter) counts(figure func(*tried, *trace.Trace) int64) []string {
	var out []string
	for _, c := range d.cases {
		var n int64
		for _, t := range c.ended {
			n += figure(c, t)
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%s %d", c.row.Strategy, n))
		}
	}
	return out
}

func (d *doubter) ledger() {
	var none, over []string
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
			none = append(none, c.row.Strategy)
		}
		if full {
			over = append(over, c.row.Strategy)
		}
	}
	switch {
	case len(none) > 0 && !any:
		d.add(Ledger, "nobody counted packets and bytes on the link; connections and handshakes are the client's")
	case len(none) > 0:
		d.add(Ledger, "%s: packets and bytes were not counted in every trial", list(none))
	}
	if len(over) > 0 {
		d.add(Ledger, "%s: more connections than the link's ledger holds; packets and bytes are of the trials where all fitted", list(over))
	}
}

// lateShare is the share of the round-trip time from which a late link is worth
// a doubt by itself.
const lateShare = 0.05

// late marks what the link's own lateness could explain. One packet in a hundred
// is late by its p99 or more, and each round trip crosses the link twice: that
// product is far above what lateness does, and what it cannot explain stands.
func (d *doubter) late() {
	rtt := milliseconds(d.in.Network.RTT)
	var late, explained []string
	for _, c := range d.cases {
		p99, ok := median(c.ended, func(t *trace.Trace) (float64, bool) {
			l, ok := t.Ledger.Get()
			return milliseconds(l.Lateness.P99), ok
		}).Get()
		if !ok || p99 == 0 {
			continue
		}
		if rtt > 0 && p99 > lateShare*rtt {
			late = append(late, c.row.Strategy+" "+finding.Duration(p99, 0))
		}
		if c.timed && c != d.best && c.time.Value > d.best.time.Value &&
			p99*2*max(1, c.row.RoundTrips.Or(1)) >= c.time.Value-d.best.time.Value {
			explained = append(explained, c.row.Strategy)
		}
	}
	if len(late) > 0 {
		d.add(Late, "the link handed packets on late, the latest hundredth of them by more than %s of the round-trip time: %s",
			finding.Share(lateShare), strings.Join(late, ", "))
	}
	if len(explained) > 0 && !scheduled(d.in) {
		d.add(Late, "the link's lateness could explain all that %s took longer than %s", list(explained), d.best.row.Strategy)
	}
}

// retransmitted marks packets that were sent again though none had been dropped.
func (d *doubter) retransmitted() {
	extra := d.counts(func(_ *tried, t *trace.Trace) (n int64) {
		flows, _ := ledger(t)
		for f := range flows {
			for _, w := range []*trace.Flow{&f.Up, &f.Down} {
				n += max(0, w.Retransmitted-w.DroppedQueue-w.DroppedLoss)
			}
		}
		return n
	})
	if len(extra) > 0 {
		d.add(Retransmitted, "more packets were sent again than the link had dropped: %s, in all trials", strings.Join(extra, ", "))
	}
}

// enough is the number of trials that --trials should give for a difference to show
// in each pair of strategies, even if one of them fails.
const enough = 5

func (d *doubter) trials() {
	few := map[int][]string{}
	var unsure, none []string
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
		case most > 0 && !canDiffer(n, most):
			few[n] = append(few[n], c.row.Strategy)
		case n == 1:
			none = append(none, c.row.Strategy)
		case c.time.Confidence < 0.9:
			unsure = append(unsure, c.row.Strategy)
			reached = min(reached, c.time.Confidence)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(few)) {
		more := ""
		if d.in.Trials < enough {
			more = fmt.Sprintf("; give --trials %d or more", enough)
		}
		d.add(Trials, "%s: %s can never show a difference beyond luck%s", list(few[n]), finding.Plural(float64(n), "trial"), more)
	}
	if len(none) > 0 {
		d.add(Confidence, "%s: one trial has no interval; give --trials 6 or more for one of 95 %%", list(none))
	}
	if len(unsure) > 0 {
		d.add(Confidence, "%s: the interval is of %.3g %% confidence; give --trials 6 or more for 95 %%", list(unsure), 100*reached)
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
	switch {
	case r == same:
		d.add(Overlap, "%s and %s, the two fastest, cannot be told apart (p = %.2g)", d.best.row.Strategy, next.row.Strategy, p)
	case d.best.time.Confidence > 0 && next.time.Confidence > 0 && !d.best.exact && d.best.time.Overlaps(next.time):
		d.add(Overlap, "the intervals of %s and %s, the two fastest, overlap", d.best.row.Strategy, next.row.Strategy)
	}
}

// tripsShare and tripsDoubt are how far off round trips may be without a doubt.
const (
	tripsShare = 0.1
	tripsDoubt = 2.0
)

func (d *doubter) trips() {
	if d.in.Network.RTT <= 0 {
		return
	}
	var unknown, lost, once, unsure []string
	reasons := map[string]int{}
	for i, c := range d.cases {
		for _, r := range trace.At(d.in.StillFailures, i) {
			reasons[r]++
		}
		trips, ok := c.trips.Get()
		doubt, known := c.tripsDoubt.Get()
		off := fmt.Sprintf("%s ± %s", c.row.Strategy, finding.Fixed(doubt, finding.Decimals(doubt, 1)))
		switch {
		case !c.timed:
		case !ok:
			unknown = append(unknown, c.row.Strategy)
		case !known && !c.row.RoundTrips.IsZero():
			once = append(once, c.row.Strategy)
		case !known:
			lost = append(lost, c.row.Strategy)
		case c.row.RoundTrips.IsZero():
			lost = append(lost, off)
		case doubt > max(tripsDoubt, tripsShare*trips):
			unsure = append(unsure, off)
		}
	}
	if len(unknown) > 0 {
		why := ""
		if len(reasons) > 0 {
			why = " (" + tally(reasons) + ")"
		}
		d.add(Trips, "%s: no trial without delay, so the round trips are not known%s", list(unknown), why)
	}
	if len(lost) > 0 {
		d.add(Trips, "the round trips are lost in the noise, and not known: %s", strings.Join(lost, ", "))
	}
	if len(once) > 0 {
		d.add(Trips, "%s: a single trial, so how far off the round trips are is not known", list(once))
	}
	if len(unsure) > 0 {
		d.add(Trips, "the round trips are within the noise: %s", strings.Join(unsure, ", "))
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
