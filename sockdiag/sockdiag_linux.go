package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// within bounds the wait for the kernel's answer, which it gives at once.
	within = time.Second
	// answerSize is more than the kernel puts into one datagram of a dump
	// (net/netlink/af_netlink.c: at most 32 KiB).
	answerSize = 64 << 10

	sizeofRequest = 56 // struct inet_diag_req_v2
	sizeofMessage = 72 // struct inet_diag_msg
	sizeofID      = 48 // struct inet_diag_sockid, at offset 8 of the one and 4 of the other
	queueAt       = 56 // idiag_rqueue of the latter

	// Of include/uapi/linux/inet_diag.h and sock_diag.h.
	skMemInfo          = 7  // INET_DIAG_SKMEMINFO
	skV6Only           = 11 // INET_DIAG_SKV6ONLY
	memInfoRmemAlloc   = 0  // SK_MEMINFO_RMEM_ALLOC
	memInfoForwarded   = 4  // SK_MEMINFO_FWD_ALLOC
	memInfoWmemQueued  = 5  // SK_MEMINFO_WMEM_QUEUED
	memInfoNeededWords = 6

	newSynReceived = 12 // TCP_NEW_SYN_RECV
	// everyState leaves out TCP_BOUND_INACTIVE, 13: sockets that are neither
	// connected nor listening. To find them the kernel walks the whole machine's
	// table of ports, which takes seven times as long as all the rest.
	everyState = 1<<(newSynReceived+1) - 1
)

// A Socket asks the kernel for censuses. One goroutine uses it at a time.
type Socket struct {
	fd     int
	seq    uint32 // of the last request
	answer []byte
}

// Open opens a socket of diagnostics for the calling thread's network namespace; it
// stays there whoever uses it. One census is taken, to see that the kernel has them.
func Open() (*Socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("socket diagnostics: %w", err)
	}
	s := &Socket{fd: fd, answer: make([]byte, answerSize)}
	limit := unix.NsecToTimeval(int64(within))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		s.Close()
		return nil, fmt.Errorf("socket diagnostics: %w", err)
	}
	if _, err := s.Census(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close closes the socket.
func (s *Socket) Close() error { return unix.Close(s.fd) }

// Census counts the sockets of the namespace: one request a family lists each of them,
// those in TIME_WAIT included.
func (s *Socket) Census() (Census, error) {
	return s.CensusOf(func(netip.Addr) bool { return true })
}

// CensusOf counts only those whose other end is at an address of which with says so; of one
// that listens that is the unspecified one.
func (s *Socket) CensusOf(with func(remote netip.Addr) bool) (Census, error) {
	var c Census
	err := s.list(unix.IPPROTO_TCP, everyState, func(b []byte) error {
		if _, remote, err := parseEnds(b); err != nil || !with(remote.Addr()) {
			return err
		}
		return c.count(b)
	})
	if err != nil {
		return Census{}, err
	}
	return c, nil
}

// Listeners lists the sockets of TCP that listen, and those of UDP that take datagrams from
// anybody, in the order of the kernel's. A kernel without diagnostics of UDP lists none of those.
func (s *Socket) Listeners() ([]Listener, error) {
	var all []Listener
	add := func(udp bool) func([]byte) error {
		return func(b []byte) error {
			l, err := parseListener(b)
			if l.UDP = udp; err == nil && l.Address.Port() != 0 {
				all = append(all, l)
			}
			return err
		}
	}
	if err := s.list(unix.IPPROTO_TCP, 1<<Listen, add(false)); err != nil {
		return nil, err
	}
	err := s.list(unix.IPPROTO_UDP, 1<<Closed, add(true)) // the state of one that is not connected
	return all, err
}

// Destroy ends the connections of TCP for which drop says so, in whatever state they are,
// those in TIME_WAIT included, as tcp_abort does: a program that has one learns of it by
// ECONNABORTED, and the other side by RST where there is one to tell. It needs CAP_NET_ADMIN,
// and a kernel with CONFIG_INET_DIAG_DESTROY.
func (s *Socket) Destroy(drop func(local, remote netip.AddrPort) bool) error {
	var doomed [][]byte
	err := s.list(unix.IPPROTO_TCP, everyState&^(1<<Listen), func(b []byte) error {
		local, remote, err := parseEnds(b)
		if err == nil && drop(local, remote) {
			doomed = append(doomed, append([]byte{}, b[:sizeofMessage]...))
		}
		return err
	})
	for _, b := range doomed {
		s.seq++
		r := request(b[0], unix.IPPROTO_TCP, everyState, unix.SOCK_DESTROY, unix.NLM_F_ACK, s.seq<<1)
		copy(r[unix.SizeofNlMsghdr+8:], b[4:4+sizeofID])
		// One that is gone meanwhile, ENOENT, is what was wanted.
		err = errors.Join(err, s.ask(r, s.seq<<1, func([]byte) error { return nil }))
	}
	return err
}

// list has each told of the sockets of a transport in those states.
func (s *Socket) list(protocol byte, states uint32, each func([]byte) error) error {
	s.seq++
	// A listener on all addresses is of IPv6, and so are its IPv4 connections.
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		seq := s.seq<<1 | uint32(family&1) // differs from one request to the next
		r := request(family, protocol, states, unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP, seq)
		if err := s.ask(r, seq, each); err != nil {
			return fmt.Errorf("socket diagnostics: %w", err)
		}
	}
	return nil
}

