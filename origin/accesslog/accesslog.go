// Package accesslog has the entries of a server's access log, one for each request and one
// for each connection's end, and writes them to a file.
package accesslog

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"linger/trace"
)

// An Event is what an Entry tells of.
type Event string

const (
	// Answered: a response has been handed to the kernel, or could not be.
	Answered Event = "request"
	// Closed: a connection has ended; it is the connection's last entry.
	Closed Event = "close"
)

// An Entry is one line of the access log. The entries of a connection come in
// the order in which things happened on it.
type Entry struct {
	Event  Event
	Time   time.Time // when it was over
	Conn   int64     // number of the connection, 1 is the first accepted; 0 is none, as over UDP
	Remote string    // IP:port of the client
	// Request is the number of the request on its connection, from 1; for Closed
	// how many the connection has carried.
	Request int
	// Duration of a request is from its first byte (of a pipelined one, from when
	// its turn came) until its response was handed to the kernel; for Closed it is
	// the age of the connection.
	Duration time.Duration

	// Of a request. Method and Target are "-" where the request could not be read. Of
	// a query of DNS, they are type and name.
	Method, Target string
	Version        string // "1.0", "1.1", "2" or "3"; "-" as above; what carries DNS: "udp", "tcp", "tls" or "quic"
	Status         int    // of DNS, the response code
	Body           int64  // bytes of the response's content; of DNS, of the message
	Kept           bool   // whether the connection persisted after it
	Failed         string

	// Of a connection's end: who ended it first, and why. LateBytes arrived after
	// the server had closed its side: a sign that the client had counted on a
	// connection which the server was giving up.
	By        trace.Peer
	Reason    string
	LateBytes int64
}

// AppendText appends the entry as one line of key=value pairs without its end;
// values with a space, a quote, an equals sign or a control character stand in
// Go's double quotes. Keys and their order do not change:
//
//	time=2026-01-02T15:04:05.123456Z event=request conn=3 request=2 remote=192.0.2.1:4711 method=GET target=/a version=1.1 status=200 body=1024 ms=0.121 kept=true
//	time=2026-01-02T15:04:10.123999Z event=close conn=3 requests=2 remote=192.0.2.1:4711 by=server reason="idle timeout" ms=5000.988 late=0
//
// A request whose response could not be sent in full ends with failed=REASON.
func (e Entry) AppendText(b []byte) ([]byte, error) {
	b = append(b, "time="...)
	b = e.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	b = append(b, " event="...)
	b = append(b, e.Event...)
	b = append(b, " conn="...)
	b = strconv.AppendInt(b, e.Conn, 10)
	if e.Event == Closed {
		b = append(b, " requests="...)
		b = strconv.AppendInt(b, int64(e.Request), 10)
		b = appendPair(b, "remote", e.Remote)
		b = appendPair(b, "by", string(e.By))
		b = appendPair(b, "reason", e.Reason)
		b = appendMilliseconds(b, e.Duration)
		b = append(b, " late="...)
		return strconv.AppendInt(b, e.LateBytes, 10), nil
	}
	b = append(b, " request="...)
	b = strconv.AppendInt(b, int64(e.Request), 10)
	b = appendPair(b, "remote", e.Remote)
	b = appendPair(b, "method", e.Method)
	b = appendPair(b, "target", e.Target)
	b = appendPair(b, "version", e.Version)
	b = append(b, " status="...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, " body="...)
	b = strconv.AppendInt(b, e.Body, 10)
	b = appendMilliseconds(b, e.Duration)
	b = append(b, " kept="...)
	b = strconv.AppendBool(b, e.Kept)
	if e.Failed != "" {
		b = appendPair(b, "failed", e.Failed)
	}
	return b, nil
}

// String returns the entry's line, as AppendText writes it.
func (e Entry) String() string {
	b, _ := e.AppendText(nil)
	return string(b)
}

// A Log writes entries to a file, each as one line in one call. An entry that cannot be
// written is lost, and counted: a full disk does not stop the server, and what comes when
// there is room again is written.
type Log struct {
	to     io.Writer
	failed func(error)

	mu   sync.Mutex
	line []byte
	torn bool // the last line has no end
	lost int64
	err  error // the first
}

// New returns a Log that calls failed for the first entry that is lost.
func New(to io.Writer, failed func(error)) *Log { return &Log{to: to, failed: failed} }

// Add is what a server calls for each entry.
func (l *Log) Add(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = l.line[:0]
	if l.torn {
		l.line = append(l.line, '\n')
	}
	l.line, _ = e.AppendText(l.line)
	l.line = append(l.line, '\n')
	n, err := l.to.Write(l.line)
	if err == nil {
		l.torn = false
		return
	}
	if l.torn {
		l.torn = n != 1 // one byte is the end of what was torn
	} else {
		l.torn = n > 0
	}
	if l.lost++; l.lost == 1 {
		l.err = err
		l.failed(err)
	}
}

// Err says how many entries could not be written, and why not the first; nil is that all were.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.lost {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 entry is lost: %w", l.err)
	}
	return fmt.Errorf("%d entries are lost: %w", l.lost, l.err)
}

func appendPair(b []byte, key, value string) []byte {
	b = append(b, ' ')
	b = append(b, key...)
	b = append(b, '=')
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '=' {
			return strconv.AppendQuote(b, value)
		}
	}
	if value == "" {
		return append(b, `""`...)
	}
	return append(b, value...)
}

func appendMilliseconds(b []byte, d time.Duration) []byte {
	b = append(b, " ms="...)
	return strconv.AppendFloat(b, float64(d)/1e6, 'f', 3, 64)
}
