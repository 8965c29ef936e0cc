package live

import (
	"context"
	"sync"
	"time"

	"linger"
	"linger/page"
	"linger/policy"
	"linger/trace"
)

// A protocol opens connections of one kind for one run and speaks on them: HTTP/1
// or HTTP/2 over TCP, with TLS or without, or HTTP/3 over QUIC. It decides nothing.
type protocol interface {
	// visit makes the earlier visit that a strategy presupposes, before the run
	// begins: for a cookie of TCP Fast Open, a ticket for early data.
	visit(ctx context.Context) error
	// speak serves c from the dial to the end, in a goroutine of the run. It takes
	// the requests of c and tells what becomes of them, in this order:
	//
	//	established  the transport is up (where it has a handshake of its own)
	//	early        requests may go as early data; or not at all
	//	connected    the handshakes are done: HTTP may be spoken
	//	streams      how many requests the server lets be outstanding; any time, also
	//	             before connected, any number of times; math.MaxInt32 is no limit
	//	sent, uploaded..., begun, (arrived, found)..., done | reset   for each request
	//	ignored, truncated, limited   of DNS, any time before done
	//	goaway       any time; the requests in refused will not be answered
	//	closed       nothing more can be read; nothing follows but sent
	//
	// dialFailed, in place of connected, is the end. What follows c.close does not
	// count. When speak returns, nothing of c is left: no goroutine, no socket.
	speak(c *conn)
	// release frees what the connections had in common, after the last has ended.
	release()
}

// A conn is one connection, as the owner of the run knows it. What speaks on it
// tells the owner what happened and when, and takes the requests.
type conn struct {
	id     int
	run    *run
	place  int             // of the run's, that it goes to
	stream bool            // of TCP, in place of a datagram's socket
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	wake   chan struct{} // something is in outgoing

	// Owned by the goroutine of the run.
	staged []request // to be sent with the next flush
	gone   bool      // closed, or never established
	broken bool      // the server has broken the protocol
	record trace.Connection
	answered

	// epilogue writes what is known of the connection once speak has returned; nil
	// is nothing.
	epilogue func(*trace.Connection)

	mu       sync.Mutex
	outgoing []request // to be taken
	closed   bool
	hangUp   func(patience time.Duration) // ends what is under way on the transport
	patience time.Duration                // that it is given
}

func newConn(r *run, id, place int, stream bool) *conn {
	ctx, cancel := context.WithCancel(r.ctx)
	return &conn{id: id, place: place, run: r, stream: stream, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1)}
}

// answered counts the responses that were what was asked for, and the bytes of their bodies.
type answered struct {
	requests int
	bytes    int64
}

func (a *answered) add(body int64) {
	a.requests++
	a.bytes += body
}

// host is what requests on the connection bear as their Host.
func (c *conn) host() string { return c.run.places[c.place].Host }

// flush hands over what is staged. It goes out in one write, as long as it fits.
func (c *conn) flush() {
	if len(c.staged) == 0 {
		return
	}
	c.mu.Lock()
	c.outgoing = append(c.outgoing, c.staged...)
	c.mu.Unlock()
	c.staged = c.staged[:0]
	c.stir()
}

// stir wakes whoever waits on c.wake.
func (c *conn) stir() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// take swaps what is outgoing for an empty batch, which may be none.
func (c *conn) take(empty []request) []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	batch := c.outgoing
	c.outgoing = empty[:0]
	return batch
}

// await waits for what is outgoing, and takes it; empty is an empty batch, which may be none. It
// returns false where the connection has been closed.
func (c *conn) await(empty []request) (batch []request, ok bool) {
	select {
	case <-c.wake:
		return c.take(empty), true
	case <-c.ctx.Done():
		return nil, false
	}
}

// attach names what ends the transport when the connection is closed: it must not
// block, and has the server's own close awaited for so long at most. Where the
// connection is closed already, attach calls it and returns false.
func (c *conn) attach(hangUp func(patience time.Duration)) bool {
	c.mu.Lock()
	c.hangUp = hangUp
	closed, patience := c.closed, c.patience
	c.mu.Unlock()
	if closed {
		hangUp(patience)
	}
	return !closed
}

// hasty is how long the close of a server is awaited that broke the protocol, or where
// the run was stopped: nothing of it would be counted.
const hasty = 50 * time.Millisecond

// close ends the connection, established or not. The server's own close is awaited for as
// long as the run's limits say, or no longer than hasty.
func (c *conn) close(hastily bool) {
	patience := max(c.run.config.Limits.Linger, time.Millisecond)
	if hastily {
		patience = min(patience, hasty)
	}
	c.mu.Lock()
	hangUp := c.hangUp
	if c.closed {
		hangUp = nil
	} else {
		c.closed, c.patience = true, patience
	}
	c.mu.Unlock()
	c.cancel()
	if hangUp != nil {
		hangUp(patience)
	}
}

// tell hands an event of the connection to the owner of the run.
func (c *conn) tell(e event) {
	e.conn = c.id
	c.run.tell(e)
}

// fail says that the connection will not be, since at.
func (c *conn) fail(at linger.Instant, by trace.Peer, reason string) {
	c.tell(event{kind: dialFailed, at: at, ending: ending{by: by, reason: reason}})
}

// An ending is why nothing more can be read from a connection.
type ending struct {
	cause  policy.Cause
	by     trace.Peer
	reason string
}

// An event is what happened on a connection.
type event struct {
	kind      eventKind
	conn      int
	exchange  int
	at        linger.Instant
	status    int
	head      int64
	body      int64
	content   string
	rcode     string // of an answer of DNS
	again     bool   // the same datagram once more
	limit     time.Duration
	persists  bool
	streams   int                     // that the server allows
	refused   []int                   // exchanges
	about     func(*trace.Connection) // writes what has become known of the connection; nil is nothing
	reference page.Reference          // that the content of a response holds
	ending
}

type eventKind uint8

const (
	established eventKind = iota // TCP's handshake is done
	early                        // requests may go as early data
	connected                    // requests may go
	dialFailed                   // with an ending
	streams                      // the server allows so many requests at once
	sent                         // a request's head is handed to the kernel
	uploaded                     // body bytes of a request's content are handed to the kernel; head, where known, is the head's size so far
	begun                        // the first byte of a response has been read; status and head where known
	arrived                      // body bytes of a response's content are there
	found                        // a response names a reference
	done                         // a response is complete; reason says what is wrong with it
	refused                      // a response says that the request came too late
	rejected                     // the server ended one exchange for reason, without having processed it
	reset                        // the server ended one exchange for reason
	goaway                       // the server takes no more requests, nor those in refused, for reason
	truncated                    // an answer did not fit into its datagram
	ignored                      // a datagram came that is not the answer, for reason
	limited                      // the server lets the connection be idle for limit
	closed                       // nothing more can be read
)
