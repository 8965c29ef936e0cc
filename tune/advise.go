package tune

import (
	"math"
	"time"

	"linger"
	"linger/finding"
	"linger/keepalive"
)

// Bounds below which nothing is advised.
const (
	fewRequests = 100
	// worthPoints is by how much the reuse has to change for a change to be worth it, and
	// worthSockets by which share the sockets.
	worthPoints  = 0.01
	worthSockets = 0.2
)

// advise finds the timeout that is worth it, and what else there is to say.
func (a *Analyzer) advise(r *Result, q Asked) {
	if today, ok := q.Today.Get(); ok {
		p := a.at(today, q)
		r.Today = &p
	}
	r.Advised = a.knee(r, q)
	a.timeout(r, q)
	if a.requests < fewRequests {
		return
	}
	if share := float64(a.most.crowded) / float64(max(1, a.most.requests)); share > 0.005 && a.least == nil {
		r.Findings = append(r.Findings, finding.Finding{Code: FoundCrowded, Severity: finding.Note, Figures: finding.Figures{finding.Number("share", share, "share")}})
	}
	a.budget(r, q)
	a.letGo(r, q)
	a.window(r, q)
	a.limit(r, q)
	a.single(r, q)
	if d := r.Adaptive; d != nil && (r.Observed == nil || q.ClientIdle > 0) {
		r.Findings = append(r.Findings, finding.Finding{Code: FoundAdaptive, Severity: finding.Note, Figures: finding.Figures{
			finding.Number("reuse", d.Reuse, "share"), finding.Number("reuse", d.Fixed, "share").Whose("fixed"),
			finding.Number("timeout", 1000*d.Timeout, "ms").Whose("fixed"), finding.Number("sockets", d.Mean, ""),
		}})
	}
	a.caveats(r, q)
}

// knee is the one of Timeouts that costs least, if a connection that is opened costs as much
// as one that is held idle for the break-even time, and that does not hold more sockets than
// the budget: the rule that docs/tune.md states.
func (a *Analyzer) knee(r *Result, q Asked) *Point {
	if a.requests < fewRequests {
		return nil
	}
	var best *Point
	least := math.Inf(1)
	resumed, _ := a.hands.told()
	even := q.BreakEven(resumed).Seconds()
	for i := range r.Points {
		p := &r.Points[i]
		if q.Budget > 0 && p.P99 > q.Budget {
			break
		}
		if cost := p.Connections.Mid()*even + p.Mean.Mid()*r.Span; cost < least {
			best, least = p, cost
		}
	}
	return best
}

// timeout gives the advice.
func (a *Analyzer) timeout(r *Result, q Asked) {
	f := finding.Finding{Code: FoundTimeout, Severity: finding.Note, Cause: AdviceSet}
	p := r.Advised
	switch {
	case a.requests < fewRequests:
		f.Cause = AdviceFew
		f.Figures = finding.Figures{finding.Number("requests", float64(a.requests), "")}
	case p == nil:
		f.Cause = AdviceNone
		f.Figures = finding.Figures{finding.Number("budget", float64(q.Budget), ""), finding.Number("sockets", float64(r.Points[0].P99), "")}
	case r.Points[len(r.Points)-1].Reuse.High < worthPoints:
		f.Cause = AdviceNone
		f.Figures = finding.Figures{reuse(*p, "advised")}
		r.Advised = nil
	default:
		f.Cause = change(r.Today, *p)
		if f.Cause == AdviceRaise || f.Cause == AdviceLower {
			f.Severity = finding.Warning
		}
		f.Figures = figures(*p, "advised")
		if r.Today != nil {
			f.Figures = append(f.Figures, figures(*r.Today, "today")...)
			saved := (r.Today.Connections.Mid() - p.Connections.Mid()) / math.Max(r.Span, 1) * 86400
			f.Figures = append(f.Figures, finding.Number("saved_a_day", saved, ""))
		}
		resumed, _ := a.hands.told()
		f.Figures = append(f.Figures, finding.Number("break_even", 1000*q.BreakEven(resumed).Seconds(), "ms"))
		if q.Budget > 0 {
			f.Figures = append(f.Figures, finding.Number("budget", float64(q.Budget), ""))
		}
		f.Remedies = remedies(f.Cause, q.Software, time.Duration(p.Timeout*float64(time.Second)))
	}
	r.Findings = append(r.Findings, f)
}

