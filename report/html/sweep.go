package html

import (
	"fmt"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"linger"
	"linger/compare"
	"linger/compare/crowdsweep"
	"linger/compare/sweep"
	"linger/finding"
	"linger/report"
	"linger/report/crowdmap"
	"linger/report/html/draw"
	"linger/report/sweepmap"
	"linger/report/table"
	"linger/report/words"
)

// A sweepView is what the template of a sweep is given.
type sweepView struct {
	frame
	first

	Heading     string // of the maps, for who cannot see them
	About       string
	Facts       []string
	Key, Shades [][2]string
	Maps        []mapView
	Origin      string
	Tables      []draw.Table // below the findings
	Facets      [][2]string
	Explorer    *explorer
	Explore     template.JS
	Limits      []report.Limit
}

// LastMap is the greatest position of the slider.
func (v sweepView) LastMap() int { return len(v.Maps) - 1 }

type mapView struct {
	Name  string
	Chart draw.Chart
}

// shades are what keeping saves, as the map has it: classes, and their names.
var shades = [][2]string{
	{"s0", "no difference of more than 5 %"}, {"s1", "keep-alive saves 5 to 25 %"}, {"s2", "25 to 50 %"}, {"s3", "50 to 75 %"}, {"s4", "75 % or more"},
	{"sc", "keep-alive costs more than 5 %"}, {"su", "not known, or noise is not ruled out"},
}

// shade is the class of a cell.
func shade(c sweep.Cell) string {
	switch c.Keeping {
	case sweep.KeepingSame:
		return "s0"
	case sweep.KeepingCosts:
		return "sc"
	case sweep.KeepingSaves:
		return fmt.Sprintf("s%d", 1+min(3, int(4*c.Saves.Or(0))))
	}
	return "su"
}

