// Package formats writes results for programs: JSON and CSV of each verb, and JUnit,
// SARIF and OpenMetrics of whatever can be told as a Report. It reads nothing that
// is made for people.
package formats

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"linger/assert"
	"linger/finding"
)

// Endings are those of the files that a Report can be written to: JUnit, SARIF and OpenMetrics.
var Endings = []string{".xml", ".sarif", ".prom"}

// A Report is what a verb found, for formats that know nothing of linger: tests that
// pass or fail, results of an analysis, metrics.
type Report struct {
	Tool    string // the program and its verb: "linger probe"
	Version string
	Targets []Target
	// Asserted completes "A condition that the user has set on …".
	Asserted string
}

// Write writes a report in the format of one of those.
func (r Report) Write(w io.Writer, ending string) error {
	switch ending {
	case ".xml":
		return JUnit(w, r)
	case ".sarif":
		return SARIF(w, r)
	}
	return OpenMetrics(w, r)
}

// A Target is one thing that was looked at: a server, an experiment.
type Target struct {
	Kind string // what it is, in a word: "server"
	Name string
	URI  string // where readers of SARIF find it (RFC 3986)
	// Started and Took are when it was looked at; the zero values are not known.
	Started time.Time
	Took    time.Duration
	// Failed says why there is nothing to tell of it; Partial that not all was looked at.
	Failed  string
	Partial bool

	Findings []Finding
	Caveats  []string // sentences about all of it
	Asserted []assert.Result
	// Labels tell the target's metrics from those of others.
	Labels  []Label
	Metrics []Metric
}

// A Finding is one thing that was found, in words. Its code is its rule's name.
type Finding struct {
	finding.Finding
	Rule Rule
	Text string // what was seen, as a clause
	Told string // the same as a sentence
}

// name tells a finding from others of its rule.
func (f Finding) name() string {
	name := f.Code
	if f.Subject.Name != "" && f.Subject.Name != f.Code {
		name = f.Subject.Name + ": " + name
	}
	if f.Cause != "" && f.Cause != f.Code {
		name += ", " + f.Cause
	}
	return name
}

// A Rule is what findings of one code are held against.
type Rule struct {
	Group    string // rules that belong together: a protocol's; may be empty
	Standard string // what asks for it: "RFC 9112, 9.3"; may be empty
	Asked    string // what is asked for, as a clause with its standard; may be empty
	Short    string // what it is about, a sentence
	Full     string // the same with its standard
	Source   string // where that can be read, a URL; may be empty
	// Level is how severe it is to break it.
	Level finding.Severity
}

// A Metric is one number of a target, in a base unit.
type Metric struct {
	Name   string // without the tool's: "idle_seconds"; the unit is its end
	Unit   string // "seconds", "bytes", or nothing
	Help   string // a sentence
	Value  float64
	Labels []Label // besides the target's
}

// A Label is a name with its value.
type Label struct{ Name, Value string }

// dotted and snake are the tool's name as JUnit and OpenMetrics have names.
func (r Report) dotted() string { return strings.ReplaceAll(r.Tool, " ", ".") }
func (r Report) snake() string  { return strings.ReplaceAll(r.Tool, " ", "_") }

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
