package load

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

func newWorker(s *setup, i int) (worker, error) { return newLoop(s, i) }

func (l *loop) counts() *ledger { return l.ledger }

func (l *loop) spent() (busy, of time.Duration) { return l.busy, l.lasted }

// enoughFiles reports that this process may not open as many files as a load needs.
func enoughFiles(connections int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil // opening them will tell
	}
	const others = 32
	if need := uint64(connections) + others; limit.Cur < need {
		return fmt.Errorf("%d connections need %d open files, and this process may have %d; raise ulimit -n, or take fewer connections", connections, need, limit.Cur)
	}
	return nil
}
