package quic

import (
	"bytes"
	"slices"

	"linger/capture/talk"
)

// maxChunks bounds the pieces of a stream that wait for earlier ones.
const maxChunks = 1024

// A chunk waits for what stands before it.
type chunk struct {
	at     int64 // its place in the stream
	data   []byte
	number int64 // of the packet that it was in
	mark   talk.Mark
}

func (c *chunk) end() int64 { return c.at + int64(len(c.data)) }

// An assembly puts the pieces of a stream into order.
type assembly struct {
	next int64   // the place of the byte that is wanted
	held []chunk // in order, and apart from each other
	size int     // of what is held
}

// add takes in a piece. What of it is wanted now it returns, else it holds it; fresh is how many
// of its bytes have not been there before.
func (a *assembly) add(at int64, data []byte, number int64, m talk.Mark) (now []byte, fresh int) {
	end := at + int64(len(data))
	if end <= a.next {
		return nil, 0
	}
	if at < a.next {
		data, at = data[a.next-at:], a.next
	}
	fresh = len(data)
	for i := range a.held {
		h := &a.held[i]
		if both := min(h.end(), end) - max(h.at, at); both > 0 {
			fresh -= int(both)
		}
	}
	if at == a.next {
		a.next = end
		return data, fresh
	}
	if fresh > 0 {
		a.hold(at, data, number, m)
	}
	return nil, fresh
}

// hold keeps what of a piece is not held yet.
func (a *assembly) hold(at int64, data []byte, number int64, m talk.Mark) {
	end := at + int64(len(data))
	i := len(a.held)
	for i > 0 && a.held[i-1].end() > at {
		i--
	}
	for at < end && len(a.held) < maxChunks {
		to := end
		if i < len(a.held) {
			if h := &a.held[i]; h.at <= at {
				n := min(h.end(), end)
				if n > at {
					data, at = data[n-at:], n
				}
				i++
				continue
			}
			to = min(to, a.held[i].at)
		}
		n := int(to - at)
		a.held = slices.Insert(a.held, i, chunk{at, bytes.Clone(data[:n]), number, m})
		a.size += n
		data, at = data[n:], to
		i++
	}
}

// pop returns the next piece that was held, once it is wanted.
func (a *assembly) pop() (c chunk, ok bool) {
	for len(a.held) > 0 && a.held[0].at <= a.next {
		c := a.held[0]
		a.held = slices.Delete(a.held, 0, 1)
		a.size -= len(c.data)
		if c.end() > a.next {
			c.data = c.data[a.next-c.at:]
			c.at = a.next
			a.next = c.end()
			return c, true
		}
	}
	return chunk{}, false
}

// skip gives up what is missing before the first piece that is held, and returns how much.
func (a *assembly) skip() int64 {
	if len(a.held) == 0 {
		return 0
	}
	n := a.held[0].at - a.next
	a.next = a.held[0].at
	return n
}
