package document

import (
	"errors"
	"fmt"
	"io"

	"linger/compare"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
)

// findings are those of an experiment, with what became of the assertions.
func (p Part) findings() compare.Findings {
	f := compare.Compare(p.Experiment)
	f.Asserted = p.results()
	return f
}

// writeComparison writes strategies side by side on one network.
func (p Part) writeComparison(w io.Writer, ending string, o Options) error {
	findings := p.findings()
	switch ending {
	case ".xml", ".sarif", ".prom":
		return formats.Comparison(findings, "linger compare", p.Source.Linger).Write(w, ending)
	case ".json":
		return formats.CompareJSON(w, findings, p.Predicted, p.Source.Linger)
	case ".csv":
		return formats.CompareCSV(w, findings, p.Predicted)
	case ".html":
		page := p.page(o)
		page.Predicted = p.Predicted
		return html.Compare(w, findings, p.Experiment, page)
	case Mermaid:
		return p.mermaid(w, findings)
	}
	layout := p.layout(o)
	if err := errors.Join(text.Compare(w, findings, layout), p.drawLadders(w, findings, layout)); err != nil || p.Predicted == nil {
		return err
	}
	fmt.Fprintln(w)
	if err := text.Compare(w, *p.Predicted, layout); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return text.Gaps(w, findings, *p.Predicted, layout)
}
