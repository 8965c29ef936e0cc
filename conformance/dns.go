package conformance

import (
	"fmt"
	"time"

	"linger"
	"linger/profile"
)

// dnsCases are those of a server of DNS over TCP or TLS, and of what it says of itself
// over UDP.
var dnsCases = []row{
	{"dns-many-queries", "takes more than one query on a connection", linger.DNS, "RFC 7766, 6.2.1", profile.Should, ""},
	{"dns-pipelining", "answers all queries that were sent without waiting, in one segment too", linger.DNS, "RFC 7766, 6.2.1.1", profile.Should, ""},
	{"dns-reorders", "lets no slow answer hold up the next", linger.DNS, "RFC 7766, 6.2.1.1 and 7", profile.Should, ""},
	{"dns-split", "reads a query that comes in pieces", linger.DNS, "RFC 1035, 4.2.2; RFC 9293, 3.1", profile.Must, ""},
	{"dns-idle-long-enough", "keeps idle connections for at least a second", linger.DNS, "RFC 7766, 6.2.3", profile.Advice, ""},
	{"dns-idle-orderly", "ends an idle connection by FIN", linger.DNS, "RFC 9293, 3.6", profile.Should, ""},
	{"dns-keepalive-true", "keeps idle connections for as long as it says by edns-tcp-keepalive", linger.DNS, "RFC 7828, 3.3.2", profile.Must, ""},
	{"dns-keepalive-udp", "ignores edns-tcp-keepalive over UDP", linger.DNS, "RFC 7828, 3.3.1", profile.Must, ""},
	{"dns-edns-asked", "says nothing by EDNS to whoever has not", linger.DNS, "RFC 6891, 7", profile.Must, ""},
	{"dns-truncates", "cuts over UDP what is longer than 512 bytes and says so, and does neither over TCP", linger.DNS, "RFC 1035, 4.2.1; RFC 2181, 9", profile.Must, ""},
}

// Queries is what came of queries one after the other on one connection.
type Queries struct {
	Answered int
	Ended    bool   // the server ended the connection then
	Why      string // what else ended it; "" of nothing
}

// Judge decides dns-many-queries.
func (f Queries) Judge() []profile.Result {
	const id = "dns-many-queries"
	return one(func(r *ruling) {
		switch {
		case f.Ended && f.Answered == 1:
			r.broken(id, "the connection was ended after one query").by(counted("queries", 1))
		case f.Ended && f.Answered > 1:
			r.pass(id, "%d queries were answered on one connection, and then it was ended", f.Answered).by(counted("queries", f.Answered))
		case f.Why != "":
			r.unmeasured(id, "query %d: %s", f.Answered+1, f.Why)
		default:
			r.pass(id, "%d queries, one after the other, were answered on one connection", f.Answered).by(counted("queries", f.Answered))
		}
	})
}

// Burst is what came of queries that were sent in one go.
type Burst struct {
	Sent, Answered int
	Ended          bool               // the server ended the connection then
	Stray          linger.Opt[uint16] // an answer had an ID that no open query has
}

// Judge decides dns-pipelining.
func (f Burst) Judge() []profile.Result {
	const id = "dns-pipelining"
	return one(func(r *ruling) {
		if f.Answered == f.Sent {
			r.pass(id, "%d queries, sent in one go, were all answered", f.Sent).by(counted("sent", f.Sent), counted("answered", f.Answered))
			return
		}
		how := "it was silent then"
		if f.Ended {
			how = "it ended the connection then"
		}
		if number, stray := f.Stray.Get(); stray {
			how = fmt.Sprintf("it was given up then; an answer had the ID %d, which no open query has", number)
		}
		r.broken(id, "of %d queries, sent in one go, %d were answered: %s", f.Sent, f.Answered, how).by(counted("sent", f.Sent), counted("answered", f.Answered))
	})
}

// Pieces is what came of a query in three pieces, so far apart.
type Pieces struct {
	Apart time.Duration
	Heard bool   // there was an answer
	Right bool   // it was to this query
	Why   string // there was none
}

// Judge decides dns-split.
func (f Pieces) Judge() []profile.Result {
	const id = "dns-split"
	return one(func(r *ruling) {
		switch {
		case f.Heard && f.Right:
			r.pass(id, "a query in three pieces, %v apart, was answered", f.Apart)
		case f.Heard:
			r.broken(id, "a query in three pieces, %v apart, had another answer", f.Apart)
		default:
			r.broken(id, "a query in three pieces, %v apart, was not answered: %s", f.Apart, f.Why)
		}
	})
}

