package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/report/table"
)

// A Limit is something that predictions leave out: what, and what comes of it.
type Limit struct {
	What string `json:"what"`
	Text string `json:"text,omitempty"`
}

// accuracyDoc is where it stands how far off predictions are.
const accuracyDoc = "docs/accuracy.md"

// A Map is the part of a sweep that is drawn: of large grids some lines and columns,
// evenly spread, the first and the last among them. What it holds does not grow with
// the grid.
type Map struct {
	sweep                 compare.Sweep
	rows, columns         int   // of the grid
	losses, lines, places []int // that are drawn
	cells                 map[int]compare.Cell
	symbols               map[string]rune
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
	m := &Map{sweep: s, rows: len(s.Axes.Down), columns: len(s.Axes.RTT), cells: map[int]compare.Cell{}, symbols: symbols(s.Strategies)}
	if len(s.Axes.Named) > 0 {
		m.rows, m.columns = 1, len(s.Axes.Named)
		b.columns = m.columns
	}
	m.losses, m.lines, m.places = evenly(len(s.Axes.Loss), b.maps), evenly(m.rows, b.lines), evenly(m.columns, b.columns)
	return m
}

// evenly picks at most most of n places, evenly, the first and the last among them.
func evenly(n, most int) []int {
	out := make([]int, min(n, most))
	for i := range out {
		out[i] = i * (n - 1) / max(1, len(out)-1)
	}
	return out
}

// Add takes cell number i of the grid, and keeps it where it is drawn.
func (m *Map) Add(i int, c compare.Cell) {
	column, row, loss := i%m.columns, i/m.columns%m.rows, i/m.columns/m.rows
	if slices.Contains(m.places, column) && slices.Contains(m.lines, row) && slices.Contains(m.losses, loss) {
		m.cells[i] = c
	}
}

// at returns a cell, if it was predicted.
func (m *Map) at(loss, row, column int) (compare.Cell, bool) {
	c, ok := m.cells[(loss*m.rows+row)*m.columns+column]
	return c, ok
}

// thinned says what of the grid is not drawn, or nothing.
func (m *Map) thinned() string {
	if len(m.losses) == len(m.sweep.Axes.Loss) && len(m.lines) == m.rows && len(m.places) == m.columns {
		return ""
	}
	text := fmt.Sprintf("Drawn are %d of %s and %d of %s", len(m.lines), linger.Plural(m.rows, "rate"), len(m.places), linger.Plural(m.columns, "round-trip time"))
	if n := len(m.sweep.Axes.Loss); len(m.losses) < n {
		text += fmt.Sprintf(", at %d of %d losses", len(m.losses), n)
	}
	return text + "; all stand in the CSV and the JSON."
}

// symbols gives each strategy a letter of its own: the first of its name, a capital
// where it has several connections at once, and of HTTP/2 and 3 the number.
func symbols(strategies []string) map[string]rune {
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

// sureness says behind a symbol how sure it is.
func sureness(c compare.Cell) string {
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

// symbol is the strategy that takes least in a cell.
func (m *Map) symbol(c compare.Cell, ok bool) string {
	switch {
	case !ok:
		return " "
	case c.Best == "":
		return "?"
	}
	return string(m.symbols[c.Best])
}

// hue tells a strategy apart for who sees colours; the symbol does for all.
func (m *Map) hue(strategy string) table.Style {
	return table.Hue(slices.Index(m.sweep.Strategies, strategy))
}

// sweepTitle says what was fetched over how many paths.
func sweepTitle(s compare.Sweep, v compare.Survey) string {
	title := fmt.Sprintf("%s: %s, %s", s.Workload.Name, linger.Plural(s.Workload.Exchanges, "exchange"), finding.Bytes(float64(s.Workload.Bytes)))
	switch s.Workload.Scheme {
	case linger.SchemeDNS:
		title = s.Workload.Name + ": " + linger.Plural(s.Workload.Exchanges, "query")
	case "https":
		title += ", TLS 1.3"
	}
	return title + ", predicted over " + linger.Plural(v.Paths, "path")
}

// sweepOrigin says how the figures came about, and how far to trust them.
func sweepOrigin(s compare.Sweep, o Options) string {
	text := "Predicted (engine: sim), not measured; how far off predictions are: " + accuracyDoc + ". "
	if len(s.Axes.Loss) > 1 || s.Axes.Loss[0] > 0 {
		text += linger.Plural(s.Trials, "trial") + " of each strategy where packets are lost, medians; "
	}
	text += fmt.Sprintf("seed %d", s.Seed)
	if o.Version != "" {
		text += ", linger " + o.Version
	}
	return text + "."
}

// Sweep writes the maps for a person, what they come to, what is not modelled, and
// where it all comes from.
func Sweep(w io.Writer, m *Map, v compare.Survey, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		say := func(text, first, indent string, st style) {
			for _, line := range wrap(text, o.width(), first, indent) {
				b.WriteString(o.paint(line, st) + "\n")
			}
		}
		say(sweepTitle(m.sweep, v), "", "", bold)
		for _, loss := range m.losses {
			b.WriteString("\n" + o.paint(lossName(m.sweep.Axes.Loss[loss]), bold) + "\n")
			if len(m.sweep.Axes.Named) > 0 {
				o.table(b, m.pathTable(loss))
			} else {
				m.draw(b, loss, o)
			}
		}
		b.WriteString("\n")
		var key []string
		for _, s := range m.sweep.Strategies {
			key = append(key, string(m.symbols[s])+" "+s)
		}
		say(strings.Join(key, ", ")+": takes least. ~ another takes at most "+finding.Share(m.sweep.Margin)+" more, or luck is not ruled out; = and keeping connections or not makes no more of a difference; ? not known.", "", "", faint)
		if text := m.thinned(); text != "" {
			say(text, "", "", faint)
		}
		b.WriteString("\n")
		for text := range strings.SplitSeq(v.Text, "\n") {
			first, indent := "", ""
			if fact, ok := strings.CutPrefix(text, "- "); ok {
				text, first, indent = fact, "- ", "  "
			}
			say(text, first, indent, plain)
		}
		b.WriteString("\n")
		if len(o.Limits) > 0 {
			var names []string
			for _, l := range o.Limits {
				names = append(names, strings.TrimSuffix(l.What, "."))
			}
			say("Not modelled: "+strings.Join(names, "; ")+" (docs/simulator.md).", "", "", plain)
		}
		say(sweepOrigin(m.sweep, o), "", "", faint)
		if o.Command != "" {
			b.WriteString(o.paint("Again: "+table.Clean(o.Command), faint) + "\n")
		}
	})
}

