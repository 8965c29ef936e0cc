package packet

import (
	"time"

	"linger"
	"linger/capture/talk"
	"linger/flow"
	"linger/trace"
)

const (
	// maxHeld bounds the bytes that wait for earlier ones, of one direction and of all.
	maxHeld    = 1 << 20
	maxAllHeld = 64 << 20
	maxPieces  = 2048 // of one direction
	// What was acknowledged and is not there is waited for so many packets or so long:
	// captures do not always have packets in order.
	patientPackets = 8
	patientTime    = 10 * time.Millisecond
	// far is how far sequence numbers go ahead, or back, before they are no longer taken
	// for those of the same connection.
	farAhead = 1 << 30
	farBack  = 1 << 24
)

// A half is what one end sends.
type half struct {
	next    uint32 // the sequence number after what is accounted for
	acked   uint32 // the highest that the other end has acknowledged
	skip    int64  // of the bytes from next on, those that nobody reads
	isn     uint32 // the initial sequence number, where began
	began   bool
	started bool // next is known
	heard   bool // acked is
	carried bool // there was payload
	ended   bool // the application knows that nothing follows
	fin     bool // a FIN was seen, at finAt
	finAt   uint32
	early   uint32 // the payload of a SYN

	repeats  int64          // retransmissions that nothing has come back for
	since    linger.Instant // when that was sent first
	syn      linger.Instant // of the last SYN before it was answered
	finished linger.Opt[linger.Instant]
	last     mark           // of the last new payload
	burst    uint32         // where what was sent since all was acknowledged begins
	before   linger.Instant // when what had been sent before that had ended

	held  *held
	holes []span // of what was skipped without being there
}

// A span of sequence numbers.
type span struct{ from, to uint32 }

// held is what was captured before what it follows: earlier bytes of its own direction, or
// those of the other that it answers.
type held struct {
	pieces  []piece // in order of sequence numbers
	bytes   int
	packets int // of the connection, since it is known that the first one's wait may be in vain
	since   linger.Opt[linger.Instant]
}

// A piece is the payload of one segment. Of size bytes data was captured.
type piece struct {
	seq  uint32
	ack  uint32
	acks bool // ack is set
	size int
	data []byte
	m    mark
}

// before reports whether a comes before b, modulo 2^32 (RFC 9293, 3.4).
func before(a, b uint32) bool { return int32(a-b) < 0 }

// segment takes in a packet of TCP, of which data is the payload as far as captured.
func (r *Reader) segment(c *conn, f *flow.Flow, p *flow.Packet, data []byte, m mark) {
	h, other := &c.half[p.From&1], &c.half[p.From.Other()&1]
	n := p.Payload
	other.repeats = 0 // something came back
	if p.Flags&flow.ACK != 0 {
		if !other.heard || before(other.acked, p.Ack) {
			other.acked, other.heard = p.Ack, true
		}
	}
	if h.started && p.Seq == h.next && h.held == nil && other.held == nil && !c.waiting && p.Flags&(flow.SYN|flow.FIN|flow.RST) == 0 {
		// Most of what is captured: the middle of a body, and acknowledgements.
		switch {
		case n == 0:
			return
		case int64(n) < h.skip && (!h.idle() || h.carried && !h.fin && p.Ack == other.next):
			if h.idle() {
				h.starts(p.Seq, m)
			}
			h.next += uint32(n)
			h.skip -= int64(n)
			h.last = m
			return
		case h.carried && !h.fin && !before(other.next, p.Ack) && len(data) == n:
			// The middle of what is read, as a record that is to be decrypted.
			if h.idle() {
				h.starts(p.Seq, m)
			}
			if h.last.At <= m.At {
				h.last = m
			}
			r.deliver(c, p.From, data, n, m)
			return
		}
	}
	r.uncommon(c, f, p, h, other, data, m)
}

// idle reports whether all that was sent is acknowledged.
func (h *half) idle() bool { return h.heard && !before(h.acked, h.next) }

// starts takes in that a burst begins: all that was sent before is acknowledged.
func (h *half) starts(seq uint32, m mark) { h.since, h.burst, h.before = m.At, seq, h.last.At }

// acknowledged reports whether a packet of the other end acknowledges bytes that follow
// closely on those that it is known to have acknowledged.
func (h *half) acknowledged(p *flow.Packet) bool {
	const closely = 1 << 20
	return h.heard && p.Flags&flow.ACK != 0 && p.Ack-h.acked-1 < closely
}

