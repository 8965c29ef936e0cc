package words

import (
	"fmt"

	"linger"
	"linger/compare/difference"
	"linger/finding"
)

// steady are what is to be said of strategies whose times have not changed, or of which
// that is not known: of one strategy, and of several.
func steady() map[string]struct{ one, more string } {
	return map[string]struct{ one, more string }{
		difference.TimeLate:    {"has changed by no more than the emulator's delay jitter in one of the two can explain: the machine was busy", "have changed by no more than the emulator's delay jitter in one of the two can explain: the machine was busy"},
		difference.TimeSteady:  {"has not changed beyond noise", "have not changed beyond noise"},
		difference.TimeUntold:  {"has too few trials to tell a change from noise", "have too few trials to tell a change from noise"},
		difference.TimeMissing: {"has no time in one of the two", "have no time in one of the two"},
		difference.RowGone:     {"is no longer there", "are no longer there"},
		difference.RowNew:      {"is new", "are new"},
	}
}

// Change is what has changed from one result to another, a sentence each; strategies of
// which the same is to be said share one.
func Change(d difference.Change) []string {
	var out []string
	steady := steady()
	for i := 0; i < len(d.Findings); {
		f := d.Findings[i]
		i++
		say, ok := steady[f.Code]
		if !ok {
			out = append(out, Finding(f))
			continue
		}
		names := []string{f.Subject.Name}
		for ; i < len(d.Findings) && d.Findings[i].Code == f.Code; i++ {
			names = append(names, d.Findings[i].Subject.Name)
		}
		out = append(out, list(names)+" "+verb(len(names), say.one, say.more)+".")
	}
	return out
}

func timeChanged(t teller) string {
	before, after := t.times()
	word := "slower"
	if after.Value.Or(0) < before.Value.Or(0) && !after.Value.IsZero() || before.Value.IsZero() {
		word = "faster"
	}
	if before.Value.IsZero() || after.Value.IsZero() {
		return fmt.Sprintf("%s is %s than before: %s, not %s.", t.Subject.Name, word, took(after), took(before))
	}
	a, b := inStepsOf(after, before)
	return fmt.Sprintf("%s is %s%s %s than before: %s, not %s.", t.Subject.Name, apart(after, before), share(after, before), word, a, b)
}

func failedChanged(t teller) string {
	all := t.Figures.All("failed")
	noise := ""
	if t.Severity == finding.Unknown {
		noise = ", which may be noise"
	}
	return fmt.Sprintf("%s of %s failed before, and %s after%s.", finding.Plural(nth(all, 0).Value.Or(0), "trial"), t.Subject.Name, whole(nth(all, 1).Value.Or(0)), noise)
}

func fewOfBoth(d caveat) string {
	before, after := d.both("trials")
	return fmt.Sprintf("%s before and %s after can never show a significant change; use --trials %s or more for both", finding.Plural(before.Value.Or(0), "trial"), whole(after.Value.Or(0)), d.n("enough"))
}

// both is a figure before and after.
func (d caveat) both(name string) (before, after finding.Figure) {
	all := d.Figures.All(name)
	return nth(all, 0), nth(all, 1)
}

// of are the figures of one of the two results.
func (d caveat) of(whose string) caveat {
	out := d
	out.Figures = nil
	for _, f := range d.Figures {
		if f.Of == whose {
			out.Figures = append(out.Figures, f)
		}
	}
	return out
}

func otherEngine(d caveat) string {
	made := func(d caveat) string {
		if d.text("provenance") == "" {
			return "nothing"
		}
		return fmt.Sprintf("%s (engine: %s)", d.text("provenance"), d.text("engine"))
	}
	return fmt.Sprintf("the earlier result was %s, the later one %s: part of the difference comes from that", made(d.of(difference.Before)), made(d.of(difference.After)))
}

func otherWorkload(d caveat) string {
	before, after := d.both("workload")
	return fmt.Sprintf("the workloads differ: %s before, %s after", before.Text, after.Text)
}

func otherContent(d caveat) string {
	content := func(d caveat) string {
		return fmt.Sprintf("%s of %s bytes by %s", d.many("exchanges", "request"), d.n("bytes"), d.text("scheme"))
	}
	return fmt.Sprintf("the workloads differ: %s had %s, and has %s", d.text("workload"), content(d.of(difference.Before)), content(d.of(difference.After)))
}

func otherNetwork(d caveat) string {
	// A path is named by what tells it from another of the same name.
	path := func(d caveat) string {
		s := d.text("network")
		if v, ok := d.Figures.Value("rtt").Get(); ok {
			rate := func(name string) string {
				return linger.Rate(d.Figures.Value(name).Or(0) * float64(linger.Kbps)).String()
			}
			s += fmt.Sprintf(" (%g ms, %s down, %s up, %g %% loss)", v, rate("down"), rate("up"), 100*d.Figures.Value("loss").Or(0))
		}
		return s
	}
	return fmt.Sprintf("the networks differ: %s before, %s after", path(d.of(difference.Before)), path(d.of(difference.After)))
}

func otherSeed(d caveat) string {
	before, after := d.both("seed")
	return fmt.Sprintf("the seeds differ: %s before, %s after; sizes and losses may differ, too", before.Text, after.Text)
}

func otherTrials(d caveat) string {
	before, after := d.both("trials")
	return fmt.Sprintf("the trials of each strategy were %s before and %s after", whole(before.Value.Or(0)), whole(after.Value.Or(0)))
}
