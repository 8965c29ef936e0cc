package quic

import (
	"linger"
	"linger/wire"
)

// Send sends what may be sent now (connection.go, triggerSending).
func (c *Conn) Send(now linger.Instant) {
	if c.closed || !c.started {
		return
	}
	for again := true; again; {
		again = c.trigger(now)
	}
}

// trigger reports whether it is to be called again.
func (c *Conn) trigger(now linger.Instant) bool {
	c.pacing, c.blocked = linger.Never, notBlocked
	switch c.mode(now) {
	case sendNone:
		c.blocked = hardBlocked
	case sendAck:
		c.blocked = congested
		c.ackOnly(now)
	case sendPaced:
		c.pace(now)
		c.ackOnly(now)
	case sendProbe:
		c.sendProbe(now)
		return true
	case sendAny:
		return c.sendPackets(now)
	}
	return false
}

// pace sets when the pacer lets the next datagram go.
func (c *Conn) pace(now linger.Instant) { c.pacing = max(now, c.paceAt(c.srtt)) }

func (c *Conn) sendPackets(now linger.Instant) bool {
	if c.confirm && c.mtu.due(now, c.srtt) {
		p := c.pool.packet()
		p.level, p.number, p.mtuProbe, p.eliciting = OneRTT, c.nextNumber(OneRTT), true, true
		p.frames = append(p.frames, Frame{kind: ping, probe: true})
		p.size = c.mtu.probe(now)
		d := c.pool.datagram()
		d.add(p)
		c.emit(now, d)
		return true
	}
	if n := c.streams.credit.update(now, c); n > 0 {
		c.control(Frame{kind: maxData, value: n})
	}
	if !c.confirm {
		d := c.coalesced(now, false)
		if d == nil {
			return false
		}
		c.emit(now, d)
		switch c.mode(now) {
		case sendPaced:
			c.pace(now)
		case sendAny:
			return true
		}
		return false
	}
	for {
		p := c.app(now, OneRTT, c.mtu.min, false)
		if p == nil {
			return false
		}
		d := c.pool.datagram()
		d.add(p)
		c.emit(now, d)
		switch c.mode(now) {
		case sendPaced:
			c.pace(now)
			return false
		case sendAny:
		default:
			return false
		}
	}
}

func (c *Conn) ackOnly(now linger.Instant) {
	if !c.confirm {
		if d := c.coalesced(now, true); d != nil {
			c.emit(now, d)
		}
		return
	}
	if p := c.app(now, OneRTT, c.mtu.min, true); p != nil {
		d := c.pool.datagram()
		d.add(p)
		c.emit(now, d)
	}
}

// emit sends a datagram.
func (c *Conn) emit(now linger.Instant, d *Datagram) {
	for _, p := range d.packets[:d.n] {
		d.Size += int32(p.size)
		d.Initial = d.Initial || p.level == Initial
		c.remember(now, p)
		if c.o.Client && p.level == Handshake {
			c.drop(now, Initial) // RFC 9001, 4.9.1
		}
	}
	c.output = append(c.output, d)
}

// overhead is what a packet of a level has besides its frames.
func (c *Conn) overhead(l Level) int64 {
	if l == OneRTT {
		return shortBytes + sealBytes
	}
	n := int64(longBytes + sealBytes)
	if c.o.Client && !c.switched {
		n += firstIDBytes
	} else {
		n += idBytes
	}
	if l == Initial {
		if c.o.Client && c.o.Token {
			n += wire.VarintSize(c.o.Sizes.Token) + c.o.Sizes.Token
		} else {
			n++
		}
	}
	return n
}

// sealed completes a packet whose frames take n bytes.
func (c *Conn) sealed(p *Packet, n int64) *Packet {
	p.eliciting = len(p.frames) > 0
	p.size = c.overhead(p.level) + max(n, 4-numberBytes)
	p.number = c.nextNumber(p.level)
	return p
}

// coalesced packs what there is at each level into one datagram, where it fits
// (packet_packer.go, PackCoalescedPacket; RFC 9000, 12.2).
func (c *Conn) coalesced(now linger.Instant, onlyAck bool) *Datagram {
	most := c.mtu.min
	var d *Datagram
	size := int64(0)
	put := func(p *Packet) {
		if p == nil {
			return
		}
		if d == nil {
			d = c.pool.datagram()
		}
		d.add(p)
		size += p.size
	}
	room := func() bool { return onlyAck && size == 0 || !onlyAck && size < most-leastCoal }
	for _, l := range []Level{Initial, Handshake} {
		if c.seal[l] && !c.dropped[l.space()] && (l == Initial || room()) {
			put(c.handshakePacket(now, l, most-size, onlyAck, false))
		}
	}
	if room() {
		switch {
		case c.seal[OneRTT]:
			put(c.app(now, OneRTT, most-size, onlyAck))
		case c.seal[ZeroRTT] && !onlyAck:
			put(c.app(now, ZeroRTT, most-size, false))
		}
	}
	if d != nil {
		c.pad(d, size)
	}
	return d
}

// pad fills a datagram with an Initial packet (RFC 9000, 14.1).
func (c *Conn) pad(d *Datagram, size int64) {
	if p := d.packets[0]; p.level == Initial && (c.o.Client || p.eliciting) {
		p.size += max(0, c.mtu.min-size)
	}
}

// A packing is a packet that is being filled.
type packing struct {
	*Packet
	most, n int64 // room for frames, and what they take
}

