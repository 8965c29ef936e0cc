package profile

import (
	"strings"

	"linger"
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
	ID       string          `json:"id"`
	Title    string          `json:"title"` // what a server does that passes
	Protocol linger.Protocol `json:"protocol"`
	Standard string          `json:"standard"` // "RFC 9112, 9.6"; of Advice where the reason stands
	Level    Level           `json:"level"`
	// Misbehaviour names what `serve --misbehave` does to make the case fail, where it can.
	Misbehaviour string `json:"misbehaviour,omitempty"`
}

// Source is where the first RFC that Standard names can be read, or "".
func (c Case) Source() string {
	_, rest, ok := strings.Cut(c.Standard, "RFC ")
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, ";")
	number, section, _ := strings.Cut(rest, ", ")
	const digits = "0123456789"
	number = number[:len(number)-len(strings.TrimLeft(number, digits))]
	section = strings.TrimRight(section[:len(section)-len(strings.TrimLeft(section, digits+"."))], ".")
	switch {
	case number == "":
		return ""
	case section == "":
		return "https://www.rfc-editor.org/rfc/rfc" + number
	}
	return "https://www.rfc-editor.org/rfc/rfc" + number + "#section-" + section
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
