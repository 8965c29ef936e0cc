package linger

import (
	"slices"
	"strconv"
	"strings"
)

// A Protocol is what is spoken on a connection, under the name that traces, profiles and
// records have for it. Whoever would branch on a name asks the protocol instead:
// [Protocol.Multiplexed], [Protocol.Transport]. Names that are not in the table below are
// valid, since captures and browsers report what they see; nothing is known of those.
type Protocol string

// The protocols of HTTP and of DNS.
const (
	HTTP10 Protocol = "http/1.0" // RFC 1945
	HTTP11 Protocol = "http/1.1" // RFC 9112
	H2     Protocol = "h2"       // RFC 9113, over TLS or in the clear
	H3     Protocol = "h3"       // RFC 9114

	DNSOverUDP   Protocol = "udp"  // RFC 1035, 4.2.1
	DNSOverTCP   Protocol = "tcp"  // RFC 7766
	DNSOverTLS   Protocol = "dot"  // RFC 7858
	DNSOverHTTPS Protocol = "doh"  // RFC 8484, by HTTP/2
	DNSOverHTTP3 Protocol = "doh3" // RFC 8484, by HTTP/3
	DNSOverQUIC  Protocol = "doq"  // RFC 9250
)

// Protocols that stand for what they carry, where that is not known or does not matter.
const (
	HTTP09 Protocol = "http/0.9"
	TLS    Protocol = "tls"
	QUIC   Protocol = "quic"
	DNS    Protocol = "dns" // DNS by whichever transport
)

// A Transport is what carries a protocol's packets.
type Transport string

const (
	TransportTCP  Transport = "tcp"
	TransportUDP  Transport = "udp"
	TransportQUIC Transport = "quic"
)

// Schemes of a workload.
const (
	SchemeHTTP  = "http"  // cleartext
	SchemeHTTPS = "https" // TLS, which QUIC has too
	SchemeDNS   = "dns"   // names are looked up; the strategy says how
)

// SchemePort is the port of a URL that names none (RFC 9110, 4.2), as URLs have it; "" for a
// scheme that is not HTTP's.
func SchemePort(scheme string) string {
	switch scheme {
	case SchemeHTTP:
		return "80"
	case SchemeHTTPS:
		return "443"
	}
	return ""
}

// traits are what is known of a protocol.
type traits struct {
	name        Protocol
	title       string
	short       string // as it stands behind the name of a figure
	transport   Transport
	secure      bool // always encrypted
	multiplexed bool
	datagram    bool
	alpn        string
	port        int    // 0 where the scheme says it
	carrier     string // of DNS: OverUDP and its like
	version     string // of HTTP
}

// protocols is the one table of protocols. The first row of several with one ALPN token is
// the one that the token names (RFC 7301): DNS over HTTPS is HTTP to the handshake.
var protocols = []traits{
	{name: HTTP11, title: "HTTP/1.1", short: "h1", transport: TransportTCP, alpn: "http/1.1", version: "1.1"},
	{name: HTTP10, title: "HTTP/1.0", transport: TransportTCP, alpn: "http/1.0", version: "1.0"},
	{name: HTTP09, title: "HTTP/0.9", transport: TransportTCP, alpn: "http/0.9", version: "0.9"},
	{name: H2, title: "HTTP/2", short: "h2", transport: TransportTCP, multiplexed: true, alpn: "h2", version: "2"},
	{name: H3, title: "HTTP/3", short: "h3", transport: TransportQUIC, secure: true, multiplexed: true, alpn: "h3", version: "3"},
	{name: DNSOverUDP, title: "DNS over UDP", short: "udp", transport: TransportUDP, datagram: true, port: 53, carrier: OverUDP},
	{name: DNSOverTCP, title: "DNS over TCP", short: "tcp", transport: TransportTCP, port: 53, carrier: OverTCP},
	{name: DNSOverTLS, title: "DNS over TLS", short: "dot", transport: TransportTCP, secure: true, alpn: "dot", port: 853, carrier: OverTLS},
	{name: DNSOverHTTPS, title: "DNS over HTTP/2", short: "doh", transport: TransportTCP, secure: true, multiplexed: true, alpn: "h2", port: 443, carrier: OverHTTPS, version: "2"},
	{name: DNSOverHTTP3, title: "DNS over HTTP/3", short: "doh3", transport: TransportQUIC, secure: true, multiplexed: true, alpn: "h3", port: 443, carrier: OverHTTPS, version: "3"},
	{name: DNSOverQUIC, title: "DNS over QUIC", short: "doq", transport: TransportQUIC, secure: true, multiplexed: true, alpn: "doq", port: 853, carrier: OverQUIC},
	{name: TLS, title: "TLS", transport: TransportTCP, secure: true},
	{name: QUIC, title: "QUIC", transport: TransportQUIC, secure: true},
	{name: DNS, title: "DNS", carrier: "any"},
}

