package words

import (
	"fmt"
	"strings"
	"time"

	"linger/compare/capacity"
	"linger/finding"
	"linger/tally"
)

// A ToldLoad is what a load came to with its sentences beside the data, as JSON has it.
type ToldLoad struct {
	*capacity.Result
	Text     string        `json:"text"`
	Findings []ToldFinding `json:"findings"`
	Caveats  []ToldCaveat  `json:"caveats"`
}

// OfLoad says what was found.
func OfLoad(r *capacity.Result) ToldLoad {
	told := ToldLoad{Result: r, Text: LoadAnswer(r), Findings: []ToldFinding{}, Caveats: []ToldCaveat{}}
	for _, f := range r.Findings {
		told.Findings = append(told.Findings, ToldFinding{LoadFinding(f), f})
	}
	for _, c := range r.Caveats {
		told.Caveats = append(told.Caveats, ToldCaveat{c.Code, LoadCaveat(c), c.Cause, c.Subject, c.Figures, c.Decisive})
	}
	return told
}

// LoadTitle says what was driven, and how.
func LoadTitle(r *capacity.Result) string {
	name := strings.Join(r.URLs, ", ")
	if len(r.URLs) > 2 {
		name = fmt.Sprintf("%s and %d more", r.URLs[0], len(r.URLs)-1)
	}
	parts := []string{name}
	if len(r.Rows) > 0 {
		parts = append(parts, finding.Plural(float64(r.Rows[0].Asked), "connection"))
	}
	if r.Settings.Rate != "" {
		parts = append(parts, "open loop at "+r.Settings.Rate)
	} else {
		parts = append(parts, "closed loop")
	}
	if len(r.Rows) > 0 && r.Rows[0].Turns > 0 {
		row := r.Rows[0]
		took := finding.Lasting(float64(time.Duration(row.Seconds*float64(time.Second)).Round(10*time.Millisecond)) / 1e6)
		if len(r.Rows) > 1 {
			took += " each"
		}
		if row.Turns > 1 {
			took += fmt.Sprintf(", in %d turns", row.Turns)
		}
		parts = append(parts, took)
	}
	return strings.Join(parts, " · ")
}

// LoadAnswer answers what was asked.
func LoadAnswer(r *capacity.Result) string {
	if len(r.Findings) == 0 {
		return ""
	}
	return LoadFinding(r.Findings[0])
}

// PerSecond writes a rate: to three digits, and to whole requests from 100 on.
func PerSecond(v float64) string {
	if v < 100 {
		return finding.Trimmed(v, 1)
	}
	return thousands(v)
}

