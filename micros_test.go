package linger

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMicrosecondsInDocuments(t *testing.T) {
	for _, test := range []struct {
		ns   int64
		text string
	}{
		{0, "0"}, {1, "0.001"}, {-1, "-0.001"}, {10, "0.01"}, {12_345, "12.345"}, {12_300, "12.3"}, {-12_000, "-12"}, {1_000_000_001, "1000000.001"},
		{int64(Never), "9223372036854775.807"}, {math.MinInt64, "-9223372036854775.808"},
	} {
		if b, err := json.Marshal(Instant(test.ns)); err != nil || string(b) != test.text {
			t.Errorf("%d ns is %s, %v; want %s", test.ns, b, err, test.text)
		}
		var at Instant
		if err := json.Unmarshal([]byte(test.text), &at); err != nil || at != Instant(test.ns) {
			t.Errorf("%s is %d ns, %v; want %d", test.text, at, err, test.ns)
		}
		var d Opt[time.Duration]
		if b, err := json.Marshal(Known(time.Duration(test.ns))); err != nil || string(b) != test.text || json.Unmarshal(b, &d) != nil || d != Known(time.Duration(test.ns)) {
			t.Errorf("%d ns is %s and %v, %v", test.ns, b, d, err)
		}
	}
}

func TestWhatOthersWriteAsMicroseconds(t *testing.T) {
	for text, want := range map[string]Instant{
		"1e3": 1_000_000, "1.5E1": 15_000, "12.3456": 12_346, "12.345000000001": 12_345, "5.0": 5000, "-0": 0, "1e-9": 0, "null": 7,
	} {
		at := Instant(7)
		if err := json.Unmarshal([]byte(text), &at); err != nil || at != want {
			t.Errorf("%s is %d ns, %v; want %d", text, at, err, want)
		}
	}
	for _, text := range []string{`"5"`, `true`, `{}`, `[1]`, "1e99", "-1e16", "9223372036854775.808", "99999999999999999999999999999"} {
		at := Instant(7)
		if err := json.Unmarshal([]byte(text), &at); err == nil || at != 7 || !strings.Contains(err.Error(), "is no number of microseconds") {
			t.Errorf("%s is %d ns, %v", text, at, err)
		}
	}
}

// throughFloat64 is what a program makes of a number that holds it as JavaScript does
// and writes it again: the shortest decimals that are the same float64.
func throughFloat64(t *testing.T, text []byte) []byte {
	t.Helper()
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.AppendFloat(nil, v, 'f', -1, 64)
}

// Up to 2^43 µs, which is 101 days, no nanosecond is lost in a float64; up to 366 days
// three of them are at most.
func TestInstantsSurviveJavaScript(t *testing.T) {
	const exact, year = Instant(1<<43) * 1000, Instant(366 * 24 * time.Hour)
	random := rand.New(rand.NewPCG(1, 2))
	survives := func(at, off Instant) {
		t.Helper()
		text, err := json.Marshal(at)
		if err != nil {
			t.Fatal(err)
		}
		var direct, through Instant
		if err := json.Unmarshal(text, &direct); err != nil || direct != at {
			t.Fatalf("%d ns is written as %s and read as %d, %v", at, text, direct, err)
		}
		again := throughFloat64(t, text)
		if err := json.Unmarshal(again, &through); err != nil || max(through-at, at-through) > off {
			t.Fatalf("%d ns is written as %s, by JavaScript as %s, and read as %d, %v", at, text, again, through, err)
		}
		if off == 0 && string(again) != string(text) {
			t.Fatalf("%s comes back as %s", text, again)
		}
	}
	for range 30_000 {
		survives(Instant(random.Int64N(int64(exact))), 0)
		survives(-Instant(random.Int64N(int64(exact))), 0)
		survives(Instant(random.Int64N(1<<random.IntN(53))), 0)
		survives(exact+Instant(random.Int64N(int64(year-exact))), 3)
	}
	for i := range Instant(3000) {
		survives(exact-1-i, 0)
		survives(i, 0)
		survives(year-i, 3)
	}
}

// Each length of time of the nouns is in microseconds, and is read again.
func TestNounsInDocuments(t *testing.T) {
	is := func(v any, into any, want string) {
		t.Helper()
		b, err := json.Marshal(v)
		if err != nil || string(b) != want {
			t.Errorf("%s, %v; want %s", b, err, want)
		}
		if err := json.Unmarshal(b, into); err != nil {
			t.Error(err)
		}
	}
	n := Network{Name: "x", RTT: 70*time.Millisecond + 1, Down: 2, Up: 3, Loss: 0.5, Queue: time.Second}
	s := Strategy{Name: "keep", Persistent: true, Connections: 1, IdleTimeout: 1500 * time.Nanosecond}
	e := Exchange{Method: "GET", Path: "/", Parent: NoParent, Think: time.Microsecond, Delay: time.Minute}
	o := Origin{Name: "a", ExtraRTT: Known(3 * time.Millisecond)}
	var n2 Network
	var s2 Strategy
	var e2 Exchange
	var o2 Origin
	is(n, &n2, `{"name":"x","rtt_us":70000.001,"down_bps":2,"up_bps":3,"loss":0.5,"queue_us":1000000}`)
	is(s, &s2, `{"name":"keep","persistent":true,"connections":1,"in_flight":0,"idle_timeout_us":1.5}`)
	is(e, &e2, `{"method":"GET","path":"/","status":0,"response_body":0,"parent":-1,"think_us":1,"delay_us":60000000}`)
	is(o, &o2, `{"name":"a","extra_rtt_us":3000}`)
	if n2 != n || s2 != s || e2 != e || o2 != o {
		t.Errorf("%+v, %+v, %+v, %+v", n2, s2, e2, o2)
	}
	is(Exchange{Parent: 0}, &e2, `{"method":"","path":"","status":0,"response_body":0,"parent":0}`)
}

// A crowd's lengths of time are in microseconds, too, and it is read as it was written.
func TestCrowdsInDocuments(t *testing.T) {
	for want, c := range map[string]Crowd{
		`{"clients":1,"visits":2}`: {Clients: 1, Visits: 2},
		`{"clients":50,"arrivals_per_s":0.5,"think":{"least_us":4000000,"most_us":6000000.001},"shared":true,` +
			`"mix":[{"strategy":{"name":"keep","persistent":true,"connections":1,"in_flight":0,"idle_timeout_us":1.5},"weight":3}],` +
			`"backends":4,"balance":"hash","duration_us":60000000,"add_backend_us":0.5,"restart_backend_us":30000000}`: {
			Clients: 50, Arrivals: 0.5, Think: Think{Least: 4 * time.Second, Most: 6*time.Second + 1}, Duration: time.Minute, Shared: true,
			Mix:      []Share{{Strategy{Name: "keep", Persistent: true, Connections: 1, IdleTimeout: 1500}, 3}},
			Backends: 4, Balance: HashBalance, AddAt: 500, RestartAt: 30 * time.Second,
		},
	} {
		b, err := json.Marshal(c)
		if err != nil || string(b) != want {
			t.Errorf("%s, %v; want %s", b, err, want)
		}
		var again Crowd
		if err := json.Unmarshal(b, &again); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%+v, %v; want %+v", again, err, c)
		}
	}
	b, err := json.Marshal(Think{Least: time.Millisecond, Random: true})
	if err != nil || string(b) != `{"least_us":1000,"random":true}` {
		t.Errorf("%s, %v", b, err)
	}
}
