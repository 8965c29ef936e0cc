package records

import (
	"encoding/json"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"linger"
	"linger/audit"
	"linger/finding"
	"linger/trace"
)

// Bounds of what a writer holds. A group of rows is written when it is full: larger ones take more
// memory, smaller ones are slower to read.
const (
	groupRows = 1 << 15
	batchRows = 1 << 7
)

// A Writer writes rows: NewWriter, Begin, then each row when it is known, then Close. It holds a
// group of them. It is for one goroutine. The first error stays, and Close returns it.
type Writer struct {
	out     *parquet.Writer
	began   time.Time
	meta    Recording
	rows    []parquet.Row
	scratch Row
	err     error
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{
		out: parquet.NewWriter(w, fileSchema(), parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}), parquet.MaxRowsPerRowGroup(groupRows), parquet.CreatedBy("linger", "", "")),
	}
}

// Begin says what all rows have in common.
func (w *Writer) Begin(s trace.Stream) { w.meta.Stream, w.began = s, s.Began }

// WriteConnection writes a connection.
func (w *Writer) WriteConnection(c *trace.Connection) error {
	return w.write(Row{Record: OfConnection, At: w.at(c.Dialled), Connection: c})
}

// WriteExchange writes an exchange: its URLs without their queries, which may hold secrets.
func (w *Writer) WriteExchange(e *trace.Exchange) error {
	one := *e
	for _, url := range []*string{&one.URL, &one.Redirect, &one.Initiator, &one.Referer} {
		*url = bare(*url)
	}
	return w.write(Row{Record: OfExchange, At: w.at(e.Sent.Or(e.Queued)), Exchange: &one})
}

// WriteTurn writes an instant of a connection.
func (w *Writer) WriteTurn(connection int64, at linger.Instant, client, server netip.Addr) error {
	return w.write(Row{Record: OfTurn, At: w.at(at), Turn: &Turn{connection, at, client.String(), server.String()}})
}

// WriteCause writes why a connection was opened.
func (w *Writer) WriteCause(r audit.Row) error {
	c := CauseOf(r)
	return w.write(Row{Record: OfCause, At: w.at(r.Opened), Cause: &c})
}

// WriteFinding writes a finding with its sentence.
func (w *Writer) WriteFinding(f finding.Finding, text string) error {
	whole, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return w.write(Row{Record: OfFinding, Finding: &Finding{
		Code: f.Code, Severity: f.Severity, SubjectKind: f.Subject.Kind, Subject: f.Subject.Name, SubjectOf: f.Subject.Of, Cause: f.Cause, Price: f.Price, Text: text, JSON: string(whole),
	}})
}

// at is the wall clock at an instant.
func (w *Writer) at(t linger.Instant) linger.Opt[time.Time] {
	if w.began.IsZero() {
		return linger.Opt[time.Time]{}
	}
	return linger.Known(w.began.Add(time.Duration(t)))
}

// bare is a URL without query, fragment, user and password.
func bare(url string) string {
	if i := strings.IndexAny(url, "?#"); i >= 0 && !strings.HasPrefix(url, linger.SchemeDNS+":") { // what is asked stands there
		url = url[:i]
	}
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		return scheme + "://" + strings.TrimSuffix(host[i+1:]+"/"+path, "/")
	}
	return url
}

func (w *Writer) write(r Row) error {
	if w.err != nil {
		return w.err
	}
	w.scratch = r
	n := len(w.rows)
	if n < cap(w.rows) {
		w.rows = w.rows[:n+1]
	} else {
		w.rows = append(w.rows, make(parquet.Row, 0, len(theSchema().leaves)))
	}
	row := w.rows[n][:0]
	of := reflect.ValueOf(&w.scratch).Elem()
	for _, f := range theSchema().root {
		row = f.put(row, of.Field(f.index), 0, 0)
	}
	if w.rows[n] = row; len(w.rows) == batchRows {
		w.flush()
	}
	return w.err
}

func (w *Writer) flush() {
	if _, err := w.out.WriteRows(w.rows); w.err == nil {
		w.err = err
	}
	w.rows = w.rows[:0]
}

// put appends the values of the columns of a node, in their order: v is the field's value, and def
// and rep are the levels of what it is in.
func (n *node) put(row parquet.Row, v reflect.Value, def, rep int) parquet.Row {
	switch n.maybe {
	case pointer:
		if v.IsNil() {
			return n.none(row, def, rep)
		}
		v = v.Elem()
	case opt:
		value, known := v.Addr().Interface().(reflected).Reflect(false)
		if !known {
			return n.none(row, def, rep)
		}
		v = reflect.ValueOf(value).Elem()
	default:
		if n.list {
			return n.each(row, v, def, rep)
		}
		if n.optional && v.IsZero() {
			return n.none(row, def, rep)
		}
	}
	return n.value(row, v, rep)
}

// value appends a value that is there.
func (n *node) value(row parquet.Row, v reflect.Value, rep int) parquet.Row {
	for _, child := range n.children {
		row = child.put(row, v.Field(child.index), n.def, rep)
	}
	if n.children != nil {
		return row
	}
	return append(row, valueOf(v).Level(rep, n.def, n.column))
}

// each appends the values of a list, column by column.
func (n *node) each(row parquet.Row, v reflect.Value, def, rep int) parquet.Row {
	if v.Len() == 0 {
		return n.none(row, def, rep)
	}
	fields := n.children
	if fields == nil {
		fields = []*node{n}
	}
	for _, f := range fields {
		again := rep
		for i := range v.Len() {
			if f == n {
				row = append(row, valueOf(v.Index(i)).Level(again, n.def, n.column))
			} else {
				row = f.put(row, v.Index(i).Field(f.index), n.def, again)
			}
			again = n.rep
		}
	}
	return row
}

// none appends what says that there is no value, for each column.
func (n *node) none(row parquet.Row, def, rep int) parquet.Row {
	for _, child := range n.children {
		row = child.none(row, def, rep)
	}
	if n.children != nil {
		return row
	}
	return append(row, parquet.Value{}.Level(rep, def, n.column))
}

func valueOf(v reflect.Value) parquet.Value {
	switch v.Kind() {
	case reflect.String:
		return parquet.ByteArrayValue([]byte(strings.ToValidUTF8(v.String(), "\ufffd")))
	case reflect.Bool:
		return parquet.BooleanValue(v.Bool())
	case reflect.Float64:
		return parquet.DoubleValue(v.Float())
	case reflect.Struct:
		return parquet.Int64Value(v.Interface().(time.Time).UnixNano())
	}
	return parquet.Int64Value(v.Int())
}

// Close writes what is left, and what is known at the end. What Begin has said need not be in it.
func (w *Writer) Close(end Recording) error {
	if len(w.rows) > 0 {
		w.flush()
	}
	end.Format = Format
	files := end.Files
	end.Stream = w.meta.Stream
	end.Files = files
	text, err := json.Marshal(end)
	if w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return w.err
	}
	w.out.SetKeyValueMetadata("linger", string(text))
	return w.out.Close()
}
