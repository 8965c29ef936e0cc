package text

import (
	"bufio"
	"fmt"
	"io"

	"linger/assert"
	"linger/profile"
	"linger/report"
)

// Survey writes a row for each server of a list, then what breaks a standard where,
// and what could not be probed.
func Survey(w io.Writer, s []profile.Probed, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		o.table(b, report.Servers(s))
		o.surveyFindings(b, s)
	})
}

// surveyFindings lists what fails, and where.
func (o Options) surveyFindings(b *bufio.Writer, s []profile.Probed) {
	first := true
	for _, p := range s {
		if p.Profile == nil {
			continue
		}
		for _, r := range p.Profile.Cases {
			if r.Outcome == profile.Fail {
				if first {
					b.WriteString("\nBreaks the standard\n")
					first = false
				}
				o.finding(b, outcomeWord[profile.Fail], report.ShortTarget(p.Target)+": "+report.Standard(r.Case)+": "+r.ID, report.Sentence(r.Text))
			}
		}
	}
	first = true
	for _, p := range s {
		if p.Profile == nil {
			continue
		}
		for _, a := range p.Profile.Asserted {
			if a.Truth != assert.Holds {
				if first {
					b.WriteString("\nAssertions\n")
					first = false
				}
				o.finding(b, truthWord[a.Truth], report.ShortTarget(p.Target)+": "+a.Text, report.BrokenBy(a))
			}
		}
	}
	first = true
	for _, p := range s {
		if p.Failed != "" {
			if first {
				b.WriteString("\nNot probed\n")
				first = false
			}
			o.write(b, fmt.Sprintf("line %d, %s: %s", p.Line, p.Target, p.Failed), "  ! ", "    ", plain)
		}
	}
}
