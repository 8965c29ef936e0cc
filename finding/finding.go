// Package finding holds what an analysis found, as data: codes, figures, evidence
// and remedies. It holds no sentences: report makes those, so that text, page,
// JUnit and SARIF cannot disagree. How numbers are written stands here too, once.
package finding

import (
	"math"
	"slices"

	"linger"
)

// A Severity says what a reader has to do about a finding. The words are those of
// SARIF 2.1.0, 3.27.10, but for Pass.
type Severity string

const (
	Error   Severity = "error"   // it breaks a standard's MUST, or an assertion of the user's
	Warning Severity = "warning" // it costs, or breaks a SHOULD
	Note    Severity = "note"    // it is worth knowing
	Pass    Severity = "pass"    // what was asked for holds
	Unknown Severity = "unknown" // what decides it was not seen
)

// A Finding is one thing that an analysis found. Codes are an open set: whoever
// reads findings must accept codes that it does not know.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity,omitempty"`
	Subject  Subject  `json:"subject,omitzero"`
	// Cause is the code of the reason, where the finding has one: "server-idle".
	Cause    string     `json:"cause,omitempty"`
	Figures  Figures    `json:"figures,omitempty"`
	Price    Price      `json:"price,omitzero"`
	Evidence []Evidence `json:"evidence,omitempty"`
	Remedies []Remedy   `json:"remedies,omitempty"` // each helps by itself
}

// A Caveat limits what a figure or a finding shows.
type Caveat struct {
	Code    string  `json:"code"`
	Subject Subject `json:"subject,omitzero"`
	Cause   string  `json:"cause,omitempty"` // which of the reasons that have this code
	Figures Figures `json:"figures,omitempty"`
	// Decisive says that it could change what is said first: the fastest strategy, or what
	// keep-alive saves.
	Decisive bool `json:"decisive,omitempty"`
}

// A Subject is what a finding is about.
type Subject struct {
	Kind string `json:"kind"` // "strategy", "connection", "origin", "client", "hop", "case", "target"
	Name string `json:"name"`
	Of   string `json:"of,omitempty"` // what it belongs to: a case's protocol, a connection's origin
}

// IsZero reports whether the subject is not said.
func (s Subject) IsZero() bool { return s == Subject{} }

// Figures are named, and stand in the order in which they are told. Several may have
// one name: the times of two strategies, a list of words.
type Figures []Figure

// A Figure is a named number with its unit, or a named word. A word with a number is
// one that was counted: a reason, and how often it was given.
type Figure struct {
	Name string `json:"name"`
	// Of is whose figure it is, where it is not the subject's, or not only.
	Of    string              `json:"of,omitempty"`
	Value linger.Opt[float64] `json:"value,omitzero"`
	// Unit is "ms", "bytes", "kbit/s", "share" (0 to 1), "RTT", or empty for a count.
	Unit     string               `json:"unit,omitempty"`
	Interval linger.Opt[Interval] `json:"interval,omitzero"`
	// Text is what has no number: a strategy's name, a protocol, what was said.
	Text string `json:"text,omitempty"`
}

// Number returns a figure that is a number.
func Number(name string, value float64, unit string) Figure {
	return Figure{Name: name, Value: linger.Known(value), Unit: unit}
}

// Counted returns a figure that counts something.
func Counted(name string, n int) Figure { return Number(name, float64(n), "") }

// Word returns a figure that is a word.
func Word(name, text string) Figure { return Figure{Name: name, Text: text} }

// Whose returns the figure as that of somebody.
func (f Figure) Whose(of string) Figure {
	f.Of = of
	return f
}

// Uncertainty is how far the number may be off, which decides how many of its digits are
// shown: as far as its interval reaches. Of one value, whose interval has no bounds,
// it is a tenth; of a number without an interval it is not known, and 0.
func (f Figure) Uncertainty() float64 {
	i, ok := f.Interval.Get()
	if !ok {
		return 0
	}
	v := f.Value.Or(0)
	low, ok := i.Low.Get()
	high, ok2 := i.High.Get()
	if !ok || !ok2 {
		return math.Abs(v) / 10
	}
	return max(v-low, high-v)
}

