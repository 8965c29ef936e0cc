package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"linger"
	"linger/assert"
	"linger/capture/har"
	"linger/compare"
	"linger/finding"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
	"linger/report/words"
	"linger/trace"
)

// queriesFlag is the same in every verb that writes HTML.
type queriesFlag struct {
	ShowQueries bool `name:"show-queries" help:"In HTML, show the query strings of URLs, which may hold secrets; default is to leave them out."`
}

// result is what was measured, in every format that it can be written in.
type result struct {
	input  trace.Experiment
	source trace.Source
	// asserted are conditions on the figures.
	asserted []assert.Assertion
}

// results are what became of the assertions.
func (r result) results() []assert.Result {
	switch {
	case len(r.asserted) == 0:
		return nil
	case r.source.Kind == trace.KindFetch:
		in := compare.Fetched(r.input.Traces[0][0], r.input.Workload, r.input.Strategies[0])
		f := compare.Fetch(in)
		return assert.Decide(r.asserted, compare.FetchFigures(in, &f))
	}
	f := compare.Compare(r.input)
	return assert.Decide(r.asserted, compare.Figures(r.input, &f))
}

// as returns what writes the result in the format of an ending.
func (r result) as(out *outputs, queries bool) func(ending string, w io.Writer) error {
	return func(ending string, w io.Writer) error {
		if ending == ".trace" {
			return trace.WriteExperiment(w, r.input, r.source)
		}
		if r.source.Kind == trace.KindFetch {
			return r.fetch(ending, w, out, queries)
		}
		findings := compare.Compare(r.input)
		findings.Asserted = r.results()
		switch ending {
		case ".xml", ".sarif", ".prom":
			return programs(ending, w, formats.Comparison(findings, "linger compare", r.source.Linger))
		case ".json":
			return formats.CompareJSON(w, findings, r.source.Linger)
		case ".csv":
			return formats.CompareCSV(w, findings)
		case ".html":
			return html.Compare(w, findings, r.input, r.page(queries))
		}
		return text.Compare(w, findings, r.layout(out, w))
	}
}

// layout says how text of the result is laid out for w.
func (r result) layout(out *outputs, w io.Writer) text.Options {
	o := out.layout(w)
	o.Version, o.Command = r.source.Linger, r.source.Command
	return o
}

// page says what a page of the result has besides.
func (r result) page(queries bool) html.Options {
	return html.Options{
		Version: r.source.Linger, Command: r.source.Command, Queries: queries,
		Model: modelOf(r.source.Model), Limits: limits(),
	}
}

// fetch writes a single trial, as get does.
func (r result) fetch(ending string, w io.Writer, out *outputs, queries bool) error {
	if len(r.input.Traces[0]) == 0 {
		return fmt.Errorf("the fetch left no trace")
	}
	t := r.input.Traces[0][0]
	in := compare.Fetched(t, r.input.Workload, r.input.Strategies[0])
	in.Machine = r.input.Machine
	findings := compare.Fetch(in)
	findings.Asserted = r.results()
	switch ending {
	case ".xml", ".sarif", ".prom":
		tool := "linger get"
		if t.Provenance == trace.Observed {
			tool = "linger report" // others fetched it
		}
		return programs(ending, w, formats.Comparison(findings, tool, r.source.Linger))
	case ".json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Format string `json:"format"`
			*trace.Trace
			Machine  trace.Machine      `json:"machine,omitzero"`
			Asserted []assert.Result    `json:"assertions,omitempty"`
			Doubts   []words.ToldCaveat `json:"doubts,omitempty"`
		}{trace.Format, t, in.Machine, findings.Asserted, words.OfCaveats(dishonoured(findings.Caveats))})
	case ".html":
		return html.Compare(w, findings, in, r.page(queries))
	}
	layout := r.layout(out, w)
	return errors.Join(text.Waterfall(w, t, layout), text.Asserted(w, findings.Asserted, layout), text.Caveats(w, dishonoured(findings.Caveats), layout))
}

// dishonoured are the caveats about what the strategy did not get of the server.
func dishonoured(list []finding.Caveat) []finding.Caveat {
	return slices.DeleteFunc(slices.Clone(list), func(c finding.Caveat) bool { return c.Code != compare.NotHonoured })
}

type reportCmd struct {
	File   string   `arg:"" help:"A trace file, as compare or get wrote it with -o FILE.trace; or a .har file, as a browser saved it."`
	Assert []string `sep:"none" placeholder:"WHAT" help:"A condition on what is in it, as of the verb that wrote it; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write: .html, .json, .csv, .txt, .xml (JUnit), .sarif, .prom (OpenMetrics); - is standard output, in JSON. May stand several times; without it, text on standard output."`
	JSON   bool     `help:"Print JSON, as -o -."`
	wideFlag
	queriesFlag
}

