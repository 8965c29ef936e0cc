package conformance

import (
	"strings"
	"time"

	"linger"
	"linger/profile"
)

var tlsCases = []row{
	{"tls-close-notify", "sends close_notify before it closes", linger.TLS, "RFC 8446, 6.1; RFC 9112, 9.8", profile.Must, ""},
	{"tls-current", "takes neither TLS 1.0 nor 1.1", linger.TLS, "RFC 8996, 4 and 5", profile.Must, ""},
	{"tls-alpn-refused", "refuses a client with whom it has no protocol in common", linger.TLS, "RFC 7301, 3.2", profile.Must, ""},
	{"tls-tickets-work", "resumes by the tickets that it gives", linger.TLS, "docs/probe.md", profile.Advice, ""},
}

// Versions are the versions of TLS that a server takes, the newest first.
type Versions struct {
	Taken []string // "1.3"
	// Unsettled is one whose handshake was neither accepted nor refused in so long.
	Unsettled string
	Within    time.Duration
}

// Judge decides tls-current.
func (f Versions) Judge() []profile.Result {
	// RFC 8996, 4: "TLS 1.0 MUST NOT be used. Negotiation of TLS 1.0 from any version of
	// TLS MUST NOT be permitted." 5 says the same of TLS 1.1.
	var old []string
	for _, v := range f.Taken {
		if v == "1.0" || v == "1.1" {
			old = append(old, v)
		}
	}
	const id = "tls-current"
	return one(func(r *ruling) {
		switch {
		case len(old) > 0:
			r.broken(id, "it takes TLS %s", strings.Join(old, ", "))
		case f.Unsettled != "":
			r.unmeasured(id, "a handshake of TLS %s was neither accepted nor refused in %v", f.Unsettled, f.Within)
		case len(f.Taken) == 0:
			r.unmeasured(id, "it took no version that was offered")
		default:
			r.pass(id, "it takes TLS %s, and neither 1.0 nor 1.1", strings.Join(f.Taken, ", "))
		}
	})
}

// Unheard is what a server does with a client that offers nothing but a protocol that
// nobody speaks (ALPN).
type Unheard struct {
	Offered string
	Chooses bool   // it chooses protocols at all
	WentOn  bool   // the handshake was completed, without a protocol
	Alert   bool   // it ended by no_application_protocol
	Word    string // it ended by another word
	// ChoseAnother says that the server chose a protocol that it had not been offered.
	ChoseAnother bool
}

// Judge decides tls-alpn-refused.
func (f Unheard) Judge() []profile.Result {
	// RFC 7301, 3.2: "In the event that the server supports no protocols that the client
	// advertises, then the server SHALL respond with a fatal "no_application_protocol"
	// alert."
	const id = "tls-alpn-refused"
	return one(func(r *ruling) {
		switch {
		case !f.Chooses:
			r.unmeasured(id, "it chooses no protocol (ALPN)")
		case f.WentOn:
			r.broken(id, "it went on with a client that offered nothing but %q (ALPN)", f.Offered)
		case f.ChoseAnother:
			r.broken(id, "it chose a protocol that was not offered to a client that offered nothing but %q (ALPN)", f.Offered)
		case f.Alert:
			r.pass(id, "it refused a client that offered nothing but %q (ALPN)", f.Offered)
		case f.Word != "":
			r.unmeasured(id, "offered %q, it ended the handshake by another word: %s", f.Offered, f.Word)
		}
	})
}

// Ticket is whether a ticket, that was just given, resumed a session.
type Ticket struct{ Resumed bool }

// Judge decides tls-tickets-work.
func (f Ticket) Judge() []profile.Result {
	return one(func(r *ruling) {
		if f.Resumed {
			r.pass("tls-tickets-work", "a second connection was resumed by a ticket of the first")
		} else {
			r.broken("tls-tickets-work", "a second connection was not resumed by a ticket of the first, that was just given")
		}
	})
}

// TLSEnd is how a connection over TLS ended whose client had asked for its end.
type TLSEnd struct {
	How profile.Ending // "" where it did not within so long
	// Whole says that the response had come to its end.
	Whole  bool
	Within time.Duration
}

// Judge decides tls-close-notify.
func (f TLSEnd) Judge() []profile.Result {
	// RFC 8446, 6.1: "Each party MUST send a "close_notify" alert before closing its write
	// side of the connection, unless it has already sent some error alert." RFC 9112, 9.8:
	// "Servers MUST attempt to initiate an exchange of closure alerts with the client
	// before closing the connection." Many do not, and where a message says how long it
	// is, nothing is lost by it: a warning.
	const id = "tls-close-notify"
	return one(func(r *ruling) {
		switch {
		case (f.How == profile.CloseNotify || f.How == profile.CloseNotifyRST) && f.Whole:
			r.pass(id, "after a response to Connection: close: %s", f.How)
		case f.How == profile.FIN && f.Whole:
			r.say(id, profile.Warn, "after a response to Connection: close it ended TCP without a word of TLS, which must say goodbye")
		case f.How != "":
			r.unmeasured(id, "after a response to Connection: close: %s", f.How)
		default:
			r.unmeasured(id, "it did not close when it was asked to, within %v", f.Within.Round(time.Second))
		}
	})
}
