package tune

import (
	"iter"
	"slices"
	"time"

	"linger"
)

// A view is what one reading of the arrivals comes to, for all timeouts at once.
type view struct {
	// busy is for how long a request takes its connection beyond its end, and widen what a
	// gap is longer than it looks, both in nanoseconds: what the clock does not tell.
	busy, widen int64
	parallel    int // connections of a client at most; 0 is as many as it takes

	conns []client // by the client's place

	requests int64
	fresh    int64 // of a client of which no connection is known
	crowded  int64 // while all connections of the client were busy
	once     int64 // of which the connection ends with them
	// gaps are by whole seconds; the last one has all that are longer.
	gaps    [horizon + 1]gaps
	busySum int64
	held    *timelines
	// fine are those timeouts that are no whole seconds.
	fine []fine
	// tails are for how long connections had been idle when the log ended, by whole seconds; nil
	// until it has.
	tails []gaps
	// The same with a timeout of its own for each client.
	adaptiveReused int64
	adaptiveIdle   float64
}

// A fine is a timeout that is no whole number of seconds, so that the gaps by whole seconds
// do not tell what it reuses.
type fine struct {
	timeout linger.Instant
	reused  int64
	idle    float64 // for how long connections were, until they were used or ended
}

// gaps are those of so many whole seconds.
type gaps struct {
	// n counts requests that could have used a connection that had been idle for so long, and
	// rest adds up by how many nanoseconds it was longer than the whole seconds.
	n, rest int64
	// raw counts the same as the log has them, without what its clock does not tell.
	raw int64
}

// A client is what is known of one: when its connections become idle. It is as small as it
// can be, since each arrival finds another one, which is in no cache.
type client struct {
	first linger.Instant   // 0: none
	more  []linger.Instant // of those that it had open at once besides
	multi linger.Instant   // of the one that multiplexes; 0: none
	mean  linger.Instant   // of its gaps, the late ones weighing most
	asked uint32           // how often, at most 2^32-1
	tally int32            // of the client, from 1; 0 is none
}

// adaptiveFactor is how many times its mean gap a client's own timeout is, and adaptiveFirst
// what it is before a gap is known.
const (
	adaptiveFactor = 3
	adaptiveFirst  = 15 * time.Second
)

// timeout is the client's own.
func (c *client) timeout() time.Duration {
	if c.mean == 0 {
		return adaptiveFirst
	}
	return min(max(adaptiveFactor*time.Duration(c.mean), time.Second), horizon*time.Second)
}

func (a *Analyzer) newView(busy, widen int64, parallel int) *view {
	v := &view{busy: busy, widen: widen, parallel: parallel, held: newTimelines(a.timeouts)}
	for _, t := range a.timeouts {
		if t%time.Second != 0 {
			v.fine = append(v.fine, fine{timeout: linger.Instant(t)})
		}
	}
	return v
}

// add takes an arrival of the client at a place in, and returns for how long the connection
// had been idle that it could have used: never if there was none, 0 if it shares one.
func (v *view) add(place int32, r *Arrival, weight int64) linger.Instant {
	v.requests += weight
	start, end := r.Start, r.End+linger.Instant(v.busy)
	for int(place) >= len(v.conns) {
		v.conns = append(v.conns, client{})
	}
	c := &v.conns[place]
	if r.Once {
		v.once += weight
		v.busySum += int64(end-start) * weight
		v.held.open(start, weight)
		v.held.shut(end, weight)
		return never
	}
	if r.Multiplexed {
		return v.share(c, start, end, weight)
	}
	at := &c.first
	switch {
	case c.first == 0:
		v.busySum += int64(end-start) * weight
		v.fresh += weight
		v.held.open(start, weight)
		c.first = end
		return never
	case c.more == nil && c.first <= start:
		// The only one, and it is idle: so it is for most.
	default:
		var soonest *linger.Instant
		if at, soonest = c.best(start); at == nil && v.parallel > 0 && 1+len(c.more) >= v.parallel {
			// It waits for the first one to become idle.
			at, start = soonest, *soonest
			end += start - r.Start
		}
	}
	v.busySum += int64(end-start) * weight
	if at == nil {
		v.crowded += weight
		v.held.open(start, weight)
		c.more = append(c.more, end)
		return never
	}
	gap := v.gap(c, *at, start, weight)
	*at = end
	return gap
}

// fetch reads what is known of the clients at places.
func (v *view) fetch(places []int32) (sum linger.Instant) {
	for _, at := range places {
		if at >= 0 && int(at) < len(v.conns) {
			sum += v.conns[at].first + v.conns[at].mean + linger.Instant(v.held.fetch(v.conns[at].first))
		}
	}
	return sum
}

// best returns which of a client's connections has become idle last by then, and which one is
// idle first of all.
func (c *client) best(start linger.Instant) (best, soonest *linger.Instant) {
	soonest = &c.first
	if c.first <= start {
		best = &c.first
	}
	for i := range c.more {
		at := &c.more[i]
		if *at <= start && (best == nil || *at > *best) {
			best = at
		}
		if *at < *soonest {
			soonest = at
		}
	}
	return best, soonest
}

