package run

import (
	"testing"
	"time"

	"linger"
	"linger/trace"
)

// As many trials run side by side as the link was on time with.
func TestCrowd(t *testing.T) {
	const rtt = 100 * time.Millisecond
	late := func(ms float64) *trace.Trace {
		return &trace.Trace{Ledger: linger.Known(trace.Ledger{Lateness: trace.Lateness{Packets: 10, P99: time.Duration(ms * 1e6)}})}
	}
	for _, test := range []struct {
		name                 string
		workers, fewest, top int
		heard                []*trace.Trace
		want                 int
	}{
		{"on time", 6, 4, 8, []*trace.Trace{late(0.1)}, 7},
		{"on time, up to the most", 6, 4, 8, []*trace.Trace{late(0.1), late(1), late(2), late(0)}, 8},
		{"neither early nor late", 6, 4, 8, []*trace.Trace{late(2.1), late(4)}, 6},
		{"late", 6, 4, 8, []*trace.Trace{late(4.1)}, 5},
		{"late, down to the fewest", 6, 4, 8, []*trace.Trace{late(9), late(9), late(9), late(9)}, 4},
		{"nothing is known", 6, 4, 8, []*trace.Trace{{}, {Ledger: linger.Known(trace.Ledger{})}}, 6},
		{"a number given by the user", 3, 0, 0, []*trace.Trace{late(0.1), late(9)}, 3},
	} {
		c := Plan{Workers: test.workers, Fewest: test.fewest, Most: test.top, Network: linger.Network{RTT: rtt}}.crowd()
		for _, heard := range test.heard {
			c.heard(heard)
		}
		if c.now != test.want {
			t.Errorf("%s: %d side by side; want %d", test.name, c.now, test.want)
		}
	}
}
