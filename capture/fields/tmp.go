package fields

import "golang.org/x/net/http2/hpack"

func appendHuffman(dst, b []byte) ([]byte, bool) {
	s, err := hpack.HuffmanDecodeToString(b)
	return append(dst, s...), err == nil
}

// prefixed reads an integer that has the lower so many bits of the first byte (RFC 7541, 5.1;
// RFC 9204, 4.1.1), and returns how many bytes of b it takes: 0 where it does not end in b,
// less where it is over 62 bits.
func prefixed(b []byte, bits uint8) (n uint64, size int) {
	if len(b) == 0 {
		return 0, 0
	}
	most := uint64(1)<<bits - 1
	if n = uint64(b[0]) & most; n < most {
		return n, 1
	}
	for i, c := range b[1:] {
		if i >= 9 || i == 8 && c > 0x3f {
			return 0, -1
		}
		n += uint64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			if n >= 1<<62 {
				return 0, -1
			}
			return n, i + 2
		}
	}
	return 0, 0
}
