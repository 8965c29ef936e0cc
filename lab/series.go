package lab

import (
	"slices"
	"time"

	"linger"
	"linger/sockdiag"
	"linger/trace"
)

// A Series is what the hosts held over time.
type Series struct {
	// Hosts are the names, in the order of the Config's.
	Hosts []string `json:"hosts"`
	// Every is the time between two samples: that of the Config, doubled each time that there
	// would have been more than mostSamples. 0 is none.
	Every   time.Duration `json:"every_ns"`
	Samples []Sample      `json:"samples"`
}

// A Sample is what each host held at one instant. An instant at which one of them could not be
// counted has none.
type Sample struct {
	At time.Time `json:"at"`
	// Held is of each host, in the order of Series.Hosts: sockets of TCP to other hosts,
	// TIME_WAIT, kernel memory, and Waiting, what its listeners have in their accept queues. The
	// rest is 0: what a server has done with a connection the kernel does not know.
	Held []trace.Held `json:"held"`
}

// mostSamples bounds a series.
const mostSamples = 4096

// A series is one that grows. It is a machine without I/O; Every and Hosts are given.
type series struct {
	Series
	next time.Time
}

// add takes what was held at an instant, if one is due.
func (s *series) add(at time.Time, held []trace.Held) {
	if s.Every == 0 || at.Before(s.next.Add(-s.Every/4)) {
		return
	}
	if len(s.Samples) == mostSamples {
		for i := range mostSamples / 2 {
			s.Samples[i] = s.Samples[2*i]
		}
		s.Samples = s.Samples[:mostSamples/2]
		s.Every *= 2
		s.next = s.Samples[len(s.Samples)-1].At.Add(s.Every)
		s.add(at, held)
		return
	}
	s.Samples = append(s.Samples, Sample{at, held})
	// In step with the first, whose instant was as late or as early as any, unless a whole turn
	// was missed.
	if s.next = s.next.Add(s.Every); !s.next.After(at) {
		s.next = at.Add(s.Every)
	}
}

// copy returns it as it is now.
func (s *series) copy() *Series {
	out := s.Series
	out.Samples = slices.Clone(s.Samples)
	return &out
}

// heldOf is what one host held by a census.
func heldOf(c sockdiag.Census) trace.Held {
	open, left := c.Open(), c.States[sockdiag.TimeWait]
	return trace.Held{
		Sockets: open, TimeWait: left, Waiting: linger.Known(c.Waiting),
		Memory: linger.Known(c.Memory + int64(open)*trace.SocketMemory + int64(left)*trace.TimeWaitMemory),
	}
}
