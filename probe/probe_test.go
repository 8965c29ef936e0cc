package probe

import (
	"testing"
	"time"

	"linger"
	"linger/profile"
)

// TestExperimentsKeepToTheBounds adds up what the experiments state.
func TestExperimentsKeepToTheBounds(t *testing.T) {
	for _, target := range []string{"http://127.0.0.1/", "https://127.0.0.1/", "dns://127.0.0.1"} {
		p, err := newProber(Config{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		defer p.impatient()
		requests, waiting, busiest := 1, 1, 0
		if target != "dns://127.0.0.1" {
			requests += smallRequests + crowdMost - 1 + unusedRounds
		}
		of := map[string]int{}
		for _, e := range p.chosen() {
			requests += e.requests
			of[e.protocol] += e.requests
			if e.waits {
				waiting += e.connections
			} else {
				busiest = max(busiest, e.connections)
			}
		}
		t.Logf("%s: %d requests (%v), %d connections wait, %d more at a time are busy", target, requests, of, waiting, busiest)
		if requests > DefaultRequests {
			t.Errorf("%s: the experiments state %d requests, and %d are sent at most", target, requests, DefaultRequests)
		}
		if waiting+busiest > DefaultConnections {
			t.Errorf("%s: %d connections wait and %d more are busy, and %d are open at most", target, waiting, busiest, DefaultConnections)
		}
		plan, err := Plan(Config{Target: target})
		if err != nil {
			t.Fatal(err)
		}
		if plan.Connections > DefaultConnections || plan.Requests != requests || plan.Longest > 100*time.Second {
			t.Errorf("%s: the plan is %+v", target, plan)
		}
	}
	less, err := Plan(Config{Target: "http://127.0.0.1/", Connections: 5, Requests: 20, MaxWait: time.Second})
	if err != nil || less.Connections != 5 || less.Requests != 20 || less.Longest > 30*time.Second {
		t.Errorf("the plan within tight bounds is %+v, %v", less, err)
	}
	if _, err := Plan(Config{Target: "ftp://127.0.0.1/"}); err == nil {
		t.Error("there is a plan for ftp")
	}
}

func TestAgeIsNeitherIdlenessNorANumberOfRequests(t *testing.T) {
	const ms = time.Millisecond
	idle := profile.Timeout{State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{3000 * ms})}
	open := profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(8000 * ms)}}
	for _, test := range []struct {
		name   string
		lives  []life
		idle   profile.Timeout
		limit  linger.Opt[int]
		state  profile.State
		median time.Duration
		low    time.Duration
	}{
		{"both ended by themselves at one age", []life{
			{requests: 6, low: 3900 * ms, high: 4000 * ms, ended: true, exact: true, idle: 1000 * ms},
			{requests: 4, low: 3000 * ms, high: 4001 * ms, ended: true, exact: true, idle: 1800 * ms},
		}, idle, linger.Opt[int]{}, profile.Measured, 4000500 * time.Microsecond, 4000 * ms},
		{"both were ended by a response, in brackets that overlap", []life{
			{requests: 6, good: 3500 * ms, low: 4050 * ms, high: 4100 * ms, ended: true},
			{requests: 4, good: 3000 * ms, low: 4250 * ms, high: 4300 * ms, ended: true},
		}, idle, linger.Opt[int]{}, profile.Measured, 3800 * ms, 3800 * ms},
		{"after the same number of requests", []life{
			{requests: 4, low: 1000 * ms, high: 2000 * ms, ended: true},
			{requests: 4, low: 1500 * ms, high: 2500 * ms, ended: true},
		}, idle, linger.Opt[int]{}, profile.AtLeast, 0, 1500 * ms},
		{"after as many as are allowed", []life{
			{requests: 5, low: 1000 * ms, high: 2000 * ms, ended: true},
			{requests: 4, low: 1500 * ms, high: 2500 * ms, ended: true},
		}, idle, linger.Known(4), profile.AtLeast, 0, 1500 * ms},
		{"at ages that differ", []life{
			{requests: 5, low: 1000 * ms, high: 2000 * ms, ended: true, exact: true, idle: 100 * ms},
			{requests: 4, low: 3000 * ms, high: 3500 * ms, ended: true, exact: true, idle: 100 * ms},
		}, idle, linger.Opt[int]{}, profile.Measured, 2750 * ms, 2000 * ms},
		{"in responses, the later one to a connection that had not been asked for long", []life{
			{requests: 7, good: 7750 * ms, low: 15740 * ms, high: 15750 * ms, ended: true, said: true},
			{requests: 4, good: 4200 * ms, low: 9000 * ms, high: 9010 * ms, ended: true, said: true},
		}, open, linger.Opt[int]{}, profile.Measured, 8380 * ms, 8380 * ms},
		{"in one response, and the other was not asked any more", []life{
			{requests: 6, good: 7750 * ms, low: 12000 * ms},
			{requests: 4, good: 4200 * ms, low: 9000 * ms, high: 9010 * ms, ended: true, said: true},
		}, open, linger.Opt[int]{}, profile.Measured, 8380 * ms, 8380 * ms},
		{"in one response, and the other was answered later", []life{
			{requests: 7, good: 15750 * ms, low: 16000 * ms},
			{requests: 4, good: 4200 * ms, low: 9000 * ms, high: 9010 * ms, ended: true, said: true},
		}, open, linger.Opt[int]{}, profile.AtLeast, 0, 4200 * ms},
		{"in responses that no one age explains", []life{
			{requests: 7, good: 15750 * ms, low: 31000 * ms, high: 31010 * ms, ended: true, said: true},
			{requests: 4, good: 4200 * ms, low: 9000 * ms, high: 9010 * ms, ended: true, said: true},
		}, open, linger.Opt[int]{}, profile.Measured, 17605 * ms, 4200 * ms},
		{"one behind more requests than any other had", []life{
			{requests: 45, good: 7750 * ms, low: 8000 * ms, high: 8010 * ms, ended: true, said: true},
			{requests: 4, good: 4200 * ms, low: 9000 * ms},
		}, open, linger.Opt[int]{}, profile.AtLeast, 0, 7750 * ms},
		{"in a pause as long as the idle limit", []life{
			{requests: 4, low: 1000 * ms, high: 4000 * ms, ended: true, exact: true, idle: 3100 * ms},
			{requests: 3, low: 1000 * ms, high: 4000 * ms, ended: true, exact: true, idle: 3100 * ms},
		}, idle, linger.Opt[int]{}, profile.AtLeast, 0, 1000 * ms},
		{"in a pause that others have outlived", []life{
			{requests: 4, low: 1000 * ms, high: 4000 * ms, ended: true, exact: true, idle: 3100 * ms},
			{requests: 3, low: 1000 * ms, high: 4000 * ms, ended: true, exact: true, idle: 3100 * ms},
		}, open, linger.Opt[int]{}, profile.Measured, 4000 * ms, 4000 * ms},
		{"only one ended", []life{
			{requests: 4, low: 1000 * ms, high: 2000 * ms, ended: true, exact: true, idle: 100 * ms},
			{requests: 3, low: 7000 * ms},
		}, idle, linger.Opt[int]{}, profile.AtLeast, 0, 2000 * ms},
		{"none could be opened", []life{{err: errSpent}, {err: errSpent}}, idle, linger.Opt[int]{}, profile.Unknown, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			age := ageOf(test.lives, test.idle, test.limit, 45, ms)
			if age.State != test.state || time.Duration(age.Median) != test.median || time.Duration(age.Low) != test.low {
				t.Errorf("it is %s: median %v, low %v (%s); want %s: %v, %v", age.State, time.Duration(age.Median), time.Duration(age.Low), age.Why, test.state, test.median, test.low)
			}
		})
	}
}

