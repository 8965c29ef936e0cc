package quic

import (
	"linger"
	"linger/wire"
)

// A streamState is one stream, both directions.
type streamState struct {
	id int64

	// Sending (send_stream.go).
	offset      int64 // of what is sent next
	data        int64 // written and not taken yet
	copied      int64 // written, and of the stream: the write has returned
	waiting     bool  // a write has not returned
	finished    bool
	finSent     bool
	outstanding int // frames that are not acknowledged
	lost        []Frame
	relost      bool // in the queue of those with something to send again
	active      bool // in the queue of those with something to send
	window      int64
	blockedAt   int64
	sendDone    bool

	// Receiving.
	got      cover
	read     int64
	final    int64 // -1 is unknown
	credit   credit
	recvDone bool
	told     bool // its end was
}

// A credit is the flow control of what comes (flow_controller_base.go).
type credit struct {
	window, size, most int64
	read, highest      int64
	epoch              linger.Instant
	epochAt            int64
}

// due reports whether a quarter has been used.
func (f *credit) due() bool { return f.window-f.read <= f.size*3/4 }

// update returns the new limit, 0 where none is due. A window that is used up within
// four round trips is doubled.
func (f *credit) update(now linger.Instant, c *Conn) int64 {
	if !f.due() {
		return 0
	}
	if used := f.read - f.epochAt; used > f.size/2 {
		if float64(now.Sub(f.epoch)) < 4*float64(used)/float64(f.size)*float64(c.srtt) {
			f.size = max(f.size, min(2*f.size, f.most))
		}
		f.epoch, f.epochAt = now, f.read
	}
	f.window = f.read + f.size
	return f.window
}

// streams are those of a connection, with the queues of the framer (framer.go):
// streams with something to send take turns, packet by packet, and what was lost goes
// first, a stream after the other.
type streams struct {
	byID       map[int64]*streamState
	turns      []*streamState
	repairs    []*streamState
	updates    []*streamState // with a MAX_STREAM_DATA to be sent
	sendWindow int64
	sentData   int64
	blockedAt  int64
	credit     credit
	peerStream int64
	over       int64 // requests that are over, at the server
}

func (s *streams) init(o Options) {
	s.byID = map[int64]*streamState{}
	s.blockedAt = -1
	s.credit = credit{window: o.ConnWindow, size: o.ConnWindow, most: o.MaxConnWindow}
}

// allow notes the limits of the peer.
func (s *streams) allow(o Options) {
	s.sendWindow, s.peerStream = max(s.sendWindow, o.PeerConnWindow), o.PeerStreamWindow
}

func (c *Conn) stream(id int64) *streamState {
	s := c.byID[id]
	if s == nil {
		s = &streamState{id: id, final: -1, blockedAt: -1, window: c.peerStream,
			credit: credit{window: c.o.StreamWindow, size: c.o.StreamWindow, most: c.o.MaxStreamWindow}}
		c.byID[id] = s
	}
	return s
}

// Write hands n bytes to a stream. It reports whether the write returns at once; if
// not, Writable is told when it does.
func (c *Conn) Write(id, n int64) bool {
	s := c.stream(id)
	s.data += n
	return c.Resume(id)
}

// Resume goes on with a write, once Writable was told.
func (c *Conn) Resume(id int64) bool {
	s := c.stream(id)
	if s.copied+s.data <= copiedBytes {
		s.copied += s.data
		s.data = 0
	}
	s.waiting = s.data > 0
	c.activate(s)
	return !s.waiting
}

// Finish ends what is written to a stream.
func (c *Conn) Finish(id int64) {
	s := c.stream(id)
	if s.finished {
		return
	}
	s.finished = true
	c.activate(s)
}

// Reject ends both directions of a stream without an answer.
func (c *Conn) Reject(id int64) {
	s := c.stream(id)
	c.control(Frame{kind: stopSending, stream: id})
	c.control(Frame{kind: resetStream, stream: id})
	s.finished, s.finSent, s.sendDone, s.recvDone = true, true, true, true
	c.retire()
}

func (c *Conn) activate(s *streamState) {
	if s.active || s.data == 0 && s.copied == 0 && (!s.finished || s.finSent) {
		return
	}
	s.active = true
	c.turns = append(c.turns, s)
}

func (c *Conn) activateBlocked(s *streamState) {
	if s.data > 0 || s.copied > 0 {
		c.activate(s)
	}
}

// pop takes the next frame of a stream, of up to n bytes with its header.
func (c *Conn) pop(s *streamState, n int64) (f Frame, ok, more bool, blocked bool) {
	f = Frame{kind: stream, stream: s.id, offset: s.offset}
	if s.data == 0 && s.copied == 0 {
		if s.finished && !s.finSent {
			s.finSent, f.fin = true, true
			return f, true, false, false
		}
		return f, false, false, false
	}
	k := min(s.window-s.offset, c.sendWindow-c.sentData, f.room(n))
	if s.copied > 0 {
		k = min(k, s.copied)
	} else {
		k = min(k, s.data)
	}
	if k <= 0 {
		return f, false, true, false
	}
	c.sentData += k
	f.length = k
	s.offset += k
	signal := false
	if s.copied > 0 {
		s.copied -= k
		signal = s.copied == 0
		more = s.copied > 0 || s.data > 0
	} else {
		s.data -= k
		signal = s.copied+s.data <= copiedBytes
		more = s.data > 0 || s.finished
	}
	if signal && s.waiting {
		s.waiting = false
		c.events = append(c.events, Event{Kind: Writable, Stream: s.id})
	}
	if s.offset >= s.window && s.window != s.blockedAt {
		s.blockedAt = s.window
		blocked, more = true, false
	}
	f.fin = s.finished && s.data == 0 && s.copied == 0 && !s.finSent
	s.finSent = s.finSent || f.fin
	return f, true, more, blocked
}

