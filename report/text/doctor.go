package text

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"linger/report/terminal"
)

// A Check is one thing that the lab wants of a machine.
type Check struct {
	Name   string
	OK     bool
	Needed bool   // there is no lab without it
	Found  string // in a few words
	Gives  string // what it makes possible
	Fix    string // the first of Ways
	Ways   []Way  // how to permit it, the least first; none where it is there
}

// A Way is how something is permitted: what to do, and to whom and for how long that
// permits it.
type Way struct{ Do, For string }

// Doctor writes whether the lab can run, what stands in its way with what permits it, the
// least that helps first, and then all that was looked at.
func Doctor(w io.Writer, checks []Check, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		missing, longest := 0, 0
		for _, c := range checks {
			longest = max(longest, terminal.Width(c.Name))
			if !c.OK && c.Needed {
				missing++
			}
		}
		switch {
		case len(checks) == 0:
			o.Write(b, "The lab is for Linux; predictions (--on sim), probe, inspect, serve and get run here.", "", "", terminal.Bold)
		case missing > 0:
			o.Write(b, fmt.Sprintf("The lab cannot run here: %d of %d checks failed that it needs.", missing, len(checks)), "", "", terminal.Bold)
			o.Write(b, "Predictions (--on sim), probe, inspect, serve and get of URLs run all the same.", "", "", terminal.Plain)
		default:
			o.Write(b, "The lab can run here: linger compare", "", "", terminal.Bold)
		}
		var told [][]Way
		for _, needed := range []bool{true, false} {
			for _, c := range checks {
				same := func(ways []Way) bool { return slices.Equal(ways, c.Ways) }
				if c.OK || len(c.Ways) == 0 || c.Needed != needed || slices.ContainsFunc(told, same) {
					continue
				}
				told = append(told, c.Ways)
				o.permit(b, c)
			}
		}
		b.WriteString("\n")
		for _, c := range checks {
			mark, st := "ok  ", terminal.Plain
			switch {
			case !c.OK && c.Needed:
				mark, st = "FAIL", terminal.Red
			case !c.OK:
				mark, st = "no  ", terminal.Yellow
			}
			if o.Columns() < longest+40 {
				o.Write(b, c.Name+": "+c.Found, mark+"  ", "      ", st)
			} else {
				o.Write(b, c.Found, mark+"  "+terminal.Left(c.Name, longest)+"  ", strings.Repeat(" ", 8+longest), st)
			}
		}
	})
}

// permit writes what permits what a check has not found.
func (o Options) permit(b *bufio.Writer, c Check) {
	b.WriteString("\n")
	o.Write(b, c.Name+": "+c.Found+".", "", "", terminal.Plain)
	for i, w := range c.Ways {
		begin := "To have " + c.Gives + ", for "
		if i > 0 {
			begin = "Or for "
		}
		o.Write(b, begin+w.For+":", "  ", "  ", terminal.Plain)
		// What is to be copied is in one piece.
		b.WriteString("    " + w.Do + "\n")
	}
}
