package quic

import (
	"strings"

	"linger"
	"linger/capture/talk"
	"linger/wire"
)

// Types of frames (RFC 9000, 19; RFC 9221; draft-ietf-quic-reliable-stream-reset;
// draft-ietf-quic-ack-frequency).
const (
	framePadding         = 0x00
	framePing            = 0x01
	frameAck             = 0x02
	frameAckECN          = 0x03
	frameReset           = 0x04
	frameStop            = 0x05
	frameCrypto          = 0x06
	frameNewToken        = 0x07
	frameStream          = 0x08 // to 0x0f
	frameMaxData         = 0x10
	frameMaxStreamData   = 0x11
	frameMaxStreamsBidi  = 0x12
	frameMaxStreamsUni   = 0x13
	frameDataBlocked     = 0x14
	frameStreamBlocked   = 0x15
	frameStreamsBlocked  = 0x16
	frameStreamsBlocked2 = 0x17
	frameNewID           = 0x18
	frameRetireID        = 0x19
	framePathChallenge   = 0x1a
	framePathResponse    = 0x1b
	frameClose           = 0x1c
	frameCloseApp        = 0x1d
	frameDone            = 0x1e
	frameImmediateAck    = 0x1f
	frameResetAt         = 0x24
	frameDatagram        = 0x30
	frameDatagramLength  = 0x31
	frameAckFrequency    = 0xaf
)

// maxReason bounds a reason phrase.
const maxReason = 256

// A reader takes fields off a packet. Once one is not there, it is broken.
type reader struct {
	b      []byte
	broken bool
}

func (r *reader) int() int64 {
	if len(r.b) > 0 && r.b[0] < 0x40 {
		n := r.b[0]
		r.b = r.b[1:]
		return int64(n)
	}
	n, size, err := wire.ParseVarint(r.b)
	if err != nil {
		r.b, r.broken = nil, true
		return 0
	}
	r.b = r.b[size:]
	return int64(n)
}

