package trace

import (
	"encoding/json"
	"time"

	"linger"
)

// What happens is held as two records: a Connection and an Exchange. A Trace has those
// of one load; a stream file has them one by one, each when it has ended. Instants are
// since the beginning of the trace, or of the stream.

// MaxID is the largest number of a connection or an exchange: the largest integer that
// float64, and so JavaScript, tells from the next one.
const MaxID = 1<<53 - 1

// A Peer is one end of a connection, or nobody.
type Peer string

const (
	Nobody   Peer = ""
	AtClient Peer = "client"
	AtServer Peer = "server"
)

// A How says how a fact is known. The set is open: a reader takes others, too.
type How string

const (
	// Seen: read by whoever recorded it from what was sent, or from its own sockets.
	Seen How = "seen"
	// Decrypted: read from what was sent, with the keys.
	Decrypted How = "decrypted"
	// Inferred: concluded from sizes, times and directions.
	Inferred How = "inferred"
	// Announced: said by one side, and not seen to be so: a protocol that was offered
	// (ALPN), the client's address in a field of a request, a line of a log.
	Announced How = "announced"
)

// A Basis is how the facts of a connection are known. What is empty is known as the
// provenance of the trace or stream has it: by whoever did the fetching, or the
// recording, itself.
type Basis struct {
	Client   How `json:"client,omitempty"`
	Server   How `json:"server,omitempty"`
	Origin   How `json:"origin,omitempty"`
	Protocol How `json:"protocol,omitempty"`
	// Requests is of the number of requests: where it is Inferred, there were at least
	// so many.
	Requests How `json:"requests,omitempty"`
	// Announced is of the announcement of an end: Inferred is a GOAWAY by its size and place.
	Announced How `json:"announced,omitempty"`
	// Closed is of when it was closed: where it is Inferred, it was by then at the latest.
	Closed How `json:"closed,omitempty"`
}

// A Signal is how the end of a connection shows. The set is open, as of How.
type Signal string

const (
	FIN         Signal = "fin"
	RST         Signal = "rst"
	CloseNotify Signal = "close_notify" // TLS (RFC 8446, 6.1)
	GOAWAY      Signal = "goaway"       // HTTP/2 and HTTP/3 (RFC 9113, 6.8; RFC 9114, 5.2)
	CloseOption Signal = "close"        // Connection: close (RFC 9112, 9.6)
	// ConnectionClose is the frame of QUIC (RFC 9000, 19.19), IdleTimeout an end that
	// nobody sends anything for (RFC 9000, 10.1).
	ConnectionClose Signal = "connection_close"
	IdleTimeout     Signal = "idle_timeout"
	// Silence: nothing more was seen, and no other end. The connection may have been
	// forgotten on the way.
	Silence Signal = "silence"
)

