package compare

import (
	"cmp"
	"math"
	"slices"
	"time"

	"linger"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// trials are those of one strategy, sorted by what became of them.
type trials struct {
	ended []*trace.Trace  // run to their end, whole or not
	whole []*trace.Trace  // that delivered the whole workload
	lost  []time.Duration // without a trace: after how long each was given up
	// zeroRTT are those with the delay taken out that delivered it, zeroRTTFailed those that
	// did not.
	zeroRTT, zeroRTTFailed []*trace.Trace
}

// trialsOf sorts the trials of the strategy at an index.
func trialsOf(in trace.Experiment, at int) trials {
	out := trials{lost: make([]time.Duration, len(trace.At(in.Failures, at)))}
	copy(out.lost, trace.At(in.GivenUp, at))
	for _, t := range trace.At(in.Traces, at) {
		if t.Interrupted {
			continue
		}
		out.ended = append(out.ended, t)
		if facts.Delivered(t, in.Workload) {
			out.whole = append(out.whole, t)
		}
	}
	for _, t := range trace.At(in.ZeroRTT, at) {
		switch {
		case t.Interrupted:
		case facts.Delivered(t, in.Workload):
			out.zeroRTT = append(out.zeroRTT, t)
		default:
			out.zeroRTTFailed = append(out.zeroRTTFailed, t)
		}
	}
	return out
}

// counted are those whose figures count: that delivered the whole workload, or where none did,
// those that ended.
func (t trials) counted() []*trace.Trace {
	if len(t.whole) > 0 {
		return t.whole
	}
	return t.ended
}

// times are those of all trials, in ms. One that did not deliver everything has none: it
// would have taken longer than until it had failed, and ranks above all others.
func (t trials) times(w linger.Workload) stats.Sample {
	var took, bounds []float64
	for _, one := range t.ended {
		if facts.Delivered(one, w) {
			took = append(took, one.Ended.Milliseconds())
		} else {
			bounds = append(bounds, one.Ended.Milliseconds())
		}
	}
	for _, d := range t.lost {
		bounds = append(bounds, facts.Milliseconds(d))
	}
	return stats.Censored(took, bounds)
}

// measured is what the trials of one strategy come to: the times that others are held against,
// the row that is shown, and where the time goes.
type measured struct {
	*times.Timed
	row    Row
	inside inside
}

// inside tells where the time of a load goes, in ms.
type inside struct {
	zeroRTT stats.Sample // times with the delay taken out
	loading stats.Sample // times from when the first request might be sent
	cpu     stats.Sample // of both sides
	// waited is how long the client did nothing but wait for handshakes, waitedTLS the part of
	// TLS, unknown where there is none; waitedZeroRTT is waited with the delay taken out.
	waited, waitedTLS, waitedZeroRTT linger.Opt[float64]
	// roundTrips is Row.RoundTrips as calculated, off how far off it may be.
	roundTrips, off linger.Opt[float64]
	// queryBytes and queryPackets are those of the link, both ways, for each query that was
	// answered, where everything was.
	queryBytes, queryPackets linger.Opt[float64]
	large                    bool // a response takes more than one initial window
	lossy                    bool // the link dropped a packet at random in most of the trials
	restarts                 int  // after how many idle times a connection may have begun with its initial window anew
}

// measure tells what the trials of one strategy come to.
func measure(setup trace.Setup, s linger.Strategy, t trials, fixed bool) *measured {
	m := &measured{Timed: times.TimedOf(s, t.times(setup.Workload), setup.Provenance, setup.Network.Loss)}
	m.inside = insideOf(setup, t)
	m.row = Row{
		Strategy: s.Name, Persistent: s.Persistent,
		Trials: len(t.ended) + len(t.lost), Failed: len(t.ended) - len(t.whole) + len(t.lost),
		Time: m.Time(), Request: requestsOf(t.ended).spread(), Samples: samplesOf(setup.Workload, t),
	}
	for _, one := range t.ended {
		m.row.Agent = cmp.Or(m.row.Agent, one.Agent)
	}
	if least, ok := m.Sample.AtLeast(); ok && !m.Known {
		m.row.AtLeast = linger.Known(stats.Round(least, 1e-3))
	}
	if !fixed {
		m.countRoundTrips(facts.Milliseconds(setup.Network.RTT))
	}
	m.row.countRequests(t.counted())
	m.row.countPackets(t.counted())
	if s.DNS == "" { // whose messages hold padding, which is no content
		m.row.Overhead = rounded(facts.Median(t.counted(), facts.Overhead), 1e-4)
	}
	m.row.countHosts(t.counted())
	m.row.countHandshakes(t.counted())
	m.row.countTLS(t.counted(), s.EarlyData)
	if setup.Workload.Scheme != linger.SchemeHTTP && !slices.ContainsFunc(t.counted(), func(t *trace.Trace) bool { return len(facts.Secured(t)) > 0 }) {
		m.row.Handshake.TLSFull, m.row.Handshake.TLSResumed = linger.Opt[float64]{}, linger.Opt[float64]{} // whoever watched from outside cannot tell what TLS did
	}
	m.row.SetupRoundTrips = setupRoundTrips(t.counted(), t.zeroRTT, setup)
	if s.DNS != "" {
		m.inside.queryBytes = facts.Median(t.whole, facts.PerQuery(trace.Flow.Bytes))
		m.inside.queryPackets = facts.Median(t.whole, facts.PerQuery(facts.Packets))
	}
	m.row.DNS = dnsOf(s, t.ended, setup.Network.RTT)
	return m
}

// insideOf tells where the time of the trials goes.
func insideOf(setup trace.Setup, t trials) inside {
	counted := t.counted()
	wait := func(t *trace.Trace) (float64, bool) { w, _ := facts.HandshakeWait(t); return w, true }
	lossy := 0
	for _, one := range t.whole {
		if facts.DroppedAtRandom(one) {
			lossy++
		}
	}
	return inside{
		zeroRTT: facts.Sample(t.zeroRTT, facts.Time),
		loading: facts.Sample(t.whole, facts.LoadingTime),
		cpu: facts.Sample(counted, func(t *trace.Trace) (float64, bool) {
			client, ok := t.Client.Get()
			server, ok2 := t.Server.Get()
			return facts.Milliseconds(client.CPU + server.CPU), ok && ok2 && client.CPU > 0
		}),
		waited: facts.Median(counted, wait), waitedZeroRTT: facts.Median(t.zeroRTT, wait),
		waitedTLS: facts.Median(counted, func(t *trace.Trace) (float64, bool) {
			if len(facts.Secured(t)) == 0 {
				return 0, false
			}
			_, w := facts.HandshakeWait(t)
			return w, true
		}),
		large: slices.ContainsFunc(setup.Workload.Exchanges, func(e linger.Exchange) bool { return e.ResponseBody > initialWindow }),
		lossy: 2*lossy > len(t.whole),
		restarts: int(facts.Median(t.whole, func(t *trace.Trace) (float64, bool) {
			return float64(facts.IdleRestarts(t, setup.Network.RTT)), true
		}).Or(0)),
	}
}

// countRoundTrips tells how many there are in the time, if that can be told.
func (m *measured) countRoundTrips(rtt float64) {
	floor, ok := m.inside.zeroRTT.Interval()
	if !ok || !m.Known || rtt <= 0 {
		return
	}
	trips := (m.Median.Value - floor.Value) / rtt
	m.inside.roundTrips = linger.Known(trips)
	off, ok := m.Uncertainty().Get()
	if ok && (floor.Confidence > 0 || m.Exact) {
		m.inside.off = linger.Known((off + max(floor.High-floor.Value, floor.Value-floor.Low)) / rtt)
	}
	// A little below nothing is nothing; more than that is no count of anything.
	if trips > -tripsZero && m.inside.off.Or(0) < max(trips, tripsZero) {
		m.row.RoundTrips = linger.Known(stats.Round(max(0, trips), 1e-2))
		if d, ok := m.inside.off.Get(); ok && !m.Exact {
			m.row.TripsUncertainty = linger.Known(math.Ceil(100*d) / 100)
		}
	}
}

// tripsZero is the number of round trips that rounds to none.
const tripsZero = 0.05

// figure is a number of the strategy, if it is known.
func (m *measured) figure(name string, v linger.Opt[float64], unit string) finding.Figure {
	return finding.Figure{Name: name, Of: m.Name(), Value: v, Unit: unit}
}
