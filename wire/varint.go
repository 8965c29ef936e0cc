package wire

import (
	"errors"
	"io"
)

// MaxVarint is the greatest integer that QUIC can write (RFC 9000, 16).
const MaxVarint = 1<<62 - 1

// ErrShort says that bytes end within what they hold.
var ErrShort = errors.New("wire: the bytes end too early")

// VarintSize is the size of an integer of QUIC, in bytes: "The QUIC variable-length integer
// encoding reserves the two most significant bits of the first byte to encode the base-2
// logarithm of the integer encoding length in bytes" (RFC 9000, 16).
func VarintSize(n int64) int64 {
	switch {
	case n < 1<<6:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<30:
		return 4
	}
	return 8
}

// AppendVarint appends n in the fewest bytes. It panics where n is over MaxVarint.
func AppendVarint(b []byte, n uint64) []byte {
	if n > MaxVarint {
		panic("wire: the number has more than 62 bits")
	}
	size := VarintSize(int64(n))
	first := len(b)
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	switch size {
	case 2:
		b[first] |= 1 << 6
	case 4:
		b[first] |= 2 << 6
	case 8:
		b[first] |= 3 << 6
	}
	return b
}

// ParseVarint returns the integer that b begins with and its size in bytes, or ErrShort.
func ParseVarint(b []byte) (n uint64, size int, err error) {
	if len(b) == 0 {
		return 0, 0, ErrShort
	}
	if size = 1 << (b[0] >> 6); len(b) < size {
		return 0, 0, ErrShort
	}
	n = uint64(b[0] & 0x3f)
	for _, c := range b[1:size] {
		n = n<<8 | uint64(c)
	}
	return n, size, nil
}

// ReadVarint reads an integer. It returns the reader's error; io.EOF only where there was
// nothing to read, and io.ErrUnexpectedEOF where the reader ended within the integer.
func ReadVarint(r io.ByteReader) (uint64, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	n := uint64(first & 0x3f)
	for range 1<<(first>>6) - 1 {
		c, err := r.ReadByte()
		if err != nil {
			return 0, unexpected(err)
		}
		n = n<<8 | uint64(c)
	}
	return n, nil
}

// unexpected is what an end is within something.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
