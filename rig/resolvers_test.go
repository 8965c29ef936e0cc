package rig

import (
	"strings"
	"testing"
	"time"

	"linger/fault"
)

func TestResolvers(t *testing.T) {
	for _, c := range []struct {
		list, strategies string
		want             string // addresses in the strategies' order, or what is wrong
		wrong            bool
	}{
		{"192.0.2.1", "udp,tcp,dot", "192.0.2.1:53 192.0.2.1:53 192.0.2.1:853", false},
		{"[2001:db8::1]", "udp", "[2001:db8::1]:53", false},
		{"192.0.2.1:5353", "udp,tcp", "192.0.2.1:5353 192.0.2.1:5353", false},
		{"192.0.2.1 dot=192.0.2.2:8853", "udp,dot+keep", "192.0.2.1:53 192.0.2.2:8853", false},
		{"https://dns.example/q", "doh", "dns.example:443/q", false},
		{"192.0.2.1:5353", "udp,dot", "port 5353 cannot be right for dot", true},
		{"dot=192.0.2.1", "udp,dot", "none for udp", true},
		{"192.0.2.1 192.0.2.2", "udp", "two for all strategies", true},
		{"192.0.2.1 doq=192.0.2.2", "udp", "doq is not among the strategies", true},
		{"http://dns.example/", "doh", "no address of a resolver", true},
		{"https://u@dns.example/", "doh", "no address of a resolver", true},
		{"192.0.2.1:0", "udp", "no address of a resolver", true},
	} {
		all := strategies(t, c.strategies)
		servers, err := Resolvers(strings.Fields(c.list), all)
		if c.wrong {
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.WrongUsage {
				t.Errorf("%s for %s: %v; want %s", c.list, c.strategies, err, c.want)
			}
			continue
		}
		var got []string
		for _, s := range all {
			got = append(got, servers[s.Name].Address(s)+servers[s.Name].Path)
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s for %s: %q, %v; want %s", c.list, c.strategies, got, err, c.want)
		}
	}
}

func TestForewarnQueries(t *testing.T) {
	all := strategies(t, "udp,tcp+keep")
	servers, err := Resolvers([]string{"192.0.2.1"}, all)
	if err != nil {
		t.Fatal(err)
	}
	const want = "at most 200 queries to 192.0.2.1 (strategies: 2, trials: 5, names: 20), 50 a second at most; over UDP each again where no answer comes, 4 times in all, and over TCP where it does not fit"
	if got := forewarnQueries(servers, all, 5, 20, 20*time.Millisecond); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}
