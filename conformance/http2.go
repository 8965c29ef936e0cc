package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/profile"
)

var http2Cases = []row{
	{"h2-settings-first", "begins with SETTINGS", linger.H2, "RFC 9113, 3.4", profile.Must, ""},
	{"h2-settings-acknowledged", "acknowledges SETTINGS", linger.H2, "RFC 9113, 6.5.3", profile.Must, ""},
	{"h2-ping-answered", "answers PING", linger.H2, "RFC 9113, 6.7", profile.Must, ""},
	{"h2-connection-fields", "sends no fields of HTTP/1's connections", linger.H2, "RFC 9113, 8.2.2", profile.Must, ""},
	{"h2-stream-limit", "refuses the stream that is one too many, and keeps the connection", linger.H2, "RFC 9113, 5.1.2 and 5.4.1", profile.Advice, ""},
	{"h2-usable", "takes requests on a connection on which HTTP/2 is agreed upon", linger.H2, "RFC 9113, 5.1.2, 6.5.2 and 6.8", profile.Advice, ""},
	{"h2-parallel", "allows more than one request at once", linger.H2, "RFC 9113, 6.5.2", profile.Advice, ""},
	{"goaway-idle", "says GOAWAY before it closes an idle connection", linger.H2, "RFC 9113, 6.8", profile.Should, ""},
	{"goaway-last-request", "says GOAWAY before it closes a connection whose requests are used up", linger.H2, "RFC 9113, 6.8", profile.Should, ""},
	{"goaway-last-stream", "names in GOAWAY the last stream that it processed", linger.H2, "RFC 9113, 6.8", profile.Must, "lying-goaway"},
	{"goaway-in-time", "leaves time between a GOAWAY that names no stream and its close", linger.H2, "RFC 9113, 6.8", profile.Should, ""},
	{"goaway-never-rises", "names no higher stream in a later GOAWAY", linger.H2, "RFC 9113, 6.8", profile.Must, ""},
}

// Greeting is how a server begins a connection of HTTP/2: what came of its preface, of
// SETTINGS, and of PING, as far as that was tried.
type Greeting struct {
	First    string // frame: "SETTINGS"
	Settings bool   // it was that
	// Acknowledged is what became of our SETTINGS, Ponged of our PING; Why is of Garbled.
	Acknowledged, Ponged Next
	Why                  string
	Took                 time.Duration // of PING
	Within               time.Duration
}

// Judge decides h2-settings-first, h2-settings-acknowledged and h2-ping-answered.
func (f Greeting) Judge() []profile.Result {
	return one(func(r *ruling) {
		// RFC 9113, 3.4: "The server connection preface consists of a potentially empty
		// SETTINGS frame (Section 6.5) that MUST be the first frame the server sends in the
		// HTTP/2 connection."
		if f.Settings {
			r.pass("h2-settings-first", "its first frame was SETTINGS")
		} else {
			r.broken("h2-settings-first", "its first frame was %s", f.First)
		}
		// RFC 9113, 6.5.3: "Once all values have been processed, the recipient MUST
		// immediately emit a SETTINGS frame with the ACK flag set."
		switch f.Acknowledged {
		case Answered:
			r.pass("h2-settings-acknowledged", "SETTINGS was acknowledged")
		case Silent:
			r.broken("h2-settings-acknowledged", "SETTINGS was not acknowledged within %v", f.Within)
		case Garbled:
			r.unmeasured("h2-settings-acknowledged", "%s", f.Why)
		}
		// RFC 9113, 6.7: "Receivers of a PING frame that does not include an ACK flag
		// MUST send a PING frame with the ACK flag set in response, with an identical
		// frame payload."
		switch f.Ponged {
		case Answered:
			r.pass("h2-ping-answered", "PING was answered after %v", f.Took.Round(10*time.Microsecond)).by(milliseconds("took", f.Took))
		case Silent:
			r.broken("h2-ping-answered", "PING was not answered within %v", f.Within)
		case Garbled:
			r.unmeasured("h2-ping-answered", "%s", f.Why)
		}
	})
}