// uncommon takes in what is not the middle of a body.
func (r *Reader) uncommon(c *conn, f *flow.Flow, p *flow.Packet, h, other *half, data []byte, m mark) {
	seq, n := p.Seq, p.Payload
	if p.Flags&flow.SYN != 0 {
		r.opening(c, f, p, h, other, m)
		seq++
	}
	if !h.started && (n > 0 || p.Flags&flow.FIN != 0) {
		h.started, h.next = true, seq
	}
	switch {
	case n == 0 && p.Flags&(flow.SYN|flow.FIN|flow.RST) != 0:
	case n <= 1 && h.started && seq == h.next-1 && h.idle() && p.Flags&(flow.SYN|flow.FIN|flow.RST) == 0:
		// One below what comes next: "SEG.SEQ = SND.NXT-1" (RFC 9293, 3.8.4).
		c.probes.Sent++
		c.probing, c.waiting = p.From, true
		return
	case c.waiting && c.probing != p.From:
		c.waiting = false
		c.probes.Answered++
		c.probes.Alive = linger.Known(m.At)
	}
	if n > 0 && p.Flags&flow.RST == 0 {
		if other.held != nil && !other.held.waitsFor(seq) {
			r.release(c, p.From.Other(), m, ifAcked)
		}
		if c.firstByte.IsZero() {
			c.firstByte, c.near = linger.Known(m.At), nearly(f, c.client)
			r.turn(c, m)
		}
		r.payload(c, p.From, piece{seq, p.Ack, p.Flags&flow.ACK != 0, n, data, m})
	}
	if p.Flags&(flow.FIN|flow.RST) != 0 {
		r.closing(c, f, p, h, seq+uint32(n), m)
	}
	for e := flow.Low; e <= flow.High; e++ {
		if c.half[e].held != nil {
			r.release(c, e, m, inTime)
		}
		r.finSeen(c, e)
	}
	if c.half[0].ended && c.half[1].ended && !c.over {
		c.over = true
		c.app.close(r, c, talk.NoResponse)
	}
}

// turn says that a connection comes or goes.
func (r *Reader) turn(c *conn, m mark) {
	if r.watcher != nil {
		client, server := c.key.Address(c.client), c.key.Address(c.client.Other())
		r.watcher.Turn(c.id, m.At, client.Addr(), server.Addr())
	}
}

// opening takes in a SYN.
func (r *Reader) opening(c *conn, f *flow.Flow, p *flow.Packet, h, other *half, m mark) {
	c.started = true
	h.isn, h.began = p.Seq, true
	r.turn(c, m)
	if opener, ok := f.Opener.Get(); ok {
		c.is(opener)
	}
	if h.started && p.Flags&flow.ACK == 0 && p.Seq+1 == h.next-h.early {
		h.repeat(c.first.At) // sent again
	}
	if f.SYNACK.IsZero() && p.Flags&flow.ACK == 0 || h.syn == 0 {
		h.syn = m.At
	}
	if !h.started {
		h.started, h.next = true, p.Seq+1
	}
	if p.Flags&flow.ACK == 0 {
		if p.Payload > 0 && h.early == 0 {
			h.early, c.fastOpen = uint32(p.Payload), linger.Known(false)
		}
		return
	}
	if !other.started { // its SYN was not captured
		other.started, other.next = true, p.Ack
	}
	if other.early > 0 {
		c.fastOpen = linger.Known(!before(p.Ack, other.next))
	}
}

// initial is the initial sequence number of an end, where its SYN was seen.
func (h *half) initial() (n linger.Opt[int64]) {
	if h.began {
		n = linger.Known(int64(h.isn))
	}
	return n
}

func (h *half) repeat(since linger.Instant) {
	if h.repeats == 0 && h.since < since {
		h.since = since
	}
	h.repeats++
}

// payload takes in what a segment carries.
func (r *Reader) payload(c *conn, e flow.End, p piece) {
	h := &c.half[e]
	ahead := int32(p.seq - h.next)
	if ahead > farAhead || ahead < -farBack {
		// Another connection, whose SYN was not captured, or nonsense: go on from there.
		r.lost(c, e, 0, p.m)
		h.next, ahead = p.seq, 0
	}
	if ahead < 0 {
		old := min(int(-ahead), p.size)
		h.fill(c, p.seq, p.seq+uint32(old))
		if old == p.size {
			if !h.heard || !before(p.seq+uint32(old)-1, h.acked) {
				h.repeat(h.last.At)
			}
			return
		}
		p.cut(old)
	}
	if h.idle() || !h.carried {
		h.starts(p.seq, p.m)
	}
	if !h.carried || h.last.At <= p.m.At {
		h.carried, h.last = true, p.m
	}
	if h.held != nil || int64(p.seq-h.next) > h.skip || c.half[e.Other()].lacks(&p) > 0 {
		r.hold(c, e, p)
		return
	}
	if gap := int64(p.seq - h.next); gap > 0 {
		r.jump(c, e, gap)
	}
	r.deliver(c, e, p.data, p.size, p.m)
}

