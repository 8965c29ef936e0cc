package tcp

import (
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
