package predict

import (
	"testing"
	"time"

	"linger"
)

// A request hangs on the latest response that had come when it was wanted.
func TestInOrder(t *testing.T) {
	wants := InOrder([]Want{{At: 30, Done: 40, After: -1}, {At: 0, Done: 10, After: -1}, {At: 5, Done: 25, After: -1}, {At: 26, Done: 28, After: -1}})
	for i, want := range []struct {
		at    linger.Instant
		after int
	}{{0, -1}, {5, -1}, {26, 1}, {30, 2}} {
		if wants[i].At != want.at || wants[i].After != want.after {
			t.Errorf("%d: %+v, want at %d after %d", i, wants[i], want.at, want.after)
		}
	}
}

func TestOpened(t *testing.T) {
	ms := func(n int) linger.Instant { return linger.Instant(time.Duration(n) * time.Millisecond) }
	// Requests at some ms that take 10 ms each.
	at := func(list ...int) (wants []Want) {
		for _, n := range list {
			wants = append(wants, Want{At: ms(n), Done: ms(n + 10), Takes: 10 * time.Millisecond, After: -1})
		}
		return InOrder(wants)
	}
	pool := func(connections int, idle time.Duration, most int) linger.Strategy {
		return linger.Strategy{Name: "keep", Version: "1.1", Persistent: true, Connections: connections, InFlight: 1, IdleTimeout: idle, MaxRequests: most}
	}
	for _, test := range []struct {
		name     string
		wants    []Want
		strategy linger.Strategy
		want     int
	}{
		{"none", nil, pool(6, time.Second, 0), 0},
		{"one after the other", at(0, 100, 200, 300), pool(6, time.Second, 0), 1},
		{"at once", at(0, 0, 0), pool(6, time.Second, 0), 3},
		{"at once, and one connection", at(0, 0, 0), pool(1, time.Second, 0), 1},
		{"longer apart than they are kept", at(0, 1500, 3000), pool(6, time.Second, 0), 3},
		{"a limit of two requests", at(0, 100, 200, 300), pool(6, time.Second, 2), 2},
	} {
		if got := Opened(test.wants, test.strategy, 5*time.Millisecond); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// What slow start would have cost less: 100 kB take three flights from the initial window on.
func TestSlowStart(t *testing.T) {
	const trip = 40 * time.Millisecond
	for _, test := range []struct {
		name      string
		size      int64
		before    Earlier
		low, high time.Duration
	}{
		{"fits into the initial window", 14_600, Earlier{First: 100_000, Carried: 100_000}, 0, 0},
		{"nothing is known of the one before", 100_000, Earlier{}, 0, 0},
		{"the window is there still", 100_000, Earlier{First: 100_000, Carried: 100_000}, trip, 2 * trip},
		{"it may be gone", 100_000, Earlier{First: 100_000, Carried: 100_000, Idled: time.Second}, 0, 2 * trip},
		{"it had not grown", 100_000, Earlier{First: 1000, Carried: 1000}, 0, 0},
	} {
		low, high, ok := SlowStart(test.size, test.before, trip)
		if low != test.low || high != test.high || ok != (test.high > 0) {
			t.Errorf("%s: %v to %v, %v; want %v to %v", test.name, low, high, ok, test.low, test.high)
		}
	}
}
