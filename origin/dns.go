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
	"linger/origin/listen"
	"linger/origin/site"
)

// maxWaiting is how many queries over UDP may wait for their answers' delay. Those
// behind them are dropped, as a datagram may be.
const maxWaiting = 4 << 10

// A lookup is one query of DNS on its way to its answer.
type lookup struct {
	*site.Query
	number  int            // of the query on its connection
	started linger.Instant // when its first byte arrived
	due     linger.Instant // when it may be answered
	kept    bool           // the connection goes on after it
}

// lookUp reads a message and finds its answer. It reports false where there is
// nothing that may be answered.
func (s *Server) lookUp(b []byte) (*lookup, bool) {
	q, ok := s.site.Query(b)
	if !ok {
		return nil, false
	}
	return &lookup{Query: q, started: s.now()}, true
}

var errNoNames = errors.New("the workload has no names to look up; serve one of the scheme dns")

// ServeDNS answers queries over UDP on pc, which it closes, until the server is shut
// down or ctx ends, and returns nil once those that have arrived are answered. A
// datagram is a request in the log and the counters, and belongs to no connection.
func (s *Server) ServeDNS(ctx context.Context, pc net.PacketConn) error {
	defer pc.Close()
	if err := (service{names: true}).check(s); err != nil {
		return err
	}
	leave, err := s.enter(ctx, deaf{pc})
	if err != nil {
		return err
	}
	defer leave()
	d := &datagrams{server: s, pc: listen.NewSourced(pc), slots: make(chan struct{}, maxWaiting)}
	defer d.waiting.Wait()
	b := make([]byte, linger.MaxMessage+1)
	for failures := 0; ; {
		n, from, err := d.pc.Receive(b)
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
	pc      *listen.Sourced
	waiting sync.WaitGroup
	slots   chan struct{} // one for each that waits
}

func (d *datagrams) receive(b []byte, from listen.Sender) {
	l, ok := d.server.lookUp(b)
	if !ok {
		return
	}
	d.server.requests.Add(1)
	d.server.datagrams.Add(1)
	l.number = 1
	if l.due = d.server.due(l.started, l.Delay); l.due <= l.started {
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
		t := time.NewTimer(l.due.Sub(d.server.now()))
		defer t.Stop()
		select {
		case <-t.C:
			d.reply(l, from, "")
		case <-d.server.stop:
			d.reply(l, from, cutOff)
		}
	})
}

// reply sends the reply, unless it has failed already, and logs it.
func (d *datagrams) reply(l *lookup, to listen.Sender, failed string) {
	a := l.Answer(site.Carrier{Datagram: true})
	if failed == "" {
		d.pc.SetWriteDeadline(d.server.at(d.server.now().Add(d.server.config.Stall)))
		if err := d.pc.Send(a.Body, to); errors.Is(err, os.ErrDeadlineExceeded) {
			failed = "the answer could not be sent in time"
		} else if err != nil {
			failed = err.Error()
		}
	}
	if d.server.config.Log != nil {
		c := session{server: d.server, remote: to.Addr.String()}
		c.log(c.entry(&a, linger.OverUDP, l.number), l.started, d.server.now(), failed)
	}
}