func lossName(loss float64) string {
	if loss == 0 {
		return "Without loss"
	}
	return finding.Setting(100*loss) + " % of packets lost, each way"
}

// rateName is a rate in kbit/s, with its unit.
func rateName(kbps float64) string { return linger.Rate(kbps * float64(linger.Kbps)).String() }

// draw writes the map of one loss: rates downwards, the highest first, round-trip
// times to the right.
func (m *Map) draw(b *bufio.Writer, loss int, o Options) {
	const room = 13 // for the rate
	places := m.places
	if most := (o.width() - room - 1) / 2; len(places) > most {
		places = nil
		for _, i := range evenly(len(m.places), most) {
			places = append(places, m.places[i])
		}
	}
	for _, row := range slices.Backward(m.lines) {
		b.WriteString(right(rateName(m.sweep.Axes.Down[row]), room) + " ")
		var line strings.Builder
		for _, column := range places {
			c, ok := m.at(loss, row, column)
			line.WriteString(o.paint(m.symbol(c, ok), styleOf(m.hue(c.Best))))
			if sure := sureness(c); sure == " " {
				line.WriteString(sure) // not painted, so that it can be cut off
			} else {
				line.WriteString(o.paint(sure, faint))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	axis := right("RTT, ms", room) + " "
	for i, column := range places {
		name := finding.Setting(m.sweep.Axes.RTT[column])
		at := room + 1 + 2*i
		if i > 0 && at < width(axis)+1 || at+width(name) > o.width() {
			continue
		}
		axis = left(axis, at) + name
	}
	b.WriteString(o.paint(axis, faint) + "\n")
}

// pathTable lists the named paths of one loss.
func (m *Map) pathTable(loss int) table.Table {
	left := func(c table.Column) table.Column {
		c.Align = table.Left
		return c
	}
	t := table.Table{Columns: []table.Column{
		{Head: "network", Align: table.Left}, {Head: "takes least", Align: table.Left}, {Head: "time"},
		left(heading("fastest kept", "fastest", "kept", 0)), {Head: "time"}, left(heading("fastest closed", "fastest", "closed", 0)), {Head: "time"},
		heading("keeping saves", "keeping", "saves", 0),
	}}
	for _, place := range m.places {
		c, ok := m.at(loss, 0, place)
		if !ok {
			continue
		}
		best := table.Word(strings.TrimRight(m.symbol(c, ok)+sureness(c)+" "+c.Best, " ")).Styled(m.hue(c.Best))
		t.Add(table.Word(m.sweep.Axes.Named[place]), best, timeOf(c, c.Best), table.Word(c.Kept), timeOf(c, c.Kept), table.Word(c.Closed), timeOf(c, c.Closed), table.Known(c.Saves, signed))
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

// signed is a share in whole per cent, below 0 what it costs.
func signed(v float64) string {
	if v < 0 {
		return "-" + finding.Share(-v)
	}
	return finding.Share(v)
}

// A SweepJSON writes a sweep as one JSON document, cell by cell: it keeps none.
type SweepJSON struct {
	w     *bufio.Writer
	cells int
}

// NewSweepJSON begins the document.
func NewSweepJSON(w io.Writer, s compare.Sweep, o Options) (*SweepJSON, error) {
	j := &SweepJSON{w: bufio.NewWriter(w)}
	head, err := encoded(struct {
		Linger string `json:"linger"`
		compare.Sweep
		Accuracy    string  `json:"accuracy"`
		NotModelled []Limit `json:"not_modelled"`
	}{o.Version, s, accuracyDoc, o.Limits}, "")
	if err != nil {
		return nil, err
	}
	j.w.WriteString(strings.TrimSuffix(head, "\n}") + ",\n  \"cells\": [")
	return j, nil
}

// encoded is v as JSON, in lines that begin with prefix.
func encoded(v any, prefix string) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent(prefix, "  ")
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// Add writes the next cell.
func (j *SweepJSON) Add(c compare.Cell) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if j.cells++; j.cells > 1 {
		j.w.WriteString(",")
	}
	j.w.WriteString("\n    ")
	_, err = j.w.Write(text)
	return err
}

// Close ends the document with what the cells come to.
func (j *SweepJSON) Close(v compare.Survey) error {
	text, err := encoded(v, "  ")
	if err != nil {
		return err
	}
	j.w.WriteString("\n  ],\n  \"findings\": " + text + "\n}\n")
	return j.w.Flush()
}

// A SweepCSV writes a sweep as CSV, a line for each strategy on each path.
type SweepCSV struct{ w *csv.Writer }

// sweepColumns are those of the CSV; what is not known is empty.
var sweepColumns = []struct {
	name  string
	value func(compare.Cell, compare.Swept) string
}{
	{"network", func(c compare.Cell, _ compare.Swept) string { return c.Network.Name }},
	{"rtt_ms", func(c compare.Cell, _ compare.Swept) string { return exact(c.Network.RTT) }},
	{"down_kbps", func(c compare.Cell, _ compare.Swept) string { return exact(c.Network.Down) }},
	{"up_kbps", func(c compare.Cell, _ compare.Swept) string { return exact(c.Network.Up) }},
	{"loss", func(c compare.Cell, _ compare.Swept) string { return exact(c.Network.Loss) }},
	{"strategy", func(_ compare.Cell, r compare.Swept) string { return r.Strategy }},
	{"persistent", func(_ compare.Cell, r compare.Swept) string { return strconv.FormatBool(r.Persistent) }},
	{"trials", func(_ compare.Cell, r compare.Swept) string { return strconv.Itoa(r.Trials) }},
	{"failed", func(_ compare.Cell, r compare.Swept) string { return strconv.Itoa(r.Failed) }},
	{"time_ms.median", func(_ compare.Cell, r compare.Swept) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return linger.Known(t.Median) })
	}},
	{"time_ms.low", func(_ compare.Cell, r compare.Swept) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return t.Low })
	}},
	{"time_ms.high", func(_ compare.Cell, r compare.Swept) string {
		return part(r.Time, func(t compare.Time) linger.Opt[float64] { return t.High })
	}},
	{"connections", func(_ compare.Cell, r compare.Swept) string { return exact(r.Connections) }},
	{"handshakes", func(_ compare.Cell, r compare.Swept) string { return exact(r.Handshakes) }},
	{"packets", func(_ compare.Cell, r compare.Swept) string { return exact(r.Packets) }},
	{"wire_bytes", func(_ compare.Cell, r compare.Swept) string { return exact(r.WireBytes) }},
	{"best", func(c compare.Cell, r compare.Swept) string { return strconv.FormatBool(c.Best == r.Strategy) }},
	{"cell.clear", func(c compare.Cell, _ compare.Swept) string { return strconv.FormatBool(c.Clear) }},
	{"cell.keeping", func(c compare.Cell, _ compare.Swept) string { return string(c.Keeping) }},
	{"cell.saves", func(c compare.Cell, _ compare.Swept) string { return exact(c.Saves) }},
	{"cell.within_accuracy", func(c compare.Cell, _ compare.Swept) string { return strconv.FormatBool(c.Covered) }},
	{"provenance", func(compare.Cell, compare.Swept) string { return "predicted" }},
	{"reason", func(_ compare.Cell, r compare.Swept) string { return r.Reason }},
}

// NewSweepCSV writes the line of names.
func NewSweepCSV(w io.Writer) *SweepCSV {
	out := &SweepCSV{csv.NewWriter(w)}
	line := make([]string, len(sweepColumns))
	for i, col := range sweepColumns {
		line[i] = col.name
	}
	out.w.Write(line) // an error stays, and Close returns it
	return out
}

// Add writes the next cell.
func (s *SweepCSV) Add(c compare.Cell) error {
	line := make([]string, len(sweepColumns))
	for _, r := range c.Rows {
		for i, col := range sweepColumns {
			line[i] = col.value(c, r)
		}
		if err := s.w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// Close writes what is left.
func (s *SweepCSV) Close() error {
	s.w.Flush()
	return s.w.Error()
}
