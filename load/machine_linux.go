package load

import (
	"fmt"
	"net"
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
