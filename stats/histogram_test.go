package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBucketsAreNarrowAndInOrder(t *testing.T) {
	previous := -1
	for v := int64(0); v < 3_600e9; v += 1 + v/1000 {
		i := bucketOf(v)
		if i < previous {
			t.Fatalf("%d is in bucket %d, after %d", v, i, previous)
		}
		previous = i
		if top := bucketTop(i); top < v || float64(top-v) >= HistogramError*float64(v) && top != v {
			t.Fatalf("%d is in the bucket up to %d", v, top)
		}
		if i > 0 && bucketTop(i-1) >= v {
			t.Fatalf("%d is in the bucket after the one up to %d", v, bucketTop(i-1))
		}
	}
	last := len(Histogram{}.buckets) - 1
	if i := bucketOf(math.MaxInt64); i > last {
		t.Fatalf("the greatest value is in bucket %d of %d", i, last)
	}
}

// A quantile is that of nearest rank or less than HistogramError above it, whatever the
// values are and in however many parts they were counted.
func TestHistogramQuantileIsWithinItsError(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	draws := map[string]func() int64{
		"exponential":       func() int64 { return int64(rng.ExpFloat64() * 50_000) },
		"over all powers":   func() int64 { return rng.Int64() >> rng.IntN(63) },
		"small":             func() int64 { return rng.Int64N(100) },
		"two far apart":     func() int64 { return []int64{3, 1 << 40}[rng.IntN(2)] },
		"at powers of two":  func() int64 { return 1<<rng.IntN(62) + rng.Int64N(3) - 1 },
		"all the same":      func() int64 { return 1_000_001 },
		"the greatest ones": func() int64 { return math.MaxInt64 - rng.Int64N(1000) },
	}
	for name, draw := range draws {
		for range 60 {
			size := 1 + rng.IntN(400)
			var all []int64
			parts := make([]Histogram, 1+rng.IntN(3))
			for len(all) < size {
				v, n := draw(), 1+rng.IntN(3)
				parts[rng.IntN(len(parts))].Add(v, n)
				all = append(all, slices.Repeat([]int64{v}, n)...)
			}
			var h Histogram
			for i := range parts {
				h.Merge(&parts[i])
			}
			slices.Sort(all)
			values := make([]float64, len(all))
			for i, v := range all {
				values[i] = float64(v)
			}
			if most, ok := h.Max(); !ok || most != all[len(all)-1] || h.N() != int64(len(all)) {
				t.Fatalf("%s: %d values up to %d, %v; want %d up to %d", name, h.N(), most, ok, len(all), all[len(all)-1])
			}
			for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1, rng.Float64()} {
				exact := all[max(int(math.Ceil(q*float64(len(all)))), 1)-1]
				if v, ok := New(values...).NearestRank(q); !ok || v != float64(exact) {
					t.Fatalf("%s: the nearest rank of %v of %d values is %v, %v; want %d", name, q, len(all), v, ok, exact)
				}
				got, ok := h.Quantile(q)
				if !ok || got < exact || float64(got-exact) > HistogramError*float64(exact) {
					t.Fatalf("%s: quantile %v of %d values is %d, %v; exactly %d", name, q, len(all), got, ok, exact)
				}
			}
		}
	}
}

func TestHistogramOfNothing(t *testing.T) {
	var h Histogram
	h.Merge(&Histogram{})
	if v, ok := h.Quantile(0.5); ok || v != 0 {
		t.Errorf("a quantile of nothing is %d, %v", v, ok)
	}
	if v, ok := h.Max(); ok || v != 0 || h.N() != 0 {
		t.Errorf("the greatest of %d values is %d, %v", h.N(), v, ok)
	}
	h.Add(-5, 2)
	if v, ok := h.Quantile(0.5); !ok || v != 0 || h.N() != 2 {
		t.Errorf("two negative values are %d, %v; want 0 twice", v, ok)
	}
}

func TestHistogramAllocatesNothing(t *testing.T) {
	h, o := &Histogram{}, &Histogram{}
	if n := testing.AllocsPerRun(100, func() {
		h.Add(12345, 1)
		h.Merge(o)
		h.Quantile(0.99)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHistogram(b *testing.B) {
	h := &Histogram{}
	b.ReportAllocs()
	v := int64(1)
	for b.Loop() {
		v = v*6364136223846793005 + 1442695040888963407
		h.Add(v>>34&0xfffffff, 1)
	}
}
