package words

import (
	"fmt"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/compare/times"
	"linger/finding"
)

// These are the two sentences that stand first: what keep-alive saves, and what is fastest.

// keepAlive is what keep-alive alone saves: one range where it saves with each pair, and
// otherwise what it does with each.
func keepAlive(t teller) string {
	switch t.Cause {
	case compare.CauseNoneWith:
		return "What keep-alive saves is not known: no strategy with it gave a time."
	case compare.CauseNoneWithout:
		return "What keep-alive saves is not known: no strategy without it gave a time."
	case compare.CauseUntried:
		if name := t.Figures.Text("untried"); name != "" {
			return fmt.Sprintf("What keep-alive alone saves is not known: %s was not tried.", name)
		}
		return "What keep-alive alone saves is not known: no two strategies differ in nothing else."
	case times.Saves:
		saves := t.Figures.All(times.Saves)
		switch one := t.oneByOne(); {
		case one != "":
			return fmt.Sprintf("Keep-alive saves %s of the time where queries overlap (%s); %s.", shares(saves), strings.Join(namesOf(saves), ", "), one)
		case len(saves) == 1:
			return fmt.Sprintf("Keep-alive saves %s of the time (%s).", shareOf(saves[0]), t.pair(saves[0]))
		}
		return "Keep-alive saves " + t.extremes(saves) + "."
	case times.Unchanged:
		return fmt.Sprintf("Keep-alive makes no difference that %s can show (%s).", t.trials(), t.pairs(t.Figures.All(times.Unchanged)))
	}
	if untested := t.Figures.All(times.Untested); t.Cause == times.Untested && len(untested) > 1 && !slices.ContainsFunc(untested, func(f finding.Figure) bool { return f.Value.Or(0) < times.Margin }) {
		return "Keep-alive probably saves " + t.extremes(untested) + "."
	}
	var parts []string
	for _, outcome := range []string{times.Saves, times.Costs, times.Unchanged} {
		if all := t.Figures.All(outcome); len(all) > 0 {
			parts = append(parts, t.outcome(outcome, all))
		}
	}
	for _, f := range t.Figures.All(times.Untested) {
		parts = append(parts, probably(f)+" "+t.abreast(f)+" ("+t.pair(f)+")")
	}
	if one := t.oneByOne(); one != "" {
		return "Keep-alive " + list(parts) + "; " + one + "."
	}
	return "Keep-alive " + list(parts) + "."
}

// oneByOne is what sending one query at a time costs on a kept connection.
func (t teller) oneByOne() string {
	all := t.Figures.All("times_as_long")
	if len(all) == 0 {
		return ""
	}
	low, high := all[0].Value.Or(0), all[0].Value.Or(0)
	for _, f := range all {
		low, high = min(low, f.Value.Or(0)), max(high, f.Value.Or(0))
	}
	times := finding.Times(low)
	if top := finding.Times(high); top != times {
		times += "–" + top
	}
	return fmt.Sprintf("one query at a time it takes %s× as long (%s)", times, strings.Join(namesOf(all), ", "))
}

// extremes are the least and the greatest of several shares of the time, with their pairs.
func (t teller) extremes(list finding.Figures) string {
	least, most := list[0], list[0]
	for _, f := range list {
		if f.Value.Or(0) < least.Value.Or(0) {
			least = f
		}
		if f.Value.Or(0) > most.Value.Or(0) {
			most = f
		}
	}
	if finding.Share(least.Value.Or(0)) == finding.Share(most.Value.Or(0)) {
		return finding.Share(most.Value.Or(0)) + " of the time (" + t.pairs(list) + ")"
	}
	return fmt.Sprintf("%s (%s) to %s (%s) of the time", finding.Share(least.Value.Or(0)), t.pair(least), finding.Share(most.Value.Or(0)), t.pair(most))
}

// outcome is what keep-alive does to some pairs: how many requests they have under way is
// said of one.
func (t teller) outcome(outcome string, all finding.Figures) string {
	abreast := ""
	if len(all) == 1 {
		abreast = " " + t.abreast(all[0])
	}
	says := "makes no measurable difference"
	switch {
	case outcome == times.Saves && len(all) == 1:
		says = "saves " + shareOf(all[0]) + " of the time"
	case outcome == times.Saves:
		says = "saves " + shares(all) + " of the time"
	case outcome == times.Costs:
		for i, f := range all {
			all[i].Value = linger.Known(-f.Value.Or(0))
		}
		says = "costs " + shares(all) + " more time"
	}
	return says + abreast + " (" + t.pairs(all) + ")"
}

