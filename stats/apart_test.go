package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestApart(t *testing.T) {
	for _, test := range []struct {
		name string
		a, b Sample
		want bool
	}{
		{"a gap wider than both", New(1, 2, 3), New(6, 7), true},
		{"the other way round", New(6, 7), New(1, 2, 3), true},
		{"a gap as wide as one of them", New(1, 2, 3), New(5, 6), false},
		{"no gap", New(1, 2, 3), New(3, 4), false},
		{"equal", New(1, 1, 1), New(1, 1), false},
		{"one value each", New(1), New(2), true},
		{"one that failed", New(1, 2, 3), Censored([]float64{9}, []float64{8}), false},
		{"an empty one", New(), New(1), false},
	} {
		if got := Apart(test.a, test.b); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// Of samples of different sizes Compare counts that they are apart; of equal ones it does not.
func TestCompareCountsWhatIsApart(t *testing.T) {
	for _, test := range []struct {
		a, b []float64
		want float64
	}{
		{[]float64{10, 10, 11, 11}, []float64{1, 2, 3, 4, 5}, 1.0 / 255},
		{[]float64{8, 10, 11, 11}, []float64{1, 2, 3, 4, 5}, 2.0 / 126},
		{[]float64{10, 10.1, 10.2, 11, 11}, []float64{1, 2, 3, 4, 5}, 2.0 / 252},
	} {
		if got := Compare(New(test.a...), New(test.b...)).P; !near(got, test.want) {
			t.Errorf("%v against %v: p %v; want %v", test.a, test.b, got, test.want)
		}
		if least := Least(len(test.a), len(test.b)); test.want < least-1e-9 {
			t.Errorf("p %v is less than can be, %v", test.want, least)
		}
	}
	if got := LeastApart(2, 9); got != 1 {
		t.Errorf("of 2 and 9 values: %v; nothing is known", got)
	}
}

// TestApartIsRare looks for a distribution whose samples are apart more often than LeastApart
// says, as a climber does: values at some places, whose shares and places are changed as
// long as that makes it more likely. Of each the probability is computed, not drawn.
func TestApartIsRare(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, size := range [][2]int{{3, 3}, {3, 5}, {4, 4}, {4, 5}, {5, 5}} {
		n, m := size[0], size[1]
		bound, worst := LeastApart(n, m), 0.0
		for range 6 {
			at, share := make([]float64, 5), make([]float64, 5)
			for i := range at {
				at[i], share[i] = math.Exp(r.Float64()*8), math.Pow(r.Float64(), 3)
			}
			best := 0.0
			for range 400 {
				at2, share2 := slices.Clone(at), slices.Clone(share)
				for i := range at {
					if r.IntN(2) == 0 {
						share2[i] *= math.Exp(0.3 * r.NormFloat64())
					}
					if r.IntN(8) == 0 {
						at2[i] *= math.Exp(0.2 * r.NormFloat64())
					}
				}
				if p := apartAt(at2, share2, n, m); p > best {
					best, at, share = p, at2, share2
				}
			}
			worst = max(worst, best)
		}
		t.Logf("%d and %d values: at most %.5f found, %.5f promised", n, m, worst, bound)
		if worst > bound*(1+1e-6) {
			t.Errorf("%d and %d values are apart with a probability of %v; %v is promised", n, m, worst, bound)
		}
		if worst < 0.9*bound {
			t.Errorf("%d and %d values: the search is poor, it found %v of %v", n, m, worst, bound)
		}
	}
}

// apartAt is the probability that samples of n and m values are apart, where each value is one
// of those with the share that it has of all.
func apartAt(values, shares []float64, n, m int) float64 {
	type place struct{ at, share float64 }
	var places []place
	sum := 0.0
	for i, v := range values {
		places = append(places, place{v, shares[i]})
		sum += shares[i]
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	upTo := []float64{0}
	for _, p := range places {
		upTo = append(upTo, upTo[len(upTo)-1]+p.share/sum)
	}
	// spans is the probability that n values reach from place i to place k and no further.
	spans := func(i, k, n int) float64 {
		all := func(i, k int) float64 { return math.Pow(max(0, upTo[max(i, k+1)]-upTo[i]), float64(n)) }
		if i == k {
			return all(i, i)
		}
		return all(i, k) - all(i+1, k) - all(i, k-1) + all(i+1, k-1)
	}
	p := 0.0
	for i := range places {
		for k := i; k < len(places); k++ {
			for l := k + 1; l < len(places); l++ {
				for h := l; h < len(places); h++ {
					if places[l].at-places[k].at > max(places[k].at-places[i].at, places[h].at-places[l].at) {
						p += spans(i, k, n)*spans(l, h, m) + spans(i, k, m)*spans(l, h, n)
					}
				}
			}
		}
	}
	return p
}