// A Connection is one transport connection, as the client saw it or as it passed
// whoever recorded it.
type Connection struct {
	// ID is the connection's number, from 0 to MaxID. No other of the same trace or
	// stream has it.
	ID int64 `json:"id"`
	// Client and Server are IP:port, or the IP alone where no more is known.
	Client string `json:"client,omitempty"`
	Server string `json:"server,omitempty"`
	// ForwardedFor is for whom the client acts, IP:port, as it says in the head of the PROXY
	// protocol.
	ForwardedFor string `json:"forwarded_for,omitempty"`
	// Origin is whose it is, as requests name it in Host, where there are several.
	Origin string `json:"origin,omitempty"`
	// Protocol is what was spoken on it. linger.DNSOverUDP is of a socket that connects
	// nothing: one query and its answer went over it.
	Protocol linger.Protocol `json:"protocol,omitempty"`
	// Known says how client, server, origin, protocol and requests are known.
	Known Basis `json:"known,omitzero"`
	// BeganBefore says that it was open already when the recording began. Dialled is
	// then when it was first seen; its handshakes, and what it had carried, are unknown.
	BeganBefore bool `json:"began_before,omitempty"`
	// StillOpen says that it was open when the recording ended.
	StillOpen bool `json:"still_open,omitempty"`
	// Resolving is when the look-up of the origin's name began, whose end is Dialled,
	// where there was one.
	Resolving linger.Opt[linger.Instant] `json:"resolving_us,omitzero"`
	// Dialled is when the client asked for it, where packets were seen by its first
	// SYN or Initial packet. SYN and SYNACK are when the SYN that was answered and its
	// answer passed. Established is when TCP's handshake was done at the client, or when
	// the ACK passed that ends it (QUIC has none of its own); Connected when the first
	// request might be sent, which with TLS is after its handshake and with early
	// data before; Secured when TLS's or QUIC's handshake was done at the client.
	Dialled     linger.Instant             `json:"dialled_us"`
	SYN         linger.Opt[linger.Instant] `json:"syn_us,omitzero"`
	SYNACK      linger.Opt[linger.Instant] `json:"syn_ack_us,omitzero"`
	Established linger.Opt[linger.Instant] `json:"established_us,omitzero"`
	Connected   linger.Opt[linger.Instant] `json:"connected_us,omitzero"`
	Secured     linger.Opt[linger.Instant] `json:"secured_us,omitzero"`
	// FirstByte and LastByte are when the first and the last byte that the transport
	// carries passed, in either direction; keep-alive probes and PING are none, and alerts
	// by which TLS closes are no last ones.
	FirstByte linger.Opt[linger.Instant] `json:"first_byte_us,omitzero"`
	LastByte  linger.Opt[linger.Instant] `json:"last_byte_us,omitzero"`
	// Announced is when one side first said that it was going to end the connection,
	// before either did; AnnouncedBy is which, AnnouncedWith how.
	Announced     linger.Opt[linger.Instant] `json:"announced_us,omitzero"`
	AnnouncedBy   Peer                       `json:"announced_by,omitempty"`
	AnnouncedWith Signal                     `json:"announced_with,omitempty"`
	// Closed is when the client let go of it, where packets were seen when the first
	// FIN or RST passed.
	Closed linger.Opt[linger.Instant] `json:"closed_us,omitzero"`
	// TLS is the handshake that secured it; unknown in cleartext.
	TLS linger.Opt[TLS] `json:"tls,omitzero"`
	// QUIC is what the transport was, where it was QUIC.
	QUIC linger.Opt[QUIC] `json:"quic,omitzero"`
	// IdleLimit is how long the server said that the connection may be idle, as last
	// said: over TCP in an answer of DNS (RFC 7828), with QUIC as a parameter of the
	// transport (RFC 9000, 10.1), where that is shorter than the client's own limit. What
	// an answer of HTTP/1.1 says of it stands with the exchange.
	IdleLimit linger.Opt[time.Duration] `json:"idle_limit_us,omitzero"`
	// Streams is how many requests the server allowed at once at the least, as it said:
	// SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, 6.5.2), MAX_STREAMS (RFC 9000, 4.6).
	Streams linger.Opt[int64] `json:"streams_allowed,omitzero"`
	// FastOpen is whether data in the SYN was acknowledged (RFC 7413), where that
	// was asked for.
	FastOpen linger.Opt[bool] `json:"fast_open,omitzero"`
	// ClosedBy is who ended it first, by a GOAWAY too; ClosedWith is how, where that was
	// seen; Reason says why in a few words. Released is when the other side had ended it,
	// too, by its own FIN or an RST: until then it was in CLOSE_WAIT.
	ClosedBy   Peer                       `json:"closed_by,omitempty"`
	ClosedWith Signal                     `json:"closed_with,omitempty"`
	Reason     string                     `json:"reason,omitempty"`
	Released   linger.Opt[linger.Instant] `json:"released_us,omitzero"`
	// Surplus is what came behind a response that the client had not asked for, so that
	// it let go of the connection (RFC 9112, 6.3).
	Surplus linger.Opt[Surplus] `json:"surplus,omitzero"`
	// Agent and Software are what client and server call themselves, in User-Agent and
	// Server (RFC 9110, 10.1.5 and 10.2.4), in the first request and response that do.
	Agent    string `json:"agent,omitempty"`
	Software string `json:"software,omitempty"`
	// Requests counts the requests sent on it, answered or not.
	Requests int `json:"requests"`
	// Up and Down are its packets and bytes towards the server and the client, where
	// they were counted. Missing counts the bytes that its sequence numbers show to
	// have passed and that the recording does not hold.
	Up      linger.Opt[Flow]  `json:"up,omitzero"`
	Down    linger.Opt[Flow]  `json:"down,omitzero"`
	Missing linger.Opt[int64] `json:"missing_bytes,omitzero"`
	// Probes are TCP's keep-alive probes (RFC 9293, 3.8.4) and the PING frames of
	// HTTP/2 and QUIC, where they could be told.
	Probes linger.Opt[Probes] `json:"probes,omitzero"`
	// Outstanding is what either side had sent and the other had not acknowledged when the
	// first FIN or RST passed, or where there was none, at the end; a FIN is no byte of it.
	Outstanding linger.Opt[Outstanding] `json:"outstanding,omitzero"`
	// Unanswered are the retransmissions at the end that nothing came back for: no
	// acknowledgement, no data, no FIN and no RST of the other side.
	Unanswered linger.Opt[Unanswered] `json:"unanswered,omitzero"`
	// GoAway is the first GOAWAY of HTTP/2 or HTTP/3, where one could be read.
	GoAway linger.Opt[GoAway] `json:"goaway,omitzero"`
	// Turns counts the exchanges that sizes, times and directions alone tell where what was
	// said is encrypted: where several may be under way at once, there were at least so many,
	// but for what QUIC sends again, which cannot be told.
	// Of what was decrypted too, so that both can be held against each other.
	Turns linger.Opt[int64] `json:"turns,omitzero"`
	// Within is the ID of the connection whose tunnel carried it (CONNECT; RFC 9110,
	// 9.3.6).
	Within linger.Opt[int64] `json:"within,omitzero"`
	// Stream is the number that Wireshark gives it in the file of its first frame:
	// tcp.stream, or udp.stream of what runs over UDP.
	Stream linger.Opt[int64] `json:"stream,omitzero"`
	// Frames is where it stands in what was read, so that anybody can look there.
	// ClosedFrame is the frame of the first FIN or RST, as Closed; 0 is none.
	Frames      Frames `json:"frames,omitzero"`
	ClosedFrame int64  `json:"closed_frame,omitempty"`
	// SequenceUp and SequenceDown are TCP's initial sequence numbers of the client and the
	// server (RFC 9293, 3.4.1), where their SYNs were seen. With them the records of one
	// connection are found that were made in two places.
	SequenceUp   linger.Opt[int64] `json:"sequence_up,omitzero"`
	SequenceDown linger.Opt[int64] `json:"sequence_down,omitzero"`
	// Between is what a device between both ends did to the connection, where records of both
	// ends were joined; unknown is of one end alone, too.
	Between linger.Opt[Between] `json:"between,omitzero"`
}

