// Package tcp is one end of a TCP connection as Linux 6.18 has it by default, as a
// machine without I/O and without bytes: only their numbers are kept.
//
// Each rule names its RFC, or the function of the kernel's net/ipv4 that it follows
// where Linux goes its own way. Sequence numbers count from 0, the SYN's, and do not
// wrap. Time is an argument, as everywhere.
//
// Not modelled: urgent data, simultaneous open, ECN, window probes, keep-alive
// probes, path MTU discovery, memory pressure, Fast Open, F-RTO.
package tcp

import (
	"time"

	"linger"
)

const (
	// MSS is the payload of a full segment: an MTU of 1500 without headers of 20 bytes
	// each and the timestamps option, 12 with its padding (RFC 7323, 3.2).
	MSS = linger.MTU - headerBytes
	// headerBytes are those of IPv4 and of TCP with timestamps, synBytes those of a
	// SYN, which besides offers MSS, SACK and a window scale.
	headerBytes = 20 + 20 + 12
	synBytes    = 20 + 20 + 20
	// blockBytes are those of one SACK block, sackBytes what comes with the first
	// (RFC 2018, 3).
	blockBytes = 8
	sackBytes  = 4

	// InitialWindow is in segments (RFC 6928, 2; TCP_INIT_CWND).
	InitialWindow = 10
	// unlimited is ssthresh before the first loss (TCP_INFINITE_SSTHRESH).
	unlimited = 0x7fffffff

	// tick is a jiffy of the lab's machine, whose kernel has HZ 250: timers are set in
	// whole ones, and one is added "to guarantee that a timer does not fire early"
	// (kernel/time/timer.c, calc_index).
	tick = 4 * time.Millisecond
	hz   = int64(time.Second / tick)

	rtoInitial = time.Second            // RFC 6298, 2.1; TCP_TIMEOUT_INIT
	rtoMin     = 200 * time.Millisecond // TCP_RTO_MIN; RFC 6298, 2.4 has a second
	rtoMax     = 120 * time.Second      // TCP_RTO_MAX
	timeoutMin = 2 * time.Millisecond   // TCP_TIMEOUT_MIN_US
	// linearSYNs is how many SYNs are retransmitted without backing off
	// (tcp_syn_linear_timeouts, since Linux 6.5), synRetries how many in all
	// (tcp_syn_retries), and dataRetries those of anything else (tcp_retries2).
	linearSYNs  = 4
	synRetries  = 6
	dataRetries = 15
)

// Flags of a segment.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// A Block is a range of sequence numbers that has arrived out of order.
type Block struct{ From, To int64 }

// A Segment is what crosses the path.
type Segment struct {
	Seq, Ack int64
	Window   int64 // in bytes
	// Stamp is when it was sent, Echo the stamp that it answers (RFC 7323, 3).
	Stamp, Echo linger.Instant
	Blocks      [3]Block // 3 is what fits beside timestamps (RFC 2018, 3)
	NBlocks     uint8
	Flags       uint8
	Again       bool // it has been sent before
	Len         int32
}

// Headers returns the bytes of its IP and TCP headers.
func (s *Segment) Headers() int {
	switch {
	case s.Flags&SYN != 0:
		return synBytes
	case s.NBlocks > 0:
		return headerBytes + sackBytes + blockBytes*int(s.NBlocks)
	}
	return headerBytes
}

// span is how many sequence numbers it has (RFC 9293, 3.4).
func (s *Segment) span() int64 {
	n := int64(s.Len)
	if s.Flags&SYN != 0 {
		n++
	}
	if s.Flags&FIN != 0 {
		n++
	}
	return n
}

// A State is that of RFC 9293, 3.3.2, as far as it is told apart here.
type State uint8

const (
	Closed State = iota
	SynSent
	SynReceived
	Established // and every state until both sides have closed
	TimeWait
)

// Open reports whether a host holds a socket in that state, TIME_WAIT apart.
func (s State) Open() bool { return s != Closed && s != TimeWait }

// Congestion names an algorithm.
type Congestion uint8

const (
	CUBIC Congestion = iota // RFC 9438; Linux's default
	Reno                    // RFC 5681
)

// Options change what a connection does from Linux's defaults.
type Options struct {
	Congestion Congestion
	// Ideal is the textbook's TCP: no slow start, no window, no timer.
	Ideal bool
}