// Fields are the names of a response's fields, of HTTP/2 or HTTP/3.
type Fields struct {
	Protocol linger.Protocol // HTTP/2 or HTTP/3
	Status   int
	Names    []string
}

// Judge decides h2-connection-fields or h3-connection-fields.
func (f Fields) Judge() []profile.Result {
	// RFC 9113, 8.2.2: "An endpoint MUST NOT generate an HTTP/2 message containing
	// connection-specific header fields." RFC 9114, 4.2: "An endpoint MUST NOT generate an
	// HTTP/3 field section containing connection-specific fields".
	id := f.Protocol.Short() + "-connection-fields"
	return one(func(r *ruling) {
		if found := f.ofConnections(); len(found) > 0 {
			r.broken(id, "a response (%d) has the field %s", f.Status, strings.Join(found, ", "))
		} else {
			r.pass(id, "a response (%d) has none", f.Status)
		}
	})
}

// ofConnections are the fields that HTTP/2 and HTTP/3 have no use for.
func (f Fields) ofConnections() []string {
	var found []string
	for _, name := range f.Names {
		switch strings.ToLower(name) {
		case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
			found = append(found, name)
		}
	}
	return found
}

// Use is what came of the first request on a connection of HTTP/2.
type Use struct {
	Answered bool
	Refused  bool // no stream may be opened, or none is processed
	Tried    int  // how often it was asked
	Why      string
	// Allowed is SETTINGS_MAX_CONCURRENT_STREAMS, as it stood last.
	Allowed linger.Opt[uint64]
	Within  time.Duration
}

// Judge decides h2-usable and h2-parallel.
func (f Use) Judge() []profile.Result {
	const usable, parallel = "h2-usable", "h2-parallel"
	allowed, said := f.Allowed.Get()
	return one(func(r *ruling) {
		switch {
		case f.Answered:
			r.pass(usable, "a request was answered")
		// RFC 9113, 6.5.2: "Servers SHOULD only set a zero value for short durations; if a
		// server does not wish to accept requests, closing the connection is more
		// appropriate."
		case said && allowed == 0:
			r.broken(usable, "it allows no stream (SETTINGS_MAX_CONCURRENT_STREAMS 0), and for %v nothing changed that: nobody can use HTTP/2 here", f.Within).
				by(counted("allowed", 0))
		case f.Refused && f.Tried > 1:
			r.broken(usable, "%d requests were refused, one after the other: nobody can use HTTP/2 here; %s", f.Tried, f.Why)
		case f.Refused:
			r.broken(usable, "no request was taken: %s", f.Why)
		default:
			r.unmeasured(usable, "%s", f.Why)
		}
		// RFC 9113, 6.5.2: "It is recommended that this value be no smaller than 100, so as
		// to not unnecessarily limit parallelism."
		switch {
		case said && allowed == 0:
			r.unmeasured(parallel, "it allows no stream at all; see h2-usable")
		case said && allowed == 1:
			r.broken(parallel, "it allows one stream at once (SETTINGS_MAX_CONCURRENT_STREAMS 1): requests are serialized, as on a connection of HTTP/1.1").
				by(counted("allowed", 1))
		case said:
			r.pass(parallel, "it allows %d streams at once", allowed).by(counted("allowed", int(min(allowed, 1<<31))))
		default:
			r.pass(parallel, "it announces no limit of streams")
		}
	})
}

// IdleHTTP2 is how idle connections of HTTP/2 were ended.
type IdleHTTP2 struct {
	Limit   profile.Timeout
	Without int // of those that were ended: without GOAWAY
	Abrupt  int // closed at once behind a GOAWAY that named no stream (2^31-1)
}

