package compare

import (
	"cmp"
	"slices"
	"strings"

	"linger"
	"linger/finding"
	"linger/stats"
)

// These are the two findings that stand first: what keep-alive saves, and what is fastest.

// outcome is what keep-alive does to one pair.
func (s Saving) outcome() string {
	switch {
	case s.Untested:
		return CauseUntested
	case !s.Significant:
		return CauseSame
	case s.Time.Value < 0:
		return CauseCosts
	}
	return CauseSaves
}

// keeping tells what keep-alive alone saves: a figure for each pair, named by what it does
// there, with the share of the time of the strategy without it.
// Those that send one query at a time, where others have all under way, and are slower by
// that, stand behind.
func (j *judgement) keeping(pairs, oneByOne []Saving) {
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
		outcome := s.outcome()
		if f.Cause = cmp.Or(f.Cause, outcome); f.Cause != outcome {
			f.Cause = CauseMixed
		}
		share := finding.Number(outcome, s.Share.Value, "share").Whose(s.With)
		if !s.Share.Low.IsZero() {
			share.Interval = linger.Known(finding.Interval{Low: s.Share.Low, High: s.Share.High, Confidence: s.Share.Confidence})
		}
		f.Figures = append(f.Figures, share, finding.Word("instead_of", s.Without).Whose(s.With))
		if n, ok := s.Parallel.Get(); ok {
			f.Figures = append(f.Figures, count("parallel", n).Whose(s.With))
		}
	}
	if f.Cause == CauseUntested {
		f.Severity = finding.Unknown
	}
	for _, s := range oneByOne {
		if s.outcome() == CauseCosts {
			f.Figures = append(f.Figures, finding.Number("times_as_long", 1-s.Share.Value, "").Whose(s.With))
		}
	}
	if len(pairs) > 0 {
		f.Figures = append(f.Figures, count("trials", j.fewest()))
	}
	j.add(f)
}

// fewest is the least number of trials that a strategy with a time has.
func (j *judgement) fewest() int {
	n := 0
	for _, c := range j.cases {
		if c.timed && (n == 0 || c.times.N() < n) {
			n = c.times.N()
		}
	}
	return n
}

// rival is what the fastest strategy must differ from to be called fastest: the fastest of
// the other family, of those with keep-alive or without; where no other of those has a time,
// the slowest, and nil where that is itself. The cause says which.
func (j *judgement) rival() (rival *tried, cause string) {
	switch {
	case j.best == j.with && j.without != nil:
		return j.without, CauseWithout
	case j.best == j.without && j.with != nil:
		return j.with, CauseWith
	}
	others := filter(j.cases, func(c *tried) bool { return c.timed && c != j.best })
	if len(others) == 0 {
		return nil, ""
	}
	return slices.MaxFunc(others, func(a, b *tried) int { return cmp.Compare(a.time.Value, b.time.Value) }), CauseSlowest
}

// quickest tells which strategy is fastest, which ones tie with it, and how it stands to its
// rival.
func (j *judgement) quickest(rival *tried, cause string, tied, untested []string) {
	r, p := ordered(j.best, rival)
	f := finding.Finding{Code: Fastest, Severity: sure(p), Cause: cause, Subject: j.best.subject(), Figures: versus(j.best, rival, p)}
	switch {
	case r == same:
		f.Code, f.Severity = NoDifference, finding.Note
	case r == untold && (j.best.times.N() > 1 || !differ(j.best.time.Value, rival.time.Value)):
		f.Code, f.Severity = NoWinner, finding.Unknown
	case len(untested) > 0:
		f.Severity = finding.Unknown
	}
	if f.Code == NoDifference && near(j.best, rival) {
		f.Figures = append(f.Figures, finding.Number("margin", Margin, "share"))
	}
	for _, c := range j.cases {
		if c != rival && slices.Contains(tied, c.row.Strategy) {
			t := c.took()
			t.Name = "tied"
			f.Figures = append(f.Figures, t)
		}
	}
	f.Figures = append(f.Figures, count("strategies", len(filter(j.cases, func(c *tried) bool { return c.timed }))))
	if slices.ContainsFunc(j.cases, func(c *tried) bool { return c.timed && c.time.Value >= 1000 }) {
		f.Figures = append(f.Figures, finding.Word("unit", "s")) // of all times beside each other
	}
	if f.Severity == finding.Unknown && !canDiffer(j.best.times.N(), rival.times.N(), j.best.family) {
		f.Figures = append(f.Figures, count("enough", j.best.enough()))
	}
	if cause == CauseWith {
		f.Figures = append(f.Figures, j.untried(j.best)...)
	}
	j.add(f)
}

// untried names the strategy that keeps connections and is otherwise as the given one, where
// nobody tried it.
func (j *judgement) untried(closed *tried) finding.Figures {
	s := closed.strategy
	s.Persistent = true
	rest, ok := strings.CutPrefix(closed.row.Strategy, "close")
	if !ok || slices.ContainsFunc(j.cases, func(c *tried) bool { return equal(c.strategy, s) }) {
		return nil
	}
	return finding.Figures{finding.Word("untried", "keep"+rest)}
}

// significant reports whether a relation is one that the trials show.
func significant(r relation, p float64) bool { return (r == less || r == more) && p < stats.Alpha }
