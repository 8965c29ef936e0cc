// Package zeek reads logs of Zeek into records: conn.log, which has the connections, with http.log,
// ssl.log, quic.log and files.log, which say what was on them, joined by uid and fuid. They may be
// texts with columns or lines of JSON, rotated into several files, in any order; columns go by
// their names. Other logs, and what is neither TCP nor QUIC, are passed over and counted.
//
// What each field means is taken from Zeek's documentation (scripts/base/protocols/conn, http, ssl,
// quic; base/frameworks/files), and from nothing else: no log of a running Zeek was compared.
// docs/sources.md says what logs do not hold.
package zeek

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"linger"
	"linger/trace"
)

// An Input is one log.
type Input struct {
	Name string
	From io.Reader // unpacked
}

// A Sink takes the records: the exchanges of a connection, then the connection. They are the
// sink's.
type Sink interface {
	WriteExchange(*trace.Exchange) error
	WriteConnection(*trace.Connection) error
}

// Logs are several that are read together: Open, Began, Read.
type Logs struct {
	began time.Time
	heads queue
	given map[string]bool // names of logs that there are
	sum   Summary

	talks map[string]*talk
	files map[string]span
	held  []held // connections that wait for what is logged later, by when they came
	freed int    // of held, at its beginning: handed on

	connections int64
	exchanges   int
}

// A Summary is what was read.
type Summary struct {
	Last linger.Instant // of anything
	// Rows counts the lines by log, as Zeek calls them: conn, http, ssl, quic, files.
	Rows map[string]int64
	// Passed counts the rows that are of no use here, Wrong those that lack what they must
	// have, and Unplaced the rows whose connection is in no conn.log.
	Passed, Wrong, Unplaced int64
	Problems                []Problem
}

// A Problem is that a log could not be read to its end.
type Problem struct {
	Name string
	Err  error
}

// Names of logs.
const (
	ofConnections = "conn"
	ofRequests    = linger.SchemeHTTP
	ofHandshakes  = "ssl"
	ofQUIC        = string(linger.QUIC)
	ofFiles       = "files"
)

// patience is for how long after its end a connection is logged by Zeek, and what was on it
// before: five minutes where nothing ends it (tcp_inactivity_timeout), and some more.
const patience = 6 * time.Minute

// A talk is what logs said of a connection whose own row has not been handed on.
type talk struct {
	requests []*row
	secure   *row
	quic     *row
}

// A span is from when to when a file passed.
type span struct{ from, to time.Time }

// held is a connection's row until all is known of it.
type held struct {
	row   *row
	until time.Time
}

// An input is a log that is being read, at its next row.
type input struct {
	index int
	name  string
	from  *reader
	row   *row
	kind  string
	at    time.Time // of the row, about when it was written
}

