// Package words makes sentences of findings and caveats: what an analysis found is
// said here and nowhere else, so that text, page, JSON and whatever else is written
// cannot disagree. Each code has a function that makes its sentence of the figures; a
// code without one is written as the data that it is. Nothing is laid out here.
package words

import (
	"cmp"
	"strings"

	"linger/compare"
	"linger/compare/across"
	"linger/compare/crowdsweep"
	"linger/compare/difference"
	"linger/compare/sweep"
	"linger/finding"
)

// A Text is what there is to say: a first paragraph, and then one thing after another.
type Text struct {
	Lead  string
	Facts []string
}

// String returns the text in one piece: the paragraph and, below an empty line, what
// else there is, each on a line that begins with "- ".
func (t Text) String() string {
	if len(t.Facts) == 0 {
		return t.Lead
	}
	return t.Lead + "\n\n- " + strings.Join(t.Facts, "\n- ")
}

// A teller is a finding on its way to a sentence.
type teller struct {
	finding.Finding
	// cautioned is the number of trials after which, as was said before, chance cannot be
	// ruled out in anything; 0 where nothing was.
	cautioned float64
}

// A table has the sentences by code. It is made where it is needed, so that whoever
// needs none, as the predictor of a page, is built without them.
type table map[string]func(teller) string

// leads are the sentences of a text's first paragraph, which stand one behind the other.
func leads() table {
	return table{
		compare.NothingDelivered: func(teller) string {
			return "No strategy delivered the workload in most of its trials, so there is nothing to compare."
		},
		compare.NoLoadTime: func(teller) string { return "No trial had an answer to every query, so that the load has no time." },
		compare.FixedTimes: func(teller) string {
			return "When each query is asked is fixed, so that all of them take as long with any strategy."
		},
		compare.QueryTimes:   queryTimes,
		compare.Unopposed:    unopposed,
		compare.KeepAlive:    keepAlive,
		compare.Fastest:      fastest,
		compare.NoDifference: noDifference,
		compare.NoWinner:     noWinner,
		compare.LostTrials:   lostTrials,
		compare.Took:         tookOnce,

		across.KeepAliveAcross: keepAliveAcross,
		across.FastestAcross:   fastestAcross,
		across.Compromise:      compromise,

		sweep.NothingPredicted: func(teller) string { return "Nothing was predicted." },
		sweep.NoneDelivered:    noneDelivered,
		sweep.FastestOn:        fastestOn,
		sweep.KeepAliveOn:      keepAliveOn,
		sweep.KeepingUntold: func(teller) string {
			return "What keeping saves is not known: it takes a persistent and a non-persistent strategy on one path."
		},
		sweep.KeepingSavesOn: keepingSavesOn,

		crowdsweep.NoCrowd:    func(teller) string { return "No crowd was predicted." },
		crowdsweep.ServesBest: servesBest,
	}
}

// facts are those that stand for themselves.
func facts() table {
	return table{
		compare.HandshakeTime:     handshakeTime,
		compare.HandshakeWait:     handshakeWait,
		compare.ConnectionCPU:     connectionCPU,
		compare.KeptSame:          keptSame,
		compare.KeptCosts:         keptCosts,
		compare.KeptSaves:         keptSaves,
		compare.ManySame:          manySame,
		compare.ManyCosts:         manyCosts,
		compare.ManySaves:         manySaves,
		compare.MoreCosts:         moreCosts,
		compare.Why:               why,
		compare.Serialized:        serialized,
		compare.OptionSaves:       optionSaves,
		compare.OptionCosts:       optionCosts,
		compare.OptionSame:        optionSame,
		compare.OptionUndecided:   optionUndecided,
		compare.VersionFaster:     versionFaster,
		compare.VersionSlower:     versionSlower,
		compare.VersionSame:       versionSame,
		compare.LossFaster:        lossFaster,
		compare.LossSlower:        lossSlower,
		compare.LossSame:          lossSame,
		compare.LossUndecided:     lossUndecided,
		compare.FewestConnections: fewestConnections,

		compare.FurtherQuery:    furtherQuery,
		compare.Encryption:      encryption,
		compare.FewerBytes:      fewerBytes,
		compare.NeverFewerBytes: neverFewerBytes,
		compare.AskedAgain:      askedAgain,
		compare.Truncated:       truncated,
		compare.OneAtATime:      oneAtATime,
		compare.IdleLimit:       idleLimit,

		sweep.NearFastestOn:  nearFastestOn,
		sweep.MostSaved:      mostSaved,
		sweep.NoneSame:       noneSame,
		sweep.SameOn:         sameOn,
		sweep.BorderAt:       borderAt,
		sweep.KeepingCostsOn: keepingCostsOn,
		sweep.NoiseOn:        luckOn,
		sweep.UnknownOn:      unknownOn,
		sweep.MoreReasons:    moreReasons,
		sweep.Uncovered:      uncovered,
		sweep.Stopped:        stopped,

		crowdsweep.OneTimeout:     oneTimeout,
		crowdsweep.WorstOf:        worstChoice,
		crowdsweep.HeldBy:         heldBy,
		crowdsweep.Saturated:      saturated,
		crowdsweep.TuneAgrees:     tuneAgrees,
		crowdsweep.NoneServes:     noneServes,
		crowdsweep.BeyondBudget:   beyondBudget,
		crowdsweep.StoppedAtCrowd: stoppedAt,

		difference.TimeChanged:   timeChanged,
		difference.FailedChanged: failedChanged,
	}
}

