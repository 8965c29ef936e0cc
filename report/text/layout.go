package text

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"linger"
	"linger/report/table"
)

// style is an SGR code (ECMA-48, 8.3.117) around a piece of text.
type style string

const (
	plain style = ""
	bold  style = "1"
	faint style = "2"
	green style = "1;32"

	// What did not go well; the word beside it says so too.
	red    style = "1;31"
	yellow style = "1;33"
)

// paint puts s in a style where colour is wanted.
func (o Options) paint(s string, st style) string {
	if !o.Color || st == plain || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}

// Width is how many columns a line takes that was written here, in colour or not.
func Width(line string) int {
	n := 0
	for {
		before, after, painted := strings.Cut(line, "\x1b[")
		n += width(before)
		if !painted {
			return n
		}
		_, line, _ = strings.Cut(after, "m")
	}
}

// width is how many columns s takes. All that is written here is one column a letter.
func width(s string) int { return utf8.RuneCountInString(s) }

func left(s string, n int) string  { return s + strings.Repeat(" ", max(0, n-width(s))) }
func right(s string, n int) string { return strings.Repeat(" ", max(0, n-width(s))) + s }

// wrap breaks text into lines of at most n columns, each but the first behind an
// indent. A unit stays with its number, and a word too long for a line is cut.
func wrap(text string, n int, first, indent string) []string {
	var lines []string
	line, empty := first, true
	for _, word := range phrases(table.Clean(text)) {
		if !empty && width(line)+1+width(word) > n {
			lines = append(lines, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+table.Short(word, n-width(indent)), false
	}
	return append(lines, line)
}

// readable is how long a line of sentences is at most, however wide the terminal.
const readable = 100

// write wraps a text to the width, its first line behind one indent and the others
// behind another, in a style.
func (o Options) write(b *bufio.Writer, text, first, indent string, st style) {
	for _, line := range wrap(text, min(o.width(), readable), first, indent) {
		b.WriteString(o.paint(line, st) + "\n")
	}
}

// screen is how many lines are shown unless all are asked for: a terminal's, with room for
// the prompt.
const screen = 23

// fitting writes the first of so many versions of a text that fits on a screen, the
// fullest first; the last one where none does.
func (o Options) fitting(w io.Writer, versions int, write func(b *bufio.Writer, version int)) error {
	var all bytes.Buffer
	for i := range versions {
		all.Reset()
		b := bufio.NewWriter(&all)
		write(b, i)
		b.Flush() // nothing fails in memory
		if bytes.Count(all.Bytes(), []byte("\n")) <= screen {
			break
		}
	}
	return o.buffered(w, func(b *bufio.Writer) { b.Write(all.Bytes()) })
}

// phrases splits text at spaces, but for the one between a number and its unit.
func phrases(text string) []string {
	var out []string
	for _, word := range strings.Fields(text) {
		unit := strings.TrimRight(word, ").,;:")
		if last := len(out) - 1; last >= 0 && slices.Contains(units, unit) && strings.ContainsAny(out[last][len(out[last])-1:], "0123456789") {
			out[last] += " " + word
			continue
		}
		out = append(out, word)
	}
	return out
}

var units = []string{"s", "ms", "%", "B", "kB", "MB", "GB", "kbit/s", "Mbit/s", "Gbit/s"}

// A column is one of a table as text has it: two lines of head, and cells.
type column struct {
	name   string // its head in one line
	head   [2]string
	cells  []string // one a row
	styles []style  // of the cells; nil is plain
	left   bool
	least  int // at least so wide
	short  int // the cells may be cut to so many columns; 0 is that they may not
	spare  int // where the table is too wide, the column with the highest goes first; 0 stays
}

// styles are how text sets off what a cell says.
var styles = map[table.Style]style{
	table.Plain: plain, table.Strong: bold, table.Faint: faint, table.Good: green, table.Doubtful: yellow, table.Bad: red,
}

// hues tell things apart for who sees colours; what stands there does for all.
var hues = []style{"31", "91", "33", "32", "36", "34", "35", "92", "96", "94", "95", "93"}

func styleOf(s table.Style) style {
	if n, ok := s.Hue(); ok {
		return hues[n%len(hues)]
	}
	return styles[s]
}

// columns lays out the cells of a table. The first column of one whose rows are
// grouped stands a little to the right, where there is room for marks.
func columns(t table.Table) []column {
	grouped := slices.ContainsFunc(t.Rows, func(r table.Row) bool { return r.Group != "" })
	out := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		cells := t.Cells(i)
		col := column{name: c.Head, left: c.Align == table.Left, spare: c.Spare, short: c.Short, cells: make([]string, len(cells)), styles: make([]style, len(cells))}
		for k, cell := range cells {
			col.cells[k], col.styles[k] = cell.Text, styleOf(cell.Style)
			if cell.Flagged && !(grouped && i == 0) {
				col.cells[k] += " !"
			}
		}
		if c.Align == table.Point {
			col.cells = aligned(cells)
		}
		if !c.Obvious {
			col.head = inTwo(c.Head, widest(col.cells))
		}
		if grouped && i == 0 {
			indent(&col, t.Rows)
		}
		out[i] = col
	}
	return out
}

// inTwo is a head in two lines where it has words and is wider than n, which its cells
// are: it is parted where the longer part is shortest. Nothing is hyphenated.
func inTwo(head string, n int) (lines [2]string) {
	lines[1] = head
	if width(head) <= n {
		return lines
	}
	words := strings.Fields(head)
	for i := 1; i < len(words); i++ {
		above, below := strings.Join(words[:i], " "), strings.Join(words[i:], " ")
		if max(width(above), width(below)) < max(width(lines[0]), width(lines[1])) {
			lines = [2]string{above, below}
		}
	}
	return lines
}

// indent moves a column to the right, and puts a mark before what is best, and
// an exclamation mark before what is flagged.
func indent(c *column, rows []table.Row) {
	for i, h := range c.head {
		if h != "" {
			c.head[i] = "  " + h
		}
	}
	for i, r := range rows {
		marks := ""
		if r.Best {
			marks, c.styles[i] = fastestMark, green
		}
		if r.Cells[0].Flagged {
			marks += "!"
		}
		c.cells[i] = left(marks, 2) + c.cells[i]
	}
}

// aligned writes numbers so that their points, and those of their doubts, stand one
// below the other.
func aligned(cells []table.Cell) []string {
	most, wide := 0, 0
	for _, c := range cells {
		most, wide = max(most, c.Decimals), max(wide, width(c.DoubtText()))
	}
	none := "" // the room of a doubt, where others have one
	if wide > 0 {
		none = strings.Repeat(" ", width(plusMinus)+wide)
	}
	out := make([]string, len(cells))
	for i, c := range cells {
		pad := strings.Repeat(" ", most-c.Decimals)
		if c.Decimals == 0 && most > 0 {
			pad += " " // for the point
		}
		switch {
		case c.Value.IsZero():
			out[i] = c.Text
		case c.Doubt.IsZero():
			out[i] = c.Text + pad + none
		default:
			out[i] = c.Text + pad + plusMinus + right(c.DoubtText()+pad, wide)
		}
	}
	return out
}

const plusMinus = " ± "

// fit returns how wide the column is.
func (c column) fit() int {
	return max(c.least, width(c.head[0]), width(c.head[1]), widest(c.cells))
}

func widest(cells []string) (n int) {
	for _, s := range cells {
		n = max(n, width(s))
	}
	return n
}

// cut shortens the cells to n columns.
func (c *column) cut(n int) {
	cells := make([]string, len(c.cells))
	for i, s := range c.cells {
		cells[i] = table.Short(s, n)
	}
	c.cells = cells
}

const gap = 2 // columns between columns

// total returns how wide a table of these columns is.
func total(cols []column) int {
	n := -gap
	for _, c := range cols {
		n += c.fit() + gap
	}
	return n
}

// squeeze leaves out columns that can be spared until the table is at most n wide, and cuts
// those that can be cut to the room that is left.
func squeeze(cols []column, n int) []column {
	for total(cols)-cuttable(cols) > n {
		most := 0
		for i, c := range cols {
			if c.spare > cols[most].spare {
				most = i
			}
		}
		if cols[most].spare == 0 {
			break
		}
		cols = slices.Delete(cols, most, most+1)
	}
	for i, c := range cols {
		if over := total(cols) - n; over > 0 && c.short > 0 {
			cols[i].cut(max(c.short, c.fit()-over))
		}
	}
	return cols
}

// cuttable is how many columns of text can be had by cutting cells.
func cuttable(cols []column) (n int) {
	for _, c := range cols {
		if c.short > 0 {
			n += max(0, c.fit()-max(c.short, width(c.head[0]), width(c.head[1])))
		}
	}
	return n
}

// gone names the columns of a list that are not in a part of it.
func gone(from, to []column) (names []string) {
	for _, c := range from {
		if len(to) > 0 && to[0].name == c.name {
			to = to[1:]
			continue
		}
		names = append(names, c.name)
	}
	return names
}

// fold parts columns into tables of at most n columns of text, each with the first
// column before the others.
func fold(cols []column, n int) [][]column {
	var parts [][]column
	part := cols[:1:1]
	for _, c := range cols[1:] {
		if len(part) > 1 && total(append(part, c)) > n {
			parts, part = append(parts, part), cols[:1:1]
		}
		part = append(part, c)
	}
	return append(parts, part)
}

// table writes a table as wide as there is room. Columns that can be spared go where
// there is none, which is said, or stand below where all are wanted.
func (o Options) table(b *bufio.Writer, t table.Table) {
	all := columns(t)
	cols := all
	if !o.IsWide() {
		cols = squeeze(slices.Clone(all), o.width())
	}
	for i, part := range fold(cols, o.width()) {
		if i > 0 {
			b.WriteString("\n")
		}
		if over := total(part) - o.width(); over > 0 && part[0].left {
			part[0].cut(max(1, part[0].fit()-over))
		}
		o.lines(b, part, t.Rows)
	}
	left := t.More
	if names := gone(all, cols); len(names) > 0 {
		if left != "" {
			left += ". "
		}
		what := strings.Join(names, ", ")
		if len(names) > 3 {
			what = linger.Plural(len(names), "column")
		}
		left += "Not shown: " + what + " (--wide)"
	}
	if left != "" {
		o.write(b, left, "", "", faint)
	}
}

// lines writes columns side by side, with the headings of groups in between.
func (o Options) lines(b *bufio.Writer, cols []column, rows []table.Row) {
	line := func(cell func(column) string, st func(column) style) {
		var out, pending strings.Builder
		for i, c := range cols {
			text, n := cell(c), c.fit()
			space := strings.Repeat(" ", n-width(text))
			if i > 0 {
				pending.WriteString(strings.Repeat(" ", gap))
			}
			if !c.left {
				pending.WriteString(space)
				space = ""
			}
			if text != "" {
				out.WriteString(pending.String())
				pending.Reset()
				out.WriteString(o.paint(text, st(c)))
			}
			pending.WriteString(space)
		}
		b.WriteString(out.String() + "\n")
	}
	for h := range 2 {
		if !slices.ContainsFunc(cols, func(c column) bool { return c.head[h] != "" }) {
			continue
		}
		line(func(c column) string { return c.head[h] }, func(column) style { return faint })
	}
	for i, row := range rows {
		if row.Group != "" {
			b.WriteString(o.paint(row.Group, faint) + "\n")
		}
		line(func(c column) string { return c.cells[i] }, func(c column) style {
			if c.styles == nil {
				return plain
			}
			return c.styles[i]
		})
	}
}

var eighths = []rune("▏▎▍▌▋▊▉█")

// bar draws a share of 1 in n columns, to an eighth of a column; at least one.
func bar(share float64, n int) string {
	parts := max(1, int(share*float64(8*n)+0.5))
	s := strings.Repeat("█", parts/8)
	if rest := parts % 8; rest > 0 {
		s += string(eighths[rest-1])
	}
	return s
}
