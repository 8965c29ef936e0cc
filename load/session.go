package load

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"linger"
	"linger/dial"
	"linger/load/answer"
	"linger/tally"
)

// opener returns what opens connections to an origin.
func (s *setup) opener(ctx context.Context, o *origin) (openFunc, error) {
	if s.Strategy.QUIC() {
		return s.openH3(o), nil
	}
	locals := s.Locals
	if len(locals) == 0 {
		locals = []netip.Addr{{}}
	}
	var dials []dial.Func
	for _, local := range locals {
		d, err := dial.TCP(ctx, o.address, dial.Options{Route: s.Route, FastOpen: s.Strategy.FastOpen, Local: local})
		if err != nil {
			return nil, err
		}
		dials = append(dials, d)
	}
	var turn atomic.Uint32
	connect := func(ctx context.Context) (*socket, error) {
		raw, err := dials[int(turn.Add(1))%len(dials)](ctx)
		if err != nil {
			return nil, err
		}
		k := &socket{Conn: raw, under: raw}
		if o.tls == nil {
			return k, nil
		}
		secure := tls.Client(raw, o.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			raw.Close()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, failure{tally.Handshake, err}
		}
		if got, want := secure.ConnectionState().NegotiatedProtocol, o.tls.NextProtos[0]; got != want && (got != "" || want != linger.HTTP11.ALPN()) {
			raw.Close()
			return nil, failure{tally.Handshake, fmt.Errorf("server does not speak %s: it chose %q (ALPN)", want, got)}
		}
		k.Conn, k.tls = secure, secure
		return k, nil
	}
	if s.Strategy.Protocol().Multiplexed() {
		return s.openH2(o, connect), nil
	}
	return func(ctx context.Context) (session, error) {
		k, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		return &plain{socket: k, patience: s.Answer, buf: make([]byte, 16<<10)}, nil
	}, nil
}

// A socket is a connection of TCP, with TLS or without, that remembers who ended it.
type socket struct {
	net.Conn // what is spoken on
	under    net.Conn
	tls      *tls.Conn // nil in the clear
	end      atomic.Pointer[tally.Close]
}

func (k *socket) handshake() (resumed, ok bool) {
	if k.tls == nil {
		return false, false
	}
	return k.tls.ConnectionState().DidResume, true
}

func (k *socket) early() bool { return false }

func (k *socket) Read(b []byte) (int, error) {
	n, err := k.Conn.Read(b)
	if err != nil {
		k.note(err)
	}
	return n, err
}

// note remembers who ended the connection, by the first error that tells.
func (k *socket) note(err error) {
	var c tally.Close
	switch {
	case dial.IsReset(err):
		c = tally.Close{By: tally.ByServer, With: withRST}
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		c = tally.Close{By: tally.ByServer, With: withFIN}
	default:
		return
	}
	k.end.CompareAndSwap(nil, &c)
}

// finish closes the connection and says how it ended.
func (k *socket) finish(reset bool) tally.Close {
	c := tally.Close{By: tally.ByClient, With: withFIN}
	if reset {
		c.With = withRST
		if t, ok := k.under.(interface{ SetLinger(int) error }); ok {
			_ = t.SetLinger(0)
		}
	}
	if before := k.end.Load(); before != nil {
		c = *before
	} else if hasFIN(k.under) {
		c = tally.Close{By: tally.ByServer, With: withFIN}
	}
	if reset {
		_ = k.under.Close()
	} else {
		_ = k.Conn.Close()
	}
	return c
}

// plain is HTTP/1 on a connection: one request at a time.
type plain struct {
	*socket
	patience time.Duration
	machine  answer.Machine
	buf      []byte
	over     bool
}

func (p *plain) lives() bool { return !p.over }

func (p *plain) close(reset bool) tally.Close { return p.finish(reset) }

func (p *plain) do(ctx context.Context, t *target, last bool, at marks) (a outcome, err error) {
	stop := context.AfterFunc(ctx, func() { _ = p.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := p.SetDeadline(time.Now().Add(p.patience)); err != nil {
		return a, err
	}
	if ctx.Err() != nil {
		return a, ctx.Err()
	}
	wire := t.wire
	if last {
		wire = t.last
	}
	at.sent()
	n, err := p.Write(wire)
	a.up = int64(n)
	if err != nil && !dial.IsReset(err) {
		p.note(err)
		return a, err
	}
	p.machine.Begin(t.method == "HEAD")
	for {
		n, err := p.Read(p.buf)
		if n > 0 {
			at.first()
			used, done, wrong := p.machine.Feed(p.buf[:n])
			a.down += int64(used)
			a.begun = true
			if wrong != nil {
				p.over = true
				return a, failure{tally.Malformed, wrong}
			}
			if done {
				break
			}
		}
		if errors.Is(err, io.EOF) && p.machine.End() == nil {
			break
		}
		if err != nil {
			p.over = true
			return a, err
		}
	}
	a.status, a.close = p.machine.Status, p.machine.Close
	p.over = a.close
	return a, nil
}

// systemFailure is the kind of an error that is neither a timeout nor a reset.
func systemFailure(err error) tally.Failure {
	number, ok := errors.AsType[syscall.Errno](err)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed):
		return tally.ClosedEarly
	case !ok:
		return tally.OtherError
	}
	switch number {
	case syscall.ECONNREFUSED:
		return tally.Refused
	case syscall.EADDRNOTAVAIL:
		return tally.NoPorts
	case syscall.EMFILE, syscall.ENFILE:
		return tally.NoFiles
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH:
		return tally.Unreachable
	case syscall.ETIMEDOUT:
		return tally.TimedOut
	}
	return tally.OtherError
}

// authority is what HTTP/2 and HTTP/3 send as such.
func (s *setup) authority(t *target) string { return cmp.Or(t.Host, t.Address) }
