package sockdiag

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"linger/internal/testall"
)

// open opens a socket of diagnostics, or skips the test where the kernel has none.
func open(t testing.TB) *Socket {
	t.Helper()
	s, err := Open()
	if err != nil {
		testall.Lacks(t, "%v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// The sockets of this test are among those of the machine, in both families, and so is
// what one of them has not read. The lab's tests hold whole hosts against ss.
func TestCensusHasTheSocketsOfThisTest(t *testing.T) {
	s := open(t)
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("without %s: %v", address, err)
			continue
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		const unread = 50_000
		if _, err := io.WriteString(c, strings.Repeat("x", unread)); err != nil {
			t.Fatal(err)
		}
		n, err := s.Census()
		if err != nil {
			t.Fatal(err)
		}
		if n.States[Established] < 2 || n.States[Listen] < 1 || n.Open() < 2 || n.Memory < unread {
			t.Errorf("with a connection on %s: %+v, %d open", address, n, n.Open())
		}
	}
}

// What listens is found with its address, whether it takes connections or datagrams; what is
// connected is not among it.
func TestListenersHasTheSocketsOfThisTest(t *testing.T) {
	s := open(t)
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	both, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	c, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all, err := s.Listeners()
	if err != nil {
		t.Fatal(err)
	}
	port := func(a net.Addr) uint16 { return netip.MustParseAddrPort(a.String()).Port() }
	for _, want := range []struct {
		port      uint16
		udp       bool
		reachable bool
		address   string
	}{
		{port: port(tcp.Addr()), address: "127.0.0.1"},
		{port: port(udp.LocalAddr()), udp: true, reachable: true, address: "0.0.0.0"},
		{port: port(both.Addr()), reachable: true},
	} {
		i := slices.IndexFunc(all, func(l Listener) bool { return l.Address.Port() == want.port && l.UDP == want.udp })
		if i < 0 {
			t.Errorf("port %d is not among %v", want.port, all)
		} else if l := all[i]; l.TakesIPv4() != want.reachable || want.address != "" && l.Address.Addr().String() != want.address {
			t.Errorf("port %d: %+v takes IPv4 from other hosts: %v; want %v on %s", want.port, l, l.TakesIPv4(), want.reachable, want.address)
		}
	}
	if client := port(c.LocalAddr()); slices.ContainsFunc(all, func(l Listener) bool { return l.Address.Port() == client }) {
		t.Errorf("the client's port %d is among %v", client, all)
	}
}

func TestOpenLeavesOutWhatIsNoConnection(t *testing.T) {
	var c Census
	for s := Established; s < states; s++ {
		c.States[s] = 1 << s
		if s.String() == "" {
			t.Errorf("state %d has no name", s)
		}
	}
	if got, want := c.Open(), 1<<states-2-1<<Listen-1<<TimeWait; got != want {
		t.Errorf("%#b are open, want %#b", got, want)
	}
}

func FuzzParse(f *testing.F) {
	s := open(f)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	defer l.Close()
	// One real answer, whatever sockets this machine has, and the edges.
	if err := unix.Sendto(s.fd, request(unix.AF_INET, unix.IPPROTO_TCP, everyState, unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP, 1), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		f.Fatal(err)
	}
	n, _, err := unix.Recvfrom(s.fd, s.answer, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.answer[:n])
	f.Add([]byte{})
	f.Add([]byte{16, 0, 0, 0, unix.NLMSG_DONE, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{20, 0, 0, 0, unix.NLMSG_ERROR, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Census
		each := func(b []byte) error {
			if _, err := parseListener(b); err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
			return c.count(b)
		}
		if _, err := parse(b, 1, each); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %v", err)
		}
		sockets := 0
		for _, n := range c.States {
			sockets += n
		}
		if most := len(b) / sizeofMessage; sockets > most || c.Memory < 0 {
			t.Errorf("%d sockets with %d bytes in a datagram of %d bytes", sockets, c.Memory, len(b))
		}
	})
}
