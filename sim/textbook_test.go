package sim

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"linger"
	"linger/policy"
)

// The exercises of Kurose and Ross, Computer Networking, chapter 2 (P8 and P10 of the
// seventh edition), and of courses that use it: TCP without slow start, and where no
// rate is given without transmission time.
//
// round trips: 2 for each connection and its first object; then 1 for each object
// that waits for the one before it.
func TestClosedFormsOfTheTextbook(t *testing.T) {
	const rtt = 100 * time.Millisecond
	for _, x := range []struct {
		source   string
		objects  int
		strategy string
		trips    int
	}{
		{"P8a", 3, "close", 8},
		{"P8b", 3, "close:6", 4},
		{"P8c", 3, "pipeline", 3},
		{"P8 with 8 objects: 2 + 2 * 8", 8, "close", 18},
		{"P8 with 8 objects: 2 + 2 * ceil(8/6)", 8, "close:6", 6},
		{"P8 with 8 objects", 8, "pipeline", 3},
		{"P8 with 8 objects: 2 + 8", 8, "keep", 10},
		{"10 objects: 2 + 2 * 10", 10, "close", 22},
		{"10 objects: 2 + 2 * ceil(10/4)", 10, "close:4", 8},
		{"10 objects: 2 + 10", 10, "keep", 12},
		{"10 objects", 10, "pipeline", 3},
	} {
		t.Run(fmt.Sprintf("%s, %s", x.source, x.strategy), func(t *testing.T) {
			got := textbook(t, linger.Objects(1200, x.objects, 1000), x.strategy, linger.Network{RTT: rtt}, 25)
			if want := time.Duration(x.trips) * rtt; got != want {
				t.Errorf("%v, want %v: %d round trips", got, want, x.trips)
			}
		})
	}
}

// P10: objects of 100 000 bit on a short link of 150 bit/s, control packets of 200
// bit. Here rate and sizes are a thousand times that, which leaves the times as they are.
func TestTransmissionTimesOfTheTextbook(t *testing.T) {
	const (
		rate    = 150 * linger.Kbps
		object  = 100_000 * 1000 / 8
		control = 200 * 1000 / 8
	)
	path := func(r linger.Rate, rtt time.Duration) linger.Network {
		return linger.Network{RTT: rtt, Down: r, Up: r, Queue: time.Minute}
	}
	page := linger.Objects(object, 10, object)
	for i := range page.Exchanges[1:] {
		page.Exchanges[i+1].At = object // known once the page is there
	}
	one := linger.Objects(object, 0, 0)
	for _, tp := range []time.Duration{0, time.Second} {
		serial := textbook(t, page, "keep", path(rate, 2*tp), control)
		near(t, fmt.Sprintf("persistent, Tp %v", tp), serial, 7350.67+24*tp.Seconds())
		// Ten connections, each of which has a tenth of the rate.
		parallel := textbook(t, one, "close", path(rate, 2*tp), control) + textbook(t, one, "close", path(rate/10, 2*tp), control)
		near(t, fmt.Sprintf("ten in parallel, Tp %v", tp), parallel, 7377.33+8*tp.Seconds())
	}
	// On one queue the packets of ten connections come in turn: control packets of one
	// go while the others' data do, and nothing is sent at a tenth of the rate.
	if shared := textbook(t, page, "close:10", path(rate, 0), control); shared >= 7377*time.Second || shared < 7330*time.Second {
		t.Errorf("ten connections on one queue take %v", shared)
	}
}

func near(t *testing.T, what string, got time.Duration, want float64) {
	t.Helper()
	if math.Abs(got.Seconds()-want) > 0.005 {
		t.Errorf("%s: %.3f s, want %.2f s", what, got.Seconds(), want)
	}
}

func textbook(t *testing.T, w linger.Workload, strategy string, n linger.Network, control int) time.Duration {
	t.Helper()
	s, err := linger.ParseStrategy(strategy)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := Run(context.Background(), linger.Scenario{Workload: w, Strategy: s, Network: n, Seed: 1},
		Config{Host: "origin", Agent: "linger", Textbook: &Textbook{Control: control}, Limits: policy.Limits{Linger: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tr.Exchanges {
		if x.Failed != "" {
			t.Fatal(x.Failed)
		}
	}
	return time.Duration(tr.Ended)
}
