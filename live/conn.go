package live

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"

	"linger"
	"linger/policy"
	"linger/trace"
)

const (
	// chunkSize is how much of a body is read at once.
	chunkSize = 32 << 10
	// writeSize is up to how many bytes of requests go out in one write.
	writeSize = 64 << 10
)

// A conn is one connection. Two goroutines serve it: one dials and then writes,
// the other reads. Both tell the owner of the run what happened and when.
type conn struct {
	id     int
	run    *run
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	wake   chan struct{} // something is in outgoing

	// Owned by the goroutine of the run.
	staged []request // to be sent with the next flush
	gone   bool      // closed, or never established

	mu       sync.Mutex
	socket   net.Conn
	closed   bool
	outgoing []request // to be written
	written  []request // written and not answered yet
	broken   bool      // a write has failed

	out []byte // what is written at once; the writer's own
}

func newConn(r *run, id int) *conn {
	ctx, cancel := context.WithCancel(r.ctx)
	return &conn{id: id, run: r, ctx: ctx, cancel: cancel, wake: make(chan struct{}, 1)}
}

// flush hands over what is staged. It goes out in one write, as long as it fits.
func (c *conn) flush() {
	if len(c.staged) == 0 {
		return
	}
	c.mu.Lock()
	c.outgoing = append(c.outgoing, c.staged...)
	c.mu.Unlock()
	c.staged = c.staged[:0]
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close ends the connection, established or not.
func (c *conn) close() {
	c.mu.Lock()
	c.closed = true
	if c.socket != nil {
		_ = c.socket.Close()
	}
	c.mu.Unlock()
	c.cancel()
}

// open dials, then writes requests until the connection is closed.
func (c *conn) open() {
	socket, err := c.run.dial(c.ctx)
	at := c.run.now()
	if err != nil {
		by := trace.AtClient
		if errors.Is(err, syscall.ECONNREFUSED) || isReset(err) {
			by = trace.AtServer
		}
		c.run.tell(event{kind: dialFailed, conn: c.id, at: at, ending: ending{
			by: by, reason: "cannot connect to " + c.run.config.Address + ": " + brief(cause(err))}})
		return
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		_ = socket.Close()
		return
	}
	c.socket = socket
	c.mu.Unlock()
	c.run.tell(event{kind: connected, conn: c.id, at: at})
	c.run.wg.Go(func() { c.read(socket) })
	var batch []request
	for {
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
		c.mu.Lock()
		batch, c.outgoing = c.outgoing, batch[:0]
		c.mu.Unlock()
		if err := c.write(socket, batch); err != nil {
			// The reader meets the same end, after what the server may have said
			// before it: an early answer counts.
			c.mu.Lock()
			c.broken = true
			c.mu.Unlock()
			return
		}
	}
}

// write sends requests, each stamped just before the write that begins it.
func (c *conn) write(w io.Writer, batch []request) error {
	r := c.run
	out := c.out[:0]
	defer func() { c.out = out }()
	for first, i := 0, 0; i < len(batch); i++ {
		q := &batch[i]
		before := len(out)
		out = appendRequest(out, *q, r.scenario.Strategy, r.config.Host, r.config.Agent)
		q.head = len(out) - before
		if q.RequestBody == 0 && i+1 < len(batch) && len(out) < writeSize {
			continue
		}
		var content io.Reader
		along := 0 // bytes of the content that go out with the head
		if q.RequestBody > 0 {
			content = r.scenario.Workload.RequestContent(q.index)
			head := len(out)
			out = append(out, make([]byte, min(q.RequestBody, chunkSize))...)
			along, _ = io.ReadFull(content, out[head:])
		}
		c.mu.Lock()
		c.written = append(c.written, batch[first:i+1]...)
		c.mu.Unlock()
		at := r.now()
		for _, q := range batch[first : i+1] {
			r.tell(event{kind: sent, conn: c.id, exchange: q.index, at: at, head: int64(q.head)})
		}
		if _, err := w.Write(out); err != nil {
			return err
		}
		if q.RequestBody > 0 {
			if err := c.upload(w, content, *q, int64(along), out[:0]); err != nil {
				return err
			}
		}
		out, first = out[:0], i+1
	}
	return nil
}

// upload writes the rest of a request's content, of which so many bytes have gone.
func (c *conn) upload(w io.Writer, content io.Reader, q request, gone int64, buf []byte) error {
	for {
		c.run.tell(event{kind: uploaded, conn: c.id, exchange: q.index, at: c.run.now(), body: gone})
		n, err := content.Read(buf[:min(cap(buf), chunkSize)])
		if n == 0 && err != nil {
			return nil
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		gone += int64(n)
	}
}

// buffers are what a reader needs; a run of many short connections reuses them.
type buffers struct {
	in    *bufio.Reader
	chunk []byte
}

var spare = sync.Pool{New: func() any {
	return &buffers{bufio.NewReaderSize(nil, readSize), make([]byte, chunkSize)}
}}

// read reads responses until the connection ends, in whatever way.
func (c *conn) read(socket net.Conn) {
	buf := spare.Get().(*buffers)
	defer spare.Put(buf)
	in := newResponses(buf.in, socket, c.run.now)
	defer buf.in.Reset(nil)
	for {
		if err := in.await(); err != nil {
			where := "the idle connection"
			if c.waiting() {
				where = "before it answered"
			}
			c.end(in, -1, in.ending(err, where), 0, 0)
			return
		}
		q, ok := c.next()
		if !ok {
			text, _ := buf.in.Peek(min(buf.in.Buffered(), 40))
			c.end(in, -1, ending{policy.Reset, trace.AtClient, "server sent what nobody asked for: " + brief(string(text))}, 0, 0)
			return
		}
		if !c.receive(in, q, buf) {
			return
		}
	}
}

// receive reads one response. It reports whether another may follow.
func (c *conn) receive(in *responses, q request, buf *buffers) bool {
	r := c.run
	begin := in.offset()
	r.tell(event{kind: begun, conn: c.id, exchange: q.index, at: in.src.at})
	h, err := in.readHead(q.Method)
	if err != nil {
		c.end(in, q.index, in.ending(err, "within the head of a response"), in.offset()-begin, 0)
		return false
	}
	if h.status == 408 && q.Status != 408 {
		r.tell(event{kind: refused, conn: c.id, exchange: q.index, at: in.src.at, status: h.status, head: in.offset() - begin})
		return false
	}
	b := body{in: in, conn: c, exchange: q.index, limit: r.config.MaxBody}
	switch {
	case r.config.Verify && h.status == q.Status:
		b.exact, b.limit = true, q.ResponseBody
	case r.config.Verify:
		b.reason = fmt.Sprintf("status %d, not %d", h.status, q.Status)
	}
	if q.document {
		c.explore(q, h, &b)
	}
	for err == nil {
		_, err = b.Read(buf.chunk)
	}
	e := event{kind: done, conn: c.id, exchange: q.index, at: in.src.at, status: h.status,
		head: in.offset() - begin - b.received, body: b.received, content: mediaType(h)}
	if err != io.EOF {
		over := in.ending(err, fmt.Sprintf("after %d bytes of a response", b.received))
		if err == errTooLong {
			over = ending{policy.Malformed, trace.AtClient, b.reason}
		}
		e.kind, e.ending = closed, over
		r.tell(e)
		return false
	}
	e.reason = b.rejected()
	e.persists = in.framing != untilClose && !q.last && policy.Persists(h.version, h.fields["Connection"])
	garbage := e.persists && buf.in.Buffered() > 0 && !c.waiting()
	e.persists = e.persists && !garbage
	r.tell(e)
	switch {
	case garbage:
		c.end(in, -1, ending{policy.Malformed, trace.AtClient, "server sent more than its response"}, 0, 0)
		return false
	case !e.persists:
		c.end(in, -1, in.ending(in.discard(), "after the last response"), 0, 0)
		return false
	}
	return true
}

// end says that nothing more can be read, in the midst of exchange's response or
// between two (-1).
func (c *conn) end(in *responses, exchange int, over ending, head, body int64) {
	c.mu.Lock()
	if c.broken && over.cause == policy.ClosedByPeer {
		// The kernel tells of a reset once; the writer was the one to hear it.
		over.cause = policy.Reset
	}
	c.mu.Unlock()
	c.run.tell(event{kind: closed, conn: c.id, exchange: exchange, at: in.src.at, head: head, body: body, ending: over})
}

// next takes the request whose response is due, and false where none is.
func (c *conn) next() (request, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.written) == 0 {
		return request{}, false
	}
	q := c.written[0]
	c.written = c.written[1:]
	return q, true
}

func (c *conn) waiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.written) > 0
}

