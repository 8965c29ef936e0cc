package text

import (
	"bufio"
	"io"

	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/words"
	"linger/tune"
)

// Tuning writes what a log says of timeouts: the advice, a table of what each gives and
// holds, the lines that set it, and the caveats.
func Tuning(w io.Writer, r *tune.Result, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) { o.tuning(b, r, len(r.Findings), len(r.Caveats), true) })
	}
	rooms := [][2]int{{4, 3}, {3, 3}, {3, 2}, {2, 2}, {2, 1}, {1, 1}, {1, 0}, {0, 0}}
	return o.Fitting(w, len(rooms), func(b *bufio.Writer, i int) { o.tuning(b, r, rooms[i][0], rooms[i][1], false) })
}

func (o Options) tuning(b *bufio.Writer, r *tune.Result, findings, caveats int, wide bool) {
	o.Write(b, words.TuningTitle(r), "", "  ", terminal.Plain)
	b.WriteString("\n")
	for _, line := range words.Tuning(r) {
		o.Write(b, line, "", "  ", terminal.Bold)
	}
	for _, f := range r.Findings {
		for i, m := range f.Remedies {
			if i == 0 || wide || m.Software != f.Remedies[i-1].Software {
				o.Write(b, words.AuditRemedy(m), "  > ", "    ", terminal.Green)
			}
		}
	}
	b.WriteString("\n")
	o.barred(b, report.TuningTimeouts(r, wide))
	shown := 0
	for _, f := range r.Findings {
		if f.Code == tune.FoundTimeout || shown >= findings {
			continue
		}
		if shown++; shown == 1 {
			b.WriteString("\n")
		}
		o.Write(b, words.TuningFinding(f), "- ", "  ", terminal.Plain)
	}
	if more := len(r.Findings) - 1 - shown; more > 0 {
		b.WriteString(o.Paint(finding.Plural(float64(more), "finding")+" more; --wide shows all.", terminal.Faint) + "\n")
	}
	if wide {
		for _, t := range []table.Table{report.TuningObserved(r), report.TuningLimits(r), report.TuningMeasures(r)} {
			if len(t.Rows) > 0 {
				b.WriteString("\n")
				o.Table(b, t)
			}
		}
	}
	o.asserted(b, r.Asserted)
	o.someCaveats(b, r.Caveats, caveats, words.TuningCaveat)
}
