package har

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// plainText is r unpacked and in UTF-8, without a byte order mark, and whether it was packed,
// so that its checksum is to be checked at its end. Recorders write gzip
// (WebPageTest) and zlib (mitmproxy's .zhar); editors and shells of Windows write UTF-16.
// It holds a buffer of each kind, however large the file is.
func plainText(r io.Reader) (plain io.Reader, packed bool, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head, _ := in.Peek(2)
	switch {
	case bytes.Equal(head, []byte{0x1f, 0x8b}): // RFC 1952, 2.3.1
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, true, fmt.Errorf("gzip that cannot be unpacked (%w)", err)
		}
		in, packed = bufio.NewReaderSize(unpacked, 64<<10), true
	case len(head) == 2 && head[0] == 0x78 && binary.BigEndian.Uint16(head)%31 == 0: // RFC 1950, 2.2
		unpacked, err := zlib.NewReader(in)
		if err != nil {
			return nil, true, fmt.Errorf("zlib that cannot be unpacked (%w)", err)
		}
		in, packed = bufio.NewReaderSize(unpacked, 64<<10), true
	}
	head, _ = in.Peek(3)
	discard := func(n int) { _, _ = in.Discard(n) } // they have just been peeked
	switch {
	case bytes.HasPrefix(head, []byte("\ufeff")):
		discard(3)
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		discard(2)
		return &wide{in: in, order: binary.LittleEndian}, packed, nil
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		discard(2)
		return &wide{in: in, order: binary.BigEndian}, packed, nil
	case bytes.HasPrefix(head, []byte{'{', 0}):
		return &wide{in: in, order: binary.LittleEndian}, packed, nil
	case bytes.HasPrefix(head, []byte{0, '{'}):
		return &wide{in: in, order: binary.BigEndian}, packed, nil
	}
	return in, packed, nil
}

// wide reads UTF-16 as UTF-8.
type wide struct {
	in    *bufio.Reader
	order binary.ByteOrder
	ready []byte // not read yet
	held  [utf8.UTFMax]byte
}

func (w *wide) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(w.ready) == 0 {
			if n > 0 && w.in.Buffered() < 4 {
				break // what there is now, before it waits for more
			}
			r, err := w.rune()
			if err != nil {
				if n > 0 && err == io.EOF {
					return n, nil
				}
				return n, err
			}
			w.ready = utf8.AppendRune(w.held[:0], r)
		}
		c := copy(p[n:], w.ready)
		n, w.ready = n+c, w.ready[c:]
	}
	return n, nil
}

func (w *wide) rune() (rune, error) {
	unit, err := w.unit()
	if err != nil || !utf16.IsSurrogate(unit) {
		return unit, err
	}
	next, err := w.in.Peek(2)
	if err != nil {
		return utf8.RuneError, nil
	}
	r := utf16.DecodeRune(unit, rune(w.order.Uint16(next)))
	if r != utf8.RuneError {
		_, _ = w.in.Discard(2) // it has just been peeked
	}
	return r, nil
}

func (w *wide) unit() (rune, error) {
	var b [2]byte
	_, err := io.ReadFull(w.in, b[:])
	return rune(w.order.Uint16(b[:])), err
}
