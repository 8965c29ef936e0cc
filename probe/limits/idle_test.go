package limits

import (
	"strings"
	"testing"
	"time"

	"linger/conformance"
	"linger/profile"
)

const ms = time.Millisecond

// ended is a connection that the server ended after so much idleness, open one that
// outlived waiting.
func ended(idle time.Duration, how profile.Ending) Sighting {
	return Sighting{End: End{How: how}, Idle: idle}
}

func open(idle time.Duration) Sighting { return Sighting{Idle: idle} }

// long is a sighting behind the ordinary response, where others had a small one.
func long(s Sighting) Sighting {
	s.Long = true
	return s
}

// told is a limit without what was not asked about: the ends of its interval, and how.
func told(t profile.Timeout) (low, high time.Duration) {
	l, h, _ := t.Interval()
	return time.Duration(l), time.Duration(h)
}

func TestIdleLimitOfSeveralConnections(t *testing.T) {
	t.Parallel()
	said := ended(3000*ms, profile.FIN)
	said.Said = &profile.Said{Status: 408, Text: "Request Timeout"}
	unsure := ended(3000*ms, profile.FIN)
	unsure.less, unsure.more = 20*ms, 60*ms
	for _, test := range []struct {
		name      string
		seen      []Sighting
		state     profile.State
		low, high time.Duration
		ending    profile.Ending
		why       string
	}{
		{"none could be opened", []Sighting{{End: End{Err: errOpen}}}, profile.Unknown, 0, 0, "", "could not be opened"},
		{"nothing was watched", nil, profile.Unknown, 0, 0, "", "no connection could be watched"},
		{"all ended at about the same time", []Sighting{ended(3000*ms, profile.FIN), ended(3010*ms, profile.FIN)}, profile.Measured, 2995 * ms, 3015 * ms, profile.FIN, ""},
		{"the first to end says how", []Sighting{ended(3010*ms, profile.RST), ended(3000*ms, profile.FIN)}, profile.Measured, 2995 * ms, 3015 * ms, profile.FIN, ""},
		{"the clock may have begun sooner or later", []Sighting{unsure}, profile.Measured, 2975 * ms, 3065 * ms, profile.FIN, ""},
		{"a response came into the idleness", []Sighting{said}, profile.Measured, 2995 * ms, 3005 * ms, profile.FIN.After(said.Said), ""},
		{"all are open", []Sighting{open(8000 * ms), open(7500 * ms)}, profile.AtLeast, 7500 * ms, 0, "", ""},
		{"one is open for a little longer", []Sighting{ended(3000*ms, profile.FIN), open(3080 * ms)}, profile.Measured, 2995 * ms, 3005 * ms, profile.FIN, ""},
		{"one is open for much longer", []Sighting{ended(3000*ms, profile.FIN), open(8000 * ms)}, profile.AtLeast, 2995 * ms, 0, "", "of 2 connections 1 ended"},
		{"one fell silent and the others ended", []Sighting{ended(3000*ms, profile.FIN), ended(9000*ms, profile.Silence)}, profile.Measured, 2995 * ms, 3005 * ms, profile.FIN, ""},
		{"all fell silent", []Sighting{ended(9000*ms, profile.Silence)}, profile.Unknown, 0, 0, profile.Silence, "fell silent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Idle(test.seen, 5*ms, "so")
			low, high := told(got)
			if got.State != test.state || low != test.low || test.high != 0 && high != test.high {
				t.Errorf("it is %s, %v to %v; want %s, %v to %v", got.State, low, high, test.state, test.low, test.high)
			}
			if got.Ending != test.ending || !strings.Contains(got.Why, test.why) || (test.why == "") != (got.Why == "") {
				t.Errorf("it is ended by %q (%q), want %q (%q)", got.Ending, got.Why, test.ending, test.why)
			}
			if known := got.State != profile.Unknown; known != (got.Method == "so") {
				t.Errorf("the method of a limit that is %s is %q", got.State, got.Method)
			}
		})
	}
}

// TestLimitBehindSmallResponses: they tell the limit better, unless those behind the
// ordinary response contradict them.
func TestLimitBehindSmallResponses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		small bool
		seen  []Sighting
		low   time.Duration
		n     int
	}{
		{"all are alike", false, []Sighting{ended(3000*ms, profile.FIN), ended(3010*ms, profile.FIN)}, 2995 * ms, 2},
		{"both kinds agree", true, []Sighting{long(ended(3050*ms, profile.FIN)), ended(3000*ms, profile.FIN)}, 2995 * ms, 1},
		{"the long one has another limit", true, []Sighting{long(ended(5000*ms, profile.FIN)), ended(3000*ms, profile.FIN)}, 2995 * ms, 2},
		{"no small one could be watched", true, []Sighting{long(ended(3000*ms, profile.FIN)), {End: End{Err: errOpen}}}, 2995 * ms, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			limit, _ := AfterResponse(test.seen, 5*ms, test.small, Idle)
			if low, _ := told(limit); limit.State != profile.Measured || low != test.low || limit.N != test.n {
				t.Errorf("it is %s from %v on, of %d; want %v, of %d", limit.State, low, limit.N, test.low, test.n)
			}
		})
	}
}

