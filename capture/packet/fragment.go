package packet

import (
	"encoding/binary"

	"linger/flow"
)

// maxFragmented is how many packets are put together at once. Each has at most 64 kB.
const maxFragmented = 64

// fragments puts IP packets together (RFC 791, 3.2; RFC 8200, 4.5). The oldest make room.
type fragments struct {
	open []*fragmented // in order of their first fragments
	lost int64
}

// A fragmented is one IP packet in pieces.
type fragmented struct {
	key   [40]byte // version, protocol, addresses, identification
	head  []byte   // the header of the first fragment, as that of a whole packet
	body  []byte
	have  int // bytes of the body, which do not overlap
	total int // its length; 0 while the last fragment is missing
	spans [][2]int
}

// flush returns how many packets did not become whole.
func (f *fragments) flush() int64 {
	f.lost += int64(len(f.open))
	f.open = nil
	return f.lost
}

// add takes in a fragment, of which b is what was captured, and returns the packet that it
// completes, or nil.
func (f *fragments) add(p *flow.Packet, b []byte) []byte {
	var key [40]byte
	var offset int
	var more bool
	head := p.Network // where this fragment's part begins
	if b[0]>>4 == 4 {
		field := binary.BigEndian.Uint16(b[6:])
		offset, more = int(field&0x1fff)*8, field&0x2000 != 0
		key[0], key[1] = 4, b[9]
		copy(key[4:], b[12:20])
		copy(key[36:], b[4:6])
	} else {
		at, next := 40, b[6] // Parse has found a fragment header
		for next != 44 && at+8 <= head {
			size := (int(b[at+1]) + 1) * 8
			if next == 51 {
				size = (int(b[at+1]) + 2) * 4
			}
			next, at = b[at], at+size
		}
		if next != 44 || at+8 > len(b) {
			return nil
		}
		field := binary.BigEndian.Uint16(b[at+2:])
		offset, more = int(field&0xfff8), field&1 != 0
		head = at + 8
		key[0], key[1] = 6, b[at]
		copy(key[4:], b[8:40])
		copy(key[36:], b[at+4:at+8])
	}
	size := p.Headers + p.Payload - head
	if p.Missing > 0 || size <= 0 || offset+size > 1<<16 || head+size > len(b) {
		return nil
	}
	one := f.find(key)
	part := b[head : head+size]
	one.put(offset, part)
	if !more {
		one.total = offset + size
	}
	if offset == 0 {
		one.head = append(one.head[:0], whole(b[:p.Network], head)...)
	}
	if one.total == 0 || one.have < one.total || one.head == nil {
		return nil
	}
	f.remove(one)
	return one.packet()
}

// whole returns a header as that of a packet that was never in pieces. An IPv6 header ends
// where its fragment header begins, 8 bytes before end.
func whole(head []byte, end int) []byte {
	if head[0]>>4 == 4 {
		h := append([]byte(nil), head...)
		binary.BigEndian.PutUint16(h[6:], 0)
		return h
	}
	h := append([]byte(nil), head[:end-8]...)
	next := head[end-8]
	if end == 48 {
		h[6] = next
		return h
	}
	// The header before it names what comes next in its own first byte.
	at, last := 40, 40
	for at < len(h) {
		last = at
		size := (int(h[at+1]) + 1) * 8
		at += size
	}
	h[last] = next
	return h
}

// find returns the packet of a key, a new one if there is none.
func (f *fragments) find(key [40]byte) *fragmented {
	for _, one := range f.open {
		if one.key == key {
			return one
		}
	}
	if len(f.open) == maxFragmented {
		f.lost++
		f.open = append(f.open[:0], f.open[1:]...)
	}
	one := &fragmented{key: key}
	f.open = append(f.open, one)
	return one
}

func (f *fragments) remove(one *fragmented) {
	for i := range f.open {
		if f.open[i] == one {
			f.open = append(f.open[:i], f.open[i+1:]...)
			return
		}
	}
}

// put takes in a part of the body. What overlaps another is taken once: RFC 5722 has such
// packets dropped, which are attacks or duplicates.
func (one *fragmented) put(offset int, part []byte) {
	end := offset + len(part)
	for _, s := range one.spans {
		if offset < s[1] && end > s[0] {
			return
		}
	}
	const most = 1 << 13 // fragments of a packet
	if len(one.spans) == most {
		return
	}
	one.spans = append(one.spans, [2]int{offset, end})
	if end > len(one.body) {
		one.body = append(one.body, make([]byte, end-len(one.body))...)
	}
	copy(one.body[offset:], part)
	one.have += len(part)
}

// packet returns the packet put together.
func (one *fragmented) packet() []byte {
	b := append(one.head, one.body[:one.total]...)
	if b[0]>>4 == 4 {
		binary.BigEndian.PutUint16(b[2:], uint16(min(len(b), 1<<16-1)))
	} else {
		binary.BigEndian.PutUint16(b[4:], uint16(min(len(b)-40, 1<<16-1)))
	}
	return b
}
