// Package profile is what is known of how a server treats connections, as a document: a
// probe fills it in, and reports, assertions and the chain of keep-alive timeouts read it.
//
// A [Profile] has a [Protocol] for each protocol that was tried. Its figures say how sure they
// are: a [Timeout] or a [Count] is [Measured], known to be [AtLeast] so much, or [Unknown]
// with the reason, and a zero is never a figure that nobody knows. [Timeout.Interval] is where
// a limit lies, String tells it to people, and JSON has the same interval. An [Ending] is how
// the server ended a connection.
//
// The cases of the standards that the server was held against are [Result] values; package
// conformance decides them. Several profiles make a survey: [BySoftware] and [Violations].
//
// No socket is opened here and no clock is read.
package profile

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// Format names the document and the version of its form.
const Format = "linger connection policy 2"

// ProbedFormat and CaseFormat do so of each element of two arrays: the lines of a survey
// and the list of cases.
const (
	ProbedFormat = "linger survey line 2"
	CaseFormat   = "linger case 1"
)

// A Duration is a length of time; JSON has it in milliseconds, to the microsecond.
type Duration time.Duration

// MarshalJSON writes milliseconds.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Round(float64(d)/1e3) / 1e3)
}

// UnmarshalJSON reads milliseconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var ms float64
	if err := json.Unmarshal(b, &ms); err != nil {
		return err
	}
	*d = Duration(ms * 1e6)
	return nil
}

// A Profile is what one server was seen to do with connections.
type Profile struct {
	Format     string           `json:"format"`
	Linger     string           `json:"linger,omitempty"` // version of the program
	Provenance trace.Provenance `json:"provenance"`
	Target     string           `json:"target"`             // the URL, as it was given
	Address    string           `json:"address"`            // what was dialled
	Software   string           `json:"software,omitempty"` // as the server calls itself (RFC 9110, 10.2.4)
	Started    time.Time        `json:"started"`
	Took       Duration         `json:"took_ms"`
	Machine    trace.Machine    `json:"machine,omitzero"` // that measured
	RTT        Spread           `json:"rtt,omitzero"`     // of TCP's handshake
	Spent      Spent            `json:"spent"`
	Bounds     Bounds           `json:"bounds"`
	Baseline   Baseline         `json:"baseline,omitzero"` // what the requests of the probe are answered with

	Protocols []*Protocol `json:"protocols,omitempty"`
	Parallel  Count       `json:"parallel,omitzero"` // connections that were open at once and answered
	// Unused is that of connections on which nothing is sent, with one that is answered,
	// where these are fewer.
	Unused   Count      `json:"parallel_unused,omitzero"`
	TLS      *TLS       `json:"tls,omitempty"`
	AltSvc   *AltSvc    `json:"alt_svc,omitempty"`
	Survives []Survival `json:"survives,omitempty"` // what a connection of HTTP/1.1 survives
	DNS      *DNS       `json:"dns,omitempty"`      // of a server of DNS only

	Cases       []Result         `json:"cases"`
	Asserted    []assert.Result  `json:"assertions,omitempty"`
	Caveats     []finding.Caveat `json:"caveats,omitempty"`
	Interrupted bool             `json:"interrupted,omitempty"` // so that there is less than was asked for
}

// Spent is what the probe took of the server.
type Spent struct {
	Connections int `json:"connections"`      // opened, of TCP and QUIC
	Peak        int `json:"connections_peak"` // of these open at once
	Requests    int `json:"requests"`         // begun to be sent
}

// Bounds are what the probe would have taken at most.
type Bounds struct {
	Connections int      `json:"connections_at_once"`
	Requests    int      `json:"requests"`
	Wait        Duration `json:"max_wait_ms"`
}

// Baseline is the ordinary answer of the target.
type Baseline struct {
	Status int    `json:"status,omitempty"`
	Rcode  string `json:"rcode,omitempty"` // of DNS
	Bytes  int64  `json:"bytes"`           // of content; of DNS of the message
}

