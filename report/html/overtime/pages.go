package overtime

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"linger"
	"linger/compare/crowd"
	"linger/finding"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/trace"
)

// mostDots bounds the pages of a strategy that are drawn one by one; of more there are bins over
// time.
const (
	mostDots = 400
	bins     = 60
)

// A page of one client.
type page struct {
	client, number int
	wanted         linger.Instant
	took           linger.Opt[float64] // ms; unknown where it failed or had not ended
}

// pagesOf are those of a run, in the order in which they were wanted.
func pagesOf(run *trace.Crowd) []page {
	out := make([]page, len(run.Visits))
	for i, v := range run.Visits {
		out[i] = page{client: v.Client, number: v.Number, wanted: v.Wanted}
		if done, ok := v.Done.Get(); ok && v.Failed == 0 {
			out[i].took = linger.Known((done - v.Wanted).Milliseconds())
		}
	}
	slices.SortStableFunc(out, func(a, b page) int { return cmp.Compare(a.wanted, b.wanted) })
	return out
}

// decades is the scale of the time of pages: logarithmic, from Least to Most, in ms.
type decades struct{ least, most float64 }

const pagesTop, pagesBase draw.PX = 18, 128

func (d decades) at(ms float64) draw.PX {
	share := math.Log(min(max(ms, d.least), d.most)/d.least) / math.Log(d.most/d.least)
	return pagesBase - draw.PX(share)*(pagesBase-pagesTop)
}

// ticks are lines at 1, 10, 100 ms and so on, and at more of each where there are few.
func (d decades) ticks() (out []draw.Mark) {
	steps := []float64{1}
	switch {
	case d.most/d.least < 5:
		steps = []float64{1, 1.5, 2, 3, 4, 6}
	case d.most/d.least < 40:
		steps = []float64{1, 2, 5}
	}
	for power := math.Floor(math.Log10(d.least)); power <= math.Log10(d.most); power++ {
		for _, step := range steps {
			if v := step * math.Pow10(int(power)); v >= d.least && v <= d.most {
				out = append(out, draw.Rule("grid", 0, d.at(v), 100, d.at(v)), draw.Label("tick", "", draw.PX(0), d.at(v)-3, finding.Lasting(v)))
			}
		}
	}
	return out
}

// pages draws how long pages took against when they were wanted: each as a dot, or, where there are
// many, the median and the 95th percentile of those wanted in each part of the time.
func pages(r *crowd.Result, runs [][]*trace.Crowd, s draw.Scale) Panel {
	p := Panel{ID: "pages", Short: "Pages", Name: "Page times", About: "How long each page took, by when it was wanted. Times are on a logarithmic scale, the same for all strategies. A cross is a page that failed, or had not ended with the run."}
	d := decades{math.Inf(1), 0}
	all, many := make([][]page, len(r.Rows)), false
	for i := range r.Rows {
		if run := first(runs, i); run != nil {
			all[i] = pagesOf(run)
		}
		many = many || len(all[i]) > mostDots
		for _, one := range all[i] {
			if ms, ok := one.took.Get(); ok && ms > 0 {
				d.least, d.most = min(d.least, ms), max(d.most, ms)
			}
		}
	}
	if d.most == 0 {
		return p
	}
	d.least, d.most = d.least/1.3, d.most*1.1
	p.Chart.Label = "How long each page took, by when it was wanted, by strategy."
	data := table.Table{Caption: p.Name, Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "client"}, {Head: "page"}, {Head: "wanted at, s", Unit: "s"}, {Head: "took, ms", Unit: "ms"}}}
	if many {
		p.About = "How long pages took, by when they were wanted. Times are on a logarithmic scale, the same for all strategies. A cross says that some failed, or had not ended with the run."
		p.Key = [][2]string{{"area", "from the median to the 95th percentile"}, {"ring", "the worst"}}
		data.Columns = []table.Column{{Head: "strategy", Align: table.Left}, {Head: "wanted from, s", Unit: "s"}, {Head: "to, s", Unit: "s"}, {Head: "pages"}, {Head: "lost"}, {Head: "median, ms", Unit: "ms"}, {Head: "p95, ms", Unit: "ms"}, {Head: "worst, ms", Unit: "ms"}}
	}
	for i, row := range r.Rows {
		out := draw.Row{Name: table.Short(row.Strategy, report.LongestName), Value: pagesText(row), Strip: draw.Strip{H: pagesBase + 2, Marks: append(d.ticks(), draw.Rule("base", 0, pagesBase, 100, pagesBase))}}
		id := fmt.Sprintf("pages-%d", i)
		if many {
			out.Strip.Marks = append(out.Strip.Marks, banded(r, row, all[i], d, s, id, &data)...)
		} else {
			out.Strip.Marks = append(out.Strip.Marks, dotted(r, row, all[i], d, s, id, &data)...)
		}
		p.Chart.Rows = append(p.Chart.Rows, out)
	}
	p.Chart.Data = []draw.Table{draw.TableOf(data)}
	return p
}

