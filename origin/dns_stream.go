package origin

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"linger"
	"linger/dns"
	"linger/policy"
	"linger/trace"
)

// ServeDNSStream is as Serve, for DNS over TCP (RFC 7766).
func (s *Server) ServeDNSStream(ctx context.Context, ln net.Listener) error {
	if s.site.zone == nil {
		ln.Close()
		return errNoNames
	}
	return s.accept(ctx, ln, nil, s.serveDNS)
}

// ServeDoT is as Serve, for DNS over TLS (RFC 7858), with the protocol "dot" where
// the client offers any (RFC 7301).
func (s *Server) ServeDoT(ctx context.Context, ln net.Listener) error {
	switch {
	case s.site.zone == nil:
		ln.Close()
		return errNoNames
	case len(s.config.Certificates) == 0:
		ln.Close()
		return errNoCertificate
	}
	return s.accept(ctx, ln, tlsConfig(s.config.Certificates, "dot"), s.serveDNS)
}

// serveDNS carries one connection from accept to close.
func (s *Server) serveDNS(nc net.Conn) {
	c := newConn(s, nc, s.accepted.Add(1))
	if !s.carry(c, nil) {
		bare(nc).Close()
		return
	}
	if _, ok := c.handshake(); !ok {
		s.drop(c)
		return
	}
	d := newDNSConn(c)
	if !s.carry(d, c) {
		d.leave()
	}
	d.serve()
	s.drop(d)
}

// A dnsConn is one connection that carries queries behind their lengths (RFC 1035,
// 4.2.2). Two goroutines carry it: one reads queries, the other answers them, each
// when it is due, whatever their order, as RFC 7766, 7, wants it. What both touch is
// under mu, which nobody holds while he waits for the network.
type dnsConn struct {
	session
	nc   net.Conn
	over string
	in   *bufio.Reader
	buf  []byte

	mu      sync.Mutex
	settled sync.Cond     // fewer queries are open, or the connection has ended
	wake    chan struct{} // there is something for the sender to look at
	gone    chan struct{} // closed when nothing more is read
	ready   []*lookup
	delayed []*lookup
	open    int  // queries that are not answered
	midway  bool // a query has begun to arrive
	eof     bool // the client sends no more
	failed  bool // no more can be sent
	late    int64
}

// newDNSConn takes a connection over from c, which has read nothing.
func newDNSConn(c *conn) *dnsConn {
	d := &dnsConn{
		session: c.session,
		nc:      c.nc,
		over:    linger.OverTCP,
		in:      bufio.NewReaderSize(c.nc, minBuffer),
		wake:    make(chan struct{}, 1),
		gone:    make(chan struct{}),
	}
	d.settled.L = &d.mu
	if _, secure := c.nc.(secured); secure {
		d.over = linger.OverTLS
	}
	d.mind = policy.NewServer(c.server.config.Policy, c.server.now())
	return d
}

func (c *dnsConn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mind.HandleShutdown()
	c.signal()
}

func (c *dnsConn) cut() { bare(c.nc).Close() }

// signal has the sender look.
func (c *dnsConn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// serve carries the connection to its end.
func (c *dnsConn) serve() {
	c.nc.SetReadDeadline(time.Time{})
	var sender sync.WaitGroup
	sender.Go(c.send)
	err := c.read()
	c.mu.Lock()
	switch {
	case err == io.EOF && c.by == trace.Nobody:
		// What it has asked is answered: it may have closed its side alone.
		c.eof = true
	case err != errEnd:
		c.blame(err, c.midway)
	}
	c.signal()
	c.mu.Unlock()
	if err == errEnd {
		c.drain()
	}
	close(c.gone)
	sender.Wait()
	c.logClosed(c.late)
}

// read reads queries until no more are taken: the client has ended, or errEnd.
func (c *dnsConn) read() error {
	for {
		if !c.admits() {
			return errEnd
		}
		b, err := c.next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return c.fail("request timeout")
		} else if err != nil {
			return err
		}
		l, ok := c.server.lookUp(b)
		if !ok {
			return c.fail("client sent what is no query")
		}
		c.mu.Lock()
		c.midway = false
		if c.by != trace.Nobody {
			c.late += int64(len(b))
			c.mu.Unlock()
			return errEnd
		}
		c.server.requests.Add(1)
		c.open++
		persists := c.mind.HandleRequest(l.started, c.over, nil)
		l.number = c.mind.Requests()
		if l.delay > 0 {
			l.due = l.started.Add(l.delay)
			c.delayed = append(c.delayed, l)
		} else {
			c.ready = append(c.ready, l)
		}
		c.mu.Unlock()
		if !persists || c.in.Buffered() < 2 {
			// Queries that have arrived together are answered together.
			c.signal()
		}
		if !persists {
			return errEnd
		}
	}
}

