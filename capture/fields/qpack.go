package fields

import "bytes"

// Bounds on what is held of one direction of QPACK, in bytes.
const (
	maxQPACK     = 1 << 20
	maxQPACKText = 1 << 20
	// qpackOverhead is what each entry counts beside its name and value (RFC 9204, 3.2.1).
	qpackOverhead = 32
	// qpackSlack is how much more than its capacity is kept of a table: an entry that has been
	// evicted may be named by a section that is read late.
	qpackSlack = 64 << 10
)

// A QPACK reads the heads that one side of a connection of HTTP/3 sends: what its encoder
// stream inserts into the dynamic table, and sections of fields that refer to it (RFC 9204).
// The zero value is that of a connection that begins.
type QPACK struct {
	max      uint64       // SETTINGS_QPACK_MAX_TABLE_CAPACITY of who reads the sections
	told     bool         // max is known
	capacity uint64       // as the encoder has set it
	entries  []qpackEntry // from first on, the newest last
	first    int
	inserted uint64 // entries so far; the last of entries is number inserted-1
	size     int    // of entries
	buf      []byte // an instruction that has not ended
	lost     bool   // how many entries there are is not known
	scratch  []byte
}

// A qpackEntry is one of a table, static or dynamic.
type qpackEntry struct {
	name  Name
	gone  bool // the value was not captured
	value []byte
}

// size is what an entry counts here: less than in the table of the sides, since values that no
// record needs are not kept.
func (e qpackEntry) size() int { return len(e.value) + qpackOverhead }

// SetMax takes SETTINGS_QPACK_MAX_TABLE_CAPACITY as who reads the sections has said it: 0 where
// its SETTINGS do not name it (RFC 9204, 5).
func (q *QPACK) SetMax(n uint64) { q.max, q.told = n, true }

// Lose says that a part of the encoder stream is missing. Fields that refer to the dynamic table
// are lost from then on, since its entries go by their number.
func (q *QPACK) Lose() { q.lost, q.entries, q.first, q.buf, q.size = true, nil, 0, nil, 0 }

// Lost reports whether that is so.
func (q *QPACK) Lost() bool { return q.lost }

// Instructions takes the next bytes of the encoder stream (RFC 9204, 4.3).
func (q *QPACK) Instructions(b []byte) {
	if q.lost {
		return
	}
	if len(q.buf) > 0 {
		q.buf = append(q.buf, b...)
		b = q.buf
	}
	for len(b) > 0 && !q.lost {
		n := q.instruction(b)
		if n == 0 {
			break
		}
		b = b[n:]
	}
	if q.lost || len(b) > maxQPACKText {
		q.Lose()
		return
	}
	q.buf = append(q.buf[:0], b...)
}

// instruction carries out the instruction that b begins with and returns its size, 0 where it
// does not end in b.
func (q *QPACK) instruction(b []byte) int {
	switch {
	case b[0]&0x80 != 0: // Insert with Name Reference
		index, n := prefixed(b, 6)
		if n <= 0 {
			return q.short(n)
		}
		var name Name
		if b[0]&0x40 == 0 {
			e, _ := q.entry(q.inserted - 1 - index)
			name = e.name
		} else if f, ok := qpackFixed(index, n); ok > 0 {
			name = f.Name
		} else {
			return q.short(ok)
		}
		return q.insert(name, b, n)
	case b[0]&0x40 != 0: // Insert with Literal Name
		name, n := q.text(b, 5, true)
		if n <= 0 {
			return q.short(n)
		}
		return q.insert(NameOf(name), b, n)
	case b[0]&0x20 != 0: // Set Dynamic Table Capacity
		capacity, n := prefixed(b, 5)
		if n <= 0 {
			return q.short(n)
		}
		if capacity > maxQPACK {
			q.Lose()
			return 0
		}
		q.capacity = capacity
		q.evict()
		return n
	default: // Duplicate
		index, n := prefixed(b, 5)
		if n <= 0 {
			return q.short(n)
		}
		e, ok := q.entry(q.inserted - 1 - index)
		if !ok {
			e = qpackEntry{name: Lost, gone: true}
		}
		q.add(e)
		return n
	}
}