// An Act is what a device between both ends does to a connection. The set is open, as of How.
type Act string

const (
	// ActReset: an RST came to one end, or to both, which the other never sent.
	ActReset Act = "reset"
	// ActForgot: what one end sent on an open connection never came to the other, and was not
	// answered, or by an RST that the other end did not send.
	ActForgot Act = "forgot"
	// ActClosed: a FIN came to one end which the other never sent.
	ActClosed Act = "closed"
)

// Between is what a device between both ends did to a connection.
type Between struct {
	Act Act `json:"act"`
	// At is from when on the connection could not be used, To to whom the device sent what
	// ended it; Nobody is to both, or that it sent nothing.
	At linger.Instant `json:"at_us"`
	To Peer           `json:"to"`
}

// GoAway says that a connection takes no new requests (RFC 9113, 6.8; RFC 9114, 5.2).
type GoAway struct {
	By Peer           `json:"by"`
	At linger.Instant `json:"at_us"`
	// Code is the name of its error code, "NO_ERROR"; HTTP/3 gives none. Last is the last
	// stream that may have been served, Debug what it said beside, cut and as UTF-8.
	Code  string `json:"code,omitempty"`
	Last  int64  `json:"last_stream"`
	Debug string `json:"debug,omitempty"`
}

// Outstanding counts the bytes that were sent in either direction and not acknowledged.
type Outstanding struct {
	Up   int64 `json:"up"`
	Down int64 `json:"down"`
}

