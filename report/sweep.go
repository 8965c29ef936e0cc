package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report/table"
)

// AccuracyDoc is where it stands how far off predictions are.
const AccuracyDoc = "docs/accuracy.md"

// A Map is the part of a sweep that is drawn: of large grids some lines and columns,
// Evenly spread, the first and the last among them. What it holds does not grow with
// the grid.
type Map struct {
	Sweep compare.Sweep
	// Losses, Lines and Places are what is drawn of the grid's losses, rates and
	// round-trip times; of named paths Places are theirs.
	Losses, Lines, Places []int
	rows, columns         int // of the grid
	cells                 map[int]compare.Cell
	letters               map[string]rune
}

// Bounds of what is drawn: columns, lines, and maps, one for each loss.
type bounds struct{ columns, lines, maps int }

var (
	textBounds = bounds{33, 30, 6}
	pageBounds = bounds{26, 18, 5}
)

// NewMap returns an empty map for text, or for a page.
func NewMap(s compare.Sweep, forPage bool) *Map {
	b := textBounds
	if forPage {
		b = pageBounds
	}
	m := &Map{Sweep: s, rows: len(s.Axes.Down), columns: len(s.Axes.RTT), cells: map[int]compare.Cell{}, letters: letters(s.Strategies)}
	if len(s.Axes.Named) > 0 {
		m.rows, m.columns = 1, len(s.Axes.Named)
		b.columns = m.columns
	}
	m.Losses, m.Lines, m.Places = Evenly(len(s.Axes.Loss), b.maps), Evenly(m.rows, b.lines), Evenly(m.columns, b.columns)
	return m
}

// Evenly picks at most most of n places, evenly, the first and the last among them.
func Evenly(n, most int) []int {
	out := make([]int, min(n, most))
	for i := range out {
		out[i] = i * (n - 1) / max(1, len(out)-1)
	}
	return out
}

// Add takes cell number i of the grid, and keeps it where it is drawn.
func (m *Map) Add(i int, c compare.Cell) {
	column, row, loss := i%m.columns, i/m.columns%m.rows, i/m.columns/m.rows
	if slices.Contains(m.Places, column) && slices.Contains(m.Lines, row) && slices.Contains(m.Losses, loss) {
		m.cells[i] = c
	}
}

// At returns a cell, if it was predicted.
func (m *Map) At(loss, row, column int) (compare.Cell, bool) {
	c, ok := m.cells[(loss*m.rows+row)*m.columns+column]
	return c, ok
}

// Thinned says what of the grid is not drawn, or nothing.
func (m *Map) Thinned() string {
	if len(m.Losses) == len(m.Sweep.Axes.Loss) && len(m.Lines) == m.rows && len(m.Places) == m.columns {
		return ""
	}
	text := fmt.Sprintf("Drawn are %d of %s and %d of %s", len(m.Lines), linger.Plural(m.rows, "rate"), len(m.Places), linger.Plural(m.columns, "round-trip time"))
	if n := len(m.Sweep.Axes.Loss); len(m.Losses) < n {
		text += fmt.Sprintf(", at %d of %d losses", len(m.Losses), n)
	}
	return text + "; all stand in the CSV and the JSON."
}

