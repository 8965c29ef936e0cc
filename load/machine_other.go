//go:build !linux

package load

import "errors"

// hasLoop says that there is an event loop.
const hasLoop = false

func newWorker(*setup, int) (worker, error) { return nil, errors.ErrUnsupported }

func enoughFiles(int) error { return nil }
