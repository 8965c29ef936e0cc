package text

import (
	"bufio"
	"fmt"
	"io"

	"linger"
	"linger/assert"
	"linger/profile"
	"linger/report"
	"linger/report/terminal"
)

// lists are how many servers, and how many lines of each list below them, are shown: tried
// until one fits on a screen.
var lists = []struct{ servers, lines int }{{20, 9}, {16, 4}, {12, 3}, {9, 2}, {7, 1}}

// Survey writes a row for each server of a list, what violates a standard where, and what
// could not be probed. It fits on a screen, unless all is wanted.
func Survey(w io.Writer, s []profile.Probed, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) { o.survey(b, s, len(s), len(s)*1000) })
	}
	return o.Fitting(w, len(lists), func(b *bufio.Writer, i int) { o.survey(b, s, lists[i].servers, lists[i].lines) })
}

func (o Options) survey(b *bufio.Writer, s []profile.Probed, servers, most int) {
	o.Write(b, report.SurveyTitle(s), "", "", terminal.Bold)
	b.WriteString("\n")
	o.Table(b, report.Servers(s, servers))
	o.surveyList(b, "Standards violations", most, func(put func(...string)) {
		for _, p := range s {
			if p.Profile == nil {
				continue
			}
			for _, r := range p.Profile.Cases {
				if r.Outcome == profile.Fail {
					put(report.ShortTarget(p.Target)+": "+caseLine(r), report.Sentence(r.Text))
				}
			}
		}
	})
	o.surveyList(b, "Assertions that failed", most, func(put func(...string)) {
		for _, p := range s {
			if p.Profile == nil {
				continue
			}
			for _, a := range p.Profile.Asserted {
				if a.Truth != assert.Holds {
					put(report.ShortTarget(p.Target)+": "+a.Text, report.BrokenBy(a))
				}
			}
		}
	})
	o.surveyList(b, "Not probed", most, func(put func(...string)) {
		for _, p := range s {
			if p.Failed != "" {
				put(fmt.Sprintf("line %d, %s: %s", p.Line, p.Target, p.Failed))
			}
		}
	})
}

// surveyList writes a title and what each puts below it, at most so many.
func (o Options) surveyList(b *bufio.Writer, title string, most int, each func(put func(texts ...string))) {
	n := 0
	each(func(texts ...string) {
		if n++; n > most {
			return
		}
		if n == 1 {
			b.WriteString("\n" + title + "\n")
		}
		o.Write(b, texts[0], "  ! ", "    ", terminal.Plain)
		for _, text := range texts[1:] {
			o.Write(b, text, "    ", "    ", terminal.Plain)
		}
	})
	if more := n - most; more > 0 {
		b.WriteString(o.Paint("    "+linger.Plural(more, "line")+" more (--wide)", terminal.Faint) + "\n")
	}
}
