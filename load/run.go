package load

import (
	"context"
	"errors"

	"linger/tally"
)

// Run drives the targets until the plan ends or ctx does, and returns what it came to. Every half
// second tell, unless it is nil, is told what it has come to so far, from a goroutine of its own; it
// must not keep what it is given. When ctx ends, nothing more is waited for, and the Run says that it was
// Interrupted; that is no error. An error says that nothing could be begun: the configuration is
// wrong, a name is not known, or this machine permits too few files.
func Run(ctx context.Context, c Config, tell func(tally.Run)) (tally.Run, error) {
	return tally.Run{}, errors.New("not built")
}
