package conformance

import (
	"linger/assert"
	"linger/finding"
	"linger/profile"
)

// Differs is the code of a limit that is announced otherwise than observed.
const Differs = "announced-differs"

// Findings are what was found of a server: its cases in their order, the limits that are
// announced otherwise than they are, and what became of assertions.
func Findings(p *profile.Profile) []finding.Finding {
	var out []finding.Finding
	for _, r := range p.Cases {
		out = append(out, ofCase(r))
	}
	for _, q := range p.Protocols {
		announced, said := q.Announced.Timeout.Get()
		if keeps, told := q.AfterResponse.Keeps(announced); said && told && !keeps {
			out = append(out, finding.Finding{
				Code: Differs, Severity: finding.Note, Subject: finding.Subject{Kind: "protocol", Name: string(q.Name), Of: p.Target},
				Figures: finding.Figures{finding.Number("announced", float64(announced)/1e6, "ms"), q.AfterResponse.Figure("limit")},
			})
		}
	}
	for _, a := range p.Asserted {
		out = append(out, assert.Finding(a))
	}
	return out
}

// severities are those of what came of a case. A MUST that was broken is an error, and
// with --strict so is a SHOULD.
var severities = map[profile.Outcome]finding.Severity{
	profile.Fail: finding.Error, profile.Warn: finding.Warning, profile.Pass: finding.Pass, profile.NotMeasured: finding.Unknown,
}

// ofCase is what came of a case: what was sent and came back is the evidence.
func ofCase(r profile.Result) finding.Finding {
	f := finding.Finding{
		Code: r.ID, Severity: severities[r.Outcome], Subject: finding.Subject{Kind: "case", Name: r.ID, Of: string(r.Protocol)}, Figures: r.Figures,
	}
	if r.Text != "" {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "bytes", Text: r.Text})
	}
	if r.Misbehaviour != "" && (r.Outcome == profile.Fail || r.Outcome == profile.Warn) {
		f.Evidence = append(f.Evidence, finding.Evidence{Kind: "command", Text: "linger serve --misbehave " + r.Misbehaviour})
	}
	return f
}
