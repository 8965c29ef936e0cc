package text

import (
	"bufio"
	"fmt"
	"io"

	"linger"
	"linger/compare/facts"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/trial"
	"linger/trace"
)

// Ledger writes what a command did with its connections, as the link saw it.
// The requests on each, where they could be read, are keyed by the client's
// IP:port; nil where nobody read them. Relays are what carried them on, if any did.
func Ledger(w io.Writer, l trace.Ledger, requests map[string]int, relays []trial.Relayed, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		o.Write(b, trial.LedgerTitle(l), "", "", terminal.Bold)
		if said := trial.Reused(l, requests); said != "" {
			o.Write(b, said, "", "", terminal.Plain)
		}
		for _, r := range relays {
			o.Write(b, r.Line(), "", "", terminal.Plain)
		}
		if l.Overflow > 0 {
			fmt.Fprintf(b, "%s more did not fit into the ledger.\n", linger.Plural(l.Overflow, "connection"))
		}
		most := 14 // on a screen, below the command's own output
		if o.IsWide() {
			most = len(l.Connections)
		}
		if flows := trial.FlowsOf(l); len(flows) > 0 {
			b.WriteString("\n")
			o.Table(b, trial.Flows(flows, requests, most).Without(1, table.Nothing))
		}
	})
}

// Reuse writes how a client fared that asked again after pauses: a line a pause.
func Reuse(w io.Writer, f trial.Reuses, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		o.Write(b, fmt.Sprintf("%s requested twice over %s, with a pause between; a connection for each pause", f.URL, f.Strategy), "", "", terminal.Bold)
		o.Write(b, trial.ReuseVerdict(f.Rows), "", "", terminal.Plain)
		b.WriteString("\n")
		o.Table(b, trial.Pauses(f))
		for _, r := range f.Rows {
			if r.Reason != "" && (r.Outcome == facts.Lost || r.Outcome == facts.Unasked || r.Outcome == facts.Unsent || r.Outcome == facts.LetGo) {
				o.Write(b, trial.Pause(r.Wait)+": "+r.Reason, "- ", "  ", terminal.Plain)
			}
		}
	})
}
