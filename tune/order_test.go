package tune

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"linger"
)

// TestOrder holds what is handed on against a stable sort, where nothing is later than orderFor.
func TestOrder(t *testing.T) {
	luck := rand.New(rand.NewPCG(5, 6))
	for _, fine := range []linger.Instant{sec, sec / 1000} {
		var all, got []Arrival
		var o order
		on := func(r *Arrival) { got = append(got, *r) }
		for i := range 50_000 {
			end := 1e6*sec + linger.Instant(i)*sec/20/fine*fine
			r := Arrival{Client: uint64(i), Start: end - linger.Instant(luck.Int64N(100))*sec/fine*fine, End: end}
			if luck.IntN(3) == 0 {
				r.Start += linger.Instant(luck.Int64N(1000)) * sec / 1000 / fine * fine
				r.End = max(r.Start, r.End)
			}
			all = append(all, r)
			o.push(&r, on)
		}
		o.rest(on)
		slices.SortStableFunc(all, func(a, b Arrival) int { return cmp.Compare(a.Start, b.Start) })
		if !slices.Equal(all, got) {
			t.Errorf("steps of %d ns: not as sorted", fine)
		}
	}
}

// What is too late is handed on at once, and what waits is bounded.
func TestOrderBounds(t *testing.T) {
	var o order
	var got []uint64
	on := func(r *Arrival) { got = append(got, r.Client) }
	at := func(client uint64, start linger.Instant) {
		o.push(&Arrival{Client: client, Start: start, End: start}, on)
	}
	at(1, -200*sec)
	at(2, 1e6*sec)
	at(3, 1e6*sec-orderFor)
	at(4, 1e6*sec-orderFor-1)
	if !slices.Equal(got, []uint64{1, 4}) {
		t.Errorf("%v", got)
	}
	for range orderMost {
		at(5, 1e6*sec)
	}
	if o.n != orderMost || !slices.Equal(got, []uint64{1, 4, 3, 2}) {
		t.Errorf("%d wait, handed on %v", o.n, got)
	}
}
