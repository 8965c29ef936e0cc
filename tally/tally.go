// Package tally holds what a load came to: how many connections were attempted and held, what
// became of each request, who closed, how long everything took. Engines count into a [Run] while
// they drive a server; analyses read it. It knows neither sockets nor a clock.
//
// A Run is of one strategy in one turn. Runs of the workers of one turn are merged; turns of one
// strategy are held apart, since they are what its interval is made of.
package tally

import (
	"time"

	"linger"
	"linger/stats"
)

// A Run is what one turn of a load came to, after its warm-up: Began and Ended bound what is
// counted. Durations in histograms are in nanoseconds.
type Run struct {
	Strategy linger.Strategy
	Engine   string // "epoll", or "portable"
	// Began and Ended are instants of the turn, counted from when its warm-up began.
	Began, Ended linger.Instant
	// Wanted is what was asked for: connections held, or requests in a second of an open loop;
	// 0 is no bound.
	Wanted Wanted

	Requests    Requests
	Connections Connections
	// Latency is of answered requests.
	Latency Latency
	// Seconds are the same over time: requests answered and failed, connections established,
	// latency from the intended moment, by second of the turn.
	Seconds []Second
	// Client is what the load itself spent; Server what the server did, where it could be seen.
	Client, Server Spent
	// Limited says why the load generator was itself the limit; empty is that it was not.
	Limited Limit
	// Interrupted says that it was stopped before its end; Reason is why, where nobody asked for
	// that.
	Interrupted bool
	Reason      string
}

// Wanted is what a turn was to do.
type Wanted struct {
	Connections int
	Rate        float64 // requests a second, of an open loop
	Requests    int64
	Time        time.Duration
}

// Requests counts what became of requests: Intended = Sent + those that were never sent, and Sent
// = Answered + Failed + Cut.
type Requests struct {
	Intended int64
	Sent     int64
	Answered int64 // a whole response came, whatever its status
	// Failed are those that got no whole response, by kind; Cut those that were under way when the
	// turn ended.
	Failed map[Failure]int64
	Cut    int64
	// Retried were sent again on another connection, since theirs had been closed before it
	// answered (RFC 9110, 9.2.2).
	Retried int64
	// Statuses counts answers by their status, Wrong those that are not what was expected.
	Statuses map[int]int64
	Wrong    int64
	// Up and Down are bytes as HTTP has them, heads and bodies.
	Up, Down int64
}

// Connections counts what became of connections: Attempted = Established + Failed + those under
// way at the end.
type Connections struct {
	Attempted   int64
	Established int64
	Failed      map[Failure]int64
	// Most is how many were held at once at most; Left how many were open at the end.
	Most, Left int64
	// Full, Resumed and Early are TLS handshakes: in full, resumed, and with early data that was
	// taken, which are resumed, too.
	Full, Resumed, Early int64
	// Closed are those that ended, by who ended them and how. TimeWait is at whose end those are
	// in TIME_WAIT (RFC 9293, 3.6).
	Closed   map[Close]int64
	TimeWait [2]int64 // at the client, at the server
	// Carried is how many requests connections had carried when they ended, or at the end of the
	// turn.
	Carried stats.Histogram
}

// A Close is who ended connections, and how.
type Close struct {
	By   string // trace.AtClient or trace.AtServer
	With string // "fin", "rst", "goaway"
	Why  string // of ours: "policy", "age", "idle", "reconnect", "surplus", "end"
}

// A Failure is a kind of it, of connections or of requests: an open set.
type Failure string

const (
	Refused     Failure = "refused"      // RST to the SYN
	TimedOut    Failure = "timed-out"    // nothing came in time
	NoPorts     Failure = "no-ports"     // no local port is left (EADDRNOTAVAIL)
	NoFiles     Failure = "no-files"     // no file is left (EMFILE)
	Unreachable Failure = "unreachable"  // ICMP said so
	ResetByPeer Failure = "reset"        // RST with a request under way
	ClosedEarly Failure = "closed-early" // FIN before the response was whole
	Malformed   Failure = "malformed"    // what came is no response
	Handshake   Failure = "handshake"    // TLS or QUIC
)

// Latency is how long requests took. Intended is from when the plan had them sent, Sent from
// when they were, both to the last byte of the answer: their difference is what they waited in
// the load generator. First is from sending to the first byte. Connecting is what handshakes took, TLS
// included; With is as Intended, of those requests for which a connection was opened, Without of the
// others.
type Latency struct {
	Intended, Queued, Sent, First stats.Histogram
	Connecting                    stats.Histogram
	With, Without                 stats.Histogram
}

// A Second is one second of a turn.
type Second struct {
	Answered, Failed, Established int64
	Latency                       stats.Histogram
}

// Spent is what a side spent in a turn.
type Spent struct {
	CPU     linger.Opt[time.Duration]
	Memory  linger.Opt[int64] // resident, in bytes, at most
	Sockets linger.Opt[int64] // at most
}

// A Limit is why a load generator was itself the limit.
type Limit string

const (
	NoLimit  Limit = ""
	CPULimit Limit = "cpu"  // its cores were busy for more than nine tenths of the time
	Lateness Limit = "late" // requests were sent later than planned by more than a tenth of their latency
)
