package quic

import (
	"bytes"

	"linger/capture/talk"
)

// A host that sends or receives datagrams may capture several of them as one: before its kernel
// has cut them apart (UDP_SEGMENT, "GSO"), or after it has joined them (GRO). All of them have
// one size but the last, which may be shorter. Nothing says that size: a packet with a short
// header goes to the end of its datagram (RFC 9000, 12.2). It is found by where it can be opened,
// or else by where the headers of the others stand.

const (
	// usualLargest is the largest datagram of a path of 1,500 bytes, and usualLeast the largest
	// that each path must have room for (RFC 9000, 14).
	usualLargest = 1500 - 20 - 8
	usualLeast   = 1200
	// jumbo is the largest of a path of 9,000 bytes.
	jumbo = 9000 - 20 - 8
	// maxTrials bounds the sizes that are tried on a side until one fits, and maxWalked the
	// packets with long headers that are looked at in one payload.
	maxTrials = 2048
	maxWalked = 128
	// sureBits is how much of the headers has to fit where nothing can be opened: of the sizes
	// that are usual, another one fits as well once in 200 payloads, and then none is taken.
	sureBits = 16
	// leastShort is the least of a packet that has a short header: what a header's protection
	// needs (RFC 9001, 5.4.2).
	leastShort = 1 + 4 + sampleSize
)

// A payload is one of UDP that may hold several datagrams.
type payload struct {
	from   talk.Side
	b      []byte // what was captured
	size   int
	begins []int // where packets with long headers begin, and then where what is behind them does
	short  int   // where the first short header stands; size where there is none
}

// walk looks at the packets whose length is said. It returns false where these do not fill
// what was captured.
func (c *Conn) walk(p *payload) bool {
	at := 0
	for at < len(p.b) && len(p.begins) < maxWalked {
		p.begins = append(p.begins, at)
		if p.b[at]&0x80 == 0 {
			p.short = at
			return true
		}
		h, ok := ParseHeader(p.b[at:])
		if !ok || h.Kind == Retry || h.Kind == Negotiation || h.Kind == Unknown || h.size > p.size-at {
			return false
		}
		for at += h.size; at < len(p.b) && p.b[at] == 0; at++ { // datagrams may be filled up
		}
	}
	p.short = p.size
	return true
}

// fits is how many bits tell that each datagram but the last has n bytes; 0 is that they do not.
func (c *Conn) fits(p *payload, n int) (bits int) {
	// The ID may be one that was given in a packet that cannot be opened: it is the same in all.
	to := &c.ids[p.from.Other()]
	var id []byte
	if to.some && p.short < len(p.b) {
		id = p.b[p.short+1:]
		id = id[:min(len(id), c.length(p.from.Other(), p.b[p.short:]))]
	}
	next := 0
	for at := n; at < p.size && at < len(p.b); at += n {
		if at < p.short {
			for next < len(p.begins) && p.begins[next] < at {
				next++
			}
			if next == len(p.begins) || p.begins[next] != at {
				return 0
			}
			bits += 8
			continue
		}
		b := p.b[at:]
		switch {
		case b[0]&0x80 != 0:
			if h, ok := ParseHeader(b); !ok || h.Version != c.version {
				return 0
			}
			bits += 32
		case b[0]&0x40 == 0 || !bytes.HasPrefix(b[1:], id) && !to.begins(b[1:]):
			return 0 // "Packets containing a zero value for this bit are not valid" (RFC 9000, 17.3.1)
		default:
			bits += 2 + 8*len(id)
		}
	}
	return bits
}

// end is where the datagram ends that the first short header is in, if each has n bytes.
func (p *payload) end(n int) int { return min(p.size, (p.short/n+1)*n) }

// A lock is what the packet with the first short header may be opened with. Neither its header
// nor its number hang on where it ends.
type lock struct {
	header  []byte
	content []byte // to the end of the payload
	number  int64
	keys    []*protection
}

// locks are what may open the packet that the first short header of a payload is of.
func (c *Conn) locks(p *payload) (list []lock) {
	s := &c.side[p.from]
	b := p.b[p.short:]
	at := 1 + c.length(p.from.Other(), b)
	known := s.key[levelApp]
	keys := []*protection{known}
	if known == nil {
		keys = c.candidates(c.version, c.secretOf(p.from, levelApp))
	}
	for _, k := range keys {
		header, sent, ok := c.Scratch.unmask(k, b, at)
		if !ok {
			continue
		}
		size := len(header) - at
		l := lock{header: bytes.Clone(header), content: b[len(header):], number: whole(sent, s.largest[levelApp], 8*size), keys: []*protection{k}}
		if known != nil && header[0]&phaseBit != s.phase {
			if s.next == nil {
				s.next = known.next()
			}
			if l.keys[0] = s.next; s.previous != nil {
				l.keys = append(l.keys, s.previous)
			}
		}
		list = append(list, l)
	}
	return list
}

