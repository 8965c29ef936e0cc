package live

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"linger"
	"linger/dial"
	"linger/trace"
	"linger/wire"
)

// tcp is the protocol of all connections over TCP: HTTP/1 and HTTP/2, with TLS or
// without.
type tcp struct {
	run     *run
	address string // of the origin
	dial    dial.Func
	tls     *tls.Config // nil in cleartext
	// talk speaks HTTP on a connection on which it may be spoken, and returns once
	// c.ctx is over or nothing more can be sent, and nothing more is read.
	talk func(*conn, net.Conn)
	// streams is how many requests the server is taken to allow at first; 0 is not said.
	streams int
	// polite says that the peer is told before the connection ends.
	polite bool
}

func newTCP(ctx context.Context, r *run, to Config) (protocol, error) {
	open, err := to.dialer(ctx, r.scenario.Strategy.FastOpen)
	if err != nil {
		return nil, err
	}
	p := &tcp{run: r, address: to.Address, dial: open, talk: speakHTTP1}
	alpn := linger.HTTP11.ALPN() // HTTP/1.0 too: the version is said in each message
	if r.speaks.Multiplexed() {
		alpn, p.talk, p.streams, p.polite = r.speaks.ALPN(), speakHTTP2, wire.AssumedStreams, true
	}
	if r.secure() {
		p.tls, p.polite = to.clientTLS(r.scenario.Strategy, alpn), true
	}
	return p, nil
}

// visit opens a connection and closes it, so that the kernel has the server's
// cookie, which it keeps "for future TCP Fast Open connections" (RFC 7413, 3).
func (p *tcp) visit(ctx context.Context) error {
	if !p.run.scenario.Strategy.FastOpen {
		return nil
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(outer, p.run.config.Limits.Connect)
	defer cancel()
	socket, err := p.dial(ctx)
	if err != nil {
		if outer.Err() != nil {
			return errInterrupted(outer)
		}
		reason := brief(dial.Cause(err))
		if dial.IsLate(err) {
			reason = "connect timed out after " + p.run.config.Limits.Connect.String()
		}
		return dial.Unreachable("cannot fetch a cookie for TCP Fast Open from " + p.address + ": " + reason)
	}
	return socket.Close()
}

func (p *tcp) release() {}

func (p *tcp) speak(c *conn) {
	socket, err := p.dial(c.ctx)
	at := p.run.now()
	if err != nil {
		c.fail(at, blame(err), "cannot connect to "+p.address+": "+brief(dial.Cause(err)))
		return
	}
	defer socket.Close()
	if !c.attach(func(time.Duration) { socket.Close() }) {
		return
	}
	local, remote := socket.LocalAddr().String(), socket.RemoteAddr().String()
	isOpen := !p.run.scenario.Strategy.FastOpen || dial.IsOpen(socket)
	c.tell(event{kind: established, at: at, about: func(k *trace.Connection) {
		k.Client, k.Server = local, remote
		if isOpen {
			k.Established = linger.Known(at)
		}
	}})
	if p.run.scenario.Strategy.FastOpen {
		socket = &opener{Conn: socket, conn: c}
	}
	if p.streams > 0 {
		c.tell(event{kind: streams, at: at, streams: p.streams})
	}
	stream, ok := socket, true
	if p.tls != nil {
		stream, ok = p.secure(c, socket)
	} else {
		c.tell(event{kind: connected, at: at})
	}
	if !ok {
		return
	}
	if !p.polite {
		p.talk(c, stream)
		return
	}
	// RFC 8446, 6.1: "Each party MUST send a "close_notify" alert before closing its
	// write side"; RFC 9113, 9.1: "the terminating endpoint SHOULD first send a
	// GOAWAY". What sends them is woken, and does not wait long; nor does what
	// reads until the server has closed too, so that what it says last meets no RST.
	if c.attach(func(patience time.Duration) { socket.SetDeadline(time.Now().Add(patience)) }) {
		p.talk(c, stream)
	}
}

// secure makes the TLS handshake. It reports whether HTTP may be spoken.
func (p *tcp) secure(c *conn, socket net.Conn) (net.Conn, bool) {
	over := &records{Conn: socket, counting: true}
	stream := tls.Client(over, p.tls)
	err := stream.HandshakeContext(c.ctx)
	at := p.run.now()
	over.counting = false
	alpn, reason := p.tls.NextProtos[0], ""
	if err != nil {
		reason = handshakeReason(err, alpn)
	} else {
		reason = wrongALPN(stream.ConnectionState(), alpn)
	}
	if reason != "" {
		c.fail(at, handshakeBlame(err), reason)
		return nil, false
	}
	t := tlsTrace(stream.ConnectionState())
	t.Up, t.Down = over.up, over.down
	c.tell(event{kind: connected, at: at, about: func(k *trace.Connection) {
		k.Secured, k.TLS = linger.Known(at), linger.Known(t)
	}})
	return stream, true
}

// leave ends the sending side of a connection, TLS's first.
func leave(socket net.Conn) {
	if t, ok := socket.(*tls.Conn); ok {
		_ = t.CloseWrite()
		socket = t.NetConn()
	}
	for {
		switch s := socket.(type) {
		case *records:
			socket = s.Conn
		case *opener:
			socket = s.Conn
		case interface{ CloseWrite() error }:
			_ = s.CloseWrite()
			return
		default:
			_ = s.Close()
			return
		}
	}
}

// blame says who an error of a dial comes from.
func blame(err error) trace.Peer {
	if errors.Is(err, syscall.ECONNREFUSED) || dial.IsReset(err) {
		return trace.AtServer
	}
	return trace.AtClient
}

// dialer returns what opens a TCP connection to the configured address.
func (c Config) dialer(ctx context.Context, fastOpen bool) (dial.Func, error) {
	if c.Dial == nil {
		return dial.TCP(ctx, c.Address, dial.Options{Route: c.Route, Congestion: c.Congestion, FastOpen: fastOpen, Local: c.Local})
	}
	if fastOpen {
		return nil, errors.New("TCP Fast Open is an option of a socket that this run does not open itself; leave +tfo out")
	}
	return func(ctx context.Context) (net.Conn, error) { return c.Dial(ctx, "tcp", c.Address) }, nil
}

// An opener is a connection that was to be opened with data in its SYN. Once the
// server has said something, the kernel knows whether it was.
type opener struct {
	net.Conn
	conn *conn
	told atomic.Bool
}

func (o *opener) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if n > 0 && !o.told.Swap(true) {
		if taken, ok := dial.SynDataTaken(o.Conn).Get(); ok {
			o.conn.tell(event{kind: established, at: o.conn.run.now(), about: func(k *trace.Connection) {
				k.FastOpen = linger.Known(taken)
			}})
		}
	}
	return n, err
}

// errInterrupted says that ctx ended during the earlier visit.
func errInterrupted(ctx context.Context) error {
	return fmt.Errorf("interrupted during the visit before the run: %w", ctx.Err())
}
