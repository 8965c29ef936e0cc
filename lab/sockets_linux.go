package lab

import (
	"time"

	"linger/sockdiag"
	"linger/trace"
)

// A tally is the peaks of all censuses of a host.
type tally struct{ host trace.Host }

func (t *tally) add(c sockdiag.Census) {
	if t.host.Sockets == nil {
		t.host.Sockets = map[string]int{}
	}
	for state, n := range c.States {
		if n > 0 {
			name := sockdiag.State(state).String()
			t.host.Sockets[name] = max(t.host.Sockets[name], n)
		}
	}
	open := c.Open()
	t.host.SocketsPeak = max(t.host.SocketsPeak, open)
	t.host.SocketMemory = max(t.host.SocketMemory, c.Memory)
	t.host.SocketsLeft, t.host.TimeWait = open, c.States[sockdiag.TimeWait]
	t.host.Samples++
}

// A sampler counts the sockets of all hosts, again and again. One goroutine owns
// it; look and stop talk to that.
type sampler struct {
	hosts []*netns
	looks chan chan map[string]trace.Host
	quit  chan struct{}
	done  chan struct{}
}

// newSampler begins to count, every so often.
func newSampler(hosts []*netns, every time.Duration) *sampler {
	s := &sampler{
		hosts: hosts,
		looks: make(chan chan map[string]trace.Host),
		quit:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	go s.run(every)
	return s
}

func (s *sampler) run(every time.Duration) {
	defer close(s.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	tallies := make([]tally, len(s.hosts))
	count := func() {
		for i, h := range s.hosts {
			if h.diag == nil {
				continue
			}
			// A count that fails is one sample fewer, and Samples says so.
			if c, err := h.diag.Census(); err == nil {
				tallies[i].add(c)
			}
		}
	}
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
			count()
		case reply := <-s.looks:
			count()
			out := make(map[string]trace.Host, len(s.hosts))
			for i, h := range s.hosts {
				out[h.name] = tallies[i].copy()
			}
			reply <- out
		}
	}
}

// copy returns the figures so far, with a map of their own.
func (t *tally) copy() trace.Host {
	h := t.host
	h.Sockets = make(map[string]int, len(t.host.Sockets))
	for name, n := range t.host.Sockets {
		h.Sockets[name] = n
	}
	return h
}

// look counts once more and returns the figures of each host by its name.
func (s *sampler) look() map[string]trace.Host {
	reply := make(chan map[string]trace.Host, 1)
	s.looks <- reply
	return <-reply
}

// stop ends the counting.
func (s *sampler) stop() {
	close(s.quit)
	<-s.done
}
