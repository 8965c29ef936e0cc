package conformance

import (
	"fmt"
	"time"

	"linger"
	"linger/profile"
)

// HTTP1 is what was seen of a server of HTTP/1.1, of which only all together decides
// these cases: what one thing explains is not held against the server a second time.
type HTTP1 struct {
	// RTT is the round-trip time, and Late the most by which whoever looked was late.
	RTT, Late time.Duration

	Messages

	// Watched is the limit after a response, as watching has shown it, Looked what asking
	// again has, and Idle what follows from both.
	Watched, Idle profile.Timeout
	Looked        AskedAgain
	// Requests is how many a connection carried that the server ended, Announced whether
	// it had said so, and Claimed what the response behind which it ended said instead.
	Requests  linger.Opt[int]
	Announced bool
	Claimed   string
	Counted   int // requests on the connection that was asked most

	Cut string // a message that a connection ended within
	// Half is a connection that had been closed and was open in the other direction,
	// Whole whether none was: what was sent Lingered later was refused.
	Half     string
	Whole    bool
	Lingered time.Duration
	Resets   []string // on what occasions connections were reset
	Orderly  int      // how often they were ended otherwise

	KeepAlive bool   // some response had a Keep-Alive field
	Said      bool   // some response said Connection: keep-alive
	Unlisted  string // a Keep-Alive that Connection does not name
	Timeout   linger.Opt[time.Duration]

	// Deaf says that a request to close was not honoured, Unrepeated that the response to
	// one that was did not say so.
	Deaf, Unrepeated bool
	Lie              linger.Opt[Lie] // a response said close, and the connection stayed
	Kept             int             // how often it did not stay
	// What was sent behind a request to close: whether it was answered, how much it was in
	// bytes, whether it brought no reset, and whether that destroyed the response.
	Behind    linger.Opt[bool]
	Unread    int
	Staged    linger.Opt[bool]
	Destroyed bool
	// Disordered says that it answers pipelined requests out of order.
	Disordered bool

	// Ends are connections that were closed behind a response which had not said so.
	Ends []UnsaidEnd
	// Words are what was said into idle connections, of which Unused is what was said into
	// those that had carried nothing.
	Words, Unused *profile.Said

	// Old is whether a connection of HTTP/1.0, that should have ended, answered another
	// request; OldClosed that one was ended whose response had said keep-alive.
	Old       linger.Opt[bool]
	OldClosed bool
}

// An UnsaidEnd is one of a connection behind its first response, which had not said so.
type UnsaidEnd struct {
	What   string // was asked
	Status int
	After  time.Duration // behind the response
}

// A Lie is a response that said close, on whose connection another request was tried.
type Lie struct {
	Occasion string // "after POST"
	Status   int
	Closing  Closing
}

// AskedAgain is what came of connections that looked open and were asked again after
// waits that differ.
type AskedAgain struct {
	Answered time.Duration  // the longest wait after which one answered
	Failed   time.Duration  // the shortest after which one did not
	How      profile.Ending // what came instead; "" of none
	// Bracketed says that the limit is known from this, and not from watching.
	Bracketed bool
}

// AtOnce reports whether every connection ends behind its first response, and not for
// being idle.
func (f HTTP1) AtOnce() bool {
	requests, _ := f.Requests.Get()
	return f.unsaid() && requests == 1
}

// unsaid reports whether connections end behind a number of requests, without a word.
func (f HTTP1) unsaid() bool {
	_, limited := f.Requests.Get()
	// A limit of idleness that is no longer than a round trip, or than this side is late,
	// ends connections between two requests: that is no limit of requests.
	low := time.Duration(f.Watched.Low)
	idled := f.Watched.State == profile.Measured && low > 20*time.Millisecond && low < 2*(f.RTT+f.Late)
	return limited && !f.Announced && !idled
}

// Judge decides the cases that no experiment can alone.
func (f HTTP1) Judge() []profile.Result {
	var r ruling
	f.surplus(&r)
	f.heads(&r)
	f.messages(&r)
	f.persistence(&r)
	f.idleness(&r)
	f.closing(&r)
	f.disturbed(&r)
	return r.results
}

// disturbed are the cases that take two responses on a connection, where bytes come
// between them that belong to neither.
func (f HTTP1) disturbed(r *ruling) {
	id := f.Strayed()
	if id == "" {
		return
	}
	for _, c := range twice {
		r.unmeasured(c, "bytes came that belong to no message, so that what followed could not be told; see %s", id)
	}
}

