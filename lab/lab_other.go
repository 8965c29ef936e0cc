//go:build !linux

package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"linger/sockdiag"
)

var errNeedsLinux = fmt.Errorf("%w: the lab needs Linux, and this is %s; use a Linux machine, or a virtual one", ErrUnsupported, runtime.GOOS)

// A Lab is a running path with its hosts. On this system there is none.
type Lab struct{}

// Open says that the lab needs Linux.
func Open(ctx context.Context, c Config) (*Lab, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return nil, errNeedsLinux
}

// Addr returns an address that is not valid.
func (l *Lab) Addr(host string) netip.Addr { return netip.Addr{} }

// Addrs returns none.
func (l *Lab) Addrs(host string) []netip.Addr { return nil }

// Series says that the lab needs Linux.
func (l *Lab) Series(ctx context.Context) (Series, error) { return Series{}, errNeedsLinux }

// Start says that the lab needs Linux.
func (l *Lab) Start(Command) (*Process, error) { return nil, errNeedsLinux }

// Listen says that the lab needs Linux.
func (l *Lab) Listen(host string, port int) (net.Listener, error) { return nil, errNeedsLinux }

// ListenPacket says that the lab needs Linux.
func (l *Lab) ListenPacket(host string, port int) (net.PacketConn, error) { return nil, errNeedsLinux }

// Report says that the lab needs Linux.
func (l *Lab) Report(ctx context.Context) (Report, error) { return Report{}, errNeedsLinux }

// Renew says that the lab needs Linux.
func (l *Lab) Renew(ctx context.Context, c Config) error { return errNeedsLinux }

// Listeners says that the lab needs Linux.
func (l *Lab) Listeners(ctx context.Context, host string) ([]sockdiag.Listener, error) {
	return nil, errNeedsLinux
}

// SignalAll says that the lab needs Linux.
func (l *Lab) SignalAll(ctx context.Context, host string, s os.Signal) (int, error) {
	return 0, errNeedsLinux
}

// Close does nothing.
func (l *Lab) Close() error { return nil }

// A Process is a program that was started on a host. On this system there is none.
type Process struct{}

// Signal says that the lab needs Linux.
func (p *Process) Signal(os.Signal) error { return errNeedsLinux }

// Wait says that the lab needs Linux.
func (p *Process) Wait() (Exit, error) { return Exit{}, errNeedsLinux }

// Inside returns false: no process of this system is the first of a lab.
func Inside(args []string) (status int, inside bool) { return 0, false }

// Check finds that this is not Linux.
func Check() []Finding {
	return []Finding{Finding{Name: "Linux", Needed: true, Gives: "the lab"}.lacks(runtime.GOOS, Way{"use --on live or --on sim, or a machine with Linux", "the lab"})}
}
