package tcp

import (
	"time"

	"linger"
)

// rackAdvance is tcp_rack_advance (RFC 8985, 6.2, step 2).
func (c *Conn) rackAdvance(now linger.Instant, p *sentSegment) {
	rtt := now.Sub(p.at)
	if p.ever && rtt < c.minRTT {
		return // of its first sending, more likely
	}
	c.rackAdvanced = true
	c.rackRTT = rtt
	if p.at > c.rackAt || p.at == c.rackAt && p.end > c.rackEnd {
		c.rackAt, c.rackEnd = p.at, p.end
	}
}

// reorderWindow is tcp_rack_reo_wnd (RFC 8985, 6.2, step 4).
func (c *Conn) reorderWindow() time.Duration {
	if !c.reordering && (c.ca >= caRecovery || c.sackedOut >= dupThreshold) {
		return 0
	}
	return min(c.minRTT/4*time.Duration(c.reoSteps), c.srtt)
}

// detectLoss is tcp_rack_detect_loss: what was sent before something that has
// arrived, and long enough ago, is lost. It returns when it is to be asked again.
func (c *Conn) detectLoss(now linger.Instant) (again time.Duration) {
	wait := c.reorderWindow()
	for i := range c.sent.n {
		p := c.sent.at(i)
		if p.sacked || p.lost && !p.out {
			continue
		}
		if !(p.at < c.rackAt || p.at == c.rackAt && p.end < c.rackEnd) {
			continue
		}
		if left := p.at.Add(c.rackRTT + wait).Sub(now); left <= 0 {
			c.markLost(p)
		} else {
			again = max(again, left)
		}
	}
	return again
}

func (c *Conn) markLost(p *sentSegment) {
	if p.out {
		p.out = false
		c.retransOut--
	}
	if !p.lost {
		p.lost = true
		c.lostOut++
	}
}

// identifyLoss is tcp_identify_packet_loss.
func (c *Conn) identifyLoss(now linger.Instant) {
	if !c.rackAdvanced { // tcp_rack_mark_lost
		return
	}
	c.rackAdvanced = false
	again := c.detectLoss(now)
	c.waits = again > 0
	if c.waits {
		c.setTimer(now, timerReorder, again+timeoutMin)
	}
}

// reorderTimeout is tcp_rack_reo_timeout: what is lost by now is retransmitted, and what may
// be lost later waits for the RTO.
func (c *Conn) reorderTimeout(now linger.Instant) {
	c.timer = timerReorder // as which it stands meanwhile (icsk_pending)
	flight := c.inFlight()
	c.detectLoss(now)
	if flight != c.inFlight() {
		if c.ca != caRecovery {
			c.enterRecovery()
			c.reduce(1, 0, false)
		}
		c.retransmitLost(now)
	}
	if c.timer != timerRTO {
		c.rearm(now)
	}
}

// alert is tcp_fastretrans_alert. It reports whether what is lost is to be retransmitted.
func (c *Conn) alert(now linger.Instant, advanced bool, s *Segment) bool {
	if c.ca != caOpen && c.una >= c.highSeq {
		switch c.ca {
		case caCWR:
			if c.una != c.highSeq {
				c.endReduction()
				c.ca = caOpen
			}
		case caRecovery:
			if c.tryUndo(s) {
				return false
			}
			c.endReduction()
			c.ca = caOpen
		case caLoss:
			if c.tryUndo(s) {
				return false
			}
			c.ca = caOpen
			c.undoMarker = 0
		}
	}
	switch c.ca {
	case caRecovery:
		if advanced && c.undoMarker > 0 && c.maybeSpurious(s) && c.retransOut == 0 && c.lostOut == 0 {
			c.undo()
			c.keepOpen()
			return false
		}
		c.identifyLoss(now)
	case caLoss:
		if advanced && c.undoMarker > 0 && c.maybeSpurious(s) {
			for i := range c.sent.n {
				if p := c.sent.at(i); p.lost {
					p.lost = false
					c.lostOut--
				}
			}
			c.undo()
			c.undoMarker = 0
			c.keepOpen()
			return false
		}
		c.identifyLoss(now)
	default:
		c.identifyLoss(now)
		if c.lostOut == 0 {
			if c.ca != caCWR {
				c.keepOpen()
			}
			return false
		}
		c.enterRecovery()
	}
	return true
}

