package quic

import (
	"time"

	"linger"
)

const (
	packetThreshold = 3 // RFC 9002, 6.1.1
	amplification   = 3 // RFC 9000, 8.1
	mostEighths     = 8 // of an RTT that the time threshold may grow by
	mostLost        = 64
	ecnTest         = 10 // packets that are marked until one is acknowledged (RFC 9000, A.4)
	// firstSkip is the mean distance of the first packet number that is left out (RFC
	// 9000, 21.4); it doubles each time. quic-go draws it by lot, the model has its mean.
	firstSkip = 3 + 256
)

type space struct {
	outstanding  int
	lossTime     linger.Instant
	lastSent     linger.Instant // ack-eliciting; -1 is none
	largestAcked int64
	largestSent  int64
	numbers      []int64 // of Initial and Handshake packets
}

type sendMode uint8

const (
	sendNone sendMode = iota
	sendAck
	sendPaced
	sendAny
	sendProbe
)

type blocking uint8

const (
	notBlocked blocking = iota
	congested
	hardBlocked
)

type lostPacket struct {
	number int64
	at     linger.Instant
}

// recovery is loss detection (RFC 9002; ackhandler/sent_packet_handler.go). Packet
// numbers are shared by the spaces, as quic-go v0.65 has it.
type recovery struct {
	reno
	spaces [spaces]space
	next   int64 // packet number
	toSkip int64
	period int64
	skips  []int64

	sent     []*Packet // from number first on; nil is forgotten
	head     int
	first    int64
	tracked  int
	out      int // ack-eliciting ones
	flight   int64
	scratch  []*Packet // acknowledged
	losing   []*Packet
	suspects []lostPacket

	measured     bool
	srtt         time.Duration
	latest       time.Duration
	least        time.Duration
	deviation    time.Duration
	peerAckDelay time.Duration
	largestAt    linger.Instant // when the largest that was acknowledged was sent; -1 is none

	eighths     int64 // of the time threshold (RFC 9002, 6.1.2, has one)
	noThreshold bool  // losses turned out to be none: packets are not counted any more
	relaxFrom   int64

	probes    int // to be sent
	probe     int // space of theirs
	ptoCount  int
	alarm     linger.Instant
	pacing    linger.Instant
	blocked   blocking
	validated bool // the client's address is
	awaited   bool // the server is known to have validated it
	received  int64
	sentBytes int64
	marks     int
	capable   bool
	isClient  bool
	handshook bool

	lostPackets int64
}

func (r *recovery) init(o Options) {
	*r = recovery{isClient: o.Client, srtt: defaultRTT, latest: defaultRTT, least: defaultRTT, largestAt: -1,
		eighths: 1, relaxFrom: -1, alarm: linger.Never, pacing: linger.Never, first: -1,
		validated: o.Client || o.Token, awaited: !o.Client, toSkip: firstSkip, period: 2 * (firstSkip - 3)}
	if o.RTT > 0 {
		r.srtt, r.latest = o.RTT, o.RTT
	}
	r.reno.init()
	for i := range r.spaces {
		r.spaces[i] = space{lossTime: linger.Never, lastSent: -1, largestAcked: -1, largestSent: -1}
	}
}

// nextNumber is the number of a packet of that level.
func (r *recovery) nextNumber(l Level) int64 {
	if l.space() == appSpace {
		if r.toSkip == 0 {
			r.skip()
			r.toSkip = 3 + r.period
			r.period *= 2
		} else {
			r.toSkip--
		}
	}
	r.next++
	return r.next - 1
}

// skip leaves a number out.
func (r *recovery) skip() {
	if len(r.skips) == 4 {
		r.skips = r.skips[:copy(r.skips, r.skips[1:])]
	}
	r.skips = append(r.skips, r.next)
	r.next++
}

// pto is the probe timeout (RFC 9002, 6.2.1).
func (r *recovery) pto(delays bool) time.Duration {
	if !r.measured {
		return 2 * defaultRTT
	}
	d := r.srtt + max(4*r.deviation, granularity)
	if delays {
		d += r.peerAckDelay
	}
	return d
}

func (r *recovery) scaledPTO(delays bool) time.Duration {
	d := r.pto(delays) << r.ptoCount
	if d > longestPTO || d <= 0 {
		return longestPTO
	}
	return d
}

