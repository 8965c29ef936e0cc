package report

import (
	"bufio"
	"slices"

	"linger/report/table"
)

// flows writes the table of connections; who is asked is shortened where there is
// no room.
func (o Options) flows(b *bufio.Writer, t table.Table) {
	cols := columns(t)
	if to := slices.IndexFunc(t.Columns, func(c table.Column) bool { return c.Head == "to" }); to >= 0 {
		const least = 8
		if over := total(cols) - o.width(); over > 0 {
			cols[to].cut(max(least, cols[to].fit()-over))
		}
	}
	o.lines(b, filled(cols, t), t.Rows)
	if t.More != "" {
		b.WriteString(o.paint(t.More, faint) + "\n")
	}
}
