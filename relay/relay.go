// Package relay carries connections on to a server: for each one that it accepts it opens
// one, hands on what either side sends as it comes, and ends each side as the other ended: a
// FIN by a FIN, a reset by a reset. It knows neither HTTP nor TLS.
//
// TCP ends at the relay, twice: what it acknowledges may not have reached the server yet, and
// a client is connected before the server has been asked. What the way to the server
// adds is told by [Seen].
package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"linger"
)

const (
	// dialWithin is how long the server may take to accept a connection.
	dialWithin = 30 * time.Second
	// most bounds the connections that are open at once.
	most = 4096
	// kept bounds how many times of connecting are remembered.
	kept = 1 << 16
	// chunk is what is read at once.
	chunk = 16 << 10
)

// A Config is how a relay behaves.
type Config struct {
	// Addresses are the server's, IP:port, in the order in which they are tried. One
	// that has worked is the first from then on.
	Addresses []string
	// Down is the rate of the path towards the client, and Up that away from it. Little
	// more than that carries is held here, so that whoever sends is held up as by the path
	// itself. 0 is without a limit, and what the kernel thinks fit is held.
	Down, Up linger.Rate
	// MTU is the path's. The server is asked for segments that fit, whatever its own
	// path would carry: how much it buffers follows from that. 0 asks for nothing.
	MTU int
}

// A Seen is what a relay has done.
type Seen struct {
	Connections int // that the server accepted
	Failed      int // that it did not
	// Reason is why, of the first.
	Reason string
	// Connect are the times that it took to open each connection.
	Connect []time.Duration
	// Server is the address that was connected to, the latest; empty where none was.
	Server string
	// Datagrams is how many addresses of clients have sent datagrams.
	Datagrams int
}

// A Relay carries on what comes in by its listeners.
type Relay struct {
	config  Config
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu        sync.Mutex
	open      map[io.Closer]bool // that Close ends
	addresses []string           // of the server, the one that worked first
	seen      Seen
}

// New returns a relay without a listener.
func New(c Config) *Relay {
	ctx, cancel := context.WithCancel(context.Background())
	return &Relay{config: c, ctx: ctx, cancel: cancel, open: map[io.Closer]bool{}, addresses: c.Addresses}
}

// Serve carries on what ln accepts, and closes it in the end. It does not wait.
func (r *Relay) Serve(ln net.Listener) {
	if !r.hold(ln) {
		return
	}
	r.running.Go(func() {
		defer r.drop(ln)
		free := make(chan struct{}, most)
		for {
			free <- struct{}{}
			c, err := ln.Accept()
			if err != nil && r.ctx.Err() == nil && !errors.Is(err, net.ErrClosed) {
				// Too many files are open, or the like: it passes.
				<-free
				time.Sleep(10 * time.Millisecond)
				continue
			}
			if err != nil {
				return
			}
			r.running.Go(func() {
				defer func() { <-free }()
				r.carry(c.(*net.TCPConn))
			})
		}
	})
}

// Close ends all connections and waits for that; what has not ended by then is reset.
func (r *Relay) Close() {
	r.cancel()
	r.mu.Lock()
	for c := range r.open {
		c.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
}

// Seen returns what has been done so far.
func (r *Relay) Seen() Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.seen
	out.Connect = append([]time.Duration(nil), out.Connect...)
	return out
}

// hold has Close close c, and reports whether it is still to come.
func (r *Relay) hold(c io.Closer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		c.Close()
		return false
	}
	r.open[c] = true
	return true
}

// drop closes c.
func (r *Relay) drop(c io.Closer) {
	r.mu.Lock()
	delete(r.open, c)
	r.mu.Unlock()
	c.Close()
}

// A resetter is a connection whose closing resets it.
type resetter struct{ *net.TCPConn }

func (c resetter) Close() error {
	c.SetLinger(0)
	return c.TCPConn.Close()
}

// carry opens a connection to the server, and has both be as one.
func (r *Relay) carry(client *net.TCPConn) {
	near := resetter{client}
	if !r.hold(near) {
		return
	}
	client.SetKeepAlive(false) // whose probes nobody sent
	server, took, err := r.dial()
	if err != nil {
		r.drop(near)
		return
	}
	r.config.bound(client, server, took)
	far := resetter{server}
	if !r.hold(far) {
		r.drop(near)
		return
	}
	ends := make(chan bool, 2)
	r.running.Go(func() { ends <- r.half(client, server) })
	r.running.Go(func() { ends <- r.half(server, client) })
	whole := <-ends
	if whole {
		whole = <-ends
	}
	if whole {
		// Both have said all, and been told so: nothing is left that could be reset.
		r.mu.Lock()
		delete(r.open, near)
		delete(r.open, far)
		r.mu.Unlock()
		client.Close()
		server.Close()
		return
	}
	r.drop(near)
	r.drop(far)
}

// half hands on what from sends, and its end, and reports whether that was in order. After
// its end, from may still reset the connection, while the other side goes on: then that is reset.
func (r *Relay) half(from, to *net.TCPConn) (orderly bool) {
	buf := make([]byte, chunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, failed := to.Write(buf[:n]); failed != nil {
				return false // whoever reads there is gone
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false
		}
	}
	if to.CloseWrite() != nil {
		return false
	}
	r.running.Go(func() {
		if isReset(from) {
			resetter{to}.Close()
		}
	})
	return true
}

// dial opens a connection to the server at the first of its addresses that takes it.
func (r *Relay) dial() (c *net.TCPConn, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(r.ctx, dialWithin)
	defer cancel()
	d := net.Dialer{KeepAlive: -1, Control: r.config.prepare}
	d.SetMultipathTCP(false)
	r.mu.Lock()
	addresses := r.addresses
	r.mu.Unlock()
	var first error
	for i, address := range addresses {
		began := time.Now()
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		took := time.Since(began)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen.Connections++
		r.seen.Server = address
		if len(r.seen.Connect) < kept {
			r.seen.Connect = append(r.seen.Connect, took)
		}
		if i > 0 {
			r.addresses = append([]string{address}, without(addresses, i)...)
		}
		return c.(*net.TCPConn), took, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen.Failed++; r.seen.Reason == "" && r.ctx.Err() == nil {
		r.seen.Reason = reasonOf(first)
	}
	return nil, 0, first
}

func without(list []string, i int) []string {
	return append(append([]string(nil), list[:i]...), list[i+1:]...)
}

// reasonOf is an error of dialling without what the reader knows already.
func reasonOf(err error) string {
	var system *os.SyscallError
	var e *net.OpError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer within " + dialWithin.String()
	case errors.As(err, &system):
		return system.Err.Error()
	case errors.As(err, &e) && e.Err != nil:
		return e.Err.Error()
	}
	return err.Error()
}
