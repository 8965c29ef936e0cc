package origin

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/quic-go/quic-go"

	"linger"
	"linger/origin/accesslog"
	"linger/origin/site"
	"linger/policy"
	"linger/wire"
)

// ServeDoQ is as Serve, for DNS over QUIC (RFC 9250) on pc, which it closes. Early
// data (0-RTT) is answered as other data is: a query may be repeated by whoever has
// seen it and changes nothing. Of the idle timeout see ServeQUIC.
func (s *Server) ServeDoQ(ctx context.Context, pc net.PacketConn) error {
	// RFC 9250, 4.2, has streams that the client opens, of both directions, and no
	// others.
	return s.acceptQUIC(ctx, pc, service{names: true, offers: []linger.Protocol{linger.DNSOverQUIC}}, -1, doqCodes, func(qc *quic.Conn, ticket int64) {
		s.serveQUICConn(&doqConn{s.newQUIC(qc, ticket, "", doqCodes)}, ticket)
	})
}

var doqCodes = errorCodes{
	none:   wire.DoQNoError,
	cancel: wire.DoQInternalError,
	name:   func(code quic.ApplicationErrorCode) string { return wire.DoQErrorName(uint64(code)) },
}

// A doqConn is one connection that carries a query a stream.
//
// Nothing announces that the connection is to end, and a query that comes after the
// last one that is answered finds no answer: the close tells the client to ask
// elsewhere.
type doqConn struct{ *quicConn }

func (c *doqConn) serve() { c.run(c) }

// admit counts a stream, unless the connection takes no more.
func (c *doqConn) admit(*quic.Stream) (n int, ok bool) {
	if reason, _ := c.machine.Closing(); reason != "" {
		c.late++
		return 0, false
	}
	c.machine.HandleRequest(c.server.now(), linger.OverQUIC, nil)
	c.tell()
	c.signal()
	return c.machine.Requests(), true
}

func (c *doqConn) closing(string) func() { return nil }
func (c *doqConn) clientClosed()         {}

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

// serveStream answers the query with that number on the connection.
func (c *doqConn) serveStream(str *quic.Stream, number int) {
	l, err := c.query(str)
	var entry accesslog.Entry
	if err == nil {
		c.server.requests.Add(1)
		l.number = number
		entry, err = c.reply(str, l)
	}
	now := c.server.now()
	failed := ""
	if err != nil {
		failed = c.lose(str, err)
	}
	c.settle(now, err == nil)
	if l != nil && c.server.config.Log != nil {
		c.log(entry, l.started, now, failed)
	}
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
	b, err := wire.ReadMessage(str, nil)
	if err != nil {
		return nil, cutShort(err)
	}
	var more [1]byte
	if n, err := io.ReadFull(str, more[:]); n > 0 {
		return nil, doqError("more than one query on a stream")
	} else if err != io.EOF {
		return nil, err
	}
	l, ok := s.lookUp(b)
	if !ok {
		return nil, doqError("what is no query")
	}
	l.started = began
	if l.ID() != 0 {
		// RFC 9250, 4.2.1: "When sending queries over a QUIC connection, the DNS Message
		// ID MUST be set to zero".
		return nil, doqError("a message ID that is not zero")
	}
	if l.AsksForKeepalive() {
		return nil, doqError("edns-tcp-keepalive") // RFC 9250, 5.5.2
	}
	return l, nil
}

// doqError is what 4.3.3 calls an error of the protocol: it ends the connection.
func doqError(text string) *quicError {
	return &quicError{code: wire.DoQProtocolError, text: text}
}

// cutShort turns the end of a stream into what it means before that of a query.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return doqError("a stream that ends before its query")
	}
	return err
}

// reply answers a query when it is due, and ends the stream.
func (c *doqConn) reply(str *quic.Stream, l *lookup) (accesslog.Entry, error) {
	s := c.server
	lost := !c.wait(s.due(s.now(), l.Delay))
	l.kept = c.persists()
	a := l.Answer(site.Carrier{Encrypted: true})
	entry := c.entry(&a, linger.OverQUIC, l.number)
	entry.Kept = l.kept
	if lost {
		return entry, net.ErrClosed
	}
	str.SetWriteDeadline(s.at(s.now().Add(s.config.Stall)))
	if _, err := str.Write(wire.AppendMessage(make([]byte, 0, wire.MessagePrefix+len(a.Body)), a.Body)); err != nil {
		return entry, err
	}
	return entry, str.Close()
}