// queue is what is read next: the earliest row; at one time requests before connections.
type queue []*input

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q queue) Less(i, j int) bool {
	return cmp.Or(q[i].at.Compare(q[j].at), cmp.Compare(order(q[i].kind), order(q[j].kind)), cmp.Compare(q[i].index, q[j].index)) < 0
}
func (q *queue) Push(x any) { *q = append(*q, x.(*input)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func order(kind string) int {
	if kind == ofConnections {
		return 1
	}
	return 0
}

// Open reads each log up to its first row. There has to be a conn.log: the others say nothing of
// when connections were opened and closed.
func Open(inputs []Input) (*Logs, error) {
	l := &Logs{given: map[string]bool{}, talks: map[string]*talk{}, files: map[string]span{}, sum: Summary{Rows: map[string]int64{}}}
	for i, in := range inputs {
		one := &input{index: i, name: in.Name, from: newReader(in.From)}
		if l.advance(one) {
			l.heads = append(l.heads, one)
			if l.began.IsZero() || one.at.Before(l.began) {
				l.began = one.at
			}
			if start, ok := one.row.instant("ts"); ok && start.Before(l.began) {
				l.began = start
			}
		}
	}
	heap.Init(&l.heads)
	if l.given[ofConnections] {
		return l, nil
	}
	for _, p := range l.sum.Problems {
		return nil, fmt.Errorf("%s: %w", p.Name, p.Err)
	}
	return nil, errors.New("there is no conn.log with a row among the logs; name it beside them, for it alone says when connections were opened and closed")
}

// Began is the time of the first rows, which is Instant 0; a connection may have begun before.
func (l *Logs) Began() time.Time { return l.began }

// advance goes to the next row that is of use. It reports whether there is one.
func (l *Logs) advance(in *input) bool {
	for {
		r, err := in.from.next()
		if err != nil {
			if err != io.EOF {
				l.sum.Problems = append(l.sum.Problems, Problem{in.name, err})
			}
			return false
		}
		in.row, in.kind = r, kindOf(r)
		if in.kind == "" {
			l.sum.Passed++
			continue
		}
		at, ok := r.instant("ts")
		_, named := r.text("uid")
		if !ok || !named && in.kind != ofFiles {
			l.sum.Wrong++
			continue
		}
		if d, ok := r.interval("duration"); ok && in.kind == ofConnections {
			at = at.Add(d)
		}
		in.at = at
		l.given[in.kind] = true
		l.sum.Rows[in.kind]++
		return true
	}
}

// kindOf is which log a row is of, by what the log calls itself or else by fields that no other
// has; empty is one that is of no use here.
func kindOf(r *row) string {
	switch r.path {
	case ofConnections, ofRequests, ofHandshakes, ofQUIC, ofFiles:
		return r.path
	}
	switch {
	case r.has("trans_depth") && r.has("uid"):
		return ofRequests
	case r.has("conn_state"):
		return ofConnections
	case r.has("client_initial_dcid"):
		return ofQUIC
	case r.has("established") && (r.has("cipher") || r.has("version") || r.has("ssl_history")):
		return ofHandshakes
	case r.has("fuid") && r.has("seen_bytes"):
		return ofFiles
	}
	return ""
}

// Read reads to the end. Where a log cannot be, what was read before is handed on, and Problems
// say so; the error is the sink's.
func (l *Logs) Read(to Sink) (Summary, error) {
	for len(l.heads) > 0 {
		in := l.heads[0]
		if err := l.release(to, in.at); err != nil {
			return l.sum, err
		}
		l.take(in)
		if l.advance(in) {
			heap.Fix(&l.heads, 0)
		} else {
			heap.Pop(&l.heads)
		}
	}
	for _, h := range l.held[l.freed:] {
		if err := l.hand(to, h.row); err != nil {
			return l.sum, err
		}
	}
	for _, t := range l.talks {
		l.sum.Unplaced += int64(len(t.requests))
	}
	return l.sum, nil
}

// take takes in a row.
func (l *Logs) take(in *input) {
	uid, _ := in.row.text("uid")
	if in.kind == ofFiles {
		l.file(in.row)
		return
	}
	if in.kind == ofConnections {
		l.held = append(l.held, held{in.row, in.at.Add(patience)})
		return
	}
	t := l.talks[uid]
	if t == nil {
		t = &talk{}
		l.talks[uid] = t
	}
	switch in.kind {
	case ofRequests:
		t.requests = append(t.requests, in.row)
	case ofHandshakes:
		t.secure = in.row
	case ofQUIC:
		t.quic = in.row
	}
}

// file takes in when a file passed; of what is no HTTP nobody asks.
func (l *Logs) file(r *row) {
	source, ok := r.text("source")
	fuid, _ := r.text("fuid")
	from, ok2 := r.instant("ts")
	d, ok3 := r.interval("duration")
	if ok && source == "HTTP" && ok2 && ok3 {
		l.files[fuid] = span{from, from.Add(d)}
	}
}

// release hands on the connections of which nothing more is going to be logged.
func (l *Logs) release(to Sink, now time.Time) error {
	for l.freed < len(l.held) && l.held[l.freed].until.Before(now) {
		if err := l.hand(to, l.held[l.freed].row); err != nil {
			return err
		}
		l.held[l.freed] = held{}
		l.freed++
	}
	if 2*l.freed > len(l.held) {
		// Not for each: six minutes of a busy network are many.
		l.held, l.freed = slices.Delete(l.held, 0, l.freed), 0
	}
	return nil
}
