package live

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"linger"
	"linger/ask"
	"linger/page"
	"linger/policy"
	"linger/trace"
)

// writeSize is up to how many bytes of requests go out in one write.
const writeSize = 64 << 10

// http1 is HTTP/1 on one connection. Two goroutines serve it: one writes, the
// other reads.
type http1 struct {
	*conn
	socket net.Conn
	over   atomic.Bool // the server has closed

	mu      sync.Mutex
	written []request // written and not answered yet
	broken  bool      // a write has failed

	out  []byte                  // what is written at once; the writer's own
	left func(*trace.Connection) // writes what came that belongs to no response; the reader's own
}

// speakHTTP1 writes requests and reads responses until the connection is closed.
func speakHTTP1(c *conn, socket net.Conn) {
	h := &http1{conn: c, socket: socket}
	var reader sync.WaitGroup
	defer reader.Wait()
	defer func() {
		// RFC 8446, 6.1, wants a close_notify of each side; to a server that has closed
		// both of its own it would be data for nobody, and be answered by an RST.
		if !h.over.Load() {
			leave(socket)
		}
	}()
	reader.Go(h.read)
	var batch []request
	for {
		var ok bool
		if batch, ok = c.await(batch); !ok {
			return
		}
		if err := h.write(batch); err != nil {
			// The reader meets the same end, after what the server may have said
			// before it: an early answer counts.
			h.mu.Lock()
			h.broken = true
			h.mu.Unlock()
			<-c.ctx.Done()
			return
		}
	}
}

// write sends requests, each stamped just before the write that begins it.
func (h *http1) write(batch []request) error {
	r := h.run
	out := h.out[:0]
	defer func() { h.out = out }()
	for first, i := 0, 0; i < len(batch); i++ {
		q := &batch[i]
		before := len(out)
		out = ask.AppendHTTP1(out, q.Request, r.scenario.Strategy, h.host(), r.config.Message)
		q.head = len(out) - before
		if q.RequestBody == 0 && i+1 < len(batch) && len(out) < writeSize {
			continue
		}
		var content io.Reader
		along := 0 // bytes of the content that go out with the head
		if q.RequestBody > 0 {
			content = r.application.content(*q)
			head := len(out)
			out = append(out, make([]byte, min(q.RequestBody, chunkSize))...)
			along, _ = io.ReadFull(content, out[head:])
		}
		h.mu.Lock()
		h.written = append(h.written, batch[first:i+1]...)
		h.mu.Unlock()
		at := r.now()
		for _, q := range batch[first : i+1] {
			h.tell(event{kind: sent, exchange: q.Index, at: at, head: int64(q.head)})
		}
		if q.RequestBody > 0 {
			h.tell(event{kind: uploaded, exchange: q.Index, at: at, body: int64(along)})
		}
		if _, err := h.socket.Write(out); err != nil {
			return err
		}
		if q.RequestBody > 0 {
			if err := h.upload(content, *q, int64(along), out[:0]); err != nil {
				return err
			}
		}
		out, first = out[:0], i+1
	}
	return nil
}

