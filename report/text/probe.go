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
		return o.buffered(w, func(b *bufio.Writer) {
			o.probe(b, p, glimpse{len(p.Cases) + len(p.Asserted), 3, len(p.Protocols), len(p.Caveats)})
			o.probeDetails(b, p, verbose)
			more := []string{"-o report.html"}
			if !verbose {
				more = append([]string{"-v (every case)"}, more...)
			}
			o.probeEnd(b, p, more)
		})
	}
	return o.fitting(w, len(glimpses), func(b *bufio.Writer, i int) {
		o.probe(b, p, glimpses[i])
		o.probeEnd(b, p, []string{"--wide (" + strings.Join(beyond(p, glimpses[i]), ", ") + ")", "-v (every case)", "-o report.html"})
	})
}

// probe writes the answer, what fails, the limits and the caveats.
func (o Options) probe(b *bufio.Writer, p *profile.Profile, show glimpse) {
	o.write(b, report.ProbeTitle(p), "", "", bold)
	o.write(b, report.ProbeLead(p), "", "", plain)
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
	return o.buffered(w, func(b *bufio.Writer) { o.asserted(b, results) })
}

// Caveats writes what there is to doubt, where nothing else of the text does.
func Caveats(w io.Writer, list []finding.Caveat, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) { o.caveats(b, list) })
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
	o.table(b, limits.Without(1, table.Nothing))
	if differs && show.caveats > 0 {
		b.WriteString(o.paint("! differs from what was observed", faint) + "\n")
	}
}

// probeDetails is what does not fit on a screen.
func (o Options) probeDetails(b *bufio.Writer, p *profile.Profile, verbose bool) {
	unseen := report.Missing(p)
	if len(unseen) > 0 {
		b.WriteString("\nNot measured\n")
	}
	for _, m := range unseen {
		o.write(b, m, "  ", "    ", plain)
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
			names = append(names, report.ProtocolName(q.Name))
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
	o.write(b, report.ProbeOrigin(p, o.Version)+" More: "+strings.Join(more, ", "), "", "", faint)
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
			o.write(b, strings.Join(one.what, ", "), left("  "+one.name, 20), left("", 20), plain)
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
		room = max(room, width(f[0]))
	}
	for _, f := range facts {
		first := o.paint(f[0], faint) + strings.Repeat(" ", room+gap-width(f[0]))
		lines := wrap(f[1], o.width(), left("", room+gap), left("", room+gap))
		b.WriteString(first + strings.TrimLeft(lines[0], " ") + "\n")
		for _, line := range lines[1:] {
			b.WriteString(line + "\n")
		}
	}
}

// A word stands before a finding, in a colour that says the same.
type tag struct {
	text  string
	style style
}

var (
	outcomeWord = map[profile.Outcome]tag{
		profile.Fail: {"FAIL", red}, profile.Warn: {"WARN", yellow}, profile.Pass: {"pass", green}, profile.NotMeasured: {"-", faint},
	}
	truthWord = map[assert.Truth]tag{assert.Holds: {"pass", green}, assert.Broken: {"FAIL", red}, assert.NotKnown: {"FAIL", red}}
)

// tagRoom is for the longest tag, and what stands around it.
const tagRoom = 6

// finding writes a tag, a line beside it, and texts below that.
func (o Options) finding(b *bufio.Writer, t tag, line string, texts ...string) {
	indent := left("", tagRoom+2)
	for i, l := range wrap(line, o.width(), indent, indent) {
		if i == 0 {
			l = "  " + o.paint(t.text, t.style) + strings.Repeat(" ", tagRoom-width(t.text)) + l[len(indent):]
		}
		b.WriteString(l + "\n")
	}
	for _, text := range texts {
		if text != "" {
			o.write(b, text, indent, indent, plain)
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
	return o.buffered(w, func(b *bufio.Writer) {
		protocol := ""
		room := 0
		for _, c := range cases {
			room = max(room, width(c.ID))
		}
		for _, c := range cases {
			if c.Protocol != protocol {
				if protocol != "" {
					b.WriteString("\n")
				}
				protocol = c.Protocol
				b.WriteString(o.paint(report.ProtocolName(protocol), bold) + "\n")
			}
			first, indent := left("  "+c.ID, room+gap+2)+left(string(c.Level), 6+gap), left("", room+gap+2+6+gap)
			o.write(b, c.Standard, first, indent, plain)
			o.write(b, c.Title, left("", room+gap+2), left("", room+gap+2), faint)
		}
	})
}
