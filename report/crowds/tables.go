package crowds

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/finding"
	"linger/report"
	"linger/report/table"
)

// A times is the unit that all times of a result are shown in, and the digits behind the point.
type times struct {
	unit     string
	scale    float64 // ms in it
	decimals int
}

// timesOf is in s from a second on, to two digits of the least median.
func timesOf(rows []crowd.Row) times {
	least, most := 0.0, 0.0
	for _, r := range rows {
		for _, o := range []linger.Opt[float64]{r.Pages.Median, r.Pages.P95, r.Pages.Worst, r.Pages.AtLeast.P95, r.Pages.AtLeast.Worst} {
			if v, ok := o.Get(); ok {
				most = max(most, v)
				if least == 0 || v < least {
					least = v
				}
			}
		}
	}
	t := times{"ms", 1, 0}
	if most >= 1000 {
		t = times{"s", 1000, 0}
	}
	t.decimals = min(2, max(0, finding.Decimals(least/t.scale, least/t.scale/10)))
	return t
}

func (t times) text(ms float64) string { return finding.Fixed(ms/t.scale, t.decimals) }

func (t times) cell(o linger.Opt[float64]) table.Cell { return table.Known(o, t.text) }

// quantile is one of a distribution: at least so much where so many have not come to their end.
func (t times) quantile(o, least linger.Opt[float64]) table.Cell {
	if v, ok := least.Get(); o.IsZero() && ok {
		return table.Word(AtLeast + t.text(v)).Styled(table.Bad)
	}
	return t.cell(o)
}

// page is a quantile of the time of pages.
func (t times) page(p crowd.Pages, of func(crowd.Quantiles) linger.Opt[float64]) table.Cell {
	return t.quantile(of(p.Quantiles), of(p.AtLeast))
}

// wait is one of the time that connections waited.
func (t times) wait(s crowd.Spread, of func(crowd.Quantiles) linger.Opt[float64]) table.Cell {
	return t.quantile(of(s.Quantiles), of(s.AtLeast))
}

// Quantiles, as columns have them.
func median(q crowd.Quantiles) linger.Opt[float64] { return q.Median }
func p95(q crowd.Quantiles) linger.Opt[float64]    { return q.P95 }
func p99(q crowd.Quantiles) linger.Opt[float64]    { return q.P99 }
func worst(q crowd.Quantiles) linger.Opt[float64]  { return q.Worst }

// A figure is a column and how its cell is made of a row.
type figure struct {
	table.Column
	cell func(crowd.Row) table.Cell
}

// with has the column headed, and gone where there is no room: those with the highest number first.
func with(over, head string, spare int, cell func(crowd.Row) table.Cell) figure {
	return figure{table.Column{Over: over, Head: head, Spare: spare}, cell}
}

// tableOf is a table of figures, a line for each row; columns of which nothing is known are not
// there.
func tableOf(caption string, rows []crowd.Row, best string, figures ...figure) table.Table {
	t := table.Table{Caption: caption, Columns: []table.Column{{Head: "strategy", Align: table.Left, Short: 12}}}
	for _, f := range figures {
		t.Columns = append(t.Columns, f.Column)
	}
	for _, r := range rows {
		line := t.Add(table.Word(table.Short(r.Strategy, report.LongestName)))
		line.Best = best != "" && r.Strategy == best
		for _, f := range figures {
			cell := f.cell(r)
			if line.Best && cell.Style == table.Plain {
				cell.Style = table.Good
			}
			line.Cells = append(line.Cells, cell)
		}
		if line.Best {
			line.Cells[0].Style = table.Good
		}
	}
	return without(t, table.Nothing)
}

// without leaves out columns behind the first, whose cells are not wanted; what stands above the
// first of several goes to the next.
func without(t table.Table, unwanted func([]table.Cell) bool) table.Table {
	t.Columns = slices.Clone(t.Columns)
	for i, c := range t.Columns[:len(t.Columns)-1] {
		if i > 0 && unwanted(t.Cells(i)) && t.Columns[i+1].Over == "" {
			t.Columns[i+1].Over = c.Over
		}
	}
	return t.Without(1, unwanted)
}

