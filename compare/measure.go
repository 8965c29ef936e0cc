package compare

import (
	"cmp"
	"iter"
	"math"
	"slices"

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
	times    stats.Sample   // of the whole ones, in ms
	time     stats.Estimate // of times, where timed
	timed    bool
	still    stats.Sample        // times with the delay taken out, in ms
	waited   linger.Opt[float64] // ms that the client did nothing but wait for handshakes
	exact    bool                // predicted, and the same in every trial: no luck in it
}

// measure makes the row of one strategy.
func measure(in Input, s linger.Strategy, traces, still []*trace.Trace, failures int) *tried {
	c := &tried{strategy: s}
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
		Trials: len(c.ended) + failures, Failed: len(c.ended) - len(c.whole) + failures,
	}
	c.times = sample(c.whole, load)
	c.time, c.timed = c.times.Interval()
	c.exact = in.Provenance == trace.Predicted && c.time.Low == c.time.High
	if c.timed {
		c.row.Time = linger.Known(known(c.time))
	}
	c.still = sample(slices.DeleteFunc(slices.Clone(still), func(t *trace.Trace) bool { return t.Interrupted || !delivered(t, in.Workload) }), load)
	if floor, ok := c.still.Median(); ok && c.timed && in.Network.RTT > 0 {
		c.row.RoundTrips = linger.Known(round((c.time.Value-floor)/milliseconds(in.Network.RTT), 1e-2))
	}
	seen := c.whole
	if len(seen) == 0 {
		seen = c.ended
	}
	c.count(seen)
	return c
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

// count fills in everything but the time.
func (c *tried) count(traces []*trace.Trace) {
	r := &c.row
	r.Connections = median(traces, func(t *trace.Trace) (float64, bool) {
		flows, ok := ledger(t)
		if !ok {
			return float64(len(t.Connections)), true
		}
		n := 0
		for range flows {
			n++
		}
		return float64(n), true
	})
	r.Handshakes = median(traces, handshakes)
	r.RequestsPerConnection = rounded(median(traces, func(t *trace.Trace) (float64, bool) {
		n := 0
		for _, k := range t.Connections {
			n += k.Requests
		}
		return float64(n) / float64(len(t.Connections)), len(t.Connections) > 0
	}), 1e-2)
	r.Packets = ways(traces, func(f trace.Flow) int64 { return f.Packets })
	r.WireBytes = ways(traces, trace.Flow.Bytes)
	r.PayloadBytes = ways(traces, func(f trace.Flow) int64 { return f.Payload })
	r.Overhead = rounded(median(traces, overhead), 1e-4)
	r.Retransmitted = median(traces, func(t *trace.Trace) (float64, bool) {
		up, down, ok := sum(t, func(f trace.Flow) int64 { return f.Retransmitted })
		return up + down, ok
	})
	r.Retries = median(traces, func(t *trace.Trace) (float64, bool) { return float64(t.Retries), true })
	client := func(t *trace.Trace) (trace.Host, bool) { return t.Client.Get() }
	server := func(t *trace.Trace) (trace.Host, bool) { return t.Server.Get() }
	peak := func(h trace.Host) (float64, bool) { return float64(h.SocketsPeak), h.Samples > 0 }
	memory := func(h trace.Host) (float64, bool) { return float64(h.SocketMemory), h.Samples > 0 }
	cpu := func(h trace.Host) (float64, bool) { return milliseconds(h.CPU), true }
	r.Sockets = Sockets{
		ClientPeak: median(traces, of(client, peak)), ServerPeak: median(traces, of(server, peak)),
		TimeWait: median(traces, func(t *trace.Trace) (float64, bool) {
			left := func(h trace.Host) (float64, bool) { return float64(h.TimeWait), h.Samples > 0 }
			a, ok := of(client, left)(t)
			b, ok2 := of(server, left)(t)
			return a + b, ok && ok2
		}),
	}
	r.SocketMemory = Memory{median(traces, of(client, memory)), median(traces, of(server, memory))}
	r.CPU = CPU{rounded(median(traces, of(client, cpu)), 1e-3), rounded(median(traces, of(server, cpu)), 1e-3)}
	c.waited = median(traces, func(t *trace.Trace) (float64, bool) { return handshakeWait(t), true })
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

// ledger ranges over the TCP and UDP connections that crossed the link; false
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

// handshakes counts the three-way handshakes that the server answered: a
// connection with a SYN each way. Without a ledger it counts the connections
// that the client saw established.
func handshakes(t *trace.Trace) (float64, bool) {
	n := 0
	if flows, ok := ledger(t); ok {
		for f := range flows {
			if answered(f) {
				n++
			}
		}
		return float64(n), true
	}
	for _, k := range t.Connections {
		if !k.Connected.IsZero() {
			n++
		}
	}
	return float64(n), true
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

// handshakeWait is how long, in ms, a connection was being set up while no
// request was outstanding: what handshakes alone add to the load. Where one
// thing happens after the other that is the sum of all handshakes; where a
// handshake hides behind a transfer it costs nothing.
func handshakeWait(t *trace.Trace) float64 {
	type edge struct {
		at             linger.Instant
		dialling, busy int
	}
	var edges []edge
	for _, k := range t.Connections {
		if end := k.Connected.Or(k.Closed.Or(t.Ended)); end > k.Dialled {
			edges = append(edges, edge{k.Dialled, 1, 0}, edge{end, -1, 0})
		}
	}
	for _, e := range t.Exchanges {
		if sent, ok := e.Sent.Get(); ok {
			edges = append(edges, edge{sent, 0, 1}, edge{max(sent, e.Done.Or(t.Ended)), 0, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	var wait linger.Instant
	var dialling, busy int
	var since linger.Instant
	for _, e := range edges {
		if dialling > 0 && busy == 0 {
			wait += min(e.at, t.Ended) - min(since, t.Ended)
		}
		since, dialling, busy = e.at, dialling+e.dialling, busy+e.busy
	}
	return wait.Milliseconds()
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
		t.Low, t.High = linger.Known(round(e.Low, 1e-3)), linger.Known(round(e.High, 1e-3))
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
