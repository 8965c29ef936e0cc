//go:build !unix

package live

import (
	"time"

	"linger"
)

// cpu is not known on this system.
func cpu() linger.Opt[time.Duration] { return linger.Opt[time.Duration]{} }
