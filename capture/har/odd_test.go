package har

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

// One odd entry costs that entry, not the file.
func TestOddEntriesAreLeftOut(t *testing.T) {
	entry := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, c := range []struct {
		what, entry, note string
	}{
		{"a number", `7`, "left out, since without a URL (entry 2): 1 of 3 entries"},
		{"null", `null`, "left out, since without a URL (entry 2): 1 of 3 entries"},
		{"nothing in it", `{}`, "left out, since without a URL (entry 2): 1 of 3 entries"},
		{"a request that is a list", `{"request":[]}`, "left out, since without a URL (entry 2): 1 of 3 entries"},
		{"no host", entry(`http://a/`, `http:///x`), `left out, since without a host in the URL ("http:///x", entry 2): 1 of 3 entries`},
		{"no method", entry(`GET`, ``), `left out, since without a method that is one ("", entry 2): 1 of 3 entries`},
		{"a method that is none", entry(`GET`, `patch`), `left out, since without a method that is one ("patch", entry 2): 1 of 3 entries`},
		{"a method of a terminal's", entry(`GET`, `\u001b[2J`), `left out, since without a method that is one ("[2J", entry 2): 1 of 3 entries`},
		{"a status that is none", entry(`200`, `999`), "left out, since without a status that is one (999, entry 2): 1 of 3 entries"},
		{"half a status", entry(`200`, `200.5`), "left out, since without a status that is one (200.5, entry 2): 1 of 3 entries"},
		{"a wrong date", entry(`2026-01-02T03`, `2026-13-02T03`), `left out, since without a startedDateTime that is a time ("2026-13-02T03:04:05Z", entry 2): 1 of 3 entries`},
		{"no date", entry(`"2026-01-02T03:04:05Z"`, `null`), `left out, since without a startedDateTime that is a time ("", entry 2): 1 of 3 entries`},
		{"years later", entry(`2026`, `2036`), "left out, since begun more than a day from the others (3652 days later, entry 2): 1 of 3 entries"},
		{"years earlier", entry(`2026`, `1970`), "left out, since begun more than a day from the others (20454 days earlier, entry 2): 1 of 3 entries"},
		{"data: with an empty method", strings.Replace(entry(`http://a/`, `data:text/css,x`), `GET`, ``, 1), "left out, since no HTTP (data:, blob:, WebSocket and the like): 1 of 3 entries"},
	} {
		got, err := Read(strings.NewReader(archive(good, c.entry, good)))
		if err != nil || len(got.Exchanges) != 2 || !slices.Contains(got.Notes, c.note) {
			t.Errorf("%s: %v; %+v; want %q", c.what, err, got, c.note)
		}
	}
	got, err := Read(strings.NewReader(archive(entry(`GET`, `get`), `7`, `{}`, entry(`200`, `999`))))
	want := []string{"left out, since without a URL (the first is entry 2): 2 of 4 entries", "left out, since without a status that is one (999, entry 4): 1 of 4 entries"}
	if err != nil || len(got.Exchanges) != 1 || got.Exchanges[0].Method != "GET" || !slices.Equal(got.Notes[:2], want) {
		t.Errorf("%v; %+v", err, got)
	}
}

