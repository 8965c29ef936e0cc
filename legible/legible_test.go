package legible

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"gzip, größer, 漢字, 🙂, ─│…":         "gzip, größer, 漢字, 🙂, ─│…",
		"\x1b[31mred\x1b]0;title\x07":      "?[31mred?]0;title?",
		"a\nb\tc\rd\x00e\x7f":              "a?b?c?d?e?",
		"\u009b31mC1 \u0085":               "?31mC1 ?",
		"\u202egnp.\u2066x\u2069 \u061c":   "?gnp.?x? ?",
		"no\u200bwidth\ufeff\u2060\u00ad":  "no?width???",
		"tags \U000e0041\U000e007f":        "tags ??",
		"lines \u2028 \u2029":              "lines ? ?",
		"no character \ufffe\uffff\ufdd0":  "no character ???",
		"not UTF-8 \xff\xc3":               "not UTF-8 ??",
		"\u202a\u202b\u202c\u202d\u202e":   "?????",
		"\u2066\u2067\u2068\u2069\u200e\a": "??????",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNote(t *testing.T) {
	if got, want := Note("first\nsecond  third\x1b[1m\n"), "first; second third?[1m"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if s := strings.Repeat("ä", longest); Note(s) != s {
		t.Error("what fits is shown whole")
	}
	got := Note("the redirect to http://a.example/" + strings.Repeat("a", 200_000) + " was not followed; give that URL")
	if n := utf8.RuneCountInString(got); n > longest+30 {
		t.Errorf("%d letters", n)
	}
	for _, part := range []string{"the redirect to http://a.example/aaa", "… (200 kB) …", "aaa was not followed; give that URL"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q is not in %q", part, got)
		}
	}
}

func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a=b": "a=b", "=1+1": "'=1+1", "@SUM(A1)": "'@SUM(A1)", "-1": "'-1", "+1": "'+1", "\t=1": "?=1", "a\r\nb": "a??b",
	} {
		if got := Cell(in); got != want {
			t.Errorf("Cell(%q) = %q, want %q", in, got, want)
		}
	}
}

// hostile is a bit of everything.
const hostile = "a\x1b[31mb\x1b[2Jc\x1b]0;t\x07\u009bd\u202ee\U000e0041f\x00\x7f\xff\xe2\x80g\r\u2028─🙂\x1b"

func TestWriter(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		want string
	}{
		{Raw, hostile},
		{Plain, "a?[31mb?[2Jc?]0;t??d?e?f?????g??─🙂?"},
		{Painted, "a\x1b[31mb?[2Jc?]0;t??d?e?f?????g??─🙂?"},
		{JSON, `a\u001b[31mb\u001b[2Jc\u001b]0;t\u0007\u009bd\u202ee\udb40\udc41f\u0000\u007f\ufffd\ufffd\ufffdg\u000d\u2028─🙂\u001b`},
	} {
		// Whole, and cut everywhere.
		for cut := range len(hostile) {
			var b bytes.Buffer
			w := NewWriter(&b, c.kind)
			for _, part := range []string{hostile[:cut], hostile[cut:]} {
				if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if b.String() != c.want {
				t.Errorf("kind %d, cut at %d: %q, want %q", c.kind, cut, b.String(), c.want)
			}
		}
	}
}

func TestUsersAreHidden(t *testing.T) {
	for in, want := range map[string]string{
		"http://me:hush@a.example/b@c":                    "http://…@a.example/b@c",
		"see https://me@a/, ftp://x:y@b?q, and http://c/": "see https://…@a/, ftp://…@b?q, and http://c/",
		`{"url":"http://me:hu@sh@a/"}`:                    `{"url":"http://…@a/"}`,
		"http://a/?to=http://me:hush@b/":                  "http://a/?to=http://…@b/",
		"me@a.example, a: //b@c, ://, :/":                 "me@a.example, a: //b@c, ://, :/",
		"http://@a/":                                      "http://…@a/",
		"http://me:hush@":                                 "http://…@",
		"é://é:hush@a":                                    "é://…@a",
		"http://" + strings.Repeat("a", 300) + "@b":       "http://" + strings.Repeat("a", 300) + "@b",
	} {
		for cut := range len(in) {
			var b bytes.Buffer
			w := NewWriter(&b, JSON)
			w.Write([]byte(in[:cut]))
			w.Write([]byte(in[cut:]))
			w.Flush()
			if b.String() != want {
				t.Errorf("%q, cut at %d, is %q; want %q", in, cut, b.String(), want)
			}
		}
	}
	if got, want := Note("http://me:hush@a/: no"), "http://…@a/: no"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestKinds(t *testing.T) {
	for ending, want := range map[string]Kind{".json": JSON, ".sarif": JSON, ".txt": Plain, ".csv": Plain, ".trace": Raw, ".new": Plain} {
		if got := KindOf(ending); got != want {
			t.Errorf("%s: %d, want %d", ending, got, want)
		}
	}
}

// FuzzWriter: nothing that spoils gets out, JSON says the same as before, and what is
// clean stays as it is, however it is cut.
func FuzzWriter(f *testing.F) {
	f.Add(hostile, 3)
	f.Add("\x1b[1;31mred\x1b[0m", 2)
	f.Add("\x1b[11111111111111111111m", 15)
	f.Fuzz(func(t *testing.T, s string, cut int) {
		cut = min(max(0, cut), len(s))
		for _, kind := range []Kind{Plain, Painted, JSON} {
			var b bytes.Buffer
			w := NewWriter(&b, kind)
			w.Write([]byte(s[:cut]))
			w.Write([]byte(s[cut:]))
			w.Flush()
			got := b.String()
			for i, r := range got {
				if n, _ := colour([]byte(got[i:])); r == '\x1b' && kind == Painted && n > 0 {
					continue
				}
				if r != '\n' && r != '\t' && spoils(r) {
					t.Fatalf("kind %d: %q of %q", kind, got, s)
				}
			}
		}
		text, err := json.Marshal(s)
		if err != nil {
			return
		}
		var b bytes.Buffer
		w := NewWriter(&b, JSON)
		w.Write(text[:min(cut, len(text))])
		w.Write(text[min(cut, len(text)):])
		w.Flush()
		var before, after string
		if strings.Contains(s, "://") {
			return // without the user it says less
		}
		if json.Unmarshal(text, &before) != nil || json.Unmarshal(b.Bytes(), &after) != nil || before != after {
			t.Fatalf("%s has become %s", text, b.Bytes())
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	line := []byte(`{"name":"origin.example","connections":12,"reuse":0.95,"closed_by":"server"}` + "\n")
	w := NewWriter(discard{}, JSON)
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		w.Write(line)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
