// Package terminal lays out text for a terminal: paragraphs (Write), tables as wide as there is
// room (Table), tables with bars (Bars), and the fullest of several versions that fits on a
// screen (Fitting). A Screen says how much room there is, whether there is colour, and whether
// there is more than ASCII. The room knows tables, and nothing of what is in them.
package terminal

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// A Screen says how text is laid out.
type Screen struct {
	// Width is how many columns there are; 0 is 80, and less than 40 is taken for 40.
	Width int
	// Wide shows all there is, however many lines that takes. From 140 columns on it
	// is shown anyway.
	Wide bool
	// Color puts in escape codes.
	Color bool
	// ASCII keeps to its 95 letters: what else there is is drawn with those.
	ASCII bool
}

// Columns is how many columns text may take.
func (o Screen) Columns() int {
	if o.Width == 0 {
		return 80
	}
	return max(40, o.Width)
}

// IsWide reports whether everything is written, and not what fits a screen alone.
func (o Screen) IsWide() bool { return o.Wide || o.Width >= 140 }

// Buffered calls write with a buffer before w, and returns the first error.
func (o Screen) Buffered(w io.Writer, write func(*bufio.Writer)) error {
	if o.ASCII {
		var all strings.Builder
		b := bufio.NewWriter(&all)
		write(b)
		b.Flush() // nothing fails in memory
		_, err := io.WriteString(w, InASCII(all.String()))
		return err
	}
	b := bufio.NewWriter(w)
	write(b)
	return b.Flush()
}

// Lines is how many lines are shown unless all are asked for: a terminal's, with room for
// the prompt.
const Lines = 23

// Fitting writes the first of so many versions of a text that fits on a screen, the
// fullest first; the last one where none does.
func (o Screen) Fitting(w io.Writer, versions int, write func(b *bufio.Writer, version int)) error {
	var all bytes.Buffer
	for i := range versions {
		all.Reset()
		b := bufio.NewWriter(&all)
		write(b, i)
		b.Flush() // nothing fails in memory
		if bytes.Count(all.Bytes(), []byte("\n")) <= Lines {
			break
		}
	}
	return o.Buffered(w, func(b *bufio.Writer) { b.Write(all.Bytes()) })
}

// BestMark stands before the row that is best.
const BestMark = "▸"
