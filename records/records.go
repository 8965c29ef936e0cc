// Package records writes what was observed as rows, and reads them again: a row for each
// connection, each exchange, each cause and each finding, in one file of Parquet. docs/records.md
// has its columns.
//
// Columns are those of the types of the rows ([Row]): a field that is added to a record is a column,
// too. Rows stand in the order in which they came, so that who reads them as they were written finds
// what was found then.
package records

import (
	"time"

	"linger"
	"linger/audit"
	"linger/finding"
	"linger/trace"
)

// Format names the form of a file, and its version: readers take those of their own version, and
// pass over columns that they do not know.
const Format = "linger records 1"

// Kinds of rows, as the column record has them.
const (
	OfConnection = "connection"
	OfExchange   = "exchange"
	OfTurn       = "turn"
	OfCause      = "cause"
	OfFinding    = "finding"
)

// A Row is one row: what its kind says, and no other.
type Row struct {
	// Record is the kind of the row: connection, exchange, turn, cause or finding.
	Record string `json:"record"`
	// At is when that was on the wall clock: a connection was opened, a request was sent; null where
	// the recording has no wall clock.
	At linger.Opt[time.Time] `json:"time,omitzero"`
	// Connection is a connection as it was observed, when it has ended, or the recording has.
	Connection *trace.Connection `json:"connection,omitempty"`
	// Exchange is a request with its response, when it has ended.
	Exchange *trace.Exchange `json:"exchange,omitempty"`
	// Turn is an instant at which the connections of two hosts matter: one is being opened, carries
	// its first byte, or begins to end. Recordings that are larger than what is held at once need
	// them to be read again as they were.
	Turn *Turn `json:"turn,omitempty"`
	// Cause is why a connection was opened, when that is decided, with what makes it worth asking:
	// most questions need no other rows.
	Cause *Cause `json:"cause,omitempty"`
	// Finding is what the connections of one cause come to.
	Finding *Finding `json:"finding,omitempty"`
}

// A Turn is an instant of a connection.
type Turn struct {
	Connection int64          `json:"connection"` // its ID
	At         linger.Instant `json:"at_us"`
	Client     string         `json:"client,omitempty"` // its address
	Server     string         `json:"server,omitempty"`
}

// A Cause is why a connection was opened, and what it was.
type Cause struct {
	Connection int64                     `json:"connection"`       // its ID
	Stream     linger.Opt[int64]         `json:"stream,omitzero"`  // tcp.stream or udp.stream of Wireshark
	Client     string                    `json:"client,omitempty"` // IP:port
	Server     string                    `json:"server,omitempty"` // IP:port
	Name       string                    `json:"name,omitempty"`   // as clients named the server
	Protocol   linger.Protocol           `json:"protocol,omitempty"`
	UDP        bool                      `json:"udp"`
	Class      audit.Class               `json:"class,omitempty"` // empty is requests; or health checks, streams, datagrams
	Opened     linger.Instant            `json:"opened_us"`       // since the recording began
	Lasted     linger.Opt[time.Duration] `json:"lasted_us,omitzero"`
	Requests   int                       `json:"requests"`
	// Cause is the code of docs/inspect.md; null where the beginning was not seen. Avoidable and
	// Whose are what that table says of it.
	Cause     audit.Cause     `json:"cause,omitempty"`
	Avoidable bool            `json:"avoidable"`
	Whose     audit.Blame     `json:"whose,omitempty"`
	Certainty audit.Certainty `json:"certainty,omitempty"`
	Others    []audit.Cause   `json:"others_that_fit,omitempty"`
	// Before is the connection whose place it took, or which was idle; Gap for how long that had
	// been idle.
	Before       linger.Opt[int64]         `json:"before,omitzero"`
	BeforeStream linger.Opt[int64]         `json:"before_stream,omitzero"`
	Gap          linger.Opt[time.Duration] `json:"gap_us,omitzero"`
	EndedBy      trace.Peer                `json:"ended_by,omitempty"`
	EndedWith    trace.Signal              `json:"ended_with,omitempty"`
	EndCause     audit.Cause               `json:"end_cause,omitempty"` // why it ended
	// Setup is what its handshakes took; SetupHidden says that no request waited for them.
	Setup       linger.Opt[time.Duration] `json:"setup_us,omitzero"`
	SetupHidden bool                      `json:"setup_hidden"`
	TLS         string                    `json:"tls_version,omitempty"`
	ALPN        string                    `json:"alpn,omitempty"`
	Resumed     linger.Opt[bool]          `json:"resumed,omitzero"`
	Keys        trace.Keys                `json:"keys,omitempty"` // how much of it could be decrypted
	Turns       linger.Opt[int64]         `json:"turns,omitzero"` // exchanges, as inferred without keys
	BeganBefore bool                      `json:"began_before"`
	StillOpen   bool                      `json:"still_open"`
	Frames      trace.Frames              `json:"frames,omitzero"`
	ClosedFrame int64                     `json:"closed_frame,omitempty"`
}

