package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

var rewrite = flag.Bool("update", false, "write testdata/behaviour.txt")

// plain is a configuration whose hosts take no time.
var plain = Config{Host: "origin", Agent: "linger/test", AltSvc: `h3=":443"`}

func scenario(t testing.TB, w linger.Workload, strategy string, n linger.Network) linger.Scenario {
	t.Helper()
	s, err := linger.ParseStrategy(strategy)
	if err != nil {
		t.Fatal(err)
	}
	if n.Queue == 0 {
		n.Queue = linger.DefaultQueue
	}
	return linger.Scenario{Workload: w, Strategy: s, Network: n, Seed: 1}
}

func predict(t testing.TB, s linger.Scenario, c Config) *trace.Trace {
	t.Helper()
	tr, err := Run(context.Background(), s, c)
	if err != nil {
		t.Fatalf("%s: %v", s.Strategy.Name, err)
	}
	return tr
}

func over(t testing.TB, w linger.Workload, scheme string) linger.Workload {
	t.Helper()
	w, err := w.WithScheme(scheme)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func symmetric(rtt time.Duration, rate linger.Rate, loss float64) linger.Network {
	return linger.Network{RTT: rtt, Down: rate, Up: rate, Loss: loss}
}

func again(t *trace.Trace) (n int64) {
	for _, f := range t.Ledger.Or(trace.Ledger{}).Connections {
		n += f.Up.Retransmitted + f.Down.Retransmitted
	}
	return n
}

func packets(t *trace.Trace) int64 {
	l := t.Ledger.Or(trace.Ledger{})
	return l.Up.Packets + l.Down.Packets
}

// One exchange that fits into the first window, on a path without a rate: TCP's
// handshake is one round trip, TLS 1.3's another, the exchange the third.
func TestRoundTripsOfOneExchange(t *testing.T) {
	const rtt = 100 * time.Millisecond
	for _, x := range []struct {
		scheme, strategy string
		objects, trips   int
	}{
		{"http", "keep", 0, 2}, {"https", "keep", 0, 3}, {"http", "h2", 0, 2}, {"https", "h2", 0, 3},
		{"http", "keep", 1, 3}, {"https", "keep", 1, 4}, {"http", "close", 1, 4}, {"https", "close", 1, 6},
		{"https", "close+resume", 1, 6}, {"http", "keep+1.0", 1, 3}, {"http", "pipeline", 5, 3}, {"https", "h2", 5, 4},
		// QUIC's handshake is one round trip with TLS in it (RFC 9000, 7), and none
		// with early data (RFC 9001, 4.6).
		{"https", "h3", 0, 2}, {"https", "h3", 1, 3}, {"https", "h3", 5, 3}, {"https", "h3+0rtt", 0, 1}, {"https", "h3+0rtt", 5, 2},
	} {
		w := over(t, linger.Objects(1200, x.objects, 1000), x.scheme)
		got := predict(t, scenario(t, w, x.strategy, symmetric(rtt, 0, 0)), plain)
		if want := linger.Instant(x.trips) * linger.Instant(rtt); got.Ended != want {
			t.Errorf("%s over %s, %d objects: %v, want %d round trips", x.strategy, x.scheme, x.objects, time.Duration(got.Ended), x.trips)
		}
	}
}

// SYNs that are lost are sent again after a second each, four times, then twice as
// long each time (Linux since 6.5).
func TestLostHandshakes(t *testing.T) {
	w := linger.Objects(1200, 0, 0)
	got := predict(t, scenario(t, w, "keep", symmetric(20*time.Millisecond, 0, 0.97)), plain)
	f := got.Ledger.Or(trace.Ledger{}).Connections[0]
	if f.Up.SYN < 2 || f.Up.Retransmitted < f.Up.SYN-1 {
		t.Errorf("%d SYN, %d of them again", f.Up.SYN, f.Up.Retransmitted)
	}
	if got.Exchanges[0].Failed == "" {
		t.Fatal("with this seed the exchange came through; take another")
	}
	if got.Ended < linger.Instant(5*time.Second) {
		t.Errorf("given up after %v", time.Duration(got.Ended))
	}
}

// behaviour is the golden table: a change of the model shows as a difference in review.
func behaviour(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %-6s %-9s %6s %5s %9s %7s %6s %5s\n", "workload", "scheme", "strategy", "rtt", "loss", "ms", "packets", "again", "conns")
	for _, w := range []linger.Workload{linger.Gallery(1), linger.Microscape()} {
		for _, name := range []string{"close", "close:6", "keep", "keep:6", "pipeline", "h2", "h3", "h3+0rtt"} {
			if strings.HasPrefix(name, "h3") && w.Scheme == "http" {
				continue
			}
			for _, rtt := range []time.Duration{5, 70, 300} {
				for _, loss := range []float64{0, 0.01} {
					tr := predict(t, scenario(t, w, name, symmetric(rtt*time.Millisecond, 12*linger.Mbps, loss)), plain)
					fmt.Fprintf(&b, "%-10s %-6s %-9s %4dms %4g%% %9.3f %7d %6d %5d\n", w.Name, w.Scheme, name, rtt, 100*loss,
						tr.Ended.Milliseconds(), packets(tr), again(tr), len(tr.Connections))
				}
			}
		}
	}
	return b.String()
}

func TestBehaviour(t *testing.T) {
	const golden = "testdata/behaviour.txt"
	got := behaviour(t)
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	was := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(was) || line != was[i] {
			t.Errorf("line %d of %s: now\n%s\nif that is meant, run: go test ./sim -run TestBehaviour -update", i+1, golden, line)
			return
		}
	}
}

