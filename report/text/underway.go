package text

import (
	"bufio"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/compare"
	"linger/compare/sweep"
	"linger/compare/times"
	"linger/finding"
	"linger/report"
	"linger/report/sweepmap"
	"linger/report/table"
	"linger/report/terminal"
)

// Underway is a comparison while it runs.
type Underway struct {
	Name string // what of several it is; empty is that there is one
	// Measured is what there is so far: a row of each strategy, without a time where no
	// trial has ended.
	Measured compare.Findings
	// Predicted are rows that stand in for those without a time, by the strategy's name.
	Predicted []compare.Row
	Standing  []Standing // of each row of Measured
	Run       Run
	Baseline  int // trials without delay that are left
}

// Standing is how many trials of a strategy have ended, delivered or not, are under way, and
// are still to start. Spared are those that are not needed.
type Standing struct{ Ended, Running, Left, Spared int }

// planned is how many trials the strategy is to have, as far as is known.
func (s Standing) planned() int { return s.Ended + s.Running + s.Left }

// Run is how far a run has come.
type Run struct {
	Unit                string // what is counted: "trial"
	Done, Failed, Total int
	Elapsed, Remaining  time.Duration // the latter 0 where it is not known
}

// Lines returns what is drawn of a comparison that runs, without the last one's end: what is
// fetched over what, the table of the final screen with medians so far or predictions, what is
// under way, what is still to come, and the bar. The bar alone is returned where there are fewer
// rows on the screen than lines; 0 rows are as many as it takes.
func (u Underway) Lines(o Options, rows int) []string {
	last := Progress(u.Run.Unit, u.Run.Done, u.Run.Failed, u.Run.Total, u.Run.Elapsed, u.Run.Remaining, o)
	var text strings.Builder
	o.Buffered(&text, func(b *bufio.Writer) {
		f := u.findings()
		o.Write(b, report.Title(f), "", "", terminal.Bold)
		if u.Name != "" {
			o.Write(b, u.Name, "", "", terminal.Faint)
		}
		b.WriteString("\n")
		if t := report.Figures(f); len(t) > 0 {
			o.barred(b, u.noted(t[0]))
			b.WriteString("\n")
		}
		o.Write(b, u.says(), "", "", terminal.Plain)
	})
	return o.above(last, text.String(), rows)
}

// above returns the lines of a text and below them a bar; or the bar alone where there is no room
// for the text.
func (o Options) above(bar, text string, rows int) []string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if bar != "" {
		lines = append(lines, bar)
	}
	if rows > 0 && len(lines) > rows || o.Width > 0 && slices.ContainsFunc(lines, func(s string) bool { return terminal.Width(s) > o.Width }) {
		return []string{bar}
	}
	return lines
}

// findings are those so far, with predictions where there is no time yet. Intervals of a few
// trials are left to the final screen, and so is what is best.
func (u Underway) findings() compare.Findings {
	f := u.Measured
	f.Verdict, f.Caveats = compare.Verdict{}, nil
	f.Rows = slices.Clone(f.Rows)
	for i, r := range f.Rows {
		if k := slices.IndexFunc(u.Predicted, func(p compare.Row) bool { return p.Strategy == r.Strategy }); k >= 0 && u.isPredicted(i) {
			persistent := r.Persistent
			r = u.Predicted[k]
			r.Persistent = persistent
		}
		if t, ok := r.Time.Get(); ok {
			r.Time = linger.Known(times.Time{Median: t.Median})
		}
		r.TripsUncertainty, r.RatioToBest = linger.Opt[float64]{}, linger.Opt[float64]{}
		f.Rows[i] = r
	}
	best := math.Inf(1)
	for _, r := range f.Rows {
		if t, ok := r.Time.Get(); ok {
			best = min(best, t.Median)
		}
	}
	for i, r := range f.Rows {
		if t, ok := r.Time.Get(); ok && best > 0 {
			f.Rows[i].RatioToBest = linger.Known(t.Median / best)
		}
	}
	return f
}

// isPredicted reports whether a row has nothing that was measured.
func (u Underway) isPredicted(i int) bool { return u.Measured.Rows[i].Trials == 0 }

// noted adds to the table of a comparison how many trials each row is of, and sets off those that
// are predicted.
func (u Underway) noted(t table.Table) table.Table {
	t.Columns = append(slices.Clone(t.Columns), table.Column{Head: "runs", Align: table.Left})
	for n, i := range report.Order(u.Measured.Rows) {
		s := u.Standing[i]
		note := fmt.Sprintf("%d of %d", s.Ended, s.planned())
		if s.Ended == 0 && u.Predicted != nil {
			note = "predicted"
		}
		row := &t.Rows[n]
		row.Cells = append(slices.Clone(row.Cells), table.Word(note))
		if u.isPredicted(i) {
			for k := range row.Cells {
				row.Cells[k].Style = table.Faint
			}
		}
	}
	return t
}

// says tells what is under way and what is still to come.
func (u Underway) says() string {
	names := make([]string, len(u.Standing))
	for i := range names {
		names[i] = u.Measured.Rows[i].Strategy
	}
	return underWay(names, u.Standing, u.Baseline)
}

