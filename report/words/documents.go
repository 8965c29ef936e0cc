package words

import (
	"slices"
	"strings"

	"linger/compare"
	"linger/compare/difference"
	"linger/compare/sweep"
	"linger/finding"
)

// These are what analyses returned with their sentences beside the data, as JSON has
// them. Whoever reads one as what it was made of gets the data.

// ToldFindings are those of a comparison: verdict.text is Verdict's text, caveats[].text
// Caveat's.
type ToldFindings struct {
	compare.Findings
	Verdict ToldVerdict  `json:"verdict"`
	Caveats []ToldCaveat `json:"caveats"`
}

// A ToldVerdict is a verdict with its text in one piece.
type ToldVerdict struct {
	compare.Verdict
	Text     string            `json:"text"`
	Findings []finding.Finding `json:"findings"`
}

// A ToldCaveat is a caveat with its sentence.
type ToldCaveat struct {
	Code    string          `json:"code"`
	Text    string          `json:"text"`
	Cause   string          `json:"cause,omitempty"`
	Subject finding.Subject `json:"subject,omitzero"`
	Figures finding.Figures `json:"figures,omitempty"`
	// Decisive is as in finding.Caveat.
	Decisive bool `json:"decisive,omitempty"`
}

// OfFindings says what a comparison found.
func OfFindings(f compare.Findings) ToldFindings {
	return ToldFindings{f, ToldVerdict{f.Verdict, Verdict(f.Verdict).String(), f.Verdict.Findings}, OfCaveats(f.Caveats)}
}

// OfCaveats are caveats with their sentences.
func OfCaveats(list []finding.Caveat) []ToldCaveat {
	out := make([]ToldCaveat, len(list))
	for i, c := range list {
		out[i] = ToldCaveat{c.Code, Caveat(c), c.Cause, c.Subject, c.Figures, c.Decisive}
	}
	return out
}

// A ToldChange is what has changed from one result to another: text has a line for each
// sentence.
type ToldChange struct {
	difference.Change
	Text     string            `json:"text"`
	Findings []finding.Finding `json:"findings"`
	Caveats  []ToldCaveat      `json:"caveats"`
}

// OfChange says what has changed.
func OfChange(d difference.Change) ToldChange {
	return ToldChange{d, strings.Join(Change(d), "\n"), d.Findings, OfCaveats(d.Caveats)}
}

// A ToldSurvey is what a sweep found.
type ToldSurvey struct {
	sweep.Survey
	Reasons  []ToldReason      `json:"reasons,omitempty"`
	Text     string            `json:"text"`
	Findings []finding.Finding `json:"findings"`
}

// A ToldReason is why something is not known on some paths.
type ToldReason struct {
	Text string `json:"text"`
	sweep.Reason
}

// OfSurvey says what a sweep found.
func OfSurvey(v sweep.Survey) ToldSurvey {
	out := ToldSurvey{Survey: v, Text: Survey(v).String(), Findings: v.Findings}
	for _, r := range v.Reasons {
		out.Reasons = append(out.Reasons, ToldReason{Reason(r), r})
	}
	return out
}

// OfCell says of the strategies that are not compared why they are not.
func OfCell(c sweep.Cell) sweep.Cell {
	c.Rows = slices.Clone(c.Rows)
	for i := range c.Rows {
		c.Rows[i].Reason = Unfit(c.Rows[i])
	}
	return c
}
