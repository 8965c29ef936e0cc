package origin

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"linger"
	"linger/policy"
	"linger/trace"
)

// Error codes of DNS over QUIC (RFC 9250, 8.4).
const (
	doqNoError       quic.ApplicationErrorCode = 0x0
	doqInternalError quic.ApplicationErrorCode = 0x1
	doqProtocolError quic.ApplicationErrorCode = 0x2
)

// doqName returns the name of an error code.
func doqName(code quic.ApplicationErrorCode) string {
	names := [...]string{"NO_ERROR", "INTERNAL_ERROR", "PROTOCOL_ERROR", "REQUEST_CANCELLED", "EXCESSIVE_LOAD", "UNSPECIFIED_ERROR"}
	if int64(code) < int64(len(names)) {
		return "DOQ_" + names[code]
	}
	return fmt.Sprintf("error %#x", uint64(code))
}

// ServeDoQ is as Serve, for DNS over QUIC (RFC 9250) on pc, which it closes. Early
// data (0-RTT) is answered as other data is: a query may be repeated by whoever has
// seen it and changes nothing. Of the idle timeout see ServeQUIC.
func (s *Server) ServeDoQ(ctx context.Context, pc net.PacketConn) error {
	if s.site.zone == nil {
		pc.Close()
		return errNoNames
	}
	// RFC 9250, 4.2, has streams that the client opens, of both directions, and no
	// others.
	return s.acceptQUIC(ctx, pc, "doq", -1, s.serveDoQ)
}

func (s *Server) serveDoQ(qc *quic.Conn) {
	c := &doqConn{
		session: s.newSession(s.accepted.Add(1), qc.RemoteAddr(), ""),
		qc:      qc,
		wake:    make(chan struct{}, 1),
	}
	if !s.carry(c, nil) {
		c.cut()
		return
	}
	c.serve()
	s.drop(c)
}

// A doqConn is one connection that carries a query a stream. One goroutine accepts
// streams, one watches the policy, and each stream has its own; what they share is
// under mu.
//
// Nothing announces that the connection is to end, and a query that comes after the
// last one that is answered finds no answer: the close tells the client to ask
// elsewhere.
type doqConn struct {
	session
	qc      *quic.Conn
	streams sync.WaitGroup

	mu    sync.Mutex
	wake  chan struct{}  // there is something for the watch to look at
	wrote linger.Instant // when an answer was last handed to QUIC
	late  int64          // streams that were not looked at
}

func (c *doqConn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mind.HandleShutdown()
	c.signal()
}

func (c *doqConn) cut() {
	// An error says that the connection has ended already.
	_ = c.qc.CloseWithError(doqNoError, "server cut off")
}

func (c *doqConn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// serve carries the connection to its end.
func (c *doqConn) serve() {
	var watch sync.WaitGroup
	watch.Go(c.watch)
	for {
		str, err := c.qc.AcceptStream(context.Background())
		if err != nil {
			break
		}
		if n, ok := c.admit(); ok {
			c.streams.Go(func() { c.serveStream(str, n) })
		}
	}
	c.streams.Wait()
	watch.Wait()
	c.mu.Lock()
	c.blameQUIC(context.Cause(c.qc.Context()))
	c.mu.Unlock()
	c.logClosed(c.late)
}

// admit counts a stream and returns its number on the connection, unless that takes
// no more.
func (c *doqConn) admit() (n int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if reason, _ := c.mind.Closing(); reason != "" {
		c.late++
		return 0, false
	}
	c.mind.HandleRequest(c.server.now(), linger.OverQUIC, nil)
	c.signal()
	return c.mind.Requests(), true
}

// watch does what the policy wants, when it wants it, until the connection ends.
func (c *doqConn) watch() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.mu.Lock()
		now := c.server.now()
		c.mind.HandleTimeout(now)
		reason, due := c.mind.Closing()
		wait := c.mind.NextTimeout().Sub(now)
		if due {
			c.end(trace.AtServer, reason)
			wait = c.grace(now)
		}
		c.mu.Unlock()
		timer.Reset(wait)
		wake := c.wake
		if due {
			wake = nil
		}
		select {
		case <-wake:
			continue
		case <-timer.C:
		case <-c.qc.Context().Done():
			return
		}
		if due {
			_ = c.qc.CloseWithError(doqNoError, reason)
			return
		}
	}
}

// delivery is how many round trips an answer has to arrive in before the close: that
// destroys what has not. One packet may be lost on the way and come again after the
// probe timeout, which is up to 3 at the start of a connection (RFC 9002, 6.2.1).
const delivery = 6

// grace returns how long the last answer still has.
func (c *doqConn) grace(now linger.Instant) time.Duration {
	if c.wrote == 0 || c.server.config.Policy.Style == policy.CloseRST {
		return 0
	}
	const ackDelay = 25 * time.Millisecond // RFC 9000, 18.2
	need := min(delivery*c.qc.ConnectionStats().SmoothedRTT+ackDelay, c.server.config.Linger)
	return max(0, need-now.Sub(c.wrote))
}

