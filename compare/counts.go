package compare

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"linger"
	"linger/compare/facts"
	"linger/stats"
	"linger/trace"
)

// countRequests fills in what became of the requests.
func (r *Row) countRequests(traces []*trace.Trace) {
	r.RequestsPerConnection = rounded(facts.Median(traces, func(t *trace.Trace) (float64, bool) {
		n := 0
		on := facts.Answers(t)
		for _, k := range facts.Connections(t) {
			n += on[k.ID]
		}
		return float64(n) / float64(len(facts.Connections(t))), len(facts.Connections(t)) > 0
	}), 1e-2)
	r.Reuse = facts.Median(traces, facts.ReusedShare)
	r.RequestsUnanswered = facts.Median(traces, func(t *trace.Trace) (float64, bool) {
		n, on := 0, facts.Answers(t)
		for _, k := range facts.Connections(t) {
			n += max(0, k.Requests-on[k.ID])
		}
		return float64(n), true
	})
	r.Retries = facts.Median(traces, func(t *trace.Trace) (float64, bool) { return float64(t.Retries), true })
}

// countPackets fills in what crossed the link.
func (r *Row) countPackets(traces []*trace.Trace) {
	r.Packets = ways(traces, facts.Packets)
	r.WireBytes = ways(traces, trace.Flow.Bytes)
	r.PayloadBytes = ways(traces, func(f trace.Flow) int64 { return f.Payload })
	// The packet numbers of QUIC are encrypted, and datagrams of DNS have none.
	tcp := func(t *trace.Trace) bool {
		return !facts.HasQUIC(t) && !slices.ContainsFunc(t.Connections, facts.Connectionless)
	}
	both := func(of func(trace.Flow) float64, counts func(*trace.Trace) bool) linger.Opt[float64] {
		return rounded(facts.Median(traces, func(t *trace.Trace) (float64, bool) {
			n := 0.0
			flows, ok := facts.Flows(t)
			for f := range flows {
				n += of(f.Up) + of(f.Down)
			}
			return n, ok && counts(t)
		}), 1e-3)
	}
	any := func(*trace.Trace) bool { return true }
	r.Retransmitted = both(func(f trace.Flow) float64 { return float64(f.Retransmitted) }, tcp)
	r.DroppedQueue = both(func(f trace.Flow) float64 { return float64(f.DroppedQueue) }, any)
	r.DroppedLoss = both(func(f trace.Flow) float64 { return float64(f.DroppedLoss) }, any)
	r.Stalls = both(func(f trace.Flow) float64 { return float64(f.Stalls) }, tcp)
	r.Stalled = both(func(f trace.Flow) float64 { return facts.Milliseconds(f.Stalled.Or(0)) }, tcp)
}

// countHosts fills in what each side held and spent.
func (r *Row) countHosts(traces []*trace.Trace) {
	client := func(t *trace.Trace) (trace.Host, bool) { return t.Client.Get() }
	server := func(t *trace.Trace) (trace.Host, bool) { return t.Server.Get() }
	// Sockets of UDP are not counted, so that of QUIC's nothing is known.
	tcp := slices.DeleteFunc(slices.Clone(traces), facts.HasQUIC)
	counted := slices.DeleteFunc(slices.Clone(tcp), facts.SocketsMissed)
	peak := func(h trace.Host) (float64, bool) { return float64(h.SocketsPeak), h.SocketsPeak > 0 }
	memory := func(h trace.Host) (float64, bool) { return float64(h.SocketMemory), h.SocketMemory > 0 }
	cpu := func(h trace.Host) (float64, bool) { return facts.Milliseconds(h.CPU), h.CPU > 0 }
	r.Sockets = Sockets{
		ClientPeak: facts.Median(tcp, func(t *trace.Trace) (float64, bool) {
			n := max(t.Client.Or(trace.Host{}).SocketsPeak, facts.AtOnce(t))
			return float64(n), n > 0 && t.Client.Or(trace.Host{}).Samples > 0
		}),
		ServerPeak: facts.Median(counted, of(server, peak)),
		TimeWait: facts.Median(tcp, func(t *trace.Trace) (float64, bool) {
			left := func(h trace.Host) (float64, bool) { return float64(h.TimeWait), h.Samples > 0 }
			a, ok := of(client, left)(t)
			b, ok2 := of(server, left)(t)
			return a + b, ok && ok2
		}),
	}
	r.SocketMemory = Memory{facts.Median(counted, of(client, memory)), facts.Median(counted, of(server, memory))}
	r.Resident = Resident{
		facts.Median(traces, of(server, func(h trace.Host) (float64, bool) { return float64(h.ResidentPeak), h.ResidentPeak > 0 })),
		facts.Median(traces, of(server, func(h trace.Host) (float64, bool) { return float64(h.ResidentLeft), h.ResidentLeft > 0 })),
	}
	r.CPU = CPU{rounded(facts.Median(traces, of(client, cpu)), 1e-3), rounded(facts.Median(traces, of(server, cpu)), 1e-3)}
}