// sample takes a measurement of the round-trip time (RFC 9002, 5.3; in whole
// microseconds, utils/rtt_stats.go).
func (r *recovery) sample(d, delay time.Duration) {
	if d <= 0 {
		return
	}
	if !r.measured || r.least > d {
		r.least = d
	}
	if d-r.least >= delay {
		d -= delay
	}
	r.latest = d
	if !r.measured {
		r.measured, r.srtt, r.deviation = true, d, d/2
		return
	}
	us := func(d time.Duration) float32 { return float32(d / time.Microsecond) }
	off := r.srtt - d
	if off < 0 {
		off = -off
	}
	// Each product is rounded, so that no processor adds it unrounded.
	r.deviation = time.Duration(float32(0.75*us(r.deviation))+float32(0.25*us(off))) * time.Microsecond
	r.srtt = time.Duration(float32(0.875*us(r.srtt))+float32(0.125*us(d))) * time.Microsecond
}

func (r *recovery) limited() bool { return !r.validated && r.sentBytes >= amplification*r.received }

func (c *Conn) receivedBytes(now linger.Instant, n int64) {
	was := c.limited()
	c.received += n
	if was && !c.limited() {
		c.setTimer(now)
	}
}

// remember notes a packet that is sent.
func (c *Conn) remember(now linger.Instant, p *Packet) {
	s := &c.spaces[p.level.space()]
	c.sentBytes += p.size
	s.largestSent = p.number
	if p.level.space() == appSpace {
		if c.relaxFrom < 0 {
			c.relaxFrom = p.number
		}
	} else {
		s.numbers = append(s.numbers, p.number)
	}
	p.sentAt = now
	if p.eliciting {
		s.lastSent = now
		c.flight += p.size
		p.inFlight = true
		if c.probes > 0 {
			c.probes--
		}
		if c.spoken < 0 {
			c.spoken = now
		}
	}
	c.reno.sent(now, p.number, p.size, p.eliciting, c.srtt)
	if p.level == OneRTT && (c.capable || c.marks < ecnTest) {
		p.marked = true
		c.marks++
	}
	if c.tracked == 0 {
		c.sent, c.head, c.first = c.sent[:0], 0, p.number
	}
	for c.first+int64(len(c.sent)-c.head) < p.number {
		c.sent = append(c.sent, nil)
	}
	p.refs++
	c.sent = append(c.sent, p)
	c.tracked++
	if p.outstanding() {
		c.out++
		s.outstanding++
	}
	if p.eliciting || !c.awaited {
		c.setTimer(now)
	}
}

// outstanding reports whether the packet holds a timer up; a probe of the MTU does not.
func (p *Packet) outstanding() bool { return p.eliciting && !p.mtuProbe }

// forget takes a packet out of the memory.
func (c *Conn) forget(p *Packet) {
	c.sent[c.head+int(p.number-c.first)] = nil
	c.tracked--
	c.land(p)
	if p.outstanding() {
		c.out--
	}
	for c.head < len(c.sent) && c.sent[c.head] == nil {
		c.head++
		c.first++
	}
	if c.head > 64 && c.head > len(c.sent)/2 {
		c.sent = c.sent[:copy(c.sent, c.sent[c.head:])]
		c.head = 0
	}
	c.pool.put(p)
}

// land takes it out of what is in flight.
func (c *Conn) land(p *Packet) {
	if p.inFlight {
		p.inFlight = false
		c.flight -= p.size
		if p.outstanding() {
			c.spaces[p.level.space()].outstanding--
		}
	}
}

// drop gives the keys of a level up (RFC 9001, 4.9).
func (c *Conn) drop(now linger.Instant, l Level) {
	s := l.space()
	if c.o.Client && l == Handshake {
		c.awaited = true
	}
	if c.dropped[s] {
		return
	}
	c.dropped[s] = true
	c.lost[s] = retransmissions{}
	c.crypto[l].next = c.crypto[l].end
	c.scratch = c.scratch[:0]
	for _, p := range c.sent[c.head:] {
		if p != nil && p.level == l {
			c.scratch = append(c.scratch, p)
		}
	}
	for _, p := range c.scratch {
		c.forget(p)
	}
	c.spaces[s].outstanding, c.spaces[s].lossTime, c.spaces[s].lastSent = 0, linger.Never, -1
	if l == Handshake {
		c.handshook = true
	}
	c.ptoCount, c.probes = 0, 0
	c.setTimer(now)
}