// A Conn is one end. Call Open on the client's, then HandleSegment and
// HandleTimeout as things happen, and Poll until it has nothing to send after each
// call of any method; wake it at NextTimeout.
type Conn struct {
	options Options
	state   State
	active  bool // it began
	failed  bool // it was given up

	// Sending. Sequence numbers as RFC 9293, 3.3.1 names them.
	una, nxt  int64
	written   int64 // end of what the application has handed over
	finished  bool  // and it hands over no more
	finSent   bool
	window    int64 // of the peer, right edge
	windowSeq int64 // of the segment that said so
	maxWindow int64
	sent      ring[sentSegment] // in order
	gso       int               // segments of the burst under way that PSH does not end yet
	buffer    sendBuffer

	sender

	// Receiving.
	receiver

	output   ring[Segment] // to be polled
	synTry   int
	synAgain int            // SYNs or SYN-ACKs sent again, for whatever reason
	synAt    linger.Instant // when the first was sent
}

// New returns an end in state Closed.
func New(o Options) *Conn {
	c := &Conn{}
	c.Reset(o)
	return c
}

// Reset makes c as New does, and keeps its memory.
func (c *Conn) Reset(o Options) {
	sent, output, gaps := c.sent, c.output, c.gaps
	sent.head, sent.n, output.head, output.n = 0, 0, 0, 0
	*c = Conn{options: o, sent: sent, output: output}
	c.gaps = gaps[:0]
	c.sender.reset()
	c.receiver.reset()
}

// State returns the connection's state.
func (c *Conn) State() State { return c.state }

// Failed reports whether the connection was given up or reset.
func (c *Conn) Failed() bool { return c.failed }

// Open sends the SYN.
func (c *Conn) Open(now linger.Instant) {
	c.active, c.state = true, SynSent
	c.written = 1
	c.nxt = 1
	c.sent.push(sentSegment{seq: 0, end: 1, at: now, flags: SYN})
	c.emit(now, Segment{Flags: SYN})
	c.rto = rtoInitial
	c.setTimer(now, timerRTO, c.rto)
}

// Write hands over n more bytes to be sent.
func (c *Conn) Write(now linger.Instant, n int64) {
	if n == 0 || c.finished || c.failed {
		return
	}
	c.restartAfterIdle(now)
	c.written += n
	c.transmit(now)
}

// Close says that nothing more is written: FIN follows what is still to be sent.
func (c *Conn) Close(now linger.Instant) {
	if c.finished || c.failed {
		return
	}
	c.finished = true
	if c.state == Established {
		c.transmit(now)
	}
}

// Abort ends the connection by RST.
func (c *Conn) Abort(now linger.Instant) {
	if c.failed || c.state == TimeWait || c.state == Closed {
		return
	}
	c.emit(now, Segment{Seq: c.nxt, Flags: RST | ACK})
	c.fail()
}

func (c *Conn) fail() {
	c.failed = true
	c.state = Closed
	c.timer = timerNone
	c.ackTimer = linger.Never
	c.compressTimer = linger.Never
}

// Unsent returns how many bytes were written and not yet sent.
func (c *Conn) Unsent() int64 { return max(0, c.written-c.nxt) }

// Unacknowledged returns how many bytes were written and are not acknowledged.
func (c *Conn) Unacknowledged() int64 { return max(0, c.written-max(1, c.una)) }

// Done reports whether nothing is left to be done: both sides have closed, and all
// of this side's is acknowledged.
func (c *Conn) Done() bool {
	return c.state == Closed || c.state == TimeWait
}

// Poll returns the next segment to be sent.
func (c *Conn) Poll() (Segment, bool) {
	if c.output.n == 0 {
		return Segment{}, false
	}
	return c.output.pop(), true
}

// NextTimeout returns when HandleTimeout has something to do.
func (c *Conn) NextTimeout() linger.Instant {
	t := min(c.ackTimer, c.compressTimer)
	if c.timer != timerNone {
		t = min(t, c.timerAt)
	}
	return t
}

// HandleTimeout does what is due at now.
func (c *Conn) HandleTimeout(now linger.Instant) {
	if c.ackTimer <= now {
		c.delayedAckDue(now)
	}
	if c.compressTimer <= now {
		c.compressTimer = linger.Never
		c.compressed = 0
		c.sendAck(now)
	}
	if c.timer == timerNone || c.timerAt > now {
		return
	}
	kind := c.timer
	c.timer = timerNone
	switch {
	case c.state == SynSent || c.state == SynReceived:
		c.synTimeout(now)
	case kind == timerReorder:
		c.reorderTimeout(now)
	case kind == timerProbe:
		c.probeTimeout(now)
	default:
		c.retransmitTimeout(now)
	}
}

// synTimeout sends SYN or SYN-ACK again (tcp_retransmit_timer; reqsk_timer_handler).
func (c *Conn) synTimeout(now linger.Instant) {
	c.synTry++
	if c.synTry > synRetries {
		c.fail()
		return
	}
	if c.state == SynReceived || c.synTry > linearSYNs {
		c.rto = min(2*c.rto, rtoMax)
	}
	c.synAgain++
	s := c.sent.at(0)
	s.at, s.ever = now, true
	flags := uint8(SYN)
	if c.state == SynReceived {
		flags |= ACK
	}
	c.emit(now, Segment{Flags: flags, Again: true})
	c.setTimer(now, timerRTO, c.rto)
}

