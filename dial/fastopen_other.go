//go:build !linux

package dial

import (
	"errors"
	"net"

	"linger"
)

func setFastOpen(uintptr) error { return tryFastOpen() }

func tryFastOpen() error {
	return errors.New("TCP Fast Open needs Linux here; leave +tfo out")
}

func IsOpen(net.Conn) bool { return true }

func SynDataTaken(net.Conn) linger.Opt[bool] { return linger.Opt[bool]{} }
