package html

import (
	"fmt"
	"io"
	"strings"

	"linger/compare"
	"linger/compare/across"
	"linger/compare/times"
	"linger/finding"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/words"
	"linger/trace"
)

// A networksView is what the template of several networks is given.
type networksView struct {
	frame
	first

	Table    draw.Table // of all networks
	Gaps     *draw.Table
	Asserted *draw.Table
	Networks []view
	Origin   string
	Machine  [][2]string
	Limits   []report.Limit
}

// Networks writes a comparison on several networks as one page that needs nothing else: what all
// come to with a joint table, and a part for each network. inputs are those of the findings;
// predicted what was predicted beside, or nothing.
func Networks(w io.Writer, n across.Networks, inputs []trace.Experiment, predicted []compare.Findings, o Options) error {
	_, _, shown, hide := hidden(n.Each[0], inputs[0], o)
	sentences := hideAll(words.NetworksHeadline(n), hide)
	sub := table.Clean(hide(report.NetworksTitle(n)))
	v := networksView{
		frame: newFrame(strings.Join(sentences, " "), sub, shown.Command),
		first: first{Lead: strings.Join(sentences, " "), Sentences: sentences, Sub: sub, Broken: unmet(n.Asserted, hide), Tiles: networkTiles(n)},
		Table: draw.TableOf(report.Networks(n, report.WithIntervals)), Asserted: asserted(n.Asserted, hide),
		Origin: report.NetworksBrief(n), Machine: machineOf(n.Each[0].Machine, o.Version),
	}
	decisive, _ := words.NetworksCaveats(n) // the others stand below, with their networks
	v.Caveats = hideAll(decisive, hide)
	v.Caveat = firstOf(v.Caveats)
	for i, f := range n.Each {
		one := o
		if i < len(predicted) {
			one.Predicted = &predicted[i]
		}
		f, in, one, hide := hidden(f, inputs[i], one)
		part := comparisonView(f, in, one, hide)
		part.Network = table.Clean(f.Network.Named())
		part.within(fmt.Sprintf("n%d-", i))
		v.Networks = append(v.Networks, part)
		v.to(true, part.At+"verdict", part.Network)
	}
	if len(predicted) > 0 {
		t := draw.TableOf(report.NetworkGaps(n, across.Of(predicted)))
		v.Gaps = &t
	}
	if n.Each[0].Provenance == trace.Predicted || len(predicted) > 0 {
		v.Limits = o.Limits
	}
	v.Policy = pagePolicy(false)
	return pageHTML().ExecuteTemplate(w, "networks.html", v)
}

// networkTiles are how many times as fast the best with keep-alive is as the best without it, on
// each network.
func networkTiles(n across.Networks) (out []tile) {
	for _, f := range n.Each {
		with, ok := rowOf(f, f.Verdict.With)
		without, ok2 := rowOf(f, f.Verdict.Without)
		a, b := without.Time.Or(times.Time{}).Median, with.Time.Or(times.Time{}).Median
		if ok && ok2 && a > 0 && b > 0 && len(out) < mostTiles {
			out = append(out, tile{finding.Times(a/b) + "×", fmt.Sprintf("as fast on %s: %s than %s", table.Clean(f.Network.Named()), with.Strategy, without.Strategy)})
		}
	}
	return out
}

// within gives a part of a page IDs of its own.
func (v *view) within(at string) {
	v.At, v.Comparable = at, false
	for _, c := range []*draw.Chart{v.Race, v.Steps, v.Trials, v.Held} {
		if c != nil {
			c.Within(at)
		}
	}
	for i := range v.Lanes {
		v.Lanes[i].Chart.Within(at)
	}
	for i := range v.Traffic {
		v.Traffic[i].Within(at)
	}
}
