package load

import (
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"linger"
	"linger/tally"
)

// System calls of the event loop. Those that never block are made without telling Go's scheduler,
// which would cost as much as some of them. What they are handed is on the heap.

// sockaddr is an address as connect(2) and bind(2) have it.
type sockaddr struct {
	raw    [28]byte // struct sockaddr_in6, the greater one
	size   uintptr
	family int
}

func newSockaddr(a netip.AddrPort) *sockaddr {
	s := &sockaddr{}
	port := [2]byte{byte(a.Port() >> 8), byte(a.Port())}
	if ip := a.Addr().Unmap(); ip.Is4() {
		s.family, s.size = unix.AF_INET, unix.SizeofSockaddrInet4
		four := ip.As4()
		copy(s.raw[4:], four[:])
	} else {
		s.family, s.size = unix.AF_INET6, unix.SizeofSockaddrInet6
		sixteen := ip.As16()
		copy(s.raw[8:], sixteen[:])
	}
	*(*uint16)(unsafe.Pointer(&s.raw[0])) = uint16(s.family)
	copy(s.raw[2:], port[:])
	return s
}

// unspecified takes a connection off its socket: connect(2), "Some protocol sockets [...] may
// dissolve the association by connecting to an address with the sa_family member of sockaddr set to
// AF_UNSPEC".
var unspecified = &sockaddr{size: unix.SizeofSockaddrInet4, family: unix.AF_UNSPEC}

func connect(fd int, a *sockaddr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&a.raw)), a.size)
	return errno
}

func bind(fd int, a *sockaddr) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&a.raw)), a.size)
	return errno
}

func newSocket(family int) (int, syscall.Errno) {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int(fd), errno
}

func closeSocket(fd int) { syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }

// shutdownWrite sends a FIN.
func shutdownWrite(fd int) {
	syscall.RawSyscall(syscall.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
}

func receive(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
	return int(n), errno
}

// discard takes up to n bytes off the socket without copying them: tcp(7), "Since version 2.4,
// Linux supports the use of MSG_TRUNC in the flags argument of recv(2)".
func discard(fd int, b []byte, n int) (int, syscall.Errno) {
	got, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(n), unix.MSG_TRUNC, 0, 0)
	return int(got), errno
}

func send(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// sendAll sends several pieces. A closed connection gives EPIPE; Go has no use for its signal.
func sendAll(fd int, parts []unix.Iovec) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&parts[0])), uintptr(len(parts)))
	return int(n), errno
}

// setOption sets an option of a socket; value is on the heap.
func setOption(fd, level, option int, value unsafe.Pointer, size uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(value), size, 0)
	return errno
}

// values that options are set to.
var (
	on       = new(int32)
	noLinger = &unix.Linger{Onoff: 1}
)

func init() { *on = 1 }

// socketError is SO_ERROR: what became of a connect.
func socketError(fd int) syscall.Errno {
	n, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
	if err != nil {
		return syscall.EBADF
	}
	return syscall.Errno(n)
}

// failureOf is the kind of an error of connect(2) and its like.
func failureOf(errno syscall.Errno) tally.Failure {
	switch errno {
	case syscall.ECONNREFUSED:
		return tally.Refused
	case syscall.ETIMEDOUT:
		return tally.TimedOut
	case syscall.EADDRNOTAVAIL, syscall.EADDRINUSE:
		return tally.NoPorts
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		return tally.NoFiles
	case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EPERM:
		return tally.Unreachable
	case syscall.ECONNRESET, syscall.EPIPE:
		return tally.ResetByPeer
	}
	return tally.OtherError
}

// A poller waits for sockets.
type poller struct {
	fd     int
	events []unix.EpollEvent
	after  *unix.Timespec
	old    bool // no epoll_pwait2(2), which is of Linux 5.11
}

func newPoller(size int) (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &poller{fd: fd, events: make([]unix.EpollEvent, size), after: new(unix.Timespec)}, nil
}

// edges are what a socket is watched for, once and for all.
const edges = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | 1<<31 // EPOLLET

// watch has the events of a socket told, with two words to know it by.
func (p *poller) watch(fd int, e *unix.EpollEvent) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(p.fd), unix.EPOLL_CTL_ADD, uintptr(fd), uintptr(unsafe.Pointer(e)), 0, 0)
	return errno
}

// wait returns how many events there are, after a time at the latest, or earlier. The scheduler is not
// told that the thread waits, which would cost more than many a wait lasts: whoever stops the
// world, as the garbage collector does, ends the wait by a signal.
func (p *poller) wait(most time.Duration) int {
	most = max(most, 0)
	var n uintptr
	var errno syscall.Errno
	if !p.old {
		*p.after = unix.NsecToTimespec(int64(most))
		n, _, errno = syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(p.after)), 0, 0)
		p.old = errno == syscall.ENOSYS
	}
	if p.old {
		n, _, errno = syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr((most+time.Millisecond-1)/time.Millisecond), 0, 0)
	}
	if errno != 0 {
		return 0
	}
	return int(n)
}

func (p *poller) close() { closeSocket(p.fd) }

// threadCPU is what the calling thread has spent.
func threadCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// alarms are moments at which a slot is to be looked at, the earliest first: a binary heap.
type alarms []alarm

type alarm struct {
	at     linger.Instant
	slot   int32
	reopen bool // after a failure; otherwise a user has thought
}

func (a *alarms) push(x alarm) {
	h := append(*a, x)
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up].at <= h[i].at {
			break
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
	*a = h
}

func (a *alarms) next() linger.Instant {
	if len(*a) == 0 {
		return linger.Never
	}
	return (*a)[0].at
}

func (a *alarms) pop() alarm {
	h := *a
	first, last := h[0], len(h)-1
	h[0], h = h[last], h[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down+1 < last && h[down+1].at < h[down].at {
			down++
		}
		if down >= last || h[i].at <= h[down].at {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	*a = h
	return first
}