// cut takes the first n bytes off a piece.
func (p *piece) cut(n int) {
	p.seq, p.size, p.data = p.seq+uint32(n), p.size-n, p.data[min(n, len(p.data)):]
}

// lacks returns how many bytes of a half a piece of the other one acknowledges that have
// not been captured and are of use.
func (h *half) lacks(p *piece) int64 {
	if !p.acks || !h.started || h.held != nil && h.held.pieces[0].seq == h.next { // it is there, and waits
		return 0
	}
	n := int64(int32(p.ack - h.next))
	if h.fin && p.ack == h.finAt+1 {
		n--
	}
	if n > farAhead || n <= h.skip {
		return 0
	}
	return n
}

// waitsFor reports whether the first piece answers what is at a sequence number of the
// other direction.
func (h *held) waitsFor(seq uint32) bool {
	first := &h.pieces[0]
	return first.acks && before(seq, first.ack)
}

// jump passes over bytes that nobody reads and that are not there.
func (r *Reader) jump(c *conn, e flow.End, n int64) {
	h := &c.half[e]
	const most = 16
	if len(h.holes) == most {
		c.gaps++
		h.holes = append(h.holes[:0], h.holes[1:]...)
	}
	h.holes = append(h.holes, span{h.next, h.next + uint32(n)})
	c.missing += n
	h.next += uint32(n)
	h.skip -= min(n, h.skip)
}

// fill takes what has come late out of what is missing.
func (h *half) fill(c *conn, from, to uint32) {
	for i := 0; i < len(h.holes); i++ {
		s := &h.holes[i]
		a, b := from, to
		if before(a, s.from) {
			a = s.from
		}
		if before(s.to, b) {
			b = s.to
		}
		if !before(a, b) {
			continue
		}
		c.missing -= int64(b - a)
		switch {
		case a == s.from:
			s.from = b
		case b == s.to:
			s.to = a
		default: // the later part stays a hole
			h.holes = append(h.holes, span{b, s.to})
			s.to = a
		}
		if h.holes[i].from == h.holes[i].to {
			h.holes = append(h.holes[:i], h.holes[i+1:]...)
			i--
		}
	}
}

// deliver hands the next n bytes to the application, of which data was captured.
func (r *Reader) deliver(c *conn, e flow.End, data []byte, n int, m mark) {
	h := &c.half[e]
	h.next += uint32(n)
	if h.ended {
		return
	}
	if int64(n) < h.skip {
		h.skip -= int64(n)
		return
	}
	passed := int(h.skip)
	h.skip = 0
	data = data[min(passed, len(data)):]
	rest := n - passed // to be read
	if len(data) > 0 || rest == 0 || passed > 0 {
		h.skip = c.app.data(r, c, e, data, m)
		rest -= len(data)
	}
	if rest > 0 { // what was not captured of the packet
		skipped := min(int64(rest), h.skip)
		h.skip -= skipped
		if missed := int64(rest) - skipped; missed > 0 {
			if skipped > 0 {
				h.skip = c.app.data(r, c, e, nil, m)
			}
			c.app.gap(r, c, e, missed, m)
		}
	}
}

// lost gives n bytes up.
func (r *Reader) lost(c *conn, e flow.End, n int64, m mark) {
	h := &c.half[e]
	c.gaps++
	skipped := min(n, h.skip)
	h.skip -= skipped
	if skipped > 0 && h.skip == 0 {
		h.skip = c.app.data(r, c, e, nil, m)
	}
	if n -= skipped; !h.ended {
		c.app.gap(r, c, e, n, m)
	}
}

// hold keeps what came too early.
func (r *Reader) hold(c *conn, e flow.End, p piece) {
	h := &c.half[e]
	if h.held == nil {
		h.held = &held{}
	}
	p.data = append([]byte(nil), p.data...)
	at := len(h.held.pieces)
	for at > 0 && before(p.seq, h.held.pieces[at-1].seq) {
		at--
	}
	if at > 0 && h.held.pieces[at-1].seq == p.seq && h.held.pieces[at-1].size >= p.size {
		h.repeat(h.last.At)
		return
	}
	h.held.pieces = append(h.held.pieces, piece{})
	copy(h.held.pieces[at+1:], h.held.pieces[at:])
	h.held.pieces[at] = p
	h.held.bytes += len(p.data)
	r.held += len(p.data)
}

// An urgency says when a hole is given up.
type urgency uint8