func pagesText(row crowd.Row) string {
	var parts []string
	for _, q := range []struct {
		name string
		of   linger.Opt[float64]
	}{{"median", row.Pages.Median}, {"p95", row.Pages.P95}} {
		if v, ok := q.of.Get(); ok {
			parts = append(parts, q.name+" "+finding.Duration(v, v/100))
		}
	}
	if lost := row.Pages.Wanted - row.Pages.Loaded; lost > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s lost", lost, linger.Plural(row.Pages.Wanted, "page")))
	}
	return strings.Join(parts, ", ")
}

// cross is a page that was not loaded, above all others.
func cross(s draw.Scale, at linger.Instant, row string) []draw.Mark {
	return []draw.Mark{draw.Label("cross", "middle", s.At(at), pagesTop-4, "×"), draw.Rect("hit", row, max(0, s.At(at)-0.5), 1, 2, pagesTop-4)}
}

// dotted is a dot for each page.
func dotted(r *crowd.Result, row crowd.Row, all []page, d decades, s draw.Scale, id string, data *table.Table) (out []draw.Mark) {
	for k, one := range all {
		id := fmt.Sprintf("%s-%d", id, k)
		ms, ok := one.took.Get()
		if ok {
			out = append(out, draw.Mark{Shape: "circle", Class: "dot " + Tone(r, row), Row: id, X: s.At(one.wanted), Y: d.at(ms), W: draw.PX(2.6)})
		} else {
			out = append(out, cross(s, one.wanted, id)...)
		}
		data.Add(table.Word(row.Strategy), table.Int(one.client+1), table.Int(one.number+1), seconds(one.wanted), table.Known(one.took, finding.Tenth)).ID = id
	}
	return out
}

// banded is a band for the pages wanted in each part of the time, and a ring for the worst.
func banded(r *crowd.Result, row crowd.Row, all []page, d decades, s draw.Scale, id string, data *table.Table) (out []draw.Mark) {
	wide := s.End / bins
	for k := range bins {
		from, to := linger.Instant(k)*wide, linger.Instant(k+1)*wide
		if k == bins-1 {
			to = s.End + 1
		}
		begin, _ := slices.BinarySearchFunc(all, from, func(p page, t linger.Instant) int { return cmp.Compare(p.wanted, t) })
		until, _ := slices.BinarySearchFunc(all, to, func(p page, t linger.Instant) int { return cmp.Compare(p.wanted, t) })
		if begin == until {
			continue
		}
		var took []float64
		for _, one := range all[begin:until] {
			if ms, ok := one.took.Get(); ok {
				took = append(took, ms)
			}
		}
		slices.Sort(took)
		// What was lost counts as longer than any.
		rank := func(q float64) linger.Opt[float64] {
			if n := int(math.Ceil(q * float64(until-begin))); n <= len(took) {
				return linger.Known(took[n-1])
			}
			return linger.Opt[float64]{}
		}
		id, lost := fmt.Sprintf("%s-%d", id, k), until-begin-len(took)
		median, p95, worst := rank(0.5), rank(0.95), rank(1)
		if ms, ok := median.Get(); ok {
			high := d.at(p95.Or(d.most))
			out = append(out, s.Span("range "+Tone(r, row), id, from, min(to, s.End), high, max(2, d.at(ms)-high)))
		}
		if ms, ok := worst.Get(); ok {
			out = append(out, draw.Mark{Shape: "circle", Class: "dot " + Tone(r, row), Row: id, X: s.At(from + wide/2), Y: d.at(ms), W: draw.PX(2)})
		}
		if lost > 0 {
			out = append(out, cross(s, from+wide/2, id)...)
		}
		data.Add(table.Word(row.Strategy), seconds(from), seconds(min(to, s.End)), table.Int(until-begin), table.Int(lost),
			table.Known(median, finding.Tenth), table.Known(p95, finding.Tenth), table.Known(worst, finding.Tenth)).ID = id
	}
	return out
}
