package weblog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// all reads a source to its end in blocks of the least size.
func all(t *testing.T, r io.Reader) ([]byte, *Source, error) {
	t.Helper()
	s, err := NewSource(r)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var got []byte
	buf := make([]byte, 2*MaxLine)
	for range 10000 {
		block, err := s.Next(buf)
		if len(block) > 0 && err == nil && block[len(block)-1] != '\n' {
			got = append(got, block...)
			_, err := s.Next(make([]byte, 2*MaxLine))
			if err == io.EOF {
				err = nil
			}
			return got, s, err
		}
		got = append(got, block...)
		if err == io.EOF {
			return got, s, nil
		}
		if err != nil {
			return got, s, err
		}
	}
	t.Fatal("it does not end")
	return nil, nil, nil
}

func TestSource(t *testing.T) {
	plain := bytes.Repeat([]byte("a line of a log\n"), 50000)
	var zipped, twice bytes.Buffer
	for _, part := range [][]byte{plain[:160], plain[160:]} {
		z := gzip.NewWriter(&twice)
		z.Write(part)
		z.Close()
	}
	z := gzip.NewWriter(&zipped)
	z.Write(plain)
	z.Close()
	e, _ := zstd.NewWriter(nil)
	long := strings.Repeat("x", 5*MaxLine)
	for name, c := range map[string]struct {
		in      []byte
		out     string
		tooLong int64
		problem string
	}{
		"plain":              {plain, string(plain), 0, ""},
		"no end of a line":   {[]byte("a\nb"), "a\nb", 0, ""},
		"empty":              {nil, "", 0, ""},
		"a byte":             {[]byte("a"), "a", 0, ""},
		"gzip":               {zipped.Bytes(), string(plain), 0, ""},
		"gzip, two in one":   {twice.Bytes(), string(plain), 0, ""},
		"gzip, cut":          {zipped.Bytes()[:zipped.Len()-9], string(plain), 0, "is cut"},
		"zstd":               {e.EncodeAll(plain, nil), string(plain), 0, ""},
		"a line too long":    {[]byte("a\n" + long + "\nb\n"), "a\nb\n", 1, ""},
		"the first too long": {[]byte(long + "\nb\n"), "b\n", 1, ""},
		"the last too long":  {[]byte("a\n" + long), "a\n", 1, ""},
		"two too long":       {[]byte(long + "\n" + long + "\nb\n"), "b\n", 2, ""},
		"one line, no end":   {[]byte(long), "", 1, ""},
		"just short enough":  {[]byte(long[:MaxLine] + "\nb\n"), long[:MaxLine] + "\nb\n", 0, ""},
		"binary":             {bytes.Repeat([]byte{0, 255, 10}, 100000), strings.Repeat("\x00\xff\n", 100000), 0, ""},
	} {
		for kind, r := range map[string]io.Reader{"": bytes.NewReader(c.in), ", byte by byte": iotest.OneByteReader(bytes.NewReader(c.in[:min(len(c.in), 700000)]))} {
			if kind != "" && len(c.in) > 700000 {
				continue
			}
			got, s, err := all(t, r)
			if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
				t.Errorf("%s%s: %v, want %q", name, kind, err, c.problem)
			}
			// What is cut has all that could be read.
			if string(got) != c.out && !(c.problem != "" && len(got) > 0) {
				t.Errorf("%s%s: %d bytes, want %d", name, kind, len(got), len(c.out))
			}
			if s.TooLong != c.tooLong {
				t.Errorf("%s%s: %d lines too long, want %d", name, kind, s.TooLong, c.tooLong)
			}
		}
	}
	disk := errors.New("the disk")
	if _, err := NewSource(iotest.ErrReader(disk)); err != disk {
		t.Errorf("of the first bytes: %v", err)
	}
	if got, _, err := all(t, io.MultiReader(strings.NewReader("a line\nanother"), iotest.ErrReader(disk))); err != disk || string(got) != "a line\nanother" {
		t.Errorf("of others: %v, after %q", err, got)
	}
}

// FuzzParser has a log of any bytes detected, taken apart in two ways, and given a format.
func FuzzParser(f *testing.F) {
	f.Add([]byte(`192.0.2.7 - ann [17/May/2015:10:05:03 +0200] "GET /a?b=\"c HTTP/1.1" 200 203023 "-" "x"`), "")
	f.Add([]byte(`{"ts":1646861401.5,"request":{"remote_ip":"a","method":"GET"},"duration":2.4e-05,"status":200}`), "")
	f.Add([]byte("#Fields: date time c-ip sc-status time-taken\n2026-01-01 12:00:01 a 200 1\n#Fields: time date\n"), "")
	f.Add([]byte(`<134>1 2026-11-30T15:28:05Z - haproxy 7540 - - a:1 [30/Nov/2026:15:28:05.607] f b/s 0/0/0/0/3 200 1 - - ---- 0/0/0/0/0 0/0 "GET / HTTP/1.1"`), `%ci:%cp [%tr] %ST`)
	f.Add([]byte(`1286536308.779    180 a TCP_MISS/200 411 GET u - H/a t`), `log_format x '$msec' ' $remote_addr';`)
	f.Add([]byte(`{"time":1,"a":[{"b":"]}"}]}`), `LogFormat "%{usec}t %h" x`)
	f.Fuzz(func(t *testing.T, log []byte, format string) {
		var layouts []*Layout
		if l, err := Detect(log); err == nil {
			layouts = append(layouts, l)
		}
		if l, err := Parse("", format); err == nil {
			layouts = append(layouts, l)
		}
		for _, l := range layouts {
			all, some := NewParser(l, ^Fields(0)), NewParser(l, Of(Client))
			for _, p := range []*Parser{all, some} {
				p.Reset(log)
				for n := 0; ; n++ {
					e, ok := p.Next()
					if !ok {
						break
					}
					if n > len(log) {
						t.Fatal("more entries than bytes")
					}
					if e.Number < Unknown || e.ClientPort > 65535 && l.keys == nil && e.ClientPort < 0 {
						t.Fatalf("%+v", e)
					}
				}
			}
			if all.Lines != some.Lines {
				t.Fatalf("%d lines and %d lines", all.Lines, some.Lines)
			}
		}
	})
}

func FuzzSource(f *testing.F) {
	f.Add([]byte("a\nb\n"), 1)
	f.Add([]byte{0x1f, 0x8b, 8, 0}, 2)
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd}, 3)
	f.Fuzz(func(t *testing.T, in []byte, repeat int) {
		in = bytes.Repeat(in, min(max(repeat, 1), 1000))
		s, err := NewSource(bytes.NewReader(in))
		if err != nil {
			return
		}
		defer s.Close()
		buf := make([]byte, 2*MaxLine)
		for range 1000 {
			if _, err := s.Next(buf); err != nil {
				return
			}
		}
	})
}
