package tcp

import (
	"time"

	"linger"
)

// What one acknowledgement does stands in the order of Linux's tcp_ack: the window, what SACK
// and the acknowledgement itself say of segments, the round-trip time, then losses, timers and
// the congestion window.

// An ack is what one acknowledgement has told so far.
type ack struct {
	*Segment
	unacked   int64 // SND.UNA before it
	sacked    int   // how many segments SACK had told of before it
	reached   int64 // and how far (prior_fack)
	delivered int64 // how many had arrived
	lost      int   // and how many were taken for lost

	advanced bool // it acknowledges something new
	dsack    bool // something has arrived twice (RFC 2883, 4)
	again    bool // of what it acknowledges in full, something had been sent again
	// When segments were sent that were sent once only: the first and the last that it
	// acknowledges in full, and that it says to have arrived by SACK. Negative is none.
	full, selective span
}

// A span is from the first of some instants to the last.
type span struct{ first, last linger.Instant }

func (s *span) add(t linger.Instant) {
	if s.first < 0 {
		s.first = t
	}
	s.last = t
}

func (s *span) known() bool { return s.first >= 0 }

// acknowledged is tcp_ack.
func (c *Conn) acknowledged(now linger.Instant, s *Segment) {
	if s.Flags&ACK == 0 || s.Ack > c.nxt || c.state != Established {
		return
	}
	c.updateWindow(s)
	if c.sent.n == 0 {
		return
	}
	a := ack{
		Segment: s, unacked: c.una, sacked: c.sackedOut, reached: c.una, delivered: c.delivered, lost: c.lostOut,
		full: span{-1, -1}, selective: span{-1, -1},
	}
	if a.sacked > 0 {
		a.reached = c.sackedTo
	} else {
		c.sackedTo = c.una
	}
	c.markSACKed(now, &a)
	c.dropAcknowledged(now, &a)
	a.advanced = s.Ack > a.unacked
	c.una = max(c.una, s.Ack)
	c.estimate(now, &a)
	if a.dsack && c.undoMarker > 0 && c.undoRetrans > 0 {
		c.undoRetrans--
	}
	if a.dsack && c.reordering {
		c.reoSteps = min(255, c.reoSteps+1) // RFC 8985, 6.2, step 4
	}
	c.respond(now, &a)
}

// updateWindow is tcp_ack_update_window (RFC 9293, 3.10.7.4: SND.WL1 and SND.WL2).
func (c *Conn) updateWindow(s *Segment) {
	edge := s.Ack + s.Window
	if s.Ack >= c.una && (s.Seq > c.windowSeq || s.Seq == c.windowSeq || edge > c.window) {
		c.window, c.windowSeq = edge, s.Seq
		c.maxWindow = max(c.maxWindow, s.Window)
	}
}

// repeats reports whether a block tells of what was known: it lies below the
// acknowledgement, or is the first and lies within the second. The first one is then a DSACK
// (RFC 2883, 4).
func (a *ack) repeats(i int) bool {
	b := a.Blocks[i]
	return b.To <= a.Ack || i == 0 && a.NBlocks > 1 && a.Blocks[1].From <= b.From && b.To <= a.Blocks[1].To
}

// markSACKed marks what SACK says to have arrived (RFC 2018; tcp_sacktag_write_queue).
func (c *Conn) markSACKed(now linger.Instant, a *ack) {
	for i := range int(a.NBlocks) {
		if a.repeats(i) {
			a.dsack = a.dsack || i == 0
			continue
		}
		b := a.Blocks[i]
		for j := range c.sent.n {
			p := c.sent.at(j)
			if p.seq >= b.To {
				break
			}
			if p.sacked || p.seq < b.From || p.end > b.To || p.end <= a.Ack {
				continue
			}
			c.markArrived(p)
			if !p.ever {
				a.selective.add(p.at)
				// It was in a hole: what was sent later has come earlier.
				if a.sacked > 0 && p.seq < c.sackedTo {
					c.reordering = true
				}
			}
			c.sackedTo = max(c.sackedTo, p.end)
			c.rackAdvance(now, p)
		}
	}
}

// markArrived marks a segment of which SACK says so (tcp_sacktag_one).
func (c *Conn) markArrived(p *sentSegment) {
	p.sacked = true
	c.sackedOut++
	c.delivered++
	if p.lost {
		p.lost = false
		c.lostOut--
	}
	if p.out {
		p.out = false
		c.retransOut--
	}
}

// dropAcknowledged takes off the queue what is acknowledged in full (tcp_clean_rtx_queue).
func (c *Conn) dropAcknowledged(now linger.Instant, a *ack) {
	for c.sent.n > 0 && c.sent.at(0).end <= a.Ack {
		p := c.sent.pop()
		if c.sent.n == 0 || c.sent.at(0).first {
			c.buffer.sent--
		}
		if p.out {
			c.retransOut--
		}
		if p.ever {
			a.again = true
		} else if !p.sacked {
			a.full.add(p.at)
			if p.seq < a.reached {
				c.reordering = true // the hole is filled, and not by us
			}
		}
		if p.sacked {
			c.sackedOut--
		} else {
			c.delivered++
			c.rackAdvance(now, &p)
		}
		if p.lost {
			c.lostOut--
		}
	}
}

// estimate takes a sample of the round-trip time, if there is one (tcp_ack_update_rtt).
func (c *Conn) estimate(now linger.Instant, a *ack) {
	sample := time.Duration(-1)
	switch {
	case a.full.known() && !a.again:
		c.sampleRTT(now.Sub(a.full.first))
		sample = now.Sub(a.full.last)
	case a.selective.known():
		c.sampleRTT(now.Sub(a.selective.first))
		sample = now.Sub(a.selective.last)
	case a.advanced && a.again && a.Echo > 0:
		// Karn's algorithm is not needed with timestamps (RFC 7323, 4.2).
		c.sampleRTT(now.Sub(a.Echo))
	}
	if a.advanced {
		c.backoff = 0
		c.hystartSample(now, sample)
	}
}

// respond does what follows: probes and losses (tcp_process_tlp_ack, tcp_fastretrans_alert),
// the timer (tcp_set_xmit_timer), the window (tcp_cong_control), what is retransmitted.
func (c *Conn) respond(now linger.Instant, a *ack) {
	delivered := int(c.delivered - a.delivered)
	c.tlpAcked(now, a.Segment, a.dsack, a.advanced, delivered)

	retransmit := false
	c.waits = false
	if c.sackedOut > 0 || c.ca != caOpen || !a.advanced && delivered > 0 || c.lostOut > 0 {
		retransmit = c.alert(now, a.advanced, a.Segment)
	}
	if a.advanced && !c.waits { // "when RACK doesn't set"
		if !c.armProbe(now, true) {
			c.timer = timerRTO
			c.rearm(now)
		}
	}
	switch {
	case c.options.Ideal:
	case c.ca == caCWR || c.ca == caRecovery:
		c.reduce(delivered, max(0, c.lostOut-a.lost), a.advanced)
	case a.advanced && delivered > 0:
		c.grow(now, delivered)
	}
	if retransmit {
		c.retransmitLost(now)
	}
}