// every calls f with a variety of scenarios.
func every(t *testing.T, f func(t *testing.T, s linger.Scenario)) {
	for _, w := range []linger.Workload{linger.Gallery(3), over(t, linger.Gallery(3), "http"), linger.Microscape(), linger.API(4), linger.Textbook(10)} {
		for _, name := range []string{"close", "close:6", "keep", "keep:2", "keep:6", "keep+1.0", "pipeline", "h2", "h3", "h3+resume", "h3+0rtt"} {
			if strings.HasPrefix(name, "h3") && w.Scheme == "http" {
				continue
			}
			for _, n := range []linger.Network{
				symmetric(0, 0, 0), symmetric(time.Millisecond, linger.Gbps, 0), symmetric(70*time.Millisecond, 12*linger.Mbps, 0),
				{RTT: 120 * time.Millisecond, Down: 49 * linger.Kbps, Up: 30 * linger.Kbps}, symmetric(300*time.Millisecond, 1600*linger.Kbps, 0.02),
				symmetric(20*time.Millisecond, 100*linger.Mbps, 0.05),
			} {
				f(t, scenario(t, w, name, n))
			}
		}
	}
}

func TestEverythingArrivesAndNothingBeforeItsCause(t *testing.T) {
	every(t, func(t *testing.T, s linger.Scenario) {
		tr := predict(t, s, plain)
		at := fmt.Sprintf("%s, %s over %s, %v", s.Workload.Name, s.Strategy.Name, s.Workload.Scheme, s.Network)
		var content int64
		for i, x := range tr.Exchanges {
			e := s.Workload.Exchanges[i]
			if x.Failed != "" {
				t.Errorf("%s: exchange %d failed: %s", at, i, x.Failed)
				return
			}
			if x.ResponseBody != e.ResponseBody || x.Status != e.Status {
				t.Errorf("%s: exchange %d has %d bytes and status %d", at, i, x.ResponseBody, x.Status)
			}
			content += x.ResponseBody
			sent, begun, done := x.Sent.Or(-1), x.FirstByte.Or(-1), x.Done.Or(-1)
			if x.Queued > sent || sent.Add(s.Network.RTT) > begun || begun > done || done > tr.Ended {
				t.Errorf("%s: exchange %d: queued %v, sent %v, first byte %v, done %v, ended %v", at, i, x.Queued, sent, begun, done, tr.Ended)
			}
			if e.Parent != linger.NoParent && x.Queued < tr.Exchanges[e.Parent].FirstByte.Or(0) {
				t.Errorf("%s: exchange %d was known before what names it", at, i)
			}
			k := tr.Connections[x.Connection]
			shaken := k.Established.Or(k.Secured.Or(0)) // QUIC has one handshake for both
			if k.Connected.Or(0) > sent || k.Dialled.Add(s.Network.RTT) > shaken {
				t.Errorf("%s: connection %d: dialled %v, established %v, connected %v, used %v", at, k.ID, k.Dialled, shaken, k.Connected, sent)
			}
		}
		// Bytes are conserved: what arrived was sent, once or more often.
		l := tr.Ledger.Or(trace.Ledger{})
		var payload, repeated, bytes int64
		for _, f := range l.Connections {
			payload += f.Down.Payload
			repeated += f.Down.RetransmittedBytes
			bytes += f.Down.Bytes() + f.Up.Bytes()
		}
		if payload-repeated < content || bytes != l.Up.Bytes+l.Down.Bytes {
			t.Errorf("%s: %d bytes of content in %d sent, %d of them again", at, content, payload, repeated)
		}
		if s.Network.Loss == 0 && s.Workload.Scheme == "http" && s.Strategy.Version != "2" {
			var heads int64
			for _, x := range tr.Exchanges {
				heads += x.ResponseHead
			}
			if payload-repeated != content+heads {
				t.Errorf("%s: %d bytes of heads and content in %d sent", at, content+heads, payload-repeated)
			}
		}
		// Never better than the bound: the bytes at the rate, the handshakes, one exchange.
		trips := 2
		switch {
		case s.Strategy.EarlyData:
			trips = 1
		case s.Workload.Scheme == "https" && !s.Strategy.QUIC():
			trips = 3
		}
		if bound := s.Network.Down.Time(int(content)) + time.Duration(trips)*s.Network.RTT; time.Duration(tr.Ended) < bound {
			t.Errorf("%s: %v, less than the bound %v", at, time.Duration(tr.Ended), bound)
		}
	})
}