func (c *Conn) keepOpen() {
	state := caOpen
	if c.sackedOut > 0 || c.lostOut > 0 {
		state = caDisorder
	}
	if c.ca != state {
		c.ca = state
		c.highSeq = c.nxt
	}
}

// maybeSpurious is tcp_packet_delayed: the answer is to the first sending (Eifel, RFC
// 3522), or every retransmission turned out to be a duplicate.
func (c *Conn) maybeSpurious(s *Segment) bool {
	return c.undoMarker > 0 && (c.undoRetrans == 0 || c.retransStamp > 0 && s.Echo < c.retransStamp)
}

func (c *Conn) tryUndo(s *Segment) bool {
	if !c.maybeSpurious(s) {
		return false
	}
	c.undo()
	c.undoMarker = 0
	c.ca = caOpen
	return true
}

func (c *Conn) undo() {
	if c.priorSsthresh > 0 {
		c.cwnd = max(c.cwnd, c.priorWindow())
		c.ssthresh = max(c.ssthresh, c.priorSsthresh)
	}
}

func (c *Conn) priorWindow() int {
	if c.options.Congestion == CUBIC {
		return max(c.cwnd, c.cubic.lossWindow)
	}
	return max(c.cwnd, c.priorCwnd)
}

// enterRecovery is tcp_enter_recovery.
func (c *Conn) enterRecovery() {
	c.priorSsthresh = 0
	c.undoMarker = c.una
	c.undoRetrans = c.retransOut
	if c.undoRetrans == 0 {
		c.undoRetrans = -1
	}
	c.retransStamp = 0
	if c.ca != caCWR {
		c.priorSsthresh = c.currentSsthresh()
		c.beginReduction()
	}
	c.ca = caRecovery
}

func (c *Conn) beginReduction() {
	c.highSeq = c.nxt
	c.tlpSeq = 0
	c.cwndCount = 0
	c.priorCwnd = c.cwnd
	c.prrDelivered, c.prrOut = 0, 0
	c.ssthresh = c.afterLoss()
}

// reduce is tcp_cwnd_reduction: proportional rate reduction (RFC 6937).
func (c *Conn) reduce(delivered, lost int, advanced bool) {
	if delivered <= 0 || c.priorCwnd == 0 {
		return
	}
	c.prrDelivered += delivered
	delta := c.ssthresh - c.inFlight()
	send := 0
	if delta < 0 {
		send = (c.ssthresh*c.prrDelivered+c.priorCwnd-1)/c.priorCwnd - c.prrOut
	} else {
		send = max(c.prrDelivered-c.prrOut, delivered)
		if advanced && lost == 0 {
			send++
		}
		send = min(delta, send)
	}
	if c.prrOut == 0 {
		send = max(send, 1)
	}
	c.cwnd = c.inFlight() + max(send, 0)
}

func (c *Conn) endReduction() {
	if c.ssthresh < unlimited && (c.ca == caCWR || c.undoMarker > 0) {
		c.cwnd = c.ssthresh
	}
	c.undoMarker = 0
}

// retransmitLost is tcp_xmit_retransmit_queue.
func (c *Conn) retransmitLost(now linger.Instant) {
	for i := 0; i < c.sent.n && c.lostOut > c.retransOut; i++ {
		if c.inFlight() >= c.cwnd {
			break
		}
		p := c.sent.at(i)
		if p.sacked || p.out || !p.lost {
			continue
		}
		c.again(now, p)
		if i == 0 && c.timer != timerReorder {
			c.setTimer(now, timerRTO, c.rto)
		}
	}
}

