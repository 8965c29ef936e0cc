package live

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"linger"
	"linger/policy"
	"linger/trace"
)

// What is asked of QUIC, the same for every run. The windows and the idle limit
// are those of Chromium.
const (
	// quicIdle is after how long without a packet a connection ends in silence; the
	// server's own limit counts where it is shorter (RFC 9000, 10.1). No keep-alive
	// is sent.
	quicIdle = 30 * time.Second
	// streamWindow and connWindow are the flow control of what the server sends, in
	// bytes, from the beginning (RFC 9000, 4.1).
	streamWindow = 6 << 20
	connWindow   = 15 << 20
	// maxDrain bounds how long a socket outlives its connection.
	maxDrain = 2 * time.Second
)

// quicStack is what the QUIC stack of this program is, its server's too, and what it
// begins a connection with: initialCongestionWindow in quic-go's cubic_sender.go,
// which is set to be Reno.
const quicStack = "quic-go (initial window 32 packets, Reno, pacing)"

// quicConfig returns what is asked of the QUIC stack for a strategy. Path MTU discovery
// is on, from 1280 bytes up, save for messages of DNS, which are never so long: its
// probes would be most of what such a connection carries. Congestion control and pacing
// are the stack's own.
func quicConfig(l policy.Limits, s linger.Strategy) *quic.Config {
	return &quic.Config{
		DisablePathMTUDiscovery: s.DNS != "",
		Versions:                []quic.Version{quic.Version1},
		// The policy gives a connection up before the stack does.
		HandshakeIdleTimeout:           2 * cmp.Or(l.Connect, time.Hour),
		MaxIdleTimeout:                 quicIdle,
		InitialStreamReceiveWindow:     streamWindow,
		MaxStreamReceiveWindow:         streamWindow,
		InitialConnectionReceiveWindow: connWindow,
		MaxConnectionReceiveWindow:     connWindow,
		// RFC 9114, 6.1: "Clients MUST treat receipt of a server-initiated
		// bidirectional stream as a connection error".
		MaxIncomingStreams: -1,
	}
}

// A quicConn is a QUIC connection with a UDP socket of its own, so that it has a
// pair of addresses of its own on the path.
type quicConn struct {
	*quic.Conn
	transport *quic.Transport
	socket    *net.UDPConn
}

// dialQUIC opens a connection to the first of the hosts that takes one. With early
// it returns as soon as early data may be sent, where there is a ticket for it.
func dialQUIC(ctx context.Context, hosts []netip.AddrPort, t *tls.Config, c *quic.Config, early bool) (q *quicConn, err error) {
	for _, host := range hosts {
		if q, err = dialHost(ctx, host, t, c, early); err == nil || ctx.Err() != nil {
			break
		}
	}
	return q, err
}

func dialHost(ctx context.Context, host netip.AddrPort, t *tls.Config, c *quic.Config, early bool) (*quicConn, error) {
	// A connected socket has an address of its own before the first packet, and the
	// kernel tells it of ICMP.
	var d net.Dialer
	socket, err := d.DialContext(ctx, "udp", host.String())
	if err != nil {
		return nil, err
	}
	q := &quicConn{socket: socket.(*net.UDPConn)}
	q.transport = &quic.Transport{Conn: &connectedUDP{UDPConn: q.socket}}
	dial := q.transport.Dial
	if early {
		dial = q.transport.DialEarly
	}
	if q.Conn, err = dial(ctx, q.socket.RemoteAddr(), t, c); err != nil {
		q.release()
		return nil, err
	}
	return q, nil
}

// end closes the connection where it is still open, and frees the socket.
func (q *quicConn) end() {
	ours := q.Context().Err() == nil
	_ = q.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	if ours {
		// What the server had sent before it learned of this is still to come, for
		// about a round trip. A closed port would answer it with ICMP.
		s := q.ConnectionStats()
		time.Sleep(min(s.SmoothedRTT+2*s.MeanDeviation, maxDrain))
	}
	q.release()
}

func (q *quicConn) release() {
	_ = q.transport.Close()
	_ = q.socket.Close()
}

// udpBuffer is how much of a UDP socket's buffers is asked for, each way, in
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

// quicEnding puts the end of a QUIC connection into words on which speaks was to be
// spoken, by ALPN alpn.
func quicEnding(err error, speaks, alpn string) ending {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return ending{policy.Reset, trace.AtServer, "nothing listens on that UDP port (ICMP port unreachable); the server may have no " + speaks}
	}
	if e, ok := errors.AsType[*quic.VersionNegotiationError](err); ok {
		return ending{policy.Malformed, trace.AtServer, fmt.Sprintf("server speaks QUIC %v, and not version 1", e.Theirs)}
	}
	if e, ok := errors.AsType[*quic.TransportError](err); ok {
		return transportEnding(e, alpn)
	}
	if _, ok := errors.AsType[*quic.StatelessResetError](err); ok {
		return ending{policy.Reset, trace.AtServer, "server no longer knows the connection (stateless reset)"}
	}
	if _, ok := errors.AsType[*quic.IdleTimeoutError](err); ok {
		return ending{policy.Reset, trace.Nobody, "no packet from the server within the idle limit: " + quicIdle.String() + ", or less where the server says so"}
	}
	return ending{policy.Reset, trace.Nobody, brief(Cause(err))}
}

// transportEnding puts the end by QUIC itself, TLS included, into words.
func transportEnding(e *quic.TransportError, alpn string) ending {
	over := ending{policy.Malformed, trace.AtClient, brief(e.Error())}
	if e.Remote {
		over.cause, over.by = policy.Reset, trace.AtServer
	}
	switch {
	case e.ErrorCode == quic.NoError:
		over.cause, over.reason = policy.ClosedByPeer, "server closed the connection"
	case e.ErrorCode == quic.ConnectionRefused:
		over.reason = "server refused the connection"
	case e.ErrorCode.IsCryptoError():
		over.reason = handshakeReason(e, alpn)
	}
	return over
}

// closedWith puts the close of a connection by what is spoken on it into words. code
// is the name of the error, none the code that says there is none.
func closedWith(e *quic.ApplicationError, none quic.ApplicationErrorCode, code, speaks string) ending {
	if e.ErrorMessage != "" {
		code += ": " + brief(e.ErrorMessage)
	}
	switch {
	case !e.Remote:
		return ending{policy.Malformed, trace.AtClient, "server broke " + speaks + ": " + code}
	case e.ErrorCode == none:
		return ending{policy.ClosedByPeer, trace.AtServer, "server closed the connection"}
	default:
		return ending{policy.Reset, trace.AtServer, "server closed the connection with " + code}
	}
}
