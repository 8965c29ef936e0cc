//go:build !linux

package load

import (
	"errors"
	"net"
)

// hasLoop says that there is an event loop.
const hasLoop = false

func newWorker(*setup, int) (worker, error) { return nil, errors.ErrUnsupported }

func enoughFiles(int) error { return nil }

// hasFIN reports whether the other side's FIN has come, which is not known here.
func hasFIN(net.Conn) bool { return false }

// Ports is not known here.
func Ports() (ports, timeWait int, ok bool) { return 0, 0, false }

func (s *setup) enoughPorts() error { return nil }
