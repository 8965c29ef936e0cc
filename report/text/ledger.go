package text

import (
	"bufio"
	"fmt"
	"io"

	"linger"
	"linger/report"
	"linger/report/table"
	"linger/trace"
)

// Ledger writes what a command did with its connections, as the link saw it.
// The requests on each, where they could be read, are keyed by the client's
// IP:port; nil where nobody read them.
func Ledger(w io.Writer, l trace.Ledger, requests map[string]int, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		o.write(b, report.LedgerTitle(l), "", "", bold)
		if said := report.Reused(l, requests); said != "" {
			o.write(b, said, "", "", plain)
		}
		if l.Overflow > 0 {
			fmt.Fprintf(b, "%s more did not fit into the ledger.\n", linger.Plural(l.Overflow, "connection"))
		}
		most := 14 // on a screen, below the command's own output
		if o.IsWide() {
			most = len(l.Connections)
		}
		if flows := report.FlowsOf(l); len(flows) > 0 {
			b.WriteString("\n")
			o.table(b, report.Flows(flows, requests, most).Without(1, table.Nothing))
		}
	})
}