// TimeWait stands above the column of sockets in that state.
const TimeWait = "TIME_WAIT"

// First is the table of the first screen: what a client sees, and what that takes at the server.
func First(r *crowd.Result) table.Table {
	rows := r.Rows
	unit := timesOf(rows)
	page := "page time, " + unit.unit
	all := []figure{
		with(page, "median", 0, func(r crowd.Row) table.Cell { return unit.page(r.Pages, median) }),
		with("", "p95", 0, func(r crowd.Row) table.Cell { return unit.page(r.Pages, p95) }),
		with("", "worst", 4, func(r crowd.Row) table.Cell { return unit.page(r.Pages, worst) }),
		with("pages", "/s", 3, func(r crowd.Row) table.Cell { return table.Known(r.Rate, rate) }),
		with("waits, "+unit.unit, "p95", 0, func(r crowd.Row) table.Cell { return unit.wait(r.Waits, p95) }),
		with("held", "mean/peak", 2, func(r crowd.Row) table.Cell { return meanPeak(r.Server.Sockets) }),
		with("workers", "mean", 5, func(r crowd.Row) table.Cell { return table.Known(r.Workers.Mean, held) }),
		with(TimeWait, "cli/srv", 6, func(r crowd.Row) table.Cell {
			return table.Pair(r.Client.TimeWait.Peak, r.Server.TimeWait.Peak, finding.Count0)
		}),
	}
	if !limited(r) {
		all = slices.Delete(all, 6, 7)
	}
	if lost(r) {
		all = slices.Insert(all, 4, with("pages", "lost", 0, func(r crowd.Row) table.Cell { return flaggedInt(r.Pages.Wanted - r.Pages.Loaded) }))
	}
	if slices.ContainsFunc(rows, func(r crowd.Row) bool { return r.Refused > 0 }) {
		all = slices.Insert(all, len(all)-2, with("conns", "refused", 1, func(r crowd.Row) table.Cell { return flaggedInt(r.Refused) }))
	}
	return tableOf("What pages took, and what the server held", rows, r.Verdict.Best, all...)
}

// Unit is the unit of the times of a table of rows.
func Unit(rows []crowd.Row) string { return timesOf(rows).unit }

// Pages is how many pages there were, and how long they took.
func Pages(r *crowd.Result) table.Table {
	return tableOf("Pages", r.Rows, r.Verdict.Best, pages(timesOf(r.Rows))...)
}

// All are tables of everything: the pages, the connections, what was held, what it cost; and where
// there are such, the parts of a mix, the servers, Little's law, and predictions.
func All(r *crowd.Result) []table.Table {
	rows, best := r.Rows, r.Verdict.Best
	unit := timesOf(rows)
	list := []table.Table{
		Pages(r),
		tableOf("Connections", rows, best, connections(unit)...),
		tableOf("Held over time", rows, best, levels()...),
		Shares(r), Requests(r), Changes(r), Little(r), Foreseen(r),
	}
	return slices.DeleteFunc(list, func(t table.Table) bool { return len(t.Rows) == 0 })
}

func pages(unit times) []figure {
	at := func(of func(crowd.Quantiles) linger.Opt[float64]) func(crowd.Row) table.Cell {
		return func(r crowd.Row) table.Cell { return unit.page(r.Pages, of) }
	}
	bound := func(of func(finding.Interval) linger.Opt[float64]) func(crowd.Row) table.Cell {
		return func(r crowd.Row) table.Cell { return unit.cell(of(r.Pages.Interval.Or(finding.Interval{}))) }
	}
	return []figure{
		with("trials", "ended", 0, func(r crowd.Row) table.Cell { return table.Int(r.Trials) }),
		with("", "lost", 0, func(r crowd.Row) table.Cell { return flaggedInt(r.Lost) }),
		with("pages", "wanted", 0, func(r crowd.Row) table.Cell { return table.Int(r.Pages.Wanted) }),
		with("", "loaded", 0, func(r crowd.Row) table.Cell { return table.Int(r.Pages.Loaded) }),
		with("", "failed", 0, func(r crowd.Row) table.Cell { return flaggedInt(r.Pages.Failed) }),
		with("", "not ended", 0, func(r crowd.Row) table.Cell { return flaggedInt(r.Pages.Unfinished) }),
		with("", "/s", 0, func(r crowd.Row) table.Cell { return table.Known(r.Rate, rate) }),
		with("page time, "+unit.unit, "median", 0, at(median)),
		with("", "from", 0, bound(func(i finding.Interval) linger.Opt[float64] { return i.Low })),
		with("", "to", 0, bound(func(i finding.Interval) linger.Opt[float64] { return i.High })),
		with("", "p95", 0, at(p95)),
		with("", "p99", 0, at(p99)),
		with("", "worst", 0, at(worst)),
		with("Jain's", "index", 0, func(r crowd.Row) table.Cell { return table.Known(r.Jain, hundredth) }),
	}
}

