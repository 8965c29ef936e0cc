package words

import (
	"fmt"
	"math"
	"strings"

	"linger/compare"
	"linger/finding"
)

// took is a time with the digits that its uncertainty leaves.
func took(f finding.Figure) string {
	v, ok := f.Value.Get()
	if least, bounded := f.Interval.Or(finding.Interval{}).Low.Get(); !ok && bounded {
		return "at least " + finding.Duration(least, least/10)
	}
	if !ok {
		return "an unknown time"
	}
	return finding.Duration(v, f.Uncertainty())
}

// apart is how much longer one of two times is.
func apart(a, b finding.Figure) string { return finding.InSteps(finding.Apart(a, b)) }

// inStepsOf are two times to the digits that their difference needs, as apart shows it, so
// that whoever subtracts one from the other finds the same.
func inStepsOf(a, b finding.Figure) (string, string) {
	if a.Value.IsZero() || b.Value.IsZero() {
		return took(a), took(b)
	}
	_, step := finding.Apart(a, b)
	return a.Beside(step), b.Beside(step)
}

// both are the two times that are compared, the subject's first, as apart has them.
func (t teller) both() (string, string) { return inStepsOf(t.times()) }

// share is by how much a time differs from another, as a share of that, in brackets.
func share(of, whole finding.Figure) string {
	ratio, uncertainty := finding.Quotient(of.Value.Or(0), of.Uncertainty(), whole.Value.Or(0), whole.Uncertainty())
	return finding.InBrackets(math.Abs(1-ratio), uncertainty)
}

// times are those of the two strategies that are compared, the subject's first.
func (t teller) times() (a, b finding.Figure) {
	all := t.Figures.All("time")
	return nth(all, 0), nth(all, 1)
}

// apart is how much longer one of the two takes, with its share of the second's time.
func (t teller) apart() string {
	a, b := t.times()
	return apart(a, b) + share(a, b)
}

// trials is how many of each a finding rests on: "5 trials".
func (t teller) trials() string { return finding.Plural(t.Figures.Value("trials").Or(0), "trial") }

// chance is how likely the times would be so far apart if nothing differed.
func (t teller) chance() string { return fmt.Sprintf("(p = %.2g)", t.Figures.Value("p").Or(1)) }

// noise says so where noise is not ruled out, unless that was said of as many trials.
func (t teller) noise() string {
	if t.Severity != finding.Unknown || t.cautioned > 0 && t.cautioned <= t.Figures.Value("trials").Or(0) {
		return ""
	}
	return " (not statistically significant after " + t.trials() + ")"
}

// untried names the strategy that should have been tried.
func (t teller) untried() string {
	if name := t.Figures.Text("untried"); name != "" {
		return " " + name + " was not tried."
	}
	return ""
}

func unopposed(t teller) string {
	a, _ := t.times()
	why := "is there"
	if t.Figures.Value("strategies").Or(1) > 1 {
		why = "gave a time"
	}
	rest := ""
	for i, f := range t.Figures.All("at_least") {
		rest += verb(i+1, ": ", ", ") + f.Of + " takes " + finding.Duration(f.Value.Or(0), f.Value.Or(0)/10) + " at least"
	}
	return fmt.Sprintf("%s takes %s; no other strategy %s to compare it with%s.", a.Of, took(a), why, rest)
}

func lostTrials(t teller) string {
	return fmt.Sprintf("But %s of %s of %s failed, which %s as longer than any.", whole(t.Figures.Value("failed").Or(0)), t.trials(), t.Subject.Name,
		verb(int(t.Figures.Value("failed").Or(0)), "counts", "count"))
}

func tookOnce(t teller) string {
	a, _ := t.times()
	return fmt.Sprintf("%s took %s for %s over %s.", t.Subject.Name, took(a),
		finding.Plural(t.Figures.Value("exchanges").Or(0), "exchange"), finding.Plural(t.Figures.Value("connections").Or(0), "connection"))
}

// handshaking is how long the baseline waits for its handshakes, as a share of its time
// too, and what that is shown in.
func (t teller) handshaking() (handshakes string, wait, step float64, part string) {
	base, _ := t.times()
	wait = t.Figures.Value("waited").Or(0)
	part = finding.InBrackets(finding.Quotient(wait, base.Uncertainty(), base.Value.Or(0), base.Uncertainty()))
	return finding.Plural(t.Figures.Value("handshakes").Or(0), "handshake"), wait, finding.Step(wait, base.Uncertainty()), part
}

func handshakeTime(t teller) string {
	base, _ := t.times()
	n, wait, step, part := t.handshaking()
	parts := ""
	if tls := math.Round(t.Figures.Value("waited_tls").Or(0)/step) * step; tls > 0 {
		parts = fmt.Sprintf(": %s for TCP's, %s for TLS's", finding.InSteps(finding.Shown(wait, base.Uncertainty())-tls, step), finding.InSteps(tls, step))
	}
	return fmt.Sprintf("%s cost %s of the %s that %s takes%s%s.", n, finding.Duration(wait, base.Uncertainty()), took(base), base.Of, part, parts)
}

func handshakeWait(t teller) string {
	base, _ := t.times()
	n, wait, _, part := t.handshaking()
	return fmt.Sprintf("For %s of its %s%s, %s does nothing but wait for some of its %s.", finding.Duration(wait, base.Uncertainty()), took(base), part, base.Of, n)
}

