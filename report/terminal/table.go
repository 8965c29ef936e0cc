package terminal

import (
	"bufio"
	"slices"
	"strings"

	"linger"
	"linger/report/table"
)

// Table writes a table as wide as there is room. Columns that can be spared go where
// there is none, which is said, or stand below where all are wanted.
func (o Screen) Table(b *bufio.Writer, t table.Table) {
	all := columns(t)
	cols := all
	if !o.IsWide() {
		cols = squeeze(slices.Clone(all), o.Columns())
	}
	for i, part := range fold(cols, o.Columns()) {
		if i > 0 {
			b.WriteString("\n")
		}
		if over := total(part) - o.Columns(); over > 0 && part[0].left {
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
		o.Write(b, left, "", "", Faint)
	}
}

// Whole writes a table with all of its columns side by side, wider than there is room if need be.
func (o Screen) Whole(b *bufio.Writer, t table.Table) { o.lines(b, columns(t), t.Rows) }

// WidthOf is how many columns of text a table takes with all of its columns.
func WidthOf(t table.Table) int { return total(columns(t)) }

// lines writes columns side by side, with the headings of groups in between.
func (o Screen) lines(b *bufio.Writer, cols []column, rows []table.Row) {
	wide := fits(cols)
	line := func(cell func(column) string, st func(column) Style) {
		var out strings.Builder
		blanks := 0 // before what comes next; less than none within a head above several columns
		for i, c := range cols {
			text := cell(c)
			before, after := wide[i]-width(text), 0
			if c.left || before < 0 {
				before, after = 0, before
			}
			if i > 0 {
				blanks += Gap
			}
			blanks += before
			if text != "" {
				out.WriteString(strings.Repeat(" ", blanks))
				out.WriteString(o.Paint(text, st(c)))
				blanks = 0
			}
			blanks += after
		}
		b.WriteString(strings.TrimRight(out.String(), " ") + "\n")
	}
	for h := range 2 {
		if !slices.ContainsFunc(cols, func(c column) bool { return c.head[h] != "" }) {
			continue
		}
		line(func(c column) string { return c.head[h] }, func(column) Style { return Faint })
	}
	for i, row := range rows {
		if row.Group != "" {
			b.WriteString(o.Paint(row.Group, Faint) + "\n")
		}
		line(func(c column) string { return c.cells[i] }, func(c column) Style {
			if c.styles == nil {
				return Plain
			}
			return c.styles[i]
		})
	}
}
