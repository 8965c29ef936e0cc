package trace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A trace file is lines of JSON, compressed by gzip (RFC 1952). The first says what it
// is: a Header of trials, behind which an Entry stands for each, or a StreamHeader, behind
// which the records of a stream stand. The last says how many there were; without it the
// file was cut off. It is written and read one line at a time. docs/report.md describes it.

const (
	fileFormat = "linger-trace"
	// FileVersion is the version of the format that is written; those up to it are
	// read. What is added without a new version is ignored by an older reader.
	FileVersion = 2
)

// Kinds of trace files.
const (
	KindExperiment = "experiment" // trials of several strategies, as linger compare runs them
	KindFetch      = "fetch"      // one trial of one strategy, as linger get does; its workload may be unknown
	KindStream     = "stream"     // connections and exchanges, each recorded when it had ended
)

// A File is a trace file that is being read: Open, and by its Kind Trials or Stream.
type File struct {
	Kind string

	version int
	first   []byte // the first line
	lines   *bufio.Reader
	read    int64 // bytes so far
}

var errForeign = errors.New("it is no trace file; linger compare -o FILE.trace writes one")

// Open reads the first line of a trace file.
func Open(r io.Reader) (*File, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, errForeign
	}
	f := &File{lines: bufio.NewReaderSize(z, 64<<10)}
	return f, f.begin()
}

// begin reads the first line, of the file or of what stands behind the end of its first part.
func (f *File) begin() error {
	first, err := f.line(maxLine)
	switch {
	case errors.Is(err, errLong):
		return fmt.Errorf("line 1 %w", err)
	case err != nil:
		return broken(err, 0)
	}
	f.first = bytes.Clone(first)
	// The version first: the rest may be of a shape that only its writer knows.
	var mark struct {
		Format  string          `json:"format"`
		Version int             `json:"version"`
		Kind    json.RawMessage `json:"kind"`
	}
	if json.Unmarshal(f.first, &mark) != nil || mark.Format != fileFormat || mark.Version < 1 {
		return errForeign
	}
	if mark.Version > FileVersion {
		return fmt.Errorf("it is a trace file of version %d, and this linger reads up to %d; use the one that wrote it, or a later one", mark.Version, FileVersion)
	}
	f.version = mark.Version
	_ = json.Unmarshal(mark.Kind, &f.Kind) // what is no text is of no kind
	return nil
}

// decode reads a line of the file's version.
func (f *File) decode(b []byte, into any) error {
	if Items(b, maxItems) > maxItems {
		return fmt.Errorf("it lists more than %d things", maxItems)
	}
	if f.version == 1 {
		var err error
		if b, err = fromVersion1(b); err != nil {
			return err
		}
	}
	return json.Unmarshal(b, into)
}

// errLong is of a line that no trial and no record takes.
var errLong = errors.New("is longer than")

// line returns the next line, which has at most so many bytes. It is good until the
// next call.
func (f *File) line(most int) ([]byte, error) {
	var out []byte
	for {
		part, err := f.lines.ReadSlice('\n')
		f.read += int64(len(part))
		if len(out)+len(part) > most {
			return nil, fmt.Errorf("%w %d MB; is it a trace file?", errLong, most>>20)
		}
		if err == nil && out == nil {
			return part, nil
		}
		out = append(out, part...)
		if err != bufio.ErrBufferFull {
			return out, err
		}
	}
}

// ended returns io.EOF where nothing stands behind the last line, and what is wrong
// where something does.
func (f *File) ended() error {
	// The checksum stands behind the last line.
	_, err := f.lines.Peek(1)
	if err == nil {
		err = errBehind
	}
	return err
}

var errBehind = errors.New("something stands behind its end")

// isCut reports whether an error of reading is of a file that is not whole.
func isCut(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// lines are those of a trace file that is being written.
type lines struct {
	zip  *gzip.Writer
	json *json.Encoder
}

func newLines(z *gzip.Writer) lines {
	out := lines{z, json.NewEncoder(z)}
	out.json.SetEscapeHTML(false)
	return out
}
