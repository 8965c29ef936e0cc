//go:build !linux

package listen

import (
	"errors"
	"net"
)

func setCongestion(uintptr, string) error {
	return errors.New("can be chosen on Linux only; leave it to the host")
}

func setFastOpen(uintptr) error { return errors.New("can be switched on on Linux only") }

func setBacklog(net.Listener, int) error {
	return errors.New("a backlog can be set on Linux only; leave it to the host")
}

// A Queue is the accept queue of a listener, which can be looked into on Linux only.
type Queue struct{}

// QueueOf returns nil: it cannot be looked into.
func QueueOf(net.Listener) (*Queue, error) { return nil, nil }

// Wait is of no queue that there is.
func (*Queue) Wait() (int, error) { return 0, errors.ErrUnsupported }

// Close is of no queue that there is.
func (*Queue) Close() error { return nil }