// twice are the cases that need a second response on a connection.
var twice = []string{"close-honoured", "close-last", "close-staged", "close-kept", "close-announced", "keep-alive-honoured", "idle-answered", "idle-no-race",
	"requests-enough", "pipeline-order", "http10-closes", "http10-keep-alive", "body-read", "expect-answered",
	"framing-both", "framing-lengths", "framing-length", "framing-chunks", "host-missing", "field-space"}

// messages are the cases of whole messages and whole ends.
func (f HTTP1) messages(r *ruling) {
	// RFC 9112, 8: "A client that receives an incomplete response message, which can occur
	// when a connection is closed prematurely [...], MUST record the message as incomplete."
	switch {
	case f.Cut != "":
		r.broken("message-complete", "%s", f.Cut)
	case f.Counted > 0:
		r.pass("message-complete", "%d responses on one connection were complete", f.Counted)
	}
	switch {
	case f.Half != "":
		r.broken("idle-closed-whole", "%s took what was sent %s later, and did not answer", f.Half, f.Lingered)
	case f.Whole:
		r.pass("idle-closed-whole", "what was sent %s after its end was refused", f.Lingered)
	}
}

// persistence are the cases of what a server says of keeping connections.
func (f HTTP1) persistence(r *ruling) {
	requests, limited := f.Requests.Get()
	unsaid := f.unsaid()
	// RFC 9112, 9.3: "A server that does not support persistent connections MUST send the
	// "close" connection option in every response message that does not have a 1xx
	// (Informational) status code." And 9.6: "A server that initiates a close [...] SHOULD
	// send a "close" connection option in its final response".
	switch {
	case f.Half != "" && unsaid:
		r.unmeasured("close-announced", "it closes one direction only; see idle-closed-whole")
	case unsaid && f.Claimed != "":
		r.unmeasured("close-announced", "it announced the contrary; see keep-alive-honoured")
		r.broken("keep-alive-honoured", "response %d said %s, and the connection was closed behind it", requests, f.Claimed)
	case unsaid && requests == 1:
		r.broken("close-announced", "connections were closed behind one response, which did not say so")
	case unsaid:
		r.say("close-announced", profile.Warn, "a connection was closed behind response %d, which did not say so", requests)
	case f.ended(r):
	case limited && f.Announced:
		r.pass("close-announced", "the last of %d responses said so", requests)
	case f.Counted > 0 && !limited && f.Strayed() == "":
		r.unmeasured("close-announced", "%d requests did not exhaust a connection", f.Counted)
	}
	if f.Counted > 1 && (f.Said || f.KeepAlive) {
		r.pass("keep-alive-honoured", "%d requests were answered on one connection", f.Counted)
	} else if !f.Said && !f.KeepAlive {
		r.unmeasured("keep-alive-honoured", "it announces nothing")
	}

	// RFC 9110, 7.6.1: "When a field aside from Connection is used to supply control
	// information for or about the current connection, the sender MUST list the
	// corresponding field name within the Connection header field."
	switch {
	case f.Unlisted != "":
		r.broken("keep-alive-listed", "a response has Keep-Alive: %s, and Connection does not name it", f.Unlisted)
	case f.KeepAlive:
		r.pass("keep-alive-listed", "Connection names it")
	default:
		r.unmeasured("keep-alive-listed", "there is no Keep-Alive field")
	}

	switch {
	case !limited && f.Counted >= enoughRequests:
		r.pass("requests-enough", "%d were answered, and the connection is open", f.Counted).by(counted("requests", f.Counted))
	case limited && f.Announced && requests < enoughRequests:
		r.broken("requests-enough", "it closes after %d: all others pay for a handshake", requests).by(counted("requests", requests))
	case limited && f.Announced:
		r.pass("requests-enough", "it closes after %d", requests).by(counted("requests", requests))
	}
}

// ended reports whether a connection was closed behind its first response, which had not
// said so, and holds that against the server. One that is idle for so long that its limit
// may have ended it is none.
func (f HTTP1) ended(r *ruling) bool {
	for _, e := range f.Ends {
		if f.Half == "" && (f.Watched.State != profile.Measured || e.After < time.Duration(f.Watched.Low)/2) {
			r.say("close-announced", profile.Warn, "a connection was closed behind the response (%d) to %s, which did not say so", e.Status, e.What)
			return true
		}
	}
	return false
}

