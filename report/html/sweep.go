package html

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// A sweepView is what the template of a sweep is given.
type sweepView struct {
	Style  template.CSS
	Script template.JS
	Policy string

	Title, Kicker, Lead, About string
	Facts                      []string
	Key, Shades                [][2]string
	Maps                       []mapView
	Origin, Command            string
	Facets                     [][2]string
	Explorer                   *explorer
	Explore                    template.JS
	Limits                     []report.Limit
}

// LastMap is the greatest position of the slider.
func (v sweepView) LastMap() int { return len(v.Maps) - 1 }

type mapView struct {
	Name  string
	Chart chart
}

// shades are what keeping saves, as the map has it: classes, and their names.
var shades = [][2]string{
	{"s0", "no difference of more than 5 %"}, {"s1", "keeping saves 5 to 25 %"}, {"s2", "25 to 50 %"}, {"s3", "50 to 75 %"}, {"s4", "75 % or more"},
	{"sc", "keeping costs more than 5 %"}, {"su", "not known, or luck is not ruled out"},
}

// shade is the class of a cell.
func shade(c compare.Cell) string {
	switch c.Keeping {
	case compare.KeepingSame:
		return "s0"
	case compare.KeepingCosts:
		return "sc"
	case compare.KeepingSaves:
		return fmt.Sprintf("s%d", 1+min(3, int(4*c.Saves.Or(0))))
	}
	return "su"
}

// Sweep writes a sweep as one page that needs nothing else: what it comes to, a map
// for each loss with its table, and the simulator for further paths, which begin at the
// grid's middle.
func Sweep(out io.Writer, m *report.Map, v compare.Survey, w linger.Workload, strategies []linger.Strategy, g linger.Grid, o Options) error {
	s := m.Sweep
	if !o.Queries {
		s.Workload.Name, o.Command = redact(s.Workload.Name), redact(o.Command)
	}
	view := sweepView{
		Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Title: table.Clean(report.SweepTitle(s, v)), Kicker: table.Clean(s.Workload.Name), Origin: report.SweepOrigin(s, v, o.Version), Command: table.Clean(o.Command), Limits: o.Limits, Shades: shades,
		About: "Each field is a path. The letter is the strategy that takes least there; ~ says that another takes at most " + finding.Share(s.Margin) + " more, or that luck is not ruled out. " +
			"The deeper the colour, the more the fastest persistent strategy saves against the fastest non-persistent one.",
	}
	if text := report.Thinned(s, len(m.Lines), len(m.Places), len(m.Losses)); text != "" {
		view.About += " " + text
	}
	for _, name := range s.Strategies {
		view.Key = append(view.Key, [2]string{m.Letter(name), table.Clean(name)})
	}
	survey := words.Survey(v)
	view.Lead, view.Facts = survey.Lead, survey.Facts
	if !o.Queries {
		view.Lead = redact(view.Lead)
		redactAll(view.Facts)
	}
	for i, loss := range m.Losses {
		view.Maps = append(view.Maps, mapView{report.LossName(s.Axes.Loss[loss]), mapChart(m, i, loss)})
	}
	view.Facets = [][2]string{
		{"Workload", fmt.Sprintf("%s: %s, %s of content", table.Clean(s.Workload.Name), linger.Plural(s.Workload.Exchanges, "exchange"), finding.Bytes(float64(s.Workload.Bytes)))},
		{"Paths", fmt.Sprintf("%d of %d predicted", v.Done, v.Paths)},
		{"Counts as a difference", "more than " + finding.Share(s.Margin) + " of the longer time"},
		{"How far off predictions are", "measured, in " + report.AccuracyDoc},
	}
	middle := g.Path(g.Rows()/2*g.Columns() + g.Columns()/2)
	if x, ok := explore(w, strategies, middle, s.Seed, o); ok {
		view.Explorer, view.Explore = x, template.JS(exploreScript)
	}
	view.Policy = pagePolicy(view.Explorer != nil)
	return pageHTML().ExecuteTemplate(out, "sweep.html", view)
}