// A size that cannot be one is unknown, and said; it is not 0.
func TestOddSizes(t *testing.T) {
	const odd = "a size that cannot be one taken for unknown: 1 of 1 entries"
	const unknown = "size of the body unknown, none taken: 1 of 1 entries"
	for _, c := range []struct {
		response string // its members
		body     int64
		notes    []string
	}{
		{`"bodySize":500`, 500, nil},
		{`"bodySize":0,"content":{"size":0}`, 0, nil},
		{`"bodySize":-1,"content":{"size":700}`, 700, []string{"size of the body on the wire unknown, that of the decoded content taken: 1 of 1 entries"}},
		{`"bodySize":-1,"content":{"size":-1}`, 0, []string{unknown}},
		{`"bodySize":1000000000000`, 0, []string{odd, unknown}},
		{`"bodySize":9223372036854775807,"content":{"size":9223372036854775807}`, 0, []string{odd, unknown}},
		{`"bodySize":-1e300,"content":{"size":-1e300}`, 0, []string{odd, unknown}},
		{`"bodySize":1e999`, 0, []string{odd, unknown}},
		{`"bodySize":"6,219"`, 0, []string{odd, unknown}},
		{`"bodySize":"6219"`, 6219, nil},
		{`"bodySize":"6,219","_transferSize":6500,"headersSize":281`, 6219, []string{odd}},
		{`"bodySize":-197,"_transferSize":500,"headersSize":200`, 300, nil}, // as Chrome makes it
		{`"bodySize":5013,"headers":[{"name":"Transfer-Encoding","value":"chunked"}],"content":{"size":5000,"compression":-13}`, 5000, nil},
		{`"bodySize":5013,"headers":[{"name":"Transfer-Encoding","value":"chunked"}],"content":{"size":3000}`, 5013, nil}, // in characters?
		{`"bodySize":5013,"headers":[{"name":"Transfer-Encoding","value":"chunked"},{"name":"Content-Encoding","value":"gzip"}],"content":{"size":5000}`, 5013, nil},
		{`"headers":[{"name":"content-length","value":"6,219"}]`, 0, []string{odd, unknown}},
		{`"headers":[{"name":"content-length","value":"9223372036854775807"}],"content":{"size":20}`, 20, []string{odd, "size of the body on the wire unknown, that of the decoded content taken: 1 of 1 entries"}},
		{`"bodySize":5,"headersSize":1e12`, 5, []string{odd}},
	} {
		got, err := Read(strings.NewReader(archive(strings.Replace(good, `"status":200`, `"status":200,`+c.response, 1))))
		if err != nil {
			t.Errorf("%s: %v", c.response, err)
			continue
		}
		notes := slices.DeleteFunc(slices.Clone(got.Notes), func(s string) bool {
			return strings.HasPrefix(s, "connection unknown") || strings.HasPrefix(s, "size of a head")
		})
		if got.Exchanges[0].ResponseBody != c.body || !slices.Equal(notes, c.notes) {
			t.Errorf("%s: %d bytes, %q; want %d, %q", c.response, got.Exchanges[0].ResponseBody, notes, c.body, c.notes)
		}
	}
}

// encoded is text in UTF-16, behind a mark if that is not 0.
func encoded(text string, order binary.AppendByteOrder, mark uint16) []byte {
	var out []byte
	if mark != 0 {
		out = order.AppendUint16(out, mark)
	}
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

func packed(t testing.TB, with func(io.Writer) io.WriteCloser, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := with(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipped(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
func zlibbed(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }

func TestPackedAndWide(t *testing.T) {
	const url = "http://a/é/𝄞"
	text := archive(strings.Replace(good, "http://a/", url, 1))
	for what, b := range map[string][]byte{
		"as it is":               []byte(text),
		"a mark":                 []byte("\ufeff" + text),
		"UTF-16LE, marked":       encoded(text, binary.LittleEndian, 0xfeff),
		"UTF-16BE, marked":       encoded(text, binary.BigEndian, 0xfeff),
		"UTF-16LE":               encoded(text, binary.LittleEndian, 0),
		"UTF-16BE":               encoded(text, binary.BigEndian, 0),
		"gzip":                   packed(t, gzipped, []byte(text)),
		"gzip in two members":    append(packed(t, gzipped, []byte(text[:50])), packed(t, gzipped, []byte(text[50:]))...),
		"zlib":                   packed(t, zlibbed, []byte(text)),
		"gzip of UTF-16, marked": packed(t, gzipped, encoded(text, binary.LittleEndian, 0xfeff)),
	} {
		for _, in := range []io.Reader{bytes.NewReader(b), iotest.OneByteReader(bytes.NewReader(b))} {
			got, err := Read(in)
			if err != nil || len(got.Exchanges) != 1 || got.Exchanges[0].URL != url {
				t.Errorf("%s: %v, %+v", what, err, got)
			}
		}
	}
	cut := packed(t, gzipped, []byte(text))
	if _, err := Read(bytes.NewReader(cut[:len(cut)-9])); err == nil || !strings.Contains(err.Error(), "ends before it is complete") && !strings.Contains(err.Error(), "the file ends within it") {
		t.Errorf("gzip that was cut: %v", err)
	}
	broken := slices.Clone(cut)
	broken[len(broken)-6]++ // of its checksum
	if _, err := Read(bytes.NewReader(broken)); err == nil || !strings.Contains(err.Error(), "this is no HAR") {
		t.Errorf("gzip that is broken: %v", err)
	}
	half := encoded(text[:40]+"\xed\xa0\x80", binary.LittleEndian, 0xfeff)
	if _, err := Read(bytes.NewReader(append(half, 0xd8))); err == nil {
		t.Error("half a unit")
	}
}
