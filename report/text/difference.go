package text

import (
	"bufio"
	"io"
	"strings"

	"linger/compare"
	"linger/report"
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
		for text := range strings.SplitSeq(d.Text, "\n") {
			b.WriteString(strings.Join(wrap(text, o.width(), "- ", "  "), "\n") + "\n")
		}
		if len(d.Doubts) > 0 {
			b.WriteString("\nDoubts\n")
		}
		for _, one := range d.Doubts {
			b.WriteString(strings.Join(wrap(one.Text, o.width(), "  ! ", "    "), "\n") + "\n")
		}
	})
}
