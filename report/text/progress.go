package text

import (
	"fmt"
	"strings"
	"time"

	"linger"
	"linger/report/table"
)

// Progress returns one line that says how far a run has come, without a line
// end: it is to be written over the one before. It is shorter than the width,
// however little that is, so that it never wraps. unit is what is counted: "trial".
func Progress(unit string, done, failed, total int, elapsed, remaining time.Duration, o Options) string {
	share := 0.0
	if total > 0 {
		share = min(1, float64(done)/float64(total))
	}
	rest, bad := "", ""
	if remaining > 0 {
		rest = ", " + seconds(remaining) + " to go"
	}
	if failed > 0 {
		bad = fmt.Sprintf(", %d failed", failed)
	}
	columns := o.Width - 1
	if o.Width <= 0 {
		columns = 80 - 1
	}
	tail := fmt.Sprintf(" %d of %s, %s%s%s", done, linger.Plural(total, unit), seconds(elapsed), rest, bad)
	for _, shorter := range []string{
		fmt.Sprintf(" %d of %s%s%s", done, linger.Plural(total, unit), rest, bad),
		fmt.Sprintf(" %d/%d%s%s", done, total, rest, bad),
		fmt.Sprintf(" %d/%d%s", done, total, bad),
		fmt.Sprintf(" %d/%d", done, total),
	} {
		if width(tail) < columns {
			break
		}
		tail = shorter
	}
	const widest = 30
	n := min(widest, columns-width(tail))
	if n < 1 {
		return "" // not even the bar's first column and the count fit
	}
	full := ""
	if share > 0 {
		full = bar(share, n)
	}
	return o.paint(full, green) + o.paint(strings.Repeat("░", n-width(full)), faint) + tail
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

// ProbeProgress returns one line, without its end, that says how far a probe is, what
// is being waited for, and for how much longer at most; remaining below 0 is not known.
func ProbeProgress(done, total int, waiting string, elapsed, remaining time.Duration, o Options) string {
	columns := o.Width - 1
	if o.Width <= 0 {
		columns = 80 - 1
	}
	count := fmt.Sprintf(" %d/%d, %s", done, total, seconds(elapsed))
	rest := ""
	if remaining >= 0 {
		rest = ", at most " + seconds(remaining) + " more"
	}
	if waiting != "" {
		waiting = "; " + waiting
	}
	tail := ""
	for _, tail = range []string{count + rest + waiting, count + rest, count} {
		if width(tail)+12 < columns {
			break
		}
	}
	if width(tail) >= columns {
		return ""
	}
	const widest = 20
	n := min(widest, columns-width(tail))
	full := ""
	if total > 0 && done > 0 {
		full = bar(min(1, float64(done)/float64(total)), n)
	}
	return o.paint(full, green) + o.paint(strings.Repeat("░", n-width(full)), faint) + table.Clean(tail)
}
