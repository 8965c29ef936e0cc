package text

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"linger/compare/crowdsweep"
	"linger/compare/sweep"
	"linger/finding"
	"linger/report/crowdmap"
	"linger/report/sweepmap"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/words"
)

// A part is how much of a sweep's maps is drawn: so many rates, at so many losses.
type part struct{ lines, losses int }

// parts are tried until one fits on a screen, the largest first.
var parts = []part{{30, 6}, {12, 6}, {10, 6}, {12, 2}, {10, 2}, {8, 2}, {10, 1}, {8, 1}, {5, 1}}

// onMap are the findings of a sweep that stand on its first screen, below the maps.
var onMap = []string{sweep.UnknownOn, sweep.KeepingCostsOn, sweep.SameOn, sweep.BorderAt, sweep.NoiseOn}

// Sweep writes what a sweep comes to, and its maps: which strategy is fastest where. It
// fits on a screen, unless all is wanted.
func Sweep(w io.Writer, m *sweepmap.Map, v sweep.Survey, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) {
			o.sweepHead(b, m, v)
			b.WriteString("\n")
			o.sweepMaps(b, m, parts[0])
			b.WriteString("\n")
			for _, fact := range words.Survey(v).Facts {
				o.Write(b, fact, "- ", "  ", terminal.Plain)
			}
			o.sweepEnd(b, m, v)
		})
	}
	return o.Fitting(w, 3*len(parts), func(b *bufio.Writer, i int) {
		o.sweepHead(b, m, v)
		o.sweepMaps(b, m, parts[i/3])
		most := []int{3, 1, 0}[i%3]
		for _, code := range onMap {
			for _, f := range v.Findings {
				if f.Code == code && most > 0 {
					o.Write(b, words.Finding(f), "- ", "  ", terminal.Plain)
					most--
				}
			}
		}
		o.sweepEnd(b, m, v)
	})
}

// sweepHead is the answer.
func (o Options) sweepHead(b *bufio.Writer, m *sweepmap.Map, v sweep.Survey) {
	o.Write(b, sweepmap.Title(m.Sweep, v), "", "", terminal.Bold)
	if !o.IsWide() && slices.ContainsFunc(v.Findings, func(f finding.Finding) bool { return f.Code == sweep.KeepAliveOn }) {
		// What keep-alive alone saves says more than what it saves with all else that differs.
		v.Findings = slices.DeleteFunc(slices.Clone(v.Findings), func(f finding.Finding) bool { return f.Code == sweep.KeepingSavesOn })
	}
	o.Write(b, words.Survey(v).Lead, "", "", terminal.Plain)
	for _, f := range v.Findings {
		if f.Code == sweep.Stopped && !o.IsWide() { // else it stands among the others
			o.Write(b, words.Finding(f), "", "", terminal.Plain)
		}
	}
}

// sweepMaps draws the maps, or the table of named networks, and says what letters mean.
func (o Options) sweepMaps(b *bufio.Writer, m *sweepmap.Map, show part) {
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
		o.Table(b, t)
	} else {
		t.Columns = t.Columns[:len(t.Columns)-2*len(m.Losses)]
		for i := range t.Rows {
			t.Rows[i].Cells = t.Rows[i].Cells[:len(t.Columns)]
		}
		o.Table(b, t)
	}
	if len(m.Sweep.Axes.Named) > 0 {
		marks = append(marks, sweepmap.Checked+" within the checked range")
	}
	o.Write(b, strings.Join(marks, "; "), "", "", terminal.Faint)
}

// sweepEnd says how it came about and what else there is.
func (o Options) sweepEnd(b *bufio.Writer, m *sweepmap.Map, v sweep.Survey) {
	o.mapEnd(b, sweepmap.Origin(m.Sweep, v, o.Version))
}

// mapEnd says how a map came about, and what else there is.
func (o Options) mapEnd(b *bufio.Writer, origin string) {
	o.Write(b, origin, "", "", terminal.Faint)
	o.notModelled(b)
	hint := "  More: --wide, -o map.html"
	if o.IsWide() {
		hint = ""
	}
	o.repeat(b, hint)
}

// notModelled says, where all is wanted, what predictions leave out.
func (o Options) notModelled(b *bufio.Writer) {
	if !o.IsWide() || len(o.Limits) == 0 {
		return
	}
	var names []string
	for _, l := range o.Limits {
		names = append(names, strings.TrimSuffix(l.What, "."))
	}
	o.Write(b, "Not modelled: "+strings.Join(names, "; ")+" (docs/simulator.md).", "", "", terminal.Faint)
}

// rateRoom is how wide the names of rates are, between the room between maps.
const rateRoom, between = 13, 3