// What a server has to allow to be worth keeping connections to.
const (
	enoughRequests = 10
	enoughIdle     = profile.Duration(time.Second)
)

// idleness are the cases that idle connections decide.
func (f HTTP1) idleness(r *ruling) {
	f.idleAnswered(r)
	f.idleOrderly(r)
	f.idleWordless(r)
	f.idleLongEnough(r)
	f.timeoutHonoured(r)
}

// idleAnswered decides idle-answered and idle-no-race.
func (f HTTP1) idleAnswered(r *ruling) {
	// RFC 9112, 9.5: "A client or server that wishes to time out SHOULD issue a graceful
	// close on the connection."
	after := fmt.Sprintf("after %s of idleness, where %s was still fine,", round(f.Looked.Failed), round(f.Looked.Answered))
	switch f.Looked.How {
	case profile.Silence:
		r.broken("idle-answered", "%s a request was neither answered nor refused, and no end of the connection had come", after)
	case profile.AtRequest:
		r.broken("idle-no-race", "%s the connection looked open, and the request had it closed without an answer", after)
	}
	ended := f.Idle.State == profile.Measured && !f.Looked.Bracketed
	if (f.Looked.Answered > 0 || ended) && f.Cut == "" && !f.AtOnce() {
		text := fmt.Sprintf("connections answered after %s of idleness", round(f.Looked.Answered))
		if ended {
			text = fmt.Sprintf("idle connections were ended (%s)", f.Idle.Ending)
		}
		r.pass("idle-answered", "%s", text)
		r.pass("idle-no-race", "%s", text)
	}
}

// idleOrderly decides idle-orderly.
func (f HTTP1) idleOrderly(r *ruling) {
	switch {
	case len(f.Resets) > 0:
		r.broken("idle-orderly", "%s was ended by RST, which may destroy what is under way; %d of %d ends that were seen", f.Resets[0], len(f.Resets), len(f.Resets)+f.Orderly).
			by(counted("resets", len(f.Resets)), counted("ends", len(f.Resets)+f.Orderly))
	case f.Orderly > 0:
		r.pass("idle-orderly", "%d ends were by FIN", f.Orderly).by(counted("resets", 0), counted("ends", f.Orderly))
	}
}

// idleWordless decides idle-wordless.
func (f HTTP1) idleWordless(r *ruling) {
	// RFC 9110, 15.5.9: 408 "indicates that the server did not receive a complete request
	// message within the time that it was prepared to wait. If the client has an outstanding
	// request in transit, it MAY repeat that request". It cannot know which request the
	// response is of.
	const taken = "a client whose request is under way may take it for the answer"
	switch {
	case f.Words != nil && f.Words.Bytes > 0:
		r.broken("idle-wordless", "before it ended an idle connection it said %s: %s; %s", f.Words.Brief(), f.Words.Text, taken)
	case f.Unused != nil && f.Unused.Bytes > 0:
		r.broken("idle-wordless", "before it ended a connection that had carried nothing it said %s: %s; %s", f.Unused.Brief(), f.Unused.Text, taken)
	case f.Watched.State == profile.Measured:
		r.pass("idle-wordless", "idle connections were ended without a word")
	default:
		r.unmeasured("idle-wordless", "no idle connection was seen to end")
	}
}

// idleLongEnough decides idle-long-enough.
func (f HTTP1) idleLongEnough(r *ruling) {
	limit := f.Idle
	switch {
	case f.AtOnce() || f.Looked.Bracketed && limit.ShorterThan(enoughIdle):
	case limit.ShorterThan(enoughIdle):
		r.broken("idle-long-enough", "it closes them after %s: hardly a client comes back so soon", limit).by(limit.Figure("limit"))
	case limit.State == profile.Measured, limit.State == profile.AtLeast && limit.Low >= enoughIdle:
		r.pass("idle-long-enough", "%s", limit).by(limit.Figure("limit"))
	}
}

