//go:build !linux

package dial

import "fmt"

// bindAddressOnly leaves the port to be chosen at once.
func bindAddressOnly(uintptr) error { return nil }

// setCongestion cannot be done here.
func setCongestion(_ uintptr, name string) error { return tryCongestion(name) }

// tryCongestion reports why a congestion control cannot be had.
func tryCongestion(name string) error {
	return fmt.Errorf("congestion control %q: choosing one needs Linux", name)
}
