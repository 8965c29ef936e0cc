package run

import (
	"context"
	"time"
)

// preparation is how long an engine may take to make ready, besides the time that a trial
// has.
const preparation = time.Minute

// start is the key of a context under which its clock is started.
type start struct{}

// Within returns a context that ends, as by a deadline, when d has passed since Begin was
// last called on it, and soon enough where nothing begins at all. What an engine does
// before the first packet, a lab to be made or a server to be left alone, is not of the time
// that a trial has.
func Within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d+preparation, func() { cancel(context.DeadlineExceeded) })
	begin := func() { timer.Reset(d) }
	return context.WithValue(out, start{}, begin), func() { timer.Stop(); cancel(context.Canceled) }
}

// Begin starts the clock of a context of Within: the first packet is about to leave. Of any
// other it does nothing.
func Begin(ctx context.Context) {
	if begin, ok := ctx.Value(start{}).(func()); ok {
		begin()
	}
}

// IsLate reports whether a context has ended because its time was over.
func IsLate(ctx context.Context) bool {
	return ctx.Err() != nil && context.Cause(ctx) == context.DeadlineExceeded
}
