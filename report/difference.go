package report

import (
	"bufio"
	"io"
	"math"
	"slices"
	"strings"

	"linger"
	"linger/compare"
	"linger/finding"
	"linger/trace"
)

// Difference writes what has changed from one result to another.
func Difference(w io.Writer, d compare.Change, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		f := compare.Findings{Workload: d.Workload, Network: d.Network}
		for _, line := range wrap(title(f), o.width(), "", "") {
			b.WriteString(o.paint(line, bold) + "\n")
		}
		b.WriteString("\n")
		cell := func(head [2]string, spare int, of func(compare.RowChange) string) column {
			c := column{head: head, spare: spare}
			for _, r := range d.Rows {
				c.cells = append(c.cells, of(r))
			}
			return c
		}
		cols := []column{
			cell([2]string{"", "strategy"}, 0, func(r compare.RowChange) string { return short(r.Strategy, longest) }),
			cell([2]string{"time", "before"}, 0, func(r compare.RowChange) string { return took(r.Before, d.Provenance) }),
			cell([2]string{"", "after"}, 0, func(r compare.RowChange) string { return took(r.After, d.Provenance) }),
			cell([2]string{"", "change"}, 0, changed),
		}
		cols[0].left = true
		for i, one := range []struct {
			above, below, name string
			format             func(float64) string
		}{
			{"connec-", "tions", "connections", finding.Count}, {"round", "trips", "round_trips", trips}, {"", "packets", "packets", finding.Count},
			{"wire,", "kB", "wire_bytes", kilo}, {"", "failed", "failed", finding.Count},
		} {
			c := cell([2]string{one.above, one.below}, i+1, func(r compare.RowChange) string {
				k := slices.IndexFunc(r.Figures, func(f compare.FigureChange) bool { return f.Name == one.name })
				if k < 0 {
					return ""
				}
				before, after := known(r.Figures[k].Before, one.format), known(r.Figures[k].After, one.format)
				if before == after {
					return "" // less than the table shows
				}
				return before + "→" + after
			})
			cols = append(cols, c)
		}
		cols = squeeze(append(cols[:4:4], filled(cols[4:])...), o.width())
		o.table(b, cols, upTo(len(d.Rows)), nil)
		b.WriteString(o.paint("~ may be luck; what is empty is as before.", faint) + "\n")
		b.WriteString("\n")
		for text := range strings.SplitSeq(d.Text, "\n") {
			b.WriteString(strings.Join(wrap(text, o.width(), "- ", "  "), "\n") + "\n")
		}
		if len(d.Doubts) > 0 {
			b.WriteString("\nDoubts\n")
		}
		for _, one := range d.Doubts {
			b.WriteString(strings.Join(wrap(one.Text, o.width(), "  ! ", "    "), "\n") + "\n")
		}
	})
}

// took is a time with the digits that its doubt leaves.
func took(t linger.Opt[compare.Time], p trace.Provenance) string {
	v, ok := t.Get()
	if !ok {
		return unknown
	}
	return finding.Duration(v.Median, v.Blur(p))
}

// changed says how much longer a strategy takes, where that is more than luck: a
// tilde stands before what may be luck.
func changed(r compare.RowChange) string {
	switch v, ok := r.Share.Get(); {
	case r.New:
		return "new"
	case r.Gone:
		return "gone"
	case !ok:
		return unknown
	default:
		sign := "+"
		switch {
		case math.Abs(v) < 0.005:
			sign = ""
		case v < 0:
			sign = "−"
		}
		mark := ""
		if !r.Differs.Or(false) {
			mark = "~ "
		}
		return mark + sign + finding.Share(math.Abs(v))
	}
}