// Sweep writes a sweep as one page that needs nothing else: what it comes to, a map
// for each loss with its table, and the simulator for further paths, which begin at the
// grid's middle.
func Sweep(out io.Writer, m *sweepmap.Map, v sweep.Survey, w linger.Workload, strategies []linger.Strategy, g linger.Grid, o Options) error {
	s := m.Sweep
	if !o.Queries {
		s.Workload.Name, o.Command = redact(s.Workload.Name), redact(o.Command)
	}
	survey := words.Survey(v)
	hide := func(s string) string { return s }
	if !o.Queries {
		hide = redact
	}
	sub := table.Clean(sweepmap.Title(s, v))
	view := sweepView{
		frame: newFrame(hide(survey.Lead), sub, o.Command), first: first{Lead: hide(survey.Lead), Sub: sub}, Facts: hideAll(survey.Facts, hide),
		Origin: sweepmap.Origin(s, v, o.Version), Limits: o.Limits, Shades: shades, Heading: "Which is fastest where",
		About: "Each cell is a network. The letter is the fastest strategy there; ~ says that another takes at most " + finding.Share(s.Margin) + " more, or that noise is not ruled out. " +
			"The deeper the colour, the more the fastest strategy with keep-alive saves against the fastest without.",
	}
	if text := sweepmap.Thinned(s, len(m.Lines), len(m.Places), len(m.Losses)); text != "" {
		view.About += " " + text
	}
	for _, name := range s.Strategies {
		view.Key = append(view.Key, [2]string{m.Letter(name), table.Clean(name)})
	}
	for i, loss := range m.Losses {
		view.Maps = append(view.Maps, mapView{sweepmap.LossName(s.Axes.Loss[loss]), mapChart(m, i, loss, o.Model != nil)})
	}
	view.Facets = [][2]string{
		{"Workload", fmt.Sprintf("%s: %s, %s of content", table.Clean(s.Workload.Name), linger.Plural(s.Workload.Exchanges, "exchange"), finding.Bytes(float64(s.Workload.Bytes)))},
		{"Paths", fmt.Sprintf("%d of %d predicted", v.Done, v.Paths)},
		{"Counts as a difference", "more than " + finding.Share(s.Margin) + " of the longer time"},
		{"How far off predictions are", "measured, in " + sweepmap.AccuracyDoc},
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
func networksOf(m *sweepmap.Map) (out []compare.Network) {
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
func mapChart(m *sweepmap.Map, number, loss int, explores bool) draw.Chart {
	id := fmt.Sprintf("map-%d", number)
	c := draw.Chart{ID: id, Class: "map", Label: "Which strategy is fastest, by round-trip time and rate: " + sweepmap.LossName(m.Sweep.Axes.Loss[loss]) + "."}
	const high = 38
	wide := draw.PC(100 / float64(len(m.Places)))
	data := table.Table{Caption: "Every network of the map", Columns: []table.Column{
		{Head: "network", Align: table.Left}, {Head: "rate"}, {Head: "RTT, ms", Unit: "ms"}, {Head: "fastest", Align: table.Left}, {Head: "time, ms", Unit: "ms"},
		{Head: "fastest with keep-alive", Align: table.Left}, {Head: "time, ms", Unit: "ms"}, {Head: "fastest without", Align: table.Left}, {Head: "time, ms", Unit: "ms"},
		{Head: "keep-alive", Align: table.Left}, {Head: "saves"}, {Head: "accuracy", Align: table.Left},
	}}
	named := len(m.Sweep.Axes.Named) > 0
	for _, line := range slices.Backward(m.Lines) {
		row := draw.Row{Strip: draw.Strip{H: high}}
		if !named {
			row.Name = sweepmap.RateName(m.Sweep.Axes.Down[line])
		}
		for i, place := range m.Places {
			cell, ok := m.At(loss, line, place)
			if !ok {
				continue
			}
			x, rowID := draw.PC(i)*wide, fmt.Sprintf("%s-%d-%d", id, line, place)
			row.Strip.Marks = append(row.Strip.Marks, cellMark(m, cell, rowID, x, wide, high, explores))
			accuracy := "not known here"
			if cell.Covered {
				accuracy = "measured on such networks"
			}
			data.Add(table.Given(cell.Network.Name), table.Word(sweepmap.RateName(cell.Network.Down.Or(0))), table.Known(cell.Network.RTT, finding.Exact),
				table.Given(cell.Best), msOf(cell, cell.Best), table.Given(cell.Kept), msOf(cell, cell.Kept), table.Given(cell.Closed), msOf(cell, cell.Closed),
				table.Given(string(cell.Keeping)), table.Known(cell.Saves, finding.SignedShare), table.Word(accuracy)).ID = rowID
		}
		c.Rows = append(c.Rows, row)
	}
	c.Axis.H = 22
	if named {
		c.Axis.H = 74
	}
	for i, place := range m.Places {
		x := draw.PC(i)*wide + wide/2
		if named {
			c.Axis.Marks = append(c.Axis.Marks, draw.At(x, draw.Mark{Shape: "slanted", Class: "tick", Text: m.Sweep.Axes.Named[place]}))
			continue
		}
		// As many names as there is room for, half of them where the page is narrow.
		if every := (len(m.Places) + 15) / 16; i%every == 0 {
			class := "tick"
			if i/every%2 == 1 {
				class = "tick odd"
			}
			c.Axis.Marks = append(c.Axis.Marks, draw.Label(class, "middle", x, 14, finding.Setting(m.Sweep.Axes.RTT[place])))
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
	c.Data = []draw.Table{draw.TableOf(data)}
	return c
}

// cellMark draws one network: the letter of the fastest strategy on what keep-alive saves.
func cellMark(m *sweepmap.Map, cell sweep.Cell, row string, x, wide draw.PC, high draw.PX, explores bool) draw.Mark {
	inner := []draw.Mark{draw.Rect("cell "+shade(cell), row, x, wide, 0, high), draw.Label("win", "middle", x+wide/2, high/2, m.Symbol(cell, true))}
	if sure := sweepmap.Sureness(cell); cell.Best != "" && sure != " " {
		inner = append(inner, draw.At(x+wide/2, draw.Label("tie", "", draw.PX(5), high/2-3, "~")))
	}
	if saves, ok := cell.Saves.Get(); ok && len(m.Places) <= 16 {
		inner = append(inner, draw.Label("saves", "middle", x+wide/2, high-5, signedShare(-saves)))
	}
	n := cell.Network
	if !explores || n.RTT.IsZero() {
		return draw.Mark{Shape: "group", Class: "field", Inner: inner}
	}
	state := url.Values{}
	for name, v := range map[string]linger.Opt[float64]{"rtt": n.RTT, "down": n.Down, "up": n.Up, "loss": n.Loss} {
		if v, ok := v.Get(); ok {
			state.Set(name, strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	return draw.Mark{Shape: "link", Class: "field", Target: template.URL("#explore?" + state.Encode()), Inner: inner}
}

// msOf is the time of a strategy in a cell, in ms, to the digits that are known.
func msOf(c sweep.Cell, strategy string) table.Cell {
	for _, r := range c.Rows {
		if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
			return table.Number(t.Median, func(ms float64) string {
				return finding.Fixed(ms, max(0, finding.Decimals(ms, t.Uncertainty().Or(0))))
			})
		}
	}
	return table.Unknown()
}

// crowdShades are what serves best, as the map of a sweep of crowds has it.
var crowdShades = [][2]string{
	{"s4", "keep, with any of the idle timeouts"}, {"s2", "keep, with some of the idle timeouts"}, {"s1", "keep or close, as well"}, {"sc", "close"}, {"su", "no choice serves every page"},
}

// crowdShade is the class of a cell.
func crowdShade(v crowdsweep.Serving) string {
	switch v.What {
	case crowdsweep.OnlyKeep:
		if v.Timeouts == crowdsweep.TimeoutAny {
			return "s4"
		}
		return "s2"
	case crowdsweep.Either:
		return "s1"
	case crowdsweep.OnlyClose:
		return "sc"
	}
	return "su"
}

// CrowdMap writes a sweep of crowds as one page that needs nothing else: what serves best, the map of
// it, and a table of every choice.
func CrowdMap(out io.Writer, m *crowdmap.Map, o Options) error {
	hide := func(s string) string { return s }
	if !o.Queries {
		hide, o.Command = redact, redact(o.Command)
	}
	said := words.CrowdSurvey(m.Survey)
	sub := hide(m.Title())
	view := sweepView{
		frame: newFrame(hide(said.Lead), sub, o.Command), first: first{Lead: hide(said.Lead), Sub: sub}, Facts: hideAll(said.Facts, hide),
		Heading: "What serves best", Shades: crowdShades, Origin: m.Origin(o.Version), Limits: o.Limits,
		About: m.Key() + ". " + m.Rule(),
	}
	for _, f := range m.Survey.Findings {
		if f.Code == crowdsweep.ServesBest {
			view.Sentences = append(view.Sentences, hide(words.Finding(f)))
		}
	}
	for _, name := range m.Sweep.Strategies {
		view.Key = append(view.Key, [2]string{m.Letter(name), table.Clean(name)})
	}
	view.Maps = []mapView{{"By clients and time between pages", crowdChart(m)}}
	view.Tables = []draw.Table{draw.TableOf(m.Choices())}
	view.Facets = [][2]string{
		{"Crowds", fmt.Sprintf("%d of %d predicted", m.Survey.Done, m.Survey.Crowds)},
		{"Counts as a difference", "more than " + finding.Share(m.Sweep.Margin) + " of the longer time"},
		{"How far off predictions are", "measured, in " + sweepmap.AccuracyDoc},
	}
	view.Policy = pagePolicy(false)
	view.to(true, "maps", "Map")
	view.to(true, "choices", "Every choice")
	return pageHTML().ExecuteTemplate(out, "sweep.html", view)
}

// crowdChart draws the map: clients upwards, think times to the right.
func crowdChart(m *crowdmap.Map) draw.Chart {
	const high = 38
	c := draw.Chart{ID: "map-0", Class: "map", Label: "What serves best, by clients and time between pages."}
	clients, thinks := sweepmap.Evenly(len(m.Sweep.Axes.Clients), 18), sweepmap.Evenly(len(m.Sweep.Axes.Think), 16)
	wide := draw.PC(100 / float64(len(thinks)))
	data := table.Table{Caption: "Every crowd of the map", Columns: []table.Column{
		{Head: "clients"}, {Head: "between pages", Align: table.Left}, {Head: "serves best", Align: table.Left}, {Head: "idle timeout"}, {Head: "page p95", Unit: "ms"}, {Head: "held mean"},
		{Head: "best that keeps", Align: table.Left}, {Head: "its idle timeout"}, {Head: "its page p95", Unit: "ms"}, {Head: "its held mean"},
	}}
	for _, n := range slices.Backward(clients) {
		row := draw.Row{Name: linger.Plural(m.Sweep.Axes.Clients[n], "client"), Strip: draw.Strip{H: high}}
		for i, k := range thinks {
			cell, ok := m.At(n, k)
			if !ok {
				continue
			}
			x, id := draw.PC(i)*wide, fmt.Sprintf("map-0-%d-%d", n, k)
			letter, idle, _ := strings.Cut(m.Symbol(n, k), " ")
			marks := []draw.Mark{draw.Rect("cell "+crowdShade(cell.Serving()), id, x, wide, 0, high), draw.Label("win", "middle", x+wide/2, high/2, letter)}
			if idle != "" {
				marks = append(marks, draw.Label("saves", "middle", x+wide/2, high-5, idle))
			}
			row.Strip.Marks = append(row.Strip.Marks, draw.Mark{Shape: "group", Class: "field", Inner: marks})
			cells := []table.Cell{table.Int(cell.Clients), table.Word(words.Think(cell.Think))}
			for _, best := range []int{cell.Best, cell.Kept} {
				cells = append(cells, chosen(cell, best)...)
			}
			data.Add(cells...).ID = id
		}
		c.Rows = append(c.Rows, row)
	}
	c.Axis.H = 22
	for i, k := range thinks {
		c.Axis.Marks = append(c.Axis.Marks, draw.Label("tick", "middle", draw.PC(i)*wide+wide/2, 14, crowdmap.ShortThink(m.Sweep.Axes.Think[k])))
	}
	c.Notes = append(c.Notes, "From left to right the time between pages, upwards the clients.")
	if len(clients) < len(m.Sweep.Axes.Clients) || len(thinks) < len(m.Sweep.Axes.Think) {
		c.Notes = append(c.Notes, "Not all of the grid is drawn; all of it is in the CSV and the JSON.")
	}
	c.Data = []draw.Table{draw.TableOf(data)}
	return c
}

// chosen is a row of a cell as the data of the map has it.
func chosen(c crowdsweep.Cell, k int) []table.Cell {
	if k < 0 {
		return []table.Cell{table.Unknown(), table.Unknown(), table.Unknown(), table.Unknown()}
	}
	r := c.Rows[k]
	idle := table.Unknown()
	if r.Persistent {
		idle = table.Word(words.IdleTimeout(r.Idle))
	}
	return []table.Cell{table.Word(r.Strategy), idle, table.Known(r.P95, func(v float64) string { return finding.Fixed(v, max(0, finding.Decimals(v, 0))) }), table.Known(r.Held, finding.Tenth)}
}
