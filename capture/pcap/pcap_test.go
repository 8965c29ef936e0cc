package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"

	"linger"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)

// A file of three packets, 1.5 s apart, of 4, 60 and 0 bytes; the second was 1,000 long.
var (
	packets = [][]byte{[]byte("four"), bytes.Repeat([]byte{7}, 60), nil}
	wires   = []int{4, 1000, 0}
)

func classic(o binary.ByteOrder, magic uint32, unit time.Duration, extra int) []byte {
	app := o.(binary.AppendByteOrder)
	b := app.AppendUint32(nil, magic)
	b = app.AppendUint16(b, 2)
	b = app.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = app.AppendUint32(b, 60)
	b = app.AppendUint32(b, 1)
	for i, p := range packets {
		at := began.Add(time.Duration(i) * 1500 * time.Millisecond)
		b = app.AppendUint32(b, uint32(at.Unix()))
		b = app.AppendUint32(b, uint32(time.Duration(at.Nanosecond())/unit))
		b = app.AppendUint32(b, uint32(len(p)))
		b = app.AppendUint32(b, uint32(wires[i]))
		b = append(b, make([]byte, extra)...)
		b = append(b, p...)
	}
	return b
}

// blocks writes pcapng.
type blocks struct {
	o binary.AppendByteOrder
	b []byte
}

func (w *blocks) block(kind uint32, body []byte) *blocks {
	body = append(body, make([]byte, -len(body)&3)...)
	w.b = w.o.AppendUint32(w.b, kind)
	w.b = w.o.AppendUint32(w.b, uint32(len(body)+12))
	w.b = append(w.b, body...)
	w.b = w.o.AppendUint32(w.b, uint32(len(body)+12))
	return w
}

func (w *blocks) section() *blocks {
	b := w.o.AppendUint32(nil, magicSection)
	b = w.o.AppendUint32(b, 1<<16)
	return w.block(blockSection, append(b, bytes.Repeat([]byte{0xff}, 8)...))
}

func (w *blocks) option(b []byte, code uint16, value string) []byte {
	b = w.o.AppendUint16(b, code)
	b = w.o.AppendUint16(b, uint16(len(value)))
	return append(append(b, value...), make([]byte, -len(value)&3)...)
}

func (w *blocks) iface(link uint16, options ...func([]byte) []byte) *blocks {
	b := w.o.AppendUint16(nil, link)
	b = w.o.AppendUint32(append(b, 0, 0), 60)
	for _, o := range options {
		b = o(b)
	}
	return w.block(blockInterface, b)
}

func (w *blocks) packet(i, n int, stamp uint64) *blocks {
	b := w.o.AppendUint32(nil, uint32(i))
	b = w.o.AppendUint32(b, uint32(stamp>>32))
	b = w.o.AppendUint32(b, uint32(stamp))
	b = w.o.AppendUint32(b, uint32(len(packets[n])))
	b = w.o.AppendUint32(b, uint32(wires[n]))
	b = append(append(b, packets[n]...), make([]byte, -len(packets[n])&3)...)
	return w.block(blockPacket, w.option(b, 1, "a comment"))
}

func ng(o binary.AppendByteOrder, resolution string, per float64) []byte {
	w := (&blocks{o: o}).section()
	w.iface(1, func(b []byte) []byte {
		if resolution == "" {
			return b
		}
		return w.option(b, optResolution, resolution)
	})
	for n := range packets {
		at := began.Add(time.Duration(n) * 1500 * time.Millisecond)
		w.packet(0, n, uint64(float64(at.Unix())*per)+uint64(float64(at.Nanosecond())*per/1e9+0.5))
	}
	return w.b
}

func zipped(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, b []byte) []byte {
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return z.EncodeAll(b, nil)
}

// all reads files to their end.
func all(t testing.TB, files ...[]byte) (*Files, []Frame) {
	t.Helper()
	var in []Input
	for i, b := range files {
		in = append(in, Input{fmt.Sprint(i), iotest.OneByteReader(bytes.NewReader(b))})
	}
	f, err := Open(in)
	if err != nil {
		t.Fatal(err)
	}
	var out []Frame
	for {
		one, err := f.Next()
		if err == io.EOF {
			return f, out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, *one)
		out[len(out)-1].Data = bytes.Clone(one.Data)
	}
}

