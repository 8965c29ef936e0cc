package tcp

import (
	"math"
	"time"

	"linger"
)

type timerKind uint8

const (
	timerNone    timerKind = iota
	timerRTO               // ICSK_TIME_RETRANS
	timerProbe             // ICSK_TIME_LOSS_PROBE
	timerReorder           // ICSK_TIME_REO_TIMEOUT
)

// caState is the sender's view of the path (tcp_input.c's TCP_CA_*).
type caState uint8

const (
	caOpen caState = iota
	caDisorder
	caCWR
	caRecovery
	caLoss
)

// dupThreshold is RFC 5681's three duplicates (tcp_reordering).
const dupThreshold = 3

// A sender is the sending half of an end: round-trip estimate, congestion window,
// loss recovery.
type sender struct {
	ca        caState
	cwnd      int // segments
	cwndCount int // acknowledged since cwnd last grew by one
	ssthresh  int

	sackedOut, lostOut, retransOut int
	delivered                      int64
	highSeq                        int64 // SND.NXT when recovery began
	undoMarker                     int64
	undoRetrans                    int
	priorSsthresh, priorCwnd       int
	prrDelivered, prrOut           int
	retransStamp                   linger.Instant // of the first segment that was sent again

	srtt, mdev, mdevMax, rttvar time.Duration
	rttSeq                      int64
	rto                         time.Duration
	backoff                     int
	minRTT                      time.Duration

	timer    timerKind
	timerAt  linger.Instant
	firstOut linger.Instant

	lastSent linger.Instant
	// Congestion window validation (RFC 7661; tcp_cwnd_validate).
	limited    bool
	maxOut     int
	usageSeq   int64
	rackAt     linger.Instant // when the segment was sent that was delivered last
	rackEnd    int64
	rackRTT    time.Duration
	reordering bool // has been seen
	waits      bool // for its window to be over, since this acknowledgement
	// rackAdvanced says that something was delivered since losses were looked for.
	rackAdvanced bool
	sackedTo     int64 // the highest that was
	reoSteps     int
	tlpSeq       int64
	tlpAgain     bool

	cubic
}

func (s *sender) reset() {
	s.ssthresh = unlimited
	s.cwnd = InitialWindow
	s.rto = rtoInitial
	s.reoSteps = 1
	s.minRTT = 0
}

// inFlight is tcp_packets_in_flight.
func (c *Conn) inFlight() int { return c.sent.n - c.sackedOut - c.lostOut + c.retransOut }

func (c *Conn) setTimer(now linger.Instant, kind timerKind, d time.Duration) {
	if !c.options.Ideal { // where nothing is lost, and nothing is late
		c.timer, c.timerAt = kind, onTick(now, d)
	}
}

// sampleRTT is tcp_rtt_estimator with tcp_set_rto: RFC 6298, 2, with a variance that
// falls slowly and never below the least RTO.
func (c *Conn) sampleRTT(m time.Duration) {
	m = max(m, time.Microsecond)
	if c.minRTT == 0 || m < c.minRTT {
		c.minRTT = m
	}
	if c.srtt == 0 {
		c.srtt, c.mdev = m, m/2
		c.rttvar = max(4*c.mdev, rtoMin)
		c.mdevMax = c.rttvar
		c.rttSeq = c.nxt
	} else {
		err := m - c.srtt
		c.srtt += err / 8
		if err < 0 {
			err = -err
			dev := err - c.mdev
			if dev > 0 {
				dev /= 8
			}
			c.mdev += dev / 4
		} else {
			c.mdev += (err - c.mdev) / 4
		}
		if 4*c.mdev > c.mdevMax {
			c.mdevMax = 4 * c.mdev
			c.rttvar = max(c.rttvar, c.mdevMax)
		}
		if c.una > c.rttSeq {
			if c.mdevMax < c.rttvar {
				c.rttvar -= (c.rttvar - c.mdevMax) / 4
			}
			c.rttSeq = c.nxt
			c.mdevMax = rtoMin
		}
	}
	c.rto = min(c.srtt+c.rttvar, rtoMax)
	c.backoff = 0
}

