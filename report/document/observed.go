package document

import (
	"io"

	"linger/audit"
	"linger/audit/timeline"
	"linger/keepalive"
	"linger/profile"
	"linger/report/formats"
	"linger/report/html"
	"linger/report/text"
	"linger/tune"
)

// pageOf is how a page is written.
func (o Options) pageOf() html.Options {
	return html.Options{Version: o.Text.Version, Command: o.Command, Queries: o.Queries}
}

// WriteAudit writes what captures hold in the format of an ending. Pages draw t, if it is not nil.
func WriteAudit(w io.Writer, ending string, r *audit.Result, t *timeline.Timeline, o Options) error {
	switch ending {
	case ".json":
		return formats.AuditJSON(w, r)
	case ".csv":
		return formats.AuditCSV(w, r)
	case ".html":
		return html.Audit(w, r, t, o.pageOf())
	case ".txt":
		return text.Audit(w, r, o.Text)
	}
	return formats.Audit(r, o.Text.Version).Write(w, ending)
}

// WriteTuning writes what an access log says in the format of an ending.
func WriteTuning(w io.Writer, ending string, r *tune.Result, o Options) error {
	switch ending {
	case ".json":
		return formats.TuningJSON(w, r)
	case ".csv":
		return formats.TuningCSV(w, r)
	case ".html":
		return html.Tuning(w, r, o.pageOf())
	case ".txt":
		return text.Tuning(w, r, o.Text)
	}
	return formats.Tuning(r, o.Text.Version).Write(w, ending)
}

// WriteProbe writes what was found of a server in the format of an ending. verbose has text list
// the cases that pass.
func WriteProbe(w io.Writer, ending string, one profile.Probed, verbose bool, o Options) error {
	switch ending {
	case ".json":
		return formats.ProfileJSON(w, one.Profile)
	case ".html":
		return html.Probe(w, one.Profile, o.pageOf())
	case ".txt":
		return text.Probe(w, one.Profile, verbose, o.Text)
	}
	return formats.Probe([]profile.Probed{one}, o.Text.Version).Write(w, ending)
}

// WriteSurvey writes what was found of the servers of a list in the format of an ending.
func WriteSurvey(w io.Writer, ending string, list []profile.Probed, o Options) error {
	switch ending {
	case ".json":
		return formats.SurveyJSON(w, list)
	case ".csv":
		return formats.SurveyCSV(w, list)
	case ".html":
		return html.Survey(w, list, o.pageOf())
	case ".txt":
		return text.Survey(w, list, o.Text)
	}
	return formats.Probe(list, o.Text.Version).Write(w, ending)
}

// WriteChain writes how a chain is judged in the format of an ending.
func WriteChain(w io.Writer, ending string, c keepalive.Chain, o Options) error {
	switch ending {
	case ".json":
		return formats.ChainJSON(w, c)
	case ".txt":
		return text.Chain(w, c, o.Text)
	}
	return formats.Chain(c, o.Text.Version).Write(w, ending)
}

// ConnectionLines are files that have a line for each connection, with tabs in between.
type ConnectionLines struct {
	files []Stream
	lines []*formats.ConnectionLines
}

// NewConnectionLines begins the files.
func NewConnectionLines[S Stream](files []S) *ConnectionLines {
	l := &ConnectionLines{}
	for _, f := range files {
		l.files, l.lines = append(l.files, f), append(l.lines, formats.NewConnectionLines(f, '\t'))
	}
	return l
}

// Add writes a line to each.
func (l *ConnectionLines) Add(r audit.Row) {
	for _, lines := range l.lines {
		lines.Add(r) // an error stays, and End returns it
	}
}

// End ends the files, up to the first that cannot be written.
func (l *ConnectionLines) End() error {
	for i, lines := range l.lines {
		if err := l.files[i].End(lines.Close()); err != nil {
			return err
		}
	}
	return nil
}