func TestFormats(t *testing.T) {
	le, be := binary.LittleEndian, binary.BigEndian
	plain := classic(le, magicMicro, time.Microsecond, 0)
	for name, b := range map[string][]byte{
		"pcap":                         plain,
		"pcap, big-endian":             classic(be, magicMicro, time.Microsecond, 0),
		"pcap, nanoseconds":            classic(le, magicNano, 1, 0),
		"pcap, nanoseconds, the other": classic(be, magicNano, 1, 0),
		"pcap, longer heads":           classic(le, magicModified, time.Microsecond, 8),
		"pcapng":                       ng(le, "", 1e6),
		"pcapng, big-endian":           ng(be, "", 1e6),
		"pcapng, nanoseconds":          ng(le, "\x09", 1e9),
		"pcapng, 2^-20":                ng(le, "\x94", 1<<20),
		"gzip":                         zipped(t, plain),
		"gzip, twice as one":           append(zipped(t, plain[:100]), zipped(t, plain[100:])...),
		"zstd":                         zstandard(t, plain),
		"zstd, pcapng":                 zstandard(t, ng(le, "", 1e6)),
	} {
		t.Run(name, func(t *testing.T) {
			f, frames := all(t, b)
			if len(frames) != 3 || f.Info()[0].Problem != nil {
				t.Fatalf("%d frames, %v", len(frames), f.Info()[0].Problem)
			}
			if d := f.Began().Sub(began).Abs(); d > 2*time.Microsecond {
				t.Errorf("it begins at %v", f.Began())
			}
			for i, one := range frames {
				if !bytes.Equal(one.Data, packets[i]) || one.Wire != wires[i] || one.Number != int64(i+1) || one.Link != 1 {
					t.Errorf("%+v", one)
				}
				if d := one.At.Sub(linger.Instant(i) * linger.Instant(1500*time.Millisecond)).Abs(); d > 2*time.Microsecond {
					t.Errorf("frame %d comes at %v", i+1, one.At)
				}
			}
			if i := f.Info()[0].Interfaces; len(i) != 1 || i[0].SnapLen != 60 {
				t.Errorf("%+v", i)
			}
		})
	}
}

func TestBlocks(t *testing.T) {
	le := binary.LittleEndian
	w := (&blocks{o: le}).section()
	w.iface(1, func(b []byte) []byte { return w.option(b, optName, "eth0") }, func(b []byte) []byte { return w.option(b, optFilter, "\x00tcp") })
	w.iface(101, func(b []byte) []byte { return w.option(b, optOffset, "\x0a\x00\x00\x00\x00\x00\x00\x00") })
	w.packet(0, 0, 1_000_000)
	w.block(0x1234, []byte("what nobody knows"))
	w.block(blockNames, append(le.AppendUint16(le.AppendUint16(nil, 1), 14), "\xc0\x00\x02\x01h.example\x00\x00\x00"...))
	w.block(blockSecrets, append(le.AppendUint32(le.AppendUint32(nil, secretsTLS), 5), "CLIENT"...))
	w.packet(1, 0, 1_000_000) // 10 s later
	w.block(blockOldPacket, append(le.AppendUint32(le.AppendUint32(le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, 0), 0), 12_000_000), 4), 4), "four"...))
	w.block(blockSimple, append(le.AppendUint32(nil, 4), "four"...))
	stats := le.AppendUint32(make([]byte, 0), 0)
	stats = append(stats, make([]byte, 8)...)
	stats = w.option(stats, optReceived, "\x07\x00\x00\x00\x00\x00\x00\x00")
	stats = w.option(stats, optDropped, "\x02\x00\x00\x00\x00\x00\x00\x00")
	w.block(blockStatistics, stats)
	second := (&blocks{o: binary.BigEndian}).section().iface(276).packet(0, 1, 13_000_000)
	f, frames := all(t, append(w.b, second.b...))
	var got []string
	for _, one := range frames {
		got = append(got, fmt.Sprintf("%d %v %d %d", one.Number, time.Duration(one.At), one.Place, one.Link))
	}
	want := []string{"1 0s 0 1", "2 10s 1 101", "3 11s 0 1", "4 11s 0 1", "5 12s 2 276"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	info := f.Info()[0]
	if i := info.Interfaces; len(i) != 3 || i[0].Name != "eth0" || i[0].Filter != "tcp" || i[0].Received.Or(0) != 7 || i[0].Dropped.Or(0) != 2 || !i[1].Dropped.IsZero() {
		t.Errorf("%+v", i)
	}
	if f.Names[netip.MustParseAddr("192.0.2.1")] != "h.example" || string(f.Secrets) != "CLIEN" {
		t.Errorf("%v %q", f.Names, f.Secrets)
	}
}

