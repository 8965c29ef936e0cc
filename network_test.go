package linger

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	for in, want := range map[string]Rate{
		"12mbit": 12 * Mbps, "12Mbit/s": 12 * Mbps, "12mbps": 12 * Mbps, " 1600 kbit ": 1600 * Kbps,
		"1gbit": Gbps, "1.5mbit": 1500 * Kbps, "800bit": 800, "100gbit": 100 * Gbps,
		"0": 0, "unlimited": 0, "0kbit": 0,
	} {
		if got, err := ParseRate(in); err != nil || got != want {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	// 0.1bit must not become 0, which is unlimited.
	for _, in := range []string{"", "12", "mbit", "-1mbit", "fast", "nanbit", "infbit", "101gbit", "0.1bit", "1e300gbit", "12mbyte"} {
		if got, err := ParseRate(in); err == nil {
			t.Errorf("ParseRate(%q) = %v; want an error", in, got)
		}
	}
}

func TestParseLoss(t *testing.T) {
	for in, want := range map[string]float64{"1%": 0.01, "0.5 %": 0.005, "0.01": 0.01, "0": 0, "0%": 0, "99%": 0.99} {
		if got, err := ParseLoss(in); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("ParseLoss(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "%", "100%", "1", "-1%", "nan", "inf%", "a few"} {
		if got, err := ParseLoss(in); err == nil {
			t.Errorf("ParseLoss(%q) = %v; want an error", in, got)
		}
	}
}

func TestRatePrintsInItsLargestWholeUnit(t *testing.T) {
	for r, want := range map[Rate]string{
		0: "unlimited", 800: "800 bit/s", 1600 * Kbps: "1600 kbit/s", 12 * Mbps: "12 Mbit/s", Gbps: "1 Gbit/s", 1500 * Mbps: "1500 Mbit/s",
	} {
		if got := r.String(); got != want {
			t.Errorf("%d: %q; want %q", int64(r), got, want)
		}
	}
}

func TestRateTimeRoundsUp(t *testing.T) {
	for _, c := range []struct {
		rate Rate
		n    int
		want time.Duration
	}{
		{12 * Mbps, MTU, time.Millisecond},
		{Gbps, 1, 8},
		{3 * Gbps, 1, 3}, // 2.67 ns
		{0, MTU, 0},
		{Kbps, 0, 0},
		{Gbps, 4 << 30, 34359738368}, // more than 64 bits on the way
		{1, math.MaxInt64 / 16, math.MaxInt64},
	} {
		if got := c.rate.Time(c.n); got != c.want {
			t.Errorf("%d bytes at %v: %d ns; want %d", c.n, c.rate, got, c.want)
		}
	}
}

func TestEveryNetworkIsFoundByItsName(t *testing.T) {
	for _, n := range Networks() {
		got, err := ParseNetwork(n.Name)
		if err != nil || got != n {
			t.Errorf("ParseNetwork(%q) = %v, %v; want %v", n.Name, got, err, n)
		}
		if err := n.Validate(); err != nil {
			t.Errorf("%s: %v", n.Name, err)
		}
		if n.Queue != DefaultQueue || n.Down <= 0 || n.Up <= 0 || n.RTT <= 0 || n.Loss != 0 {
			t.Errorf("%s is not whole: %+v", n.Name, n)
		}
	}
	if _, err := ParseNetwork(DefaultNetwork); err != nil {
		t.Error(err)
	}
	_, err := ParseNetwork("let")
	if err == nil || !strings.Contains(err.Error(), "did you mean lte") || !strings.Contains(err.Error(), "satellite") {
		t.Errorf("unknown network: %v; want the nearest name and the list", err)
	}
}

func TestNetworkValidate(t *testing.T) {
	good := Network{RTT: time.Millisecond, Down: Mbps, Up: Mbps, Queue: DefaultQueue}
	for _, c := range []struct {
		what  string
		spoil func(*Network)
		want  string
	}{
		{"no round trip", func(n *Network) { n.RTT = 0 }, ""},
		{"no bound", func(n *Network) { n.Down, n.Up = 0, 0 }, ""},
		{"negative RTT", func(n *Network) { n.RTT = -1 }, "--rtt"},
		{"an hour of RTT", func(n *Network) { n.RTT = time.Hour }, "--rtt"},
		{"loss of all", func(n *Network) { n.Loss = 1 }, "--loss"},
		{"loss of nothing known", func(n *Network) { n.Loss = math.NaN() }, "--loss"},
		{"negative queue", func(n *Network) { n.Queue = -1 }, "--queue"},
		{"a bit a second", func(n *Network) { n.Up = 1 }, "--up"},
		{"negative rate", func(n *Network) { n.Down = -Mbps }, "--down"},
		{"a terabit", func(n *Network) { n.Down = 1000 * Gbps }, "--down"},
	} {
		n := good
		c.spoil(&n)
		switch err := n.Validate(); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.what, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v; want %s named", c.what, err, c.want)
		}
	}
}

func TestQueueHoldsAnInitialWindowAtLeast(t *testing.T) {
	n := Network{Queue: DefaultQueue}
	for r, want := range map[Rate]int{49 * Kbps: 32 * MTU, 12 * Mbps: 150_000, Gbps: 12_500_000, 0: 32 * MTU} {
		if got := n.QueueBytes(r); got != want {
			t.Errorf("%v: %d bytes; want %d", r, got, want)
		}
	}
}
