package dns

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	wire "github.com/miekg/dns"

	"linger"
)

const (
	// leastUDP is what every receiver takes over UDP: "Messages carried by UDP are
	// restricted to 512 bytes" (RFC 1035, 4.2.1), and with EDNS, "Values lower than
	// 512 MUST be treated as equal to 512" (RFC 6891, 6.2.3).
	leastUDP = 512
	// Of records, and of what is said about there being none, in seconds.
	recordTTL, noneTTL = 300, 60
)

// An Answer is what a server says to a query, beside the question.
type Answer struct {
	Rcode int
	// None says that there are no records: of the type where Rcode is NOERROR, of the
	// name where it is NXDOMAIN (RFC 2308, 2).
	None bool
	// Size is the length of the message in bytes, before padding; 0, or less than the
	// shortest answer has, leaves it at that: one record. The records of the type
	// make it up, for addresses behind an alias whose name takes the rest. What
	// cannot be reached is passed by as little as possible: up to 15 bytes where one
	// or two addresses would do, and where a type has one record at most, it ends at
	// what that can hold.
	Size int
	// Limit is the length that the transport carries, before the client has a say;
	// 0 is linger.MaxMessage. A message that is longer is truncated.
	Limit int
	// Datagram says that the transport is UDP, where the client sets a limit too.
	Datagram bool
	// Pad pads the message where the query was (RFC 7830, 4), on the encrypted
	// transports.
	Pad bool
	// Keepalive is how long the connection may be idle, said where the query has asked
	// (RFC 7828, 3.3.2). 0 asks the client to close it.
	Keepalive linger.Opt[time.Duration]
}

// A Reply is a message that answers a query.
type Reply struct {
	Message   []byte
	Rcode     int
	Truncated bool
	// TTL is for how long the answer may be kept: the smallest of its records', or
	// what it says of there being none (RFC 8484, 5.1); 0 where it says nothing.
	TTL time.Duration
}

// IsQuery reports whether m may be replied to. What says that it is a response may
// not, lest two servers talk to each other, and what has no header cannot be.
func (m Message) IsQuery() bool { return m.headed && !m.Response }

// Reply returns the message that answers m, which IsQuery. It repeats the question, if
// there is one and no other, and has an OPT record only where the query has one: "If an
// OPT record is present in a received request, compliant responders MUST include an
// OPT record in their respective responses" (RFC 6891, 6.1.1), and else none (7).
func (m Message) Reply(a Answer) Reply {
	r := new(wire.Msg)
	r.Id, r.Response, r.Opcode, r.Rcode = m.msg.Id, true, m.msg.Opcode, a.Rcode
	// RFC 1035, 4.1.1: RD is copied; RFC 4035, 3.1.6: so is CD.
	r.RecursionDesired, r.CheckingDisabled = m.msg.RecursionDesired, m.msg.CheckingDisabled
	r.Compress = true
	if len(m.msg.Question) == 1 {
		r.Question = m.msg.Question
	}
	if asked := m.msg.IsEdns0(); asked != nil {
		r.SetEdns0(UDPSize, asked.Do()) // RFC 3225, 3: the DO bit is copied
		if m.HasKeepalive {
			m.announce(r.IsEdns0(), a.Keepalive)
		}
	}
	var ttl uint32
	if len(r.Question) == 1 && (a.Rcode == wire.RcodeSuccess || a.Rcode == wire.RcodeNameError) {
		r.Authoritative = true
		if asked := r.Question[0]; a.None {
			r.Ns, ttl = []wire.RR{authority(domainOf(asked.Name))}, noneTTL
		} else if shape, ok := shapes[asked.Qtype]; ok {
			r.Answer, ttl = shape(asked.Name, asked.Qtype, a.Size-r.Len()), recordTTL
		}
	}
	limit := linger.MaxMessage
	if a.Limit > 0 {
		limit = a.Limit
	}
	if a.Datagram {
		limit = min(limit, max(m.UDPSize, leastUDP))
	}
	b, err := r.Pack()
	if err == nil && len(b) > limit {
		// RFC 2181, 9: TC says that a required set of records did not fit in full; what
		// of it did is of no use then, and is left out.
		r.Truncated, r.Answer, r.Ns, ttl = true, nil, nil, 0
		b, err = r.Pack()
	}
	if err == nil && a.Pad && m.Padded && r.IsEdns0() != nil {
		pad(r, answerBlock)
		b, err = r.Pack()
	}
	if err != nil {
		// What could be read can be written; this is for a library that disagrees.
		r = &wire.Msg{MsgHdr: wire.MsgHdr{Id: m.ID, Response: true, Opcode: m.msg.Opcode, Rcode: wire.RcodeServerFailure}}
		ttl = 0
		if b, err = r.Pack(); err != nil {
			panic(fmt.Sprintf("dns: a header cannot be written: %v", err))
		}
	}
	return Reply{Message: b, Rcode: r.Rcode, Truncated: r.Truncated, TTL: time.Duration(ttl) * time.Second}
}

