// Package html writes results as pages that need nothing else: each is one file,
// asks for nothing from nowhere, and works without a script. The data of each
// drawing stands in it as a table.
package html

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"sync"

	"linger"
	"linger/compare"
	"linger/compare/facts"
	"linger/finding"
	"linger/report"
	"linger/report/html/draw"
	"linger/report/table"
	"linger/report/trial"
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

// view is what the template of a comparison is given.
type view struct {
	frame
	first
	// At begins the IDs of what is one of several networks on a page, and is empty elsewhere;
	// Network is its name.
	At, Network string

	Race *draw.Chart // nil where there is nothing to compare
	// Only is the waterfall of what nothing is compared with.
	Only *lanesView
	// Steps say where the time goes; nil is that nothing is to be said.
	Steps    *draw.Chart
	Facts    []string
	Asserted *draw.Table
	Figures  *draw.Table
	Legend   string
	// Gaps is how far predictions are off that were made beside; nil is none.
	Gaps    *draw.Table
	Trials  *draw.Chart
	Lanes   []lanesView
	Ladders []ladderSide
	// Stacked says that ladders need all the width, one below the other.
	Stacked bool
	Traffic []draw.Chart
	Held    *draw.Chart
	Facets  [][2]string // what was fetched over what, and what measured
	Origin  string
	// Comparable says that time scales can be switched between.
	Comparable bool
	// Explorer lets the reader predict other networks, Explore is its script; Limits is
	// what predictions leave out. Each is empty where nothing can be predicted.
	Explorer *explorer
	Explore  template.JS
	Limits   []report.Limit
}

type lanesView struct {
	Strategy, About string
	Tone            string
	Chart           draw.Chart
}

// A ladderSide is the ladders of one kind of strategies, of which one is seen.
type ladderSide struct {
	Kind    string
	ID      string
	Ladders []ladderView
}

type ladderView struct {
	Strategy, About string
	First           bool
	Chart           draw.Chart
}

// Compare writes findings as one page that needs nothing else: the findings, which
// are those of the input, and drawings of its traces. Query strings, and whatever a
// URL says of a user, are left out unless o.Queries wants them.
func Compare(w io.Writer, f compare.Findings, in trace.Experiment, o Options) error {
	f, in, o, hide := hidden(f, in, o)
	typical := facts.Typical(in)
	v := comparisonView(f, in, o, hide)
	if x, ok := explore(exploring{in.Workload, in.Strategies, in.Network, in.Seed, measuredTimes(f), nil}, o); ok {
		v.Explorer, v.Explore, v.Limits = x, template.JS(exploreScript), o.Limits
	}
	if o.Predicted != nil {
		v.Limits = o.Limits
	}
	v.Policy = pagePolicy(v.Explorer != nil)
	v.ladders(f, typical)
	if v.Race == nil && len(v.Lanes) == 1 {
		v.Only, v.Lanes = &v.Lanes[0], nil
	}
	v.to(v.Only != nil || len(v.Lanes) > 0, "waterfalls", "Waterfalls")
	v.to(v.Figures != nil, "figures", "All figures")
	v.to(len(v.Ladders) > 0, "messages", "Messages")
	v.to(v.Explorer != nil, "explore", "Try another network")
	return pageHTML().ExecuteTemplate(w, "page.html", v)
}

// hidden is what a page shows of a result: all of it where queries are wanted, and else without
// them and whatever a URL says of a user.
func hidden(f compare.Findings, in trace.Experiment, o Options) (compare.Findings, trace.Experiment, Options, func(string) string) {
	if o.Queries {
		return f, in, o, func(s string) string { return s }
	}
	f.Workload.Name, in, o.Command = redact(f.Workload.Name), redactInput(in), redact(o.Command)
	return f, in, o, redact
}