// chart draws the map of one loss: rates upwards, round-trip times to the right. Named
// paths are one row.
func mapChart(m *report.Map, number, loss int) chart {
	id := fmt.Sprintf("map-%d", number)
	c := chart{ID: id, W: drawn, Label: "Which strategy takes least, by round-trip time and rate: " + report.LossName(m.Sweep.Axes.Loss[loss]) + "."}
	const top, highest = 4, 44
	wide := px(math.Min(64, float64((drawn-nameRoom)/px(len(m.Places)))))
	high := min(highest, max(24, wide*2/3))
	data := table.Table{Caption: "Every path of the map", Columns: []table.Column{
		{Head: "network", Align: table.Left}, {Head: "rate"}, {Head: "RTT, ms", Unit: "ms"}, {Head: "takes least", Align: table.Left}, {Head: "time, ms", Unit: "ms"},
		{Head: "fastest kept", Align: table.Left}, {Head: "time, ms", Unit: "ms"}, {Head: "fastest closed", Align: table.Left}, {Head: "time, ms", Unit: "ms"},
		{Head: "keeping", Align: table.Left}, {Head: "saves"}, {Head: "accuracy", Align: table.Left},
	}}
	named := len(m.Sweep.Axes.Named) > 0
	y := px(top)
	for _, row := range slices.Backward(m.Lines) {
		if !named {
			c.Marks = append(c.Marks, label("name", "end", nameRoom-10, y+high/2+4, report.RateName(m.Sweep.Axes.Down[row])))
		}
		for i, place := range m.Places {
			cell, ok := m.At(loss, row, place)
			if !ok {
				continue
			}
			x, rowID := nameRoom+px(i)*wide, fmt.Sprintf("%s-%d-%d", id, row, place)
			c.Marks = append(c.Marks, rect("cell "+shade(cell), rowID, x, y, wide, high), label("win", "middle", x+wide/2, y+high/2+5, m.Symbol(cell, true)))
			if sure := report.Sureness(cell); cell.Best != "" && sure != " " {
				c.Marks = append(c.Marks, label("tie", "", x+wide/2+5, y+high/2+1, "~"))
			}
			accuracy := "not known here"
			if cell.Covered {
				accuracy = "measured on such paths"
			}
			data.Add(table.Given(cell.Network.Name), table.Word(report.RateName(cell.Network.Down.Or(0))), table.Known(cell.Network.RTT, finding.Exact),
				table.Given(cell.Best), msOf(cell, cell.Best), table.Given(cell.Kept), msOf(cell, cell.Kept), table.Given(cell.Closed), msOf(cell, cell.Closed),
				table.Given(string(cell.Keeping)), table.Known(cell.Saves, report.Signed), table.Word(accuracy)).ID = rowID
		}
		y += high
	}
	for i, place := range m.Places {
		x := nameRoom + px(i)*wide + wide/2
		if named {
			c.Marks = append(c.Marks, label("tick", "middle", x, y+16, m.Sweep.Axes.Named[place]))
			continue
		}
		// As many names as there is room for.
		if every := int(math.Ceil(38 / float64(wide))); i%every == 0 {
			c.Marks = append(c.Marks, label("tick", "middle", x, y+16, finding.Setting(m.Sweep.Axes.RTT[place])))
		}
	}
	if !named {
		c.Marks = append(c.Marks, label("aside", "", nameRoom, y+34, "round-trip time, ms"))
	}
	c.H = y + 42
	if named {
		data = data.Only(0, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	} else {
		data = data.Only(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	}
	c.Data = []tableView{tableOf(data)}
	return c
}

// msOf is the time of a strategy in a cell, in ms, to the digits that are known.
func msOf(c compare.Cell, strategy string) table.Cell {
	for _, r := range c.Rows {
		if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
			return table.Number(t.Median, func(ms float64) string {
				return finding.Fixed(ms, max(0, finding.Decimals(ms, t.Doubt().Or(0))))
			})
		}
	}
	return table.Unknown()
}
