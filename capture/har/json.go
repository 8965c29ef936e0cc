package har

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner takes JSON (RFC 8259) apart as it arrives, and holds no value that
// nobody asks for: the content of responses, which is most of a HAR, goes by. It
// checks the structure of what it skips, and its strings only for where they end.
type scanner struct {
	in   *bufio.Reader
	read int64  // bytes so far
	text []byte // of the string that was read last
	nest []byte // brackets that are open in what is skipped
}

// maxDepth bounds how deep values nest, as encoding/json does.
const maxDepth = 10_000

func newScanner(r io.Reader) *scanner { return &scanner{in: bufio.NewReaderSize(r, 64<<10)} }

// take returns the next byte.
func (s *scanner) take() (byte, error) {
	b, err := s.in.ReadByte()
	if err != nil {
		return 0, err
	}
	s.read++
	return b, nil
}

// peek returns the next byte that is no white space, and leaves it.
func (s *scanner) peek() (byte, error) {
	for {
		b, err := s.take()
		if err != nil {
			return 0, err
		}
		switch b {
		case ' ', '\t', '\n', '\r':
			continue
		}
		s.read--
		return b, s.in.UnreadByte()
	}
}

// next returns the next byte that is no white space.
func (s *scanner) next() (byte, error) {
	if _, err := s.peek(); err != nil {
		return 0, err
	}
	return s.take()
}

func (s *scanner) invalid(b byte, where string) error {
	return fmt.Errorf("invalid character %q %s, at byte %d", b, where, s.read)
}

// is reports whether a value that begins with open comes next.
func (s *scanner) is(open byte) (bool, error) {
	b, err := s.peek()
	return b == open, err
}

// expect takes the opening bracket of what must come next.
func (s *scanner) expect(open byte) error {
	ok, err := s.is(open)
	if err != nil {
		return err
	}
	if !ok {
		found, err := s.word()
		if err != nil {
			return err
		}
		return fmt.Errorf("%s stands where %c should", found, open)
	}
	_, err = s.take()
	return err
}

// word is the next value for people: a bracket, a literal, or "a string".
func (s *scanner) word() (string, error) {
	b, err := s.peek()
	switch {
	case err != nil:
		return "", err
	case b == '{' || b == '[':
		return string(b), nil
	case b == '"':
		return "a string", nil
	}
	return s.literal()
}

// eachMember calls visit with each key of the object that comes next, which must be
// one; visit takes the value. A key is good until visit reads on.
func (s *scanner) eachMember(visit func(key []byte) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	return s.each('}', func() error {
		if err := s.key(64); err != nil {
			return err
		}
		return visit(s.text)
	})
}

// eachElement calls visit for each element of the array that comes next, which must
// be one; visit takes the element.
func (s *scanner) eachElement(visit func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	return s.each(']', visit)
}

// each reads up to the closing bracket.
func (s *scanner) each(end byte, visit func() error) error {
	if b, err := s.peek(); err != nil {
		return err
	} else if b == end {
		_, err = s.take()
		return err
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		switch b, err := s.next(); {
		case err != nil:
			return err
		case b == end:
			return nil
		case b != ',':
			return s.invalid(b, "after a value")
		}
	}
}

// members is eachMember for what need not be an object: anything else is skipped.
func (s *scanner) members(visit func(key []byte) error) error {
	if ok, err := s.is('{'); err != nil || !ok {
		return s.skipOr(err)
	}
	return s.eachMember(visit)
}

// elements is eachElement for what need not be an array.
func (s *scanner) elements(visit func() error) error {
	if ok, err := s.is('['); err != nil || !ok {
		return s.skipOr(err)
	}
	return s.eachElement(visit)
}

func (s *scanner) skipOr(err error) error {
	if err != nil {
		return err
	}
	return s.skip()
}

// skip takes the next value and keeps nothing of it.
func (s *scanner) skip() error {
	s.nest = s.nest[:0]
	for {
		b, err := s.peek()
		if err != nil {
			return err
		}
		switch b {
		case '{', '[':
			_, _ = s.take()
			if len(s.nest) == maxDepth {
				return errors.New("values nest too deep: exceeded max depth")
			}
			s.nest = append(s.nest, b+2) // the bracket that closes it
			if ok, err := s.is(b + 2); err != nil {
				return err
			} else if !ok {
				if err := s.skipKey(); err != nil {
					return err
				}
				continue
			}
		case '"':
			_, _ = s.take()
			if _, err := s.str(0); err != nil {
				return err
			}
		default:
			if _, err := s.literal(); err != nil {
				return err
			}
		}
		for done := false; !done; {
			if len(s.nest) == 0 {
				return nil
			}
			b, err := s.next()
			if err != nil {
				return err
			}
			switch {
			case b == s.nest[len(s.nest)-1]:
				s.nest = s.nest[:len(s.nest)-1]
			case b == ',':
				if err := s.skipKey(); err != nil {
					return err
				}
				done = true
			default:
				return s.invalid(b, "after a value")
			}
		}
	}
}

