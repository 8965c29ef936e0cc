package tcp

import (
	"slices"
	"time"

	"linger"
)

const (
	// The windows of SYN and SYN-ACK, from tcp_rmem's default of 131072 bytes, half of
	// which is payload as long as nothing is known of it (tcp_select_initial_window).
	clientWindow = 64240
	serverWindow = 65160
	initialBuf   = 131072  // tcp_rmem[1]
	maxBuf       = 6291456 // tcp_rmem[2]
	// fullSize is what a full segment takes of the buffer: 2048 bytes of a slab and
	// the 256 of its sk_buff; of those, so many in 256 are payload (scaling_ratio).
	fullSize     = 2304
	scalingRatio = MSS * 256 / fullSize
	firstRatio   = 128 // TCP_DEFAULT_SCALING_RATIO
	// windowUnit is that of a window scale of 7, which follows from tcp_rmem[2].
	windowUnit = 128

	delayedAckMin = 40 * time.Millisecond  // TCP_DELACK_MIN, TCP_ATO_MIN
	delayedAckMax = 200 * time.Millisecond // TCP_DELACK_MAX
	maxQuick      = 16                     // TCP_MAX_QUICKACKS
	// mssUnknown is what a peer's segments are taken to be at first (TCP_MSS_DEFAULT).
	mssUnknown = 536

	// SACKs are sent at once three times, then gathered for up to a millisecond or a
	// third of the round trip, and not more than 44 (tcp_comp_sack_*).
	immediateSACKs  = 3
	compressDelay   = time.Millisecond
	compressPercent = 33
	compressMost    = 44
)

// A receiver is the receiving half of an end.
type receiver struct {
	next, copied int64   // RCV.NXT; up to where the application has read
	gaps         []Block // what has arrived beyond next, the latest change first
	duplicate    Block   // to be reported (D-SACK, RFC 2883)
	hasDuplicate bool
	finAt        int64 // sequence number of the peer's FIN, once it came out of order or in order
	finSeen      bool
	finReceived  bool
	passive      bool // the peer closed first
	echo         linger.Instant

	ackPending bool
	ackNow     bool
	pushed     int // segments with PSH since the last ACK, up to 2
	quick      int
	pingpong   bool
	ato        time.Duration
	lastData   linger.Instant
	ackTimer   linger.Instant
	ackTimeout bool // ackTimer is set
	rcvMSS     int64

	wup        int64 // RCV.NXT when the window was last advertised
	rcvWindow  int64 // what was advertised then
	slowWindow int64 // what may be advertised (rcv_ssthresh)
	clamp      int64
	buf        int64
	held       int64 // of buf, by what is unread
	ratio      int64

	rtt8       time.Duration // 8 times the receiver's estimate
	rttEcho    linger.Instant
	spaceSeq   int64
	spaceTime  linger.Instant
	space      int64
	compressed int
	dupAcks    int
	dupNext    int64

	compressTimer linger.Instant
}

func (r *receiver) reset() {
	r.ackTimer, r.compressTimer = linger.Never, linger.Never
	r.rcvMSS = mssUnknown
	r.ratio = firstRatio
	r.rttEcho = -1
}

// openWindow sets what is advertised first.
func (r *receiver) openWindow(n int64) {
	r.buf = initialBuf
	r.clamp = r.fromSpace(r.buf)
	r.rcvWindow, r.slowWindow = n, n
	r.space = min(r.slowWindow, InitialWindow*MSS) // tcp_init_buffer_space
}

func (r *receiver) fromSpace(n int64) int64 { return n * r.ratio >> 8 }

// truesize is what a segment of n bytes takes of the buffer: its headers, room before it
// and skb_shared_info behind it in a slab of a power of two, and an sk_buff.
func truesize(n int64) int64 {
	const around, header = headerBytes + 64 + 320, 256
	slab := int64(512)
	for slab < n+around {
		slab *= 2
	}
	return slab + header
}

// freeSpace is tcp_space.
func (r *receiver) freeSpace() int64 { return r.fromSpace(max(0, r.buf-r.held)) }

// selectWindow is __tcp_select_window.
func (r *receiver) selectWindow() int64 {
	free := r.freeSpace()
	full := min(r.clamp, r.fromSpace(r.buf))
	if free < full/2 {
		r.quick = 0
		if free < full>>4 || free < r.rcvMSS {
			return 0
		}
	}
	free = min(free, r.slowWindow)
	return (free + windowUnit - 1) / windowUnit * windowUnit
}