// short says what an instruction is that does not end (0), or is none (less).
func (q *QPACK) short(n int) int {
	if n < 0 {
		q.Lose()
	}
	return 0
}

// insert adds an entry of that name, whose value stands at b[n:], and returns the size of the
// instruction, which b begins with.
func (q *QPACK) insert(name Name, b []byte, n int) int {
	value, m := q.text(b[n:], 7, name.valued())
	if m <= 0 {
		return q.short(m)
	}
	q.add(qpackEntry{name: name, gone: name == Lost, value: bytes.Clone(value)})
	return n + m
}

func (q *QPACK) add(e qpackEntry) {
	q.entries = append(q.entries, e)
	q.inserted++
	q.size += e.size()
	q.evict()
}

// evict lets go of the oldest entries. Those that the encoder has evicted are named by no
// section that is yet to be sent.
func (q *QPACK) evict() {
	for q.first < len(q.entries) && q.size > int(q.capacity)+qpackSlack {
		q.size -= q.entries[q.first].size()
		q.entries[q.first] = qpackEntry{}
		q.first++
	}
	if q.first > 64 && q.first > len(q.entries)/2 { // else each insertion would move the whole table
		n := copy(q.entries, q.entries[q.first:])
		clear(q.entries[n:])
		q.entries, q.first = q.entries[:n], 0
	}
}

// entry returns the entry of an absolute index (RFC 9204, 3.2.4), if it is known.
func (q *QPACK) entry(index uint64) (qpackEntry, bool) {
	if q.lost || index >= q.inserted || q.inserted-index > uint64(len(q.entries)-q.first) {
		return qpackEntry{}, false
	}
	return q.entries[uint64(len(q.entries))-(q.inserted-index)], true
}

// required returns how many entries a section needs to be there, its base (RFC 9204, 4.5.1),
// and the size of both.
func (q *QPACK) required(b []byte) (count, base uint64, size int) {
	encoded, n := prefixed(b, 8)
	if n <= 0 || n >= len(b) {
		return 0, 0, 0
	}
	delta, m := prefixed(b[n:], 7)
	if m <= 0 {
		return 0, 0, 0
	}
	if encoded > 0 {
		count = q.count(encoded)
	}
	if b[n]&0x80 != 0 {
		base = count - delta - 1
	} else {
		base = count + delta
	}
	return count, base, n + m
}

// count decodes a Required Insert Count that is not 0 (RFC 9204, 4.5.1.1).
func (q *QPACK) count(encoded uint64) uint64 {
	most := q.max
	if !q.told {
		most = q.capacity // encoders set what they may
	}
	entries := most / qpackOverhead
	if entries == 0 {
		return encoded - 1
	}
	full := 2 * entries
	greatest := q.inserted + entries
	count := greatest/full*full + encoded - 1
	if count > greatest && count >= full {
		count -= full
	}
	return count
}

// Waits reports whether a section refers to entries that have not come yet, so that it is to be
// read later (RFC 9204, 2.2.1).
func (q *QPACK) Waits(section []byte) bool {
	if q.lost || len(section) == 0 || section[0] == 0 {
		return false
	}
	count, _, n := q.required(section)
	return n > 0 && (!q.told || count > q.inserted)
}

// Fields reads a section and hands each of its fields to emit. It returns false where the section
// is none of QPACK from some place on.
func (q *QPACK) Fields(section []byte, emit func(Field)) bool {
	_, base, n := q.required(section)
	if n == 0 {
		return false
	}
	for b := section[n:]; len(b) > 0; b = b[n:] {
		var f Field
		if f, n = q.field(b, base); n <= 0 {
			return false
		}
		emit(f)
	}
	return true
}

