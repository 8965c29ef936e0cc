package listen

import (
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A Sourced is a socket of UDP that answers from the address that was asked, even
// where it listens on all of them: a client takes an answer from nobody else, and the
// host would choose the address by its routes. Where the system cannot tell, it is the
// host's choice.
type Sourced struct {
	net.PacketConn
	udp       *net.UDPConn // nil where the socket has one address, or cannot tell
	ancillary []byte
}

// A Sender is where a datagram came from, and what has the answer leave from where it
// went.
type Sender struct {
	Addr    net.Addr
	control []byte
}

func NewSourced(pc net.PacketConn) *Sourced {
	s := &Sourced{PacketConn: pc}
	udp, ok := pc.(*net.UDPConn)
	if !ok {
		return s
	}
	if local, ok := udp.LocalAddr().(*net.UDPAddr); !ok || !local.IP.IsUnspecified() {
		return s
	}
	// A socket of IPv6 may take IPv4, too; one of IPv4 takes nothing else.
	six := ipv6.NewPacketConn(udp).SetControlMessage(ipv6.FlagDst, true)
	four := ipv4.NewPacketConn(udp).SetControlMessage(ipv4.FlagDst, true)
	if six == nil || four == nil {
		s.udp, s.ancillary = udp, make([]byte, 256)
	}
	return s
}

func (s *Sourced) Receive(b []byte) (n int, from Sender, err error) {
	if s.udp == nil {
		n, addr, err := s.ReadFrom(b)
		return n, Sender{Addr: addr}, err
	}
	n, k, _, addr, err := s.udp.ReadMsgUDP(b, s.ancillary)
	if err != nil {
		return n, Sender{}, err
	}
	return n, Sender{addr, from4or6(s.ancillary[:k])}, nil
}

// from4or6 returns what has an answer leave from where the datagram went that came
// with this.
func from4or6(ancillary []byte) []byte {
	var six ipv6.ControlMessage
	var four ipv4.ControlMessage
	switch {
	case six.Parse(ancillary) == nil && six.Dst != nil && six.Dst.To4() == nil:
		return (&ipv6.ControlMessage{Src: six.Dst}).Marshal()
	case four.Parse(ancillary) == nil && four.Dst != nil:
		return (&ipv4.ControlMessage{Src: four.Dst}).Marshal()
	}
	return nil
}

func (s *Sourced) Send(b []byte, to Sender) error {
	if s.udp == nil || to.control == nil {
		_, err := s.WriteTo(b, to.Addr)
		return err
	}
	_, _, err := s.udp.WriteMsgUDP(b, to.control, to.Addr.(*net.UDPAddr))
	return err
}
