package compare

import (
	"cmp"
	"slices"
	"time"

	"linger"
	"linger/compare/facts"
	"linger/finding"
	"linger/trace"
)

// notHonoured tells where a strategy did not get what it stands for: connections that were kept or
// closed, and requests under way together.
func notHonoured(setup trace.Setup, fixed bool, c attempt) []finding.Caveat {
	return slices.Concat(notKept(c), notClosed(setup.Network, c), notTogether(setup.Workload, fixed, c))
}

// refusal is a caveat that so many connections, if any, were not what the strategy stands for.
func (c attempt) refusal(cause string, connections int, reasons ...finding.Figure) []finding.Caveat {
	if connections == 0 {
		return nil
	}
	name := "connections"
	if cause == CauseClosed {
		name = "closed"
	}
	return []finding.Caveat{c.caveat(NotHonoured, cause, append(reasons, finding.Counted(name, connections))...)}
}

// notKept tells of connections that were to be kept and that the server closed, or that bytes
// which no request had asked for made the client let go.
func notKept(c attempt) []finding.Caveat {
	if !c.Strategy.Persistent {
		return nil
	}
	var closed, spoilt int
	reasons, sent := map[string]int{}, map[string]int{}
	for _, t := range c.ended {
		last := facts.LastDone(t)
		for _, k := range facts.Connections(t) {
			if s, ok := k.Surplus.Get(); ok {
				spoilt++
				sent[s.Text]++
			}
			end, ok := k.Closed.Get()
			if ok && k.ClosedBy == trace.AtServer && end < t.Ended && !asAnnounced(k, last[k.ID]) {
				closed++
				reasons[cmp.Or(k.Reason, NoReason)]++
			}
		}
	}
	return slices.Concat(c.refusal(CauseClosed, closed, tally(reasons)...), c.refusal(CauseSurplus, spoilt, tally(sent)...))
}

// notClosed tells of connections that were to be closed and that carried another request, or that
// the server left open.
//
// A server "MUST initiate closure of the connection (see below) after it sends the final response
// to the request that contained the "close" connection option" (RFC 9112, 9.6): its FIN is there
// with the response, or a little later. A client that waited for a whole round trip has waited
// for nothing. Who looks names up closes by itself, and asks nobody to.
func notClosed(n linger.Network, c attempt) []finding.Caveat {
	if c.Strategy.Persistent {
		return nil
	}
	var reused, open int
	for _, t := range c.ended {
		last := facts.LastDone(t)
		for _, k := range facts.Connections(t) {
			end, ok := k.Closed.Get()
			done, answered := last[k.ID].Get()
			switch {
			case k.Requests > 1:
				reused++
			case ok && answered && c.Strategy.DNS == "" && k.ClosedBy == trace.AtClient && end.Sub(done) >= patience(n, k):
				open++
			}
		}
	}
	return slices.Concat(c.refusal(CauseReused, reused), c.refusal(CauseLeftOpen, open))
}

// notTogether tells of requests that were to be under way together, and were not: since the server
// allows no more, or for no reason that is known. Where one follows the other, or it is fixed when
// each is sent, none need have been.
func notTogether(w linger.Workload, fixed bool, c attempt) []finding.Caveat {
	var barred, single, together, alone int
	for _, t := range c.ended {
		for _, k := range facts.Connections(t) {
			n, said := k.Streams.Get()
			barred += btoi(c.Strategy.Multiplexed && said && n == 0)
			single += btoi(c.Strategy.Multiplexed && said && n == 1)
		}
		together += btoi(c.Strategy.InFlight != 1 && facts.Overlapped(t))
		alone += btoi(c.Strategy.DNS != "" && facts.OneByOne(t))
	}
	out := slices.Concat(c.refusal(CauseNoStream, barred), c.refusal(CauseOneStream, single))
	if single == 0 && c.Strategy.InFlight != 1 && len(c.ended) > alone && together == 0 && len(w.Exchanges) > 2 && !fixed && !oneAfterOther(w) {
		out = append(out, c.caveat(NotHonoured, CauseSerial))
	}
	return out
}

