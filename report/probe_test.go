package report

import (
	"strings"
	"testing"
	"time"

	"linger"
	"linger/assert"
	"linger/profile"
	"linger/report/table"
)

func lasting(d time.Duration) profile.Timeout {
	return profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: profile.Duration(d), Low: profile.Duration(d), High: profile.Duration(d), N: 3}, Ending: profile.FIN}
}

// probed is a server of HTTP/1.1 that keeps connections for 5 s and announces another time.
func probed() *profile.Profile {
	h1 := &profile.Protocol{Name: linger.HTTP11, Offered: true, AfterResponse: lasting(5 * time.Second), Requests: profile.Count{State: profile.AtLeast, N: 80}}
	h1.Age = profile.Timeout{State: profile.Unknown, Why: "not looked for"}
	h1.Announced = profile.Announced{KeepAlive: "timeout=65", Timeout: linger.Known(profile.Duration(65 * time.Second))}
	return &profile.Profile{Target: "https://example.org/", Address: "192.0.2.1:443", Software: "nginx", Protocols: []*profile.Protocol{h1, {Name: linger.H2, Why: "not offered: ALPN chose http/1.1"}},
		Baseline: profile.Baseline{Status: 200, Bytes: 612}, RTT: profile.Spread{Median: profile.Duration(20 * time.Millisecond), N: 3}}
}

// A figure that is announced otherwise than it was observed is flagged; what was not looked for is
// named with the reason.
func TestIdleLimits(t *testing.T) {
	limits, differs := IdleLimits(probed())
	same(t, "the limits", limits, `
figure | observed | ended by | announced
(HTTP/1.1)
idle after response | 5 s | FIN | 65 s !
age, never idle | not measured |  |
requests | at least 80 | still open |`)
	if !differs {
		t.Error("nothing differs")
	}
	if got := strings.Join(Missing(probed()), "; "); got != "HTTP/1.1, age, never idle: not looked for; HTTP/2: not offered: ALPN chose http/1.1" {
		t.Errorf("missing is %q", got)
	}
}

func TestProbeTitle(t *testing.T) {
	for want, p := range map[string]*profile.Profile{
		"https://example.org/ at 192.0.2.1:443, nginx; answers 200, 612 B; RTT 20 ms": probed(),
		"a": {Target: "a"},
	} {
		if got := ProbeTitle(p); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
	for want, d := range map[string]time.Duration{"12 ms": 12345 * time.Microsecond, "1.23 ms": 1234 * time.Microsecond, "0.12 ms": 123 * time.Microsecond} {
		if got := tiedRTT(profile.Duration(d)); got != want {
			t.Errorf("%v: %q; want %q", d, got, want)
		}
	}
}

func TestProbeLead(t *testing.T) {
	endless := probed()
	endless.Protocols[0].AfterResponse = profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(75 * time.Second)}}
	unknown := probed()
	unknown.Protocols[0].AfterResponse = profile.Timeout{State: profile.Unknown}
	held, broken := assert.Result{Truth: assert.Holds}, assert.Result{Truth: assert.Broken}
	asserted := func(results ...assert.Result) *profile.Profile {
		p := unknown
		clone := *p
		clone.Asserted = results
		return &clone
	}
	for want, p := range map[string]*profile.Profile{
		"The server closes an idle HTTP/1.1 connection 5 s after a response (FIN); it announces 65 s.": probed(),
		"An idle HTTP/1.1 connection stays open for":                                                   endless,
		"The idle timeout of HTTP/1.1 was not measured.":                                               unknown,
		"The assertion holds. The idle timeout":                                                        asserted(held),
		"The assertion failed. The idle timeout":                                                       asserted(broken),
		"All 2 assertions hold. The idle timeout":                                                      asserted(held, held),
		"1 of 2 assertions failed. The idle timeout":                                                   asserted(held, broken),
	} {
		if got := ProbeLead(p); !strings.HasPrefix(got, want) {
			t.Errorf("%q; want it to begin with %q", got, want)
		}
	}
}

