package draw

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"linger/report/table"
)

// A Table is a table as HTML shows it.
type Table struct {
	Caption string
	ID      string // where a script refers to it
	Overs   []Over // above the heads, if anything
	Heads   []Head
	Rows    []TableRow
	More    string
}

// An Over stands above so many heads.
type Over struct {
	Text string
	Span int
}

// A Head stands above a column.
type Head struct {
	Text string
	Left bool
}

// A TableRow is a row; Group is a heading before it.
type TableRow struct {
	ID, Class string
	Group     string
	Cells     []Cell
}

// A Cell is a figure, and its uncertainty where it has one. The pads are digits that
// take room and are not seen, so that points stand one below the other.
type Cell struct {
	Text, Pad                   string
	Uncertainty, UncertaintyPad string
	Left                        bool
	// Nothing says that the cell is empty, or unknown and the text a dash.
	Nothing   bool
	Good, Bad bool
	// Link is where the cell leads, within the page. Filter says that it leads to the rows of
	// the page's list that have its text. Sort is the number by which rows are sorted.
	Link   string
	Filter bool
	Sort   string
}

// TableOf draws a table.
func TableOf(t table.Table) Table {
	v := Table{Caption: t.Caption, More: t.More}
	for _, c := range t.Columns {
		v.Heads = append(v.Heads, Head{c.Head, c.Align == table.Left})
		if last := len(v.Overs) - 1; last >= 0 && c.Over == "" {
			v.Overs[last].Span++
			continue
		}
		v.Overs = append(v.Overs, Over{c.Over, 1})
	}
	if len(v.Overs) == 1 {
		v.Overs = nil
	}
	pads := make([]padding, len(t.Columns))
	for i, c := range t.Columns {
		if c.Align == table.Point {
			pads[i] = paddingOf(t.Cells(i))
		}
	}
	for _, r := range t.Rows {
		row := TableRow{ID: r.ID, Group: r.Group}
		if r.Best {
			row.Class = "best"
		}
		for i, c := range r.Cells {
			cell := Cell{Text: c.Text, Left: t.Columns[i].Align == table.Left, Uncertainty: c.UncertaintyText(), Nothing: c.IsNothing(), Good: c.Style == table.Good, Bad: c.Style == table.Bad}
			switch {
			case c.Flagged && i == 0:
				cell.Text = "! " + cell.Text
			case c.Flagged:
				cell.Text += " !"
			}
			if !c.Value.IsZero() {
				cell.Pad, cell.UncertaintyPad = pads[i].of(c)
			}
			row.Cells = append(row.Cells, cell)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// padding is the room of the numbers of a column that is aligned by their points:
// digits behind the point, and those of an uncertainty.
type padding struct{ decimals, uncertainty int }

func paddingOf(cells []table.Cell) (p padding) {
	for _, c := range cells {
		p.decimals = max(p.decimals, c.Decimals)
		if d := c.UncertaintyText(); d != "" {
			p.uncertainty = max(p.uncertainty, utf8.RuneCountInString(" ± "+d))
		}
	}
	return p
}

// of returns what a number lacks of that room, and what its uncertainty does.
func (p padding) of(c table.Cell) (value, uncertainty string) {
	lacks, point := p.decimals-c.Decimals, c.Decimals > 0
	if !point && p.decimals > 0 {
		lacks++ // the point itself
	}
	if c.Uncertainty.IsZero() {
		return filler(lacks+p.uncertainty, point), "" // digits are as wide as an uncertainty, nearly
	}
	return filler(lacks, point), filler(lacks, point)
}

// filler takes n columns behind a number that has a point already, or gets one.
func filler(n int, point bool) string {
	if n > 0 && !point {
		return "." + strings.Repeat("0", n-1)
	}
	return strings.Repeat("0", n)
}

// Sortable gives each number its value, by which a script sorts rows.
func (v *Table) Sortable(t table.Table) {
	v.ID = "list"
	for i, r := range t.Rows {
		for k, c := range r.Cells {
			if n, ok := c.Value.Get(); ok {
				v.Rows[i].Cells[k].Sort = fmt.Sprintf("%g", n)
			}
		}
	}
}

// Filters links the first cell of each row to the rows of the list that have its text, but for
// one text.
func (v *Table) Filters(but string) {
	for i, r := range v.Rows {
		v.Rows[i].Cells[0].Filter = r.Cells[0].Text != but
	}
}
