package observe

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"linger/fault"
)

// A kind is what files may be that are read together. Which one a file is, its first bytes say.
type kind struct {
	name string // as messages have it, behind "it is"
	is   func(head []byte) bool
	read func(Reading, context.Context, []Source) (*Seen, error)
	// packets says that it has some, which keys decrypt and which can be picked.
	packets bool
	// packed says that whoever reads it unpacks it.
	packed bool
	// alone says that one such file is read at a time.
	alone bool
}

// kinds are those that are read, each before those that would take its files, too.
var kinds = []kind{
	{name: "a capture", is: isCapture, read: Reading.Captures, packets: true, packed: true},
	{name: "a trace", is: isTrace, read: alone(Reading.Records), packed: true, alone: true},
	{name: "a file of records", is: isParquet, read: alone(Reading.Parquet), packed: true, alone: true},
	{name: "a log of Zeek", is: isZeek, read: Reading.Zeek},
	{name: "a qlog", is: isQlog, read: Reading.Qlogs},
	{name: "a HAR", is: isHAR, read: Reading.HARs},
}

// others is what is read besides captures, for messages.
const others = "a .trace, a .parquet, HARs, qlogs and logs of Zeek"

// alone makes the reading of one file that of several, of which there is one.
func alone(read func(Reading, context.Context, Source) (*Seen, error)) func(Reading, context.Context, []Source) (*Seen, error) {
	return func(r Reading, ctx context.Context, sources []Source) (*Seen, error) { return read(r, ctx, sources[0]) }
}

// Files reads files of one kind, whichever it is. Names do not tell it: the first bytes do.
func (r Reading) Files(ctx context.Context, sources []Source) (*Seen, error) {
	var one *kind
	name := ""
	for i := range sources {
		s := &sources[i]
		k, err := s.kind()
		switch {
		case err != nil:
			return nil, cmp.Or(fault.Stopped(ctx), fault.Unmet("%s: %w", filepath.Base(s.Name), err))
		case k == nil: // captures say of one of them what is wrong with it
		case one == nil:
			one, name = k, filepath.Base(s.Name)
		case one != k:
			return nil, fault.Usage("%s is %s, and %s is %s; name files of one kind", name, one.name, filepath.Base(s.Name), k.name)
		}
	}
	switch {
	case one == nil:
		seen, err := r.Captures(ctx, sources)
		if err != nil && fault.Stopped(ctx) == nil {
			return nil, fault.Unmet("%w; read are %s, too", err, others)
		}
		return seen, err
	case one.alone && len(sources) > 1:
		return nil, fault.Usage("%s is %s, of which one is read at a time", name, one.name)
	case !one.packets && len(r.KeyLogs) > 0:
		return nil, fault.Usage("--keylog is of captures; %s is %s, which is read without keys", name, one.name)
	case !one.packets && r.Pick:
		return nil, fault.Usage("%s is %s, which has no packets to write; name a capture", name, one.name)
	}
	return one.read(r, ctx, sources)
}

// mostHead is how much of a file is looked at to tell its kind, in bytes.
const mostHead = 64 << 10

// kind tells what the source is, and leaves it as if nothing had been read of it; what nobody
// unpacks later is unpacked then. nil is none that is known here.
func (s *Source) kind() (*kind, error) {
	var head []byte
	if s.At != nil {
		head = make([]byte, min(mostHead, s.Size))
		n, err := s.At.ReadAt(head, 0)
		if head = head[:n]; err != nil && err != io.EOF {
			return nil, err
		}
		return s.settle(kindOf(head), head)
	}
	in := &heard{Reader: s.From}
	for len(head) < mostHead {
		// A pipe is read no further than it takes: what writes it may be slow.
		room := make([]byte, mostHead-len(head))
		n, err := in.Read(room)
		head = append(head, room[:n]...)
		if err != nil || kindOf(head) != nil {
			break
		}
	}
	if in.err != nil && len(head) == 0 {
		return nil, in.err
	}
	s.From = io.MultiReader(bytes.NewReader(head), s.From)
	return s.settle(kindOf(head), head)
}

// settle is the end of kind.
func (s *Source) settle(k *kind, head []byte) (_ *kind, err error) {
	switch {
	case len(head) == 0:
		return nil, nil
	case k != nil && !k.packed:
		s.From, err = unpacked(s.From, head)
		s.At = nil
	}
	return k, err
}

// kindOf tells the kind of a file that begins so, or nil.
func kindOf(head []byte) *kind {
	if from, err := unpacked(bytes.NewReader(head), head); err == nil {
		// What is cut off there has said enough.
		if plain, _ := io.ReadAll(io.LimitReader(from, mostHead)); len(plain) > 0 {
			head = plain
		}
	}
	for i := range kinds {
		if kinds[i].is(head) {
			return &kinds[i]
		}
	}
	return nil
}

// unpacked is what a file holds that begins so: itself, or what was packed by gzip (RFC 1952) or
// zstd (RFC 8878).
func unpacked(from io.Reader, head []byte) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(from)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		return z, err
	}
	return from, nil
}

// isCapture reports whether a file is a capture: pcapng (its Section Header Block), or pcap in
// either order of bytes, with microseconds or nanoseconds, or as Kuznetzov's patch has it.
func isCapture(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	for _, magic := range []uint32{0x0a0d0d0a, 0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34} {
		if binary.BigEndian.Uint32(head) == magic || binary.LittleEndian.Uint32(head) == magic {
			return true
		}
	}
	return false
}

// isTrace reports whether a file is one of this program's own traces.
func isTrace(head []byte) bool {
	return bytes.HasPrefix(head, []byte(`{"format":"linger-trace"`))
}

// isParquet reports whether a file is of Parquet, which begins and ends so.
func isParquet(head []byte) bool { return bytes.HasPrefix(head, []byte("PAR1")) }

// isZeek reports whether a file is a log of Zeek: columns below a head, or lines of JSON of which
// each has the connection's uid, or a file's.
func isZeek(head []byte) bool {
	s := text(head)
	line, _, _ := strings.Cut(s, "\n")
	if strings.HasPrefix(s, "{") {
		// Some writers put the four fields of id into an object.
		return strings.Contains(line, `"uid":`) && strings.Contains(line, `orig_h":`) || strings.Contains(line, `"fuid":`)
	}
	return strings.HasPrefix(s, "#separator ") || strings.HasPrefix(s, "#fields\t")
}

// isQlog reports whether a file is a qlog: its head names the format, in the first record of a
// sequence or at the beginning of a document.
func isQlog(head []byte) bool {
	s := strings.TrimPrefix(text(head), "\x1e")
	if !strings.HasPrefix(s, "{") {
		return false
	}
	s = s[:min(len(s), 4096)]
	return strings.Contains(s, `"qlog_version"`) || strings.Contains(s, `"qlog_format"`) || strings.Contains(s, `"file_schema"`)
}

// isHAR reports whether a file is an HTTP Archive: an object with a log.
func isHAR(head []byte) bool {
	s := text(head)
	return strings.HasPrefix(s, "{") && strings.Contains(s, `"log"`) || len(head) > 2 && head[0] == 0x78 && binary.BigEndian.Uint16(head)%31 == 0
}

// text is the beginning of a text, without a byte order mark, spaces before it and the zero bytes
// of UTF-16; empty where it is none.
func text(head []byte) string {
	s := strings.ReplaceAll(string(head), "\x00", "")
	for _, mark := range []string{"\ufeff", "\xff\xfe", "\xfe\xff"} {
		s = strings.TrimPrefix(s, mark)
	}
	return strings.TrimLeft(s, " \t\r\n")
}
