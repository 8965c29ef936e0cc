package console

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// A Signalled is why a context has ended: by which signal.
type Signalled struct{ os.Signal }

func (s Signalled) Error() string { return s.String() }

// Heed returns a context that ends with the first signal that asks this process to, which is its
// cause, a Signalled. The second signal ends the process, whatever it does.
func Heed() (context.Context, func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, signals...)
	go func() {
		select {
		case s := <-heard:
			cancel(Signalled{s})
			signal.Stop(heard)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(heard); cancel(nil) }
}
