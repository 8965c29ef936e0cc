package finding

import (
	"math"
	"testing"

	"linger"
)

func TestNumbersAreWritten(t *testing.T) {
	for _, test := range []struct {
		ms, uncertainty float64
		want            string
	}{
		{6938, 0, "6.94 s"}, {6938, 12, "6.94 s"}, {6938, 120, "6.9 s"}, {6938, 5000, "7 s"}, {6938, 50_000, "7 s"},
		{812.4, 0, "812 ms"}, {812.4, 30, "810 ms"}, {812.4, 1, "812 ms"}, {0.4321, 0, "0.432 ms"}, {0, 3, "0 ms"}, {-1500, 0, "-1.50 s"}, {999.9, 0.1, "1000 ms"},
		{65_432, 0, "65.4 s"}, {654_321, 0, "654 s"}, {654_321, 20_000, "650 s"},
	} {
		if got := Duration(test.ms, test.uncertainty); got != test.want {
			t.Errorf("Duration(%v, %v) = %q; want %q", test.ms, test.uncertainty, got, test.want)
		}
	}
	for v, want := range map[float64]string{-0.04: "0.0", -0.06: "-0.1", 0: "0.0", -10: "-10.0"} {
		if got := Fixed(v, 1); got != want {
			t.Errorf("Fixed(%v, 1) = %q; want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0 %", 0.001: "under 1 %", 0.414: "41 %", 1.2: "120 %"} {
		if got := Share(v); got != want {
			t.Errorf("Share(%v) = %q; want %q", v, got, want)
		}
	}
	for _, test := range []struct {
		a, uncertainA, b, uncertainB float64
		want                         string
	}{
		{1.47, 0, 2.91, 0, " (51 %)"},
		{1.47, .01, 2.91, .02, " (51 %)"},
		{1.47, .2, 2.91, .3, " (50 %)"},
		{1.47, .5, 2.91, 1, " (50 %)"},
		{1.47, 1, 2.91, 1, ""},
		{.01, .001, 2.91, .1, " (under 1 %)"},
		{2.9, .3, 2.95, .1, " (98 %)"},
		{8, 0, 2, 0, " (400 %)"},
	} {
		if got := InBrackets(Quotient(test.a, test.uncertainA, test.b, test.uncertainB)); got != test.want {
			t.Errorf("%+v gives %q", test, got)
		}
	}
	for v, want := range map[float64]string{41: "41", 1.5: "1.5", 1000.5: "1000"} {
		if got := Count(v); got != want {
			t.Errorf("Count(%v) = %q; want %q", v, got, want)
		}
	}
}

func TestDoubtsAreWritten(t *testing.T) {
	for _, test := range []struct {
		v, uncertainty float64
		value, off     string
	}{
		{5.001, 0.002, "5.001", "0.002"}, {5.001, 0.012, "5.00", "0.02"}, {75, 2.1, "75", "3"}, {250, 0.2, "250.0", "0.2"}, {5, 0.0001, "5.000", "0.001"}, {5, 0, "5.000", ""},
	} {
		if value, off := PlusMinus(test.v, test.uncertainty); value != test.value || off != test.off {
			t.Errorf("%v, %v: %q, %q; want %q, %q", test.v, test.uncertainty, value, off, test.value, test.off)
		}
	}
	for want, got := range map[string]string{"5–10": Range(5, 10), "5–60": Range(5, 60), "5": Range(5, 5)} {
		if got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestSettingsAndSizes(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Setting(70), "70"}, {Setting(1.5), "1.5"}, {Setting(0.1234567), "0.1235"},
		{Lasting(5000), "5 s"}, {Lasting(250), "250 ms"}, {Lasting(1500.25), "1.5 s"}, {Lasting(-1500), "-1.5 s"},
		{Bytes(212), "212 B"}, {Bytes(6543), "6.5 kB"}, {Bytes(65_432), "65.4 kB"}, {Bytes(2e9), "2.0 GB"},
		{Plural(1, "trial"), "1 trial"}, {Plural(3, "query"), "3 queries"}, {Plural(2.5, "packet"), "2.5 packets"}, {Plural(0, "trial"), "0 trials"},
		{Trimmed(1.50, 2), "1.5"}, {Trimmed(100, 2), "100"}, {Trimmed(0.001, 2), "0"},
	} {
		if test.got != test.want {
			t.Errorf("%q; want %q", test.got, test.want)
		}
	}
}

// The difference is that of the two times in the steps that are shown, whichever those are:
// who subtracts finds the same.
func TestApart(t *testing.T) {
	about := func(ms, reach float64) Figure {
		f := Number("time", ms, "ms")
		f.Interval = linger.Known(Interval{Low: linger.Known(ms - reach), High: linger.Known(ms + reach)})
		return f
	}
	for _, test := range []struct {
		a, b     Figure
		ms, step float64
	}{
		{about(7338, 10), about(3442, 10), 3900, 10}, // 7.34 s less 3.44 s
		{about(3442, 10), about(7338, 10), 3900, 10}, // whichever comes first
		{about(10_260, 60), about(10_221, 3), 40, 10},
		{Number("", 3.45, "ms"), Number("", 3.43, "ms"), 0.02, 0.0001},
		{Number("", 7, "ms"), Number("", 7, "ms"), 0, 1},
	} {
		if ms, step := Apart(test.a, test.b); math.Abs(ms-test.ms) > 1e-9 || step != test.step {
			t.Errorf("%v and %v are %v apart, to %v; want %v to %v", test.a.Value, test.b.Value, ms, step, test.ms, test.step)
		}
	}
}

func TestWaited(t *testing.T) {
	for ms, want := range map[float64]string{0.016: "0.02 ms", 3.084: "3.08 ms", 1713: "1.71 s", 123456: "123 s"} {
		if got := Waited(ms); got != want {
			t.Errorf("Waited(%v) = %q; want %q", ms, got, want)
		}
	}
}

func TestSpansAndRatios(t *testing.T) {
	for _, x := range []struct{ got, want string }{
		{Span(10.541, 10.622), "10.54–10.62"}, {Span(2.4001, 2.4002), "2.400"}, {Span(1, 12.3), "1–12"}, {Span(0.952, 0.957), "0.952–0.957"},
		{Times(1), "1.00"}, {Times(1.094), "1.09"}, {Times(1.1), "1.1"}, {Times(9.94), "9.9"}, {Times(9.96), "10"}, {Times(16.2), "16"},
	} {
		if x.got != x.want {
			t.Errorf("%s; want %s", x.got, x.want)
		}
	}
}

func TestShares(t *testing.T) {
	for got, want := range map[string]string{
		SignedShare(-0.03): "−3 %", SignedShare(0.41): "41 %", SignedShare(0): "0 %",
		SharpShare(1): "100 %", SharpShare(0.999): "99.9 %", SharpShare(0.9999): "99.9 %", SharpShare(0.001): "under 1 %",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
