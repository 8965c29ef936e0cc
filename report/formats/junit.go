package formats

import (
	"encoding/xml"
	"io"
	"strconv"

	"linger/assert"
	"linger/finding"
	"linger/legible"
)

// The elements of JUnit's XML, as far as readers of it agree on them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr,omitempty"`      // s
		Timestamp string      `xml:"timestamp,attr,omitempty"` // ISO 8601
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string    `xml:"classname,attr"`
		Name    string    `xml:"name,attr"`
		Failure *junitWhy `xml:"failure"`
		Error   *junitWhy `xml:"error"`
		Skipped *junitWhy `xml:"skipped"`
		Out     string    `xml:"system-out,omitempty"`
	}
	junitWhy struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes each finding and each assertion as a test: what costs or is worth
// knowing passes, and says so in its output; what was not seen is skipped.
func JUnit(w io.Writer, r Report) error {
	all := junitSuites{Name: r.Tool}
	for _, t := range r.Targets {
		suite := suiteOf(t, r.dotted())
		all.Tests += suite.Tests
		all.Failures += suite.Failures
		all.Errors += suite.Errors
		all.Skipped += suite.Skipped
		all.Suites = append(all.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// suiteOf is what was found of one target; class begins the name of each test's class.
func suiteOf(t Target, class string) junitSuite {
	suite := junitSuite{Name: legible.Text(t.Name)}
	add := func(c junitCase) {
		suite.Tests++
		switch {
		case c.Failure != nil:
			suite.Failures++
		case c.Error != nil:
			suite.Errors++
		case c.Skipped != nil:
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if t.Failed != "" {
		add(junitCase{Class: class, Name: "reached", Error: &junitWhy{Message: legible.Text(t.Failed), Type: "unreachable"}})
	}
	if !t.Started.IsZero() {
		suite.Time = strconv.FormatFloat(t.Took.Seconds(), 'f', 3, 64)
		suite.Timestamp = t.Started.UTC().Format("2006-01-02T15:04:05")
	}
	for _, f := range t.Findings {
		c := junitCase{Class: class, Name: legible.Text(f.name())}
		if f.Rule.Group != "" {
			c.Class += "." + f.Rule.Group
		}
		text := legible.Text(f.Text)
		long := text
		if f.Rule.Asked != "" {
			long = f.Rule.Asked + ". " + text
		}
		switch f.Severity {
		case finding.Error:
			c.Failure = &junitWhy{Message: text, Type: f.Rule.Standard, Text: long}
		case finding.Unknown:
			c.Skipped = &junitWhy{Message: text}
		case finding.Warning, finding.Note:
			c.Out = string(f.Severity) + ": " + long
		}
		add(c)
	}
	for _, a := range t.Asserted {
		c := junitCase{Class: class + ".assert", Name: legible.Text(a.Text)}
		if a.Truth != assert.Holds {
			c.Failure = &junitWhy{Message: string(a.Truth) + ": " + legible.Text(a.Why), Type: "assertion"}
		}
		add(c)
	}
	return suite
}