var errTooLong = errors.New("body too long")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A body is the content of one response on its way: counted, summed, reported.
type body struct {
	in       *responses
	conn     *conn
	exchange int
	limit    int64
	exact    bool // it ought to be the workload's, whose length is limit
	received int64
	sum      uint32 // of what was received, where exact
	reason   string // for which it is not the response that was asked for
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.in.Read(p[:min(len(p), chunkSize)])
	b.received += int64(n)
	if b.received > b.limit {
		if b.reason == "" {
			b.reason = fmt.Sprintf("body is longer than %d bytes", b.limit)
		}
		return n, errTooLong
	}
	if b.exact {
		b.sum = crc32.Update(b.sum, castagnoli, p[:n])
	}
	// What completes the response is not reported: the end of it follows at once.
	if n > 0 && err == nil {
		b.conn.run.tell(event{kind: arrived, conn: b.conn.id, exchange: b.exchange, at: b.in.src.at, body: b.received})
	}
	return n, err
}

// rejected says why the complete response is not the one that was asked for.
func (b *body) rejected() string {
	switch {
	case !b.exact:
		return b.reason
	case b.received != b.limit:
		return fmt.Sprintf("body of %d bytes, not %d", b.received, b.limit)
	case b.sum != b.conn.run.sums[b.exchange]:
		return fmt.Sprintf("body of %d bytes is not the workload's", b.received)
	}
	return ""
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// cause is the system's own word for an error of the network, without the
// addresses that Go puts around it.
func cause(err error) string {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	return err.Error()
}

// mediaType is what a response says its content is, without parameters.
func mediaType(h head) string {
	kind, _, _ := strings.Cut(h.fields.Get("Content-Type"), ";")
	return brief(strings.ToLower(strings.TrimSpace(kind)))
}

// A link is a reference that a document holds.
type link struct {
	url      string // absolute
	document bool   // a redirect: what it leads to is searched in its turn
	at       int64  // bytes of the document up to its end
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
	persists bool
	ending
	link
}

type eventKind uint8

const (
	connected  eventKind = iota
	dialFailed           // with an ending
	sent                 // a request's head is handed to the kernel
	uploaded             // body bytes of a request's content have left
	begun                // the first byte of a response has been read
	arrived              // body bytes of a response's content are there
	found                // a document names a link
	done                 // a response is complete; reason says what is wrong with it
	refused              // a response says that the request came too late
	closed               // nothing more can be read
)
