package report

import (
	"cmp"
	"slices"
	"strconv"

	"linger"
	"linger/finding"
	"linger/report/table"
	"linger/tune"
)

// shownTimeouts are those of the first screen, in seconds.
var shownTimeouts = []float64{1, 5, 15, 60, 300, 3600}

// TuningPoints are all timeouts, or some with today's and the advised one, the shortest first.
func TuningPoints(r *tune.Result, all bool) (points []tune.Point) {
	for _, p := range r.Points {
		if all || slices.Contains(shownTimeouts, p.Timeout) {
			points = append(points, p)
		}
	}
	for _, p := range []*tune.Point{r.Today, r.Advised} {
		if p != nil && !slices.ContainsFunc(points, func(q tune.Point) bool { return q.Timeout == p.Timeout }) {
			points = append(points, *p)
		}
	}
	slices.SortFunc(points, func(a, b tune.Point) int { return cmp.Compare(a.Timeout, b.Timeout) })
	return points
}

// TuningTimeouts has a row for each timeout: all of them, or some with today's and the
// advised one.
func TuningTimeouts(r *tune.Result, all bool) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "timeout", Align: table.Left}, {Head: "reuse"}, {Head: "conns"}, {Head: "sockets"},
		{Head: "p99"}, {Head: "peak", Spare: 2}, {Head: "TIME_WAIT", Spare: 3}, {Head: "waited for handshakes", Spare: 1}, {Head: "memory", Spare: 4}, {Head: "refused"}, {Head: "or closed early"}, {Head: "", Align: table.Left, Obvious: true},
	}}
	for _, p := range TuningPoints(r, all) {
		name := table.Word(finding.Lasting(1000 * p.Timeout))
		note := ""
		isAdvised := r.Advised != nil && r.Advised.Timeout == p.Timeout
		if r.Today != nil && r.Today.Timeout == p.Timeout {
			note = "today"
		}
		if isAdvised {
			if note != "" {
				note += ", "
			}
			note += "advised"
		}
		waited, memory := table.Unknown(), table.Unknown()
		if w, ok := p.Waiting.Get(); ok {
			waited = between(tune.Bounds{Low: 1000 * w.Low, High: 1000 * w.High}, finding.Waited)
		}
		if m, ok := p.Memory.Get(); ok {
			memory = table.Number(m, finding.Bytes)
		}
		refused, closed := table.Unknown(), table.Unknown()
		if b := p.Budget; b != nil {
			refused, closed = table.Number(float64(b.Refused), finding.Count0), table.Number(float64(b.Closed), finding.Count0)
		}
		t.Add(name, between(p.Reuse, finding.Share), between(p.Connections, finding.Count0), between(p.Mean, sockets),
			table.Number(float64(p.P99), finding.Count0), table.Number(float64(p.Peak), finding.Count0), table.Number(p.TimeWait, sockets), waited, memory, refused, closed, table.Word(note))
		t.Rows[len(t.Rows)-1].Best = isAdvised
	}
	// What a budget takes stands there where it takes something.
	if n := len(t.Columns) - 1; table.Nought(t.Cells(n-2)) && table.Nought(t.Cells(n-1)) {
		t = t.WithoutColumns(func(c table.Column) bool { return c.Head == t.Columns[n-2].Head || c.Head == t.Columns[n-1].Head })
	}
	return t.Without(1, table.Nothing)
}

// TuningMeasures has a row for no timeout and for each: the measures of 1995.
func TuningMeasures(r *tune.Result) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "timeout", Align: table.Left}, {Head: "refusal rate"}, {Head: "re-use rate"}, {Head: "without indexer"}, {Head: "median client"}, {Head: "clients without"},
		{Head: "forced closes"}, {Head: "PCB table"}, {Head: "TIME_WAIT, peak"}, {Head: "packets / request"},
	}}
	if r.Measures == nil {
		return t
	}
	share := func(v linger.Opt[float64]) table.Cell {
		if n, ok := v.Get(); ok {
			return table.Number(n, finding.Share)
		}
		return table.Unknown()
	}
	for _, p := range r.Measures.Points {
		name := "none"
		if p.Timeout > 0 {
			name = finding.Lasting(1000 * p.Timeout)
		}
		t.Add(table.Word(name), share(p.RefusalRate), between(p.ReuseRate, finding.Share), share(p.WithoutIndexer), share(p.Success), share(p.SuccessNever),
			share(p.ForcedCloseRate), table.Number(float64(p.PCBTable), finding.Count0), table.Number(float64(p.TimeWait), finding.Count0),
			table.Number(p.Packets, func(v float64) string { return finding.Fixed(v, 2) }))
	}
	return t.Without(1, table.Nothing)
}

