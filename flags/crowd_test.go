package flags

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"linger"
)

func TestCrowdFlags(t *testing.T) {
	n := func(n int) *int { return &n }
	for _, test := range []struct {
		name  string
		flags CrowdFlags
		think string
		want  linger.Crowd
	}{
		{"as many as are named, and nothing else", CrowdFlags{Clients: n(50)}, "",
			linger.Crowd{Clients: 50, Visits: 2, Think: linger.Think{Least: 5 * time.Second}, Arrivals: 10}},
		{"at one moment", CrowdFlags{Clients: n(50), Arrivals: "at-once", Visits: 4}, "4s-6s",
			linger.Crowd{Clients: 50, Visits: 4, Think: linger.Think{Least: 4 * time.Second, Most: 6 * time.Second}}},
		{"as long as there is time", CrowdFlags{Clients: n(9), Arrivals: "3/min", Duration: "10m"}, "~60s",
			linger.Crowd{Clients: 9, Think: linger.Think{Least: time.Minute, Random: true}, Arrivals: 0.05, Duration: 10 * time.Minute}},
		{"without a pause all come at one moment", CrowdFlags{Clients: n(9)}, "0s", linger.Crowd{Clients: 9, Visits: 2}},
		{"several servers", CrowdFlags{Clients: n(4), Arrivals: "1/s", Backends: 4, Balance: "hash", AddBackend: "30s", RestartBackend: "1m", Reconnect: "0s", Shared: true}, "1s",
			linger.Crowd{Clients: 4, Visits: 2, Think: linger.Think{Least: time.Second}, Arrivals: 1, Backends: 4, Balance: linger.HashBalance,
				AddAt: 30 * time.Second, RestartAt: time.Minute, Reconnect: linger.Known(time.Duration(0)), Shared: true}},
	} {
		got, err := test.flags.Parse(test.think)
		if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b linger.Opt[time.Duration]) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, err, diff)
		}
	}
	for _, test := range []struct {
		want  string // a part of the error
		flags CrowdFlags
		think string
	}{
		{"--think: think time", CrowdFlags{Clients: n(5)}, "soon"},
		{"--arrivals: arrivals", CrowdFlags{Clients: n(5), Arrivals: "never"}, ""},
		{"--mix: mix", CrowdFlags{Clients: n(5), Mix: "keep=0"}, ""},
		{"--balance: ", CrowdFlags{Clients: n(5), Backends: 2, Balance: "fair"}, ""},
		{"there is one", CrowdFlags{Clients: n(5), Balance: "random"}, ""},
		{"--duration: 0s", CrowdFlags{Clients: n(5), Duration: "0s"}, ""},
		{"--add-backend: at 30s the crowd has ended", CrowdFlags{Clients: n(5), Duration: "20s", AddBackend: "30s"}, ""},
		{"back ends; give", CrowdFlags{Clients: n(5), Backends: 1000}, ""},
		{"without a pause", CrowdFlags{Clients: n(5), Duration: "20s"}, "0s"},
	} {
		if c, err := test.flags.Parse(test.think); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v is %+v, %v; want %q", test.flags, c, err, test.want)
		}
	}
}

// One client of which nothing else is said is compared as ever.
func TestWhatIsACrowd(t *testing.T) {
	n := func(n int) *int { return &n }
	for _, test := range []struct {
		flags  CrowdFlags
		limits []string
		many   bool
		wrong  string
	}{
		{CrowdFlags{}, nil, false, ""},
		{CrowdFlags{Clients: n(1)}, nil, false, ""},
		{CrowdFlags{Clients: n(2)}, nil, true, ""},
		{CrowdFlags{Clients: n(1), Visits: 3}, nil, true, ""},
		{CrowdFlags{Clients: n(1)}, []string{"--server-workers"}, true, ""},
		{CrowdFlags{}, []string{"--server-workers"}, false, "--server-workers is about many clients; say how many"},
		{CrowdFlags{Arrivals: "3/s"}, nil, false, "--arrivals is about many clients"},
		{CrowdFlags{Clients: n(0)}, nil, false, "--clients: 0; give 1 to"},
		{CrowdFlags{Clients: n(1e9)}, nil, false, "give 1 to"},
	} {
		many, err := test.flags.Many(test.limits)
		if many != test.many || (err == nil) != (test.wrong == "") || err != nil && !strings.Contains(err.Error(), test.wrong) {
			t.Errorf("%+v with %v: %t, %v", test.flags, test.limits, many, err)
		}
	}
	f := CrowdFlags{Clients: n(50), Mix: "keep:6=3,h2=1", Visits: 10, Shared: true}
	if diff := cmp.Diff([]string{"--clients", "50", "--visits", "10", "--mix", "keep:6=3,h2=1", "--shared"}, f.Words()); diff != "" {
		t.Errorf("the command line to repeat it (-want +got):\n%s", diff)
	}
}

// A number of things is at least one: 0 is not silently what stands where nothing is said.
func TestCounts(t *testing.T) {
	for text, want := range map[string]string{
		"1": "", "64": "", "0": "0; give 1 or more", "-3": "-3; give 1 or more",
		"NaN": "no whole number", "1e3": "no whole number", "٣": "no whole number", "": "no whole number",
	} {
		var c Count
		err := c.UnmarshalText([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && fmt.Sprint(c) != text {
			t.Errorf("%q: %d, %v; want %q", text, c, err, want)
		}
	}
}