// Unanswered counts retransmissions that nothing came back for.
type Unanswered struct {
	By   Peer  `json:"by"`   // who sent them
	Sent int64 `json:"sent"` // how many, the data's first transmission apart
	// Since is when the data was sent for the first time.
	Since linger.Instant `json:"since_us"`
}

// Surplus are bytes that belong to no response that was waited for.
type Surplus struct {
	Bytes int64  `json:"bytes"` // that had come when the first of them were seen
	Text  string `json:"text"`  // the first, escaped
}

// Probes are the messages by which the sides of a connection ask whether it still is.
type Probes struct {
	Sent     int64 `json:"sent"`
	Answered int64 `json:"answered"`
	// Alive is when the last answer passed.
	Alive linger.Opt[linger.Instant] `json:"alive_us,omitzero"`
}

// Frames are the numbers, from 1, of the first and the last frame of a capture, line of
// a log or entry of a HAR that a record comes from; 0 is none. FirstFile and LastFile are
// the indices of the files that they are in, in Stream.Files.
type Frames struct {
	First     int64 `json:"first,omitempty"`
	Last      int64 `json:"last,omitempty"`
	FirstFile int   `json:"first_file,omitempty"`
	LastFile  int   `json:"last_file,omitempty"`
}

// TLS is one TLS handshake as the client saw it, over TCP or inside QUIC.
type TLS struct {
	// ServerName is the name that the client asked for (SNI; RFC 6066, 3), with ECH the
	// outer one. Offered is what the client said it can speak (ALPN; RFC 7301), Names
	// what the server's certificate is good for: names and addresses of
	// subjectAltName, where it was seen.
	ServerName string   `json:"server_name,omitempty"`
	Offered    []string `json:"alpn_offered,omitempty"`
	Names      []string `json:"certificate_names,omitempty"`

	Version string `json:"version"` // "1.3"
	ALPN    string `json:"alpn"`    // what the server chose: "h2", "" for none
	Cipher  string `json:"cipher"`
	Resumed bool   `json:"resumed"` // by a ticket: no certificate, no signature
	// EarlyData is whether the server took the early data that was sent.
	EarlyData linger.Opt[bool] `json:"early_data,omitzero"`
	// Up and Down are the bytes of the handshake, TLS records over TCP and CRYPTO
	// frames in QUIC; session tickets, which come after it, are not in them. 0 is
	// unknown, for no handshake has none.
	Up   int64 `json:"handshake_up_bytes"`
	Down int64 `json:"handshake_down_bytes"`
	// Certificates is the size of the server's chain in DER, in bytes; 0 if resumed, or
	// where it passed encrypted.
	Certificates int64 `json:"certificate_bytes"`

	// What follows is of recordings, as far as it was in the clear or could be decrypted.

	// Asked says that the client asked to resume, by a ticket, a session's ID or a
	// pre-shared key, whether the server did or not; Tickets is how many session tickets
	// the server sent. Both are unknown where they cannot be seen.
	Asked   linger.Opt[bool]  `json:"resumption_asked,omitzero"`
	Tickets linger.Opt[int64] `json:"tickets,omitzero"`
	// Lifetime is for how long the server said that its tickets are good, the longest
	// (RFC 8446, 4.6.1; RFC 5077, 3.3). Session says that it gave a session an ID by which
	// to resume it (RFC 5246, 7.4.1.3); TLS 1.3 has none.
	Lifetime linger.Opt[time.Duration] `json:"ticket_lifetime_us,omitzero"`
	Session  bool                      `json:"session_id,omitempty"`
	// Retried says that the server wanted another hello (HelloRetryRequest; RFC 8446,
	// 4.1.4), which costs a round trip. ECH says that the client's hello has an encrypted
	// one inside, which names whom it really asks for.
	Retried bool `json:"hello_retried,omitempty"`
	ECH     bool `json:"ech,omitempty"`
	// Keys is how much of what was encrypted could be decrypted; empty where no keys were
	// given.
	Keys Keys `json:"keys,omitempty"`
	// Notified are those who sent close_notify (RFC 8446, 6.1) before the connection was
	// closed, in their order: one behind the other side's FIN ends nothing. Alert is
	// the name of the first other alert, AlertBy who sent it.
	Notified []Peer `json:"close_notify_by,omitempty"`
	Alert    string `json:"alert,omitempty"`
	AlertBy  Peer   `json:"alert_by,omitempty"`
}

