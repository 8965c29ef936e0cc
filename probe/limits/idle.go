package limits

import (
	"fmt"
	"slices"
	"time"

	"linger/conformance"
	"linger/profile"
)

// Idle is the limit that connections show which were watched at once, up to uncertainty
// for what the method cannot tell apart. Where some were ended and others were open for
// longer, there is no one limit, and what is known is that none was ended sooner.
func Idle(seen []Sighting, uncertainty time.Duration, method string) profile.Timeout {
	t := profile.Timeout{State: profile.Unknown, Why: "no connection could be watched"}
	var ended, open []time.Duration
	var unsure time.Duration
	silent := 0
	first := Forever
	for _, s := range seen {
		switch {
		case s.Err != nil:
			t.Why = s.Err.Error()
		case s.How == profile.Silence:
			silent++
		case s.How != "" || s.Said != nil:
			ended = append(ended, s.Idle+(s.more-s.less)/2)
			unsure = max(unsure, (s.more+s.less)/2)
			if s.Idle < first {
				first, t.Ending, t.Said, t.Closing = s.Idle, s.How.After(s.Said), s.Said, s.Closing
			}
		default:
			open = append(open, s.Idle-s.less)
		}
	}
	switch {
	case len(ended) > 0:
		t.State, t.Spread, t.Uncertainty = profile.Measured, profile.SpreadOf(ended), profile.Duration(uncertainty+unsure)
		if longest := profile.SpreadOf(open).High; longest > t.High+t.Uncertainty+profile.Slack(t.High) {
			return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: t.Low - t.Uncertainty, N: len(ended) + len(open)}, Method: method,
				Why: SomeEnded(len(ended), len(ended)+len(open), time.Duration(t.Low), time.Duration(longest))}
		}
	case len(open) > 0:
		t.State, t.Ending, t.Said, t.Closing = profile.AtLeast, "", nil, nil
		t.Low, t.N = profile.SpreadOf(open).Low, len(open)
	case silent > 0:
		t.Ending = profile.Silence
		t.Why = "it fell silent at some time: no end came, and what was sent at last was neither answered nor refused"
	}
	if t.State != profile.Unknown {
		t.Why, t.Method = "", method
	}
	return t
}

// AfterResponse is the limit of connections some of which had a small response and
// others the ordinary one. Where both agree, the small ones count, which tell
// it better. It says, too, how far apart the server looks for those whose time is over.
func AfterResponse(seen []Sighting, uncertainty time.Duration, small bool, limitOf func([]Sighting, time.Duration, string) profile.Timeout) (limit profile.Timeout, step time.Duration) {
	const method = "connections that had one response were left alone until the server ended them"
	if !small {
		return limitOf(seen, uncertainty, method), Sweep(seen, uncertainty, true)
	}
	short := slices.DeleteFunc(slices.Clone(seen), func(s Sighting) bool { return s.Long })
	step = Sweep(short, uncertainty, true)
	limit = limitOf(short, uncertainty, method+"; the response was a small one, since the ordinary one takes more than one flight")
	long := limitOf(slices.DeleteFunc(slices.Clone(seen), func(s Sighting) bool { return !s.Long }), uncertainty, method)
	if limit.State == profile.Unknown {
		return limitOf(seen, uncertainty, method), step
	}
	if low, high, ok := long.Interval(); ok {
		l, h, _ := limit.Interval()
		if near := profile.Slack(l); l > high+near || low > h+near {
			return limitOf(seen, uncertainty, method), step
		}
	}
	return limit, step
}

// Asked is what came of a connection that looked open and was asked again after a wait.
// Where it is neither answered nor failed, nothing is known.
type Asked struct {
	Wait     time.Duration
	Answered bool
	How      profile.Ending // what came instead of an answer
}

// Bracket returns the longest wait after which a connection answered, and the shortest after
// which one did not, with what came instead.
func Bracket(seen []Asked) (answered, failed time.Duration, how profile.Ending) {
	for _, s := range seen {
		switch {
		case s.Answered:
			answered = max(answered, s.Wait)
		case s.How != "" && (how == "" || s.Wait < failed):
			failed, how = s.Wait, s.How
		}
	}
	return answered, failed, how
}

// Reconcile puts together the limit that was watched and the one that asking again has
// shown, over a path of that round trip and uncertainty.
func Reconcile(watched profile.Timeout, looked conformance.AskedAgain, rtt, uncertainty time.Duration) (profile.Timeout, conformance.AskedAgain) {
	if watched.State == profile.Measured && looked.How == profile.AtRequest && (looked.Failed-time.Duration(watched.Median)).Abs() < max(100*time.Millisecond, 2*rtt) {
		looked.How = "" // its ordinary end has met a request
	}
	if _, high, ok := watched.Interval(); ok && watched.State == profile.Measured && profile.Duration(looked.Answered) > high+profile.Slack(high) {
		return profile.Timeout{
			State: profile.AtLeast, Spread: profile.Spread{Low: watched.Low - watched.Uncertainty, N: watched.N}, Method: watched.Method,
			Why: SomeEnded(watched.N, watched.N+1, time.Duration(watched.Low), looked.Answered),
		}, looked
	}
	if looked.Bracketed = looked.How != "" && watched.State != profile.Measured; !looked.Bracketed {
		return watched, looked
	}
	middle := (looked.Answered + looked.Failed) / 2
	return profile.Timeout{
		State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{middle}),
		Uncertainty: profile.Duration((looked.Failed-looked.Answered)/2 + uncertainty), Ending: looked.How,
		Method: "connections that looked open were asked again after waits that differed: the longest that was answered and the shortest that was not bracket the limit",
	}, looked
}

// BeyondAge is an idle limit where connections live no longer than age: those that were
// left alone were as old when they ended, and the limit of idleness lies beyond.
func BeyondAge(idle, age profile.Timeout) profile.Timeout {
	if age.State != profile.Measured || idle.State != profile.Measured || idle.Median+profile.Slack(age.Median) < age.Low-age.Uncertainty {
		return idle
	}
	return profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: idle.Low, N: idle.N}, Method: idle.Method}
}

// aged tells an age, or how long something was idle, for a sentence.
func aged(d time.Duration) string { return profile.Duration(d.Round(10 * time.Millisecond)).String() }

// SomeEnded says that there is no one limit: some ended after first, and one lived on.
func SomeEnded(n, all int, first, lived time.Duration) string {
	return fmt.Sprintf("there is no one limit: of %d connections %d ended, the first after %s, and another was open after %s", all, n, aged(first), aged(lived))
}
