package compare

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"time"

	"linger"
	"linger/stats"
	"linger/trace"
)

// tried is one strategy with its trials, on the way to becoming a Row.
type tried struct {
	strategy linger.Strategy
	row      Row
	ended    []*trace.Trace // run to their end, whole or not
	whole    []*trace.Trace // that delivered the whole workload
	// times are those of the whole ones, in ms; those of the others are censored by when
	// they had failed.
	times   stats.Sample
	time    stats.Estimate // of times, where timed
	timed   bool
	still   stats.Sample // times with the delay taken out, in ms
	exact   bool         // predicted, and the same in every trial: no luck in it
	loading stats.Sample // times from when the first request might be sent, in ms
	cpu     stats.Sample // of both sides, in ms
	// waited is how long the client did nothing but wait for handshakes, in ms,
	// waitedTLS the part of TLS, unknown where there is none; waitedStill is waited
	// with the delay taken out.
	waited, waitedTLS, waitedStill linger.Opt[float64]
	// trips is Row.RoundTrips as calculated, tripsDoubt how far off it may be.
	trips, tripsDoubt linger.Opt[float64]
	rtt               time.Duration // of the path; 0 is not known
	// large says that a response takes more than one initial window.
	large      bool
	provenance trace.Provenance
	// family is what p of each comparison is multiplied by, since there are others.
	family float64
}

// measure makes the row of one strategy.
// A trial without a trace has its bound in failed: after how long it was given up.
func measure(in trace.Experiment, s linger.Strategy, traces, still []*trace.Trace, failed []time.Duration) *tried {
	c := &tried{strategy: s, provenance: in.Provenance}
	for _, t := range traces {
		if t.Interrupted {
			continue
		}
		c.ended = append(c.ended, t)
		if delivered(t, in.Workload) {
			c.whole = append(c.whole, t)
		}
	}
	c.row = Row{
		Strategy: s.Name, Persistent: s.Persistent,
		Trials: len(c.ended) + len(failed), Failed: len(c.ended) - len(c.whole) + len(failed),
	}
	for _, t := range c.ended {
		c.row.Agent = cmp.Or(c.row.Agent, t.Agent)
	}
	c.times = c.loads(in.Workload, failed)
	c.time, c.timed = c.times.Interval()
	c.exact = in.Provenance == trace.Predicted && exact(in.Network, c.times)
	if c.timed {
		c.row.Time = linger.Known(known(c.time))
	} else if least, ok := c.times.AtLeast(); ok {
		c.row.AtLeast = linger.Known(round(least, 1e-3))
	}
	still = slices.DeleteFunc(slices.Clone(still), func(t *trace.Trace) bool { return t.Interrupted || !delivered(t, in.Workload) })
	c.still = sample(still, load)
	if !scheduled(in) {
		c.roundTrips(milliseconds(in.Network.RTT))
	}
	c.large = slices.ContainsFunc(in.Workload.Exchanges, func(e linger.Exchange) bool { return e.ResponseBody > initialWindow })
	seen := c.whole
	if len(seen) == 0 {
		seen = c.ended
	}
	c.count(seen)
	c.setUp(in, seen, still)
	c.rtt = in.Network.RTT
	c.lookUp()
	c.row.Samples = c.samples(in.Workload, len(failed))
	return c
}

// exact reports whether nothing is left to chance in predicted times: none of them failed,
// and all are the same. Where packets are lost, a single one says nothing of others.
func exact(n linger.Network, times stats.Sample) bool {
	e, ok := times.Interval()
	return ok && e.Low == e.High && (n.Loss == 0 || times.N() > 1)
}

// loads are the times of all trials. One that did not deliver everything has none: it
// would have taken longer than until it had failed, and ranks above all others.
func (c *tried) loads(w linger.Workload, failed []time.Duration) stats.Sample {
	var times, bounds []float64
	for _, t := range c.ended {
		if delivered(t, w) {
			times = append(times, t.Ended.Milliseconds())
		} else {
			bounds = append(bounds, t.Ended.Milliseconds())
		}
	}
	for _, d := range failed {
		bounds = append(bounds, milliseconds(d))
	}
	return stats.Censored(times, bounds)
}