// letters gives each strategy a letter of its own: the first of its name, a capital
// where it has several connections at once, and of HTTP/2 and 3 the number.
func letters(strategies []string) map[string]rune {
	out, taken := map[string]rune{}, map[rune]bool{}
	for _, s := range strategies {
		name, _, _ := strings.Cut(s, "+")
		var wanted []rune
		if rest, ok := strings.CutPrefix(name, "h"); ok && rest != "" {
			wanted = append(wanted, rune(rest[0]))
		}
		letters := []rune(name)
		if strings.Contains(name, ":") {
			wanted = append(wanted, unicode.ToUpper(letters[0]))
			letters = []rune(strings.ToUpper(name))
		}
		wanted = append(append(wanted, letters...), []rune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")...)
		for _, r := range wanted {
			if (unicode.IsLetter(r) || unicode.IsDigit(r)) && !taken[r] {
				out[s], taken[r] = r, true
				break
			}
		}
		if _, ok := out[s]; !ok {
			out[s] = '*' // more strategies than letters
		}
	}
	return out
}

// Sureness says behind a symbol how sure it is.
func Sureness(c compare.Cell) string {
	switch {
	case c.Best == "":
		return " "
	case c.Keeping == compare.KeepingSame:
		return "="
	case !c.Clear:
		return "~"
	}
	return " "
}

// Letter stands for a strategy.
func (m *Map) Letter(strategy string) string { return string(m.letters[strategy]) }

// Symbol is the strategy that takes least in a cell.
func (m *Map) Symbol(c compare.Cell, ok bool) string {
	switch {
	case !ok:
		return " "
	case c.Best == "":
		return "?"
	}
	return m.Letter(c.Best)
}

// Hue tells a strategy apart for who sees colours; the symbol does for all.
func (m *Map) Hue(strategy string) table.Style {
	return table.Hue(slices.Index(m.Sweep.Strategies, strategy))
}

// SweepTitle says what was fetched over how many paths.
func SweepTitle(s compare.Sweep, v compare.Survey) string {
	title := fmt.Sprintf("%s: %s, %s", s.Workload.Name, linger.Plural(s.Workload.Exchanges, "exchange"), finding.Bytes(float64(s.Workload.Bytes)))
	switch s.Workload.Scheme {
	case linger.SchemeDNS:
		title = s.Workload.Name + ": " + linger.Plural(s.Workload.Exchanges, "query")
	case "https":
		title += ", TLS 1.3"
	}
	return title + ", predicted over " + linger.Plural(v.Paths, "path")
}

// SweepOrigin says how the figures came about, and how far to trust them.
func SweepOrigin(s compare.Sweep, version string) string {
	text := "Predicted (engine: sim), not measured; how far off predictions are: " + AccuracyDoc + ". "
	if len(s.Axes.Loss) > 1 || s.Axes.Loss[0] > 0 {
		text += linger.Plural(s.Trials, "trial") + " of each strategy where packets are lost, medians; "
	}
	text += fmt.Sprintf("seed %d", s.Seed)
	if version != "" {
		text += ", linger " + version
	}
	return text + "."
}

// LossName names a loss.
func LossName(loss float64) string {
	if loss == 0 {
		return "Without loss"
	}
	return finding.Setting(100*loss) + " % of packets lost, each way"
}

// RateName is a rate in kbit/s, with its unit.
func RateName(kbps float64) string { return linger.Rate(kbps * float64(linger.Kbps)).String() }

// Paths lists the named paths of one loss.
func (m *Map) Paths(loss int) table.Table {
	left := func(c table.Column) table.Column {
		c.Align = table.Left
		return c
	}
	t := table.Table{Columns: []table.Column{
		{Head: "network", Align: table.Left}, {Head: "takes least", Align: table.Left}, {Head: "time"},
		left(heading("fastest kept", "fastest", "kept", 0)), {Head: "time"}, left(heading("fastest closed", "fastest", "closed", 0)), {Head: "time"},
		heading("keeping saves", "keeping", "saves", 0),
	}}
	for _, place := range m.Places {
		c, ok := m.At(loss, 0, place)
		if !ok {
			continue
		}
		best := table.Word(strings.TrimRight(m.Symbol(c, ok)+Sureness(c)+" "+c.Best, " ")).Styled(m.Hue(c.Best))
		t.Add(table.Word(m.Sweep.Axes.Named[place]), best, timeOf(c, c.Best), table.Word(c.Kept), timeOf(c, c.Kept), table.Word(c.Closed), timeOf(c, c.Closed), table.Known(c.Saves, Signed))
	}
	return t
}

// timeOf is the time of a strategy in a cell, with its unit.
func timeOf(c compare.Cell, strategy string) table.Cell {
	for _, r := range c.Rows {
		if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
			return table.Number(t.Median, func(ms float64) string { return finding.Duration(ms, t.Doubt().Or(0)) })
		}
	}
	return table.Unknown()
}

// Signed is a share in whole per cent, below 0 what it costs.
func Signed(v float64) string {
	if v < 0 {
		return "-" + finding.Share(-v)
	}
	return finding.Share(v)
}
