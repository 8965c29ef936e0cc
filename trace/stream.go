package trace

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"linger"
)

// A Stream is what all records of a stream have in common.
type Stream struct {
	// Engine and Provenance are as in a Trace.
	Engine     string     `json:"engine"`
	Provenance Provenance `json:"provenance"`
	// Began is the wall clock at Instant 0.
	Began time.Time `json:"began,omitzero"`
	// At is on whose host the packets were seen; Nobody is in between, or not known.
	At Peer `json:"at,omitempty"`
	// Files are what was read, in the order in which Frames count them.
	Files []string `json:"files,omitempty"`
}

// A StreamHeader is the first line of a file of records.
type StreamHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Source
	Stream
}

// A Record is a connection or an exchange; the other one is nil.
type Record struct {
	Connection *Connection `json:"connection,omitempty"`
	Exchange   *Exchange   `json:"exchange,omitempty"`
}

// A StreamEnd is what is known when a recording has ended.
type StreamEnd struct {
	// Connections and Exchanges are how many records there are.
	Connections int64 `json:"connections"`
	Exchanges   int64 `json:"exchanges"`
	// Ended is when the recording did. What a record says is StillOpen was open then.
	Ended linger.Instant `json:"ended_us"`
	// Lost counts the records that the recorder dropped rather than wait for the file.
	Lost int64 `json:"lost,omitempty"`
	// Interrupted says that not all was read of what there was to read.
	Interrupted bool `json:"interrupted,omitempty"`
}

// ErrCutOff is of a stream whose end is missing, as that of a program that was killed.
// The records before it are whole.
var ErrCutOff = errors.New("it is cut off")

// A StreamWriter writes a file of records: NewStreamWriter, then WriteConnection and
// WriteExchange for each when it has ended, in any order, then Close. It holds none of
// them. It is for one goroutine, and waits for what is below; who must not wait puts a
// bounded queue in front and counts in StreamEnd.Lost what did not fit.
type StreamWriter struct {
	lines
	end    StreamEnd
	record []byte // the one that was written last
}

// NewStreamWriter writes the first line to w, where it can be read at once. The kind of
// the source need not be set.
func NewStreamWriter(w io.Writer, from Source, s Stream) (*StreamWriter, error) {
	// Records are much alike: the fastest level makes them a sixth larger than the
	// usual one, in a tenth of the time.
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	out := &StreamWriter{lines: newLines(z)}
	from.Kind = KindStream
	return out, errors.Join(out.json.Encode(StreamHeader{fileFormat, FileVersion, from, s}), out.Flush())
}

// WriteConnection adds a connection. One that no reader would take is refused, and is
// not written.
func (w *StreamWriter) WriteConnection(c *Connection) error {
	if err := c.check(ofStream); err != nil {
		return fmt.Errorf("connection %d: %w", c.ID, err)
	}
	w.end.Connections++
	return w.line(write(append(w.record[:0], `{"connection":`...), c, tables().connection))
}

// WriteExchange adds an exchange, as WriteConnection does a connection.
func (w *StreamWriter) WriteExchange(e *Exchange) error {
	if err := e.check(ofStream); err != nil {
		return fmt.Errorf("exchange %d: %w", e.ID, err)
	}
	w.end.Exchanges++
	return w.line(write(append(w.record[:0], `{"exchange":`...), e, tables().exchange))
}

// line writes a record, and keeps its bytes for the next one.
func (w *StreamWriter) line(record []byte) error {
	w.record = append(record, '}', '\n')
	_, err := w.zip.Write(w.record)
	return err
}

// Flush passes on what was written so far, so that it can be read if nothing follows.
// Without it some 200 records wait for their block to be full. A block that ends early
// costs a few bytes; once a second is little.
func (w *StreamWriter) Flush() error { return w.zip.Flush() }

// Close writes the end, whose counts need not be set. It does not close what is below.
func (w *StreamWriter) Close(end StreamEnd) error {
	end.Connections, end.Exchanges = w.end.Connections, w.end.Exchanges
	return errors.Join(end.check(), w.json.Encode(struct {
		End StreamEnd `json:"end"`
	}{end}), w.zip.Close())
}

// A StreamReader reads a file of records: Records, then End. It holds one of them.
type StreamReader struct {
	Header StreamHeader
	// End is known when Records has come to its end without an error. Until then, and
	// with one, it counts what there was so far.
	End  StreamEnd
	file *File
}

// Stream reads the header of a file of records.
func (f *File) Stream() (*StreamReader, error) {
	if f.Kind != KindStream || f.version == 1 {
		return nil, errors.New("it holds trials, and no stream of records; linger report reads it")
	}
	in := &StreamReader{file: f}
	if err := json.Unmarshal(f.first, &in.Header); err != nil {
		return nil, fmt.Errorf("its first line cannot be read: %w", err)
	}
	return in, nil
}

