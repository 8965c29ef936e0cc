package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestIntervalReachesWhatTheSampleSizeAllows(t *testing.T) {
	for _, test := range []struct {
		values     []float64
		want       Estimate
		confidence string // code of the warning
	}{
		{[]float64{7}, Estimate{Value: 7, Low: 7, High: 7}, "confidence"},
		{[]float64{2, 1}, Estimate{Value: 1.5, Low: 1, High: 2, Confidence: 0.5}, "confidence"},
		{[]float64{3, 1, 2}, Estimate{Value: 2, Low: 1, High: 3, Confidence: 0.75}, "confidence"},
		{[]float64{5, 4, 3, 2, 1}, Estimate{Value: 3, Low: 1, High: 5, Confidence: 0.9375}, "confidence"},
		{[]float64{6, 5, 4, 3, 2, 1}, Estimate{Value: 3.5, Low: 1, High: 6, Confidence: 0.96875}, ""},
		{[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}, Estimate{Value: 5, Low: 2, High: 8, Confidence: 0.9609375}, ""},
	} {
		got, ok := New(test.values...).Interval()
		if !ok || !near(got.Value, test.want.Value) || got.Low != test.want.Low || got.High != test.want.High || !near(got.Confidence, test.want.Confidence) {
			t.Errorf("Interval(%v) = %+v, %v; want %+v", test.values, got, ok, test.want)
		}
		if (len(got.Warnings) > 0) != (test.confidence != "") {
			t.Errorf("Interval(%v) warns %v; want %q", test.values, got.Warnings, test.confidence)
		}
	}
}

func TestUnknownIsNotZero(t *testing.T) {
	s := New(math.NaN(), math.Inf(1))
	if _, ok := s.Median(); ok {
		t.Error("a sample of nothing has a median")
	}
	if _, ok := s.Interval(); ok {
		t.Error("a sample of nothing has an interval")
	}
	if _, ok := s.NearestRank(0.5); ok {
		t.Error("a sample of nothing has a value of some rank")
	}
	if _, ok := Ratio(New(1, 2), s); ok {
		t.Error("a ratio to nothing is known")
	}
	if _, ok := Ratio(New(1, 2), New(0, 1)); ok {
		t.Error("a ratio to what may be zero is known")
	}
	if c := Compare(s, New(1)); c.Differs() || len(c.Warnings) == 0 {
		t.Errorf("Compare with nothing = %+v", c)
	}
}

func TestQuantile(t *testing.T) {
	s := New(40, 10, 30, 20)
	for _, test := range []struct{ q, want float64 }{{0, 10}, {0.5, 25}, {0.99, 39.7}, {1, 40}, {-1, 10}, {2, 40}} {
		if got, _ := s.Quantile(test.q); !near(got, test.want) {
			t.Errorf("Quantile(%v) = %v; want %v", test.q, got, test.want)
		}
	}
}

func TestValuesAreNotReordered(t *testing.T) {
	values := []float64{3, 1, 2}
	New(values...).Interval()
	if values[0] != 3 || values[1] != 1 {
		t.Errorf("the caller's values became %v", values)
	}
}

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		name    string
		a, b    []float64
		differs bool
		warning string
	}{
		{"five apart", []float64{1, 2, 3, 4, 5}, []float64{6, 7, 8, 9, 10}, true, ""},
		{"five mixed", []float64{1, 3, 5, 7, 9}, []float64{2, 4, 6, 8, 10}, false, ""},
		{"three can never differ", []float64{1, 2, 3}, []float64{6, 7, 8}, false, "test"},
		{"all equal", []float64{1, 1, 1, 1}, []float64{1, 1, 1, 1}, false, "equal"},
	} {
		got := Compare(New(test.a...), New(test.b...))
		code := ""
		if len(got.Warnings) > 0 {
			code = got.Warnings[0].Code
		}
		if got.Differs() != test.differs || code != test.warning {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	// 2 of the 252 ways to share ten ranks among two are as far apart.
	if got := Compare(New(1, 2, 3, 4, 5), New(6, 7, 8, 9, 10)); !near(got.P, 2.0/252) {
		t.Errorf("P = %v; want 2/252", got.P)
	}
}

// The intervals hold the truth as often as they say, on a skewed distribution.
func TestCoverage(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(scale float64) Sample {
		v := make([]float64, 5)
		for i := range v {
			v[i] = scale * (1 + r.ExpFloat64())
		}
		return New(v...)
	}
	truth := 1 + math.Ln2
	const rounds = 20_000
	var median, ratio int
	for range rounds {
		a, b := draw(3), draw(1)
		if e, _ := b.Interval(); e.Low <= truth && truth <= e.High {
			median++
		}
		if e, _ := Ratio(a, b); e.Low <= 3 && 3 <= e.High {
			ratio++
		}
	}
	if got := float64(median) / rounds; math.Abs(got-0.9375) > 0.01 {
		t.Errorf("the interval of a median of five held the truth in %.1f %%; want 93.75 %%", 100*got)
	}
	if got := float64(ratio) / rounds; got < 0.9375*0.9375-0.01 {
		t.Errorf("the interval of a ratio held the truth in %.1f %%; want at least %.1f %%", 100*got, 100*0.9375*0.9375)
	}
}

func BenchmarkInterval(b *testing.B) {
	s := New(5, 4, 3, 2, 1)
	for b.Loop() {
		s.Interval()
	}
}