// Reordered is what came of a query that is answered at once, right behind one that a
// resolver has to look for.
type Reordered struct {
	// Fast and Slow are how long each takes alone, Waited how long the fast one took
	// behind the slow one.
	Fast, Slow, Waited time.Duration
	// Noticeable is by how much the slow one has to be slower.
	Noticeable time.Duration
	Tried      bool // both were asked for together
	First      bool // the fast one was answered first
}

// Undecided reports whether another try may show what this one has not.
func (f Reordered) Undecided() bool {
	return f.Slow >= f.Fast+f.Noticeable && !f.First && (!f.Tried || f.Waited >= f.Fast+f.Noticeable)
}

// Judge decides dns-reorders.
func (f Reordered) Judge() []profile.Result {
	const id = "dns-reorders"
	return one(func(r *ruling) {
		switch {
		case f.Slow < f.Fast+f.Noticeable:
			r.unmeasured(id, "nothing is slow to answer: %s what it knows, %s what nobody has", profile.Duration(f.Fast), profile.Duration(f.Slow))
		case !f.Tried:
		case f.First:
			r.pass(id, "what it knows was answered first, after %s, though asked for behind what nobody has", profile.Duration(f.Waited)).by(milliseconds("waited", f.Waited))
		case f.Waited < f.Fast+f.Noticeable:
			r.unmeasured(id, "what was slow before, %s, was not so again", profile.Duration(f.Slow))
		default:
			r.broken(id, "what it knows, and answers in %s, had to wait %s for what nobody has", profile.Duration(f.Fast), profile.Duration(f.Waited)).
				by(milliseconds("alone", f.Fast), milliseconds("waited", f.Waited))
		}
	})
}

// Plain is what came of a query without EDNS over a stream.
type Plain struct {
	EDNS bool   // the answer has an OPT record all the same
	Why  string // there was none
}

// Judge decides dns-edns-asked.
func (f Plain) Judge() []profile.Result {
	const id = "dns-edns-asked"
	return one(func(r *ruling) {
		switch {
		case f.Why != "":
			r.unmeasured(id, "a query without EDNS: %s", f.Why)
		case f.EDNS:
			r.broken(id, "the answer to a query without an OPT record has one")
		default:
			r.pass(id, "the answer to a query without an OPT record has none either")
		}
	})
}

// Sizes are those of the answers to one query without EDNS, over TCP and over UDP.
type Sizes struct {
	TCP, UDP     Answer
	NoTCP, NoUDP string // why there was no answer
}

// An Answer is one of DNS, as far as it matters here.
type Answer struct {
	Bytes     int
	Truncated bool // it says so
	Records   int  // in its answer section
}

// datagramBytes is how long an answer over UDP may be to whoever has not said that he
// takes more (RFC 1035, 4.2.1).
const datagramBytes = 512

// Judge decides dns-truncates.
func (f Sizes) Judge() []profile.Result {
	const id = "dns-truncates"
	return one(func(r *ruling) {
		by := func(w word) { w.by(counted("tcp_bytes", f.TCP.Bytes), counted("udp_bytes", f.UDP.Bytes)) }
		switch {
		case f.NoTCP != "":
			r.unmeasured(id, "a query without EDNS: %s", f.NoTCP)
		case f.TCP.Truncated:
			r.broken(id, "an answer of %d bytes over TCP says that it is truncated", f.TCP.Bytes)
		case f.NoUDP != "":
			r.unmeasured(id, "no answer over UDP: %s", f.NoUDP)
		case f.UDP.Bytes > datagramBytes:
			by(r.broken(id, "a query without EDNS was answered by %d bytes over UDP, %d is the most", f.UDP.Bytes, datagramBytes))
		case f.TCP.Bytes > datagramBytes && !f.UDP.Truncated && f.UDP.Records < f.TCP.Records:
			by(r.broken(id, "%d of %d records came over UDP, and nothing says that some are missing", f.UDP.Records, f.TCP.Records))
		case f.TCP.Bytes > datagramBytes && f.UDP.Truncated:
			by(r.pass(id, "%d bytes over TCP; %d over UDP, truncated and said so", f.TCP.Bytes, f.UDP.Bytes))
		case f.TCP.Bytes > datagramBytes:
			r.unmeasured(id, "all answers fit into %d bytes over UDP, and what was left out is optional", f.UDP.Bytes)
		default:
			r.unmeasured(id, "the answer has %d bytes, which fit; ask for a longer one: dns://host/name?type=TXT", f.TCP.Bytes)
		}
	})
}

