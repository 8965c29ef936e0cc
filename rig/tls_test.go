package rig

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/internal/testall"
	"linger/policy"
	"linger/report/words"
	"linger/trace"
)

// secure returns a built-in workload over https.
func secure(t *testing.T, w linger.Workload) linger.Workload {
	t.Helper()
	return over(t, "https", w)
}

// over returns a workload with that scheme.
func over(t *testing.T, scheme string, w linger.Workload) linger.Workload {
	t.Helper()
	w, err := w.WithScheme(scheme)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestColdAndWarm holds what one object costs in round trips: TCP's handshake and
// TLS 1.3's take one each (RFC 9293, 3.5; RFC 8446, 2), QUIC's one for both (RFC
// 9001, 4), early data none, and each exchange one.
func TestColdAndWarm(t *testing.T) {
	needLab(t)
	t.Parallel()
	const rtt = 100 * time.Millisecond
	for _, row := range []struct {
		strategy      string
		first, second float64 // round trips of the page, and of its one object
		resumed       int     // connections
		early         bool
	}{
		{"close", 3, 3, 0, false},
		{"close+resume", 3, 3, 1, false},
		{"keep", 3, 1, 0, false},
		{"h2", 3, 1, 0, false},
		{"h3", 2, 1, 0, false},
		{"h3+0rtt", 1, 1, 1, true},
	} {
		t.Run(row.strategy, func(t *testing.T) {
			t.Parallel()
			punctually(t, rtt, func() ([]*trace.Trace, string) {
				_, x := measure(t, secure(t, linger.Textbook(1)), row.strategy, network(rtt), testall.Of(3, 1), 0)
				least := []float64{math.Inf(1), math.Inf(1)}
				for _, one := range x.Traces[0] {
					for i, e := range one.Exchanges {
						took := e.Done.Or(linger.Never).Sub(e.Queued)
						least[i] = min(least[i], float64(took)/float64(rtt))
					}
					resumed := 0
					for _, c := range one.Connections {
						tls, known := c.TLS.Get()
						if !known || tls.Version != "1.3" {
							t.Errorf("connection %d: TLS %+v", c.ID, tls)
						}
						if tls.Resumed {
							resumed++
						}
						if tls.EarlyData.Or(false) != row.early {
							t.Errorf("connection %d: early data %v", c.ID, tls.EarlyData)
						}
					}
					if resumed != row.resumed {
						t.Errorf("%d connections resumed, want %d", resumed, row.resumed)
					}
				}
				t.Logf("%-12s %.2f and %.2f round trips", row.strategy, least[0], least[1])
				for i, want := range []float64{row.first, row.second} {
					if math.Abs(least[i]-want) > 0.3 {
						return loads(x), fmt.Sprintf("exchange %d took %.2f round trips, want %v within 0.3", i+1, least[i], want)
					}
				}
				return loads(x), ""
			})
		})
	}
}

func TestSecureGallery(t *testing.T) {
	needLab(t)
	t.Parallel()
	w := builtin(t, "gallery")
	want := map[string]struct{ least, most int }{
		"close": {41, 41}, "close:6": {41, 41}, "keep": {1, 1}, "keep:6": {2, 6}, "pipeline": {1, 1}, "h2": {1, 1}, "h3": {1, 1},
	}
	_, x := measure(t, w, linger.DefaultStrategies("https"), network(20*time.Millisecond), 1, 0)
	for i, s := range x.Strategies {
		one := x.Traces[i][0]
		checkBodies(t, one, w)
		flows := one.Ledger.Or(trace.Ledger{}).Connections
		opened := 0
		for _, f := range flows {
			if f.Protocol == "tcp" || f.IsQUIC() {
				opened++
			}
		}
		if opened < want[s.Name].least || opened > want[s.Name].most || len(one.Connections) != opened {
			t.Errorf("%s: %d connections on the link, %d at the client; want %d to %d", s.Name, opened, len(one.Connections), want[s.Name].least, want[s.Name].most)
		}
		for _, c := range one.Connections {
			if wanted := s.Protocol(); c.Protocol != wanted {
				t.Errorf("%s spoke %q, want %q", s.Name, c.Protocol, wanted)
			}
		}
	}
}

// TestHeadOfLine sees that a lossy path is survived by both, and that the report
// says something about the two.
func TestHeadOfLine(t *testing.T) {
	needLab(t)
	t.Parallel()
	w := builtin(t, "gallery")
	n, err := linger.ParseNetwork("lte")
	if err != nil {
		t.Fatal(err)
	}
	n.Loss = 0.02
	f, x := measure(t, w, "h2,h3", n, 4, 0)
	for i := range x.Strategies {
		for _, one := range x.Traces[i] {
			checkBodies(t, one, w)
		}
		time, known := f.Rows[i].Time.Get()
		low, high := time.Low.Or(math.NaN()), time.High.Or(math.NaN())
		t.Logf("%s: %.0f ms, %.0f to %.0f", f.Rows[i].Strategy, time.Median, low, high)
		if !known || !(low <= time.Median && time.Median <= high) {
			t.Errorf("%s: time %+v", f.Rows[i].Strategy, time)
		}
	}
	verdict := words.Verdict(f.Verdict).String()
	if !strings.Contains(verdict, "h3") || !strings.Contains(verdict, "h2") {
		t.Errorf("the verdict does not compare h2 and h3: %s", verdict)
	}
	t.Log(verdict)
}

// TestSetUpOfEachStrategy reads the column of that name.
func TestSetUpOfEachStrategy(t *testing.T) {
	needLab(t)
	t.Parallel()
	const rtt = 100 * time.Millisecond
	punctually(t, rtt, func() ([]*trace.Trace, string) {
		trials := testall.Of(3, 1)
		f, x := measure(t, secure(t, linger.Textbook(3)), "close,keep,h2,h3,h3+0rtt", network(rtt), trials, trials)
		wrong := ""
		for i, want := range []float64{2, 2, 2, 1, 0} {
			got, known := f.Rows[i].SetupRoundTrips.Get()
			t.Logf("%s: set-up %.2f round trips", f.Rows[i].Strategy, got)
			if !known || math.Abs(got-want) > 0.3 {
				wrong += fmt.Sprintf("%s: set-up of %.2f round trips, want %v within 0.3; ", f.Rows[i].Strategy, got, want)
			}
		}
		return loads(x), strings.TrimSuffix(wrong, "; ")
	})
}

// TestGoodbyeAfterTenRequests sees that what a GOAWAY turns away is fetched
// elsewhere: it was not processed (RFC 9113, 6.8; RFC 9114, 5.2).
func TestGoodbyeAfterTenRequests(t *testing.T) {
	needLab(t)
	t.Parallel()
	w := builtin(t, "gallery")
	n, err := linger.ParseNetwork("wan")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strategies(t, "h2,h2:2,h3,h3:2,h3+0rtt") {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			one, err := Lab{Policy: policy.ServerPolicy{MaxRequests: 10}}.Run(t.Context(), linger.Scenario{
				Workload: w, Strategy: s, Network: n, Seed: 1}, 0)
			if err != nil {
				t.Fatal(err)
			}
			checkBodies(t, one, w)
			if len(one.Connections) < 5 {
				t.Errorf("%d connections carried 41 requests, 10 at the most on each", len(one.Connections))
			}
			for _, c := range one.Connections {
				t.Logf("connection %d: %d requests, closed by %s: %s", c.ID, c.Requests, c.ClosedBy, c.Reason)
			}
		})
	}
}
