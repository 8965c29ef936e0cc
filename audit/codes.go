package audit

import "slices"

// A Cause is the code of a reason why a connection was opened. The set is open: who reads
// causes must accept others.
type Cause string

const (
	// First: the client's first connection to this origin.
	First Cause = "first"
	// Concurrency: every kept connection of the pool was busy.
	Concurrency Cause = "concurrency"
	// IdleUnused: an idle, usable connection was open, and a new one was opened.
	IdleUnused Cause = "idle-unused"
	// ClientSaysClose: the request before had Connection: close, or was of HTTP/1.0
	// without keep-alive (RFC 9112, 9.3).
	ClientSaysClose Cause = "client-says-close"
	// ClientClosesAtOnce: the client closed as soon as it had the response, unannounced.
	ClientClosesAtOnce Cause = "client-closes-at-once"
	// ClientPoolFull: the same, while a constant number of others stayed idle.
	ClientPoolFull Cause = "client-pool-full"
	// ClientAborts: the client closed before the response had ended.
	ClientAborts Cause = "client-aborts"
	// ClientIdle: the client closed after idling.
	ClientIdle Cause = "client-idle"
	// ServerSaysClose: the server announced that it closes, by Connection: close,
	// HTTP/1.0 without keep-alive, or GOAWAY.
	ServerSaysClose Cause = "server-says-close"
	// ServerClosesAtOnce: the server closed as soon as it had sent the response.
	ServerClosesAtOnce Cause = "server-closes-at-once"
	// ServerIdle: the server closed after idling.
	ServerIdle Cause = "server-idle"
	// RequestLimit: the server closed after so many requests.
	RequestLimit Cause = "request-limit"
	// MaxAge: the server closed at an age.
	MaxAge Cause = "max-age"
	// Restart: several connections of one server, of different idle times and ages, ended
	// together.
	Restart Cause = "restart"
	// Race: the request left before the FIN could reach the client.
	Race Cause = "race"
	// StaleReuse: it left later.
	StaleReuse Cause = "stale-reuse"
	// SilentDrop: after idling, data was retransmitted and never answered.
	SilentDrop Cause = "silent-drop"
	// EndedBetween: a device between both ends sent one of them, or both, an RST or a FIN that the
	// other never sent. Captures of both ends tell.
	EndedBetween Cause = "ended-between"
	// Failure: a reset with something outstanding, a time-out, a response cut short.
	Failure Cause = "error"
	// NotCoalesced: an open connection of HTTP/2 or 3 to the same address has a
	// certificate that covers the name (RFC 9113, 9.1.1).
	NotCoalesced Cause = "not-coalesced"
	// OtherAddress: another address of the same name.
	OtherAddress Cause = "other-address"
	// Identity: other name or protocol than those of any open one.
	Identity Cause = "identity"
	// NoExchange: it carried none.
	NoExchange Cause = "no-exchange"
	// Undecided: the recording does not hold what decides it.
	Undecided Cause = "unknown"
)

// A Blame is whose setting ends a cause.
type Blame string

const (
	Nobodys  Blame = ""
	Clients  Blame = "client"
	Servers  Blame = "server"
	Networks Blame = "network" // NAT, firewall or load balancer in between
	Orders   Blame = "order"   // of the limits of both
)

// A CauseInfo is what is to be known of a cause.
type CauseInfo struct {
	Code      Cause
	Avoidable bool
	Whose     Blame
}

// causes are in the order in which they are told where their prices are the same.
var causes = []CauseInfo{
	{Race, true, Orders}, {StaleReuse, true, Clients}, {SilentDrop, true, Networks}, {EndedBetween, true, Networks},
	{ServerIdle, true, Servers}, {RequestLimit, true, Servers}, {MaxAge, true, Servers},
	{ServerSaysClose, true, Servers}, {ServerClosesAtOnce, true, Servers},
	{ClientSaysClose, true, Clients}, {ClientClosesAtOnce, true, Clients}, {ClientPoolFull, true, Clients},
	{ClientAborts, true, Clients}, {ClientIdle, true, Clients}, {IdleUnused, true, Clients}, {NotCoalesced, true, Clients},
	{Restart, false, Nobodys}, {Failure, false, Nobodys},
	{First, false, Nobodys}, {Concurrency, false, Nobodys}, {OtherAddress, false, Nobodys}, {Identity, false, Nobodys},
	{NoExchange, false, Nobodys}, {Undecided, false, Nobodys},
}

// Causes returns all causes that there are.
func Causes() []CauseInfo { return slices.Clone(causes) }

