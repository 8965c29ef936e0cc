package limits

import (
	"cmp"
	"fmt"
	"time"

	"linger"
	"linger/profile"
)

// A Life is that of a connection that was kept busy.
type Life struct {
	Requests int
	good     time.Duration // its age at the last request whose response did not end it
	Low      time.Duration // when it was last seen to be open
	High     time.Duration // when it was seen to have ended, or to be about to
	Ended    bool
	Exact    bool          // the end came by itself, so that high is when it ended
	Said     bool          // a response said that it ends
	Idle     time.Duration // before such an end, or before the request that met with it
	How      profile.Ending
	Err      error
}

// Answered notes a response to a request that was sent at an age.
func (l *Life) Answered(age time.Duration) {
	l.Requests++
	l.good, l.Low = age, age
}

// Told notes a response that came at an age and said that the connection ends.
func (l *Life) Told(age time.Duration) {
	l.Requests++
	l.High, l.Ended, l.Said, l.How = age, true, true, profile.FIN
}

// Failed notes a request that was not answered, and whether the connection had ended.
func (l *Life) Failed(age time.Duration, err error, ended bool) {
	l.High, l.Ended, l.Err = age, ended, err
}

// from is an age at which the connection was still to be used.
func (l Life) from() time.Duration {
	if l.Exact {
		return l.High
	}
	return l.good
}

const agedMethod = "connections were kept busy, with pauses that differed, until the server ended them"

// Age is what the lives of busy connections tell of a maximum age, where limit is
// how many requests the server is known to allow, and most how many one connection had.
//
// An end that neither idleness nor a number of requests explains is one of age. Ends in
// a response bracket it: the connection was still good for the request before. Where
// the connections do not agree there is no one age, and what is shown reaches from the
// youngest to the oldest; where some of them lived on, what is known is that none ended
// sooner. No bound is ever beyond what a connection was seen to end at. A connection that is
// open, and was not asked since, tells nothing of an age that is looked at when a request comes.
func Age(lives []Life, idle profile.Timeout, limit linger.Opt[int], most int, uncertainty time.Duration) profile.Timeout {
	ends, others, why := agedOnly(lives, idle, limit)
	if len(ends) > 0 {
		return ageOf(ends, others, most, uncertainty)
	}
	var alive time.Duration
	for _, l := range others {
		alive = max(alive, l.good)
	}
	if alive > 0 {
		// One of them has lived for so long, whatever ended it.
		return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(alive), N: 1}, Method: agedMethod}
	}
	return profile.Timeout{State: profile.Unknown, Method: agedMethod, Why: cmp.Or(why, "no connection could be kept busy")}
}

// agedOnly parts the lives that only their age can have ended from the others, and says what
// explains the last of those.
func agedOnly(lives []Life, idle profile.Timeout, limit linger.Opt[int]) (ends, others []Life, why string) {
	allowed, limited := limit.Get()
	for _, l := range lives {
		switch {
		case l.Err != nil && !l.Ended:
			why = l.Err.Error()
		case l.Ended && limited && l.Requests >= allowed:
			why = "the connections that were kept busy had carried as many requests as the server allows"
		case l.Ended && !l.Said && l.Idle > time.Duration(idle.Low)*8/10:
			why = "the connections that were to be kept busy were idle for too long"
		case l.Ended:
			ends = append(ends, l)
			continue
		}
		others = append(others, l)
	}
	if !limited && len(ends) > 1 && sameNumber(ends) {
		return nil, lives, fmt.Sprintf("the connections that were kept busy ended behind the same number of requests (%d)", ends[0].Requests)
	}
	return ends, others, why
}

// ageOf is the age at which lives ended, where others did not for their age.
func ageOf(ends, others []Life, most int, uncertainty time.Duration) profile.Timeout {
	t := profile.Timeout{State: profile.Measured, Method: agedMethod, Ending: ends[0].How}
	exact := true
	low, high, oldest := time.Duration(0), Forever, time.Duration(0)
	youngest := Forever
	for _, l := range ends {
		low, high, oldest, youngest = max(low, l.from()), min(high, l.High), max(oldest, l.High), min(youngest, l.from())
		exact = exact && l.Exact
	}
	survived := time.Duration(0)
	for _, l := range others {
		if survived = max(survived, l.good); exact {
			survived = max(survived, l.Low)
		}
	}
	near := uncertainty
	if exact {
		near += time.Duration(profile.Slack(profile.Duration(high)))
	}
	switch {
	case survived > high+near:
		return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(youngest), N: len(ends) + len(others)}, Method: agedMethod,
			Why: SomeEnded(len(ends), len(ends)+len(others), high, survived)}
	case len(ends) == 1 && most <= ends[0].Requests:
		return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(youngest), N: 1}, Method: agedMethod,
			Why: fmt.Sprintf("a busy connection ended at an age of %s, and behind more requests than any other had", aged(high))}
	}
	switch {
	case exact:
		highs := make([]time.Duration, len(ends))
		for i, l := range ends {
			highs[i] = l.High
		}
		t.Spread, t.Uncertainty = profile.SpreadOf(highs), profile.Duration(uncertainty)
	case low <= high+near:
		low = min(max(low, survived), high)
		t.Spread = profile.SpreadOf([]time.Duration{(low + high) / 2})
		t.Uncertainty = profile.Duration((high-low)/2 + uncertainty)
		t.N = len(ends)
	default:
		t.Spread = profile.SpreadOf([]time.Duration{youngest, oldest})
		t.Uncertainty = profile.Duration(uncertainty)
	}
	return t
}

func sameNumber(lives []Life) bool {
	for _, l := range lives {
		if l.Requests != lives[0].Requests {
			return false
		}
	}
	return true
}

// AgedOut reports whether the connection that was asked most ended at the age at which
// busy ones do, so that its number of requests is no limit of the server's.
func (l Life) AgedOut(age profile.Timeout) bool {
	low, high, ok := age.Interval()
	return ok && age.State == profile.Measured && l.Ended && profile.Duration(l.High) >= low && profile.Duration(l.from()) <= high+profile.Slack(high)
}
