// Package listen opens the sockets that a server listens on, with nothing on them that the
// workload and the policy did not ask for.
package listen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
)

// Options are how a TCP listener waits for connections, and what those inherit.
type Options struct {
	// Congestion names the congestion control, as
	// /proc/sys/net/ipv4/tcp_available_congestion_control lists them; empty is the
	// host's own. It works on Linux only.
	Congestion string
	// FastOpen takes data in the SYN from clients that hold a cookie (RFC 7413). It
	// works on Linux only, and where net.ipv4.tcp_fastopen allows it to servers.
	FastOpen bool
	// Backlog is how many connections the kernel completes and holds until they are accepted,
	// as in listen(2); 0 is the host's own. It works on Linux only.
	Backlog int
}

// TCP opens a listener whose connections carry nothing that the workload
// and the policy did not ask for: no Multipath TCP, no keep-alive probes.
// Nagle's algorithm is off on them, as in every common server.
func TCP(ctx context.Context, address string, o Options) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	lc.Control = func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = o.set(fd) }); e != nil {
			return e
		}
		return err
	}
	ln, err := lc.Listen(ctx, "tcp", address)
	if e, ok := errors.AsType[optionError](err); ok {
		return nil, e
	}
	if err == nil && o.Backlog > 0 {
		if err := setBacklog(ln, o.Backlog); err != nil {
			ln.Close()
			return nil, err
		}
	}
	return ln, listenError(address, err)
}

// UDP opens a socket of UDP, for QUIC or for queries of DNS.
func UDP(ctx context.Context, address string) (net.PacketConn, error) {
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, "udp", address)
	return pc, listenError(address, err)
}

// listenError says what to do about an address that cannot be listened on.
func listenError(address string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use; choose another port, or 0 for a free one", address)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s may not be listened on by this user; choose a port above 1023, or 0 for a free one", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this host; choose one of its own, or none, as in :8080", address)
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}

// set sets the options of a socket that is going to listen.
func (o Options) set(fd uintptr) error {
	if o.Congestion != "" {
		if err := setCongestion(fd, o.Congestion); err != nil {
			return optionError{fmt.Errorf("congestion control %q %w", o.Congestion, err)}
		}
	}
	if o.FastOpen {
		if err := setFastOpen(fd); err != nil {
			return optionError{fmt.Errorf("TCP Fast Open %w", err)}
		}
	}
	return nil
}

// An optionError says all that is to be said about a socket option.
type optionError struct{ error }

func (e optionError) Unwrap() error { return e.error }
