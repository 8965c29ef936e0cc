package report

import (
	"fmt"
	"strings"
	"time"
)

// Progress returns one line that says how far a run has come, without a line
// end: it is to be written over the one before.
func Progress(done, failed, total int, elapsed, remaining time.Duration, o Options) string {
	share := 0.0
	if total > 0 {
		share = min(1, float64(done)/float64(total))
	}
	tail := fmt.Sprintf(" %d of %s, %s", done, plural(total, "trial"), seconds(elapsed))
	if remaining > 0 {
		tail += ", " + seconds(remaining) + " to go"
	}
	if failed > 0 {
		tail += fmt.Sprintf(", %d failed", failed)
	}
	const widest = 30
	n := max(1, min(widest, o.width()-width(tail)-1))
	full := ""
	if share > 0 {
		full = bar(share, n)
	}
	return o.paint(full, green) + o.paint(strings.Repeat("░", n-width(full)), faint) + tail
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }
