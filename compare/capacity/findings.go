package capacity

import (
	"cmp"
	"slices"

	"linger"
	"linger/finding"
	"linger/stats"
	"linger/tally"
)

// A Ratio holds a strategy against the first that keeps connections, or else the first of all:
// its figure divided by the other's. Rates and processor times are divided turn by turn, since
// what the machine does besides changes from one to the next; the ratio is the median of those. One without
// interval is of one turn, one that is absent of none, or not known.
type Ratio struct {
	Strategy  string               `json:"strategy,omitempty"`
	To        string               `json:"to,omitempty"`
	Rate      linger.Opt[Estimate] `json:"rate,omitzero"`
	CPU       linger.Opt[Estimate] `json:"cpu,omitzero"`
	ServerCPU linger.Opt[Estimate] `json:"server_cpu,omitzero"`
	P50       linger.Opt[float64]  `json:"p50,omitzero"`
	P99       linger.Opt[float64]  `json:"p99,omitzero"`
}

// ratioOf holds a against b.
func ratioOf(a, b Row) Ratio {
	of := func(a, b []float64) linger.Opt[Estimate] {
		var each []float64
		for i := range min(len(a), len(b)) {
			if b[i] > 0 {
				each = append(each, a[i]/b[i])
			}
		}
		return median(stats.New(each...), min(len(a), len(b)))
	}
	by := func(a, b linger.Opt[float64]) linger.Opt[float64] {
		x, ok := a.Get()
		y, ok2 := b.Get()
		if !ok || !ok2 || y <= 0 {
			return linger.Opt[float64]{}
		}
		return linger.Known(x / y)
	}
	return Ratio{
		Strategy: a.Strategy, To: b.Strategy, Rate: of(a.Rates, b.Rates),
		CPU: of(a.cpus[0], b.cpus[0]), ServerCPU: of(a.cpus[1], b.cpus[1]),
		P50: by(a.Latency.P50, b.Latency.P50), P99: by(a.Latency.P99, b.Latency.P99),
	}
}

// ratios holds every other strategy against one.
func (r *Result) ratios() []Ratio {
	to := max(0, slices.IndexFunc(r.Rows, func(row Row) bool { return row.Persistent }))
	var out []Ratio
	for i, row := range r.Rows {
		if i != to {
			out = append(out, ratioOf(row, r.Rows[to]))
		}
	}
	return out
}

// best returns the strategy of either kind that served most a second, or that took least of the
// processor where the rate was given; false where there is none.
func (r *Result) best(persistent bool) (Row, bool) {
	var of []Row
	for _, row := range r.Rows {
		if row.Persistent == persistent {
			of = append(of, row)
		}
	}
	if len(of) == 0 {
		return Row{}, false
	}
	return slices.MaxFunc(of, func(a, b Row) int {
		if r.Settings.Rate != "" {
			return cmp.Compare(costOf(b), costOf(a))
		}
		return cmp.Compare(a.Rate.Value, b.Rate.Value)
	}), true
}

// costOf is the processor time of a request: the server's where it is known.
func costOf(r Row) float64 { return r.ServerCPU.Or(r.CPU.Or(Estimate{})).Value }

// find lists what was found, what was asked first.
func (r *Result) find() []finding.Finding {
	out := []finding.Finding{r.answer()}
	for i, row := range r.Rows {
		if row.Requests.Answered == 0 {
			continue
		}
		if f, ok := ended(row, r.Turns[i]); ok {
			out = append(out, f)
		}
		if kind, n := mostOf(row.Connections.Failed); n > 0 {
			out = append(out, finding.Finding{
				Code: FoundRefused, Severity: finding.Warning, Subject: ofStrategy(row), Cause: string(kind),
				Figures: finding.Figures{finding.Number("failed", float64(total(row.Connections.Failed)), ""), finding.Number("attempted", float64(row.Connections.Attempted), "")},
			})
		}
		if f, ok := timeWait(row); ok {
			out = append(out, f)
		}
	}
	return out
}

func ofStrategy(r Row) finding.Subject { return finding.Subject{Kind: "strategy", Name: r.Strategy} }

// answer is what is said first.
func (r *Result) answer() finding.Finding {
	if !slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Requests.Answered > 0 }) {
		return unserved(r.Rows)
	}
	kept, isKept := r.best(true)
	closed, isClosed := r.best(false)
	switch {
	case len(r.Rows) == 1:
		row := r.Rows[0]
		return finding.Finding{Code: FoundOne, Severity: finding.Note, Subject: ofStrategy(row), Figures: slices.Concat(figuresOf(row), finding.Figures{
			finding.Number("connections", float64(row.Opened), ""), finding.Number("asked", float64(row.Asked), ""),
		})}
	case isKept && isClosed:
		return r.cost(closed, kept)
	}
	rows := slices.Clone(r.Rows)
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(b.Rate.Value, a.Rate.Value) })
	f := finding.Finding{Code: FoundFastest, Severity: finding.Note, Subject: ofStrategy(rows[0]), Cause: r.verdict(rows[0], rows[1])}
	f.Figures = slices.Concat(figuresOf(rows[0]), figuresOf(rows[1]))
	if ratio, ok := ratioOf(rows[0], rows[1]).Rate.Get(); ok {
		f.Figures = append(f.Figures, ratio.Figure("ratio", ""))
	}
	return f
}

