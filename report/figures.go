package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/finding"
	"linger/report/table"
)

// Figures are the tables of what each strategy takes and holds; there is none where
// there is no strategy. The first has the times in its second column.
func Figures(f compare.Findings) []table.Table {
	if len(f.Rows) == 0 {
		return nil
	}
	all := []table.Table{costs(f)}
	if isDNS(f) {
		all = append(all, queries(f))
	} else {
		all = append(all, requests(f))
	}
	all = append(all, holds(f))
	if hasSetUp(f) {
		all = append(all, setUp(f))
	}
	// Beside the strategies something is to be seen.
	all = slices.DeleteFunc(all, func(t table.Table) bool { return len(t.Columns) < 2 })
	for i, t := range all {
		var heads []string
		for _, c := range t.Columns[1:] {
			heads = append(heads, c.Head)
		}
		all[i].Caption = "Of each strategy: " + strings.Join(heads, ", ")
	}
	return all
}

// A figure is a column of such a table.
type figure struct {
	table.Column
	cell func(compare.Row) table.Cell
	// some leaves the column out where it has nothing but 0.
	some bool
}

// numeric is a figure that is a number.
func numeric(c table.Column, of func(compare.Row) linger.Opt[float64], format func(float64) string) figure {
	return figure{Column: c, cell: func(r compare.Row) table.Cell { return table.Known(of(r), format) }}
}

// someOf is a figure that is left out where it has nothing but 0.
func someOf(f figure) figure {
	f.some = true
	return f
}

// head is a column of numbers; columns with the highest spare go first where there is no room.
func head(text string, spare int) table.Column { return table.Column{Head: text, Spare: spare} }

// ofStrategies makes a table of some figures of every strategy, the non-persistent
// ones first. Figures of which nothing is known are left out, but for the first ones,
// so many.
func ofStrategies(f compare.Findings, first int, figures ...figure) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "strategy", Align: table.Left}}}
	figures = slices.DeleteFunc(figures, func(g figure) bool {
		return g.some && !slices.ContainsFunc(f.Rows, func(r compare.Row) bool { return !table.Nought([]table.Cell{g.cell(r)}) })
	})
	for _, g := range figures {
		t.Columns = append(t.Columns, g.Column)
	}
	kind := ""
	for _, i := range Order(f.Rows) {
		r := f.Rows[i]
		name := table.Word(table.Short(r.Strategy, LongestName))
		name.Flagged = r.NotHonoured
		row := t.Add(name)
		for _, g := range figures {
			row.Cells = append(row.Cells, g.cell(r))
		}
		row.Best = f.Verdict.Best != "" && r.Strategy == f.Verdict.Best
		if of := Kind(r); of != kind {
			kind, row.Group = of, of
		}
	}
	return t.Without(1+first, table.Nothing)
}

// Order lists the rows, the non-persistent first.
func Order(rows []compare.Row) []int {
	var kept, closed []int
	for i, r := range rows {
		if r.Persistent {
			kept = append(kept, i)
		} else {
			closed = append(closed, i)
		}
	}
	return append(closed, kept...)
}

// LongestName is how many letters of the name of a strategy are shown.
const LongestName = 20

// Kind is the family that a strategy is of.
func Kind(r compare.Row) string {
	if r.Persistent {
		return "with keep-alive"
	}
	return "without keep-alive"
}

// costs is the table of what the load takes.
func costs(f compare.Findings) table.Table {
	t := timeColumn(f)
	figures := []figure{
		t,
		interval(f, t.Unit),
		ratio(f),
		numeric(head("conns", 0), func(r compare.Row) linger.Opt[float64] { return r.Connections }, finding.Count),
	}
	if isDNS(f) {
		figures = append(figures, eachQuery()...)
	}
	figures = append(figures,
		numeric(head("RTTs", 2), func(r compare.Row) linger.Opt[float64] { return r.RoundTrips }, finding.RTTs),
		figure{Column: head("RTTs, range", SpareIntervals), cell: roundTrips},
		numeric(head("packets", 3), func(r compare.Row) linger.Opt[float64] { return sum(r.Packets) }, finding.Count),
		numeric(head("wire kB", 4), func(r compare.Row) linger.Opt[float64] { return sum(r.WireBytes) }, finding.WholeKB),
	)
	if slices.ContainsFunc(f.Rows, func(r compare.Row) bool { return r.Failed > 0 }) {
		figures = append(figures, failed())
	}
	return ofStrategies(f, 1, figures...)
}

