package live

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"linger"
	"linger/trace"
)

// tcp is the protocol of all connections over TCP: HTTP/1 and HTTP/2, with TLS or
// without.
type tcp struct {
	run     *run
	address string // of the origin
	dial    func(context.Context) (net.Conn, error)
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
	dial, err := to.dialer(ctx, r.scenario.Strategy.FastOpen)
	if err != nil {
		return nil, err
	}
	p := &tcp{run: r, address: to.Address, dial: dial, talk: speakHTTP1}
	alpn := "http/1.1"
	if r.scenario.Strategy.Version == "2" {
		alpn, p.talk, p.streams, p.polite = "h2", speakHTTP2, assumedStreams, true
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
		reason := brief(Cause(err))
		if isLate(err) {
			reason = "connect timed out after " + p.run.config.Limits.Connect.String()
		}
		return unreachable("cannot fetch a cookie for TCP Fast Open from " + p.address + ": " + reason)
	}
	return socket.Close()
}

func (p *tcp) release() {}

func (p *tcp) speak(c *conn) {
	socket, err := p.dial(c.ctx)
	at := p.run.now()
	if err != nil {
		c.fail(at, blame(err), "cannot connect to "+p.address+": "+brief(Cause(err)))
		return
	}
	defer socket.Close()
	if !c.attach(func() { socket.Close() }) {
		return
	}
	local, remote := socket.LocalAddr().String(), socket.RemoteAddr().String()
	open := !p.run.scenario.Strategy.FastOpen || isOpen(socket)
	c.tell(event{kind: established, at: at, about: func(k *trace.Connection) {
		k.Client, k.Server = local, remote
		if open {
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
	// reads until the server has closed too, so that its own farewell meets no RST.
	if c.attach(func() { socket.SetDeadline(time.Now().Add(max(p.run.config.Limits.Linger, time.Millisecond))) }) {
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
	if errors.Is(err, syscall.ECONNREFUSED) || IsReset(err) {
		return trace.AtServer
	}
	return trace.AtClient
}

// dialer returns what opens a TCP connection to the configured address.
func (c Config) dialer(ctx context.Context, fastOpen bool) (func(context.Context) (net.Conn, error), error) {
	if c.Dial != nil {
		if fastOpen {
			return nil, errors.New("TCP Fast Open is an option of a socket that this run does not open itself; leave +tfo out")
		}
		return func(ctx context.Context) (net.Conn, error) { return c.Dial(ctx, "tcp", c.Address) }, nil
	}
	var addresses []netip.AddrPort
	if c.Route.Unix == "" {
		var err error
		if addresses, err = c.Route.Addresses(ctx, c.Address); err != nil {
			return nil, err
		}
	} else if fastOpen || c.Congestion != "" {
		return nil, errors.New("TCP Fast Open and congestion control are TCP's, and the connection is one of a Unix socket; leave them out")
	}
	// Probes of TCP's own keep-alive would be packets that no strategy asked for.
	// TCP_NODELAY is on, as Go sets it.
	d := net.Dialer{KeepAlive: -1}
	var options []func(fd uintptr) error
	if c.Congestion != "" {
		if err := tryCongestion(c.Congestion); err != nil {
			return nil, err
		}
		options = append(options, func(fd uintptr) error { return setCongestion(fd, c.Congestion) })
	}
	if fastOpen {
		if err := tryFastOpen(); err != nil {
			return nil, err
		}
		options = append(options, setFastOpen)
	}
	if len(options) > 0 {
		d.Control = func(_, _ string, raw syscall.RawConn) error {
			var failed error
			if err := raw.Control(func(fd uintptr) {
				for _, set := range options {
					failed = errors.Join(failed, set(fd))
				}
			}); err != nil {
				return err
			}
			return failed
		}
	}
	return func(ctx context.Context) (net.Conn, error) {
		if c.Route.Unix != "" {
			return c.Route.Dial(ctx, &d, c.Address)
		}
		return dialFirst(ctx, &d, addresses)
	}, nil
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
		if taken, ok := synDataTaken(o.Conn).Get(); ok {
			o.conn.tell(event{kind: established, at: o.conn.run.now(), about: func(k *trace.Connection) {
				k.FastOpen = linger.Known(taken)
			}})
		}
	}
	return n, err
}

// A lookupError is a name that nobody knows, or that cannot be asked for.
type lookupError struct {
	host string
	err  error
}

func (e lookupError) Error() string {
	return fmt.Sprintf("cannot find %s: %s; check the name", e.host, brief(Cause(e.err)))
}

func (e lookupError) Unwrap() error { return e.err }

func (e lookupError) Is(target error) bool { return target == ErrUnreachable }

// ErrUnreachable is what an error is where the server cannot be reached before the
// run has begun: nobody knows its name, or the earlier visit that a strategy
// presupposes failed. The error's own text says which.
var ErrUnreachable = errors.New("the server cannot be reached")

// An unreachable is an ErrUnreachable in words of its own.
type unreachable string

func (e unreachable) Error() string { return string(e) }

func (e unreachable) Is(target error) bool { return target == ErrUnreachable }

// errInterrupted says that ctx ended during the earlier visit.
func errInterrupted(ctx context.Context) error {
	return fmt.Errorf("interrupted during the visit before the run: %w", ctx.Err())
}

// isLate reports whether a dial has run into its time limit.
func isLate(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}
