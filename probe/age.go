package probe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"linger"
	"linger/profile"
)

// A life is that of a connection that was kept busy.
type life struct {
	requests int
	good     time.Duration // its age when the last response came that did not end it
	low      time.Duration // when it was last seen to be open
	high     time.Duration // when it was seen to have ended, or to be about to
	ended    bool
	exact    bool          // the end came by itself, so that high is when it ended
	said     bool          // a response said that it ends
	idle     time.Duration // before such an end, or before the request that met with it
	how      profile.Ending
	err      error
}

// heard takes what came of a request on c, and reports whether the connection goes on.
func (l *life) heard(c *conn, a answer, err error) bool {
	age := time.Since(c.established)
	switch {
	case err != nil:
		l.high, l.ended, l.err = age, ends(err), err
		return false
	case a.close:
		l.requests++
		l.high, l.ended, l.said, l.how = age, true, true, profile.FIN
		return false
	}
	l.requests++
	l.good, l.low = age, age
	return true
}

// from is an age at which the connection was still to be used.
func (l life) from() time.Duration {
	if l.exact {
		return l.high
	}
	return l.good
}

// ageHTTP1 keeps connections busy until waiting ends.
func ageHTTP1(ctx context.Context, p *prober) {
	wait, cancel := p.wait(ctx)
	defer cancel()
	lives := make([]life, p.few(2))
	requests, pauses := [...]int{agedHTTP1, agedRarelyHTTP1}, [...]time.Duration{250 * time.Millisecond, 600 * time.Millisecond}
	var all sync.WaitGroup
	for i := range lives {
		all.Go(func() { lives[i] = p.live(ctx, wait, requests[i], pauses[i]) })
	}
	all.Wait()
	p.note(func(f *http1Facts) { f.lives = lives })
}

// live keeps one connection busy by requests, with pauses that double from the first
// on, as long as they are well below the idle limit, where that is known.
func (p *prober) live(ctx, wait context.Context, requests int, pause time.Duration) (l life) {
	c, err := p.open(ctx, nil)
	if err != nil {
		l.err = err
		return l
	}
	defer c.drop()
	for l.requests < requests {
		if l.requests > 0 {
			l.idle = time.Since(c.last)
		}
		a, err := p.exchange(ctx, c, p.small)
		if ctx.Err() != nil {
			return l
		}
		if !l.heard(c, a, err) {
			if l.said {
				p.closes(ctx, c, a, "after a response to a connection that was kept busy")
			}
			return l
		}
		next := pause
		p.note(func(f *http1Facts) {
			if f.Watched.State == profile.Measured {
				next = min(pause, time.Duration(f.Watched.Low)*6/10)
			}
		})
		pause *= 2
		until, stop := context.WithTimeout(wait, next)
		e := c.awaitEnd(until)
		stop()
		if e.how != "" {
			l.high, l.ended, l.exact, l.how = e.at.Sub(c.established), true, true, e.how
			l.idle = e.at.Sub(c.last)
			return l
		}
		l.low = time.Since(c.established)
		if e.err != nil || wait.Err() != nil {
			return l
		}
	}
	return l
}

const agedMethod = "connections were kept busy, with pauses that differed, until the server ended them"

// ageOf is what the lives of busy connections tell of a maximum age, where limit is
// how many requests the server is known to allow, and most how many one connection had.
//
// An end that neither idleness nor a number of requests explains is one of age. Ends in
// a response bracket it: the connection was still good for the request before. Where
// the connections do not agree there is no one age, and what is shown reaches from the
// youngest to the oldest; where some of them lived on, what is known is that none ended
// sooner. No bound is ever beyond what a connection was seen to end at.
func ageOf(lives []life, idle profile.Timeout, limit linger.Opt[int], most int, doubt time.Duration) profile.Timeout {
	t := profile.Timeout{State: profile.Unknown, Method: agedMethod}
	allowed, limited := limit.Get()
	var ends, others []life
	for _, l := range lives {
		switch {
		case l.err != nil && !l.ended:
			t.Why = l.err.Error()
		case l.ended && limited && l.requests >= allowed:
			t.Why = "the connections that were kept busy had carried as many requests as the server allows"
		case l.ended && !l.said && l.idle > time.Duration(idle.Low)*8/10:
			t.Why = "the connections that were to be kept busy were idle for too long"
		case l.ended:
			ends = append(ends, l)
			continue
		}
		others = append(others, l)
	}
	if !limited && len(ends) > 1 && sameNumber(ends) {
		t.Why = fmt.Sprintf("the connections that were kept busy ended behind the same number of requests (%d)", ends[0].requests)
		ends, others = nil, lives
	}
	if len(ends) == 0 {
		var alive time.Duration
		for _, l := range others {
			alive = max(alive, l.low)
		}
		if alive > 0 {
			// One of them has lived for so long, whatever ended it.
			return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(alive), N: 1}, Method: agedMethod}
		}
		if t.Why == "" {
			t.Why = "no connection could be kept busy"
		}
		return t
	}
	t.Why, t.Ending = "", ends[0].how
	exact := true
	low, high, oldest := time.Duration(0), forever, time.Duration(0)
	youngest := forever
	for _, l := range ends {
		low, high, oldest, youngest = max(low, l.from()), min(high, l.high), max(oldest, l.high), min(youngest, l.from())
		exact = exact && l.exact
	}
	survived := time.Duration(0)
	for _, l := range others {
		if survived = max(survived, l.good); exact {
			survived = max(survived, l.low)
		}
	}
	near := doubt
	if exact {
		near += time.Duration(profile.Slack(profile.Duration(high)))
	}
	switch {
	case survived > high+near:
		return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(youngest), N: len(lives)}, Method: agedMethod,
			Why: someEnded(len(ends), len(ends)+len(others), high, survived)}
	case len(ends) == 1 && most <= ends[0].requests:
		return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(youngest), N: 1}, Method: agedMethod,
			Why: fmt.Sprintf("a busy connection ended at an age of %s, and behind more requests than any other had", aged(high))}
	}
	t.State = profile.Measured
	switch {
	case exact:
		highs := make([]time.Duration, len(ends))
		for i, l := range ends {
			highs[i] = l.high
		}
		t.Spread, t.Uncertainty = profile.SpreadOf(highs), profile.Duration(doubt)
	case low <= high+near:
		low = min(max(low, survived), high)
		t.Spread = profile.SpreadOf([]time.Duration{(low + high) / 2})
		t.Uncertainty = profile.Duration((high-low)/2 + doubt)
		t.N = len(ends)
	default:
		t.Spread = profile.SpreadOf([]time.Duration{youngest, oldest})
		t.Uncertainty = profile.Duration(doubt)
	}
	return t
}

func sameNumber(lives []life) bool {
	for _, l := range lives {
		if l.requests != lives[0].requests {
			return false
		}
	}
	return true
}

// aged tells an age, or how long something was idle, for a sentence.
func aged(d time.Duration) string { return profile.Duration(d.Round(10 * time.Millisecond)).String() }

// someEnded says that there is no one limit: some ended after first, and one lived on.
func someEnded(n, all int, first, lived time.Duration) string {
	return fmt.Sprintf("there is no one limit: of %d connections %d ended, the first after %s, and another was open after %s", all, n, aged(first), aged(lived))
}

// agedOut reports whether the connection that was asked most ended at the age at which
// busy ones do, so that its number of requests is no limit of the server's.
func (l life) agedOut(age profile.Timeout) bool {
	low, high, ok := age.Interval()
	return ok && age.State == profile.Measured && l.ended && profile.Duration(l.high) >= low && profile.Duration(l.from()) <= high+profile.Slack(high)
}
