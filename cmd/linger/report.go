package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"linger"
	"linger/capture"
	"linger/compare"
	"linger/report"
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
}

// as returns what writes the result in the format of an ending.
func (r result) as(out *outputs, queries bool) func(ending string, w io.Writer) error {
	return func(ending string, w io.Writer) error {
		layout := out.layout(w)
		layout.Version, layout.Command, layout.Queries = r.source.Linger, r.source.Command, queries
		if ending == ".trace" {
			return trace.WriteExperiment(w, r.input, r.source)
		}
		if r.source.Kind == trace.KindFetch {
			return r.fetch(ending, w, layout)
		}
		findings := compare.Compare(r.input)
		if r.input.Provenance == trace.Predicted {
			layout.Model, layout.Limits = modelOf(r.source.Model), limits()
		}
		switch ending {
		case ".json":
			return report.JSON(w, findings, r.source.Linger)
		case ".csv":
			return report.CSV(w, findings)
		case ".html":
			return report.HTML(w, findings, r.input, layout)
		}
		return report.Compare(w, findings, layout)
	}
}

// fetch writes a single trial, as get does.
func (r result) fetch(ending string, w io.Writer, layout report.Options) error {
	if len(r.input.Traces[0]) == 0 {
		return fmt.Errorf("the fetch left no trace")
	}
	t := r.input.Traces[0][0]
	switch ending {
	case ".json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(t)
	case ".html":
		in := compare.Fetched(t, r.input.Workload, r.input.Strategies[0])
		return report.HTML(w, compare.Fetch(in), in, layout)
	}
	return report.Waterfall(w, t, layout)
}

type reportCmd struct {
	File   string   `arg:"" help:"A trace file, as compare or get wrote it with -o FILE.trace; or a .har file, as a browser saved it."`
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write: .html, .json, .csv, .txt; - is standard output, in JSON. May stand several times; without it, text on standard output."`
	JSON   bool     `help:"Print JSON, as -o -."`
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
	if strings.EqualFold(filepath.Ext(name), ".har") {
		return c.observed(f, name, std)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return usage("%s is a folder; name a trace file, as linger compare -o FILE.trace writes it", name)
	}
	in, source, err := trace.ReadExperiment(f)
	if err != nil {
		return usage("%s: %w", name, err)
	}
	endings := []string{".html", ".json", ".csv", ".txt"}
	if source.Kind == trace.KindFetch {
		if len(in.Traces[0]) == 0 {
			return usage("%s: the fetch in it left no trace", name)
		}
		endings = []string{".html", ".json", ".txt"}
	}
	out, err := openOutputs(c.Output, c.JSON, std, endings...)
	if err != nil {
		return err
	}
	defer out.discard()
	if len(c.Output) > 0 {
		out.table = false // files were asked for
	}
	if source.Linger != version {
		fmt.Fprintf(std.err, "linger: %s was measured by linger %s; this one, %s, computes the figures anew\n", name, source.Linger, version)
	}
	return out.write(result{in, source}.as(out, c.ShowQueries))
}

// observed draws what others recorded. Nothing is fetched, and no strategy is known
// but what the browser did.
func (c reportCmd) observed(f io.Reader, name string, std streams) error {
	t, err := capture.HAR(f)
	if err != nil {
		return usage("%s: %w", name, err)
	}
	t.Workload, t.Strategy = name, "as recorded"
	for _, note := range t.Notes {
		fmt.Fprintf(std.err, "linger: %s\n", note)
	}
	out, err := openOutputs(c.Output, c.JSON, std, ".html", ".json", ".txt", ".trace")
	if err != nil {
		return err
	}
	defer out.discard()
	if len(c.Output) > 0 {
		out.table = false // files were asked for
	}
	s := linger.Strategy{Name: t.Strategy, Persistent: true, Connections: max(1, len(t.Connections))}
	in := trace.Experiment{
		Setup: trace.Setup{
			Engine: t.Engine, Provenance: t.Provenance,
			Workload: linger.Workload{Name: name, Scheme: schemeOf(t)}, Strategies: []linger.Strategy{s}, Trials: 1,
		},
		Traces: [][]*trace.Trace{{t}},
	}
	source := trace.Source{Kind: trace.KindFetch, Linger: version, Command: "linger report " + quote(c.File)}
	return out.write(result{in, source}.as(out, c.ShowQueries))
}

// fetched is the result of get. A page's workload is known only from what it
// fetched, and is not written.
func (c getCmd) fetched(t *trace.Trace, s linger.Strategy) result {
	return result{
		input: trace.Experiment{
			Setup: trace.Setup{
				Engine: t.Engine, Provenance: t.Provenance,
				Workload: linger.Workload{Name: t.Workload, Scheme: schemeOf(t)}, Strategies: []linger.Strategy{s},
				Network: t.Network, Seed: t.Seed, Trials: 1,
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
		{"--scheme", c.Scheme, ""}, {"--seed", fmt.Sprint(c.Seed), "1"}, {"--think", c.Think, ""}, {"--cacert", c.CACert, ""}, {"--timeout", c.Timeout, "1m"},
	} {
		if f.value != f.standard {
			words = append(words, f.flag, quote(f.value))
		}
	}
	if c.Insecure {
		words = append(words, "--insecure")
	}
	words = append(words, c.networkFlags.words()...)
	words = append(words, c.namesFlags.words()...)
	return strings.Join(append(words, c.serverPolicyFlags.words()...), " ")
}
