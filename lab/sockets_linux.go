package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"linger/trace"
)

// Sockets are counted by socket diagnostics (sock_diag(7)): one request a family
// lists every TCP socket of the namespace in which the netlink socket was
// opened, those in TIME_WAIT included.

const (
	// diagWithin bounds the wait for the kernel's answer, which it gives at once.
	diagWithin = time.Second
	// diagBuffer is more than the kernel puts into one datagram of a dump
	// (net/netlink/af_netlink.c: at most 32 KiB).
	diagBuffer = 64 << 10

	sizeofDiagRequest = 56 // struct inet_diag_req_v2
	sizeofDiagMessage = 72 // struct inet_diag_msg

	// Of include/uapi/linux/inet_diag.h and sock_diag.h.
	diagSKMemInfo      = 7 // INET_DIAG_SKMEMINFO
	memInfoRmemAlloc   = 0 // SK_MEMINFO_RMEM_ALLOC
	memInfoForwarded   = 4 // SK_MEMINFO_FWD_ALLOC
	memInfoWmemQueued  = 5 // SK_MEMINFO_WMEM_QUEUED
	memInfoNeededWords = 6
)

// tcpStates are the names of the states by their number in
// include/net/tcp_states.h, as RFC 9293 spells them with '_' for '-'.
var tcpStates = [...]string{
	1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECEIVED", 4: "FIN_WAIT_1", 5: "FIN_WAIT_2", 6: "TIME_WAIT",
	7: "CLOSED", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECEIVED",
}

const (
	tcpTimeWait = 6
	tcpListen   = 10
	// everyState leaves out TCP_BOUND_INACTIVE, 13: sockets that are neither
	// connected nor listening. To find them the kernel walks the whole machine's
	// table of ports, which takes seven times as long as all the rest.
	everyState = 1<<len(tcpStates) - 1
)

// A census is one count of a host's TCP sockets.
type census struct {
	states [len(tcpStates)]int
	memory int64
}

// openDiag opens a socket of diagnostics for the calling thread's network
// namespace; it stays there whoever uses it.
func openDiag() (fd int, err error) {
	fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return -1, fmt.Errorf("socket diagnostics: %w", err)
	}
	limit := unix.NsecToTimeval(int64(diagWithin))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("socket diagnostics: %w", err)
	}
	if _, err := takeCensus(fd, 0, make([]byte, diagBuffer)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// takeCensus counts the sockets of the namespace of fd. seq differs from one call
// to the next; buf is for the answers.
func takeCensus(fd int, seq uint32, buf []byte) (census, error) {
	var c census
	// A listener on all addresses is of IPv6, and so are its IPv4 connections.
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := c.add(fd, family, seq<<1|uint32(family&1), buf); err != nil {
			return census{}, fmt.Errorf("socket diagnostics: %w", err)
		}
	}
	return c, nil
}

// add counts the sockets of one family.
func (c *census) add(fd int, family byte, seq uint32, buf []byte) error {
	if err := unix.Sendto(fd, diagRequest(family, seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError("recvfrom", err)
		}
		done, err := c.parse(buf[:n], seq)
		if done || err != nil {
			return err
		}
	}
}

// diagRequest asks for all TCP sockets of a family, each with its
// memory: struct nlmsghdr, then struct inet_diag_req_v2.
func diagRequest(family byte, seq uint32) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+sizeofDiagRequest)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	binary.NativeEndian.PutUint32(b[8:], seq)
	r := b[unix.SizeofNlMsghdr:]
	r[0], r[1] = family, unix.IPPROTO_TCP
	r[2] = 1 << (diagSKMemInfo - 1)
	binary.NativeEndian.PutUint32(r[4:], everyState)
	return b
}

