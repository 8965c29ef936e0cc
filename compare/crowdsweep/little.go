package crowdsweep

import (
	"math"
	"time"

	"linger"
)

// Held is how many connections so many clients hold on average at a server that lets each of them
// idle for at most so long, by Little's law (Little 1961, "A Proof for the Queuing Formula: L = λ
// W"): a client wants a page each S + E[Z], its page time and its think time, and holds its
// connections for S + E[min(T, Z)] of that. An idle time of 0 is no limit. It is what is held where
// no connection has to wait; of a server for fewer, it says that they are all held.
func Held(clients, connections float64, page, idle time.Duration, think linger.Think) float64 {
	s, z := page.Seconds(), think.Mean().Seconds()
	if s+z == 0 {
		return clients * connections
	}
	return clients * connections * (s + idled(idle, think)) / (s + z)
}

// idled is E[min(T, Z)] in seconds: how long a connection idles between two pages.
func idled(idle time.Duration, think linger.Think) float64 {
	t, least, most := idle.Seconds(), think.Least.Seconds(), think.Most.Seconds()
	switch {
	case idle == 0:
		return think.Mean().Seconds()
	case think.Random:
		return least * -math.Expm1(-t/least)
	case most <= least || t <= least || t >= most:
		return min(t, think.Mean().Seconds())
	}
	return ((t*t-least*least)/2 + t*(most-t)) / (most - least)
}