func connections(unit times) []figure {
	wait := func(of func(crowd.Quantiles) linger.Opt[float64]) func(crowd.Row) table.Cell {
		return func(r crowd.Row) table.Cell { return unit.wait(r.Waits, of) }
	}
	return []figure{
		with("connections", "opened", 0, func(r crowd.Row) table.Cell { return table.Int(r.Opened) }),
		with("", "a page", 0, func(r crowd.Row) table.Cell { return table.Known(r.PerPage, finding.Count) }),
		with("", "refused", 0, func(r crowd.Row) table.Cell { return flaggedInt(r.Refused) }),
		with("waits, "+unit.unit, "mean", 0, func(r crowd.Row) table.Cell { return unit.cell(r.Waits.Mean) }),
		with("", "median", 0, wait(median)),
		with("", "p95", 0, wait(p95)),
		with("", "p99", 0, wait(p99)),
		with("", "worst", 0, wait(worst)),
		with("CPU, ms", "client", 0, func(r crowd.Row) table.Cell { return table.Known(r.Client.CPU, finding.Count0) }),
		with("", "server", 0, func(r crowd.Row) table.Cell { return table.Known(r.Server.CPU, finding.Count0) }),
		with("RAM, kB", "server", 0, func(r crowd.Row) table.Cell { return table.Known(r.Server.Resident, finding.KB) }),
	}
}

// levels are the mean, the 99th percentile and the peak of what each side held.
func levels() (out []figure) {
	for _, l := range []struct {
		over   string
		of     func(crowd.Row) crowd.Level
		format func(float64) string
	}{
		{"held by the server", func(r crowd.Row) crowd.Level { return r.Server.Sockets }, held},
		{"workers", func(r crowd.Row) crowd.Level { return r.Workers }, held},
		{"accept queue", func(r crowd.Row) crowd.Level { return r.Queue }, held},
		{"held by clients", func(r crowd.Row) crowd.Level { return r.Client.Sockets }, held},
		{"TIME_WAIT, server", func(r crowd.Row) crowd.Level { return r.Server.TimeWait }, held},
		{"TIME_WAIT, clients", func(r crowd.Row) crowd.Level { return r.Client.TimeWait }, held},
		{"memory, server, kB", func(r crowd.Row) crowd.Level { return r.Server.Memory }, finding.KB},
		{"memory, clients, kB", func(r crowd.Row) crowd.Level { return r.Client.Memory }, finding.KB},
	} {
		out = append(out,
			with(l.over, "mean", 0, func(r crowd.Row) table.Cell { return table.Known(l.of(r).Mean, l.format) }),
			with("", "p99", 0, func(r crowd.Row) table.Cell { return table.Known(l.of(r).P99, l.format) }),
			with("", "peak", 0, func(r crowd.Row) table.Cell { return table.Known(l.of(r).Peak, l.format) }))
	}
	return out
}