// Keys is how much of a connection the keys that were given decrypt. The set is open, as of
// How.
type Keys string

const (
	NoKeys    Keys = "none"  // there are keys, of other connections
	AllKeys   Keys = "all"   // everything that was captured
	SomeKeys  Keys = "some"  // not everything: a gap, an end of the capture, a key that lacks
	WrongKeys Keys = "wrong" // they are of this connection, and open nothing
)

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
	// Migrations counts the times that the client went on from another address or port
	// (RFC 9000, 9), as the recording shows.
	Migrations int64 `json:"migrations,omitzero"`
	// RTT is the client's smoothed estimate at the end.
	RTT time.Duration `json:"rtt_us"`
}

// An Exchange is one request with what came of it. Instants that were not
// reached are unknown.
type Exchange struct {
	// ID is the index of the exchange in the workload; of a stream its number, from 0
	// to MaxID, in the order in which the exchanges began.
	ID int `json:"id"`
	// Client is who asked, as Connection.Client, where no connection's record says it.
	Client string `json:"client,omitempty"`
	// Method and URL are the request's. Of a query of DNS they are the type asked for
	// and a dns URL: "A", "dns://192.0.2.1/www.example?type=A" (RFC 4501).
	Method string `json:"method"`
	URL    string `json:"url"`
	// Connection is the ID of the last connection that it was sent on; -1 is none, or
	// not known which.
	Connection int64 `json:"connection"`
	// Number is which request it was on that connection, from 1, of those that were
	// recorded; 0 is unknown.
	Number int `json:"number,omitempty"`
	// Stream is the exchange's stream of HTTP/2 or QUIC on that connection, where it was seen.
	Stream linger.Opt[int64] `json:"stream,omitzero"`
	// Attempts is how often it was sent; 0 is from a cache, or never. Earlier are the
	// attempts before the last one, in their order, where more is known of them.
	Attempts int       `json:"attempts"`
	Earlier  []Attempt `json:"earlier,omitempty"`
	// Known is how there is known to have been an exchange, and of what size; empty is
	// as in Basis.
	Known  How `json:"known,omitempty"`
	Status int `json:"status,omitempty"`
	// Rcode is the response code of an answer of DNS: "NOERROR", "NXDOMAIN".
	Rcode string `json:"rcode,omitempty"`
	// Truncated says that an answer over UDP had been cut (TC), so that the query was
	// asked again over TCP.
	Truncated bool `json:"truncated,omitempty"`
	// Asked and Answered are what request and response say of the connection's future.
	Asked    Said `json:"asked,omitzero"`
	Answered Said `json:"answered,omitzero"`
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
	// Queued is when the client wanted it, and where only the request was seen, when that
	// was. Sent is when the request was handed to the kernel, or its first byte passed
	// (last attempt; of a retransmitted datagram the first time, since nobody knows
	// which one is answered), FirstByte and Done when the response's first and
	// last byte were read, or passed.
	Queued    linger.Instant             `json:"queued_us"`
	Sent      linger.Opt[linger.Instant] `json:"sent_us,omitzero"`
	FirstByte linger.Opt[linger.Instant] `json:"first_byte_us,omitzero"`
	Done      linger.Opt[linger.Instant] `json:"done_us,omitzero"`
	// DoneBy is by when all of it was over at the latest, where nobody said when the response
	// ended, or whether: Done is unknown then.
	DoneBy linger.Opt[linger.Instant] `json:"done_by_us,omitzero"`
	// Dropped is when either side gave up its stream (RST_STREAM; RFC 9113, 6.4; RESET_STREAM
	// and STOP_SENDING; RFC 9000, 19.4 and 19.5), where that was seen.
	Dropped linger.Opt[linger.Instant] `json:"dropped_us,omitzero"`
	// Bytes sent and received at the HTTP level, last attempt. A body's bytes are
	// those of the content, without chunked framing; heads count the rest, and 0 is a
	// head whose size is unknown. Of DNS the bodies are the messages, and the heads what
	// HTTP or the length before each adds. Of what is inferred from encrypted bytes the
	// bodies are all of them.
	RequestHead  int64 `json:"request_head"`
	RequestBody  int64 `json:"request_body"`
	ResponseHead int64 `json:"response_head"`
	ResponseBody int64 `json:"response_body"`
	// Blocked is for how long whoever sent a body had no window left for it, of the stream or
	// of the connection (RFC 9113, 5.2; RFC 9000, 4.1), where that was seen.
	Blocked linger.Opt[time.Duration] `json:"blocked_us,omitzero"`
	// Credentials says that the request carried some (Authorization, Cookie), where that was
	// seen.
	Credentials bool `json:"credentials,omitempty"`
	// Failed is the reason in a few words, empty when it was delivered in full.
	Failed string `json:"failed,omitempty"`
	// Frames is where it stands in what was read, from the request's first byte to the
	// response's last; AnswerFrames is where the response alone does, from its head on.
	Frames       Frames `json:"frames,omitzero"`
	AnswerFrames Frames `json:"answer_frames,omitzero"`
}