// change is what becomes of today's timeout.
func change(today *Point, advised Point) string {
	if today == nil {
		return AdviceSet
	}
	more := advised.Reuse.Mid() - today.Reuse.Mid()
	sockets := advised.Mean.Mid() - today.Mean.Mid()
	switch {
	case advised.Timeout > today.Timeout && more >= worthPoints:
		return AdviceRaise
	case advised.Timeout < today.Timeout && -sockets >= worthSockets*today.Mean.Mid() && today.Mean.Mid() >= 10:
		return AdviceLower
	}
	return AdviceKeep
}

// defaultSoftware are those whose lines are given where it is not known what the log is of.
var defaultSoftware = []string{"nginx", "apache", "haproxy"}

func remedies(cause, software string, t time.Duration) []finding.Remedy {
	if cause == AdviceKeep {
		return nil
	}
	names := defaultSoftware
	if software != "" {
		names = []string{software}
	}
	var all []finding.Remedy
	for _, name := range names {
		all = append(all, keepalive.Remedies("server-idle", name, keepalive.Accepts, 0, t)...)
	}
	return all
}

func reuse(p Point, of string) finding.Figure { return bounded("reuse", p.Reuse, "share").Whose(of) }

func figures(p Point, of string) finding.Figures {
	f := finding.Figures{
		finding.Number("timeout", 1000*p.Timeout, "ms").Whose(of), reuse(p, of),
		bounded("connections", p.Connections, "").Whose(of), bounded("sockets", p.Mean, "").Whose(of),
		finding.Number("sockets_p99", float64(p.P99), "").Whose(of),
	}
	if v, ok := p.Waiting.Get(); ok {
		f = append(f, bounded("waiting", v.scale(1000), "ms").Whose(of))
	}
	return f
}

// bounded is a figure that lies between two values.
func bounded(name string, b Bounds, unit string) finding.Figure {
	f := finding.Number(name, b.Mid(), unit)
	if b.Low < b.High {
		f.Interval = linger.Known(finding.Interval{Low: linger.Known(b.Low), High: linger.Known(b.High)})
	}
	return f
}

// budget says what a limit on connections comes to: at today's timeout, or the advised one, or
// the longest of those that hold no more.
func (a *Analyzer) budget(r *Result, q Asked) {
	p := r.Cut()
	if q.Budget == 0 || r.Today == nil && r.Advised == nil {
		if p = nil; q.Budget > 0 {
			p = &r.Points[0]
		}
	} else if r.Today != nil {
		p = r.Today
	}
	if p == nil || p.Budget == nil || p.Budget.Refused == 0 && p.Budget.Closed == 0 {
		return
	}
	b := p.Budget
	f := finding.Finding{Code: FoundBudget, Severity: finding.Note, Figures: finding.Figures{
		finding.Number("budget", float64(b.Connections), ""), finding.Number("timeout", 1000*p.Timeout, "ms"), reuse(*p, "unlimited"),
		finding.Number("refused", float64(b.Refused), "").Whose("refusing"), finding.Number("reuse", b.Reuse, "share").Whose("refusing"),
		finding.Number("refused_share", float64(b.Refused)/float64(max(1, a.requests)), "share").Whose("refusing"),
		finding.Number("closed_early", float64(b.Closed), "").Whose("closing"), finding.Number("reuse", b.WayReuse, "share").Whose("closing"),
		finding.Number("refused", float64(b.WayRefused), "").Whose("closing"),
	}}
	if b.Refused > 0 && r.Today != nil {
		f.Severity = finding.Warning
	}
	r.Findings = append(r.Findings, f)
}

