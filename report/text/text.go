// Package text writes results for a terminal. What it writes is plain text in
// UTF-8 with no escape codes unless colour is asked for, and colour never says what
// the text does not.
package text

import (
	"bufio"

	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/words"
)

// Options says how text is laid out, and what stands beside the result.
type Options struct {
	terminal.Screen
	// Version is that of linger, Command how to run the same again; either may be empty.
	Version string
	Command string
	// Limits are what predictions leave out.
	Limits []report.Limit
}

// caveats writes the caveats, if any.
func (o Options) caveats(b *bufio.Writer, list []finding.Caveat) {
	if len(list) > 0 {
		b.WriteString("\nCaveats\n")
	}
	for _, text := range words.Caveats(list) {
		o.Write(b, text, "  ! ", "    ", terminal.Plain)
	}
}

// A density is how much of the first screen there is room for.
type density struct {
	blanks         int  // empty lines between its parts
	caveats        int  // that are told
	withoutTheTime bool // where the time goes is left out
}

// densities are what is shown, the fullest first.
var densities = []density{{4, 2, false}, {3, 2, false}, {2, 1, false}, {1, 1, false}, {0, 1, false}, {2, 1, true}, {0, 1, true}}

// moreHint stands where columns are hidden.
const moreHint = "  More: --wide"

// longestCommand is how long a command is at most that is shown to be copied: more was not
// typed.
const longestCommand = 4000

// foot writes how a result came about, how to run the same again, and a hint of where there is
// more: in one line where there is room.
func (o Options) foot(b *bufio.Writer, how, hint string) {
	if line := table.Clean(how) + o.again() + hint; terminal.Width(line) <= o.Columns() {
		b.WriteString(o.Paint(line, terminal.Faint) + "\n")
		return
	}
	o.Write(b, how, "", "", terminal.Faint)
	o.repeat(b, hint)
}

// repeat writes how to run the same again, if that is known, and behind it the hint, if there is
// room. The line is not wrapped, so that it can be copied in one piece.
func (o Options) repeat(b *bufio.Writer, hint string) {
	again := o.again()
	if again == "" {
		return
	}
	if terminal.Width(again+hint) <= o.Columns() {
		again += hint
	}
	b.WriteString(o.Paint(again[1:], terminal.Faint) + "\n")
}

// again is how to run the same again, to stand behind a sentence; nothing where it is not known.
func (o Options) again() string {
	if o.Command == "" {
		return ""
	}
	return " Repeat: " + table.Short(o.Command, longestCommand)
}

// firstCaveats writes the first of the caveats that could change the headline, at most so many,
// and how many there are besides: the rest of these, and others.
func (o Options) firstCaveats(b *bufio.Writer, decisive []string, others, most int) {
	shown := decisive[:min(most, len(decisive))]
	for i, text := range shown {
		if more := len(decisive) - len(shown) + others; i == len(shown)-1 && more > 0 {
			text += " (" + finding.Plural(float64(more), "more caveat") + ": --wide)"
		}
		o.Write(b, text, "! ", "  ", terminal.Yellow)
	}
}