// begin takes a packet of a level, and puts the acknowledgement into it that is due, if any.
func (c *Conn) begin(now linger.Instant, l Level, most int64, ack bool) packing {
	p := packing{c.pool.packet(), most - c.overhead(l), 0}
	p.level = l
	if ack {
		c.receiver[l.space()].fill(now, p.Packet, l == OneRTT)
		p.n = p.ackSize()
	}
	return p
}

func (p *packing) room() int64 { return p.most - p.n }

func (p *packing) put(f Frame) {
	p.frames = append(p.frames, f)
	p.n += f.size()
}

// end seals the packet; one that holds nothing is none.
func (c *Conn) end(p *packing) *Packet {
	if p.n == 0 {
		c.pool.put(p.Packet)
		return nil
	}
	return c.sealed(p.Packet, p.n)
}

// handshakePacket packs one of the Initial or the Handshake level.
func (c *Conn) handshakePacket(now linger.Instant, l Level, most int64, onlyAck, addPing bool) *Packet {
	s, lost := &c.crypto[l], &c.lost[l.space()]
	ack := c.receiver[l.space()].has(now, false, false)
	if !ack && (onlyAck || !s.has() && !lost.has() && !addPing) {
		return nil
	}
	p := c.begin(now, l, most, ack)
	switch {
	case onlyAck:
	case lost.has():
		for f, ok := lost.pop(p.room()); ok; f, ok = lost.pop(p.room()) {
			p.put(f)
		}
	case s.has():
		for s.has() {
			f, ok := s.pop(p.room())
			if !ok {
				break
			}
			p.put(f)
		}
	case !ack:
		p.put(Frame{kind: ping, probe: true})
	}
	return c.end(&p)
}

// app packs one of application data.
func (c *Conn) app(now linger.Instant, l Level, most int64, onlyAck bool) *Packet {
	has, lost := !onlyAck && c.hasFrames(), &c.lost[appSpace]
	again := !onlyAck && lost.has()
	ack := l == OneRTT && c.receiver[appSpace].has(now, true, !has && !again)
	if !ack && !has && !again {
		return nil
	}
	p := c.begin(now, l, most, ack)
	if has {
		c.putCredits(now, &p)
		for len(c.queue) > 0 {
			f := c.queue[len(c.queue)-1]
			if f.size() > p.room() {
				break
			}
			p.put(f)
			c.queue = c.queue[:len(c.queue)-1]
		}
	}
	for again && p.room() >= leastStream {
		f, ok := lost.pop(p.room())
		if !ok {
			break
		}
		p.put(f)
	}
	if has {
		p.n += c.streamFrames(p.Packet, p.room())
	}
	switch {
	case len(p.frames) > 0:
		c.quiet = 0
	case ack && c.quiet >= quietAcks:
		p.put(Frame{kind: ping})
		c.quiet = 0
	case ack:
		c.quiet++
	}
	return c.end(&p)
}

// putCredits tells what streams may send from now on. The connection's credit is to be half
// as much again as that of any stream (framer.go; flowcontrol, EnsureMinimumWindowSize).
func (c *Conn) putCredits(now linger.Instant, p *packing) {
	for len(c.updates) > 0 && p.room() > mostControl {
		s := c.updates[0]
		c.updates = c.updates[:copy(c.updates, c.updates[1:])]
		if s.final >= 0 {
			continue
		}
		before := s.credit.size
		if v := s.credit.update(now, c); v > 0 {
			p.put(Frame{kind: maxStreamData, stream: s.id, value: v})
		}
		if s.credit.size > before {
			f := &c.streams.credit
			if want := s.credit.size * 3 / 2; want > f.size {
				f.size = max(f.size, min(want, f.most))
				f.epoch, f.epochAt = now, f.read
			}
		}
	}
}

// sendProbe sends a probe: what is oldest of what is not acknowledged, or a PING
// (connection.go, sendProbePacket; RFC 9002, 6.2.4).
func (c *Conn) sendProbe(now linger.Instant) {
	l := []Level{Initial, Handshake, OneRTT}[c.probe]
	var p *Packet
	pack := func(addPing bool) *Packet {
		if l != OneRTT {
			return c.handshakePacket(now, l, c.mtu.min, false, addPing)
		}
		if p := c.app(now, l, c.mtu.min, false); p != nil {
			return p
		}
		if !addPing {
			return nil
		}
		p := c.pool.packet()
		p.level = l
		p.frames = append(p.frames, Frame{kind: ping, probe: true})
		return c.sealed(p, 1)
	}
	for p == nil {
		oldest := c.oldest(c.probe)
		if oldest == nil {
			break
		}
		c.requeue(oldest)
		c.forget(oldest)
		p = pack(false)
	}
	if p == nil {
		if p = pack(true); p == nil || l != OneRTT && c.dropped[c.probe] {
			c.probes = 0
			return
		}
	}
	d := c.pool.datagram()
	d.add(p)
	c.pad(d, p.size)
	if !p.eliciting {
		c.probes--
	}
	c.emit(now, d)
}

// oldest is the first packet of a space that is not acknowledged.
func (c *Conn) oldest(space int) *Packet {
	if c.out == 0 {
		return nil
	}
	for _, p := range c.sent[c.head:] {
		if p != nil && p.outstanding() && p.level.space() == space {
			return p
		}
	}
	return nil
}
