// Package pump carries packets between the TUN devices of hosts, through an emulated path: the
// data plane of the lab, which makes the hosts.
//
// A host opens its device by OpenTUN, in its own network namespace. New makes a Pump of the
// devices and of the network between them; Run carries packets, on one thread, until Stop. On
// its way a packet goes
//
//	from the sender's device  through its host's own delay (a line)
//	into the link             up or down: rate, queue, loss and delay, by package linger/link;
//	                          one pair for all, or one for each address on the client's side
//	past the box              which may forget a connection that idles, as a NAT does
//	to the receiver's device  through that host's own delay
//
// What enters a link is counted in the ledger, and captured if asked for. A super-packet, which
// the kernel leaves to the network card to cut up, is cut here where the link treats each
// segment for itself. Nothing is allocated for a packet on its way.
//
// The pump needs Linux; what is computed of packets, without devices, does not.
package pump

import (
	"encoding/binary"
	"math/bits"

	"linger/flow"
)

// Side is the end of the bottleneck that a host is on.
type Side int

const (
	Client Side = iota // sends into the up link
	Server             // sends into the down link
)

// String returns "client" or "server".
func (s Side) String() string {
	if s == Client {
		return "client"
	}
	return "server"
}

// vnetSize is the size of struct virtio_net_hdr, which stands before each packet
// that is read from or written to a TUN device of OpenTUN, in the byte order of
// the machine (virtio 1.2, 5.1.6; include/uapi/linux/virtio_net.h): flags, type
// of segmentation, length of the headers, size of a segment, and where the
// checksum begins and is to be stored.
const vnetSize = 10

const (
	vnetNeedsChecksum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
	vnetTCP4          = 1 // VIRTIO_NET_HDR_GSO_TCPV4
	vnetECN           = 0x80
)

// maxPacket is the largest packet that a device hands over, its virtio-net
// header included: the total length of IPv4 has 16 bits.
const maxPacket = vnetSize + 65535

// A packet is what the pump reads of one buffer from a TUN device. It may be a
// super-packet: one TCP header and the payload of many segments, which the
// kernel leaves to the network card to cut up (TSO), and here to the pump.
type packet struct {
	flow.Packet
	data     []byte // virtio-net header and IP packet
	src, dst [4]byte
	segments int // that it stands for; 1 unless it is a super-packet
	segment  int // payload of each of them but the last
}

// parsePacket reads an IPv4 packet behind a virtio-net header. What is not one,
// or is cut short, is not ok. Bytes behind the packet's total length are left out.
func parsePacket(data []byte) (p packet, ok bool) {
	if len(data) < vnetSize+20 || data[vnetSize]>>4 != 4 {
		return packet{}, false
	}
	ip := data[vnetSize:]
	if err := p.Parse(ip, 0); err != nil || p.Missing > 0 {
		return packet{}, false
	}
	p.data = data[:vnetSize+p.Headers+p.Payload]
	p.src, p.dst = [4]byte(ip[12:]), [4]byte(ip[16:])
	p.segments, p.segment = 1, p.Payload
	if gso := int(binary.NativeEndian.Uint16(data[4:])); data[1]&^vnetECN == vnetTCP4 && p.isTCP() && 0 < gso && gso < p.Payload {
		p.segment = gso
		p.segments = (p.Payload + gso - 1) / gso
	}
	return p, true
}

// isTCP reports whether the packet has a header of TCP.
func (p *packet) isTCP() bool { return p.Transport && p.Key.Protocol() == flow.TCP }

// payloadOf returns how many bytes of payload segment i carries.
func (p *packet) payloadOf(i int) int { return min(p.segment, p.Payload-i*p.segment) }

// flagsOf returns the flags of segment i: PSH and FIN only on the last, CWR only on
// the first, as tcp_gso_segment has it (net/ipv4/tcp_offload.c).
func (p *packet) flagsOf(i int) uint8 {
	f := p.Flags
	if i > 0 {
		f &^= flow.CWR
	}
	if i < p.segments-1 {
		f &^= flow.FIN | flow.PSH
	}
	return f
}

// cut writes segment i of a super-packet to dst, behind a virtio-net header that
// asks for its checksum, and returns the size of both. dst holds them.
func (p *packet) cut(dst []byte, i int) int {
	n := p.payloadOf(i)
	size := p.Headers + n
	clear(dst[:vnetSize])
	dst[0] = vnetNeedsChecksum
	binary.NativeEndian.PutUint16(dst[6:], uint16(p.Network))
	binary.NativeEndian.PutUint16(dst[8:], 16) // the checksum's place in a TCP header

	ip := dst[vnetSize:]
	copy(ip, p.data[vnetSize:vnetSize+p.Headers])
	copy(ip[p.Headers:], p.data[vnetSize+p.Headers+i*p.segment:][:n])
	binary.BigEndian.PutUint16(ip[2:], uint16(size))
	binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(i))
	binary.BigEndian.PutUint16(ip[10:], 0)
	binary.BigEndian.PutUint16(ip[10:], ^sum(ip[:p.Network], 0))

	tcp := ip[p.Network:]
	binary.BigEndian.PutUint32(tcp[4:], p.Seq+uint32(i*p.segment))
	tcp[13] = p.flagsOf(i)
	// Until the receiver, or fillChecksum, adds the segment itself, the field
	// holds the sum of the pseudo-header (RFC 9293, 3.1), not yet complemented.
	binary.BigEndian.PutUint16(tcp[16:], sum(ip[12:20], uint64(flow.TCP)+uint64(size-p.Network)))
	return vnetSize + size
}

// fillChecksum completes the checksum of an IP packet, if the virtio-net header
// that came with it asks for it.
func fillChecksum(vnet, ip []byte) {
	if vnet[0]&vnetNeedsChecksum == 0 {
		return
	}
	start := int(binary.NativeEndian.Uint16(vnet[6:]))
	field := start + int(binary.NativeEndian.Uint16(vnet[8:]))
	if field+2 > len(ip) {
		return
	}
	c := ^sum(ip[start:], 0)
	if c == 0 && ip[9] == byte(flow.UDP) {
		c = 0xffff // "if the computed checksum is zero, it is transmitted as all ones" (RFC 768)
	}
	binary.BigEndian.PutUint16(ip[field:], c)
}

// sum adds up b in 16-bit words in ones' complement (RFC 1071), beginning with initial.
func sum(b []byte, initial uint64) uint16 {
	s, carry := initial, uint64(0)
	for ; len(b) >= 8; b = b[8:] {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), carry)
	}
	var last [8]byte
	copy(last[:], b)
	s, carry = bits.Add64(s, binary.BigEndian.Uint64(last[:]), carry)
	s, carry = bits.Add64(s, 0, carry)
	s += carry
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}
