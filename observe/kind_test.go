package observe

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// beginnings are those of files, with the kind that each is of.
var beginnings = []struct{ name, head, want string }{
	{"pcap of a little-endian machine", "\xd4\xc3\xb2\xa1\x02\x00", "a capture"},
	{"pcap of a big-endian machine, in ns", "\xa1\xb2\x3c\x4d\x00\x02", "a capture"},
	{"pcapng", "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00", "a capture"},
	{"a trace of ours", `{"format":"linger-trace","version":2,"kind":"stream"}`, "a trace"},
	{"a HAR", "\ufeff{\n  \"log\": {\"version\": \"1.2\"", "a HAR"},
	{"a HAR in UTF-16", "\xff\xfe{\x00\"\x00l\x00o\x00g\x00\"\x00:\x00", "a HAR"},
	{"columns of Zeek", "#separator \\x09\n#set_separator\t,\n", "a log of Zeek"},
	{"JSON of Zeek", `{"ts":1.5,"uid":"C1","id.orig_h":"192.0.2.1"}` + "\n", "a log of Zeek"},
	{"a qlog in a sequence", "\x1e{\"file_schema\":\"urn:ietf:params:qlog:file:sequential\"}\n", "a qlog"},
	{"a qlog in a document", "{\n  \"qlog_version\": \"0.3\", \"traces\": []}", "a qlog"},
	{"nothing", "", ""},
	{"a web page", "<!DOCTYPE html><html>", ""},
	{"two bytes", "\x1f\x8b", ""},
}

// A file is what its first bytes say, packed or not.
func TestKindByFirstBytes(t *testing.T) {
	for _, c := range beginnings {
		for packing, head := range packings(t, c.head) {
			got := ""
			if k := kindOf(head); k != nil {
				got = k.name
			}
			if got != c.want {
				t.Errorf("%s, %s: %q, want %q", c.name, packing, got, c.want)
			}
		}
	}
}

// packings are a text as it is, and packed.
func packings(t *testing.T, text string) map[string][]byte {
	t.Helper()
	var zipped, squeezed bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(text))
	z.Close()
	s, err := zstd.NewWriter(&squeezed)
	if err != nil {
		t.Fatal(err)
	}
	s.Write([]byte(text))
	s.Close()
	return map[string][]byte{"plain": []byte(text), "gzip": zipped.Bytes(), "zstd": squeezed.Bytes()}
}

// A pipe is read no further than it takes to tell, and nothing of it is lost.
func TestKindOfPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.WriteString("\x0a\x0d\x0d\x0a and")
	s := Source{Name: "-", From: r}
	k, err := s.kind() // it would wait for ever
	if err != nil || k == nil || !k.packets {
		t.Fatalf("%v, %v", k, err)
	}
	w.WriteString(" so on")
	w.Close()
	if all, err := io.ReadAll(s.From); err != nil || string(all) != "\x0a\x0d\x0d\x0a and so on" {
		t.Errorf("%q, %v", all, err)
	}
	slow := Source{From: iotest.OneByteReader(strings.NewReader("\x0a\x0d\x0d\x0a"))}
	if k, err := slow.kind(); err != nil || k == nil {
		t.Errorf("byte for byte: %v, %v", k, err)
	}
}