// parse reads one datagram of the answer to the request of that number. done says
// that it was the last.
func (c *census) parse(b []byte, seq uint32) (done bool, err error) {
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
func (c *census) count(b []byte) error {
	if len(b) < sizeofDiagMessage {
		return fmt.Errorf("a socket in %d bytes instead of %d", len(b), sizeofDiagMessage)
	}
	if state := int(b[1]); state < len(c.states) {
		c.states[state]++
	}
	for b = b[sizeofDiagMessage:]; len(b) >= unix.SizeofRtAttr; {
		size := int(binary.NativeEndian.Uint16(b[0:]))
		if size < unix.SizeofRtAttr || size > len(b) {
			return fmt.Errorf("an attribute of %d bytes in %d", size, len(b))
		}
		if binary.NativeEndian.Uint16(b[2:]) == diagSKMemInfo {
			c.memory += socketMemory(b[unix.SizeofRtAttr:size])
		}
		b = b[min(align4(size), len(b)):]
	}
	return nil
}

// socketMemory returns what the kernel holds for one socket, in bytes: data that
// the program has not read yet, data that it has written and the peer has not
// acknowledged, both with their bookkeeping, and what is set aside for more.
// Those three are what the kernel itself charges to TCP's memory
// (sk_mem_charge in include/net/sock.h). SK_MEMINFO_WMEM_ALLOC is left out, since
// it counts again what WMEM_QUEUED holds and is on its way to the device; the
// buffers' limits hold no memory.
func socketMemory(words []byte) int64 {
	if len(words) < 4*memInfoNeededWords {
		return 0
	}
	word := func(i int) int64 { return int64(binary.NativeEndian.Uint32(words[4*i:])) }
	return word(memInfoRmemAlloc) + word(memInfoWmemQueued) + word(memInfoForwarded)
}

func align4(n int) int { return (n + 3) &^ 3 }

// A tally is the peaks of all censuses of a host.
type tally struct{ host trace.Host }

func (t *tally) add(c census) {
	if t.host.Sockets == nil {
		t.host.Sockets = map[string]int{}
	}
	byName := map[string]int{}
	total := 0
	for state, n := range c.states {
		if n == 0 {
			continue
		}
		byName[tcpStates[state]] += n
		if state != tcpListen && state != tcpTimeWait {
			total += n
		}
	}
	for name, n := range byName {
		t.host.Sockets[name] = max(t.host.Sockets[name], n)
	}
	t.host.SocketsPeak = max(t.host.SocketsPeak, total)
	t.host.SocketMemory = max(t.host.SocketMemory, c.memory)
	t.host.SocketsLeft, t.host.TimeWait = total, c.states[tcpTimeWait]
	t.host.Samples++
}

// A sampler counts the sockets of all hosts, again and again. One goroutine owns
// it; look and stop talk to that.
type sampler struct {
	hosts []*netns
	looks chan chan map[string]trace.Host
	quit  chan struct{}
	done  chan struct{}
}

// newSampler begins to count, every so often.
func newSampler(hosts []*netns, every time.Duration) *sampler {
	s := &sampler{
		hosts: hosts,
		looks: make(chan chan map[string]trace.Host),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	go s.run(every)
	return s
}

func (s *sampler) run(every time.Duration) {
	defer close(s.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	tallies := make([]tally, len(s.hosts))
	buf := make([]byte, diagBuffer)
	seq := uint32(0)
	count := func() {
		seq++
		for i, h := range s.hosts {
			if h.diag < 0 {
				continue
			}
			// A count that fails is one sample fewer, and Samples says so.
			if c, err := takeCensus(h.diag, seq, buf); err == nil {
				tallies[i].add(c)
			}
		}
	}
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
			count()
		case reply := <-s.looks:
			count()
			out := make(map[string]trace.Host, len(s.hosts))
			for i, h := range s.hosts {
				out[h.name] = tallies[i].copy()
			}
			reply <- out
		}
	}
}

// copy returns the figures so far, with a map of their own.
func (t *tally) copy() trace.Host {
	h := t.host
	h.Sockets = make(map[string]int, len(t.host.Sockets))
	for name, n := range t.host.Sockets {
		h.Sockets[name] = n
	}
	return h
}

// look counts once more and returns the figures of each host by its name.
func (s *sampler) look() map[string]trace.Host {
	reply := make(chan map[string]trace.Host, 1)
	s.looks <- reply
	return <-reply
}

// stop ends the counting.
func (s *sampler) stop() {
	close(s.quit)
	<-s.done
}