// streamFrames fills a packet with STREAM frames, and returns their size.
func (c *Conn) streamFrames(p *Packet, room int64) int64 {
	total, last := int64(0), -1
	put := func(f Frame) {
		p.frames = append(p.frames, f)
		last = len(p.frames) - 1
		total += f.size()
		room -= f.size()
	}
	for len(c.repairs) > 0 && room >= leastStream {
		s := c.repairs[0]
		if len(s.lost) > 0 {
			f := &s.lost[0]
			n := room + wire.VarintSize(room)
			if f.size() <= n {
				out := *f
				s.lost = s.lost[:copy(s.lost, s.lost[1:])]
				s.outstanding++
				put(out)
			} else {
				k := f.room(n)
				if k <= 0 {
					break
				}
				out := *f
				out.length, out.fin = k, false
				f.offset += k
				f.length -= k
				s.outstanding++
				put(out)
			}
		}
		if len(s.lost) == 0 {
			s.relost = false
			c.repairs = c.repairs[:copy(c.repairs, c.repairs[1:])]
		}
	}
	for range len(c.turns) {
		if room < leastStream || len(c.turns) == 0 {
			break
		}
		s := c.turns[0]
		c.turns = c.turns[:copy(c.turns, c.turns[1:])]
		f, ok, more, blocked := c.pop(s, room+wire.VarintSize(room))
		if more {
			c.turns = append(c.turns, s)
		} else {
			s.active = false
		}
		if ok {
			s.outstanding++
			put(f)
		}
		if blocked {
			b := Frame{kind: streamDataBlocked, stream: s.id, value: s.window}
			if room < b.size() {
				c.control(b)
				break
			}
			p.frames = append(p.frames, b)
			total += b.size()
			room -= b.size()
		}
	}
	if c.sentData >= c.sendWindow && c.sendWindow != c.blockedAt && last >= 0 {
		c.blockedAt = c.sendWindow
		b := Frame{kind: dataBlocked, value: c.sendWindow}
		if room >= b.size() {
			p.frames = append(p.frames, b)
			total += b.size()
		} else {
			c.control(b)
		}
	}
	if last >= 0 {
		f := &p.frames[last]
		total -= f.size()
		f.bare = true
		total += f.size()
	}
	return total
}

// hasFrames reports whether there is something to send besides ACK and what is lost of
// control.
func (c *Conn) hasFrames() bool {
	return len(c.queue)+len(c.updates)+len(c.turns)+len(c.repairs) > 0
}

// frameAcked hears that a frame has come.
func (c *Conn) frameAcked(p *Packet, f *Frame) {
	switch {
	case p.mtuProbe:
		c.mtu.acked()
	case f.kind == stream:
		s := c.stream(f.stream)
		s.outstanding--
		c.sentAll(s)
	}
}

// sentAll notes the end of a stream's sending side.
func (c *Conn) sentAll(s *streamState) {
	if !s.sendDone && s.finSent && s.outstanding == 0 && len(s.lost) == 0 && s.copied == 0 && s.data == 0 {
		s.sendDone = true
		c.finishStream(s)
	}
}

func (c *Conn) finishStream(s *streamState) {
	if s.sendDone && s.recvDone && !c.o.Client && s.id%4 == 0 {
		c.retire()
	}
}

// retire allows another request for one that is over (streams_map_incoming.go).
func (c *Conn) retire() {
	c.over++
	c.control(Frame{kind: maxStreams, value: c.o.Streams + c.over})
}

// frameLost has it retransmitted.
func (c *Conn) frameLost(p *Packet, f Frame) {
	switch {
	case p.mtuProbe:
		c.mtu.lose()
	case f.probe:
	case f.kind == stream:
		s := c.stream(f.stream)
		s.outstanding--
		f.bare = false
		s.lost = append(s.lost, f)
		if !s.relost {
			s.relost = true
			c.repairs = append(c.repairs, s)
		}
	default:
		c.lost[p.level.space()].add(f)
	}
}

// streamReceived takes content in.
func (c *Conn) streamReceived(now linger.Instant, f *Frame) {
	s := c.stream(f.stream)
	if s.recvDone {
		return
	}
	if f.fin {
		s.final = f.offset + f.length
	}
	if end := f.offset + f.length; end > s.credit.highest {
		if s.credit.highest == 0 {
			s.credit.epoch, s.credit.epochAt = now, s.credit.read
		}
		if c.streams.credit.highest == 0 {
			c.streams.credit.epoch, c.streams.credit.epochAt = now, c.streams.credit.read
		}
		c.streams.credit.highest += end - s.credit.highest
		s.credit.highest = end
	}
	s.got.add(f.offset, f.offset+f.length)
	if n := s.got.reach() - s.read; n > 0 {
		s.read += n
		c.events = append(c.events, Event{Kind: Read, Stream: s.id, N: n})
	}
	if s.final >= 0 && s.read == s.final && !s.told {
		s.told = true
		c.events = append(c.events, Event{Kind: End, Stream: s.id})
	}
}

// Consumed says that the program above has read n bytes of a stream, and whether it has
// read its end.
func (c *Conn) Consumed(id, n int64, end bool) {
	s := c.stream(id)
	s.credit.read += n
	c.streams.credit.read += n
	if n > 0 && s.final < 0 && s.credit.due() {
		listed := false
		for _, u := range c.updates {
			listed = listed || u == s
		}
		if !listed {
			c.updates = append(c.updates, s)
		}
	}
	if end && !s.recvDone {
		s.recvDone = true
		c.finishStream(s)
	}
}