// between is a cell with what lies between two values.
func between(b tune.Bounds, format func(float64) string) table.Cell {
	c := table.Number(b.Mid(), format)
	low, high := format(b.Low), format(b.High)
	if low != high {
		c.Text = finding.Joined(low, high)
	} else {
		c.Text = low
	}
	return c
}

// sockets writes a mean number of sockets.
func sockets(v float64) string {
	if v >= 10 {
		return finding.Count0(v)
	}
	return finding.Fixed(v, 1)
}

// TuningLimits has a row for each limit on requests that was run.
func TuningLimits(r *tune.Result) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "idle timeout", Align: table.Left}, {Head: "max requests"}, {Head: "reuse"}, {Head: "conns opened"}, {Head: "ended by the limit"}, {Head: "largest / mean backend"}}}
	for _, run := range r.Runs {
		limit := table.Word("none")
		if run.Limit > 0 {
			limit = table.Int(int(run.Limit))
		}
		t.Add(table.Word(finding.Lasting(1000*run.Timeout)), limit, table.Number(run.Reuse, finding.Share), table.Number(float64(run.Opened), finding.Count0),
			table.Number(float64(run.Limited), finding.Count0), table.Number(run.Skew, func(v float64) string { return finding.Fixed(v, 2) }))
	}
	return t
}

// TuningObserved has a row for each length of gaps: how many requests came on the old
// connection.
func TuningObserved(r *tune.Result) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "idle for", Align: table.Left}, {Head: "used again"}, {Head: "requests"}, {Head: "on a new one"}}}
	if r.Observed == nil {
		return t
	}
	for _, s := range r.Observed.Steps {
		name := strconv.Itoa(s.From) + " s"
		if s.To > s.From+1 {
			name = finding.Joined(strconv.Itoa(s.From)+" s", strconv.Itoa(s.To)+" s")
		}
		if s.To > 3600 {
			name = "over " + strconv.Itoa(s.From) + " s"
		}
		t.Add(table.Word(name), table.Number(s.Share(), finding.Share), table.Int(int(s.Reused)), table.Int(int(s.New)))
	}
	return t
}

// seconds names what lasts from so many whole seconds to less than others; 0 is no end.
func seconds(from, to int) string {
	switch {
	case to == 0:
		return strconv.Itoa(from) + " s or more"
	case from == 0:
		return "less than " + strconv.Itoa(to) + " s"
	}
	return finding.Joined(strconv.Itoa(from)+" s", strconv.Itoa(to)+" s")
}

// TuningGaps has a row for each of the bins of gaps.
func TuningGaps(bins []tune.Bin) table.Table {
	t := table.Table{Caption: "Gaps", Columns: []table.Column{{Head: "idle for", Align: table.Left}, {Head: "requests"}, {Head: "share"}, {Head: "up to here"}, {Head: "within the timeout"}}}
	all, sum := int64(0), int64(0)
	for _, b := range bins {
		all += b.Requests
	}
	of := func(n int64) table.Cell {
		if all == 0 {
			return table.Unknown()
		}
		return table.Number(float64(n)/float64(all), finding.Share)
	}
	for _, b := range bins {
		sum += b.Requests
		t.Add(table.Word(seconds(b.From, b.To)), table.Int(int(b.Requests)), of(b.Requests), of(sum), table.Int(int(b.Within)))
	}
	return t
}

// TuningHours has a row for each hour of the day.
func TuningHours(r *tune.Result) table.Table {
	t := table.Table{Caption: "Requests by the hour of the day, UTC", Columns: []table.Column{{Head: "hour, UTC", Align: table.Left}, {Head: "requests"}}}
	for hour, n := range r.Hours {
		t.Add(table.Word(strconv.Itoa(hour)+":00"), table.Int(int(n)))
	}
	return t
}
