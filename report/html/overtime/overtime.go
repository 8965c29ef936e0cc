// Package overtime draws a crowd over time: how long each page took against when it was wanted,
// and what was held meanwhile. Of each strategy there is a strip, and all strips of a chart are on
// one scale.
package overtime

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/compare/crowd"
	"linger/finding"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/trace"
)

// A Panel is a chart with what it shows.
type Panel struct {
	ID, Name, About string
	// Short is the name where there is little room.
	Short string
	// Key is what lines and areas mean: the class of a swatch, and its text.
	Key   [][2]string
	Chart draw.Chart
}

// Panels are the charts of a result; runs are its records by strategy and trial, of which the first
// trial is drawn.
func Panels(r *crowd.Result, runs [][]*trace.Crowd) (out []Panel) {
	s := draw.Scale{End: end(r, runs)}
	if s.End == 0 {
		return nil
	}
	for _, p := range []Panel{pages(r, runs, s), held(r, s), workers(r, s), timeWait(r, s), servers(r, runs, s)} {
		if len(p.Chart.Rows) > 0 {
			p.Chart.ID, p.Chart.Class, p.Chart.Axis = p.ID+"-chart", "curves over", s.Below()
			out = append(out, p)
		}
	}
	return out
}

// end is when the last of all had ended.
func end(r *crowd.Result, runs [][]*trace.Crowd) (at linger.Instant) {
	for _, row := range r.Rows {
		if n := len(row.Series); n > 0 {
			at = max(at, row.Series[n-1].At)
		}
	}
	for i := range runs {
		if run := first(runs, i); run != nil {
			at = max(at, run.Ended)
		}
	}
	return at
}

// first is the first record of a strategy, nil where there is none.
func first(runs [][]*trace.Crowd, i int) *trace.Crowd {
	if i >= len(runs) {
		return nil
	}
	k := slices.IndexFunc(runs[i], func(c *trace.Crowd) bool { return c != nil })
	if k < 0 {
		return nil
	}
	return runs[i][k]
}

// Tone is the class of what belongs to a row: without keep-alive, with it, or the best.
func Tone(r *crowd.Result, row crowd.Row) string {
	switch {
	case r.Verdict.Best != "" && row.Strategy == r.Verdict.Best:
		return "best"
	case row.Persistent:
		return "on"
	}
	return "off"
}

// A level is a quantity of a sample, as one line of a strip.
type level struct {
	name string // of the column in the data
	of   func(trace.CrowdSample) linger.Opt[int]
}

func known(of func(trace.CrowdSample) int) func(trace.CrowdSample) linger.Opt[int] {
	return func(s trace.CrowdSample) linger.Opt[int] { return linger.Known(of(s)) }
}

func held(r *crowd.Result, s draw.Scale) Panel {
	n := r.Experiment.Crowd.Servers()
	p := Panel{ID: "held", Short: "Held", Name: "Connections held by the server", About: "Those that the server had taken, and those still in the accept queue. What is idle among them costs sockets and memory, and a worker each where the server gives it one. The curve counts sockets as the kernel does, those that are being closed among them; the figures beside it are of open ones."}
	p.levels(r, s, "Connections that the server held over time, by strategy.", r.Experiment.Capacity.MaxConnections*n, []level{{"held", known(func(s trace.CrowdSample) int { return s.Server.Sockets })}},
		func(row crowd.Row) string { return levelText(row.Server.Sockets) })
	return p
}

func workers(r *crowd.Result, s draw.Scale) Panel {
	n := r.Experiment.Crowd.Servers()
	waits := slices.ContainsFunc(r.Rows, func(row crowd.Row) bool { return row.Queue.Peak.Or(0) > 0 })
	if c := r.Experiment.Capacity; c.Workers == 0 && c.MaxConnections == 0 && !waits {
		return Panel{} // all that it holds is taken
	}
	p := Panel{ID: "workers", Short: "Workers", Name: "Workers and the accept queue", About: "Connections that the server has taken, and those that wait until it takes them.", Key: [][2]string{{"area", "taken by the server"}, {"dashes", "waiting in the accept queue"}}}
	p.levels(r, s, "Connections that the server had taken, and those that waited, over time, by strategy.", r.Experiment.Capacity.Workers*n, []level{
		{"taken", func(s trace.CrowdSample) linger.Opt[int] { return s.Server.Taken }}, {"waiting", func(s trace.CrowdSample) linger.Opt[int] { return s.Server.Waiting }},
	}, func(row crowd.Row) string {
		if row.Queue.Peak.IsZero() {
			return levelText(row.Workers)
		}
		return levelText(row.Workers) + "; queue at most " + finding.Count0(row.Queue.Peak.Or(0))
	})
	return p
}

