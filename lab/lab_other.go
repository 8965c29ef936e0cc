//go:build !linux

package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"runtime"
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

// Start says that the lab needs Linux.
func (l *Lab) Start(Command) (*Process, error) { return nil, errNeedsLinux }

// Report says that the lab needs Linux.
func (l *Lab) Report(ctx context.Context) (Report, error) { return Report{}, errNeedsLinux }

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
	return []Finding{{Name: "Linux", Needed: true, Found: runtime.GOOS, Fix: "use --on live or --on sim, or a machine with Linux"}}
}