// letGo says from what gap on connections are rarely used again, though the timeout of
// today would have kept them.
func (a *Analyzer) letGo(r *Result, q Asked) {
	if r.Observed == nil {
		return
	}
	var last *Step
	for i := range r.Observed.Steps {
		s := &r.Observed.Steps[i]
		if s.Reused+s.New >= 20 && s.Share() >= 0.1 {
			last = s
		}
	}
	if last == nil || q.Today.Or(0) > 0 && float64(last.To) >= 0.9*q.Today.Or(0).Seconds() {
		return
	}
	more := int64(0)
	until := int64(horizon)
	if today := q.Today.Or(0); today > 0 {
		until = int64(today / time.Second)
	}
	for i := int64(last.To); i < until; i++ {
		more += a.seen.missed[i]
	}
	if more < 20 {
		return
	}
	r.Findings = append(r.Findings, finding.Finding{Code: FoundClients, Severity: finding.Note, Figures: finding.Figures{
		finding.Number("from", 1000*float64(last.From), "ms"), finding.Number("to", 1000*float64(last.To), "ms"),
		finding.Number("new", float64(more), ""), finding.Number("longest", 1000*r.Observed.Longest, "ms"),
		finding.Number("today", 1000*q.Today.Or(0).Seconds(), "ms"),
	}})
}

// window is the share of requests that come after the server has let go, and before the
// client does: they meet a connection that has been closed, or is being closed.
func (a *Analyzer) window(r *Result, q Asked) {
	today := q.Today.Or(0)
	if today == 0 || q.ClientIdle <= today {
		return
	}
	v := a.most
	n := v.reused(q.ClientIdle) - v.reused(today)
	if n == 0 {
		return
	}
	r.Findings = append(r.Findings, finding.Finding{Code: FoundWindow, Severity: finding.Warning, Figures: finding.Figures{
		finding.Number("share", float64(n)/float64(max(1, v.requests)), "share"),
		finding.Number("server", 1000*q.Today.Or(0).Seconds(), "ms"), finding.Number("client", 1000*q.ClientIdle.Seconds(), "ms"),
	}})
}

// limit says what the limit of today on requests costs, or what one of a hundred would.
func (a *Analyzer) limit(r *Result, q Asked) {
	near := r.Runs[0].Timeout
	t := q.Today.Or(0).Seconds()
	if t == 0 && r.Advised != nil {
		t = r.Advised.Timeout
	}
	for _, run := range r.Runs {
		if math.Abs(math.Log(run.Timeout/math.Max(1, t))) < math.Abs(math.Log(near/math.Max(1, t))) {
			near = run.Timeout
		}
	}
	limit := 100
	if q.Limit > 0 {
		limit = q.Limit
	}
	var with, without *Run
	for i := range r.Runs {
		run := &r.Runs[i]
		if run.Timeout != near {
			continue
		}
		if run.Limit == 0 {
			without = run
		} else if with == nil || math.Abs(math.Log(float64(run.Limit)/float64(limit))) < math.Abs(math.Log(float64(with.Limit)/float64(limit))) {
			with = run
		}
	}
	if with == nil || without == nil || without.Opened == 0 {
		return
	}
	if q.Limit == 0 && without.Reuse-with.Reuse < worthPoints/2 {
		return
	}
	f := finding.Finding{Code: FoundLimit, Severity: finding.Note, Figures: finding.Figures{
		finding.Number("limit", float64(with.Limit), ""), finding.Number("timeout", 1000*near, "ms"),
		finding.Number("reuse", with.Reuse, "share").Whose("with"), finding.Number("reuse", without.Reuse, "share").Whose("without"),
		finding.Number("skew", with.Skew, "").Whose("with"), finding.Number("skew", without.Skew, "").Whose("without"),
	}}
	if q.Limit > 0 && without.Reuse-with.Reuse >= worthPoints {
		f.Severity = finding.Warning
	}
	r.Findings = append(r.Findings, f)
}