// ratio is how the time stands to that of the fastest.
func ratio(f compare.Findings) figure {
	return figure{Column: table.Column{Head: VersusBest, Spare: 1}, cell: func(r compare.Row) table.Cell {
		return table.Known(r.RatioToBest, func(v float64) string {
			if f.Verdict.Fastest == r.Strategy {
				return "best"
			}
			return finding.Times(v) + "×"
		})
	}}
}

// failed is how many trials of how many did not deliver everything.
func failed() figure {
	return figure{Column: head("failed", 0), cell: func(r compare.Row) table.Cell {
		return table.Word(fmt.Sprintf("%d/%d", r.Failed, r.Trials))
	}}
}

// eachQuery are the figures of a single query that a first screen has.
func eachQuery() []figure {
	return []figure{
		quantile("query, ms", 1, 0.5),
		numeric(head("B/query", 1), func(r compare.Row) linger.Opt[float64] { return r.DNS.Or(compare.DNS{}).Bytes }, whole),
	}
}

// VersusBest is the head of the column of ratios to the fastest.
const VersusBest = "vs best"

// SpareIntervals is the least Spare of the columns of intervals.
const SpareIntervals = 6

// Times tells the time of a row as the tables do: all in one unit.
func Times(f compare.Findings) (of func(compare.Row) table.Cell, unit string) {
	c := timeColumn(f)
	return c.cell, c.Unit
}

// unitOf is the unit of all times of a result, and how many ms it has.
func unitOf(f compare.Findings) (unit string, scale float64) {
	for _, r := range f.Rows {
		if t, _ := r.Time.Get(); t.Median >= 1000 || r.AtLeast.Or(0) >= 1000 {
			return "s", 1000
		}
	}
	return "ms", 1
}

// timeColumn is the column of times, all in one unit.
func timeColumn(f compare.Findings) figure {
	unit, scale := unitOf(f)
	column := table.Column{Head: "time, " + unit, Unit: unit, Align: table.Point}
	if f.Trials > 1 {
		column.Head = "median, " + unit
	}
	return figure{Column: column, cell: func(r compare.Row) table.Cell { return timeIn(r, f, scale) }}
}

// timeIn is the time of a row in a unit that has so many ms.
func timeIn(r compare.Row, f compare.Findings, scale float64) table.Cell {
	t, ok := r.Time.Get()
	if least, bounded := r.AtLeast.Get(); !ok && bounded {
		return table.Word("≥" + finding.Fixed(least/scale, finding.Decimals(least/scale, least/scale/10)))
	}
	if !ok {
		return table.Unknown()
	}
	v := t.Median / scale
	// Two digits at least, so that rows can be told apart beside their intervals.
	return table.Measured(v, linger.Opt[float64]{}, max(finding.Decimals(v, t.Blur(f.Provenance)/scale), finding.Decimals(v, v/10)))
}

// interval is the column of the intervals of the times, in their unit.
func interval(f compare.Findings, unit string) figure {
	_, scale := unitOf(f)
	name := "interval"
	if c, ok := Confidence(f); ok {
		name = finding.Trimmed(100*c, 0) + " % CI"
	}
	return figure{Column: head(name+", "+unit, SpareIntervals), cell: func(r compare.Row) table.Cell {
		t, _ := r.Time.Get()
		low, ok := t.Low.Get()
		high, closed := t.High.Get()
		switch {
		case !ok:
			return table.Unknown()
		case !closed:
			return table.Word("≥" + finding.Fixed(low/scale, finding.Decimals(low/scale, low/scale/10)))
		}
		return table.Word(finding.Span(low/scale, high/scale))
	}}
}

