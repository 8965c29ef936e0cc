package facts

import (
	"cmp"
	"slices"

	"linger"
	"linger/stats"
	"linger/trace"
)

// Handshakes counts what one trial opened and shook hands for.
type Handshakes struct {
	Opened    int // connections
	TCP, QUIC int // that the server answered
	Full      int // of TLS, over TCP or in QUIC
	Resumed   int
}

// CountHandshakes counts the handshakes of a trial. Connections come from the ledger where
// there is one: of TCP those with a SYN in each direction, the second step of the three-way
// handshake (RFC 9293, 3.5), of QUIC the flows with an Initial in each direction. As one
// socket can carry several connections of QUIC, there are never fewer of them than
// the client says. What TLS did only the client knows.
func CountHandshakes(t *trace.Trace) Handshakes {
	var h Handshakes
	var dialled int // of QUIC
	for _, k := range Connections(t) {
		switch {
		case OverQUIC(k):
			dialled++
			if !k.Secured.IsZero() {
				h.QUIC++
			}
		case !k.Established.IsZero() || !k.Connected.IsZero():
			h.TCP++
		}
		if s, ok := k.TLS.Get(); ok && s.Resumed {
			h.Resumed++
		} else if ok {
			h.Full++
		}
	}
	h.Opened = len(Connections(t))
	flows, ok := Flows(t)
	if !ok {
		return h
	}
	h.TCP, h.Opened = 0, 0
	var quic, answer int
	for f := range flows {
		switch {
		case f.IsQUIC():
			quic++
			if Answered(f) {
				answer++
			}
		case f.Protocol == linger.TransportTCP:
			h.Opened++
			if Answered(f) {
				h.TCP++
			}
		}
	}
	h.Opened += max(quic, dialled)
	h.QUIC = max(answer, h.QUIC)
	return h
}

// Secured lists the TLS handshakes of a trial.
func Secured(t *trace.Trace) []trace.TLS {
	var out []trace.TLS
	for _, k := range t.Connections {
		if s, ok := k.TLS.Get(); ok {
			out = append(out, s)
		}
	}
	return out
}

// SetupTime is how long, in ms, a connection of the trial took until the first
// request might be sent on it: the median of those that came so far.
func SetupTime(t *trace.Trace) (float64, bool) {
	return stats.New(setUpTimes(t)...).Median()
}

// LeastSetupTime is the same of the connection that it took least.
func LeastSetupTime(t *trace.Trace) (float64, bool) {
	values := setUpTimes(t)
	if len(values) == 0 {
		return 0, false
	}
	return slices.Min(values), true
}

func setUpTimes(t *trace.Trace) []float64 {
	var values []float64
	for _, k := range Connections(t) {
		if at, ok := k.Connected.Get(); ok {
			values = append(values, Milliseconds(at.Sub(k.Dialled)))
		}
	}
	return values
}

// LoadingTime is the time of a trial, in ms, from when the first request might be
// sent: what is left of it when set-up is not looked at.
func LoadingTime(t *trace.Trace) (float64, bool) {
	first := linger.Never
	for _, k := range t.Connections {
		first = min(first, k.Connected.Or(linger.Never))
	}
	return Milliseconds(t.Ended.Sub(first)), first <= t.Ended
}

// HandshakeWait is how long, in ms, a connection was being set up while no
// request was outstanding: what handshakes alone add to the load. Where one
// thing happens after the other that is the sum of all handshakes; where a
// handshake hides behind a transfer, or takes requests along as early data, it
// costs nothing. tls is the part of it in which a connection was past TCP's
// handshake and in that of TLS; QUIC does both in one, and has no such part.
func HandshakeWait(t *trace.Trace) (all, tls float64) {
	type edge struct {
		at                    linger.Instant
		setUp, securing, busy int
	}
	var edges []edge
	for _, k := range Connections(t) {
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
