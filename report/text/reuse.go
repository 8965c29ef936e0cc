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
	b := bufio.NewWriter(w)
	o.write(b, fmt.Sprintf("%s asked twice, by %s, with a pause between: a connection for each pause", f.URL, f.Strategy), "", "", bold)
	fmt.Fprintln(b)
	o.table(b, report.Pauses(f))
	fmt.Fprintln(b)
	said := false
	for _, r := range f.Rows {
		if r.Reason != "" && (r.Fate == compare.Lost || r.Fate == compare.Unasked || r.Fate == compare.Unsent || r.Fate == compare.LetGo) {
			o.write(b, fmt.Sprintf("%s: %s", r.Wait, r.Reason), "- ", "  ", plain)
			said = true
		}
	}
	if said {
		fmt.Fprintln(b)
	}
	o.write(b, report.ReuseVerdict(f.Rows), "", "", plain)
	return b.Flush()
}