// An Attempt is a time that a request was sent and not answered, so that it was sent
// again (RFC 9110, 9.2.2).
type Attempt struct {
	Connection int64                      `json:"connection"`
	Number     int                        `json:"number,omitempty"`
	Sent       linger.Opt[linger.Instant] `json:"sent_us,omitzero"`
	// Failed is why nothing came of it, in a few words.
	Failed string `json:"failed,omitempty"`
}

// Said is what one message says of whether its connection persists: "A recipient
// determines whether a connection is persistent or not based on the protocol version and
// Connection header field [...] in the most recently received message" (RFC 9112, 9.3). Fields are as they were sent; messages of HTTP/2 and later have none.
type Said struct {
	Version    string `json:"version,omitempty"` // "1.0", "1.1"
	Connection string `json:"connection,omitempty"`
	KeepAlive  string `json:"keep_alive,omitempty"` // "timeout=5, max=100"
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
	// Stalls counts those retransmissions before which nothing at all had been sent, by
	// either side, for so long that no acknowledgement can have asked for them (IsStall):
	// the sender had waited for a timer, a probe's or the retransmission timeout (RFC 8985,
	// 7; RFC 6298). Stalled is how long these silences were together. Both are of the lab
	// and of predictions, and of TCP.
	Stalls  int64                     `json:"stalls,omitzero"`
	Stalled linger.Opt[time.Duration] `json:"stalled_us,omitzero"`
	// DroppedQueue and DroppedLoss count the packets of this flow that the link
	// dropped: for want of room, and by its loss.
	DroppedQueue int64 `json:"dropped_queue"`
	DroppedLoss  int64 `json:"dropped_loss"`
}

