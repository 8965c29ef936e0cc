package html

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"linger"
	"linger/compare/crowd"
	"linger/finding"
	"linger/report"
	"linger/report/crowds"
	"linger/report/html/draw"
	"linger/report/html/overtime"
	"linger/report/table"
	"linger/report/words"
	"linger/trace"
)

// A crowdView is what the template of a comparison for many clients is given.
type crowdView struct {
	frame
	first

	Race     *draw.Chart
	Foreseen *draw.Chart
	Facts    []string
	Asserted *draw.Table
	Panels   []overtime.Panel
	Tables   []draw.Table
	Legend   string
	Origin   string
	Facets   [][2]string
	Limits   []report.Limit
	Series   bool // of one of several trials
}

// Crowd writes a comparison for many clients as one page that needs nothing else: what to do with
// connections, what pages took, and what was held over time. runs are its records, by strategy and
// trial, of which the first trial is drawn.
func Crowd(w io.Writer, r *crowd.Result, runs [][]*trace.Crowd, o Options) error {
	hide := redact
	if o.Queries {
		hide = func(s string) string { return s }
	}
	said, sub := crowds.Said(r.Verdict), crowds.Title(r)
	if utf8.RuneCountInString(sub) > longestSub { // all of it stands below
		sub = crowds.Short(r)
	}
	sub = table.Clean(hide(sub))
	v := crowdView{
		frame: newFrame(hide(said.Lead), sub, hide(o.Command)),
		first: first{Lead: hide(said.Lead), Sub: sub, Broken: unmet(r.Asserted, hide), Tiles: crowdTiles(r), Caveats: hideAll(words.Caveats(decisive(r.Caveats)), hide)},
		Facts: hideAll(said.Facts, hide), Asserted: asserted(r.Asserted, hide), Legend: crowds.Legend(r),
		Origin: crowds.Origin(r, o.Version), Facets: append(crowds.Facets(r), machineOf(r.Experiment.Machine, o.Version)...),
		Panels: overtime.Panels(r, runs), Series: r.Experiment.Trials > 1,
	}
	for i := range v.Facets {
		v.Facets[i][1] = hide(v.Facets[i][1])
	}
	v.Caveat, v.Policy = firstOf(v.Caveats), pagePolicy(false)
	if len(r.Rows) > 0 {
		c := crowdRace(r)
		v.Race = &c
	}
	v.Foreseen = foreseenChart(r)
	v.to(v.Foreseen != nil, "foreseen", "Idle timeouts")
	for _, t := range crowds.All(r) {
		v.Tables = append(v.Tables, draw.TableOf(t))
	}
	if r.Experiment.Provenance == trace.Predicted || len(r.Foreseen) > 0 {
		v.Limits = o.Limits
	}
	for _, p := range v.Panels {
		v.to(true, p.ID, p.Short)
	}
	v.to(len(v.Tables) > 0, "figures", "All figures")
	return pageHTML().ExecuteTemplate(w, "crowd.html", v)
}

// longestSub is how many letters there is room for before the first drawing.
const longestSub = 200

// crowdRace draws the time of a page with each strategy: the median as a bar, from there to the
// 95th percentile as a line, the worst as a ring. Figures of the first table stand beside.
func crowdRace(r *crowd.Result) draw.Chart {
	c := draw.Chart{ID: "race", Class: "figured", Label: "The time of a page with each strategy: median, 95th percentile and worst; shorter is better.",
		Notes: []string{"Bar: the median over all pages of all clients. Line: up to the 95th percentile. Ring: the worst."}}
	s := pagesScale(r.Rows)
	all, pages := crowds.First(r), crowds.Pages(r)
	for i, row := range r.Rows {
		id := fmt.Sprintf("race-%d", i)
		out := draw.Row{Name: table.Short(row.Strategy, report.LongestName), Strip: draw.Strip{H: 22}}
		out.Value = all.Rows[i].Cells[1].Text + " " + crowds.Unit(r.Rows)
		if tone := overtime.Tone(r, row); tone == "best" {
			out.Class = "best"
		}
		out.Strip.Marks = raceMarks(r, row, s, id)
		for k, column := range all.Columns {
			if column.Over == "" || column.Over == crowds.TimeWait || k < 2 || len(out.Figures) == mostBeside {
				continue
			}
			out.Figures = append(out.Figures, draw.Figure{Name: strings.ReplaceAll(column.Over+" "+column.Head, "/peak", " / peak"), Text: all.Rows[i].Cells[k].Text})
		}
		pages.Rows[i].ID = id
		c.Rows = append(c.Rows, out)
	}
	if s.End > 0 {
		c.Axis = s.Below()
	}
	c.Data = []draw.Table{draw.TableOf(pages)}
	return c
}