func timeWait(r *crowd.Result, s draw.Scale) Panel {
	p := Panel{ID: "time-wait", Short: "TIME_WAIT", Name: "TIME_WAIT", About: "Sockets that are kept for a minute after the connection, on the side that closed first.", Key: [][2]string{{"area", "at the server"}, {"dashes", "at the clients"}}}
	p.levels(r, s, "Sockets in TIME_WAIT over time, by strategy.", 0, []level{
		{"at the server", known(func(s trace.CrowdSample) int { return s.Server.TimeWait })}, {"at the clients", known(func(s trace.CrowdSample) int { return s.Client.TimeWait })},
	}, func(row crowd.Row) string {
		return fmt.Sprintf("at most %s at the server, %s at the clients", count(row.Server.TimeWait.Peak), count(row.Client.TimeWait.Peak))
	})
	return p
}

func count(o linger.Opt[float64]) string { return table.Known(o, finding.Count0).Text }

func levelText(l crowd.Level) string {
	if l.Mean.IsZero() {
		return ""
	}
	return fmt.Sprintf("mean %s, at most %s", finding.Count(l.Mean.Or(0)), count(l.Peak))
}

// Strips of curves: as high as strip, the curve from top to base.
const (
	top, base draw.PX = 14, 76
	// mostMarks bounds the samples of a strategy that can be pointed at and are listed.
	mostMarks = 100
)

// levels draws what was held, a strip for each strategy: the first level as an area, the second as
// dashes, and a line at the limit of all servers together, if it is not 0. Nothing is drawn where nobody saw any of it, or there was nothing.
func (p *Panel) levels(r *crowd.Result, s draw.Scale, label string, limit int, levels []level, about func(crowd.Row) string) {
	most := 0
	for _, row := range r.Rows {
		for _, sample := range row.Series {
			for _, l := range levels {
				most = max(most, l.of(sample).Or(0))
			}
		}
	}
	if most == 0 {
		return
	}
	p.Chart.Label = label
	data := table.Table{Caption: p.Name, Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "at, s", Unit: "s"}}}
	for _, l := range levels {
		data.Columns = append(data.Columns, table.Column{Head: l.name})
	}
	f := draw.Field{Top: top, Base: base, Most: float64(most)}
	for i, row := range r.Rows {
		out := draw.Row{Name: table.Short(row.Strategy, report.LongestName), Value: about(row), Strip: draw.Strip{H: base + 2}}
		var curves []draw.Mark
		for k, l := range levels {
			class, closed := "spread "+Tone(r, row), true
			if k > 0 {
				class, closed = "highest", false
			}
			curves = append(curves, curve(class, closed, s, f, row.Series, l.of))
		}
		out.Strip.Marks = append(out.Strip.Marks, draw.Mark{Shape: "stretched", Class: "stretched", H: base + 2, Inner: curves})
		out.Strip.Marks = append(append(out.Strip.Marks, f.Lines(draw.StepsTo(f.Most)[1:], finding.Count0)...), draw.Rule("base", 0, base, 100, base))
		if 0 < limit && limit <= most {
			y := f.At(float64(limit))
			out.Strip.Marks = append(out.Strip.Marks, draw.Rule("setting", 0, y, 100, y), draw.Label("tick", "end", draw.PC(100), y-3, fmt.Sprintf("limit: %d", limit)))
		}
		listed := thinned(row.Series, mostMarks)
		for k, sample := range listed {
			id := fmt.Sprintf("%s-%d-%d", p.ID, i, k)
			until := s.End
			if k+1 < len(listed) {
				until = listed[k+1].At
			}
			out.Strip.Marks = append(out.Strip.Marks, s.Span("hit", id, sample.At, until, top, base-top))
			line := data.Add(table.Word(row.Strategy), seconds(sample.At))
			line.ID = id
			for _, l := range levels {
				line.Cells = append(line.Cells, counted(l.of(sample)))
			}
		}
		p.Chart.Rows = append(p.Chart.Rows, out)
	}
	p.Chart.Data = []draw.Table{draw.TableOf(data)}
}

// curve is a quantity over time, in thousandths of the width: what a sample says holds until the
// next. It is broken where nobody saw it.
func curve(class string, closed bool, s draw.Scale, f draw.Field, series []trace.CrowdSample, of func(trace.CrowdSample) linger.Opt[int]) draw.Mark {
	var path strings.Builder
	open, x := false, 0.0
	shut := func() {
		if open && closed {
			fmt.Fprintf(&path, "L%.1f %sZ", x, f.Base)
		}
		open = false
	}
	for i, sample := range series {
		v, ok := of(sample).Get()
		if !ok {
			shut()
			continue
		}
		x = 10 * float64(s.At(sample.At))
		y := f.At(float64(v))
		switch {
		case !open && closed:
			fmt.Fprintf(&path, "M%.1f %sL%.1f %s", x, f.Base, x, y)
		case !open:
			fmt.Fprintf(&path, "M%.1f %s", x, y)
		default:
			fmt.Fprintf(&path, "H%.1fV%s", x, y)
		}
		open = true
		if i+1 < len(series) {
			x = 10 * float64(s.At(series[i+1].At))
		}
		fmt.Fprintf(&path, "H%.1f", x)
	}
	shut()
	return draw.Mark{Shape: "path", Class: class, Path: path.String()}
}

