package audit

import (
	"time"

	"linger"
	"linger/finding"
)

// Slow start is the part of a new connection's price that no packet shows: the flights of its
// first response that a window grown earlier would have saved. It is predicted, from sizes and
// the round trip of the handshake. Losses, receive windows and delayed acknowledgements are
// not modelled, nor what responses after the first would have gained.

// initialWindow is what a sender may send before anything is acknowledged, in bytes:
// "min (10*MSS, max (2*MSS, 14600))" (RFC 6928, 2), for segments of 1460. Linux has ten
// segments (TCP_INIT_CWND, include/net/tcp.h).
const initialWindow = 14_600

// leastTimeout is the shortest retransmission timeout of Linux (TCP_RTO_MIN, include/net/tcp.h).
// A sender that has idled for longer than its timeout begins anew: "a TCP SHOULD set cwnd to no
// more than RW before beginning transmission if the TCP has not sent data in an interval
// exceeding the retransmission timeout" (RFC 5681, 4.1); Linux halves the window for each
// timeout that has passed, down to the initial one, unless net.ipv4.tcp_slow_start_after_idle
// is 0 (tcp_cwnd_restart, net/ipv4/tcp_output.c; RFC 2861).
const leastTimeout = 200 * time.Millisecond

// flights is how many flights a response takes from a window on, which doubles with each that
// fills it: "during slow start, a TCP increments cwnd by at most SMSS bytes for each ACK
// received that cumulatively acknowledges new data" (RFC 5681, 3.1). last is the window then.
func flights(size, window int64) (n int, last int64) {
	for n = 1; size > window; n++ {
		size -= window
		window *= 2
	}
	return n, window
}

// slowStart is what the connection's first response would have taken less on the one before, at
// least and at most. It is unknown where the response fits into the initial window, or sizes or
// the round trip are not known.
//
// The window of the one before is at least what its own first response had grown it to, and at
// most larger by all that it had carried. If it had idled for longer than a timeout can be, the
// window may have been gone, and nothing is saved at least.
func (c *conn) slowStart() (low, high time.Duration, ok bool) {
	b, trip := c.decision.before, c.near.Or(0)+c.far.Or(0)
	if b == nil || c.near.IsZero() || c.far.IsZero() || trip == 0 || c.firstSize <= initialWindow || b.firstSize == 0 {
		return 0, 0, false
	}
	anew, _ := flights(c.firstSize, initialWindow)
	_, grown := flights(b.firstSize, initialWindow)
	few, _ := flights(c.firstSize, grown)
	fewest, _ := flights(c.firstSize, max(grown, initialWindow+b.carriedDown))
	high = time.Duration(anew-fewest) * trip
	if c.opened.Sub(b.idleSince(c.opened)) < leastTimeout {
		low = time.Duration(anew-few) * trip
	}
	return low, high, high > 0
}

// A saving is a sum of predictions.
type saving struct {
	low, high time.Duration
	n         int
}

func (s *saving) add(c *conn) {
	if low, high, ok := c.slowStart(); ok {
		s.low, s.high, s.n = s.low+low, s.high+high, s.n+1
	}
}

// figure is the saving with what it is based on in its name.
func (s *saving) figure() finding.Figure {
	return finding.Figure{Name: "slow_start_predicted", Unit: "ms",
		Interval: linger.Known(finding.Interval{Low: linger.Known(ms(s.low)), High: linger.Known(ms(s.high)), N: s.n})}
}
