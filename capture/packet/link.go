package packet

import (
	"encoding/binary"

	"linger/capture/pcap"
)

// Link types that are read (https://www.tcpdump.org/linktypes.html).
const (
	linkNull     pcap.LinkType = 0   // BSD loopback
	linkEthernet pcap.LinkType = 1   //
	linkPPP      pcap.LinkType = 9   //
	linkRaw12    pcap.LinkType = 12  // raw IP, as OpenBSD and
	linkRaw14    pcap.LinkType = 14  // others number it
	linkPPPHDLC  pcap.LinkType = 50  // PPP in HDLC-like framing
	linkPPPoE    pcap.LinkType = 51  //
	linkRaw      pcap.LinkType = 101 //
	linkLoop     pcap.LinkType = 108 // OpenBSD loopback
	linkSLL      pcap.LinkType = 113 // Linux cooked capture
	linkIPv4     pcap.LinkType = 228 //
	linkIPv6     pcap.LinkType = 229 //
	linkNFLOG    pcap.LinkType = 239 //
	linkSLL2     pcap.LinkType = 276 // Linux cooked capture, version 2
)

// A found says what was found behind a link layer.
type found uint8

const (
	foundIP      found = iota
	foundOther         // something else than IP
	foundShort         // the frame ends before it is known what
	foundUnknown       // the link type is not read
)

// EtherTypes (IEEE 802.3, 3.2.6).
const (
	etherIPv4    = 0x0800
	etherVLAN    = 0x8100
	etherQinQ    = 0x88a8
	etherOldQinQ = 0x9100
	etherIPv6    = 0x86dd
	etherMPLS    = 0x8847
	etherPPPoE   = 0x8864
	etherTEB     = 0x6558 // Ethernet, in tunnels
)

// unwrap takes the link layer off a frame. side tells apart where on one interface a
// frame was captured, as on its way in or out, where the link layer says that.
func unwrap(link pcap.LinkType, b []byte) (ip []byte, side uint32, what found) {
	switch link {
	case linkEthernet:
		ip, what = ethernet(b)
	case linkRaw, linkRaw12, linkRaw14, linkIPv4, linkIPv6:
		return b, 0, foundIP
	case linkSLL:
		if len(b) < 16 {
			return nil, 0, foundShort
		}
		side = uint32(binary.BigEndian.Uint16(b))
		ip, what = ether(binary.BigEndian.Uint16(b[14:]), b[16:])
	case linkSLL2:
		if len(b) < 20 {
			return nil, 0, foundShort
		}
		side = binary.BigEndian.Uint32(b[4:])<<3 | uint32(b[10])
		ip, what = ether(binary.BigEndian.Uint16(b), b[20:])
	case linkNull, linkLoop:
		ip, what = loopback(b)
	case linkPPP, linkPPPHDLC:
		ip, what = ppp(b)
	case linkPPPoE:
		ip, what = pppoe(b)
	case linkNFLOG:
		ip, what = nflog(b)
	default:
		return nil, 0, foundUnknown
	}
	return ip, side, what
}

func ethernet(b []byte) ([]byte, found) {
	if len(b) < 14 {
		return nil, foundShort
	}
	return ether(binary.BigEndian.Uint16(b[12:]), b[14:])
}

// ether returns the IP packet in what an EtherType says that b is, behind any number of
// VLAN tags (IEEE 802.1Q, 9.6) and MPLS labels (RFC 3032, 2.1).
func ether(kind uint16, b []byte) ([]byte, found) {
	for {
		switch kind {
		case etherIPv4, etherIPv6:
			return b, foundIP
		case etherVLAN, etherQinQ, etherOldQinQ:
			if len(b) < 4 {
				return nil, foundShort
			}
			kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
		case etherMPLS:
			for bottom := false; !bottom; b = b[4:] {
				if len(b) < 5 {
					return nil, foundShort
				}
				bottom = b[2]&1 != 0
			}
			if version := b[0] >> 4; version != 4 && version != 6 {
				return nil, foundOther
			}
			return b, foundIP
		case etherPPPoE:
			return pppoe(b)
		case etherTEB:
			return ethernet(b)
		default:
			return nil, foundOther
		}
	}
}

