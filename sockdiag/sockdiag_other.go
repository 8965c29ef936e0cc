//go:build !linux

package sockdiag

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
)

var errNeedsLinux = fmt.Errorf("%w: socket diagnostics need Linux, and this is %s", errors.ErrUnsupported, runtime.GOOS)

// A Socket asks the kernel for censuses. On this system there is none.
type Socket struct{}

// Open says that socket diagnostics need Linux.
func Open() (*Socket, error) { return nil, errNeedsLinux }

// Census says that socket diagnostics need Linux.
func (s *Socket) Census() (Census, error) { return Census{}, errNeedsLinux }

// CensusOf says that socket diagnostics need Linux.
func (s *Socket) CensusOf(func(netip.Addr) bool) (Census, error) { return Census{}, errNeedsLinux }

// Listeners says that socket diagnostics need Linux.
func (s *Socket) Listeners() ([]Listener, error) { return nil, errNeedsLinux }

// Destroy says that socket diagnostics need Linux.
func (s *Socket) Destroy(func(local, remote netip.AddrPort) bool) error { return errNeedsLinux }

// Close does nothing.
func (s *Socket) Close() error { return nil }
