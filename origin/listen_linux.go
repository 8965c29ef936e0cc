package origin

import (
	"fmt"
	"syscall"
)

// setCongestion sets what accepted sockets inherit (tcp(7), TCP_CONGESTION).
func setCongestion(fd uintptr, name string) error {
	err := syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, name)
	switch err {
	case nil:
		return nil
	case syscall.ENOENT:
		return fmt.Errorf("%w %q is not in this kernel; see /proc/sys/net/ipv4/tcp_available_congestion_control", errCongestion, name)
	case syscall.EPERM:
		return fmt.Errorf("%w %q is not allowed to this user; see /proc/sys/net/ipv4/tcp_allowed_congestion_control", errCongestion, name)
	}
	return fmt.Errorf("%w %q: %w", errCongestion, name, err)
}
