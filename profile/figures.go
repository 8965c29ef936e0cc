package profile

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/finding"
)

// String tells a limit by the interval that it lies in: "4.999–5.003 s", "at least 20 s",
// "not measured".
func (t Timeout) String() string {
	switch t.State {
	case Measured:
		low, high, _ := t.Interval()
		unit, one := t.unit()
		return finding.Range(float64(max(0, low))/one, float64(high)/one) + " " + unit
	case AtLeast:
		return "at least " + t.atLeast()
	}
	return string(Unknown)
}

// Brief tells a limit without its interval, unless what was watched differs by more than
// is still the same limit: "5.001 s", "≥ 20 s"; nothing where it was not measured.
func (t Timeout) Brief() string {
	switch {
	case t.scattered():
		return t.String()
	case t.State == Measured:
		unit, one := t.unit()
		value, _ := finding.PlusMinus(float64(t.Median)/one, float64(max(t.High-t.Median, t.Median-t.Low)+t.Uncertainty)/one)
		return value + " " + unit
	case t.State == AtLeast:
		return "≥ " + t.atLeast()
	}
	return ""
}

// atLeast is the lower bound, rounded down: what is shown is never more than what was
// waited for.
func (t Timeout) atLeast() string {
	return Duration(time.Duration(t.Low).Truncate(precision(t.Low))).String()
}

// unit is what a limit that was measured is told in, and how long one of it is.
func (t Timeout) unit() (name string, one float64) {
	if t.High < Duration(time.Second) && t.Median < Duration(time.Second) {
		return "ms", float64(time.Millisecond)
	}
	return "s", float64(time.Second)
}

// scattered reports whether the connections that were watched differ by more than is
// still the same limit.
func (t Timeout) scattered() bool {
	return t.State == Measured && t.N > 1 && t.High-t.Low > Slack(t.Median)
}

// Interval is where the limit lies; high is infinite where only a lower bound is
// known, and ok false where nothing is.
func (t Timeout) Interval() (low, high Duration, ok bool) {
	switch t.State {
	case AtLeast:
		return t.Low, math.MaxInt64, true
	case Measured:
		return t.Low - t.Uncertainty, t.High + t.Uncertainty, true
	}
	return 0, 0, false
}

// MarshalJSON writes the interval, too, in ms: {"low", "high"}, without high where only a
// lower bound is known. It is the one that the text tells.
func (t Timeout) MarshalJSON() ([]byte, error) {
	type figures Timeout // without this method
	type interval struct {
		Low  Duration             `json:"low"`
		High linger.Opt[Duration] `json:"high,omitzero"`
	}
	told := struct {
		figures
		Interval *interval `json:"interval_ms,omitempty"`
	}{figures: figures(t)}
	if low, high, ok := t.Interval(); ok {
		told.Interval = &interval{Low: max(0, low)}
		if t.State == Measured {
			told.Interval.High = linger.Known(high)
		}
	}
	return json.Marshal(told)
}

// Keeps reports whether the limit is what was announced, as far as can be told: ok is
// false where nothing was measured, or where waiting ended before.
func (t Timeout) Keeps(announced Duration) (keeps, ok bool) {
	low, high, known := t.Interval()
	near := Slack(announced)
	switch {
	case !known:
		return false, false
	case announced-near > high || announced+near < low:
		return false, true
	}
	return true, t.State == Measured
}

// ShorterThan reports whether the limit is below d for sure: not only by as much as a
// measurement may be off.
func (t Timeout) ShorterThan(d Duration) bool {
	_, high, known := t.Interval()
	return known && t.State == Measured && high+Slack(d) < d
}

// Broke reports whether some connection was ended for sure before it had been idle for
// d, by more than a measurement may be off, and with by more than besides.
func (t Timeout) Broke(d, besides Duration) bool {
	return t.State == Measured && t.Low+t.Uncertainty+Slack(d)+besides < d
}