// A Finding is one of the findings, as the report has it.
type Finding struct {
	Code        string           `json:"code"`
	Severity    finding.Severity `json:"severity,omitempty"`
	SubjectKind string           `json:"subject_kind,omitempty"`
	Subject     string           `json:"subject,omitempty"`
	SubjectOf   string           `json:"subject_of,omitempty"`
	Cause       string           `json:"cause,omitempty"`
	Price       finding.Price    `json:"price,omitzero"`
	Text        string           `json:"text"` // the sentence
	JSON        string           `json:"json"` // all of it, as in the JSON of inspect
}

// A Recording is what all rows of a file have in common: JSON under the key "linger" of the file's
// metadata.
type Recording struct {
	Format string `json:"format"`
	Linger string `json:"linger,omitempty"` // version of the program that wrote it
	trace.Stream
	// Source is what was read, where that was no capture.
	Source string `json:"source,omitempty"`
	// Ended is when the recording did, in nanoseconds since it began.
	Ended int64 `json:"ended_ns"`
	// Packets is what was read of a capture, and what of it could not be; Filtered counts connections
	// that were not asked for. Of those there are no rows.
	Packets  linger.Opt[audit.Recording] `json:"recording,omitzero"`
	Filtered int64                       `json:"filtered,omitempty"`
	// Joined is what came of joining captures of both ends.
	Joined linger.Opt[trace.Joined] `json:"joined,omitzero"`
	// Before and After are the caveats of the reading, in front of those of the analysis and behind.
	Before []finding.Caveat `json:"caveats_before,omitempty"`
	After  []finding.Caveat `json:"caveats,omitempty"`
}

// CauseOf is the row of a connection whose cause is decided.
func CauseOf(r audit.Row) Cause {
	c := Cause{
		Connection: r.ID, Stream: r.Stream, Client: r.Client, Server: r.Server, Name: r.Name, Protocol: r.Protocol, UDP: r.UDP, Class: r.Class,
		Opened: r.Opened, Lasted: r.Lasted, Requests: r.Requests, Cause: r.Cause, Certainty: r.Certainty, Others: r.Lost,
		BeforeStream: r.BeforeStream, Gap: r.Gap, EndedBy: r.ClosedBy, EndedWith: r.ClosedWith, EndCause: r.End, Setup: r.Waiting, SetupHidden: r.Hidden,
		TLS: r.TLS, ALPN: r.ALPN, Resumed: r.Resumed, Keys: r.Keys, Turns: r.Turns,
		BeganBefore: r.BeganBefore, StillOpen: r.StillOpen, Frames: r.Frames, ClosedFrame: r.ClosedFrame,
	}
	if r.Before >= 0 {
		c.Before = linger.Known(r.Before)
	}
	if r.Cause != "" {
		c.Avoidable, c.Whose = r.Cause.Of().Avoidable, r.Cause.Of().Whose
	}
	return c
}
