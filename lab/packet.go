package lab

import (
	"encoding/binary"
	"math/bits"
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
// that is read from or written to a TUN device of openTUN, in the byte order of
// the machine (virtio 1.2, 5.1.6; include/uapi/linux/virtio_net.h): flags, type
// of segmentation, length of the headers, size of a segment, and where the
// checksum begins and is to be stored.
const vnetSize = 10

const (
	vnetNeedsChecksum = 1 // VIRTIO_NET_HDR_F_NEEDS_CSUM
	vnetTCP4          = 1 // VIRTIO_NET_HDR_GSO_TCPV4
	vnetECN           = 0x80
)

// Protocols (IANA, Protocol Numbers).
const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
)

// Flags of TCP (RFC 9293, 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
	_
	_
	flagCWR
)

// maxPacket is the largest packet that a device hands over, its virtio-net
// header included: the total length of IPv4 has 16 bits.
const maxPacket = vnetSize + 65535

// A packet is what the pump reads of one buffer from a TUN device. It may be a
// super-packet: one TCP header and the payload of many segments, which the
// kernel leaves to the network card to cut up (TSO), and here to the pump.
type packet struct {
	data     []byte // virtio-net header and IP packet
	protocol uint8
	src, dst [4]byte
	// srcPort and dstPort are 0 where there are none to be read: in a fragment
	// after the first, or a header that is cut short.
	srcPort, dstPort uint16
	network          int // size of the IP header
	headers          int // size of IP and transport header
	payload          int // bytes after them
	seq              uint32
	flags            uint8 // of TCP
	initial          bool  // begins with an Initial packet of QUIC
	segments         int   // that it stands for; 1 unless it is a super-packet
	segment          int   // payload of each of them but the last
}

// parsePacket reads an IPv4 packet behind a virtio-net header. What is not one,
// or is cut short, is not ok. Bytes behind the packet's total length are left out.
func parsePacket(data []byte) (p packet, ok bool) {
	if len(data) < vnetSize+20 {
		return packet{}, false
	}
	ip := data[vnetSize:]
	ihl := int(ip[0]&0xf) * 4
	total := int(binary.BigEndian.Uint16(ip[2:]))
	if ip[0]>>4 != 4 || ihl < 20 || total < ihl || total > len(ip) {
		return packet{}, false
	}
	ip = ip[:total]
	p = packet{data: data[:vnetSize+total], protocol: ip[9], src: [4]byte(ip[12:]), dst: [4]byte(ip[16:]), network: ihl, headers: ihl, segments: 1}
	if fragment := binary.BigEndian.Uint16(ip[6:]) & 0x1fff; fragment == 0 {
		p.transport(ip[ihl:])
	}
	p.payload = total - p.headers
	p.segment = p.payload
	if gso := int(binary.NativeEndian.Uint16(data[4:])); data[1]&^vnetECN == vnetTCP4 && p.protocol == protoTCP && p.headers > p.network && 0 < gso && gso < p.payload {
		p.segment = gso
		p.segments = (p.payload + gso - 1) / gso
	}
	return p, true
}

// transport reads the transport header.
func (p *packet) transport(b []byte) {
	switch {
	case p.protocol == protoTCP && len(b) >= 20:
		if offset := int(b[12]>>4) * 4; offset >= 20 && offset <= len(b) {
			p.headers += offset
			p.seq = binary.BigEndian.Uint32(b[4:])
			p.flags = b[13]
			p.srcPort, p.dstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		}
	case p.protocol == protoUDP && len(b) >= 8:
		p.headers += 8
		p.srcPort, p.dstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
		p.initial = isInitial(b[8:])
	case p.protocol == protoICMP && len(b) >= 8:
		p.headers += 8
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

// payloadOf returns how many bytes of payload segment i carries.
func (p *packet) payloadOf(i int) int { return min(p.segment, p.payload-i*p.segment) }

// flagsOf returns the flags of segment i: PSH and FIN only on the last, CWR only on
// the first, as tcp_gso_segment has it (net/ipv4/tcp_offload.c).
func (p *packet) flagsOf(i int) uint8 {
	f := p.flags
	if i > 0 {
		f &^= flagCWR
	}
	if i < p.segments-1 {
		f &^= flagFIN | flagPSH
	}
	return f
}

// cut writes segment i of a super-packet to dst, behind a virtio-net header that
// asks for its checksum, and returns the size of both. dst holds them.
func (p *packet) cut(dst []byte, i int) int {
	n := p.payloadOf(i)
	size := p.headers + n
	clear(dst[:vnetSize])
	dst[0] = vnetNeedsChecksum
	binary.NativeEndian.PutUint16(dst[6:], uint16(p.network))
	binary.NativeEndian.PutUint16(dst[8:], 16) // the checksum's place in a TCP header

	ip := dst[vnetSize:]
	copy(ip, p.data[vnetSize:vnetSize+p.headers])
	copy(ip[p.headers:], p.data[vnetSize+p.headers+i*p.segment:][:n])
	binary.BigEndian.PutUint16(ip[2:], uint16(size))
	binary.BigEndian.PutUint16(ip[4:], binary.BigEndian.Uint16(ip[4:])+uint16(i))
	binary.BigEndian.PutUint16(ip[10:], 0)
	binary.BigEndian.PutUint16(ip[10:], ^sum(ip[:p.network], 0))

	tcp := ip[p.network:]
	binary.BigEndian.PutUint32(tcp[4:], p.seq+uint32(i*p.segment))
	tcp[13] = p.flagsOf(i)
	// Until the receiver, or fillChecksum, adds the segment itself, the field
	// holds the sum of the pseudo-header (RFC 9293, 3.1), not yet complemented.
	binary.BigEndian.PutUint16(tcp[16:], sum(ip[12:20], protoTCP+uint64(size-p.network)))
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
	if c == 0 && ip[9] == protoUDP {
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
