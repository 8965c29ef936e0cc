package linger

import (
	"slices"
	"strings"
	"testing"
)

// TestEveryStrategySpeaksAProtocol holds the table of strategies against that of protocols:
// what the one says of streams, datagrams and QUIC, the other says too.
func TestEveryStrategySpeaksAProtocol(t *testing.T) {
	for _, form := range Forms() {
		s, err := ParseStrategy(form.Name)
		if err != nil {
			t.Fatal(err)
		}
		p := s.Protocol()
		if p == "" {
			t.Errorf("%s speaks nothing", s.Name)
			continue
		}
		if p.Multiplexed() != s.Multiplexed || p.Datagram() != s.Datagram || p.OverQUIC() != s.QUIC() || p.IsDNS() != (s.DNS != "") {
			t.Errorf("%s speaks %s: streams %v, datagrams %v, QUIC %v, DNS %v", s.Name, p, p.Multiplexed(), p.Datagram(), p.OverQUIC(), p.IsDNS())
		}
		if p.IsDNS() && string(p) != form.Name {
			t.Errorf("the strategy %s of DNS speaks %s", form.Name, p)
		}
	}
}

func TestProtocolsHaveOneNameEach(t *testing.T) {
	titles, shorts := map[string]bool{}, map[string]bool{}
	for _, row := range protocols {
		p := row.name
		if p.Title() == "" || titles[p.Title()] {
			t.Errorf("%s: the title %q", p, p.Title())
		}
		titles[p.Title()] = true
		if short := p.Short(); short != "" {
			if shorts[short] || strings.Trim(short, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
				t.Errorf("%s: %q cannot stand behind the name of a figure", p, short)
			}
			shorts[short] = true
		}
		if p.IsDNS() && p.IsHTTP() || p.IsHTTP1() && !p.IsHTTP() || p.OverQUIC() && !p.Secure() {
			t.Errorf("%s: DNS %v, HTTP %v, HTTP/1 %v, QUIC %v, secure %v", p, p.IsDNS(), p.IsHTTP(), p.IsHTTP1(), p.OverQUIC(), p.Secure())
		}
	}
	if got := Protocols(); !slices.Equal(got[:3], []Protocol{HTTP11, H2, H3}) {
		t.Errorf("the protocols begin with %v", got)
	}
}

func TestProtocolLookups(t *testing.T) {
	for token, want := range map[string]Protocol{"h2": H2, "h3": H3, "http/1.1": HTTP11, "dot": DNSOverTLS, "doq": DNSOverQUIC, "imap": "", "": ""} {
		if got := ProtocolByALPN(token); got != want {
			t.Errorf("ALPN %q is %q, not %q", token, got, want)
		}
	}
	for _, of := range []struct {
		dns, version string
		want         Protocol
	}{
		{"", "1.0", HTTP10}, {"", "1.1", HTTP11}, {"", "2", H2}, {"", "3", H3}, {"", "4", ""}, {"", "", ""},
		{OverUDP, "", DNSOverUDP}, {OverTCP, "", DNSOverTCP}, {OverTLS, "", DNSOverTLS},
		{OverHTTPS, "2", DNSOverHTTPS}, {OverHTTPS, "3", DNSOverHTTP3}, {OverHTTPS, "", ""}, {OverQUIC, "", DNSOverQUIC},
	} {
		if got := ProtocolFor(of.dns, of.version); got != of.want {
			t.Errorf("DNS over %q by HTTP/%s is %q, not %q", of.dns, of.version, got, of.want)
		}
	}
}

func TestStrategyPort(t *testing.T) {
	for _, c := range []struct {
		strategy, scheme string
		want             int
	}{
		{"keep", SchemeHTTP, 80}, {"h2", SchemeHTTPS, 443}, {"h3", SchemeHTTPS, 443},
		{"udp", SchemeDNS, 53}, {"tcp", SchemeDNS, 53}, {"dot", SchemeDNS, 853}, {"doq", SchemeDNS, 853}, {"doh", SchemeDNS, 443}, {"doh3", SchemeDNS, 443},
	} {
		s, err := ParseStrategy(c.strategy)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Port(c.scheme); got != c.want {
			t.Errorf("%s connects to port %d, not %d", c.strategy, got, c.want)
		}
	}
}

// TestUnheardOfProtocols: captures and browsers report what they see.
func TestUnheardOfProtocols(t *testing.T) {
	p := Protocol("imap")
	if p.Title() != "imap" || p.Transport() != "" || p.Secure() || p.Multiplexed() || p.IsHTTP() || p.IsDNS() || p.Port() != 0 {
		t.Errorf("something is known of %s", p)
	}
}
