package origin

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"linger"
	"linger/origin/accesslog"
	"linger/policy"
	"linger/trace"
)

// A duplex is a connection over TCP or TLS that two goroutines carry: one reads, the other
// sends. What both touch is under mu, and nobody holds that while waiting for the network.
type duplex struct {
	session
	nc net.Conn

	mu     sync.Mutex
	wake   chan struct{} // there is something for the sender to look at
	gone   chan struct{} // closed when nothing more is read
	failed bool          // no more can be sent
	late   int64         // bytes that came after the end
}

// A duplexProtocol is the protocol of a duplex: HTTP/2, or DNS over TCP and TLS.
type duplexProtocol interface {
	// read takes in what the client sends until nothing more is read: for errEnd, which is a
	// reason of ours, or the network's error.
	read() error
	// readEnded notes, under mu, that nothing more is read, and why.
	readEnded(err error)
	// drain reads and drops what still comes.
	drain()
	// turn sends what there is to send, and says what comes next.
	turn() outcome
	// abandon gives up, under mu, what has not been answered.
	abandon()
}

// An outcome is what has come of a turn of the sender.
type outcome struct {
	sent  bool          // something was to be sent
	ended bool          // the connection has ended
	err   error         // no more can be sent
	wait  time.Duration // until there is something to do without being woken
}

// takeOver makes a connection of that version of HTTP, or "", out of c.
func (c *conn) takeOver(version string) duplex {
	s := c.session
	s.policy = s.server.policyOf(version)
	s.machine = policy.NewServer(s.policy, s.server.now())
	return duplex{session: s, nc: c.nc, wake: make(chan struct{}, 1), gone: make(chan struct{})}
}

func (c *duplex) leave(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.machine.HandleDismissal(why)
	c.signal()
}

func (c *duplex) cut(why string) {
	c.asked.CompareAndSwap(nil, &why)
	bare(c.nc).Close()
}

// signal has the sender look.
func (c *duplex) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run carries the connection to its end.
func (c *duplex) run(p duplexProtocol) {
	c.nc.SetReadDeadline(time.Time{})
	var sender sync.WaitGroup
	sender.Go(func() { c.send(p) })
	err := p.read()
	c.mu.Lock()
	p.readEnded(err)
	c.signal()
	c.mu.Unlock()
	if err == errEnd {
		p.drain()
	}
	close(c.gone)
	sender.Wait()
	c.logClosed(c.late)
}

// send sends what there is until the connection has ended, and ends it.
func (c *duplex) send(p duplexProtocol) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		o := p.turn()
		switch {
		case o.err != nil || o.ended && !o.sent:
			c.close(p)
			return
		case o.sent:
			continue
		}
		timer.Reset(o.wait)
		select {
		case <-c.wake:
		case <-timer.C:
		}
	}
}

// write hands b to the kernel, for as long as that takes something.
func (c *duplex) write(b []byte) error {
	for {
		c.nc.SetWriteDeadline(c.server.at(c.server.now().Add(c.server.config.Stall)))
		n, err := c.nc.Write(b)
		b = b[n:]
		switch {
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case n == 0:
			return fmt.Errorf("%w in taking its response", errStalled)
		}
	}
}

// unsent notes that no more can be sent, if err says so, and returns why.
func (c *duplex) unsent(err error) (failed string) {
	if err == nil {
		return ""
	}
	c.blame(err, false)
	c.failed = true
	return c.reason
}

// answered notes what has become of a response, which has failed for a reason or is on its
// way.
func (c *duplex) answered(e accesslog.Entry, started, now linger.Instant, failed string) {
	c.machine.HandleResponse(now)
	c.tell()
	if c.server.config.Log != nil {
		c.log(e, started, now, failed)
	}
}

// close ends the connection in the policy's style.
func (c *duplex) close(p duplexProtocol) {
	c.mu.Lock()
	p.abandon()
	gently := c.by == trace.AtServer && !c.failed
	c.mu.Unlock()
	switch {
	case gently && c.policy.Style == policy.CloseRST:
		reset(c.nc)
	case gently:
		c.linger()
	}
	c.nc.Close()
}

// linger closes the sending side, then waits until the client has closed, too; see
// conn.linger.
func (c *duplex) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	timer := time.NewTimer(c.server.config.Linger)
	defer timer.Stop()
	select {
	case <-c.gone:
	case <-timer.C:
	}
}
