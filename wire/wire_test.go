package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/http2"
)

func TestVarintsAreThoseOfTheStandard(t *testing.T) {
	for _, c := range []struct {
		wire  string
		n     uint64
		least bool // the shortest way to write it
	}{
		// RFC 9000, A.1.
		{"c2197c5eff14e88c", 151288809941952652, true},
		{"9d7f3e7d", 494878333, true},
		{"7bbd", 15293, true},
		{"25", 37, true},
		{"4025", 37, false},
		// RFC 9000, 16, table 4: the last of each size, and the first of the next.
		{"3f", 63, true}, {"4040", 64, true},
		{"7fff", 16383, true}, {"80004000", 16384, true},
		{"bfffffff", 1<<30 - 1, true}, {"c000000040000000", 1 << 30, true},
		{"ffffffffffffffff", MaxVarint, true},
	} {
		b, _ := hex.DecodeString(c.wire)
		if n, size, err := ParseVarint(append(b, 0xee)); n != c.n || size != len(b) || err != nil {
			t.Errorf("ParseVarint(%s) = %d, %d, %v", c.wire, n, size, err)
		}
		if n, err := ReadVarint(bytes.NewReader(b)); n != c.n || err != nil {
			t.Errorf("ReadVarint(%s) = %d, %v", c.wire, n, err)
		}
		if !c.least {
			continue
		}
		if got := hex.EncodeToString(AppendVarint(nil, c.n)); got != c.wire {
			t.Errorf("AppendVarint(%d) = %s, want %s", c.n, got, c.wire)
		}
		if size := VarintSize(int64(c.n)); size != int64(len(b)) {
			t.Errorf("VarintSize(%d) = %d, want %d", c.n, size, len(b))
		}
	}
}

func TestVarintsThatEndTooEarly(t *testing.T) {
	for _, wire := range []string{"", "@", "\x80\x00\x00", "\xc0"} {
		if _, _, err := ParseVarint([]byte(wire)); !errors.Is(err, ErrShort) {
			t.Errorf("ParseVarint(%x): %v", wire, err)
		}
		want := io.ErrUnexpectedEOF
		if wire == "" {
			want = io.EOF
		}
		if _, err := ReadVarint(strings.NewReader(wire)); err != want {
			t.Errorf("ReadVarint(%x): %v, want %v", wire, err, want)
		}
	}
}

func TestNumbersOver62BitsHaveNoVarint(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("2^62 was written")
		}
	}()
	AppendVarint(nil, MaxVarint+1)
}

func FuzzVarint(f *testing.F) {
	f.Add([]byte{0x25})
	f.Add([]byte{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c})
	f.Add([]byte{0x80, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, size, err := ParseVarint(b)
		want, wantSize, wantErr := quicvarint.Parse(b)
		if (err == nil) != (wantErr == nil) || err == nil && (n != want || size != wantSize) {
			t.Fatalf("%x is %d of %d bytes, %v; quic-go reads %d of %d bytes, %v", b, n, size, err, want, wantSize, wantErr)
		}
		read, readErr := ReadVarint(bytes.NewReader(b))
		if (readErr == nil) != (err == nil) || read != n && err == nil {
			t.Fatalf("%x: read %d, %v; parsed %d, %v", b, read, readErr, n, err)
		}
		if err != nil {
			return
		}
		again := AppendVarint(nil, n)
		if !bytes.Equal(again, quicvarint.Append(nil, n)) || int64(len(again)) != VarintSize(int64(n)) {
			t.Fatalf("%d is written as %x", n, again)
		}
	})
}

func TestFrameHeadersOfHTTP3(t *testing.T) {
	b := AppendFrameHeader(nil, FrameData, 1000)
	if want := "0043e8"; hex.EncodeToString(b) != want {
		t.Errorf("DATA of 1000 bytes begins with %x, want %s", b, want)
	}
	if n := FrameBytes(1000); n != int64(len(b))+1000 {
		t.Errorf("FrameBytes(1000) = %d", n)
	}
	kind, n, err := ReadFrameHeader(bytes.NewReader(b))
	if kind != FrameData || n != 1000 || err != nil {
		t.Errorf("read %d, %d, %v", kind, n, err)
	}
	for cut, want := range map[int]error{0: io.EOF, 1: io.ErrUnexpectedEOF, 2: io.ErrUnexpectedEOF} {
		if _, _, err := ReadFrameHeader(bytes.NewReader(b[:cut])); err != want {
			t.Errorf("of %d bytes: %v, want %v", cut, err, want)
		}
	}
}

