// Package trace holds what happened: connections, exchanges and packets, when,
// seen from where, known how. Engines write traces; what comes after only reads
// them, and does not know which engine wrote.
package trace

import (
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
	Ended       linger.Instant `json:"ended_ns"`
	Connections []Connection   `json:"connections"`
	Exchanges   []Exchange     `json:"exchanges"`
	// Retries counts requests sent again because a kept connection turned out to
	// be closed (RFC 9110, 9.2.2).
	Retries int `json:"retries"`
	// Client and Server are what each side spent, where it could be seen.
	Client linger.Opt[Host] `json:"client,omitzero"`
	Server linger.Opt[Host] `json:"server,omitzero"`
	// Ledger is what crossed the link, where it could be seen.
	Ledger linger.Opt[Ledger] `json:"ledger,omitzero"`
	// Interrupted says that the run was stopped before it had ended.
	Interrupted bool `json:"interrupted,omitempty"`
	// Recipe is the workload that was fetched, where the source has it and not only
	// what came of it.
	Recipe linger.Opt[linger.Workload] `json:"-"`
	// Notes say what whoever wrote the trace had to guess or leave out, a
	// sentence each.
	Notes []string `json:"notes,omitempty"`
}

// A Peer is one end of a connection, or nobody.
type Peer string

const (
	Nobody   Peer = ""
	AtClient Peer = "client"
	AtServer Peer = "server"
)

