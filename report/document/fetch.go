package document

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"linger"
	"linger/assert"
	"linger/compare"
	"linger/finding"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
	"linger/report/words"
	"linger/trace"
)

// Fetch is the part of one fetch by a strategy. A page's workload is known only from what was
// fetched of it, and is not written.
func Fetch(t *trace.Trace, s linger.Strategy, m trace.Machine, source trace.Source) Part {
	source.Kind = trace.KindFetch
	return Part{
		Experiment: trace.Experiment{
			Setup: trace.Setup{
				Engine: t.Engine, Provenance: t.Provenance,
				Workload: linger.Workload{Name: t.Workload, Scheme: schemeOf(t)}, Strategies: []linger.Strategy{s},
				Network: t.Network, Seed: t.Seed, Trials: 1, Machine: m,
			},
			Traces: [][]*trace.Trace{{t}}, Interrupted: t.Interrupted,
		},
		Source: source,
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

// writeFetch writes a single trial, as get does.
func (p Part) writeFetch(w io.Writer, ending string, o Options) error {
	if len(p.Experiment.Traces[0]) == 0 {
		return errors.New("the fetch left no trace")
	}
	t := p.Experiment.Traces[0][0]
	in := compare.Fetched(t, p.Experiment.Workload, p.Experiment.Strategies[0])
	in.Machine = p.Experiment.Machine
	findings := compare.Fetch(in)
	findings.Asserted = p.results()
	switch ending {
	case ".xml", ".sarif", ".prom":
		tool := "linger get"
		if t.Provenance == trace.Observed {
			tool = "linger report" // others fetched it
		}
		return formats.Comparison(findings, tool, p.Source.Linger).Write(w, ending)
	case ".json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Format string `json:"format"`
			*trace.Trace
			Machine  trace.Machine      `json:"machine,omitzero"`
			Asserted []assert.Result    `json:"assertions,omitempty"`
			Caveats  []words.ToldCaveat `json:"caveats,omitempty"`
		}{trace.Format, t, in.Machine, findings.Asserted, words.OfCaveats(dishonoured(findings.Caveats))})
	case ".html":
		return html.Compare(w, findings, in, p.page(o))
	case Mermaid:
		return p.mermaid(w, findings)
	}
	layout := p.layout(o)
	return errors.Join(text.Waterfall(w, t, layout), p.drawLadders(w, findings, layout), text.Asserted(w, findings.Asserted, layout), text.Caveats(w, dishonoured(findings.Caveats), layout))
}

// dishonoured are the caveats about what the strategy did not get of the server.
func dishonoured(list []finding.Caveat) []finding.Caveat {
	return slices.DeleteFunc(slices.Clone(list), func(c finding.Caveat) bool { return c.Code != compare.NotHonoured })
}
