package formats

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"linger"
	"linger/finding"
	"linger/profile"
	"linger/report"
	"linger/report/words"
)

// Probe tells what was found of some servers.
func Probe(s []profile.Probed, version string) Report {
	r := Report{Tool: "linger probe", Version: version, Asserted: "the server's connection policy"}
	for _, one := range s {
		t := Target{Kind: "server", Name: one.Target, URI: one.Target, Failed: one.Failed, Labels: []Label{{"target", one.Target}}}
		t.Metrics = []Metric{{Name: "success", Help: "Whether the server could be probed.", Value: bit(one.Profile != nil)}}
		if p := one.Profile; p != nil {
			t.Started, t.Took, t.Partial, t.Asserted = p.Started, time.Duration(p.Took), p.Interrupted, p.Asserted
			for _, c := range p.Caveats {
				t.Caveats = append(t.Caveats, words.Caveat(c))
			}
			for _, c := range p.Cases {
				t.Findings = append(t.Findings, caseOf(c))
			}
			t.Metrics = append(t.Metrics, metricsOf(p)...)
		}
		r.Targets = append(r.Targets, t)
	}
	return r
}

// severities are those of what came of a case.
var severities = map[profile.Outcome]finding.Severity{
	profile.Fail: finding.Error, profile.Warn: finding.Warning, profile.Pass: finding.Pass, profile.NotMeasured: finding.Unknown,
}

// caseOf is one case as a finding.
func caseOf(r profile.Result) Finding {
	f := Finding{
		Finding: finding.Finding{Code: r.ID, Severity: severities[r.Outcome], Subject: finding.Subject{Kind: "case", Name: r.ID, Of: string(r.Protocol)}},
		Rule: Rule{
			Group: strings.ReplaceAll(string(r.Protocol), "/", ""), Standard: r.Standard, Source: r.Source(), Level: finding.Warning,
			Asked: fmt.Sprintf("%s: asked is that it %s", report.Standard(r.Case), r.Title),
			Short: "A server " + r.Title + ".", Full: fmt.Sprintf("%s: a server %s.", report.Standard(r.Case), r.Title),
		},
		Text: r.Text, Told: cmp.Or(report.Sentence(r.Text), "A server "+r.Title+"; this one does not."),
	}
	if r.Level == profile.Must {
		f.Rule.Level = finding.Error
	}
	return f
}

// metrics are being gathered.
type metrics []Metric

func (m *metrics) add(name, unit, help string, value float64, labels ...Label) {
	*m = append(*m, Metric{name, unit, help, value, labels})
}

// seconds adds a length of time.
func (m *metrics) seconds(name, help string, d profile.Duration, labels ...Label) {
	m.add(name+"_seconds", "seconds", help, time.Duration(d).Seconds(), labels...)
}

// count adds a count, or its lower bound under another name.
func (m *metrics) count(name, help string, c profile.Count, labels ...Label) {
	switch c.State {
	case profile.Measured:
		m.add(name, "", help+".", float64(c.N), labels...)
	case profile.AtLeast:
		m.add(name+"_lower_bound", "", help+", at least.", float64(c.N), labels...)
	}
}

// known adds whether something is so, where that is known.
func (m *metrics) known(name, help string, is linger.Opt[bool], labels ...Label) {
	if b, ok := is.Get(); ok {
		m.add(name, "", help, bit(b), labels...)
	}
}

// metricsOf are the figures of a server. A lower bound is a metric of its own, so that
// nobody takes it for the limit; what was not measured is not there.
func metricsOf(p *profile.Profile) []Metric {
	var m metrics
	if !p.Started.IsZero() {
		m.add("started_timestamp_seconds", "seconds", "When the probe began.", float64(p.Started.UnixMilli())/1000)
	}
	m.seconds("duration", "How long the probe took.", p.Took)
	m.add("connections_opened", "", "Connections that the probe opened.", float64(p.Spent.Connections))
	m.add("requests_sent", "", "Requests that the probe sent.", float64(p.Spent.Requests))
	if p.RTT.N > 0 {
		m.seconds("round_trip", "Median round-trip time of the handshake of TCP.", p.RTT.Median)
	}
	for _, q := range p.Protocols {
		m.protocol(q)
	}
	m.count("parallel_connections", "Connections that were open at once and answered", p.Parallel)
	if t := p.TLS; t != nil {
		m.count("session_tickets", "Session tickets after one handshake", t.Tickets)
		m.known("session_resumes", "Whether a session ticket works.", t.Resumes)
	}
	for _, r := range p.Cases {
		if r.Outcome != profile.NotMeasured {
			m.add("case_passed", "", "Whether the server passes a case; warnings are 0 too.", bit(r.Outcome == profile.Pass), Label{"case", r.ID}, Label{"level", string(r.Level)})
		}
	}
	n := p.Outcomes()
	for _, o := range []profile.Outcome{profile.Pass, profile.Fail, profile.Warn, profile.NotMeasured} {
		m.add("cases", "", "Cases by outcome.", float64(n[o]), Label{"outcome", string(o)})
	}
	return m
}

// protocol adds the figures of one protocol.
func (m *metrics) protocol(q *profile.Protocol) {
	on := []Label{{"protocol", string(q.Name)}}
	if offers, known := q.Offers(); known {
		m.add("protocol_offered", "", "Whether the protocol is spoken.", bit(offers), on...)
	}
	for _, r := range report.LimitRows(q) {
		figure, labels := "max_age", on
		if r.After != "" {
			figure, labels = "idle", append(slices.Clone(on), Label{"after", r.After})
		}
		switch r.Limit.State {
		case profile.Measured:
			m.seconds(figure, "After how long the server ends a connection, median.", r.Limit.Median, labels...)
			m.seconds(figure+"_uncertainty", "How far the median may be from the limit.", r.Limit.Uncertainty, labels...)
		case profile.AtLeast:
			m.seconds(figure+"_lower_bound", "For how long a connection was open without being ended; the limit is longer.", r.Limit.Low, labels...)
		}
	}
	if d, ok := q.Announced.Timeout.Get(); ok {
		m.seconds("announced_idle", "The idle limit that the server announces.", d, on...)
	}
	if n, ok := q.Announced.Max.Get(); ok {
		m.add("announced_requests", "", "The requests on a connection that the server announces.", float64(n), on...)
	}
	m.count("requests_per_connection", "Requests that one connection may carry", q.Requests, on...)
}

// ProfileJSON writes the document; docs/probe.md describes it.
func ProfileJSON(w io.Writer, p *profile.Profile) error { return indented(w, words.OfProfile(p)) }

// CasesJSON writes the list of cases.
func CasesJSON(w io.Writer, cases []profile.Case) error {
	type one struct {
		Format string `json:"format"`
		profile.Case
	}
	all := make([]one, 0, len(cases))
	for _, c := range cases {
		all = append(all, one{profile.CaseFormat, c})
	}
	return indented(w, all)
}
