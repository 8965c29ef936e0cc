package words

import (
	"fmt"
	"strings"

	"linger/compare"
	"linger/finding"
)

// StepName names what a step of a verdict is about, in a word or two.
func StepName(s compare.Step) string { return causeName(s.Cause) }

func causeName(cause string) string {
	switch cause {
	case compare.StepSlowStart:
		return "slow start"
	case compare.StepHosts:
		return "work in the hosts"
	case compare.StepOther:
		return "other"
	case compare.StepKeepAlive:
		return "keep-alive"
	case compare.StepQUIC:
		return "QUIC"
	case compare.StepSetup:
		return "shorter setup"
	case compare.StepSeveral:
		return "all of these"
	}
	return cause
}

// StepWhy says what a step changes: "close → keep: 1 handshake instead of 41, 2 RTT each".
func StepWhy(s compare.Step) string {
	head := s.From + " → " + s.To
	if why := stepWhy(s); why != "" {
		return head + ": " + why
	}
	return head
}

func stepWhy(s compare.Step) string {
	handshakes, shook := fromTo(s, "handshakes")
	setup, known := fromTo(s, "setup_round_trips")
	switch s.Cause {
	case compare.StepHandshakes, compare.StepKeepAlive:
		if !shook {
			return ""
		}
		out := finding.Plural(handshakes[1], "handshake") + " instead of " + finding.Count(handshakes[0])
		n, ok := s.Figures.Value("at_a_time").Get()
		switch fewer := handshakes[0] - handshakes[1]; {
		case ok:
			out += ", " + finding.Count(n) + " at a time"
		case s.Cause == compare.StepHandshakes && fewer > 0:
			out += ", " + finding.Duration(s.Saves/fewer, s.Saves/fewer/10) + " each"
		}
		return out
	case compare.StepSlowStart:
		return "the congestion window stays open"
	case compare.StepQueueing:
		if n, ok := fromTo(s, "parallel"); ok {
			return atOnce(n[1]) + " in flight instead of " + finding.Count(n[0])
		}
	case compare.StepMultiplexing:
		if n, ok := fromTo(s, "connections"); ok {
			return "all requests in flight on " + finding.Plural(n[1], "connection")
		}
		return "all requests in flight"
	case compare.StepQUIC, compare.StepSetup:
		var out []string
		if known && finding.Fixed(setup[0], 1) != finding.Fixed(setup[1], 1) {
			out = append(out, fmt.Sprintf("setup in %s RTT instead of %s", finding.Trimmed(setup[1], 1), finding.Trimmed(setup[0], 1)))
		}
		if s.Cause == compare.StepQUIC {
			out = append(out, "another stack")
		}
		return strings.Join(out, ", ")
	case compare.StepSeveral:
		var names []string
		for _, f := range s.Figures.All("cause") {
			names = append(names, causeName(f.Text))
		}
		return strings.Join(names, ", ")
	}
	return ""
}

// atOnce is how many requests may be under way; 0 is as many as there are.
func atOnce(n float64) string {
	if n == 0 {
		return "all requests"
	}
	return finding.Plural(n, "request")
}

// fromTo are a figure of the two strategies of a step.
func fromTo(s compare.Step, name string) (v [2]float64, ok bool) {
	all := s.Figures.All(name)
	if len(all) != 2 {
		return v, false
	}
	return [2]float64{all[0].Value.Or(0), all[1].Value.Or(0)}, true
}