// byName finds the row of a protocol.
var byName = func() map[Protocol]*traits {
	rows := make(map[Protocol]*traits, len(protocols))
	for i := range protocols {
		rows[protocols[i].name] = &protocols[i]
	}
	return rows
}()

var unheardOf traits

func (p Protocol) traits() *traits {
	if row := byName[p]; row != nil {
		return row
	}
	return &unheardOf
}

// Before reports whether p stands before another in lists: HTTP's versions first, then DNS's
// transports; what is not known comes last.
func (p Protocol) Before(other Protocol) bool { return p.place() < other.place() }

func (p Protocol) place() int {
	if i := slices.IndexFunc(protocols, func(row traits) bool { return row.name == p }); i >= 0 {
		return i
	}
	return len(protocols)
}

// Protocols lists the protocols that a figure can be of, HTTP's first.
func Protocols() []Protocol {
	var out []Protocol
	for _, row := range protocols {
		if row.short != "" {
			out = append(out, row.name)
		}
	}
	return out
}

// ProtocolByALPN returns the protocol that a token of ALPN names (RFC 7301), "" for none.
func ProtocolByALPN(token string) Protocol {
	for _, row := range protocols {
		if token != "" && row.alpn == token {
			return row.name
		}
	}
	return ""
}

// ProtocolFor returns what is spoken by HTTP of that version, or by DNS that dns carries
// ([OverUDP] and its like); "" if nothing is.
func ProtocolFor(dns, version string) Protocol {
	for _, row := range protocols {
		if named := row.carrier != "" || row.version != ""; named && row.carrier == dns && row.version == version {
			return row.name
		}
	}
	return ""
}

// Title is the name for people: "HTTP/2", "DNS over TLS"; p itself where none is known.
func (p Protocol) Title() string {
	if row := p.traits(); row.title != "" {
		return row.title
	}
	return string(p)
}

// Short is the name in one word of letters and digits, as "h1" is for HTTP/1.1; "" for what
// no figure is of.
func (p Protocol) Short() string { return p.traits().short }

// ALPN is the token that a handshake offers for the protocol; "" for none.
func (p Protocol) ALPN() string { return p.traits().alpn }

// Transport is what carries the protocol; "" where that is not known.
func (p Protocol) Transport() Transport { return p.traits().transport }

// OverQUIC reports whether the protocol is carried by QUIC.
func (p Protocol) OverQUIC() bool { return p.traits().transport == TransportQUIC }

// Secure reports whether the protocol is encrypted always. HTTP/1 and HTTP/2 are so where
// the scheme is https.
func (p Protocol) Secure() bool { return p.traits().secure }

// Multiplexed reports whether exchanges share a connection, each on a stream of its own
// (RFC 9113, 5; RFC 9114, 4.1; RFC 9250, 4.2).
func (p Protocol) Multiplexed() bool { return p.traits().multiplexed }

// Datagram reports whether a request and its answer are a datagram each, without a
// connection.
func (p Protocol) Datagram() bool { return p.traits().datagram }

// IsHTTP reports whether objects are fetched by it.
func (p Protocol) IsHTTP() bool { row := p.traits(); return row.version != "" && row.carrier == "" }

// IsHTTP1 reports whether it is HTTP/1.0 or HTTP/1.1, whose heads are text.
func (p Protocol) IsHTTP1() bool { return p.IsHTTP() && strings.HasPrefix(p.Version(), "1.") }

// IsDNS reports whether names are looked up by it.
func (p Protocol) IsDNS() bool { return p.traits().carrier != "" }

// Carrier is what carries the messages of DNS, as a strategy has it: OverUDP and its like;
// "" for what is not of DNS.
func (p Protocol) Carrier() string { return p.traits().carrier }

// Version is the version of HTTP: "1.1", "2"; of DNS over HTTPS too.
func (p Protocol) Version() string { return p.traits().version }

// Port is the port on which the protocol is served: 53 (RFC 1035, 4.2), 853 (RFC 7858, 3.1;
// RFC 9250, 4.1.1), HTTPS's own; 0 where the scheme decides.
func (p Protocol) Port() int { return p.traits().port }

// Protocol is what the strategy speaks.
func (s Strategy) Protocol() Protocol { return ProtocolFor(s.DNS, s.Version) }

// Port is the port to which the strategy connects where an address names none.
func (s Strategy) Port(scheme string) int {
	if s.DNS != "" {
		return s.Protocol().Port()
	}
	port, _ := strconv.Atoi(SchemePort(scheme)) // one of a few constants
	return port
}

// Speaks names what the strategy speaks, for people: "HTTP/3", "DNS over TLS".
func (s Strategy) Speaks() string {
	if p := s.Protocol(); p != "" {
		return p.Title()
	}
	if s.DNS == "" {
		return "HTTP/" + s.Version
	}
	return "DNS over " + strings.ToUpper(s.DNS)
}
