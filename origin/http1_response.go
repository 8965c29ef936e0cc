package origin

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"linger/origin/site"
)

const (
	pageSize = 64 << 10 // of an outbox
	// copied is the largest body that is copied behind its head; a larger one is
	// sent from where it lies.
	copied = 8 << 10
	// maxDue and maxParts bound what is gathered before it is sent.
	maxDue   = 256 << 10
	maxParts = 256
)

// An outbox gathers what is to be sent and hands it to the kernel in one call.
// It holds no memory while it is empty.
type outbox struct {
	nc    net.Conn
	stall time.Duration
	// whole copies every body: TLS copies in any case, and what is written to it in
	// parts would leave in records of their own.
	whole bool

	page  *[pageSize]byte // what buf began as
	buf   []byte          // heads, and bodies that are copied
	parts []part          // bodies that are not
	vec   net.Buffers
	vec0  net.Buffers // vec before it was consumed
	due   int         // bytes in parts
	// failed: the client does not see the end of what was sent.
	failed bool
}

// A part is a body that comes after the first at bytes of buf.
type part struct {
	at   int
	body []byte
}

var pages = sync.Pool{New: func() any { return new([pageSize]byte) }}

// grow makes room for a head, by sending what is there if need be.
func (o *outbox) grow() error {
	if o.page != nil && cap(o.buf)-len(o.buf) < headRoom {
		if err := o.flush(); err != nil {
			return err
		}
	}
	if o.page == nil {
		o.page = pages.Get().(*[pageSize]byte)
		o.buf = o.page[:0]
	}
	return nil
}

// headRoom holds every head that is not padded, but for a long content type.
const headRoom = 512

// flush sends everything.
func (o *outbox) flush() error {
	if o.page == nil {
		return nil
	}
	if o.failed {
		return net.ErrClosed
	}
	var err error
	if len(o.parts) == 0 {
		err = o.send(func() (int64, error) {
			n, err := o.nc.Write(o.buf)
			o.buf = o.buf[n:]
			return int64(n), err
		})
	} else {
		o.vec = o.vec0[:0]
		from := 0
		for _, p := range o.parts {
			if p.at > from {
				o.vec = append(o.vec, o.buf[from:p.at])
			}
			o.vec = append(o.vec, p.body)
			from = p.at
		}
		if from < len(o.buf) {
			o.vec = append(o.vec, o.buf[from:])
		}
		o.vec0 = o.vec
		err = o.send(func() (int64, error) { return o.vec.WriteTo(o.nc) })
	}
	o.failed = err != nil
	o.release()
	return err
}

// send calls write until it has written everything, or a whole stall has passed
// in which the kernel took nothing.
func (o *outbox) send(write func() (int64, error)) error {
	for {
		o.nc.SetWriteDeadline(time.Now().Add(o.stall))
		n, err := write()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%w in taking its response", errStalled)
		}
	}
}

// release gives the memory back.
func (o *outbox) release() {
	if o.page != nil {
		pages.Put(o.page)
	}
	clear(o.parts)
	o.page, o.buf, o.parts, o.due = nil, nil, o.parts[:0], 0
}

// errShort says that a body had fewer bytes than its head has announced.
var errShort = errors.New("the body ended early")

// write puts a into the outbox, sending on the way what does not fit.
func (c *conn) write(a *site.Answer, persists bool) error {
	o := &c.out
	if err := o.grow(); err != nil {
		return err
	}
	o.buf = c.appendHead(o.buf, a, persists)
	switch {
	case a.Stream != nil:
		return o.stream(a.Stream, a.Length)
	case len(a.Body) == 0:
		return nil
	case o.whole:
		return o.copy(a.Body)
	case len(a.Body) <= copied && len(a.Body) <= cap(o.buf)-len(o.buf):
		o.buf = append(o.buf, a.Body...)
		return nil
	}
	o.parts = append(o.parts, part{len(o.buf), a.Body})
	o.due += len(a.Body)
	if o.due >= maxDue || len(o.parts) >= maxParts {
		return o.flush()
	}
	return nil
}

// copy puts b into the outbox, sending on the way what does not fit.
func (o *outbox) copy(b []byte) error {
	for {
		n := min(len(b), cap(o.buf)-len(o.buf))
		o.buf = append(o.buf, b[:n]...)
		if b = b[n:]; len(b) == 0 {
			return nil
		}
		if err := o.flush(); err != nil {
			return err
		}
		if err := o.grow(); err != nil {
			return err
		}
	}
}

