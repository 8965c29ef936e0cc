package crowd

import (
	"cmp"
	"slices"

	"linger"
	"linger/trace"
)

// levels collects a quantity over the time of all trials: how long it had each value.
type levels struct {
	values []float64
	lasted []linger.Instant
	peak   float64
	whole  linger.Instant
	area   float64 // the quantity times how long
}

func (l *levels) add(value float64, lasted linger.Instant) {
	if lasted <= 0 {
		return
	}
	l.values, l.lasted = append(l.values, value), append(l.lasted, lasted)
	l.peak = max(l.peak, value)
	l.whole += lasted
	l.area += value * float64(lasted)
}

// level is what it comes to: unknown where it was never seen.
func (l *levels) level() Level {
	if l.whole == 0 {
		return Level{}
	}
	order := make([]int, len(l.values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(l.values[a], l.values[b]) })
	p99, below := l.peak, linger.Instant(0)
	for _, i := range order {
		if below += l.lasted[i]; float64(below) >= 0.99*float64(l.whole) {
			p99 = l.values[i]
			break
		}
	}
	return Level{linger.Known(l.area / float64(l.whole)), linger.Known(p99), linger.Known(l.peak)}
}

// A span is from when until when something was held.
type span struct{ from, to linger.Instant }

// within is the part of the span in another.
func (s span) within(o span) span {
	return span{max(s.from, o.from), min(s.to, o.to)}
}

// length is how long the span is; one that ends before it begins is nothing.
func (s span) length() linger.Instant { return max(0, s.to-s.from) }

// addSpans adds how many of the spans there were at once, from one instant until another.
func (l *levels) addSpans(spans []span, in span) {
	type step struct {
		at linger.Instant
		by int
	}
	steps := make([]step, 0, 2*len(spans))
	for _, s := range spans {
		if s = s.within(in); s.length() > 0 {
			steps = append(steps, step{s.from, 1}, step{s.to, -1})
		}
	}
	// At one instant what ends goes before what begins: a connection that takes the place of
	// another is not beside it.
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	n, at := 0, in.from
	for _, s := range steps {
		l.add(float64(n), s.at-at)
		n, at = n+s.by, s.at
	}
	l.add(float64(n), in.to-at)
}

// addSamples adds what a run's samples say; each holds until the next, and the last until the end
// of the run. What is not known of one is left out.
func (l *levels) addSamples(run *trace.Crowd, of func(trace.CrowdSample) (float64, bool)) {
	for i, s := range run.Samples {
		until := run.Ended
		if i+1 < len(run.Samples) {
			until = run.Samples[i+1].At
		}
		if v, ok := of(s); ok {
			l.add(v, max(until-s.At, 1))
		}
	}
}

// mean is the mean number of spans at once within a part of the run.
func mean(spans []span, in span) float64 {
	var sum linger.Instant
	for _, s := range spans {
		sum += s.within(in).length()
	}
	return float64(sum) / float64(max(in.length(), 1))
}

// thinned are at most so many of the samples: of each group of neighbours, the one in which the
// server holds most.
func thinned(samples []trace.CrowdSample, most int) []trace.CrowdSample {
	if len(samples) <= most {
		return slices.Clone(samples)
	}
	holds := func(s trace.CrowdSample) int { return s.Server.Sockets + s.Server.Waiting.Or(0) }
	out := make([]trace.CrowdSample, 0, most)
	for i := range most {
		group := samples[i*len(samples)/most : (i+1)*len(samples)/most]
		out = append(out, slices.MaxFunc(group, func(a, b trace.CrowdSample) int { return cmp.Compare(holds(a), holds(b)) }))
	}
	return out
}
