package flow

import "encoding/binary"

// segment returns a TCP segment from port 1234 to port 80, with so many bytes of options
// and payload; the payload's bytes are 0.
func segment(seq uint32, flags uint8, options, payload int) []byte {
	b := make([]byte, 20+options+payload)
	binary.BigEndian.PutUint16(b, 1234)
	binary.BigEndian.PutUint16(b[2:], 80)
	binary.BigEndian.PutUint32(b[4:], seq)
	b[12] = byte((20 + options) / 4 << 4)
	b[13] = flags
	for i := range options {
		b[20+i] = 1 // no operation
	}
	return b
}

// ip4 puts a header of IPv4 from 10.9.0.1 to 10.9.0.2 before b.
func ip4(protocol Protocol, b []byte) []byte {
	h := make([]byte, 20, 20+len(b))
	h[0], h[8], h[9] = 0x45, 64, byte(protocol)
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(b)))
	copy(h[12:], []byte{10, 9, 0, 1, 10, 9, 0, 2})
	return append(h, b...)
}

// ip6 puts a header of IPv6 from fd09::1 to fd09::2 before b.
func ip6(next byte, b []byte) []byte {
	h := make([]byte, 40, 40+len(b))
	h[0], h[6], h[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(b)))
	h[8], h[9], h[23] = 0xfd, 9, 1
	h[24], h[25], h[39] = 0xfd, 9, 2
	return append(h, b...)
}

func tcp4(seq uint32, flags uint8, options, payload int) []byte {
	return ip4(TCP, segment(seq, flags, options, payload))
}

func tcp6(seq uint32, flags uint8, options, payload int) []byte {
	return ip6(byte(TCP), segment(seq, flags, options, payload))
}