// TestFramesAreNumberedAsInWireshark, which counts some blocks that are no packets.
func TestFramesAreNumberedAsInWireshark(t *testing.T) {
	w := (&blocks{o: binary.LittleEndian}).section().iface(101)
	for _, kind := range []uint32{blockJournal, blockCustom, blockCustomHere, blockStatistics, 0x1234} {
		w.packet(0, 0, 1).block(kind, make([]byte, 12))
	}
	var got []int64
	_, frames := all(t, w.packet(0, 0, 1).b)
	for _, one := range frames {
		got = append(got, one.Number)
	}
	if want := []int64{1, 3, 5, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("%d, want %d", got, want)
	}
}

// TestWriter writes what it reads from several files, and reads it again.
func TestWriter(t *testing.T) {
	a, b := classic(binary.LittleEndian, magicMicro, time.Microsecond, 0), ng(binary.BigEndian, "\x09", 1e9)
	files, err := Open([]Input{{"a", bytes.NewReader(a)}, {"b", bytes.NewReader(b)}})
	if err != nil {
		t.Fatal(err)
	}
	files.Secrets = []byte("CLIENT")
	var out bytes.Buffer
	w := NewWriter(&out, files)
	var want []Frame
	for {
		one, err := files.Next()
		if err == io.EOF {
			break
		}
		w.Write(one)
		want = append(want, *one)
		want[len(want)-1].Data = bytes.Clone(one.Data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	again, got := all(t, out.Bytes())
	if len(got) != 6 || len(want) != 6 || string(again.Secrets) != "CLIENT" || !again.Began().Equal(files.Began()) {
		t.Fatalf("%d frames of %d, %q", len(got), len(want), again.Secrets)
	}
	for i := range got {
		if g, w := got[i], want[i]; g.At != w.At || g.Wire != w.Wire || g.Link != w.Link || !bytes.Equal(g.Data, w.Data) || g.Place != w.Place {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
	if !bytes.Contains(out.Bytes(), []byte("frame 3 of b")) {
		t.Error("it does not say where a frame comes from")
	}
}

// TestMerging reads files that were taken at two places, and those of a rotation in any order.
func TestMerging(t *testing.T) {
	file := func(seconds ...uint32) []byte {
		b := classic(binary.LittleEndian, magicMicro, 1, 0)[:headSize]
		for _, s := range seconds {
			b = binary.LittleEndian.AppendUint32(b, s)
			b = append(b, make([]byte, 12)...)
		}
		return b
	}
	f, frames := all(t, file(7, 9), file(1, 2, 3, 4), file(), file(2, 5, 5, 8), file(4, 3))
	var got []string
	for _, one := range frames {
		got = append(got, fmt.Sprintf("%d:%d@%d", one.File, one.Number, one.At/1e9))
	}
	want := strings.Fields("1:1@0 1:2@1 3:1@1 1:3@2 1:4@3 4:1@3 4:2@2 3:2@4 3:3@4 0:1@6 3:4@7 0:2@8")
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if f.Began().Unix() != 1 || len(f.active)+len(f.waiting) > 0 {
		t.Errorf("%v %d %d", f.Began(), len(f.active), len(f.waiting))
	}
}

func TestWhatIsWrong(t *testing.T) {
	plain, blocks := classic(binary.LittleEndian, magicMicro, time.Microsecond, 0), ng(binary.LittleEndian, "", 1e6)
	lies := bytes.Clone(plain)
	binary.LittleEndian.PutUint32(lies[24+16+4+8:], 1<<30)
	wireLies := bytes.Clone(plain)
	binary.LittleEndian.PutUint32(wireLies[24+16+4+12:], 1<<31+7)
	blockLies := bytes.Clone(blocks)
	binary.LittleEndian.PutUint32(blockLies[28+20+4:], 1<<30)
	for name, c := range map[string]struct {
		file   []byte
		frames int
		open   string // of Open's error
		read   string // of the file's problem
	}{
		"nothing":                {nil, 0, "it is empty", ""},
		"a byte":                 {[]byte{1}, 0, "no pcap or pcapng", ""},
		"text":                   {[]byte("no capture at all"), 0, "write one with tcpdump", ""},
		"snoop":                  {[]byte("snoop\x00\x00\x00"), 0, "editcap", ""},
		"xz":                     {[]byte("\xfd7zXZ\x00"), 0, "xz -dc", ""},
		"a head cut":             {plain[:20], 0, "within its head", ""},
		"no packets":             {plain[:24], 0, "", ""},
		"cut in a packet":        {plain[:len(plain)-20], 1, "", "within a packet"},
		"cut in a packet's head": {plain[:len(plain)-5], 2, "", "within a packet"},
		"a packet that lies":     {lies, 1, "", "packet 2 says that it has 1073741824 bytes"},
		"a length that lies":     {wireLies, 1, "", "packet 2 says that it has 2147483655 bytes"},
		"a window of 2 GB":       {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0}, 0, "takes more than 128 MB of memory", ""},
		"a block that lies":      {blockLies, 0, "packet 1 says", ""},
		"cut in a block":         {blocks[:len(blocks)-8], 2, "", "within a packet"},
		"no interface":           {(&ngs{}).section(), 0, "", ""},
		"gzip, cut":              {zipped(t, plain)[:len(zipped(t, plain))-6], 3, "", "within a packet"},
		"gzip, of text":          {zipped(t, []byte("no capture at all")), 0, "write one with tcpdump", ""},
		"a bomb":                 {zipped(t, make([]byte, 64<<20)), 0, "no pcap", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open([]Input{{"file", bytes.NewReader(c.file)}})
			if (err != nil) != (c.open != "") || err != nil && !strings.Contains(err.Error(), c.open) {
				t.Fatalf("%v, want %q", err, c.open)
			}
			if err != nil {
				return
			}
			n := 0
			for ; ; n++ {
				if _, err := f.Next(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			problem := f.Info()[0].Problem
			if n != c.frames || (problem != nil) != (c.read != "") || problem != nil && !strings.Contains(problem.Error(), c.read) {
				t.Errorf("%d frames, %v", n, problem)
			}
		})
	}
}

type ngs struct{}

func (*ngs) section() []byte { return (&blocks{o: binary.LittleEndian}).section().b }

// TestOneOfSeveral goes on with the files that are captures.
func TestOneOfSeveral(t *testing.T) {
	f, err := Open([]Input{{"text", strings.NewReader("no capture at all")}, {"good", bytes.NewReader(classic(binary.LittleEndian, magicMicro, 1, 0))}})
	if err != nil || f.Info()[0].Problem == nil {
		t.Fatal(err, f.Info())
	}
	if one, err := f.Next(); err != nil || one.File != 1 {
		t.Error(one, err)
	}
	broken := errors.New("broken")
	f, err = Open([]Input{{"disk", io.MultiReader(bytes.NewReader(classic(binary.LittleEndian, magicMicro, 1, 0)), iotest.ErrReader(broken))}})
	for err == nil {
		_, err = f.Next()
	}
	if !errors.Is(f.Info()[0].Problem, broken) {
		t.Error(f.Info()[0].Problem)
	}
}

func FuzzFiles(f *testing.F) {
	le, be := binary.LittleEndian, binary.BigEndian
	for _, b := range [][]byte{
		classic(le, magicMicro, time.Microsecond, 0), classic(be, magicModified, time.Microsecond, 8),
		ng(le, "\x09", 1e9), ng(be, "\x94", 1<<20), zipped(f, classic(le, magicNano, 1, 0)), zstandard(f, ng(le, "", 1e6)),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		files, err := Open([]Input{{"a", bytes.NewReader(b)}, {"b", bytes.NewReader(b)}})
		if err != nil {
			return
		}
		bytes, frames := 0, int64(0)
		for {
			one, err := files.Next()
			if err != nil {
				break
			}
			if one.Wire < len(one.Data) || one.Place >= files.places {
				t.Fatalf("%+v", one)
			}
			bytes += len(one.Data)
			if frames++; frames > 1<<20 {
				return // of what is compressed well
			}
		}
		for _, one := range files.all {
			if cap(one.in.buf) > 0 {
				t.Fatal("a buffer is left")
			}
		}
	})
}
