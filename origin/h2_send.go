package origin

import (
	"io"
	"slices"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"linger"
	"linger/trace"
	"linger/wire"
)

// An h2queue is a queue of streams that takes no memory of its own.
type h2queue struct{ first, last *h2stream }

func (q *h2queue) push(st *h2stream) {
	if st.queued {
		return
	}
	st.queued, st.next = true, nil
	if q.last == nil {
		q.first = st
	} else {
		q.last.next = st
	}
	q.last = st
}

// unpop puts st back at the front.
func (q *h2queue) unpop(st *h2stream) {
	st.queued, st.next = true, q.first
	q.first = st
	if q.last == nil {
		q.last = st
	}
}

func (q *h2queue) pop() *h2stream {
	st := q.first
	if st != nil {
		q.first, st.queued = st.next, false
		if q.first == nil {
			q.last = nil
		}
	}
	return st
}

// turn sends the frames that may be sent now.
func (c *h2conn) turn() outcome {
	page := pages.Get().(*[pageSize]byte)
	defer pages.Put(page)
	c.mu.Lock()
	now := c.server.now()
	c.pass(now)
	out := c.fill(page[:0], now)
	o := outcome{sent: len(out) > 0, ended: c.by != trace.Nobody, wait: c.nextTimeout().Sub(now)}
	c.mu.Unlock()
	if o.sent {
		o.err = c.write(out)
		c.settle(o.err)
	}
	return o
}

// pass does what is due at now.
func (c *h2conn) pass(now linger.Instant) {
	c.machine.HandleTimeout(now)
	reason, due := c.machine.Closing()
	if reason != "" {
		c.goAway()
	}
	if due {
		c.end(trace.AtServer, reason)
	}
	if now >= c.stalls() {
		c.fail(http2.ErrCodeNo, errStalled.Error())
	}
	c.delayed = slices.DeleteFunc(c.delayed, func(st *h2stream) bool {
		if st.due <= now && !st.gone {
			c.ready.push(st)
		}
		return st.due <= now || st.gone
	})
}

// stalls returns when the client has kept the server waiting for too long, or
// Never where it is not waited for.
//
// The limit is the connection's: a client may leave one stream alone while it
// takes others.
func (c *h2conn) stalls() linger.Instant {
	if c.by != trace.Nobody || len(c.streams) <= len(c.delayed) {
		return linger.Never
	}
	return c.progress.Add(c.server.config.Stall)
}

func (c *h2conn) nextTimeout() linger.Instant {
	t := min(c.machine.NextTimeout(), c.stalls())
	for _, st := range c.delayed {
		t = min(t, st.due)
	}
	return t
}

// fill appends the frames that may be sent now to b, as many as fit in a page.
func (c *h2conn) fill(b []byte, now linger.Instant) []byte {
	if c.by == trace.AtClient {
		return b
	}
	b = append(b, c.control.Bytes()...)
	c.control.Reset()
	for c.by == trace.Nobody {
		st := c.ready.pop()
		if st == nil {
			break
		}
		if st.gone {
			continue
		}
		var more bool
		if b, more = c.advance(b, st); !more {
			c.ready.unpop(st)
			break
		}
		switch {
		case !st.headed || st.left > 0 && st.window > 0:
			c.ready.push(st)
		case st.left == 0 && !st.gone:
			// The client may begin another stream as soon as it has read this.
			delete(c.streams, st.id)
			c.done = append(c.done, st)
			reason, _ := c.machine.Closing()
			st.entry.Kept = reason == ""
			if !st.ended {
				// RFC 9113, 8.1: a server may answer before the request is complete,
				// and then ask the client to stop by RST_STREAM with NO_ERROR.
				b = appendFrame(b, 4, http2.FrameRSTStream, 0, st.id)
				b = append(b, 0, 0, 0, byte(http2.ErrCodeNo))
				c.dismiss(st.id)
			}
		}
	}
	return b
}

// advance appends the next frame of a response to b. It reports false where
// there is no room, or no leave, to send any more.
func (c *h2conn) advance(b []byte, st *h2stream) ([]byte, bool) {
	room := pageSize - len(b) - wire.FrameHeaderSize
	if !st.headed {
		if room < headRoom {
			return b, false
		}
		st.headed = true
		return c.appendHeaders(b, st), true
	}
	n := min(st.left, st.window, c.window, wire.FrameSize, int64(room))
	if n <= 0 || n < min(st.left, st.window, c.window, leastPiece) {
		return b, false
	}
	var flags http2.Flags
	if n == st.left {
		flags = http2.FlagDataEndStream
	}
	b = appendFrame(b, int(n), http2.FrameData, flags, st.id)
	a := &st.answer
	if a.Body != nil {
		from := a.Length - st.left
		b = append(b, a.Body[from:from+n]...)
	} else if _, err := io.ReadFull(a.Stream, b[len(b):len(b)+int(n)]); err != nil {
		c.reset(st.id, http2.ErrCodeInternal, errShort.Error())
		return b[:len(b)-wire.FrameHeaderSize], true
	} else {
		b = b[:len(b)+int(n)]
	}
	st.left -= n
	st.window -= n
	c.window -= n
	c.idle.restore()
	return b, true
}

// appendHeaders appends the head of a response.
func (c *h2conn) appendHeaders(b []byte, st *h2stream) []byte {
	c.block.Reset()
	c.encode(":status", strconv.Itoa(st.answer.Status), false)
	fields, padded := c.server.appendFields(c.fields[:0], &st.answer, c.altSvc)
	for i, f := range fields {
		c.encode(f.Lower, f.Value, padded && i == len(fields)-1)
	}
	c.fields = fields
	var flags http2.Flags
	if st.left == 0 {
		flags = http2.FlagHeadersEndStream
	}
	kind := http2.FrameHeaders
	for block := c.block.Bytes(); ; kind, flags = http2.FrameContinuation, 0 {
		n := min(len(block), wire.FrameSize)
		if n == len(block) {
			flags |= http2.FlagHeadersEndHeaders
		}
		b = appendFrame(b, n, kind, flags, st.id)
		b = append(b, block[:n]...)
		if block = block[n:]; len(block) == 0 {
			return b
		}
	}
}

// encode adds a field to the block; one that is unique never enters the table.
func (c *h2conn) encode(name, value string, unique bool) {
	// Writing to memory does not fail.
	_ = c.encoder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: unique})
}

// appendFrame appends a frame's header.
func appendFrame(b []byte, length int, kind http2.FrameType, flags http2.Flags, id uint32) []byte {
	return append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), byte(flags),
		byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

// settle notes what has become of what was written.
func (c *h2conn) settle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, failed := c.server.now(), c.unsent(err)
	if err == nil {
		c.progress = now
	}
	for _, st := range c.done {
		c.answered(st.entry, st.started, now, failed)
	}
	clear(c.done)
	c.done = c.done[:0]
}

func (c *h2conn) abandon() {
	for _, st := range c.streams {
		c.forget(st, c.reason)
	}
}