// Slack is what two lengths of time may differ by and still be the same limit: 0.1 s
// or 2 %, which is what a probe promises to be within.
func Slack(d Duration) Duration { return max(d/50, Duration(100*time.Millisecond)) }

// Figure is the limit as findings have it, in ms: without a value where waiting ended
// first, and with neither where it is not known.
func (t Timeout) Figure(name string) finding.Figure {
	f := finding.Figure{Name: name, Unit: "ms"}
	low, high, ok := t.Interval()
	if !ok {
		return f
	}
	ms := func(d Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }
	i := finding.Interval{Low: linger.Known(ms(low)), N: t.N}
	if t.State == Measured {
		f.Value, i.High = linger.Known(ms(t.Median)), linger.Known(ms(high))
	}
	f.Interval = linger.Known(i)
	return f
}

// String tells a count: "100", "at least 80", "not measured".
func (c Count) String() string {
	switch c.State {
	case Measured:
		return strconv.Itoa(c.N)
	case AtLeast:
		return "at least " + strconv.Itoa(c.N)
	}
	return string(Unknown)
}

// String tells what becomes of pipelined requests: "8 of 8, in order".
func (p Pipelining) String() string {
	if p.State != Measured {
		return string(Unknown)
	}
	text := strconv.Itoa(p.Answered) + " of " + strconv.Itoa(p.Sent)
	switch ordered, known := p.InOrder.Get(); {
	case !known:
	case ordered:
		text += ", in order"
	default:
		text += ", out of order"
	}
	return text
}

// String tells a length of time that was set or announced: "5 s", "250 ms".
func (d Duration) String() string { return finding.Lasting(float64(d) / 1e6) }

// precision is the step that a lower bound is told in.
func precision(d Duration) time.Duration {
	if d < Duration(time.Second) {
		return time.Millisecond
	}
	return 100 * time.Millisecond
}

// String tells a reason in the protocol's words: GOAWAY ENHANCE_YOUR_CALM "too many"; of
// none it is empty.
func (c *Closing) String() string {
	if c == nil {
		return ""
	}
	s := c.Frame + " " + c.Code
	if c.Text != "" {
		s += " " + strconv.Quote(c.Text)
	}
	return s
}

// Told is how a connection ended, with the code and the text of the frame that said so,
// unless they say no more than that: "GOAWAY ENHANCE_YOUR_CALM "too many", FIN".
func (e Ending) Told(why *Closing) string {
	if why == nil || !why.Error && why.Text == "" {
		return string(e)
	}
	if before, after, ok := strings.Cut(string(e), why.Frame); ok {
		return before + why.String() + after
	}
	return string(e) + "; " + why.String()
}

// Allows is how many requests a connection may carry by what was announced with its first
// response.
func (a Announced) Allows() (n int, said bool) {
	n, said = a.Max.Get()
	if a.MaxFalls {
		n++
	}
	return n, said
}

// Contradicts reports whether a count cannot be what was announced: a max that falls may
// count the response that it comes with.
func (a Announced) Contradicts(c Count) bool {
	n, said := a.Allows()
	switch {
	case !said:
		return false
	case c.State == Measured:
		return c.N != n && !(a.MaxFalls && c.N == n-1)
	}
	return c.State == AtLeast && c.N > n
}

// Outcomes counts the cases of each outcome.
func (p *Profile) Outcomes() map[Outcome]int {
	n := map[Outcome]int{}
	for _, r := range p.Cases {
		n[r.Outcome]++
	}
	return n
}

// Strict makes failures of those warnings that are of a standard: SHOULD counts as MUST.
func (p *Profile) Strict() {
	for i, r := range p.Cases {
		if r.Level == Should && r.Outcome == Warn {
			p.Cases[i].Outcome = Fail
		}
	}
}

// Offers reports whether the server offers the protocol; known is false where that
// could not be found out.
func (p *Protocol) Offers() (offers, known bool) {
	return p.Offered, p.Offered || p.Declined
}
