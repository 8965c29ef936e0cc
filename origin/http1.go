package origin

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"linger"
	"linger/origin/accesslog"
	"linger/origin/head"
	"linger/origin/site"
	"linger/policy"
	"linger/trace"
)

// minBuffer is how much a connection reads at first; a head that is longer makes
// it grow, up to Config.MaxHeader.
const minBuffer = 4 << 10

// A conn is one connection that speaks HTTP/1. One goroutine owns it; others may
// only close nc and set its deadlines.
type conn struct {
	session
	nc   net.Conn
	told bool // the machine knows why the connection is to end

	in       []byte // in[r:w] has been read and not yet been taken
	r, w     int
	scanned  int            // bytes of in[r:w] that begin a request and hold no end of its head
	deadline linger.Instant // of reading, as last set; 0 is unknown

	req     head.Request
	keep    bool           // the content of req is wanted
	kept    []byte         // what has come of it
	started linger.Instant // when the first byte of req arrived
	number  int            // of req on the connection
	owing   bool           // an answer is kept back behind the next one
	out     outbox
	unsent  []pending // responses in out
	sent    int64     // bytes of content, in all responses so far
}

// pending is the log entry of a response that has not been handed to the kernel.
type pending struct {
	accesslog.Entry
	started linger.Instant
}

func newConn(s *Server, nc net.Conn, ticket int64) *conn {
	_, secure := nc.(secured)
	c := &conn{
		session: s.newSession(ticket, nc.RemoteAddr(), "1"),
		nc:      nc,
		in:      make([]byte, min(minBuffer, s.config.MaxHeader)),
		out:     outbox{nc: nc, stall: s.config.Stall, whole: secure},
	}
	if secure {
		c.altSvc = s.config.AltSvc
	}
	return c
}

// leave has the connection look at why it is to leave: it does so between setting its
// deadline and reading, so that either it sees that or this ends its read.
func (c *conn) leave(why string) {
	c.asked.CompareAndSwap(nil, &why)
	c.nc.SetReadDeadline(longAgo)
}

// heed has the machine know why the connection is to leave, once. It reports whether it did.
func (c *conn) heed() bool {
	why := c.asked.Load()
	if c.told || why == nil {
		return false
	}
	c.told = true
	c.machine.HandleDismissal(*why)
	return true
}

// cut ends the connection at once, whatever is under way.
func (c *conn) cut(why string) {
	c.asked.CompareAndSwap(nil, &why)
	bare(c.nc).Close()
}

// serve answers requests until the connection has to end, and ends it. It reports
// false, with nothing answered, where the client turns out to speak HTTP/2.
func (c *conn) serve() bool {
	for c.by == trace.Nobody {
		a, err := c.turn()
		if err == errPreface {
			return false
		}
		if reason, _ := c.machine.Closing(); err == nil && c.policy.Breach.Swap && reason == "" && c.buffered() {
			err = c.swap(a)
		} else if err == nil {
			err = c.respond(a)
		}
		if err != nil {
			c.lost(err)
		}
	}
	c.close()
	return true
}

// turn returns the answer to the next request, or a refusal's.
func (c *conn) turn() (site.Answer, error) {
	a, err := c.next()
	if no, ok := errors.AsType[*head.Refusal](err); ok {
		c.machine.HandleMalformed(no.Text)
		c.tell()
		a, err = site.Refused(no, a, c.req.IsHEAD), nil
	}
	c.number = c.machine.Requests()
	return a, err
}

// errEnd says that the connection ends in good order.
var errEnd = errors.New("the connection ends")

// tlsHandshake is the first byte of a client that speaks TLS: the content type of a
// record (RFC 8446, 5.1).
const tlsHandshake = 22

// errPreface says that the connection begins as one of HTTP/2 does.
var errPreface = errors.New("the client speaks HTTP/2")

// next waits for the next request, reads it in full and returns its answer. The
// error is a *head.Refusal, errEnd, or the network's.
func (c *conn) next() (site.Answer, error) {
	block, err := c.head()
	if err != nil {
		return site.Answer{}, err
	}
	c.server.requests.Add(1)
	if no := c.req.Parse(block, c.server.maxTarget); no != nil {
		return site.Answer{}, no
	}
	a := c.server.site.Find(&c.req)
	c.misbehave(&a, "1")
	c.machine.HandleRequest(c.server.now(), c.req.Version, c.req.Connection)
	c.tell()
	content, err := c.content(&a)
	if err != nil {
		return a, err
	}
	return a.Complete(content), nil
}

