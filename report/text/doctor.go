package text

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// A Check is one thing that the lab wants of a machine.
type Check struct {
	Name   string
	OK     bool
	Needed bool   // there is no lab without it
	Found  string // in a few words
	Fix    string // how to permit it; empty where it is there
}

// Doctor writes whether the lab can run, what stands in its way with the command that permits
// it, and then all that was looked at.
func Doctor(w io.Writer, checks []Check, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		missing, longest := 0, 0
		for _, c := range checks {
			longest = max(longest, width(c.Name))
			if !c.OK && c.Needed {
				missing++
			}
		}
		switch {
		case len(checks) == 0:
			o.write(b, "The lab is for Linux; predictions (--on sim), probe, inspect, serve and get run here.", "", "", bold)
		case missing > 0:
			o.write(b, fmt.Sprintf("The lab cannot run here: %d of %d checks failed that it needs.", missing, len(checks)), "", "", bold)
		default:
			o.write(b, "The lab can run here: linger compare", "", "", bold)
		}
		for _, c := range checks {
			if !c.OK && c.Fix != "" {
				b.WriteString("\n")
				o.write(b, c.Name+": "+c.Found, "", "", plain)
				// What is to be copied is in one piece.
				b.WriteString("  " + c.Fix + "\n")
			}
		}
		b.WriteString("\n")
		for _, c := range checks {
			mark, st := "ok  ", plain
			switch {
			case !c.OK && c.Needed:
				mark, st = "FAIL", red
			case !c.OK:
				mark, st = "no  ", yellow
			}
			if o.width() < longest+40 {
				o.write(b, c.Name+": "+c.Found, mark+"  ", "      ", st)
			} else {
				o.write(b, c.Found, mark+"  "+left(c.Name, longest)+"  ", strings.Repeat(" ", 8+longest), st)
			}
		}
	})
}