// probably is what an untested pair looks like.
func probably(f finding.Figure) string {
	switch v := f.Value.Or(0); {
	case v >= times.Margin:
		return "probably saves about " + finding.Share(v) + " of the time"
	case v <= -times.Margin:
		return "probably costs about " + finding.Share(-v) + " more time"
	}
	return "probably makes little difference"
}

// shares are the least and the greatest of several shares: "49–66 %".
func shares(list finding.Figures) string {
	low, high := list[0].Value.Or(0), list[0].Value.Or(0)
	for _, f := range list {
		low, high = min(low, f.Value.Or(0)), max(high, f.Value.Or(0))
	}
	return span(low, high)
}

// span is a range of shares, or one where both are shown alike.
func span(low, high float64) string {
	a, b := finding.Share(low), finding.Share(high)
	if a == b {
		return a
	}
	return strings.TrimSuffix(a, " %") + "–" + b
}

// worthAnInterval is how wide the interval of a share is that stands beside it.
const worthAnInterval = 0.015

// shareOf is a share with its interval, where that is wider than what is shown.
func shareOf(f finding.Figure) string {
	i := f.Interval.Or(finding.Interval{})
	low, ok := i.Low.Get()
	high, ok2 := i.High.Get()
	if ok && ok2 && high-low > worthAnInterval {
		return fmt.Sprintf("%s (%s %% CI %s)", finding.Share(f.Value.Or(0)), finding.Trimmed(100*i.Confidence.Or(0), 0), span(low, high))
	}
	return finding.Share(f.Value.Or(0))
}

// of is a figure of the same strategy.
func (t teller) of(f finding.Figure, name string) finding.Figure {
	for _, g := range t.Figures.All(name) {
		if g.Of == f.Of {
			return g
		}
	}
	return finding.Figure{}
}

// pair names the two strategies of a saving.
func (t teller) pair(f finding.Figure) string {
	return t.of(f, "instead_of").Text + " → " + f.Of
}

func (t teller) pairs(saved finding.Figures) string {
	var out []string
	for _, f := range saved {
		out = append(out, t.pair(f))
	}
	return strings.Join(out, ", ")
}

// abreast is how many requests the two have under way.
func (t teller) abreast(f finding.Figure) string {
	n, ok := t.of(f, "parallel").Value.Get()
	switch {
	case !ok:
		return ""
	case n == 0:
		return "with all requests at once"
	case n == 1:
		return "with one request at a time"
	}
	return "with " + whole(n) + " at once"
}

// fastest is the fastest strategy, with those that tie with it, and its rival.
func fastest(t teller) string {
	best, rival := t.times()
	names := []string{best.Of}
	times := []string{t.clock(best)}
	far := false
	for _, f := range t.Figures.All("tied") {
		names, times = append(names, f.Of), append(times, t.clock(f))
		far = far || f.Value.Or(0) > farApart*best.Value.Or(0)
	}
	head := "Fastest: " + best.Of + ", " + times[0]
	switch {
	case t.Severity == finding.Unknown:
		head = "Probably fastest: " + best.Of + ", " + times[0]
	case far:
		return fmt.Sprintf("Probably fastest: %s, %s – %s; %s cannot tell it from %s.%s", best.Of, times[0], t.ahead(best, rival), t.trials(), others(names[1:], times[1:]), t.untried())
	case len(names) > mostTied:
		head = fmt.Sprintf("%s and %d others tie for fastest at about %s", names[0], len(names)-1, times[0])
	case len(names) > 2:
		head = fmt.Sprintf("%s tie for fastest at about %s", list(names), times[0])
	case len(names) > 1:
		head = fmt.Sprintf("%s tie for fastest (%s)", list(names), strings.Join(times, ", "))
	}
	return head + " – " + t.ahead(best, rival) + t.untestedAtAll() + "." + t.untried()
}

// others names strategies with their times, or how many there are.
func others(names, times []string) string {
	if len(names) > mostTied {
		return fmt.Sprintf("%d others", len(names))
	}
	var out []string
	for i, name := range names {
		out = append(out, name+" ("+times[i]+")")
	}
	return list(out)
}

// clock is a time as the table has it: of two digits at least, and in the unit of the others.
func (t teller) clock(f finding.Figure) string {
	v := f.Value.Or(0)
	uncertainty := min(f.Uncertainty(), v/10)
	if t.Figures.Text("unit") == "s" && v < 1000 {
		return finding.Fixed(v/1000, finding.Decimals(v/1000, uncertainty/1000)) + " s"
	}
	return finding.Duration(v, uncertainty)
}

