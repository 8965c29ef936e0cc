package report

import (
	"maps"
	"slices"
	"strconv"

	"linger"
	"linger/compare/capacity"
	"linger/finding"
	"linger/report/table"
	"linger/tally"
)

// LoadRates has a row for each strategy: what was answered, how fast, and what that took. The
// functions write rates and times in ms.
func LoadRates(r *capacity.Result, rate, duration func(float64) string) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "strategy", Align: table.Left, Short: 16}, {Head: "req/s"}, {Head: "interval", Spare: SpareIntervals}, {Head: "p50"}, {Head: "p99"}, {Head: "p99.9", Spare: 2}, {Head: "max", Spare: 3},
		{Head: "CPU/req", Spare: 1}, {Head: "server's"}, {Head: "memory", Spare: 4}, {Head: "failed"},
	}}
	best := -1
	for i, row := range r.Rows {
		if len(r.Rows) > 1 && row.Requests.Answered > 0 && r.Settings.Rate == "" && (best < 0 || row.Rate.Value > r.Rows[best].Rate.Value) {
			best = i
		}
	}
	cost := func(v linger.Opt[capacity.Estimate]) table.Cell {
		if e, ok := v.Get(); ok {
			return table.Number(e.Value, duration)
		}
		return table.Unknown()
	}
	for i, row := range r.Rows {
		between := table.Unknown()
		if low, ok := row.Rate.Low.Get(); ok {
			between = table.Word(finding.Joined(rate(low), rate(row.Rate.High.Or(low))))
		}
		memory := table.Unknown()
		if n, ok := row.ServerMemory.Get(); ok {
			memory = table.Number(float64(n), finding.Bytes)
		}
		failed := table.Number(float64(row.Failed()), finding.Count0)
		failed.Flagged = row.Failed() > 0
		t.Add(table.Word(row.Strategy), table.Number(row.Rate.Value, rate), between, table.Known(row.Latency.P50, duration), table.Known(row.Latency.P99, duration), table.Known(row.Latency.P999, duration), table.Known(row.Latency.Max, duration),
			cost(row.CPU), cost(row.ServerCPU), memory, failed)
		t.Rows[i].Best = i == best
	}
	return t.Without(1, table.Nothing)
}

// LoadConnections has a row for each strategy: which connections were asked for, and what
// became of them; all of it, or what differs from what is to be expected.
func LoadConnections(r *capacity.Result, all bool) table.Table {
	t := table.Table{Caption: "Connections", Columns: []table.Column{
		{Head: "strategy", Align: table.Left, Short: 16}, {Head: "most held/asked"}, {Head: "attempted"}, {Head: "established"}, {Head: "opened/ideal"}, {Head: "failed"},
		{Head: "req/conn"}, {Head: "TLS full/resumed"}, {Head: "ended by client/server"}, {Head: "TIME_WAIT client/server"}, {Head: "retries"},
	}}
	const attempted, established, failures, retries = 2, 3, 5, 10
	count := func(n int64) linger.Opt[float64] { return linger.Known(float64(n)) }
	number := func(n int64) table.Cell { return table.Number(float64(n), finding.Count0) }
	pair := func(a, b linger.Opt[float64]) table.Cell { return table.Pair(a, b, finding.Count0) }
	for _, row := range r.Rows {
		c := row.Connections
		by := map[string]int64{}
		for how, n := range c.Closed {
			by[how.By] += n
		}
		failed := int64(0)
		for _, n := range c.Failed {
			failed += n
		}
		var ideal linger.Opt[float64]
		if n, ok := row.Ideal.Get(); ok {
			ideal = count(n)
		}
		tls := table.Unknown()
		if c.Full+c.Resumed > 0 {
			tls = pair(count(c.Full), count(c.Resumed))
		}
		each := table.Known(row.PerConnection, func(v float64) string { return finding.Trimmed(v, max(0, finding.Decimals(v, 0))) })
		t.Add(table.Word(row.Strategy), pair(count(c.Most), count(int64(row.Asked))), number(c.Attempted), number(c.Established), pair(count(row.Opened), ideal), number(failed),
			each, tls, pair(count(by[tally.ByClient]), count(by[tally.ByServer])), pair(count(c.TimeWait.Client), count(c.TimeWait.Server)), number(row.Requests.Retried))
	}
	if !all {
		var keep []int
		for i := range t.Columns {
			expected := i == attempted || i == established || (i == failures || i == retries) && table.Nought(t.Cells(i))
			if !expected {
				keep = append(keep, i)
			}
		}
		t = t.Only(keep...)
	}
	return t.Without(1, table.Nothing)
}

// LoadLatencies has a row for each strategy and each way to count its latencies.
func LoadLatencies(r *capacity.Result, duration func(float64) string) table.Table {
	t := table.Table{Caption: "Latencies", Columns: []table.Column{
		{Head: "latency", Align: table.Left}, {Head: "p50"}, {Head: "p75"}, {Head: "p90"}, {Head: "p95"}, {Head: "p99"}, {Head: "p99.9"}, {Head: "p99.99"}, {Head: "max"}, {Head: "n"},
	}}
	for _, row := range r.Rows {
		for _, kind := range []struct {
			name string
			of   capacity.Quantiles
		}{
			{"intended to last byte", row.Latency}, {"sent to last byte", row.Sent}, {"sent to first byte", row.First}, {"intended to sent", row.Queued},
			{"connecting", row.Connecting}, {"with connecting", row.With}, {"without connecting", row.Without},
		} {
			q := kind.of
			if q.N == 0 {
				continue
			}
			cells := []table.Cell{table.Word(kind.name)}
			for _, v := range []linger.Opt[float64]{q.P50, q.P75, q.P90, q.P95, q.P99, q.P999, q.P9999, q.Max} {
				if ms, ok := v.Get(); ok {
					cells = append(cells, table.Number(ms, duration))
				} else {
					cells = append(cells, table.Unknown())
				}
			}
			t.Add(append(cells, table.Int(int(q.N)))...)
			t.Rows[len(t.Rows)-1].Group = row.Strategy
		}
	}
	return t
}

