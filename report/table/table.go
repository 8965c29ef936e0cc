// Package table holds tables as data: columns with a head and a unit, rows of
// typed cells. It knows no layout. Text and HTML are two renderings of the same
// table, and neither reads what the other has written.
package table

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"linger"
	"linger/finding"
	"linger/legible"
)

// A Table is rows below the heads of their columns. Each row has as many cells as
// there are columns.
type Table struct {
	Caption string
	Columns []Column
	Rows    []Row
	More    string // what is left out, in a sentence
}

// A Column says what its cells are.
type Column struct {
	// Head stands in one line, or in two where columns are narrow: parted between words,
	// never within one.
	Head string // "conns", "packets up/down"
	// Over stands above the heads of this column and those behind it, up to the next that has
	// one: what all of them are of.
	Over string
	// Obvious says that the cells are understood without the head, which may be left
	// out where columns are narrow.
	Obvious bool
	Unit    string // of the numbers: "ms", "kB"; nothing of counts and words
	Align   Align
	// Short is how many letters cells may be cut to where there is no room for all; 0 is
	// that they may not.
	Short int
	// Spare is the order in which columns go where there is no room for all: the
	// highest first; 0 stays.
	Spare int
}

// An Align says where cells stand in their column.
type Align int

const (
	Right Align = iota // numbers
	Left               // words
	Point              // numbers whose points stand one below the other, with their uncertainties
)

// A Row is a line of a table.
type Row struct {
	ID    string // unique in a page; nothing where no drawing refers to the row
	Group string // a heading before the row
	Best  bool   // the row that the reader looks for
	Cells []Cell
}

// A Cell is a word, a number with its uncertainty, or unknown. The zero value is empty.
type Cell struct {
	// Text is what is shown: a word, or a number with its digits, without its uncertainty.
	Text string
	// Value is the number that Text shows; unknown where Text is a word.
	Value linger.Opt[float64]
	// Uncertainty is how far Value may be off, and Decimals how many digits both show behind
	// the point. Only numbers of a column that is aligned by their points have them.
	Uncertainty linger.Opt[float64]
	Decimals    int
	// Flagged says that something is not as it should be: an exclamation mark stands
	// beside the text, and the table's legend says why.
	Flagged bool
	Style   Style
	unknown bool
}

// A Style sets off what a cell says; no style says what the cell does not.
type Style int

const (
	Plain Style = iota
	Strong
	Faint
	Good
	Caution
	Bad
	hues // the first of those that tell many things apart
)

// Hue is one of many styles that tell things apart, the first is 0.
func Hue(n int) Style { return hues + Style(max(0, n)) }

// Hue returns the number of a hue; ok is false of other styles.
func (s Style) Hue() (n int, ok bool) { return int(s - hues), s >= hues }

// Dash stands where a number is unknown, which is not zero.
const Dash = "-"

// Unknown is a cell of which nothing is known.
func Unknown() Cell { return Cell{Text: Dash, unknown: true} }

// Word is a cell with a text.
func Word(s string) Cell { return Cell{Text: Clean(s)} }

// Given is a cell with a text, or unknown where there is none.
func Given(s string) Cell {
	if s == "" {
		return Unknown()
	}
	return Word(s)
}

// Number is a cell with a number, written as the format does.
func Number(v float64, format func(float64) string) Cell {
	return Cell{Text: format(v), Value: linger.Known(v)}
}

// Int is a cell with a whole number.
func Int(n int) Cell { return Cell{Text: strconv.Itoa(n), Value: linger.Known(float64(n))} }

// Known is a cell with a number, or unknown.
func Known(o linger.Opt[float64], format func(float64) string) Cell {
	if v, ok := o.Get(); ok {
		return Number(v, format)
	}
	return Unknown()
}

// Pair is a cell with two numbers, "a/b", of which one may be unknown.
func Pair(a, b linger.Opt[float64], format func(float64) string) Cell {
	if a.IsZero() && b.IsZero() {
		return Unknown()
	}
	return Cell{Text: Known(a, format).Text + "/" + Known(b, format).Text}
}

// Measured is a cell with a number of so many decimals, and its uncertainty, which is
// rounded up to them: what is shown is never surer than what was found. Fewer
// decimals than none round to tens, hundreds and so on.
func Measured(v float64, uncertainty linger.Opt[float64], decimals int) Cell {
	c := Cell{Text: finding.Fixed(v, decimals), Value: linger.Known(v), Decimals: max(0, decimals)}
	if d, ok := uncertainty.Get(); ok {
		step := math.Pow10(-decimals)
		c.Uncertainty = linger.Known(math.Ceil(d/step-1e-9) * step)
	}
	return c
}

// IsUnknown reports whether nothing is known of what the cell is for.
func (c Cell) IsUnknown() bool { return c.unknown }

// IsNothing reports whether the cell is unknown or empty.
func (c Cell) IsNothing() bool { return c.unknown || c.Text == "" }

// UncertaintyText is the uncertainty as it is shown, or nothing.
func (c Cell) UncertaintyText() string {
	if d, ok := c.Uncertainty.Get(); ok {
		return finding.Fixed(d, c.Decimals)
	}
	return ""
}

// Styled returns the cell in a style.
func (c Cell) Styled(s Style) Cell {
	c.Style = s
	return c
}

// Add appends a row, and returns it.
func (t *Table) Add(cells ...Cell) *Row {
	t.Rows = append(t.Rows, Row{Cells: cells})
	return &t.Rows[len(t.Rows)-1]
}

// Cells are those of a column, from above.
func (t Table) Cells(column int) []Cell {
	out := make([]Cell, len(t.Rows))
	for i, r := range t.Rows {
		out[i] = r.Cells[column]
	}
	return out
}

// Without returns the table without those columns, from the one with that index on,
// whose cells are not wanted.
func (t Table) Without(from int, unwanted func([]Cell) bool) Table {
	var kept []int
	for i := range t.Columns {
		if i < from || !unwanted(t.Cells(i)) {
			kept = append(kept, i)
		}
	}
	return t.Only(kept...)
}

// WithoutColumns returns the table without the columns that are not wanted.
func (t Table) WithoutColumns(unwanted func(Column) bool) Table {
	var kept []int
	for i, c := range t.Columns {
		if !unwanted(c) {
			kept = append(kept, i)
		}
	}
	return t.Only(kept...)
}

// Only returns the table with these columns, in this order.
func (t Table) Only(columns ...int) Table {
	out := t
	out.Columns, out.Rows = pick(t.Columns, columns), slices.Clone(t.Rows)
	for i := range out.Rows {
		out.Rows[i].Cells = pick(out.Rows[i].Cells, columns)
	}
	return out
}

func pick[T any](list []T, which []int) []T {
	out := make([]T, len(which))
	for i, k := range which {
		out[i] = list[k]
	}
	return out
}

// Nothing reports whether no cell says anything.
func Nothing(cells []Cell) bool {
	return !slices.ContainsFunc(cells, func(c Cell) bool { return !c.IsNothing() })
}

// Nought reports whether there is nothing but 0 in the cells that are known.
func Nought(cells []Cell) bool {
	return !slices.ContainsFunc(cells, func(c Cell) bool { return !c.IsNothing() && c.Value != linger.Known(0.0) })
}

// Clean is a text as a cell may hold it: names come from files and servers.
func Clean(s string) string { return legible.Text(s) }

// Short cuts a text to n letters, with an ellipsis where something is missing.
func Short(s string, n int) string {
	s = Clean(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