// again sends a segment once more.
func (c *Conn) again(now linger.Instant, p *sentSegment) {
	if c.retransStamp == 0 {
		c.retransStamp = now
	}
	if c.undoRetrans < 0 {
		c.undoRetrans = 0
	}
	c.undoRetrans++
	p.at, p.ever, p.out = now, true, true
	c.retransOut++
	if c.ca == caCWR || c.ca == caRecovery {
		c.prrOut++
	}
	n := p.end - p.seq
	if p.flags&FIN != 0 {
		n--
	}
	c.lastSent = now
	c.emit(now, Segment{Seq: p.seq, Len: int32(n), Flags: p.flags, Again: true})
}

// probeTimeout is tcp_send_loss_probe: something new if there is, else the last.
func (c *Conn) probeTimeout(now linger.Instant) {
	if c.sent.n == 0 {
		return
	}
	if c.tlpSeq > 0 {
		c.timer = timerProbe
		c.rearm(now)
		return
	}
	c.tlpAgain = false
	seq := c.nxt
	if c.written > c.nxt && c.window-c.nxt >= min(MSS, c.written-c.nxt) {
		n := min(MSS, c.written-c.nxt)
		flags := uint8(ACK)
		if c.nxt+n == c.written {
			flags |= PSH
			if c.finished {
				flags |= FIN
			}
		}
		c.put(now, n, flags, true)
		seq = c.nxt
	} else {
		p := c.sent.at(c.sent.n - 1)
		if p.sacked {
			c.timer = timerProbe
			c.rearm(now)
			return
		}
		c.tlpAgain = true
		if p.out { // the earlier retransmission of it is not counted twice
			c.retransOut--
		}
		c.again(now, p)
	}
	c.tlpSeq = seq
	c.timer = timerNone // so that the RTO begins anew
	c.rearm(now)
}

// tlpAcked is tcp_process_tlp_ack (RFC 8985, 7.4).
func (c *Conn) tlpAcked(now linger.Instant, s *Segment, dsack, advanced bool, delivered int) {
	if c.tlpSeq == 0 || s.Ack < c.tlpSeq {
		return
	}
	switch {
	case !c.tlpAgain, dsack:
		c.tlpSeq = 0
	case s.Ack > c.tlpSeq:
		// The probe has repaired a loss: one window's reduction is due for it.
		if c.ca == caOpen || c.ca == caDisorder {
			c.beginReduction()
			c.ca = caCWR
			c.endReduction()
			c.ca = caOpen
		}
		c.tlpSeq = 0
	case !advanced && delivered == 0 && s.Len == 0:
		c.tlpSeq = 0
	}
}

// retransmitTimeout is tcp_retransmit_timer with tcp_enter_loss.
func (c *Conn) retransmitTimeout(now linger.Instant) {
	if c.sent.n == 0 {
		return
	}
	if c.backoff >= dataRetries {
		c.fail()
		return
	}
	if c.ca <= caDisorder || c.una >= c.highSeq || c.ca == caLoss && c.backoff == 0 {
		c.priorSsthresh = c.currentSsthresh()
		c.priorCwnd = c.cwnd
		c.ssthresh = c.afterLoss()
		c.undoMarker, c.undoRetrans, c.retransStamp = c.una, c.retransOut, 0
		if c.undoRetrans == 0 {
			c.undoRetrans = -1
		}
	}
	for i := range c.sent.n {
		p := c.sent.at(i)
		if p.sacked {
			continue
		}
		// tcp_timeout_mark_lost: with RACK what was sent just now is not.
		if i > 0 && now.Sub(p.at) < c.rackRTT+c.reorderWindow() {
			continue
		}
		c.markLost(p)
	}
	c.ca = caLoss
	c.highSeq = c.nxt
	c.cwnd = c.inFlight() + 1
	c.cwndCount = 0
	c.tlpSeq = 0
	c.cubic.restart()
	c.again(now, c.sent.at(0))
	c.backoff++
	c.rto = min(2*c.rto, rtoMax)
	c.setTimer(now, timerRTO, c.rto)
}