// LoadDistribution has a row for each part of a strategy's latencies.
func LoadDistribution(row capacity.Row, most int, duration func(float64) string) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "latency", Align: table.Left}, {Head: "share"}, {Head: "requests"}}}
	for i, part := range row.Distribution(most) {
		name := finding.Joined(duration(part.From), duration(part.To))
		if i == 0 {
			name = "up to " + duration(part.To)
		}
		t.Add(table.Word(name), table.Number(part.Share, finding.SharpShare), table.Int(int(part.N)))
	}
	return t
}

// LoadCounts has a row for each kind of answer, of failure and of end that there was.
func LoadCounts(r *capacity.Result) table.Table {
	t := table.Table{Caption: "Counts", Columns: []table.Column{{Head: "what", Align: table.Left}, {Head: "n"}}}
	for _, row := range r.Rows {
		add := func(name string, n int64) {
			if n > 0 {
				t.Add(table.Word(name), table.Int(int(n)))
				t.Rows[len(t.Rows)-1].Group = row.Strategy
			}
		}
		q, c := row.Requests, row.Connections
		add("requests intended", q.Intended)
		add("requests sent", q.Sent)
		add("requests answered", q.Answered)
		for _, status := range slices.Sorted(maps.Keys(q.Statuses)) {
			add("status "+strconv.Itoa(status), q.Statuses[status])
		}
		for _, kind := range slices.Sorted(maps.Keys(q.Failed)) {
			add("requests failed: "+string(kind), q.Failed[kind])
		}
		for _, kind := range slices.Sorted(maps.Keys(q.Unsent)) {
			add("requests never sent: "+string(kind), q.Unsent[kind])
		}
		add("requests under way at the end", q.Cut)
		add("requests that waited at the end", q.Waiting)
		add("bytes up", q.Up)
		add("bytes down", q.Down)
		for _, kind := range slices.Sorted(maps.Keys(c.Failed)) {
			add("connections failed: "+string(kind), c.Failed[kind])
		}
		ends := map[string]int64{}
		for how, n := range c.Closed {
			text, _ := how.MarshalText() // it has no error
			ends["connections ended: "+string(text)] += n
		}
		for _, name := range slices.Sorted(maps.Keys(ends)) {
			add(name, ends[name])
		}
		add("connections open at the end", c.Left)
	}
	return t
}

// LoadRatios has a row for each strategy that is held against another.
func LoadRatios(r *capacity.Result) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "req/s"}, {Head: "interval"}, {Head: "CPU/req"}, {Head: "server's CPU/req"}, {Head: "p50"}, {Head: "p99"}}}
	times := func(v linger.Opt[float64]) table.Cell {
		if n, ok := v.Get(); ok {
			return table.Number(n, func(v float64) string { return finding.Trimmed(v, max(0, finding.Decimals(v, 0))) })
		}
		return table.Unknown()
	}
	value := func(v linger.Opt[capacity.Estimate]) linger.Opt[float64] {
		e, ok := v.Get()
		if !ok {
			return linger.Opt[float64]{}
		}
		return linger.Known(e.Value)
	}
	for _, x := range r.Ratios {
		t.Caption = "Compared with " + x.To
		between := table.Unknown()
		if e, ok := x.Rate.Get(); ok {
			if low, ok := e.Low.Get(); ok {
				between = table.Word(finding.Range(low, e.High.Or(low)))
			}
		}
		t.Add(table.Word(x.Strategy), times(value(x.Rate)), between, times(value(x.CPU)), times(value(x.ServerCPU)), times(x.P50), times(x.P99))
	}
	return t.Without(1, table.Nothing)
}

// LoadChange has a row for each strategy that two loads have: what became of it.
func LoadChange(c *capacity.Change, rate func(float64) string) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "strategy", Align: table.Left, Short: 16}, {Head: "req/s before"}, {Head: "after"}, {Head: "after/before"}, {Head: "interval"}, {Head: "p", Spare: 1}, {Head: "CPU/req"}, {Head: "server's"}, {Head: "p50"}, {Head: "p99"}, {Head: "opened before/after", Spare: 2},
	}}
	times := func(v float64) string { return finding.Trimmed(v, max(0, finding.Decimals(v, 0))) }
	value := func(v linger.Opt[capacity.Estimate]) table.Cell {
		if e, ok := v.Get(); ok {
			return table.Number(e.Value, times)
		}
		return table.Unknown()
	}
	for _, m := range c.Rows {
		between := table.Unknown()
		if e, ok := m.Ratio.Rate.Get(); ok && !e.Low.IsZero() {
			between = table.Word(finding.Range(e.Low.Or(0), e.High.Or(0)))
		}
		t.Add(table.Word(m.Strategy), table.Number(m.Before, rate), table.Number(m.After, rate), value(m.Ratio.Rate), between, table.Known(m.RateP, times), value(m.Ratio.CPU), value(m.Ratio.ServerCPU),
			table.Known(m.Ratio.P50, times), table.Known(m.Ratio.P99, times), table.Pair(linger.Known(float64(m.Opened[0])), linger.Known(float64(m.Opened[1])), finding.Count0))
	}
	return t.Without(1, table.Nothing)
}
