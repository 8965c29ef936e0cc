package tune

import (
	"slices"
	"time"

	"linger"
)

// replayedTimeouts and replayedLimits are the settings of which each has a run of its own: with a
// limit on requests, what a connection carried decides, too.
var (
	replayedTimeouts = []time.Duration{15 * time.Second, 75 * time.Second, 5 * time.Minute}
	replayedLimits   = []int32{10, 100, 1000, 0}
)

// A replay is the run of one setting: each connection is kept for idle after a request, and
// carries limit requests at most; 0 is no limit.
type replay struct {
	idle  linger.Instant
	limit int32

	opened   int64
	limited  int64   // connections that ended by the limit
	turn     int16   // the backend of the next connection
	backends []int64 // requests that each got
	one      [2]kept // scratch
}

// kept is an open connection.
type kept struct {
	idle    linger.Instant // when it becomes so
	carried int32
	backend int16
	multi   bool
	more    bool // of a client's only one: it has several, which are in replays.more
}

// replayedRequests is after how many requests a half of the clients stands for all of those that
// replays follow: a run is dear.
const replayedRequests = 1 << 16

// replays are the runs of all settings.
type replays struct {
	all      []*replay
	clients  clients
	conns    []kept         // the only connection of each client in each replay, by its place
	more     map[int][]kept // by the place of the only one in conns: all of those that have several
	requests int64
	until    int64
	shift    uint
}

func newReplays(c Config) *replays {
	s := &replays{more: map[int][]kept{}, until: replayedRequests}
	timeouts, limits := slices.Clone(replayedTimeouts), slices.Clone(replayedLimits)
	if c.Timeout > 0 && !slices.Contains(timeouts, c.Timeout) {
		timeouts = append(timeouts, c.Timeout)
		slices.Sort(timeouts)
	}
	if limit := int32(min(c.Limit, 1<<30)); limit > 0 && !slices.Contains(limits, limit) {
		limits = append([]int32{limit}, limits...)
		slices.Sort(limits[:len(limits)-1]) // the last one is none
	}
	for _, t := range timeouts {
		for _, n := range limits {
			s.all = append(s.all, &replay{idle: linger.Instant(t), limit: n, backends: make([]int64, c.Backends)})
		}
	}
	return s
}

// add takes an arrival of one of weight clients in. Clients are sampled by the bits of
// their number that the analyzer does not use for that.
func (s *replays) add(r *Arrival, weight int64) {
	if r.Client&(1<<s.shift-1) != 0 {
		return
	}
	weight <<= s.shift
	s.requests += weight
	place, _ := s.clients.place(r.Client)
	from := int(place) * len(s.all)
	for len(s.conns) < from+len(s.all) {
		s.conns = append(s.conns, make([]kept, len(s.all))...)
	}
	for i, l := range s.all {
		if !l.again(&s.conns[from+i], r, weight) {
			s.several(l, from+i, r, weight)
		}
	}
	if s.until--; s.until == 0 {
		s.until = replayedRequests
		s.shift++
		s.forget(func(client uint64) bool { return client&(1<<s.shift-1) != 0 })
	}
}

func (s *replays) forget(gone func(uint64) bool) {
	s.clients.forget(gone, func(place int32) {
		from := int(place) * len(s.all)
		for i := range s.conns[from : from+len(s.all)] {
			delete(s.more, from+i)
		}
		clear(s.conns[from : from+len(s.all)])
	})
}

// again hands a request to a client's only connection, if that is idle and stays; so it is for most.
func (l *replay) again(c *kept, r *Arrival, weight int64) bool {
	if c.carried == 0 || c.more || r.Once || c.idle > r.Start || c.idle+l.idle < r.Start || c.multi != r.Multiplexed || c.carried == l.limit && l.limit > 0 {
		return false
	}
	if c.carried++; c.carried == l.limit {
		l.limited += weight
	}
	c.idle = r.End
	l.backends[c.backend] += weight
	return true
}

// several hands a request to one of the connections of a client, whichever it has, in a replay that
// has the only one at a place of conns: one that has carried nothing is none.
func (s *replays) several(l *replay, place int, r *Arrival, weight int64) {
	only, before := &s.conns[place], l.one[:0]
	switch {
	case only.more:
		before = s.more[place]
	case only.carried > 0:
		before = append(before, *only)
	}
	open := l.add(before, r, weight)
	if len(open) > 1 {
		if !only.more {
			open = slices.Clone(open)
		}
		*only, s.more[place] = kept{more: true}, open
		return
	}
	if only.more {
		delete(s.more, place)
	}
	*only = kept{}
	if len(open) == 1 {
		*only = open[0]
	}
}

// add hands a request to one of a client's connections, and returns those that are open.
func (l *replay) add(conns []kept, r *Arrival, weight int64) []kept {
	if r.Once {
		l.opened += weight
		l.backends[l.turn] += weight
		l.turn = (l.turn + 1) % int16(len(l.backends))
		return conns
	}
	best, n := -1, 0
	for _, c := range conns {
		full := l.limit > 0 && c.carried >= l.limit
		if c.idle+l.idle < r.Start || full && c.idle <= r.Start {
			continue // it has ended
		}
		conns[n] = c
		if c.multi == r.Multiplexed && !full && (c.idle <= r.Start || c.multi) && (best < 0 || c.idle > conns[best].idle) {
			best = n
		}
		n++
	}
	conns = conns[:n]
	if best < 0 {
		l.opened += weight
		conns = append(conns, kept{idle: r.End, backend: l.turn, multi: r.Multiplexed})
		best = len(conns) - 1
		l.turn = (l.turn + 1) % int16(len(l.backends))
	}
	c := &conns[best]
	c.carried++
	if l.limit > 0 && c.carried == l.limit {
		l.limited += weight
	}
	c.idle = max(c.idle, r.End)
	l.backends[c.backend] += weight
	return conns
}

// A Run is what a limit on requests comes to at some timeout.
type Run struct {
	Timeout float64 `json:"idle_timeout_s"`
	Limit   int32   `json:"max_requests,omitempty"` // absent is none
	Opened  int64   `json:"connections"`
	Reuse   float64 `json:"reuse"`
	// Limited is how many of the connections ended by the limit.
	Limited int64 `json:"ended_by_limit"`
	// Skew is the requests of the server behind it that got most over the mean, where each
	// new connection goes to the next one.
	Skew float64 `json:"skew"`
}

func (l *replay) run(requests int64) Run {
	r := Run{Timeout: time.Duration(l.idle).Seconds(), Limit: l.limit, Opened: l.opened, Limited: l.limited}
	if requests == 0 {
		return r
	}
	most := int64(0)
	for _, n := range l.backends {
		most = max(most, n)
	}
	r.Reuse = 1 - float64(l.opened)/float64(requests)
	r.Skew = float64(most) * float64(len(l.backends)) / float64(requests)
	return r
}
