package quic

import (
	"linger/capture/talk"
)

const (
	// maxStreamHeld bounds the bytes of one stream that wait for earlier ones, maxHeld those
	// of a connection, maxAllHeld of all that share a Scratch.
	maxStreamHeld = 256 << 10
	maxHeld       = 1 << 20
	maxAllHeld    = 64 << 20
	// maxStreams bounds the streams of a connection that are open, by direction.
	maxStreams = 2048
)

// A streamKey is one direction of a stream.
type streamKey struct {
	id   int64
	from talk.Side
}

// A stream is one direction of one.
type stream struct {
	assembly
	streamKey
	final  int64 // its size; -1 is not known
	before int64 // number of the packet that the last bytes in order were in
}

// streamFrame takes in a STREAM frame (RFC 9000, 19.8).
func (c *Conn) streamFrame(r *reader, p *content, kind int64) {
	id, at := r.int(), int64(0)
	if kind&4 != 0 {
		at = r.int()
	}
	n := int64(len(r.b))
	if kind&2 != 0 {
		n = r.int()
	}
	data := r.take(n)
	if r.broken || p.level != levelApp {
		return
	}
	p.says = true
	// The end of a stream counts as a byte: it may come alone.
	p.carried += len(data)
	fin := kind&1 != 0
	key := streamKey{id, p.from}
	done := &c.done[p.from][id&3]
	s := c.streams[key]
	if s == nil {
		if done.has(id >> 2) {
			return
		}
		if len(c.streams) >= maxStreams {
			c.forget(p)
		}
		s = &stream{streamKey: key, final: -1, before: -1}
		c.streams[key] = s
	}
	if fin && s.final < 0 {
		s.final = at + int64(len(data))
		p.fresh++
	}
	held := s.size
	now, fresh := s.add(at, data, p.number, p.m)
	p.fresh += fresh
	c.hold(s.size - held)
	if len(now) > 0 || s.final == s.next {
		s.before = max(s.before, p.number)
		c.deliver(s, now, p.m)
		c.release(s, p.m)
	}
	if s.size > maxStreamHeld || len(s.held) >= maxChunks || s.size > 0 && (c.heldBytes > maxHeld || c.Scratch.held > maxAllHeld) {
		c.gap(s)
	}
}

// hold counts bytes that wait, or do so no more.
func (c *Conn) hold(n int) {
	c.heldBytes += n
	c.Scratch.held += n
}

// deliver hands on the next bytes of a stream, and forgets it when they are its last.
func (c *Conn) deliver(s *stream, b []byte, m talk.Mark) {
	fin := s.final >= 0 && s.next >= s.final
	if len(b) > 0 || fin {
		c.To.Stream(s.id, s.from, b, fin, m)
	}
	if fin {
		c.finish(s)
	}
}

// finish forgets a direction that is over.
func (c *Conn) finish(s *stream) {
	c.hold(-s.size)
	s.held, s.size = nil, 0
	c.done[s.from][s.id&3].add(s.id >> 2)
	delete(c.streams, s.streamKey)
	delete(c.blocked, s.streamKey)
}

// release hands on what was held and is wanted now.
func (c *Conn) release(s *stream, m talk.Mark) {
	for len(s.held) > 0 {
		held := s.size
		next, ok := s.pop()
		c.hold(s.size - held)
		if !ok {
			return
		}
		s.before = max(s.before, next.number)
		c.deliver(s, next.data, next.mark)
	}
}

// gap gives up what is missing before what is held of a stream.
func (c *Conn) gap(s *stream) {
	m := s.held[0].mark
	if n := s.skip(); n > 0 {
		c.facts.Missing += n
		c.facts.Gaps++
		c.To.Gap(s.id, s.from, n, m)
	}
	c.release(s, m)
}

// fillMissed gives up what was in packets of a side, up to a number, that were received and not
// captured: those between the packet that holds the byte before a gap and the one that holds the
// next byte.
func (c *Conn) fillMissed(from talk.Side, to int64) {
	missed := c.side[from].missed
	for _, s := range c.incomplete() {
		for s.from == from && len(s.held) > 0 && missed.meets(s.before, min(s.held[0].number, to+1)) {
			c.gap(s)
		}
	}
}

// incomplete lists the streams that wait for something, in order of their numbers.
func (c *Conn) incomplete() []*stream {
	var list []*stream
	for _, s := range c.streams {
		if len(s.held) > 0 {
			list = append(list, s)
		}
	}
	sortStreams(list)
	return list
}

// forget makes room for one stream: it gives up the oldest of that side.
func (c *Conn) forget(p *content) {
	var oldest *stream
	for _, s := range c.streams {
		if oldest == nil || s.id < oldest.id || s.id == oldest.id && s.from < oldest.from {
			oldest = s
		}
	}
	c.facts.Gaps++
	c.To.Gap(oldest.id, oldest.from, talk.Forever, p.m)
	c.finish(oldest)
}

// reset takes in that a side has given up what it sends on a stream.
func (c *Conn) reset(p *content, id int64, code uint64) {
	done := &c.done[p.from][id&3]
	if done.has(id >> 2) {
		return
	}
	if s := c.streams[streamKey{id, p.from}]; s != nil {
		c.finish(s)
	} else {
		done.add(id >> 2)
	}
	c.To.Reset(id, p.from, false, code, p.m)
}

// Close says that nothing more comes: what waits is handed on, and what lacks is said.
func (c *Conn) Close(m talk.Mark) {
	if c.initial == nil {
		return
	}
	c.decide(taken)
	for _, s := range c.incomplete() {
		for len(s.held) > 0 {
			c.gap(s)
		}
	}
	list := make([]*stream, 0, len(c.streams))
	for _, s := range c.streams {
		list = append(list, s)
	}
	sortStreams(list)
	for _, s := range list {
		if n := s.final - s.next; s.final >= 0 && n > 0 {
			c.facts.Missing += n
			c.facts.Gaps++
			c.To.Gap(s.id, s.from, n, m)
			s.next = s.final
			c.deliver(s, nil, m)
			continue
		}
		c.finish(s)
	}
}