// upload writes the rest of a request's content, of which so many bytes have gone.
func (h *http1) upload(content io.Reader, q request, gone int64, buf []byte) error {
	for {
		n, err := content.Read(buf[:min(cap(buf), chunkSize)])
		if n == 0 && err != nil {
			return nil
		}
		gone += int64(n)
		h.tell(event{kind: uploaded, exchange: q.Index, at: h.run.now(), body: gone})
		if _, err := h.socket.Write(buf[:n]); err != nil {
			return err
		}
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
func (h *http1) read() {
	buf := spare.Get().(*buffers)
	defer spare.Put(buf)
	in := newResponses(buf.in, h.socket, h.run.now)
	defer buf.in.Reset(nil)
	for {
		if err := in.await(); err != nil {
			where := "the idle connection"
			if h.waiting() {
				where = "before it answered"
			}
			h.end(in, -1, in.ending(err, where), 0, 0)
			return
		}
		q, ok := h.next()
		if !ok {
			text, _ := buf.in.Peek(buf.in.Buffered())
			h.surplus(buf.in)
			h.end(in, -1, ending{policy.Reset, trace.AtClient, "server sent what nobody asked for: " + linger.Quoted(text, len(text))}, 0, 0)
			return
		}
		if !h.receive(in, q, buf) {
			return
		}
	}
}

// receive reads one response. It reports whether another may follow.
func (h *http1) receive(in *responses, q request, buf *buffers) bool {
	begin := in.offset()
	if begin > 0 && !in.beginsHead() {
		h.surplus(buf.in)
	}
	h.tell(event{kind: begun, exchange: q.Index, at: in.src.at})
	head, err := in.readHead(q.Method)
	if err != nil {
		h.end(in, q.Index, in.ending(err, "within the head of a response"), in.offset()-begin, 0)
		return false
	}
	if head.status == 408 && q.Status != 408 {
		h.tell(event{kind: refused, exchange: q.Index, at: in.src.at, status: head.status, head: in.offset() - begin})
		return false
	}
	b := newBody(h.conn, q, head.status, page.MediaType(head.fields.Get("Content-Type")), in, in.src.when)
	if q.visited {
		h.explore(q, head.status, head.fields.Get, &b, b.when)
	}
	for err == nil {
		_, err = b.Read(buf.chunk)
	}
	e := event{kind: done, exchange: q.Index, at: in.src.at, status: head.status,
		head: in.offset() - begin - b.received, body: b.received, content: page.MediaType(head.fields.Get("Content-Type"))}
	if err != io.EOF {
		over := in.ending(err, fmt.Sprintf("after %d bytes of a response", b.received))
		if err == errTooLong {
			over = ending{policy.Malformed, trace.AtClient, b.reason}
		}
		e.kind, e.ending = closed, over
		h.over.Store(over.by == trace.AtServer)
		h.tell(e)
		return false
	}
	// RFC 9112, 9.8: "A response that has neither chunked transfer coding nor
	// Content-Length is complete only if a valid closure alert has been received."
	if in.framing == untilClose && isUnannounced(h.socket) {
		e.kind = closed
		e.ending = ending{policy.ClosedByPeer, trace.AtServer, fmt.Sprintf("server closed without close_notify, after %d bytes of a response that ends with it", b.received)}
		h.over.Store(true)
		h.tell(e)
		return false
	}
	e.reason = b.rejected()
	e.persists = in.framing != untilClose && !q.Last && policy.Persists(head.version, head.fields["Connection"])
	garbage := e.persists && buf.in.Buffered() > 0 && !h.waiting()
	e.persists = e.persists && !garbage
	h.tell(e)
	switch {
	case garbage:
		h.surplus(buf.in)
		text, _ := buf.in.Peek(buf.in.Buffered())
		h.end(in, -1, ending{policy.Malformed, trace.AtClient, "server sent more than its response: " + linger.Quoted(text, len(text))}, 0, 0)
		return false
	case !e.persists:
		h.end(in, -1, in.ending(in.discard(), "after the last response"), 0, 0)
		return false
	}
	return true
}

// surplus notes what has been read that belongs to no response.
func (h *http1) surplus(in *bufio.Reader) {
	b, _ := in.Peek(in.Buffered())
	s := trace.Surplus{Bytes: int64(len(b)), Text: linger.Quoted(b, len(b))}
	h.left = func(k *trace.Connection) { k.Surplus = linger.Known(s) }
}

// end says that nothing more can be read, in the midst of exchange's response or
// between two (-1).
func (h *http1) end(in *responses, exchange int, over ending, head, body int64) {
	h.mu.Lock()
	if h.broken && over.cause == policy.ClosedByPeer {
		// The kernel tells of a reset once; the writer was the one to hear it.
		over.cause = policy.Reset
	}
	h.mu.Unlock()
	h.over.Store(over.by == trace.AtServer)
	h.tell(event{kind: closed, exchange: exchange, at: in.src.at, head: head, body: body, ending: over, about: h.left})
}

// next takes the request whose response is due, and false where none is.
func (h *http1) next() (request, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.written) == 0 {
		return request{}, false
	}
	q := h.written[0]
	h.written = h.written[1:]
	return q, true
}

func (h *http1) waiting() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.written) > 0
}
