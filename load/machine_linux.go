package load

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func newWorker(s *setup, i int) (worker, error) { return newLoop(s, i) }

func (l *loop) counts() *ledger { return l.ledger }

func (l *loop) spent() (busy, of time.Duration) { return l.busy, l.lasted }

// enoughFiles reports that this process may not open as many files as a load needs.
func enoughFiles(connections int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil // opening them will tell
	}
	const others = 32
	if need := uint64(connections) + others; limit.Cur < need {
		return fmt.Errorf("%d connections need %d open files, and this process may have %d; raise ulimit -n, or take fewer connections", connections, need, limit.Cur)
	}
	return nil
}

// hasFIN reports whether the other side's FIN has come (tcp(7), TCP_INFO).
func hasFIN(c net.Conn) bool {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return false
	}
	const closeWait = 8 // of the kernel's tcp_states.h
	has := false
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		has = err == nil && info.State == closeWait
	})
	return has
}

// Ports returns how many local ports connections to one address and port may have, for each local
// address (ip(7), ip_local_port_range), and how many sockets of this machine are in TIME_WAIT, each of
// which holds one for a minute. ok is false where that is not known.
func Ports() (ports, timeWait int, ok bool) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, 0, false
	}
	var first, last int
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil || last < first {
		return 0, 0, false
	}
	if text, err = os.ReadFile("/proc/net/sockstat"); err != nil {
		return 0, 0, false
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var inUse, orphan int
		if n, _ := fmt.Sscanf(lines.Text(), "TCP: inuse %d orphan %d tw %d", &inUse, &orphan, &timeWait); n == 3 {
			return last - first + 1, timeWait, true
		}
	}
	return 0, 0, false
}

// enoughPorts reports that there are fewer ports than connections that an origin is to have.
func (s *setup) enoughPorts() error {
	ports, _, ok := Ports()
	if !ok || s.Route.Unix != "" || s.Strategy.QUIC() {
		return nil
	}
	for _, o := range s.origins {
		if have := ports * max(len(s.Locals), 1); o.connections > have {
			return fmt.Errorf("%d connections to one address need as many local ports, and there are %d; widen sysctl net.ipv4.ip_local_port_range, or take fewer connections", o.connections, have)
		}
	}
	return nil
}
