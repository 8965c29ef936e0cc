package quic

import (
	"encoding/binary"

	"linger/wire"
)

// Versions that are read.
const (
	version1 = 0x00000001
	version2 = 0x6b3343cf // RFC 9369, 3.1
)

// A Kind is what a packet is.
type Kind uint8

const (
	Short   Kind = iota // 1-RTT
	Initial             // of a version that is read, as those that follow
	ZeroRTT
	Handshake
	Retry
	Negotiation // of the version
	Unknown     // of a version that is not read
)

// kinds are those of version 1 by the bits of the first byte; version 2 has them one further
// (RFC 9000, 17.2; RFC 9369, 3.2).
var kinds = [4]Kind{Initial, ZeroRTT, Handshake, Retry}

// maxID is the longest connection ID (RFC 9000, 17.2).
const maxID = 20

// A Header is what a packet says in the clear.
type Header struct {
	Kind    Kind
	Version uint32 // of a long header
	// To is the destination's connection ID, of a short header all that follows the first
	// byte, since its length is not said; From is the source's, of a long header.
	To, From []byte
	token    []byte // of an Initial packet
	number   int    // where the protected packet number begins
	size     int    // of the whole packet; beyond what was captured where that was cut
}

// Size is that of the whole packet, in bytes; beyond what was captured where that was cut.
func (h Header) Size() int { return h.size }

// ParseHeader reads the header of the packet that a datagram begins with. It returns false where
// that can be none, or was not captured.
func ParseHeader(b []byte) (h Header, ok bool) {
	if len(b) < 1 {
		return h, false
	}
	if b[0]&0x80 == 0 {
		h.To, h.number, h.size = b[1:], 1, len(b)
		return h, true
	}
	if len(b) < 7 {
		return h, false
	}
	h.Version = binary.BigEndian.Uint32(b[1:])
	h.Kind = Unknown
	rest := b[5:]
	if h.To, rest, ok = idOf(rest); !ok {
		return h, false
	}
	if h.From, rest, ok = idOf(rest); !ok {
		return h, false
	}
	h.size = len(b)
	switch h.Version {
	case 0:
		h.Kind = Negotiation
		return h, true
	case version1:
		h.Kind = kinds[b[0]>>4&3]
	case version2:
		h.Kind = kinds[(b[0]>>4-1)&3]
	default:
		return h, true
	}
	if len(h.To) > maxID || len(h.From) > maxID {
		return h, false
	}
	if h.Kind == Retry {
		return h, true
	}
	if h.Kind == Initial {
		n, size, err := wire.ParseVarint(rest)
		if err != nil || n > uint64(len(rest)-size) {
			return h, false
		}
		h.token, rest = rest[size:size+int(n)], rest[size+int(n):]
	}
	n, size, err := wire.ParseVarint(rest)
	if err != nil || n > 1<<16 {
		return h, false
	}
	h.number = len(b) - len(rest) + size
	h.size = h.number + int(n)
	return h, true
}

// idOf takes a connection ID off.
func idOf(b []byte) (id, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}

// versionName is how a record names a version.
func versionName(v uint32) string {
	switch {
	case v == version1:
		return "1"
	case v == version2:
		return "2"
	case v>>8 == 0xff0000:
		return "draft-" + itoa(v&0xff)
	}
	const digits = "0123456789abcdef"
	b := []byte("0x00000000")
	for i := range 8 {
		b[9-i] = digits[v>>(4*i)&0xf]
	}
	return string(b)
}

// itoa writes a number below 1,000.
func itoa(n uint32) string {
	var b []byte
	if n >= 100 {
		b = append(b, byte('0'+n/100))
	}
	if n >= 10 {
		b = append(b, byte('0'+n/10%10))
	}
	return string(append(b, byte('0'+n%10)))
}