// head waits for the next head and takes it from the buffer; it holds until fill.
func (c *conn) head() ([]byte, error) {
	c.req = head.Request{Connection: c.req.Connection[:0]}
	limit := c.server.config.MaxHeader
	for {
		if c.scanned == 0 && c.skipEmptyLines() {
			c.started = c.server.now()
			c.machine.HandleRequestStart(c.started)
			c.tell()
			if reason, due := c.machine.Closing(); due {
				c.end(trace.AtServer, reason)
				return nil, errEnd
			}
			c.scanned = 1
		}
		if c.scanned > 0 {
			block := c.in[c.r:c.w]
			if c.machine.Requests() == 0 {
				// No method begins with the type of TLS's first record, and what follows
				// it may hold no end of a line.
				if _, secure := c.nc.(secured); block[0] == tlsHandshake && !secure {
					c.server.requests.Add(1)
					return nil, head.Refuse(400, "this port speaks no TLS")
				}
				// RFC 9113, 3.4: the preface begins as an HTTP/1 request would, of a
				// version that no such request has.
				if bytes.HasPrefix(block, preface) {
					return nil, errPreface
				}
				if bytes.HasPrefix(preface, block) {
					block = nil
				}
			}
			if n := head.End(block, c.scanned); n >= 0 {
				c.r += n
				c.scanned = 0
				return block[:n], nil
			}
			c.scanned = max(len(block), 1)
			if len(block) >= limit {
				c.server.requests.Add(1)
				if bytes.IndexByte(block, '\n') < 0 {
					return nil, head.Refuse(414, "the first line has more than %d bytes", limit)
				}
				return nil, head.Refuse(431, "the head has more than %d bytes", limit)
			}
		}
		if reason, due := c.machine.Closing(); due {
			c.end(trace.AtServer, reason)
			return nil, errEnd
		}
		err := c.fill(c.machine.NextTimeout())
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.machine.HandleTimeout(c.server.now())
			if reason, due := c.machine.Closing(); due && c.scanned > 0 {
				c.server.requests.Add(1)
				return nil, head.Refuse(408, "%s", reason)
			}
		} else if err != nil {
			return nil, err
		}
	}
}

// skipEmptyLines reports whether the first byte of a request is in the buffer.
//
// RFC 9112, 2.2: "a server that is expecting to receive and parse a request-line
// SHOULD ignore at least one empty line (CRLF) received prior to the
// request-line". They do not end the idle time.
func (c *conn) skipEmptyLines() bool {
	for c.r < c.w {
		switch {
		case c.in[c.r] == '\n':
			c.r++
		case c.in[c.r] != '\r':
			return true
		case c.r+1 == c.w:
			return false
		case c.in[c.r+1] != '\n':
			return true
		default:
			c.r += 2
		}
	}
	return false
}

// buffered reports whether the next request's head has arrived already.
func (c *conn) buffered() bool {
	return c.scanned == 0 && c.skipEmptyLines() && head.End(c.in[c.r:c.w], 0) >= 0
}

// fill sends what is due, then reads more, waiting until deadline. It returns
// nil with nothing read when there is a reason to look again.
func (c *conn) fill(deadline linger.Instant) error {
	if err := c.flush(); err != nil {
		return err
	}
	switch {
	case c.r == c.w:
		c.r, c.w = 0, 0
	case c.w < len(c.in):
	case c.r > 0:
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	default:
		grown := make([]byte, min(2*len(c.in), c.server.config.MaxHeader))
		c.w = copy(grown, c.in)
		c.in = grown
	}
	if deadline != c.deadline {
		c.nc.SetReadDeadline(c.server.at(deadline))
		c.deadline = deadline
	}
	if c.heed() {
		return nil
	}
	n, err := c.nc.Read(c.in[c.w:])
	c.w += n
	switch {
	case n > 0:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.deadline = 0
		if c.server.now() < deadline {
			return nil
		}
	}
	return err
}

// respond writes a, and tells the machine once it is on its way.
func (c *conn) respond(a site.Answer) error {
	err := c.wait(c.server.due(c.server.now(), a.Delay))
	c.heed()
	reason, _ := c.machine.Closing()
	persists := reason == "" || c.owing
	cut := err == nil && c.cutShort(&a)
	if err == nil {
		err = c.write(&a, persists || c.policy.Breach.Silent)
	}
	if behind := c.policy.Breach.Behind; err == nil && behind != "" && (a.Method == "HEAD" || !c.policy.Breach.BehindHEAD) {
		err = c.out.copy([]byte(behind))
	}
	if c.server.config.Log != nil {
		c.unsent = append(c.unsent, c.pending(&a, persists))
	}
	if err == nil && cut {
		if err = c.out.flush(); err == nil {
			err = errCut
		}
	}
	// Responses to requests that are here already go out together, in few
	// segments; with nothing more to answer, nothing is held back.
	if err == nil && !(persists && c.buffered()) {
		err = c.flush()
	}
	if err != nil {
		return err
	}
	c.machine.HandleResponse(c.server.now())
	c.tell()
	if reason, due := c.machine.Closing(); due {
		c.end(trace.AtServer, reason)
	}
	return nil
}

