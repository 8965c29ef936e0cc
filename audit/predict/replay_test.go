package predict

import (
	"testing"
	"time"

	"linger"
	"linger/policy"
)

// A request hangs on the latest response that had come when it was wanted.
func TestInOrder(t *testing.T) {
	wants := InOrder([]Want{{At: 30, Done: 40, After: -1}, {At: 0, Done: 10, After: -1}, {At: 5, Done: 25, After: -1}, {At: 26, Done: 28, After: -1}})
	for i, want := range []struct {
		at    linger.Instant
		after int32
	}{{0, -1}, {5, -1}, {26, 1}, {30, 2}} {
		if wants[i].At != want.at || wants[i].After != want.after {
			t.Errorf("%d: %+v, want at %d after %d", i, wants[i], want.at, want.after)
		}
	}
}

func at(n int) linger.Instant { return linger.Instant(time.Duration(n) * time.Millisecond) }

// requests at some ms, that take 10 ms each.
func requests(list ...int) (wants []Want) {
	for _, n := range list {
		wants = append(wants, Want{At: at(n), Done: at(n + 10), Takes: 10 * time.Millisecond})
	}
	return InOrder(wants)
}

// ending has each request be the last on its connection.
func ending(wants []Want, end End, kept time.Duration) []Want {
	for i := range wants {
		wants[i].End, wants[i].Kept = end, kept
	}
	return wants
}

// parted has each request be of another pool than the one before.
func parted(wants []Want, parts int) []Want {
	for i := range wants {
		wants[i].Part = int32(i % parts)
	}
	return wants
}