// announce says the idle limit, if there is one to say. The option is written as it
// stands on the wire: a timeout of 0 has its two bytes, too.
func (m Message) announce(opt *wire.OPT, limit linger.Opt[time.Duration]) {
	d, ok := limit.Get()
	if !ok {
		return
	}
	units := min(max(d, 0), MaxKeepalive) / keepaliveUnit
	opt.Option = append(opt.Option, &wire.EDNS0_LOCAL{
		Code: wire.EDNS0TCPKEEPALIVE,
		Data: binary.BigEndian.AppendUint16(nil, uint16(units)),
	})
}

// A shape returns the records of a type that answer for a name. They take room bytes
// where that is more than the shortest answer takes.
type shape func(name string, kind uint16, room int) []wire.RR

var shapes = map[uint16]shape{
	wire.TypeA:     addresses,
	wire.TypeAAAA:  addresses,
	wire.TypeMX:    hosts,
	wire.TypeNS:    hosts,
	wire.TypePTR:   hosts,
	wire.TypeSRV:   hosts,
	wire.TypeCNAME: alias,
	wire.TypeTXT:   text,
	wire.TypeHTTPS: service,
	wire.TypeSVCB:  service,
	wire.TypeSOA:   start,
	wire.TypeANY:   refuseAny,
}

func hasShape(kind uint16) bool { return shapes[kind] != nil }

const (
	recordSize = 10 // of a record's type, class, TTL and length (RFC 1035, 3.2.1)
	pointer    = 2  // of a name that has been written before (RFC 1035, 4.1.4)
	maxLabel   = 63
)

// again returns how many bytes a name takes that has been written before; the root
// has nothing to point to.
func again(name string) int {
	if name == "." {
		return 1
	}
	return pointer
}

func header(name string, kind uint16) wire.RR_Header {
	return wire.RR_Header{Name: name, Rrtype: kind, Class: wire.ClassINET, Ttl: recordTTL}
}

// addresses are those set apart for measurements, 198.18.0.0/15 (RFC 2544, C.2.2),
// and for documents, 2001:db8::/32 (RFC 3849).
func addresses(name string, kind uint16, room int) []wire.RR {
	size := recordSize + 4
	if kind == wire.TypeAAAA {
		size = recordSize + 16
	}
	own, behind := again(name)+size, pointer+size
	var out []wire.RR
	n := 1
	switch least := aliasSize(name) + 1 + behind; {
	case room <= own:
	case room%own == 0:
		n = room / own
	case room < 2*own && 2*own <= least:
		n = 2
	default:
		// The first label of the alias takes what addresses cannot.
		rest := max(room, least) - aliasSize(name)
		n = (rest - 1) / behind
		c := &wire.CNAME{Hdr: header(name, wire.TypeCNAME), Target: label("edge", rest-n*behind) + root(lastLabel(name))}
		out, name = append(out, c), c.Target
	}
	for i := range n {
		i++
		h := header(name, kind)
		if kind == wire.TypeA {
			out = append(out, &wire.A{Hdr: h, A: []byte{198, 18 | byte(i>>16&1), byte(i >> 8), byte(i)}})
			continue
		}
		a := netip.MustParseAddr("2001:db8::").As16()
		binary.BigEndian.PutUint32(a[12:], uint32(i))
		out = append(out, &wire.AAAA{Hdr: h, AAAA: a[:]})
	}
	return out
}

// aliasSize is the size of a CNAME to a name whose first label is empty, below the
// last label of the one it stands for.
func aliasSize(name string) int { return again(name) + recordSize + 1 + again(lastLabel(name)) }

// label returns a label of n bytes, 1 to 63, that begins as the word does.
func label(word string, n int) string {
	if n <= len(word) {
		return word[:n] + "."
	}
	return word + strings.Repeat("x", n-len(word)) + "."
}