// loopback reads BSD's header, an address family in the order of the machine that
// captured, or of the network.
func loopback(b []byte) ([]byte, found) {
	if len(b) < 4 {
		return nil, foundShort
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(b)
	}
	switch family {
	case 2, 10, 24, 28, 30: // IPv4, and IPv6 on Linux, NetBSD, FreeBSD, macOS
		return b[4:], foundIP
	}
	return nil, foundOther
}

// ppp reads the protocol of PPP (RFC 1661, 2), with or without what HDLC puts before it
// (RFC 1662, 3.1).
func ppp(b []byte) ([]byte, found) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b = b[2:]
	}
	switch {
	case len(b) < 2:
		return nil, foundShort
	case b[0] == 0x21 || b[0] == 0x57: // compressed into one byte
		return b[1:], foundIP
	case b[0] == 0 && (b[1] == 0x21 || b[1] == 0x57):
		return b[2:], foundIP
	}
	return nil, foundOther
}

// pppoe reads the header of PPP over Ethernet (RFC 2516, 4), of a session.
func pppoe(b []byte) ([]byte, found) {
	switch {
	case len(b) < 6:
		return nil, foundShort
	case b[1] != 0:
		return nil, foundOther
	}
	return ppp(b[6:])
}

// nflog finds the packet among the attributes of Linux's NFLOG, which are in the order of
// the machine that captured.
func nflog(b []byte) ([]byte, found) {
	const payload = 9 // NFULA_PAYLOAD
	if len(b) < 8 {
		return nil, foundShort
	}
	var o binary.ByteOrder = binary.LittleEndian
	if n := o.Uint16(b[4:]); n < 4 || int(n) > len(b) && n&0xff == 0 {
		o = binary.BigEndian
	}
	for at := 4; at+4 <= len(b); {
		n, kind := int(o.Uint16(b[at:])), o.Uint16(b[at+2:])&0x7fff
		switch {
		case n < 4:
			return nil, foundOther
		case kind == payload:
			return b[at+4 : min(at+n, len(b))], foundIP
		}
		at += (n + 3) &^ 3
	}
	return nil, foundShort
}

// inner returns the IP packet that a tunnel's packet carries, behind its own headers;
// foundOther if it is no tunnel, or has none. The tunnels are IP in IP (RFC 2003, 2473,
// 4213), GRE (RFC 2784, 2890), VXLAN (RFC 7348) and GENEVE (RFC 8926).
func inner(protocol uint8, ports uint32, transport, payload []byte) ([]byte, found) {
	const ipip, ipv6, gre, udp = 4, 41, 47, 17
	switch protocol {
	case ipip, ipv6:
		return transport, foundIP
	case gre:
		return unGRE(transport)
	case udp:
		switch ports & 0xffff { // the one that it is sent to
		case 4789, 8472: // IANA's, and Linux's before that
			if len(payload) >= 8 && payload[0]&0x08 != 0 {
				return ethernet(payload[8:])
			}
		case 6081:
			if len(payload) >= 8 && payload[0]>>6 == 0 {
				if n := 8 + int(payload[0]&0x3f)*4; n <= len(payload) {
					return ether(binary.BigEndian.Uint16(payload[2:]), payload[n:])
				}
			}
		}
	}
	return nil, foundOther
}

// unGRE takes off a header of GRE, version 0.
func unGRE(b []byte) ([]byte, found) {
	const checksum, key, sequence = 0x8000, 0x2000, 0x1000
	if len(b) < 4 {
		return nil, foundShort
	}
	flags, kind := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	n := 4
	for _, bit := range []uint16{checksum, key, sequence} {
		if flags&bit != 0 {
			n += 4
		}
	}
	switch {
	case flags&7 != 0 || flags&0x4000 != 0: // another version, or routing
		return nil, foundOther
	case len(b) < n:
		return nil, foundShort
	case kind == 0x88be: // ERSPAN: type II has a header of its own if there are sequence numbers
		if flags&sequence != 0 {
			n += 8
		}
		if len(b) < n {
			return nil, foundShort
		}
		return ethernet(b[n:])
	}
	return ether(kind, b[n:])
}
