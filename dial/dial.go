// Package dial opens connections: where they go ([Route]), by which options of the socket
// ([Options]), over TCP and for QUIC; and it says what the errors of the network mean
// ([Cause], [IsReset], [Alert]). What is spoken on a connection is for others to know.
package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// Options are how a connection of TCP is opened.
type Options struct {
	Route Route
	// Congestion selects the congestion control of the dialling sockets, "cubic" for one;
	// empty leaves the system's. On Linux only.
	Congestion string
	// FastOpen has the first bytes go with the SYN (RFC 7413).
	FastOpen bool
	// Local is the address of this machine's that connections come from; the zero Addr leaves
	// that to the system.
	Local netip.Addr
}

// A Func opens a connection.
type Func func(context.Context) (net.Conn, error)

// TCP returns what opens connections of TCP to address, host:port. A name is looked up once,
// here; its addresses are tried in order, those of IPv4 first. The error says which option
// cannot be had, or that nobody knows the name.
func TCP(ctx context.Context, address string, o Options) (Func, error) {
	var addresses []netip.AddrPort
	if o.Route.Unix == "" {
		var err error
		if addresses, err = o.Route.Addresses(ctx, address); err != nil {
			return nil, err
		}
	} else if o.FastOpen || o.Congestion != "" || o.Local.IsValid() {
		return nil, errors.New("TCP Fast Open, congestion control and a local address are TCP's, and the connection is one of a Unix socket; leave them out")
	}
	set, err := o.setters()
	if err != nil {
		return nil, err
	}
	// Probes of TCP's own keep-alive would be packets that no strategy asked for.
	// TCP_NODELAY is on, as Go sets it.
	d := net.Dialer{KeepAlive: -1}
	if o.Local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(o.Local, 0))
	}
	if len(set) > 0 {
		d.Control = func(_, _ string, raw syscall.RawConn) error { return control(raw, set) }
	}
	return func(ctx context.Context) (net.Conn, error) {
		if o.Route.Unix != "" {
			return o.Route.Dial(ctx, &d, address)
		}
		return dialFirst(ctx, &d, addresses)
	}, nil
}

// A setter sets an option of a socket.
type setter func(fd uintptr) error

// setters returns what sets the options that are wanted, or why one cannot be had.
func (o Options) setters() (set []setter, err error) {
	if o.Congestion != "" {
		if err := tryCongestion(o.Congestion); err != nil {
			return nil, err
		}
		set = append(set, func(fd uintptr) error { return setCongestion(fd, o.Congestion) })
	}
	if o.FastOpen {
		if err := tryFastOpen(); err != nil {
			return nil, err
		}
		set = append(set, setFastOpen)
	}
	if o.Local.IsValid() {
		set = append(set, bindAddressOnly)
	}
	return set, nil
}

func control(raw syscall.RawConn, set []setter) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		for _, one := range set {
			failed = errors.Join(failed, one(fd))
		}
	})
	if err != nil {
		return err
	}
	return failed
}
