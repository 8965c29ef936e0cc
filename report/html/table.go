package html

import (
	"slices"
	"strings"
	"unicode/utf8"

	"linger/report/table"
)

// A tableView is a table as HTML shows it.
type tableView struct {
	Caption string
	Heads   []headView
	Rows    []rowView
	More    string
}

type headView struct {
	Text string
	Left bool
}

type rowView struct {
	ID, Class string
	Group     string
	Cells     []cellView
}

// A cellView is a figure, and its doubt where it has one. The pads are digits that
// take room and are not seen, so that points stand one below the other.
type cellView struct {
	Text, Pad       string
	Doubt, DoubtPad string
	Left            bool
	// Nothing says that the cell is empty, or unknown and the text a dash.
	Nothing bool
}

// tableOf draws a table.
func tableOf(t table.Table) tableView {
	v := tableView{Caption: t.Caption, More: t.More}
	for _, c := range t.Columns {
		v.Heads = append(v.Heads, headView{c.Head, c.Align == table.Left})
	}
	pads := make([]padding, len(t.Columns))
	for i, c := range t.Columns {
		if c.Align == table.Point {
			pads[i] = paddingOf(t.Cells(i))
		}
	}
	for _, r := range t.Rows {
		row := rowView{ID: r.ID, Group: r.Group}
		if r.Best {
			row.Class = "best"
		}
		for i, c := range r.Cells {
			cell := cellView{Text: c.Text, Left: t.Columns[i].Align == table.Left, Doubt: c.DoubtText(), Nothing: c.IsNothing()}
			switch {
			case c.Flagged && i == 0:
				cell.Text = "! " + cell.Text
			case c.Flagged:
				cell.Text += " !"
			}
			if !c.Value.IsZero() {
				cell.Pad, cell.DoubtPad = pads[i].of(c)
			}
			row.Cells = append(row.Cells, cell)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// joined is one table of several that have the same rows, named in the first column.
func joined(tables []table.Table) table.Table {
	out := table.Table{Caption: "Every figure of each strategy", Columns: slices.Clone(tables[0].Columns)}
	for _, r := range tables[0].Rows {
		r.Cells = slices.Clone(r.Cells)
		out.Rows = append(out.Rows, r)
	}
	for _, t := range tables[1:] {
		out.Columns = append(out.Columns, t.Columns[1:]...)
		for i, r := range t.Rows {
			out.Rows[i].Cells = append(out.Rows[i].Cells, r.Cells[1:]...)
		}
	}
	return out
}

// padding is the room of the numbers of a column that is aligned by their points:
// digits behind the point, and those of a doubt.
type padding struct{ decimals, doubt int }

func paddingOf(cells []table.Cell) (p padding) {
	for _, c := range cells {
		p.decimals = max(p.decimals, c.Decimals)
		if d := c.DoubtText(); d != "" {
			p.doubt = max(p.doubt, utf8.RuneCountInString(" ± "+d))
		}
	}
	return p
}

// of returns what a number lacks of that room, and what its doubt does.
func (p padding) of(c table.Cell) (value, doubt string) {
	lacks, point := p.decimals-c.Decimals, c.Decimals > 0
	if !point && p.decimals > 0 {
		lacks++ // the point itself
	}
	if c.Doubt.IsZero() {
		return filler(lacks+p.doubt, point), "" // digits are as wide as a doubt, nearly
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
