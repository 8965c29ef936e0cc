//go:build unix

package live

import (
	"syscall"
	"time"

	"linger"
)

// cpu returns the user and system time that this process has used so far.
func cpu() linger.Opt[time.Duration] {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return linger.Opt[time.Duration]{}
	}
	return linger.Known(time.Duration(u.Utime.Nano() + u.Stime.Nano()))
}
