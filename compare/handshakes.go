package compare

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"linger"
	"linger/stats"
	"linger/trace"
)

// handshakes counts what one trial opened and shook hands for.
type handshakes struct {
	opened    int // connections
	tcp, quic int // that the server answered
	full      int // of TLS, over TCP or in QUIC
	resumed   int
}

// shaken counts the handshakes of a trial. Connections come from the ledger where
// there is one: of TCP those with a SYN each way, the second step of the three-way
// handshake (RFC 9293, 3.5), of QUIC the flows with an Initial each way. As one
// socket can carry several connections of QUIC, there are never fewer of them than
// the client says. What TLS did only the client knows.
func shaken(t *trace.Trace) handshakes {
	var h handshakes
	var dialled int // of QUIC
	for _, k := range connections(t) {
		switch {
		case overQUIC(k):
			dialled++
			if !k.Secured.IsZero() {
				h.quic++
			}
		case !k.Established.IsZero() || !k.Connected.IsZero():
			h.tcp++
		}
		if s, ok := k.TLS.Get(); ok && s.Resumed {
			h.resumed++
		} else if ok {
			h.full++
		}
	}
	h.opened = len(connections(t))
	flows, ok := ledger(t)
	if !ok {
		return h
	}
	h.tcp, h.opened = 0, 0
	var quic, answer int
	for f := range flows {
		switch {
		case f.IsQUIC():
			quic++
			answer += btoi(answered(f))
		case f.Protocol == "tcp":
			h.opened++
			h.tcp += btoi(answered(f))
		}
	}
	h.opened += max(quic, dialled)
	h.quic = max(answer, h.quic)
	return h
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// overQUIC reports whether a connection's transport was QUIC.
func overQUIC(k trace.Connection) bool {
	return !k.QUIC.IsZero() || k.Protocol == "h3" || k.Protocol == "doh3" || k.Protocol == "doq"
}

// hasQUIC reports whether a trial used QUIC at all.
func hasQUIC(t *trace.Trace) bool { return slices.ContainsFunc(t.Connections, overQUIC) }

// setUpFloor is the share of a round-trip time that set-up may take without delay,
// so that the rest of it can be counted in round trips.
const setUpFloor = 0.3

// setUp fills in what it takes to set connections up.
func (c *tried) setUp(in trace.Experiment, traces, still []*trace.Trace) {
	r := &c.row
	count := func(figure func(handshakes) int) linger.Opt[float64] {
		return median(traces, func(t *trace.Trace) (float64, bool) { return float64(figure(shaken(t))), true })
	}
	r.Connections = count(func(h handshakes) int { return h.opened })
	r.Handshakes = count(func(h handshakes) int { return h.tcp + h.quic })
	r.Handshake.TCP = count(func(h handshakes) int { return h.tcp })
	r.Handshake.QUIC = count(func(h handshakes) int { return h.quic })
	// Whoever watched from outside cannot tell what TLS did.
	if in.Workload.Scheme == "http" || slices.ContainsFunc(traces, func(t *trace.Trace) bool { return len(secured(t)) > 0 }) {
		r.Handshake.TLSFull = count(func(h handshakes) int { return h.full })
		r.Handshake.TLSResumed = count(func(h handshakes) int { return h.resumed })
	}
	r.Resumed = rounded(median(traces, func(t *trace.Trace) (float64, bool) {
		h := shaken(t)
		return float64(h.resumed) / float64(h.resumed+h.full), h.resumed+h.full > 0
	}), 1e-4)
	r.EarlyData = median(traces, func(t *trace.Trace) (float64, bool) {
		n, known := 0, c.strategy.EarlyData
		for _, s := range secured(t) {
			known = known || !s.EarlyData.IsZero()
			n += btoi(s.EarlyData.Or(false))
		}
		return float64(n), known
	})
	r.FastOpen = median(traces, func(t *trace.Trace) (float64, bool) {
		n, known := 0, false
		for _, k := range t.Connections {
			known = known || !k.FastOpen.IsZero()
			n += btoi(k.FastOpen.Or(false))
		}
		return float64(n), known
	})
	at, ok := median(traces, setUpTime).Get()
	// With the delay taken out, the median connection may wait in a queue that
	// others fill, as it does not on the path itself; the least one does not.
	floor, ok2 := median(still, leastSetUpTime).Get()
	rtt := milliseconds(in.Network.RTT)
	// Where origins differ in their distance, the two may be of different ones.
	// Where the hosts' own work is not small beside a round trip, its scatter is not either.
	if trips := (at - floor) / rtt; ok && ok2 && rtt > 0 && !in.Workload.Distances() && floor <= setUpFloor*rtt && trips > -tripsZero {
		r.SetupRoundTrips = linger.Known(round(max(0, trips), 1e-2))
	}
	bytes := func(figure func(trace.TLS) int64) linger.Opt[float64] {
		return median(traces, func(t *trace.Trace) (float64, bool) {
			n := int64(0)
			for _, s := range secured(t) {
				n += figure(s)
			}
			return float64(n), len(secured(t)) > 0
		})
	}
	up, ok := bytes(func(s trace.TLS) int64 { return s.Up }).Get()
	down, ok2 := bytes(func(s trace.TLS) int64 { return s.Down }).Get()
	if ok && ok2 {
		r.HandshakeBytes = linger.Known(Ways{up, down})
	}
	r.CertificateBytes = median(traces, func(t *trace.Trace) (float64, bool) {
		n := int64(0)
		for _, s := range secured(t) {
			n = max(n, s.Certificates)
		}
		return float64(n), n > 0
	})
	r.Protocol = most(traces, func(k trace.Connection) string { return k.Protocol })
	r.TLSVersion = most(traces, func(k trace.Connection) string { return k.TLS.Or(trace.TLS{}).Version })
	wait := func(t *trace.Trace) (float64, bool) { w, _ := handshakeWait(t); return w, true }
	c.waited, c.waitedStill = median(traces, wait), median(still, wait)
	c.waitedTLS = median(traces, func(t *trace.Trace) (float64, bool) { _, w := handshakeWait(t); return w, len(secured(t)) > 0 })
	c.cpu = sample(traces, func(t *trace.Trace) (float64, bool) {
		client, ok := t.Client.Get()
		server, ok2 := t.Server.Get()
		return milliseconds(client.CPU + server.CPU), ok && ok2 && client.CPU > 0
	})
	c.loading = sample(c.whole, loadingTime)
}

// secured lists the TLS handshakes of a trial.
func secured(t *trace.Trace) []trace.TLS {
	var out []trace.TLS
	for _, k := range t.Connections {
		if s, ok := k.TLS.Get(); ok {
			out = append(out, s)
		}
	}
	return out
}

// setUpTime is how long, in ms, a connection of the trial took until the first
// request might be sent on it: the median of those that came so far.
func setUpTime(t *trace.Trace) (float64, bool) {
	return stats.New(setUpTimes(t)...).Median()
}

// leastSetUpTime is the same of the connection that it took least.
func leastSetUpTime(t *trace.Trace) (float64, bool) {
	values := setUpTimes(t)
	if len(values) == 0 {
		return 0, false
	}
	return slices.Min(values), true
}

func setUpTimes(t *trace.Trace) []float64 {
	var values []float64
	for _, k := range connections(t) {
		if at, ok := k.Connected.Get(); ok {
			values = append(values, milliseconds(at.Sub(k.Dialled)))
		}
	}
	return values
}

// loadingTime is the time of a trial, in ms, from when the first request might be
// sent: what is left of it when set-up is not looked at.
func loadingTime(t *trace.Trace) (float64, bool) {
	first := linger.Never
	for _, k := range t.Connections {
		first = min(first, k.Connected.Or(linger.Never))
	}
	return milliseconds(t.Ended.Sub(first)), first <= t.Ended
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

// TLSVersions are the versions of TLS, the most frequent first.
func (r Row) TLSVersions() []string {
	if r.TLSVersion == "" {
		return nil
	}
	return strings.Split(r.TLSVersion, several)
}

// handshakeWait is how long, in ms, a connection was being set up while no
// request was outstanding: what handshakes alone add to the load. Where one
// thing happens after the other that is the sum of all handshakes; where a
// handshake hides behind a transfer, or takes requests along as early data, it
// costs nothing. tls is the part of it in which a connection was past TCP's
// handshake and in that of TLS; QUIC does both in one, and has no such part.
func handshakeWait(t *trace.Trace) (all, tls float64) {
	type edge struct {
		at                    linger.Instant
		setUp, securing, busy int
	}
	var edges []edge
	for _, k := range connections(t) {
		end := k.Connected.Or(k.Closed.Or(t.Ended))
		if end <= k.Dialled {
			continue
		}
		edges = append(edges, edge{at: k.Dialled, setUp: 1}, edge{at: end, setUp: -1})
		if at, ok := k.Established.Get(); ok && at < end {
			edges = append(edges, edge{at: max(at, k.Dialled), securing: 1}, edge{at: end, securing: -1})
		}
	}
	for _, e := range t.Exchanges {
		if sent, ok := e.Sent.Get(); ok {
			edges = append(edges, edge{at: sent, busy: 1}, edge{at: max(sent, e.Done.Or(t.Ended)), busy: -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.at, b.at) })
	var wait, secure linger.Instant
	var now edge
	for _, e := range edges {
		if now.setUp > 0 && now.busy == 0 {
			lasted := min(e.at, t.Ended) - min(now.at, t.Ended)
			wait += lasted
			if now.securing > 0 {
				secure += lasted
			}
		}
		now = edge{e.at, now.setUp + e.setUp, now.securing + e.securing, now.busy + e.busy}
	}
	return wait.Milliseconds(), secure.Milliseconds()
}
