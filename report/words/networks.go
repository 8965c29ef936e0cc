package words

import (
	"fmt"
	"slices"
	"strings"

	"linger/compare"
	"linger/compare/across"
	"linger/compare/times"
	"linger/finding"
)

// These are the sentences of a comparison on several networks.

// Networks is what comparisons on several networks come to.
func Networks(n across.Networks) Text { return text(n.Findings) }

// NetworksHeadline is the sentences of that, each by itself.
func NetworksHeadline(n across.Networks) (out []string) {
	for _, f := range n.Findings {
		out = append(out, Finding(f))
	}
	return out
}

// fewNetworks is of how many networks each is told by itself.
const fewNetworks = 4

// keepAliveAcross is what keep-alive saves on each network, or where it saves least and most.
func keepAliveAcross(t teller) string {
	if t.Cause == compare.CauseUntried {
		return "What keep-alive alone saves is not known: no two strategies differ in nothing else."
	}
	var parts []string
	for _, outcome := range []string{times.Saves, times.Costs, compare.CauseMixed, times.Untested, times.Unchanged, compare.CauseUntried} {
		var on []string
		for _, f := range t.Figures.All("outcome") {
			if f.Text == outcome {
				on = append(on, f.Of)
			}
		}
		if len(on) > 0 {
			parts = append(parts, t.across(outcome, on))
		}
	}
	return "Keep-alive " + strings.Join(parts, "; ") + "."
}

// across is what keep-alive does on some networks, on which it does the same.
func (t teller) across(outcome string, networks []string) string {
	switch outcome {
	case times.Saves:
		return "saves " + t.sharesOn(networks, "of the time", 1)
	case times.Costs:
		return "costs " + t.sharesOn(networks, "more time", -1)
	case compare.CauseMixed:
		says := "saves " + t.sharesOn(networks, "of the time", 1)
		if slices.ContainsFunc(networks, func(n string) bool { return t.of(finding.Figure{Of: n}, "not_significant").Value.Or(0) > 0 }) {
			says += " (some of it not significant)"
		}
		return says
	case times.Untested:
		return "probably saves " + t.sharesOn(networks, "of the time", 1) + " (too few trials for a test)"
	case times.Unchanged:
		return "makes no measurable difference on " + list(networks)
	}
	return "was not tried alone on " + list(networks)
}

// sharesOn are shares of each network, or of many the least and the greatest. What they are of
// is said of the first.
func (t teller) sharesOn(networks []string, of string, sign float64) string {
	var parts []string
	least, most := finding.Figure{}, finding.Figure{}
	for i, name := range networks {
		low, high := sign*t.of(finding.Figure{Of: name}, "least").Value.Or(0), sign*t.of(finding.Figure{Of: name}, "most").Value.Or(0)
		low, high = min(low, high), max(low, high)
		part := signedSpan(low, high)
		if one := t.of(finding.Figure{Of: name}, "least"); low == high && low > 0 && sign > 0 {
			part = shareOf(one) // of one pair, whose interval is known
		}
		if i == 0 {
			part += " " + of
		}
		parts = append(parts, part+" on "+name)
		if i == 0 || low < least.Value.Or(0) {
			least = finding.Number("", low, "share").Whose(name)
		}
		if i == 0 || high > most.Value.Or(0) {
			most = finding.Number("", high, "share").Whose(name)
		}
	}
	if len(networks) <= fewNetworks {
		return strings.Join(parts, ", ")
	}
	return fmt.Sprintf("%s (%s) to %s (%s) %s on %d networks", finding.SignedShare(least.Value.Or(0)), least.Of, finding.SignedShare(most.Value.Or(0)), most.Of, of, len(networks))
}

// fastestAcross is which strategy is fastest where: one for all, or those of each, with what ties
// with it.
func fastestAcross(t teller) string {
	each := t.Figures.All("fastest")
	if t.Cause == across.CauseAlone {
		return "No strategy is compared with " + t.Subject.Name + "."
	}
	if best := nth(each, 0).Text; t.Cause == across.CauseOneFastest && best != "" {
		on := "both networks"
		if n := len(each); n != 2 {
			on = fmt.Sprintf("all %d networks", n)
		}
		return fmt.Sprintf("Fastest on %s: %s.", on, best)
	}
	type group struct {
		says     string
		networks []string
	}
	var groups []group
	for _, f := range each {
		says := t.fastestOn(f)
		i := slices.IndexFunc(groups, func(g group) bool { return g.says == says })
		if i < 0 {
			groups, i = append(groups, group{says: says}), len(groups)
		}
		groups[i].networks = append(groups[i].networks, f.Of)
	}
	var parts []string
	for _, g := range groups {
		parts = append(parts, g.says+" on "+list(g.networks))
	}
	return "Fastest: " + strings.Join(parts, "; ") + "."
}

// fastestOn is what is fastest on one network: "h3", "h2 and h3 (a tie)", "probably h3".
func (t teller) fastestOn(f finding.Figure) string {
	if f.Text == "" {
		return "not known"
	}
	names := []string{f.Text}
	for _, g := range t.Figures.All("tied") {
		if g.Of == f.Of {
			names = append(names, g.Text)
		}
	}
	slices.Sort(names) // those that tie are in no order
	says := list(names) + " (a tie)"
	switch {
	case len(names) == 1:
		says = f.Text
	case len(names) > mostTied+1:
		says = fmt.Sprintf("%d that tie with %s", len(names)-1, f.Text)
	}
	if slices.ContainsFunc(t.Figures.All("untested"), func(g finding.Figure) bool { return g.Of == f.Of }) {
		return "probably " + says
	}
	return says
}

// compromise is what is nowhere far from the fastest.
func compromise(t teller) string {
	worst, _ := t.Figures.Get("worst_ratio")
	return fmt.Sprintf("If it has to be one for all: %s, at most %s× as long as the fastest (%s).", t.Subject.Name, finding.Times(worst.Value.Or(0)), worst.Of)
}

// NetworksCaveats are the caveats that could change what is said first, each once, with the
// networks that it is of where those are not all, and how many others there are.
func NetworksCaveats(n across.Networks) (decisive []string, others int) {
	on := map[string][]string{}
	var texts []string
	for _, f := range n.Each {
		for _, c := range f.Caveats {
			if !c.Decisive {
				others++
				continue
			}
			text := Caveat(c)
			if on[text] == nil {
				texts = append(texts, text)
			}
			on[text] = append(on[text], f.Network.Named())
		}
	}
	for _, text := range texts {
		if len(on[text]) < len(n.Each) {
			text = strings.Join(on[text], ", ") + ": " + text
		}
		decisive = append(decisive, text)
	}
	return decisive, others
}
