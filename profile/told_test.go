package profile

import (
	"testing"
	"time"

	"linger"
)

func TestLimitsInBrief(t *testing.T) {
	t.Parallel()
	ms := s / 1000
	for _, test := range []struct {
		name  string
		limit Timeout
		want  string
	}{
		{"one value", limit(5*s+ms, 2*ms), "5.001 s"},
		{"less than a second", limit(250*ms, 2*ms), "250 ms"},
		{"rounded to what is known", limit(75*s, 2*s), "75 s"},
		{"connections that differ", Timeout{State: Measured, Spread: Spread{7 * s, 5 * s, 10 * s, 4}}, "5–10 s"},
		{"of one nobody knows whether it differs", Timeout{State: Measured, Spread: Spread{7 * s, 7 * s, 7 * s, 1}, Uncertainty: 2 * ms}, "7.000 s"},
		{"a lower bound, rounded down", Timeout{State: AtLeast, Spread: Spread{Low: 20*s - ms}}, "≥ 19.9 s"},
		{"a short one", Timeout{State: AtLeast, Spread: Spread{Low: 250*ms + ms/2}}, "≥ 250 ms"},
		{"not measured", Timeout{}, ""},
	} {
		if got := test.limit.Brief(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestLimitThatWasBroken(t *testing.T) {
	t.Parallel()
	ms := s / 1000
	for _, test := range []struct {
		name    string
		limit   Timeout
		besides Duration
		want    bool
	}{
		{"kept", limit(5*s, 2*ms), 0, false},
		{"ended a little before", limit(5*s-90*ms, 2*ms), 0, false},
		{"ended well before", limit(4*s, 2*ms), 0, true},
		{"this side may have been late", limit(4*s, 2*ms), s, false},
		{"as far as the uncertainty reaches", limit(4*s, s), 0, false},
		{"one of several was ended well before", Timeout{State: Measured, Spread: Spread{5 * s, 3 * s, 5 * s, 4}}, 0, true},
		{"waiting ended before", Timeout{State: AtLeast, Spread: Spread{Low: s}}, 0, false},
		{"not measured", Timeout{}, 0, false},
	} {
		if got := test.limit.Broke(5*s, test.besides); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestLimitsAsFigures(t *testing.T) {
	t.Parallel()
	measured := limit(5*s, s/500).Figure("limit")
	if value, ok := measured.Value.Get(); !ok || value != 5000 || measured.Unit != "ms" {
		t.Errorf("it is %v %s", value, measured.Unit)
	}
	if i, ok := measured.Interval.Get(); !ok || i.N != 3 || i.Low.Or(0) != 4998 || i.High.Or(0) != 5002 {
		t.Errorf("it lies in %+v", i)
	}
	least := Timeout{State: AtLeast, Spread: Spread{Low: 20 * s, N: 2}}.Figure("limit")
	if i, ok := least.Interval.Get(); !ok || !least.Value.IsZero() || i.Low.Or(0) != 20000 || !i.High.IsZero() {
		t.Errorf("a lower bound is %+v in %+v", least.Value, i)
	}
	if unknown := (Timeout{}).Figure("limit"); !unknown.Value.IsZero() || !unknown.Interval.IsZero() {
		t.Errorf("what nobody knows is %+v", unknown)
	}
}

func TestEndsAreToldWithTheirReasons(t *testing.T) {
	t.Parallel()
	calm := &Closing{Frame: "GOAWAY", Code: "ENHANCE_YOUR_CALM", Error: true, Text: "too many"}
	for _, test := range []struct {
		how     Ending
		closing *Closing
		want    string
	}{
		{FIN, nil, "FIN"},
		{GOAWAY, &Closing{Frame: "GOAWAY", Code: "NO_ERROR"}, string(GOAWAY)},
		{GOAWAYOpen, calm, `GOAWAY ENHANCE_YOUR_CALM "too many"` + string(GOAWAYOpen)[len("GOAWAY"):]},
		{FIN, calm, `FIN; GOAWAY ENHANCE_YOUR_CALM "too many"`},
	} {
		if got := test.how.Told(test.closing); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if text := (*Closing)(nil).String(); text != "" {
		t.Errorf("no reason is told as %q", text)
	}
}

func TestPipeliningIsTold(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Pipelining{
		"6 of 6, in order":     {State: Measured, Sent: 6, Answered: 6, InOrder: linger.Known(true)},
		"4 of 6, out of order": {State: Measured, Sent: 6, Answered: 4, InOrder: linger.Known(false)},
		"1 of 6":               {State: Measured, Sent: 6, Answered: 1},
		"not measured":         {State: Unknown, Sent: 6},
	} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestAnnouncedNumbersOfRequests: "max=100" that is the same each time is how many there are,
// and one that falls is how many there are left.
func TestAnnouncedNumbersOfRequests(t *testing.T) {
	t.Parallel()
	fixed := Announced{Max: linger.Known(100)}
	falls := Announced{Max: linger.Known(99), MaxFalls: true}
	for _, test := range []struct {
		name        string
		said        Announced
		count       Count
		contradicts bool
	}{
		{"as many as were said", fixed, Count{State: Measured, N: 100}, false},
		{"fewer", fixed, Count{State: Measured, N: 50}, true},
		{"left behind the first", falls, Count{State: Measured, N: 100}, false},
		{"left with the first", falls, Count{State: Measured, N: 99}, false},
		{"fewer than are left", falls, Count{State: Measured, N: 98}, true},
		{"more than were said", fixed, Count{State: AtLeast, N: 101}, true},
		{"not exhausted", fixed, Count{State: AtLeast, N: 35}, false},
		{"nothing was said", Announced{}, Count{State: Measured, N: 1}, false},
		{"nothing was measured", fixed, Count{State: Unknown}, false},
	} {
		if got := test.said.Contradicts(test.count); got != test.contradicts {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if n, said := falls.Allows(); n != 100 || !said {
		t.Errorf("99 left behind the first are %d in all", n)
	}
}

func TestStrictMakesFailuresOfStandards(t *testing.T) {
	t.Parallel()
	p := &Profile{Cases: []Result{
		{Case: Case{ID: "a", Level: Should}, Outcome: Should.Broken()},
		{Case: Case{ID: "b", Level: Advice}, Outcome: Advice.Broken()},
		{Case: Case{ID: "c", Level: Must}, Outcome: Must.Broken()},
		{Case: Case{ID: "d", Level: Should}, Outcome: Pass},
	}}
	if n := p.Outcomes(); n[Warn] != 2 || n[Fail] != 1 || n[Pass] != 1 {
		t.Errorf("before: %v", n)
	}
	p.Strict()
	if n := p.Outcomes(); n[Warn] != 1 || n[Fail] != 2 || n[Pass] != 1 {
		t.Errorf("strictly: %v", n)
	}
	if r, ok := p.ResultOf("a"); !ok || r.Outcome != Fail {
		t.Errorf("a is %s", r.Outcome)
	}
	if _, ok := p.ResultOf("z"); ok {
		t.Error("there is a result of no case")
	}
}

func TestWordsOfServersThatEndConnections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, sent string
		status     int
		brief      string
	}{
		{"a response", "HTTP/1.1 408 Request Timeout\r\n\r\n", 408, "408"},
		{"of another version", "HTTP/1.0 503 Busy\r\n\r\n", 503, "503"},
		{"bytes", "goodbye", 0, "7 bytes"},
		{"one byte", "\x00", 0, "1 byte"},
		{"no status", "HTTP/1.1 4o8 x\r\n\r\n", 0, "18 bytes"},
		{"cut short", "HTTP/1.1 4", 0, "10 bytes"},
		{"a status that is none", "HTTP/1.1 099 x", 0, "14 bytes"},
	} {
		said := SaidOf([]byte(test.sent), len(test.sent))
		if said.Status != test.status || said.Brief() != test.brief {
			t.Errorf("%s: %d, %q; want %d, %q", test.name, said.Status, said.Brief(), test.status, test.brief)
		}
	}
	alert := &Said{Text: "user_canceled"}
	if got := FIN.After(alert); got != "user_canceled, FIN" {
		t.Errorf("an alert and FIN are %q", got)
	}
	if got := Ending("").After(alert); got != "user_canceled" {
		t.Errorf("an alert alone is %q", got)
	}
	if got := FIN.After(nil); got != FIN {
		t.Errorf("FIN alone is %q", got)
	}
}

func TestWhatIsOffered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		protocol      Protocol
		offers, known bool
	}{
		{"spoken", Protocol{Offered: true}, true, true},
		{"declined", Protocol{Declined: true, Why: "not offered"}, false, true},
		{"not found out", Protocol{Why: "no answer"}, false, false},
	} {
		if offers, known := test.protocol.Offers(); offers != test.offers || known != test.known {
			t.Errorf("%s: %v, %v", test.name, offers, known)
		}
	}
	var p Profile
	if p.Main() != nil {
		t.Error("a profile of nothing has a protocol")
	}
	h2 := p.ProtocolNamed(linger.H2)
	if p.Main() != h2 || p.ProtocolNamed(linger.H2) != h2 {
		t.Error("the only protocol is not the main one")
	}
	if h1 := p.ProtocolNamed(linger.HTTP11); p.Main() != h1 {
		t.Error("HTTP/1.1 does not come first")
	}
}

func TestFiguresOfSurveys(t *testing.T) {
	t.Parallel()
	if ms := limit(5*s, 0).IdleMS(); ms != linger.Known(5000.0) {
		t.Errorf("5 s are %v ms", ms)
	}
	if ms := (Timeout{State: AtLeast, Spread: Spread{Low: Duration(2 * time.Second)}}).IdleMS(); ms != linger.Known(2000.0) {
		t.Errorf("at least 2 s are %v ms", ms)
	}
	if ms := (Timeout{}).IdleMS(); !ms.IsZero() {
		t.Errorf("what nobody knows is %v ms", ms)
	}
	if n := (Count{State: AtLeast, N: 35}).Most(); n != linger.Known(35.0) {
		t.Errorf("at least 35 are %v", n)
	}
	if n := (Count{State: Unknown}).Most(); !n.IsZero() {
		t.Errorf("what nobody knows is %v", n)
	}
}
