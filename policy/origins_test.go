package policy

import (
	"fmt"
	"testing"
	"time"

	"linger"
)

// spread is a page on the first of n origins and m objects on each of all.
func spread(n, m int) linger.Workload {
	w := linger.Workload{Name: "spread", Scheme: "http"}
	for o := range n {
		w.Origins = append(w.Origins, linger.Origin{Name: fmt.Sprintf("o%d.example", o)})
	}
	w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "GET", Path: "/", Status: 200, Parent: linger.NoParent})
	for i := range n * m {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "GET", Origin: i % n, Path: fmt.Sprintf("/%d", i), Status: 200, Parent: 0})
	}
	return w
}

// Connections belong to an origin, and :N is for each: one machine, a pool for each
// origin. Round trips are counted as in the world of client_test.go.
func TestOriginsHaveConnectionsOfTheirOwn(t *testing.T) {
	for _, c := range []struct {
		strategy      string
		origins, each int
		dials         int
		trips         time.Duration
		first         int // connections to the first origin
	}{
		// The page takes 2, then each origin its own handshake and its objects.
		{"keep", 3, 4, 3, 7, 1},    // the others: 1 and 4; the first: 4
		{"keep:2", 3, 4, 6, 5, 2},  // 1 and 2
		{"close", 3, 4, 13, 10, 5}, // 2 for each of 4
		{"close:2", 3, 4, 13, 6, 5},
		{"pipeline", 3, 4, 3, 4, 1},
		{"h2", 3, 4, 3, 4, 1},
		{"h2", 1, 4, 1, 3, 1},
	} {
		x := newWorld(t, spread(c.origins, c.each), strategy(t, c.strategy), DefaultLimits)
		x.run()
		first := 0
		for _, k := range x.conns {
			if k.origin == 0 {
				first++
			}
		}
		if len(x.conns) != c.dials || first != c.first {
			t.Errorf("%s: %d connections, %d to the first origin; want %d and %d", c.strategy, len(x.conns), first, c.dials, c.first)
		}
		if trips := x.loaded.Sub(0) / rtt; trips != c.trips {
			t.Errorf("%s over %d origins: loaded after %d round trips; want %d", c.strategy, c.origins, trips, c.trips)
		}
	}
}

// An origin that cannot be reached costs its own exchanges and no others.
func TestAnOriginThatIsDown(t *testing.T) {
	w := spread(2, 3)
	x := newWorld(t, w, strategy(t, "keep:6"), DefaultLimits)
	x.connect = func(id int) (string, bool) {
		if x.conns[id].origin == 1 {
			return "connection refused", false
		}
		return "", false
	}
	x.run()
	for i, e := range w.Exchanges {
		want := delivered
		if e.Origin == 1 {
			want = failed
		}
		if got := x.client.page.exchanges[i].state; got != want {
			t.Errorf("exchange %d of origin %d is in state %d; want %d", i, e.Origin, got, want)
		}
	}
}
