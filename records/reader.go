package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Bounds on what a file may say of itself.
const (
	mostColumns = 2000
	mostFooter  = 256 << 20
	mostList    = 1 << 16
)

// A Reader reads the rows of a file: Open, then Read.
type Reader struct {
	// Recording is what all rows have in common.
	Recording Recording
	file      *parquet.File
	places    []int // of the file's columns, in ours; -1 is one that is not known here
	unchecked bool  // rows may be such as no recording has
}

// Open reads what a file says of itself.
func Open(from io.ReaderAt, size int64) (r *Reader, err error) {
	defer recovered(&err)
	if err := bounded(from, size); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(from, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("it cannot be read as Parquet: %w", err)
	}
	r = &Reader{file: file}
	text, ok := file.Lookup("linger")
	if !ok {
		return nil, errors.New("it is Parquet, but not of linger: -o FILE.parquet of inspect writes what can be read")
	}
	if err := json.Unmarshal([]byte(text), &r.Recording); err != nil {
		return nil, fmt.Errorf("what it says of itself is wrong: %w", err)
	}
	if r.Recording.Format != Format {
		return nil, fmt.Errorf("it is of the form %.40q, and this program reads %q", r.Recording.Format, Format)
	}
	return r, r.match()
}

// bounded reports a footer that is larger than any that is written here: the file's last bytes are
// its length and the magic.
func bounded(from io.ReaderAt, size int64) error {
	var tail [8]byte
	if size < 12 {
		return errors.New("it is cut off")
	}
	if _, err := from.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	if string(tail[4:]) != "PAR1" {
		return errors.New("it is cut off: a Parquet file ends by PAR1, and says before that what is where")
	}
	if n := int64(tail[0]) | int64(tail[1])<<8 | int64(tail[2])<<16 | int64(tail[3])<<24; n > min(size-12, mostFooter) {
		return fmt.Errorf("it says that its end is %d bytes long", n)
	}
	return nil
}

// match finds our columns in the file.
func (r *Reader) match() error {
	s, found := theSchema(), 0
	columns := r.file.Schema().Columns()
	if len(columns) > mostColumns {
		return fmt.Errorf("it has %d columns", len(columns))
	}
	for _, path := range columns {
		var words []string
		for i := 0; i < len(path); i++ {
			if path[i] == "list" && i+1 < len(path) && path[i+1] == "element" {
				i++
				continue
			}
			words = append(words, path[i])
		}
		name := strings.Join(words, ".")
		at, ok := s.names[name]
		if !ok {
			r.places = append(r.places, -1)
			continue
		}
		leaf, _ := r.file.Schema().Lookup(path...)
		n := s.leaves[at]
		if leaf.MaxDefinitionLevel != n.def || leaf.MaxRepetitionLevel != n.rep || leaf.Node.Type().Kind() != n.parquetKind() {
			return fmt.Errorf("its column %s is of another type", name)
		}
		r.places = append(r.places, at)
		found++
	}
	if found == 0 {
		return errors.New("it has no column that is known here")
	}
	return nil
}

func (n *node) parquetKind() parquet.Kind {
	switch typeOf(n) {
	case "text":
		return parquet.ByteArray
	case "truth":
		return parquet.Boolean
	case "number":
		return parquet.Double
	}
	return parquet.Int64
}

// Read hands on each row, in their order, until on returns an error, and returns that. A row and what
// is in it are of who is handed it.
func (r *Reader) Read(on func(*Row) error) (err error) {
	defer recovered(&err)
	n := 0
	for _, group := range r.file.RowGroups() {
		rows := group.Rows()
		buffer := make([]parquet.Row, 128)
		for {
			got, err := rows.ReadRows(buffer)
			for i := range got {
				n++
				row := &Row{}
				wrong := r.fill(row, buffer[i])
				if wrong == nil && !r.unchecked {
					wrong = row.check()
				}
				if wrong != nil {
					rows.Close()
					return fmt.Errorf("row %d is wrong: %w", n, wrong)
				}
				if err := on(row); err != nil {
					rows.Close()
					return stopped{err}
				}
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				rows.Close()
				return fmt.Errorf("it is broken after %d rows: %w", n, err)
			}
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return nil
}

// stopped is an error of who takes the rows.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

// check reports what no row can be.
func (r *Row) check() error {
	switch {
	case r.Record == OfConnection && r.Connection != nil:
		return r.Connection.Check()
	case r.Record == OfExchange && r.Exchange != nil:
		return r.Exchange.Check()
	case r.Record == OfConnection, r.Record == OfExchange, r.Record == OfTurn && r.Turn == nil:
		return fmt.Errorf("it is a %s, and has none", r.Record)
	}
	return nil
}

// fill puts the values of a row where they belong.
func (r *Reader) fill(to *Row, row parquet.Row) error {
	s, of := theSchema(), reflect.ValueOf(to).Elem()
	for i := 0; i < len(row); {
		column := row[i].Column()
		end := i + 1
		for end < len(row) && row[end].Column() == column {
			end++
		}
		values := row[i:end]
		i = end
		if column < 0 || column >= len(r.places) {
			return errors.New("it has a column too many")
		}
		if at := r.places[column]; at >= 0 {
			if err := put(of, s.paths[at], values); err != nil {
				return err
			}
		}
	}
	return nil
}

// put sets the field at the end of a path to the values of a column.
func put(v reflect.Value, path []*node, values []parquet.Value) error {
	first := values[0]
	for i, n := range path {
		f := v.Field(n.index)
		if n.optional {
			if first.DefinitionLevel() < n.def {
				return nil // there is none
			}
		}
		switch n.maybe {
		case pointer:
			if f.IsNil() {
				f.Set(reflect.New(n.typ))
			}
			f = f.Elem()
		case opt:
			value, _ := f.Addr().Interface().(reflected).Reflect(true)
			f = reflect.ValueOf(value).Elem()
		}
		if n.list {
			return several(f, path[i:], values)
		}
		v = f
	}
	if len(values) > 1 {
		return errors.New("a value stands twice")
	}
	return set(v, first)
}

// several sets a list, or a field of each of its elements.
func several(list reflect.Value, path []*node, values []parquet.Value) error {
	if len(values) > mostList {
		return errors.New("a list is too long")
	}
	if list.Len() == 0 {
		list.Set(reflect.MakeSlice(list.Type(), len(values), len(values)))
	}
	if list.Len() != len(values) {
		return errors.New("the columns of a list are not of one length")
	}
	for i, value := range values {
		var err error
		if len(path) == 1 {
			err = set(list.Index(i), value)
		} else {
			err = put(list.Index(i), path[1:], []parquet.Value{value})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func set(v reflect.Value, value parquet.Value) error {
	if value.IsNull() {
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(value.ByteArray()))
	case reflect.Bool:
		v.SetBool(value.Boolean())
	case reflect.Float64:
		v.SetFloat(value.Double())
	case reflect.Struct:
		v.Set(reflect.ValueOf(time.Unix(0, value.Int64()).UTC()))
	default:
		if v.OverflowInt(value.Int64()) {
			return errors.New("a number is out of bounds")
		}
		v.SetInt(value.Int64())
	}
	return nil
}

// recovered makes an error of a panic: what reads Parquet takes a file to be as it says.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("it is broken: %v", p)
	}
	if s, ok := (*err).(stopped); ok {
		*err = s.error
	}
}