// Bytes returns the bytes of all IP packets.
func (f Flow) Bytes() int64 { return f.Header + f.Payload }

// IsStall reports whether a retransmission after such a silence of its connection is one by
// a timer. What acknowledgements ask for comes half a round trip after them, later by what
// they wait in a queue, and by RACK's reordering window; a tail loss probe waits for two
// round trips from there (RFC 8985, 6.2 and 7.2). The handshake took one.
func IsStall(silence, handshake time.Duration) bool {
	return silence > max(2*handshake, 50*time.Millisecond)
}

// Stall counts a retransmission that ended such a silence.
func (f *Flow) Stall(silence time.Duration) {
	f.Stalls++
	f.Stalled = linger.Known(f.Stalled.Or(0) + silence)
}

// MarshalJSON writes the RTT in microseconds, as linger.Micros.
func (q QUIC) MarshalJSON() ([]byte, error) {
	type plain QUIC
	return json.Marshal(struct {
		plain
		RTT linger.Micros `json:"rtt_us"`
	}{plain(q), linger.Micros(q.RTT)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (q *QUIC) UnmarshalJSON(b []byte) error {
	type plain QUIC
	return json.Unmarshal(b, &struct {
		*plain
		RTT *linger.Micros `json:"rtt_us"`
	}{(*plain)(q), (*linger.Micros)(&q.RTT)})
}

// Joined is what came of joining the records of both ends. Counts are of connections over TCP.
type Joined struct {
	// Matched are those that both captures hold, Sure those of them that both initial sequence
	// numbers tell; of the others addresses, ports and times do. Translated are those whose
	// addresses or ports differ.
	Matched    int `json:"matched"`
	Sure       int `json:"certain"`
	Translated int `json:"translated,omitempty"`
	// OnlyClient and OnlyServer are those that one capture alone holds, though the other was
	// taken at that time; Outside were there when the other was not taken.
	OnlyClient int `json:"only_at_client,omitempty"`
	OnlyServer int `json:"only_at_server,omitempty"`
	Outside    int `json:"outside,omitempty"`
	// Unheld are those of the server's capture that found no room.
	Unheld int `json:"unheld,omitempty"`
	// Reset, Forgot and Closed count what was done in between, as Act has it. SYNs are
	// connections of which a SYN did not come to the server.
	Reset  int `json:"reset_between,omitempty"`
	Forgot int `json:"forgotten_between,omitempty"`
	Closed int `json:"closed_between,omitempty"`
	SYNs   int `json:"syns_lost,omitempty"`
	// Up and Down are the packets that were sent towards the server and the client, and how many
	// of them did not come, of connections that both hold whole and nothing joined or split.
	Up   Path `json:"up,omitzero"`
	Down Path `json:"down,omitzero"`
	// Clock is how the server's clock is to the client's.
	Clock linger.Opt[Clock] `json:"clock,omitzero"`
	// RTT is the shortest round trip between both places, in ms.
	RTT linger.Opt[float64] `json:"round_trip_ms,omitzero"`
}

// A Path counts the packets of a direction.
type Path struct {
	Sent int64 `json:"sent_packets"`
	Lost int64 `json:"lost_packets"`
}

// A Clock is how the server's clock is to the client's.
type Clock struct {
	// Offset is how far the server's is ahead of the client's, in ms, as the first handshake of
	// both captures passed; Error is by how much it may be off.
	Offset float64 `json:"offset_ms"`
	Error  float64 `json:"error_ms"`
	// Drift is how much faster it goes, in parts of a million, where captures are long enough.
	Drift linger.Opt[float64] `json:"drift_ppm,omitzero"`
	// Handshakes is how many there were to tell, Jumps how often one of both clocks was set.
	Handshakes int `json:"handshakes"`
	Jumps      int `json:"jumps,omitempty"`
}