func root(name string) string {
	if name == "." {
		return ""
	}
	return name
}

// hosts are records that name a host, few with long names rather than many with
// short ones.
func hosts(name string, kind uint16, room int) []wire.RR {
	end := lastLabel(name)
	fixed := again(name) + recordSize + 1 + again(end)
	switch kind {
	case wire.TypeMX:
		fixed += 2
	case wire.TypeSRV:
		fixed += 6 + len(end) - again(end) + 1 // no pointers here (RFC 2782)
		if end == "." {
			fixed--
		}
	}
	const word = "host"
	room = max(room, fixed+len(word))
	n := (room + fixed + maxLabel - 1) / (fixed + maxLabel)
	if n > 1 {
		const apart = 10 // enough for each name to be another
		room = max(room, n*(fixed+apart))
	}
	var out []wire.RR
	for i := range n {
		length := room/n - fixed
		if i < room%n {
			length++
		}
		host := label(fmt.Sprintf("%s%d", word, i+1), length)
		if n == 1 {
			host = label(word, length)
		}
		host += root(end)
		h := header(name, kind)
		switch kind {
		case wire.TypeMX:
			out = append(out, &wire.MX{Hdr: h, Preference: uint16(i + 1), Mx: host})
		case wire.TypeSRV:
			out = append(out, &wire.SRV{Hdr: h, Priority: uint16(i + 1), Port: 443, Target: host})
		case wire.TypeNS:
			out = append(out, &wire.NS{Hdr: h, Ns: host})
		default:
			out = append(out, &wire.PTR{Hdr: h, Ptr: host})
		}
	}
	return out
}

func alias(name string, kind uint16, room int) []wire.RR {
	n := min(max(room-aliasSize(name), len("edge")), maxLabel)
	return []wire.RR{&wire.CNAME{Hdr: header(name, kind), Target: label("edge", n) + root(lastLabel(name))}}
}

// text is one record of as many strings as it takes.
func text(name string, kind uint16, room int) []wire.RR {
	const words, longest = "linger", 255
	room = max(room-again(name)-recordSize, 1+len(words))
	var all []string
	for room > 0 {
		n := min(room-1, longest)
		room -= 1 + n
		all = append(all, words[:min(n, len(words))]+strings.Repeat("x", max(n-len(words), 0)))
	}
	return []wire.RR{&wire.TXT{Hdr: header(name, kind), Txt: all}}
}

// service is one record, whose size a parameter of private use makes up (RFC 9460,
// 14.3.1).
func service(name string, kind uint16, room int) []wire.RR {
	const private, header4 = 65333, 4 // key and length
	protocols := &wire.SVCBAlpn{Alpn: []string{linger.H2.ALPN(), linger.H3.ALPN()}}
	s := wire.SVCB{Hdr: header(name, kind), Priority: 1, Target: ".", Value: []wire.SVCBKeyValue{protocols}}
	missing := room - (again(name) + recordSize + 2 + 1 + header4 + len("2h22h3"))
	if 0 < missing && missing < header4 {
		protocols.Alpn = protocols.Alpn[:1]
		missing += len("2h3")
	}
	if missing > 0 {
		s.Value = append(s.Value, &wire.SVCBLocal{KeyCode: private, Data: make([]byte, missing-header4)})
	}
	if kind == wire.TypeHTTPS {
		return []wire.RR{&wire.HTTPS{SVCB: s}}
	}
	return []wire.RR{&s}
}

func start(name string, _ uint16, _ int) []wire.RR {
	soa := authority(name)
	soa.Hdr.Ttl = recordTTL
	return []wire.RR{soa}
}

// refuseAny is the answer to a question for everything (RFC 8482, 4.2).
func refuseAny(name string, _ uint16, _ int) []wire.RR {
	return []wire.RR{&wire.HINFO{Hdr: header(name, wire.TypeHINFO), Cpu: "RFC8482"}}
}

// authority is the record that says for how long there is nothing else (RFC 2308, 3).
func authority(domain string) *wire.SOA {
	h := header(domain, wire.TypeSOA)
	h.Ttl = noneTTL
	return &wire.SOA{
		Hdr: h, Ns: "ns." + root(lastLabel(domain)), Mbox: "hostmaster." + root(lastLabel(domain)),
		Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400, Minttl: noneTTL,
	}
}
