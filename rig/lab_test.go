package rig

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/internal/testall"
	"linger/policy"
	"linger/run"
	"linger/trace"
)

// network returns a path for a test, wide enough that only round trips count.
func network(rtt time.Duration) linger.Network {
	return linger.Network{Name: "test", RTT: rtt, Down: linger.Gbps, Up: linger.Gbps, Queue: linger.DefaultQueue}
}

func strategies(t *testing.T, list string) []linger.Strategy {
	t.Helper()
	s, err := linger.ParseStrategies(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func builtin(t *testing.T, name string) linger.Workload {
	t.Helper()
	w, err := linger.ParseWorkload(name, 1)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// measure runs strategies in the lab and returns what compare makes of them.
func measure(t *testing.T, w linger.Workload, list string, n linger.Network, trials, still int) (compare.Findings, *trace.Experiment) {
	t.Helper()
	x, err := run.Run(t.Context(), Lab{}, run.Plan{
		Workload: w, Strategies: strategies(t, list), Network: n, Seed: 1,
		Trials: trials, ZeroRTT: still, Workers: 2, Timeout: 2 * time.Minute,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range x.Strategies {
		for _, reason := range append(x.Failures[i], x.ZeroRTTFailures[i]...) {
			t.Errorf("%s: a trial failed: %s", s.Name, reason)
		}
		for _, one := range x.Traces[i] {
			for _, e := range one.Exchanges {
				if e.Failed != "" {
					t.Errorf("%s: %s failed: %s", s.Name, e.URL, e.Failed)
				}
			}
		}
	}
	return compare.Compare(*x), x
}

// punctually has what the lab measures be as it should, where the machine is in time: the
// link, as compare has it, and whoever sleeps.
func punctually(t *testing.T, rtt time.Duration, attempt func() (seen []*trace.Trace, wrong string)) {
	t.Helper()
	testall.InTime(t, rtt/10, func(a *testall.Attempt) {
		seen, wrong := attempt()
		if wrong == "" {
			return
		}
		a.Error(wrong)
		for _, one := range seen {
			a.WasLate(2 * one.Ledger.Or(trace.Ledger{}).Lateness.P99)
		}
	})
}

// loads are the traces of all trials.
func loads(x *trace.Experiment) []*trace.Trace {
	return slices.Concat(slices.Concat(x.Traces...), slices.Concat(x.ZeroRTT...))
}

// textbook holds the closed-form cases of J. Kurose and K. Ross, Computer
// Networking, chapter 2 (review problems on non-persistent and persistent HTTP;
// name look-ups left out), in round trips: one HTML page and objects, each of one
// segment, with nothing but propagation to wait for.
var textbook = []struct {
	objects  int
	strategy string
	trips    float64
	why      string
}{
	{3, "close", 8, "2 for each of 4"},
	{3, "close:3", 4, "2 for the page, 2 for all objects at once"},
	{3, "pipeline", 3, "handshake, page, all objects"},
	{8, "close", 18, "2 for each of 9"},
	{8, "close:6", 6, "2 for the page, 2 for the first six, 2 for the rest"},
	{8, "pipeline", 3, "handshake, page, all objects"},
	{8, "keep", 10, "handshake, then 1 for each of 9"},
	{10, "close", 22, "2 for each of 11"},
	{10, "close:4", 8, "2 for the page, 2 for each four"},
	{10, "keep", 12, "handshake, then 1 for each of 11"},
	{10, "pipeline", 3, "handshake, page, all objects"},
}

func TestTextbookOnRealTCP(t *testing.T) {
	needLab(t)
	t.Parallel()
	const rtt = 100 * time.Millisecond
	for _, row := range textbook {
		t.Run(fmt.Sprintf("%s of %d", row.strategy, row.objects), func(t *testing.T) {
			t.Parallel()
			punctually(t, rtt, func() ([]*trace.Trace, string) {
				_, x := measure(t, linger.Textbook(row.objects), row.strategy, network(rtt), testall.Of(3, 1), 0)
				least := math.Inf(1)
				for _, one := range x.Traces[0] {
					least = min(least, float64(one.Ended)/float64(rtt))
				}
				t.Logf("%s: %.2f round trips, textbook %v (%s)", row.strategy, least, row.trips, row.why)
				if math.Abs(least-row.trips) > 0.5 {
					return loads(x), fmt.Sprintf("%s of a page and %d objects took %.2f round trips, want %v within 0.5", row.strategy, row.objects, least, row.trips)
				}
				return loads(x), ""
			})
		})
	}
}

func TestRoundTripsOfFortyOneSmallObjects(t *testing.T) {
	testall.Long(t, "a quarter of a minute of real time")
	needLab(t) // with nothing beside it: all of its round trips count
	const rtt = 100 * time.Millisecond
	punctually(t, rtt, func() ([]*trace.Trace, string) {
		f, x := measure(t, linger.Textbook(40), "close,keep", network(rtt), 3, 3)
		wrong := ""
		for i, want := range []struct{ trips, within float64 }{{82, 2}, {42, 1}} {
			if got, known := f.Rows[i].RoundTrips.Get(); !known || math.Abs(got-want.trips) > want.within {
				wrong += fmt.Sprintf("%s: %.2f round trips, want %v within %v; ", f.Rows[i].Strategy, got, want.trips, want.within)
			}
		}
		return loads(x), strings.TrimSuffix(wrong, "; ")
	})
}

// TestPersistentButSerialLosesToParallel is the result of H. F. Nielsen et al.,
// "Network Performance Effects of HTTP/1.1, CSS1, and PNG" (SIGCOMM 1997), on
// their page at their round-trip time.
func TestPersistentButSerialLosesToParallel(t *testing.T) {
	needLab(t)
	t.Parallel()
	n := network(90 * time.Millisecond)
	n.Down, n.Up = 10*linger.Mbps, 10*linger.Mbps
	ms := func(r compare.Row) float64 { return r.Time.Or(times.Time{}).Median }
	packets := func(r compare.Row) float64 { return r.Packets.Or(facts.Directions{}).Sum() }
	punctually(t, n.RTT, func() ([]*trace.Trace, string) {
		f, x := measure(t, linger.Microscape(), "close:4,keep,pipeline", n, testall.Of(3, 1), 0)
		parallel, serial, pipelined := f.Rows[0], f.Rows[1], f.Rows[2]
		for _, r := range f.Rows {
			t.Logf("%-9s %.0f ms, %.0f packets", r.Strategy, ms(r), packets(r))
		}
		switch {
		case !(ms(serial) > ms(parallel) && ms(parallel) > ms(pipelined)):
			return loads(x), "times should fall from keep over close:4 to pipeline"
		case !(packets(parallel) > packets(serial) && packets(serial) > packets(pipelined)):
			return loads(x), "packets should fall from close:4 over keep to pipeline"
		}
		return loads(x), ""
	})
}

func TestGalleryConnections(t *testing.T) {
	needLab(t)
	t.Parallel()
	w, err := builtin(t, "gallery").WithScheme("http")
	if err != nil {
		t.Fatal(err)
	}
	n := network(20 * time.Millisecond)
	_, x := measure(t, w, "close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2", n, 1, 0)
	want := map[string]struct{ least, most int }{
		"close": {41, 41}, "close:6": {41, 41}, "keep": {1, 1}, "keep:2": {2, 2},
		"keep:6": {2, 6}, "pipeline": {1, 1}, "pipeline:2": {2, 2},
	}
	for i, s := range x.Strategies {
		one := x.Traces[i][0]
		checkDelivered(t, one, w)
		opened, handshakes := 0, 0
		for _, f := range one.Ledger.Or(trace.Ledger{}).Connections {
			opened++
			if f.Up.SYN > 0 && f.Down.SYN > 0 {
				handshakes++
			}
		}
		if opened < want[s.Name].least || opened > want[s.Name].most || handshakes != opened || len(one.Connections) != opened {
			t.Errorf("%s: %d connections and %d handshakes on the link, %d at the client; want %d to %d",
				s.Name, opened, handshakes, len(one.Connections), want[s.Name].least, want[s.Name].most)
		}
	}
}

// checkDelivered holds a trace of HTTP/1 in cleartext against its workload and
// against its own ledger.
func checkDelivered(t *testing.T, one *trace.Trace, w linger.Workload) {
	t.Helper()
	var heads, bodies, sent int64
	for _, e := range one.Exchanges {
		if e.Failed != "" || e.ResponseBody != w.Exchanges[e.ID].ResponseBody {
			t.Errorf("%s: %s gave %d bytes of %d (%s)", one.Strategy, e.URL, e.ResponseBody, w.Exchanges[e.ID].ResponseBody, e.Failed)
		}
		heads, bodies, sent = heads+e.ResponseHead, bodies+e.ResponseBody, sent+e.RequestHead+e.RequestBody
	}
	if len(one.Exchanges) != len(w.Exchanges) || bodies != w.Bytes() {
		t.Errorf("%s: %d exchanges with %d bytes, want %d with %d", one.Strategy, len(one.Exchanges), bodies, len(w.Exchanges), w.Bytes())
	}
	var up, down int64
	for _, f := range one.Ledger.Or(trace.Ledger{}).Connections {
		up += f.Up.Payload - f.Up.RetransmittedBytes
		down += f.Down.Payload - f.Down.RetransmittedBytes
	}
	if up != sent || down != heads+bodies {
		t.Errorf("%s: the link carried %d bytes up and %d down, HTTP %d and %d", one.Strategy, up, down, sent, heads+bodies)
	}
}

// TestRecordedPages runs pages that real browsers recorded. The files lie beside
// the checkout, if at all: they are not ours to ship.
func TestRecordedPages(t *testing.T) {
	files, _ := filepath.Glob("../../shared/data/har/*.har")
	if len(files) == 0 {
		t.Skip("no HAR files beside the checkout")
	}
	testall.Long(t, "a minute")
	needLab(t)
	t.Parallel()
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			w, notes := readWorkload(t, name)
			t.Log(notes)
			n := network(10 * time.Millisecond)
			n.Down, n.Up = 50*linger.Mbps, 50*linger.Mbps
			_, x := measure(t, secure(t, w), linger.DefaultStrategies("https")+",h3+0rtt", n, 1, 0)
			for i := range x.Strategies {
				checkBodies(t, x.Traces[i][0], w)
			}
			w, err := w.WithScheme("http")
			if err != nil {
				t.Fatal(err)
			}
			_, x = measure(t, w, "close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2,close+1.0,keep+1.0", n, 1, 0)
			for i := range x.Strategies {
				checkDelivered(t, x.Traces[i][0], w)
			}
		})
	}
}

// TestServerThatCloses sees that what a server imposes is survived and counted.
func TestServerThatCloses(t *testing.T) {
	needLab(t)
	t.Parallel()
	w, err := builtin(t, "gallery").WithScheme("http")
	if err != nil {
		t.Fatal(err)
	}
	n := network(5 * time.Millisecond)
	for _, row := range []struct {
		name     string
		policy   policy.ServerPolicy
		strategy string
		opened   int
	}{
		{"after 10 requests", policy.ServerPolicy{MaxRequests: 10}, "keep", 5},
		{"after 10 pipelined requests", policy.ServerPolicy{MaxRequests: 10}, "pipeline", 5},
		{"after each", policy.ServerPolicy{MaxRequests: 1}, "keep", 41},
	} {
		t.Run(row.name, func(t *testing.T) {
			one, err := Lab{Policy: row.policy}.Run(t.Context(), linger.Scenario{
				Workload: w, Strategy: strategies(t, row.strategy)[0], Network: n, Seed: 1}, 0)
			if err != nil {
				t.Fatal(err)
			}
			checkBodies(t, one, w)
			if len(one.Connections) != row.opened {
				t.Errorf("%d connections, want %d", len(one.Connections), row.opened)
			}
		})
	}
}

// checkBodies is checkDelivered where requests may have gone unanswered.
func checkBodies(t *testing.T, one *trace.Trace, w linger.Workload) {
	t.Helper()
	for _, e := range one.Exchanges {
		if e.Failed != "" || e.ResponseBody != w.Exchanges[e.ID].ResponseBody {
			t.Errorf("%s gave %d bytes (%s)", e.URL, e.ResponseBody, e.Failed)
		}
	}
}

// TestLossyPathDeliversEverything also holds the client's order of events.
func TestLossyPathDeliversEverything(t *testing.T) {
	needLab(t)
	w := linger.Objects(4000, 12, 20_000)
	n := network(10 * time.Millisecond)
	n.Down, n.Up, n.Loss = 20*linger.Mbps, 20*linger.Mbps, 0.02
	for _, s := range strategies(t, "close:6,keep,pipeline") {
		one, err := Lab{}.Run(t.Context(), linger.Scenario{Workload: w, Strategy: s, Network: n, Seed: 3}, 0)
		if err != nil {
			t.Fatal(err)
		}
		checkBodies(t, one, w)
		l := one.Ledger.Or(trace.Ledger{})
		if l.Down.DroppedLoss == 0 {
			t.Errorf("%s: nothing was lost of %d packets at 2 %%", s.Name, l.Down.Packets)
		}
		for _, e := range one.Exchanges {
			steps := []linger.Instant{e.Queued, e.Sent.Or(-1), e.FirstByte.Or(-1), e.Done.Or(-1)}
			if !slices.IsSortedFunc(steps, cmp.Compare) {
				t.Errorf("%s: events out of order: %v", e.URL, steps)
			}
		}
	}
}