// HandleSegment takes in what has arrived.
func (c *Conn) HandleSegment(now linger.Instant, s *Segment) {
	if c.failed {
		return
	}
	if s.Flags&RST != 0 {
		c.fail()
		return
	}
	switch c.state {
	case Closed:
		if s.Flags&SYN != 0 && !c.active {
			c.accept(now, s)
		}
		return
	case SynSent:
		if s.Flags&(SYN|ACK) == SYN|ACK {
			c.connected(now, s)
		}
		return
	case SynReceived:
		if s.Flags&SYN != 0 && s.Flags&ACK == 0 {
			// The SYN came again: so does the answer (tcp_check_req).
			c.synAgain++
			c.emit(now, Segment{Flags: SYN | ACK, Again: true})
			return
		}
		if s.Ack < 1 {
			return
		}
		c.state = Established
		c.timer = timerNone
		c.window, c.windowSeq, c.maxWindow = s.Ack+s.Window, s.Seq, s.Window
		if first := c.sent.at(0); !first.ever {
			c.sampleRTT(now.Sub(first.at))
		}
		c.sent.pop()
		c.una = 1
		c.initTransfer(now)
		if c.synTry > 0 && c.synAgain > 1 && s.Echo != c.synAt {
			// tcp_init_transfer; RFC 5681, 3.1, where more than one had to be repeated, and
			// the first one's answer is not just late.
			c.cwnd = 1
		}
	case TimeWait:
		if s.span() > 0 { // its last ACK was lost (RFC 9293, 3.10.7.4)
			c.emit(now, Segment{Seq: c.nxt, Flags: ACK})
		}
		return
	}
	if s.Flags&SYN != 0 { // a SYN-ACK again: our ACK was lost (tcp_send_challenge_ack)
		c.sendAck(now)
		return
	}
	if s.span() > 0 {
		c.receive(now, s)
	}
	c.acknowledged(now, s)
	room := c.cwnd - c.inFlight()
	c.transmit(now)
	c.checkSpace(room)
	if s.span() > 0 {
		c.ackCheck(now, s)
	}
	if c.finSent && c.una == c.nxt && c.finReceived {
		c.state = Closed
		if !c.passive {
			c.state = TimeWait
			if c.ackPending {
				c.sendAck(now)
			}
		}
		c.timer = timerNone
		c.ackTimer = linger.Never
	}
}

// accept answers a SYN.
func (c *Conn) accept(now linger.Instant, s *Segment) {
	c.state, c.synAt = SynReceived, now
	c.written, c.nxt = 1, 1
	c.next = 1
	c.echo = s.Stamp
	c.sent.push(sentSegment{seq: 0, end: 1, at: now, flags: SYN})
	c.rto = rtoInitial
	c.setTimer(now, timerRTO, c.rto)
	c.openWindow(serverWindow)
	c.emit(now, Segment{Flags: SYN | ACK})
}

// Cookie says that the SYN was answered by a cookie: the listener keeps nothing of it, and does
// not send its answer again by itself.
func (c *Conn) Cookie() { c.timer = timerNone }

// connected takes in the SYN-ACK (tcp_rcv_synsent_state_process).
func (c *Conn) connected(now linger.Instant, s *Segment) {
	c.state = Established
	c.timer = timerNone
	first := c.sent.pop()
	if !first.ever {
		c.sampleRTT(now.Sub(first.at))
	}
	c.una = 1
	c.next, c.copied = 1, 1
	c.window, c.windowSeq, c.maxWindow = s.Ack+s.Window, s.Seq, s.Window
	c.echo = s.Stamp
	c.lastData = now // tcp_finish_connect
	c.openWindow(clientWindow)
	c.initTransfer(now)
	c.sendAck(now)
	c.transmit(now)
}

// initTransfer begins (tcp_init_transfer, tcp_init_cwnd).
func (c *Conn) initTransfer(now linger.Instant) {
	c.copied = max(c.copied, 1)
	c.wup = c.next
	c.cwnd = InitialWindow
	if c.options.Ideal {
		c.cwnd = 1 << 30
	}
	c.lastSent = now
	c.buffer = sendBuffer{size: sendSpace * InitialWindow}
	c.hystartReset(now)
}

// emit queues a segment, with what every segment bears.
func (c *Conn) emit(now linger.Instant, s Segment) {
	s.Stamp, s.Echo = now, c.echo
	if s.Flags&ACK != 0 {
		s.Ack = c.next
		s.Window = c.advertise()
		s.NBlocks = c.blocks(&s.Blocks)
		c.ackSent()
	} else {
		s.Window = clientWindow
	}
	c.output.push(s)
}

