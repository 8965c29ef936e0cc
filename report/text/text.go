// Package text writes results for a terminal. What it writes is plain text in
// UTF-8 with no escape codes unless colour is asked for, and colour never says what
// the text does not.
package text

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// Options says how text is laid out.
type Options struct {
	// Width is how many columns there are; 0 is 80, and less than 40 is taken for 40.
	Width int
	// Wide shows all there is, however many lines that takes. From 140 columns on it
	// is shown anyway.
	Wide bool
	// Color puts in escape codes.
	Color bool
	// ASCII keeps to its 95 letters: what else there is is drawn with those.
	ASCII bool
	// Version is that of linger, Command how to run the same again; either may be empty.
	Version string
	Command string
	// Limits are what predictions leave out.
	Limits []report.Limit
}

func (o Options) width() int {
	if o.Width == 0 {
		return 80
	}
	return max(40, o.Width)
}

// IsWide reports whether everything is written, and not what fits a screen alone.
func (o Options) IsWide() bool { return o.Wide || o.Width >= 140 }

// caveats writes what there is to doubt, if anything.
func (o Options) caveats(b *bufio.Writer, list []finding.Caveat) {
	if len(list) > 0 {
		b.WriteString("\nCaveats\n")
	}
	for _, text := range words.Caveats(list) {
		o.write(b, text, "  ! ", "    ", plain)
	}
}

// withBars draws the times of the second column as bars behind it, the longest over
// the whole width, where there is room.
func (o Options) withBars(cols []column, t table.Table) []column {
	const narrowest, widest = 4, 24
	room := min(o.width()-total(cols)-gap, widest)
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
			s = bar(v/most, room)
		}
		bars.cells = append(bars.cells, s)
	}
	return slices.Insert(cols, 2, bars)
}

// buffered calls write with a buffer before w, and returns the first error.
func (o Options) buffered(w io.Writer, write func(*bufio.Writer)) error {
	if o.ASCII {
		var all strings.Builder
		b := bufio.NewWriter(&all)
		write(b)
		b.Flush() // nothing fails in memory
		_, err := io.WriteString(w, inASCII(all.String()))
		return err
	}
	b := bufio.NewWriter(w)
	write(b)
	return b.Flush()
}
