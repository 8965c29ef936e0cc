package text

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"linger"

	"linger/audit"
	"linger/audit/change"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/words"
)

// A room is how much of an audit is shown.
type room struct{ findings, origins, caveats int }

// rooms are tried until one fits: caveats go first, then origins, then findings, which take most.
var rooms = []room{{3, 4, 3}, {3, 4, 2}, {3, 4, 1}, {3, 3, 1}, {3, 2, 1}, {3, 2, 0}, {3, 1, 0}, {2, 2, 0}, {2, 1, 0}, {1, 4, 1}, {1, 3, 1}, {1, 2, 1}, {1, 2, 0}, {1, 1, 0}}

// Audit writes what an audit found: the answer, the dearest causes with what ends them, and
// the origins. It fits on a screen, unless all there is was asked for.
func Audit(w io.Writer, r *audit.Result, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) { o.audit(b, r, room{len(r.Findings), 0, len(r.Caveats)}, true) })
	}
	return o.Fitting(w, len(rooms), func(b *bufio.Writer, i int) { o.audit(b, r, rooms[i], false) })
}

func (o Options) audit(b *bufio.Writer, r *audit.Result, show room, wide bool) {
	o.Write(b, words.AuditTitle(r), "", "  ", terminal.Bold)
	for _, line := range words.Audit(r) {
		o.Write(b, line, "", "  ", terminal.Plain)
	}
	if len(r.WhatIf) > 0 {
		b.WriteString("\n")
		o.Table(b, report.AuditWhatIf(r, wide))
		for _, line := range words.AuditWhatIfs(r) {
			o.Write(b, line, "  ! ", "    ", terminal.Plain)
		}
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
		b.WriteString(o.Paint(fmt.Sprintf("%s more; --wide shows all.", finding.Plural(float64(more), "finding")), terminal.Faint) + "\n")
	}
	if len(r.Origins) > 0 {
		b.WriteString("\n")
		o.Table(b, report.AuditOrigins(r, show.origins, words.CauseLabel))
	}
	if wide {
		o.auditDetails(b, r)
	}
	o.asserted(b, r.Asserted)
	o.someCaveats(b, r.Caveats, show.caveats, words.AuditCaveat)
}

// cause writes one finding: what it is, what ends it, and where it is to be seen.
func (o Options) cause(b *bufio.Writer, n int, f finding.Finding, wide bool) {
	head := fmt.Sprintf("%d. ", n)
	o.Write(b, words.AuditFinding(f), head, "   ", terminal.Plain)
	for _, r := range f.Remedies {
		// The lines of one program belong together; those of others are further ones.
		if first := f.Remedies[0]; !wide && (r.Software != first.Software || r.Side != first.Side) {
			break
		}
		o.Write(b, words.AuditRemedy(r), "   > ", "     ", terminal.Green)
	}
	if len(f.Remedies) == 0 {
		if hint := words.AuditHint(f); hint != "" {
			o.Write(b, hint, "   > ", "     ", terminal.Faint)
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
			o.Write(b, e.Text, "   Wireshark"+some+": ", "     ", terminal.Faint)
		case "frames":
			o.Write(b, "frames"+some+": "+numbers(e.Frames), "   ", "     ", terminal.Faint)
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
			o.Write(b, text, "   ", "     ", terminal.Plain)
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
	tables := []table.Table{report.AuditCauses(r, words.CauseLabel), report.AuditClients(r, 0, words.CauseLabel), report.AuditHops(r), report.AuditLimits(r), report.AuditTLS(r)}
	if r.RequestsPerConnection.N > 0 {
		tables = append(tables, report.AuditRequests(r))
	}
	for _, t := range tables {
		if len(t.Rows) > 0 {
			b.WriteString("\n")
			o.Table(b, t)
		}
	}
	if lines := words.AuditTLS(r); len(lines) > 0 {
		b.WriteString("\n")
		for _, line := range lines {
			o.Write(b, line, "", "  ", terminal.Plain)
		}
	}
}

// someCaveats writes the first caveats in the words of who found them, and how many more there are.
func (o Options) someCaveats(b *bufio.Writer, list []finding.Caveat, show int, say func(finding.Caveat) string) {
	if len(list) > 0 {
		b.WriteString("\n")
	}
	for i, c := range list {
		if left := len(list) - i; i == show {
			them := "them"
			if left == 1 {
				them = "it"
			}
			o.Write(b, finding.Plural(float64(left), "caveat")+" not shown; --wide shows "+them, "  ! ", "    ", terminal.Faint)
			return
		}
		o.Write(b, say(c), "  ! ", "    ", terminal.Plain)
	}
}

// mostFound is how many of the requests that were looked for are shown.
const mostFound = 5

// Found writes the requests whose URL holds what was looked for, each with its connection.
// unread is how many encrypted connections there are whose requests could not be read.
func Found(w io.Writer, what string, all []audit.Found, unread int) error {
	return Options{}.Buffered(w, func(b *bufio.Writer) {
		if len(all) == 0 {
			fmt.Fprintf(b, "No request has %q in its URL.\n", what)
			if unread > 0 {
				fmt.Fprintf(b, "%s encrypted: --keylog FILE reads what keys are there for.\n", linger.Plural(unread, "connection"))
			}
		}
		for i, f := range all {
			if i == mostFound {
				fmt.Fprintf(b, "%s more.\n", linger.Plural(len(all)-i, "request"))
				return
			}
			fmt.Fprintf(b, "%s %s: status %d, request %d on its connection\n", f.Method, table.Clean(f.URL), f.Status, f.Number)
			if r, ok := f.On.Get(); ok {
				for _, line := range words.AuditRow(r) {
					b.WriteString("  " + line + "\n")
				}
			}
		}
	})
}

// AuditChange writes what differs between two audits.
func AuditChange(w io.Writer, d change.Change, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		for _, line := range words.AuditChange(d) {
			o.Write(b, line, "", "  ", terminal.Plain)
		}
		b.WriteString("\n")
		o.Table(b, report.AuditChange(d, words.CauseLabel))
		o.Write(b, "Two recordings differ in their traffic, too: compare shares, not sums.", "", "", terminal.Faint)
	})
}
