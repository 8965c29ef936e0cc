package conduct

import (
	"fmt"
	"slices"
	"strings"
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
}

// Broken is the outcome of a case that the server breaks.
func (l Level) Broken() Outcome {
	if l == Must {
		return Fail
	}
	return Warn
}

// Cases returns all cases, in the order in which reports have them.
func Cases() []Case { return slices.Concat(http1Cases, tlsCases, http2Cases, http3Cases, dnsCases) }

// CaseByID returns the case of that name; asking for one that there is not is a
// mistake of the program.
func CaseByID(id string) Case {
	for _, c := range Cases() {
		if c.ID == id {
			return c
		}
	}
	panic(fmt.Sprintf("conduct: no case is called %q", id))
}

// Select returns the cases that only names, or all if it names none, less those that
// skip names. A name is that of a case, or of a protocol.
func Select(only, skip []string) ([]Case, error) {
	all := Cases()
	matches := func(c Case, names []string) bool {
		return slices.Contains(names, c.ID) || slices.Contains(names, c.Protocol)
	}
	for _, name := range slices.Concat(only, skip) {
		if !slices.ContainsFunc(all, func(c Case) bool { return matches(c, []string{name}) }) {
			return nil, fmt.Errorf("no case is called %q; linger probe --list names them", name)
		}
	}
	var chosen []Case
	for _, c := range all {
		if (len(only) == 0 || matches(c, only)) && !matches(c, skip) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 && len(all) > 0 {
		return nil, fmt.Errorf("no case is left of --only %s less --skip %s", strings.Join(only, ","), strings.Join(skip, ","))
	}
	return chosen, nil
}
