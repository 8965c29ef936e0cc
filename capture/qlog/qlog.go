// Package qlog reads qlogs of QUIC into records: one connection each, as one of its sides saw it
// (draft-ietf-quic-qlog-main-schema, -quic-events, -h3-events). It reads files of JSON text sequences
// (RFC 7464), as quic-go, ngtcp2 and quiche write them, lines of JSON, and whole documents with
// traces in them, of the versions from 0.3 on: events are objects with a name.
//
// Requests are those of the events of HTTP/3, where there are any. Otherwise each stream that a
// client opened for both directions is taken for one, and is called inferred.
package qlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// Bounds of one file.
const (
	maxFile        = 1 << 30
	maxConnections = 10_000
	maxStreams     = 1_000_000
)

// Read reads a qlog. The trace has a connection for each that the file has, and their requests. It
// is cut off where the file is, which Interrupted says: what there was is whole. by is which side
// wrote the events. An error says what is wrong and what to do.
func Read(r io.Reader) (t *trace.Trace, by trace.Peer, err error) {
	b := &builder{out: &trace.Trace{Provenance: trace.Observed, Engine: "qlog", Workload: "qlog"}}
	t, err = b.read(r)
	if by = trace.AtClient; b.server {
		by = trace.AtServer
	}
	return t, by, err
}

func (b *builder) read(r io.Reader) (*trace.Trace, error) {
	limited := &io.LimitedReader{R: spaced{r}, N: maxFile}
	in := json.NewDecoder(limited)
	var h header
	if err := in.Decode(&h); err != nil {
		return nil, fmt.Errorf("its first record cannot be read: %w; write the qlog again", err)
	}
	if !h.known() {
		return nil, errors.New("its first record is no head of a qlog; write it with QLOGDIR (curl, quic-go) or -o FILE.qlog")
	}
	if len(h.Traces) > 0 {
		for i := range h.Traces {
			if err := b.whole(&h.Traces[i]); err != nil {
				return nil, err
			}
		}
		return b.end()
	}
	b.begin(&h.Trace)
	for {
		var e event
		switch err := in.Decode(&e); {
		case err == io.EOF:
			return b.end()
		case errors.Is(err, io.ErrUnexpectedEOF):
			b.out.Interrupted = true
			if limited.N <= 0 {
				return nil, fmt.Errorf("it is larger than %d MB; cut it", maxFile>>20)
			}
			return b.end()
		case err != nil:
			return nil, fmt.Errorf("event %d cannot be read: %w; write the qlog again", b.events+1, err)
		}
		if err := b.add(&e); err != nil {
			return nil, err
		}
	}
}

// spaced reads the marks between the texts of a sequence as spaces, which JSON allows there. Within
// a text none can be: "control characters must be escaped" (RFC 8259, 7).
type spaced struct{ from io.Reader }

func (s spaced) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	for i, c := range p[:n] {
		if c == 0x1e {
			p[i] = ' '
		}
	}
	return n, err
}

// A header is the first record, or a whole document.
type header struct {
	Version string `json:"qlog_version"`
	Format  string `json:"qlog_format"`
	Schema  string `json:"file_schema"`
	Trace   traced `json:"trace"`
	Traces  []traced
}

func (h *header) known() bool {
	return h.Version != "" || h.Format != "" || strings.Contains(h.Schema, ":qlog:")
}

// A traced is what all events have in common, and in a document the events.
type traced struct {
	Vantage struct {
		Type string `json:"type"`
	} `json:"vantage_point"`
	Common struct {
		Reference  json.RawMessage `json:"reference_time"`
		TimeFormat string          `json:"time_format"`
		Group      json.RawMessage `json:"group_id"`
	} `json:"common_fields"`
	Events []json.RawMessage `json:"events"`
}

// An event is something that happened, so many ms after the reference or the event before.
type event struct {
	Time  json.Number     `json:"time"`
	Name  string          `json:"name"`
	Data  json.RawMessage `json:"data"`
	Group json.RawMessage `json:"group_id"`
}

// A builder makes records of events.
type builder struct {
	out     *trace.Trace
	began   time.Time // of Instant 0; zero is not known
	shift   time.Duration
	format  string
	latest  time.Duration
	server  bool // the events are a server's
	group   string
	events  int
	streams int
	byGroup map[string]*connection
	all     []*connection
}

