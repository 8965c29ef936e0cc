package text

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"linger"
	"linger/report"
	"linger/report/table"
	"linger/trace"
)

// flows writes the table of connections; who is asked is shortened where there is
// no room.
func (o Options) flows(b *bufio.Writer, t table.Table) {
	cols := columns(t)
	if to := slices.IndexFunc(t.Columns, func(c table.Column) bool { return c.Head == "to" }); to >= 0 {
		const least = 8
		if over := total(cols) - o.width(); over > 0 {
			cols[to].cut(max(least, cols[to].fit()-over))
		}
	}
	o.lines(b, filled(cols, t), t.Rows)
	if t.More != "" {
		b.WriteString(o.paint(t.More, faint) + "\n")
	}
}

// Ledger writes what a command did with its connections, as the link saw it.
// The requests on each, where they could be read, are keyed by the client's
// IP:port; nil where nobody read them.
func Ledger(w io.Writer, l trace.Ledger, requests map[string]int, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		o.write(b, report.LedgerTitle(l), "", "", bold)
		if l.Overflow > 0 {
			fmt.Fprintf(b, "%s more did not fit into the ledger.\n", linger.Plural(l.Overflow, "connection"))
		}
		if flows := report.FlowsOf(l); len(flows) > 0 {
			b.WriteString("\n")
			o.flows(b, report.Flows(flows, requests, o.rows()))
		}
	})
}