// Run reads a trace file and finds in it what was found when it was written.
func (c reportCmd) Run(std streams) error {
	f, err := os.Open(c.File)
	if err != nil {
		return usage("cannot read the trace file: %w", err)
	}
	defer f.Close()
	name := filepath.Base(c.File)
	if isHAR(name) {
		return c.observed(f, name, std)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return usage("%s is a folder; name a trace file, as linger compare -o FILE.trace writes it", name)
	}
	// What is held is traces: to collect when they have grown by half, not by all, bounds
	// what is resident.
	if std.env("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(50))
	}
	in, source, err := trace.ReadExperiment(f)
	if err != nil {
		return usage("%s: %w", name, err)
	}
	endings, names := []string{".html", ".json", ".csv", ".txt"}, compare.Vocabulary(in.Strategies...)
	if source.Kind == trace.KindFetch {
		if len(in.Traces[0]) == 0 {
			return usage("%s: the fetch in it left no trace", name)
		}
		endings, names = []string{".html", ".json", ".txt"}, compare.FetchVocabulary(in.Strategies[0])
	}
	asserted, err := assertions(c.Assert, names)
	if err != nil {
		return err
	}
	out, err := openOutputs(c.Output, c.JSON, std, append(endings, forPrograms...)...)
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	if len(c.Output) > 0 {
		out.table = false // files were asked for
	}
	if source.Linger != version {
		fmt.Fprintf(std.err, "linger: %s was measured by linger %s; this one, %s, computes the figures anew\n", name, linger.Brief(source.Linger), version)
	}
	r := result{in, source, asserted}
	return cmp.Or(out.write(r.as(out, c.ShowQueries)), brokenOf(r.results()))
}

// observed draws what others recorded. Nothing is fetched, and no strategy is known
// but what the browser did.
func (c reportCmd) observed(f io.Reader, name string, std streams) error {
	t, err := har.Read(f)
	if err != nil {
		return usage("%s: %w", name, err)
	}
	t.Workload, t.Strategy = name, "as recorded"
	for _, note := range t.Notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	s := linger.Strategy{Name: t.Strategy, Persistent: true, Connections: max(1, len(t.Connections))}
	asserted, err := assertions(c.Assert, compare.FetchVocabulary(s))
	if err != nil {
		return err
	}
	out, err := openOutputs(c.Output, c.JSON, std, append([]string{".html", ".json", ".txt", ".trace"}, forPrograms...)...)
	if err != nil {
		return err
	}
	defer out.discard()
	out.wide = c.Wide
	if len(c.Output) > 0 {
		out.table = false // files were asked for
	}
	in := trace.Experiment{
		Setup: trace.Setup{
			Engine: t.Engine, Provenance: t.Provenance,
			Workload: linger.Workload{Name: name, Scheme: schemeOf(t)}, Strategies: []linger.Strategy{s}, Trials: 1,
		},
		Traces: [][]*trace.Trace{{t}},
	}
	source := trace.Source{Kind: trace.KindFetch, Linger: version, Command: "linger report " + quote(c.File)}
	r := result{in, source, asserted}
	return cmp.Or(out.write(r.as(out, c.ShowQueries)), brokenOf(r.results()))
}

// fetched is the result of get. A page's workload is known only from what it
// fetched, and is not written.
func (c getCmd) fetched(t *trace.Trace, s linger.Strategy) result {
	return result{
		input: trace.Experiment{
			Setup: trace.Setup{
				Engine: t.Engine, Provenance: t.Provenance,
				Workload: linger.Workload{Name: t.Workload, Scheme: schemeOf(t)}, Strategies: []linger.Strategy{s},
				Network: t.Network, Seed: t.Seed, Trials: 1, Machine: thisMachine(),
			},
			Traces: [][]*trace.Trace{{t}}, Interrupted: t.Interrupted,
		},
		source: trace.Source{Kind: trace.KindFetch, Linger: version, Command: c.command(s)},
	}
}

// schemeOf is the scheme of what a trace fetched.
func schemeOf(t *trace.Trace) string {
	for _, e := range t.Exchanges {
		if scheme, _, ok := strings.Cut(e.URL, "://"); ok {
			return scheme
		}
	}
	return ""
}

// command is the command line that fetches the same again, without the defaults.
func (c getCmd) command(s linger.Strategy) string {
	words := []string{"linger", "get", quote(c.URL), "-s", quote(s.Name)}
	for _, f := range []struct{ flag, value, standard string }{
		{"--scheme", c.Scheme, ""}, {"--seed", fmt.Sprint(c.Seed), "1"}, {"--think", c.Think, ""}, {"--timeout", c.Timeout, "1m"},
	} {
		if f.value != f.standard {
			words = append(words, f.flag, quote(f.value))
		}
	}
	words = append(words, c.reachFlags.words()...)
	for _, a := range c.Assert {
		words = append(words, "--assert", quote(a))
	}
	words = append(words, c.networkFlags.words()...)
	words = append(words, c.namesFlags.words()...)
	return strings.Join(append(words, c.serverPolicyFlags.words()...), " ")
}
