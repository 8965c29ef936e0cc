package page

import (
	"bufio"
	"bytes"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxReference bounds one reference in bytes: what is longer, as most data: URLs are,
// is read over.
const maxReference = 8 << 10

// scanSheet reads a style sheet and calls found for each object that it names, with
// how many bytes of the sheet had to be there: what url() names, and what @import
// does before the first rule. Whether a rule, or the condition around it, matches
// anything is not looked at. A browser loads one font of those that a face offers,
// and one image of a set: the first that it can read.
//
// It splits the text into tokens as CSS Syntax Module Level 3, 4.3, does, as far as
// that decides what is a reference.
func scanSheet(r io.Reader, found func(ref string, at int64)) {
	s := &sheetScanner{in: bufio.NewReader(r), found: found}
	for s.token() {
	}
}

// A sheetScanner is where in a style sheet the reading is.
type sheetScanner struct {
	in    *bufio.Reader
	at    int64 // bytes that have been read
	found func(ref string, at int64)

	rule   string // the at-rule whose prelude is being read: "import"; else empty
	begun  bool   // a rule has been there: no @import counts any more
	depth  int    // of braces
	face   int    // depth within the braces of @font-face; 0 is outside
	font   font   // that the src of the face named last; its format may follow
	loaded string // the first font of the src that a browser of today reads
	parens int
	set    int  // depth within the parentheses of image-set(); 0 is outside
	chosen bool // the set has named an image
}

// A font is one source of a face, with what it is said to be.
type font struct{ ref, format string }

func (s *sheetScanner) read() (byte, bool) {
	c, err := s.in.ReadByte()
	if err != nil {
		return 0, false
	}
	s.at++
	return c, true
}

// back takes the last byte back; it was just read.
func (s *sheetScanner) back() {
	if s.in.UnreadByte() == nil {
		s.at--
	}
}

// token reads one token and does what it asks for. It returns false at the end.
func (s *sheetScanner) token() bool {
	c, ok := s.read()
	if !ok {
		return false
	}
	switch {
	case c == '/':
		if next, ok := s.read(); ok && next == '*' {
			s.comment()
		} else if ok {
			s.back()
		}
	case c == '"' || c == '\'':
		if ref, ok := s.text(c); ok {
			s.quoted(ref)
		}
	case c == '@':
		s.rule = strings.ToLower(s.name())
	case isNameByte(c):
		s.back()
		s.word(strings.ToLower(s.name()))
	case c == '(':
		s.parens++
	case c == ')':
		if s.parens == s.set {
			s.set = 0
		}
		s.parens = max(0, s.parens-1)
	case c == '{':
		s.depth++
		s.begun = true
		if s.rule == "font-face" {
			s.face, s.font, s.loaded = s.depth, font{}, ""
		}
		s.rule, s.parens, s.set = "", 0, 0
	case c == '}':
		if s.depth == s.face {
			s.load()
		}
		s.depth = max(0, s.depth-1)
		s.parens, s.set = 0, 0
	case c == ';':
		s.rule = ""
	}
	return true
}

// word takes an identifier, or the name of a function.
func (s *sheetScanner) word(name string) {
	c, ok := s.read()
	if !ok {
		return
	}
	if c != '(' {
		s.back()
		if s.face > 0 && name == "src" {
			s.font, s.loaded = font{}, "" // a later declaration takes the place of an earlier one
		}
		return
	}
	switch name {
	case "url":
		if ref, ok := s.url(); ok {
			s.reference(ref)
		}
		return
	case "format":
		if s.face > 0 && s.font.ref != "" {
			s.font.format = s.argument()
			return
		}
	case "image-set", "-webkit-image-set":
		if s.set == 0 {
			s.set, s.chosen = s.parens+1, false
		}
	}
	s.parens++
}

// quoted takes a string, which is a reference in @import and in image-set().
func (s *sheetScanner) quoted(ref string) {
	if s.rule == "import" || s.set > 0 && s.parens == s.set {
		s.reference(ref)
	}
}

// reference takes a reference.
func (s *sheetScanner) reference(ref string) {
	switch {
	case ref == "" || ref[0] == '#': // within the same document
	case s.face > 0:
		s.offer()
		s.font = font{ref: ref}
	case s.rule == "import":
		if !s.begun {
			s.found(ref, s.at)
		}
		s.rule = "imported" // what follows is its condition
	case s.rule == "namespace":
	case s.set > 0 && s.chosen:
	default:
		s.chosen = s.set > 0
		s.found(ref, s.at)
	}
}

// offer takes the font that was named last, if none before it was one to load. No more than
// two are held, however many a face has.
func (s *sheetScanner) offer() {
	if s.loaded == "" && s.font.ref != "" && !s.font.isOld() {
		s.loaded = s.font.ref
	}
}

// isOld reports whether only browsers of the past read a font.
func (f font) isOld() bool {
	ending := f.ref
	if i := strings.IndexAny(ending, "?#"); i >= 0 {
		ending = ending[:i]
	}
	ending = strings.ToLower(path.Ext(ending))
	return f.format == "embedded-opentype" || f.format == "svg" || f.format == "" && (ending == ".eot" || ending == ".svg")
}

// load takes the first font of a face that a browser of today reads.
func (s *sheetScanner) load() {
	if s.offer(); s.loaded != "" {
		s.found(s.loaded, s.at)
	}
	s.face, s.font, s.loaded = 0, font{}, ""
}

// comment reads up to the end of a comment.
func (s *sheetScanner) comment() {
	for star := false; ; {
		c, ok := s.read()
		if !ok || star && c == '/' {
			return
		}
		star = c == '*'
	}
}

// text reads a string up to its closing quote. A line's end breaks it.
func (s *sheetScanner) text(quote byte) (string, bool) {
	var b bytes.Buffer
	for {
		c, ok := s.read()
		switch {
		case !ok || c == '\n' || c == '\r' || c == '\f':
			return "", false
		case c == quote:
			return b.String(), b.Len() <= maxReference
		case c == '\\':
			s.escape(&b)
		default:
			put(&b, c)
		}
	}
}

// url reads the argument of url( and the parenthesis behind it.
func (s *sheetScanner) url() (string, bool) {
	c, ok := s.blank()
	if !ok {
		return "", false
	}
	if c == '"' || c == '\'' {
		ref, good := s.text(c)
		return ref, s.close() && good
	}
	var b bytes.Buffer
	for ; ok; c, ok = s.read() {
		switch {
		case c == ')':
			return b.String(), b.Len() <= maxReference
		case isBlank(c):
			return b.String(), s.close() && b.Len() <= maxReference
		case c == '"' || c == '\'' || c == '(' || c < ' ' || c == 0x7f:
			// "This is a parse error. Consume the remnants of a bad url" (4.3.6).
			s.close()
			return "", false
		case c == '\\':
			s.escape(&b)
		default:
			put(&b, c)
		}
	}
	return "", false
}

// argument reads the one word or string in parentheses.
func (s *sheetScanner) argument() string {
	c, ok := s.blank()
	if !ok {
		return ""
	}
	if c == '"' || c == '\'' {
		word, _ := s.text(c)
		s.close()
		return strings.ToLower(word)
	}
	s.back()
	word := s.name()
	s.close()
	return strings.ToLower(word)
}

// blank reads over white space and returns what follows.
func (s *sheetScanner) blank() (byte, bool) {
	c, ok := s.read()
	for ok && isBlank(c) {
		c, ok = s.read()
	}
	return c, ok
}

// close reads up to the next parenthesis. It reports whether nothing but white space
// was before it.
func (s *sheetScanner) close() bool {
	clean := true
	for {
		c, ok := s.read()
		switch {
		case !ok:
			return false
		case c == ')':
			return clean
		case c == '\\':
			s.read()
			clean = false
		case !isBlank(c):
			clean = false
		}
	}
}

// name reads an identifier.
func (s *sheetScanner) name() string {
	var b bytes.Buffer
	for {
		c, ok := s.read()
		switch {
		case !ok:
			return b.String()
		case c == '\\':
			s.escape(&b)
		case isNameByte(c):
			put(&b, c)
		default:
			s.back()
			return b.String()
		}
	}
}

// escape reads what follows a backslash (4.3.7): up to six hexadecimal digits and a
// white space, the end of a line, which is nothing, or a character.
func (s *sheetScanner) escape(b *bytes.Buffer) {
	var digits []byte
	for len(digits) < 6 {
		c, ok := s.read()
		if !ok {
			break
		}
		if !isHex(c) {
			if len(digits) == 0 {
				if c != '\n' && c != '\r' && c != '\f' {
					put(b, c)
				}
				return
			}
			if !isBlank(c) {
				s.back()
			}
			break
		}
		digits = append(digits, c)
	}
	if len(digits) == 0 {
		return
	}
	n, _ := strconv.ParseUint(string(digits), 16, 32)
	r := rune(n)
	if n == 0 || n > utf8.MaxRune || !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	for _, c := range utf8.AppendRune(nil, r) {
		put(b, c)
	}
}

// put appends a byte, as long as it may still be a reference.
func put(b *bytes.Buffer, c byte) {
	if b.Len() <= maxReference {
		b.WriteByte(c)
	}
}

func isBlank(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' && c != '\v' }

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isNameByte reports whether c can stand in an identifier.
func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c >= 0x80 || c == '\\'
}
