package quic

import (
	"time"

	"linger"
)

const (
	initialWindow = 32 // packets (congestion/cubic_sender.go; RFC 9002, 7.2 recommends 10)
	leastWindow   = 2
	mostWindow    = 10000
	beta          = 0.7 // what Reno goes back to; RFC 9002, 7.3.2 has a half
	nearlyFull    = 3   // packets that may be missing for a window to count as used
	unlimited     = int64(1) << 60
	burstPackets  = 10 // of the pacer
	paceLeast     = time.Millisecond
)

// reno is congestion control as quic-go is configured: NewReno (RFC 9002, 7) with
// HyStart's test of delay, and a pacer (congestion/cubic_sender.go).
type reno struct {
	window, threshold int64
	size              int64 // of a datagram
	largestSent       int64
	largestAcked      int64
	cutback           int64 // the largest sent when the window was last reduced
	acks              int64
	undo              undo

	// Hybrid slow start (hybrid_slow_start.go).
	round, found bool
	roundEnd     int64
	roundMin     time.Duration
	roundSamples int

	// The pacer, a token bucket (pacer.go; RFC 9002, 7.7).
	budget int64
	paced  linger.Instant // -1 is never
}

type undo struct {
	window, threshold, acks, cutback int64
	events                           int
}

func (r *reno) init() {
	*r = reno{window: initialWindow * initialSize, threshold: unlimited, size: initialSize,
		largestSent: -1, largestAcked: -1, cutback: -1, paced: -1}
}

func (r *reno) slowStart() bool { return r.window < r.threshold }

func (r *reno) recovering() bool { return r.largestAcked >= 0 && r.largestAcked <= r.cutback }

func (r *reno) setSize(n int64) {
	least := r.window == leastWindow*r.size
	r.size = n
	if least {
		r.window = leastWindow * n
	}
}

// rate is that of pacing, in bytes a second.
func (r *reno) rate(srtt time.Duration) int64 {
	if srtt == 0 {
		srtt = granularity
	}
	// quic-go counts bits a second (bandwidth.go).
	bits := r.window * int64(time.Second) / int64(srtt) * 8
	if r.slowStart() {
		bits *= 2
	} else {
		bits = bits * 5 / 4
	}
	return bits / 8
}

func scaled(d time.Duration, rate int64) int64 {
	if d > time.Second { // more than any burst
		d = time.Second
	}
	return int64(float64(rate) * float64(d) / 1e9)
}

func (r *reno) burst(rate int64) int64 {
	return max(scaled(paceLeast+granularity, rate), burstPackets*r.size)
}

func (r *reno) allowance(now linger.Instant, rate int64) int64 {
	if r.paced < 0 {
		return r.burst(rate)
	}
	return min(r.burst(rate), r.budget+scaled(now.Sub(r.paced), rate))
}

// mayPace reports whether the pacer lets a datagram go now.
func (r *reno) mayPace(now linger.Instant, srtt time.Duration) bool {
	return r.allowance(now, r.rate(srtt)) >= r.size
}

// paceAt is when the next datagram may go; 0 is at once.
func (r *reno) paceAt(srtt time.Duration) linger.Instant {
	if r.paced < 0 || r.budget >= r.size {
		return 0
	}
	rate := max(1, r.rate(srtt))
	need := int64(time.Second) * (r.size - r.budget)
	return r.paced.Add(max(paceLeast, time.Duration((need+rate-1)/rate)))
}

func (r *reno) sent(now linger.Instant, number, size int64, eliciting bool, srtt time.Duration) {
	r.budget = max(0, r.allowance(now, r.rate(srtt))-size)
	r.paced = now
	if eliciting {
		r.largestSent = number
	}
}

// maybeExit ends slow start where the delay has grown.
func (r *reno) maybeExit(latest, least time.Duration) {
	if !r.slowStart() {
		return
	}
	if !r.round {
		r.round, r.roundEnd, r.roundMin, r.roundSamples = true, r.largestSent, 0, 0
	}
	if !r.found {
		if r.roundSamples++; r.roundSamples <= 8 && (r.roundMin == 0 || r.roundMin > latest) {
			r.roundMin = latest
		}
		if r.roundSamples == 8 {
			grown := max(min(least/8, 16*time.Millisecond), 4*time.Millisecond).Truncate(time.Microsecond)
			r.found = r.roundMin > least+grown
		}
	}
	if r.found && r.window/r.size >= 16 {
		r.threshold = r.window
	}
}

// acked grows the window.
func (r *reno) acked(number, inFlight int64) {
	r.largestAcked = max(r.largestAcked, number)
	if r.recovering() {
		return
	}
	used := inFlight >= r.window || r.slowStart() && inFlight > r.window/2 || r.window-inFlight <= nearlyFull*r.size
	if used && r.window < mostWindow*r.size {
		if r.slowStart() {
			r.window += r.size
		} else if r.acks++; r.acks >= r.window/r.size {
			r.window += r.size
			r.acks = 0
		}
	}
	if r.slowStart() && r.roundEnd < number {
		r.round = false
	}
}

// lose reduces it, once for all that was sent before (RFC 9002, 7.3.2).
func (r *reno) lose(number int64) {
	if number <= r.cutback {
		if r.undo.events > 0 && number > r.undo.cutback {
			r.undo.events++
		}
		return
	}
	r.undo = undo{r.window, r.threshold, r.acks, r.cutback, 1}
	r.window = max(leastWindow*r.size, int64(float64(r.window)*beta))
	r.threshold = r.window
	r.cutback = r.largestSent
	r.acks = 0
}

// spurious takes that back, if all of the losses were none.
func (r *reno) spurious(number int64) {
	if r.undo.events == 0 || number <= r.undo.cutback || number > r.cutback {
		return
	}
	if r.undo.events--; r.undo.events > 0 {
		return
	}
	u := r.undo
	r.undo = undo{}
	if r.window <= u.window {
		r.window, r.threshold, r.acks, r.cutback = u.window, u.threshold, u.acks, u.cutback
	}
}
