// Package answer reads responses of HTTP/1 as a load wants them: the status, where each ends, and
// whether the connection lives on. Bodies are counted, not kept. It knows neither sockets nor
// requests.
package answer

import (
	"bytes"
	"errors"
)

// A Machine reads the responses of one connection, one after the other. Call [Machine.Begin] for
// each, [Machine.Feed] with what came until it is done, and [Machine.End] when nothing more comes.
// Nothing is allocated but for a head that comes in pieces.
type Machine struct {
	// Status is that of the response whose head was read, Close that the connection ends after
	// it: the server says so, or it lasts until the connection ends, or is HTTP/1.0 without
	// keep-alive (RFC 9112, 9.3).
	Status int
	Close  bool

	state   state
	head    bool  // of a HEAD request: no body follows (RFC 9110, 9.3.2)
	left    int64 // of the body, or of the chunk
	digits  int   // of the size of a chunk
	partial []byte
}

type state uint8

const (
	inHead state = iota
	inBody
	untilEnd
	inSize
	inExtension
	afterSize
	inChunk
	afterChunk
	afterChunkCR
	inTrailers
	isDone
)

// maxHead bounds a response's head, and its trailers' lines, in bytes.
const maxHead = 256 << 10

// What is wrong with an answer.
var (
	errHead  = errors.New("the head is no response of HTTP/1")
	errLong  = errors.New("the head is too long")
	errChunk = errors.New("the chunks are not those of RFC 9112, 7.1")
	errSize  = errors.New("its length is not one number")
	// ErrShort is that the connection ended before the answer did.
	ErrShort = errors.New("the connection ended within the answer")
)

// Begin is ready for the response to a request; head says that its method is HEAD.
func (m *Machine) Begin(head bool) {
	*m = Machine{head: head, partial: m.partial[:0]}
}

// Feed reads what came, and returns how much of it belongs to the response, and whether that is
// done.
func (m *Machine) Feed(b []byte) (n int, done bool, err error) {
	for n < len(b) && m.state != isDone {
		var took int
		switch m.state {
		case inHead:
			took, err = m.feedHead(b[n:])
		case inBody, inChunk:
			took = int(min(m.left, int64(len(b)-n)))
			m.skip(int64(took))
		case untilEnd:
			took = len(b) - n
		default:
			took, err = 1, m.feedChunked(b[n])
		}
		if err != nil {
			return n, false, err
		}
		n += took
	}
	return n, m.state == isDone, nil
}

// Skippable is how many bytes of content come next for certain; they need not be looked at.
func (m *Machine) Skippable() int64 {
	if m.state == inBody || m.state == inChunk {
		return m.left
	}
	return 0
}

// Skip counts bytes of Skippable that came without being looked at, and reports whether the
// response is done.
func (m *Machine) Skip(n int64) (done bool) {
	m.skip(n)
	return m.state == isDone
}

func (m *Machine) skip(n int64) {
	if m.left -= n; m.left > 0 {
		return
	}
	if m.state == inBody {
		m.state = isDone
	} else {
		m.state = afterChunk
	}
}

// Begun reports whether something of the response came.
func (m *Machine) Begun() bool { return m.state != inHead || len(m.partial) > 0 || m.Status != 0 }

// End says that the connection has ended in order, and reports whether the response is whole: one
// without a length lasts until then (RFC 9112, 6.3, 8).
func (m *Machine) End() error {
	if m.state == untilEnd || m.state == isDone {
		m.state = isDone
		return nil
	}
	return ErrShort
}

// feedHead reads a head, or keeps a piece of one.
func (m *Machine) feedHead(b []byte) (int, error) {
	if len(m.partial) == 0 {
		if end := headEnd(b, 0); end > 0 {
			return end, m.readHead(b[:end])
		}
		m.partial = append(m.partial, b...)
		return len(b), m.tooLong()
	}
	before := len(m.partial)
	m.partial = append(m.partial, b...)
	end := headEnd(m.partial, max(before-3, 0))
	if end < 0 {
		return len(b), m.tooLong()
	}
	err := m.readHead(m.partial[:end])
	m.partial = m.partial[:0]
	return end - before, err
}

