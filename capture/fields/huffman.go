package fields

import "errors"

// lengths are those of the codes of each byte, in bits (RFC 7541, Appendix B). Codes of one
// length follow each other in order of the bytes, and shorter ones come first, so that lengths
// are all there is to know. The end of the string has 30 ones.
var lengths = [256]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
}

const (
	shortBits = 9 // codes up to here are found by one look: those of nearly all that is sent
	longBits  = 30
)

// A short is what a code of up to shortBits means; size 0 is that it is longer.
type short struct{ b, size uint8 }

// A long is what codes of one length mean: those from first on, of bytes in order from at on.
type long struct {
	first uint32
	at, n int
}

var (
	shorts [1 << shortBits]short
	longs  [longBits + 1]long
	order  []byte // bytes by the length of their codes
)

func init() {
	code := uint32(0)
	for size := 1; size <= longBits; size++ {
		longs[size] = long{first: code, at: len(order)}
		for b, n := range lengths {
			if int(n) != size {
				continue
			}
			order = append(order, byte(b))
			if free := shortBits - size; free >= 0 {
				for i := range uint32(1) << free {
					shorts[code<<free|i] = short{byte(b), uint8(size)}
				}
			}
			code++
			longs[size].n++
		}
		code <<= 1
	}
}

// errHuffman says that bytes are no Huffman code.
var errHuffman = errors.New("not a Huffman code")

// appendHuffman appends what b is the code of (RFC 7541, 5.2).
func appendHuffman(dst, b []byte) ([]byte, error) {
	var bits uint64 // the lowest n are to be read
	n := 0
	for {
		for n <= 56 && len(b) > 0 {
			bits, b, n = bits<<8|uint64(b[0]), b[1:], n+8
		}
		var window uint32 // the next bits, with ones behind the last
		if n >= shortBits {
			window = uint32(bits >> (n - shortBits))
		} else {
			window = uint32(bits<<(shortBits-n)) | (1<<(shortBits-n) - 1)
		}
		if s := shorts[window&(1<<shortBits-1)]; s.size > 0 && int(s.size) <= n {
			dst, n = append(dst, s.b), n-int(s.size)
			continue
		}
		if n < 8 && bits&(1<<n-1) == 1<<n-1 {
			// "padding strictly longer than 7 bits MUST be treated as a decoding error"; its
			// bits are the first of the code of the end, ones.
			return dst, nil
		}
		found := false
		for size := shortBits + 1; size <= min(longBits, n) && !found; size++ {
			l := &longs[size]
			if at := uint32(bits>>(n-size))&(1<<size-1) - l.first; at < uint32(l.n) {
				dst, n, found = append(dst, order[l.at+int(at)]), n-size, true
			}
		}
		if !found {
			return dst, errHuffman
		}
	}
}
