package crowd

import (
	"cmp"
	"math"
	"slices"
	"time"

	"linger"
	"linger/stats"
	"linger/trace"
)

const (
	// leastWindow is the shortest window in which the share of an added server is looked at, in
	// seconds, and windowRequests how many requests a server has in one on average.
	leastWindow    = 10
	windowRequests = 100
	// fairEnough is the part of its fair share with which an added server has it.
	fairEnough = 0.9
	// windowPages is how many pages a window after a restart has at least.
	windowPages = 5
)

// balanceOf is how requests came to lie on several servers, and what a server that is added or
// restarted does.
func balanceOf(c linger.Crowd, runs []*run) Balance {
	var b Balance
	servers := c.Servers()
	if servers > 1 {
		b.Requests = make([]int, servers)
		for _, r := range runs {
			for server, n := range r.requests(servers) {
				b.Requests[server] += n
			}
		}
		b.Uneven = meanOf(runs, func(r *run) (float64, bool) { return largest(r.requests(servers)[:max(1, c.Backends)]) })
	}
	if c.AddAt > 0 {
		b.Added = meanOf(runs, func(r *run) (float64, bool) { return r.added(c, linger.Instant(c.AddAt), r.lastWanted()) })
		b.Last = meanOf(runs, func(r *run) (float64, bool) {
			window, ok := r.window(c)
			last := r.lastWanted()
			if !ok || last-window < linger.Instant(c.AddAt) {
				return 0, false
			}
			return r.added(c, last-window, last)
		})
		var even, never []float64
		for _, r := range runs {
			if at, ended, ok := r.even(c); ok && ended {
				even = append(even, float64(at))
			} else if ok {
				never = append(never, float64(at))
			}
		}
		if v, ok := stats.Censored(even, never).NearestRank(0.5); ok {
			b.Even = linger.Known(time.Duration(v))
		}
	}
	if c.RestartAt > 0 {
		b.Restart = restartOf(linger.Instant(c.RestartAt), runs)
	}
	return b
}

// requests are those that were answered, by server.
func (r *run) requests(servers int) []int {
	out := make([]int, servers)
	for _, x := range r.Connections {
		if x.Server >= 0 && x.Server < servers {
			out[x.Server] += x.Requests
		}
	}
	return out
}

// served is how many requests each server answered from one instant until another, to the second:
// a second counts that begins in between.
func (r *run) served(servers int, from, to linger.Instant) []int {
	out := make([]int, servers)
	second := linger.Instant(time.Second)
	first, end := int((from+second-1)/second), int((to+second-1)/second)
	for server, counts := range r.Served[:min(servers, len(r.Served))] {
		if first < min(end, len(counts)) {
			out[server] = sum(counts[first:min(end, len(counts))])
		}
	}
	return out
}

// added is the share of the added server, the last one, over its fair share. It is false where
// nobody counted by the second, or nothing was answered.
func (r *run) added(c linger.Crowd, from, to linger.Instant) (float64, bool) {
	got := r.served(c.Servers(), from, to)
	total := sum(got)
	if total == 0 {
		return 0, false
	}
	return float64(got[len(got)-1]) * float64(len(got)) / float64(total), true
}

// window is how long one is in which the share of an added server is looked at.
func (r *run) window(c linger.Crowd) (linger.Instant, bool) {
	from, to := linger.Instant(c.AddAt), r.lastWanted()
	total := sum(r.served(c.Servers(), from, to))
	if total == 0 {
		return 0, false
	}
	seconds := float64(to-from) / float64(time.Second)
	wide := math.Ceil(windowRequests * float64(c.Servers()) * seconds / float64(total))
	return linger.Instant(max(leastWindow, wide)) * linger.Instant(time.Second), true
}

// even is how long after a server was added the first window ended in which it had its share; ended
// is false where it had it in none until the last page was wanted. ok is false where no window is
// long enough.
func (r *run) even(c linger.Crowd) (after linger.Instant, ended, ok bool) {
	window, ok := r.window(c)
	from, last := linger.Instant(c.AddAt), r.lastWanted()
	if !ok || from+window > last {
		return 0, false, false
	}
	for at := from; at+window <= last; at += linger.Instant(time.Second) {
		if share, ok := r.added(c, at, at+window); ok && share >= fairEnough {
			return at + window - from, true, true
		}
	}
	return last - from, false, true
}

// restartOf is what the restart of a server did, the worst of the trials.
func restartOf(at linger.Instant, runs []*run) Restart {
	var out Restart
	worst := func(to *linger.Opt[float64], v float64) { *to = linger.Known(max(to.Or(0), v)) }
	var calm, never []float64
	for _, r := range runs {
		if r.Ended <= at {
			continue
		}
		worst(&out.Before, r.handshakes(at/2, at))
		worst(&out.Handshakes, r.handshakes(at, r.Ended))
		if r.takes {
			var l levels
			l.addSpans(r.inQueue(), span{at, r.Ended})
			worst(&out.Queue, l.peak)
		} else {
			for _, s := range r.Samples {
				if n, ok := s.Server.Waiting.Get(); ok && s.At >= at {
					worst(&out.Queue, float64(n))
				}
			}
		}
		if after, ended, ok := r.calm(at); ok && ended {
			calm = append(calm, float64(after))
		} else if ok {
			never = append(never, float64(after))
		}
	}
	if v, ok := stats.Censored(calm, never).NearestRank(0.5); ok {
		out.Calm = linger.Known(time.Duration(v))
	}
	return out
}

// handshakes is the most in any second that begins from one instant until another.
func (r *run) handshakes(from, to linger.Instant) float64 {
	var at []linger.Instant
	for _, x := range r.Connections {
		if t, ok := x.Established.Get(); ok && t >= from && t < to {
			at = append(at, t)
		}
	}
	slices.Sort(at)
	most, first := 0, 0
	for i, t := range at {
		for t-at[first] >= linger.Instant(time.Second) {
			first++
		}
		most = max(most, i-first+1)
	}
	return float64(most)
}

// calm is how long after the restart pages took again what they took before, as Restart has it;
// ended is false where they did not until the end. ok is false where too few pages were wanted
// before or after it.
func (r *run) calm(at linger.Instant) (after linger.Instant, ended, ok bool) {
	var before tally
	var since []trace.Visit
	for _, v := range r.Visits {
		if v.Wanted >= at {
			since = append(since, v)
		} else if done, known := v.Done.Get(); known && done < at && v.Wanted >= at/2 {
			before.add(r.loading(v), loaded(v))
		}
	}
	usual, _ := before.quantiles()
	limit, known := usual.P95.Get()
	if !known || len(before.ended) < 4*windowPages || len(since) < windowPages {
		return 0, false, false
	}
	slices.SortStableFunc(since, func(a, b trace.Visit) int { return cmp.Compare(a.Wanted, b.Wanted) })
	disturbed := false
	for first := 0; first < len(since); {
		end := first
		until := since[first].Wanted + linger.Instant(time.Second)
		for end < len(since) && (since[end].Wanted < until || end-first < windowPages) {
			end++
		}
		if end-first < windowPages {
			break // the rest is too few to tell
		}
		var window tally
		for _, v := range since[first:end] {
			window.add(r.loading(v), loaded(v))
		}
		q, _ := window.quantiles()
		median, known := q.Median.Get()
		if disturbed = !known || median > limit; disturbed {
			after = max(until, since[end-1].Wanted) - at
		}
		first = end
	}
	return after, !disturbed, true
}