// single says what one connection for each client would do.
func (a *Analyzer) single(r *Result, q Asked) {
	if a.one == nil || r.Advised == nil {
		return
	}
	v := a.one
	t := time.Duration(r.Advised.Timeout * float64(time.Second))
	kept := t
	if q.ClientIdle > 0 {
		kept = min(kept, q.ClientIdle)
	}
	share := float64(v.reused(kept)) / float64(max(1, v.requests))
	opened := float64(a.requests) * (1 - share)
	mean := (float64(v.busySum) + v.idleTime(kept, a.last, int64(1)<<a.shift)) / math.Max(1, float64(a.last-a.first))
	r.Single = &Point{Timeout: t.Seconds(), Reuse: Bounds{share, share}, Connections: Bounds{opened, opened}, Mean: Bounds{mean, mean}}
	// Against the same of HTTP/1.1, whatever clients do with what is idle.
	several := float64(a.requests) * (1 - float64(a.most.reused(kept))/float64(max(1, a.most.requests)))
	held := (float64(a.most.busySum) + a.most.idleTime(kept, a.last, int64(1)<<a.shift)) / math.Max(1, float64(a.last-a.first))
	if opened > 0.95*several {
		return
	}
	r.Findings = append(r.Findings, finding.Finding{Code: FoundSingle, Severity: finding.Note, Figures: finding.Figures{
		finding.Number("connections", opened, ""), finding.Number("connections", several, "").Whose("advised"),
		finding.Number("sockets", mean, ""), finding.Number("sockets", held, "").Whose("advised"),
	}})
}

// caveats are what limits the advice.
func (a *Analyzer) caveats(r *Result, q Asked) {
	add := func(code string, decisive bool, f ...finding.Figure) {
		r.Caveats = append(r.Caveats, finding.Caveat{Code: code, Figures: f, Decisive: decisive})
	}
	if a.least != nil {
		wide := 0.0
		if r.Advised != nil {
			wide = r.Advised.Reuse.High - r.Advised.Reuse.Low
		}
		cause := finding.Word("durations", "no")
		if a.config.Durations {
			cause = finding.Word("durations", "yes")
		}
		add(CaveatClock, wide > 0.05, finding.Number("resolution", float64(a.config.Resolution.Milliseconds()), "ms"), cause, finding.Number("width", wide, "share"))
	}
	most, few := a.mostOf(16)
	switch {
	case few && a.requests > 1000:
		add(CaveatBalancer, false, finding.Number("clients", float64(r.Clients), ""), finding.Number("share", most, "share"))
	case r.Observed == nil:
		add(CaveatAddress, false)
	}
	longest := 60.0
	if r.Advised != nil {
		longest = r.Advised.Timeout
	}
	if r.Span < 4*longest {
		add(CaveatSpan, true, finding.Number("span", 1000*r.Span, "ms"), finding.Number("timeout", 1000*longest, "ms"))
	}
	if share, ok := r.Sampled.Get(); ok {
		add(CaveatSampled, false, finding.Number("share", share, "share"), finding.Number("clients", float64(a.clients.n), ""), finding.Number("error", a.samplingError(share, r.Cut()), "share"))
	}
	// Servers look at their timers once a second.
	if today, ok := q.Today.Get(); ok && r.Observed != nil && r.Observed.Longest > today.Seconds()+2 {
		add(CaveatToday, true, finding.Number("longest", 1000*r.Observed.Longest, "ms"), finding.Number("today", 1000*today.Seconds(), "ms"))
	}
	if r.Observed != nil && r.Advised != nil && r.Advised.Reuse.High-r.Advised.Reuse.Low > worthPoints {
		add(CaveatClosed, true, finding.Number("longest", 1000*r.Observed.Longest, "ms"))
	}
}

// mostOf returns the share of the requests that the n clients send that send most, and
// whether those are nearly all of many.
func (a *Analyzer) mostOf(n int) (share float64, few bool) {
	if a.clients.n > n || a.most.requests == 0 {
		return 0, false
	}
	return 1, a.requests/int64(max(1, a.clients.n)) >= 200
}
