package capacity

import (
	"encoding/json"
	"testing"
	"time"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/tally"
)

// turn is a second of a strategy that answered n requests, each after d.
func turn(t *testing.T, name string, n int, d time.Duration, change func(*tally.Run)) tally.Run {
	t.Helper()
	s, err := linger.ParseStrategy(name)
	if err != nil {
		t.Fatal(err)
	}
	r := tally.Run{Strategy: s, Engine: tally.Epoll, Ended: linger.Instant(time.Second), Wanted: tally.Wanted{Connections: 2, InFlight: 1}}
	r.Requests = tally.Requests{Intended: int64(n), Sent: int64(n), Answered: int64(n), Statuses: map[int]int64{200: int64(n)}}
	r.Connections = tally.Connections{Attempted: 2, Established: 2, Most: 2, Left: 2}
	if !s.Persistent {
		r.Connections.Attempted, r.Connections.Established, r.Connections.Left = int64(n), int64(n), 0
	}
	r.Latency.Intended.Add(int64(d), n)
	r.Client.CPU = linger.Known(time.Duration(n) * 10 * time.Microsecond)
	if change != nil {
		change(&r)
	}
	return r
}

// loadOf has each strategy take as many turns as it has rates.
func loadOf(t *testing.T, rates map[string][]int, change func(*tally.Run), names ...string) *Result {
	t.Helper()
	l := Load{URLs: []string{"http://127.0.0.1/"}, Local: true}
	for _, name := range names {
		var runs []tally.Run
		for _, n := range rates[name] {
			runs = append(runs, turn(t, name, n, time.Millisecond, change))
		}
		l.Strategies, l.Turns = append(l.Strategies, runs[0].Strategy), append(l.Turns, runs)
		l.Settings.Turns = len(runs)
	}
	return Of(l)
}

func codes(all []finding.Caveat) map[string]bool {
	out := map[string]bool{}
	for _, c := range all {
		out[c.Code] = true
	}
	return out
}

func TestWhatIsAnsweredFirst(t *testing.T) {
	for _, test := range []struct {
		name        string
		rates       map[string][]int
		strategies  []string
		code, cause string
	}{
		{"closing costs", map[string][]int{"close": {300, 310, 290, 305, 295}, "keep": {1000, 1010, 990, 1020, 1005}}, []string{"close", "keep"}, FoundCost, CauseLess},
		{"the machine's own moods are none of it", map[string][]int{"close": {300, 600, 150, 305, 80}, "keep": {1000, 2010, 490, 1020, 255}}, []string{"close", "keep"}, FoundCost, CauseLess},
		{"noise", map[string][]int{"close": {1000, 900, 1100, 950, 1050}, "keep": {1010, 890, 1050, 990, 1000}}, []string{"close", "keep"}, FoundCost, CauseEqual},
		{"one turn", map[string][]int{"close": {300}, "keep": {1000}}, []string{"close", "keep"}, FoundCost, CauseFew},
		{"nothing by one", map[string][]int{"close": {0, 0}, "keep": {1000, 1000}}, []string{"close", "keep"}, FoundCost, CauseNone},
		{"a server that dies", map[string][]int{"close": {300, 310, 0, 0, 0}, "keep": {1000, 1010, 0, 0, 0}}, []string{"close", "keep"}, FoundCost, CauseNone},
		{"two that keep", map[string][]int{"keep": {1000, 1001, 1002, 1003, 1004}, "keep:8": {2000, 2001, 2002, 2003, 2004}}, []string{"keep", "keep:8"}, FoundFastest, CauseMore},
		{"one alone", map[string][]int{"keep": {1000}}, []string{"keep"}, FoundOne, ""},
		{"nothing at all", map[string][]int{"keep": {0}}, []string{"keep"}, FoundUnserved, ""},
	} {
		r := loadOf(t, test.rates, nil, test.strategies...)
		if f := r.Findings[0]; f.Code != test.code || f.Cause != test.cause {
			t.Errorf("%s: %s, %s; want %s, %s", test.name, f.Code, f.Cause, test.code, test.cause)
		}
	}
}

// A figure that a turn lacks is not known, and not that of the others.
func TestUnknownIsNotZero(t *testing.T) {
	n := 0
	r := loadOf(t, map[string][]int{"keep": {1000, 1000}}, func(r *tally.Run) {
		if n++; n == 2 {
			r.Client.CPU = linger.Opt[time.Duration]{}
		}
	}, "keep")
	if !r.Rows[0].CPU.IsZero() || !r.Rows[0].ServerCPU.IsZero() || !r.Rows[0].Latency.P9999.IsZero() || r.Rows[0].Latency.P99.IsZero() {
		t.Errorf("%+v", r.Rows[0])
	}
}

func TestWhoEndsKeptConnections(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*tally.Run)
		cause  string
	}{
		{"nobody", nil, ""},
		{"a limit", func(r *tally.Run) {
			r.Connections.Closed = map[tally.Close]int64{{By: tally.ByServer, With: "fin"}: 9}
			r.Connections.Carried.Add(100, 9)
			r.Connections.Carried.Add(40, 2)
			r.Connections.SaidClose = 9
		}, CauseLimit},
		{"announced", func(r *tally.Run) {
			r.Connections.Closed = map[tally.Close]int64{{By: tally.ByServer, With: "fin"}: 9}
			r.Connections.Carried.Add(100, 1)
			r.Connections.Carried.Add(7, 9)
			r.Connections.SaidClose = 9
		}, CauseSaid},
		{"unannounced", func(r *tally.Run) {
			r.Connections.Closed = map[tally.Close]int64{{By: tally.ByServer, With: "fin"}: 9}
			r.Connections.Carried.Add(100, 1)
			r.Connections.Carried.Add(7, 9)
		}, CauseUnsaid},
	} {
		cause := ""
		for _, f := range loadOf(t, map[string][]int{"keep": {1000}}, test.change, "keep").Findings {
			if f.Code == FoundEnded {
				cause = f.Cause
			}
		}
		if cause != test.cause {
			t.Errorf("%s: %q; want %q", test.name, cause, test.cause)
		}
	}
}

