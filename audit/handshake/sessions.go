// Package handshake says of TLS handshakes what they took, and which of them could have been
// resumed and were not.
//
// [Sessions] knows what servers have given clients to resume by, and judges each handshake in the
// order in which they began. A [Sum] counts them, full and resumed apart.
package handshake

import (
	"time"

	"linger"
	"linger/trace"
)

// A Key is where a client keeps what it may resume by: for a name and port, or where no name is
// known an address, over TCP and QUIC apart.
type Key struct {
	Client, Server string
	QUIC           bool
}

// A Handshake is one whose hellos were both seen.
type Handshake struct {
	Key     Key
	Address string         // of the server, which may be another one of the same name
	At      linger.Instant // when the client asked for the connection
	// Given is when what the server gave to resume by had come, at the latest.
	Given linger.Instant
	TLS   trace.TLS
}

// An Outcome is what became of resumption.
type Outcome uint8

const (
	// None: there was nothing to resume by, as far as was seen.
	None Outcome = iota
	// Resumed: the client asked, and the server did.
	Resumed
	// Refused: the client asked, and the server did not.
	Refused
	// Unused: the client could have asked, and did not.
	Unused
)

// A Verdict is the outcome of one handshake.
type Verdict struct {
	Outcome Outcome
	// Since is when that was given by which the client could resume, or probably asked to;
	// From is the address that gave it. Both are empty where nothing of it was seen.
	Since linger.Instant
	From  string
}

// A grant is what a server gave to resume by.
type grant struct {
	at, until linger.Instant
	address   string
	version   string
	left      int64 // tickets that were not used; -1 is any number of times
}

// Bounds of what is remembered.
const (
	mostKeys   = 1 << 15
	mostGrants = 8 // of a key, the youngest
)

// shortest is for how long a server keeps a session at least where it does not say: nginx and
// Apache for 5 minutes by default, most for longer.
const shortest = 5 * time.Minute

// Sessions are what clients have been given to resume by. The zero value is empty.
type Sessions struct{ of map[Key][]grant }

// Judge says what became of resumption in a handshake, and takes in what it gave. Handshakes come
// in the order in which they began.
//
// "Clients SHOULD NOT reuse a ticket for multiple connections" (RFC 8446, C.4): each of TLS 1.3
// counts for one. Up to TLS 1.2 one serves any number (RFC 5077; RFC 5246, F.1.4).
func (s *Sessions) Judge(h Handshake) Verdict {
	var v Verdict
	grants := s.of[h.Key]
	i := usable(grants, h)
	asked, known := h.TLS.Asked.Get()
	switch {
	case h.TLS.Resumed:
		v.Outcome = Resumed
	case asked && !h.TLS.ECH: // with ECH what the outer hello asks may be made up
		v.Outcome = Refused
	case known && !asked && i >= 0:
		v.Outcome = Unused
	}
	if i >= 0 && v.Outcome != None {
		v.Since, v.From = grants[i].at, grants[i].address
		if v.Outcome != Unused && grants[i].left > 0 {
			grants[i].left--
		}
	}
	s.give(h)
	return v
}

// usable is the youngest grant by which a handshake could be resumed; -1 is none. One of its own
// address goes before those of others, which may not share their keys.
func usable(grants []grant, h Handshake) int {
	best := -1
	for i, g := range grants {
		if g.at > h.At || g.until < h.At || g.left == 0 || g.version != h.TLS.Version {
			continue
		}
		if best < 0 || g.address == h.Address || grants[best].address != h.Address {
			best = i
		}
	}
	return best
}

// give takes in what a handshake gave.
func (s *Sessions) give(h Handshake) {
	n := h.TLS.Tickets.Or(0)
	if n <= 0 && !h.TLS.Session {
		return
	}
	lifetime, known := h.TLS.Lifetime.Get()
	g := grant{at: h.Given, address: h.Address, version: h.TLS.Version, left: -1}
	switch {
	case h.TLS.Version == "1.3":
		// "The value of zero indicates that the ticket should be discarded immediately"
		// (RFC 8446, 4.6.1).
		if g.left = n; known && lifetime == 0 {
			return
		}
	case lifetime == 0:
		known = false // unspecified (RFC 5077, 3.3)
	}
	if !known {
		lifetime = shortest
	}
	g.until = g.at.Add(lifetime)
	if s.of == nil {
		s.of = map[Key][]grant{}
	}
	list, old := s.of[h.Key]
	if !old && len(s.of) >= mostKeys {
		s.expire(h.At)
		if len(s.of) >= mostKeys {
			return
		}
	}
	if len(list) >= mostGrants {
		list = append(list[:0], list[1:]...)
	}
	s.of[h.Key] = append(list, g)
}

// expire lets go of what is of no use any more.
func (s *Sessions) expire(now linger.Instant) {
	for k, list := range s.of {
		if list[len(list)-1].until < now {
			delete(s.of, k)
		}
	}
}
