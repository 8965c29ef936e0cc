package quic

import (
	"time"

	"linger"
	"linger/wire"
)

type kind uint8

const (
	ping kind = iota
	crypto
	stream
	maxData
	maxStreamData
	maxStreams
	dataBlocked
	streamDataBlocked
	newConnectionID
	retireConnectionID
	newToken
	handshakeDone
	resetStream
	stopSending
	connectionClose
)

// A Frame is one of RFC 9000, 19, other than ACK and PADDING.
type Frame struct {
	kind   kind
	fin    bool
	bare   bool // a STREAM frame without its length, which ends its packet
	probe  bool // a PING that is not sent again
	stream int64
	offset int64
	length int64
	value  int64
}

// size is that of the frame on the wire.
func (f *Frame) size() int64 {
	switch f.kind {
	case crypto:
		return 1 + wire.VarintSize(f.offset) + wire.VarintSize(f.length) + f.length
	case stream:
		n := 1 + wire.VarintSize(f.stream) + f.length
		if f.offset > 0 {
			n += wire.VarintSize(f.offset)
		}
		if !f.bare {
			n += wire.VarintSize(f.length)
		}
		return n
	case maxData, maxStreams, dataBlocked:
		return 1 + wire.VarintSize(f.value)
	case maxStreamData, streamDataBlocked:
		return 1 + wire.VarintSize(f.stream) + wire.VarintSize(f.value)
	case newConnectionID:
		return 1 + 1 + 1 + 1 + idBytes + 16
	case retireConnectionID:
		return 2
	case newToken:
		return 1 + wire.VarintSize(f.length) + f.length
	case resetStream:
		return 1 + wire.VarintSize(f.stream) + 2 + wire.VarintSize(f.value)
	case stopSending:
		return 1 + wire.VarintSize(f.stream) + 2
	case connectionClose:
		return f.length
	}
	return 1 // PING, HANDSHAKE_DONE
}

// room is how many bytes of content fit into n bytes with the frame's header
// (wire, MaxDataLen).
func (f *Frame) room(n int64) int64 {
	header := 1 + wire.VarintSize(f.offset) + 1
	if f.kind == stream {
		header = 1 + wire.VarintSize(f.stream)
		if f.offset > 0 {
			header += wire.VarintSize(f.offset)
		}
		header++
	}
	if header > n {
		return 0
	}
	n -= header
	if wire.VarintSize(n) != 1 {
		n--
	}
	return n
}

// A span is a range of numbers, both ends included.
type span struct{ from, to int64 }

// A Packet is what one end sends and the other reads. It is shared between the flight
// and the sender's memory of it.
type Packet struct {
	level     Level
	number    int64
	frames    []Frame
	hasAck    bool
	acks      []span // the highest first
	delay     time.Duration
	ecn       int64 // marked packets that the ACK tells of
	eliciting bool
	marked    bool // ECT(0)

	// The sender's own.
	size     int64
	sentAt   linger.Instant
	inFlight bool
	mtuProbe bool
	refs     int8
}

// ackSize is that of the ACK frame (RFC 9000, 19.3; the delay in units of 8 µs).
func (p *Packet) ackSize() int64 {
	n := 1 + wire.VarintSize(p.acks[0].to) + wire.VarintSize(int64(p.delay/(8*time.Microsecond))) + 1 + wire.VarintSize(p.acks[0].to-p.acks[0].from)
	for i := 1; i < len(p.acks); i++ {
		n += wire.VarintSize(p.acks[i-1].from-p.acks[i].to-2) + wire.VarintSize(p.acks[i].to-p.acks[i].from)
	}
	if p.ecn > 0 {
		n += wire.VarintSize(p.ecn) + 2
	}
	return n
}

// A Datagram is what crosses the path.
type Datagram struct {
	Size    int32 // of UDP's payload
	Initial bool  // it begins with an Initial packet
	packets [4]*Packet
	n       int
}

