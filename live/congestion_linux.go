package live

import (
	"fmt"
	"syscall"
)

// setCongestion selects a socket's congestion control (tcp(7), TCP_CONGESTION).
func setCongestion(fd uintptr, name string) error {
	if err := syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, syscall.TCP_CONGESTION, name); err != nil {
		return fmt.Errorf("congestion control %q: %w; sysctl net.ipv4.tcp_available_congestion_control lists what there is", name, err)
	}
	return nil
}
