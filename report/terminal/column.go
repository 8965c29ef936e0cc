package terminal

import (
	"slices"
	"strings"

	"linger/report/table"
)

// A column is one of a table as text has it: two lines of head, and cells.
type column struct {
	name   string // its head in one line
	head   [2]string
	cells  []string // one a row
	styles []Style  // of the cells; nil is Plain
	left   bool
	least  int  // at least so wide
	short  int  // the cells may be cut to so many columns; 0 is that they may not
	over   bool // its head's first line stands above those behind it, too, as far as they have none
	spare  int  // where the table is too wide, the column with the highest goes first; 0 stays
}

// columns lays out the cells of a table. The first column of one whose rows are
// grouped stands a little to the right, where there is room for marks.
func columns(t table.Table) []column {
	grouped := slices.ContainsFunc(t.Rows, func(r table.Row) bool { return r.Group != "" })
	out := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		cells := t.Cells(i)
		col := column{name: c.Head, left: c.Align == table.Left, spare: c.Spare, short: c.Short, cells: make([]string, len(cells)), styles: make([]Style, len(cells))}
		for k, cell := range cells {
			col.cells[k], col.styles[k] = cell.Text, StyleOf(cell.Style)
			if cell.Flagged && !(grouped && i == 0) {
				col.cells[k] += " !"
			}
		}
		if c.Align == table.Point {
			col.cells = aligned(cells)
		}
		switch {
		case c.Over != "" || i > 0 && isOver(t.Columns[:i]):
			if c.Over != "" {
				col.name = c.Over + " " + c.Head
			}
			col.head, col.over = [2]string{c.Over, c.Head}, true
		case !c.Obvious:
			col.head = inTwo(c.Head, widest(col.cells))
		}
		if grouped && i == 0 {
			indent(&col, t.Rows)
		}
		out[i] = col
	}
	return out
}

// isOver reports whether something stands above the heads of the column behind these.
func isOver(before []table.Column) bool {
	return slices.ContainsFunc(before, func(c table.Column) bool { return c.Over != "" })
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
			marks, c.styles[i] = BestMark, Green
		}
		if r.Cells[0].Flagged {
			marks += "!"
		}
		c.cells[i] = Left(marks, 2) + c.cells[i]
	}
}

// aligned writes numbers so that their points, and those of their uncertainties, stand one
// below the other.
func aligned(cells []table.Cell) []string {
	most, wide := 0, 0
	for _, c := range cells {
		most, wide = max(most, c.Decimals), max(wide, width(c.UncertaintyText()))
	}
	none := "" // the room of an uncertainty, where others have one
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
		case c.Uncertainty.IsZero():
			out[i] = c.Text + pad + none
		default:
			out[i] = c.Text + pad + plusMinus + Right(c.UncertaintyText()+pad, wide)
		}
	}
	return out
}

const plusMinus = " ± "

// fit returns how wide the column is, without what stands above it and others.
func (c column) fit() int {
	n := max(c.least, width(c.head[1]), widest(c.cells))
	if !c.over {
		n = max(n, width(c.head[0]))
	}
	return n
}

// above returns how many columns are below the head that stands above column i of a list, and how
// wide those are.
func above(cols []column, i int) (n, wide int) {
	wide = cols[i].fit()
	for n = 1; i+n < len(cols) && cols[i+n].over && cols[i+n].head[0] == ""; n++ {
		wide += Gap + cols[i+n].fit()
	}
	return n, wide
}

// fits returns how wide the columns are: the first below a head that is wider than all that it
// stands above makes room for it.
func fits(cols []column) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = c.fit()
		if c.over && c.head[0] != "" {
			_, wide := above(cols, i)
			out[i] += max(0, width(c.head[0])-wide)
		}
	}
	return out
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

// Gap is how many columns of text are between those of a table.
const Gap = 2

// total returns how wide a table of these columns is.
func total(cols []column) int {
	n := -Gap
	for _, wide := range fits(cols) {
		n += wide + Gap
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
	part, over := cols[:1:1], ""
	for _, c := range cols[1:] {
		if c.head[0] != "" {
			over = c.head[0]
		}
		if len(part) > 1 && total(append(part, c)) > n {
			parts, part = append(parts, part), cols[:1:1]
			if c.over {
				c.head[0] = over
			}
		}
		part = append(part, c)
	}
	return append(parts, part)
}
