package dial

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
)

// MaxDrain bounds how long a socket outlives its connection.
const MaxDrain = 2 * time.Second

// A QUICConn is a QUIC connection with a UDP socket of its own, so that it has a
// pair of addresses of its own on the path.
type QUICConn struct {
	*quic.Conn
	Socket    *net.UDPConn
	transport *quic.Transport
}

// QUIC opens a connection from a local address, the zero Addr for any, to the first of the
// hosts that takes one. With early it returns as soon as early data may be sent, where there
// is a ticket for it.
func QUIC(ctx context.Context, local netip.Addr, hosts []netip.AddrPort, t *tls.Config, c *quic.Config, early bool) (q *QUICConn, err error) {
	for _, host := range hosts {
		if q, err = dialHost(ctx, local, host, t, c, early); err == nil || ctx.Err() != nil {
			break
		}
	}
	return q, err
}

// UDP returns what connects sockets of UDP from a local address, the zero Addr for any.
func UDP(local netip.Addr) (d net.Dialer) {
	if local.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	return d
}

func dialHost(ctx context.Context, local netip.Addr, host netip.AddrPort, t *tls.Config, c *quic.Config, early bool) (*QUICConn, error) {
	// A connected socket has an address of its own before the first packet, and the
	// kernel tells it of ICMP.
	d := UDP(local)
	socket, err := d.DialContext(ctx, "udp", host.String())
	if err != nil {
		return nil, err
	}
	q := &QUICConn{Socket: socket.(*net.UDPConn)}
	q.transport = &quic.Transport{Conn: &connectedUDP{UDPConn: q.Socket}}
	dial := q.transport.Dial
	if early {
		dial = q.transport.DialEarly
	}
	if q.Conn, err = dial(ctx, q.Socket.RemoteAddr(), t, c); err != nil {
		q.release()
		return nil, err
	}
	return q, nil
}

// End closes the connection where it is still open, by the code that says that there is no
// error, and frees the socket.
func (q *QUICConn) End(none quic.ApplicationErrorCode) {
	ours := q.Context().Err() == nil
	_ = q.CloseWithError(none, "")
	if ours {
		// What the server had sent before it learned of this is still to come, for
		// about a round trip. A closed port would answer it with ICMP.
		s := q.ConnectionStats()
		time.Sleep(min(s.SmoothedRTT+2*s.MeanDeviation, MaxDrain))
	}
	q.release()
}

func (q *QUICConn) release() {
	_ = q.transport.Close()
	_ = q.Socket.Close()
}

// udpBuffer is how much of a UDP socket's buffers is asked for, in each direction, in
// bytes. The kernel gives what net.core.rmem_max and wmem_max allow.
const udpBuffer = 7 << 20

// connectedUDP is a connected socket for a QUIC stack that names the peer in each
// packet, and that complains on standard error about buffers smaller than it would
// like: it gets to see them only after it has asked for more.
type connectedUDP struct {
	*net.UDPConn
	asked bool
}

func (u *connectedUDP) SyscallConn() (syscall.RawConn, error) {
	if !u.asked {
		return nil, errors.ErrUnsupported
	}
	return u.UDPConn.SyscallConn()
}

// QUICSocket makes of a connected socket what a QUIC stack can use.
func QUICSocket(u *net.UDPConn) net.PacketConn { return &connectedUDP{UDPConn: u} }

// SetReadBuffer asks for the buffer; to get less is no error.
func (u *connectedUDP) SetReadBuffer(int) error {
	_ = u.UDPConn.SetReadBuffer(udpBuffer)
	return nil
}

// SetWriteBuffer asks for the buffer; to get less is no error.
func (u *connectedUDP) SetWriteBuffer(int) error {
	_ = u.UDPConn.SetWriteBuffer(udpBuffer)
	u.asked = true
	return nil
}

func (u *connectedUDP) WriteTo(b []byte, _ net.Addr) (int, error) { return u.Write(b) }

func (u *connectedUDP) WriteMsgUDP(b, oob []byte, _ *net.UDPAddr) (n, oobn int, err error) {
	return u.UDPConn.WriteMsgUDP(b, oob, nil)
}

// OwnSessions gives each connection of QUIC a session of its own: the stack notes in it whether
// early data may be sent, and several connections may begin at once.
type OwnSessions struct{ tls.ClientSessionCache }

// Get returns a copy of the session of a server.
func (o OwnSessions) Get(key string) (*tls.ClientSessionState, bool) {
	shared, ok := o.ClientSessionCache.Get(key)
	if !ok {
		return nil, false
	}
	own, err := ownSession(shared)
	return own, err == nil
}

func ownSession(shared *tls.ClientSessionState) (*tls.ClientSessionState, error) {
	ticket, state, err := shared.ResumptionState()
	if err != nil || state == nil {
		return nil, cmp.Or(err, errors.New("no session"))
	}
	b, err := state.Bytes()
	if err != nil {
		return nil, err
	}
	if state, err = tls.ParseSessionState(b); err != nil {
		return nil, err
	}
	return tls.NewResumptionState(ticket, state)
}
