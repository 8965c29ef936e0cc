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

// A grid is how much of a sweep's maps is drawn: so many rates, at so many losses.
type grid struct{ lines, losses int }

// grids are tried until one fits on a screen.
var grids = []grid{{30, 6}, {12, 6}, {10, 6}, {12, 2}, {10, 2}, {8, 2}, {10, 1}, {8, 1}, {5, 1}}

// onMap are the findings of a sweep that stand on its first screen, below the maps.
var onMap = []string{compare.UnknownOn, compare.KeepingCostsOn, compare.SameOn, compare.BorderAt, compare.LuckOn}

// Sweep writes what a sweep comes to, and its maps: which strategy is fastest where. It
// fits on a screen, unless all is wanted.
func Sweep(w io.Writer, m *report.Map, v compare.Survey, o Options) error {
	if o.IsWide() {
		return o.buffered(w, func(b *bufio.Writer) {
			o.sweepHead(b, m, v)
			b.WriteString("\n")
			o.sweepMaps(b, m, grids[0])
			b.WriteString("\n")
			for _, fact := range words.Survey(v).Facts {
				o.write(b, fact, "- ", "  ", plain)
			}
			o.sweepEnd(b, m, v)
		})
	}
	return o.fitting(w, 3*len(grids), func(b *bufio.Writer, i int) {
		o.sweepHead(b, m, v)
		o.sweepMaps(b, m, grids[i/3])
		most := []int{3, 1, 0}[i%3]
		for _, code := range onMap {
			for _, f := range v.Findings {
				if f.Code == code && most > 0 {
					o.write(b, words.Finding(f), "- ", "  ", plain)
					most--
				}
			}
		}
		o.sweepEnd(b, m, v)
	})
}

// sweepHead is the answer.
func (o Options) sweepHead(b *bufio.Writer, m *report.Map, v compare.Survey) {
	o.write(b, report.SweepTitle(m.Sweep, v), "", "", bold)
	if !o.IsWide() && slices.ContainsFunc(v.Findings, func(f finding.Finding) bool { return f.Code == compare.KeepAliveOn }) {
		// What keep-alive alone saves says more than what it saves with all else that differs.
		v.Findings = slices.DeleteFunc(slices.Clone(v.Findings), func(f finding.Finding) bool { return f.Code == compare.KeepingSavesOn })
	}
	o.write(b, words.Survey(v).Lead, "", "", plain)
	for _, f := range v.Findings {
		if f.Code == compare.Stopped && !o.IsWide() { // else it stands among the others
			o.write(b, words.Finding(f), "", "", plain)
		}
	}
}

// sweepMaps draws the maps, or the table of named networks, and says what letters mean.
func (o Options) sweepMaps(b *bufio.Writer, m *report.Map, show grid) {
	var marks []string
	for _, mark := range [][2]string{
		{"~", "too close to call: another is within " + finding.Share(m.Sweep.Margin) + ", or noise"}, {"=", "the fastest without keep-alive is, too"}, {"?", "not known"},
	} {
		if m.Marked(mark[0]) {
			marks = append(marks, mark[0]+" "+mark[1])
		}
	}
	if len(m.Sweep.Axes.Named) == 0 {
		o.draw(b, m, show)
		marks = append([]string{strings.Join(m.Key(), ", ") + " is fastest"}, marks...)
	} else if t := m.Networks(); o.IsWide() {
		o.table(b, t)
	} else {
		t.Columns = t.Columns[:len(t.Columns)-2*len(m.Losses)]
		for i := range t.Rows {
			t.Rows[i].Cells = t.Rows[i].Cells[:len(t.Columns)]
		}
		o.table(b, t)
	}
	if len(m.Sweep.Axes.Named) > 0 {
		marks = append(marks, report.Checked+" within the checked range")
	}
	o.write(b, strings.Join(marks, "; "), "", "", faint)
}

// sweepEnd says how it came about and what else there is.
func (o Options) sweepEnd(b *bufio.Writer, m *report.Map, v compare.Survey) {
	o.write(b, report.SweepOrigin(m.Sweep, v, o.Version), "", "", faint)
	if o.IsWide() && len(o.Limits) > 0 {
		var names []string
		for _, l := range o.Limits {
			names = append(names, strings.TrimSuffix(l.What, "."))
		}
		o.write(b, "Not modelled: "+strings.Join(names, "; ")+" (docs/simulator.md).", "", "", faint)
	}
	if o.Command != "" {
		// Not wrapped, so that it can be copied in one piece.
		line := "Repeat: " + table.Clean(o.Command)
		if more := "  More: --wide, -o map.html"; !o.IsWide() && width(line+more) <= o.width() {
			line += more
		}
		b.WriteString(o.paint(line, faint) + "\n")
	}
}

// rateRoom is how wide the names of rates are, between the room between maps.
const rateRoom, between = 13, 3

// draw writes the maps side by side, as many as there is room for: rates downwards, the
// highest first, round-trip times to the right.
func (o Options) draw(b *bufio.Writer, m *report.Map, show grid) {
	room := o.width() - rateRoom - 1
	places := some(m.Places, room/2)
	each := 2*len(places) + between
	lines, losses := some(m.Lines, show.lines), some(m.Losses, show.losses)
	for row := range slices.Chunk(losses, max(1, (room+between)/each)) {
		if row[0] != losses[0] {
			b.WriteString("\n")
		}
		head := left("", rateRoom+1)
		for i, loss := range row {
			head = left(head, rateRoom+1+i*each) + table.Short(report.LossName(m.Sweep.Axes.Loss[loss]), each-between)
		}
		b.WriteString(o.paint(head, bold) + "\n")
		for _, line := range slices.Backward(lines) {
			b.WriteString(strings.TrimRight(right(report.RateName(m.Sweep.Axes.Down[line]), rateRoom)+" "+o.cells(m, row, line, places), " ") + "\n")
		}
		axis := right("RTT, ms", rateRoom) + " "
		for i := range row {
			at := rateRoom + 1 + i*each
			axis = ticks(left(axis, at), m, places, min(o.width(), at+each-1))
		}
		b.WriteString(o.paint(strings.TrimRight(axis, " "), faint) + "\n")
	}
	if text := report.Thinned(m.Sweep, len(lines), len(places), len(losses)); text != "" {
		o.write(b, text, "", "", faint)
	}
}

// some picks at most so many of a list, evenly.
func some(list []int, most int) (out []int) {
	for _, i := range report.Evenly(len(list), most) {
		out = append(out, list[i])
	}
	return out
}

// cells are one rate of the maps of some losses.
func (o Options) cells(m *report.Map, losses []int, line int, places []int) string {
	var out strings.Builder
	for i, loss := range losses {
		if i > 0 {
			out.WriteString(left("", between))
		}
		for _, place := range places {
			c, ok := m.At(loss, line, place)
			out.WriteString(o.paint(m.Symbol(c, ok), styleOf(m.Hue(c.Best))))
			if sure := report.Sureness(c); sure == " " {
				out.WriteString(sure) // not painted, so that it can be cut off
			} else {
				out.WriteString(o.paint(sure, faint))
			}
		}
	}
	return out.String()
}

// ticks writes round-trip times below the columns of a map, up to a column of text, where
// there is room for them.
func ticks(axis string, m *report.Map, places []int, end int) string {
	from := width(axis)
	for i, place := range places {
		name, at := finding.Setting(m.Sweep.Axes.RTT[place]), from+2*i
		if i > 0 && at < width(axis)+1 || at+width(name) > end {
			continue
		}
		axis = left(axis, at) + name
	}
	return axis
}
