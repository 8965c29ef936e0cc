package keepalive

import (
	"strings"
	"testing"
	"time"

	"linger/profile"
)

func TestParseChain(t *testing.T) {
	for _, test := range []struct{ name, text, wrong string }{
		{"as in the help", "client=90s,https://lb,http://app:8080", ""},
		{"everything told", "client=chromium,lb=https://lb/?a=b,lb.upstream=60s,lb.rtt=20ms,lb.software=nginx,app=http://10.0.0.1,app.idle=75s", ""},
		{"a host's own dots", "c=1s,https://www.lb.example,www.lb.example.upstream=none,app=2s", ""},
		{"one host on two ports", "http://a:1,http://a:2", ""},
		{"one hop", "client=90s", "one hop"},
		{"an empty entry", "client=90s,,app=5s", "an entry is empty"},
		{"a word alone", "client,app=5s", "neither a URL"},
		{"an unknown software", "client=netscape,app=5s", "neither a time"},
		{"a part before its hop", "lb.upstream=5s,lb=6s", "comes before"},
		{"one name twice", "a=5s,a=6s", "two hops are called a"},
		{"a time of nothing", "a=0s,b=1s", "neither a time"},
		{"a bad URL", "a=1s,http://:80", "not a URL"},
		{"a bad round trip", "a=1s,b=2s,b.rtt=fast", "is not a time"},
		{"no name", "=1s,b=2s", "lacks a name"},
		{"an unknown software of a hop", "a=1s,b=2s,b.software=x", "is not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseChain(test.text)
			if (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%v, want %q", err, test.wrong)
			}
		})
	}
}

// What is told counts before what was measured, and both before defaults.
func TestHopsByPrecedence(t *testing.T) {
	links, err := ParseChain("c=5s,https://lb,lb.upstream=7s,app=node,app.idle=9s")
	if err != nil {
		t.Fatal(err)
	}
	doc := &profile.Profile{Software: "nginx/1.22.1", RTT: profile.Spread{Median: profile.Duration(time.Millisecond)}}
	doc.ProtocolNamed("http/1.1").AfterResponse = profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: profile.Duration(6 * time.Second), Low: profile.Duration(6 * time.Second)}}
	lb, app := links[1].Hop(doc, "", nil), links[2].Hop(nil, "", nil)
	if lb.Software != "nginx" || lb.Accepts.Source != FromProbe || lb.Opens.Source != FromUser || lb.RTT.Value == 0 {
		t.Errorf("lb %+v", lb)
	}
	if app.Accepts.Source != FromUser || app.Accepts.Value != profile.Duration(9*time.Second) || app.Opens.Source != FromDefault {
		t.Errorf("app %+v", app)
	}
	if gone := links[1].Hop(nil, "refused", nil); gone.Accepts.Known() || gone.Accepts.Note != "refused" {
		t.Errorf("an unreachable hop %+v", gone)
	}
	links[1].opens = Limit{}
	passed := links[1].Hop(doc, "", []string{"nginx/1.22.1"})
	if passed.Software != "" || passed.Opens.Known() || !strings.Contains(passed.Opens.Note, "passed on") {
		t.Errorf("a Server field that may be another's: %+v", passed)
	}
}
