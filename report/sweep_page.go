package report

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/finding"
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
	Limits                     []Limit
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

// SweepHTML writes a sweep as one page that needs nothing else: what it comes to, a map
// for each loss with its table, and the simulator for further paths, which begin at the
// grid's middle.
func SweepHTML(out io.Writer, m *Map, v compare.Survey, w linger.Workload, strategies []linger.Strategy, g linger.Grid, o Options) error {
	s := m.sweep
	if !o.Queries {
		s.Workload.Name, v.Text, o.Command = redact(s.Workload.Name), redact(v.Text), redact(o.Command)
	}
	view := sweepView{
		Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Title: clean(sweepTitle(s, v)), Kicker: clean(s.Workload.Name), Origin: sweepOrigin(s, o), Command: clean(o.Command), Limits: o.Limits, Shades: shades,
		About: "Each field is a path. The letter is the strategy that takes least there; ~ says that another takes at most " + finding.Share(s.Margin) + " more, or that luck is not ruled out. " +
			"The deeper the colour, the more the fastest persistent strategy saves against the fastest non-persistent one.",
	}
	if text := m.thinned(); text != "" {
		view.About += " " + text
	}
	for _, name := range s.Strategies {
		view.Key = append(view.Key, [2]string{string(m.symbols[name]), clean(name)})
	}
	view.Lead, _, _ = strings.Cut(v.Text, "\n")
	for text := range strings.SplitSeq(v.Text, "\n") {
		if fact, ok := strings.CutPrefix(text, "- "); ok {
			view.Facts = append(view.Facts, fact)
		}
	}
	for i, loss := range m.losses {
		view.Maps = append(view.Maps, mapView{lossName(s.Axes.Loss[loss]), m.chart(i, loss)})
	}
	view.Facets = [][2]string{
		{"Workload", fmt.Sprintf("%s: %s, %s of content", clean(s.Workload.Name), linger.Plural(s.Workload.Exchanges, "exchange"), finding.Bytes(float64(s.Workload.Bytes)))},
		{"Paths", fmt.Sprintf("%d of %d predicted", v.Done, v.Paths)},
		{"Counts as a difference", "more than " + finding.Share(s.Margin) + " of the longer time"},
		{"How far off predictions are", "measured, in " + accuracyDoc},
	}
	middle := g.Path(g.Rows()/2*g.Columns() + g.Columns()/2)
	if x, ok := explore(w, strategies, middle, s.Seed, o); ok {
		view.Explorer, view.Explore = x, template.JS(exploreScript)
	}
	view.Policy = pagePolicy(view.Explorer != nil)
	return pageHTML.ExecuteTemplate(out, "sweep.html", view)
}

// chart draws the map of one loss: rates upwards, round-trip times to the right. Named
// paths are one row.
func (m *Map) chart(number, loss int) chart {
	id := fmt.Sprintf("map-%d", number)
	c := chart{ID: id, W: drawn, Label: "Which strategy takes least, by round-trip time and rate: " + lossName(m.sweep.Axes.Loss[loss]) + "."}
	const top, highest = 4, 44
	wide := px(math.Min(64, float64((drawn-nameRoom)/px(len(m.places)))))
	high := min(highest, max(24, wide*2/3))
	cols := []column{{head: [2]string{"network"}, left: true}, {head: [2]string{"rate"}}, {head: [2]string{"RTT, ms"}}, {head: [2]string{"takes least"}, left: true}, {head: [2]string{"time, ms"}},
		{head: [2]string{"fastest kept"}, left: true}, {head: [2]string{"time, ms"}}, {head: [2]string{"fastest closed"}, left: true}, {head: [2]string{"time, ms"}},
		{head: [2]string{"keeping"}, left: true}, {head: [2]string{"saves"}}, {head: [2]string{"accuracy"}, left: true}}
	named := len(m.sweep.Axes.Named) > 0
	if named {
		cols[1].head, cols[2].head = [2]string{}, [2]string{}
	} else {
		cols[0].head = [2]string{}
	}
	y := px(top)
	for _, row := range slices.Backward(m.lines) {
		if !named {
			c.Marks = append(c.Marks, label("name", "end", nameRoom-10, y+high/2+4, rateName(m.sweep.Axes.Down[row])))
		}
		for i, place := range m.places {
			cell, ok := m.at(loss, row, place)
			if !ok {
				continue
			}
			x, rowID := nameRoom+px(i)*wide, fmt.Sprintf("%s-%d-%d", id, row, place)
			c.Marks = append(c.Marks, rect("cell "+shade(cell), rowID, x, y, wide, high), label("win", "middle", x+wide/2, y+high/2+5, m.symbol(cell, true)))
			if sure := sureness(cell); cell.Best != "" && sure != " " {
				c.Marks = append(c.Marks, label("tie", "", x+wide/2+5, y+high/2+1, "~"))
			}
			for k, text := range []string{
				clean(cell.Network.Name), rateName(cell.Network.Down.Or(0)), exact(cell.Network.RTT), cell.Best, msOf(cell, cell.Best), cell.Kept, msOf(cell, cell.Kept), cell.Closed, msOf(cell, cell.Closed),
				string(cell.Keeping), known(cell.Saves, signed), map[bool]string{true: "measured on such paths", false: "not known here"}[cell.Covered],
			} {
				if text == "" {
					text = unknown
				}
				cols[k].cells = append(cols[k].cells, text)
			}
			cols[0].ids = append(cols[0].ids, rowID)
		}
		y += high
	}
	for i, place := range m.places {
		x := nameRoom + px(i)*wide + wide/2
		if named {
			c.Marks = append(c.Marks, label("tick", "middle", x, y+16, m.sweep.Axes.Named[place]))
			continue
		}
		// As many names as there is room for.
		if every := int(math.Ceil(38 / float64(wide))); i%every == 0 {
			c.Marks = append(c.Marks, label("tick", "middle", x, y+16, finding.Setting(m.sweep.Axes.RTT[place])))
		}
	}
	if !named {
		c.Marks = append(c.Marks, label("aside", "", nameRoom, y+34, "round-trip time, ms"))
	}
	c.H = y + 42
	c.Data = []table{tableOf("Every path of the map", cols, upTo(len(cols[0].cells)), nil)}
	return c
}

// msOf is the time of a strategy in a cell, in ms, to the digits that are known.
func msOf(c compare.Cell, strategy string) string {
	for _, r := range c.Rows {
		if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
			return finding.Fixed(t.Median, max(0, finding.Decimals(t.Median, t.Doubt().Or(0))))
		}
	}
	return unknown
}
