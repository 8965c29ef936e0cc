package compare

import (
	"cmp"
	"slices"
	"strings"

	"linger"
	"linger/compare/facts"
	"linger/compare/times"
	"linger/finding"
	"linger/stats"
	"linger/trace"
)

// A lineup is the strategies of a verdict and where they ran. Each of its methods finds one
// thing, and changes nothing.
type lineup struct {
	cases []*measured
	best  *measured // with the least time, nil where none has one
	// base is the first non-persistent strategy of the list, of which handshakes are told;
	// with and without are the fastest strategies with keep-alive and without.
	base, with, without *measured
	network             linger.Network
	chain               bool // each exchange follows the one before it: nothing can be serialized
}

func lineupOf(setup trace.Setup, cases []*measured) lineup {
	l := lineup{cases: cases, network: setup.Network, chain: isChain(setup.Workload), best: fastest(cases)}
	l.base = first(cases, func(c *measured) bool { return !c.Strategy.Persistent })
	l.with = fastest(filter(cases, func(c *measured) bool { return c.Strategy.Persistent }))
	l.without = fastest(filter(cases, func(c *measured) bool { return !c.Strategy.Persistent }))
	return l
}

// judge finds the fastest strategy, what keep-alive saves, and what else there is to find:
// first the lead, then one finding for each thing that there is to know besides. fixed says
// that the workload or the client's pace fixes when each query is asked.
func judge(setup trace.Setup, cases []*measured, fixed bool) Verdict {
	j := lineupOf(setup, cases)
	if j.best == nil && !slices.ContainsFunc(cases, hasAnswers) {
		return Verdict{Findings: []finding.Finding{{Code: NothingDelivered, Severity: finding.Unknown}}}
	}
	var v Verdict
	var lead, keeping, others []finding.Finding
	whole := j.best != nil && !fixed // the time of the load tells something
	switch {
	case j.best == nil:
		lead = append([]finding.Finding{{Code: NoLoadTime, Severity: finding.Unknown}}, j.perQuery()...)
	case !whole:
		lead = append([]finding.Finding{note(finding.Finding{Code: FixedTimes})}, j.perQuery()...)
	default:
		v = j.weigh()
		lead = j.lead(v)
	}
	if setup.Workload.Scheme == linger.SchemeDNS {
		keeping = j.lookUps(whole)
	} else if j.base != nil {
		parted := slices.ContainsFunc(v.Steps, func(s Step) bool { return s.Cause == StepHandshakes && s.From == j.base.Name() })
		keeping = slices.Concat(j.handshakes(j.base), j.effort(j.base), j.serial(j.base, parted), j.parallel(), j.wider(), j.queueing())
	}
	if whole {
		others = slices.Concat(j.ease(), j.versions(), j.fewer())
	}
	v.Findings = saidOnce(slices.Concat(lead, keeping, others))
	return v
}

// saidOnce drops what makes a strategy slower where it has been said of that strategy.
func saidOnce(all []finding.Finding) []finding.Finding {
	var out []finding.Finding
	for _, f := range all {
		if f.Code == Why && slices.ContainsFunc(out, func(g finding.Finding) bool { return g.Code == Why && g.Subject == f.Subject && g.Cause == f.Cause }) {
			continue
		}
		out = append(out, f)
	}
	return out
}

// weigh holds the times of the strategies against each other.
func (j lineup) weigh() Verdict {
	all := timesOf(j.cases)
	v := Verdict{Fastest: j.best.Name(), KeepAlive: times.KeepAlive(all), OneByOne: times.OneByOne(all), Steps: steps(j.cases, j.best, j.chain)}
	v.Tied, v.Untested = times.Standing(all, j.best.Timed)
	if j.with != nil {
		v.With = j.with.Name()
	}
	if j.without != nil {
		v.Without = j.without.Name()
	}
	if j.with != nil && j.without != nil && j.without.Median.Value > 0 {
		v.Apart = linger.Known(times.SavingOf(j.without.Timed, j.with.Timed))
	}
	rival, _ := j.rival()
	if rival == nil {
		return v
	}
	if r, _ := times.Order(j.best.Timed, rival.Timed); r == times.Less {
		v.Best = j.best.Name()
		if j.without != nil && j.best != j.without {
			v.Saves = saved(j.without.row, j.best.row)
		}
	}
	return v
}

// lead tells what keep-alive saves and what is fastest.
func (j lineup) lead(v Verdict) []finding.Finding {
	rival, cause := j.rival()
	if rival == nil {
		return j.alone()
	}
	return slices.Concat(j.keeping(v.KeepAlive, v.OneByOne), j.quickest(rival, cause, v.Tied, v.Untested), lost(j.best, rival))
}

// alone tells of the one strategy that has a time.
func (j lineup) alone() []finding.Finding {
	f := finding.Finding{Code: Unopposed, Subject: j.best.Subject(), Figures: finding.Figures{j.best.Figure(), finding.Counted("strategies", len(j.cases))}}
	for _, c := range j.cases {
		if least, ok := c.row.AtLeast.Get(); ok {
			f.Figures = append(f.Figures, finding.Number("at_least", least, "ms").Whose(c.Name()))
		}
	}
	return append([]finding.Finding{note(f)}, lost(j.best)...)
}