// comparisonView is the page of a comparison but for its messages and the simulator.
func comparisonView(f compare.Findings, in trace.Experiment, o Options, hide func(string) string) view {
	verdict := words.Verdict(f.Verdict)
	sub := about(f)
	v := view{
		frame: newFrame(hide(verdict.Lead), sub, o.Command),
		first: first{Lead: hide(verdict.Lead), Sentences: hideAll(words.Headline(f.Verdict), hide), Sub: sub, Broken: unmet(f.Asserted, hide), Tiles: tilesOf(f), Caveats: hideAll(words.Caveats(decisive(f.Caveats)), hide)},
		Facts: hideAll(verdict.Facts, hide), Legend: report.Legend(f, "in green:"), Origin: report.Origin(f, o.Version),
		Facets: append(report.Facets(f), machineOf(f.Machine, o.Version)...), Asserted: asserted(f.Asserted, hide),
	}
	v.Caveat = firstOf(v.Caveats)
	if len(f.Rows) > 1 {
		race := raceChart(f)
		v.Race = &race
	}
	if c, ok := stepsChart(f); ok {
		v.Steps = &c
	}
	if len(f.Rows) > 0 && f.Trials > 1 {
		trials := trialChart(f, facts.List(in))
		v.Trials = &trials
	}
	if figures := report.Figures(f); len(figures) > 0 {
		t := draw.TableOf(joined(figures))
		v.Figures = &t
	}
	if f.Provenance == trace.Predicted {
		v.Limits = o.Limits
	}
	if o.Predicted != nil {
		t := draw.TableOf(report.Gaps(f, *o.Predicted))
		v.Gaps = &t
	}
	v.Traffic = trafficCharts(f)
	v.lanes(f, facts.Typical(in))
	return v
}

// decisive are caveats with those first that could change what is said first.
func decisive(list []finding.Caveat) []finding.Caveat {
	return slices.SortedStableFunc(slices.Values(list), func(a, b finding.Caveat) int {
		switch {
		case a.Decisive == b.Decisive:
			return 0
		case a.Decisive:
			return -1
		}
		return 1
	})
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
		about := fmt.Sprintf("%s over %s%s in %s", linger.Plural(len(t.Exchanges), "request"), linger.Plural(len(t.Connections), noun(t)), trial.Spoken(t), finding.Instant(t.Ended))
		if how := endedBy(t); how != "" {
			about += "; " + how
		}
		if r.Trials > 1 {
			about += fmt.Sprintf("; trial %d, the one nearest to the median", t.Trial+1)
		}
		v.Lanes = append(v.Lanes, lanesView{
			Strategy: table.Clean(r.Strategy), About: about, Tone: tone(f, r),
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
	if !slices.ContainsFunc(t.Connections, func(k trace.Connection) bool { return !k.Protocol.Datagram() }) {
		return "socket"
	}
	return "connection"
}

// ladders adds those of each strategy, all at one scale: the strategies that close
// on one side, those that keep on the other.
func (v *view) ladders(f compare.Findings, typical []*trace.Trace) {
	var all []trial.Ladder
	var rows []int
	for _, row := range report.Order(f.Rows) {
		t, r := nth(typical, row), f.Rows[row]
		if t == nil {
			continue
		}
		if l, ok := trial.LadderOf(r.Strategy, t, r.Trials, r.RoundTrips); ok && lasts(l) > 0 {
			all, rows = append(all, l), append(rows, row)
		}
	}
	scale := perSecond(all)
	v.Stacked = slices.ContainsFunc(all, func(l trial.Ladder) bool { _, n := columnsOf(l); return n > 1 })
	sole := draw.PX(soleSpan)
	if v.Stacked {
		sole = wideSpan
	}
	for i, l := range all {
		kind := family(f.Rows[rows[i]])
		if n := len(v.Ladders); n == 0 || v.Ladders[n-1].Kind != kind {
			v.Ladders = append(v.Ladders, ladderSide{Kind: kind, ID: fmt.Sprintf("side-%d", n)})
		}
		side := &v.Ladders[len(v.Ladders)-1]
		side.Ladders = append(side.Ladders, ladderView{l.Strategy, l.Title(), len(side.Ladders) == 0, ladderChart(fmt.Sprintf("ladder-%d", rows[i]), l, scale, sole)})
	}
}

//go:embed page
var pageFiles embed.FS

// pageStyle and pageScript are the only ones of the page; its policy knows them by their
// hashes, and permits nothing else, nor any request.
var (
	pageStyle  = asset("page/style.css")
	pageScript = asset("page/script.js")
)

// pageHTML returns the templates. They are parsed when the first page is written: this program
// starts three times for each trial in the lab, and writes none there.
var pageHTML = sync.OnceValue(func() *template.Template {
	return template.Must(template.ParseFS(pageFiles, "page/*.html"))
})

func asset(name string) string {
	b, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err) // it was there when the program was built
	}
	return string(b)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// pagePolicy is the Content-Security-Policy of a page: its own style and script, no
// request, and where it has a simulator, WebAssembly.
func pagePolicy(explores bool) string {
	policy := "default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript)
	if explores {
		policy += " " + hash(exploreScript) + " 'wasm-unsafe-eval'"
	}
	return policy + "; base-uri 'none'; form-action 'none'"
}