// Confidence is the least confidence of the intervals of the times; ok is false where there
// is none.
func Confidence(f compare.Findings) (least float64, ok bool) {
	for _, r := range f.Rows {
		t, _ := r.Time.Get()
		if c, known := t.Confidence.Get(); known {
			least, ok = min(c, cmp.Or(least, c)), true
		}
	}
	return least, ok
}

// roundTrips are the least and the most that the round trips of a row may be, where those are
// shown as two.
func roundTrips(r compare.Row) table.Cell {
	v, ok := r.RoundTrips.Get()
	d := r.TripsUncertainty.Or(0)
	low, high := finding.RTTs(max(v-d, 0)), finding.RTTs(v+d)
	if !ok || low == high {
		return table.Unknown()
	}
	return table.Word(low + "–" + high)
}

// holds is the table of what the load keeps busy, and wastes.
func holds(f compare.Findings) table.Table {
	figures := []figure{
		numeric(head("handshakes", 8), func(r compare.Row) linger.Opt[float64] { return r.Handshakes }, finding.Count),
		numeric(head("requests per conn", 1), func(r compare.Row) linger.Opt[float64] { return r.RequestsPerConnection }, finding.Count),
		numeric(head("overhead", 2), func(r compare.Row) linger.Opt[float64] { return r.Overhead }, finding.Share),
		someOf(numeric(head("unanswered", 2), func(r compare.Row) linger.Opt[float64] { return r.RequestsUnanswered }, finding.Count)),
		numeric(head("retransmitted", 3), func(r compare.Row) linger.Opt[float64] { return r.Retransmitted }, finding.Count),
		{Column: head("peak sockets", 4), cell: func(r compare.Row) table.Cell {
			return table.Pair(r.Sockets.ClientPeak, r.Sockets.ServerPeak, finding.Count)
		}},
		numeric(head("TIME_WAIT", 5), func(r compare.Row) linger.Opt[float64] { return r.Sockets.TimeWait }, finding.Count),
		{Column: head("peak socket kB", 6), cell: func(r compare.Row) table.Cell {
			return table.Pair(r.SocketMemory.ClientPeak, r.SocketMemory.ServerPeak, finding.WholeKB)
		}},
	}
	figures = append(figures, someOf(numeric(head("server RSS MB", 7), func(r compare.Row) linger.Opt[float64] { return r.Resident.ServerPeak }, mega)))
	if !hasSetUp(f) { // else it stands beside what it is spent on
		figures = append(figures, cpu(7))
	}
	return ofStrategies(f, 0, figures...)
}

// hasSetUp reports whether set-up is more than TCP's three-way handshake, so that
// what it costs is worth a table.
func hasSetUp(f compare.Findings) bool {
	return f.Workload.Scheme == linger.SchemeHTTPS || slices.ContainsFunc(f.Rows, func(r compare.Row) bool {
		return r.Handshake.QUIC.Or(0) > 0 || r.Handshake.TLSFull.Or(0)+r.Handshake.TLSResumed.Or(0) > 0 || !r.FastOpen.IsZero()
	})
}

// setUp is the table of what it takes until requests may be sent.
func setUp(f compare.Findings) table.Table {
	number := func(name string, spare int, of func(compare.Row) linger.Opt[float64]) figure {
		return numeric(head(name, spare), of, finding.Count)
	}
	// A column in which no handshake stands is one of which nobody makes use.
	return ofStrategies(f, 0,
		numeric(head("setup RTTs", 0), func(r compare.Row) linger.Opt[float64] { return r.SetupRoundTrips }, finding.RTTs),
		someOf(number("TCP", 0, func(r compare.Row) linger.Opt[float64] { return r.Handshake.TCP })),
		someOf(number("QUIC", 0, func(r compare.Row) linger.Opt[float64] { return r.Handshake.QUIC })),
		someOf(number("TLS full", 0, func(r compare.Row) linger.Opt[float64] { return r.Handshake.TLSFull })),
		someOf(number("TLS resumed", 0, func(r compare.Row) linger.Opt[float64] { return r.Handshake.TLSResumed })),
		number("early data", 4, func(r compare.Row) linger.Opt[float64] { return r.EarlyData }),
		number("fast open", 5, func(r compare.Row) linger.Opt[float64] { return r.FastOpen }),
		figure{Column: head("TLS kB up/down", 6), cell: func(r compare.Row) table.Cell {
			v, ok := r.HandshakeBytes.Get()
			if !ok {
				return table.Unknown()
			}
			return table.Word(finding.KB(v.Up) + "/" + finding.KB(v.Down))
		}},
		cpu(1))
}

