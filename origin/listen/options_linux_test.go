package listen

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAcceptedSockets: what TCP promises holds on the sockets that are accepted.
func TestAcceptedSockets(t *testing.T) {
	allowed, err := os.ReadFile("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(allowed))
	if len(names) == 0 {
		t.Fatal("no congestion control is allowed")
	}
	slices.Sort(names)
	// Rather not the host's own, which the sockets would have anyway.
	want := names[len(names)-1]
	ln := must(TCP(t.Context(), "127.0.0.1:0", Options{Congestion: want}))
	defer ln.Close()
	client := must(net.Dial("tcp", ln.Addr().String()))
	defer client.Close()
	server := must(ln.Accept())
	defer server.Close()
	raw := must(server.(*net.TCPConn).SyscallConn())
	err = raw.Control(func(fd uintptr) {
		if got := must(unix.GetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION)); got != want {
			t.Errorf("congestion control %s, want %s", got, want)
		}
		for option, want := range map[int]int{unix.SO_PROTOCOL: unix.IPPROTO_TCP, unix.SO_KEEPALIVE: 0} {
			if got := must(unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option)); got != want {
				t.Errorf("socket option %d is %d, want %d", option, got, want)
			}
		}
		if must(unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY)) == 0 {
			t.Error("Nagle's algorithm is on")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFastOpen: the option is set, or it is said why it would do nothing.
func TestFastOpen(t *testing.T) {
	sysctl := must(os.ReadFile(fastOpenSysctl))
	ln, err := TCP(t.Context(), "127.0.0.1:0", Options{FastOpen: true})
	if n := must(strconv.Atoi(strings.TrimSpace(string(sysctl)))); n&fastOpenServer == 0 {
		if want := "TCP Fast Open is off for servers on this host; set net.ipv4.tcp_fastopen to 3"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	raw := must(ln.(*net.TCPListener).SyscallConn())
	err = raw.Control(func(fd uintptr) {
		if got := must(unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN)); got != fastOpenQueue {
			t.Errorf("a queue of %d, want %d", got, fastOpenQueue)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
