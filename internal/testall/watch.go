package testall

import "time"

// Watch looks how late this machine wakes whoever sleeps, until what it returns is
// called: that says the most. What was timed on a machine that was late proves nothing.
func Watch() (stop func() time.Duration) {
	const nap = 5 * time.Millisecond
	enough, most := make(chan struct{}), make(chan time.Duration)
	go func() {
		late := time.Duration(0)
		for {
			began := time.Now()
			select {
			case <-enough:
				most <- late
				return
			case <-time.After(nap):
				late = max(late, time.Since(began)-nap)
			}
		}
	}()
	return func() time.Duration {
		close(enough)
		return <-most
	}
}