// transmit sends what may be sent now (tcp_write_xmit).
func (c *Conn) transmit(now linger.Instant) { c.send(now, false) }

// send sends what may be sent now, or one super-packet of it (tcp_push_one).
func (c *Conn) send(now linger.Instant, one bool) {
	if c.state != Established {
		return
	}
	if c.written <= c.nxt && (!c.finished || c.finSent) {
		return // with nothing to send, nothing is learnt of the window (tcp_send_head)
	}
	any, limited := false, false
	for {
		end := c.written
		more := end > c.nxt
		if !more && !(c.finished && !c.finSent) {
			break
		}
		if c.inFlight() >= c.cwnd {
			limited = true
			break
		}
		n := int64(0)
		if more {
			n = min(MSS, end-c.nxt)
			if !c.options.Ideal {
				n = min(n, c.window-c.nxt)
			}
			// A segment that the window would cut short waits for more of it, unless it
			// is all there is (tcp_snd_wnd_test, RFC 9293, 3.8.6.2.1).
			if n <= 0 || n < MSS && n < end-c.nxt {
				break
			}
		}
		flags := uint8(ACK)
		if c.nxt+n == end {
			flags |= PSH
			if c.finished {
				flags |= FIN
			}
		}
		first := c.gso == 0
		c.gso++
		if c.gso >= c.burst() { // tcp_tso_autosize; a burst ends with PSH
			flags |= PSH
		}
		if flags&PSH != 0 {
			c.gso = 0
		}
		c.put(now, n, flags, first)
		if c.ca == caCWR || c.ca == caRecovery {
			c.prrOut++
		}
		any = true
		if one && flags&PSH != 0 {
			break
		}
	}
	c.gso = 0
	limited = limited || c.inFlight() >= c.cwnd
	if any || limited {
		c.validateWindow(limited)
	}
	if any {
		c.armAfterSend(now)
	}
}

// put sends n new bytes; first says that they begin a super-packet.
func (c *Conn) put(now linger.Instant, n int64, flags uint8, first bool) {
	s := Segment{Seq: c.nxt, Len: int32(n), Flags: flags}
	end := c.nxt + s.span()
	if flags&FIN != 0 {
		c.finSent = true
		if flags&PSH != 0 && n == 0 {
			s.Flags &^= PSH
		}
		if c.finReceived {
			c.passive = true
		}
	}
	if c.sent.n == 0 {
		c.firstOut = now
	}
	c.sent.push(sentSegment{seq: c.nxt, end: end, at: now, flags: flags, first: first})
	if first {
		c.buffer.sent++
	}
	c.nxt = end
	c.dataSent(now)
	c.emit(now, s)
}

// burst is how many segments leave as one super-packet (tcp_tso_autosize): a
// millisecond's worth at twice the rate at which a window lasts a round trip, at
// least two.
func (c *Conn) burst() int {
	if c.srtt == 0 {
		return 2
	}
	ratio := int64(200) // tcp_pacing_ss_ratio, in slow start (tcp_update_pacing_rate)
	if c.cwnd >= c.ssthresh/2 {
		ratio = 120
	}
	bytes := c.pacingRate(ratio, max(c.cwnd, c.sent.n)) >> 10
	if r := c.minRTT / 512 / time.Microsecond; r < 32 { // tcp_tso_rtt_log
		bytes += 65536 >> uint(r)
	}
	return int(max(2, min(44, bytes/MSS)))
}

// pacingRate is so many per cent of the rate in bytes a second at which a window of n
// segments lasts a round trip (tcp_update_pacing_rate).
func (c *Conn) pacingRate(percent int64, n int) int64 {
	us := max(1, int64(c.srtt/time.Microsecond))
	return max(1, percent*int64(n)*MSS*10_000/us)
}

// A sentSegment is one that is not acknowledged.
type sentSegment struct {
	seq, end int64
	at       linger.Instant // last sent
	flags    uint8
	first    bool // of a super-packet
	sacked   bool
	lost     bool
	out      bool // sent again, and that is not known to be lost
	ever     bool // was sent again at some time
}

// A ring is a queue whose places are used again.
type ring[T any] struct {
	slots []T // a power of two
	head  int
	n     int
}

func (r *ring[T]) push(v T) {
	if r.n == len(r.slots) {
		grown := make([]T, max(16, 2*len(r.slots)))
		for i := range r.n {
			grown[i] = *r.at(i)
		}
		r.slots, r.head = grown, 0
	}
	r.slots[(r.head+r.n)&(len(r.slots)-1)] = v
	r.n++
}

func (r *ring[T]) at(i int) *T { return &r.slots[(r.head+i)&(len(r.slots)-1)] }

func (r *ring[T]) pop() T {
	v := *r.at(0)
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.n--
	return v
}

// Window returns the congestion window, in segments.
func (c *Conn) Window() int { return c.cwnd }