// pagesScale has room for the times of all rows.
func pagesScale(rows []crowd.Row) (s draw.Scale) {
	for _, row := range rows {
		p := row.Pages
		for _, q := range []linger.Opt[float64]{p.Median, p.P95, p.Worst, p.AtLeast.Median, p.AtLeast.P95, p.AtLeast.Worst} {
			s.End = max(s.End, ofMS(q.Or(0)))
		}
	}
	return s
}

// foreseenChart draws what other idle timeouts are predicted to come to, as the race; nil where
// nothing was predicted.
func foreseenChart(r *crowd.Result) *draw.Chart {
	if len(r.Foreseen) == 0 {
		return nil
	}
	c := draw.Chart{ID: "foreseen-chart", Label: "The predicted time of a page with other idle timeouts of the server: median, 95th percentile and worst; shorter is better."}
	var rows []crowd.Row
	for _, f := range r.Foreseen {
		rows = append(rows, f.Row)
	}
	s, data := pagesScale(rows), crowds.Foreseen(r)
	group := ""
	for i, f := range r.Foreseen {
		id := fmt.Sprintf("foreseen-%d", i)
		data.Rows[i].ID = id
		out := draw.Row{Name: "no idle timeout", Value: data.Rows[i].Cells[2].Text + " " + crowds.Unit(rows), Aside: "p95 " + data.Rows[i].Cells[3].Text, Strip: draw.Strip{H: 22, Marks: raceMarks(r, f.Row, s, id)}}
		if f.IdleTimeout > 0 {
			out.Name = data.Rows[i].Cells[1].Text
		}
		if name := table.Short(f.Strategy, report.LongestName); name != group {
			group, out.Group = name, name
		}
		if data.Rows[i].Best {
			out.Class = "best"
		}
		c.Rows = append(c.Rows, out)
	}
	c.Axis, c.Data = s.Below(), []draw.Table{draw.TableOf(data)}
	return &c
}

// raceMarks are the bar, the line and the ring of a row.
func raceMarks(r *crowd.Result, row crowd.Row, s draw.Scale, id string) (out []draw.Mark) {
	const middle draw.PX = 11
	p, tone := row.Pages, overtime.Tone(r, row)
	median, ok := p.Median.Get()
	if !ok {
		if least, ok := p.AtLeast.Median.Get(); ok {
			out = append(out, s.Span(tone+" open", id, 0, ofMS(least), 4, 14))
		}
		return out
	}
	out = append(out, s.Span(tone, id, 0, ofMS(median), 4, 14))
	to, open := s.At(ofMS(p.P95.Or(0))), false
	if p.P95.IsZero() {
		to, open = draw.PC(100), true
	}
	for _, class := range []string{"whisker halo", "whisker"} {
		out = append(out, draw.Rule(class, s.At(ofMS(median)), middle, to, middle))
		if !open {
			out = append(out, draw.Rule(class, to, middle-3, to, middle+3))
		}
	}
	if worst, ok := p.Worst.Get(); ok {
		out = append(out, draw.Mark{Shape: "circle", Class: "dot " + tone, Row: id, X: s.At(ofMS(worst)), Y: middle, W: draw.PX(3.4)})
	}
	return out
}

// crowdTiles are how far strategies lie apart in what matters; of one they are its own.
func crowdTiles(r *crowd.Result) (out []tile) {
	time := func(v float64) string {
		if v < 10 {
			return finding.Fixed(v, 0) + " ms"
		}
		return finding.Duration(v, v/100)
	}
	for _, f := range []struct {
		text string
		of   func(crowd.Row) linger.Opt[float64]
		as   func(float64) string
	}{
		{"a page takes, 95 of 100", func(r crowd.Row) linger.Opt[float64] { return r.Pages.P95 }, time},
		{"a connection waits for the server, 95 of 100", func(r crowd.Row) linger.Opt[float64] { return r.Waits.P95 }, time},
		{"connections held by the server, mean", func(r crowd.Row) linger.Opt[float64] { return r.Server.Sockets.Mean }, finding.Count0},
		{"sockets in TIME_WAIT at the server, peak", func(r crowd.Row) linger.Opt[float64] { return r.Server.TimeWait.Peak }, finding.Count0},
	} {
		low, high, from, to := math.Inf(1), math.Inf(-1), "", ""
		for _, row := range r.Rows {
			v, ok := f.of(row).Get()
			if ok && v < low {
				low, from = v, row.Strategy
			}
			if ok && v > high {
				high, to = v, row.Strategy
			}
		}
		switch {
		case from == "":
		case f.as(low) == f.as(high):
			out = append(out, tile{f.as(low), f.text})
		default:
			out = append(out, tile{finding.Joined(f.as(low), f.as(high)), f.text + ", " + table.Clean(from) + " to " + table.Clean(to)})
		}
	}
	return out
}