// A Connection is one transport connection as the client saw it.
type Connection struct {
	ID     int    `json:"id"`
	Local  string `json:"local,omitempty"`  // IP:port
	Remote string `json:"remote,omitempty"` // IP:port
	// Origin is whose it is, as requests name it in Host, where there are several.
	Origin string `json:"origin,omitempty"`
	// Protocol is what was spoken on it: "http/1.0", "http/1.1", "h2" or "h3"; of DNS
	// "tcp", "dot", "doh", "doh3" or "doq", and "udp" for a socket that connects
	// nothing: one query and its answer went over it.
	Protocol string `json:"protocol,omitempty"`
	// Resolving is when the look-up of the origin's name began, whose end is Dialled,
	// where there was one.
	Resolving linger.Opt[linger.Instant] `json:"resolving_ns,omitzero"`
	// Dialled is when the client asked for it; Established when TCP's handshake was
	// done at the client (QUIC has none of its own); Connected when the first
	// request might be sent, which with TLS is after its handshake and with early
	// data before; Secured when TLS's or QUIC's handshake was done at the client;
	// Closed when the client let go of it.
	Dialled     linger.Instant             `json:"dialled_ns"`
	Established linger.Opt[linger.Instant] `json:"established_ns,omitzero"`
	Connected   linger.Opt[linger.Instant] `json:"connected_ns,omitzero"`
	Secured     linger.Opt[linger.Instant] `json:"secured_ns,omitzero"`
	Closed      linger.Opt[linger.Instant] `json:"closed_ns,omitzero"`
	// TLS is the handshake that secured it; unknown in cleartext.
	TLS linger.Opt[TLS] `json:"tls,omitzero"`
	// QUIC is what the transport was, where it was QUIC.
	QUIC linger.Opt[QUIC] `json:"quic,omitzero"`
	// IdleLimit is how long the server said that the connection may be idle, as last
	// said: over TCP in an answer of DNS (RFC 7828), with QUIC as a parameter of the
	// transport (RFC 9000, 10.1), where that is shorter than the client's own limit.
	IdleLimit linger.Opt[time.Duration] `json:"idle_limit_ns,omitzero"`
	// FastOpen is whether data in the SYN was acknowledged (RFC 7413), where that
	// was asked for.
	FastOpen linger.Opt[bool] `json:"fast_open,omitzero"`
	// ClosedBy is who ended it first, by a GOAWAY too; Reason says why in a few words.
	ClosedBy Peer   `json:"closed_by,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Requests counts the requests sent on it, answered or not.
	Requests int `json:"requests"`
}

// TLS is one TLS handshake as the client saw it, over TCP or inside QUIC.
type TLS struct {
	Version string `json:"version"` // "1.3"
	ALPN    string `json:"alpn"`    // what the server chose: "h2", "" for none
	Cipher  string `json:"cipher"`
	Resumed bool   `json:"resumed"` // by a ticket: no certificate, no signature
	// EarlyData is whether the server took the early data that was sent.
	EarlyData linger.Opt[bool] `json:"early_data,omitzero"`
	// Up and Down are the bytes of the handshake, TLS records over TCP and CRYPTO
	// frames in QUIC; session tickets, which come after it, are not in them.
	Up   int64 `json:"handshake_up_bytes"`
	Down int64 `json:"handshake_down_bytes"`
	// Certificates is the size of the server's chain in DER, in bytes; 0 if resumed.
	Certificates int64 `json:"certificate_bytes"`
}

// QUIC is what one QUIC connection turned out to be.
type QUIC struct {
	Version string `json:"version"` // "1" or "2"
	// Retry says that the server validated the client's address by a Retry packet,
	// which costs a round trip (RFC 9000, 8.1.2).
	Retry bool `json:"retry"`
	// Stack is the implementation, with what its congestion control begins with and
	// does, where that is known: the transport is the program's, not the kernel's.
	Stack string `json:"stack,omitempty"`
	// Lost counts the packets that the client's own recovery declared lost.
	Lost int64 `json:"lost"`
	// RTT is the client's smoothed estimate at the end.
	RTT time.Duration `json:"rtt_ns"`
}

// An Exchange is one request with what came of it. Instants that were not
// reached are unknown.
type Exchange struct {
	// ID is the index of the exchange in the workload.
	ID int `json:"id"`
	// Method and URL are the request's. Of a query of DNS they are the type asked for
	// and a dns URL: "A", "dns://192.0.2.1/www.example?type=A" (RFC 4501).
	Method     string `json:"method"`
	URL        string `json:"url"`
	Connection int    `json:"connection"` // ID of the last connection that it was sent on; -1 is none
	Attempts   int    `json:"attempts"`   // times it was sent; 0 is from a cache, or never
	Status     int    `json:"status,omitempty"`
	// Rcode is the response code of an answer of DNS: "NOERROR", "NXDOMAIN".
	Rcode string `json:"rcode,omitempty"`
	// Truncated says that an answer over UDP had been cut (TC), so that the query was
	// asked again over TCP.
	Truncated bool `json:"truncated,omitempty"`
	// ContentType is the response's media type without its parameters, Redirect
	// the absolute URL that it points on to, Page the page load that the exchange
	// belongs to, each empty where the source does not say.
	ContentType string `json:"content_type,omitempty"`
	Redirect    string `json:"redirect,omitempty"`
	Page        string `json:"page,omitempty"`
	// Initiator is the absolute URL of what caused the exchange, as whoever recorded it
	// says, Referer the one in the request's field of that name; empty where the
	// source does not say.
	Initiator string `json:"initiator,omitempty"`
	Referer   string `json:"referer,omitempty"`
	// Queued is when the client wanted it, Sent when the request was handed to
	// the kernel (last attempt; of a datagram that was sent again the first time,
	// since nobody knows which one is answered), FirstByte and Done when the response's first and
	// last byte were read.
	Queued    linger.Instant             `json:"queued_ns"`
	Sent      linger.Opt[linger.Instant] `json:"sent_ns,omitzero"`
	FirstByte linger.Opt[linger.Instant] `json:"first_byte_ns,omitzero"`
	Done      linger.Opt[linger.Instant] `json:"done_ns,omitzero"`
	// Bytes sent and received at the HTTP level, last attempt. A body's bytes are
	// those of the content, without chunked framing; heads count the rest. Of DNS the
	// bodies are the messages, and the heads what HTTP or the length before each adds.
	RequestHead  int64 `json:"request_head"`
	RequestBody  int64 `json:"request_body"`
	ResponseHead int64 `json:"response_head"`
	ResponseBody int64 `json:"response_body"`
	// Failed is the reason in a few words, empty when it was delivered in full.
	Failed string `json:"failed,omitempty"`
}

// A Host is what one side spent on one trial. Where the side is several hosts it is
// their sum; of the peaks, each at its own time, so that it is not less than the
// side's own.
type Host struct {
	// CPU is user and system time of the side's own process, from the first
	// request to the last; what the kernel does for it while it handles an
	// arriving packet is charged to the lab and not in here.
	CPU time.Duration `json:"cpu_ns"`
	// Sockets counts TCP sockets by state, as socket diagnostics list them, each
	// at its own peak: "ESTABLISHED", "TIME_WAIT", ...
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
}

// Since returns the ledger without the connections that began before an instant,
// such as an earlier visit's. Lateness and the peak of the queue stay those of all.
func (l Ledger) Since(began time.Time) Ledger {
	kept := make([]Flows, 0, len(l.Connections))
	for _, f := range l.Connections {
		if f.First.Before(began) {
			l.Up, l.Down = l.Up.less(f.Up), l.Down.less(f.Down)
			continue
		}
		kept = append(kept, f)
	}
	l.Connections = kept
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
	Protocol string    `json:"protocol"` // "tcp", "udp", "icmp" or "ip"
	Client   string    `json:"client"`   // IP:port
	Server   string    `json:"server"`   // IP:port
	First    time.Time `json:"first"`    // when the first packet was sent
	Last     time.Time `json:"last"`
	Up       Flow      `json:"up"`
	Down     Flow      `json:"down"`
	// ClosedBy is who sent the first FIN or RST.
	ClosedBy Peer `json:"closed_by,omitempty"`
}

// Flow is one direction of a connection. Bytes are of whole IP packets, which
// is Header plus Payload; link-layer framing is not counted.
type Flow struct {
	Packets int64 `json:"packets"`
	Header  int64 `json:"header_bytes"`  // IP and transport headers
	Payload int64 `json:"payload_bytes"` // what the transport carries, retransmissions included
	SYN     int64 `json:"syn"`
	FIN     int64 `json:"fin"`
	RST     int64 `json:"rst"`
	// Initial counts the datagrams that begin with an Initial packet of QUIC, the
	// first of each connection (RFC 9000, 17.2.2; RFC 9369, 3.2).
	Initial int64 `json:"initial,omitempty"`
	// Retransmitted counts packets with payload, SYN or FIN whose sequence
	// numbers had all been sent before; RetransmittedBytes is their payload.
	Retransmitted      int64 `json:"retransmitted"`
	RetransmittedBytes int64 `json:"retransmitted_bytes"`
	// DroppedQueue and DroppedLoss count the packets of this flow that the link
	// dropped: for want of room, and by its loss.
	DroppedQueue int64 `json:"dropped_queue"`
	DroppedLoss  int64 `json:"dropped_loss"`
}

// IsQUIC reports whether the client began a QUIC connection on this flow.
func (f Flows) IsQUIC() bool { return f.Protocol == "udp" && f.Up.Initial > 0 }

// Bytes returns the bytes of all IP packets.
func (f Flow) Bytes() int64 { return f.Header + f.Payload }

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
	Median  time.Duration `json:"median_ns"`
	P99     time.Duration `json:"p99_ns"`
	Max     time.Duration `json:"max_ns"`
}