// A Protocol is what the server does with connections of one protocol.
type Protocol struct {
	Name    linger.Protocol `json:"name"`
	Offered bool            `json:"offered"`
	// Declined says that it is known not to be offered; see Offers.
	Declined bool   `json:"declined,omitempty"`
	Why      string `json:"why,omitempty"` // "not offered: …", or why that could not be found out

	// Idle limits, apart for what the connection was doing before: nothing since
	// TCP's handshake, nothing since TLS's, nothing since a response.
	AfterConnect  Timeout `json:"idle_after_connect,omitzero"`
	AfterTLS      Timeout `json:"idle_after_tls,omitzero"`
	AfterResponse Timeout `json:"idle_after_response,omitzero"`
	// AfterSettings is of HTTP/2: the prefaces were exchanged, and no request followed.
	AfterSettings Timeout `json:"idle_after_settings,omitzero"`
	// Age is for how long a connection may live that is never idle.
	Age Timeout `json:"max_age,omitzero"`
	// Requests is how many requests one connection may carry.
	Requests Count `json:"requests_per_connection,omitzero"`
	// Announced is what the server says of this, in the protocol's own terms.
	Announced Announced `json:"announced,omitzero"`
	// Pipelining is of HTTP/1.1 and of DNS over streams.
	Pipelining *Pipelining `json:"pipelining,omitempty"`
	// Ping is of HTTP/2, QUIC of HTTP/3.
	Ping *Ping `json:"ping,omitempty"`
	QUIC *QUIC `json:"quic,omitempty"`
}

// Ping is what PING does to a connection of HTTP/2 (RFC 9113, 6.7).
type Ping struct {
	Answered linger.Opt[bool] `json:"answered,omitzero"`
	// Keeps is whether a connection lives on for it that has no request.
	Keeps linger.Opt[bool] `json:"keeps_alive,omitzero"`
	Why   string           `json:"why,omitempty"` // it is not known whether it keeps
}

// QUIC is what the server does with connections of QUIC, below HTTP/3.
type QUIC struct {
	Retry linger.Opt[bool] `json:"retry,omitzero"`       // it had the address validated first (RFC 9000, 8.1.2)
	Token linger.Opt[bool] `json:"token,omitzero"`       // it gave one that saves that the next time (8.1.3)
	Early linger.Opt[bool] `json:"early_data,omitzero"`  // a ticket allows early data (0-RTT; RFC 9001, 4.6.1)
	Taken linger.Opt[bool] `json:"early_taken,omitzero"` // early data was accepted
}

// A State says what is known of a figure.
type State string

const (
	// Measured: it was seen to happen.
	Measured State = "measured"
	// AtLeast: it had not happened when waiting ended; the figure is a lower bound.
	AtLeast State = "at least"
	// Unknown: it could not be measured, for a reason that stands beside it.
	Unknown State = "not measured"
)

// A Spread is a sample of lengths of time.
type Spread struct {
	Median Duration `json:"median_ms"`
	Low    Duration `json:"low_ms"`
	High   Duration `json:"high_ms"`
	N      int      `json:"n"`
}

// SpreadOf returns the spread of a sample; the zero Spread is that of none.
func SpreadOf(sample []time.Duration) Spread {
	if len(sample) == 0 {
		return Spread{}
	}
	values := make([]float64, len(sample))
	for i, d := range sample {
		values[i] = float64(d)
	}
	s := stats.New(values...)
	at := func(q float64) Duration {
		v, _ := s.Quantile(q)
		return Duration(v)
	}
	return Spread{at(0.5), at(0), at(1), len(sample)}
}

// A Timeout is after how long the server ends a connection, and how.
//
// The server's clock starts when the last byte has reached it, and its end travels
// back for as long: both are half a round trip, so that what is seen here, from the
// last byte in to the end in, is the limit itself, as long as the path does not change.
type Timeout struct {
	State State `json:"state"`
	// Of Measured: the spread over the connections that were watched. Of AtLeast:
	// Low alone, for how long the connection had been open.
	Spread
	// Uncertainty is how far the median may be from the limit, for the path and for
	// the clocks: ± so much. Of a limit that had to be bracketed by waits, as that of
	// a connection that falls silent, it reaches to the waits on both sides.
	Uncertainty Duration `json:"uncertainty_ms,omitempty"`
	Ending      Ending   `json:"ending,omitempty"` // of Measured
	Closing     *Closing `json:"closing,omitempty"`
	// Said is what came before the end, of the first connection on which something did.
	Said   *Said  `json:"said,omitempty"`
	Method string `json:"method,omitempty"` // a sentence
	Why    string `json:"why,omitempty"`    // of Unknown
}

