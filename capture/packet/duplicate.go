package packet

import (
	"encoding/binary"
	"math/bits"
	"time"

	"linger"
	"linger/flow"
)

// A packet that crosses a host is often captured twice: on loopback, on every interface of
// a bridge, at two taps. The copies agree in all that the sender wrote. A packet that the
// sender sends again agrees in less: Linux numbers IP packets (RFC 791, 3.1: Identification)
// and stamps segments (RFC 7323, 3), others do at least one of the two; it also comes a
// round trip later at the earliest. So copies are what agrees and was captured either in
// another place within a second, or in the same one within half a millisecond. In the same
// place, what has neither number nor stamp and carries nothing is no copy: hosts answer
// each packet of a connection that is gone by the same RST.
const (
	sameElsewhere = time.Second
	sameHere      = 500 * time.Microsecond
)

// recent is how many packets are remembered, a power of two.
const recent = 1 << 14

// duplicates remembers the last packets, each in the one slot that its sum names.
type duplicates struct {
	slots []seen
	late  []late // not yet in their slots
}

// A seen is a packet: the upper half of its sum, and where and when it was captured.
type seen struct {
	sum, place uint32
	at         linger.Instant
}

// A late is a packet on its way to its slot.
type late struct {
	slot uint32
	seen
}

// batch is how many packets go to their slots together. Slots are seldom in the caches of the
// processor: to reach one for each packet took a fifth of the time at 350 bytes a packet.
// Those of a batch are on their way at the same time.
const batch = 128

func newDuplicates() duplicates {
	return duplicates{slots: make([]seen, recent), late: make([]late, 0, batch)}
}

// again reports whether a packet was captured before, and else remembers it; of it b is
// what was captured.
func (d *duplicates) again(p *flow.Packet, b []byte, place uint32, at linger.Instant) bool {
	sum, ok := identity(p, b)
	if !ok {
		return false
	}
	d.settle()
	s := &d.slots[sum&(recent-1)]
	if s.sum == uint32(sum>>32) {
		limit := sameHere
		if s.place != place {
			limit = sameElsewhere
		} else if p.Payload == 0 && p.Flags&(flow.SYN|flow.FIN) == 0 && anonymous(p, b) {
			return false
		}
		if since := at.Sub(s.at); since <= limit && since >= -limit {
			return true
		}
	}
	*s = seen{uint32(sum >> 32), place, at}
	return false
}

// remember takes in a packet that is known to be no copy.
func (d *duplicates) remember(p *flow.Packet, b []byte, place uint32, at linger.Instant) {
	sum, ok := identity(p, b)
	if !ok {
		return
	}
	if len(d.late) == batch {
		d.settle()
	}
	d.late = append(d.late, late{uint32(sum & (recent - 1)), seen{uint32(sum >> 32), place, at}})
}

// settle puts what is late into its slots.
func (d *duplicates) settle() {
	for i := range d.late {
		d.slots[d.late[i].slot&(recent-1)] = d.late[i].seen
	}
	d.late = d.late[:0]
}

// anonymous reports whether a packet has neither a number nor a stamp.
func anonymous(p *flow.Packet, b []byte) bool {
	return p.Headers-p.Network < 32 && (b[0]>>4 == 6 || b[4]|b[5] == 0)
}

// identity sums up what the sender wrote, save for what changes on the way (TTL) or is
// filled in late (checksums). ok is false of what is too short, or no TCP and UDP.
func identity(p *flow.Packet, b []byte) (sum uint64, ok bool) {
	if !p.Transport || len(b) < p.Headers || p.Headers-p.Network < 8 {
		return 0, false
	}
	le := binary.LittleEndian
	var a uint64
	if b[0]>>4 == 4 {
		a = le.Uint64(b[12:]) ^ uint64(le.Uint16(b[4:]))<<17
	} else {
		a = mix(le.Uint64(b[8:])^le.Uint64(b[24:]), le.Uint64(b[16:])^bits.RotateLeft64(le.Uint64(b[32:]), 7))
	}
	t := b[p.Network:p.Headers]
	x := uint64(p.Payload)
	switch n := len(t); {
	case n >= 32: // mostly with time stamps
		x ^= mix(le.Uint64(t[8:])^0x9e3779b97f4a7c15, le.Uint64(t[20:])^uint64(le.Uint32(t[28:]))<<32^0xd6e8feb86659fd93)
	case n >= 20:
		x ^= mix(le.Uint64(t[8:])^0x9e3779b97f4a7c15, uint64(n)^0xd6e8feb86659fd93)
	default: // UDP: no checksum, but the beginning of what it carries
		x ^= mix(uint64(le.Uint16(t[4:]))^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
		if rest := b[p.Headers:]; len(rest) >= 16 {
			x ^= mix(le.Uint64(rest)^0x2545f4914f6cdd1d, le.Uint64(rest[8:])^0xa0761d6478bd642f)
			// The IDs of a long header of QUIC may take all of that, and its packets have
			// nothing else that differs: they end with what does.
			if n := p.Payload; rest[0]&0x80 != 0 && n >= 32 && len(rest) >= n {
				x ^= mix(le.Uint64(rest[n-16:])^0x8bb84b93962eacc9, le.Uint64(rest[n-8:])^0x4b33a62ed433d4a3)
			}
		}
		return mix(a^0xe7037ed1a0b428db, x^uint64(le.Uint32(t))), true
	}
	return mix(a^0xe7037ed1a0b428db, x^le.Uint64(t)), true
}

func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
