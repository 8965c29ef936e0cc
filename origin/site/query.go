package site

import (
	"time"

	"linger"
	"linger/dns"
)

// A Query is one query of DNS and what it is answered, but for what depends on its carrier.
type Query struct {
	Delay   time.Duration // before it is answered
	message dns.Message
	answer  dns.Answer
}

// A Carrier is what carries the reply to a query, as far as the reply depends on it.
type Carrier struct {
	// Datagram has what is too long for a datagram truncated.
	Datagram bool
	// Encrypted has the message padded, so that its length tells less.
	Encrypted bool
	// Keepalive is the idle limit that the reply announces (RFC 7828).
	Keepalive linger.Opt[time.Duration]
}

// HasNames reports whether the site has names to look up.
func (s *Site) HasNames() bool { return s.zone != nil }

// Query reads a message of DNS and finds what it is answered. It reports false where there
// is nothing that may be answered.
func (s *Site) Query(b []byte) (*Query, bool) {
	m, err := dns.Read(b)
	if s.zone == nil || !m.IsQuery() {
		return nil, false
	}
	q := &Query{message: m}
	i, a := s.zone.Find(m, err)
	q.answer = a
	if i >= 0 {
		e := &s.workload.Exchanges[i]
		q.answer.Size, q.Delay = int(e.ResponseBody), e.Delay
	}
	return q, true
}

// ID is the query's message ID.
func (q *Query) ID() uint16 { return q.message.ID }

// AsksForKeepalive reports whether the query has the option edns-tcp-keepalive.
func (q *Query) AsksForKeepalive() bool { return q.message.HasKeepalive }

// Answer returns the reply to the query as that carrier has it.
func (q *Query) Answer(over Carrier) Answer {
	r := q.reply(over)
	a := q.Unanswered()
	a.Status, a.Body, a.Length = r.Rcode, r.Message, int64(len(r.Message))
	return a
}

// Unanswered is the answer of a query that gets none: what the log calls the query.
func (q *Query) Unanswered() Answer {
	a := Answer{Method: "-", Target: "-", Delay: q.Delay}
	if asked := q.message.Query; asked != (linger.Query{}) {
		a.Method, a.Target = asked.Type, asked.Name
	}
	return a
}

func (q *Query) reply(over Carrier) dns.Reply {
	a := q.answer
	a.Pad, a.Keepalive = over.Encrypted, over.Keepalive
	if over.Datagram {
		a.Datagram, a.Limit = true, dns.UDPSize
	}
	return q.message.Reply(a)
}
