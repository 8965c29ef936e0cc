// Package crowdmap says what is to be seen of a sweep of crowds: the map of what serves best by
// clients and think times, with the symbol of each cell, and the table of every choice. It lays out
// nothing.
package crowdmap

import (
	"fmt"
	"slices"
	"strings"

	"linger"
	"linger/compare/crowd"
	"linger/compare/crowdsweep"
	"linger/finding"
	"linger/report"
	"linger/report/crowds"
	"linger/report/sweepmap"
	"linger/report/table"
	"linger/report/words"
)

// A Map is a sweep of crowds with what came of it.
type Map struct {
	Plan    crowdsweep.Plan
	Sweep   crowdsweep.Sweep
	Cells   []crowdsweep.Cell // the first ones of the grid
	Survey  crowdsweep.Survey
	letters map[string]rune
}

// New returns the map of the cells of a plan that were predicted.
func New(p crowdsweep.Plan, cells []crowdsweep.Cell) *Map {
	s := crowdsweep.Of(p)
	return &Map{Plan: p, Sweep: s, Cells: cells, Survey: p.SurveyOf(cells), letters: sweepmap.Letters(s.Strategies)}
}

// At returns the cell of so many clients and a think time, by their places in the grid.
func (m *Map) At(clients, think int) (c crowdsweep.Cell, ok bool) {
	if i := clients*len(m.Sweep.Axes.Think) + think; i < len(m.Cells) {
		return m.Cells[i], true
	}
	return crowdsweep.Cell{Best: -1, Kept: -1, Tuned: -1}, false
}

// Marks stand behind the letter of a strategy, or in its place.
const (
	AlsoKept = "=" // it closes connections, and what keeps them serves as well
	Slow     = "*" // clients wait whatever is chosen
	Failing  = "!" // no choice serves every page within the budget
)

// Symbol is what serves best in a cell: the letter of the strategy and, of one that keeps
// connections, the idle timeout with which it holds the fewest: "K 15 s".
func (m *Map) Symbol(clients, think int) string {
	c, ok := m.At(clients, think)
	switch {
	case !ok:
		return ""
	case c.Best < 0:
		return Failing
	}
	r := c.Rows[c.Best]
	s := m.Letter(r.Strategy)
	switch {
	case r.Persistent:
		s += " " + words.IdleTimeout(r.Idle)
	case c.Serving().What == crowdsweep.Either:
		s += AlsoKept
	}
	if m.Plan.Slow(m.Cells, clients*len(m.Sweep.Axes.Think)+think) {
		s += Slow
	}
	return s
}

// Letter stands for a strategy.
func (m *Map) Letter(strategy string) string { return string(m.letters[strategy]) }

// Hue tells strategies apart for who sees colours; the letter does for all.
func (m *Map) Hue(strategy string) table.Style {
	return table.Hue(slices.Index(m.Sweep.Strategies, strategy))
}

// Best is the strategy that serves best in a cell, if any does.
func Best(c crowdsweep.Cell) string {
	if c.Best < 0 {
		return ""
	}
	return c.Rows[c.Best].Strategy
}

// Table is the map: a row for each number of clients, a column for each think time. Of larger grids
// it has so many of either, evenly spread.
func (m *Map) Table(columns, rows int) table.Table {
	t := table.Table{Columns: []table.Column{{Head: "clients"}}}
	thinks, clients := sweepmap.Evenly(len(m.Sweep.Axes.Think), columns), sweepmap.Evenly(len(m.Sweep.Axes.Clients), rows)
	for i, k := range thinks {
		c := table.Column{Head: ShortThink(m.Sweep.Axes.Think[k]), Align: table.Left}
		if i == 0 {
			c.Over = "time between pages"
		}
		t.Columns = append(t.Columns, c)
	}
	for _, n := range clients {
		row := t.Add(table.Int(m.Sweep.Axes.Clients[n]))
		for _, k := range thinks {
			c, _ := m.At(n, k)
			cell := table.Word(m.Symbol(n, k))
			if best := Best(c); best != "" {
				cell.Style = m.Hue(best)
			}
			row.Cells = append(row.Cells, cell)
		}
	}
	if len(thinks) < len(m.Sweep.Axes.Think) || len(clients) < len(m.Sweep.Axes.Clients) {
		t.More = fmt.Sprintf("Shown are %d of %d numbers of clients and %d of %s; all are in the CSV and the JSON.",
			len(clients), len(m.Sweep.Axes.Clients), len(thinks), linger.Plural(len(m.Sweep.Axes.Think), "think time"))
	}
	return t
}

// ShortThink names a think time where there is little room: "5 s", "~5 s", "4 s-6 s".
func ShortThink(name string) string {
	t, err := linger.ParseThink(name)
	lasting := func(ms float64) string { return finding.Lasting(ms) }
	switch {
	case err != nil:
		return name
	case t.Random:
		return "~" + lasting(float64(t.Least)/1e6)
	case t.Most > t.Least:
		return lasting(float64(t.Least)/1e6) + "-" + lasting(float64(t.Most)/1e6)
	}
	return lasting(float64(t.Least) / 1e6)
}