// acknowledged takes an ACK in.
func (c *Conn) acknowledged(now linger.Instant, ack *Packet) {
	sp := ack.level.space()
	s := &c.spaces[sp]
	if c.o.Client && !c.awaited && ack.level != Initial {
		c.awaited = true
		c.setTimer(now)
	}
	prior := c.flight
	largest, lowest := ack.acks[0].to, ack.acks[len(ack.acks)-1].from
	c.scratch = c.scratch[:0]
	eliciting, in1RTT := false, false
	at := len(ack.acks) - 1
	for i := max(0, int(lowest-c.first)); c.tracked > 0 && i < len(c.sent)-c.head; i++ {
		p := c.sent[c.head+i]
		if p == nil || p.level.space() != sp {
			continue
		}
		if p.number > largest {
			break
		}
		for at > 0 && p.number > ack.acks[at].to {
			at--
		}
		if p.number < ack.acks[at].from || p.number > ack.acks[at].to {
			continue
		}
		eliciting = eliciting || p.eliciting
		c.scratch = append(c.scratch, p)
	}
	acked := c.scratch
	for _, p := range acked {
		if p.hasAck && ack.level == OneRTT {
			c.receiver[appSpace].ignore(p.acks[0].to + 1)
		}
		for i := range p.frames {
			c.frameAcked(p, &p.frames[i])
		}
		c.capable = c.capable || p.marked
		p.refs++ // until this is done
	}
	if n := len(acked); n > 0 && acked[n-1].number == largest && eliciting {
		p := acked[n-1]
		delay := time.Duration(0)
		if ack.level == OneRTT {
			delay = min(ack.delay.Truncate(8*time.Microsecond), c.peerAckDelay)
		}
		if p.sentAt >= c.largestAt {
			c.sample(now.Sub(p.sentAt), delay)
			c.largestAt = p.sentAt
		}
		c.maybeExit(c.latest, c.least)
	}
	for _, p := range acked {
		// Out of the history first, as it is there: what is detected as lost is not these.
		inFlight := p.inFlight
		c.forget(p)
		p.inFlight = inFlight && p.refs > 0
	}
	var spurious []int64
	grown := false
	if ack.level == OneRTT {
		spurious, grown = c.suspicious(now, ack)
	}
	if len(acked) > 0 {
		s.largestAcked = max(s.largestAcked, largest)
	}
	if len(acked) > 0 || grown {
		c.detect(now, sp)
	}
	for _, n := range spurious {
		c.reno.spurious(n)
	}
	if len(acked) == 0 {
		return
	}
	for _, p := range acked {
		if p.inFlight {
			c.reno.acked(p.number, prior)
		}
		in1RTT = in1RTT || p.level == OneRTT
		c.pool.put(p)
	}
	if c.awaited {
		c.ptoCount = 0
	}
	c.probes = 0
	c.setTimer(now)
	if in1RTT {
		if c.o.Client && !c.confirm {
			c.confirmed(now)
		}
		if c.mtu.min > c.reno.size {
			c.setSize(c.mtu.min)
		}
	}
}

// suspicious finds packets that were declared lost and have come after all. It returns
// their numbers, and whether the time threshold has grown.
func (c *Conn) suspicious(now linger.Instant, ack *Packet) (came []int64, grown bool) {
	at := now.Add(-min(ack.delay, c.peerAckDelay))
	worst := time.Duration(0)
	old := now.Add(-3 * c.pto(false))
	kept := c.suspects[:0]
	for _, l := range c.suspects {
		here := false
		for _, x := range ack.acks {
			here = here || l.number >= x.from && l.number <= x.to
		}
		if !here {
			if l.at >= old {
				kept = append(kept, l)
			}
			continue
		}
		c.noThreshold = true
		came = append(came, l.number)
		if c.relaxFrom >= 0 && l.number >= c.relaxFrom {
			worst = max(worst, at.Sub(l.at))
		}
	}
	c.suspects = kept
	if worst > c.lossDelay(appSpace) && c.eighths < mostEighths {
		c.eighths = min(2*c.eighths, mostEighths)
		c.relaxFrom = -1
		grown = true
	}
	return came, grown
}

// lossDelay is the time threshold (RFC 9002, 6.1.2).
func (c *Conn) lossDelay(space int) time.Duration {
	eighths := int64(1)
	if space == appSpace {
		eighths = c.eighths
	}
	return max(max(c.latest, c.srtt)*time.Duration(8+eighths)/8, granularity)
}

// between counts the packets of a space after one number and up to another.
func (c *Conn) between(space int, after, upTo int64) int64 {
	if space != appSpace {
		return between(c.spaces[space].numbers, after, upTo)
	}
	n := upTo - after
	n -= between(c.skips, after, upTo-1)
	for i := range appSpace {
		n -= between(c.spaces[i].numbers, after, upTo)
	}
	return n
}

