package crowd

import (
	"linger"
	"linger/trace"
)

// A run is a record with what is asked of it several times.
type run struct {
	*trace.Crowd
	whole span           // all of it
	half  linger.Instant // half a round trip: what the client sees later, or earlier, than the server
	// client is for how long the client had each connection, server the server's kernel, of those
	// that were established, and taken the server's process.
	client, server, taken []span
	// takes says that the record knows when the server took connections.
	takes bool
}

func runOf(c *trace.Crowd) *run {
	r := &run{Crowd: c, whole: span{0, c.Ended}, half: linger.Instant(c.Network.RTT / 2)}
	for _, x := range c.Connections {
		if !x.Accepted.IsZero() {
			r.takes = true
		}
		r.client = append(r.client, span{x.Dialled, min(x.Closed.Or(c.Ended), c.Ended)})
		if s, ok := r.atServer(x); ok {
			r.server = append(r.server, s)
			if at, ok := x.Accepted.Get(); ok {
				r.taken = append(r.taken, span{at, r.letGo(x)})
			}
		}
	}
	return r
}

// atServer is for how long the server's kernel had a socket of the connection that is not in
// TIME_WAIT: from the SYN, half a round trip before the client has its answer, until the client's
// FIN where the server closes first, which is then in TIME_WAIT, else until the FIN of the server
// is acknowledged. That of a client which has given up waiting is there until the server takes it.
func (r *run) atServer(x trace.CrowdConnection) (s span, ok bool) {
	at, ok := x.Established.Get()
	if !ok {
		return span{}, false
	}
	s = span{max(0, at-r.half), r.letGo(x)}
	switch taken, known := x.Accepted.Get(); {
	case x.ClosedBy != trace.AtClient:
	case r.takes && !known:
		s.to = r.Ended // the FIN of who gives up waits in the accept queue, too
	default:
		s.to = max(s.to, taken) + 2*r.half
	}
	s.to = max(s.from, min(s.to, r.Ended))
	return s, true
}

// letGo is when the server's process let the connection go: when it has read its end, which it
// waits for where it closes first, too.
func (r *run) letGo(x trace.CrowdConnection) linger.Instant {
	if closed, ok := x.Closed.Get(); ok {
		return min(closed+r.half, r.Ended)
	}
	return r.Ended
}

// queued is for how long the connection was in the accept queue: from the last packet of the
// handshake, half a round trip after it was done at the client, until the server took it; ended is
// false where it never did, and the client gave up or the run ended. ok is false where nobody knows.
func (r *run) queued(x trace.CrowdConnection) (s span, ended, ok bool) {
	at, ok := x.Established.Get()
	if !ok || !r.takes {
		return span{}, false, false
	}
	s = span{at + r.half, r.letGo(x)}
	taken, ended := x.Accepted.Get()
	if ended = ended && taken <= s.to || ended && x.ClosedBy != trace.AtClient; ended {
		s.to = taken
	}
	s.to = max(s.from, s.to)
	return s, ended, true
}

// loading is how long the client was loading the page, or trying to.
func (r *run) loading(v trace.Visit) linger.Instant { return max(0, v.Done.Or(r.Ended)-v.Wanted) }

// loaded reports whether the page was there as a whole.
func loaded(v trace.Visit) bool { return v.Failed == 0 && !v.Done.IsZero() }

// lastWanted is when the last page was wanted.
func (r *run) lastWanted() linger.Instant {
	var last linger.Instant
	for _, v := range r.Visits {
		last = max(last, v.Wanted)
	}
	return last
}

// milliseconds is a length of time in ms.
func milliseconds(t linger.Instant) float64 { return float64(t) / 1e6 }
