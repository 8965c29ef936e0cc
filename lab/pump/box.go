package pump

import (
	"encoding/binary"
	"time"

	"linger"
	"linger/flow"
)

// A box keeps a state for each TCP connection that passes, as NATs and firewalls do, and
// forgets one on which nothing has passed for too long. What comes for a connection that
// it does not know, and is no SYN, goes nowhere, and nobody is told. "If a NAT cannot
// determine whether the endpoints of a TCP connection are active, it MAY abandon the session
// if it has been idle for some time" (RFC 5382, 5, REQ-5, which wants two hours and four
// minutes).
type box struct {
	forget time.Duration
	// refuses and resetsBoth are as in lab.Config.
	refuses, resetsBoth bool

	passed map[flow.Key]linger.Instant // when a packet of it last did
}

func newBox(forget time.Duration) *box {
	return &box{forget: forget, passed: make(map[flow.Key]linger.Instant)}
}

// pass reports whether a packet gets through. A full table lets no further connection in,
// until it has forgotten others.
func (b *box) pass(at linger.Instant, p *packet) bool {
	if !p.isTCP() {
		return true
	}
	last, known := b.passed[p.Key]
	switch opens := p.Flags&(flow.SYN|flow.ACK) == flow.SYN; {
	case known && at.Sub(last) < b.forget:
	case !opens:
		delete(b.passed, p.Key)
		return false
	case !known && len(b.passed) >= maxFlows && !b.purge(at):
		return false
	}
	b.passed[p.Key] = at
	return true
}

// purge takes out what is forgotten, and reports whether there was any.
func (b *box) purge(at linger.Instant) bool {
	n := len(b.passed)
	for k, last := range b.passed {
		if at.Sub(last) >= b.forget {
			delete(b.passed, k)
		}
	}
	return len(b.passed) < n
}

// reset is an RST in the name of one end of a packet's connection, behind a virtio-net header: back
// to who sent the packet, as the other end would say that it knows of no connection (RFC 9293,
// 3.10.7.1), or on to whom it was for, as its sender would break off.
func (p *packet) reset(back bool) []byte {
	b := make([]byte, vnetSize+40)
	ip, tcp := b[vnetSize:vnetSize+20], b[vnetSize+20:]
	from := p.data[vnetSize:]
	ports := from[p.Network:]
	ip[0], ip[3], ip[8], ip[9] = 0x45, 40, 64, byte(flow.TCP)
	seq := p.Seq
	if back {
		copy(ip[12:], from[16:20])
		copy(ip[16:], from[12:16])
		copy(tcp, ports[2:4])
		copy(tcp[2:], ports[:2])
		seq = p.Ack
	} else {
		copy(ip[12:], from[12:20])
		copy(tcp, ports[:4])
	}
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12], tcp[13] = 5<<4, flow.RST
	binary.BigEndian.PutUint16(ip[10:], ^folded(summed(0, ip)))
	pseudo := summed(uint32(flow.TCP)+20, ip[12:20])
	binary.BigEndian.PutUint16(tcp[16:], ^folded(summed(pseudo, tcp)))
	return b
}

// summed adds words of 16 bits to a sum, and folded makes a checksum of it (RFC 1071).
func summed(sum uint32, b []byte) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	return sum
}

func folded(sum uint32) uint16 {
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}
