package fields

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// A pair is a field in full.
type pair struct{ name, value string }

// A maker is an encoder of QPACK with a dynamic table, whose choices are a seed's.
type maker struct {
	r        *rand.Rand
	capacity int
	table    []pair // all that were ever inserted
	dropped  int    // of these, evicted
	size     int
	stream   []byte // instructions so far
}

func qpackInteger(b []byte, first byte, bits uint8, n uint64) []byte {
	most := uint64(1)<<bits - 1
	if n < most {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func qpackPlain(b []byte, first byte, bits uint8, s string) []byte {
	return append(qpackInteger(b, first, bits, uint64(len(s))), s...)
}

func newMaker(seed uint64, capacity int) *maker {
	m := &maker{r: rand.New(rand.NewPCG(seed, 1)), capacity: capacity}
	m.stream = qpackInteger(nil, 0x20, 5, uint64(capacity))
	return m
}

// room evicts until an entry fits; floor is the oldest that must stay.
func (m *maker) room(p pair, floor int) bool {
	need := len(p.name) + len(p.value) + qpackOverhead
	for m.size+need > m.capacity {
		if m.dropped >= min(floor, len(m.table)) {
			return false
		}
		old := m.table[m.dropped]
		m.size -= len(old.name) + len(old.value) + qpackOverhead
		m.dropped++
	}
	m.size += need
	return true
}

// insert puts a field into the table by one of the ways to do so.
func (m *maker) insert(p pair, floor int) bool {
	same := -1
	for i := m.dropped; i < len(m.table); i++ {
		if m.table[i].name == p.name {
			same = i
		}
	}
	if !m.room(p, min(floor, max(same, m.dropped))) {
		return false
	}
	switch relative := len(m.table) - 1 - same; {
	case same >= 0 && m.table[same] == p:
		m.stream = qpackInteger(m.stream, 0, 5, uint64(relative))
	case same >= 0:
		m.stream = qpackPlain(qpackInteger(m.stream, 0x80, 6, uint64(relative)), 0, 7, p.value)
	case p.name == ":path" && m.r.IntN(2) == 0:
		m.stream = qpackPlain(qpackInteger(m.stream, 0xc0, 6, 1), 0, 7, p.value)
	default:
		m.stream = qpackPlain(qpackPlain(m.stream, 0x40, 5, p.name), 0, 7, p.value)
	}
	m.table = append(m.table, p)
	return true
}

// section encodes a head, and inserts some of its fields before or while it does.
func (m *maker) section(head []pair) []byte {
	base := len(m.table)
	floor := base // entries that this section refers to stay
	required := 0
	var lines []byte
	for _, p := range head {
		if m.r.IntN(3) == 0 {
			m.insert(p, floor)
		}
		found, named := -1, -1
		for i := m.dropped; i < len(m.table); i++ {
			if m.table[i] == p {
				found = i
			}
			if m.table[i].name == p.name {
				named = i
			}
		}
		use := found
		if found < 0 {
			use = named
		}
		if use >= 0 {
			floor, required = min(floor, use), max(required, use+1)
		}
		switch {
		case found >= base:
			lines = qpackInteger(lines, 0x10, 4, uint64(found-base))
		case found >= 0:
			lines = qpackInteger(lines, 0x80, 6, uint64(base-1-found))
		case p == pair{":method", "GET"}:
			lines = qpackInteger(lines, 0xc0, 6, 17)
		case named >= base:
			lines = qpackPlain(qpackInteger(lines, 0, 3, uint64(named-base)), 0, 7, p.value)
		case named >= 0:
			lines = qpackPlain(qpackInteger(lines, 0x40, 4, uint64(base-1-named)), 0, 7, p.value)
		case p.name == ":path":
			lines = qpackPlain(qpackInteger(lines, 0x50, 4, 1), 0, 7, p.value)
		default:
			lines = qpackPlain(qpackPlain(lines, 0x20, 3, p.name), 0, 7, p.value)
		}
	}
	if required == 0 {
		return append([]byte{0, 0}, lines...)
	}
	entries := m.capacity / qpackOverhead
	b := qpackInteger(nil, 0, 8, uint64(required%(2*entries)+1))
	if base >= required {
		b = qpackInteger(b, 0, 7, uint64(base-required))
	} else {
		b = qpackInteger(b, 0x80, 7, uint64(required-base-1))
	}
	return append(b, lines...)
}

// someHead is a head of fields that records need and others.
func someHead(r *rand.Rand) []pair {
	head := []pair{
		{":method", "GET"}, {":scheme", "https"}, {":authority", fmt.Sprintf("host%d.example", r.IntN(3))},
		{":path", fmt.Sprintf("/%d", r.IntN(40))}, {"user-agent", fmt.Sprintf("agent %d", r.IntN(5))},
	}
	for range r.IntN(4) {
		head = append(head, pair{fmt.Sprintf("x-%d", r.IntN(9)), fmt.Sprint(r.IntN(20))})
	}
	if r.IntN(2) == 0 {
		head = append(head, pair{"cookie", "secret"})
	}
	return head
}

// check compares the fields of a section with the truth. It returns how many were lost.
func check(t *testing.T, q *QPACK, section []byte, want []pair) (lost int) {
	t.Helper()
	i := 0
	if !q.Fields(section, func(f Field) {
		if i >= len(want) {
			t.Fatalf("more than %d fields", len(want))
		}
		name := NameOf([]byte(want[i].name))
		value := want[i].value
		if !name.valued() {
			value = ""
		}
		switch {
		case f.Name == Lost || f.Gone:
			lost++
		case f.Name != name || string(f.Value) != value && name.valued():
			t.Fatalf("field %d is %v %q, want %v", i, f.Name, f.Value, want[i])
		case !name.valued() && bytes.Contains(f.Value, []byte("secret")) && f.Name == Cookie:
			t.Fatalf("the value of %s was kept", want[i].name)
		}
		i++
	}) || i != len(want) {
		t.Fatalf("%d of %d fields of %x", i, len(want), section)
	}
	return lost
}

func TestSectionsOfADynamicTable(t *testing.T) {
	for seed := range uint64(50) {
		capacity := []int{256, 1024, 4096}[seed%3]
		m := newMaker(seed, capacity)
		var q QPACK
		q.SetMax(uint64(capacity))
		heads, sections, ends := [][]pair{}, [][]byte{}, []int{}
		for range 200 {
			head := someHead(m.r)
			heads, sections = append(heads, head), append(sections, m.section(head))
			ends = append(ends, len(m.stream))
		}
		at := 0
		for i, section := range sections {
			for at < ends[i] { // in pieces of any size
				n := min(1+m.r.IntN(7), ends[i]-at)
				q.Instructions(m.stream[at : at+n])
				at += n
			}
			if q.Waits(section) {
				t.Fatalf("seed %d: section %d waits", seed, i)
			}
			if lost := check(t, &q, section, heads[i]); lost > 0 {
				t.Fatalf("seed %d: %d fields of section %d are lost", seed, lost, i)
			}
		}
	}
}

func TestSectionsThatWait(t *testing.T) {
	m := newMaker(1, 4096)
	var q QPACK
	p := pair{":path", "/late"}
	m.insert(p, 0)
	m.insert(pair{"server", "made"}, 0)
	section := append(qpackInteger(qpackInteger(nil, 0, 8, 3), 0, 7, 0), 0x80, 0x81)
	if !q.Waits(section) {
		t.Error("it does not wait for what its reader allows")
	}
	q.SetMax(4096)
	for i := range m.stream {
		if !q.Waits(section) {
			t.Fatalf("it does not wait for byte %d", i)
		}
		q.Instructions(m.stream[i : i+1])
	}
	if q.Waits(section) {
		t.Error("it waits for what has come")
	}
	if lost := check(t, &q, section, []pair{{"server", "made"}, p}); lost > 0 {
		t.Error("fields are lost")
	}
	if lost := check(t, &QPACK{lost: true}, section, []pair{{"server", "made"}, p}); lost != 2 {
		t.Errorf("%d fields are lost where both are", lost)
	}
}

func TestSectionsBehindALoss(t *testing.T) {
	for seed := range uint64(20) {
		m := newMaker(seed, 1024)
		var q QPACK
		q.SetMax(1024)
		q.Instructions(m.stream)
		done := len(m.stream)
		lost := 0
		for i := range 100 {
			head := someHead(m.r)
			section := m.section(head)
			if i == 30 {
				q.Lose()
			} else {
				q.Instructions(m.stream[done:])
			}
			done = len(m.stream)
			if q.Waits(section) {
				t.Fatal("it waits for what is lost")
			}
			lost += check(t, &q, section, head)
			if i < 30 && lost > 0 {
				t.Fatal("lost before the loss")
			}
		}
		if lost == 0 {
			t.Error("nothing is lost behind a loss")
		}
	}
}

// TestExampleOfTheStandard reads what RFC 9204, B, shows.
func TestExampleOfTheStandard(t *testing.T) {
	var q QPACK
	q.SetMax(220)
	check(t, &q, []byte("\x00\x00\x51\x0b/index.html"), []pair{{":path", "/index.html"}})
	q.Instructions([]byte("\x3f\xbd\x01\xc0\x0fwww.example.com\xc1\x0c/sample/path"))
	check(t, &q, []byte("\x03\x81\x10\x11"), []pair{{":authority", "www.example.com"}, {":path", "/sample/path"}})
	q.Instructions([]byte("\x4acustom-key\x0ccustom-value"))
	q.Instructions([]byte("\x02"))
	check(t, &q, []byte("\x05\x00\x80\xc1\x81"), []pair{{":authority", "www.example.com"}, {":path", "/"}, {"custom-key", "custom-value"}})
	q.Instructions([]byte("\x81\x0dcustom-value2"))
	if q.inserted != 5 || q.Lost() {
		t.Errorf("%d entries", q.inserted)
	}
}

func FuzzQPACK(f *testing.F) {
	m := newMaker(3, 512)
	head := someHead(m.r)
	first := m.section(head)
	f.Add(m.stream, first, uint64(512))
	f.Add([]byte("\x3f\xbd\x01\xc0\x0fwww.example.com\xc1\x0c/sample/path\x02"), []byte("\x03\x81\x10\x11"), uint64(220))
	f.Add([]byte{0x3f}, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0x80}, uint64(1)<<40)
	f.Fuzz(func(t *testing.T, stream, section []byte, most uint64) {
		var whole, pieces QPACK
		whole.SetMax(most)
		pieces.SetMax(most)
		whole.Instructions(stream)
		for i := range stream {
			pieces.Instructions(stream[i : i+1])
		}
		if whole.inserted != pieces.inserted || whole.lost != pieces.lost {
			t.Fatalf("%d entries at once, %d in pieces", whole.inserted, pieces.inserted)
		}
		if whole.size > maxQPACK+qpackSlack {
			t.Fatalf("%d bytes are held", whole.size)
		}
		whole.Waits(section)
		var a, b []byte
		whole.Fields(section, func(f Field) { a = append(append(a, byte(f.Name)), f.Value...) })
		pieces.Fields(section, func(f Field) { b = append(append(b, byte(f.Name)), f.Value...) })
		if !bytes.Equal(a, b) {
			t.Fatalf("%q at once, %q in pieces", a, b)
		}
	})
}

func BenchmarkQPACK(b *testing.B) {
	m := newMaker(3, 4096)
	var q QPACK
	q.SetMax(4096)
	var section []byte
	for range 20 {
		section = m.section(someHead(m.r))
	}
	q.Instructions(m.stream)
	emit := func(Field) {}
	b.ReportAllocs()
	for b.Loop() {
		if !q.Fields(section, emit) {
			b.Fatal("no section")
		}
	}
}