func TestTypesOfHTTP2AreReservedInHTTP3(t *testing.T) {
	// RFC 9114, 11.2.1: PRIORITY, PING, WINDOW_UPDATE and CONTINUATION have no use there; the
	// others have the same number in both.
	for kind, want := range map[http2.FrameType]bool{
		http2.FrameData: false, http2.FrameHeaders: false, http2.FramePriority: true, http2.FrameRSTStream: false,
		http2.FrameSettings: false, http2.FramePushPromise: false, http2.FramePing: true, http2.FrameGoAway: false,
		http2.FrameWindowUpdate: true, http2.FrameContinuation: true,
	} {
		if got := IsHTTP2Frame(uint64(kind)); got != want {
			t.Errorf("IsHTTP2Frame(%v) = %v", kind, got)
		}
	}
}

func TestSettingsOfHTTP3(t *testing.T) {
	sent := []Setting{{SettingMaxFieldSection, 16384}, {SettingTableCapacity, 0}, {0x21, 7}, {0x4d44, 1}}
	var payload []byte
	for _, s := range sent {
		payload = AppendSetting(payload, s)
	}
	for rest := payload; len(sent) > 0; sent = sent[1:] {
		s, next, err := ParseSetting(rest)
		if s != sent[0] || err != nil {
			t.Errorf("read %v, %v, want %v", s, err, sent[0])
		}
		rest = next
	}
	for _, cut := range []int{0, 1, 3} {
		if _, rest, err := ParseSetting(payload[:cut]); !errors.Is(err, ErrShort) || len(rest) != cut {
			t.Errorf("of %d bytes: %v", cut, err)
		}
	}
}

func TestWhatASettingIs(t *testing.T) {
	for _, c := range []struct {
		id        uint64
		name      string
		forbidden bool
		reserved  bool
	}{
		{0x1, "SETTINGS_QPACK_MAX_TABLE_CAPACITY", false, false},
		{0x2, "0x2", true, false}, // SETTINGS_ENABLE_PUSH of HTTP/2
		{0x5, "0x5", true, false}, // SETTINGS_MAX_FRAME_SIZE
		{0x6, "SETTINGS_MAX_FIELD_SECTION_SIZE", false, false},
		{0x21, "0x21", false, true},
		{0x33, "SETTINGS_H3_DATAGRAM", false, false},
		{0x40, "0x40", false, true}, // 0x1f + 0x21
		{0x41, "0x41", false, false},
	} {
		s := Setting{ID: c.id}
		if s.Name() != c.name || s.Forbidden() != c.forbidden || s.Reserved() != c.reserved {
			t.Errorf("%#x: %s, forbidden %v, reserved %v", c.id, s.Name(), s.Forbidden(), s.Reserved())
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte{0x6, 0x44, 0})
	f.Add([]byte{0x40, 0x6})
	f.Fuzz(func(t *testing.T, payload []byte) {
		for len(payload) > 0 {
			s, rest, err := ParseSetting(payload)
			if err != nil {
				return
			}
			if len(rest) > len(payload)-2 {
				t.Fatalf("a pair of %d bytes", len(payload)-len(rest))
			}
			if again, _, err := ParseSetting(AppendSetting(nil, s)); again != s || err != nil {
				t.Fatalf("%v became %v, %v", s, again, err)
			}
			payload = rest
		}
	})
}

func TestSkipReadsAllOrSaysSo(t *testing.T) {
	r := bufio.NewReader(strings.NewReader("abcde"))
	if err := Skip(r, 3); err != nil {
		t.Error(err)
	}
	if rest, _ := r.Peek(2); string(rest) != "de" {
		t.Errorf("before %q", rest)
	}
	if err := Skip(r, 3); err != io.ErrUnexpectedEOF {
		t.Errorf("three of two: %v", err)
	}
}

func TestMessagesOfDNSOnAStream(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 300)
	stream := AppendMessage(AppendMessage(AppendMessage(nil, []byte("query")), nil), long)
	if !bytes.HasPrefix(stream, []byte("\x00\x05query\x00\x00\x01\x2c")) || MessageSize(stream) != 5 {
		t.Errorf("written as %x", stream[:12])
	}
	r, room := bytes.NewReader(stream), make([]byte, 0, 16)
	for _, want := range [][]byte{[]byte("query"), {}, long} {
		if got, err := ReadMessage(r, room); !bytes.Equal(got, want) || err != nil {
			t.Errorf("read %x, %v", got, err)
		}
	}
	if _, err := ReadMessage(r, room); err != io.EOF {
		t.Errorf("behind the last: %v", err)
	}
	for _, cut := range []int{1, 2, 6} {
		if _, err := ReadMessage(bytes.NewReader(stream[:cut]), room); err != io.ErrUnexpectedEOF {
			t.Errorf("of %d bytes: %v", cut, err)
		}
	}
}