// swap answers the next request, which is here already, before the one whose answer is
// first.
func (c *conn) swap(first site.Answer) error {
	version, started, number := c.req.Version, c.started, c.number
	second, err := c.turn()
	if err == nil {
		c.owing = true
		err = c.respond(second)
		c.owing = false
	}
	if err != nil {
		return err
	}
	c.req.Version, c.started, c.number = version, started, number
	return c.respond(first)
}

// errCut says that the connection was to end within a message.
var errCut = errors.New("cut off within a message")

// cutShort reports whether the connection is to end within this answer, and takes
// away of it what is not sent.
func (c *conn) cutShort(a *site.Answer) bool {
	limit := c.policy.Breach.CutAfter
	if limit == 0 || a.Body == nil && a.Stream == nil {
		return false
	}
	if c.sent += a.Length; c.sent <= limit {
		return false
	}
	left := a.Length - (c.sent - limit)
	if a.Stream != nil {
		a.Body = make([]byte, left)
		n, _ := io.ReadFull(a.Stream, a.Body)
		a.Body, a.Stream = a.Body[:n], nil
		return true
	}
	a.Body = a.Body[:left]
	return true
}

// wait lets the time pass until due, having sent what was to be sent before. A client that closes meanwhile is let
// go of at once: it does not wait for its answer, so that nobody holds a socket for it. One
// that has closed its sending side alone looks the same, and common servers see it so, too.
func (c *conn) wait(due linger.Instant) error {
	for c.server.now() < due {
		if c.w-c.r == c.server.config.MaxHeader {
			return c.idle(due) // as much has been pipelined as is taken
		}
		if err := c.fill(due); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

// idle sends what is due, and lets the time pass until then.
func (c *conn) idle(until linger.Instant) error {
	if err := c.flush(); err != nil {
		return err
	}
	t := time.NewTimer(until.Sub(c.server.now()))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.server.stop:
		return net.ErrClosed
	}
}

// flush hands to the kernel what is due, and logs it.
func (c *conn) flush() error {
	err := c.out.flush()
	if err == nil && len(c.unsent) > 0 {
		c.logUnsent("")
	}
	return err
}

func (c *conn) pending(a *site.Answer, persists bool) pending {
	e := c.entry(a, c.req.Version, c.number)
	e.Kept = persists
	return pending{e, c.started}
}

func (c *conn) logUnsent(failed string) {
	now := c.server.now()
	for _, p := range c.unsent {
		c.log(p.Entry, p.started, now, failed)
	}
	clear(c.unsent)
	c.unsent = c.unsent[:0]
}

// lost notes why no more can be read or written.
func (c *conn) lost(err error) {
	if err != errEnd {
		c.blame(err, c.scanned > 0)
	}
	if len(c.unsent) > 0 {
		c.logUnsent(c.reason)
	}
}

// close ends the connection in the policy's style.
func (c *conn) close() {
	late := int64(0)
	switch {
	case c.by != trace.AtServer || c.out.failed:
	case c.machine.Style() == policy.CloseRST:
		reset(c.nc)
	case c.machine.Style() == policy.CloseSilent:
		late = c.drain(linger.Never)
	default:
		if words := c.machine.LastWords(); words != "" {
			c.nc.SetWriteDeadline(time.Now().Add(c.server.config.Stall))
			io.WriteString(c.nc, words) // whoever has gone does not hear it
		}
		late = c.linger()
	}
	c.nc.Close()
	c.out.release()
	c.logClosed(late)
}

// reset ends a TCP connection by RST: nothing that is under way arrives any more,
// TLS's own close_notify included.
func reset(nc net.Conn) {
	nc = bare(nc)
	if l, ok := nc.(interface{ SetLinger(int) error }); ok {
		// An error says that the connection is gone already.
		_ = l.SetLinger(0)
	}
	nc.Close()
}

// linger closes the sending side, then reads until the client has closed, too,
// and returns how many bytes that were.
//
// RFC 9112, 9.6: "If a server performs an immediate close of a TCP connection,
// there is a significant risk that the client will not be able to read the last
// HTTP response. [...] To avoid the TCP reset problem, servers typically close a
// connection in stages."
func (c *conn) linger() (late int64) {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return 0
	}
	if c.machine.Style() == policy.CloseHalf {
		return c.drain(linger.Never)
	}
	return c.drain(c.server.now().Add(c.server.config.Linger))
}

// drain reads until the client has closed, or until deadline, and returns how many
// bytes that were.
func (c *conn) drain(deadline linger.Instant) (late int64) {
	for deadline != linger.Never || !c.told {
		c.r, c.w = 0, 0
		if c.fill(deadline) != nil || c.server.now() >= deadline {
			break
		}
		late += int64(c.w)
	}
	return late
}
