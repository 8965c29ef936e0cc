package words

import (
	"fmt"
	"strings"

	"linger"
	"linger/finding"
	"linger/tune"
)

// A ToldTuning is what an analysis of a log found with its sentences beside the data, as
// JSON has it.
type ToldTuning struct {
	*tune.Result
	Text     string        `json:"text"`
	Findings []ToldFinding `json:"findings"`
	Caveats  []ToldCaveat  `json:"caveats"`
}

// OfTuning says what was found.
func OfTuning(r *tune.Result) ToldTuning {
	told := ToldTuning{Result: r, Text: strings.Join(Tuning(r), "\n"), Findings: []ToldFinding{}, Caveats: []ToldCaveat{}}
	for _, f := range r.Findings {
		told.Findings = append(told.Findings, ToldFinding{TuningFinding(f), f})
	}
	for _, c := range r.Caveats {
		told.Caveats = append(told.Caveats, ToldCaveat{c.Code, TuningCaveat(c), c.Cause, c.Subject, c.Figures, c.Decisive})
	}
	return told
}

// TuningTitle says what was read.
func TuningTitle(r *tune.Result) string {
	parts := []string{}
	if r.Log != nil {
		name := strings.Join(r.Log.Files, ", ")
		if len(r.Log.Files) > 3 {
			name = fmt.Sprintf("%s and %d more", r.Log.Files[0], len(r.Log.Files)-1)
		}
		parts = append(parts, name, r.Log.Layout)
	}
	from := linger.Plural(int(r.Clients), "client")
	if _, ok := r.Sampled.Get(); ok {
		from = "about " + from
	}
	return strings.Join(append(parts, fmt.Sprintf("%s of %s in %s", finding.Plural(float64(r.Requests), "request"), from, lasted(r.Span))), " · ")
}

// lasted writes a span of seconds in the unit that people use.
func lasted(s float64) string {
	switch {
	case s >= 2*86400:
		return finding.Trimmed(s/86400, 1) + " days"
	case s >= 2*3600:
		return finding.Trimmed(s/3600, 1) + " hours"
	case s >= 120:
		return finding.Trimmed(s/60, 1) + " minutes"
	}
	return finding.Lasting(1000 * s)
}

// Tuning answers what was asked: which timeout, what it gives, and what it holds. Each
// answer is a line.
func Tuning(r *tune.Result) []string {
	var out []string
	for _, f := range r.Findings {
		if f.Code == tune.FoundTimeout {
			out = append(out, TuningFinding(f))
		}
	}
	if r.Observed != nil {
		text := fmt.Sprintf("Today %s of the requests were not the first on their connection: %s opened, as the log says",
			finding.Share(r.Observed.Reuse), finding.Plural(float64(r.Observed.Connections), "connection"))
		if r.Observed.Median > 0 {
			text += fmt.Sprintf(", which carried %d requests in the median and %d or more in one of ten", r.Observed.Median, r.Observed.P90)
		}
		out = append(out, text+".")
	}
	if h := r.Handshakes; h != nil {
		out = append(out, fmt.Sprintf("Of the handshakes of TLS, %s are full and %s resumed (%s), which are cheaper.", finding.Count0(float64(h.Full)), finding.Count0(float64(h.Resumed)), finding.Share(h.Share)))
	}
	return out
}

// figureOf returns the figure of that name and owner.
func figureOf(f finding.Finding, name, of string) finding.Figure {
	for _, g := range f.Figures {
		if g.Name == name && g.Of == of {
			return g
		}
	}
	return finding.Figure{}
}

// spread writes a figure that may lie between two values.
func spread(f finding.Figure, format func(float64) string) string {
	i, ok := f.Interval.Get()
	low, high := i.Low.Or(0), i.High.Or(0)
	if !ok || format(low) == format(high) {
		return format(f.Value.Or(0))
	}
	return finding.Joined(format(low), format(high))
}

func held(v float64) string {
	if v >= 10 {
		return finding.Count0(v)
	}
	return finding.Trimmed(v, 1)
}

