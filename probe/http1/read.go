package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"time"

	"linger/conformance"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// errStray is of a connection on which bytes came that belong to no message, so that
// nobody can tell which response is whose.
var errStray = errors.New("bytes came that belong to no message")

// A source is what is read of a connection besides its responses.
type source struct {
	method string // of the last request that was answered
	status int    // of its response, 0 before the first
	// disturbed says that the probe itself may be why something comes that belongs to no
	// message: what it sent was none, or several were sent at once.
	disturbed bool
}

// readHead reads the head of a response to a request of HTTP/1.0, if old, or later.
func (c *Conn) readHead(old bool) (head, error) {
	for n := 1; n <= len("HTTP/"); n++ {
		began, err := c.In.Peek(n)
		switch {
		case err != nil:
			return head{}, err
		case "HTTP/"[n-1] == began[n-1]:
		case c.status != 0:
			b := c.buffered()
			c.surplus(b, len(b), time.Time{})
			return head{}, errStray
		default:
			line, _ := c.In.ReadSlice('\n')
			_, err := parseHead(bytes.Clone(line), old)
			return head{}, err
		}
	}
	var raw []byte
	for {
		line, err := c.In.ReadSlice('\n')
		raw = append(raw, line...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return head{}, err
		case len(line) <= len("\r\n") && len(bytes.TrimRight(line, "\r\n")) == 0 && bytes.HasSuffix(raw[:len(raw)-len(line)], []byte("\n")):
			h, err := parseHead(raw, old)
			c.server.note(func(f *facts) {
				if len(f.Faults) < mostFaults {
					f.Faults = append(f.Faults, h.faults...)
				}
				switch {
				case h.status == 0:
				case h.interim():
					f.Interim++
					f.Bare++
				case h.status == http.StatusNoContent:
					f.Bare++
					fallthrough
				default:
					f.Heads++
				}
			})
			return h, err
		}
	}
}

// content reads the content of the response to method, and returns its length.
func (c *Conn) content(h head, method string) (n int64, f delimiter, err error) {
	f, length, err := h.framing(method)
	if err != nil {
		return 0, f, err
	}
	switch f {
	case counted:
		n, err = io.CopyN(io.Discard, c.In, length)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	case chunked:
		if n, err = io.Copy(io.Discard, httputil.NewChunkedReader(c.In)); err != nil {
			break
		}
		// ReadMIMEHeader takes the empty line behind the trailer section, too.
		if _, err = textproto.NewReader(c.In).ReadMIMEHeader(); err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
	case untilClose:
		n, err = io.Copy(io.Discard, c.In)
	}
	return n, f, err
}

// buffered are the bytes that have been read of the connection and not taken, as far as
// they belong to no response.
func (c *Conn) buffered() []byte {
	b, _ := c.In.Peek(c.In.Buffered())
	if i := bytes.Index(b, []byte("HTTP/1.")); i > 0 {
		b = b[:i]
	}
	return bytes.Clone(b)
}

// apart is how long behind a response bytes have come that were not sent with it.
const apart = 5 * time.Millisecond

// surplus notes n bytes that came behind a response and belong to no message: b are the
// first of them. They came at that time, which is zero where it is not known; n is 0 where
// it was listened and nothing came.
func (c *Conn) surplus(b []byte, n int, at time.Time) {
	if c.disturbed || c.status == 0 {
		return
	}
	s := conformance.Surplus{Method: c.method, Status: c.status, Bytes: n, First: string(b[:min(len(b), prober.Sampled)]), Later: at.Sub(c.Last) > apart}
	c.server.note(func(f *facts) {
		if len(f.Surplus) < 64 {
			f.Surplus = append(f.Surplus, s)
		}
	})
}

// strayed reports whether something has come already that belongs to no message. What a
// server says to end a connection that it takes for idle is none of that.
func (c *Conn) strayed() bool {
	if c.In.Buffered() == 0 {
		return false
	}
	b := c.buffered()
	if profile.SaidOf(b, len(b)).Status != http.StatusRequestTimeout {
		c.surplus(b, len(b), time.Time{})
	}
	return true
}

// lull listens behind a response for so long, and two round trips: for what comes that
// belongs to no message, or for the end of the connection.
func (c *Conn) lull(ctx context.Context, d time.Duration) limits.End {
	wait, cancel := context.WithTimeout(ctx, d+2*c.Prober.RoundTrip())
	e := c.AwaitEnd(wait)
	cancel()
	switch {
	case ctx.Err() != nil:
	case e.Stray > 0 && profile.SaidOf(e.Sent, e.Stray).Status == http.StatusRequestTimeout: // it takes the connection for idle
	case e.Stray > 0:
		c.surplus(e.Sent, e.Stray, e.FirstStray)
	case e.Err == nil && e.How != profile.RST && e.How != profile.CloseNotifyRST:
		c.surplus(nil, 0, time.Time{})
	}
	return e
}

// lulled is how long it is listened behind a response that lets the connection be.
const lulled = 300 * time.Millisecond

// heed sorts what came on a connection that was left alone until it ended, since when: what
// the server said to end it, or what belongs to no message.
func (c *Conn) heed(e *limits.End, since time.Time) {
	if e.Stray == 0 {
		if e.How != "" && c.status != 0 {
			c.surplus(nil, 0, time.Time{})
		}
		return
	}
	said := profile.SaidOf(e.Sent, e.Stray)
	e.Said = nil
	atEnd := e.How != "" && e.At.Sub(e.FirstStray) < time.Second
	late := e.FirstStray.Sub(since) > promptly+2*c.Prober.RoundTrip()
	if said.Status == http.StatusRequestTimeout || atEnd && (said.Status >= 400 || late || c.status == 0) || c.status == 0 && said.Status >= 400 {
		e.Said, e.At = said, e.FirstStray
		return
	}
	c.surplus(e.Sent, e.Stray, e.FirstStray)
}
