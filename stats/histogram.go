package stats

import (
	"encoding/json"
	"errors"
	"math"
	"math/bits"
)

// A Histogram counts values that are not negative, such as durations in nanoseconds,
// without keeping them. It takes 15 KB whatever it counts, and nothing in it allocates.
// The zero Histogram is empty and ready for use.
//
// Values below 64 have a bucket each. Above, each power of two is divided into 32 buckets,
// so that a bucket is at most 1/32 wider than its least value (HistogramError).
type Histogram struct {
	buckets [(64 - histogramBits) << histogramBits]int64
	n, max  int64
}

const histogramBits = 5

// HistogramError bounds the relative error of a quantile of a Histogram: it is never below
// the exact one, and by less than this share of it above.
const HistogramError = 1.0 / (1 << histogramBits)

// Add counts n values of v; a negative v counts as 0.
func (h *Histogram) Add(v int64, n int) {
	v = max(v, 0)
	h.buckets[bucketOf(v)] += int64(n)
	h.n += int64(n)
	h.max = max(h.max, v)
}

// Merge counts all that o has counted, too.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// N returns how many values were counted.
func (h *Histogram) N() int64 { return h.n }

// Max returns the greatest value, exactly; false when there is none.
func (h *Histogram) Max() (int64, bool) { return h.max, h.n > 0 }

// Quantile returns the least value at or below which a share q of all lies, 0 to 1, within
// HistogramError; false when there is none. Of a Sample that is NearestRank.
func (h *Histogram) Quantile(q float64) (int64, bool) {
	if h.n == 0 {
		return 0, false
	}
	left := nearestRank(q, h.n)
	for i, n := range h.buckets {
		if left -= n; left <= 0 {
			return min(bucketTop(i), h.max), true
		}
	}
	return h.max, true
}

// A histogramDocument is a Histogram in JSON: buckets that count something, by their number.
type histogramDocument struct {
	N       int64      `json:"n"`
	Max     int64      `json:"max"`
	Buckets [][2]int64 `json:"buckets"`
}

// MarshalJSON writes what was counted: {"n", "max", "buckets": [[NUMBER, COUNT], …]}. Bucket
// NUMBER ends at NUMBER where that is below 64, and else, with s = NUMBER/32 - 1, at
// ((NUMBER - 32 s + 1) << s) - 1.
func (h Histogram) MarshalJSON() ([]byte, error) {
	d := histogramDocument{N: h.n, Max: h.max, Buckets: [][2]int64{}}
	for i, n := range h.buckets {
		if n > 0 {
			d.Buckets = append(d.Buckets, [2]int64{int64(i), n})
		}
	}
	return json.Marshal(d)
}

// UnmarshalJSON reads what MarshalJSON writes; what does not add up is an error.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var d histogramDocument
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	*h = Histogram{n: d.N, max: d.Max}
	sum, last := int64(0), int64(-1)
	for _, one := range d.Buckets {
		i, n := one[0], one[1]
		if i <= last || i >= int64(len(h.buckets)) || n <= 0 || n > d.N-sum {
			return errHistogram
		}
		h.buckets[i], last, sum = n, i, sum+n
	}
	if sum != d.N || d.Max < 0 || d.N == 0 && d.Max != 0 || d.N > 0 && bucketOf(d.Max) != int(last) {
		return errHistogram
	}
	return nil
}

var errHistogram = errors.New("a histogram's buckets do not come to what it says that it counted")

// Each calls f with each bucket that counted something: the greatest value of it and how many it
// counted, least values first.
func (h *Histogram) Each(f func(top, n int64)) {
	for i, n := range h.buckets {
		if n > 0 {
			f(min(bucketTop(i), h.max), n)
		}
	}
}

// nearestRank returns which of n values in order, from 1, is the least at or below which a
// share q of them lies.
func nearestRank(q float64, n int64) int64 {
	return min(max(int64(math.Ceil(q*float64(n))), 1), n)
}

// bucketOf returns the bucket of v: the exponent counts the powers of two, and the bits
// after the first one count within.
func bucketOf(v int64) int {
	shift := max(bits.Len64(uint64(v))-histogramBits-1, 0)
	return shift<<histogramBits + int(v>>shift)
}

// bucketTop returns the greatest value of a bucket.
func bucketTop(bucket int) int64 {
	shift := max(bucket>>histogramBits-1, 0)
	v := int64(bucket - shift<<histogramBits)
	return (v+1)<<shift - 1
}
