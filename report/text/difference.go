package text

import (
	"bufio"
	"fmt"
	"io"

	"linger/compare"
	"linger/report"
	"linger/report/words"
)

// Difference writes what has changed from one result to another.
func Difference(w io.Writer, d compare.Change, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		f := compare.Findings{Workload: d.Workload, Network: d.Network}
		o.write(b, report.Title(f), "", "", bold)
		b.WriteString("\n")
		o.table(b, report.Changes(d))
		b.WriteString(o.paint("~ may be noise; what is empty is as before.", faint) + "\n")
		b.WriteString("\n")
		for _, text := range words.Change(d) {
			o.write(b, text, "- ", "  ", plain)
		}
		o.caveats(b, d.Caveats)
	})
}

// Gaps writes how far each prediction is from the measurement.
func Gaps(w io.Writer, measured, predicted compare.Findings) error {
	return buffered(w, func(b *bufio.Writer) {
		b.WriteString("Predicted against measured\n\n")
		line := func(cell func(column int) string) {
			fmt.Fprintf(b, "  %-14s %9s %9s %11s %11s %11s\n", cell(0), cell(1), cell(2), cell(3), cell(4), cell(5))
		}
		gaps := report.Gaps(measured, predicted).Only(0, 3, 4, 5, 6, 7) // the times stand above
		line(func(column int) string { return gaps.Columns[column].Head })
		for _, r := range gaps.Rows {
			line(func(column int) string { return r.Cells[column].Text })
		}
	})
}