// fail ends the connection for an error.
func (c *doqConn) fail(code quic.ApplicationErrorCode, why string) {
	c.mu.Lock()
	c.end(trace.AtServer, doqName(code)+": "+why)
	c.mu.Unlock()
	_ = c.qc.CloseWithError(code, why)
}

// blameQUIC notes why the connection is no more.
func (c *doqConn) blameQUIC(err error) {
	if c.server.isStopped() {
		c.end(trace.AtServer, "server cut off")
	}
	if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		reason := "client closed"
		if e.ErrorCode != doqNoError {
			reason += ": " + doqName(e.ErrorCode)
		}
		c.end(trace.AtClient, reason)
	}
	c.blameTransport(err)
}

// A doqError ends the connection.
type doqError struct {
	code quic.ApplicationErrorCode
	text string
}

func (e *doqError) Error() string { return e.text }

// serveStream answers the query with that number on the connection.
func (c *doqConn) serveStream(str *quic.Stream, number int) {
	l, err := c.query(str)
	var entry Entry
	if err == nil {
		c.server.requests.Add(1)
		l.number = number
		entry, err = c.reply(str, l)
	}
	now := c.server.now()
	failed := ""
	if e, ok := errors.AsType[*doqError](err); ok {
		failed = e.text
		c.fail(e.code, e.text)
	} else if err != nil {
		failed = c.streamLost(err)
		str.CancelRead(quic.StreamErrorCode(doqInternalError))
		str.CancelWrite(quic.StreamErrorCode(doqInternalError))
	}
	c.mu.Lock()
	if err == nil {
		c.wrote = now
	}
	c.mind.HandleResponse(now)
	c.signal()
	c.mu.Unlock()
	if l != nil && c.server.config.Log != nil {
		c.log(entry, l.started, now, failed)
	}
}

// streamLost says in a few words why a query was not answered.
func (c *doqConn) streamLost(err error) string {
	if e, ok := errors.AsType[*quic.StreamError](err); ok && e.Remote {
		return "client reset the stream: " + doqName(quic.ApplicationErrorCode(e.ErrorCode))
	}
	switch {
	case c.server.isStopped():
		return "server cut off"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errStalled.Error()
	}
	return "the connection ended"
}

// query reads the query of a stream to its end: "Servers MAY defer processing of a
// query until the STREAM FIN has been indicated on the stream selected by the client"
// (RFC 9250, 4.2). What 4.3.3 calls an error of the protocol ends the connection.
func (c *doqConn) query(str *quic.Stream) (*lookup, error) {
	s := c.server
	began := s.now()
	limit := s.config.Stall
	if t := s.config.Policy.RequestTimeout; t > 0 {
		limit = min(limit, t)
	}
	str.SetReadDeadline(s.at(began.Add(limit)))
	b := make([]byte, 2, 512)
	if _, err := io.ReadFull(str, b); err != nil {
		return nil, cutShort(err)
	}
	b = make([]byte, binary.BigEndian.Uint16(b))
	if _, err := io.ReadFull(str, b); err != nil {
		return nil, cutShort(err)
	}
	var more [1]byte
	if n, err := io.ReadFull(str, more[:]); n > 0 {
		return nil, &doqError{doqProtocolError, "more than one query on a stream"}
	} else if err != io.EOF {
		return nil, err
	}
	l, ok := s.lookUp(b)
	if !ok {
		return nil, &doqError{doqProtocolError, "what is no query"}
	}
	l.started = began
	if l.message.ID != 0 {
		// RFC 9250, 4.2.1: "When sending queries over a QUIC connection, the DNS Message
		// ID MUST be set to zero".
		return nil, &doqError{doqProtocolError, "a message ID that is not zero"}
	}
	if l.message.HasKeepalive {
		return nil, &doqError{doqProtocolError, "edns-tcp-keepalive"} // RFC 9250, 5.5.2
	}
	return l, nil
}

// cutShort turns the end of a stream into what it means before that of a query.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &doqError{doqProtocolError, "a stream that ends before its query"}
	}
	return err
}

// reply answers a query when it is due, and ends the stream.
func (c *doqConn) reply(str *quic.Stream, l *lookup) (Entry, error) {
	s := c.server
	lost := false
	if l.delay > 0 {
		t := time.NewTimer(l.delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.qc.Context().Done():
			lost = true
		}
	}
	c.mu.Lock()
	reason, _ := c.mind.Closing()
	c.mu.Unlock()
	l.kept = reason == ""
	l.answer.Pad = true
	r := l.message.Reply(l.answer)
	entry := c.queryEntry(l, linger.OverQUIC, r)
	if lost {
		return entry, net.ErrClosed
	}
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(r.Message)), uint16(len(r.Message)))
	str.SetWriteDeadline(s.at(s.now().Add(s.config.Stall)))
	if _, err := str.Write(append(b, r.Message...)); err != nil {
		return entry, err
	}
	return entry, str.Close()
}
