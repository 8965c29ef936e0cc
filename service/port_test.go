package service

import (
	"net/netip"
	"testing"

	"linger/sockdiag"
)

func TestPortsOf(t *testing.T) {
	at := func(s string) sockdiag.Listener { return sockdiag.Listener{Address: netip.MustParseAddrPort(s)} }
	udp := func(s string) sockdiag.Listener { l := at(s); l.UDP = true; return l }
	only6 := at("[::]:80")
	only6.V6Only = true
	for _, tt := range []struct {
		name string
		all  []sockdiag.Listener
		want string
	}{
		{"none", nil, ""},
		{"of both families", []sockdiag.Listener{at("0.0.0.0:80"), only6}, "TCP port 80"},
		{"of IPv6 for both", []sockdiag.Listener{at("[::]:8080")}, "TCP port 8080"},
		{"of IPv6 alone", []sockdiag.Listener{only6}, "TCP [::]:80"},
		{"of each worker", []sockdiag.Listener{at("0.0.0.0:80"), at("0.0.0.0:80")}, "TCP port 80"},
		{"loopback", []sockdiag.Listener{at("127.0.0.1:3000"), at("[::1]:3000")}, "TCP 127.0.0.1:3000"},
		{"loopback and the host's address", []sockdiag.Listener{at("127.0.0.1:3000"), at("10.0.2.1:3000")}, "TCP port 3000"},
		{"several, with QUIC, and a resolver of its own", []sockdiag.Listener{udp("0.0.0.0:443"), at("0.0.0.0:443"), at("0.0.0.0:80"), udp("127.0.0.1:53")},
			"TCP port 80, TCP port 443, UDP port 443"},
	} {
		if got := List(portsOf(tt.all)); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.name, got, tt.want)
		}
	}
}
