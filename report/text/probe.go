package text

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/profile"
	"linger/report"
	"linger/report/table"
	"linger/report/terminal"
)

// A glimpse is how much of a probe is shown: so many findings, so many lines below each,
// the limits of so many protocols, and so many caveats.
type glimpse struct{ findings, lines, protocols, caveats int }

// glimpses are tried until one fits on a screen.
var glimpses = []glimpse{{99, 3, 9, 9}, {99, 1, 9, 9}, {6, 1, 9, 2}, {4, 1, 9, 1}, {3, 1, 2, 1}, {3, 1, 1, 1}, {4, 1, 1, 0}, {3, 1, 1, 0}, {2, 1, 1, 0}}

// Probe writes what a server was seen to do with connections: the answer, what fails, and
// its limits, observed beside announced. It fits on a screen, unless all is wanted; verbose
// lists the cases that pass too.
func Probe(w io.Writer, p *profile.Profile, verbose bool, o Options) error {
	if o.IsWide() || verbose {
		return o.Buffered(w, func(b *bufio.Writer) {
			o.probe(b, p, glimpse{len(p.Cases) + len(p.Asserted), 3, len(p.Protocols), len(p.Caveats)})
			o.probeDetails(b, p, verbose)
			more := []string{"-o report.html"}
			if !verbose {
				more = append([]string{"-v (every case)"}, more...)
			}
			o.probeEnd(b, p, more)
		})
	}
	return o.Fitting(w, len(glimpses), func(b *bufio.Writer, i int) {
		o.probe(b, p, glimpses[i])
		o.probeEnd(b, p, []string{"--wide (" + strings.Join(beyond(p, glimpses[i]), ", ") + ")", "-v (every case)", "-o report.html"})
	})
}

// probe writes the answer, what fails, the limits and the caveats.
func (o Options) probe(b *bufio.Writer, p *profile.Profile, show glimpse) {
	o.Write(b, report.ProbeTitle(p), "", "", terminal.Bold)
	o.Write(b, report.ProbeLead(p), "", "", terminal.Plain)
	o.probeFailures(b, p, show)
	o.probeLimits(b, p, show)
	o.caveats(b, p.Caveats[:min(show.caveats, len(p.Caveats))])
}

// probeFailures lists the assertions that do not hold, then the cases that fail, then
// those that warn.
func (o Options) probeFailures(b *bufio.Writer, p *profile.Profile, show glimpse) {
	shown := 0
	put := func(t tag, line string, texts ...string) {
		if shown >= show.findings {
			return
		}
		if shown++; shown == 1 {
			b.WriteString("\n")
		}
		o.finding(b, t, line, texts[:min(show.lines, len(texts))]...)
	}
	for _, a := range p.Asserted {
		if a.Truth != assert.Holds {
			put(truthWord[a.Truth], a.Text, report.BrokenBy(a))
		}
	}
	for _, outcome := range []profile.Outcome{profile.Fail, profile.Warn} {
		for _, r := range p.Cases {
			if r.Outcome == outcome {
				put(outcomeWord[outcome], caseLine(r), caseTexts(r)...)
			}
		}
	}
}

// caseLine names a case.
func caseLine(r profile.Result) string { return report.Standard(r.Case) + ": " + r.ID }

// caseTexts are what is to be said of a case that fails or warns: what was observed, what
// the standard wants, and how to see the same elsewhere.
func caseTexts(r profile.Result) []string {
	texts := []string{report.Sentence(r.Text), "Expected: it " + r.Title + "."}
	if r.Misbehaviour != "" {
		texts = append(texts, "To reproduce: linger serve --misbehave "+r.Misbehaviour)
	}
	return texts
}

// asserted lists what became of assertions.
func (o Options) asserted(b *bufio.Writer, results []assert.Result) {
	if len(results) > 0 {
		b.WriteString("\nAssertions\n")
	}
	for _, a := range results {
		o.finding(b, truthWord[a.Truth], a.Text, report.BrokenBy(a))
	}
}

