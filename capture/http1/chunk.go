package http1

import (
	"bytes"

	"linger/capture/talk"
)

// maxLine bounds the line of a chunk's size, with its extensions.
const maxLine = 4 << 10

// chunk reads the size of the next chunk (RFC 9112, 7.1), and returns how many bytes that
// took and how many follow until the next one's.
func (c *Conversation) chunk(from talk.Side, b []byte, m talk.Mark) (n int, skip int64) {
	r := &c.side[from]
	line, n, ok := r.line(b)
	if !ok {
		return n, 0
	}
	size, valid := hex(line)
	r.buf = r.buf[:0]
	switch {
	case !valid:
		r.state = lost
		return len(b), 0
	case size == 0:
		r.state = trailer
		return n, 0
	}
	r.size += size
	return n, size + 2 // with its CRLF
}

// line returns a line without its end, of which the beginning may have come before. ok is
// false while it has not ended.
func (r *reader) line(b []byte) (line []byte, n int, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		if r.buf = append(r.buf, b...); len(r.buf) > maxLine {
			r.buf, r.state = nil, lost
		}
		return nil, len(b), false
	}
	if len(r.buf) == 0 {
		return trimCR(b[:i]), i + 1, true
	}
	r.buf = append(r.buf, b[:i]...)
	return trimCR(r.buf), i + 1, true
}

// hex reads the size of a chunk, which extensions may follow.
func hex(b []byte) (n int64, ok bool) {
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int64(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int64(c|0x20-'a'+10)
		default:
			return n, i > 0 && (c == ';' || c == ' ' || c == '\t')
		}
		if i >= 15 {
			return 0, false
		}
	}
	return n, len(b) > 0
}

// trailer reads the fields behind the last chunk, of which none is of use, and returns how
// many bytes that took.
func (c *Conversation) trailer(from talk.Side, b []byte, m talk.Mark) int {
	r := &c.side[from]
	line, n, ok := r.line(b)
	if !ok {
		return n
	}
	empty := len(line) == 0
	r.buf = r.buf[:0]
	if empty {
		c.ended(from, m)
	}
	return n
}
