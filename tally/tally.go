// Package tally holds what a load came to: how many connections were attempted and held, what
// became of each request, who closed, how long everything took. Engines count into a [Run] while
// they drive a server; analyses read it. It knows neither sockets nor a clock.
//
// A Run is of one strategy in one turn. Runs of the workers of one turn are merged; turns of one
// strategy are held apart, since they are what its interval is made of.
package tally

import (
	"fmt"
	"strings"
	"time"

	"linger"
	"linger/stats"
)

// A Run is what one turn of a load came to, after its warm-up: Began and Ended bound what is
// counted. Durations in histograms are in nanoseconds.
type Run struct {
	Strategy linger.Strategy `json:"strategy"`
	Engine   Engine          `json:"engine"`
	// Began and Ended are instants of the turn, counted from when its warm-up began. At Ended the
	// last request was sent at the latest; answers still came for a moment (Requests.After).
	Began linger.Instant `json:"began_us"`
	Ended linger.Instant `json:"ended_us"`
	// Wanted is what was asked for.
	Wanted Wanted `json:"wanted"`

	Requests    Requests    `json:"requests"`
	Connections Connections `json:"connections"`
	// Latency is of answered requests.
	Latency Latency `json:"latency_ns"`
	// Seconds are the same over time, by second of the turn. What is told of a run that goes on
	// holds the latest only.
	Seconds []Second `json:"seconds,omitempty"`
	// Client is what the load itself spent; Server what the server did, where it could be seen.
	Client Spent `json:"client"`
	Server Spent `json:"server"`
	// Limited says why the load generator was itself the limit; empty is that it was not.
	Limited Limit `json:"limited,omitempty"`
	// Interrupted says that it was stopped before its end.
	Interrupted bool `json:"interrupted,omitempty"`
}

// An Engine is what drove a load.
type Engine string

const (
	Epoll    Engine = "epoll"    // an event loop for each core
	Portable Engine = "portable" // a goroutine for each connection
)

// Wanted is what a turn was to do; 0 is no bound.
type Wanted struct {
	Connections int           `json:"connections"`
	InFlight    int           `json:"in_flight"`      // requests under way on a connection, at most
	Rate        float64       `json:"rate,omitempty"` // requests a second, of an open loop, over the turn
	Requests    int64         `json:"requests,omitempty"`
	Time        time.Duration `json:"time_ns,omitempty"`
	// Closing is how connections are ended that the client ends.
	Closing Closing `json:"closing"`
}

// A Closing is how a client ends connections.
type Closing string

const (
	CloseFIN Closing = "fin" // close(2): a FIN
	CloseRST Closing = "rst" // close(2) with SO_LINGER of 0: a RST
	// CloseAgain waits for the server's FIN, answers it, and uses the socket again by
	// connect(2) to AF_UNSPEC. Where the server does not close first, that sends a RST, which is
	// counted as one.
	CloseAgain Closing = "again"
	// CloseAgainRST uses the socket again at once, which sends a RST.
	CloseAgainRST Closing = "again-rst"
)

// Requests counts what became of requests: Intended = Sent + Unsent + Waiting, and Sent =
// Answered + Failed + Cut.
type Requests struct {
	Intended int64 `json:"intended"`
	Sent     int64 `json:"sent"`
	// Answered had a whole response, whatever its status. After are those of them that had it
	// when the turn had ended: the rate is (Answered - After) / (Ended - Began).
	Answered int64 `json:"answered"`
	After    int64 `json:"after,omitempty"`
	// Failed are those that got no whole response, by kind; Cut those that were under way when the
	// turn ended.
	Failed map[Failure]int64 `json:"failed,omitempty"`
	Cut    int64             `json:"cut,omitempty"`
	// Unsent were never sent since their connection failed, by its failure, or since no
	// connection was free in time (TimedOut). Waiting are those that still waited for one at the end.
	Unsent  map[Failure]int64 `json:"unsent,omitempty"`
	Waiting int64             `json:"waiting,omitempty"`
	// Retried were sent once more on another connection, since theirs was closed before anything
	// of an answer came (RFC 9110, 9.2.2). They are Sent once: a server saw at most Sent + Retried.
	Retried int64 `json:"retried,omitempty"`
	// Statuses counts answers by their status, Wrong those that are not what was expected.
	Statuses map[int]int64 `json:"statuses,omitempty"`
	Wrong    int64         `json:"wrong,omitempty"`
	// Up and Down are bytes as HTTP/1 has them on the connection, below TLS: heads and bodies. Of
	// HTTP/2 and HTTP/3 they are contents alone.
	Up   int64 `json:"up"`
	Down int64 `json:"down"`
}

