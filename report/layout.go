package report

import (
	"bufio"
	"slices"
	"strings"
	"unicode/utf8"

	"linger"
)

// unknown stands where nothing was measured.
const unknown = "-"

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

// width is how many columns s takes. All that is written here is one column a letter.
func width(s string) int { return utf8.RuneCountInString(s) }

func left(s string, n int) string  { return s + strings.Repeat(" ", max(0, n-width(s))) }
func right(s string, n int) string { return strings.Repeat(" ", max(0, n-width(s))) + s }

// short cuts s to n columns, with an ellipsis where something is missing.
func short(s string, n int) string {
	s = clean(s)
	if width(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// clean takes out what could move the cursor: names come from files and servers.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return '?'
		}
		return r
	}, s)
}

// wrap breaks text into lines of at most n columns, each but the first behind an
// indent. A unit stays with its number, and a word too long for a line is cut.
func wrap(text string, n int, first, indent string) []string {
	var lines []string
	line, empty := first, true
	for _, word := range phrases(clean(text)) {
		if !empty && width(line)+1+width(word) > n {
			lines = append(lines, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+short(word, n-width(indent)), false
	}
	return append(lines, line)
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

// A column of a table: two lines of header, and cells.
type column struct {
	head  [2]string
	cells []string // one a row
	ids   []string // of the rows, in HTML; of the first column only
	style func(row int) style
	left  bool
	least int // at least so wide
	spare int // where the table is too wide, the column with the highest goes first; 0 stays
}

// fit returns how wide the column is.
func (c column) fit() int {
	n := max(c.least, width(c.head[0]), width(c.head[1]))
	for _, s := range c.cells {
		n = max(n, width(s))
	}
	return n
}

// empty reports whether no cell says anything, so that the column may go.
func (c column) empty() bool {
	for _, s := range c.cells {
		if s != unknown && strings.TrimSpace(s) != "" {
			return false
		}
	}
	return true
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

// squeeze leaves out columns that can be spared until the table is at most n wide.
func squeeze(cols []column, n int) []column {
	for total(cols) > n {
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
	return cols
}

// table writes columns side by side; before(row) may write a heading.
func (o Options) table(b *bufio.Writer, cols []column, rows []int, before func(i, row int)) {
	if o.gather != nil {
		o.gather(cols, rows)
		return
	}
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
		line(func(c column) string { return c.head[h] }, func(column) style { return faint })
	}
	for i, row := range rows {
		if before != nil {
			before(i, row)
		}
		line(func(c column) string { return c.cells[row] }, func(c column) style {
			if c.style == nil {
				return plain
			}
			return c.style(row)
		})
	}
}

// upTo lists 0 to n-1: all rows of a table in their order.
func upTo(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// known formats a figure, or says that there is none.
func known(o linger.Opt[float64], format func(float64) string) string {
	if v, ok := o.Get(); ok {
		return format(v)
	}
	return unknown
}

// pair formats two figures as "a/b"; where neither is known it says so once.
func pair(a, b linger.Opt[float64], format func(float64) string) string {
	if a.IsZero() && b.IsZero() {
		return unknown
	}
	return known(a, format) + "/" + known(b, format)
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
