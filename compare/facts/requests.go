package facts

import (
	"cmp"
	"slices"
	"time"

	"linger"
	"linger/trace"
)

// LastDone returns, by connection, when its last exchange was done.
func LastDone(t *trace.Trace) map[int64]linger.Opt[linger.Instant] {
	last := map[int64]linger.Opt[linger.Instant]{}
	for _, e := range t.Exchanges {
		if done, ok := e.Done.Get(); ok && done >= last[e.Connection].Or(0) {
			last[e.Connection] = e.Done
		}
	}
	return last
}

// Overlapped reports whether a request was ever sent on a connection on which
// another was still outstanding. An exchange tells of its last attempt only: of the
// others, two that were never answered were outstanding together.
func Overlapped(t *trace.Trace) bool {
	on := Answers(t)
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

// OneByOne reports whether the client never wanted an answer while it waited for another,
// so that no strategy can have had two queries in flight.
func OneByOne(t *trace.Trace) bool {
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

// FirstResponse returns when the first byte of any response had come.
func FirstResponse(t *trace.Trace) linger.Instant {
	first := linger.Never
	for _, e := range t.Exchanges {
		first = min(first, e.FirstByte.Or(linger.Never))
	}
	return first
}

// CompressesHeads reports whether heads may take less on the wire than they are long
// (RFC 7541, RFC 9204).
func CompressesHeads(t *trace.Trace) bool {
	return slices.ContainsFunc(t.Connections, func(k trace.Connection) bool {
		return k.Protocol.Version() >= "2"
	})
}

// Resent counts the datagrams of a query that were sent once more. The one over TCP
// that follows a truncated answer is none.
func Resent(e trace.Exchange) int {
	n := e.Attempts - 1
	if e.Truncated {
		n--
	}
	return max(0, n)
}

// AnnouncedIdleLimit is the longest idle limit, in ms, that the server announced.
func AnnouncedIdleLimit(t *trace.Trace) (float64, bool) {
	limit, known := time.Duration(0), false
	for _, k := range t.Connections {
		if d, ok := k.IdleLimit.Get(); ok {
			limit, known = max(limit, d), true
		}
	}
	return Milliseconds(limit), known
}

// parting is how long after the last answer a server may close for another reason than
// idleness: an orderly close of several round trips, in which late packets can still come.
func parting(rtt time.Duration) time.Duration { return 8*rtt + 100*time.Millisecond }

// IdleEnds lists how long, in ms, connections had been without a query when the server
// closed them, as far as that can have been the reason.
func IdleEnds(t *trace.Trace, rtt time.Duration) []float64 {
	var gaps []float64
	last, on := LastDone(t), Answers(t)
	for _, k := range Connections(t) {
		end, ok := k.Closed.Get()
		since, ok2 := last[k.ID].Get()
		if ok && ok2 && k.ClosedBy == trace.AtServer && end < t.Ended && k.Requests == on[k.ID] && end.Sub(since) > parting(rtt) {
			gaps = append(gaps, Milliseconds(end.Sub(since)))
		}
	}
	return gaps
}

// IdleRestarts counts after how many of its idle times a connection may have begun with its
// initial window anew: those longer than a retransmission timeout (RFC 5681, 4.1), which is
// 200 ms and the round-trip time at least.
func IdleRestarts(t *trace.Trace, rtt time.Duration) int {
	type span struct {
		connection int64
		sent, done linger.Instant
		known      bool // when it was sent
	}
	spans := make([]span, 0, len(t.Exchanges))
	for i := range t.Exchanges {
		e := &t.Exchanges[i]
		spans = append(spans, span{e.Connection, e.Sent.Or(0), e.Done.Or(0), !e.Sent.IsZero()})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.sent, b.sent) })
	done := map[int64]linger.Instant{}
	restarts := 0
	for _, s := range spans {
		if last, used := done[s.connection]; used && s.known && s.sent.Sub(last) > rtt+200*time.Millisecond {
			restarts++
		}
		done[s.connection] = max(done[s.connection], s.done)
	}
	return restarts
}
