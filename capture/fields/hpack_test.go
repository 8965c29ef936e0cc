package fields_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/http2/hpack"

	"linger/capture/fields"
)

// text is a field as tests compare it.
func text(f fields.Field) string {
	if f.Gone || f.Name == fields.Lost {
		return fmt.Sprint(f.Name, " gone")
	}
	return fmt.Sprint(f.Name, " ", string(f.Value))
}

func read(h *fields.HPACK, block []byte) (out []string) {
	var f fields.Field
	for h.Begin(block); h.Next(&f); {
		out = append(out, text(f))
	}
	return out
}

// want is what the decoder should say of a field.
func want(f hpack.HeaderField) string {
	name := fields.NameOf([]byte(f.Name))
	if name == fields.Other || name == fields.Cookie || name == fields.Authorization {
		return fmt.Sprint(name, " ")
	}
	return fmt.Sprint(name, " ", f.Value)
}

// heads makes up heads of requests.
func heads(r *rand.Rand, n int) (out [][]hpack.HeaderField) {
	for i := range n {
		h := []hpack.HeaderField{
			{Name: ":method", Value: []string{"GET", "POST", "PROPFIND"}[r.IntN(3)]}, {Name: ":scheme", Value: "https"},
			{Name: ":authority", Value: fmt.Sprintf("h%d.example", r.IntN(3))}, {Name: ":path", Value: fmt.Sprintf("/%d?\x01é%d", r.IntN(20), i%7)},
			{Name: "user-agent", Value: "tester/1"}, {Name: fmt.Sprintf("x-%d", r.IntN(30)), Value: string(bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(50)))},
			{Name: "cookie", Value: "secret", Sensitive: r.IntN(2) == 0},
		}
		if r.IntN(9) == 0 {
			h = append(h, hpack.HeaderField{Name: "referer", Value: string(bytes.Repeat([]byte{'r'}, 500))})
		}
		if r.IntN(40) == 0 {
			h = append(h, hpack.HeaderField{Name: "x-long", Value: string(bytes.Repeat([]byte{'z'}, 5000))})
		}
		out = append(out, h)
	}
	return out
}

// encoded are heads as an encoder writes them whose table changes its size at times.
func encoded(r *rand.Rand, all [][]hpack.HeaderField) (blocks [][]byte) {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSizeLimit(1 << 16)
	for _, h := range all {
		if r.IntN(50) == 0 {
			e.SetMaxDynamicTableSize(uint32(r.IntN(3)) * 3000)
		}
		b.Reset()
		for _, f := range h {
			if err := e.WriteField(f); err != nil {
				panic(err)
			}
		}
		blocks = append(blocks, bytes.Clone(b.Bytes()))
	}
	return blocks
}

func TestHPACK(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := heads(r, 3000)
	blocks := encoded(r, all)
	var h fields.HPACK
	for i, b := range blocks {
		got := read(&h, b)
		if h.Err() != nil {
			t.Fatalf("head %d: %v", i, h.Err())
		}
		if len(got) != len(all[i]) {
			t.Fatalf("head %d: %d fields, want %d", i, len(got), len(all[i]))
		}
		for j, f := range all[i] {
			if got[j] != want(f) {
				t.Fatalf("head %d: field %d is %q, want %q", i, j, got[j], want(f))
			}
		}
	}
}

// What refers to lost entries is said to be lost, and nothing that is said is wrong.
func TestHPACKLoss(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	all := heads(r, 3000)
	blocks := encoded(r, all)
	var h fields.HPACK
	h.Lose()
	var gone, known, after int
	since := 0
	for i, b := range blocks[100:] {
		i += 100
		if r.IntN(100) == 0 {
			h.Lose()
			since = 0
			continue
		}
		since++
		cut := len(b)
		if r.IntN(100) == 0 {
			cut = r.IntN(len(b))
		}
		got := read(&h, b[:cut])
		if cut < len(b) {
			h.Lose()
			since = 0
		} else if h.Err() != nil {
			t.Fatalf("head %d: %v", i, h.Err())
		} else if len(got) != len(all[i]) {
			t.Fatalf("head %d: %d fields, want %d", i, len(got), len(all[i]))
		}
		for j, g := range got {
			switch {
			case g == want(all[i][j]):
				known++
			case bytes.HasSuffix([]byte(g), []byte("gone")):
				if gone++; since > 60 {
					after++
				}
			default:
				t.Fatalf("head %d: field %d is %q, want %q", i, j, g, want(all[i][j]))
			}
		}
	}
	if gone == 0 || known < 4*gone || after > gone/5 {
		t.Errorf("%d fields known, %d lost, of them %d long after a loss", known, gone, after)
	}
	t.Logf("%d fields known, %d lost, of them %d long after a loss", known, gone, after)
}

func TestHPACKErrors(t *testing.T) {
	for name, b := range map[string][]byte{
		"index 0":                  {0x80},
		"index of no entry":        {0x80 | 62},
		"name of no entry":         {0x40 | 62, 1, 'a'},
		"string that is cut":       {0x40, 3, 'a'},
		"integer that is cut":      {0xff},
		"integer that is too long": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"padding of zeros":         {0x40, 0x81, 0x00, 0},
		"end of the string":        {0x40, 0x84, 0xff, 0xff, 0xff, 0xff, 0},
	} {
		var h fields.HPACK
		if got := read(&h, b); h.Err() == nil || len(got) > 0 {
			t.Errorf("%s: %q, no error", name, got)
		}
	}
}

func FuzzHPACK(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, b := range encoded(r, heads(r, 8)) {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		var h fields.HPACK
		if !whole {
			h.Lose()
		}
		d := hpack.NewDecoder(4096, nil)
		d.SetAllowedMaxDynamicTableSize(1 << 31)
		for range 3 {
			theirs, err := d.DecodeFull(b)
			ours := read(&h, b)
			if !whole || err != nil {
				return
			}
			if h.Err() != nil || len(ours) != len(theirs) {
				t.Fatalf("%d fields and %v, want %d", len(ours), h.Err(), len(theirs))
			}
			for i, f := range theirs {
				if ours[i] != want(f) {
					t.Fatalf("field %d is %q, want %q", i, ours[i], want(f))
				}
			}
		}
	})
}

func BenchmarkHPACK(b *testing.B) {
	var buf bytes.Buffer
	e := hpack.NewEncoder(&buf)
	write := func(i int) {
		buf.Reset()
		for _, f := range []hpack.HeaderField{
			{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "www.example.com"},
			{Name: ":path", Value: fmt.Sprintf("/assets/images/%d.png", i)}, {Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64)"},
			{Name: "accept", Value: "*/*"}, {Name: "accept-encoding", Value: "gzip, br"}, {Name: "x-request-id", Value: fmt.Sprintf("%032d", i*7919)},
		} {
			e.WriteField(f)
		}
	}
	var blocks [][]byte
	for i := range 200 {
		write(i)
		blocks = append(blocks, bytes.Clone(buf.Bytes()))
	}
	var h fields.HPACK
	var f fields.Field
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, block := range blocks {
			for h.Begin(block); h.Next(&f); {
				n++
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/field")
}