// samples are the figures of each trial that two results are held against each other by.
func (c *tried) samples(w linger.Workload, lost int) Samples {
	var out Samples
	for _, t := range c.ended {
		whole := delivered(t, w)
		one := func(list *[]linger.Opt[float64], v float64, ok bool) {
			var o linger.Opt[float64]
			if ok && whole {
				o = linger.Known(round(v, 1e-3))
			}
			*list = append(*list, o)
		}
		h := shaken(t)
		up, down, ok := sum(t, packets)
		one(&out.Time, t.Ended.Milliseconds(), true)
		one(&out.Connections, float64(h.opened), true)
		one(&out.Handshakes, float64(h.tcp+h.quic), true)
		one(&out.Packets, up+down, ok)
		up, down, ok = sum(t, trace.Flow.Bytes)
		one(&out.WireBytes, up+down, ok)
	}
	for _, list := range []*[]linger.Opt[float64]{&out.Time, &out.Connections, &out.Handshakes, &out.Packets, &out.WireBytes} {
		*list = append(*list, make([]linger.Opt[float64], lost)...)
		if list != &out.Time && !slices.ContainsFunc(*list, func(o linger.Opt[float64]) bool { return !o.IsZero() }) {
			*list = nil
		}
	}
	return out
}

// roundTrips tells how many there are in the time, if that can be told.
func (c *tried) roundTrips(rtt float64) {
	floor, ok := c.still.Interval()
	if !ok || !c.timed || rtt <= 0 {
		return
	}
	trips := (c.time.Value - floor.Value) / rtt
	c.trips = linger.Known(trips)
	doubt, ok := c.doubt().Get()
	if ok && (floor.Confidence > 0 || c.exact) {
		c.tripsDoubt = linger.Known((doubt + max(floor.High-floor.Value, floor.Value-floor.Low)) / rtt)
	}
	// A little below nothing is nothing; more than that is no count of anything.
	if trips > -tripsZero && c.tripsDoubt.Or(0) < max(trips, tripsZero) {
		c.row.RoundTrips = linger.Known(round(max(0, trips), 1e-2))
		if d, ok := c.tripsDoubt.Get(); ok && !c.exact {
			c.row.TripsDoubt = linger.Known(math.Ceil(100*d) / 100)
		}
	}
}

// tripsZero is the number of round trips that rounds to none.
const tripsZero = 0.05

// doubt is how far the interval of the time reaches, in ms; unknown where one trial
// has none.
func (c *tried) doubt() linger.Opt[float64] {
	if c.exact {
		return linger.Known(0.0)
	}
	t, _ := c.row.Time.Get()
	return t.Doubt()
}

// load is the time that a trial took, in ms.
func load(t *trace.Trace) (float64, bool) { return t.Ended.Milliseconds(), true }

// delivered reports whether a trial got the whole workload.
func delivered(t *trace.Trace, w linger.Workload) bool {
	if len(t.Exchanges) < len(w.Exchanges) {
		return false
	}
	for _, e := range t.Exchanges {
		if e.Failed != "" || e.Done.IsZero() {
			return false
		}
	}
	return true
}

