package lab

import (
	"net/netip"
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

// resident takes the memory of a host's processes in.
func (t *tally) resident(now int64) {
	t.host.ResidentPeak, t.host.ResidentLeft = max(t.host.ResidentPeak, now), now
}

// A sampler counts the sockets of all hosts, again and again. One goroutine owns
// it; look and stop talk to that.
type sampler struct {
	hosts     []*netns
	processes *roll
	series    series
	looks     chan chan map[string]trace.Host
	serieses  chan chan *Series
	gone      chan ended
	quit      chan struct{}
	done      chan struct{}
}

// ended is a process that is no more, with the CPU time that it had used.
type ended struct {
	pid int
	cpu time.Duration
}

// newSampler begins to count, every so often, and to keep a count, every so often as keep says.
// It goes on with the processes that are known.
func newSampler(hosts []*netns, processes *roll, every, keep time.Duration) *sampler {
	s := &sampler{
		hosts: hosts, processes: processes, gone: make(chan ended),
		looks:    make(chan chan map[string]trace.Host),
		serieses: make(chan chan *Series),
		quit:     make(chan struct{}),
		done:     make(chan struct{}),
	}
	s.series.Every = keep
	for _, h := range hosts {
		s.series.Hosts = append(s.series.Hosts, h.name)
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
		began, held := time.Now(), make([]trace.Held, 0, len(s.hosts))
		listed := s.processes.look() == nil
		for i, h := range s.hosts {
			if listed && h.counted {
				tallies[i].resident(s.processes.resident(i))
			}
			if h.diag == nil {
				continue
			}
			// A count that fails is one sample fewer, and Samples says so. What a host's
			// programs have between themselves is their own affair.
			elsewhere := func(remote netip.Addr) bool { return !remote.IsLoopback() && !h.has(remote) }
			if c, err := h.diag.CensusOf(elsewhere); err == nil {
				tallies[i].add(c)
				held = append(held, heldOf(c))
			}
		}
		if len(held) == len(s.hosts) {
			s.series.add(began, held)
		}
	}
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
			count()
		case e := <-s.gone:
			s.processes.reaped(e.pid, e.cpu)
		case reply := <-s.serieses:
			reply <- s.series.copy()
		case reply := <-s.looks:
			count()
			out := make(map[string]trace.Host, len(s.hosts))
			for i, h := range s.hosts {
				one := tallies[i].copy()
				if h.counted {
					one.CPU = s.processes.cpu(i)
				}
				out[h.name] = one
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

// lookSeries returns the counts that were kept so far.
func (s *sampler) lookSeries() *Series {
	reply := make(chan *Series, 1)
	s.serieses <- reply
	return <-reply
}

// reaped tells of a process that this one has waited for.
func (s *sampler) reaped(pid int, cpu time.Duration) {
	select {
	case s.gone <- ended{pid, cpu}:
	case <-s.done:
	}
}

// stop ends the counting.
func (s *sampler) stop() {
	close(s.quit)
	<-s.done
}
