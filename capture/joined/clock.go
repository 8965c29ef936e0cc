package joined

import (
	"slices"
	"time"

	"linger"
	"linger/trace"
)

// A SYN leaves the client at c1 and comes to the server at s1; the SYN-ACK leaves it at s2 and
// comes at c2. As in NTP (RFC 5905, 8) the server's clock is ahead by ((s1-c1)+(s2-c2))/2, give or
// take half the round trip (c2-c1)-(s2-s1). Queues make that longer, so that the shortest of each
// stretch of time tells most.
type fit struct {
	n, reversed int
	same        int           // of n, those that both captures have at the same times
	width       time.Duration // of a stretch
	origin      time.Time     // of the client's clock
	best        map[int64]sample
	rtt         time.Duration // the shortest
	sorted      []sample      // those that tell, while no other came; nil is to be made
}

// A sample is one handshake.
type sample struct {
	at     time.Time // by the client's clock
	offset time.Duration
	rtt    time.Duration
}

// mostStretches bounds what is remembered: then stretches become twice as long.
const mostStretches = 4096

// add takes in a handshake that was seen at both ends.
func (f *fit) add(near, far pair) {
	rtt := near.ack.Sub(near.syn) - far.ack.Sub(far.syn)
	if rtt < 0 {
		f.reversed++
		return
	}
	s := sample{near.syn, (far.syn.Sub(near.syn) + far.ack.Sub(near.ack)) / 2, rtt}
	if f.n == 0 {
		f.origin, f.width, f.best, f.rtt = near.syn, time.Second, map[int64]sample{}, rtt
	}
	f.n++
	if near.syn.Equal(far.syn) && near.ack.Equal(far.ack) {
		f.same++
	}
	if f.rtt > rtt {
		f.rtt, f.sorted = rtt, nil
	}
	f.keep(s)
	for len(f.best) > mostStretches {
		old := f.best
		f.width, f.best = 2*f.width, map[int64]sample{}
		for _, s := range old {
			f.keep(s)
		}
	}
}

func (f *fit) keep(s sample) {
	k := int64(s.at.Sub(f.origin) / f.width)
	if other, ok := f.best[k]; !ok || s.rtt < other.rtt {
		f.best[k], f.sorted = s, nil
	}
}

// offset is how far the server's clock was ahead at a time of the client's: as the nearest
// handshake has it that took little longer than the shortest.
func (f *fit) offset(at time.Time) time.Duration {
	if f.sorted == nil {
		f.sorted = f.cleanest()
	}
	all := f.sorted
	i, _ := slices.BinarySearchFunc(all, at, func(s sample, at time.Time) int { return s.at.Compare(at) })
	switch {
	case len(all) == 0:
		return 0
	case i == len(all), i > 0 && at.Sub(all[i-1].at) < all[i].at.Sub(at):
		i--
	}
	return all[i].offset
}

// cleanest are the handshakes that met next to no queue, in order of time.
func (f *fit) cleanest() []sample {
	all := make([]sample, 0, len(f.best))
	for _, s := range f.best {
		if f.clean(s) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b sample) int { return a.at.Compare(b.at) })
	return all
}

// clean reports whether a handshake met next to no queue.
func (f *fit) clean(s sample) bool { return s.rtt <= f.rtt+f.rtt/4+time.Millisecond/2 }

// far and near are times of one clock by the other.
func (f *fit) far(at time.Time) time.Time { return at.Add(f.offset(at)) }

func (f *fit) near(at time.Time) time.Time { return at.Add(-f.offset(at.Add(-f.offset(at)))) }

// farOf and nearOf are the same for a connection, whose own handshake tells best.
func (f *fit) farOf(at time.Time, near, far pair) time.Time { return at.Add(f.own(at, near, far)) }

func (f *fit) nearOf(at time.Time, near, far pair) time.Time {
	return at.Add(-f.own(at, near, far))
}

func (f *fit) own(at time.Time, near, far pair) time.Duration {
	if near.ok && far.ok {
		return (far.syn.Sub(near.syn) + far.ack.Sub(near.ack)) / 2
	}
	return f.offset(at)
}

// result is the clock as all handshakes tell it, and the shortest round trip.
func (f *fit) result() (c linger.Opt[trace.Clock], rtt linger.Opt[float64]) {
	all := f.cleanest()
	if len(all) == 0 {
		return c, rtt
	}
	out := trace.Clock{Offset: inMs(all[0].offset), Error: inMs(all[0].rtt) / 2, Handshakes: f.n}
	// No clock of a computer that keeps time is off by more than 500 ppm (RFC 5905, 7.1): what
	// changes by more than that, and by more than both errors, was set.
	from := 0
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if change := (b.offset - a.offset).Abs(); change > (a.rtt+b.rtt)/2+time.Millisecond && float64(change) > 500e-6*float64(b.at.Sub(a.at)) {
			out.Jumps++
			from = i
		}
	}
	if rest := all[from:]; len(rest) >= 8 && rest[len(rest)-1].at.Sub(rest[0].at) >= time.Minute {
		out.Drift = linger.Known(slope(rest))
	}
	return linger.Known(out), linger.Known(inMs(f.rtt))
}

// slope is by how much offsets grow, in parts of a million: the median of the slopes of pairs
// (Theil and Sen), which a few that met queues do not change.
func slope(all []sample) float64 {
	half := len(all) / 2
	slopes := make([]float64, 0, half)
	for i := range half {
		a, b := all[i], all[i+len(all)-half]
		if d := b.at.Sub(a.at); d > 0 {
			slopes = append(slopes, 1e6*float64(b.offset-a.offset)/float64(d))
		}
	}
	return median(slopes)
}

func inMs(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