// isChain reports whether no two exchanges can be wanted at the same time.
func isChain(w linger.Workload) bool {
	for i, e := range w.Exchanges {
		if e.Parent != i-1 {
			return false
		}
	}
	return true
}

// note is a finding, a note unless it says another severity.
func note(f finding.Finding) finding.Finding {
	f.Severity = cmp.Or(f.Severity, finding.Note)
	return f
}

// versus are the times of two strategies, from how many trials of each, and how
// likely they would be so far apart if nothing differed.
func versus(a, b *measured, p float64) finding.Figures {
	return finding.Figures{a.Figure(), b.Figure(), finding.Number("trials", float64(min(a.Sample.N(), b.Sample.N())), ""), finding.Number("p", p, "")}
}

// outcomes are the codes of a comparison of two: the first takes less, more, or as much, or the
// trials do not decide. What has no code is not told.
type outcomes struct{ less, more, same, undecided string }

// of names a finding by how the first relates to the second.
func (o outcomes) of(f finding.Finding, r times.Relation) []finding.Finding {
	switch r {
	case times.Less:
		f.Code = o.less
	case times.More:
		f.Code = o.more
	case times.Same:
		f.Code, f.Severity = o.same, finding.Note
	default:
		f.Code, f.Severity = o.undecided, finding.Unknown
	}
	if f.Code == "" {
		return nil
	}
	return []finding.Finding{note(f)}
}

// sure is the severity of a difference: a note, unless noise is not ruled out.
func sure(p float64) finding.Severity {
	if p >= stats.Alpha {
		return finding.Unknown
	}
	return finding.Note
}

// lost tells of trials that failed of the strategies of the lead: nobody is called the
// fastest by those alone that came through.
func lost(lead ...*measured) (out []finding.Finding) {
	for _, c := range lead {
		if c.row.Failed > 0 {
			out = append(out, note(finding.Finding{Code: LostTrials, Severity: finding.Warning, Subject: c.Subject(), Figures: finding.Figures{
				finding.Counted("failed", c.row.Failed), finding.Counted("trials", c.row.Trials)}}))
		}
	}
	return out
}

// fewer names, of the strategies that tie for fastest, the one that opens the fewest
// connections.
func (j lineup) fewer() (out []finding.Finding) {
	fewest := j.best
	for _, c := range j.cases {
		if n, ok := c.row.Connections.Get(); ok && c.Known && c != j.best && times.Alike(c.Timed, j.best.Timed) && n < fewest.row.Connections.Or(n) {
			fewest = c
		}
	}
	if fewest != j.best {
		out = append(out, note(finding.Finding{Code: FewestConnections, Subject: fewest.Subject(), Figures: finding.Figures{fewest.figure("connections", fewest.row.Connections, "")}}))
	}
	return out
}

// counterpart returns the persistent strategy that is otherwise as c.
func (j lineup) counterpart(c *measured) *measured {
	s := c.Strategy
	s.Persistent = true
	return first(j.cases, func(k *measured) bool { return times.Equal(k.Strategy, s) })
}

// saved is what the row better costs less than base.
func saved(base, better Row) Savings {
	minus := func(a, b linger.Opt[float64]) (o linger.Opt[float64]) {
		x, ok := a.Get()
		y, ok2 := b.Get()
		if ok && ok2 {
			o = linger.Known(stats.Round(x-y, 1e-3))
		}
		return o
	}
	return Savings{
		Time:        minus(middle(base.Time), middle(better.Time)),
		Packets:     minus(facts.Both(base.Packets), facts.Both(better.Packets)),
		WireBytes:   minus(facts.Both(base.WireBytes), facts.Both(better.WireBytes)),
		Connections: minus(base.Connections, better.Connections),
	}
}

func middle(t linger.Opt[times.Time]) (o linger.Opt[float64]) {
	if v, ok := t.Get(); ok {
		o = linger.Known(v.Median)
	}
	return o
}

// timesOf are those of the cases.
func timesOf(cases []*measured) []*times.Timed {
	var all []*times.Timed
	for _, c := range cases {
		all = append(all, c.Timed)
	}
	return all
}

// fastest returns the case with the least time, the first of equals, or nil.
func fastest(cases []*measured) *measured {
	all := timesOf(cases)
	if best := times.Fastest(all); best != nil {
		return cases[slices.Index(all, best)]
	}
	return nil
}

// first returns the first case with a time for which it holds, or nil.
func first(cases []*measured, holds func(*measured) bool) *measured {
	for _, c := range cases {
		if c.Known && holds(c) {
			return c
		}
	}
	return nil
}

func filter(cases []*measured, holds func(*measured) bool) []*measured {
	return slices.DeleteFunc(slices.Clone(cases), func(c *measured) bool { return !holds(c) })
}