// draw writes the maps side by side, as many as there is room for: rates downwards, the
// highest first, round-trip times to the right.
func (o Options) draw(b *bufio.Writer, m *sweepmap.Map, show part) {
	room := o.Columns() - rateRoom - 1
	places := some(m.Places, room/2)
	each := 2*len(places) + between
	lines, losses := some(m.Lines, show.lines), some(m.Losses, show.losses)
	for row := range slices.Chunk(losses, max(1, (room+between)/each)) {
		if row[0] != losses[0] {
			b.WriteString("\n")
		}
		head := terminal.Left("", rateRoom+1)
		for i, loss := range row {
			head = terminal.Left(head, rateRoom+1+i*each) + table.Short(sweepmap.LossName(m.Sweep.Axes.Loss[loss]), each-between)
		}
		b.WriteString(o.Paint(head, terminal.Bold) + "\n")
		for _, line := range slices.Backward(lines) {
			b.WriteString(strings.TrimRight(terminal.Right(sweepmap.RateName(m.Sweep.Axes.Down[line]), rateRoom)+" "+o.cells(m, row, line, places), " ") + "\n")
		}
		axis := terminal.Right("RTT, ms", rateRoom) + " "
		for i := range row {
			at := rateRoom + 1 + i*each
			axis = ticks(terminal.Left(axis, at), m, places, min(o.Columns(), at+each-1))
		}
		b.WriteString(o.Paint(strings.TrimRight(axis, " "), terminal.Faint) + "\n")
	}
	if text := sweepmap.Thinned(m.Sweep, len(lines), len(places), len(losses)); text != "" {
		o.Write(b, text, "", "", terminal.Faint)
	}
}

// some picks at most so many of a list, evenly.
func some(list []int, most int) (out []int) {
	for _, i := range sweepmap.Evenly(len(list), most) {
		out = append(out, list[i])
	}
	return out
}

// cells are one rate of the maps of some losses.
func (o Options) cells(m *sweepmap.Map, losses []int, line int, places []int) string {
	var out strings.Builder
	for i, loss := range losses {
		if i > 0 {
			out.WriteString(terminal.Left("", between))
		}
		for _, place := range places {
			c, ok := m.At(loss, line, place)
			out.WriteString(o.Paint(m.Symbol(c, ok), terminal.StyleOf(m.Hue(c.Best))))
			if sure := sweepmap.Sureness(c); sure == " " {
				out.WriteString(sure) // not painted, so that it can be cut off
			} else {
				out.WriteString(o.Paint(sure, terminal.Faint))
			}
		}
	}
	return out.String()
}

// ticks writes round-trip times below the columns of a map, up to a column of text, where
// there is room for them.
func ticks(axis string, m *sweepmap.Map, places []int, end int) string {
	from := terminal.Width(axis)
	for i, place := range places {
		name, at := finding.Setting(m.Sweep.Axes.RTT[place]), from+2*i
		if i > 0 && at < terminal.Width(axis)+1 || at+terminal.Width(name) > end {
			continue
		}
		axis = terminal.Left(axis, at) + name
	}
	return axis
}

// A crowdPart is how much of a sweep of crowds the first screen has: numbers of clients, think times
// of which it says what serves best, and findings.
type crowdPart struct{ rows, leads, facts int }

// crowdParts are tried until one fits on a screen, the largest first.
var crowdParts = []crowdPart{{12, 4, 4}, {12, 4, 3}, {12, 4, 2}, {12, 4, 1}, {12, 4, 0}, {9, 4, 0}, {7, 4, 0}, {7, 3, 0}, {5, 3, 0}, {5, 2, 0}, {5, 1, 0}}

// CrowdMap writes what a sweep of crowds comes to: what serves best up to how many clients, and the
// map of it. It fits on a screen, unless all is wanted.
func CrowdMap(w io.Writer, m *crowdmap.Map, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) {
			o.crowdLead(b, m, len(m.Sweep.Axes.Think))
			b.WriteString("\n")
			o.crowdMap(b, m, len(m.Sweep.Axes.Clients))
			b.WriteString("\n")
			for _, fact := range words.CrowdSurvey(m.Survey).Facts {
				o.Write(b, fact, "- ", "  ", terminal.Plain)
			}
			o.Write(b, m.Rule(), "- ", "  ", terminal.Plain)
			t := m.Choices()
			b.WriteString("\n" + o.Paint(t.Caption, terminal.Bold) + "\n")
			o.Table(b, t)
			b.WriteString("\n")
			o.mapEnd(b, m.Origin(o.Version))
		})
	}
	facts := words.CrowdSurvey(m.Survey).Facts
	return o.Fitting(w, len(crowdParts), func(b *bufio.Writer, version int) {
		show := crowdParts[version]
		o.crowdLead(b, m, show.leads)
		o.crowdMap(b, m, show.rows)
		for _, fact := range facts[:min(len(facts), show.facts)] {
			o.Write(b, fact, "- ", "  ", terminal.Plain)
		}
		o.mapEnd(b, m.Brief())
	})
}

// crowdLead is the answer: what serves best with each of so many think times.
func (o Options) crowdLead(b *bufio.Writer, m *crowdmap.Map, most int) {
	o.Write(b, m.Title(), "", "", terminal.Plain)
	told := 0
	for _, f := range m.Survey.Findings {
		switch f.Code {
		case crowdsweep.ServesBest, crowdsweep.NoCrowd:
			if told++; told <= most {
				o.Write(b, words.Finding(f), "", "  ", terminal.Bold)
			}
		case crowdsweep.StoppedAtCrowd:
			if !o.IsWide() { // else it stands among the others
				o.Write(b, words.Finding(f), "", "  ", terminal.Plain)
			}
		}
	}
	if told > most {
		o.Write(b, finding.Plural(float64(told-most), "more think time")+": --wide", "", "  ", terminal.Faint)
	}
}

// crowdMap draws the map, and says what letters mean.
func (o Options) crowdMap(b *bufio.Writer, m *crowdmap.Map, rows int) {
	if len(m.Cells) == 0 {
		return
	}
	columns := max(1, (o.Columns()-8)/10)
	t := m.Table(columns, rows)
	o.Table(b, t)
	o.Write(b, m.Key()+".", "", "", terminal.Faint)
}
