package http1

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/conformance"
	"linger/probe/limits"
	"linger/profile"
)

// TestWhatOneThingExplainsIsNoLimitOfAnother holds requests, ages and idleness against each
// other, over a path of 10 ms.
func TestWhatOneThingExplainsIsNoLimitOfAnother(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	idle := func(d time.Duration) profile.Timeout {
		return profile.Timeout{State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{d}), Ending: profile.FIN}
	}
	// Two connections that were kept busy, and ended by themselves at an age of six seconds.
	aged := []limits.Life{
		{Requests: 8, Low: 5900 * ms, High: 6000 * ms, Ended: true, Exact: true, Idle: 300 * ms},
		{Requests: 5, Low: 5500 * ms, High: 6001 * ms, Ended: true, Exact: true, Idle: 900 * ms},
	}
	told := []limits.Life{
		{Requests: 8, High: 6000 * ms, Ended: true, Said: true}, {Requests: 5, High: 6001 * ms, Ended: true, Said: true},
	}
	for _, test := range []struct {
		name   string
		before profile.Protocol
		see    func(*facts)
		check  func(*testing.T, *facts, profile.Protocol)
		silent bool // nothing is said of the protocol
	}{
		{"nothing was seen", profile.Protocol{}, func(*facts) {}, nil, true},
		{"idleness alone", profile.Protocol{}, func(f *facts) { f.Watched = idle(5000 * ms) }, func(t *testing.T, f *facts, h profile.Protocol) {
			if h.AfterResponse != f.Watched || f.Idle != f.Watched {
				t.Errorf("the limit is %s", h.AfterResponse)
			}
		}, false},
		{"an age ends idle connections, too", profile.Protocol{AfterConnect: idle(6000 * ms), AfterTLS: idle(2000 * ms)}, func(f *facts) {
			f.Watched, f.lives = idle(6000*ms), aged
		}, func(t *testing.T, f *facts, h profile.Protocol) {
			if h.Age.State != profile.Measured || h.Age.Median.String() != "6 s" {
				t.Errorf("the age is %s", h.Age)
			}
			if h.AfterResponse.State != profile.AtLeast || h.AfterConnect.State != profile.AtLeast || h.AfterTLS.State != profile.Measured {
				t.Errorf("idle limits are %s, %s, %s", h.AfterResponse, h.AfterConnect, h.AfterTLS)
			}
		}, false},
		{"an age that is told in responses spares idle ones", profile.Protocol{}, func(f *facts) {
			f.Watched, f.lives = idle(6000*ms), told
		}, func(t *testing.T, f *facts, h profile.Protocol) {
			if h.AfterResponse.State != profile.Measured {
				t.Errorf("the idle limit is %s", h.AfterResponse)
			}
		}, false},
		{"a number of requests that is an age", profile.Protocol{Requests: profile.Count{State: profile.Measured, N: 12}}, func(f *facts) {
			f.Watched, f.lives, f.Requests, f.Announced = idle(9000*ms), aged, linger.Known(12), true
			f.counted = limits.Life{Requests: 12, Low: 5990 * ms, High: 6000 * ms, Ended: true, Exact: true}
		}, func(t *testing.T, f *facts, h profile.Protocol) {
			if h.Requests.State != profile.AtLeast || !strings.Contains(h.Requests.Why, "maximum age") || !f.Requests.IsZero() || f.Announced {
				t.Errorf("requests are %s (%s), in the facts %v", h.Requests, h.Requests.Why, f.Requests)
			}
		}, false},
		{"a last response as slow as the idle limit", profile.Protocol{Requests: profile.Count{State: profile.Measured, N: 3}}, func(f *facts) {
			f.Watched, f.Requests, f.slow = idle(4000*ms), linger.Known(3), 4100*ms
		}, func(t *testing.T, f *facts, h profile.Protocol) {
			if h.Requests.State != profile.AtLeast || !f.Requests.IsZero() {
				t.Errorf("requests are %s, in the facts %v", h.Requests, f.Requests)
			}
		}, false},
		{"each connection ends at once", profile.Protocol{}, func(f *facts) {
			f.Watched, f.Requests = profile.Timeout{State: profile.Unknown, Why: "none"}, linger.Known(1)
		}, func(t *testing.T, f *facts, h profile.Protocol) {
			if h.AfterResponse.State != profile.Unknown || !strings.Contains(h.AfterResponse.Why, "behind one response") {
				t.Errorf("the idle limit is %s (%s)", h.AfterResponse, h.AfterResponse.Why)
			}
		}, false},
		{"silence between two waits", profile.Protocol{}, func(f *facts) {
			f.Watched = profile.Timeout{State: profile.Unknown}
			f.Looked = conformance.AskedAgain{Answered: 2000 * ms, Failed: 3000 * ms, How: profile.Silence}
		}, func(t *testing.T, f *facts, h profile.Protocol) {
			if h.AfterResponse.State != profile.Measured || h.AfterResponse.Ending != profile.Silence || !f.Looked.Bracketed {
				t.Errorf("the idle limit is %s, by %q", h.AfterResponse, h.AfterResponse.Ending)
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var f facts
			f.RTT = 10 * ms
			test.see(&f)
			h, changed := f.together(test.before, 5*ms)
			if changed == test.silent {
				t.Errorf("something is said of the protocol: %v", changed)
			}
			if test.check != nil {
				test.check(t, &f, h)
			}
		})
	}
}
