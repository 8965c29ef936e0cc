// Package dns asks a server of DNS, over TCP or TLS, what it does with connections: for how
// long it keeps them, what edns-tcp-keepalive says of that, how many queries they carry, and
// whether answers come out of order. What is said over UDP is held against it.
package dns

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/dial"
	"linger/dns"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

const (
	// SchemeDoT is that of a server which is asked over TLS; [linger.SchemeDNS] is that of
	// one in the clear.
	SchemeDoT = string(linger.DNSOverTLS)
	// MostConnections are how many are open at once to a server of DNS. Some shorten
	// their limits to a hundredth once half of their connections are taken, and have
	// ten of them unless they are told otherwise (unbound: tcp-idle-timeout,
	// incoming-num-tcp): to see the limit itself, the probe has to stay below that.
	MostConnections = 4
	// watchedAgain is how long a limit is at most for which connections are watched again.
	watchedAgain = 10 * time.Second
	// asked are how many are sent on one connection, one after the other and all
	// at once.
	asked = 10
	// datagramsSent are how often a datagram is sent at most.
	datagramsSent = 3
	// noticeable is by how much an answer must be slower than another to tell whether
	// that one has waited for it; tries are how often it has to, since a machine may
	// be late for once.
	noticeable, tries = 20 * time.Millisecond, 2
)

// Speaks reports whether a scheme is of a server of DNS.
func Speaks(scheme string) bool { return scheme == linger.SchemeDNS || scheme == SchemeDoT }

// A Server is a server of DNS, over TCP or TLS, as far as it is known.
type Server struct {
	*prober.Prober
	query   linger.Query      // the target
	watched []limits.Sighting // of whatever kind; behind the prober's lock
}

// New is the server that p probes, asked for that.
func New(p *prober.Prober, query linger.Query) *Server { return &Server{Prober: p, query: query} }

// Experiments have those that wait last, unlike those of other protocols: connections are
// few, and what does not wait is over at once.
func (p *Server) Experiments() []prober.Experiment {
	return []prober.Experiment{
		{
			Name: "queries on a connection", Connections: 1, Requests: asked,
			Cases:   []string{"dns-many-queries"},
			Figures: []string{"requests"},
			Run:     p.oneByOne,
		},
		{
			Name: "pipelining", Connections: 1, Requests: asked,
			Cases:   []string{"dns-pipelining"},
			Figures: []string{"pipelining"},
			Run:     p.pipelining,
		},
		{
			Name: "a query in pieces", Connections: 1, Requests: 1,
			Cases: []string{"dns-split"},
			Run:   p.split,
		},
		{
			Name: "a slow answer before a fast one", Connections: 1, Requests: 2 + 2*tries,
			Cases: []string{"dns-reorders"},
			Run:   p.reorder,
		},
		{
			Name: "a client that sends no more", Connections: 1, Requests: 1,
			Run: p.halfClose,
		},
		{
			Name: "EDNS and truncation", Connections: 1, Requests: 1 + 5*datagramsSent,
			Cases: []string{"dns-edns-asked", "dns-keepalive-udp", "dns-truncates"},
			Run:   p.datagrams,
		},
		{
			Name: "idle after a response, DNS", Connections: 2, Requests: 4, Waits: true,
			Cases:   []string{"dns-idle-long-enough", "dns-idle-orderly"},
			Figures: []string{"idle", "ending"},
			Run:     p.idleAfterAnswer,
		},
		{
			Name: "idle after an answer, with edns-tcp-keepalive", Connections: 1, Requests: 1, Waits: true,
			Cases:   []string{"dns-keepalive-true"},
			Figures: []string{"announced"},
			Run:     p.keepalive,
		},
		{
			Name: "idle after connect, DNS", Connections: 1, Waits: true,
			Figures: []string{"idle_connect", "idle_tls"},
			Run:     p.idleAfterConnect,
		},
	}
}

// Target reads dns://HOST[:PORT][/NAME][?type=TYPE] (RFC 4501, 3), and the same with
// dot: for TLS. Without a name the servers of the root are asked for, which every
// resolver knows and no server of names need look for.
func Target(u *url.URL) (linger.Query, error) {
	q := linger.Query{Name: ".", Type: "NS"}
	if name := strings.Trim(u.Path, "/"); name != "" {
		q = linger.Query{Name: strings.TrimSuffix(name, "."), Type: "A"}
	}
	for part := range strings.FieldsFuncSeq(u.RawQuery, func(r rune) bool { return r == ';' || r == '&' }) {
		kind, ok := strings.CutPrefix(strings.ToLower(part), "type=")
		if !ok {
			return q, fmt.Errorf("%q is not what can be asked; write dns://host/name?type=AAAA", part)
		}
		q.Type = strings.ToUpper(kind)
	}
	if _, err := dns.Ask(q, dns.Options{}); err != nil {
		return q, err
	}
	return q, nil
}

// stream names the protocol whose profile is written.
func (p *Server) stream() linger.Protocol {
	if p.Target.TLS != nil {
		return linger.DNSOverTLS
	}
	return linger.DNSOverTCP
}

// ReachRequests are how many queries Reach sends.
const ReachRequests = 1

// Reach finds the address that answers, the round-trip time to it, and what its
// ordinary answer is.
func (p *Server) Reach(ctx context.Context) error {
	port := p.URL.Port()
	if port == "" {
		port = strconv.Itoa(p.stream().Port())
	}
	p.Target.Address = net.JoinHostPort(p.URL.Hostname(), port)
	const samples = 3
	var handshakes []time.Duration
	for range samples {
		c, err := p.open(ctx)
		if err != nil {
			return dial.Unreachable(err.Error())
		}
		p.Settle(c.Connection)
		handshakes = append(handshakes, c.Handshake)
		if len(handshakes) == samples {
			m, size, err := c.lookUp(ctx, p.query, dns.Options{})
			if err != nil {
				c.Drop()
				return dial.Unreachable(fmt.Sprintf("no answer to %s over %s from %s: %s", p.query, p.stream(), p.Target.Address, p.TooLate(err)))
			}
			p.Record(func(doc *profile.Profile) {
				doc.Baseline = profile.Baseline{Rcode: dns.Rcode(m.Rcode), Bytes: int64(size)}
			})
		}
		c.Drop()
	}
	p.Reached(handshakes)
	p.Record(func(doc *profile.Profile) {
		doc.DNS = &profile.DNS{}
		doc.ProtocolNamed(p.stream()).Offered = true
	})
	return nil
}