func TestWith(t *testing.T) {
	for _, test := range []struct {
		name    string
		traffic Traffic
		setting string // empty changes nothing
		opened  int
		waiting float64 // in ms, of 5 each
		queued  float64
	}{
		{"none", Traffic{}, "", 0, 0, 0},
		{"one after the other", Traffic{Wants: requests(0, 100, 200, 300)}, "", 1, 5, 0},
		{"at once", Traffic{Wants: requests(0, 0, 0)}, "", 3, 15, 0},
		{"at once, and one connection", Traffic{Wants: requests(0, 0, 0)}, "connections=1", 1, 5, 15 + 25},
		{"at once, multiplexed", Traffic{Wants: requests(0, 0, 0)}, "h2", 1, 5, 10},
		{"at once, multiplexed, and two streams", Traffic{Wants: requests(0, 0, 0), Streams: 2}, "h2", 1, 5, 20},
		{"longer apart than the client keeps", Traffic{Wants: requests(0, 1500, 3000), Idle: time.Second}, "", 3, 15, 0},
		{"and it keeps for longer", Traffic{Wants: requests(0, 1500, 3000), Idle: time.Second}, "idle=2s", 1, 5, 0},
		{"but the server does not", Traffic{Wants: requests(0, 1500, 3000), Idle: time.Second, ServerIdle: time.Second}, "idle=2s", 3, 15, 0},
		{"nor does the client with a server that does", Traffic{Wants: requests(0, 1500, 3000), Idle: time.Second, ServerIdle: time.Second}, "server-idle=2s", 3, 15, 0},
		{"a limit of two requests", Traffic{Wants: requests(0, 100, 200, 300), Requests: 2}, "", 2, 10, 0},
		{"raised", Traffic{Wants: requests(0, 100, 200, 300), Requests: 2}, "max-requests=10", 1, 5, 0},
		{"at an age", Traffic{Wants: requests(0, 100, 200, 300), Age: 150 * time.Millisecond}, "", 2, 10, 0},
		{"never kept", Traffic{Wants: ending(requests(0, 100, 200), ClientAtOnce, 0)}, "", 3, 15, 0},
		{"never kept, and now it is", Traffic{Wants: ending(requests(0, 100, 200), ClientAtOnce, 0)}, "idle=1s", 1, 5, 0},
		{"never kept by the server, whatever the client does", Traffic{Wants: ending(requests(0, 100, 200), ServerAtOnce, 0)}, "idle=1s", 3, 15, 0},
		{"never kept by the server, and now it is", Traffic{Wants: ending(requests(0, 100, 200), ServerAtOnce, 0)}, "server-idle=1s", 1, 5, 0},
		{"ended in error, whatever the setting", Traffic{Wants: ending(requests(0, 100, 200), Otherwise, 0)}, "server-idle=1s,idle=1s,connections=6", 3, 15, 0},
		{"ended after a while, and used before", Traffic{Wants: ending(requests(0, 100, 200), Otherwise, 99*time.Millisecond)}, "", 1, 5, 0},
		{"ended after a while", Traffic{Wants: ending(requests(0, 100, 200), Otherwise, 80*time.Millisecond)}, "", 3, 15, 0},
		{"two processes, each with a pool", Traffic{Wants: parted(requests(0, 100, 200, 300), 2)}, "", 2, 10, 0},
		{"two processes, kept for longer", Traffic{Wants: parted(requests(0, 100, 200, 300), 2)}, "idle=9s", 2, 10, 0},
		{"one pool for both", Traffic{Wants: parted(requests(0, 100, 200, 300), 2)}, "connections=6", 1, 5, 0},
		{"there before", Traffic{Wants: requests(0, 100, 200, 300), Before: []int{1}}, "", 0, 0, 0},
		{"each its own, and two at most", Traffic{Wants: requests(0, 0, 0, 0), Bound: true}, "connections=2", 2, 10, 15 + 15},
		{"one of two idles, and the other is enough", Traffic{Wants: requests(0, 0, 80, 160, 240, 320), Idle: 100 * time.Millisecond, Order: policy.MostRecent}, "", 2, 10, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := test.traffic
			x.Full, x.Measured = 5*time.Millisecond, true
			x.Observed.Opened = 2
			var setting Setting
			if test.setting != "" {
				var err error
				if setting, err = ParseSetting(test.setting); err != nil {
					t.Fatal(err)
				}
			}
			got := x.With(setting)
			if w, q := got.Waiting.Or(-1), got.Queueing.Or(-1); got.Opened != test.opened || w != test.waiting || q != test.queued {
				t.Errorf("%d opened, %v ms waiting, %v ms for a connection; want %d, %v, %v", got.Opened, w, q, test.opened, test.waiting, test.queued)
			}
			if got.Known != "predicted" || got.Instead.Opened != 2 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Which connection idles for too long hangs on which one is used.
func TestOrders(t *testing.T) {
	// Two at once, then one each 80 ms: the least recently used one takes turns, so that each
	// idles for 150 ms; else one idles for good, and is gone when two are wanted again.
	x := Traffic{Wants: requests(0, 0, 80, 160, 240, 320, 400, 400), Idle: 200 * time.Millisecond, Full: 5 * time.Millisecond, Measured: true}
	if n := x.With(Setting{Order: MRU}).Opened; n != 3 {
		t.Errorf("mru: %d", n)
	}
	if n := x.With(Setting{Order: LRU}).Opened; n != 2 {
		t.Errorf("lru: %d", n)
	}
}

// Of two requests the second finds the connection busy. Another one takes long to open: the first
// is free before that, and takes it, unless each waits for its own.
func TestBound(t *testing.T) {
	x := Traffic{Wants: requests(0, 100, 105), Full: 20 * time.Millisecond, Measured: true}
	if o := x.With(Setting{}); o.Opened != 1 || o.Waiting.Or(0) != 20 || o.Queueing.Or(0) != 5 {
		t.Errorf("whichever is free first: %+v", o)
	}
	x = Traffic{Wants: x.Wants, Bound: true, Full: x.Full, Measured: true}
	if o := x.With(Setting{}); o.Opened != 2 || o.Waiting.Or(0) != 40 || o.Queueing.Or(-1) != 0 {
		t.Errorf("each its own: %+v", o)
	}
}

// The first of a client's handshakes is full, and as many of the others are as were.
func TestHandshakes(t *testing.T) {
	x := Traffic{Wants: ending(requests(0, 100, 200, 300, 400), ClientAtOnce, 0), Secure: true, Measured: true, Full: 10 * time.Millisecond, Resumed: 4 * time.Millisecond, Share: .5}
	for _, test := range []struct {
		setting       string
		full, resumed int
		waiting       float64
	}{{"order=mru", 3, 2, 38}, {"resume", 1, 4, 26}, {"connections=2", 1, 0, 10}} {
		s, err := ParseSetting(test.setting)
		if err != nil {
			t.Fatal(err)
		}
		if o := x.With(s); o.Full != test.full || o.Resumed != test.resumed || o.Waiting.Or(0) != test.waiting {
			t.Errorf("%s: %+v", test.setting, o)
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