// advertise is tcp_select_window: a window is never taken back.
func (c *Conn) advertise() int64 {
	if c.state == SynReceived {
		return serverWindow
	}
	current := max(0, c.wup+c.rcvWindow-c.next)
	w := c.selectWindow()
	if w < current {
		w = (current + windowUnit - 1) / windowUnit * windowUnit
	}
	c.rcvWindow, c.wup = w, c.next
	return w
}

// ackSent is tcp_event_ack_sent.
func (r *receiver) ackSent() {
	if r.quick > 0 && r.ackPending {
		r.quick--
		if r.quick == 0 {
			r.ato = delayedAckMin
		}
	}
	r.ackPending, r.ackNow, r.pushed = false, false, 0
	r.ackTimer, r.ackTimeout = linger.Never, false
	r.compressed, r.compressTimer = 0, linger.Never
	r.hasDuplicate = false
}

func (c *Conn) sendAck(now linger.Instant) {
	if c.state == SynSent || c.state == SynReceived || c.failed {
		return
	}
	c.emit(now, Segment{Seq: c.nxt, Flags: ACK})
}

// blocks writes the SACK blocks, a duplicate first, then the latest change (RFC
// 2018, 4; RFC 2883, 4).
func (r *receiver) blocks(out *[3]Block) uint8 {
	n := uint8(0)
	if r.hasDuplicate {
		out[0] = r.duplicate
		n = 1
	}
	for _, g := range r.gaps {
		if int(n) == len(out) {
			break
		}
		out[n] = g
		n++
	}
	return n
}

// receive takes the segment's data in (tcp_data_queue).
func (c *Conn) receive(now linger.Instant, s *Segment) {
	end := s.Seq + int64(s.Len)
	if s.Flags&FIN != 0 {
		c.finSeen, c.finAt = true, end
		end++
	}
	switch {
	case end <= c.next: // all of it was here
		c.duplicate, c.hasDuplicate = Block{s.Seq, end}, true
		c.quicken()
		c.pingpong = false
		c.ackPending, c.ackNow = true, true
		return
	case s.Seq > c.next:
		if s.Stamp > c.echo && s.Seq <= c.wup {
			c.echo = s.Stamp
		}
		c.beyond(s.Seq, end)
		c.ackPending = true
		return
	}
	if s.Seq <= c.wup {
		c.echo = s.Stamp // RFC 7323, 4.3
	}
	if s.Seq < c.next {
		c.duplicate, c.hasDuplicate = Block{s.Seq, c.next}, true
		c.quicken()
	}
	waits := c.next > max(c.copied, 1)
	c.held += truesize(end - c.next)
	c.next = end
	hadGaps := len(c.gaps) > 0
	for again := true; again; {
		again = false
		for i, g := range c.gaps {
			if g.From <= c.next {
				c.next = max(c.next, g.To)
				c.gaps = slices.Delete(c.gaps, i, i+1)
				again = true
				break
			}
		}
	}
	c.held += (c.next - end + MSS - 1) / MSS * fullSize
	if hadGaps && len(c.gaps) == 0 {
		// "A TCP receiver SHOULD send an immediate ACK when the incoming segment fills
		// in all or part of a gap" (RFC 5681, 4.2).
		c.ackNow = true
	}
	c.dataReceived(now, s, waits)
	if c.finSeen && c.next > c.finAt && !c.finReceived {
		c.finReceived = true
		if c.finSent {
			c.ackNow = true // FIN_WAIT: tcp_fin sends at once
		} else {
			c.pingpong = true // CLOSE_WAIT: the close that follows will bear it
		}
	}
}

// beyond notes what came out of order.
func (r *receiver) beyond(from, to int64) {
	for i := 0; i < len(r.gaps); {
		g := r.gaps[i]
		if g.From <= from && to <= g.To {
			r.duplicate, r.hasDuplicate = Block{from, to}, true
		}
		if g.From <= to && from <= g.To {
			from, to = min(from, g.From), max(to, g.To)
			r.gaps = slices.Delete(r.gaps, i, i+1)
			continue
		}
		i++
	}
	r.gaps = slices.Insert(r.gaps, 0, Block{from, to})
}

// quicken has the next segments acknowledged one by one (tcp_incr_quickack).
func (r *receiver) quicken() {
	n := int(r.rcvWindow / (2 * r.rcvMSS))
	if n == 0 {
		n = 2
	}
	r.quick = max(r.quick, min(n, maxQuick))
}