// Asserted writes what became of assertions, where nothing else of the text does.
func Asserted(w io.Writer, results []assert.Result, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) { o.asserted(b, results) })
}

// Caveats writes caveats where nothing else of the text does.
func Caveats(w io.Writer, list []finding.Caveat, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) { o.caveats(b, list) })
}

// probeLimits writes the figures of the first so many protocols.
func (o Options) probeLimits(b *bufio.Writer, p *profile.Profile, show glimpse) {
	limits, differs := report.IdleLimits(p)
	protocols := 0
	for i, r := range limits.Rows {
		if r.Group != "" {
			protocols++
		}
		if protocols > show.protocols {
			limits.Rows = limits.Rows[:i]
			break
		}
	}
	if len(limits.Rows) == 0 {
		return
	}
	b.WriteString("\n")
	o.Table(b, limits.Without(1, table.Nothing))
	if differs && show.caveats > 0 {
		b.WriteString(o.Paint("! differs from what was observed", terminal.Faint) + "\n")
	}
}

// probeDetails is what does not fit on a screen.
func (o Options) probeDetails(b *bufio.Writer, p *profile.Profile, verbose bool) {
	unseen := report.Missing(p)
	if len(unseen) > 0 {
		b.WriteString("\nNot measured\n")
	}
	for _, m := range unseen {
		o.Write(b, m, "  ", "    ", terminal.Plain)
	}
	o.probeSurvivals(b, p)
	o.probeFacts(b, p)
	o.asserted(b, slices.DeleteFunc(slices.Clone(p.Asserted), func(a assert.Result) bool { return a.Truth != assert.Holds }))
	if verbose {
		o.probeCases(b, p)
	}
}

// beyond names what a glimpse leaves out.
func beyond(p *profile.Profile, show glimpse) (names []string) {
	n := p.Outcomes()
	failed := n[profile.Fail] + n[profile.Warn]
	for _, a := range p.Asserted {
		if a.Truth != assert.Holds {
			failed++
		}
	}
	if more := failed - show.findings; more > 0 {
		names = append(names, linger.Plural(more, "finding"))
	}
	seen := 0
	for _, q := range p.Protocols {
		if len(report.LimitRows(q)) == 0 {
			continue
		}
		if seen++; seen > show.protocols {
			names = append(names, q.Name.Title())
		}
	}
	if more := len(p.Caveats) - show.caveats; more > 0 {
		names = append(names, linger.Plural(more, "caveat"))
	}
	return append(names, "TLS")
}

// probeEnd says how it was measured and what else there is.
func (o Options) probeEnd(b *bufio.Writer, p *profile.Profile, more []string) {
	b.WriteString("\n")
	o.Write(b, report.ProbeOrigin(p, o.Version)+" More: "+strings.Join(more, ", "), "", "", terminal.Faint)
}

// probeSurvivals says in a line each what a connection survives, and what it does not.
func (o Options) probeSurvivals(b *bufio.Writer, p *profile.Profile) {
	var kept, closed, unknown []string
	for _, s := range p.Survives {
		switch {
		case s.State == profile.Unknown:
			unknown = append(unknown, s.What)
		case s.Kept:
			kept = append(kept, s.What)
		case s.Said != "":
			closed = append(closed, fmt.Sprintf("%s (said %s)", s.What, s.Said))
		default:
			closed = append(closed, s.What)
		}
	}
	if len(p.Survives) > 0 {
		b.WriteString("\nAn HTTP/1.1 connection\n")
	}
	for _, one := range []struct {
		name string
		what []string
	}{{"stays open after", kept}, {"is closed after", closed}, {"not measured", unknown}} {
		if len(one.what) > 0 {
			o.Write(b, strings.Join(one.what, ", "), terminal.Left("  "+one.name, 20), terminal.Left("", 20), terminal.Plain)
		}
	}
}

