package pcap

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Secrets returns the lines of TLS key logs that a file holds, wherever in it they stand, as far
// as it can be read: blocks that hold none are passed over by their lengths. Of what is no pcapng,
// or is compressed, there are none.
func Secrets(from io.ReaderAt, size int64) []byte {
	const window = 16 << 10
	var (
		out   []byte
		buf   = make([]byte, window)
		at    int64  // of buf in the file
		have  []byte // of it
		order binary.ByteOrder
	)
	// peek returns n bytes of the file, fewer at its end.
	peek := func(where int64, n int) []byte {
		if where < at || where+int64(n) > at+int64(len(have)) {
			k, _ := from.ReadAt(buf, where) // fewer are no error here
			at, have = where, buf[:k]
		}
		b := have[where-at:]
		return b[:min(n, len(b))]
	}
	for where := int64(0); where+12 <= size; {
		head := peek(where, 12)
		if len(head) < 12 {
			break
		}
		if binary.LittleEndian.Uint32(head) == blockSection {
			switch {
			case binary.LittleEndian.Uint32(head[8:]) == magicSection:
				order = binary.LittleEndian
			case binary.BigEndian.Uint32(head[8:]) == magicSection:
				order = binary.BigEndian
			default:
				return out
			}
		}
		if order == nil {
			break
		}
		kind, length := order.Uint32(head), int64(order.Uint32(head[4:]))
		if length < 12 || length%4 != 0 {
			break
		}
		if kind == blockSecrets && length >= 20 && length <= maxRecord && where+length <= size {
			body := make([]byte, length-12)
			if n, _ := from.ReadAt(body, where+8); n == len(body) && order.Uint32(body) == secretsTLS {
				n := min(int64(order.Uint32(body[4:])), int64(len(body)-8))
				if int64(len(out))+n > maxSecrets {
					return out
				}
				out = append(out, body[8:8+n]...)
				if !bytes.HasSuffix(out, []byte("\n")) {
					out = append(out, '\n')
				}
			}
		}
		where += length
	}
	return out
}