// dataReceived is tcp_event_data_recv; waits says that there was something before that
// nobody has read.
func (c *Conn) dataReceived(now linger.Instant, s *Segment, waits bool) {
	c.ackPending = true
	n := int64(s.Len)
	// tcp_measure_rcv_mss: a full segment with PSH ends a write; of two short ones
	// the second is answered though a reply may follow.
	switch {
	case n >= c.rcvMSS:
		if n > c.rcvMSS && n == MSS && c.ratio != scalingRatio {
			c.ratio = scalingRatio
			c.clamp = c.fromSpace(c.buf)
			c.space = min(c.space, c.clamp)
		}
		c.rcvMSS = n
		if s.Flags&PSH != 0 && c.pushed == 0 {
			c.pushed = 1
		}
	case n > 0:
		c.pushed = min(2, c.pushed+1)
	}
	// tcp_rcv_rtt_measure_ts, and where nothing echoes, tcp_rcv_rtt_measure.
	if s.Echo != c.rttEcho && n >= c.rcvMSS {
		c.rttEcho = s.Echo
		c.sampleReceiver(now.Sub(s.Echo), waits)
	}
	if c.ato == 0 { // the first
		c.quicken()
		c.ato = delayedAckMin
	} else {
		switch m := now.Sub(c.lastData) / tick * tick; {
		case m <= delayedAckMin/2:
			c.ato = c.ato/2 + delayedAckMin/2
		case m < c.ato:
			c.ato = min(c.ato/2+m, c.rto)
		case m > c.rto:
			c.quicken()
		}
	}
	c.lastData = now
	if n >= 128 {
		c.growWindow(n)
	}
}

// sampleReceiver is tcp_rcv_rtt_update: the least counts at once, and a longer one only
// where nothing waits to be read.
func (r *receiver) sampleReceiver(m time.Duration, waits bool) {
	switch {
	case r.rtt8 == 0 || 8*m < r.rtt8:
		r.rtt8 = 8 * m
	case !waits:
		r.rtt8 += m - r.rtt8/8
	}
}

// growWindow is tcp_grow_window: two segments for each that comes, fewer where they are
// so short that they take more of the buffer than they bring, as long as that is small.
func (r *receiver) growWindow(n int64) {
	room := min(r.clamp, r.freeSpace()) - r.slowWindow
	if room <= 0 {
		return
	}
	grow := int64(2 * MSS)
	if size := r.fromSpace(truesize(n)); size > n {
		grow = 0
		size /= 2
		for most := r.fromSpace(maxBuf) / 2; r.slowWindow <= most; most /= 2 {
			if size <= n {
				grow = 2 * r.rcvMSS
				break
			}
			size /= 2
		}
	}
	if grow > 0 {
		r.quick |= 1
		r.slowWindow += min(room, max(grow, 2*n))
	}
}

// Readable returns how many bytes the application may read.
func (c *Conn) Readable() int64 {
	n := c.next - max(c.copied, 1)
	if c.finReceived {
		n--
	}
	return max(0, n)
}

// Ended reports whether the peer has closed and all it sent was read.
func (c *Conn) Ended() bool { return c.finReceived && c.Readable() == 0 }

// Read takes n of them.
func (c *Conn) Read(now linger.Instant, n int64) {
	if n == 0 {
		return
	}
	if left := c.Readable() - n; left <= 0 {
		c.held = 0
	} else {
		c.held -= c.held * n / (left + n)
	}
	c.copied = max(c.copied, 1) + n
	c.adjustSpace(now)
	c.cleanUp(now)
}

// adjustSpace is tcp_rcv_space_adjust with tcp_rcvbuf_grow: dynamic right-sizing.
func (c *Conn) adjustSpace(now linger.Instant) {
	if c.rtt8 == 0 || now.Sub(c.spaceTime) < c.rtt8/8 {
		return
	}
	copied := c.copied - max(c.spaceSeq, 1) - (c.next - c.copied)
	if copied > c.space {
		old := c.space
		c.space = copied
		window := 2 * copied
		window += window * (copied - old) / old * 2
		for _, g := range c.gaps {
			window = max(window, 2*copied+g.To-c.next)
		}
		if buf := min(window*256/c.ratio, maxBuf); buf > c.buf {
			c.buf = buf
			c.clamp = c.fromSpace(buf)
		}
	}
	c.spaceSeq, c.spaceTime = c.copied, now
}