func TestWhatIsOneMore(t *testing.T) {
	for want, c := range map[string]profile.Count{
		", the fifth waits":                     {N: 4, Next: profile.Waits},
		", the 21st is refused":                 {N: 20, Next: profile.Refused},
		"; for the 102nd an idle one is closed": {N: 101, Next: profile.ClosesAnother},
		"; the 113th is answered otherwise":     {N: 112, Next: profile.AnswersOtherwise},
		"":                                      {N: 7},
	} {
		if got := oneMore(c); got != want {
			t.Errorf("after %d: %q; want %q", c.N, got, want)
		}
	}
	for n, want := range map[int]string{11: "11th", 12: "12th", 13: "13th", 22: "22nd", 23: "23rd", 24: "24th", 111: "111th"} {
		if got := ordinal(n); got != want {
			t.Errorf("%d: %q; want %q", n, got, want)
		}
	}
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "the server closed": "The server closed.", "it did!": "It did!", "HTTP/2 is spoken": "HTTP/2 is spoken.",
		"max_requests=3 was said": "max_requests=3 was said.", "écrit": "Écrit.", "and so on…": "And so on…",
	} {
		if got := Sentence(text); got != want {
			t.Errorf("%q: %q; want %q", text, got, want)
		}
	}
}

func TestSurveyTitle(t *testing.T) {
	fails := &profile.Profile{Cases: []profile.Result{{Outcome: profile.Fail}, {Outcome: profile.Fail}}}
	fine := profile.Probed{Profile: &profile.Profile{}}
	for want, s := range map[string][]profile.Probed{
		"2 servers probed. None was seen to violate a standard.": {fine, fine},
		"1 server probed, 1 not. 1 violates a standard.":         {{Profile: fails}, {Failed: "refused"}},
		"3 servers probed. 2 violate a standard.":                {{Profile: fails}, {Profile: fails}, fine},
	} {
		if got := SurveyTitle(s); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

// Of a list, one that could not be probed says so; what is not shown is counted.
func TestServers(t *testing.T) {
	list := []profile.Probed{{Target: "https://example.org/", Profile: probed()}, {Target: "http://x/", Failed: "refused"}, {Target: "http://y/", Failed: "refused"}}
	same(t, "servers", Servers(list, 2), `
server | software | protocols | idle timeout | announced | ended by | max requests | fails | warns
example.org | nginx | h1 | 5.000 s | 65 s ! | FIN | ≥ 80 | 0 | 0
http://x | not probed | - | - | - | - | - | - | -
and 1 server more (--wide)`)
	same(t, "software", Softwares(list), `
software | servers | versions | idle timeout | median | max requests | median | violate a standard
nginx | 1 | 0 | 5 s | 5 s | ≥ 80 | ≥ 80 | 0`)
}

// A range whose ends are alike is one; bounds are said to be at least.
func TestRanges(t *testing.T) {
	for want, r := range map[string]profile.Range{
		"-": {}, "5": {N: 2, Low: 5, High: 5, Median: 5}, "5 to 75": {N: 3, Low: 5, High: 75}, "≥ 5 to 75": {N: 3, Low: 5, High: 75, Bounds: 3}, "5 to 75 (1 at least)": {N: 3, Low: 5, High: 75, Bounds: 1},
	} {
		if got := ranged(r, whole); got.Text != want && !(got.IsUnknown() && want == "-") {
			t.Errorf("%+v: %q; want %q", r, got.Text, want)
		}
	}
	for want, r := range map[string]profile.Range{"60": {N: 1, Median: 60}, "≥ 60": {N: 2, Median: 60, Bounds: 1}} {
		if got := median(r, whole).Text; got != want {
			t.Errorf("%+v: %q; want %q", r, got, want)
		}
	}
	var none table.Cell
	if got := median(profile.Range{}, whole); !got.IsUnknown() || none.IsUnknown() {
		t.Errorf("%+v", got)
	}
}