// mostTied is of how many strategies that tie the names stand in a sentence.
const mostTied = 3

// ahead is how much faster the first is than its rival.
func (t teller) ahead(best, rival finding.Figure) string {
	times := finding.Times(rival.Value.Or(0)/best.Value.Or(0)) + "× as fast as "
	switch t.Cause {
	case compare.CauseWithout:
		return times + "the best without keep-alive (" + rival.Of + ")"
	case compare.CauseWith:
		return times + "the best with keep-alive (" + rival.Of + ")"
	}
	return times + rival.Of
}

// untestedAtAll says so where noise is not ruled out, and how many trials it takes.
func (t teller) untestedAtAll() string {
	if t.Severity != finding.Unknown {
		return ""
	}
	enough, ok := t.Figures.Value("enough").Get()
	if !ok {
		return "; others have too few trials for a test"
	}
	best, rival := t.times()
	many := best.Interval.Or(finding.Interval{}).N
	takes := " (" + finding.Count(enough) + " each are enough)"
	switch {
	case many != rival.Interval.Or(finding.Interval{}).N:
		return "; too few trials for a test" + takes
	case t.Figures.Value("trials").Or(0) == 1:
		return "; one trial each, not tested" + takes
	}
	return "; " + t.trials() + " each are too few for a test" + takes
}

// farApart is how many times as long something takes of which nobody would say that it ties,
// though the trials scatter so much that they do not tell.
const farApart = 1.2

// noDifference is that the fastest and its rival tie.
func noDifference(t teller) string {
	best, rival := t.times()
	tied := t.Figures.All("tied")
	names := append([]string{best.Of, rival.Of}, namesOf(tied)...)
	why := fmt.Sprintf("%s each, p = %.2g", t.trials(), t.Figures.Value("p").Or(1))
	if margin, ok := t.Figures.Value("margin").Get(); ok {
		why = "predictions are off by as much: " + finding.Share(margin)
	}
	ours, theirs := t.clock(best), t.clock(rival)
	switch n := t.Figures.Value("strategies").Or(0); {
	case slices.ContainsFunc(append(tied, rival), func(f finding.Figure) bool { return f.Value.Or(0) > farApart*best.Value.Or(0) }):
		return fmt.Sprintf("Which is fastest cannot be told: %s %s, %s %s (%s).", best.Of, ours, rival.Of, theirs, why)
	case int(n) == len(names) && n > 2:
		return fmt.Sprintf("All %s tie at about %s (%s).", whole(n), t.clock(best), why)
	case len(names) > mostTied:
		return fmt.Sprintf("%s, %s and %d others tie for fastest at about %s (%s).", best.Of, rival.Of, len(tied), t.clock(best), why)
	case len(names) > 2:
		return fmt.Sprintf("%s tie for fastest at about %s (%s).", list(names), t.clock(best), why)
	}
	return fmt.Sprintf("%s and %s tie for fastest: %s and %s (%s).", best.Of, rival.Of, ours, theirs, why)
}

func namesOf(figures finding.Figures) []string {
	var out []string
	for _, f := range figures {
		out = append(out, f.Of)
	}
	return out
}

// noWinner is that the trials are too few to tell the fastest from its rival.
func noWinner(t teller) string {
	best, rival := t.times()
	return fmt.Sprintf("Which is fastest is open: %s %s, %s %s%s.", best.Of, t.clock(best), rival.Of, t.clock(rival), t.untestedAtAll())
}

func fewestConnections(t teller) string {
	n, _ := t.Figures.Get("connections")
	return fmt.Sprintf("Of those that tie for fastest, %s opens the fewest connections (%s).", t.Subject.Name, finding.Count(n.Value.Or(0)))
}

// keepAliveOn is what keep-alive alone saves over the paths of a sweep.
func keepAliveOn(t teller) string {
	var out []string
	for _, f := range t.Figures.All("most") {
		out = append(out, signedSpan(t.of(f, "least").Value.Or(0), f.Value.Or(0))+" ("+f.Of+")")
	}
	return "Keep-alive alone saves " + strings.Join(out, ", ") + "."
}

// signedSpan is a range of such shares.
func signedSpan(low, high float64) string {
	if low < 0 {
		return finding.SignedShare(low) + " to " + finding.SignedShare(high)
	}
	return span(low, high)
}