// stream puts n bytes of r into the outbox.
func (o *outbox) stream(r io.Reader, n int64) error {
	for n > 0 {
		if len(o.buf) == cap(o.buf) {
			if err := o.flush(); err != nil {
				return err
			}
			if err := o.grow(); err != nil {
				return err
			}
		}
		room := o.buf[len(o.buf):min(int64(cap(o.buf)), int64(len(o.buf))+n)]
		k, err := io.ReadFull(r, room)
		o.buf = o.buf[:len(o.buf)+k]
		n -= int64(k)
		if err != nil {
			o.failed = true
			return fmt.Errorf("%w: %w", errShort, err)
		}
	}
	return nil
}

// appendHead appends the head of a, exactly a.HeadSize bytes where that is enough
// for what must be said.
func (c *conn) appendHead(b []byte, a *site.Answer, persists bool) []byte {
	began := len(b)
	// RFC 9110, 2.5: "A server SHOULD send a response version equal to the highest
	// version to which the server is conformant that has a major version less than
	// or equal to the one received in the request", to an HTTP/1.0 client, too.
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.Status), 10)
	b = append(b, ' ')
	b = append(b, site.Reason(a.Status)...)
	b = append(b, "\r\n"...)
	for _, f := range a.Fields {
		b = append(b, f.Name...)
		b = append(b, ": "...)
		b = append(b, f.Value...)
		b = append(b, "\r\n"...)
	}
	if c.altSvc != "" {
		b = append(b, "Alt-Svc: "...)
		b = append(b, c.altSvc...)
		b = append(b, "\r\n"...)
	}
	if a.Length >= 0 {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, a.Length, 10)
		b = append(b, "\r\n"...)
	}
	announce := persists && (c.policy.Announce || c.policy.Breach.Claim != "")
	switch {
	case !persists:
		// RFC 9112, 9.3: "A server that does not support persistent connections MUST
		// send the "close" connection option in every response message"; one that
		// closes after this response ought to.
		b = append(b, "Connection: close\r\n"...)
	case c.req.Version == "1.0" || announce:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	if announce {
		b = c.appendKeepAlive(b)
	}
	b = append(b, "Date: "...)
	b = append(b, c.server.dateAt(c.server.now())...)
	b = append(b, "\r\n"...)
	b = appendPad(b, a.HeadSize-(len(b)-began)-len("\r\n"))
	return append(b, "\r\n"...)
}

// appendKeepAlive announces the limits that there are, whole seconds rounded
// down: a client that counts on less is never wrong.
func (c *conn) appendKeepAlive(b []byte) []byte {
	if claim := c.policy.Breach.Claim; claim != "" {
		return append(append(append(b, "Keep-Alive: "...), claim...), "\r\n"...)
	}
	timeout := c.policy.IdleTimeout
	left, limited := c.machine.Remaining()
	if timeout == 0 && !limited {
		return b
	}
	b = append(b, "Keep-Alive: "...)
	if timeout > 0 {
		b = append(b, "timeout="...)
		b = strconv.AppendInt(b, int64(timeout/time.Second), 10)
	}
	if timeout > 0 && limited {
		b = append(b, ", "...)
	}
	if limited {
		b = append(b, "max="...)
		b = strconv.AppendInt(b, int64(left), 10)
	}
	return append(b, "\r\n"...)
}

// appendPad makes a head n bytes longer, with a field of its own where that fits
// and spaces behind the last value where it does not; a recipient excludes those
// (RFC 9112, 5.1). A head of which nothing more is wanted stays as it is.
func appendPad(b []byte, n int) []byte {
	const field, end = "X-Pad:", "\r\n"
	switch {
	case n <= 0:
		return b
	case n < len(field)+len(end)+1:
		b = b[:len(b)-len(end)]
		for range n {
			b = append(b, ' ')
		}
		return append(b, end...)
	}
	b = append(b, field...)
	for n -= len(field) + len(end); n > 0; {
		k := min(n, len(padding))
		b = append(b, padding[:k]...)
		n -= k
	}
	return append(b, end...)
}

const padding = " xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
