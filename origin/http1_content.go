package origin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"linger/origin/head"
	"linger/origin/site"
)

// maxChunkLine bounds the line before each chunk and each trailer line.
const maxChunkLine = 4 << 10

// errStalled says that the client let Config.Stall pass.
var errStalled = errors.New("client stalled")

// content reads the content of the request that a is the answer to, and drops it
// unless a wants it.
func (c *conn) content(a *site.Answer) ([]byte, error) {
	limit := c.server.contentLimit(a)
	if c.req.Length > limit {
		return nil, tooLong(c.req.Length, limit)
	}
	if !c.req.Chunked && c.req.Length == 0 {
		return nil, nil
	}
	c.keep, c.kept = a.Take != nil, nil
	// RFC 9110, 10.1.1: "A server MAY omit sending a 100 (Continue) response if it
	// has already received some or all of the content for the corresponding
	// request".
	if c.req.Expect && c.r == c.w {
		if err := c.out.grow(); err != nil {
			return nil, err
		}
		c.out.buf = append(c.out.buf, "HTTP/1.1 100 Continue\r\n\r\n"...)
	}
	if c.req.Chunked {
		err := c.takeChunks(limit)
		return c.kept, err
	}
	err := c.take(c.req.Length)
	return c.kept, err
}

// take reads n bytes, and forgets them unless they are to be kept.
func (c *conn) take(n int64) error {
	for {
		k := min(n, int64(c.w-c.r))
		if c.keep {
			c.kept = append(c.kept, c.in[c.r:c.r+int(k)]...)
		}
		c.r += int(k)
		n -= k
		if n == 0 {
			return nil
		}
		if err := c.more(); err != nil {
			return err
		}
	}
}

// takeChunks reads chunks to the last one and its trailer (RFC 9112, 7.1).
func (c *conn) takeChunks(limit int64) error {
	var total int64
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, ok := chunkSize(line)
		if !ok {
			return head.Refuse(400, "a chunk does not begin with its size")
		}
		if size > limit-total {
			return head.Refuse(413, "the content has more than %d bytes", limit)
		}
		if size == 0 {
			break
		}
		total += size
		if err := c.take(size); err != nil {
			return err
		}
		if line, err = c.line(); err != nil {
			return err
		} else if len(line) > 0 {
			return head.Refuse(400, "a chunk does not end where its size says")
		}
	}
	for room := c.server.config.MaxHeader; ; {
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return err
		}
		if room -= len(line); room < 0 {
			return head.Refuse(431, "the trailer has more than %d bytes", c.server.config.MaxHeader)
		}
	}
}

// line takes the next line of the body, without its CRLF; it holds until fill.
func (c *conn) line() ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(c.in[c.r+seen:c.w], '\n'); i >= 0 {
			line := c.in[c.r : c.r+seen+i]
			c.r += seen + i + 1
			// RFC 9112, 7.1 has CRLF here, and 2.2's leave to take a bare LF is for
			// the head alone: readers that differ here can be played off against
			// each other.
			line, ok := bytes.CutSuffix(line, []byte{'\r'})
			if !ok {
				return nil, head.Refuse(400, "a line of a chunked body does not end with CRLF")
			}
			return line, nil
		}
		if seen = c.w - c.r; seen >= min(maxChunkLine, c.server.config.MaxHeader) {
			return nil, head.Refuse(400, "a line of a chunked body has more than %d bytes", maxChunkLine)
		}
		if err := c.more(); err != nil {
			return nil, err
		}
	}
}

// more reads on in the middle of a body.
func (c *conn) more() error {
	err := c.fill(c.server.now().Add(c.server.config.Stall))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w in the content of its request", errStalled)
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}

// chunkSize reads 1*HEXDIG and what may follow it: whitespace and extensions.
func chunkSize(line []byte) (int64, bool) {
	digits, _, _ := bytes.Cut(line, []byte{';'})
	digits = bytes.TrimRight(digits, " \t")
	var n int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		if n >= 1<<58 {
			return 0, false
		}
		n = n<<4 | int64(c)
	}
	return n, len(digits) > 0
}
