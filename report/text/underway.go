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
	"linger/finding"
	"linger/report"
	"linger/report/table"
)

// Underway is a comparison while it runs.
type Underway struct {
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
	o.buffered(&text, func(b *bufio.Writer) {
		f := u.findings()
		o.write(b, report.Title(f), "", "", bold)
		b.WriteString("\n")
		if t := report.Figures(f); len(t) > 0 {
			o.barred(b, u.noted(t[0]))
			b.WriteString("\n")
		}
		o.write(b, u.says(), "", "", plain)
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
	if rows > 0 && len(lines) > rows || o.Width > 0 && slices.ContainsFunc(lines, func(s string) bool { return Width(s) > o.Width }) {
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
			r.Time = linger.Known(compare.Time{Median: t.Median})
		}
		r.TripsDoubt, r.RatioToBest = linger.Opt[float64]{}, linger.Opt[float64]{}
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
	var now, spared []string
	left := 0
	for i, s := range u.Standing {
		name := table.Short(u.Measured.Rows[i].Strategy, report.LongestName)
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
	if u.Baseline > 0 {
		rest = append(rest, linger.Plural(u.Baseline, "short trial")+" without delay, for the round trips")
	}
	if len(rest) > 0 {
		parts = append(parts, "Still to come: "+strings.Join(rest, ", and ")+".")
	}
	if len(spared) > 0 {
		parts = append(parts, "Settled early: "+strings.Join(spared, ", ")+".")
	}
	return strings.Join(parts, " ")
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
func Sweeping(s compare.Sweep, next linger.Network, r Run, o Options, rows int) []string {
	now := ""
	if r.Done < r.Total {
		now = fmt.Sprintf("Under way: RTT %s ms, %s down", finding.Trimmed(next.RTT.Seconds()*1000, 2), next.Down)
		if next.Loss > 0 {
			now += ", " + finding.Trimmed(100*next.Loss, 2) + " % lost"
		}
		now += ". Still to come: " + linger.Plural(r.Total-r.Done, r.Unit) + "."
	}
	return Titled(report.SweepTitle(s, compare.Survey{Paths: r.Total}), now, Progress(r.Unit, r.Done, r.Failed, r.Total, r.Elapsed, r.Remaining, o), o, rows)
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
	o.buffered(&text, func(b *bufio.Writer) {
		o.write(b, title, "", "", bold)
		if now != "" {
			o.write(b, now, "", "", plain)
		}
	})
	return o.above(bar, text.String(), rows)
}
