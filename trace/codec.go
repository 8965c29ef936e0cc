package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"linger"
)

// A stream has millions of records, and encoding/json would take most of the time that
// one needs. So they are written and read by tables of their fields (fields.go), several
// times as fast, and as encoding/json writes and reads them, which a test holds.

// A field is one member of a JSON object that is a T.
type field[T any] struct {
	name string
	// write appends a comma, the name and the value, or nothing where it is left out.
	write func(to []byte, v *T) []byte
	read  func(d *decoder, v *T) error
}

// write appends v as an object.
func write[T any](to []byte, v *T, fields []field[T]) []byte {
	start := len(to)
	for i := range fields {
		to = fields[i].write(to, v)
	}
	if len(to) == start {
		return append(to, "{}"...)
	}
	to[start] = '{' // in the place of the first comma
	return append(to, '}')
}

// read reads an object into v; members that are not known are passed over.
func read[T any](d *decoder, v *T, fields []field[T]) error {
	next := 0 // they mostly come in their order
	return d.object(func(name []byte) error {
		for n := range fields {
			i := next + n
			if i >= len(fields) {
				i -= len(fields)
			}
			if f := &fields[i]; string(name) == f.name {
				next = i + 1
				if err := f.read(d, v); err != nil {
					return fmt.Errorf("%s: %w", f.name, err)
				}
				return nil
			}
		}
		return d.skip()
	})
}

// A rule says when a member is left out.
type rule bool

const (
	always rule = true  // it is never
	unless rule = false // it is unless it says something: not empty, 0 or false
)

func key(name string) string { return `,"` + name + `":` }

func number[T any, N int | int64](name string, r rule, at func(*T) *N) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		n := *at(v)
		if n == 0 && r == unless {
			return to
		}
		return strconv.AppendInt(append(to, k...), int64(n), 10)
	}, func(d *decoder, v *T) error {
		n, ok, err := d.number()
		if ok && int64(N(n)) != n {
			return fmt.Errorf("%d is more than this machine counts", n)
		}
		if ok {
			*at(v) = N(n)
		}
		return err
	}}
}

func text[T any, S ~string](name string, r rule, at func(*T) *S) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		s := *at(v)
		if s == "" && r == unless {
			return to
		}
		return appendText(append(to, k...), string(s))
	}, func(d *decoder, v *T) error {
		s, ok, err := d.text()
		if ok {
			*at(v) = S(s)
		}
		return err
	}}
}

func truth[T any](name string, r rule, at func(*T) *bool) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		is := *at(v)
		if !is && r == unless {
			return to
		}
		return strconv.AppendBool(append(to, k...), is)
	}, func(d *decoder, v *T) error {
		is, err := d.truth()
		if b, ok := is.Get(); ok {
			*at(v) = b
		}
		return err
	}}
}

// lasting is an instant or a length of time.
func lasting[T any, D linger.Instant | time.Duration](name string, at func(*T) *D) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		return linger.Micros(*at(v)).Append(append(to, k...))
	}, func(d *decoder, v *T) error {
		m := linger.Micros(*at(v))
		text, err := d.scalar()
		if err == nil {
			err = m.UnmarshalJSON(text)
		}
		*at(v) = D(m)
		return err
	}}
}

// known is an instant or a length of time that may be unknown.
func known[T any, D linger.Instant | time.Duration](name string, at func(*T) *linger.Opt[D]) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		d, ok := at(v).Get()
		if !ok {
			return to
		}
		return linger.Micros(d).Append(append(to, k...))
	}, func(d *decoder, v *T) error {
		*at(v) = linger.Opt[D]{}
		text, err := d.scalar()
		if err != nil || string(text) == "null" {
			return err
		}
		var m linger.Micros
		if err := m.UnmarshalJSON(text); err != nil {
			return err
		}
		*at(v) = linger.Known(D(m))
		return nil
	}}
}

func knownTruth[T any](name string, at func(*T) *linger.Opt[bool]) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		is, ok := at(v).Get()
		if !ok {
			return to
		}
		return strconv.AppendBool(append(to, k...), is)
	}, func(d *decoder, v *T) (err error) {
		*at(v), err = d.truth()
		return err
	}}
}

func knownNumber[T any](name string, at func(*T) *linger.Opt[int64]) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		n, ok := at(v).Get()
		if !ok {
			return to
		}
		return strconv.AppendInt(append(to, k...), n, 10)
	}, func(d *decoder, v *T) error {
		*at(v) = linger.Opt[int64]{}
		n, ok, err := d.number()
		if ok {
			*at(v) = linger.Known(n)
		}
		return err
	}}
}

// part is an object of its own, which is left out where it is empty.
func part[T any, P comparable](name string, fields []field[P], at func(*T) *P) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		p, empty := at(v), *new(P)
		if *p == empty {
			return to
		}
		return write(append(to, k...), p, fields)
	}, func(d *decoder, v *T) error {
		if d.null() {
			return nil
		}
		return read(d, at(v), fields)
	}}
}

// knownPart is an object of its own that may be unknown.
func knownPart[T, P any](name string, fields []field[P], at func(*T) *linger.Opt[P]) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		p, ok := at(v).Get()
		if !ok {
			return to
		}
		return write(append(to, k...), &p, fields)
	}, func(d *decoder, v *T) error {
		*at(v) = linger.Opt[P]{}
		if d.null() {
			return nil
		}
		var p P
		err := read(d, &p, fields)
		*at(v) = linger.Known(p)
		return err
	}}
}