// count fills in everything but the time and what set-up takes.
func (c *tried) count(traces []*trace.Trace) {
	r := &c.row
	r.RequestsPerConnection = rounded(median(traces, func(t *trace.Trace) (float64, bool) {
		n := 0
		on := answers(t)
		for _, k := range connections(t) {
			n += on[k.ID]
		}
		return float64(n) / float64(len(connections(t))), len(connections(t)) > 0
	}), 1e-2)
	r.RequestsInVain = median(traces, func(t *trace.Trace) (float64, bool) {
		n, on := 0, answers(t)
		for _, k := range connections(t) {
			n += max(0, k.Requests-on[k.ID])
		}
		return float64(n), true
	})
	r.Packets = ways(traces, func(f trace.Flow) int64 { return f.Packets })
	r.WireBytes = ways(traces, trace.Flow.Bytes)
	r.PayloadBytes = ways(traces, func(f trace.Flow) int64 { return f.Payload })
	if c.strategy.DNS == "" { // whose messages hold padding, which is no content
		r.Overhead = rounded(median(traces, overhead), 1e-4)
	}
	r.Retransmitted = median(traces, func(t *trace.Trace) (float64, bool) {
		up, down, ok := sum(t, func(f trace.Flow) int64 { return f.Retransmitted })
		// The packet numbers of QUIC are encrypted, and datagrams of DNS have none.
		return up + down, ok && !hasQUIC(t) && !slices.ContainsFunc(t.Connections, connectionless)
	})
	both := func(figure func(trace.Flow) float64, tcp bool) linger.Opt[float64] {
		return rounded(median(traces, func(t *trace.Trace) (float64, bool) {
			n := 0.0
			flows, ok := ledger(t)
			for f := range flows {
				n += figure(f.Up) + figure(f.Down)
			}
			return n, ok && !(tcp && (hasQUIC(t) || slices.ContainsFunc(t.Connections, connectionless)))
		}), 1e-3)
	}
	r.DroppedQueue = both(func(f trace.Flow) float64 { return float64(f.DroppedQueue) }, false)
	r.DroppedLoss = both(func(f trace.Flow) float64 { return float64(f.DroppedLoss) }, false)
	r.Stalls = both(func(f trace.Flow) float64 { return float64(f.Stalls) }, true)
	r.Stalled = both(func(f trace.Flow) float64 { return milliseconds(f.Stalled.Or(0)) }, true)
	r.Retries = median(traces, func(t *trace.Trace) (float64, bool) { return float64(t.Retries), true })
	client := func(t *trace.Trace) (trace.Host, bool) { return t.Client.Get() }
	server := func(t *trace.Trace) (trace.Host, bool) { return t.Server.Get() }
	// Sockets of UDP are not counted, so that of QUIC's nothing is known.
	tcp := slices.DeleteFunc(slices.Clone(traces), hasQUIC)
	counted := slices.DeleteFunc(slices.Clone(tcp), missed)
	peak := func(h trace.Host) (float64, bool) { return float64(h.SocketsPeak), h.SocketsPeak > 0 }
	memory := func(h trace.Host) (float64, bool) { return float64(h.SocketMemory), h.SocketMemory > 0 }
	cpu := func(h trace.Host) (float64, bool) { return milliseconds(h.CPU), h.CPU > 0 }
	r.Sockets = Sockets{
		ClientPeak: median(tcp, func(t *trace.Trace) (float64, bool) {
			n := max(t.Client.Or(trace.Host{}).SocketsPeak, atOnce(t))
			return float64(n), n > 0 && t.Client.Or(trace.Host{}).Samples > 0
		}),
		ServerPeak: median(counted, of(server, peak)),
		TimeWait: median(tcp, func(t *trace.Trace) (float64, bool) {
			left := func(h trace.Host) (float64, bool) { return float64(h.TimeWait), h.Samples > 0 }
			a, ok := of(client, left)(t)
			b, ok2 := of(server, left)(t)
			return a + b, ok && ok2
		}),
	}
	r.SocketMemory = Memory{median(counted, of(client, memory)), median(counted, of(server, memory))}
	r.CPU = CPU{rounded(median(traces, of(client, cpu)), 1e-3), rounded(median(traces, of(server, cpu)), 1e-3)}
}

// answers counts the requests that were answered in full, by connection.
func answers(t *trace.Trace) map[int64]int {
	on := map[int64]int{}
	for _, e := range t.Exchanges {
		if e.Connection >= 0 && e.Failed == "" && !e.Done.IsZero() {
			on[e.Connection]++
		}
	}
	return on
}

// atOnce is the most connections that the client had at once, by its own account.
func atOnce(t *trace.Trace) int {
	_, most := HeldOverTime(t)
	return most
}