// Shares are what the parts of mixes got; no rows where there is none.
func Shares(r *crowd.Result) table.Table {
	unit := timesOf(r.Rows)
	t := table.Table{Caption: "Shares of the mix", Columns: []table.Column{
		{Head: "share", Align: table.Left, Short: 12}, {Head: "clients"}, {Over: "pages", Head: "wanted"}, {Head: "loaded"}, {Over: "page time, " + unit.unit, Head: "median"}, {Head: "p95"}, {Head: "worst"},
		{Over: "a client gets", Head: "kbit/s"}, {Head: "× mean"},
	}}
	for _, row := range r.Rows {
		for _, p := range row.Shares {
			t.Add(table.Word(table.Short(p.Strategy, report.LongestName)), table.Int(p.Clients), table.Int(p.Pages.Wanted), table.Int(p.Pages.Loaded),
				unit.page(p.Pages, median), unit.page(p.Pages, p95), unit.page(p.Pages, worst),
				table.Known(p.Rate, func(v float64) string { return finding.Fixed(v*8/1000, 0) }), table.Known(p.Ratio, hundredth))
		}
	}
	return t
}

// Requests are how many each server answered; no rows where there is one server.
func Requests(r *crowd.Result) table.Table {
	e := r.Experiment
	if e.Crowd.Servers() < 2 {
		return table.Table{}
	}
	var figures []figure
	for i := range e.Crowd.Servers() {
		head := fmt.Sprint(i + 1)
		if e.Crowd.AddAt > 0 && i == e.Crowd.Servers()-1 {
			head = "added"
		}
		f := with("", head, 0, func(r crowd.Row) table.Cell {
			if i >= len(r.Balance.Requests) {
				return table.Unknown()
			}
			return table.Int(r.Balance.Requests[i])
		})
		if i == 0 {
			f.Over = "requests of server"
		}
		figures = append(figures, f)
	}
	figures = append(figures, with("most", "× mean", 0, func(r crowd.Row) table.Cell { return table.Known(r.Balance.Uneven, hundredth) }))
	return tableOf("Requests by server", r.Rows, r.Verdict.Best, figures...)
}

// Changes are what adding a server and restarting one did; no rows where neither was done.
func Changes(r *crowd.Result) table.Table {
	c := r.Experiment.Crowd
	var figures []figure
	if c.AddAt > 0 {
		figures = append(figures,
			with("server added after "+lasting(c.AddAt), "gets, of its share", 0, func(r crowd.Row) table.Cell { return table.Known(r.Balance.Added, finding.Share) }),
			with("", "at the end", 0, func(r crowd.Row) table.Cell { return table.Known(r.Balance.Last, finding.Share) }),
			with("", "even after, s", 0, func(r crowd.Row) table.Cell { return seconds(r.Balance.Even) }))
	}
	if c.RestartAt > 0 {
		figures = append(figures,
			with("server restarted after "+lasting(c.RestartAt), "handshakes/s", 0, func(r crowd.Row) table.Cell { return table.Known(r.Balance.Restart.Handshakes, finding.Count) }),
			with("", "before", 0, func(r crowd.Row) table.Cell { return table.Known(r.Balance.Restart.Before, finding.Count) }),
			with("", "accept queue", 0, func(r crowd.Row) table.Cell { return table.Known(r.Balance.Restart.Queue, finding.Count) }),
			with("", "calm after, s", 0, func(r crowd.Row) table.Cell { return seconds(r.Balance.Restart.Calm) }))
	}
	if len(figures) == 0 {
		return table.Table{}
	}
	t := tableOf("Servers that came", r.Rows, r.Verdict.Best, figures...)
	if len(t.Columns) == 1 {
		return table.Table{}
	}
	return t
}

// Little holds what the server held against Little's law.
func Little(r *crowd.Result) table.Table {
	t := tableOf("Little’s law", r.Rows, r.Verdict.Best,
		with("connections", "λ, /s", 0, func(r crowd.Row) table.Cell { return table.Known(r.Little.Rate, rate) }),
		with("", "W, s", 0, func(r crowd.Row) table.Cell {
			return table.Known(r.Little.Time, func(ms float64) string { return finding.Fixed(ms/1000, 2) })
		}),
		with("held", "λ W", 0, func(r crowd.Row) table.Cell { return table.Known(r.Little.Predicted, held) }),
		with("", "seen", 0, func(r crowd.Row) table.Cell { return table.Known(r.Little.Held, held) }),
		with("", "off by", 0, func(r crowd.Row) table.Cell { return offBy(r.Little) }),
		with("steady, s", "from", 0, func(r crowd.Row) table.Cell { return instant(r.Little.From, r.Little) }),
		with("", "to", 0, func(r crowd.Row) table.Cell { return instant(r.Little.To, r.Little) }),
		with("", "why not", 0, func(r crowd.Row) table.Cell { return table.Word(strings.ReplaceAll(r.Little.Why, "-", " ")) }))
	if len(t.Columns) == 1 {
		return table.Table{}
	}
	return t
}