// Judge decides goaway-idle.
func (f IdleHTTP2) Judge() []profile.Result {
	// RFC 9113, 6.8: "Endpoints SHOULD always send a GOAWAY frame before closing a
	// connection so that the remote peer can know whether a stream has been partially
	// processed or not."
	const id = "goaway-idle"
	return one(func(r *ruling) {
		switch {
		case f.Limit.State != profile.Measured:
			r.unmeasured(id, "no idle connection was ended")
		case f.Without > 0:
			r.broken(id, "%d of %d idle connections were ended without one (%s)", f.Without, f.Limit.N, f.Limit.Ending).
				by(counted("without", f.Without), counted("connections", f.Limit.N))
		case f.Abrupt > 0:
			r.broken(id, "%d of %d idle connections were closed at once behind a GOAWAY that names no stream (2^31-1): %s", f.Abrupt, f.Limit.N, unknowable).
				by(counted("abrupt", f.Abrupt), counted("connections", f.Limit.N))
		case f.Limit.Closing != nil && f.Limit.Closing.Error:
			r.pass(id, "all %d idle connections were ended by one, with an error: %s", f.Limit.N, f.Limit.Closing).by(counted("without", 0), counted("connections", f.Limit.N))
		default:
			r.pass(id, "all %d idle connections were ended by one", f.Limit.N).by(counted("without", 0), counted("connections", f.Limit.N))
		}
	})
}

// unknowable is what an end does that names no stream.
const unknowable = "who has just sent a request cannot know whether it was processed"

// UsedUp is how a connection of HTTP/2 ended that was asked again and again.
type UsedUp struct {
	Responses int
	// Ended says that the server ended it, How in which way.
	Ended bool
	How   profile.Ending
	// Closing is what GOAWAY says of the reason, where one came.
	Closing *profile.Closing
	// Abrupt says that the connection was closed at once behind a GOAWAY that named no
	// stream (2^31-1).
	Abrupt bool
	// GOAWAY are the last streams that it named, in the order in which they came.
	GOAWAY []uint32
	Last   uint32 // the highest stream that was answered
	Asked  int    // requests that would have been sent at most
}

// noLast is the last stream of a GOAWAY that names none.
const noLast = 1<<31 - 1

// Judge decides goaway-last-request, goaway-last-stream, goaway-in-time and
// goaway-never-rises.
func (f UsedUp) Judge() []profile.Result {
	return one(func(r *ruling) {
		switch {
		case !f.Ended:
			for _, id := range []string{lastStream, inTime, neverRises, lastRequest} {
				r.unmeasured(id, "no connection was ended for the number of its requests, %d at most", f.Asked)
			}
		case len(f.GOAWAY) == 0:
			r.broken(lastRequest, "a connection was ended after %d responses without one (%s)", f.Responses, f.How)
			for _, id := range []string{lastStream, inTime, neverRises} {
				r.unmeasured(id, "there was no GOAWAY")
			}
		default:
			f.lastRequest(r)
			f.lastStream(r)
			f.inTime(r)
			f.neverRises(r)
		}
	})
}

// The cases that the end of a used connection decides.
const (
	lastRequest = "goaway-last-request"
	lastStream  = "goaway-last-stream"
	inTime      = "goaway-in-time"
	neverRises  = "goaway-never-rises"
)

func (f UsedUp) lastRequest(r *ruling) {
	if f.Closing != nil && f.Closing.Error {
		r.unmeasured(lastRequest, "after %d responses the connection was ended by an error, not for the number of its requests: %s", f.Responses, f.Closing)
	} else {
		r.pass(lastRequest, "GOAWAY came with response %d", f.Responses).by(counted("responses", f.Responses))
	}
}

func (f UsedUp) lastStream(r *ruling) {
	// RFC 9113, 6.8: "The last stream identifier in the GOAWAY frame contains the
	// highest-numbered stream identifier for which the sender of the GOAWAY frame might
	// have taken some action on or might yet take action on."
	named := slices.Min(f.GOAWAY)
	say := r.pass
	text := "GOAWAY names stream %d, and the last to be answered was %d"
	if f.Last > named {
		say, text = r.broken, "GOAWAY names stream %d, and stream %d was answered: a client would repeat what has been done"
	}
	if named == noLast {
		r.unmeasured(lastStream, "no GOAWAY names a stream, but 2^31-1")
	} else {
		say(lastStream, text, named, f.Last).by(counted("named", int(named)), counted("answered", int(f.Last)))
	}
}

