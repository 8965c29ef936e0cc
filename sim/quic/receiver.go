package quic

import (
	"slices"
	"time"

	"linger"
)

// A receiver remembers what has come in one space and when that is acknowledged
// (ackhandler/received_packet_tracker.go): at once before the handshake is done, later
// with every second ack-eliciting packet, or after max_ack_delay (RFC 9000, 13.2.1 and
// 13.2.2).
type receiver struct {
	ranges  []span // the lowest first
	below   int64  // what is lower is no longer acknowledged
	pending bool   // an ack-eliciting packet has come
	queued  bool
	count   int
	alarm   linger.Instant
	marked  int64
	largest int64
	largeAt linger.Instant

	acked   []span // of the last ACK, the highest first
	hasLast bool
}

func (r *receiver) init() { r.alarm, r.largest, r.below = linger.Never, -1, -1 }

func (r *receiver) add(n int64) {
	for i := len(r.ranges) - 1; i >= 0; i-- {
		x := &r.ranges[i]
		switch {
		case n >= x.from && n <= x.to:
			return
		case x.to == n-1:
			x.to = n
			return
		case x.from == n+1:
			x.from = n
			if i > 0 && r.ranges[i-1].to+1 == n {
				r.ranges[i-1].to = x.to
				r.ranges = slices.Delete(r.ranges, i, i+1)
			}
			return
		case n > x.to:
			r.ranges = slices.Insert(r.ranges, i+1, span{n, n})
			return
		}
	}
	r.ranges = slices.Insert(r.ranges, 0, span{n, n})
}

// received notes a packet.
func (r *receiver) received(now linger.Instant, n int64, eliciting, delays bool) {
	if n >= r.below {
		r.add(n)
		if len(r.ranges) > mostRanges {
			r.ranges = slices.Delete(r.ranges, 0, len(r.ranges)-mostRanges)
		}
	}
	if n >= r.largest {
		r.largest, r.largeAt = n, now
	}
	if !eliciting {
		return
	}
	r.pending = true
	if !delays {
		return
	}
	r.count++
	if !r.queued && (r.wasMissing(n) || r.count >= 2 || r.newMissing()) {
		r.queued, r.alarm = true, linger.Never
	}
	if !r.queued {
		r.alarm = now.Add(maxAckDelay)
	}
}

// wasMissing reports whether the last ACK has told that n is missing.
func (r *receiver) wasMissing(n int64) bool {
	if !r.hasLast || n < r.below || n >= r.acked[0].to {
		return false
	}
	for _, x := range r.acked {
		if n >= x.from && n <= x.to {
			return false
		}
	}
	return true
}

// newMissing reports whether there is a gap that the last ACK has not told of.
func (r *receiver) newMissing() bool {
	if !r.hasLast || r.largest < 1 {
		return false
	}
	m := r.highestMissing(r.largest - 1)
	return m >= 0 && m > r.acked[0].to-1 && m >= r.acked[0].to
}

func (r *receiver) highestMissing(p int64) int64 {
	if len(r.ranges) == 0 || r.below >= 0 && p < r.below {
		return -1
	}
	p = min(r.ranges[len(r.ranges)-1].to, p)
	for i := len(r.ranges) - 1; i >= 0; i-- {
		x := r.ranges[i]
		if p >= x.from && p <= x.to {
			if r.below >= 0 && x.from-1 < r.below {
				return -1
			}
			return x.from - 1
		}
		if i >= 1 && p > r.ranges[i-1].to && p <= x.from {
			return p
		}
	}
	return p
}

// ignore forgets what is lower: the peer knows that it has come.
func (r *receiver) ignore(n int64) {
	if n <= r.below {
		return
	}
	r.below = n
	for len(r.ranges) > 0 && r.ranges[0].to < n {
		r.ranges = slices.Delete(r.ranges, 0, 1)
	}
	if len(r.ranges) > 0 {
		r.ranges[0].from = max(r.ranges[0].from, n)
	}
}

// has reports whether there is something to acknowledge.
func (r *receiver) has(now linger.Instant, delays, onlyQueued bool) bool {
	return r.pending && len(r.ranges) > 0 && (!delays || !onlyQueued || r.queued || r.alarm <= now)
}

// fill puts an ACK into a packet.
func (r *receiver) fill(now linger.Instant, p *Packet, delays bool) {
	p.hasAck = true
	for i := len(r.ranges) - 1; i >= 0; i-- {
		p.acks = append(p.acks, r.ranges[i])
	}
	if delays {
		p.delay = max(0, time.Duration(now.Sub(r.largeAt)))
		p.ecn = r.marked
	}
	r.acked = append(r.acked[:0], p.acks...)
	r.hasLast = true
	r.pending, r.queued, r.count, r.alarm = false, false, 0, linger.Never
}
