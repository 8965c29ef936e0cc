package prober

import (
	"context"
	"sync"
)

// Slots bound how many connections are open at once. Whoever wants some waits for all
// of them at once, in the order of asking, so that two who wait cannot block each other.
type Slots struct {
	mu      sync.Mutex
	free    int
	waiting []*wish
}

// A wish is a number of slots that somebody waits for.
type wish struct {
	n       int
	granted chan struct{}
}

func NewSlots(n int) *Slots { return &Slots{free: n} }

// Take waits for n slots; it reports false if ctx ends before there are so many.
func (s *Slots) Take(ctx context.Context, n int) bool {
	s.mu.Lock()
	if len(s.waiting) == 0 && s.free >= n {
		s.free -= n
		s.mu.Unlock()
		return ctx.Err() == nil
	}
	w := &wish{n, make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case <-w.granted:
		return true
	case <-ctx.Done():
		s.withdraw(w)
		return false
	}
}

// Spare takes a slot where one is free and nobody waits for it.
func (s *Slots) Spare() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) > 0 || s.free < 1 {
		return false
	}
	s.free--
	return true
}

// withdraw takes back a wish, and what it may have been granted meanwhile.
func (s *Slots) withdraw(w *wish) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.waiting {
		if other == w {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			s.grant()
			return
		}
	}
	s.free += w.n
	s.grant()
}

// Give returns n slots.
func (s *Slots) Give(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	s.grant()
}

// grant fulfils wishes in their order, as far as there are slots; s.mu is held.
func (s *Slots) grant() {
	for len(s.waiting) > 0 && s.waiting[0].n <= s.free {
		s.free -= s.waiting[0].n
		close(s.waiting[0].granted)
		s.waiting = s.waiting[1:]
	}
}