// cleanUp is tcp_cleanup_rbuf: reading may be a reason to acknowledge.
func (c *Conn) cleanUp(now linger.Instant) {
	if c.failed || c.state != Established {
		return
	}
	due := false
	if c.ackPending {
		empty := c.Readable() == 0
		due = c.next-c.wup > c.rcvMSS ||
			empty && (c.pushed == 2 || c.pushed == 1 && !c.pingpong)
	}
	if !due && !c.finReceived {
		current := max(0, c.wup+c.rcvWindow-c.next)
		if 2*current <= c.clamp {
			if w := c.selectWindow(); w > 0 && w >= 2*current {
				due = true
			}
		}
	}
	if due {
		c.sendAck(now)
	}
}

// ackCheck is __tcp_ack_snd_check: at once, later, or with others.
func (c *Conn) ackCheck(now linger.Instant, s *Segment) {
	if !c.ackPending || c.failed {
		return
	}
	if c.options.Ideal {
		c.delayAck(now)
		return
	}
	full := c.next-c.wup > c.rcvMSS && c.selectWindow() >= c.rcvWindow
	if full || c.quick > 0 && !c.pingpong || c.ackNow {
		c.sendAck(now)
		return
	}
	if len(c.gaps) == 0 {
		c.delayAck(now)
		return
	}
	if c.compressed >= compressMost {
		c.sendAck(now)
		return
	}
	if c.dupNext != c.next {
		c.dupNext, c.dupAcks = c.next, 0
	}
	if c.dupAcks < immediateSACKs {
		c.dupAcks++
		c.sendAck(now)
		return
	}
	c.compressed++
	if c.compressTimer == linger.Never {
		rtt := c.rtt8 / 8
		if c.srtt > 0 && c.srtt < rtt {
			rtt = c.srtt
		}
		c.compressTimer = now.Add(min(compressDelay, rtt*compressPercent/100))
	}
}

// delayAck is tcp_send_delayed_ack.
func (c *Conn) delayAck(now linger.Instant) {
	ato := c.ato
	if ato > delayedAckMin {
		most := 500 * time.Millisecond
		if c.pingpong || c.pushed > 0 {
			most = delayedAckMax
		}
		if c.srtt > 0 {
			most = min(most, max(c.srtt/tick*tick, delayedAckMin))
		}
		ato = min(ato, most)
	}
	at := onTick(now, min(ato, delayedAckMax))
	if c.ackTimeout {
		if c.ackTimer <= onTick(now, ato/4) {
			c.sendAck(now)
			return
		}
		at = min(at, c.ackTimer)
	}
	c.ackTimer, c.ackTimeout = at, true
}

// delayedAckDue is tcp_delack_timer_handler.
func (c *Conn) delayedAckDue(now linger.Instant) {
	c.ackTimer, c.ackTimeout = linger.Never, false
	if !c.ackPending {
		return
	}
	if !c.pingpong {
		c.ato = min(2*c.ato, c.rto)
	} else {
		c.pingpong = false
		c.ato = delayedAckMin
	}
	c.sendAck(now)
}

// dataSent is tcp_event_data_sent: what is sent soon after something came is a
// reply, and replies bear acknowledgements.
func (c *Conn) dataSent(now linger.Instant) {
	c.lastSent = now
	if now.Sub(c.lastData) < c.ato {
		c.pingpong = true
	}
}

// onTick returns when a timer of d that is set at now goes off. The kernel's wheel has
// levels, each eight times coarser than the one before, and rounds up: a timer of a
// quarter of a second and more is up to 32 ms late, one of two seconds 256
// (kernel/time/timer.c, calc_wheel_index). Where a jiffy begins, and eight of them, is
// anybody's guess; here it is when the run does.
func onTick(now linger.Instant, d time.Duration) linger.Instant {
	if d == 0 {
		return now
	}
	ticks := (d + tick - 1) / tick
	expires := uint64(now/linger.Instant(tick)) + uint64(ticks)
	shift := 0
	for shift < 3*wheelLevels && ticks >= wheelSize<<shift {
		shift += 3
	}
	return linger.Instant((expires>>shift+1)<<shift) * linger.Instant(tick)
}

const (
	wheelSize   = 63 // LVL_START of the second level, in jiffies
	wheelLevels = 8  // LVL_DEPTH, with HZ above 100 one more
)