// thousands writes a whole number with a comma between each three digits.
func thousands(v float64) string {
	s := finding.Count0(v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// LoadTime writes a short time, given in ms: "27.4 µs", "1.86 ms".
func LoadTime(ms float64) string {
	if ms < 1 {
		return finding.Trimmed(1000*ms, max(0, finding.Decimals(1000*ms, 0))) + " µs"
	}
	return finding.Duration(ms, 0)
}

// LoadFinding says a finding of a load.
func LoadFinding(f finding.Finding) string {
	n := func(name string) float64 { return f.Figures.Value(name).Or(0) }
	switch f.Code {
	case capacity.FoundCost:
		return loadCost(f)
	case capacity.FoundFastest:
		return loadFastest(f)
	case capacity.FoundOne:
		text := fmt.Sprintf("%s answered %s requests/s", f.Subject.Name, PerSecond(n("rate")))
		if p50, ok := f.Figures.Value("p50").Get(); ok {
			text += fmt.Sprintf(", half of them within %s", LoadTime(p50))
		}
		if p99, ok := f.Figures.Value("p99").Get(); ok {
			text += fmt.Sprintf(" and 99 %% within %s", LoadTime(p99))
		}
		return text + fmt.Sprintf(", over %s; %s at once were asked for.", finding.Plural(n("connections"), "connection"), finding.Count0(n("asked")))
	case capacity.FoundUnserved:
		if n("n") == 0 && n("cut") > 0 {
			return fmt.Sprintf("Nothing was answered: %s waited for it until the end.", finding.Plural(n("cut"), "request"))
		}
		if n("n") == 0 {
			return "Nothing was answered."
		}
		return fmt.Sprintf("Nothing was answered: %s (%s).", loadFailure(f.Cause), finding.Plural(n("n"), "time"))
	case capacity.FoundEnded:
		return loadEnded(f)
	case capacity.FoundRefused:
		return fmt.Sprintf("%s: %s of %s failed: %s.", f.Subject.Name, thousands(n("failed")), finding.Plural(n("attempted"), "connection"), loadFailure(f.Cause))
	case capacity.FoundTimeWait:
		at, other, side := n("server"), n("client"), "server"
		if f.Cause == capacity.CauseClient {
			at, other, side = other, at, "client"
		}
		text := fmt.Sprintf("%s left %s sockets in TIME_WAIT at the %s, %s a second", f.Subject.Name, thousands(at), side, thousands(n("rate")))
		if other > 0 {
			text += fmt.Sprintf(", and %s at the other end", thousands(other))
		}
		if side == "client" {
			text += "; each holds a local port for a minute"
		}
		return text + "."
	}
	return f.Code
}

// both are the strategies of a finding that holds two against each other.
func both(f finding.Finding) (a, b string) {
	rates := f.Figures.All("rate")
	if len(rates) < 2 {
		return f.Subject.Name, ""
	}
	return rates[0].Of, rates[1].Of
}

// loadCost says what it costs to keep no connection.
func loadCost(f finding.Finding) string {
	closed, kept := both(f)
	rates := fmt.Sprintf("%s answers %s requests/s, %s %s", closed, PerSecond(figureOf(f, "rate", closed).Value.Or(0)), kept, PerSecond(figureOf(f, "rate", kept).Value.Or(0)))
	capacityOf, _ := f.Figures.Get("capacity")
	var text string
	switch f.Cause {
	case capacity.CauseLess:
		text = fmt.Sprintf("A connection for each request costs %s of the capacity: %s%s", finding.Share(1-capacityOf.Value.Or(0)), rates, interval(capacityOf))
	case capacity.CauseMore:
		text = fmt.Sprintf("A connection for each request serves %s times as much: %s%s", finding.Times(capacityOf.Value.Or(0)), rates, interval(capacityOf))
	case capacity.CauseEqual:
		text = fmt.Sprintf("The turns do not show that a connection for each request costs capacity: %s%s", rates, interval(capacityOf))
	case capacity.CauseNone:
		return fmt.Sprintf("In most turns one of the two served nothing: %s.", rates)
	case capacity.CauseRate:
		text = fmt.Sprintf("At the rate that was given, %s", rates)
		if a, ok := figureOf(f, "p99", closed).Value.Get(); ok {
			if b, ok := figureOf(f, "p99", kept).Value.Get(); ok {
				text += fmt.Sprintf("; 99 %% are answered within %s and %s", LoadTime(a), LoadTime(b))
			}
		}
	default:
		text = fmt.Sprintf("%s; more turns say whether that is noise", rates)
	}
	return strings.ToUpper(text[:1]) + text[1:] + "." + loadCPU(f, closed, kept)
}

// loadCPU says what processor time a request takes on either side.
func loadCPU(f finding.Finding, closed, kept string) string {
	for _, side := range []struct{ name, ratio, who string }{{"server_cpu", "server_cpu_ratio", "the server"}, {"cpu", "cpu_ratio", "the client"}} {
		a, ok := figureOf(f, side.name, closed).Value.Get()
		b, ok2 := figureOf(f, side.name, kept).Value.Get()
		ratio, ok3 := f.Figures.Value(side.ratio).Get()
		if ok && ok2 && ok3 {
			return fmt.Sprintf(" A request takes %s %s of processor time instead of %s, %s times as much.", side.who, LoadTime(a), LoadTime(b), finding.Times(ratio))
		}
	}
	return ""
}

// interval writes what a ratio lies between, where that is known.
func interval(f finding.Figure) string {
	i, ok := f.Interval.Get()
	low, ok2 := i.Low.Get()
	high, ok3 := i.High.Get()
	if !ok || !ok2 || !ok3 {
		return ""
	}
	return fmt.Sprintf(" (%s–%s of it, %s CI)", finding.Share(low), finding.Share(high), finding.Share(i.Confidence.Or(0)))
}

// loadFastest says which of several strategies serves most.
func loadFastest(f finding.Finding) string {
	a, b := both(f)
	rates := fmt.Sprintf("%s answers %s requests/s, %s %s", a, PerSecond(figureOf(f, "rate", a).Value.Or(0)), b, PerSecond(figureOf(f, "rate", b).Value.Or(0)))
	switch f.Cause {
	case capacity.CauseMore:
		return fmt.Sprintf("%s serves most: %s.", a, rates)
	case capacity.CauseRate:
		return fmt.Sprintf("At the rate that was given, %s.", rates)
	case capacity.CauseFew:
		return fmt.Sprintf("%s; more turns say whether that is noise.", rates)
	}
	return fmt.Sprintf("The turns do not tell them apart: %s.", rates)
}

// loadEnded says that the server ends kept connections.
func loadEnded(f finding.Finding) string {
	n := func(name string) float64 { return f.Figures.Value(name).Or(0) }
	head := fmt.Sprintf("%s: the server closed %s of %s", f.Subject.Name, thousands(n("closed")), finding.Plural(n("opened"), "connection"))
	switch f.Cause {
	case capacity.CauseLimit:
		return fmt.Sprintf("%s, each after %s: its limit on requests.", head, finding.Plural(n("limit"), "request"))
	case capacity.CauseSaid:
		return fmt.Sprintf("%s and announced it; half of them carried %s at most.", head, finding.Plural(n("carried"), "request"))
	}
	return fmt.Sprintf("%s without announcing it; half of them carried %s at most.", head, finding.Plural(n("carried"), "request"))
}

// failures are what went wrong, by kind.
var failures = map[tally.Failure]string{
	tally.Refused:     "connections were refused",
	tally.TimedOut:    "no answer came in time",
	tally.NoPorts:     "no local port was left",
	tally.NoFiles:     "no file descriptor was left",
	tally.Unreachable: "the network does not reach the server",
	tally.ResetByPeer: "the server reset connections",
	tally.ClosedEarly: "the server closed before an answer was whole",
	tally.Malformed:   "what came was no HTTP",
	tally.Handshake:   "the handshake failed",
	tally.StreamReset: "the server reset streams",
}

func loadFailure(kind string) string {
	if text := failures[tally.Failure(kind)]; text != "" {
		return text
	}
	return "other errors"
}

// LoadCaveat says a caveat of a load.
func LoadCaveat(c finding.Caveat) string {
	n := func(name string) float64 { return c.Figures.Value(name).Or(0) }
	switch c.Code {
	case capacity.CaveatStopped:
		return "It was stopped before its end; what was measured until then counts"
	case capacity.CaveatGenerator:
		if c.Cause == string(tally.Lateness) {
			return fmt.Sprintf("%s: requests were sent later than planned, by the load generator itself: latencies hold its delay", c.Subject.Name)
		}
		return fmt.Sprintf("%s: the load generator's processor was busy: the server may be able to serve more", c.Subject.Name)
	case capacity.CaveatFailed:
		return fmt.Sprintf("%s: %s failed, %s of them: most often %s", c.Subject.Name, finding.Plural(n("n"), "request"), finding.Share(n("share")), loadFailure(c.Cause))
	case capacity.CaveatSilent:
		return fmt.Sprintf("%s: nothing was answered in %s of %s", c.Subject.Name, finding.Count0(n("silent")), finding.Plural(n("turns"), "turn"))
	case capacity.CaveatWrong:
		return fmt.Sprintf("%s: %s had another status than expected, %s of them: mostly %s", c.Subject.Name, finding.Plural(n("n"), "answer"), finding.Share(n("share")), finding.Count0(n("status")))
	case capacity.CaveatFew:
		return fmt.Sprintf("%s of each strategy are too few for an interval of 95 %%; --turns %s has one", finding.Plural(n("turns"), "turn"), finding.Count0(n("needed")))
	case capacity.CaveatLoopback:
		text := "Over loopback a handshake waits for nothing"
		if v, ok := c.Figures.Value("connecting").Get(); ok {
			text = fmt.Sprintf("Over loopback a handshake takes %s", LoadTime(v))
		}
		return text + ": on a network each connection also costs its client round trips, which are not in these latencies"
	case capacity.CaveatShared:
		return fmt.Sprintf("Server and load generator share this machine's %s: the capacity is not that of a server by itself", finding.Plural(n("cores"), "core"))
	case capacity.CaveatBehind:
		return fmt.Sprintf("%s: %s of the planned requests still waited for a connection at the end", c.Subject.Name, finding.Share(n("share")))
	case capacity.CaveatPortable:
		var names []string
		for _, f := range c.Figures {
			names = append(names, f.Text)
		}
		return fmt.Sprintf("%s ran on goroutines and the others on the event loop: processor times of the client do not compare", strings.Join(names, ", "))
	case capacity.CaveatParallel:
		var parts []string
		for _, f := range c.Figures {
			parts = append(parts, fmt.Sprintf("%s %s", f.Of, finding.Count0(f.Value.Or(0))))
		}
		return "Strategies had different numbers of requests under way at once, which changes rate and latency: " + strings.Join(parts, ", ")
	}
	return c.Code
}

// LoadChange says what became of a server between two loads, a line each.
func LoadChange(c *capacity.Change) []string {
	var out []string
	for _, m := range c.Rows {
		ratio, _ := m.Ratio.Rate.Get()
		p, tested := m.RateP.Get()
		text := fmt.Sprintf("%s: %s requests/s, and %s before", m.Strategy, PerSecond(m.After), PerSecond(m.Before))
		switch {
		case !tested:
			text += "; more turns say whether that is noise."
		case p >= 0.05: // as stats.Alpha
			text += "; that can be noise."
		default:
			text += fmt.Sprintf(": %s times as many.", finding.Times(ratio.Value))
		}
		out = append(out, text)
	}
	if len(c.Only) > 0 {
		out = append(out, "Only one of the two has "+strings.Join(c.Only, ", ")+".")
	}
	if len(c.Differs) > 0 {
		out = append(out, "The loads differ, too, so that this is not the server alone: "+strings.Join(c.Differs, ", ")+".")
	}
	return out
}
