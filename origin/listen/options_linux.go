package listen

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// setCongestion sets what accepted sockets inherit (tcp(7), TCP_CONGESTION).
func setCongestion(fd uintptr, name string) error {
	err := unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
	switch err {
	case unix.ENOENT:
		return errors.New("is not in this kernel; see /proc/sys/net/ipv4/tcp_available_congestion_control")
	case unix.EPERM:
		return errors.New("is not allowed to this user; see /proc/sys/net/ipv4/tcp_allowed_congestion_control")
	}
	return err
}

const (
	// fastOpenQueue is how many connections with data in their SYN may wait for the
	// client's ACK; further ones get an ordinary handshake (tcp(7), TCP_FASTOPEN).
	fastOpenQueue = 256
	// fastOpenServer is the bit of net.ipv4.tcp_fastopen without which the kernel
	// ignores the option: "enables the server support, i.e., allowing data in a SYN
	// packet to be accepted" (Documentation/networking/ip-sysctl.rst).
	fastOpenServer = 0x2
	fastOpenSysctl = "/proc/sys/net/ipv4/tcp_fastopen"
)

func setFastOpen(fd uintptr) error {
	b, err := os.ReadFile(fastOpenSysctl)
	if err != nil {
		return fmt.Errorf("is not in this kernel: %w", err)
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 0, 32); err != nil || n&fastOpenServer == 0 {
		return errors.New("is off for servers on this host; set net.ipv4.tcp_fastopen to 3")
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_FASTOPEN, fastOpenQueue))
}