// Finding is one finding as a sentence.
func Finding(f finding.Finding) string {
	t := teller{Finding: f}
	if say, ok := leads()[f.Code]; ok {
		return say(t)
	}
	if say, ok := ofCrowds()[f.Code]; ok {
		return say(t)
	}
	return facts().say(t)
}

// say makes a sentence of a finding, or what stands for one where its code has none.
func (t table) say(f teller) string {
	if say, ok := t[f.Code]; ok {
		return say(f)
	}
	return asData(f.Code, f.Cause, f.Subject, f.Figures) + "."
}

// Verdict is what a comparison found.
func Verdict(v compare.Verdict) Text { return text(v.Findings) }

// Headline is the sentences of the first paragraph of a verdict, each by itself.
func Headline(v compare.Verdict) []string {
	var out []string
	leads := leads()
	for _, f := range v.Findings {
		if say, ok := leads[f.Code]; ok {
			out = append(out, say(teller{Finding: f}))
		}
	}
	return out
}

// Survey is what a sweep found.
func Survey(v sweep.Survey) Text { return text(v.Findings) }

// text puts findings together: those of the lead, which stand first, in a paragraph.
func text(findings []finding.Finding) Text {
	var out Text
	leads, facts := leads(), facts()
	cautioned := 0.0
	for _, f := range findings {
		t := teller{f, cautioned}
		if _, few := f.Figures.Get("enough"); few {
			cautioned = f.Figures.Value("trials").Or(0)
		}
		switch _, lead := leads[f.Code]; {
		case !lead:
			out.Facts = append(out.Facts, facts.say(t))
		case out.Lead == "":
			out.Lead = leads.say(t)
		default:
			out.Lead += " " + leads.say(t)
		}
	}
	return out
}

// asData is what has no sentence: the code with what belongs to it.
func asData(code, cause string, s finding.Subject, figures finding.Figures) string {
	parts := []string{code}
	if cause != "" {
		parts[0] += " (" + cause + ")"
	}
	if s.Name != "" {
		parts = append(parts, strings.TrimSpace(s.Kind+" "+s.Name))
	}
	for _, f := range figures {
		name := f.Name
		if f.Of != "" {
			name += " of " + f.Of
		}
		value := f.Text
		if v, ok := f.Value.Get(); ok {
			value = strings.Join(strings.Fields(finding.Setting(v)+" "+f.Unit+" "+f.Text), " ")
		}
		parts = append(parts, name+" "+cmp.Or(value, "not known"))
	}
	return strings.Join(parts, ", ")
}

// whole writes a count, which has no fraction.
func whole(v float64) string { return finding.Fixed(v, 0) }

// nth is a figure, without a value where there are not so many.
func nth(f finding.Figures, i int) finding.Figure {
	if i >= len(f) {
		return finding.Figure{}
	}
	return f[i]
}

// list joins names: "a", "a and b", "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// verb is the singular of it for one.
func verb(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
