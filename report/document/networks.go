package document

import (
	"fmt"
	"io"

	"linger/compare"
	"linger/compare/across"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
	"linger/trace"
)

// across are the findings of all networks.
func (d Document) across() across.Networks {
	var each []compare.Findings
	for _, p := range d {
		each = append(each, p.findings())
	}
	return across.Of(each)
}

// predicted are what was predicted beside, if anything.
func (d Document) predicted() (out []compare.Findings) {
	for _, p := range d {
		if p.Predicted == nil {
			return nil
		}
		out = append(out, *p.Predicted)
	}
	return out
}

// writeNetworks writes several networks side by side.
func (d Document) writeNetworks(w io.Writer, ending string, o Options) error {
	findings, predicted, first := d.across(), d.predicted(), d[0]
	switch ending {
	case ".xml", ".sarif", ".prom":
		return formats.Networks(findings, "linger compare", first.Source.Linger).Write(w, ending)
	case ".json":
		return formats.NetworksJSON(w, findings, predicted, first.Source.Linger)
	case ".csv":
		return formats.NetworksCSV(w, findings, predicted)
	case ".html":
		var inputs []trace.Experiment
		for _, p := range d {
			inputs = append(inputs, p.Experiment)
		}
		return html.Networks(w, findings, inputs, predicted, first.page(o))
	}
	layout := first.layout(o)
	err := text.Networks(w, findings, layout)
	for i := 0; err == nil && i < len(d); i++ {
		err = d[i].drawLadders(w, d[i].findings(), layout)
	}
	if err != nil || predicted == nil {
		return err
	}
	model := across.Of(predicted)
	fmt.Fprintln(w)
	if err := text.Networks(w, model, layout); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return text.NetworkGaps(w, findings, model, layout)
}