// validateWindow is tcp_cwnd_validate: a window that is not used does not grow. It does
// not shrink either: tcp_cwnd_application_limited, which would halve what is not used for
// an RTO, was never seen to act where a connection sent something every round trip
// (TCP_INFO over 5 s; captures of the lab).
func (c *Conn) validateWindow(limited bool) {
	if c.una >= c.usageSeq || limited || !c.limited && c.sent.n > c.maxOut {
		c.limited, c.maxOut, c.usageSeq = limited, c.sent.n, c.nxt
	}
}

func (c *Conn) isLimited() bool {
	if c.limited {
		return true
	}
	return c.cwnd < c.ssthresh && c.cwnd < 2*c.maxOut
}

func (c *Conn) currentSsthresh() int {
	if c.ca == caCWR || c.ca == caRecovery {
		return c.ssthresh
	}
	return max(c.ssthresh, c.cwnd/2+c.cwnd/4)
}

// restartAfterIdle is tcp_slow_start_after_idle_check (RFC 5681, 4.1): for each RTO
// without sending the window halves, down to the initial one.
func (c *Conn) restartAfterIdle(now linger.Instant) {
	if c.state != Established || c.sent.n > 0 || c.options.Ideal {
		return
	}
	if c.lastSent > 0 && c.cubic.epoch > 0 { // CA_EVENT_TX_START
		c.cubic.epoch = min(now, c.cubic.epoch.Add(now.Sub(c.lastSent)))
	}
	idle := now.Sub(c.lastSent) / tick * tick
	if idle <= c.rto {
		return
	}
	least := min(InitialWindow, c.cwnd)
	c.ssthresh = c.currentSsthresh()
	if c.options.Congestion == CUBIC {
		c.cubic.restart()
	}
	for idle -= c.rto; idle > 0 && c.cwnd > least; idle -= c.rto {
		c.cwnd /= 2
	}
	c.cwnd = max(c.cwnd, least)
}

// armAfterSend sets the timer for what has just been sent.
func (c *Conn) armAfterSend(now linger.Instant) {
	if c.armProbe(now, false) {
		return
	}
	if c.timer == timerNone {
		c.setTimer(now, timerRTO, c.rto)
	}
}

// rtoLeft is tcp_rto_delta_us: from the first segment that is out.
func (c *Conn) rtoLeft(now linger.Instant) time.Duration {
	if c.sent.n == 0 {
		return c.rto
	}
	return c.sent.at(0).at.Add(c.rto).Sub(now)
}

// armProbe is tcp_schedule_loss_probe (RFC 8985, 7.2).
func (c *Conn) armProbe(now linger.Instant, advancing bool) bool {
	if c.sent.n == 0 || c.ca != caOpen && c.ca != caCWR || c.state != Established {
		return false
	}
	d := rtoInitial
	if c.srtt > 0 {
		d = 2 * c.srtt
		if c.sent.n == 1 {
			d += rtoMin
		} else {
			d += timeoutMin
		}
	}
	left := c.rto
	if !advancing {
		left = c.rtoLeft(now)
	}
	if left > 0 {
		d = min(d, left)
	}
	c.setTimer(now, timerProbe, d)
	return true
}

// rearm is tcp_rearm_rto.
func (c *Conn) rearm(now linger.Instant) {
	if c.sent.n == 0 {
		c.timer = timerNone
		return
	}
	d := c.rto
	if c.timer == timerReorder || c.timer == timerProbe {
		d = max(c.rtoLeft(now), time.Microsecond)
	}
	c.setTimer(now, timerRTO, d)
}