// list is an array, which is left out where it is empty, of what write and read say.
func list[T, E any](name string, at func(*T) *[]E, write func([]byte, *E) []byte, read func(*decoder, *E) error) field[T] {
	k := key(name)
	return field[T]{name, func(to []byte, v *T) []byte {
		all := *at(v)
		if len(all) == 0 {
			return to
		}
		start := len(to) + len(k)
		to = append(to, k...)
		for i := range all {
			to = write(append(to, ','), &all[i])
		}
		to[start] = '['
		return append(to, ']')
	}, func(d *decoder, v *T) error {
		*at(v) = nil
		if d.null() {
			return nil
		}
		return d.array(func() error {
			var e E
			err := read(d, &e)
			*at(v) = append(*at(v), e)
			return err
		})
	}}
}

// appendText appends a string in JSON.
func appendText(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return appendOdd(to, s)
		}
	}
	to = append(to, '"')
	to = append(to, s...)
	return append(to, '"')
}

// appendOdd appends a string that needs more than quotes.
func appendOdd(to []byte, s string) []byte {
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // which takes every string
	return append(to, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// A decoder takes a line of JSON apart. Of what is passed over it checks nothing but
// where it ends.
type decoder struct {
	b []byte
	i int
}

func (d *decoder) wrong() error { return fmt.Errorf("no JSON at byte %d", d.i+1) }

// space takes white space.
func (d *decoder) space() {
	for d.i < len(d.b) && (d.b[d.i] == ' ' || d.b[d.i] == '\t' || d.b[d.i] == '\r' || d.b[d.i] == '\n') {
		d.i++
	}
}

// take takes a byte behind white space, if that is the next one.
func (d *decoder) take(c byte) bool {
	d.space()
	if d.i < len(d.b) && d.b[d.i] == c {
		d.i++
		return true
	}
	return false
}

// done reports whether nothing is left.
func (d *decoder) done() bool {
	d.space()
	return d.i == len(d.b)
}

// null takes null, if that is next.
func (d *decoder) null() bool {
	if d.take('n') {
		if len(d.b)-d.i >= 3 && string(d.b[d.i:d.i+3]) == "ull" {
			d.i += 3
			return true
		}
		d.i--
	}
	return false
}

// object calls visit with the name of each member; visit takes the value.
func (d *decoder) object(visit func(name []byte) error) error {
	if !d.take('{') {
		return d.wrong()
	}
	if d.take('}') {
		return nil
	}
	for {
		name, err := d.quoted()
		if err != nil {
			return err
		}
		if !d.take(':') {
			return d.wrong()
		}
		if err := visit(name[1 : len(name)-1]); err != nil {
			return err
		}
		if d.take(',') {
			continue
		}
		if d.take('}') {
			return nil
		}
		return d.wrong()
	}
}

// array calls visit for each element, which visit takes.
func (d *decoder) array(visit func() error) error {
	if !d.take('[') {
		return d.wrong()
	}
	if d.take(']') {
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		if d.take(',') {
			continue
		}
		if d.take(']') {
			return nil
		}
		return d.wrong()
	}
}

// quoted takes a string as it is written, with its quotes.
func (d *decoder) quoted() ([]byte, error) {
	if !d.take('"') {
		return nil, d.wrong()
	}
	start := d.i - 1
	for ; d.i < len(d.b); d.i++ {
		switch d.b[d.i] {
		case '\\':
			d.i++
		case '"':
			d.i++
			return d.b[start:d.i], nil
		}
	}
	return nil, d.wrong()
}

// scalar takes a number, true, false or null as it is written.
func (d *decoder) scalar() ([]byte, error) {
	d.space()
	start := d.i
	for ; d.i < len(d.b); d.i++ {
		if c := d.b[d.i]; !(c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c >= 'a' && c <= 'z' || c == 'E') {
			break
		}
	}
	if d.i == start || d.b[start] == '+' {
		return nil, errors.New("neither a number nor a truth value")
	}
	return d.b[start:d.i], nil
}

// number takes a whole number; false is null.
func (d *decoder) number() (int64, bool, error) {
	text, err := d.scalar()
	if err != nil || string(text) == "null" {
		return 0, false, err
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("%.40q is no whole number of 64 bits", text)
	}
	return n, true, nil
}

// truth takes a truth value; unknown is null.
func (d *decoder) truth() (linger.Opt[bool], error) {
	word, err := d.scalar()
	switch {
	case err != nil:
		return linger.Opt[bool]{}, err
	case string(word) == "true":
		return linger.Known(true), nil
	case string(word) == "false":
		return linger.Known(false), nil
	case string(word) == "null":
		return linger.Opt[bool]{}, nil
	}
	return linger.Opt[bool]{}, fmt.Errorf("%.40q is neither true nor false", word)
}

// text takes a string; false is null.
func (d *decoder) text() (string, bool, error) {
	if d.null() {
		return "", false, nil
	}
	b, err := d.quoted()
	if err != nil {
		return "", false, err
	}
	for _, c := range b[1 : len(b)-1] {
		if c < ' ' || c >= 0x7f || c == '\\' {
			var s string
			err := json.Unmarshal(b, &s)
			return s, err == nil, err
		}
	}
	return string(b[1 : len(b)-1]), true, nil
}

// skip takes a value of any kind.
func (d *decoder) skip() error {
	for depth := 0; ; {
		switch {
		case d.take('{'), d.take('['):
			depth++
			continue
		case d.take('}'), d.take(']'):
			depth--
		case d.take(','), d.take(':'):
			if depth == 0 {
				return d.wrong()
			}
			continue
		case d.take('"'):
			d.i--
			if _, err := d.quoted(); err != nil {
				return err
			}
		default:
			if _, err := d.scalar(); err != nil {
				return d.wrong()
			}
		}
		if depth < 0 {
			return d.wrong()
		}
		if depth == 0 {
			return nil
		}
	}
}