const (
	inTime  urgency = iota // the other end has acknowledged it, and nothing has filled it since
	ifAcked                // the other end had acknowledged it before, and now goes on
	always
)

// release hands on what was held and is in order now, or whose wait is given up.
func (r *Reader) release(c *conn, e flow.End, m mark, u urgency) {
	h, other := &c.half[e], &c.half[e.Other()]
	for h.held != nil {
		first := &h.held.pieces[0]
		gap := int64(int32(first.seq - h.next))
		lacks := other.lacks(first)
		if gap > h.skip || lacks > 0 {
			room := h.held.bytes <= maxHeld && len(h.held.pieces) <= maxPieces && r.held <= maxAllHeld
			if room && u != always && h.patient(first, gap > h.skip, m, u) {
				return
			}
			h.held.since = linger.Opt[linger.Instant]{}
		}
		if lacks > 0 {
			c.missing += lacks
			other.next = first.ack
			r.lost(c, e.Other(), lacks, first.m)
		}
		switch {
		case gap > h.skip:
			c.missing += gap
			h.next = first.seq
			r.lost(c, e, gap, first.m)
		case gap > 0:
			r.jump(c, e, gap)
		}
		p := *first
		h.held.bytes -= len(p.data)
		r.held -= len(p.data)
		if h.held.pieces = h.held.pieces[1:]; len(h.held.pieces) == 0 {
			h.held = nil
		}
		if old := int(int32(h.next - p.seq)); old < p.size {
			p.cut(max(old, 0))
			r.deliver(c, e, p.data, p.size, p.m)
		}
	}
}

// patient reports whether what the first piece waits for may still come. A hole in its own
// direction is waited for until the other end has acknowledged it.
func (h *half) patient(first *piece, hole bool, m mark, u urgency) bool {
	if hole && (!h.heard || before(h.acked, first.seq)) {
		return true
	}
	since, ok := h.held.since.Get()
	if !ok {
		h.held.since, h.held.packets = linger.Known(m.At), 0
		return true
	}
	h.held.packets++
	return u == inTime && h.held.packets < patientPackets && m.At.Sub(since) < patientTime
}

// closing takes in a FIN or RST, which is at that sequence number.
func (r *Reader) closing(c *conn, f *flow.Flow, p *flow.Packet, h *half, at uint32, m mark) {
	if c.started || !c.firstByte.IsZero() { // else it may be a stray
		r.turn(c, m)
	}
	if end, ok := f.Closing.Get(); ok && c.closing.Frame == 0 && end.At == m.At && end.By == p.From {
		c.closing = m
		c.outstanding = c.unacknowledged()
	}
	if p.Flags&flow.FIN != 0 && !h.fin {
		h.fin, h.finAt = true, at
		h.finished = linger.Known(m.At)
		if gap := int64(int32(at - h.next)); gap > 0 && gap <= h.skip && h.held == nil {
			r.jump(c, p.From, gap)
		}
	}
	if p.Flags&flow.RST != 0 && f.Over() && !c.over {
		c.reset = true
		if h.finished.IsZero() {
			h.finished = linger.Known(m.At)
		}
		r.finish(c, talk.Reset)
	}
}

// unacknowledged is what has been sent and not acknowledged.
func (c *conn) unacknowledged() (out linger.Opt[trace.Outstanding]) {
	client, server := &c.half[c.client], &c.half[c.client.Other()]
	if !client.heard || !server.heard {
		return out
	}
	return linger.Known(trace.Outstanding{Up: client.flying(), Down: server.flying()})
}

// flying is how many bytes of a half are not acknowledged.
func (h *half) flying() int64 {
	end := h.next
	if h.held != nil {
		last := h.held.pieces[len(h.held.pieces)-1]
		end = last.seq + uint32(last.size)
	}
	return int64(max(int32(end-h.acked), 0))
}

// finSeen tells the application of the end of a half whose FIN is what comes next.
func (r *Reader) finSeen(c *conn, e flow.End) {
	h := &c.half[e]
	if h.fin && !h.ended && !before(h.next, h.finAt) {
		h.ended = true
		c.app.end(r, c, e, talk.Cut, h.skip, h.last)
	}
}

// finish ends both halves, whatever they lack, and why.
func (r *Reader) finish(c *conn, why string) {
	for e := flow.Low; e <= flow.High; e++ {
		h := &c.half[e]
		r.release(c, e, c.last, always)
		r.finSeen(c, e)
		if h.ended {
			continue
		}
		h.ended = true
		end := why
		if why == talk.NoResponse {
			end = talk.Cut
		}
		c.app.end(r, c, e, end, h.skip, h.last)
	}
	if !c.over {
		c.over = true
		c.app.close(r, c, why)
	}
}
