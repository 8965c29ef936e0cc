package relay

import (
	"net"
	"syscall"
	"time"

	"linger"
)

const (
	// unsentLowWater is TCP_NOTSENT_LOWAT (tcp(7)), which the package syscall lacks.
	unsentLowWater = 25
	// ahead is how long a path may carry what is held for it.
	ahead = 20 * time.Millisecond
	// leastUnsent and leastReceived keep a relay of a slow path from crawling.
	leastUnsent   = 16 << 10
	leastReceived = 64 << 10
	// headers are those of IPv4 and TCP without options, as an MSS counts (RFC 9293, 3.7.1).
	headers = 40
)

// prepare sets what must be set before a connection to the server is opened.
func (c Config) prepare(_, _ string, raw syscall.RawConn) error {
	if c.MTU == 0 {
		return nil
	}
	var err error
	if e := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, c.MTU-headers)
	}); e != nil {
		return e
	}
	return err
}

// bound keeps small what is held between the two: beside what TCP needs for the way to
// the server, which took so long to connect, no more than each path carries in a moment.
func (c Config) bound(client, server *net.TCPConn, took time.Duration) {
	unsent(client, c.Down)
	unsent(server, c.Up)
	if c.Down > 0 {
		server.SetReadBuffer(max(leastReceived, bytesIn(c.Down, 2*took)))
	}
}

// unsent bounds what a socket takes beyond what it has sent; of a path without a rate it stays as it is.
func unsent(conn *net.TCPConn, rate linger.Rate) {
	if rate == 0 {
		return
	}
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			// A kernel that does not know it holds more.
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, unsentLowWater, max(leastUnsent, bytesIn(rate, ahead)))
		})
	}
}

// bytesIn is what a rate carries in a time.
func bytesIn(rate linger.Rate, d time.Duration) int {
	return int(min(float64(rate)/8*d.Seconds(), 64<<20))
}

// isReset waits until a connection whose other side has ended is reset, and reports that; false is
// that it was closed here. Nothing is to be read there any more, which would tell.
func isReset(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	reset := false
	// The function is called again whenever the kernel has news of the socket.
	raw.Read(func(fd uintptr) bool {
		code, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		reset = err == nil && code != 0
		return reset
	})
	return reset
}
