package quic

import "slices"

// maxIntervals bounds a set of numbers.
const maxIntervals = 128

// An interval holds the numbers from low to high, both included.
type interval struct{ low, high int64 }

// A numbers is a set of packet or stream numbers, as intervals in ascending order. Where it would
// hold more than maxIntervals, the two lowest become one.
type numbers []interval

// has reports whether n is in the set.
func (s numbers) has(n int64) bool {
	for i := len(s) - 1; i >= 0 && s[i].high >= n; i-- {
		if s[i].low <= n {
			return true
		}
	}
	return false
}

// add puts n into the set, and reports whether it was not there.
func (s *numbers) add(n int64) bool {
	list := *s
	if last := len(list) - 1; last >= 0 && list[last].high+1 == n {
		list[last].high = n
		return true
	}
	i := len(list)
	for i > 0 && list[i-1].low > n {
		i--
	}
	if i > 0 && list[i-1].high >= n {
		return false
	}
	below := i > 0 && list[i-1].high+1 == n
	above := i < len(list) && list[i].low == n+1
	switch {
	case below && above:
		list[i-1].high = list[i].high
		*s = slices.Delete(list, i, i+1)
	case below:
		list[i-1].high = n
	case above:
		list[i].low = n
	default:
		list = slices.Insert(list, i, interval{n, n})
		if len(list) > maxIntervals {
			list[1].low = list[0].low
			list = slices.Delete(list, 0, 1)
		}
		*s = list
	}
	return true
}

// meets reports whether a number of the set is between low and high, both excluded.
func (s numbers) meets(low, high int64) bool {
	for i := len(s) - 1; i >= 0 && s[i].high > low; i-- {
		if s[i].low < high && max(s[i].low, low+1) < high {
			return true
		}
	}
	return false
}

// gaps calls each with the intervals of numbers from low to high, both included, that are not in
// the set.
func (s numbers) gaps(low, high int64, each func(low, high int64)) {
	i := len(s)
	for i > 0 && s[i-1].high >= low {
		i--
	}
	for ; i < len(s) && s[i].low <= high; i++ {
		if s[i].low > low {
			each(low, s[i].low-1)
		}
		low = max(low, s[i].high+1)
	}
	if low <= high {
		each(low, high)
	}
}
