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

// Bounds of what a writer holds, in rows. A group of them is written when it is full: larger ones
// take more memory, smaller ones are slower to read.
const (
	groupRows = 1 << 15
	batchRows = 1 << 10
)

// A Writer writes rows: NewWriter, Begin, then each row when it is known, then Close. It holds a
// group of them. It is for one goroutine. The first error stays, and Close returns it.
type Writer struct {
	out    *parquet.GenericWriter[any]
	stream trace.Stream
	// columns are the values of a batch, by column. Most groups of columns are absent in most rows:
	// of each that stands at the top, absent counts the rows of which that has still to be said.
	columns [][]parquet.Value
	absent  []int
	batch   int
	group   int // rows
	row     Row
	err     error
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer {
	s := theSchema()
	return &Writer{
		out:     parquet.NewGenericWriter[any](w, fileSchema(), parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}), parquet.CreatedBy("linger", "", "")),
		columns: make([][]parquet.Value, len(s.leaves)), absent: make([]int, len(s.root)),
	}
}

// Begin says what all rows have in common.
func (w *Writer) Begin(s trace.Stream) { w.stream = s }

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
	if w.stream.Began.IsZero() {
		return linger.Opt[time.Time]{}
	}
	return linger.Known(w.stream.Began.Add(time.Duration(t)))
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
	w.row = r
	of := reflect.ValueOf(&w.row).Elem()
	for i, n := range theSchema().root {
		v := of.Field(n.index)
		if n.maybe == pointer && v.IsNil() {
			w.absent[i]++
			continue
		}
		w.missing(i)
		n.put(w.columns, v, 0, 0)
	}
	if w.batch++; w.batch == batchRows {
		w.flush()
	}
	return w.err
}

// missing says of a group at the top that it was absent in the rows before.
func (w *Writer) missing(i int) {
	if w.absent[i] == 0 {
		return
	}
	s := theSchema()
	to := len(s.leaves)
	if i+1 < len(s.root) {
		to = s.root[i+1].column
	}
	for c := s.root[i].column; c < to; c++ {
		none := s.leaves[c].nulls[0]
		for range w.absent[i] {
			w.columns[c] = append(w.columns[c], none)
		}
	}
	w.absent[i] = 0
}

// flush hands the batch to the library, and a group of rows to the file when it is full.
func (w *Writer) flush() {
	for i := range w.absent {
		w.missing(i)
	}
	for i, column := range w.out.ColumnWriters() {
		if _, err := column.WriteRowValues(w.columns[i]); err != nil && w.err == nil {
			w.err = err
		}
		clear(w.columns[i])
		w.columns[i] = w.columns[i][:0]
	}
	w.group, w.batch = w.group+w.batch, 0
	if w.group >= groupRows && w.err == nil {
		w.group, w.err = 0, w.out.Flush()
	}
}

// put appends the values of a node to its columns: v is the field's value, and def and rep are the
// levels of what it is in.
func (n *node) put(to [][]parquet.Value, v reflect.Value, def, rep int) {
	switch {
	case n.maybe == pointer:
		if v.IsNil() {
			n.none(to, def, rep)
			return
		}
		v = v.Elem()
	case n.maybe == opt:
		value, known := v.Addr().Interface().(reflected).Reflect(false)
		if !known {
			n.none(to, def, rep)
			return
		}
		v = reflect.ValueOf(value).Elem()
	case n.list && v.Len() > 0:
		for i := range v.Len() {
			n.value(to, v.Index(i), rep)
			rep = n.rep
		}
		return
	case n.list || n.optional && v.IsZero():
		n.none(to, def, rep)
		return
	}
	n.value(to, v, rep)
}

// value appends a value that is there.
func (n *node) value(to [][]parquet.Value, v reflect.Value, rep int) {
	if n.children == nil {
		to[n.column] = append(to[n.column], valueOf(v).Level(rep, n.def, n.column))
		return
	}
	for _, child := range n.children {
		child.put(to, v.Field(child.index), n.def, rep)
	}
}

// none appends that there is no value.
func (n *node) none(to [][]parquet.Value, def, rep int) {
	switch {
	case n.children == nil && rep == 0:
		to[n.column] = append(to[n.column], n.nulls[def])
	case n.children == nil:
		to[n.column] = append(to[n.column], parquet.Value{}.Level(rep, def, n.column))
	}
	for _, child := range n.children {
		child.none(to, def, rep)
	}
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
	if w.batch > 0 && w.err == nil {
		w.flush()
	}
	end.Format = Format
	files := end.Files
	end.Stream, end.Files = w.stream, files
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