// unlocks reports whether the packet opens that ends where the datagram does, if each has n bytes.
func (c *Conn) unlocks(p *payload, list []lock, n int) bool {
	s := &c.side[p.from]
	end := p.end(n) - p.short
	for _, l := range list {
		size := end - len(l.header)
		if size < tagSize || size > len(l.content) {
			continue
		}
		for _, k := range l.keys {
			s.trials++
			if _, ok := c.Scratch.open(k, l.header, l.content[:size], l.number); ok {
				s.trials = 0
				return true
			}
		}
	}
	return false
}

// segment returns how long each of the datagrams is in a payload of size bytes, of which b was
// captured: size is that it is one. sure is false where there may be several and it is not known
// how long they are.
func (c *Conn) segment(from talk.Side, b []byte, size int) (n int, sure bool) {
	s := &c.side[from]
	p := &payload{from: from, b: b, size: size}
	if size <= usualLargest {
		return c.twice(p), true
	}
	if !c.walk(p) {
		return size, false
	}
	if p.short == size {
		for i := len(p.begins) - 1; i > 0; i-- {
			if n := p.begins[i]; n <= usualLargest && c.fits(p, n) > 0 {
				return n, true
			}
		}
		return size, false
	}
	if n := c.unlock(p); n > 0 {
		if n < size {
			s.segment = n
		}
		return n, true
	}
	if n := s.segment; n > 0 && n < size && c.fits(p, n) > 0 {
		return n, true
	}
	found := 0
	for n := usualLeast; n <= min(usualLargest, size-1); n++ {
		if c.fits(p, n) < sureBits {
			continue
		}
		if found > 0 {
			return size, false
		}
		found = n
	}
	if found == 0 {
		return size, false
	}
	s.segment = found
	return found, true
}

// unlock finds the size by the first packet that has a short header; 0 is that none fits.
func (c *Conn) unlock(p *payload) int {
	s := &c.side[p.from]
	if len(p.b) < p.size || s.trials >= maxTrials {
		return 0
	}
	list := c.locks(p)
	if len(list) == 0 {
		return 0
	}
	try := func(n int) bool {
		return n > 0 && n < p.size && s.trials < maxTrials && c.fits(p, n) > 0 && c.unlocks(p, list, n)
	}
	switch {
	case try(s.segment):
		return s.segment
	case s.segment == 0 && s.large && c.unlocks(p, list, p.size):
		return p.size
	}
	for n := usualLargest; n >= usualLeast; n-- {
		if try(n) {
			return n
		}
	}
	if s.large = c.unlocks(p, list, p.size); s.large {
		return p.size
	}
	for n := min(jumbo, p.size-1); n > usualLargest; n-- {
		if try(n) {
			return n
		}
	}
	for n := usualLeast - 1; n >= leastShort; n-- {
		if try(n) {
			return n
		}
	}
	return 0
}

// twice looks for an ID a second time in a payload that may be one datagram and cannot be opened.
func (c *Conn) twice(p *payload) int {
	const least = 4 // shorter ones may stand anywhere
	b := p.b
	if len(b) < 2*leastShort || b[0]&0x80 != 0 || c.side[p.from].key[levelApp] != nil {
		return p.size
	}
	n := c.length(p.from.Other(), b)
	if n < least || !c.ids[p.from.Other()].some {
		return p.size
	}
	if i := bytes.Index(b[leastShort+1:], b[1:1+n]); i >= 0 && c.fits(p, leastShort+i) > 0 {
		return leastShort + i
	}
	return p.size
}

// shorter finds how long each datagram is where the packet that stands at an offset of b does not
// open to its end: there may be several in it. It returns where that packet ends, and 0 where it
// is not known.
func (c *Conn) shorter(from talk.Side, b []byte, at int) (each, end int) {
	s := &c.side[from]
	p := &payload{from: from, b: b, size: len(b)}
	most := maxTrials
	if s.key[levelApp] == nil {
		most = maxTrials / 8 // the secrets may be wrong
	}
	if s.trials >= most || !c.walk(p) || p.short != at {
		return 0, 0
	}
	list := c.locks(p)
	if len(list) == 0 {
		return 0, 0
	}
	for n := leastShort; n < len(b) && s.trials < most; n++ {
		if c.fits(p, n) > 0 && c.unlocks(p, list, n) {
			return n, p.end(n)
		}
	}
	return 0, 0
}
