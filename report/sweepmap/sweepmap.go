// Package sweepmap says what is to be seen of a sweep: a Map takes the cells of a grid of networks
// as they are predicted, keeps those that are drawn, and tells the symbol of each. A title, the
// origin of the figures and the table of named networks stand beside it. It lays out nothing.
package sweepmap

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"linger"
	"linger/compare/sweep"
	"linger/compare/times"
	"linger/finding"
	"linger/report/table"
)

// AccuracyDoc is where it stands how far off predictions are.
const AccuracyDoc = "docs/accuracy.md"

// A Map is the part of a sweep that is drawn: of large grids some lines and columns,
// Evenly spread, the first and the last among them. What it holds does not grow with
// the grid.
type Map struct {
	Sweep sweep.Sweep
	// Losses, Lines and Places are what is drawn of the grid's losses, rates and
	// round-trip times; of named paths Places are theirs.
	Losses, Lines, Places []int
	rows, columns         int // of the grid
	cells                 map[int]sweep.Cell
	letters               map[string]rune
}

// Bounds of what is drawn: columns, lines, and maps, one for each loss.
type bounds struct{ columns, lines, maps int }

var (
	textBounds = bounds{33, 30, 6}
	pageBounds = bounds{26, 18, 5}
)

// New returns an empty map for text, or for a page.
func New(s sweep.Sweep, forPage bool) *Map {
	b := textBounds
	if forPage {
		b = pageBounds
	}
	m := &Map{Sweep: s, rows: len(s.Axes.Down), columns: len(s.Axes.RTT), cells: map[int]sweep.Cell{}, letters: Letters(s.Strategies)}
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
func (m *Map) Add(i int, c sweep.Cell) {
	column, row, loss := i%m.columns, i/m.columns%m.rows, i/m.columns/m.rows
	if slices.Contains(m.Places, column) && slices.Contains(m.Lines, row) && slices.Contains(m.Losses, loss) {
		m.cells[i] = c
	}
}

// At returns a cell, if it was predicted.
func (m *Map) At(loss, row, column int) (sweep.Cell, bool) {
	c, ok := m.cells[(loss*m.rows+row)*m.columns+column]
	return c, ok
}

// Thinned says that not all of the grid is drawn, but so many of its rates, round-trip times
// and losses; nothing where all of it is.
func Thinned(s sweep.Sweep, lines, places, losses int) string {
	if len(s.Axes.Named) > 0 || lines == len(s.Axes.Down) && places == len(s.Axes.RTT) && losses == len(s.Axes.Loss) {
		return ""
	}
	text := fmt.Sprintf("Drawn are %d of %s and %d of %s", lines, linger.Plural(len(s.Axes.Down), "rate"), places, linger.Plural(len(s.Axes.RTT), "RTT"))
	if n := len(s.Axes.Loss); losses < n {
		text += fmt.Sprintf(", at %d of %d loss rates", losses, n)
	}
	return text + "; all are in the CSV and the JSON."
}

// Letters gives each strategy a letter of its own: the first of its name, a capital
// where it has several connections at once, and of HTTP/2 and 3 the number.
func Letters(strategies []string) map[string]rune {
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
func Sureness(c sweep.Cell) string {
	switch {
	case c.Best == "":
		return " "
	case c.Keeping == sweep.KeepingSame:
		return "="
	case !c.Clear:
		return "~"
	}
	return " "
}

// Marked reports whether any cell has a mark: "~", "=" or "?".
func (m *Map) Marked(mark string) bool {
	for _, c := range m.cells {
		if Sureness(c) == mark || m.Symbol(c, true) == mark {
			return true
		}
	}
	return false
}

// Key says which strategies the letters on the map stand for: "3 h3".
func (m *Map) Key() (key []string) {
	drawn := map[string]bool{}
	for _, c := range m.cells {
		drawn[c.Best] = true
	}
	for _, s := range m.Sweep.Strategies {
		if drawn[s] {
			key = append(key, m.Letter(s)+" "+s)
		}
	}
	return key
}

// Letter stands for a strategy.
func (m *Map) Letter(strategy string) string { return string(m.letters[strategy]) }

// Symbol is the fastest strategy of a cell.
func (m *Map) Symbol(c sweep.Cell, ok bool) string {
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

// Title says what was fetched over how many networks.
func Title(s sweep.Sweep, v sweep.Survey) string {
	title := fmt.Sprintf("%s: %s, %s", s.Workload.Name, linger.Plural(s.Workload.Exchanges, "request"), finding.Bytes(float64(s.Workload.Bytes)))
	switch s.Workload.Scheme {
	case linger.SchemeDNS:
		title = s.Workload.Name + ": " + linger.Plural(s.Workload.Exchanges, "query")
	case linger.SchemeHTTPS:
		title += ", TLS 1.3"
	}
	if n := len(s.Axes.Named); n > 0 && len(s.Axes.Loss) > 1 {
		return title + fmt.Sprintf(", predicted over %s × %d losses", linger.Plural(n, "network"), len(s.Axes.Loss))
	}
	return title + ", predicted over " + linger.Plural(v.Paths, "network")
}

// Origin says how the figures came about, and how far to trust them.
func Origin(s sweep.Sweep, v sweep.Survey, version string) string {
	text := "Predicted by the simulator, not measured; "
	if v.Beyond > 0 {
		text += fmt.Sprintf("%d of %s outside the range checked (%s)", v.Beyond, linger.Plural(v.Done, "network"), AccuracyDoc)
	} else {
		text += "accuracy: " + AccuracyDoc
	}
	if len(s.Axes.Loss) > 1 || s.Axes.Loss[0] > 0 {
		text += "; medians of " + linger.Plural(s.Trials, "trial") + " with loss"
	}
	text += fmt.Sprintf("; seed %d", s.Seed)
	if version != "" {
		text += ", linger " + version
	}
	return text + "."
}

// LossName names a loss.
func LossName(loss float64) string {
	if loss == 0 {
		return "No loss"
	}
	return finding.Setting(100*loss) + " % loss"
}

// RateName is a rate in kbit/s, with its unit.
func RateName(kbps float64) string { return linger.Rate(kbps * float64(linger.Kbps)).String() }

// Networks lists the named networks: at each loss the fastest strategy with its time, and
// what keep-alive alone saves, of each pair of strategies where those are two at most, else
// as a range. A star stands behind networks on which predictions were checked.
func (m *Map) Networks() table.Table {
	t := table.Table{Columns: []table.Column{{Head: "network", Align: table.Left}}}
	at := func(loss int) string {
		if len(m.Losses) == 1 {
			return ""
		}
		return ", " + strings.ToLower(LossName(m.Sweep.Axes.Loss[loss]))
	}
	pairs := m.pairs()
	for i, loss := range m.Losses {
		t.Columns = append(t.Columns, table.Column{Head: "fastest" + at(loss), Align: table.Left, Spare: 2 * i})
		for _, with := range pairs {
			t.Columns = append(t.Columns, table.Column{Head: with + " saves", Spare: 2 * i})
		}
	}
	for i, loss := range m.Losses {
		spare := 2*(i+len(m.Losses)) + 1
		t.Columns = append(t.Columns, table.Column{Head: "fastest with keep-alive" + at(loss), Align: table.Left, Spare: spare}, table.Column{Head: "fastest without" + at(loss), Align: table.Left, Spare: spare})
	}
	for _, place := range m.Places {
		name := m.Sweep.Axes.Named[place]
		row := t.Add(table.Cell{})
		var more []table.Cell
		for _, loss := range m.Losses {
			c, ok := m.At(loss, 0, place)
			if ok && c.Covered && !strings.HasSuffix(name, Checked) {
				name += Checked
			}
			best := table.Given(strings.TrimRight(timed(c, c.Best)+" "+Sureness(c), " "))
			if ok && c.Best != "" {
				best.Style = m.Hue(c.Best)
			}
			row.Cells = append(row.Cells, best)
			for _, with := range pairs {
				row.Cells = append(row.Cells, saved(c.KeepAlive, with))
			}
			more = append(more, table.Given(timed(c, c.Kept)), table.Given(timed(c, c.Closed)))
		}
		row.Cells[0] = table.Word(name)
		row.Cells = append(row.Cells, more...)
	}
	return t
}

// Checked stands behind a network on which predictions were held against measurements.
const Checked = "*"

// keepAlive heads what keep-alive saves where more than two pairs of strategies tell.
const keepAlive = "keep-alive"

// pairs are the strategies whose keep-alive is worth a column, or keepAlive for all.
func (m *Map) pairs() (with []string) {
	for _, c := range m.cells {
		for _, s := range c.KeepAlive {
			if !slices.Contains(with, s.With) {
				with = append(with, s.With)
			}
		}
	}
	slices.SortFunc(with, func(a, b string) int {
		return slices.Index(m.Sweep.Strategies, a) - slices.Index(m.Sweep.Strategies, b)
	})
	if len(with) > 2 {
		return []string{keepAlive}
	}
	return with
}

// saved is what keep-alive saves by a strategy, or over all pairs that tell: "49 to 66 %".
func saved(pairs []times.Saving, with string) table.Cell {
	pairs = slices.DeleteFunc(slices.Clone(pairs), func(s times.Saving) bool { return with != keepAlive && s.With != with })
	if len(pairs) == 0 {
		return table.Unknown()
	}
	least, most := pairs[0].Share.Value, pairs[0].Share.Value
	for _, s := range pairs[1:] {
		least, most = min(least, s.Share.Value), max(most, s.Share.Value)
	}
	low, high := finding.SignedShare(least), finding.SignedShare(most)
	if low == high {
		return table.Word(low)
	}
	return table.Word(strings.TrimSuffix(low, " %") + " to " + high)
}

// timed is a strategy with its time in a cell: "h3 648 ms".
func timed(c sweep.Cell, strategy string) string {
	for _, r := range c.Rows {
		if t, ok := r.Time.Get(); ok && r.Strategy == strategy {
			// Two digits at least, however wide the interval.
			return strategy + " " + finding.Duration(t.Median, min(t.Uncertainty().Or(0), t.Median/10))
		}
	}
	return strategy
}
