package dns

import (
	wire "github.com/miekg/dns"

	"linger"
)

// A Zone is the names of a workload, as the server that has authority over them
// knows them: each name with the types it is asked for, and the domains they lie in.
// A domain is the last two labels of a name, or what it has of them.
type Zone struct {
	exchanges map[question]int
	names     map[string]bool // and all between them and their domains
	domains   map[string]bool
}

type question struct {
	name string
	kind uint16
}

// NewZone returns the zone of a workload's queries. Of those that ask the same, the
// first says how that is answered: on the wire there is nothing to tell them apart.
func NewZone(w linger.Workload) (*Zone, error) {
	z := &Zone{exchanges: map[question]int{}, names: map[string]bool{}, domains: map[string]bool{}}
	for i, e := range w.Exchanges {
		if !e.IsQuery() {
			continue
		}
		kind, err := typeOf(e.Query.Type)
		if err != nil {
			return nil, err
		}
		name := wire.CanonicalName(e.Query.Name)
		if _, ok := z.exchanges[question{name, kind}]; !ok {
			z.exchanges[question{name, kind}] = i
		}
		domain := domainOf(name)
		z.domains[domain] = true
		// A name above another exists, even where it has no records (RFC 4592, 2.2.2).
		for z.names[name] = true; name != domain; z.names[name] = true {
			name = parent(name)
		}
	}
	return z, nil
}

// Find returns what a message that IsQuery is answered with, of what the zone has to
// say: the exchange, or -1 where none is behind it, and the response code and the
// lack of records. unread is the error of Read.
func (z *Zone) Find(m Message, unread error) (exchange int, a Answer) {
	switch code := m.fault(unread); {
	case code != wire.RcodeSuccess:
		return -1, Answer{Rcode: code}
	case len(z.exchanges) == 0:
		return -1, Answer{Rcode: wire.RcodeRefused}
	}
	asked := m.msg.Question[0]
	name := wire.CanonicalName(asked.Name)
	if i, ok := z.exchanges[question{name, asked.Qtype}]; ok {
		return i, Answer{None: !hasShape(asked.Qtype)}
	}
	switch {
	case z.names[name]:
		return -1, Answer{None: asked.Qtype != wire.TypeANY}
	case z.domains[domainOf(name)]:
		return -1, Answer{Rcode: wire.RcodeNameError, None: true}
	}
	return -1, Answer{Rcode: wire.RcodeRefused}
}

// fault returns the response code of what is no question that can be looked up.
func (m Message) fault(unread error) int {
	options := 0
	for _, rr := range m.msg.Extra {
		if rr.Header().Rrtype == wire.TypeOPT {
			options++
		}
	}
	switch {
	case m.msg.Opcode != wire.OpcodeQuery:
		return wire.RcodeNotImplemented
	case unread != nil, len(m.msg.Question) != 1, options > 1:
		// RFC 6891, 6.1.1, has more than one OPT record answered by FORMERR, and RFC
		// 9619, 4, every number of questions but one.
		return wire.RcodeFormatError
	case m.EDNS && m.msg.IsEdns0().Version() > 0:
		return wire.RcodeBadVers // RFC 6891, 6.1.3
	}
	switch asked := m.msg.Question[0]; {
	case asked.Qclass != wire.ClassINET, asked.Qtype == wire.TypeAXFR, asked.Qtype == wire.TypeIXFR:
		return wire.RcodeRefused
	case asked.Qtype == wire.TypeOPT:
		return wire.RcodeFormatError
	}
	return wire.RcodeSuccess
}

// domainOf returns the last two labels of a name that ends in a dot.
func domainOf(name string) string {
	at, _ := wire.PrevLabel(name, 2)
	return name[at:]
}

// parent returns a name without its first label.
func parent(name string) string {
	if at, end := wire.NextLabel(name, 0); !end {
		return name[at:]
	}
	return "."
}

// lastLabel returns the last label of a name that ends in a dot, with that dot.
func lastLabel(name string) string {
	at, _ := wire.PrevLabel(name, 1)
	return name[at:]
}