func (d *Datagram) add(p *Packet) {
	d.packets[d.n] = p
	d.n++
}

// A Pool keeps the memory of packets and datagrams for the next ones.
type Pool struct {
	packets   []*Packet
	datagrams []*Datagram
}

func (p *Pool) packet() *Packet {
	if n := len(p.packets); n > 0 {
		x := p.packets[n-1]
		p.packets = p.packets[:n-1]
		*x = Packet{frames: x.frames[:0], acks: x.acks[:0], refs: 1}
		return x
	}
	return &Packet{refs: 1}
}

func (p *Pool) put(x *Packet) {
	if x.refs--; x.refs == 0 {
		p.packets = append(p.packets, x)
	}
}

func (p *Pool) datagram() *Datagram {
	if n := len(p.datagrams); n > 0 {
		x := p.datagrams[n-1]
		p.datagrams = p.datagrams[:n-1]
		*x = Datagram{}
		return x
	}
	return &Datagram{}
}

func (p *Pool) release(d *Datagram) {
	for _, x := range d.packets[:d.n] {
		p.put(x)
	}
	p.datagrams = append(p.datagrams, d)
}

// Drop gives back a datagram that the link does not deliver.
func (p *Pool) Drop(d *Datagram) { p.release(d) }

// A cover is a set of byte ranges, the lowest first; to is not included.
type cover struct{ ranges []span }

func (c *cover) add(from, to int64) {
	if to <= from {
		return
	}
	i := 0
	for i < len(c.ranges) && c.ranges[i].to < from {
		i++
	}
	j := i
	for j < len(c.ranges) && c.ranges[j].from <= to {
		from, to = min(from, c.ranges[j].from), max(to, c.ranges[j].to)
		j++
	}
	if i == j {
		c.ranges = append(c.ranges, span{})
		copy(c.ranges[i+1:], c.ranges[i:])
		c.ranges[i] = span{from, to}
		return
	}
	c.ranges[i] = span{from, to}
	c.ranges = c.ranges[:i+1+copy(c.ranges[i+1:], c.ranges[j:])]
}

// reach is how far there is no gap.
func (c *cover) reach() int64 {
	if len(c.ranges) == 0 || c.ranges[0].from > 0 {
		return 0
	}
	return c.ranges[0].to
}

func (c *cover) covers(n int64) bool { return n > 0 && c.reach() >= n }

// A cryptoStream is that of the Initial or the Handshake level.
type cryptoStream struct {
	next, end int64 // to be sent
	got       cover
	done      bool
}

func (s *cryptoStream) has() bool { return s.next < s.end }

// pop takes what fits into n bytes.
func (s *cryptoStream) pop(n int64) (Frame, bool) {
	f := Frame{kind: crypto, offset: s.next}
	if f.length = min(f.room(n), s.end-s.next); f.length <= 0 {
		return f, false
	}
	s.next += f.length
	return f, true
}

// retransmissions are frames to be sent once more (retransmission_queue.go).
type retransmissions struct{ crypto, other []Frame }

func (r *retransmissions) has() bool { return len(r.crypto)+len(r.other) > 0 }

func (r *retransmissions) add(f Frame) {
	if f.kind == crypto {
		r.crypto = append(r.crypto, f)
	} else {
		r.other = append(r.other, f)
	}
}

// pop takes a frame, or a part of one, that fits into n bytes.
func (r *retransmissions) pop(n int64) (Frame, bool) {
	if len(r.crypto) > 0 {
		f := &r.crypto[0]
		if f.size() <= n {
			out := *f
			r.crypto = r.crypto[:copy(r.crypto, r.crypto[1:])]
			return out, true
		}
		if k := f.room(n); k > 0 {
			out := *f
			out.length = k
			f.offset += k
			f.length -= k
			return out, true
		}
	}
	if len(r.other) == 0 || r.other[0].size() > n {
		return Frame{}, false
	}
	out := r.other[0]
	r.other = r.other[:copy(r.other, r.other[1:])]
	return out, true
}
