package page

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzDecoded unpacks anything as gzip: what is broken is said, and nothing else is.
func FuzzDecoded(f *testing.F) {
	var whole bytes.Buffer
	z := gzip.NewWriter(&whole)
	io.WriteString(z, strings.Repeat("<img src=a>", 100))
	z.Close()
	f.Add(whole.Bytes(), "gzip")
	f.Add(whole.Bytes()[:20], "x-gzip")
	f.Add([]byte("<html>"), " GZIP ")
	f.Add([]byte{0x1f, 0x8b}, "br")
	f.Fuzz(func(t *testing.T, packed []byte, coding string) {
		text, where, broken := decoded(bytes.NewReader(packed), coding)
		got, _ := io.ReadAll(text)
		if n := where(int64(len(got))); n < 0 || len(got) > MaxBytes {
			t.Errorf("%d bytes, at %d", len(got), n)
		}
		why := broken()
		if strings.ContainsAny(why, "\r\n\x00\x1b") {
			t.Errorf("%q", why)
		}
		if coding != "gzip" {
			return
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		var want []byte
		if err == nil {
			want, err = io.ReadAll(z)
		}
		if err == nil && (why != "" || !bytes.Equal(got, want)) {
			t.Errorf("%d bytes of %d: %q", len(got), len(want), why)
		}
		if err != nil && why == "" && len(packed) > 0 && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v is not said", err)
		}
	})
}