func (f UsedUp) inTime(r *ruling) {
	// RFC 9113, 6.8: "A server that is attempting to gracefully shut down a connection
	// SHOULD send an initial GOAWAY frame with the last stream identifier set to 2^31-1 and
	// a NO_ERROR code. [...] After allowing time for any in-flight stream creation (at
	// least one round-trip time), the server MAY send another GOAWAY frame with an updated
	// last stream identifier. This ensures that a connection can be cleanly shut down
	// without losing requests."
	switch {
	case f.Abrupt:
		r.broken(inTime, "GOAWAY names no stream (2^31-1), and the connection was closed at once (%s): %s", f.How, unknowable)
	case slices.Max(f.GOAWAY) < noLast:
		r.unmeasured(inTime, "no GOAWAY names 2^31-1 for its last stream")
	default:
		r.pass(inTime, "the connection was not closed at once behind it")
	}
}

func (f UsedUp) neverRises(r *ruling) {
	// RFC 9113, 6.8: "Endpoints MUST NOT increase the value they send in the last stream
	// identifier, since the peers might already have retried unprocessed requests on
	// another connection."
	switch {
	case len(f.GOAWAY) == 1:
		r.unmeasured(neverRises, "there was one GOAWAY only")
	case slices.Max(f.GOAWAY) > f.GOAWAY[0]:
		r.broken(neverRises, "GOAWAY names stream %d, and a later one a higher one", f.GOAWAY[0])
	default:
		r.pass(neverRises, "of %d GOAWAY none names a higher stream than the first", len(f.GOAWAY))
	}
}

// Streams is what came of one stream more at once than a server allows.
type Streams struct {
	Allowed linger.Opt[uint64] // SETTINGS_MAX_CONCURRENT_STREAMS
	Most    int                // that are opened to see it
	// Refused says that a stream was refused, Code by what, and Ours whether that is one of
	// the codes that the standard has for it.
	Refused bool
	Code    string
	Ours    bool
	Done    bool // each stream came to its end
	Over    bool // the connection was ended
	Lives   bool // it was not: PING was answered behind that
}

// Tried reports whether so many streams are opened as the server allows, and one more.
func (f Streams) Tried() bool {
	n, said := f.Allowed.Get()
	return said && n > 0 && n < uint64(f.Most)
}

// limit is what is allowed: "1 is allowed".
func (f Streams) limit() string {
	if n := f.Allowed.Or(0); n != 1 {
		return fmt.Sprintf("%d are allowed", n)
	}
	return "1 is allowed"
}

// Judge decides h2-stream-limit.
func (f Streams) Judge() []profile.Result {
	// RFC 9113, 5.1.2: "An endpoint that receives a HEADERS frame that causes its
	// advertised concurrent stream limit to be exceeded MUST treat this as a stream error
	// (Section 5.4.2) of type PROTOCOL_ERROR or REFUSED_STREAM." But also, 5.4.1: "In
	// particular, an endpoint MAY choose to treat a stream error as a connection error."
	const id = "h2-stream-limit"
	allowed, said := f.Allowed.Get()
	return one(func(r *ruling) {
		switch {
		case !said:
			r.unmeasured(id, "it announces no limit of streams")
		case !f.Tried():
			r.unmeasured(id, "it allows %s at once; %d are opened at most", linger.Plural(int(min(allowed, 1<<31)), "stream"), f.Most)
		case f.Done && !f.Refused:
			r.unmeasured(id, "each of %d requests was answered before the next was begun", allowed+1)
		case f.Refused && f.Lives && f.Ours:
			r.pass(id, "of %d streams at once one was refused (%s), and the connection stayed", allowed+1, f.Code).by(counted("allowed", int(allowed)))
		case f.Over && !f.Done:
			r.broken(id, "%d streams at once, where %s, ended the connection with all that was on it; RFC 9113, 5.4.1, permits that", allowed+1, f.limit()).
				by(counted("allowed", int(allowed)))
		case f.Refused:
			r.unmeasured(id, "of %d streams at once one was refused by %s", allowed+1, f.Code)
		default:
			r.unmeasured(id, "%d streams at once were not refused, where %s", allowed+1, f.limit())
		}
	})
}