// Where nothing is dropped a longer path and a larger object take longer. (Where the
// queue overflows they need not: what is lost, and when, changes.)
func TestTimeGrowsWithDistanceAndSize(t *testing.T) {
	deep := func(rtt time.Duration) linger.Network {
		return linger.Network{RTT: rtt, Down: 12 * linger.Mbps, Up: 12 * linger.Mbps, Queue: 30 * time.Second}
	}
	for _, name := range []string{"close", "close:6", "keep", "keep:6", "pipeline", "h2", "h3"} {
		scheme := "http"
		if name == "h3" {
			scheme = "https"
		}
		last := linger.Instant(0)
		for rtt := time.Duration(0); rtt <= 400*time.Millisecond; rtt += 10 * time.Millisecond {
			tr := predict(t, scenario(t, over(t, linger.Gallery(1), scheme), name, deep(rtt)), plain)
			if tr.Ended < last {
				t.Errorf("%s takes %v at %v, less than %v at 10 ms less", name, time.Duration(tr.Ended), rtt, time.Duration(last))
			}
			last = tr.Ended
		}
		last = 0
		for size := 100; size <= 200_000; size += size/3 + 1 {
			tr := predict(t, scenario(t, over(t, linger.Objects(1200, 5, size), scheme), name, deep(80*time.Millisecond)), plain)
			if tr.Ended < last {
				t.Errorf("%s takes %v for objects of %d bytes, less than %v for smaller ones", name, time.Duration(tr.Ended), size, time.Duration(last))
			}
			last = tr.Ended
		}
	}
}

