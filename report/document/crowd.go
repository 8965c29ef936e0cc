package document

import (
	"io"

	"linger/compare/crowd"
	"linger/report/crowds"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
	"linger/trace"
)

// CrowdEndings are those of the formats that a comparison for many clients has.
var CrowdEndings = append([]string{".html", ".json", ".csv", ".txt"}, formats.Endings...)

// CrowdTitle says what an experiment is to find out: what is fetched by whom, over what, from whom.
func CrowdTitle(e *crowd.Experiment) string { return crowds.Title(&crowd.Result{Experiment: e}) }

// WriteCrowd writes a comparison for many clients in the format of an ending. runs are its
// records, by strategy and trial, of which pages draw the first trial; nothing else needs them.
func WriteCrowd(w io.Writer, ending string, r *crowd.Result, runs [][]*trace.Crowd, o Options) error {
	version := o.Text.Version
	switch ending {
	case ".xml", ".sarif", ".prom":
		return formats.Crowd(r, "linger compare", version).Write(w, ending)
	case ".json":
		return formats.CrowdJSON(w, r, version)
	case ".csv":
		return formats.CrowdCSV(w, r)
	case ".html":
		return html.Crowd(w, r, runs, html.Options{Version: version, Command: o.Command, Queries: o.Queries, Limits: Limits()})
	}
	o.Text.Command, o.Text.Limits = o.Command, Limits()
	return text.Crowd(w, r, o.Text)
}
