package crowdsweep

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"linger"
)

// The rule, step by step.
func TestTheRule(t *testing.T) {
	row := func(p95, median, held float64) Row {
		return Row{Pages: 4, P95: linger.Known(p95), Median: linger.Known(median), Held: linger.Known(held), Within: true}
	}
	failed, beyond, crowded, waits := row(1, 1, 1), row(1, 1, 1), row(1, 1, 1), row(2, 2, 1)
	crowded.KeptOut, waits.KeptOut = linger.Known(0.2), linger.Known(0.05)
	failed.Failed, beyond.Within = 1, false
	for _, test := range []struct {
		name string
		rows []Row
		want int
	}{
		{"the least 95th percentile", []Row{row(400, 300, 1), row(300, 299, 9)}, 1},
		{"within the margin of it, the least median", []Row{row(300, 300, 1), row(310, 200, 9)}, 1},
		{"within both, the fewest connections", []Row{row(300, 200, 9), row(310, 205, 1), row(305, 201, 4)}, 1},
		{"no page may fail", []Row{failed, row(900, 900, 9)}, 1},
		{"no more held than allowed", []Row{beyond, row(900, 900, 9)}, 1},
		{"one client in twenty may wait", []Row{crowded, waits}, 1},
		{"more where none lets fewer wait", []Row{crowded}, 0},
		{"none serves", []Row{failed, beyond}, -1},
	} {
		if got := (Cell{Rows: test.rows}).choose(func(Row) bool { return true }); got != test.want {
			t.Errorf("%s: %d; want %d", test.name, got, test.want)
		}
	}
}

// The mean idle time is that of think times drawn.
func TestIdledIsTheMeanOfThinkTimesDrawn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range []string{"5s", "4s-6s", "~5s", "0s"} {
		think, err := linger.ParseThink(s)
		if err != nil {
			t.Fatal(err)
		}
		c := linger.Crowd{Clients: 1, Think: think, Visits: 2}
		for _, idle := range []time.Duration{0, time.Second, 4500 * time.Millisecond, 5 * time.Second, 20 * time.Second} {
			sum, n := 0.0, 20_000
			for range n {
				at, _ := c.Members(r.Uint64(), 0)[0].Next(1, 0)
				z := at.Milliseconds() / 1000
				if idle > 0 {
					z = min(z, idle.Seconds())
				}
				sum += z
			}
			if mean, want := sum/float64(n), idled(idle, think); math.Abs(mean-want) > 0.03*max(want, 0.1) {
				t.Errorf("%s, %v: %v drawn, %v computed", s, idle, mean, want)
			}
		}
	}
}