// cpu is the column of CPU time.
func cpu(spare int) figure {
	return figure{Column: head("CPU, ms", spare), cell: func(r compare.Row) table.Cell {
		return table.Pair(r.CPU.Client, r.CPU.Server, whole)
	}}
}

// requests is the table of what one request takes.
func requests(f compare.Findings) table.Table {
	return ofStrategies(f, 0, quantile("request, ms", 0, 0.5), quantile("p95", 0, 0.95), quantile("p99", 0, 0.99))
}

// quantile is the column of what a request, or a query, takes at a quantile, in ms.
func quantile(name string, spare int, q float64) figure {
	return numeric(head(name, spare), func(r compare.Row) (o linger.Opt[float64]) {
		if s, ok := r.Request.Get(); ok {
			o = s.Quantile(q)
		}
		return o
	}, func(v float64) string { return finding.Fixed(v, max(0, finding.Decimals(v, 0))) })
}

// queries is the table of what one query takes.
func queries(f compare.Findings) table.Table {
	number := func(name string, spare int, of func(compare.DNS) linger.Opt[float64], format func(float64) string) figure {
		return numeric(head(name, spare), func(r compare.Row) linger.Opt[float64] { return of(r.DNS.Or(compare.DNS{})) }, format)
	}
	additional := func(name string, spare int, of func(compare.Kept) float64, format func(float64) string) figure {
		return number(name, spare, func(d compare.DNS) (o linger.Opt[float64]) {
			if k, ok := d.Kept.Get(); ok {
				o = linger.Known(of(k))
			}
			return o
		}, format)
	}
	count := func(name string, of func(compare.Row) linger.Opt[float64]) figure {
		return someOf(numeric(head(name, 1), of, whole))
	}
	ofDNS := func(of func(compare.DNS) linger.Opt[int]) func(compare.Row) linger.Opt[float64] {
		return func(r compare.Row) (o linger.Opt[float64]) {
			d, ok := r.DNS.Get()
			if n, known := of(d).Get(); ok && known {
				o = linger.Known(float64(n))
			}
			return o
		}
	}
	return ofStrategies(f, 0,
		quantile("query, ms", 0, 0.5),
		quantile("p95", 0, 0.95),
		quantile("p99", 0, 0.99),
		number("bytes", 0, func(d compare.DNS) linger.Opt[float64] { return d.Bytes }, whole),
		number("packets", 0, func(d compare.DNS) linger.Opt[float64] { return d.Packets }, finding.RTTs),
		additional("additional bytes", 2, func(k compare.Kept) float64 { return k.QueryBytes }, whole),
		additional("packets", 3, func(k compare.Kept) float64 { return k.QueryPackets }, finding.RTTs),
		count("failed", ofDNS(func(d compare.DNS) linger.Opt[int] { return linger.Known(d.Failed) })),
		count("retransmitted", ofDNS(func(d compare.DNS) linger.Opt[int] { return d.Retransmitted })),
		count("truncated", ofDNS(func(d compare.DNS) linger.Opt[int] { return d.Truncated })),
	)
}

func sum(o linger.Opt[facts.Directions]) (out linger.Opt[float64]) {
	if v, ok := o.Get(); ok {
		out = linger.Known(v.Sum())
	}
	return out
}

// isDNS reports whether names were looked up.
func isDNS(f compare.Findings) bool { return f.Workload.Scheme == linger.SchemeDNS }

func whole(v float64) string { return finding.Fixed(v, 0) }

// mega writes bytes in MB.
func mega(v float64) string { return finding.Fixed(v/1e6, 1) }
