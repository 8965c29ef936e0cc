// Package trace holds what happened: connections, exchanges and packets, when,
// seen from where, known how. Engines write traces; what comes after only reads
// them, and does not know which engine wrote.
//
// A [Trace] is one trial: all of its connections and exchanges in memory, with the ledger of
// the link where there was one. An [Experiment] holds the trials of several strategies, and
// compare reads that. Observed traffic has no end: a [StreamWriter] writes a [Connection] or
// an [Exchange] as each ends, a [StreamReader] hands them on one by one, and neither holds
// them all; audit and tune read those.
//
// Instants are counted from when the trial or the recording began. What an observer cannot
// know is an unknown [linger.Opt], and not zero. Files of both kinds are opened by [Open] and
// described in docs/report.md; a [Trace] can also be written as a HAR or a capture.
package trace

import (
	"encoding/json"
	"time"

	"linger"
)

// Provenance is how the figures of a trace are known.
type Provenance string

const (
	Measured  Provenance = "measured"  // by us, on real sockets
	Predicted Provenance = "predicted" // by the model, in virtual time
	Observed  Provenance = "observed"  // by somebody else: a capture, a HAR, a log
)

// Format names the document that a trace by itself is, the JSON of linger get, and the
// version of its form. The first had no name, and instants in nanoseconds; the first two called
// caveats doubts.
const Format = "linger trace 3"

// A Trace is one trial: one scenario run once.
type Trace struct {
	Provenance Provenance `json:"provenance"`
	// Engine is "lab", "live", "sim", or the format that was observed: "har".
	Engine   string         `json:"engine"`
	Workload string         `json:"workload"`
	Strategy string         `json:"strategy,omitempty"`
	Network  linger.Network `json:"network,omitzero"`
	Seed     uint64         `json:"seed"`
	Trial    int            `json:"trial"`
	// Agent names the program that fetched, where that was not linger: "Chromium/140.0".
	Agent string `json:"agent,omitempty"`
	// Began is the wall clock at Instant 0, when the client wanted its first exchange.
	Began time.Time `json:"began,omitzero"`
	// Ended is when the last exchange was done or had failed. Closing what was
	// kept open comes after it and is not part of the load.
	Ended       linger.Instant `json:"ended_us"`
	Connections []Connection   `json:"connections"`
	Exchanges   []Exchange     `json:"exchanges"`
	// Retries counts requests that were retried because a kept connection turned out to
	// be closed (RFC 9110, 9.2.2).
	Retries int `json:"retries"`
	// Client and Server are what each side spent, where it could be seen.
	Client linger.Opt[Host] `json:"client,omitzero"`
	Server linger.Opt[Host] `json:"server,omitzero"`
	// Ledger is what crossed the link, where it could be seen.
	Ledger linger.Opt[Ledger] `json:"ledger,omitzero"`
	// Interrupted says that the run was stopped before it had ended.
	Interrupted bool `json:"interrupted,omitempty"`
	// Fetched is the workload that was fetched, where the source has it and not only
	// what came of it.
	Fetched linger.Opt[linger.Workload] `json:"-"`
	// Notes say what whoever wrote the trace had to guess or leave out, a
	// sentence each.
	Notes []string `json:"notes,omitempty"`
}

// GiveUp makes a trace that was stopped before its end one that came to its end then:
// what was not done has failed for that reason.
func (t *Trace) GiveUp(reason string) {
	t.Interrupted = false
	for i := range t.Exchanges {
		if e := &t.Exchanges[i]; e.Done.IsZero() && (e.Failed == "" || e.Failed == Stopped) {
			e.Failed = reason
		}
	}
}

// Stopped is why an exchange failed that was not done when its run was stopped.
const Stopped = "interrupted"

// A Host is what one side spent on one trial. Where the side is several hosts it is
// their sum; of the peaks, each at its own time, so that it is not less than the
// side's own.
type Host struct {
	// CPU is user and system time of the side's own process, or processes, from the first
	// request to the last; what the kernel does for it while it handles an
	// arriving packet is charged to the lab and not in here.
	CPU time.Duration `json:"cpu_us"`
	// Sockets counts TCP sockets by state, as socket diagnostics list them, without those
	// of connections within the host, each at its own peak: "ESTABLISHED", "TIME_WAIT", ...
	Sockets map[string]int `json:"sockets,omitempty"`
	// SocketsPeak is the most TCP sockets seen at once, listeners and TIME_WAIT apart.
	SocketsPeak int `json:"sockets_peak,omitzero"`
	// SocketsLeft is how many of those there were when last counted; TimeWait is
	// how many TIME_WAIT, which is what the run has left behind.
	SocketsLeft int `json:"sockets_left,omitzero"`
	TimeWait    int `json:"time_wait,omitzero"`
	// SocketMemory is the most kernel memory that all TCP sockets held at once,
	// in bytes, as socket diagnostics count it (sk_rmem_alloc, sk_wmem_queued,
	// sk_forward_alloc). Sampled: a shorter peak is missed.
	SocketMemory int64 `json:"socket_memory,omitzero"`
	// ResidentPeak is the most memory that all processes of the side had in RAM at once, in
	// bytes: the sum of their resident sets, in each of which shared pages count; and
	// ResidentLeft what it was when last counted. Of a server of the user's own only.
	ResidentPeak int64 `json:"resident_peak,omitzero"`
	ResidentLeft int64 `json:"resident_left,omitzero"`
	// Samples is how many samples the figures of sockets come from. Without any they
	// are not known; with some, one that is absent from the JSON is 0.
	Samples int `json:"samples,omitzero"`
}

