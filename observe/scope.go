package observe

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"linger"
	"linger/trace"
)

// A Scope says which connections are looked at. The zero Scope looks at all.
type Scope struct {
	Client   netip.Prefix // of clients; the zero Prefix is any
	Origin   string       // as clients name it, or an address of a server, with or without a port
	Port     uint16       // of servers
	From, To Moment       // open in between
	Filter   Filter
}

// fits reports whether a connection is looked at, whenever it was open.
func (s Scope) fits(c *trace.Connection) bool {
	if s.Client.IsValid() {
		a, err := netip.ParseAddrPort(c.Client)
		if err != nil || !s.Client.Contains(a.Addr().Unmap()) {
			return false
		}
	}
	return s.originFits(c) && s.portFits(c.Server) && (s.Filter == nil || s.Filter.fits(c))
}

func (s Scope) originFits(c *trace.Connection) bool {
	want := strings.ToLower(s.Origin)
	if want == "" {
		return true
	}
	name := strings.ToLower(cmp.Or(c.TLS.Or(trace.TLS{}).ServerName, c.Origin))
	bare, _, _ := strings.Cut(name, ":")
	return name == want || bare == want || c.Server == want || strings.HasPrefix(c.Server, want+":")
}

func (s Scope) portFits(server string) bool {
	return s.Port == 0 || strings.HasSuffix(server, fmt.Sprintf(":%d", s.Port))
}

// ParseClients reads an address or a network of clients.
func ParseClients(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address and no network; write 192.0.2.7 or 192.0.2.0/24", text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// window returns when, in a recording that began then, connections are looked at.
func (s Scope) window(began time.Time) (from, to linger.Instant) {
	from, to = math.MinInt64, math.MaxInt64
	if s.From.kind != noMoment {
		from = s.From.since(began)
	}
	if s.To.kind != noMoment {
		to = s.To.since(began)
	}
	return from, to
}
