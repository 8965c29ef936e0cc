package formats

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"linger/assert"
	"linger/profile"
	"linger/report"
	"linger/report/table"
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

// JUnit writes each case and each assertion as a test: a warning passes, and says so
// in its output; what was not measured is skipped.
func JUnit(w io.Writer, s []profile.Probed) error {
	all := junitSuites{Name: "linger probe"}
	for _, one := range s {
		suite := junitSuite{Name: legible(one.Target)}
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
		if one.Failed != "" {
			add(junitCase{Class: "linger.probe", Name: "reached", Error: &junitWhy{Message: legible(one.Failed), Type: "unreachable"}})
		}
		if p := one.Profile; p != nil {
			suite.Time = strconv.FormatFloat(time.Duration(p.Took).Seconds(), 'f', 3, 64)
			suite.Timestamp = p.Started.UTC().Format("2006-01-02T15:04:05")
			for _, r := range p.Cases {
				c := junitCase{Class: "linger.probe." + strings.ReplaceAll(r.Protocol, "/", ""), Name: r.ID}
				text := legible(r.Text)
				switch r.Outcome {
				case profile.Fail:
					c.Failure = &junitWhy{Message: text, Type: r.Standard, Text: fmt.Sprintf("%s: asked is that it %s. %s", report.Standard(r.Case), r.Title, text)}
				case profile.NotMeasured:
					c.Skipped = &junitWhy{Message: text}
				case profile.Warn:
					c.Out = fmt.Sprintf("warning: %s: asked is that it %s. %s", report.Standard(r.Case), r.Title, text)
				}
				add(c)
			}
			for _, a := range p.Asserted {
				c := junitCase{Class: "linger.probe.assert", Name: legible(a.Text)}
				if a.Truth != assert.Holds {
					c.Failure = &junitWhy{Message: string(a.Truth) + ": " + legible(a.Why), Type: "assertion"}
				}
				add(c)
			}
		}
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

// legible takes out what XML 1.0 cannot hold (section 2.2), and what moves cursors.
func legible(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xfffe || r == 0xffff {
			return '?'
		}
		return r
	}, table.Clean(s))
}
