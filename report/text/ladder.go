package text

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"linger/finding"
	"linger/ladder"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/trial"
	"linger/trace"
)

// Of a ladder not everything is written unless that is asked for: up to whole lines it is;
// beyond, in full a connection on the chain of round trips whose like was not shown before,
// at most models of them, and of each other one a line.
const (
	whole  = 60
	models = 6
)

// Ladder writes a trial message by message: client and server as two lines, time flowing
// down.
func Ladder(w io.Writer, l trial.Ladder, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		o.Write(b, l.Title(), "", "  ", terminal.Bold)
		b.WriteString("\n")
		r := rungs{Options: o, l: l, full: fullOf(l, o.IsWide())}
		hidden := r.draw(b)
		b.WriteString("\n")
		for _, note := range l.Notes() {
			o.Write(b, note, "", "", terminal.Faint)
		}
		if hidden > 0 {
			o.Write(b, fmt.Sprintf("A line with dots is a whole connection, with who sent the first FIN: together %s of %s. --wide shows all.",
				finding.Count(float64(hidden)), finding.Plural(float64(len(l.Messages)), "message")), "", "", terminal.Faint)
		}
	})
}

// fullOf tells of each connection whether its messages are shown.
func fullOf(l trial.Ladder, all bool) []bool {
	full := make([]bool, len(l.Connections))
	seen := map[string]bool{}
	for i := range l.Connections {
		c := &l.Connections[i]
		full[i] = all || len(l.Messages) <= whole || len(l.Connections) == 1
		if s := shape(l, c); !full[i] && c.Trips > 0 && !seen[s] && len(seen) < models {
			full[i], seen[s] = true, true
		}
	}
	return full
}

// shape is what connections have in common that do the same, whatever the sizes.
func shape(l trial.Ladder, c *ladder.Connection) string {
	var b strings.Builder
	for _, i := range c.Messages {
		m := &l.Messages[i]
		fmt.Fprint(&b, m.By, m.SYN, m.FIN, m.RST, m.Again > 0, m.Lost > 0)
		for _, p := range m.Parts {
			fmt.Fprint(&b, p.Kind, p.Begins, p.Ends)
		}
	}
	return b.String()
}

// rungs is a ladder being drawn.
type rungs struct {
	Options
	l    trial.Ladder
	full []bool
	// Columns: of the round trip, of the time, of the connection, and between the two lines.
	trip, clock, conn, room int
}

// draw writes the rungs, and returns how many messages stand behind lines of connections.
func (r *rungs) draw(b *bufio.Writer) (hidden int) {
	l := r.l
	r.trip = max(len("RTT"), 2*len(strconv.Itoa(l.Trips))+1)
	r.clock = max(len("ms"), len(finding.Tenth(l.Messages[len(l.Messages)-1].At().Milliseconds())))
	if len(l.Connections) > 1 {
		r.conn = len("#") + len(strconv.Itoa(len(l.Connections)))
	}
	r.room = max(12, r.Columns()-r.trip-r.clock-r.conn-terminal.Gap-len("  ")-2)
	head := terminal.Left(terminal.Right("RTT", r.trip)+" "+terminal.Right("ms", r.clock)+"  "+terminal.Left("", r.conn), r.trip+r.clock+r.conn+terminal.Gap+1)
	b.WriteString(r.Paint(head+terminal.Left("client", r.room+2-len("server"))+"server", terminal.Faint) + "\n")
	trip := 0
	for i := range l.Messages {
		m := &l.Messages[i]
		c := &l.Connections[m.Connection]
		if !r.full[m.Connection] {
			hidden++
			if c.Messages[0] == i {
				r.summary(b, m, c)
			}
			continue
		}
		number := ""
		if m.Trip > 0 && m.Trip != trip {
			number, trip = strconv.Itoa(m.Trip), m.Trip
		}
		r.line(b, number, m, c, "│"+r.arrow(m)+"│")
	}
	return hidden
}

// line writes the columns before a rung, and the rung.
func (r *rungs) line(b *bufio.Writer, trip string, m *ladder.Message, c *ladder.Connection, rung string) {
	conn := ""
	if r.conn > 0 {
		conn = r.Paint(terminal.Left("#"+strconv.Itoa(c.Number), r.conn), terminal.HueOf(c.Number))
	}
	b.WriteString(r.Paint(terminal.Right(trip, r.trip), terminal.Bold) + " " + terminal.Right(finding.Tenth(m.At().Milliseconds()), r.clock) + "  " + conn + " " + rung + "\n")
}

// arrow is a message between the two lines. Of one that never came the head is missing.
func (r *rungs) arrow(m *ladder.Message) string {
	text := table.Short(r.l.Text(m), r.room-len("-  ->")-1)
	line := "─ " + text + " " + strings.Repeat("─", max(0, r.room-terminal.Width(text)-len("-  >")))
	lost := m.Packets > 0 && m.Lost == m.Packets
	switch {
	case m.By == trace.AtClient && lost:
		return line + "×"
	case m.By == trace.AtClient:
		return line + "▶"
	case lost:
		return "×" + line
	}
	return "◀" + line
}

// summary writes a whole connection as one line.
func (r *rungs) summary(b *bufio.Writer, m *ladder.Message, c *ladder.Connection) {
	number := ""
	if c.Trips == 1 {
		number = strconv.Itoa(c.FirstTrip)
	} else if c.Trips > 1 {
		number = fmt.Sprintf("%d–%d", c.FirstTrip, c.FirstTrip+c.Trips-1)
	}
	text := r.l.Summary(c)
	r.line(b, number, m, c, "┊ "+terminal.Left(table.Short(text, r.room-2), r.room-2)+" ┊")
}