// keeping says how many connections the kept strategy has.
func (t teller) keeping() string {
	n := t.Figures.Value("connections_at_once").Or(1)
	if n == 1 {
		return "One kept connection (" + t.Subject.Name + ")"
	}
	return fmt.Sprintf("Keeping %s connections (%s)", whole(n), t.Subject.Name)
}

func keptSame(t teller) string {
	return fmt.Sprintf("%s makes no difference that %s can show %s.", t.keeping(), t.trials(), t.chance())
}

func keptCosts(t teller) string {
	return fmt.Sprintf("%s is worse: %s more%s.", t.keeping(), t.apart(), t.noise())
}

func keptSaves(t teller) string {
	parts := t.parts()
	if parts != "" {
		parts = ": " + parts
	}
	return fmt.Sprintf("%s saves %s%s%s.", t.keeping(), t.apart(), t.noise(), parts)
}

// parts is what a kept connection saves, as a sum.
func (t teller) parts() string {
	_, step := finding.Apart(t.times())
	var out []string
	lost := ""
	for _, part := range []struct{ figure, gained, lost string }{
		{"saved_by_handshakes", " of handshakes", ""},
		{"saved_by_slow_starts", " of slow starts", ""},
		{"saved_in_hosts", " in the hosts", "in the hosts"},
		{"saved_otherwise", " otherwise", "otherwise"},
	} {
		v, ok := t.Figures.Value(part.figure).Get()
		switch {
		case !ok:
		case v < 0:
			lost = ", less " + finding.InSteps(-v, step) + " that is lost " + part.lost
		default:
			out = append(out, finding.InSteps(v, step)+part.gained)
		}
	}
	return list(out) + lost
}

// atOnce is how many connections the compared strategies have.
func (t teller) atOnce() string { return whole(t.Figures.Value("connections_at_once").Or(1)) }

func manySame(t teller) string {
	kept, closed := t.times()
	return fmt.Sprintf("With %s at once, keeping (%s) makes no difference to %s that %s can show %s.", t.atOnce(), kept.Of, closed.Of, t.trials(), t.chance())
}

func manyCosts(t teller) string {
	kept, closed := t.times()
	return fmt.Sprintf("With %s at once, keeping is worse: %s takes %s more than %s%s.", t.atOnce(), kept.Of, t.apart(), closed.Of, t.noise())
}

func manySaves(t teller) string {
	kept, closed := t.times()
	_, whole := t.both()
	return fmt.Sprintf("With %s at once, keeping (%s) saves %s of %s's %s%s.", t.atOnce(), kept.Of, t.apart(), closed.Of, whole, t.noise())
}

func serialized(t teller) string {
	many, kept := t.times()
	return fmt.Sprintf("%s, with %s connections at once, takes %s less than %s, whose requests are serialized%s.", many.Of, t.atOnce(), apart(many, kept), kept.Of, t.noise())
}

func moreCosts(t teller) string {
	many, one := t.times()
	return fmt.Sprintf("%s kept connections (%s) take %s more than one (%s)%s.", t.atOnce(), many.Of, t.apart(), one.Of, t.noise())
}

// why is what makes a strategy slower, and what shows it without that.
func why(t teller) string {
	stalls := t.Figures.Value("stalls").Or(0)
	waited := fmt.Sprintf("its sender waits %s for a retransmission timer, %s in all, since no acknowledgement is left to ask for them",
		verb(int(stalls), "once", finding.Count(stalls)+" times"), finding.Duration(t.Figures.Value("stalled").Or(0), 0))
	dropped := t.Figures.Value("dropped").Or(0)
	packets := finding.Plural(dropped, "packet") + " " + verb(int(dropped), "is", "are")
	switch t.Cause {
	case compare.CauseQueue:
		return fmt.Sprintf("Why %s is slower: its bursts overflow the queue before the bottleneck (%s): %s dropped, and %s. --queue %ss shows it with room for them.",
			t.Subject.Name, finding.Duration(t.Figures.Value("queue").Or(0), 0), packets, waited, finding.Trimmed(t.Figures.Value("try_queue").Or(0)/1000, 3))
	case compare.CauseStalls:
		return fmt.Sprintf("Why %s is slower: %s lost on the way, and %s. --loss 0 shows it without.", t.Subject.Name, packets, waited)
	case compare.CauseBlocking:
		fast, _ := t.Figures.Get("connections")
		return fmt.Sprintf("Why %s is slower: a packet lost holds up all streams of its one connection, and slows all of them; %s has %s, which lose and recover each by itself. --loss 0 shows it without.",
			t.Subject.Name, fast.Of, finding.Plural(fast.Value.Or(0), "connection"))
	case compare.CauseIdle:
		return fmt.Sprintf("Why %s is slower: its connections are idle for longer than a retransmission timeout, %s; the window then begins anew (RFC 5681, 4.1). --think 0s shows it without.",
			t.Subject.Name, finding.Plural(t.Figures.Value("restarts").Or(0), "time"))
	}
	return fmt.Sprintf("Why %s is slower does not show in drops, timers or idle times; -o NAME.pcapng of --on lab has its packets.", t.Subject.Name)
}

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
