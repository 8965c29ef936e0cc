package logs

import (
	"context"

	"linger/tune"
)

// merging hands arrivals of several files on in order of time.
type merging struct {
	streams []*stream
	cancel  []context.CancelFunc
}

// A stream is one file's arrivals, read ahead by a goroutine of its own.
type stream struct {
	batches chan []tune.Arrival
	spare   chan []tune.Arrival
	batch   []tune.Arrival
	now     []tune.Arrival // of the batch, what has not been handed on
}

// begin has a file read.
func (m *merging) begin(ctx context.Context, p *part) {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{batches: make(chan []tune.Arrival, 4), spare: make(chan []tune.Arrival, 8)}
	m.streams = append(m.streams, s)
	m.cancel = append(m.cancel, cancel)
	go func() {
		defer close(s.batches)
		p.read(ctx, s)
	}()
	s.fill()
}

// stop ends all that still read.
func (m *merging) stop() {
	for _, cancel := range m.cancel {
		cancel()
	}
	for _, s := range m.streams {
		for range s.batches { // until its goroutine has ended
		}
	}
}

// fill makes the next batch the one that is handed on; false at the end.
func (s *stream) fill() bool {
	if s.batch != nil {
		select {
		case s.spare <- s.batch[:0]:
		default:
		}
	}
	batch, ok := <-s.batches
	s.batch, s.now = batch, batch
	return ok
}

// until hands on what comes before an instant.
func (m *merging) until(at int64, on func(*tune.Arrival)) {
	for {
		first := -1
		var second int64 = at
		for i, s := range m.streams {
			if len(s.now) == 0 {
				continue
			}
			if first < 0 || s.now[0].End < m.streams[first].now[0].End {
				if first >= 0 {
					second = min(second, int64(m.streams[first].now[0].End))
				}
				first = i
			} else {
				second = min(second, int64(s.now[0].End))
			}
		}
		if first < 0 || int64(m.streams[first].now[0].End) > at {
			return
		}
		s := m.streams[first]
		for int64(s.now[0].End) <= second {
			on(&s.now[0])
			if s.now = s.now[1:]; len(s.now) == 0 && !s.fill() {
				break
			}
		}
	}
}
