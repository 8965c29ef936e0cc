package report

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger/assert"
	"linger/profile"
	"linger/report/table"
)

// ProfileJSON writes the document; docs/probe.md describes it.
func ProfileJSON(w io.Writer, p *profile.Profile) error { return indented(w, p) }

// SurveyJSON writes what became of each line of a list, as an array.
func SurveyJSON(w io.Writer, s []profile.Probed) error { return indented(w, s) }

// CasesJSON writes the list of cases.
func CasesJSON(w io.Writer, cases []profile.Case) error { return indented(w, cases) }

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

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
					c.Failure = &junitWhy{Message: text, Type: r.Standard, Text: fmt.Sprintf("%s: asked is that it %s. %s", standard(r.Case), r.Title, text)}
				case profile.NotMeasured:
					c.Skipped = &junitWhy{Message: text}
				case profile.Warn:
					c.Out = fmt.Sprintf("warning: %s: asked is that it %s. %s", standard(r.Case), r.Title, text)
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

// sarif is a log of the Static Analysis Results Interchange Format 2.1.0 (OASIS),
// with what is used of it.
type sarif struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type (
	sarifRun struct {
		Tool struct {
			Driver struct {
				Name    string      `json:"name"`
				Version string      `json:"version,omitempty"`
				Rules   []sarifRule `json:"rules"`
			} `json:"driver"`
		} `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifRule struct {
		ID      string    `json:"id"`
		Name    string    `json:"name,omitempty"`
		Short   sarifText `json:"shortDescription"`
		Full    sarifText `json:"fullDescription"`
		HelpURI string    `json:"helpUri,omitempty"`
		Default struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Started       string              `json:"startTimeUtc,omitempty"`
		Ended         string              `json:"endTimeUtc,omitempty"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Kind         string            `json:"kind"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
		} `json:"physicalLocation"`
	}
)

// SARIF writes what fails, and what is warned of. What passes, or was not measured, is
// no result here: readers show every result as something found.
func SARIF(w io.Writer, s []profile.Probed, version string) error {
	run := sarifRun{Results: []sarifResult{}, Invocations: []sarifInvocation{}}
	run.Tool.Driver.Name, run.Tool.Driver.Version = "linger probe", version
	run.Tool.Driver.Rules = []sarifRule{}
	rules := map[string]int{}
	rule := func(id, short, full, url, level string) int {
		if i, ok := rules[id]; ok {
			return i
		}
		r := sarifRule{ID: id, Short: sarifText{short}, Full: sarifText{full}, HelpURI: url}
		r.Default.Level = level
		rules[id] = len(run.Tool.Driver.Rules)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, r)
		return rules[id]
	}
	result := func(p *profile.Profile, id string, index int, level, text string) {
		r := sarifResult{RuleID: id, RuleIndex: index, Kind: "fail", Level: level, Message: sarifText{text}, Fingerprints: map[string]string{"server/v1": id + " " + p.Target}}
		var at sarifLocation
		at.Physical.Artifact.URI = p.Target
		r.Locations = []sarifLocation{at}
		run.Results = append(run.Results, r)
	}
	for _, one := range s {
		i := sarifInvocation{Successful: one.Failed == ""}
		if one.Failed != "" {
			i.Notifications = append(i.Notifications, sarifNotification{"error", sarifText{one.Target + ": " + one.Failed}})
		}
		if p := one.Profile; p != nil {
			i.Started, i.Ended = sarifTime(p.Started), sarifTime(p.Started.Add(time.Duration(p.Took)))
			i.Successful = !p.Interrupted
			for _, d := range p.Caveats {
				i.Notifications = append(i.Notifications, sarifNotification{"note", sarifText{d.Text}})
			}
			for _, r := range p.Cases {
				broken := "warning"
				if r.Level == profile.Must {
					broken = "error"
				}
				level := map[profile.Outcome]string{profile.Fail: "error", profile.Warn: "warning"}[r.Outcome]
				index := rule(r.ID, "A server "+r.Title+".", fmt.Sprintf("%s: a server %s.", standard(r.Case), r.Title), source(r.Standard), broken)
				if level != "" {
					result(p, r.ID, index, level, cmp.Or(sentence(r.Text), "A server "+r.Title+"; this one does not."))
				}
			}
			for _, a := range p.Asserted {
				index := rule("assertion", "What --assert says.", "A condition that the user has set on the server's connection policy.", "", "error")
				if a.Truth != assert.Holds {
					result(p, "assertion", index, "error", fmt.Sprintf("%s: %s: %s.", a.Text, a.Truth, a.Why))
				}
			}
		}
		run.Invocations = append(run.Invocations, i)
	}
	return indented(w, sarif{"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func sarifTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

var rfc = regexp.MustCompile(`RFC (\d+)(?:, (\d[\d.]*\d|\d))?`)

// source is where the first standard that is named can be read, or "".
func source(standard string) string {
	m := rfc.FindStringSubmatch(standard)
	switch {
	case m == nil:
		return ""
	case m[2] == "":
		return "https://www.rfc-editor.org/rfc/rfc" + m[1]
	}
	return "https://www.rfc-editor.org/rfc/rfc" + m[1] + "#section-" + m[2]
}

// A family is a metric of OpenMetrics 1.0 with its samples.
type family struct {
	name, unit, help string
	samples          []string
}

// OpenMetrics writes the figures as gauges, in base units. A lower bound is a metric of
// its own, so that nobody takes it for the limit; what was not measured is not there.
func OpenMetrics(w io.Writer, s []profile.Probed) error {
	const prefix = "linger_probe_"
	var order []*family
	known := map[string]*family{}
	add := func(name, unit, help string, value float64, labels ...string) {
		f := known[name]
		if f == nil {
			f = &family{name: prefix + name, unit: unit, help: help}
			known[name], order = f, append(order, f)
		}
		var pairs []string
		for i := 0; i+1 < len(labels); i += 2 {
			pairs = append(pairs, labels[i]+`="`+labelEscapes.Replace(legible(labels[i+1]))+`"`)
		}
		f.samples = append(f.samples, fmt.Sprintf("%s{%s} %s", f.name, strings.Join(pairs, ","), strconv.FormatFloat(value, 'f', -1, 64)))
	}
	sec := func(d profile.Duration) float64 { return time.Duration(d).Seconds() }
	bit := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	seen := map[string]bool{}
	for _, one := range s {
		if seen[one.Target] {
			continue // the same labels twice are not allowed
		}
		seen[one.Target] = true
		target := []string{"target", one.Target}
		with := func(labels ...string) []string { return append(slices.Clone(target), labels...) }
		add("success", "", "Whether the server could be probed.", bit(one.Profile != nil), target...)
		p := one.Profile
		if p == nil {
			continue
		}
		if !p.Started.IsZero() {
			add("started_timestamp_seconds", "seconds", "When the probe began.", float64(p.Started.UnixMilli())/1000, target...)
		}
		add("duration_seconds", "seconds", "How long the probe took.", sec(p.Took), target...)
		add("connections_opened", "", "Connections that the probe opened.", float64(p.Spent.Connections), target...)
		add("requests_sent", "", "Requests that the probe sent.", float64(p.Spent.Requests), target...)
		if p.RTT.N > 0 {
			add("round_trip_seconds", "seconds", "Median round-trip time of the handshake of TCP.", sec(p.RTT.Median), target...)
		}
		for _, q := range p.Protocols {
			labels := with("protocol", q.Name)
			if offers, known := q.Offers(); known {
				add("protocol_offered", "", "Whether the protocol is spoken.", bit(offers), labels...)
			}
			for _, r := range limitRows(q) {
				if r.id == "requests_per_connection" || r.id == "pipelining" {
					continue
				}
				figure, on := "idle", labels
				if after, ok := strings.CutPrefix(r.id, "idle_after_"); ok {
					on = append(slices.Clone(labels), "after", after)
				} else {
					figure = "max_age"
				}
				switch r.limit.State {
				case profile.Measured:
					add(figure+"_seconds", "seconds", "After how long the server ends a connection, median.", sec(r.limit.Median), on...)
					add(figure+"_uncertainty_seconds", "seconds", "How far the median may be from the limit.", sec(r.limit.Uncertainty), on...)
				case profile.AtLeast:
					add(figure+"_lower_bound_seconds", "seconds", "For how long a connection was open without being ended; the limit is longer.", sec(r.limit.Low), on...)
				}
			}
			if d, ok := q.Announced.Timeout.Get(); ok {
				add("announced_idle_seconds", "seconds", "The idle limit that the server announces.", sec(d), labels...)
			}
			if n, ok := q.Announced.Max.Get(); ok {
				add("announced_requests", "", "The requests on a connection that the server announces.", float64(n), labels...)
			}
			counted(add, "requests_per_connection", "Requests that one connection may carry", q.Requests, labels)
		}
		counted(add, "parallel_connections", "Connections that were open at once and answered", p.Parallel, target)
		if t := p.TLS; t != nil {
			counted(add, "session_tickets", "Session tickets after one handshake", t.Tickets, target)
			if b, ok := t.Resumes.Get(); ok {
				add("session_resumes", "", "Whether a session ticket works.", bit(b), target...)
			}
		}
		for _, r := range p.Cases {
			if r.Outcome != profile.NotMeasured {
				add("case_passed", "", "Whether the server passes a case; warnings are 0 too.", bit(r.Outcome == profile.Pass), with("case", r.ID, "level", string(r.Level))...)
			}
		}
		n := p.Outcomes()
		for _, o := range []profile.Outcome{profile.Pass, profile.Fail, profile.Warn, profile.NotMeasured} {
			add("cases", "", "Cases by outcome.", float64(n[o]), with("outcome", string(o))...)
		}
		asserted := map[string]bool{}
		for _, a := range p.Asserted {
			if !asserted[a.Text] {
				asserted[a.Text] = true
				add("assertion_holds", "", "Whether an assertion holds; what is not known is 0 too.", bit(a.Truth == assert.Holds), with("assertion", a.Text)...)
			}
		}
	}
	return buffered(w, func(b *bufio.Writer) {
		for _, f := range order {
			fmt.Fprintf(b, "# TYPE %s gauge\n", f.name)
			if f.unit != "" {
				fmt.Fprintf(b, "# UNIT %s %s\n", f.name, f.unit)
			}
			fmt.Fprintf(b, "# HELP %s %s\n", f.name, f.help)
			for _, line := range f.samples {
				b.WriteString(line + "\n")
			}
		}
		b.WriteString("# EOF\n")
	})
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// counted adds a count, or its lower bound under another name.
func counted(add func(name, unit, help string, value float64, labels ...string), name, help string, c profile.Count, labels []string) {
	switch c.State {
	case profile.Measured:
		add(name, "", help+".", float64(c.N), labels...)
	case profile.AtLeast:
		add(name+"_lower_bound", "", help+", at least.", float64(c.N), labels...)
	}
}

// surveyColumns are those of a survey's CSV. What was not measured is empty.
var surveyColumns = []struct {
	name  string
	value func(profile.Probed) string
}{
	{"line", func(p profile.Probed) string { return strconv.Itoa(p.Line) }},
	{"target", func(p profile.Probed) string { return p.Target }},
	{"error", func(p profile.Probed) string { return p.Failed }},
	{"address", ofPolicy(func(p *profile.Profile) string { return p.Address })},
	{"software", ofPolicy(func(p *profile.Profile) string { return p.Software })},
	{"status", ofPolicy(func(p *profile.Profile) string { return positive(p.Baseline.Status) })},
	{"rtt_ms", ofPolicy(func(p *profile.Profile) string {
		if p.RTT.N == 0 {
			return ""
		}
		return inMS(p.RTT.Median)
	})},
	{"protocols", ofPolicy(func(p *profile.Profile) string { return spokenBy(p) })},
	{"idle_state", ofMain(func(q *profile.Protocol) string { return string(q.AfterResponse.State) })},
	{"idle_ms", ofMain(func(q *profile.Protocol) string { return median(q.AfterResponse) })},
	{"idle_at_least_ms", ofMain(func(q *profile.Protocol) string { return atLeast(q.AfterResponse) })},
	{"idle_uncertainty_ms", ofMain(func(q *profile.Protocol) string {
		if q.AfterResponse.State != profile.Measured {
			return ""
		}
		return inMS(q.AfterResponse.Uncertainty)
	})},
	{"ending", ofMain(func(q *profile.Protocol) string { return string(q.AfterResponse.Ending) })},
	{"announced_idle_ms", ofMain(func(q *profile.Protocol) string {
		d, ok := q.Announced.Timeout.Get()
		if !ok {
			return ""
		}
		return inMS(d)
	})},
	{"requests_state", ofMain(func(q *profile.Protocol) string { return string(q.Requests.State) })},
	{"requests", ofMain(func(q *profile.Protocol) string { return positive(q.Requests.N) })},
	{"announced_requests", ofMain(func(q *profile.Protocol) string {
		n, ok := q.Announced.Max.Get()
		if !ok {
			return ""
		}
		return strconv.Itoa(n)
	})},
	{"fails", ofPolicy(func(p *profile.Profile) string { return strconv.Itoa(p.Outcomes()[profile.Fail]) })},
	{"warnings", ofPolicy(func(p *profile.Profile) string { return strconv.Itoa(p.Outcomes()[profile.Warn]) })},
	{"passes", ofPolicy(func(p *profile.Profile) string { return strconv.Itoa(p.Outcomes()[profile.Pass]) })},
	{"not_measured", ofPolicy(func(p *profile.Profile) string { return strconv.Itoa(p.Outcomes()[profile.NotMeasured]) })},
	{"failed_cases", ofPolicy(func(p *profile.Profile) string { return strings.Join(failed(p), " ") })},
	{"assertions_broken", ofPolicy(func(p *profile.Profile) string {
		if len(p.Asserted) == 0 {
			return ""
		}
		return strconv.Itoa(brokenAssertions(p))
	})},
}

func brokenAssertions(p *profile.Profile) (n int) {
	for _, a := range p.Asserted {
		if a.Truth != assert.Holds {
			n++
		}
	}
	return n
}

func ofPolicy(of func(*profile.Profile) string) func(profile.Probed) string {
	return func(p profile.Probed) string {
		if p.Profile == nil {
			return ""
		}
		return of(p.Profile)
	}
}

// ofMain is of HTTP/1.1, or of the protocol that there is in its place.
func ofMain(of func(*profile.Protocol) string) func(profile.Probed) string {
	return ofPolicy(func(p *profile.Profile) string {
		if q := mainProtocol(p); q != nil {
			return of(q)
		}
		return ""
	})
}

func mainProtocol(p *profile.Profile) *profile.Protocol {
	for _, q := range p.Protocols {
		if q.Name == "http/1.1" {
			return q
		}
	}
	if len(p.Protocols) > 0 {
		return p.Protocols[0]
	}
	return nil
}

func inMS(d profile.Duration) string {
	return strconv.FormatFloat(float64(d)/1e6, 'f', -1, 64)
}

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func median(t profile.Timeout) string {
	if t.State != profile.Measured {
		return ""
	}
	return inMS(t.Median)
}

func atLeast(t profile.Timeout) string {
	if t.State != profile.AtLeast {
		return ""
	}
	return inMS(t.Low)
}

// spokenBy names the protocols that the server speaks, as ALPN does.
func spokenBy(p *profile.Profile) string {
	var names []string
	for _, q := range p.Protocols {
		if q.Offered {
			names = append(names, q.Name)
		}
	}
	return strings.Join(names, " ")
}

// failed are the names of the cases that fail.
func failed(p *profile.Profile) []string {
	var names []string
	for _, r := range p.Cases {
		if r.Outcome == profile.Fail {
			names = append(names, r.ID)
		}
	}
	return names
}

// SurveyCSV writes a row for each line of a list.
func SurveyCSV(w io.Writer, s []profile.Probed) error {
	c := csv.NewWriter(w)
	line := make([]string, len(surveyColumns))
	for i, col := range surveyColumns {
		line[i] = col.name
	}
	c.Write(line)
	for _, p := range s {
		for i, col := range surveyColumns {
			line[i] = col.value(p)
		}
		c.Write(line)
	}
	c.Flush()
	return c.Error()
}

// Survey writes a row for each server of a list, then what breaks a standard where,
// and what could not be probed.
func Survey(w io.Writer, s []profile.Probed, o Options) error {
	return buffered(w, func(b *bufio.Writer) {
		o.table(b, surveyTable(s))
		o.surveyFindings(b, s)
	})
}

// surveyTable has a row for each server.
func surveyTable(s []profile.Probed) table.Table {
	t := table.Table{Columns: []table.Column{
		{Head: "server", Align: table.Left}, {Head: "speaks", Align: table.Left, Spare: 3}, {Head: "idle limit"}, {Head: endedBy, Align: table.Left, Spare: 2},
		heading("requests", "re-", "quests", 1), {Head: "fails"}, heading("warnings", "warn-", "ings", 0),
	}}
	for _, one := range s {
		name := table.Word(table.Short(shortTarget(one.Target), 28))
		if one.Profile == nil {
			t.Add(name, table.Word("not probed"), table.Unknown(), table.Unknown(), table.Unknown(), table.Unknown(), table.Unknown())
			continue
		}
		idle, ending, requests := table.Unknown(), table.Unknown(), table.Unknown()
		if q := mainProtocol(one.Profile); q != nil {
			idle, requests = briefly(q.AfterResponse), table.Unknown()
			if e := q.AfterResponse.Ending; e != "" {
				ending = table.Word(table.Short(string(e), 17))
			}
			switch n := q.Requests.N; {
			case q.Requests.State == profile.AtLeast:
				requests = table.Word(fmt.Sprintf("≥ %d", n))
			case n > 0:
				requests = table.Int(n)
			}
		}
		speaks := table.Unknown()
		if protocols := spokenBy(one.Profile); protocols != "" {
			speaks = table.Word(strings.ReplaceAll(protocols, "http/1.1", "h1"))
		}
		n := one.Profile.Outcomes()
		fails := table.Int(n[profile.Fail])
		if n[profile.Fail] > 0 {
			fails.Style = table.Bad
		}
		t.Add(name, speaks, idle, ending, requests, fails, table.Int(n[profile.Warn]))
	}
	return t
}

// surveyFindings lists what fails, and where.
func (o Options) surveyFindings(b *bufio.Writer, s []profile.Probed) {
	first := true
	for _, p := range s {
		if p.Profile == nil {
			continue
		}
		for _, r := range p.Profile.Cases {
			if r.Outcome == profile.Fail {
				if first {
					b.WriteString("\nBreaks the standard\n")
					first = false
				}
				o.finding(b, outcomeWord[profile.Fail], shortTarget(p.Target)+": "+standard(r.Case)+": "+r.ID, sentence(r.Text))
			}
		}
	}
	first = true
	for _, p := range s {
		if p.Profile == nil {
			continue
		}
		for _, a := range p.Profile.Asserted {
			if a.Truth != assert.Holds {
				if first {
					b.WriteString("\nAssertions\n")
					first = false
				}
				o.finding(b, truthWord[a.Truth], shortTarget(p.Target)+": "+a.Text, brokenBy(a))
			}
		}
	}
	first = true
	for _, p := range s {
		if p.Failed != "" {
			if first {
				b.WriteString("\nNot probed\n")
				first = false
			}
			b.WriteString(strings.Join(wrap(fmt.Sprintf("line %d, %s: %s", p.Line, p.Target, p.Failed), o.width(), "  ! ", "    "), "\n") + "\n")
		}
	}
}

// shortTarget is what tells servers of a list apart: scheme and path only where they are
// not the usual ones.
func shortTarget(target string) string {
	s := strings.TrimPrefix(target, "https://")
	return strings.TrimSuffix(s, "/")
}

// briefly tells a limit in a few columns.
func briefly(t profile.Timeout) table.Cell {
	if s := t.Brief(); s != "" {
		return table.Word(s)
	}
	return table.Unknown()
}
