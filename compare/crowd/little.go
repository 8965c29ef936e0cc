package crowd

import (
	"cmp"
	"math"
	"slices"

	"linger"
)

const (
	// warmUp is after how many times the longer of think time and time held a run is steady.
	warmUp = 3
	// leastArrivals is how many connections the steady part of a run has at least.
	leastArrivals = 20
	// trend is by what part of the mean more or fewer are held in the later half of the steady
	// part than in the earlier, where the run is not steady; and by leastTrend connections.
	trend      = 0.1
	leastTrend = 1.0
	// mostOpen is the part of the connections of which it is not known how long they are held
	// (the product-limit estimate after the last close), where the mean is known all the same.
	mostOpen = 0.02
)

// littleOf holds what the servers held against Little's law, the mean of the trials; what keeps one
// trial from it keeps the row.
func littleOf(c linger.Crowd, runs []*run) Little {
	var all []Little
	for _, r := range runs {
		l := r.little(c)
		if l.Why != "" {
			return l
		}
		all = append(all, l)
	}
	out := all[0]
	of := func(figure func(*Little) *linger.Opt[float64]) {
		total := 0.0
		for i := range all {
			total += figure(&all[i]).Or(0)
		}
		*figure(&out) = linger.Known(total / float64(len(all)))
	}
	of(func(l *Little) *linger.Opt[float64] { return &l.Rate })
	of(func(l *Little) *linger.Opt[float64] { return &l.Time })
	of(func(l *Little) *linger.Opt[float64] { return &l.Predicted })
	of(func(l *Little) *linger.Opt[float64] { return &l.Held })
	return out
}

// little holds one run against the law.
func (r *run) little(c linger.Crowd) Little {
	if len(r.server) == 0 {
		return Little{Why: LittleNone}
	}
	// The steady part begins when the first client has come, has thought and has let its
	// connection go three times, on average: of what is held for a random time, 1/20 is then
	// still to come. Of a short run it is the second half.
	first, last, held := r.Ended, linger.Instant(0), linger.Instant(0)
	for _, s := range r.server {
		first, last = min(first, s.from), max(last, s.from)
		held += s.length()
	}
	cycle := held / linger.Instant(len(r.server))
	if ms, ok := meanHeld(r.server, r.whole, r.Ended); ok {
		cycle = linger.Instant(ms * 1e6)
	}
	cycle = max(cycle, linger.Instant(c.Think.Mean()))
	steady := span{first + min(warmUp*cycle, (last-first)/2), last}
	out := Little{From: steady.from, To: steady.to}
	arrivals := 0
	for _, s := range r.server {
		if s.from >= steady.from && s.from < steady.to {
			arrivals++
		}
	}
	if steady.length() > 0 {
		out.Held = linger.Known(mean(r.server, steady))
	} else {
		out.From, out.To = 0, 0
	}
	w, known := meanHeld(r.server, steady, r.Ended)
	switch {
	case steady.length() < cycle || arrivals < leastArrivals:
		if out.Why = LittleShort; !known && openAtEnd(r.server, r.Ended) {
			out.Why = LittleKept
		}
		return out
	case !known:
		out.Why = LittleKept
		return out
	}
	out.Rate = linger.Known(float64(arrivals) / (milliseconds(steady.length()) / 1000))
	out.Time = linger.Known(w)
	out.Predicted = linger.Known(out.Rate.Or(0) * w / 1000)
	middle := (steady.from + steady.to) / 2
	earlier, later := mean(r.server, span{steady.from, middle}), mean(r.server, span{middle, steady.to})
	switch limit := max(leastTrend, trend*(earlier+later)/2); {
	case later-earlier > limit:
		out.Why = LittleGrowing
	case earlier-later > limit:
		out.Why = LittleFalling
	case inWaves(r.server, steady, cycle, arrivals):
		out.Why = LittleWaves
	}
	return out
}

// inWaves reports whether connections come together: how many come a second then hangs on where
// the steady part begins and ends. It is measured again without up to half a cycle at either end;
// what chance makes of it, with so many arrivals, is no wave.
func inWaves(spans []span, steady span, cycle linger.Instant, arrivals int) bool {
	step := min(cycle, steady.length()/2) / 8
	starts := make([]linger.Instant, 0, len(spans))
	for _, s := range spans {
		starts = append(starts, s.from)
	}
	slices.Sort(starts)
	least, most := math.Inf(1), 0.0
	for i := range linger.Instant(5) {
		for j := range linger.Instant(5) {
			from, to := steady.from+i*step, steady.to-j*step
			low, _ := slices.BinarySearch(starts, from)
			high, _ := slices.BinarySearch(starts, to)
			rate := float64(high-low) / float64(max(1, to-from))
			least, most = min(least, rate), max(most, rate)
		}
	}
	return most > least*(1+max(trend, 2/math.Sqrt(float64(arrivals))))
}

// openAtEnd reports whether half of the connections or more are open when the run ends.
func openAtEnd(spans []span, ended linger.Instant) bool {
	n := 0
	for _, s := range spans {
		if s.to >= ended {
			n++
		}
	}
	return 2*n >= len(spans)
}

// meanHeld is how long a connection is held on average, in ms, of those that are open within a part
// of a run. One that was open before it is under observation from the age that it had then, one
// that is open when the run ends until the age that it has; the mean is the area below the
// product-limit estimate (Kaplan and Meier 1958; with late entry, Tsai, Jewell and Wang 1987). It is
// false where too many outlast all that have closed.
func meanHeld(spans []span, in span, ended linger.Instant) (float64, bool) {
	type event struct {
		age  linger.Instant
		kind int // in the order in which they count at one age: 0 closes, 1 is no longer seen, 2 comes under observation
	}
	var events []event
	for _, s := range spans {
		if s.to <= in.from || s.from >= in.to {
			continue
		}
		kind := 0
		if s.to >= ended {
			kind = 1
		}
		events = append(events, event{max(0, in.from-s.from), 2}, event{s.length(), kind})
	}
	slices.SortFunc(events, func(a, b event) int { return cmp.Or(cmp.Compare(a.age, b.age), cmp.Compare(a.kind, b.kind)) })
	survive, area, seen := 1.0, 0.0, 0
	var age linger.Instant
	for i := 0; i < len(events); {
		area += survive * milliseconds(events[i].age-age)
		age = events[i].age
		closes, gone, come := 0, 0, 0
		for ; i < len(events) && events[i].age == age; i++ {
			switch events[i].kind {
			case 0:
				closes++
			case 1:
				gone++
			default:
				come++
			}
		}
		if age == 0 {
			// What is closed at once was there for no time, and counts among those who came.
			seen, come = come, 0
		}
		if seen > 0 {
			survive *= 1 - float64(closes)/float64(seen)
		}
		seen += come - closes - gone
	}
	return area, len(events) > 0 && survive <= mostOpen
}