// Datagrams is what came of queries over UDP with and without edns-tcp-keepalive.
type Datagrams struct {
	Without, With string // how they were answered: NOERROR
	Has           bool   // the answer to the one with it has the option, too
	NoWithout     string // why there was no answer without
	NoWith        bool   // there was none with it
}

// Judge decides dns-keepalive-udp.
func (f Datagrams) Judge() []profile.Result {
	const id = "dns-keepalive-udp"
	return one(func(r *ruling) {
		switch {
		case f.NoWithout != "":
			r.unmeasured(id, "no answer over UDP: %s", f.NoWithout)
		case f.NoWith:
			r.broken(id, "queries with the option were not answered, those without it were")
		case f.Has:
			r.broken(id, "the answer over UDP has the option")
		case f.With != f.Without:
			r.broken(id, "a query with the option was answered %s, one without it %s", f.With, f.Without)
		default:
			r.pass(id, "a query with the option was answered as one without it")
		}
	})
}

// IdleDNS is how idle connections of DNS were ended.
type IdleDNS struct{ Limit profile.Timeout }

// Judge decides dns-idle-long-enough and dns-idle-orderly.
func (f IdleDNS) Judge() []profile.Result {
	const long, orderly = "dns-idle-long-enough", "dns-idle-orderly"
	limit := f.Limit
	return one(func(r *ruling) {
		switch limit.State {
		case profile.AtLeast:
			if limit.Low >= enoughIdle {
				r.pass(long, "kept for %s at least", limit.Low).by(limit.Figure("limit"))
			}
			r.unmeasured(orderly, "no idle connection was ended within %s", limit.Low)
		case profile.Measured:
			if limit.ShorterThan(enoughIdle) {
				r.broken(long, "ended after %s", limit.Median).by(limit.Figure("limit"))
			} else {
				r.pass(long, "ended after %s", limit.Median).by(limit.Figure("limit"))
			}
			if limit.Ending == profile.RST || limit.Ending == profile.CloseNotifyRST {
				r.broken(orderly, "ended by %s", limit.Ending)
			} else {
				r.pass(orderly, "ended by %s", limit.Ending)
			}
		default:
			r.unmeasured(long, "%s", limit.Why)
			r.unmeasured(orderly, "%s", limit.Why)
		}
	})
}

// KeepaliveDNS is the idle limit of a connection on which it was asked for, and what was
// said of it.
type KeepaliveDNS struct {
	Announced linger.Opt[time.Duration]
	Limit     profile.Timeout
	Empty     bool // the option was there, and named no limit
}

// Judge decides dns-keepalive-true.
func (f KeepaliveDNS) Judge() []profile.Result {
	const id = "dns-keepalive-true"
	said, ok := f.Announced.Get()
	// The option counts tenths of a second (RFC 7828, 3.1), and servers' clocks tick.
	least := profile.Duration(said) - profile.Slack(profile.Duration(said))
	limit := f.Limit
	return one(func(r *ruling) {
		by := func(w word) { w.by(milliseconds("announced", said), limit.Figure("limit")) }
		switch {
		case limit.State == profile.Unknown || limit.State == "":
			r.unmeasured(id, "%s", limit.Why)
		case f.Empty:
			r.unmeasured(id, "it says the option without a TIMEOUT, so that it announces no limit")
		case !ok:
			r.unmeasured(id, "it does not say the option, which it need not")
		case said == 0:
			r.pass(id, "it asks to close at once")
		case limit.State == profile.Measured && limit.Median < least:
			by(r.broken(id, "it said %s, and ended the connection after %s", profile.Duration(said), limit.Median))
		case limit.State == profile.Measured:
			by(r.pass(id, "it said %s, and ended the connection after %s", profile.Duration(said), limit.Median))
		case limit.Low >= least:
			by(r.pass(id, "it said %s, and kept the connection for %s at least", profile.Duration(said), limit.Low))
		default:
			r.unmeasured(id, "it said %s, and waiting ended after %s; --patient and --max-wait wait for longer", profile.Duration(said), limit.Low)
		}
	})
}