// missed reports whether the client's sockets were counted too seldom to see as
// many as there were; the server's, which are counted together with them, were then
// missed as well.
func missed(t *trace.Trace) bool {
	h, ok := t.Client.Get()
	return ok && h.SocketsPeak < atOnce(t)
}

// of reads a figure of one side, where that side was seen.
func of(side func(*trace.Trace) (trace.Host, bool), figure func(trace.Host) (float64, bool)) func(*trace.Trace) (float64, bool) {
	return func(t *trace.Trace) (float64, bool) {
		h, ok := side(t)
		if !ok {
			return 0, false
		}
		return figure(h)
	}
}

// ledger ranges over the TCP connections and flows of UDP that crossed the link; false
// where nobody counted, or there were more than the ledger holds.
func ledger(t *trace.Trace) (iter.Seq[*trace.Flows], bool) {
	l, ok := t.Ledger.Get()
	if !ok || l.Overflow > 0 {
		return func(func(*trace.Flows) bool) {}, false
	}
	return func(yield func(*trace.Flows) bool) {
		for i := range l.Connections {
			if f := &l.Connections[i]; (f.Protocol == "tcp" || f.Protocol == "udp") && !yield(f) {
				return
			}
		}
	}, true
}

// sum adds a figure up over all connections, each way.
func sum(t *trace.Trace, figure func(trace.Flow) int64) (up, down float64, ok bool) {
	flows, ok := ledger(t)
	for f := range flows {
		up += float64(figure(f.Up))
		down += float64(figure(f.Down))
	}
	return up, down, ok
}

// ways is the median of a figure each way.
func ways(traces []*trace.Trace, figure func(trace.Flow) int64) (o linger.Opt[Ways]) {
	up, ok := median(traces, func(t *trace.Trace) (float64, bool) { u, _, ok := sum(t, figure); return u, ok }).Get()
	down, ok2 := median(traces, func(t *trace.Trace) (float64, bool) { _, d, ok := sum(t, figure); return d, ok }).Get()
	if ok && ok2 {
		o = linger.Known(Ways{up, down})
	}
	return o
}

// overhead is 1 less the share of the wire's bytes that are content delivered.
func overhead(t *trace.Trace) (float64, bool) {
	up, down, ok := sum(t, trace.Flow.Bytes)
	if !ok || up+down == 0 {
		return 0, false
	}
	content := 0.0
	for _, e := range t.Exchanges {
		if e.Failed == "" {
			content += float64(e.RequestBody + e.ResponseBody)
		}
	}
	return 1 - content/(up+down), true
}

// sample gathers a figure over trials, leaving out those that do not know it.
func sample(traces []*trace.Trace, figure func(*trace.Trace) (float64, bool)) stats.Sample {
	var values []float64
	for _, t := range traces {
		if v, ok := figure(t); ok {
			values = append(values, v)
		}
	}
	return stats.New(values...)
}

// median is the median of a figure over the trials that know it.
func median(traces []*trace.Trace, figure func(*trace.Trace) (float64, bool)) (o linger.Opt[float64]) {
	if m, ok := sample(traces, figure).Median(); ok {
		o = linger.Known(m)
	}
	return o
}

// known turns an estimate into what the JSON holds.
func known(e stats.Estimate) Time {
	t := Time{Median: round(e.Value, 1e-3)}
	if e.Confidence > 0 {
		if t.Low = linger.Known(round(e.Low, 1e-3)); !math.IsInf(e.High, 1) {
			t.High = linger.Known(round(e.High, 1e-3))
		}
		t.Confidence = linger.Known(round(e.Confidence, 1e-6))
	}
	return t
}

// round returns v to the nearest multiple of unit, a power of ten below 1.
func round(v, unit float64) float64 {
	scale := math.Round(1 / unit)
	return math.Round(v*scale) / scale
}

func rounded(o linger.Opt[float64], unit float64) linger.Opt[float64] {
	if v, ok := o.Get(); ok {
		return linger.Known(round(v, unit))
	}
	return o
}
