package text

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"linger/compare/crowd"
	"linger/finding"
	"linger/report/crowds"
	"linger/report/terminal"
	"linger/report/words"
)

// A crowdGlance is how much of a crowd's first screen there is room for: empty lines, findings below the
// table, caveats.
type crowdGlance struct{ blanks, facts, caveats int }

// crowdGlances are what is shown, the fullest first.
var crowdGlances = []crowdGlance{{4, 5, 2}, {4, 3, 2}, {3, 3, 1}, {3, 2, 1}, {2, 2, 1}, {2, 1, 1}, {1, 1, 1}, {0, 1, 1}, {0, 0, 1}}

// Crowd writes what a comparison for many clients comes to: what to do with connections, a table
// of what each strategy takes and holds, and why. It fits on a screen unless all is wanted.
func Crowd(w io.Writer, r *crowd.Result, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) { o.wholeCrowd(b, r) })
	}
	lead, all := crowds.Said(r.Verdict).Lead, crowds.Foremost(r.Verdict)
	return o.Fitting(w, len(crowdGlances), func(b *bufio.Writer, version int) {
		show := crowdGlances[version]
		blank := func(rank int) {
			if show.blanks >= rank {
				b.WriteString("\n")
			}
		}
		o.Write(b, crowds.Title(r), "", "", terminal.Plain)
		blank(1)
		o.Write(b, lead, "", "  ", terminal.Bold)
		blank(2)
		o.crowdTable(b, r)
		o.asserted(b, r.Asserted)
		if facts := all[:min(show.facts, len(all))]; len(facts) > 0 {
			blank(3)
			for _, fact := range facts {
				o.Write(b, fact, "- ", "  ", terminal.Plain)
			}
		}
		blank(4)
		decisive := slices.DeleteFunc(slices.Clone(r.Caveats), func(c finding.Caveat) bool { return !c.Decisive })
		o.firstCaveats(b, words.Caveats(decisive), len(r.Caveats)-len(decisive), show.caveats)
		o.foot(b, crowds.Brief(r), moreHint)
	})
}

// crowdTable writes the table of the first screen.
func (o Options) crowdTable(b *bufio.Writer, r *crowd.Result) {
	if len(r.Rows) > 0 {
		o.Table(b, crowds.First(r))
	}
}

// wholeCrowd writes all that there is.
func (o Options) wholeCrowd(b *bufio.Writer, r *crowd.Result) {
	said := crowds.Said(r.Verdict)
	o.Write(b, crowds.Title(r), "", "", terminal.Plain)
	b.WriteString("\n")
	o.Write(b, said.Lead, "", "  ", terminal.Bold)
	b.WriteString("\n")
	o.crowdTable(b, r)
	if len(said.Facts) > 0 {
		b.WriteString("\n")
	}
	for _, fact := range said.Facts {
		o.Write(b, fact, "- ", "  ", terminal.Plain)
	}
	for _, t := range crowds.All(r) {
		b.WriteString("\n" + o.Paint(t.Caption, terminal.Bold) + "\n")
		o.Table(b, t)
	}
	if len(r.Rows) > 0 {
		b.WriteString("\n")
		o.Write(b, crowds.Legend(r), "", "", terminal.Faint)
	}
	o.asserted(b, r.Asserted)
	o.caveats(b, r.Caveats)
	b.WriteString("\n")
	o.Write(b, crowds.Origin(r, o.Version), "", "", terminal.Faint)
	if len(o.Limits) > 0 && r.Experiment.Provenance != "measured" {
		var names []string
		for _, l := range o.Limits {
			names = append(names, strings.TrimSuffix(l.What, "."))
		}
		o.Write(b, "Not modelled: "+strings.Join(names, "; ")+" (docs/simulator.md).", "", "", terminal.Faint)
	}
	o.repeat(b, "")
}
