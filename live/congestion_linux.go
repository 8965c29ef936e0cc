package live

import (
	"fmt"
	"syscall"
)

// setCongestion selects a socket's congestion control (tcp(7), TCP_CONGESTION).
func setCongestion(fd uintptr, name string) error {
	return syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, name)
}

// tryCongestion reports why a congestion control cannot be had.
func tryCongestion(name string) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := setCongestion(uintptr(fd), name); err != nil {
		return fmt.Errorf("congestion control %q: %w; see sysctl net.ipv4.tcp_allowed_congestion_control", name, err)
	}
	return nil
}
