package origin

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// minBuffer is how much a connection reads at first; a head that is longer makes
// it grow, up to Config.MaxHeader.
const minBuffer = 4 << 10

// A session is what a connection of every protocol has.
type session struct {
	server *Server
	id     int64
	remote string
	began  linger.Instant
	mind   *policy.Server
	policy policy.ServerPolicy // that mind goes by
	altSvc string              // the Alt-Svc field of its responses, or none

	by     trace.Peer // who ended it first, and why
	reason string
}

// newSession is of a connection of that major version of HTTP; "" is of another protocol.
func (s *Server) newSession(id int64, remote net.Addr, version string) session {
	now, p := s.now(), s.policyOf(version)
	return session{server: s, id: id, remote: remote.String(), began: now, policy: p, mind: policy.NewServer(p, now)}
}

// policyOf is the policy of the connections of that version.
func (s *Server) policyOf(version string) policy.ServerPolicy {
	if m := s.config.Misbehave; m != nil && m.isOf(version) {
		return m.policy(s.config.Policy)
	}
	return s.config.Policy
}

// adopt has the connection go by another policy from now on.
func (c *session) adopt(p policy.ServerPolicy) {
	c.policy = p
	c.mind.Adopt(p)
}

// end notes who ended the connection; only the first time counts.
func (c *session) end(by trace.Peer, reason string) {
	if c.by == trace.Nobody {
		c.by, c.reason = by, reason
	}
}

// entry is the log's entry for the answer to the request of that number, but for
// its times.
func (c *session) entry(a *answer, version string, request int) Entry {
	e := Entry{
		Event: Answered, Conn: c.id, Remote: c.remote, Request: request,
		Method: a.method, Target: a.target, Version: cmp.Or(version, "-"), Status: a.status,
	}
	if a.body != nil || a.stream != nil {
		e.Body = a.length
	}
	return e
}

// log completes an entry and logs it.
func (c *session) log(e Entry, started, now linger.Instant, failed string) {
	e.Time, e.Duration, e.Failed = c.server.at(now), now.Sub(started), failed
	if failed != "" {
		e.Kept = false
	}
	c.server.config.Log(e)
}

// logClosed logs the end of the connection.
func (c *session) logClosed(late int64) {
	if c.server.config.Log == nil {
		return
	}
	now := c.server.now()
	c.server.config.Log(Entry{
		Event: Closed, Time: c.server.at(now), Conn: c.id, Remote: c.remote,
		Request: c.mind.Requests(), Duration: now.Sub(c.began),
		By: c.by, Reason: c.reason, LateBytes: late,
	})
}

// A conn is one connection that speaks HTTP/1. One goroutine owns it; others may
// only close nc and set its deadlines.
type conn struct {
	session
	nc   net.Conn
	told bool // of the shutdown

	in       []byte // in[r:w] has been read and not yet been taken
	r, w     int
	scanned  int            // bytes of in[r:w] that begin a request and hold no end of its head
	deadline linger.Instant // of reading, as last set; 0 is unknown

	req     request
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
	Entry
	started linger.Instant
}

func newConn(s *Server, nc net.Conn, id int64) *conn {
	_, secure := nc.(secured)
	c := &conn{
		session: s.newSession(id, nc.RemoteAddr(), "1"),
		nc:      nc,
		in:      make([]byte, min(minBuffer, s.config.MaxHeader)),
		out:     outbox{nc: nc, stall: s.config.Stall, whole: secure},
	}
	if secure {
		c.altSvc = s.config.AltSvc
	}
	return c
}

// leave has the connection look at the server's shutdown: it does so between
// setting its deadline and reading, so that either it sees that or this ends its
// read.
func (c *conn) leave() { c.nc.SetReadDeadline(longAgo) }

// cut ends the connection at once, whatever is under way.
func (c *conn) cut() { bare(c.nc).Close() }