// probeFacts lists the figures that are no limits of time.
func (o Options) probeFacts(b *bufio.Writer, p *profile.Profile) {
	facts := report.ServerFacts(p)
	if len(facts) == 0 {
		return
	}
	b.WriteString("\n")
	room := 0
	for _, f := range facts {
		room = max(room, terminal.Width(f[0]))
	}
	for _, f := range facts {
		first := o.Paint(f[0], terminal.Faint) + strings.Repeat(" ", room+terminal.Gap-terminal.Width(f[0]))
		lines := terminal.Wrap(f[1], o.Columns(), terminal.Left("", room+terminal.Gap), terminal.Left("", room+terminal.Gap))
		b.WriteString(first + strings.TrimLeft(lines[0], " ") + "\n")
		for _, line := range lines[1:] {
			b.WriteString(line + "\n")
		}
	}
}

// A word stands before a finding, in a colour that says the same.
type tag struct {
	text  string
	style terminal.Style
}

var (
	outcomeWord = map[profile.Outcome]tag{
		profile.Fail: {"FAIL", terminal.Red}, profile.Warn: {"WARN", terminal.Yellow}, profile.Pass: {"pass", terminal.Green}, profile.NotMeasured: {"-", terminal.Faint},
	}
	truthWord = map[assert.Truth]tag{assert.Holds: {"pass", terminal.Green}, assert.Broken: {"FAIL", terminal.Red}, assert.NotKnown: {"FAIL", terminal.Red}}
)

// tagRoom is for the longest tag, and what stands around it.
const tagRoom = 6

// finding writes a tag, a line beside it, and texts below that.
func (o Options) finding(b *bufio.Writer, t tag, line string, texts ...string) {
	indent := terminal.Left("", tagRoom+2)
	for i, l := range terminal.Wrap(line, o.Columns(), indent, indent) {
		if i == 0 {
			l = "  " + o.Paint(t.text, t.style) + strings.Repeat(" ", tagRoom-terminal.Width(t.text)) + l[len(indent):]
		}
		b.WriteString(l + "\n")
	}
	for _, text := range texts {
		if text != "" {
			o.Write(b, text, indent, indent, terminal.Plain)
		}
	}
}

// probeCases lists the cases that are kept, and those that were not measured.
func (o Options) probeCases(b *bufio.Writer, p *profile.Profile) {
	for _, t := range []struct {
		outcome profile.Outcome
		title   string
		text    func(profile.Result) string
	}{
		{profile.NotMeasured, "Cases not measured", func(r profile.Result) string { return r.Text }},
		{profile.Pass, "Cases passed", func(r profile.Result) string { return r.Title }},
	} {
		first := true
		for _, r := range p.Cases {
			if r.Outcome != t.outcome {
				continue
			}
			if first {
				b.WriteString("\n" + t.title + "\n")
				first = false
			}
			o.finding(b, outcomeWord[r.Outcome], caseLine(r), report.Sentence(t.text(r)))
		}
	}
}

// Cases writes the list of cases.
func Cases(w io.Writer, cases []profile.Case, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		var protocol linger.Protocol
		room := 0
		for _, c := range cases {
			room = max(room, terminal.Width(c.ID))
		}
		for _, c := range cases {
			if c.Protocol != protocol {
				if protocol != "" {
					b.WriteString("\n")
				}
				protocol = c.Protocol
				b.WriteString(o.Paint(protocol.Title(), terminal.Bold) + "\n")
			}
			first, indent := terminal.Left("  "+c.ID, room+terminal.Gap+2)+terminal.Left(string(c.Level), 6+terminal.Gap), terminal.Left("", room+terminal.Gap+2+6+terminal.Gap)
			o.Write(b, c.Standard, first, indent, terminal.Plain)
			o.Write(b, c.Title, terminal.Left("", room+terminal.Gap+2), terminal.Left("", room+terminal.Gap+2), terminal.Faint)
		}
	})
}
