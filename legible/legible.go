// Package legible makes foreign text fit for where it is put. Names, fields, reasons and
// errors come from servers and from files, and may hold what moves a cursor, turns the
// direction of writing, is not to be seen, or starts a formula. There are two layers:
// functions for a piece of text, and a Writer through which a whole document goes, so
// that what one of the functions was not asked about does not get out either.
package legible

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// stands is what stands for a letter that is taken out.
const stands = '?'

// spoils reports whether a letter does something other than being read: controls (C0, DEL,
// C1), separators of lines, format characters (Unicode's category Cf: directions of writing,
// what has no width, tags), what is no character, and what is not UTF-8.
func spoils(r rune) bool {
	switch {
	case r < ' ' || r == 0x7f:
		return true
	case r < 0x7f:
		return false
	}
	return r < 0xa0 || r == utf8.RuneError || r == '\u2028' || r == '\u2029' ||
		unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Noncharacter_Code_Point, r)
}

// Text is one line of a text, a question mark for each letter that spoils it.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if spoils(r) {
			return stands
		}
		return r
	}, s)
}

// longest is how many letters of a note are shown: some lines of a terminal.
const longest = 600

// Note is a message in one line, without what URLs in it say of users. Of a long one the end is shown as well as the beginning:
// what is foreign stands in the middle, and what to do about it behind.
func Note(s string) string {
	s = strings.TrimRight(s, "\n")
	s = Text(Plain.Text(strings.Join(strings.Fields(strings.ReplaceAll(s, "\n", "; ")), " ")))
	n := utf8.RuneCountInString(s)
	if n <= longest {
		return s
	}
	letters := []rune(s)
	const end = longest / 4
	return fmt.Sprintf("%s… (%s) …%s", string(letters[:longest-end]), size(len(s)), string(letters[n-end:]))
}

// size is a length as notes have it.
func size(n int) string {
	if n < 10_000 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%d kB", (n+500)/1000)
}