// timeoutHonoured decides timeout-honoured.
func (f HTTP1) timeoutHonoured(r *ruling) {
	limit := f.Idle
	announced, said := f.Timeout.Get()
	switch {
	case !said:
		r.unmeasured("timeout-honoured", "it announces no Keep-Alive: timeout")
	case f.AtOnce():
		r.unmeasured("timeout-honoured", "it ends each connection behind one response")
	case limit.State == profile.AtLeast && time.Duration(limit.Low) < announced, limit.State == profile.Unknown:
		r.unmeasured("timeout-honoured", "it announces %s, and waiting ended before", profile.Duration(announced))
	case limit.Broke(profile.Duration(announced), profile.Duration(2*f.Late)):
		text := fmt.Sprintf("it announces %s, and closes after %s", profile.Duration(announced), limit)
		if ms := announced / 1000; (time.Duration(limit.Median) - ms).Abs() < time.Duration(profile.Slack(profile.Duration(ms))) {
			text += ": the unit is seconds, and this looks like milliseconds"
		}
		r.broken("timeout-honoured", "%s", text).by(milliseconds("announced", announced), limit.Figure("limit"))
	case limit.State == profile.Measured && limit.Low-limit.Uncertainty+profile.Slack(profile.Duration(announced)) < profile.Duration(announced):
		r.unmeasured("timeout-honoured", "it announces %s, and closes after %s: that cannot be told apart", profile.Duration(announced), limit)
	default:
		r.pass("timeout-honoured", "it announces %s, and closes after %s", profile.Duration(announced), limit).by(milliseconds("announced", announced), limit.Figure("limit"))
	}
}

// deaf is why what comes behind a request to close decides nothing.
const deaf = "it does not close when it is asked to"

// closing are the cases of connections that were to be closed.
func (f HTTP1) closing(r *ruling) {
	lie, lied := f.Lie.Get()
	switch {
	case lied:
		r.broken("close-kept", "%s, the response (%d) says close; the connection stays open, and %s", lie.Occasion, lie.Status, more(lie.Closing.Answered))
	case f.Kept > 0:
		r.pass("close-kept", "it did, %d times", f.Kept)
	}
	f.closeLast(r)
	f.closeStaged(r)
	// RFC 9112, 9.3: "If the received protocol is HTTP/1.0, the "keep-alive" connection
	// option is present, [...] the connection will persist after the current response;
	// otherwise, the connection will close".
	if answered, open := f.Old.Get(); open && f.Deaf {
		r.unmeasured("http10-closes", "%s", deaf)
	} else if open {
		r.broken("http10-closes", "the connection stays open, and %s", more(answered))
	}
	// RFC 9112, 9.6: "The server SHOULD send a "close" connection option in its final
	// response on that connection."
	switch {
	case f.Unrepeated && f.unsaid():
		r.unmeasured("close-repeated", "it says of no close that it comes")
	case f.Unrepeated:
		r.broken("close-repeated", "the response does not say so")
	}
	if f.OldClosed && !f.unsaid() {
		r.broken("http10-keep-alive", "the response says keep-alive, and the connection was closed")
	}
}

// closeLast decides close-last.
func (f HTTP1) closeLast(r *ruling) {
	// RFC 9112, 9.6: "The server MUST NOT process any further requests received on that
	// connection."
	answered, known := f.Behind.Get()
	switch {
	case !known:
	case answered && f.Deaf:
		r.unmeasured("close-last", "%s", deaf)
	case answered && f.Strayed() != "":
		r.unmeasured("close-last", "bytes came that belong to no message; see %s", f.Strayed())
	case answered && f.Disordered:
		r.unmeasured("close-last", "it answers pipelined requests in another order")
	case answered:
		r.broken("close-last", "the request behind it was answered")
	default:
		r.pass("close-last", "the request behind it was not answered")
	}
}

// closeStaged decides close-staged.
func (f HTTP1) closeStaged(r *ruling) {
	// RFC 9112, 9.6: "If a server performs an immediate close of a TCP connection, there is
	// a significant risk that the client will not be able to read the last HTTP response.
	// [...] To avoid the TCP reset problem, servers typically close a connection in
	// stages."
	staged, known := f.Staged.Get()
	switch {
	case known && !staged && len(f.Resets) > 0:
		r.unmeasured("close-staged", "it ends all connections by RST; see idle-orderly")
	case f.Destroyed:
		r.broken("close-staged", "of %d kB that were sent behind a request to close came a reset, and no response", f.Unread>>10)
	case known && !staged:
		r.broken("close-staged", "of %d kB that were sent behind a request to close came a reset: a client that is still sending may lose the response", f.Unread>>10)
	case known:
		r.pass("close-staged", "%d kB that were sent behind a request to close brought no reset", f.Unread>>10)
	}
}
