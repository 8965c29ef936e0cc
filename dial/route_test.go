package dial

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePin(t *testing.T) {
	address := netip.MustParseAddr
	for text, want := range map[string]Pin{
		"example.org:443:192.0.2.1":                   {"example.org", "443", []netip.Addr{address("192.0.2.1")}},
		"+example.org:80:192.0.2.1":                   {"example.org", "80", []netip.Addr{address("192.0.2.1")}},
		"*:443:192.0.2.1,2001:db8::1":                 {"*", "443", []netip.Addr{address("192.0.2.1"), address("2001:db8::1")}},
		"example.org:443:[2001:db8::1],[2001:db8::2]": {"example.org", "443", []netip.Addr{address("2001:db8::1"), address("2001:db8::2")}},
		"[2001:db8::9]:443:192.0.2.1":                 {"2001:db8::9", "443", []netip.Addr{address("192.0.2.1")}},
	} {
		got, err := ParsePin(text)
		if err != nil || !cmp.Equal(got, want, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "example.org", "example.org:443", "example.org:443:", "example.org:0:192.0.2.1", "example.org:443:elsewhere", ":443:192.0.2.1", "-example.org:443"} {
		if got, err := ParsePin(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestParseDetour(t *testing.T) {
	for text, want := range map[string]Detour{
		"example.org:443:backend:8443":      {"example.org", "443", "backend", "8443"},
		"::backend:":                        {"", "", "backend", ""},
		"[2001:db8::1]:80:[2001:db8::2]:81": {"2001:db8::1", "80", "2001:db8::2", "81"},
	} {
		if got, err := ParseDetour(text); err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "a:80", "a:80:b", "a:http:b:80", "a:80:b:0", "a:80:b:80:c"} {
		if got, err := ParseDetour(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestRouteAddresses(t *testing.T) {
	both := []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1")}
	pins := []Pin{{"a.example", "80", both}, {"*", "443", both[1:]}}
	for _, c := range []struct {
		name, address string
		route         Route
		want          string // empty is an error
	}{
		{"as they were given", "a.example:80", Route{Pins: pins}, "[2001:db8::1]:80 192.0.2.1:80"},
		{"the case of a name", "A.EXAMPLE:80", Route{Pins: pins, Family: IPv4}, "192.0.2.1:80"},
		{"of IPv6", "a.example:80", Route{Pins: pins, Family: IPv6}, "[2001:db8::1]:80"},
		{"any host", "b.example:443", Route{Pins: pins}, "192.0.2.1:443"},
		{"a detour before a pin", "c.example:8080", Route{Pins: pins, Detours: []Detour{{ToHost: "a.example", ToPort: "80"}}, Family: IPv4}, "192.0.2.1:80"},
		{"the first detour that fits", "127.0.0.1:80", Route{Detours: []Detour{{FromPort: "81", ToPort: "1"}, {FromPort: "80", ToPort: "2"}, {ToPort: "3"}}}, "127.0.0.1:2"},
		{"none is left", "a.example:80", Route{Pins: []Pin{{"a.example", "80", both[1:]}}, Family: IPv6}, ""},
		{"no port", "a.example", Route{Pins: pins}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.route.Addresses(context.Background(), c.address)
			text := ""
			for i, a := range got {
				if i > 0 {
					text += " "
				}
				text += a.String()
			}
			if text != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%q, %v, want %q", text, err, c.want)
			}
		})
	}
}

// TestRouteDials shows that the first address which answers is taken.
func TestRouteDials(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := Route{Pins: []Pin{{"a.example", port, []netip.Addr{netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("127.0.0.1")}}}}
	c, err := r.Dial(context.Background(), new(net.Dialer), net.JoinHostPort("a.example", port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.RemoteAddr().String(); got != l.Addr().String() {
		t.Errorf("connected to %s, want %s", got, l.Addr())
	}
}

func FuzzRoute(f *testing.F) {
	for _, s := range []string{"example.org:443:192.0.2.1,[2001:db8::1]", "[::1]:80:[::2]:81", "::a:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePin(s); err == nil && (p.Host == "" || len(p.Addresses) == 0 || slices.ContainsFunc(p.Addresses, func(a netip.Addr) bool { return !a.IsValid() })) {
			t.Errorf("%q: %v", s, p)
		}
		_, _ = ParseDetour(s)
	})
}
