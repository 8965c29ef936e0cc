// Package weblog reads access logs of servers and proxies, line by line: who asked, when,
// on which connection, and what the answer took.
//
// It reads text in the format that a server was told to write (nginx's log_format, Apache's
// LogFormat, HAProxy's log-format, Envoy's format strings, varnishncsa's -F), JSON lines,
// the W3C's extended format (IIS, CloudFront), and the formats that AWS load balancers,
// Squid and Traefik have by default. Which of them a file has is found from its first
// lines (Detect), or given (Parse).
//
//	Source  files, standard input, gzip, zstd  ->  blocks of whole lines
//	Layout  what stands where in a line, and what its time is the time of
//	Parser  blocks of lines  ->  entries
//
// A Parser copies nothing and allocates nothing for a line. Several of them may read
// different blocks of a file at once.
package weblog

import "time"

// An Entry is one line of a log: one request and its answer. Texts are valid until the
// Parser is asked for the next entry. A number that the line does not have is Unknown, a
// text is nil; so is what the log has as "-".
type Entry struct {
	// At is the line's time in nanoseconds since 1970 in UTC: of what, Layout.Clock says,
	// and how fine, Layout.Resolution.
	At int64
	// Client is the address of whoever opened the connection, as the log has it, and
	// Forwarded is what X-Forwarded-For said.
	Client, Forwarded []byte
	// ClientPort tells connections of one address from each other, for a while.
	ClientPort int64
	// Duration is how long the request took, in nanoseconds.
	Duration int64
	// Connection is the server's number of the connection, and Number that of the request
	// on it, from 1.
	Connection, Number int64

	Status int64
	// Sent and Received are bytes of the answer and of the request: with heads or
	// without, as the server counts.
	Sent, Received int64
	// Request is the request's first line, or as much of it as the log has in one field.
	Request, Method, URI, Protocol []byte
	Host, Agent                    []byte
	// State is what the server says of the end: Apache's %X, HAProxy's termination state,
	// Envoy's response flags.
	State []byte
	// TLS is the version, or whether it was TLS at all ("https"), Resumed whether its
	// session was resumed: 1 or 0.
	TLS     []byte
	Resumed int64
	// RTT is the kernel's estimate of the round trip to the client, in nanoseconds.
	RTT int64
	// Server is who answered behind a proxy, and ServerConnect and ServerTime how long
	// the connection to it, and its answer, took, in nanoseconds: the last one's, if
	// several were asked. A ServerConnect of 0 is a connection that was kept.
	Server                    []byte
	ServerConnect, ServerTime int64
}

// Unknown is a number that a line does not have.
const Unknown = -1

// A Field names a value of an Entry.
type Field uint8

// The fields of an Entry, in its order. Ignored stands for all that an Entry does not hold.
const (
	Ignored Field = iota
	Time
	Client
	Forwarded
	ClientPort
	Duration
	Connection
	Number
	Status
	Sent
	Received
	Request
	Method
	URI
	Protocol
	Host
	Agent
	State
	TLS
	Resumed
	RTT
	Server
	ServerConnect
	ServerTime

	numFields
)

var fieldNames = [numFields]string{
	"-", "time", "client", "x-forwarded-for", "client port", "duration", "connection",
	"request number", "status", "bytes sent", "bytes received", "request", "method", "URI",
	"protocol", "host", "user agent", "state", "TLS", "resumed", "RTT", "server",
	"server connect time", "server time",
}

func (f Field) String() string { return fieldNames[f] }

// Fields is a set of fields.
type Fields uint32

// Of returns the set of some fields.
func Of(fields ...Field) Fields {
	var s Fields
	for _, f := range fields {
		s |= 1 << f
	}
	return s
}

// Has reports whether f is in the set.
func (s Fields) Has(f Field) bool { return s&(1<<f) != 0 }

// A Clock says what the time of a line is the time of.
type Clock uint8

const (
	// Unstated: servers that write this format differ.
	Unstated Clock = iota
	// AtStart is when the request, or its first line, had been read (Apache's %t).
	AtStart
	// AtEnd is when the answer had been sent, and the line was written (nginx).
	AtEnd
)

func (c Clock) String() string {
	return [...]string{"not stated", "start of the request", "end of the answer"}[c]
}

// A Layout says what stands where in a line.
type Layout struct {
	// Name is what people call it: "combined", "nginx log_format", "Caddy JSON".
	Name string
	// Has are the fields that its lines have.
	Has   Fields
	Clock Clock
	// Resolution is how fine the times are.
	Resolution time.Duration
	// Zoned reports whether a line's time says its zone, or the format has it in UTC.
	Zoned bool

	steps []step // of text
	keys  *keys  // of JSON
	w3c   bool   // steps come with the lines that begin with #Fields
}

// derive fills in what follows from the steps, or keys.
func (l *Layout) derive() {
	l.Has, l.Zoned, l.Resolution = 0, true, 0
	take := func(f Field, k kind) {
		l.Has |= 1 << f
		if f != Time {
			return
		}
		l.Resolution = k.resolution()
		l.Zoned = l.Zoned && k != haproxyTime
	}
	for _, s := range l.steps {
		take(s.field, s.kind)
		if s.second != Ignored {
			l.Has |= 1 << s.second
		}
	}
	if l.keys != nil {
		for _, k := range l.keys.takes {
			take(k.field, k.kind)
		}
	}
	l.Has &^= 1 << Ignored
}