// never is the gap of a request that finds no connection.
const never linger.Instant = -1

// share is add for requests that may share a connection while they overlap.
func (v *view) share(c *client, start, end linger.Instant, weight int64) linger.Instant {
	if c.multi == 0 {
		v.fresh += weight
		v.held.open(start, weight)
		v.busySum += int64(end-start) * weight
		c.multi = end
		return never
	}
	gap := linger.Instant(0)
	if start > c.multi {
		gap = v.gap(c, c.multi, start, weight)
		v.busySum += int64(end-start) * weight
	} else {
		v.gaps[0].n += weight
		v.gaps[0].raw += weight
		for i := range v.fine {
			v.fine[i].reused += weight
		}
		v.adaptiveReused += weight
		v.busySum += int64(max(0, end-c.multi)) * weight
	}
	c.multi = max(c.multi, end)
	return gap
}

// gap counts the time for which a connection had been idle.
func (v *view) gap(c *client, idle, start linger.Instant, weight int64) linger.Instant {
	v.gaps[min(int64(start-idle)/int64(time.Second), horizon)].raw += weight
	gap := max(0, start-idle+linger.Instant(v.widen))
	second := int64(gap) / int64(time.Second)
	g := &v.gaps[min(second, horizon)]
	g.n += weight
	g.rest += (int64(gap) - second*int64(time.Second)) * weight
	for i := range v.fine {
		if f := &v.fine[i]; gap < f.timeout {
			f.reused += weight
			f.idle += float64(gap) * float64(weight)
		} else {
			f.idle += float64(f.timeout) * float64(weight)
		}
	}
	second = min(second, horizon)
	if own := linger.Instant(c.timeout()); gap < own {
		v.adaptiveReused += weight
		v.adaptiveIdle += float64(gap) * float64(weight)
	} else {
		v.adaptiveIdle += float64(own) * float64(weight)
	}
	if c.mean += (min(gap, linger.Instant(horizon*time.Second)) - c.mean) / 4; c.mean == 0 {
		c.mean = 1
	}
	if second > 0 {
		v.held.gap(idle, start, second, weight)
	}
	return gap
}

// reused is how many requests would have found a connection open that is kept for t.
func (v *view) reused(t time.Duration) int64 {
	n := int64(0)
	for _, f := range v.fine {
		if f.timeout == linger.Instant(t) {
			return f.reused
		}
	}
	for _, g := range v.gaps[:min(int64(t/time.Second), horizon)] {
		n += g.n
	}
	return n
}

// idleTime is how long connections would have been idle in all, in nanoseconds, if each is
// kept for t; end is that of the log.
func (v *view) idleTime(t time.Duration, end linger.Instant, weight int64) float64 {
	whole := min(int64(t/time.Second), horizon)
	sum := 0.0
	fine := slices.IndexFunc(v.fine, func(f fine) bool { return f.timeout == linger.Instant(t) })
	if fine >= 0 {
		sum = v.fine[fine].idle
	}
	for s, g := range v.gaps {
		if fine >= 0 {
			break
		}
		if int64(s) < whole {
			sum += float64(g.n)*float64(s)*float64(time.Second) + float64(g.rest)
		} else {
			sum += float64(g.n) * float64(t)
		}
	}
	return sum + v.tail(t, end)*float64(weight)
}

// tail is for how long connections are idle that are not used again, until they end or the log
// does.
func (v *view) tail(t time.Duration, end linger.Instant) (sum float64) {
	if v.tails == nil {
		v.tails = make([]gaps, horizon+1)
		for i := range v.conns {
			for at := range v.conns[i].all() {
				idle := max(0, int64(end-at))
				second := min(idle/int64(time.Second), horizon)
				v.tails[second].n++
				v.tails[second].rest += min(idle-second*int64(time.Second), int64(time.Second))
			}
		}
	}
	if t%time.Second != 0 || t > horizon*time.Second {
		for i := range v.conns {
			for at := range v.conns[i].all() {
				sum += float64(max(0, min(int64(end-at), int64(t))))
			}
		}
		return sum
	}
	whole := int64(t / time.Second)
	for s, g := range v.tails {
		if int64(s) < whole {
			sum += float64(g.n)*float64(s)*float64(time.Second) + float64(g.rest)
		} else {
			sum += float64(g.n) * float64(t)
		}
	}
	return sum
}

// all are when each of a client's connections becomes idle.
func (c *client) all() iter.Seq[linger.Instant] {
	return func(yield func(linger.Instant) bool) {
		if c.first != 0 && !yield(c.first) || c.multi != 0 && !yield(c.multi) {
			return
		}
		for _, at := range c.more {
			if !yield(at) {
				return
			}
		}
	}
}

// counts returns how many gaps there were of each length, as the log has them.
func (v *view) counts() []int64 {
	list := make([]int64, len(v.gaps))
	for i, g := range v.gaps {
		list[i] = g.raw
	}
	return list
}
