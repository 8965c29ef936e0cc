package limit

import (
	"slices"
	"time"
)

// Counts are what was seen of a server's limits of requests and of age.
type Counts struct {
	ends map[int]int // requests on connections that ended with a response, how often
	N    int         // of those
	// Exceeded is the most requests on a connection of which the server let it go on.
	Exceeded int
	// Said is the limit that it announced (Keep-Alive: max).
	Said int
	// ages are of the ends; SurvivedAge is the greatest age at which a response did not end
	// a connection.
	ages        Values
	leastAge    time.Duration
	greatestAge time.Duration
	SurvivedAge time.Duration
	Timed       Values // ages at which connections ended, with or without a response
	TimedIdle   Values
	Oldest      time.Duration // that a connection was seen to become
	Trip        time.Duration // the longest round trip to a client of those in Timed
}

// End counts a connection that the server ended with its response to so many requests, at an age.
func (k *Counts) End(number int, age time.Duration) {
	if k.ends == nil {
		k.ends = map[int]int{}
	}
	if _, ok := k.ends[number]; ok || len(k.ends) < maxEnds {
		k.ends[number]++
	}
	if k.N == 0 {
		k.leastAge = age
	}
	k.N++
	k.leastAge, k.greatestAge = min(k.leastAge, age), max(k.greatestAge, age)
	k.ages.Add(age.Seconds())
}

// Requests returns after how many requests the server ends connections, where that is
// one number: nearly all that it ended with a response had it, and none more.
func (k *Counts) Requests() (limit, n int, ok bool) {
	for number, times := range k.ends {
		if times > n || times == n && number < limit {
			limit, n = number, times
		}
	}
	if k.Said > 1 && (n == 0 || k.ends[k.Said] > 0) && k.Exceeded < k.Said {
		return k.Said, k.ends[k.Said], k.ends[k.Said] > 0
	}
	return limit, n, n >= 2 && limit > 1 && k.Exceeded < limit && 10*n >= 9*k.N
}

// asOld reports whether an age explains all that ended after as many requests, too: each
// was then older than any had been that a response let go on. At an even pace nobody can
// tell which it was, if the server has not said it.
func (k *Counts) asOld() bool {
	return k.Said <= 1 && k.leastAge >= Idles && k.SurvivedAge < k.leastAge && k.SurvivedAge >= k.leastAge/2
}

// SoleRequests is Requests where nothing else explains it.
func (k *Counts) SoleRequests() (limit, n int, ok bool) {
	limit, n, ok = k.Requests()
	return limit, n, ok && !k.asOld()
}

// IsRequests reports whether a server ends connections after so many requests.
func (k *Counts) IsRequests(number int) bool {
	limit, _, ok := k.Requests()
	return ok && number == limit
}

// Age returns the bracket of the age at which the server ends connections.
func (k *Counts) Age() (low, high time.Duration, timed, ok bool) {
	if n := len(k.Timed.Kept); n >= 3 {
		least, greatest := slices.Min(k.Timed.Kept), slices.Max(k.Timed.Kept)
		jitter := greatest - least
		sorted := slices.Sorted(slices.Values(k.TimedIdle.Kept))
		idleSpread := (sorted[n-1] - sorted[0]) / max(0.001, sorted[n/2])
		// Ages agree, and idle times do not.
		if alike := jitter <= uncertainty(least) || n >= 5 && jitter <= least/4; alike && least >= Idles.Seconds() && idleSpread >= 0.1 && 4*jitter/least <= idleSpread &&
			k.Oldest.Seconds() <= greatest+uncertainty(greatest) {
			low := Seconds(least) - k.Trip
			if k.N > 0 || k.SurvivedAge > low {
				low = min(k.SurvivedAge, Seconds(least))
			}
			return low, Seconds(greatest), true, true
		}
	}
	if _, _, limited := k.Requests(); !limited && k.N >= 3 && len(k.ends) > 1 && k.leastAge >= Idles {
		// A response at the age of low let its connection go on, one at high did not;
		// limits are jittered by a tenth either way, often.
		exact := k.SurvivedAge <= k.leastAge*102/100
		if (exact || k.N >= 5 && k.SurvivedAge <= k.leastAge*5/4) && k.SurvivedAge >= k.leastAge/2 {
			return min(k.SurvivedAge, k.leastAge), max(k.leastAge, k.SurvivedAge), false, true
		}
	}
	return 0, 0, false, false
}

// IsAge reports whether a connection was ended for its age; idled says that its idling explains
// it, too.
func (k *Counts) IsAge(age time.Duration, idled bool) bool {
	low, high, timed, ok := k.Age()
	switch {
	case !ok:
		return false
	case timed:
		return age >= low-Seconds(0.1) && age <= high+Seconds(0.1)
	}
	return !idled && age >= low
}

// maxEnds bounds how many different numbers of requests are counted.
const maxEnds = 1024
