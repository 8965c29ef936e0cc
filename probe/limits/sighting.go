// Package limits tells from what was seen of connections which limits a server has, and how
// sure that is: for how long a connection may be idle, how old a busy one becomes, and how
// often the server looks for those whose time is over.
//
// A [Sighting] is one connection that was left alone until it ended, a [Life] one that was
// kept busy. [Idle], [AfterResponse] and [Age] make limits of several of them, [Sweep] finds
// how far apart the looks of a server are, and [Widen] takes that into account. No socket is
// opened here and no clock is read.
package limits

import (
	"net/http"
	"time"

	"linger/profile"
)

// An End is how and when the server ended a connection.
type End struct {
	How profile.Ending // "" is not at all, until waiting ended
	At  time.Time
	// Stray is how many bytes came before it that nobody had asked for, sent the first of
	// them, and FirstStray when the first came.
	Stray      int
	Sent       []byte
	FirstStray time.Time
	Said       *profile.Said // what they say, where the server ended the connection so
	// Closing is what GOAWAY or CONNECTION_CLOSE said of the reason.
	Closing *profile.Closing
	Err     error
}

// Answers reports whether what came is a final response to a request.
func (e End) Answers() bool {
	status := profile.SaidOf(e.Sent, e.Stray).Status
	return status >= 200 && status != http.StatusRequestTimeout
}

// Forever is longer than any probe lasts.
const Forever = 24 * time.Hour

// A Span is when a request was sent, and when its response began and ended to come.
type Span struct{ Asked, First, Last time.Time }

// At is the span of what takes no time.
func At(t time.Time) Span { return Span{t, t, t} }

// A Sighting is one connection that was watched until it ended, or until waiting did.
type Sighting struct {
	End
	// Idle is from the last byte of a response to the end, as both were seen here. By the
	// server's own clock it may be shorter by less, or longer by more.
	Idle, less, more time.Duration
	// Long says that the response was the ordinary one where others had a small one.
	Long bool
	// Abrupt says that a connection of HTTP/2 was closed at once behind a GOAWAY that named
	// no stream.
	Abrupt bool
}

// What of a server's clock may be started by acknowledgements: of TCP, none but those
// of a response that takes more than one flight; of QUIC, which is part of the server,
// any, and they may be late by max_ack_delay (RFC 9000, 18.2: 25 ms by default).
const (
	TCPAcknowledges  time.Duration = -1
	QUICAcknowledges               = 25 * time.Millisecond
)

// A Path is what is known of the way to the server.
type Path struct {
	Shortest, RoundTrip time.Duration
	// Jitter is by how much most handshakes took longer than the shortest.
	Jitter time.Duration
}

// Reckon says how long a connection was idle behind a response, and how much of that is
// not sure.
//
// The server's clock starts at the earliest when the first byte has left, and at the
// latest when the last acknowledgement has come. Where the response fits into one
// flight all of that is one instant. Where it does not, the rest waits in the sender's
// buffer for acknowledgements (RFC 5681, 3.1), some round trips after a program has
// written all of it. What the first byte came later than a round trip after the request
// may be a queue on the path that was gone when the end came.
func (s *Sighting) Reckon(of Span, over Path, acknowledges time.Duration) {
	low, trip := over.Shortest, over.RoundTrip
	s.Idle = s.At.Sub(of.Last)
	s.more = of.Last.Sub(of.First)
	flights := s.more > max(trip/2, 2*time.Millisecond)
	queued := max(of.First.Sub(of.Asked)-low, 0)
	if flights {
		s.more += queued
	} else {
		s.more += min(queued, max(10*time.Millisecond+trip/10, over.Jitter))
	}
	switch {
	case of.Asked.Equal(of.Last): // nothing was asked
	case acknowledges >= 0:
		s.less = trip + acknowledges
	case flights:
		s.less = trip
	}
}