// Cell is a text as a cell of CSV may hold it: one line, and nothing that a spreadsheet
// takes for a formula.
func Cell(s string) string {
	s = Text(s)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

// A Kind is what a document is.
type Kind int

const (
	// Raw is bytes that no one reads: captures, what is compressed.
	Raw Kind = iota
	// Plain is lines of text: files, pipes and logs, CSV, XML, HTML.
	Plain
	// Painted is the same on a terminal: codes that set a colour pass.
	Painted
	// JSON escapes what Plain takes out: the document says the same as before.
	JSON
)

// raw are the endings of files that are no text, or whose text has separators of its own.
var raw = []string{".trace", ".parquet", ".pcapng", ".pcap", ".qlog", ".gz", ".zst"}

// KindOf is what a file with an ending is. What is not known is taken for text.
func KindOf(ending string) Kind {
	for _, r := range raw {
		if ending == r {
			return Raw
		}
	}
	switch ending {
	case ".json", ".sarif", ".har":
		return JSON
	}
	return Plain
}

// A Writer hands on what is fit for a document of a kind. It may be used by several
// goroutines, and hands on each call of Write in one, but for a letter or a URL that is cut
// at its end, which waits for its rest.
type Writer struct {
	to   io.Writer
	kind Kind

	mu   sync.Mutex
	kept []byte // the beginning of a letter, of a code of colour, or of a URL
	buf  []byte
}

// NewWriter returns a Writer of a kind.
func NewWriter(to io.Writer, kind Kind) *Writer { return &Writer{to: to, kind: kind} }

// Through returns what writes the same to a Writer of a kind, and ends it.
func Through(kind Kind, write func(io.Writer) error) func(io.Writer) error {
	return func(to io.Writer) error {
		w := NewWriter(to, kind)
		return cmp.Or(write(w), w.Flush())
	}
}

// Write takes all of p, whatever becomes of it, unless it could not be handed on.
func (w *Writer) Write(p []byte) (int, error) {
	if w.kind == Raw {
		return w.to.Write(p)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	from := p
	if len(w.kept) > 0 {
		from = append(w.kept, p...)
		w.kept = nil
	}
	out, rest := w.kind.document(w.buf[:0], from, false)
	w.buf, w.kept = out[:0], append(w.kept, rest...)
	if cap(w.buf) > 1<<20 {
		w.buf = nil // a large document is written at once, and seldom
	}
	if len(out) == 0 {
		return len(p), nil
	}
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush hands on what waited for its rest.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.kept) == 0 {
		return nil
	}
	out, _ := w.kind.document(nil, w.kept, true)
	w.kept = nil
	_, err := w.to.Write(out)
	return err
}

// clean appends what is fit for the kind of p, and returns what is left of it: a letter or
// a code that is cut, unless p is the end.
func (k Kind) clean(out, p []byte, end bool) (cleaned, rest []byte) {
	for len(p) > 0 {
		n := 0
		for n < len(p) && (p[n] >= ' ' && p[n] < 0x7f || p[n] == '\n' || p[n] == '\t') {
			n++
		}
		out, p = append(out, p[:n]...), p[n:]
		if len(p) == 0 {
			break
		}
		if k == Painted && p[0] == '\x1b' {
			n, whole := colour(p)
			switch {
			case n > 0:
				out, p = append(out, p[:n]...), p[n:]
				continue
			case !whole && !end:
				return out, p
			}
		}
		if !utf8.FullRune(p) && !end {
			return out, p
		}
		r, n := utf8.DecodeRune(p)
		switch {
		case !spoils(r):
			out = append(out, p[:n]...)
		case k != JSON:
			out = append(out, stands)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		p = p[n:]
	}
	return out, nil
}

// mostCodes is how long a code of colour may be.
const mostCodes = 16

// colour is how long the code of colour is at the beginning of p (ECMA-48, 8.3.117: SGR),
// 0 if there is none. whole says that more bytes would not make it one.
func colour(p []byte) (n int, whole bool) {
	for i, c := range p[:min(len(p), mostCodes)] {
		switch {
		case i == 0: // ESC
		case i == 1 && c == '[', i > 1 && (c >= '0' && c <= '9' || c == ';'):
		case i > 1 && c == 'm':
			return i + 1, true
		default:
			return 0, true
		}
	}
	return 0, len(p) >= mostCodes
}

// Text is a whole text as a document of the kind may hold it.
func (k Kind) Text(s string) string {
	out, _ := k.document(nil, []byte(s), true)
	return string(out)
}

// hidden stands where a URL named a user.
const hidden = "…@"

// longestUser is how long what stands before a host is at most, to be found.
const longestUser = 256

// document appends what is fit for the kind of p, without what URLs in it say of users, and
// returns what is left of it, as clean does.
func (k Kind) document(out, p []byte, end bool) (cleaned, rest []byte) {
	for {
		at := bytes.Index(p, []byte("://"))
		if at < 0 {
			at = len(p)
			for n := 2; n > 0 && !end; n-- {
				if bytes.HasSuffix(p, []byte("://")[:n]) {
					at -= n
					break
				}
			}
			// Nothing but ASCII is kept from here on, so that there is nothing before it to wait for.
			out, rest = k.clean(out, p[:at], end || at < len(p))
			return out, append(rest[:len(rest):len(rest)], p[at:]...)
		}
		at += len("://")
		n, whole := userIn(p[at:])
		if !whole && !end {
			out, _ = k.clean(out, p[:at-len("://")], true)
			return out, p[at-len("://"):]
		}
		out, _ = k.clean(out, p[:at], true)
		if p = p[at:]; n > 0 {
			out, p = append(out, hidden...), p[n:]
		}
	}
}

// userIn is how long the user is, with the @, of a URL whose authority p begins with (RFC
// 3986, 3.2), 0 if there is none. whole says that more bytes would not change that.
func userIn(p []byte) (n int, whole bool) {
	for i, c := range p[:min(len(p), longestUser)] {
		switch {
		case c == '@':
			n = i + 1
		case c <= ' ' || c == 0x7f || bytes.IndexByte([]byte("/?#\"<>\\"), c) >= 0:
			return n, true
		}
	}
	return n, len(p) >= longestUser
}
