package words

import (
	"fmt"
	"math"
	"strconv"

	"linger/compare"
	"linger/finding"
)

// cpuTime writes a time of CPU in two digits, as it varies more than the clock.
func cpuTime(o finding.Figure) string {
	ms := o.Value.Or(0)
	return finding.Duration(ms, ms/10)
}

func connectionCPU(t teller) string {
	client, _ := t.Figures.Get("client_cpu")
	server, _ := t.Figures.Get("server_cpu")
	return fmt.Sprintf("Each connection more costs %s of CPU at the client and %s at the server.", cpuTime(client), cpuTime(server))
}

// option is what makes set-up cheaper, with the strategy that has it.
func (t teller) option() string {
	name := t.Cause
	switch t.Cause {
	case compare.CauseResumption:
		name = "Resumption"
	case compare.CauseEarlyData:
		name = "Early data"
	case compare.CauseFastOpen:
		name = "TCP Fast Open"
	}
	return name + " (" + t.Subject.Name + ")"
}

// work is what an option saves in CPU, if anything.
func (t teller) work(before string) string {
	v, ok := t.Figures.Value("saved_cpu").Get()
	if !ok {
		return ""
	}
	return before + finding.Share(v) + " of the CPU"
}

// setUp is what an option does to connection setup.
func (t teller) setUp() string {
	trips := t.Figures.All("setup_round_trips")
	a, ok := nth(trips, 0).Value.Get()
	b, ok2 := nth(trips, 1).Value.Get()
	_, differ := t.Figures.Get("saved_round_trips")
	switch {
	case !ok || !ok2:
		return ""
	case !differ:
		return fmt.Sprintf("; setup takes %s either way", rtts(b))
	}
	return fmt.Sprintf("; setup takes %s, not %s", rtts(a), finding.Fixed(b, 1))
}

func optionSaves(t teller) string {
	_, other := t.times()
	_, all := t.both()
	return fmt.Sprintf("%s saves %s of %s's %s%s%s%s.", t.option(), t.apart(), other.Of, all, t.work(" and "), t.setUp(), t.noise())
}

func optionCosts(t teller) string {
	_, other := t.times()
	return fmt.Sprintf("%s takes %s more than %s%s%s.", t.option(), t.apart(), other.Of, t.setUp(), t.noise())
}

func optionSame(t teller) string {
	_, other := t.times()
	return fmt.Sprintf("%s makes no difference to %s's time that %s can show %s%s%s.", t.option(), other.Of, t.trials(), t.chance(), t.work(", but saves "), t.setUp())
}

func optionUndecided(t teller) string {
	a, other := t.times()
	return fmt.Sprintf("%s takes %s, %s %s; not statistically significant after %s.", t.option(), took(a), other.Of, took(other), t.trials())
}

// rtts counts round trips.
func rtts(n float64) string {
	if n = math.Round(n*10) / 10; n == 1 {
		return "1.0 RTT"
	}
	return finding.Tenth(n) + " RTTs"
}

func versionFaster(t teller) string {
	a, b := t.times()
	return fmt.Sprintf("%s takes %s less than %s%s.", a.Of, t.apart(), b.Of, t.noise())
}

func versionSlower(t teller) string {
	a, b := t.times()
	return fmt.Sprintf("%s takes %s more than %s%s.", a.Of, t.apart(), b.Of, t.noise())
}

func versionSame(t teller) string {
	a, b := t.times()
	return fmt.Sprintf("%s and %s cannot be told apart %s.", a.Of, b.Of, t.chance())
}

// lost is the share of packets that the path loses.
func (t teller) lost() string {
	return strconv.FormatFloat(100*t.Figures.Value("loss").Or(0), 'g', 3, 64) + " %"
}

// loading compares the times from the first request on, which are as uncertain as the
// whole times.
func (t teller) loading(word string) string {
	h3, h2 := t.times()
	times := t.Figures.All("loading_time")
	a, b := nth(times, 0).Value.Or(0), nth(times, 1).Value.Or(0)
	ratio, uncertainty := finding.Quotient(a, h3.Uncertainty(), b, h2.Uncertainty())
	return fmt.Sprintf("With %s lost, h3 takes %s%s %s than h2 from the first request on; its cause cannot be told apart here: "+
		"head-of-line blocking, the stacks' recovery and initial windows.",
		t.lost(), finding.Duration(math.Abs(b-a), h2.Uncertainty()+h3.Uncertainty()), finding.InBrackets(math.Abs(1-ratio), uncertainty), word)
}

func lossFaster(t teller) string { return t.loading("less") }
func lossSlower(t teller) string { return t.loading("more") }

func lossSame(t teller) string {
	return fmt.Sprintf("With %s lost, the head-of-line difference between h2 and h3 is not visible in these trials %s.", t.lost(), t.chance())
}

func lossUndecided(t teller) string {
	return fmt.Sprintf("With %s lost, the head-of-line difference between h2 and h3 cannot be seen in %s.", t.lost(), t.trials())
}
