package facts

import (
	"fmt"
	"testing"

	"linger"
	"linger/internal/textbook"
	"linger/trace"
)

func TestTypicalIsNearestToTheMedian(t *testing.T) {
	in := textbook.Experiment("close,keep", 5)
	for i, typical := range Typical(in) {
		if median := Median(in.Traces[i], Time).Or(0); typical.Ended.Milliseconds() != median {
			t.Errorf("%s: %v ms; the median of five is one of them: %v", in.Strategies[i].Name, typical.Ended.Milliseconds(), median)
		}
		whole := 0
		for _, one := range List(in)[i] {
			if one.Whole {
				whole++
			}
		}
		if whole != 5 {
			t.Errorf("%s: %d trials", in.Strategies[i].Name, whole)
		}
	}
	in.Traces[0] = nil
	if Typical(in)[0] != nil {
		t.Error("a typical trial of none")
	}
}

func TestConnectionsHeldOverTime(t *testing.T) {
	at := func(ms int) linger.Instant { return linger.Instant(ms) * 1e6 }
	one := &trace.Trace{Ended: at(100), Connections: []trace.Connection{
		{ID: 0, Dialled: at(0), Closed: linger.Known(at(40))},
		{ID: 1, Dialled: at(40), Closed: linger.Known(at(80))}, // where the first ends
		{ID: 2, Dialled: at(50)},
		{ID: 3, Dialled: at(60), Closed: linger.Known(at(60))}, // a socket of no length
		{ID: 4, Dialled: at(90), Closed: linger.Known(at(300))},
	}}
	held, peak := HeldOverTime(one)
	want := []Held{{at(0), 1}, {at(40), 1}, {at(50), 2}, {at(80), 1}, {at(90), 2}, {at(100), 0}}
	if fmt.Sprint(held) != fmt.Sprint(want) || peak != 2 {
		t.Errorf("%v, peak %d; want %v", held, peak, want)
	}
	if peak != AtOnce(one) {
		t.Errorf("the peak is %d here and %d in the table", peak, AtOnce(one))
	}
}