// Key says what letters and marks on the map stand for.
func (m *Map) Key() string {
	drawn, marks := map[string]bool{}, ""
	for i, c := range m.Cells {
		drawn[Best(c)] = true
		marks += m.Symbol(i/len(m.Sweep.Axes.Think), i%len(m.Sweep.Axes.Think))
	}
	var key []string
	kept := false
	for i, s := range m.Sweep.Strategies {
		if drawn[s] {
			key = append(key, m.Letter(s)+" "+s)
			kept = kept || m.Plan.Strategies[i].Persistent
		}
	}
	parts := []string{strings.Join(key, ", ") + " serves best"}
	if len(key) == 0 {
		parts = nil
	}
	if kept {
		parts[0] += ", with the idle timeout that holds the fewest connections"
	}
	for _, mark := range [][2]string{
		{AlsoKept, "so does one that keeps connections"}, {Slow, "clients wait whatever is chosen"},
		{Failing, "no choice serves every page within what may be held"},
	} {
		if strings.Contains(marks, mark[0]) {
			parts = append(parts, mark[0]+" "+mark[1])
		}
	}
	return strings.Join(parts, "; ")
}

// Rule says what serves best.
func (m *Map) Rule() string {
	s := "Best: every page was loaded"
	if m.Plan.Budget > 0 {
		s += fmt.Sprintf(", and at most %s held for 99 %% of the time", linger.Plural(m.Plan.Budget, "connection"))
	}
	return s + "; where a choice allows it, at most " + finding.Share(crowdsweep.MayWait) + " of the clients waited for the server longer than a page takes; of those, the least p95 of the page time; within " +
		finding.Share(m.Sweep.Margin) + " of it the least median; within that the fewest connections held."
}

// Title says what was fetched by how many crowds, over what, and from whom.
func (m *Map) Title() string {
	p := m.Plan
	e := &crowd.Experiment{Network: p.Network, Crowd: p.Crowd, Server: p.Server, Capacity: p.Capacity}
	e.Crowd.Clients = 2 // several, however many
	return table.Clean(strings.Join([]string{report.Load(m.Sweep.Workload), m.clients(), crowds.Path(e), crowds.Servers(e)}, " · "))
}

// clients says how many there are and what each does.
func (m *Map) clients() string {
	a := m.Sweep.Axes.Clients
	s := linger.Plural(a[0], "client")
	if last := a[len(a)-1]; last > a[0] {
		s = fmt.Sprintf("%d to %d clients", a[0], last)
	}
	c := m.Plan.Crowd
	if c.Arrivals > 0 {
		s += ", " + finding.Setting(c.Arrivals) + " a second at random"
	}
	if c.Visits > 0 {
		s += ", " + linger.Plural(c.Visits, "page") + " each"
	}
	if c.Duration > 0 {
		s += ", for " + finding.Lasting(float64(c.Duration)/1e6)
	}
	return s
}

// Brief says in one line how the figures came about.
func (m *Map) Brief() string {
	return "Predicted by the simulator, not measured (" + sweepmap.AccuracyDoc + ")."
}

// Origin says all of it, and how far to trust them.
func (m *Map) Origin(version string) string {
	s := "Predicted by the simulator, not measured; accuracy: " + sweepmap.AccuracyDoc
	if m.Plan.Crowd.Arrivals == 0 {
		s += "; clients come at random over one think time"
	}
	if m.Plan.Trials > 1 {
		s += "; " + linger.Plural(m.Plan.Trials, "trial") + " each"
	}
	s += fmt.Sprintf("; seed %d", m.Plan.Seed)
	if version != "" {
		s += ", linger " + version
	}
	return s + "."
}

// AsGood stands behind a choice that serves as well as the best one.
const AsGood = "="

// Choices is the table of every choice in each cell; what serves best is marked.
func (m *Map) Choices() table.Table {
	t := table.Table{Caption: "Every choice", More: m.Legend(), Columns: []table.Column{
		{Head: "strategy", Align: table.Left}, {Head: "idle timeout"}, {Head: "page, ms", Unit: "ms"}, {Head: "p95, ms", Unit: "ms"}, {Head: "clients kept out"}, {Head: "conns wait p95, ms", Unit: "ms", Spare: 2},
		{Head: "held mean"}, {Head: "held peak", Spare: 3}, {Head: "conns a page", Spare: 4}, {Head: "failed or unfinished", Spare: 1},
	}}
	for _, c := range m.Cells {
		for k, r := range c.Rows {
			idle := table.Unknown()
			if r.Persistent {
				idle = table.Word(words.IdleTimeout(r.Idle))
			}
			name := r.Strategy
			if r.Serves && k != c.Best {
				name += " " + AsGood
			}
			row := t.Add(table.Word(name), idle, table.Known(r.Median, millis), table.Known(r.P95, millis), table.Known(r.KeptOut, finding.Share), table.Known(r.Waited, millis),
				table.Known(r.Held, finding.Tenth), table.Known(r.HeldPeak, finding.Count), table.Known(r.Opened, finding.Setting), table.Int(r.Failed+r.Unfinished))
			row.Cells[6].Flagged = !r.Within
			row.Best = k == c.Best
			row.ID = fmt.Sprintf("choice-%d-%s-%d", c.Clients, think(c.Think), k)
			if k == 0 {
				row.Group = linger.Plural(c.Clients, "client") + ", " + words.Think(c.Think) + " between pages"
			}
		}
	}
	return t
}

// Legend says what the marks of the table of every choice mean.
func (m *Map) Legend() string {
	s := AsGood + " serves as well as the best; kept out: that waited for the server longer than a page takes; held: connections that the server had taken"
	if m.Plan.Budget > 0 {
		s += "; ! holds more than allowed"
	}
	return s + "."
}

// think is a think time as IDs may have it.
func think(name string) string {
	return strings.NewReplacer("~", "r", ".", "_", "µ", "u").Replace(name)
}

// millis writes a time in ms to three digits.
func millis(ms float64) string { return finding.Fixed(ms, max(0, finding.Decimals(ms, 0))) }