func TestBracketOfConnectionsThatWereAskedAgain(t *testing.T) {
	t.Parallel()
	answered, failed, how := Bracket([]Asked{
		{Wait: 1 * time.Second, Answered: true}, {Wait: 9 * time.Second, How: profile.Silence},
		{Wait: 3 * time.Second, How: profile.AtRequest}, {Wait: 2 * time.Second, Answered: true}, {Wait: 20 * time.Second},
	})
	if answered != 2*time.Second || failed != 3*time.Second || how != profile.AtRequest {
		t.Errorf("answered after %v, not after %v (%s)", answered, failed, how)
	}
	if _, failed, how := Bracket([]Asked{{Wait: time.Second, Answered: true}}); failed != 0 || how != "" {
		t.Errorf("where all answered, one failed after %v (%s)", failed, how)
	}
}

// TestWatchedAndAskedAgain puts together what watching and asking again have shown.
func TestWatchedAndAskedAgain(t *testing.T) {
	t.Parallel()
	watched := Idle([]Sighting{ended(3000*ms, profile.FIN)}, 5*ms, "watched")
	open := Idle([]Sighting{open(8000 * ms)}, 5*ms, "watched")
	for _, test := range []struct {
		name      string
		watched   profile.Timeout
		looked    conformance.AskedAgain
		state     profile.State
		low       time.Duration
		how       profile.Ending
		bracketed bool
	}{
		{"nothing failed", watched, conformance.AskedAgain{Answered: 2700 * ms}, profile.Measured, 2995 * ms, "", false},
		{"the ordinary end met a request", watched, conformance.AskedAgain{Answered: 900 * ms, Failed: 3020 * ms, How: profile.AtRequest}, profile.Measured, 2995 * ms, "", false},
		{"a request met an end far from the ordinary one", watched, conformance.AskedAgain{Answered: 300 * ms, Failed: 900 * ms, How: profile.AtRequest}, profile.Measured, 2995 * ms, profile.AtRequest, false},
		{"one answered that should have ended", watched, conformance.AskedAgain{Answered: 8000 * ms}, profile.AtLeast, 2995 * ms, "", false},
		{"they looked open, and fell silent", open, conformance.AskedAgain{Answered: 2000 * ms, Failed: 3000 * ms, How: profile.Silence}, profile.Measured, 1995 * ms, profile.Silence, true},
		{"they looked open, and answered", open, conformance.AskedAgain{Answered: 7000 * ms}, profile.AtLeast, 8000 * ms, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			limit, looked := Reconcile(test.watched, test.looked, 10*ms, 5*ms)
			if low, _ := told(limit); limit.State != test.state || low != test.low {
				t.Errorf("it is %s from %v on (%s), want %s from %v on", limit.State, low, limit.Why, test.state, test.low)
			}
			if looked.How != test.how || looked.Bracketed != test.bracketed {
				t.Errorf("what came is %q, bracketed %v; want %q, %v", looked.How, looked.Bracketed, test.how, test.bracketed)
			}
		})
	}
}

// TestIdleLimitBeyondAnAge: connections that were as old as busy ones become have not
// ended for being idle.
func TestIdleLimitBeyondAnAge(t *testing.T) {
	t.Parallel()
	idle := func(d time.Duration) profile.Timeout { return Idle([]Sighting{ended(d, profile.FIN)}, 5*ms, "idle") }
	age := idle(5000 * ms)
	for _, test := range []struct {
		name      string
		idle, age profile.Timeout
		want      profile.State
	}{
		{"shorter than the age", idle(3000 * ms), age, profile.Measured},
		{"as long as the age", idle(5000 * ms), age, profile.AtLeast},
		{"no age is known", idle(5000 * ms), profile.Timeout{State: profile.AtLeast}, profile.Measured},
	} {
		if got := BeyondAge(test.idle, test.age); got.State != test.want {
			t.Errorf("%s: it is %s, want %s", test.name, got.State, test.want)
		}
	}
}

// TestIdlenessIsReckonedFromWhatTheServerMayHaveSeen works out by hand for how much longer
// or shorter a server may have counted, over a path of 40 ms.
func TestIdlenessIsReckonedFromWhatTheServerMayHaveSeen(t *testing.T) {
	t.Parallel()
	over := Path{Shortest: 40 * ms, RoundTrip: 40 * ms, Jitter: 12 * ms}
	epoch := time.Unix(1000, 0)
	at := func(d time.Duration) time.Time { return epoch.Add(d) }
	for _, test := range []struct {
		name         string
		of           Span
		acknowledges time.Duration
		less, more   time.Duration
	}{
		{"nothing was asked", At(at(0)), TCPAcknowledges, 0, 0},
		{"a response of one flight, at once", Span{at(-40 * ms), at(0), at(0)}, TCPAcknowledges, 0, 0},
		{"one flight, behind a queue", Span{at(-50 * ms), at(0), at(0)}, TCPAcknowledges, 0, 10 * ms},
		{"one flight, of a slow server", Span{at(-940 * ms), at(0), at(0)}, TCPAcknowledges, 0, 14 * ms},
		{"two flights", Span{at(-80 * ms), at(-40 * ms), at(0)}, TCPAcknowledges, 40 * ms, 40 * ms},
		{"QUIC, whose clock an acknowledgement starts", Span{at(-40 * ms), at(0), at(0)}, QUICAcknowledges, 65 * ms, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := Sighting{End: End{At: at(3000 * ms)}}
			s.Reckon(test.of, over, test.acknowledges)
			if s.Idle != 3000*ms || s.less != test.less || s.more != test.more {
				t.Errorf("idle for %v, less %v, more %v; want %v and %v", s.Idle, s.less, s.more, test.less, test.more)
			}
		})
	}
}
