package trace

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"linger"
)

// A trace file is lines of JSON, compressed by gzip (RFC 1952): a Header, an Entry
// for each trial, and an End, without which the file was cut off. It is written and
// read one line at a time. docs/report.md describes it.

const (
	fileFormat = "linger-trace"
	// FileVersion is the version of the format that is written; those up to it are
	// read. What is added without a new version is ignored by an older reader.
	FileVersion = 1
)

// Kinds of trace files.
const (
	KindExperiment = "experiment" // trials of several strategies, as linger compare runs them
	KindFetch      = "fetch"      // one trial of one strategy, as linger get does; its workload may be unknown
)

// Bounds of a trace file. They keep foreign bytes from asking for more than a
// machine holds: 100 trials of 7 strategies of a large page have some 200 MB.
const (
	maxLine       = 64 << 20 // bytes of one line
	maxFile       = 2 << 30  // bytes of all lines
	maxEntries    = 100_000
	maxStrategies = 1000
	maxItems      = 200_000 // connections, or exchanges, of one trace
	// longest is the farthest that an instant may be from the beginning of its run.
	longest = linger.Instant(366 * 24 * time.Hour)
)

// Header is the first line: what all trials of a file have in common.
type Header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Source
	Setup
}

// Entry is one trial: its trace, or why there is none.
type Entry struct {
	Strategy int `json:"strategy"` // index in Header.Strategies
	// Still says that the path's delay was taken out.
	Still   bool   `json:"still,omitempty"`
	Failure string `json:"failure,omitempty"`
	Trace   *Trace `json:"trace,omitempty"`
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

// A Writer writes a trace file: NewWriter, Write for each trial, Close.
type Writer struct {
	zip     *gzip.Writer
	json    *json.Encoder
	entries int
}

// NewWriter writes the header to w. Its Format and Version need not be set.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	z := gzip.NewWriter(w)
	out := &Writer{zip: z, json: json.NewEncoder(z)}
	out.json.SetEscapeHTML(false)
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

// A Reader reads a trace file: NewReader, then Next until io.EOF, then End.
type Reader struct {
	Header Header
	End    End
	lines  *bufio.Reader
	read   int64 // bytes so far
	passed int   // entries so far
	// count is how many trials there were of each strategy, with delay and without.
	count [][2]int
	err   error
}

// NewReader reads the header of a trace file. What it returns is within bounds:
// every index points at something, and no number is below what it can be.
func NewReader(r io.Reader) (*Reader, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, errors.New("it is no trace file; linger compare -o FILE.trace writes one")
	}
	in := &Reader{lines: bufio.NewReaderSize(z, 64<<10)}
	b, err := in.line()
	if err != nil {
		return nil, err
	}
	// The version first: the rest may be of a shape that only its writer knows.
	var mark struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if json.Unmarshal(b, &mark) != nil || mark.Format != fileFormat || mark.Version < 1 {
		return nil, errors.New("it is no trace file; linger compare -o FILE.trace writes one")
	}
	if mark.Version > FileVersion {
		return nil, fmt.Errorf("it is a trace file of version %d, and this linger reads up to %d; use the one that wrote it, or a later one", mark.Version, FileVersion)
	}
	if err := json.Unmarshal(b, &in.Header); err != nil {
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
	b, err := r.line()
	if err != nil {
		return Entry{}, err
	}
	e, number := Entry{Strategy: -1}, r.passed+2
	l := line{Entry: &e}
	if err := json.Unmarshal(b, &l); err != nil {
		return Entry{}, fmt.Errorf("line %d cannot be read: %w; write the file again", number, err)
	}
	if l.End != nil {
		if l.End.Entries != r.passed {
			return Entry{}, fmt.Errorf("it ends after %d trials and says that there are %d; write the file again", r.passed, l.End.Entries)
		}
		r.End = *l.End
		// The checksum stands behind the last line.
		switch _, err := r.lines.ReadByte(); err {
		case io.EOF:
			return Entry{}, io.EOF
		case nil:
			return Entry{}, errors.New("something stands behind its end; write the file again")
		default:
			return Entry{}, broken(err, r.passed)
		}
	}
	if err := r.check(e); err != nil {
		return Entry{}, fmt.Errorf("line %d is wrong: %w; write the file again", number, err)
	}
	r.passed++
	return e, nil
}

// line returns the next line, within bounds.
func (r *Reader) line() ([]byte, error) {
	var out []byte
	for {
		part, err := r.lines.ReadSlice('\n')
		r.read += int64(len(part))
		switch {
		case len(out)+len(part) > maxLine:
			return nil, fmt.Errorf("line %d is longer than %d MB, more than a trial takes; is it a trace file?", r.passed+1, maxLine>>20)
		case r.read > maxFile:
			return nil, fmt.Errorf("it holds more than %d GB; write one with fewer --trials", maxFile>>30)
		}
		out = append(out, part...)
		switch err {
		case nil:
			return out, nil
		case bufio.ErrBufferFull:
		default:
			return nil, broken(err, r.passed)
		}
	}
}

// broken says what a failure to read means, after so many trials.
func broken(err error, passed int) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it is cut off after %d trials; write the file again", passed)
	}
	return fmt.Errorf("it is broken after %d trials: %w; write the file again", passed, err)
}