// The same seed gives the same trace to the byte, however many run side by side.
func TestTracesAreTheSame(t *testing.T) {
	s := scenario(t, linger.Gallery(1), "h2", symmetric(70*time.Millisecond, 5*linger.Mbps, 0.02))
	traces := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range traces {
		wg.Go(func() {
			tr, err := Run(context.Background(), s, plain)
			if err == nil {
				traces[i], err = json.Marshal(tr)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, b := range traces[1:] {
		if !bytes.Equal(b, traces[0]) {
			t.Fatal("two runs of one seed differ")
		}
	}
	other := plain
	other.Trial = 1
	b, err := json.Marshal(predict(t, s, other))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(b, traces[0]) {
		t.Error("two trials lose the same packets")
	}
}

// What is absurd is answered, or refused in words; it never hangs.
func TestAbsurdInput(t *testing.T) {
	many := linger.Workload{Name: "many", Scheme: "http"}
	for i := range linger.MaxExchanges {
		many.Exchanges = append(many.Exchanges, linger.Exchange{Method: "GET", Path: fmt.Sprintf("/%d", i), Status: 200, ResponseBody: 100, Parent: linger.NoParent})
	}
	huge := linger.Objects(1200, 1, 2_000_000_000)
	for _, x := range []struct {
		name, strategy string
		w              linger.Workload
		n              linger.Network
		events         int64
		want           string
	}{
		{"99 % loss", "close:6", linger.Gallery(1), symmetric(time.Minute, linger.Kbps, 0.99), 0, ""},
		{"a minute's round trip", "keep", linger.Textbook(2), symmetric(time.Minute, linger.Kbps, 0), 0, ""},
		{"as many objects as may be", "keep:6", many, symmetric(10*time.Millisecond, 100*linger.Mbps, 0), 0, ""},
		{"an object of 2 GiB", "keep", huge, symmetric(10*time.Millisecond, linger.Gbps, 0), 1_000_000, "not over after 1000000 events"},
		{"no queue", "pipeline", linger.Gallery(1), linger.Network{RTT: 50 * time.Millisecond, Down: linger.Mbps, Up: linger.Mbps, Queue: 1}, 0, ""},
	} {
		c := plain
		c.Events = x.events
		tr, err := Run(context.Background(), scenario(t, x.w, x.strategy, x.n), c)
		switch {
		case err != nil && (x.want == "" || !strings.Contains(err.Error(), x.want)):
			t.Errorf("%s: %v", x.name, err)
		case err == nil && x.want != "":
			t.Errorf("%s: no error, ended after %v", x.name, time.Duration(tr.Ended))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, scenario(t, huge, "keep", symmetric(0, linger.Gbps, 0)), plain); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled run ends with %v", err)
	}
}

// The server's policies have the connections end as the lab's do.
func TestServerPolicies(t *testing.T) {
	n := symmetric(50*time.Millisecond, 12*linger.Mbps, 0)
	for _, x := range []struct {
		name, strategy string
		w              linger.Workload
		policy         policy.ServerPolicy
		connections    int
	}{
		{"ten requests a connection", "keep", linger.API(1), policy.ServerPolicy{MaxRequests: 10}, 10},
		{"ten streams a connection", "h2", linger.API(1), policy.ServerPolicy{MaxRequests: 10}, 10},
		{"never kept", "keep", linger.Textbook(5), policy.ServerPolicy{MaxRequests: 1}, 6},
		{"idle for less than the client thinks", "keep", linger.API(1).WithThink(time.Second), policy.ServerPolicy{IdleTimeout: 500 * time.Millisecond}, 100},
		{"ten requests a connection of QUIC", "h3", over(t, linger.API(1), "https"), policy.ServerPolicy{MaxRequests: 10}, 10},
		{"ten requests, resumed", "h3+resume", over(t, linger.API(1), "https"), policy.ServerPolicy{MaxRequests: 10}, 10},
		{"ten requests, early", "h3+0rtt", over(t, linger.API(1), "https"), policy.ServerPolicy{MaxRequests: 10}, 10},
		{"ten requests of many at once", "h3", linger.Gallery(1), policy.ServerPolicy{MaxRequests: 10}, 5},
		{"aborted", "keep", linger.Textbook(5), policy.ServerPolicy{MaxRequests: 2, Style: policy.CloseFIN, Announce: true}, 3},
	} {
		c := plain
		c.Policy = x.policy
		tr := predict(t, scenario(t, x.w, x.strategy, n), c)
		if len(tr.Connections) != x.connections {
			t.Errorf("%s: %d connections, want %d", x.name, len(tr.Connections), x.connections)
		}
		for i, e := range tr.Exchanges {
			if e.Failed != "" {
				t.Errorf("%s: exchange %d: %s", x.name, i, e.Failed)
				break
			}
		}
	}
}

// What a client uploads is bounded by the windows of the server's stack, which grow.
func TestUploadsOverQUIC(t *testing.T) {
	w := linger.Workload{Name: "upload", Scheme: "https"}
	sizes := []int64{0, 1, 100_000, 3 << 20}
	for i, n := range sizes {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Method: "POST", Path: fmt.Sprintf("/%d", i), Status: 200, RequestBody: n, ResponseBody: 1000, Parent: linger.NoParent})
	}
	for _, loss := range []float64{0, 0.02} {
		for _, strategy := range []string{"h3", "h3+0rtt"} {
			tr := predict(t, scenario(t, w, strategy, symmetric(50*time.Millisecond, 100*linger.Mbps, loss)), plain)
			for i, x := range tr.Exchanges {
				if x.RequestBody != sizes[i] || x.ResponseBody != 1000 || x.Failed != "" {
					t.Errorf("%s, loss %g: %+v", strategy, loss, x)
				}
			}
			if l := tr.Ledger.Or(trace.Ledger{}); l.Up.Bytes < 3<<20 {
				t.Errorf("%s, loss %g: %d bytes sent", strategy, loss, l.Up.Bytes)
			}
		}
	}
}

func TestWhatIsNotModelledIsRefused(t *testing.T) {
	for _, x := range []struct{ strategy, want string }{
		{"keep+tfo", "TCP Fast Open is not predicted"},
	} {
		_, err := Run(context.Background(), scenario(t, linger.Gallery(1), x.strategy, symmetric(time.Millisecond, 0, 0)), plain)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", x.strategy, err)
		}
	}
}

func BenchmarkPageLoad(b *testing.B) {
	lte := symmetric(70*time.Millisecond, 12*linger.Mbps, 0)
	for _, x := range []struct{ strategy, scheme string }{
		{"keep:6", "http"}, {"keep:6", "https"}, {"close", "https"}, {"pipeline", "http"}, {"h2", "https"}, {"h3", "https"},
	} {
		b.Run(x.strategy+"/"+x.scheme, func(b *testing.B) {
			s := scenario(b, over(b, linger.Gallery(1), x.scheme), x.strategy, lte)
			b.ReportAllocs()
			n := int64(0)
			for b.Loop() {
				n += packets(predict(b, s, plain))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "loads/s")
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pkts/s")
		})
	}
}

// One long transfer: the cost of a packet in the steady state.
func BenchmarkPackets(b *testing.B) {
	for _, x := range []struct{ strategy, scheme string }{{"keep", "http"}, {"h3", "https"}} {
		b.Run(x.strategy, func(b *testing.B) {
			s := scenario(b, over(b, linger.Objects(1200, 1, 50<<20), x.scheme), x.strategy, symmetric(20*time.Millisecond, 100*linger.Mbps, 0))
			b.ReportAllocs()
			n := int64(0)
			for b.Loop() {
				n += packets(predict(b, s, plain))
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "pkts/s")
		})
	}
}
