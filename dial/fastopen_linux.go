package dial

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"linger"
)

// setFastOpen makes a socket send its first bytes with the SYN where the kernel has
// the server's cookie, and ask for one where it has not (tcp(7), since Linux 4.11).
func setFastOpen(fd uintptr) error {
	return os.NewSyscallError("setsockopt TCP_FASTOPEN_CONNECT",
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1))
}

// tryFastOpen reports why TCP Fast Open cannot be had.
func tryFastOpen() error {
	// Documentation/networking/ip-sysctl.rst, tcp_fastopen: bit 0 "enables sending
	// data in the opening SYN on the client".
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_fastopen")
	if err != nil {
		return nil // setting the option will tell
	}
	if bits, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && bits&1 == 0 {
		return errors.New("TCP Fast Open is switched off for clients here; set sysctl net.ipv4.tcp_fastopen=3, or leave +tfo out")
	}
	return nil
}

// info returns what the kernel knows of a connection (struct tcp_info).
func info(socket net.Conn) (*unix.TCPInfo, bool) {
	s, ok := socket.(*net.TCPConn)
	if !ok {
		return nil, false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, false
	}
	var t *unix.TCPInfo
	var failed error
	if err := raw.Control(func(fd uintptr) {
		t, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); err != nil || failed != nil {
		return nil, false
	}
	return t, true
}

// IsOpen reports whether the handshake of a dialled connection is done: with a
// cookie at hand the kernel puts it off until there is data to send.
func IsOpen(socket net.Conn) bool {
	const tcpEstablished = 1 // include/net/tcp_states.h
	t, ok := info(socket)
	return ok && t.State == tcpEstablished
}

// SynDataTaken reports whether the server has acknowledged data in the SYN.
func SynDataTaken(socket net.Conn) linger.Opt[bool] {
	const synData = 32 // TCPI_OPT_SYN_DATA, include/uapi/linux/tcp.h
	t, ok := info(socket)
	if !ok {
		return linger.Opt[bool]{}
	}
	return linger.Known(t.Options&synData != 0)
}
