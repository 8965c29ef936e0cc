package text

import (
	"bufio"
	"cmp"
	"fmt"
	"io"

	"linger/audit"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// A room is how much of an audit is shown.
type room struct{ findings, origins, caveats int }

// rooms are tried until one fits: what there is to doubt goes first, then origins.
var rooms = []room{{3, 4, 3}, {3, 4, 2}, {3, 4, 1}, {3, 3, 1}, {3, 2, 1}, {3, 2, 0}, {3, 1, 0}, {2, 2, 0}, {2, 1, 0}, {1, 1, 0}}

// Audit writes what an audit found: the answer, the dearest causes with what ends them, and
// the origins. It fits on a screen, unless all there is was asked for.
func Audit(w io.Writer, r *audit.Result, o Options) error {
	if o.IsWide() {
		return o.buffered(w, func(b *bufio.Writer) { o.audit(b, r, room{len(r.Findings), 0, len(r.Caveats)}, true) })
	}
	return o.fitting(w, len(rooms), func(b *bufio.Writer, i int) { o.audit(b, r, rooms[i], false) })
}

func (o Options) audit(b *bufio.Writer, r *audit.Result, show room, wide bool) {
	o.write(b, words.AuditTitle(r), "", "  ", bold)
	for _, line := range words.Audit(r) {
		o.write(b, line, "", "  ", plain)
	}
	shown, pooled := 0, map[finding.Subject]bool{}
	for _, f := range r.Findings {
		if shown >= show.findings || !wide && f.Severity != finding.Warning {
			continue
		}
		if shown++; shown == 1 {
			b.WriteString("\n")
		}
		o.cause(b, shown, f, wide)
		if wide {
			o.pool(b, r, f, pooled)
		}
	}
	if more := len(r.Findings) - shown; more > 0 && shown > 0 {
		b.WriteString(o.paint(fmt.Sprintf("%s more; --wide shows all.", finding.Plural(float64(more), "finding")), faint) + "\n")
	}
	if len(r.Origins) > 0 {
		b.WriteString("\n")
		o.table(b, report.AuditOrigins(r, show.origins, words.CauseLabel))
	}
	if wide {
		o.auditDetails(b, r)
	}
	o.asserted(b, r.Asserted)
	o.auditCaveats(b, r.Caveats, show.caveats)
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
		if hint := words.AuditHint(f); hint != "" {
			o.write(b, hint, "   > ", "     ", faint)
		}
	}
	if !wide {
		return
	}
	some := ""
	if f.Figures.Value("connections").Or(0) > audit.Shown {
		some = fmt.Sprintf(" of the first %d", audit.Shown)
	}
	for _, e := range f.Evidence {
		switch e.Kind {
		case "filter":
			o.write(b, e.Text, "   Wireshark"+some+": ", "     ", faint)
		case "frames":
			o.write(b, "frames"+some+": "+numbers(e.Frames), "   ", "     ", faint)
		}
	}
}

// pool writes under the first finding of an origin what a pool would have done there.
func (o Options) pool(b *bufio.Writer, r *audit.Result, f finding.Finding, said map[finding.Subject]bool) {
	if f.Subject.Kind != "origin" || said[f.Subject] {
		return
	}
	said[f.Subject] = true
	for _, g := range r.Origins {
		if text := words.AuditPool(g); text != "" && g.Address == f.Subject.Of && cmp.Or(g.Name, g.Address) == f.Subject.Name {
			o.write(b, text, "   ", "     ", plain)
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

// auditDetails are the tables that do not fit on a screen.
func (o Options) auditDetails(b *bufio.Writer, r *audit.Result) {
	tables := []table.Table{report.AuditCauses(r, words.CauseLabel), report.AuditClients(r, 0, words.CauseLabel), report.AuditHops(r), report.AuditLimits(r)}
	if r.RequestsPerConnection.N > 0 {
		tables = append(tables, report.AuditRequests(r))
	}
	for _, t := range tables {
		if len(t.Rows) > 0 {
			b.WriteString("\n")
			o.table(b, t)
		}
	}
}

func (o Options) auditCaveats(b *bufio.Writer, list []finding.Caveat, show int) {
	if len(list) > 0 {
		b.WriteString("\n")
	}
	for i, c := range list {
		if left := len(list) - i; i == show {
			them := "them"
			if left == 1 {
				them = "it"
			}
			o.write(b, finding.Plural(float64(left), "reason")+" to doubt a figure; --wide shows "+them, "  ! ", "    ", faint)
			return
		}
		o.write(b, words.AuditCaveat(c), "  ! ", "    ", plain)
	}
}

// Found writes one connection: why it was opened, what it carried, and who closed it.
func Found(w io.Writer, r audit.Row) error {
	return Options{}.buffered(w, func(b *bufio.Writer) {
		for _, line := range words.AuditRow(r) {
			b.WriteString("  " + line + "\n")
		}
	})
}

// AuditChange writes what differs between two audits.
func AuditChange(w io.Writer, d audit.Change, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		for _, line := range words.AuditChange(d) {
			o.write(b, line, "", "  ", plain)
		}
		b.WriteString("\n")
		o.table(b, report.AuditChange(d, words.CauseLabel))
		o.write(b, "Two recordings differ in their traffic, too: compare shares, not sums.", "", "", faint)
	})
}
