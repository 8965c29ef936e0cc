package prober

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"linger"
	"linger/dial"
	"linger/probe/limits"
	"linger/profile"
)

const (
	// MaxHead bounds the head of a response, and MaxBody its content, in bytes.
	MaxHead = 256 << 10
	MaxBody = 4 << 20
)

// A Connection is one connection of TCP to the target, or of a Unix socket, over TLS or not.
type Connection struct {
	net.Conn // what is spoken over
	Prober   *Prober
	Socket   net.Conn             // of TCP, or a Unix socket
	State    *tls.ConnectionState // nil in cleartext
	Bounded  *io.LimitedReader    // by which whoever reads bounds what comes
	In       *bufio.Reader        // of Bounded

	Handshake   time.Duration // TCP's, as the caller sees it
	Established time.Time     // TCP's handshake was over
	Ready       time.Time     // TLS's was, too
	limits.Span               // of the last response
	dropped     bool
}

// Open opens a connection. alter, unless it is nil, changes the configuration of TLS before
// it is used.
func (p *Prober) Open(ctx context.Context, alter func(*tls.Config)) (*Connection, error) {
	c, err := p.Connect(ctx)
	if err != nil || p.Target.TLS == nil {
		return c, err
	}
	if err := c.secure(ctx, alter); err != nil {
		c.Drop()
		return nil, err
	}
	return c, nil
}

// spacing is how far apart connections are opened, at least: servers have a queue, which may
// be as short as five, for those that they have not accepted yet.
const spacing = 3 * time.Millisecond

// turn waits until it is time to open another connection.
func (p *Prober) turn(ctx context.Context) error {
	p.mu.Lock()
	due := Later(p.opens, time.Now())
	p.opens = due.Add(spacing)
	p.mu.Unlock()
	return Sleep(ctx, time.Until(due))
}

// Connect opens a connection of TCP and says nothing on it.
func (p *Prober) Connect(ctx context.Context) (*Connection, error) {
	if err := p.turn(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.Answer)
	defer cancel()
	began := time.Now()
	socket, err := p.Route.Dial(ctx, new(net.Dialer), p.Target.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %s", p.Target.Address, Cause(err))
	}
	now := time.Now()
	p.Opened(1)
	p.noteHandshake(now.Sub(began))
	c := &Connection{Conn: socket, Prober: p, Socket: socket, Handshake: now.Sub(began), Established: now, Ready: now}
	c.listen()
	return c, nil
}

// secure does TLS's handshake on a connection that has said nothing yet.
func (c *Connection) secure(ctx context.Context, alter func(*tls.Config)) error {
	return c.SecureOver(ctx, c.Socket, alter)
}

// SecureOver is secure, by way of what stands for the socket.
func (c *Connection) SecureOver(ctx context.Context, wire net.Conn, alter func(*tls.Config)) error {
	ctx, cancel := context.WithTimeout(ctx, c.Prober.Answer)
	defer cancel()
	config := c.Prober.Target.TLS.Clone()
	if alter != nil {
		alter(config)
	}
	secured := tls.Client(wire, config)
	err := secured.HandshakeContext(ctx)
	if wrong, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		text := strings.TrimPrefix(linger.Brief(wrong.Err.Error()), "x509: ")
		return fmt.Errorf("the certificate of %s is not valid: %s; -k goes on all the same", c.Prober.Target.Address, text)
	}
	if err != nil {
		return fmt.Errorf("TLS with %s: %s", c.Prober.Target.Address, Cause(err))
	}
	state := secured.ConnectionState()
	c.Conn, c.State, c.Ready = secured, &state, time.Now()
	c.listen()
	return nil
}

func (c *Connection) listen() {
	c.Bounded = &io.LimitedReader{R: c.Conn}
	c.In = bufio.NewReader(c.Bounded)
}

// Drop ends the connection, and may be called twice.
func (c *Connection) Drop() {
	if !c.dropped {
		c.dropped = true
		c.Prober.Opened(-1)
		c.Socket.SetDeadline(time.Now().Add(100 * time.Millisecond)) // for TLS's close_notify
		c.Conn.Close()
	}
}

// Opened counts connections.
func (p *Prober) Opened(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connected += n
	if n > 0 {
		p.profile.Spent.Connections += n
		p.profile.Spent.Peak = max(p.profile.Spent.Peak, p.connected)
	}
}

// Sampled is how many bytes are kept of those that nobody had asked for.
const Sampled = 256

// Until has reading end at an instant, or never where that is zero, and as soon as ctx is
// over. What it returns has that end.
func (c *Connection) Until(ctx context.Context, t time.Time) (stop func() bool) {
	c.Socket.SetReadDeadline(t)
	return context.AfterFunc(ctx, func() { c.Socket.SetReadDeadline(time.Unix(1, 0)) })
}

// AwaitEnd waits until the server ends the connection, or ctx is over.
func (c *Connection) AwaitEnd(ctx context.Context) limits.End {
	stop := c.Until(ctx, time.Time{})
	defer stop()
	var e limits.End
	for once := false; ; {
		c.Bounded.N = MaxBody
		b, err := c.In.ReadByte()
		e.At = time.Now()
		if errors.Is(err, os.ErrDeadlineExceeded) && !once {
			// Where this machine was busy, an end may lie there that came before: reading with
			// a deadline that has passed does not look.
			once = true
			c.Socket.SetReadDeadline(e.At.Add(time.Millisecond))
			continue
		}
		if err == nil {
			if e.Stray == 0 {
				e.FirstStray = e.At
			}
			if len(e.Sent) < Sampled {
				e.Sent = append(e.Sent, b)
			}
			if e.Stray++; e.Stray > MaxBody {
				e.Err = fmt.Errorf("it sends without end")
				return e
			}
			continue
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		default:
			if word, ok := dial.Alert(err); ok {
				e.Said = &profile.Said{Text: word}
				err = c.rest()
			}
			if e.How, e.Err = c.HowEnded(err); e.Said != nil && TimedOut(e.Err) {
				e.Err = nil // TLS is over, and TCP left to the client
			}
		}
		return e
	}
}

// rest reads what is left of the socket behind an alert that ended TLS, and returns how it
// ends; io.ErrUnexpectedEOF is FIN.
func (c *Connection) rest() error {
	c.Socket.SetReadDeadline(time.Now().Add(c.Prober.Answer))
	if _, err := io.Copy(io.Discard, io.LimitReader(c.Socket, MaxBody)); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// HowEnded names the end that reading a connection met with.
func (c *Connection) HowEnded(err error) (profile.Ending, error) {
	switch {
	case dial.IsReset(err):
		return profile.RST, nil
	case errors.Is(err, io.EOF) && c.State != nil:
		// What came was the alert; what ends TCP comes behind it.
		c.Socket.SetReadDeadline(time.Now().Add(c.Prober.Answer))
		if _, err := io.Copy(io.Discard, io.LimitReader(c.Socket, MaxBody)); dial.IsReset(err) {
			return profile.CloseNotifyRST, nil
		}
		return profile.CloseNotify, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return profile.FIN, nil
	}
	return "", err
}