func TestKeepAliveIsReadAsItIsWritten(t *testing.T) {
	for _, test := range []struct {
		field   string
		timeout linger.Opt[time.Duration]
		most    linger.Opt[int]
	}{
		{"timeout=5, max=100", linger.Known(5 * time.Second), linger.Known(100)},
		{"timeout=5", linger.Known(5 * time.Second), linger.Opt[int]{}},
		{"MAX=7,Timeout = \"60\"", linger.Known(60 * time.Second), linger.Known(7)},
		{"", linger.Opt[time.Duration]{}, linger.Opt[int]{}},
		{"timeout", linger.Opt[time.Duration]{}, linger.Opt[int]{}},
		{"timeout=-1, max=x", linger.Opt[time.Duration]{}, linger.Opt[int]{}},
		{"timeout=99999999999999999999", linger.Opt[time.Duration]{}, linger.Opt[int]{}},
	} {
		timeout, most := readKeepAlive(test.field)
		if timeout != test.timeout || most != test.most {
			t.Errorf("%q: timeout %v, max %v; want %v, %v", test.field, timeout, most, test.timeout, test.most)
		}
	}
}

func FuzzKeepAlive(f *testing.F) {
	for _, s := range []string{"timeout=5, max=100", "timeout=\"5\"", ",,=,", "timeout=9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		timeout, most := readKeepAlive(s)
		if d, ok := timeout.Get(); ok && (d < 0 || d > forever) {
			t.Errorf("%q: timeout %v", s, d)
		}
		if n, ok := most.Get(); ok && n < 0 {
			t.Errorf("%q: max %d", s, n)
		}
	})
}

// TestSlowResponseIsNoLimitOfRequests: a server that was through with a response long
// before it was here may have ended the connection for being idle.
func TestSlowResponseIsNoLimitOfRequests(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name string
		slow time.Duration
		want profile.State
	}{
		{"at once", 10 * ms, profile.Measured},
		{"behind a response that took a part of the limit", 2000 * ms, profile.Measured},
		{"behind one that took as long as the limit", 4100 * ms, profile.AtLeast},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := newProber(Config{Target: "http://127.0.0.1/"})
			if err != nil {
				t.Fatal(err)
			}
			defer p.impatient()
			p.record(func(doc *profile.Profile) {
				doc.ProtocolNamed("http/1.1").Requests = profile.Count{State: profile.Measured, N: 1}
			})
			p.facts.Watched = profile.Timeout{State: profile.Measured, Spread: profile.SpreadOf([]time.Duration{4000 * ms, 4010 * ms})}
			p.facts.Requests, p.facts.slow = linger.Known(1), test.slow
			p.judgeHTTP1()
			doc := p.conclude()
			if got := doc.ProtocolNamed("http/1.1").Requests.State; got != test.want {
				t.Errorf("requests on a connection are %s, want %s", got, test.want)
			}
			if broken := p.results["close-announced"].Outcome == profile.Fail; broken != (test.want == profile.Measured) {
				t.Errorf("close-announced is broken: %v", broken)
			}
		})
	}
}