// ask sends a request of that number and reads the answer to its end.
func (s *Socket) ask(r []byte, seq uint32, each func([]byte) error) error {
	if err := unix.Sendto(s.fd, r, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	for {
		n, _, err := unix.Recvfrom(s.fd, s.answer, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError("recvfrom", err)
		}
		done, err := parse(s.answer[:n], seq, each)
		if done || err != nil {
			return err
		}
	}
}

// request asks for the sockets of a family and a transport in those states, each with its
// memory: struct nlmsghdr, then struct inet_diag_req_v2.
func request(family, protocol byte, states uint32, kind, flags uint16, seq uint32) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+sizeofRequest)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|flags)
	binary.NativeEndian.PutUint32(b[8:], seq)
	r := b[unix.SizeofNlMsghdr:]
	r[0], r[1] = family, protocol
	r[2] = 1 << (skMemInfo - 1)
	binary.NativeEndian.PutUint32(r[4:], states)
	return b
}

// parse reads one datagram of the answer to the request of that number, and has each told of
// its sockets. done says that it was the last.
func parse(b []byte, seq uint32, each func([]byte) error) (done bool, err error) {
	for len(b) > 0 {
		if len(b) < unix.SizeofNlMsghdr {
			return false, errors.New("a netlink message without its header")
		}
		size := int(binary.NativeEndian.Uint32(b[0:]))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return false, fmt.Errorf("a netlink message of %d bytes in a datagram of %d", size, len(b))
		}
		body := b[unix.SizeofNlMsghdr:size]
		kind := binary.NativeEndian.Uint16(b[4:])
		mine := binary.NativeEndian.Uint32(b[8:]) == seq
		b = b[min(align4(size), len(b)):]
		if !mine {
			// The rest of an answer that was given up.
			continue
		}
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return false, errors.New("a netlink error without its number")
			}
			errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
			if errno == 0 || errno == unix.ENOENT {
				return true, nil // it is done; or a kernel without this family, or no such socket any more
			}
			return true, errno
		case unix.SOCK_DIAG_BY_FAMILY:
			if len(body) < sizeofMessage {
				return false, fmt.Errorf("a socket in %d bytes instead of %d", len(body), sizeofMessage)
			}
			if err := each(body); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// parseEnds reads the addresses of a socket: struct inet_diag_msg.
func parseEnds(b []byte) (local, remote netip.AddrPort, err error) {
	address := func(b []byte) netip.Addr {
		a, _ := netip.AddrFromSlice(b[:16])
		return a.Unmap()
	}
	if b[0] == unix.AF_INET {
		address = func(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }
	} else if b[0] != unix.AF_INET6 {
		return local, remote, fmt.Errorf("a socket of address family %d", b[0])
	}
	port := func(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
	return netip.AddrPortFrom(address(b[8:]), port(b[4:])), netip.AddrPortFrom(address(b[24:]), port(b[6:])), nil
}

// parseListener reads a socket that is connected to none.
func parseListener(b []byte) (l Listener, err error) {
	if l.Address, _, err = parseEnds(b); err != nil {
		return l, err
	}
	err = attributes(b, func(kind uint16, value []byte) {
		if kind == skV6Only && len(value) > 0 {
			l.V6Only = value[0] != 0
		}
	})
	return l, err
}

// count adds one socket: struct inet_diag_msg, then attributes.
func (c *Census) count(b []byte) error {
	state := State(b[1])
	if state == newSynReceived {
		state = SynReceived
	}
	if state < states {
		c.States[state]++
	}
	if state == Listen {
		// Of a listener idiag_rqueue is how many it may accept at once (tcp_diag_get_info).
		local, _, err := parseEnds(b)
		if err != nil {
			return err
		}
		if !local.Addr().IsLoopback() {
			c.Waiting += int(binary.NativeEndian.Uint32(b[queueAt:]))
		}
	}
	return attributes(b, func(kind uint16, value []byte) {
		if kind == skMemInfo {
			c.Memory += memory(value)
		}
	})
}

// attributes hands out those of a socket.
func attributes(b []byte, each func(kind uint16, value []byte)) error {
	for b = b[sizeofMessage:]; len(b) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(b[0:]))
		if size < unix.SizeofRtAttr || size > len(b) {
			return fmt.Errorf("an attribute of %d bytes in %d", size, len(b))
		}
		each(binary.NativeEndian.Uint16(b[2:]), b[unix.SizeofRtAttr:size])
		b = b[min(align4(size), len(b)):]
	}
	return nil
}

// memory returns what the kernel holds for one socket, in bytes: what it charges to
// TCP's memory itself (sk_mem_charge in include/net/sock.h). SK_MEMINFO_WMEM_ALLOC is
// left out, since it counts again what WMEM_QUEUED holds and is on its way to the
// device; the buffers' limits hold no memory.
func memory(words []byte) int64 {
	if len(words) < 4*memInfoNeededWords {
		return 0
	}
	word := func(i int) int64 { return int64(binary.NativeEndian.Uint32(words[4*i:])) }
	return word(memInfoRmemAlloc) + word(memInfoWmemQueued) + word(memInfoForwarded)
}

func align4(n int) int { return (n + 3) &^ 3 }
