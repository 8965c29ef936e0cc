package probe

import (
	"slices"
	"time"

	"linger/profile"
)

const (
	// over is how long watched connections take to begin: longer than a second, which is
	// how often many servers look for those whose time is over. No two begin farther apart
	// than so much, and none at the same time in a second, or in half of one.
	over, farthest = 1050 * time.Millisecond, 700 * time.Millisecond
	// together is how far ends are apart at most that a server has brought about at once.
	together = 20 * time.Millisecond
	// mostSwept is what the times of connections differ by at most for a sweep. Beyond that
	// the server has several limits.
	mostSwept = 2 * time.Second
)

// begins is after how long the connection i of n begins to be watched.
func begins(i, n int) time.Duration {
	return time.Duration(i) * min(farthest, over/time.Duration(max(n-1, 1)))
}

// sweepOf is how far apart a server looks for connections whose time is over, where that
// shows: connections that began at different times end at once or, where all are alike,
// are kept for different times. Zero is that it does not show. It is measured where two
// sweeps were seen, and otherwise a guess on the long side. Doubt is by how much the path
// may have moved an end.
func sweepOf(seen []sighting, doubt time.Duration, alike bool) time.Duration {
	ended := slices.DeleteFunc(slices.Clone(seen), func(s sighting) bool {
		return s.err != nil || s.how == "" || s.how == profile.Silence
	})
	slices.SortFunc(ended, func(a, b sighting) int { return a.at.Compare(b.at) })
	for _, s := range ended {
		doubt = max(doubt, (s.less+s.more)/2)
	}
	var spans, differ spread // of beginnings before one end, and of all times
	step := forever          // between two ends that follow each other
	for i := 0; i < len(ended); {
		first, one := ended[i], spread{}
		for ; i < len(ended) && ended[i].at.Sub(first.at) <= together+doubt; i++ {
			one.add(ended[i].at.Add(-ended[i].idle).Sub(first.at))
			differ.add(ended[i].idle)
		}
		if spans.width() < one.width() {
			spans = one
		}
		if i < len(ended) {
			step = min(step, ended[i].at.Sub(first.at))
		}
	}
	shows := 5 * (together + doubt)
	switch span, differ := spans.width(), differ.width(); {
	case span > shows && step != forever && step+together+doubt > span:
		return step
	case span > shows:
		return max(time.Second, 3*span)
	case alike && differ > shows && differ <= mostSwept:
		// Of a few it is luck by how much they differ.
		return max(time.Second*time.Duration(max(5-len(ended), 1)), 2*differ)
	}
	return 0
}

// A spread is where times lie.
type spread struct {
	any       bool
	low, high time.Duration
}

func (s *spread) add(d time.Duration) {
	if !s.any {
		*s = spread{true, d, d}
	}
	s.low, s.high = min(s.low, d), max(s.high, d)
}

func (s spread) width() time.Duration { return s.high - s.low }

// swept widens the doubt about a limit by what a server that looks so seldom may be later,
// or sooner, with a connection that begins at another time.
func swept(t *profile.Timeout, step time.Duration) {
	if t.State == profile.Measured {
		t.Uncertainty = max(t.Uncertainty, min(profile.Duration(step)-(t.High-t.Low), t.Low))
	}
}

// sweeps notes how far apart sweeps are.
func (p *prober) sweeps(step time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = max(p.sweep, step)
}

// sweepAll widens the doubt about every limit of a server that sweeps: it ends
// connections of any kind so, and of most kinds too few are watched to show it.
func (p *prober) sweepAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	limits := []*profile.Timeout{&p.facts.Watched}
	for _, h := range p.profile.Protocols {
		limits = append(limits, &h.AfterConnect, &h.AfterTLS, &h.AfterResponse, &h.AfterSettings)
	}
	if p.profile.DNS != nil {
		limits = append(limits, &p.profile.DNS.AfterKeepalive)
	}
	for _, t := range limits {
		swept(t, p.sweep)
	}
}
