package trace

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"linger"
)

// Header is the first line of a file of trials: what they have in common.
type Header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Source
	Setup
}

// Entry is one trial: its trace, or why there is none.
type Entry struct {
	Strategy int `json:"strategy"` // index in Header.Strategies
	// ZeroRTT says that the path's delay was taken out.
	ZeroRTT bool   `json:"still,omitempty"`
	Failure string `json:"failure,omitempty"`
	// GivenUp is after how long a trial without a trace was given up; 0 is not known.
	GivenUp linger.Micros `json:"given_up_us,omitzero"`
	Trace   *Trace        `json:"trace,omitempty"`
}

// End is what is known when all trials have been written.
type End struct {
	Entries     int  `json:"entries"`
	Interrupted bool `json:"interrupted,omitempty"` // not every planned trial was run
}

// line is a line behind the first.
type line struct {
	*Entry
	End *End `json:"end,omitempty"`
}

// A Writer writes a file of trials: NewWriter, Write for each trial, Close.
type Writer struct {
	lines
	entries int
}

// NewWriter writes the header to w. Its Format and Version need not be set.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	out := &Writer{lines: newLines(gzip.NewWriter(w))}
	h.Format, h.Version = fileFormat, FileVersion
	return out, out.json.Encode(h)
}

// Write adds a trial.
func (w *Writer) Write(e Entry) error {
	w.entries++
	return w.json.Encode(line{Entry: &e})
}

// Close writes the end. It does not close what is below.
func (w *Writer) Close(interrupted bool) error {
	return errors.Join(w.json.Encode(line{End: &End{w.entries, interrupted}}), w.zip.Close())
}

// A Reader reads the trials of a file: Next until io.EOF, then End.
type Reader struct {
	Header Header
	End    End
	file   *File
	passed int   // entries so far
	held   int64 // bytes that their traces take
	// count is how many trials there were of each strategy, with delay and without.
	count [][2]int
	err   error
}

// Trials reads the header of a file of trials. What the Reader returns is within bounds:
// every index points at something, and no number is below what it can be.
func (f *File) Trials() (*Reader, error) {
	if f.Kind == KindStream {
		return nil, errors.New("it is a stream of connections as they were seen, and holds no trials to compare")
	}
	in := &Reader{file: f}
	if err := f.decode(f.first, &in.Header); err != nil {
		return nil, fmt.Errorf("its first line cannot be read: %w; write the file again", err)
	}
	if err := in.Header.check(); err != nil {
		return nil, fmt.Errorf("its first line is wrong: %w; write the file again", err)
	}
	in.count = make([][2]int, len(in.Header.Strategies))
	return in, nil
}

// Next returns the next trial, and io.EOF behind the last one.
func (r *Reader) Next() (Entry, error) {
	if r.err != nil {
		return Entry{}, r.err
	}
	e, err := r.next()
	r.err = err
	return e, err
}

func (r *Reader) next() (Entry, error) {
	number := r.passed + 2
	b, err := r.file.line(maxLine)
	switch {
	case errors.Is(err, errLong):
		return Entry{}, fmt.Errorf("line %d %w", number, err)
	case r.file.read > maxFile:
		return Entry{}, errLarge
	case err != nil:
		return Entry{}, broken(err, r.passed)
	}
	e := Entry{Strategy: -1}
	l := line{Entry: &e}
	if err := r.file.decode(b, &l); err != nil {
		return Entry{}, fmt.Errorf("line %d cannot be read: %w; write the file again", number, err)
	}
	if l.End != nil {
		if l.End.Entries != r.passed {
			return Entry{}, fmt.Errorf("it ends after %d trials and says that there are %d; write the file again", r.passed, l.End.Entries)
		}
		r.End = *l.End
		switch err := r.file.ended(); err {
		case io.EOF:
			return Entry{}, io.EOF
		case errBehind:
			return Entry{}, fmt.Errorf("%w; write the file again", err)
		default:
			return Entry{}, broken(err, r.passed)
		}
	}
	if err := r.check(e); err != nil {
		return Entry{}, fmt.Errorf("line %d is wrong: %w; write the file again", number, err)
	}
	if e.Trace != nil {
		if r.held += e.Trace.held(len(b)); r.held > maxHeld {
			return Entry{}, errLarge
		}
	}
	r.passed++
	return e, nil
}

var errLarge = errors.New("it holds more than a report is made of; write one with fewer --trials")

// broken says what a failure to read means, after so many trials.
func broken(err error, passed int) error {
	if isCut(err) {
		return fmt.Errorf("it is cut off after %d trials; write the file again", passed)
	}
	return fmt.Errorf("it is broken after %d trials: %w; write the file again", passed, err)
}
