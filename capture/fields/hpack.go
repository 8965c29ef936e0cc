package fields

import "errors"

const (
	firstSize = 4096    // of the dynamic table (RFC 9113, 6.5.2)
	maxSize   = 1 << 20 // of what is kept of it, in bytes as RFC 7541 counts them
	unsure    = 1 << 16 // the same while its size is not known
	overhead  = 32      // of each entry (RFC 7541, 4.1)
	maxString = 1 << 20
)

// Why a block could not be read to its end.
var (
	errShort = errors.New("the block ends within a field")
	errIndex = errors.New("an index of no entry")
	errLarge = errors.New("an integer or a string that is too large")
)

// An entry is one of the dynamic table.
type entry struct {
	name     Name
	gone     bool // the value was not captured
	nameSize int32
	size     int32 // at most as large as it is
	at, n    int   // where the value is, if it is kept
}

// HPACK is what one side's blocks of fields build up: Begin each block, Next until it returns
// false. The zero value is that of a connection that begins.
//
// An index counts from the newest entry on, so that what was inserted since a loss is right
// whatever was there before, and the oldest are evicted first. What refers beyond is Lost.
// Entries are evicted here to bound memory alone: nobody refers to one that is not there.
type HPACK struct {
	entries []entry // from first on, the newest last
	first   int
	total   int    // of their sizes
	values  []byte // of all entries
	started bool   // limit is set
	limit   int    // the size of the table
	lost    bool   // there may be older entries than those that are known
	sure    bool   // nothing that may have changed the limit is missing

	b       []byte // of the block, what is to be read
	err     error
	scratch []byte
}

// Lose says that a block, or a part of one, was not captured.
func (t *HPACK) Lose() {
	t.start()
	t.entries, t.first, t.total, t.values = t.entries[:0], 0, 0, t.values[:0]
	t.lost, t.sure = true, false
}

func (t *HPACK) start() {
	if !t.started {
		t.started, t.limit, t.sure = true, firstSize, true
	}
}

// Begin takes a block, or what there is of its beginning. It is read until Next returns false.
func (t *HPACK) Begin(block []byte) {
	t.start()
	t.b, t.err = block, nil
}

// Err returns why the last block was not read to its end. Lose has then been called.
func (t *HPACK) Err() error { return t.err }

// Next reads the next field of the block.
func (t *HPACK) Next(f *Field) bool {
	for len(t.b) > 0 && t.err == nil {
		c := t.b[0]
		switch {
		case c&0x80 != 0: // 6.1
			i, ok := t.integer(7)
			if ok && t.indexed(i, f) {
				return true
			}
		case c&0x40 != 0: // 6.2.1
			if t.literal(6, true, f) {
				return true
			}
		case c&0x20 != 0: // 6.3
			if n, ok := t.integer(5); ok {
				t.resize(n)
			}
		default: // 6.2.2 and 6.2.3
			if t.literal(4, false, f) {
				return true
			}
		}
	}
	if t.err != nil {
		t.b = nil
		t.Lose()
	}
	return false
}

// integer reads one with a prefix of so many bits (RFC 7541, 5.1).
func (t *HPACK) integer(bits uint) (int, bool) {
	n, size := Integer(t.b, bits)
	switch {
	case size == 0:
		t.err = errShort
	case size < 0:
		t.err = errLarge
	default:
		t.b = t.b[size:]
		return n, true
	}
	return 0, false
}

// Integer reads an integer with a prefix of so many bits, and returns how many bytes it takes:
// 0 if it does not end in b, and less if it is larger than 2^31 (RFC 7541, 5.1).
func Integer(b []byte, bits uint) (n, size int) {
	if len(b) == 0 {
		return 0, 0
	}
	most := 1<<bits - 1
	if n = int(b[0]) & most; n < most {
		return n, 1
	}
	for i := 1; i < len(b); i++ {
		if i > 5 {
			return 0, -1
		}
		n += int(b[i]&0x7f) << (7 * (i - 1))
		if n > 1<<31-1 {
			return 0, -1
		}
		if b[i]&0x80 == 0 {
			return n, i + 1
		}
	}
	if len(b) > 6 {
		return 0, -1
	}
	return 0, 0
}

