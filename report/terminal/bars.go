package terminal

import (
	"bufio"
	"slices"
	"strings"

	"linger/report/table"
)

// barRoom is how many columns are kept for bars where the table has more columns than fit.
const barRoom = 10

// Bars writes a table with the numbers of its second column as bars behind them, each head in one
// line. It reports whether there was no room for all of its columns.
func (o Screen) Bars(b *bufio.Writer, t table.Table) (hidden bool) {
	cols := columns(t)
	for i := range cols[1:] {
		cols[1+i].head = [2]string{1: cols[1+i].name} // a line for all heads
	}
	for i, row := range t.Rows {
		if row.Best {
			for k := range cols {
				cols[k].styles[i] = Green
			}
		}
	}
	kept := barRoom + Gap
	if o.Columns() < 60 {
		kept = 0
	}
	fit := squeeze(slices.Clone(cols), o.Columns()-kept)
	hidden = len(fit) < len(cols)
	o.lines(b, o.withBars(fit, t), t.Rows)
	return hidden
}

// withBars draws the numbers of the second column as bars behind it, the longest over
// the whole width, where there is room.
func (o Screen) withBars(cols []column, t table.Table) []column {
	const narrowest, widest = 4, 24
	room := min(o.Columns()-total(cols)-Gap, widest)
	if room < narrowest {
		return cols
	}
	most := 0.0
	for _, c := range t.Cells(1) {
		most = max(most, c.Value.Or(0))
	}
	if most == 0 {
		return cols
	}
	bars := column{left: true, least: room}
	for _, c := range t.Cells(1) {
		s := ""
		if v, ok := c.Value.Get(); ok {
			s = Bar(v/most, room)
		}
		bars.cells = append(bars.cells, s)
	}
	return slices.Insert(cols, 2, bars)
}

// eighths are parts of a column, the last a whole one.
var eighths = []rune("▏▎▍▌▋▊▉█")

// Bar draws a share of 1 in n columns, to an eighth of a column; at least one.
func Bar(share float64, n int) string {
	parts := max(1, int(share*float64(8*n)+0.5))
	s := strings.Repeat("█", parts/8)
	if rest := parts % 8; rest > 0 {
		s += string(eighths[rest-1])
	}
	return s
}

// Levels are bars of one column that rise, the last a full one.
var Levels = []rune("▁▂▃▄▅▆▇█")
