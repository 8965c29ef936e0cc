//go:build !linux

package live

import "fmt"

// setCongestion cannot be done here.
func setCongestion(_ uintptr, name string) error { return tryCongestion(name) }

// tryCongestion reports why a congestion control cannot be had.
func tryCongestion(name string) error {
	return fmt.Errorf("congestion control %q: choosing one needs Linux", name)
}
