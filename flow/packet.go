package flow

import (
	"encoding/binary"
	"errors"

	"linger"
)

// A Protocol is what an IP packet carries (IANA, Protocol Numbers).
type Protocol uint8

const (
	ICMP   Protocol = 1
	TCP    Protocol = 6
	UDP    Protocol = 17
	ICMPv6 Protocol = 58
)

// String returns "tcp", "udp", "icmp", or "ip" for every other.
func (p Protocol) String() string {
	switch p {
	case TCP:
		return string(linger.TransportTCP)
	case UDP:
		return string(linger.TransportUDP)
	case ICMP, ICMPv6:
		return "icmp"
	}
	return "ip"
}

// Flags of TCP (RFC 9293, 3.1).
const (
	FIN uint8 = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// A Packet is what the headers of one IP packet say. Sizes are those of the packet as it
// was sent, in bytes, though not all of it may have been captured.
type Packet struct {
	// Key names the flow, and From which end of it sent the packet.
	Key  Key
	From End

	Network int // size of the IP header, with IPv6's extension headers
	Headers int // size of IP and transport header
	Payload int // bytes after them
	// Missing is how many of the last bytes were not captured.
	Missing int

	// Transport says that the transport header was read: it is TCP's or UDP's, it is in
	// this packet, and whole enough. Ports, and what follows here, are 0 without it.
	Transport bool
	// Fragment says that this is not all of an IP packet. Only the first fragment can
	// have a transport header, and its Payload is that of the fragment alone.
	Fragment bool
	Seq, Ack uint32 // of TCP
	Flags    uint8  // of TCP
	// Initial says that the datagram begins with an Initial packet of QUIC.
	Initial bool
}

// The ways in which bytes can be no IP packet.
var (
	ErrVersion   = errors.New("neither IPv4 nor IPv6")
	ErrShort     = errors.New("the IP header was not captured whole")
	ErrMalformed = errors.New("the lengths in the IP header contradict each other")
)

// Parse reads an IP packet, IPv4 or IPv6, of which b is what was captured. Bytes behind the
// packet's own length are left out, as a link's padding. wire is how long the packet was by
// the link's account; it counts only where the packet itself says 0, as super-packets and
// jumbograms do (RFC 2675), and is 0 if that is not known.
//
// The error is ErrVersion, ErrShort or ErrMalformed. Parse does not allocate.
func (p *Packet) Parse(b []byte, wire int) error {
	*p = Packet{}
	if len(b) == 0 {
		return ErrShort
	}
	switch b[0] >> 4 {
	case 4:
		return p.parse4(b, wire)
	case 6:
		return p.parse6(b, wire)
	}
	return ErrVersion
}

// parse4 reads an IPv4 packet (RFC 791, 3.1).
func (p *Packet) parse4(b []byte, wire int) error {
	if len(b) < 20 {
		return ErrShort
	}
	ihl := int(b[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = wire
	}
	if ihl < 20 || total < ihl {
		return ErrMalformed
	}
	if len(b) < ihl {
		return ErrShort
	}
	fragment := binary.BigEndian.Uint16(b[6:])
	p.Fragment = fragment&0x3fff != 0 // More Fragments, or an offset
	protocol := Protocol(b[9])
	src, dst := address4(b[12:]), address4(b[16:])
	p.finish(b, ihl, total, protocol, fragment&0x1fff == 0)
	p.name(4, protocol, src, dst, b)
	return nil
}

// parse6 reads an IPv6 packet and its extension headers (RFC 8200, 3 and 4). A header
// that is not known ends them, and is what the packet carries.
func (p *Packet) parse6(b []byte, wire int) error {
	if len(b) < 40 {
		return ErrShort
	}
	const (
		hopByHop, routing, fragment, authentication, noNext = 0, 43, 44, 51, 59
		destination, mobility, hip, shim6                   = 60, 135, 139, 140
	)
	total := 40 + int(binary.BigEndian.Uint16(b[4:]))
	next := b[6]
	if total == 40 && next != noNext {
		total = max(total, wire)
	}
	at, first := 40, true
headers:
	for first {
		size := 8
		switch next {
		case hopByHop, routing, destination, mobility, hip, shim6:
			if at+8 <= len(b) {
				size = (int(b[at+1]) + 1) * 8
			}
		case authentication:
			if at+8 <= len(b) {
				size = (int(b[at+1]) + 2) * 4 // RFC 4302, 2.2
			}
		case fragment:
			if at+8 <= len(b) {
				field := binary.BigEndian.Uint16(b[at+2:])
				// With neither offset nor More Fragments it is a whole packet (RFC 6946).
				p.Fragment = field&0xfff9 != 0
				first = field&0xfff8 == 0
			}
		default:
			break headers
		}
		if at+size > total {
			return ErrMalformed
		}
		if at+size > len(b) {
			return ErrShort
		}
		next = b[at]
		at += size
	}
	p.finish(b, at, total, Protocol(next), first)
	p.name(6, Protocol(next), address6(b[8:]), address6(b[24:]), b)
	return nil
}

// finish reads what follows the IP header, which ends at that place. first is false of a
// fragment after the first, which has no transport header.
func (p *Packet) finish(b []byte, at, total int, protocol Protocol, first bool) {
	p.Network, p.Headers = at, at
	p.Missing = max(total-len(b), 0)
	if first {
		p.transport(b[at:min(len(b), total)], total-at, protocol)
	}
	p.Payload = total - p.Headers
}

// transport reads the transport header from b, which is what was captured of size bytes.
func (p *Packet) transport(b []byte, size int, protocol Protocol) {
	switch {
	case protocol == TCP && size >= 20 && len(b) >= 14:
		if offset := int(b[12]>>4) * 4; offset >= 20 && offset <= size {
			p.Headers += offset
			p.Transport = true
			p.Seq = binary.BigEndian.Uint32(b[4:])
			p.Ack = binary.BigEndian.Uint32(b[8:])
			p.Flags = b[13]
		}
	case protocol == UDP && size >= 8 && len(b) >= 8:
		p.Headers += 8
		p.Transport = true
		p.Initial = isInitial(b[8:])
	case (protocol == ICMP || protocol == ICMPv6) && size >= 8:
		p.Headers += 8 // type, code, checksum, and what depends on the type
	}
}

// isInitial reports whether a datagram begins with an Initial packet of QUIC, by
// header form, packet type and version (RFC 9000, 17.2.2; RFC 9369, 3.1 and 3.2).
// The bit between the first two may have either value (RFC 9287).
func isInitial(b []byte) bool {
	if len(b) < 5 {
		return false
	}
	switch binary.BigEndian.Uint32(b[1:]) {
	case 1:
		return b[0]&0xb0 == 0x80
	case 0x6b3343cf: // version 2
		return b[0]&0xb0 == 0x90
	}
	return false
}
