package text

import (
	"bufio"
	"fmt"
	"io"

	"linger/compare"
	"linger/report"
)

// Reuse writes how a client fared that asked again after pauses: a line a pause.
func Reuse(w io.Writer, f report.Reuses, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		o.write(b, fmt.Sprintf("%s requested twice over %s, with a pause between; a connection for each pause", f.URL, f.Strategy), "", "", bold)
		o.write(b, report.ReuseVerdict(f.Rows), "", "", plain)
		b.WriteString("\n")
		o.table(b, report.Pauses(f))
		for _, r := range f.Rows {
			if r.Reason != "" && (r.Fate == compare.Lost || r.Fate == compare.Unasked || r.Fate == compare.Unsent || r.Fate == compare.LetGo) {
				o.write(b, report.Pause(r.Wait)+": "+r.Reason, "- ", "  ", plain)
			}
		}
	})
}
