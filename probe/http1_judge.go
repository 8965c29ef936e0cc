package probe

import (
	"slices"
	"time"

	"linger"
	"linger/conformance"
	"linger/profile"
)

// judgeHTTP1 puts together what the experiments saw of HTTP/1.1, and decides the cases
// that none of them can alone.
func (p *prober) judgeHTTP1() {
	p.mu.Lock()
	f := p.facts
	f.RTT, f.Late = time.Duration(p.profile.RTT.Median), p.late
	f.Disordered = p.results["pipeline-order"].Outcome == profile.Fail
	p.mu.Unlock()
	f.Lingered, f.Unread = lingering, unread

	// The server is through with a response that takes long before it is here.
	if low, _, ok := f.Watched.Interval(); ok && time.Duration(low) <= f.slow && f.slow > promptly+2*f.RTT {
		f.Requests, f.Claimed = linger.Opt[int]{}, ""
		p.record(func(doc *profile.Profile) {
			c := &doc.ProtocolNamed("http/1.1").Requests
			c.State, c.Why = profile.AtLeast, "the last response took as long as the limit of idleness, which may have ended the connection"
		})
	}
	f.Idle = f.Watched
	if f.lives != nil {
		// The server's age began up to a round trip before or after ours.
		doubt := p.pathDoubt() + f.RTT
		age := ageOf(f.lives, f.Watched, f.Requests, f.counted.requests, doubt)
		if old := ageOf(f.lives, f.Watched, linger.Opt[int]{}, f.counted.requests, doubt); f.counted.agedOut(old) {
			age = old
			f.Requests, f.Announced, f.Claimed = linger.Opt[int]{}, false, ""
			p.record(func(doc *profile.Profile) {
				c := &doc.ProtocolNamed("http/1.1").Requests
				c.State, c.Why = profile.AtLeast, "the connection had reached its maximum age"
			})
		}
		// Who ends connections by saying so in a response lets idle ones be.
		spared := slices.ContainsFunc(f.lives, func(l life) bool { return l.said })
		p.record(func(doc *profile.Profile) {
			h := doc.ProtocolNamed("http/1.1")
			h.Age = age
			if spared {
				return
			}
			for _, t := range []*profile.Timeout{&f.Idle, &h.AfterConnect, &h.AfterTLS} {
				*t = beyondAge(*t, age)
			}
		})
	}
	f.Idle, f.Looked = idleLimit(f.Idle, f.Looked, p.roundTrip(), p.pathDoubt())
	if f.AtOnce() {
		f.Idle = profile.Timeout{State: profile.Unknown, Why: "it ends each connection behind one response"}
	}
	if f.Idle.State != "" {
		p.record(func(doc *profile.Profile) { doc.ProtocolNamed("http/1.1").AfterResponse = f.Idle })
	}
	p.judge(f.HTTP1)
}

// idleLimit puts together the limit that was watched and the one that asking again has
// shown, over a path of that round trip and doubt.
func idleLimit(watched profile.Timeout, looked conformance.AskedAgain, rtt, doubt time.Duration) (profile.Timeout, conformance.AskedAgain) {
	if watched.State == profile.Measured && looked.How == profile.AtRequest && (looked.Failed-time.Duration(watched.Median)).Abs() < max(100*time.Millisecond, 2*rtt) {
		looked.How = "" // its ordinary end has met a request
	}
	if _, high, ok := watched.Interval(); ok && watched.State == profile.Measured && profile.Duration(looked.Answered) > high+profile.Slack(high) {
		return profile.Timeout{
			State: profile.AtLeast, Spread: profile.Spread{Low: watched.Low - watched.Uncertainty, N: watched.N}, Method: watched.Method,
			Why: someEnded(watched.N, watched.N+1, time.Duration(watched.Low), looked.Answered),
		}, looked
	}
	if looked.Bracketed = looked.How != "" && watched.State != profile.Measured; !looked.Bracketed {
		return watched, looked
	}
	middle := (looked.Answered + looked.Failed) / 2
	return profile.Timeout{
		State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{middle}),
		Uncertainty: profile.Duration((looked.Failed-looked.Answered)/2 + doubt), Ending: looked.How,
		Method: "connections that looked open were asked again after waits that differed: the longest that was answered and the shortest that was not bracket the limit",
	}, looked
}

// beyondAge is an idle limit where connections live no longer than age: those that were
// left alone were as old when they ended, and the limit of idleness lies beyond.
func beyondAge(idle, age profile.Timeout) profile.Timeout {
	if age.State != profile.Measured || idle.State != profile.Measured || idle.Median+profile.Slack(age.Median) < age.Low-age.Uncertainty {
		return idle
	}
	return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: idle.Low, N: idle.N}, Method: idle.Method}
}