// skipKey takes a key and its colon, where those come next in what is skipped.
func (s *scanner) skipKey() error {
	if s.nest[len(s.nest)-1] != '}' {
		return nil
	}
	return s.key(0)
}

// key takes a key, of which it keeps as many bytes as limit, and its colon.
func (s *scanner) key(limit int) error {
	b, err := s.next()
	if err != nil {
		return err
	}
	if b != '"' {
		return s.invalid(b, "looking for the beginning of a key")
	}
	if _, err := s.str(limit); err != nil {
		return err
	}
	if b, err = s.next(); err == nil && b != ':' {
		err = s.invalid(b, "after a key")
	}
	return err
}

// literal takes a number, true, false or null, and returns it as it is written.
func (s *scanner) literal() (string, error) {
	var out [32]byte
	n := 0
	for {
		b, err := s.take()
		if err != nil && !(err == io.EOF && n > 0) {
			return "", err
		}
		if err == nil && (b == '-' || b == '+' || b == '.' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z') {
			if n < len(out) {
				out[n] = b
				n++
			}
			continue
		}
		if err == nil {
			s.read--
			_ = s.in.UnreadByte() // it has just been read
		}
		word := string(out[:n])
		switch word {
		case "true", "false", "null":
			return word, nil
		}
		if _, err := strconv.ParseFloat(word, 64); err == nil || errors.Is(err, strconv.ErrRange) || n == len(out) && (word[0] == '-' || word[0] <= '9') {
			return word, nil
		}
		if n > 0 {
			b = word[0]
		}
		return "", s.invalid(b, "looking for the beginning of a value")
	}
}

// str reads a string behind its opening quote. What it says is in s.text, up to
// limit bytes; the returned size is that of the whole, in UTF-8.
func (s *scanner) str(limit int) (size int64, err error) {
	s.text = s.text[:0]
	keep := func(b []byte) {
		size += int64(len(b))
		s.text = append(s.text, b[:min(len(b), limit-len(s.text))]...)
	}
	for {
		if _, err := s.in.Peek(1); err != nil {
			return size, err
		}
		window, _ := s.in.Peek(s.in.Buffered())
		n := 0
		for n < len(window) && window[n] != '"' && window[n] != '\\' && window[n] >= ' ' {
			n++
		}
		keep(window[:n])
		_, _ = s.in.Discard(n) // it is buffered
		s.read += int64(n)
		if n == len(window) {
			continue
		}
		switch b, _ := s.take(); b {
		case '"':
			return size, nil
		case '\\':
			r, err := s.escape()
			if err != nil {
				return size, err
			}
			var b [utf8.UTFMax]byte
			keep(b[:utf8.EncodeRune(b[:], r)])
		default:
			return size, s.invalid(b, "in a string")
		}
	}
}

// escape reads what follows a backslash.
func (s *scanner) escape() (rune, error) {
	b, err := s.take()
	if err != nil {
		return 0, err
	}
	switch b {
	case '"', '\\', '/':
		return rune(b), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
		r, err := s.hex()
		if err != nil || !utf16.IsSurrogate(r) {
			return r, err
		}
		// The second half of a pair, if it is one, is an escape too.
		if next, _ := s.in.Peek(2); string(next) != `\u` {
			return utf8.RuneError, nil
		}
		_, _ = s.in.Discard(2)
		s.read += 2
		second, err := s.hex()
		return utf16.DecodeRune(r, second), err
	}
	return 0, s.invalid(b, "in an escape")
}

func (s *scanner) hex() (rune, error) {
	r := rune(0)
	for range 4 {
		b, err := s.take()
		if err != nil {
			return 0, err
		}
		d, err := strconv.ParseUint(string(b), 16, 8)
		if err != nil {
			return 0, s.invalid(b, "in an escape")
		}
		r = r<<4 | rune(d)
	}
	return r, nil
}

// string reads a string up to limit bytes, or a number or truth value as it is
// written. Anything else is read as empty. size is that of the whole.
func (s *scanner) string(limit int) (text string, size int64, err error) {
	b, err := s.peek()
	switch {
	case err != nil:
		return "", 0, err
	case b == '"':
		_, _ = s.take()
		size, err = s.str(limit)
		return string(s.text), size, err
	case b == '{' || b == '[':
		return "", 0, s.skip()
	}
	text, err = s.literal()
	if text == "null" {
		text = ""
	}
	return text, int64(len(text)), err
}

// number reads a number, or text that spells one; anything else is unknown.
func (s *scanner) number() (number, error) {
	const longest = 40
	var n number
	text, _, err := s.string(longest)
	if err != nil {
		return n, err
	}
	n.set(text)
	return n, nil
}
