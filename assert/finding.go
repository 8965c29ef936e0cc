package assert

import "linger/finding"

// Code is that of findings which tell what became of an assertion, and the causes of
// those that do not hold.
const (
	Code          = "assertion"
	CauseBroken   = "broken"
	CauseNotKnown = "not-known"
)

// Finding is what became of an assertion. What is not known is an error, too: nobody can
// rely on it.
func Finding(r Result) finding.Finding {
	f := finding.Finding{Code: Code, Severity: finding.Pass, Subject: finding.Subject{Kind: "assertion", Name: r.Text}}
	switch r.Truth {
	case Broken:
		f.Severity, f.Cause = finding.Error, CauseBroken
	case NotKnown:
		f.Severity, f.Cause = finding.Error, CauseNotKnown
	}
	if r.Why != "" {
		f.Evidence = []finding.Evidence{{Kind: "line", Text: r.Why}}
	}
	return f
}
