package compare

import (
	"strings"

	"linger"
	"linger/compare/facts"
	"linger/compare/times"
)

// Row is what one strategy costs. Each figure is the median over the trials
// that delivered the whole workload, but for the time, in which the others count as
// longer than any.
type Row struct {
	Strategy   string `json:"strategy"`
	Persistent bool   `json:"persistent"`
	// NotHonoured says that the other side did not do what the strategy stands for; a
	// caveat tells what it did.
	NotHonoured bool `json:"not_honoured,omitempty"`
	// Agent names the program that fetched, where it was not linger.
	Agent string `json:"agent,omitempty"`
	// Trials is how many were run to their end, Failed how many of them did not
	// deliver the whole workload. Where all failed, the counts are those of the
	// failed ones, and there is no time.
	Trials int `json:"trials"`
	Failed int `json:"failed"`
	// Time is from wanting the first exchange to the end of the last.
	Time linger.Opt[times.Time] `json:"time_ms,omitzero"`
	// AtLeast is what the median of the time is at least, in ms, where so many trials
	// failed that it is not known: each would have taken longer than until it failed.
	AtLeast linger.Opt[float64] `json:"time_at_least_ms,omitzero"`
	// Request is how long a request takes, from wanting it to the last byte of its answer,
	// connecting and waiting in line included, over the requests of all trials that ended. One
	// that failed took longer than any that was answered.
	Request linger.Opt[Spread] `json:"request_ms,omitzero"`
	// Samples are the trials one by one.
	Samples Samples `json:"samples,omitzero"`
	// Protocol is what was spoken: "http/1.1", "h2", "h3", "dot"; TLSVersion the version
	// of TLS, "1.3". Where it was several, the most frequent comes first: "h2, http/1.1".
	Protocol   string `json:"protocol,omitempty"`
	TLSVersion string `json:"tls_version,omitempty"`
	// Connections counts those of TCP and QUIC that the client opened; Handshakes
	// those of them that the server answered. From the ledger where there is one.
	Connections linger.Opt[float64] `json:"connections,omitzero"`
	Handshakes  linger.Opt[float64] `json:"handshakes,omitzero"`
	Handshake   Handshake           `json:"handshake,omitzero"`
	// Resumed is the share of the TLS handshakes that continued an earlier session.
	Resumed linger.Opt[float64] `json:"resumed,omitzero"` // 0 to 1
	// EarlyData counts the connections whose early data the server took, FastOpen
	// those whose data in the SYN it took; both where it was asked for.
	EarlyData linger.Opt[float64] `json:"early_data,omitzero"`
	FastOpen  linger.Opt[float64] `json:"fast_open,omitzero"`
	// SetupRoundTrips is the time from dialling until the first request may be sent
	// on a new connection, less the least with the delay taken out, divided by the
	// round-trip time. It is unknown where that least is over 0.3 of the latter.
	SetupRoundTrips linger.Opt[float64] `json:"setup_round_trips,omitzero"`
	// HandshakeBytes are those of all TLS handshakes of the load, records over TCP
	// and CRYPTO frames in QUIC; CertificateBytes the size of the server's chain.
	HandshakeBytes   linger.Opt[facts.Directions] `json:"handshake_bytes,omitzero"`
	CertificateBytes linger.Opt[float64]          `json:"certificate_bytes,omitzero"`
	// RoundTrips is the time at this round-trip time, less the time with the delay
	// taken out, divided by the round-trip time. It is unknown where the trials
	// scatter by as much as it is. TripsUncertainty is how far off it may be, as the intervals of
	// the two times reach; it is unknown where one of those has none, and of predictions
	// that are the same in each trial.
	RoundTrips       linger.Opt[float64] `json:"round_trips,omitzero"`
	TripsUncertainty linger.Opt[float64] `json:"round_trips_uncertainty,omitzero"`
	// RequestsPerConnection counts the requests that were answered, RequestsUnanswered
	// those that were sent on a connection and were not answered on it.
	RequestsPerConnection linger.Opt[float64] `json:"requests_per_connection,omitzero"`
	RequestsUnanswered    linger.Opt[float64] `json:"requests_unanswered,omitzero"`
	// Reuse is the share of the requests, of those that were answered, that were not the
	// first on their connection; it is for assertions.
	Reuse   linger.Opt[float64]          `json:"-"`
	Packets linger.Opt[facts.Directions] `json:"packets,omitzero"`
	// WireBytes are those of IP packets with their headers, PayloadBytes what TCP
	// or UDP carried in them. Both count what was retransmitted.
	WireBytes    linger.Opt[facts.Directions] `json:"wire_bytes,omitzero"`
	PayloadBytes linger.Opt[facts.Directions] `json:"payload_bytes,omitzero"`
	// Overhead is the share of the wire's bytes, both ways, that is no content of a
	// request or response: heads, handshakes, headers, acknowledgements, and what
	// was retransmitted.
	Overhead      linger.Opt[float64] `json:"overhead,omitzero"`
	Retransmitted linger.Opt[float64] `json:"retransmitted,omitzero"` // packets, both ways
	// DroppedQueue and DroppedLoss are packets that the link dropped, both ways: for want
	// of room, and at random. Stalls counts the retransmissions that a sender of TCP had
	// waited for a timer for, Stalled is how long it had, in ms (trace.Flow).
	DroppedQueue linger.Opt[float64] `json:"dropped_queue,omitzero"`
	DroppedLoss  linger.Opt[float64] `json:"dropped_loss,omitzero"`
	Stalls       linger.Opt[float64] `json:"stalls,omitzero"`
	Stalled      linger.Opt[float64] `json:"stalled_ms,omitzero"`
	// Retries counts requests that were retried because a kept connection was closed.
	Retries      linger.Opt[float64] `json:"retries,omitzero"`
	Sockets      Sockets             `json:"sockets,omitzero"`
	SocketMemory Memory              `json:"socket_memory_bytes,omitzero"`
	CPU          CPU                 `json:"cpu_ms,omitzero"`
	// Resident is of a server of the user's own.
	Resident Resident `json:"resident_memory_bytes,omitzero"`
	// DNS is what look-ups come to; unknown where objects are fetched.
	DNS linger.Opt[DNS] `json:"dns,omitzero"`
	// RatioToBest is the time divided by that of the row with the least.
	RatioToBest linger.Opt[float64] `json:"ratio_to_best,omitzero"`
}