func between(numbers []int64, after, upTo int64) (n int64) {
	for i := len(numbers) - 1; i >= 0 && numbers[i] > after; i-- {
		if numbers[i] <= upTo {
			n++
		}
	}
	return n
}

// detect declares packets lost (RFC 9002, 6.1).
func (c *Conn) detect(now linger.Instant, space int) {
	s := &c.spaces[space]
	s.lossTime = linger.Never
	delay := c.lossDelay(space)
	limit := now.Add(-delay)
	c.losing = c.losing[:0]
	for _, p := range c.sent[c.head:] {
		if p == nil || p.level.space() != space {
			continue
		}
		if p.number > s.largestAcked {
			break
		}
		if p.sentAt <= limit || (space != appSpace || !c.noThreshold) && c.between(space, p.number, s.largestAcked) >= packetThreshold {
			c.losing = append(c.losing, p)
		} else {
			s.lossTime = min(s.lossTime, p.sentAt.Add(delay))
		}
	}
	for _, p := range c.losing {
		if p.outstanding() && space == appSpace {
			if len(c.suspects) == mostLost {
				c.suspects = c.suspects[:copy(c.suspects, c.suspects[1:])]
			}
			c.suspects = append(c.suspects, lostPacket{p.number, p.sentAt})
		}
		if p.eliciting {
			c.requeue(p)
			if !p.mtuProbe {
				c.reno.lose(p.number)
				c.lostPackets++
			}
		}
		c.forget(p)
	}
}

// requeue has what a lost packet bore retransmitted.
func (c *Conn) requeue(p *Packet) {
	for i := range p.frames {
		c.frameLost(p, p.frames[i])
	}
}

// lossAt is the earliest time at which a packet is lost for its age.
func (c *Conn) lossAt() (at linger.Instant, space int) {
	at = linger.Never
	for i := range c.spaces {
		if t := c.spaces[i].lossTime; t < at {
			at, space = t, i
		}
	}
	return at, space
}

// ptoAt is when a probe is to be sent, and in which space (RFC 9002, 6.2.1).
func (c *Conn) ptoAt(now linger.Instant) (at linger.Instant, space int) {
	if !c.handshook && c.spaces[initialSpace].outstanding == 0 && c.spaces[handshakeSpace].outstanding == 0 {
		if c.awaited {
			return linger.Never, 0
		}
		// RFC 9002, 6.2.2.1: the server may be waiting for leave to send more.
		if !c.dropped[initialSpace] {
			return now.Add(c.scaledPTO(false)), initialSpace
		}
		return now.Add(c.scaledPTO(false)), handshakeSpace
	}
	at = linger.Never
	for i := range c.spaces {
		s := &c.spaces[i]
		if s.outstanding == 0 || s.lastSent < 0 || i == appSpace && !c.handshook {
			continue
		}
		if t := s.lastSent.Add(c.scaledPTO(i == appSpace)); t < at {
			at, space = t, i
		}
	}
	return at, space
}

// setTimer sets the alarm of loss detection.
func (c *Conn) setTimer(now linger.Instant) {
	c.alarm = linger.Never
	if c.awaited && c.out == 0 || c.limited() {
		return
	}
	if c.alarm, _ = c.lossAt(); c.alarm == linger.Never {
		c.alarm, _ = c.ptoAt(now)
	}
}

// lossTimeout does what the alarm is for.
func (c *Conn) lossTimeout(now linger.Instant) {
	defer c.setTimer(now)
	if at, space := c.lossAt(); at != linger.Never {
		c.detect(now, space)
		return
	}
	if c.flight == 0 && !c.awaited {
		c.ptoCount++
		c.probes++
		c.probe = handshakeSpace
		if !c.dropped[initialSpace] {
			c.probe = initialSpace
		}
		return
	}
	at, space := c.ptoAt(now)
	if at == linger.Never || c.spaces[space].outstanding == 0 && !c.awaited {
		return
	}
	c.ptoCount++
	c.probes += 2 // RFC 9002, 6.2.4
	c.probe = space
	if space == appSpace {
		c.skip() // so that the answer comes at once
	}
}

// mode says what may be sent now.
func (c *Conn) mode(now linger.Instant) sendMode {
	switch {
	case c.limited():
		return sendNone
	case c.probes > 0:
		return sendProbe
	case c.flight >= c.window:
		return sendAck
	case !c.mayPace(now, c.srtt):
		return sendPaced
	}
	return sendAny
}
