package tcp

import (
	"math"
	"time"

	"linger"
)

// grow is the congestion control's word on an acknowledgement (cong_avoid).
func (c *Conn) grow(now linger.Instant, acked int) {
	if !c.isLimited() {
		return
	}
	if c.cwnd < c.ssthresh { // tcp_slow_start; RFC 5681, 3.1, without its limit L
		n := min(c.cwnd+acked, c.ssthresh)
		acked -= n - c.cwnd
		c.cwnd = n
		if acked == 0 {
			return
		}
	}
	every := c.cwnd
	if c.options.Congestion == CUBIC {
		every = c.cubicUpdate(now, acked)
	}
	// tcp_cong_avoid_ai
	if c.cwndCount >= every {
		c.cwndCount = 0
		c.cwnd++
	}
	c.cwndCount += acked
	if c.cwndCount >= every {
		n := c.cwndCount / every
		c.cwndCount -= n * every
		c.cwnd += n
	}
}

// afterLoss is ssthresh after a loss.
func (c *Conn) afterLoss() int {
	if c.options.Congestion == Reno {
		return max(c.cwnd/2, 2) // RFC 5681, 3.1, by cwnd instead of what is in flight
	}
	b := &c.cubic
	b.epoch = -1
	if c.cwnd < b.lastMax { // fast convergence (RFC 9438, 4.7)
		b.lastMax = c.cwnd * (1024 + cubicBeta) / 2048
	} else {
		b.lastMax = c.cwnd
	}
	b.lossWindow = c.cwnd
	return max(c.cwnd*cubicBeta/1024, 2)
}

const (
	cubicBeta  = 717 // of 1024: 0.7 (RFC 9438, 4.6)
	cubicScale = 41  // bic_scale: C = 0.4 as 41 * 10 / 1024
	cubicHz    = 10  // BICTCP_HZ: time is counted in 2^-10 s
	// What bounds arithmetic, far beyond any window.
	mostOffset = 1 << 20 // a quarter of an hour
	mostTarget = 1 << 24 // segments

	hystartLow   = 16                   // segments
	hystartDelta = 2 * time.Millisecond // between acknowledgements of one train
	hystartLeast = 8                    // samples of a round
)

// cubic is tcp_cubic.c's state.
type cubic struct {
	lastMax    int
	lossWindow int
	epoch      linger.Instant // -1 or 0 is none
	origin     int
	k          int64 // in 2^-10 s
	ackCount   int
	tcpWindow  int
	every      int
	lastWindow int
	lastUpdate int64 // in jiffies
	delayMin   time.Duration

	found      bool
	roundAt    linger.Instant
	trainAt    linger.Instant
	roundEnd   int64
	roundRTT   time.Duration
	roundCount int
}

// restart is bictcp_reset.
func (b *cubic) restart() {
	*b = cubic{lossWindow: b.lossWindow, roundAt: b.roundAt, trainAt: b.trainAt, roundEnd: b.roundEnd, roundRTT: b.roundRTT, roundCount: b.roundCount}
}

// cubicUpdate is bictcp_update: after how many acknowledged segments the window grows.
func (c *Conn) cubicUpdate(now linger.Instant, acked int) int {
	b := &c.cubic
	b.ackCount += acked
	jiffy := int64(now / linger.Instant(tick))
	if b.lastWindow == c.cwnd && jiffy-b.lastUpdate <= hz/32 && b.every > 0 {
		return b.every
	}
	if !(b.epoch > 0 && jiffy == b.lastUpdate) { // once a jiffy
		b.lastWindow, b.lastUpdate = c.cwnd, jiffy
		if b.epoch <= 0 {
			b.epoch = now
			b.ackCount = acked
			b.tcpWindow = c.cwnd
			if b.lastMax <= c.cwnd {
				b.k, b.origin = 0, c.cwnd
			} else {
				// K = cubic_root((W_max - cwnd) / C) (RFC 9438, 4.2)
				b.k = cubeRoot(uint64(b.lastMax-c.cwnd) * (1 << (10 + 3*cubicHz)) / (cubicScale * 10))
				b.origin = b.lastMax
			}
		}
		t := jiffy - int64(b.epoch/linger.Instant(tick)) + int64((b.delayMin+tick-1)/tick)
		offset := t<<cubicHz/hz - b.k
		// C * (t - K)^3, in whole segments; for longer than an hour nobody transmits here.
		d := min(max(offset, -mostOffset), mostOffset)
		d = d * d * d / (1 << 20) * (cubicScale * 10) / (1 << (10 + 3*cubicHz - 20))
		target := int(min(int64(b.origin)+d, mostTarget))
		if target > c.cwnd {
			b.every = c.cwnd / (target - c.cwnd)
		} else {
			b.every = 100 * c.cwnd
		}
		if b.lastMax == 0 && b.every > 20 {
			b.every = 20
		}
	}
	// Reno's window, which CUBIC is not to fall behind (RFC 9438, 4.3).
	delta := c.cwnd * (8 * (1024 + cubicBeta) / 3 / (1024 - cubicBeta)) / 8
	for delta > 0 && b.ackCount > delta {
		b.ackCount -= delta
		b.tcpWindow++
	}
	if b.tcpWindow > c.cwnd {
		b.every = min(b.every, c.cwnd/(b.tcpWindow-c.cwnd))
	}
	b.every = max(b.every, 2)
	return b.every
}

// cubeRoot is that of x, rounded down. Floating point would differ from processor to
// processor.
func cubeRoot(x uint64) int64 {
	root := uint64(0)
	for bit := uint64(1) << 20; bit > 0; bit >>= 1 {
		if r := root | bit; r*r*r <= x {
			root = r
		}
	}
	return int64(root)
}

func (c *Conn) hystartReset(now linger.Instant) {
	b := &c.cubic
	b.roundAt, b.trainAt = now, now
	b.roundEnd = c.nxt
	b.roundRTT = math.MaxInt64
	b.roundCount = 0
}

// hystartSample is cubictcp_acked with hystart_update: slow start ends where
// acknowledgements come in a train of half a round trip, or later than they did.
func (c *Conn) hystartSample(now linger.Instant, rtt time.Duration) {
	b := &c.cubic
	if c.options.Congestion != CUBIC || rtt < 0 || b.epoch > 0 && now.Sub(b.epoch) < time.Second {
		return
	}
	rtt = max(rtt, time.Microsecond)
	if b.delayMin == 0 || rtt < b.delayMin {
		b.delayMin = rtt
	}
	if b.found || c.cwnd >= c.ssthresh {
		return
	}
	if c.una > b.roundEnd {
		c.hystartReset(now)
	}
	if c.cwnd < hystartLow {
		return
	}
	// Where two full segments take exactly as long as a train allows for, as at 12
	// Mbit/s, any lateness of a real path breaks it; here it breaks always.
	if now.Sub(b.trainAt) < hystartDelta {
		b.trainAt = now
		threshold := b.delayMin
		if c.srtt > 0 { // hystart_ack_delay
			threshold += min(time.Millisecond, 65536*4*time.Second/time.Duration(c.pacingRate(200, c.cwnd)))
		}
		if now.Sub(b.roundAt) > threshold/2 {
			b.found = true
			c.ssthresh = c.cwnd
		}
	}
	if b.roundRTT > rtt {
		b.roundRTT = rtt
	}
	if b.roundCount < hystartLeast {
		b.roundCount++
	} else if b.roundRTT > b.delayMin+min(max(b.delayMin/8, 4*time.Millisecond), 16*time.Millisecond) {
		b.found = true
		c.ssthresh = c.cwnd
	}
}
