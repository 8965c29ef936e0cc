package probe

import (
	"fmt"
	"time"

	"linger/profile"
)

// judgeHTTP1 decides the cases that no experiment can alone: what one thing explains
// is not held against the server a second time.
func (p *prober) judgeHTTP1() {
	p.mu.Lock()
	f := p.facts
	rtt, late := time.Duration(p.profile.RTT.Median), p.late
	pipelined, asked := p.results["pipeline-order"]
	p.mu.Unlock()
	wrongOrder := asked && pipelined.Outcome == profile.Fail

	requests, limited := f.count.Get()
	// A limit of idleness that is no longer than a round trip, or than this side is late, ends connections between
	// two requests: that is no limit of requests.
	idled := f.idle.State == profile.Measured && time.Duration(f.idle.Low) > 20*time.Millisecond && time.Duration(f.idle.Low) < 2*(rtt+late)
	unsaid := limited && !f.announced && !idled
	atOnce := unsaid && requests == 1 // every connection ends behind its first response

	// RFC 9112, 8: "A client that receives an incomplete response message, which can occur
	// when a connection is closed prematurely [...], MUST record the message as incomplete."
	switch {
	case f.cut != "":
		p.broken("message-complete", "%s", f.cut)
	case f.counted > 0:
		p.verdict("message-complete", profile.Pass, "%d responses on one connection were complete", f.counted)
	}

	switch {
	case f.half != "":
		p.broken("idle-closed-whole", "%s", f.half)
	case f.whole:
		p.verdict("idle-closed-whole", profile.Pass, "what was sent %s after its end was refused", lingering)
	}

	// RFC 9112, 9.3: "A server that does not support persistent connections MUST send the
	// "close" connection option in every response message that does not have a 1xx
	// (Informational) status code." And 9.6: "A server that initiates a close [...] SHOULD
	// send a "close" connection option in its final response".
	switch {
	case f.half != "" && unsaid:
		p.verdict("close-announced", profile.NotMeasured, "it closes one direction only; see idle-closed-whole")
	case unsaid && f.claimed != "":
		p.verdict("close-announced", profile.NotMeasured, "it announced the contrary; see keep-alive-honoured")
		p.broken("keep-alive-honoured", "response %d said %s, and the connection was closed behind it", requests, f.claimed)
	case unsaid && requests == 1:
		p.broken("close-announced", "connections were closed behind one response, which did not say so")
	case unsaid:
		p.verdict("close-announced", profile.Warn, "a connection was closed behind response %d, which did not say so", requests)
	case limited && f.announced:
		p.verdict("close-announced", profile.Pass, "the last of %d responses said so", requests)
	case f.counted > 0 && !limited:
		p.verdict("close-announced", profile.NotMeasured, "%d requests did not exhaust a connection", f.counted)
	}
	if f.counted > 1 && (f.said || f.keepAlive) {
		p.verdict("keep-alive-honoured", profile.Pass, "%d requests were answered on one connection", f.counted)
	} else if !f.said && !f.keepAlive {
		p.verdict("keep-alive-honoured", profile.NotMeasured, "it announces nothing")
	}

	// RFC 9110, 7.6.1: "When a field aside from Connection is used to supply control
	// information for or about the current connection, the sender MUST list the
	// corresponding field name within the Connection header field."
	switch {
	case f.unlisted != "":
		p.broken("keep-alive-listed", "a response has Keep-Alive: %s, and Connection does not name it", f.unlisted)
	case f.keepAlive:
		p.verdict("keep-alive-listed", profile.Pass, "Connection names it")
	default:
		p.verdict("keep-alive-listed", profile.NotMeasured, "there is no Keep-Alive field")
	}

	if f.lives != nil {
		age := ageOf(f.lives, f.idle, f.count, p.pathDoubt())
		p.record(func(doc *profile.Profile) {
			h := doc.ProtocolNamed("http/1.1")
			h.Age = age
			for _, t := range []*profile.Timeout{&f.idle, &h.AfterConnect, &h.AfterTLS} {
				*t = beyondAge(*t, age)
			}
		})
	}
	p.judgeIdleHTTP1(f, atOnce)

	switch {
	case !limited && f.counted >= 10:
		p.verdict("requests-enough", profile.Pass, "%d were answered, and the connection is open", f.counted)
	case limited && f.announced && requests < 10:
		p.broken("requests-enough", "it closes after %d: all others pay for a handshake", requests)
	case limited && f.announced:
		p.verdict("requests-enough", profile.Pass, "it closes after %d", requests)
	}

	switch {
	case f.lies != "":
		p.broken("close-kept", "%s", f.lies)
	case f.kept > 0:
		p.verdict("close-kept", profile.Pass, "it did, %d times", f.kept)
	}
	switch {
	case f.last != "" && f.deaf != "":
		p.verdict("close-last", profile.NotMeasured, "%s", f.deaf)
	case f.last != "" && wrongOrder:
		p.verdict("close-last", profile.NotMeasured, "it answers pipelined requests in another order")
	case f.last != "":
		p.broken("close-last", "%s", f.last)
	case f.lastPass:
		p.verdict("close-last", profile.Pass, "the request behind it was not answered")
	}
	staged, known := f.staged.Get()
	switch {
	case known && !staged && len(f.resets) > 0:
		p.verdict("close-staged", profile.NotMeasured, "it ends all connections by RST; see idle-orderly")
	case f.destroyed:
		p.broken("close-staged", "of %d kB that were sent behind a request to close came a reset, and no response", unread>>10)
	case known && !staged:
		p.broken("close-staged", "of %d kB that were sent behind a request to close came a reset: a client that is still sending may lose the response", unread>>10)
	case known:
		p.verdict("close-staged", profile.Pass, "%d kB that were sent behind a request to close brought no reset", unread>>10)
	}
	switch {
	case f.old != "" && f.deaf != "":
		p.verdict("http10-closes", profile.NotMeasured, "%s", f.deaf)
	case f.old != "":
		p.broken("http10-closes", "%s", f.old)
	}
	switch {
	case f.unrepeated && unsaid:
		p.verdict("close-repeated", profile.NotMeasured, "it says of no close that it comes")
	case f.unrepeated:
		p.broken("close-repeated", "the response does not say so")
	}
	if f.oldLie != "" && !unsaid {
		p.broken("http10-keep-alive", "%s", f.oldLie)
	}
}

