package origin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
)

// Listen opens a TCP listener whose connections carry nothing that the workload
// and the policy did not ask for: no Multipath TCP, no keep-alive probes.
// Nagle's algorithm is off on them, as in every common server.
//
// congestion names the congestion control of the accepted connections, as
// /proc/sys/net/ipv4/tcp_available_congestion_control lists them; empty is the
// host's own. It works on Linux only.
func Listen(ctx context.Context, address, congestion string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	if congestion != "" {
		lc.Control = func(_, _ string, c syscall.RawConn) error {
			var err error
			if e := c.Control(func(fd uintptr) { err = setCongestion(fd, congestion) }); e != nil {
				return e
			}
			return err
		}
	}
	ln, err := lc.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return ln, nil
	case errors.Is(err, errCongestion):
		return nil, err
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use; choose another port, or 0 for a free one", address)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s may not be listened on by this user; choose a port above 1023, or 0 for a free one", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("%s is no address of this host; choose one of its own, or none, as in :8080", address)
	}
	return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
}

// errCongestion marks the errors of setCongestion, which say all that is to be said.
var errCongestion = errors.New("congestion control")