// Records returns the records in the order in which they were written, once. Each is
// within bounds; what is not checked is whether connections have numbers of their own,
// and whether each exchange's connection has a record, before it or behind: that would
// take memory for all of them. Lines of a kind that a later version added are passed over.
//
// An error comes last. That of a file without its end is ErrCutOff.
func (r *StreamReader) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for {
			one, err := r.next()
			if err == io.EOF {
				return
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

// next returns the next record, and io.EOF behind the last one.
func (r *StreamReader) next() (Record, error) {
	for {
		b, err := r.file.line(maxRecord)
		switch {
		case errors.Is(err, errLong):
			return Record{}, r.wrong(err)
		case isCut(err):
			return Record{}, fmt.Errorf("%w %s", ErrCutOff, r.after())
		case err != nil:
			return Record{}, fmt.Errorf("it is broken %s: %w", r.after(), err)
		}
		one, end, err := recordOf(b)
		switch {
		case err != nil:
			return Record{}, r.wrong(err)
		case end != nil:
			return Record{}, r.close(*end)
		case one.Connection != nil:
			r.End.Connections++
			return one, nil
		case one.Exchange != nil:
			r.End.Exchanges++
			return one, nil
		}
	}
}

// recordOf reads a line: a record, the end, or nothing that is known here.
func recordOf(b []byte) (one Record, end *StreamEnd, err error) {
	d := decoder{b: b}
	err = d.object(func(name []byte) error {
		switch string(name) {
		case "connection":
			one.Connection = &Connection{}
			return read(&d, one.Connection, tables().connection)
		case "exchange":
			one.Exchange = &Exchange{Connection: -1} // unless it says otherwise
			return read(&d, one.Exchange, tables().exchange)
		case "end":
			end = &StreamEnd{}
			return read(&d, end, tables().end)
		}
		return d.skip()
	})
	if err == nil && !d.done() {
		err = d.wrong()
	}
	switch {
	case err != nil:
	case one.Connection != nil && one.Exchange == nil && end == nil:
		err = one.Connection.check(ofStream)
	case one.Exchange != nil && one.Connection == nil && end == nil:
		err = one.Exchange.check(ofStream)
	case end != nil && one == (Record{}):
		err = end.check()
	case end != nil || one != (Record{}):
		err = errors.New("it is more than one record")
	}
	return one, end, err
}

// close holds the end against what came before it.
func (r *StreamReader) close(end StreamEnd) error {
	if end.Connections != r.End.Connections || end.Exchanges != r.End.Exchanges {
		return fmt.Errorf("it ends %s, and says that there are %d and %d", r.after(), end.Connections, end.Exchanges)
	}
	switch err := r.file.ended(); {
	case err == io.EOF:
		r.End = end
		return err
	case err == errBehind:
		return err
	case isCut(err): // within the checksum
		return fmt.Errorf("%w %s", ErrCutOff, r.after())
	default:
		return fmt.Errorf("it is broken %s: %w", r.after(), err)
	}
}

// after says how far it was read.
func (r *StreamReader) after() string {
	return fmt.Sprintf("after %d connections and %d exchanges", r.End.Connections, r.End.Exchanges)
}

// wrong is the error of a line, the next one after what was read.
func (r *StreamReader) wrong(err error) error {
	return fmt.Errorf("the line %s is wrong: %w", r.after(), err)
}

// Stream is what the records of a trace have in common.
func (t *Trace) Stream() Stream {
	return Stream{Engine: t.Engine, Provenance: t.Provenance, Began: t.Began}
}

// Records returns what a trace holds as a stream would have it: in the order in which
// exchanges and connections ended, with the number that each exchange was on its
// connection. Connections of which nobody knows when they ended come last.
func (t *Trace) Records() iter.Seq[Record] {
	type ended struct {
		at linger.Instant
		Record
	}
	all := make([]ended, 0, len(t.Connections)+len(t.Exchanges))
	for _, x := range t.numbered() {
		all = append(all, ended{x.Done.Or(max(x.Queued, x.Sent.Or(x.Queued), x.FirstByte.Or(x.Queued))), Record{Exchange: &x}})
	}
	for _, c := range t.Connections {
		all = append(all, ended{c.Closed.Or(linger.Never), Record{Connection: &c}})
	}
	// What ends at once ends as it stands there: exchanges before their connection.
	slices.SortStableFunc(all, func(a, b ended) int { return cmp.Compare(a.at, b.at) })
	return func(yield func(Record) bool) {
		for _, one := range all {
			if !yield(one.Record) {
				return
			}
		}
	}
}

// numbered returns the exchanges in the order of the trace; those that were sent on a
// connection have their number on it.
func (t *Trace) numbered() []Exchange {
	out := slices.Clone(t.Exchanges)
	order := make([]*Exchange, len(out))
	for i := range out {
		order[i] = &out[i]
	}
	slices.SortStableFunc(order, func(a, b *Exchange) int { return cmp.Compare(a.Sent.Or(a.Queued), b.Sent.Or(b.Queued)) })
	sent := map[int64]int{}
	for _, x := range order {
		if x.Connection >= 0 && x.Number == 0 {
			sent[x.Connection]++
			x.Number = sent[x.Connection]
		}
	}
	return out
}