// TuningFinding says a finding.
func TuningFinding(f finding.Finding) string {
	number := func(name string) float64 { return f.Figures.Value(name).Or(0) }
	of := func(name, whose string) float64 { return figureOf(f, name, whose).Value.Or(0) }
	share := func(name, whose string) string { return finding.Share(of(name, whose)) }
	switch f.Code {
	case tune.FoundTimeout:
		return timeoutAdvice(f)
	case tune.FoundClients:
		text := fmt.Sprintf("Clients let go by themselves: after more than %s idle, connections were rarely used again (%s came on a new one, the longest gap that one survived was %s)",
			finding.Lasting(number("to")), finding.Plural(number("new"), "request"), finding.Lasting(number("longest")))
		if today := number("today"); today > 0 {
			return text + fmt.Sprintf(", though the server keeps them for %s: a longer timeout gains little.", finding.Lasting(today))
		}
		return text + ". If the server's timeout is longer than that, a still longer one gains little."
	case tune.FoundLimit:
		return fmt.Sprintf("A limit of %s a connection: %s are reused instead of %s, at an idle timeout of %s; over the servers behind it, the one that gets most has %s of the mean instead of %s.",
			finding.Plural(number("limit"), "request"), share("reuse", "with"), share("reuse", "without"), finding.Lasting(number("timeout")),
			finding.Times(of("skew", "with")), finding.Times(of("skew", "without")))
	case tune.FoundSingle:
		return fmt.Sprintf("One multiplexed connection for each client (HTTP/2) would open %s instead of %s, and hold %s on average instead of %s.",
			finding.Count0(of("connections", "")), spread(figureOf(f, "connections", "advised"), finding.Count0), held(of("sockets", "")), spread(figureOf(f, "sockets", "advised"), held))
	case tune.FoundAdaptive:
		return fmt.Sprintf("A timeout for each client by its own gaps would reuse %s; a fixed one of %s, with as many sockets (%s on average), %s.",
			share("reuse", ""), finding.Lasting(of("timeout", "fixed")), held(number("sockets")), share("reuse", "fixed"))
	case tune.FoundWindow:
		return fmt.Sprintf("Danger: %s of the requests come after the server has let go (%s) and before the client does (%s): they meet a connection that is closed, or being closed. The client's limit must be the shorter one.",
			finding.Share(number("share")), finding.Lasting(number("server")), finding.Lasting(number("client")))
	case tune.FoundBudget:
		way := "none is refused"
		if n := of("refused", "closing"); n > 0 {
			way = fmt.Sprintf("%s refused even so", finding.Plural(n, "request"))
		}
		return fmt.Sprintf("With room for %s and an idle timeout of %s, a server that refuses new ones when it is full turns away %s (%s) and reuses %s; one that closes the idle ones that were used least recently closes %s early, %s, and it reuses %s. Without a limit, %s are reused.",
			finding.Plural(number("budget"), "connection"), finding.Lasting(number("timeout")), finding.Plural(of("refused", "refusing"), "request"), share("refused_share", "refusing"), share("reuse", "refusing"),
			finding.Count0(of("closed_early", "closing")), way, share("reuse", "closing"), spread(figureOf(f, "reuse", "unlimited"), finding.Share))
	case tune.FoundCrowded:
		return fmt.Sprintf("%s of the requests came while all connections of their client were busy: no timeout saves those, multiplexing does.", finding.Share(number("share")))
	}
	return f.Code
}

