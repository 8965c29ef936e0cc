package linger

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRangesHaveEqualRatios(t *testing.T) {
	rtts, err := ParseRTTs("5ms..600ms", 12)
	if err != nil {
		t.Fatal(err)
	}
	if len(rtts) != 12 || rtts[0] != 5*time.Millisecond || rtts[11] != 600*time.Millisecond {
		t.Fatalf("%v", rtts)
	}
	want := math.Pow(120, 1.0/11)
	for i := 1; i < len(rtts); i++ {
		// Each may be off by half of its second digit, 5 %.
		if ratio := float64(rtts[i]) / float64(rtts[i-1]); ratio < want*0.9 || ratio > want*1.1 {
			t.Errorf("%v behind %v: %.2f times, want about %.2f", rtts[i], rtts[i-1], ratio, want)
		}
	}
	fine, err := ParseRates("1mbit..1gbit", 1000)
	if err != nil || len(fine) != 1000 {
		t.Fatalf("%d rates, %v", len(fine), err)
	}
	losses, err := ParseLosses("1%, 0%,0.1%..10%,1%", 3)
	if err != nil || !slices.Equal(losses, []float64{0, 0.001, 0.01, 0.1}) {
		t.Errorf("%v, %v", losses, err)
	}
}

func TestAxesExplain(t *testing.T) {
	rtts := func(s string) error { _, err := ParseRTTs(s, 5); return err }
	rates := func(s string) error { _, err := ParseRates(s, 5); return err }
	losses := func(s string) error { _, err := ParseLosses(s, 5); return err }
	for _, x := range []struct {
		parse    func(string) error
		in, want string
	}{
		{rtts, "600ms..5ms", `runs backwards; write 5ms..600ms`},
		{rtts, "0ms..1s", "begin above 0"},
		{rtts, "-1s..1s", "begin above 0"},
		{rtts, "", "is not a duration"},
		{rtts, "5", "is not a duration"},
		{rates, "0", "unlimited, which is on no map"},
		{rates, "1mbit..fast", "is not a rate"},
		{rates, "1mbit..2mbit..3mbit", "is not a rate"},
		{losses, "100%", "is not a share"},
		{losses, "0%..1%", "begin above 0"},
	} {
		if err := x.parse(x.in); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%q: %v; want it to say %q", x.in, err, x.want)
		}
	}
	if _, err := ParseRTTs("1ms..2ms", 1); err == nil {
		t.Error("one step makes a range")
	}
}

func TestGridListsEveryPathOnce(t *testing.T) {
	g := Grid{
		Loss: []float64{0, 0.01}, Down: []Rate{Mbps, 10 * Mbps, Gbps}, RTT: []time.Duration{time.Millisecond, time.Second}, Queue: DefaultQueue,
	}
	if err := g.Validate(); err != nil || g.Paths() != 12 {
		t.Fatalf("%d paths, %v", g.Paths(), err)
	}
	seen := map[Network]bool{}
	for i := range g.Paths() {
		n := g.Path(i)
		seen[n] = true
		if n.Up != n.Down || n.Queue != DefaultQueue {
			t.Errorf("path %d: %+v", i, n)
		}
	}
	if len(seen) != 12 || g.Path(1).RTT != time.Second || g.Path(2).Down != 10*Mbps || g.Path(6).Loss != 0.01 {
		t.Errorf("%d different paths, %+v", len(seen), g.Path(6))
	}
	g.Up = Known(2 * Mbps)
	if g.Path(5).Up != 2*Mbps {
		t.Errorf("%+v", g.Path(5))
	}
	named := Grid{Loss: []float64{0, 0.02}, Named: Networks(), Queue: DefaultQueue}
	if named.Paths() != 2*len(Networks()) || named.Path(len(Networks())).Loss != 0.02 || named.Path(0).Name != "dial" {
		t.Errorf("%d paths, %+v", named.Paths(), named.Path(len(Networks())))
	}
}

func TestGridRefusesWhatNoModelHolds(t *testing.T) {
	plain := Grid{Loss: []float64{0}, Down: []Rate{Mbps}, RTT: []time.Duration{time.Millisecond}, Queue: DefaultQueue}
	for _, x := range []struct {
		change func(*Grid)
		want   string
	}{
		{func(g *Grid) { g.RTT = nil }, "no path to predict"},
		{func(g *Grid) { g.RTT = append(g.RTT, 3*time.Hour) }, "a round-trip time of 3h0m0s"},
		{func(g *Grid) { g.Down = append(g.Down, 1000*Gbps) }, "a rate of 1000 Gbit/s"},
		{func(g *Grid) { g.Queue = time.Hour }, "a queue of 1h0m0s"},
		{func(g *Grid) { g.RTT, g.Down = make([]time.Duration, 2000), make([]Rate, 2000) }, "more than 1000000 paths"},
	} {
		g := plain
		x.change(&g)
		if err := g.Validate(); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v; want it to say %q", err, x.want)
		}
	}
}
