package http3

import (
	"linger/capture/talk"
	"linger/wire"
)

// A reader takes the frames of one direction of a stream apart (RFC 9114, 7.1).
type reader struct {
	head    [16]byte // of a header that has not ended
	filled  int
	kind    uint64
	left    int64 // bytes of the payload that are to come
	length  int64 // of the payload
	inside  bool  // a payload is under way
	kept    bool  // it is kept
	torn    bool  // a part of it is missing
	lost    bool  // where the next frame begins is not known
	payload []byte
	counted int       // bytes of it that the reader of all connections counts
	began   talk.Mark // of the frame
}

// number reads an integer of QUIC that b goes on with, and returns what follows it.
func (r *reader) number(b []byte) (n uint64, rest []byte, ok bool) {
	k := copy(r.head[r.filled:], b)
	n, size, err := wire.ParseVarint(r.head[:r.filled+k])
	if err != nil {
		r.filled += k
		return 0, nil, false
	}
	size -= r.filled
	r.filled = 0
	return n, b[size:], true
}

// header reads the header of a frame, or what of it is in b, and returns what follows it.
func (r *reader) header(b []byte) (rest []byte, ok bool) {
	before := r.filled
	k := copy(r.head[before:], b)
	have := r.head[:before+k]
	kind, n, err := wire.ParseVarint(have)
	if err == nil {
		var length uint64
		var size int
		if length, size, err = wire.ParseVarint(have[n:]); err == nil {
			r.kind, r.left, r.length = kind, int64(length), int64(length)
			r.filled, r.inside, r.torn = 0, true, false
			return b[n+size-before:], true
		}
	}
	r.filled += k
	return nil, false
}

// skip passes over n bytes that are missing, and reports whether they lie within one frame.
func (r *reader) skip(n int64) bool {
	if !r.inside || n > r.left {
		r.lost, r.payload = true, nil
		return false
	}
	r.left -= n
	r.torn = true
	return true
}

// empty lets go of the payload.
func (c *Conversation) empty(r *reader) {
	c.Shared.Hold(-r.counted)
	r.payload, r.counted = r.payload[:0], 0
}

// frames takes the next bytes of a side of a stream of frames.
func (c *Conversation) frames(s *stream, from talk.Side, b []byte, m talk.Mark) {
	r := &s.half[from].reader
	for !r.lost && s.kind != ignored {
		if !r.inside {
			if len(b) == 0 {
				return
			}
			if r.filled == 0 {
				r.began = m
			}
			var ok bool
			if b, ok = r.header(b); !ok {
				return
			}
			r.kept = c.begins(s, from, m)
			c.empty(r)
		}
		n := min(int64(len(b)), r.left)
		piece := b[:n]
		b = b[n:]
		r.left -= n
		switch {
		case !r.kept:
			if s.kind == request && r.kind == wire.FrameData {
				c.add(s, from, piece)
			}
		case r.left == 0 && len(r.payload) == 0:
			r.inside = false
			c.ends(s, from, piece, !r.torn, m)
		default:
			if c.Shared.Full() && len(r.payload) > 0 {
				r.torn = true // what is to come of it is not read
			} else {
				r.payload = append(r.payload, piece...)
				r.counted += len(piece)
				c.Shared.Hold(len(piece))
			}
			if r.left == 0 {
				r.inside = false
				c.ends(s, from, r.payload, !r.torn, m)
				c.empty(r)
			}
		}
		if r.left > 0 {
			return
		}
		r.inside = false
	}
	if s.kind == request && r.lost {
		s.half[from].body += int64(len(b)) // as far as that can be told
	}
}