// timeoutAdvice says which timeout is worth it.
func timeoutAdvice(f finding.Finding) string {
	reuse := func(whose string) string { return spread(figureOf(f, "reuse", whose), finding.Share) }
	timeout := func(whose string) string {
		return finding.Lasting(figureOf(f, "timeout", whose).Value.Or(0))
	}
	sockets := func(whose string) string {
		return fmt.Sprintf("%s held on average, %s at most for 99 %% of the time", spread(figureOf(f, "sockets", whose), held), finding.Count0(figureOf(f, "sockets_p99", whose).Value.Or(0)))
	}
	rule := fmt.Sprintf("where holding a connection for %s costs as much as opening one", finding.Lasting(f.Figures.Value("break_even").Or(0)))
	if b, ok := f.Figures.Value("budget").Get(); ok {
		rule += fmt.Sprintf(", and with %s connections at most", finding.Count0(b))
	}
	saved := f.Figures.Value("saved_a_day").Or(0)
	switch f.Cause {
	case tune.AdviceFew:
		return fmt.Sprintf("There is no advice: %s are too few.", finding.Plural(f.Figures.Value("requests").Or(0), "request"))
	case tune.AdviceNone:
		if b, ok := f.Figures.Value("budget").Get(); ok {
			return fmt.Sprintf("No timeout fits: %s connections are fewer than the %s that 1 s holds.", finding.Count0(b), finding.Count0(f.Figures.Value("sockets").Or(0)))
		}
		return "No timeout helps: almost no client comes back within an hour."
	case tune.AdviceKeep:
		if timeout(tune.SubjectToday) == timeout(tune.SubjectAdvised) {
			return fmt.Sprintf("No change is worth it: %s costs least already, %s: %s of the requests find a connection open; %s.", timeout(tune.SubjectToday), rule, reuse(tune.SubjectToday), sockets(tune.SubjectToday))
		}
		return fmt.Sprintf("No change is worth it: %s reuses %s (%s); %s would reuse %s.", timeout(tune.SubjectToday), reuse(tune.SubjectToday), sockets(tune.SubjectToday), timeout(tune.SubjectAdvised), reuse(tune.SubjectAdvised))
	case tune.AdviceRaise:
		return fmt.Sprintf("Raise the idle timeout from %s to %s: %s of the requests find a connection open instead of %s, which saves %s handshakes a day; %s, instead of %s.",
			timeout(tune.SubjectToday), timeout(tune.SubjectAdvised), reuse(tune.SubjectAdvised), reuse(tune.SubjectToday), finding.Count0(saved), sockets(tune.SubjectAdvised), spread(figureOf(f, "sockets", tune.SubjectToday), held))
	case tune.AdviceLower:
		return fmt.Sprintf("Lower the idle timeout from %s to %s: %s of the requests find a connection open instead of %s, with %s sockets on average instead of %s.",
			timeout(tune.SubjectToday), timeout(tune.SubjectAdvised), reuse(tune.SubjectAdvised), reuse(tune.SubjectToday), spread(figureOf(f, "sockets", tune.SubjectAdvised), held), spread(figureOf(f, "sockets", tune.SubjectToday), held))
	}
	return fmt.Sprintf("An idle timeout of %s costs least, %s: %s of the requests find a connection open; %s.", timeout(tune.SubjectAdvised), rule, reuse(tune.SubjectAdvised), sockets(tune.SubjectAdvised))
}

// TuningCaveat says a caveat.
func TuningCaveat(c finding.Caveat) string {
	number := func(name string) float64 { return c.Figures.Value(name).Or(0) }
	switch c.Code {
	case tune.CaveatClock:
		text := fmt.Sprintf("The log's clock has steps of %s", finding.Lasting(number("resolution")))
		if c.Figures.Text("durations") == "no" {
			text += " and no line says how long its request took: which overlapped is not known"
		}
		return text + ". Ranges are from all of one step overlapping, on six connections, to none; a format with milliseconds and durations makes them one figure"
	case tune.CaveatAddress:
		return "A client is an address: several behind one (NAT) count as one, which makes reuse look higher, a browser may hold several connections, and clients that close by themselves are not told from others; a number or a port of the connection in the log tells them apart"
	case tune.CaveatBalancer:
		return fmt.Sprintf("%s sent all: it is the hop from a balancer or proxy to this server, and the timeout is that of its pool; --by forwarded looks at the clients behind it, where the log has X-Forwarded-For", finding.Plural(number("clients"), "address"))
	case tune.CaveatSpan:
		return fmt.Sprintf("The log is %s long, short against a timeout of %s: reuse at its ends is not seen", lasted(number("span")/1000), finding.Lasting(number("timeout")))
	case tune.CaveatBad:
		return fmt.Sprintf("%s of %s of %s are not of the format and left out; the first is %q", finding.Count0(number("lines")), finding.Plural(number("of"), "line"), c.Subject.Name, c.Figures.Text("first"))
	case tune.CaveatSampled:
		return fmt.Sprintf("Not all clients were followed, since there were too many at once: %s of them stand for all; --max-tracked follows more. Their reuse is within %s points of that of all, at 95 %%", finding.Share(number("share")), finding.Trimmed(100*number("error"), 2))
	case tune.CaveatClosed:
		return fmt.Sprintf("Connections were closed by then: no gap longer than %s was survived, so that what a longer timeout gives lies between nothing more and all", finding.Lasting(number("longest")))
	case tune.CaveatToday:
		return fmt.Sprintf("Connections were used again after %s, so that today's timeout of %s was not in force when the log was written, or is that of another hop", finding.Lasting(number("longest")), finding.Lasting(number("today")))
	case tune.CaveatStart:
		return "The format does not say whether its time is that of a request's start (Apache) or end (nginx); --log-time says it"
	case tune.CaveatFuture:
		return fmt.Sprintf("The log's last request is %s later than now: a clock or the zone of its times is wrong; --log-zone says the zone where they lack it", lasted(number("ahead")/1000))
	case tune.CaveatFile:
		return fmt.Sprintf("%s was not read to its end: %s", c.Subject.Name, c.Figures.Text("reason"))
	}
	return c.Code
}
