package tls

import (
	"crypto/sha256"

	"linger/capture/secrets"
)

// Up to TLS 1.2 a resumed session has the master secret of the handshake that began it (RFC 5246,
// F.1.4). Some programs, Go's among them, log that once, by the random of that handshake. So
// it is remembered which session was begun by which.

// mostSessions bounds what is remembered of sessions, some 100 bytes each. The oldest go.
const mostSessions = 1 << 16

// sessions has the client's random of the handshake that began a session, by the digest of its
// ID or ticket.
type sessions struct {
	began  map[[sha256.Size]byte]secrets.Random
	order  [][sha256.Size]byte // as they came; a ring once there are mostSessions
	oldest int
}

// Kinds of what names a session.
const (
	byID     = 'i'
	byTicket = 't'
)

func digest(kind byte, name []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte{kind}, name...))
}

func (s *sessions) put(name [sha256.Size]byte, random secrets.Random) {
	if _, ok := s.began[name]; !ok {
		if s.began == nil {
			s.began = map[[sha256.Size]byte]secrets.Random{}
		}
		if len(s.order) < mostSessions {
			s.order = append(s.order, name)
		} else {
			delete(s.began, s.order[s.oldest])
			s.order[s.oldest] = name
			s.oldest = (s.oldest + 1) % mostSessions
		}
	}
	s.began[name] = random
}

// resumes takes in that a server of up to TLS 1.2 has chosen, whether to resume or to begin.
func (h *Handshake) resumes() {
	h.origin = h.Client
	switch {
	case h.Shared == nil:
	case !h.TLS.Resumed:
		if len(h.echoed) > 0 {
			h.Shared.sessions.put(digest(byID, h.echoed), h.Client)
		}
	default:
		random, ok := h.Shared.sessions.began[h.asked]
		if !ok {
			random = h.Shared.sessions.began[digest(byID, h.echoed)]
		}
		h.origin = random
	}
}

// ticketed takes in a session's ticket, of up to TLS 1.2 (RFC 5077, 3.3): its lifetime, and the
// ticket behind its size.
func (h *Handshake) ticketed(body []byte) {
	c := cursor(body)
	c.take(4)
	if name := c.vector(2); len(name) > 0 && h.Shared != nil && h.origin != (secrets.Random{}) {
		h.Shared.sessions.put(digest(byTicket, name), h.origin)
	}
}
