package stats_test

import (
	"fmt"

	"linger/stats"
)

// Five trials of each of two strategies, in ms; one trial of the second failed after 900 ms, and
// counts as longer than any other.
func Example() {
	keep := stats.New(410, 402, 405, 431, 408)
	closed := stats.Censored([]float64{812, 805, 830, 809}, []float64{900})

	for _, s := range []stats.Sample{keep, closed} {
		e, _ := s.Interval()
		fmt.Printf("median %.0f ms, %.0f to %.0f with %.0f %%\n", e.Value, e.Low, e.High, 100*e.Confidence)
	}
	fmt.Printf("they differ: %v\n", stats.Compare(keep, closed).Differs())
	// Output:
	// median 408 ms, 402 to 431 with 94 %
	// median 812 ms, 805 to +Inf with 94 %
	// they differ: true
}

// A histogram holds any number of whole numbers, each to within HistogramError.
func ExampleHistogram() {
	var h stats.Histogram
	for ms := range int64(1000) {
		h.Add(ms, 1)
	}
	p99, _ := h.Quantile(0.99)
	most, _ := h.Max()
	fmt.Println(h.N(), most, p99 >= 989 && float64(p99) <= 990*(1+stats.HistogramError))
	// Output: 1000 999 true
}
