package limits

import (
	"slices"
	"time"

	"linger/profile"
)

const (
	// Staggered is how long watched connections take to begin: longer than a second, which is
	// how often many servers look for those whose time is over. No two begin farther apart
	// than so much, and none at the same time in a second, or in half of one.
	Staggered, farthest = 1050 * time.Millisecond, 700 * time.Millisecond
	// Together is how far ends are apart at most that a server has brought about at once.
	Together = 20 * time.Millisecond
	// mostSwept is what the times of connections differ by at most for a sweep. Beyond that
	// the server has several limits.
	mostSwept = 2 * time.Second
)

// Begins is after how long the connection i of n begins to be watched.
func Begins(i, n int) time.Duration {
	return time.Duration(i) * min(farthest, Staggered/time.Duration(max(n-1, 1)))
}

// Sweep is how far apart a server looks for connections whose time is over, where that
// shows: connections that began at different times end at once or, where all are alike,
// are kept for different times. Zero is that it does not show. It is measured where two
// sweeps were seen, and otherwise a guess on the long side. Doubt is by how much the path
// may have moved an end.
func Sweep(seen []Sighting, uncertainty time.Duration, alike bool) time.Duration {
	ended := slices.DeleteFunc(slices.Clone(seen), func(s Sighting) bool {
		return s.Err != nil || s.How == "" || s.How == profile.Silence
	})
	slices.SortFunc(ended, func(a, b Sighting) int { return a.At.Compare(b.At) })
	for _, s := range ended {
		uncertainty = max(uncertainty, (s.less+s.more)/2)
	}
	var spans, differ Range // of beginnings before one end, and of all times
	step := Forever         // between two ends that follow each other
	for i := 0; i < len(ended); {
		first, one := ended[i], Range{}
		for ; i < len(ended) && ended[i].At.Sub(first.At) <= Together+uncertainty; i++ {
			one.Add(ended[i].At.Add(-ended[i].Idle).Sub(first.At))
			differ.Add(ended[i].Idle)
		}
		if spans.Width() < one.Width() {
			spans = one
		}
		if i < len(ended) {
			step = min(step, ended[i].At.Sub(first.At))
		}
	}
	shows := 5 * (Together + uncertainty)
	switch span, differ := spans.Width(), differ.Width(); {
	case span > shows && step != Forever && step+Together+uncertainty > span:
		return step
	case span > shows:
		return max(time.Second, 3*span)
	case alike && differ > shows && differ <= mostSwept:
		// Of a few it is chance by how much they differ.
		return max(time.Second*time.Duration(max(5-len(ended), 1)), 2*differ)
	}
	return 0
}

// A Range is where times lie.
type Range struct {
	any       bool
	low, High time.Duration
}

func (s *Range) Add(d time.Duration) {
	if !s.any {
		*s = Range{true, d, d}
	}
	s.low, s.High = min(s.low, d), max(s.High, d)
}

func (s Range) Width() time.Duration { return s.High - s.low }

// Widen widens the uncertainty of a limit by what a server that looks so seldom may be later,
// or sooner, with a connection that begins at another time.
func Widen(t *profile.Timeout, step time.Duration) {
	if t.State == profile.Measured {
		t.Uncertainty = max(t.Uncertainty, min(profile.Duration(step)-(t.High-t.Low), t.Low))
	}
}
