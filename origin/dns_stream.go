package origin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"linger"
	"linger/origin/accesslog"
	"linger/origin/site"
	"linger/trace"
	"linger/wire"
)

// ServeDNSStream is as Serve, for DNS over TCP (RFC 7766).
func (s *Server) ServeDNSStream(ctx context.Context, ln net.Listener) error {
	return s.accept(ctx, ln, service{names: true}, s.serveDNS)
}

// ServeDoT is as Serve, for DNS over TLS (RFC 7858), with its token where the client
// offers any (RFC 7301).
func (s *Server) ServeDoT(ctx context.Context, ln net.Listener) error {
	return s.accept(ctx, ln, service{names: true, offers: []linger.Protocol{linger.DNSOverTLS}}, s.serveDNS)
}

// serveDNS carries one connection from accept to close.
func (s *Server) serveDNS(nc net.Conn, ticket int64) {
	c := newConn(s, nc, ticket)
	if _, ok := s.begin(c); ok {
		s.continueAs(c, newDNSConn(c))
	}
}

// A dnsConn is one connection that carries queries behind their lengths (RFC 1035,
// 4.2.2). Each is answered when it is due, whatever their order, as RFC 7766, 7, wants it.
type dnsConn struct {
	duplex
	over string
	in   *bufio.Reader
	buf  []byte

	// Under mu:
	settled sync.Cond // fewer queries are open, or the connection has ended
	ready   []*lookup
	delayed []*lookup
	open    int  // queries that are not answered
	midway  bool // a query has begun to arrive
	eof     bool // the client sends no more
}

// newDNSConn takes a connection over from c, which has read nothing.
func newDNSConn(c *conn) *dnsConn {
	d := &dnsConn{duplex: c.takeOver(""), over: linger.OverTCP, in: bufio.NewReaderSize(c.nc, minBuffer)}
	d.settled.L = &d.mu
	if _, secure := c.nc.(secured); secure {
		d.over = linger.OverTLS
	}
	return d
}

func (c *dnsConn) serve() { c.run(c) }

func (c *dnsConn) readEnded(err error) {
	switch {
	case err == io.EOF && c.by == trace.Nobody:
		// What it has asked is answered: it may have closed its side alone.
		c.eof = true
	case err != errEnd:
		c.blame(err, c.midway)
	}
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
		persists := c.machine.HandleRequest(l.started, c.over, nil)
		c.tell()
		l.number = c.machine.Requests()
		if l.due = c.server.due(l.started, l.Delay); l.due > l.started {
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
	reason, _ := c.machine.Closing()
	return reason == "" && c.by == trace.Nobody
}

// next waits for a message, as long as it takes, and for its end no longer than the
// policy gives a request and the server a client that falls silent. It holds until
// the next.
func (c *dnsConn) next() ([]byte, error) {
	whole := func() bool {
		if c.in.Buffered() < wire.MessagePrefix {
			return false
		}
		b, _ := c.in.Peek(wire.MessagePrefix)
		return c.in.Buffered() >= wire.MessagePrefix+wire.MessageSize(b)
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
		c.machine.HandleRequestStart(now)
		c.tell()
		c.signal()
		c.mu.Unlock()
		limit := c.server.config.Stall
		if t := c.server.config.Policy.RequestTimeout; t > 0 {
			limit = min(limit, t)
		}
		c.nc.SetReadDeadline(c.server.at(now.Add(limit)))
		defer c.nc.SetReadDeadline(time.Time{})
	}
	var err error
	c.buf, err = wire.ReadMessage(c.in, c.buf)
	return c.buf, err
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

// turn answers the queries whose answers are due.
func (c *dnsConn) turn() outcome {
	c.mu.Lock()
	now := c.server.now()
	c.pass(now)
	batch, keepalive := c.take()
	o := outcome{sent: len(batch) > 0, ended: c.by != trace.Nobody, wait: c.nextTimeout().Sub(now)}
	c.mu.Unlock()
	if o.sent {
		o.err = c.reply(batch, keepalive)
	}
	return o
}

// pass does what is due at now.
func (c *dnsConn) pass(now linger.Instant) {
	c.machine.HandleTimeout(now)
	if reason, due := c.machine.Closing(); due {
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
	t := c.machine.NextTimeout()
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
	reason, _ := c.machine.Closing()
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
	var entries []accesslog.Entry
	var err error
	from := 0 // of the batch, the first whose reply is in out
	for i, l := range batch {
		a := l.Answer(site.Carrier{Encrypted: c.over == linger.OverTLS, Keepalive: keepalive})
		if n := wire.MessagePrefix + len(a.Body); len(out) > 0 && len(out)+n > cap(out) {
			err = c.write(out)
			c.settle(batch[from:i], entries, err)
			if out, entries, from = page[:0], nil, i; err != nil {
				break
			}
		}
		out = wire.AppendMessage(out, a.Body)
		entries = append(entries, c.queryEntry(l, a))
	}
	if err == nil {
		err = c.write(out)
	}
	if from < len(batch) {
		for _, l := range batch[from+len(entries):] {
			entries = append(entries, c.queryEntry(l, l.Unanswered()))
		}
		c.settle(batch[from:], entries, err)
	}
	return err
}

// queryEntry is the log's entry for the answer to a query, but for its times.
func (c *dnsConn) queryEntry(l *lookup, a site.Answer) accesslog.Entry {
	e := c.entry(&a, c.over, l.number)
	e.Kept = l.kept
	return e
}

// settle notes what has become of replies.
func (c *dnsConn) settle(batch []*lookup, entries []accesslog.Entry, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, failed := c.server.now(), c.unsent(err)
	for i, l := range batch {
		c.open--
		c.answered(entries[i], l.started, now, failed)
	}
	if c.midway {
		// The next query had begun to arrive before the last answer had left.
		c.machine.HandleRequestStart(now)
		c.tell()
	}
	c.settled.Broadcast()
}

func (c *dnsConn) abandon() {
	now := c.server.now()
	for _, l := range append(c.ready, c.delayed...) {
		c.open--
		c.answered(c.queryEntry(l, l.Unanswered()), l.started, now, c.reason)
	}
	c.ready, c.delayed = nil, nil
	c.settled.Broadcast()
}
