package text

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"linger/assert"
	"linger/finding"
	"linger/profile"
	"linger/report"
	"linger/report/table"
)

// Probe writes what a server was seen to do with connections: its figures, observed
// beside announced; then where it breaks a standard. verbose lists what it keeps too.
func Probe(w io.Writer, p *profile.Profile, verbose bool, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		o.write(b, report.ProbeTitle(p), "", "", bold)
		o.probeLimits(b, p)
		o.probeSurvivals(b, p)
		o.probeRest(b, p)
		o.probeCases(b, p, verbose)
		o.asserted(b, p.Asserted)
		o.caveats(b, p.Caveats)
		b.WriteString("\n")
		o.write(b, report.ProbeOrigin(p, o.Version), "", "", faint)
	})
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

// probeLimits writes the figures of each protocol, and why some are missing.
func (o Options) probeLimits(b *bufio.Writer, p *profile.Profile) {
	limits, differs := report.IdleLimits(p)
	if len(limits.Rows) > 0 {
		limits = limits.Without(1, table.Nothing)
		all := columns(limits)
		cols := squeeze(slices.Clone(all), o.width())
		o.lines(b, cols, limits.Rows)
		if differs {
			b.WriteString(o.paint("! is not what was observed.", faint) + "\n")
		}
		if len(cols) < len(all) { // there was no room for it beside the others
			b.WriteString("\nEnded by\n")
			for _, q := range p.Protocols {
				for _, r := range report.LimitRows(q) {
					if r.Ending != "" {
						o.write(b, report.ProtocolName(q.Name)+", "+r.Name+": "+r.Ending, "  ", "    ", plain)
					}
				}
			}
		}
	}
	unseen := report.Missing(p)
	if len(unseen) > 0 {
		b.WriteString("\nNot measured\n")
	}
	for _, m := range unseen {
		o.write(b, m, "  ", "    ", plain)
	}
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
		b.WriteString("\nA connection of HTTP/1.1\n")
	}
	for _, one := range []struct {
		name string
		what []string
	}{{"is kept after", kept}, {"is closed after", closed}, {"not measured", unknown}} {
		if len(one.what) > 0 {
			o.write(b, strings.Join(one.what, ", "), left("  "+one.name, 20), left("", 20), plain)
		}
	}
}

func (o Options) probeRest(b *bufio.Writer, p *profile.Profile) {
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

// probeCases lists the cases that fail or warn, and counts the others.
func (o Options) probeCases(b *bufio.Writer, p *profile.Profile, verbose bool) {
	if len(p.Cases) == 0 {
		return
	}
	titles := []struct {
		outcome profile.Outcome
		title   string
		shown   bool
	}{
		{profile.Fail, "Breaks the standard", true}, {profile.Warn, "Warnings", true},
		{profile.NotMeasured, "Cases not measured", verbose}, {profile.Pass, "Keeps the standard", verbose},
	}
	for _, t := range titles {
		first := true
		for _, r := range p.Cases {
			if r.Outcome != t.outcome || !t.shown {
				continue
			}
			if first {
				b.WriteString("\n" + t.title + "\n")
				first = false
			}
			line := report.Standard(r.Case) + ": " + r.ID
			var texts []string
			switch r.Outcome {
			case profile.Fail, profile.Warn:
				texts = []string{"Asked is that it " + r.Title + ".", report.Sentence(r.Text)}
				if r.Misbehaviour != "" {
					texts = append(texts, "linger serve --misbehave "+r.Misbehaviour+" does the same.")
				}
			case profile.Pass:
				texts = []string{report.Sentence(r.Title)}
			default:
				texts = []string{report.Sentence(r.Text)}
			}
			o.finding(b, outcomeWord[r.Outcome], line, texts...)
		}
	}
	b.WriteString("\n")
	o.write(b, report.Tally(p, verbose), "", "", plain)
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
