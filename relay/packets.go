package relay

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// remembered is how long a client's address is, on which nothing passes: "A NAT UDP mapping
	// timer MUST NOT expire in less than two minutes" (RFC 4787, 4.3, REQ-5).
	remembered = 2 * time.Minute
	// mostClients bounds the addresses of clients; datagrams of further ones are dropped.
	mostClients = 4096
	// datagram is the most that one holds.
	datagram = 64 << 10
)

// ServePackets carries on the datagrams that come to pc, and their answers: each address of a client
// has a socket of its own towards the server. It closes pc in the end, and does not wait.
func (r *Relay) ServePackets(pc net.PacketConn) {
	near, ok := pc.(*net.UDPConn)
	if !ok || !r.hold(near) {
		return
	}
	r.running.Go(func() {
		defer r.drop(near)
		clients := &clients{sockets: map[netip.AddrPort]*net.UDPConn{}}
		buf := make([]byte, datagram)
		for {
			n, from, err := near.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			far := clients.of(from)
			if far == nil {
				if clients.full() {
					continue // as if it were lost
				}
				if far = r.dialPackets(); far == nil {
					continue
				}
				clients.add(from, far)
				r.running.Go(func() {
					r.answers(near, far, from)
					clients.forget(from)
				})
			}
			far.SetReadDeadline(time.Now().Add(remembered))
			_, _ = far.Write(buf[:n]) // what does not go is lost, as datagrams are
		}
	})
}

// answers hands a client what the server sends it, until nothing passes any more.
func (r *Relay) answers(near, far *net.UDPConn, client netip.AddrPort) {
	defer r.drop(far)
	buf := make([]byte, datagram)
	for {
		n, err := far.Read(buf)
		var late net.Error
		if errors.Is(err, net.ErrClosed) || errors.As(err, &late) && late.Timeout() {
			return
		}
		if err != nil {
			continue // nobody listens there, for now
		}
		far.SetReadDeadline(time.Now().Add(remembered))
		_, _ = near.WriteToUDPAddrPort(buf[:n], client)
	}
}

// dialPackets opens a socket towards the server; nil where there is no way to it.
func (r *Relay) dialPackets() *net.UDPConn {
	r.mu.Lock()
	address := r.addresses[0]
	r.mu.Unlock()
	c, err := net.Dial("udp", address)
	if err != nil || !r.hold(c) {
		return nil
	}
	r.mu.Lock()
	r.seen.Datagrams++
	r.mu.Unlock()
	return c.(*net.UDPConn)
}

// clients are the sockets towards the server, by the client's address.
type clients struct {
	mu      sync.Mutex
	sockets map[netip.AddrPort]*net.UDPConn
}

func (c *clients) of(client netip.AddrPort) *net.UDPConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sockets[client]
}

func (c *clients) full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sockets) >= mostClients
}

func (c *clients) add(client netip.AddrPort, socket *net.UDPConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sockets[client] = socket
}

func (c *clients) forget(client netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sockets, client)
}