// countHandshakes fills in what was opened and shaken hands for, and what was spoken.
func (r *Row) countHandshakes(traces []*trace.Trace) {
	count := func(of func(facts.Handshakes) int) linger.Opt[float64] {
		return facts.Median(traces, func(t *trace.Trace) (float64, bool) { return float64(of(facts.CountHandshakes(t))), true })
	}
	r.Connections = count(func(h facts.Handshakes) int { return h.Opened })
	r.Handshakes = count(func(h facts.Handshakes) int { return h.TCP + h.QUIC })
	r.Handshake.TCP = count(func(h facts.Handshakes) int { return h.TCP })
	r.Handshake.QUIC = count(func(h facts.Handshakes) int { return h.QUIC })
	r.Handshake.TLSFull = count(func(h facts.Handshakes) int { return h.Full })
	r.Handshake.TLSResumed = count(func(h facts.Handshakes) int { return h.Resumed })
	r.Resumed = rounded(facts.Median(traces, func(t *trace.Trace) (float64, bool) {
		h := facts.CountHandshakes(t)
		return float64(h.Resumed) / float64(h.Resumed+h.Full), h.Resumed+h.Full > 0
	}), 1e-4)
	r.FastOpen = facts.Median(traces, func(t *trace.Trace) (float64, bool) {
		n, known := 0, false
		for _, k := range t.Connections {
			known = known || !k.FastOpen.IsZero()
			n += btoi(k.FastOpen.Or(false))
		}
		return float64(n), known
	})
	r.Protocol = most(traces, func(k trace.Connection) string { return string(k.Protocol) })
	r.TLSVersion = most(traces, func(k trace.Connection) string { return k.TLS.Or(trace.TLS{}).Version })
}

// countTLS fills in what the handshakes of TLS took; early says that early data was asked for.
func (r *Row) countTLS(traces []*trace.Trace, early bool) {
	r.EarlyData = facts.Median(traces, func(t *trace.Trace) (float64, bool) {
		n, known := 0, early
		for _, s := range facts.Secured(t) {
			known = known || !s.EarlyData.IsZero()
			n += btoi(s.EarlyData.Or(false))
		}
		return float64(n), known
	})
	bytes := func(of func(trace.TLS) int64) linger.Opt[float64] {
		return facts.Median(traces, func(t *trace.Trace) (float64, bool) {
			n := int64(0)
			for _, s := range facts.Secured(t) {
				n += of(s)
			}
			return float64(n), len(facts.Secured(t)) > 0
		})
	}
	up, ok := bytes(func(s trace.TLS) int64 { return s.Up }).Get()
	down, ok2 := bytes(func(s trace.TLS) int64 { return s.Down }).Get()
	if ok && ok2 {
		r.HandshakeBytes = linger.Known(facts.Directions{Up: up, Down: down})
	}
	r.CertificateBytes = facts.Median(traces, func(t *trace.Trace) (float64, bool) {
		n := int64(0)
		for _, s := range facts.Secured(t) {
			n = max(n, s.Certificates)
		}
		return float64(n), n > 0
	})
}

