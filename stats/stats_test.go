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

// What did not come to an end counts as longer than anything that did.
func TestCensored(t *testing.T) {
	s := Censored([]float64{2, 1}, []float64{30})
	if m, ok := s.Median(); !ok || m != 2 || s.N() != 3 {
		t.Errorf("median %v, %v of %d", m, ok, s.N())
	}
	if e, ok := s.Interval(); !ok || e.Low != 1 || !math.IsInf(e.High, 1) || e.Confidence != 0.75 {
		t.Errorf("interval %+v", e)
	}
	if _, ok := s.AtLeast(); ok {
		t.Error("a median that is known has a bound")
	}
	// The trials that came through are not the middle.
	s = Censored([]float64{1}, []float64{30, 20})
	_, known := s.Median()
	_, interval := s.Interval()
	if least, ok := s.AtLeast(); known || interval || !ok || least != 20 {
		t.Errorf("known %v, at least %v", known, least)
	}
	if least, ok := Censored(nil, []float64{0, 0}).AtLeast(); ok {
		t.Errorf("at least %v of what nothing is known of", least)
	}
	if v, ok := s.NearestRank(0.9); ok {
		t.Errorf("nine of ten are at most %v", v)
	}
	if p := Compare(New(1, 2, 3, 4, 5), Censored(nil, []float64{9, 9, 9, 9, 9})).P; !near(p, 2.0/252) {
		t.Errorf("P = %v", p)
	}
}

// All figures are tested together: what is far apart is found beside what is not, and the
// least p is that of all orders.
func TestTogether(t *testing.T) {
	before := [][]float64{{1, 2, 3, 4, 5}, {7, 9, 8, 7, 9}, {6, 6, 6, 6, 6}}
	after := [][]float64{{101, 102, 103, 104, 105}, {9, 7, 8, 9, 7}, {6, 6, 6, 6, 6}}
	if p := Together(before, after); !near(p[0], 2.0/252) || p[1] < 0.5 || p[2] != 1 {
		t.Errorf("p = %v", p)
	}
	inf := math.Inf(1)
	if p := Together([][]float64{{1, 2, 3, 4}}, [][]float64{{inf, inf, inf, inf}}); !near(p[0], 2.0/70) {
		t.Errorf("p = %v", p)
	}
	if p := Together([][]float64{{1}}, [][]float64{{2}}); p[0] != 1 {
		t.Errorf("p = %v of one and one", p)
	}
	if p := Together(nil, nil); len(p) != 0 {
		t.Errorf("p = %v", p)
	}
	many := func(base float64) []float64 {
		v := make([]float64, 12)
		for i := range v {
			v[i] = base + float64(i%5)
		}
		return v
	}
	if p := Together([][]float64{many(1)}, [][]float64{many(100)}); p[0] > 0.001 {
		t.Errorf("p = %v of 12 and 12 far apart", p)
	}
}
