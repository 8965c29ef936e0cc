// Package limit estimates after how long idling, after how many requests and at what age a client
// or a server ends connections, from what was seen of many.
//
// What did not end a connection counts too: a gap after which it was used again, or that the other
// side or the recording ended, is censored ([Idle.Survive]). [Idle.Single] claims one limit only
// where no gap that survived is longer than those that ended; otherwise [Survival] is the whole
// distribution, by Kaplan and Meier.
package limit

import (
	"slices"
	"time"

	"linger"
)

// most is how many values of a kind are kept; of more, every second one goes, and from
// then on every second one comes in.
const most = 4096

// Values are numbers of which a bounded part is kept, spread evenly over all.
type Values struct {
	Kept []float64
	N    int
	step int
}

// Add takes in a number.
func (v *Values) Add(x float64) { v.AddWithin(x, most) }

// AddWithin keeps less than so many.
func (v *Values) AddWithin(x float64, most int) {
	if v.step == 0 {
		v.step = 1
	}
	if v.N++; v.N%v.step != 0 {
		return
	}
	if v.Kept = append(v.Kept, x); len(v.Kept) >= most {
		half := v.Kept[:0]
		for i := 0; i < len(v.Kept); i += 2 {
			half = append(half, v.Kept[i])
		}
		v.Kept, v.step = half, 2*v.step
	}
}

// Median is that of what is kept; unknown of none.
func (v Values) Median() linger.Opt[float64] {
	if len(v.Kept) == 0 {
		return linger.Opt[float64]{}
	}
	s := slices.Sorted(slices.Values(v.Kept))
	return linger.Known(s[len(s)/2])
}

// Idle is what was seen of an idle limit, in seconds.
type Idle struct {
	Ended    Values // gaps after which the side closed
	Survived Values // gaps that ended otherwise: by a request, by the other side, or not
	Longest  float64
	Used     float64 // the longest gap after which a connection was used again
	Least    float64 // the shortest of ended
	Greatest float64
	// moments is how often some ended: all at once, as when a process ends, is once.
	Moments int
	moment  linger.Instant
	apart   Values // the first gap of each moment
}

// atOnce is within what time ends are one event.
const atOnce = 20 * time.Millisecond

// End counts a gap after which the side closed.
func (l *Idle) End(at linger.Instant, gap time.Duration) {
	g := gap.Seconds()
	if l.Moments == 0 || at.Sub(l.moment).Abs() > atOnce {
		l.Moments++
		l.apart.Add(g)
	}
	l.moment = at
	if l.Ended.N == 0 {
		l.Least = g
	}
	l.Ended.Add(g)
	l.Least, l.Greatest = min(l.Least, g), max(l.Greatest, g)
}

// Survive counts a gap that ended otherwise.
func (l *Idle) Survive(gap time.Duration) {
	g := gap.Seconds()
	l.Survived.Add(g)
	l.Longest = max(l.Longest, g)
}

// Idles is from when on a connection has been idle, and not between two requests.
const Idles = 500 * time.Millisecond

// uncertainty is how far an idle limit may be from what was seen: 0.1 s or 2 %, and a tenth of
// what is below a second.
func uncertainty(seconds float64) float64 { return max(min(0.1, 0.1*seconds), 0.02*seconds) }

// Single returns the one limit, in seconds, where there is one: all gaps that ended agree,
// and none that survived is longer.
func (l *Idle) Single() (value float64, ok bool) {
	if l == nil || l.Moments < 2 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(l.Ended.Kept))
	value = sorted[len(sorted)/2]
	off := uncertainty(value)
	return value, l.Greatest-l.Least <= off && l.Longest <= l.Least+off
}

// Usual returns the limit, in seconds, that more gaps agree on that ended than on any other, where
// no one limit is claimed: what ended earlier did so for another reason, as the end of a process.
// None that survived is longer, and of those that ended one of ten at most, by a timer that was
// late.
func (l *Idle) Usual() (value float64, ok bool) {
	if value, ok = l.Single(); ok || l == nil || l.Moments < leastUsual {
		return value, ok
	}
	sorted := slices.Sorted(slices.Values(l.apart.Kept)) // a process that ends, ends all at once
	most, over := 0, 0
	for i, first := range sorted {
		end, _ := slices.BinarySearch(sorted, first+3*uncertainty(first))
		if end-i > most {
			most, over, value = end-i, len(sorted)-end, sorted[(i+end)/2]
		}
	}
	return value, most > 1 && 2*most >= len(sorted) && over <= max(1, len(sorted)/10) && l.Longest <= value+2*uncertainty(value)
}

// Early reports whether a gap is too short to have been ended by a limit.
func Early(gap, limit float64) bool { return gap < limit-uncertainty(limit) }

// leastUsual is from how many moments on most are told from others, of which one may be another's.
const leastUsual = 3

// A Point is a step of a survival curve.
type Point struct {
	Seconds float64 `json:"seconds"`
	// Share is how many connections are kept beyond it, 0 to 1.
	Share float64 `json:"share"`
}

// Survival is the estimate of Kaplan and Meier: the share of connections that a side keeps
// for longer than a gap, from those it ended and those of which no more is known than that
// they lasted for so long.
func Survival(ended, survived []float64) []Point {
	type one struct {
		at    float64
		event bool
	}
	all := make([]one, 0, len(ended)+len(survived))
	for _, g := range ended {
		all = append(all, one{g, true})
	}
	for _, g := range survived {
		all = append(all, one{g, false})
	}
	slices.SortFunc(all, func(a, b one) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		case a.event == b.event:
			return 0
		case a.event: // what is censored there has outlived it
			return -1
		}
		return 1
	})
	var out []Point
	share, risk := 1.0, len(all)
	for i := 0; i < len(all); {
		j, events := i, 0
		for ; j < len(all) && all[j].at == all[i].at; j++ {
			if all[j].event {
				events++
			}
		}
		if events > 0 {
			share *= 1 - float64(events)/float64(risk)
			out = append(out, Point{all[i].at, share})
		}
		risk -= j - i
		i = j
	}
	return out
}

// Quantile is the least gap beyond which no more than the share is kept.
func Quantile(curve []Point, share float64) (float64, bool) {
	for _, p := range curve {
		if p.Share <= share+1e-12 {
			return p.Seconds, true
		}
	}
	return 0, false
}

// Seconds is a duration of so many.
func Seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
