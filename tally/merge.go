package tally

import "slices"

// Merge counts all that o has counted, too.
func (l *Latency) Merge(o *Latency) {
	l.Intended.Merge(&o.Intended)
	l.Queued.Merge(&o.Queued)
	l.Sent.Merge(&o.Sent)
	l.First.Merge(&o.First)
	l.Connecting.Merge(&o.Connecting)
	l.With.Merge(&o.With)
	l.Without.Merge(&o.Without)
}

// MergeSeconds adds the seconds of one worker, from a number on, to those of others. Both are in
// order.
func MergeSeconds(to, from []Second, begin int) []Second {
	for i := range from {
		o := &from[i]
		if o.Second < begin {
			continue
		}
		at, found := slices.BinarySearchFunc(to, o.Second, func(s Second, n int) int { return s.Second - n })
		if !found {
			to = slices.Insert(to, at, Second{Second: o.Second})
		}
		s := &to[at]
		s.Answered += o.Answered
		s.Failed += o.Failed
		s.Established += o.Established
		s.Latency.Merge(&o.Latency)
	}
	return to
}
