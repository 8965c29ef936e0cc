package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
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

	// Of include/uapi/linux/inet_diag.h and sock_diag.h.
	skMemInfo          = 7 // INET_DIAG_SKMEMINFO
	memInfoRmemAlloc   = 0 // SK_MEMINFO_RMEM_ALLOC
	memInfoForwarded   = 4 // SK_MEMINFO_FWD_ALLOC
	memInfoWmemQueued  = 5 // SK_MEMINFO_WMEM_QUEUED
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
	seq    uint32 // of the last census
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
	var c Census
	s.seq++
	// A listener on all addresses is of IPv6, and so are its IPv4 connections.
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := s.add(&c, family, s.seq<<1|uint32(family&1)); err != nil {
			return Census{}, fmt.Errorf("socket diagnostics: %w", err)
		}
	}
	return c, nil
}

// add counts the sockets of one family. seq differs from one call to the next.
func (s *Socket) add(c *Census, family byte, seq uint32) error {
	if err := unix.Sendto(s.fd, request(family, seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
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
		done, err := c.parse(s.answer[:n], seq)
		if done || err != nil {
			return err
		}
	}
}

// request asks for all TCP sockets of a family, each with its
// memory: struct nlmsghdr, then struct inet_diag_req_v2.
func request(family byte, seq uint32) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+sizeofRequest)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(b[8:], seq)
	r := b[unix.SizeofNlMsghdr:]
	r[0], r[1] = family, unix.IPPROTO_TCP
	r[2] = 1 << (skMemInfo - 1)
	binary.NativeEndian.PutUint32(r[4:], everyState)
	return b
}

// parse reads one datagram of the answer to the request of that number. done says
// that it was the last.
func (c *Census) parse(b []byte, seq uint32) (done bool, err error) {
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
			if errno == unix.ENOENT {
				return true, nil // a kernel without this family
			}
			return true, errno
		case unix.SOCK_DIAG_BY_FAMILY:
			if err := c.count(body); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// count adds one socket: struct inet_diag_msg, then attributes.
func (c *Census) count(b []byte) error {
	if len(b) < sizeofMessage {
		return fmt.Errorf("a socket in %d bytes instead of %d", len(b), sizeofMessage)
	}
	state := State(b[1])
	if state == newSynReceived {
		state = SynReceived
	}
	if state < states {
		c.States[state]++
	}
	for b = b[sizeofMessage:]; len(b) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(b[0:]))
		if size < unix.SizeofRtAttr || size > len(b) {
			return fmt.Errorf("an attribute of %d bytes in %d", size, len(b))
		}
		if binary.NativeEndian.Uint16(b[2:]) == skMemInfo {
			c.Memory += memory(b[unix.SizeofRtAttr:size])
		}
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
