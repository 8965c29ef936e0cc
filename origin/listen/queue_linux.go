package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Queue is the accept queue of a listener: the connections whose handshake is done and that
// nobody has taken yet.
type Queue struct {
	file *os.File
	conn syscall.RawConn
}

// QueueOf returns the accept queue of a listener, or nil where it cannot be looked into: that of
// others than TCP's. Until it is closed, too, the listener goes on.
func QueueOf(ln net.Listener) (*Queue, error) {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, nil
	}
	// A listener's own SyscallConn cannot wait.
	file, err := tcp.File()
	if err != nil {
		return nil, err
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Queue{file, conn}, nil
}

// Wait waits until a connection lies in the queue, and returns how many do.
func (q *Queue) Wait() (n int, err error) {
	var failed error
	err = q.conn.Read(func(fd uintptr) bool {
		n, _, failed = backlog(fd)
		return n > 0 || failed != nil
	})
	return n, errors.Join(err, failed)
}

// Close ends the wait.
func (q *Queue) Close() error { return q.file.Close() }

// backlog returns how many connections lie in the accept queue of a listener, and how many may:
// of a socket that listens, tcp_get_info says so in these fields (net/ipv4/tcp.c).
func backlog(fd uintptr) (n, most int, err error) {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, 0, os.NewSyscallError("getsockopt", err)
	}
	return int(info.Unacked), int(info.Sacked), nil
}

// setBacklog has the kernel hold so many connections: listen(2) may be called again for that.
// Linux holds one more than it is told (sk_acceptq_is_full).
func setBacklog(ln net.Listener, n int) error {
	conn, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	most := 0
	var failed error
	err = conn.Control(func(fd uintptr) {
		if failed = os.NewSyscallError("listen", unix.Listen(int(fd), n)); failed == nil {
			_, most, failed = backlog(fd)
		}
	})
	if err = errors.Join(err, failed); err == nil && most < n {
		// listen(2): "If the backlog argument is greater than the value in
		// /proc/sys/net/core/somaxconn, then it is silently capped to that value."
		return fmt.Errorf("a backlog of %d is more than this system allows, %d; give less, or raise net.core.somaxconn", n, most)
	}
	return err
}
