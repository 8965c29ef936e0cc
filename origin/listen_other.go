//go:build !linux

package origin

import "errors"

func setCongestion(uintptr, string) error {
	return errors.New("can be chosen on Linux only; leave it to the host")
}

func setFastOpen(uintptr) error { return errors.New("can be switched on on Linux only") }