// An Ending is how the server ends a connection, in the words of the protocol, the
// first to be seen first.
type Ending string

const (
	FIN         Ending = "FIN"
	RST         Ending = "RST"
	CloseNotify Ending = "close_notify, FIN"
	// CloseNotifyRST: the alert was sent, and then the connection was reset.
	CloseNotifyRST Ending = "close_notify, RST"
	GOAWAY         Ending = "GOAWAY, FIN"
	GOAWAYRST      Ending = "GOAWAY, RST"
	// GOAWAYOpen: the client was told to go, and the connection left to it.
	GOAWAYOpen Ending = "GOAWAY"
	// QUICClose is CONNECTION_CLOSE (RFC 9000, 10.2).
	QUICClose Ending = "CONNECTION_CLOSE"
	// GOAWAYQUIC is HTTP/3's GOAWAY and then QUIC's CONNECTION_CLOSE (RFC 9114, 5.2).
	GOAWAYQUIC Ending = "GOAWAY, CONNECTION_CLOSE"
	// QUICReset: the server no longer knew the connection (RFC 9000, 10.3).
	QUICReset Ending = "stateless reset"
	// QUICIdle: both sides let go without a word, as they had agreed (RFC 9000, 10.1).
	QUICIdle Ending = "silent, as agreed"
	// Silence: what is sent is neither answered nor refused.
	Silence Ending = "silence"
	// AtRequest: the connection looks open, until the next request has it closed.
	AtRequest Ending = "at the next request"
)

// A Closing is what a server said of its reason to end a connection, or one stream of it:
// an error code and what stands beside it for people to read.
type Closing struct {
	Frame string `json:"frame"`          // GOAWAY (RFC 9113, 6.8), CONNECTION_CLOSE (RFC 9000, 19.19)
	Code  string `json:"code"`           // by the name of the RFC: NO_ERROR, H3_NO_ERROR
	Error bool   `json:"error"`          // the code is one of an error
	Text  string `json:"text,omitempty"` // debug data, or a reason phrase; made printable and cut
}

// A Count is how many of something the server allows.
type Count struct {
	State State  `json:"state"`
	N     int    `json:"n,omitempty"` // of AtLeast: so many were had
	Why   string `json:"why,omitempty"`
	// Ending and Closing are how a connection ended that was asked again and again.
	Ending  Ending   `json:"ending,omitempty"`
	Closing *Closing `json:"closing,omitempty"`
	// Next is what becomes of one more, of connections that were served at once.
	Next Next `json:"next,omitempty"`
}

// A Next is what becomes of a connection beyond those that are served at once.
type Next string

const (
	Waits            Next = "waits" // until another one goes
	Refused          Next = "refused"
	ClosesAnother    Next = "closes another" // one that is idle
	AnswersOtherwise Next = "answered otherwise"
)

// Announced is what a server says of its own limits.
type Announced struct {
	// Of HTTP/1.1: the fields as they stood in the response, and what they say.
	Connection string               `json:"connection,omitempty"`
	KeepAlive  string               `json:"keep_alive,omitempty"`
	Timeout    linger.Opt[Duration] `json:"timeout_ms,omitzero"` // Keep-Alive: timeout; of QUIC max_idle_timeout; of DNS edns-tcp-keepalive
	Max        linger.Opt[int]      `json:"max,omitzero"`        // Keep-Alive: max
	// MaxFalls says that max falls from response to response, as that of Apache: then it is
	// how many requests are left behind the first response, and not how many there may be.
	MaxFalls bool              `json:"max_falls,omitempty"`
	Settings map[string]uint64 `json:"settings,omitempty"` // of HTTP/2 and HTTP/3, by the name of the RFC
}

// Pipelining is what becomes of requests that are sent without waiting.
type Pipelining struct {
	State    State `json:"state"`
	Sent     int   `json:"sent"`
	Answered int   `json:"answered"`
	// InOrder is whether the answers came in the order of the requests, where those are
	// answered so differently that it shows.
	InOrder linger.Opt[bool] `json:"in_order,omitzero"`
	Why     string           `json:"why,omitempty"`
}