func (r *reader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.b)) {
		r.b, r.broken = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// A content is what the frames of one packet come to.
type content struct {
	from   talk.Side
	level  level
	kind   Kind
	number int64
	m      talk.Mark

	carried, fresh int  // bytes of CRYPTO and STREAM frames, and of them new ones
	elicits        bool // it wants to be acknowledged
	ping           bool
	other          bool // something else than PING that wants to be
	bare           bool // nothing in it but what probes a path
	says           bool // something that counts as bytes of the connection
}

// frames takes in what a packet held, and reports whether it was nothing but what probes a path.
func (c *Conn) frames(from talk.Side, l level, kind Kind, plain []byte, number int64, m talk.Mark) (bare bool) {
	s := &c.side[from]
	s.largest[l] = max(s.largest[l], number)
	if l == levelApp {
		if !s.seen.add(number) {
			return false // a copy
		}
		if s.missed.has(number) {
			c.facts.Missed--
		}
	}
	p := content{from: from, level: l, kind: kind, number: number, m: m, bare: true}
	r := &reader{b: plain}
	for len(r.b) > 0 && !r.broken {
		if !c.frame(r, &p) {
			break
		}
	}
	c.facts.note(&p)
	if p.says {
		c.carried(m)
	}
	if from == talk.Client && kind == Short {
		c.secured(m)
	}
	if kind == ZeroRTT && c.facts.Early.IsZero() {
		c.facts.Early = linger.Known(m.At)
	}
	if l == levelApp && kind == Short {
		c.probe(s, &p)
	}
	return p.bare
}

// note counts what was sent again.
func (f *Facts) note(p *content) {
	if p.carried > 0 && p.fresh == 0 {
		f.Resent[p.from]++
		f.ResentBytes[p.from] += int64(p.carried)
	}
}

// maxProbe bounds a packet whose PING asks whether the other side is there: larger ones ask how
// large packets may be (RFC 8899).
const maxProbe = 200

// probe counts a packet that asks whether the other side is there: with a PING and nothing else
// that wants to be acknowledged, while nothing is outstanding.
func (c *Conn) probe(s *side, p *content) {
	if p.ping && !p.other && s.acked >= s.elicits {
		c.facts.Probes.Sent++
		s.probe = p.number
	}
	if p.elicits {
		s.elicits = max(s.elicits, p.number)
	}
}

// frame takes in one frame, and returns false where it is not known how the next one begins.
func (c *Conn) frame(r *reader, p *content) bool {
	size := len(r.b)
	kind := r.int()
	switch kind {
	case framePadding:
		for len(r.b) > 0 && r.b[0] == framePadding {
			r.b = r.b[1:]
		}
		return true
	case frameAck, frameAckECN:
		p.bare = false
		c.ack(r, p, kind == frameAckECN)
		return true
	}
	p.elicits = true
	switch kind {
	case framePathChallenge, framePathResponse, frameNewID:
	default:
		p.bare = false
	}
	if kind == framePing {
		p.ping = size < maxProbe
		p.other = p.other || !p.ping
		return true
	}
	p.other = true
	switch {
	case kind >= frameStream && kind < frameStream+8:
		c.streamFrame(r, p, kind)
	case kind == frameCrypto:
		at, n := r.int(), r.int()
		if data := r.take(n); !r.broken {
			p.says = p.says || p.level != levelApp || len(data) > 0
			c.crypto(p, at, data)
		}
	case kind == frameClose || kind == frameCloseApp:
		p.elicits = false
		c.closeFrame(r, p, kind == frameCloseApp)
	case kind == frameDatagram:
		r.take(int64(len(r.b)))
		c.facts.Datagrams++
		p.says = true
	case kind == frameDatagramLength:
		r.take(r.int())
		c.facts.Datagrams++
		p.says = true
	default:
		return c.control(r, p, kind)
	}
	return !r.broken
}

// control takes in a frame that carries nothing of a stream.
func (c *Conn) control(r *reader, p *content, kind int64) bool {
	switch kind {
	case frameReset, frameResetAt:
		id, code := r.int(), r.int()
		r.int() // final size
		if kind == frameResetAt {
			r.int()
		}
		if !r.broken {
			p.says = true
			c.reset(p, id, uint64(code))
		}
	case frameStop:
		id, code := r.int(), r.int()
		if !r.broken {
			p.says = true
			c.To.Reset(id, p.from, true, uint64(code), p.m)
		}
	case frameNewToken:
		r.take(r.int())
	case frameMaxData:
		r.int()
		c.window(p.from.Other(), -1, false, p.m)
	case frameMaxStreamData:
		id := r.int()
		r.int()
		c.window(p.from.Other(), id, false, p.m)
	case frameMaxStreamsBidi:
		if n := r.int(); p.from == talk.Server && !r.broken {
			c.allow(n)
		}
	case frameMaxStreamsUni, frameStreamsBlocked, frameStreamsBlocked2, frameRetireID:
		r.int()
	case frameDataBlocked:
		r.int()
		c.window(p.from, -1, true, p.m)
	case frameStreamBlocked:
		id := r.int()
		r.int()
		c.window(p.from, id, true, p.m)
	case frameNewID:
		r.int()
		r.int()
		var n int64
		if b := r.take(1); b != nil {
			n = int64(b[0])
		}
		id, token := r.take(n), r.take(16)
		if !r.broken && n >= 1 && n <= maxID {
			c.chosen(p.from, id)
			if p.from == talk.Server {
				c.token(token)
			}
		}
	case framePathChallenge, framePathResponse:
		r.take(8)
	case frameDone, frameImmediateAck:
	case frameAckFrequency:
		for range 4 {
			r.int()
		}
	default:
		return false
	}
	return !r.broken
}

// ack takes in what one side has received of what the other one has sent.
func (c *Conn) ack(r *reader, p *content, ecn bool) {
	largest := r.int()
	r.int() // delay
	count := r.int()
	low := largest - r.int()
	sender := &c.side[p.from.Other()]
	app := p.level == levelApp
	missed := false
	take := func(low, high int64) {
		sender.seen.gaps(max(low, 0), high, func(low, high int64) { missed = c.miss(sender, low, high) || missed })
	}
	if app && !r.broken && largest <= sender.largest[levelApp]+maxAhead {
		take(low, largest)
	}
	for ; count > 0 && !r.broken; count-- {
		high := low - r.int() - 2
		low = high - r.int()
		if app && !r.broken && low >= 0 && high <= sender.largest[levelApp] {
			take(low, high)
		}
	}
	if ecn {
		for range 3 {
			r.int()
		}
	}
	if !app || r.broken {
		return
	}
	if p.from == talk.Server && c.fate == undecided && len(c.waiting) > 0 && p.kind == Short {
		c.verdict = taken // what it acknowledges can be nothing else, or comes soon
	}
	sender.acked = max(sender.acked, largest)
	if sender.probe >= 0 && largest >= sender.probe {
		sender.probe = -1
		c.facts.Probes.Answered++
		c.facts.Probes.Alive = linger.Known(p.m.At)
	}
	// Packets may have been captured in another order than they passed in: what is missing is
	// given up some acknowledgements later.
	if sender.overdue > 0 {
		if sender.overdue--; sender.overdue == 0 {
			c.fillMissed(p.from.Other(), sender.due)
			missed, sender.later = missed || sender.later, false
		}
	}
	switch {
	case missed && sender.overdue > 0:
		sender.later = true
	case missed:
		sender.overdue, sender.due = lateAcks, sender.acked
	}
}

// lateAcks is with which acknowledgement after the one that told of missing packets they are
// given up.
const lateAcks = 3

// maxAhead bounds how many packets are believed to have been missed at once.
const maxAhead = 1 << 20

// miss takes in that packets were received and not captured, and reports whether that was new.
func (c *Conn) miss(s *side, low, high int64) (fresh bool) {
	const each = 4096
	low = max(low, high-each) // what is beyond is counted no more
	for n := low; n <= high; n++ {
		if s.missed.add(n) {
			c.facts.Missed++
			fresh = true
		}
	}
	return fresh
}

// closeFrame takes in CONNECTION_CLOSE.
func (c *Conn) closeFrame(r *reader, p *content, application bool) {
	how := Close{By: p.from, Application: application, Code: uint64(r.int())}
	if !application {
		r.int() // the type of the frame that was wrong
	}
	reason := r.take(r.int())
	if r.broken {
		return
	}
	how.Reason = strings.ToValidUTF8(string(reason[:min(len(reason), maxReason)]), "\uFFFD")
	c.close(how, p.m)
}

// allow takes in how many streams the client may open from the beginning on: what it may have
// open at once is that less those that are over.
func (c *Conn) allow(total int64) {
	over := int64(0)
	for _, i := range c.done[talk.Server][0] {
		over += i.high - i.low + 1
	}
	if n := total - over; n > c.facts.Streams.Or(-1) {
		c.facts.Streams = linger.Known(n)
	}
}

// maxBlocked bounds the streams that are known to have no window.
const maxBlocked = 256

// window tells of a sender that has no window, or has some again.
func (c *Conn) window(sender talk.Side, id int64, blocked bool, m talk.Mark) {
	key := streamKey{id, sender}
	switch {
	case blocked && !c.blocked[key] && len(c.blocked) < maxBlocked:
		if c.blocked == nil {
			c.blocked = map[streamKey]bool{}
		}
		c.blocked[key] = true
	case !blocked && c.blocked[key]:
		delete(c.blocked, key)
	default:
		return
	}
	c.To.Window(id, sender, blocked, m)
}
