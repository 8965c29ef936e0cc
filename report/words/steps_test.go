package words

import (
	"testing"

	"linger/compare"
	"linger/finding"
)

func TestSteps(t *testing.T) {
	step := func(cause, from, to string, f ...finding.Figure) compare.Step {
		return compare.Step{Cause: cause, From: from, To: to, Figures: f}
	}
	two := func(name string, from, to float64) (out []finding.Figure) {
		return []finding.Figure{n(name, from), n(name, to)}
	}
	saving := func(ms float64, s compare.Step) compare.Step {
		s.Saves = ms
		return s
	}
	trips := append(two("handshakes", 41, 1), two("setup_round_trips", 2, 2.02)...)
	for _, x := range []struct {
		step      compare.Step
		name, why string
	}{
		{saving(5800, step(compare.StepHandshakes, "close", "keep", trips...)), "handshakes", "close → keep: 1 handshake instead of 41, 150 ms each"},
		{step(compare.StepKeepAlive, "close:6", "keep:6", append(two("handshakes", 41, 6), n("at_a_time", 6))...), "keep-alive", "close:6 → keep:6: 6 handshakes instead of 41, 6 at a time"},
		{step(compare.StepKeepAlive, "close:6", "keep:6", two("handshakes", 41, 6)...), "keep-alive", "close:6 → keep:6: 6 handshakes instead of 41"},
		{step(compare.StepKeepAlive, "close:6", "keep:6"), "keep-alive", "close:6 → keep:6"},
		{step(compare.StepSlowStart, "close", "keep"), "slow start", "close → keep: the congestion window stays open"},
		{step(compare.StepHosts, "close", "keep"), "work in the hosts", "close → keep"},
		{step(compare.StepOther, "close", "keep"), "other", "close → keep"},
		{step(compare.StepQueueing, "keep", "keep:6", two("parallel", 1, 6)...), "queueing", "keep → keep:6: 6 requests in flight instead of 1"},
		{step(compare.StepQueueing, "keep", "pipeline", two("parallel", 1, 0)...), "queueing", "keep → pipeline: all requests in flight instead of 1"},
		{step(compare.StepMultiplexing, "keep:6", "h2", two("connections", 6, 1)...), "multiplexing", "keep:6 → h2: all requests in flight on 1 connection"},
		{step(compare.StepMultiplexing, "keep", "h2"), "multiplexing", "keep → h2: all requests in flight"},
		{step(compare.StepQUIC, "h2", "h3", two("setup_round_trips", 2, 1)...), "QUIC", "h2 → h3: setup in 1 RTT instead of 2, another stack"},
		{step(compare.StepSetup, "h3", "h3+0rtt", two("setup_round_trips", 1, 0)...), "shorter setup", "h3 → h3+0rtt: setup in 0 RTT instead of 1"},
		{step(compare.StepProtocol, "doh", "udp"), "protocol", "doh → udp"},
		{step(compare.StepSeveral, "close", "h3", word("cause", compare.StepKeepAlive), word("cause", compare.StepQUIC)), "all of these", "close → h3: keep-alive, QUIC"},
		{step("one of a later version", "a", "b"), "one of a later version", "a → b"},
	} {
		if name, why := StepName(x.step), StepWhy(x.step); name != x.name || why != x.why {
			t.Errorf("%q, %q; want %q, %q", name, why, x.name, x.why)
		}
	}
}