// setUpFloor is the share of a round-trip time that set-up may take without delay,
// so that the rest of it can be counted in round trips.
const setUpFloor = 0.3

// setupRoundTrips is how many it takes until the first request may be sent on a new connection,
// as far as that can be told.
func setupRoundTrips(counted, zeroRTT []*trace.Trace, setup trace.Setup) (o linger.Opt[float64]) {
	at, ok := facts.Median(counted, facts.SetupTime).Get()
	// With the delay taken out, the median connection may wait in a queue that
	// others fill, as it does not on the path itself; the least one does not.
	floor, ok2 := facts.Median(zeroRTT, facts.LeastSetupTime).Get()
	rtt := facts.Milliseconds(setup.Network.RTT)
	// Where origins differ in their distance, the two may be of different ones.
	// Where the hosts' own work is not small beside a round trip, its scatter is not either.
	if trips := (at - floor) / rtt; ok && ok2 && rtt > 0 && !setup.Workload.Distances() && floor <= setUpFloor*rtt && trips > -tripsZero {
		o = linger.Known(stats.Round(max(0, trips), 1e-2))
	}
	return o
}

// samplesOf are the figures of each trial that two results are held against each other by.
func samplesOf(w linger.Workload, t trials) Samples {
	var out Samples
	for _, t := range t.ended {
		whole := facts.Delivered(t, w)
		one := func(list *[]linger.Opt[float64], v float64, ok bool) {
			var o linger.Opt[float64]
			if ok && whole {
				o = linger.Known(stats.Round(v, 1e-3))
			}
			*list = append(*list, o)
		}
		h := facts.CountHandshakes(t)
		up, down, ok := facts.Sum(t, facts.Packets)
		one(&out.Time, t.Ended.Milliseconds(), true)
		one(&out.Connections, float64(h.Opened), true)
		one(&out.Handshakes, float64(h.TCP+h.QUIC), true)
		one(&out.Packets, up+down, ok)
		up, down, ok = facts.Sum(t, trace.Flow.Bytes)
		one(&out.WireBytes, up+down, ok)
	}
	for _, list := range []*[]linger.Opt[float64]{&out.Time, &out.Connections, &out.Handshakes, &out.Packets, &out.WireBytes} {
		*list = append(*list, make([]linger.Opt[float64], len(t.lost))...)
		if list != &out.Time && !slices.ContainsFunc(*list, func(o linger.Opt[float64]) bool { return !o.IsZero() }) {
			*list = nil
		}
	}
	return out
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

// ways is the median of a figure in each direction.
func ways(traces []*trace.Trace, figure func(trace.Flow) int64) (o linger.Opt[facts.Directions]) {
	up, ok := facts.Median(traces, func(t *trace.Trace) (float64, bool) { u, _, ok := facts.Sum(t, figure); return u, ok }).Get()
	down, ok2 := facts.Median(traces, func(t *trace.Trace) (float64, bool) { _, d, ok := facts.Sum(t, figure); return d, ok }).Get()
	if ok && ok2 {
		o = linger.Known(facts.Directions{Up: up, Down: down})
	}
	return o
}

func rounded(o linger.Opt[float64], unit float64) linger.Opt[float64] {
	if v, ok := o.Get(); ok {
		return linger.Known(stats.Round(v, unit))
	}
	return o
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// most lists what connections were, the most frequent first: "h2", "h2, http/1.1".
func most(traces []*trace.Trace, what func(trace.Connection) string) string {
	counts := map[string]int{}
	for _, t := range traces {
		for _, k := range t.Connections {
			if s := what(k); s != "" {
				counts[s]++
			}
		}
	}
	return strings.Join(slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	}), several)
}

// several stands between the words of a field that has more than one.
const several = ", "