// Connections counts what became of connections: Attempted = Established + Failed + Pending, and
// Before + Established = Closed + Left.
type Connections struct {
	// Before were open when the warm-up ended.
	Before      int64             `json:"before,omitempty"`
	Attempted   int64             `json:"attempted"`
	Established int64             `json:"established"`
	Failed      map[Failure]int64 `json:"failed,omitempty"`
	Pending     int64             `json:"pending,omitempty"` // neither of both at the end
	// Most is how many were held at once at most; Left how many were open at the end, and
	// were then ended by the client.
	Most int64 `json:"most"`
	Left int64 `json:"left"`
	// Full, Resumed and Early are TLS handshakes: in full, resumed, and with early data that was
	// taken, which are resumed, too.
	Full    int64 `json:"tls_full,omitempty"`
	Resumed int64 `json:"tls_resumed,omitempty"`
	Early   int64 `json:"tls_early,omitempty"`
	// Closed are those that ended, by who ended them and how.
	Closed map[Close]int64 `json:"closed,omitempty"`
	// TimeWait is at whose end sockets stay in TIME_WAIT (RFC 9293, 3.6): that of who sent the
	// first FIN. Those that were left at the end are in it.
	TimeWait TimeWait `json:"time_wait"`
	// SaidClose are answers by which the server announced that it closes, where the request had
	// not asked for that.
	SaidClose int64 `json:"said_close,omitempty"`
	// Carried is how many requests connections had carried that were answered, when they ended or
	// at the end of the turn.
	Carried stats.Histogram `json:"carried"`
}

// TimeWait counts sockets by the end that they are at.
type TimeWait struct {
	Client int64 `json:"client"`
	Server int64 `json:"server"`
}

// A Close is who ended connections, how, and why.
type Close struct {
	By   string // ByClient or ByServer
	With string // "fin", "rst", "goaway", "silence"
	Why  string // of the client's: WhyPolicy and its like; empty is not known
}

// Who ends connections.
const (
	ByClient = "client"
	ByServer = "server"
)

// Why a client ends connections.
const (
	WhyPolicy    = "policy"    // the strategy keeps none, or it had carried its requests
	WhyAge       = "age"       // it was too old
	WhyIdle      = "idle"      // it had idled too long
	WhyReconnect = "reconnect" // connections are opened anew at a rate
	WhyAnnounced = "announced" // the server had said that it closes, and had not yet
	WhyFailed    = "failed"    // a request on it failed
)

// MarshalText writes "server fin", "client fin policy".
func (c Close) MarshalText() ([]byte, error) {
	return []byte(strings.TrimSpace(c.By + " " + c.With + " " + c.Why)), nil
}

// UnmarshalText reads what MarshalText writes.
func (c *Close) UnmarshalText(b []byte) error {
	f := strings.Fields(string(b))
	if len(f) < 2 || len(f) > 3 {
		return fmt.Errorf("close %q: who, how and why, as \"client fin idle\"", b)
	}
	f = append(f, "")
	c.By, c.With, c.Why = f[0], f[1], f[2]
	return nil
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
	StreamReset Failure = "stream-reset" // of HTTP/2 or HTTP/3
	OtherError  Failure = "other"
)

// Latency is how long requests took. Intended is from when the plan had them sent, Sent from
// when they were, both to the last byte of the answer; Queued is from the one moment to the other,
// so what they waited in the load generator for a connection or for its attention. First is from
// sending to the first byte of the answer that was read. In a closed loop a request is intended when the one before it was
// answered, and its think time is over. Connecting is what handshakes took, TLS included. With is as
// Intended, of those requests that were the first on their connection, Without of the others.
type Latency struct {
	Intended   stats.Histogram `json:"intended"`
	Queued     stats.Histogram `json:"queued"`
	Sent       stats.Histogram `json:"sent"`
	First      stats.Histogram `json:"first"`
	Connecting stats.Histogram `json:"connecting"`
	With       stats.Histogram `json:"with"`
	Without    stats.Histogram `json:"without"`
}

// A Second is one second of a turn.
type Second struct {
	Second      int             `json:"second"` // of the turn, from 0
	Answered    int64           `json:"answered"`
	Failed      int64           `json:"failed,omitempty"` // those never sent, too
	Established int64           `json:"established,omitempty"`
	Latency     stats.Histogram `json:"latency"` // from the intended moment
}

// Spent is what a side spent in a turn.
type Spent struct {
	CPU     linger.Opt[time.Duration] `json:"cpu_us,omitzero"`       // user and system
	Memory  linger.Opt[int64]         `json:"memory_bytes,omitzero"` // resident, at most
	Sockets linger.Opt[int64]         `json:"sockets,omitzero"`      // at most
}

// A Limit is why a load generator was itself the limit.
type Limit string

const (
	NoLimit  Limit = ""
	CPULimit Limit = "cpu"  // its cores were busy for more than nine tenths of the time
	Lateness Limit = "late" // requests were sent later than planned by more than a tenth of their latency
)