func (m *Machine) tooLong() error {
	if len(m.partial) > maxHead {
		return errLong
	}
	// What does not begin as a response never becomes one.
	if n := min(len(m.partial), len(version)); string(m.partial[:n]) != version[:n] {
		return errHead
	}
	return nil
}

const version = "HTTP/1."

// headEnd returns where a head ends that is searched from an offset on; -1 where it does not.
// RFC 9112, 2.2: "a recipient MAY recognize a single LF as a line terminator".
func headEnd(b []byte, from int) int {
	for i := from; ; {
		at := bytes.IndexByte(b[i:], '\n')
		if at < 0 {
			return -1
		}
		i += at + 1
		switch {
		case i < len(b) && b[i] == '\n':
			return i + 1
		case i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n':
			return i + 2
		}
	}
}

// readHead reads a whole head, and what it says of the body and the connection.
func (m *Machine) readHead(b []byte) error {
	line, rest := cutLine(b)
	if len(line) < 12 || string(line[:7]) != version || line[7] < '0' || line[7] > '9' || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return errHead
	}
	m.Status = 0
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return errHead
		}
		m.Status = 10*m.Status + int(c-'0')
	}
	if m.Status < 100 {
		return errHead
	}
	var f fields
	f.length = -1
	for len(rest) > 0 {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		if err := f.read(line); err != nil {
			return err
		}
	}
	old := line0(b) == '0'
	m.Close = f.close || old && !f.keep
	return m.frame(f)
}

// line0 is the minor version of a head that readHead has checked.
func line0(b []byte) byte { return b[7] }

// frame decides where the body ends (RFC 9112, 6.3).
func (m *Machine) frame(f fields) error {
	switch {
	case m.Status == 101:
		return errHead // nothing was asked to be switched
	case m.Status < 200:
		m.state, m.Close, m.Status = inHead, false, 0 // an interim response: the final one follows
	case m.head || m.Status == 204 || m.Status == 304:
		m.state = isDone
	case f.coded && !f.chunked:
		// RFC 9112, 6.3, 4: "If a Transfer-Encoding header field is present in a response and the
		// chunked transfer coding is not the final encoding, the message body length is determined
		// by reading the connection until it is closed by the server."
		m.state, m.Close = untilEnd, true
	case f.chunked:
		m.state, m.left, m.digits = inSize, 0, 0
	case f.length == 0:
		m.state = isDone
	case f.length > 0:
		m.state, m.left = inBody, f.length
	default:
		m.state, m.Close = untilEnd, true
	}
	return nil
}

// feedChunked reads a byte of what stands around chunks (RFC 9112, 7.1).
func (m *Machine) feedChunked(c byte) error {
	switch m.state {
	case inSize:
		return m.feedSize(c)
	case inExtension:
		if c == '\n' {
			m.sized()
		}
	case afterSize:
		if c != '\n' {
			return errChunk
		}
		m.sized()
	case afterChunk:
		switch c {
		case '\r':
			m.state = afterChunkCR
		case '\n':
			m.state, m.digits = inSize, 0
		default:
			return errChunk
		}
	case afterChunkCR:
		if c != '\n' {
			return errChunk
		}
		m.state, m.digits = inSize, 0
	case inTrailers: // left counts the bytes of the line
		switch c {
		case '\n':
			if m.left == 0 {
				m.state = isDone
			}
			m.left = 0
		case '\r':
		default:
			if m.left++; m.left > maxHead {
				return errLong
			}
		}
	}
	return nil
}

func (m *Machine) feedSize(c byte) error {
	if v := hex(c); v >= 0 {
		if m.digits++; m.digits > 15 {
			return errChunk
		}
		m.left = m.left<<4 | int64(v)
		return nil
	}
	if m.digits == 0 {
		return errChunk
	}
	switch c {
	case '\r':
		m.state = afterSize
	case '\n':
		m.sized()
	case ';', ' ', '\t':
		m.state = inExtension
	default:
		return errChunk
	}
	return nil
}

// sized is at the end of the line with a chunk's size.
func (m *Machine) sized() {
	if m.left == 0 {
		m.state = inTrailers
	} else {
		m.state = inChunk
	}
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

func cutLine(b []byte) (line, rest []byte) {
	at := bytes.IndexByte(b, '\n')
	if at < 0 {
		return b, nil
	}
	line, rest = b[:at], b[at+1:]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}