func TestErrorsOfDNSOverQUICHaveNames(t *testing.T) {
	for code, want := range map[uint64]string{0: "DOQ_NO_ERROR", 2: "DOQ_PROTOCOL_ERROR", 5: "DOQ_UNSPECIFIED_ERROR", 6: "error 0x6", 1 << 61: "error 0x2000000000000000"} {
		if got := DoQErrorName(code); got != want {
			t.Errorf("%#x is %q, want %q", code, got, want)
		}
	}
}

func TestSizesAreThoseOfTheStack(t *testing.T) {
	if len(http2.ClientPreface) != PrefaceSize {
		t.Errorf("the preface has %d bytes", len(http2.ClientPreface))
	}
	var b bytes.Buffer
	f := http2.NewFramer(&b, nil)
	size := func(write error) int {
		defer b.Reset()
		if write != nil {
			t.Error(write)
		}
		return b.Len()
	}
	if n := size(f.WriteSettings(http2.Setting{ID: http2.SettingEnablePush})); n != FrameHeaderSize+SettingSize {
		t.Errorf("SETTINGS of one has %d bytes", n)
	}
	if n := size(f.WriteWindowUpdate(0, 1)); n != WindowUpdateSize {
		t.Errorf("WINDOW_UPDATE has %d bytes", n)
	}
	if n := size(f.WriteGoAway(0, http2.ErrCodeNo, nil)); n != GoAwaySize {
		t.Errorf("GOAWAY has %d bytes", n)
	}
}

func TestRecordsOfTLS(t *testing.T) {
	stream := []byte("\x16\x03\x01\x00\x03abc\x17\x03\x03\x00\x00\x15")
	header, content, rest, err := ParseRecord(stream)
	if header[0] != RecordHandshake || string(content) != "abc" || len(header) != RecordHeaderSize || err != nil {
		t.Errorf("read %x, %q, %v", header, content, err)
	}
	header, content, rest, err = ParseRecord(rest)
	if header[0] != RecordData || len(content) != 0 || err != nil {
		t.Errorf("read %x, %q, %v", header, content, err)
	}
	if _, _, same, err := ParseRecord(rest); !errors.Is(err, ErrShort) || len(same) != 1 || same[0] != RecordAlert {
		t.Errorf("of one byte: %v", err)
	}
	for cut := range 8 {
		if _, _, _, err := ParseRecord(stream[:cut]); !errors.Is(err, ErrShort) {
			t.Errorf("of %d bytes: %v", cut, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte("\x16\x03\x01\x00\x03abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		header, content, rest, err := ParseRecord(b)
		if err == nil && !bytes.Equal(bytes.Join([][]byte{header, content, rest}, nil), b) {
			t.Fatalf("%x fell into %x, %x and %x", b, header, content, rest)
		}
	})
}
