package text

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"linger/compare"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// Compare writes the findings for a person: what keep-alive saves and what is fastest, a
// table, where the time goes, the caveats that could change that, and how it was measured.
// All of it fits on a screen unless all that there is is asked for.
func Compare(w io.Writer, f compare.Findings, o Options) error {
	if o.IsWide() {
		return o.buffered(w, func(b *bufio.Writer) { o.everything(b, f) })
	}
	return o.fitting(w, len(densities), func(b *bufio.Writer, version int) { o.first(b, f, densities[version]) })
}

// A density is how much of the first screen there is room for.
type density struct {
	blanks         int  // empty lines between its parts
	caveats        int  // that are told
	withoutTheTime bool // where the time goes is left out
}

// densities are what is shown, the fullest first.
var densities = []density{{4, 2, false}, {3, 2, false}, {2, 1, false}, {1, 1, false}, {0, 1, false}, {2, 1, true}, {0, 1, true}}

// first writes the first screen.
func (o Options) first(b *bufio.Writer, f compare.Findings, r density) {
	// The empty lines that matter most come first.
	blank := func(rank int) {
		if r.blanks >= rank {
			b.WriteString("\n")
		}
	}
	title := report.Title(f)
	if width(title) > o.width() {
		title = strings.Replace(title, ", "+report.NoLoss, "", 1)
	}
	o.write(b, title, "", "", bold)
	blank(4)
	for _, s := range words.Headline(f.Verdict) {
		o.write(b, s, "", "  ", bold)
	}
	blank(1)
	hidden := o.costs(b, f)
	o.asserted(b, f.Asserted)
	if !r.withoutTheTime && len(report.Steps(f)) > 0 {
		blank(2)
		o.steps(b, f)
	}
	blank(3)
	o.firstCaveats(b, f.Caveats, r.caveats)
	how, again := report.Brief(f), ""
	if o.Command != "" {
		again = o.repeat()
	}
	hint := ""
	if hidden && width(again)+width(moreHint) <= o.width() {
		hint = moreHint
	}
	if line := how + again + hint; width(line) <= o.width() {
		b.WriteString(o.paint(line, faint) + "\n")
		return
	}
	o.write(b, how, "", "", faint)
	if again != "" {
		// Not wrapped, so that it can be copied in one piece.
		b.WriteString(o.paint(again[1:]+hint, faint) + "\n")
	}
}

// moreHint stands where columns are hidden.
const moreHint = "  More: --wide"

// repeat is how to run the same again.
func (o Options) repeat() string { return " Repeat: " + table.Clean(o.Command) }

// everything writes all that there is.
func (o Options) everything(b *bufio.Writer, f compare.Findings) {
	o.write(b, report.Title(f), "", "", bold)
	b.WriteString("\n")
	for _, s := range words.Headline(f.Verdict) {
		o.write(b, s, "", "  ", bold)
	}
	b.WriteString("\n")
	o.costs(b, f)
	for _, t := range report.Figures(f)[min(1, len(f.Rows)):] {
		b.WriteString("\n")
		o.table(b, t)
	}
	if len(f.Rows) > 0 {
		o.write(b, report.Legend(f, fastestMark), "", "", faint)
	}
	if len(report.Steps(f)) > 0 {
		b.WriteString("\n")
		o.steps(b, f)
	}
	if facts := words.Verdict(f.Verdict).Facts; len(facts) > 0 {
		b.WriteString("\n")
		for _, fact := range facts {
			o.write(b, fact, "- ", "  ", plain)
		}
	}
	o.asserted(b, f.Asserted)
	o.caveats(b, f.Caveats)
	b.WriteString("\n")
	o.write(b, report.Origin(f, o.Version), "", "", faint)
	if o.Command != "" {
		b.WriteString(o.paint(o.repeat()[1:], faint) + "\n")
	}
}

// fastestMark stands before the fastest strategy.
const fastestMark = "▸"

// barRoom is how many columns are kept for bars where the table has more columns than fit.
const barRoom = 10

// intervalsFrom is the width from which the intervals stand beside what they are of.
const intervalsFrom = 100

// costs writes the table of what each strategy takes, with bars. It reports whether there was
// no room for all of its columns.
func (o Options) costs(b *bufio.Writer, f compare.Findings) (hidden bool) {
	all := report.Figures(f)
	if len(all) == 0 {
		return false
	}
	return o.barred(b, all[0])
}

// barred writes the table of costs, of a comparison that runs, too.
func (o Options) barred(b *bufio.Writer, t table.Table) (hidden bool) {
	cols := columns(t)
	for i := range cols[1:] {
		cols[1+i].head = [2]string{1: cols[1+i].name} // a line for all heads
	}
	for i, row := range t.Rows {
		if row.Best {
			for k := range cols {
				cols[k].styles[i] = green
			}
		}
	}
	kept := barRoom + gap
	if o.width() < 60 {
		kept = 0
	}
	fit := slices.Clone(cols)
	if o.width() < intervalsFrom {
		fit = slices.DeleteFunc(fit, func(c column) bool { return c.spare >= report.SpareIntervals })
	}
	fit = squeeze(fit, o.width()-kept)
	hidden = len(fit) < len(cols)
	o.lines(b, o.withBars(fit, t), t.Rows)
	return hidden
}

// steps writes where the time goes.
func (o Options) steps(b *bufio.Writer, f compare.Findings) {
	list := report.Steps(f)
	clock, unit := report.Times(f)
	at := func(name string) string {
		for _, r := range f.Rows {
			if r.Strategy == name {
				return name + " (" + clock(r).Text + " " + unit + ")"
			}
		}
		return name
	}
	steps := f.Verdict.Steps
	o.write(b, "Where the time is saved: "+at(steps[0].From)+" → "+at(steps[len(steps)-1].To), "", "", bold)
	names, changes := 0, 0
	for _, s := range list {
		names, changes = max(names, width(words.StepName(s.Step))), max(changes, width(s.Shown))
	}
	for _, s := range list {
		why := words.StepWhy(s.Step)
		if !s.Significant && !s.Untested {
			why = s.From + " → " + s.To + ": not significant"
		}
		head := "  " + left(words.StepName(s.Step), names) + "  " + right(s.Shown, changes) + "  "
		o.write(b, why, head, strings.Repeat(" ", width(head)), plain)
	}
}

// firstCaveats writes the caveats that could change the headline, at most so many, and how
// many others there are.
func (o Options) firstCaveats(b *bufio.Writer, list []finding.Caveat, most int) {
	decisive := slices.DeleteFunc(slices.Clone(list), func(c finding.Caveat) bool { return !c.Decisive })
	shown := decisive[:min(most, len(decisive))]
	more := len(list) - len(shown)
	for i, text := range words.Caveats(shown) {
		if i == len(shown)-1 && more > 0 {
			text += " (" + finding.Plural(float64(more), "more caveat") + ": --wide)"
		}
		o.write(b, text, "! ", "  ", yellow)
	}
}
