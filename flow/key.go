package flow

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// A Key tells apart what exists at the same time: two addresses with their ports, and a
// protocol. It is the same for both directions. Protocols without ports, and fragments
// after the first, make one key a pair of hosts.
type Key struct {
	// low and high are the ends in order of address and port, an IPv4 address mapped into
	// IPv6 (RFC 4291, 2.5.5.2).
	low, high address
	// rest is, from the top: the ports of low and high, 16 bits each, then the version of
	// IP and the protocol, 8 bits each.
	rest uint64
}

// An address is 16 bytes, most significant first.
type address [2]uint64

func address4(b []byte) address {
	return address{0, 0xffff<<32 | uint64(binary.BigEndian.Uint32(b))}
}

func address6(b []byte) address {
	return address{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// An End is one of the two ends that a Key names.
type End uint8

const (
	Low  End = iota // the lower address, or of one address the lower port
	High            // the other
)

// Other returns the end across.
func (e End) Other() End { return e ^ 1 }

// name makes the key, of a packet whose sizes and transport are known.
func (p *Packet) name(version uint64, protocol Protocol, src, dst address, b []byte) {
	var from, to uint64 // ports
	if p.Transport {
		ports := binary.BigEndian.Uint32(b[p.Network:])
		from, to = uint64(ports>>16), uint64(ports&0xffff)
	}
	// Which end is lower is as good as random, so it is decided without a branch, which
	// processors would guess wrong every other time.
	_, below := bits.Sub64(from, to, 0)
	_, below = bits.Sub64(src[1], dst[1], below)
	_, below = bits.Sub64(src[0], dst[0], below)
	mask := -below // all ones if src is lower than dst
	x0, x1, x := (src[0]^dst[0])&mask, (src[1]^dst[1])&mask, (from^to)&mask
	p.Key = Key{
		low:  address{dst[0] ^ x0, dst[1] ^ x1},
		high: address{src[0] ^ x0, src[1] ^ x1},
		rest: (to^x)<<48 | (from^x)<<32 | version<<8 | uint64(protocol),
	}
	p.From = End(below ^ 1)
}

// same compares keys word by word, which == leaves to a loop over bytes.
func (k *Key) same(o *Key) bool {
	return k.rest == o.rest && k.low[1] == o.low[1] && k.high[1] == o.high[1] && k.low[0] == o.low[0] && k.high[0] == o.high[0]
}

// Protocol returns what the packets carry.
func (k *Key) Protocol() Protocol { return Protocol(k.rest) }

// Address returns one end's address and port; the port is 0 where there are none.
func (k *Key) Address(e End) netip.AddrPort {
	a, port := k.low, uint16(k.rest>>48)
	if e == High {
		a, port = k.high, uint16(k.rest>>32)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], a[0])
	binary.BigEndian.PutUint64(b[8:], a[1])
	addr := netip.AddrFrom16(b)
	if uint8(k.rest>>8) == 4 {
		addr = addr.Unmap()
	}
	return netip.AddrPortFrom(addr, port)
}

// A seed makes the hashes of one table unlike those of every other, so that nobody can
// choose addresses and ports that meet in one place.
type seed [6]uint64

// hash folds products of 64 bits, as wyhash does.
func (s *seed) hash(k *Key) uint64 {
	x := fold(k.low[0]^s[0], k.low[1]^s[1]) ^ fold(k.high[0]^s[2], k.high[1]^s[3])
	return fold(x^s[4], k.rest^s[5])
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
