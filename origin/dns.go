package origin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"linger"
	"linger/dns"
)

// maxWaiting is how many queries over UDP may wait for their answers' delay. Those
// behind them are dropped, as a datagram may be.
const maxWaiting = 4 << 10

// A lookup is one query of DNS and what it is answered.
type lookup struct {
	message dns.Message
	answer  dns.Answer
	delay   time.Duration
	number  int            // of the query on its connection
	started linger.Instant // when its first byte arrived
	due     linger.Instant // when it may be answered
	kept    bool           // the connection goes on after it
}

// lookUp reads a message and finds its answer. It reports false where there is
// nothing that may be answered.
func (s *Server) lookUp(b []byte) (*lookup, bool) {
	m, err := dns.Read(b)
	if !m.IsQuery() {
		return nil, false
	}
	l := &lookup{message: m, started: s.now()}
	if s.site.zone == nil {
		return l, false
	}
	i, a := s.site.zone.Find(m, err)
	l.answer = a
	if i >= 0 {
		e := &s.site.workload.Exchanges[i]
		l.answer.Size, l.delay = int(e.ResponseBody), e.Delay
	}
	return l, true
}

// queryEntry is the log's entry for the reply to a query, but for its times.
func (c *session) queryEntry(l *lookup, over string, r dns.Reply) Entry {
	e := Entry{
		Event: Answered, Conn: c.id, Remote: c.remote, Request: l.number,
		Method: "-", Target: "-", Version: over, Status: r.Rcode, Body: int64(len(r.Message)), Kept: l.kept,
	}
	if l.message.Query != (linger.Query{}) {
		e.Method, e.Target = l.message.Query.Type, l.message.Query.Name
	}
	return e
}

var errNoNames = errors.New("the workload has no names to look up; serve one of the scheme dns")

// ServeDNS answers queries over UDP on pc, which it closes, until the server is shut
// down or ctx ends, and returns nil once those that have arrived are answered. A
// datagram is a request in the log and the counters, and belongs to no connection.
func (s *Server) ServeDNS(ctx context.Context, pc net.PacketConn) error {
	defer pc.Close()
	if s.site.zone == nil {
		return errNoNames
	}
	leave, err := s.enter(ctx, deaf{pc})
	if err != nil {
		return err
	}
	defer leave()
	d := &datagrams{server: s, pc: newSourced(pc), slots: make(chan struct{}, maxWaiting)}
	defer d.waiting.Wait()
	b := make([]byte, linger.MaxMessage+1)
	for failures := 0; ; {
		n, from, err := d.pc.receive(b)
		switch {
		case err == nil:
			failures = 0
			d.receive(b[:n], from)
		case s.isDown():
			return nil
		case errors.Is(err, net.ErrClosed) || failures == maxFailures:
			s.abort()
			return fmt.Errorf("cannot receive on %v: %w", pc.LocalAddr(), err)
		default:
			// Some systems report here what became of a datagram sent before.
			failures++
		}
	}
}

// maxFailures is how many receives in a row may fail.
const maxFailures = 100

// deaf stops reading when it is closed; what has been read can still be answered.
type deaf struct{ pc net.PacketConn }

func (d deaf) Close() error { return d.pc.SetReadDeadline(longAgo) }

// datagrams answers the queries that come to one socket. Those that are answered
// with a delay have a goroutine each.
type datagrams struct {
	server  *Server
	pc      *sourced
	waiting sync.WaitGroup
	slots   chan struct{} // one for each that waits
}

func (d *datagrams) receive(b []byte, from sender) {
	l, ok := d.server.lookUp(b)
	if !ok {
		return
	}
	d.server.requests.Add(1)
	d.server.datagrams.Add(1)
	l.number = 1
	if l.delay == 0 {
		d.reply(l, from, "")
		return
	}
	select {
	case d.slots <- struct{}{}:
	default:
		d.reply(l, from, "more queries wait than are held")
		return
	}
	d.waiting.Go(func() {
		defer func() { <-d.slots }()
		t := time.NewTimer(l.delay)
		defer t.Stop()
		select {
		case <-t.C:
			d.reply(l, from, "")
		case <-d.server.stop:
			d.reply(l, from, "server cut off")
		}
	})
}

// reply sends the reply, unless it has failed already, and logs it.
func (d *datagrams) reply(l *lookup, to sender, failed string) {
	l.answer.Datagram, l.answer.Limit = true, dns.UDPSize
	r := l.message.Reply(l.answer)
	if failed == "" {
		d.pc.SetWriteDeadline(d.server.at(d.server.now().Add(d.server.config.Stall)))
		if err := d.pc.send(r.Message, to); errors.Is(err, os.ErrDeadlineExceeded) {
			failed = "the answer could not be sent in time"
		} else if err != nil {
			failed = err.Error()
		}
	}
	if d.server.config.Log != nil {
		c := session{server: d.server, remote: to.addr.String()}
		c.log(c.queryEntry(l, linger.OverUDP, r), l.started, d.server.now(), failed)
	}
}
