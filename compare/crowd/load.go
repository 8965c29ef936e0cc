package crowd

import (
	"math"
	"time"

	"linger"
	"linger/policy"
)

// A Load is what a crowd asks of its servers, as far as Little's law needs it.
type Load struct {
	// Rate is pages a second, Each how many connections a client loads one on.
	Rate, Each float64
	// Service is how long a page takes where nothing waits.
	Service time.Duration
	// Think is the time from a page to the client's next, Returns the share of pages that have a
	// next.
	Think   linger.Think
	Returns float64
	// Most is how many connections all clients have together: no more are ever held; 0 is no bound.
	Most float64
}

// Held is how many connections the servers hold on average with an idle timeout, by Little's law:
// as many as come a second, times how long one is held for a page: the service, and the time
// after it until the next page or the timeout. A connection that no next page comes for is idle
// for the whole timeout.
func (l Load) Held(idle time.Duration) float64 {
	after := l.Returns*untilNext(l.Think, idle) + (1-l.Returns)*idle.Seconds()
	held := l.Rate * l.Each * (l.Service.Seconds() + after)
	if l.Most > 0 {
		held = min(held, l.Most)
	}
	return held
}

// Longest is the longest idle timeout with which no more are held than the limit. It is any where
// there is no longest, since not even connections without one exceed it, and false where even
// closing at once does.
func (l Load) Longest(limit float64) (idle time.Duration, any, ok bool) {
	if l.Held(0) > limit {
		return 0, false, false
	}
	const most = 24 * time.Hour
	if l.Held(most) <= limit {
		return 0, true, true
	}
	low, high := time.Duration(0), most
	for high-low > time.Millisecond {
		if middle := (low + high) / 2; l.Held(middle) <= limit {
			low = middle
		} else {
			high = middle
		}
	}
	return low.Truncate(time.Millisecond), false, true
}

// untilNext is the mean of the lesser of think time and timeout, in seconds.
func untilNext(t linger.Think, idle time.Duration) float64 {
	x, least, most := idle.Seconds(), t.Least.Seconds(), t.Most.Seconds()
	switch {
	case t.Random:
		return least * -math.Expm1(-x/least)
	case most <= least || x <= least:
		return min(x, least)
	case x >= most:
		return (least + most) / 2
	}
	// Those below x as they are, on average in the middle; the others x.
	below := (x - least) / (most - least)
	return below*(least+x)/2 + (1-below)*x
}

// room is how many connections the servers have room for at once, all together; false where they
// have no limit.
func room(c policy.Capacity, crowd linger.Crowd) (float64, bool) {
	limit := c.Workers
	if c.MaxConnections > 0 && (limit == 0 || c.MaxConnections < limit) {
		limit = c.MaxConnections
	}
	return float64(limit * max(1, crowd.Backends)), limit > 0
}

// loadOf is what the crowd asks of its servers, by what pages take in a row in which few wait, and
// by how many connections a client keeps. Where clients come at a rate and leave again, as many
// pages are wanted as come with them; all of them together want no more than their number allows.
func loadOf(c linger.Crowd, service time.Duration, each float64) Load {
	l := Load{Each: each, Service: service, Think: c.Think, Returns: 1, Most: float64(c.Clients) * each}
	cycle := (service + c.Think.Mean()).Seconds()
	if cycle > 0 {
		l.Rate = float64(c.Clients) / cycle
	}
	if c.Visits > 0 {
		l.Returns = float64(c.Visits-1) / float64(c.Visits)
		if c.Arrivals > 0 {
			l.Rate = min(l.Rate, c.Arrivals*float64(c.Visits))
		}
	}
	if c.Visits == 1 && c.Arrivals > 0 {
		l.Rate = c.Arrivals // who comes for one page does not come again
	}
	return l
}
