//go:build !linux

package live

import (
	"errors"
	"net"

	"linger"
)

func setFastOpen(uintptr) error { return tryFastOpen() }

func tryFastOpen() error {
	return errors.New("TCP Fast Open needs Linux here; leave +tfo out")
}

func isOpen(net.Conn) bool { return true }

func synDataTaken(net.Conn) linger.Opt[bool] { return linger.Opt[bool]{} }
