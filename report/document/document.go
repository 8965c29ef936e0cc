// Package document writes what was measured, predicted or observed in the format that the ending
// of a file asks for: text, pages, JSON, CSV, what programs read, diagrams, and traces, from which
// Read makes the same document again.
//
// A Document has a Part for each network: one mostly, and one for a fetch, which has one trial. It
// keeps the experiments; findings are computed when it is written.
package document

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/compare/assertion"
	"linger/docs"
	"linger/report"
	"linger/report/html"
	"linger/report/text"
	"linger/trace"
)

// A Part is one experiment, with what is to be seen of it besides.
type Part struct {
	Experiment trace.Experiment
	Source     trace.Source
	// Asserted are conditions on the figures.
	Asserted []assert.Assertion
	// Predicted is what was predicted beside what was measured; nil is nothing.
	Predicted *compare.Findings
	// Ladders are the strategies that are drawn message by message, by their indices.
	Ladders []int
}

// A Document is one experiment, or several that differ in the network only.
type Document []Part

// Options say how a document is written.
type Options struct {
	// Text is how text is laid out.
	Text text.Options
	// Queries has pages show the query strings of URLs.
	Queries bool
	// Command is how to have the same again, for pages of what does not say so itself.
	Command string
}

// Mermaid is the ending of a sequence diagram.
const Mermaid = ".mmd"

// Results are what became of the assertions, on all networks.
func (d Document) Results() []assert.Result {
	if len(d) == 1 {
		return d[0].results()
	}
	return d.across().Asserted
}

// Write writes the document in the format of an ending.
func (d Document) Write(w io.Writer, ending string, o Options) error {
	switch {
	case ending == ".trace":
		for _, p := range d {
			if err := trace.WriteExperiment(w, p.Experiment, p.Source); err != nil {
				return err
			}
		}
		return nil
	case len(d) > 1:
		return d.writeNetworks(w, ending, o)
	case d[0].Source.Kind == trace.KindFetch:
		return d[0].writeFetch(w, ending, o)
	}
	return d[0].writeComparison(w, ending, o)
}

// Read reads the traces of a document. Several experiments in it have to be those of one workload
// on several networks.
func Read(f io.Reader) (Document, error) {
	inputs, sources, err := trace.ReadExperiments(f)
	if err != nil {
		return nil, err
	}
	var all Document
	seen := map[string]bool{}
	for i, in := range inputs {
		switch first := inputs[0]; {
		case i == 0:
		case sources[i].Kind != trace.KindExperiment || sources[0].Kind != trace.KindExperiment:
			return nil, errors.New("it holds fetches of linger get one behind the other; draw each by itself")
		case in.Workload.Name != first.Workload.Name || in.Workload.Scheme != first.Workload.Scheme || len(in.Workload.Exchanges) != len(first.Workload.Exchanges):
			return nil, fmt.Errorf("it holds results of two workloads, %s and %s; draw each by itself", first.Workload.Name, in.Workload.Name)
		case !slices.EqualFunc(in.Strategies, first.Strategies, func(a, b linger.Strategy) bool { return a.Name == b.Name }):
			return nil, errors.New("it holds results of different strategies; draw each by itself")
		case in.Engine != first.Engine:
			return nil, fmt.Errorf("it holds results of two engines, %s and %s; draw each by itself", first.Engine, in.Engine)
		}
		if seen[in.Network.Name] {
			return nil, fmt.Errorf("it holds two results on %s; draw each by itself", in.Network.Name)
		}
		seen[in.Network.Name] = true
		all = append(all, Part{Experiment: in, Source: sources[i]})
	}
	return all, nil
}

// Limits are what predictions leave out, as docs/simulator.md has it.
func Limits() []report.Limit {
	var out []report.Limit
	for _, l := range docs.NotModelled() {
		out = append(out, report.Limit(l))
	}
	return out
}

// NewModel is what a page needs to predict as a simulator of that configuration does the
// strategies on a workload that the command line names by argument, with further flags.
func NewModel(config any, strategies []linger.Strategy, argument string, words []string, trials int) (*html.Model, error) {
	b, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	m := &html.Model{Config: b, Workload: argument, Words: words, Trials: trials}
	for _, s := range strategies {
		m.Strategies = append(m.Strategies, s.Name)
	}
	return m, nil
}

// modelOf reads what a trace file holds of a model, nil where that is nothing that is
// known here.
func modelOf(written json.RawMessage) *html.Model {
	var m html.Model
	if len(written) == 0 || json.Unmarshal(written, &m) != nil || len(m.Config) == 0 {
		return nil
	}
	return &m
}

// results are what became of the assertions.
func (p Part) results() []assert.Result {
	switch {
	case len(p.Asserted) == 0:
		return nil
	case p.Source.Kind == trace.KindFetch:
		in := compare.Fetched(p.Experiment.Traces[0][0], p.Experiment.Workload, p.Experiment.Strategies[0])
		f := compare.Fetch(in)
		return assert.Decide(p.Asserted, assertion.FetchFigures(&f))
	}
	f := compare.Compare(p.Experiment)
	return assert.Decide(p.Asserted, assertion.Figures(&f))
}

// layout says how text of the part is laid out.
func (p Part) layout(o Options) text.Options {
	o.Text.Version, o.Text.Command = p.Source.Linger, p.Source.Command
	return o.Text
}

// page says what a page of the part has besides.
func (p Part) page(o Options) html.Options {
	return html.Options{
		Version: p.Source.Linger, Command: p.Source.Command, Queries: o.Queries,
		Model: modelOf(p.Source.Model), Limits: Limits(),
	}
}
