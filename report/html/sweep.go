package html

import (
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strconv"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// A sweepView is what the template of a sweep is given.
type sweepView struct {
	frame
	first

	About       string
	Facts       []string
	Key, Shades [][2]string
	Maps        []mapView
	Origin      string
	Facets      [][2]string
	Explorer    *explorer
	Explore     template.JS
	Limits      []report.Limit
}

// LastMap is the greatest position of the slider.
func (v sweepView) LastMap() int { return len(v.Maps) - 1 }

type mapView struct {
	Name  string
	Chart chart
}

// shades are what keeping saves, as the map has it: classes, and their names.
var shades = [][2]string{
	{"s0", "no difference of more than 5 %"}, {"s1", "keep-alive saves 5 to 25 %"}, {"s2", "25 to 50 %"}, {"s3", "50 to 75 %"}, {"s4", "75 % or more"},
	{"sc", "keep-alive costs more than 5 %"}, {"su", "not known, or noise is not ruled out"},
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
	survey := words.Survey(v)
	hide := func(s string) string { return s }
	if !o.Queries {
		hide = redact
	}
	sub := table.Clean(report.SweepTitle(s, v))
	view := sweepView{
		frame: newFrame(hide(survey.Lead), sub, o.Command), first: first{Lead: hide(survey.Lead), Sub: sub}, Facts: hideAll(survey.Facts, hide),
		Origin: report.SweepOrigin(s, v, o.Version), Limits: o.Limits, Shades: shades,
		About: "Each cell is a network. The letter is the fastest strategy there; ~ says that another takes at most " + finding.Share(s.Margin) + " more, or that noise is not ruled out. " +
			"The deeper the colour, the more the fastest strategy with keep-alive saves against the fastest without.",
	}
	if text := report.Thinned(s, len(m.Lines), len(m.Places), len(m.Losses)); text != "" {
		view.About += " " + text
	}
	for _, name := range s.Strategies {
		view.Key = append(view.Key, [2]string{m.Letter(name), table.Clean(name)})
	}
	for i, loss := range m.Losses {
		view.Maps = append(view.Maps, mapView{report.LossName(s.Axes.Loss[loss]), mapChart(m, i, loss, o.Model != nil)})
	}
	view.Facets = [][2]string{
		{"Workload", fmt.Sprintf("%s: %s, %s of content", table.Clean(s.Workload.Name), linger.Plural(s.Workload.Exchanges, "exchange"), finding.Bytes(float64(s.Workload.Bytes)))},
		{"Paths", fmt.Sprintf("%d of %d predicted", v.Done, v.Paths)},
		{"Counts as a difference", "more than " + finding.Share(s.Margin) + " of the longer time"},
		{"How far off predictions are", "measured, in " + report.AccuracyDoc},
	}
	middle := g.Path(g.Rows()/2*g.Columns() + g.Columns()/2)
	if x, ok := explore(exploring{w, strategies, middle, s.Seed, nil, networksOf(m)}, o); ok {
		view.Explorer, view.Explore = x, template.JS(exploreScript)
	}
	view.Policy = pagePolicy(view.Explorer != nil)
	view.to(true, "maps", "Map")
	view.to(view.Explorer != nil, "explore", "Try another network")
	return pageHTML().ExecuteTemplate(out, "sweep.html", view)
}

// networksOf are the networks of all cells of a map.
func networksOf(m *report.Map) (out []compare.Network) {
	for _, loss := range m.Losses {
		for _, line := range m.Lines {
			for _, place := range m.Places {
				if cell, ok := m.At(loss, line, place); ok {
					out = append(out, cell.Network)
				}
			}
		}
	}
	return out
}

// mapChart draws the map of one loss: rates upwards, round-trip times to the right. Named
// networks are one row. Where the page has a simulator, each cell leads to it.
func mapChart(m *report.Map, number, loss int, explores bool) chart {
	id := fmt.Sprintf("map-%d", number)
	c := chart{ID: id, Class: "map", Label: "Which strategy is fastest, by round-trip time and rate: " + report.LossName(m.Sweep.Axes.Loss[loss]) + "."}
	const high = 38
	wide := pc(100 / float64(len(m.Places)))
	data := table.Table{Caption: "Every network of the map", Columns: []table.Column{
		{Head: "network", Align: table.Left}, {Head: "rate"}, {Head: "RTT, ms", Unit: "ms"}, {Head: "fastest", Align: table.Left}, {Head: "time, ms", Unit: "ms"},
		{Head: "fastest with keep-alive", Align: table.Left}, {Head: "time, ms", Unit: "ms"}, {Head: "fastest without", Align: table.Left}, {Head: "time, ms", Unit: "ms"},
		{Head: "keep-alive", Align: table.Left}, {Head: "saves"}, {Head: "accuracy", Align: table.Left},
	}}
	named := len(m.Sweep.Axes.Named) > 0
	for _, line := range slices.Backward(m.Lines) {
		row := chartRow{Strip: strip{H: high}}
		if !named {
			row.Name = report.RateName(m.Sweep.Axes.Down[line])
		}
		for i, place := range m.Places {
			cell, ok := m.At(loss, line, place)
			if !ok {
				continue
			}
			x, rowID := pc(i)*wide, fmt.Sprintf("%s-%d-%d", id, line, place)
			row.Strip.Marks = append(row.Strip.Marks, cellMark(m, cell, rowID, x, wide, high, explores))
			accuracy := "not known here"
			if cell.Covered {
				accuracy = "measured on such networks"
			}
			data.Add(table.Given(cell.Network.Name), table.Word(report.RateName(cell.Network.Down.Or(0))), table.Known(cell.Network.RTT, finding.Exact),
				table.Given(cell.Best), msOf(cell, cell.Best), table.Given(cell.Kept), msOf(cell, cell.Kept), table.Given(cell.Closed), msOf(cell, cell.Closed),
				table.Given(string(cell.Keeping)), table.Known(cell.Saves, report.Signed), table.Word(accuracy)).ID = rowID
		}
		c.Rows = append(c.Rows, row)
	}
	c.Axis.H = 22
	if named {
		c.Axis.H = 74
	}
	for i, place := range m.Places {
		x := pc(i)*wide + wide/2
		if named {
			c.Axis.Marks = append(c.Axis.Marks, at(x, mark{Shape: "slanted", Class: "tick", Text: m.Sweep.Axes.Named[place]}))
			continue
		}
		// As many names as there is room for, half of them where the page is narrow.
		if every := (len(m.Places) + 15) / 16; i%every == 0 {
			class := "tick"
			if i/every%2 == 1 {
				class = "tick odd"
			}
			c.Axis.Marks = append(c.Axis.Marks, label(class, "middle", x, 14, finding.Setting(m.Sweep.Axes.RTT[place])))
		}
	}
	if !named {
		c.Notes = append(c.Notes, "From left to right the round-trip time in ms, upwards the rate.")
	}
	if named {
		data = data.Only(0, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	} else {
		data = data.Only(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	}
	c.Data = []tableView{tableOf(data)}
	return c
}

// cellMark draws one network: the letter of the fastest strategy on what keep-alive saves.
func cellMark(m *report.Map, cell compare.Cell, row string, x, wide pc, high px, explores bool) mark {
	inner := []mark{rect("cell "+shade(cell), row, x, wide, 0, high), label("win", "middle", x+wide/2, high/2, m.Symbol(cell, true))}
	if sure := report.Sureness(cell); cell.Best != "" && sure != " " {
		inner = append(inner, at(x+wide/2, label("tie", "", px(5), high/2-3, "~")))
	}
	if saves, ok := cell.Saves.Get(); ok && len(m.Places) <= 16 {
		inner = append(inner, label("saves", "middle", x+wide/2, high-5, signedShare(-saves)))
	}
	n := cell.Network
	if !explores || n.RTT.IsZero() {
		return mark{Shape: "group", Class: "field", Inner: inner}
	}
	state := url.Values{}
	for name, v := range map[string]linger.Opt[float64]{"rtt": n.RTT, "down": n.Down, "up": n.Up, "loss": n.Loss} {
		if v, ok := v.Get(); ok {
			state.Set(name, strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	return mark{Shape: "link", Class: "field", Target: template.URL("#explore?" + state.Encode()), Inner: inner}
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