// keeping tells what keep-alive alone saves: a figure for each pair, named by what it does
// there, with the share of the time of the strategy without it.
// Those that send one query at a time, where others have all under way, and are slower by
// that, stand behind.
func (j lineup) keeping(pairs, oneByOne []times.Saving) (out []finding.Finding) {
	f := finding.Finding{Code: KeepAlive}
	switch {
	case len(pairs) > 0:
	case j.with == nil:
		f.Cause, f.Severity = CauseNoneWith, finding.Unknown
	case j.without == nil:
		f.Cause, f.Severity = CauseNoneWithout, finding.Unknown
	default:
		f.Cause, f.Severity, f.Figures = CauseUntried, finding.Unknown, j.untried(j.without)
	}
	for _, s := range pairs {
		outcome := s.Outcome()
		if f.Cause = cmp.Or(f.Cause, outcome); f.Cause != outcome {
			f.Cause = CauseMixed
		}
		share := finding.Number(outcome, s.Share.Value, "share").Whose(s.With)
		if !s.Share.Low.IsZero() {
			share.Interval = linger.Known(finding.Interval{Low: s.Share.Low, High: s.Share.High, Confidence: s.Share.Confidence})
		}
		f.Figures = append(f.Figures, share, finding.Word("instead_of", s.Without).Whose(s.With))
		if n, ok := s.Parallel.Get(); ok {
			f.Figures = append(f.Figures, finding.Counted("parallel", n).Whose(s.With))
		}
	}
	if f.Cause == times.Untested {
		f.Severity = finding.Unknown
	}
	for _, s := range oneByOne {
		if s.Outcome() == times.Costs {
			f.Figures = append(f.Figures, finding.Number("times_as_long", 1-s.Share.Value, "").Whose(s.With))
		}
	}
	if len(pairs) > 0 {
		f.Figures = append(f.Figures, finding.Counted("trials", j.fewest()))
	}
	out = append(out, note(f))
	return out
}

// fewest is the least number of trials that a strategy with a time has.
func (j lineup) fewest() int {
	n := 0
	for _, c := range j.cases {
		if c.Known && (n == 0 || c.Sample.N() < n) {
			n = c.Sample.N()
		}
	}
	return n
}

// rival is what the fastest strategy must differ from to be called fastest: the fastest of
// the other family, of those with keep-alive or without; where no other of those has a time,
// the slowest, and nil where that is itself. The cause says which.
func (j lineup) rival() (rival *measured, cause string) {
	switch {
	case j.best == j.with && j.without != nil:
		return j.without, CauseWithout
	case j.best == j.without && j.with != nil:
		return j.with, CauseWith
	}
	others := filter(j.cases, func(c *measured) bool { return c.Known && c != j.best })
	if len(others) == 0 {
		return nil, ""
	}
	return slices.MaxFunc(others, func(a, b *measured) int { return cmp.Compare(a.Median.Value, b.Median.Value) }), CauseSlowest
}

// quickest tells which strategy is fastest, which ones tie with it, and how it stands to its
// rival.
func (j lineup) quickest(rival *measured, cause string, tied, untested []string) (out []finding.Finding) {
	r, p := times.Order(j.best.Timed, rival.Timed)
	f := finding.Finding{Code: Fastest, Severity: sure(p), Cause: cause, Subject: j.best.Subject(), Figures: versus(j.best, rival, p)}
	switch {
	case r == times.Same:
		f.Code, f.Severity = NoDifference, finding.Note
	case r == times.Untold && (j.best.Sample.N() > 1 || !times.Differ(j.best.Median.Value, rival.Median.Value)):
		f.Code, f.Severity = NoWinner, finding.Unknown
	case len(untested) > 0:
		f.Severity = finding.Unknown
	}
	if f.Code == NoDifference && times.Near(j.best.Timed, rival.Timed) {
		f.Figures = append(f.Figures, finding.Number("margin", times.Margin, "share"))
	}
	for _, c := range j.cases {
		if c != rival && slices.Contains(tied, c.row.Strategy) {
			t := c.Figure()
			t.Name = "tied"
			f.Figures = append(f.Figures, t)
		}
	}
	f.Figures = append(f.Figures, finding.Counted("strategies", len(filter(j.cases, func(c *measured) bool { return c.Known }))))
	if slices.ContainsFunc(j.cases, func(c *measured) bool { return c.Known && c.Median.Value >= 1000 }) {
		f.Figures = append(f.Figures, finding.Word("unit", "s")) // of all times beside each other
	}
	if f.Severity == finding.Unknown && !times.CanDiffer(j.best.Sample.N(), rival.Sample.N(), j.best.Family) {
		f.Figures = append(f.Figures, finding.Counted("enough", times.Enough(j.best.Family)))
	}
	if cause == CauseWith {
		f.Figures = append(f.Figures, j.untried(j.best)...)
	}
	out = append(out, note(f))
	return out
}

// untried names the strategy that keeps connections and is otherwise as the given one, where
// nobody tried it.
func (j lineup) untried(closed *measured) finding.Figures {
	s := closed.Strategy
	s.Persistent = true
	rest, ok := strings.CutPrefix(closed.row.Strategy, "close")
	if !ok || slices.ContainsFunc(j.cases, func(c *measured) bool { return times.Equal(c.Strategy, s) }) {
		return nil
	}
	return finding.Figures{finding.Word("untried", "keep"+rest)}
}
