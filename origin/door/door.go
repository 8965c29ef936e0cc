// Package door is where an origin is served: the sockets of each way in, what they say of
// themselves, the names that their certificates need, and how they are served until somebody says
// stop. Open opens all that are wanted or none, and Doors.Serve serves them.
package door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"linger"
	"linger/fault"
	"linger/origin"
	"linger/origin/listen"
)

// A Kind is a way in.
type Kind int

// The ways in. HTTPS and H3 lead to names by DNS over HTTPS, too.
const (
	HTTP  Kind = iota // cleartext: HTTP/1, and HTTP/2 by prior knowledge
	HTTPS             // HTTP/1.1 and HTTP/2
	H3                // HTTP/3
	DNS               // over UDP and TCP
	DoT               // over TLS
	DoQ               // over QUIC
)

// A way is one socket of a kind.
type way struct {
	kind          Kind
	scheme, about string
	ask           string // the program by which a name is looked up there
	stream        func(*origin.Server, context.Context, net.Listener) error
	datagrams     func(*origin.Server, context.Context, net.PacketConn) error // where there is no stream
}

// ways are those that there are, in the order of their opening.
var ways = []way{
	{kind: HTTP, scheme: linger.SchemeHTTP, stream: (*origin.Server).Serve},
	{kind: HTTPS, scheme: linger.SchemeHTTPS, ask: "dig +https", stream: (*origin.Server).ServeTLS},
	{kind: H3, scheme: linger.SchemeHTTPS, about: " by HTTP/3", datagrams: (*origin.Server).ServeQUIC},
	{kind: DNS, scheme: linger.SchemeDNS, about: " by TCP", ask: "dig +tcp", stream: (*origin.Server).ServeDNSStream},
	{kind: DNS, scheme: linger.SchemeDNS, about: " by UDP", ask: "dig +notcp", datagrams: (*origin.Server).ServeDNS},
	{kind: DoT, scheme: linger.SchemeDNS, about: " by TLS", ask: "dig +tls", stream: (*origin.Server).ServeDoT},
	{kind: DoQ, scheme: linger.SchemeDNS, about: " by QUIC", ask: "kdig +quic", datagrams: (*origin.Server).ServeDoQ},
}

// A Door is one socket that an origin is served on.
type Door struct {
	way
	Host, Port string // as bound
	socket     io.Closer
	serve      func(context.Context, *origin.Server) error
}

// Doors are all of them.
type Doors []Door

// Open opens the sockets of some kinds, each at an address, or none of them. The second socket of
// a kind has the port of the first, which may have been any.
func Open(ctx context.Context, at map[Kind]string, o listen.Options) (doors Doors, err error) {
	defer func() {
		if err != nil {
			doors.Close()
		}
	}()
	for _, w := range ways {
		address, wanted := at[w.kind]
		if !wanted {
			continue
		}
		if n := len(doors); n > 0 && doors[n-1].kind == w.kind {
			host, _, _ := net.SplitHostPort(address)
			address = net.JoinHostPort(host, doors[n-1].Port)
		}
		d, err := w.open(ctx, address, o)
		if err != nil {
			return doors, unlistened(address, err)
		}
		doors = append(doors, d)
	}
	return doors, nil
}

// open opens the socket.
func (w way) open(ctx context.Context, address string, o listen.Options) (Door, error) {
	d := Door{way: w}
	var bound net.Addr
	if w.stream != nil {
		ln, err := listen.TCP(ctx, address, o)
		if err != nil {
			return d, err
		}
		d.socket, bound = ln, ln.Addr()
		d.serve = func(ctx context.Context, s *origin.Server) error { return w.stream(s, ctx, ln) }
	} else {
		pc, err := listen.UDP(ctx, address)
		if err != nil {
			return d, err
		}
		d.socket, bound = pc, pc.LocalAddr()
		d.serve = func(ctx context.Context, s *origin.Server) error { return w.datagrams(s, ctx, pc) }
	}
	d.Host, d.Port, _ = net.SplitHostPort(bound.String())
	return d, nil
}

// unlistened is the error of an address that cannot be listened on: of its user, where it is
// none, or else of the machine.
func unlistened(address string, err error) error {
	if _, unknown := errors.AsType[*net.DNSError](err); unknown {
		host, _, _ := net.SplitHostPort(address)
		return fault.Usage("%q is no address of this host to listen on; give one, as 127.0.0.1, or :: for all", host)
	}
	return fault.Machine("%w", err)
}

// Close closes what has not been served; the rest is closed by then.
func (all Doors) Close() {
	for _, d := range all {
		d.socket.Close()
	}
}

// Ports are those of the doors, one for each kind.
func (all Doors) Ports() (ports []string) {
	for i, d := range all {
		if i == 0 || d.kind != all[i-1].kind {
			ports = append(ports, d.Port)
		}
	}
	return ports
}

// Speak reports whether one of these versions of HTTP is spoken at a door.
func (all Doors) Speak(versions []string) bool {
	return slices.ContainsFunc(all, func(d Door) bool {
		switch d.kind {
		case HTTP, HTTPS:
			return slices.Contains(versions, "1") || slices.Contains(versions, "2")
		case H3:
			return slices.Contains(versions, "3")
		}
		return false
	})
}

// Secure reports whether a door needs a certificate.
func (all Doors) Secure() bool {
	return slices.ContainsFunc(all, func(d Door) bool { return d.kind != HTTP && d.kind != DNS })
}

// AltSvc is what TLS says about HTTP/3 (RFC 7838), empty where only one of them is served.
func (all Doors) AltSvc() (value string) {
	for _, d := range all {
		if d.kind == H3 {
			value = fmt.Sprintf(`h3=":%s"; ma=3600`, d.Port)
		}
	}
	if !slices.ContainsFunc(all, func(d Door) bool { return d.kind == HTTPS }) {
		return ""
	}
	return value
}

// Sign says where the door is, and of names how they are asked for there.
func (d Door) Sign(w linger.Workload) string {
	address := net.JoinHostPort(d.Host, d.Port)
	if w.Scheme != linger.SchemeDNS {
		return fmt.Sprintf("%s://%s%s%s", d.scheme, address, w.Exchanges[0].Path, d.about)
	}
	where := address + d.about
	if d.scheme != linger.SchemeDNS {
		where = fmt.Sprintf("%s://%s/dns-query%s", d.scheme, address, d.about)
	}
	if d.ask == "" {
		return where
	}
	host := d.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return fmt.Sprintf("%s; ask: %s @%s -p %s %s", where, d.ask, host, d.Port, w.Exchanges[0].Query)
}
