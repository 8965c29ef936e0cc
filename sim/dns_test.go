package sim

import (
	"testing"
	"time"

	"linger"
	"linger/policy"
	"linger/trace"
)

// lookups is a workload of n queries that are known from the start, with what their
// messages come to.
func lookups(n int) (linger.Workload, Config) {
	w := linger.Workload{Name: "lookups", Scheme: linger.SchemeDNS}
	c := plain
	c.Messages = map[string][]Message{}
	for i := range n {
		w.Exchanges = append(w.Exchanges, linger.Exchange{Query: linger.Query{Name: "host.example", Type: "A"}, Parent: linger.NoParent})
		if i > 0 {
			// One after the other, so that none shares a connection with those before.
			w.Exchanges[i].Parent, w.Exchanges[i].At = i-1, 0
		}
		for _, over := range []string{linger.OverUDP, linger.OverTCP} {
			c.Messages[over] = append(c.Messages[over], Message{Query: 45, Answer: 61, Rcode: "NOERROR"})
		}
		for _, over := range []string{linger.OverTLS, linger.OverHTTPS, linger.OverQUIC} {
			c.Messages[over] = append(c.Messages[over], Message{Query: 128, Answer: 468, Rcode: "NOERROR"})
		}
	}
	return w, c
}

// As docs/dns.md has it, measured in the lab: what a query takes with a connection of its
// own, and what the next one takes.
func TestQueriesInRoundTrips(t *testing.T) {
	const rtt = 100 * time.Millisecond
	for _, x := range []struct {
		strategy   string
		first, two float64 // round trips
	}{
		{"udp", 1, 2}, {"tcp", 2, 4}, {"tcp+keep", 2, 3}, {"tcp+pipeline", 2, 3}, {"dot", 3, 6}, {"dot+keep", 3, 4}, {"dot:1+resume", 3, 6},
		{"doh", 3, 6}, {"doh+keep", 3, 4}, {"doh+keep+get", 3, 4}, {"doh3", 2, 4}, {"doh3+keep", 2, 3}, {"doh3+0rtt", 1, 2},
		{"doq", 2, 4}, {"doq+keep", 2, 3}, {"doq+0rtt", 1, 2},
	} {
		for n, want := range map[int]float64{1: x.first, 2: x.two} {
			w, c := lookups(n)
			tr := predict(t, scenario(t, w, x.strategy, symmetric(rtt, 0, 0)), c)
			if got := float64(tr.Ended) / float64(rtt); got < want || got > want+0.01 {
				t.Errorf("%s: %d queries take %.3f round trips, want %v", x.strategy, n, got, want)
			}
			for _, e := range tr.Exchanges {
				if e.Rcode != "NOERROR" || e.Attempts != 1 || e.Failed != "" {
					t.Errorf("%s: %+v", x.strategy, e)
				}
			}
		}
	}
}

// A datagram is sent again after 1, 3 and 7 s, and given up after 15 (policy.DNSLimits).
func TestDatagramsAreSentAgain(t *testing.T) {
	w, c := lookups(1)
	// With half of all packets lost, an answer comes soon after one of these times.
	seen, given := map[time.Duration]int{}, 0
	for seed := range uint64(60) {
		s := scenario(t, w, "udp", symmetric(20*time.Millisecond, 0, 0.5))
		s.Seed = seed
		e := predict(t, s, c).Exchanges[0]
		if done, ok := e.Done.Get(); ok {
			seen[time.Duration(done)]++
		} else if e.Attempts != 4 || e.Failed == "" {
			t.Errorf("seed %d: given up after %d attempts: %q", seed, e.Attempts, e.Failed)
		} else {
			given++
		}
	}
	for _, d := range []time.Duration{0, time.Second, 3 * time.Second, 7 * time.Second} {
		at := d + 20*time.Millisecond
		if seen[at] == 0 {
			t.Errorf("no answer after %v in 60 seeds", at)
		}
		delete(seen, at)
	}
	if given == 0 {
		t.Error("no query was given up in 60 seeds")
	}
	if len(seen) > 0 {
		t.Errorf("answers after %v", seen)
	}
}

// What does not fit into a datagram is asked for again over TCP (RFC 7766, 5).
func TestTruncatedAnswersComeOverTCP(t *testing.T) {
	w, c := lookups(1)
	c.Messages[linger.OverUDP][0].Truncated = true
	tr := predict(t, scenario(t, w, "udp", symmetric(100*time.Millisecond, 0, 0)), c)
	if e := tr.Exchanges[0]; !e.Truncated || e.Rcode != "NOERROR" || tr.Ended != linger.Instant(300*time.Millisecond) || tr.Connections[e.Connection].Protocol != "tcp" {
		t.Errorf("over after %v, on %+v: %+v", time.Duration(tr.Ended), tr.Connections, e)
	}
}

// The client lets go of a connection before the server's limit, which the answer told.
func TestAnnouncedIdleLimits(t *testing.T) {
	w, c := lookups(2)
	w.Exchanges[1].Think = 5 * time.Second
	c.Policy = policy.ServerPolicy{IdleTimeout: 2 * time.Second, Announce: true}
	limit := 2 * time.Second
	for i := range c.Messages[linger.OverTCP] {
		c.Messages[linger.OverTCP][i].Limit = &limit
	}
	tr := predict(t, scenario(t, w, "tcp+keep", symmetric(100*time.Millisecond, 0, 0)), c)
	first := tr.Connections[0]
	if len(tr.Connections) != 2 || first.ClosedBy != trace.AtClient || first.IdleLimit.Or(0) != 2*time.Second || first.Closed.Or(0) >= linger.Instant(2200*time.Millisecond) {
		t.Errorf("%+v", tr.Connections)
	}
}

// A query whose size nobody knows is refused in words.
func TestUnknownMessagesAreRefused(t *testing.T) {
	for _, size := range []int64{-1, 0, 11, linger.MaxMessage + 1} {
		w, c := lookups(1)
		c.Messages[linger.OverUDP][0].Query = size
		if _, err := Run(t.Context(), scenario(t, w, "udp", symmetric(0, 0, 0)), c); err == nil {
			t.Errorf("a query of %d bytes was predicted", size)
		}
	}
	w, c := lookups(1)
	c.Messages = nil
	if _, err := Run(t.Context(), scenario(t, w, "udp", symmetric(0, 0, 0)), c); err == nil {
		t.Error("a query without a size was predicted")
	}
}