// begin begins with the events of one trace.
func (b *builder) begin(t *traced) {
	b.server = t.Vantage.Type == string(trace.AtServer)
	b.group, b.format, b.latest, b.shift = string(t.Common.Group), t.Common.TimeFormat, 0, 0
	b.byGroup = map[string]*connection{}
	at, ok := reference(t.Common.Reference)
	switch {
	case !ok || b.format == "absolute":
		// Without one, events count from their own beginning.
	case b.began.IsZero():
		b.began = at
	default:
		b.shift = within(at.Sub(b.began))
	}
}

// reference is the wall clock that times count from: ms since 1970 (draft 02), or an object.
func reference(raw json.RawMessage) (time.Time, bool) {
	var ms json.Number
	if json.Unmarshal(raw, &ms) == nil && ms != "" {
		f, err := ms.Float64()
		if err != nil || !(f > 0) || f > 7e15 {
			return time.Time{}, false
		}
		return time.UnixMicro(int64(f * 1000)).UTC(), true
	}
	var o struct {
		Epoch string `json:"epoch"`
		Wall  string `json:"wall_clock_time"`
	}
	_ = json.Unmarshal(raw, &o) // what is none names no time
	for _, text := range []string{o.Wall, o.Epoch} {
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// whole takes in a trace of a document.
func (b *builder) whole(t *traced) error {
	b.begin(t)
	for _, raw := range t.Events {
		var e event
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("event %d cannot be read: %w; events that are lists, of versions before 0.3, are not", b.events+1, err)
		}
		if err := b.add(&e); err != nil {
			return err
		}
	}
	return nil
}

// farthest bounds the times of events: a year. Sums of two cannot overflow.
const farthest = 366 * 24 * time.Hour

func within(d time.Duration) time.Duration { return max(-farthest, min(d, farthest)) }

// at is when an event happened. Where times are those of a clock, the first one is the beginning.
func (b *builder) at(e *event) (linger.Instant, bool) {
	ms, err := strconv.ParseFloat(string(e.Time), 64)
	if err != nil || !(ms >= 0) || ms > 7e15 {
		return 0, false
	}
	if b.format == "absolute" {
		t := time.UnixMicro(int64(ms * 1000)).UTC()
		if b.began.IsZero() {
			b.began = t
		}
		return linger.Instant(within(t.Sub(b.began))), true
	}
	if ms > float64(farthest/time.Millisecond) {
		return 0, false
	}
	d := time.Duration(ms * 1e6)
	if b.format == "delta" || b.format == "relative_to_previous_event" {
		b.latest = within(b.latest + d)
		d = b.latest
	}
	return linger.Instant(b.shift + d), true
}

// add takes in an event.
func (b *builder) add(e *event) error {
	b.events++
	at, ok := b.at(e)
	if !ok {
		if e.Name == "" {
			return nil // no event: a later head, as of files put together
		}
		return fmt.Errorf("event %d has no time; write the qlog again", b.events)
	}
	group := string(e.Group)
	if group == "" {
		group = b.group
	}
	c := b.byGroup[group]
	if c == nil {
		if len(b.all) == maxConnections {
			return fmt.Errorf("it has more than %d connections; part it", maxConnections)
		}
		c = &connection{server: b.server, began: at, streams: map[int64]*stream{}}
		c.record = trace.Connection{ID: int64(len(b.all)), Protocol: linger.QUIC, Dialled: at}
		b.byGroup[group] = c
		b.all = append(b.all, c)
	}
	before := len(c.streams)
	c.take(e, at)
	if b.streams += len(c.streams) - before; b.streams > maxStreams {
		return fmt.Errorf("it has more than %d streams; part it", maxStreams)
	}
	b.out.Ended = max(b.out.Ended, at)
	return nil
}

// end makes the trace.
func (b *builder) end() (*trace.Trace, error) {
	if len(b.all) == 0 {
		return nil, errors.New("it has no event; write the qlog again")
	}
	b.out.Began = b.began
	for _, c := range b.all {
		c.close()
		for _, e := range c.exchanges() {
			e.ID = len(b.out.Exchanges)
			b.out.Exchanges = append(b.out.Exchanges, e)
			c.record.Requests++
		}
		b.out.Connections = append(b.out.Connections, c.record)
	}
	return b.out, nil
}
