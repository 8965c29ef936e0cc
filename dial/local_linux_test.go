package dial

import (
	"net"
	"net/netip"
	"testing"
)

// A connection comes from the address that is wanted, and its port from the system.
func TestLocal(t *testing.T) {
	for _, local := range []netip.Addr{{}, netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("::1")} {
		at := "127.0.0.1:0"
		if local.Is6() {
			at = "[::1]:0"
		}
		l, err := net.Listen("tcp", at)
		if err != nil {
			if local.Is6() { // a machine without IPv6
				continue
			}
			t.Fatal(err)
		}
		defer l.Close()
		open, err := TCP(t.Context(), l.Addr().String(), Options{Local: local})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			c, err := open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			from := c.LocalAddr().(*net.TCPAddr).AddrPort()
			if want := local; want.IsValid() && from.Addr() != want || from.Port() == 0 {
				t.Errorf("from %v, want %v", from, want)
			}
		}
	}
}
