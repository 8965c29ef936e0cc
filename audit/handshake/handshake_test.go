package handshake

import (
	"fmt"
	"testing"
	"time"

	"linger"
	"linger/trace"
)

func at(seconds float64) linger.Instant { return linger.Instant(seconds * 1e9) }

// one is a handshake that asks or not, is resumed or not, and gives tickets for so long.
func one(address string, begins float64, asked, resumed bool, tickets int64, life time.Duration) Handshake {
	t := trace.TLS{Version: "1.3", Asked: linger.Known(asked), Resumed: resumed, Tickets: linger.Known(tickets)}
	if life >= 0 {
		t.Lifetime = linger.Known(life)
	}
	return Handshake{Key: Key{Client: "c", Server: "a.example443"}, Address: address, At: at(begins), Given: at(begins + 1), TLS: t}
}

func TestJudge(t *testing.T) {
	const unsaid = -1
	for _, test := range []struct {
		name string
		all  []Handshake
		want Verdict
	}{
		{"the first", []Handshake{one("s1", 0, false, false, 2, time.Hour)}, Verdict{}},
		{"not asked", []Handshake{one("s1", 0, false, false, 2, time.Hour), one("s1", 5, false, false, 0, 0)}, Verdict{Unused, at(1), "s1"}},
		{"too early", []Handshake{one("s1", 0, false, false, 2, time.Hour), one("s1", .5, false, false, 0, 0)}, Verdict{}},
		{"too late", []Handshake{one("s1", 0, false, false, 2, 3*time.Second), one("s1", 5, false, false, 0, 0)}, Verdict{}},
		{"five minutes where nothing is said", []Handshake{one("s1", 0, false, false, 2, unsaid), one("s1", 300, false, false, 0, 0)}, Verdict{Unused, at(1), "s1"}},
		{"and no more", []Handshake{one("s1", 0, false, false, 2, unsaid), one("s1", 302, false, false, 0, 0)}, Verdict{}},
		{"to be discarded", []Handshake{one("s1", 0, false, false, 2, 0), one("s1", 5, false, false, 0, 0)}, Verdict{}},
		{"refused", []Handshake{one("s1", 0, false, false, 2, time.Hour), one("s1", 5, true, false, 0, 0)}, Verdict{Refused, at(1), "s1"}},
		{"refused elsewhere", []Handshake{one("s1", 0, false, false, 2, time.Hour), one("s2", 5, true, false, 0, 0)}, Verdict{Refused, at(1), "s1"}},
		{"its own goes first", []Handshake{one("s2", 0, false, false, 2, time.Hour), one("s1", 2, false, false, 2, time.Hour), one("s2", 5, true, false, 0, 0)}, Verdict{Refused, at(1), "s2"}},
		{"refused, of before the recording", []Handshake{one("s1", 5, true, false, 0, 0)}, Verdict{Outcome: Refused}},
		{"used up", []Handshake{one("s1", 0, false, false, 1, time.Hour), one("s1", 5, true, true, 0, 0), one("s1", 9, false, false, 0, 0)}, Verdict{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s Sessions
			var got Verdict
			for _, h := range test.all {
				got = s.Judge(h)
			}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}

// What is remembered is bounded.
func TestSessionsAreBounded(t *testing.T) {
	var s Sessions
	for i := range mostKeys + 1000 {
		h := one("s1", float64(i), false, false, 2, time.Hour)
		h.Key.Client = fmt.Sprint(i)
		s.Judge(h)
	}
	if n := len(s.of); n > mostKeys {
		t.Errorf("%d keys", n)
	}
	for i := range 100 {
		s.Judge(one("s1", float64(40_000+i), false, false, 2, time.Hour))
	}
	if n := len(s.of[Key{Client: "c", Server: "a.example443"}]); n > mostGrants {
		t.Errorf("%d grants", n)
	}
}

func TestTrips(t *testing.T) {
	for _, test := range []struct {
		trace.TLS
		want int
	}{
		{trace.TLS{Version: "1.2"}, 2}, {trace.TLS{Version: "1.2", Resumed: true}, 1}, {trace.TLS{Version: "1.3"}, 1}, {trace.TLS{Version: "1.3", Resumed: true}, 1},
		{trace.TLS{Version: "1.3", Retried: true}, 2}, {trace.TLS{Version: "1.3", Resumed: true, EarlyData: linger.Known(true)}, 0}, {trace.TLS{Version: "1.3", EarlyData: linger.Known(false)}, 1},
	} {
		if got := Trips(test.TLS); got != test.want {
			t.Errorf("%+v: %d, want %d", test.TLS, got, test.want)
		}
	}
}

// Nothing is said of what was not seen.
func TestSum(t *testing.T) {
	var s Sum
	if _, ok := s.Section(); ok {
		t.Error("there is nothing")
	}
	s.Add(trace.TLS{Version: "1.3"}, false, Ending{FIN: trace.AtServer, Whole: true})
	x, ok := s.Section()
	if !ok || !x.Keys.IsZero() || !x.Unused.IsZero() || x.Unnotified.Of != 0 || !x.ResumedShare().IsZero() || !x.DecryptedShare().IsZero() {
		t.Errorf("%+v", x)
	}
	s.Add(trace.TLS{Version: "1.2", Keys: trace.WrongKeys, Session: true}, true, Ending{FIN: trace.AtServer, Whole: true})
	s.Took(trace.TLS{Version: "1.2", Up: 300, Down: 2700, Certificates: 2000}, 20*time.Millisecond, 2)
	s.Took(trace.TLS{Version: "1.2", Resumed: true}, -1, 1)
	x, _ = s.Section()
	if x.Keys != linger.Known(Keys{With: 1, Wrong: 1}) || x.Inferred != 1 || x.Unused != linger.Known(0) || x.Unnotified != (Unnotified{Server: 1, Of: 1}) || x.ResumedShare() != linger.Known(.5) ||
		x.Full.Time != linger.Known(20.) || x.Full.Bytes != linger.Known(3000.) || !x.Resumed.Time.IsZero() || x.Resumed.N != 1 || x.DecryptedShare() != linger.Known(0.) {
		t.Errorf("%+v", x)
	}
}