func (h Header) check() error {
	switch {
	case h.Kind != KindExperiment && h.Kind != KindFetch:
		return fmt.Errorf("kind %q is neither %s nor %s", h.Kind, KindExperiment, KindFetch)
	case len(h.Strategies) == 0 || len(h.Strategies) > maxStrategies:
		return fmt.Errorf("%d strategies; there are 1 to %d", len(h.Strategies), maxStrategies)
	case h.Trials < 1 || h.Trials > maxEntries:
		return fmt.Errorf("%d trials; there are 1 to %d", h.Trials, maxEntries)
	case h.Kind == KindFetch && (len(h.Strategies) != 1 || h.Trials != 1):
		return errors.New("a fetch has one trial of one strategy")
	}
	seen := map[string]bool{}
	for _, s := range h.Strategies {
		if s.Name == "" || seen[s.Name] {
			return fmt.Errorf("strategy %q has no name, or stands twice", s.Name)
		}
		seen[s.Name] = true
		if s.Connections < 0 || s.InFlight < 0 || s.MaxRequests < 0 || s.IdleTimeout < 0 {
			return fmt.Errorf("strategy %q has less than no connections or requests", s.Name)
		}
	}
	if h.Kind == KindExperiment || len(h.Workload.Exchanges) > 0 {
		if err := h.Workload.Validate(); err != nil {
			return err
		}
	}
	return h.Network.Validate()
}

// check holds a trial against the header and its own bounds.
func (r *Reader) check(e Entry) error {
	if e.Strategy < 0 || e.Strategy >= len(r.count) {
		return fmt.Errorf("strategy %d of %d", e.Strategy+1, len(r.count))
	}
	if (e.Trace == nil) == (e.Failure == "") {
		return errors.New("a trial has either a trace or a failure")
	}
	still := 0
	if e.Still {
		still = 1
	}
	n := &r.count[e.Strategy][still]
	if *n++; still == 0 && *n > r.Header.Trials || r.passed >= maxEntries {
		return fmt.Errorf("more than %d trials of %s", *n-1, r.Header.Strategies[e.Strategy].Name)
	}
	if e.Trace == nil {
		return nil
	}
	return e.Trace.check()
}

// check reports what no trace can hold.
func (t *Trace) check() error {
	if len(t.Connections) > maxItems || len(t.Exchanges) > maxItems {
		return fmt.Errorf("%d connections and %d exchanges; a trace has at most %d of each", len(t.Connections), len(t.Exchanges), maxItems)
	}
	if t.Trial < 0 || t.Retries < 0 || t.Ended < 0 {
		return errors.New("a trial, its end or its retries are less than nothing")
	}
	if err := t.Network.Validate(); err != nil {
		return err
	}
	if !within(linger.Known(t.Ended)) {
		return fmt.Errorf("it lasts longer than %v", time.Duration(longest))
	}
	ids := map[int]bool{}
	for i, c := range t.Connections {
		if ids[c.ID] {
			return fmt.Errorf("connection %d stands twice", c.ID)
		}
		ids[c.ID] = true
		if !within(linger.Known(c.Dialled), c.Established, c.Connected, c.Secured, c.Closed) {
			return fmt.Errorf("an instant of connection %d is out of bounds", i+1)
		}
		s, q := c.TLS.Or(TLS{}), c.QUIC.Or(QUIC{})
		if c.Requests < 0 || s.Up < 0 || s.Down < 0 || s.Certificates < 0 || q.Lost < 0 || q.RTT < 0 || c.IdleLimit.Or(0) < 0 {
			return fmt.Errorf("a count of connection %d is less than nothing", i+1)
		}
	}
	for i, e := range t.Exchanges {
		if !within(linger.Known(e.Queued), e.Sent, e.FirstByte, e.Done) {
			return fmt.Errorf("an instant of exchange %d is out of bounds", i+1)
		}
		for _, n := range []int64{e.RequestHead, e.RequestBody, e.ResponseHead, e.ResponseBody} {
			if n < 0 || n > linger.MaxBody {
				return fmt.Errorf("exchange %d has %d bytes", i+1, n)
			}
		}
		if e.ID < 0 || e.Attempts < 0 || e.Status < 0 {
			return fmt.Errorf("a number of exchange %d is less than nothing", i+1)
		}
	}
	for _, side := range []linger.Opt[Host]{t.Client, t.Server} {
		h := side.Or(Host{})
		if h.CPU < 0 || h.SocketsPeak < 0 || h.SocketsLeft < 0 || h.TimeWait < 0 || h.SocketMemory < 0 || h.Samples < 0 {
			return errors.New("a host has less than no sockets, memory or CPU")
		}
	}
	l, _ := t.Ledger.Get()
	if len(l.Connections) > maxItems || l.Overflow < 0 {
		return fmt.Errorf("%d connections in a ledger; it has at most %d", len(l.Connections), maxItems)
	}
	for i, f := range l.Connections {
		for _, w := range []Flow{f.Up, f.Down} {
			for _, n := range []int64{w.Packets, w.Header, w.Payload, w.SYN, w.FIN, w.RST, w.Initial, w.Retransmitted, w.RetransmittedBytes, w.DroppedQueue, w.DroppedLoss} {
				if n < 0 || n > maxCount {
					return fmt.Errorf("a count of connection %d in the ledger is out of bounds", i+1)
				}
			}
		}
	}
	return nil
}

// maxCount bounds what is counted of one connection, so that sums of it are exact
// in a float64: bytes of a day at 100 Gbit/s.
const maxCount = 1 << 50

// within reports whether all instants that are known are near enough.
func within(instants ...linger.Opt[linger.Instant]) bool {
	for _, at := range instants {
		if v, ok := at.Get(); ok && (v < -longest || v > longest) {
			return false
		}
	}
	return true
}