// serve answers requests until the connection has to end, and ends it. It reports
// false, with nothing answered, where the client turns out to speak HTTP/2.
func (c *conn) serve() bool {
	for c.by == trace.Nobody {
		a, err := c.turn()
		if err == errPreface {
			return false
		}
		if reason, _ := c.mind.Closing(); err == nil && c.policy.Breach.Swap && reason == "" && c.buffered() {
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
func (c *conn) turn() (answer, error) {
	a, err := c.next()
	if no, ok := errors.AsType[*refusal](err); ok {
		c.mind.HandleMalformed(no.text)
		a, err = c.refused(no, a), nil
	}
	c.number = c.mind.Requests()
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
// error is a *refusal, errEnd, or the network's.
func (c *conn) next() (answer, error) {
	head, err := c.head()
	if err != nil {
		return answer{}, err
	}
	c.server.requests.Add(1)
	if no := c.req.parse(head, c.server.maxTarget); no != nil {
		return answer{}, no
	}
	a := c.server.find(&c.req)
	c.misbehave(&a, "1")
	c.mind.HandleRequest(c.server.now(), c.req.version, c.req.connection)
	content, err := c.content(&a)
	if err != nil {
		return a, err
	}
	return a.complete(content), nil
}

// refused returns the answer that a refusal is, in place of what would have been
// answered, if that was known by then.
func (c *conn) refused(no *refusal, instead answer) answer {
	return refused(no, instead, c.req.head)
}

func refused(no *refusal, instead answer, head bool) answer {
	a := text(no.status, no.text+"\n")
	a.method, a.target = cmp.Or(instead.method, "-"), cmp.Or(instead.target, "-")
	if head {
		a.body = nil
	}
	return a
}

// head waits for the next head and takes it from the buffer; it holds until fill.
func (c *conn) head() ([]byte, error) {
	c.req = request{connection: c.req.connection[:0]}
	limit := c.server.config.MaxHeader
	for {
		if c.scanned == 0 && c.skipEmptyLines() {
			c.started = c.server.now()
			c.mind.HandleRequestStart(c.started)
			if reason, due := c.mind.Closing(); due {
				c.end(trace.AtServer, reason)
				return nil, errEnd
			}
			c.scanned = 1
		}
		if c.scanned > 0 {
			head := c.in[c.r:c.w]
			if c.mind.Requests() == 0 {
				// No method begins with the type of TLS's first record, and what follows
				// it may hold no end of a line.
				if _, secure := c.nc.(secured); head[0] == tlsHandshake && !secure {
					c.server.requests.Add(1)
					return nil, refuse(400, "this port speaks no TLS")
				}
				// RFC 9113, 3.4: the preface begins as an HTTP/1 request would, of a
				// version that no such request has.
				if bytes.HasPrefix(head, preface) {
					return nil, errPreface
				}
				if bytes.HasPrefix(preface, head) {
					head = nil
				}
			}
			if n := headEnd(head, c.scanned); n >= 0 {
				c.r += n
				c.scanned = 0
				return head[:n], nil
			}
			c.scanned = max(len(head), 1)
			if len(head) >= limit {
				c.server.requests.Add(1)
				if bytes.IndexByte(head, '\n') < 0 {
					return nil, refuse(414, "the first line has more than %d bytes", limit)
				}
				return nil, refuse(431, "the head has more than %d bytes", limit)
			}
		}
		if reason, due := c.mind.Closing(); due {
			c.end(trace.AtServer, reason)
			return nil, errEnd
		}
		err := c.fill(c.mind.NextTimeout())
		if errors.Is(err, os.ErrDeadlineExceeded) {
			c.mind.HandleTimeout(c.server.now())
			if reason, due := c.mind.Closing(); due && c.scanned > 0 {
				c.server.requests.Add(1)
				return nil, refuse(408, "%s", reason)
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
	return c.scanned == 0 && c.skipEmptyLines() && headEnd(c.in[c.r:c.w], 0) >= 0
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
	if !c.told && c.server.isDown() {
		c.told = true
		c.mind.HandleShutdown()
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

// respond writes a, and tells the mind once it is on its way.
func (c *conn) respond(a answer) error {
	err := c.wait(a.delay)
	if !c.told && c.server.isDown() {
		c.told = true
		c.mind.HandleShutdown()
	}
	reason, _ := c.mind.Closing()
	persists := reason == "" || c.owing
	cut := err == nil && c.cutShort(&a)
	if err == nil {
		err = c.write(&a, persists || c.policy.Breach.Silent)
	}
	if behind := c.policy.Breach.Behind; err == nil && behind != "" && (a.method == "HEAD" || !c.policy.Breach.BehindHEAD) {
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
	c.mind.HandleResponse(c.server.now())
	if reason, due := c.mind.Closing(); due {
		c.end(trace.AtServer, reason)
	}
	return nil
}

// swap answers the next request, which is here already, before the one whose answer is
// first.
func (c *conn) swap(first answer) error {
	version, started, number := c.req.version, c.started, c.number
	second, err := c.turn()
	if err == nil {
		c.owing = true
		err = c.respond(second)
		c.owing = false
	}
	if err != nil {
		return err
	}
	c.req.version, c.started, c.number = version, started, number
	return c.respond(first)
}

// errCut says that the connection was to end within a message.
var errCut = errors.New("cut off within a message")

// cutShort reports whether the connection is to end within this answer, and takes
// away of it what is not sent.
func (c *conn) cutShort(a *answer) bool {
	limit := c.policy.Breach.CutAfter
	if limit == 0 || a.body == nil && a.stream == nil {
		return false
	}
	if c.sent += a.length; c.sent <= limit {
		return false
	}
	left := a.length - (c.sent - limit)
	if a.stream != nil {
		a.body = make([]byte, left)
		n, _ := io.ReadFull(a.stream, a.body)
		a.body, a.stream = a.body[:n], nil
		return true
	}
	a.body = a.body[:left]
	return true
}

// wait lets d pass, having sent what was due before.
func (c *conn) wait(d time.Duration) error {
	if d == 0 {
		return nil
	}
	if err := c.flush(); err != nil {
		return err
	}
	t := time.NewTimer(d)
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

func (c *conn) pending(a *answer, persists bool) pending {
	e := c.entry(a, c.req.version, c.number)
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

// blame notes who is behind an error of the network; midway says that a request
// had begun to arrive.
func (c *session) blame(err error, midway bool) {
	switch {
	case c.server.isStopped():
		c.end(trace.AtServer, "server cut off")
	case errors.Is(err, errStalled):
		c.end(trace.AtServer, err.Error())
	case errors.Is(err, io.EOF) && !midway:
		c.end(trace.AtClient, "client closed")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		c.end(trace.AtClient, "client closed in mid-request")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		c.end(trace.AtClient, "client reset")
	case errors.Is(err, errShort), errors.Is(err, errCut):
		c.end(trace.AtServer, err.Error())
	default:
		c.end(trace.AtClient, err.Error())
	}
}

// close ends the connection in the policy's style.
func (c *conn) close() {
	late := int64(0)
	switch {
	case c.by != trace.AtServer || c.out.failed:
	case c.mind.Style() == policy.CloseRST:
		reset(c.nc)
	case c.mind.Style() == policy.CloseSilent:
		late = c.drain(linger.Never)
	default:
		if words := c.mind.LastWords(); words != "" {
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
// TLS's own farewell included.
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
	if c.mind.Style() == policy.CloseHalf {
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
