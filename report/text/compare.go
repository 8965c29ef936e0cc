package text

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"linger/compare"
	"linger/compare/difference"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/words"
)

// Compare writes the findings for a person: what keep-alive saves and what is fastest, a
// table, where the time goes, the caveats that could change that, and how it was measured.
// All of it fits on a screen unless all that there is is asked for.
func Compare(w io.Writer, f compare.Findings, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) { o.everything(b, f) })
	}
	return o.Fitting(w, len(densities), func(b *bufio.Writer, version int) { o.first(b, f, densities[version]) })
}

// first writes the first screen.
func (o Options) first(b *bufio.Writer, f compare.Findings, r density) {
	// The empty lines that matter most come first.
	blank := func(rank int) {
		if r.blanks >= rank {
			b.WriteString("\n")
		}
	}
	title := report.Title(f)
	if terminal.Width(title) > o.Columns() {
		title = strings.Replace(title, ", "+report.NoLoss, "", 1)
	}
	o.Write(b, title, "", "", terminal.Bold)
	blank(4)
	for _, s := range words.Headline(f.Verdict) {
		o.Write(b, s, "", "  ", terminal.Bold)
	}
	blank(1)
	hidden := o.costs(b, f)
	o.asserted(b, f.Asserted)
	if !r.withoutTheTime && len(report.Steps(f)) > 0 {
		blank(2)
		o.steps(b, f)
	}
	blank(3)
	decisive := slices.DeleteFunc(slices.Clone(f.Caveats), func(c finding.Caveat) bool { return !c.Decisive })
	o.firstCaveats(b, words.Caveats(decisive), len(f.Caveats)-len(decisive), r.caveats)
	hint := ""
	if hidden {
		hint = moreHint
	}
	o.foot(b, report.Brief(f), hint)
}

// everything writes all that there is.
func (o Options) everything(b *bufio.Writer, f compare.Findings) {
	o.Write(b, report.Title(f), "", "", terminal.Bold)
	b.WriteString("\n")
	for _, s := range words.Headline(f.Verdict) {
		o.Write(b, s, "", "  ", terminal.Bold)
	}
	b.WriteString("\n")
	o.costs(b, f)
	for _, t := range report.Figures(f)[min(1, len(f.Rows)):] {
		b.WriteString("\n")
		o.Table(b, t)
	}
	if len(f.Rows) > 0 {
		o.Write(b, report.Legend(f, terminal.BestMark), "", "", terminal.Faint)
	}
	if len(report.Steps(f)) > 0 {
		b.WriteString("\n")
		o.steps(b, f)
	}
	if facts := words.Verdict(f.Verdict).Facts; len(facts) > 0 {
		b.WriteString("\n")
		for _, fact := range facts {
			o.Write(b, fact, "- ", "  ", terminal.Plain)
		}
	}
	o.asserted(b, f.Asserted)
	o.caveats(b, f.Caveats)
	b.WriteString("\n")
	o.Write(b, report.Origin(f, o.Version), "", "", terminal.Faint)
	o.repeat(b, "")
}

// intervalsFrom is the width from which the intervals stand beside what they are of.
const intervalsFrom = 100

// barred writes a table of costs with bars, of a comparison that runs, too. It reports whether
// there was no room for all of its columns.
func (o Options) barred(b *bufio.Writer, t table.Table) (hidden bool) {
	shown := t
	if o.Columns() < intervalsFrom {
		shown = t.WithoutColumns(func(c table.Column) bool { return c.Spare >= report.SpareIntervals })
	}
	return o.Bars(b, shown) || len(shown.Columns) < len(t.Columns)
}

// costs writes the table of what each strategy takes, with bars. It reports whether there was
// no room for all of its columns.
func (o Options) costs(b *bufio.Writer, f compare.Findings) (hidden bool) {
	all := report.Figures(f)
	if len(all) == 0 {
		return false
	}
	return o.barred(b, all[0])
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
	o.Write(b, "Where the time is saved: "+at(steps[0].From)+" → "+at(steps[len(steps)-1].To), "", "", terminal.Bold)
	names, changes := 0, 0
	for _, s := range list {
		names, changes = max(names, terminal.Width(words.StepName(s.Step))), max(changes, terminal.Width(s.Shown))
	}
	for _, s := range list {
		why := words.StepWhy(s.Step)
		if !s.Significant && !s.Untested {
			why = s.From + " → " + s.To + ": not significant"
		}
		head := "  " + terminal.Left(words.StepName(s.Step), names) + "  " + terminal.Right(s.Shown, changes) + "  "
		o.Write(b, why, head, strings.Repeat(" ", terminal.Width(head)), terminal.Plain)
	}
}

// Difference writes what has changed from one result to another.
func Difference(w io.Writer, d difference.Change, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		f := compare.Findings{Workload: d.Workload, Network: d.Network}
		o.Write(b, report.Title(f), "", "", terminal.Bold)
		for _, text := range words.Change(d) {
			o.Write(b, text, "- ", "  ", terminal.Plain)
		}
		b.WriteString("\n")
		o.Table(b, report.Changes(d))
		b.WriteString(o.Paint("~ may be noise; empty: as before", terminal.Faint) + "\n")
		o.caveats(b, d.Caveats)
	})
}

// Gaps writes how far each prediction is from the measurement.
func Gaps(w io.Writer, measured, predicted compare.Findings, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		o.Write(b, "Predicted against measured", "", "", terminal.Bold)
		o.Table(b, report.Gaps(measured, predicted).Only(0, 3, 4, 5, 6, 7)) // the times stand above
	})
}