// acknowledged is tcp_ack.
func (c *Conn) acknowledged(now linger.Instant, s *Segment) {
	if s.Flags&ACK == 0 || s.Ack > c.nxt || c.state != Established {
		return
	}
	if edge := s.Ack + s.Window; s.Ack >= c.una && (s.Seq > c.windowSeq || s.Seq == c.windowSeq || edge > c.window) {
		c.window, c.windowSeq = edge, s.Seq
		c.maxWindow = max(c.maxWindow, s.Window)
	}
	if c.sent.n == 0 {
		return
	}
	prior := c.una
	// How far SACKs had reached before this one (prior_fack).
	before, reached := c.sackedOut, c.una
	if before > 0 {
		reached = c.sackedTo
	} else {
		c.sackedTo = c.una
	}
	delivered, lost := c.delivered, c.lostOut
	var firstAcked, lastAcked, firstSacked, lastSacked linger.Instant = -1, -1, -1, -1
	again := false
	dsack := false
	// SACK (tcp_sacktag_write_queue).
	for i := range int(s.NBlocks) {
		b := s.Blocks[i]
		if b.To <= s.Ack || i == 0 && s.NBlocks > 1 && s.Blocks[1].From <= b.From && b.To <= s.Blocks[1].To {
			if i == 0 {
				dsack = true // RFC 2883, 4
			}
			continue
		}
		for j := range c.sent.n {
			p := c.sent.at(j)
			if p.seq >= b.To {
				break
			}
			if p.sacked || p.seq < b.From || p.end > b.To || p.end <= s.Ack {
				continue
			}
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
			if !p.ever {
				if firstSacked < 0 {
					firstSacked = p.at
				}
				lastSacked = p.at
				// It was in a hole: what was sent later has come earlier.
				if before > 0 && p.seq < c.sackedTo {
					c.reordering = true
				}
			}
			c.sackedTo = max(c.sackedTo, p.end)
			c.rackAdvance(now, p)
		}
	}
	// What is acknowledged in full (tcp_clean_rtx_queue).
	acked := 0
	for c.sent.n > 0 && c.sent.at(0).end <= s.Ack {
		p := c.sent.pop()
		if c.sent.n == 0 || c.sent.at(0).first {
			c.buffer.sent--
		}
		acked++
		if p.out {
			c.retransOut--
		}
		if p.ever {
			again = true
		} else if !p.sacked {
			lastAcked = p.at
			if firstAcked < 0 {
				firstAcked = p.at
			}
			if p.seq < reached {
				c.reordering = true // the hole is filled, and not by us (tcp_clean_rtx_queue)
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
	advanced := s.Ack > prior
	c.una = max(c.una, s.Ack)
	// Estimates (tcp_ack_update_rtt).
	sample := time.Duration(-1)
	switch {
	case firstAcked >= 0 && !again:
		c.sampleRTT(now.Sub(firstAcked))
		sample = now.Sub(lastAcked)
	case firstSacked >= 0:
		c.sampleRTT(now.Sub(firstSacked))
		sample = now.Sub(lastSacked)
	case advanced && again && s.Echo > 0:
		// Karn's algorithm is not needed with timestamps (RFC 7323, 4.2).
		c.sampleRTT(now.Sub(s.Echo))
	}
	if advanced {
		c.backoff = 0
		c.hystartSample(now, sample)
	}
	if dsack && c.undoMarker > 0 && c.undoRetrans > 0 {
		c.undoRetrans--
	}
	if dsack && c.reordering {
		c.reoSteps = min(255, c.reoSteps+1) // RFC 8985, 6.2, step 4
	}
	newlyDelivered := int(c.delivered - delivered)
	c.tlpAcked(now, s, dsack, advanced, newlyDelivered)

	retransmit := false
	c.waits = false
	if c.sackedOut > 0 || c.ca != caOpen || !advanced && newlyDelivered > 0 || c.lostOut > 0 {
		retransmit = c.alert(now, advanced, s)
	}
	if advanced && !c.waits { // tcp_set_xmit_timer, "when RACK doesn't set"
		if !c.armProbe(now, true) {
			c.timer = timerRTO
			c.rearm(now)
		}
	}
	newlyLost := max(0, c.lostOut-lost)
	switch { // tcp_cong_control
	case c.options.Ideal:
	case c.ca == caCWR || c.ca == caRecovery:
		c.reduce(newlyDelivered, newlyLost, advanced)
	case advanced && newlyDelivered > 0:
		c.grow(now, newlyDelivered)
	}
	if retransmit {
		c.retransmitLost(now)
	}
}

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

// reorderTimeout is tcp_rack_reo_timeout: what is lost by now is sent again, and what may
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

// alert is tcp_fastretrans_alert. It reports whether what is lost is to be sent again.
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