// unserved is that nothing was answered.
func unserved(rows []Row) finding.Finding {
	var why map[tally.Failure]int64
	cut := int64(0)
	for _, row := range rows {
		cut += row.Requests.Cut
		for _, m := range []map[tally.Failure]int64{row.Connections.Failed, row.Requests.Failed, row.Requests.Unsent} {
			why = added(why, m)
		}
	}
	kind, n := mostOf(why)
	return finding.Finding{
		Code: FoundUnserved, Severity: finding.Error, Cause: string(kind), Figures: finding.Figures{finding.Number("n", float64(n), ""), finding.Number("cut", float64(cut), "")},
	}
}

// figuresOf are those of a strategy that an answer tells.
func figuresOf(r Row) finding.Figures {
	f := finding.Figures{r.Rate.Figure("rate", "").Whose(r.Strategy)}
	for _, c := range []struct {
		name string
		of   linger.Opt[Estimate]
	}{{"cpu", r.CPU}, {"server_cpu", r.ServerCPU}} {
		if e, ok := c.of.Get(); ok {
			f = append(f, e.Figure(c.name, "ms").Whose(r.Strategy))
		}
	}
	for _, q := range []struct {
		name string
		of   linger.Opt[float64]
	}{{"p50", r.Latency.P50}, {"p99", r.Latency.P99}} {
		if v, ok := q.of.Get(); ok {
			f = append(f, finding.Number(q.name, v, "ms").Whose(r.Strategy))
		}
	}
	return f
}

// cost is what it costs to keep no connection.
func (r *Result) cost(closed, kept Row) finding.Finding {
	f := finding.Finding{Code: FoundCost, Severity: finding.Note, Subject: ofStrategy(closed), Cause: r.verdict(closed, kept)}
	f.Figures = slices.Concat(figuresOf(closed), figuresOf(kept))
	ratio := ratioOf(closed, kept)
	for _, of := range []struct {
		name string
		v    linger.Opt[Estimate]
	}{{"capacity", ratio.Rate}, {"cpu_ratio", ratio.CPU}, {"server_cpu_ratio", ratio.ServerCPU}} {
		if e, ok := of.v.Get(); ok {
			f.Figures = append(f.Figures, e.Figure(of.name, ""))
		}
	}
	if v, ok := ratio.P99.Get(); ok {
		f.Figures = append(f.Figures, finding.Number("p99_ratio", v, ""))
	}
	if f.Cause == CauseLess {
		f.Severity = finding.Warning
	}
	return f
}

// verdict says how a strategy's rate stands to another's.
func (r *Result) verdict(a, b Row) string {
	ratio, ok := ratioOf(a, b).Rate.Get()
	low, bounded := ratio.Low.Get()
	switch {
	case a.Rate.Value == 0 || b.Rate.Value == 0:
		return CauseNone
	case r.Settings.Rate != "":
		return CauseRate
	case !ok || !bounded:
		return CauseFew
	case ratio.High.Or(0) < 1:
		return CauseLess
	case low > 1:
		return CauseMore
	}
	return CauseEqual
}

// ended finds that the server ends connections that were to be kept.
func ended(row Row, runs []tally.Run) (f finding.Finding, ok bool) {
	if !row.Persistent {
		return f, false
	}
	closed := int64(0)
	for how, n := range row.Connections.Closed {
		if how.By == tally.ByServer || how.Why == tally.WhyAnnounced {
			closed += n
		}
	}
	if closed == 0 {
		return f, false
	}
	carried, _ := row.Connections.Carried.Quantile(0.5)
	most, _ := row.Connections.Carried.Max()
	f = finding.Finding{Code: FoundEnded, Severity: finding.Note, Subject: ofStrategy(row), Cause: CauseUnsaid, Figures: finding.Figures{
		finding.Number("closed", float64(closed), ""), finding.Number("opened", float64(row.Opened), ""), finding.Number("carried", float64(carried), ""),
	}}
	switch {
	// As many as were closed had carried the most that any did.
	case 10*atMost(&row.Connections.Carried) >= 9*closed:
		f.Cause = CauseLimit
		f.Figures = append(f.Figures, finding.Number("limit", float64(most), ""))
	case row.Connections.SaidClose*2 > closed:
		f.Cause = CauseSaid
	}
	if row.PerConnection.Or(0) < 10 {
		f.Severity = finding.Warning
	}
	return f, true
}

// atMost counts the values that are in the bucket of the greatest, which is as narrow as the
// histogram's error.
func atMost(h *stats.Histogram) (n int64) {
	most, _ := h.Max()
	h.Each(func(top, count int64) {
		if top >= most {
			n = count
		}
	})
	return n
}

// timeWait finds that sockets are left in TIME_WAIT, where they are many.
func timeWait(row Row) (f finding.Finding, ok bool) {
	const many = 1000
	w := row.Connections.TimeWait
	if w.Client+w.Server < many || row.Seconds <= 0 {
		return f, false
	}
	f = finding.Finding{Code: FoundTimeWait, Severity: finding.Note, Subject: ofStrategy(row), Cause: CauseServer, Figures: finding.Figures{
		finding.Number("client", float64(w.Client), ""), finding.Number("server", float64(w.Server), ""),
		finding.Number("rate", float64(max(w.Client, w.Server))/row.Seconds, ""),
	}}
	if w.Client > w.Server {
		f.Cause = CauseClient
	}
	return f, true
}
