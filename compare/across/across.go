// Package across describes what comparisons of one workload on several networks have in common:
// what keep-alive saves on each, which strategy is fastest where, and which is nowhere far from
// that. Each network keeps its own verdict; nothing is tested between networks.
package across

import (
	"cmp"
	"slices"
	"strings"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/finding"
)

// Networks is one workload fetched by the same strategies on several networks. Each network is
// a comparison of its own, with its own trials and its own verdict; what differs between
// networks is described here, and not tested.
type Networks struct {
	Each []compare.Findings
	// Findings are what all of them come to: what keep-alive saves where, what is fastest
	// where, and what is nowhere far from it.
	Findings []finding.Finding
	// Asserted are the conditions that were set on every network.
	Asserted []assert.Result
}

// Of holds comparisons of one workload on several networks beside each other.
func Of(each []compare.Findings) Networks {
	n := Networks{Each: each, Asserted: assertedAcross(each)}
	if alone(each) {
		n.Findings = []finding.Finding{{Code: FastestAcross, Cause: CauseAlone, Subject: finding.Subject{Kind: "strategy", Name: each[0].Rows[0].Strategy}}}
		return n
	}
	n.Findings = slices.Concat([]finding.Finding{savedAcross(each), fastestAcross(each)}, compromise(each))
	return n
}

// alone reports whether there is one strategy, and nothing to compare.
func alone(each []compare.Findings) bool {
	return len(each) > 0 && len(each[0].Rows) == 1 && !slices.ContainsFunc(each, func(f compare.Findings) bool { return len(f.Rows) != 1 })
}

// savedAcross is what keep-alive saves on each network: the least and the greatest share of the
// time, of the pairs of strategies that differ in nothing else.
func savedAcross(each []compare.Findings) finding.Finding {
	f := finding.Finding{Code: KeepAliveAcross}
	for _, one := range each {
		outcome, name := "", one.Network.Named()
		var least, most float64
		unsure := 0
		for i, s := range one.Verdict.KeepAlive {
			if i == 0 {
				least, most = s.Share.Value, s.Share.Value
			}
			least, most = min(least, s.Share.Value), max(most, s.Share.Value)
			if outcome = cmp.Or(outcome, s.Outcome()); outcome != s.Outcome() {
				outcome = compare.CauseMixed
			}
			if !s.Significant {
				unsure++
			}
		}
		f.Figures = append(f.Figures, finding.Word("outcome", cmp.Or(outcome, compare.CauseUntried)).Whose(name))
		if outcome != "" {
			low := finding.Number("least", least, "share").Whose(name)
			if s := one.Verdict.KeepAlive[0].Share; len(one.Verdict.KeepAlive) == 1 && !s.Low.IsZero() {
				low.Interval = linger.Known(finding.Interval{Low: s.Low, High: s.High, Confidence: s.Confidence})
			}
			f.Figures = append(f.Figures, low, finding.Number("most", most, "share").Whose(name), finding.Counted("not_significant", unsure).Whose(name))
		}
		switch {
		case f.Cause == "":
			f.Cause = cmp.Or(outcome, compare.CauseUntried)
		case f.Cause != cmp.Or(outcome, compare.CauseUntried):
			f.Cause = compare.CauseMixed
		}
	}
	return f
}

// fastestAcross is which strategy is fastest on each network, with those that tie with it, and
// those of which too few trials leave it open.
func fastestAcross(each []compare.Findings) finding.Finding {
	f := finding.Finding{Code: FastestAcross, Cause: CauseOneFastest}
	for _, one := range each {
		v, name := one.Verdict, one.Network.Named()
		if v.Fastest != each[0].Verdict.Fastest || len(v.Tied)+len(v.Untested) > 0 || v.Fastest == "" {
			f.Cause = CauseChanges
		}
		if len(v.Untested) > 0 {
			f.Severity = finding.Unknown
		}
		f.Figures = append(f.Figures, finding.Word("fastest", v.Fastest).Whose(name))
		for _, s := range v.Tied {
			f.Figures = append(f.Figures, finding.Word("tied", s).Whose(name))
		}
		for _, s := range v.Untested {
			f.Figures = append(f.Figures, finding.Word("untested", s).Whose(name))
		}
	}
	return f
}

// compromise is the strategy whose time is nowhere far from the fastest one's, where no
// strategy has the least median everywhere. It needs a time on every network.
func compromise(each []compare.Findings) []finding.Finding {
	worst := map[string]finding.Figure{}
	times := map[string]int{}
	for _, one := range each {
		for _, r := range one.Rows {
			ratio, ok := r.RatioToBest.Get()
			if !ok {
				continue
			}
			times[r.Strategy]++
			if w, known := worst[r.Strategy]; !known || w.Value.Or(0) < ratio {
				worst[r.Strategy] = finding.Number("worst_ratio", ratio, "").Whose(one.Network.Named())
			}
		}
	}
	best := ""
	for _, one := range each[:min(1, len(each))] { // whoever has a time everywhere is on the first
		for _, r := range one.Rows {
			if n := r.Strategy; times[n] == len(each) && (best == "" || worst[n].Value.Or(0) < worst[best].Value.Or(0)) {
				best = n
			}
		}
	}
	if best == "" || worst[best].Value.Or(0) <= 1 {
		return nil
	}
	return []finding.Finding{{
		Code: Compromise, Severity: finding.Note, Subject: finding.Subject{Kind: "strategy", Name: best},
		Figures: finding.Figures{worst[best], finding.Counted("networks", len(each))},
	}}
}

// assertedAcross joins what became of each condition, which every network has: it holds where it
// holds on all of them.
func assertedAcross(each []compare.Findings) []assert.Result {
	if len(each) == 0 {
		return nil
	}
	out := slices.Clone(each[0].Asserted)
	for i := range out {
		var why []string
		for _, one := range each {
			r := one.Asserted[i]
			if r.Truth == assert.Broken || r.Truth == assert.NotKnown && out[i].Truth == assert.Holds {
				out[i].Truth = r.Truth
			}
			if r.Truth != assert.Holds {
				why = append(why, "on "+one.Network.Named()+": "+r.Why)
			}
		}
		out[i].Why = strings.Join(why, "; ")
	}
	return out
}