// offBy is how far what was held is from what the law says.
func offBy(l crowd.Little) table.Cell {
	predicted, ok := l.Predicted.Get()
	seen, ok2 := l.Held.Get()
	if !ok || !ok2 || predicted == 0 {
		return table.Unknown()
	}
	return table.Number(seen/predicted-1, func(v float64) string {
		if v < 0 {
			return "−" + finding.Fixed(-100*v, 1) + " %"
		}
		return "+" + finding.Fixed(100*v, 1) + " %"
	})
}

func instant(t linger.Instant, l crowd.Little) table.Cell {
	if l.Rate.IsZero() {
		return table.Unknown()
	}
	return table.Number(t.Milliseconds()/1000, finding.Tenth)
}

// Foreseen are predictions of what other idle timeouts would do; no rows where none was made.
func Foreseen(r *crowd.Result) table.Table {
	rows := make([]crowd.Row, len(r.Foreseen))
	for i, f := range r.Foreseen {
		rows[i] = f.Row
	}
	unit := timesOf(rows)
	t := table.Table{Caption: "Predicted: other idle timeouts of the server", Columns: []table.Column{
		{Head: "strategy", Align: table.Left, Short: 12}, {Over: "idle", Head: "timeout"}, {Over: "page time, " + unit.unit, Head: "median"}, {Head: "p95"}, {Head: "worst"},
		{Over: "pages", Head: "/s"}, {Over: "waits, " + unit.unit, Head: "p95"}, {Over: "held", Head: "mean"}, {Head: "peak"}, {Over: "conns", Head: "a page"},
	}}
	for _, f := range r.Foreseen {
		p := f.Row.Pages
		line := t.Add(table.Word(table.Short(f.Strategy, report.LongestName)), table.Number(f.IdleTimeout.Seconds(), idle),
			unit.page(p, median), unit.page(p, p95), unit.page(p, worst), table.Known(f.Row.Rate, rate), unit.wait(f.Row.Waits, p95),
			table.Known(f.Row.Server.Sockets.Mean, held), table.Known(f.Row.Server.Sockets.Peak, held), table.Known(f.Row.PerPage, finding.Count))
		if advised, ok := r.Verdict.IdleTimeout.Get(); ok && advised == f.IdleTimeout && (r.Verdict.Best == "" || r.Verdict.Best == f.Strategy) {
			line.Best = true
			for i := range line.Cells {
				line.Cells[i].Style = table.Good
			}
		}
	}
	return t
}

// idle writes an idle timeout, in s; 0 is none.
func idle(s float64) string {
	if s == 0 {
		return "none"
	}
	return finding.Lasting(1000 * s)
}

// meanPeak is the mean of a level and its peak.
func meanPeak(l crowd.Level) table.Cell {
	if l.Mean.IsZero() && l.Peak.IsZero() {
		return table.Unknown()
	}
	return table.Word(table.Known(l.Mean, held).Text + "/" + table.Known(l.Peak, finding.Count0).Text)
}

// flaggedInt is a count of what should be nothing.
func flaggedInt(n int) table.Cell {
	c := table.Int(n)
	if n > 0 {
		c.Style = table.Bad
	}
	return c
}

func seconds(o linger.Opt[time.Duration]) table.Cell {
	if d, ok := o.Get(); ok {
		return table.Number(d.Seconds(), finding.Tenth)
	}
	return table.Unknown()
}

// rate writes a number a second, to three digits.
func rate(v float64) string { return finding.Fixed(v, min(2, max(0, finding.Decimals(v, 0)))) }

// held writes a mean of a count: a tenth only where there are few.
func held(v float64) string {
	if v < 10 {
		return finding.Trimmed(v, 1)
	}
	return finding.Count0(v)
}

func hundredth(v float64) string { return finding.Fixed(v, 2) }
