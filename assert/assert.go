// Package assert holds conditions on figures, and what becomes of them.
package assert

// A Truth is what becomes of an assertion.
type Truth string

const (
	Holds    Truth = "holds"
	Broken   Truth = "does not hold"
	NotKnown Truth = "not known"
)

// A Result is an assertion with what came of it.
type Result struct {
	Text  string `json:"text"`
	Truth Truth  `json:"truth"`
	Why   string `json:"why,omitempty"` // where it does not hold, the figures that decide it
}
