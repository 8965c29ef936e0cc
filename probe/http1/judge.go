package http1

import (
	"slices"
	"time"

	"linger"
	"linger/probe/limits"
	"linger/profile"
)

// JudgeTogether puts together what the experiments saw of HTTP/1.1, and decides the cases
// that none of them can alone.
func (p *Server) JudgeTogether() {
	var f facts
	p.note(func(noted *facts) { f = *noted })
	f.RTT, f.Late = p.RoundTrip(), p.Lateness()
	f.Disordered = p.ResultOf("pipeline-order").Outcome == profile.Fail
	f.Lingered, f.Unread = lingering, unread
	limits.Widen(&f.Watched, p.Swept())
	uncertainty := p.PathUncertainty()
	p.Record(func(doc *profile.Profile) {
		var known profile.Protocol
		if i := slices.IndexFunc(doc.Protocols, func(h *profile.Protocol) bool { return h.Name == linger.HTTP11 }); i >= 0 {
			known = *doc.Protocols[i]
		}
		if h, changed := f.together(known, uncertainty); changed {
			h.Name = linger.HTTP11
			*doc.ProtocolNamed(linger.HTTP11) = h
		}
	})
	p.Judge(f.HTTP1)
}

// together holds what was seen of requests, ages and idleness against each other: what one of
// them explains is no limit of another. It returns the protocol as it is known then, and
// whether anything of it has changed.
func (f *facts) together(h profile.Protocol, uncertainty time.Duration) (told profile.Protocol, changed bool) {
	// The server is through with a response that takes long before it is here.
	if low, _, ok := f.Watched.Interval(); ok && time.Duration(low) <= f.slow && f.slow > promptly+2*f.RTT {
		f.Requests, f.Claimed, changed = linger.Opt[int]{}, "", true
		h.Requests.State, h.Requests.Why = profile.AtLeast, "the last response took as long as the limit of idleness, which may have ended the connection"
	}
	f.Idle = f.Watched
	if f.lives != nil {
		changed = true
		// The server's age began up to a round trip before or after ours.
		about := uncertainty + f.RTT
		h.Age = limits.Age(f.lives, f.Watched, f.Requests, f.counted.Requests, about)
		if old := limits.Age(f.lives, f.Watched, linger.Opt[int]{}, f.counted.Requests, about); f.counted.AgedOut(old) {
			h.Age = old
			f.Requests, f.Announced, f.Claimed = linger.Opt[int]{}, false, ""
			h.Requests.State, h.Requests.Why = profile.AtLeast, "the connection had reached its maximum age"
		}
		// Who ends connections by saying so in a response lets idle ones be.
		if !slices.ContainsFunc(f.lives, func(l limits.Life) bool { return l.Said }) {
			for _, t := range []*profile.Timeout{&f.Idle, &h.AfterConnect, &h.AfterTLS} {
				*t = limits.BeyondAge(*t, h.Age)
			}
		}
	}
	f.Idle, f.Looked = limits.Reconcile(f.Idle, f.Looked, f.RTT, uncertainty)
	if f.AtOnce() {
		f.Idle = profile.Timeout{State: profile.Unknown, Why: "it ends each connection behind one response"}
	}
	if f.Idle.State != "" {
		h.AfterResponse, changed = f.Idle, true
	}
	return h, changed
}
