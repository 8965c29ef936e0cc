package formats

import (
	"fmt"
	"io"
	"slices"
	"time"

	"linger/assert"
	"linger/finding"
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

// SARIF writes what fails, what is warned of and what is worth knowing. What passes, or
// was not seen, is no result here: readers show every result as something found.
func SARIF(w io.Writer, r Report) error {
	run := sarifRun{Results: []sarifResult{}, Invocations: []sarifInvocation{}}
	run.Tool.Driver.Name, run.Tool.Driver.Version = r.Tool, r.Version
	run.Tool.Driver.Rules = []sarifRule{}
	for _, t := range r.Targets {
		run.Invocations = append(run.Invocations, invocationOf(t))
		for _, f := range t.Findings {
			index := run.rule(f.Code, f.Rule)
			switch f.Severity {
			case finding.Error, finding.Warning, finding.Note:
				run.result(t, index, f.name(), string(f.Severity), f.Told)
			}
		}
		for _, a := range t.Asserted {
			index := run.rule("assertion", Rule{Short: "What --assert says.", Full: "A condition that the user has set on " + r.Asserted + ".", Level: finding.Error})
			if a.Truth != assert.Holds {
				run.result(t, index, "assertion", "error", fmt.Sprintf("%s: %s: %s.", a.Text, a.Truth, a.Why))
			}
		}
	}
	return indented(w, sarif{"https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", "2.1.0", []sarifRun{run}})
}

// rule returns the index of a rule, which is added if it is new.
func (run *sarifRun) rule(id string, r Rule) int {
	rules := &run.Tool.Driver.Rules // some dozens
	if i := slices.IndexFunc(*rules, func(known sarifRule) bool { return known.ID == id }); i >= 0 {
		return i
	}
	added := sarifRule{ID: id, Short: sarifText{r.Short}, Full: sarifText{r.Full}, HelpURI: r.Source}
	added.Default.Level = string(r.Level)
	*rules = append(*rules, added)
	return len(*rules) - 1
}

// result adds one; name tells it from others of its rule.
func (run *sarifRun) result(t Target, rule int, name, level, text string) {
	r := sarifResult{
		RuleID: run.Tool.Driver.Rules[rule].ID, RuleIndex: rule, Kind: "fail", Level: level, Message: sarifText{text},
		Fingerprints: map[string]string{t.Kind + "/v1": name + " " + t.Name},
	}
	var at sarifLocation
	at.Physical.Artifact.URI = t.URI
	r.Locations = []sarifLocation{at}
	run.Results = append(run.Results, r)
}

// invocationOf is how looking at a target went.
func invocationOf(t Target) sarifInvocation {
	i := sarifInvocation{Successful: t.Failed == "" && !t.Partial}
	if t.Failed != "" {
		i.Notifications = append(i.Notifications, sarifNotification{"error", sarifText{t.Name + ": " + t.Failed}})
	}
	if !t.Started.IsZero() {
		i.Started, i.Ended = sarifTime(t.Started), sarifTime(t.Started.Add(t.Took))
	}
	for _, c := range t.Caveats {
		i.Notifications = append(i.Notifications, sarifNotification{"note", sarifText{c}})
	}
	return i
}

func sarifTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
