package zeek

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxRow bounds a line of a log, in bytes.
const maxRow = 1 << 20

// A row is one line: its fields by name. What is unset is not there; what is empty is.
type row struct {
	path   string   // of the log, as it says itself
	head   *head    // of a text
	values []string // of a text, as they stand there: many rows wait for others
	json   map[string]json.RawMessage
}

// text is a field, and whether it is set.
func (r *row) text(name string) (string, bool) {
	if r.head != nil {
		i, ok := r.head.columns[name]
		if !ok || i >= len(r.values) {
			return "", false
		}
		switch s := r.values[i]; s {
		case r.head.unset:
			return "", false
		case r.head.empty:
			return "", true
		default:
			return unescape(s), true
		}
	}
	raw, ok := r.json[name]
	if !ok || bytes.Equal(raw, []byte("null")) {
		return "", false
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	return string(raw), true
}

// list is a set or a vector.
func (r *row) list(name string) []string {
	if r.head == nil {
		var out []string
		_ = json.Unmarshal(r.json[name], &out) // what is none has no elements
		return out
	}
	s, ok := r.text(name)
	if !ok || s == "" {
		return nil
	}
	return strings.Split(s, r.head.set)
}

// has reports whether there is a field of that name, set or not.
func (r *row) has(name string) bool {
	_, ok := r.text(name)
	return ok
}

// count is a number that is none less than nothing.
func (r *row) count(name string) (int64, bool) {
	s, ok := r.text(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && n <= 1<<50
}

// is reports whether a truth value is set and true: T in a text, true in JSON.
func (r *row) is(name string) bool {
	s, _ := r.text(name)
	return s == "T" || s == "true"
}

// farthest bounds instants, so that none overflows: the year 2200.
const farthest = 7258118400

// instant is a time: seconds since 1970, or in JSON as ISO 8601 has it.
func (r *row) instant(name string) (time.Time, bool) {
	s, ok := r.text(name)
	if !ok {
		return time.Time{}, false
	}
	if whole, fraction, found := strings.Cut(s, "."); found || strings.Trim(s, "0123456789") == "" {
		// As text, for a float64 has no more than half a microsecond.
		sec, err := strconv.ParseInt(whole, 10, 64)
		if len(fraction) > 9 {
			fraction = fraction[:9]
		}
		ns, err2 := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if err == nil && err2 == nil && sec >= 0 && sec < farthest && ns >= 0 {
			return time.Unix(sec, ns).UTC(), true
		}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil && f >= 0 && f < farthest {
		return time.UnixMicro(int64(math.Round(f * 1e6))).UTC(), true
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil && t.Unix() >= 0 && t.Unix() < farthest
}

// interval is a span of time, in seconds.
func (r *row) interval(name string) (time.Duration, bool) {
	s, ok := r.text(name)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0) || f > farthest {
		return 0, false
	}
	return time.Duration(math.Round(f * 1e9)), true
}

// A reader reads the rows of one file, in whichever form each is. Heads may stand anywhere, as in
// files that were put together.
type reader struct {
	lines  *bufio.Reader
	number int // of the line
	head   *head
}

// A head is what the lines say that begin with #.
type head struct {
	separator, set, empty, unset, path string
	columns                            map[string]int // by name; nil before #fields
}

// whole is a head with what Zeek writes where nothing else is said.
func whole() *head { return &head{separator: "\t", set: ",", empty: "(empty)", unset: "-"} }

func newReader(r io.Reader) *reader {
	return &reader{lines: bufio.NewReaderSize(r, 64<<10), head: whole()}
}

var errLong = errors.New("is longer than 1 MB")

// next is the next row; io.EOF is behind the last one.
func (r *reader) next() (*row, error) {
	for {
		line, err := r.line()
		if err != nil {
			return nil, err
		}
		switch {
		case len(line) == 0:
		case line[0] == '#':
			r.heading(string(line))
		case line[0] == '{':
			one := &row{}
			if err := json.Unmarshal(line, &one.json); err != nil {
				return nil, fmt.Errorf("line %d is no JSON: %w", r.number, err)
			}
			if ids, ok := one.json["id"]; ok && len(ids) > 0 && ids[0] == '{' {
				var parts map[string]json.RawMessage
				_ = json.Unmarshal(ids, &parts)
				for name, value := range parts {
					one.json["id."+name] = value
				}
			}
			one.path, _ = one.text("_path")
			return one, nil
		case r.head.columns == nil:
			return nil, fmt.Errorf("line %d has no #fields before it", r.number)
		default:
			return r.columns(string(line)), nil
		}
	}
}

// line is the next line without its end, which the last one may lack.
func (r *reader) line() ([]byte, error) {
	var out []byte
	for {
		part, err := r.lines.ReadSlice('\n')
		if len(out)+len(part) > maxRow {
			return nil, fmt.Errorf("line %d %w", r.number+1, errLong)
		}
		out = append(out, part...)
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err != nil && (err != io.EOF || len(out) == 0):
			return nil, err
		}
		r.number++
		return bytes.TrimRight(out, "\r\n"), nil
	}
}

// heading takes in a line of the head. A separator is escaped: "#separator \x09".
func (r *reader) heading(line string) {
	if rest, ok := strings.CutPrefix(line, "#separator "); ok {
		r.head = whole()
		if s := unescape(rest); s != "" {
			r.head.separator = s
		}
		return
	}
	next := *r.head // rows that came before keep theirs
	r.head = &next
	name, rest, _ := strings.Cut(line, next.separator)
	switch name {
	case "#set_separator":
		next.set = rest
	case "#empty_field":
		next.empty = rest
	case "#unset_field":
		next.unset = rest
	case "#path":
		next.path = rest
	case "#fields":
		next.columns = map[string]int{}
		for i, column := range strings.Split(rest, next.separator) {
			next.columns[column] = i
		}
	}
}

// columns is a line by its columns.
func (r *reader) columns(line string) *row {
	n := strings.Count(line, r.head.separator) + 1 // SplitN makes room for as many as it is told
	return &row{path: r.head.path, head: r.head, values: strings.SplitN(line, r.head.separator, min(n, maxColumns))}
}

// maxColumns bounds the columns of a row; logs of Zeek have some thirty.
const maxColumns = 1024

// unescape undoes \xNN, which Zeek writes for what is not printable, and for separators.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			if b, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				out.WriteByte(byte(b))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
