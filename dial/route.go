package dial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Route says where connections go that are meant for a host and port: what curl's
// --resolve, --connect-to, --unix-socket, -4 and -6 say. The zero Route changes nothing.
// What is asked for, and the name that a certificate must bear, stay those of the URL.
type Route struct {
	Detours []Detour // the first that fits is taken, before Pins
	Pins    []Pin
	Unix    string // the path of a socket that everything over TCP goes through; empty is none
	Family  Family
}

// A Family is the version of IP whose addresses are dialled; AnyFamily is both.
type Family uint8

const (
	AnyFamily Family = 0
	IPv4      Family = 4
	IPv6      Family = 6
)

// A Pin gives a host and port addresses of their own. A Host "*" fits every one.
type Pin struct {
	Host, Port string
	Addresses  []netip.Addr
}

// A Detour leads from one host and port to others. An empty one of From fits every one, an
// empty one of To stays as it is.
type Detour struct{ FromHost, FromPort, ToHost, ToPort string }

// ParsePin reads HOST:PORT:ADDRESS[,ADDRESS]…, as curl's --resolve has it.
func ParsePin(s string) (Pin, error) {
	wrong := fmt.Errorf("%q is not HOST:PORT:ADDRESS, as example.org:443:192.0.2.1", s)
	parts, ok := splitColons(strings.TrimPrefix(s, "+"), 3)
	if !ok || parts[0] == "" || !isPort(parts[1]) {
		return Pin{}, wrong
	}
	p := Pin{Host: parts[0], Port: parts[1]}
	for _, text := range strings.Split(parts[2], ",") {
		a, err := netip.ParseAddr(strings.Trim(text, "[]"))
		if err != nil {
			return Pin{}, wrong
		}
		p.Addresses = append(p.Addresses, a.Unmap())
	}
	return p, nil
}

// ParseDetour reads HOST1:PORT1:HOST2:PORT2, each of which may be empty, as curl's
// --connect-to has it.
func ParseDetour(s string) (Detour, error) {
	parts, ok := splitColons(s, 4)
	if !ok || parts[1] != "" && !isPort(parts[1]) || parts[3] != "" && !isPort(parts[3]) {
		return Detour{}, fmt.Errorf("%q is not HOST1:PORT1:HOST2:PORT2, as example.org:443:backend-3:8443", s)
	}
	return Detour{parts[0], parts[1], parts[2], parts[3]}, nil
}

// splitColons cuts s at its first n-1 colons that are not inside brackets, which are taken
// off a part that is nothing but an address in them.
func splitColons(s string, n int) (parts []string, ok bool) {
	inside, from := false, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '[':
			inside = true
		case ']':
			inside = false
		case ':':
			if !inside && len(parts) < n-1 {
				parts, from = append(parts, s[from:i]), i+1
			}
		}
	}
	parts = append(parts, s[from:])
	for i, p := range parts {
		if strings.HasPrefix(p, "[") && strings.HasSuffix(p, "]") && !strings.Contains(p, ",") {
			parts[i] = p[1 : len(p)-1]
		}
	}
	return parts, len(parts) == n
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// turn returns the host and port that take the place of others.
func (r Route) turn(host, port string) (string, string) {
	for _, d := range r.Detours {
		if (d.FromHost == "" || strings.EqualFold(d.FromHost, host)) && (d.FromPort == "" || d.FromPort == port) {
			return cmp.Or(d.ToHost, host), cmp.Or(d.ToPort, port)
		}
	}
	return host, port
}

// pinned returns the addresses that a host and port are given, if any are.
func (r Route) pinned(host, port string) ([]netip.Addr, bool) {
	for _, p := range r.Pins {
		if (p.Host == "*" || strings.EqualFold(p.Host, host)) && p.Port == port {
			return p.Addresses, true
		}
	}
	return nil, false
}

// Addresses returns what is dialled for address, host:port, in order; those of IPv4 come
// first. A name is looked up, once.
func (r Route) Addresses(ctx context.Context, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: write host:port", address)
	}
	host, service = r.turn(host, service)
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("address %q: the port is a number from 1 to 65535", address)
	}
	hosts, ok := r.pinned(host, service)
	if !ok {
		if hosts, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, lookupError{host, err}
		}
		slices.SortStableFunc(hosts, func(a, b netip.Addr) int {
			return a.Unmap().BitLen() - b.Unmap().BitLen()
		})
	}
	var out []netip.AddrPort
	for _, h := range hosts {
		if h = h.Unmap(); r.fits(h) {
			out = append(out, netip.AddrPortFrom(h, uint16(port)))
		}
	}
	if len(out) == 0 {
		return nil, lookupError{host, fmt.Errorf("it has no address of IPv%d", r.Family)}
	}
	return out, nil
}

func (r Route) fits(a netip.Addr) bool {
	return r.Family == AnyFamily || (r.Family == IPv4) == a.Is4()
}

// Dial opens a connection of TCP for address, host:port, or to the Unix socket. Of several
// addresses the first that answers is taken.
func (r Route) Dial(ctx context.Context, d *net.Dialer, address string) (net.Conn, error) {
	if r.Unix != "" {
		return d.DialContext(ctx, "unix", r.Unix)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address %q: write host:port", address)
	}
	host, port = r.turn(host, port)
	if _, ok := r.pinned(host, port); ok {
		addresses, err := r.Addresses(ctx, address)
		if err != nil {
			return nil, err
		}
		return dialFirst(ctx, d, addresses)
	}
	network := "tcp"
	if r.Family != AnyFamily {
		network += strconv.Itoa(int(r.Family))
	}
	return d.DialContext(ctx, network, net.JoinHostPort(host, port))
}

// dialFirst opens a connection to the first address that answers.
func dialFirst(ctx context.Context, d *net.Dialer, addresses []netip.AddrPort) (socket net.Conn, err error) {
	err = errors.New("no address")
	for _, address := range addresses {
		socket, err = d.DialContext(ctx, "tcp", address.String())
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return socket, err
}