// text takes a string off, as it is in the block (RFC 7541, 5.2).
func (t *HPACK) text() (b []byte, huffman, ok bool) {
	if len(t.b) == 0 {
		t.err = errShort
		return nil, false, false
	}
	huffman = t.b[0]&0x80 != 0
	n, ok := t.integer(7)
	switch {
	case !ok:
	case n > maxString:
		t.err, ok = errLarge, false
	case n > len(t.b):
		t.err, ok = errShort, false
	default:
		b, t.b = t.b[:n], t.b[n:]
	}
	return b, huffman, ok
}

// find returns the entry of the dynamic table that an index is of, nil if it is not known.
func (t *HPACK) find(i int) *entry {
	if at := len(t.entries) - (i - statics); at >= t.first && i > statics {
		return &t.entries[at]
	}
	if !t.lost {
		t.err = errIndex
	}
	return nil
}

// indexed is a field that is an entry.
func (t *HPACK) indexed(i int, f *Field) bool {
	switch {
	case i == 0:
		t.err = errIndex
		return false
	case i <= statics:
		*f = Field{Name: static[i].name, Value: static[i].value}
		return true
	}
	e := t.find(i)
	if e == nil {
		*f = Field{Name: Lost, Gone: true}
		return t.err == nil
	}
	*f = Field{Name: e.name, Gone: e.gone, Value: t.values[e.at : e.at+e.n]}
	return true
}

// literal is a field whose value is in the block, its name too or that of an entry.
func (t *HPACK) literal(bits uint, insert bool, f *Field) bool {
	i, ok := t.integer(bits)
	if !ok {
		return false
	}
	e := entry{name: Lost}
	switch {
	case i == 0:
		b, huffman, ok := t.text()
		if !ok {
			return false
		}
		if huffman {
			if t.scratch, t.err = appendHuffman(t.scratch[:0], b); t.err != nil {
				return false
			}
			b = t.scratch
		}
		e.name, e.nameSize = NameOf(b), int32(len(b))
	case i <= statics:
		e.name, e.nameSize = static[i].name, int32(static[i].size)
	default:
		if old := t.find(i); old != nil {
			e.name, e.nameSize = old.name, old.nameSize
		} else if t.err != nil {
			return false
		}
	}
	b, huffman, ok := t.text()
	if !ok {
		return false
	}
	*f = Field{Name: e.name}
	most := len(b)
	if huffman {
		most = len(b) * 8 / 5
	}
	if e.name.valued() || insert && overhead+int(e.nameSize)+most > t.limit {
		if huffman {
			if t.scratch, t.err = appendHuffman(t.scratch[:0], b); t.err != nil {
				return false
			}
			b = t.scratch
		}
		most = len(b)
		if e.name.valued() {
			f.Value = b
		}
	}
	if insert {
		e.size = int32(overhead + int(e.nameSize) + len(b))
		t.insert(e, f.Value, overhead+int(e.nameSize)+most)
	}
	return true
}

// insert adds an entry, of at most so many bytes.
func (t *HPACK) insert(e entry, value []byte, most int) {
	if most > t.limit {
		// "It is not an error [...]; an attempt to add an entry larger than the maximum size
		// causes the table to be emptied" (RFC 7541, 4.4).
		lost := t.lost && !t.sure
		t.Lose()
		t.lost, t.sure = lost, !lost
		return
	}
	if t.first > 64 && t.first > len(t.entries)/2 {
		t.compact()
	}
	e.at, e.n = len(t.values), len(value)
	t.values = append(t.values, value...)
	t.entries = append(t.entries, e)
	t.total += int(e.size)
	t.evict()
}

// compact forgets what has been evicted.
func (t *HPACK) compact() {
	n := copy(t.entries, t.entries[t.first:])
	t.entries, t.first = t.entries[:n], 0
	from := len(t.values)
	if n > 0 {
		from = t.entries[0].at
	}
	t.values = t.values[:copy(t.values, t.values[from:])]
	for i := range t.entries {
		t.entries[i].at -= from
	}
}

// resize is a change of the table's size (RFC 7541, 6.3).
func (t *HPACK) resize(n int) {
	t.limit, t.sure = n, true
	if n == 0 {
		t.entries, t.first, t.total, t.values, t.lost = t.entries[:0], 0, 0, t.values[:0], false
		return
	}
	t.evict()
}

func (t *HPACK) evict() {
	bound := t.limit
	if !t.sure {
		bound = max(bound, unsure)
	}
	if bound > maxSize {
		bound = maxSize
	}
	for t.total > bound && t.first < len(t.entries) {
		t.total -= int(t.entries[t.first].size)
		t.first++
		if t.limit > maxSize {
			t.lost = true // it may still be there
		}
	}
}