// Of returns what is to be known of a cause.
func (c Cause) Of() CauseInfo {
	for _, k := range causes {
		if k.Code == c {
			return k
		}
	}
	return CauseInfo{Code: c}
}

// A Certainty is how sure a cause is.
type Certainty string

const (
	Certain Certainty = "certain"
	// Proven: of IdleUnused, the idle connection turned out to be alive afterwards.
	Proven Certainty = "proven"
	Likely Certainty = "likely"
)

// A Class is what a connection was for. Others than Requests are outside of reuse, price
// and findings.
type Class string

const (
	Requests Class = ""
	// Check: a health check, periodic and of one small request.
	Check Class = "health-check"
	// Streaming: it became a tunnel, or carried a response without an end, or long polls.
	Streaming Class = "stream"
	// Datagrams: a flow of DNS over UDP, which opens nothing and keeps nothing.
	Datagrams Class = "datagrams"
)

// Codes of findings besides the causes, each of which is a code itself.
const (
	// HopReuse is how much the clients of a proxy reuse, and how much it does itself.
	HopReuse = "hop-reuse"
	// ResumptionUnused are full TLS handshakes of clients that the server had given what to
	// resume by; ResumptionRefused those that the client asked to resume and the server did not.
	ResumptionUnused  = "resumption-unused"
	ResumptionRefused = "resumption-refused"
)

// Codes of caveats.
const (
	// CaveatYoung: the recording was younger than connections may idle when most were
	// opened, so that these first ones may have had others before them.
	CaveatYoung = "young"
	// CaveatNear: client and server are on one machine or beside each other, where a
	// handshake takes next to nothing.
	CaveatNear = "near"
	// CaveatBetween: responses that passed within the client's round trip of a SYN.
	CaveatBetween = "between"
	// CaveatPools: processes behind one address may have pools of their own.
	CaveatPools = "pools"
	// CaveatMissing: bytes that passed and were not recorded.
	CaveatMissing = "missing"
	// CaveatOneWay: connections of which one direction alone was recorded.
	CaveatOneWay = "one-way"
	// CaveatInferred: encrypted connections, whose requests are concluded from sizes and times.
	CaveatInferred = "inferred"
	// CaveatInference: how far inference is off on connections that were decrypted, where there
	// are others whose requests are inferred.
	CaveatInference = "inference"
	// CaveatOpaque: encrypted connections, whose exchanges are not known.
	CaveatOpaque = "opaque"
	// CaveatSettled: causes that were decided before the recording ended, to bound memory.
	CaveatSettled = "settled"
	// CaveatFolded: connections of which requests were summed up to bound memory: when they
	// were idle in between is not known.
	CaveatFolded = "folded"
	// CaveatForgotten: clients, each once for every origin, of which all was forgotten to
	// bound memory: what they open later has no known cause.
	CaveatForgotten = "forgotten"
	// CaveatBeganBefore: connections that were open before the recording.
	CaveatBeganBefore = "began-before"
	// CaveatUndecided: connections whose cause the recording does not hold.
	CaveatUndecided = "undecided"
	// CaveatNoTrip: the client's distance from where it was recorded is not known.
	CaveatNoTrip = "no-trip"
	// CaveatUnplaced: requests whose connection has no record.
	CaveatUnplaced = "unplaced"
	// CaveatLost: records that the recorder had no room for.
	CaveatLost = "lost"
)

// Codes of caveats about what was read, which those who read it make.
const (
	CaveatFile    = "file"    // it was not read to its end
	CaveatLink    = "link"    // frames of a link type that is not read
	CaveatCut     = "cut"     // frames that were captured in part
	CaveatDropped = "dropped" // packets that the capture lost
	CaveatClock   = "clock"   // it went back
	CaveatBroken  = "broken"  // packets that could not be read
	// CaveatPlaces: files that hold the same connections, as seen in two places.
	CaveatPlaces  = "two-places"
	CaveatJoined  = "joined"  // frames that may hold several datagrams, and count as one
	CaveatEvicted = "evicted" // connections that found no room
	// Encrypted connections, where there are keys: those that have none, those of which not all
	// could be decrypted, those whose keys open nothing.
	CaveatNoKeys    = "keys-none"
	CaveatSomeKeys  = "keys-some"
	CaveatWrongKeys = "keys-wrong"
	// CaveatKeyLog: a key log in which there is no key.
	CaveatKeyLog = "keylog"
	// CaveatSource: what was read is no capture; its subject is what it is, of which
	// docs/sources.md says what it knows and what it cannot. CaveatNote: what had to be guessed
	// or left out of it.
	CaveatSource = "source"
	CaveatNote   = "note"
)
