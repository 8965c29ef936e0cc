package finding

import (
	"math"
	"strconv"
	"strings"

	"linger"
)

// Decimals returns how many digits after the point v may show: the last one is
// the uncertainty's first, but three significant digits at most. An uncertainty of 0 or less
// is not known. It is negative where digits before the point are uncertain.
func Decimals(v, uncertainty float64) int {
	if v == 0 {
		return 0
	}
	first := int(math.Floor(math.Log10(math.Abs(v))))
	last := first - 2
	if uncertainty > 0 {
		last = min(first, max(last, int(math.Floor(math.Log10(uncertainty)))))
	}
	return -last
}

// Fixed writes v with so many decimals; with fewer than none it is rounded to
// tens, hundreds and so on.
func Fixed(v float64, decimals int) string {
	if decimals < 0 {
		unit := math.Pow10(-decimals)
		return strconv.FormatFloat(math.Round(v/unit)*unit, 'f', 0, 64)
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-") // less than nothing by less than can be shown
	}
	return s
}

// PlusMinus writes a value and how far off it may be: "5.001", "0.002". The uncertainty's
// first digit is the last, with three behind the point at most, and is rounded up: what
// is shown is never surer than what was found. Where it is 0 or less, nothing is written.
func PlusMinus(v, uncertainty float64) (value, off string) {
	n := behind(uncertainty)
	if value = Fixed(v, n); uncertainty > 0 {
		step := math.Pow10(-n)
		off = Fixed(math.Ceil(uncertainty/step-1e-9)*step, n)
	}
	return value, off
}

// Range writes two values between which others lie, to the digits that tell a tenth of
// what lies between, and rounded to its outside: "4.998–5.002". What is shown is never
// surer than what was found.
func Range(low, high float64) string {
	n := behind((high - low) / 10)
	step := math.Pow10(-n)
	from, to := Fixed(math.Floor(low/step+1e-9)*step, n), Fixed(math.Ceil(high/step-1e-9)*step, n)
	for n > 0 && strings.HasSuffix(from, "0") && strings.HasSuffix(to, "0") {
		from, to = strings.TrimSuffix(from[:len(from)-1], "."), strings.TrimSuffix(to[:len(to)-1], ".")
		n--
	}
	if from == to {
		return from
	}
	return from + "–" + to
}

// Span writes the two ends of an interval, to the digits that tell them apart, with three
// behind the point at most: "10.54–10.62". Ends that are alike are one.
func Span(low, high float64) string {
	n := behind(high - low)
	if a, b := Fixed(low, n), Fixed(high, n); a != b {
		return a + "–" + b
	}
	return Fixed(low, n)
}

// Times writes how many times as long something takes: "1.04", "3.2", "16".
func Times(ratio float64) string {
	switch {
	case ratio < 1.095:
		return Fixed(ratio, 2)
	case ratio < 9.95:
		return Fixed(ratio, 1)
	}
	return Fixed(ratio, 0)
}

// behind is how many digits behind the point an uncertainty leaves, three at most.
func behind(uncertainty float64) int {
	if uncertainty <= 0 {
		return 3
	}
	return min(3, max(0, int(math.Ceil(-math.Log10(uncertainty)-1e-9))))
}

// Duration writes a time in ms, with its unit: "6.94 s", "812 ms". The uncertainty, in
// ms too, decides the digits.
func Duration(ms, uncertainty float64) string { return InSteps(ms, Step(ms, uncertainty)) }

// Waited writes a sum of waiting in ms: to a hundredth of it, and no finer than captures
// are worth, 10 µs.
func Waited(ms float64) string { return Duration(ms, max(ms/100, 0.01)) }

// Step is what the last digit that Duration shows counts, in ms: 10 in "6.94 s".
func Step(ms, uncertainty float64) float64 {
	if math.Abs(ms) >= 1000 {
		return math.Pow10(3 - Decimals(ms/1000, uncertainty/1000))
	}
	return math.Pow10(-Decimals(ms, uncertainty))
}

// InSteps writes a time in ms to the nearest step, a power of ten.
func InSteps(ms, step float64) string {
	decimals := -int(math.Round(math.Log10(step)))
	if math.Abs(ms) >= 1000 {
		return Fixed(ms/1000, decimals+3) + " s"
	}
	return Fixed(ms, decimals) + " ms"
}

// Shown is a time in ms as Duration writes it. Sums are made of these, so that
// whoever calculates them again from what stands there finds the same.
func Shown(ms, uncertainty float64) float64 {
	s := Step(ms, uncertainty)
	return math.Round(ms/s) * s
}

// fine is how many steps of what is shown of two times are enough to take their
// difference from.
const fine = 20

// Apart returns how much longer one of two times is than the other, in ms, and the
// step to show that in: the coarser of those that the two are shown in by themselves, or,
// where that is too coarse for it, the finest that their uncertainty leaves. Beside writes the
// two so that whoever subtracts them finds the same.
func Apart(a, b Figure) (ms, step float64) {
	slow, fast := a, b
	if slow.Value.Or(0) < fast.Value.Or(0) {
		slow, fast = fast, slow
	}
	long, short := slow.Value.Or(0), fast.Value.Or(0)
	if long == short {
		return 0, 1
	}
	step = max(Step(long, slow.Uncertainty()), Step(short, fast.Uncertainty()))
	if long-short < fine*step {
		step = min(step, Step(long-short, slow.Uncertainty()+fast.Uncertainty()))
	}
	// A difference is that of the figures as they are shown beside it.
	return math.Round((slow.beside(step)-fast.beside(step))/step) * step, step
}

// Beside writes a time beside its difference from another, of which Apart has returned the
// step: with the digits that it has by itself, and as many as the difference has.
func (f Figure) Beside(step float64) string {
	return InSteps(f.Value.Or(0), min(step, Step(f.Value.Or(0), f.Uncertainty())))
}

// beside is the number that Beside writes.
func (f Figure) beside(step float64) float64 {
	step = min(step, Step(f.Value.Or(0), f.Uncertainty()))
	return math.Round(f.Value.Or(0)/step) * step
}

// Share writes a share of 1 in whole per cent: "41 %", "under 1 %".
func Share(v float64) string {
	if v > 0 && v < 0.005 {
		return "under 1 %"
	}
	return strconv.FormatFloat(100*v, 'f', 0, 64) + " %"
}

// SignedShare is a share in whole per cent that may be less than nothing: what it costs.
func SignedShare(v float64) string {
	if v < 0 {
		return "−" + Share(-v)
	}
	return Share(v)
}

// SharpShare is a share that says neither 0 nor 100 % of what is not.
func SharpShare(v float64) string {
	if v > 0.995 && v < 1 {
		return Fixed(min(99.9, 100*v), 1) + " %"
	}
	return Share(v)
}

// Quotient returns a / b, and its uncertainty from theirs: relative uncertainties add up.
func Quotient(a, uncertainA, b, uncertainB float64) (q, uncertainty float64) {
	q = a / b
	return q, uncertainA/b + q*uncertainB/b
}

// InBrackets writes a share of 1 to stand behind what it is a share of, " (41 %)",
// or nothing where its uncertainty exceeds it. The uncertainty decides the digits, as far as no
// part becomes the whole thereby.
func InBrackets(v, uncertainty float64) string {
	if uncertainty > v {
		return ""
	}
	coarse := Fixed(100*v, min(0, Decimals(100*v, 100*uncertainty)))
	if v < 0.1 || v < 1 && coarse == "100" {
		return " (" + Share(v) + ")"
	}
	return " (" + coarse + " %)"
}

// Count writes a count, which a median of an even number of trials may halve.
func Count(v float64) string {
	if v == math.Trunc(v) || v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// Setting writes a number that was set, not measured, to four digits.
func Setting(v float64) string { return Trimmed(v, max(0, Decimals(v, 0)+1)) }

// Lasting writes a time in ms that was set or announced, not measured, to the
// microsecond: "2 s", "250 ms".
func Lasting(ms float64) string {
	if math.Abs(ms) >= 1000 {
		return Trimmed(ms/1000, 3) + " s"
	}
	return Trimmed(ms, 3) + " ms"
}

// Instant writes a point in time with the unit that suits it.
func Instant(t linger.Instant) string {
	switch ms := t.Milliseconds(); {
	case ms >= 1000:
		return Trimmed(ms/1000, 2) + " s"
	default:
		return Trimmed(ms, 2) + " ms"
	}
}

// Bytes writes a size in the largest unit that leaves a number of at least 1:
// "212 B", "6.5 kB".
func Bytes(n float64) string {
	for _, u := range []struct {
		unit  string
		scale float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if n >= u.scale {
			v := n / u.scale
			return Fixed(v, max(0, min(1, Decimals(v, 0)))) + " " + u.unit
		}
	}
	return Fixed(n, 0) + " B"
}

// KB writes bytes in kB, with a decimal where there are few: "6.5", "14".
func KB(n float64) string {
	if n < 10_000 {
		return Fixed(n/1000, 1)
	}
	return WholeKB(n)
}

// WholeKB writes bytes in kB, without decimals.
func WholeKB(n float64) string { return Fixed(n/1000, 0) }

// Tenth writes a number with one decimal.
func Tenth(v float64) string { return Fixed(v, 1) }

// RTTs writes a number of round trips, with halves of one only where there are few.
func RTTs(n float64) string {
	if math.Abs(n) < 10 {
		return Tenth(n)
	}
	return Fixed(n, 0)
}

// Plural writes a count with what is counted: "1 trial", "3 queries", "2.5 packets".
func Plural(n float64, word string) string {
	if n == 1 {
		return linger.Plural(1, word)
	}
	return Count(n) + strings.TrimPrefix(linger.Plural(2, word), "2")
}

// Exact writes all digits of a number.
func Exact(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// Trimmed writes v with as few decimals as it has, and so many at most.
func Trimmed(v float64, decimals int) string {
	s := Fixed(v, decimals)
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// Count0 writes a count without decimals, whatever it is a mean of.
func Count0(v float64) string { return strconv.FormatFloat(math.Round(v), 'f', 0, 64) }

// Joined writes two numbers that are written already as from and to: "62–71 %", "4 s–8 s".
func Joined(low, high string) string {
	number, unit, _ := strings.Cut(low, " ")
	if _, other, _ := strings.Cut(high, " "); other == unit {
		return number + "–" + high
	}
	return low + "–" + high
}
