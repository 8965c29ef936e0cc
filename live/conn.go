package live

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"linger"
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
	origin int             // of the workload
	stream bool            // of TCP, in place of a datagram's socket
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	wake   chan struct{} // something is in outgoing

	// Owned by the goroutine of the run.
	staged []request // to be sent with the next flush
	gone   bool      // closed, or never established
	asked  *query    // the last of DNS

	// epilogue writes what is known of the connection once speak has returned; nil
	// is nothing.
	epilogue func(*trace.Connection)

	mu       sync.Mutex
	outgoing []request // to be taken
	closed   bool
	hangUp   func() // ends what is under way on the transport
}

func newConn(r *run, id, origin int, stream bool) *conn {
	ctx, cancel := context.WithCancel(r.ctx)
	return &conn{id: id, origin: origin, run: r, stream: stream, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1)}
}

// host is what requests on the connection bear as their Host.
func (c *conn) host() string { return c.run.places[c.origin].Host }

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

// attach names what ends the transport when the connection is closed: it must not
// block. Where the connection is closed already, attach calls it and returns false.
func (c *conn) attach(hangUp func()) bool {
	c.mu.Lock()
	c.hangUp = hangUp
	closed := c.closed
	c.mu.Unlock()
	if closed {
		hangUp()
	}
	return !closed
}

// close ends the connection, established or not.
func (c *conn) close() {
	c.mu.Lock()
	hangUp := c.hangUp
	if c.closed {
		hangUp = nil
	}
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	if hangUp != nil {
		hangUp()
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

// IsReset reports whether an error of the network says that the other side has given the
// connection up without a word.
func IsReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// Cause is the system's own word for an error of the network, without the
// addresses that Go puts around it.
func Cause(err error) string {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	return err.Error()
}

// A link is a reference that the content of a response holds.
type link struct {
	url      string // absolute
	redirect bool   // it takes the place of what redirects to it
	search   search // what it is to be searched as
	at       int64  // bytes of the content up to its end
}

// An event is what happened on a connection.
type event struct {
	kind     eventKind
	conn     int
	exchange int
	at       linger.Instant
	status   int
	head     int64
	body     int64
	content  string
	rcode    string // of an answer of DNS
	again    bool   // the same datagram once more
	limit    time.Duration
	persists bool
	streams  int                     // that the server allows
	refused  []int                   // exchanges
	about    func(*trace.Connection) // writes what has become known of the connection; nil is nothing
	ending
	link
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
	found                        // a response names a link
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