// TLS is what the server does with sessions of TLS.
type TLS struct {
	Versions []string `json:"versions,omitempty"` // accepted, "1.3" first
	ALPN     []string `json:"alpn,omitempty"`     // that it takes, of those offered
	Tickets  Count    `json:"tickets,omitzero"`   // sent after one handshake
	// Lifetime is for how long the server says that a ticket is of use (RFC 8446, 4.6.1).
	Lifetime linger.Opt[Duration] `json:"ticket_lifetime_ms,omitzero"`
	Resumes  linger.Opt[bool]     `json:"resumes,omitzero"`    // a ticket worked
	Early    linger.Opt[bool]     `json:"early_data,omitzero"` // a ticket allows early data (0-RTT)
	Invalid  string               `json:"invalid,omitempty"`   // what is wrong with the certificate that was taken all the same
}

// AltSvc is whether HTTP/3 is announced, and whether it is there.
type AltSvc struct {
	Value string           `json:"value,omitempty"` // of the field (RFC 7838, 3)
	Works linger.Opt[bool] `json:"works,omitzero"`
	Why   string           `json:"why,omitempty"`
}

// A Survival is whether a connection can be used again after one exchange.
type Survival struct {
	What   string `json:"what"` // "GET 200", "POST 405", "GET 404"; "slow body"
	Status int    `json:"status,omitempty"`
	State  State  `json:"state"`
	Kept   bool   `json:"kept"`
	Said   string `json:"said,omitempty"` // the Connection field of the response
	Why    string `json:"why,omitempty"`
}

// DNS is what only a server of DNS has.
type DNS struct {
	// Reordered: a slow answer did not hold up the next (RFC 7766, 7).
	Reordered linger.Opt[bool] `json:"reordered,omitzero"`
	// HalfClosed: a query was answered whose client had closed its side behind it. A
	// server may take that for the end (RFC 7766, 6.2.4), so it is no case.
	HalfClosed linger.Opt[bool] `json:"answers_half_closed,omitzero"`
	// AfterKeepalive is the idle limit after an answer to a query that had asked for it
	// by edns-tcp-keepalive; servers may have another one there.
	AfterKeepalive Timeout `json:"idle_after_keepalive,omitzero"`
}

// Codes of caveats: what of the probe itself its figures may not be read without.
const (
	EndedEarly  = "late"         // it took too long; figure: after, in ms
	RateLimited = "rate-limited" // the server was left alone, for its answer; figures: status, refused, asked
	// RefusedAtTimes: ordinary requests were refused, and asked again; figures as above.
	RefusedAtTimes = "refused-at-times"
	Busy           = "busy" // this side woke too late; figure: late, in ms
	// EndedByError: a connection in use was ended by an error, not for its number of
	// requests; figures: requests, closing.
	EndedByError = "ended-by-error"
)

// ProtocolNamed returns the protocol of that name, making it if there is none yet. They stand in
// the order of the nouns' table, whichever was asked first.
func (p *Profile) ProtocolNamed(name linger.Protocol) *Protocol {
	for _, known := range p.Protocols {
		if known.Name == name {
			return known
		}
	}
	made := &Protocol{Name: name}
	at := slices.IndexFunc(p.Protocols, func(other *Protocol) bool { return name.Before(other.Name) })
	if at < 0 {
		at = len(p.Protocols)
	}
	p.Protocols = slices.Insert(p.Protocols, at, made)
	return made
}

// ResultOf returns the result of a case; ok is false where it was not among those asked for.
func (p *Profile) ResultOf(id string) (r Result, ok bool) {
	for _, r := range p.Cases {
		if r.ID == id {
			return r, true
		}
	}
	return Result{}, false
}

// A Probed is one line of a list of servers, with what became of it: a profile, or why
// there is none.
type Probed struct {
	Line    int      `json:"line,omitempty"` // of the list, the first is 1
	Target  string   `json:"target"`
	Profile *Profile `json:"policy,omitempty"`
	Failed  string   `json:"error,omitempty"`
}
