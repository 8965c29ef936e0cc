package text

import (
	"bufio"
	"fmt"
	"io"

	"linger/audit"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// Audit writes what an audit found: the answer, the dearest causes with what ends them, and
// the origins. It fits on a screen; wide is all there is.
func Audit(w io.Writer, r *audit.Result, wide bool, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		findings, origins := 3, 4
		if wide {
			findings, origins = len(r.Findings), 0
		}
		o.write(b, words.AuditTitle(r), "", "  ", bold)
		for _, line := range words.Audit(r) {
			o.write(b, line, "", "  ", plain)
		}
		shown := 0
		for _, f := range r.Findings {
			if shown >= findings || !wide && f.Severity != finding.Warning {
				continue
			}
			if shown++; shown == 1 {
				b.WriteString("\n")
			}
			o.cause(b, shown, f, wide)
		}
		if more := len(r.Findings) - shown; more > 0 && shown > 0 {
			b.WriteString(o.paint(fmt.Sprintf("%s more; --wide shows all.", finding.Plural(float64(more), "finding")), faint) + "\n")
		}
		if len(r.Origins) > 0 {
			b.WriteString("\n")
			o.auditTable(b, report.AuditOrigins(r, origins, words.CauseLabel))
		}
		if wide {
			o.auditDetails(b, r)
		}
		o.asserted(b, r.Asserted)
		o.auditCaveats(b, r.Caveats, wide)
	})
}

// cause writes one finding: what it is, what ends it, and where it is to be seen.
func (o Options) cause(b *bufio.Writer, n int, f finding.Finding, wide bool) {
	head := fmt.Sprintf("%d. ", n)
	o.write(b, words.AuditFinding(f), head, "   ", plain)
	for _, r := range f.Remedies {
		// The lines of one program belong together; those of others are further ones.
		if first := f.Remedies[0]; !wide && (r.Software != first.Software || r.Side != first.Side) {
			break
		}
		o.write(b, words.AuditRemedy(r), "   > ", "     ", green)
	}
	if len(f.Remedies) == 0 {
		if hint := words.AuditHint(audit.Cause(f.Cause)); hint != "" {
			o.write(b, hint, "   > ", "     ", faint)
		}
	}
	if !wide {
		return
	}
	for _, e := range f.Evidence {
		switch e.Kind {
		case "filter":
			o.write(b, e.Text, "   Wireshark: ", "     ", faint)
		case "frames":
			o.write(b, "frames "+numbers(e.Frames), "   ", "     ", faint)
		}
	}
}

func numbers(list []int) string {
	out := ""
	for i, n := range list {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprint(n)
	}
	return out
}

func (o Options) auditTable(b *bufio.Writer, t table.Table) {
	o.table(b, t)
	if t.More != "" {
		b.WriteString(o.paint(t.More, faint) + "\n")
	}
}

// auditDetails are the tables that do not fit on a screen.
func (o Options) auditDetails(b *bufio.Writer, r *audit.Result) {
	tables := []table.Table{report.AuditCauses(r, words.CauseLabel), report.AuditClients(r, 0, words.CauseLabel), report.AuditHops(r), report.AuditLimits(r)}
	if r.RequestsPerConnection.N > 0 {
		tables = append(tables, report.AuditRequests(r))
	}
	for _, t := range tables {
		if len(t.Rows) > 0 {
			b.WriteString("\n")
			o.auditTable(b, t)
		}
	}
}

func (o Options) auditCaveats(b *bufio.Writer, list []finding.Caveat, wide bool) {
	if len(list) == 0 {
		return
	}
	b.WriteString("\n")
	for i, c := range list {
		if i == 2 && !wide && len(list) > 3 {
			b.WriteString(o.paint(fmt.Sprintf("  ! %d more doubts; --wide shows them", len(list)-i), faint) + "\n")
			return
		}
		o.write(b, words.AuditCaveat(c), "  ! ", "    ", plain)
	}
}

// Found writes one connection: why it was opened, what it carried, and who closed it.
func Found(w io.Writer, r audit.Row) error {
	return buffered(w, func(b *bufio.Writer) {
		for _, line := range words.AuditRow(r) {
			b.WriteString("  " + line + "\n")
		}
	})
}

// AuditChange writes what differs between two audits.
func AuditChange(w io.Writer, d audit.Change, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		for _, line := range words.AuditChange(d) {
			o.write(b, line, "", "  ", plain)
		}
		b.WriteString("\n")
		o.table(b, report.AuditChange(d, words.CauseLabel))
		o.write(b, "Two recordings differ in their traffic, too: compare shares, not sums.", "", "", faint)
	})
}
