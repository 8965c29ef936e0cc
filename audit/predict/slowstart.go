package predict

import (
	"time"
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

// An Earlier is a connection that a new one might have been spared: the size of its first response
// and all that it had carried when it had last been used, in bytes, and how long ago that was.
type Earlier struct {
	First, Carried int64
	Idled          time.Duration
}

// SlowStart is what a response of that size, the first on its connection, would have taken less
// on the one before, at least and at most. It is unknown where the response fits into the
// initial window, or sizes are not known.
//
// The window of the one before is at least what its own first response had grown it to, and at
// most larger by all that it had carried. If it had idled for longer than a timeout can be, the
// window may have been gone, and nothing is saved at least.
func SlowStart(size int64, before Earlier, trip time.Duration) (low, high time.Duration, ok bool) {
	if size <= initialWindow || before.First == 0 {
		return 0, 0, false
	}
	anew, _ := flights(size, initialWindow)
	_, grown := flights(before.First, initialWindow)
	few, _ := flights(size, grown)
	fewest, _ := flights(size, max(grown, initialWindow+before.Carried))
	high = time.Duration(anew-fewest) * trip
	if before.Idled < leastTimeout {
		low = time.Duration(anew-few) * trip
	}
	return low, high, high > 0
}
