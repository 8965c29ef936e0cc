package observe

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"linger"
	"linger/audit"
	"linger/finding"
	"linger/trace"
)

// What was interrupted says so, as it is no whole recording.
func TestInterruptedReadingSaysSo(t *testing.T) {
	head := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0}
	for _, stop := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		if stop {
			cancel()
		}
		seen, err := Reading{}.Captures(ctx, []Source{{Name: "a.pcap", From: bytes.NewReader(head)}})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if said := slices.ContainsFunc(seen.Caveats, func(c finding.Caveat) bool { return c.Code == audit.CaveatFile }); said != stop {
			t.Errorf("interrupted: %v; said: %v", stop, said)
		}
	}
}

// What names an address is hidden as the address is, so that what was the same stays so.
func TestHiddenNamesOfAddresses(t *testing.T) {
	r := Redaction("key")
	for _, same := range [][2]string{
		{r.name("192.0.2.1:80"), r.address("192.0.2.1:80")}, {r.name("[2001:db8::1]:80"), r.address("[2001:db8::1]:80")},
		{r.name("192.0.2.1") + ":80", r.address("192.0.2.1:80")}, {r.name("[2001:db8::1]") + ":80", r.address("[2001:db8::1]:80")},
		{r.name("Shop.example"), r.name("shop.example")},
	} {
		if same[0] != same[1] {
			t.Errorf("%s is not %s", same[0], same[1])
		}
	}
	if r.name("192.0.2.1") == r.name("192.0.2.2") {
		t.Error("two are one")
	}
}

func TestScope(t *testing.T) {
	shop := &trace.Connection{Client: "10.1.2.3:50000", Server: "192.0.2.1:443", Origin: "192.0.2.1:443",
		TLS: linger.Known(trace.TLS{ServerName: "Shop.example"})}
	bare := &trace.Connection{Client: "10.1.2.4:50000", Server: "192.0.2.1:80", Origin: "www.example:80"}
	clients, err := ParseClients("10.1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string
		scope      Scope
		shop, bare bool
	}{
		{"all", Scope{}, true, true},
		{"a client", Scope{Client: clients}, true, false},
		{"a name said in TLS", Scope{Origin: "shop.EXAMPLE"}, true, false},
		{"a name without its port", Scope{Origin: "www.example"}, false, true},
		{"a server's address", Scope{Origin: "192.0.2.1"}, true, true},
		{"a port", Scope{Port: 80}, false, true},
		{"both have to fit", Scope{Client: clients, Port: 80}, false, false},
	} {
		if test.scope.fits(shop) != test.shop || test.scope.fits(bare) != test.bare {
			t.Errorf("%s: %v and %v", test.name, test.scope.fits(shop), test.scope.fits(bare))
		}
	}
}

func TestMoments(t *testing.T) {
	began := time.Date(2026, 5, 1, 23, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "23:40:00": 10 * time.Minute, "23:30:00.5": 500 * time.Millisecond,
		"00:30:00": time.Hour, "2026-05-01T23:29:00Z": -time.Minute, "2026-05-02T01:30:00+02:00": 0,
	} {
		m, err := ParseMoment(text)
		if got := time.Duration(m.since(began)); err != nil || got != want {
			t.Errorf("%s is %v after the beginning, want %v; %v", text, got, want, err)
		}
	}
	if _, err := ParseMoment("noon"); err == nil {
		t.Error("noon is taken for a time")
	}
	if from, to := (Scope{}).window(began); from >= 0 || to <= 0 {
		t.Errorf("nothing is asked for, and the window is %d to %d", from, to)
	}
}
