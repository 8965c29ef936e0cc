// Package html writes results as pages that need nothing else: each is one file,
// asks for nothing from nowhere, and works without a script. The data of each
// drawing stands in it as a table.
package html

import (
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"linger"
	"linger/compare"
	"linger/report"
	"linger/report/table"
	"linger/report/words"
	"linger/trace"
)

// Options says what a page has besides the result.
type Options struct {
	// Version is that of linger, Command how to run the same again; either may be empty.
	Version string
	Command string
	// Queries shows the query strings of URLs, which are left out otherwise.
	Queries bool
	// Model is what predictions were made with, so that a page can make further ones;
	// nil where nothing was predicted. Limits are what they leave out.
	Model  *Model
	Limits []report.Limit
	// Predicted is what was predicted beside what was measured; nil is nothing.
	Predicted *compare.Findings
}

// view is what the templates are given.
type view struct {
	Style  template.CSS
	Script template.JS
	Policy string

	Title, Kicker string
	Lead          string
	Facts         []string
	Doubts        []string
	Asserted      *tableView
	Figures       []tableView
	Legend        string
	// Gaps is how far predictions are off that were made beside; nil is none.
	Gaps *tableView
	// Several says that there is more than one trial to draw.
	Several bool
	Time    chart
	Lanes   []lanesView
	Ladders []ladderSide
	Traffic *chart
	Held    *chart
	Facets  [][2]string // provenance: what, and how much
	Origin  string
	Command string
	// Comparable says that time scales can be switched between.
	Comparable bool
	// Explorer lets the reader predict other paths, Explore is its script; Limits is
	// what predictions leave out. Each is empty where nothing was predicted.
	Explorer *explorer
	Explore  template.JS
	Limits   []report.Limit
}

type lanesView struct {
	Strategy, About string
	Best            bool
	Chart           chart
}

// A ladderSide is the ladders of one kind of strategies, of which one is seen.
type ladderSide struct {
	Kind    string
	ID      string
	Ladders []ladderView
}

type ladderView struct {
	Strategy string
	First    bool
	Chart    chart
}

// Compare writes findings as one page that needs nothing else: the findings, which
// are those of the input, and drawings of its traces. Query strings, and whatever a
// URL says of a user, are left out unless o.Queries wants them.
func Compare(w io.Writer, f compare.Findings, in trace.Experiment, o Options) error {
	if !o.Queries {
		f.Workload.Name, in, o.Command = redact(f.Workload.Name), redactInput(in), redact(o.Command)
	}
	typical := compare.Typical(in)
	v := view{
		Style: template.CSS(pageStyle), Script: template.JS(pageScript),
		Title: table.Clean(report.Title(f)), Kicker: table.Clean(f.Workload.Name),
		Legend: report.Legend(f, "in colour:"), Origin: report.Origin(f, o.Version), Command: table.Clean(o.Command),
		Several: len(f.Rows) > 0 && (len(f.Rows) > 1 || f.Trials > 1), Time: timeChart(f, compare.TrialsOf(in)), Facets: report.Facets(f),
	}
	verdict := words.Verdict(f.Verdict)
	v.Lead, v.Facts, v.Doubts = verdict.Lead, verdict.Facts, words.Caveats(f.Caveats)
	if !o.Queries {
		v.Lead = redact(v.Lead)
		redactAll(v.Facts)
		redactAll(v.Doubts)
	}
	v.Asserted = asserted(f.Asserted, func(s string) string { return s })
	for _, t := range report.Figures(f) {
		v.Figures = append(v.Figures, tableOf(t))
	}
	if f.Provenance == trace.Predicted {
		v.Limits = o.Limits
		if x, ok := explore(in.Workload, in.Strategies, in.Network, in.Seed, o); ok {
			v.Explorer, v.Explore = x, template.JS(exploreScript)
		}
	}
	if o.Predicted != nil {
		t := tableOf(report.Gaps(f, *o.Predicted))
		v.Gaps, v.Limits = &t, o.Limits
	}
	v.Policy = pagePolicy(v.Explorer != nil)
	if c, ok := trafficChart(f); ok {
		v.Traffic = &c
	}
	v.lanes(f, typical)
	v.ladders(f, in, typical)
	return pageHTML().ExecuteTemplate(w, "page.html", v)
}

// lanes adds the drawings by connection.
func (v *view) lanes(f compare.Findings, typical []*trace.Trace) {
	all, drawn := linger.Instant(0), 0
	for _, t := range typical {
		if t != nil && len(t.Connections) > 0 {
			all, drawn = max(all, t.Ended), drawn+1
		}
	}
	v.Comparable = drawn > 1
	for _, row := range report.Order(f.Rows) {
		t, r := nth(typical, row), f.Rows[row]
		if t == nil || len(t.Connections) == 0 {
			continue
		}
		about := fmt.Sprintf("%s over %s%s in %s", linger.Plural(len(t.Exchanges), "exchange"), linger.Plural(len(t.Connections), noun(t)), report.Spoken(t), report.Instant(t.Ended))
		if r.Trials > 1 {
			about += fmt.Sprintf("; trial %d, the one nearest to the median", t.Trial+1)
		}
		v.Lanes = append(v.Lanes, lanesView{
			Strategy: table.Clean(r.Strategy), About: about, Best: f.Verdict.Best != "" && r.Strategy == f.Verdict.Best,
			Chart: lanesChart(fmt.Sprintf("lanes-%d", row), t, all),
		})
	}
	if drawn > 0 {
		c := heldChart(f, typical)
		v.Held = &c
	}
}

// noun is what the connections of a trial are called, which may connect nothing.
func noun(t *trace.Trace) string {
	if !slices.ContainsFunc(t.Connections, func(k trace.Connection) bool { return k.Protocol != report.Datagram }) {
		return "socket"
	}
	return "connection"
}

// ladders adds those of each strategy, all at one scale: the strategies that close
// on one side, those that keep on the other.
func (v *view) ladders(f compare.Findings, in trace.Experiment, typical []*trace.Trace) {
	rtt := linger.Opt[time.Duration]{}
	if !f.Network.RTT.IsZero() && in.Network.RTT > 0 {
		rtt = linger.Known(in.Network.RTT)
	}
	read := map[int]ladder{}
	perSecond := 1e9
	for row, t := range typical {
		if t == nil {
			continue
		}
		l, ok := ladderOf(t, rtt)
		lasts := l.end.Sub(l.begin)
		if !ok || lasts <= 0 || len(l.steps) == 0 {
			continue
		}
		read[row] = l
		perSecond = min(perSecond, ladderRoom/lasts.Seconds())
		if l.trip > 0 {
			perSecond = min(perSecond, tripHeight/l.trip.Seconds())
		}
	}
	for _, row := range report.Order(f.Rows) {
		l, ok := read[row]
		if !ok {
			continue
		}
		kind := report.Kind(f.Rows[row])
		if n := len(v.Ladders); n == 0 || v.Ladders[n-1].Kind != kind {
			v.Ladders = append(v.Ladders, ladderSide{Kind: kind, ID: fmt.Sprintf("side-%d", n)})
		}
		side := &v.Ladders[len(v.Ladders)-1]
		name := table.Clean(f.Rows[row].Strategy)
		side.Ladders = append(side.Ladders, ladderView{name, len(side.Ladders) == 0, ladderChart(fmt.Sprintf("ladder-%d", row), name, l, perSecond)})
	}
}
