package observe

import (
	"strings"
	"testing"

	"linger/trace"
)

func TestFilter(t *testing.T) {
	web := &trace.Connection{Client: "10.1.2.3:50000", Server: "192.0.2.1:80", Protocol: "http/1.1"}
	quic := &trace.Connection{Client: "[2001:db8::7]:50001", Server: "[2001:db8::1]:443", Protocol: "h3"}
	for _, test := range []struct {
		filter    string
		web, quic bool
	}{
		{"tcp", true, false}, {"udp", false, true}, {"ip", true, false}, {"ip6", false, true},
		{"port 80", true, false}, {"tcp port 80", true, false}, {"udp port 80", false, false}, {"port http", true, false},
		{"port 80 or 443", true, true}, {"port 80 or port 443", true, true}, {"portrange 400-500", false, true},
		{"host 10.1.2.3", true, false}, {"src host 10.1.2.3", true, false}, {"dst host 10.1.2.3", false, false}, {"10.1.2.3", true, false}, {"src or dst host 192.0.2.1", true, false},
		{"host 2001:db8::1", false, true}, {"net 10.0.0.0/8", true, false}, {"dst net 10.0.0.0/8", false, false},
		{"not port 80", false, true}, {"!(port 80)", false, true}, {"not (port 80 or port 443)", false, false},
		{"host 10.1.2.3 and tcp port 80", true, false}, {"host 10.1.2.3 && !port 80 || udp", false, true},
		{"(udp or net 10.0.0.0/8) and not dst port 443", true, false}, {"src port 50000", true, false},
	} {
		f, err := ParseFilter(test.filter)
		if err != nil {
			t.Errorf("%s: %v", test.filter, err)
			continue
		}
		if f.fits(web) != test.web || f.fits(quic) != test.quic {
			t.Errorf("%s: %v and %v", test.filter, f.fits(web), f.fits(quic))
		}
	}
	for filter, says := range map[string]string{
		"": "ends too soon", "port": "ends too soon", "port http-alt": "is no port", "port 70000": "is no port", "host example.org": "names are not looked up", "net 10": "is no network",
		"tcp[13] & 2 != 0": "is not read here", "(port 80": "ends too soon", "port 80)": "is not read here", "vlan 7": "is not read here", "port 80 and": "ends too soon", "not": "ends too soon",
		"src or port 80": "is not read here", "portrange 80": "is no portrange", strings.Repeat("(", 200) + "tcp": "too many",
	} {
		if _, err := ParseFilter(filter); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: %v", filter, err)
		}
	}
	if files, filter := SplitFilter([]string{"a.pcap", "b.pcap", "tcp", "port", "80"}); len(files) != 2 || filter != "tcp port 80" {
		t.Errorf("%v, %q", files, filter)
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("not (tcp src port 80 or 443) and net 10.0.0.0/8")
	c := &trace.Connection{Client: "10.1.2.3:50000", Server: "192.0.2.1:80"}
	f.Fuzz(func(t *testing.T, text string) {
		if filter, err := ParseFilter(text); err == nil {
			filter.fits(c)
		}
	})
}