func TestCaveats(t *testing.T) {
	r := loadOf(t, map[string][]int{"close": {300, 310}, "keep": {1000, 1010}}, func(r *tally.Run) {
		r.Limited = tally.CPULimit
		r.Requests.Failed = map[tally.Failure]int64{tally.ResetByPeer: 20}
		r.Requests.Wrong, r.Requests.Statuses = 5, map[int]int64{200: 290, 503: 5}
		r.Interrupted = true
	}, "close", "keep")
	got := codes(r.Caveats)
	for _, code := range []string{CaveatStopped, CaveatGenerator, CaveatFailed, CaveatWrong, CaveatFew, CaveatLoopback, CaveatShared} {
		if !got[code] {
			t.Errorf("%s is missing: %v", code, got)
		}
	}
	for _, c := range r.Caveats {
		if c.Code == CaveatWrong && c.Figures.Value("status").Or(0) != 503 {
			t.Errorf("the wrong status is %+v", c.Figures)
		}
	}
}

// Turns without any answer are told, and a strategy that has no others is another finding.
func TestSilentTurns(t *testing.T) {
	for _, test := range []struct {
		rates []int
		want  bool
	}{{[]int{1000, 1000}, false}, {[]int{1000, 0}, true}, {[]int{0, 0}, false}} {
		if r := loadOf(t, map[string][]int{"keep": test.rates}, nil, "keep"); codes(r.Caveats)[CaveatSilent] != test.want {
			t.Errorf("%v: %v", test.rates, r.Caveats)
		}
	}
}

// What was written is read again, and comes to the same.
func TestDocumentIsReadAgain(t *testing.T) {
	r := loadOf(t, map[string][]int{"close": {300, 310, 290}, "keep": {1000, 1010, 990}}, func(r *tally.Run) {
		r.Connections.Closed = map[tally.Close]int64{{By: tally.ByClient, With: "fin", Why: tally.WhyPolicy}: 3}
	}, "close", "keep")
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(again)
	if err != nil || string(b) != string(c) {
		t.Errorf("%v\n%s\n%s", err, b, c)
	}
	for _, wrong := range []string{`{}`, `{"format":"linger bench 9"}`, `{"format":"linger bench 1"}`, `{"format":"linger bench 1","strategies":[{}],"runs":[]}`, `[`} {
		if _, err := Read([]byte(wrong)); err == nil {
			t.Errorf("%s is read", wrong)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"format":"linger bench 1","strategies":[{"name":"keep"}],"runs":[[{"ended_us":1000,"requests":{"answered":3}}]]}`))
	f.Add([]byte(`{"format":"linger bench 1","strategies":[{"name":"keep"}],"runs":[[]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := Read(b); err == nil {
			if _, err := json.Marshal(r); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDistributionHoldsAll(t *testing.T) {
	r := loadOf(t, map[string][]int{"keep": {1000}}, func(r *tally.Run) {
		r.Latency.Intended.Add(int64(300*time.Microsecond), 500)
		r.Latency.Intended.Add(int64(2*time.Second), 1)
	}, "keep")
	sum, last := int64(0), 0.0
	for _, part := range r.Rows[0].Distribution(5) {
		if part.From != last {
			t.Errorf("a part begins at %v, and the one before ends at %v", part.From, last)
		}
		sum, last = sum+part.N, part.To
	}
	if sum != 1501 || last < 2000 {
		t.Errorf("%d requests up to %v ms", sum, last)
	}
}

// Parts are wide where there are few requests, at whichever end those are.
func TestDistributionIsNarrowWhereMostAre(t *testing.T) {
	r := loadOf(t, map[string][]int{"keep": {1000}}, func(r *tally.Run) {
		r.Latency.Intended.Add(int64(30*time.Microsecond), 10)
		for ms := 1; ms <= 20; ms++ {
			r.Latency.Intended.Add(int64(ms)*int64(time.Millisecond), 1000)
		}
	}, "keep")
	parts := r.Rows[0].Distribution(4)
	if len(parts) != 4 {
		t.Fatal(parts)
	}
	for _, part := range parts {
		if part.Share > 0.6 {
			t.Errorf("one part has %v of all: %v", part.Share, parts)
		}
	}
}

func TestFiguresOfAssertions(t *testing.T) {
	r := loadOf(t, map[string][]int{"keep": {1000}}, nil, "keep")
	for text, want := range map[string]assert.Truth{
		"p99<20ms && connections<=64": assert.Holds, "requests_per_second>=1000": assert.Holds, "failed>0": assert.Broken, "p9999<1s": assert.NotKnown,
		"requests_per_connection==500": assert.Holds, "server_cpu_per_request<1ms": assert.NotKnown,
	} {
		a, err := assert.Parse(text, Vocabulary(r.Strategies...))
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Of(r.Figures()); got.Truth != want {
			t.Errorf("%s: %+v; want %s", text, got, want)
		}
	}
}