// underWay tells what is under way of some strategies, and what is still to come; baseline is how
// many trials without delay are.
func underWay(names []string, standing []Standing, baseline int) string {
	var now, spared []string
	left := 0
	for i, s := range standing {
		name := table.Short(names[i], report.LongestName)
		switch {
		case s.Running > 1:
			now = append(now, fmt.Sprintf("%s (%d)", name, s.Running))
		case s.Running == 1:
			now = append(now, name)
		}
		if left += s.Left; s.Spared > 0 {
			spared = append(spared, name)
		}
	}
	var parts []string
	if len(now) > 0 {
		parts = append(parts, "Under way: "+strings.Join(now, ", ")+".")
	}
	var rest []string
	if left > 0 {
		rest = append(rest, linger.Plural(left, "trial"))
	}
	if baseline > 0 {
		rest = append(rest, linger.Plural(baseline, "short trial")+" without delay, for the round trips")
	}
	if len(rest) > 0 {
		parts = append(parts, "Still to come: "+strings.Join(rest, ", and ")+".")
	}
	if len(spared) > 0 {
		parts = append(parts, "Settled early: "+strings.Join(spared, ", ")+".")
	}
	return strings.Join(parts, " ")
}

// Crowding is a comparison for many clients while it runs.
type Crowding struct {
	Title    string
	Names    []string   // of what is compared
	Standing []Standing // of each
	Run      Run
}

// Lines returns what is drawn of it; see Titled.
func (c Crowding) Lines(o Options, rows int) []string {
	r := c.Run
	return Titled(c.Title, underWay(c.Names, c.Standing, 0), Progress(r.Unit, r.Done, r.Failed, r.Total, r.Elapsed, r.Remaining, o), o, rows)
}

// Probing is how far a probe is.
type Probing struct {
	Title       string
	Unit        string // what is counted: "experiment"
	Done, Total int
	Waiting     string // what the longest wait is for
	// Connections are open now, Requests were sent so far; 0 where that is not known.
	Connections, Requests int
	Elapsed               time.Duration
	AtMost                time.Duration // that is still to come; below 0 is not known
}

// Lines returns what is drawn of a probe; see Titled.
func (p Probing) Lines(o Options, rows int) []string {
	now := "Under way: " + p.Waiting
	if p.Waiting == "" {
		now = "Under way: waiting for connections to be ended"
	}
	if p.Connections > 0 || p.Requests > 0 {
		now += fmt.Sprintf("; %s open, %s sent so far", linger.Plural(p.Connections, "connection"), linger.Plural(p.Requests, "request"))
	}
	if left := p.Total - p.Done; left > 0 {
		now += ". Not done yet: " + linger.Plural(left, p.Unit)
	}
	now += "."
	if p.AtMost >= 0 {
		now += " It takes " + seconds(p.AtMost) + " more at most."
	}
	return Titled(p.Title, now, Progress(p.Unit, p.Done, 0, p.Total, p.Elapsed, 0, o), o, rows)
}

// Sweeping returns what is drawn of a sweep; see Titled. next is the first of the networks
// that are not done.
func Sweeping(s sweep.Sweep, next linger.Network, r Run, o Options, rows int) []string {
	now := ""
	if r.Done < r.Total {
		now = fmt.Sprintf("Under way: RTT %s ms, %s down", finding.Trimmed(next.RTT.Seconds()*1000, 2), next.Down)
		if next.Loss > 0 {
			now += ", " + finding.Trimmed(100*next.Loss, 2) + " % lost"
		}
		now += ". Still to come: " + linger.Plural(r.Total-r.Done, r.Unit) + "."
	}
	return Titled(sweepmap.Title(s, sweep.Survey{Paths: r.Total}), now, Progress(r.Unit, r.Done, r.Failed, r.Total, r.Elapsed, r.Remaining, o), o, rows)
}

// Files is how far files have been read.
type Files struct {
	Title       string
	Taken, Size int64 // bytes; a size of 0 is not known
	Frames      int
	Elapsed     time.Duration
}

// Lines returns what is drawn while files are read; see Titled.
func (f Files) Lines(o Options, rows int) []string {
	now := fmt.Sprintf("Reading: %s so far, %s, %.0f MB/s. Still to come: why each connection was opened.",
		finding.Bytes(float64(f.Taken)), linger.Plural(f.Frames, "frame"), float64(f.Taken)/1e6/max(1e-3, f.Elapsed.Seconds()))
	bar := ""
	if f.Size > 0 {
		rest := time.Duration(float64(f.Elapsed) * float64(max(0, f.Size-f.Taken)) / float64(max(1, f.Taken)))
		taken, size := int(math.Ceil(float64(f.Taken)/1e6)), int(math.Ceil(float64(f.Size)/1e6))
		bar = Progress("megabyte", taken, 0, max(taken, size), f.Elapsed, rest, o)
	}
	return Titled(f.Title, now, bar, o, rows)
}

// Titled returns the lines of a run that has a title and no figures to show yet: the title,
// what is under way, and a bar, if any. The bar alone is returned where there are fewer
// rows on the screen than lines; 0 rows are as many as it takes.
func Titled(title, now, bar string, o Options, rows int) []string {
	var text strings.Builder
	o.Buffered(&text, func(b *bufio.Writer) {
		o.Write(b, title, "", "", terminal.Bold)
		if now != "" {
			o.Write(b, now, "", "", terminal.Plain)
		}
	})
	return o.above(bar, text.String(), rows)
}

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
		if terminal.Width(tail) < columns {
			break
		}
		tail = shorter
	}
	const widest = 30
	n := min(widest, columns-terminal.Width(tail))
	if n < 1 {
		return "" // not even the bar's first column and the count fit
	}
	full := ""
	if share > 0 {
		full = terminal.Bar(share, n)
	}
	line := o.Paint(full, terminal.Green) + o.Paint(strings.Repeat("░", n-terminal.Width(full)), terminal.Faint) + tail
	if o.ASCII {
		return terminal.InASCII(line)
	}
	return line
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }
