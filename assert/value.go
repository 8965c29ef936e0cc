package assert

import (
	"cmp"
	"fmt"
	"math"

	"linger/finding"
)

// A Kind is what a value can be compared with.
type Kind string

const (
	Time   Kind = "a time"   // in seconds
	Number Kind = "a number" // a count, a version, a status
	Size   Kind = "a size"   // in bytes
	Share  Kind = "a share"  // 0 to 1
	YesNo  Kind = "yes or no"
	Text   Kind = "a text"
)

// A Value is what is known of a figure: that it lies between two bounds, which are the
// same where it is exact.
type Value struct {
	Low, High float64
	// Same is what it may differ by from another value and still count as the same.
	Same float64
	// Text is a word, of the kind Text. Of YesNo Low is 1 or 0.
	Text string
	// Said is how the value is told; "" leaves that to the kind.
	Said string
	// Why is the reason that it is not known; "" where it is.
	Why string
}

// Exactly is a value that is known for sure, as a count is.
func Exactly(v float64) Value { return Value{Low: v, High: v} }

// Between is a value of which an interval is known.
func Between(low, high float64) Value { return Value{Low: low, High: high} }

// From is a value of which a lower bound is known.
func From(low float64) Value { return Value{Low: low, High: math.Inf(1)} }

// Is is a yes or a no.
func Is(yes bool) Value {
	if yes {
		return Exactly(1)
	}
	return Exactly(0)
}

// Word is a text.
func Word(text string) Value { return Value{Text: text} }

// Unknown is a value that is not known, for a reason.
func Unknown(why string) Value { return Value{Why: cmp.Or(why, "it was not measured")} }

// Telling is the value, told in those words.
func (v Value) Telling(said string) Value {
	v.Said = said
	return v
}

// Need is the value where n samples carry it, least being needed; else it is not known.
// The word is one sample's: "trial".
func (v Value) Need(n, least int, word string) Value {
	if n >= least || !v.known() {
		return v
	}
	return Unknown(fmt.Sprintf("of %s; %d are needed", finding.Plural(float64(n), word), least))
}

// Least is how many samples a quantile needs, 0 <= q < 1: so many that one of them is
// expected to exceed it (20 of the 95th percentile, 100 of the 99th), and 5 of the
// median, whose interval of least and greatest then holds the true one with 94 %.
func Least(q float64) int { return max(5, int(math.Ceil(1/(1-q)-1e-9))) }

// OfFigure is the value of a finding's figure.
func OfFigure(f finding.Figure) Value {
	v, known := f.Value.Get()
	i, bounded := f.Interval.Get()
	switch {
	case !known && !bounded && f.Text != "":
		return Word(f.Text)
	case !known && (!bounded || i.Low.IsZero()):
		return Unknown("it was not measured")
	}
	by := 1.0
	if f.Unit == "ms" {
		by = 1000
	}
	if !bounded {
		return Exactly(v / by)
	}
	return Between(i.Low.Or(math.Inf(-1))/by, i.High.Or(math.Inf(1))/by)
}

func (v Value) known() bool { return v.Why == "" }

// told writes the value.
func (v Value) told(k Kind) string {
	switch {
	case v.Said != "":
		return v.Said
	case k == Text:
		return v.Text
	case k == YesNo && v.Low == 1:
		return "so"
	case k == YesNo:
		return "not so"
	case math.IsInf(v.High, 1):
		return "at least " + k.write(v.Low)
	case v.Low != v.High:
		return k.write(v.Low) + " to " + k.write(v.High)
	}
	return k.write(v.Low)
}

// write tells a bound, with all digits that can decide a comparison.
func (k Kind) write(v float64) string {
	switch {
	case k == Time:
		return finding.Lasting(1000 * v)
	case k == Size && v >= 1000:
		return finding.Trimmed(v/1000, 3) + " kB"
	case k == Size:
		return finding.Trimmed(v, 0) + " B"
	case k == Share:
		return finding.Trimmed(100*v, 2) + " %"
	}
	return finding.Trimmed(v, 3)
}

// An order is how one value stands to another.
type order int

func (o order) satisfies() []string {
	switch {
	case o < 0:
		return []string{"<", "<=", "!="}
	case o > 0:
		return []string{">", ">=", "!="}
	}
	return []string{"<=", ">=", "=="}
}

// compare orders two values; ok is false where the order cannot be told. Values that
// differ by no more than the doubt about them are the same, as long as that doubt is
// no more than they say it may be.
func (v Value) compare(w Value) (o order, ok bool) {
	if !v.known() || !w.known() {
		return 0, false
	}
	near := max(v.Same, w.Same)
	middle := func(v Value) float64 { return (v.Low + v.High) / 2 }
	sure := !math.IsInf(v.High, 1) && !math.IsInf(w.High, 1)
	switch {
	case sure && v.High-v.Low <= 2*near && w.High-w.Low <= 2*near && math.Abs(middle(v)-middle(w)) <= near:
		return 0, true
	case v.High < w.Low:
		return -1, true
	case v.Low > w.High:
		return 1, true
	}
	return 0, false
}

// undecided is what follows of an operator for values of which the order is not
// known: a lower bound of 20 s is >= 20 s, whatever the limit is.
func undecided(op string, l, r Value) Truth {
	switch {
	case l.Low >= r.High && op == ">=", l.High <= r.Low && op == "<=":
		return Holds
	case l.Low >= r.High && op == "<", l.High <= r.Low && op == ">":
		return Broken
	}
	return NotKnown
}