// Get returns the figure of that name; ok is false where there is none.
func (f Figures) Get(name string) (figure Figure, ok bool) {
	i := slices.IndexFunc(f, func(g Figure) bool { return g.Name == name })
	if i < 0 {
		return Figure{}, false
	}
	return f[i], true
}

// All returns the figures of that name.
func (f Figures) All(name string) Figures {
	var out Figures
	for _, g := range f {
		if g.Name == name {
			out = append(out, g)
		}
	}
	return out
}

// Value returns the number of that name, unknown where there is none.
func (f Figures) Value(name string) linger.Opt[float64] {
	g, _ := f.Get(name)
	return g.Value
}

// Text returns the word of that name, or nothing.
func (f Figures) Text(name string) string {
	g, _ := f.Get(name)
	return g.Text
}

// An Interval holds the true value with a confidence. A bound that is not known is
// open: "at least 20 s" has no High.
type Interval struct {
	Low        linger.Opt[float64] `json:"low,omitzero"`
	High       linger.Opt[float64] `json:"high,omitzero"`
	Confidence linger.Opt[float64] `json:"confidence,omitzero"` // 0 to 1; not known of bounds by reasoning
	N          int                 `json:"n,omitempty"`         // sample size
}

// Contains reports whether v is in the interval.
func (i Interval) Contains(v float64) bool {
	low, bounded := i.Low.Get()
	if bounded && v < low {
		return false
	}
	high, bounded := i.High.Get()
	return !bounded || v <= high
}

// Meets reports whether the intervals have a value in common.
func (i Interval) Meets(other Interval) bool {
	low, bounded := i.Low.Get()
	top, topped := other.High.Get()
	if bounded && topped && top < low {
		return false
	}
	low, bounded = other.Low.Get()
	top, topped = i.High.Get()
	return !bounded || !topped || low <= top
}

// A Price is what a finding costs. What is not known is absent.
type Price struct {
	Connections linger.Opt[float64] `json:"connections,omitzero"` // that need not have been opened
	RoundTrips  linger.Opt[float64] `json:"round_trips,omitzero"`
	Waiting     linger.Opt[float64] `json:"waiting_ms,omitzero"` // summed; it is not elapsed time
	Packets     linger.Opt[float64] `json:"packets,omitzero"`
	Bytes       linger.Opt[float64] `json:"bytes,omitzero"`
	TimeWait    linger.Opt[float64] `json:"time_wait,omitzero"` // sockets left in TIME_WAIT
	// AtMost says that the figures are upper bounds.
	AtMost bool `json:"at_most,omitempty"`
	// Known is how the figures are known: "measured", "predicted", "observed".
	Known string `json:"known,omitempty"`
}

// IsZero reports whether nothing is known of the price.
func (p Price) IsZero() bool { return p == Price{} }

// Evidence lets a reader check a finding with another tool.
type Evidence struct {
	// Kind is "frames", "filter", "command", "bytes" or "line".
	Kind string `json:"kind"`
	// Text is a display filter, a command line, what was sent and came back, or a line.
	Text string `json:"text,omitempty"`
	// Frames are frame numbers of a capture, or line numbers of a file, the first is 1.
	Frames []int `json:"frames,omitempty"`
	// Source is the file, where there are several.
	Source string `json:"source,omitempty"`
}

// A Remedy is one setting that ends what was found.
type Remedy struct {
	Software string `json:"software,omitempty"` // "nginx"
	Side     string `json:"side,omitempty"`     // "server": what it accepts; "client": what it opens
	Where    string `json:"where,omitempty"`    // block or file
	Write    string `json:"write,omitempty"`    // the line to write
	Source   string `json:"source,omitempty"`   // where that is documented
}
