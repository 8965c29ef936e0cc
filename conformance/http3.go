package conformance

import (
	"time"

	"linger"
	"linger/profile"
)

var http3Cases = []row{
	{"alt-svc-true", "has HTTP/3 where Alt-Svc says so", linger.H3, "RFC 7838, 2", profile.Advice, ""},
	{"h3-settings-first", "begins its control stream with SETTINGS", linger.H3, "RFC 9114, 6.2.1", profile.Must, ""},
	{"h3-connection-fields", "sends no fields of HTTP/1's connections", linger.H3, "RFC 9114, 4.2", profile.Must, ""},
	{"h3-goaway-idle", "says GOAWAY before it closes an idle connection", linger.H3, "RFC 9114, 3.3", profile.Should, ""},
	{"h3-idle-kept", "keeps a connection for its max_idle_timeout, or closes it by a word", linger.H3, "RFC 9000, 10.1", profile.Should, ""},
}

// Announcement is what came of HTTP/3 where Alt-Svc says that it is.
type Announcement struct {
	Announced bool
	Offered   bool   // it is there
	Why       string // it is not there, or a request was not answered
	Status    int    // of the answer, where there was one
}

// Judge decides alt-svc-true.
func (f Announcement) Judge() []profile.Result {
	const id = "alt-svc-true"
	return one(func(r *ruling) {
		switch {
		case !f.Offered && f.Announced:
			r.broken(id, "Alt-Svc announces HTTP/3, and there is %s; UDP may be blocked on the way", f.Why)
		case !f.Offered:
		case !f.Announced:
			r.unmeasured(id, "Alt-Svc announces no HTTP/3, though it is there")
		case f.Why == "":
			r.pass(id, "Alt-Svc announces HTTP/3, and a request was answered (%d)", f.Status)
		default:
			r.broken(id, "Alt-Svc announces HTTP/3, and a request was not answered: %s", f.Why)
		}
	})
}

// Control is how a server began its control stream.
type Control struct {
	Began    bool
	Settings bool   // by SETTINGS
	First    uint64 // type of the frame by which it began
	Within   time.Duration
}

// Judge decides h3-settings-first.
func (f Control) Judge() []profile.Result {
	// RFC 9114, 7.2.4: "A SETTINGS frame MUST be sent as the first frame of each control
	// stream (see Section 6.2.1) by each peer".
	const id = "h3-settings-first"
	return one(func(r *ruling) {
		switch {
		case f.Began && f.Settings:
			r.pass(id, "its control stream began with SETTINGS")
		case f.Began:
			r.broken(id, "its control stream began with a frame of type 0x%x", f.First)
		default:
			r.broken(id, "no SETTINGS came within %v", f.Within)
		}
	})
}

// IdleHTTP3 is how idle connections of HTTP/3 were ended.
type IdleHTTP3 struct{ Limit profile.Timeout }

// Judge decides h3-goaway-idle.
func (f IdleHTTP3) Judge() []profile.Result {
	// RFC 9114, 3.3: "When either endpoint chooses to close the HTTP/3 connection, the
	// terminating endpoint SHOULD first send a GOAWAY frame". What ends by agreement in
	// silence is not closed.
	const id = "h3-goaway-idle"
	return one(func(r *ruling) {
		switch f.Limit.Ending {
		case profile.GOAWAYQUIC, profile.GOAWAYOpen:
			r.pass(id, "idle connections were ended by one")
		case profile.QUICClose:
			r.broken(id, "idle connections were closed without one (CONNECTION_CLOSE)")
		default:
			r.unmeasured(id, "no idle connection was closed")
		}
	})
}

// Revisited is what became of a connection of QUIC that was left alone for most of what
// the server had announced that it would keep it.
type Revisited struct {
	// Announced is max_idle_timeout; what is no more than Least is not known.
	Announced, Least time.Duration
	Kept             time.Duration  // for so long nothing was sent
	How              profile.Ending // it ended before
	Early            bool           // waiting ended before
	Answered         bool           // a request was, then
	Why              string         // it was not
}

// Judge decides h3-idle-kept.
func (f Revisited) Judge() []profile.Result {
	// RFC 9000, 10.1: "By announcing a max_idle_timeout, an endpoint commits to initiating
	// an immediate close (Section 10.2) if it abandons the connection prior to the
	// effective value."
	const id = "h3-idle-kept"
	kept := f.Kept.Round(time.Millisecond)
	by := func(w word) { w.by(milliseconds("announced", f.Announced), milliseconds("idle", f.Kept)) }
	return one(func(r *ruling) {
		switch {
		case f.Announced <= f.Least:
			r.unmeasured(id, "it announces no max_idle_timeout, or one of %v or less, which is not known more closely", f.Least)
		case f.How == profile.QUICReset:
			by(r.broken(id, "it announces a max_idle_timeout of %s, and had forgotten a connection after %v (stateless reset)", profile.Duration(f.Announced), kept))
		case f.How != "":
			by(r.pass(id, "it announces a max_idle_timeout of %s, and closed a connection before that by a word (%s)", profile.Duration(f.Announced), f.How))
		case f.Early:
			r.unmeasured(id, "it announces a max_idle_timeout of %s; waiting ended before", profile.Duration(f.Announced))
		case f.Answered:
			by(r.pass(id, "it announces a max_idle_timeout of %s, and answered on a connection that was idle for %s", profile.Duration(f.Announced), profile.Duration(kept)))
		default:
			by(r.broken(id, "it announces a max_idle_timeout of %s, and did not answer on a connection that was idle for %v: %s", profile.Duration(f.Announced), kept, f.Why))
		}
	})
}