// admits waits until another query may be open. It reports false when none is taken
// any more.
func (c *dnsConn) admits() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open >= c.server.config.MaxStreams && c.by == trace.Nobody {
		c.signal()
		c.settled.Wait()
	}
	reason, _ := c.mind.Closing()
	return reason == "" && c.by == trace.Nobody
}

// next waits for a message, as long as it takes, and for its end no longer than the
// policy gives a request and the server a client that falls silent. It holds until
// the next.
func (c *dnsConn) next() ([]byte, error) {
	const prefix = 2
	whole := func() bool {
		if c.in.Buffered() < prefix {
			return false
		}
		b, _ := c.in.Peek(prefix)
		return c.in.Buffered() >= prefix+int(binary.BigEndian.Uint16(b))
	}
	if !whole() {
		c.signal()
		if _, err := c.in.Peek(1); err != nil {
			return nil, err
		}
	}
	if !whole() {
		c.mu.Lock()
		now := c.server.now()
		c.midway = true
		c.mind.HandleRequestStart(now)
		c.signal()
		c.mu.Unlock()
		limit := c.server.config.Stall
		if t := c.server.config.Policy.RequestTimeout; t > 0 {
			limit = min(limit, t)
		}
		c.nc.SetReadDeadline(c.server.at(now.Add(limit)))
		defer c.nc.SetReadDeadline(time.Time{})
	}
	var length [prefix]byte
	if _, err := io.ReadFull(c.in, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	if _, err := io.ReadFull(c.in, c.buf[:n]); err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return c.buf[:n], nil
}

// fail ends the connection for an error of the client's. It returns errEnd.
func (c *dnsConn) fail(why string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(trace.AtServer, why)
	c.signal()
	return errEnd
}

// drain reads and drops what still comes.
func (c *dnsConn) drain() {
	c.nc.SetReadDeadline(time.Time{})
	n, _ := io.Copy(io.Discard, c.in)
	c.mu.Lock()
	c.late += n
	c.mu.Unlock()
}

// send answers until the connection has ended, and ends it.
func (c *dnsConn) send() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.mu.Lock()
		now := c.server.now()
		c.pass(now)
		batch, keepalive := c.take()
		wake, ended := c.nextTimeout(), c.by != trace.Nobody
		c.mu.Unlock()
		var err error
		if len(batch) > 0 {
			err = c.reply(batch, keepalive)
		}
		switch {
		case err != nil || ended:
			c.close()
			return
		case len(batch) > 0:
			continue
		}
		timer.Reset(wake.Sub(now))
		select {
		case <-c.wake:
		case <-timer.C:
		}
	}
}

// pass does what is due at now.
func (c *dnsConn) pass(now linger.Instant) {
	c.mind.HandleTimeout(now)
	if reason, due := c.mind.Closing(); due {
		c.end(trace.AtServer, reason)
	}
	if c.eof && c.open == 0 {
		c.end(trace.AtClient, "client closed")
	}
	c.delayed = slices.DeleteFunc(c.delayed, func(l *lookup) bool {
		if l.due <= now {
			c.ready = append(c.ready, l)
		}
		return l.due <= now
	})
}

func (c *dnsConn) nextTimeout() linger.Instant {
	t := c.mind.NextTimeout()
	for _, l := range c.delayed {
		t = min(t, l.due)
	}
	return t
}

