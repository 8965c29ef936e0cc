package formats

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"time"

	"linger/assert"
	"linger/profile"
	"linger/report"
)

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
				index := rule(r.ID, "A server "+r.Title+".", fmt.Sprintf("%s: a server %s.", report.Standard(r.Case), r.Title), source(r.Standard), broken)
				if level != "" {
					result(p, r.ID, index, level, cmp.Or(report.Sentence(r.Text), "A server "+r.Title+"; this one does not."))
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
