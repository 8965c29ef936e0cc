package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"linger/audit"
	"linger/finding"
)

// What was interrupted says so, as it is no whole recording.
func TestInterruptedInspectionSaysSo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.pcap")
	head := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0}
	if err := os.WriteFile(name, head, 0o600); err != nil {
		t.Fatal(err)
	}
	quiet, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	std := streams{in: quiet, out: quiet, err: quiet}
	for _, stop := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		if stop {
			cancel()
		}
		r, err := (&inspection{progress: newReading(std, "a capture")}).read(ctx, []string{name}, std)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if said := slices.ContainsFunc(r.Caveats, func(c finding.Caveat) bool { return c.Code == audit.CaveatFile }); said != stop {
			t.Errorf("interrupted: %v; said: %v", stop, said)
		}
	}
}

// What names an address is hidden as the address is, so that what was the same stays so.
func TestHiddenNamesOfAddresses(t *testing.T) {
	in := &inspection{key: []byte("key")}
	for _, same := range [][2]string{
		{in.hiddenName("192.0.2.1:80"), in.hidden("192.0.2.1:80")}, {in.hiddenName("[2001:db8::1]:80"), in.hidden("[2001:db8::1]:80")},
		{in.hiddenName("192.0.2.1") + ":80", in.hidden("192.0.2.1:80")}, {in.hiddenName("[2001:db8::1]") + ":80", in.hidden("[2001:db8::1]:80")},
		{in.hiddenName("Shop.example"), in.hiddenName("shop.example")},
	} {
		if same[0] != same[1] {
			t.Errorf("%s is not %s", same[0], same[1])
		}
	}
	if in.hiddenName("192.0.2.1") == in.hiddenName("192.0.2.2") {
		t.Error("two are one")
	}
}
