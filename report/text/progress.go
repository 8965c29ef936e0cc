package text

import (
	"fmt"
	"strings"
	"time"

	"linger"
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
	line := o.paint(full, green) + o.paint(strings.Repeat("░", n-width(full)), faint) + tail
	if o.ASCII {
		return inASCII(line)
	}
	return line
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }
