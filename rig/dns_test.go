package rig

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/trace"
)

// chain is a workload of names each of which is asked for once the answer before it
// is there, so that none waits for another.
func chain(t *testing.T, names int) linger.Workload {
	t.Helper()
	w := linger.Workload{Name: "chain", Scheme: linger.SchemeDNS}
	for i := range names {
		w.Exchanges = append(w.Exchanges, linger.Exchange{
			Query: linger.Query{Name: fmt.Sprintf("host%d.example", i+1), Type: "A"}, Parent: i - 1})
	}
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestQueriesInRoundTrips holds what a look-up costs: a datagram each way is one round
// trip, TCP's handshake one more, TLS 1.3's another (RFC 8446, 2), and QUIC's, which is
// both in one, one (RFC 9001, 4). What is kept, or goes as early data, costs one.
func TestQueriesInRoundTrips(t *testing.T) {
	needLab(t)
	t.Parallel()
	const rtt = 100 * time.Millisecond
	for _, row := range []struct {
		strategy    string
		first, next float64
		connections int
	}{
		{"udp", 1, 1, 0},
		{"tcp", 2, 2, 4},
		{"tcp+keep", 2, 1, 1},
		{"tcp+pipeline", 2, 1, 1},
		{"dot", 3, 3, 4},
		{"dot+resume", 3, 3, 4},
		{"dot+keep", 3, 1, 1},
		{"doh", 3, 3, 4},
		{"doh+get", 3, 3, 4},
		{"doh+keep", 3, 1, 1},
		{"doh3", 2, 2, 4},
		{"doh3+0rtt", 1, 1, 4},
		{"doh3+keep", 2, 1, 1},
		{"doq", 2, 2, 4},
		{"doq+0rtt", 1, 1, 4},
		{"doq+keep", 2, 1, 1},
		{"doq+keep+0rtt", 1, 1, 1},
	} {
		t.Run(row.strategy, func(t *testing.T) {
			t.Parallel()
			w := chain(t, 4)
			punctually(t, rtt, func() ([]*trace.Trace, string) {
				_, x := measure(t, w, row.strategy, network(rtt), testall.Of(3, 1), 0)
				first, next := math.Inf(1), math.Inf(1) // the least of all
				for _, one := range x.Traces[0] {
					for i, e := range one.Exchanges {
						if e.Failed != "" || e.Rcode != "NOERROR" {
							t.Fatalf("%s: %s %s", e.URL, e.Rcode, e.Failed)
						}
						trips := float64(e.Done.Or(linger.Never).Sub(e.Queued)) / float64(rtt)
						if i == 0 {
							first = min(first, trips)
						} else {
							next = min(next, trips)
						}
					}
					opened := 0
					for _, f := range one.Ledger.Or(trace.Ledger{}).Connections {
						if f.Protocol == "tcp" || f.IsQUIC() {
							opened++
						}
					}
					if opened != row.connections {
						t.Errorf("%d connections crossed the link, want %d", opened, row.connections)
					}
				}
				t.Logf("%-14s %.2f, then %.2f round trips", row.strategy, first, next)
				for _, c := range []struct{ got, want float64 }{{first, row.first}, {next, row.next}} {
					if math.Abs(c.got-c.want) > 0.3 {
						return loads(x), fmt.Sprintf("a query took %.2f round trips, want %v within 0.3", c.got, c.want)
					}
				}
				return loads(x), ""
			})
		})
	}
}

// TestQueriesOverALossyPath sees that each query is answered or has failed for a
// reason, and that what a lost datagram costs is the client's own time-out.
func TestQueriesOverALossyPath(t *testing.T) {
	needLab(t)
	t.Parallel()
	const rtt = 20 * time.Millisecond
	n := network(rtt)
	n.Loss = 0.02
	w, err := linger.Names().AtRate(100, 3*time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, strategy := range []string{"udp", "tcp", "tcp+keep", "dot+keep", "doq+keep"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			_, x := measure(t, w, strategy, n, 2, 0)
			var took []time.Duration
			asked, answered, failed, again := 0, 0, 0, 0
			for _, one := range x.Traces[0] {
				for _, e := range one.Exchanges {
					asked++
					done, ok := e.Done.Get()
					switch {
					case e.Failed != "":
						failed++
						continue
					case !ok:
						t.Errorf("%s has neither an answer nor a reason", e.URL)
						continue
					}
					answered++
					d := done.Sub(e.Queued)
					took = append(took, d)
					if strategy == "udp" && e.Attempts > 1 {
						again++
						if d < time.Second {
							t.Errorf("%s was sent %d times and took %v", e.URL, e.Attempts, d)
						}
					}
				}
			}
			if asked != answered+failed || asked != 2*len(w.Exchanges) {
				t.Errorf("%d asked of %d, %d answered, %d failed", asked, 2*len(w.Exchanges), answered, failed)
			}
			slices.Sort(took)
			at := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))] }
			t.Logf("%-9s %d asked, %d answered, %d failed, %d sent again; median %v, p95 %v, p99 %v", strategy, asked, answered, failed, again,
				at(0.5).Round(time.Millisecond), at(0.95).Round(time.Millisecond), at(0.99).Round(time.Millisecond))
			if strategy == "udp" && (again == 0 || at(0.99) < time.Second) {
				t.Errorf("a loss of 2 %% each way does not show: %d of %d were sent again, p99 %v", again, asked, at(0.99))
			}
		})
	}
}

// TestAnswersThatDoNotFit has answers of 2000 bytes come by TCP, whatever was asked by
// UDP.
func TestAnswersThatDoNotFit(t *testing.T) {
	needLab(t)
	t.Parallel()
	w := chain(t, 3)
	for i := range w.Exchanges {
		w.Exchanges[i].ResponseBody = 2000
	}
	const rtt = 50 * time.Millisecond
	_, x := measure(t, w, "udp,tcp+keep", network(rtt), 1, 0)
	for i, s := range x.Strategies {
		one := x.Traces[i][0]
		var protocols []string
		for _, k := range one.Connections {
			protocols = append(protocols, string(k.Protocol))
		}
		for _, e := range one.Exchanges {
			if e.Failed != "" || e.ResponseBody != 2000 {
				t.Errorf("%s: %s: %d bytes, %s", s.Name, e.URL, e.ResponseBody, e.Failed)
			}
			if e.Truncated != (s.Name == "udp") {
				t.Errorf("%s: %s: truncated %v", s.Name, e.URL, e.Truncated)
			}
		}
		want := "tcp"
		if s.Name == "udp" {
			want = "udp tcp udp tcp udp tcp"
		}
		if got := strings.Join(protocols, " "); got != want {
			t.Errorf("%s used %s, want %s", s.Name, got, want)
		}
	}
}
