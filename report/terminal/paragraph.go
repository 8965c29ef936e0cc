package terminal

import (
	"bufio"
	"slices"
	"strings"
	"unicode/utf8"

	"linger/report/table"
)

// Width is how many columns a line takes that was written here, in colour or not.
func Width(line string) int {
	n := 0
	for {
		before, after, painted := strings.Cut(line, "\x1b[")
		n += width(before)
		if !painted {
			return n
		}
		_, line, _ = strings.Cut(after, "m")
	}
}

// width is how many columns s takes. All that is written here is one column a letter.
func width(s string) int { return utf8.RuneCountInString(s) }

// Left puts s to the left of n columns.
func Left(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// Right puts s to the right of n columns.
func Right(s string, n int) string { return strings.Repeat(" ", max(0, n-width(s))) + s }

// Wrap breaks text into lines of at most n columns, each but the first behind an
// indent. A unit stays with its number, and a word too long for a line is cut.
func Wrap(text string, n int, first, indent string) []string {
	var lines []string
	line, empty := first, true
	for _, word := range phrases(table.Clean(text)) {
		if !empty && width(line)+1+width(word) > n {
			lines = append(lines, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+table.Short(word, n-width(indent)), false
	}
	return append(lines, line)
}

// Readable is how long a line of sentences is at most, however wide the terminal.
const Readable = 100

// Write wraps a text to the width, its first line behind one indent and the others
// behind another, in a style.
func (o Screen) Write(b *bufio.Writer, text, first, indent string, st Style) {
	for _, line := range Wrap(text, min(o.Columns(), Readable), first, indent) {
		b.WriteString(o.Paint(line, st) + "\n")
	}
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
