package text

import (
	"bufio"
	"io"

	"linger/compare"
	"linger/report"
	"linger/report/words"
)

// Difference writes what has changed from one result to another.
func Difference(w io.Writer, d compare.Change, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		f := compare.Findings{Workload: d.Workload, Network: d.Network}
		o.write(b, report.Title(f), "", "", bold)
		for _, text := range words.Change(d) {
			o.write(b, text, "- ", "  ", plain)
		}
		b.WriteString("\n")
		o.table(b, report.Changes(d))
		b.WriteString(o.paint("~ may be noise; empty: as before", faint) + "\n")
		o.caveats(b, d.Caveats)
	})
}

// Gaps writes how far each prediction is from the measurement.
func Gaps(w io.Writer, measured, predicted compare.Findings, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		o.write(b, "Predicted against measured", "", "", bold)
		o.table(b, report.Gaps(measured, predicted).Only(0, 3, 4, 5, 6, 7)) // the times stand above
	})
}
