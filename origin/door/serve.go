package door

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"linger/dial"
	"linger/origin"
)

// Serve serves all doors until ctx ends or one of them fails. Then requests under way have so
// long to end, of which down is told where that was asked for.
func (all Doors) Serve(ctx context.Context, server *origin.Server, within time.Duration, down func()) (err error) {
	served := make(chan error, len(all))
	for _, d := range all {
		go func() { served <- d.serve(context.Background(), server) }()
	}
	left := len(all)
	select {
	case err = <-served:
		left--
	case <-ctx.Done():
		down()
	}
	stop, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	err = errors.Join(err, server.Shutdown(stop))
	for range left {
		// One that was stopped before it had begun has served nobody.
		if e := <-served; !errors.Is(e, origin.ErrShutDown) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Shortage says for want of what no connection is accepted, and what helps.
func Shortage(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return "as this process has no file descriptor left: raise its limit by ulimit -n, or LimitNOFILE= of a service"
	case errors.Is(err, syscall.ENFILE):
		return "as this machine has no file descriptor left: raise fs.file-max"
	}
	return fmt.Sprintf("for want of memory (%s)", dial.Cause(err))
}