// asAnnounced reports whether a server closed a connection that had been idle for as
// long as it had said, but for a tenth.
func asAnnounced(k trace.Connection, last linger.Opt[linger.Instant]) bool {
	limit, ok := k.IdleLimit.Get()
	return ok && k.ClosedBy == trace.AtServer && k.Closed.Or(0).Sub(last.Or(k.Connected.Or(k.Dialled))) >= limit*9/10
}

// patience is how long a client waits for a close that it asked for before it has
// waited for nothing: a round trip where the path is known. Where it is not, it is some times
// what the handshake of TCP took, which is one, and what a busy server may take.
func patience(n linger.Network, k trace.Connection) time.Duration {
	const trips, busy = 4, 500 * time.Millisecond
	if n.RTT > 0 {
		return n.RTT
	}
	return max(busy, trips*k.Established.Or(k.Dialled).Sub(k.Dialled))
}

// otherProtocol checks that the connections spoke the strategy's protocol. An HTTP/1.1
// server may answer a request of HTTP/1.0 as such (RFC 9110, 2.5). A recording follows no
// strategy, so that nothing is expected of it.
func otherProtocol(c attempt) (out []finding.Caveat) {
	want := c.Strategy.Protocol()
	if want == "" {
		return nil
	}
	others := map[string]int{}
	for _, t := range c.ended {
		for _, k := range t.Connections {
			tcp := c.Strategy.Datagram && k.Protocol == linger.DNSOverTCP // where an answer did not fit
			if p := k.Protocol; p != "" && p != want && !tcp && !(want.IsHTTP1() && p.IsHTTP1()) {
				others[string(p)]++
			}
		}
	}
	if len(others) > 0 {
		out = append(out, c.caveat(NotHonoured, CauseProtocol, append(tally(others), finding.Word("expected", c.Strategy.Speaks()))...))
	}
	return out
}

// notEased checks that the setup was made as short as the strategy asks for.
func notEased(c attempt) (out []finding.Caveat) {
	var full, again, rejected, unsent, fell, plain, connected int
	for _, t := range c.ended {
		ticket := facts.FirstResponse(t)
		for _, k := range facts.Connections(t) {
			if k.Connected.IsZero() {
				continue
			}
			connected++
			if s, ok := k.TLS.Get(); ok {
				// A server sends tickets behind its handshake, so that they are there
				// with the first response (RFC 8446, 4.6.1).
				if c.Strategy.EarlyData || k.Dialled >= ticket {
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
		{CauseNotResumed, c.Strategy.Resume, full, again},
		{CauseEarlyRejected, c.Strategy.EarlyData, rejected, connected},
		{CauseEarlyUnsent, c.Strategy.EarlyData, unsent, connected},
		{CauseFastOpenRefused, c.Strategy.FastOpen, fell, connected},
		{CauseFastOpenUnknown, c.Strategy.FastOpen, plain, connected},
	} {
		if refused.asked && refused.n > 0 {
			out = append(out, c.caveat(NotHonoured, refused.cause, finding.Counted("refused", refused.n), finding.Counted("connections", refused.of)))
		}
	}
	return out
}

// retries tells of requests that met a connection which was closed, or which refused them.
func retries(w linger.Workload, all []attempt) (out []finding.Caveat) {
	again := func(multiplexed bool) []finding.Figure {
		return counts(all, "retries", func(c attempt, t *trace.Trace) (n int64) {
			if c.Strategy.Multiplexed == multiplexed {
				n = int64(t.Retries)
			}
			return n
		})
	}
	if closed := again(false); len(closed) > 0 {
		out = append(out, caveat(Retries, CauseClosed, append(closed, schemeOf(w))...))
	}
	if refused := again(true); len(refused) > 0 {
		out = append(out, caveat(Retries, CauseRefused, append(refused, schemeOf(w))...))
	}
	return out
}