// thinned is so many of a list at most, evenly.
func thinned[T any](list []T, most int) []T {
	if len(list) <= most {
		return list
	}
	out := make([]T, most)
	for i := range out {
		out[i] = list[i*(len(list)-1)/(most-1)]
	}
	return out
}

func seconds(t linger.Instant) table.Cell {
	return table.Number(t.Milliseconds()/1000, func(v float64) string { return finding.Trimmed(v, 2) })
}

func counted(o linger.Opt[int]) table.Cell {
	if n, ok := o.Get(); ok {
		return table.Int(n)
	}
	return table.Unknown()
}

// servers draws what each server answered in a second, a strip for each.
func servers(r *crowd.Result, runs [][]*trace.Crowd, s draw.Scale) Panel {
	p := Panel{ID: "servers", Short: "Servers", Name: "Requests a second, by server", About: "What each server answered. A server that is added gets new connections alone: clients that keep theirs stay where they are."}
	n := r.Experiment.Crowd.Servers()
	if n < 2 {
		return p
	}
	data := table.Table{Caption: p.Name, Columns: []table.Column{{Head: "strategy", Align: table.Left}, {Head: "server"}, {Head: "from, s", Unit: "s"}, {Head: "to, s", Unit: "s"}, {Head: "requests/s"}}}
	drawn := min(n, mostServers)
	every := (int(s.End.Sub(0)/time.Second) + mostMarks/2) / (mostMarks / 2) // seconds of a bin
	every = max(1, every)
	bins := make([][][]float64, len(r.Rows)) // by strategy and server
	most := 0.0
	for i := range r.Rows {
		run := first(runs, i)
		if run == nil {
			continue
		}
		for _, k := range which(n, drawn) {
			bins[i] = append(bins[i], rates(run.Served, k, every))
			for _, v := range bins[i][len(bins[i])-1] {
				most = max(most, v)
			}
		}
	}
	if most == 0 {
		return p
	}
	f := draw.Field{Top: 10, Base: 40, Most: most}
	for i, row := range r.Rows {
		for j, list := range bins[i] {
			server := which(n, drawn)[j]
			name := fmt.Sprintf("server %d", server+1)
			if r.Experiment.Crowd.AddAt > 0 && server == n-1 {
				name = "added server"
			}
			out := draw.Row{Name: name, Strip: draw.Strip{H: 42, Marks: []draw.Mark{draw.Rule("base", 0, f.Base, 100, f.Base)}}}
			if j == 0 {
				out.Group = table.Short(row.Strategy, report.LongestName)
			}
			if server < len(row.Balance.Requests) {
				out.Value = linger.Plural(row.Balance.Requests[server], "request")
			}
			for k, v := range list {
				id := fmt.Sprintf("servers-%d-%d-%d", i, server, k)
				from, to := linger.Instant(k*every)*linger.Instant(time.Second), linger.Instant((k+1)*every)*linger.Instant(time.Second)
				if v > 0 {
					out.Strip.Marks = append(out.Strip.Marks, s.Span(Tone(r, row), id, from, min(to, s.End), f.At(v), f.Base-f.At(v)))
				}
				data.Add(table.Word(row.Strategy), table.Int(server+1), seconds(from), seconds(to), table.Number(v, finding.Tenth)).ID = id
			}
			out.Strip.Marks = append(out.Strip.Marks, f.Lines([]float64{most}, finding.Count0)...)
			p.Chart.Rows = append(p.Chart.Rows, out)
		}
	}
	p.Chart.Label = "Requests that each server answered a second, by strategy."
	if drawn < n {
		p.Chart.Notes = append(p.Chart.Notes, fmt.Sprintf("%d of %d servers are drawn; what all of them answered stands in the figures.", drawn, n))
	}
	p.Chart.Data = []draw.Table{draw.TableOf(data)}
	return p
}

// mostServers bounds the servers that are drawn of a strategy.
const mostServers = 8

// which of n servers are drawn: the first ones, and the last, which may be the added one.
func which(n, drawn int) []int {
	out := make([]int, drawn)
	for i := range out {
		out[i] = i
	}
	out[drawn-1] = n - 1
	return out
}

// rates are what a server answered a second, in bins of so many seconds.
func rates(served [][]int, server, every int) (out []float64) {
	if server >= len(served) {
		return nil
	}
	for bin := range slices.Chunk(served[server], every) {
		sum := 0
		for _, n := range bin {
			sum += n
		}
		out = append(out, float64(sum)/float64(len(bin)))
	}
	return out
}
