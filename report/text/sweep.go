package text

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"linger/compare"
	"linger/finding"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
)

// Sweep writes the maps for a person, what they come to, what is not modelled, and
// where it all comes from.
func Sweep(w io.Writer, m *report.Map, v compare.Survey, o Options) error {
	return o.buffered(w, func(b *bufio.Writer) {
		o.write(b, report.SweepTitle(m.Sweep, v), "", "", bold)
		for _, loss := range m.Losses {
			b.WriteString("\n" + o.paint(report.LossName(m.Sweep.Axes.Loss[loss]), bold) + "\n")
			if len(m.Sweep.Axes.Named) > 0 {
				o.table(b, m.Paths(loss))
			} else {
				o.draw(b, m, loss)
			}
		}
		b.WriteString("\n")
		var key []string
		for _, s := range m.Sweep.Strategies {
			key = append(key, m.Letter(s)+" "+s)
		}
		o.write(b, strings.Join(key, ", ")+": takes least. ~ another takes at most "+finding.Share(m.Sweep.Margin)+" more, or luck is not ruled out; = and keeping connections or not makes no more of a difference; ? not known.", "", "", faint)
		if text := m.Thinned(); text != "" {
			o.write(b, text, "", "", faint)
		}
		b.WriteString("\n")
		o.say(b, words.Survey(v))
		b.WriteString("\n")
		if len(o.Limits) > 0 {
			var names []string
			for _, l := range o.Limits {
				names = append(names, strings.TrimSuffix(l.What, "."))
			}
			o.write(b, "Not modelled: "+strings.Join(names, "; ")+" (docs/simulator.md).", "", "", plain)
		}
		o.write(b, report.SweepOrigin(m.Sweep, o.Version), "", "", faint)
		if o.Command != "" {
			b.WriteString(o.paint("Again: "+table.Clean(o.Command), faint) + "\n")
		}
	})
}

// draw writes the map of one loss: rates downwards, the highest first, round-trip
// times to the right.
func (o Options) draw(b *bufio.Writer, m *report.Map, loss int) {
	const room = 13 // for the rate
	places := m.Places
	if most := (o.width() - room - 1) / 2; len(places) > most {
		places = nil
		for _, i := range report.Evenly(len(m.Places), most) {
			places = append(places, m.Places[i])
		}
	}
	for _, row := range slices.Backward(m.Lines) {
		b.WriteString(right(report.RateName(m.Sweep.Axes.Down[row]), room) + " ")
		var line strings.Builder
		for _, column := range places {
			c, ok := m.At(loss, row, column)
			line.WriteString(o.paint(m.Symbol(c, ok), styleOf(m.Hue(c.Best))))
			if sure := report.Sureness(c); sure == " " {
				line.WriteString(sure) // not painted, so that it can be cut off
			} else {
				line.WriteString(o.paint(sure, faint))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	axis := right("RTT, ms", room) + " "
	for i, column := range places {
		name := finding.Setting(m.Sweep.Axes.RTT[column])
		at := room + 1 + 2*i
		if i > 0 && at < width(axis)+1 || at+width(name) > o.width() {
			continue
		}
		axis = left(axis, at) + name
	}
	b.WriteString(o.paint(axis, faint) + "\n")
}
