package text

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"linger/compare/capacity"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/words"
	"linger/tally"
)

// A loadRoom is how much of a load there is room for: parts of the latencies, findings and
// caveats.
type loadRoom struct{ parts, findings, caveats int }

var loadRooms = []loadRoom{{8, 4, 4}, {6, 3, 3}, {5, 2, 2}, {5, 1, 1}, {4, 1, 1}, {4, 1, 0}, {0, 2, 2}, {0, 1, 1}, {0, 0, 1}, {0, 0, 0}}

// Load writes what a load came to: the answer, what each strategy served and opened, how its
// latencies are distributed, and the caveats.
func Load(w io.Writer, r *capacity.Result, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) { o.load(b, r, loadRoom{12, len(r.Findings), len(r.Caveats)}, true) })
	}
	return o.Fitting(w, len(loadRooms), func(b *bufio.Writer, i int) { o.load(b, r, loadRooms[i], false) })
}

func (o Options) load(b *bufio.Writer, r *capacity.Result, room loadRoom, wide bool) {
	o.Write(b, words.LoadTitle(r), "", "  ", terminal.Plain)
	o.Write(b, words.LoadAnswer(r), "", "  ", terminal.Bold)
	b.WriteString("\n")
	o.barred(b, report.LoadRates(r, words.PerSecond, words.LoadTime))
	b.WriteString("\n")
	connections := report.LoadConnections(r, wide)
	connections.Caption = ""
	o.Table(b, connections)
	// The latencies of the strategy that is told first.
	for _, row := range r.Rows {
		if len(r.Findings) == 0 || row.Strategy != r.Findings[0].Subject.Name || room.parts == 0 {
			continue
		}
		if t := report.LoadDistribution(row, room.parts, words.LoadTime); len(t.Rows) > 0 {
			t.Columns[0].Head = row.Strategy + ": latency"
			b.WriteString("\n")
			o.Bars(b, t)
		}
	}
	shown := 0
	for _, f := range r.Findings[min(1, len(r.Findings)):] {
		if shown == room.findings {
			if shown == 0 {
				b.WriteString("\n")
			}
			b.WriteString(o.Paint(finding.Plural(float64(len(r.Findings)-1-shown), "finding")+" more; --wide shows all.", terminal.Faint) + "\n")
			break
		}
		if shown++; shown == 1 {
			b.WriteString("\n")
		}
		o.Write(b, words.LoadFinding(f), "- ", "  ", terminal.Plain)
	}
	if wide {
		for _, t := range []table.Table{report.LoadRatios(r), report.LoadLatencies(r, words.LoadTime), report.LoadCounts(r)} {
			if len(t.Rows) > 0 {
				b.WriteString("\n" + o.Paint(t.Caption, terminal.Bold) + "\n")
				o.Table(b, t)
			}
		}
	}
	o.asserted(b, r.Asserted)
	o.someCaveats(b, r.Caveats, room.caveats, words.LoadCaveat)
}

// LoadChange writes what differs between two loads.
func LoadChange(w io.Writer, c *capacity.Change, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		for _, line := range words.LoadChange(c) {
			o.Write(b, line, "", "  ", terminal.Bold)
		}
		if len(c.Rows) > 0 {
			b.WriteString("\n")
			o.Table(b, report.LoadChange(c, words.PerSecond))
		}
	})
}

// Loading is a load that goes on.
type Loading struct {
	Title    string
	Strategy string
	Turn, Of int        // of all strategies, from 1
	Now      *tally.Run // nil is not begun
	Elapsed  time.Duration
	Total    time.Duration // 0 is not known
}

// Lines are what is to be seen of it by now.
func (l Loading) Lines(o Options, rows int) []string {
	out := []string{o.Paint(table.Short(l.Title, o.Columns()), terminal.Bold)}
	if l.Now != nil {
		state := fmt.Sprintf("turn %d of %d: %s", l.Turn, l.Of, l.Strategy)
		if l.Total > 0 {
			share := min(1, float64(l.Elapsed)/float64(l.Total))
			state = terminal.Bar(share, 20) + " " + state
		}
		out = append(out, table.Short(state, o.Columns()))
		out = append(out, table.Short(l.line(), o.Columns()))
	}
	return out[:min(len(out), max(1, rows))]
}

// line says what the turn comes to: over its latest whole second.
func (l Loading) line() string {
	n := l.Now
	rate, p99, latest := capacity.RateOf(*n), "", n.Latency.Intended
	if k := len(n.Seconds); k > 1 {
		rate, latest = float64(n.Seconds[k-2].Answered), n.Seconds[k-2].Latency
	}
	if q := capacity.QuantilesOf(&latest); !q.P99.IsZero() {
		p99 = ", p99 " + words.LoadTime(q.P99.Or(0))
	}
	failed := int64(0)
	for _, k := range n.Requests.Failed {
		failed += k
	}
	for _, k := range n.Requests.Unsent {
		failed += k
	}
	return fmt.Sprintf("%s req/s%s, %s opened, %d failed", words.PerSecond(rate), p99, finding.Plural(float64(n.Connections.Before+n.Connections.Established), "connection"), failed)
}