// Samples are the figures of each trial that ended, in their order, and behind them those of
// trials that left no trace: unknown of a trial that did not deliver everything, or where nobody
// counted.
type Samples struct {
	Time        []linger.Opt[float64] `json:"time_ms"`
	Connections []linger.Opt[float64] `json:"connections,omitempty"`
	Handshakes  []linger.Opt[float64] `json:"handshakes,omitempty"`
	Packets     []linger.Opt[float64] `json:"packets,omitempty"`    // both ways
	WireBytes   []linger.Opt[float64] `json:"wire_bytes,omitempty"` // both ways
}

// IsZero reports whether there are none.
func (s Samples) IsZero() bool { return len(s.Time) == 0 }

// Handshake parts the handshakes. Those of the transports, TCP and QUIC, add up to
// Row.Handshakes. Those of TLS, full or resumed, are made over TCP or as a part of
// QUIC's (RFC 9001, 4), which is counted as both.
type Handshake struct {
	TCP        linger.Opt[float64] `json:"tcp,omitzero"`
	TLSFull    linger.Opt[float64] `json:"tls_full,omitzero"`
	TLSResumed linger.Opt[float64] `json:"tls_resumed,omitzero"`
	QUIC       linger.Opt[float64] `json:"quic,omitzero"`
}

// Sockets counts TCP sockets: the most at once on each side, unknown where the load
// was too short to count them, and how many TIME_WAIT both sides were left with.
// Nothing is known where QUIC has others.
type Sockets struct {
	ClientPeak linger.Opt[float64] `json:"client_peak,omitzero"`
	ServerPeak linger.Opt[float64] `json:"server_peak,omitzero"`
	TimeWait   linger.Opt[float64] `json:"time_wait,omitzero"`
}

// Memory is the most kernel memory that each side's sockets held, in bytes.
type Memory struct {
	ClientPeak linger.Opt[float64] `json:"client_peak,omitzero"`
	ServerPeak linger.Opt[float64] `json:"server_peak,omitzero"`
}

// Resident is what the server's processes had in RAM, in bytes: the sum of their resident sets,
// in each of which shared pages count. ServerPeak is the most in a trial, ServerLeft what it was
// once every connection was closed.
type Resident struct {
	ServerPeak linger.Opt[float64] `json:"server_peak,omitzero"`
	ServerLeft linger.Opt[float64] `json:"server_left,omitzero"`
}

// CPU is user and system time of each side, in milliseconds.
type CPU struct {
	Client linger.Opt[float64] `json:"client,omitzero"`
	Server linger.Opt[float64] `json:"server,omitzero"`
}

// TLSVersions are the versions of TLS, the most frequent first.
func (r Row) TLSVersions() []string {
	if r.TLSVersion == "" {
		return nil
	}
	return strings.Split(r.TLSVersion, several)
}