// field reads the representation that b begins with (RFC 9204, 4.5.2 to 4.5.6).
func (q *QPACK) field(b []byte, base uint64) (f Field, size int) {
	switch {
	case b[0]&0x80 != 0: // Indexed Field Line
		index, n := prefixed(b, 6)
		if b[0]&0x40 != 0 {
			return qpackFixed(index, n)
		}
		return q.indexed(base-1-index, n)
	case b[0]&0x40 != 0: // Literal Field Line with Name Reference
		index, n := prefixed(b, 4)
		if n <= 0 {
			return f, n
		}
		if b[0]&0x10 != 0 {
			if f, n = qpackFixed(index, n); n <= 0 {
				return f, n
			}
		} else {
			f, _ = q.indexed(base-1-index, n)
		}
		return q.literal(f.Name, b, n)
	case b[0]&0x20 != 0: // Literal Field Line with Literal Name
		name, n := q.text(b, 3, true)
		if n <= 0 {
			return f, n
		}
		return q.literal(NameOf(name), b, n)
	case b[0]&0x10 != 0: // Indexed Field Line with Post-Base Index
		index, n := prefixed(b, 4)
		return q.indexed(base+index, n)
	default: // Literal Field Line with Post-Base Name Reference
		index, n := prefixed(b, 3)
		if n <= 0 {
			return f, n
		}
		f, _ = q.indexed(base+index, n)
		return q.literal(f.Name, b, n)
	}
}

// literal is a field of that name whose value stands at b[n:].
func (q *QPACK) literal(name Name, b []byte, n int) (f Field, size int) {
	value, m := q.text(b[n:], 7, name.valued())
	if m <= 0 {
		return f, m
	}
	return Field{Name: name, Value: value}, n + m
}

// indexed is the field of an entry.
func (q *QPACK) indexed(index uint64, n int) (Field, int) {
	e, ok := q.entry(index)
	if !ok {
		return Field{Name: Lost, Gone: true}, n
	}
	return Field{Name: e.name, Value: e.value, Gone: e.gone}, n
}

// qpackFixed is the field of an entry of the static table.
func qpackFixed(index uint64, n int) (Field, int) {
	if index >= uint64(len(qpackStatic)) {
		return Field{}, -1
	}
	return Field{Name: qpackStatic[index].name, Value: qpackStatic[index].value}, n
}

// text reads a string whose length has a prefix of so many bits, with the bit above it for
// Huffman's code (RFC 9204, 4.1.2). It returns the string, where it is wanted, and how many bytes
// of b it takes: 0 where it does not end in b, less where it is none. The string is valid until
// the next one is read.
func (q *QPACK) text(b []byte, bits uint8, wanted bool) (s []byte, size int) {
	n, size := prefixed(b, bits)
	switch {
	case size <= 0:
		return nil, size
	case n > maxQPACKText:
		return nil, -1
	case uint64(len(b)-size) < n:
		return nil, 0
	}
	s = b[size : size+int(n)]
	size += int(n)
	switch {
	case !wanted:
		return nil, size
	case b[0]&(1<<bits) == 0:
		return s, size
	}
	var err error
	if q.scratch, err = appendHuffman(q.scratch[:0], s); err != nil {
		return nil, -1
	}
	return q.scratch, size
}

// prefixed reads an integer that has the lower so many bits of the first byte (RFC 7541, 5.1;
// RFC 9204, 4.1.1), and returns how many bytes of b it takes: 0 where it does not end in b,
// less where it is over 62 bits.
func prefixed(b []byte, bits uint8) (n uint64, size int) {
	if len(b) == 0 {
		return 0, 0
	}
	most := uint64(1)<<bits - 1
	if n = uint64(b[0]) & most; n < most {
		return n, 1
	}
	for i, c := range b[1:] {
		if i >= 9 || i == 8 && c > 0x3f {
			return 0, -1
		}
		n += uint64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			if n >= 1<<62 {
				return 0, -1
			}
			return n, i + 2
		}
	}
	return 0, 0
}
