package text

import (
	"bufio"
	"io"
	"slices"
	"strings"

	"linger/compare"
	"linger/compare/across"
	"linger/report"
	"linger/report/table"
	"linger/report/terminal"
	"linger/report/words"
)

// Networks writes a comparison on several networks: where keep-alive saves what, what is
// fastest where, and one table with a row for each strategy and columns for each network. With
// all that there is, each network's own result stands below.
func Networks(w io.Writer, n across.Networks, o Options) error {
	if o.IsWide() {
		return o.Buffered(w, func(b *bufio.Writer) {
			o.networksHead(b, n, true)
			b.WriteString("\n")
			o.networksTable(b, n)
			o.asserted(b, n.Asserted)
			alone := o
			alone.Command = "" // it is that of all
			for _, f := range n.Each {
				b.WriteString("\n" + o.Paint(strings.Repeat("─", min(o.Columns(), terminal.Readable)), terminal.Faint) + "\n")
				alone.everything(b, f)
			}
			if o.Command != "" {
				b.WriteString("\n")
				o.repeat(b, "")
			}
		})
	}
	joint := o.joint(n)
	return o.Fitting(w, len(densities), func(b *bufio.Writer, i int) { o.networks(b, n, joint, densities[i]) })
}

// networks writes the first screen.
func (o Options) networks(b *bufio.Writer, n across.Networks, joint table.Table, r density) {
	o.networksHead(b, n, r.blanks > 0)
	if r.blanks > 1 {
		b.WriteString("\n")
	}
	o.Table(b, joint)
	o.asserted(b, n.Asserted)
	if r.blanks > 1 {
		b.WriteString("\n")
	}
	all, others := words.NetworksCaveats(n)
	o.firstCaveats(b, all, others, r.caveats)
	o.foot(b, report.NetworksBrief(n), moreHint)
}

// networksHead says what was fetched over what, and what that comes to. What each network is
// may be left out.
func (o Options) networksHead(b *bufio.Writer, n across.Networks, parts bool) {
	o.Write(b, report.NetworksTitle(n), "", "", terminal.Bold)
	if parts && len(n.Each) <= 4 || o.IsWide() {
		o.Write(b, strings.ReplaceAll(strings.Join(report.NetworkParts(n), " · "), ", "+report.NoLoss, ""), "  ", "  ", terminal.Faint)
	}
	for _, s := range words.NetworksHeadline(n) {
		o.Write(b, s, "", "  ", terminal.Bold)
	}
}

// joint is the table of a first screen: networks side by side, with as much of each as there is
// room for, or below each other where they are many.
func (o Options) joint(n across.Networks) table.Table {
	for _, much := range []int{report.WithIntervals, report.WithRatios, report.TimesAlone} {
		if t := report.Networks(n, much); terminal.WidthOf(t) <= o.Columns() {
			return t
		}
	}
	return report.ByNetwork(n)
}

// networksTable writes networks side by side with all that there is, in as many parts as it
// takes, which have about as many networks each.
func (o Options) networksTable(b *bufio.Writer, n across.Networks) {
	tableOf := func(part []compare.Findings) table.Table {
		return report.Networks(across.Networks{Each: part}, report.WithIntervals)
	}
	all, parts := len(n.Each), 1
	for ; parts < all; parts++ {
		wide := func(part []compare.Findings) bool { return terminal.WidthOf(tableOf(part)) > o.Columns() }
		if !slices.ContainsFunc(slices.Collect(slices.Chunk(n.Each, (all+parts-1)/parts)), wide) {
			break
		}
	}
	for i, part := range slices.Collect(slices.Chunk(n.Each, (all+parts-1)/parts)) {
		if i > 0 {
			b.WriteString("\n")
		}
		t := tableOf(part)
		o.Whole(b, t)
	}
}

// NetworkGaps writes how far predictions are off on each network.
func NetworkGaps(w io.Writer, measured, predicted across.Networks, o Options) error {
	return o.Buffered(w, func(b *bufio.Writer) {
		o.Write(b, "Predicted against measured: time, in per cent of what was measured", "", "", terminal.Bold)
		o.Table(b, report.NetworkGaps(measured, predicted))
	})
}
