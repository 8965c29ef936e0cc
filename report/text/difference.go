package text

import (
	"bufio"
	"io"
	"strings"

	"linger/compare"
	"linger/report"
	"linger/report/words"
)

// Difference writes what has changed from one result to another.
func Difference(w io.Writer, d compare.Change, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		f := compare.Findings{Workload: d.Workload, Network: d.Network}
		for _, line := range wrap(report.Title(f), o.width(), "", "") {
			b.WriteString(o.paint(line, bold) + "\n")
		}
		b.WriteString("\n")
		o.table(b, report.Changes(d))
		b.WriteString(o.paint("~ may be luck; what is empty is as before.", faint) + "\n")
		b.WriteString("\n")
		for _, text := range words.Change(d) {
			b.WriteString(strings.Join(wrap(text, o.width(), "- ", "  "), "\n") + "\n")
		}
		o.caveats(b, d.Caveats)
	})
}
