package dial

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// bindAddressOnly has the port of a socket that is bound to an address be chosen when it
// connects: one that another destination has is free for this one, as where nothing is bound
// (ip(7), IP_BIND_ADDRESS_NO_PORT).
func bindAddressOnly(fd uintptr) error {
	return os.NewSyscallError("setsockopt IP_BIND_ADDRESS_NO_PORT", unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1))
}

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
