//go:build !linux

package origin

import "fmt"

func setCongestion(_ uintptr, name string) error {
	return fmt.Errorf("%w %q can be chosen on Linux only; leave it to the host", errCongestion, name)
}