// take returns the queries that are to be answered now, and what their answers say
// of the idle limit.
func (c *dnsConn) take() (batch []*lookup, keepalive linger.Opt[time.Duration]) {
	if c.by != trace.Nobody {
		return nil, keepalive
	}
	batch, c.ready = c.ready, nil
	reason, _ := c.mind.Closing()
	for _, l := range batch {
		l.kept = reason == ""
	}
	p := c.server.config.Policy
	switch {
	case !p.Announce:
	case reason != "":
		// RFC 7828, 3.4: a timeout of 0 has the client close.
		keepalive = linger.Known(time.Duration(0))
	case p.IdleTimeout > 0:
		keepalive = linger.Known(p.IdleTimeout)
	}
	return batch, keepalive
}

// reply sends the replies to a batch of queries, in as few writes as their sizes
// allow, and settles what has become of them.
//
// RFC 7766, 8: "DNS clients and servers SHOULD pass the two-octet length field, and
// the message described by that length field, to the TCP layer at the same time".
func (c *dnsConn) reply(batch []*lookup, keepalive linger.Opt[time.Duration]) error {
	page := pages.Get().(*[pageSize]byte)
	defer pages.Put(page)
	out := page[:0]
	var entries []Entry
	var err error
	from := 0 // of the batch, the first whose reply is in out
	for i, l := range batch {
		l.answer.Pad, l.answer.Keepalive = c.over == linger.OverTLS, keepalive
		r := l.message.Reply(l.answer)
		if n := 2 + len(r.Message); len(out) > 0 && len(out)+n > cap(out) {
			err = c.write(out)
			c.settle(batch[from:i], entries, err)
			if out, entries, from = page[:0], nil, i; err != nil {
				break
			}
		}
		out = binary.BigEndian.AppendUint16(out, uint16(len(r.Message)))
		out = append(out, r.Message...)
		entries = append(entries, c.queryEntry(l, c.over, r))
	}
	if err == nil {
		err = c.write(out)
	}
	if from < len(batch) {
		for _, l := range batch[from+len(entries):] {
			entries = append(entries, c.queryEntry(l, c.over, dns.Reply{}))
		}
		c.settle(batch[from:], entries, err)
	}
	return err
}

// write hands b to the kernel, for as long as that takes something.
func (c *dnsConn) write(b []byte) error {
	for {
		c.nc.SetWriteDeadline(c.server.at(c.server.now().Add(c.server.config.Stall)))
		n, err := c.nc.Write(b)
		b = b[n:]
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case n == 0:
			return fmt.Errorf("%w in taking its response", errStalled)
		}
	}
}

// settle notes what has become of replies.
func (c *dnsConn) settle(batch []*lookup, entries []Entry, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.server.now()
	failed := ""
	if err != nil {
		c.blame(err, false)
		c.failed = true
		failed = c.reason
	}
	for i, l := range batch {
		c.open--
		c.mind.HandleResponse(now)
		if c.server.config.Log != nil {
			c.log(entries[i], l.started, now, failed)
		}
	}
	if c.midway {
		// The next query had begun to arrive before the last answer had left.
		c.mind.HandleRequestStart(now)
	}
	c.settled.Broadcast()
}

// close ends the connection in the policy's style.
func (c *dnsConn) close() {
	c.mu.Lock()
	now := c.server.now()
	for _, l := range append(c.ready, c.delayed...) {
		c.open--
		c.mind.HandleResponse(now)
		if c.server.config.Log != nil {
			c.log(c.queryEntry(l, c.over, dns.Reply{}), l.started, now, c.reason)
		}
	}
	c.ready, c.delayed = nil, nil
	c.settled.Broadcast()
	gently := c.by == trace.AtServer && !c.failed
	c.mu.Unlock()
	switch {
	case gently && c.server.config.Policy.Style == policy.CloseRST:
		reset(c.nc)
	case gently:
		c.linger()
	}
	c.nc.Close()
}

// linger closes the sending side, then waits until the client has closed, too; see
// conn.linger.
func (c *dnsConn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	timer := time.NewTimer(c.server.config.Linger)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-timer.C:
	}
}
