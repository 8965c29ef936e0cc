// Package sockdiag counts the TCP sockets of a network namespace, by state and with the
// kernel memory that they hold, as socket diagnostics has them (sock_diag(7)), and lists those
// that listen. It needs no rights but for [Socket.Destroy]. On systems other than Linux [Open] says that there are none.
package sockdiag

import "net/netip"

// A State is one of a TCP socket, by its number in include/net/tcp_states.h.
type State uint8

const (
	Established State = iota + 1
	SynSent
	SynReceived // TCP_NEW_SYN_RECV included
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listen
	Closing

	states = iota + 1 // and 0, which is no socket's
)

// names are those of RFC 9293, 3.3.2, with '_' for '-'.
var names = [states]string{
	Established: "ESTABLISHED", SynSent: "SYN_SENT", SynReceived: "SYN_RECEIVED", FinWait1: "FIN_WAIT_1",
	FinWait2: "FIN_WAIT_2", TimeWait: "TIME_WAIT", Closed: "CLOSED", CloseWait: "CLOSE_WAIT",
	LastAck: "LAST_ACK", Listen: "LISTEN", Closing: "CLOSING",
}

// String returns the state as RFC 9293 spells it, with '_' for '-'.
func (s State) String() string { return names[s] }

// A Census is one count of all TCP sockets of a namespace.
type Census struct {
	// States counts the sockets in each [State].
	States [states]int
	// Memory is what the kernel holds for all of them, in bytes: data that the program has
	// not read yet, data that it has written and the peer has not acknowledged, both with
	// their bookkeeping, and what is set aside for more.
	Memory int64
	// Waiting are connections in the accept queues of those that listen for other hosts: they
	// are established, and no program has taken them.
	Waiting int
}

// Open counts the sockets of connections that are being opened, open or being closed:
// neither listening nor in TIME_WAIT.
func (c *Census) Open() int {
	n := 0
	for _, k := range c.States {
		n += k
	}
	return n - c.States[Listen] - c.States[TimeWait]
}

// A Listener is a socket that waits for connections of TCP, or for datagrams of UDP.
type Listener struct {
	Address netip.AddrPort `json:"address"`
	UDP     bool           `json:"udp,omitempty"`
	// V6Only says of one of IPv6 that it takes nothing by IPv4.
	V6Only bool `json:"v6_only,omitempty"`
}

// TakesIPv4 reports whether other hosts reach it by IPv4.
func (l Listener) TakesIPv4() bool {
	a := l.Address.Addr()
	return !a.IsLoopback() && (a.Is4() || a.IsUnspecified() && !l.V6Only)
}