// judgeIdleHTTP1 decides what idle connections tell, and puts together the limit that
// was watched and the one that asking again has shown.
func (p *prober) judgeIdleHTTP1(f http1Facts, atOnce bool) {
	limit := f.idle
	how := f.how
	if limit.State == profile.Measured && how == profile.AtRequest && (f.failed-time.Duration(limit.Median)).Abs() < max(100*time.Millisecond, 2*p.roundTrip()) {
		how = "" // its ordinary end has met a request
	}
	bracketed := how != "" && limit.State != profile.Measured
	switch {
	case atOnce:
		limit = profile.Timeout{State: profile.Unknown, Why: "it ends each connection behind one response"}
	case bracketed:
		middle := (f.answered + f.failed) / 2
		limit = profile.Timeout{
			State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{middle}),
			Uncertainty: profile.Duration((f.failed-f.answered)/2 + p.pathDoubt()), Ending: how,
			Method: "connections that looked open were asked again after waits that differed: the longest that was answered and the shortest that was not bracket the limit",
		}
	}
	if limit.State != "" {
		p.record(func(doc *profile.Profile) { doc.ProtocolNamed("http/1.1").AfterResponse = limit })
	}

	// RFC 9112, 9.5: "A client or server that wishes to time out SHOULD issue a graceful
	// close on the connection."
	after := fmt.Sprintf("after %s of idleness, where %s was still fine,", round(f.failed), round(f.answered))
	switch how {
	case profile.Silence:
		p.broken("idle-answered", "%s a request was neither answered nor refused, and no end of the connection had come", after)
	case profile.AtRequest:
		p.broken("idle-no-race", "%s the connection looked open, and the request had it closed without an answer", after)
	}
	seen := f.answered > 0 || limit.State == profile.Measured && !bracketed
	if seen && f.cut == "" && !atOnce {
		text := fmt.Sprintf("connections answered after %s of idleness", round(f.answered))
		if limit.State == profile.Measured && !bracketed {
			text = fmt.Sprintf("idle connections were ended (%s)", limit.Ending)
		}
		p.verdict("idle-answered", profile.Pass, "%s", text)
		p.verdict("idle-no-race", profile.Pass, "%s", text)
	}

	switch {
	case len(f.resets) > 0:
		p.broken("idle-orderly", "%s was ended by RST, which may destroy what is under way; %d of %d ends that were seen", f.resets[0], len(f.resets), len(f.resets)+f.orderly)
	case f.orderly > 0:
		p.verdict("idle-orderly", profile.Pass, "%d ends were by FIN", f.orderly)
	}

	switch {
	case atOnce || bracketed && limit.ShorterThan(profile.Duration(time.Second)):
	case limit.ShorterThan(profile.Duration(time.Second)):
		p.broken("idle-long-enough", "it closes them after %s: hardly a client comes back so soon", limit)
	case limit.State == profile.Measured, limit.State == profile.AtLeast && limit.Low >= profile.Duration(time.Second):
		p.verdict("idle-long-enough", profile.Pass, "%s", limit)
	}

	announced, said := f.timeout.Get()
	switch {
	case !said:
		p.verdict("timeout-honoured", profile.NotMeasured, "it announces no Keep-Alive: timeout")
	case atOnce:
		p.verdict("timeout-honoured", profile.NotMeasured, "it ends each connection behind one response")
	case limit.State == profile.AtLeast && time.Duration(limit.Low) < announced, limit.State == profile.Unknown:
		p.verdict("timeout-honoured", profile.NotMeasured, "it announces %s, and waiting ended before", announced)
	case limit.State == profile.Measured && time.Duration(limit.Low)+near(announced)+2*p.lateness() < announced:
		text := fmt.Sprintf("it announces %s, and closes after %s", announced, limit)
		if ms := announced / 1000; (time.Duration(limit.Median) - ms).Abs() < max(ms/50, 100*time.Millisecond) {
			text += ": the unit is seconds, and this looks like milliseconds"
		}
		p.broken("timeout-honoured", "%s", text)
	default:
		p.verdict("timeout-honoured", profile.Pass, "it announces %s, and closes after %s", announced, limit)
	}
}

// beyondAge is an idle limit where connections live no longer than age: those that were
// left alone were as old when they ended, and the limit of idleness lies beyond.
func beyondAge(idle, age profile.Timeout) profile.Timeout {
	if age.State != profile.Measured || idle.State != profile.Measured || time.Duration(idle.Median)+near(time.Duration(age.Median)) < time.Duration(age.Median) {
		return idle
	}
	return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: idle.Low, N: idle.N}, Method: idle.Method}
}

// near is how close to a limit counts as the limit.
func near(limit time.Duration) time.Duration { return max(limit/50, 100*time.Millisecond) }

// round shortens a wait for a sentence.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}
