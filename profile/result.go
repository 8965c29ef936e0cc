package profile

import (
	"regexp"

	"linger/finding"
)

// A Level is how binding a case is.
type Level string

const (
	// Must and Should are the standard's words (RFC 2119): breaking the first is a
	// failure, the second a warning, which --strict makes a failure.
	Must   Level = "MUST"
	Should Level = "SHOULD"
	// Advice is no standard's: what is allowed, and costs users.
	Advice Level = "advice"
)

// A Case is one sentence of a standard that a server can be held against.
type Case struct {
	ID       string `json:"id"`
	Title    string `json:"title"`    // what a server does that passes
	Protocol string `json:"protocol"` // as Protocol.Name; "tls"
	Standard string `json:"standard"` // "RFC 9112, 9.6"; of Advice where the reason stands
	Level    Level  `json:"level"`
	// Misbehaviour names what `serve --misbehave` does to make the case fail, where it can.
	Misbehaviour string `json:"misbehaviour,omitempty"`
}

var rfc = regexp.MustCompile(`RFC (\d+)(?:, (\d[\d.]*\d|\d))?`)

// Source is where the first RFC that Standard names can be read, or "".
func (c Case) Source() string {
	m := rfc.FindStringSubmatch(c.Standard)
	switch {
	case m == nil:
		return ""
	case m[2] == "":
		return "https://www.rfc-editor.org/rfc/rfc" + m[1]
	}
	return "https://www.rfc-editor.org/rfc/rfc" + m[1] + "#section-" + m[2]
}

// An Outcome is what came of a case.
type Outcome string

const (
	Pass        Outcome = "pass"
	Fail        Outcome = "fail"
	Warn        Outcome = "warn"
	NotMeasured Outcome = "not measured"
)

// A Result is one case with what came of it, and why.
type Result struct {
	Case
	Outcome Outcome `json:"outcome"`
	Text    string  `json:"text"` // what was sent, what came back
	// Figures are those that decided it, where figures did.
	Figures finding.Figures `json:"figures,omitempty"`
}

// Broken is the outcome of a case that the server breaks.
func (l Level) Broken() Outcome {
	if l == Must {
		return Fail
	}
	return Warn
}
