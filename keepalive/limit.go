package keepalive

import (
	"fmt"

	"linger"
	"linger/finding"
	"linger/profile"
)

// A Source says where a limit of a chain is known from.
type Source string

const (
	FromProbe   Source = "measured"
	FromWait    Source = "measured at least" // waiting ended first: a lower bound
	FromUser    Source = "told"
	FromDefault Source = "default" // of the software, as docs/keepalive.md has it
	FromNowhere Source = "not known"
)

// A Limit is for how long one side of a connection lets it be idle.
type Limit struct {
	Source Source `json:"source"`
	// Value is the limit, of FromWait a lower bound of it.
	Value   profile.Duration `json:"value_ms,omitempty"`
	Endless bool             `json:"endless,omitempty"` // there is none; Value is 0
	// Uncertainty is how far the limit may be from Value to either side.
	Uncertainty profile.Duration `json:"uncertainty_ms,omitempty"`
	// Soft says that it is what was seen of the software, which promises nothing.
	Soft bool   `json:"soft,omitempty"`
	Note string `json:"note,omitempty"` // of FromNowhere, why
}

// Known reports whether there is a limit, or known to be none.
func (l Limit) Known() bool { return l.Source != "" && l.Source != FromNowhere }

// figure is the limit as findings have it, in ms: of a lower bound without a value, and
// of none a word.
func (l Limit) figure(name string) finding.Figure {
	f := finding.Figure{Name: name, Unit: "ms"}
	value, uncertainty := float64(l.Value)/1e6, float64(l.Uncertainty)/1e6
	switch {
	case !l.Known():
		return f
	case l.Endless:
		return finding.Word(name, "endless")
	case l.Source == FromWait:
		f.Interval = linger.Known(finding.Interval{Low: linger.Known(value)})
		return f
	case uncertainty > 0:
		f.Interval = linger.Known(finding.Interval{Low: linger.Known(value - uncertainty), High: linger.Known(value + uncertainty)})
	}
	f.Value = linger.Known(value)
	return f
}

// LimitOf is the limit that a probe has found: the shortest of the idle limits after
// a response, over all protocols that it watched, since a client may speak any.
func LimitOf(p *profile.Profile) Limit {
	var found []Limit
	why := "it was not measured"
	for _, protocol := range p.Protocols {
		t := protocol.AfterResponse
		switch t.State {
		case profile.Measured:
			l := Limit{Source: FromProbe, Value: t.Median, Note: fmt.Sprintf("%s, ended by %s", protocol.Name, t.Ending)}
			// The earliest end that was seen counts as much as how sure the median is.
			l.Uncertainty = max(t.Uncertainty, t.Median-t.Low)
			found = append(found, l)
		case profile.AtLeast:
			found = append(found, Limit{Source: FromWait, Value: t.Low, Note: string(protocol.Name)})
		default:
			if t.Why != "" {
				why = t.Why
			}
		}
	}
	if len(found) == 0 {
		return Limit{Source: FromNowhere, Note: why}
	}
	least := found[0]
	for _, l := range found[1:] {
		// A limit that was seen counts before one that is longer than the waiting.
		if l.Source == least.Source && l.Value < least.Value || l.Source == FromProbe && least.Source == FromWait {
			least = l
		}
	}
	return least
}

// LimitFrom is the limit that a program has by default on one side.
func LimitFrom(software string, side Side) Limit {
	d, ok := DefaultOf(software, side)
	switch {
	case !ok:
		return Limit{Source: FromNowhere, Note: "no default of it is known"}
	case d.Endless:
		return Limit{Source: FromDefault, Endless: true}
	case d.Limit == 0:
		return Limit{Source: FromNowhere, Note: d.Note}
	}
	return Limit{Source: FromDefault, Value: profile.Duration(d.Limit), Soft: d.Soft}
}