// A Ledger counts every packet that was handed to the emulated link, as its
// sender sent it, before the link may have dropped it.
type Ledger struct {
	Connections []Flows `json:"connections"`
	Up          Pipe    `json:"up"`
	Down        Pipe    `json:"down"`
	// Lateness is how long after its due time the link handed a packet on.
	Lateness Lateness `json:"lateness"`
	// Overflow counts connections that no longer fitted into the ledger.
	Overflow int `json:"overflow,omitempty"`
	// Flights are the packets with content, put together, in the order in which they began.
	// Unflown counts those that are in none, for want of room.
	Flights []Flight `json:"flights,omitempty"`
	Unflown int64    `json:"unflown,omitempty"`
}

// Since returns the ledger without the connections that began before an instant,
// such as an earlier visit's. Lateness and the peak of the queue stay those of all.
func (l Ledger) Since(began time.Time) Ledger {
	kept := make([]Flows, 0, len(l.Connections))
	place := make([]int, len(l.Connections)) // in kept, or -1
	for i, f := range l.Connections {
		if f.First.Before(began) {
			l.Up, l.Down = l.Up.less(f.Up), l.Down.less(f.Down)
			place[i] = -1
			continue
		}
		place[i] = len(kept)
		kept = append(kept, f)
	}
	l.Connections = kept
	flights := make([]Flight, 0, len(l.Flights))
	for _, f := range l.Flights {
		if f.Connection = place[f.Connection]; f.Connection >= 0 {
			flights = append(flights, f)
		}
	}
	l.Flights = flights
	return l
}

// less returns the pipe without a flow that went through it.
func (p Pipe) less(f Flow) Pipe {
	p.Packets -= f.Packets
	p.Bytes -= f.Bytes()
	p.DroppedQueue -= f.DroppedQueue
	p.DroppedLoss -= f.DroppedLoss
	return p
}

// Flows is one connection seen from the middle of the path; of UDP, all datagrams
// between one address and port and another.
type Flows struct {
	Protocol linger.Transport `json:"protocol"` // or "icmp", or "ip" for every other
	Client   string           `json:"client"`   // IP:port
	Server   string           `json:"server"`   // IP:port
	First    time.Time        `json:"first"`    // when the first packet was sent
	Last     time.Time        `json:"last"`
	Up       Flow             `json:"up"`
	Down     Flow             `json:"down"`
	// ClosedBy is who sent the first FIN or RST.
	ClosedBy Peer `json:"closed_by,omitempty"`
}

// IsQUIC reports whether the client began a QUIC connection on this flow.
func (f Flows) IsQUIC() bool { return f.Protocol == linger.TransportUDP && f.Up.Initial > 0 }

// A Pipe is one direction of the link, all connections together.
type Pipe struct {
	Packets      int64 `json:"packets"`
	Bytes        int64 `json:"bytes"`
	DroppedQueue int64 `json:"dropped_queue"`
	DroppedLoss  int64 `json:"dropped_loss"`
	QueuePeak    int64 `json:"queue_peak_bytes"` // most bytes waiting at once
}

// Lateness is the distribution of how late packets left the link.
type Lateness struct {
	Packets int64         `json:"packets"` // that had a due time
	Median  time.Duration `json:"median_us"`
	P99     time.Duration `json:"p99_us"`
	Max     time.Duration `json:"max_us"`
}

// MarshalJSON writes the CPU time in microseconds, as linger.Micros.
func (h Host) MarshalJSON() ([]byte, error) {
	type plain Host
	return json.Marshal(struct {
		CPU linger.Micros `json:"cpu_us"`
		plain
	}{linger.Micros(h.CPU), plain(h)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (h *Host) UnmarshalJSON(b []byte) error {
	type plain Host
	return json.Unmarshal(b, &struct {
		CPU *linger.Micros `json:"cpu_us"`
		*plain
	}{(*linger.Micros)(&h.CPU), (*plain)(h)})
}

// MarshalJSON writes the times in microseconds, as linger.Micros.
func (l Lateness) MarshalJSON() ([]byte, error) {
	type plain Lateness
	return json.Marshal(struct {
		plain
		Median linger.Micros `json:"median_us"`
		P99    linger.Micros `json:"p99_us"`
		Max    linger.Micros `json:"max_us"`
	}{plain(l), linger.Micros(l.Median), linger.Micros(l.P99), linger.Micros(l.Max)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (l *Lateness) UnmarshalJSON(b []byte) error {
	type plain Lateness
	return json.Unmarshal(b, &struct {
		*plain
		Median *linger.Micros `json:"median_us"`
		P99    *linger.Micros `json:"p99_us"`
		Max    *linger.Micros `json:"max_us"`
	}{(*plain)(l), (*linger.Micros)(&l.Median), (*linger.Micros)(&l.P99), (*linger.Micros)(&l.Max)})
}
